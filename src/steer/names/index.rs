//! A hash table from names to where they lie: an array of slots, four to a cache line; the names stand beside their
//! records.

use super::NodeIx;

/// Slots per hundred names. Fewer make walks longer: at this load a name that is there takes 1.8 slots on average, one
/// that is not 3.6, and half of these end in the first cache line.
const SLOTS_PER_HUNDRED: usize = 160;
/// How much of it may be taken, in percent.
const FILLED_PERCENT_MAX: usize = 75;

/// Free slots behind those that a hash may lead to, so that a walk ends before the array does. It grows if need be.
const SPARE: usize = 16;

/// Built once, never changed. Open addressing with linear probing, which goes on behind the last slot that a hash leads
/// to instead of at the beginning.
#[derive(Debug)]
pub(super) struct Index {
    /// The last one is free.
    slots: Vec<Slot>,
    /// A hash leads to one of so many.
    homes: usize,
    count: usize,
}

/// Where a name is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// The lower half of the hash: most mismatches end here.
    tag: u32,
    /// In which run, or [`FREE`].
    pub(super) run: u32,
    /// Where the name begins in the run.
    pub(super) at: u32,
    node: u32,
}

const FREE: u32 = u32::MAX;
const NO_NODE: u32 = u32::MAX;
const EMPTY: Slot = Slot { tag: 0, run: FREE, at: 0, node: NO_NODE };

impl Slot {
    /// What there is to know about the name beside its records.
    #[inline]
    pub(super) fn node(self) -> Option<NodeIx> {
        (self.node != NO_NODE).then_some(NodeIx(self.node))
    }
}

impl Index {
    /// With room for so many names.
    pub(super) fn for_names(count: usize) -> Self {
        let homes = (count * SLOTS_PER_HUNDRED / 100).max(4);
        Self { slots: vec![EMPTY; homes + SPARE], homes, count: 0 }
    }

    /// How many names there are.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Another name would make walks long, or leave no slot free to end them.
    pub(super) fn is_full(&self) -> bool {
        self.homes * FILLED_PERCENT_MAX < (self.count + 1) * 100
    }

    /// The same with more room; the hash of each name must be told again.
    pub(super) fn grown(&self, hash_of: impl Fn(Slot) -> u64) -> Self {
        let mut grown = Self::for_names(self.count * 2 + 16);
        for slot in self.slots.iter().filter(|slot| slot.run != FREE) {
            grown.add(hash_of(*slot), slot.run, slot.at, slot.node());
        }
        grown
    }

    /// What is in a place that [`Self::place`] told.
    pub(super) fn at(&self, place: usize) -> Slot {
        self.slots[place]
    }

    /// Says that there is more to know of a name.
    pub(super) fn set_node(&mut self, place: usize, node: NodeIx) {
        self.slots[place].node = node.0;
    }

    /// Adds a name that is not there yet.
    pub(super) fn add(&mut self, hash: u64, run: u32, at: u32, node: Option<NodeIx>) {
        let mut place = self.first(hash);
        while self.slots[place].run != FREE {
            place += 1;
        }
        if place + 1 == self.slots.len() {
            self.slots.reserve_exact(SPARE);
            self.slots.extend([EMPTY; SPARE]);
        }
        self.count += 1;
        self.slots[place] = Slot { tag: tag(hash), run, at, node: node.map_or(NO_NODE, |ix| ix.0) };
    }

    /// The slot with this hash that is the right one.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, is_right: impl Fn(Slot) -> bool) -> Option<Slot> {
        for slot in self.slots.get(self.first(hash)..)? {
            if slot.tag == tag(hash) && slot.run != FREE && is_right(*slot) {
                return Some(*slot);
            }
            if slot.run == FREE {
                break;
            }
        }
        None
    }

    /// Where that slot is.
    pub(super) fn place(&self, hash: u64, is_right: impl Fn(Slot) -> bool) -> Option<usize> {
        let (first, is_right) = (self.first(hash), |slot: &Slot| slot.tag == tag(hash) && is_right(*slot));
        let mut walked = self.slots.get(first..)?.iter().take_while(|slot| slot.run != FREE);
        walked.position(is_right).map(|steps| first + steps)
    }

    /// The upper half of the hash, scaled to the number of homes: any number will do.
    #[inline]
    fn first(&self, hash: u64) -> usize {
        (((hash >> 32) * self.homes as u64) >> 32) as usize
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is wanted")]
fn tag(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NameHash;

    fn wire(n: u32) -> Vec<u8> {
        [&[4][..], &n.to_be_bytes(), &[0]].concat()
    }

    #[test]
    fn every_name_is_found_and_no_other() {
        let mut index = Index::for_names(5000);
        for n in 0..5000 {
            index.add(NameHash::of(&wire(n)), 0, n, (n % 2 == 0).then_some(NodeIx(n)));
        }
        let find = |n: u32| index.find(NameHash::of(&wire(n)), |slot| slot.at == n);
        for n in 0..5000 {
            assert_eq!(find(n).map(|slot| slot.node()), Some((n % 2 == 0).then_some(NodeIx(n))));
        }
        assert!((5000..10_000).all(|n| find(n).is_none()));
    }

    #[test]
    fn it_grows_with_its_names() {
        let mut index = Index::for_names(0);
        for n in 0..1000 {
            if index.is_full() {
                index = index.grown(|slot| NameHash::of(&wire(slot.at)));
            }
            index.add(NameHash::of(&wire(n)), 0, n, None);
        }
        assert_eq!(index.count(), 1000);
        assert!((0..1000).all(|n| index.find(NameHash::of(&wire(n)), |slot| slot.at == n).is_some()));
    }

    #[test]
    fn behind_the_last_home_there_is_room() {
        let mut index = Index::for_names(2);
        let last = |n: u32| u64::MAX - u64::from(n);
        (0..100).for_each(|n| index.add(last(n), 0, n, None));
        assert!((0..100).all(|n| index.find(last(n), |slot| slot.at == n).is_some()));
        assert!(index.find(last(100), |_| true).is_none() && index.place(last(7), |slot| slot.at == 7).is_some());
    }

    #[test]
    fn an_index_of_nothing_ends() {
        assert!(Index::for_names(0).find(1, |_| true).is_none());
    }

    #[test]
    fn walks_are_short() {
        let mut index = Index::for_names(100_000);
        (0..100_000).for_each(|n| index.add(NameHash::of(&wire(n)), 0, n, None));
        let steps = std::cell::Cell::new(0_u32);
        for n in 0..100_000 {
            let mut place = index.first(NameHash::of(&wire(n)));
            while index.slots[place].at != n || index.slots[place].run == FREE {
                (place, _) = (place + 1, steps.set(steps.get() + 1));
            }
        }
        assert!(steps.get() < 120_000, "{} steps beyond the first for 100,000 names", steps.get());
    }
}
