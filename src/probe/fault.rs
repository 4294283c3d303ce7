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
#[expect(clippy::wildcard_enum_match_arm, reason = "the system's codes, a hundred of them")]
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

/// The meaning of what reqwest reports: the innermost cause that says something.
pub(super) fn of_chain(error: &(dyn Error + 'static), address: SocketAddr, shaking_hands: bool) -> Outcome {
    let mut meaning = None;
    for cause in causes(error) {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            meaning = Some(Outcome::Fail(Failure::Tls(tls_words::of(tls))));
        } else if let Some(io) = cause.downcast_ref::<io::Error>() {
            meaning = Some(if shaking_hands && io.kind() == io::ErrorKind::UnexpectedEof {
                Outcome::Fail(Failure::Tls("the connection was closed during the handshake".into()))
            } else {
                of_io(io, address)
            });
        } else if let Some(http) = cause.downcast_ref::<hyper::Error>() {
            meaning = of_http(http).or(meaning);
        }
    }
    meaning.unwrap_or_else(|| protocol(&error.to_string()))
}

/// Whether an error is the end of the stream, seen before it was announced.
pub(super) fn is_eof(error: &(dyn Error + 'static)) -> bool {
    causes(error)
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof))
}

/// An error and all that caused it. An `io::Error` that wraps another error names that one's source as its own, so the
/// wrapped one is taken out by hand.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn Error + 'static)| {
        let error: &'e (dyn Error + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(wrapped) => Some(wrapped as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

fn of_http(error: &hyper::Error) -> Option<Outcome> {
    if error.is_incomplete_message() {
        Some(Outcome::Fail(Failure::Reset))
    } else if error.is_parse_too_large() {
        Some(protocol("the head of the answer is too large"))
    } else if error.is_parse() {
        Some(protocol(&error.to_string()))
    } else {
        None
    }
}

fn protocol(words: &str) -> Outcome {
    let words = words.chars().filter(|c| !c.is_control()).take(tls_words::WORDS_MAX).collect();
    Outcome::Fail(Failure::Protocol(words))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library's kinds; more may come")]
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
