//! Zones for secondaries: who may have them (access lists and signatures), whole (RFC 5936) or in steps (RFC 1995), and
//! who is told of changes ([`notify`], RFC 1996).
//!
//! What is handed over is an [`Edition`]: the zone as it is answered now. A transfer holds the edition it began with and
//! makes one message after the other, each when the client has taken the ones before, so that it holds no more than one
//! write's worth of memory, however long it takes; and it takes no longer than [`TIME_MAX`].

pub mod notify;
mod parcel;
#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;

use self::parcel::Parcel;
use super::{
    desk::Face,
    message::meta,
    read::{Edns, Head, Query},
    tsig::{Checked, Keys, Signing, check},
    write::{Own, Page},
};
use crate::{
    model::{DnsName, Replication, kind},
    steer::{AnswerTable, Edition},
    telemetry::dns::{DnsMetrics, TransferKind, TransferOutcome},
};

/// Transfers at once, of the whole node. Beyond it: SERVFAIL, and the secondary comes again.
pub const RUNNING_MAX: usize = 32;
/// Of these, as many as one client may have, so that no secondary keeps the others from theirs. Beyond it: SERVFAIL.
pub const RUNNING_OF_ONE_MAX: usize = 16;
/// The longest that one transfer may take, however fast its client reads each message. Then its connection is cut.
pub const TIME_MAX: Duration = Duration::from_secs(600);
/// Octets of records in a message: as far as pointers reach (RFC 1035 section 4.1.4).
const PAGE_SIZE: usize = 16 << 10;

/// What all doors know about secondaries. The configuration in force can be replaced while they serve.
#[derive(Debug)]
pub struct Transfers {
    policy: ArcSwap<Policy>,
    running: Arc<Mutex<HashMap<IpAddr, usize>>>,
    /// Where the node listens.
    listen: Box<[IpAddr]>,
    metrics: Arc<DnsMetrics>,
}

#[derive(Debug, Default)]
struct Policy {
    who: Replication,
    keys: Keys,
}

/// What a query for a zone comes to.
#[derive(Debug)]
pub(super) enum Granted {
    /// Messages follow each other.
    Begins(Box<Outgoing>),
    /// Over UDP the SOA alone, which tells the secondary to come over TCP (RFC 1995 section 2).
    Soa(Arc<Edition>),
    /// Not for this client, or no zone of ours.
    Refused,
    /// Not now.
    Busy,
    /// An IXFR without the SOA that it should bring (section 3).
    Malformed,
}

impl Transfers {
    /// Nobody may have anything. Who is told is told from an address of `listen`, as far as one fits: secondaries know
    /// their primaries by it.
    #[must_use]
    pub fn new(metrics: Arc<DnsMetrics>, listen: &[SocketAddr]) -> Self {
        let listen = listen.iter().map(SocketAddr::ip).collect();
        Self { policy: ArcSwap::default(), running: Arc::default(), listen, metrics }
    }

    /// From now on this holds; transfers that run go on.
    pub fn allow(&self, who: Replication) {
        let keys = Keys::new(&who.keys);
        self.policy.store(Arc::new(Policy { who, keys }));
    }

    /// Checks a signature that begins at `at`.
    pub(super) fn check(&self, packet: &[u8], at: usize, now: u64) -> Checked {
        check(&self.policy.load().keys, packet, at, now)
    }

