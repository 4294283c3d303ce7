//! One vantage's debounced opinion of one target (DECIDING sections 1 and 2).
//!
//! From unknown one pass is up; down always takes `fall` failures in a row, or those of the window. `cooldown` delays a
//! recovery only. A turn empties the window, so that old failures do not turn a recovered target back.
//!
//! Results are taken raw: a check that is inverted is inverted here, so that there is one place that does it.

use crate::model::{Check, Failure, Health, Mono, Observation, Outcome, OwnFault, Tempo, Thresholds, Vote, Window, ms};

/// Down for longer than this is probed less often, in milliseconds.
pub const RESTED_AFTER_MS: u64 = 3_600_000;

/// What this vantage thinks of a target, and what it takes to think otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    opinion: Opinion,
    basis: Basis,
    /// The last result was a fault of our own.
    own_fault: Option<OwnFault>,
    /// The results since the last turn, newest in the lowest bit, 1 for a failure.
    window: u64,
    /// When the first of the failures since the last pass began.
    first_failure: Option<Mono>,
    last_failure: Option<(Mono, Failure)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opinion {
    Unknown {
        fails: u8,
    },
    /// `contrary`: results in a row that speak against the value of `degraded`.
    Up {
        degraded: bool,
        contrary: u8,
        fails: u8,
        passes: u8,
    },
    /// `since`: unknown where it was remembered. `complains`: the last pass came with a complaint.
    Down {
        since: Option<Mono>,
        passes: u8,
        fails: u8,
        complains: bool,
    },
}

/// What the opinion rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// On results.
    Results,
    /// On what was in force before the start; it does not vote before its first result.
    Memory,
    /// On results of the check as it was before a change; votes, until the first full rise or fall.
    OldCheck,
}

impl Default for Standing {
    fn default() -> Self {
        Self::starting(Opinion::Unknown { fails: 0 }, Basis::Results)
    }
}

impl Standing {
    fn starting(opinion: Opinion, basis: Basis) -> Self {
        Self { opinion, basis, own_fault: None, window: 0, first_failure: None, last_failure: None }
    }

    /// The standing that a remembered verdict gives.
    #[must_use]
    pub fn remembered(measured: Health) -> Self {
        let up = |degraded| Opinion::Up { degraded, contrary: 0, fails: 0, passes: 0 };
        match measured {
            Health::Unknown => Self::default(),
            Health::Up => Self::starting(up(false), Basis::Memory),
            Health::Degraded => Self::starting(up(true), Basis::Memory),
            Health::Down => {
                Self::starting(Opinion::Down { since: None, passes: 0, fails: 0, complains: false }, Basis::Memory)
            }
        }
    }

    /// The check's meaning has changed: the opinion stays until the first full rise or fall under the new one.
    pub fn check_changed(&mut self) {
        let restart = |opinion| match opinion {
            Opinion::Unknown { .. } => Opinion::Unknown { fails: 0 },
            Opinion::Up { degraded, .. } => Opinion::Up { degraded, contrary: 0, fails: 0, passes: 0 },
            Opinion::Down { since, .. } => Opinion::Down { since, passes: 0, fails: 0, complains: false },
        };
        let basis = match (self.opinion, self.basis) {
            (Opinion::Unknown { .. }, _) => Basis::Results,
            (_, Basis::Memory) => Basis::Memory,
            (_, Basis::Results | Basis::OldCheck) => Basis::OldCheck,
        };
        *self = Self::starting(restart(self.opinion), basis);
    }

    /// Takes in a result. `urgent`: a service has nothing else that is healthy, so nothing delays a recovery
    /// (DECIDING section 6).
    pub fn observe(&mut self, check: &Check, observation: &Observation, urgent: bool) {
        let at = observation.at.mono;
        match reading(check, &observation.outcome) {
            Reading::Own(fault) => self.own_fault = Some(fault),
            Reading::Passed { complaint } => {
                self.own_fault = None;
                self.window <<= 1;
                self.first_failure = None;
                self.passed(check, complaint);
            }
            Reading::Failed(failure) => {
                self.own_fault = None;
                self.window = self.window << 1 | 1;
                let began = Mono(at.0.saturating_sub(ms(observation.phases.total)));
                self.first_failure.get_or_insert(began);
                self.last_failure = Some((at, failure));
                self.failed(check, at);
            }
        }
        if self.basis == Basis::Memory && self.own_fault.is_none() {
            self.basis = Basis::Results;
        }
        self.ripen(check, at, urgent);
    }

