//! The second pass: from the table to a [`Fleet`] and [`Settings`], with every reference resolved.
//!
//! It goes on after a problem with whatever stands in for the broken part, so that one run finds everything; nothing of
//! it is used unless no error was found. A value that is not of its form reads as absent here, because
//! [`super::shape`] has said so already.

mod cases;
mod checks;
mod endpoints;
mod node;
mod places;
mod policy;
mod pools;
mod replication;
mod rules;
mod selectors;
mod services;
mod targets;
mod tuning;
mod zones;

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use crate::model::{
    Arm, Case, CheckIx, Degraded, DnsName, EndpointId, EndpointIx, Fleet, Parts, PoolIx, Service, ServiceIx, Span,
    Tuning, WhenNone,
};

use super::{
    document::{Node, Table},
    files::Reader,
    report::{Place, Raw, Report},
    settings::Settings,
    shape::closest,
    values::Asked,
};

pub(super) use self::places::by_distance;

/// Most entities of one kind; far above any fleet this program is meant for.
pub const ENTITIES_MAX: usize = 200_000;
/// Most memberships of all services together: the members of each pool, once for each service that uses it.
pub const MEMBERSHIPS_MAX: usize = 5_000_000;
/// Most ids a note lists.
const LISTED_MAX: usize = 20;

/// What is being built.
pub(super) struct Build<'r, 'a> {
    pub(super) reader: &'r mut Reader<'a>,
    root: &'r Table,
    pub(super) parts: Parts,
    defaults: Defaults,
    providers: Ids<()>,
    /// With each whether it has a place on the globe.
    regions: Ids<bool>,
    checks: Ids<CheckIx>,
    check_urls: HashMap<String, CheckIx>,
    endpoints: Ids<EndpointIx>,
    pools: Ids<PoolIx>,
    /// Where each steered name was written, with its service's place among the services.
    names: HashMap<DnsName, (Place, usize)>,
    /// Where each service is written, in the order of the fleet.
    pub(super) service_places: Vec<Place>,
    /// Where each pool is written, in the order of the fleet.
    pub(super) pool_places: Vec<Place>,
    /// Of each pool, once asked: whether an endpoint of it is somewhere.
    placed_pools: Vec<Option<bool>>,
    /// Where each check is written, in the order of the fleet.
    pub(super) check_places: Vec<Place>,
}

/// Ids of one kind, and their places in the fleet.
struct Ids<Ix> {
    kind: &'static str,
    by_id: HashMap<String, Ix>,
}

/// `[defaults]`.
struct Defaults {
    ttl: u32,
    when_none: Option<WhenNone>,
    tuning: Tuning,
    degraded: Degraded,
    timing: Table,
}

/// Everything that could be built, and whether it may be used.
pub(super) struct Built {
    pub(super) fleet: Option<Arc<Fleet>>,
    pub(super) settings: Settings,
    pub(super) tests: Vec<Case>,
}

impl<'r, 'a> Build<'r, 'a> {
    pub(super) fn new(reader: &'r mut Reader<'a>, root: &'r Table) -> Self {
        Self {
            reader,
            root,
            parts: Parts::default(),
            defaults: Defaults::of(root.section("defaults")),
            providers: Ids::new("provider"),
            regions: Ids::new("region"),
            checks: Ids::new("check"),
            check_urls: HashMap::new(),
            endpoints: Ids::new("endpoint"),
            pools: Ids::new("pool"),
            names: HashMap::new(),
            service_places: Vec::new(),
            pool_places: Vec::new(),
            check_places: Vec::new(),
            placed_pools: Vec::new(),
        }
    }

