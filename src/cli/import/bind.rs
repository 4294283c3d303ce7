//! Master files: names with several addresses become services, everything else stays as it is.

use std::path::Path;

use super::{
    super::ending::{Exit, Failure},
    draft::{Answered, Draft, Pool, Service, id, quoted},
    text,
};
use crate::{
    config::{self, SourceFile, present},
    model::{DnsName, Sets, Zone, kind},
};

/// A zone's file; the zone is told, or the file's name without `.zone` or `db.`.
pub(super) fn read(path: &Path, zone: Option<&str>) -> Result<Draft, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let named = name.trim_end_matches(".zone").trim_end_matches(".db");
    let named = named.strip_prefix("db.").unwrap_or(named);
    convert(&text(path)?, zone.unwrap_or(named).trim_end_matches('.'))
}

pub(super) fn convert(text: &str, zone: &str) -> Result<Draft, Failure> {
    let parsed = parsed(text, zone)?;
    let mut draft = Draft::default();
    let mut steered: Vec<DnsName> = Vec::new();
    for node in parsed.nodes.iter() {
        let (name, sets) = (node.owner(), node.sets);
        let several = [kind::A, kind::AAAA].into_iter().any(|of| sets.find(of).is_some_and(|set| 1 < set.count));
        // An alias or a delegation there would be hidden, or hide it.
        let plain = sets.iter().all(|set| !matches!(set.kind, kind::CNAME | kind::DNAME));
        let is_cut = name != parsed.apex && sets.iter().any(|set| set.kind == kind::NS);
        if several && plain && !is_cut {
            service(&mut draft, &name, sets);
            steered.push(name);
        }
    }
    let file = format!("zones/{zone}.zone");
    draft.files.push((file.clone(), master(&parsed, &steered)));
    draft.zones.push(format!("[zone.{}]\nfile = {}\n", quoted(zone), quoted(&file)));
    if steered.is_empty() {
        draft.left_out.push(format!("{zone}: no name has several addresses, so nothing is steered yet"));
    }
    Ok(draft)
}

/// The zone of a master file.
pub(super) fn parsed(text: &str, zone: &str) -> Result<Zone, Failure> {
    let copy = |path: &str, text: String| SourceFile { path: path.into(), text };
    let main = format!("[zone.{}]\nfile = \"the.zone\"\n", quoted(zone));
    let copies = [copy("wayshift.toml", main), copy("the.zone", text.to_owned())];
    let loaded = config::load_copies(&copies, &|_| None).map_err(|problems| {
        Failure::new(Exit::Configuration, format!("zone {zone} is not read")).detail(problems.to_string())
    })?;
    let zone = loaded.fleet.zones.first().cloned();
    zone.ok_or_else(|| Failure::new(Exit::Failed, "the file holds no zone".to_owned()))
}

/// One pool of all addresses of a name.
fn service(draft: &mut Draft, name: &DnsName, sets: Sets<'_>) {
    let service = id(&name.to_string());
    let mut members: Vec<(String, Option<u16>)> = Vec::new();
    let mut ttl = u32::MAX;
    for set in sets.iter().filter(|set| matches!(set.kind, kind::A | kind::AAAA)) {
        ttl = ttl.min(set.ttl);
        for (nth, data) in set.rdata().enumerate() {
            if let Ok(address) = present(set.kind, data).parse() {
                // The nth of both families are taken to be one machine.
                let endpoint = draft.endpoint(&format!("{service}-{}", nth + 1), Answered::Address(address));
                if !members.iter().any(|(known, _)| *known == endpoint) {
                    members.push((endpoint, None));
                }
            }
        }
    }
    draft.pools.insert(service.clone(), Pool { members, lines: Vec::new() });
    draft.left_out.push(format!("{name} has no check yet: write one, or its endpoints never go down"));
    draft.services.push(Service {
        id: service.clone(),
        names: vec![name.to_string().trim_end_matches('.').to_owned()],
        pools: vec![service],
        lines: vec![format!("ttl   = \"{ttl}s\"")],
        rules: Vec::new(),
    });
}

/// A master file without the addresses of some names.
pub(super) fn master(zone: &Zone, without: &[DnsName]) -> String {
    let mut text = String::new();
    let apex = zone.set(&zone.apex, kind::SOA).into_iter().map(|set| (zone.apex.clone(), set));
    let rest = zone.nodes.iter().flat_map(|node| node.sets.iter().map(move |set| (node.owner(), set)));
    for (name, set) in apex.chain(rest.filter(|(_, set)| set.kind != kind::SOA)) {
        if matches!(set.kind, kind::A | kind::AAAA) && without.contains(&name) {
            continue;
        }
        for data in set.rdata() {
            let word = domain::base::Rtype::from_int(set.kind);
            text.push_str(&format!("{name} {} IN {word} {}\n", set.ttl, present(set.kind, data)));
        }
    }
    text
}
