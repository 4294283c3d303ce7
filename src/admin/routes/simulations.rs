//! What would happen if: failures, drains, orders, another configuration. Nothing is done.

use std::{collections::BTreeSet, sync::Arc};

use axum::{Extension, extract::State, http::StatusCode};

use super::{
    config::{Judging, unfit},
    overrides::blocker,
};
use crate::{
    admin::{
        ask::{Asked, Body, Nothing},
        auth::Viewer,
        draft::{self, Asking},
        picture::{Picture, is_out},
        problem::Problem,
        seen::Seen,
        tell::Told,
        views::{BlockedView, NAMES_MAX, NewOverride, RuleView, SafetyView, Simulate, SimulationView, listed, touched},
    },
    clock::Clock,
    config::{Role, parse_sealed},
    judge::{
        capacity,
        safety::{Refusal, weigh},
    },
    model::{EndpointIx, Fleet, Health, LastGood, Override, OverrideId, PoolIx, Selector, Snapshot, Wall},
    steer::{
        AnswerSet, AnswerTable, answers, compile,
        outlook::{
            differences,
            hypothesis::{carried, endpoints, failing, under},
        },
    },
};

/// Most entries of each list of a simulation.
const SIMULATED_MAX: usize = 100;
/// Warnings of one answer; what is beyond is summed up.
const WARNINGS_MAX: usize = 50;

/// The answers of now beside those of then.
pub(super) async fn simulate(
    Viewer(who): Viewer,
    _: Asked<Nothing>,
    Extension(judging): Extension<Judging>,
    State(seen): State<Seen>,
    Body { value: body, .. }: Body<Simulate>,
) -> Result<Told<SimulationView>, Problem> {
    if body.config.is_some() && who.role < Role::Operator {
        let detail = "a configuration in a request needs the role operator";
        return Err(Problem::new(StatusCode::FORBIDDEN, "config.role", detail));
    }
    let lists = [("/down", body.down.len()), ("/drain", body.drain.len()), ("/overrides", body.overrides.len())];
    if let Some((pointer, _)) = lists.iter().find(|(_, count)| SIMULATED_MAX < *count) {
        return Err(Problem::bad(pointer, format!("a simulation takes at most {SIMULATED_MAX} of them")));
    }
    judging.work(move || simulated(&seen, &who.name, &body)).await?.map(Told::of)
}

fn simulated(seen: &Seen, author: &str, body: &Simulate) -> Result<SimulationView, Problem> {
    let before = seen.table();
    let begun = match &body.config {
        None => (**before.snapshot()).clone(),
        Some(text) => {
            let loaded = parse_sealed(text).map_err(|problems| unfit(&problems, "the configuration has errors"))?;
            carried(before.snapshot(), &loaded.fleet)
        }
    };
    let fleet = Arc::clone(&begun.fleet);
    let down = body.down.iter().map(|text| draft::target(&fleet, text)).collect::<Result<Vec<Selector>, _>>()?;
    let now = Clock::wall();
    let failed = failing(&begun, &down);
    let orders = orders(&fleet, &Asking { author, now, local: false }, body)?;
    let safety = safety(&failed, &orders, now);
    let mut all: Vec<Override> = failed.overrides.iter().cloned().chain(orders).collect();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let then = Arc::new(under(&failed, all.into()));
    let after = compile(&then, Some(&before), &LastGood::new());
    let changed = differences(&before, &after);
    let sets = answers(&then, &seen.good);
    let unanswered = names(&sets, |set| set.pools.is_empty());
    let unhealthy = names(&sets, |set| set.basis.is_none_healthy() && !set.pools.is_empty());
    Ok(SimulationView {
        changed: !changed.is_empty(),
        answers: listed(&changed),
        answers_total: changed.len(),
        names_total: touched(&changed),
        unanswered_total: unanswered.len(),
        unanswered: unanswered.into_iter().take(NAMES_MAX).collect(),
        unhealthy_total: unhealthy.len(),
        unhealthy: unhealthy.into_iter().take(NAMES_MAX).collect(),
        safety,
        rules: rules(&then),
        warnings: warnings(&before, &then),
    })
}

