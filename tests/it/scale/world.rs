//! The world of the large fleet: truth, the store between the nodes, faults one after the other, and what each costs.
//!
//! What nodes of one machine share here and each has for itself in reality: the fleet, and ballots' votes, which readers
//! put together from what is written. The second is measured apart, with the store's own reader.

use std::{collections::BTreeMap, sync::Arc, thread, time::Duration};

use wayshift::{
    control::{Input, Step},
    model::{Ballot, Fleet, Health, Known, Link, Memory, Presence, Remembered, SubjectIx, Wall},
    store::ballots::{Reading, Scribe},
};

use super::{
    fleet::{REGIONS, identity, region_of_endpoint, region_of_node},
    node::{Node, Writes},
};

#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub nodes: usize,
    pub endpoints: usize,
    pub seed: u64,
    /// Milliseconds between two looks at everything.
    pub tick: u64,
}

/// What a fault cost.
#[derive(Debug, Clone, Default)]
pub(super) struct Phase {
    pub name: &'static str,
    /// From the fault to the last node's verdict.
    pub converged: Option<Duration>,
    pub seconds: u64,
    pub writes: Writes,
    /// Within any one second.
    pub busiest: Writes,
    /// Most endpoints that were down on one node though they were alive and not on their way back.
    pub wrong: usize,
    /// Microseconds that nodes decided, the longest of one step, and how many steps.
    pub took: u64,
    pub longest: u64,
    pub steps: usize,
}

pub(super) struct World {
    pub size: Size,
    pub fleet: Arc<Fleet>,
    pub nodes: Vec<Node>,
    /// Where an endpoint's verdict stands.
    subjects: Vec<SubjectIx>,
    rng: fastrand::Rng,
    t: u64,
    dead: Vec<bool>,
    /// Was dead, and may still be on its way back.
    returning: Vec<bool>,
    /// Nodes of this region reach nothing beyond it, and not the store.
    cut: Option<usize>,
    away: bool,
    /// What arrives with the next tick, and with the one after.
    mail: [Vec<Letter>; 2],
    phase: Phase,
    second: (u64, Writes),
    /// The newest of each node.
    pub ballots: BTreeMap<usize, Ballot>,
}

#[derive(Clone)]
enum Letter {
    Ballot(Ballot),
    Presence(usize, Presence),
}

/// What a node did within a tick.
struct Done {
    step: Step,
    took: u64,
    writes: Writes,
}

/// All that nodes meet within a tick. It is the same for all of them, so that several threads may see to it: what a node
/// says reaches the others with the next tick at the earliest, and is gathered in their order.
struct Around<'w> {
    t: u64,
    dead: &'w [bool],
    returning: &'w [bool],
    cut: Option<usize>,
    letters: &'w [Letter],
    subjects: &'w [SubjectIx],
}

