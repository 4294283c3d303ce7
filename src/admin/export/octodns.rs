//! A zone as octoDNS's YAML provider reads it: what it says is exported, what it has no words for is told.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Content, Exported};
use crate::{
    admin::record::word_of,
    config::present,
    model::{Arm, DnsName, Family, Pool, PoolAnswer, Rrset, Rule, Service, Steer, kind},
};

/// Types whose data octoDNS takes as one text.
const PLAIN: [u16; 6] = [kind::A, kind::AAAA, kind::CNAME, kind::DNAME, kind::NS, kind::PTR];
const CAA: u16 = 257;

impl Content<'_> {
    pub(super) fn octodns(&self) -> Exported {
        let mut left_out = Vec::new();
        let mut names: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for name in &self.names() {
            let records = names.entry(self.relative(name)).or_default();
            for set in self.zone.nodes.sets(name).iter() {
                match fixed(set) {
                    Some(record) => records.push(record),
                    // octoDNS's targets make the SOA themselves.
                    None if set.kind == kind::SOA => {}
                    None => left_out.push(format!("{name} {}: octoDNS is not told of it", word_of(set.kind))),
                }
            }
            if let Some((_, service)) = self.steered.get(name) {
                records.extend(self.dynamic(name, service, &mut left_out));
            }
        }
        let file: Map<String, Value> = names
            .into_iter()
            .filter(|(_, records)| !records.is_empty())
            .map(|(name, mut records)| (name, if records.len() == 1 { records.remove(0) } else { records.into() }))
            .collect();
        let text = serde_saphyr::to_string(&Value::Object(file)).unwrap_or_default();
        Exported { text: format!("---\n{text}"), left_out }
    }

    /// A name inside the zone, without the zone.
    fn relative(&self, name: &DnsName) -> String {
        let (name, apex) = (name.to_string(), self.zone.apex.to_string());
        name.strip_suffix(&apex).unwrap_or(&name).trim_end_matches('.').to_owned()
    }

    /// A and AAAA of a steered name.
    fn dynamic(&self, name: &DnsName, service: &Service, left_out: &mut Vec<String>) -> Vec<Value> {
        let mut records = Vec::new();
        left_out.extend(self.losses(service).into_iter().map(|loss| format!("{name}: {loss}")));
        for (family, word) in [(Family::V4, "A"), (Family::V6, "AAAA")] {
            let values = self.addresses(service, family);
            if values.is_empty() {
                continue;
            }
            let mut pools = Map::new();
            let own = service.arms.iter().chain(&service.last_resort);
            let Some(first) = self.chain(own, family, "", None, &mut pools) else { continue };
            let mut rules = Vec::new();
            for (nth, rule) in spoken(service) {
                // Where all its pools are down the service's own stand in, unless it never leaves them.
                let behind = (!rule.geofence).then_some(first.as_str());
                let prefix = format!("rule-{}-", nth + 1);
                let Some(pool) = self.chain(rule.arms.iter(), family, &prefix, behind, &mut pools) else {
                    left_out.push(format!("{name}: the rule at {}: its pools have no {word}", rule.place));
                    continue;
                };
                let mut made = json!({ "pool": pool });
                if !rule.when.subnets.is_empty() {
                    made["subnets"] = rule.when.subnets.iter().map(ToString::to_string).collect();
                }
                if !rule.when.geo.is_empty() {
                    made["geos"] = rule.when.geo.iter().map(ToString::to_string).collect();
                }
                rules.push(made);
            }
            rules.push(json!({ "pool": first }));
            records.push(json!({
                "type": word,
                "ttl": service.ttl,
                "values": values,
                "dynamic": { "pools": pools, "rules": rules },
            }));
        }
        records
    }

    /// What of a service octoDNS has no words for, each once.
    fn losses(&self, service: &Service) -> Vec<String> {
        let mut losses = Vec::new();
        losses.extend(order(service.steer).map(|lost| format!("{lost} became an order of pools")));
        for rule in service.rules.iter().filter(|rule| !rule.when.asn.is_empty()) {
            losses.push(format!(
                "the rule at {}: octoDNS has no AS numbers, so its clients get what others get",
                rule.place
            ));
        }
        for (_, rule) in spoken(service) {
            losses.extend(
                order(rule.steer).map(|lost| format!("the rule at {}: {lost} became an order of pools", rule.place)),
            );
            if rule.geofence {
                let what = "geofence: with all its pools down octoDNS answers `values`, which may be elsewhere";
                losses.push(format!("the rule at {}: {what}", rule.place));
            }
        }
        if !spoken(service).map(|(nth, _)| nth).is_sorted() {
            losses.push("rules for networks stand before rules for places, as octoDNS wants them".to_owned());
        }
        if service.tuning.sticky.is_some() {
            losses.push("sticky: octoDNS shares by chance".to_owned());
        }
        let arms = service.arms.iter().chain(spoken(service).flat_map(|(_, rule)| &rule.arms));
        let mut pools: Vec<&Pool> = arms.chain(&service.last_resort).map(|arm| self.fleet.pool(arm.pool)).collect();
        let mut seen = std::collections::HashSet::new();
        pools.retain(|pool| seen.insert(&pool.id));
        for pool in &pools {
            match pool.answer {
                PoolAnswer::All | PoolAnswer::RoundRobin | PoolAnswer::Random | PoolAnswer::Weighted => {}
                lost @ (PoolAnswer::First | PoolAnswer::LeastConnections | PoolAnswer::Hash) => {
                    losses.push(format!("answer = \"{}\" of pool {} became equal shares", lost.word(), pool.id));
                }
            }
            if pool.answer == PoolAnswer::Weighted && WEIGHT_MAX < heaviest(pool) {
                losses.push(format!("weights of pool {} are scaled to octoDNS's 1 to {WEIGHT_MAX}", pool.id));
            }
        }
        let mut members = pools.iter().flat_map(|pool| &pool.members);
        if members.any(|member| self.fleet.endpoint(member.endpoint).target().is_some()) {
            losses.push("endpoints that are targets: write a CNAME or ALIAS for them".to_owned());
        }
        losses
    }

    /// Pools in their order, each falling back to the next and the last to what stands behind; the first one's name.
    fn chain<'a>(
        &self,
        arms: impl Iterator<Item = &'a Arm>,
        family: Family,
        prefix: &str,
        behind: Option<&str>,
        pools: &mut Map<String, Value>,
    ) -> Option<String> {
        let filled: Vec<(&Pool, Vec<Value>)> = arms
            .map(|arm| self.fleet.pool(arm.pool))
            .map(|pool| (pool, self.values(pool, family)))
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let id = |pool: &Pool| format!("{prefix}{}", pool.id);
        for (at, (pool, values)) in filled.iter().enumerate() {
            let mut made = json!({ "values": values });
            let next = filled.get(at + 1).map(|(next, _)| id(next));
            if let Some(next) = next.or_else(|| behind.map(str::to_owned)) {
                made["fallback"] = next.into();
            }
            pools.insert(id(pool), made);
        }
        filled.first().map(|(pool, _)| id(pool))
    }

    fn values(&self, pool: &Pool, family: Family) -> Vec<Value> {
        let weighted = pool.answer == PoolAnswer::Weighted;
        let members = pool.members.iter().filter(|member| !weighted || 0 < member.weight.0);
        let answered: Vec<(String, u16)> = members
            .filter_map(|member| {
                let address = self.fleet.endpoint(member.endpoint).address(family)?;
                Some((address.to_string(), member.weight.0))
            })
            .collect();
        // One value alone has no weight there.
        let weighted = weighted && 1 < answered.len();
        let most = u32::from(heaviest(pool).max(WEIGHT_MAX));
        let value = |(address, weight): (String, u16)| {
            let scaled = (u32::from(weight) * u32::from(WEIGHT_MAX) / most).max(1);
            let weight = if most == u32::from(WEIGHT_MAX) { u32::from(weight) } else { scaled };
            if weighted { json!({ "value": address, "weight": weight }) } else { json!({ "value": address }) }
        };
        answered.into_iter().map(value).collect()
    }
}

