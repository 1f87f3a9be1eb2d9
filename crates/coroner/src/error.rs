//! What goes wrong, in a form that a person can act on.

use std::error::Error as StdError;
use std::fmt;

/// Whose move it is. The command's exit code follows from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request was wrong: no such file, no such node, a time that is none.
    Request,
    /// The request was right, but what it needs could not be read or written.
    Unreadable,
    /// This version cannot do it yet.
    NotAvailable,
    /// Whoever received the answer wants no more of it.
    Stopped,
    /// Our fault.
    Bug,
}

impl ErrorKind {
    /// Returns the words that stand before the message.
    pub fn words(self) -> &'static str {
        match self {
            ErrorKind::Request => "cannot do that",
            ErrorKind::Unreadable => "cannot read",
            ErrorKind::NotAvailable => "not available",
            ErrorKind::Stopped => "stopped",
            ErrorKind::Bug => "bug in coroner",
        }
    }
}

/// An error with its cause and, where there is one, a hint what to try.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Returns an error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error {
            kind,
            message: message.into(),
            hint: None,
            source: None,
        }
    }

    /// Returns a wrong request.
    pub fn request(message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Request, message)
    }

    /// Wraps another error; its message becomes this one's, its causes stay.
    pub fn wrap(kind: ErrorKind, error: impl StdError + Send + Sync + 'static) -> Error {
        Error {
            kind,
            message: error.to_string(),
            hint: None,
            source: Some(Box::new(Causes(Box::new(error)))),
        }
    }

    /// Adds what to try.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.hint = Some(hint.into());
        self
    }

    /// Returns whose move it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what to try.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the message and the causes below it, repetitions left out.
    pub fn chain(&self) -> Vec<String> {
        let mut chain = vec![self.message.clone()];
        let mut next = self.source();
        while let Some(error) = next {
            let text = error.to_string();
            if chain.last().is_some_and(|last| !last.ends_with(&text)) {
                chain.push(text);
            }
            next = error.source();
        }
        chain
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // The outermost message is our own already.
        self.source.as_deref().and_then(|error| error.source())
    }
}

/// Stands for an error whose own message was taken over.
#[derive(Debug)]
struct Causes(Box<dyn StdError + Send + Sync>);

impl fmt::Display for Causes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Causes {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

impl From<case::CaseError> for Error {
    fn from(error: case::CaseError) -> Error {
        use case::CaseError as E;
        let (kind, hint) = match &error {
            E::NotACase { .. } => (
                ErrorKind::Request,
                Some("make one with `coroner ingest CASE PATH…`, or name the evidence itself"),
            ),
            E::Occupied { .. } => (ErrorKind::Request, None),
            E::Locked { .. } => (
                ErrorKind::Unreadable,
                Some("reading needs no lock: `info`, `timeline`, `triage` … work meanwhile"),
            ),
            E::NewerFormat { .. } => (ErrorKind::Unreadable, None),
            E::Rows { .. } | E::Inconsistent(_) => (ErrorKind::Bug, None),
            E::Manifest { .. } | E::Segment { .. } | E::Evidence { .. } | E::OutOfBounds { .. } => {
                (
                    ErrorKind::Unreadable,
                    Some("`coroner verify CASE` says what is damaged"),
                )
            }
            _ => (ErrorKind::Unreadable, None),
        };
        let wrapped = Error::wrap(kind, error);
        match hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        }
    }
}

impl From<model::RefError> for Error {
    fn from(error: model::RefError) -> Error {
        Error::wrap(ErrorKind::Request, error)
            .with_hint("references stand in the `ref` and `refs` of every answer")
    }
}

impl From<model::TableError> for Error {
    fn from(error: model::TableError) -> Error {
        let kind = match &error {
            model::TableError::Read { .. } => ErrorKind::Unreadable,
            _ => ErrorKind::Request,
        };
        Error::wrap(kind, error)
    }
}

impl From<report::ZoneError> for Error {
    fn from(error: report::ZoneError) -> Error {
        let hint = error.hint();
        Error::wrap(ErrorKind::Request, error).with_hint(hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open x")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn the_chain_names_each_cause_once() {
        let io = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "permission denied");
        let error = Error::wrap(ErrorKind::Unreadable, Outer(io));
        assert_eq!(error.chain(), ["cannot open x", "permission denied"]);
    }
}
