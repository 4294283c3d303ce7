//! The fleet: all that a configuration says about what exists, with references resolved.
//!
//! Why positions: deciding and compiling walk these lists for every change. A position is only handed out by the
//! fleet it belongs to; whatever outlives a reload (votes, overrides, results) goes by id.

use std::{collections::HashMap, sync::Arc};

use super::{
    Arm, Check, CheckId, CheckIx, Digest, DnsName, Endpoint, EndpointId, EndpointIx, Family, Member, Pool, PoolId,
    PoolIx, Provider, ProviderId, Region, RegionId, Safety, Selector, Service, ServiceId, ServiceIx, SubjectId,
    SubjectIx, Target, VerdictPolicy, Zone, name_is_within, name_parent,
};

/// What is judged: an endpoint under a check, or without one (always up, shown as unchecked).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// Its check in this use.
    pub check: Option<CheckIx>,
}

/// What exists.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// Over everything in here: equal digests, equal fleets.
    pub digest: Digest,
    /// Zones, no apex twice.
    pub zones: Vec<Zone>,
    /// Providers, by id.
    pub providers: Vec<Provider>,
    /// Regions, by id.
    pub regions: Vec<Region>,
    /// Checks.
    pub checks: Vec<Check>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Pools.
    pub pools: Vec<Pool>,
    /// Services.
    pub services: Vec<Service>,
    /// Subjects, none twice; every endpoint has at least one.
    pub subjects: Vec<Subject>,
    /// How votes count.
    pub verdict: VerdictPolicy,
    /// The brakes.
    pub safety: Safety,
    index: Index,
}

#[derive(Debug, Clone, Default)]
struct Index {
    endpoints: HashMap<EndpointId, EndpointIx>,
    checks: HashMap<CheckId, CheckIx>,
    pools: HashMap<PoolId, PoolIx>,
    services: HashMap<ServiceId, ServiceIx>,
    subjects: HashMap<Subject, SubjectIx>,
}

/// The parts of a fleet before subjects are resolved.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Zones.
    pub zones: Vec<Zone>,
    /// Providers.
    pub providers: Vec<Provider>,
    /// Regions.
    pub regions: Vec<Region>,
    /// Checks.
    pub checks: Vec<Check>,
    /// Endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Pools; positions refer to the lists in here.
    pub pools: Vec<Pool>,
    /// Services; the `subjects` of their arms are filled in by [`Fleet::assemble`] and may be empty before.
    pub services: Vec<Service>,
    /// The check of whatever names none.
    pub default_check: Option<CheckIx>,
    /// How votes count.
    pub verdict: VerdictPolicy,
    /// The brakes.
    pub safety: Safety,
}

/// Parts that do not fit together. The configuration finds all of these with their place first; this is the model's
/// own guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// Two things of one kind and id.
    #[error("there are two {kind} called `{id}`")]
    Twice {
        /// The kind, in the plural.
        kind: &'static str,
        /// The id.
        id: String,
    },
    /// A position beyond its list.
    #[error("{owner} points at a {kind} that does not exist")]
    Dangling {
        /// What points.
        owner: String,
        /// At what kind of thing.
        kind: &'static str,
    },
    /// A list that must not be empty is.
    #[error("{0} is empty")]
    Empty(String),
    /// A steered name outside every zone.
    #[error("the name {0} of service {1} lies in none of the zones")]
    NoZone(DnsName, ServiceId),
    /// Two services answer for one name.
    #[error("the name {0} belongs to two services, {1} and {2}")]
    NameTwice(DnsName, ServiceId, ServiceId),
}

