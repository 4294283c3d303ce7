//! What an operator sees before anything happens: plans, simulations, a configuration's own tests, the reload guard.

use std::{fs, process::Stdio};

use crate::support::{Endpoint, Node, eventually, wayshift};

/// Three services: two share the pool at aws, the third has its own at gcp.
fn config(endpoint: &Endpoint) -> String {
    let at = endpoint.address;
    let mut text = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.aws]\n[provider.gcp]\n[region.eu]\n\
                    [safety]\nrules = [{ name = \"one-cloud\", keep = 1, of = [\"provider:aws\", \"provider:gcp\"] }]\n\
                    reload_guard = { removed = \"30%\", answers = \"60%\", at_least = 1 }\n\
                    [check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\n[endpoint]\n"
        .to_owned();
    for (id, provider, address) in
        [("a1", "aws", "203.0.113.1"), ("a2", "aws", "203.0.113.2"), ("g1", "gcp", "203.0.113.3")]
    {
        text.push_str(&format!(
            "{id} = {{ provider = \"{provider}\", region = \"eu\", address = \"{address}\", check_at = \"{at}\" }}\n"
        ));
    }
    text.push_str("[pool]\naws = { endpoints = { a1 = 70, a2 = 30 } }\ngcp = { endpoints = [\"g1\"] }\n");
    for (id, pools) in [("www", "\"aws\", \"gcp\""), ("api", "\"aws\""), ("shop", "\"gcp\", \"aws\"")] {
        text.push_str(&format!(
            "[service.{id}]\nnames = [\"{id}.gslb.example.com\"]\npools = [{pools}]\ncheck = \"web\"\n"
        ));
    }
    text
}

fn test_of(expect: &str) -> String {
    format!(
        "[[test]]\nname = \"losing aws\"\ndown = [\"provider:aws\"]\nquery = \"www.gslb.example.com A\"\nexpect = [\"{expect}\"]\n"
    )
}

#[test]
fn a_plan_of_one_line_lists_what_it_touches_and_a_reload_does_exactly_that() {
    let endpoint = Endpoint::start("127.0.0.1");
    let old = config(&endpoint);
    let node = Node::start(&old);
    node.all_up();
    let file = node.config();
    let path = file.to_str().unwrap();

    let same = node.run(&["plan", path]);
    let said = String::from_utf8_lossy(&same.stdout).into_owned();
    assert_eq!((same.status.code(), said.as_str()), (Some(0), "nothing changes\n"));

    let begun = node.folder.path().join("old.toml");
    fs::copy(&file, &begun).unwrap();
    node.write(&old.replace("a2 = 30", "a2 = 70"));
    let plan = node.run(&["plan", path]);
    let said = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert_eq!(plan.status.code(), Some(3), "{said} {}", String::from_utf8_lossy(&plan.stderr));
    assert!(said.contains("~ pool aws") && said.contains("2 names answered differently"), "{said}");
    for (name, touched) in [("www", true), ("api", true), ("shop", false)] {
        assert_eq!(said.contains(&format!("{name}.gslb.example.com")), touched, "{name}: {said}");
    }
    assert!(said.contains("aws a1 70 %, a2 30 %") && said.contains("aws a1 50 %, a2 50 %"), "{said}");
    let offline = wayshift().args(["plan", path, "--against"]).arg(&begun).stdin(Stdio::null()).output().unwrap();
    assert_eq!(offline.status.code(), Some(3));
    let said = String::from_utf8_lossy(&offline.stdout).into_owned();
    assert!(said.contains("~ pool aws") && said.contains("2 names answered differently"), "{said}");
}

#[test]
fn the_guard_holds_a_reload_until_its_plan_was_looked_at_and_previous_goes_back() {
    let endpoint = Endpoint::start("127.0.0.1");
    let old = config(&endpoint);
    let node = Node::start(&old);
    node.all_up();
    let moved = || node.short("shop.gslb.example.com", "A") == ["203.0.113.33"];
    // Every name is answered with another address.
    let much = old.replace("203.0.113.3\"", "203.0.113.33\"").replace("a1 = 70, a2 = 30", "a1 = 30, a2 = 70");
    node.write(&much);
    let held = node.run(&["reload"]);
    let said = String::from_utf8_lossy(&held.stderr).into_owned();
    assert_eq!(held.status.code(), Some(6), "{said}");
    assert!(said.contains("3 of 3 names are answered differently") && !moved(), "{said}");
    let digest = said.split("--accept ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let wrong = node.run(&["reload", "--accept", "0123456789abcdef"]);
    assert_eq!(wrong.status.code(), Some(6));
    assert!(!moved());
    node.ok(&["reload", "--accept", &digest]);
    eventually("the accepted plan's answers", || moved().then_some(()));
    node.ok(&["reload", "--previous"]);
    eventually("the answers before", || (node.short("shop.gslb.example.com", "A") == ["203.0.113.3"]).then_some(()));
}

#[test]
fn a_simulation_tells_what_a_lost_provider_does() {
    let endpoint = Endpoint::start("127.0.0.1");
    let node = Node::start(&config(&endpoint));
    node.all_up();
    let said = node.ok(&["simulate", "--down", "provider:aws"]);
    for needle in
        ["www.gslb.example.com", "gcp g1", "pool aws: no endpoint left", "rule one-cloud holds", "0 names unanswered"]
    {
        assert!(said.contains(needle), "{needle}: {said}");
    }
    assert!(!said.contains("shop.gslb.example.com"), "{said}");
    let json = node.json(&["simulate", "--down", "provider:aws"]);
    assert_eq!(json["unhealthy"], serde_json::json!(["api.gslb.example.com."]));
    node.all_up();
}

#[test]
fn a_configuration_brings_its_own_tests() {
    let endpoint = Endpoint::start("127.0.0.1");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wayshift.toml");
    for (expect, code, word) in [("g1", 0, "● holds  losing aws"), ("a1", 3, "✖ fails  losing aws")] {
        fs::write(&file, config(&endpoint) + &test_of(expect)).unwrap();
        let ran = wayshift().arg("test").arg(&file).stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(ran.status.code(), Some(code), "{said}");
        assert!(said.contains(word), "{said}");
    }
}
