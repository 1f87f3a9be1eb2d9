//! One database dump into a transaction: each table's rows under its own name, each database and each take in a
//! snapshot of its own.

use crate::IngestError;
use crate::hashes::TableHashes;
use crate::snapshot::SnapshotWatch;
use case::{
    HASH_RULES, HashColumn, RowWriter, Run, Snapshot, SnapshotTable, Source, SourceKind,
    SourceStatus, TableId, Transaction,
};
use dumps::{DumpFacts, DumpStatus, Located, Naming, RowSink, SinkError, Trouble, Want};
use evidence::SourceReader;
use model::{Batch, Column, ColumnData, ColumnType, Encoding, NumericExtent, StrColumn, TableInfo};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// How a dump is read.
pub(crate) struct DumpReading<'a> {
    pub(crate) path: &'a Path,
    pub(crate) shown: &'a str,
    /// The snapshot's name, if the user gave one.
    pub(crate) given: Option<&'a str>,
    /// What the file is called, without endings.
    pub(crate) file: &'a str,
    /// Whether its text is copied into the case.
    pub(crate) keep: bool,
    /// The zone of its naive times, if the user named one, in seconds east of UTC.
    pub(crate) zone_given: Option<i32>,
}

/// What became of it.
pub(crate) struct DumpOutcome {
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) problems: Vec<String>,
}

/// Reads a dump into the transaction; `None` if the case has it already.
///
/// A dump is gone through twice: keys stand behind the data they belong to, and where there is no CREATE TABLE
/// only all rows together tell the types. Archives say both in their table of contents: the first time they are only
/// hashed, not unpacked.
pub(crate) fn read_dump_source(
    tx: &mut Transaction<'_>,
    reader: SourceReader,
    reading: &DumpReading<'_>,
) -> Result<Option<DumpOutcome>, IngestError> {
    let spooled;
    let mut reader = reader;
    let encoding = dumps::encoding(reader.peek(crate::text::HEAD_BYTES));
    let mut first = Passing {
        reader,
        spool: None,
    };
    if reading.path.as_os_str() == evidence::STDIN {
        first.spool = Some(tempfile::tempfile().map_err(IngestError::Spool)?);
    }
    let failed = |source| IngestError::Dump {
        path: reading.shown.to_owned(),
        source: Box::new(source),
    };
    let mut buffered = BufReader::with_capacity(1 << 20, first);
    let known = dumps::scan_dump(&mut buffered).map_err(failed)?;
    std::io::copy(&mut buffered, &mut std::io::sink()).map_err(IngestError::Spool)?;
    let mut first = buffered.into_inner();
    spooled = first.spool.take();
    let facts = first.reader.finish();
    let digest = facts.sha256.short();
    if tx.manifest().source(&digest).is_some() {
        return Ok(None);
    }
    let naming = Naming {
        given: reading.given.map(str::to_owned),
        file: dumps::snapshot_name(reading.file),
        source: digest.as_str().into(),
    };
    let want = Want {
        naming,
        known,
        ..Want::default()
    };
    let second: Box<dyn Read> =
        match spooled {
            Some(mut file) => {
                file.seek(SeekFrom::Start(0)).map_err(IngestError::Spool)?;
                Box::new(file)
            }
            None => Box::new(evidence::open_member(reading.path, reading.shown).map_err(
                |error| IngestError::Read {
                    path: reading.shown.to_owned(),
                    source: std::io::Error::other(error),
                },
            )?),
        };
    let mut sink = Rows {
        tx,
        shown: reading.shown,
        names: BTreeMap::new(),
        writers: BTreeMap::new(),
        watches: BTreeMap::new(),
        hashes: TableHashes::default(),
        hash_writer: None,
        rejects: Vec::new(),
        problems: Vec::new(),
    };
    let found = if reading.keep {
        let mut evidence = sink.tx.evidence(reading.shown, 0)?;
        let tee = Tee {
            reader: second,
            copy: |bytes: &[u8]| evidence.write(bytes).map_err(std::io::Error::other),
        };
        let found = dumps::read_dump(
            &mut BufReader::with_capacity(1 << 20, tee),
            &want,
            &mut sink,
        )
        .map_err(failed)?;
        (found, Some(evidence.finish()?))
    } else {
        (
            dumps::read_dump(
                &mut BufReader::with_capacity(1 << 20, second),
                &want,
                &mut sink,
            )
            .map_err(failed)?,
            None,
        )
    };
    let (found, evidence) = found;
    // A table without rows was not met yet, and its database may have no other.
    for table in &found.tables {
        sink.name_of(&table.info);
    }
    let names = std::mem::take(&mut sink.names);
    let mut watches = std::mem::take(&mut sink.watches);
    let Written {
        runs,
        mut problems,
        hash_columns,
        mut seen,
    } = sink.finish()?;
    for (byte, what) in &facts.problems {
        problems.push(format!(
            "{what} at byte {byte} of what was unpacked; everything before it was read"
        ));
    }
    let snapshots = names.into_iter().map(|(part, name)| {
        let mut snapshot = snapshot_of(&found, &part, name, &digest);
        snapshot.hash_columns.clone_from(&hash_columns);
        for table in &mut snapshot.tables {
            let id = TableId::Table {
                snapshot: snapshot.name.clone(),
                schema: table.schema.clone(),
                table: table.name.clone(),
            };
            let Seen { numerics, newest } = seen.remove(&id).unwrap_or_default();
            table.numerics = numerics;
            table.newest = Some(newest);
        }
        let watch = watches.remove(&part).unwrap_or_default();
        watch.tell(&mut snapshot, reading.zone_given);
        snapshot
    });
    let snapshots: Vec<Snapshot> = snapshots.collect();
    let mut source = source_of(&found, &facts, reading.shown, &digest);
    source.encoding = (encoding != Encoding::Utf8).then(|| encoding.to_string());
    let manifest = tx.manifest_mut();
    source.number = manifest.take_source_number();
    manifest.sources.push(source);
    manifest.snapshots.extend(snapshots);
    manifest.snapshots.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(evidence) = evidence {
        tx.adopt_evidence(evidence, &digest)?;
    }
    for run in runs {
        tx.adopt_rows(run, &digest, facts.bytes)?;
    }
    Ok(Some(DumpOutcome {
        digest,
        bytes: facts.bytes,
        problems,
    }))
}

