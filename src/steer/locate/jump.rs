//! Where in a sorted list of addresses to look: a table of equal steps from the first to the last of them.
//!
//! Why beside the search by halves: one that begins in the right step ends after one or two comparisons instead of
//! a dozen. There are at most two steps for each address, 8 octets; where many addresses share a step, halves are left.

/// Most steps for each address.
const STEPS: u64 = 2;

/// How many addresses lie before each step.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Jump {
    /// Where the first step begins: at the second address. The first one is 0, as a rule far away from the others.
    from: u32,
    /// A step is 2 to this many addresses long.
    shift: u32,
    before: Box<[u32]>,
}

impl Jump {
    /// Over addresses that ascend.
    pub(super) fn over(addresses: &[u32]) -> Self {
        let (Some(from), Some(last)) = (addresses.get(1).copied(), addresses.last()) else { return Self::default() };
        let span = u64::from(last - from);
        let most = addresses.len() as u64 * STEPS;
        let shift = (0..u32::BITS).find(|shift| span >> shift < most).unwrap_or(u32::BITS - 1);
        let ends = (0..=(span >> shift) + 1).map(|step| u64::from(from) + (step << shift));
        let before = |end| addresses.partition_point(|address| u64::from(*address) < end);
        let before = ends.map(|end| u32::try_from(before(end)).expect("there are fewer than addresses"));
        Self { from, shift, before: before.collect() }
    }

    /// The part of a list of so many that is to be searched for the last one at or before an address: all before the
    /// part are, and none behind it is.
    #[inline(always)]
    pub(super) fn part(&self, address: u32, all: usize) -> (usize, usize) {
        let Some(offset) = address.checked_sub(self.from) else {
            return (0, self.before.first().map_or(all, |before| *before as usize));
        };
        let step = (offset >> self.shift) as usize;
        match self.before.get(step..).and_then(<[u32]>::first_chunk) {
            Some([before, behind]) => (*before as usize, *behind as usize),
            None if self.before.is_empty() => (0, all),
            None => (all, all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_search_ends_where_it_would_without(
            addresses in prop::collection::btree_set(prop_oneof![any::<u32>(), 0..70_000_u32], 0..200),
            asked in prop_oneof![any::<u32>(), 0..70_000_u32],
        ) {
            let addresses: Vec<u32> = [0].into_iter().chain(addresses).collect();
            for addresses in [&addresses[..], &addresses[..1], &[]] {
                let jump = Jump::over(addresses);
                for asked in addresses.iter().flat_map(|one| [one.saturating_sub(1), *one]).chain([asked, u32::MAX]) {
                    let (from, to) = jump.part(asked, addresses.len());
                    let found = from + addresses[from..to].partition_point(|one| *one <= asked);
                    prop_assert_eq!(found, addresses.partition_point(|one| *one <= asked), "{}", asked);
                }
            }
        }
    }
}
