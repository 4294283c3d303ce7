//! What this node holds on each address of each subject: its standing, and the verdict.
//!
//! By slot (position), because deciding walks them; a reload carries over by id whatever still exists and forgets the
//! rest.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use crate::{
    judge::{Standing, flap::Flaps},
    model::{
        Arm, Availability, Cause, CheckAt, CheckIx, Delays, EndpointIx, Family, Fleet, Health, Hold, Memory, Mono, Now,
        Observation, Serves, ServiceIx, Snapshot, Startup, SubjectIx, Tally, Target, Verdict, Vote, Wall,
    },
};

/// A remembered verdict older than this is no longer a starting standing.
pub(super) const MEMORY_AGE_MAX_MS: u64 = 10 * 60_000;

/// One address of a subject.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub endpoint: EndpointIx,
    /// `None` without a check: never probed, always up.
    pub probed: Option<Probed>,
    /// What is in force but for orders: measured, or held by a freeze.
    pub base: Health,
    pub verdict: Verdict,
    /// The health of the last snapshot that was handed out.
    pub told: Health,
    /// What it changed of late.
    pub flaps: Flaps,
    /// It was down, and a person has not restored it since (`resume = "manual"`).
    pub awaits_resume: bool,
    /// The hold that was told and has not ended.
    pub told_hold: Option<&'static str>,
    /// When it fell, and from what; `None` while it is not measured down, or where this process did not see it fall.
    pub fell: Option<Fell>,
    /// How long probes of it take until the first byte, smoothed, in eighths of a microsecond.
    pub path: Option<u64>,
}

/// A slot's turn to measured down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fell {
    pub at: Mono,
    /// It was measured to work before.
    pub worked: bool,
    /// What was in force but for orders.
    pub base: Health,
}

#[derive(Debug, Clone)]
pub(super) struct Probed {
    pub target: Target,
    pub check: CheckIx,
    pub standing: Standing,
    /// What the ballot says.
    pub said: Option<Vote>,
}

impl Slot {
    /// Why it is to be held down, were it measured up.
    pub(super) fn wish(&self, now: Mono) -> Option<Hold> {
        if self.awaits_resume {
            return Some(Hold::Resume);
        }
        self.flaps.held_until(now).map(|until| Hold::Flap { until })
    }

    /// What follows from the base and the order.
    pub(super) fn in_force(&self, order: Option<Availability>) -> Health {
        match order {
            Some(Availability::Up) => Health::Up,
            Some(Availability::Down) => Health::Down,
            Some(Availability::Drain) | None => self.base,
        }
    }
}

/// All of them, with who uses them.
#[derive(Debug)]
pub(super) struct Slots {
    pub fleet: Arc<Fleet>,
    /// Each on its own: half of the places are of a family that an endpoint does not have.
    pub list: Vec<Option<Box<Slot>>>,
    /// By subject.
    pub services: Vec<Vec<ServiceIx>>,
    /// By endpoint.
    subjects: Vec<Vec<SubjectIx>>,
}

impl Slots {
    pub(super) fn new(fleet: Arc<Fleet>, memory: &Memory, now: Now) -> Self {
        let mut slots = Self::unknown(fleet, now);
        slots.recall(memory, now);
        let age = now.wall.0.abs_diff(memory.at.0);
        if slots.fleet.verdict.startup == Startup::Unknown || age > MEMORY_AGE_MAX_MS {
            return slots;
        }
        for slot in slots.list.iter_mut().flatten() {
            let Some(probed) = &mut slot.probed else { continue };
            let Some(held) = memory.verdicts.get(&probed.target).filter(|held| held.measured != Health::Unknown) else {
                continue;
            };
            probed.standing = Standing::remembered(held.measured);
            slot.base = held.measured;
            slot.told = held.health;
            slot.verdict.measured = held.measured;
            slot.verdict.health = held.health;
            slot.verdict.cause = Cause::Remembered;
            slot.verdict.since = held.since;
            slot.verdict.since_mono = None;
            // A hold goes on; whether it still may is settled with everything else.
            if held.health == Health::Down && held.measured != Health::Down && slot.wish(now.mono).is_some() {
                (slot.base, slot.verdict.hold) = (Health::Down, slot.wish(now.mono));
            }
        }
        slots
    }

