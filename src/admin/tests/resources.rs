//! What each resource says.

use serde_json::{Value, json};

use super::{As, House, drain_aws, now};
use crate::admin::NotReloaded;
use crate::{
    admin::{
        Reloaded,
        views::{EndpointView, ServiceView, StatusView},
    },
    config::load_text,
    model::{Event, Happening},
};

#[tokio::test]
async fn status_has_it_all_in_one() {
    let house = House::new().await;
    let answer = house.get("/v1/status").await.expect(200);
    let status: StatusView = serde_json::from_value(answer.json()).unwrap();
    assert_eq!((status.counts.endpoints.total, status.counts.endpoints.up), (4, 4));
    assert_eq!((status.services.len(), status.troubles.len(), status.overrides.len()), (2, 0, 0));
    assert_eq!(answer.header("wayshift-generation"), status.node.generation.to_string());
    house.post(As::Operator, "/v1/overrides", &drain_aws()).await.expect(201);
    let status: StatusView = serde_json::from_value(house.get("/v1/status").await.expect(200).json()).unwrap();
    assert_eq!(status.overrides.len(), 1);
    assert_eq!(status.counts.endpoints.ordered_out, 2);
    assert_eq!(status.troubles.len(), 2, "what is ordered out is shown");
}

#[tokio::test]
async fn a_service_shows_what_it_answers() {
    let house = House::new().await;
    let answer = house.get("/v1/services/www").await.expect(200);
    let www: ServiceView = serde_json::from_value(answer.json()).unwrap();
    assert_eq!(answer.json()["verdict"], "up");
    assert_eq!(answer.json()["ttl"], "30s");
    let kinds: Vec<_> = www.answers.iter().map(|one| (one.kind.as_str(), one.basis.as_str())).collect();
    assert_eq!(kinds, [("A", "healthy"), ("AAAA", "healthy")]);
    assert_eq!(
        www.pools.iter().map(|arm| (arm.active, arm.up, arm.of)).collect::<Vec<_>>(),
        [(true, 2, 2), (false, 2, 2)]
    );
    let up = house.get("/v1/services/www/up").await.expect(200);
    assert_eq!((up.text.as_str(), up.header("content-type").starts_with("text/plain")), ("up\n", true));
    let down = json!({ "action": "down", "target": "endpoint:gcp-use", "reason": "x" });
    house.post(As::Admin, "/v1/overrides", &down).await.expect(201);
    assert_eq!(house.get("/v1/services/www/up").await.expect(429).text, "degraded\n");
    let all = json!({ "action": "down", "target": "all", "reason": "x", "force": true });
    house.post(As::Admin, "/v1/overrides", &all).await.expect(201);
    assert_eq!(house.get("/v1/services/www/up").await.expect(503).text, "down\n");
}

#[tokio::test]
async fn the_inventory_is_linked_and_hides_secrets() {
    let house = House::new().await;
    let endpoint = house.get("/v1/endpoints/aws-use").await.expect(200).json();
    let view: EndpointView = serde_json::from_value(endpoint.clone()).unwrap();
    assert_eq!(view.targets.len(), 2);
    assert_eq!(endpoint["addresses"], json!(["203.0.113.10", "2001:db8::10"]));
    assert_eq!((&endpoint["pools"], &endpoint["services"]), (&json!(["us"]), &json!(["www"])));
    assert_eq!(endpoint["targets"][0]["last"]["phases"]["total_ms"], 1.5);
    let pool = house.get("/v1/pools/eu").await.expect(200).json();
    assert_eq!((&pool["answer"], &pool["services"]), (&json!("weighted"), &json!(["www", "api"])));
    let check = house.get("/v1/checks/web").await.expect(200);
    assert_eq!((&check.json()["kind"], &check.json()["endpoints"]), (&json!("http"), &json!(4)));
    assert_eq!(house.get("/v1/providers/aws").await.expect(200).json()["endpoints"]["total"], 2);
    assert_eq!(house.get("/v1/regions/us").await.expect(200).json()["at"], json!([38.9, -77.0]));
    let results = house.get("/v1/endpoints/aws-use/results?limit=1").await.expect(200).json();
    assert_eq!(results["items"].as_array().unwrap().len(), 1);
    let config = house.get("/v1/config").await.expect(200);
    assert!(config.json()["toml"].as_str().unwrap().parse::<toml::Table>().is_ok());
    for path in ["/v1/checks", "/v1/checks/web", "/v1/config", "/v1/status"] {
        assert!(!house.get(path).await.text.contains("very-secret"), "{path}");
    }
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let house = House::new().await;
    let ids = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    for (query, expected) in [
        ("", vec!["aws-euw", "aws-use", "gcp-euw", "gcp-use"]),
        ("?provider=aws&region=e*", vec!["aws-euw"]),
        ("?id=*-use", vec!["aws-use", "gcp-use"]),
        ("?label=tier=g*", vec!["aws-euw"]),
        ("?pool=eu", vec!["aws-euw", "gcp-euw"]),
        ("?service=api", vec!["aws-euw", "gcp-euw"]),
        ("?verdict=down,unknown", vec![]),
    ] {
        let page = house.get(&format!("/v1/endpoints{query}")).await.expect(200).json();
        assert_eq!(ids(&page), expected, "{query}");
    }
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = house.get(&format!("/v1/endpoints?limit=3{cursor}")).await.expect(200).json();
        found.extend(ids(&page));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ["aws-euw", "aws-use", "gcp-euw", "gcp-use"]);
    assert_eq!(ids(&house.get("/v1/services?pool=us").await.expect(200).json()), ["www"]);
    assert_eq!(ids(&house.get("/v1/pools?service=api").await.expect(200).json()), ["eu"]);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let house = House::new().await;
    let first = house.get("/v1/pools/eu").await.expect(200);
    let tag = first.header("etag").to_owned();
    let again = house.ask(As::Viewer, "GET /v1/pools/eu", &[&format!("if-none-match: {tag}")], "").await.expect(304);
    assert_eq!((again.text.as_str(), again.header("etag")), ("", tag.as_str()));
    house.ask(As::Viewer, "GET /v1/pools/eu", &["if-none-match: \"other\""], "").await.expect(200);
}

