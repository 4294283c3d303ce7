use proptest::prelude::*;

use super::*;
use crate::{judge::sample, model::Action};

fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[test]
fn a_share_grows_from_a_tenth_to_the_whole() {
    let check = |at: u64, expected: u8| {
        assert_eq!(share(Some(Mono(10_000)), Mono(10_000 + at), secs(90)), expected, "{at} ms");
    };
    check(0, 10);
    check(9_999, 10);
    check(10_000, 20);
    check(45_000, 50);
    check(89_999, 90);
    check(90_000, 100);
    check(u64::MAX - 10_000, 100);
    assert_eq!(share(None, Mono(0), secs(90)), 100);
    assert_eq!(share(Some(Mono(7)), Mono(7), secs(0)), 100);
}

#[test]
fn those_who_return_within_a_second_take_their_steps_together() {
    let steps = |returned: u64| {
        let first = Some(Mono(returned));
        std::iter::successors(next_step(first, Mono(returned), secs(300)), |at| next_step(first, *at, secs(300)))
            .collect::<Vec<_>>()
    };
    assert_eq!(steps(10_001), steps(10_600));
    assert_eq!(steps(10_001).len(), 9);
}

#[test]
fn a_drain_with_over_shrinks_from_nine_tenths_to_nothing() {
    let mut order = sample::order(1, Action::Drain, "all");
    order.from = Wall(1_000_000);
    assert_eq!(over_share(&order, Wall(1_000_000)), 0);
    order.over = Some(secs(1_800));
    let check = |after: u64, expected: u8| {
        assert_eq!(over_share(&order, Wall(1_000_000 + after * 1000)), expected, "{after} s");
    };
    check(0, 90);
    check(199, 90);
    check(200, 80);
    check(1_799, 10);
    check(1_800, 0);
    check(90_000, 0);
    assert_eq!(over_share(&order, Wall(0)), 90);
    assert_eq!(next_over_step(&order, Wall(1_000_000)), Some(Wall(1_200_000)));
    assert_eq!(next_over_step(&order, Wall(2_800_000)), None);
}

#[test]
fn a_pool_is_open_since_enough_of_it_serves() {
    let check = |members: &[(bool, Option<u64>)], min_up: MinUp, expected: Opened| {
        let members: Vec<_> = members.iter().map(|(serves, at)| (Weight(1), *serves, at.map(Mono))).collect();
        assert_eq!(open_since(&members, min_up), expected, "{members:?} {min_up:?}");
    };
    check(&[(true, None), (true, Some(9))], MinUp::Auto, Opened::Always);
    check(&[(true, Some(4)), (true, Some(9))], MinUp::Auto, Opened::Since(Mono(4)));
    check(&[(false, None), (true, Some(9))], MinUp::Auto, Opened::Since(Mono(9)));
    check(&[(true, Some(4)), (true, Some(9)), (true, Some(7))], MinUp::Count(2), Opened::Since(Mono(7)));
    check(&[(false, Some(4)), (false, None)], MinUp::Auto, Opened::Never);
    check(&[(true, None)], MinUp::Count(2), Opened::Never);
    assert!(Opened::Since(Mono(5_000)).is_young(Mono(14_999), secs(10)));
    assert!(!Opened::Since(Mono(5_000)).is_young(Mono(15_000), secs(10)));
    assert!(!Opened::Since(Mono(5_000)).is_young(Mono(5_000), secs(0)));
    assert!(!Opened::Always.is_young(Mono(0), secs(10)));
}

