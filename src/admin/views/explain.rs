//! Why an answer is what it is: `GET /v1/explain`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{OrderView, TallyView};
use crate::{
    admin::record,
    judge::brakes::{AUTO_SHARE, SMALL_POOL_MAX},
    model::{Cause, Health, Hold, MinUp, Override, OverrideId, PoolAnswer, ServiceId, Span, Steer, Wall, Whence},
    steer::{
        Outcome, Trace,
        decide::Basis,
        explain::{
            ClientTrace, MemberTrace, NameTrace, NextTrace, PickTrace, PoolTrace, RankTrace, SteeringTrace, Until,
        },
    },
};

/// An answer and the steps that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The name asked for, with its final dot.
    pub name: String,
    /// The type asked for: `A`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The records' data of one possible answer, in presentation form.
    pub answer: Vec<String>,
    /// `NOERROR`, `NXDOMAIN`, `REFUSED`, `SERVFAIL`; with an empty `answer`, `NOERROR` is NODATA.
    pub rcode: String,
    /// TTL of the answer in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttl: Option<u32>,
    /// Which node explains.
    pub node: String,
    /// Of which snapshot.
    pub generation: u64,
    /// The service, when the name is steered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<ServiceId>,
    /// The decision, in order.
    pub steps: Vec<StepView>,
    /// What would answer next if the chosen were gone, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub next: Vec<String>,
}

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Its kind: `name`, `override`, `pool`, `pick`, `none-healthy`, `ttl` ...
    pub step: String,
    /// What was looked at: `www.gslb.example.com`, `pool eu`.
    pub subject: String,
    /// What was found there: `3 of 3 up (needs 50%)`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
    /// What followed: `service www`, `open`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<String>,
    /// Lines below it, for people: one for each member of a pool, each override.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lines: Vec<String>,
    /// The same for programs; the fields depend on `step`.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub data: Value,
}

impl ExplainView {
    /// `fixed` are the records that stand at the name beside any service, with their TTL.
    pub(in crate::admin) fn of(trace: &Trace, fixed: (Vec<String>, Option<u32>), orders: &[Override]) -> Self {
        let mut view = Self {
            name: trace.name.to_string(),
            kind: record::word_of(trace.kind),
            answer: Vec::new(),
            rcode: "NOERROR".to_owned(),
            ttl: None,
            node: trace.node.to_string(),
            generation: trace.generation,
            service: None,
            steps: vec![StepView::of_name(trace)],
            next: Vec::new(),
        };
        match &trace.at {
            NameTrace::NotOurs => "REFUSED".clone_into(&mut view.rcode),
            NameTrace::NoName { .. } => "NXDOMAIN".clone_into(&mut view.rcode),
            NameTrace::Referral { .. } | NameTrace::Dname { .. } => {}
            NameTrace::Found { .. } => (view.answer, view.ttl) = fixed,
        }
        if let Some(steering) = &trace.steering {
            view.service = Some(steering.service.clone());
            view.add_steering(steering, orders);
        }
        view
    }

    fn add_steering(&mut self, steering: &SteeringTrace, orders: &[Override]) {
        self.steps.push(StepView::of_rule(steering));
        self.steps.push(StepView::of_overrides(&steering.overrides, orders));
        if let Some((pool, order, void)) = &steering.pin {
            let result = if *void { "void: the pool has no servable endpoint" } else { "in force" };
            let data = json!({ "pool": pool, "override": order, "void": void });
            self.steps.push(StepView::new("pin", format!("pool {pool} by {order}"), result.to_owned(), data));
        }
        let used = |pool: &PoolTrace| {
            steering.pick.iter().flat_map(|pick| &pick.picked).any(|(picked, ..)| *picked == pool.pool)
        };
        self.steps.extend(steering.pools.iter().map(|pool| StepView::of_pool(pool, used(pool))));
        if !steering.kept.is_empty() {
            let data = json!({ "endpoints": steering.kept });
            let result = "drained, and serving because nothing else is healthy".to_owned();
            self.steps.push(StepView::new("kept", joined(&steering.kept), result, data));
        }
        let Some(pick) = &steering.pick else {
            if self.answer.is_empty() {
                let data = json!({ "steer": steering.steer.word(), "picked": [] });
                let result = "a service answers A and AAAA alone".to_owned();
                self.steps.push(StepView::new("pick", "nothing".to_owned(), result, data));
            }
            return;
        };
        self.steps.push(StepView::of_pick(pick));
        self.steps.extend(StepView::of_ttl(pick));
        match pick.outcome {
            Outcome::Addresses | Outcome::Target => {
                self.answer = pick.picked.iter().map(|(_, _, address)| address.to_string()).collect();
                self.ttl = Some(pick.ttl);
            }
            Outcome::NoData => {}
            Outcome::ServFail => "SERVFAIL".clone_into(&mut self.rcode),
        }
        self.next = pick.next.iter().map(next).collect();
    }
}

