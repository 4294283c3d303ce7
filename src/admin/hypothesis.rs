//! What a snapshot would be with one override more or less: for dry runs. Pure, through the same functions as the real
//! thing.

use std::sync::Arc;

use super::{picture::availability_of, views::ChangeView};
use crate::{
    judge::Orders,
    model::{Availability, EndpointIx, Health, LastGood, Override, OverrideId, Snapshot, SubjectIx, Verdict},
    steer::{AnswerChange, AnswerSet, answers, changes},
};

/// With this one in force (in place of one of the same id), though it may begin later.
pub(super) fn with(snapshot: &Snapshot, order: &Override) -> Snapshot {
    let others = snapshot.overrides.iter().filter(|other| other.id != order.id).cloned();
    let mut overrides: Vec<Override> = others.chain([order.clone()]).collect();
    overrides.sort_by(|a, b| a.id.cmp(&b.id));
    under(snapshot, overrides.into())
}

/// Without it.
pub(super) fn without(snapshot: &Snapshot, id: &OverrideId) -> Snapshot {
    under(snapshot, snapshot.overrides.iter().filter(|other| other.id != *id).cloned().collect())
}

fn under(snapshot: &Snapshot, overrides: Arc<[Override]>) -> Snapshot {
    let fleet = &snapshot.fleet;
    let orders = Orders::new(fleet, &overrides);
    let by_endpoint: Vec<Option<(Availability, OverrideId)>> = (0..fleet.endpoints.len())
        .map(|place| orders.availability(EndpointIx::new(place)).and_then(availability_of))
        .collect();
    let verdicts = snapshot.verdicts.iter().enumerate().map(|(slot, verdict)| {
        let verdict = verdict.as_ref()?;
        let subject = SubjectIx::new(slot / 2);
        let order = by_endpoint[fleet.subject(subject).endpoint.index()].clone();
        let frozen = orders.freeze(subject).map(|order| order.id.clone());
        let health = match &order {
            Some((Availability::Up, _)) => Health::Up,
            Some((Availability::Down, _)) => Health::Down,
            Some((Availability::Drain, _)) | None => unordered(verdict, frozen.is_some()),
        };
        Some(Verdict { health, order, frozen, ..verdict.clone() })
    });
    let verdicts = verdicts.collect();
    Snapshot { verdicts, overrides, ..snapshot.clone() }
}

/// What is in force but for orders: what a freeze holds, as far as an order does not hide it, else what is measured.
fn unordered(verdict: &Verdict, stays_frozen: bool) -> Health {
    match verdict.order {
        Some((Availability::Up | Availability::Down, _)) => verdict.measured,
        Some((Availability::Drain, _)) | None if stays_frozen => verdict.health,
        Some((Availability::Drain, _)) | None => verdict.measured,
    }
}

/// The answers that differ, one for each name and type, with how many there are.
pub(super) fn effect(before: &Snapshot, after: &Snapshot, good: &LastGood, limit: usize) -> (Vec<ChangeView>, usize) {
    let changed = changes(&answers(before, good), &answers(after, good));
    let total = changed.iter().map(|change| change.about().names.len()).sum();
    let views = changed.iter().flat_map(|change| {
        let view = ChangeView::from(change);
        let names = change.about().names.iter().map(ToString::to_string);
        names.map(move |name| ChangeView { name, ..view.clone() })
    });
    (views.take(limit).collect(), total)
}

impl From<&AnswerChange> for ChangeView {
    fn from(change: &AnswerChange) -> Self {
        let about = change.about();
        let endpoints = |set: &Option<AnswerSet>| -> Vec<String> {
            let pools = set.iter().flat_map(|set| &set.pools);
            pools.flat_map(|pool| pool.endpoints.iter().map(|(id, _)| id.to_string())).collect()
        };
        let pools = |set: &Option<AnswerSet>| {
            let pools: Vec<&str> = set.iter().flat_map(|set| &set.pools).map(|pool| pool.pool.as_str()).collect();
            if pools.is_empty() { "nothing".to_owned() } else { pools.join(", ") }
        };
        let (from, to) = (endpoints(&change.from), endpoints(&change.to));
        let (pools_from, pools_to) = (pools(&change.from), pools(&change.to));
        let note = match (pools_from == pools_to, from == to) {
            (false, _) => Some(format!("pool {pools_from} -> {pools_to}")),
            (true, true) => Some(format!("weights {} -> {}", weights(&change.from), weights(&change.to))),
            (true, false) => None,
        };
        Self {
            name: String::new(),
            kind: match about.family {
                crate::model::Family::V4 => "A",
                crate::model::Family::V6 => "AAAA",
            }
            .to_owned(),
            service: about.service.clone(),
            from,
            to,
            note,
        }
    }
}

fn weights(set: &Option<AnswerSet>) -> String {
    let pools = set.iter().flat_map(|set| &set.pools);
    let weights = pools.flat_map(|pool| pool.endpoints.iter().map(|(_, weight)| weight.0.to_string()));
    weights.collect::<Vec<_>>().join("/")
}
