//! How other threads reach one that waits for its sockets.

use std::{
    mem,
    sync::{Mutex, PoisonError},
};

use mio::{Token, Waker};

/// The bell's own place among the sockets.
pub(super) const WAKE: Token = Token(usize::MAX);

/// Wakes one thread of the door.
#[derive(Debug)]
pub(in crate::dns) struct Bell {
    waker: Waker,
    /// Places of connections that have to leave.
    leaving: Mutex<Vec<usize>>,
}

impl Bell {
    pub(super) fn new(waker: Waker) -> Self {
        Self { waker, leaving: Mutex::default() }
    }

    /// The thread looks around: something was told to it.
    pub(in crate::dns) fn ring(&self) {
        // A bell that does not ring is heard at the next sweep.
        let _ = self.waker.wake();
    }

    /// The connection at this place has to make room.
    pub(super) fn leave(&self, place: usize) {
        self.leaving.lock().unwrap_or_else(PoisonError::into_inner).push(place);
        self.ring();
    }

    /// Who was told to leave since.
    pub(super) fn leaving(&self) -> Vec<usize> {
        mem::take(&mut *self.leaving.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
