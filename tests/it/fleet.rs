//! A fleet: three nodes in three regions that vote, share orders through etcd, and go on without it.

use crate::support::{Endpoint, Node, etcd::Server, eventually};

const NAME: &str = "www.gslb.example.com";

/// Three regions at three providers, and one endpoint in two of them. What comes back is believed after 1 s and not after
/// 30, and silence counts after 6 s and not after 10: nothing that is asserted here is about either.
pub(crate) fn config(server: &Server, region: &str, endpoints: &[&Endpoint]) -> String {
    let endpoint = |at: usize, provider: &str| {
        let address = endpoints[at].address;
        format!("e{at} = {{ provider = \"{provider}\", address = \"{}\", check_at = \"{address}\" }}\n", address.ip())
    };
    format!(
        "[provider.aws]\n[provider.gcp]\n[provider.dc]\n\
         [region.eu]\nat = [50, 8]\n[region.us]\nat = [39, -77]\n[region.ap]\nat = [35, 139]\n\
         [node]\nname = \"{region}-1\"\nregion = \"{region}\"\n\
         [store.etcd]\nendpoints = [\"{}\"]\nprefix = \"/prod/\"\n\
         [zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n\
         [verdict]\nflap = false\nstale_after = \"6s\"\n[check.web]\nurl = \"http://www.example.com/\"\ninterval = \"500ms\"\ntimeout = \"450ms\"\nrecheck = \"200ms\"\ncooldown = \"1s\"\n\
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

/// Every node hears every other and answers as they do.
fn together(nodes: &[Node]) {
    for node in nodes {
        eventually("the nodes to agree", || {
            let peers = node.json(&["node", "list"]);
            let peers = peers["items"].as_array().unwrap().clone();
            let whole = peers.len() == nodes.len();
            let all = peers.iter().all(|peer| peer["agreement"] == "agrees" && peer["votes"] == true);
            (whole && all && peers[0]["mode"] == "connected").then_some(())
        });
    }
}

#[test]
fn three_regions_vote_share_orders_and_outlive_their_store() {
    let mut server = Server::start();
    let (first, second) = (Endpoint::start("127.0.1.1"), Endpoint::start("127.0.1.2"));
    let start = |region: &str| Node::start(&config(&server, region, &[&first, &second]));
    let nodes = [start("eu"), start("us"), start("ap")];
    together(&nodes);
    nodes.iter().for_each(|node| answers(node, &first));

    // An order of one is in force on all when the verb ends.
    let reason = ["--reason", "INC-1", "--yes"];
    nodes[0].ok(&[&["drain", "endpoint:e0", "--for", "1h"], &reason[..]].concat());
    let order = &nodes[0].json(&["override", "list"])["items"][0];
    assert_eq!((&order["pending_on"], order["applied_on"].as_array().unwrap().len()), (&serde_json::json!([]), 3));
    for node in &nodes {
        assert_eq!(node.short(NAME, "A"), [second.address.ip().to_string()]);
    }
    nodes[2].ok(&["restore", "endpoint:e0", "--yes"]);
    nodes.iter().for_each(|node| answers(node, &first));

    // What all see down is out everywhere.
    first.kill();
    nodes.iter().for_each(|node| answers(node, &second));
    first.revive();
    nodes.iter().for_each(|node| answers(node, &first));

    // Without the store each goes on, keeps the orders, and still takes out what dies.
    nodes[1].ok(&[&["override", "set", "weight", "endpoint:e1", "--weight", "7", "--for", "1h"], &reason[..]].concat());
    server.kill();
    for node in &nodes {
        eventually("each notices that it is alone", || {
            (node.json(&["node", "list"])["items"][0]["mode"] == "alone").then_some(())
        });
        answers(node, &first);
    }
    first.kill();
    nodes.iter().for_each(|node| answers(node, &second));
    for node in &nodes {
        assert_eq!(node.json(&["override", "list"])["items"].as_array().unwrap().len(), 1, "orders stay in force");
    }

    // And everything is as before when it is back.
    server.start_again();
    first.revive();
    together(&nodes);
    nodes.iter().for_each(|node| answers(node, &first));
}

#[test]
fn a_store_that_went_back_is_held_and_goes_on_as_a_person_says() {
    let mut server = Server::start();
    let (first, second) = (Endpoint::start("127.0.1.3"), Endpoint::start("127.0.1.4"));
    let start = |region: &str| Node::start(&config(&server, region, &[&first, &second]));
    let nodes = [start("eu"), start("us")];
    together(&nodes);
    let reason = ["--for", "1h", "--reason", "INC-2", "--yes"];
    nodes[0].ok(&[&["drain", "endpoint:e1"], &reason[..]].concat());
    server.backup();
    together(&nodes);
    // After the backup one order ended and another began.
    nodes[0].ok(&["restore", "endpoint:e1", "--yes"]);
    nodes[0].ok(&[&["drain", "endpoint:e0"], &reason[..]].concat());
    server.restore();
    for node in &nodes {
        eventually("the node holds", || (node.json(&["node", "list"])["items"][0]["mode"] == "held").then_some(()));
        answers(node, &second);
    }
    let refused = nodes[1].run(&["restore", "endpoint:e0", "--yes"]);
    assert!(!refused.status.success(), "nothing is written while it is held");

    let look = nodes[1].json(&["store", "adopt", "--dry-run"]);
    assert_eq!((look["taken"].as_array().unwrap().len(), look["dropped"].as_array().unwrap().len()), (1, 1));
    nodes[1].ok(&["store", "adopt", "--reason", "INC-2 the backup is old", "--yes"]);
    together(&nodes);
    for node in &nodes {
        answers(node, &second);
        let orders = node.json(&["override", "list"]);
        assert_eq!(orders["items"].as_array().unwrap().len(), 1, "{orders}");
    }
    nodes[0].ok(&["restore", "endpoint:e0", "--yes"]);
    nodes.iter().for_each(|node| answers(node, &first));
    let refused = nodes[0].run(&["store", "adopt", "--reason", "again", "--yes"]);
    assert!(!refused.status.success(), "there is nothing to decide");
}
