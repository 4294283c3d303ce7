//! The writer: takes what waits, makes one transaction of it, answers after the fsync.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use crate::model::{Memory, Override, Wall};

use super::{
    super::{
        AuditDraft, Committed, Durable, StoreError,
        database::{classify, refused},
        orders::{Ended, Orders},
        time::Time,
    },
    adopt::{self, Adopted},
    apply::{self, Request, Stop},
    chain, keys, seal,
};

/// Most jobs that share one fsync.
const BATCH_MAX: usize = 64;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked for.
pub(super) enum Job {
    Commit { request: Box<Request>, answer: Answer<Committed> },
    Note { audit: AuditDraft, answer: Answer<()> },
    Prune { now: Wall, audit_kept_since: Wall, answer: Answer<Pruned> },
    Adopt { memory: Box<Memory>, now: Wall, answer: Answer<Adopted> },
}

/// What pruning did and found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Idempotency keys dropped; ask again while it is not 0.
    pub keys: u64,
    /// Audit entries older than they have to be kept. They stay until they are exported.
    pub audit_overdue: u64,
}

/// An answer that waits for the transaction's end.
enum Waiting {
    Commit(Answer<Committed>, Result<Override, StoreError>),
    Note(Answer<()>),
    Prune(Answer<Pruned>, Pruned),
    Adopt(Answer<Adopted>, Adopted),
}

impl Waiting {
    fn tell(self, durable: &Arc<Durable>) {
        // Whoever asked may have gone; the commit stands all the same.
        match self {
            Self::Commit(answer, result) => {
                drop(answer.send(result.map(|entity| Committed { durable: Arc::clone(durable), entity })));
            }
            Self::Note(answer) => drop(answer.send(Ok(()))),
            Self::Prune(answer, pruned) => drop(answer.send(Ok(pruned))),
            Self::Adopt(answer, adopted) => drop(answer.send(Ok(adopted))),
        }
    }

    fn fail(self, error: StoreError) {
        match self {
            Self::Commit(answer, _) => drop(answer.send(Err(error))),
            Self::Note(answer) => drop(answer.send(Err(error))),
            Self::Prune(answer, _) => drop(answer.send(Err(error))),
            Self::Adopt(answer, _) => drop(answer.send(Err(error))),
        }
    }
}

/// Owns the writing connection and the picture that is watched.
pub(super) struct Writer {
    db: Connection,
    file: PathBuf,
    time: Arc<Time>,
    orders: Orders,
    ended: Ended,
    durable: watch::Sender<Arc<Durable>>,
    trouble: watch::Sender<Option<Arc<str>>>,
    /// An fsync failed: what the kernel holds of the file is not to be trusted any more, so nothing more is written
    /// until the store is opened anew.
    distrusted: bool,
}

type Watched = (watch::Receiver<Arc<Durable>>, watch::Receiver<Option<Arc<str>>>);

