//! One table in two snapshots: first digests tell which rows differ, then those are read again.

use super::cells::{RowDigest, RowDigester, shown};
use super::columns::count_columns;
use super::tables::{Pair, RowAt, Side};
use super::{ColumnChange, DiffError, RowDiff, TableDiff, ValueDiff};
use model::TableError;
use serde_json::Value;
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Differing rows of each kind whose values are held, for lists and events; of more only the columns that differ
/// are counted.
const LOOKED_INTO: usize = 10_000;

/// What was found in a table.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) table: TableDiff,
    pub(super) gone: Rows,
    pub(super) new: Rows,
    /// Rows of both, side by side.
    pub(super) changed: Vec<(Picked, Picked)>,
    /// Smallest and largest key of each snapshot, where the key is one number.
    pub(super) span_before: Option<(i64, i64)>,
    pub(super) span_after: Option<(i64, i64)>,
}

/// Rows that only one snapshot has.
#[derive(Default)]
pub(super) struct Rows {
    /// The first ones, by key.
    pub(super) picked: Vec<Picked>,
    /// Keys of all of them, sorted, where the key is one number.
    pub(super) numbers: Vec<i64>,
}

/// A row that was looked into.
#[derive(Clone, Debug)]
pub(super) struct Picked {
    pub(super) reference: String,
    pub(super) key: Vec<Value>,
    /// One per compared column: its digest, and how it is shown.
    pub(super) cells: Vec<(RowDigest, Value)>,
}

impl Picked {
    /// Returns a whole number of a row.
    pub(super) fn int(&self, place: Option<usize>) -> Option<i64> {
        self.cells[place?].1.as_i64()
    }

    /// Whether a value is NULL; `false` if the column is not compared.
    pub(super) fn is_null(&self, place: Option<usize>) -> bool {
        place.is_some_and(|at| self.cells[at].1.is_null())
    }

    /// Whether a value is there and not NULL.
    pub(super) fn has(&self, place: Option<usize>) -> bool {
        place.is_some_and(|at| !self.cells[at].1.is_null())
    }
}

/// A row of the first snapshot.
struct Known {
    row: RowDigest,
    ordinal: i64,
    seen: bool,
}

/// Ordinals of rows that differ.
#[derive(Default)]
struct Differing {
    gone: Vec<i64>,
    new: Vec<i64>,
    changed: Vec<(i64, i64)>,
    /// Rows that stand for several equal ones count so often.
    gone_count: u64,
    new_count: u64,
}

/// Compares a table.
pub(super) fn compare(pair: &Pair<'_>, rows_listed: usize) -> Result<Compared, DiffError> {
    let mut found = Compared {
        table: TableDiff {
            name: super::shown(&pair.after.info),
            key: pair.key.iter().map(|at| pair.columns[*at].name()).collect(),
            key_basis: pair.key_basis,
            columns_only_before: pair.only_before.clone(),
            columns_only_after: pair.only_after.clone(),
            ..TableDiff::default()
        },
        ..Compared::default()
    };
    remark(pair, &mut found.table);
    if pair.columns.is_empty() {
        found
            .table
            .notes
            .push("no column in common: nothing was compared".to_owned());
        return Ok(found);
    }
    let differing = match pair.key.is_empty() {
        true => whole_rows(pair, &mut found)?,
        false => by_key(pair, &mut found)?,
    };
    found.table.gone = differing.gone_count;
    found.table.new = differing.new_count;
    found.table.changed = differing.changed.len() as u64;
    look_into(pair, &differing, &mut found)?;
    list(pair, rows_listed, &mut found);
    Ok(found)
}

