//! A configuration in the making: what importers find, and the TOML of it.

use std::{collections::BTreeMap, net::IpAddr};

use crate::model::ID_LENGTH_MAX;

/// Everything found so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// Tables of zones, as text.
    pub(super) zones: Vec<String>,
    /// Checks by id: the lines of their tables.
    pub(super) checks: BTreeMap<String, Vec<String>>,
    /// Endpoints by id.
    pub(super) endpoints: BTreeMap<String, Vec<Answered>>,
    /// Regions by id, with a place if one is known.
    pub(super) regions: BTreeMap<String, Option<(f64, f64)>>,
    /// The region of an endpoint.
    pub(super) standing: BTreeMap<String, String>,
    /// Pools by id.
    pub(super) pools: BTreeMap<String, Pool>,
    /// Services, in the order found.
    pub(super) services: Vec<Service>,
    /// Further lines at the end.
    pub(super) extra: Vec<String>,
    /// What has no counterpart.
    pub(super) left_out: Vec<String>,
    /// Files beside the configuration: path and text.
    pub(super) files: Vec<(String, String)>,
}

/// What an endpoint is answered as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answered {
    Address(IpAddr),
    Target(String),
}

/// Members with their weights, if they have any, and further lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) members: Vec<(String, Option<u16>)>,
    pub(super) lines: Vec<String>,
}

/// Names that are steered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) names: Vec<String>,
    pub(super) pools: Vec<String>,
    pub(super) lines: Vec<String>,
    pub(super) rules: Vec<Rule>,
}

/// `when` and its pools.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) when: Vec<(&'static str, Vec<String>)>,
    pub(super) pools: Vec<String>,
}

impl Draft {
    /// An endpoint for something answered; the same thing under the same name is one endpoint.
    pub(super) fn endpoint(&mut self, name: &str, answered: Answered) -> String {
        let id = id(name);
        let held = self.endpoints.entry(id.clone()).or_default();
        let clashes = |one: &Answered| match (one, &answered) {
            (Answered::Address(a), Answered::Address(b)) => a.is_ipv4() == b.is_ipv4() && a != b,
            (a, b) => a != b,
        };
        if held.iter().any(clashes) {
            let other = match &answered {
                Answered::Address(address) => format!("{name}-{address}"),
                Answered::Target(target) => format!("{name}-{target}"),
            };
            return self.endpoint(&other, answered);
        }
        if !held.contains(&answered) {
            held.push(answered);
        }
        id
    }

    /// The configuration.
    pub(super) fn toml(&self) -> String {
        let mut text = String::from("# A draft made by `wayshift import`. Read it, mend it, check it, plan it.\n");
        self.zones.iter().for_each(|zone| text.push_str(&format!("\n{zone}")));
        if !self.regions.is_empty() {
            text.push_str("\n[region]\n");
            for (id, at) in &self.regions {
                let at = at.map_or_else(String::new, |(lat, lon)| format!(" at = [{lat:?}, {lon:?}] "));
                text.push_str(&format!("{id} = {{{at}}}\n"));
            }
        }
        for (id, lines) in &self.checks {
            text.push_str(&format!("\n[check.{id}]\n{}\n", lines.join("\n")));
        }
        if !self.endpoints.is_empty() {
            text.push_str("\n[endpoint]\n");
        }
        for (id, answered) in &self.endpoints {
            let mut keys = Vec::new();
            if let Some(region) = self.standing.get(id) {
                keys.push(format!("region = {}", quoted(region)));
            }
            let addresses: Vec<String> = answered
                .iter()
                .filter_map(|one| match one {
                    Answered::Address(address) => Some(quoted(&address.to_string())),
                    Answered::Target(_) => None,
                })
                .collect();
            match addresses.as_slice() {
                [] => {}
                [one] => keys.push(format!("address = {one}")),
                several => keys.push(format!("address = [{}]", several.join(", "))),
            }
            keys.extend(answered.iter().filter_map(|one| match one {
                Answered::Address(_) => None,
                Answered::Target(name) => Some(format!("target = {}", quoted(name))),
            }));
            text.push_str(&format!("{id} = {{ {} }}\n", keys.join(", ")));
        }
        for (id, pool) in &self.pools {
            let weighted = pool.members.iter().any(|(_, weight)| weight.is_some());
            let members: Vec<String> = pool
                .members
                .iter()
                .map(|(id, weight)| if weighted { format!("{id} = {}", weight.unwrap_or(1)) } else { quoted(id) })
                .collect();
            let (open, close) = if weighted { ("{ ", " }") } else { ("[", "]") };
            text.push_str(&format!("\n[pool.{id}]\nendpoints = {open}{}{close}\n", members.join(", ")));
            pool.lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        self.services.iter().for_each(|service| text.push_str(&service.toml()));
        self.extra.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        text
    }
}

impl Service {
    fn toml(&self) -> String {
        let mut text = format!("\n[service.{}]\nnames = {}\n", self.id, list(&self.names));
        text.push_str(&format!("pools = {}\n", list(&self.pools)));
        self.lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        for rule in &self.rules {
            let when: Vec<String> = rule.when.iter().map(|(key, values)| format!("{key} = {}", list(values))).collect();
            text.push_str(&format!(
                "\n[[service.{}.rule]]\nwhen  = {{ {} }}\npools = {}\n",
                self.id,
                when.join(", "),
                list(&rule.pools)
            ));
        }
        text
    }
}

/// A text in quotes.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A list of texts.
pub(super) fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
}

/// Whatever was written, as an id: other characters become dashes.
pub(super) fn id(text: &str) -> String {
    let fitting: String = text
        .trim_matches('.')
        .chars()
        .map(|c| c.to_ascii_lowercase())
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let fitting = fitting.trim_matches('-');
    let cut = &fitting[..fitting.len().min(ID_LENGTH_MAX)];
    if cut.is_empty() { "x".to_owned() } else { cut.trim_end_matches('-').to_owned() }
}
