//! `[zone]`: generated SOA, NS and glue, inline records, master files; and the rules a zone must keep.

mod rules;
mod sheet;

use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use sha2::{Digest as _, Sha256};

use crate::model::{DnsName, Packing, Zone, kind};

use super::{Build, addresses, seconds};
use crate::config::{
    document::{Entry, Node, Table},
    files::From,
    master::{self, Sheet},
    report::{Place, Raw, Report},
    values::Mailbox,
};

/// TTL of generated NS records and glue, in seconds.
const NS_TTL: u32 = 3600;

/// Most types at one name: each is looked through for an answer to ANY, and nobody needs more.
const TYPES_MAX: usize = 100;
/// Most octets of one set: the largest message without its header and question, and with room for OPT.
const SET_SIZE_MAX: usize = 65_535 - 12 - 260 - 64;
/// Octets of a record beside its data, the owner as a pointer.
const RECORD_FIXED: usize = 12;

/// The records of one name and type.
#[derive(Debug, Clone)]
struct RecordSet {
    kind: u16,
    ttl: u32,
    rdata: Vec<Box<[u8]>>,
}

/// A zone that is being filled.
struct Draft {
    apex: DnsName,
    nodes: BTreeMap<DnsName, Vec<RecordSet>>,
    /// Where each set was first written.
    places: HashMap<(DnsName, u16), Place>,
    /// Octets of each set in a message.
    sizes: HashMap<(DnsName, u16), usize>,
    /// The zone's own place.
    place: Place,
    /// Name servers whose missing address was named already.
    blamed: Vec<DnsName>,
}

impl Build<'_, '_> {
    pub(super) fn zones(&mut self) {
        let mut drafts: Vec<Draft> = Vec::new();
        let mut apexes: HashMap<DnsName, usize> = HashMap::new();
        for entry in &self.root.section("zone").entries {
            let Ok(apex) = entry.key.parse::<DnsName>() else { continue };
            let table = entry.node.table().cloned().unwrap_or_default();
            if let Some(first) = apexes.insert(apex.clone(), drafts.len()) {
                let first = drafts[first].place;
                let raw = Raw::error("E011", format!("the zone {apex} stands in two places"))
                    .at(entry.place, "again here")
                    .at(first, "first here");
                self.report().add(raw);
            }
            drafts.push(self.zone(apex, entry, &table));
        }
        let names: Vec<(DnsName, Place)> = self.names.iter().map(|(name, (place, _))| (name.clone(), *place)).collect();
        for (name, place) in names {
            match home(&name, &apexes) {
                Some(at) => rules::steered(&name, place, &drafts[at], &mut self.reader.report),
                None => {
                    let mut zones: Vec<String> = drafts.iter().map(|draft| draft.apex.to_string()).take(10).collect();
                    zones.sort_unstable();
                    let raw = Raw::error("E019", format!("the name {name} lies in none of the zones"))
                        .at(place, "")
                        .note(format!("zones: {}", zones.join(", ")));
                    self.report().add(raw);
                }
            }
        }
        self.parts.zones = drafts.into_iter().map(|draft| draft.finish(&mut self.reader.report)).collect();
    }

    fn zone(&mut self, apex: DnsName, entry: &Entry, table: &Table) -> Draft {
        let mut draft = Draft {
            apex,
            nodes: BTreeMap::new(),
            places: HashMap::new(),
            sizes: HashMap::new(),
            place: entry.place,
            blamed: Vec::new(),
        };
        self.file(&mut draft, table);
        self.records(&mut draft, table);
        match (table.get("ns"), table.get("file")) {
            (Some(ns), None) => {
                self.servers(&mut draft, ns);
                draft.start(table, &mut self.reader.report);
            }
            (None, Some(_)) => {}
            (Some(ns), Some(_)) => {
                let raw = Raw::error("E029", "a zone file brings its own NS records").at(ns.place, "leave `ns` out");
                self.report().add(raw);
            }
            (None, None) => {
                let raw = Raw::error("E006", format!("zone `{}` has neither `ns` nor `file`", entry.key))
                    .at(entry.place, "write ns = { ns1 = \"192.0.2.53\" }");
                self.report().add(raw);
            }
        }
        if let (Some(soa), true) = (table.entry("soa"), table.get("file").is_some()) {
            let raw = Raw::error("E029", "a zone file brings its own SOA").at(soa.place, "leave `soa` out");
            self.report().add(raw);
        }
        draft
    }

