//! Database tables of a case, as analyses ask for them.

use crate::columns::slice_bytes;
use crate::error::segment_error;
use crate::hashes::lookup::{Asked, ranges_of};
use crate::read::to_batch;
use crate::segment::hex;
use crate::segment_reader::SegmentReader;
use crate::{Case, CaseError, KeyRange, Snapshot, SnapshotTable, SourceStatus, TableId};
use arrow::array::RecordBatch;
use model::{
    Batch, Choice, Column, ColumnData, ColumnType, RowFilter, TableError, TableInfo, TableSource,
};
use std::collections::{BTreeMap, BTreeSet};

/// Most bytes that one answer may hold: its offsets are 32 bits wide.
const MOST_BYTES: u64 = 1 << 30;
/// Rows of a table that is worth a look into the hash table: shorter ones are read faster.
const HASH_ROWS: u64 = 16 * 1024;
/// The column that holds a row's ordinal.
const ORDINAL: &str = "#";

/// Database tables of one snapshot of a case, of one schema of it, or of all.
#[derive(Clone, Debug)]
pub struct CaseTables {
    case: Case,
    choice: Option<Choice>,
}

impl Case {
    /// Returns the database tables of one snapshot or schema, or of all.
    pub fn table_source(&self, snapshot: Option<&str>) -> CaseTables {
        CaseTables {
            case: self.clone(),
            // A name of nothing has no tables.
            choice: snapshot.map(|name| {
                self.choice(name)
                    .unwrap_or_else(|| Choice::of_snapshot(name))
            }),
        }
    }

    /// Returns which tables a name means: a snapshot, `SNAPSHOT.SCHEMA`, or a schema that only one snapshot has.
    pub fn choice(&self, named: &str) -> Option<Choice> {
        if self.manifest.snapshot(named).is_some() {
            return Some(Choice::of_snapshot(named));
        }
        let snapshots = self.manifest.snapshots.iter();
        let places = snapshots.flat_map(|snapshot| {
            let tables = snapshot.tables.iter();
            tables.map(|table| (snapshot.name.as_str(), table.schema.as_str()))
        });
        Choice::find(named, places)
    }
}

impl CaseTables {
    fn chosen(&self) -> impl Iterator<Item = (&Snapshot, &SnapshotTable)> {
        let snapshots = self.case.manifest.snapshots.iter();
        snapshots
            .flat_map(|snapshot| snapshot.tables.iter().map(move |table| (snapshot, table)))
            .filter(|(snapshot, table)| {
                self.choice
                    .as_ref()
                    .is_none_or(|choice| choice.holds(&snapshot.name, &table.schema))
            })
    }

    /// Finds the one table of a name: `table`, `schema.table` or `snapshot.schema.table`.
    fn find(&self, name: &str) -> Result<(&Snapshot, &SnapshotTable), TableError> {
        let found: Vec<_> = self
            .chosen()
            .filter(|(snapshot, table)| {
                let qualified = format!("{}.{}", table.schema, table.name);
                table.name == name
                    || qualified == name
                    || name
                        .strip_suffix(&qualified)
                        .and_then(|rest| rest.strip_suffix('.'))
                        == Some(&snapshot.name)
            })
            .collect();
        let one = model::the_one(name, found, |(snapshot, table)| {
            (&snapshot.name, &table.schema)
        })?;
        one.ok_or_else(|| {
            let mut known: Vec<String> =
                self.chosen().map(|(_, table)| table.name.clone()).collect();
            known.sort();
            known.dedup();
            TableError::NoTable {
                table: name.to_owned(),
                known: known.join(", "),
            }
        })
    }

