//! From verdict to changed answer: `cargo bench --bench flip -- [NAMES] [ENDPOINTS] [NAMES PER SERVICE]`.
//!
//! What is timed is what the control loop does between taking results in and having swapped the table; what it does
//! after that for people (events, memory) is timed beside it. One thread, no network, no disk.

use std::{fmt::Write as _, hint::black_box, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::time::Instant;
use wayshift::{
    config,
    control::{Controller, Identity, Input, Step},
    model::{
        Action, Failure, Fleet, LastGood, Memory, Mono, Now, Observation, Outcome, Override, Phases, Target, Wall,
    },
    steer::{AnswerTable, Live, compile},
};

/// Endpoints of one pool.
const POOL: usize = 4;
/// Verdicts that are flipped one by one.
const FLIPS: usize = 1000;

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench` along.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let mut number = |default: usize| words.next().map_or(Ok(default), |word| word.parse());
    let (names, endpoints, per_service) = (number(100_000)?, number(10_000)?, number(1)?);
    println!("{names} names, {endpoints} endpoints, {per_service} names per service");
    let (load, fleet) = timed(|| fleet(names, endpoints, per_service));
    let fleet = fleet?;
    println!("load the configuration  {load:?}");
    let mut node = Node::start(&fleet);
    let all: Vec<usize> = (0..node.targets.len()).collect();
    node.tell("first results of all", &all, &Outcome::Pass);
    node.tell("the same once more", &all, &Outcome::Pass);
    node.one_by_one();
    node.tell("1,000 passes", &all[..all.len().min(1_000)], &Outcome::Pass);
    node.tell("all fail once", &all, &Outcome::Fail(Failure::Timeout));
    node.tell("all fail twice: all are down", &all, &Outcome::Fail(Failure::Timeout));
    node.tell("all pass again", &all, &Outcome::Pass);
    node.tell("all pass twice: all are up", &all, &Outcome::Pass);
    node.drain_half()?;
    node.reload(&fleet);
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let value = work();
    (start.elapsed(), value)
}

/// A controller with its table, as the control loop holds them.
struct Node {
    controller: Controller,
    /// What is probed, with its endpoint's place; endpoints that no service uses are not.
    targets: Vec<(usize, Target)>,
    live: Live,
    now: Now,
}

/// What a turn of the loop took.
struct Turn {
    step: Duration,
    compile: Duration,
    changes: Duration,
    memory: Duration,
}

impl Turn {
    fn until_swapped(&self) -> Duration {
        self.step + self.compile
    }
}

impl std::fmt::Display for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, compile, changes, memory } = self;
        write!(f, "step {step:?}, compile {compile:?}; afterwards changes {changes:?}, memory {memory:?}")
    }
}

impl Node {
    fn start(fleet: &Arc<Fleet>) -> Self {
        let now = Now { mono: Mono(1_000), wall: Wall(1_700_000_000_000) };
        let me = Identity { node: "bench".parse().expect("an id"), region: None, provider: None };
        let (start, (controller, step)) = timed(|| Controller::new(me, Arc::clone(fleet), &Memory::default(), now));
        let snapshot = step.snapshot.expect("the first step has a snapshot");
        let (compile, table) = timed(|| compile(&snapshot, None, &LastGood::new()));
        println!("start: controller {start:?}, compile {compile:?}");
        let mut targets: Vec<(usize, Target)> =
            fleet.targets().map(|(ix, target)| (fleet.subject(ix).endpoint.index(), target)).collect();
        targets.sort();
        Self { controller, targets, live: Live::new(table), now }
    }

    fn result(&self, target: usize, outcome: &Outcome) -> Input {
        let fleet = &self.controller.snapshot().fleet;
        let (endpoint, target) = &self.targets[target];
        let address =
            fleet.endpoints[*endpoint].address(wayshift::model::Family::V4).expect("every endpoint here has one");
        Input::Observed(Observation {
            target: target.clone(),
            revision: fleet.checks[0].revision,
            address: (address, 80).into(),
            at: self.now,
            outcome: outcome.clone(),
            phases: Phases { total: Duration::from_millis(3), ..Phases::default() },
            status: None,
            cert_left: None,
        })
    }

    /// One turn of the loop, five seconds after the one before.
    fn turn(&mut self, inputs: impl IntoIterator<Item = Input>) -> Turn {
        self.now = Now { mono: Mono(self.now.mono.0 + 5_000), wall: Wall(self.now.wall.0 + 5_000) };
        let now = self.now;
        let (step, Step { snapshot, .. }) = timed(|| self.controller.step(now, inputs));
        let mut turn = Turn { step, compile: Duration::ZERO, changes: Duration::ZERO, memory: Duration::ZERO };
        let Some(snapshot) = snapshot else { return turn };
        let before = self.live.load();
        let (compile, _) = timed(|| self.live.swap(compile(&snapshot, Some(&before), &LastGood::new())));
        let after: Arc<AnswerTable> = self.live.load();
        let (changes, _) = timed(|| black_box(after.changes_since(&before, 1_000)));
        let (memory, _) = timed(|| black_box(self.controller.memory(now, after.last_good())));
        (turn.compile, turn.changes, turn.memory) = (compile, changes, memory);
        turn
    }

    fn tell(&mut self, what: &str, endpoints: &[usize], outcome: &Outcome) {
        let inputs: Vec<Input> = endpoints.iter().map(|endpoint| self.result(*endpoint, outcome)).collect();
        println!("{what}: {}", self.turn(inputs));
    }

    /// Takes endpoints down and up again, each on its own; times the turn that changes the verdict.
    fn one_by_one(&mut self) {
        let count = self.targets.len();
        let (mut flips, mut quiet) = (Vec::new(), Vec::new());
        for flip in 0..FLIPS.min(count * 4) {
            let endpoint = flip * 7919 % count;
            let fail = Outcome::Fail(Failure::Refused);
            for outcome in [&fail, &fail, &Outcome::Pass, &Outcome::Pass] {
                let generation = self.live.load().generation;
                let input = self.result(endpoint, outcome);
                let turn = self.turn([input]);
                if self.live.load().generation == generation { quiet.push(turn) } else { flips.push(turn) }
            }
        }
        let show = |what: &str, turns: &[Turn], of: fn(&Turn) -> Duration| {
            let mut times: Vec<Duration> = turns.iter().map(of).collect();
            times.sort_unstable();
            let at = |percent: usize| times.get((times.len() * percent / 100).min(times.len().saturating_sub(1)));
            println!("  {what}: median {:?}, p99 {:?}, longest {:?}", at(50), at(99), times.last());
        };
        println!("one result that changes a verdict ({} times)", flips.len());
        show("until swapped", &flips, Turn::until_swapped);
        show("step", &flips, |turn| turn.step);
        show("compile and swap", &flips, |turn| turn.compile);
        show("afterwards: changes", &flips, |turn| turn.changes);
        show("afterwards: memory", &flips, |turn| turn.memory);
        println!("one result that changes nothing ({} times)", quiet.len());
        show("step", &quiet, |turn| turn.step);
    }

    /// Drains one of the two providers, and takes that back.
    fn drain_half(&mut self) -> anyhow::Result<()> {
        let order = Override {
            id: "ov_01J00000000000000000000000".parse().context("an override's id")?,
            action: Action::Drain,
            target: "provider:one".parse().context("a selector")?,
            reason: "bench".into(),
            author: "bench".into(),
            created: self.now.wall,
            from: self.now.wall,
            expires: Wall(self.now.wall.0 + 3_600_000),
            generation: 1,
            forced: false,
            over: None,
            local: false,
        };
        for (generation, what, list) in
            [(1, "drain half the fleet", vec![order]), (2, "and take that back", Vec::new())]
        {
            let input = Input::Shared { epoch: "bench".into(), generation, overrides: list.into() };
            println!("{what}: {}", self.turn([input]));
        }
        Ok(())
    }

    fn reload(&mut self, fleet: &Arc<Fleet>) {
        let mut other = Fleet::clone(fleet);
        other.digest.0[0] ^= 1;
        println!("reload: {}", self.turn([Input::Reloaded(Arc::new(other))]));
    }
}

fn fleet(names: usize, endpoints: usize, per_service: usize) -> anyhow::Result<Arc<Fleet>> {
    let mut text = String::from(
        "[node]\nname = \"bench\"\n[zone.\"gslb.example\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.one]\n[provider.two]\n\
         [check.web]\nurl = \"http://www.example.com/\"\nfall = 2\nrise = 2\ncooldown = \"0s\"\n[endpoint]\n",
    );
    for n in 0..endpoints {
        let provider = if n % 2 == 0 { "one" } else { "two" };
        let [_, a, b, c] = u32::try_from(n)?.to_be_bytes();
        writeln!(text, "e{n} = {{ address = \"10.{a}.{b}.{c}\", provider = \"{provider}\" }}")?;
    }
    let pools = endpoints.div_ceil(POOL);
    text.push_str("[pool]\n");
    for pool in 0..pools {
        let members: Vec<String> =
            (pool * POOL..endpoints.min((pool + 1) * POOL)).map(|n| format!("e{n} = {}", n % 3 + 1)).collect();
        writeln!(text, "p{pool} = {{ endpoints = {{ {} }} }}", members.join(", "))?;
    }
    text.push_str("[service]\n");
    for service in 0..names.div_ceil(per_service) {
        let range = service * per_service..names.min((service + 1) * per_service);
        let names: Vec<String> = range.map(|n| format!("\"w{n}.gslb.example\"")).collect();
        let pool = service % pools;
        writeln!(text, "s{service} = {{ names = [{}], pools = [\"p{pool}\"], check = \"web\" }}", names.join(", "))?;
    }
    let loaded = config::load_text("bench.toml", &text, &|_| None).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    Ok(loaded.fleet)
}
