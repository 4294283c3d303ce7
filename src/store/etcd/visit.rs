//! etcd as a tool on the command line sees it: looked at, copied, filled where there is nothing. It follows nothing and
//! stays no longer than it takes.

use std::collections::BTreeMap;

use etcd_client::{GetOptions, KeyValue, SortOrder};

use crate::model::Wall;

use super::{
    super::{
        AuditDraft, Idempotency, StoreError,
        backup::{Backup, Entry, Origin},
        epoch::{Epoch, continues},
        records::{ClaimRecord, HeadRecord, KeptRecord, LinkRecord},
    },
    Settings, chain,
    core::Core,
    fill::{self, Claimed},
    line::Trouble,
    list::{end_of, found, text},
    picture::Picture,
    watcher::Pause,
};

/// Kept answers asked for at once.
const ANSWERS_PAGE: i64 = 100;

/// A line to etcd, and what one may do with it.
pub struct Visit {
    core: Core,
    place: String,
    members: usize,
}

/// What stands under the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    Empty,
    /// Somebody is filling it; from where, and since when.
    Claimed(String, Wall),
    /// A state: epoch and generation.
    State(String, u64),
}

impl Visit {
    /// Asks nothing yet.
    #[must_use]
    pub fn new(settings: Settings, now: Wall) -> Self {
        let place = format!("etcd at {}, prefix {}", settings.endpoints.join(" "), settings.prefix);
        let members = settings.endpoints.len();
        Self { core: Core::new(settings, None, now), place, members }
    }

