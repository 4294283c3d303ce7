//! What differs between two editions, as secondaries are told of it (RFC 1995).

use std::collections::HashSet;

use super::{Edition, STEP_RECORDS_MAX};
use crate::model::{DnsName, Node, Nodes, Rrset, Serial, kind};

/// From one serial to the next.
#[derive(Debug, Clone)]
pub struct Step {
    /// From which.
    pub from: Serial,
    /// To which.
    pub to: Serial,
    /// The SOA of the older one, encoded as [`Edition::soa`] is.
    pub from_soa: Box<[u8]>,
    /// The SOA of the newer one.
    pub to_soa: Box<[u8]>,
    /// What content the older one is, encoded as [`Edition::mark`] is.
    pub from_mark: Box<[u8]>,
    /// What content the newer one is.
    pub to_mark: Box<[u8]>,
    /// What is no longer there.
    pub removed: Nodes,
    /// What is there from now on.
    pub added: Nodes,
}

impl Step {
    /// `None` where more differs than is kept.
    pub(super) fn between(before: &Edition, after: &Edition) -> Option<Self> {
        let mut changes = Changes::default();
        for (old, new) in before.parts().into_iter().zip(after.parts()) {
            if old != new {
                changes.walk(old, new)?;
            }
        }
        Some(Self {
            from: before.serial,
            to: after.serial,
            from_soa: before.soa.clone(),
            to_soa: after.soa.clone(),
            from_mark: before.mark.clone(),
            to_mark: after.mark.clone(),
            removed: changes.removed.into_iter().collect(),
            added: changes.added.into_iter().collect(),
        })
    }

    /// How many records it takes to tell, both SOAs among them.
    #[must_use]
    pub fn records(&self) -> usize {
        self.removed.records() + self.added.records() + 2
    }
}

/// Owner, type, TTL, data.
type Record<'n> = (DnsName, u16, u32, &'n [u8]);

#[derive(Default)]
struct Changes<'n> {
    removed: Vec<Record<'n>>,
    added: Vec<Record<'n>>,
}

impl<'n> Changes<'n> {
    /// Both in the order of their names. `None` when it grows too long.
    fn walk(&mut self, old: &'n Nodes, new: &'n Nodes) -> Option<()> {
        let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
        loop {
            match (old.peek(), new.peek()) {
                (None, None) => return Some(()),
                (Some(gone), Some(here)) if gone.name == here.name => {
                    let (gone, here) = (*gone, *here);
                    self.name(gone, here);
                    old.next();
                    new.next();
                }
                (Some(gone), here) if here.is_none_or(|here| gone.name < here.name) => {
                    self.removed.extend(records(*gone, |_| true));
                    old.next();
                }
                (_, Some(here)) => {
                    self.added.extend(records(*here, |_| true));
                    new.next();
                }
                (Some(_), None) => unreachable!("what has nothing opposite is gone"),
            }
            if STEP_RECORDS_MAX < self.removed.len() + self.added.len() {
                return None;
            }
        }
    }

    /// What stands at one name before and after.
    fn name(&mut self, gone: Node<'n>, here: Node<'n>) {
        if gone.sets == here.sets {
            return;
        }
        let lacks = |node: Node<'n>| {
            let known: HashSet<(u16, u32, &[u8])> = sets(node).flat_map(each).collect();
            move |record: (u16, u32, &[u8])| !known.contains(&record)
        };
        self.removed.extend(records(gone, lacks(here)));
        self.added.extend(records(here, lacks(gone)));
    }
}

fn sets(node: Node<'_>) -> impl Iterator<Item = Rrset<'_>> {
    // The SOA is told by itself, and so is what content it is.
    node.sets.iter().filter(|set| set.kind != kind::SOA && set.kind != kind::ZONEMD)
}

fn each(set: Rrset<'_>) -> impl Iterator<Item = (u16, u32, &[u8])> {
    set.rdata().map(move |data| (set.kind, set.ttl, data))
}

fn records<'n>(node: Node<'n>, may: impl Fn((u16, u32, &[u8])) -> bool) -> Vec<Record<'n>> {
    let all = sets(node).flat_map(each).filter(|record| may(*record));
    all.map(|(kind, ttl, data)| (node.owner(), kind, ttl, data)).collect()
}
