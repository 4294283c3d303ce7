//! What people order, and what refuses it unless they force it: a `down` that empties a service, less than is kept, more
//! than may be out (DECIDING section 5). Looked at instant by instant, as long as the order would hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use wayshift::{
    judge::{Orders, safety},
    model::{
        Action, EndpointIx, Family, Health, Override, OverrideId, PoolIx, Selector, ServiceIx, Snapshot, SubjectIx,
        Wall, Weight,
    },
};

use super::{node::BASE, world::World};

impl World {
    /// A person makes, extends or ends an override, by a right clock.
    pub(super) fn order(&mut self) {
        // A store that is held takes none.
        if self.lost.is_some() {
            return;
        }
        let now = Wall(BASE + self.t);
        self.store.0 += 1;
        let kept = self.store.1.len();
        self.store.1.retain(|order| now.0 < order.expires.0 + 30_000);
        let pick = (kept > 0).then(|| self.rng.usize(0..kept)).filter(|at| *at < self.store.1.len());
        let life = self.rng.u64(5_000..40_000);
        match (self.rng.u8(0..5), pick) {
            (0, Some(at)) => {
                self.store.1.remove(at);
            }
            (1, Some(at)) if now < self.store.1[at].expires => {
                self.store.1[at].expires = Wall(now.0 + life);
                if self.store.1[at].expires <= self.store.1[at].from {
                    self.store.1[at].expires = Wall(self.store.1[at].from.0 + 1_000);
                }
            }
            _ => {
                let action = match self.rng.u8(0..8) {
                    0 => Action::Up,
                    1 | 2 => Action::Drain,
                    3 | 4 => Action::Down,
                    5 => Action::Weight(Weight(self.rng.u16(0..3))),
                    6 => Action::Pin("b".parse().unwrap()),
                    _ => Action::Freeze,
                };
                let targets = [
                    "all",
                    "provider:p0",
                    "region:r*",
                    "region:r1",
                    "endpoint:e1",
                    "endpoint:e2",
                    "pool:a",
                    "service:one",
                    "label:half=h1",
                ];
                let target: Selector = targets[self.rng.usize(0..targets.len())].parse().unwrap();
                let from = if self.rng.u8(0..4) == 0 { now.0 + self.rng.u64(0..8_000) } else { now.0 };
                let slow = action == Action::Drain && self.rng.bool();
                let over = slow.then(|| Duration::from_millis(self.rng.u64(2_000..30_000)));
                self.made += 1;
                let order = Override {
                    id: OverrideId::new(ulid::Ulid(self.made)),
                    action,
                    target,
                    reason: "a storm".into(),
                    author: "sim".into(),
                    created: now,
                    from: Wall(from),
                    expires: Wall(from + life),
                    forced: self.rng.bool(),
                    over,
                    local: false,
                    generation: self.store.0,
                };
                if !self.is_refused(&order, now) || order.forced {
                    self.store.1.push(order);
                }
            }
        }
        self.send_store();
    }

    /// Whether it is refused, by what some node sees; which must be what follows from the rules.
    fn is_refused(&mut self, order: &Override, now: Wall) -> bool {
        let running = self.nodes.iter().filter_map(|node| node.run.as_ref()).count();
        if running == 0 {
            return false;
        }
        let asked = self.rng.usize(0..running);
        let run = self.nodes.iter().filter_map(|node| node.run.as_ref()).nth(asked).unwrap();
        let snapshot = run.controller.snapshot();
        let weighed = safety::weigh(&snapshot.fleet, &snapshot.verdicts, &self.store.1, order, now);
        let refusals: BTreeSet<&str> = weighed.refusals.iter().map(safety::Refusal::code).collect();
        let expected = refusals_of(snapshot, &self.store.1, order, now);
        assert_eq!(
            refusals, expected,
            "persons: seed {} at {}: {order:?} beside {:#?}",
            self.seed, self.t, self.store.1
        );
        !refusals.is_empty()
    }
}

/// What a membership comes to beside some orders.
struct Use {
    service: ServiceIx,
    pool: PoolIx,
    endpoint: EndpointIx,
    /// Not ordered down, and not known to fail.
    left: bool,
    /// Drained or down.
    out: bool,
}

