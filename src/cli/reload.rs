//! `reload`: lets the node read its configuration again.

mod wire;

use tokio::time::{Duration, Instant, sleep};

use self::wire::Rollout;
use super::{
    args::change::ReloadArgs,
    client::{Ask, Client, Reply},
    ending::{Exit, Failure},
    screen::{Screen, paint::Paint, safe, table::Table},
    status::counted,
    wire::Reloaded,
};

/// Reloads and shows what changed. A file with errors changes nothing; its problems come with the refusal.
pub(super) async fn run(args: &ReloadArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let mut ask = Ask::post(&["v1", "config", "reload"], None);
    if let Some(canary) = &args.canary {
        ask = ask.with("canary", canary.to_string());
    }
    if let Some(watch) = &args.watch {
        ask = ask.with("watch", watch.to_string());
    }
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
    if args.canary.is_some() {
        return follow(&reply, args.no_wait, client, screen).await;
    }
    let reloaded: Reloaded = reply.parsed()?;
    screen.show(&reply.body, |_| Ok(page(&reloaded)), || Ok(fields(&reloaded)))?;
    for warning in &reloaded.warnings {
        screen.say(&format!("warning: {warning}"));
    }
    Ok(Exit::Done)
}

/// Tells how a staged reload goes, until it is over. It goes on whoever looks.
async fn follow(begun: &Reply, no_wait: bool, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let mut now: Rollout = begun.parsed()?;
    let mut body = begun.body.clone();
    // What is asked meanwhile may fail for a while: a node restarts, a store is away.
    let longest = now.watch.unwrap_or_default().0 + STAGES_MAX;
    let deadline = Instant::now() + longest;
    screen.note(&format!("{} tries configuration {}: {}", now.canary, now.config, now.stage));
    while !now.over && !no_wait {
        if deadline <= Instant::now() {
            return Err(Failure::new(Exit::TimedOut, "the staged reload goes on; `wayshift status` shows it"));
        }
        sleep(ASK_EVERY).await;
        let Ok(reply) = client.send(Ask::get(&["v1", "config", "rollout"])).await else { continue };
        let next: Rollout = reply.parsed()?;
        if next.id != now.id {
            // Of a moment before, or of a later one: then ours is over.
            if next.began <= now.began {
                continue;
            }
            return Err(Failure::new(Exit::Failed, "another staged reload has begun since"));
        }
        if next.stage != now.stage {
            screen.note(&safe::line(&format!("{}{}", next.stage, next.told())));
        }
        (now, body) = (next, reply.body);
    }
    let line = format!("configuration {}: {}{}\n", now.config, now.stage, now.told());
    screen.show(&body, |_| Ok(format!("{}\n", safe::line(line.trim_end()))), || Ok(stages(&now)))?;
    match now.stage.as_str() {
        "rolled-back" => Err(Failure::new(Exit::Failed, "nothing changed: the configuration before is in force")
            .hint("`wayshift events` has more; mend the file on every node and try again")),
        _ => Ok(Exit::Done),
    }
}

impl Rollout {
    fn told(&self) -> String {
        self.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
    }
}

/// For programs: stage, canary, configuration, why.
fn stages(rollout: &Rollout) -> Table {
    let mut table = Table::new(&["STAGE", "CANARY", "CONFIG", "WHY"]);
    let why = rollout.why.clone().unwrap_or_default();
    let (stage, canary, config) = (rollout.stage.as_str(), rollout.canary.as_str(), rollout.config.as_str());
    table.row([stage.into(), canary.into(), config.into(), why.into()]);
    table
}

/// All stages but the watch are over within this time.
const STAGES_MAX: Duration = Duration::from_secs(180);
/// A node is asked this often how it goes.
const ASK_EVERY: Duration = Duration::from_secs(1);

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
        text.push_str(&format!("{sign} {}\n", safe::cell(&name)));
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
