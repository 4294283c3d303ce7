//! Orders when etcd is away, and nodes that may not write to it.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

use crate::support::{Endpoint, Node, etcd::Server, eventually};

pub(crate) const NAME: &str = "www.gslb.example.com";
const REASON: [&str; 3] = ["--reason", "INC-7", "--yes"];

/// A node of a region, two endpoints, and how it shows itself to etcd.
pub(crate) fn config(server: &Server, node: &str, endpoints: [&Endpoint; 2], login: &str) -> String {
    let endpoint = |at: usize, provider: &str| {
        let address = endpoints[at].address;
        format!("e{at} = {{ provider = \"{provider}\", address = \"{}\", check_at = \"{address}\" }}\n", address.ip())
    };
    let region = node.split('-').next().unwrap();
    format!(
        "[provider.aws]\n[provider.gcp]\n[region.eu]\n[region.us]\n[region.edge]\n\
         [node]\nname = \"{node}\"\nregion = \"{region}\"\n\
         [store.etcd]\nendpoints = [\"{}\"]\nprefix = \"/prod/\"\n{login}\
         [zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n\
         [verdict]\nflap = false\n[check.web]\nurl = \"http://www.example.com/\"\ninterval = \"500ms\"\ntimeout = \"450ms\"\nrecheck = \"200ms\"\n\
         [endpoint]\n{}{}\
         [pool]\nfirst = {{ endpoints = [\"e0\"] }}\nsecond = {{ endpoints = [\"e1\"] }}\n\
         [service.www]\nnames = [\"{NAME}\"]\npools = [\"first\", \"second\"]\ncheck = \"web\"\nttl = \"1s\"\nttl_min = \"1s\"\n",
        server.url(),
        endpoint(0, "aws"),
        endpoint(1, "gcp"),
    )
}

pub(crate) fn answers(node: &Node, endpoint: &Endpoint) {
    let address = endpoint.address.ip().to_string();
    eventually(&format!("{address} is answered"), || (node.short(NAME, "A") == [address.clone()]).then_some(()));
}

pub(crate) fn mode(node: &Node, mode: &str) {
    eventually(mode, || (node.json(&["node", "list"])["items"][0]["mode"] == mode).then_some(()));
}

fn orders(node: &Node) -> Vec<Value> {
    node.json(&["override", "list"])["items"].as_array().unwrap().clone()
}

/// An audit over the Unix socket, oldest first: action, target and from.
fn audit(node: &Node, query: &str) -> Vec<(String, String, String)> {
    let output = Command::new("curl")
        .args(["-sS", "--unix-socket", node.socket().to_str().unwrap(), &format!("http://localhost/v1/audit{query}")])
        .output()
        .unwrap();
    let page: Value = serde_json::from_slice(&output.stdout).unwrap();
    let items = page["items"].as_array().unwrap_or_else(|| panic!("{page}"));
    let text = |item: &Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    items.iter().rev().map(|item| (text(item, "action"), text(item, "target"), text(item, "from"))).collect()
}

fn refused(output: &Output, why: &str) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains(why), "{text}");
}

