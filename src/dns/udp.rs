//! The datagram door: one thread for each socket, from receiving to sending.
//!
//! A turn takes what stands in line, up to [`SLOTS`] datagrams. The fast door answers in place what it can; the rest goes
//! through the general path; one call sends the replies of both.

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe form of recvmmsg and sendmmsg keeps its headers from call to call")]
mod batch;
#[cfg(target_os = "linux")]
mod pktinfo;
#[cfg(any(test, not(target_os = "linux")))]
#[cfg_attr(target_os = "linux", allow(dead_code, reason = "its tests use what differs"))]
mod plain;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use tracing::{error, warn};

#[cfg(target_os = "linux")]
use self::batch::Batch;
#[cfg(target_os = "linux")]
pub(super) use self::batch::give_way;
#[cfg(target_os = "linux")]
pub(super) use self::pktinfo::Port;
#[cfg(not(target_os = "linux"))]
use self::plain::Batch;
#[cfg(not(target_os = "linux"))]
pub(super) use self::plain::{Port, give_way};
use super::{
    desk::{Answerer, Client, Handled},
    fast::Fast,
    handler::General,
    shadow::Shadow,
};
use crate::{
    model::Mono,
    telemetry::dns::{DnsShard, DropReason, Proto},
};

/// Most datagrams of one turn. Fewer cost more for each, more gain nothing that could be measured.
const SLOTS: usize = 32;
/// Longest query taken, in octets: a name, an OPT and generous options. Longer ones are dropped and counted.
const QUERY_MAX: usize = 2048;
/// Of a slot, in octets: 33 cache lines, so that slots do not all begin in the same set of the cache.
const SLOT_SIZE: usize = 33 * 64;
/// Longest wait for a packet: how soon a thread notices that it shall end, and lets an old table go.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Most packets answered after being told to end: what stood in line at that moment, not what keeps coming. The turn
/// that reaches it is finished.
const DRAIN_PACKETS_MAX: usize = 10_000;
/// Rest after an error that is none of the known passing ones, so that a broken socket does not burn a core.
const ERROR_REST: Duration = Duration::from_millis(100);

/// While there is no rest, the datagrams that the system dropped are counted this often.
const OVERFLOWS_EVERY: Duration = Duration::from_secs(1);
/// How much lower than the program's other threads those of the doors stand (`nice`). Five steps are a third of the
/// weight: under a flood the others get what they need, which is little, and a long computation among them still leaves
/// the doors a quarter of its processor.
const GIVE_WAY: i32 = 5;

const _: () = assert!(SLOTS <= u32::BITS as usize);

/// A datagram received.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    length: usize,
    from: SocketAddr,
    /// The address it was sent to, where the system tells; the reply leaves from there.
    to: Option<To>,
    /// It was longer than [`QUERY_MAX`].
    cut: bool,
}

impl Arrival {
    fn client(&self) -> Client {
        Client { address: self.from, proto: Proto::Udp, keepalive: None }
    }
}

/// An address of ours, and the interface for those addresses that are only unique there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct To {
    ip: IpAddr,
    interface: u32,
}

/// Answers until told to stop, then what stands in line.
pub(super) fn serve(port: &Port, general: General, shadow: Shadow, stop: &AtomicBool) {
    give_way();
    let mut door = Door::new(port, general, shadow);
    let mut well = true;
    let mut left = DRAIN_PACKETS_MAX;
    while 0 < left {
        let stopping = stop.load(Relaxed);
        let received = door.batch.receive(port, !stopping);
        if stopping {
            left = left.saturating_sub(*received.as_ref().unwrap_or(&1));
        }
        match received {
            Ok(count) => {
                well = true;
                door.turn(count);
            }
            Err(error) if is_empty(&error) && stopping => return,
            Err(error) if is_empty(&error) => door.idle(),
            Err(error) if is_passing(&error) => {}
            Err(_) if stopping => return,
            Err(error) => {
                if std::mem::take(&mut well) {
                    warn!(%error, "receiving DNS datagrams meets errors");
                }
                thread::sleep(ERROR_REST);
            }
        }
    }
}

/// Nothing came in time.
fn is_empty(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// A signal, or the news that a client of before has gone.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
    )
}

/// What one thread answers with.
struct Door<'p> {
    port: &'p Port,
    batch: Batch,
    general: General,
    shadow: Shadow,
    /// Of the general path.
    reply: Vec<u8>,
    /// What the system had dropped when it was looked at last, and when that was.
    overflows: (u32, Mono),
}

impl<'p> Door<'p> {
    fn new(port: &'p Port, general: General, shadow: Shadow) -> Self {
        let overflows = (port.overflows().unwrap_or(0), general.desk().now());
        Self { port, batch: Batch::new(), general, shadow, reply: Vec::with_capacity(SLOT_SIZE), overflows }
    }

    /// Answers what lies in the first `count` slots.
    fn turn(&mut self, count: usize) {
        let now = self.general.desk().now();
        let left = self.fast(count, now);
        self.general(left);
        let lost = self.batch.send(self.port);
        if 0 < lost {
            self.general.desk().counts().dropped_many(DropReason::Send, lost as u64);
        }
        if OVERFLOWS_EVERY <= now.since(self.overflows.1) {
            self.count_overflows(now);
        }
    }

