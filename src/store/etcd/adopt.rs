//! A person makes etcd go on from what this node knows: after a backup was put back, or its data were lost.
//!
//! What this node has in force stays in force. Of an older state of the same identity, what this node no longer has had
//! ended since, and is dropped; of another state everything stays beside it. The head is written last and compares what
//! was found: until then every node holds, and an attempt that was cut off is simply repeated. A staged reload that was
//! under way in what was found is ended with it, see [`super::super::slips`].

use std::{collections::BTreeMap, sync::Arc};

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};

use crate::model::{Override, OverrideId};

use super::{
    super::{
        Adoption, AuditDraft, Durable, StoreError,
        epoch::Epoch,
        records::{AuditRecord, HeadRecord, LinkRecord, OverrideRecord},
        slips::{ROLLOUT_SLIP, ended},
    },
    core::Core,
    list::{Found, found, text},
    picture::Picture,
};

/// Overrides written or dropped with one transaction; etcd takes 128 operations.
const BATCH: usize = 50;

/// Says what it would do, and does it where an audit entry is given.
pub(super) async fn adopt(core: &Core, ours: &Durable, audit: Option<AuditDraft>) -> Result<Adoption, StoreError> {
    if ours.epoch.is_empty() {
        return Err(core.held("this node knows no state that could be adopted"));
    }
    let Found { head, overrides, slips, .. } = found(core).await?;
    let revision = head.as_ref().map_or(0, etcd_client::KeyValue::mod_revision);
    let head = head.map(|kv| text(&kv).and_then(|text| HeadRecord::parse(text).map_err(|error| error.to_string())));
    let head = head.transpose().map_err(|why| core.held(format!("the state's head: {why}")))?;
    let prefix = core.keys.overrides();
    let there: BTreeMap<String, String> = overrides
        .iter()
        .map(|kv| {
            let name = String::from_utf8_lossy(kv.key()).replacen(&prefix, "", 1);
            (name, String::from_utf8_lossy(kv.value()).into_owned())
        })
        .collect();
    let plan = Plan::of(ours, head.as_ref(), &there);
    let Some(mut audit) = audit else { return Ok(plan.adoption) };
    let under_way = slips.get(ROLLOUT_SLIP).and_then(|slip| {
        let why = "the store was adopted after it had gone back, when this was under way";
        Some((i64::try_from(slip.revision).unwrap_or(i64::MAX), ended(&slip.text, why)?))
    });

    audit.before =
        head.as_ref().map(|head| serde_json::json!({ "epoch": head.epoch, "generation": head.generation }).to_string());
    audit.after = Some(
        serde_json::json!({
            "epoch": plan.adoption.next.0, "generation": plan.adoption.next.1,
            "taken": plan.adoption.taken.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "dropped": plan.adoption.dropped.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "rollout_ended": under_way.is_some(),
        })
        .to_string(),
    );
    let base = head.unwrap_or_else(|| HeadRecord::fresh(String::new(), String::new()));
    let attempt = ulid::Ulid::from_parts(core.time.now().0, fastrand::u128(..)).to_string();
    let (epoch, generation) = plan.adoption.next.clone();
    let link = LinkRecord::after(&base, generation, attempt, AuditRecord::text(audit));
    let (sequence, hash) = (link.sequence, link.hash.clone());
    let next = HeadRecord { epoch, generation, sequence, hash, frozen: None, ..base };
    let digest = Picture::listed(0, 0, next.clone(), plan.after.clone(), None).digest();
    let next = HeadRecord { digest, ..next };

    let key = |name: &str| format!("{prefix}{name}");
    let put = |name: &String| TxnOp::put(key(name), plan.after[name].as_str(), None::<PutOptions>);
    let changed = plan.after.iter().filter(|(name, text)| there.get(*name) != Some(text)).map(|(name, _)| put(name));
    let dropped = there.keys().filter(|name| !plan.after.contains_key(*name));
    let ops: Vec<TxnOp> = changed.chain(dropped.map(|name| TxnOp::delete(key(name), None))).collect();
    let unchanged = || Compare::mod_revision(core.keys.head(), CompareOp::Equal, revision);
    for batch in ops.chunks(BATCH) {
        sent(core, Txn::new().when(vec![unchanged()]).and_then(batch)).await?;
    }
    let mut last = vec![TxnOp::put(core.keys.audit(link.sequence), link.text(), None::<PutOptions>)];
    let mut compares = vec![unchanged()];
    if let Some((revision, over)) = under_way {
        let key = core.keys.slip(ROLLOUT_SLIP);
        compares.push(Compare::mod_revision(key.as_str(), CompareOp::Equal, revision));
        last.push(TxnOp::put(key, over, None::<PutOptions>));
    }
    last.push(TxnOp::put(core.keys.head(), next.text(), None::<PutOptions>));
    sent(core, Txn::new().when(compares).and_then(last)).await?;
    Ok(plan.adoption)
}

