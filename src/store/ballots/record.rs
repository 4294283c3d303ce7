//! The forms of a ballot's record and of its parts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{
    Ballot, BrakeState, CheckId, EndpointId, Family, Mono, NodeId, Out, OwnFault, ProviderId, RegionId, SelfTest,
    SubjectId, Target, Vote,
};

use super::{
    super::records::{RECORD_VERSION, RecordError, family_of, read, write},
    Kind,
};

/// Who speaks, which turn it is, of what the ballot is made, and which votes differ from that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BallotRecord {
    v: u32,
    pub node: NodeId,
    /// Drawn at each start of the process.
    boot: String,
    pub sequence: u64,
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    /// Milliseconds of the sender's monotonic clock.
    clock: u64,
    self_test: String,
    #[serde(default)]
    pub frozen: bool,
    votes: Parts,
    paths: Parts,
    #[serde(default)]
    out: Parts,
    #[serde(default)]
    left: Parts,
    /// The parts `out` tell what is held of so many that are measured down; without it, what is out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<usize>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Group>,
}

/// The parts of a kind: how many, and a sum over theirs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Parts(pub usize, pub String);

impl BallotRecord {
    pub(super) fn new(
        ballot: &Ballot,
        boot: &str,
        parts: [Parts; 4],
        down: Option<usize>,
        changes: Vec<Group>,
    ) -> Self {
        let [votes, paths, out, left] = parts;
        Self {
            v: RECORD_VERSION,
            node: ballot.node.clone(),
            boot: boot.into(),
            sequence: ballot.sequence,
            region: ballot.region.clone(),
            provider: ballot.provider.clone(),
            clock: ballot.clock.0,
            self_test: self_test_word(ballot.self_test).into(),
            frozen: ballot.brakes.frozen,
            votes,
            paths,
            out,
            left,
            down,
            changes,
        }
    }

    pub(super) fn text(&self) -> String {
        write(self)
    }

    pub(super) fn parse(text: &str) -> Result<Self, RecordError> {
        let record: Self = read(text)?;
        self_test_of(&record.self_test)?;
        Ok(record)
    }

    pub(super) fn parts(&self, kind: Kind) -> &Parts {
        match kind {
            Kind::Votes => &self.votes,
            Kind::Paths => &self.paths,
            Kind::Out => &self.out,
            Kind::Left => &self.left,
        }
    }

    /// The ballot, but for what is large.
    pub(super) fn outline(&self) -> Ballot {
        Ballot {
            node: self.node.clone(),
            region: self.region.clone(),
            provider: self.provider.clone(),
            sequence: self.sequence,
            clock: Mono(self.clock),
            self_test: self_test_of(&self.self_test).unwrap_or_default(),
            votes: Default::default(),
            paths: Default::default(),
            brakes: Default::default(),
        }
    }
}

/// Check, family, word, and those of whom it is said. Most votes are alike, so the word is written once for many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group(CheckId, String, String, Vec<EndpointId>);

/// What is said of a target that is not spoken of any more.
const SILENT: &str = "-";

/// Groups of votes; `None` takes one back.
pub(super) fn groups<'a>(votes: impl IntoIterator<Item = (&'a Target, Option<Vote>)>) -> Vec<Group> {
    let mut groups: BTreeMap<(&CheckId, Family, &'static str), Vec<EndpointId>> = BTreeMap::new();
    for (target, vote) in votes {
        let key = (&target.subject.check, target.family, vote.map_or(SILENT, word));
        groups.entry(key).or_default().push(target.subject.endpoint.clone());
    }
    let group = |((check, family, word), endpoints): ((&CheckId, Family, &str), _)| {
        Group(check.clone(), family.to_string(), word.into(), endpoints)
    };
    groups.into_iter().map(group).collect()
}

impl Group {
    /// Puts its votes in.
    pub(super) fn apply(&self, votes: &mut BTreeMap<Target, Vote>) -> Result<(), RecordError> {
        let Self(check, family, word, endpoints) = self;
        let family = family_of(family)?;
        let vote = (word != SILENT).then(|| vote_of(word)).transpose()?;
        for endpoint in endpoints {
            let target = target(endpoint, check, family);
            match vote {
                Some(vote) => votes.insert(target, vote),
                None => votes.remove(&target),
            };
        }
        Ok(())
    }
}

fn target(endpoint: &EndpointId, check: &CheckId, family: Family) -> Target {
    Target { subject: SubjectId { endpoint: endpoint.clone(), check: check.clone() }, family }
}

/// Some of a ballot's votes.
#[derive(Debug, Serialize, Deserialize)]
struct VotesRecord {
    v: u32,
    votes: Vec<Group>,
}

pub(super) fn votes_text<'a>(votes: impl IntoIterator<Item = (&'a Target, &'a Vote)>) -> String {
    let votes = groups(votes.into_iter().map(|(target, vote)| (target, Some(*vote))));
    write(&VotesRecord { v: RECORD_VERSION, votes })
}

pub(super) fn read_votes(text: &str, votes: &mut BTreeMap<Target, Vote>) -> Result<(), RecordError> {
    read::<VotesRecord>(text)?.votes.iter().try_for_each(|group| group.apply(votes))
}

