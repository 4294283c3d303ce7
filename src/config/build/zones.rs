//! `[zone]`: generated SOA, NS and glue, inline records, master files; and the rules a zone must keep.

mod draft;
mod rules;
mod sheet;

use std::{collections::HashMap, net::IpAddr};

use crate::model::{DnsName, kind, name_parent};

use self::draft::Draft;
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
        for (name, (place, _)) in &self.names {
            let place = *place;
            match home(name, &apexes) {
                Some(at) => rules::steered(name, place, &drafts[at], &mut self.reader.report),
                None => {
                    let mut zones: Vec<String> = drafts.iter().map(|draft| draft.apex.to_string()).take(10).collect();
                    zones.sort_unstable();
                    let raw = Raw::error("E019", format!("the name {name} lies in none of the zones"))
                        .at(place, "")
                        .note(format!("zones: {}", zones.join(", ")));
                    self.reader.report.add(raw);
                }
            }
        }
        self.parts.zones = drafts.into_iter().map(|draft| draft.finish(&mut self.reader.report)).collect();
    }

    fn zone(&mut self, apex: DnsName, entry: &Entry, table: &Table) -> Draft {
        let mut draft = Draft::new(apex, entry.place);
        self.file(&mut draft, table);
        self.records(&mut draft, table);
        match (table.get("ns"), table.get("file")) {
            (Some(ns), None) => {
                self.servers(&mut draft, ns);
                start(&mut draft, table, &mut self.reader.report);
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
            draft.add(apex.wire(), kind::NS, NS_TTL, name.wire(), entry.place, &mut self.reader.report);
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
                draft.add(name.wire(), kind, NS_TTL, &octets, place, &mut self.reader.report);
            }
        }
    }

    fn records(&mut self, draft: &mut Draft, table: &Table) {
        let Some((node, text)) = table.get("records").and_then(|node| Some((node, node.text()?))) else { return };
        let source = &self.reader.report.sources[node.place.file as usize];
        let map = sheet::Map::new(node.place, text, source);
        let sheet = Sheet { text, at: &|from, to| map.place(from, to) };
        fill(draft, &sheet, &mut self.reader.report);
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
        // It is read where it is, and put among the sources, where problems are shown from, when that is done.
        let file = self.report().source(path, String::new());
        let sheet = Sheet { text: &text, at: &|from, to| Place { file, from, to } };
        draft.expect(text.len());
        fill(draft, &sheet, &mut self.reader.report);
        self.report().sources[file as usize].text = text;
        whole(draft, place, &mut self.reader.report);
    }
}

/// Adds the records of a master file.
fn fill(draft: &mut Draft, sheet: &Sheet<'_>, report: &mut Report) {
    let apex = draft.apex.clone();
    master::read(sheet, &apex, report, &mut |record, report| {
        draft.add(record.owner, record.kind, record.ttl, record.rdata, record.place, report);
    });
}

/// The zone a name belongs to: the deepest one around it.
fn home(name: &DnsName, apexes: &HashMap<DnsName, usize>) -> Option<usize> {
    std::iter::successors(Some(name.wire()), |name| name_parent(name)).find_map(|name| apexes.get(name).copied())
}

/// The SOA record of a zone that has `ns`.
fn start(draft: &mut Draft, table: &Table, report: &mut Report) {
    let apex = draft.apex.clone();
    if let Some(soa) = draft.set(apex.wire(), kind::SOA) {
        let raw = Raw::error("E021", "the SOA is generated").at(soa.place(), "leave it out; its fields stand in `soa`");
        report.add(raw);
        return;
    }
    let soa = table.section("soa");
    let contact = soa.parse::<Mailbox>("contact").map(|mailbox| mailbox.0);
    let contact = contact.or_else(|| apex.prepend(b"hostmaster").ok()).unwrap_or_else(|| apex.clone());
    let server = draft.set(apex.wire(), kind::NS).and_then(|set| set.rdata().next());
    let Some(mut rdata) = server.map(<[u8]>::to_vec) else { return };
    let time = |key: &str, default| seconds(soa, key).unwrap_or(default);
    let minimum = time("negative_ttl", 30);
    rdata.extend(contact.wire());
    rdata.extend(draft.serial().to_be_bytes());
    for number in [time("refresh", 7200), time("retry", 900), time("expire", 1_209_600), minimum] {
        rdata.extend(number.to_be_bytes());
    }
    let place = draft.place;
    draft.add(apex.wire(), kind::SOA, time("ttl", 3600), &rdata, place, report);
}

/// A zone file has its own SOA and NS.
fn whole(draft: &Draft, place: Place, report: &mut Report) {
    for (kind, name) in [(kind::SOA, "SOA"), (kind::NS, "NS")] {
        if draft.set(draft.apex.wire(), kind).is_none() {
            let message = format!("the zone file has no {name} at {}", draft.apex);
            report.add(Raw::error("E021", message).at(place, ""));
        }
    }
}
