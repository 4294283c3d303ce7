//! From a fleet to its names: which zone owns each, what it is there, which empty non-terminals there are.

use std::collections::HashMap;

use super::{Border, BorderIx, Index, Names, Node, NodeIx, Place, Rrset, Way, ZoneTable};
use crate::model::{DnsName, Fleet, RecordSet, ServiceIx, Zone, kind};

pub(super) fn build(fleet: &Fleet) -> Names {
    let nesting = Nesting::of(fleet);
    let drafts = Drafts::of(fleet, &nesting);
    let mut borders = Vec::new();
    let places = places(fleet, &drafts, &mut borders);
    let mut sets = Vec::new();
    let nodes: Box<[Node]> = (drafts.list.iter().zip(places))
        .map(|(draft, place)| {
            let from = sets.len();
            sets.extend(draft.sets.iter().map(Rrset::from));
            Node {
                zone: draft.zone,
                sets_from: small(from),
                sets_count: small(sets.len() - from),
                service: draft.service,
                place,
            }
        })
        .collect();
    let zones = (fleet.zones.iter().zip(0_u32..))
        .map(|(zone, ix)| ZoneTable {
            apex: zone.apex.clone(),
            // The configuration writes an SOA into each zone; a fleet made by hand may lack it and still compiles.
            soa: zone
                .set(&zone.apex, kind::SOA)
                .map_or_else(|| Rrset { kind: kind::SOA, ttl: zone.negative_ttl, rdata: Box::default() }, Rrset::from),
            negative_ttl: zone.negative_ttl,
            above: nesting.above(ix).and_then(|above| drafts.place(above, zone.apex.wire())),
        })
        .collect();
    let owned = drafts.list.iter().zip(0_u32..).filter(|(draft, _)| nesting.owner(draft.name) == Some(draft.zone));
    Names {
        zones,
        index: Index::new(owned.map(|(draft, ix)| (draft.name, ix))),
        steered: drafts.list.iter().filter(|draft| draft.service.is_some()).count(),
        nodes,
        sets: sets.into(),
        borders: borders.into(),
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a fleet has far fewer than 2^32 names and records")
}

/// The name without its first label; nothing above the root.
fn parent(name: &[u8]) -> Option<&[u8]> {
    match usize::from(*name.first()?) {
        0 => None,
        length => name.get(1 + length..),
    }
}

/// Zones within zones.
struct Nesting<'f> {
    apexes: HashMap<&'f [u8], u32>,
    zones: &'f [Zone],
}

impl<'f> Nesting<'f> {
    fn of(fleet: &'f Fleet) -> Self {
        let apexes = fleet.zones.iter().zip(0_u32..).map(|(zone, ix)| (zone.apex.wire(), ix)).collect();
        Self { apexes, zones: &fleet.zones }
    }

    /// The zone with the longest apex at or above a name.
    fn owner(&self, name: &[u8]) -> Option<u32> {
        std::iter::successors(Some(name), |name| parent(name)).find_map(|name| self.apexes.get(name).copied())
    }

    /// The nearest zone around a zone.
    fn above(&self, zone: u32) -> Option<u32> {
        self.owner(parent(self.zones[zone as usize].apex.wire())?)
    }
}

/// A name in a zone, before it is known what it is there.
struct Draft<'f> {
    zone: u32,
    name: &'f [u8],
    sets: &'f [RecordSet],
    service: Option<ServiceIx>,
}

struct Drafts<'f> {
    list: Vec<Draft<'f>>,
    places: HashMap<(u32, &'f [u8]), NodeIx>,
}

impl<'f> Drafts<'f> {
    fn of(fleet: &'f Fleet, nesting: &Nesting<'f>) -> Self {
        let mut drafts = Self { list: Vec::new(), places: HashMap::new() };
        for (zone, ix) in fleet.zones.iter().zip(0_u32..) {
            drafts.add(fleet, ix, zone.apex.wire());
            // To the zone around it, this apex is a name like any other (and the ones between are not absent).
            if let Some(above) = nesting.above(ix) {
                drafts.add(fleet, above, zone.apex.wire());
            }
        }
        for (zone, ix) in fleet.zones.iter().zip(0_u32..) {
            for (name, sets) in &zone.nodes {
                let owner = nesting.owner(name.wire());
                let border = nesting.apexes.get(name.wire()).is_some_and(|inner| nesting.above(*inner) == Some(ix));
                // The rest lies inside another zone of ours and could only be glue.
                if name.is_within(&zone.apex) && (owner == Some(ix) || border) {
                    let node = drafts.add(fleet, ix, name.wire());
                    drafts.list[node.0 as usize].sets = sets;
                }
            }
        }
        for (service, about) in fleet.services() {
            for name in &about.names {
                if let Some(zone) = nesting.owner(name.wire()) {
                    let node = drafts.add(fleet, zone, name.wire());
                    drafts.list[node.0 as usize].service = Some(service);
                }
            }
        }
        drafts
    }

