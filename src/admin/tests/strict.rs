//! What is not understood is refused, and nothing strange harms.

use serde_json::json;

use super::{As, House, drain_aws};

#[tokio::test]
async fn an_unknown_parameter_is_refused_on_every_path() {
    let house = House::new().await;
    let json = "content-type: application/json";
    for line in [
        "GET /livez?bogus=1",
        "GET /readyz?bogus=1",
        "GET /metrics?bogus=1",
        "GET /v1/status?bogus=1",
        "GET /v1/whoami?bogus=1",
        "GET /v1/nodes?bogus=1",
        "GET /v1/services?bogus=1",
        "GET /v1/services/www?bogus=1",
        "GET /v1/services/www/up?bogus=1",
        "GET /v1/pools?bogus=1",
        "GET /v1/pools/eu?bogus=1",
        "GET /v1/endpoints?bogus=1",
        "GET /v1/endpoints/aws-use?bogus=1",
        "GET /v1/endpoints/aws-use/results?bogus=1",
        "POST /v1/endpoints/aws-use/probe?bogus=1",
        "GET /v1/providers?bogus=1",
        "GET /v1/providers/aws?bogus=1",
        "GET /v1/regions?bogus=1",
        "GET /v1/regions/eu?bogus=1",
        "GET /v1/checks?bogus=1",
        "GET /v1/checks/web?bogus=1",
        "GET /v1/overrides?bogus=1",
        "GET /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6?bogus=1",
        "POST /v1/overrides?dryrun=true",
        "PATCH /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6?bogus=1",
        "DELETE /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6?bogus=1",
        "GET /v1/explain?name=www.gslb.example.com&bogus=1",
        "GET /v1/explain",
        "GET /v1/explain?name=www.gslb.example.com&geo=Europe",
        "GET /v1/explain?name=www.gslb.example.com&at=10:42",
        "GET /v1/explain?name=www.gslb.example.com&client=nobody",
        "GET /v1/explain?name=www.gslb.example.com&type=BOGUS",
        "GET /v1/explain?name=www..example.com",
        "GET /v1/events?bogus=1",
        "GET /v1/events?kind=verdikt",
        "GET /v1/events?since=yesterday",
        "GET /v1/events/stream?bogus=1",
        "GET /v1/config?bogus=1",
        "GET /v1/config/schema?bogus=1",
        "POST /v1/config/validate?bogus=1",
        "POST /v1/config/plan?bogus=1",
        "POST /v1/config/test?bogus=1",
        "POST /v1/config/reload?bogus=1",
        "POST /v1/config/reload?accept=x&previous=true",
        "DELETE /v1/config/rollout?bogus=1",
        "POST /v1/simulations?bogus=1",
        "PUT /v1/endpoints/aws-use/load?bogus=1",
        "GET /v1/audit?bogus=1",
        "GET /v1/services?limit=0",
        "GET /v1/services?limit=1001",
        "GET /v1/services?limit=-1",
        "GET /v1/services?limit=1&limit=2",
        "GET /v1/services?cursor=!",
        "GET /v1/services?cursor=AAAA",
        "GET /v1/services?provider=aws",
        "GET /v1/endpoints?verdict=sideways",
        "GET /v1/endpoints?label=gold",
        "GET /v1/endpoints/aws-use/results?limit=0",
        "GET /v1/endpoints/aws-use/results?node=n2",
        "GET /v1/audit?cursor=AAAA",
        "GET /v1/overrides?state=dormant",
        "POST /v1/overrides?dry_run=yes",
    ] {
        let answer = house.ask(As::Admin, line, &[json], "{}").await;
        assert_eq!(answer.status.as_u16(), 400, "{line}: {}", answer.text);
    }
    assert_eq!(house.generation().await, 0);
}

