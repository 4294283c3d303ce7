//! What steered names are for secondaries: plain records.
//!
//! A secondary decides nothing, so each name becomes the set of addresses that a client of no particular place may be
//! answered with now: weights and turns are lost, a pool that answers with its first endpoint gives that one alone, and
//! shares that grow step by step count as whole. Nothing is ever empty: where the doors would answer nothing because
//! nothing is healthy, the last edition's records stay, or else all endpoints of the first pool stand for them. The
//! secondary may outlive us, and no data is worse than any of them.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
};

use crate::{
    model::{DnsName, Family, Fleet, Nodes, Packing, PoolAnswer, Resolved, Service, ServiceIx, Steer, Zone, kind},
    steer::{
        AnswerTable, Seat, Steering, https_data,
        steering::{Many, Row, Side},
    },
};

/// Most addresses of one family at one name; more would not fit into the answers of any server without TCP.
pub(super) const ADDRESSES_MAX: usize = 64;
/// The whole of a share.
const WHOLE: u8 = 100;

/// Type, TTL and data of the sets of one name.
type Sets = BTreeMap<u16, (u32, Vec<Vec<u8>>)>;

impl AnswerTable {
    /// Whether secondaries may have to be given something else than of the table before. Cheap while they need not.
    #[must_use]
    pub fn may_differ(&self, before: &Self) -> bool {
        let is_same = self.differing(before).is_some_and(|services| services.is_empty());
        !is_same || self.snapshot().feeds.resolved != before.snapshot().feeds.resolved
    }

    /// The steered names of a zone with their records.
    #[must_use]
    pub fn steered(&self, zone: &Zone) -> Nodes {
        self.steered_of(zone, &self.named().remove(&zone.apex).unwrap_or_default(), None)
    }

    /// Steered names with their services, by the zone they are in: each is looked up once, however many zones there are.
    pub(super) fn named(&self) -> HashMap<&DnsName, Vec<(ServiceIx, &DnsName)>> {
        let mut zones: HashMap<&DnsName, Vec<(ServiceIx, &DnsName)>> = HashMap::new();
        for (ix, service) in self.snapshot().fleet.services() {
            for name in &service.names {
                if let Some(zone) = self.zone_of(name.wire()) {
                    zones.entry(&zone.apex).or_default().push((ix, name));
                }
            }
        }
        zones
    }

    /// These names of a zone with their records; `before` is what they were last.
    pub(super) fn steered_of(&self, zone: &Zone, named: &[(ServiceIx, &DnsName)], before: Option<&Nodes>) -> Nodes {
        let mut names: BTreeMap<&[u8], Sets> = BTreeMap::new();
        for (ix, name) in named {
            let service = self.snapshot().fleet.service(*ix);
            let fixed = zone.nodes.sets(name);
            let mut sets = self.sets(*ix, service, fixed.is_empty());
            sets.retain(|kind, _| fixed.find(*kind).is_none());
            if sets.is_empty() {
                sets = kept(before, name).unwrap_or_else(|| configured(&self.snapshot().fleet, service));
            }
            names.insert(name.wire(), sets);
        }
        let mut packing = Packing::default();
        for (name, sets) in &names {
            packing.name(name);
            for (kind, (ttl, data)) in sets {
                packing.set(*kind, *ttl, data.iter().map(Vec::as_slice));
            }
        }
        packing.finish()
    }

    fn sets(&self, ix: ServiceIx, service: &Service, may_alias: bool) -> Sets {
        let steering = self.steering(ix);
        let seats = Family::ALL.map(|family| steering.steady(family));
        let target = |seats: &[&Seat]| {
            let first = seats.first().filter(|seat| seat.address().is_none())?;
            self.snapshot().fleet.endpoint(first.endpoint).target().cloned()
        };
        if may_alias
            && let Some(alias) = target(&seats[0])
            && target(&seats[1]).as_ref() == Some(&alias)
        {
            // Beside it nothing may stand.
            return [(kind::CNAME, (service.ttl, vec![alias.wire().to_vec()]))].into();
        }
        let addresses = Family::ALL.map(|family| self.addresses(&seats[family.index()], family));
        let mut sets = addressed(&addresses, service.ttl);
        if let Some(https) = &service.tuning.https
            && !sets.is_empty()
        {
            sets.insert(kind::HTTPS, (service.ttl, vec![https_data(https, &addresses)]));
        }
        sets
    }

