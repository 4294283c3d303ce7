//! The main job, seen from outside: real endpoints die and come back, and what clients get follows.

#![allow(clippy::disallowed_methods, reason = "waiting at the outer edge is by the machine's clock")]

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    support::{Endpoint, Node, ask, eventually, query, short, v4_answers},
    unbound::Unbound,
};

const ZONE: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n";

/// A check that decides fast: down after two failures, up after two passes.
const CHECK: &str = "[check.web]\nurl = \"http://www.example.com/healthz\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nfall = 2\nrise = 2\nrecheck = \"200ms\"\ncooldown = \"0s\"\n";

fn endpoint(id: &str, address: &str, at: SocketAddr, provider: &str) -> String {
    format!(
        "[endpoint.{id}]\nprovider = \"{provider}\"\nregion = \"eu\"\naddress = \"{address}\"\ncheck_at = \"{at}\"\n"
    )
}

fn groups() -> &'static str {
    "[provider.aws]\n[provider.gcp]\n[region.eu]\n"
}

#[test]
fn a_dead_endpoint_leaves_the_answers_of_a_real_resolver_and_comes_back() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let node = Node::start(&format!(
        "{ZONE}{CHECK}{}{}{}[pool.main]\nendpoints = [\"one\", \"two\"]\nanswer = \"first\"\n[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"main\"]\ncheck = \"web\"\nttl = \"1s\"\n",
        groups(),
        endpoint("one", "203.0.113.1", one.address, "aws"),
        endpoint("two", "203.0.113.2", two.address, "gcp"),
    ));
    let resolver = Unbound::start(node.dns, "module-config: \"iterator\"");
    let seen = || short(resolver.address, "www.gslb.example.com", "A");
    eventually("the first answer through the resolver", || (seen() == ["203.0.113.1"]).then_some(()));
    one.kill();
    let begun = Instant::now();
    eventually("the second endpoint through the resolver", || (seen() == ["203.0.113.2"]).then_some(()));
    // interval + fall x timeout + (fall - 1) x recheck + 1 s, and the TTL. Beyond it lies the machine's own slowness,
    // for which the test has patience and the operator would not: it is shown.
    let bound = Duration::from_millis(200 + 2 * 150 + 200 + 1000) + Duration::from_secs(1);
    eprintln!("failover through unbound took {:?}, the bound is {bound:?}", begun.elapsed());
    one.revive();
    eventually("the first endpoint again", || (seen() == ["203.0.113.1"]).then_some(()));
}

/// Three endpoints behind one weighted pool.
fn weighted(extra: &str, endpoints: [&Endpoint; 3]) -> String {
    let mut text = format!("{ZONE}{CHECK}{}", groups());
    for (n, at) in (1..).zip(endpoints) {
        text += &endpoint(&format!("e{n}"), &format!("203.0.113.{n}"), at.address, if n == 3 { "gcp" } else { "aws" });
    }
    text + "[pool.main]\nendpoints = { e1 = 70, e2 = 30, e3 = 0 }\n"
        + extra
        + "[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"main\"]\ncheck = \"web\"\n"
}

