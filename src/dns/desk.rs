//! One seat at which packets are answered: read, look up, write, count. Each door thread has its own.

mod signed;

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use ipnet::IpNet;

use super::{
    answer::{Answer, Asker, Draws, answer},
    chaos::chaos,
    message::{Ede, meta},
    read::{Dropped, Ecs, LowerName, Query, Reading, read},
    transfer::{Outgoing, Transfers},
    write::{self, Own, Room, Written},
};
use crate::{
    clock::Clock,
    model::{Fleet, Mono, PoolIx, kind},
    steer::{AnswerTable, Draw, Reader, Steering},
    telemetry::dns::{DnsShard, DropReason, Proto, Share},
};

/// Longest NSID, in octets; the rest is cut. So a name, an OPT and all options fit into the least datagram.
pub const NSID_LENGTH_MAX: usize = 128;

/// What the doors say about the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Face {
    /// Most octets of a reply over UDP; at least 512.
    pub udp_size: u16,
    /// Given to who asks (RFC 5001); at most [`NSID_LENGTH_MAX`] octets of it.
    pub nsid: Option<Box<str>>,
    /// What CH TXT tells.
    pub chaos: Chaos,
    /// Whether resolvers are believed about their clients' networks.
    pub ecs: Ecs,
    /// From where `_why.` names may be asked; to all others they do not exist.
    pub debug_names: Vec<IpNet>,
}

/// What is told to questions of class CH (RFC 4892).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Chaos {
    /// Nothing.
    #[default]
    Hide,
    /// The program's version, and the NSID as id.
    Version,
}

/// Who asks, and how.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    /// From where.
    pub address: SocketAddr,
    /// Through which door.
    pub proto: Proto,
    /// How long its connection may be idle, in units of 100 ms (RFC 7828).
    pub keepalive: Option<u16>,
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// A reply was appended.
    Replied,
    /// Nothing was appended, and nothing is sent.
    Dropped,
    /// Nothing was appended: a transfer begins, whose messages `Desk::take_transfer` makes. On streams alone.
    Transfers,
}

/// Answers packets: the one face that doors see beside [`Desk::fast`], which makes the same replies of what it takes.
pub trait Answerer {
    /// Appends the reply to `out`, or nothing.
    fn answer(&mut self, packet: &[u8], client: &Client, out: &mut Vec<u8>) -> Handled;
}

/// Answers packets from the table in force, without help.
#[derive(Debug)]
pub struct Desk {
    pub(super) table: Reader,
    pub(super) face: Arc<Face>,
    pub(super) chance: Chance,
    clock: Clock,
    pub(super) counts: Arc<DnsShard>,
    pub(super) shares: Shares,
    /// Room for the name that is asked for.
    pub(super) name: LowerName,
    transfers: Arc<Transfers>,
    /// The one that began last, until the door takes it.
    outgoing: Option<Box<Outgoing>>,
}

impl Desk {
    /// `seed` decides all draws, so that a test can repeat them; `clock` is the one that the tables' deadlines are on.
    #[must_use]
    pub fn new(table: Reader, face: Arc<Face>, seed: u64, clock: Clock, counts: Arc<DnsShard>) -> Self {
        Self {
            table,
            face,
            chance: Chance::new(seed),
            clock,
            counts,
            shares: Shares::default(),
            name: LowerName::default(),
            transfers: Arc::new(Transfers::new(Arc::default(), &[])),
            outgoing: None,
        }
    }

    /// The same, which knows keys and secondaries.
    #[must_use]
    pub fn with_transfers(self, transfers: Arc<Transfers>) -> Self {
        Self { transfers, ..self }
    }

    /// The transfer that began with the last query.
    pub(super) fn take_transfer(&mut self) -> Option<Box<Outgoing>> {
        self.outgoing.take()
    }

    /// The next message of a transfer, with its length in front; whether more follow.
    pub(super) fn go_on(&self, transfer: &mut Outgoing, out: &mut Vec<u8>) -> bool {
        transfer.next(&self.face, seconds(), out)
    }

    /// Lets an old table go, while nobody asks.
    pub fn idle(&mut self) {
        self.table.table();
    }

    /// The instant that this turn's answers are made for: read once for many packets.
    pub(super) fn now(&self) -> Mono {
        self.clock.mono()
    }

    /// What is read in client networks.
    pub(super) fn ecs(&self) -> Ecs {
        self.face.ecs
    }

    /// Where the door counts what it drops by itself.
    #[must_use]
    pub fn counts(&self) -> &DnsShard {
        &self.counts
    }

    /// Answers as [`Answerer::answer`] does, at a time on the clock that the tables' deadlines are on.
    pub fn answer_at(&mut self, packet: &[u8], client: &Client, now: Mono, out: &mut Vec<u8>) -> Handled {
        let face = Arc::clone(&self.face);
        let own = Own { face: &face, keepalive: client.keepalive };
        let mut name = LowerName::default();
        let written = match read(packet, face.ecs, &mut name) {
            Reading::Drop(why) => {
                self.counts.dropped(why.into());
                return Handled::Dropped;
            }
            Reading::Refuse(refusal) => {
                self.counts.asked(client.proto, client.address.is_ipv6(), 0);
                write::refusal(&refusal, own, out)
            }
            Reading::Query(query) => {
                self.counts.asked(client.proto, client.address.is_ipv6(), query.kind);
                match (query.signed, query.kind) {
                    (None, kind::AXFR | kind::IXFR) | (Some(_), _) => {
                        match self.rarely(query, packet, client, now, own, out) {
                            Some(written) => written,
                            None => return Handled::Transfers,
                        }
                    }
                    (None, _) => self.reply(&query, client, now, own, out),
                }
            }
        };
        self.counts.replied(client.proto, written.rcode.number(), written.truncated);
        Handled::Replied
    }

