//! Where clients are: databases and own networks, and one client of one query.
//!
//! Why a client looks itself up only when asked: the scope of an answer (RFC 7871) is exact by construction, because
//! only what was asked is counted.

use std::net::IpAddr;

use crate::model::{Locality, When};

/// What clients are located with: databases in memory and an operator's own networks, immutable, replaced whole.
#[derive(Debug, Default)]
pub struct Locator {}

impl Locator {
    /// One that knows nothing.
    #[must_use]
    pub fn nowhere() -> Self {
        Self::default()
    }
}

/// Who asks, as far as one answer looks at it.
#[derive(Debug)]
#[expect(dead_code, reason = "read by the first policy that looks at clients")]
pub struct Client<'t> {
    locator: Option<&'t Locator>,
    network: Option<(IpAddr, u8)>,
    /// Told by an operator instead of looked up: in explanations, plans and tests.
    told: Locality,
    scope: u8,
}

impl<'t> Client<'t> {
    /// A client in a network: of an ECS option, or a resolver's address with all its bits.
    #[must_use]
    pub fn new(locator: &'t Locator, address: IpAddr, bits: u8) -> Self {
        Self { locator: Some(locator), network: Some((address, bits)), told: Locality::default(), scope: 0 }
    }

    /// One of whom nothing is known.
    #[must_use]
    pub fn nobody() -> Client<'static> {
        Client { locator: None, network: None, told: Locality::default(), scope: 0 }
    }

    /// One at a place that somebody names.
    #[must_use]
    pub fn at(place: Locality) -> Client<'static> {
        Client { told: place, ..Client::nobody() }
    }

    /// Whether a rule is for it; whatever is looked at counts for the scope.
    pub(super) fn fits(&mut self, when: &When) -> bool {
        let _ = when;
        false
    }

    /// How many bits of its address decided so far: the SCOPE PREFIX-LENGTH of the answer (RFC 7871 section 7.2.1).
    #[must_use]
    pub fn scope(&self) -> u8 {
        self.scope
    }
}
