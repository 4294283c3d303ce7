//! gdnsd's plugins: each resource as an order of pools, with rules where it looks at clients.

use std::collections::BTreeMap;

use super::{
    super::draft::{Answered, Draft, Pool, Rule, Service, id, quoted},
    number,
    text::Node,
};

/// Resources that name others; a loop ends there.
const DEPTH_MAX: usize = 8;

pub(super) struct Resources<'c> {
    config: &'c Node,
    pub(super) draft: Draft,
}

/// What a resource comes to.
#[derive(Default)]
struct Made {
    pools: Vec<String>,
    check: Option<String>,
    rules: Vec<Rule>,
    nearest: bool,
}

impl<'c> Resources<'c> {
    pub(super) fn new(config: &'c Node) -> Self {
        Self { config, draft: Draft::default() }
    }

    /// The service of `plugin!resource`, without its names.
    pub(super) fn service(&mut self, written: &str) -> Option<Service> {
        let made = self.resource(written, 0)?;
        let mut lines = Vec::new();
        if made.nearest {
            lines.push("steer = \"nearest\"".to_owned());
        }
        if let Some(check) = made.check {
            lines.push(format!("check = {}", quoted(&check)));
        }
        let id = id(&written.replace('!', "-"));
        Some(Service { id, pools: made.pools, lines, rules: made.rules, ..Service::default() })
    }

    fn resource(&mut self, written: &str, depth: usize) -> Option<Made> {
        let (plugin, name) = written.split_once('!')?;
        let about = self.config.get("plugins")?.get(plugin)?;
        if DEPTH_MAX < depth {
            return None;
        }
        match plugin {
            "multifo" | "simplefo" | "weighted" => self.pooled(plugin, name, about.get(name)?),
            "metafo" => {
                let about = about.get("resources")?.get(name)?;
                let order: Vec<String> = about.get("datacenters")?.texts().iter().map(ToString::to_string).collect();
                self.centres(written, &order, about, depth)
            }
            "geoip" => self.geoip(written, name, about, depth),
            _ => None,
        }
    }

    /// One pool of the addresses of a resource.
    fn pooled(&mut self, plugin: &str, name: &str, about: &Node) -> Option<Made> {
        let pool = id(&format!("{plugin}-{name}"));
        let mut members: Vec<(String, Option<u16>)> = Vec::new();
        let families: Vec<&Node> =
            ["addrs_v4", "addrs_v6", "cnames"].into_iter().filter_map(|key| about.get(key)).collect();
        for family in if families.is_empty() { vec![about] } else { families } {
            let listed: Vec<(String, &Node)> = match family {
                Node::List(items) => {
                    items.iter().enumerate().map(|(nth, item)| ((nth + 1).to_string(), item)).collect()
                }
                Node::Text(_) => vec![("1".to_owned(), family)],
                Node::Table(entries) => entries.iter().map(|(key, value)| (key.clone(), value)).collect(),
            };
            for (key, value) in listed.into_iter().filter(|(key, _)| !SETTINGS.contains(&key.as_str())) {
                let (answered, weight) = match value {
                    Node::Text(text) => (text.as_str(), None),
                    Node::List(items) => (items.first()?.text()?, items.get(1).and_then(Node::text)),
                    Node::Table(_) => {
                        self.draft.left_out.push(format!("{plugin}!{name}: the group `{key}`; write it as a pool"));
                        continue;
                    }
                };
                let answered =
                    answered.parse().map_or_else(|_| Answered::Target(answered.to_owned()), Answered::Address);
                let endpoint = self.draft.endpoint(&format!("{name}-{key}"), answered);
                let weight = weight.and_then(|weight| weight.parse().ok());
                if !members.iter().any(|(known, _)| *known == endpoint) {
                    members.push((endpoint, weight));
                }
            }
        }
        let mut lines = Vec::new();
        match plugin {
            "simplefo" => lines.push("answer = \"first\"".to_owned()),
            "weighted" => {}
            _ => {
                // Half of it must be up there, where nothing is said.
                let share = about.get("up_thresh").and_then(Node::text).and_then(|text| text.parse::<f64>().ok());
                lines.push(format!("min_up = \"{:.0}%\"", share.unwrap_or(0.5) * 100.0));
            }
        }
        if members.is_empty() {
            return None;
        }
        self.draft.pools.insert(pool.clone(), Pool { members, lines });
        Some(Made { pools: vec![pool], check: self.check(about), ..Made::default() })
    }

    /// Datacenters in order, each a pool.
    fn centres(&mut self, written: &str, order: &[String], about: &Node, depth: usize) -> Option<Made> {
        let mut made = Made { check: self.check(about), ..Made::default() };
        for centre in order {
            let pools = self.centre(written, centre, about.get("dcmap")?.get(centre)?, &mut made, depth)?;
            made.pools.extend(pools);
        }
        Some(made)
    }

    fn centre(
        &mut self,
        written: &str,
        centre: &str,
        about: &Node,
        made: &mut Made,
        depth: usize,
    ) -> Option<Vec<String>> {
        if let Node::Text(text) = about
            && text.contains('!')
        {
            let inner = self.resource(text, depth + 1)?;
            made.check = made.check.take().or(inner.check);
            return Some(inner.pools);
        }
        if let Some(inner) =
            about.get("plugin").and_then(Node::text).or_else(|| about.get("resource").and_then(Node::text))
        {
            self.draft.left_out.push(format!("{written}: the datacenter `{centre}` by `{inner}`"));
            return Some(Vec::new());
        }
        let name = format!("{}-{centre}", written.split_once('!').map_or(written, |(_, name)| name));
        let inner = self.pooled("multifo", &name, about)?;
        made.check = made.check.take().or(inner.check);
        Some(inner.pools)
    }

