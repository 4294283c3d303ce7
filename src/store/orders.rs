//! What a commit does to the overrides, decided without any database: both stores decide here, so that they cannot
//! decide differently.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::model::{Mono, OVERRIDES_MAX, Override, OverrideId, Wall};

use super::{Change, Durable, StoreError};

/// How long an override that has run out is still listed: people look for what just ended.
pub const EXPIRED_KEPT: Duration = Duration::from_secs(24 * 3600);

/// The durable state, as a store holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Orders {
    pub(super) epoch: String,
    pub(super) generation: u64,
    /// Shared, because working copies of the whole are made for each commit.
    pub(super) all: BTreeMap<OverrideId, Arc<Override>>,
}

/// What a commit does, beside raising the generation by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effect {
    /// Dropped, before the other is put.
    pub(super) forgotten: Vec<OverrideId>,
    /// Put, in place of one with its id.
    pub(super) put: Option<Override>,
    /// What was created, extended or ended.
    pub(super) entity: Override,
}

/// Why there is no effect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Nothing {
    /// Nothing to extend or end.
    NoOverride(OverrideId),
    /// [`OVERRIDES_MAX`] that all still hold.
    Full,
    /// The id is taken.
    Taken(OverrideId),
}

impl Nothing {
    /// As the store of this name says it.
    pub(super) fn told(self, store: &str) -> StoreError {
        match self {
            Self::NoOverride(id) => StoreError::NoOverride(id),
            Self::Full => StoreError::Full { what: "the list of overrides", max: OVERRIDES_MAX },
            Self::Taken(id) => {
                StoreError::Refused { path: store.into(), why: format!("an override has the id {id} already") }
            }
        }
    }
}

impl Orders {
    /// What a change decided at this time does to the state as it is.
    pub(super) fn decide(&self, due: &[OverrideId], change: Change, at: Wall) -> Result<Effect, Nothing> {
        let generation = self.generation + 1;
        let mut forgotten = due.to_vec();
        let held = |id: &OverrideId| self.all.get(id).filter(|_| !due.contains(id));
        // One that has run out stays ended: nodes have let its endpoints return and remember it as over.
        let in_force = |id: OverrideId| match held(&id).filter(|order| at < order.expires) {
            Some(order) => Ok(order.as_ref().clone()),
            None => Err(Nothing::NoOverride(id)),
        };
        let (put, entity) = match change {
            Change::Create(order) => {
                if OVERRIDES_MAX <= self.all.len() - due.len() {
                    let over = self.all.values().filter(|held| held.expires <= at && !due.contains(&held.id));
                    forgotten.push(over.min_by_key(|held| held.expires).ok_or(Nothing::Full)?.id.clone());
                }
                if self.all.contains_key(&order.id) && !forgotten.contains(&order.id) {
                    return Err(Nothing::Taken(order.id));
                }
                let order = Override { generation, ..order };
                (Some(order.clone()), order)
            }
            Change::Extend { id, expires } => {
                let order = Override { expires, generation, ..in_force(id)? };
                (Some(order.clone()), order)
            }
            Change::End { id } => {
                let order = in_force(id)?;
                forgotten.push(order.id.clone());
                (None, order)
            }
        };
        Ok(Effect { forgotten, put, entity })
    }

    /// The state after a commit, as both stores must have it.
    #[cfg(test)]
    pub(super) fn after(&self, effect: &Effect) -> Self {
        let mut next = self.clone();
        next.generation += 1;
        for id in &effect.forgotten {
            next.all.remove(id);
        }
        if let Some(order) = &effect.put {
            next.all.insert(order.id.clone(), Arc::new(order.clone()));
        }
        next
    }

    /// As others see it.
    pub(super) fn durable(&self) -> Arc<Durable> {
        Arc::new(Durable {
            epoch: self.epoch.clone(),
            generation: self.generation,
            overrides: self.all.values().map(|order| order.as_ref().clone()).collect(),
        })
    }
}

/// When overrides were first seen to have run out, on the monotonic clock: a clock that jumps forward for a while does
/// not lose an evacuation.
#[derive(Debug, Default)]
pub(super) struct Ended(BTreeMap<OverrideId, Mono>);

