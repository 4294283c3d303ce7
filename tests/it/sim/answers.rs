//! What the answers that follow from a snapshot must be: never empty, never down while something works.

use std::sync::Arc;

use wayshift::{
    judge::{Orders, returning},
    model::{Availability, Family, Health, LastGood, ServiceIx, Snapshot},
    steer::{AnswerTable, Client, Draw, Outcome, Picks, compile},
};

/// Services of up to so many endpoints have no pool that panics.
const SMALL: usize = 4;
/// Services of more have pools that panic one by one.
const LARGE: usize = 12;

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
        for family in Family::ALL {
            let members = members(snapshot, &orders, ix, family);
            let mut picks = Picks::new();
            let draw = Draw { word: rng.u64(..), turn: rng.u32(..), now: snapshot.at.mono };
            let outcome = table.steering(ix).pick(family, &mut Client::nobody(), draw, &mut picks);
            let servable = |(_, order, _): &&Member| *order != Some(Availability::Down);
            if members.is_empty() {
                assert_eq!(outcome, Outcome::NoData, "answers: {} has no {family}", service.id);
                continue;
            }
            assert!(
                outcome == Outcome::Addresses || !members.iter().any(|member| servable(&member)),
                "answers: {} {family} is empty: {members:?}",
                service.id
            );
            // A large pool of which little works ignores health (DECIDING section 6, panic).
            // One of two pools may while both together have more.
            let least = if members.len() > LARGE { 2 } else { 3 };
            let panics = members.len() > SMALL && members.iter().filter(fine).count() * least < members.len();
            let works = !panics && members.iter().any(|member| fine(&member));
            for seat in picks.seats() {
                let of = |member: &&Member| member.0 == seat.endpoint;
                let served: Vec<&Member> = members.iter().filter(of).collect();
                assert!(served.iter().any(servable), "answers: {} answers what is ordered down", service.id);
                let bad = |(_, order, health): &&Member| *health == Health::Down || *order == Some(Availability::Drain);
                assert!(
                    !works || !served.iter().all(bad),
                    "answers: {} {family} answers {served:?} while {members:?}",
                    service.id
                );
            }
        }
    }
    table
}

fn fine((_, order, health): &&Member) -> bool {
    order.is_none() && health.works()
}

type Member = (wayshift::model::EndpointIx, Option<Availability>, Health);

/// The members of a service that have a family, with what is ordered and what counts.
fn members(snapshot: &Snapshot, orders: &Orders<'_>, ix: ServiceIx, family: Family) -> Vec<Member> {
    let fleet = &snapshot.fleet;
    let mut members = Vec::new();
    for arm in &fleet.service(ix).arms {
        for (member, subject) in fleet.pool(arm.pool).members.iter().zip(&arm.subjects) {
            let Some(verdict) = snapshot.verdict(*subject, family) else { continue };
            let order = orders.in_membership(ix, arm.pool, member.endpoint);
            // A slow drain still leaves it a share. What it leaves is judged: a wider order is hidden behind it.
            let (slow, order): (Vec<_>, Vec<_>) =
                order.into_iter().partition(|order| 0 < returning::over_share(order, snapshot.at.wall));
            let hidden = matches!(verdict.order, Some((Availability::Up | Availability::Down, _)));
            let (order, health) = match order.first().map(|order| order.action.word()) {
                Some("up") => (None, Health::Up),
                Some("drain") => (Some(Availability::Drain), verdict.measured),
                Some(_) => (Some(Availability::Down), verdict.measured),
                None if hidden && !slow.is_empty() => (None, verdict.measured),
                None => (None, verdict.health),
            };
            members.push((member.endpoint, order, health));
        }
    }
    members
}
