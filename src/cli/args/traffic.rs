//! Verbs that move traffic.

use clap::{Args, Subcommand, ValueEnum};

use super::{At, Manner};
use crate::model::{OverrideId, PoolId, Selector, Span, Wall};

pub(in crate::cli) const DRAIN_EXAMPLES: &str = "Examples:
  wayshift drain provider:aws --for 2h --reason \"INC-123 packet loss\"
  wayshift drain endpoint:aws-use pool:eu --reason \"cert swap\" --yes
  wayshift drain provider:aws --over 10m --reason slowly
  wayshift drain region:us-* --dry-run
  wayshift drain provider:aws --local --for 30m --reason INC-123    # etcd is gone: this node alone follows";

/// Words and flags of `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    /// What to take out: provider:aws, region:eu-*, pool:us, endpoint:aws-use, service:www, label:tier=gold, all
    #[arg(required = true, value_name = "SELECTOR")]
    pub(in crate::cli) targets: Vec<Selector>,
    #[command(flatten)]
    pub(in crate::cli) order: OrderArgs,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// What every order has: life, reason, care.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct OrderArgs {
    /// How long it holds; the configuration says how long without this
    #[arg(long = "for", value_name = "DURATION")]
    pub(in crate::cli) lasts: Option<Span>,
    /// From when on it holds (RFC 3339); now without this
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<Wall>,
    /// A drain goes out in steps over this time
    #[arg(long, value_name = "DURATION")]
    pub(in crate::cli) over: Option<Span>,
    /// Why, for the others and for the audit
    #[arg(long, short, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show the effect and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Pass a safety rule; it is audited
    #[arg(long)]
    pub(in crate::cli) force: bool,
    /// Where a safety rule refuses, leave that part out
    #[arg(long, conflicts_with = "force")]
    pub(in crate::cli) skip_unsafe: bool,
    /// On this node alone, for at most 1h, while the shared store is out of reach
    #[arg(long)]
    pub(in crate::cli) local: bool,
    /// Do not wait until the node's answers show it
    #[arg(long)]
    pub(in crate::cli) no_wait: bool,
}

pub(in crate::cli) const RESTORE_EXAMPLES: &str = "Examples:
  wayshift restore provider:aws
  wayshift restore all --yes";

/// Words and flags of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Every override whose target equals or lies inside these ends; so do holds that wait for a person
    #[arg(required = true, value_name = "SELECTOR")]
    pub(in crate::cli) targets: Vec<Selector>,
    /// Do not ask
    #[arg(long, short)]
    pub(in crate::cli) yes: bool,
    /// Show what would end and change nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Do not wait until the node's answers show it
    #[arg(long)]
    pub(in crate::cli) no_wait: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Verbs of overrides.
#[derive(Debug, Subcommand)]
pub enum OverrideVerb {
    /// Make an override
    #[command(after_help = "Examples:
  wayshift override set down endpoint:aws-use --for 1h --reason INC-123
  wayshift override set weight pool:eu --weight 10 --reason canary
  wayshift override set pin service:www --pool eu --reason \"move to Europe\"
  wayshift override set freeze all --for 30m --reason \"network work\"")]
    Set(SetArgs),
    /// List the overrides in force and planned
    #[command(after_help = "Example:\n  wayshift override list -o json")]
    List(ListArgs),
    /// Show one override
    #[command(after_help = "Example:\n  wayshift override show ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6")]
    Show(ShowArgs),
    /// Let overrides hold longer
    #[command(after_help = "Example:\n  wayshift override extend ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6 --for +1h")]
    Extend(ExtendArgs),
    /// Make overrides of this node alone the fleet's
    #[command(after_help = "Example:\n  wayshift override promote ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6")]
    Promote(PromoteArgs),
    /// End overrides
    #[command(after_help = "Example:\n  wayshift override clear ov_01JD8ZK3T0B6W9E1Q2R3S4T5V6 --reason \"fixed\"")]
    Clear(ClearArgs),
}

/// What an override does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Act {
    /// Out of the answers while another serves; still probed.
    Drain,
    /// Never answered.
    Down,
    /// In the answers whatever was measured.
    Up,
    /// Another weight.
    Weight,
    /// The service answers from this pool while it can.
    Pin,
    /// Automation changes nothing in scope.
    Freeze,
}

impl Act {
    /// The word the API knows it by.
    pub(in crate::cli) fn word(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Down => "down",
            Self::Up => "up",
            Self::Weight => "weight",
            Self::Pin => "pin",
            Self::Freeze => "freeze",
        }
    }
}

/// Words and flags of `override set`.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// What to order
    #[arg(value_enum)]
    pub(in crate::cli) action: Act,
    /// For what
    #[arg(value_name = "SELECTOR")]
    pub(in crate::cli) target: Selector,
    /// The weight, 0 to 65535, with `weight`
    #[arg(long, required_if_eq("action", "weight"))]
    pub(in crate::cli) weight: Option<u16>,
    /// The pool, with `pin`
    #[arg(long, required_if_eq("action", "pin"))]
    pub(in crate::cli) pool: Option<PoolId>,
    #[command(flatten)]
    pub(in crate::cli) order: OrderArgs,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Flags of `override list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `override show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Which
    pub(in crate::cli) id: OverrideId,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `override extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// Which
    #[arg(required = true)]
    pub(in crate::cli) ids: Vec<OverrideId>,
    /// How long from now, or with `+` how much longer
    #[arg(long = "for", value_name = "[+]DURATION")]
    pub(in crate::cli) lasts: String,
    /// Why, for the audit
    #[arg(long, short, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// Pass a safety rule; it is audited
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `override promote`.
#[derive(Debug, Args)]
pub struct PromoteArgs {
    /// Which
    #[arg(required = true)]
    pub(in crate::cli) ids: Vec<OverrideId>,
    /// Pass a safety rule; it is audited
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `override clear`.
#[derive(Debug, Args)]
pub struct ClearArgs {
    /// Which
    #[arg(required = true)]
    pub(in crate::cli) ids: Vec<OverrideId>,
    /// Why, for the audit
    #[arg(long, short, value_name = "TEXT")]
    pub(in crate::cli) reason: Option<String>,
    /// Do not wait until the node's answers show it
    #[arg(long)]
    pub(in crate::cli) no_wait: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}
