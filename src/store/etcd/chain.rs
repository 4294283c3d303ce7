//! The audit in etcd: paged, and verified link by link.

use etcd_client::{GetOptions, KeyValue, SortOrder, SortTarget};

use super::{
    super::{
        AuditEntry, FIRST, StoreError,
        records::{AuditRecord, LinkRecord},
    },
    core::Core,
    line::{Code, Trouble},
    list::{end_of, text},
};

/// Entries asked for at once, and where some are so large that an answer exceeds its bound.
const PAGES: [u64; 2] = [200, 8];

/// Entries below `before`, newest first.
pub(super) async fn page(core: &Core, before: u64, limit: usize) -> Result<Vec<AuditEntry>, StoreError> {
    let mut found = Vec::new();
    let mut before = before;
    while found.len() < limit {
        let wanted = (limit - found.len()) as u64;
        let page = range(core, 0, before, wanted, SortOrder::Descend).await?;
        let Some(last) = page.last() else { break };
        let short = (page.len() as u64) < wanted.min(PAGES[1]);
        before = sequence_of(core, last).unwrap_or(0);
        for kv in &page {
            found.push(entry(core, kv)?);
        }
        if short {
            break;
        }
    }
    Ok(found)
}

fn entry(core: &Core, kv: &KeyValue) -> Result<AuditEntry, StoreError> {
    let read = || {
        let link = LinkRecord::parse(text(kv)?).map_err(|error| error.to_string())?;
        let draft = AuditRecord::parse(&link.record).map_err(|error| error.to_string())?;
        Ok(AuditEntry { sequence: link.sequence, draft, previous: link.previous, hash: link.hash })
    };
    read().map_err(|why: String| StoreError::Damaged {
        path: format!("etcd at {}", core.line.endpoint()),
        why: format!("audit entry {}: {why}", String::from_utf8_lossy(kv.key())),
    })
}

/// The first entry that does not follow, up to the head as it is now.
pub(super) async fn verify(core: &Core) -> Result<Option<u64>, StoreError> {
    let head = super::commit::newest(core).await?.head;
    walk(core, (0, FIRST), (head.sequence, &head.hash)).await
}

/// Whether entries lead from one place of the chain to another.
pub(super) async fn joins(core: &Core, from: (u64, &str), to: (u64, &str)) -> Result<bool, StoreError> {
    Ok(walk(core, from, to).await?.is_none())
}

async fn walk(core: &Core, from: (u64, &str), to: (u64, &str)) -> Result<Option<u64>, StoreError> {
    let (mut sequence, mut hash) = (from.0, from.1.to_owned());
    while sequence < to.0 {
        let page = range(core, sequence + 1, to.0 + 1, PAGES[0], SortOrder::Ascend).await?;
        if page.is_empty() {
            return Ok(Some(sequence + 1));
        }
        for kv in &page {
            let link = text(kv).ok().and_then(|text| LinkRecord::parse(text).ok());
            let Some(link) =
                link.filter(|link| link.follows(sequence, &hash) && sequence_of(core, kv) == Some(link.sequence))
            else {
                return Ok(Some(sequence + 1));
            };
            (sequence, hash) = (link.sequence, link.hash);
        }
    }
    Ok(((sequence, hash.as_str()) != to).then_some(sequence + 1))
}

/// Entries from one sequence to below another, at most [`PAGES`] of them.
pub(super) async fn range(
    core: &Core,
    from: u64,
    before: u64,
    limit: u64,
    order: SortOrder,
) -> Result<Vec<KeyValue>, StoreError> {
    let end = if before == u64::MAX { end_of(&core.keys.audits()) } else { core.keys.audit(before) };
    let mut found = Err(Trouble::Unanswered(String::new()));
    for page in PAGES {
        let limit = i64::try_from(limit.min(page)).unwrap_or(i64::MAX);
        let options = GetOptions::new().with_range(end.as_str()).with_sort(SortTarget::Key, order).with_limit(limit);
        found = core.line.get(&core.keys.audit(from), options).await;
        if !matches!(found, Err(Trouble::Refused(Code::OutOfRange, _))) {
            break;
        }
    }
    found.map(|mut answer| answer.take_kvs()).map_err(|trouble| core.away(&trouble))
}

pub(super) fn sequence_of(core: &Core, kv: &KeyValue) -> Option<u64> {
    std::str::from_utf8(kv.key()).ok()?.strip_prefix(&core.keys.audits())?.parse().ok()
}
