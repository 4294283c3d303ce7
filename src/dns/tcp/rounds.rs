//! What one thread does, round for round: wait for its sockets, give each of them a turn, cut who is late.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use tracing::{error, warn};

use super::{
    Limits,
    accept::{Accepted, Acceptor},
    bell::{Bell, WAKE},
    connection::{Connection, Next, Tools},
    slots::Slots,
    turns::Turns,
};
use crate::{
    clock::Clock,
    dns::{DRAIN_MAX, desk::Client},
    model::Mono,
    telemetry::dns::Proto,
};

/// Sockets that are told of at once; the others are told of in the next round.
const EVENTS_MAX: usize = 256;
/// After so many accepted the connections have a turn: those who came are heard before the next ones may drive them out.
const ACCEPTS_IN_ROW_MAX: usize = 16;
/// Those who are late are looked for so often, or more often if time limits are short. Also how soon an idle thread lets
/// an old table go.
const SWEEP_REST_MAX: Duration = Duration::from_secs(1);
const SWEEP_REST_MIN: Duration = Duration::from_millis(5);
/// How many sweeps a time limit takes: it is kept to an eighth of it.
const SWEEPS_PER_LIMIT: u32 = 8;

/// One thread of the door.
pub(in crate::dns) struct Rounds {
    poll: Poll,
    bell: Arc<Bell>,
    acceptor: Acceptor,
    connections: Slots<Seated>,
    /// Who has a turn without waiting for a socket: listeners and connections, by token.
    turns: Turns,
    tools: Tools,
    limits: Limits,
    clock: Clock,
    stop: Arc<AtomicBool>,
    /// When connections are cut, once the door closes.
    ends: Option<Mono>,
    swept: Mono,
    sweep_rest: Duration,
}

/// A connection, and what its socket is watched for.
struct Seated {
    connection: Connection<TcpStream>,
    watched: Interest,
}

impl Rounds {
    pub(super) fn new(
        poll: Poll,
        bell: Arc<Bell>,
        acceptor: Acceptor,
        tools: Tools,
        limits: Limits,
        clock: Clock,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let sweep_rest = (limits.idle.min(limits.query) / SWEEPS_PER_LIMIT).clamp(SWEEP_REST_MIN, SWEEP_REST_MAX);
        let (connections, turns, swept) = (Slots::new(), Turns::default(), clock.mono());
        Self { poll, bell, acceptor, connections, turns, tools, limits, clock, stop, ends: None, swept, sweep_rest }
    }

