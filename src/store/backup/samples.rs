//! Backups for tests, as a store would have made them.

use super::{super::*, *};
use crate::{
    model::{Digest, Rollout, Stage},
    store::{
        records::{AuditRecord, OverrideRecord, rollout::RolloutRecord, samples::plain_override},
        slips::{Carried, ROLLOUT_SLIP},
    },
};

/// Slips of a fleet: a staged reload that is so far, and what two nodes have carried.
pub(in crate::store) fn slips(stage: Stage) -> BTreeMap<String, String> {
    let rollout = Rollout {
        id: "01K".into(),
        canary: "eu-1".parse().unwrap(),
        fleet: Digest([2; 32]),
        before: Digest([1; 32]),
        watch: std::time::Duration::from_secs(60),
        boot: Some(7),
        began: Wall(1_000_000),
        author: "uid:0".into(),
        stage,
        why: None,
    };
    let carried = |node: &str, sequence| {
        (Carried::slip(&node.parse().unwrap()), Carried::new("01JD8ZK3T0B6W9E1Q2R3S4T5V7".into(), sequence).text())
    };
    BTreeMap::from([(ROLLOUT_SLIP.to_owned(), RolloutRecord::text(&rollout)), carried("eu-1", 2), carried("us-1", 1)])
}

/// The same as [`backup`], of a fleet with [`slips`].
pub(in crate::store) fn with_slips(overrides: u64, stage: Stage) -> Backup {
    let mut backup = Backup { from: Origin::Etcd, slips: slips(stage), ..backup(overrides) };
    for (action, from) in [
        ("config.rollout.asked", "unix"),
        ("local.override.create", "unix on eu-1 alone"),
        ("local.override.end", "unix on eu-1 alone"),
        ("local.override.create", "unix on us-1 alone"),
    ] {
        add(&mut backup, (action, from), "config", None, overrides);
    }
    backup
}

/// Of a store with so many overrides, one entry each and a note in between.
pub(in crate::store) fn backup(overrides: u64) -> Backup {
    let mut backup = Backup {
        made: Wall(2_000_000),
        from: Origin::Embedded,
        epoch: "01JD8ZK3T0B6W9E1Q2R3S4T5V6".into(),
        generation: overrides,
        overrides: BTreeMap::new(),
        audit: Vec::new(),
        head: (0, FIRST.into()),
        answers: Vec::new(),
        slips: BTreeMap::new(),
    };
    for number in 1..=overrides {
        let order = Override { generation: number, ..plain_override(number) };
        let after = serde_json::json!({ "expires": order.expires.to_string(), "target": order.target.to_string() });
        add(
            &mut backup,
            ("override.create", "unix"),
            &format!("override:{}", order.id),
            Some(after.to_string()),
            number,
        );
        backup.overrides.insert(order.id.to_string(), OverrideRecord::text(&order));
        backup.answers.push(Idempotency {
            principal: "token:a".into(),
            key: format!("k{number}"),
            fingerprint: "f".into(),
            at: Wall(1_000_000),
            status: 201,
            body: "{\n}".into(),
        });
    }
    backup
}

fn add(backup: &mut Backup, (action, from): (&str, &str), target: &str, after: Option<String>, generation: u64) {
    let draft = AuditDraft {
        at: Wall(1_000_000),
        actor: "token:a".into(),
        from: from.into(),
        action: action.into(),
        target: target.into(),
        before: None,
        after,
        reason: Some("INC-1\n\"quoted\"".into()),
        request_id: "r".into(),
    };
    let (sequence, previous) = (backup.head.0 + 1, backup.head.1.clone());
    let record = AuditRecord::text(draft);
    let hash = link(&previous, sequence, &record);
    backup.head = (sequence, hash.clone());
    backup.audit.push(Entry { sequence, generation, attempt: String::new(), previous, hash, record });
}
