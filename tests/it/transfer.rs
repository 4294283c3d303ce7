//! Secondaries, seen from outside: who gets the zone, what is in it, and that it outlives the node.

#![allow(clippy::disallowed_methods, reason = "waiting at the outer edge is by the machine's clock")]

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::{
    secondary::{KEY, Make, SECRET, Secondary, ZONE, free_port, serial},
    support::{Endpoint, Node, eventually, short, write_config},
};

/// A change is with each secondary after so long, from when the node itself answers otherwise: an edition a second, and a
/// transfer. Of several changes the fastest has to be, so that it holds on a machine that has much to do.
const FOLLOWS_MAX: Duration = Duration::from_secs(2);

/// A zone with something of everything; two endpoints behind one check.
fn config(notify: &[SocketAddr], one: &Endpoint, two: &Endpoint, more: &str) -> String {
    let notify: Vec<String> = notify.iter().map(ToString::to_string).collect();
    let (one, two) = (one.address, two.address);
    format!(
        "[tsig.{KEY}]\nsecret = {{ file = \"xfr.key\" }}\n[tsig.other]\nalgorithm = \"hmac-sha512\"\nsecret = \"b3RoZXI=\"\n\
         [zone.\"{ZONE}\"]\nns = {{ ns1 = \"192.0.2.53\", \"ns.example.net.\" = [] }}\n\
         transfer = {{ allow = [\"127.0.0.0/8\"], tsig = \"{KEY}\" }}\nnotify = {notify:?}\nrecords = '''\n\
         @ 60 CAA 0 issue \"ca.example\"\n@ 60 MX 10 mail\nmail 60 A 192.0.2.25\nsub 60 NS ns.sub\nns.sub 60 A 192.0.2.54\n\
         *.wild 60 TXT \"any\"\nalias 60 CNAME www\n{more}'''\n\
         [check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nfall = 2\nrise = 2\n\
         recheck = \"200ms\"\ncooldown = \"0s\"\n[provider.aws]\n[provider.gcp]\n[region.eu]\n[endpoint]\n\
         one = {{ provider = \"aws\", region = \"eu\", address = [\"203.0.113.1\", \"2001:db8::1\"], check_at = \"{one}\" }}\n\
         two = {{ provider = \"gcp\", region = \"eu\", address = \"203.0.113.2\", check_at = \"{two}\" }}\n\
         [pool]\nfirst = {{ endpoints = [\"one\", \"two\"], answer = \"first\" }}\nall = {{ endpoints = [\"one\", \"two\"] }}\n\
         [service.www]\nnames = [\"www.{ZONE}\", \"*.app.{ZONE}\"]\npools = [\"first\"]\ncheck = \"web\"\nttl = \"7s\"\n\
         [service.both]\nnames = [\"both.{ZONE}\"]\npools = [\"all\"]\ncheck = \"web\"\n"
    )
}

fn start(config: &str) -> Node {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("xfr.key"), format!("{SECRET}\n")).unwrap();
    let node = Node::start_in(folder, config);
    node.all_up();
    // There is an edition a second at most: the one that has both endpoints may be yet to come.
    eventually("an edition of what is answered now", || {
        let all = records(&node.dig(&["-y", &signed(KEY, SECRET), ZONE, "AXFR"]));
        let both = format!("both.{ZONE}.");
        (all.iter().filter(|record| record[0] == both && record[2] == "A").count() == 2).then_some(())
    });
    node
}

fn signed(key: &str, secret: &str) -> String {
    format!("hmac-sha256:{key}:{secret}")
}

/// Records of an answer of `dig`, without comments: owner, TTL, type, data.
fn records(said: &str) -> Vec<[String; 4]> {
    let lines = said.lines().filter(|line| !line.starts_with(';') && !line.is_empty() && !line.contains("\tTSIG\t"));
    let fields = |line: &str| -> Option<[String; 4]> {
        let mut words = line.split_whitespace();
        let (owner, ttl, _, kind) = (words.next()?, words.next()?, words.next()?, words.next()?);
        let data = words.collect::<Vec<_>>().join(" ");
        Some([owner, ttl, kind, &data].map(str::to_owned))
    };
    lines.filter_map(fields).filter(|record| record[2] != "TSIG").collect()
}