/// How far an explanation looked back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::admin) struct Past {
    /// To when.
    pub(in crate::admin) at: Wall,
    /// Over how many recorded transitions.
    pub(in crate::admin) transitions: usize,
}

impl ExplainView {
    /// Says what an explanation of the past is made of.
    pub(in crate::admin) fn looks_back(&mut self, Past { at, transitions }: Past) {
        let result = format!("from {transitions} recorded transitions since, over the configuration of now");
        let lines = vec!["overrides that were ended since, loads, paths and returns are not part of it".to_owned()];
        let step = StepView::new("at", at.to_string(), result, json!({ "at": at, "transitions": transitions }));
        self.steps.insert(0, StepView { lines, ..step });
    }

    /// Who asked, and how much of that decided.
    pub(in crate::admin) fn add_client(&mut self, whence: &Whence, client: &ClientTrace) {
        let geo = client.geo.map(|code| format!("geo {code}"));
        let asn = client.asn.map(|number| format!("AS{number}"));
        let known: Vec<String> = [geo, asn].into_iter().flatten().collect();
        let found = if known.is_empty() { None } else { Some(known.join(", ")) };
        let result = match client.scope {
            0 => "nothing of its address decided".to_owned(),
            scope => format!("used as /{scope}"),
        };
        let asn = client.asn;
        let data = json!({ "client": whence.to_string(), "geo": client.geo.map(|code| code.to_string()), "asn": asn,
            "placed": client.placed, "scope": client.scope });
        self.steps.push(StepView { found, ..StepView::new("scope", whence.to_string(), result, data) });
    }
}

/// `eu(gcp-euw, dc-fra)`; the last resort says so.
fn next(next: &NextTrace) -> String {
    let resort = if next.last_resort { "last resort " } else { "" };
    format!("{resort}{}({})", next.pool, joined(&next.endpoints))
}

fn joined<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

impl StepView {
    fn new(step: &str, subject: String, result: String, data: Value) -> Self {
        Self { step: step.to_owned(), subject, found: None, result: Some(result), lines: Vec::new(), data }
    }

    fn of_name(trace: &Trace) -> Self {
        let name = trace.name.to_string();
        let service = trace.steering.as_ref().map(|steering| &steering.service);
        let (result, data) = match &trace.at {
            NameTrace::NotOurs => ("in none of our zones".to_owned(), json!({ "is": "not-ours" })),
            NameTrace::NoName { zone } => {
                (format!("does not exist in zone {zone}"), json!({ "is": "no-name", "zone": zone.to_string() }))
            }
            NameTrace::Referral { zone, cut } => (
                format!("delegated at {cut} in zone {zone}"),
                json!({ "is": "referral", "zone": zone.to_string(), "cut": cut.to_string() }),
            ),
            NameTrace::Dname { zone, owner } => (
                format!("below the DNAME at {owner} in zone {zone}"),
                json!({ "is": "dname", "zone": zone.to_string(), "owner": owner.to_string() }),
            ),
            NameTrace::Found { zone, wildcard, kinds } => {
                let kinds: Vec<String> = kinds.iter().map(|kind| record::word_of(*kind)).collect();
                let by = if *wildcard { " by a wildcard" } else { "" };
                let what = match (service, kinds.as_slice()) {
                    (Some(service), []) => format!("service {service}{by}"),
                    (Some(service), some) => format!("service {service}{by}, and fixed {}", joined(some)),
                    (None, []) => format!("exists without records in zone {zone}{by}"),
                    (None, some) => format!("fixed {} in zone {zone}{by}", joined(some)),
                };
                let zone = zone.to_string();
                let data =
                    json!({ "is": "found", "zone": zone, "wildcard": wildcard, "kinds": kinds, "service": service });
                (what, data)
            }
        };
        Self::new("name", name, result, data)
    }

