//! `_why.<name> TXT`: the decision about a name in short strings, for those who may ask (`dns.debug_names`).
//!
//! One record with many strings, because a resolver may turn the order of records and not that of strings. It is made of
//! the same trace as `wayshift explain`; a name that exists in the zone stands before it.

use std::{fmt::Write as _, time::Duration};

use super::{Answering, Draws, Owner, Records};
use crate::{
    dns::message::meta,
    model::{DnsName, Span, kind},
    steer::{
        Lookup, Trace,
        explain::{ClientTrace, MemberTrace, NameTrace, PoolTrace, RuleTrace, SteeringTrace, Until},
    },
};

/// What stands in front of the name that is asked about.
const LABEL: &[u8] = b"\x04_why";
/// Most octets of one string (RFC 1035 section 3.3); the rest is cut.
const STRING_MAX: usize = 255;
/// Most strings; the last says how many are left out. They and all else fit into 64 KiB many times over.
const STRINGS_MAX: usize = 24;

impl<D: Draws> Answering<'_, '_, D> {
    /// Answers such a name, of whatever type; `false` if this is none.
    pub(super) fn why(&mut self, name: &[u8]) -> bool {
        let Some(about) = name.strip_prefix(LABEL) else { return false };
        let table = self.table;
        let is_free = match table.lookup(name, self.asked) {
            Lookup::NoName { .. } => true,
            Lookup::Found { wildcard, .. } => wildcard,
            Lookup::NotOurs | Lookup::Referral { .. } | Lookup::Dname { .. } => false,
        };
        let (Some(zone), Ok(about), true) = (table.zone_of(about), DnsName::from_wire(about), is_free) else {
            return false;
        };
        self.answer.authoritative = true;
        if self.asked != kind::TXT {
            self.no_data(zone);
            return true;
        }
        // Chance of its own: to look must not move what others get.
        let draw = self.draw(table.slots() + table.services());
        let traces = [kind::A, kind::AAAA].map(|kind| table.explain(&about, kind, &mut self.client, draw));
        let text = rdata(&strings(&traces, &self.whence()));
        self.answer.answer.push(Records::made(Owner::Asked, kind::TXT, meta::CLASS_IN, 0, text));
        true
    }

    /// Who is answered.
    fn whence(&self) -> String {
        match self.network {
            Some((address, bits)) => format!("client {address}/{bits} scope /{}", self.client.scope()),
            None => "client unknown".into(),
        }
    }
}

fn strings(traces: &[Trace; 2], whence: &str) -> Vec<String> {
    let [v4, v6] = traces;
    let mut text = vec![format!("{} {} generation {}", v4.name, at(&v4.at), v4.generation)];
    let (Some(steering), Some(other)) = (&v4.steering, &v6.steering) else {
        text.push("not steered: what is answered is fixed".into());
        return text;
    };
    text.push(format!("service {} {} ttl {}", steering.service, steering.steer, steering.ttl));
    text.push(client(whence, &steering.client));
    text.extend(steering.rule.as_ref().map(rule));
    if let Some((pool, order, void)) = &steering.pin {
        text.push(format!("pinned to {pool} by {order}{}", if *void { ", void" } else { "" }));
    }
    text.extend([("A", steering), ("AAAA", other)].map(|(kind, steering)| answer(kind, steering)));
    text.extend(steering.pools.iter().map(pool));
    let orders: Vec<String> = steering.overrides.iter().map(ToString::to_string).collect();
    if !orders.is_empty() {
        text.push(format!("overrides {}", orders.join(" ")));
    }
    text
}

fn client(whence: &str, client: &ClientTrace) -> String {
    let geo = client.geo.map(|code| format!(" geo {code}")).unwrap_or_default();
    let asn = client.asn.map(|number| format!(" asn {number}")).unwrap_or_default();
    format!("{whence}{geo}{asn}")
}

fn rule(rule: &RuleTrace) -> String {
    let because: Vec<String> = rule.because.iter().map(ToString::to_string).collect();
    let fence = if rule.geofence { " geofence" } else { "" };
    format!("rule {}{fence} at {} fits: {}", rule.nth + 1, rule.place, because.join(", "))
}

fn at(at: &NameTrace) -> &'static str {
    match at {
        NameTrace::NotOurs => "is not ours",
        NameTrace::NoName { .. } => "does not exist",
        NameTrace::Referral { .. } => "is delegated",
        NameTrace::Dname { .. } => "is below a DNAME",
        NameTrace::Found { wildcard: true, .. } => "stands by a wildcard",
        NameTrace::Found { wildcard: false, .. } => "exists",
    }
}

fn answer(kind: &str, steering: &SteeringTrace) -> String {
    let Some(pick) = &steering.pick else { return format!("{kind} nothing") };
    let mut text = format!("{kind} {}:", pick.basis.word());
    for (pool, endpoint, answered) in &pick.picked {
        let _ = write!(text, " {answered} ({endpoint} of {pool})");
    }
    if let Some(drawn) = pick.drawn {
        let _ = write!(text, " drew {} of {}", drawn.point, drawn.of);
    }
    if pick.ttl != steering.ttl {
        let _ = write!(text, " ttl {}", pick.ttl);
    }
    let _ = match &pick.until {
        Until::Steady => Ok(()),
        Until::Wavers { endpoint, left } => write!(text, " {endpoint} wavers, may be down in {}", short(*left)),
        Until::Timer { left } => write!(text, " decided again in {}", short(*left)),
    };
    text
}

fn pool(pool: &PoolTrace) -> String {
    let PoolTrace { pool, state, serving, members, last_resort, share, waits, .. } = pool;
    let resort = if *last_resort { " last resort" } else { "" };
    let mut text = format!("pool {pool}{resort} {} {serving}/{} up", state.word(), members.len());
    if *share < 100 {
        let _ = write!(text, " share {share} %");
    }
    if let Some(waits) = waits {
        let _ = write!(text, " waits {}", short(*waits));
    }
    text.push(':');
    for MemberTrace { endpoint, health, order, .. } in members {
        let _ = match (order, health) {
            (Some((order, _)), _) => write!(text, " {endpoint}={order}"),
            (None, Some(health)) => write!(text, " {endpoint}={health}"),
            (None, None) => write!(text, " {endpoint}=none"),
        };
    }
    text
}

/// Whole seconds, and the first begun one as one.
fn short(left: Duration) -> Span {
    Span(Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() != 0)))
}

fn rdata(strings: &[String]) -> Vec<u8> {
    let left_out = strings.len().saturating_sub(STRINGS_MAX);
    let more = (left_out > 0).then(|| format!("{left_out} more"));
    let mut rdata = Vec::new();
    for string in strings.iter().take(STRINGS_MAX).chain(&more) {
        let string = &string.as_bytes()[..string.len().min(STRING_MAX)];
        rdata.push(u8::try_from(string.len()).unwrap_or(u8::MAX));
        rdata.extend_from_slice(string);
    }
    rdata
}