/// Some of a ballot's path times, in microseconds.
#[derive(Debug, Serialize, Deserialize)]
struct PathsRecord {
    v: u32,
    paths: Vec<(EndpointId, u32)>,
}

pub(super) fn paths_text<'a>(paths: impl IntoIterator<Item = (&'a EndpointId, &'a u32)>) -> String {
    let paths = paths.into_iter().map(|(endpoint, path)| (endpoint.clone(), *path)).collect();
    write(&PathsRecord { v: RECORD_VERSION, paths })
}

pub(super) fn read_paths(text: &str, paths: &mut BTreeMap<EndpointId, u32>) -> Result<(), RecordError> {
    paths.extend(read::<PathsRecord>(text)?.paths);
    Ok(())
}

/// Some of what has left by measurement, or is held.
#[derive(Debug, Serialize, Deserialize)]
struct OutRecord {
    v: u32,
    out: Vec<(CheckId, String, Vec<EndpointId>)>,
}

pub(super) fn out_text<'a>(out: impl IntoIterator<Item = &'a Target>) -> String {
    let mut groups: BTreeMap<(&CheckId, Family), Vec<EndpointId>> = BTreeMap::new();
    for target in out {
        let group = groups.entry((&target.subject.check, target.family)).or_default();
        group.push(target.subject.endpoint.clone());
    }
    let out = groups.into_iter().map(|((check, family), all)| (check.clone(), family.to_string(), all)).collect();
    write(&OutRecord { v: RECORD_VERSION, out })
}

pub(super) fn read_out(text: &str, out: &mut BTreeSet<Target>) -> Result<(), RecordError> {
    for (check, family, endpoints) in read::<OutRecord>(text)?.out {
        let family = family_of(&family)?;
        out.extend(endpoints.iter().map(|endpoint| target(endpoint, &check, family)));
    }
    Ok(())
}

/// Some of what left lately: when, in milliseconds of the sender's clock.
#[derive(Debug, Serialize, Deserialize)]
struct LeftRecord {
    v: u32,
    left: Vec<(EndpointId, u64)>,
}

pub(super) fn left_text<'a>(left: impl IntoIterator<Item = (&'a EndpointId, &'a Mono)>) -> String {
    let left = left.into_iter().map(|(endpoint, at)| (endpoint.clone(), at.0)).collect();
    write(&LeftRecord { v: RECORD_VERSION, left })
}

pub(super) fn read_left(text: &str, left: &mut BTreeMap<EndpointId, Mono>) -> Result<(), RecordError> {
    left.extend(read::<LeftRecord>(text)?.left.into_iter().map(|(endpoint, at)| (endpoint, Mono(at))));
    Ok(())
}

/// The brakes, of what the parts tell.
pub(super) fn brakes(
    frozen: bool,
    down: Option<usize>,
    told: BTreeSet<Target>,
    left: BTreeMap<EndpointId, Mono>,
) -> BrakeState {
    let out = match down {
        Some(down) => Out::AllBut { held: told, down },
        None => Out::These(told),
    };
    BrakeState { frozen, out, left }
}

/// A self-test's word in records.
pub(in crate::store) fn self_test_word(self_test: SelfTest) -> &'static str {
    match self_test {
        SelfTest::Passed => "passed",
        SelfTest::Failed => "failed",
        SelfTest::Unprovable => "unprovable",
    }
}

/// The self-test of a word.
pub(in crate::store) fn self_test_of(word: &str) -> Result<SelfTest, RecordError> {
    match word {
        "passed" => Ok(SelfTest::Passed),
        "failed" => Ok(SelfTest::Failed),
        "unprovable" => Ok(SelfTest::Unprovable),
        _ => Err(RecordError::Word { what: "a self-test", word: word.into() }),
    }
}

fn word(vote: Vote) -> &'static str {
    match vote {
        Vote::Up { degraded: false, wavers: false } => "up",
        Vote::Up { degraded: true, wavers: false } => "degraded",
        Vote::Up { degraded: false, wavers: true } => "up-wavers",
        Vote::Up { degraded: true, wavers: true } => "degraded-wavers",
        Vote::Down => "down",
        Vote::Abstain(OwnFault::NoFamily) => "no-family",
        Vote::Abstain(OwnFault::NoResources) => "no-resources",
        Vote::Abstain(OwnFault::Lag) => "lag",
        Vote::Abstain(OwnFault::Resolver) => "resolver",
    }
}

fn vote_of(word: &str) -> Result<Vote, RecordError> {
    Ok(match word {
        "up" => Vote::Up { degraded: false, wavers: false },
        "degraded" => Vote::Up { degraded: true, wavers: false },
        "up-wavers" => Vote::Up { degraded: false, wavers: true },
        "degraded-wavers" => Vote::Up { degraded: true, wavers: true },
        "down" => Vote::Down,
        "no-family" => Vote::Abstain(OwnFault::NoFamily),
        "no-resources" => Vote::Abstain(OwnFault::NoResources),
        "lag" => Vote::Abstain(OwnFault::Lag),
        "resolver" => Vote::Abstain(OwnFault::Resolver),
        _ => return Err(RecordError::Word { what: "a vote", word: word.into() }),
    })
}
