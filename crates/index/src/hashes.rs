//! Answering a search for a hash by the case's hash table: it names the few records, rejected lines and table
//! rows that may hold it, and those are compared as a scan compares all.
//!
//! Log lines are found as a scan finds them, none more and none less; where a number could be meant they are
//! scanned. Rows of database tables are found by hashes alone.

use crate::language::{Search, TextKind, What};
use crate::matcher::Subject;
use crate::scan::{COLUMNS, Hit, Reject, Scan, Unsearched};
use case::{Case, CaseError, HashPlaces, KeyRange, TableId};
use model::{Batch, Column, ColumnType, RowFilter, TableInfo, TableSource};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// More places than this, and more than a part of the records, are read faster than looked up.
const FEW_PLACES: u64 = 50_000;
/// Rows of a table that are read together: some have large cells.
const ROWS_AT_ONCE: usize = 256;
/// Of longer cells only the beginning is shown.
const SHOWN_CHARS: usize = 300;
/// Digits before an address in a word of 32 bytes.
const PADDING: &str = "0x000000000000000000000000";

/// Where the hash stands that a search asks for.
#[derive(Default)]
pub(crate) struct Places {
    /// Whether every record and rejected line that can be a hit is in `logs`.
    pub(crate) tells_all: bool,
    /// Lines by source.
    pub(crate) logs: BTreeMap<String, Vec<u64>>,
    /// Rows of database tables.
    tables: HashPlaces,
    /// Why rows are not known.
    pub(crate) unsearched: Option<Unsearched>,
}

impl Places {
    /// Whether a rejected line can be a hit.
    pub(crate) fn may_hold(&self, reject: &Reject) -> bool {
        // Hashes of lines that are too long to be read were not filed.
        !self.tells_all
            || reject.is_cut()
            || self
                .logs
                .get(&reject.source)
                .is_some_and(|lines| lines.binary_search(&reject.line).is_ok())
    }
}

/// Looks up the hash that every hit must hold; the one that tells most if there are several.
pub(crate) fn look_up(case: &Case, search: &Search) -> Result<Places, CaseError> {
    let terms = search.terms.iter().filter(|term| !term.negated);
    let hashes = terms.filter_map(|term| match &term.what {
        What::Text(text) if text.kind == TextKind::Hex => Some(text.needle.as_str()),
        _ => None,
    });
    let mut asked = hashes.peekable();
    if asked.peek().is_none() {
        return Ok(Places::default());
    }
    let unknown = |why| Places {
        unsearched: Some(why).filter(|_| !case.manifest().snapshots.is_empty()),
        ..Places::default()
    };
    let old = case.sources_without_hashes();
    if old > 0 {
        return Ok(unknown(Unsearched::OldSources(old)));
    }
    let ranges = asked.filter_map(|digits| Some((digits.len(), KeyRange::of_digits(digits)?)));
    let best = ranges.max_by_key(|(digits, range)| (range.covers_text, *digits));
    let Some((_, range)) = best else {
        return Ok(unknown(Unsearched::NotFiled));
    };
    let most = FEW_PLACES.max(case.rows(&TableId::Records) / 8);
    let Some(found) = case.hash_places(range, most as usize)? else {
        return Ok(unknown(Unsearched::NotFiled));
    };
    let mut places = Places {
        tells_all: range.covers_text,
        ..Places::default()
    };
    for ((source, place), lines) in found.places {
        match place {
            0 => drop(places.logs.insert(source, lines)),
            _ => drop(places.tables.places.insert((source, place), lines)),
        }
    }
    Ok(places)
}

/// Looks at the records that begin at some lines. Those of the same lines in other sources are no hits and do
/// no harm.
pub(crate) fn records(
    case: &Case,
    logs: &BTreeMap<String, Vec<u64>>,
    scan: &mut Scan<'_>,
) -> Result<(), CaseError> {
    let lines: BTreeSet<u64> = logs.values().flatten().copied().collect();
    if lines.is_empty() {
        return Ok(());
    }
    let lines = lines.into_iter().map(|line| line as i64).collect();
    let filter = RowFilter::I64In("line".to_owned(), lines);
    case.read(&TableId::Records, Some(COLUMNS), &filter, &mut |batch| {
        scan.records(&batch);
        Ok(())
    })
}

