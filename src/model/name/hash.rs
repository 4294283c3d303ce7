//! A hash of names that can be taken while a name is read, eight octets at a time.
//!
//! Why one of our own: a door hashes each name as it lowers its letters, in one walk. Names that are hashed for good come
//! from the configuration, queries only look up, so it needs no secret.

const ODD: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash in the making. All words of the name in order, the last one filled up with zeros, then its length.
#[derive(Debug, Clone, Copy)]
pub struct NameHash(u64);

impl Default for NameHash {
    fn default() -> Self {
        Self(ODD)
    }
}

impl NameHash {
    /// Takes eight octets in, the first of them lowest.
    #[inline]
    pub fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word);
    }

    /// The hash of a name of so many octets.
    #[inline]
    #[must_use]
    pub fn finish(self, octets: usize) -> u64 {
        fold(self.0 ^ (octets as u64).rotate_left(32))
    }

    /// The hash of a name in lower-case wire form.
    #[inline]
    #[must_use]
    pub fn of(name: &[u8]) -> u64 {
        let mut hash = Self::default();
        let (words, rest) = name.as_chunks::<8>();
        for word in words {
            hash.word(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            hash.word(u64::from_le_bytes(last));
        }
        hash.finish(name.len())
    }
}

/// Multiplies into twice the width and folds both halves together.
#[inline]
fn fold(state: u64) -> u64 {
    let wide = u128::from(state) * u128::from(ODD);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are taken")]
    let (low, high) = (wide as u64, (wide >> 64) as u64);
    low ^ high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_hash_alike() {
        let name = b"\x07w012345\x07example\x03com\x00";
        let mut hash = NameHash::default();
        for word in name.chunks(8) {
            let mut octets = [0; 8];
            octets[..word.len()].copy_from_slice(word);
            hash.word(u64::from_le_bytes(octets));
        }
        assert_eq!(hash.finish(name.len()), NameHash::of(name));
        assert_ne!(NameHash::of(b"\x01a\x00"), NameHash::of(b"\x01a\x00\x00"));
        assert_ne!(NameHash::of(b""), NameHash::of(b"\x00"));
    }

    #[test]
    fn names_in_a_row_fall_far_apart() {
        let mut upper: Vec<u64> =
            (0..10_000_u32).map(|n| NameHash::of(format!("\x06w{n:05}\x00").as_bytes()) >> 40).collect();
        upper.sort_unstable();
        upper.dedup();
        // 10,000 balls in 2^24 urns: about three meet.
        assert!(9980 < upper.len(), "{} of 10,000", upper.len());
    }
}
