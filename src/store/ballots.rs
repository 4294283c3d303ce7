//! A ballot as other nodes read it: a small record that is written each time, and parts that are written when they change.
//!
//! Two hundred nodes that share fifty thousand endpoints speak of two thousand each, every two seconds, and a region that
//! fails makes each of them change some votes every second. So:
//!
//! - the record has a constant size but for what changed lately: up to [`CHANGES_MAX`] votes that differ from those in the
//!   parts stand in it, and only more than that make parts be written anew;
//! - what is smooth (path times) or matters to whoever starts only (brakes) is written at intervals;
//! - what did not change is read once: a renewed ballot shares it with the one before.
//!
//! Pure: [`Scribe`] says what to write, [`Reading`] puts together what was read; who carries it is etcd's business, or
//! a peer's that is asked directly.

mod reading;
mod record;
mod scribe;

pub(super) use self::record::{self_test_of, self_test_word};
pub use self::{
    reading::Reading,
    scribe::{Draft, Scribe},
};

use std::time::Duration;

use crate::model::Presence;

use super::records::PresenceRecord;

/// About so many targets or paths are in one part.
pub const PART_TARGETS: usize = 512;
/// Most parts of a kind. A larger ballot has larger parts; etcd takes values up to 1.5 MiB, so some millions of targets.
pub const PARTS_MAX: usize = 64;
/// Most votes that differ from those in the parts; of more, the parts are written anew. A heartbeat is never larger than
/// what so many take, and a part is not written for each of them.
pub const CHANGES_MAX: usize = 128;
/// Path times change with every probe: they are written this often at most.
pub const PATHS_EVERY: Duration = Duration::from_secs(30);
/// What the brakes of more than one part let go is written this often at most, unless everything begins or ends to be
/// held.
pub const BRAKES_EVERY: Duration = Duration::from_secs(5);

/// What a ballot is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Piece {
    /// A part.
    Part(Kind, usize),
    /// The record that says which parts belong to it; written last.
    Record,
}

/// What parts of a ballot are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Votes.
    Votes,
    /// Path times.
    Paths,
    /// What has left, or what is held.
    Out,
    /// What left lately.
    Left,
}

impl std::fmt::Display for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Part(kind, number) => write!(f, "{}/{number}", kind.word()),
            Self::Record => f.write_str("ballot"),
        }
    }
}

impl std::str::FromStr for Piece {
    type Err = NotAPiece;
    fn from_str(name: &str) -> Result<Self, NotAPiece> {
        if name == "ballot" {
            return Ok(Self::Record);
        }
        let (word, number) = name.split_once('/').ok_or(NotAPiece)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or(NotAPiece)?;
        number.parse().map(|number| Self::Part(kind, number)).map_err(|_| NotAPiece)
    }
}

/// The text is no name of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no name of a piece of a ballot")]
pub struct NotAPiece;

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Votes, Self::Paths, Self::Out, Self::Left];

    /// As names of pieces have it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Paths => "paths",
            Self::Out => "out",
            Self::Left => "left",
        }
    }
}

/// What a node says of itself, as it is written beside its ballot.
#[must_use]
pub fn introduction(presence: &Presence) -> String {
    PresenceRecord::text(presence)
}

#[cfg(test)]
mod tests;
