//! The automatic freeze (DECIDING sections 3 and 6): when nearly everything goes down at once, the likelier fault is
//! that of those who look, or nothing that another answer would mend. Removals are held until it is over; recoveries
//! are not.
//!
//! What of it is chosen here, and why:
//!
//! - *Nearly everything* is 90 % of the endpoints that worked, at least three, fallen within twice their interval, at two
//!   providers or more where there are two. What was down before does not count for either side.
//! - *The removals of the same incident are taken back.* The votes need an interval to see all of it, and until nine
//!   tenths are down most have left; to hold only the last tenth would send all traffic there.
//! - *Three voting regions.* With fewer, one broken network is half of the votes or all of them, and sections 3 and 4
//!   have other answers to that: self-tests, suspects, minimum votes. A single node never freezes: without anchors it
//!   believes its probes, and `when_none_healthy` acts.
//! - *The end:* fewer than half of what it is about (what fell in the incident, and what works) are down, for a minute.
//!   A fleet that stays dark stays frozen, which answers as `serve-all` would; a person orders what else is wanted.

use std::collections::HashSet;
use std::time::Duration;

use super::incident::{Condition, State};
use crate::model::{EndpointIx, Fleet, Mono};

/// This share of what worked, in percent, is nearly everything.
pub const NEARLY_ALL: usize = 90;
/// Fewer endpoints may well fail together.
pub const ENDPOINTS_MIN: usize = 3;
/// So many regions must vote.
pub const REGIONS_MIN: usize = 3;
/// It ends when fewer than half have failed for this long.
pub const CALM: Duration = Duration::from_secs(60);

/// Whether removals are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AutoFreeze {
    incident: Option<Incident>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Incident {
    /// What fell since then belongs to it.
    from: Mono,
    /// Since when fewer than half are down.
    calm: Option<Mono>,
}

/// It began or ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// What fell since `from` is held.
    Began {
        /// When the first of it may have fallen.
        from: Mono,
        /// Endpoints that fell.
        down: usize,
        /// Endpoints that worked before.
        of: usize,
    },
    /// Nothing is held any more.
    Ended,
}

impl AutoFreeze {
    /// One that held when the process before this ended; all that is down belongs to it.
    #[must_use]
    pub fn recalled() -> Self {
        Self { incident: Some(Incident { from: Mono(0), calm: None }) }
    }

    /// Whether removals are held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.incident.is_some()
    }

    /// When it may end with nothing else happening.
    #[must_use]
    pub fn ends_at(&self) -> Option<Mono> {
        Some(self.incident?.calm?.plus(CALM))
    }

    /// Looks at all endpoints, by place. `regions`: how many vote.
    pub fn look(&mut self, fleet: &Fleet, endpoints: &[Condition], regions: usize, now: Mono) -> Option<Turn> {
        match &mut self.incident {
            None => {
                let (down, of) = began(fleet, endpoints, regions, now)?;
                let window = endpoints.iter().map(|endpoint| endpoint.interval).max().unwrap_or_default() * 2;
                let from = Mono(now.0.saturating_sub(crate::model::ms(window)));
                self.incident = Some(Incident { from, calm: None });
                Some(Turn::Began { from, down, of })
            }
            Some(incident) => {
                let belongs = |endpoint: &&Condition| match endpoint.fell {
                    Some(at) => incident.from <= at,
                    None => incident.from == Mono(0),
                };
                let down = endpoints.iter().filter(|e| e.state == State::Down).filter(belongs).count();
                let works = endpoints.iter().filter(|e| e.state == State::Works).count();
                incident.calm = (down * 2 < down + works).then(|| incident.calm.unwrap_or(now));
                let over = (down + works == 0) || incident.calm.is_some_and(|since| since.plus(CALM) <= now);
                over.then(|| {
                    self.incident = None;
                    Turn::Ended
                })
            }
        }
    }
}

