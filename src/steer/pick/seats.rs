//! Which seats of a pool are answered.

use super::{Asking, PICKS_MAX, Picks, Seat};
use crate::{
    model::PoolAnswer,
    steer::{
        rendezvous::{arrival, mixed},
        steering::Row,
        wheel::{below, scaled, word},
    },
};

/// From here on a draw's words are those of second draws; below [`PICKS_MAX`] those of first ones.
const SECOND_WORDS: u64 = 16;
/// And those that pick other providers.
const SPREAD_WORDS: u64 = 32;
/// The whole of a share.
const WHOLE: u8 = 100;

impl Row {
    /// Draws an answer; `turn` is what the choice of the pool left of the draw's.
    #[inline(always)]
    pub(super) fn pick<'t>(&'t self, asking: &mut Asking<'_, '_>, turn: u32, out: &mut Picks<'t>) {
        let all = self.seats.len();
        let count = usize::from(self.count).min(all).min(PICKS_MAX);
        if all == 1 {
            out.push(&self.seats[0]);
            return;
        }
        let by = self.order(asking, count);
        if let (By::Chance, 1) = (&by, count) {
            return out.push(&self.seats[self.first_draw(asking.draw.word)]);
        }
        self.several(by, asking, turn, count, out);
    }

    /// The seat of [`Row::alone`].
    #[inline(always)]
    pub(super) fn single(&self, chance: u64) -> Option<&Seat> {
        if self.alone { self.seats.get(self.first_draw(chance)) } else { None }
    }

    /// With nothing taken before, the wheel is whole.
    #[inline(always)]
    fn first_draw(&self, chance: u64) -> usize {
        match &self.wheel {
            Some(wheel) => wheel.at(scaled(chance, wheel.sum())),
            None => below(chance, self.seats.len()),
        }
    }

    fn several<'t>(&'t self, by: By, asking: &mut Asking<'_, '_>, turn: u32, count: usize, out: &mut Picks<'t>) {
        let all = self.seats.len();
        match by {
            By::Order => self.in_order(asking, count, out),
            By::Window => self.window(asking.draw.word, count, out),
            By::Turn => self.by_turn(asking.draw.word, turn, count, out),
            By::Chance => self.by_chance(asking.draw.word, count, out),
            By::Load => self.less_busy(asking.draw.word, count, out),
            By::Client(key) => self.by_client(key, count, out),
        }
        let spread = usize::from(asking.tuned.spread);
        if 1 < spread && 1 < out.len() {
            self.spread(&by, asking.draw.word, turn, spread, out);
        }
        if self.answer == PoolAnswer::All && count < all {
            // Equal sets are equal answers.
            out.sort();
        }
    }

    /// Where the first draw falls and how far it may fall; `None` where chance does not decide.
    pub(super) fn drawn(&self, asking: &mut Asking<'_, '_>) -> Option<(u64, u64)> {
        let all = self.seats.len();
        let count = usize::from(self.count).min(all).min(PICKS_MAX);
        let of = match self.order(asking, count) {
            By::Order | By::Turn | By::Client(_) => return None,
            By::Window => all as u64,
            By::Chance | By::Load => self.wheel.as_ref().map_or(all as u64, |wheel| wheel.sum()),
        };
        (1 < all).then(|| (scaled(asking.draw.word, of), of))
    }

    /// What decides. The client is asked for its network only where that decides.
    #[inline(always)]
    fn order(&self, asking: &mut Asking<'_, '_>, count: usize) -> By {
        let by = match self.answer {
            PoolAnswer::First => return By::Order,
            PoolAnswer::All if count == self.seats.len() => return By::Order,
            PoolAnswer::Hash => {
                let key = asking.client.key(asking.tuned.sticky.unwrap_or_default());
                return By::Client(key.unwrap_or(asking.draw.word));
            }
            PoolAnswer::All => By::Window,
            PoolAnswer::RoundRobin => By::Turn,
            PoolAnswer::LeastConnections => By::Load,
            PoolAnswer::Random | PoolAnswer::Weighted => By::Chance,
        };
        asking.key().map_or(by, By::Client)
    }

    /// As they stand. One that comes back is passed over with the chance that its share lacks, and follows the others.
    fn in_order<'t>(&'t self, asking: &mut Asking<'_, '_>, count: usize, out: &mut Picks<'t>) {
        if !self.partial || self.answer == PoolAnswer::All {
            self.seats[..count].iter().for_each(|seat| out.push(seat));
            return;
        }
        let luck = asking.luck();
        let passed = |seat: &&Seat| seat.is_passed_over(luck);
        let (now, later) = (self.seats.iter().filter(|seat| !passed(seat)), self.seats.iter().filter(passed));
        now.chain(later).take(count).for_each(|seat| out.push(seat));
    }

    /// Of more than fit a window whose beginning is drawn, so that each has the same chance.
    fn window<'t>(&'t self, draw: u64, count: usize, out: &mut Picks<'t>) {
        let all = self.seats.len();
        let from = below(draw, all);
        (from..from + count).for_each(|at| out.push(&self.seats[at % all]));
    }

    fn by_turn<'t>(&'t self, draw: u64, turn: u32, count: usize, out: &mut Picks<'t>) {
        let all = self.seats.len();
        let from = turn as usize % all;
        if self.partial && self.seats[from].is_passed_over(draw) {
            // Followed by chance, and not by the next one, or that one would bear it all.
            return self.by_chance(draw, count, out);
        }
        (0..count).for_each(|nth| out.push(&self.seats[(from + nth) % all]));
    }

    /// Without replacement, by weight where there are any.
    fn by_chance<'t>(&'t self, draw: u64, count: usize, out: &mut Picks<'t>) {
        let mut taken = Taken::default();
        for nth in 0..count as u64 {
            let Some(at) = self.draw(word(draw, nth), &taken) else { break };
            taken.insert(at);
            out.push(&self.seats[at]);
        }
    }

    /// Of two drawn by weight the less busy, and the first where nobody knows. Without replacement.
    fn less_busy<'t>(&'t self, draw: u64, count: usize, out: &mut Picks<'t>) {
        let mut taken = Taken::default();
        for nth in 0..count as u64 {
            let Some(first) = self.draw(word(draw, nth), &taken) else { break };
            let mut both = taken;
            both.insert(first);
            let second = self.draw(word(draw, SECOND_WORDS + nth), &both);
            let busy = |at: usize| self.seats[at].busy;
            let less = |second: &usize| busy(*second).zip(busy(first)).is_some_and(|(one, other)| one < other);
            let at = second.filter(less).unwrap_or(first);
            taken.insert(at);
            out.push(&self.seats[at]);
        }
    }

    /// The first so many to arrive in the race for this client.
    fn by_client<'t>(&'t self, key: u64, count: usize, out: &mut Picks<'t>) {
        let mut best = [(f64::INFINITY, 0); PICKS_MAX];
        let mut filled = 0;
        for (at, seat) in self.seats.iter().enumerate() {
            let arrives = arrival(key, seat.key, self.weight(seat));
            let place = best[..filled].partition_point(|(before, _)| *before <= arrives);
            if place < count && arrives.is_finite() {
                best[place..count].rotate_right(1);
                best[place] = (arrives, at);
                filled = count.min(filled + 1);
            }
        }
        best[..filled].iter().for_each(|(_, at)| out.push(&self.seats[*at]));
    }

    /// The weight of a seat, where those without any weight between them are equal.
    fn weight(&self, seat: &Seat) -> u64 {
        if self.wheel.is_some() { seat.weight } else { 1 }
    }

    /// One of those left: a point on the wheel with the parts of those taken cut out, or a place counted past them.
    fn draw(&self, chance: u64, taken: &Taken) -> Option<usize> {
        let Some(wheel) = &self.wheel else {
            let left = self.seats.len().checked_sub(taken.count).filter(|left| 0 < *left)?;
            let place = below(chance, left);
            return Some(taken.ascending().fold(place, |at, before| at + usize::from(before <= at)));
        };
        let left = wheel.sum() - taken.ascending().map(|place| wheel.part(place).1).sum::<u64>();
        let point = scaled(chance, left);
        let cut = |point, before| {
            let (from, length) = wheel.part(before);
            if from <= point { point + length } else { point }
        };
        (0 < left).then(|| wheel.at(taken.ascending().fold(point, cut)))
    }

    /// Replaces seats of providers that are there twice, the last ones first, until there are enough providers or no
    /// others. Who stands first stays, and with it the shares of first answers.
    fn spread<'t>(&'t self, by: &By, draw: u64, turn: u32, wanted: usize, out: &mut Picks<'t>) {
        for nth in 0..PICKS_MAX as u64 {
            if wanted.min(out.len()) <= out.providers() {
                return;
            }
            let Some(place) = out.twice() else { return };
            let other = |seat: &&Seat| !out.seats().any(|picked| picked.provider == seat.provider);
            let others = || self.seats.iter().filter(other);
            let chosen = match by {
                By::Order => others().next(),
                By::Turn => {
                    let (before, behind) = self.seats.split_at(turn as usize % self.seats.len());
                    behind.iter().chain(before).find(other)
                }
                By::Client(key) => {
                    let arrives = |seat: &Seat| arrival(*key, seat.key, self.weight(seat));
                    others().filter(|seat| 0 < self.weight(seat)).min_by(|a, b| arrives(a).total_cmp(&arrives(b)))
                }
                By::Window | By::Chance | By::Load => {
                    let sum = others().map(|seat| self.weight(seat)).sum();
                    let mut point = scaled(word(draw, SPREAD_WORDS + nth), sum);
                    others().find(|seat| {
                        let weight = self.weight(seat);
                        let inside = point < weight;
                        point = point.saturating_sub(weight);
                        inside
                    })
                }
            };
            let Some(chosen) = chosen else { return };
            out.replace(place, chosen);
        }
    }
}

/// What decides which seats are answered.
enum By {
    /// The order they stand in.
    Order,
    /// A window by chance.
    Window,
    /// The turn.
    Turn,
    /// Chance.
    Chance,
    /// Chance, and load of two.
    Load,
    /// The client's network.
    Client(u64),
}

impl Seat {
    fn is_passed_over(&self, luck: u64) -> bool {
        self.share < WHOLE && u64::from(self.share) <= scaled(mixed(luck, self.key), u64::from(WHOLE))
    }
}

/// The places drawn before, smallest first.
#[derive(Default, Clone, Copy)]
struct Taken {
    places: [usize; PICKS_MAX + 1],
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
