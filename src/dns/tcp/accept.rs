//! Listeners of one thread: what is accepted, and what an error of accepting asks for, which is never the end of it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use mio::{
    Interest, Registry, Token,
    net::{TcpListener, TcpStream},
};
use tracing::warn;

use super::guests::Guests;
use crate::model::Mono;

/// Rest when the system is out of files or memory.
const EXHAUSTED_REST: Duration = Duration::from_millis(100);
/// The same when somebody went for it: silent connections must not hold up a queue for longer than it takes to shed them.
const EVICTED_REST: Duration = Duration::from_millis(2);
/// Errors are told once in this time.
const COMPLAINT_REST: Duration = Duration::from_secs(60);
/// Connections that were evicted and are not yet closed; beyond that no more are accepted until they are.
const LEAVING_MAX: usize = 64;
/// Connections are as their listener was told to be: replies wait for nothing.
const INHERITS_NODELAY: bool = cfg!(target_os = "linux");

/// Accepts for one thread.
pub(super) struct Acceptor {
    listeners: Vec<TcpListener>,
    count: usize,
    guests: Arc<Guests>,
    /// Until when nothing is accepted.
    rests: Option<Mono>,
    complained: Option<Mono>,
}

/// What came of accepting.
pub(super) enum Accepted {
    /// Somebody came.
    Client(TcpStream, SocketAddr),
    /// There is nobody.
    Nobody,
    /// The next one may come all the same.
    Lost,
    /// Nobody is let in for a while.
    Rest,
}

impl Acceptor {
    /// Listens at the places from 0 on.
    ///
    /// # Errors
    /// When the system is out of memory.
    pub(super) fn new(
        listeners: Vec<std::net::TcpListener>,
        guests: Arc<Guests>,
        registry: &Registry,
    ) -> io::Result<Self> {
        let mut listeners: Vec<_> = listeners.into_iter().map(TcpListener::from_std).collect();
        for (nth, listener) in listeners.iter_mut().enumerate() {
            registry.register(listener, Token(nth), Interest::READABLE)?;
        }
        Ok(Self { count: listeners.len(), listeners, guests, rests: None, complained: None })
    }

    /// How many places it has, though it may have closed.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn guests(&self) -> &Arc<Guests> {
        &self.guests
    }

    /// Closes the listeners.
    pub(super) fn close(&mut self) {
        self.listeners.clear();
        self.rests = None;
    }

    /// Until when it rests.
    pub(super) fn rests(&self) -> Option<Mono> {
        self.rests
    }

    /// It may have rested enough: then all listeners are looked at.
    pub(super) fn wake(&mut self, now: Mono) -> bool {
        self.rests.take_if(|until| *until <= now).is_some()
    }

    /// The next one.
    pub(super) fn next(&mut self, nth: usize, now: Mono) -> Accepted {
        let Some(listener) = self.listeners.get(nth) else { return Accepted::Nobody };
        if self.rests.is_some() {
            return Accepted::Rest;
        }
        if LEAVING_MAX <= self.guests.leaving() {
            // Those that make room still have to go before there is any.
            return self.rest(now, EVICTED_REST);
        }
        match listener.accept() {
            Ok((stream, client)) => {
                if !INHERITS_NODELAY {
                    let _ = stream.set_nodelay(true);
                }
                Accepted::Client(stream, client)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Nobody,
            Err(error) => self.after(&error, now),
        }
    }

    /// What an error asks for.
    pub(super) fn after(&mut self, error: &io::Error, now: Mono) -> Accepted {
        if self.complained.is_none_or(|last| COMPLAINT_REST < now.since(last)) {
            self.complained = Some(now);
            warn!(%error, "accepting DNS connections meets errors");
        }
        let passing = [io::ErrorKind::ConnectionAborted, io::ErrorKind::ConnectionReset, io::ErrorKind::Interrupted];
        if passing.contains(&error.kind()) {
            // The client has left the queue, or a signal came: go on at once.
            return Accepted::Lost;
        }
        // Out of files, memory or worse: make room and let it come about; without anyone to go, rest.
        let rest = if self.guests.evict_one() { EVICTED_REST } else { EXHAUSTED_REST };
        self.rest(now, rest)
    }

    fn rest(&mut self, now: Mono, rest: Duration) -> Accepted {
        self.rests = Some(now.plus(rest));
        Accepted::Rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpStream as Client, num::NonZeroUsize};

    use crate::dns::{bind::Bound, tcp::Limits};

    #[test]
    fn replies_on_what_is_accepted_wait_for_nothing() {
        for threads in [1, 2] {
            let bound = Bound::bind("127.0.0.1:0".parse().unwrap(), NonZeroUsize::new(threads).unwrap()).unwrap();
            assert_eq!(bound.tcp.len(), threads);
            let limits = Limits {
                connections: NonZeroUsize::MAX,
                per_client: NonZeroUsize::MAX,
                idle: Duration::MAX,
                query: Duration::MAX,
            };
            let poll = mio::Poll::new().unwrap();
            let guests = Guests::new(limits, Arc::default());
            let mut acceptor = Acceptor::new(bound.tcp, guests, poll.registry()).unwrap();
            let _client = Client::connect(bound.address).unwrap();
            let accepted = (0..threads).cycle().find_map(|nth| match acceptor.next(nth, Mono(0)) {
                Accepted::Client(stream, _) => Some(stream),
                Accepted::Nobody | Accepted::Lost | Accepted::Rest => None,
            });
            assert!(accepted.unwrap().nodelay().unwrap());
        }
    }
}
