//! Epochs: which durable state it is, and how often a person has said that it goes on from here.
//!
//! `01JD8ZK3T0B6W9E1Q2R3S4T5V6.2`: an identity, drawn when the state was made, and how often it was adopted since; none
//! at all is 0.

/// An epoch, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch<'a> {
    pub(super) identity: &'a str,
    pub(super) adopted: u32,
}

impl<'a> Epoch<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let numbered = text.rsplit_once('.').and_then(|(identity, number)| Some((identity, number.parse().ok()?)));
        let (identity, adopted) = numbered.unwrap_or((text, 0));
        Self { identity, adopted }
    }

    /// The next of the same state, after this one and another.
    #[cfg(any(feature = "etcd", test))]
    pub(super) fn next(self, other: &str) -> String {
        let other = Epoch::of(other);
        let adopted = if other.identity == self.identity { self.adopted.max(other.adopted) } else { self.adopted };
        format!("{}.{}", self.identity, adopted.saturating_add(1))
    }
}

/// Whether a person has adopted the state since it had the epoch that is known: then it is the same one, whatever its
/// generation.
#[must_use]
pub fn continues(known: &str, found: &str) -> bool {
    let (known, found) = (Epoch::of(known), Epoch::of(found));
    !known.identity.is_empty() && known.identity == found.identity && known.adopted < found.adopted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adoption_raises_the_number_of_the_same_state() {
        assert!(continues("A", "A.1") && continues("A.1", "A.3"));
        assert!(!continues("A.3", "A.3") && !continues("A.3", "A") && !continues("B", "A.1") && !continues("", "A.1"));
        for (ours, other, next) in [("A", "A", "A.1"), ("A.2", "A.7", "A.8"), ("A.2", "B.7", "A.3"), ("A", "", "A.1")] {
            assert_eq!(Epoch::of(ours).next(other), next);
        }
    }
}
