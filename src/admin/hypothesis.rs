//! What an order would do to the answers, name by name: for dry runs. The worlds that are not are made in
//! [`hypothesis`](crate::steer::outlook::hypothesis), as for plans and simulations.

use std::sync::Arc;

use super::views::{ChangeView, kind};
use crate::{
    model::{LastGood, Snapshot},
    steer::{
        AnswerTable, compile,
        outlook::{Difference, Sight, Viewpoint, differences},
    },
};

/// The answers that differ, one for each name, type and kind of client, with how many there are.
pub(super) fn effect(before: &AnswerTable, after: Snapshot, limit: usize) -> (Vec<ChangeView>, usize) {
    let after = compile(&Arc::new(after), Some(before), &LastGood::new());
    let changed = differences(before, &after);
    let total = changed.iter().map(|change| change.names.len()).sum();
    let views = changed.iter().flat_map(|change| {
        let view = ChangeView::from(change);
        change.names.iter().map(move |name| ChangeView { name: name.to_string(), ..view.clone() })
    });
    (views.take(limit).collect(), total)
}

impl From<&Difference> for ChangeView {
    fn from(change: &Difference) -> Self {
        let endpoints = |sight: &Option<Sight>| -> Vec<String> {
            sight.iter().flat_map(Sight::endpoints).map(|(_, one)| one.endpoint.to_string()).collect()
        };
        let (from, to) = (endpoints(&change.from), endpoints(&change.to));
        let (pools_from, pools_to) = (pools(&change.from), pools(&change.to));
        let basis = |sight: &Option<Sight>| sight.as_ref().map(|sight| sight.basis);
        let note = match (pools_from == pools_to, from == to, shares(&change.from) == shares(&change.to)) {
            (false, ..) => Some(format!("pool {pools_from} -> {pools_to}")),
            (true, true, false) => Some(format!("weights {} -> {}", shares(&change.from), shares(&change.to))),
            (true, true, true) => match (basis(&change.from), basis(&change.to)) {
                (Some(from), Some(to)) => Some(format!("{} -> {}", from.word(), to.word())),
                (Some(_), None) | (None, Some(_)) | (None, None) => None,
            },
            (true, false, _) => None,
        };
        let clients =
            if change.everyone { Vec::new() } else { change.clients.iter().map(Viewpoint::to_string).collect() };
        let (service, kind) = (change.service.clone(), kind(change.family).to_owned());
        Self { name: String::new(), kind, service, clients, from, to, note }
    }
}

fn pools(sight: &Option<Sight>) -> String {
    let pools: Vec<&str> = sight.iter().flat_map(|sight| &sight.pools).map(|pool| pool.pool.as_str()).collect();
    if pools.is_empty() { "nothing".to_owned() } else { pools.join(", ") }
}

/// Shares as people know them from the configuration: `70/30`.
fn shares(sight: &Option<Sight>) -> String {
    let pools = sight.iter().flat_map(|sight| &sight.pools);
    let shares = pools.flat_map(|pool| pool.endpoints.iter().map(|one| (one.share / 10).to_string()));
    shares.collect::<Vec<_>>().join("/")
}
