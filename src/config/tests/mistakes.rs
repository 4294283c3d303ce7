//! Mistakes: all of them, at the right place, with what to do.

use super::*;

const FIVE: &str = r#"[zone."gslb.example.com"]
ns = { ns1 = "192.0.2.53" }

[check.web]
url       = "https://www.example.com/healthz"
intervall = "5s"
timeout   = 2

[endpoint]
a = { address = ["203.0.113.10", "203.0.113.11"] }

[service.www]
names     = ["www.gslb.example.org"]
endpoints = ["a"]
check     = "wed"
"#;

#[test]
fn five_different_mistakes_are_five_problems_at_their_lines() {
    assert_eq!(
        problems(FIVE),
        [
            "6 E003 check `web` has no key `intervall`",
            "7 E007 a duration needs a unit",
            "10 E018 this endpoint has two IPv4 addresses",
            "13 E019 the name www.gslb.example.org. lies in none of the zones",
            "15 E012 no check is named `wed`",
        ]
    );
}

#[test]
fn a_problem_looks_as_people_read_it() {
    let shown = load_text("conf.d/www.toml", FIVE, &none).unwrap_err().render(false);
    let reference = "\
error[E012]: no check is named `wed`
   ┌─ conf.d/www.toml:15:13
15 │ check     = \"wed\"
   │             ^^^^^ did you mean `web`?
   = defined checks: web    help: wayshift check --explain E012
";
    assert!(shown.contains(reference), "{shown}");
    let unit = "\
error[E007]: a duration needs a unit
   ┌─ conf.d/www.toml:7:13
 7 │ timeout   = 2
   │             ^ write \"2s\"
";
    assert!(shown.contains(unit), "{shown}");
    assert!(shown.ends_with("\n\n5 errors in 1 file."), "{shown}");
    let colored = load_text("conf.d/www.toml", FIVE, &none).unwrap_err().render(true);
    assert!(colored.contains("\u{1b}[1;31merror[E012]\u{1b}[0m"), "{colored}");
}

#[test]
fn machines_read_the_same_problems() {
    let json = load_text("x.toml", FIVE, &none).unwrap_err().to_json();
    assert_eq!(json.as_array().map(Vec::len), Some(5));
    assert_eq!(json[4]["code"], "E012");
    assert_eq!(json[4]["places"][0]["line"], 15);
    assert_eq!(json[4]["places"][0]["label"], "did you mean `web`?");
}

#[test]
fn carets_stand_under_their_value_whatever_comes_before() {
    for (before, lead) in [("", ""), ("\t", "\t"), ("ü = \"ö\", ", "         "), ("日 = \"本\", ", "           ")] {
        let quoted = before.replace('ü', "\"ü\"").replace('日', "\"日\"");
        let lead = if quoted == before { lead.to_owned() } else { format!("{lead}  ") };
        let text = with(&format!("[provider]\np = {{ {quoted}title = 7 }}\n"));
        let problems = load_text("x.toml", &text, &none).unwrap_err();
        let spot = problems.iter().find(|problem| problem.code == "E005").unwrap().at().unwrap().clone();
        assert_eq!(spot.lead, format!("      {lead}        "), "{before}");
        assert_eq!((spot.line, spot.cells), (4, 1));
        assert_eq!(spot.column as usize, "p = { title = ".len() + quoted.chars().count() + 1);
    }
}

/// Rows of a configuration's part and the one problem it makes.
fn check(rows: &[(&str, &str)]) {
    for (more, expected) in rows {
        let errors: Vec<_> = problems(&with(more)).into_iter().filter(|p| !p.contains(" W210 ")).collect();
        assert_eq!(errors, [*expected], "{more}");
    }
}

