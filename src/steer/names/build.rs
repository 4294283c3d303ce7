//! From a fleet to its names: which zone owns each, what it is there, which empty non-terminals there are.
//!
//! Why the index first: nearly every name of a large zone has nothing to be said of it but its records, and for those the
//! index is all there is. Nodes are made for the rest as it is found.

use std::{collections::HashMap, sync::Arc};

use super::{Border, BorderIx, Index, Names, Negative, Node, NodeIx, Place, SetAt, Slot, Way, ZoneTable};
use crate::model::{
    DnsName, Fleet, NameHash, Nodes, Packing, Rrset, Zone, kind, name_is_within, name_parent as parent,
};

pub(super) fn build(fleet: &Fleet) -> (Names, Arc<[ZoneTable]>) {
    let nesting = Nesting::of(fleet);
    let mut building = Building::of(fleet, &nesting);
    building.records();
    building.services();
    building.seams();
    building.gaps();
    building.borders();
    building.wildcards();
    building.finish()
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("a fleet has far fewer than 2^32 names and records")
}

fn is_wild(name: &[u8]) -> bool {
    name.starts_with(b"\x01*")
}

/// Zones within zones.
struct Nesting<'f> {
    apexes: HashMap<&'f [u8], u32>,
    zones: &'f [Zone],
    /// For each zone the nearest one around it.
    above: Vec<Option<u32>>,
    /// Whether there is a zone inside it.
    has_inner: Vec<bool>,
}

impl<'f> Nesting<'f> {
    fn of(fleet: &'f Fleet) -> Self {
        let apexes = fleet.zones.iter().zip(0_u32..).map(|(zone, ix)| (zone.apex.wire(), ix)).collect();
        let mut nesting =
            Self { apexes, zones: &fleet.zones, above: Vec::new(), has_inner: vec![false; fleet.zones.len()] };
        let above = |zone: &Zone| nesting.owner(parent(zone.apex.wire())?);
        nesting.above = fleet.zones.iter().map(above).collect();
        for above in nesting.above.iter().flatten() {
            nesting.has_inner[*above as usize] = true;
        }
        nesting
    }

    /// The zone with the longest apex at or above a name.
    fn owner(&self, name: &[u8]) -> Option<u32> {
        std::iter::successors(Some(name), |name| parent(name)).find_map(|name| self.apexes.get(name).copied())
    }

    /// Whether a name that is or may be of a zone is its own: within it, and within none inside it.
    fn owns(&self, zone: u32, name: &[u8]) -> bool {
        match self.has_inner[zone as usize] {
            true => self.owner(name) == Some(zone),
            false => name_is_within(name, self.apex(zone)),
        }
    }

    fn apex(&self, zone: u32) -> &'f [u8] {
        self.zones[zone as usize].apex.wire()
    }
}

/// A name as one zone sees it.
#[derive(Clone, Copy)]
struct Site<'f> {
    zone: u32,
    name: &'f [u8],
    /// Where its records are in the zone's run.
    at: Option<u32>,
    /// It is the apex of this zone, seen from the zone around it.
    seam: Option<u32>,
}

struct Building<'f, 'n> {
    fleet: &'f Fleet,
    nesting: &'n Nesting<'f>,
    index: Index,
    nodes: Vec<Node>,
    borders: Vec<Border>,
    /// Names that no zone has records for.
    others: Packing,
    /// For each zone its apex as the zone around it sees it.
    seams: Vec<Option<NodeIx>>,
    /// Empty non-terminals.
    gaps: Vec<Site<'f>>,
    steered: usize,
}

impl<'f, 'n> Building<'f, 'n> {
    fn of(fleet: &'f Fleet, nesting: &'n Nesting<'f>) -> Self {
        let fixed: usize = fleet.zones.iter().map(|zone| zone.nodes.len() + 1).sum();
        let steered: usize = fleet.services.iter().map(|service| service.names.len()).sum();
        Self {
            fleet,
            nesting,
            index: Index::for_names(fixed + steered),
            nodes: Vec::with_capacity(fleet.zones.len() + steered),
            borders: Vec::new(),
            others: Packing::default(),
            seams: vec![None; fleet.zones.len()],
            gaps: Vec::new(),
            steered: 0,
        }
    }

    /// Every name that has records in the zone it belongs to, and every apex.
    fn records(&mut self) {
        for (zone, ix) in self.fleet.zones.iter().zip(0_u32..) {
            for (at, node) in zone.nodes.with_places() {
                if self.nesting.owns(ix, node.name) {
                    self.insert(node.name, ix, at, None);
                }
            }
            self.node_of(ix, zone.apex.wire());
        }
    }

