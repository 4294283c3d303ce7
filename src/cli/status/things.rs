//! `status kind/name`: single things.

use super::super::{
    args::Format,
    client::{Ask, Client},
    ending::Failure,
    screen::{
        Screen,
        table::{Cell, Table},
    },
    times,
    wire::{Endpoint, Group, Service},
};
use crate::{clock::Clock, model::Wall};

/// A kind of thing that has a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Service,
    Pool,
    Endpoint,
    Provider,
    Region,
}

const KINDS: [(Kind, &str, &str); 5] = [
    (Kind::Service, "service", "services"),
    (Kind::Pool, "pool", "pools"),
    (Kind::Endpoint, "endpoint", "endpoints"),
    (Kind::Provider, "provider", "providers"),
    (Kind::Region, "region", "regions"),
];

/// `service/www`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    kind: Kind,
    word: &'static str,
    path: &'static str,
    name: String,
}

impl Thing {
    /// Reads `kind/name`, and `kind:name` too.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let (kind, name) = text.split_once(['/', ':']).unwrap_or(("", text));
        let found = KINDS.iter().find(|(_, word, plural)| [*word, *plural].contains(&kind));
        match found {
            Some((kind, word, path)) if !name.is_empty() => Ok(Self { kind: *kind, word, path, name: name.into() }),
            Some(_) | None => Err(Failure::usage(format!("`{text}` is no kind/name"))
                .hint("service/www, pool/eu, endpoint/aws-use, provider/aws and region/eu-west are")),
        }
    }
}

/// Shows them; whether all of them are up.
pub(super) async fn show(things: &[Thing], client: &Client, screen: &mut Screen) -> Result<bool, Failure> {
    let mut table = Table::new(&["KIND", "ID", "STATE", "MORE"]);
    let mut all_up = true;
    for thing in things {
        let reply = client.send(Ask::get(&["v1", thing.path, &thing.name])).await?;
        let rows =
            rows(thing, &reply.body, Clock::wall()).map_err(|error| match reply.parsed::<serde_json::Value>() {
                Err(failure) => failure,
                Ok(_) => Failure::new(super::Exit::Failed, format!("the node's answer is not understood: {error}")),
            })?;
        all_up &= rows.up;
        match screen.format {
            Format::Table | Format::Plain => rows.rows.into_iter().for_each(|row| table.row(row)),
            Format::Json | Format::Jsonl | Format::Yaml => {
                screen.show(&reply.body, |_| Ok(String::new()), || Ok(Table::default()))?;
            }
        }
    }
    if !table.is_empty() {
        let text = if screen.format == Format::Plain { table.plain() } else { table.aligned(screen.paint) };
        screen.data(&text)?;
    }
    Ok(all_up)
}

struct Rows {
    up: bool,
    rows: Vec<[Cell; 4]>,
}

fn rows(thing: &Thing, body: &str, now: Wall) -> Result<Rows, serde_json::Error> {
    let head = |verdict: &str, more: String| {
        [thing.word.into(), thing.name.as_str().into(), Cell::state(verdict), more.into()]
    };
    Ok(match thing.kind {
        Kind::Service => {
            let service: Service = serde_json::from_str(body)?;
            let mut rows = vec![head(&service.verdict, super::answering(&service))];
            rows.extend(service.pools.iter().map(|arm| {
                let state = if arm.up == arm.of {
                    "up"
                } else if arm.up == 0 {
                    "down"
                } else {
                    "degraded"
                };
                let more = format!("{} of {} up", arm.up, arm.of);
                ["  pool".into(), arm.pool.as_str().into(), Cell::state(state), more.into()]
            }));
            Rows { up: service.verdict == "up", rows }
        }
        Kind::Endpoint => {
            let endpoint: Endpoint = serde_json::from_str(body)?;
            let drained = endpoint.order.as_ref().is_some_and(|order| order.action == "drain");
            let more = match &endpoint.order {
                Some(order) => {
                    let ago = times::ago(order.since, now);
                    let ago = if ago.is_empty() { ago } else { format!(" for {ago}") };
                    format!("ordered {} by {}{ago}, measured {}", order.action, order.id, endpoint.measured)
                }
                None => format!("{} in {}, {}", endpoint.provider, endpoint.region, endpoint.addresses.join(" ")),
            };
            let mut rows = vec![head(if drained { "drained" } else { &endpoint.verdict }, more)];
            rows.extend(endpoint.targets.iter().map(|target| {
                let check = target.check.as_deref().unwrap_or("unchecked");
                let more = format!("{check} for {}: {}", times::ago(target.since, now), super::reason(target));
                ["  address".into(), target.address.as_str().into(), Cell::state(&target.verdict), more.into()]
            }));
            Rows { up: endpoint.verdict == "up" && endpoint.order.is_none(), rows }
        }
        Kind::Pool | Kind::Provider | Kind::Region => {
            let group: Group = serde_json::from_str(body)?;
            let counts = &group.endpoints;
            let mut more = format!("{} of {} endpoints up", counts.up, counts.total);
            if !group.overrides.is_empty() {
                more.push_str(&format!(", overridden by {}", group.overrides.join(" ")));
            }
            Rows { up: group.verdict == "up", rows: vec![head(&group.verdict, more)] }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::paint::Paint;

    #[test]
    fn things_are_kind_and_name() {
        for (text, word) in
            [("service/www", Some("service")), ("endpoints/a", Some("endpoint")), ("pool:eu", Some("pool"))]
        {
            assert_eq!(Thing::parse(text).ok().map(|thing| thing.word), word, "{text}");
        }
        for text in ["www", "service/", "cloud/aws", ""] {
            assert_eq!(Thing::parse(text).unwrap_err().exit, super::super::Exit::Usage, "{text}");
        }
    }

    #[test]
    fn an_endpoint_shows_its_addresses() {
        let body = r#"{"id":"aws-use","provider":"aws","region":"us-east","addresses":["203.0.113.10"],"verdict":"down",
            "measured":"down","since":"2026-11-23T10:41:58Z","targets":[{"check":"web","family":"v4","address":"203.0.113.10",
            "verdict":"down","measured":"down","cause":"voted","since":"2026-11-23T10:41:58Z","votes":{"up":0,"down":3,"abstained":0},
            "last":{"outcome":"fail","detail":"connect timeout","phases":{"total_ms":2000}}}]}"#;
        let rows =
            rows(&Thing::parse("endpoint/aws-use").unwrap(), body, "2026-11-23T10:46:10Z".parse().unwrap()).unwrap();
        assert!(!rows.up);
        let mut table = Table::new(&["KIND", "ID", "STATE", "MORE"]);
        rows.rows.into_iter().for_each(|row| table.row(row));
        assert_eq!(
            table.aligned(Paint(false)),
            "\
KIND       ID            STATE   MORE
endpoint   aws-use       ✖ down  aws in us-east, 203.0.113.10
  address  203.0.113.10  ✖ down  web for 4m12s: 3 of 3 regions say down: connect timeout
"
        );
    }
}
