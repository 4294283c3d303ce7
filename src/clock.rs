//! The one place that reads the clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Mono, Now, Wall, ms};

/// What the monotonic clock shows at its start: 30 days, so that what happened before has its place on it, too.
pub const BEGINS: Mono = Mono(30 * 86_400_000);

/// Reads both clocks; the monotonic one begins with its making.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Monotonic time goes on from here.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn start() -> Self {
        Self { origin: Instant::now() }
    }

    /// Both clocks at this instant.
    #[must_use]
    pub fn now(&self) -> Now {
        Now { mono: self.mono(), wall: Self::wall() }
    }

    /// Milliseconds since the start, and [`BEGINS`].
    #[must_use]
    pub fn mono(&self) -> Mono {
        BEGINS.plus(self.origin.elapsed())
    }

    /// The time people go by.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    pub fn wall() -> Wall {
        Wall(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, ms))
    }

    /// The instant `mono` stands for, for timers of the run time.
    #[must_use]
    pub fn instant(&self, mono: Mono) -> Instant {
        self.origin + mono.since(BEGINS)
    }
}
