//! Snapshots that are not: with other orders, with endpoints that fail, of another fleet. Each says what the controller
//! would come to once everything has settled: without ramps, failbacks and half-drained shares.

use std::{collections::HashMap, sync::Arc};

use crate::{
    judge::Orders,
    model::{
        Action, Availability, Cause, CheckId, EndpointId, EndpointIx, Family, Fleet, Health, Hold, Now, Override,
        OverrideId, Selector, Snapshot, SubjectIx, Tally, Verdict, Wall,
    },
};

/// Every endpoint of a fleet works and nobody has ordered anything.
#[must_use]
pub fn all_up(fleet: &Arc<Fleet>) -> Snapshot {
    Snapshot {
        node: "hypothesis".parse().expect("this is a node's id"),
        generation: 0,
        digest: fleet.digest,
        at: Now::default(),
        fleet: Arc::clone(fleet),
        verdicts: slots(fleet).map(|(_, judged)| judged.then(works)).collect(),
        overrides: Arc::default(),
        planned: Arc::default(),
        ended: Arc::default(),
        feeds: Arc::default(),
        here: crate::model::Here::default(),
    }
}

/// The same world under another fleet: verdicts go by endpoint and check, or else by endpoint alone, because a check that
/// changed keeps the verdict until it has decided. What is new is taken to work, as it will once it was probed.
#[must_use]
pub fn carried(now: &Snapshot, fleet: &Arc<Fleet>) -> Snapshot {
    let mut exact: HashMap<(&EndpointId, Option<&CheckId>, Family), &Verdict> = HashMap::new();
    let mut worst: HashMap<(&EndpointId, Family), &Verdict> = HashMap::new();
    for (slot, verdict) in now.verdicts.iter().enumerate() {
        let Some(verdict) = verdict else { continue };
        let (endpoint, check, family) = names(&now.fleet, slot);
        exact.insert((endpoint, check, family), verdict);
        let known = worst.entry((endpoint, family)).or_insert(verdict);
        if known.health < verdict.health {
            *known = verdict;
        }
    }
    let verdicts = slots(fleet).map(|(slot, judged)| {
        let (endpoint, check, family) = names(fleet, slot);
        let known = exact.get(&(endpoint, check, family)).or_else(|| worst.get(&(endpoint, family)));
        judged.then(|| known.map_or_else(works, |known| (*known).clone()))
    });
    let verdicts = verdicts.collect();
    let other = Snapshot { verdicts, fleet: Arc::clone(fleet), ended: Arc::default(), ..now.clone() };
    under(&other, Arc::clone(&now.overrides))
}

/// With these measured down, as far as no order and no freeze says otherwise. A pool or service stands for its members.
#[must_use]
pub fn failing(now: &Snapshot, down: &[Selector]) -> Snapshot {
    let fleet = &now.fleet;
    let fails: Vec<bool> = endpoints(fleet, down);
    let verdicts = now.verdicts.iter().enumerate().map(|(slot, verdict)| {
        let verdict = verdict.as_ref()?;
        let endpoint = fleet.subject(SubjectIx::new(slot / 2)).endpoint;
        if !fails[endpoint.index()] {
            return Some(verdict.clone());
        }
        let held = match &verdict.order {
            Some((Availability::Up | Availability::Down, _)) => true,
            Some((Availability::Drain, _)) | None => verdict.frozen.is_some(),
        };
        let health = if held { verdict.health } else { Health::Down };
        let tally = Tally { up: 0, down: verdict.tally.cast().max(1), ..verdict.tally };
        let (measured, cause) = (Health::Down, Cause::Voted);
        Some(Verdict { measured, health, cause, tally, hold: None, returned: None, flips_at: None, ..verdict.clone() })
    });
    let verdicts = verdicts.collect();
    Snapshot { verdicts, ..now.clone() }
}

/// What a target was before it became something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Was {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Under which check; none when it is unchecked.
    pub check: Option<CheckId>,
    /// Which address.
    pub family: Family,
    /// What was in force.
    pub health: Health,
}

/// As it was at an earlier time, over the fleet of now: `was` are the transitions since then, oldest first, by what they
/// came from. Of the overrides that are still kept those hold that held then.
#[must_use]
pub fn earlier(now: &Snapshot, at: Wall, was: &[Was]) -> Snapshot {
    let mut first: HashMap<(&EndpointId, Option<&CheckId>, Family), Health> = HashMap::new();
    for one in was {
        first.entry((&one.endpoint, one.check.as_ref(), one.family)).or_insert(one.health);
    }
    let verdicts = now.verdicts.iter().enumerate().map(|(slot, verdict)| {
        let verdict = verdict.as_ref()?;
        let known = first.get(&names(&now.fleet, slot)).copied();
        let health = known.unwrap_or(verdict.health);
        // What hides behind an order is not recorded: then the measured value of now stands in.
        let measured = known.unwrap_or(verdict.measured);
        let cause = if known.is_some() { Cause::Remembered } else { verdict.cause.clone() };
        Some(Verdict { health, measured, cause, hold: None, returned: None, flips_at: None, ..verdict.clone() })
    });
    let verdicts = verdicts.collect();
    let kept = now.overrides.iter().chain(&*now.planned);
    let mut overrides: Vec<Override> = kept.filter(|order| order.created <= at && order.holds(at)).cloned().collect();
    overrides.sort_by(|a, b| a.id.cmp(&b.id));
    let past = Snapshot { verdicts, at: Now { wall: at, ..now.at }, ended: Arc::default(), ..now.clone() };
    under(&past, overrides.into())
}

