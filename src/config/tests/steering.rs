//! Keys of steering, brakes and tests: what they become, and what regrets are told.

use std::time::Duration;

use super::*;
use crate::{
    config::{Ecs, GeoSettings},
    model::{
        Alone, AnchorAsk, Degraded, FlapHold, GeoCode, LoadFeed, OwnView, PoolAnswer, ReloadGuard, RemovalBudget,
        Resume, Service, Steer, Sticky, Tuning, Whence,
    },
};

/// Two providers, three endpoints, two pools, and a service `s` to whose table rows are added.
pub(super) fn service(more: &str) -> String {
    with(&format!(
        r#"
[provider.aws]
[provider.gcp]
[region]
us = {{ at = [38.9, -77.0] }}
eu = {{ at = [53.3, -6.3] }}
lab = {{}}
[endpoint]
a = {{ address = "192.0.2.1", provider = "aws", region = "us" }}
b = {{ address = "192.0.2.2", provider = "gcp", region = "eu" }}
c = {{ address = "192.0.2.3", provider = "aws", region = "lab" }}
[pool]
p = {{ endpoints = ["a", "b"] }}
q = {{ endpoints = ["b", "c"] }}
[service.s]
check = "http://x/"
names = ["s.gslb.example.com"]
{more}"#
    ))
}

/// The line on which the rows of [`service`] begin.
const FIRST: usize = 20;

/// Rows behind a service with the one problem they make; its line counts from the first row.
pub(super) fn check(more: &str, expected: &str) {
    let text = service(more);
    assert_eq!(text.lines().nth(FIRST - 1), more.lines().next());
    let (line, rest) = expected.split_once(' ').unwrap();
    let expected = format!("{} {rest}", line.parse::<usize>().unwrap() + FIRST - 1);
    assert_eq!(problems(&text), [expected], "{more}");
}

fn only(more: &str) -> Service {
    loaded(&service(more)).fleet.services[0].clone()
}

#[test]
fn a_service_sets_its_answers_and_inherits_what_it_leaves_out() {
    let pools = "pools = [\"p\", \"q\"]\n";
    assert_eq!(only(pools).tuning, Tuning::default());
    let set = only(&format!(
        "{pools}ttl_min = \"10s\"\nsticky = {{ v4 = 20 }}\ntrickle = \"0.25%\"\nfailback = \"2m\"\nramp = \"90s\"\n\
         spread = {{ providers = 2 }}\nhttps = {{ alpn = [\"h2\", \"h3\"] }}\n"
    ));
    assert_eq!(
        (set.tuning.ttl_min, set.tuning.sticky, set.tuning.trickle, set.tuning.spread),
        (10, Some(Sticky { v4: 20, v6: 56 }), 25, 2)
    );
    assert_eq!((set.tuning.failback, set.tuning.ramp), (Duration::from_secs(120), Duration::from_secs(90)));
    assert_eq!(set.tuning.https.unwrap().alpn.to_vec(), ["h2", "h3"]);
    let defaults = "[defaults]\nttl_min = \"7s\"\ntrickle = \"1%\"\nfailback = \"1m\"\nramp = \"2m\"\nsticky = true\n\
                    degraded = \"last\"\n";
    let inherits = loaded(&service(&format!("{pools}ttl = \"6s\"\nsticky = false\n{defaults}")));
    let inherited = &inherits.fleet.services[0].tuning;
    assert_eq!((inherited.ttl_min, inherited.trickle, inherited.sticky), (6, 100, None), "at most the service's TTL");
    assert_eq!((inherited.failback, inherited.ramp), (Duration::from_secs(60), Duration::from_secs(120)));
    assert!(inherits.fleet.pools.iter().all(|pool| pool.degraded == Degraded::Last));
}