impl Writer {
    /// Reads the state; the receivers see it and everything after it.
    pub(super) fn new(db: Connection, file: PathBuf, time: Arc<Time>) -> Result<(Self, Watched), StoreError> {
        let orders = apply::read(&db, &file)?;
        let (durable, seen) = watch::channel(orders.durable());
        let (trouble, told) = watch::channel(seal::refuse(&db, &file).err().map(|error| error.to_string().into()));
        let ended = Ended::default();
        Ok((Self { db, file, time, orders, ended, durable, trouble, distrusted: false }, (seen, told)))
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH_MAX
                && let Ok(next) = jobs.try_recv()
            {
                batch.push(next);
            }
            self.batch(batch);
        }
    }

    fn batch(&mut self, jobs: Vec<Job>) {
        let mut waiting = Vec::with_capacity(jobs.len());
        let made = if self.distrusted {
            waiting.extend(jobs.into_iter().map(Job::unmade));
            Err(refused(&self.file, &"the disk did not confirm an earlier write; start the node again"))
        } else {
            self.make(jobs, &mut waiting)
        };
        match made {
            Ok(orders) => {
                if orders.generation != self.orders.generation {
                    self.publish(orders);
                }
                self.trouble.send_if_modified(|trouble| trouble.take().is_some());
                let durable = Arc::clone(&self.durable.borrow());
                waiting.into_iter().for_each(|one| one.tell(&durable));
            }
            Err(error) => {
                self.look_again(&error);
                let why: Arc<str> = error.to_string().into();
                self.trouble.send_replace(Some(why));
                waiting.into_iter().for_each(|one| one.fail(again(&error)));
            }
        }
    }

    /// Everything in one transaction; each commit in a savepoint of its own, so that one refusal does not touch the
    /// others. What is pushed to `waiting` is answered by the caller, whatever the outcome.
    fn make(&mut self, jobs: Vec<Job>, waiting: &mut Vec<Waiting>) -> Result<Orders, StoreError> {
        let Self { db, file, time, ended, .. } = self;
        let mut orders = self.orders.clone();
        let now = time.mono();
        let told = |error: rusqlite::Error| classify(file, &error);
        let mut jobs = jobs.into_iter();
        let mut tx = match db.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(tx) => tx,
            Err(error) => {
                waiting.extend(jobs.map(Job::unmade));
                return Err(classify(file, &error));
            }
        };
        // Adopting looks for itself: where there is nothing to take it is done.
        if !jobs.as_slice().iter().all(|job| matches!(job, Job::Adopt { .. }))
            && let Err(sealed) = seal::refuse(&tx, file)
        {
            waiting.extend(jobs.map(Job::unmade));
            return Err(sealed);
        }
        while let Some(job) = jobs.next() {
            let (one, failure) = match job {
                Job::Commit { request, answer } => {
                    time.hear(request.audit.at);
                    ended.note(&orders, request.audit.at, now);
                    let made = guarded(&mut tx, file, &mut orders, |db, file, orders| {
                        apply::commit(db, file, orders, ended, now, *request)
                    });
                    match made {
                        Ok(order) => (Waiting::Commit(answer, Ok(order)), None),
                        Err(Stop::Decided(error)) => (Waiting::Commit(answer, Err(error)), None),
                        Err(Stop::Broken(error)) => (Waiting::Commit(answer, Err(not_made())), Some(told(error))),
                    }
                }
                Job::Note { audit, answer } => {
                    time.hear(audit.at);
                    (Waiting::Note(answer), chain::append(&tx, audit).err().map(told))
                }
                Job::Prune { now, audit_kept_since, answer } => match prune(&tx, now, audit_kept_since) {
                    Ok(pruned) => (Waiting::Prune(answer, pruned), None),
                    Err(error) => (Waiting::Prune(answer, Pruned::default()), Some(told(error))),
                },
                Job::Adopt { memory, now, answer } => match adopt::adopt(&tx, file, &mut orders, &memory, now) {
                    Ok(adopted) => (Waiting::Adopt(answer, adopted), None),
                    Err(error) => (Waiting::Adopt(answer, Adopted::Nothing), Some(error)),
                },
            };
            waiting.push(one);
            if let Some(error) = failure {
                // SQLite may have rolled everything back by itself: none of the batch was made.
                waiting.extend(jobs.map(Job::unmade));
                return Err(error);
            }
        }
        tx.commit().map_err(|error| classify(file, &error))?;
        Ok(orders)
    }

    fn publish(&mut self, orders: Orders) {
        self.durable.send_replace(orders.durable());
        self.orders = orders;
    }

    /// After a failure the file is asked what it holds: a write whose confirmation failed may have been made.
    fn look_again(&mut self, error: &StoreError) {
        self.distrusted |= matches!(error, StoreError::Unknown(_));
        if let Ok(orders) = apply::read(&self.db, &self.file)
            && self.orders.generation < orders.generation
        {
            self.publish(orders);
        }
    }
}

impl Job {
    fn unmade(self) -> Waiting {
        match self {
            Self::Commit { answer, .. } => Waiting::Commit(answer, Err(not_made())),
            Self::Note { answer, .. } => Waiting::Note(answer),
            Self::Prune { answer, .. } => Waiting::Prune(answer, Pruned::default()),
            Self::Adopt { answer, .. } => Waiting::Adopt(answer, Adopted::Nothing),
        }
    }
}

/// Stands where a result would be in an answer that can only become a failure.
fn not_made() -> StoreError {
    StoreError::Unknown("the commit was not made".into())
}

/// Runs one commit on a copy of the picture and in a savepoint; both are thrown away unless it succeeds. A panic in the
/// caller's reply ends that commit and not the writer.
fn guarded(
    tx: &mut Transaction<'_>,
    file: &Path,
    orders: &mut Orders,
    commit: impl FnOnce(&Connection, &Path, &mut Orders) -> Result<Override, Stop>,
) -> Result<Override, Stop> {
    let savepoint = tx.savepoint()?;
    let mut trial = orders.clone();
    let made = catch_unwind(AssertUnwindSafe(|| commit(&savepoint, file, &mut trial)));
    let order = made.unwrap_or_else(|_| Err(Stop::Decided(refused(file, &"the answer to keep could not be made"))))?;
    savepoint.commit()?;
    *orders = trial;
    Ok(order)
}

