//! Who is let in, and to what.

use serde_json::json;

use super::{As, House, drain_aws};
use crate::{
    config::{AdminSettings, PeerSettings},
    model::Secret,
};

/// Every route with what it takes; `{ok}` is the status for the role that suffices.
const ROUTES: [(&str, As, u16); 39] = [
    ("GET /metrics", As::Viewer, 200),
    ("GET /v1/status", As::Viewer, 200),
    ("GET /v1/whoami", As::Peer, 200),
    ("GET /v1/nodes", As::Viewer, 200),
    ("GET /v1/ballot", As::Peer, 404),
    ("GET /v1/services", As::Viewer, 200),
    ("GET /v1/services/www", As::Viewer, 200),
    ("GET /v1/services/www/up", As::Viewer, 200),
    ("GET /v1/services/nope", As::Viewer, 404),
    ("GET /v1/pools", As::Viewer, 200),
    ("GET /v1/pools/eu", As::Viewer, 200),
    ("GET /v1/endpoints", As::Viewer, 200),
    ("GET /v1/endpoints/aws-use", As::Viewer, 200),
    ("GET /v1/endpoints/aws-use/results", As::Viewer, 200),
    ("POST /v1/endpoints/nope/probe", As::Operator, 404),
    ("GET /v1/providers", As::Viewer, 200),
    ("GET /v1/providers/aws", As::Viewer, 200),
    ("GET /v1/regions", As::Viewer, 200),
    ("GET /v1/regions/eu", As::Viewer, 200),
    ("GET /v1/checks", As::Viewer, 200),
    ("GET /v1/checks/web", As::Viewer, 200),
    ("GET /v1/overrides", As::Viewer, 200),
    ("GET /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6", As::Viewer, 404),
    ("POST /v1/overrides", As::Operator, 415),
    ("PATCH /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6", As::Operator, 415),
    ("DELETE /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6", As::Operator, 404),
    ("GET /v1/explain?name=www.gslb.example.com", As::Viewer, 200),
    ("GET /v1/events", As::Viewer, 200),
    ("GET /v1/config", As::Viewer, 200),
    ("GET /v1/config/schema", As::Viewer, 200),
    ("POST /v1/config/validate", As::Operator, 200),
    ("GET /v1/audit", As::Admin, 200),
    ("GET /v1/nothing", As::Peer, 404),
    ("GET /", As::Peer, 404),
    ("PUT /v1/status", As::Peer, 405),
    ("DELETE /v1/services/www", As::Peer, 405),
    ("POST /v1/endpoints/aws-use", As::Peer, 405),
    ("HEAD /v1/status", As::Viewer, 200),
    ("OPTIONS /v1/status", As::Peer, 405),
];

const RANKS: [As; 5] = [As::Nobody, As::Peer, As::Viewer, As::Operator, As::Admin];

