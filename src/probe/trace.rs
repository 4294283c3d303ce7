//! What is noted while a probe runs, so that one cut off by its deadline still says how far it came.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::model::{Phases, Wall};

/// The notes of one probe. Shared with the verifier inside TLS.
#[derive(Debug)]
pub(super) struct Trace {
    start: Instant,
    marks: Mutex<Marks>,
}

/// How far a probe came, as lengths since its start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    handshake: Option<Duration>,
    ready: Option<Duration>,
    head: Option<Duration>,
    /// The HTTP status, if an answer came.
    pub(super) status: Option<u16>,
    /// When the certificate that was shown ends.
    pub(super) cert_end: Option<Wall>,
}

impl Trace {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), marks: Mutex::default() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The TCP connection stands and the TLS handshake begins.
    pub(super) fn handshake_began(&self) {
        let at = self.elapsed();
        self.note(|marks| marks.handshake = marks.handshake.or(Some(at)));
    }

    /// A request can be sent.
    pub(super) fn ready(&self) {
        let at = self.elapsed();
        self.note(|marks| marks.ready = Some(at));
    }

    /// The head of the answer is here.
    pub(super) fn head(&self, status: u16) {
        let at = self.elapsed();
        self.note(|marks| (marks.head, marks.status) = (Some(at), Some(status)));
    }

    pub(super) fn cert_ends(&self, end: Option<Wall>) {
        self.note(|marks| marks.cert_end = end);
    }

    pub(super) fn marks(&self) -> Marks {
        *self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Marks {
    pub(super) fn phases(&self, total: Duration) -> Phases {
        let between = |from: Option<Duration>, to: Option<Duration>| Some(to?.saturating_sub(from?));
        Phases {
            connect: self.handshake.or(self.ready),
            tls: between(self.handshake, self.ready),
            first_byte: between(self.ready, self.head),
            total,
        }
    }
}