/// Looks at rows of database tables.
pub(crate) fn rows(case: &Case, places: &Places, scan: &mut Scan<'_>) -> Result<(), CaseError> {
    // By source, part, schema and table: a row may hold several hashes.
    let mut wanted: BTreeMap<(&str, &str, &str, &str), BTreeSet<u64>> = BTreeMap::new();
    for ((source, place), ordinals) in &places.tables.places {
        let mut snapshots = case.manifest().snapshots.iter();
        let snapshot = snapshots.find(|snapshot| snapshot.source == *source);
        let column = snapshot.and_then(|snapshot| snapshot.hash_columns.get(*place as usize - 1));
        if let Some(column) = column {
            let rows = wanted
                .entry((source, &column.part, &column.schema, &column.table))
                .or_default();
            rows.extend(ordinals);
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let tables = case.table_source(None);
    let infos = tables.tables();
    for ((source, part, schema, table), ordinals) in wanted {
        let Some(info) = infos.iter().find(|info| {
            info.source == *source
                && info.part == part
                && info.schema == schema
                && info.name == table
        }) else {
            continue;
        };
        let name = info.full_name();
        let columns: Vec<&str> = info.columns.iter().map(|(name, _)| name.as_str()).collect();
        let ordinals: Vec<i64> = ordinals.into_iter().map(|ordinal| ordinal as i64).collect();
        for some in ordinals.chunks(ROWS_AT_ONCE) {
            let filter = RowFilter::I64In("#".to_owned(), some.to_vec());
            let batch = tables
                .read(&name, &columns, &filter)
                .map_err(CaseError::stopped)?;
            for row in 0..batch.rows() {
                table_row(info, &batch, row, scan);
            }
        }
    }
    Ok(())
}

fn table_row(info: &TableInfo, batch: &Batch, row: usize, scan: &mut Scan<'_>) {
    let ordinal = batch.column("#").and_then(|column| column.i64(row));
    let mut cells = Map::new();
    for column in batch.columns.iter().filter(|column| column.name != "#") {
        if let Some(value) = cell(column, row) {
            cells.insert(column.name.clone(), value);
        }
    }
    let name = info.reference_name();
    scan.found.rows += 1;
    let fields = Value::Object(searched(&cells)).to_string();
    let subject = Subject {
        message: &name,
        fields: &fields,
        ..Subject::default()
    };
    if scan.matcher.matches(scan.search, &subject) {
        scan.hit(|| Hit {
            kind: Some("row".to_owned()),
            message: name.clone(),
            fields: Some(Value::Object(shown(cells)).to_string()),
            source: info.source.to_string(),
            line: ordinal.map_or(0, |ordinal| ordinal.max(0) as u64),
            row: Some(info.row_reference(batch, row, ordinal)),
            ..Hit::default()
        });
    }
}

/// A cell as people write it; `None` for null.
fn cell(column: &Column, row: usize) -> Option<Value> {
    Some(match column.column_type {
        ColumnType::Bool => column.bool(row)?.into(),
        ColumnType::I64 => column.i64(row)?.into(),
        ColumnType::F64 => model::f64_json(column.f64(row)?),
        ColumnType::TimestampUtc => model::time::format_utc(column.i64(row)?).into(),
        ColumnType::TimestampCivil => model::time::format_civil(column.i64(row)?).into(),
        ColumnType::Bytes => {
            use std::fmt::Write as _;
            let bytes = column.bytes(row)?;
            let mut text = String::with_capacity(2 + 2 * bytes.len());
            text.push_str("0x");
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            text.into()
        }
        ColumnType::Text | ColumnType::Dict | ColumnType::Json | ColumnType::Numeric => {
            String::from_utf8_lossy(column.bytes(row)?).into()
        }
    })
}

/// What is searched of cells: padded addresses are addresses, too.
fn searched(cells: &Map<String, Value>) -> Map<String, Value> {
    let mut cells = cells.clone();
    for value in cells.values_mut() {
        let address = value.as_str().and_then(|text| text.strip_prefix(PADDING));
        if let Some(address) = address.filter(|address| address.len() == 40) {
            *value = format!("{PADDING}{address} 0x{address}").into();
        }
    }
    cells
}

/// What is shown of cells.
fn shown(mut cells: Map<String, Value>) -> Map<String, Value> {
    for value in cells.values_mut() {
        if let Value::String(text) = value
            && let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS)
        {
            text.truncate(end);
            text.push('…');
        }
    }
    cells
}
