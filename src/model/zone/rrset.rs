//! Record sets as they go onto the wire: views over one run of octets.
//!
//! Why encoded beforehand: a door copies a set into its reply as it stands. The owner is written as a pointer to the
//! question's name, which stands behind the header (RFC 1035 section 4.1.4); whoever answers for another owner takes the
//! data alone.

use std::fmt;

/// Owner, type, class, TTL and length in front of each record's data.
pub const RECORD_HEAD: usize = 12;
/// The owner of an encoded record: the question's name, behind the twelve octets of the header.
pub const OWNER_ASKED: [u8; 2] = [0xc0, 12];
/// Class IN.
const CLASS_IN: [u8; 2] = [0, 1];
/// Count of records and length in front of each set in a run.
pub(super) const SET_HEAD: usize = 6;

/// The records of one name and type.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rrset<'r> {
    /// The type's number.
    pub kind: u16,
    /// One TTL for all (RFC 2181 section 5.2).
    pub ttl: u32,
    /// How many there are.
    pub count: u16,
    /// All of them, each as `C0 0C`, type, class IN, TTL, length, data; names in the data uncompressed.
    pub records: &'r [u8],
}

impl<'r> Rrset<'r> {
    /// The data of each record, in order.
    pub fn rdata(self) -> impl Iterator<Item = &'r [u8]> + Clone {
        let mut rest = self.records;
        std::iter::from_fn(move || {
            let (head, behind) = rest.split_first_chunk::<RECORD_HEAD>()?;
            let [.., high, low] = *head;
            let (data, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
            rest = behind;
            Some(data)
        })
    }

    /// Octets of all data together.
    #[must_use]
    pub fn data_size(self) -> usize {
        self.records.len() - RECORD_HEAD * usize::from(self.count)
    }

    /// A set of one encoded record.
    #[inline]
    #[must_use]
    pub fn one(record: &'r [u8]) -> Self {
        Self::read(1, record)
    }

    /// A set from its encoded records; of no records it knows nothing but that.
    #[inline(always)]
    pub(super) fn read(count: u16, records: &'r [u8]) -> Self {
        match records {
            [_, _, kind_high, kind_low, _, _, a, b, c, d, ..] => Self {
                kind: u16::from_be_bytes([*kind_high, *kind_low]),
                ttl: u32::from_be_bytes([*a, *b, *c, *d]),
                count,
                records,
            },
            _ => Self { kind: 0, ttl: 0, count: 0, records: &[] },
        }
    }
}

impl fmt::Debug for Rrset<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.kind, self.ttl)?;
        f.debug_list().entries(self.rdata()).finish()
    }
}

/// Appends one record; data beyond 65,535 octets fits into no message and is cut, so that the run stays readable.
pub(super) fn encode(kind: u16, ttl: u32, data: &[u8], out: &mut Vec<u8>) {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&OWNER_ASKED);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&CLASS_IN);
    out.extend_from_slice(&ttl.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&data[..usize::from(length)]);
}

/// All that stands at one name.
#[derive(Clone, Copy, Default)]
pub struct Sets<'r> {
    /// Their count, the sets, and whatever stands behind them in the run. Without a count there are none.
    run: &'r [u8],
}

impl<'r> Sets<'r> {
    #[inline]
    pub(super) fn new(run: &'r [u8]) -> Self {
        Self { run }
    }

    #[inline(always)]
    fn parts(self) -> (u8, &'r [u8]) {
        self.run.split_first().map_or((0, &[]), |(count, sets)| (*count, sets))
    }

    /// Nothing is fixed there.
    #[inline]
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// How many types there are.
    #[must_use]
    pub fn len(self) -> usize {
        usize::from(self.parts().0)
    }

    /// The set of a type.
    #[inline(always)]
    #[must_use]
    pub fn find(self, kind: u16) -> Option<Rrset<'r>> {
        self.iter().find(|set| set.kind == kind)
    }

    /// All sets, types ascending.
    #[inline(always)]
    pub fn iter(self) -> impl Iterator<Item = Rrset<'r>> + Clone {
        let (mut left, mut rest) = self.parts();
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let ([count_high, count_low, a, b, c, d], behind) = rest.split_first_chunk::<SET_HEAD>()?;
            let (records, behind) = behind.split_at_checked(u32::from_be_bytes([*a, *b, *c, *d]) as usize)?;
            rest = behind;
            Some(Rrset::read(u16::from_be_bytes([*count_high, *count_low]), records))
        })
    }
}

impl PartialEq for Sets<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Sets<'_> {}

impl fmt::Debug for Sets<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