/// Says what makes a comparison weaker than it looks.
fn remark(pair: &Pair<'_>, table: &mut TableDiff) {
    let sides = [(&pair.before, "first"), (&pair.after, "second")];
    for (side, which) in sides {
        if side.info.types_inferred {
            table.notes.push(format!(
                "the {which} snapshot has no CREATE TABLE for it: it may hold a part of the table, and rows counted as {} may \
                 just not have been selected",
                if which == "first" { "new" } else { "gone" }
            ));
        }
    }
    let as_text: Vec<String> = pair
        .columns
        .iter()
        .filter(|both| both.as_text)
        .map(super::tables::Both::name)
        .collect();
    if !as_text.is_empty() {
        table.notes.push(format!(
            "compared as text, their types differ: {}",
            as_text.join(", ")
        ));
    }
    if pair.key.is_empty() {
        table.notes.push(
            "no primary key is known: whole rows were compared, a changed row counts as gone and new".to_owned(),
        );
    }
}

/// A row with what it is compared by.
struct Digested<'b> {
    at: RowAt<'b>,
    key: RowDigest,
    whole: RowDigest,
}

/// Hands each row of one side to `take`, with its digests over the key and over all columns.
fn digests(
    pair: &Pair<'_>,
    side: &Side<'_>,
    names: &[&str],
    take: &mut dyn FnMut(&Digested<'_>),
) -> Result<u64, TableError> {
    let as_text: Vec<bool> = pair.columns.iter().map(|both| both.as_text).collect();
    let key_text: Vec<bool> = pair.key.iter().map(|at| as_text[*at]).collect();
    let mut of_row = RowDigester::new(as_text);
    let mut of_key = RowDigester::new(key_text);
    let mut key = Vec::new();
    side.each_row(names, &mut |at| {
        // A batch begins.
        if at.row == 0 {
            key = pair.key.iter().map(|column| at.places[*column]).collect();
        }
        take(&Digested {
            key: of_key.digest(at.batch, &key, at.row),
            whole: of_row.digest(at.batch, at.places, at.row),
            at,
        });
    })
}

fn by_key(pair: &Pair<'_>, found: &mut Compared) -> Result<Differing, TableError> {
    let number = match pair.key.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let widen = |span: &mut Option<(i64, i64)>, row: &Digested<'_>| {
        let place = number.and_then(|at| row.at.places[at]);
        if let Some(value) = place.and_then(|at| row.at.batch.columns[at].i64(row.at.row)) {
            let (least, most) = span.unwrap_or((value, value));
            *span = Some((least.min(value), most.max(value)));
        }
    };
    let mut known: HashMap<RowDigest, Known> = HashMap::new();
    let mut repeated = [0u64; 2];
    let mut span = None;
    let names = pair.names_before();
    found.table.rows_before = digests(pair, &pair.before, &names, &mut |row| {
        widen(&mut span, row);
        match known.entry(row.key) {
            std::collections::hash_map::Entry::Occupied(_) => repeated[0] += 1,
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(Known {
                    row: row.whole,
                    ordinal: row.at.ordinal,
                    seen: false,
                });
            }
        }
    })?;
    found.span_before = span.take();
    let mut differing = Differing::default();
    let mut new: HashSet<RowDigest> = HashSet::new();
    let names = pair.names_after();
    found.table.rows_after = digests(pair, &pair.after, &names, &mut |row| {
        widen(&mut span, row);
        match known.get_mut(&row.key) {
            Some(first) if first.seen => repeated[1] += 1,
            Some(first) => {
                first.seen = true;
                if first.row != row.whole {
                    differing.changed.push((first.ordinal, row.at.ordinal));
                }
            }
            None if new.insert(row.key) => differing.new.push(row.at.ordinal),
            None => repeated[1] += 1,
        }
    })?;
    found.span_after = span;
    differing.gone = known
        .into_values()
        .filter(|first| !first.seen)
        .map(|first| first.ordinal)
        .collect();
    differing.gone_count = differing.gone.len() as u64;
    differing.new_count = differing.new.len() as u64;
    for (count, which) in repeated.into_iter().zip(["first", "second"]) {
        if count > 0 {
            found.table.notes.push(format!(
                "{count} rows of the {which} snapshot repeat the key of another: only the first of each was compared"
            ));
        }
    }
    Ok(differing)
}

