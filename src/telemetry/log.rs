//! Logs: one line per change, with fields; nothing per query.
//!
//! Levels by what a reader must do: ERROR, a person is needed now; WARN, we coped, look tomorrow; INFO, something
//! changed.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, filter::LevelFilter, fmt, prelude::*};

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Pretty on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For eyes.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error, once a process; later calls change nothing. Libraries speak from WARN up.
pub fn start(level: tracing::Level, format: Format) {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .parse_lossy(format!("warn,wayshift={}", level.to_string().to_lowercase()));
    let json = match format {
        Format::Auto => !std::io::stderr().is_terminal(),
        Format::Pretty => false,
        Format::Json => true,
    };
    let base = tracing_subscriber::registry().with(filter);
    // A second start (tests, the demo) finds a subscriber in place and leaves it.
    let _ = if json {
        base.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init()
    } else {
        base.with(fmt::layer().compact().with_target(false).with_writer(std::io::stderr)).try_init()
    };
}
