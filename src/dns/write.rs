//! Replies, into a caller's buffer: header, question, sections, OPT.
//!
//! What does not fit is left out whole: empty sections, TC, and the OPT stays (RFC 6891 section 7, RFC 2181 section 9).

use std::{borrow::Cow, net::IpAddr};

use super::{
    answer::{Answer, Data, Owner, Records},
    desk::{Face, NSID_LENGTH_MAX},
    message::{Ede, HEADER, OPT, Rcode, STREAM_SIZE_MAX, UDP_SIZE_MIN, flag, meta, option},
    names::{Case, Names},
    read::{Edns, Head, Query, Refusal, SUBNET_ROOM},
};
use crate::{
    model::{NAME_LENGTH_MAX, RECORD_HEAD, Rrset, kind},
    steer::Picks,
};

/// What we say about ourselves in an OPT record.
#[derive(Debug, Clone, Copy)]
pub struct Own<'s> {
    /// Size and NSID.
    pub face: &'s Face,
    /// Idle time of the connection in units of 100 ms, on streams alone (RFC 7828).
    pub keepalive: Option<u16>,
}

impl<'s> Own<'s> {
    /// What an OPT takes that echoes the client's network and explains nothing.
    #[inline(always)]
    pub(super) fn opt_length(self, edns: &Edns) -> usize {
        OPT + self.asked_nsid(edns).map_or(0, |nsid| 4 + nsid.len())
            + self.asked_keepalive(edns).map_or(0, |_| 4 + 2)
            + edns.subnet.as_ref().map_or(0, |subnet| subnet.length())
    }

    #[inline(always)]
    pub(super) fn asked_nsid(self, edns: &Edns) -> Option<&'s [u8]> {
        if !edns.nsid {
            return None;
        }
        let nsid = self.face.nsid.as_deref()?.as_bytes();
        Some(&nsid[..nsid.len().min(NSID_LENGTH_MAX)])
    }

    #[inline(always)]
    pub(super) fn asked_keepalive(self, edns: &Edns) -> Option<u16> {
        if edns.keepalive { self.keepalive } else { None }
    }
}

/// What one reply may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// A datagram: what both sides can take.
    Datagram,
    /// A message on a stream.
    Stream,
}

/// How a reply left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// What the header says; SERVFAIL for an answer that no message can hold.
    pub rcode: Rcode,
    /// TC is set.
    pub truncated: bool,
}

/// Appends the reply to a query.
pub fn reply(query: &Query<'_>, answer: &Answer<'_>, room: Room, own: Own<'_>, out: &mut Vec<u8>) -> Written {
    let limit = match room {
        Room::Datagram => datagram_limit(query.edns.as_ref(), own.face),
        Room::Stream => STREAM_SIZE_MAX,
    };
    let start = out.len();
    let mut told = Told { scope: Some(answer.scope), ede: None };
    let tail = query.edns.as_ref().map_or(0, |edns| own.opt_length(edns));
    let mut message = Message::begin(query.head, Some(query.question), out);
    let mut written = Written { rcode: answer.rcode, truncated: false };
    let mut counts = [0_u16; 3];
    let sections = [&*answer.answer, answer.authority.as_slice(), &*answer.additional];
    let limit = limit.saturating_sub(tail + query.behind);
    let fits = sections
        .into_iter()
        .zip(&mut counts)
        .all(|(section, count)| section.iter().all(|records| message.records(records, &answer.picks, count, limit)));
    if answer.authoritative {
        message.out[start + 2] |= flag::AA;
    }
    if !fits {
        message.out.truncate(start + HEADER + query.question.len());
        counts = [0; 3];
        match room {
            Room::Datagram => {
                message.out[start + 2] |= flag::TC;
                written.truncated = true;
            }
            // There is nowhere to go on to from a stream.
            Room::Stream => {
                message.out[start + 2] &= !flag::AA;
                written.rcode = Rcode::ServFail;
            }
        }
    }
    // Explaining is worth no record: it takes the room that is left.
    if written.rcode == answer.rcode && message.out.len() - start + EDE_LENGTH <= limit {
        told.ede = answer.ede;
    }
    message.end(written.rcode, counts, query.edns, own, &told);
    written
}

/// One message of several that answer a query together (RFC 5936 section 2.2).
pub(super) struct Page<'o, 'a> {
    message: Message<'o>,
    own: Own<'a>,
    edns: Option<Edns>,
    limit: usize,
    count: u16,
}

