//! What can go wrong with a case folder.

use std::io;
use std::path::{Path, PathBuf};

/// Why a case could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file-system operation failed.
    #[error("cannot {action} {}{}", path.display(), hint(source))]
    Io {
        /// What was tried: `read`, `write`, `rename` …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// The folder holds no `case.json`.
    #[error("{} is not a case: it holds no case.json", path.display())]
    NotACase {
        /// The folder.
        path: PathBuf,
    },
    /// A folder that is neither empty nor a case was named as the case to create.
    #[error("{} is neither a case nor an empty folder: name a new folder for the case", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
    },
    /// Another process writes the case.
    #[error(
        "case {} is being written by {holder}: wait for it to end or stop it (readers need not wait)",
        path.display()
    )]
    Locked {
        /// The case.
        path: PathBuf,
        /// `process 4711 since 2026-11-21T10:00:00Z`, as the lock file says.
        holder: String,
    },
    /// The case was written by a newer program.
    #[error(
        "case {} has format version {found}, this program knows versions up to {known}: use a newer coroner",
        path.display()
    )]
    NewerFormat {
        /// The case.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// `case.json` is not what a case writes.
    #[error("the manifest {} cannot be understood", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A segment is not a Parquet file as the case writes them.
    #[error("the segment {} cannot be read", path.display())]
    Segment {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An evidence part is not what the manifest says.
    #[error("the evidence part {} is damaged: {what}", path.display())]
    Evidence {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Bytes were asked for that the evidence store does not hold.
    #[error(
        "source {source_digest} has no evidence at bytes {byte}+{length} ({held} bytes are held)"
    )]
    OutOfBounds {
        /// The source.
        source_digest: String,
        /// First byte asked for.
        byte: u64,
        /// How many were asked for.
        length: u64,
        /// How many are there.
        held: u64,
    },
    /// Rows that do not fit the table they were pushed into.
    #[error("rows of {source_key} do not fit table {table}: {what}")]
    Rows {
        /// The table.
        table: String,
        /// Whose rows.
        source_key: String,
        /// What does not fit.
        what: String,
    },
    /// The manifest and the rows of a commit contradict each other.
    #[error("the commit contradicts itself: {0}")]
    Inconsistent(String),
    /// The receiver of rows stopped the reading.
    #[error("reading of rows was stopped")]
    Stopped(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl CaseError {
    /// Lets a receiver of rows pass its own error through [`crate::Case::read`].
    pub fn stopped(error: impl std::error::Error + Send + Sync + 'static) -> CaseError {
        CaseError::Stopped(Box::new(error))
    }

    /// Whether a file was missing: a reader with an old manifest tries again with the newer one.
    pub(crate) fn is_missing_file(&self) -> bool {
        matches!(self, CaseError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Says what to do where an operating system's word alone does not.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": the disk is full, the case stays as it was; make room there or keep the case on another disk"
        }
        io::ErrorKind::PermissionDenied => ": permission denied",
        io::ErrorKind::ReadOnlyFilesystem => ": the file system is read-only",
        _ => "",
    }
}

/// Attaches a path and an action to an IO error.
pub(crate) trait AtPath<T> {
    /// Names what failed.
    fn at(self, action: &'static str, path: &Path) -> Result<T, CaseError>;
}

impl<T> AtPath<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, CaseError> {
        self.map_err(|source| CaseError::Io {
            action,
            path: path.to_path_buf(),
            source,
        })
    }
}

/// Wraps an engine's error on a segment.
pub(crate) fn segment_error(
    path: &Path,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> CaseError {
    CaseError::Segment {
        path: path.to_path_buf(),
        source: source.into(),
    }
}
