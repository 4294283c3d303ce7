//! Wishes to probe an endpoint now, until all its targets have answered.

use std::collections::HashSet;

use tokio::sync::oneshot;

use super::agenda::Place;
use crate::model::Observation;

/// Most wishes that wait at once; at the limit a new one is dropped unanswered.
pub(super) const ASKS_MAX: usize = 64;

/// The wishes that wait.
#[derive(Debug, Default)]
pub(super) struct Asks {
    waiting: Vec<Ask>,
}

#[derive(Debug)]
struct Ask {
    reply: oneshot::Sender<Vec<Observation>>,
    /// Not started since the wish came: what ran before does not answer it.
    wanted: HashSet<Place>,
    started: HashSet<Place>,
    results: Vec<Observation>,
}

impl Asks {
    /// Whether another wish can be taken. Those whose asker has gone make room.
    pub(super) fn has_room(&mut self) -> bool {
        self.waiting.retain(|ask| !ask.reply.is_closed());
        self.waiting.len() < ASKS_MAX
    }

    /// A wish for one result of each of these places.
    pub(super) fn add(&mut self, places: Vec<Place>, reply: oneshot::Sender<Vec<Observation>>) {
        let wanted = places.into_iter().collect();
        self.waiting.push(Ask { reply, wanted, started: HashSet::new(), results: Vec::new() });
        self.answer_ready();
    }

    /// A probe starts.
    pub(super) fn start(&mut self, place: Place) {
        for ask in &mut self.waiting {
            if ask.wanted.remove(&place) {
                ask.started.insert(place);
            }
        }
    }

    /// A probe ended, with a result unless it was lost.
    pub(super) fn finish(&mut self, place: Place, result: Option<&Observation>) {
        for ask in &mut self.waiting {
            if ask.started.remove(&place) {
                ask.results.extend(result.cloned());
            }
        }
        self.answer_ready();
    }

    /// These places are gone and answer nothing any more.
    pub(super) fn forget(&mut self, places: &[Place]) {
        for ask in &mut self.waiting {
            for place in places {
                ask.wanted.remove(place);
                ask.started.remove(place);
            }
        }
        self.answer_ready();
    }

    fn answer_ready(&mut self) {
        for ask in self.waiting.extract_if(.., |ask| ask.wanted.is_empty() && ask.started.is_empty()) {
            // The asker may have gone; then nobody misses the answer.
            let _ = ask.reply.send(ask.results);
        }
    }
}
