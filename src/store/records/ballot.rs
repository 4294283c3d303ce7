//! A ballot in the shared store: a small record that says who speaks and which parts belong to it, written every time,
//! and parts that are written when they change. So a heartbeat costs some hundred octets, however large the fleet is.

use serde::{Deserialize, Serialize};

use std::time::Duration;

use crate::model::{
    Ballot, BrakeState, CheckId, EndpointId, NodeId, OwnFault, ProviderId, RegionId, SelfTest, SubjectId, Target, Vote,
    ms,
};

use super::{RECORD_VERSION, RecordError, family_of, read, write};

/// Who speaks, which turn it is, and of what the ballot is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct BallotRecord {
    v: u32,
    pub node: NodeId,
    /// Drawn at each start of the process.
    pub boot: String,
    pub sequence: u64,
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    self_test: String,
    #[serde(default)]
    frozen: bool,
    #[serde(flatten)]
    pub parts: Parts<String>,
}

/// Each kind of parts of a ballot, in order: their texts, or SHA-256 of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::store) struct Parts<T> {
    pub votes: Vec<T>,
    pub paths: Vec<T>,
    #[serde(default = "Vec::new")]
    pub out: Vec<T>,
    #[serde(default = "Vec::new")]
    pub left: Vec<T>,
}

impl<T> Parts<T> {
    /// The kinds in the order of the fields.
    pub(in crate::store) fn kinds(&self) -> [&[T]; 4] {
        [&self.votes, &self.paths, &self.out, &self.left]
    }

    /// The same of something else.
    pub(in crate::store) fn map<'a, U>(&'a self, each: impl Fn(&'a T) -> U) -> Parts<U> {
        let all = |parts: &'a [T]| parts.iter().map(&each).collect();
        Parts { votes: all(&self.votes), paths: all(&self.paths), out: all(&self.out), left: all(&self.left) }
    }
}

impl BallotRecord {
    pub(in crate::store) fn new(ballot: &Ballot, boot: &str, parts: Parts<String>) -> Self {
        Self {
            v: RECORD_VERSION,
            node: ballot.node.clone(),
            boot: boot.into(),
            sequence: ballot.sequence,
            region: ballot.region.clone(),
            provider: ballot.provider.clone(),
            self_test: self_test_word(ballot.self_test).into(),
            frozen: ballot.brakes.frozen,
            parts,
        }
    }

    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }

    /// The ballot, from its parts' texts.
    pub(in crate::store) fn ballot(&self, parts: &Parts<&str>) -> Result<Ballot, RecordError> {
        let mut ballot = Ballot {
            node: self.node.clone(),
            region: self.region.clone(),
            provider: self.provider.clone(),
            sequence: self.sequence,
            self_test: self_test_of(&self.self_test)?,
            votes: Default::default(),
            paths: Default::default(),
            brakes: BrakeState { frozen: self.frozen, ..BrakeState::default() },
        };
        for text in &parts.votes {
            for row in read::<VotesRecord>(text)?.votes {
                let (target, vote) = row.try_into()?;
                ballot.votes.insert(target, vote);
            }
        }
        for text in &parts.paths {
            ballot.paths.extend(read::<PathsRecord>(text)?.paths);
        }
        for text in &parts.out {
            for row in read::<OutRecord>(text)?.out {
                ballot.brakes.out.insert(row.try_into()?);
            }
        }
        for text in &parts.left {
            let left = read::<LeftRecord>(text)?.left.into_iter();
            ballot.brakes.left.extend(left.map(|(endpoint, ago)| (endpoint, Duration::from_millis(ago))));
        }
        Ok(ballot)
    }
}

/// Some of a ballot's votes.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct VotesRecord {
    v: u32,
    votes: Vec<Row>,
}

impl VotesRecord {
    pub(in crate::store) fn text<'a>(votes: impl IntoIterator<Item = (&'a Target, &'a Vote)>) -> String {
        write(&Self { v: RECORD_VERSION, votes: votes.into_iter().map(Row::from).collect() })
    }
}

/// Some of a ballot's path times.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct PathsRecord {
    v: u32,
    /// Microseconds.
    paths: Vec<(EndpointId, u32)>,
}

impl PathsRecord {
    pub(in crate::store) fn text<'a>(paths: impl IntoIterator<Item = (&'a EndpointId, &'a u32)>) -> String {
        let paths = paths.into_iter().map(|(endpoint, path)| (endpoint.clone(), *path)).collect();
        write(&Self { v: RECORD_VERSION, paths })
    }
}

/// Some of what has left by measurement.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct OutRecord {
    v: u32,
    out: Vec<Place>,
}

impl OutRecord {
    pub(in crate::store) fn text<'a>(out: impl IntoIterator<Item = &'a Target>) -> String {
        write(&Self { v: RECORD_VERSION, out: out.into_iter().map(Place::from).collect() })
    }
}

