//! The datagram door: one thread for each socket, from receiving to sending.

#[cfg(target_os = "linux")]
mod pktinfo;
#[cfg(any(test, not(target_os = "linux")))]
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
pub(super) use self::pktinfo::Port;
#[cfg(not(target_os = "linux"))]
pub(super) use self::plain::Port;
use super::{
    desk::{Answerer, Client, Handled},
    handler::General,
};
use crate::telemetry::dns::{DropReason, Proto};

/// Longest query taken, in octets: a name, an OPT and generous options. Longer ones are dropped and counted.
const QUERY_MAX: usize = 4096;
/// Longest wait for a packet: how soon a thread notices that it shall end, and lets an old table go.
const WAIT_MAX: Duration = Duration::from_millis(200);
/// Most packets answered after being told to end: what stood in line at that moment, not what keeps coming.
const DRAIN_PACKETS_MAX: usize = 10_000;
/// Rest after an error that is none of the known passing ones, so that a broken socket does not burn a core.
const ERROR_REST: Duration = Duration::from_millis(100);

/// A datagram received.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    length: usize,
    from: SocketAddr,
    /// The address it was sent to, where the system tells; the reply leaves from there.
    to: Option<To>,
    /// It was longer than the buffer.
    cut: bool,
}

/// An address of ours, and the interface for those addresses that are only unique there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct To {
    ip: IpAddr,
    interface: u32,
}

/// Answers until told to stop, then what stands in line.
pub(super) fn serve(port: &Port, mut general: General, stop: &AtomicBool) {
    let mut query = [0; QUERY_MAX];
    let mut reply = Vec::with_capacity(QUERY_MAX);
    let mut well = true;
    let mut left = DRAIN_PACKETS_MAX;
    while 0 < left {
        let stopping = stop.load(Relaxed);
        left -= usize::from(stopping);
        match port.receive(&mut query, !stopping) {
            Ok(arrival) => {
                well = true;
                one(port, &mut general, &query, arrival, &mut reply);
            }
            Err(error) if is_empty(&error) && stopping => return,
            Err(error) if is_empty(&error) => general.desk().idle(),
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

fn one(port: &Port, general: &mut General, query: &[u8], arrival: Arrival, reply: &mut Vec<u8>) {
    let Arrival { length, from, to, cut } = arrival;
    if cut {
        return general.desk().counts().dropped(DropReason::Oversize);
    }
    if !is_one(from) || to.is_some_and(|to| is_many(to.ip)) {
        return general.desk().counts().dropped(DropReason::Source);
    }
    reply.clear();
    let client = Client { address: from, proto: Proto::Udp, keepalive: None };
    // A fault in answering one packet must not silence the door for all others.
    let handled = catch_unwind(AssertUnwindSafe(|| general.answer(&query[..length], &client, reply)));
    match handled {
        Ok(Handled::Dropped) => {}
        Ok(Handled::Replied) => {
            if port.send(reply, from, to).is_err() {
                general.desk().counts().dropped(DropReason::Send);
            }
        }
        Err(_) => {
            error!("answering a query met a panic");
            general.desk().counts().dropped(DropReason::Fault);
        }
    }
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
        serve(&Port::new(socket).unwrap(), sample::general(), &AtomicBool::new(true));
        for id in 0..5 {
            let mut reply = [0; 64];
            assert_eq!(client.recv(&mut reply).unwrap(), 17);
            assert_eq!(reply[1], id);
        }
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
