//! The stream door (RFC 7766): threads of its own, each with a listener for every address and the connections it took
//! from them, all of them bounded.
//!
//! Why no run time below it: a stream's query costs a read and a write and little else, and tasks, their timers and their
//! wake-ups between threads cost as much again.

mod accept;
mod answers;
mod bell;
mod connection;
mod guests;
mod rounds;
mod slots;
mod turns;

use std::{
    io,
    net::TcpListener,
    num::NonZeroUsize,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub(super) use self::bell::Bell;
use self::{accept::Acceptor, answers::Answers, bell::WAKE, connection::Tools, guests::Guests, rounds::Rounds};
use super::{handler::General, shadow::Shadow};
use crate::{clock::Clock, telemetry::dns::DnsMetrics};

/// How many streams there may be, and how long each may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In total. At the limit the one that was idle longest is closed.
    pub connections: NonZeroUsize,
    /// Of one IPv4 address or one IPv6 /56. At the limit its own idlest is closed.
    pub per_client: NonZeroUsize,
    /// How long a connection may rest between queries.
    pub idle: Duration,
    /// How long one query may take to arrive, and replies to be taken.
    pub query: Duration,
}

/// What all threads of the door share.
pub(super) struct Door {
    limits: Limits,
    guests: Arc<Guests>,
    clock: Clock,
    stop: Arc<AtomicBool>,
}

impl Door {
    pub(super) fn new(limits: Limits, metrics: Arc<DnsMetrics>, clock: Clock, stop: Arc<AtomicBool>) -> Self {
        Self { limits, guests: Guests::new(limits, metrics), clock, stop }
    }

    /// What one thread has to do, and the bell by which it hears that the door closes.
    ///
    /// # Errors
    /// When the system gives no more files.
    pub(super) fn thread(
        &self,
        listeners: Vec<TcpListener>,
        desk: General,
        shadow: Shadow,
    ) -> io::Result<(Rounds, Arc<Bell>)> {
        let poll = mio::Poll::new()?;
        let bell = Arc::new(Bell::new(mio::Waker::new(poll.registry(), WAKE)?));
        let acceptor = Acceptor::new(listeners, Arc::clone(&self.guests), poll.registry())?;
        let stop = Arc::clone(&self.stop);
        let tools = Tools::new(Answers::new(desk, shadow));
        let rounds = Rounds::new(poll, Arc::clone(&bell), acceptor, tools, self.limits, self.clock, stop);
        Ok((rounds, bell))
    }
}