fn refusals_of(snapshot: &Snapshot, others: &[Override], order: &Override, now: Wall) -> BTreeSet<&'static str> {
    let start = order.from.max(now);
    let times = others.iter().flat_map(|other| [other.from, other.expires]).chain([start]);
    let times: BTreeSet<Wall> = times.filter(|at| start <= *at && *at < order.expires).collect();
    let mut refusals = BTreeSet::new();
    if !matches!(order.action, Action::Down | Action::Drain) {
        return refusals;
    }
    for at in times {
        let mut active: Vec<Override> =
            others.iter().filter(|other| other.from <= at && at < other.expires).cloned().collect();
        let before = uses(snapshot, &active);
        active.push(order.clone());
        let after = uses(snapshot, &active);
        let lasts = |uses: &[Use]| -> BTreeSet<ServiceIx> {
            uses.iter().filter(|used| used.left).map(|used| used.service).collect()
        };
        if order.action == Action::Down && lasts(&before) != lasts(&after) {
            refusals.insert("safety.empties_service");
        }
        let (was_out, is_out, all) = (out(&before), out(&after), snapshot.fleet.endpoints.len());
        let most = f64::from(snapshot.fleet.safety.max_drained) / 100.0 * all as f64;
        if was_out < is_out && most + 1e-9 < is_out as f64 {
            refusals.insert("safety.max_drained");
        }
        for rule in &snapshot.fleet.safety.rules {
            let kept =
                |uses: &[Use]| -> Vec<bool> { rule.of.iter().map(|group| keeps(snapshot, uses, group)).collect() };
            let (kept_before, kept_after) = (kept(&before), kept(&after));
            let few = kept_after.iter().filter(|kept| **kept).count() < usize::from(rule.keep);
            if few && kept_before.iter().zip(&kept_after).any(|(before, after)| *before && !after) {
                refusals.insert("safety.keep");
            }
        }
    }
    refusals
}

fn uses(snapshot: &Snapshot, active: &[Override]) -> Vec<Use> {
    let orders = Orders::new(&snapshot.fleet, active);
    let mut uses = Vec::new();
    for (service, about) in snapshot.fleet.services() {
        for arm in &about.arms {
            for (member, subject) in snapshot.fleet.pool(arm.pool).members.iter().zip(&arm.subjects) {
                let (pool, endpoint) = (arm.pool, member.endpoint);
                let word = orders.in_membership(service, pool, endpoint).map(|order| order.action.word());
                let left = match word {
                    Some("up") => true,
                    Some("down") => false,
                    _ => may_serve(snapshot, *subject),
                };
                uses.push(Use { service, pool, endpoint, left, out: matches!(word, Some("down" | "drain")) });
            }
        }
    }
    uses
}

/// In some family it is not known to fail, were nothing ordered.
fn may_serve(snapshot: &Snapshot, subject: SubjectIx) -> bool {
    let verdicts = Family::ALL.into_iter().filter_map(|family| snapshot.verdict(subject, family));
    let health = verdicts.map(|verdict| match verdict.order.as_ref().map(|(word, _)| word.word()) {
        Some("up" | "down") => verdict.measured,
        _ => verdict.health,
    });
    health.into_iter().any(|health| health != Health::Down)
}

/// How many endpoints are out wherever they are used; all are used somewhere here.
fn out(uses: &[Use]) -> usize {
    let mut out: BTreeMap<EndpointIx, bool> = BTreeMap::new();
    for used in uses {
        *out.entry(used.endpoint).or_insert(true) &= used.out;
    }
    out.values().filter(|out| **out).count()
}

fn keeps(snapshot: &Snapshot, uses: &[Use], group: &Selector) -> bool {
    let fleet = &snapshot.fleet;
    uses.iter().filter(|used| used.left && !used.out).any(|used| {
        let by_pool = matches!(group, Selector::Pool(glob) if glob.fits(fleet.pool(used.pool).id.as_str()));
        by_pool || fleet.covers(group, used.endpoint)
    })
}
