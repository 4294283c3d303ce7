//! Foresight on the command line: `plan`, `simulate`, `test`. Each shows an effect and has none.

pub(super) mod plan;
pub(super) mod simulate;
pub(super) mod test;
pub(super) mod wire;

use std::{path::Path, sync::Arc};

use super::{
    ending::{Exit, Failure},
    local::{check, place, places},
    screen::{Screen, paint::Paint, table::Table},
};
use crate::{
    config::{self, FILE_SIZE_MAX, Loaded},
    steer::Locator,
};

use self::wire::Difference;

/// Loads a file with everything it includes, and what clients are located with; what is wrong with it is said.
fn load(named: Option<&Path>, screen: &mut Screen) -> Result<(Loaded, Arc<Locator>), Failure> {
    let path = place::config_file(named)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()).hint("name one"))?;
    let read = config::load(&path, &place::variable).and_then(places::located);
    read.map_err(|problems| {
        screen.say(check::rendered(&problems, Paint(false)).trim_end());
        Failure::silent(Exit::Configuration)
    })
}

/// A file as it stands, to be judged by a node.
fn text(named: Option<&Path>) -> Result<String, Failure> {
    let path = place::config_file(named)
        .map_err(|error| Failure::new(Exit::Configuration, error.to_string()).hint("name one"))?;
    let unread = |what: String| Failure::new(Exit::Configuration, format!("{}: {what}", path.display()));
    let file = config::open_regular(&path).map_err(|error| unread(error.to_string()))?;
    let mut text = String::new();
    let read = std::io::Read::read_to_string(&mut std::io::Read::take(file, FILE_SIZE_MAX + 1), &mut text);
    match read {
        Ok(octets) if octets as u64 <= FILE_SIZE_MAX => Ok(text),
        Ok(_) => Err(unread(format!("it has more than {FILE_SIZE_MAX} octets"))),
        Err(error) => Err(unread(error.to_string())),
    }
}

/// Answers that differ: a line for each name, type and kind of client.
fn answers(all: &[Difference]) -> Table {
    let mut table = Table::new(&["NAME", "TYPE", "CLIENTS", "NOW", "THEN"]);
    for one in all {
        let side = |sight: &Option<wire::Sight>| {
            sight.as_ref().map_or_else(|| "nothing".to_owned(), |sight| sight.text.clone())
        };
        let (now, then) = (side(&one.from), side(&one.to));
        let then = match (&one.from, &one.to) {
            (Some(from), Some(to)) if now == then && from.ttl != to.ttl => {
                format!("{then}, TTL {} -> {}", from.ttl, to.ttl)
            }
            (Some(from), Some(to)) if now == then => {
                let answers = |sight: &wire::Sight| {
                    let endpoints = sight.pools.iter().flat_map(|pool| &pool.endpoints);
                    endpoints.map(|one| one.answer.clone()).collect::<Vec<_>>().join(" ")
                };
                format!("{then}: {} -> {}", answers(from), answers(to))
            }
            _ => then,
        };
        let clients = if one.everyone { "all".to_owned() } else { one.clients.join(", ") };
        for name in &one.names {
            table.row([
                name.trim_end_matches('.').into(),
                one.kind.as_str().into(),
                clients.as_str().into(),
                now.as_str().into(),
                then.as_str().into(),
            ]);
        }
    }
    table
}
