//! The command line: verbs that look, move traffic, change the configuration and operate.
//!
//! A verb is a client of a node's admin API or a tool on files; `serve` and `demo` alone are servers and left to `main`.
//! Data goes to stdout and messages to stderr; what came from elsewhere is made harmless for a terminal; the exit code
//! says what became of it. Each verb keeps deciding what to show (pure functions from the API's JSON to text, compared
//! with samples in tests) apart from asking and writing.
//!
//! Why the JSON is decoded into small structures of its own (`wire.rs`) and not into the types the API is made of: a
//! client meets nodes of other versions, so it must read leniently what the node must write strictly.

mod args;
mod availability;
mod client;
mod ending;
mod events;
mod explain;
mod export;
mod foresight;
mod import;
mod local;
mod nodes;
mod probe;
mod reload;
mod screen;
mod sse;
mod status;
mod store;
mod times;
mod token;
mod traffic;
mod wire;

use std::process::ExitCode;

pub use self::args::{
    Cli, Command, Verb,
    operate::{DemoArgs, ServeArgs},
    parse,
};
#[cfg(test)]
pub(crate) use self::events::read_event;
pub use self::local::place::{NoFile, config_file, variable};
use self::{
    args::{At, Manner, change::ConfigVerb, operate::TokenVerb, traffic::OverrideVerb},
    client::{
        Client,
        door::{Door, Surroundings},
    },
    ending::{Exit, Failure},
    screen::Screen,
};

/// Runs a verb to its end. Everything is printed; the code is for scripts and listed in `wayshift --help`.
#[must_use]
pub fn run(verb: &Verb) -> ExitCode {
    let (manner, _) = flags(verb);
    let mut screen = Screen::of_process(manner);
    match act(verb, &mut screen) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.what.is_empty() {
                screen.say(&failure.to_string());
            }
            failure.exit.into()
        }
    }
}

fn act(verb: &Verb, screen: &mut Screen) -> Result<Exit, Failure> {
    match verb {
        Verb::Check(args) => local::check::run(args, screen),
        Verb::Test(args) => foresight::test::run(args, screen),
        Verb::Plan(args) if args.against.is_some() => foresight::plan::offline(args, screen),
        Verb::Config(ConfigVerb::Schema(_)) => local::config::schema(screen),
        Verb::Config(ConfigVerb::Show(args)) if args.path().is_some() => local::config::show_file(args, screen),
        Verb::Import(from) => import::run(from, screen),
        Verb::Token(TokenVerb::Hash(args)) => token::run(args, screen),
        Verb::Completions(args) => local::about::completions(args, screen),
        Verb::Man(args) => local::about::man(args, screen),
        Verb::Version(_) => local::about::version(screen),
        Verb::Store(verb) if verb.flags().1.is_none() => store::tool(verb, screen),
        Verb::Status(_)
        | Verb::Explain(_)
        | Verb::Events(_)
        | Verb::Availability(_)
        | Verb::Export(_)
        | Verb::Node(_)
        | Verb::Store(_)
        | Verb::Probe(_)
        | Verb::Drain(_)
        | Verb::Restore(_)
        | Verb::Override(_)
        | Verb::Reload(_)
        | Verb::Plan(_)
        | Verb::Simulate(_)
        | Verb::Config(ConfigVerb::Show(_)) => {
            let at = flags(verb).1.expect("a verb that asks a node has the flags that name it");
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| Failure::new(Exit::Failed, format!("the run time does not start: {error}")))?;
            runtime.block_on(ask(verb, at, screen))
        }
    }
}

async fn ask(verb: &Verb, at: &At, screen: &mut Screen) -> Result<Exit, Failure> {
    let door = Door::find(at, &Surroundings::of_process())?;
    if let Some(warning) = door.warning() {
        screen.say(&warning);
    }
    converse(verb, &Client::new(door, at.timeout.0)?, screen).await
}