#[test]
fn rules_say_for_whom_and_inherit_how() {
    let service = only(
        "pools = [\"p\", \"q\"]\nsteer = \"nearest\"\n\
         [[service.s.rule]]\nwhen = { subnet = \"10.0.0.0/8\" }\npools = [\"q\"]\nsteer = \"failover\"\n\
         [[service.s.rule]]\nwhen = { geo = [\"EU\", \"NA-US-CA\"], asn = [64500, \"AS64501\"] }\npools = [\"q\", \"p\"]\n\
         geofence = true\n\
         [[service.s.rule]]\nwhen = { asn = 1 }\npools = { q = 1, p = 3 }\n",
    );
    let [first, second, third] = &*service.rules else { panic!("{:?}", service.rules) };
    assert_eq!((first.steer, first.geofence, first.place.as_str()), (Steer::Failover, false, "test.toml:22"));
    assert_eq!(first.when.subnets.to_vec(), ["10.0.0.0/8".parse().unwrap()]);
    assert_eq!((second.steer, second.geofence, second.arms.len()), (Steer::Nearest, true, 2));
    assert_eq!(second.when.geo.to_vec(), ["EU", "NA-US-CA"].map(|code| code.parse::<GeoCode>().unwrap()));
    assert_eq!(second.when.asn.to_vec(), [64500, 64501]);
    assert_eq!((third.steer, third.arms[1].weight.0), (Steer::Weighted, 3));
    assert!(third.arms.iter().all(|arm| arm.subjects.len() == 2), "subjects of rules are judged as well");
}

#[test]
fn endpoints_pools_and_brakes_become_what_they_say() {
    let loaded = loaded(&with(
        r#"
[provider.aws]
outage_at = "75%"
[endpoint]
cdn = { target = "www.cdn.example.net", provider = "aws", resume = "manual" }
one = { address = "192.0.2.1", load = { url = "http://{address}:9100/load", field = "a.connections" } }
two = { address = "192.0.2.2", load = { push = true, stale_after = "20s" } }
[pool]
h = { endpoints = ["one", "two"], answer = "hash", degraded = "last", ramp = "1m" }
l = { endpoints = { one = 2, two = 1 }, answer = "least-connections" }
[service.s]
names = ["s.gslb.example.com"]
pools = ["h", "l"]
check = "http://x/"
[verdict]
flap = { hold = "1m" }
alone = "hold"
anchors = ["tcp://[2001:db8::1]:443", "https://status.example.net/up", "http://192.0.2.9"]
own_view = "rank-last"
vantages_per_endpoint = 3
[safety]
removal_budget = { share = "20%", at_least = 5 }
max_drained = "40%"
reload_guard = { answers = "10%" }
[dns]
ecs = "ignore"
debug_names = "127.0.0.0/8"
shadow = "2.5%"
"#,
    ));
    let fleet = &loaded.fleet;
    let outages: Vec<_> = fleet.providers.iter().map(|provider| provider.outage_at).collect();
    assert_eq!(outages, [75, 60], "the second is `default`");
    let [cdn, one, two] = &fleet.endpoints[..] else { panic!() };
    assert_eq!(cdn.target().map(ToString::to_string).as_deref(), Some("www.cdn.example.net."));
    assert_eq!((cdn.resume, one.resume), (Resume::Manual, Resume::Auto));
    let poll = LoadFeed::Poll { url: "http://{address}:9100/load".into(), field: "a.connections".into() };
    assert_eq!(one.load, Some(poll));
    assert_eq!(two.load, Some(LoadFeed::Push { stale_after: Duration::from_secs(20) }));
    let [hash, least] = &fleet.pools[..] else { panic!() };
    assert_eq!((hash.answer, hash.count, hash.degraded), (PoolAnswer::Hash, 1, Degraded::Last));
    assert_eq!((hash.ramp, least.ramp), (Some(Duration::from_secs(60)), None));
    assert_eq!((least.answer, least.members[0].weight.0), (PoolAnswer::LeastConnections, 2));
    let flap = FlapHold { hold: Duration::from_secs(60), ..FlapHold::default() };
    assert_eq!(fleet.verdict.flap, Some(flap));
    let policy = &fleet.verdict;
    assert_eq!((policy.alone, policy.own_view, policy.vantages_per_endpoint), (Alone::Hold, OwnView::RankLast, 3));
    let anchors: Vec<_> = policy.anchors.iter().map(|a| (a.ask, &*a.host, a.port)).collect();
    let asked = [
        (AnchorAsk::Tcp, "2001:db8::1", 443),
        (AnchorAsk::Https, "status.example.net", 443),
        (AnchorAsk::Http, "192.0.2.9", 80),
    ];
    assert_eq!(anchors, asked);
    let budget = RemovalBudget { share: 20, at_least: 5, ..RemovalBudget::default() };
    assert_eq!(fleet.safety.removal_budget, budget);
    assert_eq!(fleet.safety.max_drained, 40);
    assert_eq!(fleet.safety.reload_guard, ReloadGuard { answers: 10, ..ReloadGuard::default() });
    assert_eq!(loaded.settings.dns.ecs, Ecs::Ignore);
    assert_eq!(loaded.settings.dns.debug_names, ["127.0.0.0/8".parse().unwrap()]);
    assert_eq!(loaded.settings.dns.shadow, 250);
    assert_eq!(super::loaded(&with("[verdict]\nflap = false")).fleet.verdict.flap, None);
}

