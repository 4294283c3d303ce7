//! Small worlds for tests: a fleet in a few words, what is measured, what is ordered, and the snapshot of it.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    judge::Orders,
    model::{
        Action, Addresses, Arm, Availability, Cause, Degraded, Ended, Endpoint, EndpointIx, Family, Feeds, Fleet,
        Health, Member, MinUp, Mono, Now, Override, OverrideId, Parts, Pool, PoolAnswer, PoolIx, Region, Resume, Rule,
        Serves, Service, ServiceIx, Snapshot, Steer, SubjectIx, Tally, Tuning, Verdict, Wall, Weight, When, WhenNone,
        Zone, digest,
    },
};

/// A world under construction and in motion.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) parts: Parts,
    pub(crate) health: BTreeMap<(EndpointIx, Family), Health>,
    pub(crate) overrides: Vec<Override>,
    pub(crate) generation: u64,
    /// When the snapshot is taken.
    pub(crate) at: Now,
    /// When endpoints came back.
    pub(crate) returned: BTreeMap<EndpointIx, Mono>,
    /// When endpoints may become down.
    pub(crate) flips: BTreeMap<EndpointIx, Mono>,
    pub(crate) ended: Vec<Ended>,
    pub(crate) feeds: Feeds,
}

impl World {
    /// One zone `example.` with nothing in it.
    pub(crate) fn new() -> Self {
        Self::default().zone("example", &[])
    }

    /// A zone with fixed records: name, type, RDATA.
    pub(crate) fn zone(mut self, apex: &str, records: &[(&str, u16, &[u8])]) -> Self {
        let nodes = records.iter().map(|(name, kind, data)| (name.parse().unwrap(), *kind, 3600, data)).collect();
        self.parts.zones.push(Zone { apex: apex.parse().unwrap(), negative_ttl: 30, nodes });
        self
    }

    /// An endpoint with an address, or with two parted by a blank.
    pub(crate) fn endpoint(mut self, id: &str, addresses: &str) -> Self {
        let (v4, v6): (Vec<_>, Vec<_>) = addresses.split(' ').partition(|address| !address.contains(':'));
        let v4 = v4.first().map(|address| address.parse().unwrap());
        let v6 = v6.first().map(|address| address.parse().unwrap());
        let addresses = match (v4, v6) {
            (Some(v4), Some(v6)) => Addresses::Both(v4, v6),
            (Some(v4), None) => Addresses::V4(v4),
            (None, Some(v6)) => Addresses::V6(v6),
            (None, None) => unreachable!("splitting gives at least one"),
        };
        let (provider, region) = (id.split('-').next().unwrap(), id.split('-').nth(1).unwrap_or("nowhere"));
        self.parts.endpoints.push(Endpoint {
            id: id.parse().unwrap(),
            provider: provider.parse().unwrap(),
            region: region.parse().unwrap(),
            serves: Serves::Addresses(addresses),
            weight: Weight(1),
            capacity: None,
            labels: BTreeMap::new(),
            check_at: None,
            check: None,
            alias: None,
            load: None,
            resume: Resume::Auto,
        });
        self
    }

    /// An endpoint that is another name.
    pub(crate) fn target(self, id: &str, name: &str) -> Self {
        let mut world = self.endpoint(id, "192.0.2.99");
        world.parts.endpoints.last_mut().unwrap().serves = Serves::Target(name.parse().unwrap());
        world
    }

    /// A region with a place; endpoints lie in the region that the second part of their id names.
    pub(crate) fn region(mut self, id: &str, latitude: f64, longitude: f64) -> Self {
        self.parts.regions.push(Region { id: id.parse().unwrap(), title: None, at: Some((latitude, longitude)) });
        self
    }

    /// Changes the endpoint made last.
    pub(crate) fn with_endpoint(mut self, change: impl FnOnce(&mut Endpoint)) -> Self {
        change(self.parts.endpoints.last_mut().unwrap());
        self
    }

    /// A pool: endpoints by id, with weights.
    pub(crate) fn pool(mut self, id: &str, answer: PoolAnswer, members: &[(&str, u16)]) -> Self {
        let place = |id: &str| self.parts.endpoints.iter().position(|endpoint| endpoint.id.as_str() == id).unwrap();
        let members = members.iter();
        let members = members
            .map(|(id, weight)| Member { endpoint: EndpointIx::new(place(id)), weight: Weight(*weight) })
            .collect();
        let count = if answer == PoolAnswer::All { 8 } else { 1 };
        self.parts.pools.push(Pool {
            id: id.parse().unwrap(),
            members,
            answer,
            count,
            min_up: MinUp::Auto,
            check: None,
            implicit: false,
            degraded: Degraded::Same,
            ramp: None,
        });
        self
    }

    /// Changes the pool made last.
    pub(crate) fn with_pool(mut self, change: impl FnOnce(&mut Pool)) -> Self {
        change(self.parts.pools.last_mut().unwrap());
        self
    }

    /// A service `<id>.example` over pools by id, with weights.
    pub(crate) fn service(mut self, id: &str, steer: Steer, arms: &[(&str, u16)]) -> Self {
        let arms = arms.iter().map(|(id, weight)| self.arm(id, *weight)).collect();
        self.parts.services.push(Service {
            id: id.parse().unwrap(),
            names: Box::new([format!("{id}.example").parse().unwrap()]),
            arms,
            steer,
            ttl: 30,
            when_none: WhenNone::ServeAll,
            last_resort: None,
            check: None,
            owner: None,
            runbook: None,
            rules: Box::default(),
            tuning: Tuning::default(),
        });
        self
    }

