//! `[service]`: names, arms, and the implicit pool of the short form.

use crate::model::{Arm, DnsName, EndpointIx, Pool, PoolAnswer, PoolIx, Service, Steer, Weight, WhenNone};

use super::{
    Build,
    pools::{Named, named},
    seconds, word_of,
};
use crate::config::{
    document::{Entry, Node, Table},
    report::{Place, Raw},
};

impl Build<'_, '_> {
    pub(super) fn services(&mut self) {
        let (root, nothing) = (self.root, Table::default());
        let entries = &root.section("service").entries;
        self.parts.services.reserve_exact(entries.len());
        self.service_places.reserve_exact(entries.len());
        for entry in entries {
            let service = self.service(entry, entry.node.table().unwrap_or(&nothing));
            self.parts.services.push(service);
            self.service_places.push(entry.place);
        }
    }

    fn service(&mut self, entry: &Entry, table: &Table) -> Service {
        let names = self.names(&entry.key, table);
        let check = table.get("check").and_then(|node| self.check_of(node));
        let arms = self.arms(entry, table);
        let steer = self.steer(table, Steer::Failover);
        let ttl = seconds(table, "ttl").unwrap_or(self.defaults.ttl);
        let steered = table.get("steer").map_or(entry.place, |node| node.place);
        self.placed(&arms, steer, steered);
        let last_resort = table.get("last_resort").and_then(|node| {
            let pool = Self::refer(&self.pools, node.text()?, node.place, &mut self.reader.report)?;
            Some(arm(pool, Weight::default()))
        });
        let when_none = self.when_none(table, last_resort.is_some());
        Service {
            id: entry.key.parse().unwrap_or_else(|_| "x".parse().expect("`x` is an id")),
            names,
            arms,
            steer,
            ttl,
            when_none,
            last_resort,
            check,
            owner: table.text("owner").map(Into::into),
            runbook: table.text("runbook").map(Into::into),
            rules: self.rules(table, steer, steered),
            tuning: self.tuning(table, ttl),
        }
    }

    fn names(&mut self, service: &str, table: &Table) -> Box<[DnsName]> {
        let items = table.get("names").map_or(&[][..], Node::items);
        let mut names = Vec::with_capacity(items.len());
        for item in items {
            let Some(name) = item.text().and_then(|text| text.parse::<DnsName>().ok()) else { continue };
            if let Some((first, other)) = self.names.get(&name) {
                let message = match self.service_key_of(*other) {
                    other if other == service => format!("the name {name} stands twice in service `{service}`"),
                    other => format!("the name {name} belongs to two services, `{other}` and `{service}`"),
                };
                let raw = Raw::error("E020", message).at(item.place, "again here").at(*first, "first here");
                self.report().add(raw);
                continue;
            }
            self.names.insert(name.clone(), (item.place, self.parts.services.len()));
            names.push(name);
        }
        names.into()
    }

    fn arms(&mut self, entry: &Entry, table: &Table) -> Box<[Arm]> {
        match (table.get("pools"), table.entry("endpoints")) {
            (Some(pools), None) => self.listed_arms(pools),
            (None, Some(endpoints)) => self.implicit(entry, &endpoints.node),
            (Some(pools), Some(endpoints)) => {
                self.reader.report.add(
                    Raw::error("E029", "a service has either `pools` or `endpoints`")
                        .at(endpoints.place, "leave this out, or make a pool of it")
                        .at(pools.place, "beside this"),
                );
                Box::default()
            }
            (None, None) => {
                let message = format!("service `{}` has neither `pools` nor `endpoints`", entry.key);
                self.report().add(
                    Raw::error("E006", message)
                        .at(entry.place, "write pools = [\"...\"] or endpoints = [\"203.0.113.10\"]"),
                );
                Box::default()
            }
        }
    }

    /// The pools of a service or of one of its rules.
    pub(super) fn listed_arms(&mut self, pools: &Node) -> Box<[Arm]> {
        let list = named(pools);
        self.twice(&list, "pool");
        if list.is_empty() {
            self.report().add(Raw::error("E006", "there is at least one pool").at(pools.place, ""));
        }
        let arms = list.iter().filter_map(|item| {
            let pool = Self::refer(&self.pools, item.id, item.place, &mut self.reader.report)?;
            Some(arm(pool, item.weight.unwrap_or_default()))
        });
        arms.collect()
    }

