//! What an order would take away, and what refuses it (DECIDING section 5).
//!
//! A `down` is refused where it takes the last endpoint that is not down from a service; a `drain` never is for that,
//! because healthy drained endpoints go on serving where nothing else is healthy. `keep` rules bind both. Looked at is
//! every time at which the order would hold together with others, planned ones included, so that two planned
//! evacuations cannot meet, and an order that outlasts another is looked at as what it is then.

mod drained;

use std::{collections::HashSet, fmt, time::Duration};

pub use self::drained::safe_to_stop_at;
use super::Orders;
use crate::model::{
    Action, Availability, EndpointIx, Family, Fleet, Glob, Health, KeepRule, Lane, Override, PoolIx, Safety, Selector,
    ServiceIx, Snapshot, SubjectIx, Verdict, Wall,
};

/// At most so many beginnings and ends of other overrides are looked at one by one; what comes later is taken together.
const INSTANTS_MAX: usize = 64;

/// What an order would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// Why it is refused unless forced; empty if nothing speaks against it.
    pub refusals: Vec<Refusal>,
    /// `down` refused for emptiness: the endpoints it takes in whose leaving empties nothing; the same order for these
    /// passes. Empty for scopes pool and service, where no endpoint's order says the same.
    pub safe: Vec<EndpointIx>,
    /// `drain`: those it takes in that go on serving, because a service has nothing else that is healthy.
    pub kept: Vec<EndpointIx>,
}

/// Why an order is refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// It takes away the last endpoint of a service that is not down.
    EmptiesService {
        /// Which.
        service: ServiceIx,
        /// What it had left.
        last: Vec<EndpointIx>,
    },
    /// It leaves fewer groups than a rule keeps.
    Keep {
        /// The rule's name.
        rule: String,
        /// How many groups it keeps.
        keep: u16,
        /// The groups that would be left.
        left: Vec<Selector>,
        /// The groups it would take away.
        lost: Vec<Selector>,
    },
    /// Overrides together would take out more of the fleet than [`Safety::max_drained`].
    MaxDrained {
        /// The share that may be out, in percent.
        max: u8,
        /// Endpoints that would be out.
        out: usize,
        /// Endpoints there are.
        of: usize,
    },
}

impl Refusal {
    /// A stable word, as problems carry it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::EmptiesService { .. } => "safety.empties_service",
            Self::Keep { .. } => "safety.keep",
            Self::MaxDrained { .. } => "safety.max_drained",
        }
    }

    /// In words.
    #[must_use]
    pub fn explain(&self, fleet: &Fleet) -> String {
        match self {
            Self::EmptiesService { service, last } => {
                let last: Vec<_> = last.iter().map(|ix| fleet.endpoint(*ix).id.as_str()).collect();
                let service = &fleet.service(*service).id;
                format!(
                    "service {service} would have no endpoint left that is not down: it takes away {}",
                    last.join(", ")
                )
            }
            Self::Keep { rule, keep, left, lost } => {
                format!("rule {rule} keeps {keep}: it takes away {}, and {} would be left", Listed(lost), Listed(left))
            }
            Self::MaxDrained { max, out, of } => {
                format!("{out} of {of} endpoints would be out by overrides, and max_drained allows {max} %")
            }
        }
    }
}