/// How many of how many fell together, if that is nearly everything.
fn began(fleet: &Fleet, endpoints: &[Condition], regions: usize, now: Mono) -> Option<(usize, usize)> {
    if regions < REGIONS_MIN {
        return None;
    }
    let fell: Vec<usize> =
        endpoints.iter().enumerate().filter(|(_, e)| e.just_fell(now)).map(|(place, _)| place).collect();
    let of = fell.len() + endpoints.iter().filter(|e| e.state == State::Works).count();
    if fell.len() < ENDPOINTS_MIN || fell.len() * 100 < of * NEARLY_ALL {
        return None;
    }
    let probed = endpoints.iter().enumerate().filter(|(_, e)| e.state != State::Unprobed).map(|(place, _)| place);
    let providers = |places: &mut dyn Iterator<Item = usize>| {
        places.map(|place| &fleet.endpoint(EndpointIx::new(place)).provider).collect::<HashSet<_>>().len()
    };
    let needed = providers(&mut { probed }).min(2);
    (providers(&mut fell.iter().copied()) >= needed).then_some((fell.len(), of))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::sample;

    /// Ten endpoints at two providers, looked at every 10 s; those of `down` fell at that second.
    fn conditions(down: &[(usize, u64)]) -> Vec<Condition> {
        let one = |n: usize| match down.iter().find(|(place, _)| *place == n) {
            Some((_, at)) => (State::Down, Some(Mono(at * 1000))),
            None => (State::Works, None),
        };
        let interval = Duration::from_secs(10);
        (0..10).map(one).map(|(state, fell)| Condition { state, fell, interval }).collect()
    }

    fn all(places: std::ops::Range<usize>, at: u64) -> Vec<(usize, u64)> {
        places.map(|place| (place, at)).collect()
    }

    #[test]
    fn it_begins_when_nearly_all_that_worked_falls_at_once() {
        let fleet = sample::fleet(10);
        let check = |down: &[(usize, u64)], regions: usize, begins: bool| {
            let turn = AutoFreeze::default().look(&fleet, &conditions(down), regions, Mono(100_000));
            assert_eq!(turn.is_some(), begins, "{down:?} {regions}");
        };
        check(&all(0..9, 95), 3, true);
        check(&all(0..8, 95), 3, false);
        check(&all(0..10, 95), 2, false);
        check(&all(0..10, 95), 1, false);
        check(&[all(0..5, 70), all(5..10, 95)].concat(), 3, true);
        check(&[all(0..5, 81), all(5..9, 95)].concat(), 3, true);
        check(&[all(0..7, 10), all(7..9, 95)].concat(), 3, false);
        let one_provider: Vec<(usize, u64)> = [1, 3, 5, 7, 9].map(|place| (place, 95)).to_vec();
        check(&[one_provider, vec![(0, 1), (2, 1), (4, 1), (6, 1), (8, 1)]].concat(), 3, false);
    }

    #[test]
    fn it_ends_when_fewer_than_half_have_failed_for_a_minute() {
        let fleet = sample::fleet(10);
        let mut freeze = AutoFreeze::default();
        let mut look = |down: &[(usize, u64)], second: u64| {
            let turn = freeze.look(&fleet, &conditions(down), 3, Mono(second * 1000));
            (turn, freeze.ends_at())
        };
        assert!(matches!(look(&all(0..10, 95), 100).0, Some(Turn::Began { from: Mono(80_000), down: 10, of: 10 })));
        assert_eq!(look(&all(0..5, 95), 110), (None, None), "half");
        assert_eq!(look(&all(0..4, 95), 120), (None, Some(Mono(180_000))));
        assert_eq!(look(&all(0..5, 95), 130), (None, None));
        assert_eq!(look(&all(0..4, 95), 140), (None, Some(Mono(200_000))));
        assert_eq!(look(&all(0..4, 95), 199), (None, Some(Mono(200_000))));
        assert_eq!(look(&all(0..4, 95), 200), (Some(Turn::Ended), None));
        assert_eq!(look(&all(0..4, 95), 201), (None, None));
    }
}
