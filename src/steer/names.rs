//! Which names exist and what stands at them: the part of a table that depends on the fleet alone.
//!
//! Why one index for all zones: a name belongs to the deepest of our zones above it, and what it is there (served, at or
//! below a cut, below a DNAME) is known when the fleet is. So a served name costs one probe of the index, and any other
//! one probe for each label up to the closest encloser (RFC 4592 section 3.3.1).

mod build;
mod index;

use self::index::Index;
use super::{Steering, table::Steerings};
use crate::model::{DnsName, Fleet, ServiceIx, kind};

/// The records of one name and type, as they go onto the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rrset {
    /// The type's number.
    pub kind: u16,
    /// One TTL for all (RFC 2181 section 5.2).
    pub ttl: u32,
    /// RDATA in wire form, names in it uncompressed.
    pub rdata: Box<[Box<[u8]>]>,
}

/// What is the same for all answers of one zone.
#[derive(Debug)]
pub struct ZoneTable {
    /// The name it begins at.
    pub apex: DnsName,
    /// For negative answers and for itself.
    pub soa: Rrset,
    /// TTL of the SOA in negative answers (RFC 2308 section 5).
    pub negative_ttl: u32,
    /// The apex as the nearest zone of ours above it sees it: there DS is asked (RFC 4035 section 3.1.4.1).
    above: Option<NodeIx>,
}

/// What a table knows about a name.
#[derive(Debug)]
pub enum Lookup<'t> {
    /// None of our zones is above it.
    NotOurs,
    /// It is at or below a zone cut. DS at the cut itself is answered from above the cut.
    Referral {
        /// The zone above the cut.
        zone: &'t ZoneTable,
        /// The cut's name.
        cut: &'t DnsName,
        /// Who serves it.
        ns: &'t Rrset,
        /// A and AAAA of those servers, as far as the zone has them.
        glue: Vec<(&'t DnsName, &'t Rrset)>,
    },
    /// It exists, or a wildcard stands for it; an empty non-terminal has neither sets nor steering.
    Found {
        /// Its zone.
        zone: &'t ZoneTable,
        /// What is fixed at it.
        sets: &'t [Rrset],
        /// What answers A and AAAA, if the name belongs to a service.
        steering: Option<&'t Steering>,
        /// A wildcard stands for it (RFC 4592).
        wildcard: bool,
    },
    /// A DNAME stands above it (RFC 6672 section 3.2).
    Dname {
        /// Its zone.
        zone: &'t ZoneTable,
        /// The name that the DNAME stands at.
        owner: &'t DnsName,
        /// The DNAME.
        set: &'t Rrset,
    },
    /// It does not exist, and nothing below it does (RFC 8020).
    NoName {
        /// The zone that would have it.
        zone: &'t ZoneTable,
    },
}

/// Zones, names, fixed records. Shared by all tables of one fleet.
#[derive(Debug)]
pub(super) struct Names {
    zones: Box<[ZoneTable]>,
    nodes: Box<[Node]>,
    sets: Box<[Rrset]>,
    borders: Box<[Border]>,
    index: Index,
    steered: usize,
}

/// The place of a node in [`Names::nodes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct NodeIx(u32);

/// A name in a zone.
#[derive(Debug, Clone, Copy)]
struct Node {
    zone: u32,
    sets_from: u32,
    sets_count: u32,
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
    Cut { ns: Rrset, glue: Box<[(DnsName, Rrset)]> },
    Dname(Rrset),
}

impl Names {
    pub(super) fn build(fleet: &Fleet) -> Self {
        build::build(fleet)
    }

    pub(super) fn zones(&self) -> &[ZoneTable] {
        &self.zones
    }

    /// How many names there are, empty non-terminals included.
    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// How many of them belong to services.
    pub(super) fn steered(&self) -> usize {
        self.steered
    }

    pub(super) fn zone_of(&self, name: &[u8]) -> Option<&ZoneTable> {
        let (ix, _) = self.closest(name)?;
        Some(self.zone(self.node(ix)))
    }

    pub(super) fn lookup<'t>(&'t self, steerings: &'t Steerings, name: &[u8], asked: u16) -> Lookup<'t> {
        let Some((ix, exact)) = self.closest(name) else { return Lookup::NotOurs };
        let node = self.node(ix);
        if !exact {
            return self.below(steerings, node);
        }
        let zone = self.zone(node);
        match zone.above {
            Some(above) if asked == kind::DS && name == zone.apex.wire() => self.at(steerings, self.node(above), asked),
            Some(_) | None => self.at(steerings, node, asked),
        }
    }

    /// The name itself exists.
    fn at<'t>(&'t self, steerings: &'t Steerings, node: &'t Node, asked: u16) -> Lookup<'t> {
        match node.place {
            Place::Served { .. } | Place::Redirects(_) => self.found(steerings, node, false),
            Place::Cut(_) if asked == kind::DS => self.found(steerings, node, false),
            Place::Cut(border) | Place::Beyond(border) => self.beyond(border),
        }
    }

    /// The name does not exist; `encloser` is its closest ancestor that does.
    fn below<'t>(&'t self, steerings: &'t Steerings, encloser: &'t Node) -> Lookup<'t> {
        match encloser.place {
            Place::Served { wild: Some(wild) } => match self.node(wild).place {
                Place::Served { .. } | Place::Redirects(_) => self.found(steerings, self.node(wild), true),
                Place::Cut(border) | Place::Beyond(border) => self.beyond(border),
            },
            Place::Served { wild: None } => Lookup::NoName { zone: self.zone(encloser) },
            Place::Redirects(border) | Place::Cut(border) | Place::Beyond(border) => self.beyond(border),
        }
    }

    fn found<'t>(&'t self, steerings: &'t Steerings, node: &'t Node, wildcard: bool) -> Lookup<'t> {
        let from = node.sets_from as usize;
        Lookup::Found {
            zone: self.zone(node),
            sets: &self.sets[from..from + node.sets_count as usize],
            steering: node.service.map(|service| steerings.of(service)),
            wildcard,
        }
    }

    fn beyond(&self, border: BorderIx) -> Lookup<'_> {
        let border = &self.borders[border.0 as usize];
        let zone = &self.zones[border.zone as usize];
        match &border.way {
            Way::Cut { ns, glue } => Lookup::Referral {
                zone,
                cut: &border.owner,
                ns,
                glue: glue.iter().map(|(name, set)| (name, set)).collect(),
            },
            Way::Dname(set) => Lookup::Dname { zone, owner: &border.owner, set },
        }
    }

    /// The name's node, or else that of its closest ancestor with one; and whether it is the name's own.
    fn closest(&self, name: &[u8]) -> Option<(NodeIx, bool)> {
        let mut rest = name;
        loop {
            if let Some(place) = self.index.get(rest) {
                return Some((NodeIx(place), rest.len() == name.len()));
            }
            match usize::from(*rest.first()?) {
                0 => return None,
                length => rest = rest.get(1 + length..)?,
            }
        }
    }

    fn node(&self, ix: NodeIx) -> &Node {
        &self.nodes[ix.0 as usize]
    }

    fn zone(&self, node: &Node) -> &ZoneTable {
        &self.zones[node.zone as usize]
    }
}

#[cfg(test)]
mod tests;
