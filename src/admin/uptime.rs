//! How long what was down: recorded transitions, gathered by endpoint and joined for pools, services, providers and
//! regions.

use std::collections::{BTreeMap, HashMap};

use crate::{
    judge::availability::timeline::{Downtime, Uptime},
    model::{
        EndpointId, EndpointIx, Family, Fleet, Health, ProviderId, RegionId, ServiceIx, Snapshot, SubjectIx, Wall,
    },
    store::{
        StoreError,
        journal::{Journal, TRANSITIONS_MAX, Transition, TransitionFilter},
    },
};

/// Most transitions that one answer is computed from; beyond it the window begins later, and the answer says so.
const GATHERED_MAX: usize = 200_000;
/// A transition of this cause is a person's doing: maintenance, and no outage.
const ORDERED: &str = "override";

/// What was down in a window.
pub(super) struct Downtimes {
    /// From when on it is known.
    pub(super) from: Wall,
    /// Until when.
    pub(super) to: Wall,
    endpoints: Vec<Downtime>,
}

/// The transitions of a window, oldest first; with the time from which on they are whole.
pub(super) async fn gather(journal: &Journal, from: Wall, to: Wall) -> Result<(Wall, Vec<Transition>), StoreError> {
    let mut found: Vec<Transition> = Vec::new();
    let mut since = from;
    loop {
        let filter = TransitionFilter { since: Some(since), until: Some(to), limit: TRANSITIONS_MAX, endpoint: None };
        let page = journal.transitions(filter).await?;
        let whole = page.len() < TRANSITIONS_MAX;
        let newest = found.last().map_or(0, |last| last.seq);
        let news: Vec<Transition> = page.into_iter().filter(|one| newest < one.seq).collect();
        let stuck = news.is_empty();
        since = news.last().map_or(since, |last| last.at);
        found.extend(news);
        if whole || stuck {
            return Ok((from, found));
        }
        if GATHERED_MAX <= found.len() {
            // The newest matter most: what is older is left out and said.
            found.drain(..found.len() - GATHERED_MAX);
            let begins = found.first().map_or(from, |first| first.at);
            return Ok((begins, found));
        }
    }
}

impl Downtimes {
    /// From the transitions of a window and the picture at its end.
    pub(super) fn of(snapshot: &Snapshot, transitions: &[Transition], from: Wall, to: Wall) -> Self {
        let fleet = &snapshot.fleet;
        let mut by_target: HashMap<(EndpointIx, Option<SubjectIx>, Family), Vec<&Transition>> = HashMap::new();
        let places: HashMap<&EndpointId, EndpointIx> =
            fleet.endpoints.iter().enumerate().map(|(ix, endpoint)| (&endpoint.id, EndpointIx::new(ix))).collect();
        for one in transitions {
            let Some(endpoint) = places.get(&one.endpoint) else { continue };
            let subject = one.subject.as_ref().and_then(|subject| fleet.find_subject(subject));
            by_target.entry((*endpoint, subject, one.family)).or_default().push(one);
        }
        let mut endpoints: Vec<Vec<Downtime>> = vec![Vec::new(); fleet.endpoints.len()];
        for (place, subject) in fleet.subjects.iter().enumerate() {
            let ix = SubjectIx::new(place);
            for family in Family::ALL {
                let Some(verdict) = snapshot.verdict(ix, family) else { continue };
                let subject_ix = subject.check.map(|_| ix);
                let changes = by_target.remove(&(subject.endpoint, subject_ix, family)).unwrap_or_default();
                // Of a change by order only the way back counts: what was down by order was not out.
                let down = |one: &Transition| one.to == Health::Down && one.cause != ORDERED;
                let before = match changes.first() {
                    Some(first) => first.from == Health::Down && first.cause != ORDERED,
                    None => verdict.health == Health::Down && verdict.order.is_none(),
                };
                let changes = changes.iter().map(|one| (one.at.0, down(one)));
                endpoints[subject.endpoint.index()].push(Downtime::of(changes, before, from.0, to.0));
            }
        }
        Self { from, to, endpoints: endpoints.iter().map(Downtime::any).collect() }
    }

    fn uptime(&self, of: &Downtime) -> Uptime {
        of.uptime(self.from.0, self.to.0)
    }

    /// An endpoint is down while any of its addresses is, under any of its checks.
    pub(super) fn endpoint(&self, ix: EndpointIx) -> Uptime {
        self.uptime(&self.endpoints[ix.index()])
    }

