//! What is said when a request is refused: RFC 9457 problem details.
//!
//! A handler returns a [`Problem`]; the edge alone writes it out, with the request's id. Codes are stable words that
//! programs may act on; `detail` and `hint` are for people.

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where the codes are described.
const TYPES: &str = "https://wayshift.dev/problems/";

/// A refusal as it is sent: `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProblemView {
    /// An address that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable word: `override.not_found`, `safety.keep`.
    pub code: String,
    /// What happened.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// Each fault of a body, with its place.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub errors: Vec<FaultView>,
    /// Names this request in logs and audit.
    #[serde(default)]
    pub request_id: String,
    /// Members of certain codes: `blocking`, `current`, `outcome`.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One fault of a body or query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultView {
    /// A JSON pointer into the body (RFC 6901), or the name of a query parameter.
    pub pointer: String,
    /// What is wrong there.
    pub detail: String,
}

/// A refusal on its way to the edge.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    view: Box<ProblemView>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A refusal with its stable code.
    #[must_use]
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let view = ProblemView {
            kind: format!("{TYPES}{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: detail.into(),
            hint: None,
            errors: Vec::new(),
            request_id: String::new(),
            more: Map::new(),
        };
        Self { status, view: Box::new(view), headers: Vec::new() }
    }

    /// A refusal of a status that needs no further words.
    #[must_use]
    pub fn plain(status: StatusCode) -> Self {
        let (code, detail) = match status {
            StatusCode::NOT_FOUND => ("not_found", "there is nothing at this path"),
            StatusCode::METHOD_NOT_ALLOWED => ("method_not_allowed", "this path has no such method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body has more than 1 MiB"),
            StatusCode::REQUEST_TIMEOUT => ("timeout", "the body came too slowly"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => {
                ("unsupported_media_type", "a body here is `Content-Type: application/json`")
            }
            StatusCode::UNAUTHORIZED => ("unauthorized", "a valid bearer token is needed"),
            StatusCode::FORBIDDEN => ("forbidden", "this is not allowed to you"),
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "this cannot be done now"),
            StatusCode::BAD_REQUEST => ("bad_request", "the request cannot be read"),
            other if other.is_server_error() => ("internal", "something went wrong in this node; its log says more"),
            _ => ("refused", "the request was refused"),
        };
        let problem = Self::new(status, code, detail);
        match status {
            StatusCode::UNAUTHORIZED => problem.header(header::WWW_AUTHENTICATE, "Bearer"),
            _ => problem,
        }
    }

    /// 404 with what was looked for.
    #[must_use]
    pub fn no(kind: &str, id: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        Self::new(StatusCode::NOT_FOUND, &format!("{kind}.not_found"), format!("no {kind} is called `{shown}`"))
    }

    /// 400 about one place of the request.
    #[must_use]
    pub fn bad(pointer: &str, detail: impl Into<String>) -> Self {
        Self::fault(StatusCode::BAD_REQUEST, "bad_request", pointer, detail)
    }

    /// 422 about one place of the body: it can be read, and cannot be done.
    #[must_use]
    pub fn unfit(code: &str, pointer: &str, detail: impl Into<String>) -> Self {
        Self::fault(StatusCode::UNPROCESSABLE_ENTITY, code, pointer, detail)
    }

    fn fault(status: StatusCode, code: &str, pointer: &str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let mut problem = Self::new(status, code, detail.clone());
        problem.view.errors.push(FaultView { pointer: pointer.to_owned(), detail });
        problem
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.view.hint = Some(hint.into());
        self
    }

    /// The same, where there may be something to say.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.view.hint = hint;
        self
    }

    /// A further member.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.view.more.insert(name.to_owned(), value);
        self
    }

    /// A header field.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// `Retry-After` in whole seconds, at least 1.
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
        self.header(header::RETRY_AFTER, &seconds.to_string())
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.view.code
    }

    /// Writes it out under a request's id.
    #[must_use]
    pub(super) fn render(mut self, request_id: &str) -> Response {
        request_id.clone_into(&mut self.view.request_id);
        let body = serde_json::to_vec(&self.view).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        let fields = response.headers_mut();
        fields.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        for (name, value) in self.headers {
            fields.insert(name, value);
        }
        response
    }
}

impl IntoResponse for Problem {
    /// Empty but for the status; the edge takes the problem out of the extensions and writes it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
