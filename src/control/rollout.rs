//! A staged reload, as each node goes along with it: what follows from how far it is, from what is seen here and of the
//! canary, and from the time that has passed on this node's own clock.
//!
//! Nothing is decided that the store has not: a node acts on the stage that is written there, and stages are written by
//! compare-and-set, so that two nodes that think differently end in one of both. Who writes what:
//!
//! | stage | written by | when |
//! |---|---|---|
//! | `watched` | the canary | it has applied the new configuration |
//! | `spreading` | the canary | it was watched for the whole time, and nothing was amiss |
//! | `rolled-back` | anyone | the canary is amiss or not heard, or a node is amiss that took it after the canary |
//! | `done` | anyone | all that are heard have it, or the time is over |

use std::{collections::BTreeSet, time::Duration};

use crate::model::{Digest, Mono, NodeId, Rollout, Stage};

/// A canary applies it within this time, or it is taken back.
pub const APPLY_WITHIN: Duration = Duration::from_secs(30);
/// Longer than it may take, a stage takes for others to see it; then the others act.
pub const GRACE: Duration = Duration::from_secs(20);
/// The canary's presence may lag behind the stage it has written itself for this long.
pub const LAG: Duration = Duration::from_secs(5);
/// All others take it within this time; who has not then is named.
pub const SPREAD_WITHIN: Duration = Duration::from_secs(60);
/// It is in force everywhere for at least so long before it is done.
pub const SETTLES: Duration = Duration::from_secs(5);
/// A node that could not apply it tries again.
const RETRY: Duration = Duration::from_secs(5);
/// Endpoints that work may not fall below this share of before, in percent.
const UP_SHARE_MIN: usize = 50;
/// This share of the endpoints, in percent, may not be seen otherwise than elsewhere from one moment to the other.
const DISPUTED_MAX: usize = 25;

/// How a node is, as far as a new configuration may have done it harm.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vitals {
    /// Services that have nothing healthy to answer with.
    pub unhealthy: BTreeSet<String>,
    /// Pools below their floor.
    pub closed: BTreeSet<String>,
    /// Endpoints that work.
    pub up: usize,
    /// Endpoints that there are.
    pub endpoints: usize,
    /// Endpoints that are seen otherwise here than elsewhere: the others still probe by the configuration before, and
    /// outvote what this one makes of them.
    pub disputed: BTreeSet<String>,
    /// Brakes that hold verdicts up.
    pub brakes: BTreeSet<&'static str>,
    /// How often deciding or compiling has panicked.
    pub panics: u64,
}

impl Vitals {
    /// What is worse than before, in words.
    #[must_use]
    pub fn breach(&self, now: &Self) -> Option<String> {
        let new = |before: &BTreeSet<String>, now: &BTreeSet<String>| now.difference(before).next().cloned();
        if self.panics < now.panics {
            return Some("deciding panicked".into());
        }
        if let Some(service) = new(&self.unhealthy, &now.unhealthy) {
            return Some(format!("service {service} has nothing healthy to answer with"));
        }
        if let Some(pool) = new(&self.closed, &now.closed) {
            return Some(format!("pool {pool} is below its floor"));
        }
        if now.up * 100 < self.up * UP_SHARE_MIN {
            return Some(format!("{} endpoints work, {} did before", now.up, self.up));
        }
        let disputed = now.disputed.difference(&self.disputed).count();
        if 0 < disputed && now.endpoints * DISPUTED_MAX <= disputed * 100 {
            return Some(format!("{disputed} of {} endpoints are seen otherwise here than elsewhere", now.endpoints));
        }
        now.brakes.difference(&self.brakes).next().map(|brake| format!("the brake {brake} holds verdicts up"))
    }
}

/// Another node, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who.
    pub node: NodeId,
    /// It speaks.
    pub heard: bool,
    /// Which life.
    pub boot: Option<u64>,
    /// The fleet it has in force, as it last said.
    pub fleet: Option<Digest>,
}

