//! The demo: endpoints in three regions at two providers, three vantages that vote, DNS and admin API, in one process
//! and on loopback alone. It tells the story of an outage as it happens, then goes on serving.

mod stage;
mod story;
mod tell;

use std::{process::ExitCode, sync::Arc};

use tokio::runtime::Builder;

use self::story::Story;
use crate::{
    cli::DemoArgs,
    config,
    control::Identity,
    node::{self, Boot, Node, Vantage},
    probe,
    store::{BallotBus, bus::InProcessBus},
    telemetry::log,
};

/// The configuration, as an operator would write it.
pub const CONFIG: &str = include_str!("../config/demo.toml");
/// Which networks the demo takes to be where, beside the configuration.
const NETS: &str = include_str!("../config/demo-nets.csv");
/// The endpoints, in the order of the configuration's variables `DEMO_EP_1` and so on.
const ENDPOINTS: [&str; 6] = ["aws-use", "gcp-use", "aws-euw", "gcp-euw", "aws-aps", "gcp-aps"];
/// Vantages beside the node: name, region, provider.
const VANTAGES: [(&str, &str, &str); 2] = [("us-1", "us-east", "gcp"), ("ap-1", "ap-se", "aws")];

/// Runs the demo: 0 if every step of the story happened (and, without `--once`, it was ended by a person).
#[must_use]
pub fn run(args: &DemoArgs) -> ExitCode {
    log::start(tracing::Level::ERROR, log::Format::Auto);
    let runtime = match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("the system gives no threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(play(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the demo ends: {error:#}");
            if format!("{error:#}").contains("is taken") {
                eprintln!("hint: --dns 127.0.0.1:0 --admin 127.0.0.1:0 takes free ports");
            }
            ExitCode::FAILURE
        }
    }
}

async fn play(args: &DemoArgs) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("wayshift-demo-").tempdir()?;
    let mut actors = stage::start(&ENDPOINTS).await?;
    let store = folder.path().join("store");
    let socket = folder.path().join("admin.sock");
    let nets = folder.path().join("nets.csv");
    std::fs::write(&nets, NETS)?;
    let variable = |name: &str| match name {
        "DEMO_DNS" => Some(args.dns.to_string()),
        "DEMO_ADMIN" => Some(args.admin.to_string()),
        "DEMO_SOCKET" => Some(format!("unix:{}", socket.display())),
        "DEMO_NETS" => Some(nets.display().to_string()),
        "DEMO_STORE" => Some(store.display().to_string()),
        "WAYSHIFT_NODE" => Some("eu-1".into()),
        "WAYSHIFT_REGION" => Some("eu-west".into()),
        other => {
            let number: usize = other.strip_prefix("DEMO_EP_")?.parse().ok()?;
            actors.get(number.checked_sub(1)?).map(|actor| actor.address.to_string())
        }
    };
    // The file lies in the demo's own folder, so that it can be changed and reloaded.
    let file = folder.path().join("wayshift.toml");
    let written = expanded(CONFIG, &variable);
    std::fs::write(&file, &written)?;
    let env: node::boot::Env = Arc::new(|name: &str| match name {
        "WAYSHIFT_NODE" => Some("eu-1".into()),
        "WAYSHIFT_REGION" => Some("eu-west".into()),
        _ => None,
    });
    let mut loaded =
        config::load(&file, &*env).map_err(|problems| anyhow::anyhow!("its configuration:\n{problems}"))?;
    let fleet = Arc::clone(&loaded.fleet);
    let bus: Arc<dyn BallotBus> = Arc::new(InProcessBus::default());
    let copies = std::mem::take(&mut loaded.copies);
    let boot = Boot {
        loaded: Arc::new(loaded),
        copies,
        file,
        stale: None,
        held_back: None,
        env,
        lookup: Arc::new(probe::System::new()),
    };
    let running = Node::start(boot, Arc::clone(&bus)).await?;
    let mut vantages = Vec::new();
    for (name, region, provider) in VANTAGES {
        let identity =
            Identity { node: name.parse()?, region: Some(region.parse()?), provider: Some(provider.parse()?) };
        vantages.push(Vantage::start(identity, Arc::clone(&fleet), Arc::clone(&bus)));
    }
    let story = Story::new(&running, socket, folder.path());
    let (tell_end, told) = tokio::sync::oneshot::channel();
    let (once, snapshot) = (args.once, running.snapshot());
    let telling = async move {
        let outcome = story.tell(&mut actors, snapshot).await;
        match (once, outcome) {
            (true, outcome) => outcome,
            (false, Err(error)) => {
                // The story failed; what it was told about still serves, and that is what the person came for.
                tell::line(&format!("the story broke off: {error:#}"));
                node::asked_to_stop().await;
                Err(error)
            }
            (false, Ok(())) => {
                story.goes_on();
                node::asked_to_stop().await;
                Ok(())
            }
        }
    };
    let telling = async move {
        // Nobody listens only if the node broke first, and that is told below.
        let _ = tell_end.send(telling.await);
    };
    let exit = running.run(telling).await;
    for vantage in vantages {
        vantage.end().await;
    }
    match (exit, told.await) {
        (node::Exit::Broken(name), _) => anyhow::bail!("{name} ended by itself"),
        (node::Exit::Asked, Ok(outcome)) => outcome,
        (node::Exit::Asked, Err(_)) => anyhow::bail!("the story was not told"),
    }
}

/// The demo's own variables put in, so that the file in its folder stands by itself.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((inside, tail)) = after.split_once('}') else { break };
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        out.push_str(&variable(name).unwrap_or_else(|| default.to_owned()));
        rest = tail;
    }
    out.push_str(rest);
    out
}
