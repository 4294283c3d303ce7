//! What must hold of whatever comes back: holds, returns and their shares, flips foreseen, loads. Counted in another way
//! from what the snapshots said before.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use wayshift::{
    control::Step,
    judge::returning,
    model::{
        Action, Arm, Availability, Ended, EndpointId, EndpointIx, FlapHold, Health, Hold, Load, Mono, Now, OverrideId,
        Resume, Snapshot, SubjectIx, Target, Verdict, ms,
    },
};

use super::{
    expected,
    node::{BEGINS, Run},
    rules::verdicts,
    setup::{LOAD_STALE_AFTER, Setup},
};

/// A wake comes at a tick, and a step lies on a whole second.
const LATE: u64 = 1_400;

/// What a judge of one node remembers of what its snapshots said.
#[derive(Debug, Clone, Default)]
pub(super) struct Recovery {
    /// When it was last looked at, on the node's clock.
    at: Mono,
    flapping: HashMap<Target, Flapping>,
    awaits: HashSet<Target>,
    returned: HashMap<Target, Mono>,
    ended: Vec<(OverrideId, Mono)>,
    loads: HashMap<EndpointId, (f64, Mono)>,
    /// When a snapshot last differed in nothing but shades.
    shaded: Option<Mono>,
}

#[derive(Debug, Clone, Default)]
struct Flapping {
    turns: Vec<Mono>,
    last: Option<Mono>,
    times: u32,
    until: Option<Mono>,
}

impl Flapping {
    fn turned(&mut self, policy: &FlapHold, now: Mono) {
        let quiet_since = self.last.max(self.until);
        if quiet_since.is_some_and(|since| since.0 + ms(policy.within) <= now.0) {
            *self = Self::default();
        }
        self.turns.retain(|at| now.0 - at.0 < ms(policy.within));
        self.turns.push(now);
        self.last = Some(now);
        if self.turns.len() == usize::from(policy.changes) {
            self.turns.clear();
            let hold = (ms(policy.hold) << self.times.min(20)).min(ms(policy.max));
            (self.until, self.times) = (Some(Mono(now.0 + hold)), self.times + 1);
        }
    }
}

impl Recovery {
    /// As a process that starts so long after it was kept, by its time of day, should know it on its own clock.
    pub(super) fn started(&self, elapsed: Duration) -> Self {
        let mut again = Self { loads: HashMap::new(), shaded: None, ..self.clone() };
        let moved = |at: Mono| Mono((BEGINS + at.0).saturating_sub(self.at.0 + ms(elapsed)));
        for flapping in again.flapping.values_mut() {
            flapping.turns.iter_mut().for_each(|at| *at = moved(*at));
            flapping.last = flapping.last.map(moved);
            flapping.until = flapping.until.map(moved).filter(|until| BEGINS < until.0);
        }
        again.returned.values_mut().for_each(|at| *at = moved(*at));
        again.ended.iter_mut().for_each(|(_, at)| *at = moved(*at));
        again
    }

    pub(super) fn load(&mut self, endpoint: &EndpointId, load: Load, at: Mono) {
        self.loads.insert(endpoint.clone(), (load.0, at));
    }
}

/// All rules of this file, after a step.
pub(super) fn after(run: &mut Run, snapshot: &Snapshot, now: Now, setup: &Setup, step: &Step) {
    let model = &mut run.told.recovery;
    let before = run.told.before.as_deref();
    let was: HashMap<Target, &Verdict> = before.map(|before| verdicts(before).collect()).unwrap_or_default();
    let here: HashMap<Target, &Verdict> = verdicts(snapshot).collect();
    model.at = now.mono;
    model.flapping.retain(|target, _| here.contains_key(target));
    model.awaits.retain(|target| here.contains_key(target));
    model.returned.retain(|target, _| here.contains_key(target));
    for (target, verdict) in &here {
        learn(model, snapshot, target, was.get(target).copied(), verdict, now, setup);
    }
    holds_are_earned(model, snapshot, now);
    shares_follow_their_steps(model, before, snapshot, now, setup);
    if setup.nodes.len() == 1 {
        flips_are_foreseen(&was, &here, now);
    }
    loads_change_noticeably(model, before, snapshot, now, step);
}

