//! Verbs as typed, with a node that is a double on a port of its own.

mod double;
mod foresight;

use std::sync::{Arc, Mutex};

use clap::Parser as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use self::double::{Double, Seen, app};
use super::{
    args::Format,
    screen::doubles::{self, Sink},
    *,
};
use crate::model::Span;

fn verb(line: &str) -> Verb {
    match Cli::try_parse_from(std::iter::once("wayshift").chain(line.split(' '))).map(|cli| cli.command) {
        Ok(Command::Verb(verb)) => verb,
        other => panic!("{line}: {other:?}"),
    }
}

/// Runs a verb against a double: exit code, data, messages.
async fn go(line: &str, double: &Double, answers: Option<&'static str>) -> (Exit, String, String) {
    let verb = verb(line);
    let format = flags(&verb).0.output;
    let (mut screen, out, messages): (_, Sink, Sink) = doubles::screen(format, answers);
    let exit = match converse(&verb, &double.client(), &mut screen).await {
        Ok(exit) => exit,
        Err(failure) => {
            screen.say(&failure.to_string());
            failure.exit
        }
    };
    (exit, out.text(), messages.text())
}

fn effect(ok: bool, matches: &[&str]) -> Value {
    json!({"dry_run": true, "matches": matches, "matches_total": matches.len(), "effect": [], "effect_total": 0,
        "safety": {"ok": ok, "refused": [{"code": "safety.keep", "blocking": "one-cloud", "detail": "keeps 1"}]},
        "from": "2026-11-23T10:46:02Z", "expires": "2026-11-23T12:46:02Z", "lasts": "2h", "etag": "\"7\""})
}

fn made(id: &str, target: &str) -> Value {
    json!({"id": id, "action": "drain", "target": target, "reason": "r", "by": "token:t", "state": "active",
        "created": "2026-11-23T10:46:02Z", "from": "2026-11-23T10:46:02Z", "expires": "2036-11-23T12:46:02Z", "forced": false,
        "matches": [target], "matches_total": 1, "applied_on": ["eu-1"], "pending_on": [], "undo": "", "etag": "\"8\""})
}

