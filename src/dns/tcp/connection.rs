//! One connection: frames in, all replies of one read out in one write, and a time limit on each step.
//!
//! It never waits: each turn does one read's worth of work and tells what has to happen before the next. It holds memory
//! only for what is incomplete - part of a query, replies that were not taken - so one that rests holds none.

#[cfg(test)]
mod tests;

use std::{
    io::{self, Read, Write},
    mem,
};

use super::{Limits, guests::Guest};
use crate::{
    dns::{
        desk::{Answerer, Client, Handled},
        handler::General,
    },
    model::Mono,
};

/// Most octets read at once: a hundred queries and more.
const READ: usize = 8192;
/// Replies are sent when they come to so many octets, before more queries are answered: a client that asks and does not
/// read holds this much, and one reply more.
const REPLIES_MAX: usize = 64 << 10;
/// Octets still read once the door closes: what had arrived, not what keeps coming.
const LAST_READS_MAX: usize = 64 << 10;
/// The length in front of each message (RFC 1035 section 4.2.2).
const PREFIX: usize = 2;
/// Whether a read that leaves room has emptied the socket, so that the next octets make themselves heard.
const SHORT_IS_EMPTY: bool = cfg!(target_os = "linux");

/// What the connections of one thread use in turns.
pub(super) struct Tools {
    desk: General,
    received: Box<[u8]>,
    replies: Vec<u8>,
}

impl Tools {
    pub(super) fn new(desk: General) -> Self {
        Self { desk, received: vec![0; READ].into(), replies: Vec::new() }
    }

    pub(super) fn desk(&self) -> &General {
        &self.desk
    }
}

/// What has to happen before the next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The client says something.
    Readable,
    /// The client takes replies.
    Writable,
    /// The others have had theirs.
    Turn,
    /// There is none: the client has gone, sent what is no query, or all was said.
    Never,
}

/// The client closed it, it broke, or it sent what is no query.
struct End;

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// What is left of queries after some were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    /// No whole one.
    Part,
    /// Whole ones: there are enough replies.
    Whole,
    /// Nothing that is worth reading: what came was no query.
    Rubbish,
}

/// One client over one stream.
pub(super) struct Connection<S> {
    pub(super) stream: S,
    pub(super) guest: Guest,
    client: Client,
    /// Part of a query; whole ones as well while `waits`.
    queries: Vec<u8>,
    /// Replies that the client did not take yet.
    unsent: Vec<u8>,
    /// Whole queries wait for a turn.
    waits: bool,
    /// The client will send no more than what the system holds.
    pub(super) half_closed: bool,
    /// Octets that are still read, once the door closes.
    last: Option<usize>,
    /// It is over when its replies are taken.
    over: bool,
    due: Mono,
}

impl<S: Read + Write> Connection<S> {
    pub(super) fn new(stream: S, guest: Guest, client: Client, limits: &Limits, now: Mono) -> Self {
        Self {
            stream,
            guest,
            client,
            queries: Vec::new(),
            unsent: Vec::new(),
            waits: false,
            half_closed: false,
            last: None,
            over: false,
            due: now.plus(limits.idle),
        }
    }

    /// When it is cut if nothing happens: a query must be whole in time from its first octet on, however its octets drip,
    /// and so must replies be taken.
    pub(super) const fn due(&self) -> Mono {
        self.due
    }

    /// The door closes: what has arrived is answered, and then it ends.
    pub(super) fn finish(&mut self) {
        self.last.get_or_insert(LAST_READS_MAX);
    }

    /// Goes on as far as one read's worth of work: clients that always have more to ask must not keep others waiting.
    pub(super) fn turn(&mut self, tools: &mut Tools, limits: &Limits, now: Mono) -> Next {
        match self.step(tools, limits, now).unwrap_or(Next::Never) {
            // The end is only taken between replies: a stream with half a reply is of no use.
            Next::Readable if self.last.is_some() => Next::Never,
            next => next,
        }
    }

