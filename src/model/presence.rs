//! Presence: what a node says of itself beside its ballot, and what others make of it.
//!
//! Nothing is decided on another node's clock or on a lease: a presence counts from its arrival, on the reader's own
//! monotonic clock (STATE rule 5).

use super::{Digest, Mode, Mono, NodeId, PeerUrl, ProviderId, RegionId, SelfTest, Wall};

/// Most addresses of its admin API that a node tells; of more, the last ones are ignored.
pub const ADMIN_ADDRESSES_MAX: usize = 8;

/// What a process is, beside who it is: given by the shell, because it is drawn, built or bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Drawn at its start: another one is another life of the node.
    pub boot: u64,
    /// Of the program.
    pub version: Box<str>,
    /// Whether it probes; one that does not is no vantage.
    pub probes: bool,
    /// Whether it may write to the store that is shared: others send those to it whom they must refuse.
    pub orders: bool,
    /// Where peers reach its admin API, for ballots by the direct way.
    pub admin: Vec<PeerUrl>,
}

/// What a node publishes beside its ballot. Whole and self-contained: a lost one heals with the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Who.
    pub node: NodeId,
    /// Where it stands.
    pub region: Option<RegionId>,
    /// At whose place.
    pub provider: Option<ProviderId>,
    /// Which life, what program, how to reach it.
    pub process: Process,
    /// Rises with each presence, and from one life of the node to the next; freshness is the arrival of a higher one.
    pub sequence: u64,
    /// How it decides.
    pub mode: Mode,
    /// The durable state it has applied.
    pub applied: Applied,
    /// Of its snapshot: fleet, orders, verdicts in force.
    pub digest: Digest,
    /// Of its fleet: nodes with different files still vote by id, and their digests differ.
    pub fleet: Digest,
    /// What its clock showed when it said so.
    pub clock: Wall,
    /// Whether its own network has proven itself.
    pub self_test: SelfTest,
}

/// A durable state, by its place in history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The store's identity.
    pub epoch: String,
    /// Rises with each commit.
    pub generation: u64,
}

/// Another node, as this one sees it: for views, and for asking it directly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSeen {
    /// Who.
    pub node: NodeId,
    /// Where it stands.
    pub region: Option<RegionId>,
    /// At whose place.
    pub provider: Option<ProviderId>,
    /// When it was last heard, by ballot or presence.
    pub heard: Wall,
    /// The same on this process's clock; `None` where that was before its start.
    pub heard_mono: Option<Mono>,
    /// Its ballot counts.
    pub votes: bool,
    /// Its ballot is fresh and does not count all the same: it sees nearly everything down, alone and suddenly, or its
    /// self-test has failed while others' have passed.
    pub suspect: bool,
    /// The last it said of itself in this process's life.
    pub presence: Option<Presence>,
    /// Its clock minus ours, in milliseconds; short of the truth by the fastest way of its presence to us.
    pub clock_offset_ms: Option<i64>,
    /// Whether it answers as we do.
    pub agreement: Agreement,
    /// Where its admin API may be reached: what it last said, or what is remembered.
    pub admin: Vec<PeerUrl>,
}

/// All nodes, as one of them sees them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Company {
    /// How it decides itself.
    pub mode: Mode,
    /// What it last said of itself; `None` where nobody shares its store.
    pub own: Option<Presence>,
    /// Whether its own votes count.
    pub votes: bool,
    /// Its own heartbeat should have come back through the store by now.
    pub overdue: bool,
    /// The others, sorted by name.
    pub others: Vec<NodeSeen>,
}

/// How another node's digest compares to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Agreement {
    /// It has said nothing, or not lately.
    #[default]
    Unheard,
    /// Equal digests, equal answers.
    Agrees,
    /// It has another configuration.
    OtherFleet {
        /// Since when, on our clock.
        since: Mono,
    },
    /// It has the same configuration, and other verdicts or orders.
    Differs {
        /// Since when, on our clock.
        since: Mono,
    },
}

impl Agreement {
    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unheard => "unheard",
            Self::Agrees => "agrees",
            Self::OtherFleet { .. } => "other-config",
            Self::Differs { .. } => "differs",
        }
    }

    /// Since when it is otherwise than it should be.
    #[must_use]
    pub fn apart_since(self) -> Option<Mono> {
        match self {
            Self::Unheard | Self::Agrees => None,
            Self::OtherFleet { since } | Self::Differs { since } => Some(since),
        }
    }
}