#[test]
fn what_is_transferred_is_what_is_answered() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let node = start(&config(&[], &one, &two, ""));
    let key = signed(KEY, SECRET);
    let said = node.dig(&["-y", &key, ZONE, "AXFR"]);
    let all = records(&said);
    assert_eq!((all[0][2].as_str(), all.first() == all.last()), ("SOA", true), "{said}");
    let mut sets: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for [owner, ttl, kind, data] in &all[1..] {
        sets.entry((owner.clone(), kind.clone())).or_default().push(format!("{ttl} {data}"));
    }
    assert!(sets.len() > 15, "{sets:?}");
    for ((owner, kind), mut set) in sets {
        // Below a cut the node speaks of nothing; what stands there is for the secondary's referrals. What content it
        // is, is for secondaries too.
        if owner.contains("sub.") || kind == "ZONEMD" {
            continue;
        }
        let name = owner.replacen('*', "some", 1);
        let said = node.dig(&["+norecurse", "+noall", "+answer", &name, &kind]);
        let mut asked: Vec<String> =
            records(&said).into_iter().map(|[_, ttl, _, data]| format!("{ttl} {data}")).collect();
        set.sort();
        asked.sort();
        assert_eq!(set, asked, "{owner} {kind}");
    }
    let has = |owner: &str, kind: &str| all.iter().any(|record| record[0] == owner && record[2] == kind);
    assert!(has("sub.gslb.example.com.", "NS") && has("ns.sub.gslb.example.com.", "A"), "{said}");
    // `first` answers with one endpoint, `all` with both.
    assert_eq!(all.iter().filter(|record| record[0].starts_with("www.") && record[2] == "A").count(), 1);
    assert_eq!(all.iter().filter(|record| record[0].starts_with("both.") && record[2] == "A").count(), 2);
    let exported = node.ok(&["export", "zone", ZONE]);
    for [owner, _, kind, data] in all.iter().filter(|record| record[0].starts_with("both.")) {
        assert!(exported.contains(&format!("{owner} 30 IN {kind} {data}")), "{exported}");
    }
}

#[test]
fn who_may_not_have_the_zone_learns_why() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let node = start(&config(&[], &one, &two, ""));
    let refused = |said: &str| assert!(records(said).is_empty() && said.contains("Transfer failed"), "{said}");
    refused(&node.dig(&[ZONE, "AXFR"]));
    refused(&node.dig(&[ZONE, "IXFR=1"]));
    refused(&node.dig(&["-y", "hmac-sha512:other:b3RoZXI=", ZONE, "AXFR"]));
    refused(&node.dig(&["-y", &signed(KEY, "d3Jvbmc="), ZONE, "AXFR"]));
    let asked = |key: &str| node.dig(&["+norecurse", "-y", key, ZONE, "SOA"]);
    let wrong = asked(&signed(KEY, "d3Jvbmc="));
    assert!(wrong.contains("NOTAUTH") && wrong.contains("BADSIG"), "{wrong}");
    let unknown = asked(&signed("nobody", SECRET));
    assert!(unknown.contains("NOTAUTH") && unknown.contains("BADKEY"), "{unknown}");
    let right = asked("hmac-sha512:other:b3RoZXI=");
    assert!(
        right.contains("status: NOERROR") && !right.contains("WARNING") && right.contains("TSIG PSEUDOSECTION"),
        "{right}"
    );
}

