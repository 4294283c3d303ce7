//! Ballots by the direct way: etcd is gone, and the nodes still vote.

use std::fs;

use wayshift::model::{hash_token, new_token};

use crate::{
    fleet::{NAME, answers, config, together},
    support::{Endpoint, Node, etcd::Server, eventually, write_config},
};

/// A node whose admin API the others reach at a loopback address of its own, with a token that all of them know.
fn start(server: &Server, region: &str, at: &str, endpoints: &[&Endpoint]) -> Node {
    let folder = tempfile::tempdir().unwrap();
    let token = new_token("peers", &[7; 32]).unwrap();
    let hash: String = hash_token(&token).iter().map(|octet| format!("{octet:02x}")).collect();
    let secret = folder.path().join("peers.token");
    fs::write(&secret, &token).unwrap();
    let peers = format!(
        "[admin.peers]\nat = [\"http://{at}:8653\"]\ntoken = {{ file = \"{}\" }}\n\
         [[admin.token]]\nname = \"peers\"\nrole = \"viewer\"\nhash = \"sha256:{hash}\"\n",
        secret.display()
    );
    write_config(folder.path(), &format!("{}{peers}", config(server, region, endpoints)));
    let file = folder.path().join("wayshift.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"127.0.0.1:0\", \"unix:", &format!("\"{at}:8653\", \"unix:"))).unwrap();
    Node::restart_in(folder)
}

fn mode(node: &Node) -> String {
    node.json(&["node", "list"])["items"][0]["mode"].as_str().unwrap().to_owned()
}

#[test]
fn without_the_store_two_of_three_still_vote_an_endpoint_out() {
    let mut server = Server::start();
    let (first, second) = (Endpoint::start("127.0.1.5"), Endpoint::start("127.0.1.6"));
    let nodes = [("eu", "127.0.8.1"), ("us", "127.0.8.2"), ("ap", "127.0.8.3")]
        .map(|(region, at)| start(&server, region, at, &[&first, &second]));
    together(&nodes);
    nodes.iter().for_each(|node| answers(node, &first));
    server.kill();
    for node in &nodes {
        eventually("each hears the others directly", || (mode(node) == "detached").then_some(()));
        answers(node, &first);
    }
    first.kill();
    for node in &nodes {
        answers(node, &second);
        assert_eq!(mode(node), "detached", "it went by vote");
        let tally = node.json(&["explain", NAME]);
        assert!(!tally.is_null());
    }
    server.start_again();
    first.revive();
    together(&nodes);
    nodes.iter().for_each(|node| answers(node, &first));
}
