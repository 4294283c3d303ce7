//! What a steered name answers: addresses, or another name, from one decision.
//!
//! Why a CNAME only when both families lead to it: it speaks for every type of its name, and a resolver that has it in
//! its cache asks for none of them again. Where one family is answered with addresses of its own, or other records
//! stand at the name, the target's addresses are answered in its place.

use super::{Answering, Chain, Data, Draws, Owner, Records};
use crate::{
    dns::message::{Ede, Rcode, meta},
    model::{DnsName, EndpointIx, Family, Resolved, Sets, kind},
    steer::{Draw, Outcome, Picks, Steering, ZoneTable},
};

/// What came of the decision for one family.
pub(super) enum Drawn<'t> {
    /// At least one address in the picks.
    Addresses,
    /// The picks hold an endpoint that is this name.
    Target(&'t DnsName),
    /// Nothing, and no error.
    NoData,
    /// Set to fail.
    ServFail,
}

impl<'t, D: Draws> Answering<'t, '_, D> {
    /// Answers what the service decides about; `false` leaves it to the records that stand at the name.
    pub(super) fn steered(
        &mut self,
        chain: &Chain,
        zone: &'t ZoneTable,
        sets: Sets<'t>,
        steering: &'t Steering,
    ) -> bool {
        let family = match self.asked {
            kind::A => Some(Family::V4),
            kind::AAAA => Some(Family::V6),
            _ => None,
        };
        let https = self.table.snapshot().fleet.service(steering.service_ix()).tuning.https.as_ref();
        let https = https.filter(|_| self.asked == kind::HTTPS);
        // Beside other records a CNAME may not stand (RFC 2181 section 10.1), and so never at an apex.
        let may_alias = sets.is_empty();
        if !chain.is_at_start() {
            return family.is_some() || https.is_some() || may_alias && steering.has_targets();
        }
        match (family, https) {
            (Some(family), _) => self.addresses(family, zone, may_alias, steering),
            (None, Some(https)) => self.https(https, zone, may_alias, steering),
            (None, None) if may_alias && steering.has_targets() => return self.alias(steering),
            (None, None) => return false,
        }
        true
    }

    /// Draws for one family of a service.
    pub(super) fn drawn(
        &mut self,
        family: Family,
        steering: &'t Steering,
        draw: Draw,
        picks: &mut Picks<'t>,
    ) -> Drawn<'t> {
        match steering.pick(family, &mut self.client, draw, picks) {
            Outcome::Addresses => Drawn::Addresses,
            Outcome::NoData => Drawn::NoData,
            Outcome::ServFail => Drawn::ServFail,
            Outcome::Target => match picked(picks).and_then(|endpoint| self.target(endpoint)) {
                Some(target) => Drawn::Target(target),
                None => Drawn::NoData,
            },
        }
    }

    /// The slot behind those of the families: questions that are about both must not take turns from either.
    pub(super) fn draw_for_both(&mut self, steering: &Steering) -> Draw {
        self.draw(self.table.slots() + steering.service_ix().index())
    }

    pub(super) fn draw(&mut self, slot: usize) -> Draw {
        Draw { now: self.now, ..self.draws.draw(slot) }
    }

    fn target(&self, endpoint: EndpointIx) -> Option<&'t DnsName> {
        self.table.snapshot().fleet.endpoint(endpoint).target()
    }

    /// Whether the same draw leads the other family to the same name.
    pub(super) fn is_for_both(&mut self, family: Family, target: &DnsName, steering: &'t Steering, draw: Draw) -> bool {
        let [v4, v6] = Family::ALL;
        let other = if family == v4 { v6 } else { v4 };
        matches!(self.drawn(other, steering, draw, &mut Picks::new()), Drawn::Target(found) if found == target)
    }

    fn addresses(&mut self, family: Family, zone: &'t ZoneTable, may_alias: bool, steering: &'t Steering) {
        let draw = self.draw(steering.slot(family));
        let mut picks = Picks::new();
        match self.drawn(family, steering, draw, &mut picks) {
            Drawn::Addresses => self.push(family, picks.ttl(), Data::Picked),
            Drawn::Target(target) if may_alias && self.is_for_both(family, target, steering, draw) => {
                self.cname(target, picks.ttl());
            }
            Drawn::Target(target) => match self.resolved(target) {
                Some(resolved) => match of_family(resolved, family) {
                    [] => return self.no_data(zone),
                    addresses => self.push(family, picks.ttl().min(resolved.ttl), Data::Resolved(addresses)),
                },
                None => return self.not_ready(),
            },
            Drawn::NoData => return self.no_data(zone),
            Drawn::ServFail => return self.fails(),
        }
        self.answered(steering, picks);
    }

    /// Any other type of a name at which nothing else stands: the CNAME that addresses would be answered with.
    fn alias(&mut self, steering: &'t Steering) -> bool {
        let draw = self.draw_for_both(steering);
        let mut picks = Picks::new();
        let Drawn::Target(target) = self.drawn(Family::V4, steering, draw, &mut picks) else { return false };
        if !self.is_for_both(Family::V4, target, steering, draw) {
            return false;
        }
        self.cname(target, picks.ttl());
        self.answered(steering, picks);
        true
    }

    pub(super) fn cname(&mut self, target: &'t DnsName, ttl: u32) {
        self.answer.answer.push(Records::made(Owner::Asked, kind::CNAME, meta::CLASS_IN, ttl, target.wire()));
    }

    /// What is known of a target's addresses.
    pub(super) fn resolved(&self, target: &DnsName) -> Option<&'t Resolved> {
        self.table.snapshot().feeds.resolved.get(target)
    }

    fn push(&mut self, family: Family, ttl: u32, data: Data<'t>) {
        let kind = match family {
            Family::V4 => kind::A,
            Family::V6 => kind::AAAA,
        };
        self.answer.answer.push(Records { owner: Owner::Asked, kind, class: meta::CLASS_IN, ttl, data });
    }

    pub(super) fn answered(&mut self, steering: &'t Steering, picks: Picks<'t>) {
        self.answer.ede = picks.is_stale().then_some(Ede::StaleAnswer);
        self.answer.steering = Some(steering);
        self.answer.picks = picks;
    }

    pub(super) fn no_data(&mut self, zone: &'t ZoneTable) {
        self.answer.authority = Some(Records::negative(zone));
    }

    pub(super) fn fails(&mut self) {
        self.answer.authoritative = false;
        self.answer.rcode = Rcode::ServFail;
    }

    fn not_ready(&mut self) {
        self.fails();
        self.answer.ede = Some(Ede::NotReady);
    }
}

fn picked(picks: &Picks<'_>) -> Option<EndpointIx> {
    picks.seats().next().map(|seat| seat.endpoint)
}

/// The part of a family: the addresses are sorted, and IPv4 stands first.
pub(super) fn of_family(resolved: &Resolved, family: Family) -> &[std::net::IpAddr] {
    let (v4, v6) = resolved.addresses.split_at(resolved.addresses.partition_point(|address| address.is_ipv4()));
    match family {
        Family::V4 => v4,
        Family::V6 => v6,
    }
}
