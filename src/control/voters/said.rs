//! What the others say, by slot: a slot has the few vantages that probe it, however many nodes there are.

use crate::model::Vote;

/// Bounded by what ballots hold: an entry for each vote on something that exists.
#[derive(Debug, Default)]
pub(super) struct Said {
    by_slot: Vec<Vec<(u32, Vote)>>,
    /// Whether a number is somebody's.
    taken: Vec<bool>,
}

impl Said {
    /// A number for somebody new.
    pub(super) fn enter(&mut self) -> u32 {
        let free = self.taken.iter().position(|taken| !taken).unwrap_or(self.taken.len());
        if free == self.taken.len() {
            self.taken.push(true);
        }
        self.taken[free] = true;
        u32::try_from(free).expect("nodes are bounded far below 2^32")
    }

    /// Somebody is gone for good, with all that was said. Rare, so that it may walk everything.
    pub(super) fn leave(&mut self, number: u32) {
        self.by_slot.iter_mut().for_each(|says| says.retain(|(who, _)| *who != number));
        self.taken[number as usize] = false;
    }

    /// One vote becomes another; what it was before.
    pub(super) fn say(&mut self, slot: usize, number: u32, vote: Option<Vote>) -> Option<Vote> {
        if self.by_slot.len() <= slot {
            self.by_slot.resize(slot + 1, Vec::new());
        }
        let says = &mut self.by_slot[slot];
        let held = says.iter().position(|(who, _)| *who == number);
        match (held, vote) {
            (Some(at), Some(vote)) => Some(std::mem::replace(&mut says[at].1, vote)),
            (Some(at), None) => Some(says.swap_remove(at).1),
            (None, vote) => {
                says.extend(vote.map(|vote| (number, vote)));
                None
            }
        }
    }

    /// Another fleet: what is said of it is said anew.
    pub(super) fn clear(&mut self) {
        self.by_slot = Vec::new();
    }

    /// Who says what of a slot, in no order.
    pub(super) fn of(&self, slot: usize) -> &[(u32, Vote)] {
        self.by_slot.get(slot).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: Vote = Vote::Up { degraded: false, wavers: false };

    #[test]
    fn a_number_is_given_again_and_brings_nothing_of_its_life_before() {
        let mut said = Said::default();
        let (one, other) = (said.enter(), said.enter());
        assert_eq!(said.say(7, one, Some(UP)), None);
        assert_eq!(said.say(7, other, Some(Vote::Down)), None);
        assert_eq!(said.say(7, one, Some(Vote::Down)), Some(UP));
        said.leave(one);
        assert_eq!((said.enter(), said.of(7), said.of(8)), (one, &[(other, Vote::Down)][..], &[][..]));
        assert_eq!((said.say(7, other, None), said.of(7).len()), (Some(Vote::Down), 0));
    }
}
