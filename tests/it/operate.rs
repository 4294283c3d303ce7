//! What an operator does, seen from outside: overrides, reloads, restarts, mistakes.

use std::{fs, process::Stdio};

use nix::sys::signal::Signal;

use crate::support::{Endpoint, Node, eventually, wayshift};

const PRELUDE: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[provider.aws]\n[provider.gcp]\n[region.eu]\n[check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nrecheck = \"200ms\"\ncooldown = \"0s\"\n";

/// Two services, each with one endpoint at aws in front and one at gcp behind.
fn two_clouds(aws: &Endpoint, gcp: &Endpoint) -> String {
    format!(
        "{PRELUDE}[endpoint]\na1 = {{ provider = \"aws\", region = \"eu\", address = \"203.0.113.1\", check_at = \"{}\" }}\ng1 = {{ provider = \"gcp\", region = \"eu\", address = \"203.0.113.2\", check_at = \"{}\" }}\n[pool]\naws = {{ endpoints = [\"a1\"] }}\ngcp = {{ endpoints = [\"g1\"] }}\n[service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"aws\", \"gcp\"]\ncheck = \"web\"\n[service.api]\nnames = [\"api.gslb.example.com\"]\npools = [\"aws\", \"gcp\"]\ncheck = \"web\"\n",
        aws.address, gcp.address
    )
}

#[test]
fn a_drained_provider_moves_every_service_at_once_and_the_order_survives_kill_9() {
    let (aws, gcp) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let node = Node::start(&two_clouds(&aws, &gcp));
    node.all_up();
    let names = ["www.gslb.example.com", "api.gslb.example.com"];
    assert!(names.iter().all(|name| node.short(name, "A") == ["203.0.113.1"]));

    let preview = node.json(&["drain", "provider:aws", "--for", "2h", "--reason", "INC-123", "--dry-run"]);
    let effect = preview.to_string();
    assert!(effect.contains("\"www\"") && effect.contains("\"api\""), "the preview names both services: {effect}");
    assert!(names.iter().all(|name| node.short(name, "A") == ["203.0.113.1"]), "a preview changes nothing");

    node.ok(&["drain", "provider:aws", "--for", "2h", "--reason", "INC-123", "--yes"]);
    assert!(names.iter().all(|name| node.short(name, "A") == ["203.0.113.2"]), "the next query is answered elsewhere");

    let node = Node::restart_in(node.kill());
    assert!(names.iter().all(|name| node.short(name, "A") == ["203.0.113.2"]), "it survives kill -9");
    let listed = node.json(&["override", "list"]).to_string();
    assert!(listed.contains("INC-123") && listed.contains("provider:aws"), "{listed}");
    let audit = curl(&node, "GET", "/v1/audit", None);
    assert!(audit.contains("override.create") && audit.contains("INC-123"), "{audit}");

    node.ok(&["restore", "provider:aws", "--yes"]);
    eventually("back at aws", || names.iter().all(|name| node.short(name, "A") == ["203.0.113.1"]).then_some(()));
    node.ok(&["drain", "provider:aws", "--for", "2s", "--reason", "short", "--yes"]);
    assert_eq!(node.short(names[0], "A"), ["203.0.113.2"]);
    eventually("it ends by itself", || (node.short(names[0], "A") == ["203.0.113.1"]).then_some(()));
}

fn curl(node: &Node, method: &str, path: &str, body: Option<&str>) -> String {
    let mut command = std::process::Command::new("curl");
    command.args(["-sS", "--max-time", "10", "-X", method, "--unix-socket"]).arg(node.socket());
    if let Some(body) = body {
        command.args(["-H", "Content-Type: application/json", "-d", body]);
    }
    let output = command.arg(format!("http://localhost{path}")).output().expect("curl is installed by `make test`");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Five mistakes, each on the line that its comment names (the test's own prelude stands before them).
const MISTAKES: &str = "[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n[check.web]\nurl = \"http://x/\"\ninterval = 10\nfal = 3\n[endpoint]\ne1 = { address = \"203.0.113.300\" }\n[pool]\np = { endpoints = [\"e2\"] }\n[service.www]\nnames = [\"www.gslb.example.org\"]\npools = [\"p\"]\n";

#[test]
fn five_mistakes_are_five_problems_and_change_nothing() {
    let (aws, gcp) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let good = two_clouds(&aws, &gcp);
    let mut node = Node::start(&good);
    node.all_up();
    node.write(MISTAKES);
    let text = fs::read_to_string(node.config()).unwrap();
    let line = |needle: &str| text.lines().position(|l| l.contains(needle)).unwrap() + 1;

    let checked = wayshift().arg("check").arg(node.config()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(checked.status.code(), Some(78));
    let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
    for needle in ["interval = 10", "fal = 3", "203.0.113.300", "\"e2\"", "example.org"] {
        assert!(said.contains(&format!("wayshift.toml:{}:", line(needle))), "a problem at `{needle}`:\n{said}");
    }
    assert!(said.contains("5 errors"), "{said}");

    let refused = node.run(&["reload"]);
    assert!(!refused.status.success());
    node.signal(Signal::SIGHUP);
    node.logged("refused");
    assert_eq!(node.short("www.gslb.example.com", "A"), ["203.0.113.1"], "the old configuration serves on");

    // A start with the bad file goes on from the accepted one, and says so.
    let mut node = Node::restart_in(node.kill());
    node.logged("accepted");
    assert_eq!(node.short("www.gslb.example.com", "A"), ["203.0.113.1"]);
    node.write(&good.replace("203.0.113.1", "203.0.113.77"));
    node.ok(&["reload"]);
    eventually("the mended file's address", || {
        (node.short("www.gslb.example.com", "A") == ["203.0.113.77"]).then_some(())
    });
    let (status, _folder) = node.stop();
    assert_eq!(status.code(), Some(0), "SIGTERM drains and ends well");
}

#[test]
fn a_first_start_with_mistakes_is_exit_78() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wayshift.toml");
    fs::write(&file, format!("[store]\npath = \"{}\"\n{MISTAKES}", folder.path().join("store").display())).unwrap();
    let output = wayshift().args(["serve", "--config"]).arg(&file).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("5 errors"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn nothing_is_answered_over_tcp_without_a_token() {
    let (aws, gcp) = (Endpoint::start("127.0.0.1"), Endpoint::start("127.0.0.1"));
    let mut node = Node::start(&two_clouds(&aws, &gcp));
    let line = node.logged("\"admin\":\"");
    let at = line.split("\"admin\":\"").nth(1).unwrap().split(['"', ',']).next().unwrap().to_owned();
    let code = |path: &str, token: Option<&str>| {
        let mut command = std::process::Command::new("curl");
        command.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "10"]);
        if let Some(token) = token {
            command.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        let output = command.arg(format!("http://{at}{path}")).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!((code("/livez", None).as_str(), code("/readyz", None).as_str()), ("200", "200"));
    for path in ["/v1/status", "/v1/services", "/metrics", "/v1/config", "/v1/audit", "/v1/nothing", "/"] {
        assert_eq!(code(path, None), "401", "{path}");
        assert_eq!(code(path, Some("ws_guess_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")), "401", "{path}");
    }
    let token = fs::read_to_string(node.folder.path().join("store/admin.token")).unwrap();
    assert_eq!(code("/v1/status", Some(token.trim())), "200");
}
