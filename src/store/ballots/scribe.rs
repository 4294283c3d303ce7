//! Says what has to be written so that others read a ballot.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::model::{Ballot, BrakeState, EndpointId, Out, Target, Vote};

use super::{
    super::sum,
    BRAKES_EVERY, CHANGES_MAX, Kind, PART_TARGETS, PARTS_MAX, PATHS_EVERY, Piece,
    record::{BallotRecord, Group, Parts, groups, left_text, out_text, paths_text, votes_text},
};

/// Knows what stands written of a node's ballot.
#[derive(Debug)]
pub struct Scribe {
    boot: String,
    /// The sum of each part that stands.
    stands: BTreeMap<Piece, String>,
    votes: Option<Votes>,
    paths: Option<Written<BTreeMap<EndpointId, u32>>>,
    brakes: Option<Written<BrakeState>>,
}

/// Votes as the parts have them, and how the newest differ from that.
#[derive(Debug)]
struct Votes {
    base: Arc<BTreeMap<Target, Vote>>,
    parts: Vec<Part>,
    newest: Arc<BTreeMap<Target, Vote>>,
    changes: Vec<Group>,
}

/// What the parts have, and since when.
#[derive(Debug)]
struct Written<T> {
    what: Arc<T>,
    parts: Vec<Part>,
    /// Of the brakes: what left.
    more: Vec<Part>,
    since: Duration,
}

/// A part as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    text: String,
    sum: String,
}

/// What is to be written, in this order; `None` is taken away.
#[derive(Debug)]
pub struct Draft {
    /// The pieces. The record is the last one: with it the ballot is complete.
    pub writes: Vec<(Piece, Option<String>)>,
    stands: BTreeMap<Piece, String>,
}

impl Scribe {
    /// For a life of a process.
    #[must_use]
    pub fn new(boot: String) -> Self {
        Self { boot, stands: BTreeMap::new(), votes: None, paths: None, brakes: None }
    }

    /// What has to be written for this ballot; `now` is of any clock that goes on evenly.
    pub fn draft(&mut self, ballot: &Ballot, now: Duration) -> Draft {
        self.take_votes(&ballot.votes);
        if self.paths.as_ref().is_none_or(|paths| paths.is_due(&ballot.paths, PATHS_EVERY, now)) {
            let parts = cut(&*ballot.paths, |(endpoint, _)| endpoint, paths_text);
            self.paths = Some(Written { what: Arc::clone(&ballot.paths), parts, more: Vec::new(), since: now });
        }
        if self.brakes.as_ref().is_none_or(|brakes| brakes.is_due(&ballot.brakes, brakes.patience(&ballot.brakes), now))
        {
            self.brakes = Some(Written::of_brakes(&ballot.brakes, now));
        }
        let (votes, paths, brakes) = (self.votes.as_ref(), self.paths.as_ref(), self.brakes.as_ref());
        let (Some(votes), Some(paths), Some(brakes)) = (votes, paths, brakes) else {
            unreachable!("all three were set above")
        };
        let kinds = [&votes.parts, &paths.parts, &brakes.parts, &brakes.more];
        let down = match &brakes.what.out {
            Out::AllBut { down, .. } => Some(*down),
            Out::These(_) => None,
        };
        let named = kinds.map(|parts| Parts(parts.len(), sums(parts.iter().map(|part| part.sum.as_str()))));
        let record = BallotRecord::new(ballot, &self.boot, named, down, votes.changes.clone());
        let all = Kind::ALL.into_iter().zip(kinds);
        let all =
            all.flat_map(|(kind, parts)| parts.iter().enumerate().map(move |(at, part)| (Piece::Part(kind, at), part)));
        let mut draft = Draft { writes: Vec::new(), stands: BTreeMap::new() };
        for (piece, part) in all {
            if self.stands.get(&piece) != Some(&part.sum) {
                draft.writes.push((piece, Some(part.text.clone())));
            }
            draft.stands.insert(piece, part.sum.clone());
        }
        let gone = self.stands.keys().filter(|piece| !draft.stands.contains_key(piece));
        draft.writes.extend(gone.map(|piece| (*piece, None)));
        draft.writes.push((Piece::Record, Some(record.text())));
        draft
    }