/// Endpoint, check, family.
#[derive(Debug, Serialize, Deserialize)]
struct Place(EndpointId, CheckId, String);

impl From<&Target> for Place {
    fn from(target: &Target) -> Self {
        Self(target.subject.endpoint.clone(), target.subject.check.clone(), target.family.to_string())
    }
}

impl TryFrom<Place> for Target {
    type Error = RecordError;
    fn try_from(Place(endpoint, check, family): Place) -> Result<Self, RecordError> {
        Ok(Self { subject: SubjectId { endpoint, check }, family: family_of(&family)? })
    }
}

/// Some of what left lately.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::store) struct LeftRecord {
    v: u32,
    /// How many milliseconds before the ballot.
    left: Vec<(EndpointId, u64)>,
}

impl LeftRecord {
    pub(in crate::store) fn text<'a>(left: impl IntoIterator<Item = (&'a EndpointId, &'a Duration)>) -> String {
        let left = left.into_iter().map(|(endpoint, ago)| (endpoint.clone(), ms(*ago))).collect();
        write(&Self { v: RECORD_VERSION, left })
    }
}

/// A self-test's word in records.
pub(super) fn self_test_word(self_test: SelfTest) -> &'static str {
    match self_test {
        SelfTest::Passed => "passed",
        SelfTest::Failed => "failed",
        SelfTest::Unprovable => "unprovable",
    }
}

/// The self-test of a word.
pub(super) fn self_test_of(word: &str) -> Result<SelfTest, RecordError> {
    match word {
        "passed" => Ok(SelfTest::Passed),
        "failed" => Ok(SelfTest::Failed),
        "unprovable" => Ok(SelfTest::Unprovable),
        _ => Err(RecordError::Word { what: "a self-test", word: word.into() }),
    }
}

/// Endpoint, check, family, word: a list, because there are many.
#[derive(Debug, Serialize, Deserialize)]
struct Row(EndpointId, CheckId, String, String);

impl From<(&Target, &Vote)> for Row {
    fn from((target, vote): (&Target, &Vote)) -> Self {
        let word = match vote {
            Vote::Up { degraded: false, wavers: false } => "up",
            Vote::Up { degraded: true, wavers: false } => "degraded",
            Vote::Up { degraded: false, wavers: true } => "up-wavers",
            Vote::Up { degraded: true, wavers: true } => "degraded-wavers",
            Vote::Down => "down",
            Vote::Abstain(OwnFault::NoFamily) => "no-family",
            Vote::Abstain(OwnFault::NoResources) => "no-resources",
            Vote::Abstain(OwnFault::Lag) => "lag",
            Vote::Abstain(OwnFault::Resolver) => "resolver",
        };
        let subject = &target.subject;
        Self(subject.endpoint.clone(), subject.check.clone(), target.family.to_string(), word.into())
    }
}

impl TryFrom<Row> for (Target, Vote) {
    type Error = RecordError;
    fn try_from(Row(endpoint, check, family, word): Row) -> Result<Self, RecordError> {
        let vote = match word.as_str() {
            "up" => Vote::Up { degraded: false, wavers: false },
            "degraded" => Vote::Up { degraded: true, wavers: false },
            "up-wavers" => Vote::Up { degraded: false, wavers: true },
            "degraded-wavers" => Vote::Up { degraded: true, wavers: true },
            "down" => Vote::Down,
            "no-family" => Vote::Abstain(OwnFault::NoFamily),
            "no-resources" => Vote::Abstain(OwnFault::NoResources),
            "lag" => Vote::Abstain(OwnFault::Lag),
            "resolver" => Vote::Abstain(OwnFault::Resolver),
            _ => return Err(RecordError::Word { what: "a vote", word }),
        };
        Ok((Target { subject: SubjectId { endpoint, check }, family: family_of(&family)? }, vote))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples::a_ballot, *};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_ballot_is_read_back_as_written(ballot in a_ballot()) {
            let (first, second): (Vec<_>, Vec<_>) = ballot.votes.iter().partition(|(target, _)| target.family == crate::model::Family::V4);
            let votes = [VotesRecord::text(first), VotesRecord::text(second)];
            let paths = PathsRecord::text(&ballot.paths);
            let (out, left) = (OutRecord::text(&ballot.brakes.out), LeftRecord::text(&ballot.brakes.left));
            let record = BallotRecord::new(&ballot, "boot", Parts::default());
            let record = BallotRecord::parse(&record.text()).unwrap();
            let votes = votes.iter().map(String::as_str).collect();
            let read = record.ballot(&Parts { votes, paths: vec![&paths], out: vec![&out], left: vec![&left] });
            prop_assert_eq!(read, Ok(ballot));
        }
    }
}
