//! A reader's view of a case.

use crate::columns::{Columns, from_arrow};
use crate::error::{AtPath, segment_error};
use crate::evidence_reader::EvidenceReader;
use crate::segment_reader::SegmentReader;
use crate::writer::LEFT;
use crate::{CaseError, FORMAT_VERSION, Manifest, TableId};
use arrow::array::RecordBatch;
use model::{Batch, RowFilter};
use std::fs::File;
use std::path::{Path, PathBuf};

/// The manifest's name.
pub(crate) const MANIFEST: &str = "case.json";
/// How often a reader tries a newer manifest when files of its own are gone.
const TRIES: usize = 16;

/// A case as its manifest says; never waits for a writer.
#[derive(Clone, Debug)]
pub struct Case {
    pub(crate) path: PathBuf,
    pub(crate) manifest: Manifest,
}

impl Case {
    /// Opens a case to read it.
    ///
    /// # Errors
    /// [`CaseError::NotACase`], [`CaseError::NewerFormat`], or if the manifest cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Case, CaseError> {
        let path = path.as_ref();
        let file = path.join(MANIFEST);
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CaseError::NotACase {
                    path: path.to_path_buf(),
                });
            }
            Err(error) => return Err(error).at("read", &file),
        };
        Ok(Case {
            path: path.to_path_buf(),
            manifest: parse_manifest(path, &file, &text)?,
        })
    }

    /// Whether a folder is a case.
    pub fn is_case(path: impl AsRef<Path>) -> bool {
        path.as_ref().join(MANIFEST).is_file()
    }

    /// Returns the manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Returns the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the Parquet files of a table, in order.
    pub fn files(&self, table: &TableId) -> Vec<PathBuf> {
        self.manifest
            .segments
            .iter()
            .filter(|segment| segment.table == *table)
            .map(|segment| self.path.join(&segment.file))
            .collect()
    }

    /// Returns the tables that have rows, sorted.
    pub fn tables(&self) -> Vec<TableId> {
        let segments = self.manifest.segments.iter();
        let mut tables: Vec<TableId> = segments.map(|segment| segment.table.clone()).collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Returns the number of rows of a table.
    pub fn rows(&self, table: &TableId) -> u64 {
        let segments = self.manifest.segments.iter();
        segments
            .filter(|segment| segment.table == *table)
            .map(|segment| segment.rows)
            .sum()
    }

    /// Streams the rows of a table that pass `filter`, segment by segment (sorted inside each), in
    /// batches of at most 32 Ki rows. `columns` names those wanted, in the order of the table; ones
    /// that the table lacks are left out. A table that the case does not have has no rows.
    ///
    /// # Errors
    /// If a segment cannot be read, or `f` fails (pass your own error with [`CaseError::stopped`]).
    pub fn read(
        &self,
        table: &TableId,
        columns: Option<&[&str]>,
        filter: &RowFilter,
        f: &mut dyn FnMut(Batch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        for (file, path) in self.open_files(table)? {
            let reader = SegmentReader::of(file, &path)?;
            let chosen = reader.choose(filter)?;
            for batch in reader.read(columns, &chosen)? {
                f(to_batch(batch?, reader.columns(), &path)?)?;
            }
        }
        Ok(())
    }

    /// Opens all segments of a table, before anything is read: what is open stays readable while a
    /// writer replaces it. If one is gone already, the newer manifest names others.
    pub(crate) fn open_files(&self, table: &TableId) -> Result<Vec<(File, PathBuf)>, CaseError> {
        let mut newer: Option<Case> = None;
        let mut tries = TRIES;
        loop {
            let case = newer.as_ref().unwrap_or(self);
            let opened: Result<Vec<_>, CaseError> = case
                .files(table)
                .into_iter()
                .map(|path| Ok((open_segment(&path)?, path)))
                .collect();
            match opened {
                Err(error) if error.is_missing_file() && tries > 0 => {
                    tries -= 1;
                    let next = Case::open(&self.path)?;
                    if next.manifest == case.manifest {
                        return Err(error);
                    }
                    newer = Some(next);
                }
                result => return result,
            }
        }
    }

    /// Returns raw bytes of a source (12 hex digits) from the evidence store.
    ///
    /// # Errors
    /// [`CaseError::OutOfBounds`] if the store does not hold them all.
    pub fn evidence(
        &self,
        source_digest: &str,
        byte: u64,
        length: u64,
    ) -> Result<Vec<u8>, CaseError> {
        let mut newer: Option<Case> = None;
        let mut tries = TRIES;
        loop {
            let case = newer.as_ref().unwrap_or(self);
            let mut bytes = Vec::new();
            let read = case
                .evidence_reader(source_digest)
                .read(byte, length, &mut bytes);
            match read {
                Err(error) if error.is_missing_file() && tries > 0 => {
                    tries -= 1;
                    let next = Case::open(&self.path)?;
                    if next.manifest == case.manifest {
                        return Err(error);
                    }
                    newer = Some(next);
                }
                result => return result.map(|()| bytes),
            }
        }
    }

    /// Returns a reader of one source's raw bytes, for many reads.
    pub fn evidence_reader(&self, source_digest: &str) -> EvidenceReader {
        let parts = self.manifest.source(source_digest);
        let parts = parts.map_or_else(Vec::new, |source| source.evidence.clone());
        EvidenceReader::new(&self.path, source_digest, parts)
    }
}

/// Turns a batch of a segment into ours.
pub(crate) fn to_batch(
    batch: RecordBatch,
    columns: &Columns,
    path: &Path,
) -> Result<Batch, CaseError> {
    from_arrow(batch, columns).map_err(|error| segment_error(path, error))
}

/// Parses a manifest; the version is looked at first, for a newer format may have any shape.
pub(crate) fn parse_manifest(case: &Path, file: &Path, text: &[u8]) -> Result<Manifest, CaseError> {
    #[derive(serde::Deserialize)]
    struct Version {
        format_version: u32,
    }
    let broken = |source| CaseError::Manifest {
        path: file.to_path_buf(),
        source,
    };
    let version: Version = serde_json::from_slice(text).map_err(broken)?;
    if version.format_version > FORMAT_VERSION {
        return Err(CaseError::NewerFormat {
            path: case.to_path_buf(),
            found: version.format_version,
            known: FORMAT_VERSION,
        });
    }
    serde_json::from_slice(text).map_err(broken)
}

/// Opens a segment, or what a commit left of it for readers of the manifest before.
fn open_segment(path: &Path) -> Result<File, CaseError> {
    let left = || File::open(format!("{}{LEFT}", path.display()));
    match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            left().or(Err(error)).at("read", path)
        }
        opened => opened.at("read", path),
    }
}
