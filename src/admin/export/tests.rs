//! What is exported can be served by others.

use serde_json::Value;

use super::*;
use crate::config::load_text;

const TEXT: &str = r#"
[zone."example"]
ns = { ns1 = "192.0.2.53" }
records = '''
@    3600 CAA 0 issue "letsencrypt.org"
mail 60   MX  10 mx.example.net.
txt  60   TXT "v=spf1; -all"
'''
[endpoint]
a = { address = ["203.0.113.1", "2001:db8::1"] }
b = { address = "203.0.113.2" }
c = { address = "203.0.113.3" }
[pool]
eu = { endpoints = { a = 70, b = 30 } }
us = { endpoints = ["c"] }
[service.www]
names = ["www.example", "*.shop.example"]
pools = ["eu", "us"]
ttl   = "20s"
"#;

fn exported(format: Format) -> Exported {
    let fleet = load_text("t.toml", TEXT, &|_| None).unwrap_or_else(|problems| panic!("{problems}")).fleet;
    let world = crate::steer::sample::World::default();
    let snapshot = world.snapshot_of(&fleet);
    let table = crate::steer::compile(&snapshot, None, &LastGood::new());
    export(&table, &LastGood::new(), &fleet.zones[0], format)
}

#[test]
fn a_master_file_holds_the_answers_of_the_moment_and_is_read_back() {
    let Exported { text, left_out } = exported(Format::Zone);
    assert_eq!(left_out, Vec::<String>::new());
    for line in [
        "www.example. 20 IN A 203.0.113.1",
        "www.example. 20 IN A 203.0.113.2",
        "www.example. 20 IN AAAA 2001:db8::1",
        "*.shop.example. 20 IN A 203.0.113.1",
        "mail.example. 60 IN MX 10 mx.example.net.",
        "txt.example. 60 IN TXT \"v=spf1; -all\"",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}\n{text}");
    }
    assert!(!text.contains("203.0.113.3"), "the second pool stands by:\n{text}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("example.zone"), &text).unwrap();
    std::fs::write(folder.path().join("w.toml"), "[zone.\"example\"]\nfile = \"example.zone\"\n").unwrap();
    let read = crate::config::load(&folder.path().join("w.toml"), &|_| None).unwrap_or_else(|p| panic!("{p}"));
    assert!(read.fleet.zones[0].set(&"www.example".parse().unwrap(), kind::AAAA).is_some());
}

#[test]
fn octodns_gets_pools_weights_and_fallbacks() {
    let Exported { text, .. } = exported(Format::OctoDns);
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let www = &file["www"][0];
    assert_eq!((&www["type"], &www["ttl"]), (&"A".into(), &20.into()), "{text}");
    assert_eq!(www["dynamic"]["pools"]["eu"]["fallback"], "us");
    assert_eq!(www["dynamic"]["pools"]["eu"]["values"][1]["weight"], 30);
    assert_eq!(www["dynamic"]["rules"][0]["pool"], "eu");
    assert_eq!(file["mail"]["value"]["exchange"], "mx.example.net.");
    assert_eq!(file["txt"]["value"], "v=spf1\\; -all");
    assert_eq!(file["www"][1]["dynamic"]["pools"]["eu"]["values"].as_array().unwrap().len(), 1, "AAAA has one value");
}