    /// All of it was written.
    pub fn written(&mut self, draft: Draft) {
        self.stands = draft.stands;
    }

    /// Some of it may have been written, or none.
    pub fn missed(&mut self, draft: Draft) {
        draft.writes.iter().for_each(|(piece, _)| drop(self.stands.remove(piece)));
    }

    /// Nothing stands any more.
    pub fn forget(&mut self) {
        self.stands.clear();
    }

    fn take_votes(&mut self, newest: &Arc<BTreeMap<Target, Vote>>) {
        if let Some(votes) = &mut self.votes {
            if Arc::ptr_eq(&votes.newest, newest) {
                return;
            }
            let changes = differences(&votes.base, newest);
            if changes.len() <= CHANGES_MAX {
                (votes.changes, votes.newest) = (groups(changes), Arc::clone(newest));
                return;
            }
        }
        let parts = cut(&**newest, |(target, _)| &target.subject.endpoint, votes_text);
        let (base, newest) = (Arc::clone(newest), Arc::clone(newest));
        self.votes = Some(Votes { base, parts, newest, changes: Vec::new() });
    }
}

impl<T: PartialEq> Written<T> {
    fn is_due(&self, newest: &Arc<T>, every: Duration, now: Duration) -> bool {
        every <= now.saturating_sub(self.since) && !Arc::ptr_eq(&self.what, newest) && self.what != *newest
    }
}

impl Written<BrakeState> {
    fn of_brakes(brakes: &Arc<BrakeState>, now: Duration) -> Self {
        let (Out::These(out) | Out::AllBut { held: out, .. }) = &brakes.out;
        Self {
            parts: cut(out, |target| &target.subject.endpoint, out_text),
            more: cut(&brakes.left, |(endpoint, _)| endpoint, left_text),
            what: Arc::clone(brakes),
            since: now,
        }
    }

    fn patience(&self, newest: &BrakeState) -> Duration {
        let small = self.parts.len().max(self.more.len()) <= 1 && newest.left.len() <= PART_TARGETS;
        if small || self.what.frozen != newest.frozen { Duration::ZERO } else { BRAKES_EVERY }
    }
}

/// A sum over the sums of parts.
pub(super) fn sums<'a>(sums: impl Iterator<Item = &'a str>) -> String {
    let all: String = sums.collect();
    if all.is_empty() { all } else { sum(&all)[..32].to_owned() }
}

fn cut<'b, T: Copy>(
    all: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    endpoint: impl Fn(T) -> &'b EndpointId,
    text: impl Fn(Vec<T>) -> String,
) -> Vec<Part> {
    let all = all.into_iter();
    let mut parts: Vec<Vec<T>> = vec![Vec::new(); all.len().div_ceil(PART_TARGETS).min(PARTS_MAX)];
    for one in all {
        let at = place(endpoint(one), parts.len());
        parts[at].push(one);
    }
    let part = |of: Vec<T>| {
        let text = text(of);
        Part { sum: sum(&text), text }
    };
    parts.into_iter().map(part).collect()
}

/// By name and not by position: what is added or removed moves nothing else (FNV-1a).
fn place(endpoint: &EndpointId, parts: usize) -> usize {
    let hash = endpoint
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from(hash % parts as u64).expect("a part's number is smaller than a number of parts")
}

/// What is said otherwise than in the parts; `None` where nothing is said any more.
fn differences<'v>(
    base: &'v BTreeMap<Target, Vote>,
    newest: &'v BTreeMap<Target, Vote>,
) -> Vec<(&'v Target, Option<Vote>)> {
    let mut old = base.iter().peekable();
    let mut found = Vec::new();
    for (target, vote) in newest {
        while let Some((gone, _)) = old.next_if(|(other, _)| *other < target) {
            found.push((gone, None));
        }
        let held = old.next_if(|(other, _)| *other == target);
        if held.is_none_or(|(_, held)| held != vote) {
            found.push((target, Some(*vote)));
        }
    }
    found.extend(old.map(|(gone, _)| (gone, None)));
    found
}
