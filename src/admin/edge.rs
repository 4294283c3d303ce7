//! What every request passes on its way in and out: names, limits, browser safety, and the writing of refusals.
//!
//! Who is not recognised gets 401 for every path alike, so that nothing is learnt from asking.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tokio::sync::watch;

use super::{
    auth::{Keys, Peer, Principal},
    limit::{Allowance, Limiter},
    listen::Source,
    problem::Problem,
};
use crate::{
    clock::Clock,
    model::{NodeId, Snapshot},
    telemetry::http::HttpMetrics,
};

/// Of each principal.
const PRINCIPAL: Allowance = Allowance { burst: 1000, per_second: 200 };
/// Of each source without a token, for `/livez` and `/readyz`.
const STRANGER: Allowance = Allowance { burst: 200, per_second: 50 };
/// Of each source, of refused tokens: guessing is hopeless, and logs and metrics should stay readable.
const REFUSALS: Allowance = Allowance { burst: 50, per_second: 2 };
/// A handler has this long; streams only until their first octet.
const HANDLER_MAX: Duration = Duration::from_secs(30);

/// The id of a request, in its answer, in the audit and in the log.
#[derive(Debug, Clone)]
pub(super) struct RequestId(pub(super) Arc<str>);

pub(super) struct Edge {
    keys: Arc<Keys>,
    clock: Clock,
    node: NodeId,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    metrics: Arc<HttpMetrics>,
    origins: Vec<String>,
    names: Vec<String>,
    principals: Limiter<String>,
    strangers: Limiter<Source>,
    refusals: Limiter<Source>,
}

impl Edge {
    pub(super) fn new(
        keys: Arc<Keys>,
        clock: Clock,
        node: NodeId,
        snapshot: watch::Receiver<Arc<Snapshot>>,
        metrics: Arc<HttpMetrics>,
        origins: Vec<String>,
        names: Vec<String>,
    ) -> Self {
        Self {
            keys,
            clock,
            node,
            snapshot,
            metrics,
            origins,
            names,
            principals: Limiter::new(PRINCIPAL),
            strangers: Limiter::new(STRANGER),
            refusals: Limiter::new(REFUSALS),
        }
    }
}

/// The middleware around every route.
pub(super) async fn pass(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let begun = edge.clock.mono();
    let id = RequestId(format!("req_{}", ulid::Ulid::generate()).into());
    let method = request.method().clone();
    let origin = allowed_origin(&edge.origins, request.headers());
    let wanted = request.headers().get(header::IF_NONE_MATCH).cloned();
    let route = Route::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(route.clone());
    let response = match edge.admit(&mut request, origin.as_ref()) {
        Ok(Admitted::Preflight) => StatusCode::NO_CONTENT.into_response(),
        Ok(Admitted::Asking) => match tokio::time::timeout(HANDLER_MAX, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::plain(StatusCode::SERVICE_UNAVAILABLE).into_response(),
        },
        Err(problem) => problem.into_response(),
    };
    let mut response = write_problem(response, &id);
    unchanged(&method, wanted.as_ref(), &mut response);
    edge.sign(&mut response, &id, origin.as_ref(), &method);
    let took = edge.clock.mono().since(begun);
    edge.metrics.answered(route.get(), method.as_str(), response.status().as_u16(), took);
    response
}

enum Admitted {
    Asking,
    Preflight,
}

