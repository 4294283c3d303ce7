//! A node of the large fleet: a real controller, its probes by a heap of times, and the scribe of its ballots.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
    time::Duration,
};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};
use wayshift::{
    control::{Controller, Identity, Input, Step},
    model::{
        Duties, Failure, Family, Fleet, Memory, Mono, Now, Observation, Outcome, Phases, Process, SubjectIx, Target,
        Tempi, Tempo, Wall,
    },
    store::ballots::{Scribe, introduction},
};

use super::fleet::{INTERVAL, RECHECK, TIMEOUT};

const BASE: u64 = 1_760_000_000_000;
const BEGINS: u64 = 1_000_000_000;
/// Of a key's text: prefix, node, piece.
const KEY: usize = 40;
/// What one transaction of the store takes.
const OPS_MAX: usize = 100;
const OCTETS_MAX: usize = 1 << 20;

/// What was written to the store.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Writes {
    pub transactions: usize,
    pub keys: usize,
    pub octets: usize,
    /// Of these, what says nothing new: records of ballots without a part, and presences.
    pub heartbeats: usize,
}

impl Writes {
    pub(super) fn add(&mut self, other: Self) {
        self.transactions += other.transactions;
        self.keys += other.keys;
        self.octets += other.octets;
        self.heartbeats += other.heartbeats;
    }
}

pub(super) struct Node {
    pub controller: Controller,
    pub inbox: Vec<Input>,
    /// No snapshot since the last look is no change since.
    pub moved: bool,
    born: u64,
    wake_at: Option<Mono>,
    duties: Arc<Duties>,
    tempi: Arc<Tempi>,
    /// By the number of the target's subject.
    probes: HashMap<u32, Probe>,
    due: BinaryHeap<Reverse<(u64, u32, u32, bool)>>,
    scribe: Scribe,
}

/// A target that is probed from here. Times in the heap that belong to another turn are void.
#[derive(Clone)]
struct Probe {
    target: Target,
    turn: u32,
    started: u64,
}

/// Time that this thread has worked: others may work on the same machine.
fn cpu_us() -> u64 {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).expect("a thread may ask what it used");
    let us = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or(0);
    us(usage.user_time()) + us(usage.system_time())
}

fn ms(duration: Duration) -> u64 {
    duration.as_millis() as u64
}

impl Node {
    pub(super) fn start(me: Identity, fleet: &Arc<Fleet>, memory: &Memory, t: u64) -> (Self, Step) {
        let now = Now { mono: Mono(BEGINS), wall: Wall(BASE + t) };
        let (mut controller, step) = Controller::new(me, Arc::clone(fleet), memory, now);
        controller.introduce(Process { boot: t, version: "sim".into(), probes: true, orders: true, admin: Vec::new() });
        let node = Self {
            scribe: Scribe::new(format!("{t:016x}")),
            controller,
            inbox: Vec::new(),
            moved: true,
            born: t,
            wake_at: None,
            duties: Arc::default(),
            tempi: Arc::default(),
            probes: HashMap::new(),
            due: BinaryHeap::new(),
        };
        (node, step)
    }

    pub(super) fn now(&self, t: u64) -> Now {
        Now { mono: Mono(BEGINS + t - self.born), wall: Wall(BASE + t) }
    }

    /// What it remembers, as its disk has it.
    pub(super) fn memory(&self, t: u64) -> Memory {
        self.controller.memory(self.now(t), Default::default())
    }

    /// Probes what is due, and decides; how long deciding took.
    pub(super) fn turn(&mut self, t: u64, reaches: impl Fn(usize) -> bool) -> Option<(Step, u64)> {
        self.probe(t, reaches);
        let now = self.now(t);
        if self.inbox.is_empty() && self.wake_at.is_some_and(|at| now.mono < at) {
            return None;
        }
        let began = cpu_us();
        let inbox = std::mem::take(&mut self.inbox);
        let step = self.controller.step(now, inbox);
        let took = cpu_us() - began;
        Some((step, took))
    }