/// With this one in force (in place of one of the same id), though it may begin later.
#[must_use]
pub fn with(now: &Snapshot, order: &Override) -> Snapshot {
    let others = now.overrides.iter().filter(|other| other.id != order.id).cloned();
    // What goes out by steps is shown as it is at their end.
    let mut overrides: Vec<Override> = others.chain([Override { over: None, ..order.clone() }]).collect();
    overrides.sort_by(|a, b| a.id.cmp(&b.id));
    under(now, overrides.into())
}

/// Without it.
#[must_use]
pub fn without(now: &Snapshot, id: &OverrideId) -> Snapshot {
    under(now, now.overrides.iter().filter(|other| other.id != *id).cloned().collect())
}

/// With these overrides in force and no others; in the order of their ids.
#[must_use]
pub fn under(now: &Snapshot, overrides: Arc<[Override]>) -> Snapshot {
    let fleet = &now.fleet;
    let orders = Orders::new(fleet, &overrides);
    let by_endpoint: Vec<Option<(Availability, OverrideId)>> = (0..fleet.endpoints.len())
        .map(|place| orders.availability(EndpointIx::new(place)).and_then(availability_of))
        .collect();
    let verdicts = now.verdicts.iter().enumerate().map(|(slot, verdict)| {
        let verdict = verdict.as_ref()?;
        let subject = SubjectIx::new(slot / 2);
        let order = by_endpoint[fleet.subject(subject).endpoint.index()].clone();
        let frozen = orders.freeze(subject).map(|order| order.id.clone());
        let health = match &order {
            Some((Availability::Up, _)) => Health::Up,
            Some((Availability::Down, _)) => Health::Down,
            Some((Availability::Drain, _)) | None => unordered(verdict, frozen.is_some()),
        };
        Some(Verdict { health, order, frozen, ..verdict.clone() })
    });
    let verdicts = verdicts.collect();
    Snapshot { verdicts, overrides, ..now.clone() }
}

/// What is in force but for orders: what a freeze or a brake holds, as far as an order does not hide it, else what is
/// measured.
fn unordered(verdict: &Verdict, stays_frozen: bool) -> Health {
    match (&verdict.order, verdict.hold) {
        (Some((Availability::Drain, _)) | None, _) if stays_frozen => verdict.health,
        (_, Some(Hold::Flap { .. } | Hold::Resume)) => Health::Down,
        (Some((Availability::Drain, _)) | None, Some(Hold::Budget | Hold::Freeze | Hold::Alone)) => verdict.health,
        (Some((Availability::Up | Availability::Down, _)), _) | (_, None) => verdict.measured,
    }
}

/// The availability an override orders, if it is of that lane.
#[must_use]
pub fn availability_of(order: &Override) -> Option<(Availability, OverrideId)> {
    let what = match &order.action {
        Action::Up => Availability::Up,
        Action::Drain => Availability::Drain,
        Action::Down => Availability::Down,
        Action::Weight(_) | Action::Pin(_) | Action::Freeze => return None,
    };
    Some((what, order.id.clone()))
}

/// Which endpoints selectors take in, by place; members stand for their pool or service.
#[must_use]
pub fn endpoints(fleet: &Fleet, selectors: &[Selector]) -> Vec<bool> {
    let mut all = vec![false; fleet.endpoints.len()];
    for selector in selectors {
        let mut members = |pool: &crate::model::Pool| {
            pool.members.iter().for_each(|member| all[member.endpoint.index()] = true);
        };
        match selector {
            Selector::Pool(glob) => {
                fleet.pools.iter().filter(|pool| glob.fits(pool.id.as_str())).for_each(&mut members);
            }
            Selector::Service(glob) => {
                let services = fleet.services.iter().filter(|service| glob.fits(service.id.as_str()));
                services.flat_map(|service| fleet.arms(service)).for_each(|arm| members(fleet.pool(arm.pool)));
            }
            Selector::Endpoint(_)
            | Selector::Label(..)
            | Selector::Region(_)
            | Selector::Provider(_)
            | Selector::All => {
                let covered = |place: &usize| fleet.covers(selector, EndpointIx::new(*place));
                (0..all.len()).filter(covered).collect::<Vec<_>>().into_iter().for_each(|place| all[place] = true);
            }
        }
    }
    all
}

/// Every slot of a fleet's verdicts, and whether something is judged there.
fn slots(fleet: &Fleet) -> impl Iterator<Item = (usize, bool)> + '_ {
    (0..fleet.subjects.len()).map(SubjectIx::new).flat_map(|subject| {
        let endpoint = fleet.endpoint(fleet.subject(subject).endpoint);
        Family::ALL.map(move |family| (Snapshot::slot(subject, family), endpoint.is_judged(family)))
    })
}

fn names(fleet: &Fleet, slot: usize) -> (&EndpointId, Option<&CheckId>, Family) {
    let subject = fleet.subject(SubjectIx::new(slot / 2));
    let check = subject.check.map(|check| &fleet.check(check).id);
    (&fleet.endpoint(subject.endpoint).id, check, Family::ALL[slot % 2])
}

fn works() -> Verdict {
    Verdict {
        measured: Health::Up,
        health: Health::Up,
        order: None,
        cause: Cause::Voted,
        frozen: None,
        tally: Tally { up: 1, down: 0, abstained: 0 },
        since: Wall::default(),
        since_mono: None,
        hold: None,
        returned: None,
        flips_at: None,
    }
}
