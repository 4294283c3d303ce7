//! What a node learns beside health, seen from outside: where clients are, how busy endpoints are, where targets are.

use std::{
    collections::HashMap,
    fs,
    future::Future,
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    os::unix::net::UnixStream,
    pin::Pin,
    sync::{Arc, Mutex},
};

use wayshift::{
    model::{DnsName, Family},
    node::{Exit, Node as Running, boot},
    probe::{Lookup, Part},
    store::bus::InProcessBus,
};

use crate::{
    mmdb,
    support::{Endpoint, Node, ask, dig, eventually, query, short, v4_answers, write_config},
};

const ZONE: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.lab]\n";

fn nearest(folder: &str) -> String {
    let place = |id: &str, at: &str, last: u8| {
        format!(
            "[region.{id}]\nat = [{at}]\n[endpoint.{id}]\nprovider = \"lab\"\nregion = \"{id}\"\naddress = \"203.0.113.{last}\"\n[pool.{id}]\nendpoints = [\"{id}\"]\n"
        )
    };
    let (eu, us) = (place("eu", "53.3, -6.3", 1), place("us", "38.9, -77.0", 2));
    format!(
        "[geo]\ndatabase = \"{folder}/city.mmdb\"\nnets = \"{folder}/nets.csv\"\n{ZONE}{eu}{us}[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"eu\", \"us\"]\nsteer = \"nearest\"\n"
    )
}

#[test]
fn a_database_is_replaced_while_the_node_runs_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let path = folder.path().display().to_string();
    fs::write(at("city.mmdb"), mmdb::city(&[("198.51.100.0/24", "NA-US", 39.8, -98.6)])).unwrap();
    fs::write(at("nets.csv"), "subnet,region\n10.0.0.0/8,us\n").unwrap();
    let mut node = Node::start_in(folder, &nearest(&path));
    let replace = |octets: &[u8]| {
        fs::write(format!("{path}/next"), octets).unwrap();
        fs::rename(format!("{path}/next"), format!("{path}/city.mmdb")).unwrap();
    };
    let from = |dns: SocketAddr, subnet: &str| {
        dig(dns, &["+short", &format!("+subnet={subnet}"), "www.gslb.example.com", "A"]).trim().to_owned()
    };
    let dns = node.dns;
    assert_eq!(from(dns, "198.51.100.0/24"), "203.0.113.2", "the first query is answered by the database");
    assert_eq!(from(dns, "10.1.2.0/24"), "203.0.113.2", "an own network is");
    assert_eq!(from(dns, "10.1.2.0/24"), from(dns, "10.9.0.0/16"));
    assert_eq!(from(dns, "192.0.2.0/24"), "203.0.113.1", "a client that is nowhere is answered in order");
    replace(b"not a database");
    node.logged("geo-stale");
    let told = node.json(&["status"])["banners"].to_string();
    assert!(told.contains("geo.database") && told.contains("goes on serving"), "{told}");
    assert_eq!(from(dns, "198.51.100.0/24"), "203.0.113.2");
    replace(&mmdb::city(&[("198.51.100.0/24", "EU-DE", 51.2, 10.4)]));
    eventually("the good database", || (from(dns, "198.51.100.0/24") == "203.0.113.1").then_some(()));
    assert_eq!(from(dns, "10.1.2.0/24"), "203.0.113.2", "own networks are not lost by it");
    eventually("the condition's end", || {
        (!node.json(&["status"])["banners"].to_string().contains("geo.database")).then_some(())
    });
}

#[test]
fn loads_shift_answers_and_what_cannot_be_read_shifts_nothing() {
    let (one, two) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let endpoint = |id: &str, last: u8, at: &Endpoint| {
        format!(
            "[endpoint.{id}]\nprovider = \"lab\"\nregion = \"eu\"\naddress = \"203.0.113.{last}\"\ncheck_at = \"{0}\"\ncapacity = 100\nload = {{ url = \"http://{0}/load\", field = \"active\" }}\n",
            at.address
        )
    };
    one.say("{\"active\": 90}");
    two.say("# TYPE active gauge\nactive{pool=\"a\"} 3\nactive{pool=\"b\"} 7\n");
    let node = Node::start(&format!(
        "{ZONE}[region.eu]\n[check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\n{}{}[pool.main]\nendpoints = [\"one\", \"two\"]\nanswer = \"least-connections\"\n[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"main\"]\ncheck = \"web\"\n",
        endpoint("one", 1, &one),
        endpoint("two", 2, &two),
    ));
    // Of 100 answers, how many are the first endpoint's.
    let share = || {
        let replies = (0..100).map(|id| ask(node.dns, &query("www.gslb.example.com", 1, id)).expect("an answer"));
        replies.flat_map(|reply| v4_answers(&reply)).filter(|at| *at == Ipv4Addr::new(203, 0, 113, 1)).count()
    };
    eventually("the busy one to be spared", || (share() < 35).then_some(()));
    one.say("{\"active\": 5}");
    two.say("active 80\n");
    eventually("the other one to be spared", || (65 < share()).then_some(()));
    one.say("no load here");
    two.say("no load here");
    eventually("weights alone once loads are old", || (35..=65).contains(&share()).then_some(()));
    let down = node.json(&["status"])["counts"]["endpoints"]["down"].as_u64().unwrap_or_default();
    assert_eq!(down, 0, "a load that cannot be read is no verdict");
}

