//! What an order would do: shown before it is given, and all that `--dry-run` does.

use serde_json::Value;

use super::super::{
    args::{Format, traffic::OrderArgs},
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table},
    status::counted,
    times,
    wire::Effect,
};
use super::{Draft, OVERRIDES};
use crate::{clock::Clock, model::Wall};

/// Most changed answers that are listed before a question; the rest is counted.
const CHANGES_SHOWN_MAX: usize = 20;

/// What the preview found.
pub(super) struct Seen {
    /// What may be done.
    pub(super) drafts: Vec<Draft>,
    /// The versions they were decided on.
    pub(super) etags: Vec<Option<String>>,
    /// What a rule refuses and was asked to be left out.
    pub(super) left_out: Vec<String>,
    /// Refused, or free to go on.
    pub(super) exit: Exit,
}

/// Asks the node for the effect of each, and shows it: as data for a dry run, else as a message before the question.
pub(super) async fn look(
    drafts: Vec<Draft>,
    order: &OrderArgs,
    client: &Client,
    screen: &mut Screen,
) -> Result<Seen, Failure> {
    let mut seen = Seen { drafts: Vec::new(), etags: Vec::new(), left_out: Vec::new(), exit: Exit::Done };
    for draft in drafts {
        let (body, effect) = ask(&draft, client).await?;
        show(&draft, &body, &effect, order, screen)?;
        let passes = effect.safety.ok || order.force;
        if passes {
            seen.etags.push((!effect.etag.is_empty()).then_some(effect.etag));
            seen.drafts.push(draft);
        } else if order.skip_unsafe {
            split(&draft, &effect, client, &mut seen).await?;
        } else {
            refuse(&draft, &effect, screen);
            seen.exit = Exit::Refused;
        }
    }
    if order.skip_unsafe && seen.drafts.is_empty() {
        seen.exit = Exit::Refused;
    }
    // The first of several moves the version the others were decided on.
    if seen.drafts.len() > 1 {
        seen.etags.fill(None);
    }
    if order.skip_unsafe && !seen.left_out.is_empty() {
        screen.say(&format!("refused: left out, a safety rule refuses it: {}", seen.left_out.join(" ")));
    }
    Ok(seen)
}

async fn ask(draft: &Draft, client: &Client) -> Result<(String, Effect), Failure> {
    // Nothing is kept, so a reason that is still to come does not stop the preview.
    let body = match draft.body.contains_key("reason") {
        true => draft.body.clone(),
        false => draft.clone().with("reason", Some("preview".into())).body,
    };
    let ask = draft.asked(Ask::post(OVERRIDES, Some(Value::Object(body))).with("dry_run", "true"));
    let reply = client.send(ask).await?;
    let effect = reply.parsed()?;
    Ok((reply.body, effect))
}

/// Where the whole is refused, its parts are asked one by one.
async fn split(draft: &Draft, effect: &Effect, client: &Client, seen: &mut Seen) -> Result<(), Failure> {
    let parts = effect.matches.len() > 1 && effect.matches.len() == effect.matches_total;
    if !parts {
        seen.left_out.push(draft.target.clone());
        return Ok(());
    }
    for target in &effect.matches {
        let part = draft.narrowed(target);
        let (_, effect) = ask(&part, client).await?;
        if effect.safety.ok {
            seen.etags.push(None);
            seen.drafts.push(part);
        } else {
            seen.left_out.push(target.clone());
        }
    }
    Ok(())
}

fn show(draft: &Draft, body: &str, effect: &Effect, order: &OrderArgs, screen: &mut Screen) -> Result<(), Failure> {
    let text = page(draft.action, &draft.target, effect, Clock::wall());
    if order.dry_run && screen.format == Format::Table {
        screen.data(&text)
    } else if order.dry_run {
        screen.show(body, |_| Ok(String::new()), || Ok(fields(effect)))
    } else {
        screen.say(text.trim_end());
        Ok(())
    }
}

fn refuse(draft: &Draft, effect: &Effect, screen: &mut Screen) {
    let mut text = format!("refused: a safety rule refuses `{} {}`", draft.action, draft.target);
    for blocked in &effect.safety.refused {
        text.push_str(&format!("\n  {}: {}", safe::line(&blocked.blocking), safe::line(&blocked.detail)));
    }
    screen.say(&text);
    screen.note("hint: --skip-unsafe leaves the refused part out, --force passes the rule and is audited");
}

