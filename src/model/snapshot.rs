//! Snapshots: fleet, verdicts and overrides at one instant.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::{Ended, Family, Feeds, Fleet, Here, NodeId, Now, Override, Remembered, SubjectIx, Target, Tempo, Verdict};

/// What answers are compiled from, and what every view shows. Immutable; replaced whole.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which node decided.
    pub node: NodeId,
    /// Counts up on one node, never goes back: wait for it, order by it.
    pub generation: u64,
    /// Over fleet, verdicts in force and overrides: equal digests, equal answers.
    pub digest: Digest,
    /// When it was decided.
    pub at: Now,
    /// What exists.
    pub fleet: Arc<Fleet>,
    /// By [`Snapshot::slot`]: two for each subject, IPv4 first; `None` where the endpoint lacks the family.
    pub verdicts: Box<[Option<Verdict>]>,
    /// Those in force at `at`, in the order of their ids; those that begin later are left out.
    pub overrides: Arc<[Override]>,
    /// Overrides that were accepted and begin later.
    pub planned: Arc<[Override]>,
    /// Drains and downs that ended so lately that a failback or ramp may still reach what they covered.
    pub ended: Arc<[Ended]>,
    /// What is known beside health: loads, paths, addresses of targets. Not part of the digest.
    pub feeds: Arc<Feeds>,
    /// What is so on this node only. Not part of the digest.
    pub here: Here,
}

impl Snapshot {
    /// The position of a target's verdict.
    #[must_use]
    pub fn slot(subject: SubjectIx, family: Family) -> usize {
        subject.index() * 2 + family.index()
    }

    /// The verdict that counts for a subject's answers of a family: a target is judged once for both.
    #[must_use]
    pub fn verdict_for(&self, subject: SubjectIx, family: Family) -> Option<&Verdict> {
        let endpoint = self.fleet.endpoint(self.fleet.subject(subject).endpoint);
        self.verdict(subject, endpoint.judged_as(family)?)
    }

    /// The verdict on one address of a subject.
    #[must_use]
    pub fn verdict(&self, subject: SubjectIx, family: Family) -> Option<&Verdict> {
        self.verdicts.get(Self::slot(subject, family))?.as_ref()
    }

    /// Its verdicts on what is probed, as a node keeps them for its next start.
    #[must_use]
    pub fn remembered(&self) -> BTreeMap<Target, Remembered> {
        let held = self.fleet.targets().filter_map(|(subject, target)| {
            let Verdict { measured, health, since, .. } = self.verdict(subject, target.family)?;
            Some((target, Remembered { measured: *measured, health: *health, since: *since }))
        });
        held.collect()
    }
}

/// A SHA-256, shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..8].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How soon each target is probed again; whole, replaced whole. A target without an entry is steady.
pub type Tempi = std::collections::HashMap<Target, Tempo>;
