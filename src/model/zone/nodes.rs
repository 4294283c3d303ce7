//! The names of a zone with their records, packed: one run of octets that the answer table reads as it stands.
//!
//! Why: a box for each of 400,000 records and a tree over 100,000 names take five times their content. Packed once,
//! the same run serves the configuration, the table and every export, and a name lies beside its records, so that an
//! answer touches one or two cache lines.

use std::{collections::BTreeMap, fmt, sync::Arc};

use sha2::{Digest as _, Sha256};

use super::{
    super::{Digest, DnsName},
    rrset::{self, Rrset, SET_HEAD, Sets},
};

/// Names with records, in the order of their wire form. Never changed; a clone shares the run.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Nodes(Arc<Packed>);

#[derive(Default, PartialEq, Eq)]
struct Packed {
    /// One node behind the other: the name, the count of its sets, and for each set the count of its records, their
    /// length, and the records.
    run: Box<[u8]>,
    /// Where each begins.
    places: Box<[u32]>,
    records: usize,
}

/// A name with its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node<'r> {
    /// The name in wire form.
    pub name: &'r [u8],
    /// What stands there.
    pub sets: Sets<'r>,
}

impl Node<'_> {
    /// The name.
    #[must_use]
    pub fn owner(&self) -> DnsName {
        DnsName::from_wire(self.name).expect("only names are packed")
    }
}

impl Nodes {
    /// How many names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.places.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.places.is_empty()
    }

    /// How many records, of all names together.
    #[must_use]
    pub fn records(&self) -> usize {
        self.0.records
    }

    /// All names, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Node<'_>> + Clone {
        self.0.places.iter().map(|place| self.at(*place))
    }

    /// The name at a position, counted from 0 in order.
    #[must_use]
    pub fn nth(&self, position: usize) -> Option<Node<'_>> {
        self.0.places.get(position).map(|place| self.at(*place))
    }

    /// Over everything in here.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(&self.0.run).into())
    }

    /// All names with their places in the run.
    pub fn with_places(&self) -> impl ExactSizeIterator<Item = (u32, Node<'_>)> + Clone {
        self.0.places.iter().map(|place| (*place, self.at(*place)))
    }

    /// What stands at a name, if the zone has it.
    #[must_use]
    pub fn find(&self, name: &DnsName) -> Option<Node<'_>> {
        self.place(name).map(|place| self.at(place))
    }

    /// What stands at a name; nothing where the zone does not have it.
    #[must_use]
    pub fn sets(&self, name: &DnsName) -> Sets<'_> {
        self.find(name).map(|node| node.sets).unwrap_or_default()
    }

    /// Where a name lies in the run.
    #[must_use]
    pub fn place(&self, name: &DnsName) -> Option<u32> {
        let places = &self.0.places;
        let at = places.binary_search_by(|place| self.name_at(*place).cmp(name.wire())).ok()?;
        Some(places[at])
    }

    /// The node at a place that [`Self::place`] or [`Self::with_places`] told.
    #[inline]
    #[must_use]
    pub fn at(&self, place: u32) -> Node<'_> {
        let name = self.name_at(place);
        self.behind(place, name.len(), name)
    }

    /// The same, if it is of this name: whoever knows the name need not walk its labels.
    #[inline]
    #[must_use]
    pub fn at_if(&self, place: u32, name: &[u8]) -> Option<Sets<'_>> {
        // A name ends itself, so equal octets from the same start are the same name.
        self.is_at(place, name).then(|| self.sets_behind(place, name.len()))
    }

    /// Whether it is of this name. Names are short: comparing them by words costs less than calling for it.
    #[inline(always)]
    #[must_use]
    pub fn is_at(&self, place: u32, name: &[u8]) -> bool {
        let Some(found) = self.0.run.get(place as usize..).and_then(|run| run.get(..name.len())) else { return false };
        match (name.last_chunk::<8>(), found.last_chunk::<8>()) {
            (Some(end), Some(found_end)) => {
                let (words, found_words) = (name.as_chunks::<8>().0, found.as_chunks::<8>().0);
                let same = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
                same((end, found_end)) && words.iter().zip(found_words).all(same)
            }
            _ => is_short(name, found),
        }
    }

    /// What stands at a name of so many octets: whoever has found it by its name knows its length.
    #[inline(always)]
    #[must_use]
    pub fn sets_behind(&self, place: u32, octets: usize) -> Sets<'_> {
        self.behind(place, octets, &[]).sets
    }

    #[inline(always)]
    fn behind<'r>(&'r self, place: u32, length: usize, name: &'r [u8]) -> Node<'r> {
        // A node's records are always behind its name; where nobody looks at them nothing is read.
        Node { name, sets: Sets::new(self.0.run.get(place as usize + length..).unwrap_or_default()) }
    }

    fn name_at(&self, place: u32) -> &[u8] {
        name_at(&self.0.run, place)
    }
}

