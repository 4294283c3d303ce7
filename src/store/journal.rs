//! What happened: events and verdict transitions, always local, lossy where the alternative is to hold up a node.
//!
//! Its own file (`journal.db`) and not a table beside the overrides: history may fill the disk, be cut back or be
//! damaged, and none of that may keep an override from being accepted. For the same reason nothing here fails the
//! caller: [`Journal::open`] and [`Journal::append`] always work; what could not be kept is counted and told by
//! [`Journal::health`]. `synchronous=NORMAL`: a kill loses what was not written yet, a power cut the last moments.
//!
//! A damaged journal is moved aside (`journal.db.damaged-<time>`) and a new one begun, because history orders nothing;
//! its numbers then start at the time in milliseconds, which lies above all earlier ones.

mod disk;
mod ring;
mod tables;

use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use tokio::sync::{broadcast, oneshot};

use crate::{
    clock::Clock,
    model::{EndpointId, Event, Family, Health, SubjectId, Wall},
};

use super::StoreError;

use self::{disk::Disk, ring::Ring};

/// The journal's file in the store's folder.
pub const JOURNAL_FILE: &str = "journal.db";
/// Events kept in memory, for live streams that come back; the oldest goes.
pub const RING_MAX: usize = 10_000;
/// Events that wait to be written; the oldest is dropped from history and counted.
pub const PENDING_MAX: usize = 10_000;
/// Events a live stream may lag behind before it has to resume with [`Journal::follow`].
pub const LAG_MAX: usize = 1_024;
/// Most entries of one page.
pub const PAGE_MAX: usize = 1_000;
/// Most transitions of one answer.
pub const TRANSITIONS_MAX: usize = 10_000;

/// How long history is kept (`[store] keep`); for audit see [`super::sqlite::Embedded::prune`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Events.
    pub events: Duration,
    /// Verdict transitions.
    pub transitions: Duration,
    /// Octets of the journal's file; beyond it the oldest events go first, whatever their age.
    pub max_size: u64,
}

impl Default for Keep {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 3600);
        Self { events: days(90), transitions: days(400), max_size: 2 << 30 }
    }
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Rises with each event, across restarts too; numbers may be left out.
    pub seq: u64,
    /// What happened.
    pub event: Arc<Event>,
}

/// What a stream that comes back has missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// Everything known after the number, oldest first.
    pub events: Vec<Recorded>,
    /// There may have been more in between: too long ago, or before a restart that lost the number.
    pub gap: bool,
}

/// Which events are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventFilter {
    /// Only these kinds; a kind also stands for those below it (`override` for `override.began`). None: all.
    pub kinds: Vec<String>,
    /// Not before.
    pub since: Option<Wall>,
    /// Before.
    pub until: Option<Wall>,
    /// Only numbers below: the page after the one that ended there.
    pub before: Option<u64>,
    /// At most so many; bounded by [`PAGE_MAX`].
    pub limit: usize,
}

/// Events, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Newest first.
    pub events: Vec<Recorded>,
    /// What to ask for as `before` to go on; none at the end.
    pub next: Option<u64>,
}

/// Which transitions are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TransitionFilter {
    /// Only of this endpoint.
    pub endpoint: Option<EndpointId>,
    /// Not before.
    pub since: Option<Wall>,
    /// Before.
    pub until: Option<Wall>,
    /// At most so many; bounded by [`TRANSITIONS_MAX`].
    pub limit: usize,
}

/// A verdict in force that changed: what availability and looking back are computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The event's number.
    pub seq: u64,
    /// When.
    pub at: Wall,
    /// The snapshot it appeared in.
    pub generation: u64,
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// Under which check; none when it is unchecked.
    pub subject: Option<SubjectId>,
    /// Which address.
    pub family: Family,
    /// Before.
    pub from: Health,
    /// After.
    pub to: Health,
    /// The cause's word.
    pub cause: String,
}

/// How the journal fares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalHealth {
    /// Why nothing is written at the moment.
    pub trouble: Option<String>,
    /// Events that never reached the disk because too many waited; since the start.
    pub dropped: u64,
}

/// What pruning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trimmed {
    /// Events dropped.
    pub events: u64,
    /// Transitions dropped.
    pub transitions: u64,
    /// There is more to drop: call again.
    pub more: bool,
}

/// The journal. Dropping it writes what waits.
#[derive(Debug)]
pub struct Journal {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    live: broadcast::Sender<Recorded>,
}

#[derive(Debug, Default)]
struct State {
    ring: Ring,
    pending: std::collections::VecDeque<Recorded>,
    queries: std::collections::VecDeque<Query>,
    health: JournalHealth,
    /// The owner lets go: write what waits and end.
    closing: bool,
    /// The thread has ended: nobody answers queries.
    ended: bool,
}

/// Queries that wait; beyond it they are refused, since history is the least urgent thing there is.
const QUERIES_MAX: usize = 64;

enum Query {
    Events { filter: EventFilter, answer: oneshot::Sender<Result<Vec<Recorded>, StoreError>> },
    Transitions { filter: TransitionFilter, answer: oneshot::Sender<Result<Vec<Transition>, StoreError>> },
    Trim { now: Wall, keep: Keep, answer: oneshot::Sender<Result<Trimmed, StoreError>> },
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Events { .. } => "events",
            Self::Transitions { .. } => "transitions",
            Self::Trim { .. } => "trim",
        })
    }
}

