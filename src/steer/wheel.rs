//! Chance, scaled and in proportion: what every pick is drawn with.
//!
//! Why cumulative edges and a binary search, and no alias table: an alias table is twice the size for at most twelve
//! comparisons saved, and it cannot leave out what was drawn before.

/// Weights as cumulative edges; exists only while their sum is positive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wheel(Box<[u64]>);

impl Wheel {
    /// `None` when all weights are 0.
    pub(super) fn new(weights: impl Iterator<Item = u64>) -> Option<Self> {
        let edges = weights.scan(0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        let edges: Box<[u64]> = edges.collect();
        edges.last().is_some_and(|sum| 0 < *sum).then_some(Self(edges))
    }

    /// The sum of all weights.
    #[inline]
    pub(super) fn sum(&self) -> u64 {
        self.0.last().copied().unwrap_or(0)
    }

    /// Whose part of the wheel a point below the sum lies in.
    #[inline]
    pub(super) fn at(&self, point: u64) -> usize {
        self.0.partition_point(|edge| *edge <= point)
    }

    /// Where the part of a place begins, and how long it is.
    pub(super) fn part(&self, place: usize) -> (u64, u64) {
        let from = place.checked_sub(1).map_or(0, |before| self.0[before]);
        (from, self.0[place] - from)
    }
}

/// A number below `bound` from a uniform word; each is met with a chance that is exact to within `bound` / 2^64.
#[inline]
pub(super) fn scaled(word: u64, bound: u64) -> u64 {
    u64::try_from((u128::from(word) * u128::from(bound)) >> 64).expect("the product is below bound x 2^64")
}

/// A place below `bound` from a uniform word.
#[inline]
pub(super) fn below(word: u64, bound: usize) -> usize {
    usize::try_from(scaled(word, bound as u64)).expect("it is below a usize")
}

/// Further words of one draw that have nothing to do with each other: SplitMix64, of which each step is a bijection,
/// so that a uniform word gives uniform words.
#[inline]
pub(super) fn word(word: u64, nth: u64) -> u64 {
    if nth == 0 {
        return word;
    }
    let mixed = word.wrapping_add(nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_belongs_to_the_part_it_lies_in() {
        let wheel = Wheel::new([0, 2, 0, 3, 0].into_iter()).unwrap();
        let drawn: Vec<usize> = (0..wheel.sum()).map(|point| wheel.at(point)).collect();
        assert_eq!(drawn, [1, 1, 3, 3, 3]);
        assert_eq!((wheel.part(1), wheel.part(2), wheel.part(3)), ((0, 2), (2, 0), (2, 3)));
        assert!(Wheel::new([0, 0].into_iter()).is_none() && Wheel::new(std::iter::empty()).is_none());
    }

    #[test]
    fn scaling_reaches_both_ends_and_nothing_beyond() {
        assert_eq!((scaled(0, 10), scaled(u64::MAX, 10), scaled(u64::MAX / 2, 10)), (0, 9, 4));
        assert_eq!(scaled(u64::MAX, u64::MAX), u64::MAX - 1);
    }
}
