//! The doors of the admin API: our own accept loops over TCP and the Unix socket.
//!
//! Why our own: what serves people must survive clients that send slowly, hold connections or vanish. Each connection
//! has a seat; when seats run out, the one that has been idle longest goes. Nothing in here is shared with DNS.

mod crowd;
mod stall;
mod unix;

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body};
use http_body_util::BodyExt as _;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    task::JoinSet,
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;
use tracing::warn;

use self::{
    crowd::{Crowd, Seat},
    stall::Stalling,
};
use super::auth::Peer;

/// A request's head must be complete within this long; an idle connection is closed after it.
pub const HEAD_READ_MAX: Duration = Duration::from_secs(10);
/// A client that takes nothing of an answer for this long is dropped.
pub const WRITE_STALL_MAX: Duration = Duration::from_secs(20);
/// Largest head of a request, in octets; beyond it the answer is 431.
pub const HEAD_SIZE_MAX: usize = 32 * 1024;
/// After `until`, requests in flight have this long.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);
/// When accepting fails for want of descriptors, the next try comes after this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The same when an idle connection went for it.
const EVICTED_PAUSE: Duration = Duration::from_millis(2);
/// Errors of accepting are told once in this time.
const COMPLAINT_REST: Duration = Duration::from_secs(60);

/// Why the API cannot be reached where it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken or not ours.
    #[error("the admin API cannot listen on {at}")]
    Tcp {
        /// Where.
        at: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// Not a loopback address: without TLS, tokens would cross a network in the clear.
    #[error("the admin API listens on {0}, which is not loopback; TLS for it is not in this version")]
    Exposed(SocketAddr),
    /// The socket's folder or file refuses.
    #[error("the admin socket {path} cannot be made")]
    Unix {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process answers there.
    #[error("another process listens on the admin socket {0}")]
    Taken(PathBuf),
    /// The file is something else than a socket and is left alone.
    #[error("{0} exists and is not a socket")]
    NotSocket(PathBuf),
}

/// Where the API can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Local {
    /// An address with its true port.
    Tcp(SocketAddr),
    /// A socket's path.
    Unix(PathBuf),
}

impl std::fmt::Display for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(at) => write!(f, "http://{at}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[derive(Debug)]
pub(super) enum Door {
    Tcp(TcpListener),
    Unix(UnixListener, unix::Claim),
}

impl Door {
    /// Listens on a loopback address; inside a run time.
    pub(super) fn tcp(at: SocketAddr) -> Result<Self, BindError> {
        let failed = |source| BindError::Tcp { at, source };
        if !at.ip().to_canonical().is_loopback() {
            return Err(BindError::Exposed(at));
        }
        let socket = socket2::Socket::new(socket2::Domain::for_address(at), socket2::Type::STREAM, None);
        let listen = |socket: socket2::Socket| -> io::Result<TcpListener> {
            socket.set_reuse_address(true)?;
            socket.set_nonblocking(true)?;
            socket.bind(&at.into())?;
            socket.listen(1024)?;
            TcpListener::from_std(socket.into())
        };
        socket.and_then(listen).map(Self::Tcp).map_err(failed)
    }

    /// Listens on a path; inside a run time.
    pub(super) fn unix(path: PathBuf) -> Result<Self, BindError> {
        let (listener, claim) = unix::listen(path)?;
        Ok(Self::Unix(listener, claim))
    }

    /// Listens on the default socket, or on the user's own where that cannot be.
    pub(super) fn default_unix(path: PathBuf) -> Result<Self, BindError> {
        unix::default_paths(path)
            .map(|path| {
                unix::make_folder(&path);
                Self::unix(path)
            })
            .reduce(|first, next| if first.is_ok() { first } else { next })
            .unwrap_or_else(|| Err(BindError::NotSocket(PathBuf::new())))
    }

    pub(super) fn local(&self) -> Option<Local> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(Local::Tcp),
            Self::Unix(_, claim) => Some(Local::Unix(claim.path().to_path_buf())),
        }
    }
}