    /// What a step asks of the node itself; what it writes to the store.
    pub(super) fn follow(&mut self, step: &Step, t: u64) -> Writes {
        self.wake_at = step.wake_at;
        self.moved |= step.snapshot.is_some();
        if let Some(duties) = &step.duties {
            self.duties = Arc::clone(duties);
            self.share(t);
        }
        if let Some(tempi) = &step.tempi {
            let before = std::mem::replace(&mut self.tempi, Arc::clone(tempi));
            self.hurry(&before, t);
        }
        let mut writes = Writes::default();
        let mut put = |octets: usize| {
            writes.keys += 1;
            writes.octets += octets + KEY;
        };
        if let Some(presence) = &step.presence {
            put(introduction(presence).len());
        }
        if let Some(ballot) = &step.ballot {
            let draft = self.scribe.draft(ballot, Duration::from_millis(t));
            draft.writes.iter().for_each(|(_, text)| put(text.as_ref().map_or(0, String::len)));
            self.scribe.written(draft);
        }
        if writes.keys > 0 {
            writes.transactions = writes.keys.div_ceil(OPS_MAX).max(writes.octets.div_ceil(OCTETS_MAX));
            writes.heartbeats = usize::from(writes.keys <= 2);
        }
        writes
    }

    /// Its duties have changed.
    fn share(&mut self, t: u64) {
        let fleet = Arc::clone(&self.controller.snapshot().fleet);
        for (ix, target) in fleet.targets() {
            let duty = self.duties.get(&target.subject.endpoint);
            let mine = duty.is_none_or(|duty| duty.is_mine());
            let at = ix.index() as u32;
            if mine && !self.probes.contains_key(&at) {
                let phase = duty.and_then(|duty| duty.phase(&target, INTERVAL)).unwrap_or_default();
                self.probes.insert(at, Probe { target, turn: 0, started: t });
                self.due.push(Reverse((t + ms(phase), at, 0, true)));
            } else if !mine {
                self.probes.remove(&at);
            }
        }
    }

    /// What wavers is probed sooner.
    fn hurry(&mut self, before: &Tempi, t: u64) {
        let fleet = Arc::clone(&self.controller.snapshot().fleet);
        for (target, tempo) in self.tempi.iter().filter(|(target, tempo)| before.get(target) != Some(tempo)) {
            let Some(subject) = fleet.find_subject(&target.subject) else { continue };
            let Some(probe) = self.probes.get_mut(&(subject.index() as u32)) else { continue };
            if matches!(tempo, Tempo::Recheck | Tempo::Undecided) {
                probe.turn += 1;
                let at = (probe.started + ms(RECHECK)).max(t);
                self.due.push(Reverse((at, subject.index() as u32, probe.turn, true)));
            }
        }
    }

    fn probe(&mut self, t: u64, reaches: impl Fn(usize) -> bool) {
        let fleet = Arc::clone(&self.controller.snapshot().fleet);
        let now = self.now(t);
        while let Some(Reverse((at, ix, turn, starts))) = self.due.pop_if_due(t) {
            let Some(probe) = self.probes.get_mut(&ix) else { continue };
            if probe.turn != turn {
                continue;
            }
            let endpoint = fleet.subject(SubjectIx::new(ix as usize)).endpoint;
            let passes = reaches(endpoint.index());
            if starts {
                probe.started = at;
            }
            if starts && !passes {
                self.due.push(Reverse((at + ms(TIMEOUT), ix, turn, false)));
                continue;
            }
            let outcome = if passes { Outcome::Pass } else { Outcome::Fail(Failure::Timeout) };
            self.inbox.push(Input::Observed(Observation {
                target: probe.target.clone(),
                revision: 1,
                address: (fleet.endpoint(endpoint).address(Family::V4).expect("all of them have one"), 80).into(),
                at: now,
                outcome,
                phases: Phases::default(),
                status: None,
                cert_left: None,
            }));
            let wavers = matches!(self.tempi.get(&probe.target), Some(Tempo::Recheck | Tempo::Undecided));
            let pause = if wavers { RECHECK } else { INTERVAL };
            self.due.push(Reverse(((probe.started + ms(pause)).max(t + 1), ix, turn, true)));
        }
    }

    /// How many targets it probes.
    pub(super) fn probed(&self) -> usize {
        self.probes.len()
    }
}

trait PopIfDue<T> {
    fn pop_if_due(&mut self, t: u64) -> Option<T>;
}

impl PopIfDue<Reverse<(u64, u32, u32, bool)>> for BinaryHeap<Reverse<(u64, u32, u32, bool)>> {
    fn pop_if_due(&mut self, t: u64) -> Option<Reverse<(u64, u32, u32, bool)>> {
        self.peek().is_some_and(|Reverse((at, ..))| *at <= t).then(|| self.pop()).flatten()
    }
}