    /// Adds a name and the empty non-terminals above it, as far as they are missing.
    fn add(&mut self, fleet: &Fleet, zone: u32, name: &'f [u8]) -> NodeIx {
        let apex = fleet.zones[zone as usize].apex.wire();
        let mut rest = name;
        while !self.places.contains_key(&(zone, rest)) {
            self.places.insert((zone, rest), NodeIx(small(self.list.len())));
            self.list.push(Draft { zone, name: rest, sets: &[], service: None });
            match parent(rest) {
                Some(above) if rest != apex => rest = above,
                Some(_) | None => break,
            }
        }
        self.places[&(zone, name)]
    }

    fn place(&self, zone: u32, name: &[u8]) -> Option<NodeIx> {
        self.places.get(&(zone, name)).copied()
    }
}

/// From the apex down: the first cut or DNAME on the way hides all below it (RFC 1034 section 4.2, RFC 6672
/// section 2.4).
fn places(fleet: &Fleet, drafts: &Drafts<'_>, borders: &mut Vec<Border>) -> Vec<Place> {
    let mut places = vec![Place::Served { wild: None }; drafts.list.len()];
    let mut order: Vec<usize> = (0..drafts.list.len()).collect();
    // A parent's name is shorter than its child's.
    order.sort_by_key(|ix| drafts.list[*ix].name.len());
    for ix in order {
        let draft = &drafts.list[ix];
        let zone = &fleet.zones[draft.zone as usize];
        let apex = draft.name == zone.apex.wire();
        let above = parent(draft.name).filter(|_| !apex).and_then(|above| drafts.place(draft.zone, above));
        if let Some(above) = above {
            match places[above.0 as usize] {
                Place::Served { .. } => {}
                Place::Redirects(border) | Place::Cut(border) | Place::Beyond(border) => {
                    places[ix] = Place::Beyond(border);
                    continue;
                }
            }
        }
        let set = |kind| draft.sets.iter().find(|set| set.kind == kind);
        let mut border = |way| {
            let owner = DnsName::from_wire(draft.name).expect("it came from a name");
            borders.push(Border { owner, zone: draft.zone, way });
            BorderIx(small(borders.len() - 1))
        };
        if let Some(ns) = set(kind::NS).filter(|_| !apex) {
            places[ix] = Place::Cut(border(Way::Cut { ns: ns.into(), glue: glue(zone, ns) }));
        } else if let Some(dname) = set(kind::DNAME) {
            places[ix] = Place::Redirects(border(Way::Dname(dname.into())));
        }
        let wild = draft.name.starts_with(b"\x01*");
        if let (Some(above), true) = (above, wild) {
            places[above.0 as usize] = Place::Served { wild: Some(NodeIx(small(ix))) };
        }
    }
    places
}

/// Addresses of the servers of a cut, wherever in the zone they lie.
fn glue(zone: &Zone, ns: &RecordSet) -> Box<[(DnsName, Rrset)]> {
    let servers = ns.rdata.iter().filter_map(|rdata| DnsName::from_wire(rdata).ok());
    servers
        .flat_map(|server| {
            let sets = zone.nodes.get(&server).into_iter().flatten();
            let sets = sets.filter(|set| matches!(set.kind, kind::A | kind::AAAA));
            sets.map(move |set| (server.clone(), set.into())).collect::<Vec<_>>()
        })
        .collect()
}

impl From<&RecordSet> for Rrset {
    fn from(set: &RecordSet) -> Self {
        Self { kind: set.kind, ttl: set.ttl, rdata: set.rdata.clone().into() }
    }
}
