//! Overrides: a person's temporary order. It hides nothing and undoing it is forgetting it.

use std::{fmt, str::FromStr, time::Duration};

use super::{PoolId, Selector, Wall, Weight};

/// Longest reason, in octets.
pub const REASON_LENGTH_MAX: usize = 1024;
/// Longest life of a local override: long enough to bring the shared store back or to ask for the next hour.
pub const LOCAL_LASTS_MAX: Duration = Duration::from_secs(3600);
/// Most overrides in force at once; more are refused.
pub const OVERRIDES_MAX: usize = 10_000;

/// `ov_` and a ULID: sortable by creation, readable.
///
/// Held as its octets, in the order of the ULID: every verdict has room for two, and a number of 128 bits would make each
/// of them a third larger.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OverrideId([u8; 16]);

impl OverrideId {
    /// Wraps a ULID.
    #[must_use]
    pub fn new(ulid: ulid::Ulid) -> Self {
        Self(ulid.to_bytes())
    }

    fn ulid(&self) -> ulid::Ulid {
        ulid::Ulid::from_bytes(self.0)
    }
}

impl fmt::Debug for OverrideId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OverrideId").field(&self.ulid()).finish()
    }
}

impl fmt::Display for OverrideId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ov_{}", self.ulid())
    }
}

/// The text is no override id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an override id looks like ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6, not `{0}`")]
pub struct OverrideIdError(pub String);

impl FromStr for OverrideId {
    type Err = OverrideIdError;
    fn from_str(text: &str) -> Result<Self, OverrideIdError> {
        let ulid = text.strip_prefix("ov_").and_then(|rest| rest.parse().ok());
        ulid.map(Self::new).ok_or_else(|| OverrideIdError(text.into()))
    }
}

impl TryFrom<String> for OverrideId {
    type Error = OverrideIdError;
    fn try_from(text: String) -> Result<Self, OverrideIdError> {
        text.parse()
    }
}

impl From<OverrideId> for String {
    fn from(id: OverrideId) -> Self {
        id.to_string()
    }
}

/// Scope, action, reason, author, life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Its id; newer ids are greater.
    pub id: OverrideId,
    /// What is ordered.
    pub action: Action,
    /// For what.
    pub target: Selector,
    /// Why; never empty unless `require_reason` is off.
    pub reason: String,
    /// Who: `token:web-oncall`, `uid:1000`.
    pub author: String,
    /// When it was made.
    pub created: Wall,
    /// From when on it holds.
    pub from: Wall,
    /// Until when it holds.
    pub expires: Wall,
    /// Made against a safety rule.
    pub forced: bool,
    /// Of a drain: over this time from its beginning the share shrinks in steps; only then is it out.
    pub over: Option<Duration>,
    /// It holds on this node alone and before all others there: made while the shared store was out of reach.
    pub local: bool,
    /// The store's generation when it was last written; its ETag.
    pub generation: u64,
}

impl Override {
    /// Whether it holds at this time.
    #[must_use]
    pub fn holds(&self, at: Wall) -> bool {
        self.from <= at && at < self.expires
    }
}

/// What an override does. Four lanes that never compete: availability, share, choice, automation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// In the answers whatever was measured.
    Up,
    /// Out of the answers, still probed; a preference, not an absolute.
    Drain,
    /// Never answered.
    Down,
    /// Another weight.
    Weight(Weight),
    /// The service answers from this pool while it can.
    Pin(PoolId),
    /// Automation changes nothing in scope.
    Freeze,
}

/// Which overrides compete with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// `up`, `drain`, `down`; applied last, wins.
    Availability,
    /// `weight`.
    Share,
    /// `pin`.
    Choice,
    /// `freeze`.
    Automation,
}

impl Action {
    /// Its lane.
    #[must_use]
    pub fn lane(&self) -> Lane {
        match self {
            Self::Up | Self::Drain | Self::Down => Lane::Availability,
            Self::Weight(_) => Lane::Share,
            Self::Pin(_) => Lane::Choice,
            Self::Freeze => Lane::Automation,
        }
    }

    /// The word it is written as.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Drain => "drain",
            Self::Down => "down",
            Self::Weight(_) => "weight",
            Self::Pin(_) => "pin",
            Self::Freeze => "freeze",
        }
    }
}
