//! The model against figures worked out by hand, and what must hold for any of them.

use proptest::prelude::*;

use super::*;

fn detection(interval: u64, fall: u32, timeout: u64, needed: u32, vantages: u32, ttl: u64) -> Detection {
    let seconds = Duration::from_secs;
    Detection {
        interval: seconds(interval),
        recheck: seconds(interval),
        timeout: seconds(timeout),
        fall,
        vantages,
        needed,
        propagation: Duration::from_millis(500),
        ttl: seconds(ttl),
    }
}

fn sites(count: usize) -> Vec<Site> {
    vec![Site { availability: 0.999, repair: Duration::from_secs(3600), share: 1.0 / count as f64 }; count]
}

#[test]
fn detection_takes_what_the_formula_says() {
    for (of, mean, seen) in [
        (detection(5, 3, 2, 3, 5, 30), 15.0, 30.0),
        (detection(5, 2, 2, 3, 5, 30), 10.0, 25.0),
        (detection(2, 3, 1, 3, 5, 20), 6.5, 16.5),
        (detection(10, 3, 4, 3, 5, 60), 29.5, 59.5),
        (detection(30, 3, 4, 3, 5, 60), 79.5, 109.5),
    ] {
        let model = Model { sites: sites(2), detection: of, assumptions: Assumptions::default() };
        let forecast = model.forecast();
        assert!((forecast.decision_mean_s - mean).abs() < 0.01, "{of:?}: {}", forecast.decision_mean_s);
        assert!((forecast.failover_mean_s - seen).abs() < 0.01, "{of:?}: {}", forecast.failover_mean_s);
    }
    // While it wavers a target is asked sooner.
    let hurried = Detection { recheck: Duration::from_secs(3), ..detection(10, 3, 2, 1, 1, 30) };
    assert!((hurried.mean_s() - (5.0 + 6.0 + 2.0)).abs() < 0.01 && (hurried.worst_s() - 23.0).abs() < 0.01);
}

#[test]
fn the_second_region_buys_most_and_the_third_nearly_nothing() {
    // No shared causes, no tail, failover in about a minute for all who are hit.
    let lost = |count: usize| {
        let assumptions = Assumptions { common_cause: 0.0, probe_error: 0.0, dns: 1.0 };
        let model = Model { sites: sites(count), detection: detection(5, 3, 2, 3, 5, 30), assumptions };
        let forecast = model.forecast();
        (forecast.all_out_min, forecast.failing_over_min)
    };
    assert!((lost(1).0 - 526.0).abs() < 0.1 && lost(1).1 == 0.0);
    assert!((lost(2).0 - 0.53).abs() < 0.01 && lost(3).0 < 0.001);
    // 8.77 outages a year, each hits half the users: about 104 s with the tail.
    assert!((lost(2).1 - 8.77 * 104.1 / 60.0).abs() < 0.1, "{:?}", lost(2));
    assert!((lost(3).1 - lost(2).1).abs() < 0.01, "the same users fail over as often");
}

#[test]
fn the_tail_is_the_one_that_was_measured() {
    assert!((still_old(20.0, 60.0) - 0.10).abs() < 0.01, "{}", still_old(20.0, 60.0));
    assert!((still_old(20.0, 900.0) - 0.02).abs() < 0.002, "{}", still_old(20.0, 900.0));
    assert!((still_old(20.0, 0.0) - 1.0).abs() < 1e-9);
}

#[test]
fn shared_causes_bound_what_more_vantages_buy() {
    let rate = |needed, vantages, common_cause| {
        let assumptions = Assumptions { common_cause, probe_error: 0.01, ..Assumptions::default() };
        Model { sites: sites(2), detection: detection(5, 3, 2, needed, vantages, 30), assumptions }.false_failovers()
    };
    assert!(rate(2, 3, 0.0) < rate(1, 1, 0.0) / 1_000.0);
    assert!(rate(6, 10, 0.0) < rate(2, 3, 0.0) / 1_000.0);
    assert!(rate(6, 10, 0.01) > rate(2, 3, 0.01) * 0.9, "the shared part stays");
}

#[test]
fn a_year_has_its_minutes() {
    assert!((at_least(3, 2, 0.5) - 0.5).abs() < 1e-12 && (choose(10, 6) - 210.0).abs() < 1e-9);
    let one_more =
        Model { sites: sites(2), detection: detection(5, 3, 2, 2, 3, 30), assumptions: Assumptions::default() };
    let shares: f64 = one_more.with_one_more().sites.iter().map(|site| site.share).sum();
    assert!((shares - 1.0).abs() < 1e-9);
}

proptest! {
    /// Better parts never make a worse whole, and every figure is one.
    #[test]
    fn better_parts_make_no_worse_whole(count in 1_usize..6, availability in 0.5_f64..1.0, better in 0.0_f64..1.0,
        interval in 1_u64..60, fall in 1_u32..6, ttl in 0_u64..600, vantages in 1_u32..8)
    {
        let of = |availability: f64, ttl: u64, interval: u64| {
            let site = Site { availability, repair: Duration::from_secs(1800), share: 1.0 / count as f64 };
            let detection = detection(interval, fall, 1, vantages / 2 + 1, vantages, ttl);
            Model { sites: vec![site; count], detection, assumptions: Assumptions::default() }.forecast()
        };
        let base = of(availability, ttl, interval);
        prop_assert!((0.0..=1.0).contains(&base.availability));
        prop_assert!(base.decision_mean_s <= base.decision_worst_s + 1e-9);
        let finer = of(availability + (1.0 - availability) * better, ttl, interval);
        prop_assert!(base.availability <= finer.availability + 1e-12);
        prop_assert!(base.availability <= of(availability, ttl / 2, interval).availability + 1e-12);
        prop_assert!(base.availability <= of(availability, ttl, interval.div_ceil(2)).availability + 1e-12);
    }
}