/// Compares as bags of rows: how often each row stands in the first, less how often in the second.
fn whole_rows(pair: &Pair<'_>, found: &mut Compared) -> Result<Differing, TableError> {
    let mut bag: HashMap<RowDigest, (i64, i64)> = HashMap::new();
    let names = pair.names_before();
    found.table.rows_before = digests(pair, &pair.before, &names, &mut |row| {
        bag.entry(row.whole).or_insert((0, row.at.ordinal)).0 += 1;
    })?;
    let mut after: HashMap<RowDigest, i64> = HashMap::new();
    let names = pair.names_after();
    found.table.rows_after = digests(pair, &pair.after, &names, &mut |row| {
        bag.entry(row.whole).or_insert((0, 0)).0 -= 1;
        after.entry(row.whole).or_insert(row.at.ordinal);
    })?;
    let mut differing = Differing::default();
    for (whole, (count, ordinal)) in bag {
        match count.cmp(&0) {
            Ordering::Greater => {
                differing.gone.push(ordinal);
                differing.gone_count += count.unsigned_abs();
            }
            Ordering::Less => {
                differing.new.push(after[&whole]);
                differing.new_count += count.unsigned_abs();
            }
            Ordering::Equal => {}
        }
    }
    Ok(differing)
}

/// Reads the rows that differ again: their values, as far as they are looked into, and all their numbers.
fn look_into(
    pair: &Pair<'_>,
    differing: &Differing,
    found: &mut Compared,
) -> Result<(), DiffError> {
    let chosen = |ordinals: &[i64]| -> Vec<i64> {
        let mut sorted = ordinals.to_vec();
        sorted.sort_unstable();
        sorted
    };
    let (gone, new) = (chosen(&differing.gone), chosen(&differing.new));
    let mut changed = differing.changed.clone();
    changed.sort_unstable();
    let more = changed.split_off(changed.len().min(LOOKED_INTO));
    let first: Vec<i64> = changed.iter().map(|(before, _)| *before).collect();
    let second: Vec<i64> = changed.iter().map(|(_, after)| *after).collect();
    let mut before = pick(
        pair,
        &pair.before,
        &pair.names_before(),
        &gone,
        &first,
        &mut found.gone,
    )?;
    let mut after = pick(
        pair,
        &pair.after,
        &pair.names_after(),
        &new,
        &second,
        &mut found.new,
    )?;
    for (one, other) in changed {
        if let (Some(one), Some(other)) = (before.remove(&one), after.remove(&other)) {
            found.changed.push((one, other));
        }
    }
    found.changed.sort_by(|a, b| by_value(&a.1.key, &b.1.key));
    let mut counts = vec![0; pair.columns.len()];
    for (one, other) in &found.changed {
        for (at, (was, is)) in one.cells.iter().zip(&other.cells).enumerate() {
            counts[at] += u64::from(was.0 != is.0);
        }
    }
    count_columns(pair, &more, &mut counts)?;
    found.table.columns_changed = pair
        .columns
        .iter()
        .zip(counts)
        .filter(|(_, rows)| *rows > 0)
        .map(|(both, rows)| ColumnChange {
            name: both.name(),
            rows,
        })
        .collect();
    let events = ["l1_batches", "eth_txs", "eth_txs_history"];
    if found.changed.len() < differing.changed.len()
        && events.contains(&pair.after.info.name.as_str())
    {
        found.table.notes.push(format!(
            "events rest on the first {} of {} changed rows",
            found.changed.len(),
            differing.changed.len()
        ));
    }
    Ok(())
}

