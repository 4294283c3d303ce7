//! `restore`: ends every override that equals or lies inside the selectors, and names the wider ones that still hold.

use serde_json::json;

use super::super::{
    args::{Format, traffic::RestoreArgs},
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::Screen,
    status::{counted, order_line},
    wire::Override,
};
use super::{
    OVERRIDES, consent, existing,
    inside::{Inventory, Known, Used},
};
use crate::{
    clock::Clock,
    model::{Selector, Wall},
};

/// Finds, shows, asks, ends.
pub(in crate::cli) async fn run(args: &RestoreArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let (_, held) = existing::overrides(client).await?;
    let inventory = inventory(client).await?;
    let found = sort(&args.targets, held, &inventory);
    let waiting = waiting(&args.targets, &inventory);
    let now = Clock::wall();
    if args.dry_run || screen.format != Format::Table {
        let text = match screen.format {
            Format::Table => existing::table(&found.inside, now).aligned(screen.paint),
            Format::Plain => existing::fields(&found.inside).plain(),
            Format::Json | Format::Jsonl | Format::Yaml => {
                return Err(Failure::usage("restore writes no document: it ends several overrides")
                    .hint("`wayshift override list -o json` lists them, -o plain shows what would end"));
            }
        };
        screen.data(&text)?;
    }
    tell(&found, now, screen);
    if !waiting.is_empty() {
        screen.note(&format!("held down until somebody says so, and let in again: {}", waiting.join(" ")));
    }
    if args.dry_run || (found.inside.is_empty() && waiting.is_empty()) {
        return Ok(Exit::Done);
    }
    if !args.yes {
        consent(screen, found.inside.len() + waiting.len())?;
    }
    let ids: Vec<String> = found.inside.iter().map(|order| order.id.clone()).collect();
    if !ids.is_empty() {
        existing::end(&ids, None, !args.no_wait, client, screen).await?;
    }
    for id in &waiting {
        let body = json!({ "action": "up", "target": format!("endpoint:{id}"), "for": RELEASE, "reason": "restore" });
        client.send(Ask::post(OVERRIDES, Some(body))).await?;
        screen.note(&format!(
            "endpoint {id} is let in again: `up` for {RELEASE} ended its hold; probes decide from then on"
        ));
    }
    Ok(Exit::Done)
}

/// How long the order that ends a hold lasts: long enough to be seen by every node.
const RELEASE: &str = "1m";

/// Endpoints in the reach that are held down until a person says otherwise.
fn waiting(targets: &[Selector], inventory: &Inventory) -> Vec<String> {
    let mut all: Vec<String> = targets.iter().flat_map(|target| inventory.held(target)).map(str::to_owned).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// What ends, and what still holds afterwards.
struct Found {
    inside: Vec<Override>,
    wider: Vec<Override>,
}

fn sort(targets: &[Selector], held: Vec<Override>, inventory: &Inventory) -> Found {
    let mut found = Found { inside: Vec::new(), wider: Vec::new() };
    for order in held {
        // A target this client cannot read is nothing it should end.
        let Ok(target) = order.target.parse::<Selector>() else { continue };
        if targets.iter().any(|wide| inventory.inside(wide, &target)) {
            found.inside.push(order);
        } else if targets.iter().any(|wide| inventory.overlap(wide, &target)) {
            found.wider.push(order);
        }
    }
    found
}

fn tell(found: &Found, now: Wall, screen: &mut Screen) {
    if found.inside.is_empty() {
        screen.note("no override equals or lies inside that");
    } else {
        screen.note(&format!("{} to end:", counted(found.inside.len(), "override")));
        found.inside.iter().for_each(|order| screen.note(&format!("  {}", order_line(order, now))));
    }
    if !found.wider.is_empty() {
        screen.say(&format!("warning: {} from outside still in force there:", counted(found.wider.len(), "override")));
        found.wider.iter().for_each(|order| screen.say(&format!("  {}", order_line(order, now))));
    }
}

async fn inventory(client: &Client) -> Result<Inventory, Failure> {
    let unread = |error| Failure::new(Exit::Failed, format!("the node's answer is not understood: {error}"));
    let (_, endpoints) = existing::all(&["v1", "endpoints"], client).await?;
    let (_, pools) = existing::all(&["v1", "pools"], client).await?;
    let endpoints = endpoints.into_iter().map(serde_json::from_value::<Known>).collect::<Result<_, _>>();
    let pools = pools.into_iter().map(serde_json::from_value::<Used>).collect::<Result<_, _>>();
    Ok(Inventory { endpoints: endpoints.map_err(unread)?, pools: pools.map_err(unread)? })
}
