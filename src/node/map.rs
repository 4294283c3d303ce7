//! From the configuration's settings to each room's own.

use std::num::NonZeroUsize;

use crate::{config, control::Identity, dns, model::Process, store::journal, telemetry::log};

pub(super) fn identity(node: &config::NodeSettings) -> Identity {
    Identity { node: node.name.clone(), region: node.region.clone(), provider: node.provider.clone() }
}

/// What this process is to others: each start is another life. Where its admin API is reached is what the configuration
/// says: it is bound where no other machine reaches it.
pub(super) fn process(settings: &config::Settings) -> Process {
    Process {
        boot: fastrand::u64(..),
        version: env!("CARGO_PKG_VERSION").into(),
        probes: settings.node.roles.probe,
        orders: true,
        admin: settings.admin.peers.as_ref().map(|peers| peers.at.clone()).unwrap_or_default(),
    }
}

pub(super) fn dns(settings: &config::DnsSettings) -> dns::Settings {
    let one = NonZeroUsize::MIN;
    let threads = match settings.threads {
        config::Threads::Auto => std::thread::available_parallelism().unwrap_or(one),
        config::Threads::Count(count) => NonZeroUsize::new(count.into()).unwrap_or(one),
    };
    let count = |n: u32| NonZeroUsize::new(n as usize).unwrap_or(one);
    dns::Settings {
        listen: settings.listen.clone(),
        threads,
        face: dns::Face {
            udp_size: settings.udp_size,
            nsid: settings.nsid.as_deref().map(Into::into),
            chaos: match settings.chaos {
                config::Chaos::Hide => dns::Chaos::Hide,
                config::Chaos::Version => dns::Chaos::Version,
            },
            ecs: match settings.ecs {
                config::Ecs::Use => dns::Ecs::Use,
                config::Ecs::Ignore => dns::Ecs::Ignore,
            },
            debug_names: settings.debug_names.clone(),
        },
        tcp: dns::TcpLimits {
            connections: count(settings.tcp.connections),
            per_client: count(settings.tcp.per_client),
            idle: settings.tcp.idle,
            query: settings.tcp.query,
        },
        // Hundredths of a percent are the doors' parts as well.
        shadow: settings.shadow,
    }
}

pub(super) fn keep(keep: config::Keep) -> journal::Keep {
    journal::Keep { events: keep.events, transitions: keep.transitions, max_size: keep.max_size }
}

/// How the log looks, as the configuration says.
#[must_use]
pub(super) fn log(settings: config::LogSettings) -> (tracing::Level, log::Format) {
    let level = match settings.level {
        config::LogLevel::Error => tracing::Level::ERROR,
        config::LogLevel::Warn => tracing::Level::WARN,
        config::LogLevel::Info => tracing::Level::INFO,
        config::LogLevel::Debug => tracing::Level::DEBUG,
        config::LogLevel::Trace => tracing::Level::TRACE,
    };
    let format = match settings.format {
        config::LogFormat::Auto => log::Format::Auto,
        config::LogFormat::Pretty => log::Format::Pretty,
        config::LogFormat::Json => log::Format::Json,
    };
    (level, format)
}

/// Environment variables, and the machine's name under `HOSTNAME` where the environment has none.
#[must_use]
pub(super) fn environment(name: &str) -> Option<String> {
    let machine = || nix::unistd::gethostname().ok()?.into_string().ok();
    std::env::var(name).ok().or_else(|| if name == "HOSTNAME" { machine() } else { None })
}
