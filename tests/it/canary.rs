//! Staged reloads: one node first, the others after it, and back where anything is amiss.

use std::thread;

use crate::{
    glass::{answers, config, mode},
    support::{Endpoint, Node, etcd::Server, eventually},
};

/// Digest of the configuration in force.
fn digest(node: &Node) -> String {
    node.json(&["status"])["node"]["config"].as_str().unwrap().to_owned()
}

fn stage(node: &Node) -> (String, String) {
    let rollout = node.run(&["status"]);
    let text = String::from_utf8_lossy(&rollout.stdout).into_owned();
    let stages = ["asked", "watched", "spreading", "rolled-back"];
    let banner = text.lines().find(|line| line.contains("staged reload")).unwrap_or_default().to_owned();
    let stage = stages.into_iter().find(|stage| banner.contains(&format!("first: {stage}"))).unwrap_or_default();
    (stage.to_owned(), banner)
}

#[test]
fn a_new_configuration_goes_to_one_node_first_and_back_where_it_does_harm() {
    let server = Server::start();
    let (first, second) = (Endpoint::start("127.0.3.1"), Endpoint::start("127.0.3.2"));
    let text = |name: &str| config(&server, name, [&first, &second], "");
    let start = |name: &str| Node::start(&text(name));
    let (eu, us) = (start("eu-1"), start("us-1"));
    for node in [&eu, &us] {
        mode(node, "connected");
        answers(node, &first);
    }
    let old = digest(&eu);
    assert_eq!(digest(&us), old);
    let write = |change: &dyn Fn(String) -> String| {
        eu.write(&change(text("eu-1")));
        us.write(&change(text("us-1")));
    };
    let staged = |canary: &'static str| ["reload", "--canary", canary, "--watch", "6s"];
    let refused = eu.run(&staged("eu-1"));
    assert!(!refused.status.success(), "the file is what is in force");
    assert!(!eu.run(&staged("nobody")).status.success());

    // Asked for at one node, tried by another, and taken by all.
    write(&|text| text.replace("ttl = \"1s\"", "ttl = \"2s\""));
    thread::scope(|scope| {
        let asked = scope.spawn(|| us.ok(&staged("eu-1")));
        eventually("the canary has it", || (digest(&eu) != old).then_some(()));
        assert_eq!(digest(&us), old, "the others wait");
        eventually("all can see it", || (stage(&us).0 == "watched").then_some(()));
        assert!(!us.run(&["reload"]).status.success(), "nothing comes in between");
        assert!(asked.join().unwrap().contains("done"));
    });
    let new = digest(&eu);
    assert_eq!(digest(&us), new);
    assert_ne!(new, old);
    eventually("it is over", || stage(&us).1.is_empty().then_some(()));

    // One that takes every endpoint out is taken back, and nobody else has had it.
    let closed = |text: String| {
        let text = text.replace("ttl = \"1s\"", "ttl = \"2s\"");
        [&first, &second].iter().fold(text, |text, endpoint| {
            text.replace(
                &format!("check_at = \"{}\"", endpoint.address),
                &format!("check_at = \"{}:1\"", endpoint.address.ip()),
            )
        })
    };
    write(&closed);
    let output = us.run(&staged("eu-1"));
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && told.contains("rolled-back"), "{told}");
    assert_eq!((digest(&eu), digest(&us)), (new.clone(), new.clone()));
    for node in [&eu, &us] {
        answers(node, &first);
    }
    let audit = std::process::Command::new("curl")
        .args(["-sS", "--unix-socket", eu.socket().to_str().unwrap(), "http://localhost/v1/audit?limit=100"])
        .output()
        .unwrap();
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    for action in
        ["config.rollout.asked", "config.rollout.watched", "config.rollout.done", "config.rollout.rolled-back"]
    {
        assert!(audit.contains(action), "{action}");
    }
    assert!(eu.ok(&["events"]).contains("staged reload"));
    // The file is still the bad one: a restart alone does not put it in force.
    let eu = Node::restart_in(eu.kill());
    assert_eq!(digest(&eu), new);
    eventually("a person is told", || eu.ok(&["status"]).contains("held back").then_some(()));
    mode(&eu, "connected");

    // A canary that dies while it is watched: the others never move, and it comes back with what was before.
    let slow = |text: String| text.replace("ttl = \"1s\"", "ttl = \"3s\"");
    eu.write(&slow(text("eu-1")));
    us.write(&slow(text("us-1")));
    us.ok(&["reload", "--canary", "eu-1", "--watch", "60s", "--no-wait"]);
    eventually("the canary has it", || (digest(&eu) != new).then_some(()));
    eventually("it is watched", || (stage(&us).0 == "watched").then_some(()));
    let eu = Node::restart_in(eu.kill());
    assert_eq!(digest(&eu), new, "what was not settled on is not started from");
    eventually("it is given up", || (stage(&us).0 == "rolled-back").then_some(()));
    assert_eq!(digest(&us), new);
    // A person may take it all the same.
    us.ok(&["reload"]);
    assert_ne!(digest(&us), new);
}
