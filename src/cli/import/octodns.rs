//! Zones of octoDNS's YAML provider: fixed records, and dynamic ones as services.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Map, Value};

use super::{
    super::ending::{Exit, Failure},
    draft::{Answered, Draft, Pool, Rule, Service, id, quoted},
    text,
};

/// Pools a chain of fallbacks may have; a loop ends there.
const CHAIN_MAX: usize = 64;
/// The TTL of records without one, in seconds, as octoDNS has it.
const TTL_USUAL: u64 = 3600;
/// Characters of a value that a line about it repeats.
const SHOWN_MAX: usize = 120;

/// A zone's file; the zone is the file's name unless told.
pub(super) fn read(path: &Path, zone: Option<&str>) -> Result<Draft, Failure> {
    let named = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let zone = zone.map(str::to_owned).or(named).unwrap_or_default();
    let zone = zone.trim_end_matches('.').to_owned();
    let parsed: Value = serde_saphyr::from_str(&text(path)?)
        .map_err(|error| Failure::new(Exit::Failed, format!("{} is not YAML: {error}", path.display())))?;
    let Value::Object(names) = &parsed else {
        return Err(Failure::new(Exit::Failed, format!("{} holds no names", path.display())));
    };
    Ok(convert(names, &zone))
}

pub(super) fn convert(names: &Map<String, Value>, zone: &str) -> Draft {
    let mut reading = Reading { draft: Draft::default(), zone, ns: Vec::new(), records: Vec::new() };
    for (name, records) in names {
        let list: Vec<&Value> = records.as_array().map_or_else(|| vec![records], |list| list.iter().collect());
        for record in &list {
            if record.is_object() {
                reading.record(name, record, &list);
            } else {
                reading.lost(&reading.full(name), "it is no record", record);
            }
        }
    }
    reading.finish()
}

struct Reading<'z> {
    draft: Draft,
    zone: &'z str,
    ns: Vec<String>,
    records: Vec<String>,
}