impl Journal {
    /// Opens the journal in the store's folder, or makes it. Where the disk refuses it goes on in memory, says so in
    /// [`Journal::health`], and tries again.
    #[must_use]
    pub fn open(folder: &Path, now: Wall) -> Self {
        let mut disk = Disk::new(folder.join(JOURNAL_FILE), Clock::start());
        let mut state = State::default();
        match disk.open(now) {
            Ok(beginning) => state.ring = Ring::load(beginning),
            Err(error) => {
                state.ring = Ring::starting_at(now.0);
                state.health.trouble = Some(error.to_string());
            }
        }
        let shared =
            Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), live: broadcast::Sender::new(LAG_MAX) });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal".into()).spawn(move || disk.run(&theirs)).ok();
        if thread.is_none() {
            shared.lock().end("no thread could be started for it");
        }
        Self { shared, thread }
    }

    /// Numbers the events, shows them to live streams at once and has them written soon after. Never waits for the
    /// disk.
    pub fn append(&self, events: Vec<Event>) -> Vec<Recorded> {
        if events.is_empty() {
            return Vec::new();
        }
        let mut state = self.shared.lock();
        let recorded: Vec<Recorded> = events.into_iter().map(|event| state.ring.push(event)).collect();
        for one in &recorded {
            state.enqueue(one.clone());
            // Under the lock, so that every stream sees them in the order of their numbers. Without a stream it fails.
            let _ = self.shared.live.send(one.clone());
        }
        drop(state);
        self.shared.work.notify_one();
        recorded
    }

    /// Events from now on.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Recorded> {
        self.shared.live.subscribe()
    }

    /// What came after a number, as far as memory goes back.
    #[must_use]
    pub fn since(&self, seq: u64) -> Since {
        self.shared.lock().ring.since(seq)
    }

    /// Both at one moment: what was missed and what comes, without a hole and without a double.
    #[must_use]
    pub fn follow(&self, seq: u64) -> (Since, broadcast::Receiver<Recorded>) {
        let state = self.shared.lock();
        (state.ring.since(seq), self.shared.live.subscribe())
    }

    /// The newest number; 0 before the first event.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.shared.lock().ring.newest()
    }

    /// How it fares.
    #[must_use]
    pub fn health(&self) -> JournalHealth {
        self.shared.lock().health.clone()
    }

    /// A page of events: from memory as far as that goes back, then from the disk. While the disk refuses, memory is all
    /// there is.
    ///
    /// # Errors
    /// Those of the disk, and [`StoreError::Full`] when too many queries wait.
    pub async fn events(&self, filter: EventFilter) -> Result<Page, StoreError> {
        let limit = filter.limit.clamp(1, PAGE_MAX);
        // One more than asked for tells whether there is a next page.
        let mut wanted = EventFilter { limit: limit + 1, ..filter };
        let (mut found, rest) = self.shared.lock().ring.page(&wanted);
        if let Some(before) = rest {
            wanted.before = Some(before);
            wanted.limit -= found.len();
            match self.ask(|answer| Query::Events { filter: wanted, answer }).await {
                Ok(older) => found.extend(older),
                Err(error) if found.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        let more = limit < found.len();
        found.truncate(limit);
        let next = found.last().filter(|_| more).map(|last| last.seq);
        Ok(Page { events: found, next })
    }

    /// Verdict transitions, oldest first. Everything appended before is in it.
    ///
    /// # Errors
    /// Those of the disk, and [`StoreError::Full`] when too many queries wait.
    pub async fn transitions(&self, filter: TransitionFilter) -> Result<Vec<Transition>, StoreError> {
        self.ask(|answer| Query::Transitions { filter, answer }).await
    }

    /// Drops some of what is too old or too much: call it now and then, and again while it says `more`.
    ///
    /// # Errors
    /// Those of the disk, and [`StoreError::Full`] when too many queries wait.
    pub async fn prune(&self, now: Wall, keep: Keep) -> Result<Trimmed, StoreError> {
        self.ask(|answer| Query::Trim { now, keep, answer }).await
    }

    async fn ask<T>(
        &self,
        query: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Query,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if state.ended {
                return Err(StoreError::Unknown("the journal's thread has ended".into()));
            }
            if QUERIES_MAX <= state.queries.len() {
                return Err(StoreError::Full { what: "the journal's queue", max: QUERIES_MAX });
            }
            state.queries.push_back(query(answer));
        }
        self.shared.work.notify_one();
        answered.await.unwrap_or_else(|_| Err(StoreError::Unknown("the journal's thread has ended".into())))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic over there costs history and nothing else.
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// History is not worth a panic of whoever appends: a poisoned lock is taken all the same.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enqueue(&mut self, one: Recorded) {
        if PENDING_MAX <= self.pending.len() {
            self.pending.pop_front();
            self.health.dropped += 1;
        }
        self.pending.push_back(one);
    }

    fn end(&mut self, why: &str) {
        self.ended = true;
        self.health.trouble = Some(why.into());
        self.queries.clear();
    }
}