#[test]
fn the_window_takes_in_every_failback_and_ramp() {
    let mut parts = sample::parts(4);
    assert_eq!(longest(&Fleet::assemble(parts.clone()).unwrap()), Duration::ZERO);
    parts.services[0].tuning.failback = secs(60);
    parts.services[1].tuning.ramp = secs(30);
    parts.pools[2].ramp = Some(secs(300));
    assert_eq!(longest(&Fleet::assemble(parts).unwrap()), secs(362));
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..1_000_000, Just(u64::MAX - 5)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// The share only grows, changes exactly where `next_step` says, and is whole after the ramp and a second.
    #[test]
    fn shares_change_where_the_next_step_says(returned in time(), after in 0_u64..900_000, ramp in 0_u64..600_000) {
        let ramp = Duration::from_millis(ramp);
        let (from, now) = (Some(Mono(returned)), Mono(returned.saturating_add(after)));
        let held = share(from, now, ramp);
        prop_assert!((10..=100).contains(&held) && held.is_multiple_of(10));
        match next_step(from, now, ramp) {
            Some(next) => {
                prop_assert!(now < next);
                prop_assert_eq!(share(from, Mono(next.0 - 1), ramp), held);
                prop_assert!(share(from, next, ramp) > held);
            }
            None => prop_assert_eq!(held, 100),
        }
        if returned < 1_000_000 {
            let whole = returned + ms(ramp) + GRID_MS;
            prop_assert_eq!(share(from, Mono(whole), ramp), 100);
        }
    }

    /// All that may change of a return lies on marks, and none lies behind the window.
    #[test]
    fn every_change_has_its_mark(returned in 0_u64..100_000, after in 0_u64..900_000, failback in 0_u64..300_000,
        ramp in 0_u64..300_000)
    {
        let (failback, ramp) = (Duration::from_millis(failback), Duration::from_millis(ramp));
        let (back, now) = (Mono(returned), Mono(returned + after));
        let opened = Opened::Since(back);
        let seen = |at: Mono| {
            (opened.is_young(at, failback), share(Some(back), at, ramp), share(opened.ramps_from(failback), at, ramp))
        };
        match next_mark(back, now, failback, ramp) {
            Some(next) => {
                prop_assert!(now < next);
                prop_assert!(next.0 <= returned + ms(failback) + ms(ramp) + 2 * GRID_MS);
                prop_assert_eq!(seen(Mono(next.0 - 1)), seen(now));
            }
            None => prop_assert_eq!(seen(now), (false, 100, 100)),
        }
    }

    /// One more member that serves never makes a pool younger.
    #[test]
    fn more_that_serves_makes_no_pool_younger(
        members in prop::collection::vec((0_u16..9, any::<bool>(), prop::option::of(0_u64..50)), 1..9),
        at in 0_usize..9, count in 1_u16..6, share in 1_u8..=100)
    {
        let members: Vec<_> = members.into_iter().map(|(w, serves, at)| (Weight(w), serves, at.map(Mono))).collect();
        let mut better = members.clone();
        better[at % members.len()].1 = true;
        better[at % members.len()].2 = None;
        for min_up in [MinUp::Auto, MinUp::Count(count), MinUp::Share(share)] {
            let (before, after) = (open_since(&members, min_up), open_since(&better, min_up));
            prop_assert!(after <= before, "{:?} {:?}", before, after);
            let all: Strength = members.iter().map(|(weight, serves, _)| (*weight, *serves)).collect();
            prop_assert_eq!(before == Opened::Never, !all.opens(min_up));
        }
    }

    /// A slow drain only shrinks, and is out at its end.
    #[test]
    fn a_slow_drain_only_shrinks(from in 0_u64..1_000_000, after in 0_u64..900_000, over in 1_u64..600_000) {
        let mut order = sample::order(1, Action::Drain, "all");
        (order.from, order.over) = (Wall(from), Some(Duration::from_millis(over)));
        let now = Wall(from + after);
        let held = over_share(&order, now);
        prop_assert!(held <= 90 && held.is_multiple_of(10));
        match next_over_step(&order, now) {
            Some(next) => {
                prop_assert_eq!(over_share(&order, Wall(next.0 - 1)), held);
                prop_assert!(over_share(&order, next) < held);
            }
            None => prop_assert_eq!(held, 0),
        }
        prop_assert_eq!(over_share(&order, Wall(from + over + GRID_MS)), 0);
    }
}
