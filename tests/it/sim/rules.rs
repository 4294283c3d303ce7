//! What must hold after every step of every node, each rule a function; the table with their sources is in `sim.rs`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use wayshift::{
    control::Step,
    judge::Orders,
    model::{
        Alone, Ballot, Cause, Family, Happening, Health, Mono, NodeId, Now, OverrideId, Quorum, SelfTest, Snapshot,
        SubjectIx, Tally, Target, Verdict, Vote, Wall,
    },
};

use super::{
    brakes, modes,
    node::{BASE, Node, Run},
    recovery,
    setup::Setup,
};

/// All rules of one step. `t` is the true time.
pub(super) fn after(node: &mut Node, t: u64, now: Now, setup: &Setup, step: &Step, first: bool) {
    let mut run = node.run.take().expect("a node that steps runs");
    waking_lies_ahead(now, step);
    generations_rise(&mut node.generation, step);
    ballots_rise_and_are_renewed(&mut run, now, step);
    snapshots_say_something_new(&run, step);
    let snapshot = Arc::clone(run.controller.snapshot());
    if first {
        memories_are_believed(node, &snapshot, now, setup);
        run.told.by_events = health(&snapshot);
        for order in node.disk.overrides.iter().filter(|order| order.from <= node.disk.at) {
            run.told.orders_by_events.insert(order.id.clone());
        }
    }
    events_retell_the_state(&mut run, &snapshot, step);
    overrides_hold_while_they_should(node, &run, &snapshot, t, now);
    orders_and_freezes_are_applied(&run, &snapshot);
    recovery::after(&mut run, &snapshot, now, setup, step);
    modes::after(node, &mut run, &snapshot, now, setup, step);
    brakes::after(node, &mut run, &snapshot, now, setup, step);
    if step.snapshot.is_some() || step.ballot.is_some() || t.is_multiple_of(1_000) {
        votes_are_counted(&run, &snapshot, now, setup, first);
    }
    for order in run.told.shared.1.iter() {
        let was =
            run.told.before.as_ref().is_some_and(|before| before.overrides.iter().any(|held| held.id == order.id));
        // One that ended early, because the clock alone said so, may come back when the clock is right.
        let over = order.expires.0 <= BASE + t;
        if was && over && !snapshot.overrides.iter().any(|held| held.id == order.id) {
            node.dropped.insert((order.id.clone(), order.expires));
        }
    }
    run.told.before = Some(snapshot);
    node.run = Some(run);
}

fn waking_lies_ahead(now: Now, step: &Step) {
    assert!(step.wake_at.is_none_or(|at| now.mono < at), "wake: {:?} at {:?}", step.wake_at, now);
}

fn generations_rise(generation: &mut u64, step: &Step) {
    if let Some(snapshot) = &step.snapshot {
        assert!(*generation < snapshot.generation, "generations: {generation} then {}", snapshot.generation);
        *generation = snapshot.generation;
    }
}

fn ballots_rise_and_are_renewed(run: &mut Run, now: Now, step: &Step) {
    if let Some(ballot) = &step.ballot {
        let before = run.told.published.map(|(sequence, _)| sequence);
        assert!(before < Some(ballot.sequence), "ballots: {before:?} then {}", ballot.sequence);
        run.told.published = Some((ballot.sequence, now.mono));
        run.told.own = Some(ballot.clone());
    }
    let silent = run.told.published.map_or(0, |(_, at)| now.mono.0 - at.0);
    assert!(silent <= 2_500, "ballots: silent for {silent} ms");
}

fn same(a: &Snapshot, b: &Snapshot) -> bool {
    a.fleet.digest == b.fleet.digest
        && a.verdicts == b.verdicts
        && a.overrides == b.overrides
        && a.planned == b.planned
        && a.feeds == b.feeds
        && a.here == b.here
        && recovery::shades(a) == recovery::shades(b)
}

