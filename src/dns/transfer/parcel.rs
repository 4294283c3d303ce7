//! What one transfer hands over, record for record, and where it stands.

use std::sync::Arc;

use crate::{
    model::{DnsName, Nodes, Rrset, Serial, kind},
    steer::{Edition, Step},
};

/// Records in order, and the next one. It holds the edition that it began with, whatever is published meanwhile.
#[derive(Debug)]
pub(super) struct Parcel {
    apex: DnsName,
    parts: Vec<Part>,
    /// Places of the next record: its part, the name in it, the record at that name.
    part: usize,
    name: usize,
    record: usize,
}

#[derive(Debug)]
enum Part {
    /// A record of the apex, encoded.
    One(Box<[u8]>),
    /// Everything but the SOA and the mark.
    All(Nodes),
}

impl Parcel {
    /// The whole zone, between two SOAs (RFC 5936 section 2.2).
    pub(super) fn whole(edition: &Edition) -> Self {
        let soa = || Part::One(edition.soa().records.into());
        let mark = Part::One(edition.mark().records.into());
        let [fixed, steered] = edition.parts().map(|nodes| Part::All(nodes.clone()));
        Self::of(edition, vec![soa(), mark, fixed, steered, soa()])
    }

    /// What a secondary with this serial lacks: the steps to the newest (RFC 1995 section 4), the newest SOA alone if it
    /// lacks nothing, the whole zone where the steps are not known.
    pub(super) fn since(edition: &Edition, serial: Serial) -> Self {
        let soa = || Part::One(edition.soa().records.into());
        if !edition.serial.is_after(serial) {
            return Self::of(edition, vec![soa()]);
        }
        let Some(steps) = edition.steps_from(serial) else { return Self::whole(edition) };
        let told = |step: &Arc<Step>| {
            let (gone, new) = (Part::All(step.removed.clone()), Part::All(step.added.clone()));
            let one = |record: &[u8]| Part::One(record.into());
            [one(&step.from_soa), one(&step.from_mark), gone, one(&step.to_soa), one(&step.to_mark), new]
        };
        let parts = [soa()].into_iter().chain(steps.iter().flat_map(told)).chain([soa()]);
        Self::of(edition, parts.collect())
    }

    fn of(edition: &Edition, parts: Vec<Part>) -> Self {
        Self { apex: edition.apex.clone(), parts, part: 0, name: 0, record: 0 }
    }

    /// Everything was handed over.
    pub(super) fn is_empty(&self) -> bool {
        self.part == self.parts.len()
    }

    /// Hands over records until `put` takes no more.
    pub(super) fn fill(&mut self, mut put: impl FnMut(&[u8], Rrset<'_>, &[u8]) -> bool) {
        while let Some(part) = self.parts.get(self.part) {
            match part {
                Part::One(record) => {
                    let set = Rrset::one(record);
                    for data in set.rdata() {
                        if !put(self.apex.wire(), set, data) {
                            return;
                        }
                    }
                }
                Part::All(nodes) => {
                    while let Some(node) = nodes.nth(self.name) {
                        let sets = node.sets.iter().filter(|set| set.kind != kind::SOA && set.kind != kind::ZONEMD);
                        let records = sets.flat_map(|set| set.rdata().map(move |data| (set, data)));
                        for (set, data) in records.skip(self.record) {
                            if !put(node.name, set, data) {
                                return;
                            }
                            self.record += 1;
                        }
                        (self.name, self.record) = (self.name + 1, 0);
                    }
                }
            }
            (self.part, self.name, self.record) = (self.part + 1, 0, 0);
        }
    }
}

#[cfg(test)]
mod tests;
