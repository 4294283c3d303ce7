//! One answer from a steering: chance and turn come from the caller, nothing is allocated, equal draws give equal picks.

mod pools;
mod seats;

use std::net::IpAddr;

use super::{
    explain::Drawn,
    locate::Client,
    steering::{Busy, Side, Steering, Tuned},
};
use crate::model::{ANSWER_ENDPOINTS_MAX, EndpointIx, Family, Mono, PoolIx};

/// Most addresses in one answer.
const PICKS_MAX: usize = ANSWER_ENDPOINTS_MAX as usize;

/// Chance, turn and time of one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Draw {
    /// Uniform over all 64 bits.
    pub word: u64,
    /// Counts the answers of one (door thread, [`Steering::slot`]), from a phase of its own.
    pub turn: u32,
    /// When: answers that may soon change live no longer than until then.
    pub now: Mono,
}

/// What a pick came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// At least one address.
    Addresses,
    /// One endpoint that is a target: answered as a CNAME, or with the target's addresses.
    Target,
    /// The name exists, the family has nothing: NOERROR with SOA.
    NoData,
    /// The service is set to fail when nothing is healthy.
    ServFail,
}

/// An address that may be answered, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seat {
    /// What is answered.
    pub answer: Seated,
    /// Whose it is.
    pub endpoint: EndpointIx,
    /// Of which pool.
    pub pool: PoolIx,
    /// What rendezvous hashing knows its endpoint by.
    pub(super) key: u64,
    /// Equal for endpoints of one provider.
    pub(super) provider: u32,
    /// Its part of the wheel, made of weight and share; 1 for all where the answer mode reads no weights and all have
    /// their whole share.
    pub(super) weight: u64,
    /// In percent: below 100 while it comes back, or leaves in steps.
    pub(super) share: u8,
    /// How busy it is, comparable with its neighbours; only where the answer mode reads it.
    pub(super) busy: Option<Busy>,
    /// The earliest time at which it may become down.
    pub(super) flips_at: Option<Mono>,
}

/// What a seat is answered as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Seated {
    /// An address.
    Address(IpAddr),
    /// The target of its endpoint.
    Target,
}

impl Seat {
    /// Its address; `None` for a target.
    #[must_use]
    #[inline(always)]
    pub fn address(&self) -> Option<IpAddr> {
        match self.answer {
            Seated::Address(address) => Some(address),
            Seated::Target => None,
        }
    }
}

/// Room for the addresses of one answer; kept by the caller, so that a pick allocates nothing. What is picked stays where
/// it stands in the table.
#[derive(Debug, Clone)]
pub struct Picks<'t> {
    seats: [Option<&'t Seat>; PICKS_MAX],
    count: usize,
    ttl: u32,
    stale: bool,
}

impl Default for Picks<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'t> Picks<'t> {
    /// Empty.
    #[must_use]
    #[inline]
    pub fn new() -> Self {
        Self { seats: [None; PICKS_MAX], count: 0, ttl: 0, stale: false }
    }

    /// What was picked, in the order of the answer; no address twice.
    #[inline(always)]
    pub fn seats(&self) -> impl ExactSizeIterator<Item = &'t Seat> {
        self.seats[..self.count].iter().map(|seat| seat.expect("those before the count are filled"))
    }

    /// The addresses alone.
    #[inline(always)]
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.seats().filter_map(Seat::address)
    }

    /// How many seconds they may be remembered.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Whether nothing is healthy, and these are of the last set answered while something was.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// How many there are; 1 to 8 after [`Outcome::Addresses`], else 0.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing was picked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn clear(&mut self) {
        self.count = 0;
    }

    fn push(&mut self, seat: &'t Seat) {
        self.seats[self.count] = Some(seat);
        self.count += 1;
    }

    fn replace(&mut self, place: usize, seat: &'t Seat) {
        self.seats[place] = Some(seat);
    }

    fn sort(&mut self) {
        self.seats[..self.count].sort_unstable_by_key(|seat| seat.map(|seat| seat.answer));
    }

    /// How many providers there are among them.
    fn providers(&self) -> usize {
        (0..self.count).filter(|at| !self.stands_before(*at)).count()
    }

    /// The last one whose provider stands before it too.
    fn twice(&self) -> Option<usize> {
        (0..self.count).rev().find(|at| self.stands_before(*at))
    }

    fn stands_before(&self, at: usize) -> bool {
        let provider = |seat: &Option<&Seat>| seat.map(|seat| seat.provider);
        self.seats[..at].iter().any(|before| provider(before) == provider(&self.seats[at]))
    }
}