    fn reply(&mut self, query: &Query<'_>, client: &Client, now: Mono, own: Own<'_>, out: &mut Vec<u8>) -> Written {
        let room = match client.proto {
            Proto::Udp => Room::Datagram,
            Proto::Tcp => Room::Stream,
        };
        match query.class {
            meta::CLASS_IN => {
                let table = self.table.table();
                let asker = Asker::of(query, client.address, own.face, now);
                let answer = answer(table, query, asker, &mut self.chance);
                if let Some(steering) = answer.steering
                    && let Some(seat) = answer.picks.seats().next()
                {
                    self.shares.count(table, steering, seat.pool, &self.counts);
                }
                if query.edns.is_some_and(|edns| edns.subnet.is_some()) {
                    self.counts.told_subnet(0 < answer.scope);
                }
                write::reply(query, &answer, room, own, out)
            }
            meta::CLASS_CHAOS => write::reply(query, &chaos(query, own.face), room, own, out),
            // We have data in one class (RFC 6895 section 3.2).
            _ => write::reply(query, &Answer::refused(Ede::Prohibited), room, own, out),
        }
    }
}

/// The time of signatures: seconds since 1970.
fn seconds() -> u64 {
    Clock::wall().0 / 1000
}

impl Answerer for Desk {
    fn answer(&mut self, packet: &[u8], client: &Client, out: &mut Vec<u8>) -> Handled {
        self.answer_at(packet, client, self.clock.mono(), out)
    }
}

impl From<Dropped> for DropReason {
    fn from(why: Dropped) -> Self {
        match why {
            Dropped::Short => Self::Short,
            Dropped::Response => Self::Response,
        }
    }
}

/// The counts of answers by service and pool: found by place, without a lock, while the fleet stays the same.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// Where the fleet lies whose places these are.
    at: usize,
    /// While it is known here, no other lies there.
    _fleet: Weak<Fleet>,
    /// For each service, by place, the first of its entries in `known`, counted from 1; 0 is none yet.
    first: Vec<u32>,
    known: Vec<KnownShare>,
}

/// A service is answered from few pools, so its entries are a list.
#[derive(Debug)]
struct KnownShare {
    pool: PoolIx,
    share: Share,
    /// As [`Shares::first`].
    next: u32,
}

impl Shares {
    /// One answer more of a service, from the pool of its first address.
    #[inline(always)]
    pub(super) fn count(&mut self, table: &AnswerTable, steering: &Steering, pool: PoolIx, counts: &DnsShard) {
        let fleet = &table.snapshot().fleet;
        if self.at != Arc::as_ptr(fleet).addr() {
            self.begin(fleet);
        }
        let service = steering.service_ix().index();
        let mut at = self.first.get(service).copied().unwrap_or(0);
        while let Some(known) = (at as usize).checked_sub(1).and_then(|at| self.known.get(at)) {
            if known.pool == pool {
                return known.share.answered();
            }
            at = known.next;
        }
        self.add(table, steering, pool, counts);
    }

    #[cold]
    fn begin(&mut self, fleet: &Arc<Fleet>) {
        *self = Self { at: Arc::as_ptr(fleet).addr(), _fleet: Arc::downgrade(fleet), ..Self::default() };
    }

    #[cold]
    fn add(&mut self, table: &AnswerTable, steering: &Steering, pool: PoolIx, counts: &DnsShard) {
        let service = steering.service_ix().index();
        let id = &table.snapshot().fleet.pool(pool).id;
        let share = counts.share(steering.service().as_str(), id.as_str());
        share.answered();
        if self.first.len() <= service {
            self.first.resize(table.services().max(service + 1), 0);
        }
        self.known.push(KnownShare { pool, share, next: self.first[service] });
        self.first[service] = u32::try_from(self.known.len()).expect("there are far fewer pools and services");
    }
}

/// The chance and the turns of one desk.
#[derive(Debug)]
pub(super) struct Chance {
    random: fastrand::Rng,
    turns: Vec<u32>,
    /// What was drawn last: for which slot, word and turn.
    last: (usize, u64, u32),
}

/// The slot of nothing.
const NO_SLOT: usize = usize::MAX;

impl Chance {
    fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), turns: Vec::new(), last: (NO_SLOT, 0, 0) }
    }

    /// What was drawn last, since it was forgotten, and for which slot.
    pub(super) fn last(&self) -> Option<(usize, Draw)> {
        let (slot, word, turn) = self.last;
        (slot != NO_SLOT).then_some((slot, Draw { word, turn, now: Mono(0) }))
    }

    #[inline]
    pub(super) fn forget(&mut self) {
        self.last.0 = NO_SLOT;
    }

    /// The first turn of a slot that has had none, its second one kept.
    #[cold]
    fn begin(&mut self, slot: usize) -> u32 {
        self.turns.resize_with(slot + 1, || self.random.u32(..));
        let first = self.turns[slot];
        self.turns[slot] = first.wrapping_add(1);
        first
    }
}

impl Draws for Chance {
    /// Turns begin at a random place, so that the desks of a node do not all begin with the same endpoint. There are as
    /// many as the largest table had slots, one more for each service, and one.
    #[inline(always)]
    fn draw(&mut self, slot: usize) -> Draw {
        let turn = match self.turns.get_mut(slot) {
            Some(next) => {
                let turn = *next;
                *next = turn.wrapping_add(1);
                turn
            }
            None => self.begin(slot),
        };
        let word = self.random.u64(..);
        self.last = (slot, word, turn);
        Draw { word, turn, now: Mono(0) }
    }
}
