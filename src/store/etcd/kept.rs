//! Kept answers: written with the mutation they answer, under a lease, found again for a day.

use etcd_client::{DeleteOptions, GetOptions, SortOrder, SortTarget, Txn, TxnOp};

use crate::model::Mono;

use super::{
    super::{
        IDEMPOTENCY_KEPT, Idempotency, StoreError,
        records::{HeadRecord, KeptRecord},
        sqlite::KEYS_PER_PRINCIPAL_MAX,
    },
    commit::read,
    core::Core,
    line::READ_DEADLINE,
    list::text,
};

/// One lease serves the commits of this long, so that not every commit costs another write.
const LEASE_SHARED: std::time::Duration = std::time::Duration::from_secs(3600);
/// Most answers of a principal that are dropped at once; etcd takes 128 operations in one transaction.
const TRIMMED_MAX: i64 = 100;

/// The lease that kept answers hang on.
#[derive(Debug, Default)]
pub(super) struct Leased {
    lease: Option<(i64, Mono)>,
}

impl Leased {
    /// One that lasts as long as an answer is kept.
    pub(super) async fn get(&mut self, core: &Core) -> Result<i64, StoreError> {
        let now = core.time.mono();
        if let Some((id, granted)) = self.lease
            && now.since(granted) < LEASE_SHARED
        {
            return Ok(id);
        }
        let seconds = i64::try_from((IDEMPOTENCY_KEPT + LEASE_SHARED).as_secs()).unwrap_or(i64::MAX);
        let ask = |client: etcd_client::Client| async move { client.lease_client().grant(seconds, None).await };
        let granted = core.line.call(READ_DEADLINE, ask).await.map_err(|trouble| core.away(&trouble))?;
        self.lease = Some((granted.id(), now));
        Ok(granted.id())
    }

    /// It has ended: etcd was restored, or somebody ended it.
    pub(super) fn forget(&mut self) {
        self.lease = None;
    }
}

/// The head as it is now, and the answer kept under a key, however old.
pub(super) async fn look(
    core: &Core,
    key: Option<(&str, &str)>,
) -> Result<(Option<HeadRecord>, Option<Idempotency>), StoreError> {
    let mut keys = vec![(core.keys.head(), GetOptions::new())];
    keys.extend(key.map(|(principal, key)| (core.keys.kept(principal, key), GetOptions::new())));
    let floor = core.seen();
    let (answer, found) = read(core, keys).await?;
    let texts: Vec<Option<&str>> = found.iter().map(|get| get.kvs().first().and_then(|kv| text(kv).ok())).collect();
    let head = texts.first().copied().flatten().map(HeadRecord::parse).transpose();
    let head = head.map_err(|error| core.held(format!("the state's head: {error}")))?;
    core.check(answer.header(), floor, head.as_ref().map_or("", |head| &head.epoch)).map_err(|why| core.held(why))?;
    let kept = texts.get(1).copied().flatten().and_then(|text| KeptRecord::parse(text).ok());
    Ok((head, kept))
}

/// Drops a principal's oldest answers beyond the bound. Nothing depends on its success: the next commit tries again.
pub(super) async fn trim(core: &Core, principal: &str) {
    let prefix = core.keys.kept_of(principal);
    let options = GetOptions::new()
        .with_prefix()
        .with_keys_only()
        .with_sort(SortTarget::Mod, SortOrder::Ascend)
        .with_limit(TRIMMED_MAX);
    let count = core.line.get(&prefix, GetOptions::new().with_prefix().with_count_only()).await;
    let over = count.map_or(0, |count| count.count()) - i64::try_from(KEYS_PER_PRINCIPAL_MAX).unwrap_or(i64::MAX);
    if over <= 0 {
        return;
    }
    let Ok(oldest) = core.line.get(&prefix, options).await else { return };
    let over = usize::try_from(over).unwrap_or(usize::MAX);
    let ops: Vec<TxnOp> =
        oldest.kvs().iter().take(over).map(|kv| TxnOp::delete(kv.key(), None::<DeleteOptions>)).collect();
    if let Err(trouble) = core.line.txn(Txn::new().and_then(ops)).await {
        tracing::debug!(why = trouble.why(), "old kept answers were not dropped");
    }
}
