//! The client of the admin API: one node, over TCP or a Unix socket.
//!
//! Why retries are here: whatever changes something carries an `Idempotency-Key`, the same in each repetition, so an
//! answer that was lost on the way is asked for again without doing the thing twice.

pub(super) mod door;
mod reply;

use std::time::Duration;

use reqwest::{Method, Url, header};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use self::door::Door;
pub(super) use self::reply::Reply;
use super::ending::{Exit, Failure};

/// How long a connection may take to stand.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// A stream that is silent for longer is taken up anew; the node sends a sign of life more often.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Waits before a request is repeated; then its failure counts.
const REPEAT_AFTER: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(400), Duration::from_millis(1600)];
/// Longest answer that is read, in octets; a longer one is a failure.
const BODY_MAX: usize = 64 * 1024 * 1024;

/// One request.
pub(super) struct Ask<'a> {
    method: Method,
    path: &'a [&'a str],
    query: Vec<(&'a str, String)>,
    body: Option<Value>,
    text: Option<String>,
    if_match: Option<String>,
}

impl<'a> Ask<'a> {
    /// Reads.
    pub(super) fn get(path: &'a [&'a str]) -> Self {
        Self { method: Method::GET, path, query: Vec::new(), body: None, text: None, if_match: None }
    }

    /// Creates or does.
    pub(super) fn post(path: &'a [&'a str], body: Option<Value>) -> Self {
        Self { method: Method::POST, body, ..Self::get(path) }
    }

    /// Lets a text be judged, such as a configuration.
    pub(super) fn judge(path: &'a [&'a str], text: String) -> Self {
        Self { method: Method::POST, text: Some(text), ..Self::get(path) }
    }

    /// Changes.
    pub(super) fn patch(path: &'a [&'a str], body: Value) -> Self {
        Self { method: Method::PATCH, body: Some(body), ..Self::get(path) }
    }

    /// Ends.
    pub(super) fn delete(path: &'a [&'a str]) -> Self {
        Self { method: Method::DELETE, ..Self::get(path) }
    }

    /// With a parameter.
    #[must_use]
    pub(super) fn with(mut self, key: &'a str, value: impl Into<String>) -> Self {
        self.query.push((key, value.into()));
        self
    }

    /// Only if nothing changed since this version.
    #[must_use]
    pub(super) fn if_match(mut self, etag: Option<String>) -> Self {
        self.if_match = etag;
        self
    }
}

/// A node that is asked.
pub(super) struct Client {
    http: reqwest::Client,
    door: Door,
    timeout: Duration,
}

