//! The durable state that this node has applied, and what is taken for a newer one (STATE rules 1 and 8).
//!
//! A list of an older generation is ignored: a lagging follower, a repeated answer. Another epoch is another database, and
//! an older state under the same epoch, where the store itself says so, a restored backup: what is known stays in force
//! then, until a person has said what holds, because neither may undo an evacuation.

use std::sync::Arc;

use super::{Controller, deciding::Work};
use crate::model::{Applied, Happening, Memory, Now, Override};

/// How a store is not what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// It has an older state than this node has applied: a backup was restored.
    Rewound,
    /// It is another database.
    Replaced,
}

impl Loss {
    /// The condition's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Rewound => "store-rewound",
            Self::Replaced => "store-replaced",
        }
    }

    fn detail(self, applied: &Applied) -> String {
        let what = match self {
            Self::Rewound => "the store has an older state than this node has applied",
            Self::Replaced => "the store is another database than before",
        };
        format!(
            "{what} (generation {}); what was known stays in force, and nothing is taken from it until it is adopted",
            applied.generation
        )
    }
}

#[derive(Debug)]
pub(super) struct Durable {
    pub epoch: String,
    pub generation: u64,
    pub lost: Option<Loss>,
    shared: Vec<Override>,
    /// Those that hold on this node alone.
    local: Vec<Override>,
}

impl Durable {
    pub(super) fn remembered(memory: &Memory) -> Self {
        Self {
            epoch: memory.epoch.clone(),
            generation: memory.store_generation,
            lost: None,
            shared: memory.shared().cloned().collect(),
            local: memory.overrides.iter().filter(|order| order.local).cloned().collect(),
        }
    }

    /// All of them. One that was promoted is the shared one from then on.
    fn all(&self) -> Vec<Override> {
        let promoted = |order: &&Override| self.shared.iter().any(|shared| shared.id == order.id);
        self.shared.iter().chain(self.local.iter().filter(|order| !promoted(order))).cloned().collect()
    }

    /// Whether what the store offers is taken.
    fn offered(&mut self, epoch: &str, generation: u64) -> bool {
        if self.epoch.is_empty() {
            return true;
        }
        if self.epoch != epoch {
            // A store that has not been read yet has none; that says nothing.
            if !epoch.is_empty() {
                self.lost.get_or_insert(Loss::Replaced);
            }
            return false;
        }
        match self.lost {
            // It is a branch of our history by now, wherever it has got to.
            Some(Loss::Rewound) => false,
            Some(Loss::Replaced) | None => self.generation <= generation,
        }
    }
}

impl Controller {
    pub(super) fn share(
        &mut self,
        now: Now,
        epoch: String,
        generation: u64,
        list: &[Override],
        adopted: bool,
        work: &mut Work,
    ) {
        let lost = self.durable.lost;
        if adopted || self.durable.offered(&epoch, generation) {
            (self.durable.epoch, self.durable.generation, self.durable.lost) = (epoch, generation, None);
            self.durable.shared = list.to_vec();
            self.tenures.replace(now, &self.durable.all(), &mut work.told);
        }
        self.tell_loss(lost, work);
    }

    /// What holds on this node alone is never fenced: nobody else writes it.
    pub(super) fn keep_local(&mut self, now: Now, local: Arc<[Override]>, work: &mut Work) {
        self.durable.local = local.to_vec();
        self.tenures.replace(now, &self.durable.all(), &mut work.told);
    }

    /// The store says of itself that it is not what it was.
    pub(super) fn lose(&mut self, loss: Loss, work: &mut Work) {
        let lost = self.durable.lost;
        if !self.durable.epoch.is_empty() {
            self.durable.lost.get_or_insert(loss);
        }
        self.tell_loss(lost, work);
    }

    fn tell_loss(&self, before: Option<Loss>, work: &mut Work) {
        if before == self.durable.lost {
            return;
        }
        let applied = Applied { epoch: self.durable.epoch.clone(), generation: self.durable.generation };
        for (loss, active) in [(before, false), (self.durable.lost, true)] {
            let Some(loss) = loss else { continue };
            let detail = if active { loss.detail(&applied) } else { "its state is taken again".into() };
            work.told.push(Happening::Node { condition: loss.word().into(), active, detail });
        }
    }
}
