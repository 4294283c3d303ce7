//! What there is to ask: each target of a fleet with its address and its check made ready, and one run of it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use super::{
    Directory, Settings,
    http::HttpAsker,
    names::Whereabouts,
    schedule::Rhythm,
    tcp,
    tls::Trust,
    trace::{Marks, Trace},
};
use crate::{
    clock::Clock,
    model::{
        Check, CheckAt, CheckKind, DnsName, Endpoint, Failure, Fleet, Observation, Outcome, OwnFault, Phases, Target,
        TlsCheck,
    },
};

/// A probe that ends this much behind its deadline was stalled by this node: what it saw then does not count, unless
/// it passed.
const LATE_MAX: Duration = Duration::from_millis(500);

/// One target, ready to be probed.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) target: Target,
    pub(super) revision: u64,
    pub(super) at: At,
    pub(super) rhythm: Rhythm,
    timeout: Duration,
    asker: Arc<Asker>,
}

/// Where a probe goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// To an address.
    Socket(SocketAddr),
    /// To a port of wherever this name is when the probe starts.
    Name(DnsName, u16),
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
            let at = at(endpoint, &target, check.kind.port())?;
            let rhythm = Rhythm::new(&settings.node, &target, check);
            let asker = Arc::clone(&askers[check_ix.index()]);
            Some(Job { target, revision: check.revision, at, rhythm, timeout: check.timeout, asker })
        })
        .collect()
}

fn at(endpoint: &Endpoint, target: &Target, port: u16) -> Option<At> {
    let name = || Some(At::Name(endpoint.target()?.clone(), port));
    match endpoint.check_at {
        Some(CheckAt::Socket(address)) => Some(At::Socket(address)),
        Some(CheckAt::Address(ip)) => Some(At::Socket((ip, port).into())),
        None => endpoint.address(target.family).map(|ip| At::Socket((ip, port).into())).or_else(name),
    }
}

/// Whether [`jobs`] reads from the disk for this fleet.
pub(super) fn needs_disk(fleet: &Fleet) -> bool {
    fleet.checks.iter().filter_map(tls).any(|tls| !tls.insecure)
}

impl Job {
    /// Whether results of `other` mean the same as results of this one.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        (self.revision, &self.at) == (other.revision, &other.at)
    }

    /// Asks once, within the check's timeout. A target that was never found yet is waited for, as long again.
    pub(super) async fn run(&self, clock: Clock, directory: &Directory) -> Observation {
        let address = match self.find(directory).await {
            Ok(address) => address,
            Err(outcome) => return self.lost(outcome, clock),
        };
        let trace = Arc::new(Trace::start());
        let asked = tokio::time::timeout(self.timeout, self.asker.ask(address, &trace)).await;
        let outcome = asked.unwrap_or(Outcome::Fail(Failure::Timeout));
        let total = trace.elapsed();
        let outcome = without_blame(outcome, total, self.timeout);
        let marks = trace.marks();
        self.observation(address, outcome, marks.phases(total), marks, clock)
    }

    async fn find(&self, directory: &Directory) -> Result<SocketAddr, Outcome> {
        let (name, port) = match &self.at {
            At::Socket(address) => return Ok(*address),
            At::Name(name, port) => (name, *port),
        };
        match tokio::time::timeout(self.timeout, directory.find(name)).await {
            Ok(Whereabouts::At(ip)) => Ok((ip, port).into()),
            Ok(Whereabouts::Nowhere) => Err(Outcome::Fail(Failure::Name)),
            Ok(Whereabouts::Unheard) | Err(_) => Err(Outcome::Abstain(OwnFault::Resolver)),
        }
    }

    /// The result of a probe that had nowhere to go.
    fn lost(&self, outcome: Outcome, clock: Clock) -> Observation {
        let port = if let At::Name(_, port) = self.at { port } else { 0 };
        let nowhere = (Ipv4Addr::UNSPECIFIED, port).into();
        self.observation(nowhere, outcome, Phases::default(), Marks::default(), clock)
    }

    fn observation(
        &self,
        address: SocketAddr,
        outcome: Outcome,
        phases: Phases,
        marks: Marks,
        clock: Clock,
    ) -> Observation {
        let at = clock.now();
        Observation {
            target: self.target.clone(),
            revision: self.revision,
            address,
            at,
            outcome,
            phases,
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
    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        model::{CheckIx, Complaint, Parts, Serves},
        probe::testing,
    };

    /// A target under a check that connects to this port.
    fn target(port: u16, check_at: Option<CheckAt>) -> Job {
        let endpoint = Endpoint {
            serves: Serves::Target("www.cdn.example.net".parse().unwrap()),
            check_at,
            check: Some(CheckIx::new(0)),
            ..testing::endpoint("cdn", ([192, 0, 2, 1], 9).into())
        };
        let check = Check { timeout: Duration::from_millis(500), ..testing::tcp_check("web", port) };
        let parts = Parts { checks: vec![check], endpoints: vec![endpoint], ..Parts::default() };
        let mut jobs = jobs(&Fleet::assemble(parts).unwrap(), &Settings::new("node-a".parse().unwrap()));
        assert_eq!(jobs.len(), 1, "a target is probed once, in the slot of IPv4");
        jobs.remove(0)
    }

    #[tokio::test]
    async fn a_target_is_probed_where_it_is_and_nowhere_is_a_failure_and_silence_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let (directory, name) = (Directory::default(), "www.cdn.example.net".parse().unwrap());
        let job = target(at.port(), None);
        let ask = async |directory: &Directory| job.run(Clock::start(), directory).await;
        assert_eq!(ask(&directory).await.outcome, Outcome::Abstain(OwnFault::Resolver), "never found yet");
        let found = async {
            tokio::task::yield_now().await;
            directory.put(&name, Some(Whereabouts::At(at.ip())));
        };
        let (seen, ()) = tokio::join!(ask(&directory), found);
        assert_eq!((seen.outcome, seen.address), (Outcome::Pass, at), "the first probe waits for it");
        directory.put(&name, Some(Whereabouts::Nowhere));
        assert_eq!(ask(&directory).await.outcome, Outcome::Fail(Failure::Name));
        directory.put(&name, Some(Whereabouts::Unheard));
        assert_eq!(ask(&directory).await.outcome, Outcome::Abstain(OwnFault::Resolver));
        let elsewhere = target(1, Some(CheckAt::Socket(at)));
        assert_eq!(elsewhere.run(Clock::start(), &directory).await.outcome, Outcome::Pass, "check_at wins");
    }

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
