//! The DNS doors: sockets, reading, answering and writing. They read the answer table and nothing else, so they go on
//! answering whatever happens to the rest of the program.
//!
//! A packet's way: a door ([`Doors`]: UDP and TCP threads) hands the bytes to an [`Answerer`]; it reads them
//! ([`read`]), looks the question up ([`answer`]), and writes the reply ([`mod@write`]).
//!
//! The doors run on threads of their own: no load elsewhere in the program makes them wait for a task to end. Where there
//! are more queries than processors can answer, they give way to the program's other threads, because queries that are
//! not answered come again, and probes that are not made take healthy endpoints out of the answers.

pub mod answer;
mod bind;
mod chaos;
mod desk;
mod fast;
mod handler;
mod message;
mod names;
pub mod read;
#[cfg(test)]
mod sample;
mod shadow;
mod tcp;
pub mod transfer;
mod tsig;
mod udp;
pub mod write;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use self::{
    bind::Bound,
    shadow::{Shadow, Switch},
};
pub use self::{
    bind::{BindError, Transport},
    desk::{Answerer, Chaos, Client, Desk, Face, Handled, NSID_LENGTH_MAX},
    fast::{Difference, Fast, compare},
    handler::{General, Handler},
    message::{Ede, Rcode, STREAM_SIZE_MAX, UDP_SIZE_MIN},
    read::Ecs,
    shadow::SHADOW_WHOLE,
    tcp::Limits as TcpLimits,
    transfer::Transfers,
};
use crate::{clock::Clock, steer::Live, telemetry::dns::DnsMetrics};

/// How long the doors finish what they have begun. Afterwards connections are cut.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Where the doors listen, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// UDP and TCP on each. Port 0 takes one that is free for both.
    pub listen: Vec<SocketAddr>,
    /// UDP threads for each address, and threads for the streams of all addresses.
    pub threads: NonZeroUsize,
    /// What the doors say about the node.
    pub face: Face,
    /// Of streams.
    pub tcp: TcpLimits,
    /// How many of the fast door's answers are compared with the general path's, in parts of [`SHADOW_WHOLE`].
    pub shadow: u16,
}

/// Bound sockets, not yet served.
#[derive(Debug)]
pub struct Doors {
    bound: Vec<Bound>,
    settings: Settings,
    live: Live,
    clock: Clock,
    metrics: Arc<DnsMetrics>,
    transfers: Arc<Transfers>,
    switch: Arc<Switch>,
}

/// Why the doors stopped, or did not open.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The system gives no thread.
    #[error("the system gives no thread for a DNS door")]
    Thread(#[source] io::Error),
    /// A door ended by itself, which is a fault of the program. All others were drained.
    #[error("the door {0} ended by itself")]
    Ended(String),
}

impl Doors {
    /// Binds every socket. Nothing is served yet, and what comes in waits. `clock` is the one that the tables' deadlines
    /// are on.
    ///
    /// # Errors
    /// [`BindError`] names the first address that is not to be had, and what helps. Nothing stays bound then.
    pub fn bind(settings: Settings, live: Live, clock: Clock, metrics: Arc<DnsMetrics>) -> Result<Self, BindError> {
        let bound =
            settings.listen.iter().map(|&address| Bound::bind(address, settings.threads)).collect::<Result<_, _>>()?;
        let switch = Arc::new(Switch::new(Arc::clone(&metrics)));
        let transfers = Arc::new(Transfers::new(Arc::clone(&metrics), &settings.listen));
        Ok(Self { bound, settings, live, clock, metrics, transfers, switch })
    }

    /// What the doors know about secondaries: nobody is one until it is told.
    #[must_use]
    pub fn transfers(&self) -> &Arc<Transfers> {
        &self.transfers
    }