struct Listed<'l>(&'l [Selector]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("none"),
            list => f.write_str(&list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

/// What `order` would do beside `others` (in force or planned; itself is left out by id), given the verdicts of a
/// [`Snapshot`].
#[must_use]
pub fn weigh(fleet: &Fleet, verdicts: &[Option<Verdict>], others: &[Override], order: &Override, now: Wall) -> Effect {
    let down = order.action == Action::Down;
    if !down && order.action != Action::Drain {
        return Effect::default();
    }
    let mut effect = Effect::default();
    for active in meetings(others, order, now) {
        let mut with = active.clone();
        with.push(order.clone());
        let before = Picture { fleet, verdicts, orders: Orders::new(fleet, &active) };
        let after = Picture { fleet, verdicts, orders: Orders::new(fleet, &with) };
        if down {
            for (service, last) in emptied(&before, &after) {
                add(&mut effect.refusals, Refusal::EmptiesService { service, last });
            }
        } else {
            kept(&after, order).for_each(|endpoint| add(&mut effect.kept, endpoint));
        }
        drained::too_much(&before, &after).into_iter().for_each(|refusal| add(&mut effect.refusals, refusal));
        for rule in &fleet.safety.rules {
            broken(rule, &before, &after).into_iter().for_each(|refusal| add(&mut effect.refusals, refusal));
        }
    }
    effect.safe = safe(fleet, order, &effect.refusals);
    effect
}

fn add<T: PartialEq>(list: &mut Vec<T>, new: T) {
    if !list.contains(&new) {
        list.push(new);
    }
}

/// For each time at which another order begins or ends while the order holds: what holds beside it from then on. An
/// `up` or a narrower drain may stand against it until it ends; what takes out the same until it ends leaves it to this
/// one alone.
fn meetings(others: &[Override], order: &Override, now: Wall) -> Vec<Vec<Override>> {
    let start = order.from.max(now);
    let beside = || {
        let counts = |other: &&Override| other.action.lane() == Lane::Availability && other.id != order.id;
        others.iter().filter(counts).filter(|other| other.from < order.expires && start < other.expires)
    };
    let ends = beside().map(|other| other.expires).filter(|end| *end < order.expires);
    let mut instants: Vec<Wall> = beside().map(|other| other.from.max(start)).chain(ends).chain([start]).collect();
    instants.sort_unstable();
    instants.dedup();
    let late = instants.split_off(instants.len().min(INSTANTS_MAX));
    let mut meetings: Vec<Vec<Override>> =
        instants.iter().map(|at| beside().filter(|other| other.holds(*at)).cloned().collect()).collect();
    if let Some(first) = late.first() {
        let late = || beside().filter(|other| *first < other.expires);
        let takes_out = |other: &&Override| matches!(other.action, Action::Drain | Action::Down);
        meetings.extend([late().cloned().collect(), late().filter(takes_out).cloned().collect(), Vec::new()]);
    }
    meetings
}

struct Picture<'s> {
    fleet: &'s Fleet,
    verdicts: &'s [Option<Verdict>],
    orders: Orders<'s>,
}

/// A member of a pool in a service.
#[derive(Clone, Copy)]
struct Use {
    service: ServiceIx,
    pool: PoolIx,
    subject: SubjectIx,
    endpoint: EndpointIx,
}

impl Picture<'_> {
    /// What counts of a subject before orders: the better of its families.
    fn health(&self, subject: SubjectIx) -> Health {
        let of = |family| self.verdicts.get(Snapshot::slot(subject, family))?.as_ref();
        let health = |verdict: &Verdict| match verdict.order {
            Some((Availability::Up | Availability::Down, _)) => verdict.measured,
            Some((Availability::Drain, _)) | None => verdict.health,
        };
        Family::ALL.into_iter().filter_map(of).map(health).min().unwrap_or(Health::Unknown)
    }

    fn uses(&self, service: ServiceIx) -> impl Iterator<Item = Use> {
        self.fleet.service(service).arms.iter().flat_map(move |arm| {
            let members = self.fleet.pool(arm.pool).members.iter().zip(&arm.subjects);
            members.map(move |(member, subject)| Use {
                service,
                pool: arm.pool,
                subject: *subject,
                endpoint: member.endpoint,
            })
        })
    }

    fn order(&self, used: Use) -> Option<Action> {
        self.orders.in_membership(used.service, used.pool, used.endpoint).map(|order| order.action.clone())
    }

    /// It could serve, be it drained.
    fn left(&self, used: Use) -> bool {
        match self.order(used) {
            Some(Action::Down) => false,
            Some(Action::Up) => true,
            _ => self.health(used.subject) != Health::Down,
        }
    }

    /// It is neither ordered out nor down.
    fn stays(&self, used: Use) -> bool {
        self.left(used) && self.order(used) != Some(Action::Drain)
    }
}

/// Services that lose their last endpoint, with it.
fn emptied<'p>(
    before: &'p Picture<'_>,
    after: &'p Picture<'_>,
) -> impl Iterator<Item = (ServiceIx, Vec<EndpointIx>)> + 'p {
    before.fleet.services().filter_map(|(service, _)| {
        if after.uses(service).any(|used| after.left(used)) {
            return None;
        }
        let mut last: Vec<_> =
            before.uses(service).filter(|used| before.left(*used)).map(|used| used.endpoint).collect();
        last.sort_unstable();
        last.dedup();
        (!last.is_empty()).then_some((service, last))
    })
}

/// Endpoints that the order drains and that serve all the same.
fn kept<'p>(after: &'p Picture<'_>, order: &'p Override) -> impl Iterator<Item = EndpointIx> + 'p {
    let services = after.fleet.services().filter(|(service, _)| !after.uses(*service).any(|used| after.stays(used)));
    services.flat_map(move |(service, _)| {
        after.uses(service).filter_map(move |used| {
            let by = after.orders.in_membership(used.service, used.pool, used.endpoint)?;
            (by.id == order.id && after.left(used)).then_some(used.endpoint)
        })
    })
}

