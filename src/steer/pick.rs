//! One answer from a steering: chance and turn come from the caller, nothing is allocated, equal draws give equal picks.

use std::net::IpAddr;

use super::{
    explain::Drawn,
    locate::Client,
    steering::{Busy, Many, Row, Side, Steering},
    wheel::{scaled, word},
};
use crate::model::{ANSWER_ENDPOINTS_MAX, EndpointIx, Family, Mono, PoolAnswer, PoolIx, Steer};

/// Most addresses in one answer.
const PICKS_MAX: usize = ANSWER_ENDPOINTS_MAX as usize;
/// Which of a draw's words chooses the pool; those before it choose inside the pool.
const POOL_WORD: u64 = ANSWER_ENDPOINTS_MAX as u64;

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
    pub fn address(&self) -> Option<IpAddr> {
        match self.answer {
            Seated::Address(address) => Some(address),
            Seated::Target => None,
        }
    }
}

/// Room for the addresses of one answer; kept by the caller, so that a pick allocates nothing.
#[derive(Debug, Clone)]
pub struct Picks {
    seats: [Option<Seat>; PICKS_MAX],
    count: usize,
    ttl: u32,
}

impl Default for Picks {
    fn default() -> Self {
        Self::new()
    }
}

impl Picks {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self { seats: [None; PICKS_MAX], count: 0, ttl: 0 }
    }

    /// What was picked, in the order of the answer; no address twice.
    pub fn seats(&self) -> impl ExactSizeIterator<Item = &Seat> {
        self.seats[..self.count].iter().map(|seat| seat.as_ref().expect("those before the count are filled"))
    }

    /// The addresses alone.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.seats().filter_map(Seat::address)
    }

    /// How many seconds they may be remembered.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.ttl
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

    fn push(&mut self, seat: Seat) {
        self.seats[self.count] = Some(seat);
        self.count += 1;
    }
}

impl Steering {
    /// Draws the answer of a family into `out`, whose content before does not matter.
    pub fn pick(&self, family: Family, client: &mut Client<'_>, draw: Draw, out: &mut Picks) -> Outcome {
        out.clear();
        out.ttl = self.ttl();
        let rule = self.rule(client);
        let outcome = match self.side(rule, family) {
            Side::NoData => Outcome::NoData,
            Side::ServFail => Outcome::ServFail,
            Side::One(row) => {
                row.pick(draw, out);
                Outcome::Addresses
            }
            Side::Many(many) => {
                let (row, turn) = self.row(many, draw);
                row.pick(Draw { turn, ..draw }, out);
                Outcome::Addresses
            }
        };
        if out.seats().next().is_some_and(|seat| seat.answer == Seated::Target) {
            // A CNAME stands alone.
            out.count = 1;
            return Outcome::Target;
        }
        outcome
    }

    /// Where the first draw inside the pool falls; `None` where chance does not decide there.
    pub(super) fn drawn(&self, family: Family, client: &mut Client<'_>, draw: Draw) -> Option<Drawn> {
        let rule = self.rule(client);
        let row = match self.side(rule, family) {
            Side::NoData | Side::ServFail => return None,
            Side::One(row) => row,
            Side::Many(many) => self.row(many, draw).0,
        };
        let of = match (row.answer, &row.wheel) {
            (PoolAnswer::Weighted, Some(wheel)) => wheel.sum(),
            (PoolAnswer::Weighted, None)
            | (PoolAnswer::Random | PoolAnswer::LeastConnections | PoolAnswer::Hash, _) => row.seats.len() as u64,
            (PoolAnswer::All, _) if usize::from(row.count) < row.seats.len() => row.seats.len() as u64,
            (PoolAnswer::All | PoolAnswer::First | PoolAnswer::RoundRobin, _) => return None,
        };
        Some(Drawn { point: scaled(draw.word, of), of })
    }

