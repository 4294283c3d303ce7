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
    exported_of(TEXT, format)
}

fn exported_of(text: &str, format: Format) -> Exported {
    let fleet = load_text("t.toml", text, &|_| None).unwrap_or_else(|problems| panic!("{problems}")).fleet;
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

#[test]
fn octodns_gets_the_rules_it_can_say_and_is_told_of_the_others_once() {
    let text = format!(
        r#"{TEXT}
[[service.www.rule]]
when = {{ geo = ["EU"] }}
pools = ["eu"]
geofence = true
[[service.www.rule]]
when = {{ subnet = ["10.0.0.0/8"] }}
pools = ["us"]
[[service.www.rule]]
when = {{ asn = [64500] }}
pools = ["us", "eu"]
"#
    )
    .replace("a = 70, b = 30", "a = 700, b = 30");
    let Exported { text, left_out } = exported_of(&text, Format::OctoDns);
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let dynamic = &file["www"][0]["dynamic"];
    let rules: Vec<String> = dynamic["rules"].as_array().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        rules,
        [
            r#"{"pool":"rule-2-us","subnets":["10.0.0.0/8"]}"#,
            r#"{"geos":["EU"],"pool":"rule-1-eu"}"#,
            r#"{"pool":"eu"}"#
        ],
        "{text}"
    );
    let pools: Vec<&String> = dynamic["pools"].as_object().unwrap().keys().collect();
    assert_eq!(pools, ["eu", "rule-1-eu", "rule-2-us", "us"], "none that no rule leads to: octoDNS refuses it");
    assert_eq!(
        (&dynamic["pools"]["rule-2-us"]["fallback"], &dynamic["pools"]["rule-1-eu"]["fallback"]),
        (&"eu".into(), &Value::Null)
    );
    assert_eq!(dynamic["pools"]["eu"]["values"][1]["weight"], 4);
    let about = |word: &str| left_out.iter().filter(|line| line.starts_with("www.") && line.contains(word)).count();
    assert_eq!(
        (about("AS numbers"), about("geofence"), about("networks stand before"), about("scaled")),
        (1, 1, 1, 1),
        "{left_out:#?}"
    );
    assert_eq!(left_out.iter().filter(|line| line.starts_with("www.")).count(), 5, "{left_out:#?}");
}