#[test]
fn tests_are_read_with_their_place_from_every_file() {
    let folder = tempfile::tempdir().unwrap();
    let case = |name: &str| {
        format!(
            "[[test]]\nname = \"{name}\"\ndown = \"provider:aws\"\nquery = \"s.gslb.example.com HTTPS from AS64500\"\n\
             expect = [\"a\", \"q\", \"192.0.2.3\", \"NODATA\"]\n"
        )
    };
    let main = format!("include = [\"tests.toml\"]\n{}{}", service("pools = [\"p\", \"q\"]\n"), case("one"));
    std::fs::write(folder.path().join("wayshift.toml"), main).unwrap();
    std::fs::write(folder.path().join("tests.toml"), case("two")).unwrap();
    let loaded = load(&folder.path().join("wayshift.toml"), &none).unwrap_or_else(|problems| panic!("{problems}"));
    let places: Vec<_> = loaded.tests.iter().map(|test| (test.name.as_str(), test.place.as_str())).collect();
    assert_eq!(places, [("one", "wayshift.toml:22"), ("two", "tests.toml:1")]);
    let test = &loaded.tests[0];
    assert_eq!((test.question.kind, &test.question.from), (65, &Some(Whence::Asn(64500))));
    assert_eq!((test.down.len(), test.drain.len(), test.expect.len()), (1, 0, 4));
    assert_eq!(loaded.effective()["test"][0]["query"], "s.gslb.example.com. HTTPS from AS64500");
}

