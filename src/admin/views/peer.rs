//! The nodes of a fleet: `GET /v1/nodes`.

use serde::{Deserialize, Serialize};

use super::NodeView;
use crate::model::{Company, NodeId, NodeSeen, ProviderId, RegionId, SelfTest, Span, Wall};

/// A node as the one that is asked sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerView {
    /// Its id.
    pub id: NodeId,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<RegionId>,
    /// At whose place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<ProviderId>,
    /// It is the node that was asked.
    pub here: bool,
    /// How it decides, as it last said: `connected`, `detached`, `alone`, `held`, `frozen`, `single`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub mode: Option<String>,
    /// Its votes count now.
    pub votes: bool,
    /// It speaks, and its votes do not count all the same: what it sees is contradicted, or its own network fails.
    pub suspect: bool,
    /// Whether its own network has proven itself: `passed`, `failed`, `unprovable`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub self_test: Option<String>,
    /// When it was last heard.
    pub heard: Wall,
    /// How long ago that is.
    pub silent: Span,
    /// Of the program.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<String>,
    /// It probes endpoints.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub probes: Option<bool>,
    /// It may write to the store, and so takes orders.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub orders: Option<bool>,
    /// The store's generation that it has applied.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub store_generation: Option<u64>,
    /// How many generations it is behind the node that was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub behind: Option<u64>,
    /// Of its snapshot: equal digests mean equal answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<String>,
    /// Of its configuration.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub config: Option<String>,
    /// Whether it answers as the node that was asked does: `agrees`, `differs`, `other-config`, `unheard`.
    pub agreement: String,
    /// Its clock minus that of the node that was asked, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_offset_ms: Option<i64>,
}

impl PeerView {
    /// The node that is asked.
    pub(in crate::admin) fn own(own: &NodeView, company: &Company) -> Self {
        let said = company.own.as_ref();
        Self {
            id: own.id.clone(),
            region: own.region.clone(),
            provider: own.provider.clone(),
            here: true,
            mode: Some(company.mode.word().to_owned()),
            votes: company.votes,
            suspect: false,
            self_test: said.map(|said| word(said.self_test).to_owned()),
            heard: own.started.plus(own.uptime.0),
            silent: Span::default(),
            version: Some(own.version.clone()),
            probes: said.map(|said| said.process.probes),
            orders: said.map(|said| said.process.orders),
            store_generation: Some(own.store_generation),
            behind: Some(0),
            digest: Some(own.digest.clone()),
            config: Some(own.config.clone()),
            agreement: "agrees".to_owned(),
            clock_offset_ms: Some(0),
        }
    }

    /// Another one.
    pub(in crate::admin) fn of(other: &NodeSeen, own: &NodeView) -> Self {
        let now = own.started.plus(own.uptime.0);
        let said = other.presence.as_ref();
        Self {
            id: other.node.clone(),
            region: other.region.clone(),
            provider: other.provider.clone(),
            here: false,
            mode: said.map(|said| said.mode.word().to_owned()),
            votes: other.votes,
            suspect: other.suspect,
            self_test: said.map(|said| word(said.self_test).to_owned()),
            heard: other.heard,
            silent: Span(now.since(other.heard)),
            version: said.map(|said| said.process.version.to_string()),
            probes: said.map(|said| said.process.probes),
            orders: said.map(|said| said.process.orders),
            store_generation: said.map(|said| said.applied.generation),
            behind: said.map(|said| own.store_generation.saturating_sub(said.applied.generation)),
            digest: said.map(|said| said.digest.to_string()),
            config: said.map(|said| said.fleet.to_string()),
            agreement: other.agreement.word().to_owned(),
            clock_offset_ms: other.clock_offset_ms,
        }
    }
}

fn word(self_test: SelfTest) -> &'static str {
    match self_test {
        SelfTest::Passed => "passed",
        SelfTest::Failed => "failed",
        SelfTest::Unprovable => "unprovable",
    }
}
