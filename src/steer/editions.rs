//! Editions of a zone: what secondaries are given, with its serial and the steps that led to it.
//!
//! Why not the table itself: a secondary knows neither rules nor weights nor health. An edition is the zone as a client
//! of no particular place is answered now, and it is made behind the swap, so that no failover waits for it. Its serial
//! stands in the SOA of every answer, because it goes into the table whole.

mod content;
mod difference;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc};

use super::{AnswerTable, names::put_serial};
use crate::model::{Digest, DnsName, Nodes, RECORD_HEAD, Replication, Rrset, Serial, Zone, digest, kind};

pub use self::difference::Step;

/// Steps that are kept of a zone. A secondary that is further behind gets the whole zone.
pub const STEPS_MAX: usize = 100;
/// Records in the steps of a zone together. Beyond it the oldest steps go.
pub const STEP_RECORDS_MAX: usize = 20_000;
/// A scheme and an algorithm of digests that are nobody else's business (RFC 8976 section 5.2).
const PRIVATE: u8 = 240;

/// The editions of all zones that have secondaries, by apex.
#[derive(Debug, Clone, Default)]
pub struct Editions(HashMap<DnsName, Arc<Edition>>);

/// A zone at one serial. Immutable.
#[derive(Debug, Clone)]
pub struct Edition {
    /// Which zone.
    pub apex: DnsName,
    /// Rises with every change.
    pub serial: Serial,
    /// Over the configured and the decided records.
    pub digest: Digest,
    /// Of its kind, with the serial in it, encoded.
    soa: Box<[u8]>,
    /// Of its kind, encoded.
    mark: Box<[u8]>,
    /// What the configuration says.
    fixed: Nodes,
    /// What was decided.
    steered: Nodes,
    /// From older serials to this one, the oldest first.
    steps: Vec<Arc<Step>>,
}

/// What is known of an edition from before the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Last {
    /// Its serial.
    pub serial: Serial,
    /// Of its content.
    pub digest: Digest,
}

impl Editions {
    /// One alone.
    #[cfg(test)]
    pub(crate) fn only(edition: Arc<Edition>) -> Self {
        Self(HashMap::from([(edition.apex.clone(), edition)]))
    }

    /// No zone has secondaries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// That of a zone.
    #[must_use]
    pub fn get(&self, apex: &DnsName) -> Option<&Arc<Edition>> {
        self.0.get(apex)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Edition>> {
        self.0.values()
    }

    /// The editions of what a table answers: each zone's own of `before` goes on while nothing in it changes, and is
    /// followed by another with a newer serial when something does. `last` tells of those from before the start;
    /// `seconds` is the time since 1970.
    #[must_use]
    pub fn of(
        table: &AnswerTable,
        who: &Replication,
        before: &Self,
        last: &HashMap<DnsName, Last>,
        seconds: u64,
    ) -> Self {
        let fleet = &table.snapshot().fleet;
        let zones = fleet.zones.iter().filter_map(|zone| Some((zone, who.of(&zone.apex)?)));
        let named = table.named();
        let made = zones.map(|(zone, secondaries)| {
            let before = before.get(&zone.apex);
            let names = named.get(&zone.apex).map_or(&[][..], Vec::as_slice);
            let steered = table.steered_of(zone, names, before.map(|before| &before.steered));
            let floor = secondaries.has_serial.then(|| serial_of(zone)).flatten();
            let made = Edition::after(before, zone, steered, last.get(&zone.apex), floor, seconds);
            (zone.apex.clone(), made)
        });
        Self(made.collect())
    }

    /// Whether all zones are at the same editions.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(apex, edition): (&DnsName, &Arc<Edition>)| {
            other.get(apex).is_some_and(|other| Arc::ptr_eq(edition, other))
        };
        self.0.len() == other.0.len() && self.0.iter().all(same)
    }
}

