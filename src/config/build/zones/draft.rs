//! A zone while it is filled: names, sets and records in the order they are written, each in one list of small rows.
//!
//! Why not a map of boxes: a master file has a million records, each of which would cost several allocations that live
//! for the time of a load, and leave the memory in pieces.

use std::collections::{HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use crate::{
    config::{
        files::passing,
        report::{Place, Raw, Report},
    },
    model::{DnsName, NameHash, Packing, RECORD_HEAD, Zone, kind, name_is_within},
};

use super::rules;

/// Most types at one name: each is looked through for an answer to ANY, and nobody needs more.
const TYPES_MAX: usize = 100;
/// Most octets of one set: the largest message without its header and question, and with room for OPT.
const SET_SIZE_MAX: usize = 65_535 - 12 - 260 - 64;
/// From so many records on, those of a set are known by a table too: looking through thousands for each that comes
/// takes minutes, and hardly a set has so many.
const LARGE: u16 = 32;

/// A zone that is being filled.
pub(super) struct Draft {
    pub(super) apex: DnsName,
    /// The zone's own place.
    pub(super) place: Place,
    /// Name servers whose missing address was named already.
    pub(super) blamed: Vec<DnsName>,
    /// Names and data.
    octets: Vec<u8>,
    owners: Vec<Owner>,
    sets: Vec<Set>,
    chunks: Vec<Chunk>,
    /// How many records there are.
    records: usize,
    /// The data of each set that has [`LARGE`] records or more.
    large: HashMap<usize, HashSet<Box<[u8]>>>,
    /// From the hash of a name to its place in `owners`; the length is a power of two, at most half is taken.
    index: Vec<Spot>,
}

/// In `index`: nothing; at the end of a list: the end.
const NONE: u32 = u32::MAX;

/// A part of the octets.
#[derive(Clone, Copy)]
struct Part {
    at: u32,
    length: u16,
}

struct Owner {
    name: Part,
    first: u32,
}

struct Set {
    kind: u16,
    count: u16,
    ttl: u32,
    /// Octets in a message.
    size: u32,
    /// Its first and its last chunk.
    first: u32,
    last: u32,
    next: u32,
    /// Where it was first written: the file, and from where to where.
    place: (u32, u32, u32),
}

/// Records of one set that were read one behind the other, as those of most sets are: of each the length of its data
/// and the data.
struct Chunk {
    from: u32,
    to: u32,
    next: u32,
}

/// A place of the index.
#[derive(Clone, Copy)]
struct Spot {
    /// Half of the name's hash: nearly every other name is told by it, and a larger index needs no names.
    tag: u32,
    at: u32,
}

const FREE: Spot = Spot { tag: 0, at: NONE };

/// A name in a draft.
#[derive(Clone, Copy)]
pub(super) struct Named<'d> {
    draft: &'d Draft,
    owner: &'d Owner,
}

/// A set in a draft.
#[derive(Clone, Copy)]
pub(super) struct SetOf<'d> {
    draft: &'d Draft,
    set: &'d Set,
}

impl<'d> Named<'d> {
    pub(super) fn wire(self) -> &'d [u8] {
        self.draft.part(self.owner.name)
    }

    pub(super) fn name(self) -> DnsName {
        DnsName::from_wire(self.wire()).expect("only names are added")
    }

    pub(super) fn sets(self) -> impl Iterator<Item = SetOf<'d>> {
        let draft = self.draft;
        let set = |at: u32| draft.sets.get(at as usize);
        std::iter::successors(set(self.owner.first), move |last| set(last.next)).map(move |set| SetOf { draft, set })
    }

    pub(super) fn set(self, kind: u16) -> Option<SetOf<'d>> {
        self.sets().find(|set| set.kind() == kind)
    }
}

impl<'d> SetOf<'d> {
    pub(super) fn kind(self) -> u16 {
        self.set.kind
    }

    pub(super) fn ttl(self) -> u32 {
        self.set.ttl
    }

    pub(super) fn count(self) -> u16 {
        self.set.count
    }

    pub(super) fn place(self) -> Place {
        let (file, from, to) = self.set.place;
        Place { file, from: from as usize, to: to as usize }
    }

    pub(super) fn rdata(self) -> impl Iterator<Item = &'d [u8]> {
        let draft = self.draft;
        let (mut next, mut rest): (u32, &[u8]) = (self.set.first, &[]);
        std::iter::from_fn(move || {
            if rest.is_empty() {
                let chunk = draft.chunks.get(next as usize)?;
                (next, rest) = (chunk.next, &draft.octets[chunk.from as usize..chunk.to as usize]);
            }
            let (length, behind) = rest.split_first_chunk::<2>()?;
            let (data, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
            rest = behind;
            Some(data)
        })
    }
}

