//! Targets of endpoints: none may lead back to a name that is steered here.

use std::collections::HashSet;

use crate::model::{DnsName, kind};

use super::Build;
use crate::config::report::Raw;

/// Most CNAME records of ours that are followed from a target; resolvers give up at about as many.
const ALIASES_MAX: usize = 8;

impl Build<'_, '_> {
    pub(super) fn targets(&mut self) {
        let root = self.root;
        for entry in &root.section("endpoint").entries {
            let Some(node) = entry.node.table().and_then(|table| table.get("target")) else { continue };
            let Some(target) = node.text().and_then(|text| text.parse::<DnsName>().ok()) else { continue };
            let Some((name, service)) = self.leads_to(target.clone()) else { continue };
            let message = match name == target {
                true => format!("the target {target} of endpoint `{}` is steered here", entry.key),
                false => {
                    format!("the target {target} of endpoint `{}` leads to {name}, which is steered here", entry.key)
                }
            };
            let raw = Raw::error("E035", message)
                .at(node.place, format!("service `{service}` answers for it"))
                .note("the answer would lead back to this server, for ever if to the same service");
            self.report().add(raw);
        }
    }

    /// The steered name, with its service, that a target is or leads to by CNAME records of our own zones.
    fn leads_to(&self, target: DnsName) -> Option<(DnsName, String)> {
        let mut seen = HashSet::new();
        let mut at = target;
        while seen.len() <= ALIASES_MAX && seen.insert(at.clone()) {
            if let Some(service) = self.steered(&at) {
                return Some((at, service.to_owned()));
            }
            at = self.alias(&at)?;
        }
        None
    }

    /// The service that answers for a name, itself or by a wildcard above it (RFC 4592).
    fn steered(&self, name: &DnsName) -> Option<&str> {
        let of = |name: &DnsName| self.names.get(name).map(|(_, service)| self.service_key_of(*service));
        if let Some(service) = of(name) {
            return Some(service);
        }
        if self.parts.zones.iter().any(|zone| zone.nodes.find(name).is_some()) {
            return None;
        }
        let above = std::iter::successors(name.parent(), DnsName::parent);
        above.filter_map(|above| above.prepend(b"*").ok()).find_map(|wildcard| of(&wildcard))
    }

    fn alias(&self, name: &DnsName) -> Option<DnsName> {
        let set = self.parts.zones.iter().find_map(|zone| zone.set(name, kind::CNAME))?;
        DnsName::from_wire(set.rdata().next()?).ok()
    }
}
