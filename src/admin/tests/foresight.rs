//! Plans, tests, simulations, explanations for somebody and of earlier.

use serde_json::{Value, json};

use super::{As, CONFIG, House, drain_aws};
use crate::{
    config::load_text,
    control::Input,
    steer::outlook::{self},
};

async fn plan(house: &House, text: &str) -> Value {
    house.ask(As::Operator, "POST /v1/config/plan", &[], text.to_owned()).await.expect(200).json()
}

#[tokio::test]
async fn a_plan_lists_every_name_a_shared_pool_touches_and_nothing_else() {
    let house = House::new().await;
    let same = plan(&house, CONFIG).await;
    assert_eq!(
        (&same["changed"], &same["answers_total"], &same["guard"]["ok"]),
        (&json!(false), &json!(0), &json!(true))
    );
    let weights = CONFIG.replace("aws-euw = 70", "aws-euw = 10");
    let shown = plan(&house, &weights).await;
    // www answers from us: its pool eu is not in force.
    let names: Vec<&Value> = shown["answers"].as_array().unwrap().iter().map(|one| &one["names"]).collect();
    assert_eq!(names, [&json!(["api.gslb.example.com."])]);
    assert_eq!(shown["answers"][0]["from"]["text"], "eu aws-euw 70 %, gcp-euw 30 %");
    assert_eq!(shown["answers"][0]["to"]["text"], "eu aws-euw 25 %, gcp-euw 75 %");
    assert_eq!(shown["changes"], json!([{ "how": "changed", "kind": "pool", "id": "eu" }]));
    let shared = CONFIG.replace("pools = [\"us\", \"eu\"]", "pools = [\"eu\", \"us\"]");
    let names = plan(&house, &shared).await["answers"][0]["names"].clone();
    assert_eq!(names, json!(["www.gslb.example.com."]));
    let gone = CONFIG.replace("gslb.example.com", "gslb.example.net");
    let guard = plan(&house, &gone).await["guard"].clone();
    assert_eq!(guard["ok"], false);
    assert!(guard.to_string().contains("it removes the zone gslb.example.com."), "{guard}");
    house.ask(As::Viewer, "POST /v1/config/plan", &[], CONFIG).await.expect(403);
    let bad = house.ask(As::Operator, "POST /v1/config/plan", &[], "nonsense = 1").await.expect(422).json();
    assert_eq!(bad["code"], "config.refused");
    let sealed = format!("include = [\"/etc/passwd\"]\n{CONFIG}");
    house.ask(As::Operator, "POST /v1/config/plan", &[], sealed).await.expect(422);
}

