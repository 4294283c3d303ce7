//! Name compression (RFC 1035 section 4.1.4) for the replies we write.
//!
//! A pointer is only ever written to a name of the same message that was written before, and lengths are compared
//! before letters, so the cost of a name is bounded by its labels times [`PLACES_MAX`].

use crate::model::NAME_LENGTH_MAX;

/// Most places remembered. What comes later can still point to these.
const PLACES_MAX: usize = 64;
/// Pointers have 14 bits.
const POINTER_MAX: usize = 0x3fff;

/// Where names stand in a message that begins at `start` of its buffer.
pub(super) struct Names {
    start: usize,
    places: [Place; PLACES_MAX],
    known: usize,
}

/// The rest of a name, from one of its labels on.
#[derive(Clone, Copy, Default)]
struct Place {
    /// From the beginning of the message.
    offset: u16,
    /// Octets it would take uncompressed.
    length: u8,
}

/// Whether letters may come back in another case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// For owners: they show the asker's own spelling.
    Any,
    /// For data: it is kept as it was written.
    Exact,
}

impl Names {
    /// Knows no name yet.
    pub(super) fn new(start: usize) -> Self {
        Self { start, places: [Place::default(); PLACES_MAX], known: 0 }
    }

    /// A name that stands uncompressed at `at` of the buffer can be pointed to from now on.
    pub(super) fn learn(&mut self, out: &[u8], at: usize) {
        let mut length = 1;
        let mut end = at;
        while let Some(&octets @ 1..) = out.get(end) {
            length += 1 + usize::from(octets);
            end += 1 + usize::from(octets);
        }
        let mut label = at;
        while length > 1 {
            self.remember(label, length);
            let octets = 1 + usize::from(out[label]);
            label += octets;
            length -= octets;
        }
    }

    /// Writes `name` (one uncompressed name), with a pointer as early as possible.
    pub(super) fn write(&mut self, out: &mut Vec<u8>, name: &[u8], case: Case) {
        let mut rest = name;
        while let Some(&octets @ 1..) = rest.first() {
            if let Some(offset) = self.find(out, rest, case) {
                out.extend_from_slice(&(0xc000 | offset).to_be_bytes());
                return;
            }
            self.remember(out.len(), rest.len());
            let (label, behind) = rest.split_at(1 + usize::from(octets));
            out.extend_from_slice(label);
            rest = behind;
        }
        out.push(0);
    }

    fn remember(&mut self, at: usize, length: usize) {
        let offset = at - self.start;
        if let (Some(place), true, Ok(length)) =
            (self.places.get_mut(self.known), offset <= POINTER_MAX, u8::try_from(length))
            && let Ok(offset) = u16::try_from(offset)
        {
            *place = Place { offset, length };
            self.known += 1;
        }
    }

    fn find(&self, out: &[u8], name: &[u8], case: Case) -> Option<u16> {
        let written = &out[self.start..];
        self.places[..self.known]
            .iter()
            .find(|place| usize::from(place.length) == name.len() && is_same(written, place.offset, name, case))
            .map(|place| place.offset)
    }
}

/// Whether the name that stands at `offset` of the message is `name`.
fn is_same(message: &[u8], offset: u16, name: &[u8], case: Case) -> bool {
    let mut at = usize::from(offset);
    let mut rest = name;
    // A name has fewer labels than octets, and each may be reached by one pointer.
    for _ in 0..2 * NAME_LENGTH_MAX {
        let Some(&octets) = message.get(at) else { return false };
        if octets >= 0xc0 {
            let Some(&low) = message.get(at + 1) else { return false };
            at = usize::from(u16::from_be_bytes([octets & 0x3f, low]));
            continue;
        }
        let length = 1 + usize::from(octets);
        let (Some(here), Some(there)) = (message.get(at..at + length), rest.get(..length)) else { return false };
        let same = match case {
            Case::Any => here.eq_ignore_ascii_case(there),
            Case::Exact => here == there,
        };
        if !same {
            return false;
        }
        if octets == 0 {
            return true;
        }
        at += length;
        rest = &rest[length..];
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DnsName;
    use proptest::prelude::*;

    fn wire(name: &str) -> Vec<u8> {
        name.parse::<DnsName>().unwrap().wire().to_vec()
    }

    #[test]
    fn names_share_their_ends() {
        let mut out = vec![0xff; 3];
        let mut names = Names::new(3);
        for name in ["www.example.com", "example.com", "ns.example.com", "www.example.com", "org", "."] {
            names.write(&mut out, &wire(name), Case::Exact);
        }
        let expected =
            [wire("www.example.com").as_slice(), &[0xc0, 4], b"\x02ns\xc0\x04", &[0xc0, 0], b"\x03org\0", &[0]]
                .concat();
        assert_eq!(out[3..], expected);
    }

    #[test]
    fn data_keeps_its_case() {
        let mut out = Vec::new();
        let mut names = Names::new(0);
        out.extend_from_slice(b"\x03wWw\x02xY\0");
        names.learn(&out, 0);
        names.write(&mut out, b"\x03www\x02xy\0", Case::Any);
        names.write(&mut out, b"\x03www\x02xy\0", Case::Exact);
        assert_eq!(&out[8..], b"\xc0\x00\x03www\x02xy\0");
    }

    /// Reads a name that may be compressed, as any client does.
    fn expanded(message: &[u8], mut at: usize) -> Vec<u8> {
        let mut name = Vec::new();
        loop {
            match message[at] {
                0 => break,
                high @ 0xc0.. => {
                    let to = usize::from(u16::from_be_bytes([high & 0x3f, message[at + 1]]));
                    assert!(to < at, "pointers go back");
                    at = to;
                }
                octets => {
                    let end = at + 1 + usize::from(octets);
                    name.extend_from_slice(&message[at..end]);
                    at = end;
                }
            }
        }
        name.push(0);
        name
    }

    proptest! {
        #[test]
        fn every_name_is_read_back(
            names in prop::collection::vec(prop::collection::vec("[abAB]{1,2}", 0..6), 1..40),
            start in 0..3_usize,
        ) {
            let mut out = vec![0xff; start];
            let mut compressor = Names::new(start);
            for labels in names {
                let mut name = Vec::new();
                for label in labels {
                    name.push(u8::try_from(label.len()).unwrap());
                    name.extend_from_slice(label.as_bytes());
                }
                name.push(0);
                let at = out.len();
                compressor.write(&mut out, &name, Case::Exact);
                prop_assert_eq!(expanded(&out[start..], at - start), name);
            }
        }
    }
}
