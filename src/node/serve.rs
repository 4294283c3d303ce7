//! The verb `serve`: from arguments to a running node, and from its end to an exit code.

use std::{process::ExitCode, sync::Arc};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{Exit, Node, StartError, boot, map, service, with_source};
use crate::{cli::ServeArgs, config, store::bus::InProcessBus, telemetry::log};

/// The configuration was never right (sysexits.h EX_CONFIG): restarting does not mend it.
const EXIT_CONFIG: u8 = 78;
/// Open files beside DNS connections: those of the admin API, probes, stores and listeners, with room to spare.
const FILES_BESIDE: u64 = 4096;
/// Threads of the control loop, the probes and everything beside the doors and the admin API.
const THREADS_MIN: usize = 2;

/// Runs a node until it is asked to stop.
#[must_use]
pub fn serve(args: &ServeArgs) -> ExitCode {
    let asked = (args.node.as_ref().map(ToString::to_string), args.region.as_ref().map(ToString::to_string));
    let env = move |name: &str| match name {
        "WAYSHIFT_NODE" => asked.0.clone().or_else(|| map::environment(name)),
        "WAYSHIFT_REGION" => asked.1.clone().or_else(|| map::environment(name)),
        _ => map::environment(name),
    };
    let boot = match boot::boot(boot::find(args.config.clone()), Arc::new(env), args.strict_config) {
        Ok(boot) => boot,
        Err(none) => {
            eprintln!("{none}");
            return EXIT_CONFIG.into();
        }
    };
    start_log(args, &boot.loaded);
    match &boot.stale {
        Some(problems) => tracing::error!(
            file = %boot.file.display(),
            "the configuration file has problems; the last accepted configuration serves instead\n{problems}"
        ),
        None if boot.held_back.is_some() => tracing::error!("{}", boot.held_back.as_deref().unwrap_or_default()),
        None => boot.loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}")),
    }
    raise_files(&boot.loaded);
    let threads = std::thread::available_parallelism().map_or(THREADS_MIN, |n| n.get().max(THREADS_MIN));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let exit = match runtime {
        Ok(runtime) => runtime.block_on(run(boot)),
        Err(error) => Err(StartError::Threads(error)),
    };
    match exit {
        Ok(Exit::Asked) => {
            tracing::info!("stopped, as asked");
            ExitCode::SUCCESS
        }
        Ok(Exit::Broken(_)) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(error = %with_source(&error), "the node did not start");
            ExitCode::FAILURE
        }
    }
}

/// Lifts the soft limit of open files to what full doors need: shells start programs with 1024, which is less than the
/// connections that [`config::TcpSettings`] lets in. Where the hard limit is lower, idle connections make room earlier.
fn raise_files(loaded: &config::Loaded) {
    let needed = u64::from(loaded.settings.dns.tcp.connections).saturating_add(FILES_BESIDE);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let wanted = needed.clamp(soft, hard.max(soft));
    if let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard) {
        tracing::warn!(%error, soft, wanted, "the limit of open files stays as it is");
    }
    if hard < needed {
        tracing::warn!(hard, needed, "fewer files may be open (ulimit -Hn) than connections are let in");
    }
}

async fn run(boot: boot::Boot) -> Result<Exit, StartError> {
    // Before anything else: a stop that is asked for while it starts is a stop, with its drain, and no sudden end.
    let until = service::asked_to_stop();
    let node = Node::start(boot, Arc::new(InProcessBus::default())).await?;
    Ok(node.run(until).await)
}

fn start_log(args: &ServeArgs, loaded: &config::Loaded) {
    let (configured, format) = map::log(loaded.settings.telemetry.log);
    // The command line has checked the word.
    let level = args.log_level.as_deref().and_then(|word| word.parse().ok()).unwrap_or(configured);
    log::start(level, format);
}
