//! The way out: a zone as others can serve it, with the current good answers.
//!
//! A master file holds what would be answered now and loses the steering. An octoDNS zone keeps as much of it as that
//! can say: pools with weights, geo and subnet rules, and the order of pools as fallbacks. What neither can say is
//! listed, never silently dropped.

mod octodns;

use std::collections::BTreeMap;

use super::record::word_of;
use crate::{
    config::present,
    model::{DnsName, EndpointId, Family, Fleet, LastGood, Rrset, Service, ServiceIx, Snapshot, Zone, kind},
    steer::{AnswerSet, AnswerTable, answers},
};

/// What a zone is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// A master file (RFC 1035 section 5).
    Zone,
    /// A zone of octoDNS's YAML provider.
    OctoDns,
}

/// A zone in another form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exported {
    /// The text of the file.
    pub(super) text: String,
    /// What it could not say.
    pub(super) left_out: Vec<String>,
}

/// Everything that is exported of one zone.
struct Content<'s> {
    fleet: &'s Fleet,
    zone: &'s Zone,
    /// Steered names of the zone with their service.
    steered: BTreeMap<&'s DnsName, (ServiceIx, &'s Service)>,
    /// By service id and family.
    answers: Vec<AnswerSet>,
}

/// Writes a zone.
pub(super) fn export(table: &AnswerTable, good: &LastGood, zone: &Zone, format: Format) -> Exported {
    let snapshot = table.snapshot();
    let content = Content::of(snapshot, good, zone);
    match format {
        Format::Zone => content.master(snapshot, table),
        Format::OctoDns => content.octodns(),
    }
}

/// The deepest zone of a fleet that a name lies in.
pub(super) fn zone_of<'f>(fleet: &'f Fleet, name: &DnsName) -> Option<&'f Zone> {
    std::iter::successors(Some(name.clone()), DnsName::parent)
        .find_map(|at| fleet.zones.iter().find(|zone| zone.apex == at))
}

impl<'s> Content<'s> {
    fn of(snapshot: &'s Snapshot, good: &LastGood, zone: &'s Zone) -> Self {
        let fleet = &snapshot.fleet;
        let names =
            fleet.services().flat_map(|(ix, service)| service.names.iter().map(move |name| (name, (ix, service))));
        let inside = |name: &DnsName| zone_of(fleet, name).is_some_and(|of| of.apex == zone.apex);
        let steered = names.filter(|(name, _)| inside(name)).collect();
        Self { fleet, zone, steered, answers: answers(snapshot, good) }
    }

    /// Fixed names and steered ones, in order.
    fn names(&self) -> Vec<DnsName> {
        let steered = self.steered.keys().map(|name| (*name).clone());
        let mut names: Vec<DnsName> = self.zone.nodes.iter().map(|node| node.owner()).chain(steered).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The endpoints that answer a service in a family now.
    fn answering(&self, service: &Service, family: Family) -> Vec<&EndpointId> {
        let sets = self.answers.iter().filter(|set| set.service == service.id && set.family == family);
        let mut found: Vec<&EndpointId> =
            sets.flat_map(|set| &set.pools).flat_map(|pool| pool.endpoints.iter().map(|(id, _)| id)).collect();
        let mut seen = std::collections::HashSet::new();
        found.retain(|id| seen.insert(*id));
        found
    }

    /// What a service answers now in a family.
    fn addresses(&self, service: &Service, family: Family) -> Vec<String> {
        let endpoints = self.answering(service, family).into_iter();
        let endpoints = endpoints.filter_map(|id| self.fleet.find_endpoint(id.as_str()));
        let addresses = endpoints.filter_map(|ix| self.fleet.endpoint(ix).address(family));
        addresses.map(|address| address.to_string()).collect()
    }

    /// What secondaries are given as well.
    fn master(&self, snapshot: &Snapshot, table: &AnswerTable) -> Exported {
        let steered = table.steered(self.zone);
        let mut left_out = Vec::new();
        let mut text = format!(
            "; {} by wayshift, node {}, generation {}, {}: the answers of that moment, without steering\n",
            self.zone.apex, snapshot.node, snapshot.generation, snapshot.at.wall
        );
        // The SOA stands first (RFC 5936 section 2.2 has it so for transfers; readers of files expect it).
        if let Some(soa) = self.zone.set(&self.zone.apex, kind::SOA) {
            push(&mut text, &self.zone.apex, soa);
        }
        for name in &self.names() {
            let fixed = self.zone.nodes.sets(name).iter().filter(|set| set.kind != kind::SOA);
            for set in fixed.chain(steered.sets(name).iter()) {
                push(&mut text, name, set);
            }
            let Some((_, service)) = self.steered.get(name) else { continue };
            if !service.rules.is_empty() {
                left_out.push(format!("{name}: the rules of service {}: all clients get one answer", service.id));
            }
        }
        Exported { text, left_out }
    }
}

fn push(text: &mut String, name: &DnsName, set: Rrset<'_>) {
    for data in set.rdata() {
        text.push_str(&format!("{name} {} IN {} {}\n", set.ttl, word_of(set.kind), present(set.kind, data)));
    }
}

#[cfg(test)]
mod tests;
