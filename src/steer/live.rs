//! The table in force: one pointer, swapped whole.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};

use super::AnswerTable;

/// What the one writer swaps and every door reads. Clones are the same.
#[derive(Debug, Clone)]
pub struct Live(Arc<ArcSwap<AnswerTable>>);

impl Live {
    /// Begins with a table.
    #[must_use]
    pub fn new(table: AnswerTable) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(table)))
    }

    /// The table in force.
    #[must_use]
    pub fn load(&self) -> Arc<AnswerTable> {
        self.0.load_full()
    }

    /// Puts another table in force. The old one comes back, so that the swapper frees it and not a door.
    pub fn swap(&self, table: AnswerTable) -> Arc<AnswerTable> {
        self.0.swap(Arc::new(table))
    }

    /// A reader for one thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.0)))
    }
}

/// Keeps the table it read last: while nothing was swapped, reading costs one load and no shared write.
#[derive(Debug, Clone)]
pub struct Reader(Cache<Arc<ArcSwap<AnswerTable>>, Arc<AnswerTable>>);

impl Reader {
    /// The table in force. An idle thread calls this at least every second, so that old tables are let go.
    pub fn table(&mut self) -> &Arc<AnswerTable> {
        self.0.load()
    }
}
