//! How votes are counted, and the brakes.

use std::time::Duration;

use super::{Anchor, Selector};

/// How verdicts come from votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictPolicy {
    /// What `down` needs of the votes cast.
    pub quorum: Quorum,
    /// `down` needs at least this many voting regions, once more than one is known.
    pub min_vantages: u16,
    /// A ballot not renewed for this long casts no vote.
    pub stale_after: Duration,
    /// Starting standings.
    pub startup: Startup,
    /// What changes too often is held down.
    pub flap: Option<FlapHold>,
    /// What a node does that hears no peers.
    pub alone: Alone,
    /// Unrelated targets that prove a node's own network.
    pub anchors: Vec<Anchor>,
    /// What a node makes of an endpoint that it alone sees down.
    pub own_view: OwnView,
    /// So many vantages probe an endpoint at most.
    pub vantages_per_endpoint: u16,
}

/// What a node does that hears no peers, though it knows some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alone {
    /// It judges while its self-test has passed.
    SelfTest,
    /// It keeps what was last agreed.
    Hold,
    /// It judges.
    Judge,
}

super::service::words!(Alone { SelfTest = "self-test", Hold = "hold", Judge = "judge" });

/// What a node makes of an endpoint that it alone sees down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnView {
    /// Nothing: everybody answers alike.
    Ignore,
    /// It ranks it last, for clients nearest to its own region.
    RankLast,
}

super::service::words!(OwnView { Ignore = "ignore", RankLast = "rank-last" });

/// An endpoint that changes too often is held down for a while, longer each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlapHold {
    /// So many changes of the measured value ...
    pub changes: u16,
    /// ... within this time ...
    pub within: Duration,
    /// ... hold it down for this long; doubled each time ...
    pub hold: Duration,
    /// ... up to this.
    pub max: Duration,
}

impl Default for FlapHold {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(n * 60);
        Self { changes: 6, within: minutes(10), hold: minutes(5), max: minutes(30) }
    }
}

impl Default for VerdictPolicy {
    fn default() -> Self {
        Self {
            quorum: Quorum::Majority,
            min_vantages: 2,
            stale_after: Duration::from_secs(10),
            startup: Startup::LastKnown,
            flap: Some(FlapHold::default()),
            alone: Alone::SelfTest,
            anchors: Vec::new(),
            own_view: OwnView::Ignore,
            vantages_per_endpoint: 7,
        }
    }
}

/// Of the votes cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quorum {
    /// One is enough.
    Any,
    /// More than half.
    Majority,
    /// All.
    All,
    /// So many regions.
    Count(u16),
}

/// What a node believes before its first results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Startup {
    /// The persisted verdict under 10 min old, else unknown.
    LastKnown,
    /// Unknown.
    Unknown,
}

/// The brakes and the lives of overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Safety {
    /// Of a pool's weight: below it, and with no other pool open, health is ignored inside the pool.
    pub panic_below: PanicBelow,
    /// Life of an override that names none, by action.
    pub lives: Lives,
    /// Longest life of an override from now on, at each extension.
    pub override_max: Duration,
    /// An override without a reason is refused.
    pub require_reason: bool,
    /// What must be left.
    pub rules: Vec<KeepRule>,
    /// How much of the fleet automation may take out at once.
    pub removal_budget: RemovalBudget,
    /// How much of the fleet overrides may take out, in percent of its endpoints.
    pub max_drained: u8,
    /// How much a reload may change without being looked at.
    pub reload_guard: ReloadGuard,
}

/// How much of the fleet automation takes out at once; the excess waits for confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovalBudget {
    /// Of the fleet's endpoints, in percent; 1 to 100.
    pub share: u8,
    /// Within this time.
    pub per: Duration,
    /// So many are always allowed: small fleets are never slowed.
    pub at_least: u32,
    /// The excess leaves when two thirds of the votes agree for this long.
    pub confirm: Duration,
}

impl Default for RemovalBudget {
    fn default() -> Self {
        Self { share: 34, per: Duration::from_secs(60), at_least: 10, confirm: Duration::from_secs(30) }
    }
}

/// A reload beyond these is refused until somebody has seen its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReloadGuard {
    /// Removed endpoints or names, in percent.
    pub removed: u8,
    /// Names whose current answer changes, in percent.
    pub answers: u8,
    /// Fewer than so many of either are never held up.
    pub at_least: u32,
}

impl Default for ReloadGuard {
    fn default() -> Self {
        Self { removed: 30, answers: 50, at_least: 3 }
    }
}

/// Default lives of overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lives {
    /// Of a drain.
    pub drain: Duration,
    /// Of a down.
    pub down: Duration,
    /// Of a weight.
    pub weight: Duration,
    /// Of a pin.
    pub pin: Duration,
    /// Of an up.
    pub up: Duration,
    /// Of a freeze.
    pub freeze: Duration,
}

impl Default for Safety {
    fn default() -> Self {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        Self {
            panic_below: PanicBelow::Auto,
            lives: Lives {
                drain: hours(24),
                down: hours(24),
                weight: hours(4),
                pin: hours(4),
                up: hours(1),
                freeze: hours(1),
            },
            override_max: hours(72),
            require_reason: true,
            rules: Vec::new(),
            removal_budget: RemovalBudget::default(),
            max_drained: 100,
            reload_guard: ReloadGuard::default(),
        }
    }
}

impl Lives {
    /// The default life of an action.
    #[must_use]
    pub fn of(&self, action: &super::Action) -> Duration {
        use super::Action;
        match action {
            Action::Up => self.up,
            Action::Drain => self.drain,
            Action::Down => self.down,
            Action::Weight(_) => self.weight,
            Action::Pin(_) => self.pin,
            Action::Freeze => self.freeze,
        }
    }
}

/// When a pool without alternative ignores health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicBelow {
    /// 0 % up to 4 endpoints, 34 % from 5 on.
    Auto,
    /// This share of the weight, in percent; 0 to 100.
    Share(u8),
}

/// `keep` of the groups must keep an endpoint that is neither ordered out nor down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeepRule {
    /// Its name, in refusals.
    pub name: String,
    /// How many groups must be left.
    pub keep: u16,
    /// The groups.
    pub of: Vec<Selector>,
}