/// What a target's last change means.
fn learn(
    model: &mut Recovery,
    snapshot: &Snapshot,
    target: &Target,
    was: Option<&Verdict>,
    is: &Verdict,
    now: Now,
    setup: &Setup,
) {
    let down = |verdict: &Verdict| verdict.measured == Health::Down;
    let known = |verdict: &Verdict| verdict.measured != Health::Unknown;
    if let (Some(policy), Some(was)) = (&setup.policy.flap, was)
        && down(was) != down(is)
        && known(was)
        && known(is)
    {
        model.flapping.entry(target.clone()).or_default().turned(policy, now.mono);
    }
    let endpoint = snapshot.fleet.find_endpoint(target.subject.endpoint.as_str()).unwrap();
    if down(is) && snapshot.fleet.endpoint(endpoint).resume == Resume::Manual {
        model.awaits.insert(target.clone());
    }
    if matches!(is.order, Some((Availability::Up, _))) {
        model.awaits.remove(target);
        model.flapping.remove(target);
    }
    let away = |verdict: &Verdict| verdict.health == Health::Down || is_out(verdict);
    // What an automatic freeze puts back did not come back by itself.
    let put_back = is.hold == Some(Hold::Freeze);
    if away(is) {
        model.returned.remove(target);
    } else if !put_back && (was.is_some_and(away) || (was.is_none() && is.returned == Some(now.mono))) {
        model.returned.insert(target.clone(), now.mono);
    }
}

fn is_out(verdict: &Verdict) -> bool {
    matches!(verdict.order, Some((Availability::Drain | Availability::Down, _)))
}

/// Whether health is what was measured, or held away from it as its hold says.
pub(super) fn is_as_held(verdict: &Verdict) -> bool {
    let (measured, health) = (verdict.measured, verdict.health);
    match verdict.hold {
        None => health == measured,
        Some(Hold::Flap { .. }) => measured != Health::Down && health == Health::Down,
        Some(Hold::Resume) => measured != Health::Down && (health == Health::Down || health == measured),
        Some(Hold::Budget | Hold::Freeze | Hold::Alone) => measured == Health::Down && health != Health::Down,
    }
}

fn holds_are_earned(model: &Recovery, snapshot: &Snapshot, now: Now) {
    for (target, verdict) in verdicts(snapshot) {
        let flapping =
            model.flapping.get(&target).and_then(|flapping| flapping.until).filter(|until| now.mono < *until);
        let awaits = model.awaits.contains(&target);
        let held = match verdict.hold {
            Some(Hold::Flap { until }) => {
                assert!(
                    !awaits && flapping == Some(until),
                    "holds: {target} {verdict:?}, counted {flapping:?} {awaits}"
                );
                true
            }
            Some(Hold::Resume) => {
                assert!(awaits, "holds: {target} awaits nobody: {verdict:?}");
                verdict.health == Health::Down
            }
            Some(Hold::Budget | Hold::Freeze | Hold::Alone) | None => {
                let free = verdict.frozen.is_none() && verdict.measured != Health::Down;
                assert!(!(awaits && free), "holds: {target} does not say that it awaits a person");
                if flapping.is_none() || !free {
                    continue;
                }
                false
            }
        };
        // An order hides whether it is held.
        let ordered = verdict.order.as_ref().is_some_and(|(word, _)| *word != Availability::Drain);
        if !ordered {
            let may = may_be_held(snapshot, &target, !awaits);
            assert_eq!(held, may, "holds: {target} {verdict:?} at {now:?}");
        }
    }
}

