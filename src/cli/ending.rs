//! How a verb ends: the exit codes, and failures that say what was tried and what to do.

use std::{fmt, process::ExitCode};

/// Exit codes. Scripts and the systemd unit rely on them, so they never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It is done, or there is nothing to report.
    Done = 0,
    /// It did not work.
    Failed = 1,
    /// The command line is not understood, or a confirmation is missing.
    Usage = 2,
    /// Something selected is not up, a test fails, or a plan changes something.
    NotUp = 3,
    /// The node refuses this principal (401, 403), or the socket does.
    NotAllowed = 4,
    /// The time ran out.
    TimedOut = 5,
    /// A safety rule refuses.
    Refused = 6,
    /// No node answers (`EX_UNAVAILABLE`).
    Unreachable = 69,
    /// The configuration has errors (`EX_CONFIG`); the unit sets `RestartPreventExitStatus=78`.
    Configuration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a verb ends early. All that a caller can do is print it and exit, so it carries the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// With what code the process ends.
    pub(super) exit: Exit,
    /// One line: what happened. Empty: everything was said before.
    pub(super) what: String,
    /// What was tried, or what blocks, a line each.
    pub(super) details: Vec<String>,
    /// What to do.
    pub(super) hint: Option<String>,
}

impl Failure {
    /// A failure in one line.
    pub(super) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), details: Vec::new(), hint: None }
    }

    /// The command line asks for something that makes no sense.
    pub(super) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Ends with this code; everything was printed before.
    pub(super) fn silent(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// With advice.
    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With one more line of detail.
    #[must_use]
    pub(super) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        for line in &self.details {
            write!(f, "\n  {line}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Writing to the screen ended: a closed pipe (`| head`) is no failure, the reader has seen enough.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::silent(Exit::Done);
        }
        Self::new(Exit::Failed, format!("could not write the output: {}", error.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_those_of_the_manual() {
        let codes = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::NotUp, 3),
            (Exit::NotAllowed, 4),
            (Exit::TimedOut, 5),
            (Exit::Refused, 6),
            (Exit::Unreachable, 69),
            (Exit::Configuration, 78),
        ];
        for (exit, code) in codes {
            assert_eq!(exit as u8, code, "{exit:?}");
        }
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_says_nothing() {
        let failure = Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
        assert_eq!((failure.exit, failure.what.as_str()), (Exit::Done, ""));
        assert_eq!(Failure::from(std::io::Error::from(std::io::ErrorKind::StorageFull)).exit, Exit::Failed);
    }

    #[test]
    fn a_failure_reads_as_fact_details_and_advice() {
        let failure = Failure::new(Exit::Unreachable, "no node answers")
            .detail("/run/wayshift/admin.sock: no such file")
            .hint("start one with `wayshift serve`");
        assert_eq!(
            failure.to_string(),
            "error: no node answers\n  /run/wayshift/admin.sock: no such file\nhint: start one with `wayshift serve`"
        );
    }
}