#[test]
fn an_order_of_one_node_alone_holds_there_ends_there_and_is_audited_by_all_once() {
    let mut server = Server::start();
    let (first, second) = (Endpoint::start("127.0.2.1"), Endpoint::start("127.0.2.2"));
    let start = |name: &str| Node::start(&config(&server, name, [&first, &second], ""));
    let (eu, us) = (start("eu-1"), start("us-1"));
    [&eu, &us].iter().for_each(|node| mode(node, "connected"));
    // While etcd answers there is no reason for it.
    let drain = ["drain", "endpoint:e0", "--for", "30m"];
    let local = |life: &'static str| [&["drain", "endpoint:e0", "--local", "--for", life][..], &REASON[..]].concat();
    refused(&eu.run(&local("30m")), "the shared store answers");

    // A shared order that the local one goes against: the local one counts, though it is wider.
    eu.ok(&[&["override", "set", "up", "endpoint:e0", "--for", "1h"][..], &REASON[..]].concat());
    server.kill();
    mode(&eu, "alone");
    refused(&eu.run(&[&drain[..], &REASON[..]].concat()), "--local");
    refused(&eu.run(&local("61m")), "at most an hour");
    let made = eu.json(&[&["drain", "provider:aws", "--local", "--for", "30m"][..], &REASON[..]].concat());
    assert_eq!((&made["local"], &made["applied_on"]), (&true.into(), &serde_json::json!(["eu-1"])));
    answers(&eu, &second);
    answers(&us, &first);
    let id = made["id"].as_str().unwrap().to_owned();
    // Safety rules hold as ever: the last endpoint of a service is not taken away.
    refused(&eu.run(&[&["override", "set", "down", "all", "--local"][..], &REASON[..]].concat()), "");
    // It is marked wherever it is shown.
    for shown in [&["override", "list"][..], &["status"], &["explain", NAME]] {
        let text = eu.ok(shown);
        assert!(text.contains("local"), "{shown:?}: {text}");
    }
    eventually("a banner says so", || {
        eu.json(&["status"])["banners"].to_string().contains("on this node alone").then_some(())
    });
    assert!(
        audit(&eu, "?local=true")
            .iter()
            .any(|(action, target, _)| { action == "override.create" && *target == format!("override:{id}") })
    );

    // It survives kill -9 with etcd gone, and the return of etcd.
    let eu = Node::restart_in(eu.kill());
    answers(&eu, &second);
    assert!(orders(&eu).iter().any(|order| order["id"] == *id && order["local"] == true));
    // Another one ends before etcd is back.
    let other =
        eu.json(&[&["override", "set", "weight", "endpoint:e1", "--weight", "3", "--local"][..], &REASON[..]].concat());
    eu.ok(&["override", "clear", other["id"].as_str().unwrap()]);
    server.start_again();
    [&eu, &us].iter().for_each(|node| mode(node, "connected"));
    let carried = |node: &Node| -> Vec<(String, String)> {
        let local = audit(node, "?limit=100").into_iter().filter(|(action, ..)| action.starts_with("local."));
        local
            .map(|(action, target, from)| {
                assert!(from.ends_with("on eu-1 alone"), "{from}");
                (action, target)
            })
            .collect()
    };
    let of = |id: &Value| format!("override:{}", id.as_str().unwrap());
    let told = vec![
        ("local.override.create".to_owned(), of(&made["id"])),
        ("local.override.create".to_owned(), of(&other["id"])),
        ("local.override.end".to_owned(), of(&other["id"])),
    ];
    eventually("the node's audit stands in the cluster's", || (carried(&us) == told).then_some(()));
    // It goes on there alone, and a restart carries nothing twice.
    assert!(orders(&us).iter().all(|order| order["id"] != *id), "nobody else follows it");
    let eu = Node::restart_in(eu.kill());
    mode(&eu, "connected");
    answers(&eu, &second);
    answers(&us, &first);
    refused(&eu.run(&["override", "extend", &id, "--for", "+5m"]), "the shared store answers");

    // Promoted, it is the fleet's, with its id; the wider drain then loses against the narrower `up`.
    eu.ok(&["override", "promote", &id]);
    eu.ok(&["override", "promote", &id]);
    eventually("all follow it", || {
        orders(&us).iter().any(|order| order["id"] == *id && order["local"].is_null()).then_some(())
    });
    assert_eq!(orders(&eu).iter().filter(|order| order["id"] == *id).count(), 1);
    assert!(orders(&eu).iter().all(|order| order["local"].is_null()));
    let told = [&told[..], &[("local.override.promote".to_owned(), format!("override:{id}"))]].concat();
    eventually("the last entry is carried", || (carried(&us) == told).then_some(()));
    eu.ok(&["restore", "provider:aws", "--yes"]);
    assert!(orders(&us).iter().all(|order| order["id"] != *id));
}

