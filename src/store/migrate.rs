//! Moving the embedded store of a node to etcd while the node answers and serves.
//!
//! | step | what is done | cut off after it |
//! |---|---|---|
//! | `looked` | the embedded store is read and found whole | nothing has happened |
//! | `claimed` | etcd's prefix is claimed for this state: nobody makes another there | again, or given up |
//! | `copied` | the audit up to now is in etcd: most of what there is to copy, while orders are still taken | again |
//! | `sealed` | the embedded store takes no more writes, durably | again: until then no orders are taken |
//! | `completed` | the rest of the audit, overrides and kept answers are in etcd | again |
//! | `verified` | all of it was read back | again |
//! | `arrived` | one transaction makes it the state, with the next epoch, and ends the claim | again: etcd takes writes |
//! | `noted` | the seal says that it has arrived | done |
//!
//! Every step finds what was done before and goes on from there, so the way on from any of them is the same command.
//! Never do both stores take writes: etcd holds no state before `arrived`, and that comes after the seal. Between the
//! two neither does: a moment, unless it is cut off there. Giving up takes the claim out of etcd first, so that an
//! attempt that still runs cannot arrive any more, and only then the seal off.

use std::path::Path;

use serde_json::json;

use crate::model::Wall;

use super::{
    AuditDraft, StoreError,
    backup::{self, Backup},
    etcd::{Settings, Visit},
    sqlite::{copy, seal},
};

/// A step that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The embedded store is whole.
    Looked,
    /// etcd is kept for it.
    Claimed,
    /// Most is copied.
    Copied,
    /// No more orders are taken.
    Sealed,
    /// All is copied.
    Completed,
    /// All was read back.
    Verified,
    /// etcd has the state and takes orders.
    Arrived,
    /// The embedded store knows.
    Noted,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::Looked,
        Self::Claimed,
        Self::Copied,
        Self::Sealed,
        Self::Completed,
        Self::Verified,
        Self::Arrived,
        Self::Noted,
    ];

    /// As it is told.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Looked => "looked",
            Self::Claimed => "claimed",
            Self::Copied => "copied",
            Self::Sealed => "sealed",
            Self::Completed => "completed",
            Self::Verified => "verified",
            Self::Arrived => "arrived",
            Self::Noted => "noted",
        }
    }
}

/// What moves, where to, and who says so.
pub struct Move<'a> {
    /// The embedded store's folder.
    pub folder: &'a Path,
    /// Where etcd is.
    pub settings: Settings,
    /// For the audit.
    pub actor: &'a str,
    /// For the audit.
    pub reason: Option<&'a str>,
    /// The time people go by.
    pub now: fn() -> Wall,
}

/// What moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The epoch it has in etcd.
    pub epoch: String,
    /// Where it is now.
    pub destination: String,
    /// It had arrived before.
    pub before: bool,
}

impl Move<'_> {
    /// Moves it, or goes on with what was cut off. `told` hears of each step that is done.
    ///
    /// # Errors
    /// Whatever was done stays done, and the same call goes on from there. [`StoreError::Damaged`]: the embedded store is
    /// not whole. [`StoreError::Sealed`]: it is on its way to another etcd. [`StoreError::Refused`]: a state stands there
    /// already. [`StoreError::Away`]: etcd is not reached.
    pub async fn run(&self, told: &mut dyn FnMut(Step, &str)) -> Result<Moved, StoreError> {
        let visit = Visit::new(self.settings.clone(), (self.now)());
        let destination = visit.place().to_owned();
        let first = self.copy()?;
        let (overrides, entries) = (first.overrides.len(), first.audit.len());
        told(Step::Looked, &format!("{overrides} overrides and {entries} audit entries, whole"));
        if let Some(seal) = seal::sealed(self.folder)?
            && seal.destination != destination
        {
            return Err(self.elsewhere(&seal));
        }
        let from = format!("the store in {}", self.folder.display());
        let claim = match visit.claim(&first.epoch, &from, (self.now)()).await? {
            Ok(claim) => claim,
            Err(epoch) => return self.note(epoch, destination, true, told),
        };
        told(Step::Claimed, &destination);
        visit.audit(claim, &first.audit).await?;
        told(Step::Copied, &format!("{entries} audit entries; orders are still taken"));
        seal::seal(self.folder, &destination, self.sealing(&destination))?;
        told(Step::Sealed, "the embedded store takes no more orders");
        let last = self.copy()?;
        visit.audit(claim, &last.audit).await?;
        visit.rest(claim, &last).await?;
        told(Step::Completed, &format!("{} overrides, {} audit entries", last.overrides.len(), last.audit.len()));
        visit.compare(&last).await?;
        told(Step::Verified, "read back, and the same");
        let mut audit = self.draft("store.migrate");
        audit.before = Some(json!({ "epoch": last.epoch, "generation": last.generation }).to_string());
        audit.after = Some(json!({ "destination": destination, "overrides": last.overrides.len() }).to_string());
        let (epoch, generation) = visit.arrive(claim, &last, audit).await?;
        told(Step::Arrived, &format!("etcd takes orders: epoch {epoch}, generation {generation}"));
        self.note(epoch, destination, false, told)
    }

    /// Gives up a move that has not arrived: the embedded store takes orders again. Whether it was sealed.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: it has arrived. [`StoreError::Away`]: as long as etcd is not reached, nobody knows whether
    /// it has.
    pub async fn give_up(&self) -> Result<bool, StoreError> {
        let visit = Visit::new(self.settings.clone(), (self.now)());
        if let Some(seal) = seal::sealed(self.folder)?
            && (seal.moved.is_some() || seal.destination != visit.place())
        {
            return Err(self.elsewhere(&seal));
        }
        visit.release(&copy::copy(self.folder, (self.now)())?.epoch).await?;
        seal::unseal(self.folder, self.draft("store.unseal"))
    }

    /// The store is sealed for this destination, and the seal says that it has arrived.
    fn note(
        &self,
        epoch: String,
        destination: String,
        before: bool,
        told: &mut dyn FnMut(Step, &str),
    ) -> Result<Moved, StoreError> {
        // It is, unless somebody has put an older copy of it back.
        seal::seal(self.folder, &destination, self.sealing(&destination))?;
        seal::moved(self.folder, &epoch)?;
        told(Step::Noted, "the embedded store stays as it is, and stays sealed");
        Ok(Moved { epoch, destination, before })
    }

    fn copy(&self) -> Result<Backup, StoreError> {
        let copy = copy::copy(self.folder, (self.now)())?;
        match backup::check(&copy).into_iter().find(|finding| !finding.good) {
            None => Ok(copy),
            Some(finding) => Err(StoreError::Damaged {
                path: self.folder.display().to_string(),
                why: format!("{}: {}", finding.part, finding.what),
            }),
        }
    }

    fn elsewhere(&self, seal: &seal::Seal) -> StoreError {
        StoreError::Sealed {
            path: self.folder.display().to_string(),
            destination: seal.destination.clone(),
            moved: seal.moved.is_some(),
        }
    }

    fn sealing(&self, destination: &str) -> AuditDraft {
        let after = Some(json!({ "destination": destination }).to_string());
        AuditDraft { after, ..self.draft("store.seal") }
    }

    fn draft(&self, action: &str) -> AuditDraft {
        AuditDraft {
            at: (self.now)(),
            actor: self.actor.into(),
            from: "command line".into(),
            action: action.into(),
            target: "store".into(),
            before: None,
            after: None,
            reason: self.reason.map(Into::into),
            request_id: String::new(),
        }
    }
}
