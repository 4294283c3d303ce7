//! Backups for tests, as a store would have made them.

use super::{super::*, *};
use crate::store::records::{AuditRecord, OverrideRecord, samples::plain_override};

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
    };
    for number in 1..=overrides {
        let order = Override { generation: number, ..plain_override(number) };
        let after = serde_json::json!({ "expires": order.expires.to_string(), "target": order.target.to_string() });
        add(&mut backup, "override.create", &format!("override:{}", order.id), Some(after.to_string()), number);
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

fn add(backup: &mut Backup, action: &str, target: &str, after: Option<String>, generation: u64) {
    let draft = AuditDraft {
        at: Wall(1_000_000),
        actor: "token:a".into(),
        from: "unix".into(),
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
