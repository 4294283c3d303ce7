//! Ballots directly from peers, while the store carries none (DECIDING section 4).
//!
//! Whom to ask is decided in `control::direct`; an answer is put together as from the store and goes to the controller,
//! where sequences decide what is news. One round at a time, and each of its questions ends by itself.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::core::CoreHandle;
use crate::{
    admin::views::BallotView,
    config,
    control::{Input, direct::to_ask},
    model::{Ballot, Company, NodeId},
    probe::{Peers, Settings},
    store::ballots::Reading,
};

/// Pause between two rounds, and by how much longer it may be: nodes that lost their store together do not ask together.
const PAUSE: Duration = Duration::from_millis(1_500);
const JITTER: Duration = Duration::from_millis(1_000);

/// Begins to ask, where the configuration says by what.
pub(super) fn start(
    tasks: &mut JoinSet<&'static str>,
    settings: &config::Settings,
    core: &CoreHandle,
    stop: &CancellationToken,
) {
    let Some(own) = &settings.admin.peers else { return };
    let tls = own.at.iter().any(|address| address.starts_with("https:"));
    let peers = match Peers::new(&Settings::new(settings.node.name.clone()), own.token.clone(), tls) {
        Ok(peers) => peers,
        Err(why) => {
            tracing::error!(%why, "peers cannot be asked for their ballots");
            return;
        }
    };
    let direct = Direct { peers, company: core.company.clone(), inbox: core.inbox.clone() };
    let until = stop.child_token();
    tasks.spawn(async move {
        direct.run(until).await;
        "direct ballots"
    });
}

/// Asks while it has to.
struct Direct {
    peers: Peers,
    company: watch::Receiver<Arc<Company>>,
    inbox: mpsc::Sender<Input>,
}

impl Direct {
    /// Runs until told to stop.
    async fn run(mut self, until: CancellationToken) {
        let mut readings = BTreeMap::new();
        let asking = async {
            loop {
                let asked = match self.company.wait_for(|company| !to_ask(company).is_empty()).await {
                    Ok(company) => to_ask(&company),
                    Err(_) => return,
                };
                self.round(asked, &mut readings).await;
                tokio::time::sleep(PAUSE + JITTER.mul_f64(fastrand::f64())).await;
            }
        };
        until.run_until_cancelled(asking).await;
        // Without a company there is nobody to ask; the task stays for its owner.
        until.cancelled().await;
    }

    async fn round(&self, asked: Vec<(NodeId, Vec<Box<str>>)>, readings: &mut BTreeMap<NodeId, Reading>) {
        readings.retain(|node, _| asked.iter().any(|(other, _)| other == node));
        let mut under_way = JoinSet::new();
        for (node, addresses) in asked {
            let peers = self.peers.clone();
            under_way.spawn(async move {
                let answer = peers.ballot(&addresses).await;
                (node, answer)
            });
        }
        while let Some(answered) = under_way.join_next().await {
            let Ok((node, answer)) = answered else { continue };
            let ballot = match answer {
                Ok(answer) => read(readings.entry(node.clone()).or_default(), &node, &answer),
                Err(error) => {
                    tracing::debug!(%node, %error, "its ballot was not had directly");
                    continue;
                }
            };
            match ballot {
                Some(ballot) => drop(self.inbox.send(Input::Heard(ballot)).await),
                None => tracing::debug!(%node, "what it answered is no ballot of its own"),
            }
        }
    }
}

/// The ballot of an answer; nothing if it is none, or somebody else's.
fn read(reading: &mut Reading, node: &NodeId, answer: &[u8]) -> Option<Ballot> {
    let view: BallotView = serde_json::from_slice(answer).ok()?;
    for (name, text) in &view.pieces {
        reading.take(node, name.parse().ok()?, Some(text));
    }
    reading.complete().filter(|ballot| ballot.sequence == view.sequence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mono, SelfTest};

    fn answer(node: &str, sequence: u64) -> Vec<u8> {
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
        serde_json::to_vec(&BallotView::of(&ballot)).unwrap()
    }

    #[test]
    fn an_answer_is_a_ballot_of_its_own_node_or_nothing() {
        let node: NodeId = "eu-1".parse().unwrap();
        let mut reading = Reading::default();
        assert_eq!(read(&mut reading, &node, &answer("eu-1", 3)).map(|ballot| ballot.sequence), Some(3));
        assert_eq!(read(&mut reading, &node, &answer("us-1", 9)), None, "a node speaks for itself alone");
        for forged in [&b"{"[..], b"[]", br#"{"node":"eu-1","sequence":9,"pieces":[["votes/x","{}"]]}"#] {
            assert_eq!(read(&mut reading, &node, forged), None);
        }
        assert_eq!(read(&mut reading, &node, &answer("eu-1", 4)).map(|ballot| ballot.sequence), Some(4));
    }
}