#[test]
fn secondaries_follow_a_failover_and_outlive_the_node() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let ports = [free_port(), free_port()];
    let node = start(&config(&ports.map(|port| ([127, 0, 0, 1], port).into()), &one, &two, ""));
    let secondaries =
        [(Make::Nsd, ports[0]), (Make::Knot, ports[1])].map(|(make, port)| Secondary::start(make, port, node.dns));
    let www = format!("www.{ZONE}");
    let mut took = [Duration::MAX; 2];
    let mut follow = |what: &str, expected: &str| {
        eventually(what, || (node.short(&www, "A") == [expected]).then_some(()));
        let begun = Instant::now();
        let mut after = [None; 2];
        eventually(what, || {
            for (secondary, after) in secondaries.iter().zip(&mut after) {
                if after.is_none() && short(secondary.address, &www, "A") == [expected] {
                    *after = Some(begun.elapsed());
                }
            }
            after.iter().all(Option::is_some).then_some(())
        });
        let after = after.map(Option::unwrap);
        println!("{what}: NSD after {:?}, Knot after {:?}", after[0], after[1]);
        took = [took[0].min(after[0]), took[1].min(after[1])];
        for secondary in &secondaries {
            eventually("the same serial", || (secondary.serial() == serial(node.dns)).then_some(()));
        }
    };
    assert_eq!(node.short(&www, "A"), ["203.0.113.1"]);
    one.kill();
    follow("a dead endpoint", "203.0.113.2");
    one.revive();
    follow("its return", "203.0.113.1");
    node.ok(&["drain", "provider:aws", "--reason", "test", "--yes"]);
    follow("a drain", "203.0.113.2");
    assert!(took.iter().all(|took| *took < FOLLOWS_MAX), "{took:?}");
    // Who was told has the zone before it is counted here.
    for series in ["dns_transfers_total{kind=\"ixfr\",outcome=\"done\"}", "dns_notifies_total{outcome=\"answered\"}"] {
        eventually(series, || (count(&metrics(&node), series) >= 6).then_some(()));
    }
    let (last, tested) = (serial(node.dns), node.short(&format!("both.{ZONE}"), "A"));
    drop(node.kill());
    for secondary in &secondaries {
        assert_eq!((secondary.serial(), short(secondary.address, &www, "A")), (last, vec!["203.0.113.2".to_owned()]));
        assert_eq!(short(secondary.address, &format!("x.app.{ZONE}"), "A"), ["203.0.113.2"]);
        assert_eq!(short(secondary.address, &format!("both.{ZONE}"), "A"), tested);
    }
}

pub(crate) fn metrics(node: &Node) -> String {
    let output = std::process::Command::new("curl")
        .args(["-sS", "--unix-socket"])
        .arg(node.socket())
        .arg("http://localhost/metrics")
        .output()
        .expect("curl is installed by `make test`");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn count(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find(|line| line.contains(series));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[test]
fn a_serial_stays_over_a_restart_and_rises_with_the_configuration() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let node = start(&config(&[], &one, &two, ""));
    let before = serial(node.dns).unwrap();
    let node = Node::restart_in(node.stop().1);
    node.all_up();
    assert_eq!(serial(node.dns), Some(before), "nothing in the zone has changed");
    node.write(&config(&[], &one, &two, "new 60 A 192.0.2.77\n"));
    node.ok(&["reload"]);
    let after = eventually("a newer serial", || serial(node.dns).filter(|serial| *serial != before));
    assert!(before < after, "{before} {after}");
    let said = node.dig(&["-y", &signed(KEY, SECRET), ZONE, &format!("IXFR={before}")]);
    let told: Vec<String> = records(&said).into_iter().map(|[owner, _, kind, _]| format!("{owner} {kind}")).collect();
    let soa = format!("{ZONE}. SOA");
    let added = format!("new.{ZONE}. A");
    let mark = format!("{ZONE}. ZONEMD");
    let steps = [&soa, &soa, &mark, &soa, &mark, &added, &soa];
    assert!(told.iter().eq(steps), "{said}");
}

#[test]
fn a_reload_takes_the_right_away() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let with = config(&[], &one, &two, "");
    let node = start(&with);
    let asked = || records(&node.dig(&["-y", &signed(KEY, SECRET), ZONE, "AXFR"])).len();
    assert!(asked() > 15);
    node.write(&with.replace("\"127.0.0.0/8\"", "\"192.0.2.0/24\""));
    node.ok(&["reload"]);
    eventually("the refusal", || (asked() == 0).then_some(()));
}

