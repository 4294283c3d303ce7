//! The names on the way of one answer: the question, then the targets of its aliases.

use std::borrow::Cow;

use super::Owner;
use crate::model::{DnsName, NAME_LENGTH_MAX, labels};

/// Most aliases followed. The resolver goes on from the last target, so a longer chain costs it a query and no answer.
const ALIASES_MAX: usize = 10;

/// Every name so far, in lower case; the last one is being looked up.
pub(super) struct Chain {
    names: Vec<Vec<u8>>,
}

impl Chain {
    pub(super) fn new(question: &[u8]) -> Self {
        Self { names: vec![question.to_vec()] }
    }

    pub(super) fn is_at_start(&self) -> bool {
        self.names.len() == 1
    }

    /// The name to look up.
    pub(super) fn name(&self) -> &[u8] {
        self.names.last().expect("a chain begins with the question")
    }

    /// The name as the owner of what is found at it.
    pub(super) fn owner<'t>(&self) -> Owner<'t> {
        if self.is_at_start() { Owner::Asked } else { Owner::Name(Cow::Owned(self.name().to_vec())) }
    }

    /// Goes on to an alias's target; not in a circle, and not beyond [`ALIASES_MAX`].
    pub(super) fn follow(&mut self, target: &[u8]) -> bool {
        let target = target.to_ascii_lowercase();
        if self.names.len() > ALIASES_MAX || self.names.contains(&target) {
            return false;
        }
        self.names.push(target);
        true
    }

    /// The name with the end `owner` replaced by `target` (RFC 6672 section 2.2); `None` when it becomes too long.
    pub(super) fn redirected(&self, owner: &DnsName, target: &[u8]) -> Option<Vec<u8>> {
        let kept = self.name().len().checked_sub(owner.wire().len())?;
        let name = [&self.name()[..kept], target].concat();
        debug_assert!(labels(&name).count() > 0, "a redirected name keeps a label of its own");
        (name.len() <= NAME_LENGTH_MAX).then_some(name)
    }
}