/// Reads rows of one side: those only it has go into `alone`, those of both are returned by ordinal.
fn pick(
    pair: &Pair<'_>,
    side: &Side<'_>,
    names: &[&str],
    only: &[i64],
    both: &[i64],
    alone: &mut Rows,
) -> Result<HashMap<i64, Picked>, TableError> {
    let mut picked = HashMap::new();
    if only.is_empty() && both.is_empty() {
        return Ok(picked);
    }
    let mut both = both.to_vec();
    both.sort_unstable();
    let mut of_cell: Vec<RowDigester> = pair
        .columns
        .iter()
        .map(|both| RowDigester::new(vec![both.as_text]))
        .collect();
    let looked_into = &only[..only.len().min(LOOKED_INTO)];
    side.each_row(names, &mut |at| {
        let RowAt {
            batch,
            places,
            row,
            ordinal,
        } = at;
        let is_alone = only.binary_search(&ordinal).is_ok();
        if is_alone && let [key] = pair.key.as_slice() {
            let number = places[*key].and_then(|at| batch.columns[at].i64(row));
            alone.numbers.extend(number);
        }
        let looked = is_alone && looked_into.binary_search(&ordinal).is_ok();
        if !looked && both.binary_search(&ordinal).is_err() {
            return;
        }
        let cells: Vec<(RowDigest, Value)> = places
            .iter()
            .zip(&mut of_cell)
            .map(|(place, digester)| {
                let value = place.map_or(Value::Null, |at| shown(&batch.columns[at], row));
                (digester.digest(batch, &[*place], row), value)
            })
            .collect();
        let row = Picked {
            reference: side.info.row_reference(batch, row, Some(ordinal)),
            key: pair.key.iter().map(|at| cells[*at].1.clone()).collect(),
            cells,
        };
        match looked {
            true => alone.picked.push(row),
            false => {
                picked.insert(ordinal, row);
            }
        }
    })?;
    alone.numbers.sort_unstable();
    alone
        .picked
        .sort_by(|a, b| by_value(&a.key, &b.key).then_with(|| a.reference.cmp(&b.reference)));
    Ok(picked)
}

/// Orders keys: numbers as numbers.
fn by_value(a: &[Value], b: &[Value]) -> Ordering {
    a.iter()
        .zip(b)
        .map(|(a, b)| match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.to_string().cmp(&b.to_string()),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Lists the first differing rows: each kind gets its share, and what others leave.
fn list(pair: &Pair<'_>, rows_listed: usize, found: &mut Compared) {
    let lengths = [
        found.gone.picked.len(),
        found.changed.len(),
        found.new.picked.len(),
    ];
    let mut shares = lengths.map(|length| length.min(rows_listed / 3));
    let mut rest = rows_listed - shares.iter().sum::<usize>();
    for (share, length) in shares.iter_mut().zip(lengths) {
        let more = (length - *share).min(rest);
        *share += more;
        rest -= more;
    }
    let rows = &mut found.table.rows;
    for row in &found.gone.picked[..shares[0]] {
        rows.push(RowDiff {
            change: "gone",
            key: row.key.clone(),
            ref_before: Some(row.reference.clone()),
            ref_after: None,
            columns: BTreeMap::new(),
        });
    }
    for (before, after) in &found.changed[..shares[1]] {
        let differ = pair
            .columns
            .iter()
            .zip(before.cells.iter().zip(&after.cells));
        rows.push(RowDiff {
            change: "changed",
            key: after.key.clone(),
            ref_before: Some(before.reference.clone()),
            ref_after: Some(after.reference.clone()),
            columns: differ
                .filter(|(_, (was, is))| was.0 != is.0)
                .map(|(both, (was, is))| {
                    let values = ValueDiff {
                        before: was.1.clone(),
                        after: is.1.clone(),
                    };
                    (both.name(), values)
                })
                .collect(),
        });
    }
    for row in &found.new.picked[..shares[2]] {
        rows.push(RowDiff {
            change: "new",
            key: row.key.clone(),
            ref_before: None,
            ref_after: Some(row.reference.clone()),
            columns: BTreeMap::new(),
        });
    }
    let differing = found.table.gone + found.table.changed + found.table.new;
    found.table.rows_left_out = differing - found.table.rows.len() as u64;
}