    /// Delays of recovery outlast the verdicts: what awaits a person awaits one however long the node was away.
    fn recall(&mut self, memory: &Memory, now: Now) {
        let after = now.wall.since(memory.at);
        for slot in self.list.iter_mut().flatten() {
            let Some(probed) = &slot.probed else { continue };
            let Some(delays) = memory.delays.get(&probed.target) else { continue };
            slot.verdict.returned = delays.returned.map(|ago| now.mono.before(ago.saturating_add(after)));
            slot.awaits_resume = delays.awaits_resume;
            slot.flaps = delays.flap.as_ref().map(|kept| Flaps::recalled(kept, after, now.mono)).unwrap_or_default();
        }
    }

    /// Delays of recovery, for the next start.
    pub(super) fn delays(&self, now: Mono) -> BTreeMap<Target, Delays> {
        let delays = self.list.iter().flatten().filter_map(|slot| {
            let delays = Delays {
                returned: slot.verdict.returned.map(|at| now.since(at)),
                awaits_resume: slot.awaits_resume,
                flap: slot.flaps.kept(now),
            };
            (delays != Delays::default()).then(|| Some((slot.probed.as_ref()?.target.clone(), delays)))?
        });
        delays.collect()
    }

    fn unknown(fleet: Arc<Fleet>, now: Now) -> Self {
        let mut list = Vec::with_capacity(fleet.subjects.len() * 2);
        for (place, subject) in fleet.subjects.iter().enumerate() {
            let ids = fleet.subject_id(SubjectIx::new(place));
            for family in Family::ALL {
                let is_judged = fleet.endpoint(subject.endpoint).is_judged(family);
                list.push(is_judged.then(|| {
                    let probed = ids.clone().zip(subject.check).map(|(ids, check)| Probed {
                        target: Target { subject: ids, family },
                        check,
                        standing: Standing::default(),
                        said: None,
                    });
                    Box::new(fresh(subject.endpoint, probed, now))
                }));
            }
        }
        let mut services = vec![Vec::new(); fleet.subjects.len()];
        for (ix, service) in fleet.services() {
            for subject in fleet.arms(service).flat_map(|arm| &arm.subjects) {
                let users: &mut Vec<ServiceIx> = &mut services[subject.index()];
                if users.last() != Some(&ix) {
                    users.push(ix);
                }
            }
        }
        let mut subjects = vec![Vec::new(); fleet.endpoints.len()];
        for (place, subject) in fleet.subjects.iter().enumerate() {
            subjects[subject.endpoint.index()].push(SubjectIx::new(place));
        }
        Self { fleet, list, services, subjects }
    }

