//! Making the sockets: every address gets a stream listener and a datagram socket for each thread.
//!
//! First of all a stream listener is bound that shares its port with nobody: where another program answers DNS it fails,
//! while sockets that share a port (`SO_REUSEPORT`) would quietly share their clients with another program of the same
//! user. One thread keeps that listener; for several it makes place for those that share.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
};

use socket2::{Domain, Socket, Type};

use super::udp::Port;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// What datagrams wait in, in octets, as far as the system grants it: about 10 ms of a flood.
const RECEIVE_BUFFER: usize = 4 << 20;
/// What replies wait in.
const SEND_BUFFER: usize = 1 << 20;
/// How often a free port is looked for that both transports can have.
const FREE_PORT_TRIES: usize = 16;
/// Where DNS is served, and where a stub resolver often sits already.
const DNS_PORT: u16 = 53;

/// Datagrams or streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
        })
    }
}

/// Why an address of `[dns] listen` is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Somebody listens there.
    #[error("{transport} address {address} is taken; {}", taken_hint(.address))]
    Taken {
        /// Which address.
        address: SocketAddr,
        /// As what.
        transport: Transport,
        /// What the system said.
        source: io::Error,
    },
    /// The system lets others have it.
    #[error(
        "{transport} address {address} is not for this user; a port below 1024 needs CAP_NET_BIND_SERVICE \
         (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)"
    )]
    NotAllowed {
        /// Which address.
        address: SocketAddr,
        /// As what.
        transport: Transport,
        /// What the system said.
        source: io::Error,
    },
    /// No interface has it.
    #[error("{transport} address {address} is on no interface of this machine")]
    NoSuchAddress {
        /// Which address.
        address: SocketAddr,
        /// As what.
        transport: Transport,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else.
    #[error("could not listen on {transport} address {address}")]
    Other {
        /// Which address.
        address: SocketAddr,
        /// As what.
        transport: Transport,
        /// What the system said.
        source: io::Error,
    },
}

fn taken_hint(address: &SocketAddr) -> &'static str {
    if address.port() == DNS_PORT {
        "a stub resolver may hold port 53: listen on the addresses of the outer interfaces, \
         or set DNSStubListener=no for systemd-resolved (ss -lunp shows who it is)"
    } else {
        "another program holds it (ss -lntup shows which)"
    }
}

impl BindError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the list is the system's and grows")]
    fn new(address: SocketAddr, transport: Transport, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::Taken { address, transport, source },
            io::ErrorKind::PermissionDenied => Self::NotAllowed { address, transport, source },
            io::ErrorKind::AddrNotAvailable => Self::NoSuchAddress { address, transport, source },
            _ => Self::Other { address, transport, source },
        }
    }
}

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct Bound {
    /// With its real port.
    pub(super) address: SocketAddr,
    pub(super) tcp: Vec<TcpListener>,
    pub(super) udp: Vec<Port>,
}

impl Bound {
    pub(super) fn bind(listen: SocketAddr, threads: NonZeroUsize) -> Result<Self, BindError> {
        let mut tries = if listen.port() == 0 { FREE_PORT_TRIES } else { 1 };
        loop {
            tries -= 1;
            let of = |transport| move |source| BindError::new(listen, transport, source);
            let alone = stream(listen, false).map_err(of(Transport::Tcp))?;
            let address = alone.local_addr().map_err(of(Transport::Tcp))?;
            let udp = (0..threads.get()).map(|_| datagram(address)).collect::<io::Result<Vec<_>>>();
            let failed = match (udp, streams(alone, address, threads)) {
                (Ok(udp), Ok(tcp)) => return Ok(Self { address, tcp, udp }),
                (Err(source), _) => (Transport::Udp, source),
                (Ok(_), Err(source)) => (Transport::Tcp, source),
            };
            if tries == 0 || failed.1.kind() != io::ErrorKind::AddrInUse {
                return Err(of(failed.0)(failed.1));
            }
        }
    }
}

fn socket(address: SocketAddr, of: Type) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), of, None)?;
    if address.is_ipv6() {
        // `0.0.0.0` and `[::]` are two addresses of a configuration; neither takes the other's packets.
        socket.set_only_v6(true)?;
    }
    Ok(socket)
}

/// A listener for each thread. Where listeners cannot share a port in turns, all threads hold the same one.
fn streams(alone: TcpListener, address: SocketAddr, threads: NonZeroUsize) -> io::Result<Vec<TcpListener>> {
    if threads.get() == 1 {
        return Ok(vec![alone]);
    }
    if cfg!(target_os = "linux") {
        drop(alone);
        return (0..threads.get()).map(|_| stream(address, true)).collect();
    }
    let more = (1..threads.get()).map(|_| alone.try_clone()).collect::<io::Result<Vec<_>>>()?;
    Ok([alone].into_iter().chain(more).collect())
}

fn stream(address: SocketAddr, is_shared: bool) -> io::Result<TcpListener> {
    let socket = socket(address, Type::STREAM)?;
    #[cfg(unix)]
    {
        // Old connections that linger after a restart do not keep the port.
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(is_shared)?;
    }
    // Replies are small and complete: they wait for nothing. Connections inherit it.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn datagram(address: SocketAddr) -> io::Result<Port> {
    let socket = socket(address, Type::DGRAM)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    // Best effort: the system has limits of its own (net.core.rmem_max).
    let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    let _ = socket.set_send_buffer_size(SEND_BUFFER);
    socket.bind(&address.into())?;
    Port::new(socket.into())
}