#[tokio::test]
async fn tests_of_a_configuration_run_sealed() {
    let house = House::new().await;
    let test = |expect: &str| {
        format!(
            "{CONFIG}\n[[test]]\nname = \"x\"\ndown = [\"region:us\"]\nquery = \"www.gslb.example.com A\"\nexpect = [{expect}]\n"
        )
    };
    let good = house.ask(As::Operator, "POST /v1/config/test", &[], test("\"eu\"")).await.expect(200).json();
    assert_eq!((&good["ok"], &good["cases"][0]["ok"]), (&json!(true), &json!(true)));
    let bad = house.ask(As::Operator, "POST /v1/config/test", &[], test("\"us\"")).await.expect(200).json();
    assert_eq!(bad["ok"], false);
    assert!(bad["cases"][0]["wrong"].to_string().contains("us is expected and not answered"), "{bad}");
    assert_eq!(plan(&house, &test("\"us\"")).await["tests_failed"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_simulation_shows_now_and_then_and_does_nothing() {
    let house = House::new().await;
    let simulate = async |body: Value| house.post(As::Viewer, "/v1/simulations", &body).await;
    let down = simulate(json!({ "down": ["provider:aws"] })).await.expect(200).json();
    let texts: Vec<(&str, &str)> = down["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["from"]["text"].as_str().unwrap(), one["to"]["text"].as_str().unwrap()))
        .collect();
    assert_eq!(
        texts,
        [
            ("eu aws-euw 70 %, gcp-euw 30 %", "eu gcp-euw"),
            ("us aws-use, gcp-use", "us gcp-use"),
            ("us aws-use", "us aws-use (serve-all)")
        ]
    );
    assert_eq!((&down["unanswered_total"], &down["unhealthy_total"]), (&json!(0), &json!(1)));
    assert_eq!(down["rules"][0], json!({ "name": "one-cloud", "holds": true, "left": ["provider:gcp"] }));
    assert!(down["warnings"].to_string().contains("pool us: one endpoint left"), "{down}");
    let both = simulate(json!({ "down": ["provider:aws"], "drain": ["provider:gcp"] })).await.expect(200).json();
    assert_eq!((&both["safety"]["ok"], &both["rules"][0]["holds"]), (&json!(false), &json!(false)));
    let pin = json!({ "overrides": [{ "action": "pin", "target": "service:www", "pool": "eu" }] });
    assert_eq!(simulate(pin).await.expect(200).json()["names_total"], 1);
    simulate(json!({ "down": ["provider:azure"] })).await.expect(422);
    simulate(json!({ "dwon": ["all"] })).await.expect(400);
    simulate(json!({ "config": CONFIG })).await.expect(403);
    let other = json!({ "config": CONFIG.replace("aws-euw = 70", "aws-euw = 10"), "down": ["region:us"] });
    let other = house.post(As::Operator, "/v1/simulations", &other).await.expect(200).json();
    assert_eq!(other["answers"][1]["to"]["text"], "eu aws-euw 25 %, gcp-euw 75 %", "{other}");
    assert_eq!(house.generation().await, 0);
}

#[tokio::test]
async fn an_explanation_is_for_somebody_and_of_some_time() {
    let house = House::new().await;
    let told = house.get("/v1/explain?name=www.gslb.example.com&client=198.51.100.7").await.expect(200).json();
    let scope = told["steps"].as_array().unwrap().iter().find(|step| step["step"] == "scope").unwrap();
    assert_eq!(
        (&scope["subject"], &scope["result"]),
        (&json!("198.51.100.7"), &json!("nothing of its address decided"))
    );
    house.get("/v1/explain?name=www.gslb.example.com&geo=EU-DE").await.expect(200);
    for bad in ["client=EU", "geo=Germany", "client=192.0.2.1&geo=EU", "at=yesterday", "at=2099-01-01T00:00:00Z"] {
        house.get(&format!("/v1/explain?name=www.gslb.example.com&{bad}")).await.expect(400);
    }
    let before = house.handles.snapshot.borrow().at.wall;
    house.post(As::Operator, "/v1/overrides", &drain_aws()).await.expect(201);
    let at = format!("/v1/explain?name=www.gslb.example.com&at={before}");
    let past = house.get(&at).await.expect(200).json();
    assert_eq!(past["steps"][0]["step"], "at", "{past}");
    assert!(!past["steps"].to_string().contains("drain by"), "it was not drained then: {past}");
}

#[tokio::test]
async fn a_load_is_pushed_where_it_is_asked_for() {
    let mut house = House::new().await;
    let json = ["content-type: application/json"];
    let put = async |house: &House, who, id: &str, body: &str| {
        house.ask(who, &format!("PUT /v1/endpoints/{id}/load"), &json, body.to_owned()).await
    };
    put(&house, As::Operator, "gcp-use", r#"{"load": 3}"#).await.expect(409);
    put(&house, As::Operator, "none", r#"{"load": 3}"#).await.expect(404);
    put(&house, As::Viewer, "gcp-use", r#"{"load": 3}"#).await.expect(403);
    put(&house, As::Aws, "gcp-use", r#"{"load": 3}"#).await.expect(403);
    assert!(house.pushed.try_recv().is_err());
    let pushed = CONFIG.replace("weight = 1", "").replace(
        "address = \"198.51.100.10\"",
        "address = \"198.51.100.10\", load = { push = true, stale_after = \"30s\" }",
    );
    let fleet = load_text("t.toml", &pushed, &|_| None).unwrap().fleet;
    let snapshot = outlook::hypothesis::carried(&house.handles.snapshot.borrow(), &fleet);
    let (_kept, seen) = tokio::sync::watch::channel(std::sync::Arc::new(snapshot));
    house.handles.snapshot = seen;
    house.router = super::routes::router(&house.handles, &Default::default());
    put(&house, As::Operator, "gcp-use", r#"{"load": 3.5}"#).await.expect(204);
    put(&house, As::Operator, "gcp-use", r#"{"load": -1}"#).await.expect(422);
    put(&house, As::Operator, "gcp-use", r#"{"laod": 1}"#).await.expect(400);
    let Ok(Input::Load { endpoint, load, .. }) = house.pushed.try_recv() else { panic!("no load") };
    assert_eq!((endpoint.as_str(), load.0), ("gcp-use", 3.5));
}

#[tokio::test]
async fn a_drain_may_go_in_steps() {
    let house = House::new().await;
    let mut drain = drain_aws();
    drain["over"] = json!("10m");
    let made = house.post(As::Operator, "/v1/overrides", &drain).await.expect(201).json();
    assert_eq!(made["over"], "10m");
    drain["over"] = json!("3h");
    assert_eq!(house.post(As::Operator, "/v1/overrides", &drain).await.expect(422).json()["code"], "override.over");
    let mut down = drain_aws();
    (down["action"], down["over"], down["target"]) = (json!("up"), json!("1m"), json!("endpoint:aws-use"));
    house.post(As::Operator, "/v1/overrides", &down).await.expect(422);
}
