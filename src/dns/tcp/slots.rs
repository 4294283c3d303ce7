//! Numbered places, of which the lowest that were freed last are taken first.

/// Things by the number of their place.
#[derive(Debug)]
pub(super) struct Slots<T> {
    places: Vec<Option<T>>,
    free: Vec<usize>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    /// Where the next one will be put.
    pub(super) fn next(&self) -> usize {
        self.free.last().copied().unwrap_or(self.places.len())
    }

    /// Puts it where [`Self::next`] told.
    pub(super) fn put(&mut self, thing: T) {
        match self.free.pop() {
            Some(place) => self.places[place] = Some(thing),
            None => self.places.push(Some(thing)),
        }
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place)?.as_mut()
    }

    pub(super) fn take(&mut self, place: usize) -> Option<T> {
        let thing = self.places.get_mut(place)?.take()?;
        self.free.push(place);
        Some(thing)
    }

    /// The places that are taken and of which this holds.
    pub(super) fn places(&self, holds: impl Fn(&T) -> bool) -> Vec<usize> {
        let taken = self.places.iter().enumerate();
        taken.filter(|(_, thing)| thing.as_ref().is_some_and(&holds)).map(|(place, _)| place).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_was_freed_is_taken_again() {
        let mut slots = Slots::new();
        for nth in 0..4 {
            assert_eq!(slots.next(), nth);
            slots.put(nth);
        }
        assert_eq!((slots.take(1), slots.take(1), slots.take(9)), (Some(1), None, None));
        assert_eq!((slots.len(), slots.next()), (3, 1));
        slots.put(7);
        assert_eq!((slots.len(), slots.next(), slots.get_mut(1).copied()), (4, 4, Some(7)));
        assert_eq!(slots.places(|thing| 2 < *thing), [1, 3]);
    }
}