#[test]
fn single_values_are_judged() {
    check(&[
        ("[dns]\nlisten = [\"0.0.0.0\"]", "4 E017 `0.0.0.0` is not an address with a port"),
        ("[dns]\nudp_size = 100", "4 E008 `udp_size` is out of range"),
        ("[dns]\nudp_size = 99999999999999999999", "4 E008 `udp_size` is out of range"),
        ("[dns]\nthreads = \"many\"", "4 E009 `many` is not a value of this key"),
        ("[dns]\nthreads = 0", "4 E008 `threads` is out of range"),
        ("[dns]\nchaos = true", "4 E005 `chaos` is true or false here"),
        (
            "[dns]\nshadow = \"100.01%\"",
            "4 E033 `100.01%` is not a share from 0% to 100%, in hundredths of a percent at most",
        ),
        ("[dns]\nlisten = []", "4 E008 `listen` has 0 items"),
        (
            "[node]\nname = \"EU\"",
            "4 E010 an id consists of a-z, 0-9 and `-` and starts with a letter or digit; `E` does not fit",
        ),
        ("[store]\nkeep = { max_size = 7 }", "4 E033 a size needs a unit"),
        ("[safety]\npanic_below = \"half\"", "4 E033 `half` is not a percentage: whole percents from 0% to 100%"),
        ("[safety]\npanic_below = 50", "4 E033 a percentage needs a unit"),
        ("[region.eu]\nat = [91, 0]", "4 E008 a place on earth is latitude (-90 to 90) and longitude (-180 to 180)"),
        ("[check.a]\nurl = \"tcp://:0\"", "4 E025 `tcp://:0` is not a URL of a check"),
        ("[check.a]\nurl = \"tcp://x\"", "4 E025 `tcp://x` is not a URL of a check"),
        ("[verdict]\nanchors = [\"tcp://:443\"]", "4 E025 `tcp://:443` names nobody to ask"),
        ("[verdict]\nanchors = [\"x\"]", "4 E025 `x` is not a URL of an anchor"),
        ("[verdict]\nalone = \"wait\"", "4 E009 `wait` is not a value of this key"),
        ("[check.a]\nurl = \"icmp://x\"", "4 E025 checks of `icmp://` are not in this version"),
        ("[check.a]\nmethod = \"GET\"", "3 E006 check `a` has no `url`"),
        ("[check.a]\nurl = \"http://u:p@x/\"", "4 E025 `http://u:p@x/` is not a URL of a check"),
        ("[check.a]\nurl = \"http://x/\"\nheaders = { Host = \"y\" }", "5 E016 the Host field comes from the URL"),
        (
            "[check.a]\nurl = \"http://x/\"\nheaders = { X-A = \"ü\" }",
            "5 E016 a header field's value consists of ASCII characters",
        ),
        (
            "[check.a]\nurl = \"http://x/\"\nexpect = { latency = \"<0s\" }",
            "5 E007 `<0s` can never hold or always does",
        ),
        ("[check.a]\nurl = \"http://x/\"\ninterval = \"1ms\"", "5 E007 the duration is too short: at least 100ms"),
        ("[endpoint.a]\naddress = \"203.0.113.1:80\"", "4 E017 `203.0.113.1:80` is not an IP address"),
        ("[endpoint.a]\naddress = \"0.0.0.0\"", "4 E017 0.0.0.0 is not an address of one machine"),
        ("[endpoint.a]\naddress = []", "4 E006 an endpoint has at least one address"),
        (
            "[endpoint.A]\naddress = \"192.0.2.1\"",
            "3 E010 an id consists of a-z, 0-9 and `-` and starts with a letter or digit; `A` does not fit",
        ),
        (
            "[admin]\nlisten = [\"0.0.0.0:8653\"]",
            "4 E031 the admin API listens on loopback and Unix sockets alone in this version",
        ),
        ("[admin]\norigins = [\"https://a/b\"]", "4 E025 `https://a/b` is not an origin"),
        ("[telemetry]\nlog = \"info\"", "4 E005 `log` is a string here"),
        ("[[pool]]\nendpoints = []", "3 E005 `pool` is a list here"),
        ("pool = 7", "3 E003 zone `gslb.example.com` has no key `pool`"),
    ]);
}

