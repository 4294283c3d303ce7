//! Listing the whole state at one revision, and making it where there is none.

use etcd_client::{Compare, CompareOp, GetOptions, KeyValue, PutOptions, Txn, TxnOp, TxnOpResponse};

use super::{
    super::{Slip, Slips, StoreError, records::HeadRecord},
    chain,
    core::Core,
    line::{Code, Trouble},
    picture::Picture,
};

/// Overrides asked for at once; the smaller number is tried where some are so large that an answer exceeds its bound.
const PAGES: [i64; 2] = [500, 8];
/// Slips that are listed: one for each node, and a few.
const SLIPS_MAX: i64 = 5_000;
/// More audit entries than these between two lists are not checked link by link; verifying the audit checks all.
const LINKS_CHECKED_MAX: u64 = 10_000;

/// Lists everything and takes it over; the revision it was listed at.
pub(super) async fn list(core: &Core) -> Result<i64, StoreError> {
    let before = core.picture();
    let Found { floor, header, head, overrides, slips } = found(core).await?;
    let Some(head) = head else {
        core.check(header.as_ref(), floor, "").map_err(|why| core.held(why))?;
        return Err(match core.remembers() {
            Some(knew) => core.held(format!("etcd holds no state; this node knew {knew}")),
            None => make(core).await?,
        });
    };
    let revision = head.mod_revision();
    let head = text(&head).and_then(|text| HeadRecord::parse(text).map_err(|error| error.to_string()));
    let head = head.map_err(|why| core.held(format!("the state's head: {why}")))?;
    core.check(header.as_ref(), floor, &head.epoch).map_err(|why| core.held(why))?;
    let (cluster, at) = header.map_or((0, 0), |header| (header.cluster_id(), header.revision()));
    let prefix = core.keys.overrides();
    let overrides = overrides.iter().map(|kv| {
        let name = String::from_utf8_lossy(kv.key()).replacen(&prefix, "", 1);
        (name, String::from_utf8_lossy(kv.value()).into_owned())
    });
    let picture = Picture::listed(cluster, revision, head, overrides, before.as_deref());
    if !picture.fits() {
        return Err(
            core.held("overrides in etcd are not those that its head speaks of: somebody wrote around wayshift")
        );
    }
    if let Some(before) = before.filter(|before| before.head.epoch == picture.head.epoch) {
        if picture.revision < before.revision {
            return Err(core.held(format!("etcd has gone back to before revision {}", before.revision)));
        }
        let (from, to) = (&before.head, &picture.head);
        if to.sequence.saturating_sub(from.sequence) <= LINKS_CHECKED_MAX
            && !chain::joins(core, (from.sequence, &from.hash), (to.sequence, &to.hash)).await?
        {
            return Err(core.held("the audit in etcd does not lead from what this node knew to what is there"));
        }
    }
    core.offer(picture).map_err(|why| core.held(why))?;
    core.list_slips(slips);
    Ok(at)
}

/// What stands there, at one revision.
pub(super) struct Found {
    floor: i64,
    pub(super) header: Option<etcd_client::ResponseHeader>,
    pub(super) head: Option<KeyValue>,
    pub(super) overrides: Vec<KeyValue>,
    slips: Slips,
}

/// Reads everything, and judges nothing.
pub(super) async fn found(core: &Core) -> Result<Found, StoreError> {
    let mut found = Err(Trouble::Unanswered(String::new()));
    for page in PAGES {
        found = listed(core, page).await;
        if !matches!(found, Err(Trouble::Refused(Code::OutOfRange, _))) {
            break;
        }
    }
    found.map_err(|trouble| core.away(&trouble))
}

async fn listed(core: &Core, page: i64) -> Result<Found, Trouble> {
    let floor = core.seen();
    let prefix = core.keys.overrides();
    let first = GetOptions::new().with_prefix().with_limit(page);
    let slips = GetOptions::new().with_prefix().with_limit(SLIPS_MAX);
    let all = vec![
        TxnOp::get(core.keys.head(), None),
        TxnOp::get(prefix.as_str(), Some(first)),
        TxnOp::get(core.keys.slips(), Some(slips)),
    ];
    let mut answer = core.line.txn(Txn::new().and_then(all)).await?;
    let header = answer.take_header();
    let mut gets = answer.op_responses().into_iter().filter_map(|response| match response {
        TxnOpResponse::Get(get) => Some(get),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    });
    let head = gets.next().and_then(|mut get| get.take_kvs().pop());
    let (mut overrides, mut more) = gets.next().map_or((vec![], false), |mut get| (get.take_kvs(), get.more()));
    let slips = gets.next().map_or_else(Vec::new, |mut get| get.take_kvs());
    let slips = slips.iter().map(|kv| {
        let name = String::from_utf8_lossy(kv.key()).replacen(&core.keys.slips(), "", 1);
        let text = String::from_utf8_lossy(kv.value()).into_owned();
        (name, Slip { revision: kv.mod_revision().unsigned_abs(), text })
    });
    let slips = slips.collect();
    let revision = header.as_ref().map_or(0, etcd_client::ResponseHeader::revision);
    let end = end_of(&prefix);
    while more && let Some(last) = overrides.last() {
        let mut from = last.key().to_vec();
        from.push(0);
        let from = String::from_utf8_lossy(&from).into_owned();
        let options = GetOptions::new().with_range(end.as_str()).with_limit(page).with_revision(revision);
        let mut next = core.line.get(&from, options).await?;
        more = next.more();
        overrides.extend(next.take_kvs());
    }
    Ok(Found { floor, header, head, overrides, slips })
}

/// Makes an empty state; whoever comes first makes it. What is returned is why there is no list yet.
async fn make(core: &Core) -> Result<StoreError, StoreError> {
    let epoch = ulid::Ulid::from_parts(core.time.now().0, fastrand::u128(..)).to_string();
    let fresh = HeadRecord::fresh(epoch, String::new());
    let digest = Picture::listed(0, 0, fresh.clone(), [], None).digest();
    let text = HeadRecord { digest, ..fresh }.text();
    let (head, claim) = (core.keys.head(), core.keys.claim());
    let txn = Txn::new()
        // Not where another state is on its way to.
        .when(vec![
            Compare::create_revision(head.as_str(), CompareOp::Equal, 0),
            Compare::create_revision(claim.as_str(), CompareOp::Equal, 0),
        ])
        .and_then(vec![TxnOp::put(head, text, None::<PutOptions>)]);
    let answer = core.line.txn(txn).await.map_err(|trouble| core.away(&trouble))?;
    let why = match answer.succeeded() {
        true => "a new state was made in etcd",
        false => "a state is being made in etcd",
    };
    Ok(StoreError::Away { why: why.into() })
}

/// The first key after all with a prefix; ours end in a slash.
pub(super) fn end_of(prefix: &str) -> String {
    format!("{}0", prefix.trim_end_matches('/'))
}

pub(super) fn text(kv: &KeyValue) -> Result<&str, String> {
    std::str::from_utf8(kv.value()).map_err(|_| "it is no text".into())
}
