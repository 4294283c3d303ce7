//! What the answers that follow from a snapshot must be: what `expected` says, never empty, nothing ordered down.

use std::{collections::BTreeSet, sync::Arc};

use wayshift::{
    judge::Orders,
    model::{Action, Availability, Family, LastGood, Snapshot},
    steer::{AnswerTable, Client, Draw, Outcome, Picks, compile},
};

use super::expected::{self, Expected, Member};

/// Endpoints of one answer.
const WINDOW: usize = 8;

/// Compiles as a node does and asks every service for both families.
pub(super) fn check(
    snapshot: &Arc<Snapshot>,
    before: Option<&AnswerTable>,
    remembered: &LastGood,
    rng: &mut fastrand::Rng,
) -> AnswerTable {
    let table = compile(snapshot, before, remembered);
    let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
    for (ix, service) in snapshot.fleet.services() {
        let pools = expected::pools(snapshot, &orders, ix);
        // Who has a part of its share only is left out by chance.
        let shares = !service.tuning.ramp.is_zero()
            || snapshot.overrides.iter().any(|order| matches!(order.action, Action::Weight(_)) || order.over.is_some());
        for family in Family::ALL {
            let members = || pools.iter().flat_map(|pool| pool.members.iter().map(move |one| (pool.pool, one)));
            let has = |(_, member): &(_, &Member)| member.health[family.index()].is_some();
            let mut picks = Picks::new();
            let draw = Draw { word: rng.u64(..), turn: rng.u32(..), now: snapshot.at.mono };
            let outcome = table.steering(ix).pick(family, &mut Client::nobody(), draw, &mut picks);
            let what = format!("answers: {} {family}", service.id);
            if !members().any(|member| has(&member)) {
                assert_eq!(outcome, Outcome::NoData, "{what}: nothing has it");
                continue;
            }
            let servable = |(_, one): &(_, &Member)| one.out != Some(Availability::Down);
            let any = members().filter(has).any(|member| servable(&member));
            assert!(outcome == Outcome::Addresses || !any, "{what} is empty: {pools:#?}");
            let answered: BTreeSet<_> = picks.seats().map(|seat| (seat.pool, seat.endpoint)).collect();
            for seat in &answered {
                let member = members().find(|(pool, one)| (*pool, one.endpoint) == *seat);
                assert!(member.is_some_and(|member| servable(&member)), "{what}: {seat:?} is ordered down");
            }
            let Some(Expected { any_of, all }) = expected::answered(snapshot, &orders, ix, &pools, family) else {
                continue;
            };
            assert!(answered.is_subset(&any_of), "{what} is {answered:?}, may be {any_of:?} of {pools:#?}");
            if all && !shares {
                assert_eq!(answered.len(), any_of.len().min(WINDOW), "{what} is {answered:?} of {any_of:?}");
            }
        }
    }
    table
}