impl<'o, 'a> Page<'o, 'a> {
    /// With the question in front, and an OPT behind, where they are given; records fill about `limit` octets.
    pub(super) fn begin(
        head: Head,
        question: Option<&[u8]>,
        edns: Option<Edns>,
        own: Own<'a>,
        limit: usize,
        out: &'o mut Vec<u8>,
    ) -> Self {
        let message = Message::begin(head, question, out);
        message.out[message.start + 2] |= flag::AA;
        Self { message, own, edns, limit, count: 0 }
    }

    /// Appends a record, unless the page is full. An empty page takes any.
    pub(super) fn put(&mut self, owner: &[u8], set: Rrset<'_>, data: &[u8]) -> bool {
        let length = self.message.out.len() - self.message.start;
        // Measured before it is written, with whole names: what was written cannot be taken back.
        if 0 < self.count && self.limit < length + owner.len() + RECORD_HEAD + data.len() {
            return false;
        }
        let records = Records {
            owner: Owner::Name(Cow::Borrowed(owner)),
            kind: set.kind,
            class: meta::CLASS_IN,
            ttl: set.ttl,
            data: Data::Set(set),
        };
        // A single record fits into a stream's message.
        self.message.record(&records, data, &mut self.count, STREAM_SIZE_MAX)
    }

    pub(super) fn end(self) {
        self.message.end(Rcode::NoError, [self.count, 0, 0], self.edns, self.own, &Told::default());
    }
}

/// Appends the reply to what is refused.
pub fn refusal(refusal: &Refusal<'_>, own: Own<'_>, out: &mut Vec<u8>) -> Written {
    let message = Message::begin(refusal.head, refusal.question, out);
    message.end(refusal.rcode, [0; 3], refusal.edns, own, &Told::default());
    Written { rcode: refusal.rcode, truncated: false }
}

/// What one reply says in its OPT record about its answer.
#[derive(Default)]
struct Told {
    /// How much of the client's network it is for; `None` where nothing was looked up.
    scope: Option<u8>,
    ede: Option<Ede>,
}

/// An option with a code alone (RFC 8914 section 2).
pub(super) const EDE_LENGTH: usize = 4 + 2;

/// Most octets of a datagram that both sides take.
#[inline(always)]
pub(super) fn datagram_limit(edns: Option<&Edns>, face: &Face) -> usize {
    usize::from(edns.map_or(UDP_SIZE_MIN, |edns| edns.size.min(face.udp_size)).max(UDP_SIZE_MIN))
}

/// Where names stand in the RDATA of a type whose names may be compressed (RFC 3597 section 4 lets those of RFC 1035):
/// behind how many octets, and how many of them.
pub(super) fn names_in(kind: u16) -> (usize, usize) {
    match kind {
        kind::NS | kind::CNAME | kind::PTR => (0, 1),
        kind::MX => (2, 1),
        kind::SOA => (0, 2),
        _ => (0, 0),
    }
}

struct Message<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    names: Names,
}

impl<'o> Message<'o> {
    fn begin(head: Head, question: Option<&[u8]>, out: &'o mut Vec<u8>) -> Self {
        let start = out.len();
        let [high, low] = head.id.to_be_bytes();
        let first = flag::QR | head.opcode | if head.recursion_desired { flag::RD } else { 0 };
        let second = if head.checking_disabled { flag::CD } else { 0 };
        out.extend_from_slice(&[high, low, first, second, 0, u8::from(question.is_some()), 0, 0, 0, 0, 0, 0]);
        let mut names = Names::new(start);
        if let Some(question) = question {
            out.extend_from_slice(question);
            names.learn(out, start + HEADER);
        }
        Self { out, start, names }
    }

    /// Appends records while the message stays within `limit`; tells whether it did.
    fn records(&mut self, records: &Records<'_>, picks: &Picks<'_>, count: &mut u16, limit: usize) -> bool {
        match &records.data {
            Data::Set(set) => set.rdata().all(|rdata| self.record(records, rdata, count, limit)),
            Data::One(rdata) => self.record(records, rdata, count, limit),
            Data::Picked => picks.addresses().all(|address| self.address(records, address, count, limit)),
            Data::Resolved(addresses) => addresses.iter().all(|one| self.address(records, *one, count, limit)),
        }
    }