    fn services(&mut self) {
        for (service, about) in self.fleet.services() {
            for name in &about.names {
                if let Some(zone) = self.nesting.owner(name.wire()) {
                    let ix = self.node_of(zone, name.wire());
                    self.nodes[ix.0 as usize].service = Some(service);
                    self.steered += 1;
                }
            }
        }
    }

    /// To the zone around it, an apex is a name like any other.
    fn seams(&mut self) {
        for (zone, inner) in self.fleet.zones.iter().zip(0_usize..) {
            let Some(around) = self.nesting.above[inner] else { continue };
            let place = self.fleet.zones[around as usize].nodes.place(&zone.apex);
            let (run, at) = match place {
                Some(at) => (around, at),
                None => (self.other_run(), self.others.name(zone.apex.wire())),
            };
            self.seams[inner] = Some(self.node(around, run, at));
        }
    }

    /// Empty non-terminals: whatever is missing between a name and its zone's apex.
    fn gaps(&mut self) {
        for Site { zone, name, .. } in sites(self.fleet, self.nesting) {
            let (mut rest, apex) = (name, self.nesting.apex(zone));
            while rest != apex
                && let Some(above) = parent(rest)
                && self.slot(above).is_none()
            {
                self.node_of(zone, above);
                self.gaps.push(Site { zone, name: above, at: None, seam: None });
                rest = above;
            }
        }
    }

    /// From the apex down: the first cut or DNAME on the way hides all below it (RFC 1034 section 4.2, RFC 6672
    /// section 2.4).
    fn borders(&mut self) {
        let mut found: Vec<(Site<'f>, SetAt)> = Vec::new();
        for site in sites(self.fleet, self.nesting) {
            let Some(place) = site.at else { continue };
            let sets = self.run(site.zone).at(place).sets;
            let is_cut = sets.find(kind::NS).is_some() && site.name != self.nesting.apex(site.zone);
            if is_cut || sets.find(kind::DNAME).is_some() {
                found.push((site, SetAt { place, kind: if is_cut { kind::NS } else { kind::DNAME } }));
            }
        }
        // A parent's name is shorter than its child's.
        found.sort_by_key(|(site, _)| site.name.len());
        for (site, set) in found {
            if self.border_above(site).is_none() {
                let (border, nodes) = (BorderIx(small(self.borders.len())), self.run(site.zone));
                let (place, way) = match set.kind {
                    kind::NS => (Place::Cut(border), Way::Cut { ns: set, glue: glue(nodes, set.of(nodes)) }),
                    _ => (Place::Redirects(border), Way::Dname(set)),
                };
                let owner = DnsName::from_wire(site.name).expect("it came from a name");
                self.borders.push(Border { owner, zone: site.zone, way });
                let ix = self.at(site);
                self.nodes[ix.0 as usize].place = place;
            }
        }
        if self.borders.is_empty() {
            return;
        }
        let gaps = self.gaps.clone();
        for site in sites(self.fleet, self.nesting).chain(gaps) {
            if let Some(border) = self.border_above(site) {
                let ix = self.at(site);
                self.nodes[ix.0 as usize].place = Place::Beyond(border);
            }
        }
    }

    /// The border that stands above a name in its zone.
    fn border_above(&self, site: Site<'_>) -> Option<BorderIx> {
        let (mut rest, apex) = (site.name, self.nesting.apex(site.zone));
        while rest != apex {
            rest = parent(rest)?;
            let node = self.slot(rest).and_then(|slot| self.index.at(slot).node());
            match node.map(|ix| self.nodes[ix.0 as usize].place) {
                Some(Place::Cut(border) | Place::Redirects(border) | Place::Beyond(border)) => return Some(border),
                Some(Place::Served { .. }) | None => {}
            }
        }
        None
    }

    fn wildcards(&mut self) {
        let gaps = std::mem::take(&mut self.gaps);
        for site in sites(self.fleet, self.nesting).chain(gaps) {
            let Some(above) = parent(site.name).filter(|_| is_wild(site.name)) else { continue };
            if site.name == self.nesting.apex(site.zone) {
                continue;
            }
            let (fresh, encloser) = (self.at(site), self.node_of(site.zone, above));
            if let Place::Served { wild } = &mut self.nodes[encloser.0 as usize].place {
                *wild = Some(fresh);
            }
        }
    }

    fn finish(self) -> (Names, Arc<[ZoneTable]>) {
        let zones = (self.fleet.zones.iter().zip(&self.seams))
            .map(|(zone, above)| ZoneTable {
                apex: zone.apex.clone(),
                negative: Negative::new(&zone.apex, zone.negative()),
                negative_ttl: zone.negative_ttl,
                above: *above,
                soa: Box::default(),
            })
            .collect();
        let names = Names {
            count: self.index.count() + self.seams.iter().flatten().count(),
            runs: self.fleet.zones.iter().map(|zone| zone.nodes.clone()).chain([self.others.finish()]).collect(),
            nodes: self.nodes.into(),
            borders: self.borders.into(),
            index: self.index,
            steered: self.steered,
        };
        (names, zones)
    }

    /// The node of a name that a zone sees.
    fn at(&mut self, site: Site<'_>) -> NodeIx {
        match site.seam.and_then(|inner| self.seams[inner as usize]) {
            Some(ix) => ix,
            None => self.node_of(site.zone, site.name),
        }
    }

    /// The node of a name that belongs to a zone; made if there is none, as is the name.
    fn node_of(&mut self, zone: u32, name: &[u8]) -> NodeIx {
        let Some(place) = self.slot(name) else {
            let at = self.others.name(name);
            let ix = self.node(zone, self.other_run(), at);
            self.insert(name, self.other_run(), at, Some(ix));
            return ix;
        };
        let slot = self.index.at(place);
        slot.node().unwrap_or_else(|| {
            let ix = self.node(zone, slot.run, slot.at);
            self.index.set_node(place, ix);
            ix
        })
    }

    fn node(&mut self, zone: u32, run: u32, at: u32) -> NodeIx {
        self.nodes.push(Node { zone, run, at, service: None, place: Place::Served { wild: None } });
        NodeIx(small(self.nodes.len() - 1))
    }

    fn slot(&self, name: &[u8]) -> Option<usize> {
        self.index.place(NameHash::of(name), |slot| match self.fleet.zones.get(slot.run as usize) {
            Some(zone) => zone.nodes.at_if(slot.at, name).is_some(),
            None => self.others.has(slot.at, name),
        })
    }

    fn insert(&mut self, name: &[u8], run: u32, at: u32, node: Option<NodeIx>) {
        if self.index.is_full() {
            let (fleet, others) = (self.fleet, &self.others);
            self.index = self.index.grown(|slot: Slot| match fleet.zones.get(slot.run as usize) {
                Some(zone) => NameHash::of(zone.nodes.at(slot.at).name),
                None => NameHash::of(others.name_at(slot.at)),
            });
        }
        self.index.add(NameHash::of(name), run, at, node);
    }

    fn run(&self, zone: u32) -> &'f Nodes {
        &self.fleet.zones[zone as usize].nodes
    }