    /// Returns the ordinals of the rows of a table that may hold one of some hashes in a column; `None` if the
    /// table has to be read to know.
    fn rows_by_hash(
        &self,
        snapshot: &Snapshot,
        table: &SnapshotTable,
        column: &str,
        ranges: impl FnOnce(bool) -> Option<Vec<KeyRange>>,
    ) -> Result<Option<Vec<i64>>, CaseError> {
        // Rows of other tables are filed under those alone.
        let is_filed = table.inherited_rows == 0;
        if !is_filed || table.rows < HASH_ROWS || !self.case.has_hashes_of(&snapshot.source) {
            return Ok(None);
        }
        let mut columns = table.columns.iter();
        let found = columns.find(|(name, _)| name == column);
        let is_bytes = match found {
            Some((_, ColumnType::Bytes)) => true,
            Some((_, ColumnType::Text | ColumnType::Dict)) => false,
            _ => return Ok(None),
        };
        let place = snapshot.hash_columns.iter().position(|filed| {
            filed.part == snapshot.part
                && filed.schema == table.schema
                && filed.table == table.name
                && filed.column == column
        });
        let (Some(place), Some(ranges)) = (place, ranges(is_bytes)) else {
            return Ok(None);
        };
        let places = self.case.look_up(&Asked {
            ranges: &ranges,
            only: Some((&snapshot.source, place as u32 + 1)),
            // Where much of a table is wanted, reading it is faster.
            at_most: (table.rows / 16) as usize,
        })?;
        Ok(places.map(|found| {
            let lines = found.places.into_values().flatten();
            lines.map(|ordinal| ordinal as i64).collect()
        }))
    }

    /// Returns the distinct hashes of a column that begin with some hex digits, by the hash table.
    fn hashes_of(
        &self,
        table: &str,
        column: &str,
        digits: &str,
    ) -> Result<Option<Vec<String>>, TableError> {
        let (snapshot, found) = self.find(table)?;
        let failed = |error: CaseError| TableError::Read {
            table: table.to_owned(),
            source: Box::new(error),
        };
        let range = KeyRange::of_digits(digits);
        let ordinals = self
            .rows_by_hash(snapshot, found, column, |_| Some(vec![range?]))
            .map_err(failed)?;
        let Some(ordinals) = ordinals else {
            return Ok(None);
        };
        let id = table_id(snapshot, found);
        let filter = RowFilter::I64In(ORDINAL.to_owned(), ordinals);
        let batch = self.read_table(&id, &[column], &filter, None);
        let batch = batch.map_err(failed)?.unwrap_or_default();
        let mut hashes = BTreeSet::new();
        if let Some(values) = batch.column(column) {
            for row in 0..values.len() {
                let Some(value) = values.bytes(row) else {
                    continue;
                };
                let printed = match values.column_type {
                    ColumnType::Bytes => hex(value),
                    _ => String::from_utf8_lossy(value).trim().to_lowercase(),
                };
                let marked = ["0x", "\\x"].iter();
                let unmarked = marked.filter_map(|mark| printed.strip_prefix(mark)).next();
                let unmarked = unmarked.unwrap_or(&printed);
                if unmarked.starts_with(digits) {
                    hashes.insert(format!("0x{unmarked}"));
                }
            }
        }
        Ok(Some(hashes.into_iter().collect()))
    }