    /// How the service chooses among which pools, and in which order.
    fn of_rule(steering: &SteeringTrace) -> Self {
        let pools = steering.pools.iter().filter(|pool| !pool.last_resort);
        let pools: Vec<String> = pools
            .map(|pool| match steering.steer {
                Steer::Weighted => format!("{} {}", pool.pool, pool.weight.0),
                Steer::Failover
                | Steer::Nearest
                | Steer::Fastest
                | Steer::RoundRobin
                | Steer::Random
                | Steer::LeastConnections
                | Steer::All => pool.pool.to_string(),
            })
            .collect();
        let steer = steering.steer.word();
        let pool_ids: Vec<_> = steering.pools.iter().map(|pool| &pool.pool).collect();
        let place = steering.rule.as_ref().map(|rule| &rule.place);
        let nth = steering.rule.as_ref().map(|rule| rule.nth);
        let data = json!({ "steer": steer, "pools": pool_ids, "rule": nth, "place": place });
        let (subject, place) = match &steering.rule {
            None => ("any client".to_owned(), String::new()),
            Some(rule) => (joined(&rule.because), format!("   {}", rule.place)),
        };
        let fence = if steering.rule.as_ref().is_some_and(|rule| rule.geofence) { ", never leaves them" } else { "" };
        let result = format!("pools {} ({steer}{fence}){place}", pools.join(", "));
        Self::new("rule", subject, result, data)
    }

    /// One id alone stands in the subject; each order has a line with who and why.
    fn of_overrides(ids: &[OverrideId], orders: &[Override]) -> Self {
        let subject = if ids.is_empty() { "none matches".to_owned() } else { joined(ids) };
        let of = |id: &OverrideId| orders.iter().find(|order| order.id == *id);
        let lines = ids.iter().filter_map(of).map(|order| {
            let Override { action, target, author, reason, expires, id, .. } = order;
            let local = if order.local { "  local, on this node alone" } else { "" };
            format!("{} {target}  by {author}  \"{reason}\"  until {expires}  {id}{local}", action.word())
        });
        let (lines, data) = (lines.collect(), json!({ "overrides": ids }));
        Self { step: "override".to_owned(), subject, found: None, result: None, lines, data }
    }

    fn of_pool(pool: &PoolTrace, used: bool) -> Self {
        let needs = match pool.min_up {
            MinUp::Auto if pool.members.len() <= SMALL_POOL_MAX => "1".to_owned(),
            MinUp::Auto => format!("{AUTO_SHARE}%"),
            MinUp::Count(count) => count.to_string(),
            MinUp::Share(share) => format!("{share}%"),
        };
        let resort = if pool.last_resort { " (last resort)" } else { "" };
        let of = pool.members.len();
        let data = json!({
            "pool": pool.pool, "state": pool.state.word(), "up": pool.serving, "of": of, "needs": needs,
            "weight": pool.weight, "last_resort": pool.last_resort, "used": used,
            "members": pool.members.iter().map(member).collect::<Vec<_>>(),
        });
        let subject = format!("pool {}", pool.pool);
        let result = format!("{}{resort}", pool.state.word());
        let found = Some(format!("{} of {of} up (needs {needs})", pool.serving));
        Self { found, lines: pool.members.iter().map(line).collect(), ..Self::new("pool", subject, result, data) }
    }

    /// Why the answer may not be remembered for as long as the service's answers usually are.
    fn of_ttl(pick: &PickTrace) -> Option<Self> {
        let (why, data) = match &pick.until {
            Until::Steady => return None,
            Until::Wavers { endpoint, left } => {
                (format!("{endpoint} wavers and may be down in {}", Span(*left)), json!({ "wavers": endpoint }))
            }
            Until::Timer { left } => (
                format!("a failback, an override or a drain in steps ends in {}", Span(*left)),
                json!({ "timer": true }),
            ),
        };
        Some(Self::new("ttl", format!("{} s", pick.ttl), why, data))
    }

