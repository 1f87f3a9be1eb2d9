//! Transactions: what a caller may change before it becomes visible at once.

use crate::custody::CustodyEntry;
use crate::evidence::{PartState, join};
use crate::read::to_batch;
use crate::rows::{Content, DIGEST_LENGTH};
use crate::segment::patch;
use crate::segment_reader::SegmentReader;
use crate::spool::Work;
use crate::{
    CaseError, CaseWriter, EvidenceWriter, Manifest, PendingEvidence, RowWriter, Run, Segment,
    TableId,
};
use arrow::array::RecordBatch;
use model::Batch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Changes to a case that become visible together, or not at all.
#[derive(Debug)]
pub struct Transaction<'a> {
    pub(crate) writer: &'a mut CaseWriter,
    pub(crate) work: Arc<Work>,
    pub(crate) manifest: Manifest,
    /// New rows by table and source, in order.
    pub(crate) runs: BTreeMap<(TableId, String), Vec<Run>>,
    /// Committed rows that go: from this line on.
    pub(crate) drops: BTreeMap<String, u64>,
    /// Committed rows that new ones stand for.
    pub(crate) replaced: BTreeSet<(TableId, String)>,
    pub(crate) dropped_snapshots: BTreeSet<String>,
    pub(crate) evidence: BTreeMap<String, Vec<PartState>>,
    pub(crate) custody: Vec<CustodyEntry>,
    pub(crate) notes: Vec<String>,
}