/// Serves until told to end, then lets what is in flight finish.
pub(super) async fn serve(doors: Vec<Door>, router: Router, stop: CancellationToken, until: impl Future<Output = ()>) {
    let crowd = Arc::new(Crowd::default());
    let connections = TaskTracker::new();
    let mut loops = JoinSet::new();
    for door in doors {
        let house = House {
            router: router.clone(),
            crowd: Arc::clone(&crowd),
            connections: connections.clone(),
            stop: stop.clone(),
        };
        loops.spawn(house.accept(door));
    }
    until.await;
    stop.cancel();
    while loops.join_next().await.is_some() {}
    connections.close();
    if tokio::time::timeout(DRAIN_MAX, connections.wait()).await.is_err() {
        crowd.evict_all();
        connections.wait().await;
    }
}

struct House {
    router: Router,
    crowd: Arc<Crowd>,
    connections: TaskTracker,
    stop: CancellationToken,
}

impl House {
    async fn accept(self, door: Door) {
        let accepting = async {
            let mut complained = None;
            loop {
                let came = match &door {
                    Door::Tcp(listener) => listener.accept().await.map(|(stream, from)| {
                        // Answers are written whole; waiting to fill segments only delays them.
                        let _ = stream.set_nodelay(true);
                        self.welcome(stream, Peer::Tcp(from.ip().to_canonical()));
                    }),
                    Door::Unix(listener, _) => match listener.accept().await {
                        Ok((stream, _)) => stream.peer_cred().map(|user| {
                            self.welcome(stream, Peer::Unix { uid: user.uid() });
                        }),
                        Err(error) => Err(error),
                    },
                };
                if let Err(error) = came {
                    // A client that left before it was accepted concerns nobody; a want of descriptors does.
                    if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                        if complained.is_none_or(|last: Instant| COMPLAINT_REST < last.elapsed()) {
                            complained = Some(Instant::now());
                            warn!(%error, "the admin API could not accept a connection");
                        }
                        let pause = if self.crowd.evict_idle(None) { EVICTED_PAUSE } else { ACCEPT_PAUSE };
                        tokio::time::sleep(pause).await;
                    }
                }
            }
        };
        self.stop.run_until_cancelled(accepting).await;
    }

    /// Gives a connection a seat and serves it; without a free seat it is closed.
    fn welcome<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(&self, stream: S, peer: Peer) {
        let Some(seat) = self.crowd.admit(source_of(peer)) else { return };
        let router = self.router.clone();
        let stop = self.stop.clone();
        self.connections.spawn(async move {
            let evicted = seat.evicted();
            tokio::select! {
                () = converse(stream, peer, router, stop, Arc::clone(&seat)) => {}
                () = evicted.cancelled() => {}
            }
        });
    }
}

/// One connection, from its first request to its last.
async fn converse<S>(stream: S, peer: Peer, router: Router, stop: CancellationToken, seat: Arc<Seat>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        let busy = seat.busy();
        request.extensions_mut().insert(peer);
        let router = router.clone();
        async move {
            let response = router.oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {});
            // The seat is busy until the last of the body is handed over.
            Ok::<_, Infallible>(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _held = &busy;
                    frame
                }))
            }))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_READ_MAX)
        .max_buf_size(HEAD_SIZE_MAX)
        .serve_connection(TokioIo::new(Stalling::new(stream, WRITE_STALL_MAX)), service);
    tokio::pin!(connection);
    tokio::select! {
        // Its errors are the client's: a broken request, a reset, a stall.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// Whom a seat is counted for: an address, an IPv6 network of 64 bits, or a user.
fn source_of(peer: Peer) -> Source {
    match peer {
        Peer::Tcp(IpAddr::V4(address)) => Source::Net(IpAddr::V4(address)),
        Peer::Tcp(IpAddr::V6(address)) => {
            Source::Net(IpAddr::V6(Ipv6Addr::from(u128::from(address) & !u128::from(u64::MAX))))
        }
        Peer::Unix { uid } => Source::User(uid),
    }
}

/// Who shares one allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    Net(IpAddr),
    User(u32),
}

impl From<Peer> for Source {
    fn from(peer: Peer) -> Self {
        source_of(peer)
    }
}
