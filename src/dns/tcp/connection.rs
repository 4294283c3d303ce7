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

use super::{
    Limits,
    answers::{Answers, Left},
    guests::Guest,
};
use crate::{
    dns::{
        desk::Client,
        transfer::{Outgoing, TIME_MAX},
    },
    model::Mono,
};

/// Most octets read at once: a hundred queries and more.
const READ: usize = 8192;
/// Octets still read once the door closes: what had arrived, not what keeps coming.
const LAST_READS_MAX: usize = 64 << 10;
/// Whether a read that leaves room has emptied the socket, so that the next octets make themselves heard.
const SHORT_IS_EMPTY: bool = cfg!(target_os = "linux");

/// What the connections of one thread use in turns.
pub(super) struct Tools {
    pub(super) answers: Answers,
    received: Box<[u8]>,
}

impl Tools {
    pub(super) fn new(answers: Answers) -> Self {
        Self { answers, received: vec![0; READ].into() }
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

/// One client over one stream.
pub(super) struct Connection<S> {
    pub(super) stream: S,
    pub(super) guest: Guest,
    client: Client,
    /// Part of a query; whole ones as well while `waits`.
    queries: Vec<u8>,
    /// Replies that the client did not take yet.
    unsent: Vec<u8>,
    /// A transfer under way: what was asked behind it waits.
    transfer: Option<Box<Outgoing>>,
    /// When that is cut, however far it is.
    ends: Mono,
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
            transfer: None,
            ends: now,
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
            next @ (Next::Readable | Next::Writable | Next::Turn | Next::Never) => next,
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
            self.guest.active();
            self.due = now.plus(if self.queries.is_empty() { limits.idle } else { limits.query });
        }
        if self.transfer.is_some() {
            return self.go_on(tools, limits, now);
        }
        if mem::take(&mut self.waits) {
            let queries = mem::take(&mut self.queries);
            let taken = self.answer(&queries, &mut tools.answers, now)?;
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
        let Tools { answers, received } = tools;
        let received = &received[..count];
        let was_empty = self.queries.is_empty();
        let taken = if was_empty {
            let taken = self.answer(received, answers, now)?;
            self.queries.extend_from_slice(&received[taken..]);
            taken
        } else {
            let mut queries = mem::take(&mut self.queries);
            queries.extend_from_slice(received);
            let taken = self.answer(&queries, answers, now)?;
            self.keep(queries, taken);
            taken
        };
        self.rest(was_empty || 0 < taken, limits, now);
        let is_empty = SHORT_IS_EMPTY && count < room && !self.half_closed && self.last.is_none();
        Ok(self.next(if is_empty { Next::Readable } else { Next::Turn }))
    }

    /// The next messages of a transfer. Each write's worth must be taken in time, and all of them together.
    fn go_on(&mut self, tools: &mut Tools, limits: &Limits, now: Mono) -> Result<Next, End> {
        let Some(transfer) = &mut self.transfer else { return Ok(Next::Turn) };
        if self.ends <= now {
            return Err(End);
        }
        let mut messages = Vec::new();
        if !tools.answers.go_on(transfer, &mut messages) {
            self.transfer = None;
        }
        let sent = send(&mut self.stream, &messages)?;
        messages.drain(..sent);
        self.unsent = if messages.is_empty() { Vec::new() } else { messages };
        self.due = now.plus(limits.query).min(self.ends);
        Ok(if self.unsent.is_empty() { Next::Turn } else { Next::Writable })
    }

    /// Answers whole queries and sends the replies; tells how many octets of queries that took.
    fn answer(&mut self, queries: &[u8], answers: &mut Answers, now: Mono) -> Result<usize, End> {
        let (taken, left) = answers.make(queries, &self.client, now);
        let replies = answers.replies();
        let sent = if replies.is_empty() { 0 } else { send(&mut self.stream, replies)? };
        self.unsent.extend_from_slice(&replies[sent..]);
        if left == Left::Later {
            (self.transfer, self.ends) = (answers.take_transfer(), now.plus(TIME_MAX));
        }
        self.waits = matches!(left, Left::Whole | Left::Later);
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
