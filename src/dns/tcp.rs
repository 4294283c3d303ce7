//! The stream door (RFC 7766): an accept loop for each listener and a task for each connection, all of them bounded.

mod connection;
mod guests;

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinSet, yield_now},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use self::guests::{Guest, Guests};
use super::{DRAIN_MAX, handler::General};
use crate::telemetry::dns::DnsMetrics;

/// Rest of the accept loop when the system is out of files or memory.
const EXHAUSTED_REST: Duration = Duration::from_millis(100);
/// The same when somebody went for it: silent connections must not hold up a queue for longer than it takes to shed them.
const EVICTED_REST: Duration = Duration::from_millis(2);
/// Errors of `accept` are told once in this time.
const COMPLAINT_REST: Duration = Duration::from_secs(60);
/// After so many the accept loop lets the connections have a turn.
const ACCEPTS_IN_ROW_MAX: u64 = 16;
/// Connections of one listener that were evicted and are not yet closed; beyond that it accepts no more until they are.
const LEAVING_MAX: usize = 64;

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

/// All listeners with what their connections share.
pub(super) struct Door {
    desks: Desks,
    limits: Limits,
    guests: Arc<Guests>,
    stop: CancellationToken,
}

/// A few desks for many connections: each is held for as long as one read's queries take to answer.
struct Desks {
    all: Vec<Mutex<General>>,
    next: AtomicUsize,
}

impl Desks {
    /// One that is free, or else the next.
    fn take(&self) -> MutexGuard<'_, General> {
        let turn = self.next.fetch_add(1, Relaxed);
        let count = self.all.len();
        let free = (0..count).find_map(|nth| self.all[(turn + nth) % count].try_lock().ok());
        free.unwrap_or_else(|| self.all[turn % count].lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Door {
    /// `desks` is not empty.
    pub(super) fn new(desks: Vec<General>, limits: Limits, metrics: Arc<DnsMetrics>, stop: CancellationToken) -> Self {
        let desks = Desks { all: desks.into_iter().map(Mutex::new).collect(), next: AtomicUsize::new(0) };
        Self { desks, limits, guests: Guests::new(limits, metrics), stop }
    }

    /// Accepts until told to stop; then lets connections finish for [`DRAIN_MAX`].
    pub(super) async fn serve(self, listeners: Vec<std::net::TcpListener>) {
        let door = Arc::new(self);
        let mut loops = JoinSet::new();
        if listeners.is_empty() {
            // No address is no fault: the door stays shut until the end.
            door.stop.cancelled().await;
        }
        for listener in listeners {
            loops.spawn(Arc::clone(&door).accept(listener));
        }
        while let Some(ended) = loops.join_next().await {
            if let Err(error) = ended {
                error!(%error, "an accept loop ended");
                // The node hears of it, because this thread ends.
                door.stop.cancel();
            }
        }
    }

    async fn accept(self: Arc<Self>, listener: std::net::TcpListener) {
        let listener = TcpListener::from_std(listener).expect("the listener is not blocking, and a run time is there");
        let mut connections = JoinSet::new();
        let most = self.limits.connections.get().saturating_add(LEAVING_MAX);
        let mut complained: Option<Instant> = None;
        let mut accepted_so_far = 0_u64;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.stop.cancelled() => break,
                Some(ended) = connections.join_next(), if !connections.is_empty() => {
                    if let Err(error) = ended {
                        error!(%error, "a connection met a panic");
                    }
                    continue;
                }
                // Those that make room still have to go before there is any.
                accepted = listener.accept(), if connections.len() < most => accepted,
            };
            match accepted {
                Ok((stream, client)) => {
                    // Here and not in its task: a flood must not make more of them than there are places.
                    let guest = self.guests.admit(client.ip());
                    connections.spawn(Arc::clone(&self).connection(stream, client, guest));
                    accepted_so_far += 1;
                    if accepted_so_far.is_multiple_of(ACCEPTS_IN_ROW_MAX) {
                        // Those who came are heard before the next ones may drive them out.
                        yield_now().await;
                    }
                }
                Err(error) => {
                    if complained.is_none_or(|last| COMPLAINT_REST < last.elapsed()) {
                        complained = Some(Instant::now());
                        warn!(%error, "accepting DNS connections meets errors");
                    }
                    self.after(&error).await;
                }
            }
        }
        drop(listener);
        let drained = timeout(DRAIN_MAX, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            warn!(connections = connections.len(), "DNS connections are cut");
        }
        connections.shutdown().await;
    }

    /// What an error of `accept` asks for; never the end of the loop.
    async fn after(&self, error: &io::Error) {
        let kind = error.kind();
        if matches!(
            kind,
            io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
        ) {
            // The client has left the queue, or a signal came: go on at once.
            return;
        }
        // Out of files, memory or worse: make room and let it come about; without anyone to go, rest, because the queue
        // stays readable.
        let rest = if self.guests.evict_one() { EVICTED_REST } else { EXHAUSTED_REST };
        sleep(rest).await;
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, client: SocketAddr, guest: Guest) {
        connection::serve(stream, client, &guest, &self.desks, self.limits, &self.stop).await;
    }
}
