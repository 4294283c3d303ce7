//! Which names exist and what stands at them: the part of a table that depends on the fleet alone.
//!
//! Why one index for all zones: a name belongs to the deepest of our zones above it, and what it is there (served, at or
//! below a cut, below a DNAME) is known when the fleet is. So a served name costs one probe of the index, and any other
//! one probe for each label up to the closest encloser (RFC 4592 section 3.3.1).

mod build;
mod index;
mod lookup;
mod negative;

use std::sync::Arc;

pub use self::lookup::{Elsewhere, Lookup, Served};
use self::{
    index::{Index, Slot},
    negative::Negative,
};
use super::table::Steerings;
use crate::model::{DnsName, Fleet, NameHash, Nodes, Rrset, Serial, ServiceIx, Sets, Zone, kind};

/// What is the same for all answers of one zone.
#[derive(Debug, Clone)]
pub struct ZoneTable {
    /// The name it begins at.
    pub apex: DnsName,
    /// TTL of the SOA in negative answers (RFC 2308 section 5).
    pub negative_ttl: u32,
    /// The SOA of negative answers, encoded.
    negative: Negative,
    /// The apex as the nearest zone of ours above it sees it: there DS is asked (RFC 4035 section 3.1.4.1).
    above: Option<NodeIx>,
    /// The SOA with the serial in force, encoded; empty where the zone's own one is.
    soa: Box<[u8]>,
}

/// The five numbers that end the data of a SOA (RFC 1035 section 3.3.13), the serial first.
const SOA_NUMBERS: usize = 20;

impl ZoneTable {
    /// The same with another serial in the SOA, wherever it is answered.
    #[must_use]
    pub(super) fn at_serial(&self, zone: &Zone, serial: Serial) -> Self {
        let mut all = self.clone();
        all.negative.set_serial(serial);
        all.soa = zone.set(&zone.apex, kind::SOA).map(|set| set.records.into()).unwrap_or_default();
        put_serial(&mut all.soa, serial);
        all
    }

    /// What is answered for a set of the zone: the set, and for the SOA the one with the serial in force.
    #[inline]
    #[must_use]
    pub fn current<'t>(&'t self, set: Rrset<'t>) -> Rrset<'t> {
        if set.kind == kind::SOA && !self.soa.is_empty() { Rrset::one(&self.soa) } else { set }
    }

    /// The SOA as it stands in negative answers, with their TTL. Its encoded owner is the question's name; the apex is
    /// the right one.
    #[inline]
    #[must_use]
    pub fn negative(&self) -> Rrset<'_> {
        Rrset::one(&self.negative.whole)
    }

    /// The same record with its names ending in pointers to the apex, and at which of its octets these stand. They and its
    /// owner are for the caller to fill in, who knows where in the message the apex stands, spelled as it is.
    #[inline]
    #[must_use]
    pub fn negative_pointing(&self) -> (&[u8], &[u16]) {
        self.negative.pointing()
    }
}

/// Writes a serial into the encoded SOA.
pub(super) fn put_serial(record: &mut [u8], serial: Serial) {
    let numbers = record.len().checked_sub(SOA_NUMBERS);
    if let Some(place) = numbers.and_then(|at| record.get_mut(at..at + 4)) {
        place.copy_from_slice(&serial.0.to_be_bytes());
    }
}

/// Names in wire form and their address records.
#[derive(Debug, Clone)]
pub struct Glue<'t> {
    nodes: &'t Nodes,
    rest: std::slice::Iter<'t, SetAt>,
}

impl<'t> Iterator for Glue<'t> {
    type Item = (&'t [u8], Rrset<'t>);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.rest.next()?;
        Some((self.nodes.at(at.place).name, at.of(self.nodes)))
    }
}

/// What tables of one fleet differ in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'t> {
    pub(super) zones: &'t [ZoneTable],
    pub(super) steerings: &'t Steerings,
}

/// Names and fixed records. Shared by all tables of one fleet.
#[derive(Debug)]
pub(super) struct Names {
    /// The names of each zone as the fleet has them, and behind them those that no zone has records for.
    runs: Box<[Nodes]>,
    nodes: Box<[Node]>,
    borders: Box<[Border]>,
    index: Index,
    count: usize,
    steered: usize,
}

/// The place of a node in [`Names::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NodeIx(u32);

