//! A node that answers by script, on a port of its own.

use std::sync::{Arc, Mutex};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, Response},
};
use tokio::task::JoinSet;

use super::super::{
    args::At,
    client::{
        Client,
        door::{Door, Surroundings},
    },
};
use crate::model::Span;

/// A request as the double saw it.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(super) type Answer = (u16, String);
pub(super) type Script = dyn Fn(&Seen, usize) -> Answer + Send + Sync;

/// A node that answers by script; the second argument counts the requests before.
pub(super) struct Double {
    door: Door,
    seen: Arc<Mutex<Vec<Seen>>>,
    _tasks: JoinSet<()>,
}

impl Double {
    pub(super) async fn new(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::default();
        let mut tasks = JoinSet::new();
        let app = app(Arc::new(script), Arc::clone(&seen));
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });
        let token = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token.path(), "ws_test_secret\n").unwrap();
        let at = At { url: Some(url), token_file: Some(token.path().into()), ..At::default() };
        Self { door: Door::find(&at, &Surroundings::default()).unwrap(), seen, _tasks: tasks }
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.door.clone(), "5s".parse::<Span>().unwrap().0).unwrap()
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

pub(super) fn app(script: Arc<Script>, seen: Arc<Mutex<Vec<Seen>>>) -> axum::Router {
    axum::Router::new().fallback(move |request: Request| {
        let (script, seen) = (Arc::clone(&script), Arc::clone(&seen));
        async move {
            let (parts, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let line = format!("{} {}", parts.method, parts.uri);
            let one = Seen { line, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() };
            let before = seen.lock().unwrap().len();
            seen.lock().unwrap().push(one.clone());
            let (status, body) = script(&one, before);
            let kind = if body.starts_with("data:") || body.starts_with("id:") {
                "text/event-stream"
            } else {
                "application/json"
            };
            let response = Response::builder().status(status).header("content-type", kind);
            response.header("location", "/elsewhere").body(Body::from(body)).unwrap()
        }
    })
}
