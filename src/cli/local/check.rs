//! `check`.

use super::super::{args::change::CheckArgs, ending::{Exit, Failure}, screen::Screen};

/// Later.
pub(in crate::cli) fn run(_args: &CheckArgs, _screen: &mut Screen) -> Result<Exit, Failure> {
    Err(Failure::usage("later"))
}
