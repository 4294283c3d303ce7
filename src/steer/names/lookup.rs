//! What a look-up comes to: the name as it is served, or all that may be there in its place.

use super::{Glue, ZoneTable, index::Slot};
use crate::{
    model::{DnsName, Rrset, Sets},
    steer::Steering,
};

/// What a table knows about a name.
#[derive(Debug)]
pub enum Lookup<'t> {
    /// None of our zones is above it.
    NotOurs,
    /// It is at or below a zone cut. DS at the cut itself is answered from above the cut.
    Referral {
        /// The zone above the cut.
        zone: &'t ZoneTable,
        /// The cut's name.
        cut: &'t DnsName,
        /// Who serves it.
        ns: Rrset<'t>,
        /// A and AAAA of those servers, as far as the zone has them.
        glue: Glue<'t>,
    },
    /// It exists, or a wildcard stands for it; an empty non-terminal has neither sets nor steering.
    Found {
        /// Its zone.
        zone: &'t ZoneTable,
        /// What is fixed at it.
        sets: Sets<'t>,
        /// What answers A and AAAA, if the name belongs to a service.
        steering: Option<&'t Steering>,
        /// A wildcard stands for it (RFC 4592).
        wildcard: bool,
    },
    /// A DNAME stands above it (RFC 6672 section 3.2).
    Dname {
        /// Its zone.
        zone: &'t ZoneTable,
        /// The name that the DNAME stands at.
        owner: &'t DnsName,
        /// The DNAME.
        set: Rrset<'t>,
    },
    /// It does not exist, and nothing below it does (RFC 8020).
    NoName {
        /// The zone that would have it.
        zone: &'t ZoneTable,
    },
}

/// What is served at a name that exists: its zone's own data, no wildcard's, and no DS.
#[derive(Debug, Clone, Copy)]
pub struct Served<'t> {
    /// Its zone.
    pub zone: &'t ZoneTable,
    /// What is fixed at it.
    pub sets: Sets<'t>,
    /// What answers A and AAAA, if the name belongs to a service.
    pub steering: Option<&'t Steering>,
}

/// What is known of any other name by then: where it is, if it exists.
#[derive(Debug, Clone, Copy)]
pub struct Elsewhere(pub(super) Option<Slot>);