    /// The addresses in the order of [`Settings::listen`], with their real ports.
    #[must_use]
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.bound.iter().map(|bound| bound.address).collect()
    }

    /// Why the fast door is closed, while it is: it gave an answer that the general path would not have given.
    #[must_use]
    pub fn fast_door(&self) -> watch::Receiver<Option<String>> {
        self.switch.trouble()
    }

    /// Serves until told to end, then answers what has been asked, and returns when all threads have ended.
    ///
    /// # Errors
    /// [`RunError`] when the doors cannot open or one of them ends by itself.
    pub async fn run(self, until: CancellationToken) -> Result<(), RunError> {
        // Dropping the future ends the doors as well.
        let mut stop = Stop::default();
        let addresses = self.local_addrs();
        let (ended, mut ends) = mpsc::channel(1);
        let threads = self.open(&mut stop, &ended);
        drop(ended);
        let result = match &threads {
            (_, Err(_)) => Ok(()),
            (_, Ok(())) => {
                info!(?addresses, "the DNS doors are open");
                tokio::select! {
                    biased;
                    () = until.cancelled() => Ok(()),
                    name = ends.recv() => Err(RunError::Ended(name.unwrap_or_default())),
                }
            }
        };
        stop.now();
        let (threads, opened) = threads;
        let joined = tokio::task::spawn_blocking(|| threads.into_iter().all(|thread| thread.join().is_ok())).await;
        if !matches!(joined, Ok(true)) {
            error!("a DNS door panicked");
        }
        opened.map_err(RunError::Thread).and(result)
    }

    fn open(self, stop: &mut Stop, ended: &mpsc::Sender<String>) -> (Vec<JoinHandle<()>>, io::Result<()>) {
        let mut threads = Vec::new();
        let opened = self.open_each(stop, ended, &mut threads);
        (threads, opened)
    }

    fn open_each(
        self,
        stop: &mut Stop,
        ended: &mpsc::Sender<String>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> io::Result<()> {
        let Self { bound, settings, live, clock, metrics, transfers, switch } = self;
        let face = Arc::new(settings.face);
        let desk = || -> io::Result<General> {
            let seed = getrandom::u64().map_err(io::Error::other)?;
            let desk = Desk::new(live.reader(), Arc::clone(&face), seed, clock, metrics.shard());
            Ok(General::new(desk.with_transfers(Arc::clone(&transfers))))
        };
        let shadow = || -> io::Result<Shadow> {
            let seed = getrandom::u64().map_err(io::Error::other)?;
            Ok(Shadow::new(Arc::clone(&switch), settings.shadow, seed))
        };
        let mut spawn = |name: String, body: Box<dyn FnOnce() + Send>| -> io::Result<()> {
            let end = End { name: name.clone(), ended: ended.clone() };
            threads.push(thread::Builder::new().name(name).spawn(move || {
                let _end = end;
                body();
            })?);
            Ok(())
        };
        let mut listeners: Vec<Vec<TcpListener>> = (0..settings.threads.get()).map(|_| Vec::new()).collect();
        for (nth, Bound { udp, tcp, .. }) in bound.into_iter().enumerate() {
            listeners.iter_mut().zip(tcp).for_each(|(listeners, tcp)| listeners.push(tcp));
            for (thread, port) in udp.into_iter().enumerate() {
                let (desk, shadow, stop) = (desk()?, shadow()?, Arc::clone(&stop.told));
                spawn(format!("dns-udp-{nth}-{thread}"), Box::new(move || udp::serve(&port, desk, shadow, &stop)))?;
            }
        }
        let door = tcp::Door::new(settings.tcp, Arc::clone(&metrics), clock, Arc::clone(&stop.told));
        for (nth, listeners) in listeners.into_iter().enumerate() {
            let (rounds, bell) = door.thread(listeners, desk()?, shadow()?)?;
            stop.bells.push(bell);
            let streams = move || {
                udp::give_way();
                rounds.serve();
            };
            spawn(format!("dns-tcp-{nth}"), Box::new(streams))?;
        }
        Ok(())
    }
}

/// Tells the doors to end.
#[derive(Default)]
struct Stop {
    told: Arc<AtomicBool>,
    bells: Vec<Arc<tcp::Bell>>,
}

impl Stop {
    fn now(&self) {
        self.told.store(true, Relaxed);
        self.bells.iter().for_each(|bell| bell.ring());
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.now();
    }
}

/// Tells that a thread has ended, however it ended.
struct End {
    name: String,
    ended: mpsc::Sender<String>,
}

impl Drop for End {
    fn drop(&mut self) {
        // Only the first end is news.
        let _ = self.ended.try_send(std::mem::take(&mut self.name));
    }
}