    /// Changes the service made last.
    pub(crate) fn with_service(mut self, change: impl FnOnce(&mut Service)) -> Self {
        change(self.parts.services.last_mut().unwrap());
        self
    }

    /// Gives the service made last one more rule, for clients at these places.
    pub(crate) fn rule(self, geo: &[&str], steer: Steer, arms: &[(&str, u16)]) -> Self {
        let arms = arms.iter().map(|(id, weight)| self.arm(id, *weight)).collect();
        let when = When { geo: geo.iter().map(|code| code.parse().unwrap()).collect(), ..When::default() };
        self.with_service(|service| {
            let place = format!("test.toml:{}", service.rules.len());
            let rule = Rule { when, arms, steer, geofence: false, place };
            service.rules = service.rules.iter().cloned().chain([rule]).collect();
        })
    }

    /// Changes the rule made last.
    pub(crate) fn with_rule(self, change: impl FnOnce(&mut Rule)) -> Self {
        self.with_service(|service| change(service.rules.last_mut().unwrap()))
    }

    /// Gives the service made last its last resort.
    pub(crate) fn last_resort(self, pool: &str) -> Self {
        let arm = self.arm(pool, 1);
        self.with_service(|service| service.last_resort = Some(arm))
    }

    fn arm(&self, id: &str, weight: u16) -> Arm {
        let place = self.parts.pools.iter().position(|pool| pool.id.as_str() == id).unwrap();
        Arm { pool: PoolIx::new(place), weight: Weight(weight), subjects: Box::default() }
    }

    /// Both families of an endpoint are measured so.
    pub(crate) fn measure(&mut self, id: &str, health: Health) {
        for family in Family::ALL {
            self.measure_family(id, family, health);
        }
    }

    pub(crate) fn measure_family(&mut self, id: &str, family: Family, health: Health) {
        let place = self.parts.endpoints.iter().position(|endpoint| endpoint.id.as_str() == id).unwrap();
        self.health.insert((EndpointIx::new(place), family), health);
    }

    /// Both clocks go on.
    pub(crate) fn pass(&mut self, seconds: u64) {
        self.at.mono.0 += seconds * 1_000;
        self.at.wall.0 += seconds * 1_000;
    }

    /// It is up again, since now.
    pub(crate) fn returns(&mut self, id: &str) {
        self.measure(id, Health::Up);
        let place = self.parts.endpoints.iter().position(|endpoint| endpoint.id.as_str() == id).unwrap();
        self.returned.insert(EndpointIx::new(place), self.at.mono);
    }

    pub(crate) fn order(&mut self, action: Action, target: &str) {
        let id = OverrideId::new(ulid::Ulid::from_parts(self.overrides.len() as u64 + 1, 1));
        self.overrides.push(Override {
            id,
            action,
            target: target.parse().unwrap(),
            reason: "a test".into(),
            author: "test".into(),
            created: Wall(self.overrides.len() as u64),
            from: Wall(0),
            expires: Wall(u64::MAX),
            forced: false,
            over: None,
            local: false,
            generation: 1,
        });
    }

    /// What is measured (up, where nothing is said) and ordered, as the control room would put it.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot_of(&Fleet::assemble(self.parts.clone()).unwrap())
    }

    pub(crate) fn snapshot_of(&self, fleet: &Arc<Fleet>) -> Arc<Snapshot> {
        let orders = Orders::new(fleet, &self.overrides);
        let verdicts = (0..fleet.subjects.len()).map(SubjectIx::new).flat_map(|subject| {
            let endpoint = fleet.subject(subject).endpoint;
            let order = orders.availability(endpoint).map(|order| {
                let availability = match order.action {
                    Action::Up => Availability::Up,
                    Action::Down => Availability::Down,
                    Action::Drain => Availability::Drain,
                    Action::Weight(_) | Action::Pin(_) | Action::Freeze => unreachable!("other lanes"),
                };
                (availability, order.id.clone())
            });
            Family::ALL.map(move |family| {
                fleet.endpoint(endpoint).is_judged(family).then_some(())?;
                let measured = self.health.get(&(endpoint, family)).copied().unwrap_or(Health::Up);
                let health = match &order {
                    Some((Availability::Up, _)) => Health::Up,
                    Some((Availability::Down, _)) => Health::Down,
                    Some((Availability::Drain, _)) | None => measured,
                };
                Some(Verdict {
                    measured,
                    health,
                    order: order.clone(),
                    cause: Cause::Voted,
                    frozen: None,
                    tally: Tally::default(),
                    since: Wall(0),
                    since_mono: None,
                    hold: None,
                    returned: self.returned.get(&endpoint).copied(),
                    flips_at: self.flips.get(&endpoint).copied(),
                })
            })
        });
        Arc::new(Snapshot {
            node: "n".parse().unwrap(),
            generation: self.generation,
            digest: digest::of(&(fleet.digest, &self.health, &self.overrides)),
            at: self.at,
            fleet: Arc::clone(fleet),
            verdicts: verdicts.collect(),
            overrides: self.overrides.clone().into(),
            planned: Arc::default(),
            ended: self.ended.clone().into(),
            feeds: Arc::new(self.feeds.clone()),
            here: crate::model::Here::default(),
        })
    }
}

/// The service of an id.
pub(crate) fn service(snapshot: &Snapshot, id: &str) -> ServiceIx {
    snapshot.fleet.find_service(&id.parse().unwrap()).unwrap()
}
