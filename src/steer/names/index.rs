//! A hash table from names to numbers: one run of wire bytes, one array of slots.
//!
//! Why not a `HashMap`: a boxed key for each of 100,000 names costs more than all else in the table. Names come from
//! the configuration, queries only read, so the hash needs no secret.

/// Built once, never changed.
#[derive(Debug)]
pub(super) struct Index {
    /// All names, one behind the other.
    wire: Box<[u8]>,
    /// Open addressing with linear probing; the length is a power of two, at most half is taken.
    slots: Box<[Slot]>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The upper half of the hash: most mismatches end here.
    tag: u32,
    /// Where the name begins in `wire`, or [`FREE`].
    at: u32,
    value: u32,
}

const FREE: u32 = u32::MAX;

impl Index {
    /// Takes names (none twice) with their numbers.
    pub(super) fn new<'n>(names: impl Iterator<Item = (&'n [u8], u32)> + Clone) -> Self {
        let (count, octets) = names.clone().fold((0, 0), |(count, octets), (name, _)| (count + 1, octets + name.len()));
        let mut wire = Vec::with_capacity(octets);
        let size = (count * 2_usize).next_power_of_two().max(2);
        let mut slots = vec![Slot { tag: 0, at: FREE, value: 0 }; size].into_boxed_slice();
        for (name, value) in names {
            let at = u32::try_from(wire.len()).expect("all names together are far below 4 GiB");
            wire.extend_from_slice(name);
            let hash = hash(name);
            let mut place = spot(hash, size);
            while slots[place].at != FREE {
                place = (place + 1) & (size - 1);
            }
            slots[place] = Slot { tag: tag(hash), at, value };
        }
        Self { wire: wire.into(), slots }
    }

    /// The number of a name in lower-case wire form.
    pub(super) fn get(&self, name: &[u8]) -> Option<u32> {
        let hash = hash(name);
        let mut place = spot(hash, self.slots.len());
        loop {
            let slot = self.slots[place];
            if slot.at == FREE {
                return None;
            }
            // A name is self-delimiting, so equal bytes from the same start are the same name.
            if slot.tag == tag(hash) && self.wire[slot.at as usize..].starts_with(name) && !name.is_empty() {
                return Some(slot.value);
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
    }
}

fn spot(hash: u64, size: usize) -> usize {
    // The mask keeps what fits the table, so cutting the hash to the width of a pointer loses nothing.
    #[allow(clippy::cast_possible_truncation, reason = "masked below")]
    let low = hash as usize;
    low & (size - 1)
}

fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).expect("32 bits are left")
}

/// Multiply and fold, eight octets at a time.
fn hash(name: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let fold = |state: u64, word: u64| {
        let wide = u128::from(state ^ word) * u128::from(ODD);
        u64::try_from(wide & u128::from(u64::MAX)).expect("masked")
            ^ u64::try_from(wide >> 64).expect("64 bits are left")
    };
    let mut chunks = name.chunks_exact(8);
    let mut state = chunks.by_ref().fold(name.len() as u64 ^ ODD, |state, chunk| {
        fold(state, u64::from_le_bytes(chunk.try_into().expect("a chunk has eight octets")))
    });
    let mut last = [0; 8];
    last[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    state = fold(state, u64::from_le_bytes(last));
    fold(state, ODD.rotate_left(32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_and_no_other() {
        let names: Vec<Vec<u8>> = (0..5000_u32).map(|n| [&[4][..], &n.to_be_bytes(), &[0]].concat()).collect();
        let index = Index::new(names.iter().zip(0..).map(|(name, n)| (name.as_slice(), n)));
        for (name, n) in names.iter().zip(0..) {
            assert_eq!(index.get(name), Some(n));
        }
        for n in 5000..10_000_u32 {
            assert_eq!(index.get(&[&[4][..], &n.to_be_bytes(), &[0]].concat()), None);
        }
        assert_eq!((index.get(&[0]), index.get(&[])), (None, None));
    }
}
