//! Database tables of a case, as analyses ask for them.

use crate::columns::slice_bytes;
use crate::error::segment_error;
use crate::read::to_batch;
use crate::segment_reader::SegmentReader;
use crate::{Case, CaseError, Snapshot, SnapshotTable, TableId};
use arrow::array::RecordBatch;
use model::{Batch, Column, ColumnData, ColumnType, RowFilter, TableError, TableInfo, TableSource};

/// Most bytes that one answer may hold: its offsets are 32 bits wide.
const MOST_BYTES: u64 = 1 << 30;
/// The column that holds a row's ordinal.
const ORDINAL: &str = "#";

/// Database tables of one snapshot of a case, or of all.
#[derive(Clone, Debug)]
pub struct CaseTables {
    case: Case,
    snapshot: Option<String>,
}

impl Case {
    /// Returns the database tables of one snapshot, or of all.
    pub fn table_source(&self, snapshot: Option<&str>) -> CaseTables {
        CaseTables {
            case: self.clone(),
            snapshot: snapshot.map(str::to_owned),
        }
    }
}

impl CaseTables {
    fn chosen(&self) -> impl Iterator<Item = (&Snapshot, &SnapshotTable)> {
        let snapshots = self.case.manifest.snapshots.iter();
        snapshots
            .filter(|snapshot| {
                self.snapshot
                    .as_ref()
                    .is_none_or(|name| *name == snapshot.name)
            })
            .flat_map(|snapshot| snapshot.tables.iter().map(move |table| (snapshot, table)))
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
        let several = |snapshots: bool| -> String {
            let names = found.iter().map(|(snapshot, table)| {
                if snapshots {
                    snapshot.name.clone()
                } else {
                    format!("{}.{}.{}", snapshot.name, table.schema, table.name)
                }
            });
            names.collect::<Vec<_>>().join(", ")
        };
        match &found[..] {
            [one] => Ok(*one),
            [] => {
                let mut known: Vec<String> =
                    self.chosen().map(|(_, table)| table.name.clone()).collect();
                known.sort();
                known.dedup();
                Err(TableError::NoTable {
                    table: name.to_owned(),
                    known: known.join(", "),
                })
            }
            [(first, _), rest @ ..] => {
                let snapshots = rest.iter().all(|(snapshot, _)| snapshot.name != first.name);
                Err(TableError::Ambiguous {
                    table: name.to_owned(),
                    candidates: several(snapshots),
                })
            }
        }
    }

    fn read_table(
        &self,
        id: &TableId,
        columns: &[&str],
        filter: &RowFilter,
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
            let chosen = reader.choose(filter)?;
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
                schema: table.schema.clone(),
                name: table.name.clone(),
                source: snapshot.source.clone(),
                columns: table.columns.clone(),
                primary_key: table.primary_key.clone(),
                types_inferred: table.types_inferred,
            })
            .collect()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let (snapshot, found) = self.find(table)?;
        let id = TableId::Table {
            snapshot: snapshot.name.clone(),
            schema: found.schema.clone(),
            table: found.name.clone(),
        };
        let batch = self
            .read_table(&id, columns, filter)
            .map_err(|error| TableError::Read {
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
        let chosen = |name: &str| self.snapshot.as_ref().is_none_or(|wanted| wanted == name);
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
