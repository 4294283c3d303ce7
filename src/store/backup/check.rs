//! Whether a copy can be what a store had: the chain of the audit, generations, each override with its entry.
//!
//! The same is asked of the store itself, of what is restored, and of what was moved to another store: what a store
//! would not have written does not get into one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{OVERRIDES_MAX, Override, Wall};

use super::{
    super::{
        FIRST, link,
        records::{AuditRecord, OverrideRecord},
    },
    Backup, Entry,
};

/// Longest identity of a state, in octets: ours have 26 and a number.
const EPOCH_LENGTH_MAX: usize = 64;

/// What one part was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which part: `audit`, `overrides` ...
    pub part: &'static str,
    /// Whether it is as it has to be.
    pub good: bool,
    /// What there is, or what is wrong and where.
    pub what: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    /// It is as it has to be.
    #[must_use]
    pub fn good(part: &'static str, what: impl Into<String>) -> Self {
        Self { part, good: true, what: what.into(), hint: None }
    }

    /// It is not.
    #[must_use]
    pub fn bad(part: &'static str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { part, good: false, what: what.into(), hint: Some(hint.into()) }
    }
}

/// What every copy is asked; one finding for each part.
#[must_use]
pub fn check(backup: &Backup) -> Vec<Finding> {
    let facts = Facts::of(&backup.audit);
    vec![identity(backup), chain(backup), generations(backup), overrides(backup, &facts), answers(backup)]
}

const RESTORE: &str = "restore the newest backup that `wayshift store verify` finds whole; answers go on meanwhile";

fn identity(backup: &Backup) -> Finding {
    let is_ours = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let epoch = &backup.epoch;
    if epoch.is_empty() || EPOCH_LENGTH_MAX < epoch.len() || !epoch.chars().all(is_ours) {
        return Finding::bad("identity", "its epoch is none that a store draws", RESTORE);
    }
    Finding::good("identity", format!("epoch {epoch}, generation {}", backup.generation))
}

fn chain(backup: &Backup) -> Finding {
    let bad = |what: String| Finding::bad("audit", what, RESTORE);
    let (mut sequence, mut hash) = (0, FIRST);
    for entry in &backup.audit {
        let next = sequence + 1;
        let holds = entry.sequence == next && entry.previous == hash && entry.hash == link(hash, next, &entry.record);
        if !holds {
            return bad(format!("entry {next} does not follow the one before: it is missing or was changed"));
        }
        if let Err(error) = AuditRecord::parse(&entry.record) {
            return bad(format!("entry {next}: {error}"));
        }
        (sequence, hash) = (next, &entry.hash);
    }
    let (last, head) = (&backup.head.0, &backup.head.1);
    if (sequence, hash) != (*last, head.as_str()) {
        return bad(format!("it ends with entry {sequence}, and the store speaks of {last}: its end is missing"));
    }
    Finding::good("audit", format!("{sequence} entries without a gap, head {hash}"))
}

fn generations(backup: &Backup) -> Finding {
    let bad = |what: String| Finding::bad("generations", what, RESTORE);
    let mut before = 0;
    for entry in &backup.audit {
        if entry.generation < before || backup.generation < entry.generation {
            let (sequence, generation) = (entry.sequence, entry.generation);
            return bad(format!("audit entry {sequence} has generation {generation} after {before}"));
        }
        before = entry.generation;
    }
    let raised = backup.audit.iter().filter(|entry| action(entry).is_some_and(|action| super::raises(&action))).count();
    if backup.generation < raised as u64 {
        return bad(format!("the audit has {raised} changes, and the generation is {}", backup.generation));
    }
    Finding::good("generations", format!("{raised} changes up to generation {}", backup.generation))
}

fn overrides(backup: &Backup, facts: &Facts) -> Finding {
    let bad = |what: String| Finding::bad("overrides", what, RESTORE);
    // What was taken over from a snapshot file may come on top.
    if 2 * OVERRIDES_MAX < backup.overrides.len() {
        return bad(format!("there are {}; a store holds at most {}", backup.overrides.len(), 2 * OVERRIDES_MAX));
    }
    for (id, text) in &backup.overrides {
        let order = match OverrideRecord::parse(text) {
            Ok(order) => order,
            Err(error) => return bad(format!("{id}: {error}")),
        };
        if order.id.to_string() != *id {
            return bad(format!("{id} is override {} under another name", order.id));
        }
        if backup.generation < order.generation {
            return bad(format!("{id} has generation {}, which is still to come", order.generation));
        }
        if let Err(why) = facts.agree(&order) {
            return bad(format!("{id}: {why}"));
        }
    }
    Finding::good("overrides", format!("{}, each with its audit entry", backup.overrides.len()))
}