#[test]
fn a_load_that_is_pushed_decides_and_is_explained() {
    let endpoint = |id: &str, last: u8| {
        format!(
            "[endpoint.{id}]\naddress = \"203.0.113.{last}\"\ncapacity = 100\nload = {{ push = true, stale_after = \"30s\" }}\n"
        )
    };
    let node = Node::start(&format!(
        "{ZONE}{}{}[pool.main]\nendpoints = [\"one\", \"two\"]\nanswer = \"least-connections\"\n[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"main\"]\n",
        endpoint("one", 1),
        endpoint("two", 2),
    ));
    let told = || node.ok(&["explain", "www.gslb.example.com", "-o", "table"]);
    assert!(told().contains("load unknown of 100"), "{}", told());
    for (id, load) in [("one", 87), ("two", 12)] {
        push(&node, id, load);
    }
    eventually("the loads in the explanation", || {
        let told = told();
        (told.contains("load 87 of 100") && told.contains("load 12 of 100")).then_some(())
    });
    let first = short(node.dns, "www.gslb.example.com", "A");
    assert_eq!(first, ["203.0.113.2"], "the less loaded of the two");
}

/// As the manual's `curl` does it.
fn push(node: &Node, id: &str, load: u32) {
    let body = format!("{{\"load\": {load}}}");
    let mut stream = UnixStream::connect(node.socket()).unwrap();
    let length = body.len();
    write!(
        stream,
        "PUT /v1/endpoints/{id}/load HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

/// A resolver that knows one name.
#[derive(Debug)]
struct Fake(Mutex<HashMap<DnsName, Part>>);

impl Fake {
    fn set(&self, last: u8) {
        let found = Part::Found(vec![IpAddr::from([127, 0, 0, last])], 5);
        self.0.lock().unwrap().insert("edge.cdn.example.net".parse().unwrap(), found);
    }
}

impl Lookup for Fake {
    fn lookup<'l>(&'l self, name: &'l DnsName, family: Family) -> Pin<Box<dyn Future<Output = Part> + Send + 'l>> {
        let known = self.0.lock().unwrap().get(name).cloned();
        let part = known.filter(|_| family == Family::V4).unwrap_or(Part::Nothing);
        Box::pin(std::future::ready(part))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_a_cname_below_the_apex_and_its_addresses_at_it() {
    // On every address of loopback, so that the target may move.
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    write_config(
        folder.path(),
        &format!(
            "{ZONE}[region.eu]\n[check.edge]\nurl = \"tcp://:{port}\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\n[endpoint.cdn]\nprovider = \"lab\"\nregion = \"eu\"\ntarget = \"edge.cdn.example.net.\"\n[pool.main]\nendpoints = [\"cdn\"]\n[service.www]\nnames = [\"www.gslb.example.com\", \"gslb.example.com\"]\npools = [\"main\"]\ncheck = \"edge\"\nttl = \"60s\"\n"
        ),
    );
    let fake = Arc::new(Fake(Mutex::default()));
    fake.set(7);
    let mut boot = boot::boot(folder.path().join("wayshift.toml"), Arc::new(|_| None), true).unwrap();
    boot.lookup = Arc::clone(&fake) as Arc<dyn Lookup>;
    let node = Running::start(boot, Arc::new(InProcessBus::default())).await.unwrap();
    let (dns, live) = (node.dns()[0], node.live());
    let watched = move || {
        let seen = |name: &str, kind: &str| short(dns, name, kind);
        eventually("the apex to have the target's address", || {
            (seen("gslb.example.com", "A") == ["127.0.0.7"]).then_some(())
        });
        assert_eq!(seen("www.gslb.example.com", "A"), ["edge.cdn.example.net."]);
        assert_eq!(seen("www.gslb.example.com", "AAAA"), ["edge.cdn.example.net."]);
        assert_eq!(seen("gslb.example.com", "AAAA"), Vec::<String>::new());
        fake.set(8);
        eventually("the apex to follow", || (seen("gslb.example.com", "A") == ["127.0.0.8"]).then_some(()));
        let voted = || live.load().snapshot().verdicts.iter().flatten().any(|verdict| verdict.tally.up == 1);
        eventually("a probe that passed where the target is", || voted().then_some(()));
    };
    let looking = tokio::task::spawn_blocking(watched);
    let exit = node.run(async { looking.await.unwrap() }).await;
    assert_eq!(exit, Exit::Asked);
}
