//! Serials of zones: numbers that go round (RFC 1982).

/// Half of all serials: one that lies exactly so far ahead can be compared by nobody (section 3.2).
const HALF: u32 = 1 << 31;

/// The serial of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Serial(pub u32);

impl Serial {
    /// Whether secondaries take it for newer than the other (section 3.2).
    #[must_use]
    pub fn is_after(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        0 < ahead && ahead < HALF
    }

    /// The serial of a change at a time in seconds since 1970: the time itself, or the next number where that would not
    /// be newer than `last`.
    #[must_use]
    pub fn following(last: Option<Self>, seconds: u64) -> Self {
        // The time goes round as serials do. Zero is left out: to some secondaries it means that there is none.
        #[expect(clippy::cast_possible_truncation, reason = "it goes round")]
        let time = Self((seconds as u32).max(1));
        match last {
            Some(last) if !time.is_after(last) => Self(last.0.wrapping_add(1).max(1)),
            Some(_) | None => time,
        }
    }
}

impl std::fmt::Display for Serial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn serials_go_round() {
        for (newer, older) in [(1, 0), (0, u32::MAX), (44, 0xffff_fff0), (100, 44), (HALF - 1, 0)] {
            assert!(Serial(newer).is_after(Serial(older)), "{newer} {older}");
            assert!(!Serial(older).is_after(Serial(newer)), "{older} {newer}");
        }
        assert!(!Serial(HALF).is_after(Serial(0)) && !Serial(0).is_after(Serial(HALF)));
        assert!(!Serial(7).is_after(Serial(7)));
    }

    proptest! {
        #[test]
        fn each_is_after_the_one_before(last: u32, seconds: u64) {
            let next = Serial::following(Some(Serial(last)), seconds);
            prop_assert!(next.is_after(Serial(last)));
            prop_assert_ne!(next, Serial(0));
        }
    }
}
