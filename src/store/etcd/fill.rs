//! Filling an etcd in which there is no state: under a claim, and made the state by one last transaction.
//!
//! Every transaction compares the claim and that there is no head. Nodes follow nothing until there is a head, so what
//! was filled by half is nobody's state; and once the claim was given up or there is a head, whoever still fills is
//! refused.

use std::collections::BTreeMap;

use etcd_client::{
    Compare, CompareOp, DeleteOptions, GetOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp, TxnResponse,
};

use super::{
    super::{
        AuditDraft, Idempotency, StoreError,
        backup::{Backup, Entry},
        records::{AuditRecord, ClaimRecord, HeadRecord, KeptRecord, LinkRecord},
    },
    chain,
    commit::gets,
    core::Core,
    kept::Leased,
    line::Trouble,
    list::text,
    picture::Picture,
    visit::Standing,
    watcher::Pause,
};

/// Most operations of one transaction; etcd takes 128.
const OPS_MAX: usize = 100;
/// Most octets of one transaction; etcd takes 1.5 MiB.
const OCTETS_MAX: usize = 1 << 20;
/// A transaction is sent so often where no answer comes.
const SENT_MAX: usize = 8;

/// What came of asking for the place.
pub(super) enum Claimed {
    /// The revision of the claim, which every further transaction names.
    Mine(i64),
    /// A state is there: epoch and generation.
    Settled(String, u64),
}

/// What stands there.
pub(super) async fn stands(core: &Core) -> Result<Standing, StoreError> {
    let both = vec![TxnOp::get(core.keys.head(), None), TxnOp::get(core.keys.claim(), None)];
    let answer = core.line.txn(Txn::new().and_then(both)).await.map_err(|trouble| core.away(&trouble))?;
    Ok(match look(core, &answer)? {
        (Some(head), _) => Standing::State(head.epoch, head.generation),
        (None, Some((claim, _))) => Standing::Claimed(claim.from, claim.at),
        (None, None) => Standing::Empty,
    })
}

/// Claims the place, or takes over the same claim.
pub(super) async fn claim(core: &Core, claim: &ClaimRecord) -> Result<Claimed, StoreError> {
    let (head, name) = (core.keys.head(), core.keys.claim());
    let mut replaces = 0;
    for _ in 0..SENT_MAX {
        let txn = Txn::new()
            .when(vec![
                Compare::create_revision(head.as_str(), CompareOp::Equal, 0),
                Compare::mod_revision(name.as_str(), CompareOp::Equal, replaces),
            ])
            .and_then(vec![TxnOp::put(name.as_str(), claim.text(), None::<PutOptions>)])
            .or_else(vec![TxnOp::get(head.as_str(), None), TxnOp::get(name.as_str(), None)]);
        let answer = sent(core, txn).await?;
        if answer.succeeded() {
            return Ok(Claimed::Mine(answer.header().map_or(0, etcd_client::ResponseHeader::revision)));
        }
        match look(core, &answer)? {
            (Some(head), _) => return Ok(Claimed::Settled(head.epoch, head.generation)),
            // Written anew: an earlier attempt that still runs is refused from then on. No sealed store waits for a
            // restore, so another one takes its place.
            (None, Some((found, revision))) if found.id == claim.id || !(found.moving || claim.moving) => {
                replaces = revision;
            }
            (None, Some((found, _))) => {
                let why = format!("{} has been moving here since {}, and has not arrived", found.from, found.at);
                return Err(StoreError::Refused { path: place(core), why });
            }
            (None, None) => replaces = 0,
        }
    }
    Err(StoreError::Refused { path: place(core), why: "others keep claiming it".into() })
}

/// Gives a claim up, if it is there.
pub(super) async fn release(core: &Core, id: &str) -> Result<(), StoreError> {
    let (head, name) = (core.keys.head(), core.keys.claim());
    let both = vec![TxnOp::get(head.as_str(), None), TxnOp::get(name.as_str(), None)];
    let answer = sent(core, Txn::new().and_then(both)).await?;
    let (None, Some((found, revision))) = look(core, &answer)? else { return Ok(()) };
    if found.id != id {
        return Ok(());
    }
    let delete = vec![TxnOp::delete(name.as_str(), None::<DeleteOptions>)];
    put(core, revision, delete).await
}

/// The audit's entries, from where those that are there end.
pub(super) async fn entries(core: &Core, claim: i64, audit: &[Entry]) -> Result<(), StoreError> {
    let prefix = core.keys.audits();
    let newest = GetOptions::new().with_prefix().with_sort(SortTarget::Key, SortOrder::Descend).with_limit(1);
    let found = core.line.get(&prefix, newest).await.map_err(|trouble| core.away(&trouble))?;
    let known = found.kvs().first().map(|kv| {
        let link = LinkRecord::parse(text(kv).ok()?).ok()?;
        let at = usize::try_from(link.sequence).ok()?;
        let is_ours = audit.get(at.checked_sub(1)?).is_some_and(|entry| entry.hash == link.hash)
            && chain::sequence_of(core, kv) == Some(link.sequence);
        is_ours.then_some(at)
    });
    let from = match known {
        None => 0,
        Some(Some(at)) => at,
        Some(None) => {
            // Of an earlier attempt with another past.
            put(core, claim, vec![TxnOp::delete(prefix, Some(DeleteOptions::new().with_prefix()))]).await?;
            0
        }
    };
    let links = audit[from..].iter().map(|entry| (core.keys.audit(entry.sequence), LinkRecord::moved(entry).text()));
    all(core, claim, links, None).await
}