/// Whether enough is left without it.
fn may_be_held(snapshot: &Snapshot, target: &Target, flapping: bool) -> bool {
    let fleet = &snapshot.fleet;
    let subject = fleet.find_subject(&target.subject).unwrap();
    let endpoint = fleet.subject(subject).endpoint;
    let verdict = |subject: SubjectIx, family| snapshot.verdict(subject, family);
    let works = |other: &SubjectIx| {
        let fine = |v: &Verdict| v.order.is_none() && v.health.works() && v.measured != Health::Down;
        fleet.subject(*other).endpoint != endpoint && verdict(*other, target.family).is_some_and(fine)
    };
    let mut uses = fleet.services.iter().filter(|s| s.arms.iter().any(|arm| arm.subjects.contains(&subject)));
    if uses.any(|service| !service.arms.iter().flat_map(|arm| &arm.subjects).any(works)) {
        return false;
    }
    let both = |subject: SubjectIx| wayshift::model::Family::ALL.into_iter().filter_map(move |f| verdict(subject, f));
    let serves = |other: &SubjectIx| {
        let fine = |v: &Verdict| !is_out(v) && v.health != Health::Down && v.measured != Health::Down;
        fleet.subject(*other).endpoint != endpoint && both(*other).any(fine)
    };
    let arms = fleet.services.iter().flat_map(|service| &service.arms).filter(|arm| arm.subjects.contains(&subject));
    let enough = |arm: &Arm| {
        let subjects = &arm.subjects;
        let left: Vec<(u64, bool)> = subjects.iter().map(|other| (1, serves(other))).collect();
        let held: HashSet<EndpointIx> = (subjects.iter())
            .map(|other| (fleet.subject(*other).endpoint, *other))
            .filter(|(ix, other)| *ix != endpoint && both(*other).any(|v| matches!(v.hold, Some(Hold::Flap { .. }))))
            .map(|(ix, _)| ix)
            .collect();
        expected::opens(fleet.pool(arm.pool).min_up, &left) && held.len() < (left.len() / 3).max(1)
    };
    !flapping || arms.into_iter().all(enough)
}

fn shares_follow_their_steps(
    model: &mut Recovery,
    before: Option<&Snapshot>,
    snapshot: &Snapshot,
    now: Now,
    setup: &Setup,
) {
    let Setup { failback, ramp, .. } = *setup;
    let whole = |at: Mono| at.0 + ms(failback) + ms(ramp);
    for (target, verdict) in verdicts(snapshot) {
        let expected = model.returned.get(&target).copied();
        match (verdict.returned, expected) {
            (None, None) => {}
            (None, Some(at)) => assert!(whole(at) <= now.mono.0, "returns: {target} came back at {at:?}: {verdict:?}"),
            (Some(at), _) => {
                assert_eq!(Some(at), expected, "returns: {target}");
                assert!(now.mono.0 < whole(at) + LATE + 1_000, "returns: {target} since {at:?}");
                grows(at, snapshot.at.mono, now.mono, failback, ramp, &target.to_string());
            }
        }
    }
    let takes_out = |action: &Action| matches!(action, Action::Drain | Action::Down);
    let active: HashSet<&OverrideId> = snapshot.overrides.iter().map(|order| &order.id).collect();
    let gone = before.iter().flat_map(|before| before.overrides.iter());
    let gone = gone.filter(|order| takes_out(&order.action) && !active.contains(&order.id));
    model.ended.extend(gone.map(|order| (order.id.clone(), now.mono)));
    for Ended { order, at } in snapshot.ended.iter() {
        let held = model.ended.contains(&(order.id.clone(), *at));
        assert!(held || before.is_none(), "returns: {} did not end at {at:?}", order.id);
        grows(*at, snapshot.at.mono, now.mono, failback, ramp, &order.id.to_string());
    }
    for (id, at) in model.ended.iter().filter(|(_, at)| now.mono.0 < whole(*at)) {
        let told = snapshot.ended.iter().any(|ended| ended.order.id == *id && ended.at == *at);
        assert!(told, "returns: {id} ended at {at:?} and is not told");
    }
    model.ended = snapshot.ended.iter().map(|ended| (ended.order.id.clone(), ended.at)).collect();
    for order in snapshot.overrides.iter().filter(|order| order.action == Action::Drain) {
        let Some(over) = order.over else { continue };
        let left = returning::over_share(order, snapshot.at.wall);
        let passed = now.wall.0.saturating_sub(order.from.0);
        let steps = |passed: u64| (passed * 9 / ms(over)).min(9);
        let (late, early) = (90 - 10 * steps(passed.saturating_sub(LATE)), 90 - 10 * steps(passed + 1_000));
        assert!((early..=late).contains(&left.into()), "drains: {} leaves {left} after {passed} of {over:?}", order.id);
    }
}

/// What came back at `at` has the share of `now` in the picture of `seen`.
fn grows(at: Mono, seen: Mono, now: Mono, failback: Duration, ramp: Duration, what: &str) {
    let since = now.0 - at.0;
    let young = returning::Opened::Since(at).is_young(seen, failback);
    assert!(young || ms(failback) <= since, "returns: {what} waits no longer after {since}");
    assert!(!young || since < ms(failback) + LATE + 1_000, "returns: {what} still waits after {since}");
    if !ramp.is_zero() {
        let share = u64::from(returning::share(Some(at), seen, ramp));
        let grown = |since: u64| 10 + 10 * (since * 9 / ms(ramp)).min(9);
        let right = grown(since.saturating_sub(LATE))..=grown(since + 1_000);
        assert!(right.contains(&share), "returns: {what} has {share} after {since} of {ramp:?}");
    }
}