/// A verb with a node.
async fn converse(verb: &Verb, client: &Client, screen: &mut Screen) -> Result<Exit, Failure> {
    match verb {
        Verb::Status(args) => status::run(args, client, screen).await,
        Verb::Explain(args) => explain::run(args, client, screen).await,
        Verb::Events(args) => events::run(args, client, screen).await,
        Verb::Availability(args) => availability::run(args, client, screen).await,
        Verb::Export(verb) => export::run(verb, client, screen).await,
        Verb::Node(verb) => nodes::run(verb, client, screen).await,
        Verb::Store(verb) => store::run(verb, client, screen).await,
        Verb::Probe(args) => probe::run(args, client, screen).await,
        Verb::Drain(args) => traffic::drain(args, client, screen).await,
        Verb::Restore(args) => traffic::restore::run(args, client, screen).await,
        Verb::Override(OverrideVerb::Set(args)) => traffic::set(args, client, screen).await,
        Verb::Override(OverrideVerb::List(_)) => traffic::existing::list(client, screen).await,
        Verb::Override(OverrideVerb::Show(args)) => traffic::existing::show(args, client, screen).await,
        Verb::Override(OverrideVerb::Extend(args)) => traffic::existing::extend(args, client, screen).await,
        Verb::Override(OverrideVerb::Promote(args)) => traffic::existing::promote(args, client, screen).await,
        Verb::Override(OverrideVerb::Clear(args)) => traffic::existing::clear(args, client, screen).await,
        Verb::Reload(args) => reload::run(args, client, screen).await,
        Verb::Plan(args) => foresight::plan::run(args, client, screen).await,
        Verb::Simulate(args) => foresight::simulate::run(args, client, screen).await,
        Verb::Config(_) => local::config::show_node(client, screen).await,
        Verb::Check(_)
        | Verb::Test(_)
        | Verb::Import(_)
        | Verb::Token(_)
        | Verb::Completions(_)
        | Verb::Man(_)
        | Verb::Version(_) => Err(Failure::usage("this verb asks no node")),
    }
}

/// How a verb writes, and which node it asks if it asks one.
fn flags(verb: &Verb) -> (&Manner, Option<&At>) {
    match verb {
        Verb::Status(args) => (&args.manner, Some(&args.at)),
        Verb::Explain(args) => (&args.manner, Some(&args.at)),
        Verb::Events(args) => (&args.manner, Some(&args.at)),
        Verb::Availability(args) => (&args.manner, Some(&args.at)),
        Verb::Export(verb) => (&verb.args().manner, Some(&verb.args().at)),
        Verb::Node(verb) => verb.flags(),
        Verb::Store(verb) => verb.flags(),
        Verb::Import(from) => (&from.args().manner, None),
        Verb::Probe(args) => (&args.manner, Some(&args.at)),
        Verb::Drain(args) => (&args.manner, Some(&args.at)),
        Verb::Restore(args) => (&args.manner, Some(&args.at)),
        Verb::Override(OverrideVerb::Set(args)) => (&args.manner, Some(&args.at)),
        Verb::Override(OverrideVerb::List(args)) => (&args.manner, Some(&args.at)),
        Verb::Override(OverrideVerb::Show(args)) => (&args.manner, Some(&args.at)),
        Verb::Override(OverrideVerb::Extend(args)) => (&args.manner, Some(&args.at)),
        Verb::Override(OverrideVerb::Promote(args)) => (&args.manner, Some(&args.at)),
        Verb::Override(OverrideVerb::Clear(args)) => (&args.manner, Some(&args.at)),
        Verb::Check(args) => (&args.manner, None),
        Verb::Test(args) => (&args.manner, None),
        Verb::Plan(args) => (&args.manner, Some(&args.at)),
        Verb::Simulate(args) => (&args.manner, Some(&args.at)),
        Verb::Reload(args) => (&args.manner, Some(&args.at)),
        Verb::Config(ConfigVerb::Show(args)) => (&args.manner, Some(&args.at)),
        Verb::Config(ConfigVerb::Schema(args)) => (&args.manner, None),
        Verb::Token(TokenVerb::Hash(args)) => (&args.manner, None),
        Verb::Completions(args) => (&args.manner, None),
        Verb::Man(args) => (&args.manner, None),
        Verb::Version(args) => (&args.manner, None),
    }
}

#[cfg(test)]
mod tests;
