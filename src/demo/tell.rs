//! How the demo speaks: one line at a time, with the seconds since the story began.

use std::io::Write as _;

use tokio::time::Instant;

/// Prints a line and shows it at once. A closed pipe ends nothing: the demo may be told to go on serving.
pub(super) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// Prints a step with the story's time.
pub(super) fn step(begun: Instant, text: &str) {
    line(&format!("{:6.1} s  {text}", begun.elapsed().as_secs_f64()));
}
