//! What is refused, what is not, and what is left.

use super::*;
use crate::{
    judge::sample::{order, parts},
    model::{Cause, Tally},
};

/// Four endpoints of the sample fleet: a = e0, e2 at p0; b = e1, e3 at p1; service one = a, b; two = b, c; three = c.
fn fleet(rules: &[(u16, &[&str])]) -> std::sync::Arc<Fleet> {
    let mut parts = parts(4);
    parts.safety.rules = rules
        .iter()
        .map(|(keep, of)| KeepRule {
            name: "r".into(),
            keep: *keep,
            of: of.iter().map(|group| group.parse().unwrap()).collect(),
        })
        .collect();
    Fleet::assemble(parts).unwrap()
}

fn verdicts(fleet: &Fleet, health: &[Health]) -> Vec<Option<Verdict>> {
    let of = |health: Health| Verdict {
        measured: health,
        health,
        order: None,
        cause: Cause::Voted,
        frozen: None,
        tally: Tally::default(),
        since: Wall(0),
        since_mono: None,
        hold: None,
        returned: None,
        flips_at: None,
    };
    fleet.subjects.iter().flat_map(|subject| [Some(of(health[subject.endpoint.index()])), None]).collect()
}

const UP: [Health; 4] = [Health::Up; 4];

fn effect(fleet: &Fleet, health: &[Health], others: &[Override], order: &Override) -> Effect {
    weigh(fleet, &verdicts(fleet, health), others, order, Wall(10))
}

fn codes(effect: &Effect) -> Vec<&'static str> {
    effect.refusals.iter().map(Refusal::code).collect()
}

#[test]
fn only_a_down_that_takes_the_last_endpoint_is_refused() {
    use Health::{Down, Unknown, Up};
    let fleet = fleet(&[]);
    let check = |health: &[Health], action: Action, target: &str, refused: usize| {
        let effect = effect(&fleet, health, &[], &order(1, action, target));
        assert_eq!(effect.refusals.len(), refused, "{target} {:?}", effect.refusals);
        assert!(effect.refusals.iter().all(|refusal| refusal.code() == "safety.empties_service"));
    };
    check(&UP, Action::Down, "provider:p0", 0);
    check(&UP, Action::Down, "all", 3);
    check(&UP, Action::Drain, "all", 0);
    check(&[Up, Down, Up, Down], Action::Down, "provider:p0", 3);
    check(&[Up, Unknown, Up, Down], Action::Down, "provider:p0", 0);
    check(&[Down, Down, Down, Up], Action::Down, "endpoint:e3", 3);
    // What is down already is not taken away.
    check(&[Down, Down, Down, Down], Action::Down, "all", 0);
    check(&UP, Action::Down, "service:three", 1);
    check(&UP, Action::Down, "pool:c", 1);
    check(&UP, Action::Freeze, "all", 0);
}

#[test]
fn two_planned_evacuations_do_not_meet() {
    let fleet = fleet(&[]);
    let lasting = |order: Override, from, expires| Override { from: Wall(from), expires: Wall(expires), ..order };
    let other = lasting(order(1, Action::Down, "provider:p0"), 100, 200);
    let check = |from, expires, refused: bool| {
        let order = lasting(order(2, Action::Down, "provider:p1"), from, expires);
        let effect = effect(&fleet, &UP, std::slice::from_ref(&other), &order);
        assert_eq!(!effect.refusals.is_empty(), refused, "{from} {expires}");
    };
    check(20, 50, false);
    check(20, 150, true);
    check(150, 300, true);
    check(200, 300, false);
}

#[test]
fn an_order_that_outlasts_another_is_looked_at_as_what_it_is_then() {
    use Health::{Down, Up};
    let lasting = |order: Override, expires| Override { expires: Wall(expires), ..order };
    let check = |rules: &[(u16, &[&str])], health: &[Health], others: &[Override], new: Override, code: &[&str]| {
        assert_eq!(codes(&effect(&fleet(rules), health, others, &new)), code, "{others:?} {new:?}");
    };
    // What is dead is up by order until 100, and the last one afterwards.
    let up = lasting(order(1, Action::Up, "provider:p0"), 100);
    let down = |expires| lasting(order(2, Action::Down, "provider:p1"), expires);
    let dead = [Down, Up, Down, Up];
    check(&[], &dead, std::slice::from_ref(&up), down(100), &[]);
    check(&[], &dead, std::slice::from_ref(&up), down(101), &["safety.empties_service"; 3]);
    // One of them is drained until 100, and down with all others afterwards.
    let others = [order(1, Action::Down, "provider:p0"), lasting(order(2, Action::Drain, "endpoint:e0"), 100)];
    let rest = |expires| lasting(order(3, Action::Down, "provider:p1"), expires);
    check(&[], &UP, &others, rest(100), &[]);
    check(&[], &UP, &others, rest(101), &["safety.empties_service"; 3]);
    // A rule counts what is up by order until 100.
    let rule: &[(u16, &[&str])] = &[(1, &["provider:p0", "provider:p1"])];
    let drain = |expires| lasting(order(2, Action::Drain, "provider:p1"), expires);
    check(rule, &dead, std::slice::from_ref(&up), drain(100), &[]);
    check(rule, &dead, std::slice::from_ref(&up), drain(101), &["safety.keep"]);
    // What another order has taken until 100 is taken by this one afterwards.
    let forced = [lasting(order(1, Action::Down, "all"), 100)];
    let again = |expires| lasting(order(2, Action::Down, "all"), expires);
    check(&[], &UP, &forced, again(100), &[]);
    check(&[], &UP, &forced, again(101), &["safety.empties_service"; 3]);
}