/// What is known when a node looks.
#[derive(Debug, Clone)]
pub struct Around<'a> {
    /// This node.
    pub me: &'a NodeId,
    /// Its life.
    pub boot: u64,
    /// It may write to the store.
    pub writes: bool,
    /// The fleet in force here.
    pub fleet: Digest,
    /// It took the new fleet for this staged reload, and has not settled on it.
    pub applied: bool,
    /// It was there when the staged reload was begun, and did not have the new fleet.
    pub joined: bool,
    /// How it is.
    pub vitals: &'a Vitals,
    /// The others.
    pub peers: &'a [Peer],
}

/// What a node does now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Reads its file, and takes it if it has the fleet that is meant.
    Apply,
    /// Goes back to what was before.
    Return,
    /// Keeps what it has in force as accepted.
    Settle,
    /// Writes the next stage.
    Write(Stage, Option<String>),
}

/// One node's part in staged reloads.
#[derive(Debug, Default)]
pub struct Pilot {
    seen: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    id: String,
    stage: Stage,
    since: Mono,
    /// How this node was before it took the new configuration.
    before: Option<Vitals>,
    /// It takes no part any more, and why.
    given_up: Option<String>,
    /// Since when the canary has not had the fleet that it says it has.
    odd: Option<Mono>,
    /// Not tried again before.
    next: Mono,
    /// It does not try to go back before.
    back: Mono,
    /// What this node last could not do.
    failed: Option<String>,
}

impl Pilot {
    /// What follows. Called again after each act, and whenever time has passed.
    pub fn turn(&mut self, now: Mono, rollout: &Rollout, around: &Around<'_>) -> Vec<Act> {
        let stage = rollout.stage;
        if self.seen.as_ref().is_none_or(|seen| seen.id != rollout.id) {
            self.seen = Some(Seen {
                id: rollout.id.clone(),
                stage,
                since: now,
                before: None,
                given_up: None,
                odd: None,
                next: now,
                back: now,
                failed: None,
            });
        }
        let Some(seen) = &mut self.seen else { return Vec::new() };
        if seen.stage != stage {
            (seen.stage, seen.since, seen.odd, seen.next) = (stage, now, None, now);
            (seen.failed, seen.back) = (None, now);
        }
        let canary = *around.me == rollout.canary;
        let mut acts = match stage {
            Stage::Asked | Stage::Watched if canary => seen.try_it(now, rollout, around),
            Stage::Asked | Stage::Watched => seen.look_on(now, rollout, around),
            Stage::Spreading => seen.spread(now, rollout, around),
            Stage::Done if around.fleet == rollout.fleet && around.joined => vec![Act::Settle],
            // It could not: what it has in force stays, and its file is its own again.
            Stage::Done if around.joined && seen.failed.is_some() => vec![Act::Settle],
            Stage::Done if around.joined => seen.apply(now, around),
            Stage::RolledBack if around.fleet == rollout.fleet && around.applied => vec![Act::Return],
            Stage::Done | Stage::RolledBack => Vec::new(),
        };
        if acts.contains(&Act::Return) {
            let due = seen.back <= now;
            acts.retain(|act| due || *act != Act::Return);
            seen.back = if due { now.plus(RETRY) } else { seen.back };
        }
        acts
    }

    /// This node could not do what it was to do.
    pub fn failed(&mut self, why: String) {
        if let Some(seen) = &mut self.seen {
            seen.failed = Some(why);
        }
    }
}

impl Seen {
    fn age(&self, now: Mono) -> Duration {
        now.since(self.since)
    }

    /// The canary's part.
    fn try_it(&mut self, now: Mono, rollout: &Rollout, around: &Around<'_>) -> Vec<Act> {
        let on = around.fleet == rollout.fleet;
        let age = self.age(now);
        let amiss = match rollout.stage {
            Stage::Asked if self.failed.is_some() => self.failed.clone(),
            Stage::Asked if APPLY_WITHIN <= age => Some("it was not applied in time".into()),
            Stage::Asked => None,
            Stage::Watched | Stage::Spreading | Stage::Done | Stage::RolledBack => match &self.before {
                _ if rollout.boot != Some(around.boot) => Some("it was started anew".into()),
                _ if !on => Some("it has another configuration in force".into()),
                _ if rollout.watch + GRACE <= age => Some("the store was out of reach at its end".into()),
                Some(before) => before.breach(around.vitals),
                None => Some("how it was before is not known any more".into()),
            },
        };
        if self.given_up.is_none() {
            self.given_up = amiss.map(|why| format!("{}: {why}", rollout.canary));
        }
        if let Some(why) = self.given_up.clone() {
            return back(on && around.applied, around.writes, why);
        }
        match rollout.stage {
            Stage::Asked if on => vec![Act::Write(Stage::Watched, None)],
            Stage::Asked => self.apply(now, around),
            Stage::Watched if rollout.watch <= age => vec![Act::Write(Stage::Spreading, None)],
            Stage::Watched | Stage::Spreading | Stage::Done | Stage::RolledBack => Vec::new(),
        }
    }

