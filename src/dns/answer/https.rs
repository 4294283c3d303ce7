//! HTTPS records (RFC 9460) of a steered name: what its A and AAAA records would be, with the protocols in front.

use std::net::IpAddr;

use super::{
    Answering, Draws, Owner, Records,
    steered::{Drawn, of_family},
};
use crate::{
    dns::message::meta,
    model::{Family, Https, kind},
    steer::{Picks, Steering, ZoneTable},
};

/// ServiceMode, at the name itself: priority 1, TargetName the root (section 2.5.2).
const HEAD: [u8; 3] = [0, 1, 0];

/// SvcParamKeys (section 14.3.2), which stand in this order.
mod key {
    pub(super) const ALPN: u16 = 1;
    pub(super) const IPV4HINT: u16 = 4;
    pub(super) const IPV6HINT: u16 = 6;
}

impl<'t, D: Draws> Answering<'t, '_, D> {
    /// One draw for both families, so that both hints are of one decision.
    pub(super) fn https(&mut self, https: &Https, zone: &'t ZoneTable, may_alias: bool, steering: &'t Steering) {
        let draw = self.draw_for_both(steering);
        let mut found = Family::ALL.map(|family| {
            let mut picks = Picks::new();
            (self.drawn(family, steering, draw, &mut picks), picks)
        });
        let [(v4, picks), (v6, _)] = &found;
        if let (Drawn::Target(target), Drawn::Target(other)) = (v4, v6)
            && target == other
            && may_alias
        {
            self.cname(target, picks.ttl());
            return self.answered(steering, found[0].1.clone());
        }
        let mut ttl = u32::MAX;
        let mut hints = [Vec::new(), Vec::new()];
        for ((family, (drawn, picks)), hints) in Family::ALL.into_iter().zip(&found).zip(&mut hints) {
            ttl = ttl.min(picks.ttl());
            match drawn {
                Drawn::Addresses => hints.extend(picks.addresses()),
                // Hints may be left out: a target that is not resolved yet has none.
                Drawn::Target(target) => {
                    let Some(resolved) = self.resolved(target) else { continue };
                    ttl = ttl.min(resolved.ttl);
                    hints.extend(of_family(resolved, family));
                }
                Drawn::NoData | Drawn::ServFail => {}
            }
        }
        if found.iter().all(|(drawn, _)| matches!(drawn, Drawn::NoData)) {
            return self.no_data(zone);
        }
        if found.iter().all(|(drawn, _)| matches!(drawn, Drawn::NoData | Drawn::ServFail)) {
            return self.fails();
        }
        let rdata = rdata(https, &hints);
        self.answer.answer.push(Records::made(Owner::Asked, kind::HTTPS, meta::CLASS_IN, ttl, rdata));
        let counted = found.iter().position(|(_, picks)| !picks.is_empty()).unwrap_or(0);
        self.answered(steering, std::mem::take(&mut found[counted].1));
    }
}

fn rdata(https: &Https, [v4, v6]: &[Vec<IpAddr>; 2]) -> Vec<u8> {
    let mut rdata = HEAD.to_vec();
    let alpn: Vec<u8> = (https.alpn.iter())
        .filter_map(|id| Some([&[u8::try_from(id.len()).ok()?], id.as_bytes()].concat()))
        .flatten()
        .collect();
    put(&mut rdata, key::ALPN, &alpn);
    put(&mut rdata, key::IPV4HINT, &octets(v4));
    put(&mut rdata, key::IPV6HINT, &octets(v6));
    rdata
}

fn octets(addresses: &[IpAddr]) -> Vec<u8> {
    let octets = |address: &IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    addresses.iter().flat_map(octets).collect()
}

/// A parameter without a value is left out: none of these may be empty (section 7).
fn put(rdata: &mut Vec<u8>, key: u16, value: &[u8]) {
    let Ok(length @ 1..) = u16::try_from(value.len()) else { return };
    rdata.extend_from_slice(&key.to_be_bytes());
    rdata.extend_from_slice(&length.to_be_bytes());
    rdata.extend_from_slice(value);
}