#[test]
fn command_lines_are_understood_or_refused() {
    let rows = [
        ("status", true),
        ("status service/www -o json -q", true),
        ("status --node http://x --socket /y", false),
        ("status -o xml", false),
        ("explain www.example.com --type AAAA --client 198.51.100.7", true),
        ("explain www.example.com --client nowhere", false),
        ("explain", false),
        ("events -f --kind verdict,answers --since 2h", true),
        ("events --limit 0", false),
        ("drain provider:aws endpoint:x --for 2h --reason x --yes", true),
        ("drain aws", false),
        ("drain", false),
        ("drain all --for 2", false),
        ("drain all --force --skip-unsafe", false),
        ("override set weight pool:eu --weight 10", true),
        ("override set weight pool:eu", false),
        ("override set weight pool:eu --weight 65536", false),
        ("override set pin service:www", false),
        ("override set vanish service:www", false),
        ("override clear ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6 --node http://x", true),
        ("override --node http://x list", false),
        ("override clear 7", false),
        ("override extend ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6 --for +1h", true),
        ("check x.toml --strict", true),
        ("plan new.toml --against old.toml", true),
        ("simulate --down provider:aws --drain region:eu-* --config x.toml", true),
        ("simulate --down aws", false),
        ("test x.toml -o json", true),
        ("reload --accept 5f0e8a11c2d34b67", true),
        ("reload --accept x --previous", false),
        ("reload --canary eu-1 --watch 60s --no-wait", true),
        ("reload --abort --reason x --no-wait", true),
        ("reload --abort --canary eu-1", false),
        ("reload --abort --previous", false),
        ("reload --reason x", false),
        ("reload --no-wait", false),
        ("explain www.example.com --geo EU-DE --at 2026-11-23T10:42:00Z", true),
        ("explain www.example.com --client 198.51.100.0/24", true),
        ("explain www.example.com --client 198.51.100.7 --geo EU", false),
        ("explain www.example.com --geo Germany", false),
        ("drain provider:aws --over 10m", true),
        ("check x.toml --explain E012", false),
        ("token hash --new --name grafana --role admin", true),
        ("token hash --name grafana", false),
        ("completions bash", true),
        ("completions tcsh", false),
        ("serve --config x --strict-config --node eu-1 --region eu-west --log-level debug", true),
        ("serve --node EU_1", false),
        ("demo --once --dns 127.0.0.1:0 --admin 127.0.0.1:0", true),
    ];
    for (line, good) in rows {
        let parsed = Cli::try_parse_from(std::iter::once("wayshift").chain(line.split(' ')));
        assert_eq!(parsed.is_ok(), good, "{line}: {parsed:?}");
        if let Err(error) = parsed {
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut screen = doubles::closed();
    let failure = act(&verb("version"), &mut screen).unwrap_err();
    assert_eq!((failure.exit, failure.what.as_str()), (Exit::Done, ""));
    screen.say("nobody hears this");
}

#[tokio::test]
async fn the_token_is_sent_and_refusals_have_their_exit_code() {
    let rows =
        [(200, Exit::Done), (401, Exit::NotAllowed), (403, Exit::NotAllowed), (404, Exit::Failed), (302, Exit::Failed)];
    for (status, exit) in rows {
        let double = Double::new(move |_, _| (status, r#"{"items":[]}"#.into())).await;
        assert_eq!(go("override list", &double, None).await.0, exit, "{status}");
        let seen = double.seen();
        assert_eq!((seen.len(), seen[0].line.as_str()), (1, "GET /v1/overrides?limit=1000"), "no redirect is followed");
        assert_eq!(seen[0].header("authorization"), "Bearer ws_test_secret");
        assert_eq!(seen[0].header("idempotency-key"), "");
    }
}

#[tokio::test]
async fn a_unix_socket_answers_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let app = app(Arc::new(|_: &Seen, _| (200, r#"{"items":[]}"#.into())), Arc::default());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
    let at = At { socket: Some(path), ..At::default() };
    let client =
        Client::new(Door::find(&at, &Surroundings::default()).unwrap(), "5s".parse::<Span>().unwrap().0).unwrap();
    let (mut screen, _, messages) = doubles::screen(Format::Table, None);
    assert_eq!(converse(&verb("override list"), &client, &mut screen).await, Ok(Exit::Done));
    assert_eq!(messages.text(), "nothing is overridden\n");
}

#[tokio::test]
async fn nobody_there_is_69_and_says_what_was_tried() {
    let folder = tempfile::tempdir().unwrap();
    let at = At { socket: Some(folder.path().join("none.sock")), ..At::default() };
    let client =
        Client::new(Door::find(&at, &Surroundings::default()).unwrap(), "5s".parse::<Span>().unwrap().0).unwrap();
    let (mut screen, ..) = doubles::screen(Format::Table, None);
    let failure = converse(&verb("status"), &client, &mut screen).await.unwrap_err();
    assert_eq!(failure.exit, Exit::Unreachable);
    assert!(failure.to_string().contains("none.sock"), "{failure}");
}

#[tokio::test]
async fn a_node_that_does_not_answer_in_time_is_5() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = At { url: Some(format!("http://{}", listener.local_addr().unwrap())), ..At::default() };
    let wait = std::time::Duration::from_millis(50);
    let client = Client::new(Door::find(&at, &Surroundings::default()).unwrap(), wait).unwrap();
    let (mut screen, ..) = doubles::screen(Format::Table, None);
    assert_eq!(converse(&verb("status"), &client, &mut screen).await.unwrap_err().exit, Exit::TimedOut);
}

#[tokio::test]
async fn an_unknown_outcome_is_asked_again_with_the_same_key() {
    let double = Double::new(|_, before| match before {
        0 => (503, r#"{"code":"store.unknown","detail":"the outcome is unknown"}"#.into()),
        _ => (201, made("ov_1", "provider:aws").to_string()),
    })
    .await;
    let (exit, out, messages) = go("drain provider:aws --reason r --yes", &double, None).await;
    let seen = double.seen();
    assert_eq!((exit, seen.len()), (Exit::Done, 2), "{messages}");
    assert_eq!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
    assert_eq!(seen[0].header("idempotency-key").len(), 32);
    assert!(out.starts_with("ov_1  drain provider:aws until "), "{out}");
    assert!(messages.contains("undo: wayshift override clear ov_1"), "{messages}");
}

#[tokio::test]
async fn each_request_has_a_key_of_its_own_and_known_failures_are_final() {
    let double = Double::new(|_, _| (503, r#"{"code":"store.damaged"}"#.into())).await;
    for _ in 0..2 {
        let (exit, ..) = go("override clear ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6 --reason x", &double, None).await;
        assert_eq!(exit, Exit::Failed);
    }
    let seen = double.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].line, "DELETE /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6?wait=5s&reason=x");
    assert_ne!(seen[0].header("idempotency-key"), seen[1].header("idempotency-key"));
}

#[tokio::test]
async fn without_a_terminal_nothing_happens_without_yes() {
    let double = Double::new(|_, _| (200, effect(true, &["endpoint:a"]).to_string())).await;
    let (exit, out, messages) = go("drain provider:aws --reason r", &double, None).await;
    assert_eq!(exit, Exit::Usage);
    assert_eq!(double.lines(), ["POST /v1/overrides?dry_run=true"]);
    assert!(
        out.is_empty() && messages.contains("drain provider:aws for 2h") && messages.contains("--yes"),
        "{messages}"
    );
}

#[tokio::test]
async fn on_a_terminal_the_effect_is_shown_and_asked_for() {
    let script = |seen: &Seen, _: usize| match seen.line.ends_with("dry_run=true") {
        true => (200, effect(true, &["endpoint:a"]).to_string()),
        false => (201, made("ov_1", "provider:aws").to_string()),
    };
    let double = Double::new(script).await;
    let (exit, _, messages) = go("drain provider:aws", &double, Some("INC-7\ny\n")).await;
    let seen = double.seen();
    assert_eq!((exit, seen.len()), (Exit::Done, 2), "{messages}");
    assert_eq!(seen[1].header("if-match"), "\"7\"", "what was shown is what is done");
    assert_eq!(serde_json::from_str::<Value>(&seen[1].body).unwrap()["reason"], "INC-7");

    let double = Double::new(script).await;
    let (exit, _, messages) = go("drain provider:aws", &double, Some("INC-7\nn\n")).await;
    assert_eq!((exit, double.seen().len()), (Exit::Failed, 1));
    assert!(messages.contains("nothing was changed"), "{messages}");
}

#[tokio::test]
async fn a_safety_rule_refuses_with_6() {
    let double = Double::new(|_, _| (200, effect(false, &["endpoint:a"]).to_string())).await;
    let (exit, _, messages) = go("override set down endpoint:a --reason r", &double, Some("y\n")).await;
    assert_eq!((exit, double.lines().len()), (Exit::Refused, 1));
    assert!(messages.contains("one-cloud: keeps 1") && messages.contains("--force"), "{messages}");

    let problem = r#"{"code":"safety.keep","detail":"rule keeps 1","status":409}"#;
    let double = Double::new(move |_, _| (409, problem.into())).await;
    assert_eq!(go("override set down endpoint:a --reason r --yes", &double, None).await.0, Exit::Refused);
}

#[tokio::test]
async fn skip_unsafe_does_what_is_safe_and_lists_the_rest() {
    let double = Double::new(|seen, _| {
        let target = serde_json::from_str::<Value>(&seen.body).unwrap()["target"].as_str().unwrap().to_owned();
        match (seen.line.ends_with("dry_run=true"), target.as_str()) {
            (true, "provider:aws") => (200, effect(false, &["endpoint:a", "endpoint:b"]).to_string()),
            (true, target) => (200, effect(target == "endpoint:a", &[target]).to_string()),
            (false, target) => (201, made("ov_1", target).to_string()),
        }
    })
    .await;
    let (exit, _, messages) = go("override set down provider:aws --reason r --yes --skip-unsafe", &double, None).await;
    assert_eq!(exit, Exit::Done, "{messages}");
    assert!(messages.contains("left out") && messages.contains("endpoint:b"), "{messages}");
    let real: Vec<Seen> = double.seen().into_iter().filter(|seen| !seen.line.contains("dry_run")).collect();
    assert_eq!(real.len(), 1);
    assert!(real[0].body.contains("endpoint:a"));
}

#[tokio::test]
async fn restore_ends_what_lies_inside_and_names_what_is_wider() {
    let ended = Arc::new(Mutex::new(false));
    let double = Double::new(move |seen, _| {
        let mut ended = ended.lock().unwrap();
        let inside = made("ov_in", "endpoint:aws-use");
        let rest = [made("ov_wide", "all"), made("ov_else", "provider:gcp")];
        match seen.line.as_str() {
            "GET /v1/overrides?limit=1000" if *ended => (200, json!({"items": rest}).to_string()),
            "GET /v1/overrides?limit=1000" => (200, json!({"items": [inside, rest[0], rest[1]]}).to_string()),
            "GET /v1/endpoints?limit=1000" => {
                (200, json!({"items": [{"id": "aws-use", "provider": "aws"}], "next": "c1"}).to_string())
            }
            "GET /v1/endpoints?limit=1000&cursor=c1" => {
                (200, json!({"items": [{"id": "gcp-use", "provider": "gcp"}]}).to_string())
            }
            "GET /v1/pools?limit=1000" => (200, json!({"items": []}).to_string()),
            "DELETE /v1/overrides/ov_in?wait=5s" => {
                *ended = true;
                (204, String::new())
            }
            other => panic!("{other}"),
        }
    })
    .await;
    let (exit, _, messages) = go("restore provider:aws --yes", &double, None).await;
    assert_eq!(exit, Exit::Done, "{messages}");
    assert_eq!(double.lines().iter().filter(|line| line.starts_with("DELETE")).count(), 1);
    assert!(
        messages.contains("ended ov_in") && messages.contains("ov_wide") && !messages.contains("ov_else"),
        "{messages}"
    );
}

#[tokio::test]
async fn a_stream_that_breaks_goes_on_after_its_last_event() {
    let event = |id: u32| format!("id: {id}\ndata: {{\"id\":{id},\"kind\":\"node\",\"text\":\"no {id}\"}}\n\n");
    let double = Double::new(move |_, before| match before {
        0 => (200, r#"{"items":[{"id":4,"kind":"node","text":"before"}]}"#.into()),
        1 => (200, event(5)),
        2 => (200, event(6)),
        _ => (401, "{}".into()),
    })
    .await;
    let (exit, out, _) = go("events -f --kind node -o plain", &double, None).await;
    assert_eq!((exit, out.as_str()), (Exit::NotAllowed, "5\t\tnode\tno 5\n6\t\tnode\tno 6\n"));
    let resumed: Vec<String> = double.seen().iter().map(|seen| seen.header("last-event-id").to_owned()).collect();
    assert_eq!(resumed, ["", "4", "5", "6"]);
    assert_eq!(double.lines()[1], "GET /v1/events/stream?kind=node");
}

#[tokio::test]
async fn the_exit_code_of_status_tells_whether_all_is_up() {
    for (verdict, exit) in [("up", Exit::Done), ("degraded", Exit::NotUp), ("down", Exit::NotUp)] {
        let up = usize::from(verdict == "up");
        let body =
            json!({"counts": {"services": {"total": 1, "up": up}}, "services": [{"id": "www", "verdict": verdict}]});
        let double = Double::new(move |_, _| (200, body.to_string())).await;
        assert_eq!(go("status --exit-code", &double, None).await.0, exit, "{verdict}");
        assert_eq!(go("status", &double, None).await.0, Exit::Done);
        let body = json!({"id": "www", "verdict": verdict});
        let double = Double::new(move |_, _| (200, body.to_string())).await;
        assert_eq!(go("status --exit-code service/www", &double, None).await.0, exit, "{verdict}");
        assert_eq!(double.lines(), ["GET /v1/services/www"]);
    }
}

#[tokio::test]
async fn names_cannot_leave_their_place_in_the_path() {
    let double = Double::new(|_, _| (404, "{}".into())).await;
    go("status pool/../../secrets?x=1", &double, None).await;
    assert_eq!(double.lines(), ["GET /v1/pools/..%2F..%2Fsecrets%3Fx=1"]);
}

#[tokio::test]
async fn watching_shows_each_change() {
    let double = Double::new(|seen, before| match (seen.line.as_str(), before) {
        ("GET /v1/events/stream", 0..4) => (200, "id: 1\ndata: {}\n\n".into()),
        ("GET /v1/services/www", 0..4) => (200, json!({"id": "www", "verdict": "up"}).to_string()),
        _ => (401, "{}".into()),
    })
    .await;
    let verb = verb("status --watch service/www -o plain");
    let (mut screen, out, _) = doubles::screen(Format::Plain, None);
    let shown_twice = async {
        while out.text().lines().count() < 2 {
            tokio::task::yield_now().await;
        }
    };
    let client = double.client();
    tokio::select! {
        ended = converse(&verb, &client, &mut screen) => panic!("{ended:?}"),
        () = shown_twice => {}
    }
    assert_eq!(
        double.lines()[..4],
        ["GET /v1/events/stream", "GET /v1/services/www", "GET /v1/events/stream", "GET /v1/services/www"]
    );
}