    /// In order, none twice; those of a target are answered in its place.
    fn addresses(&self, seats: &[&Seat], family: Family) -> Vec<IpAddr> {
        let snapshot = self.snapshot();
        let mut all = BTreeSet::new();
        for seat in seats {
            match seat.address() {
                Some(address) => all.extend([address]),
                None => {
                    let target = snapshot.fleet.endpoint(seat.endpoint).target();
                    let resolved = target.and_then(|target| snapshot.feeds.resolved.get(target));
                    all.extend(resolved.into_iter().flat_map(|found: &Resolved| found.addresses.iter().copied()));
                }
            }
        }
        all.into_iter().filter(|address| of(family, address)).take(ADDRESSES_MAX).collect()
    }
}

impl Steering {
    /// The seats that answer a family for clients of no particular place, whatever chance and turns say.
    fn steady(&self, family: Family) -> Vec<&Seat> {
        match self.side(None, family) {
            Side::NoData | Side::ServFail => Vec::new(),
            Side::One(row) => row.steady(),
            Side::Many(many) => many.steady(),
        }
    }
}

impl Many {
    fn steady(&self) -> Vec<&Seat> {
        match self.steer {
            Steer::Failover | Steer::All | Steer::Nearest | Steer::Fastest => {
                let whole = self.rows.iter().find(|row| row.share == WHOLE);
                whole.or_else(|| self.rows.first()).map(|row| row.row.steady()).unwrap_or_default()
            }
            Steer::Weighted | Steer::RoundRobin | Steer::Random | Steer::LeastConnections => {
                self.rows.iter().flat_map(|row| row.row.steady()).collect()
            }
        }
    }
}

impl Row {
    fn steady(&self) -> Vec<&Seat> {
        match self.answer {
            PoolAnswer::First => {
                let (whole, growing): (Vec<&Seat>, Vec<&Seat>) =
                    self.seats.iter().partition(|seat| seat.share == WHOLE);
                whole.into_iter().chain(growing).take(usize::from(self.count)).collect()
            }
            PoolAnswer::All
            | PoolAnswer::RoundRobin
            | PoolAnswer::Random
            | PoolAnswer::Weighted
            | PoolAnswer::LeastConnections
            | PoolAnswer::Hash => self.seats.iter().collect(),
        }
    }
}

/// What the edition before had at a name.
fn kept(before: Option<&Nodes>, name: &DnsName) -> Option<Sets> {
    let node = before?.find(name)?;
    let data = |set: crate::model::Rrset<'_>| (set.ttl, set.rdata().map(<[u8]>::to_vec).collect());
    Some(node.sets.iter().map(|set| (set.kind, data(set))).collect::<Sets>()).filter(|sets| !sets.is_empty())
}

/// All addresses of the first pool that has any, as the configuration says them.
fn configured(fleet: &Fleet, service: &Service) -> Sets {
    let pools = service.arms.iter().map(|arm| fleet.pool(arm.pool));
    let addresses = pools.map(|pool| {
        Family::ALL.map(|family| {
            let endpoints = pool.members.iter().map(|member| fleet.endpoint(member.endpoint));
            endpoints.filter_map(|endpoint| endpoint.address(family)).take(ADDRESSES_MAX).collect::<Vec<IpAddr>>()
        })
    });
    let mut found = addresses.filter(|both| both.iter().any(|family| !family.is_empty()));
    found.next().map(|both| addressed(&both, service.ttl)).unwrap_or_default()
}

fn addressed(both: &[Vec<IpAddr>; 2], ttl: u32) -> Sets {
    let octets = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let kinds = [kind::A, kind::AAAA].into_iter().zip(both).filter(|(_, addresses)| !addresses.is_empty());
    kinds.map(|(kind, addresses)| (kind, (ttl, addresses.iter().map(octets).collect()))).collect()
}

fn of(family: Family, address: &IpAddr) -> bool {
    match family {
        Family::V4 => address.is_ipv4(),
        Family::V6 => address.is_ipv6(),
    }
}