    fn of_pick(pick: &PickTrace) -> Self {
        let how = pick.answer.map_or("nothing", PoolAnswer::word);
        let drawn = pick.drawn.map(|drawn| format!(": drew {} of {}", drawn.point, drawn.of)).unwrap_or_default();
        let picked: Vec<String> =
            pick.picked.iter().map(|(pool, endpoint, address)| format!("{pool}/{endpoint} {address}")).collect();
        let result = match (picked.as_slice(), pick.outcome) {
            ([], Outcome::ServFail) => "server failure".to_owned(),
            ([], _) => "no data".to_owned(),
            (some, _) => some.join(", "),
        };
        let data = json!({
            "ranking": pick.ranking.iter().map(rank).collect::<Vec<_>>(), "vantage": pick.vantage,
            "stands_in": pick.stands_in, "ttl": pick.ttl,
            "steer": pick.steer.word(), "answer": pick.answer.map(PoolAnswer::word), "basis": pick.basis.word(),
            "drew": pick.drawn.map(|drawn| drawn.point), "of": pick.drawn.map(|drawn| drawn.of),
            "picked": pick.picked.iter().map(|(pool, endpoint, address)| {
                json!({ "pool": pool, "endpoint": endpoint, "address": address.to_string() })
            }).collect::<Vec<_>>(),
        });
        let ground = if pick.basis == Basis::Healthy { String::new() } else { format!(" ({})", pick.basis.word()) };
        let own = if pick.stands_in { " (the rule has nothing as good)" } else { "" };
        let lines = pick.ranking.iter().filter_map(ranked).collect();
        Self { lines, ..Self::new("pick", format!("{how}{drawn}{ground}{own}"), result, data) }
    }
}

fn rank(rank: &RankTrace) -> Value {
    json!({ "pool": rank.pool, "share": rank.share, "distance_km": rank.distance_km, "path_us": rank.path_us })
}

/// `eu  640 km`, where place or path decided.
fn ranked(rank: &RankTrace) -> Option<String> {
    let far = rank.distance_km.map(|km| format!("  {km} km"));
    let slow = rank.path_us.map(|us| format!("  {}.{} ms", us / 1000, us % 1000 / 100));
    (far.is_some() || slow.is_some())
        .then(|| format!("{}{}{}", rank.pool, far.unwrap_or_default(), slow.unwrap_or_default()))
}

fn member(member: &MemberTrace) -> Value {
    json!({
        "endpoint": member.endpoint, "address": member.address, "weight": member.weight,
        "weight_by": member.weighted_by, "verdict": member.health.map(Health::word),
        "measured": member.measured.map(Health::word), "cause": member.cause.as_ref().map(Cause::word),
        "votes": member.tally.map(TallyView::from), "order": member.order.clone().map(OrderView::from),
        "hold": member.hold.map(Hold::word), "share": member.share, "leaving": member.leaving,
        "returned": member.returned.map(Span), "flips_in": member.flips_in.map(Span),
        "load": member.busy.and_then(|busy| busy.load).map(|load| load.0),
        "capacity": member.busy.and_then(|busy| busy.capacity),
    })
}

/// `aws-euw  up  votes 3/3  weight 60`.
fn line(member: &MemberTrace) -> String {
    let mut line = member.endpoint.to_string();
    match (member.health, &member.cause) {
        (None, _) => line.push_str("  no address of this family"),
        (Some(health), Some(cause @ (Cause::Voted | Cause::Disputed))) => {
            let tally = member.tally.unwrap_or_default();
            let agree = if member.measured == Some(Health::Down) { tally.down } else { tally.up };
            line.push_str(&format!("  {health}"));
            // The votes are for what was measured, which an order may have overruled.
            if let Some(measured) = member.measured.filter(|measured| *measured != health) {
                line.push_str(&format!("  measured {measured}"));
            }
            line.push_str(&format!("  votes {agree}/{}", tally.cast()));
            if *cause == Cause::Disputed {
                line.push_str(" disputed");
            }
        }
        (Some(health), cause) => {
            line.push_str(&format!("  {health}"));
            cause.iter().for_each(|cause| line.push_str(&format!("  {}", cause.word().replace('-', " "))));
        }
    }
    line.push_str(&format!("  weight {}", member.weight.0));
    if let Some(order) = &member.weighted_by {
        line.push_str(&format!(" by {order}"));
    }
    if let Some(busy) = &member.busy {
        let load = busy.load.map_or_else(|| "unknown".to_owned(), |load| load.to_string());
        let of = busy.capacity.map(|capacity| format!(" of {capacity}")).unwrap_or_default();
        line.push_str(&format!("  load {load}{of}"));
    }
    if let Some((order, id)) = &member.order {
        line.push_str(&format!("  {order} by {id}"));
    }
    if let Some(hold) = member.hold {
        line.push_str(&format!("  held by {}", hold.word()));
    }
    if member.share < 100 {
        let how = if member.leaving { "leaving" } else { "coming back" };
        line.push_str(&format!("  {how}: {} % of its share", member.share));
    }
    line
}
