//! Writing: the lock, recovery, transactions.

use crate::{Case, CaseError, EvidenceWriter, Manifest, PendingEvidence, RowWriter, Run, TableId};
use model::Batch;
use std::path::Path;

/// The one writer of a case.
#[derive(Debug)]
pub struct CaseWriter {
    case: Case,
}

impl CaseWriter {
    /// Opens a case to write it, or creates it (mode 0700); recovers from an interrupted write.
    ///
    /// # Errors
    /// [`CaseError::Locked`] if another process writes it, [`CaseError::NewerFormat`], …
    pub fn open_or_create(path: &Path) -> Result<CaseWriter, CaseError> {
        Ok(CaseWriter {
            case: Case {
                path: path.to_path_buf(),
                manifest: Manifest::default(),
            },
        })
    }

    /// Returns the case as last committed.
    pub fn case(&self) -> &Case {
        &self.case
    }

    /// Begins a transaction; dropped without commit it leaves the case as it was.
    pub fn begin(&mut self) -> Transaction<'_> {
        let manifest = self.case.manifest.clone();
        Transaction {
            writer: self,
            manifest,
        }
    }
}

/// A line of `custody.jsonl`: outside the deterministic part of a case.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct CustodyEntry {
    /// When, as RFC 3339 UTC: the caller says it.
    pub at: String,
    /// By whom.
    pub by: String,
    /// The command line.
    pub command: String,
    /// What was done: `ingest`, `amend`, `forget`, `export` …
    pub action: String,
    /// Digest of the source it concerns, if one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Original path of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its modification time, as RFC 3339 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Changes to a case that become visible together, or not at all.
#[derive(Debug)]
pub struct Transaction<'a> {
    writer: &'a mut CaseWriter,
    manifest: Manifest,
}

impl Transaction<'_> {
    /// Returns the manifest that will be committed. `segments` and each source's `evidence` are the
    /// case's own: changes to them are ignored.
    pub fn manifest_mut(&mut self) -> &mut Manifest {
        &mut self.manifest
    }

    /// Returns the manifest that will be committed.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Begins to store raw bytes from `start_byte` on (0, or where a grown source is read on; what was
    /// stored from there on is replaced). `source_key` is only for messages.
    ///
    /// # Errors
    /// If the disk does not take a new file.
    pub fn evidence(
        &mut self,
        source_key: &str,
        start_byte: u64,
    ) -> Result<EvidenceWriter, CaseError> {
        let _ = start_byte;
        Ok(EvidenceWriter {
            source_key: source_key.to_owned(),
        })
    }

    /// Makes stored bytes those of a source.
    ///
    /// # Errors
    /// If a grown source's stored bytes do not reach to where the new ones begin.
    pub fn adopt_evidence(
        &mut self,
        pending: PendingEvidence,
        digest: &str,
    ) -> Result<(), CaseError> {
        let _ = (pending, digest);
        Ok(())
    }

    /// Begins to take the rows of one source for one table. `source_key` is only for messages. For
    /// database tables the rows are kept in the order pushed.
    ///
    /// # Errors
    /// If the disk does not take a new file.
    pub fn rows(&mut self, table: &TableId, source_key: &str) -> Result<RowWriter, CaseError> {
        Ok(RowWriter {
            table: table.clone(),
            source_key: source_key.to_owned(),
            rows: 0,
        })
    }

    /// Makes rows those of a source; they follow the rows that the source has already (see
    /// [`Transaction::drop_rows`]). `raw_bytes` is the source's whole decoded length, as `bytes` in the
    /// manifest, which must list the source when the transaction commits.
    ///
    /// # Errors
    /// If the disk does not take what is written now.
    pub fn adopt_rows(&mut self, run: Run, digest: &str, raw_bytes: u64) -> Result<(), CaseError> {
        let _ = (run, digest, raw_bytes);
        Ok(())
    }

    /// Drops committed rows of a source from records, rejects and observations: all, or those of lines
    /// from `from_line` on (the tail of a grown source, before its new rows are adopted).
    ///
    /// # Errors
    /// None today.
    pub fn drop_rows(&mut self, source: &str, from_line: Option<u64>) -> Result<(), CaseError> {
        let _ = (source, from_line);
        Ok(())
    }

    /// Passes the committed rows of a source (records, rejects, observations; not those dropped) through
    /// `f`, in line order, and sorts them again. Rows adopted in this transaction are not passed.
    ///
    /// # Errors
    /// If segments cannot be read or the disk does not take the new ones.
    pub fn rewrite(
        &mut self,
        source: &str,
        f: &mut dyn FnMut(&TableId, &mut Batch),
    ) -> Result<(), CaseError> {
        let _ = (source, f);
        Ok(())
    }

    /// Drops all tables of a snapshot.
    pub fn drop_table(&mut self, snapshot: &str) {
        let _ = snapshot;
    }

    /// Appends to `custody.jsonl` at commit.
    pub fn custody(&mut self, entry: CustodyEntry) {
        let _ = entry;
    }

    /// Appends a line (one JSON object) to `notes.jsonl` at commit.
    pub fn note(&mut self, json: String) {
        let _ = json;
    }

    /// Makes everything visible at once.
    ///
    /// # Errors
    /// If the disk does not take it (the case stays as it was), or the manifest contradicts the rows.
    pub fn commit(self) -> Result<(), CaseError> {
        self.writer.case.manifest = self.manifest;
        Ok(())
    }
}
