//! The API as its clients meet it: a router over a true store, journal and controller, without a port unless the wire
//! itself is the subject.

mod access;
mod foresight;
mod overrides;
mod resources;
mod stream;
mod strict;
mod wire;

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use http_body_util::BodyExt as _;
use hyper::{HeaderMap, Request, StatusCode};
use prometheus_client::registry::Registry;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::{
    Condition, Handles, ProbeRequest, Recent, ReloadRequest, Turn,
    auth::{Keys, Peer},
    routes,
};
use crate::{
    clock::Clock,
    config::{AdminSettings, AdminToken, Role, load_text},
    control::{Controller, Identity, Input},
    model::{LastGood, Memory, Observation, Outcome, Phases, Wall, hash_token, new_token},
    steer::{Live, compile},
    store::{ControlStore, journal::Journal, sqlite::Embedded},
    telemetry::Metrics,
};

const CONFIG: &str = r#"
[zone."gslb.example.com"]
ns = { ns1 = "192.0.2.53" }

[provider]
aws = { title = "AWS" }
gcp = {}

[region]
us = { at = [38.9, -77.0] }
eu = {}

[check.web]
url = "http://www.example.com/healthz"
headers = { X-Probe = "very-secret" }

[endpoint]
aws-use = { provider = "aws", region = "us", address = ["203.0.113.10", "2001:db8::10"] }
gcp-use = { provider = "gcp", region = "us", address = "198.51.100.10" }
aws-euw = { provider = "aws", region = "eu", address = "203.0.113.20", labels = { tier = "gold" } }
gcp-euw = { provider = "gcp", region = "eu", address = "198.51.100.20" }

[pool]
us = { endpoints = ["aws-use", "gcp-use"] }
eu = { endpoints = { aws-euw = 70, gcp-euw = 30 } }

[service.www]
names = ["www.gslb.example.com"]
pools = ["us", "eu"]
steer = "failover"
check = "web"
ttl = "30s"

[service.api]
names = ["api.gslb.example.com"]
pools = ["eu"]
check = "web"
ttl = "20s"

[safety]
rules = [{ name = "one-cloud", keep = 1, of = ["provider:aws", "provider:gcp"] }]
"#;

/// A node's worth of handles, with everyone who may ask.
struct House {
    router: Router,
    handles: Handles,
    tokens: [String; 5],
    condition: watch::Sender<Arc<Condition>>,
    reloads: mpsc::Receiver<ReloadRequest>,
    probes: mpsc::Receiver<ProbeRequest>,
    pushed: mpsc::Receiver<Input>,
    _tasks: JoinSet<()>,
    _folder: tempfile::TempDir,
}

/// Whose token a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum As {
    Nobody,
    /// Another node.
    Peer,
    Viewer,
    Operator,
    Admin,
    /// An operator of `provider:aws` alone.
    Aws,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
        self
    }
}

impl House {
    async fn new() -> Self {
        Self::with(AdminSettings::default()).await
    }