    fn read_table(
        &self,
        id: &TableId,
        columns: &[&str],
        filter: &RowFilter,
        also: Option<&RowFilter>,
    ) -> Result<Option<Batch>, CaseError> {
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut ordinals: Vec<i64> = Vec::new();
        let mut start = 0u64;
        let mut bytes = 0;
        let mut shape = None;
        let wanted: Vec<&str> = columns
            .iter()
            .copied()
            .filter(|name| *name != ORDINAL)
            .collect();
        for (file, path) in self.case.open_files(id)? {
            let reader = SegmentReader::of(file, &path)?;
            let mut chosen = reader.choose(filter)?;
            if let Some(also) = also {
                chosen = reader.choose_among(chosen, also)?;
            }
            let mut with_ordinal = wanted.clone();
            with_ordinal.push(ORDINAL);
            let mut stored = false;
            for batch in reader.read(Some(&with_ordinal), &chosen)? {
                let mut batch = batch?;
                bytes += slice_bytes(&batch);
                if bytes > MOST_BYTES {
                    return Err(CaseError::Rows {
                        table: id.to_string(),
                        source_key: "the case".to_owned(),
                        what: "more than 1 GiB was asked for at once: name fewer columns or keys"
                            .to_owned(),
                    });
                }
                if let Ok(index) = batch.schema_ref().index_of(ORDINAL) {
                    let column = to_batch(
                        batch
                            .project(&[index])
                            .map_err(|error| segment_error(&path, error))?,
                        reader.columns(),
                        &path,
                    )?;
                    let column = column.columns.into_iter().next();
                    ordinals
                        .extend((0..batch.num_rows()).filter_map(|row| column.as_ref()?.i64(row)));
                    batch.remove_column(index);
                    stored = true;
                }
                batches.push(batch);
            }
            if !stored {
                let positions = reader.positions(&chosen);
                ordinals.extend(positions.iter().map(|row| (start + row + 1) as i64));
            }
            start += reader.rows();
            shape = Some((reader, path));
        }
        let Some((reader, path)) = shape else {
            return Ok(None);
        };
        let mut batch = match batches.first() {
            Some(first) if first.num_columns() > 0 => {
                let schema = first.schema();
                let all = arrow::compute::concat_batches(&schema, &batches)
                    .map_err(|error| segment_error(&path, error))?;
                to_batch(all, reader.columns(), &path)?
            }
            _ => {
                let columns = reader.columns().iter();
                let kept = columns.filter(|(name, _)| wanted.contains(&name.as_str()));
                Batch {
                    columns: kept.map(|(name, of)| Column::new(name, *of)).collect(),
                }
            }
        };
        batch.columns.push(ordinal_column(ordinals));
        Ok(Some(batch))
    }
}

fn table_id(snapshot: &Snapshot, table: &SnapshotTable) -> TableId {
    TableId::Table {
        snapshot: snapshot.name.clone(),
        schema: table.schema.clone(),
        table: table.name.clone(),
    }
}

impl CaseTables {
    /// Hands rows on as they are read, each batch with its ordinals.
    fn scan_table(
        &self,
        id: &TableId,
        columns: &[&str],
        take: &mut dyn FnMut(Batch) -> Result<(), CaseError>,
    ) -> Result<(), CaseError> {
        let mut wanted: Vec<&str> = columns.to_vec();
        wanted.push(ORDINAL);
        let mut next = 1;
        for (file, path) in self.case.open_files(id)? {
            let reader = SegmentReader::of(file, &path)?;
            for batch in reader.read(Some(&wanted), &reader.all())? {
                let batch = batch?;
                let rows = batch.num_rows() as i64;
                let mut batch = to_batch(batch, reader.columns(), &path)?;
                // Where no row was broken, ordinals are not stored.
                if batch.column(ORDINAL).is_none() {
                    batch
                        .columns
                        .push(ordinal_column((next..next + rows).collect()));
                }
                next += rows;
                take(batch)?;
            }
        }
        Ok(())
    }
}

fn ordinal_column(ordinals: Vec<i64>) -> Column {
    Column {
        name: ORDINAL.to_owned(),
        column_type: ColumnType::I64,
        data: ColumnData::I64(ordinals),
        valid: None,
    }
}

impl TableSource for CaseTables {
    fn tables(&self) -> Vec<TableInfo> {
        self.chosen()
            .map(|(snapshot, table)| TableInfo {
                snapshot: snapshot.name.clone(),
                part: snapshot.part.clone(),
                schema: table.schema.clone(),
                name: table.name.clone(),
                source: snapshot.source.as_str().into(),
                columns: table.columns.clone(),
                primary_key: table.primary_key.clone(),
                types_inferred: table.types_inferred,
            })
            .collect()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let (snapshot, found) = self.find(table)?;
        let id = table_id(snapshot, found);
        let batch = || {
            if let RowFilter::BytesIn(column, values) = filter {
                let by_hash = self.rows_by_hash(snapshot, found, column, |is_bytes| {
                    ranges_of(values, is_bytes)
                })?;
                if let Some(ordinals) = by_hash {
                    let rows = RowFilter::I64In(ORDINAL.to_owned(), ordinals);
                    return self.read_table(&id, columns, &rows, Some(filter));
                }
            }
            self.read_table(&id, columns, filter, None)
        };
        let batch = batch().map_err(|error: CaseError| TableError::Read {
            table: table.to_owned(),
            source: Box::new(error),
        })?;
        Ok(batch.unwrap_or_else(|| {
            // No segment: the table is empty.
            let kept = found
                .columns
                .iter()
                .filter(|(name, _)| columns.contains(&name.as_str()));
            let mut columns: Vec<Column> = kept.map(|(name, of)| Column::new(name, *of)).collect();
            columns.push(ordinal_column(Vec::new()));
            Batch { columns }
        }))
    }