    fn passed(&mut self, check: &Check, complaint: bool) {
        let Thresholds { rise, fall, .. } = check.thresholds;
        match &mut self.opinion {
            Opinion::Unknown { .. } => self.turn_up(complaint),
            Opinion::Up { degraded, contrary, fails, passes } => {
                *fails = 0;
                *passes = passes.saturating_add(1);
                *contrary = if complaint == *degraded { 0 } else { contrary.saturating_add(1) };
                if *contrary >= if complaint { fall } else { rise } {
                    (*degraded, *contrary) = (complaint, 0);
                }
                if *passes >= rise && self.basis == Basis::OldCheck {
                    self.basis = Basis::Results;
                }
            }
            Opinion::Down { passes, fails, complains, .. } => {
                *fails = 0;
                *passes = passes.saturating_add(1);
                *complains = complaint;
            }
        }
    }

    fn failed(&mut self, check: &Check, at: Mono) {
        let Thresholds { fall, window, .. } = check.thresholds;
        let full = window.is_some_and(|window| self.failed_of(window) >= window.failures);
        match &mut self.opinion {
            Opinion::Unknown { fails } => {
                *fails = fails.saturating_add(1);
                if *fails >= fall {
                    self.turn_down(at, fall);
                }
            }
            Opinion::Up { fails, passes, .. } => {
                *fails = fails.saturating_add(1);
                *passes = 0;
                if *fails >= fall || full {
                    self.turn_down(at, fall);
                }
            }
            Opinion::Down { passes, fails, .. } => {
                *passes = 0;
                *fails = fails.saturating_add(1);
                if (*fails >= fall || full) && self.basis == Basis::OldCheck {
                    self.basis = Basis::Results;
                }
            }
        }
    }

    /// Failures among the results that the window looks at.
    fn failed_of(&self, window: Window) -> u8 {
        let seen = u64::MAX >> (64 - u32::from(window.of.clamp(1, 64)));
        u8::try_from((self.window & seen).count_ones()).unwrap_or(u8::MAX)
    }

    /// Turns up what has risen and only waited for its cooldown; whether it did.
    pub fn ripen(&mut self, check: &Check, now: Mono, urgent: bool) -> bool {
        let Opinion::Down { passes, complains, .. } = self.opinion else { return false };
        let ripe = if urgent { passes > 0 } else { self.ripe_at(check).is_some_and(|at| at <= now) };
        if ripe {
            self.turn_up(complains);
        }
        ripe
    }

    /// When a target that has passed often enough turns up.
    #[must_use]
    pub fn ripe_at(&self, check: &Check) -> Option<Mono> {
        match self.opinion {
            Opinion::Down { passes, .. } if passes >= check.thresholds.rise => {
                Some(self.last_failure.as_ref().map_or(Mono(0), |(at, _)| at.plus(check.cooldown)))
            }
            Opinion::Unknown { .. } | Opinion::Up { .. } | Opinion::Down { .. } => None,
        }
    }

    fn turn_down(&mut self, at: Mono, fails: u8) {
        self.opinion = Opinion::Down { since: Some(at), passes: 0, fails, complains: false };
        self.basis = Basis::Results;
        self.window = 0;
    }

    fn turn_up(&mut self, degraded: bool) {
        self.opinion = Opinion::Up { degraded, contrary: 0, fails: 0, passes: 1 };
        self.basis = Basis::Results;
        self.window = 0;
    }

    /// The opinion, whether or not it votes.
    #[must_use]
    pub fn health(&self) -> Health {
        match self.opinion {
            Opinion::Unknown { .. } => Health::Unknown,
            Opinion::Up { degraded: false, .. } => Health::Up,
            Opinion::Up { degraded: true, .. } => Health::Degraded,
            Opinion::Down { .. } => Health::Down,
        }
    }

