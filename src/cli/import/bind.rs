//! Master files: names with several addresses become services, everything else stays as it is.

use std::path::Path;

use super::{
    super::ending::{Exit, Failure},
    draft::{Answered, Draft, Pool, Service, id, quoted},
    text,
};
use crate::{
    config::{self, Problem, SourceFile, present},
    model::{DnsName, Sets, Zone, kind},
};

/// A zone's file; the zone is told, or what the file says of itself, or else the file's name without `.zone` or `db.`.
pub(super) fn read(path: &Path, zone: Option<&str>) -> Result<Draft, Failure> {
    let text = text(path)?;
    let said = config::apex_of(&text).map(|apex| apex.to_string());
    let guessed = || by_name(path).filter(|_| said.is_none());
    let name = zone.map(str::to_owned).or_else(|| said.clone()).or_else(guessed).ok_or_else(|| unnamed(path))?;
    let mut draft = convert(&text, name.trim_end_matches('.'), path).map_err(|failure| match (&said, zone) {
        (Some(said), Some(_)) => failure.hint(format!("its SOA stands at {said}; without --zone that is the zone")),
        (Some(_), None) => failure,
        (None, _) => failure.hint("--zone ZONE names the zone, where its SOA stands at `@` without an $ORIGIN"),
    })?;
    if zone.is_none() && said.is_none() {
        let why = "by the file's name, because its SOA stands at `@` without an $ORIGIN";
        draft.left_out.push(format!("the zone is taken to be {name}, {why}; --zone ZONE says another"));
    }
    Ok(draft)
}

/// A zone's name that a file's name may be: one that has a dot, as `db.example.com` and `example.com.zone` have.
fn by_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy().into_owned();
    let named = name.trim_end_matches(".zone").trim_end_matches(".db");
    let named = named.strip_prefix("db.").unwrap_or(named).trim_end_matches('.');
    (named.contains('.') && named.parse::<DnsName>().is_ok()).then(|| named.to_owned())
}

fn unnamed(path: &Path) -> Failure {
    let what = format!("{} does not say which zone it is", path.display());
    let detail = "its SOA stands at `@` and no $ORIGIN stands before it, or it has none";
    Failure::new(Exit::Configuration, what).detail(detail.to_owned()).hint("name it: --zone example.com")
}

pub(super) fn convert(text: &str, zone: &str, path: &Path) -> Result<Draft, Failure> {
    let parsed = parsed(text, zone, path)?;
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

/// The zone of a master file; problems name the file that it was read from.
pub(super) fn parsed(text: &str, zone: &str, path: &Path) -> Result<Zone, Failure> {
    let file = path.display().to_string();
    let main = format!("[zone.{}]\nfile = {}\n", quoted(zone), quoted(&file));
    // The configuration around it is nobody's file; without a name, paths in it are as they are written.
    let copies = [SourceFile { path: "".into(), text: main }, SourceFile { path: file.into(), text: text.to_owned() }];
    let loaded = config::load_copies(&copies, &|_| None).map_err(|problems| {
        let failure = Failure::new(Exit::Configuration, format!("zone {zone} is not read"));
        problems.errors().take(PROBLEMS_TOLD_MAX).fold(failure, |failure, problem| failure.detail(told(problem)))
    })?;
    let zone = loaded.fleet.zones.first().cloned();
    zone.ok_or_else(|| Failure::new(Exit::Failed, "the file holds no zone".to_owned()))
}

/// Most problems of one file that are told.
const PROBLEMS_TOLD_MAX: usize = 20;

/// One line: what is wrong, and where in the file that was read.
fn told(problem: &Problem) -> String {
    match problem.at().filter(|spot| !spot.file.is_empty()) {
        Some(spot) => format!("{}:{}:{}: {}", spot.file, spot.line, spot.column, problem.message),
        None => problem.message.clone(),
    }
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
