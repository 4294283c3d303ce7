//! `events`: what happened, and with `-f` what happens.

use std::time::Duration;

use super::{
    args::{
        Format,
        look::{EventsArgs, since},
    },
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table, yaml},
    sse::{Events, Message},
    times,
    wire::{Event, Page},
};
use crate::{clock::Clock, model::Wall};

/// Waits before a broken stream is taken up anew: the first, and the longest.
const AGAIN_AFTER: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(10));

/// Shows the history, then follows if wanted.
pub(super) async fn run(args: &EventsArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let since = args.since.as_deref().map(|text| since(text, Clock::wall())).transpose().map_err(Failure::usage)?;
    if !args.follow {
        history(args, since, client, screen).await?;
        return Ok(Exit::Done);
    }
    let last = match since {
        Some(_) => history(args, since, client, screen).await?,
        None => newest(client).await?,
    };
    follow(args, last, client, screen).await
}

fn ask<'a>(args: &EventsArgs, path: &'a [&'a str]) -> Ask<'a> {
    let ask = Ask::get(path);
    if args.kind.is_empty() { ask } else { ask.with("kind", args.kind.join(",")) }
}

/// The newest that fit, oldest first; gives the id of the newest.
async fn history(
    args: &EventsArgs,
    since: Option<Wall>,
    client: &Client,
    screen: &mut Screen,
) -> Result<Option<String>, Failure> {
    let mut ask = ask(args, &["v1", "events"]).with("limit", args.limit.to_string());
    if let Some(since) = since {
        ask = ask.with("since", since.to_string());
    }
    let reply = client.send(ask).await?;
    let mut page: Page<Event> = reply.parsed()?;
    page.items.sort_by_key(|event| event.id);
    let now = Clock::wall();
    screen.show(
        &reply.body,
        |_| Ok(page.items.iter().map(|event| line(event, now)).collect()),
        || Ok(fields(&page.items)),
    )?;
    if page.next.is_some() {
        screen.note("hint: there are older ones: --limit shows more, --since and --kind choose");
    }
    Ok(page.items.last().map(|event| event.id.to_string()))
}

/// The id of the newest event: where following begins, so that a stream that breaks before its first event loses none.
async fn newest(client: &Client) -> Result<Option<String>, Failure> {
    let page: Page<Event> = client.send(Ask::get(&["v1", "events"]).with("limit", "1")).await?.parsed()?;
    Ok(page.items.first().map(|event| event.id.to_string()))
}

/// Goes on for ever. A stream that breaks is taken up after the last event that was seen, so nothing is lost as long
/// as the node still has it.
async fn follow(
    args: &EventsArgs,
    mut last: Option<String>,
    client: &Client,
    screen: &mut Screen,
) -> Result<Exit, Failure> {
    let ask = ask(args, &["v1", "events", "stream"]);
    let mut connected_before = false;
    let mut wait = AGAIN_AFTER.0;
    loop {
        match client.stream(&ask, last.as_deref()).await {
            Ok(mut stream) => {
                if std::mem::replace(&mut connected_before, true) {
                    screen.note("the stream goes on");
                }
                wait = AGAIN_AFTER.0;
                let mut events = Events::default();
                while let Some(piece) = Client::piece(&mut stream).await {
                    for message in events.take(&piece) {
                        let text = shown(&message, screen.format, Clock::wall());
                        last = message.id.or(last);
                        screen.data(&text)?;
                    }
                }
            }
            Err(failure) if lasting(&failure, connected_before) => return Err(failure),
            Err(_) => {}
        }
        screen.note(&format!("the stream broke; trying again in {}", crate::model::Span(wait)));
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(AGAIN_AFTER.1);
    }
}

/// What trying again will not mend: a refusal, and a node that never answered.
fn lasting(failure: &Failure, connected_before: bool) -> bool {
    match failure.exit {
        Exit::NotAllowed | Exit::Usage => true,
        Exit::Failed | Exit::TimedOut | Exit::Unreachable => !connected_before,
        Exit::Done | Exit::NotUp | Exit::Refused | Exit::Configuration => true,
    }
}

/// One event of a stream in the format asked for.
fn shown(message: &Message, format: Format, now: Wall) -> String {
    let value: Option<serde_json::Value> = serde_json::from_str(&message.data).ok();
    match (format, value) {
        (_, None) => format!("{} {}\n", safe::cell(&message.kind), safe::cell(&message.data)),
        (Format::Json | Format::Jsonl, Some(_)) => format!("{}\n", safe::json(&message.data)),
        (Format::Yaml, Some(value)) => format!("---\n{}", yaml::document(&value)),
        (Format::Table | Format::Plain, Some(value)) => {
            let mut event: Event = serde_json::from_value(value).unwrap_or_default();
            // A gap is told by the stream and not by the history: it has neither id nor text.
            if event.kind.is_empty() {
                event.kind.clone_from(&message.kind);
                event.text = event.detail.take().unwrap_or_default();
            }
            if format == Format::Plain { fields(std::slice::from_ref(&event)).plain() } else { line(&event, now) }
        }
    }
}

/// `10:41:58Z  verdict  aws-use up -> down: connect timeout`.
fn line(event: &Event, now: Wall) -> String {
    let at = times::clock(event.at, now);
    format!("{at}  {:<16}  {}\n", safe::cell(&event.kind), safe::cell(&event.text))
}

fn fields(events: &[Event]) -> Table {
    let mut table = Table::new(&["ID", "AT", "KIND", "TEXT"]);
    for event in events {
        table.row([
            event.id.to_string().into(),
            event.at.map(|at| at.to_string()).unwrap_or_default().into(),
            event.kind.as_str().into(),
            event.text.as_str().into(),
        ]);
    }
    table
}

/// An event as the client reads it, for those who see both ends.
#[cfg(test)]
pub(crate) struct ReadBack {
    pub(crate) id: u64,
    pub(crate) at: Option<Wall>,
    pub(crate) kind: String,
    pub(crate) text: String,
    pub(crate) line: String,
}

/// Reads one as `events` does.
#[cfg(test)]
pub(crate) fn read_event(json: &str) -> Result<ReadBack, serde_json::Error> {
    let event: Event = serde_json::from_str(json)?;
    let line = line(&event, Wall(0));
    Ok(ReadBack { id: event.id, at: event.at, kind: event.kind, text: event.text, line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ms;

    fn message(data: &str) -> Message {
        Message { id: Some("7".into()), kind: "verdict".into(), data: data.into() }
    }

    #[test]
    fn an_event_is_a_line_in_each_format() {
        let data = r#"{"id":7,"at":"2026-11-23T10:41:58.204Z","generation":3,"kind":"verdict","text":"aws-use up -> down\u001b[2J","x":1}"#;
        let now = "2026-11-23T11:00:00Z".parse().unwrap();
        let rows = [
            (Format::Table, "10:41:58Z  verdict           aws-use up -> down\\u{1b}[2J\n".to_owned()),
            (Format::Plain, "7\t2026-11-23T10:41:58.204Z\tverdict\taws-use up -> down\\u{1b}[2J\n".to_owned()),
            (Format::Json, format!("{data}\n")),
            (Format::Jsonl, format!("{data}\n")),
        ];
        for (format, text) in rows {
            assert_eq!(shown(&message(data), format, now), text);
        }
        assert!(shown(&message(data), Format::Yaml, now).starts_with("---\nat: \"2026"));
        let gap = Message { id: None, kind: "gap".into(), data: r#"{"detail":"events are gone"}"#.into() };
        assert_eq!(shown(&gap, Format::Table, now), "  gap               events are gone\n");
        assert_eq!(shown(&message("\u{1b}no json"), Format::Json, now), "verdict \\u{1b}no json\n");
    }

    #[test]
    fn since_is_a_length_or_a_time() {
        let now: Wall = "2026-11-23T12:00:00Z".parse().unwrap();
        assert_eq!(since("2h", now), Ok("2026-11-23T10:00:00Z".parse().unwrap()));
        assert_eq!(since("2026-11-23T10:42:00Z", now), Ok("2026-11-23T10:42:00Z".parse().unwrap()));
        assert!(since("2", now).unwrap_err().contains("write 2s"));
        assert_eq!(ms(now.since(since("1d", now).unwrap())), 86_400_000);
    }
}
