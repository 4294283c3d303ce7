//! The life of an override.

use serde_json::{Value, json};

use super::{Answer, As, House, drain_aws, now};
use crate::{
    admin::views::OverrideView,
    model::{Span, Wall},
};

async fn answered(house: &House, name: &str) -> Vec<String> {
    let service = house.get(&format!("/v1/services/{name}")).await.expect(200).json();
    let endpoints = service["answers"][0]["endpoints"].as_array().unwrap();
    endpoints.iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

async fn list(house: &House, query: &str) -> Vec<String> {
    let page = house.get(&format!("/v1/overrides{query}")).await.expect(200).json();
    page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_order_of_one_node_alone_needs_an_admin_and_a_store_that_others_share() {
    let house = House::new().await;
    let refused = house.post(As::Operator, "/v1/overrides?local=true", &drain_aws()).await.expect(403).json();
    assert_eq!(refused["code"], "local.role");
    let refused = house.post(As::Admin, "/v1/overrides?local=true", &drain_aws()).await.expect(409).json();
    assert_eq!(refused["code"], "local.not_shared");
    house.post(As::Operator, "/v1/overrides/ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6/promote", &json!({})).await.expect(404);
    house.ask(As::Admin, "GET /v1/audit?local=true", &[], "").await.expect(400);
    let refused = house.ask(As::Admin, "POST /v1/config/reload?canary=eu-1", &[], "").await.expect(409).json();
    assert_eq!(refused["code"], "config.rollout");
    house.ask(As::Admin, "POST /v1/config/reload?watch=9s", &[], "").await.expect(400);
    house.get("/v1/config/rollout").await.expect(404);
    assert_eq!(house.generation().await, 0, "nothing of it was done");
}

#[tokio::test]
async fn it_is_previewed_made_extended_and_ended() {
    let house = House::new().await;
    let preview = house.post(As::Operator, "/v1/overrides?dry_run=true", &drain_aws()).await.expect(200);
    let effect = preview.json();
    assert_eq!(house.generation().await, 0, "a dry run changes nothing");
    assert_eq!(
        (&effect["dry_run"], &effect["safety"]["ok"], &effect["lasts"]),
        (&json!(true), &json!(true), &json!("2h"))
    );
    assert_eq!(effect["matches"], json!(["endpoint:aws-euw", "endpoint:aws-use"]));
    let names: Vec<_> = effect["effect"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["api.gslb.example.com.", "www.gslb.example.com."]);
    assert_eq!(
        (&effect["effect"][1]["from"], &effect["effect"][1]["to"]),
        (&json!(["aws-use", "gcp-use"]), &json!(["gcp-use"]))
    );
    assert_eq!(effect["kept"], json!(["aws-use"]), "nothing else has an IPv6 address");

    let fields = ["content-type: application/json", &format!("if-match: {}", preview.header("etag"))];
    let made = house.ask(As::Operator, "POST /v1/overrides", &fields, drain_aws().to_string()).await.expect(201);
    let view: OverrideView = serde_json::from_value(made.json()).unwrap();
    assert_eq!(made.header("location"), format!("/v1/overrides/{}", view.id));
    assert_eq!(
        (view.by.as_str(), view.applied_on.as_slice(), view.pending_on.len()),
        ("token:operator", &["n1".to_owned()][..], 0)
    );
    assert_eq!(view.expires.since(view.created), "2h".parse::<Span>().unwrap().0);
    assert_eq!(view.safe_to_stop_at, None, "aws-use goes on serving IPv6: nobody may stop it");
    assert_eq!(view.undo, format!("DELETE /v1/overrides/{}", view.id));
    assert_eq!(answered(&house, "www").await, ["gcp-use"], "the answer came after it was applied");
    assert_eq!(answered(&house, "api").await, ["gcp-euw"]);

    let path = format!("/v1/overrides/{}", view.id);
    let one = house.get(&path).await.expect(200);
    assert_eq!((one.header("etag"), &one.json()["state"]), (view.etag.as_str(), &json!("active")));
    let wrong = ["content-type: application/json", "if-match: \"ov-999\""];
    let stale = house.ask(As::Operator, &format!("PATCH {path}"), &wrong, r#"{"for":"+1h"}"#).await.expect(412);
    assert_eq!(stale.json()["current"]["id"], view.id.to_string(), "a stale request gets what is");
    let right = ["content-type: application/json", &format!("if-match: {}", view.etag)];
    let longer = house.ask(As::Operator, &format!("PATCH {path}"), &right, r#"{"for":"+1h"}"#).await.expect(200).json();
    let end: Wall = longer["expires"].as_str().unwrap().parse().unwrap();
    assert_eq!(end.since(view.expires), "1h".parse::<Span>().unwrap().0);
    for (body, status) in [
        (r#"{"for":"+72h"}"#, 422),
        (r#"{}"#, 422),
        (r#"{"for":"1h","expires":"2026-12-01T00:00:00Z"}"#, 422),
        (r#"{"until":"1h"}"#, 400),
        (r#"{"for":"90m"}"#, 200),
    ] {
        let json = ["content-type: application/json"];
        let answer = house.ask(As::Operator, &format!("PATCH {path}"), &json, body).await;
        assert_eq!(answer.status.as_u16(), status, "{body}: {}", answer.text);
    }

    let end = format!("DELETE {path}?dry_run=true");
    let effect = house.ask(As::Operator, &end, &[], "").await.expect(200).json();
    assert_eq!(effect["effect"][1]["to"], json!(["aws-use", "gcp-use"]));
    let gone = house.ask(As::Operator, &format!("DELETE {path}?reason=resolved"), &[], "").await.expect(204);
    assert_eq!(gone.text, "");
    assert_eq!(answered(&house, "www").await, ["aws-use", "gcp-use"]);
    house.ask(As::Operator, &format!("DELETE {path}"), &[], "").await.expect(404);

    let audit = house.ask(As::Admin, "GET /v1/audit", &[], "").await.expect(200).json();
    let actions: Vec<_> =
        audit["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["override.end", "override.extend", "override.extend", "override.create"]);
    let last = &audit["items"][0];
    assert_eq!(
        (&last["actor"], &last["from"], &last["reason"]),
        (&json!("token:operator"), &json!("127.0.0.1"), &json!("resolved"))
    );
    assert_eq!(last["before"]["target"], "provider:aws");
    assert_eq!(last["request_id"], gone.header("x-request-id"));
}

#[tokio::test]
async fn the_same_key_is_the_same_change() {
    let house = House::new().await;
    let post = async |key: &str, body: &Value, who| -> Answer {
        let fields = ["content-type: application/json", &format!("idempotency-key: {key}")];
        house.ask(who, "POST /v1/overrides", &fields, body.to_string()).await
    };
    let first = post("inc-123", &drain_aws(), As::Operator).await.expect(201);
    let again = post("\"inc-123\"", &drain_aws(), As::Operator).await.expect(201);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!(again.json()["applied_on"], json!(["n1"]));
    assert_eq!((again.header("location"), again.header("etag")), (first.header("location"), first.header("etag")));
    assert_eq!(again.header("idempotency-replayed"), "true");
    let mut other = drain_aws();
    other["for"] = json!("3h");
    assert_eq!(post("inc-123", &other, As::Operator).await.expect(422).json()["code"], "idempotency.other_request");
    post("inc-123", &drain_aws(), As::Admin).await.expect(201);
    assert_eq!(house.generation().await, 2, "another principal's key is another key");
    for bad in ["", &"k".repeat(256)] {
        post(bad, &drain_aws(), As::Operator).await.expect(400);
    }
    let id = first.json()["id"].as_str().unwrap().to_owned();
    let fields = ["content-type: application/json", "idempotency-key: longer"];
    let extend =
        async || house.ask(As::Operator, &format!("PATCH /v1/overrides/{id}"), &fields, r#"{"for":"+1h"}"#).await;
    let once = extend().await.expect(200).json()["expires"].clone();
    assert_eq!(extend().await.expect(200).json()["expires"], once, "one hour and not two");
    let end = format!("DELETE /v1/overrides/{id}");
    house.ask(As::Operator, &end, &["idempotency-key: over"], "").await.expect(204);
    house.ask(As::Operator, &end, &["idempotency-key: over"], "").await.expect(204);
    house.ask(As::Operator, &end, &[], "").await.expect(404);
}

#[tokio::test]
async fn safety_refuses_and_an_admin_may_force() {
    let house = House::new().await;
    let down = |target: &str, force: bool| json!({ "action": "down", "target": target, "reason": "x", "force": force });
    let refused = house.post(As::Operator, "/v1/overrides", &down("region:eu", false)).await.expect(409).json();
    assert_eq!(refused["code"], "safety.empties_service");
    assert_eq!(refused["blocking"], json!(["service:api"]));
    assert!(refused["hint"].as_str().unwrap().contains("force"));
    let dry =
        house.post(As::Operator, "/v1/overrides?dry_run=true", &down("region:eu", false)).await.expect(200).json();
    assert_eq!(
        (&dry["safety"]["ok"], &dry["safety"]["refused"][0]["blocking"]),
        (&json!(false), &json!("service:api"))
    );
    house.post(As::Operator, "/v1/overrides", &down("region:eu", true)).await.expect(403);
    let forced = house.post(As::Admin, "/v1/overrides", &down("region:eu", true)).await.expect(201).json();
    assert_eq!(forced["forced"], true);
    let first = house.post(As::Operator, "/v1/overrides", &drain_aws()).await.expect(201);
    let mut gcp = drain_aws();
    gcp["target"] = json!("provider:gcp");
    let rule = house.post(As::Operator, "/v1/overrides", &gcp).await.expect(409).json();
    assert_eq!((&rule["code"], &rule["blocking"]), (&json!("safety.keep"), &json!(["rule:one-cloud"])));
    drop(first);
}

#[tokio::test]
async fn two_operators_cannot_evacuate_both_clouds_at_once() {
    let house = House::new().await;
    let mut gcp = drain_aws();
    gcp["target"] = json!("provider:gcp");
    let aws = drain_aws();
    let (one, other) =
        tokio::join!(house.post(As::Operator, "/v1/overrides", &aws), house.post(As::Admin, "/v1/overrides", &gcp));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{} {}", one.text, other.text);
}

#[tokio::test]
async fn many_at_once_all_come_through() {
    const MANY: usize = 24;
    let house = House::new().await;
    let body = json!({ "action": "weight", "weight": 5, "target": "endpoint:aws-euw", "reason": "x" });
    let posts = (0..MANY).map(|_| house.post(As::Operator, "/v1/overrides", &body));
    let answers = futures_util::future::join_all(posts).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(statuses, [201; MANY], "nobody loses to the others for ever");
    assert_eq!(list(&house, "").await.len(), MANY);
    assert_eq!(house.generation().await, MANY as u64);
}

#[tokio::test]
async fn an_operator_stays_within_scope() {
    let house = House::new().await;
    for (target, status) in [
        ("provider:aws", 201),
        ("endpoint:aws-use", 201),
        ("endpoint:gcp-use", 403),
        ("provider:*", 403),
        ("region:eu", 403),
        ("pool:eu", 403),
        ("service:www", 403),
        ("all", 403),
        ("endpoint:aws-*", 403),
    ] {
        let body = json!({ "action": "up", "target": target, "reason": "x" });
        let answer = house.post(As::Aws, "/v1/overrides", &body).await;
        assert_eq!(answer.status.as_u16(), status, "{target}: {}", answer.text);
    }
    let body = json!({ "action": "up", "target": "provider:gcp", "reason": "x" });
    let id = house.post(As::Operator, "/v1/overrides", &body).await.expect(201).json()["id"].clone();
    let path = format!("/v1/overrides/{}", id.as_str().unwrap());
    house.ask(As::Aws, &format!("DELETE {path}"), &[], "").await.expect(403);
    let json = ["content-type: application/json"];
    house.ask(As::Aws, &format!("PATCH {path}"), &json, r#"{"for":"+1h"}"#).await.expect(403);
    house.ask(As::Viewer, &format!("DELETE {path}"), &[], "").await.expect(403);
}

#[tokio::test]
async fn competitors_are_named() {
    let house = House::new().await;
    let post = async |action: &str, target: &str| {
        let body = json!({ "action": action, "target": target, "reason": "x" });
        house.post(As::Operator, "/v1/overrides", &body).await.expect(201).json()
    };
    let wide = post("drain", "provider:aws").await;
    let narrow = post("down", "endpoint:aws-use").await;
    assert_eq!(narrow["shadows"], json!([wide["id"]]));
    let other = post("drain", "region:us").await;
    assert_eq!((&other["shadows"], &other["shadowed_by"]), (&json!([wide["id"]]), &json!([narrow["id"]])));
    assert!(other["warnings"].to_string().contains(narrow["id"].as_str().unwrap()));
    let weight = json!({ "action": "weight", "weight": 7, "target": "pool:us", "reason": "x" });
    let weight = house.post(As::Operator, "/v1/overrides", &weight).await.expect(201).json();
    assert_eq!((&weight["shadows"], &weight["weight"]), (&Value::Null, &json!(7)));
    assert!(weight["warnings"].to_string().contains("does not answer by weight"));
}

#[tokio::test]
async fn planned_ones_wait_and_lists_are_filtered() {
    let house = House::new().await;
    let later = now().plus("1h".parse::<Span>().unwrap().0).to_string();
    let mut planned = drain_aws();
    planned["from"] = json!(later);
    let planned = house.post(As::Operator, "/v1/overrides", &planned).await.expect(201).json();
    assert_eq!((&planned["state"], &planned["applied_on"]), (&json!("planned"), &json!(["n1"])));
    assert_eq!(answered(&house, "www").await, ["aws-use", "gcp-use"]);
    let pin = json!({ "action": "pin", "target": "service:www", "pool": "eu", "reason": "x" });
    let pin = house.post(As::Admin, "/v1/overrides", &pin).await.expect(201).json();
    assert_eq!(answered(&house, "www").await, ["aws-euw", "gcp-euw"]);
    let id = |one: &Value| one["id"].as_str().unwrap().to_owned();
    assert_eq!(list(&house, "").await, [id(&planned), id(&pin)]);
    assert_eq!(list(&house, "?state=planned").await, [id(&planned)]);
    assert_eq!(list(&house, "?action=pin").await, [id(&pin)]);
    assert_eq!(list(&house, "?by=token:admin").await, [id(&pin)]);
    assert_eq!(list(&house, "?target=provider:*").await, [id(&planned)]);
    assert_eq!(list(&house, "?state=ended").await, [""; 0]);
    let tag = house.get("/v1/overrides").await.header("etag").to_owned();
    assert_eq!(tag, format!("\"ov-{}\"", house.generation().await));
    let stale = ["content-type: application/json", "if-match: \"ov-0\""];
    let answer = house.ask(As::Operator, "POST /v1/overrides", &stale, drain_aws().to_string()).await.expect(412);
    assert_eq!(answer.header("etag"), tag);
}

#[tokio::test]
async fn nothing_is_ordered_for_the_past() {
    let house = House::new().await;
    let ago = |span: &str| Wall(now().0 - crate::model::ms(span.parse::<Span>().unwrap().0)).to_string();
    let mut order = drain_aws();
    order["from"] = json!(ago("2h"));
    let refused = house.post(As::Operator, "/v1/overrides?dry_run=true", &order).await.expect(422).json();
    assert_eq!((&refused["code"], &refused["errors"][0]["pointer"]), (&json!("override.life"), &json!("/from")));
    assert!(refused["detail"].as_str().unwrap().contains("it would have begun 2h ago"), "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("leave `from` out"), "{refused}");
    house.post(As::Operator, "/v1/overrides", &order).await.expect(422);
    // Clocks differ, and a request takes its time.
    order["from"] = json!(ago("10s"));
    order["over"] = json!("5m");
    let effect = house.post(As::Operator, "/v1/overrides?dry_run=true", &order).await.expect(200).json();
    assert_eq!(effect["over"], json!("5m"), "{effect}");
    let made = house.post(As::Operator, "/v1/overrides", &order).await.expect(201).json();
    assert_eq!((&made["state"], &made["over"]), (&json!("active"), &json!("5m")));
    let endpoint = house.get("/v1/endpoints/aws-use").await.expect(200).json();
    assert_eq!(endpoint["order"]["since"], made["from"], "{endpoint}");
}

#[tokio::test]
async fn every_reason_that_the_audit_keeps_is_one_readable_line() {
    let house = House::new().await;
    let made = house.post(As::Admin, "/v1/overrides", &drain_aws()).await.expect(201).json();
    let path = format!("/v1/overrides/{}", made["id"].as_str().unwrap());
    for bad in ["\u{1b}[2Jgone", "two\nlines", "\u{202e}tidua", "\u{200b}", "\u{e0041}", &"x".repeat(2000)] {
        let mut order = drain_aws();
        order["reason"] = bad.into();
        house.post(As::Admin, "/v1/overrides", &order).await.expect(422);
        let json = "content-type: application/json";
        let more = json!({ "for": "+1m", "reason": bad }).to_string();
        house.ask(As::Admin, &format!("PATCH {path}"), &[json], more).await.expect(422);
        let escaped: String = bad.bytes().map(|octet| format!("%{octet:02x}")).collect();
        house.ask(As::Admin, &format!("DELETE {path}?reason={escaped}"), &[], "").await.expect(422);
    }
    house
        .ask(As::Admin, &format!("DELETE {path}?reason=over%20now%20%F0%9F%91%A9%E2%80%8D%F0%9F%9A%92"), &[], "")
        .await
        .expect(204);
}

#[tokio::test]
async fn who_may_not_force_does_not_carry_on_what_was_forced() {
    let house = House::new().await;
    let all = |force: bool| json!({ "action": "down", "target": "all", "for": "1h", "reason": "x", "force": force });
    house.post(As::Admin, "/v1/overrides", &all(false)).await.expect(409);
    let made = house.post(As::Admin, "/v1/overrides", &all(true)).await.expect(201).json();
    let line = format!("PATCH /v1/overrides/{}", made["id"].as_str().unwrap());
    let ask = |who| house.ask(who, &line, &["content-type: application/json"], r#"{"for":"+1h"}"#);
    ask(As::Operator).await.expect(409);
    ask(As::Admin).await.expect(200);
}
