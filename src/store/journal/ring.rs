//! The last events in memory, and the numbers they get.

use std::{collections::VecDeque, sync::Arc};

use crate::model::{Event, Wall};

use super::{EventFilter, RING_MAX, Recorded, Since};

/// Newest events, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Recorded>,
    next: u64,
    /// The highest number that is not in here any more (or was never loaded); 0: everything is here.
    gone: u64,
}

/// What the disk holds at the start.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    /// At most [`RING_MAX`], oldest first.
    pub(super) events: Vec<Recorded>,
    /// The highest number below them that is on disk; 0 if there is none.
    pub(super) gone: u64,
    /// The first number that was never given.
    pub(super) next: u64,
}

impl Default for Ring {
    fn default() -> Self {
        Self { events: VecDeque::new(), next: 1, gone: 0 }
    }
}

impl Ring {
    pub(super) fn load(beginning: Beginning) -> Self {
        Self { events: beginning.events.into(), next: beginning.next.max(1), gone: beginning.gone }
    }

    /// Empty, and every number below may have been given before.
    pub(super) fn starting_at(next: u64) -> Self {
        Self { events: VecDeque::new(), next: next.max(1), gone: next.max(1) - 1 }
    }

    pub(super) fn push(&mut self, event: Event) -> Recorded {
        let recorded = Recorded { seq: self.next, event: Arc::new(event) };
        self.next += 1;
        if RING_MAX <= self.events.len()
            && let Some(oldest) = self.events.pop_front()
        {
            self.gone = oldest.seq;
        }
        self.events.push_back(recorded.clone());
        recorded
    }

    pub(super) fn newest(&self) -> u64 {
        self.events.back().map_or(self.gone, |last| last.seq)
    }

    /// The number the next event gets.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    pub(super) fn since(&self, seq: u64) -> Since {
        let start = self.events.partition_point(|one| one.seq <= seq);
        // Only a number that we know to be given tells that nothing was lost between it and the next.
        let known = seq == self.gone || self.events.binary_search_by_key(&seq, |one| one.seq).is_ok();
        Since { events: self.events.range(start..).cloned().collect(), gap: !known }
    }

    /// What fits from here, newest first; and below which number to go on if the page is not full and there may be more.
    pub(super) fn page(&self, filter: &EventFilter) -> (Vec<Recorded>, Option<u64>) {
        let below = filter.before.unwrap_or(u64::MAX);
        let end = self.events.partition_point(|one| one.seq < below);
        let fitting = self.events.range(..end).rev().filter(|one| fits(filter, &one.event));
        let found: Vec<Recorded> = fitting.take(filter.limit).cloned().collect();
        let more = found.len() < filter.limit && 0 < self.gone;
        let oldest = self.events.front().map_or(self.next, |first| first.seq);
        (found, more.then(|| below.min(oldest)))
    }
}

fn fits(filter: &EventFilter, event: &Event) -> bool {
    let since = filter.since.unwrap_or(Wall(0));
    let until = filter.until.unwrap_or(Wall(u64::MAX));
    let kind = event.what.kind();
    let asked = |wanted: &String| {
        kind.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    since <= event.at && event.at < until && (filter.kinds.is_empty() || filter.kinds.iter().any(asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Happening;

    fn refused(at: u64) -> Event {
        Event { at: Wall(at), generation: 1, what: Happening::ReloadRefused { problems: 1 } }
    }

    #[test]
    fn a_gap_is_told_exactly_when_something_may_be_missing() {
        let mut ring = Ring::default();
        assert_eq!(ring.since(0), Since { events: vec![], gap: false }, "nothing yet");
        for at in 1..=RING_MAX as u64 + 5 {
            ring.push(refused(at));
        }
        let check = |seq: u64, first: Option<u64>, gap: bool| {
            let since = ring.since(seq);
            assert_eq!((since.events.first().map(|e| e.seq), since.gap), (first, gap), "since {seq}");
        };
        check(0, Some(6), true);
        check(4, Some(6), true);
        check(5, Some(6), false);
        check(6, Some(7), false);
        check(RING_MAX as u64 + 4, Some(RING_MAX as u64 + 5), false);
        check(RING_MAX as u64 + 5, None, false);
        check(RING_MAX as u64 + 6, None, true);
    }

    #[test]
    fn a_number_that_a_restart_lost_is_a_gap() {
        let known = |seq| Recorded { seq, event: Arc::new(refused(seq)) };
        let mut ring = Ring::load(Beginning { events: vec![known(3), known(4)], gone: 0, next: 100 });
        ring.push(refused(5));
        let seqs = |since: &Since| since.events.iter().map(|e| e.seq).collect::<Vec<_>>();
        assert_eq!((seqs(&ring.since(4)), ring.since(4).gap), (vec![100], false));
        assert_eq!((seqs(&ring.since(7)), ring.since(7).gap), (vec![100], true));
        assert_eq!((seqs(&ring.since(0)), ring.since(0).gap), (vec![3, 4, 100], false));
    }

    #[test]
    fn a_page_goes_from_the_newest_down_and_says_where_the_disk_goes_on() {
        let mut ring = Ring::default();
        for at in 1..=RING_MAX as u64 + 1 {
            ring.push(refused(at));
        }
        let filter = |before, limit| EventFilter { before, limit, ..EventFilter::default() };
        let (found, rest) = ring.page(&filter(Some(5), 2));
        assert_eq!((found.iter().map(|e| e.seq).collect::<Vec<_>>(), rest), (vec![4, 3], None));
        let (found, rest) = ring.page(&filter(Some(4), 5));
        assert_eq!((found.iter().map(|e| e.seq).collect::<Vec<_>>(), rest), (vec![3, 2], Some(2)));
        let (found, rest) = ring.page(&filter(Some(2), 5));
        assert_eq!((found.len(), rest), (0, Some(2)));
        let other = EventFilter { kinds: vec!["conf".into(), "node".into()], limit: 1, ..EventFilter::default() };
        assert_eq!(ring.page(&other).0.len(), 0, "a kind is not any prefix");
        let group = EventFilter { kinds: vec!["config".into()], limit: 1, ..EventFilter::default() };
        assert_eq!(ring.page(&group).0.len(), 1, "a kind stands for those below it");
    }
}
