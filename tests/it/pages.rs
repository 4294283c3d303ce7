//! The pages for people hold: their configurations load, their commands run, their demo is what the demo says.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use clap::Parser as _;
use wayshift::{cli::Cli, config};

use crate::support::{Endpoint, Node, wayshift};

const PAGES: [&str; 10] = [
    "README.md",
    "deploy/README.md",
    "docs/steering.md",
    "docs/availability.md",
    "docs/moving.md",
    "docs/doors.md",
    "docs/fleet.md",
    "docs/secondaries.md",
    "docs/runbooks.md",
    "docs/capacity.md",
];
/// Those of which most is commands.
const MANUALS: [&str; 2] = ["README.md", "deploy/README.md"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Fenced blocks: the line before the fence, the language, the text.
fn blocks(page: &str) -> Vec<(String, String, String)> {
    let (mut found, mut before, mut open) = (Vec::new(), String::new(), None::<(String, String, String)>);
    for line in page.lines() {
        match (open.take(), line.strip_prefix("```")) {
            (None, Some(language)) => open = Some((before.clone(), language.to_owned(), String::new())),
            (Some(block), Some(_)) => found.push(block),
            (Some(mut block), None) => {
                block.2.push_str(line);
                block.2.push('\n');
                open = Some(block);
            }
            (None, None) => line.clone_into(&mut before),
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

#[test]
fn configurations_on_the_pages_load() {
    // Files that they name have to be there; what is in them is read when they are used.
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tls")).unwrap();
    for file in ["tls/etcd-ca.pem", "tls/node.pem", "node.key"] {
        fs::write(folder.path().join(file), "-----BEGIN PRIVATE KEY-----\n").unwrap();
    }
    let token = format!("ws_peers_{}\n", "A".repeat(43));
    fs::write(folder.path().join("peers.token"), token).unwrap();
    fs::create_dir(folder.path().join("tsig")).unwrap();
    fs::write(folder.path().join("tsig/xfr.key"), "QUJDRA==\n").unwrap();
    let credentials = folder.path().display().to_string();
    let env = |name: &str| (name == "CREDENTIALS_DIRECTORY").then(|| credentials.clone());
    for page in PAGES {
        for (before, language, mut text) in blocks(&read(page)) {
            if language != "toml" {
                continue;
            }
            if let Some(file) = before.strip_prefix("<!-- with: ").and_then(|rest| rest.strip_suffix(" -->")) {
                // It stands where that file's service stands.
                let rest = read(file);
                text = format!("{}\n{text}", rest.split("\n[service.").next().unwrap_or(&rest));
            }
            // What lacks the rest is a fragment: it must fit into a small configuration.
            if !text.contains("[zone.") {
                text.push_str("\n[zone.\"gslb.example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n");
            }
            if !text.contains("[service.") {
                text.push_str("\n[service.www]\nnames = [\"www.gslb.example.com\"]\nendpoints = [\"192.0.2.1\"]\n");
                text.push_str("check = \"http://www.example.com/\"\n");
            }
            let place = folder.path().join("page.toml").display().to_string();
            if let Err(problems) = config::load_text(&place, &text, &env) {
                panic!("{page}:\n{text}\n{problems}");
            }
        }
    }
}

#[test]
fn files_shown_on_the_pages_are_the_files() {
    let mut shown = 0;
    for page in PAGES {
        for (before, _, text) in blocks(&read(page)) {
            let Some(file) = before.strip_prefix("<!-- file: ").and_then(|rest| rest.strip_suffix(" -->")) else {
                continue;
            };
            assert_eq!(text, read(file), "{page} shows another {file}");
            shown += 1;
        }
    }
    assert!(shown > 0, "README.md shows config/minimal.toml");
}

/// `tests/it/failover::a_name` names a test: some file of that path has that function.
#[test]
fn tests_on_the_pages_are_tests() {
    let files: Vec<(String, String)> = ["src", "tests"].iter().flat_map(|folder| sources(folder)).collect();
    let mut named = 0;
    for page in PAGES {
        let text = read(page);
        let spans =
            text.split('`').skip(1).step_by(2).filter(|span| span.starts_with("src/") || span.starts_with("tests/"));
        for (path, test) in spans.filter_map(|span| span.split_once("::")) {
            let function = format!("fn {test}(");
            let found = files.iter().any(|(file, text)| file.starts_with(path) && text.contains(&function));
            assert!(found, "{page}: no file {path}... has the test {test}");
            named += 1;
        }
    }
    assert!(named > 30, "{named} tests are named");
}

/// Every Rust file below a folder, with its path from the root.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root().join(folder)).unwrap() {
        let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
        if root().join(&path).is_dir() {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = read(&path);
            found.push((path, text));
        }
    }
    found
}

/// `wayshift ...` in blocks (whole lines, also behind `&&`) and between backticks, without comments.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, language, text) in blocks(page) {
        if language != "toml" {
            let parts = text.lines().flat_map(|line| line.split("&&")).map(|part| part.trim().trim_start_matches("$ "));
            let parts = parts.map(|part| part.split(" #").next().unwrap_or(part).trim().to_owned());
            found.extend(parts.filter(|part| part.starts_with("wayshift ") && !part.starts_with("wayshift demo:")));
        }
    }
    let mut in_block = false;
    let mut prose = String::new();
    for line in page.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    let spans = prose.split('`').skip(1).step_by(2);
    found.extend(spans.filter(|span| span.starts_with("wayshift ")).map(|span| span.replace('\n', " ")));
    found
}

