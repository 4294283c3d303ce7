//! `reload --abort`: a person ends a staged reload before its time.

use tokio::time::{Duration, Instant, sleep};

use super::{
    super::{
        args::change::ReloadArgs,
        client::{Ask, Client},
        ending::{Exit, Failure},
        screen::{Screen, safe},
        wire::{Page, Peer},
    },
    stages,
    wire::Rollout,
};

/// Who has to go back has done so within this time: a look every half second, and a reload.
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// Nodes are asked this often.
const ASK_EVERY: Duration = Duration::from_millis(300);

/// Ends it, and waits until no node that is heard has the new configuration in force.
pub(super) async fn run(args: &ReloadArgs, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    let ask = Ask::delete(&["v1", "config", "rollout"]);
    let ask = match &args.reason {
        Some(reason) => ask.with("reason", reason),
        None => ask,
    };
    let reply = client.send(ask).await?;
    let ended: Rollout = reply.parsed()?;
    let line = format!("configuration {}: {}{}", ended.config, ended.stage, ended.told());
    screen.show(&reply.body, |_| Ok(format!("{}\n", safe::line(&line))), || Ok(stages(&ended)))?;
    if args.no_wait {
        return Ok(Exit::Done);
    }
    let deadline = Instant::now() + BACK_WITHIN;
    loop {
        let left = having(&ended.config, client).await;
        match &left {
            Ok(left) if left.is_empty() => {
                screen.note("the configuration before is in force on every node that is heard");
                return Ok(Exit::Done);
            }
            Ok(_) | Err(_) if Instant::now() < deadline => sleep(ASK_EVERY).await,
            Ok(left) => {
                let text = format!("it is ended, and still in force on {}", safe::line(&left.join(", ")));
                return Err(Failure::new(Exit::TimedOut, text).hint(
                    "had they taken it before it was staged, it is theirs; `wayshift node list` shows who differs",
                ));
            }
            Err(_) => {
                return Err(Failure::new(Exit::TimedOut, "it is ended; whether all went back this node does not say")
                    .hint("`wayshift node list` shows who differs"));
            }
        }
    }
}

/// Nodes that are heard and have a configuration in force.
async fn having(config: &str, client: &Client) -> Result<Vec<String>, Failure> {
    let peers: Page<Peer> = client.send(Ask::get(&["v1", "nodes"])).await?.parsed()?;
    let heard = peers.items.into_iter().filter(|peer| peer.agreement != "unheard");
    Ok(heard.filter(|peer| peer.config.as_deref() == Some(config)).map(|peer| peer.id).collect())
}
