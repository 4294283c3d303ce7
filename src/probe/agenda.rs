//! Which probe starts next. Pure: the time is an argument, and starting is the runner's.
//!
//! A target either waits, with one due time in one ordered list, or is being probed; so probes of a target never
//! overlap, and a target that goes away is gone from the list at once. Places are never used twice: a result that
//! comes in for a place that is gone is nobody's.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use super::{job::Job, schedule::Ran};
use crate::model::{EndpointId, SubjectId, Target, Tempi, Tempo};

/// A target under one revision of its check; never used again once gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(u64);

/// All targets, each waiting or being probed.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: HashMap<Place, Entry>,
    places: HashMap<Target, Place>,
    due: BTreeSet<(Duration, Place)>,
    tempi: Arc<Tempi>,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    job: Arc<Job>,
    tempo: Tempo,
    state: State,
    last: Option<Ran>,
    /// It asked for fewer requests: never sooner than the interval.
    overasked: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting { due: Duration },
    Running { start: Duration, again: bool },
}

/// A probe to start.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) place: Place,
    pub(super) job: Arc<Job>,
    /// How far behind its due time.
    pub(super) lag: Duration,
}

/// What a new fleet ends.
#[derive(Debug, Default)]
pub(super) struct Gone {
    /// Probes of these places mean nothing any more.
    pub(super) places: Vec<Place>,
    /// No address of these subjects is probed any more.
    pub(super) subjects: BTreeSet<SubjectId>,
}

impl Agenda {
    /// Replaces what is probed. New targets and changed checks begin with a first round; others keep their times, and
    /// follow a changed interval from their next probe on.
    pub(super) fn adopt(&mut self, jobs: Vec<Job>, now: Duration) -> Gone {
        let mut gone = Gone::default();
        let mut old = std::mem::take(&mut self.places);
        let mut fresh = Vec::new();
        for job in jobs {
            match old.remove(&job.target) {
                Some(place) if self.keep(place, &job, now) => {
                    self.places.insert(job.target.clone(), place);
                }
                Some(place) => {
                    self.remove(place);
                    gone.places.push(place);
                    fresh.push(job);
                }
                None => fresh.push(job),
            }
        }
        for (target, place) in old {
            self.remove(place);
            gone.places.push(place);
            gone.subjects.insert(target.subject);
        }
        let crowd = fresh.len();
        for job in fresh {
            self.add(job, crowd, now);
        }
        if !gone.subjects.is_empty() {
            for target in self.places.keys() {
                gone.subjects.remove(&target.subject);
            }
        }
        gone
    }

    /// Targets whose tempo changed are due anew. Only what differs from steady costs anything.
    pub(super) fn set_tempi(&mut self, tempi: Arc<Tempi>, now: Duration) {
        let before = std::mem::replace(&mut self.tempi, Arc::clone(&tempi));
        let calmed = before.keys().filter(|target| !tempi.contains_key(*target)).map(|target| (target, Tempo::Steady));
        for (target, tempo) in tempi.iter().map(|(target, tempo)| (target, *tempo)).chain(calmed) {
            let Some(&place) = self.places.get(target) else { continue };
            if let Some(entry) = self.entries.get_mut(&place)
                && entry.tempo != tempo
            {
                entry.tempo = tempo;
                self.plan_again(place, now);
            }
        }
    }

    /// The earliest due time.
    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Takes the target that has been due longest.
    pub(super) fn start(&mut self, now: Duration) -> Option<Start> {
        let (key, place) = *self.due.first().filter(|(due, _)| *due <= now)?;
        self.due.remove(&(key, place));
        let entry = self.entries.get_mut(&place)?;
        let State::Waiting { due } = entry.state else { return None };
        entry.state = State::Running { start: now, again: false };
        Some(Start { place, job: Arc::clone(&entry.job), lag: now.saturating_sub(due) })
    }

    /// A probe ended; `overasked` if the endpoint asked for fewer. Returns how late the next one is by now, if its
    /// time passed while this one ran; `None` too if the place is gone.
    pub(super) fn finish(&mut self, place: Place, overasked: bool, now: Duration) -> Option<Duration> {
        let entry = self.entries.get_mut(&place)?;
        let State::Running { start, again } = entry.state else { return None };
        entry.last = Some(Ran { start, end: now });
        entry.overasked = overasked;
        let missed = entry.job.rhythm.beat_after(start);
        let was_due = entry.tempo == Tempo::Steady && missed < now;
        let due = if again { now } else { entry.next(now) };
        entry.state = State::Waiting { due };
        self.due.insert((due, place));
        was_due.then(|| now.saturating_sub(missed))
    }

    /// Every target of an endpoint is due now, once more if it is just being probed. Returns their places.
    pub(super) fn hurry(&mut self, endpoint: &EndpointId, now: Duration) -> Vec<Place> {
        let places: Vec<Place> = self
            .places
            .iter()
            .filter(|(target, _)| target.subject.endpoint == *endpoint)
            .map(|(_, place)| *place)
            .collect();
        for place in &places {
            let Some(entry) = self.entries.get_mut(place) else { continue };
            match &mut entry.state {
                State::Waiting { due } => {
                    let before = std::mem::replace(due, (*due).min(now));
                    self.due.remove(&(before, *place));
                    self.due.insert((before.min(now), *place));
                }
                State::Running { again, .. } => *again = true,
            }
        }
        places
    }

    fn keep(&mut self, place: Place, job: &Job, now: Duration) -> bool {
        let Some(entry) = self.entries.get_mut(&place).filter(|entry| entry.job.asks_the_same(job)) else {
            return false;
        };
        let other_times = entry.job.rhythm != job.rhythm;
        entry.job = Arc::new(job.clone());
        if other_times {
            self.plan_again(place, now);
        }
        true
    }

    fn add(&mut self, job: Job, crowd: usize, now: Duration) {
        self.made += 1;
        let place = Place(self.made);
        let due = now.saturating_add(job.rhythm.first(crowd));
        let tempo = self.tempi.get(&job.target).copied().unwrap_or_default();
        self.places.insert(job.target.clone(), place);
        self.due.insert((due, place));
        let state = State::Waiting { due };
        self.entries.insert(place, Entry { job: Arc::new(job), tempo, state, last: None, overasked: false });
    }

    fn remove(&mut self, place: Place) {
        if let Some(Entry { state: State::Waiting { due }, .. }) = self.entries.remove(&place) {
            self.due.remove(&(due, place));
        }
    }

    /// A target that has not been probed yet keeps its first time; one that is being probed is planned at its end.
    fn plan_again(&mut self, place: Place, now: Duration) {
        let Some(entry) = self.entries.get_mut(&place) else { return };
        let State::Waiting { due: before } = entry.state else { return };
        if entry.last.is_none() {
            return;
        }
        let due = entry.next(now).max(now);
        entry.state = State::Waiting { due };
        self.due.remove(&(before, place));
        self.due.insert((due, place));
    }
}

impl Entry {
    fn next(&self, now: Duration) -> Duration {
        let tempo = match self.tempo {
            Tempo::Recheck | Tempo::Undecided if self.overasked => Tempo::Steady,
            Tempo::Steady | Tempo::Recheck | Tempo::Undecided | Tempo::Rested => self.tempo,
        };
        self.last.map_or(now, |last| self.job.rhythm.next(last, tempo))
    }
}

#[cfg(test)]
mod tests;