    /// Several are out while all of them are down.
    pub(super) fn together(&self, of: impl IntoIterator<Item = EndpointIx>) -> Uptime {
        self.uptime(&Downtime::all(of.into_iter().map(|ix| &self.endpoints[ix.index()])))
    }

    /// The mean over some.
    pub(super) fn mean(&self, of: impl IntoIterator<Item = EndpointIx>) -> f64 {
        let shares: Vec<f64> = of.into_iter().map(|ix| self.endpoint(ix).share).collect();
        if shares.is_empty() { 1.0 } else { shares.iter().sum::<f64>() / shares.len() as f64 }
    }
}

/// The endpoints of a service's pools, the last resort left out, each once, in order.
pub(super) fn members(fleet: &Fleet, service: ServiceIx) -> Vec<EndpointIx> {
    let about = fleet.service(service);
    let arms = about.arms.iter().chain(about.rules.iter().flat_map(|rule| &rule.arms));
    let mut found: Vec<EndpointIx> =
        arms.flat_map(|arm| fleet.pool(arm.pool).members.iter().map(|member| member.endpoint)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// By provider.
pub(super) fn by_provider(fleet: &Fleet) -> BTreeMap<ProviderId, Vec<EndpointIx>> {
    let mut groups: BTreeMap<ProviderId, Vec<EndpointIx>> = BTreeMap::new();
    for (ix, endpoint) in fleet.endpoints.iter().enumerate() {
        groups.entry(endpoint.provider.clone()).or_default().push(EndpointIx::new(ix));
    }
    groups
}

/// By region.
pub(super) fn by_region(fleet: &Fleet, of: &[EndpointIx]) -> BTreeMap<RegionId, Vec<EndpointIx>> {
    let mut groups: BTreeMap<RegionId, Vec<EndpointIx>> = BTreeMap::new();
    for ix in of {
        groups.entry(fleet.endpoint(*ix).region.clone()).or_default().push(*ix);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{PoolAnswer, Steer},
        steer::sample::World,
    };

    #[test]
    fn what_is_down_counts_and_what_is_ordered_down_does_not() {
        let mut world = World::new()
            .endpoint("aws-a", "192.0.2.1")
            .endpoint("gcp-b", "192.0.2.2")
            .endpoint("gcp-c", "192.0.2.3")
            .pool("one", PoolAnswer::All, &[("aws-a", 1), ("gcp-b", 1)])
            .pool("two", PoolAnswer::All, &[("gcp-c", 1)])
            .service("www", Steer::Failover, &[("one", 1), ("two", 1)]);
        world.measure("gcp-c", Health::Down);
        let snapshot = world.snapshot();
        let change = |seq, at, endpoint: &str, to: Health, cause: &str| Transition {
            seq,
            at: Wall(at),
            generation: seq,
            endpoint: endpoint.parse().unwrap(),
            subject: None,
            family: Family::V4,
            from: if to == Health::Down { Health::Up } else { Health::Down },
            to,
            cause: cause.into(),
        };
        let list = [
            change(1, 1_100, "aws-a", Health::Down, "voted"),
            change(2, 1_200, "gcp-b", Health::Down, "voted"),
            change(3, 1_300, "aws-a", Health::Up, "voted"),
            change(4, 1_400, "gcp-b", Health::Up, "voted"),
            change(5, 1_500, "aws-a", Health::Down, ORDERED),
            change(6, 1_900, "aws-a", Health::Up, ORDERED),
            change(7, 1_950, "gone", Health::Down, "voted"),
        ];
        let seen = Downtimes::of(&snapshot, &list, Wall(1_000), Wall(2_000));
        let place = |id: &str| snapshot.fleet.find_endpoint(id).unwrap();
        assert_eq!((seen.endpoint(place("aws-a")).down_ms, seen.endpoint(place("aws-a")).outages), (200, 1));
        assert_eq!(seen.endpoint(place("gcp-c")).share, 0.0, "down all the time, without a change");
        assert_eq!(seen.together([place("aws-a"), place("gcp-b")]).down_ms, 100, "both at once");
        let www = snapshot.fleet.find_service(&"www".parse().unwrap()).unwrap();
        assert_eq!(members(&snapshot.fleet, www).len(), 3);
        assert_eq!(by_provider(&snapshot.fleet).len(), 2);
        assert!((seen.mean([place("aws-a"), place("gcp-c")]) - 0.4).abs() < 1e-9);
    }
}