async fn sent(core: &Core, txn: Txn) -> Result<(), StoreError> {
    let answer = core.line.txn(txn).await.map_err(|trouble| core.away(&trouble))?;
    match answer.succeeded() {
        true => Ok(()),
        false => Err(core.held("somebody else has changed it meanwhile: look again")),
    }
}

/// What is to be there.
struct Plan {
    adoption: Adoption,
    /// By the end of its key: each override's text.
    after: BTreeMap<String, String>,
}

impl Plan {
    fn of(ours: &Durable, head: Option<&HeadRecord>, there: &BTreeMap<String, String>) -> Self {
        let mine: BTreeMap<&OverrideId, &Override> = ours.overrides.iter().map(|order| (&order.id, order)).collect();
        let found = head.map(|head| (head.epoch.clone(), head.generation));
        let (epoch, generation) = found.clone().unwrap_or_default();
        let older = Epoch::of(&epoch).identity == Epoch::of(&ours.epoch).identity;
        let next = (Epoch::of(&ours.epoch).next(&epoch), generation.max(ours.generation) + 1);
        let (mut after, mut taken, mut dropped) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (name, text) in there {
            match name.parse::<OverrideId>() {
                Ok(id) if older && !mine.contains_key(&id) => dropped.push(id),
                Ok(_) | Err(_) => drop(after.insert(name.clone(), text.clone())),
            }
        }
        for (id, order) in mine {
            let before = after.get(&id.to_string()).cloned();
            if before.as_deref().and_then(|text| OverrideRecord::parse(text).ok()).as_ref() != Some(order) {
                taken.push(id.clone());
                let text = before.map_or_else(|| OverrideRecord::text(order), |b| OverrideRecord::rewritten(order, &b));
                after.insert(id.to_string(), text);
            }
        }
        Self { adoption: Adoption { found, next, taken, dropped, overrides: after.len() }, after }
    }
}

/// For [`super::Etcd`].
pub(super) async fn by(core: &Arc<Core>, audit: Option<AuditDraft>) -> Result<Adoption, StoreError> {
    if core.writable().is_ok() {
        let why = "etcd is not held: what it holds is followed, or it is not reached".into();
        return Err(StoreError::Refused { path: "etcd".into(), why });
    }
    let ours = Arc::clone(&core.durable().borrow());
    adopt(core, &ours, audit).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::records::samples::plain_override;

    fn durable(epoch: &str, generation: u64, orders: &[u64]) -> Durable {
        let overrides = orders.iter().map(|number| plain_override(*number)).collect();
        Durable { epoch: epoch.into(), generation, overrides }
    }

    fn kept(orders: &[u64]) -> BTreeMap<String, String> {
        let text = |number: &u64| {
            let order = plain_override(*number);
            (order.id.to_string(), OverrideRecord::text(&order))
        };
        orders.iter().map(text).collect()
    }

    #[test]
    fn an_older_state_takes_what_this_node_has_and_another_one_keeps_its_own_as_well() {
        let head =
            |epoch: &str, generation| HeadRecord { generation, ..HeadRecord::fresh(epoch.into(), String::new()) };
        let id = |number| plain_override(number).id;
        let ours = durable("A.1", 9, &[2, 3]);
        let plan = Plan::of(&ours, Some(&head("A.1", 4)), &kept(&[1, 2]));
        assert_eq!(plan.adoption.next, ("A.2".into(), 10));
        assert_eq!((plan.adoption.taken, plan.adoption.dropped), (vec![id(3)], vec![id(1)]));
        assert_eq!(plan.after, kept(&[2, 3]));
        let plan = Plan::of(&ours, Some(&head("B", 40)), &kept(&[1, 2]));
        assert_eq!(plan.adoption.next, ("A.2".into(), 41));
        assert_eq!((plan.adoption.dropped, plan.after), (vec![], kept(&[1, 2, 3])));
        let plan = Plan::of(&ours, None, &kept(&[]));
        assert_eq!((plan.adoption.found, plan.after), (None, kept(&[2, 3])));
    }
}
