//! Zones: what is served beside the steered names, as wire bytes.

mod nodes;
mod rrset;

use super::DnsName;

pub use self::{
    nodes::{Node, Nodes, Packing},
    rrset::{OWNER_ASKED, RECORD_HEAD, Rrset, Sets},
};

/// Record types by number; any other number is served as it stands (RFC 3597).
pub mod kind {
    #![allow(missing_docs, reason = "the names are the IANA registry's")]
    pub const A: u16 = 1;
    pub const NS: u16 = 2;
    pub const CNAME: u16 = 5;
    pub const SOA: u16 = 6;
    /// A digest of the zone (RFC 8976).
    pub const ZONEMD: u16 = 63;
    pub const PTR: u16 = 12;
    pub const HINFO: u16 = 13;
    pub const MX: u16 = 15;
    pub const TXT: u16 = 16;
    pub const AAAA: u16 = 28;
    pub const SRV: u16 = 33;
    pub const DNAME: u16 = 39;
    pub const OPT: u16 = 41;
    pub const DS: u16 = 43;
    pub const RRSIG: u16 = 46;
    pub const HTTPS: u16 = 65;
    pub const IXFR: u16 = 251;
    pub const AXFR: u16 = 252;
    pub const ANY: u16 = 255;
}

/// One zone of ours: complete, with its SOA and NS at the apex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The name it begins at.
    pub apex: DnsName,
    /// TTL of the SOA in negative answers: min(SOA TTL, SOA minimum) (RFC 2308 section 5).
    pub negative_ttl: u32,
    /// Everything fixed in the zone: the apex's SOA and NS, glue, inline records, the master file.
    pub nodes: Nodes,
}

impl Zone {
    /// The fixed records of a type at a name.
    #[must_use]
    pub fn set(&self, name: &DnsName, kind: u16) -> Option<Rrset<'_>> {
        self.nodes.sets(name).find(kind)
    }

    /// The SOA as it stands in negative answers, encoded like the records of an [`Rrset`]; nothing in a zone made by
    /// hand without one.
    #[must_use]
    pub fn negative(&self) -> Box<[u8]> {
        nodes::negative(self.set(&self.apex, kind::SOA), self.negative_ttl)
    }
}