/// The effect as people read it.
fn page(action: &str, target: &str, effect: &Effect, now: Wall) -> String {
    let lasts = effect.lasts.map(|span| format!(" for {}", times::short(span.0))).unwrap_or_default();
    let over = effect.over.map(|span| format!(" in steps over {span}")).unwrap_or_default();
    let from = effect.from.filter(|from| *from > now).map(|from| format!(" from {}", times::clock(Some(from), now)));
    let from = from.unwrap_or_default();
    let mut text = format!("{action} {target}{lasts}{over}{from} takes in {}", counted(effect.matches_total, "thing"));
    let shown: Vec<String> = effect.matches.iter().take(10).map(|id| safe::cell(id)).collect();
    if !shown.is_empty() {
        let more = effect.matches_total.saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        text.push_str(&format!(": {}{more}", shown.join(" ")));
    }
    text.push('\n');
    if effect.effect.is_empty() {
        text.push_str("no answer changes\n");
    } else {
        let mut table = Table::new(&["NAME", "TYPE", "CLIENTS", "NOW", "THEN", ""]);
        let list = |endpoints: &[String]| if endpoints.is_empty() { "nothing".into() } else { endpoints.join(", ") };
        for change in effect.effect.iter().take(CHANGES_SHOWN_MAX) {
            table.row([
                change.name.trim_end_matches('.').into(),
                change.kind.as_str().into(),
                clients(&change.clients).into(),
                list(&change.from).into(),
                list(&change.to).into(),
                change.note.clone().unwrap_or_default().into(),
            ]);
        }
        let aligned = table.aligned(super::super::screen::paint::Paint(false));
        aligned.lines().for_each(|line| text.push_str(&format!(" {line}\n")));
        let more = effect.effect_total.max(effect.effect.len()).saturating_sub(CHANGES_SHOWN_MAX);
        if more > 0 {
            text.push_str(&format!(" and {more} more\n"));
        }
    }
    let mut line = |head: &str, names: &[String]| {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| safe::cell(name)).collect();
            text.push_str(&format!("{head}: {}\n", names.join(", ")));
        }
    };
    line("wins over", &effect.shadows);
    effect.warnings.iter().for_each(|warning| line("warning", std::slice::from_ref(warning)));
    let refused = effect.safety.refused.iter().map(|blocked| safe::cell(&blocked.detail)).collect::<Vec<_>>();
    text.push_str(&match (effect.safety.ok, refused.as_slice()) {
        (true, _) => "safety: nothing refuses it\n".to_owned(),
        (false, refused) => format!("safety: refused: {}\n", refused.join("; ")),
    });
    text
}

/// For whom, as `plan` writes it.
fn clients(clients: &[String]) -> String {
    if clients.is_empty() { "all".to_owned() } else { clients.join(", ") }
}

fn fields(effect: &Effect) -> Table {
    let mut table = Table::new(&["NAME", "TYPE", "CLIENTS", "NOW", "THEN"]);
    for change in &effect.effect {
        table.row([
            change.name.as_str().into(),
            change.kind.as_str().into(),
            clients(&change.clients).into(),
            change.from.join(",").into(),
            change.to.join(",").into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_is_told_before_it_happens() {
        let effect: Effect = serde_json::from_str(
            r#"{"dry_run":true,"matches":["endpoint:aws-use","endpoint:aws-euw"],"matches_total":2,
            "safety":{"ok":true},"effect":[
              {"name":"www.gslb.example.com.","type":"A","service":"www","from":["aws-use","gcp-use"],"to":["gcp-use"]},
              {"name":"www.gslb.example.com.","type":"A","service":"www","clients":["EU-DE","near eu-west"],"from":["aws-use","gcp-use"],"to":["gcp-use"]},
              {"name":"www.gslb.example.com.","type":"AAAA","service":"www","from":["aws-use"],"to":[],"note":"pool us -> eu"}],
            "effect_total":30,"kept":["aws-aps"],"shadows":["ov_1"],"warnings":["goes on serving: aws-aps, gcp-aps","pool us: one endpoint\u001b[2J left"],
            "from":"2026-11-23T10:46:02Z","expires":"2026-11-23T12:46:02Z","lasts":"2h","over":"10m","etag":"\"ov-9913\""}"#,
        )
        .unwrap();
        assert_eq!(
            page("drain", "provider:aws", &effect, "2026-11-23T10:00:00Z".parse().unwrap()),
            "\
drain provider:aws for 2h in steps over 10m from 10:46:02Z takes in 2 things: endpoint:aws-use endpoint:aws-euw
 NAME                  TYPE  CLIENTS              NOW               THEN
 www.gslb.example.com  A     all                  aws-use, gcp-use  gcp-use
 www.gslb.example.com  A     EU-DE, near eu-west  aws-use, gcp-use  gcp-use
 www.gslb.example.com  AAAA  all                  aws-use           nothing  pool us -> eu
 and 10 more
wins over: ov_1
warning: goes on serving: aws-aps, gcp-aps
warning: pool us: one endpoint\\u{1b}[2J left
safety: nothing refuses it
"
        );
    }

    #[test]
    fn a_refusal_is_told_with_its_reasons() {
        let effect: Effect = serde_json::from_str(
            r#"{"matches":[],"matches_total":0,"effect":[],"effect_total":0,"safety":{"ok":false,"refused":[
            {"code":"safety.keep","blocking":"one-cloud","detail":"rule `one-cloud` keeps 1"}]}}"#,
        )
        .unwrap();
        assert_eq!(
            page("down", "all", &effect, Wall(0)),
            "down all takes in 0 things\nno answer changes\nsafety: refused: rule `one-cloud` keeps 1\n"
        );
    }
}