#[test]
fn other_nodes_come_by_tls_or_a_tunnel_and_with_a_token() {
    let fits = ("https://eu-1.example.com:8653", "ws_a_0123456789012345678901234567890123456789012");
    let clear =
        "it is neither https nor an address of this machine: what it carries could be read and changed on the way";
    let clear = format!("4 E031 other nodes cannot be told to come to `http://eu-1.example.com:8653`: {clear}");
    let no_token = "5 E014 this is no token: a token is ws_<name>_<43 characters>";
    for ((at, token), expected) in [
        (fits, None),
        (("http://127.0.0.1:8653", fits.1), None),
        (("http://eu-1.example.com:8653", fits.1), Some(clear.as_str())),
        ((fits.0, "hunter2"), Some(no_token)),
    ] {
        let found = problems(&with(&format!("[admin.peers]\nat = [\"{at}\"]\ntoken = \"{token}\"")));
        let errors: Vec<_> = found.iter().filter(|problem| problem.contains(" E0")).map(String::as_str).collect();
        assert_eq!(errors, expected.into_iter().collect::<Vec<_>>(), "{at} {token}");
    }
}

#[cfg(not(feature = "etcd"))]
#[test]
fn a_program_without_etcd_says_so() {
    check(&[("[store.etcd]\nendpoints = [\"http://e:2379\"]", "3 E037 this program was built without etcd")]);
}

#[cfg(feature = "etcd")]
#[test]
fn etcd_is_named_by_urls_and_what_belongs_together() {
    let with = |more: &str| format!("[store.etcd]\nendpoints = [\"https://e:2379\"]\n{more}");
    for url in ["e:2379", "ftp://e:2379", "https://u:p@e:2379", "https://e:2379/v3", "https://e:0", "https://"] {
        let wrong = format!("4 E025 `{url}` is not a member of etcd");
        check(&[(&format!("[store.etcd]\nendpoints = [\"{url}\"]"), &wrong)]);
    }
    check(&[
        (&with("user = \"eu-1\""), "5 E029 `user` and `password` belong together"),
        (&with("tls = { key = { env = \"KEY\" } }"), "5 E029 `cert` and `key` belong together"),
        (&with("prefix = \"wayshift\""), "5 E016 `wayshift` is not a prefix of keys"),
        (
            "[store.etcd]\nendpoints = [\"http://e:2379\"]\ntls = {}",
            "5 E029 `tls` has no use with endpoints of http://",
        ),
    ]);
}

#[test]
fn later_features_are_refused_and_not_ignored() {
    check(&[
        ("dnssec = true", "3 E004 `dnssec` is not in this version"),
        ("[check.a]\ncommand = [\"x\"]", "4 E004 `command` is not in this version"),
        ("[acme]", "3 E004 `acme` is not in this version"),
        ("[[discovery]]\nname = \"x\"", "3 E004 `discovery` is not in this version"),
        ("[dns]\ntls = {}", "4 E004 `tls` is not in this version"),
        ("[telemetry]\notlp = {}", "4 E004 `otlp` is not in this version"),
        (
            "[[admin.token]]\nname = \"x\"\nrole = \"push\"\nhash = \"sha256:0000000000000000000000000000000000000000000000000000000000000000\"",
            "5 E004 `push` is not in this version",
        ),
    ]);
}

