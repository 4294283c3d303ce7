//! What is left, what is carried, and what is assumed.

use std::{collections::HashMap, sync::Arc};

use super::*;
use crate::{
    judge::sample::{order, parts},
    model::{Action, Cause, Digest, Feeds, Fleet, Load, Mono, Now, Override, Tally, Verdict, Wall},
};

/// Service `one` has four endpoints that carry 100 each.
fn snapshot(down: &[usize], orders: &[Override], loads: &[(usize, f64)], capacity: Option<u32>) -> Snapshot {
    let mut parts = parts(4);
    parts.endpoints.iter_mut().for_each(|endpoint| endpoint.capacity = capacity);
    let fleet = Fleet::assemble(parts).unwrap();
    let of = |ix: usize| {
        let health = if down.contains(&ix) { Health::Down } else { Health::Up };
        Verdict {
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
        }
    };
    let verdicts = fleet.subjects.iter().flat_map(|subject| [Some(of(subject.endpoint.index())), None]).collect();
    let loads: HashMap<_, _> = loads.iter().map(|(ix, load)| (fleet.endpoints[*ix].id.clone(), Load(*load))).collect();
    Snapshot {
        node: "n1".parse().unwrap(),
        generation: 1,
        digest: Digest::default(),
        at: Now { mono: Mono(0), wall: Wall(0) },
        verdicts,
        overrides: orders.into(),
        planned: Arc::default(),
        ended: Arc::default(),
        feeds: Arc::new(Feeds { loads, ..Feeds::default() }),
        here: crate::model::Here::default(),
        fleet,
    }
}

#[test]
fn too_little_is_left_when_what_serves_cannot_carry_the_load() {
    let check = |down: &[usize], orders: &[Override], loads: &[(usize, f64)], serving: u8, short: bool| {
        let found = after(&snapshot(down, orders, loads, Some(100)), ServiceIx::new(0)).unwrap();
        assert_eq!((found.serving_percent(), found.is_short()), (serving, short), "{down:?} {loads:?} {found:?}");
    };
    check(&[], &[], &[], 100, false);
    check(&[0], &[], &[], 75, false);
    check(&[0, 1], &[], &[], 50, true);
    check(&[0], &[order(1, Action::Drain, "endpoint:e1")], &[], 50, true);
    check(&[0], &[order(1, Action::Up, "endpoint:e0")], &[], 100, false);
    check(&[], &[order(1, Action::Down, "pool:a")], &[], 50, true);
    let all = |load: f64| [(0, load), (1, load), (2, load), (3, load)];
    check(&[0, 1], &[], &all(40.0), 50, false);
    check(&[0, 1, 2], &[], &all(40.0), 25, true);
    check(&[0, 1, 2, 3], &[], &all(1.0), 0, true);
    check(&[0], &[], &[(1, 90.0), (2, 90.0), (3, 90.0)], 75, false);
    check(&[0], &[], &[(0, 90.0), (1, 90.0), (2, 90.0), (3, 90.0)], 75, true);
    check(&[0], &[], &[(1, 101.0), (2, 101.0)], 75, false);
    check(&[0], &[], &[(1, 131.0), (2, 101.0)], 75, true);
}

#[test]
fn a_service_that_states_no_capacity_is_not_judged() {
    assert_eq!(after(&snapshot(&[0, 1], &[], &[], None), ServiceIx::new(0)), None);
}
