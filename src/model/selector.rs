//! Selectors: `kind:glob`, everywhere the same.

use std::{fmt, str::FromStr};

/// What an override, a safety rule or a filter points at. Order is precedence: narrow before wide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Selector {
    /// Endpoints by id or alias.
    Endpoint(Glob),
    /// Memberships of pools.
    Pool(Glob),
    /// What services see.
    Service(Glob),
    /// Endpoints with a label of this key and value.
    Label(String, Glob),
    /// Endpoints of regions.
    Region(Glob),
    /// Endpoints of providers.
    Provider(Glob),
    /// Everything.
    All,
}

/// A text in which `*` stands for any run of characters and `?` for one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob(Box<str>);

impl Glob {
    /// Whether a text fits.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        if self.is_exact() { *self.0 == *text } else { wildmatch::WildMatch::new(&self.0).matches(text) }
    }

    /// Whether it stands for exactly one text.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether everything that fits `narrow` fits this one. Sound, not complete: `narrow` is read as a text of its own,
    /// and its `*` must then fall under a `*`.
    #[must_use]
    pub fn contains(&self, narrow: &Self) -> bool {
        self == narrow || (self.fits(&narrow.0) && !(narrow.0.contains('*') && self.0.contains('?')))
    }
}

impl Selector {
    /// Whether `target` equals this selector or lies inside it. Judged on the selectors and not on what they take in
    /// today: `provider:aws` does not lie inside `region:us-east` because today all of it stands there, or tomorrow's
    /// configuration would widen what was allowed.
    ///
    /// Two things are known only to who knows the fleet: `in_group`, whether the one endpoint of this id or alias is in
    /// this group (label, region, provider), and `only_users`, whether the one pool of this id has users and all of
    /// them fit these services.
    #[must_use]
    pub fn contains(
        &self,
        target: &Self,
        in_group: impl FnOnce(&str) -> bool,
        only_users: impl FnOnce(&Glob, &str) -> bool,
    ) -> bool {
        match (self, target) {
            (Self::All, _) => true,
            (Self::Endpoint(wide), Self::Endpoint(narrow))
            | (Self::Pool(wide), Self::Pool(narrow))
            | (Self::Service(wide), Self::Service(narrow))
            | (Self::Region(wide), Self::Region(narrow))
            | (Self::Provider(wide), Self::Provider(narrow)) => wide.contains(narrow),
            (Self::Label(key, wide), Self::Label(other, narrow)) => key == other && wide.contains(narrow),
            (Self::Label(..) | Self::Region(_) | Self::Provider(_), Self::Endpoint(one)) => {
                one.is_exact() && in_group(one.as_str())
            }
            (Self::Service(services), Self::Pool(one)) => one.is_exact() && only_users(services, one.as_str()),
            (
                Self::Endpoint(_)
                | Self::Pool(_)
                | Self::Service(_)
                | Self::Label(..)
                | Self::Region(_)
                | Self::Provider(_),
                Self::Endpoint(_)
                | Self::Pool(_)
                | Self::Service(_)
                | Self::Label(..)
                | Self::Region(_)
                | Self::Provider(_)
                | Self::All,
            ) => false,
        }
    }
}

impl From<&str> for Glob {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest selector, in octets.
pub const SELECTOR_LENGTH_MAX: usize = 256;

/// Why a text is no selector.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// No `kind:` in front.
    #[error("a selector is kind:name, as in provider:aws or region:eu-*; `{0}` names no kind")]
    NoKind(String),
    /// An unknown kind.
    #[error("`{0}` is not a kind: endpoint, pool, service, label, region, provider or all is")]
    Kind(String),
    /// Nothing behind the colon, or a label without `=`.
    #[error("`{0}` names nothing behind its colon")]
    Empty(String),
    /// Beyond [`SELECTOR_LENGTH_MAX`].
    #[error("a selector has at most {SELECTOR_LENGTH_MAX} octets")]
    TooLong,
    /// A label selector without `=`.
    #[error("a label selector is label:key=value; `{0}` has no `=`")]
    Label(String),
}

