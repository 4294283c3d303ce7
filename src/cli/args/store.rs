//! Words and flags of the verbs around the store.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::Manner;

pub(in crate::cli) const BACKUP_EXAMPLES: &str = "Examples:
  wayshift store backup /var/backups/wayshift.backup
  wayshift store backup --replace nightly.backup && wayshift store verify nightly.backup";

pub(in crate::cli) const VERIFY_EXAMPLES: &str = "Examples:
  wayshift store verify                         # the store that the configuration names
  wayshift store verify nightly.backup
Ends with 0 if all is whole, 1 if something is not, 69 if etcd is not reached.";

pub(in crate::cli) const DUMP_EXAMPLES: &str = "Examples:
  wayshift store dump | less
  wayshift store dump nightly.backup -o json | jq '.audit[-1]'";

pub(in crate::cli) const RESTORE_EXAMPLES: &str = "Examples:
  wayshift store restore --dry-run nightly.backup
  wayshift store restore nightly.backup --reason \"INC-123 the disk is gone\"";

pub(in crate::cli) const MIGRATE_EXAMPLES: &str = "Examples:
  wayshift store migrate --to etcd --dry-run
  wayshift store migrate --to etcd --reason \"CHG-7 a second region\"
  wayshift store migrate --to etcd --abort      # the embedded store takes orders again
What was cut off goes on when the same command is given again.";

/// Which store is meant.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Store")]
pub(in crate::cli) struct Whose {
    /// The configuration that names the store [env: WAYSHIFT_CONFIG] [default: ./wayshift.toml, /etc/wayshift/wayshift.toml]
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// The embedded store in `[store] path`, although the configuration names etcd
    #[arg(long)]
    pub(in crate::cli) embedded: bool,
}

/// Words and flags of `store backup`.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file to write
    pub(in crate::cli) file: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `store verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A backup; without it the store itself, and what the node keeps beside it
    #[arg(conflicts_with_all = ["config", "embedded"])]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `store dump`.
#[derive(Debug, Args)]
pub struct DumpArgs {
    /// A backup; without it the store itself
    #[arg(conflicts_with_all = ["config", "embedded"])]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `store restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The backup
    pub(in crate::cli) file: PathBuf,
    /// Why, for the audit
    #[arg(long, short, value_name = "TEXT", required_unless_present = "dry_run")]
    pub(in crate::cli) reason: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show what it holds and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    #[command(flatten)]
    pub(in crate::cli) whose: Whose,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Where a store can be moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Destination {
    /// The one that `[store.etcd]` names.
    Etcd,
}

/// Words and flags of `store migrate`.
#[derive(Debug, Args)]
#[cfg_attr(not(feature = "etcd"), allow(dead_code, reason = "a program without etcd only says that it is"))]
pub struct MigrateArgs {
    /// Where to; the configuration's `[store.etcd]` says where that is
    #[arg(long, value_enum, value_name = "STORE")]
    pub(in crate::cli) to: Destination,
    /// Give up a move that has not arrived
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) abort: bool,
    /// Why, for the audit
    #[arg(long, short, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show what would be moved and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// The configuration that names both stores [env: WAYSHIFT_CONFIG] [default: ./wayshift.toml, /etc/wayshift/wayshift.toml]
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}
