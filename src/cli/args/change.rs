//! Verbs around the configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{At, Manner};
use crate::model::{NodeId, Span};

pub(in crate::cli) const CHECK_EXAMPLES: &str = "Examples:
  wayshift check
  wayshift check ./wayshift.toml --strict
  wayshift check --explain E012";

/// Words and flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The file; without it WAYSHIFT_CONFIG, ./wayshift.toml, /etc/wayshift/wayshift.toml
    pub(in crate::cli) file: Option<PathBuf>,
    /// Warnings count as errors
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Tell what a code means
    #[arg(long, value_name = "CODE", conflicts_with = "file")]
    pub(in crate::cli) explain: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

pub(in crate::cli) const RELOAD_EXAMPLES: &str = "Examples:
  wayshift check && wayshift reload
  wayshift reload --accept 5f0e8a11c2d34b67     # a plan beyond the reload guard that you have looked at
  wayshift reload --previous                    # back to the configuration before
  wayshift reload --canary eu-1 --watch 60s     # a fleet: one node first, and back if anything is amiss";

/// Flags of `reload`.
#[derive(Debug, Args)]
pub struct ReloadArgs {
    /// Pass the reload guard with the plan that was looked at
    #[arg(long, value_name = "PLAN", conflicts_with = "previous")]
    pub(in crate::cli) accept: Option<String>,
    /// Go back to the configuration that was accepted before the one in effect
    #[arg(long)]
    pub(in crate::cli) previous: bool,
    /// Let this node try it first; the others take it when nothing was amiss, else it goes back
    #[arg(long, value_name = "NODE", conflicts_with = "previous")]
    pub(in crate::cli) canary: Option<NodeId>,
    /// For how long the first one is watched; 60s without this
    #[arg(long, value_name = "DURATION", requires = "canary")]
    pub(in crate::cli) watch: Option<Span>,
    /// Do not wait for the end of a staged reload
    #[arg(long, requires = "canary")]
    pub(in crate::cli) no_wait: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Verbs of the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigVerb {
    /// Show the configuration with its defaults; secrets are redacted
    #[command(after_help = "Examples:
  wayshift config show                       # what the node runs
  wayshift config show ./wayshift.toml       # what a file means")]
    Show(ShowConfigArgs),
    /// Print the JSON schema, for editors
    #[command(after_help = "Example:\n  wayshift config schema > wayshift.schema.json")]
    Schema(SchemaArgs),
}

/// Words and flags of `config show`.
#[derive(Debug, Args)]
pub struct ShowConfigArgs {
    /// A file instead of the node's own
    #[arg(conflicts_with = "config")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// The same as a flag
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Flags of `config schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

impl ShowConfigArgs {
    /// The file that is named, if one is.
    pub(in crate::cli) fn path(&self) -> Option<&std::path::Path> {
        self.file.as_deref().or(self.config.as_deref())
    }
}

/// Where a draft comes from.
#[derive(Debug, Subcommand)]
pub enum ImportFrom {
    /// A zone of octoDNS (YAML)
    #[command(after_help = "Examples:
  wayshift import octodns config/example.com.yaml
  wayshift import octodns config/example.com.yaml --out draft")]
    Octodns(ImportArgs),
    /// gdnsd's folder: config and zones/
    #[command(after_help = "Example:\n  wayshift import gdnsd /etc/gdnsd --out draft")]
    Gdnsd(ImportArgs),
    /// A master file, as BIND, NSD and Knot have it
    #[command(after_help = "Examples:
  wayshift import bind db.example.com --out draft
  wayshift import bind named.root.db --zone example.com")]
    Bind(ImportArgs),
}

impl ImportFrom {
    /// Words and flags, whatever it comes from.
    pub(in crate::cli) fn args(&self) -> &ImportArgs {
        match self {
            Self::Octodns(args) | Self::Gdnsd(args) | Self::Bind(args) => args,
        }
    }
}

/// Words and flags of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The file, or gdnsd's folder
    pub(in crate::cli) path: PathBuf,
    /// The zone's name; by default what a master file says of itself, else the file's name
    #[arg(long, value_name = "ZONE")]
    pub(in crate::cli) zone: Option<String>,
    /// Write the draft into this folder instead of printing it
    #[arg(long, value_name = "FOLDER")]
    pub(in crate::cli) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}
