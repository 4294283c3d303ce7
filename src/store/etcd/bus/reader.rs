//! Hears everybody, and hands over what is complete.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use etcd_client::{EventType, GetOptions, KeyValue};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::model::{Ballot, NodeId, Presence};

use super::{
    super::{
        super::{ballots::Reading, records::PresenceRecord},
        core::Core,
        keys::Piece,
        line::Trouble,
        list::end_of,
        watcher::{Pause, open},
    },
    LeasedBus, NODES_MAX,
};

/// Pieces asked for at once: below 1.5 MiB each, and the line reads up to 16 MiB.
const PAGE: i64 = 100;
/// Everything is listed anew this often: expiries were missed silently before.
const RELIST_EVERY: Duration = Duration::from_secs(600);
/// Whether our own came back is looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Hears until it is dropped.
pub(in super::super) async fn run(core: Arc<Core>, bus: Arc<LeasedBus>) {
    let mut pause = Pause::default();
    loop {
        if let Err(trouble) = hear(&core, &bus, &mut pause).await {
            tracing::debug!(why = trouble.why(), "ballots are not heard");
        }
        sleep(pause.next()).await;
    }
}

/// Lists and follows; returns when it has to begin anew. Nothing depends on what was heard before: ballots are whole.
async fn hear(core: &Core, bus: &LeasedBus, pause: &mut Pause) -> Result<(), Trouble> {
    let fleet = core.keys.fleet();
    let opened = async {
        let (revision, heard) = list(core).await?;
        let turns = core.line.turns();
        Ok::<_, Trouble>((open(core, &fleet, revision + 1).await?, heard, turns))
    };
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(opened);
    let (mut watch, mut heard, mut turns) = loop {
        tokio::select! {
            opened = &mut opened => break opened?,
            _ = looks.tick() => look(core, bus),
        }
    };
    heard.hand_over(bus);
    let relist_at = Instant::now() + RELIST_EVERY;
    loop {
        let message = tokio::select! {
            message = watch.message() => message.map_err(|error| Trouble::of(&error))?,
            _ = turns.changed() => return Ok(()),
            () = sleep_until(relist_at) => return Ok(()),
            _ = looks.tick() => {
                look(core, bus);
                continue;
            }
        };
        let Some(message) = message.filter(|message| !message.canceled()) else { return Ok(()) };
        pause.reset();
        for event in message.events() {
            if let Some(kv) = event.kv() {
                heard.take(core, kv, event.event_type());
            }
        }
        heard.hand_over(bus);
    }
}

fn look(core: &Core, bus: &LeasedBus) {
    if bus.silent(Instant::now()) {
        core.line.leave();
    }
}

async fn list(core: &Core) -> Result<(i64, Heard), Trouble> {
    let mut heard = Heard::default();
    let prefix = core.keys.fleet();
    let end = end_of(&prefix);
    let (mut from, mut revision) = (prefix, 0);
    loop {
        let options = GetOptions::new().with_range(end.as_str()).with_limit(PAGE).with_revision(revision);
        let answer = core.line.get(&from, options).await?;
        if revision == 0 {
            revision = answer.header().map_or(0, etcd_client::ResponseHeader::revision);
        }
        for kv in answer.kvs() {
            heard.take(core, kv, EventType::Put);
        }
        match answer.kvs().last().filter(|_| answer.more()) {
            Some(last) => from = format!("{}\0", String::from_utf8_lossy(last.key())),
            None => return Ok((revision, heard)),
        }
    }
}

/// What was heard of whom.
#[derive(Default)]
struct Heard {
    peers: BTreeMap<NodeId, Peer>,
    /// Nodes whose ballot may be another than the one handed over.
    changed: Vec<NodeId>,
    crowded: bool,
}

#[derive(Default)]
struct Peer {
    presence: Option<Arc<Presence>>,
    ballot: Reading,
}

impl Heard {
    fn take(&mut self, core: &Core, kv: &KeyValue, event: EventType) {
        let Some((node, piece)) = core.keys.read_piece(kv.key()) else { return };
        let room = self.peers.len() < NODES_MAX;
        let peer = match self.peers.entry(node.clone()) {
            Entry::Occupied(peer) => peer.into_mut(),
            Entry::Vacant(place) if room => place.insert(Peer::default()),
            Entry::Vacant(_) => {
                if !std::mem::replace(&mut self.crowded, true) {
                    tracing::error!(%node, max = NODES_MAX, "more nodes publish ballots than are heard");
                }
                return;
            }
        };
        let text = match event {
            EventType::Put => std::str::from_utf8(kv.value()).ok(),
            EventType::Delete => None,
        };
        peer.take(&node, piece, text);
        if peer.presence.is_none() && peer.ballot.is_empty() {
            self.peers.remove(&node);
        }
        if !self.changed.contains(&node) {
            self.changed.push(node);
        }
    }

    /// Hands over what is complete; a ballot that is not stays as it was. Who is gone is left out.
    fn hand_over(&mut self, bus: &LeasedBus) {
        let changed = std::mem::take(&mut self.changed);
        let own = bus.out.borrow().ballot.as_ref().map(|ballot| ballot.node.clone());
        let mut news: Vec<(NodeId, Option<Ballot>, Option<Arc<Presence>>)> = Vec::new();
        let mut back = None;
        for node in changed {
            let Some(peer) = self.peers.get_mut(&node) else { continue };
            let ballot = peer.ballot.complete();
            if own.as_ref() == Some(&node) {
                back = peer.ballot.sequence();
                if let Some(torn) = back.filter(|_| ballot.is_none()) {
                    bus.tear(torn);
                }
            }
            news.push((node, ballot, peer.presence.clone()));
        }
        // Who went while nothing was heard is in no news.
        let heard = |node: &NodeId| self.peers.contains_key(node);
        let gone = {
            let voices = bus.voices.borrow();
            !(voices.ballots.keys().all(heard) && voices.presences.keys().all(heard))
        };
        if news.is_empty() && !gone {
            return;
        }
        bus.voices.send_modify(|voices| {
            let voices = Arc::make_mut(voices);
            let voter = |node: &NodeId| self.peers.get(node).is_some_and(|peer| peer.ballot.sequence().is_some());
            voices.ballots.retain(|node, _| voter(node));
            voices.presences.retain(|node, _| heard(node));
            for (node, ballot, presence) in news {
                match presence {
                    Some(presence) => drop(voices.presences.insert(node.clone(), presence)),
                    None => drop(voices.presences.remove(&node)),
                }
                if let Some(ballot) = ballot {
                    voices.ballots.insert(node, Arc::new(ballot));
                }
            }
        });
        if let Some(sequence) = back {
            bus.back(sequence);
        }
    }
}

impl Peer {
    /// One that cannot be read leaves what was known as it was: it ages. A node speaks for itself alone.
    fn take(&mut self, node: &NodeId, piece: Piece, text: Option<&str>) {
        match (piece, text) {
            (Piece::Presence, None) => self.presence = None,
            (Piece::Presence, Some(text)) => {
                let presence = PresenceRecord::parse(text).ok().filter(|presence| presence.node == *node);
                self.presence = presence.map(Arc::new).or_else(|| self.presence.take());
            }
            (Piece::Ballot(piece), text) => self.ballot.take(node, piece, text),
        }
    }
}
