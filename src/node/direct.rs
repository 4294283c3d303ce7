//! Ballots directly from peers, while the store carries none (DECIDING section 4).
//!
//! Whom to ask and when is decided in `control::direct`; an answer is put together as from the store and goes to the
//! controller, where sequences decide what is news. Each question ends by itself, and none waits for another.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{core::CoreHandle, herald::Herald, with_source};
use crate::{
    admin::views::BallotView,
    clock::Clock,
    config,
    control::{
        Input,
        direct::{Pacing, Turned},
    },
    model::{Ballot, Company, Event, Happening, NodeId, PeerUrl, Snapshot},
    probe::{Peers, Settings},
    store::ballots::Reading,
    telemetry::control::ControlMetrics,
};

/// It looks whom to ask at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the task needs of the node.
pub(super) struct Parts<'n> {
    pub(super) settings: &'n config::Settings,
    pub(super) core: &'n CoreHandle,
    pub(super) clock: Clock,
    pub(super) herald: &'n Arc<Herald>,
    pub(super) metrics: &'n Arc<ControlMetrics>,
}

/// Asks from now on, where the configuration says by what.
pub(super) fn start(tasks: &mut JoinSet<&'static str>, parts: &Parts<'_>, stop: &CancellationToken) {
    let Some(own) = parts.settings.admin.peers.clone() else { return };
    let settings = Settings::new(parts.settings.node.name.clone());
    let direct = Direct {
        clock: parts.clock,
        company: parts.core.company.clone(),
        snapshot: parts.core.snapshot.clone(),
        inbox: parts.core.inbox.clone(),
        herald: Arc::clone(parts.herald),
        metrics: Arc::clone(parts.metrics),
        pacing: Pacing::default(),
        readings: BTreeMap::new(),
    };
    let until = stop.child_token();
    tasks.spawn(async move {
        let made = tokio::task::spawn_blocking(move || Peers::new(&settings, own.token, own.ca)).await;
        match made.unwrap_or_else(|panic| Err(panic.to_string())) {
            Ok(peers) => {
                if let Some(why) = peers.unverified() {
                    tracing::error!(why, "peers behind TLS cannot be asked for their ballots");
                }
                direct.run(&peers, &until).await;
            }
            Err(why) => tracing::error!(why, "peers cannot be asked for their ballots"),
        }
        // Without a company there is nobody to ask; the task stays for its owner.
        until.cancelled().await;
        "direct ballots"
    });
}

/// Asks while it has to.
struct Direct {
    clock: Clock,
    company: watch::Receiver<Arc<Company>>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    inbox: mpsc::Sender<Input>,
    herald: Arc<Herald>,
    metrics: Arc<ControlMetrics>,
    pacing: Pacing,
    /// Of those that are asked.
    readings: BTreeMap<NodeId, Reading>,
}

/// What came of a question: an answer that can be read, or why there is none.
type Answered = (NodeId, PeerUrl, Result<BallotView, String>);