    /// Which etcd it is, in words that stay the same.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// What stands there. Every member is asked before it is given up.
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Refused`].
    pub async fn stands(&self) -> Result<Standing, StoreError> {
        let mut pause = Pause::default();
        for _ in 0..2 * self.members {
            match self.core.line.get(&self.core.keys.head(), GetOptions::new()).await {
                Ok(_) | Err(Trouble::Refused(..)) => break,
                Err(Trouble::Unreached(_) | Trouble::Unanswered(_)) => tokio::time::sleep(pause.next()).await,
            }
        }
        fill::stands(&self.core).await
    }

    /// A copy of one moment; none where there is no state. What was copied is still to be asked:
    /// [`super::super::backup::check`].
    ///
    /// # Errors
    /// [`StoreError::Away`], [`StoreError::Refused`]; [`StoreError::Damaged`]: what is wrong with it.
    pub async fn copy(&self, now: Wall) -> Result<Option<Backup>, StoreError> {
        self.stands().await?;
        let core = &self.core;
        let found = found(core).await?;
        let Some(head) = found.head else { return Ok(None) };
        let damaged = |why: String| StoreError::Damaged { path: self.place.clone(), why };
        let head = text(&head).and_then(|text| HeadRecord::parse(text).map_err(|error| error.to_string()));
        let head = head.map_err(|why| damaged(format!("the state's head: {why}")))?;
        let prefix = core.keys.overrides();
        let mut overrides = BTreeMap::new();
        for kv in &found.overrides {
            let name = String::from_utf8_lossy(kv.key()).replacen(&prefix, "", 1);
            let record = text(kv).map_err(|why| damaged(format!("override {name}: {why}")))?;
            overrides.insert(name, record.to_owned());
        }
        if !Picture::listed(0, 0, head.clone(), overrides.clone(), None).fits() {
            return Err(damaged(
                "its overrides are not those that its head speaks of: somebody wrote around wayshift".into(),
            ));
        }
        let audit = self.entries(head.sequence).await?;
        let answers = self.answers(found.header.map_or(0, |header| header.revision())).await?;
        let HeadRecord { epoch, generation, sequence, hash, .. } = head;
        let (from, head) = (Origin::Etcd, (sequence, hash));
        Ok(Some(Backup { made: now, from, epoch, generation, overrides, audit, head, answers }))
    }

    /// The audit up to an entry: those do not change any more, so no moment is asked for.
    async fn entries(&self, last: u64) -> Result<Vec<Entry>, StoreError> {
        let damaged = |why: String| StoreError::Damaged { path: self.place.clone(), why };
        let (mut entries, mut from) = (Vec::<Entry>::new(), 1);
        while from <= last {
            let page = chain::range(&self.core, from, last + 1, last, SortOrder::Ascend).await?;
            if page.is_empty() {
                break;
            }
            for kv in &page {
                let link = text(kv).and_then(|text| LinkRecord::parse(text).map_err(|error| error.to_string()));
                let link = link.map_err(|why| damaged(format!("audit entry after {}: {why}", entries.len())))?;
                if chain::sequence_of(&self.core, kv) != Some(link.sequence) || link.sequence < from {
                    return Err(damaged(format!("audit entry {} stands in another's place", link.sequence)));
                }
                from = link.sequence + 1;
                entries.push(link.into());
            }
        }
        Ok(entries)
    }

    /// Kept answers as they were then. One that is not readable protects nobody, and is left out.
    async fn answers(&self, revision: i64) -> Result<Vec<Idempotency>, StoreError> {
        let prefix = self.core.keys.all_kept();
        let (mut from, end, mut kept) = (prefix.clone(), end_of(&prefix), Vec::new());
        loop {
            let options = GetOptions::new().with_range(end.as_str()).with_limit(ANSWERS_PAGE).with_revision(revision);
            let mut page = self.core.line.get(&from, options).await.map_err(|trouble| self.core.away(&trouble))?;
            let (more, kvs) = (page.more(), page.take_kvs());
            kept.extend(kvs.iter().filter_map(|kv: &KeyValue| KeptRecord::parse(text(kv).ok()?).ok()));
            match kvs.last() {
                Some(last) if more => from = format!("{}\0", String::from_utf8_lossy(last.key())),
                Some(_) | None => return Ok(kept),
            }
        }
    }

    /// Puts a backup where there is nothing. Nodes that knew a later state hold until it is adopted. Cut off, it is
    /// repeated. `false`: it stands there already.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: something stands there. Those of the line.
    pub async fn restore(&self, backup: &Backup, audit: AuditDraft) -> Result<bool, StoreError> {
        self.stands().await?;
        let id = format!("{} {} {}", backup.epoch, backup.generation, backup.head.1);
        let made = format!("a backup of {}", backup.made);
        let claimed = fill::claim(&self.core, &ClaimRecord::new(id, false, made, audit.at)).await?;
        let claim = match claimed {
            Claimed::Mine(claim) => claim,
            Claimed::Settled(epoch, generation)
                if (epoch.as_str(), generation) == (backup.epoch.as_str(), backup.generation) =>
            {
                return Ok(false);
            }
            Claimed::Settled(epoch, generation) => return Err(self.taken(&epoch, generation)),
        };
        fill::entries(&self.core, claim, &backup.audit).await?;
        self.rest(claim, backup).await?;
        self.compare(backup).await?;
        fill::commit(&self.core, claim, backup, (backup.epoch.clone(), backup.generation), audit).await?;
        Ok(true)
    }

    /// Claims it for a state that moves here, or finds that it has arrived: then its epoch.
    pub(in crate::store) async fn claim(
        &self,
        epoch: &str,
        from: &str,
        at: Wall,
    ) -> Result<Result<i64, String>, StoreError> {
        self.stands().await?;
        match fill::claim(&self.core, &ClaimRecord::new(epoch.into(), true, from.into(), at)).await? {
            Claimed::Mine(claim) => Ok(Ok(claim)),
            Claimed::Settled(found, _) if continues(epoch, &found) => Ok(Err(found)),
            Claimed::Settled(found, generation) => Err(self.taken(&found, generation)),
        }
    }

    /// Entries of the audit that are not there yet.
    pub(in crate::store) async fn audit(&self, claim: i64, audit: &[Entry]) -> Result<(), StoreError> {
        fill::entries(&self.core, claim, audit).await
    }

    /// Overrides and kept answers.
    pub(in crate::store) async fn rest(&self, claim: i64, backup: &Backup) -> Result<(), StoreError> {
        fill::overrides(&self.core, claim, &backup.overrides).await?;
        fill::answers(&self.core, claim, &backup.answers).await
    }

    /// Whether all of it is there, read back.
    pub(in crate::store) async fn compare(&self, backup: &Backup) -> Result<(), StoreError> {
        let differs = |what: &str| StoreError::Damaged {
            path: self.place.clone(),
            why: format!("{what} read back are not what was written; somebody writes there as well"),
        };
        let there = self.entries(backup.head.0).await?;
        let same = |a: &Entry, b: &Entry| (a.sequence, &a.hash, &a.record) == (b.sequence, &b.hash, &b.record);
        if there.len() != backup.audit.len() || !there.iter().zip(&backup.audit).all(|(a, b)| same(a, b)) {
            return Err(differs("audit entries"));
        }
        let found = found(&self.core).await?;
        let read: BTreeMap<String, Vec<u8>> = found
            .overrides
            .iter()
            .map(|kv| {
                (String::from_utf8_lossy(kv.key()).replacen(&self.core.keys.overrides(), "", 1), kv.value().to_vec())
            })
            .collect();
        let wrote = backup.overrides.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes()));
        if !read.into_iter().eq(wrote) {
            return Err(differs("overrides"));
        }
        Ok(())
    }

    /// The state is here from now on: its epoch.
    pub(in crate::store) async fn arrive(
        &self,
        claim: i64,
        backup: &Backup,
        audit: AuditDraft,
    ) -> Result<(String, u64), StoreError> {
        let next = (Epoch::of(&backup.epoch).next(""), backup.generation + 1);
        fill::commit(&self.core, claim, backup, next.clone(), audit).await?;
        Ok(next)
    }

    /// Gives the claim of a state up: from then on it cannot arrive by an earlier attempt.
    pub(in crate::store) async fn release(&self, epoch: &str) -> Result<(), StoreError> {
        if let Standing::State(found, generation) = self.stands().await?
            && continues(epoch, &found)
        {
            let why = format!("the state is there already (epoch {found}, generation {generation}): it was moved");
            return Err(StoreError::Refused { path: self.place.clone(), why });
        }
        fill::release(&self.core, epoch).await
    }

    fn taken(&self, epoch: &str, generation: u64) -> StoreError {
        let why = format!(
            "a state stands there already (epoch {epoch}, generation {generation}), and none is overwritten; another \
             `prefix` in [store.etcd] is a place of its own"
        );
        StoreError::Refused { path: self.place.clone(), why }
    }
}

impl From<LinkRecord> for Entry {
    fn from(link: LinkRecord) -> Self {
        let LinkRecord { sequence, generation, attempt, previous, hash, record, .. } = link;
        Self { sequence, generation, attempt, previous, hash, record }
    }
}