impl Reading<'_> {
    fn full(&self, name: &str) -> String {
        if name.is_empty() { self.zone.to_owned() } else { format!("{name}.{}", self.zone) }
    }

    /// Nothing of a zone is passed over in silence: the draft is taken for the whole of it.
    fn lost(&mut self, shown: &str, why: &str, value: &Value) {
        self.draft.left_out.push(format!("{shown}: {why}: {}", brief(value)));
    }

    /// In seconds; octoDNS takes text that is a number, too.
    fn ttl(&mut self, shown: &str, record: &Value) -> Option<u64> {
        let ttl = &record["ttl"];
        let read = ttl.as_u64().or_else(|| ttl.as_str()?.parse().ok());
        if read.is_none() && !ttl.is_null() {
            self.lost(shown, "its `ttl` is no number of seconds, so the usual one stands there", ttl);
        }
        read
    }

    fn record(&mut self, name: &str, record: &Value, beside: &[&Value]) {
        let kind = record["type"].as_str().unwrap_or_default().to_ascii_uppercase();
        if kind.is_empty() {
            return self.lost(&self.full(name), "it has no `type`", record);
        }
        let shown = format!("{} {kind}", self.full(name));
        if !record["geo"].is_null() {
            self.draft.left_out.push(format!("{shown}: `geo` of old records; write rules"));
        }
        if !record["dynamic"].is_null() && !record["dynamic"].is_object() {
            self.lost(&shown, "its `dynamic` is no mapping", &record["dynamic"]);
        }
        if record["dynamic"].is_object() {
            return match kind.as_str() {
                "A" | "AAAA" | "CNAME" => self.dynamic(name, record),
                _ => self.draft.left_out.push(format!("{shown}: a dynamic record of this type")),
            };
        }
        // A family without steering beside one that is steered would be hidden by the service.
        let steered = |other: &&Value| other["dynamic"].is_object();
        if matches!(kind.as_str(), "A" | "AAAA") && beside.iter().any(steered) {
            self.draft.left_out.push(format!("{shown}: it stands beside a dynamic record; put it into the pools"));
            return;
        }
        let ttl = self.ttl(&shown, record).unwrap_or(TTL_USUAL);
        let values: Vec<&Value> = match (&record["values"], &record["value"]) {
            (Value::Array(values), _) => values.iter().collect(),
            (Value::Null, Value::Null) => Vec::new(),
            (Value::Null, value) | (value, _) => vec![value],
        };
        if values.is_empty() {
            return self.lost(&shown, "it has no `value` and no `values`", record);
        }
        if kind == "NS" && name.is_empty() {
            for value in values {
                match value.as_str() {
                    Some(server) => self.ns.push(server.to_owned()),
                    None => self.lost(&shown, "it is no name", value),
                }
            }
            return;
        }
        let owner = if name.is_empty() { "@" } else { name };
        for value in values {
            match data(&kind, value) {
                Some(data) => self.records.push(format!("{owner} {ttl} {kind} {data}")),
                None => self.lost(&shown, "this value is not understood", value),
            }
        }
    }

    fn dynamic(&mut self, name: &str, record: &Value) {
        let full = self.full(name);
        let service = id(&full);
        let pools = record["dynamic"]["pools"].as_object().cloned().unwrap_or_default();
        for (pool, about) in &pools {
            self.pool(&full, &format!("{service}-{pool}"), about);
        }
        let chain = |first: &str| -> Vec<String> {
            let next = |pool: &String| pools.get(pool)?["fallback"].as_str().map(str::to_owned);
            let mut seen = BTreeSet::new();
            std::iter::successors(Some(first.to_owned()), next)
                .take(CHAIN_MAX)
                .take_while(|pool| seen.insert(pool.clone()))
                .map(|pool| id(&format!("{service}-{pool}")))
                .collect()
        };
        let mut made = Service { id: service.clone(), names: vec![full.clone()], ..Service::default() };
        for rule in self.list(&full, "rules", &record["dynamic"]["rules"]) {
            let Some(first) = rule["pool"].as_str() else {
                self.lost(&full, "this rule has no pool", rule);
                continue;
            };
            let texts = |key: &str| -> Option<Vec<String>> {
                let text = |value: &Value| value.as_str().map(str::to_owned);
                if rule[key].is_null() { Some(Vec::new()) } else { rule[key].as_array()?.iter().map(text).collect() }
            };
            // Without what limits it a rule would be for everyone.
            let (Some(geos), Some(subnets)) = (texts("geos"), texts("subnets")) else {
                self.lost(&full, "`geos` and `subnets` of this rule are not both lists of text", rule);
                continue;
            };
            let when = [("geo", geos), ("subnet", subnets)].into_iter();
            let when: Vec<_> = when.filter(|(_, values)| !values.is_empty()).collect();
            if when.is_empty() {
                made.pools = chain(first);
            } else {
                // Either kind is enough there, and each that is written must match here.
                made.rules.extend(when.into_iter().map(|one| Rule { when: vec![one], pools: chain(first) }));
            }
        }
        if made.pools.is_empty() {
            made.pools = pools.keys().take(1).map(|pool| id(&format!("{service}-{pool}"))).collect();
        }
        if let Some(ttl) = self.ttl(&full, record) {
            made.lines.push(format!("ttl   = \"{ttl}s\""));
        }
        if let Some(check) = self.check(&full, record) {
            made.lines.push(format!("check = {}", quoted(&check)));
        }
        // A and AAAA of one name are one service.
        match self.draft.services.iter().find(|one| one.names == made.names) {
            Some(one) if one.pools == made.pools && one.rules == made.rules => {}
            Some(_) => {
                self.draft.left_out.push(format!("{full}: its A and AAAA are steered differently; the first holds"))
            }
            None => self.draft.services.push(made),
        }
    }

    /// What should be a list, or nothing; `key` says of what.
    fn list<'v>(&mut self, shown: &str, key: &str, value: &'v Value) -> &'v [Value] {
        if !value.is_array() && !value.is_null() {
            self.lost(shown, &format!("`{key}` is no list"), value);
        }
        value.as_array().map_or(&[], Vec::as_slice)
    }

    fn pool(&mut self, name: &str, pool: &str, about: &Value) {
        let mut members = Vec::new();
        let values = self.list(name, "values", &about["values"]);
        if values.is_empty() {
            self.lost(name, &format!("the pool {pool} has no values"), about);
        }
        for value in values {
            let Some(text) = value["value"].as_str() else {
                self.lost(name, &format!("the pool {pool} has a value that is not understood"), value);
                continue;
            };
            let answered = match text.parse() {
                Ok(address) => Answered::Address(address),
                Err(_) => Answered::Target(text.to_owned()),
            };
            match value["status"].as_str() {
                None | Some("obey") => {}
                Some(status) => {
                    self.draft.left_out.push(format!("{name}: status `{status}` of {text}; make an override"))
                }
            }
            let weight = value["weight"].as_u64().and_then(|weight| u16::try_from(weight).ok());
            if weight.is_none() && !value["weight"].is_null() {
                self.lost(name, &format!("the weight of {text} is no number up to {}", u16::MAX), &value["weight"]);
            }
            members.push((self.draft.endpoint(&format!("{pool}-{text}"), answered), weight));
        }
        let held: &mut Pool = self.draft.pools.entry(id(pool)).or_default();
        held.members.extend(members);
    }

    fn check(&mut self, name: &str, record: &Value) -> Option<String> {
        let about = &record["octodns"]["healthcheck"];
        if !about.is_object() {
            if !about.is_null() {
                self.lost(name, "its health check is no mapping", about);
            }
            return None;
        }
        let protocol = about["protocol"].as_str().unwrap_or("HTTPS").to_ascii_lowercase();
        let port = about["port"].as_u64().map(|port| format!(":{port}")).unwrap_or_default();
        let host = about["host"].as_str().unwrap_or(name).trim_end_matches('.');
        let url = match protocol.as_str() {
            "tcp" => format!("tcp://{host}{}", if port.is_empty() { ":443" } else { &port }),
            "http" | "https" => format!("{protocol}://{host}{port}{}", about["path"].as_str().unwrap_or("/_dns")),
            other => {
                self.draft.left_out.push(format!("{name}: a health check by {other}"));
                return None;
            }
        };
        let check = id(name);
        self.draft.checks.insert(check.clone(), vec![format!("url = {}", quoted(&url))]);
        Some(check)
    }

    fn finish(mut self) -> Draft {
        let mut ns: Vec<String> = Vec::new();
        for server in &self.ns {
            let inside = server.trim_end_matches('.').strip_suffix(self.zone).and_then(|name| name.strip_suffix('.'));
            let glue = inside.map(|name| {
                let line = |kind: &str| {
                    let find =
                        |line: &&String| line.starts_with(&format!("{name} ")) && line.contains(&format!(" {kind} "));
                    self.records.iter().find(find).and_then(|line| line.rsplit(' ').next()).map(quoted)
                };
                [line("A"), line("AAAA")].into_iter().flatten().collect::<Vec<_>>().join(", ")
            });
            match (inside, glue) {
                (Some(name), Some(glue)) => ns.push(format!("{} = [{glue}]", quoted(name))),
                (_, _) => ns.push(format!("{} = []", quoted(server))),
            }
            if let Some(name) = inside {
                // Glue is made of it; the same record twice is a mistake.
                self.records.retain(|line| !line.starts_with(&format!("{name} ")));
            }
        }
        if ns.is_empty() {
            ns.push("ns1 = \"192.0.2.53\"".to_owned());
            self.draft
                .left_out
                .push("the name servers: octoDNS leaves them to its targets; `ns` has a placeholder".to_owned());
        }
        let mut zone = format!("[zone.{}]\nns = {{ {} }}\n", quoted(self.zone), ns.join(", "));
        if !self.records.is_empty() {
            zone.push_str(&format!("records = '''\n{}\n'''\n", self.records.join("\n")));
        }
        self.draft.zones.push(zone);
        self.draft
    }
}