    /// What it says in the ballot; nothing before the first result.
    #[must_use]
    pub fn vote(&self) -> Option<Vote> {
        if let Some(fault) = self.own_fault {
            return Some(Vote::Abstain(fault));
        }
        if self.basis == Basis::Memory {
            return None;
        }
        match self.opinion {
            Opinion::Unknown { .. } => None,
            Opinion::Up { degraded, fails, .. } => Some(Vote::Up { degraded, wavers: fails > 0 }),
            Opinion::Down { .. } => Some(Vote::Down),
        }
    }

    /// Whether it has passes that a delay of recovery holds back.
    #[must_use]
    pub fn recovers(&self) -> bool {
        matches!(self.opinion, Opinion::Down { passes: 1.., .. })
    }

    /// How many probes have failed since the last pass, where it is down by results of this process.
    #[must_use]
    pub fn failed_in_a_row(&self) -> Option<u8> {
        match self.opinion {
            Opinion::Down { since: Some(_), passes: 0, fails, .. } if self.basis == Basis::Results => Some(fails),
            Opinion::Unknown { .. } | Opinion::Up { .. } | Opinion::Down { .. } => None,
        }
    }

    /// Since when it is down by results of this process, where nothing has passed since.
    #[must_use]
    pub fn down_since(&self) -> Option<Mono> {
        match self.opinion {
            Opinion::Down { since, passes: 0, .. } => since,
            Opinion::Unknown { .. } | Opinion::Up { .. } | Opinion::Down { .. } => None,
        }
    }

    /// Others look after it from now on: there is no vote before the next result, and none of the past counts.
    pub fn rest(&mut self) {
        self.check_changed();
        if self.opinion != (Opinion::Unknown { fails: 0 }) {
            self.basis = Basis::Memory;
        }
    }

    /// While it wavers: when the first failure since the last pass began, and how many more it takes at least to be
    /// down.
    #[must_use]
    pub fn nearness(&self, check: &Check) -> Option<(Mono, u8)> {
        let Opinion::Up { fails: fails @ 1.., .. } = self.opinion else { return None };
        let Thresholds { fall, window, .. } = check.thresholds;
        let in_a_row = fall.saturating_sub(fails);
        let scattered = window.map_or(u8::MAX, |window| window.failures.saturating_sub(self.failed_of(window)));
        Some((self.first_failure?, in_a_row.min(scattered).max(1)))
    }

    /// Whether a changed check is still on its way to its first full rise or fall.
    #[must_use]
    pub fn awaits_new_check(&self) -> bool {
        self.basis == Basis::OldCheck
    }

    /// How soon the target is probed again. One that asked for fewer requests keeps its full interval.
    #[must_use]
    pub fn tempo(&self, now: Mono) -> Tempo {
        let failing = self.window & 1 == 1 || matches!(self.opinion, Opinion::Down { passes: 0, .. });
        let too_many = failing && matches!(self.last_failure, Some((_, Failure::TooMany)));
        match self.opinion {
            Opinion::Down { since: Some(since), passes: 0, .. } if now.0.saturating_sub(since.0) > RESTED_AFTER_MS => {
                Tempo::Rested
            }
            _ if too_many => Tempo::Steady,
            Opinion::Unknown { .. } => Tempo::Undecided,
            _ if self.basis == Basis::OldCheck => Tempo::Undecided,
            Opinion::Up { fails: 1.., .. } => Tempo::Recheck,
            Opinion::Up { .. } | Opinion::Down { .. } => Tempo::Steady,
        }
    }

    /// When the first of the failures since the last pass began.
    #[must_use]
    pub fn first_failure(&self) -> Option<Mono> {
        self.first_failure
    }

    /// The last failure since the check has its present meaning.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.last_failure.as_ref().map(|(_, failure)| failure)
    }
}

/// An outcome as the check means it.
enum Reading {
    Passed { complaint: bool },
    Failed(Failure),
    Own(OwnFault),
}

fn reading(check: &Check, outcome: &Outcome) -> Reading {
    match (outcome, check.inverted) {
        (Outcome::Abstain(fault), _) => Reading::Own(*fault),
        (Outcome::Pass | Outcome::Complaint(_), true) => Reading::Failed(Failure::Inverted),
        (Outcome::Fail(_), true) | (Outcome::Pass, false) => Reading::Passed { complaint: false },
        (Outcome::Complaint(_), false) => Reading::Passed { complaint: true },
        (Outcome::Fail(failure), false) => Reading::Failed(failure.clone()),
    }
}

#[cfg(test)]
mod tests;
