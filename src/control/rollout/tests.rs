//! Nodes that go along with one staged reload, over a store that only compares and sets.

use proptest::prelude::*;

use super::*;
use crate::model::Wall;

const OLD: Digest = Digest([1; 32]);
const NEW: Digest = Digest([2; 32]);
const WATCH: Duration = Duration::from_secs(60);

struct Node {
    id: NodeId,
    pilot: Pilot,
    boot: u64,
    fleet: Digest,
    applied: bool,
    joined: bool,
    alive: bool,
    /// It reaches the store.
    reaches: bool,
    /// Its file is the new one.
    has_file: bool,
    vitals: Vitals,
    /// What it sees of the store; of old while it does not reach it.
    sees: Rollout,
    ever: bool,
}

struct World {
    nodes: Vec<Node>,
    store: Rollout,
    revision: u64,
    now: u64,
    /// The stage when some other node than the canary first applied it.
    moved_at: Vec<Stage>,
}

impl World {
    fn new(count: usize) -> Self {
        let id = |at: usize| format!("n{at}").parse::<NodeId>().unwrap();
        let store = Rollout {
            id: "01K".into(),
            canary: id(0),
            fleet: NEW,
            before: OLD,
            watch: WATCH,
            boot: None,
            began: Wall(0),
            author: "uid:0".into(),
            stage: Stage::Asked,
            why: None,
        };
        let node = |at: usize| Node {
            id: id(at),
            pilot: Pilot::default(),
            boot: at as u64,
            fleet: OLD,
            applied: false,
            joined: true,
            alive: true,
            reaches: true,
            has_file: true,
            vitals: Vitals { up: 10, ..Vitals::default() },
            sees: store.clone(),
            ever: false,
        };
        Self { nodes: (0..count).map(node).collect(), store: store.clone(), revision: 1, now: 0, moved_at: Vec::new() }
    }

    fn tick(&mut self) {
        self.now += 500;
        for at in 0..self.nodes.len() {
            if !self.nodes[at].alive {
                continue;
            }
            if self.nodes[at].reaches {
                self.nodes[at].sees = self.store.clone();
            }
            let peers: Vec<Peer> = self
                .nodes
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, other)| Peer {
                    node: other.id.clone(),
                    heard: other.alive && other.reaches && self.nodes[at].reaches,
                    boot: Some(other.boot),
                    fleet: Some(other.fleet),
                })
                .collect();
            let node = &mut self.nodes[at];
            let around = Around {
                me: &node.id,
                boot: node.boot,
                writes: true,
                fleet: node.fleet,
                applied: node.applied,
                joined: node.joined,
                vitals: &node.vitals,
                peers: &peers,
            };
            for act in node.pilot.turn(Mono(self.now), &node.sees, &around) {
                match act {
                    Act::Apply if !node.has_file => node.pilot.failed("its file has another fleet".into()),
                    Act::Apply => {
                        if at > 0 {
                            self.moved_at.push(node.sees.stage);
                        }
                        (node.fleet, node.applied, node.ever) = (NEW, true, true);
                    }
                    Act::Return => (node.fleet, node.applied) = (OLD, false),
                    Act::Settle => (node.applied, node.joined) = (false, false),
                    Act::Write(stage, why) => {
                        // Compared with what it saw, and so refused where that is old.
                        if node.reaches && node.sees == self.store {
                            let boot = if stage == Stage::Watched { Some(node.boot) } else { self.store.boot };
                            self.store = Rollout { stage, why, boot, ..self.store.clone() };
                            self.revision += 1;
                        }
                    }
                }
            }
        }
    }

    fn run(&mut self, seconds: u64) {
        (0..seconds * 2).for_each(|_| self.tick());
    }

    fn fleets(&self) -> Vec<Digest> {
        self.nodes.iter().filter(|node| node.alive).map(|node| node.fleet).collect()
    }
}

#[test]
fn a_good_one_is_tried_watched_and_then_taken_by_all() {
    let mut world = World::new(3);
    world.run(30);
    assert_eq!((world.store.stage, world.fleets()), (Stage::Watched, vec![NEW, OLD, OLD]));
    world.run(60);
    assert_eq!((world.store.stage, world.fleets()), (Stage::Done, vec![NEW; 3]));
    assert!(world.nodes.iter().all(|node| !node.applied), "all have settled");
    assert_eq!(world.store.why, None);
}