    /// NS records and glue from `ns`.
    fn servers(&mut self, draft: &mut Draft, node: &Node) {
        let Some(table) = node.table() else { return };
        if table.entries.is_empty() {
            let raw = Raw::error("E006", "a zone has at least one name server").at(node.place, "ns1 = \"192.0.2.53\"");
            self.report().add(raw);
        }
        for entry in &table.entries {
            let Ok(name) = DnsName::under(&entry.key, &draft.apex) else {
                let raw = Raw::error("E016", "the name server's name grows longer than 255 octets").at(entry.place, "");
                self.report().add(raw);
                continue;
            };
            let apex = draft.apex.clone();
            draft.add(&apex, kind::NS, NS_TTL, name.wire(), entry.place, &mut self.reader.report);
            let found: Vec<_> = addresses(&entry.node).collect();
            let inside = name.is_within(&apex);
            match (inside, found.first()) {
                (true, None) => {
                    let raw = Raw::error("E006", format!("the name server {name} has no address"))
                        .at(entry.node.place, "its zone is this one, so nothing else could tell it");
                    draft.blamed.push(name.clone());
                    self.report().add(raw);
                }
                (false, Some((place, _))) => {
                    let raw = Raw::error("E021", format!("{name} lies outside the zone, so it gets no address here"))
                        .at(*place, "write []");
                    self.report().add(raw);
                }
                (true, Some(_)) | (false, None) => {}
            }
            for (place, address) in found.into_iter().filter(|_| inside) {
                let (kind, octets) = match address {
                    IpAddr::V4(v4) => (kind::A, v4.octets().to_vec()),
                    IpAddr::V6(v6) => (kind::AAAA, v6.octets().to_vec()),
                };
                draft.add(&name, kind, NS_TTL, &octets, place, &mut self.reader.report);
            }
        }
    }

    fn records(&mut self, draft: &mut Draft, table: &Table) {
        let Some((node, text)) = table.get("records").and_then(|node| Some((node, node.text()?))) else { return };
        let source = &self.reader.report.sources[node.place.file as usize];
        let map = sheet::Map::new(node.place, text, source);
        let sheet = Sheet { text, at: &|from, to| map.place(from, to) };
        let records = master::read(&sheet, &draft.apex, &mut self.reader.report);
        for record in records {
            draft.add(&record.owner, record.kind, record.ttl, &record.rdata, record.place, &mut self.reader.report);
        }
    }

    fn file(&mut self, draft: &mut Draft, table: &Table) {
        let Some((place, written)) = table.get("file").and_then(|node| Some((node.place, node.text()?))) else {
            return;
        };
        if matches!(self.reader.from, From::Sealed) {
            self.report().add(Raw::error("E028", "a zone file is not available here").at(place, "use `records`"));
            return;
        }
        let path = self.reader.beside(place, written);
        let text = match self.reader.text(&path) {
            Ok(text) => text,
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                self.report().add(Raw::error("E001", message).at(place, ""));
                return;
            }
        };
        let file = self.report().source(path, text.clone());
        let sheet = Sheet { text: &text, at: &|from, to| Place { file, from, to } };
        let records = master::read(&sheet, &draft.apex, &mut self.reader.report);
        for record in records {
            draft.add(&record.owner, record.kind, record.ttl, &record.rdata, record.place, &mut self.reader.report);
        }
        draft.whole(place, &mut self.reader.report);
    }
}

/// The zone a name belongs to: the deepest one around it.
fn home(name: &DnsName, apexes: &HashMap<DnsName, usize>) -> Option<usize> {
    let mut at = Some(name.clone());
    while let Some(name) = at {
        if let Some(zone) = apexes.get(&name) {
            return Some(*zone);
        }
        at = name.parent();
    }
    None
}

