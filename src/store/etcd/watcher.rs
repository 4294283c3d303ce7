//! Follows the durable state: lists it at a revision, watches from the next on, and begins again where that ends.
//!
//! It goes on from events and from what a list's header says alone: progress notices of etcd 3.4 may overtake events.
//! A watch that was cut resumes where it was; one whose past was compacted away, and one that does not fit what it was
//! carried along from, lists anew; and so does every watch now and then, because expiries were missed silently before.

use std::{sync::Arc, time::Duration};

use etcd_client::{EventType, GetOptions, WatchOptions, WatchResponse, WatchStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::{
    super::{
        Slip, StoreError,
        records::{HeadRecord, LinkRecord},
    },
    Contact,
    core::Core,
    line::{ANSWER_MAX, READ_DEADLINE, Trouble},
    list::{list, text},
    picture::{Gather, Odd, Picture, Step, Told},
};

/// Everything is listed anew this often, whatever the watch said.
const RELIST_EVERY: Duration = Duration::from_secs(600);

/// Why a watch ended.
enum End {
    /// What it knows is not to be carried on.
    Relist,
    /// The line is gone; what was known stays good.
    Cut(StoreError),
    /// The line goes to another member from now on: no loss, unless that one cannot be followed either.
    Moved,
    /// What etcd holds may not be followed.
    Held(String),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Held { why } => Self::Held(why),
            StoreError::Conflict { .. }
            | StoreError::NoOverride(_)
            | StoreError::KeyUsed(_)
            | StoreError::Full { .. }
            | StoreError::Refused { .. }
            | StoreError::Damaged { .. }
            | StoreError::InUse { .. }
            | StoreError::Away { .. }
            | StoreError::Sealed { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Unknown(_) => Self::Cut(error),
        }
    }
}

/// Follows until it is dropped.
pub(super) async fn run(core: Arc<Core>) {
    let mut pause = Pause::default();
    let mut next = None;
    loop {
        match follow(&core, &mut next, &mut pause).await {
            End::Relist => next = None,
            End::Moved => {}
            End::Cut(error) => core.stands(Contact::Lost(error.to_string().into())),
            End::Held(why) => {
                next = None;
                core.stands(Contact::Held(why.into()));
            }
        }
        sleep(pause.next()).await;
    }
}

async fn follow(core: &Core, next: &mut Option<i64>, pause: &mut Pause) -> End {
    let started = match *next {
        Some(from) => resumable(core).await.map(|()| from),
        None => list(core).await.map(|revision| revision + 1).map_err(End::from),
    };
    let from = match started {
        Ok(from) => from,
        Err(end) => return end,
    };
    *next = Some(from);
    let mut turns = core.line.turns();
    let mut watch = match open(core, &core.keys.control(), from).await {
        Ok(watch) => watch,
        Err(trouble) => return End::Cut(core.away(&trouble)),
    };
    let relist_at = Instant::now() + RELIST_EVERY;
    let mut gather = Gather::default();
    loop {
        let message = tokio::select! {
            message = watch.message() => message,
            _ = turns.changed() => return End::Moved,
            () = sleep_until(relist_at) => return End::Relist,
        };
        let message = match message {
            Ok(Some(message)) => message,
            Ok(None) => return End::Cut(StoreError::Away { why: "etcd ended the watch".into() }),
            Err(error) => return End::Cut(core.away(&Trouble::of(&error))),
        };
        if let Some(end) = ended(&message) {
            return end;
        }
        if message.created() {
            pause.reset();
            core.stands(Contact::Made);
        }
        if let Err(end) = take(core, &message, &mut gather, next) {
            return end;
        }
    }
}

/// A linear look before a watch goes on: is it the same etcd, and has it not gone back?
async fn resumable(core: &Core) -> Result<(), End> {
    let floor = core.seen();
    let answer = core.line.get(&core.keys.head(), GetOptions::new()).await;
    let answer = answer.map_err(|trouble| End::Cut(core.away(&trouble)))?;
    let kv = answer.kvs().first().ok_or(End::Relist)?;
    let head = text(kv).ok().and_then(|text| HeadRecord::parse(text).ok()).ok_or(End::Relist)?;
    // A head older than the one that is known: a watch from there on would wait in silence for what is gone.
    let known = |picture: &Picture| picture.head.epoch == head.epoch && picture.revision <= kv.mod_revision();
    if !core.picture().is_some_and(|picture| known(&picture)) {
        return Err(End::Relist);
    }
    core.check(answer.header(), floor, &head.epoch).map_err(End::Held)
}

