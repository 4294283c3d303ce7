//! Whether two replies say the same: compared decoded, because names may be compressed in more than one way.

use super::super::{
    message::{HEADER, u16_at},
    write::names_in,
};
use crate::model::NAME_LENGTH_MAX;

/// A record behind its owner: type, class, TTL, length.
const FIXED: usize = 10;

/// How two replies to one query differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    /// One answers what the other refuses or drops.
    #[error("the general path does not look this up")]
    NotAnswered,
    /// They took chance or turn from different places.
    #[error("another draw was taken")]
    Draw,
    /// Id, flags, code or counts.
    #[error("the headers are not the same")]
    Header,
    /// Of the two.
    #[error("the questions are not the same")]
    Question,
    /// The first one that is not the same, counted through all sections from 1; or one is no message.
    #[error("the records at place {0} are not the same")]
    Record(usize),
    /// One goes on behind its last record.
    #[error("one is longer than what it holds")]
    Trailing,
}

/// Compares two replies.
///
/// # Errors
///
/// The first difference.
pub fn compare(one: &[u8], other: &[u8]) -> Result<(), Difference> {
    let (Some(header), Some(same)) = (one.get(..HEADER), other.get(..HEADER)) else {
        return if one == other { Ok(()) } else { Err(Difference::Header) };
    };
    if header != same {
        return Err(Difference::Header);
    }
    let count = |at| usize::from(u16_at(header, at).unwrap_or(0));
    let (mut one, mut other) = (Cursor { message: one, at: HEADER }, Cursor { message: other, at: HEADER });
    for _ in 0..count(4) {
        let (question, same) = (one.question(), other.question());
        if question.is_none() || question != same {
            return Err(Difference::Question);
        }
    }
    for nth in 1..=count(6) + count(8) + count(10) {
        let (record, same) = (one.record(), other.record());
        if record.is_none() || record != same {
            return Err(Difference::Record(nth));
        }
    }
    if one.is_at_end() && other.is_at_end() { Ok(()) } else { Err(Difference::Trailing) }
}

struct Cursor<'m> {
    message: &'m [u8],
    at: usize,
}

impl Cursor<'_> {
    /// Name, type and class.
    fn question(&mut self) -> Option<Vec<u8>> {
        let mut question = Vec::new();
        self.name(&mut question)?;
        self.plain(4, &mut question)?;
        Some(question)
    }

    /// One record with all its names written out, its length left out.
    fn record(&mut self) -> Option<Vec<u8>> {
        let mut record = Vec::new();
        self.name(&mut record)?;
        let fixed = self.message.get(self.at..self.at + FIXED)?;
        let (kind, length) = (u16_at(fixed, 0)?, usize::from(u16_at(fixed, 8)?));
        record.extend_from_slice(&fixed[..FIXED - 2]);
        self.at += FIXED;
        let end = self.at + length;
        let (plain, names) = names_in(kind);
        if 0 < names {
            self.plain(plain, &mut record)?;
        }
        for _ in 0..names {
            self.name(&mut record)?;
        }
        self.plain(end.checked_sub(self.at)?, &mut record)?;
        Some(record)
    }

    fn plain(&mut self, length: usize, out: &mut Vec<u8>) -> Option<()> {
        out.extend_from_slice(self.message.get(self.at..self.at + length)?);
        self.at += length;
        Some(())
    }

    /// A name, pointers followed; they go back, and so they end.
    fn name(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let (from, mut at, mut behind) = (out.len(), self.at, None);
        while out.len() - from <= NAME_LENGTH_MAX {
            let octets = *self.message.get(at)?;
            if octets >= 0xc0 {
                let to = usize::from(u16_at(self.message, at)? & 0x3fff);
                behind = behind.or(Some(at + 2));
                at = Some(to).filter(|to| *to < at)?;
                continue;
            }
            let end = at + 1 + usize::from(octets);
            out.extend_from_slice(self.message.get(at..end)?);
            at = end;
            if octets == 0 {
                self.at = behind.unwrap_or(at);
                return Some(());
            }
        }
        None
    }

    fn is_at_end(&self) -> bool {
        self.at == self.message.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply with one CNAME, of which the RDATA is given.
    fn reply(rdata: &[u8]) -> Vec<u8> {
        let head = b"\x12\x34\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\x03www\x01a\x00\x00\x01\x00\x01";
        let fixed = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x1e\x00";
        [&head[..], fixed, &[u8::try_from(rdata.len()).unwrap()], rdata].concat()
    }

    #[test]
    fn names_are_the_same_however_they_are_compressed() {
        let (plain, pointing) = (reply(b"\x01x\x01a\x00"), reply(b"\x01x\xc0\x10"));
        assert_eq!(compare(&plain, &pointing), Ok(()));
        assert_eq!(compare(&plain, &reply(b"\x01x\x01b\x00")), Err(Difference::Record(1)));
        assert_eq!(compare(&plain, &reply(b"\x01X\xc0\x10")), Err(Difference::Record(1)));
        assert_eq!(compare(&plain, &pointing[..pointing.len() - 1]), Err(Difference::Record(1)));
    }

    #[test]
    fn every_octet_counts() {
        let plain = reply(b"\x01x\x01a\x00");
        for at in 0..plain.len() {
            let mut other = plain.clone();
            other[at] ^= 0x20;
            assert!(compare(&plain, &other).is_err(), "octet {at}");
        }
        assert_eq!(compare(&plain, &[&plain[..], &[0]].concat()), Err(Difference::Trailing));
        assert_eq!(compare(&[1], &[1]), Ok(()));
    }

    #[test]
    fn circles_end() {
        let mut circle = reply(b"\xc0\x1f");
        let at = u8::try_from(circle.len() - 2).unwrap();
        *circle.last_mut().unwrap() = at;
        assert_eq!(compare(&circle, &circle), Err(Difference::Record(1)));
    }
}