impl Draft {
    /// Takes a record in. The same data twice is one record (RFC 2181 section 5).
    fn add(&mut self, owner: &DnsName, kind: u16, ttl: u32, rdata: &[u8], place: Place, report: &mut Report) {
        if !owner.is_within(&self.apex) {
            report.add(Raw::error("E021", format!("{owner} lies outside the zone {}", self.apex)).at(place, ""));
            return;
        }
        let sets = self.nodes.entry(owner.clone()).or_default();
        let types = sets.len();
        let Some(set) = sets.iter_mut().find(|set| set.kind == kind) else {
            if types >= TYPES_MAX {
                report.add(
                    Raw::error("E027", format!("{owner} has more than {TYPES_MAX} types of records")).at(place, ""),
                );
                return;
            }
            self.places.insert((owner.clone(), kind), place);
            sets.push(RecordSet { kind, ttl, rdata: vec![rdata.into()] });
            return;
        };
        if set.ttl != ttl {
            let lowest = set.ttl.min(ttl);
            let raw = Raw::warning("W208", format!("records of {owner} and one type have different TTLs"))
                .at(place, format!("all get {lowest}, the lowest"));
            report.add(raw);
            set.ttl = lowest;
        }
        let size = self.sizes.entry((owner.clone(), kind)).or_insert_with(|| set.rdata[0].len() + RECORD_FIXED);
        let grown = *size + rdata.len() + RECORD_FIXED;
        if grown > SET_SIZE_MAX {
            let message = format!("the records of {owner} and one type do not fit into a message");
            report.add(Raw::error("E027", message).at(place, "this one is too much"));
        } else if !set.rdata.iter().any(|known| **known == *rdata) {
            set.rdata.push(rdata.into());
            *size = grown;
        }
    }

    /// The SOA record of a zone that has `ns`.
    fn start(&mut self, table: &Table, report: &mut Report) {
        let apex = self.apex.clone();
        if let Some(place) = self.places.get(&(apex.clone(), kind::SOA)) {
            let raw = Raw::error("E021", "the SOA is generated").at(*place, "leave it out; its fields stand in `soa`");
            report.add(raw);
            return;
        }
        let soa = table.section("soa");
        let contact = soa.parse::<Mailbox>("contact").map(|mailbox| mailbox.0);
        let contact = contact.or_else(|| apex.prepend(b"hostmaster").ok()).unwrap_or_else(|| apex.clone());
        let server = self.nodes.get(&apex).and_then(|sets| sets.iter().find(|set| set.kind == kind::NS));
        let Some(server) = server.map(|set| set.rdata[0].clone()) else { return };
        let time = |key: &str, default| seconds(soa, key).unwrap_or(default);
        let minimum = time("negative_ttl", 30);
        let mut rdata = server.to_vec();
        rdata.extend(contact.wire());
        rdata.extend(self.serial().to_be_bytes());
        for number in [time("refresh", 7200), time("retry", 900), time("expire", 1_209_600), minimum] {
            rdata.extend(number.to_be_bytes());
        }
        let place = self.place;
        self.add(&apex, kind::SOA, time("ttl", 3600), &rdata, place, report);
    }

    /// A number that is the same for equal content on every node. It does not grow with time: nothing transfers zones
    /// in this version, and so nothing compares serials.
    fn serial(&self) -> u32 {
        let mut nodes = self.nodes.clone();
        for sets in nodes.values_mut() {
            sets.sort_by_key(|set| set.kind);
            sets.iter_mut().for_each(|set| set.rdata.sort());
        }
        let hash = Sha256::digest(format!("{nodes:?}"));
        u32::from_be_bytes(hash[..4].try_into().expect("a SHA-256 has more than 4 octets")).max(1)
    }

    fn finish(mut self, report: &mut Report) -> Zone {
        rules::zone(&self, report);
        for sets in self.nodes.values_mut() {
            sets.sort_by_key(|set| set.kind);
        }
        let soa = self.nodes.get(&self.apex).and_then(|sets| sets.iter().find(|set| set.kind == kind::SOA));
        let negative_ttl = soa.map_or(0, |soa| {
            // The minimum is the last of the SOA's five numbers (RFC 1035 section 3.3.13).
            let minimum = soa.rdata[0].last_chunk::<4>().map_or(0, |octets| u32::from_be_bytes(*octets));
            soa.ttl.min(minimum)
        });
        let mut packing = Packing::default();
        for (name, sets) in &self.nodes {
            packing.name(name.wire());
            for set in sets {
                packing.set(set.kind, set.ttl, set.rdata.iter().map(AsRef::as_ref));
            }
        }
        Zone { apex: self.apex, negative_ttl, nodes: packing.finish() }
    }

    /// A zone file has its own SOA and NS.
    fn whole(&self, place: Place, report: &mut Report) {
        for (kind, name) in [(kind::SOA, "SOA"), (kind::NS, "NS")] {
            if !self.places.contains_key(&(self.apex.clone(), kind)) {
                let message = format!("the zone file has no {name} at {}", self.apex);
                report.add(Raw::error("E021", message).at(place, ""));
            }
        }
    }
}