    /// The one pool of the short form: the service's own name, the first healthy endpoint answers; a table of weights
    /// draws by them.
    fn implicit(&mut self, entry: &Entry, node: &Node) -> Box<[Arm]> {
        let service = entry.key.as_str();
        let place = entry.place;
        if let Some(known) = self.pools.by_id.get(service) {
            let first = self.pool_places.get(known.index()).copied();
            let raw = Raw::error("E011", format!("there is a pool `{service}` already"))
                .at(place, "the endpoints of this service make a pool of the same id");
            let raw = match first {
                Some(first) => raw.at(first, "the pool"),
                None => raw,
            };
            self.report().add(raw);
            return Box::default();
        }
        let list = named(node);
        let weighted = list.iter().any(|item| item.weight.is_some());
        let found: Vec<_> =
            list.iter().filter_map(|item| Some((self.member(service, item)?, item.place, item.weight))).collect();
        if list.is_empty() {
            self.report().add(Raw::error("E006", "a service has at least one endpoint").at(node.place, ""));
        }
        let members = self.members(found);
        let ix = PoolIx::new(self.parts.pools.len());
        self.pools.by_id.insert(service.into(), ix);
        self.pool_places.push(place);
        self.parts.pools.push(Pool {
            id: service.parse().unwrap_or_else(|_| "x".parse().expect("`x` is an id")),
            members,
            answer: if weighted { PoolAnswer::Weighted } else { PoolAnswer::First },
            count: 1,
            min_up: crate::model::MinUp::Auto,
            check: None,
            implicit: true,
            degraded: self.defaults.degraded,
            ramp: None,
        });
        Box::new([arm(ix, Weight::default())])
    }

    fn member(&mut self, service: &str, item: &Named<'_>) -> Option<EndpointIx> {
        match item.id.parse() {
            Ok(address) => Some(self.inline(service, item.place, address)),
            Err(_) => Self::refer(&self.endpoints, item.id, item.place, &mut self.reader.report),
        }
    }

    /// How a service or a rule steers; a table of weights steers by them, a list as `listed` says.
    pub(super) fn steer(&mut self, table: &Table, listed: Steer) -> Steer {
        let weighted = table.get("pools").is_some_and(|node| node.table().is_some());
        let default = if weighted { Steer::Weighted } else { listed };
        let steer = table.text("steer").and_then(|word| word_of(Steer::WORDS, word)).unwrap_or(default);
        let all_zero = weighted
            && table.section("pools").entries.iter().all(|entry| entry.node.whole() == Some(0))
            && !table.section("pools").entries.is_empty();
        if let Some(entry) = table.entry("pools") {
            let (pools, at): (Place, Option<Place>) = (entry.place, table.entry("steer").map(|entry| entry.node.place));
            if weighted && steer != Steer::Weighted {
                let raw = Raw::error("E029", "weights of pools need steer = \"weighted\"")
                    .at(at.unwrap_or(pools), "with this the weights would do nothing")
                    .at(pools, "write a list, whose order counts, or steer by weight");
                self.report().add(raw);
            } else if all_zero {
                self.report().add(Raw::error("E029", "all weights of the pools are 0").at(pools, "write one above 0"));
            }
        }
        steer
    }

    fn when_none(&mut self, table: &Table, has_last_resort: bool) -> WhenNone {
        let default = if has_last_resort { WhenNone::LastResort } else { WhenNone::ServeAll };
        let own = table.text("when_none_healthy").and_then(|word| word_of(WhenNone::WORDS, word));
        // A default of `last-resort` can only hold for services that have one.
        let inherited = self.defaults.when_none.filter(|when| *when != WhenNone::LastResort && !has_last_resort);
        let when = own.or(inherited).unwrap_or(default);
        if let (WhenNone::LastResort, true, false, Some(node)) =
            (when, own.is_some(), table.get("last_resort").is_some(), table.get("when_none_healthy"))
        {
            let place = node.place;
            self.report().add(
                Raw::error("E029", "`last-resort` needs the pool it stands for")
                    .at(place, "write last_resort = \"<pool>\""),
            );
        }
        when
    }
}

fn arm(pool: PoolIx, weight: Weight) -> Arm {
    Arm { pool, weight, subjects: Box::default() }
}
