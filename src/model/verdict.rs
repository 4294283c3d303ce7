//! Verdicts: what counts, with its cause; the measured value stays beside the one in force.

use super::{Mono, OverrideId, Wall};

/// The state of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Health {
    /// It works.
    Up,
    /// It works, with a complaint; served like `up`.
    Degraded,
    /// Nobody knows yet; served after the known-up.
    Unknown,
    /// It does not work.
    Down,
}

super::service::words!(Health { Up = "up", Degraded = "degraded", Unknown = "unknown", Down = "down" });

impl Health {
    /// Up or degraded.
    #[must_use]
    pub fn works(self) -> bool {
        matches!(self, Self::Up | Self::Degraded)
    }
}

/// An order of the availability lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Availability {
    /// In, whatever was measured.
    Up,
    /// Out while another serves.
    Drain,
    /// Never served.
    Down,
}

super::service::words!(Availability { Up = "up", Drain = "drain", Down = "down" });

/// What counts for one target (a subject's address of one family).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What the votes say; unchanged by any override.
    pub measured: Health,
    /// In force: measured, held by a freeze, or ordered `up`/`down`. A drain leaves it as it is.
    pub health: Health,
    /// The endpoint-wide order (scopes endpoint, label, region, provider, all) that governs, if any. Orders on pools
    /// and services change memberships and are applied where answers are decided.
    pub order: Option<(Availability, OverrideId)>,
    /// Why `measured` is what it is.
    pub cause: Cause,
    /// Frozen by this override: `health` is held.
    pub frozen: Option<OverrideId>,
    /// Fresh votes, by region.
    pub tally: Tally,
    /// When `health` last changed.
    pub since: Wall,
    /// The same on the monotonic clock; `None` when that was before this process began.
    pub since_mono: Option<Mono>,
    /// A brake holds `health` away from what was measured; [`Hold::Resume`] is said, too, while it would and the
    /// endpoint has to serve because a service has no other healthy one.
    pub hold: Option<Hold>,
    /// When it last came back: from down, or from an endpoint-wide drain or down. `None` if it never was away, is away, or
    /// came back so long ago that no failback or ramp of the fleet reaches it any more.
    pub returned: Option<Mono>,
    /// The earliest time at which it may become down, while a fresh vantage sees it waver. Answers of it live no longer.
    pub flips_at: Option<Mono>,
}

/// Why `health` is not what was measured, beside orders and freezes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Held down: it changed too often.
    Flap {
        /// Until then.
        until: Mono,
    },
    /// Held down until a person restores it (`resume = "manual"`).
    Resume,
    /// Held up: the removal budget is spent, and confirmation is awaited.
    Budget,
    /// Held up: nearly everything fails at once, and removals wait.
    Freeze,
    /// Held up: no other node is heard, and it is not sure enough; or the votes no longer suffice for it.
    Alone,
}

impl Hold {
    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Flap { .. } => "flap",
            Self::Resume => "resume",
            Self::Budget => "budget",
            Self::Freeze => "auto-freeze",
            Self::Alone => "alone",
        }
    }
}

/// Why a verdict is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// No check is set: always up, shown as unchecked.
    Unchecked,
    /// No result yet and nothing remembered.
    NoResult,
    /// Remembered from before the start, until first results decide.
    Remembered,
    /// The votes decided.
    Voted,
    /// The votes neither suffice for down nor for up: the previous verdict stays.
    Disputed,
    /// No fresh vote: nobody voting changes nothing.
    NoVotes,
    /// A check was changed and its first full rise or fall is awaited.
    CheckChanged,
}

impl Cause {
    /// A stable word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unchecked => "unchecked",
            Self::NoResult => "no-result",
            Self::Remembered => "remembered",
            Self::Voted => "voted",
            Self::Disputed => "disputed",
            Self::NoVotes => "no-votes",
            Self::CheckChanged => "check-changed",
        }
    }
}

/// Votes by region, not by node. Silence is in neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Regions for up.
    pub up: u16,
    /// Regions for down.
    pub down: u16,
    /// Regions with a fresh ballot that did not vote here: ties and abstentions.
    pub abstained: u16,
}

impl Tally {
    /// Regions that voted.
    #[must_use]
    pub fn cast(&self) -> u16 {
        self.up + self.down
    }
}