#[test]
fn what_is_amiss_takes_it_back_and_nobody_else_has_moved() {
    type Harm = (&'static str, fn(&mut Node));
    let bad: [Harm; 7] = [
        ("nothing healthy", |node| node.vitals.unhealthy.extend(["www".into()])),
        ("below its floor", |node| node.vitals.closed.extend(["eu".into()])),
        ("endpoints work", |node| node.vitals.up = 4),
        ("otherwise here", |node| {
            node.vitals.endpoints = 8;
            node.vitals.disputed.extend(["a".into(), "b".into()]);
        }),
        ("brake", |node| node.vitals.brakes.extend(["auto-freeze"])),
        ("panicked", |node| node.vitals.panics = 1),
        ("another configuration", |node| node.fleet = OLD),
    ];
    for (why, breaks) in bad {
        let mut world = World::new(3);
        world.run(10);
        breaks(&mut world.nodes[0]);
        world.run(30);
        assert_eq!((world.store.stage, world.fleets()), (Stage::RolledBack, vec![OLD; 3]), "{why}");
        assert!(world.store.why.as_deref().unwrap().contains(why), "{:?}", world.store.why);
        assert_eq!(world.moved_at, []);
    }
    // Less than half of what worked is lost, or it was so before.
    let mut world = World::new(2);
    world.nodes[0].vitals.unhealthy.insert("old".into());
    world.run(10);
    world.nodes[0].vitals.up = 6;
    world.run(80);
    assert_eq!(world.store.stage, Stage::Done);
}

#[test]
fn a_canary_that_dies_or_never_says_anything_is_given_up() {
    let check = |at: u64, breaks: fn(&mut Node), seconds: u64| {
        let mut world = World::new(3);
        world.run(at);
        breaks(&mut world.nodes[0]);
        world.run(seconds);
        assert_eq!(
            (world.store.stage, world.fleets()[1..].to_vec()),
            (Stage::RolledBack, vec![OLD; world.fleets().len() - 1])
        );
        assert_eq!(world.moved_at, []);
        world
    };
    check(0, |node| node.alive = false, 60);
    check(10, |node| node.alive = false, 15);
    check(0, |node| node.has_file = false, 5);
    // Killed and started anew by its supervisor, from what was accepted before.
    let restarts = |node: &mut Node| {
        (node.pilot, node.boot, node.fleet, node.applied) = (Pilot::default(), 99, OLD, false);
    };
    let world = check(10, restarts, 5);
    assert_eq!(world.nodes[0].fleet, OLD);
    // Cut off, it goes back by itself; whatever it learns later.
    let mut world = check(10, |node| node.reaches = false, 20);
    world.run(90);
    assert_eq!(world.nodes[0].fleet, OLD);
    world.nodes[0].reaches = true;
    world.run(5);
    assert_eq!((world.store.stage, world.fleets()), (Stage::RolledBack, vec![OLD; 3]));
}

#[test]
fn what_goes_wrong_on_another_node_takes_it_back_everywhere() {
    let mut world = World::new(3);
    while world.store.stage != Stage::Spreading {
        world.tick();
    }
    world.tick();
    world.tick();
    world.nodes[2].vitals.closed.insert("ap".into());
    world.run(10);
    assert_eq!((world.store.stage, world.fleets()), (Stage::RolledBack, vec![OLD; 3]));
    assert!(world.store.why.as_deref().unwrap().starts_with("n2: "), "{:?}", world.store.why);
}

#[test]
fn who_does_not_have_the_file_is_named_and_who_was_away_follows_later() {
    let mut world = World::new(4);
    world.nodes[1].has_file = false;
    world.nodes[2].reaches = false;
    world.run(150);
    assert_eq!((world.store.stage, world.store.why.as_deref()), (Stage::Done, Some("not in force on n1")));
    assert_eq!(world.fleets(), [NEW, OLD, OLD, NEW]);
    world.nodes[2].reaches = true;
    world.run(10);
    assert_eq!(world.fleets(), [NEW, OLD, NEW, NEW]);
}

/// What happens to a node in between.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Dies,
    Restarts,
    CutOff,
    Back,
    Sick,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn whatever_happens_nobody_moves_before_its_time_and_all_end_where_the_store_says(
        count in 2_usize..5,
        blows in proptest::collection::vec((0_u64..90, 0_usize..5, 0_usize..5), 0..6),
    ) {
        let mut world = World::new(count);
        for second in 0..400 {
            for (_, at, blow) in blows.iter().filter(|(when, ..)| *when == second) {
                let node = &mut world.nodes[at % count];
                match [Blow::Dies, Blow::Restarts, Blow::CutOff, Blow::Back, Blow::Sick][*blow] {
                    Blow::Dies => node.alive = false,
                    Blow::Restarts => {
                        let fleet = if node.applied { OLD } else { node.fleet };
                        (node.pilot, node.fleet, node.applied) = (Pilot::default(), fleet, false);
                        node.boot += 100;
                        node.alive = true;
                    }
                    Blow::CutOff => node.reaches = false,
                    Blow::Back => node.reaches = true,
                    Blow::Sick => node.vitals.unhealthy.extend(["www".into()]),
                }
            }
            if second == 200 {
                world.nodes.iter_mut().for_each(|node| node.reaches = true);
            }
            world.run(1);
        }
        prop_assert!(world.moved_at.iter().all(|stage| matches!(stage, Stage::Spreading | Stage::Done)));
        if world.nodes.iter().any(|node| node.alive) {
            prop_assert!(world.store.stage.is_over(), "{:?}", world.store);
        }
        for node in world.nodes.iter().filter(|node| node.alive) {
            let is = if world.store.stage == Stage::Done { NEW } else { OLD };
            prop_assert!(node.fleet == is, "{} in {:?}", node.id, world.store);
        }
    }
}
