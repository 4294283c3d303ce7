//! What must hold of the brakes of the fleet: the removal budget, outages, the automatic freeze. Counted in another way
//! from what the snapshots and events said before.

mod removals;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use wayshift::{
    control::Step,
    model::{
        EndpointId, Happening, Health, Hold, Mono, NodeId, Now, OUTAGE_AT, RegionId, SelfTest, Snapshot, Target,
        Verdict, ms,
    },
};

use super::{
    node::{BEGINS, Node, Run},
    rules::verdicts,
    setup::Setup,
};

const CALM: u64 = 60_000;

/// What a judge of one life of a node remembers.
#[derive(Debug, Clone, Default)]
pub(super) struct Braking {
    fell: HashMap<Target, Fell>,
    /// Since when two thirds agree on all of an endpoint that would leave.
    agreed: HashMap<EndpointId, Mono>,
    /// All that left, and whether the budget paid for it.
    left: Vec<(Mono, EndpointId, bool)>,
    /// By kind and id, as told; absent while nothing was told in this life.
    outages: BTreeMap<(String, String), bool>,
    /// As told; `None` while a memory may have it.
    frozen: Option<bool>,
    from: Option<Mono>,
    calm: Option<Mono>,
    seen: BTreeMap<EndpointId, Seen>,
    groups: Groups,
}

/// What had left when a process ended: how long ago, who, and whether the budget paid for it.
pub(super) type Left = Vec<(Duration, EndpointId, bool)>;

impl Braking {
    /// As a process that starts so long after it was kept should know it.
    pub(super) fn started(left: &Left, elapsed: Duration) -> Self {
        let at = |ago: Duration| Mono(BEGINS - ms(ago.saturating_add(elapsed)).min(BEGINS));
        let left = left.iter().map(|(ago, endpoint, paid)| (at(*ago), endpoint.clone(), *paid)).collect();
        Self { left, ..Self::default() }
    }

    pub(super) fn kept(&self, now: Mono) -> Left {
        self.left.iter().map(|(at, endpoint, paid)| (now.since(*at), endpoint.clone(), *paid)).collect()
    }
}

/// Endpoints that share a fate.
#[derive(Debug, Clone, Default)]
struct Groups {
    of: HashMap<EndpointId, [(String, String); 2]>,
    /// Down, probed, and working elsewhere.
    counts: HashMap<(String, String), (usize, usize, usize)>,
}

#[derive(Debug, Clone, Copy)]
struct Fell {
    at: Mono,
    worked: bool,
    was_in: bool,
}

/// An endpoint as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    down: bool,
    works: bool,
    fell: Option<Mono>,
}

/// All rules of this file, after a step.
pub(super) fn after(node: &Node, run: &mut Run, snapshot: &Snapshot, now: Now, setup: &Setup, step: &Step) {
    let voting = voting_regions(node, run, now);
    let failed = run.controller.self_test() == SelfTest::Failed;
    let model = &mut run.told.braking;
    removals::take_over(model, snapshot, now, &run.told.modes.left);
    let before = run.told.before.as_deref();
    if before.is_none() {
        model.frozen = (!node.disk.braked.frozen).then_some(false);
    }
    let was: HashMap<Target, &Verdict> = before.map(|before| verdicts(before).collect()).unwrap_or_default();
    let here: BTreeMap<Target, &Verdict> = verdicts(snapshot).collect();
    if before.is_some() && step.snapshot.is_none() {
        // Nothing but the time and our own self-test may have changed.
        model.agreed = agree(std::mem::take(&mut model.agreed), &was, &here, failed, now.mono);
        return freezes(model, &here, now, setup, step, false, voting);
    }
    fall(model, before.is_some(), &was, &here, now.mono);
    let seen = endpoints(model, &here);
    let turned = seen != model.seen;
    model.seen = seen;
    let agreed = std::mem::take(&mut model.agreed);
    model.agreed = agree(agreed, &was, &here, failed, now.mono);
    model.groups = Groups::of(model, snapshot);
    if before.is_none() {
        // What goes on at a start is not told again, and nothing else does.
        let small = model.groups.counts.keys().filter(|group| !model.groups.reached(group));
        model.outages = small.map(|group| (group.clone(), false)).collect();
    }
    outages(model, step);
    freezes(model, &here, now, setup, step, turned && before.is_some(), voting);
    holds_are_lawful(model, snapshot, &here, setup);
    let in_force = match before {
        Some(_) => was.into_iter().filter(|(_, before)| in_force(before)).map(|(target, _)| target).collect(),
        None => removals::remembered(node, snapshot),
    };
    removals::are_lawful(model, snapshot, &in_force, &here, now, setup, &run.told.modes.gone);
}

fn is_free(verdict: &Verdict) -> bool {
    verdict.order.is_none() && verdict.frozen.is_none()
}

/// Neither out nor put in or out by order.
fn in_force(verdict: &Verdict) -> bool {
    verdict.order.is_none() && verdict.health != Health::Down
}

fn is_down(verdict: &Verdict) -> bool {
    verdict.measured == Health::Down
}

