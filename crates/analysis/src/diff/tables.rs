//! Which columns of a table in two snapshots are the same, and what its rows are matched by.

use model::{Batch, ColumnType, TableError, TableInfo, TableSource};

/// Columns that got another name: table, old, new.
const RENAMED: [(&str, &str, &str); 1] = [("l1_batches", "is_finished", "is_sealed")];

/// Keys of zkSync Era's tables, for snapshots that do not say them (pasted tables).
const KNOWN_KEYS: [(&str, &[&str]); 8] = [
    ("eth_txs", &["id"]),
    ("eth_txs_history", &["id"]),
    ("l1_batches", &["number"]),
    (
        "l2_to_l1_logs",
        &["miniblock_number", "log_index_in_miniblock"],
    ),
    ("miniblocks", &["number"]),
    ("prover_jobs", &["id"]),
    ("prover_jobs_fri", &["id"]),
    ("transactions", &["hash"]),
];

/// A column that both snapshots have.
#[derive(Clone, Debug)]
pub(super) struct Both {
    pub(super) before: String,
    pub(super) after: String,
    /// Whether its types differ, so that it is compared as text.
    pub(super) as_text: bool,
}

impl Both {
    /// The name in answers.
    pub(super) fn name(&self) -> String {
        match self.before == self.after {
            true => self.after.clone(),
            false => format!("{}/{}", self.before, self.after),
        }
    }
}

/// A row as it is read.
#[derive(Clone, Copy)]
pub(super) struct RowAt<'b> {
    pub(super) batch: &'b Batch,
    /// Where the columns that were asked for stand in the batch.
    pub(super) places: &'b [Option<usize>],
    /// Its place in the batch.
    pub(super) row: usize,
    pub(super) ordinal: i64,
}

/// One side of a comparison.
pub(super) struct Side<'a> {
    pub(super) source: &'a dyn TableSource,
    pub(super) info: TableInfo,
}

impl Side<'_> {
    /// The name that the source finds the table by.
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}", self.info.schema, self.info.name)
    }

    /// Hands each row to `take`. Returns how many rows there are.
    ///
    /// # Errors
    /// If the table cannot be read.
    pub(super) fn each_row(
        &self,
        names: &[&str],
        take: &mut dyn FnMut(RowAt<'_>),
    ) -> Result<u64, TableError> {
        let mut count: i64 = 0;
        self.source.scan(&self.full_name(), names, &mut |batch| {
            let places = places_in(&batch, names);
            let ordinals = batch.column("#");
            for row in 0..batch.rows() {
                count += 1;
                let ordinal = ordinals.and_then(|column| column.i64(row));
                take(RowAt {
                    batch: &batch,
                    places: &places,
                    row,
                    ordinal: ordinal.unwrap_or(count),
                });
            }
            Ok(())
        })?;
        Ok(count as u64)
    }
}

/// A table in two snapshots.
pub(super) struct Pair<'a> {
    pub(super) before: Side<'a>,
    pub(super) after: Side<'a>,
    /// Columns to compare, in the order of the second snapshot.
    pub(super) columns: Vec<Both>,
    /// Places in `columns` of what rows are matched by; empty for whole rows.
    pub(super) key: Vec<usize>,
    pub(super) key_basis: &'static str,
    pub(super) only_before: Vec<String>,
    pub(super) only_after: Vec<String>,
}

impl<'a> Pair<'a> {
    pub(super) fn of(
        before: &'a dyn TableSource,
        after: &'a dyn TableSource,
        first: TableInfo,
        second: TableInfo,
    ) -> Pair<'a> {
        let has = |info: &TableInfo, name: &str| info.columns.iter().any(|(n, _)| n == name);
        let type_in = |info: &TableInfo, name: &str| -> Option<ColumnType> {
            let mut columns = info.columns.iter();
            columns.find(|(n, _)| n == name).map(|(_, of)| *of)
        };
        let mut columns = Vec::new();
        let mut only_after = Vec::new();
        for (name, of) in &second.columns {
            let old = RENAMED.iter().find_map(|(table, old, new)| {
                let applies = *table == second.name && new == name && !has(&first, name);
                (applies && has(&first, old)).then(|| (*old).to_owned())
            });
            let old = old.unwrap_or_else(|| name.clone());
            match type_in(&first, &old) {
                Some(was) => columns.push(Both {
                    as_text: was != *of,
                    before: old,
                    after: name.clone(),
                }),
                None => only_after.push(name.clone()),
            }
        }
        let only_before: Vec<String> = first
            .columns
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| !columns.iter().any(|both| both.before == *name))
            .collect();
        let place = |name: &str| columns.iter().position(|both| both.after == name);
        let places = |names: &[String]| -> Option<Vec<usize>> {
            let places: Option<Vec<usize>> = names.iter().map(|name| place(name)).collect();
            places.filter(|places| !places.is_empty())
        };
        let known: Vec<String> = KNOWN_KEYS
            .iter()
            .find(|(table, _)| *table == second.name)
            .map_or_else(Vec::new, |(_, key)| {
                key.iter().map(|k| (*k).to_owned()).collect()
            });
        let declared = (first.primary_key == second.primary_key)
            .then(|| places(&second.primary_key))
            .flatten();
        let borrowed = || {
            // One snapshot that says a key is enough; two that say different keys are not.
            let either = match (first.primary_key.is_empty(), second.primary_key.is_empty()) {
                (true, _) => &second.primary_key,
                (_, true) => &first.primary_key,
                _ => return None,
            };
            places(either)
        };
        let (key, key_basis) = match (declared, borrowed(), places(&known)) {
            (Some(key), ..) => (key, "declared"),
            (None, Some(key), _) => (key, "declared in the other snapshot"),
            (None, None, Some(key)) => (key, "known"),
            (None, None, None) => (Vec::new(), "whole rows"),
        };
        Pair {
            before: Side {
                source: before,
                info: first,
            },
            after: Side {
                source: after,
                info: second,
            },
            columns,
            key,
            key_basis,
            only_before,
            only_after,
        }
    }

    /// Names of the compared columns in the first snapshot.
    pub(super) fn names_before(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|both| both.before.as_str())
            .collect()
    }

    /// Names of the compared columns in the second snapshot.
    pub(super) fn names_after(&self) -> Vec<&str> {
        self.columns
            .iter()
            .map(|both| both.after.as_str())
            .collect()
    }

    /// The place of a column by its newest name.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|both| both.after == name)
    }
}

/// Where columns stand in a batch, which keeps the table's order.
fn places_in(batch: &Batch, names: &[&str]) -> Vec<Option<usize>> {
    names
        .iter()
        .map(|name| batch.columns.iter().position(|column| column.name == *name))
        .collect()
}
