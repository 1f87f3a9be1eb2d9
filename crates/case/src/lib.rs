//! The case folder: manifest, Parquet segments, evidence store, commits, locks, verification.
//!
//! Owns everything that lies inside a case and the one engine that writes it (Arrow and Parquet). It
//! must never know what a line means (`formats`) nor SQL (`query`): rows come as [`model::Batch`] and
//! leave as such.
//!
//! # Writing
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (batch, records_of_source) = (model::Batch::default(), case::Source::default());
//! let mut writer = case::CaseWriter::open_or_create("medalla.case")?;
//! let mut tx = writer.begin();
//! let mut evidence = tx.evidence("beacon.log", 0)?;       // any key: the digest is not known yet
//! let mut rows = tx.rows(&case::TableId::Records, "beacon.log")?;
//! evidence.write(b"...")?;                                // from its own thread, if wanted
//! rows.push(batch)?;                                      // from its own thread, if wanted
//! let (evidence, rows) = (evidence.finish()?, rows.finish()?);
//! let digest = "0123456789ab";                            // now it is
//! tx.adopt_evidence(evidence, digest)?;
//! tx.adopt_rows(rows, digest, 1_000_000)?;
//! tx.manifest_mut().sources.push(records_of_source);      // with digest, bytes, parser …
//! tx.commit()?;
//! # Ok(()) }
//! ```
//! The digest of a source is needed only when its rows are adopted. The column `source` is filled by
//! the case: leave it out or push it as an empty Dict column at its place. Rows of one source are
//! pushed in line order; the case sorts, cuts and merges them. Column types of a table should not
//! change from batch to batch.
//!
//! # How the digest gets into segments that were written before it was known
//! Rows of small sources wait in a spool until the commit. A large source's segments are encoded while
//! it is read, with a random placeholder of the digest's length in the (uncompressed) `source` column;
//! when the source is adopted the placeholder is overwritten in place, in the column's dictionary
//! pages and in the statistics of the footer, counted, and read back.

mod answer_file;
mod builder;
mod columns;
mod commit;
mod custody;
mod disk;
mod duplicates;
mod encode;
mod error;
mod evidence;
mod evidence_reader;
#[cfg(test)]
mod fault_tests;
mod hashes;
mod layout;
mod manifest;
mod merge;
mod nodes;
mod read;
mod rows;
mod segment;
mod segment_reader;
mod spool;
mod table_id;
mod tables;
mod transaction;
mod verify;
mod wanted;
mod writer;

pub use answer_file::AnswerFile;
pub use custody::{CustodyEntry, FileMark};
pub use duplicates::{CopyRun, Duplicates};
pub use error::CaseError;
pub use evidence::{EvidenceWriter, PendingEvidence};
pub use evidence_reader::EvidenceReader;
pub use hashes::{
    HASH_RULES, HashPlaces, HashRows, KeyRange, TextKind, key_of_bytes, keys_in_text,
    placed_keys_in_text,
};
pub use manifest::{
    Alternative, Anchor, AnchorKind, Container, EvidencePart, FORMAT_VERSION, FormatFiles,
    HashColumn, Manifest, Network, Override, Piece, Problem, Process, Resume, Segment, Skipped,
    Snapshot, SnapshotTable, SnapshotZone, Source, SourceKind, SourceStatus,
};
pub use nodes::{CopyLink, Node, NodeLink, NodeRule};
pub use read::Case;
pub use rows::{RowWriter, Run};
pub use table_id::{TableId, TableIdError};
pub use tables::CaseTables;
pub use transaction::Transaction;
pub use verify::{VerifyProblem, VerifyReport};
pub use writer::CaseWriter;
