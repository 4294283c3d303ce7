//! Slips: small durable texts beside the overrides, that nodes agree on by compare-and-set. Each writing has its entry
//! in the audit, in the same transaction, so that what a slip counts is counted once.
//!
//! What becomes of one when a state comes back from a backup, is adopted after it went back, or moves to another store:
//!
//! | slip | what becomes of it | why |
//! |---|---|---|
//! | `carried.<node>` | it is kept as it is | it belongs to the audit beside it, which comes along: with it no entry is carried twice, and those that came after the backup are carried again |
//! | `rollout`, over | it is kept as it is | it says what has happened, and a node that was away learns of it |
//! | `rollout`, under way | it is ended as rolled back, and says why | what the nodes have done since then nobody knows: going on could move a fleet hours later, unasked |
//!
//! So that the two last cannot be mixed up, a backup has the slip as it was, and whoever fills a store ends it
//! ([`settled`]). A node that still tries that configuration goes back; one that has settled on it is not touched.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{NodeId, Rollout, Stage};

use super::records::{RECORD_VERSION, RecordError, read, rollout::RolloutRecord, write};

/// Longest name of a slip, in octets: that of a node has 63. One with a longer name is in no backup that is whole.
const NAME_LENGTH_MAX: usize = 128;
/// What a node's own audit is counted under.
pub(super) const CARRIED: &str = "carried.";

/// The slip of a staged reload.
pub const ROLLOUT_SLIP: &str = "rollout";

/// A slip as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slip {
    /// Rises with each writing; 0 before the first.
    pub revision: u64,
    /// What it says.
    pub text: String,
}

/// All of them, by name.
pub type Slips = BTreeMap<String, Slip>;

/// How much of a node's own audit stands in the cluster's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    v: u32,
    /// The identity of the node's own store: another one begins anew.
    pub epoch: String,
    /// The last of its entries that was carried.
    pub sequence: u64,
}

impl Carried {
    /// So far.
    #[must_use]
    pub fn new(epoch: String, sequence: u64) -> Self {
        Self { v: RECORD_VERSION, epoch, sequence }
    }

    /// The slip of a node.
    #[must_use]
    pub fn slip(node: &NodeId) -> String {
        format!("{CARRIED}{node}")
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        write(self)
    }

    /// Of a slip's text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }
}

/// The texts of slips for a store that is filled or made to go on: a staged reload that was under way is over, for this
/// reason. What is over already and what is counted stays as it is.
#[must_use]
pub fn settled(slips: &BTreeMap<String, String>, why: &str) -> BTreeMap<String, String> {
    let mut settled = slips.clone();
    if let Some(text) = settled.get_mut(ROLLOUT_SLIP)
        && let Some(over) = ended(text, why)
    {
        *text = over;
    }
    settled
}

/// A staged reload that is under way, ended; none if it is over or cannot be read.
#[must_use]
pub fn ended(text: &str, why: &str) -> Option<String> {
    let rollout = RolloutRecord::parse(text).ok().filter(|rollout| !rollout.stage.is_over())?;
    Some(RolloutRecord::text(&Rollout { stage: Stage::RolledBack, why: Some(why.to_owned()), ..rollout }))
}

/// What a slip is of, in words; none if it is no slip that a store writes, and why. Slips of a newer program are kept
/// under their names.
pub(super) fn read_as(name: &str, text: &str) -> Result<&'static str, String> {
    let sane = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || NAME_LENGTH_MAX < name.len() || !name.chars().all(sane) {
        return Err("it is no name of a slip".into());
    }
    if name == ROLLOUT_SLIP {
        return RolloutRecord::parse(text).map(|_| "a staged reload").map_err(|error| error.to_string());
    }
    if let Some(node) = name.strip_prefix(CARRIED) {
        node.parse::<NodeId>().map_err(|_| "it is of no node".to_owned())?;
        return Carried::parse(text).map(|_| "the audit of a node alone").map_err(|error| error.to_string());
    }
    Ok("of a newer program")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::backup::samples::slips;

    fn stage(slips: &BTreeMap<String, String>) -> (Stage, Option<String>) {
        let rollout = RolloutRecord::parse(&slips[ROLLOUT_SLIP]).unwrap();
        (rollout.stage, rollout.why)
    }

    #[test]
    fn a_staged_reload_that_was_under_way_is_over_and_all_else_stays() {
        for under_way in [Stage::Asked, Stage::Watched, Stage::Spreading] {
            let before = slips(under_way);
            let after = settled(&before, "a backup was put back");
            assert_eq!(stage(&after), (Stage::RolledBack, Some("a backup was put back".into())));
            let others = |slips: &BTreeMap<String, String>| {
                slips.iter().filter(|(name, _)| *name != ROLLOUT_SLIP).map(|(n, t)| (n.clone(), t.clone())).collect()
            };
            let (before, after): (Vec<_>, Vec<_>) = (others(&before), others(&after));
            assert!(!before.is_empty() && before == after);
        }
        for over in [Stage::Done, Stage::RolledBack] {
            assert_eq!(settled(&slips(over), "a backup was put back"), slips(over));
        }
        let strange = BTreeMap::from([(ROLLOUT_SLIP.to_owned(), "{".to_owned())]);
        assert_eq!(settled(&strange, "x"), strange);
    }

    #[test]
    fn what_no_store_writes_is_named() {
        let carried = Carried::new("01K".into(), 7).text();
        let check = |name: &str, text: &str, expected: Result<&str, &str>| {
            let found = read_as(name, text);
            match (&found, expected) {
                (Ok(found), Ok(expected)) => assert_eq!(*found, expected),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
                (_, _) => panic!("{name} {text}: {found:?}"),
            }
        };
        check("carried.eu-1", &carried, Ok("the audit of a node alone"));
        check("carried.-", &carried, Err("of no node"));
        check("carried.eu-1", &carried.replace("\"v\":1", "\"v\":9"), Err("version 9"));
        check("rollout", &slips(Stage::Done)[ROLLOUT_SLIP], Ok("a staged reload"));
        check("rollout", "{}", Err(""));
        check("later", "anything", Ok("of a newer program"));
        for name in ["", "a/b", "a b", &"x".repeat(129)] {
            check(name, "", Err("no name"));
        }
    }

    #[test]
    fn what_was_carried_is_read_back_and_a_newer_record_is_not_guessed_at() {
        let carried = Carried::new("01K".into(), 7);
        assert_eq!(Carried::parse(&carried.text()), Ok(carried.clone()));
        assert!(matches!(Carried::parse(&carried.text().replace("\"v\":1", "\"v\":9")), Err(RecordError::Newer(9))));
    }
}