/// Two nodes that share nothing count each by itself, and see different things in between: their files begin at a serial
/// that is ahead of the time, so that both give the same numbers to what is not the same.
#[test]
fn one_serial_of_two_nodes_for_different_content_leads_no_secondary_astray() {
    let ports = [free_port(), free_port()];
    let notify: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let config = format!(
        "[tsig.{KEY}]\nsecret = {{ file = \"xfr.key\" }}\n[zone.\"{ZONE}\"]\nfile = \"zone\"\n\
         transfer = {{ tsig = \"{KEY}\" }}\nnotify = {notify:?}\n\
         [provider.p]\n[region.eu]\n[endpoint]\n\
         one = {{ provider = \"p\", region = \"eu\", address = \"203.0.113.1\" }}\n\
         two = {{ provider = \"p\", region = \"eu\", address = \"203.0.113.2\" }}\n\
         three = {{ provider = \"p\", region = \"eu\", address = \"203.0.113.3\" }}\n\
         [pool]\nall = {{ endpoints = [\"one\", \"two\", \"three\"] }}\n\
         [service.www]\nnames = [\"www.{ZONE}\"]\npools = [\"all\"]\n"
    );
    let start = |ip: &str| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("xfr.key"), format!("{SECRET}\n")).unwrap();
        let mut zone = format!(
            "$ORIGIN {ZONE}.\n@ 60 SOA ns1 hostmaster 3000000000 7200 900 1209600 30\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n"
        );
        // The steps are told only where they are shorter than the zone.
        (0..50).for_each(|n| zone.push_str(&format!("n{n} 60 A 192.0.2.1\n")));
        fs::write(folder.path().join("zone"), zone).unwrap();
        write_config(folder.path(), &config);
        let file = folder.path().join("wayshift.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen("127.0.0.1:0", &format!("{ip}:0"), 1)).unwrap();
        Node::restart_in(folder)
    };
    let nodes = ["127.0.0.1", "127.0.0.2"].map(start);
    let [a, b] = &nodes;
    let secondaries = [(Make::Nsd, ports[0]), (Make::Knot, ports[1])]
        .map(|(make, port)| Secondary::start_with(make, port, [a.dns, b.dns]));
    let www = format!("www.{ZONE}");
    let drain = |node: &Node, endpoint: &str, number: u32| {
        node.ok(&["drain", &format!("endpoint:{endpoint}"), "--reason", "test", "--yes"]);
        eventually("its serial", || (serial(node.dns) == Some(number)).then_some(()));
    };
    drain(a, "one", 3_000_000_001);
    for secondary in &secondaries {
        eventually("the first node's change", || (secondary.serial() == Some(3_000_000_001)).then_some(()));
    }
    drain(b, "two", 3_000_000_001);
    drain(b, "three", 3_000_000_002);
    for secondary in &secondaries {
        // Each says in its own words that the step does not fit, and fetches the whole zone, Knot from who told it, NSD from
        // whichever it asks next. The step alone would have left the second endpoint there, and nothing else.
        eventually("the whole zone of one of them", || {
            let said = short(secondary.address, &www, "A");
            assert_ne!(said, ["203.0.113.2"]);
            let log = secondary.log();
            let is_seen = log.contains("fallback to AXFR") || log.contains("Failed to apply IXFR cleanly");
            let of_one = said == ["203.0.113.1"] || said == ["203.0.113.2", "203.0.113.3"];
            (is_seen && of_one).then_some(())
        });
    }
}
