//! Writing a reply over its query: header, records behind the question, OPT.
//!
//! What is written was measured before, with its names uncompressed, so nothing here can fail or has to be taken back.

use std::net::IpAddr;

use super::Done;
use crate::{
    dns::{
        message::{HEADER, OPT, flag, meta, option},
        read::{Edns, Plain, SUBNET_ROOM, Subnet},
        write::{EDE_LENGTH, Own},
    },
    model::{ANSWER_ENDPOINTS_MAX, OWNER_ASKED, RECORD_HEAD, kind},
    steer::{Picks, ZoneTable},
};

/// Most octets of picked addresses.
pub(super) const PICKED_MAX: usize = ANSWER_ENDPOINTS_MAX as usize * (RECORD_HEAD + 16);

/// What is asked, and the room for an answer.
#[derive(Clone, Copy)]
pub(super) struct Asked<'s> {
    pub(super) query: Plain,
    own: Own<'s>,
    /// What the OPT will take, without an explanation.
    tail: usize,
    /// Where the records must end.
    limit: usize,
    /// Octets of the slot.
    room: usize,
}

impl<'s> Asked<'s> {
    /// The reply may have `limit` octets, and the slot has `room`.
    #[inline(always)]
    pub(super) fn of(query: Plain, limit: usize, room: usize, own: Own<'s>) -> Self {
        let tail = query.edns.as_ref().map_or(0, |edns| own.opt_length(edns));
        Self { query, own, tail, limit: limit.saturating_sub(tail), room }
    }

    /// Whether records of so many octets can be written. Whether an explanation fits is seen when there is one, and that
    /// it fits into the slot too is seen to here.
    #[inline(always)]
    pub(super) fn fits(&self, octets: usize) -> bool {
        let end = self.query.end + octets;
        end <= self.limit && end + self.tail + EDE_LENGTH <= self.room
    }
}

/// A reply in the making.
pub(super) struct Put<'s> {
    slot: &'s mut [u8],
    at: usize,
    asked: Asked<'s>,
}

impl<'s> Put<'s> {
    /// Behind the question, which stays where it is.
    #[inline(always)]
    pub(super) fn begin(slot: &'s mut [u8], asked: Asked<'s>) -> Self {
        Self { slot, at: asked.query.end, asked }
    }

    /// The picked ones; how many.
    pub(super) fn addresses(&mut self, picks: &Picks<'_>) -> u16 {
        let mut count = 0;
        for address in picks.addresses() {
            self.address(&address, picks.ttl());
            count += 1;
        }
        count
    }

    #[inline(always)]
    pub(super) fn address(&mut self, address: &IpAddr, ttl: u32) {
        let [t0, t1, t2, t3] = ttl.to_be_bytes();
        let [o0, o1] = OWNER_ASKED;
        let [_, class] = meta::CLASS_IN.to_be_bytes();
        match address {
            IpAddr::V4(address) => {
                let mut record = [o0, o1, 0, kind::A as u8, 0, class, t0, t1, t2, t3, 0, 4, 0, 0, 0, 0];
                record[12..].copy_from_slice(&address.octets());
                self.bytes(&record);
            }
            IpAddr::V6(address) => {
                self.bytes(&[o0, o1, 0, kind::AAAA as u8, 0, class, t0, t1, t2, t3, 0, 16]);
                self.bytes(&address.octets());
            }
        }
    }

    /// The SOA, its owner a pointer into the question; it is one record. So are the ends of its names, where the question
    /// spells them as the zone does.
    pub(super) fn negative(&mut self, zone: &ZoneTable) -> u8 {
        let (apex, end) = (zone.apex.wire(), self.asked.query.end);
        let apex_at = end - 4 - apex.len();
        #[expect(clippy::cast_possible_truncation, reason = "a question ends far below 2^14")]
        let pointer = (0xc000 | apex_at as u16).to_be_bytes();
        let from = self.at;
        if self.slot[apex_at..end - 4] == *apex {
            let (record, places) = zone.negative_pointing();
            self.bytes(record);
            for place in places {
                let at = from + usize::from(*place);
                self.slot[at..at + 2].copy_from_slice(&pointer);
            }
        } else {
            self.bytes(zone.negative().records);
        }
        self.slot[from..from + 2].copy_from_slice(&pointer);
        1
    }

    /// Header and OPT; the reply's length.
    #[inline(always)]
    pub(super) fn end(mut self, done: &Done) -> usize {
        let [extended, low] = done.rcode.number().to_be_bytes();
        debug_assert!(extended == 0 && low < 16, "no extended code is answered here");
        let bit = |is: bool, bit| if is { bit } else { 0 };
        let [a0, a1] = done.answers.to_be_bytes();
        // Of the query's flags two are copied; its opcode is 0.
        let Some(header) = self.slot.first_chunk_mut::<HEADER>() else { return 0 };
        header[2] = flag::QR | bit(done.authoritative, flag::AA) | header[2] & flag::RD;
        header[3] = header[3] & flag::CD | low;
        header[6..].copy_from_slice(&[a0, a1, 0, done.authorities, 0, u8::from(self.asked.query.edns.is_some())]);
        if let Some(edns) = self.asked.query.edns {
            self.opt(&edns, done);
        }
        self.at
    }

    #[inline(always)]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.slot[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    #[inline(always)]
    fn opt(&mut self, edns: &Edns, done: &Done) {
        let own = self.asked.own;
        // Explaining takes the room that is left.
        let ede = done.ede.filter(|_| self.at + EDE_LENGTH <= self.asked.limit);
        let length = self.asked.tail - OPT + ede.map_or(0, |_| EDE_LENGTH);
        let [s0, s1] = own.face.udp_size.to_be_bytes();
        #[expect(clippy::cast_possible_truncation, reason = "options are short")]
        let [l0, l1] = (length as u16).to_be_bytes();
        self.bytes(&[0, 0, kind::OPT as u8, s0, s1, 0, 0, if edns.dnssec_ok { 0x80 } else { 0 }, 0, l0, l1]);
        if let Some(nsid) = own.asked_nsid(edns) {
            self.option(option::NSID, nsid);
        }
        if let Some(keepalive) = own.asked_keepalive(edns) {
            self.option(option::KEEPALIVE, &keepalive.to_be_bytes());
        }
        if let Some(subnet) = &edns.subnet {
            // What is behind the data is written over by what follows, or is no part of the reply.
            match self.slot.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
                Some(room) => self.at += subnet.put(done.scope, room),
                None => self.at_the_end(*subnet, done.scope),
            }
        }
        if let Some(ede) = ede {
            self.option(option::EXTENDED_ERROR, &ede.number().to_be_bytes());
        }
    }

    /// The echo where the slot has no room for what is behind the data.
    #[inline(always)]
    fn at_the_end(&mut self, subnet: Subnet, scope: u8) {
        let mut room = [0; SUBNET_ROOM];
        let length = subnet.put(scope, &mut room);
        self.bytes(&room[..length]);
    }

    #[inline(always)]
    fn option(&mut self, code: u16, data: &[u8]) {
        let [c0, c1] = code.to_be_bytes();
        #[expect(clippy::cast_possible_truncation, reason = "options are short")]
        let [l0, l1] = (data.len() as u16).to_be_bytes();
        self.bytes(&[c0, c1, l0, l1]);
        self.bytes(data);
    }
}