#[tokio::test]
async fn a_body_is_read_strictly_and_says_where_it_is_wrong() {
    let house = House::new().await;
    for (body, kind, status, pointer) in [
        (
            r#"{"action":"drain","target":"provider:aws","reason":"x","dry_run":true}"#,
            "application/json",
            400,
            "/dry_run",
        ),
        (r#"{"action":"drain"}"#, "application/json", 400, "/target"),
        (r#"{"action":1,"target":"all"}"#, "application/json", 400, ""),
        (r#"{"action":"drain","target":"provider:aws"} trailing"#, "application/json", 400, ""),
        ("", "application/json", 400, ""),
        ("[]", "application/json", 400, ""),
        ("null", "application/json", 400, ""),
        ("{}", "text/plain", 415, ""),
        ("{}", "application/x-www-form-urlencoded", 415, ""),
    ] {
        let field = format!("content-type: {kind}");
        let answer = house.ask(As::Operator, "POST /v1/overrides", &[&field], body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
        if !pointer.is_empty() {
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{}", answer.text);
        }
    }
    let deep = "[".repeat(100_000);
    house.ask(As::Operator, "POST /v1/overrides", &["content-type: application/json"], deep).await.expect(400);
    let huge = vec![b' '; 1024 * 1024 + 1];
    house.ask(As::Operator, "POST /v1/overrides", &["content-type: application/json"], huge).await.expect(413);
    let lie = ["content-type: application/json", "content-length: 99999999999"];
    house.ask(As::Operator, "POST /v1/overrides", &lie, "{}").await.expect(413);
    assert_eq!(house.generation().await, 0);
}

#[tokio::test]
async fn a_list_is_no_object() {
    let house = House::new().await;
    let json = ["content-type: application/json"];
    for (line, body) in [
        ("POST /v1/overrides", r#"["drain","provider:aws","x",null,null,null,"2h",null,null]"#),
        ("POST /v1/overrides", " \r\n\t[\"drain\",\"provider:aws\"]"),
        ("PATCH /v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6", r#"["2h"]"#),
        ("PUT /v1/endpoints/aws-use/load", "[1.5]"),
        ("POST /v1/simulations", r#"[["provider:aws"]]"#),
        ("POST /v1/simulations", "[]"),
        ("POST /v1/simulations", r#""x""#),
        ("POST /v1/simulations", "null"),
    ] {
        let answer = house.ask(As::Admin, line, &json, body).await.expect(400);
        let detail = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains("not a JSON object"), "{line} {body}: {detail}");
    }
    house.ask(As::Admin, "POST /v1/simulations", &json, " \n{}").await.expect(200);
    assert_eq!(house.generation().await, 0);
}

#[tokio::test]
async fn what_cannot_be_done_is_said_with_a_hint() {
    let house = House::new().await;
    let with = |change: serde_json::Value| {
        let mut body = drain_aws();
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                body.as_object_mut().unwrap().remove(name);
            } else {
                body[name] = value.clone();
            }
        }
        body
    };
    let long = "x".repeat(1025);
    for (change, pointer, hint) in [
        (json!({ "reason": null }), "/reason", "03:00"),
        (json!({ "reason": "   " }), "/reason", "03:00"),
        (json!({ "reason": "a\u{1b}[2J" }), "/reason", ""),
        (json!({ "reason": long }), "/reason", ""),
        (json!({ "action": "drian" }), "/action", "`drain`"),
        (json!({ "target": "provider:awz" }), "/target", "`aws`"),
        (json!({ "target": "providr:aws" }), "/target", "`provider`"),
        (json!({ "target": "aws" }), "/target", "`provider:aws`"),
        (json!({ "target": "service:shop" }), "/target", ""),
        (json!({ "for": "2" }), "/for", "2s"),
        (json!({ "for": "73h" }), "/for", "override_max"),
        (json!({ "for": "0s" }), "/for", ""),
        (json!({ "expires": "2020-01-01T00:00:00Z", "for": null }), "/expires", ""),
        (json!({ "expires": "tomorrow", "for": null }), "/expires", ""),
        (json!({ "expires": "2027-01-01T00:00:00Z" }), "/expires", ""),
        (json!({ "from": "later" }), "/from", ""),
        (json!({ "weight": 5 }), "/weight", ""),
        (json!({ "action": "weight" }), "/weight", ""),
        (json!({ "pool": "eu" }), "/pool", ""),
        (json!({ "action": "pin", "pool": "eu" }), "/target", ""),
        (json!({ "action": "pin", "target": "service:api" }), "/pool", ""),
        (json!({ "action": "pin", "target": "service:www", "pool": "ew" }), "/pool", ""),
        (json!({ "action": "pin", "target": "service:api", "pool": "us" }), "/pool", ""),
    ] {
        let answer = house.post(As::Operator, "/v1/overrides", &with(change.clone())).await.expect(422);
        let problem = answer.json();
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{change}: {}", answer.text);
        let said = problem["hint"].as_str().unwrap_or("");
        assert!(said.contains(hint), "{change}: {}", answer.text);
    }
    assert_eq!(house.generation().await, 0);
}

#[tokio::test]
async fn strange_paths_lead_nowhere() {
    let house = House::new().await;
    let long = format!("GET /v1/services/{}", "a".repeat(20_000));
    for line in [
        "GET //v1/status",
        "GET /v1//status",
        "GET /v1/status/",
        "GET /v1/../v1/status",
        "GET /v1/services/..",
        "GET /v1/services/%2e%2e",
        "GET /v1/services/www%2fup",
        "GET /v1/services/www%00",
        "GET /v1/services/%ff%fe",
        "GET /v1/services/WWW",
        "GET /v1/endpoints/..%2f..%2fetc%2fpasswd",
        "GET /v1/overrides/ov_../../x",
        "GET /v1/overrides/01JD8ZK3T0B6W9E1Q2R3S4T5V6",
        "GET /V1/STATUS",
        "GET /v2/status",
        &long,
    ] {
        let answer = house.ask(As::Viewer, line, &[], "").await;
        assert_eq!(answer.status.as_u16(), 404, "{line:.60}: {:.300}", answer.text);
        assert!(answer.text.len() < 1000, "{line:.60}");
    }
}