    /// The places of an endpoint's slots.
    pub(super) fn of_endpoint(&self, endpoint: EndpointIx) -> impl Iterator<Item = usize> + '_ {
        self.subjects[endpoint.index()].iter().flat_map(|ix| [ix.index() * 2, ix.index() * 2 + 1])
    }

    /// The slots of another fleet, with all that is still the same.
    pub(super) fn reloaded(self, fleet: Arc<Fleet>, now: Now) -> Self {
        let before = self.fleet;
        let mut held: HashMap<(String, Option<Target>, Family), Box<Slot>> = HashMap::with_capacity(self.list.len());
        for (place, slot) in self.list.into_iter().enumerate() {
            let Some(slot) = slot else { continue };
            held.insert(identity(&before, &slot, place), slot);
        }
        let mut slots = Self::unknown(fleet, now);
        let fleet = Arc::clone(&slots.fleet);
        for (place, slot) in slots.list.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            let Some(mut kept) = held.remove(&identity(&fleet, slot, place)) else { continue };
            if let (Some(old), Some(new)) = (&mut kept.probed, &slot.probed) {
                let same = before.check(old.check).revision == fleet.check(new.check).revision
                    && asked(&before, kept.endpoint) == asked(&fleet, slot.endpoint);
                if !same {
                    old.standing.check_changed();
                }
                old.check = new.check;
            }
            kept.endpoint = slot.endpoint;
            *slot = kept;
        }
        slots
    }

    /// Where a result belongs; `None` for one of an older check, another address, or a target that is gone.
    pub(super) fn place(&self, observation: &Observation) -> Option<usize> {
        let subject = self.fleet.find_subject(&observation.target.subject)?;
        let place = Snapshot::slot(subject, observation.target.family);
        let slot = self.list.get(place)?.as_ref()?;
        let check = self.fleet.check(slot.probed.as_ref()?.check);
        let endpoint = self.fleet.endpoint(slot.endpoint);
        let address = match endpoint.check_at {
            Some(CheckAt::Address(address)) => address,
            Some(CheckAt::Socket(socket)) => socket.ip(),
            // A target has no address of its own: where it was probed is what it was resolved to.
            None if endpoint.target().is_some() => observation.address.ip(),
            None => endpoint.address(observation.target.family)?,
        };
        (check.revision == observation.revision && address == observation.address.ip()).then_some(place)
    }

    /// Whether some service has nothing healthy of this family beside this slot's endpoint, so that no delay of
    /// recovery applies (DECIDING section 6).
    pub(super) fn urgent(&self, place: usize) -> bool {
        self.urgent_if(place, |other| {
            // What is measured down and held up by a brake is not healthy for that.
            self.list[other].as_ref().is_some_and(|slot| {
                let Verdict { measured, health, order, .. } = &slot.verdict;
                health.works() && *measured != Health::Down && order.is_none()
            })
        })
    }

    /// The same, where `healthy` says what is. The pools of a rule with `geofence` are on their own.
    pub(super) fn urgent_if(&self, place: usize, healthy: impl Fn(usize) -> bool) -> bool {
        let Some(slot) = &self.list[place] else { return false };
        let (subject, family) = (SubjectIx::new(place / 2), place % 2);
        let other_in = |arms: &[Arm]| {
            arms.iter().flat_map(|arm| &arm.subjects).any(|other| {
                self.fleet.subject(*other).endpoint != slot.endpoint && healthy(other.index() * 2 + family)
            })
        };
        self.services[place / 2].iter().map(|ix| self.fleet.service(*ix)).any(|service| {
            let fenced = service.rules.iter().filter(|rule| rule.geofence).map(|rule| &rule.arms);
            let mut fenced = fenced.filter(|arms| arms.iter().any(|arm| arm.subjects.contains(&subject)));
            !other_in(&service.arms) || fenced.any(|arms| !other_in(arms))
        })
    }

    /// The slots of the same family that share a service with this one.
    pub(super) fn companions(&self, place: usize) -> Vec<usize> {
        let services = self.services[place / 2].iter().map(|service| self.fleet.service(*service));
        let subjects = services.flat_map(|service| &service.arms).flat_map(|arm| &arm.subjects);
        subjects.map(|subject| subject.index() * 2 + place % 2).collect()
    }

    /// Others probe it from now on.
    pub(super) fn rest(&mut self, place: usize) {
        if let Some(probed) = self.list[place].as_mut().and_then(|slot| slot.probed.as_mut()) {
            probed.standing.rest();
        }
    }

    /// When a standing's cooldown ends.
    pub(super) fn ripe_at(&self, place: usize) -> Option<Mono> {
        let probed = self.list[place].as_ref()?.probed.as_ref()?;
        probed.standing.ripe_at(self.fleet.check(probed.check))
    }
}

fn fresh(endpoint: EndpointIx, probed: Option<Probed>, now: Now) -> Slot {
    let (health, cause) =
        if probed.is_some() { (Health::Unknown, Cause::NoResult) } else { (Health::Up, Cause::Unchecked) };
    let verdict = Verdict {
        measured: health,
        health,
        order: None,
        cause,
        frozen: None,
        tally: Tally::default(),
        since: Wall(now.wall.0),
        since_mono: Some(now.mono),
        hold: None,
        returned: None,
        flips_at: None,
    };
    Slot {
        endpoint,
        probed,
        base: health,
        verdict,
        told: health,
        flaps: Flaps::default(),
        awaits_resume: false,
        told_hold: None,
        fell: None,
        path: None,
    }
}

fn identity(fleet: &Fleet, slot: &Slot, place: usize) -> (String, Option<Target>, Family) {
    let target = slot.probed.as_ref().map(|probed| probed.target.clone());
    (fleet.endpoint(slot.endpoint).id.to_string(), target, Family::ALL[place % 2])
}

/// Where probes of an endpoint go.
fn asked(fleet: &Fleet, endpoint: EndpointIx) -> (&Serves, Option<CheckAt>) {
    let endpoint = fleet.endpoint(endpoint);
    (&endpoint.serves, endpoint.check_at)
}