    async fn with(settings: AdminSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let loaded = Arc::new(load_text("wayshift.toml", CONFIG, &|_| None).unwrap());
        let fleet = Arc::clone(&loaded.fleet);
        let store: Arc<dyn ControlStore> = Arc::new(Embedded::open(folder.path(), Clock::wall()).unwrap());
        let journal = Arc::new(Journal::open(folder.path(), Clock::wall()));
        let identity = Identity { node: "n1".parse().unwrap(), region: Some("eu".parse().unwrap()), provider: None };

        let (mut controller, first) =
            Controller::new(identity.clone(), Arc::clone(&fleet), &Memory::default(), clock.now());
        let first = first.snapshot.unwrap();
        let live = Live::new(compile(&first, None, &LastGood::new()));
        let (snapshot_in, snapshot) = watch::channel(first);
        let recent = Arc::new(Recent::new());
        let passes: Vec<_> = fleet
            .targets()
            .map(|(ix, target)| Observation {
                revision: fleet.check(fleet.subject(ix).check.unwrap()).revision,
                address: (fleet.endpoint(fleet.subject(ix).endpoint).address(target.family).unwrap(), 80).into(),
                at: clock.now(),
                outcome: Outcome::Pass,
                phases: Phases { total: Duration::from_micros(1500), ..Phases::default() },
                status: Some(200),
                cert_left: None,
                target,
            })
            .collect();
        passes.iter().cloned().for_each(|pass| recent.push(pass));
        let mut tasks = JoinSet::new();
        let (mut durable, table, history) = (store.watch(), live.clone(), Arc::clone(&journal));
        tasks.spawn(async move {
            let mut inputs: Vec<Input> = passes.into_iter().map(Input::Observed).collect();
            loop {
                let shared = Arc::clone(&durable.borrow_and_update());
                inputs.push(Input::Shared {
                    epoch: shared.epoch.clone(),
                    generation: shared.generation,
                    overrides: Arc::clone(&shared.overrides),
                });
                let step = controller.step(clock.now(), inputs.drain(..));
                if let Some(snapshot) = step.snapshot {
                    let next = compile(&snapshot, Some(&table.load()), &LastGood::new());
                    drop(table.swap(next));
                    snapshot_in.send_replace(snapshot);
                }
                history.append(step.events);
                let wake = step.wake_at.map_or(Duration::from_secs(3600), |at| at.since(clock.mono()));
                tokio::select! {
                    changed = durable.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(wake) => {}
                }
            }
        });
        let mut seen = snapshot.clone();
        let known = |snapshot: &Arc<crate::model::Snapshot>| {
            snapshot.verdicts.iter().flatten().all(|verdict| verdict.health.works())
        };
        let all_up = tokio::time::timeout(Duration::from_secs(20), seen.wait_for(known));
        let all_up = all_up.await.is_ok();
        assert!(all_up, "{:?} {:?}", tasks.try_join_next(), snapshot.borrow().verdicts);

        let tokens = ["viewer", "operator", "admin", "aws", "peer"].map(|name| {
            new_token(name, &getrandom::u64().unwrap().to_be_bytes().repeat(4).try_into().unwrap()).unwrap()
        });
        let roles = [Role::Viewer, Role::Operator, Role::Admin, Role::Operator, Role::Peer];
        let known = tokens.iter().zip(roles).map(|(token, role)| AdminToken {
            name: token.split('_').nth(1).unwrap().to_owned(),
            role,
            scope: if token.starts_with("ws_aws") { vec!["provider:aws".parse().unwrap()] } else { Vec::new() },
            hash: hash_token(token),
            expires: None,
        });
        let (condition, condition_seen) =
            watch::channel(Arc::new(Condition { doors_bound: true, table_loaded: true, ..Condition::default() }));
        let (reload, reloads) = mpsc::channel(1);
        let (probe, probes) = mpsc::channel(1);
        let (inbox, pushed) = mpsc::channel(1);
        let (metrics, registry): (Metrics, Registry) = Metrics::new();
        let (_, config) = watch::channel(Arc::clone(&loaded));
        let handles = Handles {
            identity: Arc::new(identity),
            clock,
            started: Clock::wall(),
            snapshot,
            company: watch::channel(Arc::default()).1,
            ballot: watch::channel(None).1,
            live,
            store,
            local: None,
            turn: Turn::default(),
            recent,
            journal,
            reload,
            inbox,
            probe,
            config,
            condition: condition_seen,
            registry: Arc::new(registry),
            metrics: metrics.http,
            keys: Arc::new(Keys::new(known.collect())),
            stop: CancellationToken::new(),
        };
        let router = routes::router(&handles, &settings);
        Self { router, handles, tokens, condition, reloads, probes, pushed, _tasks: tasks, _folder: folder }
    }

    fn bearer(&self, who: As) -> Option<String> {
        let token = match who {
            As::Nobody => return None,
            As::Viewer => &self.tokens[0],
            As::Operator => &self.tokens[1],
            As::Admin => &self.tokens[2],
            As::Aws => &self.tokens[3],
            As::Peer => &self.tokens[4],
        };
        Some(format!("Bearer {token}"))
    }

    /// A request as `METHOD /path`, with further header fields as `name: value` and a body.
    async fn ask(&self, who: As, line: &str, fields: &[&str], body: impl Into<Body>) -> Answer {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if !fields.iter().any(|field| field.starts_with("host:")) {
            request = request.header("host", "127.0.0.1:8653");
        }
        if let Some(bearer) = self.bearer(who) {
            request = request.header("authorization", bearer);
        }
        for field in fields {
            let (name, value) = field.split_once(": ").unwrap();
            request = request.header(name, value);
        }
        let mut request = request.body(body.into()).unwrap();
        request.extensions_mut().insert(Peer::Tcp(Ipv4Addr::LOCALHOST.into()));
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(As::Viewer, &format!("GET {path}"), &[], "").await
    }

    async fn post(&self, who: As, path: &str, body: &Value) -> Answer {
        self.ask(who, &format!("POST {path}"), &["content-type: application/json"], body.to_string()).await
    }

    async fn generation(&self) -> u64 {
        self.handles.store.load().await.unwrap().generation
    }
}

/// An override of `provider:aws` that nothing speaks against.
fn drain_aws() -> Value {
    serde_json::json!({ "action": "drain", "target": "provider:aws", "for": "2h", "reason": "INC-123 packet loss" })
}

fn now() -> Wall {
    Clock::wall()
}
