//! For tests: a desk over a node without zones, which refuses every name, and a query for it.

use std::sync::Arc;

use super::{
    desk::{Chaos, Desk, Face},
    handler::General,
    read::Ecs,
    shadow::{Shadow, Switch},
};
use crate::{
    clock::Clock,
    model::{Digest, Fleet, LastGood, Now, Snapshot},
    steer::{Live, compile},
    telemetry::dns::DnsMetrics,
};

pub(super) const FACE: Face =
    Face { udp_size: 1232, nsid: None, chaos: Chaos::Hide, ecs: Ecs::Use, debug_names: Vec::new() };

pub(super) fn general() -> General {
    let snapshot = Snapshot {
        node: "test".parse().unwrap(),
        generation: 1,
        digest: Digest::default(),
        at: Now::default(),
        fleet: Fleet::empty(),
        verdicts: Box::default(),
        overrides: Arc::new([]),
        planned: Arc::new([]),
        ended: Arc::new([]),
        feeds: Arc::default(),
        here: crate::model::Here::default(),
    };
    let live = Live::new(compile(&Arc::new(snapshot), None, &LastGood::default()));
    General::new(Desk::new(live.reader(), Arc::new(FACE), 1, Clock::start(), DnsMetrics::default().shard()))
}

/// An open fast door of which nothing is compared.
pub(super) fn shadow() -> Shadow {
    Shadow::new(Arc::new(Switch::new(Arc::default())), 0, 1)
}

/// 17 octets, and so is the reply.
pub(super) fn query(id: u8) -> [u8; 17] {
    [0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 1]
}
