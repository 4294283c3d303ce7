//! `[pool]`, and the list-or-table form that pools and services share: a list is an order, a table has weights.

use std::collections::{HashMap, HashSet};

use crate::model::{ANSWER_ENDPOINTS_MAX, Degraded, EndpointIx, Member, MinUp, Pool, PoolAnswer, Weight};

use super::{Build, span, word_of};
use crate::config::{
    document::{Node, Table},
    report::{Place, Raw},
    values::Percent,
};

/// What stands in a list or table of members.
pub(super) struct Named<'n> {
    pub(super) id: &'n str,
    pub(super) place: Place,
    /// The weight of a table.
    pub(super) weight: Option<Weight>,
}

/// The members of a list or table, in the order written.
pub(super) fn named(node: &Node) -> Vec<Named<'_>> {
    let Some(table) = node.table() else {
        let items = node.items().iter();
        return items.filter_map(|item| Some(Named { id: item.text()?, place: item.place, weight: None })).collect();
    };
    let weight = |node: &Node| Weight(node.whole().and_then(|n| u16::try_from(n).ok()).unwrap_or(1));
    let entries = table.entries.iter();
    entries.map(|e| Named { id: &e.key, place: e.place, weight: Some(weight(&e.node)) }).collect()
}

impl Build<'_, '_> {
    pub(super) fn pools(&mut self) {
        for entry in &self.root.section("pool").entries {
            let table = entry.node.table().cloned().unwrap_or_default();
            let pool = self.pool(&entry.key, &table);
            self.parts.pools.push(pool);
            self.pool_places.push(entry.place);
        }
    }

    fn pool(&mut self, id: &str, table: &Table) -> Pool {
        let weighted = table.get("endpoints").is_some_and(|node| node.table().is_some());
        let mut members = Vec::new();
        let list = table.get("endpoints").map(named).unwrap_or_default();
        let written = list.len();
        if let Some(node) = table.get("endpoints") {
            for member in list {
                if let Some(ix) = Self::refer(&self.endpoints, member.id, member.place, &mut self.reader.report) {
                    members.push((ix, member.place, member.weight));
                }
            }
            if written == 0 && weighted {
                self.report().add(Raw::error("E006", "a pool has at least one endpoint").at(node.place, ""));
            }
        }
        let default = if weighted { PoolAnswer::Weighted } else { PoolAnswer::All };
        let answer = table.text("answer").and_then(|word| word_of(PoolAnswer::WORDS, word)).unwrap_or(default);
        let count = table.number("count").unwrap_or(match answer {
            PoolAnswer::All => ANSWER_ENDPOINTS_MAX,
            PoolAnswer::First
            | PoolAnswer::RoundRobin
            | PoolAnswer::Random
            | PoolAnswer::Weighted
            | PoolAnswer::LeastConnections
            | PoolAnswer::Hash => 1,
        });
        let min_up = self.min_up(table, written);
        let check = table.get("check").and_then(|node| self.check_of(node));
        let degraded = table.text("degraded").and_then(|word| word_of(Degraded::WORDS, word));
        let degraded = degraded.unwrap_or(self.defaults.degraded);
        let members = self.members(members);
        self.some_weight(&members, answer, table);
        self.no_shares(answer, table);
        Pool {
            id: id.parse().unwrap_or_else(|_| "x".parse().expect("`x` is an id")),
            members,
            answer,
            count,
            min_up,
            check,
            implicit: false,
            degraded,
            ramp: span(table, "ramp"),
        }
    }

    /// A wheel exists only if its sum is above 0.
    fn some_weight(&mut self, members: &[Member], answer: PoolAnswer, table: &Table) {
        let nothing = !members.is_empty() && members.iter().all(|member| member.weight == Weight(0));
        if let (true, PoolAnswer::Weighted, Some(entry)) = (nothing, answer, table.entry("endpoints")) {
            let place = entry.place;
            self.report()
                .add(Raw::error("E029", "all weights of this pool are 0").at(place, "write at least one above 0"));
        }
    }

    /// Whoever answers all its endpoints has no shares: what sets them would do nothing there.
    fn no_shares(&mut self, answer: PoolAnswer, table: &Table) {
        if answer != PoolAnswer::All {
            return;
        }
        if let Some(entry) = table.entry("ramp") {
            let message = "`ramp` does nothing in a pool that answers all its endpoints";
            let label = "leave it out, or draw by weight: answer = \"weighted\"";
            self.reader.report.add(Raw::error("E029", message).at(entry.place, label));
        }
        let weights = table.entry("endpoints").filter(|entry| entry.node.table().is_some());
        if let (Some(entry), Some(answer)) = (weights, table.entry("answer")) {
            let message = "weights do nothing in a pool that answers all its endpoints";
            let raw = Raw::error("E029", message).at(answer.node.place, "answer = \"weighted\" uses them");
            self.reader.report.add(raw.at(entry.place, "write a list, or draw by weight"));
        }
    }

    /// Looks weights up, and sees that no endpoint stands twice.
    pub(super) fn members(&mut self, found: Vec<(EndpointIx, Place, Option<Weight>)>) -> Box<[Member]> {
        let mut first: HashMap<EndpointIx, Place> = HashMap::new();
        let mut members = Vec::with_capacity(found.len());
        for (endpoint, place, weight) in found {
            if let Some(first) = first.insert(endpoint, place) {
                let message = "an endpoint stands twice in one pool";
                self.report().add(Raw::error("E011", message).at(place, "again here").at(first, "first here"));
                continue;
            }
            let weight = weight.unwrap_or_else(|| self.weight_of(endpoint));
            members.push(Member { endpoint, weight });
        }
        members.into()
    }

    fn weight_of(&self, endpoint: EndpointIx) -> Weight {
        self.parts.endpoints.get(endpoint.index()).map_or_else(Weight::default, |endpoint| endpoint.weight)
    }

    fn min_up(&mut self, table: &Table, members: usize) -> MinUp {
        let Some(node) = table.get("min_up") else { return MinUp::Auto };
        if let Some(count) = table.number::<u16>("min_up") {
            if usize::from(count) > members && members > 0 {
                let message = format!("a pool of {members} never has {count} endpoints up");
                self.report().add(Raw::error("E029", message).at(node.place, "the pool would never open"));
            }
            return MinUp::Count(count);
        }
        match table.parse::<Percent>("min_up") {
            Some(Percent(0)) => {
                let message = "with `min_up` of 0% a pool without a healthy endpoint would be open";
                self.report().add(Raw::error("E008", message).at(node.place, "1% to 100%, a count or \"auto\""));
                MinUp::Auto
            }
            Some(Percent(share)) => MinUp::Share(share),
            None => MinUp::Auto,
        }
    }

    /// Names that stand twice in a list.
    pub(super) fn twice(&mut self, list: &[Named<'_>], kind: &str) {
        let mut seen = HashSet::new();
        for item in list {
            if !seen.insert(item.id) {
                let message = format!("{kind} `{}` stands twice in one list", item.id);
                self.reader.report.add(Raw::error("E011", message).at(item.place, ""));
            }
        }
    }
}
