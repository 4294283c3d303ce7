//! Telling secondaries that a zone has changed (RFC 1996), so that they follow within a second and not when their timer
//! ends.
//!
//! Each newer serial takes the place of the one before: what a secondary has to know is the last. Who does not answer is
//! told again, ever less often, and then left to its timer.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::UdpSocket,
    sync::{Semaphore, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::Transfers;
use crate::{
    clock::Clock,
    dns::{
        message::{HEADER, flag, meta, u16_at},
        read::signature_at,
        tsig::{Key, Signing},
    },
    model::{DnsName, Replication, Serial, TsigKey, kind},
    steer::{Edition, Editions},
    telemetry::dns::NotifyOutcome,
};

/// How often one secondary is told of one serial.
const ATTEMPTS: u32 = 8;
/// How long the first answer is waited for; each further one twice as long.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest wait for an answer (RFC 1996 section 3.6 has it for all).
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// Sockets at once. Further secondaries wait for one of them.
const SOCKETS_MAX: usize = 64;
/// Opcode NOTIFY, in its place.
const OPCODE: u8 = 4 << 3;
/// Longest answer that is read.
const ANSWER_MAX: usize = 4096;

/// Tells all secondaries of each edition, from the first on, until told to end.
pub async fn run(mut editions: watch::Receiver<Arc<Editions>>, transfers: Arc<Transfers>, until: CancellationToken) {
    let mut telling = Telling {
        told: HashMap::new(),
        tasks: JoinSet::new(),
        sockets: Arc::new(Semaphore::new(SOCKETS_MAX)),
        transfers: Arc::clone(&transfers),
    };
    loop {
        let newest = Arc::clone(&editions.borrow_and_update());
        telling.all(&newest, &transfers.policy.load().who);
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                changed = editions.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return until.cancelled().await,
                },
                Some(_) = telling.tasks.join_next() => {}
            }
        }
    }
}

/// What each secondary was told last, and is being told.
struct Telling {
    told: HashMap<(DnsName, SocketAddr), (Serial, AbortHandle)>,
    tasks: JoinSet<()>,
    sockets: Arc<Semaphore>,
    transfers: Arc<Transfers>,
}

impl Telling {
    fn all(&mut self, editions: &Editions, who: &Replication) {
        let mut before = std::mem::take(&mut self.told);
        for zone in &who.zones {
            let Some(edition) = editions.get(&zone.apex) else { continue };
            for to in &zone.notify {
                let place = (zone.apex.clone(), *to);
                let known = before.remove(&place);
                let told = match known {
                    Some((serial, task)) if serial == edition.serial => (serial, task),
                    older => {
                        if let Some((_, task)) = older {
                            task.abort();
                        }
                        (edition.serial, self.one(edition, *to, zone.key.as_ref()))
                    }
                };
                self.told.insert(place, told);
            }
        }
        before.into_values().for_each(|(_, task)| task.abort());
    }

    fn one(&mut self, edition: &Arc<Edition>, to: SocketAddr, key: Option<&TsigKey>) -> AbortHandle {
        let (edition, key) = (Arc::clone(edition), key.and_then(Key::new));
        let (sockets, metrics) = (Arc::clone(&self.sockets), Arc::clone(&self.transfers.metrics));
        let from = source(&self.transfers.listen, to.ip());
        self.tasks.spawn(async move {
            let outcome = tell(&edition, (from, to), key.as_ref(), &sockets).await;
            metrics.notified(outcome);
            let (zone, serial) = (&edition.apex, edition.serial);
            match outcome {
                NotifyOutcome::Answered => tracing::info!(%zone, %serial, %to, "a secondary knows of the change"),
                NotifyOutcome::Refused => tracing::warn!(%zone, %serial, %to, "a secondary refuses to be told"),
                NotifyOutcome::Unanswered => tracing::warn!(%zone, %serial, %to, "a secondary does not answer"),
            }
        })
    }
}

/// From where someone is told: the node's own address where it listens on one of that kind.
fn source(listen: &[IpAddr], to: IpAddr) -> IpAddr {
    let fits = |from: &&IpAddr| {
        !from.is_unspecified() && from.is_ipv4() == to.is_ipv4() && from.is_loopback() == to.is_loopback()
    };
    let any = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    listen.iter().find(fits).copied().unwrap_or(any)
}

async fn tell(edition: &Edition, way: (IpAddr, SocketAddr), key: Option<&Key>, sockets: &Semaphore) -> NotifyOutcome {
    let mut outcome = NotifyOutcome::Unanswered;
    for attempt in 0..ATTEMPTS {
        let patience = PATIENCE.saturating_mul(1 << attempt).min(PATIENCE_MAX);
        let ends = Instant::now() + patience;
        let answered = {
            let Ok(_permit) = sockets.acquire().await else { return outcome };
            timeout_at(ends, ask(edition, way, key)).await
        };
        match answered {
            Ok(Ok(true)) => return NotifyOutcome::Answered,
            Ok(Ok(false)) => outcome = NotifyOutcome::Refused,
            Ok(Err(error)) => tracing::debug!(to = %way.1, %error, "a NOTIFY met an error"),
            Err(_) => {}
        }
        // Whoever refuses or is not there may be starting.
        tokio::time::sleep_until(ends).await;
    }
    outcome
}

/// One message and its answer; whether that agrees.
async fn ask(edition: &Edition, (from, to): (IpAddr, SocketAddr), key: Option<&Key>) -> io::Result<bool> {
    let socket = UdpSocket::bind((from, 0)).await?;
    // Nobody else's datagrams come in from now on.
    socket.connect(to).await?;
    let id = getrandom::u32().map_err(io::Error::other)?.to_be_bytes();
    let mut message = message(edition, [id[0], id[1]]);
    let mut signing = key.cloned().map(Signing::query);
    if let Some(signing) = &mut signing {
        signing.sign(&mut message, 0, Clock::wall().0 / 1000);
    }
    socket.send(&message).await?;
    let mut buffer = vec![0; ANSWER_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if let Some(agrees) = answer(&buffer[..length], &message, signing.as_ref()) {
            return Ok(agrees);
        }
    }
}

/// The message: the question, and the SOA as a hint (section 3.7).
fn message(edition: &Edition, id: [u8; 2]) -> Vec<u8> {
    let mut out = vec![id[0], id[1], OPCODE | flag::AA, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    out.extend_from_slice(edition.apex.wire());
    out.extend_from_slice(&kind::SOA.to_be_bytes());
    out.extend_from_slice(&meta::CLASS_IN.to_be_bytes());
    // Its owner points at the question.
    out.extend_from_slice(edition.soa().records);
    out
}

/// Whether a datagram that came agrees; `None` if it is no answer to this message, or not signed as it must be.
fn answer(datagram: &[u8], asked: &[u8], signing: Option<&Signing>) -> Option<bool> {
    let is_answer = HEADER <= datagram.len()
        && datagram[..2] == asked[..2]
        && datagram[2] & (flag::QR | flag::OPCODE) == flag::QR | OPCODE;
    let rcode = u16_at(datagram, 2)? & 0x0f;
    let is_signed = |signing: &Signing| signature_at(datagram).is_some_and(|at| signing.is_answer(datagram, at));
    // A secondary that knows no such key cannot sign that.
    let counts = is_answer && (rcode != 0 || signing.is_none_or(is_signed));
    counts.then_some(rcode == 0)
}

#[cfg(test)]
mod tests;
