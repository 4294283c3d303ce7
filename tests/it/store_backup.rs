//! Backups from outside: made beside a running node, looked at, refused when they are not whole, put back.

use std::{fs, path::Path, process::Output};

use rusqlite::Connection;

use crate::support::{Endpoint, Node, eventually, wayshift, write_config};

const NAME: &str = "www.gslb.example.com";

pub(crate) fn config(first: &Endpoint, second: &Endpoint) -> String {
    format!(
        "[provider.aws]\n[provider.gcp]\n[region.eu]\nat = [50, 8]\n[node]\nname = \"eu-1\"\nregion = \"eu\"\n\
         [zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n\
         [check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nrecheck = \"100ms\"\n\
         [endpoint]\ne0 = {{ provider = \"aws\", address = \"{}\", check_at = \"{}\" }}\n\
         e1 = {{ provider = \"gcp\", address = \"{}\", check_at = \"{}\" }}\n\
         [pool]\nfirst = {{ endpoints = [\"e0\"] }}\nsecond = {{ endpoints = [\"e1\"] }}\n\
         [service.www]\nnames = [\"{NAME}\"]\npools = [\"first\", \"second\"]\ncheck = \"web\"\nttl = \"1s\"\nttl_min = \"1s\"\n",
        first.address.ip(),
        first.address,
        second.address.ip(),
        second.address,
    )
}

