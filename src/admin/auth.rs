//! Who is asking, and what they may: bearer tokens, peers of the Unix socket, roles and scopes.
//!
//! A token is `ws_<id>_<43 random>` and known only by its SHA-256: 256 random bits need no slow hash, and a slow hash
//! would be a lever for overload. Every hash is compared, each in constant time, so that a refusal tells nothing.

mod scope;
mod token;

use std::{net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, request::Parts},
};
use subtle::{Choice, ConstantTimeEq as _};

pub use self::token::{FirstToken, TokenFileError, ensure_admin_token};
use super::problem::Problem;
use crate::{
    config::{AdminToken, Role},
    model::{Fleet, Selector, Wall, hash_token, is_token},
};

/// The tokens in force; replaced whole by a reload, so that a revoked token ends at once.
#[derive(Debug)]
pub struct Keys(ArcSwap<Vec<AdminToken>>);

impl Keys {
    /// These and no others.
    #[must_use]
    pub fn new(tokens: Vec<AdminToken>) -> Self {
        Self(ArcSwap::from_pointee(tokens))
    }

    /// Others from now on.
    pub fn replace(&self, tokens: Vec<AdminToken>) {
        self.0.store(Arc::new(tokens));
    }

    /// Whose token this is.
    ///
    /// # Errors
    /// Why it is nobody's, for the metric; the client is not told.
    fn find(&self, presented: &str, now: Wall) -> Result<AdminToken, Refused> {
        if !is_token(presented) {
            return Err(Refused::Malformed);
        }
        let hash = hash_token(presented);
        let mut found = None;
        for token in self.0.load().iter() {
            let same: Choice = hash.ct_eq(&token.hash);
            if bool::from(same) {
                found = Some(token.clone());
            }
        }
        let token = found.ok_or(Refused::Unknown)?;
        if token.expires.is_some_and(|end| end <= now) {
            return Err(Refused::Expired);
        }
        Ok(token)
    }
}

/// Why someone was not let in; a label of `auth_failures_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Refused {
    /// No `Authorization`.
    Missing,
    /// Not a bearer token of our form.
    Malformed,
    /// Nobody's.
    Unknown,
    /// Its time has passed.
    Expired,
}

impl Refused {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::Unknown => "unknown",
            Self::Expired => "expired",
        }
    }
}

/// The other end of a connection; the listener puts it into each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// Over TCP.
    Tcp(IpAddr),
    /// Over the Unix socket, as this user. Who may connect to it is decided by the file's mode.
    Unix {
        /// The user's number, from the kernel.
        uid: u32,
    },
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix { .. } => f.write_str("unix"),
        }
    }
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// `token:web-oncall` or `uid:1000`.
    pub name: String,
    /// What they may.
    pub role: Role,
    /// What an operator's overrides must stay within; empty: everything.
    pub scope: Vec<Selector>,
    /// When that ends.
    pub expires: Option<Wall>,
    /// From where.
    pub peer: Peer,
}

impl Principal {
    /// Recognises who is asking.
    pub(super) fn recognise(keys: &Keys, peer: Peer, presented: Option<&str>, now: Wall) -> Result<Self, Refused> {
        match (peer, presented) {
            (Peer::Unix { uid }, None) => {
                Ok(Self { name: format!("uid:{uid}"), role: Role::Admin, scope: Vec::new(), expires: None, peer })
            }
            (_, Some(field)) => {
                let (scheme, token) = field.split_once(' ').ok_or(Refused::Malformed)?;
                if !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(Refused::Malformed);
                }
                let AdminToken { name, role, scope, expires, hash: _ } = keys.find(token.trim_matches(' '), now)?;
                Ok(Self { name: format!("token:{name}"), role, scope, expires, peer })
            }
            (Peer::Tcp(_), None) => Err(Refused::Missing),
        }
    }

    /// Whether an override of this target stays within the scope.
    #[must_use]
    pub fn may_override(&self, fleet: &Fleet, target: &Selector) -> bool {
        self.role == Role::Admin || self.scope.is_empty() || scope::within(fleet, &self.scope, target)
    }
}

macro_rules! role {
    ($(#[$doc:meta])* $name:ident, $role:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(super) struct $name(pub(super) Principal);

        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = Problem;
            async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
                let who = parts.extensions.get::<Principal>();
                let who = who.ok_or_else(|| Problem::plain(StatusCode::UNAUTHORIZED))?;
                if who.role < $role {
                    return Err(Problem::plain(StatusCode::FORBIDDEN));
                }
                Ok(Self(who.clone()))
            }
        }
    };
}

role!(
    /// The request comes from another node, or from whoever is allowed more.
    Peering,
    Role::Peer
);
role!(
    /// The request is allowed to look. First among a handler's arguments, so that refusals come before readings.
    Viewer,
    Role::Viewer
);
role!(
    /// The request is allowed to move traffic.
    Operator,
    Role::Operator
);
role!(
    /// The request is allowed everything.
    Administrator,
    Role::Admin
);

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::new_token;

    const HOME: Peer = Peer::Tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));

    fn keys() -> (Keys, String) {
        let text = new_token("oncall", &[7; 32]).unwrap();
        let token = AdminToken {
            name: "web-oncall".into(),
            role: Role::Operator,
            scope: Vec::new(),
            hash: hash_token(&text),
            expires: Some(Wall(1000)),
        };
        (Keys::new(vec![token]), text)
    }

    #[test]
    fn only_the_whole_token_in_time_is_someone() {
        let (keys, text) = keys();
        let who = |field: Option<&str>, now| {
            Principal::recognise(&keys, HOME, field, Wall(now)).map(|who| (who.name, who.role))
        };
        assert_eq!(who(Some(&format!("Bearer {text}")), 999), Ok(("token:web-oncall".into(), Role::Operator)));
        assert_eq!(who(Some(&format!("bearer {text}")), 999), Ok(("token:web-oncall".into(), Role::Operator)));
        assert_eq!(who(Some(&format!("Bearer {text}")), 1000), Err(Refused::Expired));
        assert_eq!(who(None, 0), Err(Refused::Missing));
        let mut forged = text.clone();
        let last = forged.pop().unwrap();
        forged.push(if last == 'A' { 'B' } else { 'A' });
        assert_eq!(who(Some(&format!("Bearer {forged}")), 0), Err(Refused::Unknown));
        for bad in ["", "Bearer", "Bearer ", &text, &format!("Basic {text}"), "Bearer ws__", &"x".repeat(70_000)] {
            assert_eq!(who(Some(bad), 0), Err(Refused::Malformed), "{bad:.80}");
        }
    }

    #[test]
    fn a_replaced_token_is_nobodys() {
        let (keys, text) = keys();
        keys.replace(Vec::new());
        let field = format!("Bearer {text}");
        assert_eq!(Principal::recognise(&keys, HOME, Some(&field), Wall(0)), Err(Refused::Unknown));
    }

    #[test]
    fn the_unix_socket_needs_no_token_but_a_wrong_one_is_refused() {
        let (keys, _) = keys();
        let unix = Peer::Unix { uid: 1000 };
        let who = Principal::recognise(&keys, unix, None, Wall(0)).unwrap();
        assert_eq!((who.name.as_str(), who.role), ("uid:1000", Role::Admin));
        assert_eq!(Principal::recognise(&keys, unix, Some("Bearer nonsense"), Wall(0)), Err(Refused::Malformed));
    }
}
