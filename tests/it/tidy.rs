//! The house rules that a machine can hold: floors, the one home of the clock, of `unsafe`, of task spawning, file
//! sizes, words.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// What a room may name with `crate::`. Its own name always.
const FLOORS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("clock", &["model"]),
    ("telemetry", &["model", "clock"]),
    ("judge", &["model"]),
    ("steer", &["model", "judge"]),
    ("control", &["model", "judge"]),
    ("config", &["model", "clock", "telemetry"]),
    ("probe", &["model", "clock", "telemetry"]),
    ("store", &["model", "clock", "telemetry"]),
    ("dns", &["model", "clock", "telemetry", "steer"]),
    ("admin", &["model", "clock", "telemetry", "judge", "steer", "control", "config", "store"]),
    ("cli", &["model", "clock", "telemetry", "judge", "steer", "control", "config", "store"]),
    (
        "node",
        &[
            "model",
            "clock",
            "telemetry",
            "judge",
            "steer",
            "control",
            "config",
            "store",
            "probe",
            "dns",
            "admin",
            "cli",
        ],
    ),
    (
        "demo",
        &[
            "model",
            "clock",
            "telemetry",
            "judge",
            "steer",
            "control",
            "config",
            "store",
            "probe",
            "dns",
            "admin",
            "cli",
            "node",
        ],
    ),
];

/// The rooms in which values go in and values come out.
const PURE: &[&str] = &["model", "judge", "steer", "control"];

/// Words that name something the core must not do.
const IMPURE: &[&str] = &[
    "tokio::",
    "async fn",
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::net::Udp",
    "std::net::Tcp",
    "fastrand",
    "getrandom",
    "Mutex",
    "println!",
    "tracing::",
];

/// Files of the core that hold what others share, with the reason.
const IMPURE_AT: &[(&str, &str)] =
    &[("steer/live.rs", "the one pointer that is swapped; the swapper alone locks its list of old tables")];

/// Files that may be longer than [`LINES_MAX`], with the reason.
const LONG: &[(&str, &str)] = &[];

const LINES_MAX: usize = 400;
const LINES_MEDIAN_MAX: usize = 180;

struct Source {
    path: PathBuf,
    room: String,
    text: String,
}

impl Source {
    /// Whole files that only tests are built with.
    fn is_test(&self) -> bool {
        let homes =
            ["tests", "tests.rs", "testing", "testing.rs", "sample.rs", "samples.rs", "properties", "properties.rs"];
        self.path.iter().any(|part| homes.iter().any(|home| part == *home))
    }

    /// The text before the file's own tests, without comments.
    fn code(&self) -> String {
        let opens = |at: &usize| self.text[*at..].lines().nth(1).is_some_and(|line| line.ends_with('{'));
        let end = self.text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(opens);
        let body = &self.text[..end.unwrap_or(self.text.len())];
        body.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
    }
}

fn sources() -> Vec<Source> {
    below("src")
}

fn below(folder: &str) -> Vec<Source> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|full| {
            let path = full.strip_prefix(&root).unwrap().to_path_buf();
            let first = path.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
            let room = first.strip_suffix(".rs").unwrap_or(&first).to_owned();
            Source { text: fs::read_to_string(&full).unwrap(), path, room }
        })
        .collect()
}

fn rooms_named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_usize;
            let mut word = String::new();
            let mut take = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.push(std::mem::take(&mut word));
                        take = true;
                        continue;
                    }
                    ':' if depth == 0 => take = false,
                    _ => {}
                }
                if depth == 0 && take && (c.is_alphanumeric() || c == '_') {
                    word.push(c);
                }
            }
            found.push(word);
        } else {
            found.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn rooms_see_only_the_floors_below_them() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !matches!(source.room.as_str(), "lib" | "main")) {
        let Some((_, may)) = FLOORS.iter().find(|(room, _)| *room == source.room) else {
            wrong.push(format!("{}: the room {} has no floor", source.path.display(), source.room));
            continue;
        };
        for name in rooms_named(&source.code()) {
            let is_room = FLOORS.iter().any(|(room, _)| *room == name);
            if is_room && name != source.room && !may.contains(&name.as_str()) {
                wrong.push(format!("{}: {} may not see {name}", source.path.display(), source.room));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_deciding_core_is_pure() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| PURE.contains(&source.room.as_str()) && !source.is_test()) {
        let code = source.code();
        if IMPURE_AT.iter().any(|(known, _)| source.path == Path::new(known)) {
            continue;
        }
        wrong.extend(
            IMPURE.iter().filter(|word| code.contains(**word)).map(|word| format!("{}: {word}", source.path.display())),
        );
    }
    assert!(wrong.is_empty(), "the core decides, the shell does:\n{}", wrong.join("\n"));
}

#[test]
fn the_clock_unsafe_and_leftovers_have_one_home_or_none() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test()) {
        // A name that ends in it is no keyword.
        let code = source.code().replace("_unsafe", "_");
        let path = source.path.to_string_lossy().into_owned();
        let mut refuse = |word: &str, home: &[&str]| {
            if code.contains(word) && !home.iter().any(|home| path.starts_with(home)) {
                wrong.push(format!("{path}: {word}"));
            }
        };
        refuse("SystemTime::now", &["clock.rs"]);
        refuse("std::time::Instant::now", &["clock.rs"]);
        refuse(" unsafe {", &["dns/udp/batch.rs"]);
        // The lint refuses it in every form; where it is told not to is where it may stand.
        refuse("(unsafe_code", &["dns/udp.rs"]);
        refuse("todo!(", &[]);
        refuse("unimplemented!(", &[]);
        refuse("unbounded_channel", &[]);
        refuse("std::env::set_var", &[]);
        refuse(".unwrap()", &[]);
        refuse("tokio::spawn(", &[]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_stay_short() {
    // Tests are read as often as what they test; that they are many files is no reason to look at fewer.
    for folder in ["src", "tests", "benches", "examples"] {
        let files = below(folder);
        let mut sizes: Vec<(usize, String)> =
            files.iter().map(|s| (s.text.lines().count(), s.path.to_string_lossy().into_owned())).collect();
        sizes.sort();
        let long: Vec<_> =
            sizes.iter().filter(|(n, path)| *n > LINES_MAX && !LONG.iter().any(|(known, _)| known == path)).collect();
        assert!(long.is_empty(), "split by purpose, or write the reason into LONG: {folder}: {long:?}");
        let median = sizes[sizes.len() / 2].0;
        // A few files have no middle.
        assert!(sizes.len() < 10 || median <= LINES_MEDIAN_MAX, "the median file of {folder} has {median} lines");
        assert!(!files.iter().any(|s| s.path.ends_with("mod.rs")), "foo.rs + foo/, never mod.rs");
    }
}
