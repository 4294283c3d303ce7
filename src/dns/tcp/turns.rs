//! Who goes on without waiting for a socket, each at most once in the queue.

use std::collections::VecDeque;

/// A queue of numbered places.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queue: VecDeque<usize>,
    /// By place: whether it stands in the queue.
    stands: Vec<bool>,
}

impl Turns {
    /// Lines up at the end, unless it stands in the queue.
    pub(super) fn push(&mut self, place: usize) {
        if self.stands.len() <= place {
            self.stands.resize(place + 1, false);
        }
        if !std::mem::replace(&mut self.stands[place], true) {
            self.queue.push_back(place);
        }
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<usize> {
        let place = self.queue.pop_front()?;
        self.stands[place] = false;
        Some(place)
    }

    /// Whether its turn will come.
    pub(super) fn has(&self, place: usize) -> bool {
        self.stands.get(place).is_some_and(|stands| *stands)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_stands_in_the_queue_once() {
        let mut turns = Turns::default();
        [3, 1, 3, 1, 3].into_iter().for_each(|place| turns.push(place));
        assert!(turns.has(1) && turns.has(3) && !turns.has(2) && !turns.has(9));
        assert_eq!((turns.len(), turns.pop(), turns.has(3)), (2, Some(3), false));
        turns.push(3);
        assert_eq!([turns.pop(), turns.pop(), turns.pop()], [Some(1), Some(3), None]);
    }
}
