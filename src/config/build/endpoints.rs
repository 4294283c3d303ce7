//! `[provider]`, `[region]` and `[endpoint]`, and the endpoints a service writes as bare addresses.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use sha2::{Digest as _, Sha256};

use crate::model::{
    Addresses, Endpoint, EndpointId, EndpointIx, ID_LENGTH_MAX, LoadFeed, OUTAGE_AT, Provider, ProviderId, Region,
    RegionId, Resume, Serves, Weight,
};

use super::{Build, addresses, endpoint_id, span, word_of};
use crate::config::{
    document::{Entry, Node, Table, Value},
    forms::parse_check_at,
    report::{Place, Raw},
    values::Percent,
};

/// The provider and region of endpoints that name none.
const DEFAULT: &str = "default";
/// A pushed load that was not renewed for this long does not count, unless told otherwise.
pub(in crate::config) const LOAD_STALE_AFTER: Duration = Duration::from_secs(30);

impl Build<'_, '_> {
    pub(super) fn groups(&mut self) {
        for entry in &self.root.section("provider").entries {
            let Ok(id) = entry.key.parse() else { continue };
            let table = entry.node.table().cloned().unwrap_or_default();
            let title = table.text("title").map(Into::into);
            let outage_at = table.parse::<Percent>("outage_at").map_or(OUTAGE_AT, |share| share.0);
            self.parts.providers.push(Provider { id, title, outage_at });
        }
        for entry in &self.root.section("region").entries {
            let Ok(id) = entry.key.parse() else { continue };
            let table = entry.node.table().cloned().unwrap_or_default();
            let title = table.text("title").map(Into::into);
            let at = table.get("at").and_then(coordinates);
            self.regions.by_id.insert(entry.key.clone(), at.is_some());
            self.parts.regions.push(Region { id, title, at });
        }
    }

    pub(super) fn endpoints(&mut self) {
        for entry in &self.root.section("endpoint").entries {
            let table = entry.node.table().cloned().unwrap_or_default();
            let endpoint = self.endpoint(entry, &table);
            self.parts.endpoints.push(endpoint);
        }
    }

    fn endpoint(&mut self, entry: &Entry, table: &Table) -> Endpoint {
        let provider = table.get("provider").and_then(|node| self.provider(node)).unwrap_or_else(|| self.no_provider());
        let region = table.get("region").and_then(|node| self.region(node)).unwrap_or_else(|| self.no_region());
        let check = table.get("check").and_then(|node| self.check_of(node));
        let labels = table.section("labels").entries.iter();
        Endpoint {
            id: endpoint_id(&entry.key),
            provider,
            region,
            serves: self.serves(entry, table),
            weight: table.number("weight").map_or_else(Weight::default, Weight),
            capacity: table.number("capacity"),
            labels: labels.filter_map(|label| Some((label.key.clone(), label.node.text()?.to_owned()))).collect(),
            check_at: table.text("check_at").and_then(parse_check_at),
            check,
            alias: None,
            load: table.get("load").and_then(|node| self.load(node)),
            resume: table.text("resume").and_then(|word| word_of(Resume::WORDS, word)).unwrap_or_default(),
        }
    }

    /// Addresses or a target, exactly one of both.
    fn serves(&mut self, entry: &Entry, table: &Table) -> Serves {
        let target = table.get("target");
        match (table.entry("address"), target) {
            (Some(address), Some(target)) => {
                let raw = Raw::error("E029", "an endpoint has either `address` or `target`")
                    .at(target.place, "leave one of both out, or make two endpoints of them")
                    .at(address.place, "beside this");
                self.reader.report.add(raw);
            }
            (None, None) => {
                let raw = Raw::error("E006", format!("endpoint `{}` has neither `address` nor `target`", entry.key))
                    .at(entry.place, "write address = \"203.0.113.10\" or target = \"www.cdn.example.net.\"");
                self.report().add(raw);
            }
            (Some(_), None) | (None, Some(_)) => {}
        }
        match target.and_then(|node| node.text()?.parse().ok()) {
            Some(name) => Serves::Target(name),
            None => Serves::Addresses(self.addresses(table)),
        }
    }

    /// Where a load is read: polled with `url` and `field`, or pushed.
    fn load(&mut self, node: &Node) -> Option<LoadFeed> {
        let table = node.table()?;
        let push = table.bool("push").unwrap_or(false);
        let wrong = match (push, table.get("url"), table.get("field")) {
            (true, Some(_), _) | (true, _, Some(_)) => "a pushed load has neither `url` nor `field`",
            (false, Some(_), None) => "a load with `url` has no `field`",
            (false, None, _) => "a load has neither `url` nor push = true",
            (true, None, None) => {
                let stale_after = span(table, "stale_after").unwrap_or(LOAD_STALE_AFTER);
                return Some(LoadFeed::Push { stale_after });
            }
            (false, Some(_), Some(_)) => {
                if let Some(entry) = table.entry("stale_after") {
                    let raw = Raw::error("E029", "`stale_after` is for a pushed load");
                    let label = "a polled one ages with the probe's interval; leave this out";
                    self.reader.report.add(raw.at(entry.place, label));
                }
                return Some(LoadFeed::Poll { url: table.text("url")?.into(), field: table.text("field")?.into() });
            }
        };
        let label = "write { url = \"http://{address}:9100/load\", field = \"connections\" } or { push = true }";
        self.report().add(Raw::error("E029", wrong).at(node.place, label));
        None
    }