impl Ended {
    /// Notes which overrides have run out by this time, and forgets those that have not.
    pub(super) fn note(&mut self, orders: &Orders, at: Wall, now: Mono) {
        self.0.retain(|id, _| orders.all.get(id).is_some_and(|order| order.expires <= at));
        for order in orders.all.values().filter(|order| order.expires <= at) {
            self.0.entry(order.id.clone()).or_insert(now);
        }
    }

    /// At most so many that were seen to be over for [`EXPIRED_KEPT`]: the next commit drops them.
    pub(super) fn due(&self, orders: &Orders, now: Mono, max: usize) -> Vec<OverrideId> {
        let over =
            self.0.iter().filter(|(id, since)| EXPIRED_KEPT <= now.since(**since) && orders.all.contains_key(id));
        over.map(|(id, _)| id.clone()).take(max).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::records::samples::plain_override, *};
    use proptest::prelude::*;

    const AT: Wall = Wall(2_000_000);

    fn holding(orders: impl IntoIterator<Item = Override>) -> Orders {
        let all = orders.into_iter().map(|order| (order.id.clone(), Arc::new(order))).collect();
        Orders { epoch: "e".into(), generation: 7, all }
    }

    fn over(number: u64, expires: u64) -> Override {
        Override { expires: Wall(expires), ..plain_override(number) }
    }

    #[test]
    fn when_full_what_ran_out_first_makes_room() {
        let many = || (0..OVERRIDES_MAX as u64).map(plain_override);
        let new = plain_override(1_000_000);
        let full = holding(many());
        assert_eq!(full.decide(&[], Change::Create(new.clone()), AT), Err(Nothing::Full));
        let (first, second) = (over(3, 1_500_000), over(9, 1_600_000));
        let full = holding(many().chain([second, first.clone()]));
        let effect = full.decide(&[], Change::Create(new), AT).unwrap();
        assert_eq!(effect.forgotten, [first.id]);
        assert_eq!(full.after(&effect).all.len(), OVERRIDES_MAX);
    }

    #[test]
    fn what_is_due_is_gone_for_the_change_too() {
        let held = holding([plain_override(1), plain_override(2)]);
        let due = [plain_override(1).id];
        let end = Change::End { id: plain_override(1).id };
        assert_eq!(held.decide(&due, end, AT), Err(Nothing::NoOverride(plain_override(1).id)));
        let effect = held.decide(&due, Change::Create(plain_override(1)), AT).unwrap();
        assert_eq!(held.after(&effect).all.len(), 2, "its id is free again");
        assert_eq!(held.decide(&[], Change::Create(plain_override(1)), AT), Err(Nothing::Taken(plain_override(1).id)));
    }

    #[test]
    fn only_time_that_passed_here_makes_an_override_due() {
        let held = holding([over(1, 1_500_000), plain_override(2)]);
        let day = Mono(crate::model::ms(EXPIRED_KEPT));
        let mut ended = Ended::default();
        ended.note(&held, AT, Mono(0));
        assert_eq!((ended.due(&held, Mono(1), 9), ended.due(&held, day, 9)), (vec![], vec![plain_override(1).id]));
        // The clock had jumped and is back.
        ended.note(&held, Wall(1), day);
        assert_eq!(ended.due(&held, day, 9), []);
    }

    proptest! {
        #[test]
        fn a_commit_raises_the_generation_by_one_and_keeps_the_bound(
            held in proptest::collection::vec((0_u64..20, 1_000_000_u64..3_000_000), 0..20),
            which in 0_u64..20,
            what in 0..3,
        ) {
            let held = holding(held.into_iter().map(|(number, expires)| over(number, expires)));
            let id = plain_override(which).id;
            let change = match what {
                0 => Change::Create(plain_override(which)),
                1 => Change::Extend { id: id.clone(), expires: Wall(9_000_000) },
                _ => Change::End { id: id.clone() },
            };
            if let Ok(effect) = held.decide(&[], change, AT) {
                let next = held.after(&effect);
                prop_assert_eq!((next.generation, effect.entity.id), (held.generation + 1, id));
                for order in next.all.values().filter(|order| held.all.get(&order.id) != Some(order)) {
                    prop_assert_eq!(order.generation, next.generation);
                }
            }
        }
    }
}
