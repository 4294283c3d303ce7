//! The command line as typed: verbs, their words and flags. What they mean is in the file of each verb.

pub(super) mod change;
pub(super) mod foresight;
pub(super) mod look;
pub(super) mod operate;
pub(super) mod store;
pub(super) mod traffic;

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::model::Span;

/// Moves traffic off a broken cloud in seconds, by DNS.
#[derive(Debug, Parser)]
#[command(name = "wayshift", version, disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The servers, and everything else.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a node: probe, decide, answer DNS
    #[command(after_help = "Example:\n  wayshift serve --config /etc/wayshift/wayshift.toml")]
    Serve(operate::ServeArgs),
    /// See a failover in a minute, on this machine alone
    #[command(after_help = "Examples:\n  wayshift demo\n  wayshift demo --once      # tell the story and exit")]
    Demo(operate::DemoArgs),
    /// A client of a running node, or a tool on files.
    #[command(flatten)]
    Verb(Verb),
}

/// Everything but the servers: runs, prints and ends.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What is up, what answers, what is overridden
    #[command(after_help = look::STATUS_EXAMPLES)]
    Status(look::StatusArgs),
    /// Why a name is answered as it is
    #[command(after_help = look::EXPLAIN_EXAMPLES)]
    Explain(look::ExplainArgs),
    /// What happened, or happens
    #[command(after_help = look::EVENTS_EXAMPLES)]
    Events(look::EventsArgs),
    /// How available things were, and what one more region or a lower TTL would buy
    #[command(after_help = look::AVAILABILITY_EXAMPLES)]
    Availability(look::AvailabilityArgs),
    /// Probe an endpoint now and show where the time goes
    #[command(after_help = "Example:\n  wayshift probe aws-use")]
    Probe(look::ProbeArgs),
    /// Take endpoints out gently
    #[command(after_help = traffic::DRAIN_EXAMPLES)]
    Drain(traffic::DrainArgs),
    /// Show what a failure, a drain or another configuration would do
    #[command(after_help = foresight::SIMULATE_EXAMPLES)]
    Simulate(foresight::SimulateArgs),
    /// End the overrides of a selector
    #[command(after_help = traffic::RESTORE_EXAMPLES)]
    Restore(traffic::RestoreArgs),
    /// Set, list, show, extend and clear overrides
    #[command(subcommand)]
    Override(traffic::OverrideVerb),
    /// Find every problem of a configuration file
    #[command(after_help = change::CHECK_EXAMPLES)]
    Check(change::CheckArgs),
    /// Draft a configuration from what another server runs
    #[command(subcommand)]
    Import(change::ImportFrom),
    /// Run a configuration's own tests
    #[command(after_help = foresight::TEST_EXAMPLES)]
    Test(foresight::TestArgs),
    /// Show what a configuration would change, in answers
    #[command(after_help = foresight::PLAN_EXAMPLES)]
    Plan(foresight::PlanArgs),
    /// Let the node read its configuration again
    #[command(after_help = change::RELOAD_EXAMPLES)]
    Reload(change::ReloadArgs),
    /// Show the configuration in force, or its JSON schema
    #[command(subcommand)]
    Config(change::ConfigVerb),
    /// Make tokens of the admin API
    #[command(subcommand)]
    Token(operate::TokenVerb),
    /// See the other nodes, and forget those that are gone for good
    #[command(subcommand)]
    Node(operate::NodeVerb),
    /// Back up, verify, move and restore the store, and decide about one that is held
    #[command(subcommand)]
    Store(operate::StoreVerb),
    /// Write a zone for another server, with the current answers
    #[command(subcommand)]
    Export(operate::ExportVerb),
    /// Print the completions of a shell
    #[command(after_help = "Example:\n  wayshift completions bash > /etc/bash_completion.d/wayshift")]
    Completions(operate::CompletionsArgs),
    /// Write the manual pages
    #[command(after_help = "Examples:\n  wayshift man | man -l -\n  wayshift man /usr/share/man/man1")]
    Man(operate::ManArgs),
    /// Print the version
    #[command(after_help = "Example:\n  wayshift version -o json")]
    Version(operate::VersionArgs),
}