    /// Builds everything.
    pub(super) fn run(mut self) -> Built {
        self.bound();
        self.declare();
        self.groups();
        self.checks();
        let default_check = self.root.section("defaults").get("check").and_then(|node| self.check_of(node));
        self.parts.default_check = default_check;
        self.endpoints();
        self.pools();
        self.services();
        self.zones();
        self.targets();
        self.inherited();
        self.parts.verdict = policy::verdict(self.root.section("verdict"));
        self.flap();
        self.parts.safety = policy::safety(self.root.section("safety"));
        let settings = self.settings();
        self.listeners();
        self.selectors();
        self.memberships();
        let tests = self.cases();
        if self.report().error_count() > 0 {
            return Built { fleet: None, settings, tests };
        }
        let parts = std::mem::take(&mut self.parts);
        let fleet = match Fleet::assemble(parts) {
            Ok(fleet) => fleet,
            Err(error) => {
                // Everything the model refuses is found above with its place; this is for what is not.
                self.report().add(Raw::error("E029", error.to_string()));
                return Built { fleet: None, settings, tests };
            }
        };
        let found = super::lint::find(&self, &fleet);
        found.into_iter().for_each(|raw| self.report().add(raw));
        Built { fleet: Some(fleet), settings, tests }
    }

    pub(super) fn report(&mut self) -> &mut Report {
        &mut self.reader.report
    }

    /// The id of a service as it is written.
    fn service_key_of(&self, at: usize) -> &'r str {
        self.root.section("service").entries.get(at).map_or("", |entry| &entry.key)
    }

    /// What a service itself writes, in the order of the fleet.
    fn service_table(&self, ix: ServiceIx) -> Option<&Table> {
        self.root.section("service").entries.get(ix.index())?.node.table()
    }

    /// Whether a service itself writes a key.
    pub(super) fn writes(&self, ix: ServiceIx, key: &str) -> bool {
        self.service_table(ix).is_some_and(|table| table.get(key).is_some())
    }

    /// Where a key of a service is written; the service's own place without it.
    pub(super) fn service_key(&self, ix: ServiceIx, key: &str) -> Place {
        let written = self.service_table(ix).and_then(|table| table.get(key));
        written.map_or_else(|| self.service_places[ix.index()], |node| node.place)
    }

    /// Where a rule of a service is written.
    pub(super) fn rule_place(&self, ix: ServiceIx, at: usize) -> Place {
        let rules = self.service_table(ix).and_then(|table| table.get("rule"));
        let rule = rules.and_then(|node| node.items().get(at));
        // The header is a rule's first line, and says more than the span of everything in it.
        rule.map_or_else(|| self.service_places[ix.index()], |node| node.place)
    }

    /// Where a key of a section is written.
    pub(super) fn written(&self, section: &str, key: &str) -> Option<Place> {
        self.root.section(section).get(key).map(|node| node.place)
    }

    /// Whether a file that locates clients is named.
    pub(super) fn has_geo(&self, key: &str) -> bool {
        self.root.section("geo").get(key).is_some()
    }

    fn bound(&mut self) {
        for kind in ["zone", "provider", "region", "check", "endpoint", "pool", "service"] {
            let Some(entry) = self.root.entry(kind) else { continue };
            let count = entry.node.table().map_or(0, |table| table.entries.len());
            if count > ENTITIES_MAX {
                let message = format!("{count} entities of one kind are too many: at most {ENTITIES_MAX}");
                self.reader.report.add(Raw::error("E027", message).at(entry.place, ""));
            }
        }
        if self.root.section("zone").entries.is_empty() {
            let message = "no zone is configured, so nothing can be answered";
            self.report()
                .add(Raw::error("E006", message).hint("write [zone.\"gslb.example.com\"] with `ns` or `file`"));
        }
    }

    /// A small text can name large pools in many services.
    fn memberships(&mut self) {
        let size = |arm: &Arm| self.parts.pools.get(arm.pool.index()).map_or(0, |pool| pool.members.len());
        let all: usize = self.parts.services.iter().flat_map(arms).map(size).sum();
        if all > MEMBERSHIPS_MAX {
            let message = format!("{all} memberships of endpoints in services are too many: at most {MEMBERSHIPS_MAX}");
            self.report().add(Raw::error("E027", message));
        }
    }

    /// Gives every id its place before anything refers to it.
    fn declare(&mut self) {
        self.providers.declare(self.root.section("provider"), |_| ());
        self.regions.declare(self.root.section("region"), |_| false);
        self.checks.declare(self.root.section("check"), CheckIx::new);
        self.endpoints.declare(self.root.section("endpoint"), EndpointIx::new);
        self.pools.declare(self.root.section("pool"), PoolIx::new);
    }

    /// A reference that must exist.
    fn refer<Ix: Copy>(ids: &Ids<Ix>, id: &str, place: Place, report: &mut Report) -> Option<Ix> {
        let found = ids.by_id.get(id).copied();
        if found.is_none() {
            unknown(ids.kind, id, ids.by_id.keys().map(String::as_str), place, report);
        }
        found
    }
}