impl Edge {
    /// Whether a request may go on; the principal is put into it.
    fn admit(&self, request: &mut Request, origin: Option<&HeaderValue>) -> Result<Admitted, Problem> {
        let now = self.clock.mono();
        // Without the listener's word a request is from nowhere: nothing without a token.
        let peer = request.extensions().get::<Peer>().copied().unwrap_or_else(|| Peer::Tcp([0, 0, 0, 0].into()));
        let source = Source::from(peer);
        let path = request.uri().path();
        if matches!(path, "/livez" | "/readyz") {
            return self.strangers.take(source, now).map(|()| Admitted::Asking).map_err(too_many);
        }
        each_once(request.headers())?;
        if matches!(peer, Peer::Tcp(_)) {
            self.check_host(request.uri(), request.headers())?;
        }
        if request.method() == Method::OPTIONS
            && origin.is_some()
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            self.strangers.take(source, now).map_err(too_many)?;
            return Ok(Admitted::Preflight);
        }
        let presented = match request.headers().get(header::AUTHORIZATION) {
            // Octets that are no text are no token either.
            Some(field) => Some(field.to_str().unwrap_or("")),
            None => None,
        };
        let who = match Principal::recognise(&self.keys, peer, presented, Clock::wall()) {
            Ok(who) => who,
            Err(refused) => {
                self.metrics.refused(refused.word());
                self.refusals.take(source, now).map_err(too_many)?;
                return Err(Problem::plain(StatusCode::UNAUTHORIZED));
            }
        };
        self.principals.take(who.name.clone(), now).map_err(too_many)?;
        if !request.method().is_safe() {
            check_browser(request.headers(), origin)?;
        }
        request.extensions_mut().insert(who);
        Ok(Admitted::Asking)
    }

    /// DNS rebinding needs a name of the attacker's in `Host`; addresses, `localhost`, our own origins and what other
    /// nodes know us by pass.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let mut fields = headers.get_all(header::HOST).iter();
        let named = uri.authority().map(|authority| authority.as_str().to_owned());
        let named = named.or_else(|| fields.next()?.to_str().ok().map(str::to_owned));
        let named = named.ok_or_else(|| Problem::bad("Host", "the request has no Host"))?;
        let host = named.parse::<axum::http::uri::Authority>().ok().filter(|_| !named.contains('@'));
        let host = host.as_ref().map_or("", |authority| authority.host());
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_address = bare.parse::<std::net::IpAddr>().is_ok();
        let is_ours = self.origins.iter().chain(&self.names).any(|origin| {
            let own = origin.parse::<Uri>().ok();
            own.as_ref().and_then(Uri::host).is_some_and(|own| own.eq_ignore_ascii_case(host))
        });
        if is_address || host.eq_ignore_ascii_case("localhost") || is_ours {
            return Ok(());
        }
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "host.not_ours", "this API is not served under that Host")
            .hint("use an address or localhost, or list the origin in admin.origins"))
    }

    /// What every answer carries.
    fn sign(&self, response: &mut Response, id: &RequestId, origin: Option<&HeaderValue>, method: &Method) {
        let generation = self.snapshot.borrow().generation;
        let fields = response.headers_mut();
        let mut put = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                fields.insert(name, value);
            }
        };
        put(HeaderName::from_static("wayshift-node"), self.node.as_str());
        put(HeaderName::from_static("wayshift-generation"), &generation.to_string());
        put(HeaderName::from_static("x-request-id"), &id.0);
        put(header::CONTENT_SECURITY_POLICY, "default-src 'self'; frame-ancestors 'none'; base-uri 'none'");
        put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        put(header::REFERRER_POLICY, "no-referrer");
        put(header::CACHE_CONTROL, "no-store");
        if !self.origins.is_empty() {
            put(header::VARY, "Origin");
        }
        if let Some(origin) = origin {
            fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let mut put = |name, value| fields.insert(name, HeaderValue::from_static(value));
            put(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                "ETag, Location, Wayshift-Node, Wayshift-Generation, X-Request-Id",
            );
            if method == Method::OPTIONS {
                put(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE");
                put(
                    header::ACCESS_CONTROL_ALLOW_HEADERS,
                    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID",
                );
                put(header::ACCESS_CONTROL_MAX_AGE, "600");
            }
        }
    }
}

