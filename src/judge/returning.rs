//! How what was away comes back, and how a slow drain goes (DECIDING sections 5 and 6): shares in ten steps, and the
//! wait of a failback.
//!
//! Every step lies on a whole second of the clock (or a tenth, if steps are shorter than a second), and what comes back
//! within one of these has all its steps together: however many return, the new pictures are that few. Control wakes at
//! these times and steering reads the same functions at the picture's time, so both agree.

use std::time::Duration;

use super::Strength;
use crate::model::{Action, Fleet, MinUp, Mono, Override, Pool, Service, Wall, Weight, ms};

/// A growing share starts at a tenth and grows by a tenth.
const TENTH: u8 = 10;
/// Jumps between the first tenth and the whole.
const JUMPS: u64 = 9;
/// Steps of at least this lie on a multiple of it, in milliseconds.
const GRID_MS: u64 = 1_000;
/// Shorter ones lie on a multiple of this.
const FINE_GRID_MS: u64 = 100;

/// The share in percent of what came back at `returned`, in ten steps from 10 to 100; the whole from `ramp` after it on.
/// What never was away (or so long ago that it is forgotten) has the whole.
#[must_use]
pub fn share(returned: Option<Mono>, now: Mono, ramp: Duration) -> u8 {
    let Some(returned) = returned.filter(|_| !ramp.is_zero()) else { return 100 };
    TENTH * (1 + passed(returned.0, now.0, ramp))
}

/// When [`share`] is next another; `None` once it is the whole.
#[must_use]
pub fn next_step(returned: Option<Mono>, now: Mono, ramp: Duration) -> Option<Mono> {
    let returned = returned.filter(|_| !ramp.is_zero())?;
    ahead(returned.0, now.0, ramp).map(Mono)
}

/// The share in percent that a drain with `over` still leaves, in ten steps from 90 to 0, the first at its beginning;
/// 0 for a drain without. By the time of day, because that is what the order was written with.
#[must_use]
pub fn over_share(order: &Override, now: Wall) -> u8 {
    match slow(order) {
        Some(over) => TENTH * (9 - passed(order.from.0, now.0, over)),
        None => 0,
    }
}

/// When [`over_share`] is next another.
#[must_use]
pub fn next_over_step(order: &Override, now: Wall) -> Option<Wall> {
    let over = slow(order)?;
    ahead(order.from.0, now.0, over).map(Wall)
}

fn slow(order: &Override) -> Option<Duration> {
    order.over.filter(|over| order.action == Action::Drain && !over.is_zero())
}

/// Since when enough of a pool serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opened {
    /// For as long as any failback or ramp reaches back.
    Always,
    /// Since then.
    Since(Mono),
    /// Not enough of it serves.
    Never,
}

impl Opened {
    /// Whether it opened so lately that it stands behind pools that are open for longer.
    #[must_use]
    pub fn is_young(self, now: Mono, failback: Duration) -> bool {
        self.failback_end(failback).is_some_and(|end| now < end)
    }

    /// When its failback ends or ended; `None` if there is nothing to wait for.
    #[must_use]
    pub fn failback_end(self, failback: Duration) -> Option<Mono> {
        match self {
            Self::Since(at) if !failback.is_zero() => Some(after(at, failback)),
            Self::Always | Self::Since(_) | Self::Never => None,
        }
    }

    /// From when on its share grows: from the end of its failback.
    #[must_use]
    pub fn ramps_from(self, failback: Duration) -> Option<Mono> {
        match self {
            Self::Since(at) => Some(after(at, failback)),
            Self::Always | Self::Never => None,
        }
    }
}

/// The latest time since which those members that serve now suffice to open the pool: of each its weight in force,
/// whether it may serve, and when it returned.
#[must_use]
pub fn open_since(members: &[(Weight, bool, Option<Mono>)], min_up: MinUp) -> Opened {
    let opens = |since: Option<Mono>| {
        let counts = members.iter().map(|(weight, serves, returned)| (*weight, *serves && *returned <= since));
        counts.collect::<Strength>().opens(min_up)
    };
    if opens(None) {
        return Opened::Always;
    }
    let mut times: Vec<Mono> = members.iter().filter(|(_, serves, _)| *serves).filter_map(|member| member.2).collect();
    times.sort_unstable();
    let first = times.partition_point(|at| !opens(Some(*at)));
    times.get(first).map_or(Opened::Never, |at| Opened::Since(*at))
}

/// The ramp of a pool's members in a service: the pool's own stands before the service's.
#[must_use]
pub fn ramp_of(pool: &Pool, service: &Service) -> Duration {
    pool.ramp.unwrap_or(service.tuning.ramp)
}

/// The next time at which the failback or a step of the ramp of what returned then is reached; the ramp runs from the
/// return and, for a pool that waited, from the end of its failback.
#[must_use]
pub fn next_mark(returned: Mono, now: Mono, failback: Duration, ramp: Duration) -> Option<Mono> {
    let waited = (!failback.is_zero()).then(|| after(returned, failback));
    let marks = [
        next_step(Some(returned), now, ramp),
        waited.filter(|end| now < *end),
        waited.and_then(|end| next_step(Some(end), now, ramp)),
    ];
    marks.into_iter().flatten().min()
}

/// For how long after a return some failback or ramp of the fleet may reach it: the longest of each, and their rounding.
/// Zero where the fleet has neither.
#[must_use]
pub fn longest(fleet: &Fleet) -> Duration {
    let failback = fleet.services.iter().map(|service| service.tuning.failback).max().unwrap_or_default();
    let of_services = fleet.services.iter().map(|service| service.tuning.ramp);
    let of_pools = fleet.pools.iter().filter_map(|pool| pool.ramp);
    let ramp = of_services.chain(of_pools).max().unwrap_or_default();
    match failback.saturating_add(ramp) {
        Duration::ZERO => Duration::ZERO,
        both => both.saturating_add(Duration::from_millis(2 * GRID_MS)),
    }
}

fn after(at: Mono, wait: Duration) -> Mono {
    let wait = ms(wait);
    let grid = grid(wait);
    Mono(rounded_up(at.0, grid).saturating_add(rounded_up(wait, grid)))
}

/// How many of the jumps have been reached.
fn passed(from: u64, now: u64, length: Duration) -> u8 {
    let reached = (1..=JUMPS).take_while(|jump| jump_at(from, *jump, length) <= now).count();
    u8::try_from(reached).unwrap_or(u8::MAX)
}

/// The first jump that lies ahead.
fn ahead(from: u64, now: u64, length: Duration) -> Option<u64> {
    (1..=JUMPS).map(|jump| jump_at(from, jump, length)).find(|at| now < *at)
}

/// What begins together on the grid has all its jumps together.
fn jump_at(from: u64, jump: u64, length: Duration) -> u64 {
    let length = ms(length);
    let offset = u64::try_from(u128::from(length) * u128::from(jump) / u128::from(JUMPS)).unwrap_or(u64::MAX);
    let grid = grid(length / JUMPS);
    rounded_up(from, grid).saturating_add(offset - offset % grid)
}

fn grid(step: u64) -> u64 {
    if step < GRID_MS { FINE_GRID_MS } else { GRID_MS }
}

fn rounded_up(at: u64, grid: u64) -> u64 {
    at.div_ceil(grid).saturating_mul(grid)
}

#[cfg(test)]
mod tests;
