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
    let audit = serde_json::Value::from(audit(&eu)).to_string();
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

#[test]
fn a_person_ends_a_staged_reload_before_its_watch_is_over() {
    let server = Server::start();
    let (first, second) = (Endpoint::start("127.0.3.3"), Endpoint::start("127.0.3.4"));
    let text = |name: &str| config(&server, name, [&first, &second], "");
    let (eu, us) = (Node::start(&text("eu-1")), Node::start(&text("us-1")));
    for node in [&eu, &us] {
        mode(node, "connected");
        answers(node, &first);
    }
    let old = digest(&eu);
    let refused = |node: &Node, arguments: &[&str], why: &str| {
        let output = node.run(arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(why), "{told}");
    };
    refused(&us, &["reload", "--abort"], "no staged reload is under way, and none ever was");
    for (node, name) in [(&eu, "eu-1"), (&us, "us-1")] {
        node.write(&text(name).replace("ttl = \"1s\"", "ttl = \"2s\""));
    }
    let staged = ["reload", "--canary", "eu-1", "--watch", "10m", "--no-wait"];
    us.ok(&staged);
    eventually("it is watched", || (stage(&us).0 == "watched").then_some(()));
    assert!(digest(&eu) != old && digest(&us) == old);
    eventually("the list of nodes says who is first", || {
        us.ok(&["node", "list"]).contains("staged reload, this one first: watched").then_some(())
    });
    refused(&us, &staged, "`wayshift reload --abort`");

    // At another node than where it was asked for: when the verb is done, the canary has what it had.
    let told = us.ok(&["reload", "--abort", "--reason", "INC-7 not now"]);
    assert!(told.contains("rolled-back: ended by") && told.contains("INC-7 not now"), "{told}");
    assert_eq!((digest(&eu), digest(&us)), (old.clone(), old.clone()));
    for node in [&eu, &us] {
        answers(node, &first);
        eventually("an event says so", || node.ok(&["events"]).contains("INC-7 not now").then_some(()));
    }
    let audit = audit(&us);
    let entry = audit.iter().find(|entry| entry["action"] == "config.rollout.aborted").expect("an entry");
    assert_eq!((&entry["reason"], &entry["before"]["stage"]), (&"INC-7 not now".into(), &"watched".into()));
    refused(&eu, &["reload", "--abort"], "the last one, eu-1 first, is rolled-back: ended by");
    assert!(!us.ok(&["node", "list"]).contains("staged reload"));
    // The canary's file is held back until a person says otherwise; nobody stands in the way of that.
    eventually("a person is told", || eu.ok(&["status"]).contains("held back").then_some(()));
    us.ok(&["reload"]);
    eu.ok(&["reload"]);
    assert_eq!(digest(&eu), digest(&us));
    assert_ne!(digest(&eu), old);
}

/// The cluster's audit, newest first.
fn audit(node: &Node) -> Vec<serde_json::Value> {
    let output = std::process::Command::new("curl")
        .args(["-sS", "--unix-socket", node.socket().to_str().unwrap(), "http://localhost/v1/audit?limit=100"])
        .output()
        .unwrap();
    let page: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    page["items"].as_array().unwrap().clone()
}