fn snapshots_say_something_new(run: &Run, step: &Step) {
    if let (Some(before), Some(after)) = (&run.told.before, &step.snapshot) {
        assert!(!same(before, after), "snapshots: {} says what {} said", after.generation, before.generation);
        assert!(
            before.digest != after.digest || health(before) == health(after),
            "digests: health changed, digest not"
        );
    }
}

fn memories_are_believed(node: &Node, snapshot: &Snapshot, now: Now, setup: &Setup) {
    let young = now.wall.0.abs_diff(node.disk.at.0) <= 600_000;
    let believed = young && setup.policy.startup == wayshift::model::Startup::LastKnown;
    for (target, verdict) in verdicts(snapshot) {
        let held = node.disk.verdicts.get(&target).filter(|_| believed).map(|held| held.measured);
        assert_eq!(verdict.measured, held.unwrap_or(Health::Unknown), "memory: {target}");
    }
}

fn events_retell_the_state(run: &mut Run, snapshot: &Snapshot, step: &Step) {
    let now = health(snapshot);
    for event in &step.events {
        match &event.what {
            Happening::Verdict { subject: Some(subject), family, from, to, .. } => {
                let target = Target { subject: subject.clone(), family: *family };
                let held = run.told.by_events.insert((target.clone(), *family), *to);
                assert!(held.is_none_or(|held| held == *from), "events: {target} from {from}, was {held:?}");
            }
            Happening::OverrideBegan { id, .. } => {
                assert!(run.told.orders_by_events.insert(id.clone()), "events: {id} began twice");
            }
            Happening::OverrideEnded { id, .. } => {
                assert!(run.told.orders_by_events.remove(id), "events: {id} ended and had not begun");
            }
            Happening::Reloaded { .. } => {
                run.told.by_events.retain(|key, _| now.contains_key(key));
            }
            Happening::Verdict { .. }
            | Happening::Answers { .. }
            | Happening::Ordered { .. }
            | Happening::OverrideExpiring { .. }
            | Happening::Outage { .. }
            | Happening::Correlated { .. }
            | Happening::Held { .. }
            | Happening::Overload { .. }
            | Happening::ReloadRefused { .. }
            | Happening::Node { .. } => {}
        }
    }
    for (key, health) in &now {
        run.told.by_events.entry(key.clone()).or_insert(*health);
    }
    assert_eq!(run.told.by_events, now, "events: told and in force");
    let active: HashSet<OverrideId> = snapshot.overrides.iter().map(|order| order.id.clone()).collect();
    assert_eq!(run.told.orders_by_events, active, "events: overrides told and in force");
}

fn overrides_hold_while_they_should(node: &Node, run: &Run, snapshot: &Snapshot, t: u64, now: Now) {
    let active: HashSet<&OverrideId> = snapshot.overrides.iter().map(|order| &order.id).collect();
    let truth = Wall(BASE + t);
    for order in snapshot.overrides.iter() {
        let listed = run.told.shared.1.iter().any(|listed| listed == order);
        assert!(listed, "overrides: {} holds and is not in the newest list", order.id);
        let dropped = node.dropped.contains(&(order.id.clone(), order.expires));
        assert!(!dropped, "overrides: {} has run out and was revived", order.id);
        let life = order.expires.0 - order.created.0;
        let received = run.told.received.get(&(order.id.clone(), order.expires)).map_or(0, |(at, _)| BASE + at);
        let bound = Wall(order.expires.0.max(received) + life + 2_000);
        assert!(truth < bound || node.offset != 0, "overrides: {} outlived its bound", order.id);
    }
    let received_well = |key: &(OverrideId, Wall)| run.told.received.get(key).is_some_and(|(_, well)| *well);
    for order in run.told.shared.1.iter() {
        let key = (order.id.clone(), order.expires);
        let slack = (order.expires.0 - order.created.0) / 100 + 1_500;
        let begun = order.from.0 + slack <= truth.0.min(now.wall.0) && truth.0 + slack < order.expires.0;
        if begun && received_well(&key) && !node.dropped.contains(&key) {
            assert!(
                active.contains(&order.id),
                "overrides: {} is not in force and should be: {order:?} {now:?} truth {truth} active {active:?} planned {:?}",
                order.id,
                snapshot.planned.iter().map(|o| o.id.clone()).collect::<Vec<_>>()
            );
        }
        if run.told.clock_true && received_well(&key) && order.expires <= now.wall {
            assert!(!active.contains(&order.id), "overrides: {} is over", order.id);
        }
    }
}

