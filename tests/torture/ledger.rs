//! What must hold whatever happens: what was promised, beside what was answered.
//!
//! I1 never an empty answer; I2 no answer with an endpoint whose acknowledged `down` the node has applied; I3 no
//! acknowledged override lost; I4 an audit without gaps; I5 the store's generation never back on a node; I6 fewer than
//! one query in a thousand lost, but for times in which the node was killed or stopped.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use hickory_proto::op::ResponseCode;
use serde_json::Value;

use crate::hammer::Asked;

/// A query under way when something began or ended belongs to both.
const MARGIN: Duration = Duration::from_secs(3);

/// From when to when; open while it lasts.
type Span = (Instant, Option<Instant>);

/// What was promised.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Acknowledged overrides that nobody has ended.
    pub(crate) kept: BTreeSet<String>,
    /// Ended by us or by the time; they may be gone.
    ended: BTreeSet<String>,
    /// Every one that was ever acknowledged: each has its entry in the audit.
    acknowledged: BTreeSet<String>,
    /// By override: what is down, and since when on which node.
    downs: BTreeMap<String, (Vec<Ipv4Addr>, BTreeMap<usize, Span>)>,
    excused: Vec<(usize, Span)>,
    /// The highest generation that each node has shown.
    generations: BTreeMap<usize, u64>,
    pub(crate) broken: Vec<String>,
}

impl Ledger {
    pub(crate) fn acknowledge(&mut self, id: &str) {
        self.kept.insert(id.to_owned());
        self.acknowledged.insert(id.to_owned());
    }

    /// From before its end is asked for.
    pub(crate) fn end(&mut self, id: &str) {
        self.kept.remove(id);
        self.ended.insert(id.to_owned());
        if let Some((_, nodes)) = self.downs.get_mut(id) {
            nodes.values_mut().for_each(|span| span.1 = span.1.or_else(|| Some(Instant::now())));
        }
    }

    /// A node says that it has applied a `down` of these.
    pub(crate) fn applied(&mut self, id: &str, addresses: &[Ipv4Addr], node: usize) {
        if self.ended.contains(id) {
            return;
        }
        let (_, nodes) = self.downs.entry(id.to_owned()).or_insert_with(|| (addresses.to_vec(), BTreeMap::new()));
        nodes.entry(node).or_insert_with(|| (Instant::now(), None));
    }

    /// From now on a node may be silent.
    pub(crate) fn excuse(&mut self, node: usize) {
        self.excused.push((node, (Instant::now(), None)));
    }

    /// It is back.
    pub(crate) fn expect(&mut self, node: usize) {
        for (_, span) in self.excused.iter_mut().filter(|(other, span)| *other == node && span.1.is_none()) {
            span.1 = Some(Instant::now());
        }
    }

    pub(crate) fn generation(&mut self, node: usize, generation: u64) {
        let highest = self.generations.entry(node).or_default();
        if generation < *highest {
            self.broken.push(format!("I5: node {node} went back from generation {highest} to {generation}"));
        }
        *highest = (*highest).max(generation);
    }

    /// A person adopted a state: generations begin where it says.
    pub(crate) fn new_epoch(&mut self) {
        self.generations.clear();
    }

    /// Judges what was asked; how many queries and how many lost.
    pub(crate) fn judge(&mut self, asked: &[Asked]) -> (usize, usize) {
        let (mut total, mut lost) = (0, 0);
        for one in asked {
            let excused = self.excused.iter().any(|(node, (from, to))| {
                let after = to.is_some_and(|to| to + MARGIN < one.at);
                *node == one.node && *from < one.at + MARGIN && !after
            });
            let Some(answer) = &one.answer else {
                total += usize::from(!excused);
                lost += usize::from(!excused);
                continue;
            };
            total += 1;
            if answer.code != ResponseCode::NoError || answer.addresses.is_empty() {
                self.broken.push(format!("I1: node {} answered {} with {answer:?}", one.node, one.name));
            }
            for (id, (addresses, nodes)) in &self.downs {
                let holds = nodes
                    .get(&one.node)
                    .is_some_and(|(from, to)| *from <= one.at && to.is_none_or(|to| one.at + MARGIN / 4 <= to));
                if holds && answer.addresses.iter().any(|address| addresses.contains(address)) {
                    self.broken.push(format!("I2: node {} answered {answer:?} in spite of {id}", one.node));
                }
            }
        }
        if total < lost.saturating_mul(1000) && 1 < lost {
            self.broken.push(format!("I6: {lost} of {total} queries were lost"));
        }
        // What was lost at the end of it is told of later.
        let past = Instant::now().checked_sub(MARGIN * 3);
        self.excused.retain(|(_, span)| span.1.is_none_or(|to| past.is_none_or(|past| past < to)));
        self.downs.retain(|_, (_, nodes)| nodes.values().any(|span| span.1.is_none()));
        (total, lost)
    }

    /// What a node knows when all is calm.
    pub(crate) fn compare(&mut self, node: &str, orders: &[String]) {
        for id in self.kept.iter().filter(|id| !orders.contains(id)) {
            self.broken.push(format!("I3: {node} has lost {id}"));
        }
        let known = |id: &&String| !self.kept.contains(*id) && self.ended.contains(*id);
        if let Some(back) = orders.iter().find(known) {
            self.broken.push(format!("I3: {node} has {back}, which was ended"));
        }
    }

    /// The whole audit, newest first, as the API shows it.
    pub(crate) fn audit(&mut self, node: &str, entries: &[Value]) {
        let pairs = entries.windows(2);
        for (newer, older) in pairs.map(|pair| (&pair[0], &pair[1])) {
            let follows = newer["sequence"].as_u64() == older["sequence"].as_u64().map(|before| before + 1);
            if !follows || newer["previous"] != older["hash"] {
                self.broken.push(format!("I4: {node}: after entry {} comes {}", older["sequence"], newer["sequence"]));
            }
        }
        let made = entries.iter().filter(|entry| entry["action"] == "override.create");
        let made: Vec<&str> = made.filter_map(|entry| entry["target"].as_str()?.strip_prefix("override:")).collect();
        let unique: BTreeSet<&&str> = made.iter().collect();
        if unique.len() != made.len() {
            self.broken.push(format!("I4: {node}: an override was made twice"));
        }
        // In a state that was put back by a person, what came after the backup has no entry of its own.
        let missing = self.acknowledged.iter().filter(|id| !unique.contains(&id.as_str()));
        let missing: Vec<&String> = missing.collect();
        if !missing.is_empty() {
            self.broken.push(format!("I4: {node}: nothing in the audit of {missing:?}"));
        }
    }

    /// The audit before this is lost with the store's data, as the page says.
    pub(crate) fn forget_audit(&mut self) {
        self.acknowledged.clear();
    }
}