/// As much of a value as a line may hold.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

/// Record data as a master file has it.
fn data(kind: &str, value: &Value) -> Option<String> {
    let field = |name: &str| match &value[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let fields =
        |names: &[&str]| names.iter().map(|name| field(name)).collect::<Option<Vec<_>>>().map(|all| all.join(" "));
    match kind {
        "A" | "AAAA" | "CNAME" | "DNAME" | "NS" | "PTR" => value.as_str().map(str::to_owned),
        "TXT" | "SPF" => value.as_str().map(texts),
        "MX" => fields(&["preference", "exchange"]).or_else(|| fields(&["priority", "value"])),
        "SRV" => fields(&["priority", "weight", "port", "target"]),
        "CAA" => Some(format!("{} {} {}", field("flags")?, field("tag")?, texts(&field("value")?))),
        "SSHFP" => fields(&["algorithm", "fingerprint_type", "fingerprint"]),
        "DS" => fields(&["key_tag", "algorithm", "digest_type", "digest"]),
        "TLSA" => fields(&["certificate_usage", "selector", "matching_type", "certificate_association_data"]),
        _ => None,
    }
}

/// Character strings of at most 255 octets each.
fn texts(text: &str) -> String {
    let text = text.replace("\\;", ";");
    let chunks = text.as_bytes().chunks(255).map(|chunk| {
        let escaped = chunk.iter().map(|octet| match octet {
            b'"' | b'\\' => format!("\\{}", char::from(*octet)),
            b' '..=b'~' => char::from(*octet).to_string(),
            other => format!("\\{other:03}"),
        });
        format!("\"{}\"", escaped.collect::<String>())
    });
    chunks.collect::<Vec<_>>().join(" ")
}