impl Fleet {
    /// Resolves checks nearest-first (endpoint, pool, service, default) into subjects and indexes ids.
    ///
    /// # Errors
    /// The first inconsistency as [`FleetError`].
    pub fn assemble(parts: Parts) -> Result<Arc<Self>, FleetError> {
        let digest = super::digest::of_parts(&parts);
        let Parts { zones, providers, regions, checks, endpoints, pools, mut services, default_check, verdict, safety } =
            parts;
        let index = Index {
            endpoints: ids("endpoints", &endpoints, |e| &e.id, EndpointIx::new)?,
            checks: ids("checks", &checks, |c| &c.id, CheckIx::new)?,
            pools: ids("pools", &pools, |p| &p.id, PoolIx::new)?,
            services: ids("services", &services, |s| &s.id, ServiceIx::new)?,
            subjects: HashMap::new(),
        };
        let apexes = ids("zones", &zones, |z| &z.apex, |_| ())?;
        ids("providers", &providers, |p| &p.id, |_| ())?;
        ids("regions", &regions, |r| &r.id, |_| ())?;
        for pool in &pools {
            if pool.members.is_empty() {
                return Err(FleetError::Empty(format!("pool {}", pool.id)));
            }
            if pool.members.iter().any(|m| m.endpoint.index() >= endpoints.len()) {
                return Err(FleetError::Dangling { owner: format!("pool {}", pool.id), kind: "endpoint" });
            }
        }
        let known = |check: Option<CheckIx>| check.is_none_or(|check| check.index() < checks.len());
        let mut subjects = Subjects { list: Vec::new(), places: HashMap::new() };
        named(&services, &apexes)?;
        for service in &mut services {
            let of_rules = service.rules.iter_mut().flat_map(|rule| rule.arms.iter_mut());
            for arm in service.arms.iter_mut().chain(of_rules).chain(&mut service.last_resort) {
                let Some(pool) = pools.get(arm.pool.index()) else {
                    return Err(FleetError::Dangling { owner: format!("service {}", service.id), kind: "pool" });
                };
                let subject = |member: &Member| Subject {
                    endpoint: member.endpoint,
                    check: endpoints[member.endpoint.index()].check.or(pool.check).or(service.check).or(default_check),
                };
                arm.subjects = pool.members.iter().map(|member| subjects.place(subject(member))).collect();
            }
        }
        let mut used = vec![false; endpoints.len()];
        for subject in &subjects.list {
            used[subject.endpoint.index()] = true;
        }
        for (place, endpoint) in endpoints.iter().enumerate().filter(|(place, _)| !used[*place]) {
            subjects.place(Subject { endpoint: EndpointIx::new(place), check: endpoint.check.or(default_check) });
        }
        if let Some(stray) = subjects.list.iter().find(|subject| !known(subject.check)) {
            let owner = format!("endpoint {}", endpoints[stray.endpoint.index()].id);
            return Err(FleetError::Dangling { owner, kind: "check" });
        }
        let Subjects { list: subjects, places } = subjects;
        let index = Index { subjects: places, ..index };
        Ok(Arc::new(Self {
            digest,
            zones,
            providers,
            regions,
            checks,
            endpoints,
            pools,
            services,
            subjects,
            verdict,
            safety,
            index,
        }))
    }

    /// A fleet in which nothing exists.
    #[must_use]
    pub fn empty() -> Arc<Self> {
        Self::assemble(Parts::default()).expect("nothing contradicts nothing")
    }

    /// The endpoint at a place.
    #[must_use]
    pub fn endpoint(&self, ix: EndpointIx) -> &Endpoint {
        &self.endpoints[ix.index()]
    }

    /// The pool at a place.
    #[must_use]
    pub fn pool(&self, ix: PoolIx) -> &Pool {
        &self.pools[ix.index()]
    }

    /// The service at a place.
    #[must_use]
    pub fn service(&self, ix: ServiceIx) -> &Service {
        &self.services[ix.index()]
    }

    /// The check at a place.
    #[must_use]
    pub fn check(&self, ix: CheckIx) -> &Check {
        &self.checks[ix.index()]
    }

    /// The subject at a place.
    #[must_use]
    pub fn subject(&self, ix: SubjectIx) -> Subject {
        self.subjects[ix.index()]
    }

    /// Where an endpoint stands, by id or alias.
    #[must_use]
    pub fn find_endpoint(&self, id: &str) -> Option<EndpointIx> {
        let by_id = id.parse::<EndpointId>().ok().and_then(|id| self.index.endpoints.get(&id).copied());
        by_id.or_else(|| self.endpoints.iter().position(|e| e.alias.as_deref() == Some(id)).map(EndpointIx::new))
    }

    /// Whether there is an endpoint of this id.
    #[must_use]
    pub fn has_endpoint(&self, id: &EndpointId) -> bool {
        self.index.endpoints.contains_key(id)
    }

    /// Where a pool stands.
    #[must_use]
    pub fn find_pool(&self, id: &PoolId) -> Option<PoolIx> {
        self.index.pools.get(id).copied()
    }

    /// Where a service stands.
    #[must_use]
    pub fn find_service(&self, id: &ServiceId) -> Option<ServiceIx> {
        self.index.services.get(id).copied()
    }

    /// Where a check stands.
    #[must_use]
    pub fn find_check(&self, id: &CheckId) -> Option<CheckIx> {
        self.index.checks.get(id).copied()
    }

    /// Where the subject of these ids stands, if the fleet has it.
    #[must_use]
    pub fn find_subject(&self, id: &SubjectId) -> Option<SubjectIx> {
        let endpoint = *self.index.endpoints.get(&id.endpoint)?;
        let check = *self.index.checks.get(&id.check)?;
        self.index.subjects.get(&Subject { endpoint, check: Some(check) }).copied()
    }