/// The greatest weight that octoDNS takes.
const WEIGHT_MAX: u16 = 100;

fn heaviest(pool: &Pool) -> u16 {
    pool.members.iter().map(|member| member.weight.0).max().unwrap_or(0)
}

/// Rules that octoDNS can say, with their places, in the order it wants: for networks first, for places behind them.
fn spoken(service: &Service) -> impl Iterator<Item = (usize, &Rule)> {
    let mut rules: Vec<_> = service.rules.iter().enumerate().filter(|(_, rule)| rule.when.asn.is_empty()).collect();
    rules.sort_by_key(|(_, rule)| (rule.when.subnets.is_empty(), !rule.when.geo.is_empty()));
    rules.into_iter()
}

/// A way of choosing pools that is more than their order.
fn order(steer: Steer) -> Option<String> {
    let more = match steer {
        Steer::Failover => return None,
        Steer::Weighted | Steer::RoundRobin | Steer::Random | Steer::All | Steer::LeastConnections => "",
        Steer::Nearest | Steer::Fastest => " (write geo rules to have some of it)",
    };
    Some(format!("steer = \"{steer}\"{more}"))
}

/// A fixed record set; `None` for a type that is not passed on.
fn fixed(set: Rrset<'_>) -> Option<Value> {
    let texts: Vec<String> = set.rdata().map(|data| present(set.kind, data)).collect();
    let values: Vec<Value> = match set.kind {
        of if PLAIN.contains(&of) => texts.into_iter().map(Value::from).collect(),
        // A semicolon is escaped there.
        kind::TXT => set.rdata().map(|data| Some(text(data)?.replace(';', "\\;").into())).collect::<Option<_>>()?,
        kind::MX => texts.iter().map(|text| fields(text, &["preference", "exchange"])).collect::<Option<_>>()?,
        kind::SRV => {
            texts.iter().map(|text| fields(text, &["priority", "weight", "port", "target"])).collect::<Option<_>>()?
        }
        CAA => texts.iter().map(|text| fields(text, &["flags", "tag", "value"])).collect::<Option<_>>()?,
        _ => return None,
    };
    let (kind, ttl) = (word_of(set.kind), set.ttl);
    Some(match (values.as_slice(), set.kind) {
        ([one], _) | ([one, ..], kind::CNAME | kind::DNAME) => json!({ "type": kind, "ttl": ttl, "value": one }),
        (_, _) => json!({ "type": kind, "ttl": ttl, "values": values }),
    })
}

/// Character strings, joined as resolvers join them.
fn text(mut data: &[u8]) -> Option<String> {
    let mut all = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (one, rest) = rest.split_at_checked(usize::from(*length))?;
        all.extend_from_slice(one);
        data = rest;
    }
    String::from_utf8(all).ok()
}

/// Words of a presentation under their names; numbers as numbers, quotes taken off.
fn fields(text: &str, names: &[&str]) -> Option<Value> {
    let words: Vec<&str> = text.splitn(names.len(), ' ').collect();
    let value = |word: &str| word.parse::<u32>().map_or_else(|_| word.trim_matches('"').into(), Value::from);
    let made: Map<String, Value> =
        names.iter().zip(&words).map(|(name, word)| ((*name).to_owned(), value(word))).collect();
    (made.len() == names.len()).then_some(made.into())
}
