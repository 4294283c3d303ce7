//! A ballot in the shared store: a small record that says who speaks and which parts belong to it, written every time,
//! and parts that are written when they change. So a heartbeat costs some hundred octets, however large the fleet is.

use serde::{Deserialize, Serialize};

use crate::model::{
    Ballot, CheckId, EndpointId, NodeId, OwnFault, ProviderId, RegionId, SelfTest, SubjectId, Target, Vote,
};

use super::{RECORD_VERSION, RecordError, family_of, read, write};

/// Who speaks, which turn it is, and of what the ballot is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct PresenceRecord {
    v: u32,
    pub node: NodeId,
    /// Drawn at each start of the process.
    pub boot: String,
    pub sequence: u64,
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    self_test: String,
    /// SHA-256 of the parts' texts, in order.
    pub votes: Vec<String>,
    pub paths: Vec<String>,
}

impl PresenceRecord {
    pub(in crate::store) fn new(ballot: &Ballot, boot: &str, votes: Vec<String>, paths: Vec<String>) -> Self {
        let self_test = match ballot.self_test {
            SelfTest::Passed => "passed",
            SelfTest::Failed => "failed",
            SelfTest::Unprovable => "unprovable",
        };
        Self {
            v: RECORD_VERSION,
            node: ballot.node.clone(),
            boot: boot.into(),
            sequence: ballot.sequence,
            region: ballot.region.clone(),
            provider: ballot.provider.clone(),
            self_test: self_test.into(),
            votes,
            paths,
        }
    }

    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }

    /// The ballot, from its parts' texts.
    pub(in crate::store) fn ballot<'a>(
        &self,
        votes: impl IntoIterator<Item = &'a str>,
        paths: impl IntoIterator<Item = &'a str>,
    ) -> Result<Ballot, RecordError> {
        let self_test = match self.self_test.as_str() {
            "passed" => SelfTest::Passed,
            "failed" => SelfTest::Failed,
            "unprovable" => SelfTest::Unprovable,
            word => return Err(RecordError::Word { what: "a self-test", word: word.into() }),
        };
        let mut ballot = Ballot {
            node: self.node.clone(),
            region: self.region.clone(),
            provider: self.provider.clone(),
            sequence: self.sequence,
            self_test,
            votes: Default::default(),
            paths: Default::default(),
        };
        for text in votes {
            for row in read::<VotesRecord>(text)?.votes {
                let (target, vote) = row.try_into()?;
                ballot.votes.insert(target, vote);
            }
        }
        for text in paths {
            ballot.paths.extend(read::<PathsRecord>(text)?.paths);
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
            let presence = PresenceRecord::new(&ballot, "boot", vec![], vec![]);
            let presence = PresenceRecord::parse(&presence.text()).unwrap();
            let read = presence.ballot(votes.iter().map(String::as_str), [paths.as_str()]);
            prop_assert_eq!(read, Ok(ballot));
        }
    }
}
