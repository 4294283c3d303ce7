//! The SOA of negative answers, encoded twice: as it is, and with its names ending in pointers.
//!
//! Why: every negative answer has one, and its names mostly end in the zone's own, which stands in the question. Where it
//! stands there is known only then, so the places of the pointers are kept beside.

use super::put_serial;
use crate::model::{DnsName, RECORD_HEAD, Serial};

/// Two octets of a pointer.
const POINTER: [u8; 2] = [0xc0, 0];

/// Both forms.
#[derive(Debug, Clone)]
pub(super) struct Negative {
    pub(super) whole: Box<[u8]>,
    pointing: Box<[u8]>,
    /// Where in `pointing` pointers to the apex stand, the owner left out.
    places: Box<[u16]>,
}

impl Negative {
    /// From an encoded SOA, or nothing where the zone has none.
    pub(super) fn new(apex: &DnsName, whole: Box<[u8]>) -> Self {
        let (mut pointing, mut places) = (Vec::new(), Vec::new());
        if let Some((head, mut rest)) = whole.split_first_chunk::<RECORD_HEAD>() {
            pointing.extend_from_slice(head);
            for _ in 0..2 {
                rest = shortened(rest, apex, &mut pointing, &mut places);
            }
            pointing.extend_from_slice(rest);
            // It can only have become shorter.
            let length = u16::try_from(pointing.len() - RECORD_HEAD).unwrap_or(u16::MAX);
            pointing[RECORD_HEAD - 2..RECORD_HEAD].copy_from_slice(&length.to_be_bytes());
        }
        Self { whole, pointing: pointing.into(), places: places.into() }
    }

    /// Both end in the same numbers.
    pub(super) fn set_serial(&mut self, serial: Serial) {
        put_serial(&mut self.whole, serial);
        put_serial(&mut self.pointing, serial);
    }

    pub(super) fn pointing(&self) -> (&[u8], &[u16]) {
        (&self.pointing, &self.places)
    }
}

/// Takes the name that `data` begins with, its end a pointer if that is the apex; gives back what is behind it.
fn shortened<'d>(data: &'d [u8], apex: &DnsName, out: &mut Vec<u8>, places: &mut Vec<u16>) -> &'d [u8] {
    let apex = apex.wire();
    let mut at = 0;
    loop {
        let rest = &data[at..];
        if 1 < apex.len() && rest.starts_with(apex) {
            out.extend_from_slice(&data[..at]);
            places.extend(u16::try_from(out.len()));
            out.extend_from_slice(&POINTER);
            return &rest[apex.len()..];
        }
        match rest.first() {
            None | Some(0) => {
                let (name, behind) = data.split_at(data.len().min(at + 1));
                out.extend_from_slice(name);
                return behind;
            }
            Some(length) => at = data.len().min(at + 1 + usize::from(*length)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_zone_end_in_pointers() {
        let apex: DnsName = "example.test".parse().unwrap();
        let head = |length| [&[0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 30, 0][..], &[length]].concat();
        let numbers = [7; 20];
        let inside = b"\x03ns1\x07example\x04test\0\x0ahostmaster\x07example\x04test\0";
        let whole = [&head(63)[..], inside, &numbers].concat();
        let negative = Negative::new(&apex, whole.into());
        let short = [&head(39)[..], b"\x03ns1\xc0\0\x0ahostmaster\xc0\0", &numbers].concat();
        assert_eq!(negative.pointing(), (&short[..], &[16, 29][..]));
        // A name of another zone, and one that only looks as if it ended in this one's.
        let outside = b"\x02ns\x03net\0\x0ex\x07example\x04test\0";
        let whole = [&head(44)[..], outside, &numbers].concat();
        let negative = Negative::new(&apex, whole.clone().into());
        assert_eq!(negative.pointing(), (&whole[..], &[][..]));
        assert_eq!(Negative::new(&apex, Box::default()).pointing(), (&[][..], &[][..]));
        let root: DnsName = ".".parse().unwrap();
        let whole = [&head(22)[..], b"\0\0", &numbers].concat();
        assert_eq!(Negative::new(&root, whole.clone().into()).pointing(), (&whole[..], &[][..]));
    }
}