impl FromStr for Selector {
    type Err = SelectorError;
    fn from_str(text: &str) -> Result<Self, SelectorError> {
        if text.len() > SELECTOR_LENGTH_MAX {
            return Err(SelectorError::TooLong);
        }
        if text == "all" {
            return Ok(Self::All);
        }
        let (kind, rest) = text.split_once(':').ok_or_else(|| SelectorError::NoKind(text.into()))?;
        if rest.is_empty() {
            return Err(SelectorError::Empty(text.into()));
        }
        let glob = Glob::from(rest);
        Ok(match kind {
            "endpoint" => Self::Endpoint(glob),
            "pool" => Self::Pool(glob),
            "service" => Self::Service(glob),
            "region" => Self::Region(glob),
            "provider" => Self::Provider(glob),
            "label" => match rest.split_once('=') {
                Some((key, value)) if !key.is_empty() => Self::Label(key.into(), Glob::from(value)),
                _ => return Err(SelectorError::Label(text.into())),
            },
            other => return Err(SelectorError::Kind(other.into())),
        })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(glob) => write!(f, "endpoint:{}", glob.0),
            Self::Pool(glob) => write!(f, "pool:{}", glob.0),
            Self::Service(glob) => write!(f, "service:{}", glob.0),
            Self::Label(key, glob) => write!(f, "label:{key}={}", glob.0),
            Self::Region(glob) => write!(f, "region:{}", glob.0),
            Self::Provider(glob) => write!(f, "provider:{}", glob.0),
            Self::All => f.write_str("all"),
        }
    }
}

impl TryFrom<String> for Selector {
    type Error = SelectorError;
    fn try_from(text: String) -> Result<Self, SelectorError> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_read_back_as_written() {
        for text in
            ["all", "endpoint:aws-use", "region:eu-*", "label:tier=gold", "label:tier=*", "endpoint:203.0.113.10"]
        {
            assert_eq!(text.parse::<Selector>().unwrap().to_string(), text);
        }
        for text in ["aws", "cloud:aws", "provider:", "label:gold", ""] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
        assert!(Glob::from("eu-*").fits("eu-west") && !Glob::from("eu-*").fits("us-east"));
    }
    #[test]
    fn a_glob_contains_what_it_fits_and_no_more() {
        for (wide, narrow, expected) in [
            ("eu-*", "eu-west", true),
            ("eu-*", "eu-w*", true),
            ("eu-*", "eu-*", true),
            ("eu-*", "*", false),
            ("eu-*", "e*", false),
            ("eu-?", "eu-*", false),
            ("eu-?", "eu-1", true),
            ("*", "anything", true),
            ("eu", "eu-*", false),
        ] {
            assert_eq!(Glob::from(wide).contains(&Glob::from(narrow)), expected, "{narrow} in {wide}");
        }
    }

    #[test]
    fn a_selector_contains_its_like_and_what_the_fleet_vouches_for() {
        let check = |wide: &str, target: &str, vouched: bool, expected: bool| {
            let (wide, target): (Selector, Selector) = (wide.parse().unwrap(), target.parse().unwrap());
            assert_eq!(wide.contains(&target, |_| vouched, |_, _| vouched), expected, "{target} in {wide}");
        };
        check("all", "all", false, true);
        check("all", "provider:aws", false, true);
        check("provider:aws", "all", true, false);
        check("provider:a*", "provider:aws", false, true);
        check("provider:aws", "region:eu", true, false);
        check("provider:aws", "endpoint:e1", true, true);
        check("provider:aws", "endpoint:e1", false, false);
        check("provider:aws", "endpoint:e*", true, false);
        check("service:www", "pool:eu", true, true);
        check("service:www", "pool:eu", false, false);
        check("pool:eu", "service:www", true, false);
    }
}