    fn other_run(&self) -> u32 {
        small(self.fleet.zones.len())
    }
}

/// Every name that is there by itself, as each zone that it concerns sees it.
fn sites<'f>(fleet: &'f Fleet, nesting: &Nesting<'f>) -> impl Iterator<Item = Site<'f>> {
    let fixed = fleet.zones.iter().zip(0_u32..).flat_map(|(zone, ix)| {
        zone.nodes.with_places().map(move |(at, node)| Site { zone: ix, name: node.name, at: Some(at), seam: None })
    });
    let fixed = fixed.filter(|site| nesting.owns(site.zone, site.name));
    let steered = fleet.services.iter().flat_map(|service| &service.names);
    let steered = steered.map(DnsName::wire);
    let steered = steered.filter_map(|name| Some(Site { zone: nesting.owner(name)?, name, at: None, seam: None }));
    let seams = fleet.zones.iter().zip(0_u32..);
    let seams = seams.filter_map(|(zone, inner)| {
        let around = nesting.above[inner as usize]?;
        let at = fleet.zones[around as usize].nodes.place(&zone.apex);
        Some(Site { zone: around, name: zone.apex.wire(), at, seam: Some(inner) })
    });
    fixed.chain(steered).chain(seams)
}

/// Addresses of the servers of a cut, wherever in the zone they lie.
fn glue(nodes: &Nodes, ns: Rrset<'_>) -> Box<[SetAt]> {
    let servers = ns.rdata().filter_map(|rdata| nodes.place(&DnsName::from_wire(rdata).ok()?));
    let addresses = |place: u32| nodes.at(place).sets.iter().filter(|set| matches!(set.kind, kind::A | kind::AAAA));
    servers.flat_map(|place| addresses(place).map(move |set| SetAt { place, kind: set.kind })).collect()
}
