//! `override list|show|extend|clear`: overrides that exist.

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::super::{
    args::traffic::{ClearArgs, ExtendArgs, PromoteArgs, ShowArgs},
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table},
    status::counted,
    times,
    wire::{Override, Page},
};
use super::{ASK_EVERY, OVERRIDES, deed};
use crate::{
    clock::Clock,
    model::{Span, Wall},
};

/// Most pages of a list that are fetched; at the limit the rest is named as missing.
const PAGES_MAX: usize = 200;

/// How long the end of an override waits for the other nodes.
const OTHERS_WAIT: &str = "5s";

/// How many entries a page is asked to hold: as many as the node gives.
const PAGE_LENGTH: &str = "1000";

/// All entries of a collection, and the body to show: the node's own if one page holds all, else one made of all pages.
pub(super) async fn all(path: &[&str], client: &Client) -> Result<(String, Vec<Value>), Failure> {
    let mut items: Vec<Value> = Vec::new();
    let mut cursor: Option<String> = None;
    for page in 0..PAGES_MAX {
        let ask = Ask::get(path).with("limit", PAGE_LENGTH);
        let reply = client.send(match &cursor {
            Some(cursor) => ask.with("cursor", cursor),
            None => ask,
        });
        let reply = reply.await?;
        let found: Page<Value> = reply.parsed()?;
        items.extend(found.items);
        cursor = found.next;
        if cursor.is_none() {
            let body = if page == 0 { reply.body } else { json!({ "items": items }).to_string() };
            return Ok((body, items));
        }
    }
    Err(Failure::new(Exit::Failed, format!("the node's list has no end: more than {PAGES_MAX} pages")))
}

/// All overrides in force and planned.
pub(super) async fn overrides(client: &Client) -> Result<(String, Vec<Override>), Failure> {
    let (body, items) = all(OVERRIDES, client).await?;
    let items = items.into_iter().map(serde_json::from_value).collect::<Result<Vec<Override>, _>>();
    let items =
        items.map_err(|error| Failure::new(Exit::Failed, format!("the node's answer is not understood: {error}")))?;
    Ok((body, items.into_iter().filter(|order| order.state != "ended").collect()))
}

/// `override list`.
pub(in crate::cli) async fn list(client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let (body, items) = overrides(client).await?;
    let now = Clock::wall();
    screen.show(&body, |paint| Ok(table(&items, now).aligned(paint)), || Ok(fields(&items)))?;
    if items.is_empty() {
        screen.note("nothing is overridden");
    }
    Ok(Exit::Done)
}

/// `override show`.
pub(in crate::cli) async fn show(args: &ShowArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let reply = client.send(Ask::get(&["v1", "overrides", &args.id.to_string()])).await?;
    let order: Override = reply.parsed()?;
    let now = Clock::wall();
    screen.show(&reply.body, |_| Ok(page(&order, now)), || Ok(fields(std::slice::from_ref(&order))))?;
    Ok(Exit::Done)
}

/// `override extend`.
pub(in crate::cli) async fn extend(args: &ExtendArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let span = args.lasts.strip_prefix('+').unwrap_or(&args.lasts);
    if let Err(error) = span.parse::<Span>() {
        let failure = Failure::usage(format!("--for: {error}"));
        return Err(match error.hint {
            Some(hint) => failure.hint(format!("write {hint}")),
            None => failure,
        });
    }
    let mut body = json!({ "for": args.lasts });
    if let Some(reason) = &args.reason {
        body["reason"] = reason.as_str().into();
    }
    if args.force {
        body["force"] = true.into();
    }
    for id in &args.ids {
        let id = id.to_string();
        let reply = client.send(Ask::patch(&["v1", "overrides", &id], body.clone())).await?;
        let order: Override = reply.parsed()?;
        let now = Clock::wall();
        screen.show(
            &reply.body,
            |_| Ok(format!("{}  ends {}\n", safe::cell(&order.id), times::clock(order.expires, now))),
            || Ok(fields(std::slice::from_ref(&order))),
        )?;
    }
    Ok(Exit::Done)
}