/// The rule, if it is broken by what changed.
fn broken(rule: &KeepRule, before: &Picture<'_>, after: &Picture<'_>) -> Option<Refusal> {
    let left: Vec<Selector> = rule.of.iter().filter(|group| keeps(after, group)).cloned().collect();
    if left.len() >= usize::from(rule.keep) {
        return None;
    }
    let lost: Vec<Selector> =
        rule.of.iter().filter(|group| keeps(before, group) && !left.contains(group)).cloned().collect();
    (!lost.is_empty()).then(|| Refusal::Keep { rule: rule.name.clone(), keep: rule.keep, left, lost })
}

/// Whether a group has an endpoint that stays: in some use, or as such where no service uses it.
fn keeps(picture: &Picture<'_>, group: &Selector) -> bool {
    let fleet = picture.fleet;
    let named = |glob: &Glob, id: &str| glob.fits(id);
    let takes = |used: Use| match group {
        Selector::Pool(glob) => named(glob, fleet.pool(used.pool).id.as_str()),
        Selector::Service(glob) => named(glob, fleet.service(used.service).id.as_str()),
        Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_) | Selector::All => {
            fleet.covers(group, used.endpoint)
        }
    };
    let mut used_endpoints = HashSet::new();
    for used in fleet.services().flat_map(|(service, _)| picture.uses(service)) {
        used_endpoints.insert(used.endpoint);
        if takes(used) && picture.stays(used) {
            return true;
        }
    }
    fleet.subjects.iter().enumerate().any(|(place, subject)| {
        let ordered = || picture.orders.availability(subject.endpoint).map(|order| order.action.clone());
        !used_endpoints.contains(&subject.endpoint)
            && fleet.covers(group, subject.endpoint)
            && match ordered() {
                Some(Action::Drain | Action::Down) => false,
                Some(Action::Up) => true,
                _ => picture.health(SubjectIx::new(place)) != Health::Down,
            }
    })
}

/// What the order may still take if each blocked service keeps what it has.
fn safe(fleet: &Fleet, order: &Override, refusals: &[Refusal]) -> Vec<EndpointIx> {
    let needed: HashSet<EndpointIx> = refusals
        .iter()
        .flat_map(|refusal| match refusal {
            Refusal::EmptiesService { last, .. } => last.as_slice(),
            Refusal::Keep { .. } | Refusal::MaxDrained { .. } => &[],
        })
        .copied()
        .collect();
    let of_service = |refusal: &Refusal| matches!(refusal, Refusal::EmptiesService { .. });
    let by_rule = !refusals.iter().all(of_service);
    if needed.is_empty() || by_rule {
        return Vec::new();
    }
    let all = (0..fleet.endpoints.len()).map(EndpointIx::new);
    all.filter(|ix| fleet.covers(&order.target, *ix) && !needed.contains(ix)).collect()
}

/// Why an override cannot last as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LifeError {
    /// Its end has passed or lies before its beginning.
    #[error("it would end before it begins")]
    Over,
    /// It ends, or even begins, later than [`Safety::override_max`] from now.
    #[error("an override ends at most {} from now", crate::model::Span(*.0))]
    TooLong(Duration),
}

/// When an override ends: as asked (from now, or from `from` if it begins later), or after its default life, which is
/// cut to the longest allowed. The same bound holds at each extension.
///
/// # Errors
/// [`LifeError`] where the end asked for is not possible.
pub fn end(
    safety: &Safety,
    action: &Action,
    now: Wall,
    from: Wall,
    asked: Option<Duration>,
) -> Result<Wall, LifeError> {
    let (begin, latest) = (from.max(now), now.plus(safety.override_max));
    let end = match asked {
        Some(life) => begin.plus(life),
        None => begin.plus(safety.lives.of(action)).min(latest),
    };
    bounded(safety, now, from, end)
}

/// An end that was asked for as a time.
///
/// # Errors
/// [`LifeError`] where it is not possible.
pub fn bounded(safety: &Safety, now: Wall, from: Wall, end: Wall) -> Result<Wall, LifeError> {
    let latest = now.plus(safety.override_max);
    if from < latest && end <= from.max(now) {
        return Err(LifeError::Over);
    }
    if latest <= from || latest < end {
        return Err(LifeError::TooLong(safety.override_max));
    }
    Ok(end)
}

#[cfg(test)]
mod tests;
