//! `store`: what a person decides about the store, and tools on the store itself.
//!
//! `adopt` asks a node. The others open what the configuration names, beside a node or without one: a backup is needed
//! most when no node runs.

mod backup;
mod dump;
mod migrate;
mod restore;
mod source;
mod verify;

use serde::Deserialize;
use serde_json::json;

use super::{
    args::operate::{AdoptArgs, StoreVerb},
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table},
    status::counted,
};

/// `POST /v1/store/adopt`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Adoption {
    found_epoch: Option<String>,
    found_generation: Option<u64>,
    epoch: String,
    generation: u64,
    taken: Vec<String>,
    dropped: Vec<String>,
    overrides: usize,
}

/// Does what the verb says.
pub(super) async fn run(verb: &StoreVerb, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    match verb {
        StoreVerb::Adopt(args) => adopt(args, client, screen).await,
        StoreVerb::Backup(_)
        | StoreVerb::Verify(_)
        | StoreVerb::Dump(_)
        | StoreVerb::Restore(_)
        | StoreVerb::Migrate(_) => Err(Failure::usage("this verb asks no node")),
    }
}

/// Does what a verb says that asks no node.
pub(super) fn tool(verb: &StoreVerb, screen: &mut Screen) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("the run time does not start: {error}")))?;
    runtime.block_on(async {
        match verb {
            StoreVerb::Backup(args) => backup::run(args, screen).await,
            StoreVerb::Verify(args) => verify::run(args, screen).await,
            StoreVerb::Dump(args) => dump::run(args, screen).await,
            StoreVerb::Restore(args) => restore::run(args, screen).await,
            StoreVerb::Migrate(args) => migrate::run(args, screen).await,
            StoreVerb::Adopt(_) => Err(Failure::usage("this verb asks a node")),
        }
    })
}

async fn adopt(args: &AdoptArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    const ADOPT: &[&str] = &["v1", "store", "adopt"];
    let looked = client.send(Ask::post(ADOPT, Some(json!({}))).with("dry_run", "true")).await?;
    let would: Adoption = looked.parsed()?;
    if args.dry_run || !args.yes {
        screen.show(&looked.body, |_| Ok(page(&would, "would go on")), || Ok(fields(&would)))?;
    }
    if args.dry_run {
        return Ok(Exit::Done);
    }
    if !args.yes {
        if !screen.interactive {
            return Err(Failure::usage("nothing was changed: without a terminal nobody can confirm")
                .hint("add --yes to do it, or --dry-run to only look"));
        }
        if !screen.confirm("Does the store go on like this, for all nodes?") {
            return Err(Failure::new(Exit::Failed, "nothing was changed"));
        }
    }
    let done = client.send(Ask::post(ADOPT, Some(json!({ "reason": args.reason })))).await?;
    let did: Adoption = done.parsed()?;
    screen.show(&done.body, |_| Ok(page(&did, "goes on")), || Ok(fields(&did)))?;
    Ok(Exit::Done)
}

fn page(adoption: &Adoption, verb: &str) -> String {
    let found = match (&adoption.found_epoch, adoption.found_generation) {
        (Some(epoch), Some(generation)) => format!("epoch {}, generation {generation}", safe::cell(epoch)),
        (_, _) => "nothing".to_owned(),
    };
    let mut text = format!("found     {found}\n");
    for (word, ids) in [("taken", &adoption.taken), ("dropped", &adoption.dropped)] {
        for id in ids {
            text.push_str(&format!("{word:<9} {}\n", safe::cell(id)));
        }
    }
    let overrides = counted(adoption.overrides, "override");
    let (epoch, generation) = (safe::cell(&adoption.epoch), adoption.generation);
    text.push_str(&format!("it {verb} as epoch {epoch}, generation {generation}, with {overrides}\n"));
    text
}

fn fields(adoption: &Adoption) -> Table {
    let mut table = Table::new(&["WHAT", "ID"]);
    for (word, ids) in [("taken", &adoption.taken), ("dropped", &adoption.dropped)] {
        ids.iter().for_each(|id| table.row([word.into(), id.as_str().into()]));
    }
    table
}
