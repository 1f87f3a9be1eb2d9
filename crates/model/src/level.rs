//! Severity, on one scale for all clients.

use serde::{Deserialize, Serialize};

/// Severity of a record, ordered from least to most severe.
///
/// `panic` is [`Level::Fatal`] and `CRITICAL` is [`Level::Crit`] (contract §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Level {
    /// Finest tracing.
    Trace = 0,
    /// For developers.
    Debug = 1,
    /// Normal operation.
    Info = 2,
    /// Normal but significant.
    Notice = 3,
    /// Something unexpected that was handled.
    Warn = 4,
    /// An operation failed.
    Error = 5,
    /// Critical.
    Crit = 6,
    /// The program stopped, or panicked.
    Fatal = 7,
}

impl Level {
    /// All levels in order.
    pub const ALL: [Level; 8] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Notice,
        Level::Warn,
        Level::Error,
        Level::Crit,
        Level::Fatal,
    ];

    /// Returns the name used in JSON, Parquet and filters.
    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "trace",
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Notice => "notice",
            Level::Warn => "warn",
            Level::Error => "error",
            Level::Crit => "crit",
            Level::Fatal => "fatal",
        }
    }

    /// Reads a canonical name; `None` for anything else.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}
