//! Puts a ballot together from what was read of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::model::{Ballot, BrakeState, EndpointId, NodeId, Target, Vote};

use super::{
    super::{records::RecordError, sum},
    CHANGES_MAX, Kind, PARTS_MAX, Piece,
    record::{BallotRecord, Group, Parts, brakes, read_left, read_out, read_paths, read_votes},
    scribe::sums,
};

/// What was read of one node's ballot. Bounded by [`PARTS_MAX`] of each kind.
#[derive(Debug, Default)]
pub struct Reading {
    record: Option<BallotRecord>,
    parts: BTreeMap<(Kind, usize), Heap>,
    made: Made,
}

/// A part as it came.
#[derive(Debug)]
struct Heap {
    text: String,
    sum: String,
}

/// What was put together last, with what it was made from: the same again is shared.
#[derive(Debug, Default)]
struct Made {
    base: (Parts, Arc<BTreeMap<Target, Vote>>),
    votes: (Vec<Group>, Arc<BTreeMap<Target, Vote>>),
    paths: (Parts, Arc<BTreeMap<EndpointId, u32>>),
    brakes: (Parts, Parts, Arc<BrakeState>),
}

impl Reading {
    /// Takes a piece in, or that it is gone. A record that cannot be read, or that speaks for another node, leaves what was
    /// known as it was: it ages.
    pub fn take(&mut self, node: &NodeId, piece: Piece, text: Option<&str>) {
        match (piece, text) {
            (Piece::Record, None) => self.record = None,
            (Piece::Record, Some(text)) => {
                let record = BallotRecord::parse(text).ok().filter(|record| record.node == *node);
                self.record = record.or_else(|| self.record.take());
            }
            (Piece::Part(kind, at), Some(text)) if at < PARTS_MAX => {
                self.parts.insert((kind, at), Heap { sum: sum(text), text: text.into() });
            }
            (Piece::Part(..), Some(_)) => {}
            (Piece::Part(kind, at), None) => drop(self.parts.remove(&(kind, at))),
        }
    }

    /// Whether there is nothing of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.record.is_none() && self.parts.is_empty()
    }

    /// The sequence of the record, whether it is complete or not.
    #[must_use]
    pub fn sequence(&self) -> Option<u64> {
        self.record.as_ref().map(|record| record.sequence)
    }

    /// The ballot, if all its parts are there and can be read.
    pub fn complete(&mut self) -> Option<Ballot> {
        let Self { record, parts, made } = self;
        let record = record.as_ref()?;
        let texts = |kind: Kind| -> Option<Vec<&str>> {
            let Parts(count, expected) = record.parts(kind);
            let all = (0..(*count).min(PARTS_MAX + 1)).map(|at| parts.get(&(kind, at)));
            let all: Vec<&Heap> = all.collect::<Option<_>>()?;
            (sums(all.iter().map(|part| part.sum.as_str())) == *expected)
                .then(|| all.into_iter().map(|part| part.text.as_str()).collect())
        };
        made.update(record, texts)?.ok()?;
        let (votes, paths) = (Arc::clone(&made.votes.1), Arc::clone(&made.paths.1));
        Some(Ballot { votes, paths, brakes: Arc::clone(&made.brakes.2), ..record.outline() })
    }
}

impl Made {
    /// Makes anew what is made from something else than before; nothing if parts are missing.
    fn update<'t>(
        &mut self,
        record: &BallotRecord,
        texts: impl Fn(Kind) -> Option<Vec<&'t str>>,
    ) -> Option<Result<(), RecordError>> {
        let of = |kind| record.parts(kind).clone();
        let all = Kind::ALL.map(&texts);
        let [Some(votes), Some(paths), Some(out), Some(left)] = all else { return None };
        Some((|| {
            let base = of(Kind::Votes);
            let same = self.base.0 == base;
            if !same {
                let mut all = BTreeMap::new();
                votes.into_iter().try_for_each(|text| read_votes(text, &mut all))?;
                self.base = (base, Arc::new(all));
            }
            if !same || self.votes.0 != record.changes {
                let mut all = Arc::clone(&self.base.1);
                for group in record.changes.iter().take(CHANGES_MAX) {
                    group.apply(Arc::make_mut(&mut all))?;
                }
                self.votes = (record.changes.clone(), all);
            }
            if self.paths.0 != of(Kind::Paths) {
                let mut all = BTreeMap::new();
                paths.into_iter().try_for_each(|text| read_paths(text, &mut all))?;
                self.paths = (of(Kind::Paths), Arc::new(all));
            }
            let key = (of(Kind::Out), of(Kind::Left));
            let held = &self.brakes.2;
            let down = match &held.out {
                crate::model::Out::AllBut { down, .. } => Some(*down),
                crate::model::Out::These(_) => None,
            };
            if (&self.brakes.0, &self.brakes.1) != (&key.0, &key.1)
                || held.frozen != record.frozen
                || down != record.down
            {
                let (mut told, mut gone) = (BTreeSet::new(), BTreeMap::new());
                out.into_iter().try_for_each(|text| read_out(text, &mut told))?;
                left.into_iter().try_for_each(|text| read_left(text, &mut gone))?;
                let state = brakes(record.frozen, record.down, told, gone);
                self.brakes = (key.0, key.1, Arc::new(state));
            }
            Ok(())
        })())
    }
}
