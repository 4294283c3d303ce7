//! The index against the rules read word by word.

use proptest::prelude::*;

use super::*;
use crate::judge::sample::{fleet, order};

fn word(order: Option<&Override>) -> String {
    order.map_or_else(|| "-".into(), |order| format!("{} {}", order.action.word(), order.target))
}

#[test]
fn precedence() {
    let fleet = fleet(6);
    let e2 = EndpointIx::new(2);
    let check = |orders: &[(Action, &str)], wide: &str, in_a_of_one: &str| {
        let active: Vec<_> = (1..).zip(orders).map(|(n, (action, to))| order(n, action.clone(), to)).collect();
        let orders = Orders::new(&fleet, &active);
        assert_eq!(word(orders.availability(e2)), wide, "{active:#?}");
        assert_eq!(word(orders.in_membership(ServiceIx::new(0), PoolIx::new(0), e2)), in_a_of_one, "{active:#?}");
    };
    let (up, drain, down) = (Action::Up, Action::Drain, Action::Down);
    check(&[], "-", "-");
    check(&[(drain.clone(), "provider:p0")], "drain provider:p0", "drain provider:p0");
    check(&[(drain.clone(), "provider:p1")], "-", "-");
    // The narrowest wins, whichever came first, unless it is an older `up`.
    check(&[(down.clone(), "all"), (drain.clone(), "region:r2")], "drain region:r2", "drain region:r2");
    check(&[(down.clone(), "all"), (up.clone(), "endpoint:e2")], "up endpoint:e2", "up endpoint:e2");
    check(&[(up.clone(), "endpoint:e2"), (down.clone(), "all")], "down all", "down all");
    check(&[(up, "endpoint:e2"), (drain.clone(), "pool:a")], "up endpoint:e2", "drain pool:a");
    // Equal scopes: the more conservative, then the newer.
    check(&[(down.clone(), "region:r2"), (drain.clone(), "region:r*")], "down region:r2", "down region:r2");
    check(&[(drain.clone(), "region:r2"), (drain.clone(), "region:r*")], "drain region:r*", "drain region:r*");
    // Pools and services change memberships only, and stand between endpoint and label.
    check(&[(drain.clone(), "pool:a"), (down.clone(), "service:one")], "-", "drain pool:a");
    check(&[(drain.clone(), "service:one"), (down, "label:tier=t0")], "down label:tier=t0", "drain service:one");
    check(&[(drain.clone(), "pool:b"), (drain.clone(), "service:three")], "-", "-");
    check(&[(drain, "endpoint:alias-2")], "drain endpoint:alias-2", "drain endpoint:alias-2");
}

#[test]
fn a_local_order_comes_before_every_shared_one_of_its_lane() {
    let fleet = fleet(6);
    let (e2, one, a) = (EndpointIx::new(2), ServiceIx::new(0), PoolIx::new(0));
    let local = |n, action, target: &str| Override { local: true, ..order(n, action, target) };
    let active = [
        local(1, Action::Up, "all"),
        local(2, Action::Weight(Weight(9)), "all"),
        local(3, Action::Pin("b".parse().unwrap()), "all"),
        order(4, Action::Down, "endpoint:e2"),
        order(5, Action::Weight(Weight(1)), "endpoint:e2"),
        order(6, Action::Pin("a".parse().unwrap()), "service:*"),
    ];
    let orders = Orders::new(&fleet, &active);
    assert_eq!(word(orders.availability(e2)), "up all", "older and wider");
    assert_eq!(word(orders.in_membership(one, a, e2)), "up all");
    assert_eq!(orders.weight(one, a, e2).map(|(weight, _)| weight.0), Some(9));
    assert_eq!(orders.pin(one).map(|(pool, _)| pool), Some(PoolIx::new(1)));
    let orders = Orders::new(&fleet, &active[1..]);
    assert_eq!(word(orders.availability(e2)), "down endpoint:e2", "lanes do not compete");
    assert!(!Orders::new(&fleet, &active[..1]).is_empty());
}

#[test]
fn pins_weights_and_freezes() {
    let fleet = fleet(6);
    let (one, two) = (ServiceIx::new(0), ServiceIx::new(1));
    let (a, b, c) = (PoolIx::new(0), PoolIx::new(1), PoolIx::new(2));
    let active = [
        order(1, Action::Pin("b".parse().unwrap()), "all"),
        order(2, Action::Pin("c".parse().unwrap()), "service:*"),
        order(3, Action::Weight(Weight(9)), "endpoint:e1"),
        order(4, Action::Weight(Weight(5)), "endpoint:e*"),
        order(5, Action::Weight(Weight(1)), "pool:b"),
        order(6, Action::Freeze, "pool:a"),
        order(7, Action::Freeze, "label:tier=t1"),
    ];
    let orders = Orders::new(&fleet, &active);
    // Service one has no pool c: the narrower pin is void for it, and the wider holds.
    assert_eq!(orders.pin(one).map(|(pool, _)| pool), Some(b));
    assert_eq!(orders.pin(two).map(|(pool, _)| pool), Some(c));
    let weight = |service, pool, e| orders.weight(service, pool, EndpointIx::new(e)).map(|(weight, _)| weight.0);
    assert_eq!(weight(two, b, 1), Some(5), "the smaller of equal scopes, before a wider one");
    let frozen = |e| {
        let at = fleet.subjects.iter().position(|subject| subject.endpoint == EndpointIx::new(e)).unwrap();
        word(orders.freeze(SubjectIx::new(at)))
    };
    assert_eq!((frozen(0).as_str(), frozen(1).as_str()), ("freeze pool:a", "freeze label:tier=t1"));
    assert_eq!(weight(one, a, 0), Some(5));
}

