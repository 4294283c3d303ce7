//! What a service may answer, reckoned anew from what is judged and ordered: pools opened and closed, panic, drains that
//! go on serving, failbacks (DECIDING sections 5 and 6, DESIGN promise 1).

use std::collections::BTreeSet;

use wayshift::{
    judge::{Orders, returning},
    model::{
        Action, Arm, Availability, EndpointIx, Family, Health, MinUp, Mono, PanicBelow, PoolIx, Selector, ServiceIx,
        Snapshot, WhenNone,
    },
};

/// A member of a pool as a service sees it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub endpoint: EndpointIx,
    /// `Drain` or `Down`, once its steps are over.
    pub out: Option<Availability>,
    /// By family; `None` without an address.
    pub health: [Option<Health>; 2],
    weight: u64,
    /// It has only a part of its share: a slow drain takes it.
    slow: bool,
    /// By family: when it came back.
    since: [Option<Mono>; 2],
}

/// A pool as a service sees it.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub pool: PoolIx,
    pub members: Vec<Member>,
    open: bool,
    panics: bool,
    /// It opened so lately that it stands behind others.
    waits: bool,
    /// All of its share goes to it.
    whole: bool,
}

/// Any of these, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected {
    pub any_of: BTreeSet<(PoolIx, EndpointIx)>,
    /// All of them but for the size of an answer.
    pub all: bool,
}

impl Member {
    fn is_free(&self) -> bool {
        self.out.is_none()
    }

    fn serves(&self) -> bool {
        self.is_free() && self.health.iter().flatten().any(|health| *health != Health::Down)
    }

    /// Since when it may be counted on.
    fn since(&self) -> Option<Mono> {
        let serving = self.health.iter().zip(self.since).filter(|(h, _)| h.is_some_and(|h| h != Health::Down));
        serving.map(|(_, since)| since).min().flatten()
    }

    fn works(&self, family: usize) -> bool {
        self.is_free() && 0 < self.weight && self.health[family].is_some_and(Health::works)
    }
}

/// Whether enough of a pool serves; of each member its weight and whether it does.
pub(super) fn opens(min_up: MinUp, members: &[(u64, bool)]) -> bool {
    let serving = members.iter().filter(|(_, serves)| *serves).count();
    let enough = match min_up {
        MinUp::Auto => members.len() < 5 || share(members) >= 34.0,
        MinUp::Count(count) => usize::from(count) <= serving,
        MinUp::Share(least) => share(members) >= f64::from(least),
    };
    0 < serving && enough
}

/// What serves, in percent of the weight; of the members where nobody has weight.
fn share(members: &[(u64, bool)]) -> f64 {
    let weightless = members.iter().all(|(weight, _)| *weight == 0);
    let weight = |weight: u64| if weightless { 1.0 } else { weight as f64 };
    let serving: f64 = members.iter().filter(|(_, serves)| *serves).map(|(of, _)| weight(*of)).sum();
    serving * 100.0 / members.iter().map(|(of, _)| weight(*of)).sum::<f64>()
}

/// The pools of a service, in order.
pub(super) fn pools(snapshot: &Snapshot, orders: &Orders<'_>, ix: ServiceIx) -> Vec<Pool> {
    let about = snapshot.fleet.service(ix);
    let mut pools: Vec<Pool> = about.arms.iter().map(|arm| pool(snapshot, orders, ix, arm)).collect();
    let open: Vec<bool> = pools.iter().map(|pool| pool.open).collect();
    for (at, pool) in pools.iter_mut().enumerate() {
        let weighed: Vec<(u64, bool)> = pool.members.iter().map(|one| (one.weight, one.serves())).collect();
        let little = match snapshot.fleet.safety.panic_below {
            PanicBelow::Auto => 5 <= weighed.len() && share(&weighed) < 34.0,
            PanicBelow::Share(least) => share(&weighed) < f64::from(least),
        };
        let other_is_open = open.iter().enumerate().any(|(other, open)| other != at && *open);
        pool.panics = little && !other_is_open && weighed.iter().any(|(_, serves)| *serves);
        pool.open &= !pool.panics;
    }
    pools
}

