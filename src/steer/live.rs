//! The table in force: one pointer, swapped whole.
//!
//! Why old tables are kept for a while: whoever lets go of a table last frees it, and freeing a table of 100,000
//! services takes milliseconds, which a door must not spend. So the swapper holds each old table until no door does.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use arc_swap::{ArcSwap, cache::Cache};

use super::{AnswerTable, Editions, Ground, Locator};

/// Old tables held for their readers. Beyond it the oldest is let go, and a door that sleeps on it frees it. Tables of
/// one fleet share nearly all they hold, so these cost little.
const RETIRED_MAX: usize = 64;

/// What the one writer swaps and every door reads. Clones are the same.
#[derive(Debug, Clone)]
pub struct Live {
    table: Arc<ArcSwap<AnswerTable>>,
    /// Only swapping locks it.
    retired: Arc<Mutex<VecDeque<Arc<AnswerTable>>>>,
    /// Of a fleet that is about to come.
    ahead: Arc<Mutex<Option<Ground>>>,
}

impl Live {
    /// Begins with a table.
    #[must_use]
    pub fn new(table: AnswerTable) -> Self {
        Self { table: Arc::new(ArcSwap::from_pointee(table)), retired: Arc::default(), ahead: Arc::default() }
    }

    /// The table in force.
    #[must_use]
    pub fn load(&self) -> Arc<AnswerTable> {
        self.table.load_full()
    }

    /// Puts another table in force and gives it back; frees old ones that no reader holds any more.
    pub fn swap(&self, table: AnswerTable) -> Arc<AnswerTable> {
        let table = Arc::new(table);
        let old = self.table.swap(Arc::clone(&table));
        let mut retired = self.retired();
        retired.push_back(old);
        retired.retain(|table| 1 < Arc::strong_count(table));
        if RETIRED_MAX < retired.len() {
            retired.pop_front();
        }
        table
    }

    /// Leaves a ground for the swapper, who will come to its fleet.
    pub fn prepare(&self, ground: Ground) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = Some(ground);
    }

    /// The ground that was left, which is gone then: it is as large as a table.
    #[must_use]
    pub fn prepared(&self) -> Option<Ground> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Puts the same table in force with another locator, and gives it back: no decision depends on where clients are,
    /// so nothing is compiled. The swapper alone calls it, as it alone swaps.
    pub fn relocate(&self, locator: Arc<Locator>) -> Arc<AnswerTable> {
        self.swap(AnswerTable::clone(&self.load()).with_locator(locator))
    }

    /// Puts the same table in force with other editions for secondaries, and gives it back. The swapper alone calls it.
    pub fn republish(&self, editions: Arc<Editions>) -> Arc<AnswerTable> {
        self.swap(AnswerTable::clone(&self.load()).with_editions(editions))
    }

    /// Frees the old tables that no reader holds any more. The swapper calls it now and then: after a reload the old
    /// table is the whole fleet of before, and the next swap may be days away.
    pub fn sweep(&self) {
        self.retired().retain(|table| 1 < Arc::strong_count(table));
    }

    /// A panic while it was locked left nothing half done: tables are only pushed and dropped.
    fn retired(&self) -> MutexGuard<'_, VecDeque<Arc<AnswerTable>>> {
        self.retired.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A reader for one thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader { cache: Cache::new(Arc::clone(&self.table)), read: 0 }
    }
}

/// Keeps the table it read last: while nothing was swapped, reading costs one load and no shared write.
#[derive(Debug, Clone)]
pub struct Reader {
    cache: Cache<Arc<ArcSwap<AnswerTable>>, Arc<AnswerTable>>,
    /// Where the table lies that was read last.
    read: usize,
}

impl Reader {
    /// The table in force. An idle thread calls this at least every second, so that old tables are let go.
    #[inline]
    pub fn table(&mut self) -> &Arc<AnswerTable> {
        let table = self.cache.load();
        self.read = Arc::as_ptr(table).addr();
        table
    }

    /// The table in force, if it is the one that was read last.
    pub fn unchanged(&mut self) -> Option<&Arc<AnswerTable>> {
        let before = self.read;
        // The one before is held until another takes its place, so no other can lie where it lies.
        Some(self.cache.load()).filter(|table| Arc::as_ptr(table).addr() == before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::LastGood,
        steer::{compile, sample::World},
    };

    #[test]
    fn readers_see_the_table_that_was_swapped_in_and_the_swapper_frees_the_old_one() {
        let table = |generation| compile(&World { generation, ..World::new() }.snapshot(), None, &LastGood::new());
        let live = Live::new(table(0));
        let mut reader = live.reader();
        let old = Arc::downgrade(reader.table());
        live.swap(table(1));
        assert_eq!((live.load().generation, reader.table().generation), (1, 1));
        assert!(old.upgrade().is_some(), "the reader let go of it, and it is still there for the swapper to free");
        live.sweep();
        assert!(old.upgrade().is_none());
        let sleepers: Vec<Reader> = (3..200)
            .map(|generation| {
                let mut sleeper = live.reader();
                sleeper.table();
                live.swap(table(generation));
                sleeper
            })
            .collect();
        assert_eq!((sleepers.len(), live.retired.lock().unwrap().len()), (197, RETIRED_MAX));
    }
}
