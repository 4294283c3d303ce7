//! Hostile texts: whatever is thrown at the loader, it ends and tells problems.

#[cfg(target_os = "linux")]
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use proptest::prelude::*;

use super::*;

/// What the files for people show in comments alone.
const STEERED: &str = r#"[zone."g.example"]
ns = { ns1 = "192.0.2.53" }
[endpoint]
a = { address = "192.0.2.1", load = { url = "http://{address}/", field = "x" }, resume = "manual" }
b = { target = "www.cdn.example.net.", load = { push = true, stale_after = "20s" } }
[pool]
p = { endpoints = { a = 1 }, answer = "hash", ramp = "1m", degraded = "last" }
q = { endpoints = ["b"], answer = "least-connections" }
[service.s]
names = ["*.g.example"]
pools = ["p", "q"]
sticky = { v4 = 20, v6 = 48 }
trickle = "0.25%"
https = { alpn = ["h2"] }
[[service.s.rule]]
when = { subnet = ["10.0.0.0/8", "2001:db8::/32"], geo = "EU-DE", asn = [64500, "AS1"] }
pools = { q = 3, p = 1 }
geofence = true
[[service.s.rule]]
when = { subnet = "10.1.0.0/16" }
pools = ["q"]
steer = "random"
[[test]]
name = "t"
down = "all"
query = "x.g.example HTTPS from 198.51.100.0/24"
expect = ["a", "q", "NODATA"]
"#;

const FILES: [&str; 5] = [
    STEERED,
    include_str!("../../../config/minimal.toml"),
    include_str!("../../../config/typical.toml"),
    include_str!("../../../config/reference.toml"),
    include_str!("../../../config/demo.toml"),
];

/// A cut, a doubling, or a few octets put in.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize, usize),
    Double(usize, usize),
    Insert(usize, String),
}

fn change() -> impl Strategy<Value = Change> {
    let text = prop_oneof![
        "[ -~\n\t]{0,12}",
        "\\PC{0,6}",
        Just("\u{0}".to_owned()),
        Just("${".to_owned()),
        Just("'''".to_owned()),
        Just("[[".to_owned()),
        Just("= {".to_owned()),
        Just("99999999999999999999".to_owned()),
        Just("-1".to_owned()),
        Just("1e400".to_owned()),
    ];
    prop_oneof![
        (any::<usize>(), 0_usize..40).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<usize>(), 0_usize..200).prop_map(|(at, length)| Change::Double(at, length)),
        (any::<usize>(), text).prop_map(|(at, text)| Change::Insert(at, text)),
    ]
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for change in changes {
        let size = chars.len() + 1;
        match change {
            Change::Cut(at, length) => {
                let at = at % size;
                drop(chars.drain(at..(at + length).min(chars.len())));
            }
            Change::Double(at, length) => {
                let at = at % size;
                let part = chars[at..(at + length).min(chars.len())].to_vec();
                chars.splice(at..at, part);
            }
            Change::Insert(at, text) => {
                let at = at % size;
                chars.splice(at..at, text.chars());
            }
        }
    }
    chars.into_iter().collect()
}

#[test]
fn what_is_changed_was_sound_before() {
    // The demo's has a file beside it, which a text alone has not.
    FILES.iter().filter(|file| !file.contains("DEMO_NETS")).for_each(|file| drop(loaded(file)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_changed_configuration_stops_the_loader(
        file in 0_usize..FILES.len(),
        changes in prop::collection::vec(change(), 1..6),
    ) {
        let text = changed(FILES[file], &changes);
        for result in [load_text("x.toml", &text, &none), parse_sealed(&text)] {
            match result {
                Ok(loaded) => prop_assert!(loaded.effective().is_object()),
                Err(problems) => {
                    prop_assert!(problems.errors().count() > 0, "refused without an error");
                    let shown = problems.render(true);
                    let harmful = |c: char| c.is_control() && !['\n', '\t', '\u{1b}'].contains(&c);
                    prop_assert!(!shown.chars().any(harmful), "{}", shown.escape_debug());
                }
            }
        }
    }

    #[test]
    fn no_text_stops_the_loader(text in "\\PC{0,300}") {
        prop_assert!(parse_sealed(&text).is_err());
    }

    #[test]
    fn no_zone_file_stops_the_loader(changes in prop::collection::vec(change(), 1..8)) {
        let zone = changed(include_str!("../../../tests/data/config/full.zone"), &changes);
        let quoted = toml::Value::String(zone).to_string();
        let _ = parse_sealed(&format!("[zone.\"full.test\"]\nns = {{ ns1 = \"192.0.2.1\" }}\nrecords = {quoted}\n"));
    }
}

#[test]
fn deep_nesting_is_refused() {
    let deep = format!("x = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse_sealed(&deep).is_err());
    let deep = format!("{}x = 1", "a.".repeat(100_000));
    assert!(parse_sealed(&deep).is_err());
}

/// Texts of a request's size that try to make more work than their size. What counts is this thread's work, and not how
/// long it waited for a processor.
#[test]
#[cfg(target_os = "linux")]
fn large_nonsense_is_refused_in_time() {
    let many = |line: &dyn Fn(usize) -> String| (0..10_000).map(line).collect::<String>();
    let zone = |records: String| {
        format!("[zone.\"a.example\"]\nns = {{ ns1 = \"192.0.2.1\" }}\nrecords = '''\n{records}'''\n")
    };
    let texts = [
        many(&|n| format!("k{n} = 1\n")),
        format!("[pool.p]\nendpoints = [{}]", many(&|n| format!("\"e{n}\","))),
        format!(
            "[endpoint]\n{}[pool.p]\nendpoints = [{}]",
            many(&|n| format!("e{n} = {{}}\n")),
            many(&|n| format!("\"x{n}\","))
        ),
        zone(many(&|n| format!("x 60 A 10.0.{}.{}\n", n / 256, n % 256))),
        zone(many(&|n| format!("x 60 TYPE{} \\# 0\n", 1000 + n))),
        zone(many(&|_| "x 60 A\n".to_owned())),
        zone(many(&|n| format!("a.{n}.b.c.d.e.f.g.h 60 NS x\n"))),
        many(&|_| "[[[[".to_owned()),
        many(&|_| "= \"".to_owned()),
        many(&|n| format!("[service.s{n}]\nnames = [\"x.example\"]\n")),
    ];
    let worked = || {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds()
    };
    for text in texts {
        let before = worked();
        let result = parse_sealed(&text);
        let took = worked() - before;
        assert!(took < 10_000, "{took} ms for {}", &text[..60]);
        println!("{took} ms, {} for {:?}", result.map_or_else(|p| p.summary(), |_| "fine".into()), &text[..40]);
    }
}