/// A tool's verb on the store that a configuration names.
pub(crate) fn tool(config: &Path, arguments: &[&str]) -> Output {
    wayshift().args(arguments).arg("--config").arg(config).output().unwrap()
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn file_tool(arguments: &[&str]) -> Output {
    wayshift().args(arguments).output().unwrap()
}

#[test]
fn a_backup_of_a_running_node_comes_back_whole_on_another_disk() {
    let (first, second) = (Endpoint::start("127.0.1.11"), Endpoint::start("127.0.1.12"));
    let text_of = config(&first, &second);
    let node = Node::start(&text_of);
    node.all_up();
    let token = format!("ws_oncall_{}", "A".repeat(43));
    let reason = format!("INC-9 done with {token}");
    node.ok(&["drain", "endpoint:e0", "--for", "1h", "--reason", &reason, "--yes"]);
    node.ok(&[
        "override",
        "set",
        "weight",
        "endpoint:e1",
        "--weight",
        "7",
        "--for",
        "1h",
        "--reason",
        "INC-9",
        "--yes",
    ]);
    let orders = node.json(&["override", "list"])["items"].as_array().unwrap().len();
    assert_eq!(orders, 2);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("night.backup");
    let name = file.to_str().unwrap();
    let made = tool(&node.config(), &["store", "backup", name]);
    assert!(made.status.success() && text(&made).contains("2 overrides"), "{}", text(&made));
    let again = tool(&node.config(), &["store", "backup", name]);
    assert_eq!(again.status.code(), Some(6), "{}", text(&again));
    assert!(text(&again).contains("exists already") && text(&again).contains("--replace"), "{}", text(&again));
    let replaced = tool(&node.config(), &["store", "backup", "--replace", name]);
    assert!(replaced.status.success(), "{}", text(&replaced));
    let whole = file_tool(&["store", "verify", name]);
    assert!(whole.status.success(), "{}", text(&whole));
    let live = tool(&node.config(), &["store", "verify"]);
    assert!(live.status.success(), "{}", text(&live));

    // For people and for programs, and what was pasted by mistake in neither.
    let dump = text(&file_tool(&["store", "dump", name]));
    assert!(dump.contains("INC-9 done with (redacted)") && !dump.contains(&token), "{dump}");
    let read: toml::Table = dump.parse().expect("a dump is TOML");
    assert_eq!((read["overrides"].as_array().unwrap().len(), read["audit"].as_array().unwrap().len()), (2, 2));
    let json = file_tool(&["store", "dump", name, "-o", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["audit"][0]["action"], "override.create");

    // Nothing is restored over a store, with a node on it or without.
    let restore = ["store", "restore", name, "--reason", "INC-10", "--yes"];
    let refused = tool(&node.config(), &restore);
    assert_eq!(refused.status.code(), Some(6), "{}", text(&refused));
    let (_, old) = node.stop();
    let refused = tool(&old.path().join("wayshift.toml"), &restore);
    assert!(!refused.status.success() && text(&refused).contains("there already"), "{}", text(&refused));

    // The disk is gone; another one has only the configuration.
    let fresh = tempfile::tempdir().unwrap();
    write_config(fresh.path(), &text_of);
    let restored = tool(&fresh.path().join("wayshift.toml"), &restore);
    assert!(restored.status.success(), "{}", text(&restored));
    let node = Node::restart_in(fresh);
    eventually("the order is in force", || (node.short(NAME, "A") == [second.address.ip().to_string()]).then_some(()));
    assert_eq!(node.json(&["override", "list"])["items"].as_array().unwrap().len(), orders);
    node.ok(&["restore", "endpoint:e0", "--yes"]);
    let whole = tool(&node.config(), &["store", "verify"]);
    assert!(whole.status.success(), "{}", text(&whole));
    let dump = text(&tool(&node.config(), &["store", "dump"]));
    assert!(dump.contains("store.restore") && dump.contains("INC-10"), "{dump}");
}

#[test]
fn a_backup_that_was_changed_restores_nothing() {
    let (first, second) = (Endpoint::start("127.0.1.13"), Endpoint::start("127.0.1.14"));
    let node = Node::start(&config(&first, &second));
    node.ok(&["drain", "endpoint:e0", "--for", "1h", "--reason", "INC-9", "--yes"]);
    let fresh = tempfile::tempdir().unwrap();
    write_config(fresh.path(), &config(&first, &second));
    let (file, place) = (fresh.path().join("night.backup"), fresh.path().join("wayshift.toml"));
    let name = file.to_str().unwrap().to_owned();
    assert!(tool(&node.config(), &["store", "backup", &name]).status.success());
    let whole = fs::read_to_string(&file).unwrap();
    let body = whole.splitn(4, '\n').nth(3).unwrap();
    // Sums that a forger has made anew.
    let signed = |body: &str| {
        use sha2::Digest as _;
        let sum = data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(body.as_bytes()));
        format!("wayshift-backup 1\nlength {}\nsha256 {sum}\n{body}", body.len())
    };
    let entry = body.lines().find(|line| line.starts_with("{\"entry\"")).unwrap();
    let order = body.lines().find(|line| line.starts_with("{\"override\"")).unwrap();
    let cases = [
        ("cut", whole[..whole.len() - 10].to_owned(), "it was cut"),
        ("changed", whole.replacen("INC-9", "INC-8", 1), "its checksum does not hold"),
        ("newer", whole.replacen("backup 1", "backup 7", 1), "a newer program wrote it"),
        (
            "another end",
            signed(&body.replacen(order, &order.replace("INC-9", "INC-8").replace("endpoint:e0", "endpoint:e1"), 1)),
            "not the one that the audit has",
        ),
        ("without its entry", signed(&body.replacen(&format!("{entry}\n"), "", 1)), "as much as it says"),
        ("another entry", signed(&body.replacen(entry, &entry.replace("INC-9", "INC-8"), 1)), "missing or was changed"),
    ];
    for (what, forged, expected) in cases {
        fs::write(&file, forged).unwrap();
        let verified = file_tool(&["store", "verify", &name]);
        assert_eq!(verified.status.code(), Some(1), "{what}: {}", text(&verified));
        assert!(text(&verified).contains(expected), "{what}: {}", text(&verified));
        let restored = tool(&place, &["store", "restore", &name, "--reason", "x", "--yes"]);
        assert_eq!(restored.status.code(), Some(1), "{what}: {}", text(&restored));
        assert!(!fresh.path().join("store/wayshift.db").exists(), "{what}: nothing is left of it");
    }
}

#[test]
fn a_store_that_is_not_whole_is_said_to_be_and_where() {
    let (first, second) = (Endpoint::start("127.0.1.15"), Endpoint::start("127.0.1.16"));
    let node = Node::start(&config(&first, &second));
    node.ok(&["drain", "endpoint:e0", "--for", "1h", "--reason", "INC-9", "--yes"]);
    let (_, folder) = node.stop();
    let (place, store) = (folder.path().join("wayshift.toml"), folder.path().join("store"));
    let verify = || tool(&place, &["store", "verify"]);
    assert!(verify().status.success(), "{}", text(&verify()));
    let sql = |text: &str| Connection::open(store.join("wayshift.db")).unwrap().execute_batch(text).unwrap();

    let snapshot = store.join("last-good.snapshot");
    let good = fs::read(&snapshot).unwrap();
    fs::write(&snapshot, &good[..good.len() - 4]).unwrap();
    let found = verify();
    assert!(found.status.code() == Some(1) && text(&found).contains("WRONG snapshot"), "{}", text(&found));
    fs::write(&snapshot, good).unwrap();

    sql("UPDATE meta SET generation = 0");
    let found = text(&verify());
    assert!(found.contains("has generation 1") && found.contains("this node remembers"), "{found}");
    sql("UPDATE meta SET generation = 1");
    sql("DROP TRIGGER audit_is_not_deleted; DELETE FROM audit WHERE sequence = 1");
    let found = verify();
    assert!(found.status.code() == Some(1) && text(&found).contains("WRONG audit"), "{}", text(&found));
    assert!(text(&found).contains("its end is missing") && text(&found).contains("no audit entry"), "{}", text(&found));
    let backup = tool(&place, &["store", "backup", folder.path().join("x").to_str().unwrap()]);
    assert!(backup.status.code() == Some(1) && !folder.path().join("x").exists(), "{}", text(&backup));
    sql("UPDATE override SET record = replace(record, 'INC-9', 'INC-8')");
    let found = text(&verify());
    assert!(found.contains("is not as it was written") && found.contains("move wayshift.db"), "{found}");
}
