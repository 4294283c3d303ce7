//! What reader and writer share: places in a header, response codes, and the limits of RFC 1035 and RFC 6891.

use std::fmt;

/// A header, in octets (RFC 1035 section 4.1.1).
pub(super) const HEADER: usize = 12;
/// What fits into UDP without EDNS (RFC 1035 section 4.2.1), and the least that EDNS may announce (RFC 6891 section 6.2.5).
pub const UDP_SIZE_MIN: u16 = 512;
/// The longest message there is: streams announce it in two octets (RFC 1035 section 4.2.2).
pub const STREAM_SIZE_MAX: usize = 65_535;
/// An OPT record without options: root, type, class, TTL, length.
pub(super) const OPT: usize = 11;

/// Second pair of header octets.
pub(super) mod flag {
    pub(in crate::dns) const QR: u8 = 0x80;
    pub(in crate::dns) const OPCODE: u8 = 0x78;
    pub(in crate::dns) const AA: u8 = 0x04;
    pub(in crate::dns) const TC: u8 = 0x02;
    pub(in crate::dns) const RD: u8 = 0x01;
    /// In the second octet.
    pub(in crate::dns) const CD: u8 = 0x10;
}

/// EDNS options by number (IANA: DNS EDNS0 Option Codes).
pub(super) mod option {
    pub(in crate::dns) const NSID: u16 = 3;
    pub(in crate::dns) const SUBNET: u16 = 8;
    pub(in crate::dns) const KEEPALIVE: u16 = 11;
    pub(in crate::dns) const EXTENDED_ERROR: u16 = 15;
}

/// Record types and classes that only queries and envelopes carry.
pub(super) mod meta {
    pub(in crate::dns) const TKEY: u16 = 249;
    pub(in crate::dns) const TSIG: u16 = 250;
    pub(in crate::dns) const MAILB: u16 = 253;
    pub(in crate::dns) const MAILA: u16 = 254;
    pub(in crate::dns) const CLASS_IN: u16 = 1;
    pub(in crate::dns) const CLASS_CHAOS: u16 = 3;
    pub(in crate::dns) const CLASS_ANY: u16 = 255;
}

/// How a query ended (RFC 6895 section 2.3): the ones we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rcode {
    /// Answered, or no data of that type.
    NoError,
    /// The message is not one of RFC 1035.
    FormErr,
    /// No healthy endpoint and told to say so, or an answer that no message can hold.
    ServFail,
    /// The name does not exist.
    NxDomain,
    /// Another opcode than QUERY, or a type that asks for a service we do not give.
    NotImp,
    /// Not our name, not our class, or nothing for strangers.
    Refused,
    /// A DNAME makes a name that is too long (RFC 6672 section 2.2).
    YxDomain,
    /// Signed with a key we do not have (RFC 8945 section 5.2.1).
    NotAuth,
    /// Another EDNS version than 0 (RFC 6891 section 6.1.3).
    BadVers,
}

impl Rcode {
    /// All of them, in the order of their places in counters.
    pub const ALL: [Self; 9] = [
        Self::NoError,
        Self::FormErr,
        Self::ServFail,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::YxDomain,
        Self::NotAuth,
        Self::BadVers,
    ];

    /// The registry's number; what is above 15 travels in the OPT record.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::NoError => 0,
            Self::FormErr => 1,
            Self::ServFail => 2,
            Self::NxDomain => 3,
            Self::NotImp => 4,
            Self::Refused => 5,
            Self::YxDomain => 6,
            Self::NotAuth => 9,
            Self::BadVers => 16,
        }
    }

    /// The registry's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::YxDomain => "YXDOMAIN",
            Self::NotAuth => "NOTAUTH",
            Self::BadVers => "BADVERS",
        }
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Why an answer is what it is (RFC 8914; IANA: Extended DNS Error Codes): the ones we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ede {
    /// The last set answered while healthy: nothing is healthy now.
    StaleAnswer,
    /// A target has not been resolved yet.
    NotReady,
    /// Not for strangers.
    Prohibited,
    /// Not in our zones.
    NotAuthoritative,
}

impl Ede {
    /// The registry's number.
    #[must_use]
    pub fn number(self) -> u16 {
        match self {
            Self::StaleAnswer => 3,
            Self::NotReady => 14,
            Self::Prohibited => 18,
            Self::NotAuthoritative => 20,
        }
    }
}

/// Two octets at a place, if they are there.
#[inline]
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}