/// All arms of a service: its own, those of its rules, and the last resort.
fn arms(service: &Service) -> impl Iterator<Item = &Arm> {
    let of_rules = service.rules.iter().flat_map(|rule| &rule.arms);
    service.arms.iter().chain(of_rules).chain(&service.last_resort)
}

/// Says that nothing has this id.
fn unknown<'i>(kind: &str, id: &str, known: impl Iterator<Item = &'i str> + Clone, place: Place, report: &mut Report) {
    if report.is_full() {
        report.add(Raw::error("E012", ""));
        return;
    }
    let label = closest(id, known.clone()).map(|id| format!("did you mean `{id}`?")).unwrap_or_default();
    let listed = match known.clone().count() {
        0 => format!("no {kind} is defined; write [{kind}.{id}]"),
        many if many > LISTED_MAX => format!("{many} {kind}s are defined"),
        _ => {
            let mut all: Vec<&str> = known.collect();
            all.sort_unstable();
            format!("defined {kind}s: {}", all.join(", "))
        }
    };
    report.add(
        Raw::error("E012", format!("no {kind} is named `{id}`"))
            .at(place, label)
            .note(listed)
            .hint("help: wayshift check --explain E012"),
    );
}

impl<Ix: Copy> Ids<Ix> {
    fn new(kind: &'static str) -> Self {
        Self { kind, by_id: HashMap::new() }
    }

    fn declare(&mut self, table: &Table, ix: impl Fn(usize) -> Ix) {
        self.by_id = table.entries.iter().enumerate().map(|(at, entry)| (entry.key.clone(), ix(at))).collect();
    }
}

impl Defaults {
    fn of(table: &Table) -> Self {
        let when_none = table.text("when_none_healthy").and_then(|word| word_of(WhenNone::WORDS, word));
        Self {
            ttl: seconds(table, "ttl").unwrap_or(30),
            when_none,
            tuning: tuning::defaults(table),
            degraded: table.text("degraded").and_then(|word| word_of(Degraded::WORDS, word)).unwrap_or_default(),
            timing: table.clone(),
        }
    }
}

/// A value by the word it is written as.
fn word_of<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
}

fn span(table: &Table, key: &str) -> Option<std::time::Duration> {
    table.parse::<Span>(key).map(|span| span.0)
}

fn seconds(table: &Table, key: &str) -> Option<u32> {
    span(table, key).and_then(|span| u32::try_from(span.as_secs()).ok())
}

/// One address or several; a number or a list.
fn addresses(node: &Node) -> impl Iterator<Item = (Place, IpAddr)> + '_ {
    node.items().iter().filter_map(|item| Some((item.place, item.text()?.parse().ok()?)))
}

/// A stand-in id for one that is none, so that building goes on.
fn endpoint_id(text: &str) -> EndpointId {
    text.parse().unwrap_or_else(|_| "x".parse().expect("`x` is an id"))
}

/// What a URL asks for, when it is one.
fn asked(url: &str) -> Option<Asked> {
    Asked::parse(url).ok()
}