#[tokio::test]
async fn each_route_opens_at_its_role_and_tells_nobody_else_that_it_is_there() {
    let house = House::new().await;
    for (line, needs, ok) in ROUTES {
        for (rank, who) in RANKS.into_iter().enumerate() {
            let enough = RANKS.iter().position(|role| *role == needs);
            let expected = match rank {
                0 => 401,
                rank if Some(rank) < enough => 403,
                _ => ok,
            };
            let answer = house.ask(who, line, &[], "").await;
            assert_eq!(answer.status.as_u16(), expected, "{line} as {who:?}: {}", answer.text);
            assert_eq!(answer.header("wayshift-node"), "n1", "{line}");
            assert!(answer.header("x-request-id").starts_with("req_"), "{line}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{line}");
            assert_eq!(answer.header("cache-control"), "no-store", "{line}");
            assert!(answer.header("content-security-policy").contains("default-src 'self'"), "{line}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{line}");
            if expected == 401 {
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{line}");
            }
            if expected >= 400 && !line.starts_with("HEAD") {
                let problem = answer.json();
                assert_eq!(answer.header("content-type"), "application/problem+json", "{line}");
                assert_eq!(problem["status"], expected, "{line}");
                assert_eq!(problem["request_id"], answer.header("x-request-id"), "{line}");
                let text = answer.text.to_lowercase();
                assert!(expected != 401 || !text.contains("expired") && !text.contains("unknown"), "{line}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn without_a_token_only_life_and_readiness_answer() {
    let house = House::new().await;
    let live = house.ask(As::Nobody, "GET /livez", &[], "").await.expect(200);
    assert_eq!(live.text, "ok\n");
    house.ask(As::Nobody, "GET /readyz", &[], "").await.expect(200);
    let verbose = house.ask(As::Nobody, "GET /readyz?verbose", &[], "").await.expect(200).json();
    assert_eq!(verbose, json!({ "ready": true, "checks": { "doors": true, "table": true } }));
    house.condition.send_replace(std::sync::Arc::default());
    assert_eq!(house.ask(As::Nobody, "GET /readyz", &[], "").await.expect(503).text, "not ready\n");
    let verbose = house.ask(As::Nobody, "GET /readyz?verbose", &[], "").await.expect(503).json();
    assert_eq!(verbose["ready"], false);
    for tricky in ["GET /livez/", "GET //livez", "GET /livez/../v1/status", "GET /readyz%2f", "GET /LIVEZ"] {
        house.ask(As::Nobody, tricky, &[], "").await.expect(401);
    }
}

#[tokio::test]
async fn forged_tokens_stay_outside_and_their_attempts_are_counted_and_limited() {
    let house = House::new().await;
    let own = house.bearer(As::Admin).unwrap();
    let forged = [
        own.replace("ws_admin_", "ws_admin_A"),
        own[..own.len() - 1].to_owned(),
        own.replace("Bearer", "Basic"),
        format!("{own}, {own}"),
        "Bearer".to_owned(),
        "Bearer \t".to_owned(),
        "Bearer sha256:0".to_owned(),
    ];
    for forged in &forged {
        let field = format!("authorization: {forged}");
        house.ask(As::Nobody, "GET /v1/status", &[&field], "").await.expect(401);
    }
    let mut last = None;
    for _ in 0..100 {
        last = Some(house.ask(As::Nobody, "GET /v1/status", &[], "").await);
    }
    let last = last.unwrap().expect(429);
    assert!(!last.header("retry-after").is_empty());
    house.get("/v1/status").await.expect(200);
    let metrics = house.get("/metrics").await.expect(200).text;
    assert!(metrics.contains("wayshift_auth_failures_total{reason=\"missing\"}"), "{metrics}");
}

#[tokio::test]
async fn a_flood_of_one_principal_is_slowed_and_nobody_else() {
    let house = House::new().await;
    let mut slowed = false;
    for _ in 0..3000 {
        slowed = house.get("/v1/whoami").await.status.as_u16() == 429;
        if slowed {
            break;
        }
    }
    assert!(slowed);
    house.ask(As::Admin, "GET /v1/whoami", &[], "").await.expect(200);
    house.ask(As::Nobody, "GET /livez", &[], "").await.expect(200);
}

/// A page of another origin, and a proxy by which other nodes come.
fn settings() -> AdminSettings {
    let at = vec!["https://eu-1.example.com:8653".parse().unwrap()];
    let peers = PeerSettings { at, token: Secret::new("ws_peers_x".into()), ca: None };
    let origins = vec!["https://wayshift.example.com".to_owned()];
    AdminSettings { origins, peers: Some(peers), ..AdminSettings::default() }
}

#[tokio::test]
async fn names_that_are_not_ours_are_refused_before_anything_else() {
    let house = House::with(settings()).await;
    for (host, status) in [
        ("127.0.0.1", 200),
        ("127.0.0.1:8653", 200),
        ("[::1]:8653", 200),
        ("localhost:8653", 200),
        ("LOCALHOST", 200),
        ("wayshift.example.com", 200),
        ("eu-1.example.com:8653", 200),
        ("attacker.example", 421),
        ("localhost.attacker.example", 421),
        ("127.0.0.1.attacker.example", 421),
        ("", 421),
    ] {
        let answer = house.ask(As::Peer, "GET /v1/whoami", &[&format!("host: {host}")], "").await;
        assert_eq!(answer.status.as_u16(), status, "{host}: {}", answer.text);
    }
}

#[tokio::test]
async fn pages_of_other_origins_change_nothing() {
    let house = House::with(settings()).await;
    let json = "content-type: application/json";
    for (fields, status) in [
        (vec![json], 200),
        (vec![json, "origin: http://127.0.0.1:8653"], 200),
        (vec![json, "origin: https://wayshift.example.com", "sec-fetch-site: cross-site"], 200),
        (vec![json, "sec-fetch-site: same-origin"], 200),
        (vec![json, "sec-fetch-site: cross-site"], 403),
        (vec![json, "sec-fetch-site: same-site"], 403),
        (vec![json, "origin: https://attacker.example"], 403),
        (vec![json, "origin: null"], 403),
        (vec![json, "origin: http://127.0.0.1:9999"], 403),
    ] {
        let answer = house.ask(As::Operator, "POST /v1/overrides?dry_run=true", &fields, drain_aws().to_string()).await;
        assert_eq!(answer.status.as_u16(), status, "{fields:?}: {}", answer.text);
    }
    let asked = ["origin: https://wayshift.example.com", "access-control-request-method: POST"];
    let preflight = house.ask(As::Nobody, "OPTIONS /v1/overrides", &asked, "").await.expect(204);
    assert_eq!(preflight.header("access-control-allow-origin"), "https://wayshift.example.com");
    let asked = ["origin: https://eu-1.example.com:8653", "access-control-request-method: POST"];
    house.ask(As::Nobody, "OPTIONS /v1/overrides", &asked, "").await.expect(401);
    let asked = ["origin: https://attacker.example", "access-control-request-method: POST"];
    let refused = house.ask(As::Nobody, "OPTIONS /v1/overrides", &asked, "").await.expect(401);
    assert_eq!(refused.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn whoami_tells_role_and_scope() {
    let house = House::new().await;
    let who = house.ask(As::Aws, "GET /v1/whoami", &[], "").await.expect(200).json();
    assert_eq!(
        who,
        json!({ "principal": "token:aws", "role": "operator", "scope": ["provider:aws"], "from": "127.0.0.1" })
    );
}

#[tokio::test]
async fn a_field_that_stands_twice_is_believed_in_neither() {
    let house = House::new().await;
    let json = "content-type: application/json";
    for twice in [
        ["host: 127.0.0.1", "host: evil.example"],
        ["origin: http://127.0.0.1:8653", "origin: http://evil.example"],
        ["sec-fetch-site: same-origin", "sec-fetch-site: cross-site"],
        ["idempotency-key: one", "idempotency-key: two"],
        ["content-type: application/json", "content-type: text/plain"],
        ["authorization: Bearer x", "x-nothing: y"],
    ] {
        let fields = [&[json][usize::from(twice[0] == json)..], &twice[..]].concat();
        let answer = house.ask(As::Admin, "POST /v1/overrides", &fields, drain_aws().to_string()).await;
        assert_eq!(answer.status.as_u16(), 400, "{twice:?}: {}", answer.text);
    }
    let answer = house.ask(As::Admin, "GET /v1/status", &["host: evil.example@127.0.0.1"], "").await;
    assert_eq!(answer.status.as_u16(), 421, "a user has no place in Host");
    assert_eq!(house.generation().await, 0);
}