    fn hashes_beginning(
        &self,
        table: &str,
        column: &str,
        digits: &str,
    ) -> Result<Option<Vec<String>>, TableError> {
        self.hashes_of(table, column, digits)
    }

    fn scan(
        &self,
        table: &str,
        columns: &[&str],
        take: &mut dyn FnMut(Batch) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        let (snapshot, found) = self.find(table)?;
        let id = TableId::Table {
            snapshot: snapshot.name.clone(),
            schema: found.schema.clone(),
            table: found.name.clone(),
        };
        let mut refused = None;
        let scanned = self.scan_table(&id, columns, &mut |batch| {
            take(batch).map_err(|error| {
                refused = Some(error);
                CaseError::stopped(std::io::Error::other("the caller wants no more"))
            })
        });
        match (refused, scanned) {
            (Some(error), _) => Err(error),
            (None, scanned) => scanned.map_err(|error| TableError::Read {
                table: table.to_owned(),
                source: Box::new(error),
            }),
        }
    }

    fn newest(&self, table: &str) -> Option<BTreeMap<String, i64>> {
        let (_, found) = self.find(table).ok()?;
        found.newest.clone()
    }

    fn row_count(&self, table: &str) -> Option<u64> {
        let (_, found) = self.find(table).ok()?;
        Some(found.rows.saturating_sub(found.damaged_rows))
    }

    fn damage_of(&self, table: &str) -> Vec<String> {
        let Ok((snapshot, found)) = self.find(table) else {
            return Vec::new();
        };
        let mut damage = Vec::new();
        if found.damaged_rows > 0 {
            damage.push(format!(
                "{} rows of {}.{} could not be read",
                found.damaged_rows, found.schema, found.name
            ));
        }
        // Of a dump that is cut or broken, a table without rows may have had some.
        if found.rows == 0
            && let Some(source) = self.case.manifest.source(&snapshot.source)
        {
            damage.extend(source.problems.iter().map(|problem| {
                format!("{} at byte {}: {}", source.path, problem.byte, problem.what)
            }));
            if damage.is_empty() && source.status != SourceStatus::Complete {
                let what = match source.status {
                    SourceStatus::Truncated => "ends too early",
                    _ => "could not be read as a whole",
                };
                damage.push(format!("{} {what}", source.path));
            }
        }
        damage
    }

    fn damage(&self) -> Vec<String> {
        let mut damage: Vec<String> = self
            .chosen()
            .filter(|(_, table)| table.damaged_rows > 0)
            .map(|(snapshot, table)| {
                format!(
                    "{}.{}.{}: {} rows could not be read",
                    snapshot.name, table.schema, table.name, table.damaged_rows
                )
            })
            .collect();
        let chosen = |name: &str| {
            let choice = self.choice.as_ref();
            choice.is_none_or(|choice| choice.snapshot == name)
        };
        for snapshot in self
            .case
            .manifest
            .snapshots
            .iter()
            .filter(|s| chosen(&s.name))
        {
            if let Some(source) = self.case.manifest.source(&snapshot.source) {
                damage.extend(source.problems.iter().map(|problem| {
                    format!("{} at byte {}: {}", source.path, problem.byte, problem.what)
                }));
            }
        }
        damage
    }
}
