//! One connection: frames in, all replies of one read out in one write, and a time limit on each step.

use std::{
    io::{self, Read as _},
    net::SocketAddr,
};

use bytes::{Buf, BytesMut};
use socket2::SockRef;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    task::yield_now,
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

use super::{Desks, Limits, guests::Guest};
use crate::{
    dns::desk::{Answerer, Client, Handled},
    telemetry::dns::Proto,
};

/// Least octets read at once: many small queries.
const READ: usize = 4096;
/// Replies are sent when they come to so many octets, before more queries are answered: a client that asks and does not
/// read holds this much, and one reply more.
const REPLIES_MAX: usize = 64 << 10;
/// The length in front of each message (RFC 1035 section 4.2.2).
const PREFIX: usize = 2;

/// Why a connection ends.
enum End {
    /// The client closed it, or it broke.
    Gone,
    /// The client sent what is no query, or was too slow, or makes room.
    Cut,
    /// The door closes.
    Stop,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Serves the connection to its end.
pub(super) async fn serve(
    mut stream: TcpStream,
    address: SocketAddr,
    guest: &Guest,
    desks: &Desks,
    limits: Limits,
    stop: &CancellationToken,
) {
    // Replies are small and complete: they wait for nothing.
    let _ = stream.set_nodelay(true);
    let keepalive = u16::try_from(limits.idle.as_millis() / 100).unwrap_or(u16::MAX);
    let client = Client { address, proto: Proto::Tcp, keepalive: Some(keepalive) };
    let mut queries = BytesMut::new();
    let end = tokio::select! {
        end = talk(&mut stream, &mut queries, &client, guest, desks, limits, stop) => end,
        () = guest.evicted() => End::Cut,
    };
    if matches!(end, End::Stop) {
        // What has arrived is answered; then the client sees the end of the stream.
        while queries.len() < REPLIES_MAX && matches!(arrived(&stream, &mut queries), Ok(1..)) {}
        if answer(&mut stream, &mut queries, &client, desks, limits).await.is_ok() {
            let _ = timeout(limits.query, stream.shutdown()).await;
        }
    }
}

async fn talk(
    stream: &mut TcpStream,
    queries: &mut BytesMut,
    client: &Client,
    guest: &Guest,
    desks: &Desks,
    limits: Limits,
    stop: &CancellationToken,
) -> End {
    let mut begun: Option<Instant> = None;
    loop {
        // A query must be whole in time from its first octet on, however its octets drip.
        let deadline = match begun {
            Some(begun) => begun + limits.query,
            None => Instant::now() + limits.idle,
        };
        // The end is only taken between replies: a stream with half a reply is of no use.
        let readable = tokio::select! {
            () = stop.cancelled() => return End::Stop,
            readable = timeout_at(deadline, stream.readable()) => readable,
        };
        if !matches!(readable, Ok(Ok(()))) {
            return End::Cut;
        }
        match receive(stream, queries) {
            Ok(true) => {}
            Ok(false) => continue,
            Err(end) => return end,
        }
        guest.active();
        let before = queries.len();
        if let Err(end) = answer(stream, queries, client, desks, limits).await {
            return end;
        }
        // One read's worth each: clients that always have more to ask must not keep the others waiting.
        yield_now().await;
        begun = match (queries.is_empty(), begun) {
            (true, _) => {
                // Nothing is held for a connection that rests.
                *queries = BytesMut::new();
                None
            }
            (false, Some(begun)) if queries.len() == before => Some(begun),
            (false, _) => Some(Instant::now()),
        };
    }
}

/// Takes what has arrived; tells whether there was something.
fn receive(stream: &TcpStream, queries: &mut BytesMut) -> Result<bool, End> {
    queries.reserve(READ);
    match stream.try_read_buf(queries) {
        Ok(0) => Err(End::Gone),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Takes what the system holds for us, though the run time may not have been told of it yet: at the end it would not be
/// told any more.
fn arrived(stream: &TcpStream, queries: &mut BytesMut) -> io::Result<usize> {
    let mut part = [0; READ];
    let count = (&*SockRef::from(stream)).read(&mut part)?;
    queries.extend_from_slice(&part[..count]);
    Ok(count)
}

/// Answers every whole query, with as few writes as [`REPLIES_MAX`] lets.
async fn answer(
    stream: &mut TcpStream,
    queries: &mut BytesMut,
    client: &Client,
    desks: &Desks,
    limits: Limits,
) -> Result<(), End> {
    let mut replies = Vec::new();
    loop {
        let more = some(queries, client, desks, &mut replies);
        if !replies.is_empty() {
            timeout(limits.query, stream.write_all(&replies)).await.map_err(|_| End::Cut)??;
        }
        if !more? {
            return Ok(());
        }
        replies.clear();
    }
}

/// Answers whole queries until there are none (`false`) or enough replies (`true`).
fn some(queries: &mut BytesMut, client: &Client, desks: &Desks, replies: &mut Vec<u8>) -> Result<bool, End> {
    let mut desk = None;
    while let Some(length) = whole(queries) {
        let desk = desk.get_or_insert_with(|| desks.take());
        let at = replies.len();
        replies.extend_from_slice(&[0; PREFIX]);
        let handled = desk.answer(&queries[PREFIX..PREFIX + length], client, replies);
        queries.advance(PREFIX + length);
        match handled {
            Handled::Replied => {
                let length = u16::try_from(replies.len() - at - PREFIX).expect("a reply fits into a message");
                replies[at..at + PREFIX].copy_from_slice(&length.to_be_bytes());
            }
            Handled::Dropped => {
                replies.truncate(at);
                return Err(End::Cut);
            }
        }
        if REPLIES_MAX <= replies.len() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The length of the first query, if all of it is there.
fn whole(queries: &BytesMut) -> Option<usize> {
    let prefix = queries.first_chunk::<PREFIX>()?;
    let length = usize::from(u16::from_be_bytes(*prefix));
    (PREFIX + length <= queries.len()).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::{sample, tcp::Guests};
    use std::{num::NonZeroUsize, sync::Mutex, time::Duration};
    use tokio::{io::AsyncReadExt, net::TcpListener};

    const FRAME: usize = PREFIX + 17;
    const LIMITS: Limits = Limits {
        connections: NonZeroUsize::MAX,
        per_client: NonZeroUsize::MAX,
        idle: Duration::from_secs(20),
        query: Duration::from_secs(20),
    };

    fn frames(count: usize) -> BytesMut {
        (0..count).flat_map(|id| [&[0, 17], sample::query(id as u8).as_slice()].concat()).collect()
    }

    fn desks() -> Desks {
        Desks { all: vec![Mutex::new(sample::general())], next: 0.into() }
    }

    fn client() -> Client {
        Client { address: ([192, 0, 2, 1], 4242).into(), proto: Proto::Tcp, keepalive: None }
    }

    #[test]
    fn whole_queries_are_answered_together_and_within_bounds() {
        let mut queries = frames(21);
        queries.truncate(21 * FRAME - 1);
        let mut replies = Vec::new();
        assert!(matches!(some(&mut queries, &client(), &desks(), &mut replies), Ok(false)));
        assert_eq!((replies.len(), queries.len()), (20 * FRAME, FRAME - 1));
        let mut queries = frames(10_000);
        replies.clear();
        assert!(matches!(some(&mut queries, &client(), &desks(), &mut replies), Ok(true)));
        assert!((REPLIES_MAX..REPLIES_MAX + FRAME).contains(&replies.len()));
        assert_eq!(replies.len() + queries.len(), 10_000 * FRAME);
    }

    #[tokio::test]
    async fn a_client_that_always_asks_leaves_turns_to_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, address) = listener.accept().await.unwrap();
        client.write_all(&frames(4000)).await.unwrap();
        client.shutdown().await.unwrap();
        let guest = Guests::new(LIMITS, Default::default()).admit(address.ip());
        let (desks, stop) = (desks(), CancellationToken::new());
        let served = serve(stream, address, &guest, &desks, LIMITS, &stop);
        let mut turns = 0;
        tokio::pin!(served);
        let others = std::future::poll_fn(|context| {
            turns += 1;
            served.as_mut().poll(context)
        });
        others.await;
        assert!(4000 * FRAME / READ / 2 < turns, "{turns} turns");
        let mut replies = Vec::new();
        client.read_to_end(&mut replies).await.unwrap();
        assert_eq!(replies.len(), 4000 * FRAME);
    }

    #[tokio::test]
    async fn what_has_arrived_is_answered_before_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        // Which of two things that are ready comes first is left to chance, so there are many turns.
        for _ in 0..20 {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, address) = listener.accept().await.unwrap();
            client.write_all(&frames(3)).await.unwrap();
            stream.readable().await.unwrap();
            let guest = Guests::new(LIMITS, Default::default()).admit(address.ip());
            serve(stream, address, &guest, &desks(), LIMITS, &stop).await;
            let mut replies = Vec::new();
            client.read_to_end(&mut replies).await.unwrap();
            assert_eq!(replies.len(), 3 * FRAME);
        }
    }
}