/// An answer of one address that nobody's network decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Single<'t> {
    /// What is answered.
    pub address: &'t IpAddr,
    /// Of which pool.
    pub pool: PoolIx,
    /// As [`Picks::ttl`].
    pub ttl: u32,
}

impl Steering {
    /// The same answer as [`Self::pick`]'s where all clients are alike, something is healthy, and chance says which one
    /// address of one pool it is; `None` leaves it to [`Self::pick`]. Most services are so, and no room for several is filled and read again.
    #[inline(always)]
    #[must_use]
    pub fn single(&self, family: Family, draw: Draw) -> Option<Single<'_>> {
        let seat = match &self.sides[family.index()] {
            Side::One(row) if self.tuned.is_blind && !self.stale[family.index()] => row.single(draw.word)?,
            Side::One(_) | Side::Many(_) | Side::NoData | Side::ServFail => return None,
        };
        let Seated::Address(address) = &seat.answer else { return None };
        let ttl = self.tuned.ttl_at(draw.now, std::iter::once(seat));
        Some(Single { address, pool: seat.pool, ttl })
    }

    /// Draws the answer of a family into `out`, whose content before does not matter. What it looks at of the client
    /// raises the client's scope, and nothing else does.
    #[inline(always)]
    pub fn pick<'t>(&'t self, family: Family, client: &mut Client<'_>, draw: Draw, out: &mut Picks<'t>) -> Outcome {
        out.clear();
        let rule = self.rule(client);
        out.stale = self.is_stale(rule, family);
        let mut asking = Asking { client, draw, tuned: &self.tuned };
        let none = |out: &mut Picks<'t>, outcome| {
            out.ttl = self.tuned.ttl_at(draw.now, out.seats());
            outcome
        };
        let (row, turn) = match self.side(rule, family) {
            Side::NoData => return none(out, Outcome::NoData),
            Side::ServFail => return none(out, Outcome::ServFail),
            Side::One(row) => (row, draw.turn),
            Side::Many(many) => {
                let (at, turn) = many.choose(&mut asking);
                (&many.rows[at].row, turn)
            }
        };
        row.pick(&mut asking, turn, out);
        out.ttl = self.tuned.ttl_at(draw.now, out.seats());
        if out.seats().next().is_some_and(|seat| seat.answer == Seated::Target) {
            // A CNAME stands alone.
            out.count = 1;
            return Outcome::Target;
        }
        Outcome::Addresses
    }

    /// Where the first draw inside the pool falls; `None` where chance does not decide there.
    pub(super) fn drawn(&self, family: Family, client: &mut Client<'_>, draw: Draw) -> Option<Drawn> {
        let rule = self.rule(client);
        let mut asking = Asking { client, draw, tuned: &self.tuned };
        let row = match self.side(rule, family) {
            Side::NoData | Side::ServFail => return None,
            Side::One(row) => row,
            Side::Many(many) => &many.rows[many.choose(&mut asking).0].row,
        };
        row.drawn(&mut asking).map(|(point, of)| Drawn { point, of })
    }
}

impl Tuned {
    /// How long an answer of these seats may be remembered, in seconds: no longer than until one of them may become
    /// down or a timer ends, in whole steps, so that a result more or less changes nothing.
    #[inline(always)]
    fn ttl_at<'s>(&self, now: Mono, seats: impl Iterator<Item = &'s Seat>) -> u32 {
        let mut end = self.deadline;
        for seat in seats {
            if let Some(flips_at) = seat.flips_at {
                end = Some(end.map_or(flips_at, |end| end.min(flips_at)));
            }
        }
        let Some(end) = end else { return self.ttl };
        let step = u64::from(self.step_ms);
        let left = end.0.saturating_sub(now.0).div_ceil(step).saturating_mul(step).div_ceil(1_000);
        u32::try_from(left).unwrap_or(u32::MAX).clamp(self.ttl_min, self.ttl)
    }
}

/// One query at its steering.
struct Asking<'a, 't> {
    client: &'a mut Client<'t>,
    draw: Draw,
    tuned: &'a Tuned,
}

impl Asking<'_, '_> {
    /// The client's network, where the service answers the same network the same; `None` for clients that have none.
    fn key(&mut self) -> Option<u64> {
        self.client.key(self.tuned.sticky?)
    }

    /// What stands for chance: always the same for the same network, where that is asked.
    fn luck(&mut self) -> u64 {
        self.key().unwrap_or(self.draw.word)
    }
}

#[cfg(test)]
mod tests;
