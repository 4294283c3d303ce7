//! Verbs that show an effect before it happens.

use std::path::PathBuf;

use clap::Args;

use super::{At, Manner};
use crate::model::Selector;

pub(in crate::cli) const PLAN_EXAMPLES: &str = "Examples:
  wayshift plan ./wayshift.toml                        # against the running node
  wayshift plan ./new.toml --against ./old.toml        # offline, with every endpoint up
  wayshift plan ./new.toml -o json | jq .names_total";

/// Words and flags of `plan`.
#[derive(Debug, Default, Args)]
pub struct PlanArgs {
    /// The new file; without it WAYSHIFT_CONFIG, ./wayshift.toml, /etc/wayshift/wayshift.toml
    #[arg(value_name = "NEW")]
    pub(in crate::cli) file: Option<PathBuf>,
    /// Compare with this file instead of a running node
    #[arg(long, value_name = "OLD")]
    pub(in crate::cli) against: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

pub(in crate::cli) const SIMULATE_EXAMPLES: &str = "Examples:
  wayshift simulate --down provider:aws
  wayshift simulate --drain region:eu-* --down endpoint:gcp-use
  wayshift simulate --down provider:aws --config ./new.toml";

/// Flags of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// As if these failed: provider:aws, region:eu-*, pool:us, endpoint:aws-use, service:www, label:tier=gold, all
    #[arg(long, value_name = "SELECTOR")]
    pub(in crate::cli) down: Vec<Selector>,
    /// As if these were drained
    #[arg(long, value_name = "SELECTOR")]
    pub(in crate::cli) drain: Vec<Selector>,
    /// As if this file were in effect
    #[arg(long, short, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

pub(in crate::cli) const TEST_EXAMPLES: &str = "Examples:
  wayshift test
  wayshift test ./wayshift.toml -o json";

/// Words and flags of `test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// The file; without it WAYSHIFT_CONFIG, ./wayshift.toml, /etc/wayshift/wayshift.toml
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}
