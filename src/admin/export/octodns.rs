//! A zone as octoDNS's YAML provider reads it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Content, Exported};
use crate::{
    admin::record::word_of,
    config::present,
    model::{Arm, DnsName, Family, Pool, PoolAnswer, Rrset, Service, Steer, kind},
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
        let note = |text: &str| format!("{name}: {text}");
        match service.steer {
            Steer::Failover => {}
            Steer::Weighted | Steer::RoundRobin | Steer::Random | Steer::All | Steer::LeastConnections => {
                left_out.push(note(&format!("steer = \"{}\" became an order of pools", service.steer)));
            }
            Steer::Nearest | Steer::Fastest => {
                left_out.push(note(&format!("steer = \"{}\" became an order of pools; add geo rules", service.steer)));
            }
        }
        let targets = || service.arms.iter().flat_map(|arm| &self.fleet.pool(arm.pool).members);
        if targets().any(|member| self.fleet.endpoint(member.endpoint).target().is_some()) {
            left_out.push(note("endpoints that are targets: write a CNAME or ALIAS for them"));
        }
        for (family, word) in [(Family::V4, "A"), (Family::V6, "AAAA")] {
            let values = self.addresses(service, family);
            if values.is_empty() {
                continue;
            }
            let mut pools = Map::new();
            let mut rules = Vec::new();
            for (nth, rule) in service.rules.iter().enumerate() {
                let Some(first) = self.chain(&rule.arms, family, &format!("rule-{}-", nth + 1), &mut pools) else {
                    continue;
                };
                let mut made = json!({ "pool": first });
                if !rule.when.geo.is_empty() {
                    made["geos"] = rule.when.geo.iter().map(ToString::to_string).collect();
                }
                if !rule.when.subnets.is_empty() {
                    made["subnets"] = rule.when.subnets.iter().map(ToString::to_string).collect();
                }
                if !rule.when.asn.is_empty() {
                    left_out.push(note(&format!("the rule for AS numbers at {}", rule.place)));
                    continue;
                }
                rules.push(made);
            }
            let Some(first) = self.chain(&service.arms, family, "", &mut pools) else { continue };
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

    /// Pools in their order, each falling back to the next; the first one's name.
    fn chain(&self, arms: &[Arm], family: Family, prefix: &str, pools: &mut Map<String, Value>) -> Option<String> {
        let filled: Vec<(&Pool, Vec<Value>)> = (arms.iter().map(|arm| self.fleet.pool(arm.pool)))
            .map(|pool| (pool, self.values(pool, family)))
            .filter(|(_, values)| !values.is_empty())
            .collect();
        let id = |pool: &Pool| format!("{prefix}{}", pool.id);
        for (at, (pool, values)) in filled.iter().enumerate() {
            let mut made = json!({ "values": values });
            if let Some((next, _)) = filled.get(at + 1) {
                made["fallback"] = id(next).into();
            }
            pools.insert(id(pool), made);
        }
        filled.first().map(|(pool, _)| id(pool))
    }

    fn values(&self, pool: &Pool, family: Family) -> Vec<Value> {
        let weighted = pool.answer == PoolAnswer::Weighted;
        let members = pool.members.iter().filter(|member| !weighted || 0 < member.weight.0);
        let value = |member: &crate::model::Member| {
            let address = self.fleet.endpoint(member.endpoint).address(family)?.to_string();
            Some(if weighted {
                json!({ "value": address, "weight": member.weight.0 })
            } else {
                json!({ "value": address })
            })
        };
        members.filter_map(value).collect()
    }
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