/// Opens a watch of everything below a prefix. The stream is kept whole: its sending half ends it when dropped.
pub(super) async fn open(core: &Core, prefix: &str, from: i64) -> Result<WatchStream, Trouble> {
    let options = WatchOptions::new().with_prefix().with_start_revision(from).with_fragment();
    let ask = |client: etcd_client::Client| async move {
        client.watch_client().max_decoding_message_size(ANSWER_MAX).watch(prefix, Some(options)).await
    };
    core.line.call(READ_DEADLINE, ask).await
}

/// What a cancelled watch means.
fn ended(message: &WatchResponse) -> Option<End> {
    if 0 < message.compact_revision() {
        return Some(End::Relist);
    }
    let why = || format!("etcd ended the watch: {}", message.cancel_reason());
    message.canceled().then(|| End::Cut(StoreError::Away { why: why() }))
}

fn take(core: &Core, message: &WatchResponse, gather: &mut Gather, next: &mut Option<i64>) -> Result<(), End> {
    let known = core.picture();
    if let (Some(header), Some(known)) = (message.header(), known)
        && header.cluster_id() != known.cluster
    {
        return Err(End::Held("another etcd cluster answers than the one this node knew".into()));
    }
    for event in message.events() {
        let Some(kv) = event.kv() else { continue };
        let value = match event.event_type() {
            EventType::Put => Some(String::from_utf8_lossy(kv.value()).into_owned()),
            EventType::Delete => None,
        };
        let key = String::from_utf8_lossy(kv.key());
        let told = if *key == core.keys.head() {
            Told::Head(value)
        } else if let Some(name) = key.strip_prefix(&core.keys.overrides()) {
            Told::Override((name.to_owned(), value))
        } else if key.starts_with(&core.keys.audits()) {
            Told::Link(value)
        } else if let Some(name) = key.strip_prefix(&core.keys.slips()) {
            core.slipped(name, value.map(|text| Slip { revision: kv.mod_revision().unsigned_abs(), text }));
            continue;
        } else {
            continue;
        };
        let step = gather.next(kv.mod_revision(), told).map_err(|Odd| End::Relist)?;
        // A revision that was not seen whole is asked for again.
        *next = Some(kv.mod_revision() + i64::from(step.is_some()));
        if let Some(step) = step {
            apply(core, step)?;
        }
    }
    // Ours are never so large that etcd would tell them in pieces: an override changed without a head.
    if gather.dangling() { Err(End::Relist) } else { Ok(()) }
}

fn apply(core: &Core, step: Step) -> Result<(), End> {
    let Some(base) = core.picture() else { return Err(End::Relist) };
    if step.revision <= base.revision {
        return Ok(());
    }
    let head = HeadRecord::parse(&step.head).map_err(|error| End::Held(format!("the state's head: {error}")))?;
    let link = step.link.as_deref().and_then(|link| LinkRecord::parse(link).ok());
    let led = head.epoch == base.head.epoch && link.is_some_and(|link| base.leads_to(&head, &link));
    if !led {
        return Err(End::Relist);
    }
    let next = base.stepped(step.revision, head, step.turned);
    if !next.fits() {
        return Err(End::Relist);
    }
    core.offer(next).map_err(End::Held)
}

/// Waits between attempts: up to 5 s, drawn from the whole span, so that nodes that lost etcd together do not come back
/// together.
#[derive(Debug, Default)]
pub(super) struct Pause {
    turns: u32,
}

impl Pause {
    const FIRST_MS: u64 = 250;
    const MAX_MS: u64 = 5_000;

    pub(super) fn next(&mut self) -> Duration {
        let span = Self::MAX_MS.min(Self::FIRST_MS << self.turns.min(10));
        self.turns += 1;
        Duration::from_millis(fastrand::u64(0..=span))
    }

    pub(super) fn reset(&mut self) {
        self.turns = 0;
    }
}

/// Waits for the picture to reach a generation; whether it did in time.
pub(super) async fn reached(core: &Core, epoch: &str, generation: u64) -> bool {
    let mut durable = core.durable();
    let there = durable.wait_for(|durable| durable.epoch == epoch && generation <= durable.generation);
    matches!(timeout(READ_DEADLINE, there).await, Ok(Ok(_)))
}
