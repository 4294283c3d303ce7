//! Hears everybody's ballots and hands over what is complete.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use etcd_client::{EventType, GetOptions, KeyValue};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use crate::model::{Ballot, NodeId};

use super::{
    super::{
        super::{records::PresenceRecord, sum},
        core::Core,
        keys::Piece,
        line::Trouble,
        list::end_of,
        watcher::{Pause, open},
    },
    LeasedBus, NODES_MAX,
    parts::PARTS_MAX,
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
    presence: Option<PresenceRecord>,
    votes: BTreeMap<usize, Heap>,
    paths: BTreeMap<usize, Heap>,
}

/// A part as it came.
struct Heap {
    text: String,
    sum: String,
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
        peer.take(piece, text);
        if peer.presence.is_none() && peer.votes.is_empty() && peer.paths.is_empty() {
            self.peers.remove(&node);
        }
        if !self.changed.contains(&node) {
            self.changed.push(node);
        }
    }

    /// Hands over what is complete; a ballot that is not stays as it was. Who is gone is left out.
    fn hand_over(&mut self, bus: &LeasedBus) {
        let changed = std::mem::take(&mut self.changed);
        let own = bus.out.borrow().as_ref().map(|ballot| ballot.node.clone());
        let mut news: Vec<(NodeId, Option<Ballot>)> = Vec::new();
        for node in changed {
            match self.peers.get(&node).and_then(|peer| Some((peer, peer.presence.as_ref()?))) {
                Some((peer, presence)) => {
                    if own.as_ref() == Some(&node) {
                        bus.back(presence.sequence);
                    }
                    if let Some(ballot) = peer.ballot(&node, presence) {
                        news.push((node, Some(ballot)));
                    }
                }
                None => news.push((node, None)),
            }
        }
        // Who went while nothing was heard is in no news.
        let gone = bus.ballots.borrow().keys().any(|node| !self.peers.contains_key(node));
        if news.is_empty() && !gone {
            return;
        }
        bus.ballots.send_modify(|ballots| {
            let ballots = Arc::make_mut(ballots);
            ballots.retain(|node, _| self.peers.contains_key(node));
            for (node, ballot) in news {
                match ballot {
                    Some(ballot) => drop(ballots.insert(node, ballot)),
                    None => drop(ballots.remove(&node)),
                }
            }
        });
    }
}

impl Peer {
    fn take(&mut self, piece: Piece, text: Option<&str>) {
        let (parts, at) = match piece {
            Piece::Presence => {
                // One that cannot be read leaves the ballot as it was: it ages.
                match text {
                    Some(text) => self.presence = PresenceRecord::parse(text).ok().or(self.presence.take()),
                    None => self.presence = None,
                }
                return;
            }
            Piece::Votes(at) => (&mut self.votes, at),
            Piece::Paths(at) => (&mut self.paths, at),
        };
        match text {
            Some(text) if at < PARTS_MAX => drop(parts.insert(at, Heap { sum: sum(text), text: text.into() })),
            Some(_) => {}
            None => drop(parts.remove(&at)),
        }
    }

    /// The ballot, if all its parts are there; a node speaks for itself alone.
    fn ballot(&self, node: &NodeId, presence: &PresenceRecord) -> Option<Ballot> {
        if presence.node != *node {
            return None;
        }
        let votes = complete(&self.votes, &presence.votes)?;
        let paths = complete(&self.paths, &presence.paths)?;
        presence.ballot(votes, paths).ok()
    }
}

fn complete<'a>(held: &'a BTreeMap<usize, Heap>, named: &[String]) -> Option<Vec<&'a str>> {
    let texts = named.iter().enumerate().map(|(at, sum)| held.get(&at).filter(|part| part.sum == *sum));
    texts.map(|part| part.map(|part| part.text.as_str())).collect()
}