/// The same for names of less than a word, which are few. Apart, or what it needs is made ready for all others too.
#[cold]
fn is_short(name: &[u8], found: &[u8]) -> bool {
    !name.is_empty() && name == found
}

fn name_at(run: &[u8], place: u32) -> &[u8] {
    let from = &run[place as usize..];
    let mut end = 0;
    while from[end] != 0 {
        end += 1 + usize::from(from[end]);
    }
    &from[..=end]
}

impl fmt::Debug for Nodes {
    /// In short: digests of fleets are taken over this form, and a zone may have a million records.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digest = Sha256::digest(&self.0.run);
        write!(f, "Nodes({} names, {} records, {digest:?})", self.len(), self.records())
    }
}

/// Packs names, one set after the other.
#[derive(Debug, Default)]
pub struct Packing {
    run: Vec<u8>,
    places: Vec<u32>,
    records: usize,
    /// Where the set being filled begins.
    set: usize,
}

impl Packing {
    /// Octets that a set takes beside its records; each name takes one beside its wire form.
    pub const SET_HEAD: usize = SET_HEAD;

    /// With room for so many names and octets.
    #[must_use]
    pub fn with_capacity(names: usize, octets: usize) -> Self {
        Self { run: Vec::with_capacity(octets), places: Vec::with_capacity(names), ..Self::default() }
    }

    /// Begins the next name and tells its place. Names are found again by [`Nodes::find`] if they come in the order of
    /// their wire forms, and by their places in any case.
    pub fn name(&mut self, name: &[u8]) -> u32 {
        let place = u32::try_from(self.run.len()).expect("all records of a zone are far below 4 GiB");
        self.places.push(place);
        self.run.extend_from_slice(name);
        self.set = self.run.len();
        self.run.push(0);
        place
    }

    /// Adds a set to the name; one without records is none.
    pub fn set<'d>(&mut self, kind: u16, ttl: u32, data: impl IntoIterator<Item = &'d [u8]>) {
        let head = self.run.len();
        self.run.extend_from_slice(&[0; SET_HEAD]);
        let mut count = 0_u16;
        for data in data {
            rrset::encode(kind, ttl, data, &mut self.run);
            count = count.checked_add(1).expect("a set has fewer than 65,536 records");
        }
        if count == 0 {
            self.run.truncate(head);
            return;
        }
        let length = u32::try_from(self.run.len() - head - SET_HEAD).expect("65,535 records are below 4 GiB");
        self.run[head..head + 2].copy_from_slice(&count.to_be_bytes());
        self.run[head + 2..head + SET_HEAD].copy_from_slice(&length.to_be_bytes());
        self.run[self.set] = self.run[self.set].checked_add(1).expect("a name has fewer than 256 types");
        self.records += usize::from(count);
    }

    /// The name at a place that was told.
    #[must_use]
    pub fn name_at(&self, place: u32) -> &[u8] {
        name_at(&self.run, place)
    }

    /// Whether it is this name.
    #[must_use]
    pub fn has(&self, place: u32, name: &[u8]) -> bool {
        self.run[place as usize..].starts_with(name) && !name.is_empty()
    }

    /// All of them.
    #[must_use]
    pub fn finish(self) -> Nodes {
        debug_assert!(self.places.is_sorted(), "places ascend");
        Nodes(Arc::new(Packed { run: self.run.into(), places: self.places.into(), records: self.records }))
    }
}