#[tokio::test]
async fn an_explanation_names_each_step() {
    let house = House::new().await;
    let drain = json!({ "action": "drain", "target": "pool:us", "reason": "x" });
    let id = house.post(As::Operator, "/v1/overrides", &drain).await.expect(201).json()["id"].clone();
    let explain = house.get("/v1/explain?name=WWW.gslb.example.com&client=192.0.2.1").await.expect(200).json();
    assert_eq!(
        (&explain["service"], &explain["rcode"], &explain["ttl"]),
        (&json!("www"), &json!("NOERROR"), &json!(30))
    );
    let steps: Vec<_> =
        explain["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["name", "rule", "override", "pool", "pool", "kept", "pick", "scope"]);
    assert_eq!(explain["steps"][2]["subject"], id);
    assert_eq!(explain["steps"][3]["data"]["state"], "closed");
    assert!(["203.0.113.20", "198.51.100.20"].contains(&explain["answer"][0].as_str().unwrap()));
    for (query, rcode, answers) in [
        ("name=nope.gslb.example.com", "NXDOMAIN", 0),
        ("name=www.example.org", "REFUSED", 0),
        ("name=gslb.example.com&type=NS", "NOERROR", 1),
        ("name=gslb.example.com&type=TXT", "NOERROR", 0),
    ] {
        let explain = house.get(&format!("/v1/explain?{query}")).await.expect(200).json();
        assert_eq!(
            (explain["rcode"].as_str(), explain["answer"].as_array().map(Vec::len)),
            (Some(rcode), Some(answers)),
            "{query}"
        );
    }
}

#[tokio::test]
async fn history_goes_back_in_pages() {
    let house = House::new().await;
    for problems in 0..5 {
        house.handles.journal.append(vec![Event {
            at: now(),
            generation: 1,
            what: Happening::ReloadRefused { problems },
        }]);
    }
    let page = house.get("/v1/events?kind=config&limit=3").await.expect(200).json();
    let problems = |page: &Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|one| one["problems"].as_u64().unwrap()).collect()
    };
    assert_eq!(problems(&page), [4, 3, 2]);
    let next = page["next"].as_str().unwrap();
    let page = house.get(&format!("/v1/events?kind=config.refused&limit=3&cursor={next}")).await.expect(200).json();
    assert_eq!(problems(&page), [1, 0]);
    assert_eq!(page["items"][0]["kind"], "config.refused");
    assert!(page["items"][0]["text"].as_str().unwrap().contains("nothing changed"));
}

#[tokio::test]
async fn metrics_are_complete_and_bounded() {
    let house = House::new().await;
    house.post(As::Operator, "/v1/overrides", &drain_aws()).await.expect(201);
    let metrics = house.get("/metrics").await.expect(200);
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    for line in [
        "wayshift_endpoint_up{endpoint=\"aws-use\",provider=\"aws\",region=\"us\"} 1\n",
        "wayshift_endpoint_state{endpoint=\"aws-use\",state=\"down\"} 0\n",
        "wayshift_pool_endpoints{pool=\"eu\"} 2\n",
        "wayshift_pool_healthy_endpoints{pool=\"eu\"} 1\n",
        "wayshift_service_up{service=\"www\"} 1\n",
        "wayshift_service_active_pool{service=\"www\",pool=\"us\"} 1\n",
        "wayshift_overrides_active{action=\"drain\"} 1\n",
        "wayshift_http_requests_total{route=\"/v1/overrides\",method=\"POST\",code=\"201\"} 1\n",
    ] {
        assert!(metrics.text.contains(line), "{line}{}", metrics.text);
    }
    assert!(metrics.text.ends_with("# EOF\n"));
    house.get("/v1/services/secret-path-0815").await.expect(404);
    assert!(!house.get("/metrics").await.text.contains("0815"), "a client chooses no label");
}