/// `override promote`.
pub(in crate::cli) async fn promote(args: &PromoteArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    for id in &args.ids {
        let id = id.to_string();
        let path = ["v1", "overrides", &id, "promote"];
        let ask = Ask::post(&path, None).with("wait", OTHERS_WAIT);
        let reply = client.send(if args.force { ask.with("force", "true") } else { ask }).await?;
        let order: Override = reply.parsed()?;
        let line = |_| Ok(format!("{}  is the fleet's now\n", safe::cell(&order.id)));
        screen.show(&reply.body, line, || Ok(fields(std::slice::from_ref(&order))))?;
        if !order.pending_on.is_empty() {
            screen.say(&format!("warning: not yet followed by {}", safe::cell(&order.pending_on.join(" "))));
        }
    }
    Ok(Exit::Done)
}

/// `override clear`.
pub(in crate::cli) async fn clear(args: &ClearArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let ids: Vec<String> = args.ids.iter().map(ToString::to_string).collect();
    end(&ids, args.reason.as_deref(), !args.no_wait, client, screen).await?;
    Ok(Exit::Done)
}

/// Ends them, one by one, and waits until the node's answers no longer follow them.
pub(super) async fn end(
    ids: &[String],
    reason: Option<&str>,
    wait: bool,
    client: &Client,
    screen: &mut Screen,
) -> Result<(), Failure> {
    for (position, id) in ids.iter().enumerate() {
        let ended = async {
            let path = ["v1", "overrides", id];
            let ask = Ask::delete(&path);
            let ask = if wait { ask.with("wait", OTHERS_WAIT) } else { ask };
            let reply = client.send(match reason {
                Some(reason) => ask.with("reason", reason),
                None => ask,
            });
            reply.await
        };
        match ended.await {
            Ok(reply) => {
                screen.note(&format!("ended {id}"));
                if let Some(behind) = &reply.pending {
                    screen.say(&format!("warning: not yet followed by {}", safe::cell(behind)));
                }
            }
            Err(failure) if position == 0 => return Err(failure),
            Err(failure) => {
                return Err(failure.detail(format!("ended before that: {}", ids[..position].join(" "))));
            }
        }
    }
    if wait { gone(ids, client).await } else { Ok(()) }
}

/// Waits until none of them holds any more.
async fn gone(ids: &[String], client: &Client) -> Result<(), Failure> {
    let deadline = Instant::now() + client.timeout();
    loop {
        let (_, held) = overrides(client).await?;
        let still: Vec<&str> =
            held.iter().map(|order| order.id.as_str()).filter(|id| ids.iter().any(|i| i == id)).collect();
        if still.is_empty() {
            return Ok(());
        }
        if deadline <= Instant::now() {
            return Err(Failure::new(Exit::TimedOut, "ended, but not yet out of the answers").detail(still.join(" ")));
        }
        sleep(ASK_EVERY).await;
    }
}

/// The list for people.
pub(super) fn table(items: &[Override], now: Wall) -> Table {
    let mut table = Table::new(&["ID", "ACTION", "TARGET", "LIFE", "BY", "REASON"]);
    for order in items {
        let life = match (order.from.filter(|from| now < *from), order.expires) {
            (Some(from), _) => format!("begins in {}", times::short(from.since(now))),
            (None, Some(expires)) => format!("ends in {}", times::short(expires.since(now))),
            (None, None) => String::new(),
        };
        let forced = if order.forced { " (forced)" } else { "" };
        let local = if order.local { " (local, this node alone)" } else { "" };
        table.row([
            order.id.as_str().into(),
            deed(order).into(),
            order.target.as_str().into(),
            life.into(),
            order.by.as_str().into(),
            format!("{}{forced}{local}", order.reason).into(),
        ]);
    }
    table
}