#[test]
fn geo_files_stand_beside_the_configuration_and_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("wayshift.toml");
    std::fs::write(&main, with("[geo]\ndatabase = \"city.mmdb\"\nnets = \"nets.csv\"\n")).unwrap();
    std::fs::write(folder.path().join("nets.csv"), "").unwrap();
    let problems = load(&main, &none).unwrap_err();
    let found: Vec<_> = problems.errors().map(|problem| (problem.code, problem.at().unwrap().line)).collect();
    assert_eq!(found, [("E001", 4)]);
    assert!(problems.render(false).contains("leave the key out"), "{problems}");
    std::fs::write(folder.path().join("city.mmdb"), "").unwrap();
    let loaded = load(&main, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(loaded.settings.geo.database, Some(folder.path().join("city.mmdb")));
    assert_eq!((&loaded.settings.geo.asn, loaded.settings.geo.nets.is_some()), (&None, true));
    // A node starts from its accepted copy even when a database is gone: its clients are not located, that is all.
    std::fs::remove_file(folder.path().join("city.mmdb")).unwrap();
    let again = load_copies(&loaded.copies, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(again.warnings.iter().any(|problem| problem.code == "W219"), "{}", again.warnings);
    // A request tells nothing of this machine, not even whether a file is there.
    let sealed = parse_sealed(&with("[geo]\ndatabase = \"/etc/shadow\"\n")).unwrap();
    assert_eq!(sealed.settings.geo, GeoSettings::default());
}

#[test]
fn what_does_nothing_is_warned_of_where_it_stands() {
    let rule = |when: &str| format!("[[service.s.rule]]\nwhen = {{ {when} }}\npools = [\"p\"]\n");
    let (wide, narrow) = (rule("subnet = \"10.0.0.0/8\""), rule("subnet = \"10.1.0.0/16\""));
    check(&format!("pools = [\"p\", \"q\"]\n{wide}{narrow}"), "5 W213 this rule of service `s` can never match");
    assert_eq!(problems(&service(&format!("pools = [\"p\", \"q\"]\n{narrow}{wide}"))), Vec::<String>::new());
    for (when, key) in [("geo = \"EU\"", "database"), ("asn = 64500", "asn")] {
        let expected = format!("2 W214 this rule of service `s` never matches without [geo] {key}");
        check(&format!("pools = [\"p\"]\n{}", rule(when)), &expected);
    }
    check(
        "pools = [\"p\"]\n[verdict]\nanchors = [\"tcp://192.0.2.9:443\"]",
        "3 W221 `tcp://192.0.2.9:443` is the only anchor",
    );
    check(
        "pools = [\"p\"]\n[verdict]\nquorum = 3\nvantages_per_endpoint = 2",
        "3 W222 a quorum of 3 is more than the 2 vantages that probe an endpoint",
    );
    check(
        "pools = [\"p\"]\n[verdict]\nvantages_per_endpoint = 2",
        "3 W224 2 vantages an endpoint are too few for one that is broken to be outvoted",
    );
    let cdn = "[endpoint.cdn]\ntarget = \"www.cdn.example.net\"\n[pool.r]\nendpoints = [\"a\", \"cdn\"]";
    check(
        &format!("pools = [\"p\"]\n{cdn}"),
        "4 W220 pool `r` answers several endpoints at once, and `cdn` stands alone",
    );
    assert_eq!(problems(&service(&format!("pools = [\"p\"]\n{cdn}\ncount = 1"))), Vec::<String>::new());
    let fence = "[[service.s.rule]]\nwhen = { subnet = \"10.0.0.0/8\" }\npools = [\"r\"]\ngeofence = true\n\
                 [pool.r]\nendpoints = [\"a\", \"c\"]";
    for (more, expected) in [
        (
            "pools = [\"p\"]\nsteer = \"nearest\"",
            "2 W214 service `s` steers by `nearest`, and nothing tells where clients are",
        ),
        ("pools = [\"p\"]\ntrickle = \"1%\"", "2 W216 the trickle of service `s` has no next pool to go to"),
        (
            "pools = [\"p\", \"q\"]\nsteer = \"random\"\ntrickle = \"1%\"",
            "3 W216 the trickle of service `s` has no next pool to go to",
        ),
        ("pools = [\"p\"]\nramp = \"1m\"", "2 W216 the ramp of service `s` has no share that could grow"),
        (
            "pools = [\"p\", \"q\"]\nspread = { providers = 3 }",
            "2 W217 answers of service `s` cannot span 3 providers in every pool",
        ),
        (
            "pools = [\"p\", \"q\"]\nsteer = \"least-connections\"",
            "2 W218 service `s` chooses by load, and no endpoint of it has a `load`",
        ),
        (
            "pools = [\"p\"]\n[pool.r]\nendpoints = [\"a\", \"b\"]\nanswer = \"least-connections\"",
            "2 W218 pool `r` chooses by load, and none of its endpoints has a `load`",
        ),
        (&format!("pools = [\"p\"]\n{fence}"), "2 W203 all endpoints behind a fence of service `s` are at aws"),
    ] {
        check(more, expected);
    }
}

#[test]
fn regions_that_are_nowhere_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("wayshift.toml");
    std::fs::write(folder.path().join("city.mmdb"), "").unwrap();
    let text = service("pools = [\"p\", \"q\"]\nsteer = \"nearest\"\n[geo]\ndatabase = \"city.mmdb\"\n");
    std::fs::write(&main, text).unwrap();
    let loaded = load(&main, &none).unwrap_or_else(|problems| panic!("{problems}"));
    let codes: Vec<_> = loaded.warnings.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["W215"]);
    assert!(loaded.warnings.render(false).contains("regions without `at`: lab"), "{}", loaded.warnings);
}

#[test]
fn the_slowest_check_of_a_rule_counts_for_the_worst_case() {
    let loaded = loaded(&service(
        "pools = [\"p\"]\n[check.slow]\nurl = \"http://y/\"\ninterval = \"60s\"\n\
         [pool.r]\nendpoints = [\"b\", \"c\"]\ncheck = \"slow\"\n\
         [[service.s.rule]]\nwhen = { subnet = \"10.0.0.0/8\" }\npools = [\"r\"]\n",
    ));
    let (ix, _) = loaded.fleet.services().next().unwrap();
    // 60 + 3 x 3 + 2 x 3 + 1
    assert_eq!(worst_case(&loaded.fleet, ix), Duration::from_secs(76));
    assert_eq!(loaded.warnings.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["W211"]);
}