/// A name of which there is more to say than its zone and its records. Most have none.
#[derive(Debug, Clone, Copy)]
struct Node {
    zone: u32,
    run: u32,
    at: u32,
    service: Option<ServiceIx>,
    place: Place,
}

/// What a name is in its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Authoritative data; `wild` is the node of `*` directly below.
    Served { wild: Option<NodeIx> },
    /// Owns a DNAME: served itself, nothing below it is.
    Redirects(BorderIx),
    /// A zone cut.
    Cut(BorderIx),
    /// Below a cut or a DNAME.
    Beyond(BorderIx),
}

/// The place of a border in [`Names::borders`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct BorderIx(u32);

/// Where our authority or the tree of names ends.
#[derive(Debug)]
struct Border {
    owner: DnsName,
    zone: u32,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Cut { ns: SetAt, glue: Box<[SetAt]> },
    Dname(SetAt),
}

/// A set of a zone: the place of its name in the zone's run, and its type.
#[derive(Debug, Clone, Copy)]
struct SetAt {
    place: u32,
    kind: u16,
}

impl SetAt {
    fn of(self, nodes: &Nodes) -> Rrset<'_> {
        nodes.at(self.place).sets.find(self.kind).expect("the zone it was taken from never changes")
    }
}

impl Names {
    /// With what is said of each zone, in the order of the fleet.
    pub(super) fn build(fleet: &Fleet) -> (Self, Arc<[ZoneTable]>) {
        build::build(fleet)
    }

    /// How many names there are, empty non-terminals included.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// How many of them belong to services.
    pub(super) fn steered(&self) -> usize {
        self.steered
    }

