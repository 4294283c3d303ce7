//! The fast way to an answer: in place, without allocation, lock or clock.
//!
//! It takes only what it can prove to answer like the general path (a served name or none, addresses, fixed records and
//! negative answers that fit) and hands everything else over untouched. Reading, looking up, drawing and picking are the
//! general path's own functions, on the same chance and turns; only the writing is made again here.
//! `tests/it/dns_equal.rs` asks both the same, and [`Desk::recheck`] does so for a sample while a node serves.

mod alike;
mod put;

use std::net::SocketAddr;

pub use self::alike::{Difference, compare};
use self::put::{Asked, PICKED_MAX, Put};
use super::{
    answer::{Asker, Draws, answer},
    desk::{Chance, Client, Desk, Shares},
    message::{Ede, Rcode, STREAM_SIZE_MAX, meta},
    read::{LowerName, Reading, dropped, plain, read},
    write::{self, Own, Room},
};
use crate::{
    model::{Family, Mono, Rrset, kind},
    steer::{self, AnswerTable, Draw, Lookup, Outcome, Picks, Served, Steering, ZoneTable},
    telemetry::dns::{DnsShard, Proto},
};

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fast {
    /// The reply stands in the slot and has so many octets.
    Replied(usize),
    /// Nothing is sent; it is counted.
    Dropped,
    /// Nothing was touched, drawn or counted: the general path answers.
    General,
}

/// The beginning of what, in front of a name, asks for the reasons of its answer.
const WHY: [u8; 4] = *b"\x04_wh";

impl Desk {
    /// Answers the datagram in `slot[..length]` by writing the reply over it. `now` is on the clock that the tables'
    /// deadlines are on, and may be read once for a batch.
    pub fn fast(&mut self, slot: &mut [u8], length: usize, from: SocketAddr, now: Mono) -> Fast {
        self.fast_for(slot, length, &Client { address: from, proto: Proto::Udp, keepalive: None }, now)
    }

    /// The same through any door. A reply longer than the slot is left to the general path.
    pub fn fast_for(&mut self, slot: &mut [u8], length: usize, client: &Client, now: Mono) -> Fast {
        let Self { table, face, chance, counts, shares, name, .. } = self;
        let table = table.table();
        chance.forget();
        let Some(query) = plain(&slot[..length], face.ecs, name) else { return other(&slot[..length], counts) };
        if !is_plain(query.kind) || name.begins_like(WHY) {
            return Fast::General;
        }
        let own = Own { face, keepalive: client.keepalive };
        let limit = match client.proto {
            Proto::Udp => write::datagram_limit(query.edns.as_ref(), face),
            Proto::Tcp => STREAM_SIZE_MAX,
        };
        let asked = Asked::of(query, limit, slot.len(), own);
        let answering = Answering { table, client, now, counts, asked };
        let served = match table.served(name.hash(), name.wire(), query.kind) {
            Ok(served) => served,
            Err(elsewhere) => match table.elsewhere(elsewhere, name.wire(), query.kind) {
                Lookup::Found { zone, sets, steering, .. } => Served { zone, sets, steering },
                Lookup::NoName { zone } => return answering.negative(zone, Rcode::NxDomain, slot),
                Lookup::NotOurs => return answering.not_ours(slot),
                Lookup::Referral { .. } | Lookup::Dname { .. } => return Fast::General,
            },
        };
        let family = match query.kind {
            kind::A => Some(Family::V4),
            kind::AAAA => Some(Family::V6),
            _ => None,
        };
        match (served.steering, family) {
            (Some(steering), Some(family)) => {
                return answering.steered(family, served, steering, slot, chance, shares);
            }
            // What is made for both families, and other names, which are rare.
            (Some(steering), None) if steering.has_targets() || query.kind == kind::HTTPS => return Fast::General,
            (Some(_) | None, _) => {}
        }
        if let Some(set) = served.sets.find(query.kind) {
            let set = if query.kind == kind::SOA { served.zone.current(set) } else { set };
            return answering.fixed(set, slot);
        }
        // An alias is followed on the general path.
        if served.sets.find(kind::CNAME).is_some() {
            return Fast::General;
        }
        answering.negative(served.zone, Rcode::NoError, slot)
    }
}

/// What is no query of the kind that is taken.
#[cold]
fn other(packet: &[u8], counts: &DnsShard) -> Fast {
    match dropped(packet) {
        Some(why) => {
            counts.dropped(why.into());
            Fast::Dropped
        }
        None => Fast::General,
    }
}

/// Types of records that a name may own, and that ask for nothing else.
fn is_plain(asked: u16) -> bool {
    const { assert!(meta::TKEY < kind::IXFR) };
    asked != kind::OPT && asked < meta::TKEY
}

/// An answer in the making. Each kind of answer has a way of its own to the end, so that what is the same for all of
/// that kind is known when it is compiled. All of them are one piece with the reading: for a call, what was read would
/// have to stand in memory.
#[derive(Clone, Copy)]
struct Answering<'s, 't> {
    table: &'t AnswerTable,
    client: &'s Client,
    now: Mono,
    counts: &'s DnsShard,
    asked: Asked<'s>,
}