#[test]
fn the_hint_leaves_out_what_is_needed() {
    use Health::{Down, Up};
    let fleet = fleet(&[]);
    // Service two = b, c; one = a, b; three = c: with e1 and e3 down, e0 and e2 are all that is left.
    let all = effect(&fleet, &[Up, Down, Up, Down], &[], &order(1, Action::Down, "all"));
    let names: Vec<_> = all.safe.iter().map(|ix| fleet.endpoint(*ix).id.to_string()).collect();
    assert_eq!(names, ["e1", "e3"]);
    let words = all.refusals[0].explain(&fleet);
    assert_eq!(words, "service one would have no endpoint left that is not down: it takes away e0, e2");
}

#[test]
fn rules_bind_drains_and_downs() {
    let one_of_two = fleet(&[(1, &["provider:p0", "provider:p1"])]);
    let p0 = order(1, Action::Drain, "provider:p0");
    assert_eq!(codes(&effect(&one_of_two, &UP, &[], &p0)), [""; 0]);
    let refused = effect(&one_of_two, &UP, std::slice::from_ref(&p0), &order(2, Action::Drain, "provider:p1"));
    assert_eq!(codes(&refused), ["safety.keep"]);
    assert_eq!(
        refused.refusals[0].explain(&one_of_two),
        "rule r keeps 1: it takes away provider:p1, and none would be left"
    );
    // What another order or a failure broke before is not held against this one.
    let both = fleet(&[(2, &["provider:p0", "provider:p1"])]);
    assert_eq!(codes(&effect(&both, &UP, &[p0], &order(2, Action::Drain, "endpoint:e0"))), [""; 0]);
    assert_eq!(codes(&effect(&both, &UP, &[], &order(2, Action::Drain, "endpoint:e0"))), [""; 0], "e2 is left");
    assert_eq!(codes(&effect(&both, &UP, &[], &order(2, Action::Drain, "pool:a"))), [""; 0], "pool c is left to it");
    let pools = fleet(&[(2, &["pool:a", "pool:b"])]);
    assert_eq!(codes(&effect(&pools, &UP, &[], &order(2, Action::Drain, "pool:a"))), ["safety.keep"]);
}

#[test]
fn a_drain_keeps_what_must_go_on_serving() {
    use Health::{Down, Up};
    let fleet = fleet(&[]);
    let kept = |health: &[Health], target: &str| -> Vec<usize> {
        let mut kept: Vec<_> =
            effect(&fleet, health, &[], &order(1, Action::Drain, target)).kept.iter().map(|ix| ix.index()).collect();
        kept.sort_unstable();
        kept
    };
    assert_eq!(kept(&UP, "provider:p0"), [0; 0]);
    assert_eq!(kept(&UP, "all"), [0, 1, 2, 3]);
    assert_eq!(kept(&[Up, Down, Down, Down], "provider:p0"), [0]);
}

#[test]
fn lives_are_bounded_from_now() {
    let safety = Safety::default();
    let hours = |n: u64| Duration::from_secs(n * 3600);
    let check = |from: u64, asked: Option<Duration>, expected: Result<Wall, LifeError>| {
        let (now, from) = (Wall(1000), Wall(1000).plus(hours(from)));
        assert_eq!(end(&safety, &Action::Drain, now, from, asked), expected);
    };
    let at = |n| Ok(Wall(1000).plus(hours(n)));
    check(0, None, at(24));
    check(0, Some(hours(72)), at(72));
    check(0, Some(hours(73)), Err(LifeError::TooLong(hours(72))));
    check(60, None, at(72));
    check(70, Some(hours(2)), at(72));
    check(70, Some(hours(3)), Err(LifeError::TooLong(hours(72))));
    check(72, None, Err(LifeError::TooLong(hours(72))));
    check(0, Some(Duration::ZERO), Err(LifeError::Over));
}

#[test]
fn no_more_of_the_fleet_is_drained_than_allowed() {
    let check = |max: u8, others: &[Override], action: Action, target: &str, refused: bool| {
        let mut parts = parts(4);
        parts.safety.max_drained = max;
        let fleet = Fleet::assemble(parts).unwrap();
        let effect = effect(&fleet, &UP, others, &order(9, action, target));
        assert_eq!(codes(&effect).contains(&"safety.max_drained"), refused, "{max} {target} {effect:?}");
        assert!(!refused || effect.safe.is_empty());
    };
    check(50, &[], Action::Drain, "provider:p0", false);
    check(49, &[], Action::Drain, "provider:p0", true);
    check(49, &[], Action::Up, "provider:p0", false);
    check(50, &[order(1, Action::Down, "endpoint:e1")], Action::Drain, "provider:p0", true);
    check(50, &[order(1, Action::Drain, "endpoint:e0")], Action::Drain, "provider:p0", false);
    check(25, &[order(1, Action::Drain, "provider:p0")], Action::Drain, "endpoint:e0", false);
    check(0, &[], Action::Drain, "pool:a", false);
    check(49, &[order(1, Action::Drain, "pool:a")], Action::Drain, "pool:c", true);
    check(100, &[], Action::Drain, "all", false);
}

#[test]
fn what_is_drained_may_be_stopped_a_ttl_after_its_last_share() {
    let fleet = fleet(&[]);
    let check = |from: u64, over: Option<u64>, applied: u64, expected: u64| {
        let over = over.map(Duration::from_secs);
        let order = Override { from: Wall(from), over, ..order(1, Action::Drain, "endpoint:e0") };
        let services = fleet.services().map(|(ix, _)| ix);
        assert_eq!(safe_to_stop_at(&fleet, services, &order, Wall(applied)), Wall(expected));
    };
    check(1_000, None, 1_500, 31_500);
    check(1_000, Some(600), 1_500, 631_000);
    check(90_000, None, 1_500, 120_000);
}
