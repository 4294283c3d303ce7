//! From a fleet to its names: which zone owns each, what it is there, which empty non-terminals there are.

use std::collections::HashMap;

use super::{Border, BorderIx, Index, Names, Node, NodeIx, Place, SetAt, Way, ZoneTable};
use crate::model::{DnsName, Fleet, NameHash, Nodes, Packing, Rrset, ServiceIx, Sets, Zone, kind};

pub(super) fn build(fleet: &Fleet) -> Names {
    let nesting = Nesting::of(fleet);
    let drafts = Drafts::of(fleet, &nesting);
    let mut borders = Vec::new();
    let places = places(fleet, &drafts, &mut borders);
    let (mut others, other_run) = (Packing::default(), small(fleet.zones.len()));
    let mut nodes: Vec<Node> = Vec::new();
    let owned = |draft: &Draft<'_>| nesting.owner(draft.name) == Some(draft.zone);
    let mut index = Index::for_names(drafts.list.iter().filter(|draft| owned(draft)).count());
    let mut ixs: Vec<Option<NodeIx>> = Vec::with_capacity(drafts.list.len());
    for (draft, place) in drafts.list.iter().zip(places) {
        let owned = owned(draft);
        let (run, at) = draft.at.map_or_else(|| (other_run, others.name(draft.name)), |at| (draft.zone, at));
        let is_plain = run == draft.zone && draft.service.is_none() && place == (Place::Served { wild: None });
        let ix = (!(is_plain && owned) || is_wild(draft.name)).then(|| {
            nodes.push(Node { zone: draft.zone, run, at, service: draft.service, place });
            NodeIx(small(nodes.len() - 1))
        });
        ixs.push(ix);
        if owned {
            index.add(NameHash::of(draft.name), run, at, ix);
        }
    }
    let ix_of = |draft: NodeIx| ixs[draft.0 as usize];
    for node in &mut nodes {
        if let Place::Served { wild } = &mut node.place {
            *wild = wild.and_then(ix_of);
        }
    }
    let zones = (fleet.zones.iter().zip(0_u32..))
        .map(|(zone, ix)| ZoneTable {
            apex: zone.apex.clone(),
            negative: zone.negative(),
            negative_ttl: zone.negative_ttl,
            above: nesting.above(ix).and_then(|above| drafts.place(above, zone.apex.wire())).and_then(ix_of),
        })
        .collect();
    Names {
        zones,
        runs: fleet.zones.iter().map(|zone| zone.nodes.clone()).chain([others.finish()]).collect(),
        index,
        count: drafts.list.len(),
        steered: drafts.list.iter().filter(|draft| draft.service.is_some()).count(),
        nodes: nodes.into(),
        borders: borders.into(),
    }
}

fn is_wild(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a fleet has far fewer than 2^32 names and records")
}

/// Whether a name is `apex` or lies below it.
fn is_within(name: &[u8], apex: &[u8]) -> bool {
    std::iter::successors(Some(name), |name| parent(name)).any(|name| name == apex)
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
    /// Its place in the zone's run, if it has records.
    at: Option<u32>,
    sets: Sets<'f>,
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
            for (at, node) in zone.nodes.with_places() {
                let name = node.name;
                let owner = nesting.owner(name);
                let border = nesting.apexes.get(name).is_some_and(|inner| nesting.above(*inner) == Some(ix));
                // The rest lies inside another zone of ours and could only be glue.
                if is_within(name, zone.apex.wire()) && (owner == Some(ix) || border) {
                    let place = drafts.add(fleet, ix, name);
                    let draft = &mut drafts.list[place.0 as usize];
                    (draft.at, draft.sets) = (Some(at), node.sets);
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
            self.list.push(Draft { zone, name: rest, at: None, sets: Sets::default(), service: None });
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
        let at = |kind| draft.at.filter(|_| draft.sets.find(kind).is_some()).map(|place| SetAt { place, kind });
        let mut border = |way| {
            let owner = DnsName::from_wire(draft.name).expect("it came from a name");
            borders.push(Border { owner, zone: draft.zone, way });
            BorderIx(small(borders.len() - 1))
        };
        if let (Some(ns), false) = (at(kind::NS), apex) {
            places[ix] = Place::Cut(border(Way::Cut { ns, glue: glue(&zone.nodes, ns.of(&zone.nodes)) }));
        } else if let Some(dname) = at(kind::DNAME) {
            places[ix] = Place::Redirects(border(Way::Dname(dname)));
        }
        if let (Some(above), true) = (above, is_wild(draft.name)) {
            places[above.0 as usize] = Place::Served { wild: Some(NodeIx(small(ix))) };
        }
    }
    places
}

/// Addresses of the servers of a cut, wherever in the zone they lie.
fn glue(nodes: &Nodes, ns: Rrset<'_>) -> Box<[SetAt]> {
    let servers = ns.rdata().filter_map(|rdata| nodes.place(&DnsName::from_wire(rdata).ok()?));
    let addresses = |place: u32| nodes.at(place).sets.iter().filter(|set| matches!(set.kind, kind::A | kind::AAAA));
    servers.flat_map(|place| addresses(place).map(move |set| SetAt { place, kind: set.kind })).collect()
}
