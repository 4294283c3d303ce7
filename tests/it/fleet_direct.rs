//! Ballots by the direct way: etcd is gone, and the nodes still vote.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Command,
};

use wayshift::model::new_token;

use crate::{
    fleet::{answers, config},
    support::{Endpoint, Node, etcd::Server, eventually, write_config},
};

/// A node whose admin API the others reach at this address of its own, with a token that all of them know.
fn start(server: &Server, region: &str, at: SocketAddr, endpoints: &[&Endpoint]) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("peers.token");
    fs::write(&secret, new_token("peers", &[7; 32]).unwrap()).unwrap();
    let peers = format!("[admin.peers]\nat = [\"http://{at}\"]\ntoken = {{ file = \"{}\" }}\n", secret.display());
    write_config(folder.path(), &format!("{}{peers}", config(server, region, endpoints)));
    let file = folder.path().join("wayshift.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"127.0.0.1:0\", \"unix:", &format!("\"{at}\", \"unix:"))).unwrap();
    Node::restart_in(folder)
}

/// A port that is free now, on an address that no other test uses.
fn free(ip: &str) -> SocketAddr {
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap()
}

fn mode(node: &Node) -> String {
    node.json(&["node", "list"])["items"][0]["mode"].as_str().unwrap().to_owned()
}

fn becomes(node: &Node, expected: &str) {
    eventually(expected, || (mode(node) == expected).then_some(()));
}

/// What the node says of an endpoint: its verdict, and the votes.
fn votes(node: &Node, endpoint: &str) -> (String, u64, u64) {
    let url = format!("http://localhost/v1/endpoints/{endpoint}");
    let output = Command::new("curl").args(["-sS", "--unix-socket"]).arg(node.socket()).arg(url).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let target = &shown["targets"][0];
    let count = |side: &str| target["votes"][side].as_u64().unwrap_or_else(|| panic!("{shown}"));
    (target["verdict"].as_str().unwrap().to_owned(), count("up"), count("down"))
}

#[test]
fn without_the_store_the_nodes_of_a_fleet_still_vote() {
    let mut server = Server::start();
    let (first, second) = (Endpoint::start("127.0.1.51"), Endpoint::start("127.0.1.52"));
    let all = [&first, &second];
    // For the first node alone, what is at the first endpoint's address is another thing, which can die alone.
    let apart = Endpoint::start("127.0.1.51");
    let at = [free("127.0.8.1"), free("127.0.8.2"), free("127.0.8.3")];
    let mut nodes = [
        start(&server, "eu", at[0], &[&apart, &second]),
        start(&server, "us", at[1], &all),
        start(&server, "ap", at[2], &all),
    ];
    let agree = |nodes: &[Node]| {
        for node in nodes {
            eventually("every node to be heard", || {
                let peers = node.json(&["node", "list"])["items"].as_array().unwrap().clone();
                let heard = peers.len() == 3 && peers.iter().all(|peer| peer["votes"] == true);
                (heard && peers[0]["mode"] == "connected").then_some(())
            });
        }
    };
    agree(&nodes);
    nodes.iter().for_each(|node| answers(node, &first));
    assert!(!nodes[0].log_text().contains("directly"), "nobody is asked while the store speaks");

    // The store dies, and nobody is alone for a moment.
    server.kill();
    nodes.iter().for_each(|node| becomes(node, "detached"));
    for node in &nodes {
        assert_eq!(node.json(&["status"])["node"]["mode"], "detached");
        let peers = node.json(&["node", "list"])["items"].as_array().unwrap().clone();
        assert!(peers.iter().all(|peer| peer["votes"] == true), "{peers:?}");
        answers(node, &first);
    }

    // What one alone cannot see stays, there too: two of three votes are up.
    apart.kill();
    eventually("eu-1 sees it down, and is outvoted", || (votes(&nodes[0], "e0") == ("up".into(), 2, 1)).then_some(()));
    nodes.iter().for_each(|node| answers(node, &first));

    // What all see dead leaves everywhere, by vote.
    first.kill();
    for node in &nodes {
        answers(node, &second);
        eventually("all to vote it down", || (votes(node, "e0") == ("down".into(), 0, 3)).then_some(()));
        assert_eq!(mode(node), "detached");
    }
    for node in &mut nodes {
        assert!(!node.log_text().contains("\"condition\":\"alone\""), "{}", node.log_text());
        node.logged("answers directly, at http://127.0.8.");
    }

    // One that starts without the store finds the others where it remembers them, and they find it.
    let [eu, us, ap] = nodes;
    let eu = Node::restart_in(eu.kill());
    let mut nodes = [eu, us, ap];
    nodes.iter().for_each(|node| becomes(node, "detached"));
    nodes.iter().for_each(|node| answers(node, &second));

    // The store is back: so is everything.
    server.start_again();
    apart.revive();
    first.revive();
    agree(&nodes);
    nodes.iter().for_each(|node| answers(node, &first));

    // Without the store and without the others one is alone, and says whom it does not reach.
    server.kill();
    nodes[1].signal(nix::sys::signal::Signal::SIGSTOP);
    nodes[2].signal(nix::sys::signal::Signal::SIGSTOP);
    becomes(&nodes[0], "alone");
    nodes[0].logged("us-1 does not answer directly: ");
    answers(&nodes[0], &first);
    nodes[1].signal(nix::sys::signal::Signal::SIGCONT);
    nodes[2].signal(nix::sys::signal::Signal::SIGCONT);
    nodes.iter().for_each(|node| becomes(node, "detached"));
    server.start_again();
    agree(&nodes);
}

#[test]
fn a_ballot_is_for_those_who_have_the_token() {
    let server = Server::start();
    let (endpoint, other) = (Endpoint::start("127.0.1.53"), Endpoint::start("127.0.1.54"));
    let at = free("127.0.8.4");
    let node = start(&server, "eu", at, &[&endpoint, &other]);
    let curl = |path: &str, token: Option<&str>| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code}", &format!("http://{at}{path}")]);
        if let Some(token) = token {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        String::from_utf8(curl.output().unwrap().stdout).unwrap()
    };
    let (own, forged) = (new_token("peers", &[7; 32]).unwrap(), new_token("peers", &[8; 32]).unwrap());
    answers(&node, &endpoint);
    assert_eq!(curl("/v1/ballot", Some(&own)), "200");
    assert_eq!(curl("/v1/ballot", Some(&forged)), "401");
    assert_eq!(curl("/v1/ballot", None), "401");
    assert_eq!(curl("/v1/status", Some(&own)), "403", "it opens nothing else");
    let shown = node.json(&["config", "show"]).to_string();
    assert!(!shown.contains(&own), "{shown}");
}
