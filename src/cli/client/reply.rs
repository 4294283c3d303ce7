//! An answer of the API, and what its status means for the exit code.

use std::time::Duration;

use reqwest::header;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::super::{
    ending::{Exit, Failure},
    wire::Problem,
};

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Reply {
    /// The HTTP status.
    pub(in crate::cli) status: u16,
    /// The body as sent.
    pub(in crate::cli) body: String,
    /// Nodes that do not follow yet, where an answer has no body to say it in.
    pub(in crate::cli) pending: Option<String>,
    /// When to try again, as the node asks.
    pub(super) retry_after: Option<Duration>,
}

impl Reply {
    /// Reads the whole body, at most `max` octets of it: what is beyond is cut off, and then it is no JSON.
    pub(super) async fn read(mut response: reqwest::Response, max: usize) -> Result<Self, reqwest::Error> {
        let seconds = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let pending = response.headers().get("wayshift-pending").and_then(|value| value.to_str().ok()).map(Into::into);
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await? {
            body.extend_from_slice(&piece[..piece.len().min(max - body.len())]);
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Self { status, body, pending, retry_after: seconds.map(Duration::from_secs) })
    }

    /// The body as what it should be.
    pub(in crate::cli) fn parsed<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.body).map_err(|error| {
            Failure::new(Exit::Failed, format!("the node's answer is not understood: {error}"))
                .hint("is it a wayshift node, and of this version? `wayshift version`")
        })
    }

    /// Nobody knows whether it happened; repeating it with the same key is safe.
    pub(super) fn outcome_unknown(&self) -> bool {
        self.status == 503 && self.problem().code.contains("unknown")
    }

    pub(in crate::cli) fn problem(&self) -> Problem {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// The failure that this answer is.
    pub(in crate::cli) fn failure(&self) -> Failure {
        let problem = self.problem();
        let what = match (problem.detail, reqwest::StatusCode::from_u16(self.status)) {
            (Some(detail), _) if !detail.is_empty() => detail,
            _ if !problem.title.is_empty() => problem.title,
            (_, Ok(status)) => format!("the node answers {status}"),
            (_, Err(_)) => format!("the node answers {}", self.status),
        };
        let mut failure = Failure::new(exit(self.status, &problem.code), what);
        for error in problem.errors.iter().filter(|error| error.detail != failure.what).collect::<Vec<_>>() {
            failure = failure.detail(format!("{}: {}", error.pointer, error.detail));
        }
        for line in problem.problems.iter().flat_map(|problem| problem.text.trim_end().lines()) {
            failure = failure.detail(line);
        }
        for blocking in &problem.blocking {
            failure = failure.detail(format!("blocked by {}", words(blocking)));
        }
        if let Some(id) = problem.request_id {
            failure = failure.detail(format!("request {id}"));
        }
        // The API's own words for passing a rule name a field of its body; here the same is a flag.
        let refused = failure.exit == Exit::Refused;
        let flags = "--force passes the rule (an admin may, and it is audited), --skip-unsafe leaves that part out";
        let hint = problem.hint.map(|hint| if refused && hint.contains("\"force\"") { flags.to_owned() } else { hint });
        failure.hint = hint.or_else(|| match self.status {
            401 => Some("a token is needed: --token-file, WAYSHIFT_TOKEN_FILE; or use the node's Unix socket".into()),
            300..=399 => Some("redirects are not followed; name the node itself with --node".into()),
            _ => None,
        });
        failure
    }
}

/// What a status and its stable code mean for scripts.
fn exit(status: u16, code: &str) -> Exit {
    match status {
        401 | 403 => Exit::NotAllowed,
        408 | 504 => Exit::TimedOut,
        409 if code.starts_with("safety.") => Exit::Refused,
        409 if code == "config.guard" => Exit::Refused,
        _ if code == "config.refused" => Exit::Configuration,
        _ => Exit::Failed,
    }
}

/// A blocking thing as people read it: its own words where it is an object.
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            let part = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
            [part("blocking"), part("detail")]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(": ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Reply {
        Reply { status, body: body.into(), pending: None, retry_after: None }
    }

    #[test]
    fn each_refusal_has_its_exit_code() {
        let rows = [
            (401, r#"{"code":"auth.missing"}"#, Exit::NotAllowed),
            (403, "", Exit::NotAllowed),
            (404, r#"{"code":"not_found"}"#, Exit::Failed),
            (409, r#"{"code":"safety.keep"}"#, Exit::Refused),
            (409, r#"{"code":"config.guard"}"#, Exit::Refused),
            (409, r#"{"code":"idempotency.in_progress"}"#, Exit::Failed),
            (412, r#"{"code":"precondition"}"#, Exit::Failed),
            (422, r#"{"code":"config.refused"}"#, Exit::Configuration),
            (503, r#"{"code":"config.busy"}"#, Exit::Failed),
            (422, r#"{"code":"override.reason"}"#, Exit::Failed),
            (500, "<html>", Exit::Failed),
            (504, "", Exit::TimedOut),
        ];
        for (status, body, exit) in rows {
            assert_eq!(reply(status, body).failure().exit, exit, "{status} {body}");
        }
    }

    #[test]
    fn a_problem_is_told_whole() {
        let body = r#"{"type":"about:blank","title":"refused by a safety rule","status":409,"code":"safety.keep",
            "detail":"rule `one-cloud` keeps 1 of provider:aws, provider:gcp; this would leave 0",
            "hint":"clear ov_1 first","blocking":["rule one-cloud",{"code":"safety.keep","blocking":"www","detail":"none left"}],
            "errors":[{"pointer":"/target","detail":"no"}],"request_id":"rq_1"}"#;
        assert_eq!(
            reply(409, body).failure().to_string(),
            "error: rule `one-cloud` keeps 1 of provider:aws, provider:gcp; this would leave 0\n  \
             /target: no\n  blocked by rule one-cloud\n  blocked by www: none left\n  request rq_1\nhint: clear ov_1 first"
        );
        assert_eq!(reply(502, "<html>").failure().to_string(), "error: the node answers 502 Bad Gateway");
    }

    #[test]
    fn a_refused_reload_names_every_problem_with_its_caret() {
        let body = r#"{"status":422,"code":"config.refused","detail":"nothing changed: t.toml:1:1: error[E003]: x","problems":[
            {"severity":"error","code":"E003","message":"x","text":"error[E003]: x\n ^\n"},{"text":"error[E012]: y"}]}"#;
        assert_eq!(
            reply(422, body).failure().to_string(),
            "error: nothing changed: t.toml:1:1: error[E003]: x\n  error[E003]: x\n   ^\n  error[E012]: y"
        );
    }

    #[test]
    fn only_an_unknown_outcome_is_worth_repeating() {
        assert!(reply(503, r#"{"code":"store.outcome_unknown"}"#).outcome_unknown());
        assert!(!reply(503, r#"{"code":"store.damaged"}"#).outcome_unknown());
        assert!(!reply(500, r#"{"code":"unknown"}"#).outcome_unknown());
    }
}