/// Does it for each of these, by as many threads as the machine has; what came of it, in order.
fn each<T: Send, R: Send>(of: &mut [T], act: impl Fn(usize, &mut T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = of.len().div_ceil(threads).max(1);
    let act = &act;
    thread::scope(|scope| {
        let part = |(part, items): (usize, &mut [T])| -> Vec<R> {
            items.iter_mut().enumerate().map(|(at, item)| act(part * share + at, item)).collect()
        };
        let parts: Vec<_> = of.chunks_mut(share).enumerate().map(|items| scope.spawn(move || part(items))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("it ends without a panic")).collect()
    })
}

/// What was measured so far.
struct Told<F> {
    phases: Vec<Phase>,
    told: F,
}

impl<F: Fn(&Phase)> Told<F> {
    fn push(&mut self, phase: Phase) {
        (self.told)(&phase);
        self.phases.push(phase);
    }
}

impl World {
    /// All nodes know each other, and all endpoints were up.
    pub(super) fn new(size: Size, fleet: Arc<Fleet>) -> Self {
        let mut subjects = vec![SubjectIx::new(0); fleet.endpoints.len()];
        for (ix, subject) in fleet.subjects.iter().enumerate() {
            subjects[subject.endpoint.index()] = SubjectIx::new(ix);
        }
        let was = Wall(1_760_000_000_000 - 1_000);
        let up = Remembered { measured: Health::Up, health: Health::Up, since: was };
        let known = |node: usize| {
            let me = identity(node);
            (me.node, Known { region: me.region, provider: me.provider, heard: was, admin: Vec::new() })
        };
        let memory = Memory {
            at: was,
            verdicts: fleet.targets().map(|(_, target)| (target, up)).collect(),
            known: (0..size.nodes).map(known).collect(),
            ..Memory::default()
        };
        let mut world = Self {
            size,
            dead: vec![false; fleet.endpoints.len()],
            returning: vec![false; fleet.endpoints.len()],
            subjects,
            rng: fastrand::Rng::with_seed(size.seed),
            t: 0,
            nodes: Vec::with_capacity(size.nodes),
            fleet,
            cut: None,
            away: false,
            mail: Default::default(),
            phase: Phase::default(),
            second: (0, Writes::default()),
            ballots: BTreeMap::new(),
        };
        let fleet = Arc::clone(&world.fleet);
        let mut started: Vec<_> = each(&mut vec![(); size.nodes], |node, ()| {
            let (mut started, step) = Node::start(identity(node), &fleet, &memory, 0);
            let writes = started.follow(&step, 0);
            (started, step, writes)
        });
        for (node, (started, step, writes)) in started.drain(..).enumerate() {
            world.nodes.push(started);
            world.take(node, &step, writes);
        }
        world
    }

    /// All faults, one after the other; each is told when it is over.
    pub(super) fn run(&mut self, told: impl Fn(&Phase)) -> Vec<Phase> {
        let mut phases = Told { phases: Vec::new(), told };
        self.pass(Duration::from_secs(12));
        phases.push(self.end("start, warm"));
        self.pass(Duration::from_secs(10));
        phases.push(self.end("nothing happens"));

        let victim = self.rng.usize(0..self.dead.len());
        self.dead[victim] = true;
        self.until(|world| world.all(|node| world.is_down(node, victim)));
        phases.push(self.end("one endpoint dies"));

        let region = (region_of_endpoint(victim) + 1) % REGIONS;
        self.kill(|endpoint| region_of_endpoint(endpoint) == region, true);
        self.until(|world| world.agrees());
        phases.push(self.end("the endpoints of a region die"));
        self.kill(|_| true, false);
        self.until(|world| world.agrees());
        phases.push(self.end("all of them return"));

        // Until the last vantage has seen it: who falls silent before would leave the vote to those that still say down.
        self.pass(Duration::from_secs(60));
        self.returning.fill(false);
        phases.push(self.end("all have seen it"));
        self.cut = Some((region + 1) % REGIONS);
        self.pass(Duration::from_secs(40));
        phases.push(self.end("a region is cut off"));
        self.cut = None;
        self.until(|world| {
            world.agrees() && world.all(|node| world.nodes[node].controller.mode().link == Link::Connected)
        });
        phases.push(self.end("the region is back"));

        self.away = true;
        self.pass(Duration::from_secs(30));
        phases.push(self.end("the store is away"));
        self.away = false;
        self.until(|world| {
            world.agrees() && world.all(|node| world.nodes[node].controller.mode().link == Link::Connected)
        });
        phases.push(self.end("the store is back"));

        for node in (0..self.nodes.len()).step_by(10) {
            let memory = self.nodes[node].memory(self.t);
            let (mut started, step) = Node::start(identity(node), &self.fleet, &memory, self.t);
            let writes = started.follow(&step, self.t);
            self.nodes[node] = started;
            self.take(node, &step, writes);
        }
        self.pass(Duration::from_secs(2));
        self.until(|world| {
            world.agrees() && world.all(|node| world.nodes[node].controller.mode().link == Link::Connected)
        });
        phases.push(self.end("a tenth of the nodes starts again"));
        phases.phases
    }

    fn kill(&mut self, which: impl Fn(usize) -> bool, dead: bool) {
        for endpoint in (0..self.dead.len()).filter(|endpoint| which(*endpoint)) {
            self.returning[endpoint] |= self.dead[endpoint] && !dead;
            self.dead[endpoint] = dead;
        }
    }

    fn all(&self, fits: impl Fn(usize) -> bool) -> bool {
        (0..self.nodes.len()).all(fits)
    }

    fn is_down(&self, node: usize, endpoint: usize) -> bool {
        is_down(&self.nodes[node], self.subjects[endpoint])
    }

    /// Whether all nodes have the truth, and answer the same.
    fn agrees(&self) -> bool {
        let digest = self.nodes[0].controller.snapshot().digest;
        self.all(|node| self.nodes[node].controller.snapshot().digest == digest)
            && (0..self.dead.len()).all(|endpoint| self.is_down(0, endpoint) == self.dead[endpoint])
    }

    fn pass(&mut self, time: Duration) {
        let end = self.t + time.as_millis() as u64;
        while self.t < end {
            self.tick();
        }
    }

    /// Until it is so, and how long that took; two minutes at most.
    fn until(&mut self, so: impl Fn(&Self) -> bool) {
        let began = self.t;
        while !so(self) && self.t < began + 120_000 {
            self.tick();
        }
        self.phase.converged = so(self).then(|| Duration::from_millis(self.t - began));
    }

    fn end(&mut self, name: &'static str) -> Phase {
        let seconds = (self.t / 1_000).saturating_sub(self.second.0);
        let phase = Phase { name, seconds: seconds.max(1), ..std::mem::take(&mut self.phase) };
        self.second = (self.t / 1_000, Writes::default());
        phase
    }

    fn tick(&mut self) {
        self.t += self.size.tick;
        let [now, next] = std::mem::take(&mut self.mail);
        self.mail = [next, Vec::new()];
        let around = Around {
            t: self.t,
            dead: &self.dead,
            returning: &self.returning,
            cut: self.cut,
            letters: if self.away { &[] } else { &now },
            subjects: &self.subjects,
        };
        let done = each(&mut self.nodes, |node, held| (around.turn(node, held), around.wrong(held)));
        let mut second = Writes::default();
        for (node, (done, wrong)) in done.into_iter().enumerate() {
            self.phase.wrong = wrong.max(self.phase.wrong);
            let Some(Done { step, took, writes }) = done else { continue };
            self.phase.took += took;
            self.phase.longest = self.phase.longest.max(took);
            self.phase.steps += 1;
            second.add(self.take(node, &step, writes));
        }
        if self.second.1.transactions == 0 || self.t.is_multiple_of(1_000) {
            self.second.1 = Writes::default();
        }
        self.second.1.add(second);
        if self.phase.busiest.octets < self.second.1.octets {
            self.phase.busiest = self.second.1;
        }
    }

    /// What a step says goes to the store.
    fn take(&mut self, node: usize, step: &Step, writes: Writes) -> Writes {
        if self.away || self.cut == Some(region_of_node(node)) {
            return Writes::default();
        }
        self.phase.writes.add(writes);
        let late = usize::from(self.rng.u8(0..4) == 0);
        if let Some(ballot) = &step.ballot {
            self.ballots.insert(node, ballot.clone());
            self.mail[late].push(Letter::Ballot(ballot.clone()));
        }
        if let Some(presence) = &step.presence {
            self.mail[late].push(Letter::Presence(node, presence.clone()));
        }
        writes
    }

    /// What one node holds of all others' ballots, as the store's reader keeps it.
    pub(super) fn read_all(&self) -> Vec<(Reading, Ballot)> {
        let read = |ballot: &Ballot| {
            let (mut scribe, mut reading) = (Scribe::new("boot".into()), Reading::default());
            let draft = scribe.draft(ballot, Duration::ZERO);
            draft.writes.iter().for_each(|(piece, text)| reading.take(&ballot.node, *piece, text.as_deref()));
            let read = reading.complete().expect("what was written is read");
            assert_eq!(read, *ballot);
            (reading, read)
        };
        self.ballots.values().map(read).collect()
    }
}

impl Around<'_> {
    /// A node reads its letters, unless it is cut off; its own come back to it as well. It probes, decides, and writes.
    fn turn(&self, node: usize, held: &mut Node) -> Option<Done> {
        let from = region_of_node(node);
        let cut = self.cut == Some(from);
        let letters = if cut { &[] } else { self.letters };
        held.inbox.extend(letters.iter().map(|letter| match letter {
            Letter::Ballot(ballot) => Input::Heard(ballot.clone()),
            Letter::Presence(from, presence) if *from == node => Input::Echo { sequence: presence.sequence },
            Letter::Presence(_, presence) => Input::Present(presence.clone()),
        }));
        let reaches = |endpoint: usize| !self.dead[endpoint] && (!cut || region_of_endpoint(endpoint) == from);
        let (step, took) = held.turn(self.t, reaches)?;
        let writes = held.follow(&step, self.t);
        Some(Done { step, took, writes })
    }

    /// Nothing that is alive goes down anywhere, whoever is cut off: how many did, if anything has changed.
    fn wrong(&self, held: &mut Node) -> usize {
        if !std::mem::take(&mut held.moved) {
            return 0;
        }
        let alive = |endpoint: &usize| !self.dead[*endpoint] && !self.returning[*endpoint];
        (0..self.dead.len()).filter(alive).filter(|endpoint| is_down(held, self.subjects[*endpoint])).count()
    }
}

fn is_down(node: &Node, subject: SubjectIx) -> bool {
    let verdict = &node.controller.snapshot().verdicts[subject.index() * 2];
    verdict.as_ref().is_some_and(|verdict| verdict.health == Health::Down)
}
