//! What goes wrong.

use std::collections::HashSet;

use super::{node::Fault, setup::Version, world::World};

impl World {
    /// Every ten seconds or so many fail together or return, and little else happens.
    pub(super) fn disaster(&mut self) {
        if self.rng.u8(0..30) == 0 {
            self.mischief();
        }
        // What waits for leave is remembered by a process that is soon back.
        if self.rng.u8(0..100) == 0 {
            let node = self.rng.usize(0..self.nodes.len());
            self.nodes[node].run = None;
            self.nodes[node].back_at = self.t + self.rng.u64(0..2_000);
        }
        if self.rng.u8(0..50) > 0 || self.t < self.settled {
            return;
        }
        let (kind, share) = (self.rng.u8(0..12), self.rng.f64());
        let group = self.rng.usize(0..12);
        self.blackout = kind == 0;
        if kind == 4 || kind >= 10 {
            self.cut_links.clear();
            self.dead_v6.fill(false);
        }
        if kind == 8 || kind == 9 {
            let rng = &mut self.rng;
            self.dead_v6.iter_mut().for_each(|dead| *dead = rng.f64() < share);
        } else if kind >= 6 {
            // One region alone sees much of it down; or some, and all else is well.
            let (region, share) = (group % self.setup.regions, if kind >= 10 { 0.3 + share / 4.0 } else { share });
            if kind >= 10 {
                // Long enough for what is held to be confirmed, if it could be.
                self.settled = self.t + 30_000;
            }
            let seen: Vec<usize> = (0..self.dead.len()).filter(|_| self.rng.f64() < share).collect();
            self.cut_links.extend(seen.into_iter().map(|endpoint| (region, endpoint)));
        }
        for (endpoint, dead) in self.dead.iter_mut().enumerate() {
            *dead = match kind {
                0 => *dead,
                1 => self.rng.f64() < share,
                2 => *dead || endpoint % self.setup.providers == group % self.setup.providers,
                3 => *dead || endpoint % self.setup.regions == group % self.setup.regions,
                4 | 10 | 11 => false,
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
}

fn toggle<T: Eq + std::hash::Hash>(set: &mut HashSet<T>, entry: T) {
    if !set.remove(&entry) {
        set.insert(entry);
    }
}