/// For programs: id, action, target, state, expiry, author, reason.
pub(super) fn fields(items: &[Override]) -> Table {
    let mut table = Table::new(&["ID", "ACTION", "TARGET", "STATE", "EXPIRES", "BY", "REASON"]);
    for order in items {
        table.row([
            order.id.as_str().into(),
            deed(order).into(),
            order.target.as_str().into(),
            order.state.as_str().into(),
            order.expires.map(|at| at.to_string()).unwrap_or_default().into(),
            order.by.as_str().into(),
            order.reason.as_str().into(),
        ]);
    }
    table
}

fn page(order: &Override, now: Wall) -> String {
    let mut text = format!("{}\n", super::super::status::order_line(order, now));
    let mut line = |head: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("  {head:<12}  {value}\n"));
        }
    };
    let list = |names: &[String]| names.iter().map(|name| safe::cell(name)).collect::<Vec<_>>().join(" ");
    let time = |at: Option<Wall>| times::clock(at, now);
    line("made", time(order.created));
    line("from", time(order.from));
    line("until", time(order.expires));
    let more = order.matches_total.saturating_sub(order.matches.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    line("takes in", format!("{}: {}{more}", counted(order.matches_total, "thing"), list(&order.matches)));
    line("wins over", list(&order.shadows));
    line("loses to", list(&order.shadowed_by));
    line("goes on", list(&order.kept));
    line("applied on", list(&order.applied_on));
    line("not yet on", list(&order.pending_on));
    line("safe to stop", time(order.safe_to_stop_at));
    order.warnings.iter().for_each(|warning| line("warning", safe::cell(warning)));
    line("undo", format!("wayshift override clear {}", safe::cell(&order.id)));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::paint::Paint;

    const SAMPLE: &str = r#"{"id":"ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6","action":"pin","pool":"eu","target":"service:www",
        "reason":"INC-123\u001b]0;x\u0007","by":"token:dana","created":"2026-11-23T10:24:00Z","from":"2026-11-23T10:24:00Z",
        "expires":"2026-11-23T11:24:10Z","state":"active","forced":true,"matches":["service:www"],"matches_total":3,
        "shadows":["ov_1"],"applied_on":["eu-1"],"pending_on":[],"undo":"DELETE /v1/overrides/x","etag":"\"1\""}"#;

    #[test]
    fn overrides_are_listed_with_their_end_author_and_reason() {
        let now = "2026-11-23T10:46:10Z".parse().unwrap();
        let order: Override = serde_json::from_str(SAMPLE).unwrap();
        let slow = Override { action: "drain".into(), pool: None, over: "10m".parse().ok(), ..order.clone() };
        assert!(table(std::slice::from_ref(&slow), now).plain().contains("\tdrain over 10m\t"), "in steps");
        assert!(fields(std::slice::from_ref(&slow)).plain().contains("\tdrain over 10m\t"), "in steps");
        let later = Override { from: "2026-11-24T10:46:10Z".parse().ok(), state: "planned".into(), ..order.clone() };
        assert_eq!(
            table(&[order.clone(), later], now).aligned(Paint(false)),
            "\
ID                             ACTION     TARGET       LIFE          BY          REASON
ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6  pin to eu  service:www  ends in 38m   token:dana  INC-123\\u{1b}]0;x\\u{7} (forced)
ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6  pin to eu  service:www  begins in 1d  token:dana  INC-123\\u{1b}]0;x\\u{7} (forced)
"
        );
        assert_eq!(
            page(&order, now),
            "\
pin to eu  service:www  by token:dana  \"INC-123\\u{1b}]0;x\\u{7}\"  ends in 38m  ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6  forced
  made          10:24:00Z
  from          10:24:00Z
  until         11:24:10Z
  takes in      3 things: service:www and 2 more
  wins over     ov_1
  applied on    eu-1
  undo          wayshift override clear ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6
"
        );
    }
}