fn fall(
    model: &mut Braking,
    known: bool,
    was: &HashMap<Target, &Verdict>,
    here: &BTreeMap<Target, &Verdict>,
    now: Mono,
) {
    model.fell.retain(|target, _| here.get(target).is_some_and(|verdict| is_down(verdict)));
    for (target, _) in here.iter().filter(|(_, verdict)| known && is_down(verdict)) {
        let before = was.get(target);
        if before.is_none_or(|before| !is_down(before)) {
            let worked = before.is_some_and(|before| before.measured.works());
            let was_in = before.is_some_and(|before| is_free(before) && before.health.works());
            model.fell.insert(target.clone(), Fell { at: now, worked, was_in });
        }
    }
}

fn endpoints(model: &Braking, here: &BTreeMap<Target, &Verdict>) -> BTreeMap<EndpointId, Seen> {
    let mut all: BTreeMap<EndpointId, Seen> = BTreeMap::new();
    for (target, verdict) in here {
        let seen = all.entry(target.subject.endpoint.clone()).or_insert(Seen { down: true, works: false, fell: None });
        seen.down &= is_down(verdict);
        seen.works |= verdict.measured.works();
        seen.fell = seen.fell.max(model.fell.get(target).filter(|fell| fell.worked).map(|fell| fell.at));
    }
    for seen in all.values_mut().filter(|seen| !seen.down) {
        seen.fell = None;
    }
    all
}

fn agree(
    before: HashMap<EndpointId, Mono>,
    was: &HashMap<Target, &Verdict>,
    here: &BTreeMap<Target, &Verdict>,
    failed: bool,
    now: Mono,
) -> HashMap<EndpointId, Mono> {
    let mut agreed: HashMap<EndpointId, Mono> = HashMap::new();
    let mut disagreed = HashSet::new();
    for (target, verdict) in here.iter().filter(|(_, verdict)| is_down(verdict) && is_free(verdict)) {
        let was_in = was.get(target).is_some_and(|before| before.health != Health::Down);
        if verdict.health == Health::Down && !was_in {
            continue;
        }
        let (endpoint, tally) = (&target.subject.endpoint, verdict.tally);
        let cast = f64::from(tally.up + tally.down);
        if cast > 0.0 && f64::from(tally.down) / cast > 0.666 && (cast > 1.0 || !failed) {
            agreed.insert(endpoint.clone(), before.get(endpoint).copied().unwrap_or(now));
        } else {
            disagreed.insert(endpoint.clone());
        }
    }
    agreed.retain(|endpoint, _| !disagreed.contains(endpoint));
    agreed
}

impl Groups {
    fn of(model: &Braking, snapshot: &Snapshot) -> Self {
        let mut groups = Self::default();
        for endpoint in &snapshot.fleet.endpoints {
            let of =
                [("provider".into(), endpoint.provider.to_string()), ("region".into(), endpoint.region.to_string())];
            for group in model.seen.get(&endpoint.id).map(|_| of.clone()).into_iter().flatten() {
                groups.counts.entry(group).or_default();
            }
            groups.of.insert(endpoint.id.clone(), of);
        }
        for (group, (down, of, elsewhere)) in &mut groups.counts {
            for (endpoint, seen) in &model.seen {
                if groups.of[endpoint].contains(group) {
                    *of += 1;
                    *down += usize::from(seen.down);
                } else {
                    *elsewhere += usize::from(seen.works);
                }
            }
        }
        groups
    }

    fn reached(&self, group: &(String, String)) -> bool {
        let (down, of, elsewhere) = self.count(group);
        of >= 3 && down > 0 && down * 100 >= usize::from(OUTAGE_AT) * of && elsewhere > 0
    }

    fn count(&self, group: &(String, String)) -> (usize, usize, usize) {
        self.counts.get(group).copied().unwrap_or_default()
    }
}

fn outages(model: &mut Braking, step: &Step) {
    let share = usize::from(OUTAGE_AT);
    for event in &step.events {
        let Happening::Outage { group, id, active, .. } = &event.what else { continue };
        let held = model.outages.insert((group.clone(), id.clone()), *active);
        assert!(held != Some(*active), "outages: {group} {id} twice {active}");
        let (down, of, _) = model.groups.count(&(group.clone(), id.clone()));
        let reached = model.groups.reached(&(group.clone(), id.clone()));
        let over = of < 3 || down * 200 < share * of;
        assert!(if *active { reached } else { over }, "outages: {group} {id} {active}: {down} of {of}");
    }
    for endpoint in model.seen.iter().filter(|(_, seen)| seen.down).map(|(id, _)| id) {
        let groups = &model.groups.of[endpoint];
        let reached = |group: &(String, String)| model.groups.reached(group);
        let known = |group: &(String, String)| model.outages.get(group) != Some(&false);
        // What was told in an earlier life is not told again; so only what is known to have ended is missed.
        let missed = groups.iter().any(reached) && !groups.iter().any(known);
        assert!(!missed, "outages: {endpoint} belongs to one that was not told");
    }
}

