//! A reader's view of a case.

use crate::{CaseError, Manifest, TableId, VerifyReport};
use model::{Batch, RowFilter, TableError, TableInfo, TableSource};
use std::path::{Path, PathBuf};

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
    pub fn open(path: &Path) -> Result<Case, CaseError> {
        Err(CaseError::NotACase {
            path: path.to_path_buf(),
        })
    }

    /// Whether a folder is a case.
    pub fn is_case(path: &Path) -> bool {
        path.join("case.json").is_file()
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

    /// Returns the tables that have rows.
    pub fn tables(&self) -> Vec<TableId> {
        let mut tables: Vec<TableId> = self
            .manifest
            .segments
            .iter()
            .map(|s| s.table.clone())
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Streams the rows of a table that pass `filter`, segment by segment (sorted inside each), in
    /// batches. `columns` names those wanted; ones that the table lacks are left out.
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
        let _ = (table, columns, filter, f);
        Ok(())
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
        Err(CaseError::OutOfBounds {
            source_digest: source_digest.to_owned(),
            byte,
            length,
            held: 0,
        })
    }

    /// Returns the database tables of one snapshot, or of all.
    pub fn table_source(&self, snapshot: Option<&str>) -> CaseTables {
        CaseTables {
            case: self.clone(),
            snapshot: snapshot.map(str::to_owned),
        }
    }

    /// Re-hashes everything that the manifest names and compares.
    pub fn verify(&self) -> VerifyReport {
        VerifyReport::default()
    }

    /// Returns the root digest of the case in hex.
    ///
    /// # Errors
    /// If `notes.jsonl` cannot be read.
    pub fn seal(&self) -> Result<String, CaseError> {
        Ok(String::new())
    }
}

/// Database tables of a case.
#[derive(Clone, Debug)]
pub struct CaseTables {
    case: Case,
    snapshot: Option<String>,
}

impl TableSource for CaseTables {
    fn tables(&self) -> Vec<TableInfo> {
        let _ = (&self.case, &self.snapshot);
        Vec::new()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let _ = (columns, filter);
        Err(TableError::NoTable {
            table: table.to_owned(),
            known: String::new(),
        })
    }
}
