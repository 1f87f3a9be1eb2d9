//! Errors on their way out: a kind, a message with its chain, a hint.

use crate::exit::Exit;
use coroner::{Error, ErrorKind};
use report::RenderError;
use std::path::Path;

/// What ends a verb early.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The reader of our output went away: no error at all.
    ClosedPipe,
    /// Anything else.
    Failed(Error),
}

impl CliError {
    /// Returns the exit code it stands for.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            CliError::ClosedPipe => Exit::Done,
            CliError::Failed(error) => match error.kind() {
                ErrorKind::Bug => Exit::Bug,
                _ => Exit::Wrong,
            },
        }
    }

    /// Wraps an IO error on a file of ours.
    pub(crate) fn file(action: &str, path: &Path, error: std::io::Error) -> CliError {
        CliError::Failed(Error::new(
            ErrorKind::Unreadable,
            format!("cannot {action} {}: {error}", path.display()),
        ))
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> CliError {
        CliError::Failed(error)
    }
}

impl From<RenderError> for CliError {
    fn from(error: RenderError) -> CliError {
        if error.is_closed_pipe() {
            return CliError::ClosedPipe;
        }
        let hint = match &error {
            RenderError::NoForm { instead, .. } => Some(*instead),
            _ => None,
        };
        let wrapped = Error::wrap(ErrorKind::Request, error);
        CliError::Failed(match hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        })
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> CliError {
        CliError::from(RenderError::from(error))
    }
}