/// The drains and other orders as they would be kept, with ids in the order written, at the end of their steps.
fn orders(fleet: &Fleet, asking: &Asking<'_>, body: &Simulate) -> Result<Vec<Override>, Problem> {
    let drain =
        |target: &String| NewOverride { action: "drain".to_owned(), target: target.clone(), ..NewOverride::default() };
    let given = body.drain.iter().map(drain).chain(body.overrides.iter().cloned());
    let orders = given.zip(1_u128..).map(|(mut order, nth)| {
        order.reason.get_or_insert_with(|| "simulation".to_owned());
        let order = draft::read(fleet, asking, &order)?;
        let id = OverrideId::new(ulid::Ulid::from_parts(asking.now.0, nth));
        Ok(Override { id, from: asking.now, over: None, ..order })
    });
    orders.collect()
}

/// Each order beside those in force and those before it.
fn safety(failed: &Snapshot, orders: &[Override], now: Wall) -> SafetyView {
    let fleet = &failed.fleet;
    let mut beside: Vec<Override> = failed.overrides.iter().chain(&*failed.planned).cloned().collect();
    let mut refused: Vec<BlockedView> = Vec::new();
    for order in orders {
        let weighed = weigh(fleet, &failed.verdicts, &beside, order, now);
        let blocked = |refusal: &Refusal| BlockedView {
            code: refusal.code().to_owned(),
            blocking: blocker(fleet, refusal),
            detail: refusal.explain(fleet),
        };
        refused.extend(weighed.refusals.iter().map(blocked));
        beside.push(order.clone());
    }
    SafetyView { ok: refused.is_empty(), refused }
}

/// Names of the answers that fit, whether or not they are other than now: that nothing of a service works is worth
/// knowing even where its clients are answered the same.
fn names(sets: &[AnswerSet], fits: impl Fn(&AnswerSet) -> bool) -> BTreeSet<String> {
    let fit = sets.iter().filter(|set| fits(set));
    fit.flat_map(|set| set.names.iter().map(ToString::to_string)).collect()
}

/// A group is left while an endpoint of it is neither ordered out nor down.
fn rules(then: &Snapshot) -> Vec<RuleView> {
    let good = LastGood::new();
    let picture = Picture::of(then, &good);
    let rules = then.fleet.safety.rules.iter().map(|rule| {
        let left = rule.of.iter().filter(|group| {
            let members = endpoints(&then.fleet, std::slice::from_ref(*group));
            let mut members = members.iter().zip(0..).filter(|(member, _)| **member).map(|(_, at)| EndpointIx::new(at));
            members.any(|member| serves(&picture, member))
        });
        let left: Vec<String> = left.map(ToString::to_string).collect();
        RuleView { name: rule.name.clone(), holds: usize::from(rule.keep) <= left.len(), left }
    });
    rules.collect()
}

fn serves(picture: &Picture<'_>, endpoint: EndpointIx) -> bool {
    let worst = picture.endpoint(endpoint);
    worst.verdict != Health::Down && !is_out(worst.order.as_ref().map(|(order, _)| *order))
}

/// Pools that have less left than before, and one or none.
fn warnings(before: &AnswerTable, then: &Snapshot) -> Vec<String> {
    let good = LastGood::new();
    let (now, after) = (Picture::of(before.snapshot(), &good), Picture::of(then, &good));
    let serving = |picture: &Picture<'_>, pool: PoolIx| {
        let members = picture.fleet().pool(pool).members.iter();
        members.filter(|member| serves(picture, member.endpoint)).count()
    };
    let mut warnings = Vec::new();
    for (place, pool) in then.fleet.pools.iter().enumerate() {
        let Some(old) = now.fleet().find_pool(&pool.id) else { continue };
        let (had, left) = (serving(&now, old), serving(&after, PoolIx::new(place)));
        match left {
            _ if had <= left => {}
            0 => warnings.push(format!("pool {}: no endpoint left", pool.id)),
            1 => warnings.push(format!("pool {}: one endpoint left", pool.id)),
            _ => {}
        }
        if WARNINGS_MAX <= warnings.len() {
            warnings.push("and more".to_owned());
            break;
        }
    }
    warnings.extend(overloads(then));
    warnings
}

/// Services whose rest could not carry what they carry.
fn overloads(then: &Snapshot) -> Vec<String> {
    let orders = crate::judge::Orders::new(&then.fleet, &then.overrides);
    let short = then.fleet.services().filter_map(|(ix, service)| {
        let capacity = capacity::with(then, &orders, ix).filter(capacity::Capacity::is_short)?;
        let how = if capacity.measured { "its load" } else { "what it is taken to carry" };
        let left = capacity.serving_percent();
        Some(format!("service {}: {left} % of its capacity is left, less than {how}", service.id))
    });
    short.take(WARNINGS_MAX).collect()
}