/// What of a snapshot changes with its time alone.
pub(super) fn shades(snapshot: &Snapshot) -> Vec<(bool, u8, u8)> {
    let at = snapshot.at;
    let returned = verdicts(snapshot).filter_map(|(_, verdict)| verdict.returned);
    let ended = snapshot.ended.iter().map(|ended| ended.at);
    let mut shades = Vec::new();
    for since in returned.chain(ended) {
        for tuning in snapshot.fleet.services.iter().map(|service| &service.tuning) {
            let opened = returning::Opened::Since(since);
            let from = opened.ramps_from(tuning.failback);
            let share = |from| returning::share(from, at.mono, tuning.ramp);
            shades.push((opened.is_young(at.mono, tuning.failback), share(Some(since)), share(from)));
        }
    }
    shades.extend(snapshot.overrides.iter().map(|order| (false, 0, returning::over_share(order, at.wall))));
    shades
}

/// On a node alone, whose own results are all there is: nobody else's vote may come late.
fn flips_are_foreseen(was: &HashMap<Target, &Verdict>, here: &HashMap<Target, &Verdict>, now: Now) {
    for (target, verdict) in here {
        let may_flip = verdict.measured.works() && verdict.frozen.is_none();
        assert!(verdict.flips_at.is_none() || may_flip, "flips: {target} {verdict:?}");
        let Some(was) = was.get(target) else { continue };
        let flipped = was.measured.works() && verdict.measured == Health::Down;
        let early = was.flips_at.filter(|at| flipped && now.mono < *at);
        assert_eq!(early, None, "flips: {target} at {now:?}");
    }
}

fn loads_change_noticeably(
    model: &mut Recovery,
    before: Option<&Snapshot>,
    snapshot: &Snapshot,
    now: Now,
    step: &Step,
) {
    let loads = &snapshot.feeds.loads;
    let capacity = |id: &EndpointId| {
        let ix = snapshot.fleet.find_endpoint(id.as_str());
        ix.and_then(|ix| snapshot.fleet.endpoint(ix).capacity).map_or(f64::INFINITY, f64::from)
    };
    let news = |id: &EndpointId, from: f64, to: f64| {
        let change = (from - to).abs();
        change > from / 10.0 || change > capacity(id) / 20.0
    };
    for (id, (load, at)) in &model.loads {
        let age = now.mono.0 - at.0;
        let first: usize = id.as_str()[1..].parse().unwrap();
        let fed = !first.is_multiple_of(3) && first < 4;
        match loads.get(id) {
            Some(Load(told)) => {
                assert!(age < ms(LOAD_STALE_AFTER) + LATE, "loads: {id} is {age} old");
                assert!(age < LATE || !news(id, *told, *load), "loads: {id} is {load}, told {told} for {age}");
            }
            None => assert!(!fed || age < LATE || ms(LOAD_STALE_AFTER) <= age, "loads: {id} is not told for {age}"),
        }
    }
    let (Some(before), Some(_)) = (before, &step.snapshot) else { return };
    for (id, Load(load)) in loads {
        assert!(model.loads.contains_key(id), "loads: {id} never told its load");
        let was = before.feeds.loads.get(id).map_or(f64::NAN, |was| was.0);
        assert!(was.is_nan() || was == *load || news(id, was, *load), "loads: {id} from {was} to {load}");
    }
    if only_shaded(before, snapshot) {
        let pause = model.shaded.map_or(u64::MAX, |last| now.mono.0 - last.0);
        assert!(1_000 <= pause, "shades: again after {pause}");
        model.shaded = Some(now.mono);
    }
}

/// They differ in nothing that decides.
fn only_shaded(before: &Snapshot, after: &Snapshot) -> bool {
    let decided = |snapshot: &Snapshot| -> BTreeMap<Target, Verdict> {
        verdicts(snapshot).map(|(target, v)| (target, Verdict { flips_at: None, ..v.clone() })).collect()
    };
    before.digest == after.digest
        && before.planned == after.planned
        && before.ended == after.ended
        && before.here == after.here
        && shades(before) == shades(after)
        && decided(before) == decided(after)
}