    /// At most one address of each family: two of one family fail apart, and so are two endpoints.
    fn addresses(&mut self, table: &Table) -> Addresses {
        let mut v4: Option<(Place, Ipv4Addr)> = None;
        let mut v6: Option<(Place, Ipv6Addr)> = None;
        let nothing = Addresses::V4(Ipv4Addr::UNSPECIFIED);
        let Some(node) = table.get("address") else { return nothing };
        if matches!(&node.value, Value::List(list) if list.is_empty()) {
            self.report().add(Raw::error("E006", "an endpoint has at least one address").at(node.place, ""));
        }
        for (place, address) in addresses(node) {
            self.servable(place, address);
            let first = match address {
                IpAddr::V4(address) => v4.replace((place, address)).map(|(first, _)| (first, "IPv4")),
                IpAddr::V6(address) => v6.replace((place, address)).map(|(first, _)| (first, "IPv6")),
            };
            if let Some((first, family)) = first {
                self.report().add(
                    Raw::error("E018", format!("this endpoint has two {family} addresses"))
                        .at(place, "write a second endpoint for this one")
                        .at(first, "the first one")
                        .note("two addresses of one family fail apart, so each is an endpoint of its own"),
                );
            }
        }
        match (v4, v6) {
            (Some((_, v4)), Some((_, v6))) => Addresses::Both(v4, v6),
            (Some((_, v4)), None) => Addresses::V4(v4),
            (None, Some((_, v6))) => Addresses::V6(v6),
            (None, None) => nothing,
        }
    }

    /// An address that no client could ever connect to is a slip.
    fn servable(&mut self, place: Place, address: IpAddr) {
        let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
        if address.is_unspecified() || address.is_multicast() || broadcast {
            self.report().add(Raw::error("E017", format!("{address} is not an address of one machine")).at(place, ""));
        }
    }

    /// The provider a value names. `default` always exists.
    pub(super) fn provider(&mut self, node: &Node) -> Option<ProviderId> {
        let id: ProviderId = node.text()?.parse().ok()?;
        if id.as_str() == DEFAULT {
            return Some(self.no_provider());
        }
        Self::refer(&self.providers, id.as_str(), node.place, &mut self.reader.report);
        Some(id)
    }

    /// The region a value names. `default` always exists.
    pub(super) fn region(&mut self, node: &Node) -> Option<RegionId> {
        let id: RegionId = node.text()?.parse().ok()?;
        if id.as_str() == DEFAULT {
            return Some(self.no_region());
        }
        Self::refer(&self.regions, id.as_str(), node.place, &mut self.reader.report);
        Some(id)
    }

    fn no_provider(&mut self) -> ProviderId {
        let id: ProviderId = DEFAULT.parse().expect("`default` is an id");
        if self.providers.by_id.insert(DEFAULT.into(), ()).is_none() {
            self.parts.providers.push(Provider { id: id.clone(), title: None, outage_at: OUTAGE_AT });
        }
        id
    }

    fn no_region(&mut self) -> RegionId {
        let id: RegionId = DEFAULT.parse().expect("`default` is an id");
        if !self.regions.by_id.contains_key(DEFAULT) {
            self.regions.by_id.insert(DEFAULT.into(), false);
            self.parts.regions.push(Region { id: id.clone(), title: None, at: None });
        }
        id
    }

    /// An endpoint that a service writes as an address.
    pub(super) fn inline(&mut self, service: &str, place: Place, address: IpAddr) -> EndpointIx {
        self.servable(place, address);
        let id = inline_id(service, address);
        if let Some(known) = self.endpoints.by_id.get(id.as_str()) {
            let known = *known;
            self.report().add(
                Raw::error("E011", format!("endpoint `{id}` stands in two places"))
                    .at(place, "this address gets that id")
                    .note("an inline address gets the id <service>-<address>"),
            );
            return known;
        }
        let ix = EndpointIx::new(self.parts.endpoints.len());
        self.endpoints.by_id.insert(id.to_string(), ix);
        let (provider, region) = (self.no_provider(), self.no_region());
        self.parts.endpoints.push(Endpoint {
            id,
            provider,
            region,
            serves: Serves::Addresses(match address {
                IpAddr::V4(v4) => Addresses::V4(v4),
                IpAddr::V6(v6) => Addresses::V6(v6),
            }),
            weight: Weight::default(),
            capacity: None,
            labels: Default::default(),
            check_at: None,
            check: None,
            alias: Some(address.to_string()),
            load: None,
            resume: Resume::Auto,
        });
        ix
    }
}

/// `<service>-<address with dashes>`; where that is longer than an id may be, a hash stands for the service's tail.
fn inline_id(service: &str, address: IpAddr) -> EndpointId {
    let dashed = address.to_string().replace(['.', ':'], "-");
    let id = format!("{service}-{dashed}");
    if id.len() <= ID_LENGTH_MAX {
        return endpoint_id(&id);
    }
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(service.as_bytes())[..4]);
    let room = ID_LENGTH_MAX.saturating_sub(dashed.len() + hash.len() + 2);
    let head: String = service.chars().take(room).collect();
    endpoint_id(&format!("{head}-{hash}-{dashed}"))
}

fn coordinates(node: &Node) -> Option<(f64, f64)> {
    match node.items() {
        [latitude, longitude] => Some((latitude.number()?, longitude.number()?)),
        _ => None,
    }
}