impl<'t> Answering<'_, 't> {
    /// Addresses of a name that belongs to a service.
    #[inline(always)]
    fn steered(
        self,
        family: Family,
        served: Served<'t>,
        steering: &'t Steering,
        slot: &mut [u8],
        chance: &mut Chance,
        shares: &mut Shares,
    ) -> Fast {
        let soa = served.zone.negative();
        if steering.has_targets() || soa.count != 1 || !self.asked.fits(PICKED_MAX.max(soa.records.len())) {
            return Fast::General;
        }
        let draw = Draw { now: self.now, ..chance.draw(steering.slot(family)) };
        let Some(one) = steering.single(family, draw) else {
            return self.picked(served.zone, family, steering, draw, slot, shares);
        };
        shares.count(self.table, steering, one.pool, self.counts);
        let mut put = Put::begin(slot, self.asked);
        put.address(one.address, one.ttl);
        self.done(put, &Done { answers: 1, ..Done::WELL })
    }

    /// Fixed records.
    #[inline(always)]
    fn fixed(self, set: Rrset<'t>, slot: &mut [u8]) -> Fast {
        if !self.asked.fits(set.records.len()) {
            return Fast::General;
        }
        let mut put = Put::begin(slot, self.asked);
        put.bytes(set.records);
        self.done(put, &Done { answers: set.count, ..Done::WELL })
    }

    /// Whatever else may be picked. It fits, and nothing is left to others any more.
    #[inline(always)]
    fn picked(
        self,
        zone: &'t ZoneTable,
        family: Family,
        steering: &Steering,
        draw: Draw,
        slot: &mut [u8],
        shares: &mut Shares,
    ) -> Fast {
        let network = if steering.is_blind() {
            None
        } else {
            Asker::network_of(self.asked.query.edns.as_ref(), self.client.address)
        };
        let mut client = match network {
            Some((address, bits)) => steer::Client::new(self.table.locator(), address, bits),
            None => steer::Client::nobody(),
        };
        let mut picks = Picks::new();
        let outcome = steering.pick(family, &mut client, draw, &mut picks);
        let well = Done { scope: client.scope(), ..Done::WELL };
        let mut put = Put::begin(slot, self.asked);
        let done = match outcome {
            Outcome::Addresses => {
                if let Some(seat) = picks.seats().next() {
                    shares.count(self.table, steering, seat.pool, self.counts);
                }
                let ede = picks.is_stale().then_some(Ede::StaleAnswer);
                Done { answers: put.addresses(&picks), ede, ..well }
            }
            // A service that has targets is left to the general path.
            Outcome::NoData | Outcome::Target => Done { authorities: put.negative(zone), ..well },
            Outcome::ServFail => Done { rcode: Rcode::ServFail, authoritative: false, ..well },
        };
        self.done(put, &done)
    }

    /// The proof that there is nothing.
    #[inline(always)]
    fn negative(self, zone: &'t ZoneTable, rcode: Rcode, slot: &mut [u8]) -> Fast {
        let soa = zone.negative();
        if soa.count != 1 || !self.asked.fits(soa.records.len()) {
            return Fast::General;
        }
        let mut put = Put::begin(slot, self.asked);
        let authorities = put.negative(zone);
        self.done(put, &Done { rcode, authorities, ..Done::WELL })
    }

    #[inline(always)]
    fn not_ours(self, slot: &mut [u8]) -> Fast {
        if !self.asked.fits(0) {
            return Fast::General;
        }
        let ede = Some(Ede::NotAuthoritative);
        let done = Done { rcode: Rcode::Refused, authoritative: false, ede, ..Done::WELL };
        self.done(Put::begin(slot, self.asked), &done)
    }

    /// Ends the reply and counts it.
    #[inline(always)]
    fn done(self, put: Put<'_>, done: &Done) -> Fast {
        let Self { client, counts, asked, .. } = self;
        counts.asked(client.proto, client.address.is_ipv6(), asked.query.kind);
        if asked.query.edns.is_some_and(|edns| edns.subnet.is_some()) {
            counts.told_subnet(0 < done.scope);
        }
        counts.replied(client.proto, done.rcode.number(), false);
        Fast::Replied(put.end(done))
    }
}

/// What there is to say of an answer beside its records.
struct Done {
    rcode: Rcode,
    authoritative: bool,
    answers: u16,
    authorities: u8,
    scope: u8,
    ede: Option<Ede>,
}

impl Done {
    /// With nothing in it.
    const WELL: Self =
        Self { rcode: Rcode::NoError, authoritative: true, answers: 0, authorities: 0, scope: 0, ede: None };
}

impl Desk {
    /// Whether the general path would have answered the same: asks it once more what the fast one just answered, with
    /// the same table, chance and turn, and counts nothing. `query` is the packet as it came, `reply` what
    /// [`Desk::fast_for`] made of it, and nothing else was asked of this desk in between.
    ///
    /// # Errors
    ///
    /// The first [`Difference`].
    pub fn recheck(&mut self, query: &[u8], reply: &[u8], client: &Client, now: Mono) -> Result<(), Difference> {
        let Self { table, face, chance, .. } = self;
        let own = Own { face, keepalive: client.keepalive };
        let mut name = LowerName::default();
        let Reading::Query(query) = read(query, face.ecs, &mut name) else { return Err(Difference::NotAnswered) };
        let asker = Asker::of(&query, client.address, face, now);
        let mut replay = Replay { drawn: chance.last(), differs: false };
        // Between the two a new table may have come; then there is nothing to compare.
        let Some(table) = table.unchanged() else { return Ok(()) };
        let expected = answer(table, &query, asker, &mut replay);
        let room = match client.proto {
            Proto::Udp => Room::Datagram,
            Proto::Tcp => Room::Stream,
        };
        let mut out = Vec::new();
        write::reply(&query, &expected, room, own, &mut out);
        if replay.differs {
            return Err(Difference::Draw);
        }
        compare(reply, &out)
    }
}

/// What was drawn, once more.
struct Replay {
    drawn: Option<(usize, Draw)>,
    differs: bool,
}

impl Draws for Replay {
    fn draw(&mut self, slot: usize) -> Draw {
        match self.drawn.take() {
            Some((of, draw)) if of == slot => draw,
            Some(_) | None => {
                self.differs = true;
                Draw::default()
            }
        }
    }
}