    fn address(&mut self, records: &Records<'_>, address: IpAddr, count: &mut u16, limit: usize) -> bool {
        match address {
            IpAddr::V4(address) => self.record(records, &address.octets(), count, limit),
            IpAddr::V6(address) => self.record(records, &address.octets(), count, limit),
        }
    }

    fn record(&mut self, records: &Records<'_>, rdata: &[u8], count: &mut u16, limit: usize) -> bool {
        match &records.owner {
            Owner::Asked => self.out.extend_from_slice(&[0xc0, HEADER as u8]),
            Owner::Name(name) => self.names.write(self.out, name, Case::Any),
        }
        self.out.extend_from_slice(&records.kind.to_be_bytes());
        self.out.extend_from_slice(&records.class.to_be_bytes());
        self.out.extend_from_slice(&records.ttl.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        self.rdata(records.kind, rdata);
        let length = self.out.len() - length_at - 2;
        let Ok(length) = u16::try_from(length) else { return false };
        self.out[length_at..length_at + 2].copy_from_slice(&length.to_be_bytes());
        *count = count.saturating_add(1);
        self.out.len() - self.start <= limit
    }

    /// RDATA, with its names compressed where they may be.
    fn rdata(&mut self, kind: u16, rdata: &[u8]) {
        let (plain, names) = names_in(kind);
        let (head, mut rest) = rdata.split_at(plain.min(rdata.len()));
        self.out.extend_from_slice(head);
        for _ in 0..names {
            let Some((name, behind)) = split_name(rest) else { break };
            self.names.write(self.out, name, Case::Exact);
            rest = behind;
        }
        self.out.extend_from_slice(rest);
    }

    fn end(self, rcode: Rcode, counts: [u16; 3], edns: Option<Edns>, own: Own<'_>, told: &Told) {
        let [extended, low] = rcode.number().to_be_bytes();
        let (extended, low) = (extended << 4 | low >> 4, low & 0x0f);
        self.out[self.start + 3] |= low;
        let [answers, authorities, additionals] = counts;
        let counts = [answers, authorities, additionals + u16::from(edns.is_some())];
        for (count, at) in counts.into_iter().zip([6, 8, 10]) {
            self.out[self.start + at..self.start + at + 2].copy_from_slice(&count.to_be_bytes());
        }
        let Some(edns) = &edns else { return };
        let [size_high, size_low] = own.face.udp_size.to_be_bytes();
        let flags = if edns.dnssec_ok { 0x80 } else { 0 };
        let length = own.opt_length(edns) - OPT + told.ede.map_or(0, |_| EDE_LENGTH)
            - edns.subnet.filter(|_| told.scope.is_none()).map_or(0, |subnet| subnet.length());
        let length = u16::try_from(length).expect("options are short");
        let [length_high, length_low] = length.to_be_bytes();
        self.out.extend_from_slice(&[
            0,
            0,
            kind::OPT as u8,
            size_high,
            size_low,
            extended,
            0,
            flags,
            0,
            length_high,
            length_low,
        ]);
        if let Some(nsid) = own.asked_nsid(edns) {
            put_option(self.out, option::NSID, nsid);
        }
        if let Some(keepalive) = own.asked_keepalive(edns) {
            put_option(self.out, option::KEEPALIVE, &keepalive.to_be_bytes());
        }
        if let Some((subnet, scope)) = edns.subnet.zip(told.scope) {
            let mut room = [0; SUBNET_ROOM];
            let length = subnet.put(scope, &mut room);
            self.out.extend_from_slice(&room[..length]);
        }
        if let Some(ede) = told.ede {
            put_option(self.out, option::EXTENDED_ERROR, &ede.number().to_be_bytes());
        }
    }
}

fn put_option(out: &mut Vec<u8>, code: u16, data: &[u8]) {
    out.extend_from_slice(&code.to_be_bytes());
    out.extend_from_slice(&(data.len() as u16).to_be_bytes());
    out.extend_from_slice(data);
}

/// The uncompressed name that `bytes` begin with.
fn split_name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut end = 0;
    while end < NAME_LENGTH_MAX {
        match *bytes.get(end)? {
            0 => return bytes.split_at_checked(end + 1),
            octets @ 1..=63 => end += 1 + usize::from(octets),
            _ => return None,
        }
    }
    None
}
