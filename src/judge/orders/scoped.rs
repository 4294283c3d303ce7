//! One lane's overrides, by what they point at.
//!
//! Globs are resolved when the index is built, against the distinct regions, providers and labels and not against each
//! endpoint, so that asking is look-ups only.

use std::collections::{HashMap, HashSet};

use crate::model::{EndpointIx, Fleet, Glob, Override, PoolIx, Selector, ServiceIx};

/// What of several overrides of one scope counts.
pub(super) trait Governs<'s>: Copy + Default {
    /// Takes one in.
    fn add(&mut self, order: &'s Override);
    /// Takes in those of another selector of the same scope.
    fn absorb(&mut self, other: Self);
}

/// By scope and then by thing.
#[derive(Debug)]
pub(super) struct Scoped<'s, T> {
    endpoints: HashMap<EndpointIx, T>,
    pools: HashMap<PoolIx, T>,
    services: HashMap<ServiceIx, T>,
    labels: HashMap<&'s str, HashMap<&'s str, T>>,
    regions: HashMap<&'s str, T>,
    providers: HashMap<&'s str, T>,
    all: Option<T>,
}

impl<'s, T: Governs<'s>> Scoped<'s, T> {
    pub(super) fn new(fleet: &'s Fleet, orders: impl Iterator<Item = &'s Override>) -> Self {
        let mut scoped = Self {
            endpoints: HashMap::new(),
            pools: HashMap::new(),
            services: HashMap::new(),
            labels: HashMap::new(),
            regions: HashMap::new(),
            providers: HashMap::new(),
            all: None,
        };
        let mut things = Things::default();
        for order in orders {
            scoped.add(fleet, &mut things, order);
        }
        scoped
    }

    fn add(&mut self, fleet: &'s Fleet, things: &mut Things<'s>, order: &'s Override) {
        match &order.target {
            Selector::All => self.all.get_or_insert_default().add(order),
            Selector::Endpoint(glob) if glob.is_exact() => {
                let named = things.endpoints(fleet).get(glob.as_str()).into_iter().flatten();
                named.for_each(|ix| self.endpoints.entry(*ix).or_default().add(order));
            }
            Selector::Endpoint(_) => (0..fleet.endpoints.len())
                .map(EndpointIx::new)
                .filter(|ix| fleet.covers(&order.target, *ix))
                .for_each(|ix| self.endpoints.entry(ix).or_default().add(order)),
            Selector::Pool(glob) => fitting(glob, fleet.pools.iter().map(|pool| pool.id.as_str()))
                .for_each(|(ix, _)| self.pools.entry(PoolIx::new(ix)).or_default().add(order)),
            Selector::Service(glob) => fitting(glob, fleet.services.iter().map(|service| service.id.as_str()))
                .for_each(|(ix, _)| self.services.entry(ServiceIx::new(ix)).or_default().add(order)),
            Selector::Label(key, glob) => {
                let values = things.labels(fleet).get(key.as_str()).into_iter().flatten().copied();
                fitting(glob, values).for_each(|(_, value)| {
                    self.labels.entry(key).or_default().entry(value).or_default().add(order);
                });
            }
            Selector::Region(glob) => fitting(glob, things.regions(fleet).iter().copied())
                .for_each(|(_, region)| self.regions.entry(region).or_default().add(order)),
            Selector::Provider(glob) => fitting(glob, things.providers(fleet).iter().copied())
                .for_each(|(_, provider)| self.providers.entry(provider).or_default().add(order)),
        }
    }

    /// Scopes endpoint, label, region, provider, all.
    pub(super) fn wide(&self, fleet: &Fleet, ix: EndpointIx) -> [Option<T>; 5] {
        if self.is_empty() {
            return [None; 5];
        }
        let endpoint = fleet.endpoint(ix);
        [
            self.endpoints.get(&ix).copied(),
            self.of_labels(fleet, ix),
            self.regions.get(endpoint.region.as_str()).copied(),
            self.providers.get(endpoint.provider.as_str()).copied(),
            self.all,
        ]
    }

    /// All scopes, narrow before wide.
    pub(super) fn membership(&self, fleet: &Fleet, service: ServiceIx, pool: PoolIx, ix: EndpointIx) -> [Option<T>; 7] {
        let [endpoint, label, region, provider, all] = self.wide(fleet, ix);
        [endpoint, self.of_pool(pool), self.of_service(service), label, region, provider, all]
    }

    pub(super) fn of_pool(&self, pool: PoolIx) -> Option<T> {
        self.pools.get(&pool).copied()
    }

    pub(super) fn of_service(&self, service: ServiceIx) -> Option<T> {
        self.services.get(&service).copied()
    }

    /// No order of this lane points at a pool or service.
    pub(super) fn only_wide(&self) -> bool {
        self.pools.is_empty() && self.services.is_empty()
    }

    /// No order of this lane matches anything.
    pub(super) fn is_empty(&self) -> bool {
        self.only_wide()
            && self.endpoints.is_empty()
            && self.labels.is_empty()
            && self.regions.is_empty()
            && self.providers.is_empty()
            && self.all.is_none()
    }

    fn of_labels(&self, fleet: &Fleet, ix: EndpointIx) -> Option<T> {
        if self.labels.is_empty() {
            return None;
        }
        let labels = fleet.endpoint(ix).labels.iter();
        let ordered = labels.filter_map(|(key, value)| self.labels.get(key.as_str())?.get(value.as_str()).copied());
        ordered.reduce(|mut one, other| {
            one.absorb(other);
            one
        })
    }
}