    /// Which pool, and the turn that is left for it: with turns on both levels the pool's own must advance once a
    /// round, or an even number of pools would always meet the same endpoint.
    fn row<'t>(&self, many: &'t Many, draw: Draw) -> (&'t Row, u32) {
        let chance = word(draw.word, POOL_WORD);
        let count = many.rows.len();
        let pools = u32::try_from(count).expect("a service has few pools");
        let (at, turn) = match (many.steer, &many.wheel) {
            (Steer::Failover | Steer::Nearest | Steer::Fastest | Steer::All, _) => (0, draw.turn),
            (Steer::RoundRobin, _) => ((draw.turn % pools) as usize, draw.turn / pools),
            (Steer::Weighted, Some(wheel)) => (wheel.at(scaled(chance, wheel.sum())), draw.turn),
            (Steer::Weighted, None) | (Steer::Random | Steer::LeastConnections, _) => (below(chance, count), draw.turn),
        };
        (&many.rows[at].row, turn)
    }
}

fn below(word: u64, count: usize) -> usize {
    usize::try_from(scaled(word, count as u64)).expect("it is below a usize")
}

impl Row {
    fn pick(&self, draw: Draw, out: &mut Picks) {
        let all = self.seats.len();
        let count = usize::from(self.count).min(all).min(PICKS_MAX);
        match self.answer {
            PoolAnswer::First => self.seats[..count].iter().for_each(|seat| out.push(*seat)),
            PoolAnswer::All => self.window(draw, count, out),
            PoolAnswer::RoundRobin => {
                let from = draw.turn as usize % all;
                (0..count).for_each(|nth| out.push(self.seats[(from + nth) % all]));
            }
            PoolAnswer::Random | PoolAnswer::LeastConnections | PoolAnswer::Hash => self.random(draw, count, out),
            PoolAnswer::Weighted => self.weighted(draw, count, out),
        }
    }

    /// All, or of more than fit a window whose beginning is drawn, so that each has the same chance. In order, so that
    /// equal windows are equal answers.
    fn window(&self, draw: Draw, count: usize, out: &mut Picks) {
        let all = self.seats.len();
        let from = if count < all { below(draw.word, all) } else { 0 };
        let wrapped = (from + count).saturating_sub(all);
        let to = (from + count).min(all);
        self.seats[..wrapped].iter().chain(&self.seats[from..to]).for_each(|seat| out.push(*seat));
    }

    /// Without replacement: the nth draw is among those left, counted past the ones taken.
    fn random(&self, draw: Draw, count: usize, out: &mut Picks) {
        let mut taken = Taken::default();
        for nth in 0..count {
            let left = self.seats.len() - nth;
            let mut at = below(word(draw.word, nth as u64), left);
            for before in taken.ascending() {
                at += usize::from(before <= at);
            }
            taken.insert(at);
            out.push(self.seats[at]);
        }
    }

    /// Without replacement: the nth draw is a point on the wheel with the parts of those taken cut out.
    fn weighted(&self, draw: Draw, count: usize, out: &mut Picks) {
        let Some(wheel) = &self.wheel else { return self.random(draw, count, out) };
        let mut taken = Taken::default();
        let mut left = wheel.sum();
        for nth in 0..count {
            if left == 0 {
                break;
            }
            let mut point = scaled(word(draw.word, nth as u64), left);
            for before in taken.ascending() {
                let (from, length) = wheel.part(before);
                point += if from <= point { length } else { 0 };
            }
            let at = wheel.at(point);
            taken.insert(at);
            left -= wheel.part(at).1;
            out.push(self.seats[at]);
        }
    }
}

/// The places drawn before, smallest first.
#[derive(Default)]
struct Taken {
    places: [usize; PICKS_MAX],
    count: usize,
}

impl Taken {
    fn ascending(&self) -> impl Iterator<Item = usize> + '_ {
        self.places[..self.count].iter().copied()
    }

    fn insert(&mut self, place: usize) {
        let at = self.places[..self.count].partition_point(|before| *before < place);
        self.places.copy_within(at..self.count, at + 1);
        self.places[at] = place;
        self.count += 1;
    }
}

#[cfg(test)]
mod tests;