/// Where a field stands twice, we and whatever stands before us could each believe another one (RFC 9110 section 5.3).
fn each_once(headers: &HeaderMap) -> Result<(), Problem> {
    const SINGLE: [HeaderName; 8] = [
        header::HOST,
        header::AUTHORIZATION,
        header::ORIGIN,
        header::CONTENT_TYPE,
        HeaderName::from_static("sec-fetch-site"),
        HeaderName::from_static("idempotency-key"),
        HeaderName::from_static("last-event-id"),
        header::ACCESS_CONTROL_REQUEST_METHOD,
    ];
    match SINGLE.iter().find(|name| 1 < headers.get_all(*name).iter().count()) {
        Some(name) => Err(Problem::bad(name.as_str(), "this field stands more than once")),
        None => Ok(()),
    }
}

fn too_many(wait: Duration) -> Problem {
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "more requests than the allowance")
        .retry_after(wait)
}

/// The request's origin, if the configuration lets it in.
fn allowed_origin(origins: &[String], headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    origins.iter().any(|own| own.trim_end_matches('/').eq_ignore_ascii_case(text)).then(|| origin.clone())
}

/// A page of another origin must not change anything through somebody's browser.
fn check_browser(headers: &HeaderMap, origin: Option<&HeaderValue>) -> Result<(), Problem> {
    if origin.is_some() {
        return Ok(());
    }
    let refused = || {
        Err(Problem::new(StatusCode::FORBIDDEN, "origin.not_allowed", "a page of another origin sent this")
            .hint("list the page's origin in admin.origins"))
    };
    if let Some(claimed) = headers.get(header::ORIGIN) {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let own = |host: &str| claimed.as_bytes().eq_ignore_ascii_case(format!("http://{host}").as_bytes());
        if !host.is_some_and(own) {
            return refused();
        }
    }
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => refused(),
    }
}

/// Refusals of the router itself, and those of handlers, become problem details here.
fn write_problem(mut response: Response, id: &RequestId) -> Response {
    let status = response.status();
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return problem.render(&id.0);
    }
    let ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.as_bytes();
        kind.starts_with(b"application/") || kind.starts_with(b"text/event-stream")
    });
    let spoken = response.extensions().get::<Spoken>().is_some();
    if !(status.is_client_error() || status.is_server_error()) || ours || spoken {
        return response;
    }
    let allow = response.headers_mut().remove(header::ALLOW);
    let mut rendered = Problem::plain(status).render(&id.0);
    if let Some(allow) = allow {
        rendered.headers_mut().insert(header::ALLOW, allow);
    }
    rendered
}

/// Marks an answer of an error status whose body is meant as it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spoken;

/// 304 when the client has it already (RFC 9110 section 13.1.2).
fn unchanged(method: &Method, wanted: Option<&HeaderValue>, response: &mut Response) {
    let (Some(wanted), true) = (wanted, matches!(*method, Method::GET | Method::HEAD)) else { return };
    if response.status() != StatusCode::OK {
        return;
    }
    let Some(tag) = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok()) else { return };
    let Ok(wanted) = wanted.to_str() else { return };
    // A version of overrides stands for what was ordered; what is shown beside it goes on changing.
    if tag.starts_with("\"ov-") {
        return;
    }
    let same = |one: &str| one == "*" || one.trim_start_matches("W/") == tag;
    if wanted.split(',').map(str::trim).any(same) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().remove(header::CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
    }
}

/// The matched route of a request, for its metric; the middleware inside the router writes it.
#[derive(Debug, Clone, Default)]
struct Route(Arc<std::sync::OnceLock<String>>);

impl Route {
    fn get(&self) -> &str {
        self.0.get().map_or("none", String::as_str)
    }
}

/// Notes which route was matched; the pattern and never the path, which a client chooses.
pub(super) async fn note_route(path: MatchedPath, request: Request, next: Next) -> Response {
    if let Some(route) = request.extensions().get::<Route>() {
        let _ = route.0.set(path.as_str().to_owned());
    }
    next.run(request).await
}
