//! What stops a run. What only spoils a part of it is a [`crate::Problem`] of the report.

use std::io;

/// Why an ingest or a parse stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The case could not be read or written.
    #[error(transparent)]
    Case(#[from] case::CaseError),
    /// A user's format definition is wrong.
    #[error("the format definitions cannot be used")]
    Definitions(#[from] formats::DefinitionError),
    /// `--log-format` names none.
    #[error("there is no log format `{name}` (known: {known})")]
    UnknownFormat {
        /// As typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// `--network` names none.
    #[error("there is no network `{name}` (known: {known})")]
    UnknownNetwork {
        /// As typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// `--network` names a file that describes none.
    #[error(transparent)]
    Network(chain::ConfigError),
    /// `--zone` is none.
    #[error(
        "`{zone}` is not a zone: write an offset such as +02:00, or a name such as Europe/Berlin"
    )]
    UnknownZone {
        /// As typed.
        zone: String,
    },
    /// `--as` is taken or empty.
    #[error("a snapshot named `{name}` is in the case already: choose another name with --as")]
    SnapshotExists {
        /// The name.
        name: String,
    },
    /// A source of the case cannot be found.
    #[error("no source `{name}` in the case: `coroner info CASE` lists them")]
    NoSource {
        /// As typed.
        name: String,
    },
    /// Nothing in the case is called so.
    #[error(
        "nothing in the case is called `{name}`: `coroner nodes CASE` lists names, `coroner info CASE` sources"
    )]
    NoNode {
        /// As typed.
        name: String,
    },
    /// Evidence could not be read in the middle.
    #[error("cannot read {path}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Standard input could not be kept for a second reading.
    #[error("cannot keep standard input in a temporary file")]
    Spool(#[source] io::Error),
    /// A dump could not be read.
    #[error("cannot read dump {path}")]
    Dump {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: Box<dumps::DumpError>,
    },
    /// A live database's URL is wrong, or none of its tables is meant.
    #[error(transparent)]
    Live(#[from] dumps::LiveError),
    /// The receiver of parsed entries refused.
    #[error("cannot write the parsed entries")]
    Emit(#[source] io::Error),
    /// The user stopped the run.
    #[error("stopped; what was not committed is left out, the case is as it was before")]
    Stopped,
}
