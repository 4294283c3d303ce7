//! What goes wrong, and what people do about it.

use std::{collections::HashSet, time::Duration};

use wayshift::model::{Action, Override, OverrideId, Selector, Wall, Weight};

use super::{
    node::{BASE, Fault},
    setup::Version,
    world::World,
};

impl World {
    /// Every ten seconds or so many fail together or return, and little else happens.
    pub(super) fn disaster(&mut self) {
        if self.rng.u8(0..30) == 0 {
            self.mischief();
        }
        if self.rng.u8(0..50) > 0 {
            return;
        }
        let (kind, share) = (self.rng.u8(0..8), self.rng.f64());
        let group = self.rng.usize(0..12);
        self.blackout = kind == 0;
        if kind == 4 {
            self.cut_links.clear();
        } else if kind >= 6 {
            // One region alone sees much of it down.
            let region = group % self.setup.regions;
            let seen: Vec<usize> = (0..self.dead.len()).filter(|_| self.rng.f64() < share).collect();
            self.cut_links.extend(seen.into_iter().map(|endpoint| (region, endpoint)));
        }
        for (endpoint, dead) in self.dead.iter_mut().enumerate() {
            *dead = match kind {
                0 => *dead,
                1 => self.rng.f64() < share,
                2 => *dead || endpoint % self.setup.providers == group % self.setup.providers,
                3 => *dead || endpoint % self.setup.regions == group % self.setup.regions,
                4 => false,
                5 => self.rng.f64() < 0.95,
                _ => *dead,
            };
        }
    }

    pub(super) fn mischief(&mut self) {
        let (endpoint, node) = (self.rng.usize(0..self.setup.endpoints), self.rng.usize(0..self.nodes.len()));
        let other = self.rng.usize(0..self.nodes.len());
        let region = self.rng.usize(0..self.setup.regions);
        match self.rng.u8(0..24) {
            0..=3 => {
                // Some die and return more often than others: one pool has three members, and may hold one of them.
                let endpoint = if self.rng.u8(0..4) > 0 { endpoint % 3 } else { endpoint };
                self.dead[endpoint] = !self.dead[endpoint];
            }
            4..=6 => toggle(&mut self.cut_links, (region, endpoint)),
            7 => self.blackout = !self.blackout && self.rng.bool(),
            8 | 9 => {
                let faults = [Fault::None, Fault::None, Fault::Network, Fault::Resources, Fault::NoV6];
                self.nodes[node].fault = faults[self.rng.usize(0..faults.len())];
            }
            10 => {
                self.nodes[node].run = None;
                self.nodes[node].back_at = self.t + self.rng.u64(0..20_000);
            }
            11 | 12 => {
                let hours = [0, 0, 3_600_000, -3_600_000, 5_000, -5_000, 60_000, -60_000];
                self.nodes[node].offset = hours[self.rng.usize(0..hours.len())];
            }
            13 | 14 => toggle(&mut self.cut_peers, (node, other)),
            15..=17 => self.order(),
            18 => {
                let endpoints = self.setup.endpoints - self.rng.usize(0..=2);
                self.version = Version { endpoints, revision: self.rng.u64(1..=3) };
                let fleet = self.setup.fleet(&self.version);
                self.reload(&fleet);
            }
            19 => toggle(&mut self.cut_store, node),
            20 => toggle(&mut self.cut_anchors, node),
            21 => self.rewind(),
            // Nobody hears this one, nor it them.
            22 => {
                let cut = self.rng.bool();
                for other in 0..self.nodes.len() {
                    for pair in [(node, other), (other, node)] {
                        if cut {
                            self.cut_peers.insert(pair)
                        } else {
                            self.cut_peers.remove(&pair)
                        };
                    }
                }
            }
            _ => self.send_store(),
        }
    }

    /// A person makes, extends or ends an override, by a right clock.
    fn order(&mut self) {
        if self.lost.is_some() {
            return;
        }
        let now = Wall(BASE + self.t);
        self.store.0 += 1;
        let kept = self.store.1.len();
        self.store.1.retain(|order| now.0 < order.expires.0 + 30_000);
        let pick = (kept > 0).then(|| self.rng.usize(0..kept)).filter(|at| *at < self.store.1.len());
        let life = self.rng.u64(5_000..40_000);
        match (self.rng.u8(0..5), pick) {
            (0, Some(at)) => {
                self.store.1.remove(at);
            }
            (1, Some(at)) if now < self.store.1[at].expires => {
                self.store.1[at].expires = Wall(now.0 + life);
                if self.store.1[at].expires <= self.store.1[at].from {
                    self.store.1[at].expires = Wall(self.store.1[at].from.0 + 1_000);
                }
            }
            _ => {
                let action = match self.rng.u8(0..8) {
                    0 => Action::Up,
                    1 | 2 => Action::Drain,
                    3 | 4 => Action::Down,
                    5 => Action::Weight(Weight(self.rng.u16(0..3))),
                    6 => Action::Pin("b".parse().unwrap()),
                    _ => Action::Freeze,
                };
                let targets = [
                    "all",
                    "provider:p0",
                    "region:r*",
                    "region:r1",
                    "endpoint:e1",
                    "endpoint:e2",
                    "pool:a",
                    "service:one",
                    "label:half=h1",
                ];
                let target: Selector = targets[self.rng.usize(0..targets.len())].parse().unwrap();
                let from = if self.rng.u8(0..4) == 0 { now.0 + self.rng.u64(0..8_000) } else { now.0 };
                let slow = action == Action::Drain && self.rng.bool();
                let over = slow.then(|| Duration::from_millis(self.rng.u64(2_000..30_000)));
                self.made += 1;
                self.store.1.push(Override {
                    id: OverrideId::new(ulid::Ulid(self.made)),
                    action,
                    target,
                    reason: "a storm".into(),
                    author: "sim".into(),
                    created: now,
                    from: Wall(from),
                    expires: Wall(from + life),
                    forced: true,
                    over,
                    generation: self.store.0,
                });
            }
        }
        self.send_store();
    }
}

fn toggle<T: Eq + std::hash::Hash>(set: &mut HashSet<T>, entry: T) {
    if !set.remove(&entry) {
        set.insert(entry);
    }
}
