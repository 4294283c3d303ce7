//! Ids: 1 to 63 of `a-z 0-9 -`, starting with a letter or digit.
//!
//! The key of a table in the configuration is the id everywhere: command line, API, metrics, store. Clones share
//! the text.

use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

/// Longest id, in characters; the same as a DNS label, because ids appear as labels.
pub const ID_LENGTH_MAX: usize = 63;

/// Why a text is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing was written.
    #[error("an id needs at least one character")]
    Empty,
    /// More than [`ID_LENGTH_MAX`] characters.
    #[error("an id has at most {ID_LENGTH_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// A character outside `a-z 0-9 -`, or a leading `-`.
    #[error("an id consists of a-z, 0-9 and `-` and starts with a letter or digit; `{0}` does not fit")]
    Character(char),
}

fn checked(text: &str) -> Result<(), IdError> {
    let first = text.chars().next().ok_or(IdError::Empty)?;
    let strange = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-'));
    match strange {
        Some(c) => Err(IdError::Character(c)),
        None if first == '-' => Err(IdError::Character('-')),
        None if text.len() > ID_LENGTH_MAX => Err(IdError::TooLong(text.len())),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id's text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        // By text; clones share it and are told by that. Ballots of thousands of ids are compared with the ones before.
        impl Ord for $name {
            fn cmp(&self, other: &Self) -> Ordering {
                if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
            }
        }

        impl PartialOrd for $name {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                checked(text).map(|()| Self(text.into()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().into()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// Names an endpoint.
    EndpointId
);
id!(
    /// Names a pool.
    PoolId
);
id!(
    /// Names a service.
    ServiceId
);
id!(
    /// Names a check.
    CheckId
);
id!(
    /// Names a provider.
    ProviderId
);
id!(
    /// Names a region.
    RegionId
);
id!(
    /// Names a node.
    NodeId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_ordered_by_text_whether_they_share_it_or_not() {
        let id = |text: &str| text.parse::<NodeId>().unwrap();
        let (a, b) = (id("a"), id("b"));
        assert_eq!((a.cmp(&a.clone()), a.cmp(&id("a")), a.cmp(&b)), (Ordering::Equal, Ordering::Equal, Ordering::Less));
        assert_eq!((a == id("a"), a == b, b > id("a")), (true, false, true));
    }

    #[test]
    fn only_plain_labels_are_ids() {
        for good in ["a", "9", "eu-1", "a-", &"x".repeat(63)] {
            assert!(good.parse::<PoolId>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a_b", "a.b", "ä", &"x".repeat(64)] {
            assert!(bad.parse::<PoolId>().is_err(), "{bad}");
        }
    }
}