fn fitting<'g, 's: 'g>(
    glob: &'g Glob,
    names: impl Iterator<Item = &'s str> + 'g,
) -> impl Iterator<Item = (usize, &'s str)> + 'g {
    names.enumerate().filter(|(_, name)| glob.fits(name))
}

/// What selectors can name, collected once and only when one asks.
#[derive(Default)]
struct Things<'s> {
    endpoints: Option<HashMap<&'s str, Vec<EndpointIx>>>,
    labels: Option<HashMap<&'s str, HashSet<&'s str>>>,
    regions: Option<HashSet<&'s str>>,
    providers: Option<HashSet<&'s str>>,
}

impl<'s> Things<'s> {
    /// By id and by alias.
    fn endpoints(&mut self, fleet: &'s Fleet) -> &HashMap<&'s str, Vec<EndpointIx>> {
        self.endpoints.get_or_insert_with(|| {
            let mut places: HashMap<&str, Vec<EndpointIx>> = HashMap::with_capacity(fleet.endpoints.len());
            for (place, endpoint) in fleet.endpoints.iter().enumerate() {
                places.entry(endpoint.id.as_str()).or_default().push(EndpointIx::new(place));
                if let Some(alias) = endpoint.alias.as_deref() {
                    places.entry(alias).or_default().push(EndpointIx::new(place));
                }
            }
            places
        })
    }

    fn labels(&mut self, fleet: &'s Fleet) -> &HashMap<&'s str, HashSet<&'s str>> {
        self.labels.get_or_insert_with(|| {
            let mut values: HashMap<&str, HashSet<&str>> = HashMap::new();
            for (key, value) in fleet.endpoints.iter().flat_map(|endpoint| &endpoint.labels) {
                values.entry(key).or_default().insert(value);
            }
            values
        })
    }

    fn regions(&mut self, fleet: &'s Fleet) -> &HashSet<&'s str> {
        self.regions.get_or_insert_with(|| fleet.endpoints.iter().map(|endpoint| endpoint.region.as_str()).collect())
    }

    fn providers(&mut self, fleet: &'s Fleet) -> &HashSet<&'s str> {
        self.providers
            .get_or_insert_with(|| fleet.endpoints.iter().map(|endpoint| endpoint.provider.as_str()).collect())
    }
}
