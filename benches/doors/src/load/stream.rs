//! Streams: some connections with some queries in flight each, or a connection for each query.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::sys::{
    epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
    socket::{setsockopt, sockopt},
};
use socket2::{Domain, SockRef, Socket, Type};

use super::{Measured, Order, meter::Meter};
use crate::work::Queries;

/// Octets read at once.
const ROOM: usize = 32 << 10;
/// Addresses that connections come from, so that ports in TIME_WAIT do not run out.
const SOURCES: u8 = 32;
/// A query of a connection without a reply for so long is lost, and the connection with it.
const PATIENCE: Duration = Duration::from_millis(1_000);
/// Ids of one connection; more than are in flight.
const IDS: usize = 256;

/// How the streams are used.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) connections: usize,
    pub(super) flight: usize,
    pub(super) prompt: bool,
    pub(super) each: bool,
}

struct Connection {
    stream: TcpStream,
    connected: bool,
    /// In flight.
    out: usize,
    next: u8,
    sent: [Option<Instant>; IDS],
    room: Vec<u8>,
    filled: usize,
    touched: Instant,
}

struct Load<'o> {
    shape: Shape,
    to: SocketAddr,
    opened: usize,
    epoll: Epoll,
    meter: Meter<'o>,
    queries: Queries,
    write: Vec<u8>,
}

/// Runs the load.
pub(super) fn run(order: &Order, queries: Queries, shape: Shape) -> anyhow::Result<Measured> {
    let mut load = Load {
        shape,
        to: order.to()?,
        opened: 0,
        epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
        meter: Meter::new(order),
        queries,
        write: Vec::with_capacity(ROOM),
    };
    let mut connections = (0..shape.connections).map(|at| load.open(at)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut events = vec![EpollEvent::empty(); 256];
    let mut looked = Instant::now();
    loop {
        let count = load.epoll.wait(&mut events, EpollTimeout::ZERO).or_else(|error| match error {
            nix::errno::Errno::EINTR => Ok(0),
            error => Err(error),
        })?;
        let now = Instant::now();
        if load.meter.is_over(now) {
            return Ok(load.meter.finish());
        }
        load.meter.turn(now, count > 0);
        for event in &events[..count] {
            let at = event.data() as usize;
            if load.serve(at, &mut connections[at], now)? == After::Anew {
                connections[at] = load.open(at)?;
            }
        }
        if now - looked > PATIENCE / 10 {
            looked = now;
            for (at, connection) in connections.iter_mut().enumerate() {
                if now - connection.touched > PATIENCE {
                    load.meter.counts.faults += 1;
                    load.meter.counts.lost += connection.out as u64;
                    *connection = load.open(at)?;
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum After {
    GoOn,
    Anew,
}

impl Load<'_> {
    fn open(&mut self, at: usize) -> anyhow::Result<Connection> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking().cloexec(), None)?;
        socket.set_tcp_nodelay(true)?;
        // The port is chosen when it is known whereto: else the ports of an address are gone after as many connections.
        let _ = setsockopt(&socket, sockopt::IpBindAddressNoPort, &true);
        let source = Ipv4Addr::new(127, 0, 1, 1 + u8::try_from(self.opened % usize::from(SOURCES)).expect("below 32"));
        self.opened += 1;
        socket.bind(&SocketAddr::from((source, 0)).into()).context("binding a connection")?;
        match socket.connect(&self.to.into()) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            Err(error) => return Err(error).context("connecting"),
        }
        let stream = TcpStream::from(socket);
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT, at as u64))?;
        let room = vec![0; if self.shape.each { 2_048 } else { ROOM }];
        let touched = Instant::now();
        Ok(Connection { stream, connected: false, out: 0, next: 0, sent: [None; IDS], room, filled: 0, touched })
    }

    /// One connection has something to tell.
    fn serve(&mut self, at: usize, connection: &mut Connection, now: Instant) -> anyhow::Result<After> {
        if !connection.connected {
            if connection.stream.take_error()?.is_some() {
                self.meter.counts.faults += 1;
                return Ok(After::Anew);
            }
            connection.connected = true;
            self.meter.counts.connections += 1;
            if !self.shape.each {
                self.epoll.modify(&connection.stream, &mut EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
            }
        }
        let Some(came) = self.read(connection)? else {
            self.meter.counts.faults += 1;
            self.meter.counts.lost += connection.out as u64;
            return Ok(After::Anew);
        };
        if came > 0 {
            connection.touched = now;
            if self.shape.each {
                return Ok(After::Anew);
            }
        }
        // Half of the room is gathered first, so that queries come in groups as a busy resolver's do.
        if connection.out <= self.shape.flight / 2 && (!self.shape.each || connection.out == 0) {
            self.ask(connection)?;
            if self.shape.each {
                self.epoll.modify(&connection.stream, &mut EpollEvent::new(EpollFlags::EPOLLIN, at as u64))?;
            }
        }
        Ok(After::GoOn)
    }

    /// Replies that came; nothing when the connection has ended.
    fn read(&mut self, connection: &mut Connection) -> anyhow::Result<Option<usize>> {
        let Connection { stream, room, filled, .. } = connection;
        match stream.read(&mut room[*filled..]) {
            Ok(0) => return Ok(None),
            Ok(count) => *filled += count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(Some(0)),
            Err(_) => return Ok(None),
        }
        if self.shape.prompt && !self.shape.each {
            SockRef::from(&*stream).set_tcp_quickack(true)?;
        }
        let now = Instant::now();
        let mut taken = 0;
        let mut came = 0;
        while let Some((length, rest)) = connection.room[taken..connection.filled].split_first_chunk::<2>() {
            let Some(reply) = rest.get(..usize::from(u16::from_be_bytes(*length))) else { break };
            let Some(sent) = reply.get(1).and_then(|id| connection.sent[usize::from(*id)].take()) else {
                self.meter.counts.faults += 1;
                taken += 2 + reply.len();
                continue;
            };
            self.meter.reply(reply, now - sent);
            connection.out -= 1;
            came += 1;
            taken += 2 + reply.len();
        }
        connection.room.copy_within(taken..connection.filled, 0);
        connection.filled -= taken;
        Ok(Some(came))
    }

    /// Fills the flight up with one write.
    fn ask(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        self.write.clear();
        let now = Instant::now();
        while connection.out < self.shape.flight {
            let query = self.queries.next();
            self.write.extend((query.len() as u16).to_be_bytes());
            let start = self.write.len();
            self.write.extend(query);
            self.write[start] = 0;
            self.write[start + 1] = connection.next;
            connection.sent[usize::from(connection.next)] = Some(now);
            connection.next = connection.next.wrapping_add(1);
            connection.out += 1;
        }
        match connection.stream.write(&self.write) {
            Ok(count) if count == self.write.len() => {}
            // Flights are far smaller than a send buffer; a connection that takes less is about to be given up.
            _ => self.meter.counts.faults += 1,
        }
        Ok(())
    }
}