fn orders_and_freezes_are_applied(run: &Run, snapshot: &Snapshot) {
    let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
    let before: HashMap<Target, &Verdict> =
        run.told.before.as_ref().map(|before| verdicts(before).collect()).unwrap_or_default();
    for (target, verdict) in verdicts(snapshot) {
        let subject = snapshot.fleet.find_subject(&target.subject).unwrap();
        let order = orders.availability(snapshot.fleet.subject(subject).endpoint).map(|order| &order.id);
        assert_eq!(verdict.order.as_ref().map(|(_, id)| id), order, "orders: {target}");
        assert_eq!(verdict.frozen.as_ref(), orders.freeze(subject).map(|order| &order.id), "freezes: {target}");
        let word = verdict.order.as_ref().map(|(word, _)| word.word());
        match word {
            Some("up") => assert_eq!(verdict.health, Health::Up, "orders: {target}"),
            Some("down") => assert_eq!(verdict.health, Health::Down, "orders: {target}"),
            _ if verdict.frozen.is_none() => assert!(recovery::is_as_held(verdict), "orders: {target} {verdict:?}"),
            _ => {
                let same = before.get(&target).filter(|before| {
                    before.frozen.is_some() && !matches!(before.order, Some((word, _)) if word.word() != "drain")
                });
                assert!(same.is_none_or(|before| before.health == verdict.health), "freezes: {target} moved");
            }
        }
    }
}

