//! `reload`: lets the node read its configuration again.

use super::{
    args::change::ReloadArgs,
    client::{Ask, Client},
    ending::{Exit, Failure},
    screen::{Screen, paint::Paint, table::Table},
    status::counted,
    wire::Reloaded,
};

/// Reloads and shows what changed. A file with errors changes nothing; its problems come with the refusal.
pub(super) async fn run(args: &ReloadArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let mut ask = Ask::post(&["v1", "config", "reload"], None);
    if let Some(plan) = &args.accept {
        ask = ask.with("accept", plan);
    }
    if args.previous {
        ask = ask.with("previous", "true");
    }
    let reply = client.reply(&ask).await?;
    if 300 <= reply.status {
        // What is held is shown, so that it can be accepted knowingly.
        if let Some(plan) = reply.problem().plan {
            screen.say(super::foresight::plan::page(&plan, Paint(false)).trim_end());
        }
        return Err(reply.failure());
    }
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