#[tokio::test]
async fn a_configuration_is_judged_sealed() {
    let house = House::new().await;
    let judge = |text: &'static str| house.ask(As::Operator, "POST /v1/config/validate", &[], text);
    let good = judge(super::CONFIG).await.expect(200).json();
    assert_eq!(good["ok"], true, "{good}");
    let bad = judge("include = [\"/etc/passwd\"]\n[nonsense]\n").await.expect(200).json();
    assert_eq!(bad["ok"], false);
    assert!(bad["problems"].as_array().unwrap().iter().any(|one| one["severity"] == "error"));
    assert!(!bad.to_string().contains("root:"));
    house.ask(As::Operator, "POST /v1/config/validate", &[], vec![0xff, 0xfe]).await.expect(400);
}

#[tokio::test]
async fn a_reload_tells_what_changed_or_what_is_wrong() {
    let mut house = House::new().await;
    let before = std::sync::Arc::clone(&house.handles.config.borrow());
    let text = super::CONFIG.replace("gcp-euw = { p", "new-euw = { p").replace("gcp-euw = 30", "new-euw = 30");
    let after = std::sync::Arc::new(load_text("wayshift.toml", &text, &|_| None).unwrap());
    let problems = load_text("wayshift.toml", "[nonsense]", &|_| None).unwrap_err();
    let mut asked = std::mem::replace(&mut house.reloads, tokio::sync::mpsc::channel(1).1);
    let node = async {
        let done = Reloaded { before, after, restart: vec!["dns.listen".into()] };
        asked.recv().await.unwrap().reply.send(Ok(done)).unwrap();
        asked.recv().await.unwrap().reply.send(Err(NotReloaded::Problems(problems))).unwrap();
    };
    let client = async {
        let done = house.ask(As::Admin, "POST /v1/config/reload", &[], "").await.expect(200).json();
        let refused = house.ask(As::Admin, "POST /v1/config/reload", &[], "").await.expect(422).json();
        (done, refused)
    };
    let ((), (done, refused)) = tokio::join!(node, client);
    assert_eq!(done["changed"], true);
    let changes: Vec<String> = done["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {}.{}",
                one["how"].as_str().unwrap(),
                one["kind"].as_str().unwrap(),
                one["id"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(changes, ["added endpoint.new-euw", "removed endpoint.gcp-euw", "changed pool.eu"]);
    assert!(done["warnings"].to_string().contains("dns.listen needs a restart"));
    assert_eq!(refused["code"], "config.refused");
    assert!(!refused["problems"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_probe_now_waits_for_its_results() {
    let mut house = House::new().await;
    let mut probes = std::mem::replace(&mut house.probes, tokio::sync::mpsc::channel(1).1);
    let seen = house.handles.recent.of(&"gcp-use".parse().unwrap(), 1);
    let node = async {
        let request = probes.recv().await.unwrap();
        assert_eq!(request.endpoint.as_str(), "gcp-use");
        request.reply.send(seen.iter().map(|one| (**one).clone()).collect()).unwrap();
        drop(probes.recv().await.unwrap());
    };
    let client = async {
        let results = house.ask(As::Operator, "POST /v1/endpoints/gcp-use/probe", &[], "").await.expect(200).json();
        assert_eq!((&results["items"][0]["outcome"], &results["items"][0]["status"]), (&json!("pass"), &json!(200)));
        house.ask(As::Operator, "POST /v1/endpoints/gcp-use/probe", &[], "").await.expect(503);
    };
    tokio::join!(node, client);
    let audit = house.ask(As::Admin, "GET /v1/audit", &[], "").await.expect(200).json();
    assert_eq!(
        (&audit["items"][0]["action"], &audit["items"][0]["actor"]),
        (&json!("endpoint.probe"), &json!("token:operator"))
    );
}

#[tokio::test]
async fn availability_is_measured_from_transitions_and_modelled_beside() {
    let house = House::new().await;
    let view = house.get("/v1/availability?window=1d").await.expect(200).json();
    assert_eq!((&view["window"], view["services"].as_array().unwrap().len()), (&json!("1d"), 2), "{view}");
    let www = view["services"].as_array().unwrap().iter().find(|one| one["id"] == "www").unwrap();
    assert_eq!(
        (&www["availability"], &www["outages"], &www["model"]["assumed"]),
        (&json!(1.0), &json!(0), &json!(true))
    );
    assert_eq!(www["model"]["what_if"].as_array().unwrap().len(), 4);
    let sum = www["model"]["arithmetic"].as_str().unwrap().rsplit_once(" TTL: ").unwrap().1;
    assert_eq!(www["model"]["failover_worst"], *sum, "the worst is what its arithmetic comes to");
    assert_eq!(view["too_short"], true, "a house of a moment: {view}");
    assert!(view["measured"].as_str().unwrap().parse::<crate::model::Span>().unwrap().0.as_secs() < 86_400);
    assert_eq!(view["endpoints"].as_array().unwrap().len(), 4);
    for bad in ["0s", "500d", "x", "10"] {
        house.get(&format!("/v1/availability?window={bad}")).await.expect(400);
    }
}
