//! The last events, numbered, and those who follow them as they come.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::watch;

use crate::model::Event;

/// Events that can be resumed from; the oldest goes.
pub const FEED_LENGTH: usize = 10_000;

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    /// Rises by one with each event of this node, across restarts too: it is the history's own.
    pub id: u64,
    /// The event.
    pub event: Event,
}

/// A ring that many read at their own pace. Who falls out of it is told so and resumes from the history.
#[derive(Debug)]
pub struct Feed {
    ring: RwLock<VecDeque<Arc<Numbered>>>,
    newest: watch::Sender<u64>,
}

impl Default for Feed {
    fn default() -> Self {
        Self { ring: RwLock::default(), newest: watch::Sender::new(0) }
    }
}

/// What a follower gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Since {
    /// All that came after, oldest first; possibly nothing.
    Events(Vec<Arc<Numbered>>),
    /// The ring no longer reaches back that far.
    Gone,
}

impl Feed {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event under the number its history gave it; numbers that do not rise are ignored.
    pub fn push(&self, id: u64, event: Event) {
        let mut ring = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        if ring.back().is_some_and(|last| id <= last.id) {
            return;
        }
        if FEED_LENGTH <= ring.len() {
            ring.pop_front();
        }
        ring.push_back(Arc::new(Numbered { id, event }));
        drop(ring);
        self.newest.send_replace(id);
    }

    /// The number of the last event; 0 before the first.
    pub(super) fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Says when there is something new.
    pub(super) fn follow(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// At most `limit` of those after `id`.
    pub(super) fn since(&self, id: u64, limit: usize) -> Since {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        let Some(first) = ring.front() else { return Since::Events(Vec::new()) };
        if id.saturating_add(1) < first.id {
            return Since::Gone;
        }
        let from = ring.partition_point(|numbered| numbered.id <= id);
        Since::Events(ring.iter().skip(from).take(limit).cloned().collect())
    }
}