fn target() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "all",
        "provider:p0",
        "provider:p*",
        "region:r1",
        "region:r?",
        "label:tier=t1",
        "label:tier=*",
        "label:x=y",
        "service:one",
        "service:t*",
        "pool:a",
        "pool:c",
        "pool:*",
        "endpoint:e3",
        "endpoint:e*",
        "endpoint:alias-3",
        "endpoint:alias-?",
        "endpoint:nobody",
    ])
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        Just(Action::Up),
        Just(Action::Drain),
        Just(Action::Down),
        (0_u16..4).prop_map(|weight| Action::Weight(Weight(weight))),
        Just(Action::Freeze),
        prop::sample::select(vec!["a", "b", "c"]).prop_map(|pool| Action::Pin(pool.parse().unwrap())),
    ]
}

/// Section 5 read aloud.
fn governing(active: &[Override], lane: Lane, covers: impl Fn(&Selector) -> bool) -> Option<&Override> {
    let covering = || active.iter().filter(|order| order.action.lane() == lane && covers(&order.target));
    let rank = |order: &Override| match &order.action {
        Action::Down => 0,
        Action::Drain => 1,
        Action::Up => 2,
        Action::Weight(weight) => u32::from(weight.0),
        Action::Pin(_) | Action::Freeze => 0,
    };
    let newer_out = |up: &Override| {
        covering().any(|other| matches!(other.action, Action::Drain | Action::Down) && up.id < other.id)
    };
    covering()
        .filter(|order| order.action != Action::Up || !newer_out(order))
        .min_by_key(|order| (scope(&order.target), rank(order), std::cmp::Reverse(order.id.clone())))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn the_index_says_what_the_rules_say(made in prop::collection::vec((action(), target()), 0..12)) {
        let fleet = fleet(6);
        let active: Vec<_> = (1..).zip(made).map(|(n, (action, to))| order(n, action, to)).collect();
        let orders = Orders::new(&fleet, &active);
        for (place, subject) in fleet.subjects.iter().enumerate() {
            let endpoint = subject.endpoint;
            let wide = governing(&active, Lane::Availability, |to| fleet.covers(to, endpoint));
            prop_assert_eq!(orders.availability(endpoint), wide);
            let subject = SubjectIx::new(place);
            let frozen = governing(&active, Lane::Automation, |to| fleet.covers(to, endpoint) || fleet.services().any(|(_, service)| {
                fleet.arms(service).any(|arm| arm.subjects.contains(&subject) && used(&fleet, to, service, arm.pool))
            }));
            prop_assert_eq!(orders.freeze(subject), frozen);
        }
        for (ix, service) in fleet.services() {
            for arm in fleet.arms(service) {
                for member in &fleet.pool(arm.pool).members {
                    let endpoint = member.endpoint;
                    let covers = |to: &Selector| fleet.covers(to, endpoint) || used(&fleet, to, service, arm.pool);
                    prop_assert_eq!(orders.in_membership(ix, arm.pool, endpoint), governing(&active, Lane::Availability, covers));
                    let share = governing(&active, Lane::Share, covers);
                    prop_assert_eq!(orders.weight(ix, arm.pool, endpoint).map(|(_, order)| order), share);
                }
            }
            let own: Vec<_> = active.iter().filter(|order| match &order.action {
                Action::Pin(pool) => fleet.arms(service).any(|arm| fleet.pool(arm.pool).id == *pool),
                Action::Up | Action::Drain | Action::Down | Action::Weight(_) | Action::Freeze => false,
            }).cloned().collect();
            let pin = governing(&own, Lane::Choice, |to| match to {
                Selector::Service(glob) => glob.fits(service.id.as_str()),
                Selector::All => true,
                Selector::Endpoint(_) | Selector::Pool(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_) => false,
            });
            prop_assert_eq!(orders.pin(ix).map(|(_, order)| order), pin);
        }
    }
}

fn used(fleet: &Fleet, to: &Selector, service: &crate::model::Service, pool: PoolIx) -> bool {
    match to {
        Selector::Service(glob) => glob.fits(service.id.as_str()),
        Selector::Pool(glob) => glob.fits(fleet.pool(pool).id.as_str()),
        Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_) | Selector::All => {
            false
        }
    }
}
