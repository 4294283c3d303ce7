//! What there is to ask: each target of a fleet with its address and its check made ready, and one run of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{Settings, http::HttpAsker, schedule::Rhythm, tcp, tls::Trust, trace::Trace};
use crate::{
    clock::Clock,
    model::{Check, CheckAt, CheckKind, Failure, Fleet, Observation, Outcome, OwnFault, Target, TlsCheck},
};

/// A probe that ends this much behind its deadline was stalled by this node: what it saw then does not count, unless
/// it passed.
const LATE_MAX: Duration = Duration::from_millis(500);

/// One target, ready to be probed.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) target: Target,
    pub(super) revision: u64,
    pub(super) address: SocketAddr,
    pub(super) rhythm: Rhythm,
    timeout: Duration,
    asker: Arc<Asker>,
}

#[derive(Debug)]
enum Asker {
    Http(Box<HttpAsker>),
    Tcp,
    /// This node lacks something the check needs, a trust anchor's file perhaps. It cannot tell.
    Unready,
}

/// All jobs of a fleet. Blocks where a check needs trust anchors: they are read from the disk, anew each time.
pub(super) fn jobs(fleet: &Fleet, settings: &Settings) -> Vec<Job> {
    let trust = Trust::gather(fleet.checks.iter().filter_map(tls));
    let askers: Vec<Arc<Asker>> =
        fleet.checks.iter().map(|check| Arc::new(asker(check, &trust, &settings.user_agent))).collect();
    fleet
        .targets()
        .filter_map(|(ix, target)| {
            let subject = fleet.subject(ix);
            let check_ix = subject.check?;
            let check = fleet.check(check_ix);
            let endpoint = fleet.endpoint(subject.endpoint);
            let port = check.kind.port();
            let address = match endpoint.check_at {
                Some(CheckAt::Socket(address)) => address,
                Some(CheckAt::Address(ip)) => (ip, port).into(),
                None => (endpoint.address(target.family)?, port).into(),
            };
            let rhythm = Rhythm::new(&settings.node, &target, check);
            let asker = Arc::clone(&askers[check_ix.index()]);
            Some(Job { target, revision: check.revision, address, rhythm, timeout: check.timeout, asker })
        })
        .collect()
}

/// Whether [`jobs`] reads from the disk for this fleet.
pub(super) fn needs_disk(fleet: &Fleet) -> bool {
    fleet.checks.iter().filter_map(tls).any(|tls| !tls.insecure)
}

impl Job {
    /// Whether results of `other` mean the same as results of this one.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        (self.revision, self.address) == (other.revision, other.address)
    }

    /// Asks once, within the check's timeout.
    pub(super) async fn run(&self, clock: Clock) -> Observation {
        let trace = Arc::new(Trace::start());
        let asked = tokio::time::timeout(self.timeout, self.asker.ask(self.address, &trace)).await;
        let outcome = asked.unwrap_or(Outcome::Fail(Failure::Timeout));
        let total = trace.elapsed();
        let marks = trace.marks();
        let at = clock.now();
        Observation {
            target: self.target.clone(),
            revision: self.revision,
            address: self.address,
            at,
            outcome: without_blame(outcome, total, self.timeout),
            phases: marks.phases(total),
            status: marks.status,
            cert_left: marks.cert_end.map(|end| end.since(at.wall)),
        }
    }
}

impl Asker {
    async fn ask(&self, address: SocketAddr, trace: &Arc<Trace>) -> Outcome {
        match self {
            Self::Http(http) => http.ask(address, trace).await,
            Self::Tcp => tcp::ask(address, trace).await,
            Self::Unready => Outcome::Abstain(OwnFault::NoResources),
        }
    }
}

fn asker(check: &Check, trust: &Trust, user_agent: &str) -> Asker {
    match &check.kind {
        CheckKind::Tcp { .. } => Asker::Tcp,
        CheckKind::Http(http) => match HttpAsker::new(http, trust, user_agent) {
            Ok(asker) => Asker::Http(Box::new(asker)),
            Err(why) => {
                tracing::error!(check = %check.id, why, "this node cannot run the check and casts no votes by it");
                Asker::Unready
            }
        },
    }
}

fn tls(check: &Check) -> Option<&TlsCheck> {
    match &check.kind {
        CheckKind::Http(http) => http.tls.as_ref(),
        CheckKind::Tcp { .. } => None,
    }
}

fn without_blame(outcome: Outcome, total: Duration, timeout: Duration) -> Outcome {
    let late = timeout.saturating_add(LATE_MAX) < total;
    match outcome {
        Outcome::Fail(_) | Outcome::Complaint(_) if late => Outcome::Abstain(OwnFault::Lag),
        Outcome::Pass | Outcome::Fail(_) | Outcome::Complaint(_) | Outcome::Abstain(_) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Complaint;

    #[test]
    fn what_ends_far_behind_its_deadline_is_no_vote_unless_it_passed() {
        let check = |outcome: Outcome, total: u64, expected: Outcome| {
            let ms = Duration::from_millis;
            assert_eq!(without_blame(outcome, ms(total), ms(1_000)), expected);
        };
        check(Outcome::Fail(Failure::Timeout), 1_500, Outcome::Fail(Failure::Timeout));
        check(Outcome::Fail(Failure::Timeout), 1_501, Outcome::Abstain(OwnFault::Lag));
        check(Outcome::Complaint(Complaint::Latency), 9_000, Outcome::Abstain(OwnFault::Lag));
        check(Outcome::Pass, 9_000, Outcome::Pass);
        check(Outcome::Abstain(OwnFault::NoFamily), 9_000, Outcome::Abstain(OwnFault::NoFamily));
    }
}
