//! Mutations: override, audit entry, kept answer and head in one transaction that compares the head.
//!
//! A transaction whose answer was lost is sent again as it was. It can happen once only, because it compares the head
//! that it replaces; and if it has happened, its own entry stands in the audit where it was to stand, with the name of
//! the attempt, so the second answer tells.

use std::panic::{AssertUnwindSafe, catch_unwind};

use etcd_client::{Compare, CompareOp, GetOptions, GetResponse, PutOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
use tokio::time::{Duration, Instant, sleep};

use super::{
    super::{
        AuditDraft, Change, Committed, Idempotency, KeepKey, Seen, StoreError,
        orders::{Effect, Ended},
        records::{AuditRecord, HeadRecord, KeptRecord, LinkRecord},
    },
    Contact,
    core::Core,
    kept::{Leased, look, trim},
    line::{Code, Trouble},
    list::{list, text},
    picture::Picture,
    watcher::Pause,
};

/// Most overrides that are dropped for their age with one commit; etcd takes 128 operations in one transaction.
const DROPPED_MAX: usize = 100;
/// Most octets of one transaction; etcd takes 1.5 MiB.
const REQUEST_MAX: usize = 1 << 20;
/// Others may write to the audit in between so often.
const TURNS_MAX: usize = 32;
/// Kept answers are counted with every so many commits; a principal may have so many more for a while.
const TRIM_EVERY: u64 = 64;
/// A transaction is sent again within this time.
const SENT_FOR: Duration = Duration::from_secs(10);

/// What one writer of this process keeps from commit to commit.
#[derive(Default)]
pub(super) struct Desk {
    ended: Ended,
    lease: Leased,
    commits: u64,
}

/// What a transaction is to do beside the audit entry.
pub(super) enum Work {
    /// Nothing.
    Note,
    /// A change of overrides, and the answer to it.
    Change { effect: Box<Effect>, kept: Option<Keep> },
    /// A slip that still has this revision.
    Slip { key: String, revision: i64, text: String },
}

impl Work {
    fn effect(&self) -> Option<&Effect> {
        match self {
            Self::Change { effect, .. } => Some(effect),
            Self::Note | Self::Slip { .. } => None,
        }
    }

    fn kept(&self) -> Option<&Keep> {
        match self {
            Self::Change { kept, .. } => kept.as_ref(),
            Self::Note | Self::Slip { .. } => None,
        }
    }
}

pub(super) struct Keep {
    principal: String,
    key: String,
    text: String,
    /// Of the one that is too old and replaced.
    revision: i64,
}

/// Makes one change of an override.
pub(super) async fn commit(
    core: &Core,
    desk: &mut Desk,
    change: Change,
    seen: Seen,
    audit: AuditDraft,
    key: Option<KeepKey>,
) -> Result<Committed, StoreError> {
    core.writable()?;
    let at = audit.at;
    core.time.hear(at);
    let name = key.as_ref().map(|key| (key.principal.clone(), key.key.clone()));
    let name = name.as_ref().map(|(principal, key)| (principal.as_str(), key.as_str()));
    let base = base(core, seen, name, at).await?;
    let now = core.time.mono();
    desk.ended.note(&base.orders, at, now);
    let due = desk.ended.due(&base.orders, now, DROPPED_MAX);
    let effect = match base.orders.decide(&due, change, at) {
        Ok(effect) => effect,
        Err(nothing) => {
            // A request that comes again has changed what it is decided on.
            moved(core, seen, name, at).await?;
            return Err(nothing.told("etcd"));
        }
    };
    let kept = key.map(|key| keep(key, &effect, at)).transpose()?;
    let entity = effect.entity.clone();
    let principal = kept.as_ref().map(|kept| kept.principal.clone());
    let work = Work::Change { effect: Box::new(effect), kept };
    let next = write(core, desk, base, AuditRecord::text(audit), work).await?;
    desk.commits += 1;
    if let Some(principal) = principal.filter(|_| desk.commits.is_multiple_of(TRIM_EVERY)) {
        trim(core, &principal).await;
    }
    Ok(Committed { durable: next.orders.durable(), entity })
}

/// Adds an entry to the audit.
pub(super) async fn note(core: &Core, desk: &mut Desk, audit: AuditDraft) -> Result<(), StoreError> {
    core.writable()?;
    core.time.hear(audit.at);
    let base = match core.picture() {
        Some(picture) => Picture::clone(&picture),
        None => newest(core).await?,
    };
    write(core, desk, base, AuditRecord::text(audit), Work::Note).await.map(drop)
}

/// Principal and key of an answer that is to be kept.
type Name<'a> = Option<(&'a str, &'a str)>;

/// The state the change was decided on.
async fn base(core: &Core, seen: Seen, name: Name<'_>, at: crate::model::Wall) -> Result<Picture, StoreError> {
    let at_seen = |picture: &Picture| picture.head.generation == seen.0;
    if !matches!(&*core.contact().borrow(), Contact::Made) {
        // A look tells at once what a transaction would leave unknown.
        moved(core, seen, name, at).await?;
    }
    if let Some(picture) = core.picture().filter(|picture| at_seen(picture)) {
        return Ok(Picture::clone(&picture));
    }
    moved(core, seen, name, at).await?;
    let picture = newest(core).await?;
    match at_seen(&picture) {
        true => Ok(picture),
        false => Err(StoreError::Conflict { current: picture.head.generation }),
    }
}

/// The newest state, listed.
pub(super) async fn newest(core: &Core) -> Result<Picture, StoreError> {
    // The first time it may have to be made.
    if list(core).await.is_err() {
        list(core).await?;
    }
    core.picture().map(|picture| Picture::clone(&picture)).ok_or_else(|| core.held("etcd holds no state"))
}

/// The errors of a store that has moved on: the key before the generation, because a request that comes again always
/// finds the store moved on - by itself.
async fn moved(core: &Core, seen: Seen, name: Name<'_>, at: crate::model::Wall) -> Result<(), StoreError> {
    let (head, kept) = look(core, name).await?;
    if let Some(kept) = kept.filter(|kept| kept.young(at)) {
        return Err(StoreError::KeyUsed(Box::new(kept)));
    }
    match head {
        Some(head) if head.generation != seen.0 => Err(StoreError::Conflict { current: head.generation }),
        Some(_) | None => Ok(()),
    }
}

fn keep(key: KeepKey, effect: &Effect, at: crate::model::Wall) -> Result<Keep, StoreError> {
    let KeepKey { principal, key, fingerprint, reply } = key;
    // A panic in the caller's reply ends this commit and nothing else.
    let (status, body) = catch_unwind(AssertUnwindSafe(|| reply(&effect.entity)))
        .map_err(|_| StoreError::Refused { path: "etcd".into(), why: "the answer to keep could not be made".into() })?;
    let kept = Idempotency { principal: principal.clone(), key: key.clone(), fingerprint, at, status, body };
    Ok(Keep { principal, key, text: KeptRecord::text(kept), revision: 0 })
}

pub(super) async fn write(
    core: &Core,
    desk: &mut Desk,
    mut base: Picture,
    record: String,
    mut work: Work,
) -> Result<Picture, StoreError> {
    for _ in 0..TURNS_MAX {
        if let Some(why) = &base.head.frozen {
            return Err(StoreError::Refused { path: "etcd".into(), why: format!("it is frozen: {why}") });
        }
        let attempt = ulid::Ulid::from_parts(core.time.now().0, fastrand::u128(..)).to_string();
        let generation = base.head.generation + u64::from(work.effect().is_some());
        let link = LinkRecord::after(&base.head, generation, attempt, record.clone());
        let turned = work.effect().map(|effect| base.turned(effect)).unwrap_or_default();
        let head = HeadRecord { generation, sequence: link.sequence, hash: link.hash.clone(), ..base.head.clone() };
        let mut next = base.stepped(base.revision, head, turned.clone());
        next.head.digest = next.digest();
        let lease = match work.kept() {
            Some(_) => Some(desk.lease.get(core).await?),
            None => None,
        };
        let txn = transaction(core, &base, &next, &link, &turned, &work, lease)?;
        let answer = match send(core, txn).await? {
            Sent::Answered(answer) => answer,
            Sent::LeaseEnded => {
                desk.lease.forget();
                continue;
            }
        };
        if let Some(revision) = made(&answer, &link) {
            next.revision = revision;
            core.offer(next.clone()).map_err(|why| core.held(why))?;
            return Ok(next);
        }
        base = rebased(core, base, &answer, &mut work, &record).await?;
    }
    Err(StoreError::Refused { path: "etcd".into(), why: "others keep writing to the audit".into() })
}

fn transaction(
    core: &Core,
    base: &Picture,
    next: &Picture,
    link: &LinkRecord,
    turned: &[super::picture::Turned],
    work: &Work,
    lease: Option<i64>,
) -> Result<Txn, StoreError> {
    let (head, entry) = (core.keys.head(), core.keys.audit(link.sequence));
    let mut size = 0;
    let mut put = |key: &str, text: String, options| {
        size += key.len() + text.len();
        TxnOp::put(key, text, options)
    };
    let mut compares = vec![Compare::mod_revision(head.as_str(), CompareOp::Equal, base.revision)];
    let mut otherwise = vec![TxnOp::get(head.as_str(), None), TxnOp::get(entry.as_str(), None)];
    let mut ops = Vec::new();
    for (name, text) in turned {
        let key = format!("{}{name}", core.keys.overrides());
        ops.push(match text {
            Some(text) => put(&key, text.clone(), None),
            None => TxnOp::delete(key, None),
        });
    }
    ops.push(put(&entry, link.text(), None));
    if let (Some(kept), Some(lease)) = (work.kept(), lease) {
        let key = core.keys.kept(&kept.principal, &kept.key);
        compares.push(Compare::mod_revision(key.as_str(), CompareOp::Equal, kept.revision));
        otherwise.push(TxnOp::get(key.as_str(), None));
        ops.push(put(&key, kept.text.clone(), Some(PutOptions::new().with_lease(lease))));
    }
    if let Work::Slip { key, revision, text } = work {
        compares.push(Compare::mod_revision(key.as_str(), CompareOp::Equal, *revision));
        otherwise.push(TxnOp::get(key.as_str(), None));
        ops.push(put(key, text.clone(), None));
    }
    // Last: whoever follows knows with it that the mutation is whole.
    ops.push(put(&head, next.head.text(), None));
    if REQUEST_MAX < size {
        let why = format!("the change is {size} octets long, at most {REQUEST_MAX} are taken");
        return Err(StoreError::Refused { path: "etcd".into(), why });
    }
    Ok(Txn::new().when(compares).and_then(ops).or_else(otherwise))
}

enum Sent {
    Answered(TxnResponse),
    LeaseEnded,
}

/// Sends it until there is an answer.
async fn send(core: &Core, txn: Txn) -> Result<Sent, StoreError> {
    let (until, mut pause) = (Instant::now() + SENT_FOR, Pause::default());
    let mut unanswered = None;
    loop {
        let trouble = match core.line.txn(txn.clone()).await {
            Ok(answer) => return Ok(Sent::Answered(answer)),
            Err(trouble) => trouble,
        };
        match &trouble {
            Trouble::Refused(Code::NotFound, _) if unanswered.is_none() => return Ok(Sent::LeaseEnded),
            Trouble::Unanswered(why) => unanswered = Some(why.clone()),
            Trouble::Refused(..) | Trouble::Unreached(_) => {}
        }
        if matches!(trouble, Trouble::Refused(Code::Denied, _)) {
            core.takes_orders(false);
        }
        let over = matches!(trouble, Trouble::Refused(..)) || until <= Instant::now();
        if over {
            let unknown = |why| StoreError::Unknown(format!("etcd at {}: {why}", core.line.endpoint()));
            return Err(unanswered.map_or_else(|| core.away(&trouble), unknown));
        }
        sleep(pause.next()).await;
    }
}

/// The revision it was made at: now, or with an earlier sending whose answer was lost.
fn made(answer: &TxnResponse, link: &LinkRecord) -> Option<i64> {
    if answer.succeeded() {
        return answer.header().map(etcd_client::ResponseHeader::revision);
    }
    let entry = gets(answer).into_iter().nth(1)?;
    let kv = entry.kvs().first()?;
    let found = LinkRecord::parse(text(kv).ok()?).ok()?;
    (found.attempt == link.attempt).then(|| kv.mod_revision())
}

/// The state to try it on again: only the audit has moved, or a kept answer was too old to count.
async fn rebased(
    core: &Core,
    base: Picture,
    answer: &TxnResponse,
    work: &mut Work,
    record: &str,
) -> Result<Picture, StoreError> {
    let found = gets(answer);
    let at = AuditRecord::parse(record).map_or_else(|_| core.time.now(), |draft| draft.at);
    let deciding = work.effect().is_some();
    let beside = found.get(2).and_then(|get| get.kvs().first());
    match work {
        Work::Change { kept: Some(kept), .. } => {
            if let Some(kv) = beside {
                match text(kv).ok().and_then(|text| KeptRecord::parse(text).ok()) {
                    Some(before) if before.young(at) => return Err(StoreError::KeyUsed(Box::new(before))),
                    Some(_) | None => kept.revision = kv.mod_revision(),
                }
            }
        }
        Work::Slip { revision, .. } => {
            let there = beside.map_or(0, etcd_client::KeyValue::mod_revision);
            if there != *revision {
                return Err(StoreError::Conflict { current: there.unsigned_abs() });
            }
        }
        Work::Change { kept: None, .. } | Work::Note => {}
    }
    let head = found.first().and_then(|get| get.kvs().first());
    let Some(kv) = head else { return Err(core.held("etcd holds no state any more")) };
    let head = text(kv).and_then(|text| HeadRecord::parse(text).map_err(|error| error.to_string()));
    let head = head.map_err(|why| core.held(format!("the state's head: {why}")))?;
    if head.epoch == base.head.epoch && head.generation == base.head.generation {
        return Ok(base.with_head(kv.mod_revision(), head));
    }
    match deciding {
        true => Err(StoreError::Conflict { current: head.generation }),
        false => newest(core).await,
    }
}

/// What the reads of a transaction found.
pub(super) fn gets(answer: &TxnResponse) -> Vec<GetResponse> {
    let responses = answer.op_responses().into_iter();
    let gets = responses.filter_map(|response| match response {
        TxnOpResponse::Get(get) => Some(get),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    });
    gets.collect()
}

/// A read of several keys at once.
pub(super) async fn read(
    core: &Core,
    keys: Vec<(String, GetOptions)>,
) -> Result<(TxnResponse, Vec<GetResponse>), StoreError> {
    let ops: Vec<TxnOp> = keys.into_iter().map(|(key, options)| TxnOp::get(key, Some(options))).collect();
    let answer = core.line.txn(Txn::new().and_then(ops)).await.map_err(|trouble| core.away(&trouble))?;
    let found = gets(&answer);
    Ok((answer, found))
}