/// Passes a reader on, keeping what was read where a second reading needs it.
struct Passing {
    reader: SourceReader,
    spool: Option<std::fs::File>,
}

impl Read for Passing {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        if let Some(spool) = &mut self.spool {
            spool.write_all(&buffer[..read])?;
        }
        Ok(read)
    }
}

struct Tee<R, F> {
    reader: R,
    copy: F,
}

impl<R: Read, F: FnMut(&[u8]) -> std::io::Result<()>> Read for Tee<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.reader.read(buffer)?;
        (self.copy)(&buffer[..read])?;
        Ok(read)
    }
}

/// Writes rows to the case.
struct Rows<'t, 'w, 's> {
    tx: &'t mut Transaction<'w>,
    shown: &'s str,
    /// The name of each part's snapshot in this case; see [`TableInfo::part`].
    names: BTreeMap<String, String>,
    writers: BTreeMap<TableId, TableWriter>,
    /// By part.
    watches: BTreeMap<String, SnapshotWatch>,
    hashes: TableHashes,
    hash_writer: Option<RowWriter>,
    rejects: Vec<Located>,
    problems: Vec<String>,
}

/// A table that is being written.
struct TableWriter {
    rows: RowWriter,
    seen: Seen,
}

/// What the manifest tells of a table's values.
#[derive(Default)]
struct Seen {
    numerics: BTreeMap<String, NumericExtent>,
    newest: BTreeMap<String, i64>,
}

