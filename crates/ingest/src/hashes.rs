//! Hashes on their way into the case's hash table: those of a block of log text, those of a dump's rows, and
//! those of sources that an older program read.

use crate::rows::BlockRows;
use case::{
    Case, CaseError, HASH_RULES, HashColumn, HashRows, RowWriter, Source, SourceKind, TableId,
    TextKind, Transaction, key_of_bytes, keys_in_text, placed_keys_in_text,
};
use model::{
    Batch, Column, ColumnData, ColumnType, Position, RowFilter, StrColumn, TableInfo,
    TableSource as _,
};

/// Files what the records of a block say, and the text of its rejected lines.
pub(crate) fn of_block(rows: &BlockRows, block: &[u8], at: Position) -> HashRows {
    let mut hashes = HashRows::default();
    for words in [&rows.component, &rows.message] {
        let (words, codes) = words.parts();
        of_words(words, codes, &rows.line, &mut hashes);
    }
    of_fields(&rows.fields, &rows.line, &mut hashes);
    for (span, _) in &rows.rejects {
        let from = (span.byte.saturating_sub(at.byte)) as usize;
        let to = from.saturating_add(span.length as usize).min(block.len());
        let text = block.get(from..to).unwrap_or_default();
        keys_in_text(text, TextKind::Plain, &mut |key| {
            hashes.push(key, span.line, 0);
        });
    }
    hashes.sort();
    hashes
}

/// Files hashes in words: each is looked at once, however many rows have it.
fn of_words(words: &StrColumn, codes: &[i32], lines: &[i64], hashes: &mut HashRows) {
    // Keys by word, in the order of words.
    let mut keys: Vec<u64> = Vec::new();
    let mut ends: Vec<usize> = Vec::with_capacity(words.len());
    for word in 0..words.len() {
        keys_in_text(words.get(word), TextKind::Plain, &mut |key| keys.push(key));
        ends.push(keys.len());
    }
    if keys.is_empty() {
        return;
    }
    for (code, line) in codes.iter().zip(lines) {
        let Some(&end) = usize::try_from(*code).ok().and_then(|code| ends.get(code)) else {
            continue;
        };
        let start = (*code as usize)
            .checked_sub(1)
            .map_or(0, |before| ends[before]);
        for key in &keys[start..end] {
            hashes.push(*key, *line as u64, 0);
        }
    }
}

/// Files hashes in fields, JSON objects: they are looked through end to end, since no run of digits goes on
/// from one to the next.
fn of_fields(fields: &Column, lines: &[i64], hashes: &mut HashRows) {
    let ColumnData::Str(values) = &fields.data else {
        return;
    };
    let mut row = 0;
    placed_keys_in_text(&values.data, TextKind::Json, &mut |at, key| {
        while values.offsets[row + 1] as usize <= at {
            row += 1;
        }
        hashes.push(key, lines[row] as u64, 0);
    });
}

/// Files the hashes of a dump's rows.
#[derive(Default)]
pub(crate) struct TableHashes {
    /// The columns that were looked at; see [`case::Snapshot::hash_columns`].
    pub(crate) columns: Vec<HashColumn>,
    pub(crate) rows: HashRows,
}

impl TableHashes {
    /// Files the hashes of a batch, row by row: batches of any size give the same rows.
    pub(crate) fn push(&mut self, info: &TableInfo, batch: &Batch) {
        let Some(ordinals) = batch.column("#") else {
            return;
        };
        let looked_at: Vec<(u32, &Column)> = batch
            .columns
            .iter()
            .filter(|column| {
                use ColumnType::{Bytes, Dict, Json, Text};
                matches!(column.column_type, Bytes | Dict | Json | Text)
            })
            .map(|column| (self.place(info, &column.name), column))
            .collect();
        for row in 0..batch.rows() {
            let Some(ordinal) = ordinals.i64(row).and_then(|n| u64::try_from(n).ok()) else {
                continue;
            };
            for (place, column) in &looked_at {
                let Some(value) = column.bytes(row) else {
                    continue;
                };
                let kind = match column.column_type {
                    ColumnType::Bytes => {
                        if let Some(key) = key_of_bytes(value) {
                            self.rows.push(key, ordinal, *place);
                        }
                        continue;
                    }
                    ColumnType::Json => TextKind::Json,
                    _ => TextKind::Plain,
                };
                keys_in_text(value, kind, &mut |key| {
                    self.rows.push(key, ordinal, *place);
                });
            }
        }
    }

    /// Returns the number of a column, counted from 1.
    fn place(&mut self, info: &TableInfo, column: &str) -> u32 {
        let same = |known: &HashColumn| {
            known.column == column
                && known.table == info.name
                && known.schema == info.schema
                && known.part == info.part
        };
        let known = self.columns.iter().position(same);
        let at = known.unwrap_or_else(|| {
            self.columns.push(HashColumn {
                part: info.part.clone(),
                schema: info.schema.clone(),
                table: info.name.clone(),
                column: column.to_owned(),
            });
            self.columns.len() - 1
        });
        at as u32 + 1
    }
}

/// Returns the sources whose hashes an older program did not file.
fn stale(tx: &Transaction<'_>, committed: &Case) -> Vec<Source> {
    let unchanged = |source: &&Source| {
        let before = committed.manifest().source(&source.digest);
        before.is_some_and(|before| before.sha256 == source.sha256)
    };
    let sources = tx.manifest().sources.iter();
    sources
        .filter(|source| source.hashes != HASH_RULES)
        // What grew in this run is whole with the next one.
        .filter(unchanged)
        .cloned()
        .collect()
}