    pub(super) fn zone_of<'t>(&self, zones: &'t [ZoneTable], name: &[u8]) -> Option<&'t ZoneTable> {
        let slot =
            self.index.find(NameHash::of(name), |slot| self.is_of(slot, name)).or_else(|| self.encloser(name))?;
        Some(&zones[self.zone_at(slot) as usize])
    }

    pub(super) fn lookup<'t>(&'t self, parts: Parts<'t>, hash: u64, name: &[u8], asked: u16) -> Lookup<'t> {
        match self.served(parts, hash, name, asked) {
            Ok(Served { zone, sets, steering }) => Lookup::Found { zone, sets, steering, wildcard: false },
            Err(elsewhere) => self.elsewhere(parts, elsewhere, name, asked),
        }
    }

    /// What nearly all questions are about, apart from all else, so that a door keeps it in registers.
    #[inline(always)]
    pub(super) fn served<'t>(
        &'t self,
        parts: Parts<'t>,
        hash: u64,
        name: &[u8],
        asked: u16,
    ) -> Result<Served<'t>, Elsewhere> {
        let found = self.index.find(hash, |slot| self.is_of(slot, name));
        let Some(slot) = found.filter(|_| asked != kind::DS) else { return Err(Elsewhere(found)) };
        let Some(node) = slot.node().map(|ix| self.node(ix)) else {
            // A name without a node is of the zone that its run is of.
            let sets = self.runs[slot.run as usize].sets_behind(slot.at, name.len());
            return Ok(Served { zone: &parts.zones[slot.run as usize], sets, steering: None });
        };
        match node.place {
            Place::Served { .. } | Place::Redirects(_) => {
                let sets = self.runs[node.run as usize].sets_behind(node.at, name.len());
                Ok(self.served_at(parts, node, sets))
            }
            Place::Cut(_) | Place::Beyond(_) => Err(Elsewhere(found)),
        }
    }

    /// Everything else. Apart, because of all that it may come to.
    #[inline(never)]
    pub(super) fn elsewhere<'t>(
        &'t self,
        parts: Parts<'t>,
        Elsewhere(found): Elsewhere,
        name: &[u8],
        asked: u16,
    ) -> Lookup<'t> {
        let Some(slot) = found else {
            return match self.encloser(name) {
                Some(slot) => match slot.node() {
                    Some(ix) => self.below(parts, self.node(ix)),
                    None => Lookup::NoName { zone: &parts.zones[slot.run as usize] },
                },
                None => Lookup::NotOurs,
            };
        };
        let node = slot.node().map(|ix| self.node(ix));
        let zone_at = node.map_or(slot.run, |node| node.zone);
        if asked == kind::DS
            && let Some(above) = self.above(parts.zones, zone_at, name)
        {
            return self.at(parts, above, asked, name.len());
        }
        match node {
            Some(node) => self.at(parts, node, asked, name.len()),
            None => {
                let (zone, run) = (&parts.zones[zone_at as usize], &self.runs[slot.run as usize]);
                Lookup::Found { zone, sets: run.sets_behind(slot.at, name.len()), steering: None, wildcard: false }
            }
        }
    }

    /// Of an apex, how the zone around it sees it.
    #[cold]
    fn above(&self, zones: &[ZoneTable], zone: u32, name: &[u8]) -> Option<&Node> {
        let zone = &zones[zone as usize];
        zone.above.filter(|_| name == zone.apex.wire()).map(|ix| self.node(ix))
    }

    /// The name itself exists.
    fn at<'t>(&'t self, parts: Parts<'t>, node: &'t Node, asked: u16, octets: usize) -> Lookup<'t> {
        match node.place {
            Place::Served { .. } | Place::Redirects(_) => {}
            Place::Cut(_) if asked == kind::DS => {}
            Place::Cut(border) | Place::Beyond(border) => return self.beyond(parts, border),
        }
        self.found(parts, node, self.runs[node.run as usize].sets_behind(node.at, octets), false)
    }

    /// The name does not exist; `encloser` is its closest ancestor that does.
    fn below<'t>(&'t self, parts: Parts<'t>, encloser: &'t Node) -> Lookup<'t> {
        match encloser.place {
            Place::Served { wild: Some(wild) } => match self.node(wild).place {
                Place::Served { .. } | Place::Redirects(_) => {
                    let node = self.node(wild);
                    self.found(parts, node, self.runs[node.run as usize].at(node.at).sets, true)
                }
                Place::Cut(border) | Place::Beyond(border) => self.beyond(parts, border),
            },
            Place::Served { wild: None } => Lookup::NoName { zone: &parts.zones[encloser.zone as usize] },
            Place::Redirects(border) | Place::Cut(border) | Place::Beyond(border) => self.beyond(parts, border),
        }
    }

    fn found<'t>(&'t self, parts: Parts<'t>, node: &'t Node, sets: Sets<'t>, wildcard: bool) -> Lookup<'t> {
        let Served { zone, sets, steering } = self.served_at(parts, node, sets);
        Lookup::Found { zone, sets, steering, wildcard }
    }

    #[inline(always)]
    fn served_at<'t>(&'t self, parts: Parts<'t>, node: &Node, sets: Sets<'t>) -> Served<'t> {
        let steering = node.service.map(|service| parts.steerings.of(service));
        Served { zone: &parts.zones[node.zone as usize], sets, steering }
    }

    fn beyond<'t>(&'t self, parts: Parts<'t>, border: BorderIx) -> Lookup<'t> {
        let border = &self.borders[border.0 as usize];
        let (zone, nodes) = (&parts.zones[border.zone as usize], &self.runs[border.zone as usize]);
        let (owner, set) = (&border.owner, |at: SetAt| at.of(nodes));
        match &border.way {
            Way::Cut { ns, glue } => {
                Lookup::Referral { zone, cut: owner, ns: set(*ns), glue: Glue { nodes, rest: glue.iter() } }
            }
            Way::Dname(dname) => Lookup::Dname { zone, owner, set: set(*dname) },
        }
    }

    /// The closest ancestor of a name that does not exist.
    fn encloser(&self, name: &[u8]) -> Option<Slot> {
        let mut rest = name;
        loop {
            match usize::from(*rest.first()?) {
                0 => return None,
                length => rest = rest.get(1 + length..)?,
            }
            let found = self.index.find(NameHash::of(rest), |slot| self.is_of(slot, rest));
            if found.is_some() {
                return found;
            }
        }
    }

    #[inline(always)]
    fn is_of(&self, slot: Slot, name: &[u8]) -> bool {
        self.runs[slot.run as usize].is_at(slot.at, name)
    }

    /// The zone that serves what is in a slot. A name without a node is of the zone that its run is of.
    #[inline]
    fn zone_at(&self, slot: Slot) -> u32 {
        slot.node().map_or(slot.run, |ix| self.node(ix).zone)
    }

    #[inline]
    fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix.0 as usize]
    }
}

#[cfg(test)]
mod tests;
