//! Events: what happened, once each, for history, streams and people.

use super::{Availability, Digest, EndpointId, Family, Health, OverrideId, PoolId, ServiceId, SubjectId, Tally, Wall};

/// Something that happened at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When, for people.
    pub at: Wall,
    /// The snapshot it appeared in.
    pub generation: u64,
    /// What.
    pub what: Happening,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The verdict in force on a target changed.
    Verdict {
        /// Of what.
        endpoint: EndpointId,
        /// Under which check; none when it is unchecked.
        subject: Option<SubjectId>,
        /// Which address.
        family: Family,
        /// Before.
        from: Health,
        /// Now.
        to: Health,
        /// The cause's word, or `override` or `frozen`.
        cause: String,
        /// Votes by region.
        tally: Tally,
        /// The last failure in words, where it went down.
        reason: Option<String>,
        /// Milliseconds from the first failed probe to this verdict, where it went down.
        took_ms: Option<u64>,
        /// Services that have it.
        services: Vec<ServiceId>,
    },
    /// The current answers of a service changed.
    Answers {
        /// Which service.
        service: ServiceId,
        /// The pools and endpoints it answered with.
        from: Vec<EndpointId>,
        /// Those it answers with now.
        to: Vec<EndpointId>,
        /// The pool it answered from, if it was one.
        pool_from: Option<PoolId>,
        /// The pool it answers from now, if it is one.
        pool_to: Option<PoolId>,
        /// Nothing is healthy: answered by `when_none_healthy`.
        none_healthy: bool,
    },
    /// An override began to hold.
    OverrideBegan {
        /// Which.
        id: OverrideId,
        /// The action's word.
        action: String,
        /// Its selector.
        target: String,
        /// Who.
        author: String,
        /// Why.
        reason: String,
        /// Until when.
        expires: Wall,
    },
    /// An override ended: by itself or by a person.
    OverrideEnded {
        /// Which.
        id: OverrideId,
        /// The action's word.
        action: String,
        /// Its selector.
        target: String,
        /// It ran out.
        expired: bool,
    },
    /// An endpoint is ordered in or out of the answers, or no more.
    Ordered {
        /// Which.
        endpoint: EndpointId,
        /// Before.
        from: Option<Availability>,
        /// Now.
        to: Option<Availability>,
    },
    /// Most endpoints of a provider or region failed together: one outage, one decision.
    Outage {
        /// `provider` or `region`.
        group: String,
        /// Which.
        id: String,
        /// It holds now, or it ended.
        active: bool,
        /// Endpoints down.
        down: u32,
        /// Endpoints there are.
        of: u32,
    },
    /// More than half of a service's endpoints failed together.
    Correlated {
        /// Which service.
        service: ServiceId,
        /// Endpoints that failed together.
        down: u32,
        /// Endpoints it has.
        of: u32,
    },
    /// A brake holds verdicts away from what was measured, or lets go of them.
    Held {
        /// The brake's word: `flap`, `resume`, `budget`, `auto-freeze`, `alone`.
        brake: String,
        /// The endpoint, where it is one.
        endpoint: Option<EndpointId>,
        /// It holds now, or it ended.
        active: bool,
        /// In words, with figures.
        detail: String,
    },
    /// What is left of a service could not carry what its endpoints carried together.
    Overload {
        /// Which service.
        service: ServiceId,
        /// It holds now, or it ended.
        active: bool,
        /// The capacity that serves, in percent of all.
        serving: u8,
    },
    /// An override ends soon.
    OverrideExpiring {
        /// Which.
        id: OverrideId,
        /// In so many minutes.
        minutes: u32,
    },
    /// The configuration was replaced.
    Reloaded {
        /// The new fleet's digest.
        digest: Digest,
    },
    /// A reload was refused; how many problems.
    ReloadRefused {
        /// How many errors.
        problems: u32,
    },
    /// Something about the node itself that a person should know, or its end.
    Node {
        /// A stable word: `started`, `config-stale`, `store-damaged`, `store-full`, `self-suspicion-unprovable` ...
        condition: String,
        /// It holds now, or it ended.
        active: bool,
        /// In words.
        detail: String,
    },
}

impl Happening {
    /// The event's kind, as filters and streams name it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Verdict { .. } => "verdict",
            Self::Answers { .. } => "answers",
            Self::OverrideBegan { .. } => "override.began",
            Self::OverrideEnded { .. } => "override.ended",
            Self::Ordered { .. } => "ordered",
            Self::Outage { .. } => "outage",
            Self::Correlated { .. } => "service.correlated",
            Self::Held { .. } => "held",
            Self::Overload { .. } => "service.overload",
            Self::OverrideExpiring { .. } => "override.expiring",
            Self::Reloaded { .. } => "config.reloaded",
            Self::ReloadRefused { .. } => "config.refused",
            Self::Node { .. } => "node",
        }
    }
}
