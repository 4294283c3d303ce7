//! What the rounds of one load on one server come to.

use std::collections::BTreeMap;

use crate::{load::Measured, rounds::Row};

/// All rounds of one load on one server.
pub struct Figures {
    rounds: BTreeMap<usize, Measured>,
}

/// A median between its quartiles.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    /// The quarter below.
    pub low: f64,
    /// The median.
    pub middle: f64,
    /// The quarter above.
    pub high: f64,
    /// Of how many.
    pub count: usize,
}

impl Spread {
    /// Of values in any order.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let place = share * values.len().saturating_sub(1) as f64;
            let (below, part) = (place.floor() as usize, place.fract());
            let get = |n: usize| values.get(n).copied().unwrap_or(f64::NAN);
            if part == 0.0 { get(below) } else { get(below) * (1.0 - part) + get(below + 1) * part }
        };
        Self { low: at(0.25), middle: at(0.5), high: at(0.75), count: values.len() }
    }
}

impl Figures {
    /// Nothing without a row.
    pub fn of<'r>(rows: impl Iterator<Item = &'r Row>) -> Option<Self> {
        let rounds: BTreeMap<usize, Measured> = rows.map(|row| (row.round, row.measured.clone())).collect();
        (!rounds.is_empty()).then_some(Self { rounds })
    }

    fn spread(&self, of: impl Fn(&Measured) -> f64) -> Spread {
        Spread::of(self.rounds.values().map(of).collect())
    }

    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        self.spread(of).middle
    }

    /// Ratios of the cost to another's, each within its round: what disturbs a round disturbs both.
    pub fn to(&self, other: &Self) -> Spread {
        let pair = |(round, ours): (&usize, &Measured)| Some(ours.cost() / other.rounds.get(round)?.cost());
        Spread::of(self.rounds.iter().filter_map(pair).collect())
    }

    /// Microseconds of processor for each query.
    pub fn cost(&self) -> Spread {
        self.spread(Measured::cost)
    }

    /// Those in user space: how ticks divide over all rounds, since those of one are few.
    pub fn user(&self) -> f64 {
        let sum = |of: fn(&Measured) -> f64| self.rounds.values().map(of).sum::<f64>();
        let ticks = sum(|m| (m.user + m.system) as f64).max(1.0);
        sum(|m| m.cpu) * 1e6 / sum(|m| m.answered as f64).max(1.0) * sum(|m| m.user as f64) / ticks
    }

    /// Replies a second.
    pub fn rate(&self) -> f64 {
        self.median(Measured::rate)
    }

    /// Microseconds.
    pub fn p50(&self) -> f64 {
        self.median(|m| m.p50)
    }

    /// Microseconds.
    pub fn p99(&self) -> f64 {
        self.median(|m| m.p99)
    }

    /// Of all rounds together.
    pub fn loss(&self) -> f64 {
        let sum = |of: fn(&Measured) -> u64| self.rounds.values().map(of).sum::<u64>() as f64;
        sum(|m| m.lost) / sum(|m| m.lost + m.answered).max(1.0)
    }

    /// MiB, at most.
    pub fn resident(&self) -> f64 {
        self.rounds.values().map(|m| m.resident).max().unwrap_or(0) as f64 / 1024.0
    }

    /// Share of its core that the server took.
    pub fn busy(&self) -> f64 {
        self.median(Measured::utilisation)
    }

    /// Share of its core that the generator took.
    pub fn own(&self) -> f64 {
        self.median(|m| m.own)
    }

    /// Share of the generator's time without anything to do.
    pub fn slack(&self) -> f64 {
        self.median(|m| m.slack)
    }

    /// Share of the server's core that others took.
    pub fn foreign(&self) -> f64 {
        self.median(|m| m.foreign)
    }

    /// In all rounds.
    pub fn faults(&self) -> u64 {
        self.rounds.values().map(|m| m.faults).sum()
    }
}
