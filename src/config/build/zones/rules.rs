//! What holds in every zone: one SOA, NS at the apex, a CNAME alone, nothing hidden below a cut, and nothing fixed where
//! answers are steered.

use super::Draft;
use crate::{
    config::report::{Place, Raw, Report},
    model::{DnsName, kind},
};

/// Checks one zone.
pub(super) fn zone(draft: &Draft, report: &mut Report) {
    let at = |name: &DnsName, kind: u16| draft.places.get(&(name.clone(), kind)).copied().unwrap_or(draft.place);
    for (name, sets) in &draft.nodes {
        let cname = sets.iter().find(|set| set.kind == kind::CNAME);
        if let (Some(cname), Some(other)) = (cname, sets.iter().find(|set| set.kind != kind::CNAME)) {
            let raw = Raw::error("E021", format!("{name} has a CNAME and other records"))
                .at(at(name, kind::CNAME), "a CNAME stands alone (RFC 1034 section 3.6.2)")
                .at(at(name, other.kind), "the other");
            report.add(raw);
            let _ = cname;
        }
        for set in sets {
            let single = [(kind::CNAME, "CNAME"), (kind::DNAME, "DNAME"), (kind::SOA, "SOA")];
            let single = single.iter().find(|(kind, _)| *kind == set.kind);
            if let (Some((number, word)), true) = (single, set.rdata.len() > 1) {
                report.add(
                    Raw::error("E021", format!("{name} has two {word} records")).at(at(name, *number), "one of them"),
                );
            }
            if set.kind == kind::SOA && *name != draft.apex {
                let message = format!("an SOA stands at {name}, below the zone's apex");
                report.add(Raw::error("E021", message).at(at(name, kind::SOA), ""));
            }
            if set.kind == kind::DS && !sets.iter().any(|set| set.kind == kind::NS) {
                let message = format!("{name} has a DS but is not delegated");
                report.add(Raw::error("E021", message).at(at(name, kind::DS), "NS records are missing here"));
            }
        }
        if let Some(above) = hidden(draft, name) {
            hidden_records(draft, name, &above, report);
        }
        unreachable_servers(draft, name, report);
    }
}

/// Records below a delegation or DNAME never reach anyone; glue does.
fn hidden_records(draft: &Draft, name: &DnsName, above: &(DnsName, u16), report: &mut Report) {
    for set in draft.nodes.get(name).into_iter().flatten() {
        let place = draft.places.get(&(name.clone(), set.kind)).copied().unwrap_or(draft.place);
        match above.1 {
            kind::DNAME => {
                let message = format!("{name} lies below the DNAME at {}", above.0);
                report.add(Raw::error("E021", message).at(place, "nothing may stand there (RFC 6672 section 2.4)"));
            }
            _ if [kind::A, kind::AAAA].contains(&set.kind) => {}
            _ => {
                let message = format!("{name} lies below the delegation of {}", above.0);
                report.add(Raw::warning("W212", message).at(place, "only glue is answered there; this never is"));
            }
        }
    }
}

/// A name server within the zone needs an address in it.
fn unreachable_servers(draft: &Draft, name: &DnsName, report: &mut Report) {
    let servers = draft.nodes.get(name).into_iter().flatten().filter(|set| set.kind == kind::NS);
    for target in servers.flat_map(|set| &set.rdata) {
        let Ok(target) = DnsName::from_wire(target) else { continue };
        let needs = if *name == draft.apex {
            target.is_within(name) && hidden(draft, &target).is_none()
        } else {
            target.is_within(name)
        };
        let has = draft
            .nodes
            .get(&target)
            .is_some_and(|sets| sets.iter().any(|set| [kind::A, kind::AAAA].contains(&set.kind)));
        if needs && !has && !draft.blamed.contains(&target) {
            let place = draft.places.get(&(name.clone(), kind::NS)).copied().unwrap_or(draft.place);
            let message = format!("the name server {target} has no address in this zone");
            report.add(Raw::warning("W209", message).at(place, "resolvers cannot find it without glue"));
        }
    }
}

/// Checks a name whose answers are steered.
pub(super) fn steered(name: &DnsName, place: Place, draft: &Draft, report: &mut Report) {
    for (kind, word) in [(kind::A, "A"), (kind::AAAA, "AAAA"), (kind::CNAME, "CNAME"), (kind::DNAME, "DNAME")] {
        // A DNAME stands beside the answers at its own name; only what lies below is its business.
        if kind == kind::DNAME {
            continue;
        }
        if let Some(fixed) = draft.places.get(&(name.clone(), kind)) {
            let raw = Raw::error("E023", format!("{name} is steered and has a fixed {word} record"))
                .at(*fixed, "leave this out")
                .at(place, "answers for this name are chosen here");
            report.add(raw);
        }
    }
    let cut = draft.places.get(&(name.clone(), kind::NS)).filter(|_| *name != draft.apex);
    let above = match cut {
        Some(_) => Some((name.clone(), kind::NS)),
        None => hidden(draft, name),
    };
    if let Some((above, kind)) = above {
        let at = draft.places.get(&(above.clone(), kind)).copied().unwrap_or(draft.place);
        let word = if kind == kind::NS { "delegated away" } else { "renamed by a DNAME" };
        let raw = Raw::error("E024", format!("{name} is steered, but {above} is {word}"))
            .at(place, "this name is never answered here")
            .at(at, "because of this");
        report.add(raw);
    }
}

/// The delegation or DNAME strictly above a name, within the zone.
fn hidden(draft: &Draft, name: &DnsName) -> Option<(DnsName, u16)> {
    let mut at = if *name == draft.apex { None } else { name.parent() };
    while let Some(above) = at {
        if let Some(sets) = draft.nodes.get(&above) {
            let cut = sets.iter().any(|set| set.kind == kind::NS) && above != draft.apex;
            let dname = sets.iter().any(|set| set.kind == kind::DNAME);
            match (cut, dname) {
                (true, _) => return Some((above, kind::NS)),
                (false, true) => return Some((above, kind::DNAME)),
                (false, false) => {}
            }
        }
        at = if above == draft.apex { None } else { above.parent() };
    }
    None
}