    /// A provider by id.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == *id)
    }

    /// A region by id.
    #[must_use]
    pub fn region(&self, id: &RegionId) -> Option<&Region> {
        self.regions.iter().find(|region| region.id == *id)
    }

    /// The ids of a subject; `None` for one without a check, because it is never probed.
    #[must_use]
    pub fn subject_id(&self, ix: SubjectIx) -> Option<SubjectId> {
        let subject = self.subject(ix);
        let check = self.check(subject.check?).id.clone();
        Some(SubjectId { endpoint: self.endpoint(subject.endpoint).id.clone(), check })
    }

    /// All that is probed: each address of each subject that has a check.
    pub fn targets(&self) -> impl Iterator<Item = (SubjectIx, Target)> + '_ {
        (0..self.subjects.len()).map(SubjectIx::new).flat_map(move |ix| {
            let endpoint = self.endpoint(self.subject(ix).endpoint);
            let subject = self.subject_id(ix);
            Family::ALL
                .into_iter()
                .filter(move |family| endpoint.is_judged(*family))
                .filter_map(move |family| Some((ix, Target { subject: subject.clone()?, family })))
        })
    }

    /// Every service with its place.
    pub fn services(&self) -> impl Iterator<Item = (ServiceIx, &Service)> {
        self.services.iter().enumerate().map(|(place, service)| (ServiceIx::new(place), service))
    }

    /// A service's arms, those of its rules behind them, and its last resort. A pool may stand there more than once.
    pub fn arms<'f>(&'f self, service: &'f Service) -> impl Iterator<Item = &'f Arm> {
        service.arms.iter().chain(service.rules.iter().flat_map(|rule| &rule.arms)).chain(&service.last_resort)
    }

    /// Whether a selector of an endpoint-wide scope (endpoint, label, region, provider, all) takes in an endpoint.
    /// Selectors of pools and services take in memberships and never match here.
    #[must_use]
    pub fn covers(&self, selector: &Selector, endpoint: EndpointIx) -> bool {
        let endpoint = self.endpoint(endpoint);
        match selector {
            Selector::All => true,
            Selector::Endpoint(glob) => {
                glob.fits(endpoint.id.as_str()) || endpoint.alias.as_deref().is_some_and(|alias| glob.fits(alias))
            }
            Selector::Label(key, glob) => endpoint.labels.get(key).is_some_and(|value| glob.fits(value)),
            Selector::Region(glob) => glob.fits(endpoint.region.as_str()),
            Selector::Provider(glob) => glob.fits(endpoint.provider.as_str()),
            Selector::Pool(_) | Selector::Service(_) => false,
        }
    }
}

/// That every service has pools and names, and that each name is one service's and lies in a zone.
fn named(services: &[Service], apexes: &HashMap<DnsName, ()>) -> Result<(), FleetError> {
    let count = services.iter().map(|service| service.names.len()).sum();
    let mut names: HashMap<&DnsName, &ServiceId> = HashMap::with_capacity(count);
    // Neighbours mostly lie in one zone.
    let mut last: Option<&[u8]> = None;
    for service in services {
        if service.arms.is_empty() || service.names.is_empty() || service.rules.iter().any(|rule| rule.arms.is_empty())
        {
            return Err(FleetError::Empty(format!("service {}", service.id)));
        }
        for name in &service.names {
            if !last.is_some_and(|apex| name_is_within(name.wire(), apex)) {
                let mut above = std::iter::successors(Some(name.wire()), |name| name_parent(name));
                last = above.find(|at| apexes.contains_key(*at));
                if last.is_none() {
                    return Err(FleetError::NoZone(name.clone(), service.id.clone()));
                }
            }
            if let Some(other) = names.insert(name, &service.id) {
                return Err(FleetError::NameTwice(name.clone(), other.clone(), service.id.clone()));
            }
        }
    }
    Ok(())
}

struct Subjects {
    list: Vec<Subject>,
    places: HashMap<Subject, SubjectIx>,
}

impl Subjects {
    fn place(&mut self, subject: Subject) -> SubjectIx {
        *self.places.entry(subject).or_insert_with(|| {
            self.list.push(subject);
            SubjectIx::new(self.list.len() - 1)
        })
    }
}

fn ids<T, Id, Ix>(
    kind: &'static str,
    list: &[T],
    id: impl Fn(&T) -> &Id,
    ix: impl Fn(usize) -> Ix,
) -> Result<HashMap<Id, Ix>, FleetError>
where
    Id: Clone + Eq + std::hash::Hash + std::fmt::Display,
{
    let mut places = HashMap::with_capacity(list.len());
    for (place, thing) in list.iter().enumerate() {
        if places.insert(id(thing).clone(), ix(place)).is_some() {
            return Err(FleetError::Twice { kind, id: id(thing).to_string() });
        }
    }
    Ok(places)
}