fn answers(backup: &Backup) -> Finding {
    let mut seen = std::collections::BTreeSet::new();
    for kept in &backup.answers {
        let fits = (100..600).contains(&kept.status) && seen.insert((&kept.principal, &kept.key));
        if !fits {
            let hint = "requests of the last day that are repeated may be done twice; nothing else depends on it";
            return Finding::bad("answers", format!("an answer of {} does not fit", kept.principal), hint);
        }
    }
    Finding::good("answers", format!("{} kept for repeated requests", backup.answers.len()))
}

fn action(entry: &Entry) -> Option<String> {
    AuditRecord::parse(&entry.record).ok().map(|draft| draft.action)
}

/// What the audit says of each override.
struct Facts(BTreeMap<String, Said>);

enum Said {
    /// Created or extended, and as what.
    Holds(Option<Value>),
    /// Taken over as another store had it.
    Taken,
    Ended,
}

impl Facts {
    fn of(audit: &[Entry]) -> Self {
        let mut said = BTreeMap::new();
        for entry in audit {
            let Ok(draft) = AuditRecord::parse(&entry.record) else { continue };
            let after = draft.after.as_deref().and_then(|after| serde_json::from_str::<Value>(after).ok());
            let id = draft.target.strip_prefix("override:").unwrap_or_default();
            match draft.action.as_str() {
                "override.end" => drop(said.insert(id.to_owned(), Said::Ended)),
                word if word.starts_with("override.") => drop(said.insert(id.to_owned(), Said::Holds(after))),
                word if word.starts_with("store.") => {
                    let taken = after.as_ref().and_then(|after| after["taken"].as_array());
                    for id in taken.into_iter().flatten().filter_map(Value::as_str) {
                        said.insert(id.to_owned(), Said::Taken);
                    }
                }
                _ => {}
            }
        }
        Self(said)
    }

    fn agree(&self, order: &Override) -> Result<(), String> {
        let after = match self.0.get(&order.id.to_string()) {
            None => return Err("no audit entry says who made it".into()),
            Some(Said::Ended) => return Err("the audit says that it was ended".into()),
            Some(Said::Taken | Said::Holds(None)) => return Ok(()),
            Some(Said::Holds(Some(after))) => after,
        };
        let text = |name: &str| after.get(name).and_then(Value::as_str);
        let wrong = |name: &str| Err(format!("its {name} is not the one that the audit has"));
        if text("expires").and_then(|at| at.parse::<Wall>().ok()).is_some_and(|at| at != order.expires) {
            return wrong("end");
        }
        if text("target").is_some_and(|target| target != order.target.to_string()) {
            return wrong("target");
        }
        if text("action").is_some_and(|action| action != order.action.word()) {
            return wrong("action");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples::backup, *};

    fn parts(backup: &Backup) -> Vec<&'static str> {
        check(backup).into_iter().filter(|finding| !finding.good).map(|finding| finding.part).collect()
    }

    /// What it is, what is done to a whole backup, and which parts are then found wrong.
    type Case = (&'static str, fn(&mut Backup), &'static [&'static str]);

    #[test]
    fn what_a_store_had_is_found_whole() {
        assert_eq!(parts(&backup(5)), Vec::<&str>::new());
        assert_eq!(parts(&backup(0)), Vec::<&str>::new());
    }

    #[test]
    fn what_no_store_would_have_written_is_named() {
        let cases: [Case; 9] = [
            ("an entry is gone", |b| drop(b.audit.remove(2)), &["audit", "overrides"]),
            ("the end is gone", |b| drop(b.audit.pop()), &["audit", "overrides"]),
            ("an entry was changed", |b| b.audit[1].record.push(' '), &["audit"]),
            ("a generation goes back", |b| b.audit[3].generation = 1, &["generations"]),
            ("the generation is too low", |b| b.generation = 2, &["generations", "overrides"]),
            ("no entry for it", |b| b.overrides.extend(backup(7).overrides), &["overrides"]),
            (
                "another name",
                |b| drop(b.overrides.pop_first().map(|(_, t)| b.overrides.insert("ov_x".into(), t))),
                &["overrides"],
            ),
            ("no epoch", |b| b.epoch.clear(), &["identity"]),
            (
                "a moved end",
                |b| {
                    let mut order = b.orders().unwrap().remove(0);
                    order.expires = Wall(order.expires.0 + 1);
                    b.overrides.insert(order.id.to_string(), OverrideRecord::text(&order));
                },
                &["overrides"],
            ),
        ];
        for (what, change, expected) in cases {
            let mut backup = backup(5);
            change(&mut backup);
            assert_eq!(parts(&backup), expected, "{what}");
        }
    }
}
