//! Zones: `GET /v1/zones`, and their export.

use serde::{Deserialize, Serialize};

use crate::{
    admin::export::zone_of,
    model::{Fleet, Zone, kind},
};

/// A zone that is served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ZoneView {
    /// Its apex, with its final dot; the id.
    pub id: String,
    /// Names with fixed records.
    pub names: usize,
    /// Fixed records.
    pub records: usize,
    /// Names that services answer.
    pub steered: usize,
    /// Its name servers.
    pub ns: Vec<String>,
    /// Seconds that resolvers remember that something does not exist.
    pub negative_ttl: u32,
}

/// A zone in another form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExportView {
    /// Its apex.
    pub zone: String,
    /// `zone`: a master file with the answers of the moment; `octodns`: with pools and rules.
    pub format: String,
    /// The snapshot it was made from.
    pub generation: u64,
    /// The file.
    pub text: String,
    /// What it could not say, a line each.
    pub left_out: Vec<String>,
}

impl ZoneView {
    pub(in crate::admin) fn of(fleet: &Fleet, zone: &Zone) -> Self {
        let names = fleet.services.iter().flat_map(|service| service.names.iter());
        let ns =
            zone.set(&zone.apex, kind::NS).map(|set| set.rdata().map(|data| crate::config::present(kind::NS, data)));
        Self {
            id: zone.apex.to_string(),
            names: zone.nodes.len(),
            records: zone.nodes.records(),
            steered: names.filter(|name| zone_of(fleet, name).is_some_and(|of| of.apex == zone.apex)).count(),
            ns: ns.into_iter().flatten().collect(),
            negative_ttl: zone.negative_ttl,
        }
    }
}