impl Seen {
    fn see(&mut self, batch: &Batch) {
        NumericExtent::see_batch(&mut self.numerics, batch);
        for column in &batch.columns {
            if !matches!(
                column.column_type,
                ColumnType::TimestampUtc | ColumnType::TimestampCivil
            ) {
                continue;
            }
            let times = (0..column.len()).filter_map(|row| column.i64(row));
            if let Some(time) = times.filter(|us| model::time::is_finite(*us)).max() {
                let newest = self.newest.entry(column.name.clone()).or_insert(time);
                *newest = time.max(*newest);
            }
        }
    }
}

/// What became of the rows.
struct Written {
    runs: Vec<Run>,
    problems: Vec<String>,
    hash_columns: Vec<HashColumn>,
    /// Of the tables that have rows.
    seen: BTreeMap<TableId, Seen>,
}

/// Rows of the hash table that are handed on together.
const HASH_BATCH_ROWS: usize = 64 << 10;
/// More problems than this are counted, not listed.
const PROBLEMS_LISTED: usize = 100;

impl RowSink for Rows<'_, '_, '_> {
    fn table(&mut self, _: &TableInfo) -> Result<(), SinkError> {
        Ok(())
    }

    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        self.hashes.push(info, &batch);
        if self.hashes.rows.len() >= HASH_BATCH_ROWS {
            self.write_hashes()?;
        }
        self.inherited_rows(info, batch)
    }

    /// Their hashes are filed under their own table: a hash that is found there is not found here once more.
    fn inherited_rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        let watch = self.watches.entry(info.part.clone()).or_default();
        watch.see(info, &batch);
        let table = TableId::Table {
            snapshot: self.name_of(info),
            schema: info.schema.clone(),
            table: info.name.clone(),
        };
        let writer = match self.writers.entry(table) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(new) => {
                let rows = self.tx.rows(new.key(), self.shown)?;
                new.insert(TableWriter {
                    rows,
                    seen: Seen::default(),
                })
            }
        };
        writer.seen.see(&batch);
        Ok(writer.rows.push(batch)?)
    }

    fn damaged(&mut self, table: &str, byte: u64, line: u64, what: &str) -> Result<(), SinkError> {
        if self.problems.len() < PROBLEMS_LISTED {
            self.problems.push(if table.is_empty() {
                format!("line {line} (byte {byte}): {what}")
            } else {
                format!("table {table}, line {line} (byte {byte}): {what}")
            });
        }
        Ok(())
    }

    fn rejected(&mut self, located: &Located) -> Result<(), SinkError> {
        self.rejects.push(located.clone());
        Ok(())
    }
}

impl Rows<'_, '_, '_> {
    /// Returns what a table's snapshot is called in the case.
    fn name_of(&mut self, info: &TableInfo) -> String {
        if let Some(known) = self.names.get(&info.part) {
            return known.clone();
        }
        let manifest = self.tx.manifest();
        let name = dumps::unique_snapshot_name(&info.snapshot, |name| {
            manifest.snapshot(name).is_some() || self.names.values().any(|used| used == name)
        });
        self.names.insert(info.part.clone(), name.clone());
        name
    }

    fn write_hashes(&mut self) -> Result<(), case::CaseError> {
        if self.hashes.rows.is_empty() {
            return Ok(());
        }
        let writer = match &mut self.hash_writer {
            Some(writer) => writer,
            none => none.insert(self.tx.rows(&TableId::Hashes, self.shown)?),
        };
        writer.push(self.hashes.rows.take())
    }

    fn finish(mut self) -> Result<Written, IngestError> {
        let mut runs = Vec::new();
        self.write_hashes()?;
        if let Some(writer) = self.hash_writer {
            runs.push(writer.finish()?);
        }
        let mut seen = BTreeMap::new();
        for (table, writer) in self.writers {
            runs.push(writer.rows.finish()?);
            seen.insert(table, writer.seen);
        }
        if !self.rejects.is_empty() {
            let mut writer = self.tx.rows(&TableId::Rejects, self.shown)?;
            writer.push(reject_batch(&self.rejects))?;
            runs.push(writer.finish()?);
        }
        Ok(Written {
            runs,
            problems: self.problems,
            hash_columns: self.hashes.columns,
            seen,
        })
    }
}

