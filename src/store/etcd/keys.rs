//! Names of keys. Everything stands under the configured prefix and the layout's version.
//!
//! | key | lease | holds |
//! |---|---|---|
//! | `control/head` | - | identity, generation, digest, the audit's head; every mutation compares it |
//! | `control/override/<id>` | - | an override |
//! | `control/slip/<name>` | - | a small text beside them |
//! | `control/audit/<sequence>` | - | an entry of the audit, 20 digits |
//! | `claim` | - | who fills an etcd in which there is no state yet |
//! | `kept/<principal>/<key>` | 24 h | the answer to a request; both hashed |
//! | `fleet/<node>/presence` | 20 s | what a node says of itself |
//! | `fleet/<node>/ballot` | 20 s | who votes, and the parts of its ballot |
//! | `fleet/<node>/{votes,paths,out,left}/<n>` | 20 s | parts of its ballot |
//!
//! A node's credentials need to write below `fleet/<node>/` only; those of nodes that take orders below `control/` and
//! `kept/` as well; every node reads all of it.

use crate::model::NodeId;

use super::super::{ballots, sum};

/// The layout's version: another one would stand beside it.
const LAYOUT: &str = "v1/";

/// The names under one prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    root: String,
}

/// What a key below `fleet/` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Presence,
    Ballot(ballots::Piece),
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { root: format!("{}/{LAYOUT}", prefix.trim_end_matches('/')) }
    }

    /// What is followed for the durable state.
    pub(super) fn control(&self) -> String {
        format!("{}control/", self.root)
    }

    pub(super) fn head(&self) -> String {
        format!("{}control/head", self.root)
    }

    pub(super) fn claim(&self) -> String {
        format!("{}claim", self.root)
    }

    /// All kept answers.
    pub(super) fn all_kept(&self) -> String {
        format!("{}kept/", self.root)
    }

    pub(super) fn overrides(&self) -> String {
        format!("{}control/override/", self.root)
    }

    pub(super) fn audit(&self, sequence: u64) -> String {
        format!("{}control/audit/{sequence:020}", self.root)
    }

    pub(super) fn audits(&self) -> String {
        format!("{}control/audit/", self.root)
    }

    pub(super) fn slips(&self) -> String {
        format!("{}control/slip/", self.root)
    }

    pub(super) fn slip(&self, name: &str) -> String {
        format!("{}{name}", self.slips())
    }

    /// All answers kept for a principal.
    pub(super) fn kept_of(&self, principal: &str) -> String {
        format!("{}kept/{}/", self.root, &sum(principal)[..32])
    }

    pub(super) fn kept(&self, principal: &str, key: &str) -> String {
        format!("{}{}", self.kept_of(principal), sum(key))
    }

    /// What is followed for ballots.
    pub(super) fn fleet(&self) -> String {
        format!("{}fleet/", self.root)
    }

    pub(super) fn piece(&self, node: &NodeId, piece: &Piece) -> String {
        let name = match piece {
            Piece::Presence => "presence".to_owned(),
            Piece::Ballot(piece) => piece.to_string(),
        };
        format!("{}{node}/{name}", self.fleet())
    }

    /// Whose piece a key below `fleet/` is; none of ours otherwise.
    pub(super) fn read_piece(&self, key: &[u8]) -> Option<(NodeId, Piece)> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.fleet())?;
        let (node, name) = rest.split_once('/')?;
        let piece = if name == "presence" { Piece::Presence } else { Piece::Ballot(name.parse().ok()?) };
        Some((node.parse().ok()?, piece))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballots::Kind;

    #[test]
    fn a_prefix_has_one_slash_at_its_end_however_it_was_written() {
        for prefix in ["/wayshift/prod", "/wayshift/prod/", "/wayshift/prod//"] {
            assert_eq!(Keys::new(prefix).head(), "/wayshift/prod/v1/control/head");
        }
    }

    #[test]
    fn pieces_are_read_back() {
        let keys = Keys::new("/w/");
        let node: NodeId = "eu-1".parse().unwrap();
        let parts = Kind::ALL.into_iter().map(|kind| Piece::Ballot(ballots::Piece::Part(kind, 12)));
        for piece in [Piece::Presence, Piece::Ballot(ballots::Piece::Record)].into_iter().chain(parts) {
            assert_eq!(keys.read_piece(keys.piece(&node, &piece).as_bytes()), Some((node.clone(), piece)));
        }
        for other in
            ["/w/v1/fleet/eu-1", "/w/v1/fleet/eu-1/other", "/w/v1/fleet/eu-1/votes/x", "/w/v1/fleet/-/presence"]
        {
            assert_eq!(keys.read_piece(other.as_bytes()), None, "{other}");
        }
    }
}
