//! The one place that reads the clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::model::{Mono, Now, Wall, ms};

/// Reads both clocks; its own making is the origin of the monotonic one.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    origin: Instant,
}

impl Clock {
    /// Monotonic time counts from here.
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

    /// Milliseconds since the origin.
    #[must_use]
    pub fn mono(&self) -> Mono {
        Mono(ms(self.origin.elapsed()))
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
        self.origin + std::time::Duration::from_millis(mono.0)
    }
}
