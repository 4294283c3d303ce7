//! The fast way to an answer: in place, without allocation, lock or clock.
//!
//! It takes only what it can prove to answer like the general path (a served name or none, addresses, fixed records and
//! negative answers that fit) and hands everything else over untouched. Reading, looking up, drawing and picking are the
//! general path's own functions, on the same chance and turns; only the writing is made again here.
//! `tests/it/dns_equal.rs` asks both the same, and [`Desk::recheck`] does so for a sample while a node serves.

mod alike;
mod put;

use std::net::{IpAddr, SocketAddr};

pub use self::alike::{Difference, compare};
use self::put::Put;
use super::{
    answer::{Asker, Draws, answer},
    desk::{Chance, Client, Desk, Face},
    message::{Ede, Rcode, STREAM_SIZE_MAX, meta},
    read::{LowerName, Plain, Reading, dropped, plain, read},
    write::{self, Own, Room},
};
use crate::{
    model::{Family, Mono, Rrset, kind},
    steer::{self, AnswerTable, Draw, Lookup, Outcome, Picks, Single, Steering, ZoneTable},
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

/// What in front of a name asks for the reasons of its answer.
const WHY: &[u8; 5] = b"\x04_why";

impl Desk {
    /// Answers the datagram in `slot[..length]` by writing the reply over it. `now` is on the clock that the tables'
    /// deadlines are on, and may be read once for a batch.
    pub fn fast(&mut self, slot: &mut [u8], length: usize, from: SocketAddr, now: Mono) -> Fast {
        self.fast_for(slot, length, &Client { address: from, proto: Proto::Udp, keepalive: None }, now)
    }

    /// The same through any door. A reply longer than the slot is left to the general path.
    pub fn fast_for(&mut self, slot: &mut [u8], length: usize, client: &Client, now: Mono) -> Fast {
        let Self { table, face, chance, counts, shares, name, .. } = self;
        let asking = Asking { table: table.table(), face, client, now, room: slot.len() };
        chance.forget();
        let Some(query) = plain(&slot[..length], face.ecs, name) else { return other(&slot[..length], counts) };
        if !is_plain(query.kind) || name.wire().first_chunk() == Some(WHY) {
            return Fast::General;
        }
        let asked = asking.asked(&query);
        let lookup = asking.table.lookup_hashed(name.hash(), name.wire(), query.kind);
        let mut picks = Picks::new();
        let Some(found) = asking.find(&asked, lookup, chance, &mut picks) else { return Fast::General };
        let written = Put::begin(slot, &asked).reply(&found, &picks, asking.own());
        counts.asked(client.proto, client.address.is_ipv6(), query.kind);
        if query.edns.as_ref().is_some_and(|edns| edns.subnet.is_some()) {
            counts.told_subnet(0 < found.scope);
        }
        counts.replied(client.proto, found.rcode.number(), false);
        match found.data {
            Data::Single(steering, one) => shares.count(asking.table, steering, one.pool, counts),
            Data::Picked(steering) => {
                if let Some(seat) = picks.seats().next() {
                    shares.count(asking.table, steering, seat.pool, counts);
                }
            }
            Data::Nothing | Data::Set(_) | Data::Negative(..) => {}
        }
        Fast::Replied(written)
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
    asked != kind::OPT && asked != kind::IXFR && asked < meta::TKEY
}

/// What is the same for a packet however it is answered.
struct Asking<'a, 't> {
    table: &'t AnswerTable,
    face: &'a Face,
    client: &'a Client,
    now: Mono,
    /// Octets of the slot.
    room: usize,
}

/// What is asked, apart from the packet.
struct Asked<'q> {
    query: &'q Plain,
    /// What the OPT will take, without an explanation.
    tail: usize,
    /// Where the records must end.
    limit: usize,
}

/// What is answered.
struct Found<'t> {
    rcode: Rcode,
    authoritative: bool,
    data: Data<'t>,
    scope: u8,
    ede: Option<Ede>,
}

