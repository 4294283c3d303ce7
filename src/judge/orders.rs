//! Which overrides govern what (DECIDING section 5): four lanes; within a lane the narrowest scope wins, then the more
//! conservative, then the newer.

use crate::model::{EndpointIx, Fleet, Override, PoolIx, ServiceIx, SubjectIx, Weight};

/// The overrides in force, indexed once for a snapshot and asked for each endpoint and membership.
#[derive(Debug)]
pub struct Orders<'s> {
    #[expect(dead_code, reason = "stub")]
    fleet: &'s Fleet,
    #[expect(dead_code, reason = "stub")]
    active: &'s [Override],
}

impl<'s> Orders<'s> {
    /// `active` are those that hold now.
    #[must_use]
    pub fn new(fleet: &'s Fleet, active: &'s [Override]) -> Self {
        Self { fleet, active }
    }

    /// The availability order on an endpoint as such: scopes endpoint, label, region, provider, all.
    #[must_use]
    pub fn availability(&self, _endpoint: EndpointIx) -> Option<&'s Override> {
        None
    }

    /// The availability order on an endpoint as a member of a pool in a service: all scopes.
    #[must_use]
    pub fn in_membership(&self, _service: ServiceIx, _pool: PoolIx, _endpoint: EndpointIx) -> Option<&'s Override> {
        None
    }

    /// The ordered weight of a membership.
    #[must_use]
    pub fn weight(&self, _service: ServiceIx, _pool: PoolIx, _endpoint: EndpointIx) -> Option<(Weight, &'s Override)> {
        None
    }

    /// The pool a service is pinned to. A pin to a pool that is not one of the service's does not count.
    #[must_use]
    pub fn pin(&self, _service: ServiceIx) -> Option<(PoolIx, &'s Override)> {
        None
    }

    /// The freeze that holds a subject's verdict; a freeze of a pool or service holds the subjects it uses.
    #[must_use]
    pub fn freeze(&self, _subject: SubjectIx) -> Option<&'s Override> {
        None
    }
}
