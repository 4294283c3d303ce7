//! Reading what comes in: header, question and OPT, straight from the bytes, before anything is decoded.
//!
//! Why our own: this is what strangers reach. It follows no pointer, copies only the name, allocates nothing, and says
//! for each packet whether it is dropped, refused with a code, or a query. All doors share it, so all doors agree.

mod extra;
mod plain;
mod subnet;

pub(super) use self::extra::signature_at;
use self::extra::{Extra, soa_serial, walk};
pub use self::{
    plain::{Plain, plain},
    subnet::{Ecs, SUBNET_ROOM, Subnet},
};
use super::message::{HEADER, Rcode, flag, meta, u16_at};
use crate::model::{LABEL_LENGTH_MAX, NAME_LENGTH_MAX, NameHash, Serial, kind};

/// Most records in the additional section of a query: an OPT and a TSIG. Beyond it: FORMERR.
const ADDITIONALS_MAX: u16 = 2;
/// Most records stepped over on the way to an OPT, in queries that are refused anyway. Beyond it: refused without OPT.
const RECORDS_WALKED_MAX: u16 = 16;

/// What a packet is.
#[derive(Debug)]
pub enum Reading<'p> {
    /// Nothing is sent back.
    Drop(Dropped),
    /// No query of ours; answered with a code.
    Refuse(Refusal<'p>),
    /// A question to look up.
    Query(Query<'p>),
}

/// Why nothing is sent back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dropped {
    /// Shorter than a header: there is no id to answer to.
    Short,
    /// A response. Answering responses makes two servers talk for ever.
    Response,
}

/// What is answered without a look-up.
#[derive(Debug)]
pub struct Refusal<'p> {
    /// Of the query.
    pub head: Head,
    /// What is said.
    pub rcode: Rcode,
    /// The question as sent, if there is exactly one and it could be read.
    pub question: Option<&'p [u8]>,
    /// Of the query, if one could be read.
    pub edns: Option<Edns>,
}

/// One well-formed question.
#[derive(Debug)]
pub struct Query<'p> {
    /// Of the query.
    pub head: Head,
    /// Name, type and class as sent, to be echoed octet by octet (draft-vixie-dnsext-dns0x20).
    pub question: &'p [u8],
    /// The name in lower case.
    pub name: &'p LowerName,
    /// QTYPE.
    pub kind: u16,
    /// QCLASS.
    pub class: u16,
    /// Of the query.
    pub edns: Option<Edns>,
    /// Where in the packet its signature begins (RFC 8945), which is its last record and was not checked.
    pub signed: Option<usize>,
    /// Octets to be kept free behind the reply, for its signature.
    pub behind: usize,
}

/// What a reply takes over from the header of its query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Goes back as it came.
    pub id: u16,
    /// Kept in its place: bits 3 to 6 of the third octet.
    pub opcode: u8,
    /// Copied (RFC 6895 section 2.1).
    pub recursion_desired: bool,
    /// Copied (RFC 4035 section 3.1.6).
    pub checking_disabled: bool,
}

/// What an OPT record said (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// What the client can take over UDP, at least 512.
    pub size: u16,
    /// 0 is the only one there is.
    pub version: u8,
    /// DO (RFC 3225), copied.
    pub dnssec_ok: bool,
    /// NSID is asked for (RFC 5001).
    pub nsid: bool,
    /// The idle time of the connection is asked for (RFC 7828).
    pub keepalive: bool,
    /// The client's network (RFC 7871), where it is used.
    pub subnet: Option<Subnet>,
}

/// An uncompressed name in lower case; room for one, which is used again for each packet.
#[derive(Clone, Default)]
pub struct LowerName {
    words: [[u8; 8]; NAME_WORDS],
    length: u8,
    hash: u64,
}

/// A name in words of eight octets.
const NAME_WORDS: usize = NAME_LENGTH_MAX.div_ceil(8);

impl LowerName {
    /// The wire bytes, root octet included; nothing before a name has been read.
    #[inline]
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        &self.words.as_flattened()[..usize::from(self.length)]
    }

    /// Whether it begins with these octets. A shorter name is followed by zeros.
    #[inline(always)]
    pub(super) fn begins_like(&self, octets: [u8; 4]) -> bool {
        self.words[0].first_chunk() == Some(&octets)
    }

    /// [`NameHash::of`] its wire bytes.
    #[inline]
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Takes the first name in `bytes`; its length. Pointers are refused: nobody needs them in a question (and RFC 9267
    /// shows their harm).
    #[inline(always)]
    fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        // A root octet further behind would end a name that is too long.
        let within = &bytes[..bytes.len().min(NAME_LENGTH_MAX)];
        let mut at = 0;
        loop {
            let length = usize::from(*within.get(at)?);
            if LABEL_LENGTH_MAX <= length.wrapping_sub(1) {
                if length != 0 {
                    return None;
                }
                break;
            }
            at += 1 + length;
        }
        at += 1;
        self.length = u8::try_from(at).ok()?;
        match bytes.get(..at.next_multiple_of(8)) {
            Some(padded) => self.lower(padded, at),
            None => {
                // The packet ends with the question, and so before the last word is full.
                let mut padded = [0; 8 * NAME_WORDS];
                padded[..at].copy_from_slice(&bytes[..at]);
                self.lower(&padded[..at.next_multiple_of(8)], at);
            }
        }
        Some(at)
    }

    /// `padded` is whole words, of which the last one may go on behind the name's so many octets.
    #[inline(always)]
    fn lower(&mut self, padded: &[u8], octets: usize) {
        let mut hash = NameHash::default();
        let (words, _) = padded.as_chunks::<8>();
        let Some((last, full)) = words.split_last() else { return };
        for (word, place) in full.iter().zip(&mut self.words) {
            let lower = lowered(u64::from_le_bytes(*word));
            hash.word(lower);
            *place = lower.to_le_bytes();
        }
        let behind = padded.len() - octets;
        let lower = lowered(u64::from_le_bytes(*last) & (u64::MAX >> (8 * behind)));
        hash.word(lower);
        if let Some(place) = self.words.get_mut(full.len()) {
            *place = lower.to_le_bytes();
        }
        self.hash = hash.finish(octets);
    }
}

