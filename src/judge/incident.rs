//! What the brakes of the fleet look at: each endpoint as one thing, with when it failed.
//!
//! An endpoint is down here when all that is probed of it is measured down: one service's check, or one family, failing
//! everywhere is no outage of a provider. What is ordered changes nothing of it, because nothing here is about answers.

use std::time::Duration;

use crate::model::Mono;

/// What the votes say of an endpoint as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// Nothing of it is probed.
    #[default]
    Unprobed,
    /// Something of it works.
    Works,
    /// Nobody knows yet, at least of a part, and nothing works.
    Unknown,
    /// All of it is down.
    Down,
}

/// An endpoint, as the brakes of the fleet see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Condition {
    /// What is measured.
    pub state: State,
    /// Of one that is down: when the last of it fell, if it worked before and this process saw it.
    pub fell: Option<Mono>,
    /// The longest interval of its checks.
    pub interval: Duration,
}

impl Condition {
    /// Whether it fell within twice its interval.
    #[must_use]
    pub fn just_fell(&self, now: Mono) -> bool {
        fell_together(self.fell.filter(|_| self.state == State::Down), self.interval, now)
    }
}

/// What fell within twice the interval fell together: one cause shows in all checks within one interval, and the votes
/// take as long again at most.
#[must_use]
pub fn fell_together(fell: Option<Mono>, interval: Duration, now: Mono) -> bool {
    fell.is_some_and(|at| now <= at.plus(interval * 2))
}

/// Whether more than half of a service's endpoints fell together; one endpoint does not fall together with itself.
#[must_use]
pub fn is_correlated(fell_together: usize, endpoints: usize) -> bool {
    fell_together >= 2 && fell_together * 2 > endpoints
}
