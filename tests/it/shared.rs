//! Whole nodes that share a store: one order, every node's answers, with etcd and without.

use crate::support::{Node, etcd::Server, eventually};

/// Without checks: the answers are the overrides' work alone.
const CONFIG: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.aws]\n[provider.gcp]\n[endpoint]\na1 = { provider = \"aws\", address = \"203.0.113.1\" }\ng1 = { provider = \"gcp\", address = \"203.0.113.2\" }\n[pool]\naws = { endpoints = [\"a1\"] }\ngcp = { endpoints = [\"g1\"] }\n[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"aws\", \"gcp\"]\n";

fn config(server: &Server, name: &str) -> String {
    format!(
        "{CONFIG}[node]\nname = \"{name}\"\n[store.etcd]\nendpoints = [\"{}\"]\nprefix = \"/prod/\"\n",
        server.url()
    )
}

fn answers(node: &Node, address: &str) {
    eventually(&format!("{address} is answered"), || {
        (node.short("www.gslb.example.com", "A") == [address]).then_some(())
    });
}

fn does(node: &Node, arguments: &[&str]) {
    // A node that has just started may not have reached etcd yet.
    eventually(&format!("{arguments:?}"), || node.run(arguments).status.success().then_some(()));
}

#[test]
fn an_order_on_one_node_is_in_force_on_all_and_outlives_etcd() {
    let mut server = Server::start();
    let eu = Node::start(&config(&server, "eu-1"));
    let us = Node::start(&config(&server, "us-1"));
    answers(&us, "203.0.113.1");
    does(&eu, &["drain", "provider:aws", "--for", "2h", "--reason", "INC-1", "--yes"]);
    answers(&eu, "203.0.113.2");
    answers(&us, "203.0.113.2");

    server.kill();
    eventually("the loss is shown", || {
        eu.json(&["status"])["banners"].to_string().contains("none can be made").then_some(())
    });
    let us = Node::restart_in(us.kill());
    answers(&us, "203.0.113.2");
    let refused = us.run(&["restore", "provider:aws", "--yes"]);
    assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
    answers(&us, "203.0.113.2");

    server.start_again();
    does(&us, &["restore", "provider:aws", "--yes"]);
    answers(&us, "203.0.113.1");
    answers(&eu, "203.0.113.1");
}
