//! Writing a reply over its query: header, records behind the question, OPT.
//!
//! What is written was measured before, with its names uncompressed, so nothing here can fail or has to be taken back.

use std::net::IpAddr;

use super::{Asked, Asking, Data, Found};
use crate::{
    dns::{
        message::{HEADER, OPT, flag, meta, option},
        read::{Edns, Head},
        write::EDE_LENGTH,
    },
    model::{ANSWER_ENDPOINTS_MAX, OWNER_ASKED, RECORD_HEAD, Rrset, kind},
    steer::{Picks, ZoneTable},
};

/// Most octets of picked addresses.
pub(super) const PICKED_MAX: usize = ANSWER_ENDPOINTS_MAX as usize * (RECORD_HEAD + 16);

/// A reply in the making.
pub(super) struct Put<'s> {
    slot: &'s mut [u8],
    at: usize,
    head: Head,
}

impl<'s> Put<'s> {
    /// Behind the question, which stays where it is.
    pub(super) fn begin(slot: &'s mut [u8], end: usize, head: Head) -> Self {
        Self { slot, at: end, head }
    }

    /// Writes it all; the reply's length.
    pub(super) fn reply(mut self, asked: &Asked, found: &Found<'_>, asking: &Asking<'_, '_>) -> usize {
        let mut answers = 0_u16;
        let mut authorities = 0;
        match &found.data {
            Data::Nothing => {}
            Data::Set(set) => {
                self.bytes(set.records);
                answers = set.count;
            }
            Data::Negative(zone, soa) => {
                self.negative(zone, *soa, asked.end);
                authorities = 1;
            }
            Data::Picked(_, picks) => answers = self.addresses(picks),
        }
        let explains = asked.edns.is_some() && self.at + EDE_LENGTH <= asking.limit(asked);
        let [extended, low] = found.rcode.number().to_be_bytes();
        debug_assert!(extended == 0 && low < 16, "no extended code is answered here");
        let bit = |is: bool, bit| if is { bit } else { 0 };
        self.slot[2] = flag::QR | bit(found.authoritative, flag::AA) | bit(self.head.recursion_desired, flag::RD);
        self.slot[3] = bit(self.head.checking_disabled, flag::CD) | low;
        let [a0, a1] = answers.to_be_bytes();
        self.slot[6..HEADER].copy_from_slice(&[a0, a1, 0, authorities, 0, u8::from(asked.edns.is_some())]);
        if let Some(edns) = asked.edns {
            self.opt(edns, found, asking, explains);
        }
        self.at
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.slot[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn pointer(&mut self, to: usize) {
        #[expect(clippy::cast_possible_truncation, reason = "a question ends far below 2^14")]
        self.bytes(&(0xc000 | to as u16).to_be_bytes());
    }

    fn addresses(&mut self, picks: &Picks<'_>) -> u16 {
        let [t0, t1, t2, t3] = picks.ttl().to_be_bytes();
        let [o0, o1] = OWNER_ASKED;
        let [_, class] = meta::CLASS_IN.to_be_bytes();
        let mut count = 0;
        for address in picks.addresses() {
            match address {
                IpAddr::V4(address) => {
                    let [a, b, c, d] = address.octets();
                    self.bytes(&[o0, o1, 0, kind::A as u8, 0, class, t0, t1, t2, t3, 0, 4, a, b, c, d]);
                }
                IpAddr::V6(address) => {
                    self.bytes(&[o0, o1, 0, kind::AAAA as u8, 0, class, t0, t1, t2, t3, 0, 16]);
                    self.bytes(&address.octets());
                }
            }
            count += 1;
        }
        count
    }

    /// The SOA, its owner a pointer into the question. So are the ends of its names, where the question spells them as
    /// the zone does.
    fn negative(&mut self, zone: &ZoneTable, soa: Rrset<'_>, end: usize) {
        let apex = zone.apex.wire();
        let apex_at = end - 4 - apex.len();
        let (fixed, rdata) = soa.records.split_at(RECORD_HEAD);
        self.pointer(apex_at);
        self.bytes(&fixed[2..]);
        let from = self.at;
        let as_spelled = self.slot[apex_at..end - 4] == *apex;
        let rest = self.name(rdata, apex, apex_at, as_spelled);
        let rest = self.name(rest, apex, apex_at, as_spelled);
        self.bytes(rest);
        #[expect(clippy::cast_possible_truncation, reason = "it is no longer than the SOA")]
        let length = (self.at - from) as u16;
        self.slot[from - 2..from].copy_from_slice(&length.to_be_bytes());
    }

    /// The name that `rdata` begins with; gives back what is behind it.
    fn name<'r>(&mut self, rdata: &'r [u8], apex: &[u8], apex_at: usize, may_point: bool) -> &'r [u8] {
        let mut at = 0;
        loop {
            let rest = &rdata[at..];
            if may_point && rest.starts_with(apex) && apex.len() > 1 {
                self.bytes(&rdata[..at]);
                self.pointer(apex_at);
                return &rest[apex.len()..];
            }
            match rest.first() {
                None | Some(0) => {
                    let (name, behind) = rdata.split_at(rdata.len().min(at + 1));
                    self.bytes(name);
                    return behind;
                }
                Some(length) => at += 1 + usize::from(*length),
            }
        }
    }

    fn opt(&mut self, edns: Edns, found: &Found<'_>, asking: &Asking<'_, '_>, explains: bool) {
        let own = asking.own();
        let ede = found.ede.filter(|_| explains);
        let length = own.opt_length(edns) - OPT + ede.map_or(0, |_| EDE_LENGTH);
        let [s0, s1] = asking.face.udp_size.to_be_bytes();
        #[expect(clippy::cast_possible_truncation, reason = "options are short")]
        let [l0, l1] = (length as u16).to_be_bytes();
        self.bytes(&[0, 0, kind::OPT as u8, s0, s1, 0, 0, if edns.dnssec_ok { 0x80 } else { 0 }, 0, l0, l1]);
        if let Some(nsid) = own.asked_nsid(edns) {
            self.option(option::NSID, nsid);
        }
        if let Some(keepalive) = own.asked_keepalive(edns) {
            self.option(option::KEEPALIVE, &keepalive.to_be_bytes());
        }
        if let Some(subnet) = edns.subnet {
            let (data, length) = subnet.echo(found.scope);
            self.option(option::SUBNET, &data[..length]);
        }
        if let Some(ede) = ede {
            self.option(option::EXTENDED_ERROR, &ede.number().to_be_bytes());
        }
    }

    fn option(&mut self, code: u16, data: &[u8]) {
        let [c0, c1] = code.to_be_bytes();
        #[expect(clippy::cast_possible_truncation, reason = "options are short")]
        let [l0, l1] = (data.len() as u16).to_be_bytes();
        self.bytes(&[c0, c1, l0, l1]);
        self.bytes(data);
    }
}
