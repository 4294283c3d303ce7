use super::*;
use crate::{
    model::{Action, Health, LastGood, PoolAnswer, Secondaries, Steer, WhenNone},
    steer::{compile, sample::World},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

const SOA: &[u8] =
    b"\x02ns\x00\x01h\x00\x00\x00\x00\x07\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x05";

fn world() -> World {
    World::default()
        .zone(
            "example",
            &[("example", kind::SOA, SOA), ("example", kind::NS, b"\x02ns\x00"), ("a.example", 16, b"\x01t")],
        )
        .endpoint("aws-a", "192.0.2.1 2001:db8::1")
        .endpoint("gcp-b", "192.0.2.2")
        .pool("both", PoolAnswer::All, &[("aws-a", 1), ("gcp-b", 1)])
        .pool("first", PoolAnswer::First, &[("aws-a", 1), ("gcp-b", 1)])
        .service("www", Steer::Failover, &[("both", 1)])
        .service("one", Steer::Failover, &[("first", 1)])
}

fn who(has_serial: bool) -> Replication {
    let apex = "example".parse().unwrap();
    let zone = Secondaries { apex, allow: Vec::new(), key: None, notify: Vec::new(), has_serial };
    Replication { keys: Vec::new(), zones: vec![zone] }
}

fn next(world: &World, before: &Editions, seconds: u64) -> Editions {
    let table = compile(&world.snapshot(), None, &LastGood::new());
    Editions::of(&table, &who(false), before, &HashMap::new(), seconds)
}

fn edition(all: &Editions) -> &Arc<Edition> {
    all.get(&"example".parse().unwrap()).unwrap()
}

/// Owner, type, TTL, data of all records but the SOA.
fn records(edition: &Edition) -> BTreeSet<(String, u16, u32, Vec<u8>)> {
    edition.parts().into_iter().flat_map(listed).collect()
}

fn listed(nodes: &Nodes) -> Vec<(String, u16, u32, Vec<u8>)> {
    let each = |node: crate::model::Node<'_>| {
        let sets = node.sets.iter().filter(|set| set.kind != kind::SOA);
        let owner = node.owner().to_string();
        let all = sets.flat_map(|set| set.rdata().map(move |data| (set.kind, set.ttl, data.to_vec())));
        all.map(|(kind, ttl, data)| (owner.clone(), kind, ttl, data)).collect::<Vec<_>>()
    };
    nodes.iter().flat_map(each).collect()
}

fn addresses(edition: &Edition, name: &str) -> Vec<Vec<u8>> {
    let owner = format!("{name}.example.");
    records(edition).into_iter().filter(|record| record.0 == owner && record.1 == kind::A).map(|r| r.3).collect()
}

#[test]
fn a_zone_is_what_a_client_of_no_place_is_answered() {
    let world = world();
    let all = next(&world, &Editions::default(), 1000);
    let edition = edition(&all);
    assert_eq!(
        (edition.serial, edition.soa().rdata().next().unwrap()[7..11].to_vec()),
        (Serial(1000), vec![0, 0, 3, 232])
    );
    assert_eq!(addresses(edition, "www"), [[192, 0, 2, 1], [192, 0, 2, 2]]);
    assert_eq!(addresses(edition, "one"), [[192, 0, 2, 1]], "a pool of first ones has no others");
    assert!(records(edition).contains(&("a.example.".into(), 16, 3600, b"\x01t".to_vec())));
}

#[test]
fn a_change_is_a_new_serial_and_a_step_and_nothing_else_is() {
    let mut world = world();
    let first = next(&world, &Editions::default(), 1000);
    world.generation += 1;
    assert!(next(&world, &first, 1005).is_same(&first), "another table with the same answers");
    world.order(Action::Drain, "provider:aws");
    let second = next(&world, &first, 1005);
    assert_eq!(edition(&second).serial, Serial(1005));
    assert_eq!(addresses(edition(&second), "www"), [[192, 0, 2, 2]]);
    assert_eq!(addresses(edition(&second), "one"), [[192, 0, 2, 2]]);
    let steps = edition(&second).steps_from(Serial(1000)).unwrap();
    let told = |nodes: &Nodes| listed(nodes).into_iter().map(|(name, _, _, data)| (name, data[3])).collect::<Vec<_>>();
    assert_eq!(steps.len(), 1);
    assert_eq!(told(&steps[0].removed), [("one.example.".into(), 1), ("www.example.".into(), 1)]);
    assert_eq!(told(&steps[0].added), [("one.example.".into(), 2)]);
    assert!(edition(&second).steps_from(Serial(999)).is_none());
    let same_second = next(&self::world(), &second, 1005);
    assert_eq!(edition(&same_second).serial, Serial(1006), "the clock has not gone on, and a change is a change");
}

#[test]
fn another_content_at_the_same_serial_has_another_mark() {
    let one = next(&world(), &Editions::default(), 1000);
    let mut world = world();
    assert_eq!(edition(&next(&world, &Editions::default(), 1000)).mark(), edition(&one).mark());
    world.order(Action::Drain, "provider:aws");
    let other = next(&world, &Editions::default(), 1000);
    assert_eq!(edition(&other).serial, edition(&one).serial);
    assert_ne!(edition(&other).mark(), edition(&one).mark());
    let mark = edition(&one).mark();
    let (data, ttl) = (mark.rdata().next().unwrap(), edition(&one).soa().ttl);
    assert_eq!((mark.kind, mark.ttl, &data[..6], data.len()), (63, ttl, &[0, 0, 3, 232, 240, 240][..], 38));
}

