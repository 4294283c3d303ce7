//! Datagrams: batches through connected sockets, so many in flight that the server's queue is never empty and never
//! overflows, or at a steady pace.

use std::{
    io::{IoSlice, IoSliceMut},
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use nix::{
    errno::Errno,
    sys::socket::{MsgFlags, MultiHeaders, SockaddrIn, recvmmsg, sendmmsg, setsockopt, sockopt},
};

use super::{Measured, Order, meter::Meter};
use crate::work::Queries;

/// Sockets, as of so many resolvers.
const SOCKETS: usize = 4;
/// Datagrams of one call.
const BATCH: usize = 32;
/// Octets kept for a query.
const QUERY: usize = 128;
/// Octets kept for a reply.
const REPLY: usize = 1_472;
/// A query is given up after this.
const PATIENCE: Duration = Duration::from_millis(400);
/// How often those are looked for.
const SCAN: Duration = Duration::from_millis(50);
/// Kernel buffers of each socket, octets; the default would lose replies when the machine takes the core away.
const BUFFER: usize = 4 << 20;

/// A socket and its queries by id, which counts up.
struct Source {
    socket: UdpSocket,
    /// The next id.
    head: u16,
    /// Before it all is settled.
    tail: u16,
    /// In flight.
    out: usize,
    /// When each id was sent, if it is in flight.
    sent: Vec<Option<Instant>>,
    receive: MultiHeaders<SockaddrIn>,
    send: MultiHeaders<SockaddrIn>,
}

impl Source {
    fn open(to: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.connect(to)?;
        socket.set_nonblocking(true)?;
        // Beyond the machine's limit with the right to; the default would do for a flood.
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &BUFFER);
        let _ = setsockopt(&socket, sockopt::SndBufForce, &BUFFER);
        Ok(Self {
            socket,
            head: 0,
            tail: 0,
            out: 0,
            sent: vec![None; 1 << 16],
            receive: MultiHeaders::preallocate(BATCH * 2, None),
            send: MultiHeaders::preallocate(BATCH, None),
        })
    }

    /// Takes what has come; how many.
    fn receive(&mut self, room: &mut [u8], meter: &mut Meter<'_>) -> anyhow::Result<usize> {
        let mut lengths = [0; BATCH * 2];
        let mut count = 0;
        {
            let mut parts = room.chunks_exact_mut(REPLY);
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH * 2] =
                std::array::from_fn(|_| [IoSliceMut::new(parts.next().expect("there is room for a batch"))]);
            let flags = MsgFlags::MSG_DONTWAIT;
            match recvmmsg(self.socket.as_raw_fd(), &mut self.receive, slices.iter_mut(), flags, None) {
                Ok(messages) => {
                    for message in messages {
                        lengths[count] = message.bytes;
                        count += 1;
                    }
                }
                Err(Errno::EAGAIN | Errno::EINTR) => return Ok(0),
                Err(Errno::ECONNREFUSED) => meter.counts.faults += 1,
                Err(error) => return Err(error).context("receiving"),
            }
        }
        let now = Instant::now();
        for (octets, length) in room.chunks_exact(REPLY).zip(&lengths[..count]) {
            let octets = &octets[..*length];
            if octets.len() < 12 || octets[2] & 0x80 == 0 {
                meter.counts.faults += 1;
                continue;
            }
            let id = u16::from_be_bytes([octets[0], octets[1]]);
            let Some(sent) = self.sent[usize::from(id)].take() else {
                meter.counts.late += 1;
                continue;
            };
            self.out -= 1;
            meter.reply(octets, now - sent);
        }
        while self.tail != self.head && self.sent[usize::from(self.tail)].is_none() {
            self.tail = self.tail.wrapping_add(1);
        }
        Ok(count)
    }

    /// Sends up to `count`; how many went.
    fn send(&mut self, room: &mut [u8], queries: &mut Queries, count: usize, meter: &mut Meter<'_>) -> usize {
        let mut lengths = [0; BATCH];
        for ((n, part), length) in room.chunks_exact_mut(QUERY).take(count).enumerate().zip(&mut lengths) {
            let query = queries.next();
            part[..query.len()].copy_from_slice(query);
            part[..2].copy_from_slice(&self.head.wrapping_add(n as u16).to_be_bytes());
            *length = query.len();
        }
        let mut parts = room.chunks_exact(QUERY).zip(lengths);
        let slices: [[IoSlice<'_>; 1]; BATCH] = std::array::from_fn(|_| {
            let (part, length) = parts.next().expect("there is room for a batch");
            [IoSlice::new(&part[..length])]
        });
        let now = Instant::now();
        let nowhere = [None; BATCH];
        let fd = self.socket.as_raw_fd();
        let sent = match sendmmsg(fd, &mut self.send, &slices[..count], nowhere, [], MsgFlags::empty()) {
            Ok(messages) => messages.count(),
            Err(Errno::EAGAIN | Errno::EINTR) => 0,
            Err(_) => {
                meter.counts.faults += 1;
                0
            }
        };
        for _ in 0..sent {
            self.sent[usize::from(self.head)] = Some(now);
            self.head = self.head.wrapping_add(1);
        }
        self.out += sent;
        sent
    }

    /// Gives up what is too old.
    fn forget(&mut self, now: Instant, meter: &mut Meter<'_>) {
        while self.tail != self.head {
            let slot = &mut self.sent[usize::from(self.tail)];
            match slot {
                Some(sent) if now - *sent < PATIENCE => return,
                Some(_) => {
                    *slot = None;
                    self.out -= 1;
                    meter.counts.lost += 1;
                }
                None => {}
            }
            self.tail = self.tail.wrapping_add(1);
        }
    }

    /// Ids that are neither in flight nor between those in flight.
    fn ids(&self) -> usize {
        usize::from(u16::MAX - self.head.wrapping_sub(self.tail)).saturating_sub(BATCH)
    }
}

/// Floods, or asks `rate` times a second.
pub(super) fn run(order: &Order, mut queries: Queries, rate: Option<u64>) -> anyhow::Result<Measured> {
    let to = order.to()?;
    let mut sources = (0..SOCKETS).map(|_| Source::open(to)).collect::<anyhow::Result<Vec<_>>>()?;
    let each = if rate.is_some() { 1_000 } else { (order.window / SOCKETS).max(1) };
    let mut replies = vec![0; REPLY * BATCH * 2];
    let mut room = vec![0; QUERY * BATCH];
    let mut meter = Meter::new(order);
    let mut scanned = meter.begun;
    let mut asked = 0;
    loop {
        let now = Instant::now();
        if meter.is_over(now) {
            return Ok(meter.finish());
        }
        let mut worked = false;
        for source in &mut sources {
            worked |= source.receive(&mut replies, &mut meter)? > 0;
            let mut free = (each - source.out.min(each)).min(source.ids()).min(BATCH);
            match rate {
                Some(rate) => {
                    let due = (meter.begun.elapsed().as_secs_f64() * rate as f64) as u64;
                    // What the machine took away is not made up for in one burst.
                    asked = asked.max(due.saturating_sub(5_000));
                    free = free.min(due.saturating_sub(asked) as usize);
                }
                // A batch may gather.
                None if free < BATCH && source.out > each / 2 => free = 0,
                None => {}
            }
            if free > 0 {
                worked = true;
                asked += source.send(&mut room, &mut queries, free, &mut meter) as u64;
            }
        }
        meter.turn(now, worked);
        if now - scanned > SCAN {
            scanned = now;
            for source in &mut sources {
                source.forget(now, &mut meter);
            }
        }
    }
}