impl Edition {
    fn after(
        before: Option<&Arc<Self>>,
        zone: &Zone,
        steered: Nodes,
        last: Option<&Last>,
        floor: Option<Serial>,
        seconds: u64,
    ) -> Arc<Self> {
        let is_raised = |serial| floor.is_some_and(|floor: Serial| floor.is_after(serial));
        let same = before.filter(|before| before.fixed == zone.nodes && before.steered == steered);
        if let Some(same) = same.filter(|same| !is_raised(same.serial)) {
            return Arc::clone(same);
        }
        let whole = digest::of(&(&zone.apex, zone.nodes.digest().0, steered.digest().0));
        let known = before.map(|before| before.serial).or_else(|| last.map(|last| last.serial));
        let serial = match last {
            Some(last) if before.is_none() && last.digest == whole && !is_raised(last.serial) => last.serial,
            Some(_) | None => {
                let next = Serial::following(known, seconds);
                floor.filter(|floor| floor.is_after(next)).unwrap_or(next)
            }
        };
        let mut soa: Box<[u8]> = zone.set(&zone.apex, kind::SOA).map(|set| set.records.into()).unwrap_or_default();
        put_serial(&mut soa, serial);
        let mut edition = Self {
            apex: zone.apex.clone(),
            serial,
            digest: whole,
            mark: mark(&soa, serial, whole),
            soa,
            fixed: zone.nodes.clone(),
            steered,
            steps: Vec::new(),
        };
        if let Some(before) = before {
            edition.steps = steps(before, &edition);
        }
        Arc::new(edition)
    }

    /// The SOA; its encoded owner is a question's name.
    #[must_use]
    pub fn soa(&self) -> Rrset<'_> {
        Rrset::one(&self.soa)
    }

    /// What content this is: a ZONEMD (RFC 8976) of a private scheme, for secondaries alone. Why: nodes count serials each
    /// by itself, so two may give one serial to different content. A step then would be applied to what it does not lead
    /// from, and nobody would see it; with this record among what it removes, secondaries do, and fetch the whole zone.
    #[must_use]
    pub fn mark(&self) -> Rrset<'_> {
        Rrset::one(&self.mark)
    }

    /// All other records: those that the configuration says (the zone's own SOA is still among them), and what was
    /// decided.
    #[must_use]
    pub fn parts(&self) -> [&Nodes; 2] {
        [&self.fixed, &self.steered]
    }

    /// How many records there are, the SOA among them.
    #[must_use]
    pub fn records(&self) -> usize {
        self.fixed.records() + self.steered.records()
    }

    /// The steps from an older serial to this one; `None` if they are not known (any more), or hold more than the zone.
    #[must_use]
    pub fn steps_from(&self, serial: Serial) -> Option<&[Arc<Step>]> {
        let from = self.steps.iter().position(|step| step.from == serial)?;
        let steps = &self.steps[from..];
        let records: usize = steps.iter().map(|step| step.records()).sum();
        (records < self.records()).then_some(steps)
    }
}

/// Beside a SOA, with its TTL and its encoded owner.
fn mark(soa: &[u8], serial: Serial, content: Digest) -> Box<[u8]> {
    let Some((head, _)) = soa.split_first_chunk::<RECORD_HEAD>() else { return Box::default() };
    let mut mark = head.to_vec();
    mark[2..4].copy_from_slice(&kind::ZONEMD.to_be_bytes());
    mark.extend_from_slice(&serial.0.to_be_bytes());
    mark.extend_from_slice(&[PRIVATE, PRIVATE]);
    mark.extend_from_slice(&content.0);
    let length = u16::try_from(mark.len() - RECORD_HEAD).expect("a digest is short");
    mark[RECORD_HEAD - 2..RECORD_HEAD].copy_from_slice(&length.to_be_bytes());
    mark.into()
}

fn serial_of(zone: &Zone) -> Option<Serial> {
    let soa = zone.set(&zone.apex, kind::SOA)?;
    let numbers = soa.rdata().next()?.last_chunk::<20>()?;
    Some(Serial(u32::from_be_bytes([numbers[0], numbers[1], numbers[2], numbers[3]])))
}

/// The steps so far and the one from `before` to `after`, within bounds.
fn steps(before: &Edition, after: &Edition) -> Vec<Arc<Step>> {
    let Some(step) = Step::between(before, after) else { return Vec::new() };
    let mut steps = before.steps.clone();
    steps.push(Arc::new(step));
    let mut room = STEP_RECORDS_MAX;
    let fitting = steps.iter().rev().take(STEPS_MAX).take_while(|step| {
        let fits = step.records() <= room;
        room = room.saturating_sub(step.records());
        fits
    });
    let keep = fitting.count();
    steps.drain(..steps.len() - keep);
    steps
}