/// Files the hashes of sources that an older program read, from what the case holds of them. Returns their
/// paths.
///
/// # Errors
/// If the case cannot be read or written.
pub(crate) fn renew(tx: &mut Transaction<'_>, committed: &Case) -> Result<Vec<String>, CaseError> {
    let stale = stale(tx, committed);
    for source in &stale {
        tx.replace_rows(&TableId::Hashes, &source.digest);
        let mut writer = tx.rows(&TableId::Hashes, &source.path)?;
        match source.kind {
            SourceKind::Log => log_again(tx, committed, source, &mut writer)?,
            SourceKind::Dump => {
                let columns = tables_again(committed, source, &mut writer)?;
                let snapshots = tx.manifest_mut().snapshots.iter_mut();
                for snapshot in snapshots.filter(|snapshot| snapshot.source == source.digest) {
                    snapshot.hash_columns = columns.clone();
                }
            }
        }
        let run = writer.finish()?;
        tx.adopt_rows(run, &source.digest, source.bytes)?;
        if let Some(source) = tx.manifest_mut().source_mut(&source.digest) {
            source.hashes = HASH_RULES;
        }
    }
    Ok(stale.into_iter().map(|source| source.path).collect())
}

/// Files the hashes of a log that is in the case.
fn log_again(
    tx: &Transaction<'_>,
    committed: &Case,
    source: &Source,
    writer: &mut RowWriter,
) -> Result<(), CaseError> {
    let number = |batch: &Batch, name: &str, row: usize| -> u64 {
        let value = batch.column(name).and_then(|column| column.i64(row));
        value.map_or(0, |value| value.max(0) as u64)
    };
    // Rejected lines stand between the records, and lines have to come in order.
    let mut rejected: Vec<(u64, u64)> = Vec::new();
    let mut evidence = committed.evidence_reader(&source.digest);
    let (encoding, all) = (source.encoding(), 0..=u64::MAX);
    let columns = ["source", "line", "byte", "length"];
    let mut text = Vec::new();
    tx.read_rows(
        &TableId::Rejects,
        &source.digest,
        &columns,
        all.clone(),
        &mut |batch| {
            for row in 0..batch.rows() {
                let length = number(batch, "length", row);
                if length > crate::pipeline::LINE_LIMIT_BYTES as u64 {
                    continue;
                }
                text.clear();
                evidence.read(number(batch, "byte", row), length, &mut text)?;
                let line = number(batch, "line", row);
                keys_in_text(&encoding.to_utf8(&text), TextKind::Plain, &mut |key| {
                    rejected.push((line, key));
                });
            }
            Ok(())
        },
    )?;
    let mut rejected = rejected.into_iter().peekable();
    let mut hashes = HashRows::default();
    let columns = ["source", "line", "component", "message", "fields"];
    tx.read_rows(
        &TableId::Records,
        &source.digest,
        &columns,
        all,
        &mut |batch| {
            let mut last = 0;
            for row in 0..batch.rows() {
                let line = number(batch, "line", row);
                last = line.max(last);
                for (name, kind) in [
                    ("component", TextKind::Plain),
                    ("message", TextKind::Plain),
                    ("fields", TextKind::Json),
                ] {
                    let Some(text) = batch.column(name).and_then(|column| column.bytes(row)) else {
                        continue;
                    };
                    keys_in_text(text, kind, &mut |key| hashes.push(key, line, 0));
                }
            }
            while let Some((line, key)) = rejected.next_if(|(line, _)| *line <= last) {
                hashes.push(key, line, 0);
            }
            hashes.sort();
            match hashes.is_empty() {
                true => Ok(()),
                false => writer.push(hashes.take()),
            }
        },
    )?;
    for (line, key) in rejected {
        hashes.push(key, line, 0);
    }
    hashes.sort();
    match hashes.is_empty() {
        true => Ok(()),
        false => writer.push(hashes.take()),
    }
}

/// Files the hashes of a dump that is in the case; returns the columns that were looked at.
fn tables_again(
    committed: &Case,
    source: &Source,
    writer: &mut RowWriter,
) -> Result<Vec<HashColumn>, CaseError> {
    let mut hashes = TableHashes::default();
    let is_elsewhere = |info: &TableInfo| {
        let snapshot = committed.manifest().snapshot(&info.snapshot);
        let mut tables = snapshot.iter().flat_map(|snapshot| &snapshot.tables);
        // Rows of partitions are filed under those.
        tables.any(|table| {
            let same = table.schema == info.schema && table.name == info.name;
            same && table.inherited_rows > 0 && table.inherited_rows == table.rows
        })
    };
    let tables = committed.table_source(None).tables().into_iter();
    let tables = tables.filter(|info| info.source == *source.digest);
    for info in tables.filter(|info| !is_elsewhere(info)) {
        let id = TableId::Table {
            snapshot: info.snapshot.clone(),
            schema: info.schema.clone(),
            table: info.name.clone(),
        };
        committed.read(&id, None, &RowFilter::All, &mut |batch| {
            hashes.push(&info, &batch);
            match hashes.rows.is_empty() {
                true => Ok(()),
                false => writer.push(hashes.rows.take()),
            }
        })?;
    }
    Ok(hashes.columns)
}
