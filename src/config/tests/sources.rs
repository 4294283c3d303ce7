//! Where values come from: includes, variables, secrets, and requests in which there is none of them.

use std::fs;

use super::*;
use crate::model::CheckKind;

/// A folder with files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn codes_of(result: Result<Loaded, Problems>) -> Vec<&'static str> {
    match result {
        Ok(loaded) => loaded.warnings.iter().map(|problem| problem.code).collect(),
        Err(problems) => problems.errors().map(|problem| problem.code).collect(),
    }
}

const ZONE: &str = "[zone.\"example.com\"]\nns = { ns1 = \"192.0.2.53\" }\n";
const SERVICE: &str = "names = [\"www.example.com\"]\nendpoints = [\"192.0.2.1\"]\ncheck = \"web\"\n";
const CHECK: &str = "[check.web]\nurl = \"http://x/\"\n";

#[test]
fn included_files_are_one_configuration() {
    let folder = folder(&[
        ("main.toml", &format!("include = [\"conf.d/*.toml\", \"more.toml\"]\n{ZONE}")),
        ("conf.d/a.toml", &format!("[service.www]\n{SERVICE}")),
        ("conf.d/b.toml", CHECK),
        ("conf.d/.hidden.toml", "nonsense"),
        (
            "more.toml",
            "include = [\"deep/*.toml\"]\n[[admin.token]]\nname = \"a\"\nrole = \"viewer\"\nhash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n",
        ),
        (
            "deep/d.toml",
            "[[admin.token]]\nname = \"b\"\nrole = \"admin\"\nhash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"\n",
        ),
    ]);
    let loaded = load(&folder.path().join("main.toml"), &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((loaded.fleet.services.len(), loaded.fleet.checks.len()), (1, 1));
    assert_eq!(loaded.settings.admin.tokens.len(), 2);
    assert_eq!(loaded.files.len(), 5);
    let copies = load_copies(&loaded.copies, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(copies.fleet.digest, loaded.fleet.digest);
    drop(folder);
    let gone = load_copies(&loaded.copies, &none).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(gone.fleet.digest, loaded.fleet.digest);
}

#[test]
fn what_stands_twice_is_shown_at_both_places() {
    let folder = folder(&[
        ("main.toml", &format!("include = [\"b.toml\"]\n{ZONE}{CHECK}[dns]\nudp_size = 1232\n")),
        ("b.toml", "\n[check.web]\nurl = \"http://y/\"\n[dns]\nudp_size = 1400\n"),
    ]);
    let problems = load(&folder.path().join("main.toml"), &none).unwrap_err();
    let twice: Vec<_> = problems.errors().collect();
    assert_eq!(twice.len(), 2, "{problems}");
    assert!(twice.iter().all(|problem| problem.code == "E011" && problem.places.len() == 2));
    let check = twice.iter().find(|problem| problem.message.contains("check `web`")).unwrap();
    assert!(check.places[0].file.ends_with("b.toml") && check.places[0].line == 2);
    assert!(check.places[1].file.ends_with("main.toml") && check.places[1].line == 4);
}

#[test]
fn includes_are_bounded_and_never_circular() {
    let circle = folder(&[("a.toml", "include = [\"b.toml\"]"), ("b.toml", "include = [\"a.toml\"]")]);
    assert!(codes_of(load(&circle.path().join("a.toml"), &none)).contains(&"E015"));
    let names: Vec<String> = (0..=INCLUDE_DEPTH_MAX + 1).map(|n| format!("{n}.toml")).collect();
    let texts: Vec<String> = (0..=INCLUDE_DEPTH_MAX + 1).map(|n| format!("include = [\"{}.toml\"]", n + 1)).collect();
    let files: Vec<_> = names.iter().zip(&texts).map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let deep = folder(&files);
    let problems = load(&deep.path().join("0.toml"), &none).unwrap_err();
    assert!(problems.errors().any(|problem| problem.message.contains("deeper")), "{problems}");
    let lost = folder(&[("a.toml", "include = [\"nowhere.toml\", \"nowhere/*.toml\"]")]);
    assert_eq!(codes_of(load(&lost.path().join("a.toml"), &none)), ["E006", "E001", "E015"]);
    assert_eq!(codes_of(load(Path::new("/nonexistent/wayshift.toml"), &none)), ["E001"]);
}

#[test]
fn variables_are_put_into_strings_after_parsing() {
    let env = |name: &str| match name {
        "NAME" => Some("eu-1\"]\n[x]".to_owned()),
        "REGION" => Some("eu".to_owned()),
        "EMPTY" => Some(String::new()),
        _ => None,
    };
    let text = with(
        "[region.eu]\n[node]\nname = \"n-${REGION}-${NO:-1}-${EMPTY:-2}\"\nregion = \"${REGION}\"\n[dns]\nnsid = \"$${x} $5 ${EMPTY}.\"\n",
    );
    let node = load_text("x.toml", &text, &env).unwrap_or_else(|problems| panic!("{problems}")).settings;
    assert_eq!(node.node.name.as_str(), "n-eu-1-2");
    assert_eq!(node.dns.nsid.as_deref(), Some("${x} $5 ."));
    for (value, code) in [("${NO}", "E013"), ("${", "E013"), ("${a b}", "E013"), ("${NAME}", "E010")] {
        let text = with(&format!("[node]\nname = \"{value}\"\n"));
        let problems = load_text("x.toml", &text, &env).unwrap_err();
        assert!(problems.errors().any(|problem| problem.code == code && problem.at().unwrap().line == 4), "{problems}");
    }
}

#[test]
fn the_node_is_named_by_variable_file_or_machine() {
    let name = |file: &str, vars: &[(&str, &str)]| {
        let env = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        load_text("x.toml", &with(file), &env).map(|loaded| loaded.settings.node.name.to_string()).map_err(|p| p.len())
    };
    let file = "[node]\nname = \"file\"\n";
    assert_eq!(name(file, &[("WAYSHIFT_NODE", "var"), ("HOSTNAME", "host")]), Ok("var".into()));
    assert_eq!(name(file, &[("HOSTNAME", "host")]), Ok("file".into()));
    assert_eq!(name("", &[("HOSTNAME", "Web_01.example.com")]), Ok("web-01".into()));
    assert_eq!(name("", &[("HOSTNAME", "___")]), Ok("node-1".into()));
    assert_eq!(name("", &[]), Ok("node-1".into()));
    assert!(name(file, &[("WAYSHIFT_NODE", "Not An Id")]).is_err());
    assert!(name("", &[("WAYSHIFT_REGION", "eu")]).is_err(), "the region is not defined");
}

fn bearer(loaded: &Loaded) -> String {
    match &loaded.fleet.checks[0].kind {
        CheckKind::Http(http) => http.bearer.as_ref().unwrap().reveal().to_owned(),
        CheckKind::Tcp { .. } => panic!("it is a check by HTTP"),
    }
}

#[test]
fn secrets_are_read_from_where_they_are() {
    let folder =
        folder(&[("s/probe", "from-file\n"), ("creds/probe", "from-systemd"), ("s/empty", "\n"), ("s/two", "a\nb")]);
    let creds = folder.path().join("creds");
    let env = |name: &str| match name {
        "TOKEN" => Some("from-env".to_owned()),
        "CREDENTIALS_DIRECTORY" => Some(creds.display().to_string()),
        _ => None,
    };
    let name = folder.path().join("x.toml").display().to_string();
    let load = |secret: &str| {
        let text = format!("{ZONE}{CHECK}auth = {{ bearer = {secret} }}\n[service.www]\n{SERVICE}");
        load_text(&name, &text, &env)
    };
    for (written, value) in [
        ("{ file = \"s/probe\" }", "from-file"),
        ("{ credential = \"probe\" }", "from-systemd"),
        ("{ env = \"TOKEN\" }", "from-env"),
        ("\"literal\"", "literal"),
    ] {
        let loaded = load(written).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(bearer(&loaded), value);
        let shown = loaded.effective().to_string();
        assert!(!shown.contains(value) && !format!("{:?}", loaded.fleet).contains(value), "{shown}");
        let literal = loaded.warnings.iter().any(|problem| problem.code == "W201");
        assert_eq!(literal, value == "literal");
    }
    for (written, code) in [
        ("{ file = \"s/none\" }", "E014"),
        ("{ file = \"s/empty\" }", "E014"),
        ("{ file = \"s/two\" }", "E014"),
        ("{ credential = \"../probe\" }", "E014"),
        ("{ env = \"NONE\" }", "E014"),
        ("{ env = \"TOKEN\", file = \"s/probe\" }", "E014"),
        ("{ vault = \"x\" }", "E003"),
        ("7", "E005"),
    ] {
        assert_eq!(codes_of(load(written)), [code], "{written}");
    }
}

#[cfg(feature = "etcd")]
#[test]
fn a_private_key_is_lines_of_pem_and_its_file_is_read_again() {
    use crate::model::{PrivateKey, Secret};

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";
    let folder = folder(&[("node.pem", "x"), ("node.key", KEY), ("other", "from-file\n"), ("creds/node.key", KEY)]);
    let path = folder.path().to_owned();
    let env = |name: &str| match name {
        "KEY" => Some(KEY.to_owned()),
        "CREDENTIALS_DIRECTORY" => Some(path.join("creds").display().to_string()),
        _ => None,
    };
    let name = folder.path().join("x.toml").display().to_string();
    let load = |key: &str| {
        let tls = format!("tls = {{ cert = \"node.pem\", key = {key} }}");
        let text =
            format!("{ZONE}{CHECK}[store.etcd]\nendpoints = [\"https://e:2379\"]\n{tls}\n[service.www]\n{SERVICE}");
        load_text(&name, &text, &env)
    };
    for (written, expected) in [
        ("{ file = \"node.key\" }", PrivateKey::File(path.join("node.key"))),
        ("{ credential = \"node.key\" }", PrivateKey::File(path.join("creds/node.key"))),
        ("{ env = \"KEY\" }", PrivateKey::Text(Secret::new(KEY.to_owned()))),
    ] {
        let loaded = load(written).unwrap_or_else(|problems| panic!("{problems}"));
        let etcd = loaded.settings.store.etcd.as_ref().unwrap();
        assert_eq!(etcd.tls.identity.as_ref().map(|(_, key)| key), Some(&expected), "{written}");
        assert!(!loaded.effective().to_string().contains("AA=="));
    }
    for written in ["{ file = \"other\" }", "{ file = \"none\" }", "{ env = \"NONE\" }"] {
        assert_eq!(codes_of(load(written)), ["E014"], "{written}");
    }
}

#[test]
fn a_changed_secret_changes_the_check_and_not_the_digest() {
    let load = |secret: &'static str| {
        let text = format!("{ZONE}{CHECK}auth = {{ bearer = {{ env = \"T\" }} }}\n");
        load_text("x.toml", &text, &move |name| (name == "T").then(|| secret.to_owned())).unwrap()
    };
    let (one, two) = (load("one"), load("two"));
    assert_ne!(one.fleet.checks[0].revision, two.fleet.checks[0].revision);
}

#[test]
fn a_request_reads_nothing_of_this_machine() {
    let sealed = |more: &str| codes_of(parse_sealed(&format!("{more}\n{ZONE}")));
    assert_eq!(sealed("include = [\"/etc/*\"]"), ["E028"]);
    assert_eq!(sealed("[node]\nname = \"${HOSTNAME:-x}\""), ["E028", "E010"]);
    assert_eq!(sealed(&format!("{CHECK}auth = {{ bearer = {{ file = \"/etc/passwd\" }} }}")), ["E028"]);
    assert_eq!(sealed(&format!("{CHECK}auth = {{ bearer = {{ env = \"PATH\" }} }}")), ["E028"]);
    assert_eq!(sealed(&format!("{CHECK}auth = {{ bearer = {{ credential = \"x\" }} }}")), ["E028"]);
    assert_eq!(sealed("[check.web]\nurl = \"https://x/\"\ntls = { ca = \"/etc/passwd\" }"), ["E028"]);
    assert_eq!(sealed("[zone.\"a.example\"]\nfile = \"/etc/passwd\""), ["E028"]);
    assert_eq!(sealed(&format!("{CHECK}[service.www]\n{SERVICE}")), [""; 0]);
}

#[test]
fn files_beyond_the_bound_are_refused() {
    let folder = folder(&[]);
    let path = folder.path().join("big.toml");
    fs::File::create(&path).unwrap().set_len(FILE_SIZE_MAX + 1).unwrap();
    assert_eq!(codes_of(load(&path, &none)), ["E001"]);
}

#[test]
fn a_pipe_is_no_file_and_holds_nobody() {
    let folder = folder(&[]);
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (text, code) in [
        (format!("include = [\"pipe\"]\n{ZONE}"), "E001"),
        ("[zone.\"example.com\"]\nfile = \"pipe\"\n".into(), "E001"),
        (format!("{ZONE}[check.web]\nurl = \"https://x/\"\ntls.ca = \"pipe\"\n"), "E001"),
        (format!("{ZONE}{CHECK}auth.bearer.file = \"pipe\"\n"), "E014"),
    ] {
        let main = folder.path().join("main.toml");
        fs::write(&main, &text).unwrap();
        let (done, waits) = std::sync::mpsc::channel();
        std::thread::spawn(move || done.send(codes_of(load(&main, &none))));
        let codes = waits.recv_timeout(std::time::Duration::from_secs(20)).expect("nobody writes, and the reader ends");
        assert_eq!(codes, [code], "{text}");
    }
    let main = folder.path().join("main.toml");
    fs::remove_file(&main).unwrap();
    fs::rename(&pipe, &main).unwrap();
    assert_eq!(codes_of(load(&main, &none)), ["E001"]);
}

#[test]
fn a_line_of_a_megabyte_is_shown_in_part() {
    let names: Vec<String> = (0..2000).map(|nth| format!("\"w{nth}.example.org\"")).collect();
    let text = format!("{ZONE}[service.www]\nnames = [{}]\n", names.join(","));
    let problems = parse_sealed(&text).unwrap_err();
    assert!(problems.iter().flat_map(|problem| &problem.places).all(|spot| spot.text.chars().count() < 250));
}
