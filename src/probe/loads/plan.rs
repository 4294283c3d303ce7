//! What loads are read, and when. Pure: times are lengths since the start.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{field::Field, poll};
use crate::{
    model::{DnsName, Endpoint, EndpointId, Family, Fleet, LoadFeed, NodeId, Tempo},
    probe::schedule::{Ran, Rhythm},
};

/// How often loads are read of endpoints without a check.
const INTERVAL: Duration = Duration::from_secs(10);
/// The longest a reading may take; of a short interval, four fifths.
const DEADLINE_MAX: Duration = Duration::from_secs(3);

/// One load to be read again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) endpoint: EndpointId,
    pub(super) url: String,
    pub(super) field: String,
    /// The field, if it is one.
    pub(super) reading: Option<Field>,
    pub(super) at: At,
    pub(super) deadline: Duration,
    rhythm: Rhythm,
}

/// What stands in the URL for the address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// The endpoint's own: IPv4, or IPv6 if it has no other.
    Address(IpAddr),
    /// Wherever this name is by then.
    Name(DnsName),
    /// The URL does without.
    Unneeded,
}

/// All loads of a fleet, each as often as its endpoint is probed by the most eager of its checks.
pub(super) fn plans(fleet: &Fleet, node: &NodeId) -> Vec<Plan> {
    if fleet.endpoints.iter().all(|endpoint| !matches!(endpoint.load, Some(LoadFeed::Poll { .. }))) {
        return Vec::new();
    }
    let mut intervals: HashMap<usize, Duration> = HashMap::new();
    for subject in &fleet.subjects {
        if let Some(check) = subject.check {
            let interval = fleet.check(check).interval;
            let known = intervals.entry(subject.endpoint.index()).or_insert(interval);
            *known = interval.min(*known);
        }
    }
    let endpoints = fleet.endpoints.iter().enumerate();
    let plan = |(place, endpoint): (usize, &Endpoint)| {
        let Some(LoadFeed::Poll { url, field }) = &endpoint.load else { return None };
        let interval = intervals.get(&place).copied().unwrap_or(INTERVAL);
        Some(Plan {
            endpoint: endpoint.id.clone(),
            at: at(endpoint, url)?,
            url: url.clone(),
            field: field.clone(),
            reading: Field::new(field),
            deadline: DEADLINE_MAX.min(interval * 4 / 5),
            rhythm: Rhythm::of(&format!("{node} load of {}", endpoint.id), interval),
        })
    };
    endpoints.filter_map(plan).collect()
}

fn at(endpoint: &Endpoint, url: &str) -> Option<At> {
    if !url.contains(poll::ADDRESS) {
        return Some(At::Unneeded);
    }
    let own = Family::ALL.into_iter().find_map(|family| endpoint.address(family));
    own.map(At::Address).or_else(|| Some(At::Name(endpoint.target()?.clone())))
}

impl Plan {
    pub(super) fn needs_tls(&self) -> bool {
        self.url.starts_with("https:")
    }
}

/// A plan of one fleet; never used again once gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Number(u64);

/// All plans, each waiting for its time or being carried out.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    entries: HashMap<Number, Entry>,
    numbers: HashMap<EndpointId, Number>,
    due: BTreeSet<(Duration, Number)>,
    made: u64,
}

#[derive(Debug)]
struct Entry {
    plan: Arc<Plan>,
    /// When it waits for its time, that time; else when it began.
    waits: bool,
    at: Duration,
}

impl Timetable {
    /// Replaces the plans; one that stays the same keeps its times.
    pub(super) fn adopt(&mut self, plans: Vec<Plan>, now: Duration) {
        let mut old = std::mem::take(&mut self.numbers);
        let crowd = plans.len();
        for plan in plans {
            let same = old.get(&plan.endpoint).copied().filter(|number| *self.entries[number].plan == plan);
            let number = same.unwrap_or_else(|| {
                self.made += 1;
                let (number, at) = (Number(self.made), now.saturating_add(plan.rhythm.first(crowd)));
                self.due.insert((at, number));
                self.entries.insert(number, Entry { plan: Arc::new(plan.clone()), waits: true, at });
                number
            });
            if same.is_some() {
                old.remove(&plan.endpoint);
            }
            self.numbers.insert(plan.endpoint, number);
        }
        for number in old.into_values() {
            if let Some(entry) = self.entries.remove(&number) {
                self.due.remove(&(entry.at, number));
            }
        }
    }

    pub(super) fn has(&self, endpoint: &EndpointId) -> bool {
        self.numbers.contains_key(endpoint)
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the plan that has been due longest.
    pub(super) fn start(&mut self, now: Duration) -> Option<(Number, Arc<Plan>)> {
        let (at, number) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.remove(&(at, number));
        let entry = self.entries.get_mut(&number)?;
        (entry.waits, entry.at) = (false, now);
        Some((number, Arc::clone(&entry.plan)))
    }

    /// A plan was carried out and waits for its next time; `None` if it is gone.
    pub(super) fn finish(&mut self, number: Number, now: Duration) -> Option<Arc<Plan>> {
        let entry = self.entries.get_mut(&number).filter(|entry| !entry.waits)?;
        let ran = Ran { start: entry.at, end: now };
        (entry.waits, entry.at) = (true, entry.plan.rhythm.next(ran, Tempo::Steady));
        self.due.insert((entry.at, number));
        Some(Arc::clone(&entry.plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(endpoint: &str, url: &str) -> Plan {
        let interval = Duration::from_secs(10);
        Plan {
            endpoint: endpoint.parse().unwrap(),
            url: url.into(),
            field: "load".into(),
            reading: Field::new("load"),
            at: At::Unneeded,
            deadline: DEADLINE_MAX,
            rhythm: Rhythm::of(endpoint, interval),
        }
    }

    #[test]
    fn a_plan_waits_or_runs_and_what_is_gone_counts_for_nothing() {
        let mut timetable = Timetable::default();
        timetable.adopt(vec![plan("a", "http://a/"), plan("b", "http://b/")], Duration::ZERO);
        let soon = Duration::from_secs(10);
        let (first, of_first) = timetable.start(soon).unwrap();
        let (second, of_second) = timetable.start(soon).unwrap();
        assert!(timetable.start(soon).is_none(), "none runs twice at once");
        assert_ne!(of_first.endpoint, of_second.endpoint);
        assert!(timetable.finish(first, soon).is_some());
        assert!(timetable.finish(first, soon).is_none(), "it waits again");
        let next = timetable.next_due().unwrap();
        assert!(soon < next && next <= soon + Duration::from_secs(11), "{next:?}");
        let changed =
            if of_second.endpoint.as_str() == "a" { plan("a", "http://other/") } else { plan("b", "http://other/") };
        timetable.adopt(vec![Plan::clone(&of_first), changed], soon);
        assert_eq!(timetable.next_due().unwrap().min(next), timetable.next_due().unwrap());
        assert!(timetable.finish(second, soon).is_none(), "it was replaced while it ran");
        timetable.adopt(vec![], soon);
        assert_eq!((timetable.next_due(), timetable.entries.len()), (None, 0));
    }
}