    /// What the others see of the canary.
    fn look_on(&mut self, now: Mono, rollout: &Rollout, around: &Around<'_>) -> Vec<Act> {
        let age = self.age(now);
        let canary = around.peers.iter().find(|peer| peer.node == rollout.canary && peer.heard);
        let life = |canary: &Peer| rollout.boot.is_some() && canary.boot != rollout.boot;
        // What was heard last may be from before it began, and of its life before.
        let is_odd = |canary: &Peer| canary.fleet != Some(rollout.fleet) || life(canary);
        let odd = rollout.stage == Stage::Watched && canary.is_some_and(is_odd);
        self.odd = if odd { self.odd.or(Some(now)) } else { None };
        let amiss = match (rollout.stage, canary) {
            (Stage::Asked, _) if APPLY_WITHIN + GRACE <= age => Some("it was not applied in time"),
            (Stage::Watched, _) if rollout.watch + GRACE <= age => Some("it has not said how it went"),
            (Stage::Watched, Some(canary)) if self.odd.is_some_and(|since| LAG <= now.since(since)) => {
                Some(if life(canary) { "it was started anew" } else { "it has another configuration in force" })
            }
            (Stage::Watched, None) if LAG <= age => Some("it is not heard any more"),
            (Stage::Asked | Stage::Watched | Stage::Spreading | Stage::Done | Stage::RolledBack, _) => None,
        };
        let amiss = amiss.map(|why| format!("{}: {why}", rollout.canary));
        let on = around.fleet == rollout.fleet && around.applied;
        match amiss {
            Some(why) => back(on, around.writes, why),
            None if on => vec![Act::Return],
            None => Vec::new(),
        }
    }

    fn spread(&mut self, now: Mono, rollout: &Rollout, around: &Around<'_>) -> Vec<Act> {
        let on = around.fleet == rollout.fleet;
        let worse = self.before.as_ref().filter(|_| on).and_then(|before| before.breach(around.vitals));
        if self.given_up.is_none() {
            self.given_up = worse.map(|why| format!("{}: {why}", around.me));
        }
        if let Some(why) = self.given_up.clone() {
            return back(on && around.applied, around.writes, why);
        }
        let mut acts = if on { Vec::new() } else { self.apply(now, around) };
        let behind: Vec<&str> = around
            .peers
            .iter()
            .filter(|peer| peer.heard && peer.fleet != Some(rollout.fleet))
            .map(|peer| peer.node.as_str())
            .chain((!on).then_some(around.me.as_str()))
            .collect();
        let age = self.age(now);
        let over = (behind.is_empty() && SETTLES <= age) || SPREAD_WITHIN <= age;
        if over && around.writes {
            let why = (!behind.is_empty()).then(|| format!("not in force on {}", behind.join(", ")));
            acts.push(Act::Write(Stage::Done, why));
        }
        acts
    }

    /// Now, or when the last attempt is long enough ago.
    fn apply(&mut self, now: Mono, around: &Around<'_>) -> Vec<Act> {
        if now < self.next {
            return Vec::new();
        }
        self.before.get_or_insert_with(|| around.vitals.clone());
        self.next = now.plus(RETRY);
        vec![Act::Apply]
    }
}

/// This node first: whether the store takes it is another question.
fn back(on: bool, writes: bool, why: String) -> Vec<Act> {
    let here = on.then_some(Act::Return);
    here.into_iter().chain(writes.then_some(Act::Write(Stage::RolledBack, Some(why)))).collect()
}

#[cfg(test)]
mod tests;