    /// An order of datacenters by where clients are.
    fn geoip(&mut self, written: &str, name: &str, about: &Node, depth: usize) -> Option<Made> {
        let resource = about.get("resources")?.get(name)?;
        let map = about.get("maps")?.get(resource.get("map")?.text()?)?;
        let all: Vec<String> = map.get("datacenters")?.texts().iter().map(ToString::to_string).collect();
        let mut made = Made { check: self.check(resource), ..Made::default() };
        let mut pools: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for centre in &all {
            let found = self.centre(written, centre, resource.get("dcmap")?.get(centre)?, &mut made, depth)?;
            pools.insert(centre.clone(), found);
        }
        let order = |centres: &[String]| -> Vec<String> {
            centres.iter().filter_map(|centre| pools.get(centre)).flatten().cloned().collect()
        };
        if let Some(coordinates) = map.get("auto_dc_coords") {
            made.nearest = true;
            self.regions(coordinates, &pools);
        }
        for (net, centres) in map.get("nets").map(Node::entries).unwrap_or_default() {
            let centres: Vec<String> = centres.texts().iter().map(ToString::to_string).collect();
            made.rules.push(Rule { when: vec![("subnet", vec![net.clone()])], pools: order(&centres) });
        }
        let mut default = all.clone();
        if let Some(tree) = map.get("map") {
            let mut found = Vec::new();
            walk("", tree, &mut found);
            for (code, centres) in found {
                match code.as_str() {
                    "" => default = centres,
                    _ => made.rules.push(Rule { when: vec![("geo", vec![code])], pools: order(&centres) }),
                }
            }
        }
        made.rules.retain(|rule| !rule.pools.is_empty());
        made.pools = order(&default);
        if ["geoip_db", "geoip2_db", "geoip_db_v4_overlay"].iter().any(|key| map.get(key).is_some()) {
            self.draft.left_out.push("the database of places: name a City mmdb in [geo] database".to_owned());
        }
        Some(made)
    }

    /// Regions where datacenters have coordinates; their endpoints stand there.
    fn regions(&mut self, coordinates: &Node, pools: &BTreeMap<String, Vec<String>>) {
        for (centre, at) in coordinates.entries() {
            let numbers: Vec<f64> = at.texts().iter().filter_map(|text| text.parse().ok()).collect();
            let [latitude, longitude] = numbers.as_slice() else { continue };
            let region = id(centre);
            self.draft.regions.insert(region.clone(), Some((*latitude, *longitude)));
            let members = pools.get(centre).into_iter().flatten().filter_map(|pool| self.draft.pools.get(pool));
            let members: Vec<String> = members.flat_map(|pool| pool.members.iter().map(|(id, _)| id.clone())).collect();
            self.draft.standing.extend(members.into_iter().map(|endpoint| (endpoint, region.clone())));
        }
    }

    /// The first service type of a resource, as a check.
    fn check(&mut self, about: &Node) -> Option<String> {
        let names = about.get("service_types").map(Node::texts).unwrap_or_default();
        if let [_, more @ ..] = names.as_slice()
            && !more.is_empty()
        {
            self.draft.left_out.push(format!("service types {}: the first is taken", names.join(", ")));
        }
        let name = *names.first()?;
        let about = self.config.get("service_types")?.get(name)?;
        let kind = about.get("plugin").and_then(Node::text).unwrap_or("http_status");
        let text = |key: &str| about.get(key).and_then(Node::text);
        let url = match kind {
            "http_status" => {
                let port = text("port").filter(|port| *port != "80").map(|port| format!(":{port}")).unwrap_or_default();
                format!("http://{}{port}{}", text("vhost").unwrap_or("localhost"), text("url_path").unwrap_or("/"))
            }
            "tcp_connect" => format!("tcp://:{}", text("port").unwrap_or("80")),
            other => {
                self.draft.left_out.push(format!("service type {name}: the plugin `{other}`"));
                return None;
            }
        };
        let mut lines = vec![format!("url      = {}", quoted(&url))];
        let codes = about.get("ok_codes").map(Node::texts).unwrap_or_default();
        if !codes.is_empty() && kind == "http_status" {
            lines.push(format!("expect   = {{ status = [{}] }}", codes.join(", ")));
        }
        // gdnsd's own values where nothing is said.
        lines.push(format!("interval = \"{}s\"", number(about, "interval").unwrap_or(10)));
        lines.push(format!("timeout  = \"{}s\"", number(about, "timeout").unwrap_or(3)));
        lines.push(format!("fall     = {}", number(about, "down_thresh").unwrap_or(10).clamp(1, 64)));
        lines.push(format!("rise     = {}", number(about, "up_thresh").unwrap_or(20).clamp(1, 64)));
        let check = id(name);
        self.draft.checks.insert(check.clone(), lines);
        Some(check)
    }
}

/// Keys of a resource that are settings and no addresses.
const SETTINGS: [&str; 7] = ["service_types", "up_thresh", "multi", "ignore_health", "addrs_v4", "addrs_v6", "cnames"];

/// Codes with their datacenters, the narrower before the wider.
fn walk(code: &str, node: &Node, found: &mut Vec<(String, Vec<String>)>) {
    let (defaults, places): (Vec<_>, Vec<_>) = node.entries().iter().partition(|(key, _)| key == "default");
    for (key, value) in places {
        let inner = if code.is_empty() { key.clone() } else { format!("{code}-{key}") };
        match value {
            Node::Table(_) => walk(&inner, value, found),
            Node::Text(_) | Node::List(_) => {
                found.push((inner, value.texts().iter().map(ToString::to_string).collect()));
            }
        }
    }
    for (_, value) in defaults {
        found.push((code.to_owned(), value.texts().iter().map(ToString::to_string).collect()));
    }
}