fn freezes(
    model: &mut Braking,
    here: &BTreeMap<Target, &Verdict>,
    now: Now,
    setup: &Setup,
    step: &Step,
    turned: bool,
    voting: usize,
) {
    let window = 2 * ms(setup.check.interval);
    let works = model.seen.values().filter(|seen| seen.works).count();
    let lately: Vec<_> = (model.seen.iter())
        .filter(|(_, seen)| seen.fell.is_some_and(|at| now.mono.0 <= at.0 + window))
        .map(|(id, _)| provider(id, setup))
        .collect();
    let providers: HashSet<_> = lately.iter().collect();
    let all: HashSet<_> = model.seen.keys().map(|id| provider(id, setup)).collect();
    let nearly_all = voting >= 3
        && lately.len() >= 3
        && lately.len() * 10 >= (lately.len() + works) * 9
        && providers.len() >= all.len().min(2);
    let told = step.events.iter().filter_map(|event| {
        let Happening::Held { brake, active, .. } = &event.what else { return None };
        (brake == Hold::Freeze.word()).then_some(*active)
    });
    let mut told: Vec<bool> = told.collect();
    let taken_over = step.events.iter().any(|event| {
        matches!(&event.what, Happening::Held { active: true, detail, .. } if detail.starts_with("most of the other"))
    });
    if taken_over {
        // What the others hold is not counted here; it may be over at once.
        assert!(told.remove(0) && model.frozen != Some(true), "freeze: taken over twice");
        (model.frozen, model.from, model.calm) = (Some(true), None, None);
    }
    assert!(told.len() <= 1, "freeze: told {told:?} in one step");
    match told.first() {
        Some(true) => {
            assert!(model.frozen != Some(true) && nearly_all, "freeze: began with {} and {works}", lately.len());
            (model.frozen, model.from, model.calm) = (Some(true), Some(Mono(now.mono.0 - window)), None);
            for (target, fell) in &model.fell {
                let verdict = here[target];
                let taken_back = !is_free(verdict) || !fell.was_in || now.mono.0 - window > fell.at.0;
                assert!(taken_back || verdict.hold == Some(Hold::Freeze), "freeze: {target} stays out {verdict:?}");
            }
        }
        Some(false) => {
            let due = model.calm.is_some_and(|since| since.0 + CALM <= now.mono.0);
            let nothing = works == 0;
            assert!(model.frozen != Some(false), "freeze: ended and had not begun");
            assert!(due || nothing || model.from.is_none(), "freeze: ended too early");
            (model.frozen, model.from, model.calm) = (Some(false), None, None);
        }
        None => {
            assert!(model.frozen != Some(false) || !turned || !nearly_all, "freeze: has not begun");
            let late = model.calm.is_some_and(|since| since.0 + CALM <= now.mono.0);
            let down = |from: Mono| model.seen.values().filter(|seen| seen.fell.is_some_and(|at| from <= at)).count();
            if let Some(from) = model.from {
                let calm = down(from) * 2 < down(from) + works;
                assert!(!late || !calm, "freeze: has not ended");
                model.calm = calm.then(|| model.calm.unwrap_or(now.mono));
            }
        }
    }
}

fn provider(id: &EndpointId, setup: &Setup) -> usize {
    id.as_str()[1..].parse::<usize>().unwrap() % setup.providers
}

/// What is held up is measured down, in nobody's hands, and held by the brake that is on.
fn holds_are_lawful(model: &Braking, snapshot: &Snapshot, here: &BTreeMap<Target, &Verdict>, setup: &Setup) {
    let small = snapshot.fleet.endpoints.len() <= setup.budget.at_least as usize;
    for (target, verdict) in here {
        let hold = match verdict.hold {
            Some(hold @ (Hold::Budget | Hold::Freeze)) => hold,
            Some(Hold::Flap { .. } | Hold::Resume | Hold::Alone) | None => continue,
        };
        assert!(is_down(verdict) && verdict.health != Health::Down && is_free(verdict), "held: {target} {verdict:?}");
        if hold == Hold::Freeze {
            assert!(model.frozen != Some(false), "held: {target} by a freeze that is over");
            continue;
        }
        assert!(model.frozen != Some(true) && !small, "held: {target} by the budget");
        let explained =
            |group: &(String, String)| model.outages.get(group) == Some(&true) && model.groups.count(group).2 > 0;
        let endpoint = &target.subject.endpoint;
        let outage = model.seen[endpoint].down && model.groups.of[endpoint].iter().any(explained);
        assert!(!outage, "held: {target} belongs to an outage");
    }
}

/// Regions whose votes count; who they are is looked at in `modes`.
fn voting_regions(node: &Node, run: &Run, now: Now) -> usize {
    let region = |region: &Option<RegionId>, node: &NodeId| match region {
        Some(region) => region.to_string(),
        None => format!("node {node}"),
    };
    let peers = run.controller.nodes(now).into_iter().filter(|seen| seen.votes);
    let own = run.controller.votes().then(|| region(&node.me.region, &node.me.node));
    peers.map(|seen| region(&seen.region, &seen.node)).chain(own).collect::<HashSet<_>>().len()
}