/// Which node is asked, and with what token.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Node")]
pub(super) struct At {
    /// The node's admin API [env: WAYSHIFT_NODE_URL]
    #[arg(long = "node", value_name = "URL", conflicts_with = "socket")]
    pub(super) url: Option<String>,
    /// The node's Unix socket [default: /run/wayshift/admin.sock, $XDG_RUNTIME_DIR/wayshift/admin.sock]
    #[arg(long, value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// A file with the token; not needed on a socket
    #[arg(long, value_name = "FILE", env = "WAYSHIFT_TOKEN_FILE", hide_env_values = true)]
    pub(super) token_file: Option<std::ffi::OsString>,
    /// How long to wait for the node
    #[arg(long, value_name = "DURATION", default_value = "30s")]
    pub(super) timeout: Span,
}

/// How results are written.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Manner {
    /// How data is written; json is exactly the body of the API
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value_t)]
    pub(super) output: Format,
    /// When to use colour; NO_COLOR is honoured
    #[arg(long, value_enum, value_name = "WHEN", default_value_t)]
    pub(super) color: Colour,
    /// No messages but errors
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// Exactly the API's body.
    Json,
    /// One JSON text a line.
    Jsonl,
    /// YAML.
    Yaml,
    /// Fields separated by tabs, without heading.
    Plain,
}

/// When colour is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The verbs by what one wants; a test holds that each verb stands in one group.
const GROUPS: [(&str, &[&str]); 4] = [
    ("Look", &["status", "explain", "events", "probe", "availability"]),
    ("Move traffic", &["drain", "restore", "override", "simulate"]),
    ("Change config", &["check", "test", "plan", "reload", "config", "import"]),
    ("Operate", &["serve", "demo", "node", "store", "token", "export", "completions", "man", "version"]),
];

/// The command with its grouped help.
pub(super) fn command() -> clap::Command {
    let command = Cli::command();
    let mut groups = String::new();
    for (title, verbs) in GROUPS {
        groups.push_str(&format!("{title}:\n"));
        for verb in verbs {
            let about = command.find_subcommand(verb).and_then(clap::Command::get_about).map(ToString::to_string);
            groups.push_str(&format!("  {verb:<12} {}\n", about.unwrap_or_default()));
        }
        groups.push('\n');
    }
    command.help_template(format!(
        "{{about}}\n\nUsage: wayshift <verb> [words] [flags]\n\n{groups}Flags:\n{{options}}\n\n\
         `wayshift <verb> --help` shows examples. Exit codes: 0 done, 1 failed, 2 usage, 3 not up, a test fails or a plan changes\n\
         something, 4 not allowed,\n\
         5 timed out, 6 refused by a safety rule, 69 no node answers, 78 configuration with errors."
    ))
}

/// Reads the process's command line. Ends the process on `--help`, `--version` (0) and on a mistake (2).
#[must_use]
pub fn parse() -> Cli {
    let matches = command().get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, verbs)| verbs.iter().copied()).collect();
        grouped.sort_unstable();
        let command = Cli::command();
        let mut verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        verbs.sort_unstable();
        assert_eq!(grouped, verbs);
    }

    #[test]
    fn the_definition_is_sound_and_every_verb_has_an_example() {
        command().debug_assert();
        fn leaves(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            if command.has_subcommands() {
                command.get_subcommands().for_each(|inner| leaves(inner, &path));
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains(path.trim()), "{path} has no example");
                assert!(command.get_about().is_some(), "{path}");
            }
        }
        leaves(&command(), "");
    }

    #[test]
    fn help_shows_the_groups() {
        let help = command().render_help().to_string();
        for (title, _) in GROUPS {
            assert!(help.contains(&format!("\n{title}:\n")), "{help}");
        }
        assert!(help.contains("  drain        Take endpoints out gently"), "{help}");
    }
}