fn prune(tx: &Transaction<'_>, now: Wall, audit_kept_since: Wall) -> rusqlite::Result<Pruned> {
    Ok(Pruned { keys: keys::prune(tx, now)?, audit_overdue: chain::older_than(tx, audit_kept_since)? })
}

/// The same error for everyone who shared a transaction.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Damaged { path, why } => StoreError::Damaged { path: path.clone(), why: why.clone() },
        StoreError::Unknown(why) => StoreError::Unknown(why.clone()),
        StoreError::Refused { path, why } => StoreError::Refused { path: path.clone(), why: why.clone() },
        StoreError::Sealed { path, destination, moved } => {
            StoreError::Sealed { path: path.clone(), destination: destination.clone(), moved: *moved }
        }
        StoreError::Conflict { .. }
        | StoreError::NoOverride(_)
        | StoreError::KeyUsed(_)
        | StoreError::Full { .. }
        | StoreError::InUse { .. }
        | StoreError::Away { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::Held { .. } => StoreError::Unknown(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        Change, Seen,
        database::{self, Sync},
        records::samples::plain_override,
        sqlite::schema,
    };

    fn draft(reason: String) -> AuditDraft {
        AuditDraft {
            at: Wall(2_000_000),
            actor: "node".into(),
            from: "signal".into(),
            action: "override.create".into(),
            target: "config".into(),
            before: None,
            after: None,
            reason: Some(reason),
            request_id: "r".into(),
        }
    }

    fn create(number: u64) -> (Job, oneshot::Receiver<Result<Committed, StoreError>>) {
        let (answer, answered) = oneshot::channel();
        let change = Change::Create(plain_override(number));
        let request = Request { change, seen: Seen(number), audit: draft("x".repeat(500)), key: None };
        (Job::Commit { request: Box::new(request), answer }, answered)
    }

    /// SQLite's own limit stands for the disk's: the error is the same.
    fn room_for(writer: &Writer, pages: u32) {
        writer.db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    }

    #[test]
    fn a_full_disk_refuses_whole_batches_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wayshift.db");
        let db = database::open(&file, Sync::Full, schema::STEPS, |db| schema::fresh(db, Wall(1))).unwrap();
        let time = Time::new(Wall(1));
        let (mut writer, (durable, trouble)) = Writer::new(db, file.clone(), Arc::new(time)).unwrap();
        room_for(&writer, 20);

        let mut made = 0;
        let refused = loop {
            // Both together or none: the second is too big for what is left at some point.
            let (job, mut answered) = create(made);
            let (answer, mut noted) = oneshot::channel();
            writer.batch(vec![job, Job::Note { audit: draft("y".repeat(3_000)), answer }]);
            match (answered.try_recv().unwrap(), noted.try_recv().unwrap()) {
                (Ok(_), Ok(())) => made += 1,
                (Err(one), Err(other)) => break (one, other),
                uneven => panic!("{uneven:?}"),
            }
            assert!(made < 100, "the limit does not hold");
        };
        for error in [refused.0, refused.1] {
            assert!(error.to_string().ends_with("refuses: the disk is full"), "{error}");
        }
        assert!(0 < made && trouble.borrow().is_some());
        assert_eq!((durable.borrow().generation, durable.borrow().overrides.len() as u64), (made, made));
        let kept = apply::read(&writer.db, &file).unwrap();
        assert_eq!((kept.generation, kept.all.len() as u64), (made, made), "nothing of the refused batch is there");

        room_for(&writer, 100_000);
        let (job, mut answered) = create(made);
        writer.batch(vec![job]);
        assert_eq!(answered.try_recv().unwrap().unwrap().durable.generation, made + 1);
        assert!(trouble.borrow().is_none());
        let whole = chain::Walk::default().step(&writer.db, &file, 1_000).unwrap();
        assert!(matches!(whole, chain::Stepped::Whole));
    }

    #[test]
    fn a_clock_that_jumps_for_a_moment_drops_no_override() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wayshift.db");
        let db = database::open(&file, Sync::Full, schema::STEPS, |db| schema::fresh(db, Wall(1))).unwrap();
        let time = Time::new(Wall(1));
        let (mut writer, (durable, _)) = Writer::new(db, file, Arc::new(time)).unwrap();
        for (number, at) in [(0, 2_000_000), (1, u64::from(u32::MAX) * 1_000), (2, 2_000_000)] {
            let (answer, _answered) = oneshot::channel();
            let audit = AuditDraft { at: Wall(at), ..draft(String::new()) };
            let change = Change::Create(plain_override(number));
            let request = Request { change, seen: Seen(number), audit, key: None };
            writer.batch(vec![Job::Commit { request: Box::new(request), answer }]);
        }
        assert_eq!(durable.borrow().overrides.len(), 3);
    }
}
