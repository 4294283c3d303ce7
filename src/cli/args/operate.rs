//! Verbs around the program itself.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::{At, Manner, store};
use crate::model::{NodeId, RegionId};

/// Flags of `serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The file; without it ./wayshift.toml, /etc/wayshift/wayshift.toml
    #[arg(long, short, value_name = "FILE", env = "WAYSHIFT_CONFIG")]
    pub config: Option<PathBuf>,
    /// A file with errors ends the start (78), even when an earlier one was accepted
    #[arg(long)]
    pub strict_config: bool,
    /// This node's name; stands before `[node] name`
    #[arg(long, value_name = "NAME", env = "WAYSHIFT_NODE")]
    pub node: Option<NodeId>,
    /// This node's region; stands before `[node] region`
    #[arg(long, value_name = "REGION", env = "WAYSHIFT_REGION")]
    pub region: Option<RegionId>,
    /// Stands before `[telemetry] log.level`
    #[arg(long, value_name = "LEVEL", env = "WAYSHIFT_LOG_LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub log_level: Option<String>,
}

/// Flags of `demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Tell the story and exit: 0 if every step happened
    #[arg(long)]
    pub once: bool,
    /// Where DNS answers
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5300")]
    pub dns: SocketAddr,
    /// Where the admin API answers
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8653")]
    pub admin: SocketAddr,
}

/// Verbs of tokens.
#[derive(Debug, Subcommand)]
pub enum TokenVerb {
    /// Print the hash of a token, for `[[admin.token]]`
    #[command(after_help = "Examples:
  wayshift token hash --new --name grafana     # makes a token, prints it once
  wayshift token hash < token                  # hashes a token of yours")]
    Hash(HashArgs),
}

/// Flags of `token hash`.
#[derive(Debug, Args)]
pub struct HashArgs {
    /// Make a token instead of reading one from the standard input
    #[arg(long)]
    pub(in crate::cli) new: bool,
    /// What the token is called, in the lines to paste and in the audit
    #[arg(long, value_name = "NAME", requires = "new")]
    pub(in crate::cli) name: Option<String>,
    /// What it may do, in the lines to paste
    #[arg(long, value_name = "ROLE", requires = "new", default_value = "viewer", value_parser = ["peer", "viewer", "operator", "admin"])]
    pub(in crate::cli) role: String,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Whose
    #[arg(value_enum)]
    pub(in crate::cli) shell: clap_complete::Shell,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// A folder for a page of each verb; without it the main page is printed
    pub(in crate::cli) folder: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Flags of `version`.
#[derive(Debug, Args)]
pub struct VersionArgs {
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Verbs of nodes.
#[derive(Debug, Subcommand)]
pub enum NodeVerb {
    /// Every node of the fleet, as the one that is asked sees them
    #[command(after_help = "Example:\n  wayshift node list")]
    List(NodeListArgs),
    /// Take a node that is gone for good out of what this one knows
    #[command(after_help = "Example:\n  wayshift node forget us-2")]
    Forget(NodeForgetArgs),
}

impl NodeVerb {
    /// How it writes, and which node is asked.
    pub(in crate::cli) fn flags(&self) -> (&Manner, Option<&At>) {
        match self {
            Self::List(args) => (&args.manner, Some(&args.at)),
            Self::Forget(args) => (&args.manner, Some(&args.at)),
        }
    }
}

/// Flags of `node list`.
#[derive(Debug, Args)]
pub struct NodeListArgs {
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `node forget`.
#[derive(Debug, Args)]
pub struct NodeForgetArgs {
    /// Which
    pub(in crate::cli) node: NodeId,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Verbs of the store.
#[derive(Debug, Subcommand)]
pub enum StoreVerb {
    /// Let a held store go on from what this node knows, for all nodes
    #[command(after_help = "Examples:
  wayshift store adopt --dry-run
  wayshift store adopt --reason \"INC-123 etcd was restored from yesterday's backup\"")]
    Adopt(AdoptArgs),
    /// Copy overrides and audit of one moment into a file, while nodes run
    #[command(after_help = store::BACKUP_EXAMPLES)]
    Backup(store::BackupArgs),
    /// Say whether a store or a backup is whole, and what is wrong where
    #[command(after_help = store::VERIFY_EXAMPLES)]
    Verify(store::VerifyArgs),
    /// Print overrides and audit, without secrets
    #[command(after_help = store::DUMP_EXAMPLES)]
    Dump(store::DumpArgs),
    /// Make a backup the store, where there is none
    #[command(after_help = store::RESTORE_EXAMPLES)]
    Restore(store::RestoreArgs),
    /// Move the embedded store to one that nodes share, while the node answers
    #[command(after_help = store::MIGRATE_EXAMPLES)]
    Migrate(store::MigrateArgs),
}

impl StoreVerb {
    /// How it writes, and which node is asked; the others are tools on the store itself.
    pub(in crate::cli) fn flags(&self) -> (&Manner, Option<&At>) {
        match self {
            Self::Adopt(args) => (&args.manner, Some(&args.at)),
            Self::Backup(args) => (&args.manner, None),
            Self::Verify(args) => (&args.manner, None),
            Self::Dump(args) => (&args.manner, None),
            Self::Restore(args) => (&args.manner, None),
            Self::Migrate(args) => (&args.manner, None),
        }
    }
}

/// Flags of `store adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// Why, for the audit
    #[arg(long, short, value_name = "TEXT", required_unless_present = "dry_run")]
    pub(in crate::cli) reason: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show what it would go on with and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// What a zone is written as.
#[derive(Debug, Subcommand)]
pub enum ExportVerb {
    /// A master file with the answers of the moment
    #[command(after_help = "Example:\n  wayshift export zone gslb.example.com > gslb.example.com.zone")]
    Zone(ExportArgs),
    /// A zone of octoDNS, with pools, weights and rules for networks and places
    #[command(after_help = "Example:\n  wayshift export octodns gslb.example.com > gslb.example.com.yaml")]
    Octodns(ExportArgs),
}

impl ExportVerb {
    /// Words and flags, whatever it is written as.
    pub(in crate::cli) fn args(&self) -> &ExportArgs {
        match self {
            Self::Zone(args) | Self::Octodns(args) => args,
        }
    }
}

/// Words and flags of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The zone; not needed where there is one
    pub(in crate::cli) zone: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}
