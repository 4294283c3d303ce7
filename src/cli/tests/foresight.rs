//! Plans, simulations, held reloads, and what waits for a person.

use serde_json::{Value, json};

use super::{
    Exit,
    double::{Double, Seen},
    go, made,
};

#[tokio::test]
async fn a_plan_that_changes_something_is_3() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "# a configuration").unwrap();
    let line = format!("plan {}", file.path().display());
    for (changed, exit) in [(true, Exit::NotUp), (false, Exit::Done)] {
        let body = json!({"changed": changed, "plan": "5f0e", "guard": {"ok": true}, "names_total": 1});
        let double = Double::new(move |_, _| (200, body.to_string())).await;
        assert_eq!(go(&line, &double, None).await.0, exit, "{changed}");
        let seen = double.seen();
        assert_eq!((seen[0].line.as_str(), seen[0].body.as_str()), ("POST /v1/config/plan", "# a configuration"));
    }
}

#[tokio::test]
async fn a_reload_that_is_held_shows_its_plan_and_is_6() {
    let plan = json!({"changed": true, "plan": "5f0e", "names_total": 2, "changes": [
        {"how": "removed", "kind": "zone", "id": "gslb.example.com."}],
        "guard": {"ok": false, "exceeded": ["it removes the zone gslb.example.com."]}});
    let body = json!({"status": 409, "code": "config.guard", "detail": "nothing changed", "plan": plan});
    let double = Double::new(move |_, _| (409, body.to_string())).await;
    let (exit, _, messages) = go("reload", &double, None).await;
    assert_eq!(exit, Exit::Refused, "{messages}");
    assert!(messages.contains("- zone gslb.example.com.") && messages.contains("reload --accept 5f0e"), "{messages}");
    go("reload --accept 5f0e", &double, None).await;
    go("reload --previous", &double, None).await;
    assert_eq!(double.lines()[1..], ["POST /v1/config/reload?accept=5f0e", "POST /v1/config/reload?previous=true"]);
}

#[tokio::test]
async fn a_staged_reload_that_is_ended_is_waited_for() {
    let double = Double::new(|seen, before| match seen.line.as_str() {
        "DELETE /v1/config/rollout?reason=INC-7" => {
            let why = "ended by uid:0: INC-7";
            (200, json!({"id": "1", "stage": "rolled-back", "over": true, "config": "c2", "why": why}).to_string())
        }
        "DELETE /v1/config/rollout" => (409, json!({"status": 409, "detail": "no staged reload"}).to_string()),
        "GET /v1/nodes" => {
            let config = if before < 3 { "c2" } else { "c1" };
            let gone = json!({"id": "ap-1", "config": "c2", "agreement": "unheard"});
            (200, json!({"items": [{"id": "eu-1", "config": config, "agreement": "agrees"}, gone]}).to_string())
        }
        other => panic!("{other}"),
    })
    .await;
    let (exit, out, messages) = go("reload --abort --reason INC-7", &double, None).await;
    assert_eq!((exit, out.as_str()), (Exit::Done, "configuration c2: rolled-back: ended by uid:0: INC-7\n"));
    assert!(messages.contains("in force on every node"), "{messages}");
    assert_eq!(double.lines().len(), 4, "until the one that is heard has gone back");
    let (exit, _, messages) = go("reload --abort --no-wait", &double, None).await;
    assert!(exit == Exit::Failed && messages.contains("no staged reload"), "{exit:?} {messages}");
}

#[tokio::test]
async fn a_simulation_sends_what_it_supposes() {
    let double = Double::new(|_, _| (200, json!({"changed": false, "safety": {"ok": true}}).to_string())).await;
    let (exit, out, _) = go("simulate --down provider:aws --drain pool:eu", &double, None).await;
    assert_eq!((exit, out.as_str()), (Exit::Done, "no answer changes\nsafety: 0 names unanswered.\n"));
    let body: Value = serde_json::from_str(&double.seen()[0].body).unwrap();
    assert_eq!(body, json!({"down": ["provider:aws"], "drain": ["pool:eu"]}));
    assert_eq!(go("simulate", &double, None).await.0, Exit::Usage);
}

#[tokio::test]
async fn restore_lets_in_what_waits_for_a_person() {
    let double = Double::new(|seen, _| match seen.line.as_str() {
        "GET /v1/overrides?limit=1000" | "GET /v1/pools?limit=1000" => (200, json!({"items": []}).to_string()),
        "GET /v1/endpoints?limit=1000" => {
            let held = json!({"id": "aws-use", "provider": "aws", "targets": [{"hold": "resume"}]});
            let other = json!({"id": "aws-euw", "provider": "aws", "targets": [{"hold": "budget"}]});
            (200, json!({"items": [held, other]}).to_string())
        }
        "POST /v1/overrides" => (201, made("ov_1", "endpoint:aws-use").to_string()),
        other => panic!("{other}"),
    })
    .await;
    let (exit, _, messages) = go("restore provider:aws --yes", &double, None).await;
    assert_eq!(exit, Exit::Done, "{messages}");
    let posted: Vec<Seen> = double.seen().into_iter().filter(|seen| seen.line.starts_with("POST")).collect();
    assert_eq!(posted.len(), 1);
    let body: Value = serde_json::from_str(&posted[0].body).unwrap();
    assert_eq!(body, json!({"action": "up", "target": "endpoint:aws-use", "for": "1m", "reason": "restore"}));
    assert!(messages.contains("aws-use is let in again"), "{messages}");
}