#[test]
fn values_that_do_not_fit_together_are_found() {
    let service = |more: &str| {
        format!(
            "[check.c]\nurl = \"http://x/\"\n[endpoint]\na = {{ address = \"192.0.2.1\", provider = \"default\" }}\nb = {{ address = \"192.0.2.2\" }}\n\
             [pool]\np = {{ endpoints = [\"a\", \"b\"] }}\n[service.s]\ncheck = \"c\"\n{more}"
        )
    };
    let name = "names = [\"s.gslb.example.com\"]\n";
    let rows = [
        (service(name), "10 E006 service `s` has neither `pools` nor `endpoints`"),
        (service("pools = [\"p\"]"), "10 E006 service `s` has no `names`"),
        (service(&format!("{name}pools = [\"p\", \"p\"]")), "13 E011 pool `p` stands twice in one list"),
        (
            service(&format!("{name}pools = [\"p\"]\nendpoints = [\"a\"]")),
            "14 E029 a service has either `pools` or `endpoints`",
        ),
        (
            service(&format!("{name}pools = {{ p = 1 }}\nsteer = \"failover\"")),
            "14 E029 weights of pools need steer = \"weighted\"",
        ),
        (service(&format!("{name}pools = {{ p = 0 }}")), "13 E029 all weights of the pools are 0"),
        (
            service(&format!("{name}pools = [\"p\"]\nwhen_none_healthy = \"last-resort\"")),
            "14 E029 `last-resort` needs the pool it stands for",
        ),
        (
            service(&format!("{name}pools = [\"p\"]\n[service.t]\n{name}pools = [\"p\"]")),
            "15 E020 the name s.gslb.example.com. belongs to two services, `s` and `t`",
        ),
    ];
    for (more, expected) in rows {
        assert_eq!(problems(&with(&more)), [expected], "{more}");
    }
    check(&[
        (
            "[safety]\nrules = [{ name = \"r\", keep = 1, of = [\"provider:awz\"] }]",
            "4 E012 no provider is named `awz`",
        ),
        (
            "[safety]\nrules = [{ name = \"r\", keep = 2, of = [\"provider:*\"] }]",
            "4 E029 of 1 groups 2 can never be kept",
        ),
        (
            "[safety]\nrules = [{ name = \"r\", keep = 1, of = [\"aws\"] }]",
            "4 E026 a selector is kind:name, as in provider:aws or region:eu-*; `aws` names no kind",
        ),
        ("[dns]\nlisten = [\"127.0.0.1:53\", \"127.0.0.1:53\"]", "4 E011 `127.0.0.1:53` is listened on twice"),
        ("[check.a]\nurl = \"http://x/\"\ntls = {}", "5 E029 `tls` needs a URL with https://"),
        ("[check.a]\nurl = \"tcp://x:1\"\nmethod = \"GET\"", "5 E029 `method` has no use in a check of tcp://"),
        (
            "[check.a]\nurl = \"http://x/\"\nwindow = { failures = 4, of = 3 }",
            "5 E029 4 failures cannot lie among 3 results",
        ),
        (
            "[endpoint]\na = { address = \"192.0.2.1\" }\n[pool.p]\nendpoints = { a = 0 }",
            "6 E029 all weights of this pool are 0",
        ),
        (
            "[endpoint]\na = { address = \"192.0.2.1\" }\n[pool.p]\nendpoints = [\"a\", \"a\"]",
            "6 E011 an endpoint stands twice in one pool",
        ),
    ]);
}

#[test]
fn each_code_has_an_explanation_and_each_explanation_a_code() {
    let codes: Vec<_> = codes().collect();
    assert!(codes.is_sorted_by(|a, b| a < b), "codes are in order and none stands twice");
    assert!(codes.iter().all(|code| explain_code(code).is_some_and(|text| text.len() > 40)));
    assert_eq!(explain_code("E999"), None);
    let mut used = std::collections::BTreeSet::new();
    for source in rust_sources(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/config"))) {
        for part in source.split('"') {
            let code = part.len() == 4 && part.starts_with(['E', 'W']) && part[1..].bytes().all(|b| b.is_ascii_digit());
            if code && part != "E999" {
                used.insert(part.to_owned());
            }
        }
    }
    assert_eq!(used.into_iter().collect::<Vec<_>>(), codes);
}

