//! What holds in every zone: one SOA, NS at the apex, a CNAME alone, nothing hidden below a cut, and nothing fixed where
//! answers are steered.

use super::draft::{Draft, Named};
use crate::{
    config::report::{Place, Raw, Report},
    model::{DnsName, kind, name_is_within, name_parent},
};

/// Types of which a name has one record.
const SINGLE: [(u16, &str); 3] = [(kind::CNAME, "CNAME"), (kind::DNAME, "DNAME"), (kind::SOA, "SOA")];

/// Checks one zone.
pub(super) fn zone(draft: &Draft, report: &mut Report) {
    for named in draft.owners() {
        let is_apex = named.wire() == draft.apex.wire();
        let cname = named.set(kind::CNAME);
        if let (Some(cname), Some(other)) = (cname, named.sets().find(|set| set.kind() != kind::CNAME)) {
            let raw = Raw::error("E021", format!("{} has a CNAME and other records", named.name()))
                .at(cname.place(), "a CNAME stands alone (RFC 1034 section 3.6.2)")
                .at(other.place(), "the other");
            report.add(raw);
        }
        for set in named.sets() {
            let single = SINGLE.iter().find(|(kind, _)| *kind == set.kind());
            if let (Some((_, word)), true) = (single, set.count() > 1) {
                let message = format!("{} has two {word} records", named.name());
                report.add(Raw::error("E021", message).at(set.place(), "one of them"));
            }
            if set.kind() == kind::SOA && !is_apex {
                let message = format!("an SOA stands at {}, below the zone's apex", named.name());
                report.add(Raw::error("E021", message).at(set.place(), ""));
            }
            if set.kind() == kind::DS && named.set(kind::NS).is_none() {
                let message = format!("{} has a DS but is not delegated", named.name());
                report.add(Raw::error("E021", message).at(set.place(), "NS records are missing here"));
            }
        }
        if let Some(above) = hidden(draft, named.wire()) {
            hidden_records(named, above, report);
        }
        unreachable_servers(draft, named, report);
    }
}

/// Records below a delegation or DNAME never reach anyone; glue does.
fn hidden_records(named: Named<'_>, (above, why): (Named<'_>, u16), report: &mut Report) {
    for set in named.sets() {
        match why {
            kind::DNAME => {
                let message = format!("{} lies below the DNAME at {}", named.name(), above.name());
                report
                    .add(Raw::error("E021", message).at(set.place(), "nothing may stand there (RFC 6672 section 2.4)"));
            }
            _ if [kind::A, kind::AAAA].contains(&set.kind()) => {}
            _ => {
                let message = format!("{} lies below the delegation of {}", named.name(), above.name());
                report.add(Raw::warning("W212", message).at(set.place(), "only glue is answered there; this never is"));
            }
        }
    }
}

/// A name server within the zone needs an address in it.
fn unreachable_servers(draft: &Draft, named: Named<'_>, report: &mut Report) {
    let Some(servers) = named.set(kind::NS) else { return };
    for target in servers.rdata() {
        let Ok(target) = DnsName::from_wire(target) else { continue };
        let inside = name_is_within(target.wire(), named.wire());
        let needs = inside && (named.wire() != draft.apex.wire() || hidden(draft, target.wire()).is_none());
        let found = draft.find(target.wire());
        let has = found.is_some_and(|named| named.sets().any(|set| [kind::A, kind::AAAA].contains(&set.kind())));
        if needs && !has && !draft.blamed.contains(&target) {
            let message = format!("the name server {target} has no address in this zone");
            let raw = Raw::warning("W209", message).at(servers.place(), "resolvers cannot find it without glue");
            report.add(raw);
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
        if let Some(fixed) = draft.set(name.wire(), kind) {
            let raw = Raw::error("E023", format!("{name} is steered and has a fixed {word} record"))
                .at(fixed.place(), "leave this out")
                .at(place, "answers for this name are chosen here");
            report.add(raw);
        }
    }
    let cut = draft.find(name.wire()).filter(|named| *name != draft.apex && named.set(kind::NS).is_some());
    if let Some((above, kind)) = cut.map(|named| (named, kind::NS)).or_else(|| hidden(draft, name.wire())) {
        let at = above.set(kind).map_or(draft.place, |set| set.place());
        let word = if kind == kind::NS { "delegated away" } else { "renamed by a DNAME" };
        let raw = Raw::error("E024", format!("{name} is steered, but {} is {word}", above.name()))
            .at(place, "this name is never answered here")
            .at(at, "because of this");
        report.add(raw);
    }
}

/// The delegation or DNAME strictly above a name, within the zone.
fn hidden<'d>(draft: &'d Draft, name: &[u8]) -> Option<(Named<'d>, u16)> {
    let apex = draft.apex.wire();
    let mut at = name;
    while at != apex {
        at = name_parent(at)?;
        let Some(named) = draft.find(at) else { continue };
        if at != apex && named.set(kind::NS).is_some() {
            return Some((named, kind::NS));
        }
        if named.set(kind::DNAME).is_some() {
            return Some((named, kind::DNAME));
        }
    }
    None
}