/// Records by hand, in any order: owner, type, TTL, data. The first record of a set gives its TTL.
impl<D: AsRef<[u8]>> FromIterator<(DnsName, u16, u32, D)> for Nodes {
    fn from_iter<I: IntoIterator<Item = (DnsName, u16, u32, D)>>(records: I) -> Self {
        let mut all: BTreeMap<DnsName, BTreeMap<u16, (u32, Vec<D>)>> = BTreeMap::new();
        for (owner, kind, ttl, data) in records {
            all.entry(owner).or_default().entry(kind).or_insert((ttl, Vec::new())).1.push(data);
        }
        let mut packing = Packing::default();
        for (owner, sets) in &all {
            packing.name(owner.wire());
            for (kind, (ttl, data)) in sets {
                packing.set(*kind, *ttl, data.iter().map(AsRef::as_ref));
            }
        }
        packing.finish()
    }
}

/// The SOA for negative answers, encoded: its TTL is theirs (RFC 2308 section 5).
#[must_use]
pub(super) fn negative(soa: Option<Rrset<'_>>, ttl: u32) -> Box<[u8]> {
    let mut record = Vec::new();
    for data in soa.into_iter().flat_map(Rrset::rdata) {
        rrset::encode(super::kind::SOA, ttl, data, &mut record);
    }
    record.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> DnsName {
        text.parse().unwrap()
    }

    fn nodes() -> Nodes {
        let records: [(&str, u16, u32, &[u8]); 5] = [
            ("b.example", 16, 60, b"\x01t"),
            ("a.example", 1, 300, &[192, 0, 2, 1]),
            ("a.example", 28, 30, &[0; 16]),
            ("a.example", 1, 7, &[192, 0, 2, 2]),
            ("example", 2, 3600, b"\x00"),
        ];
        records.into_iter().map(|(owner, kind, ttl, data)| (name(owner), kind, ttl, data)).collect()
    }

    #[test]
    fn what_is_packed_is_found() {
        let nodes = nodes();
        assert_eq!((nodes.len(), nodes.records()), (3, 5));
        let owners: Vec<String> = nodes.iter().map(|node| node.owner().to_string()).collect();
        assert_eq!(owners, ["a.example.", "b.example.", "example."]);
        let sets = nodes.sets(&name("a.example"));
        assert_eq!(
            sets.iter().map(|set| (set.kind, set.ttl, set.count)).collect::<Vec<_>>(),
            [(1, 300, 2), (28, 30, 1)]
        );
        let a = sets.find(1).unwrap();
        assert_eq!(a.rdata().collect::<Vec<_>>(), [[192, 0, 2, 1], [192, 0, 2, 2]]);
        assert_eq!(&a.records[..16], b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01");
        assert_eq!((a.data_size(), sets.find(16)), (8, None));
        assert!(nodes.find(&name("c.example")).is_none() && nodes.sets(&name("c.example")).is_empty());
        let place = nodes.place(&name("b.example")).unwrap();
        assert_eq!(nodes.at_if(place, name("b.example").wire()), Some(nodes.sets(&name("b.example"))));
        assert_eq!((nodes.at_if(place, name("example").wire()), nodes.at_if(place, &[])), (None, None));
    }

    #[test]
    fn the_form_for_digests_shows_every_difference() {
        let other = Nodes::from_iter([(name("example"), 1_u16, 1_u32, [1_u8, 2, 3, 4])]);
        let third = Nodes::from_iter([(name("example"), 1_u16, 2_u32, [1_u8, 2, 3, 4])]);
        assert_eq!(format!("{:?}", nodes()), format!("{:?}", nodes()));
        assert_ne!(format!("{other:?}"), format!("{third:?}"));
        assert_ne!(other, third);
    }

    #[test]
    fn negative_answers_have_a_ttl_of_their_own() {
        let nodes = Nodes::from_iter([(name("example"), 6_u16, 3600_u32, b"soa")]);
        let soa = nodes.sets(&name("example")).find(6);
        assert_eq!(&*negative(soa, 30), b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x1e\x00\x03soa");
        assert!(negative(None, 30).is_empty());
    }
}
