//! `node`: who else is there.

use super::{
    args::operate::{NodeForgetArgs, NodeVerb},
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, table::Table},
    times,
    wire::{Page, Peer},
};

/// A clock that is off by more is shown.
const CLOCK_SHOWN_MS: u64 = 1_000;

/// Does what the verb says.
pub(super) async fn run(verb: &NodeVerb, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    match verb {
        NodeVerb::List(_) => list(client, screen).await,
        NodeVerb::Forget(args) => forget(args, client, screen).await,
    }
}

async fn list(client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let reply = client.send(Ask::get(&["v1", "nodes"])).await?;
    let peers: Page<Peer> = reply.parsed()?;
    screen.show(&reply.body, |paint| Ok(table(&peers.items).aligned(paint)), || Ok(fields(&peers.items)))?;
    Ok(Exit::Done)
}

async fn forget(args: &NodeForgetArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let id = args.node.to_string();
    client.send(Ask::delete(&["v1", "nodes", &id])).await?;
    screen.note(&format!("{id} is no longer known to this node; it is again if it speaks again"));
    Ok(Exit::Done)
}

fn table(peers: &[Peer]) -> Table {
    let mut table = Table::new(&["NODE", "REGION", "PROVIDER", "MODE", "HEARD", "VOTES", "STORE", "ANSWERS", "NOTE"]);
    for peer in peers {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let heard = match peer.here {
            true => "this one".to_owned(),
            false => peer.silent.map(|silent| format!("{} ago", times::short(silent.0))).unwrap_or_default(),
        };
        let store = peer.store_generation.map(|generation| generation.to_string()).unwrap_or_default();
        table.row([
            peer.id.as_str().into(),
            text(&peer.region).into(),
            text(&peer.provider).into(),
            peer.mode.as_deref().unwrap_or("unknown").into(),
            heard.into(),
            if peer.votes { "yes" } else { "no" }.into(),
            store.into(),
            answers(&peer.agreement).into(),
            notes(peer).join("; ").into(),
        ]);
    }
    table
}

/// Whether it answers as the node that was asked.
fn answers(agreement: &str) -> &str {
    match agreement {
        "agrees" => "the same",
        "differs" => "differ",
        "other-config" => "other configuration",
        "unheard" => "unknown",
        other => other,
    }
}

fn notes(peer: &Peer) -> Vec<String> {
    let mut notes = Vec::new();
    if peer.suspect {
        notes.push("what it sees is contradicted".to_owned());
    }
    if peer.orders == Some(false) {
        notes.push("takes no orders".to_owned());
    }
    if let Some(behind) = peer.behind.filter(|behind| 0 < *behind) {
        notes.push(format!("{behind} behind"));
    }
    if let Some(offset) = peer.clock_offset_ms.filter(|offset| CLOCK_SHOWN_MS < offset.unsigned_abs()) {
        notes.push(format!("clock {}{offset} ms", if offset < 0 { "" } else { "+" }));
    }
    notes
}

/// For programs: id, region, provider, mode, votes, store generation, agreement, version.
fn fields(peers: &[Peer]) -> Table {
    let mut table = Table::new(&["ID", "REGION", "PROVIDER", "MODE", "VOTES", "STORE", "AGREEMENT", "VERSION"]);
    for peer in peers {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row([
            peer.id.as_str().into(),
            text(&peer.region).into(),
            text(&peer.provider).into(),
            text(&peer.mode).into(),
            peer.votes.to_string().into(),
            peer.store_generation.map(|generation| generation.to_string()).unwrap_or_default().into(),
            peer.agreement.as_str().into(),
            text(&peer.version).into(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_should_know_of_a_node_is_noted() {
        let peer = Peer { suspect: true, behind: Some(3), clock_offset_ms: Some(-7_000), ..Peer::default() };
        assert_eq!(notes(&peer), ["what it sees is contradicted", "3 behind", "clock -7000 ms"]);
        let peer = Peer { behind: Some(0), clock_offset_ms: Some(900), ..Peer::default() };
        assert!(notes(&peer).is_empty());
    }
}