    fn step(&mut self, tools: &mut Tools, limits: &Limits, now: Mono) -> Result<Next, End> {
        if !self.unsent.is_empty() {
            let sent = send(&mut self.stream, &self.unsent)?;
            if sent < self.unsent.len() {
                self.unsent.drain(..sent);
                return Ok(Next::Writable);
            }
            self.unsent = Vec::new();
            if self.over {
                return Err(End);
            }
            self.due = now.plus(if self.queries.is_empty() { limits.idle } else { limits.query });
        }
        if mem::take(&mut self.waits) {
            let queries = mem::take(&mut self.queries);
            let taken = self.answer(&queries, &mut tools.desk, &mut tools.replies)?;
            self.keep(queries, taken);
            self.rest(true, limits, now);
            return Ok(self.next(Next::Turn));
        }
        let room = self.last.map_or(READ, |left| left.min(READ));
        if room == 0 {
            return Ok(Next::Readable);
        }
        let count = match self.stream.read(&mut tools.received[..room]) {
            Ok(0) => return Err(End),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Readable),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Next::Turn),
            Err(error) => return Err(error.into()),
        };
        self.guest.active();
        if let Some(left) = &mut self.last {
            *left -= count;
        }
        let Tools { desk, received, replies } = tools;
        let received = &received[..count];
        let was_empty = self.queries.is_empty();
        let taken = if was_empty {
            let taken = self.answer(received, desk, replies)?;
            self.queries.extend_from_slice(&received[taken..]);
            taken
        } else {
            let mut queries = mem::take(&mut self.queries);
            queries.extend_from_slice(received);
            let taken = self.answer(&queries, desk, replies)?;
            self.keep(queries, taken);
            taken
        };
        self.rest(was_empty || 0 < taken, limits, now);
        let is_empty = SHORT_IS_EMPTY && count < room && !self.half_closed && self.last.is_none();
        Ok(self.next(if is_empty { Next::Readable } else { Next::Turn }))
    }

    /// Answers whole queries and sends the replies; tells how many octets of queries that took.
    fn answer(&mut self, queries: &[u8], desk: &mut General, replies: &mut Vec<u8>) -> Result<usize, End> {
        replies.clear();
        let (taken, left) = some(queries, &self.client, desk, replies);
        let sent = if replies.is_empty() { 0 } else { send(&mut self.stream, replies)? };
        self.unsent.extend_from_slice(&replies[sent..]);
        self.waits = left == Left::Whole;
        self.over = left == Left::Rubbish;
        if self.over && self.unsent.is_empty() { Err(End) } else { Ok(taken) }
    }

    fn keep(&mut self, mut queries: Vec<u8>, taken: usize) {
        queries.drain(..taken);
        if !queries.is_empty() {
            self.queries = queries;
        }
    }

    /// `is_new`: what is there now is not the part of a query that was there before.
    fn rest(&mut self, is_new: bool, limits: &Limits, now: Mono) {
        if self.queries.is_empty() && self.unsent.is_empty() {
            self.due = now.plus(limits.idle);
        } else if is_new || !self.unsent.is_empty() {
            self.due = now.plus(limits.query);
        }
    }

    fn next(&self, otherwise: Next) -> Next {
        match (self.unsent.is_empty(), self.waits) {
            (false, _) => Next::Writable,
            (true, true) => Next::Turn,
            (true, false) => otherwise,
        }
    }
}

/// Sends what the system takes.
fn send(stream: &mut impl Write, octets: &[u8]) -> Result<usize, End> {
    match stream.write(octets) {
        Ok(0) => Err(End),
        Ok(count) => Ok(count),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Answers whole queries until there are none or enough replies; tells how many octets that took.
fn some(queries: &[u8], client: &Client, desk: &mut General, replies: &mut Vec<u8>) -> (usize, Left) {
    let mut taken = 0;
    while let Some(query) = whole(&queries[taken..]) {
        if REPLIES_MAX <= replies.len() {
            return (taken, Left::Whole);
        }
        let at = replies.len();
        replies.extend_from_slice(&[0; PREFIX]);
        let handled = desk.answer(query, client, replies);
        taken += PREFIX + query.len();
        match handled {
            Handled::Replied => {
                let length = u16::try_from(replies.len() - at - PREFIX).expect("a reply fits into a message");
                replies[at..at + PREFIX].copy_from_slice(&length.to_be_bytes());
            }
            Handled::Dropped => {
                replies.truncate(at);
                return (taken, Left::Rubbish);
            }
        }
    }
    (taken, Left::Part)
}

/// The first query, if all of it is there.
fn whole(queries: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = queries.split_first_chunk::<PREFIX>()?;
    rest.get(..usize::from(u16::from_be_bytes(*prefix)))
}
