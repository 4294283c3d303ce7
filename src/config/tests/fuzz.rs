//! Hostile texts: whatever is thrown at the loader, it ends and tells problems.

use proptest::prelude::*;

use super::*;

const FILES: [&str; 4] = [
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