impl Direct {
    async fn run(mut self, peers: &Peers, until: &CancellationToken) {
        let mut under_way: JoinSet<Answered> = JoinSet::new();
        loop {
            let company = Arc::clone(&self.company.borrow_and_update());
            for (node, at) in self.pacing.due(self.clock.mono(), &company) {
                let peers = peers.clone();
                under_way.spawn(async move {
                    let answer = ask(&peers, &at).await;
                    (node, at, answer)
                });
            }
            let Self { pacing, readings, metrics, .. } = &mut self;
            readings.retain(|node, _| pacing.asks(node));
            metrics.peers_reached(pacing.reached());
            let wait = self.pacing.wake_at().map_or(LOOK_EVERY, |at| at.since(self.clock.mono()).min(LOOK_EVERY));
            tokio::select! {
                () = until.cancelled() => return,
                Some(answered) = under_way.join_next() => match answered {
                    Ok((node, at, answer)) => self.take(&node, &at, answer).await,
                    // Whose question it was is not known: all begin anew.
                    Err(_) => self.pacing = Pacing::default(),
                },
                changed = self.company.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn take(&mut self, node: &NodeId, at: &PeerUrl, answer: Result<BallotView, String>) {
        let (stale_after, generation) = {
            let snapshot = self.snapshot.borrow();
            (snapshot.fleet.verdict.stale_after, snapshot.generation)
        };
        // Only those that are still asked are kept, which bounds what is remembered of them.
        if !self.pacing.asks(node) {
            return;
        }
        let ballot = answer.and_then(|view| {
            let reading = self.readings.entry(node.clone()).or_default();
            read(reading, node, &view, stale_after).map_err(|why| format!("what {at} answered {why}"))
        });
        self.metrics.asked_directly(ballot.is_ok());
        let turned = self.pacing.answered(node, ballot.is_ok(), self.clock.mono(), stale_after, fastrand::f64());
        if let Some(turned) = turned {
            let (reached, detail) = match (turned, &ballot) {
                (Turned::Unreached, Err(why)) => (false, format!("{node} does not answer directly: {why}")),
                (Turned::Reached | Turned::Unreached, _) => (true, format!("{node} answers directly, at {at}")),
            };
            let condition = "peer-unreached".into();
            let what = Happening::Node { condition, active: !reached, detail };
            self.herald.tell(vec![Event { at: Clock::wall(), generation, what }]);
        }
        match ballot {
            Ok(ballot) => drop(self.inbox.send(Input::Heard(ballot)).await),
            Err(why) => tracing::debug!(%node, why, "its ballot was not had directly"),
        }
    }
}

async fn ask(peers: &Peers, at: &PeerUrl) -> Result<BallotView, String> {
    let answer = peers.ballot(at).await.map_err(|error| with_source(&error))?;
    serde_json::from_slice(&answer).map_err(|error| format!("what {at} answered is no ballot: {error}"))
}

/// The ballot of an answer, if it is whole, its node's own, and so new that it can have been spoken by a node that lives:
/// such a one speaks each quarter of `stale_after`.
fn read(reading: &mut Reading, node: &NodeId, view: &BallotView, stale_after: Duration) -> Result<Ballot, String> {
    if view.node != *node {
        return Err(format!("is the ballot of {}", view.node));
    }
    let age = Duration::from_millis(view.age_ms);
    if stale_after / 2 < age {
        return Err(format!("was spoken {} s ago: the node stands still", age.as_secs()));
    }
    for (name, text) in &view.pieces {
        let piece = name.parse().map_err(|error| format!("is no ballot: {error}"))?;
        reading.take(node, piece, Some(text));
    }
    let ballot = reading.complete().filter(|ballot| ballot.sequence == view.sequence);
    ballot.ok_or_else(|| "is no whole ballot of its own".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mono, SelfTest};

    const STALE_AFTER: Duration = Duration::from_secs(10);

    fn view(node: &str, sequence: u64) -> BallotView {
        let ballot = Ballot {
            node: node.parse().unwrap(),
            region: None,
            provider: None,
            sequence,
            clock: Mono(1),
            self_test: SelfTest::Passed,
            votes: Arc::default(),
            paths: Arc::default(),
            brakes: Arc::default(),
        };
        let text = serde_json::to_string(&BallotView::of(&ballot, Duration::from_secs(1))).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_answer_is_a_fresh_ballot_of_its_own_node_or_nothing() {
        let node: NodeId = "eu-1".parse().unwrap();
        let mut reading = Reading::default();
        let mut check = |view: BallotView, expected: Result<u64, &str>| {
            let found = read(&mut reading, &node, &view, STALE_AFTER).map(|ballot| ballot.sequence);
            assert_eq!(found.as_ref().map(|sequence| *sequence).map_err(String::as_str), expected, "{view:?}");
        };
        check(view("eu-1", 3), Ok(3));
        check(view("us-1", 9), Err("is the ballot of us-1"));
        check(BallotView { node: "eu-1".parse().unwrap(), ..view("us-1", 9) }, Err("is no whole ballot of its own"));
        check(BallotView { sequence: 8, ..view("eu-1", 7) }, Err("is no whole ballot of its own"));
        check(BallotView { age_ms: 5_001, ..view("eu-1", 7) }, Err("was spoken 5 s ago: the node stands still"));
        check(
            BallotView { age_ms: u64::MAX, ..view("eu-1", 7) },
            Err("was spoken 18446744073709551 s ago: the node stands still"),
        );
        let pieces = vec![("votes/x".to_owned(), "{}".to_owned())];
        check(BallotView { pieces, ..view("eu-1", 7) }, Err("is no ballot: this is no name of a piece of a ballot"));
        check(view("eu-1", 4), Ok(4));
    }
}