impl Draft {
    pub(super) fn new(apex: DnsName, place: Place) -> Self {
        Self {
            apex,
            place,
            blamed: Vec::new(),
            octets: Vec::new(),
            owners: Vec::new(),
            sets: Vec::new(),
            chunks: Vec::new(),
            records: 0,
            large: HashMap::new(),
            index: vec![FREE; 16],
        }
    }

    /// Makes room for about as many records as fit into a text of so many octets.
    pub(super) fn expect(&mut self, text: usize) {
        self.octets.reserve(passing(text / 2));
        self.owners.reserve(passing(text) / size_of::<Owner>());
        self.sets.reserve(passing(text) / size_of::<Set>());
        self.chunks.reserve(passing(text) / size_of::<Chunk>());
        // Three records for a name, or the index grows. It grows without the names, so that costs little.
        self.index = vec![FREE; (text / 64).next_power_of_two().max(16)];
    }

    pub(super) fn owners(&self) -> impl Iterator<Item = Named<'_>> {
        self.owners.iter().map(|owner| Named { draft: self, owner })
    }

    /// What stands at a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<Named<'_>> {
        self.seek(name).ok().map(|at| Named { draft: self, owner: &self.owners[at] })
    }

    pub(super) fn set(&self, name: &[u8], kind: u16) -> Option<SetOf<'_>> {
        self.find(name)?.set(kind)
    }

    /// Takes a record in. The same data twice is one record (RFC 2181 section 5).
    pub(super) fn add(&mut self, owner: &[u8], kind: u16, ttl: u32, rdata: &[u8], place: Place, report: &mut Report) {
        // Records of one name stand together as a rule.
        let last = self.owners.len().checked_sub(1).filter(|last| self.part(self.owners[*last].name) == owner);
        let at = match last.map_or_else(|| self.seek(owner), Ok) {
            Ok(at) => at,
            Err(_) if !name_is_within(owner, self.apex.wire()) => {
                let shown = shown(owner);
                let raw = Raw::error("E021", format!("{shown} lies outside the zone {}", self.apex)).at(place, "");
                return report.add(raw);
            }
            Err((free, tag)) => self.own(owner, free, tag),
        };
        let (mut set, mut types, mut end) = (self.owners[at].first, 0, NONE);
        while set != NONE && self.sets[set as usize].kind != kind {
            (end, set, types) = (set, self.sets[set as usize].next, types + 1);
        }
        if set != NONE {
            return self.more(set as usize, owner, ttl, rdata, place, report);
        }
        if types >= TYPES_MAX {
            let message = format!("{} has more than {TYPES_MAX} types of records", shown(owner));
            return report.add(Raw::error("E027", message).at(place, ""));
        }
        let first = self.chunk(rdata);
        let fresh = small(self.sets.len());
        let size = small(rdata.len() + RECORD_HEAD);
        let place = (place.file, small(place.from), small(place.to));
        self.sets.push(Set { kind, count: 1, ttl, size, first, last: first, next: NONE, place });
        match self.sets.get_mut(end as usize) {
            Some(before) => before.next = fresh,
            None => self.owners[at].first = fresh,
        }
    }

    /// One more record of a set.
    fn more(&mut self, set: usize, owner: &[u8], ttl: u32, rdata: &[u8], place: Place, report: &mut Report) {
        if self.sets[set].ttl != ttl {
            let lowest = self.sets[set].ttl.min(ttl);
            let raw = Raw::warning("W208", format!("records of {} and one type have different TTLs", shown(owner)))
                .at(place, format!("all get {lowest}, the lowest"));
            report.add(raw);
            self.sets[set].ttl = lowest;
        }
        let grown = self.sets[set].size as usize + rdata.len() + RECORD_HEAD;
        if grown > SET_SIZE_MAX {
            let message = format!("the records of {} and one type do not fit into a message", shown(owner));
            return report.add(Raw::error("E027", message).at(place, "this one is too much"));
        }
        if self.has(set, rdata) {
            return;
        }
        let last = self.sets[set].last;
        if self.chunks[last as usize].to as usize == self.octets.len() {
            self.chunks[last as usize].to = self.record(rdata);
        } else {
            let fresh = self.chunk(rdata);
            self.chunks[last as usize].next = fresh;
            self.sets[set].last = fresh;
        }
        let set = &mut self.sets[set];
        (set.size, set.count) = (small(grown), set.count + 1);
    }

    /// Whether a set has this data; of a large one it is known from now on.
    fn has(&mut self, set: usize, rdata: &[u8]) -> bool {
        let known = |draft: &Self| SetOf { draft, set: &draft.sets[set] }.rdata().map(Box::from).collect();
        if self.sets[set].count < LARGE {
            return SetOf { draft: self, set: &self.sets[set] }.rdata().any(|known| known == rdata);
        }
        let all = self.large.remove(&set).unwrap_or_else(|| known(self));
        !self.large.entry(set).or_insert(all).insert(rdata.into())
    }

    /// The zone, if it may be one.
    pub(super) fn finish(self, report: &mut Report) -> Zone {
        rules::zone(&self, report);
        let mut order: Vec<Named<'_>> = self.owners().collect();
        // Files are in order already, more or less, which this sort makes use of.
        order.sort_by(|a, b| a.wire().cmp(b.wire()));
        // In here each record has two octets for its length.
        let octets = self.octets.len() + self.owners.len() + self.records * (RECORD_HEAD - 2);
        let mut packing = Packing::with_capacity(self.owners.len(), octets + self.sets.len() * Packing::SET_HEAD);
        for named in order {
            packing.name(named.wire());
            for set in by_kind(named) {
                packing.set(set.kind(), set.ttl(), set.rdata());
            }
        }
        let soa = self.set(self.apex.wire(), kind::SOA);
        let negative_ttl = soa.map_or(0, |soa| {
            // The minimum is the last of the SOA's five numbers (RFC 1035 section 3.3.13).
            let minimum = soa.rdata().next().and_then(|data| data.last_chunk::<4>());
            soa.ttl().min(minimum.map_or(0, |octets| u32::from_be_bytes(*octets)))
        });
        Zone { apex: self.apex, negative_ttl, nodes: packing.finish() }
    }

    /// A number that is the same for equal content on every node. It does not grow with time: a zone that has secondaries
    /// gets another one where it is answered, and nobody else compares serials.
    pub(super) fn serial(&self) -> u32 {
        let mut order: Vec<Named<'_>> = self.owners().collect();
        order.sort_by(|a, b| a.wire().cmp(b.wire()));
        let mut hash = Sha256::new();
        for named in order {
            hash.update(named.wire());
            for set in by_kind(named) {
                hash.update(set.kind().to_be_bytes());
                hash.update(set.ttl().to_be_bytes());
                hash.update(set.count().to_be_bytes());
                let mut data: Vec<&[u8]> = set.rdata().collect();
                data.sort_unstable();
                for data in data {
                    hash.update((data.len() as u64).to_be_bytes());
                    hash.update(data);
                }
            }
        }
        let hash = hash.finalize();
        u32::from_be_bytes(hash[..4].try_into().expect("a SHA-256 has more than 4 octets")).max(1)
    }

    /// Where a name stands in `owners`, or the free slot of the index for it and its tag.
    fn seek(&self, name: &[u8]) -> Result<usize, (usize, u32)> {
        #[expect(clippy::cast_possible_truncation, reason = "half of it is enough")]
        let tag = NameHash::of(name) as u32;
        let mut slot = tag as usize & (self.index.len() - 1);
        loop {
            let spot = self.index[slot];
            if spot.at == NONE {
                return Err((slot, tag));
            }
            if spot.tag == tag && self.part(self.owners[spot.at as usize].name) == name {
                return Ok(spot.at as usize);
            }
            slot = (slot + 1) & (self.index.len() - 1);
        }
    }

    fn own(&mut self, name: &[u8], free: usize, tag: u32) -> usize {
        let at = self.owners.len();
        self.index[free] = Spot { tag, at: small(at) };
        let part = Part { at: small(self.octets.len()), length: length(name) };
        self.octets.extend_from_slice(name);
        self.owners.push(Owner { name: part, first: NONE });
        if self.owners.len() * 2 > self.index.len() {
            let larger = vec![FREE; self.index.len() * 2];
            let taken = std::mem::replace(&mut self.index, larger).into_iter().filter(|spot| spot.at != NONE);
            for spot in taken {
                let mut slot = spot.tag as usize & (self.index.len() - 1);
                while self.index[slot].at != NONE {
                    slot = (slot + 1) & (self.index.len() - 1);
                }
                self.index[slot] = spot;
            }
        }
        at
    }

    /// Begins a chunk with a record.
    fn chunk(&mut self, data: &[u8]) -> u32 {
        let from = small(self.octets.len());
        let to = self.record(data);
        self.chunks.push(Chunk { from, to, next: NONE });
        small(self.chunks.len() - 1)
    }

    /// Writes a record behind the last one, and tells where it ends.
    fn record(&mut self, data: &[u8]) -> u32 {
        self.octets.extend_from_slice(&length(data).to_be_bytes());
        self.octets.extend_from_slice(data);
        self.records += 1;
        small(self.octets.len())
    }

    fn part(&self, part: Part) -> &[u8] {
        &self.octets[part.at as usize..][..usize::from(part.length)]
    }
}

fn length(octets: &[u8]) -> u16 {
    u16::try_from(octets.len()).expect("names and data are below 64 KiB")
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("files and records are bounded far below 2^32")
}

fn by_kind(named: Named<'_>) -> Vec<SetOf<'_>> {
    let mut sets: Vec<SetOf<'_>> = named.sets().collect();
    sets.sort_unstable_by_key(|set| set.kind());
    sets
}

fn shown(name: &[u8]) -> String {
    DnsName::from_wire(name).map(|name| name.to_string()).unwrap_or_default()
}
