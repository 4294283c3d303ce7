//! Metrics of the admin API.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Upper bounds in seconds, from a read of memory to a commit on a slow disk.
const DURATIONS: [f64; 8] = [0.000_5, 0.002, 0.01, 0.05, 0.2, 1.0, 5.0, 30.0];

/// Counted by the admin API. Labels are route patterns, methods and codes, never paths.
#[derive(Debug)]
pub struct HttpMetrics {
    requests: Family<Request, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
    refusals: Family<Reason, Counter>,
    sse_clients: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    route: String,
    method: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

fn histogram() -> Histogram {
    Histogram::new(DURATIONS)
}

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            refusals: Family::default(),
            sse_clients: Gauge::default(),
        };
        registry.register("http_requests", "Requests to the admin API", metrics.requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Time from the end of a request's head to the beginning of its answer",
            metrics.durations.clone(),
        );
        registry.register("auth_failures", "Requests without a valid token", metrics.refusals.clone());
        registry.register("sse_clients", "Clients that follow the events", metrics.sse_clients.clone());
        metrics
    }

    /// A request was answered; `route` is a pattern of the router, or `none`.
    pub fn answered(&self, route: &str, method: &str, code: u16, took: Duration) {
        // A method is the client's own word; only known ones become labels.
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or("other");
        self.requests.get_or_create(&Request { route: route.to_owned(), method, code }).inc();
        self.durations.get_or_create(&Route { route: route.to_owned() }).observe(took.as_secs_f64());
    }

    /// Someone was not let in.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    /// Someone follows the events from now on, or (`by` -1) no more.
    pub fn follows(&self, by: i64) {
        self.sse_clients.inc_by(by);
    }

    /// How many follow the events.
    #[must_use]
    pub fn followers(&self) -> i64 {
        self.sse_clients.get()
    }
}
