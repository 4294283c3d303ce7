//! The reload guard, from outside: a signal passes it no more than a person does, and a person who looked passes.

use crate::support::{Node, short};

const NAMES: u8 = 6;

fn config(names: u8) -> String {
    let mut text =
        String::from("[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.lab]\n[region.eu]\n");
    for n in 0..names {
        text += &format!(
            "[endpoint.e{n}]\nprovider = \"lab\"\nregion = \"eu\"\naddress = \"203.0.113.{n}\"\n[service.s{n}]\nnames = [\"s{n}.gslb.example.com\"]\nendpoints = [\"e{n}\"]\n"
        );
    }
    text
}

#[test]
fn a_signal_does_not_pass_the_guard_and_the_plan_that_was_looked_at_does() {
    let mut node = Node::start(&config(NAMES));
    let answers = |node: &Node, n: u8| short(node.dns, &format!("s{n}.gslb.example.com"), "A");
    node.write(&config(2));
    node.signal(nix::sys::signal::Signal::SIGHUP);
    let held = node.logged("held by the reload guard");
    let digest = held.split("\"plan\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert_eq!(answers(&node, 5), ["203.0.113.5"], "nothing changed");
    let refused = node.run(&["reload", "--accept", "0123456789abcdef"]);
    assert!(!refused.status.success());
    assert_eq!(answers(&node, 5), ["203.0.113.5"]);
    node.ok(&["reload", "--accept", &digest]);
    assert_eq!((answers(&node, 5), answers(&node, 1)), (vec![], vec!["203.0.113.1".to_owned()]));
    node.ok(&["reload", "--previous"]);
    assert_eq!(answers(&node, 5), ["203.0.113.5"], "the way back is not held");
}