    /// Serves until told to stop; then lets connections finish for [`DRAIN_MAX`].
    pub(in crate::dns) fn serve(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let now = self.clock.mono();
            if self.stop.load(Relaxed) && self.close_door(now) {
                return;
            }
            match self.poll.poll(&mut events, Some(self.patience(now))) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    // The node hears of it, because this thread ends.
                    error!(%error, "a DNS stream door cannot wait for its sockets");
                    return;
                }
            }
            self.round(&events);
        }
    }

    fn round(&mut self, events: &Events) {
        let now = self.clock.mono();
        // Those who have a turn now; who gets another one meanwhile has it in the next round.
        let turns = self.turns.len();
        for event in events {
            match event.token() {
                WAKE => self.shed(),
                Token(token) => {
                    if event.is_read_closed()
                        && let Some(place) = token.checked_sub(self.acceptor.len())
                        && let Some(seated) = self.connections.get_mut(place)
                    {
                        seated.connection.half_closed = true;
                    }
                    if !self.turns.has(token) {
                        self.go_on(token, now);
                    }
                }
            }
        }
        for _ in 0..turns {
            let Some(token) = self.turns.pop() else { break };
            self.go_on(token, now);
        }
        if self.acceptor.wake(now) {
            (0..self.acceptor.len()).for_each(|nth| self.turns.push(nth));
        }
        if self.sweep_rest <= now.since(self.swept) {
            self.sweep(now);
        }
    }

    /// How long there is nothing to do unless a socket has news.
    fn patience(&self, now: Mono) -> Duration {
        if 0 < self.turns.len() {
            return Duration::ZERO;
        }
        let sweep = self.swept.plus(self.sweep_rest);
        let rests = [self.acceptor.rests(), self.ends];
        rests.into_iter().flatten().fold(sweep, Mono::min).since(now)
    }

    /// The token may be of somebody who has gone: another who sits there finds nothing to do.
    fn go_on(&mut self, token: usize, now: Mono) {
        match token.checked_sub(self.acceptor.len()) {
            None => self.accept(token, now),
            Some(place) => self.turn(place, now),
        }
    }

    fn accept(&mut self, nth: usize, now: Mono) {
        for _ in 0..ACCEPTS_IN_ROW_MAX {
            match self.acceptor.next(nth, now) {
                Accepted::Client(stream, address) => {
                    let place = self.connections.next();
                    let token = Token(self.acceptor.len() + place);
                    let guest = self.acceptor.guests().admit(address.ip(), &self.bell, place);
                    let keepalive = u16::try_from(self.limits.idle.as_millis() / 100).unwrap_or(u16::MAX);
                    let client = Client { address, proto: Proto::Tcp, keepalive: Some(keepalive) };
                    let mut connection = Connection::new(stream, guest, client, &self.limits, now);
                    let watched = Interest::READABLE;
                    if let Err(error) = self.poll.registry().register(&mut connection.stream, token, watched) {
                        drop(connection);
                        self.acceptor.after(&error, now);
                        return;
                    }
                    self.connections.put(Seated { connection, watched });
                }
                Accepted::Lost => {}
                Accepted::Nobody | Accepted::Rest => return,
            }
        }
        self.turns.push(nth);
    }

    fn turn(&mut self, place: usize, now: Mono) {
        let Some(Seated { connection, watched }) = self.connections.get_mut(place) else { return };
        // A fault in answering one client must not end the connections of all others.
        let next = catch_unwind(AssertUnwindSafe(|| connection.turn(&mut self.tools, &self.limits, now)));
        let next = next.unwrap_or_else(|_| {
            error!("a connection met a panic");
            self.tools.answers.fault(now);
            Next::Never
        });
        let token = self.acceptor.len() + place;
        let interest = match next {
            Next::Readable => Interest::READABLE,
            Next::Writable => Interest::WRITABLE,
            Next::Turn => {
                self.turns.push(token);
                return;
            }
            Next::Never => {
                self.connections.take(place);
                return;
            }
        };
        if *watched != interest {
            *watched = interest;
            if self.poll.registry().reregister(&mut connection.stream, Token(token), interest).is_err() {
                // Nothing would be heard of it again.
                self.connections.take(place);
            }
        }
    }

    /// Closes those that have to make room.
    fn shed(&mut self) {
        for place in self.bell.leaving() {
            // Somebody else may sit there by now.
            if self.connections.get_mut(place).is_some_and(|seated| seated.connection.guest.has_to_leave()) {
                self.connections.take(place);
            }
        }
    }

    fn sweep(&mut self, now: Mono) {
        self.swept = now;
        self.shed();
        for place in self.connections.places(|seated| seated.connection.due() <= now) {
            self.connections.take(place);
        }
        self.tools.answers.idle(now);
    }

    /// Sees to the end of all that is open; tells whether it is reached.
    fn close_door(&mut self, now: Mono) -> bool {
        let ends = *self.ends.get_or_insert_with(|| {
            self.acceptor.close();
            for place in self.connections.places(|_| true) {
                let Some(Seated { connection, .. }) = self.connections.get_mut(place) else { continue };
                connection.finish();
                self.turns.push(self.acceptor.len() + place);
            }
            now.plus(DRAIN_MAX)
        });
        let left = self.connections.len();
        if ends <= now && 0 < left {
            warn!(connections = left, "DNS connections are cut");
        }
        ends <= now || left == 0
    }
}