/// Words as a shell splits them, with the pages' placeholders filled in.
fn words(command: &str, order: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for letter in command.chars().chain([' ']) {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            other => word.push(other),
        }
    }
    assert!(!quoted, "{command}: a quote is not closed");
    let fill = |word: String| match word.as_str() {
        "ov_..." => order.to_owned(),
        "..." => "as the page says".to_owned(),
        "ENDPOINT" => "aws-use".to_owned(),
        "NAME" => "name".to_owned(),
        _ => word,
    };
    words.into_iter().map(fill).collect()
}

#[test]
fn commands_on_the_pages_are_commands() {
    for page in PAGES {
        let found = commands(&read(page));
        assert!(found.len() > 3 || !MANUALS.contains(&page), "{page}: {found:?}");
        for command in found {
            if let Err(error) = Cli::try_parse_from(words(&command, "ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6")) {
                panic!("{page}: `{command}`\n{error}");
            }
        }
    }
}

fn fleet(endpoint: &Endpoint) -> String {
    let at = endpoint.address;
    format!(
        "[zone.\"gslb.example.com\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n[provider.aws]\n[provider.gcp]\n[region.us-east]\n\
         [check.web]\nurl = \"http://www.example.com/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nrecheck = \"200ms\"\n[endpoint]\n\
         aws-use = {{ provider = \"aws\", region = \"us-east\", address = \"203.0.113.1\", check_at = \"{at}\" }}\n\
         gcp-use = {{ provider = \"gcp\", region = \"us-east\", address = \"203.0.113.2\", check_at = \"{at}\" }}\n\
         [pool]\nus = {{ endpoints = [\"aws-use\", \"gcp-use\"] }}\n\
         [service.www]\nnames = [\"www.gslb.example.com\"]\npools = [\"us\"]\ncheck = \"web\"\n"
    )
}

#[test]
fn client_commands_on_the_pages_do_what_they_say() {
    let endpoint = Endpoint::start("127.0.0.1");
    let node = Node::start(&fleet(&endpoint));
    node.all_up();
    let mut ran = 0;
    for command in PAGES.iter().flat_map(|page| commands(&read(page))) {
        let verb = command.split(' ').nth(1).unwrap_or("").to_owned();
        let client = [
            "status",
            "explain",
            "events",
            "probe",
            "drain",
            "restore",
            "override",
            "reload",
            "availability",
            "export",
        ];
        // What names its own node is the demo's; what takes a fleet is done in `canary` and `glass`, what takes an
        // accepted configuration in `guard`.
        let of_others = ["--socket", "--canary", "--abort", "--local", "override promote", "--previous"];
        if !client.contains(&verb.as_str()) || of_others.iter().any(|word| command.contains(word)) {
            continue;
        }
        let order = if command.contains("ov_...") {
            node.json(&["drain", "endpoint:aws-use", "--reason", "before", "--yes"])["id"].as_str().unwrap().to_owned()
        } else {
            String::new()
        };
        let words = words(&command, &order);
        let mut arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
        if verb == "drain" || verb == "restore" || command.contains("override set") {
            arguments.push("--yes");
        }
        node.ok(&arguments);
        node.ok(&["restore", "all", "--yes"]);
        ran += 1;
    }
    assert!(ran > 9, "{ran} commands");
}

#[test]
fn the_demo_happens_as_the_readme_tells_it() {
    let arguments = ["demo", "--once", "--dns", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let output = wayshift().args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let story = story(&said);
    assert!(story.len() > 8, "{said}");
    let readme = read("README.md");
    let told = blocks(&readme).into_iter().find(|(_, _, text)| text.starts_with("wayshift demo:")).unwrap().2;
    assert_eq!(self::story(&told), story, "README.md:\n{told}\nthe demo:\n{said}");
}

/// The lines with a time, with a sign for every figure, and without the reason: a node whose own probe comes last has none.
fn story(text: &str) -> Vec<String> {
    let timed =
        |line: &&str| line.trim_start().starts_with(|first: char| first.is_ascii_digit()) && line.contains(" s  ");
    text.lines().filter(timed).map(|line| without_figures(&line.replace(" (refused)", ""))).collect()
}

fn without_figures(line: &str) -> String {
    let mut text = String::new();
    for letter in line.trim().chars() {
        match letter.is_ascii_digit() {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(letter),
        }
    }
    text
}

#[test]
fn systemd_finds_nothing_wrong_with_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let unit = read("deploy/wayshift.service");
    assert!(unit.contains("ExecStart=/usr/bin/wayshift serve"));
    let unit = unit.replace("/usr/bin/wayshift", env!("CARGO_BIN_EXE_wayshift"));
    let file = folder.path().join("wayshift.service");
    fs::write(&file, unit).unwrap();
    let output = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&file).output();
    let output = output.expect("systemd-analyze is installed by `make test`");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_str()), (Some(0), ""));
}

#[test]
fn the_image_copies_what_is_there() {
    let file = read("deploy/Dockerfile");
    let copies: Vec<&str> = file.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from")).collect();
    assert!(!copies.is_empty());
    for copy in copies {
        let words: Vec<&str> = copy.split_whitespace().skip(1).collect();
        for path in &words[..words.len() - 1] {
            assert!(root().join(path).exists(), "`{copy}`: there is no {path}");
        }
    }
    // Cargo reads the whole manifest: every target it knows must be there, whatever is built.
    for path in ["src", "config", "tests", "benches", "examples"] {
        let needed = root().join(path).exists();
        assert_eq!(file.contains(&format!("COPY {path} ")), needed, "{path}");
    }
}
