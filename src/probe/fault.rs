//! What an error of the network means: the endpoint's failure, or a fault of this node's own.
//!
//! "No route" comes from two sides: from this machine's routing table, and as an ICMP message from a router on the
//! way, perhaps in front of a provider that is down. Only the first is our own fault. To tell them apart a UDP socket
//! is connected to the address, which asks the routing table and sends nothing.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use nix::errno::Errno;

use super::tls_words;
use crate::model::{Failure, Outcome, OwnFault};

/// The meaning of an error of the operating system while talking to `address`.
pub(super) fn of_io(error: &io::Error, address: SocketAddr) -> Outcome {
    let Some(code) = error.raw_os_error() else { return of_kind(error.kind()) };
    match Errno::from_raw(code) {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM | Errno::EADDRINUSE | Errno::EAGAIN => {
            Outcome::Abstain(OwnFault::NoResources)
        }
        Errno::EAFNOSUPPORT => Outcome::Abstain(OwnFault::NoFamily),
        // With a route there is an address, so what was missing is a free port.
        Errno::EADDRNOTAVAIL if has_route(address) => Outcome::Abstain(OwnFault::NoResources),
        Errno::ENETUNREACH
        | Errno::EHOSTUNREACH
        | Errno::EADDRNOTAVAIL
        | Errno::EACCES
        | Errno::EPERM
        | Errno::EINVAL
        | Errno::ENETDOWN
            if !has_route(address) =>
        {
            Outcome::Abstain(OwnFault::NoFamily)
        }
        Errno::ECONNREFUSED => Outcome::Fail(Failure::Refused),
        Errno::ECONNRESET | Errno::EPIPE | Errno::ECONNABORTED | Errno::ENOTCONN => Outcome::Fail(Failure::Reset),
        Errno::ETIMEDOUT => Outcome::Fail(Failure::Timeout),
        _ => Outcome::Fail(Failure::Unreachable),
    }
}

/// The meaning of what reqwest reports: the causes are in its chain of sources.
pub(super) fn of_chain(error: &(dyn Error + 'static), address: SocketAddr, shaking_hands: bool) -> Outcome {
    let mut protocol = None;
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(tls) = error.downcast_ref::<rustls::Error>() {
            return Outcome::Fail(Failure::Tls(tls_words::of(tls)));
        }
        if let Some(io) = error.downcast_ref::<io::Error>() {
            if let Some(tls) = io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return Outcome::Fail(Failure::Tls(tls_words::of(tls)));
            }
            if shaking_hands && io.kind() == io::ErrorKind::UnexpectedEof {
                return Outcome::Fail(Failure::Tls("the connection was closed during the handshake".into()));
            }
            return of_io(io, address);
        }
        if let Some(http) = error.downcast_ref::<hyper::Error>() {
            if http.is_incomplete_message() {
                return Outcome::Fail(Failure::Reset);
            }
            if http.is_parse_too_large() {
                protocol = Some("the head of the answer is too large".to_owned());
            } else if http.is_parse() {
                protocol = Some(http.to_string());
            }
        }
        next = error.source();
    }
    let words = protocol.unwrap_or_else(|| error.to_string());
    Outcome::Fail(Failure::Protocol(words.chars().filter(|c| !c.is_control()).take(tls_words::WORDS_MAX).collect()))
}

/// Whether an error is the end of the stream, seen before it was announced.
pub(super) fn is_eof(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) {
            return true;
        }
        next = error.source();
    }
    false
}

fn of_kind(kind: io::ErrorKind) -> Outcome {
    Outcome::Fail(match kind {
        io::ErrorKind::TimedOut => Failure::Timeout,
        io::ErrorKind::ConnectionRefused => Failure::Refused,
        io::ErrorKind::InvalidData => Failure::Protocol("the answer cannot be read".into()),
        _ => Failure::Reset,
    })
}

fn has_route(address: SocketAddr) -> bool {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    UdpSocket::bind(any).and_then(|socket| socket.connect(address)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loopback() -> SocketAddr {
        (Ipv4Addr::LOCALHOST, 9).into()
    }

    fn check(code: Errno, expected: Outcome) {
        assert_eq!(of_io(&io::Error::from_raw_os_error(code as i32), loopback()), expected, "{code}");
    }

    #[test]
    fn codes_of_the_system_mean_the_endpoint_or_this_node() {
        use Outcome::{Abstain, Fail};
        for code in [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EADDRINUSE, Errno::EAGAIN] {
            check(code, Abstain(OwnFault::NoResources));
        }
        // Loopback has a route: no address to be had means no port, and an unreachable net was reported from outside.
        check(Errno::EADDRNOTAVAIL, Abstain(OwnFault::NoResources));
        check(Errno::ENETUNREACH, Fail(Failure::Unreachable));
        check(Errno::EHOSTUNREACH, Fail(Failure::Unreachable));
        check(Errno::ECONNREFUSED, Fail(Failure::Refused));
        check(Errno::ECONNRESET, Fail(Failure::Reset));
        check(Errno::ETIMEDOUT, Fail(Failure::Timeout));
    }

    #[test]
    fn an_address_without_a_route_is_this_nodes_own_fault() {
        // 255.255.255.255 is refused to sockets without SO_BROADCAST, wherever this test runs.
        let nowhere: SocketAddr = (Ipv4Addr::BROADCAST, 80).into();
        for code in [Errno::ENETUNREACH, Errno::EADDRNOTAVAIL, Errno::EACCES] {
            let outcome = of_io(&io::Error::from_raw_os_error(code as i32), nowhere);
            assert_eq!(outcome, Outcome::Abstain(OwnFault::NoFamily), "{code}");
        }
    }
}
