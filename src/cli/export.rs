//! `export`: the way out, a zone as another server can serve it.

use super::{
    args::operate::{ExportArgs, ExportVerb},
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table},
    wire::{Exported, Page, Zone},
};

/// Asks the node for a zone in the form wanted, and prints it.
pub(super) async fn run(verb: &ExportVerb, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let (format, args) = match verb {
        ExportVerb::Zone(args) => ("zone", args),
        ExportVerb::Octodns(args) => ("octodns", args),
    };
    let zone = zone(args, client).await?;
    let reply = client.send(Ask::get(&["v1", "zones", &zone, "export"]).with("format", format)).await?;
    let exported: Exported = reply.parsed()?;
    let fields = || {
        let mut table = Table::new(&["LINE"]);
        exported.text.lines().for_each(|line| table.row([line.into()]));
        Ok(table)
    };
    screen.show(&reply.body, |_| Ok(safe::lines(&exported.text).into_owned()), fields)?;
    for line in &exported.left_out {
        screen.say(&format!("left out: {line}"));
    }
    Ok(Exit::Done)
}

/// The zone that is named, or the only one.
async fn zone(args: &ExportArgs, client: &Client) -> Result<String, Failure> {
    if let Some(zone) = &args.zone {
        return Ok(zone.clone());
    }
    let zones: Page<Zone> = client.send(Ask::get(&["v1", "zones"])).await?.parsed()?;
    match zones.items.as_slice() {
        [one] if zones.next.is_none() => Ok(one.id.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|zone| zone.id.as_str()).collect();
            Err(Failure::usage("this node serves several zones").hint(format!("name one: {}", names.join(", "))))
        }
    }
}
