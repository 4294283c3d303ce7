//! A store's own sense of time.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{
    clock::Clock,
    model::{Mono, Wall},
};

/// When a store was opened, moved on by the monotonic clock, and never behind the newest
/// time that a commit named. Reading it needs no wall clock, which may jump.
#[derive(Debug)]
pub(super) struct Time {
    opened: Wall,
    clock: Clock,
    heard: AtomicU64,
}

impl Time {
    /// From now on.
    pub(super) fn new(opened: Wall) -> Self {
        Self { opened, clock: Clock::start(), heard: AtomicU64::new(0) }
    }

    /// Since the process began, on the monotonic clock.
    pub(super) fn mono(&self) -> Mono {
        self.clock.mono()
    }

    pub(super) fn now(&self) -> Wall {
        let passed = self.opened.plus(self.clock.mono().since(crate::clock::BEGINS));
        passed.max(Wall(self.heard.load(Ordering::Relaxed)))
    }

    pub(super) fn hear(&self, at: Wall) {
        self.heard.fetch_max(at.0, Ordering::Relaxed);
    }
}