fn shares(at: SocketAddr, queries: u16) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for id in 0..queries {
        let reply = ask(at, &query("www.gslb.example.com", 1, id)).expect("an answer");
        for address in v4_answers(&reply) {
            *counts.entry(address.to_string()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn ten_thousand_queries_share_by_weight_and_the_rest_shares_when_one_is_down() {
    let endpoints = [Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1")];
    let node = Node::start(&weighted("", [&endpoints[0], &endpoints[1], &endpoints[2]]));
    node.all_up();
    let counts = shares(node.dns, 10_000);
    let (a, b) = (f64::from(counts["203.0.113.1"]), f64::from(counts["203.0.113.2"]));
    assert!((a + b - 10_000.0).abs() < 0.5, "one address each, never the one of weight 0: {counts:?}");
    // One degree of freedom; p > 0.001 means below 10.83.
    let chi = (a - 7000.0).powi(2) / 7000.0 + (b - 3000.0).powi(2) / 3000.0;
    assert!(chi < 10.83, "chi-square {chi}: {counts:?}");
    endpoints[0].kill();
    eventually("the first to leave", || {
        let counts = shares(node.dns, 50);
        (counts.keys().collect::<Vec<_>>() == ["203.0.113.2"]).then_some(())
    });
}

#[test]
fn two_of_three_are_answered_when_count_says_so() {
    let endpoints = [Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1")];
    let config = weighted("count = 2\n", [&endpoints[0], &endpoints[1], &endpoints[2]]).replace("e3 = 0", "e3 = 100");
    let node = Node::start(&config);
    node.all_up();
    for id in 0..200 {
        let mut answer = v4_answers(&ask(node.dns, &query("www.gslb.example.com", 1, id)).unwrap());
        answer.sort();
        answer.dedup();
        assert_eq!(answer.len(), 2, "two different endpoints in each answer");
    }
}

#[test]
fn negative_answers_carry_the_soa_and_a_family_without_members_is_no_data() {
    let one = Endpoint::start("127.0.0.1");
    let node = Node::start(&format!(
        "{ZONE}{CHECK}{}{}[pool.main]\nendpoints = [\"one\"]\n[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"main\"]\ncheck = \"web\"\n",
        groups(),
        endpoint("one", "203.0.113.1", one.address, "aws")
    ));
    let nodata = node.dig(&["+norecurse", "www.gslb.example.com", "AAAA"]);
    assert!(nodata.contains("status: NOERROR") && nodata.contains("ANSWER: 0") && nodata.contains("SOA"), "{nodata}");
    let nxdomain = node.dig(&["+norecurse", "nope.gslb.example.com", "A"]);
    assert!(nxdomain.contains("status: NXDOMAIN") && nxdomain.contains("SOA"), "{nxdomain}");
    let refused = node.dig(&["+norecurse", "www.example.org", "A"]);
    assert!(refused.contains("status: REFUSED"), "{refused}");
}

#[test]
fn with_everything_down_the_service_answers_as_it_says() {
    let (one, two, sorry) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let services: String = ["serve-all", "last-good", "nodata", "servfail"]
        .iter()
        .map(|mode| format!("[service.{mode}]\nnames = [\"{mode}.gslb.example.com\"]\npools = [\"main\"]\ncheck = \"web\"\nwhen_none_healthy = \"{mode}\"\n"))
        .collect();
    let node = Node::start(&format!(
        "{ZONE}{CHECK}{}{}{}{}[pool.main]\nendpoints = [\"one\", \"two\"]\n[pool.sorry]\nendpoints = [\"sorry\"]\n{services}[service.resort]\nnames = [\"resort.gslb.example.com\"]\npools = [\"main\"]\ncheck = \"web\"\nlast_resort = \"sorry\"\n",
        groups(),
        endpoint("one", "203.0.113.1", one.address, "aws"),
        endpoint("two", "203.0.113.2", two.address, "gcp"),
        endpoint("sorry", "203.0.113.9", sorry.address, "gcp"),
    ));
    let ask = |mode: &str| node.short(&format!("{mode}.gslb.example.com"), "A");
    // The second dies first, so that the last healthy set is the first alone.
    two.kill();
    eventually("the second to leave", || (ask("serve-all") == ["203.0.113.1"]).then_some(()));
    one.kill();
    eventually("everything down", || {
        node.dig(&["+norecurse", "servfail.gslb.example.com", "A"]).contains("status: SERVFAIL").then_some(())
    });
    assert_eq!(ask("serve-all"), ["203.0.113.1", "203.0.113.2"]);
    assert_eq!(ask("last-good"), ["203.0.113.1"]);
    assert_eq!(ask("resort"), ["203.0.113.9"]);
    let nodata = node.dig(&["+norecurse", "nodata.gslb.example.com", "A"]);
    assert!(nodata.contains("status: NOERROR") && nodata.contains("ANSWER: 0") && nodata.contains("SOA"), "{nodata}");
}
