//! `simulate`: what would be answered if things failed or were drained, or another file were in effect.

use serde_json::{Value, json};

use super::{
    super::{
        args::foresight::SimulateArgs,
        client::{Ask, Client},
        ending::{Exit, Failure},
        screen::{Screen, paint::Paint, safe},
        status::counted,
    },
    answers, text,
    wire::Simulation,
};

/// Names of one list that are shown; the rest is counted.
const NAMES_SHOWN_MAX: usize = 20;

/// Asks and shows.
pub(in crate::cli) async fn run(args: &SimulateArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    if args.down.is_empty() && args.drain.is_empty() && args.config.is_none() {
        return Err(Failure::usage("nothing to simulate").hint("say what fails: wayshift simulate --down provider:aws"));
    }
    let selectors =
        |all: &[crate::model::Selector]| -> Vec<Value> { all.iter().map(|one| one.to_string().into()).collect() };
    let mut body = json!({ "down": selectors(&args.down), "drain": selectors(&args.drain) });
    if args.config.is_some() {
        body["config"] = text(args.config.as_deref())?.into();
    }
    let reply = client.send(Ask::post(&["v1", "simulations"], Some(body))).await?;
    let simulation: Simulation = reply.parsed()?;
    screen.show(&reply.body, |paint| Ok(page(&simulation, paint)), || Ok(answers(&simulation.answers)))?;
    Ok(Exit::Done)
}

/// The answers of now and then, what is left, and what the safety rules say.
fn page(simulation: &Simulation, paint: Paint) -> String {
    let mut page = String::new();
    if simulation.answers.is_empty() {
        page.push_str("no answer changes\n");
    } else {
        page.push_str(&answers(&simulation.answers).aligned(paint));
        let more = simulation.answers_total.saturating_sub(simulation.answers.len());
        if 0 < more {
            page.push_str(&format!("and {more} more\n"));
        }
        page.push_str(&format!("{} answered differently\n", counted(simulation.names_total, "name")));
    }
    for warning in &simulation.warnings {
        page.push_str(&format!("warning: {}\n", safe::cell(warning)));
    }
    page.push_str(&named("answered though nothing of them works", &simulation.unhealthy, simulation.unhealthy_total));
    page.push_str(&named("unanswered", &simulation.unanswered, simulation.unanswered_total));
    let rules = simulation.rules.iter().map(|rule| {
        let left = if rule.left.is_empty() { "nothing".to_owned() } else { safe::cell(&rule.left.join(", ")) };
        let how = if rule.holds { "holds".to_owned() } else { format!("is broken, with {left} left") };
        format!("rule {} {how}", safe::cell(&rule.name))
    });
    let refused = simulation.safety.refused.iter().map(|one| format!("refused: {}", safe::cell(&one.detail)));
    let mut safety: Vec<String> = refused.chain(rules).collect();
    safety.push(format!("{} unanswered", counted(simulation.unanswered_total, "name")));
    page.push_str(&format!("safety: {}.\n", safety.join(". ")));
    page
}

fn named(what: &str, names: &[String], total: usize) -> String {
    if names.is_empty() {
        return String::new();
    }
    let shown: Vec<String> =
        names.iter().take(NAMES_SHOWN_MAX).map(|name| safe::cell(name.trim_end_matches('.'))).collect();
    let more = total.saturating_sub(shown.len());
    let more = if 0 < more { format!(" and {more} more") } else { String::new() };
    format!("{what}: {}{more}\n", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulation_reads_as_now_and_then() {
        let simulation: Simulation = serde_json::from_str(
            r#"{"changed":true,"answers":[
              {"service":"www","type":"A","names":["www.gslb.example.com."],"names_total":1,"clients":["NA"],"everyone":false,
               "from":{"text":"us aws-use, gcp-use","basis":"healthy","ttl":30},"to":{"text":"us gcp-use","basis":"healthy","ttl":30}},
              {"service":"www","type":"A","names":["www.gslb.example.com."],"names_total":1,"clients":["EU"],"everyone":false,
               "from":{"text":"eu a 60 %, b 40 %","basis":"healthy","ttl":30}}],
            "answers_total":2,"names_total":1,"unanswered":["www.gslb.example.com."],"unanswered_total":1,"unhealthy":[],
            "unhealthy_total":0,"safety":{"ok":true},"rules":[{"name":"one-cloud","holds":true,"left":["provider:gcp"]}],
            "warnings":["pool us: one endpoint\u001b[2J left"],"new":1}"#,
        )
        .unwrap();
        assert_eq!(
            page(&simulation, Paint(false)),
            "\
NAME                  TYPE  CLIENTS  NOW                  THEN
www.gslb.example.com  A     NA       us aws-use, gcp-use  us gcp-use
www.gslb.example.com  A     EU       eu a 60 %, b 40 %    nothing
1 name answered differently
warning: pool us: one endpoint\\u{1b}[2J left
unanswered: www.gslb.example.com
safety: rule one-cloud holds. 1 name unanswered.
"
        );
    }
}