#[test]
fn nothing_is_ever_empty() {
    let mut world = world().with_service(|service| service.when_none = WhenNone::Nodata);
    let full = next(&world, &Editions::default(), 1000);
    world.measure("aws-a", Health::Down);
    world.measure("gcp-b", Health::Down);
    let dark = next(&world, &full, 1001);
    assert_eq!(addresses(edition(&dark), "one"), [[192, 0, 2, 1]], "as it was last");
    let dark_from_the_start = next(&world, &Editions::default(), 1001);
    assert_eq!(addresses(edition(&dark_from_the_start), "one"), [[192, 0, 2, 1], [192, 0, 2, 2]]);
}

#[test]
fn a_serial_outlives_a_restart() {
    let mut world = world();
    let first = next(&world, &Editions::default(), 1000);
    let last = |all: &Editions| {
        let edition = edition(all);
        HashMap::from([(edition.apex.clone(), Last { serial: edition.serial, digest: edition.digest })])
    };
    let start = |world: &World, last: &HashMap<DnsName, Last>, seconds, has_serial| {
        let table = compile(&world.snapshot(), None, &LastGood::new());
        edition(&Editions::of(&table, &who(has_serial), &Editions::default(), last, seconds)).serial
    };
    assert_eq!(start(&world, &last(&first), 2000, false), Serial(1000), "nothing has changed");
    assert_eq!(start(&world, &HashMap::new(), 2000, false), Serial(2000));
    world.order(Action::Drain, "provider:aws");
    assert_eq!(start(&world, &last(&first), 2000, false), Serial(2000));
    assert_eq!(start(&world, &last(&first), 500, false), Serial(1001), "the clock went back, the serial does not");
    // A file's own serial is where ours begins, if it is ahead: this one is 7.
    assert_eq!(start(&world, &HashMap::new(), 3, true), Serial(7));
    assert_eq!(start(&world, &HashMap::new(), 3, false), Serial(3));
}

#[test]
fn the_journal_has_an_end() {
    let mut all = next(&world(), &Editions::default(), 1);
    for second in 2..(STEPS_MAX as u64 + 10) {
        let mut world = world();
        if second % 2 == 0 {
            world.order(Action::Drain, "provider:aws");
        }
        all = next(&world, &all, second);
    }
    assert_eq!(edition(&all).steps.len(), STEPS_MAX);
    assert!(edition(&all).steps_from(Serial(1)).is_none(), "it was dropped");
}

/// A zone with some records, and what a service answers.
fn zones() -> impl Strategy<Value = (Vec<(u8, u8, u8)>, u8)> {
    (proptest::collection::vec((0_u8..6, 0_u8..3, 0_u8..4), 0..12), 0_u8..4)
}

fn world_of((fixed, down): &(Vec<(u8, u8, u8)>, u8)) -> World {
    let once: BTreeSet<_> = fixed.iter().collect();
    let names: Vec<(String, u16, Vec<u8>)> = once
        .into_iter()
        .map(|(name, kind, data)| (format!("n{name}.example"), [16, 13, 99][usize::from(*kind)], vec![*data]))
        .collect();
    let mut records = vec![("example", kind::SOA, SOA)];
    records.extend(names.iter().map(|(name, kind, data)| (name.as_str(), *kind, data.as_slice())));
    let mut world = World::default()
        .zone("example", &records)
        .endpoint("aws-a", "192.0.2.1 2001:db8::1")
        .endpoint("gcp-b", "192.0.2.2")
        .pool("both", PoolAnswer::All, &[("aws-a", 1), ("gcp-b", 1)])
        .service("www", Steer::Failover, &[("both", 1)]);
    for (bit, id) in ["aws-a", "gcp-b"].into_iter().enumerate() {
        if down & (1 << bit) != 0 {
            world.measure(id, Health::Down);
        }
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_steps_lead_from_each_edition_to_the_last(course in proptest::collection::vec(zones(), 2..6)) {
        let mut all = Editions::default();
        let mut seen: Vec<Arc<Edition>> = Vec::new();
        for (second, zone) in course.iter().enumerate() {
            all = next(&world_of(zone), &all, second as u64);
            seen.push(Arc::clone(edition(&all)));
        }
        let last = seen.last().unwrap();
        for older in &seen {
            if older.serial == last.serial {
                continue;
            }
            prop_assert!(last.serial.is_after(older.serial));
            let at = last.steps.iter().position(|step| step.from == older.serial).unwrap();
            let mut content = records(older);
            let mut serial = older.serial;
            for step in &last.steps[at..] {
                prop_assert_eq!(step.from, serial);
                for record in listed(&step.removed) {
                    prop_assert!(content.remove(&record), "{:?} was not there", record);
                }
                for record in listed(&step.added) {
                    prop_assert!(content.insert(record.clone()), "{:?} was there", record);
                }
                serial = step.to;
            }
            prop_assert_eq!(serial, last.serial);
            prop_assert_eq!(content, records(last));
        }
    }
}
