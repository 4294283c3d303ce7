//! A ballot, cut into parts that etcd takes, so that a change rewrites only the part it is in.

use crate::model::{Ballot, EndpointId};

use super::super::super::{
    records::{LeftRecord, OutRecord, Parts, PathsRecord, VotesRecord},
    sum,
};

/// About so many targets or paths are in one part: some 20 KiB.
const PART_TARGETS: usize = 512;
/// Most parts of a kind. A larger ballot has larger parts; etcd takes values up to 1.5 MiB, so some millions of targets.
pub(super) const PARTS_MAX: usize = 64;

/// A part as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) text: String,
    pub(super) sum: String,
}

impl Part {
    fn new(text: String) -> Self {
        Self { sum: sum(&text), text }
    }
}

/// All parts of a ballot.
pub(super) fn of(ballot: &Ballot) -> Parts<Part> {
    Parts {
        votes: cut(&ballot.votes, |(target, _)| &target.subject.endpoint, VotesRecord::text),
        paths: cut(&ballot.paths, |(endpoint, _)| endpoint, PathsRecord::text),
        out: cut(&ballot.brakes.out, |target| &target.subject.endpoint, OutRecord::text),
        left: cut(&ballot.brakes.left, |(endpoint, _)| endpoint, LeftRecord::text),
    }
}

fn cut<'b, T: Copy>(
    all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    endpoint: impl Fn(T) -> &'b EndpointId,
    text: impl Fn(Vec<T>) -> String,
) -> Vec<Part> {
    let all = all.into_iter();
    let mut parts: Vec<Vec<T>> = vec![Vec::new(); count(all.len())];
    for one in all {
        let at = place(endpoint(one), parts.len());
        parts[at].push(one);
    }
    parts.into_iter().map(|part| Part::new(text(part))).collect()
}

fn count(targets: usize) -> usize {
    targets.div_ceil(PART_TARGETS).min(PARTS_MAX)
}

/// By name and not by position: what is added or removed moves nothing else (FNV-1a).
fn place(endpoint: &EndpointId, parts: usize) -> usize {
    let hash = endpoint
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % parts as u64).expect("a part's number is smaller than a number of parts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BrakeState, Family, SelfTest, SubjectId, Target, Vote};

    fn ballot(endpoints: usize) -> Ballot {
        let target = |number: usize| Target {
            subject: SubjectId { endpoint: format!("ep-{number}").parse().unwrap(), check: "web".parse().unwrap() },
            family: Family::V4,
        };
        Ballot {
            node: "eu-1".parse().unwrap(),
            region: None,
            provider: None,
            sequence: 1,
            self_test: SelfTest::Passed,
            votes: (0..endpoints).map(|number| (target(number), Vote::Down)).collect(),
            paths: Default::default(),
            brakes: BrakeState::default(),
        }
    }

    #[test]
    fn a_change_is_in_one_part_and_no_part_is_too_large() {
        let mut after = ballot(50_000);
        let before = of(&after).votes;
        let (first, _) = after.votes.pop_first().unwrap();
        after.votes.insert(first, Vote::Up { degraded: false, wavers: false });
        let changed = of(&after).votes.iter().zip(&before).filter(|(one, other)| one != other).count();
        let largest = before.iter().map(|part| part.text.len()).max().unwrap();
        assert_eq!((changed, before.len()), (1, PARTS_MAX));
        assert!(largest < 128 << 10, "{largest} octets");
        for (endpoints, parts) in [(0, 0), (512, 1), (513, 2)] {
            assert_eq!(of(&ballot(endpoints)).votes.len(), parts, "{endpoints}");
        }
    }
}