fn reject_batch(rejects: &[Located]) -> Batch {
    let number = |name: &str, value: fn(&Located) -> u64| Column {
        name: name.to_owned(),
        column_type: ColumnType::I64,
        data: ColumnData::I64(rejects.iter().map(|reject| value(reject) as i64).collect()),
        valid: None,
    };
    let mut reason = StrColumn::default();
    for reject in rejects {
        reason.push_lossy(reject.what.as_bytes());
    }
    Batch {
        columns: vec![
            Column::new("source", ColumnType::Dict),
            number("line", |reject| reject.line),
            number("lines", |reject| reject.lines),
            number("byte", |reject| reject.byte),
            number("length", |reject| reject.length),
            Column {
                name: "reason".to_owned(),
                column_type: ColumnType::Dict,
                data: ColumnData::Dict {
                    codes: (0..rejects.len() as i32).collect(),
                    values: reason,
                },
                valid: None,
            },
        ],
    }
}

fn snapshot_of(found: &DumpFacts, part: &str, name: String, digest: &str) -> Snapshot {
    let other = found.parts.iter().find(|other| other.part == part);
    let (database, started_on, started_local) = match other {
        Some(other) => (&other.database, other.started_on, other.started_local),
        None => (&found.database, found.started_on, found.started_local),
    };
    Snapshot {
        name,
        source: digest.to_owned(),
        part: part.to_owned(),
        kind: found.kind.name().to_owned(),
        database: database.clone(),
        schema_version: found.schema_version.clone().filter(|_| other.is_none()),
        as_of_us: started_on,
        as_of_local_us: started_local,
        as_of_basis: started_on.map(|_| "dump header".to_owned()),
        tables: found
            .tables
            .iter()
            .filter(|table| table.info.part == part)
            .map(|table| SnapshotTable {
                schema: table.info.schema.clone(),
                name: table.info.name.clone(),
                rows: table.rows,
                inherited_rows: table.inherited.rows,
                damaged_rows: table.damaged_rows,
                columns: table.info.columns.clone(),
                primary_key: table.info.primary_key.clone(),
                types_inferred: table.info.types_inferred,
                numerics: BTreeMap::new(),
                newest: None,
                notes: table.notes.clone(),
            })
            .collect(),
        ..Snapshot::default()
    }
}

/// Most places outside of tables that a manifest names.
const PROBLEMS: usize = 20;

fn source_of(
    found: &DumpFacts,
    facts: &evidence::SourceFacts,
    shown: &str,
    digest: &str,
) -> Source {
    let mut rejected: BTreeMap<String, u64> = BTreeMap::new();
    for reject in &found.rejects {
        *rejected.entry(reject.what.clone()).or_default() += reject.lines;
    }
    let status = match (crate::log_source::status_of(facts.status), found.status) {
        (SourceStatus::Complete, DumpStatus::Complete) => SourceStatus::Complete,
        (SourceStatus::Complete, DumpStatus::Truncated) => SourceStatus::Truncated,
        (SourceStatus::Complete, DumpStatus::Damaged) => SourceStatus::Damaged,
        (status, _) => status,
    };
    // What is damaged inside of a table is counted there.
    let apart = |reject: &&Located| reject.trouble != Trouble::Other && reject.table.is_none();
    let mut problems = crate::log_source::problems_of(facts);
    problems.extend(
        found
            .rejects
            .iter()
            .filter(apart)
            .take(PROBLEMS)
            .map(|reject| case::Problem {
                byte: reject.byte,
                what: reject.what.clone(),
            }),
    );
    Source {
        digest: digest.to_owned(),
        first_bytes: facts.bytes,
        sha256: facts.sha256.to_string(),
        bytes: facts.bytes,
        path: shown.to_owned(),
        container: crate::log_source::container_of(facts),
        kind: SourceKind::Dump,
        lines: found.lines,
        rejected,
        parser: String::new(),
        hashes: HASH_RULES,
        status,
        problems,
        ..Source::default()
    }
}