fn rust_sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_sources(&path));
        } else if !path.ends_with("codes.rs") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
    found
}

#[test]
fn one_slip_of_syntax_is_one_problem_and_hides_no_other_paragraph() {
    let found = problems(
        "[zone.\"gslb.example.com\"]\nns = { ns1 = }\n\n[service.www\nnames = []\n\n[dns]\nchaoss = \"hide\"\n",
    );
    let places: Vec<_> = found.iter().map(|problem| &problem[..6]).collect();
    assert_eq!(places, ["2 E002", "4 E002", "8 E003"], "{found:#?}");
}

#[test]
fn a_key_that_stands_twice_is_shown_at_both_places() {
    for (more, lines) in [
        ("[node]\nname = \"a\"\nroles = [\"answer\"]\nname = \"b\"\n", [6, 4]),
        ("[provider.a]\n[region.a]\n[provider.a]\ntitle = \"x\"\n", [5, 3]),
        ("[endpoint]\na = { address = \"192.0.2.1\" }\na = { address = \"192.0.2.2\" }\n", [5, 4]),
    ] {
        let problems = load_text("x.toml", &with(more), &none).unwrap_err();
        let twice = problems.errors().find(|problem| problem.code == "E011").unwrap_or_else(|| panic!("{problems}"));
        assert_eq!(twice.places.iter().map(|spot| spot.line).collect::<Vec<_>>(), lines, "{problems}");
    }
}

#[test]
fn problems_beyond_the_bound_are_counted() {
    let many: String = (0..PROBLEMS_MAX + 20).map(|n| format!("x{n} = 1\n")).collect();
    let problems = load_text("x.toml", &with(&many), &none).unwrap_err();
    assert_eq!(problems.len(), PROBLEMS_MAX);
    assert!(problems.summary().starts_with(&format!("{} errors", PROBLEMS_MAX + 20)), "{}", problems.summary());
}

/// TOML can write any character; what is shown of it moves no cursor and colours nothing.
#[test]
fn what_a_file_says_is_shown_harmless() {
    for text in ["[dns]\nlisten = [\"\\u001b[31m\\u0007\"]\n", "[dns]\n\"\\u0007x\" = 1\n"] {
        let shown = load_text("x.toml", &with(text), &none).unwrap_err().render(false);
        assert!(!shown.chars().any(|c| c.is_control() && c != '\n') && shown.contains('\u{fffd}'), "{shown:?}");
    }
}

#[test]
fn lints_warn_and_do_not_refuse() {
    let text = with(
        "[provider.aws]\n[check.slow]\nurl = \"http://x/\"\ninterval = \"20s\"\ntimeout = \"20s\"\n[endpoint]\n\
         a = { address = \"192.0.2.1\", provider = \"aws\", weight = 2 }\nb = { address = \"192.0.2.2\", provider = \"aws\" }\n\
         [pool]\np = { endpoints = [\"a\", \"b\"] }\nq = { endpoints = [\"a\"] }\n\
         [service.s]\nnames = [\"s.gslb.example.com\"]\npools = [\"p\", \"q\"]\ncheck = \"slow\"\nttl = \"1s\"\n\
         [service.t]\nnames = [\"t.gslb.example.com\"]\nendpoints = [\"192.0.2.1\"]\n",
    );
    let codes: Vec<_> = loaded(&text).warnings.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["W205", "W206", "W202", "W204", "W203", "W211", "W207"]);
}

#[test]
fn the_worst_case_is_interval_and_timeouts_and_rechecks_and_a_second() {
    let loaded = loaded(include_str!("../../../config/minimal.toml"));
    let (ix, _) = loaded.fleet.services().next().unwrap();
    // 10 + 3 x 3 + 2 x 3 + 1
    assert_eq!(worst_case(&loaded.fleet, ix), std::time::Duration::from_secs(26));
}