    /// Nobody asks.
    fn idle(&mut self) {
        let now = self.general.desk().now();
        self.general.desk().idle();
        self.shadow.idle(now);
        self.count_overflows(now);
    }

    /// The system's count only grows, and begins anew behind its end.
    fn count_overflows(&mut self, now: Mono) {
        let Some(overflows) = self.port.overflows() else { return };
        let (before, _) = std::mem::replace(&mut self.overflows, (overflows, now));
        let new = overflows.wrapping_sub(before);
        self.general.desk().counts().dropped_many(DropReason::Queue, new.into());
    }

    /// Answers what the fast door can; what is left, a bit for each slot.
    fn fast(&mut self, count: usize, now: Mono) -> u32 {
        let Self { batch, shadow, .. } = self;
        let desk = &mut *self.general.desk();
        let mut left = 0;
        let faults = each(count, |slot| {
            let Some(arrival) = admitted(batch.arrival(slot), desk.counts()) else { return };
            match shadow.fast(desk, batch.slot(slot), arrival.length, &arrival.client(), now) {
                Fast::Replied(length) => batch.reply(slot, length, arrival.to),
                Fast::Dropped => {}
                Fast::General => left |= 1 << slot,
            }
        });
        if 0 < faults {
            fault(desk.counts(), faults);
            shadow.fault(now);
        }
        left
    }

    /// Answers each of these slots on the general path.
    fn general(&mut self, mut left: u32) {
        while left != 0 {
            let slot = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(arrival) = self.batch.arrival(slot) else { continue };
            let Arrival { length, from, to, .. } = arrival;
            let Self { batch, general, reply, .. } = self;
            reply.clear();
            let client = arrival.client();
            let query = &batch.slot(slot)[..length];
            match catch_unwind(AssertUnwindSafe(|| general.answer(query, &client, reply))) {
                // Transfers go over streams alone.
                Ok(Handled::Dropped | Handled::Transfers) => {}
                Ok(Handled::Replied) => match batch.slot(slot).get_mut(..reply.len()) {
                    Some(place) => {
                        place.copy_from_slice(reply);
                        batch.reply(slot, reply.len(), to);
                    }
                    // Whoever lets replies be so long has few of them.
                    None if self.port.send(reply, from, to).is_ok() => {}
                    None => general.desk().counts().dropped(DropReason::Send),
                },
                Err(_) => fault(general.desk().counts(), 1),
            }
        }
    }
}

/// A datagram that is looked at; others are counted.
fn admitted(arrival: Option<Arrival>, counts: &DnsShard) -> Option<Arrival> {
    let arrival = arrival.filter(|Arrival { from, to, .. }| is_one(*from) && !to.is_some_and(|to| is_many(to.ip)));
    match arrival {
        None => counts.dropped(DropReason::Source),
        Some(Arrival { cut: true, .. }) => counts.dropped(DropReason::Oversize),
        Some(arrival) => return Some(arrival),
    }
    None
}

/// Acts on each slot, and tells how often that met a panic. A fault in answering one packet must silence the door neither
/// for all later ones nor for those beside it.
fn each(count: usize, mut act: impl FnMut(usize)) -> u64 {
    let (mut next, mut faults) = (0, 0);
    while next < count {
        let pass = catch_unwind(AssertUnwindSafe(|| {
            while next < count {
                next += 1;
                act(next - 1);
            }
        }));
        faults += u64::from(pass.is_err());
    }
    faults
}

fn fault(counts: &DnsShard, count: u64) {
    error!(count, "answering a query met a panic");
    counts.dropped_many(DropReason::Fault, count);
}

/// Whether a reply to this address reaches one client: port 0 is nobody's, and some addresses are everybody's.
fn is_one(from: SocketAddr) -> bool {
    from.port() != 0 && !from.ip().is_unspecified() && !is_many(from.ip())
}

fn is_many(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::sample;
    use std::net::UdpSocket;

    #[test]
    fn what_stands_in_line_is_answered_before_the_end() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        for id in 0..5 {
            client.send(&sample::query(id)).unwrap();
        }
        let port = Port::new(socket).unwrap();
        serve(&port, sample::general(), sample::shadow(), &AtomicBool::new(true));
        for id in 0..5 {
            let mut reply = [0; 64];
            assert_eq!(client.recv(&mut reply).unwrap(), 17);
            assert_eq!(reply[1], id);
        }
    }

    #[test]
    fn a_panic_costs_its_own_packet_alone() {
        let mut seen = Vec::new();
        let faults = each(5, |slot| {
            seen.push(slot);
            assert!(slot % 2 == 1, "a panic that is expected");
        });
        assert_eq!((faults, seen), (3, vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn replies_go_to_one_client_alone() {
        for (from, expected) in [
            ("192.0.2.1:1024", true),
            ("[2001:db8::1]:53", true),
            ("192.0.2.1:0", false),
            ("0.0.0.0:53", false),
            ("[::]:53", false),
            ("224.0.0.251:5353", false),
            ("[ff02::fb]:5353", false),
            ("255.255.255.255:53", false),
        ] {
            assert_eq!(is_one(from.parse().unwrap()), expected, "{from}");
        }
    }
}