/// The overrides, and no others.
pub(super) async fn overrides(core: &Core, claim: i64, overrides: &BTreeMap<String, String>) -> Result<(), StoreError> {
    let prefix = core.keys.overrides();
    put(core, claim, vec![TxnOp::delete(prefix.as_str(), Some(DeleteOptions::new().with_prefix()))]).await?;
    let named = overrides.iter().map(|(name, text)| (format!("{prefix}{name}"), text.clone()));
    all(core, claim, named, None).await
}

/// Kept answers that still count.
pub(super) async fn answers(core: &Core, claim: i64, answers: &[Idempotency]) -> Result<(), StoreError> {
    let now = core.time.now();
    let young: Vec<&Idempotency> = answers.iter().filter(|kept| kept.young(now)).collect();
    if young.is_empty() {
        return Ok(());
    }
    let lease = Leased::default().get(core).await?;
    let named = young
        .into_iter()
        .map(|kept| (core.keys.kept(&kept.principal, &kept.key), KeptRecord::text(Idempotency::clone(kept))));
    all(core, claim, named, Some(lease)).await
}

/// Makes what was filled the state, by one transaction: the last audit entry, the head, and no claim any more.
pub(super) async fn commit(
    core: &Core,
    claim: i64,
    backup: &Backup,
    (epoch, generation): (String, u64),
    audit: AuditDraft,
) -> Result<(), StoreError> {
    let base = HeadRecord {
        sequence: backup.head.0,
        hash: backup.head.1.clone(),
        ..HeadRecord::fresh(epoch.clone(), String::new())
    };
    let attempt = ulid::Ulid::from_parts(core.time.now().0, fastrand::u128(..)).to_string();
    let link = LinkRecord::after(&base, generation, attempt, AuditRecord::text(audit));
    let head = HeadRecord { generation, sequence: link.sequence, hash: link.hash.clone(), ..base };
    let digest = Picture::listed(0, 0, head.clone(), backup.overrides.clone(), None).digest();
    let head = HeadRecord { digest, ..head };
    let last = vec![
        TxnOp::put(core.keys.audit(link.sequence), link.text(), None::<PutOptions>),
        TxnOp::delete(core.keys.claim(), None::<DeleteOptions>),
        TxnOp::put(core.keys.head(), head.text(), None::<PutOptions>),
    ];
    let made = put(core, claim, last).await;
    if made.is_err()
        && let Ok(Standing::State(found, _)) = stands(core).await
        && found == epoch
    {
        // The answer to an earlier sending was lost, or the same was done from elsewhere.
        return Ok(());
    }
    made
}

async fn all(
    core: &Core,
    claim: i64,
    values: impl Iterator<Item = (String, String)>,
    lease: Option<i64>,
) -> Result<(), StoreError> {
    let (mut ops, mut octets) = (Vec::new(), 0);
    for (key, text) in values {
        let size = key.len() + text.len();
        if OPS_MAX <= ops.len() || (OCTETS_MAX < octets + size && !ops.is_empty()) {
            put(core, claim, std::mem::take(&mut ops)).await?;
            octets = 0;
        }
        octets += size;
        ops.push(TxnOp::put(key, text, lease.map(|lease| PutOptions::new().with_lease(lease))));
    }
    if ops.is_empty() { Ok(()) } else { put(core, claim, ops).await }
}

/// Does it under the claim. What is sent twice is the same twice.
async fn put(core: &Core, claim: i64, ops: Vec<TxnOp>) -> Result<(), StoreError> {
    let compares = vec![
        Compare::mod_revision(core.keys.claim(), CompareOp::Equal, claim),
        Compare::create_revision(core.keys.head(), CompareOp::Equal, 0),
    ];
    let answer = sent(core, Txn::new().when(compares).and_then(ops)).await?;
    if answer.succeeded() {
        return Ok(());
    }
    let why = "it is no longer filled from here: it was given up, or has arrived from elsewhere; look again";
    Err(StoreError::Refused { path: place(core), why: why.into() })
}

/// Sends it until there is an answer.
async fn sent(core: &Core, txn: Txn) -> Result<TxnResponse, StoreError> {
    let mut pause = Pause::default();
    let mut last = Trouble::Unanswered("it was not asked".into());
    for _ in 0..SENT_MAX {
        match core.line.txn(txn.clone()).await {
            Ok(answer) => return Ok(answer),
            Err(refused @ Trouble::Refused(..)) => return Err(core.away(&refused)),
            Err(trouble) => last = trouble,
        }
        tokio::time::sleep(pause.next()).await;
    }
    Err(core.away(&last))
}

type Looked = (Option<HeadRecord>, Option<(ClaimRecord, i64)>);

fn look(core: &Core, answer: &TxnResponse) -> Result<Looked, StoreError> {
    let damaged = |what: &str, why: String| StoreError::Damaged { path: place(core), why: format!("{what}: {why}") };
    let found = gets(answer);
    let kv = |at: usize| found.get(at).and_then(|get| get.kvs().first());
    let head = kv(0)
        .map(|kv| text(kv).and_then(|text| HeadRecord::parse(text).map_err(|error| error.to_string())))
        .transpose()
        .map_err(|why| damaged("the state's head", why))?;
    let claim = kv(1)
        .map(|kv| {
            let read = text(kv).and_then(|text| ClaimRecord::parse(text).map_err(|error| error.to_string()));
            read.map(|claim| (claim, kv.mod_revision()))
        })
        .transpose()
        .map_err(|why| damaged("the claim", why))?;
    Ok((head, claim))
}

fn place(core: &Core) -> String {
    format!("etcd at {}", core.line.endpoint())
}
