//! `reload`: lets the node read its configuration again.

use super::{
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, table::Table},
    status::counted,
    wire::Reloaded,
};

/// Reloads and shows what changed. A file with errors changes nothing; its problems come with the refusal.
pub(super) async fn run(client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let reply = client.send(Ask::post(&["v1", "config", "reload"], None)).await?;
    let reloaded: Reloaded = reply.parsed()?;
    screen.show(&reply.body, |_| Ok(page(&reloaded)), || Ok(fields(&reloaded)))?;
    for warning in &reloaded.warnings {
        screen.say(&format!("warning: {warning}"));
    }
    Ok(Exit::Done)
}

fn page(reloaded: &Reloaded) -> String {
    if !reloaded.changed {
        return "read again; nothing changed\n".into();
    }
    let mut text = String::new();
    for change in &reloaded.changes {
        let sign = match change.how.as_str() {
            "added" => "+",
            "removed" => "-",
            _ => "~",
        };
        let name = format!("{}.{}", change.kind, change.id);
        text.push_str(&format!("{sign} {}\n", super::screen::safe::cell(&name)));
    }
    text.push_str(&format!("in force; {}\n", counted(reloaded.changes.len(), "change")));
    text
}

fn fields(reloaded: &Reloaded) -> Table {
    let mut table = Table::new(&["HOW", "KIND", "ID"]);
    for change in &reloaded.changes {
        table.row([change.how.as_str().into(), change.kind.as_str().into(), change.id.as_str().into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_listed_with_their_sign() {
        let reloaded: Reloaded = serde_json::from_str(
            r#"{"changed":true,"before":"a","after":"b","changes":[{"how":"added","kind":"endpoint","id":"gcp-aps"},
            {"how":"removed","kind":"pool","id":"eu"},{"how":"changed","kind":"service","id":"www"}]}"#,
        )
        .unwrap();
        assert_eq!(page(&reloaded), "+ endpoint.gcp-aps\n- pool.eu\n~ service.www\nin force; 3 changes\n");
        assert_eq!(page(&Reloaded::default()), "read again; nothing changed\n");
    }
}