impl Client {
    /// Behind this door. `timeout` bounds one request with its repetitions.
    pub(super) fn new(door: Door, timeout: Duration) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_MAX)
            .user_agent(concat!("wayshift/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls(door.url.scheme() == "https"));
        if door.is_local() {
            builder = builder.no_proxy();
        }
        if let Some(path) = &door.socket {
            builder = builder.unix_socket(path.as_path());
        }
        let http = builder.build().map_err(|error| {
            Failure::new(Exit::Failed, format!("the HTTP client does not start: {}", cause(&error)))
        })?;
        Ok(Self { http, door, timeout })
    }

    /// How long one request may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks and reads the whole answer. An answer beside 2xx is a failure that carries the exit code.
    pub(super) async fn send(&self, ask: Ask<'_>) -> Result<Reply, Failure> {
        let reply = self.reply(&ask).await?;
        if reply.status < 300 { Ok(reply) } else { Err(reply.failure()) }
    }

    /// Asks and reads the whole answer, whatever its status.
    pub(super) async fn reply(&self, ask: &Ask<'_>) -> Result<Reply, Failure> {
        let key = (ask.method != Method::GET).then(idempotency_key);
        let deadline = Instant::now() + self.timeout;
        let mut waits = REPEAT_AFTER.iter();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let outcome = match self.request(ask, key.as_deref(), None).timeout(left).send().await {
                Ok(response) => Reply::read(response, BODY_MAX).await,
                Err(error) => Err(error),
            };
            let again = match &outcome {
                Ok(reply) => reply.outcome_unknown() || reply.status == 429,
                Err(error) => !error.is_connect() && !error.is_timeout() && !error.is_builder(),
            };
            match waits.next().filter(|_| again) {
                Some(wait) => {
                    let asked = outcome.as_ref().ok().and_then(|reply| reply.retry_after).unwrap_or_default();
                    let wait = (*wait).max(asked);
                    if deadline.saturating_duration_since(Instant::now()) <= wait {
                        return outcome.map_err(|error| self.failure(&error));
                    }
                    sleep(wait).await;
                }
                None => return outcome.map_err(|error| self.failure(&error)),
            }
        }
    }

    /// Opens a stream of server-sent events after the event `last`.
    pub(super) async fn stream(&self, ask: &Ask<'_>, last: Option<&str>) -> Result<reqwest::Response, Failure> {
        let request = self.request(ask, None, last).header(header::ACCEPT, "text/event-stream");
        let response = match tokio::time::timeout(self.timeout, request.send()).await {
            Ok(sent) => sent.map_err(|error| self.failure(&error))?,
            Err(_) => return Err(self.timed_out()),
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let reply = Reply::read(response, BODY_MAX).await.map_err(|error| self.failure(&error))?;
        Err(reply.failure())
    }

    /// The next piece of a stream; nothing at its end, on a broken connection and after long silence: all three mean
    /// to take it up anew.
    pub(super) async fn piece(response: &mut reqwest::Response) -> Option<bytes::Bytes> {
        tokio::time::timeout(SILENCE_MAX, response.chunk()).await.ok()?.ok()?
    }

    fn request(&self, ask: &Ask<'_>, key: Option<&str>, last: Option<&str>) -> reqwest::RequestBuilder {
        let mut request = self.http.request(ask.method.clone(), self.url(ask));
        if let Some(token) = &self.door.token {
            request = request.bearer_auth(token.reveal());
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(etag) = &ask.if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        match (&ask.body, &ask.text) {
            (Some(body), _) => request.header(header::CONTENT_TYPE, "application/json").body(body.to_string()),
            (None, Some(text)) => request.header(header::CONTENT_TYPE, "application/toml").body(text.clone()),
            (None, None) => request,
        }
    }

    fn url(&self, ask: &Ask<'_>) -> Url {
        let mut url = self.door.url.clone();
        url.path_segments_mut().expect("an http URL has a path").pop_if_empty().extend(ask.path);
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        url
    }

    fn failure(&self, error: &reqwest::Error) -> Failure {
        if error.is_connect() {
            Failure::new(Exit::Unreachable, "no node answers")
                .detail(format!("{}: {}", self.door, cause(error)))
                .hint("is it running? `wayshift serve` starts one, `--node` and `--socket` name another")
        } else if error.is_timeout() {
            self.timed_out()
        } else {
            Failure::new(Exit::Failed, format!("the node at {} did not finish its answer", self.door))
                .detail(cause(error))
                .hint("what was asked for may have happened; look before you repeat it")
        }
    }

    /// The node answers, but not in time.
    pub(super) fn timed_out(&self) -> Failure {
        let span = crate::model::Span(self.timeout);
        Failure::new(Exit::TimedOut, format!("no answer from {} within {span}", self.door))
            .hint("`--timeout` waits longer")
    }
}

/// What an error comes down to: its innermost source, without the URL and the system's number.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// A key nobody else uses.
fn idempotency_key() -> String {
    let mut random = [0_u8; 16];
    getrandom::fill(&mut random).expect("the system gives random octets");
    data_encoding::HEXLOWER.encode(&random)
}

/// TLS as everywhere here: ring, the machine's own trust anchors. They are read only where they are used.
fn tls(needed: bool) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    if needed {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports the protocol versions of rustls")
        .with_root_certificates(roots)
        .with_no_client_auth()
}