enum Data<'t> {
    Nothing,
    /// Fixed records of the name.
    Set(Rrset<'t>),
    /// The proof that there is nothing.
    Negative(&'t ZoneTable, Rrset<'t>),
    /// One address.
    Single(&'t Steering, Single<'t>),
    /// The addresses in the picks.
    Picked(&'t Steering),
}

impl<'t> Asking<'_, 't> {
    fn own(&self) -> Own<'_> {
        Own { face: self.face, keepalive: self.client.keepalive }
    }

    #[inline(always)]
    fn asked<'q>(&self, query: &'q Plain) -> Asked<'q> {
        let limit = match self.client.proto {
            Proto::Udp => write::datagram_limit(query.edns.as_ref(), self.face),
            Proto::Tcp => STREAM_SIZE_MAX,
        };
        let tail = query.edns.as_ref().map_or(0, |edns| self.own().opt_length(edns));
        Asked { query, tail, limit: limit.saturating_sub(tail) }
    }

    /// `None` is for the general path, and nothing has been drawn by then.
    #[inline(always)]
    fn find(
        &self,
        asked: &Asked<'_>,
        lookup: Lookup<'t>,
        chance: &mut Chance,
        picks: &mut Picks<'t>,
    ) -> Option<Found<'t>> {
        // Whether an explanation fits is the reply's business, and that it fits into the slot too is seen to here.
        let end = asked.limit.min(self.room.saturating_sub(asked.tail + write::EDE_LENGTH));
        let fits = |octets| asked.query.end + octets <= end;
        let fixed = |rcode, data| Found { rcode, authoritative: true, data, scope: 0, ede: None };
        let negative = |zone: &'t ZoneTable, rcode| {
            let soa = zone.negative();
            (soa.count == 1 && fits(soa.records.len())).then(|| fixed(rcode, Data::Negative(zone, soa)))
        };
        match lookup {
            Lookup::Found { zone, sets, steering, .. } => {
                if let Some(steering) = steering {
                    let family = match asked.query.kind {
                        kind::A => Some(Family::V4),
                        kind::AAAA => Some(Family::V6),
                        _ => None,
                    };
                    // Other names, and what is made for both families, are rare.
                    if steering.has_targets() || asked.query.kind == kind::HTTPS {
                        return None;
                    }
                    if let Some(family) = family {
                        let soa = zone.negative();
                        let most = put::PICKED_MAX.max(soa.records.len());
                        if soa.count != 1 || !fits(most) {
                            return None;
                        }
                        let draw = Draw { now: self.now, ..chance.draw(steering.slot(family)) };
                        if let Some(one) = steering.single(family, draw) {
                            let ede = one.stale.then_some(Ede::StaleAnswer);
                            return Some(Found { ede, ..fixed(Rcode::NoError, Data::Single(steering, one)) });
                        }
                        let negative = Data::Negative(zone, soa);
                        let network = if steering.is_blind() {
                            None
                        } else {
                            Asker::network_of(asked.query.edns.as_ref(), self.client.address)
                        };
                        return Some(self.picked(network, family, negative, steering, draw, picks));
                    }
                }
                if let Some(set) = sets.find(asked.query.kind) {
                    let set = if asked.query.kind == kind::SOA { zone.current(set) } else { set };
                    return fits(set.records.len()).then(|| fixed(Rcode::NoError, Data::Set(set)));
                }
                // An alias is followed on the general path.
                if sets.find(kind::CNAME).is_some() {
                    return None;
                }
                negative(zone, Rcode::NoError)
            }
            Lookup::NoName { zone } => negative(zone, Rcode::NxDomain),
            Lookup::NotOurs => fits(0).then_some(Found {
                rcode: Rcode::Refused,
                authoritative: false,
                data: Data::Nothing,
                scope: 0,
                ede: Some(Ede::NotAuthoritative),
            }),
            Lookup::Referral { .. } | Lookup::Dname { .. } => None,
        }
    }

    fn picked(
        &self,
        network: Option<(IpAddr, u8)>,
        family: Family,
        negative: Data<'t>,
        steering: &'t Steering,
        draw: Draw,
        picks: &mut Picks<'t>,
    ) -> Found<'t> {
        let mut client = match network {
            Some((address, bits)) => steer::Client::new(self.table.locator(), address, bits),
            None => steer::Client::nobody(),
        };
        let (rcode, data) = match steering.pick(family, &mut client, draw, picks) {
            Outcome::Addresses => (Rcode::NoError, Data::Picked(steering)),
            // A service that has targets is left to the general path.
            Outcome::NoData | Outcome::Target => (Rcode::NoError, negative),
            Outcome::ServFail => (Rcode::ServFail, Data::Nothing),
        };
        let is_stale = matches!(data, Data::Picked(_)) && picks.is_stale();
        let ede = is_stale.then_some(Ede::StaleAnswer);
        Found { rcode, authoritative: rcode == Rcode::NoError, data, scope: client.scope(), ede }
    }
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