/// Sections 3's rules, counted in another way from what reached the node.
fn votes_are_counted(run: &Run, snapshot: &Snapshot, now: Now, setup: &Setup, first: bool) {
    let Some(own) = &run.told.own else { return };
    let fresh: Vec<&Ballot> = run
        .told
        .heard
        .values()
        .filter(|(_, arrived)| now.mono < Mono(arrived.0 + 10_000) && !run.told.modes.is_alone())
        .map(|(ballot, _)| ballot)
        .chain([own])
        .collect();
    // Who they are is looked at in `modes`.
    let voters: HashSet<NodeId> =
        run.controller.nodes(now).into_iter().filter(|seen| seen.votes).map(|seen| seen.node).collect();
    let counts = |ballot: &Ballot| match ballot.node == own.node {
        true => run.controller.votes(),
        false => voters.contains(&ballot.node),
    };
    let place = |region: Option<String>, node: &str| region.unwrap_or_else(|| format!("node {node}"));
    let mut providers: BTreeMap<String, HashSet<Option<String>>> = BTreeMap::new();
    for (node, known) in &run.told.known {
        let region = place(known.region.as_ref().map(ToString::to_string), node.as_str());
        providers.entry(region).or_default().insert(known.provider.as_ref().map(ToString::to_string));
    }
    let own_place = place(own.region.as_ref().map(ToString::to_string), own.node.as_str());
    providers.entry(own_place).or_default().insert(own.provider.as_ref().map(ToString::to_string));
    // Who judges alone without proof asks for none.
    let judges = run.told.modes.is_alone() && setup.policy.alone == Alone::Judge;
    let known = if judges { 1 } else { providers.len() };
    let before: HashMap<Target, &Verdict> =
        run.told.before.as_ref().map(|before| verdicts(before).collect()).unwrap_or_default();
    for (target, verdict) in verdicts(snapshot) {
        let mut regions: BTreeMap<String, (u32, u32, u32, bool)> = BTreeMap::new();
        for ballot in &fresh {
            let region = place(ballot.region.as_ref().map(ToString::to_string), ballot.node.as_str());
            let count = regions.entry(region).or_default();
            let vote = ballot.votes.get(&target).filter(|_| counts(ballot));
            match vote {
                Some(Vote::Up { degraded, .. }) => (count.0, count.2) = (count.0 + 1, count.2 + u32::from(*degraded)),
                Some(Vote::Down) => {
                    (count.1, count.3) = (count.1 + 1, count.3 | (ballot.self_test == SelfTest::Passed))
                }
                Some(Vote::Abstain(_)) | None => {}
            }
        }
        let mut tally = Tally::default();
        let (mut weights, mut proven): (BTreeMap<String, [f64; 2]>, bool) = (BTreeMap::new(), false);
        for (region, (up, down, _, passed)) in &regions {
            let side = match up.cmp(down) {
                std::cmp::Ordering::Equal => {
                    tally.abstained += 1;
                    continue;
                }
                std::cmp::Ordering::Greater => 0,
                std::cmp::Ordering::Less => 1,
            };
            proven |= side == 1 && *passed;
            (tally.up, tally.down) = (tally.up + (1 - side), tally.down + side);
            let mut of: Vec<_> = providers[region].iter().collect();
            let provider = if of.len() == 1 { of.pop().unwrap().clone() } else { None };
            let provider = provider.unwrap_or_else(|| format!("region {region}"));
            weights.entry(provider).or_default()[usize::from(side)] += 1.0;
        }
        assert_eq!(verdict.tally, tally, "votes: {target}");
        let total: f64 = weights.values().flatten().sum();
        let heavy = weights.values().map(|[up, down]| up + down).fold(0.0, f64::max);
        let scale = if weights.len() >= 3 && heavy * 2.0 > total { (total - heavy) / heavy } else { 1.0 };
        let side = |side: usize| -> f64 {
            weights
                .values()
                .map(|of| of[side] * if of[0] + of[1] == heavy && heavy * 2.0 > total { scale } else { 1.0 })
                .sum()
        };
        let (up, down) = (side(0), side(1));
        let quorum = match setup.policy.quorum {
            Quorum::Any => tally.down > 0,
            Quorum::Majority => down > up + 1e-9,
            Quorum::All => tally.up == 0 && tally.down > 0,
            Quorum::Count(count) => usize::from(tally.down) >= usize::from(count).min(known),
        };
        let least = setup.policy.min_vantages.min(tally.cast());
        let alone = tally.down == 1 && known > 1 && !proven;
        let was = before.get(&target).map_or(Health::Unknown, |verdict| verdict.measured);
        let was = if first { verdict.measured } else { was };
        let voted = matches!(verdict.cause, Cause::Voted | Cause::CheckChanged);
        if tally.cast() == 0 {
            assert_eq!((verdict.measured, voted), (was, false), "votes: {target}: nobody voting changes nothing");
        } else if quorum && tally.down >= least && !alone {
            assert_eq!((verdict.measured, voted), (Health::Down, true), "votes: {target}: {tally:?}");
        } else if up + 1e-9 >= down && tally.up > 0 {
            assert!(verdict.measured.works() && voted, "votes: {target}: {tally:?} {verdict:?}");
        } else {
            assert_eq!((verdict.measured, &verdict.cause), (was, &Cause::Disputed), "votes: {target}: {tally:?}");
        }
    }
}

pub(super) fn verdicts(snapshot: &Snapshot) -> impl Iterator<Item = (Target, &Verdict)> {
    let of = |ix: SubjectIx, target: Target| Some((target.clone(), snapshot.verdict(ix, target.family)?));
    snapshot.fleet.targets().filter_map(move |(ix, target)| of(ix, target))
}

fn health(snapshot: &Snapshot) -> BTreeMap<(Target, Family), Health> {
    verdicts(snapshot).map(|(target, verdict)| ((target.clone(), target.family), verdict.health)).collect()
}
