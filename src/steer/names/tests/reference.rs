//! The reference: for each question it walks all zones and all names.

use proptest::prelude::*;

use super::{shown, table};
use crate::{
    model::{DnsName, Fleet, PoolAnswer, Sets, Steer, Zone, kind},
    steer::sample::World,
};

fn lookup(fleet: &Fleet, name: &DnsName, asked: u16) -> String {
    // The deepest zone at or above the name; DS of an apex belongs to the zone around it.
    let mut zones: Vec<&Zone> = fleet.zones.iter().filter(|zone| name.is_within(&zone.apex)).collect();
    zones.sort_by_key(|zone| std::cmp::Reverse(zone.apex.label_count()));
    let Some(deepest) = zones.first() else { return "not ours".into() };
    let zone = match zones.get(1) {
        Some(around) if asked == kind::DS && *name == deepest.apex => around,
        _ => deepest,
    };
    let apex = &zone.apex;
    let sets = |name: &DnsName| -> Sets<'_> { zone.nodes.sets(name) };
    let has = |name: &DnsName, kind: u16| sets(name).iter().any(|set| set.kind == kind);
    // From the apex down: cuts and DNAMEs on the way.
    let path: Vec<DnsName> =
        std::iter::successors(Some(name.clone()), DnsName::parent).take_while(|one| one.is_within(apex)).collect();
    for node in path.iter().rev() {
        if node != apex && has(node, kind::NS) && !(node == name && asked == kind::DS) {
            return format!("{apex} refers at {node}");
        }
        if node != name && has(node, kind::DNAME) && (node == apex || !has(node, kind::NS)) {
            return format!("{apex} redirects at {node}");
        }
    }
    // A name exists if it or something below it owns anything here: records, a service, a zone.
    let is_deepest = |owner: &DnsName| {
        !fleet.zones.iter().any(|other| {
            other.apex.label_count() > apex.label_count() && other.apex.is_within(apex) && owner.is_within(&other.apex)
        })
    };
    let mut owners: Vec<DnsName> = vec![apex.clone()];
    owners.extend(zone.nodes.iter().map(|node| node.owner()).filter(is_deepest));
    owners.extend(fleet.zones.iter().map(|other| other.apex.clone()));
    owners.extend(fleet.services.iter().flat_map(|service| service.names.iter().cloned()).filter(is_deepest));
    let exists = |one: &DnsName| owners.iter().any(|owner| owner.is_within(apex) && owner.is_within(one));
    let found = |at: &DnsName, wildly: &str| {
        let mut kinds: Vec<u16> = sets(at).iter().map(|set| set.kind).collect();
        kinds.sort_unstable();
        let service = fleet.services.iter().find(|service| is_deepest(at) && service.names.contains(at));
        let service = service.map(|service| format!(" {}", service.id)).unwrap_or_default();
        format!("{apex} has{wildly} {kinds:?}{service}")
    };
    if exists(name) {
        return found(name, "");
    }
    let encloser = path.iter().find(|one| exists(one)).expect("the apex exists");
    match encloser.prepend(b"*") {
        Ok(wild) if exists(&wild) && has(&wild, kind::NS) => format!("{apex} refers at {wild}"),
        Ok(wild) if exists(&wild) => found(&wild, " wildly"),
        _ => format!("{apex} has not"),
    }
}

/// Names of up to four labels out of `a`, `b` and `*`, so that they meet often.
fn name() -> impl Strategy<Value = DnsName> {
    let label = prop::sample::select(vec!["a", "b", "*"]);
    prop::collection::vec(label, 0..4).prop_map(|labels| format!("{}.", labels.join(".")).parse().unwrap())
}

fn records() -> impl Strategy<Value = Vec<(DnsName, u16)>> {
    let kinds = vec![kind::A, kind::TXT, kind::TXT, kind::NS, kind::DS, kind::DNAME];
    prop::collection::vec((name(), prop::sample::select(kinds)), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn lookups_agree_with_the_reference(
        apexes in prop::collection::btree_set(name(), 1..4),
        records in records(),
        steered in prop::collection::btree_set(name(), 0..3),
        asked in prop::collection::vec((name(), prop::sample::select(vec![kind::A, kind::DS])), 24),
    ) {
        let mut world = World::default().endpoint("e", "192.0.2.1").pool("p", PoolAnswer::All, &[("e", 1)]);
        for apex in &apexes {
            world = world.zone(&apex.to_string(), &[]);
            let mut own: Vec<&(DnsName, u16)> = records.iter().filter(|(name, _)| name.is_within(apex)).collect();
            own.sort_unstable();
            own.dedup();
            let records = own.into_iter().map(|(name, kind)| (name.clone(), *kind, 1, b"\x03ns0\x00"));
            world.parts.zones.last_mut().unwrap().nodes = records.collect();
        }
        let names: Box<[DnsName]> = (steered.into_iter())
            .filter(|name| apexes.iter().any(|apex| name.is_within(apex)))
            .collect();
        if !names.is_empty() {
            world = world.service("s", Steer::Failover, &[("p", 1)]).with_service(|service| service.names = names);
        }
        let table = table(&world);
        let snapshot = world.snapshot();
        for (name, kind) in asked {
            prop_assert_eq!(shown(&table, &name, kind), lookup(&snapshot.fleet, &name, kind), "{} {}", name, kind);
        }
    }
}