/// Eight octets with their capital letters lowered. Length octets are at most 63 and so below `A`: lowering every octet of
/// a name changes letters alone.
#[inline]
fn lowered(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let low = word & (EACH * 0x7f);
    let (from_a, beyond_z) = (low + EACH * (0x80 - 0x41), low + EACH * (0x7f - 0x5a));
    let capital = (from_a ^ beyond_z) & !word & (EACH * 0x80);
    word | capital >> 2
}

impl std::fmt::Debug for LowerName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", crate::model::DnsName::from_wire(self.wire()))
    }
}

/// Why nothing is sent back to a packet, if so.
#[must_use]
pub fn dropped(packet: &[u8]) -> Option<Dropped> {
    match packet.first_chunk::<HEADER>() {
        None => Some(Dropped::Short),
        Some(header) => (header[2] & flag::QR != 0).then_some(Dropped::Response),
    }
}

/// Reads one message, its name into `name`. Never fails: every packet is one of the three.
#[must_use]
pub fn read<'p>(packet: &'p [u8], ecs: Ecs, name: &'p mut LowerName) -> Reading<'p> {
    if let Some(why) = dropped(packet) {
        return Reading::Drop(why);
    }
    let Some((header, rest)) = packet.split_first_chunk::<HEADER>() else { return Reading::Drop(Dropped::Short) };
    let head = Head {
        id: u16::from_be_bytes([header[0], header[1]]),
        opcode: header[2] & flag::OPCODE,
        recursion_desired: header[2] & flag::RD != 0,
        checking_disabled: header[3] & flag::CD != 0,
    };
    let refuse = |rcode, question, edns| Reading::Refuse(Refusal { head, rcode, question, edns });
    if head.opcode != 0 {
        // What its sections and flags mean is for that opcode to say, so only the header goes back (RFC 8906 section 8.1.4).
        let head = Head { recursion_desired: false, checking_disabled: false, ..head };
        return Reading::Refuse(Refusal { head, rcode: Rcode::NotImp, question: None, edns: None });
    }
    let count = |at| u16::from_be_bytes([header[at], header[at + 1]]);
    let (questions, answers, authorities, additionals) = (count(4), count(6), count(8), count(10));
    if questions != 1 {
        // Without a question the sections begin at once; with several nobody can tell what is asked (RFC 9619).
        let edns = if questions == 0 { late_edns(rest, answers, authorities, additionals, ecs) } else { None };
        return refuse(Rcode::FormErr, None, edns);
    }
    let Some(octets) = name.take(rest) else { return refuse(Rcode::FormErr, None, None) };
    let end = octets + 4;
    let (Some(question), Some(kind), Some(class)) = (rest.get(..end), u16_at(rest, end - 4), u16_at(rest, end - 2))
    else {
        return refuse(Rcode::FormErr, None, None);
    };
    let sections = &rest[end..];
    // An IXFR query brings the SOA that the asker has (RFC 1995 section 3); every other query is a question alone.
    let authorities_max = u16::from(kind == kind::IXFR);
    if answers != 0 || authorities > authorities_max || additionals > ADDITIONALS_MAX {
        return refuse(Rcode::FormErr, Some(question), late_edns(sections, answers, authorities, additionals, ecs));
    }
    match walk(sections, authorities, additionals, ecs) {
        Extra::Malformed(edns) => refuse(Rcode::FormErr, Some(question), edns),
        Extra::Read { edns: Some(edns), .. } if edns.version != 0 => refuse(Rcode::BadVers, Some(question), Some(edns)),
        Extra::Read { edns, signed } => {
            let signed = signed.map(|octets| packet.len() - octets);
            Reading::Query(Query { head, question, name, kind, class, edns, signed, behind: 0 })
        }
    }
}

/// The OPT of a query that is refused anyway: the refusal has one if and only if the query had (RFC 6891 section 7).
#[cold]
fn late_edns(sections: &[u8], answers: u16, authorities: u16, additionals: u16, ecs: Ecs) -> Option<Edns> {
    let before = answers.checked_add(authorities)?;
    if before.checked_add(additionals)? > RECORDS_WALKED_MAX {
        return None;
    }
    match walk(sections, before, additionals, ecs) {
        Extra::Malformed(edns) | Extra::Read { edns, .. } => edns,
    }
}

impl Query<'_> {
    /// The serial in the SOA that an IXFR query brings (RFC 1995 section 3).
    pub(super) fn known_serial(&self, packet: &[u8]) -> Option<Serial> {
        soa_serial(packet.get(HEADER + self.question.len()..)?).map(Serial)
    }

    /// Whether it asks about the Internet class.
    #[must_use]
    pub fn is_internet(&self) -> bool {
        self.class == meta::CLASS_IN
    }
}

#[cfg(test)]
mod tests;
