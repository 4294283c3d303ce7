//! `config show|schema`.

use super::super::{
    args::change::ShowConfigArgs,
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, safe, table::Table},
    wire::Configuration,
};

/// What the node runs: its TOML for people, the API's body otherwise.
pub(in crate::cli) async fn show_node(client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let reply = client.send(Ask::get(&["v1", "config"])).await?;
    let configuration: Configuration = reply.parsed()?;
    let text = safe::lines(&configuration.toml).into_owned();
    screen.show(&reply.body, |_| Ok(text.clone()), || Ok(Table::new(&[])))?;
    if let Some(stale) = &configuration.stale {
        screen.say(&format!("warning: this is not what the file says now: {stale}"));
    }
    if !configuration.files.is_empty() {
        screen.note(&format!("from {}", configuration.files.join(", ")));
    }
    Ok(Exit::Done)
}

/// Later.
pub(in crate::cli) fn show_file(_args: &ShowConfigArgs, _screen: &mut Screen) -> Result<Exit, Failure> {
    Err(Failure::usage("later"))
}

/// Later.
pub(in crate::cli) fn schema(_screen: &mut Screen) -> Result<Exit, Failure> {
    Err(Failure::usage("later"))
}
