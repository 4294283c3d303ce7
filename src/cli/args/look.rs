//! Verbs that look.

use clap::Args;

use super::{At, Manner};
use crate::model::{GeoCode, Span, Wall, Whence};

pub(in crate::cli) const STATUS_EXAMPLES: &str = "Examples:
  wayshift status
  wayshift status service/www endpoint/aws-use
  wayshift status --exit-code -q || echo not up";

/// Words and flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only these: service/www, pool/eu, endpoint/aws-use, provider/aws, region/eu-west
    #[arg(value_name = "KIND/NAME")]
    pub(in crate::cli) things: Vec<String>,
    /// Exit 3 when something shown is not up
    #[arg(long)]
    pub(in crate::cli) exit_code: bool,
    /// Show it again whenever something changes
    #[arg(long, short)]
    pub(in crate::cli) watch: bool,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

pub(in crate::cli) const EXPLAIN_EXAMPLES: &str = "Examples:
  wayshift explain www.gslb.example.com
  wayshift explain www.gslb.example.com --type AAAA --client 198.51.100.7
  wayshift explain www.gslb.example.com --geo EU-DE --at 2026-11-23T10:42:00Z";

/// Words and flags of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The name that is asked
    pub(in crate::cli) name: String,
    /// The type that is asked
    #[arg(long = "type", short = 't', value_name = "TYPE", default_value = "A")]
    pub(in crate::cli) kind: String,
    /// As this client: an address or a network
    #[arg(long, value_name = "IP|NET", value_parser = network)]
    pub(in crate::cli) client: Option<Whence>,
    /// As a client at this place: EU, EU-DE, NA-US-CA
    #[arg(long, value_name = "CODE", conflicts_with = "client")]
    pub(in crate::cli) geo: Option<GeoCode>,
    /// As it was at this time (RFC 3339), from recorded transitions
    #[arg(long = "at", value_name = "TIME")]
    pub(in crate::cli) when: Option<Wall>,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

fn network(text: &str) -> Result<Whence, String> {
    match text.parse() {
        Ok(whence @ (Whence::Address(_) | Whence::Net(_))) => Ok(whence),
        Ok(Whence::Geo(_) | Whence::Region(_) | Whence::Asn(_)) | Err(_) => {
            Err("an address or a network: 198.51.100.7, 2001:db8::/56".into())
        }
    }
}

pub(in crate::cli) const EVENTS_EXAMPLES: &str = "Examples:
  wayshift events --since 2h
  wayshift events -f --kind verdict,answers";

/// Words and flags of `events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Go on with what happens from now on
    #[arg(long, short)]
    pub(in crate::cli) follow: bool,
    /// From this long ago, or from this time (RFC 3339)
    #[arg(long, value_name = "DURATION|TIME")]
    pub(in crate::cli) since: Option<String>,
    /// Only these kinds: verdict, answers, override.began, override.ended, config.reloaded, node ...
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(in crate::cli) kind: Vec<String>,
    /// At most so many, the newest
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(in crate::cli) limit: u32,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// Words and flags of `probe`.
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// Which endpoint
    pub(in crate::cli) endpoint: String,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}

/// A length of time or a time, as `--since` takes it.
pub(in crate::cli) fn since(text: &str, now: Wall) -> Result<Wall, String> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    match text.parse::<Span>() {
        Ok(span) => Ok(Wall(now.0.saturating_sub(crate::model::ms(span.0)))),
        Err(error) => Err(match &error.hint {
            Some(hint) => format!("--since: {error}; write {hint}, or a time like 2026-11-23T10:42:00Z"),
            None => format!("--since: {error}"),
        }),
    }
}

pub(in crate::cli) const AVAILABILITY_EXAMPLES: &str = "Examples:
  wayshift availability
  wayshift availability --window 7d -o json";

/// Flags of `availability`.
#[derive(Debug, Args)]
pub struct AvailabilityArgs {
    /// How far back it is measured
    #[arg(long, value_name = "DURATION", default_value = "30d")]
    pub(in crate::cli) window: Span,
    #[command(flatten)]
    pub(in crate::cli) at: At,
    #[command(flatten)]
    pub(in crate::cli) manner: Manner,
}
