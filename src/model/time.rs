//! Two clocks that cannot be mixed, and lengths of time as people write them.
//!
//! [`Mono`] drives every timer, age and TTL, so a clock that is set cannot move traffic. [`Wall`] serves only what
//! people wrote (an override's end) and what they read. Both are read once a step, in `clock.rs`.

use std::{fmt, str::FromStr, time::Duration};

/// Milliseconds on this process's monotonic clock. It never crosses a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mono(pub u64);

impl Mono {
    /// The instant `after` later; saturates.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(ms(after)))
    }

    /// The instant `earlier` before; the origin at the earliest.
    #[must_use]
    pub fn before(self, earlier: Duration) -> Self {
        Self(self.0.saturating_sub(ms(earlier)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Milliseconds since 1970-01-01 UTC. It may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Wall(pub u64);

impl Wall {
    /// The time `after` later; saturates.
    #[must_use]
    pub fn plus(self, after: Duration) -> Self {
        Self(self.0.saturating_add(ms(after)))
    }

    /// How long ago `earlier` was; zero if it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Wall {
    /// RFC 3339 in UTC with milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(ms) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => f.write_str("9999-12-31T23:59:59.999Z"),
        }
    }
}

/// Why a text is no time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a time looks like 2026-11-23T10:42:00Z (RFC 3339), not `{0}`")]
pub struct WallError(pub String);

impl FromStr for Wall {
    type Err = WallError;
    fn from_str(text: &str) -> Result<Self, WallError> {
        let at: jiff::Timestamp = text.parse().map_err(|_| WallError(text.into()))?;
        u64::try_from(at.as_millisecond()).map(Self).map_err(|_| WallError(text.into()))
    }
}

impl TryFrom<String> for Wall {
    type Error = WallError;
    fn try_from(text: String) -> Result<Self, WallError> {
        text.parse()
    }
}

impl From<Wall> for String {
    fn from(at: Wall) -> Self {
        at.to_string()
    }
}

/// Both clocks at one instant; the first argument of everything that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Now {
    /// For timers and ages.
    pub mono: Mono,
    /// For what people wrote.
    pub wall: Wall,
}

/// Why a text is no length of time. `hint` is what to write instead, where that can be guessed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct SpanError {
    /// What is wrong.
    pub what: String,
    /// The corrected text.
    pub hint: Option<String>,
}

/// A length of time written as people do: `"10s"`, `"1m30s"`, `"400d"`, `"250ms"`. Always with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl FromStr for Span {
    type Err = SpanError;
    fn from_str(text: &str) -> Result<Self, SpanError> {
        let wrong = |what: String, hint: Option<String>| Err(SpanError { what, hint });
        if text.is_empty() {
            return wrong("a duration is empty".into(), Some("10s".into()));
        }
        let mut rest = text;
        let mut total = 0_u64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, tail) = rest.split_at(digits);
            if number.is_empty() {
                return wrong(
                    format!("`{text}` is not a duration: a number comes before each unit"),
                    Some("1m30s".into()),
                );
            }
            let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
            let (unit, tail) = tail.split_at(letters);
            if unit.is_empty() {
                return wrong("a duration needs a unit".into(), Some(format!("{text}s")));
            }
            let Some((_, each)) = UNITS.iter().find(|(name, _)| *name == unit) else {
                return wrong(format!("`{unit}` is not a unit of time: ms, s, m, h, d or w is"), None);
            };
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*each));
            total = match part.and_then(|part| total.checked_add(part)) {
                Some(sum) => sum,
                None => return wrong(format!("`{text}` is longer than this program can count"), None),
            };
            rest = tail;
        }
        Ok(Self(Duration::from_millis(total)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = ms(self.0);
        if left == 0 {
            return f.write_str("0s");
        }
        for (name, each) in &UNITS[1..] {
            let count = left / each;
            if count > 0 {
                write!(f, "{count}{name}")?;
                left -= count * each;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;
    fn try_from(text: String) -> Result<Self, SpanError> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        span.to_string()
    }
}

/// Whole milliseconds of a duration; saturates.
#[must_use]
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bare_number_is_refused_with_the_corrected_text() {
        let error = "10".parse::<Span>().unwrap_err();
        assert_eq!((error.what.as_str(), error.hint.as_deref()), ("a duration needs a unit", Some("10s")));
        for bad in ["", "s", "10y", "1m 30s", "-1s", "99999999999999999999s", "1.5s"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_duration_is_read_back_as_written(ms in 0_u64..10_000_000_000) {
            let span = Span(Duration::from_millis(ms));
            prop_assert_eq!(span.to_string().parse::<Span>().unwrap(), span);
        }

        #[test]
        fn a_time_is_read_back_as_written(ms in 0_u64..4_000_000_000_000) {
            prop_assert_eq!(Wall(ms).to_string().parse::<Wall>().unwrap(), Wall(ms));
        }
    }
}