    /// What becomes of a query for AXFR or IXFR. `signing` is its signature, which holds.
    pub(super) fn ask(&self, asked: &Asked<'_, '_>, table: &AnswerTable, signing: &mut Option<Signing>) -> Granted {
        let Asked { query, packet, from, is_stream } = *asked;
        let Ok(apex) = DnsName::from_wire(query.name.wire()) else { return Granted::Refused };
        let transfer = if query.kind == kind::AXFR { TransferKind::Axfr } else { TransferKind::Ixfr };
        let told = |outcome| self.metrics.transfer(transfer, outcome);
        let key = signing.as_ref().map(Signing::key);
        let policy = self.policy.load();
        let may = policy.who.of(&apex).is_some_and(|secondaries| secondaries.allows(from, key));
        if !may || query.class != meta::CLASS_IN || (query.kind == kind::AXFR && !is_stream) {
            told(TransferOutcome::Refused);
            return Granted::Refused;
        }
        let Some(edition) = table.editions().get(&apex) else { return Granted::Busy };
        let parcel = match (query.kind, is_stream) {
            (kind::AXFR, _) => Parcel::whole(edition),
            (_, true) => match query.known_serial(packet) {
                Some(serial) => {
                    if serial.is_after(edition.serial) {
                        let ours = edition.serial;
                        tracing::warn!(zone = %apex, client = %from, %serial, %ours, "a secondary has a newer serial");
                    }
                    Parcel::since(edition, serial)
                }
                None => return Granted::Malformed,
            },
            (_, false) => return Granted::Soa(Arc::clone(edition)),
        };
        let Some(running) = Running::one_more(&self.running, from.to_canonical()) else {
            told(TransferOutcome::Busy);
            return Granted::Busy;
        };
        tracing::info!(zone = %apex, serial = %edition.serial, client = %from, %transfer, "a zone is transferred");
        Granted::Begins(Box::new(Outgoing {
            parcel,
            first: Some((query.question.to_vec(), query.edns)),
            head: query.head,
            signing: signing.take(),
            metrics: Arc::clone(&self.metrics),
            transfer,
            _running: running,
        }))
    }
}

/// A query for a zone, and who sent it how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'q, 'p> {
    pub(super) query: &'q Query<'p>,
    pub(super) packet: &'p [u8],
    pub(super) from: IpAddr,
    pub(super) is_stream: bool,
}

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Outgoing {
    parcel: Parcel,
    /// The question and the OPT, until the first message.
    first: Option<(Vec<u8>, Option<Edns>)>,
    head: Head,
    signing: Option<Signing>,
    metrics: Arc<DnsMetrics>,
    transfer: TransferKind,
    _running: Running,
}

impl Outgoing {
    /// Appends the next message with its length in front; tells whether more follow. `wall` is the time in seconds since
    /// 1970.
    pub(super) fn next(&mut self, face: &Face, wall: u64, out: &mut Vec<u8>) -> bool {
        let prefix_at = out.len();
        out.extend_from_slice(&[0; 2]);
        let start = out.len();
        let own = Own { face, keepalive: None };
        let (question, edns) = self.first.take().unzip();
        let mut page = Page::begin(self.head, question.as_deref(), edns.flatten(), own, PAGE_SIZE, out);
        self.parcel.fill(|owner, set, data| page.put(owner, set, data));
        page.end();
        if let Some(signing) = &mut self.signing {
            signing.sign(out, start, wall);
        }
        let length = u16::try_from(out.len() - start).expect("a page is far shorter than a message may be");
        out[prefix_at..start].copy_from_slice(&length.to_be_bytes());
        let is_over = self.parcel.is_empty();
        if is_over {
            self.metrics.transfer(self.transfer, TransferOutcome::Done);
        }
        !is_over
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        if !self.parcel.is_empty() {
            self.metrics.transfer(self.transfer, TransferOutcome::Cut);
        }
    }
}

/// A place among those that run.
#[derive(Debug)]
struct Running {
    all: Arc<Mutex<HashMap<IpAddr, usize>>>,
    of: IpAddr,
}

impl Running {
    fn one_more(all: &Arc<Mutex<HashMap<IpAddr, usize>>>, of: IpAddr) -> Option<Self> {
        let mut counts = all.lock().unwrap_or_else(PoisonError::into_inner);
        let own = counts.get(&of).copied().unwrap_or(0);
        if RUNNING_OF_ONE_MAX <= own || RUNNING_MAX <= counts.values().sum() {
            return None;
        }
        counts.insert(of, own + 1);
        Some(Self { all: Arc::clone(all), of })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut counts = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.of);
            }
        }
    }
}