fn pool(snapshot: &Snapshot, orders: &Orders<'_>, ix: ServiceIx, arm: &Arm) -> Pool {
    let (about, of) = (snapshot.fleet.service(ix), snapshot.fleet.pool(arm.pool));
    let members: Vec<Member> = (0..of.members.len()).map(|at| member(snapshot, orders, ix, arm, at)).collect();
    let since = |since: Option<Mono>| -> Vec<(u64, bool)> {
        members.iter().map(|one| (one.weight, one.serves() && one.since() <= since)).collect()
    };
    let mut times: Vec<Option<Mono>> = members.iter().map(Member::since).chain([None]).collect();
    times.sort_unstable();
    let opened = times.into_iter().find(|at| opens(of.min_up, &since(*at)));
    let (failback, ramp, now) = (about.tuning.failback, about.tuning.ramp, snapshot.at.mono);
    // `recovery` says that what follows from the time of a return is right.
    let returned = opened.flatten().map(returning::Opened::Since);
    // What all of its members lack goes elsewhere.
    let slow = members.iter().any(Member::serves) && members.iter().filter(|one| one.serves()).all(|one| one.slow);
    Pool {
        pool: arm.pool,
        members,
        open: opened.is_some(),
        panics: false,
        waits: returned.is_some_and(|opened| opened.is_young(now, failback)),
        whole: returned.is_none_or(|opened| returning::share(opened.ramps_from(failback), now, ramp) == 100) && !slow,
    }
}

fn member(snapshot: &Snapshot, orders: &Orders<'_>, ix: ServiceIx, arm: &Arm, at: usize) -> Member {
    let (fleet, about, subject) = (&snapshot.fleet, &snapshot.fleet.pool(arm.pool).members[at], arm.subjects[at]);
    let order = orders.in_membership(ix, arm.pool, about.endpoint);
    let ended = snapshot.ended.iter().filter(|ended| match &ended.order.target {
        Selector::Pool(glob) => glob.fits(fleet.pool(arm.pool).id.as_str()),
        Selector::Service(glob) => glob.fits(fleet.service(ix).id.as_str()),
        wide @ (Selector::All
        | Selector::Endpoint(_)
        | Selector::Label(..)
        | Selector::Region(_)
        | Selector::Provider(_)) => fleet.covers(wide, about.endpoint),
    });
    let ended = ended.map(|ended| ended.at).max();
    let verdicts = Family::ALL.map(|family| snapshot.verdict(subject, family));
    let out = order.and_then(|order| match order.action {
        // A slow drain leaves a share at first.
        Action::Drain => (returning::over_share(order, snapshot.at.wall) == 0).then_some(Availability::Drain),
        Action::Down => Some(Availability::Down),
        Action::Up | Action::Weight(_) | Action::Pin(_) | Action::Freeze => None,
    });
    let slow = order
        .is_some_and(|order| order.action == Action::Drain && returning::over_share(order, snapshot.at.wall) < 100);
    let health = verdicts.map(|verdict| {
        let verdict = verdict?;
        // A wider order is hidden behind a narrower one.
        let hidden =
            |(word, id): &(Availability, _)| *word != Availability::Drain && order.is_some_and(|o| o.id != *id);
        Some(match order.map(|order| &order.action) {
            Some(Action::Up) => Health::Up,
            _ if verdict.order.as_ref().is_some_and(hidden) => verdict.measured,
            _ => verdict.health,
        })
    });
    Member {
        endpoint: about.endpoint,
        out,
        health,
        weight: orders.weight(ix, arm.pool, about.endpoint).map_or(about.weight, |(weight, _)| weight).0.into(),
        slow,
        since: verdicts.map(|verdict| verdict.and_then(|verdict| verdict.returned).max(ended)),
    }
}