/// The script that sets etcd up, run as the pages say.
fn roles(server: &Server, kind: &str, nodes: &[&str], passwords: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/etcd-roles.sh");
    let mut child = Command::new(script)
        .args(["--prefix", "/prod/", kind])
        .args(nodes)
        .env("ETCDCTL_ENDPOINTS", server.url())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(passwords.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn etcdctl(server: &Server, user: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new("etcdctl");
    command.env("ETCDCTL_API", "3").env("ETCDCTL_ENDPOINTS", server.url()).args(arguments).stdin(Stdio::null());
    if let Some(user) = user {
        command.env("ETCDCTL_USER", user);
    }
    command.output().expect("these tests need etcdctl: Debian's package is etcd-client, and `make test` installs it")
}

#[test]
fn an_edge_votes_and_follows_and_says_who_takes_orders() {
    let server = Server::start();
    let (first, second) = (Endpoint::start("127.0.2.3"), Endpoint::start("127.0.2.4"));
    let run = |user: Option<&str>, arguments: &[&str]| etcdctl(&server, user, arguments);
    roles(&server, "admin", &["eu-1"], "one\n");
    roles(&server, "edge", &["edge-1"], "two\n");
    // Once more, as edge that was admin: what a node may is what was said last.
    roles(&server, "admin", &["edge-1"], "");
    roles(&server, "edge", &["edge-1"], "");
    for arguments in [&["user", "add", "root:root"][..], &["user", "grant-role", "root", "root"], &["auth", "enable"]] {
        let output = run(None, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let writes = |user: &str, key: &str| run(Some(user), &["put", key, "x"]).status.success();
    for key in ["control/head", "control/override/ov_1", "control/audit/1", "control/slip/rollout", "kept/a/b"] {
        assert!(!writes("edge-1:two", &format!("/prod/v1/{key}")), "an edge may not write {key}");
    }
    for (key, may) in [("edge-1/ballot", true), ("eu-1/ballot", false), ("edge-10/ballot", false)] {
        assert_eq!(writes("edge-1:two", &format!("/prod/v1/fleet/{key}")), may, "{key}");
    }
    assert!(!writes("eu-1:one", "/prod/v1/fleet/edge-1/ballot"), "nobody writes another's ballot");
    assert!(!writes("eu-1:one", "/other/v1/control/head"));
    assert!(run(Some("root:root"), &["del", "/prod/v1/fleet/", "--prefix"]).status.success());

    let login = |user: &str, password: &str| format!("user = \"{user}\"\npassword = \"{password}\"\n");
    let start =
        |name: &str, password: &str| Node::start(&config(&server, name, [&first, &second], &login(name, password)));
    let (eu, edge) = (start("eu-1", "one"), start("edge-1", "two"));
    [&eu, &edge].iter().for_each(|node| mode(node, "connected"));
    eventually("the edge is known as one", || {
        let nodes = eu.json(&["node", "list"]);
        let edge = nodes["items"].as_array()?.iter().find(|node| node["id"] == "edge-1")?;
        (edge["orders"] == false && edge["votes"] == true).then_some(())
    });
    assert!(eu.ok(&["node", "list"]).contains("takes no orders"));
    // An order for the edge is refused with a name, and one of the fleet is followed there.
    let drain = [&["drain", "endpoint:e0", "--for", "1h"][..], &REASON[..]].concat();
    refused(&edge.run(&drain), "eu-1");
    refused(&edge.run(&[&["drain", "endpoint:e0", "--local"][..], &REASON[..]].concat()), "eu-1");
    eu.ok(&drain);
    answers(&edge, &second);
    // What it does to itself is audited where it may write: on itself.
    edge.ok(&["reload"]);
    assert!(audit(&edge, "?local=true").iter().any(|(action, ..)| action == "config.reload"));
}