impl<'a> Transaction<'a> {
    pub(crate) fn new(writer: &'a mut CaseWriter, work: Arc<Work>) -> Transaction<'a> {
        Transaction {
            manifest: writer.case.manifest.clone(),
            writer,
            work,
            runs: BTreeMap::new(),
            drops: BTreeMap::new(),
            replaced: BTreeSet::new(),
            dropped_snapshots: BTreeSet::new(),
            evidence: BTreeMap::new(),
            custody: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Returns the manifest that will be committed. `segments`, `notes` and each source's `evidence`
    /// are the case's own: changes to them are ignored. Rows of a source that is taken out of
    /// `sources` go with it.
    pub fn manifest_mut(&mut self) -> &mut Manifest {
        &mut self.manifest
    }

    /// Returns the manifest as it was committed last.
    pub fn committed(&self) -> &Manifest {
        &self.writer.case.manifest
    }

    /// Returns a fresh path for a file that is gone when the transaction ends.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub fn scratch(&self, what: &str) -> Result<std::path::PathBuf, CaseError> {
        self.work.temp_path(what)
    }

    /// Returns the manifest that will be committed.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Begins to store raw bytes from `start_byte` on (0, or where a grown source is read on; what was
    /// stored from there on is replaced). `source_key` is only for messages.
    ///
    /// # Errors
    /// None today; a full disk shows when bytes are written.
    pub fn evidence(
        &mut self,
        source_key: &str,
        start_byte: u64,
    ) -> Result<EvidenceWriter, CaseError> {
        Ok(EvidenceWriter::new(
            self.work.clone(),
            source_key,
            start_byte,
        ))
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
        check_digest(digest)?;
        let stored = match self.evidence.remove(digest) {
            Some(parts) => parts,
            None => {
                let source = self.writer.case.manifest.source(digest);
                let parts = source.map_or(&[][..], |source| &source.evidence);
                parts.iter().cloned().map(PartState::Kept).collect()
            }
        };
        let joined = join(&self.work, &self.writer.case.path, stored, pending, digest)?;
        self.evidence.insert(digest.to_owned(), joined);
        Ok(())
    }

    /// Begins to take the rows of one source for one table. `source_key` is only for messages. For
    /// database tables the rows are kept in the order pushed.
    ///
    /// # Errors
    /// None today; a full disk shows when rows are pushed.
    pub fn rows(&mut self, table: &TableId, source_key: &str) -> Result<RowWriter, CaseError> {
        Ok(RowWriter::new(self.work.clone(), table.clone(), source_key))
    }

    /// Makes rows those of a source; they follow the rows that the source has already (see
    /// [`Transaction::drop_rows`]). `raw_bytes` is the source's whole decoded length, as `bytes` in the
    /// manifest, which must list the source when the transaction commits.
    ///
    /// # Errors
    /// If the disk does not take what is written now.
    pub fn adopt_rows(
        &mut self,
        mut run: Run,
        digest: &str,
        raw_bytes: u64,
    ) -> Result<(), CaseError> {
        // The layout follows the manifest, which says the same when the transaction commits.
        let _ = raw_bytes;
        check_digest(digest)?;
        if !Arc::ptr_eq(&run.work, &self.work) {
            return Err(CaseError::Inconsistent(
                "rows of another transaction were adopted".to_owned(),
            ));
        }
        if run.rows == 0 {
            return Ok(());
        }
        if let Content::Encoded(segments) = &mut run.content {
            for segment in segments {
                patch(segment, digest)?;
            }
        }
        let key = (run.table.clone(), digest.to_owned());
        self.runs.entry(key).or_default().push(run);
        Ok(())
    }

    /// Drops committed rows of a source from records, rejects and observations: all, or those of lines
    /// from `from_line` on (the tail of a grown source, before its new rows are adopted).
    ///
    /// # Errors
    /// None today.
    pub fn drop_rows(&mut self, source: &str, from_line: Option<u64>) -> Result<(), CaseError> {
        let from = self.drops.entry(source.to_owned()).or_insert(u64::MAX);
        *from = (*from).min(from_line.unwrap_or(0));
        Ok(())
    }

    /// Replaces all rows of a source in one table: those committed go, what is adopted from now on
    /// stands for them.
    pub fn replace_rows(&mut self, table: &TableId, source: &str) {
        let key = (table.clone(), source.to_owned());
        self.runs.remove(&key);
        self.replaced.insert(key);
    }

    /// Passes rows of a source as they will be committed to `f`, in line order: those committed and not
    /// dropped, then those adopted. Only rows whose `line` is in `lines`; `columns` at least are given.
    ///
    /// # Errors
    /// If segments cannot be read, or `f` fails.
    pub fn read_rows(
        &self,
        table: &TableId,
        source: &str,
        columns: &[&str],
        lines: std::ops::RangeInclusive<u64>,
        f: &mut dyn FnMut(&Batch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        let outside = |segment: &Segment| {
            let before = segment.last_line.is_some_and(|last| last < *lines.start());
            before || segment.first_line.is_some_and(|first| first > *lines.end())
        };
        let mut segments: Vec<&Segment> = self
            .writer
            .case
            .manifest
            .segments
            .iter()
            .filter(|segment| segment.table == *table)
            .filter(|segment| segment.sources.iter().any(|(name, _)| name == source))
            .filter(|segment| !outside(segment))
            .collect();
        segments.sort_by_key(|segment| segment.part);
        let wanted = |line: i64| lines.contains(&(line.max(0) as u64));
        for segment in segments {
            let path = self.writer.case.path.join(&segment.file);
            let reader = SegmentReader::open(&path)?;
            let keep = |name: &str, line: i64| {
                name == source && wanted(line) && self.survives(table, name, line)
            };
            reader.columns_in_line_order(Some(columns), &keep, &mut |batch| {
                f(&to_batch(batch, reader.columns(), &path)?)
            })?;
        }
        let key = (table.clone(), source.to_owned());
        for run in self.runs.get(&key).map_or(&[][..], Vec::as_slice) {
            let all = run.file_columns();
            run.in_line_order(source, &mut |batch| {
                let Some(batch) = in_lines(batch, &wanted) else {
                    return Ok(());
                };
                f(&to_batch(batch, &all, std::path::Path::new("spool"))?)
            })?;
        }
        Ok(())
    }

    /// Passes all rows of a source (records, rejects, observations; those committed and not dropped, then
    /// those adopted in this transaction) through `f`, in line order, and sorts them again.
    ///
    /// # Errors
    /// If segments cannot be read or the disk does not take the new ones.
    pub fn rewrite(
        &mut self,
        source: &str,
        f: &mut dyn FnMut(&TableId, &mut Batch),
    ) -> Result<(), CaseError> {
        let bytes = self
            .manifest
            .source(source)
            .map_or(0, |source| source.bytes);
        let committed = self.committed_tables();
        let adopted = self.runs.keys().filter(|(_, digest)| digest == source);
        let mut tables: BTreeSet<TableId> = adopted.map(|(table, _)| table.clone()).collect();
        let holds = |segment: &&Segment| segment.sources.iter().any(|(name, _)| name == source);
        let holding = committed
            .iter()
            .filter(|(_, segments)| segments.iter().any(|segment| holds(&segment)));
        tables.extend(holding.map(|(table, _)| table.clone()));
        // Nothing in the hash table follows from times or names.
        let rewritten = |table: &TableId| table.is_timed() && *table != TableId::Hashes;
        for table in tables.into_iter().filter(rewritten) {
            let key = (table.clone(), source.to_owned());
            let mut rows = RowWriter::new(self.work.clone(), table.clone(), source);
            rows.expect_raw_bytes(bytes);
            let mut segments: Vec<&Segment> = committed
                .get(&table)
                .map_or(&[][..], Vec::as_slice)
                .iter()
                .filter(holds)
                .collect();
            segments.sort_by_key(|segment| segment.part);
            for segment in segments {
                let path = self.writer.case.path.join(&segment.file);
                let reader = SegmentReader::open(&path)?;
                let keep =
                    |name: &str, line: i64| name == source && self.survives(&table, name, line);
                reader.in_line_order(&keep, &mut |batch| {
                    let mut batch = to_batch(batch, reader.columns(), &path)?;
                    f(&table, &mut batch);
                    rows.push(batch)
                })?;
            }
            for run in self.runs.remove(&key).unwrap_or_default() {
                let columns = run.file_columns();
                run.in_line_order(source, &mut |batch| {
                    let mut batch = to_batch(batch, &columns, std::path::Path::new("spool"))?;
                    f(&table, &mut batch);
                    rows.push(batch)
                })?;
            }
            let mut run = rows.finish()?;
            if let Content::Encoded(segments) = &mut run.content {
                for segment in segments {
                    patch(segment, source)?;
                }
            }
            if run.rows > 0 {
                self.runs.insert(key.clone(), vec![run]);
            }
            self.replaced.insert(key);
        }
        Ok(())
    }

    /// Drops all tables of a snapshot.
    pub fn drop_table(&mut self, snapshot: &str) {
        self.dropped_snapshots.insert(snapshot.to_owned());
    }

    /// Appends to `custody.jsonl` at commit.
    pub fn custody(&mut self, entry: CustodyEntry) {
        self.custody.push(entry);
    }

    /// Appends a line (one JSON object, without line ends) to `notes.jsonl` at commit.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn note(&mut self, json: &str) -> Result<(), CaseError> {
        let value: serde_json::Value = serde_json::from_str(json)
            .map_err(|error| CaseError::Inconsistent(format!("a note is not JSON: {error}")))?;
        self.notes.push(value.to_string());
        Ok(())
    }

    /// Makes everything visible at once.
    ///
    /// # Errors
    /// If the disk does not take it (the case stays as it was), or the manifest contradicts the rows.
    pub fn commit(mut self) -> Result<(), CaseError> {
        self.commit_now()
    }

    /// Returns the committed segments by table.
    pub(crate) fn committed_tables(&self) -> BTreeMap<TableId, Vec<Segment>> {
        let mut tables: BTreeMap<TableId, Vec<Segment>> = BTreeMap::new();
        for segment in &self.writer.case.manifest.segments {
            tables
                .entry(segment.table.clone())
                .or_default()
                .push(segment.clone());
        }
        tables
    }

    /// Whether a committed row stays.
    pub(crate) fn survives(&self, table: &TableId, source: &str, line: i64) -> bool {
        self.drops
            .get(source)
            .is_none_or(|from| (line.max(0) as u64) < *from)
            && !self.is_replaced(table, source)
    }

    pub(crate) fn is_replaced(&self, table: &TableId, source: &str) -> bool {
        // A tuple of borrowed parts cannot be looked up; the set is small.
        self.replaced
            .iter()
            .any(|(of, name)| name == source && of == table)
    }
}

/// A transaction that was not committed leaves no files.
impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let _ = self.work.disk.remove_tree(&self.work.folder);
    }
}

/// Returns the rows of a batch in line order whose line is wanted: neighbours, so that nothing is copied.
fn in_lines(batch: RecordBatch, wanted: &dyn Fn(i64) -> bool) -> Option<RecordBatch> {
    let lines = crate::spool::Keys::of(&batch).lines;
    let from = lines.iter().position(|line| wanted(*line))?;
    let to = lines.iter().rposition(|line| wanted(*line))? + 1;
    Some(batch.slice(from, to - from))
}

fn check_digest(digest: &str) -> Result<(), CaseError> {
    if digest.len() == DIGEST_LENGTH && digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(());
    }
    Err(CaseError::Inconsistent(format!(
        "`{digest}` is not a source's digest of {DIGEST_LENGTH} hex digits"
    )))
}