/// What may be answered in a family; `None` where something that was remembered may be.
pub(super) fn answered(
    snapshot: &Snapshot,
    orders: &Orders<'_>,
    ix: ServiceIx,
    pools: &[Pool],
    family: Family,
) -> Option<Expected> {
    let f = family.index();
    let pinned: Vec<&Pool> =
        orders.pin(ix).iter().flat_map(|(pool, _)| pools.iter().filter(move |of| of.pool == *pool)).collect();
    let old: Vec<&Pool> = pools.iter().filter(|pool| pool.open && !pool.waits).collect();
    let (open, every): (Vec<_>, Vec<_>) = (pools.iter().filter(|pool| pool.open).collect(), pools.iter().collect());
    // Delays of recovery do not apply while nothing else is healthy.
    let settled = old.iter().any(|pool| pool.members.iter().any(|member| member.works(f)));
    let standby = |pool: &Pool| of(pool, f, |one, health| one.is_free() && one.weight == 0 && health != Health::Down);
    let kept = |pool: &Pool| {
        let drained =
            |fits: fn(Health) -> bool| of(pool, f, |one, health| one.out == Some(Availability::Drain) && fits(health));
        Some(drained(Health::works)).filter(|works| !works.is_empty()).unwrap_or_else(|| drained(is_unknown))
    };
    let or_standby = |pool: &Pool| Some(serving(pool, f)).filter(|of| !of.is_empty()).unwrap_or_else(|| standby(pool));
    let braked = |pool: &Pool| {
        let serving = serving(pool, f);
        if pool.panics && !serving.is_empty() { of(pool, f, |one, _| one.is_free()) } else { serving }
    };
    first(&pinned, or_standby)
        .or_else(|| if settled { first(&old, |pool| serving(pool, f)) } else { one(&open, |pool| serving(pool, f)) })
        .or_else(|| first(&every, braked))
        .or_else(|| first(&every, standby))
        .or_else(|| first(&every, kept))
        .or_else(|| {
            if snapshot.fleet.service(ix).when_none != WhenNone::ServeAll {
                return None;
            }
            let weighing = |pool: &Pool| of(pool, f, |one, _| one.is_free() && 0 < one.weight);
            first(&pinned, weighing)
                .or_else(|| first(&every, weighing))
                .or_else(|| first(&every, |pool| of(pool, f, |one, _| one.is_free())))
                .or_else(|| first(&every, |pool| of(pool, f, |one, _| one.out != Some(Availability::Down))))
        })
}

fn is_unknown(health: Health) -> bool {
    health == Health::Unknown
}

/// What works, or else what nobody knows about.
fn serving(pool: &Pool, family: usize) -> Vec<(PoolIx, EndpointIx)> {
    let free =
        |fits: fn(Health) -> bool| of(pool, family, |one, health| one.is_free() && 0 < one.weight && fits(health));
    Some(free(Health::works)).filter(|works| !works.is_empty()).unwrap_or_else(|| free(is_unknown))
}

fn of(pool: &Pool, family: usize, fits: impl Fn(&Member, Health) -> bool) -> Vec<(PoolIx, EndpointIx)> {
    let fit = pool.members.iter().filter(|one| one.health[family].is_some_and(|health| fits(one, health)));
    fit.map(|one| (pool.pool, one.endpoint)).collect()
}

/// Of the pools that have something the first, and those behind one that does not take its whole share yet.
fn first(pools: &[&Pool], of: impl Fn(&Pool) -> Vec<(PoolIx, EndpointIx)>) -> Option<Expected> {
    let found: Vec<(&Pool, Vec<_>)> =
        pools.iter().map(|pool| (*pool, of(pool))).filter(|(_, members)| !members.is_empty()).collect();
    let reached = found.iter().position(|(pool, _)| pool.whole).map_or(found.len(), |at| at + 1);
    let any_of: BTreeSet<_> = found.into_iter().take(reached).flat_map(|(_, members)| members).collect();
    (!any_of.is_empty()).then_some(Expected { any_of, all: reached == 1 })
}

/// The first that has something; nothing grows while it alone is healthy.
fn one(pools: &[&Pool], of: impl Fn(&Pool) -> Vec<(PoolIx, EndpointIx)>) -> Option<Expected> {
    let members = pools.iter().map(|pool| of(pool)).find(|members| !members.is_empty())?;
    Some(Expected { any_of: members.into_iter().collect(), all: true })
}
