//! Answering a search by reading every record.

use crate::hashes::{self, Places};
use crate::language::{Search, SearchSyntaxError, What};
use crate::matcher::{Matcher, Subject};
use case::{Case, CaseError, Duplicates, TableId};
use model::{Batch, Column, Encoding, RowFilter};
use std::cmp::Ordering;
use std::collections::{BTreeSet, BinaryHeap};

/// Rejected lines are read from evidence in stretches of this size; of a longer line only the
/// beginning is searched.
const STRETCH_BYTES: u64 = 1 << 20;

/// Which hits are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter {
    /// From (inclusive) and to (exclusive) in microseconds since 1970 UTC, by `ts_order`.
    pub window: Option<(i64, i64)>,
    /// At most so many hits, the earliest; all are counted. 0: count alone.
    pub limit: Option<usize>,
    /// Whether copies of a record in other sources of its process are hits of their own.
    pub with_copies: bool,
}

/// A record, a line that no format claimed, or a row of a database table that satisfies the search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// Its instant, if known.
    pub ts_us: Option<i64>,
    /// How its year, date and zone became known.
    pub ts_basis: Option<String>,
    /// Its place in time; `None` for rejected lines and rows.
    pub ts_order_us: Option<i64>,
    /// Node.
    pub node: Option<String>,
    /// Process number.
    pub process: Option<i64>,
    /// Client.
    pub client: Option<String>,
    /// Level.
    pub level: Option<String>,
    /// Component.
    pub component: Option<String>,
    /// Kind of message; `row` for rows.
    pub kind: Option<String>,
    /// The message; of a rejected line its raw text, invalid UTF-8 replaced; of a row its table.
    pub message: String,
    /// The fields, a JSON object; of a row its cells, long ones cut.
    pub fields: Option<String>,
    /// Digest of the source.
    pub source: String,
    /// First line; of a row its ordinal in the table.
    pub line: u64,
    /// How many lines.
    pub lines: u64,
    /// Whether no format claimed the line.
    pub is_rejected: bool,
    /// References to its copies in other sources of its process.
    pub copies: Vec<String>,
    /// The permanent reference of a row.
    pub row: Option<String>,
    /// Offset and bytes of a record that shares its line with others.
    pub place: Option<(u64, u64)>,
}

impl Hit {
    /// Returns the permanent reference (foundations §1).
    pub fn reference(&self) -> String {
        if let Some((byte, length)) = self.place {
            return format!("{}@{byte}+{length}", self.source);
        }
        if let Some(row) = &self.row {
            return row.clone();
        }
        match self.lines {
            0 | 1 => format!("{}:{}", self.source, self.line),
            lines => format!("{}:{}-{}", self.source, self.line, self.line + lines - 1),
        }
    }

    fn key(&self) -> (bool, Option<i64>, &str, Option<&str>, u64, Option<u64>) {
        (
            self.ts_order_us.is_none(),
            self.ts_order_us,
            &self.source,
            self.row.is_some().then_some(&self.message),
            self.line,
            self.place.map(|(byte, _)| byte),
        )
    }
}

/// What a search found, and how hard it looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The earliest hits, in the order of (`ts_order`, source, line); rejected lines and rows come last.
    pub hits: Vec<Hit>,
    /// All hits.
    pub count: u64,
    /// Hits that are copies of others; they are not in `count` unless they were asked for.
    pub copies: u64,
    /// How the answer was found: `scan`, or `hash` by the hash table.
    pub answered_by: &'static str,
    /// Records that were looked at (in the window, if there is one).
    pub records: u64,
    /// Rejected lines that were looked at; with a window none, as they have no time.
    pub rejects: u64,
    /// Rejected lines that were not searched to their end: too long, or of a dump that is kept by hash.
    pub cut: u64,
    /// Rows of database tables that were looked at.
    pub rows: u64,
    /// Why a search for a hash did not look into the case's database tables, if it did not.
    pub tables_unsearched: Option<Unsearched>,
}

/// Why database tables were not searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsearched {
    /// An older program read some sources and did not file their hashes.
    OldSources(usize),
    /// The hash table cannot tell where it stands: it begins with zeros only, or stands in very many places.
    NotFiled,
}

/// Why a search could not be answered.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The search cannot be understood.
    #[error(transparent)]
    Syntax(#[from] SearchSyntaxError),
    /// The case cannot be read.
    #[error(transparent)]
    Case(#[from] CaseError),
}

pub(crate) const COLUMNS: &[&str] = &[
    "ts_us",
    "ts_order_us",
    "ts_basis",
    "level",
    "component",
    "message",
    "kind",
    "fields",
    "slot",
    "epoch",
    "validator",
    "root",
    "network",
    "node",
    "process",
    "role",
    "client",
    "version",
    "source",
    "line",
    "lines",
    "byte",
    "length",
];

/// Searches the records and rejected lines of a case.
///
/// # Errors
/// [`SearchError`]; nothing found is not an error.
pub fn search(case: &Case, text: &str, filter: Filter) -> Result<Found, SearchError> {
    let search = Search::parse(text)?;
    let places = hashes::look_up(case, &search)?;
    let mut scan = Scan::new(&search, filter, case.duplicates()?);
    scan.sharing_lines = case.manifest().sources_sharing_lines();
    if places.tells_all {
        scan.found.answered_by = "hash";
        hashes::records(case, &places.logs, &mut scan)?;
    } else {
        case.read(
            &TableId::Records,
            Some(COLUMNS),
            &row_filter(&search),
            &mut |batch| {
                scan.records(&batch);
                Ok(())
            },
        )?;
    }
    if filter.window.is_none() {
        rejects(case, &places, &mut scan)?;
        hashes::rows(case, &places, &mut scan)?;
        scan.found.tables_unsearched = places.unsearched;
    }
    Ok(scan.found())
}

/// Searches rejected lines: those that may hold the hash that is asked for, or all.
fn rejects(case: &Case, places: &Places, scan: &mut Scan<'_>) -> Result<(), CaseError> {
    let mut stretch = Stretch::default();
    let columns = ["source", "line", "lines", "byte", "length"];
    let mut push = |reject: Reject| {
        if let Err(reject) = stretch.push(reject) {
            scan.stretch(case, std::mem::take(&mut stretch))?;
            let _ = stretch.push(reject);
        }
        Ok(())
    };
    case.read(
        &TableId::Rejects,
        Some(&columns),
        &RowFilter::All,
        &mut |batch| {
            let rejects = (0..batch.rows()).filter_map(|row| Reject::read(&batch, row));
            rejects
                .filter(|reject| places.may_hold(reject))
                .try_for_each(&mut push)
        },
    )?;
    scan.stretch(case, stretch)
}

/// Lets the case leave out segments by a term that only one value of a column satisfies.
fn row_filter(search: &Search) -> RowFilter {
    for term in search.terms.iter().filter(|term| !term.negated) {
        if let What::Level(levels) = &term.what {
            let names = levels.iter().map(|level| level.name().into()).collect();
            return RowFilter::BytesIn("level".to_owned(), names);
        }
    }
    RowFilter::All
}

pub(crate) struct Scan<'a> {
    pub(crate) search: &'a Search,
    filter: Filter,
    pub(crate) matcher: Matcher,
    duplicates: Duplicates,
    /// Sources in which lines hold several records.
    sharing_lines: BTreeSet<String>,
    hits: BinaryHeap<Ranked>,
    pub(crate) found: Found,
}

/// A hit that is larger the later it is.
struct Ranked(Hit);

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key().cmp(&other.0.key())
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl<'a> Scan<'a> {
    fn new(search: &'a Search, filter: Filter, duplicates: Duplicates) -> Scan<'a> {
        Scan {
            search,
            filter,
            matcher: Matcher::default(),
            duplicates,
            sharing_lines: BTreeSet::new(),
            hits: BinaryHeap::new(),
            found: Found {
                answered_by: "scan",
                ..Found::default()
            },
        }
    }

    pub(crate) fn records(&mut self, batch: &Batch) {
        let column = |name: &str| batch.column(name);
        let text = |column: Option<&'_ Column>, row: usize| -> Option<String> {
            column.and_then(|c| c.text(row)).map(str::to_owned)
        };
        let number = |column: Option<&Column>, row: usize| column.and_then(|c| c.i64(row));
        let placed = column("ts_order_us");
        let (level, component, message, fields) = (
            column("level"),
            column("component"),
            column("message"),
            column("fields"),
        );
        let texts: Vec<(&'static str, Option<&Column>)> = [
            "node",
            "client",
            "component",
            "kind",
            "role",
            "network",
            "version",
            "validator",
            "root",
        ]
        .into_iter()
        .map(|name| (name, column(name)))
        .collect();
        let numbers = [("slot", column("slot")), ("epoch", column("epoch"))];
        let named = self.search.names_columns();
        for row in 0..batch.rows() {
            let ts_order_us = number(placed, row);
            if let Some((from, to)) = self.filter.window
                && !ts_order_us.is_some_and(|us| (from..to).contains(&us))
            {
                continue;
            }
            self.found.records += 1;
            // Most searches name no column; then none is looked up.
            let printed = numbers.map(|(name, column)| {
                let number = number(column, row).filter(|_| named);
                (name, number.map(|number| number.to_string()))
            });
            let mut columns: Vec<(&'static str, Option<&str>)> = Vec::new();
            if named {
                let texts = texts.iter();
                columns.extend(texts.map(|(name, c)| (*name, c.and_then(|c| c.text(row)))));
                columns.extend(printed.iter().map(|(name, text)| (*name, text.as_deref())));
            }
            let subject = Subject {
                level: level.and_then(|c| c.text(row)),
                component: component.and_then(|c| c.text(row)).unwrap_or_default(),
                message: message.and_then(|c| c.text(row)).unwrap_or_default(),
                fields: fields.and_then(|c| c.text(row)).unwrap_or_default(),
                columns: &columns,
            };
            if !self.matcher.matches(self.search, &subject) {
                continue;
            }
            let source = column("source").and_then(|c| c.text(row)).unwrap_or("");
            let line = number(column("line"), row).map_or(0, |line| line.max(0) as u64);
            if self.duplicates.is_copy(source, line) {
                self.found.copies += 1;
                if !self.filter.with_copies {
                    continue;
                }
            }
            let copies: Vec<String> = self
                .duplicates
                .copies(source, line)
                .into_iter()
                .map(|(copy, line)| format!("{copy}:{line}"))
                .collect();
            let place = |name| number(column(name), row).map(|at| at.max(0) as u64);
            let place = place("byte")
                .zip(place("length"))
                .filter(|_| self.sharing_lines.contains(source));
            self.hit(|| Hit {
                copies,
                place,
                ts_us: number(column("ts_us"), row),
                ts_basis: text(column("ts_basis"), row),
                ts_order_us,
                node: text(column("node"), row),
                process: number(column("process"), row),
                client: text(column("client"), row),
                level: text(level, row),
                component: text(component, row),
                kind: text(column("kind"), row),
                message: text(message, row).unwrap_or_default(),
                fields: text(fields, row),
                source: text(column("source"), row).unwrap_or_default(),
                line: number(column("line"), row).unwrap_or_default() as u64,
                lines: number(column("lines"), row).unwrap_or(1) as u64,
                is_rejected: false,
                row: None,
            });
        }
    }

    fn stretch(&mut self, case: &Case, stretch: Stretch) -> Result<(), CaseError> {
        let Some(first) = stretch.rejects.first() else {
            return Ok(());
        };
        let start = first.byte;
        match case.evidence(&first.source, start, stretch.length()) {
            Ok(bytes) => {
                let source = case.manifest().source(&first.source);
                let encoding = source.map(case::Source::encoding).unwrap_or_default();
                self.rejects(&stretch.rejects, &bytes, start, encoding);
            }
            // A dump is kept by hash: its text lies outside the case.
            Err(CaseError::OutOfBounds { held: 0, .. }) => {
                self.found.cut += stretch.rejects.len() as u64;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Searches rejected lines whose bytes are at hand, beginning at `start`.
    fn rejects(&mut self, rejects: &[Reject], bytes: &[u8], start: u64, encoding: Encoding) {
        for reject in rejects {
            self.found.rejects += 1;
            let from = (reject.byte - start) as usize;
            let to = (from + reject.length as usize).min(bytes.len());
            self.found.cut += u64::from(reject.is_cut());
            let raw = encoding.to_utf8(bytes.get(from..to).unwrap_or_default());
            let raw = String::from_utf8_lossy(&raw);
            let message = raw.trim_end_matches(['\n', '\r']);
            let subject = Subject {
                message,
                ..Subject::default()
            };
            if self.matcher.matches(self.search, &subject) {
                self.hit(|| Hit {
                    message: message.to_owned(),
                    source: reject.source.clone(),
                    line: reject.line,
                    lines: reject.lines,
                    is_rejected: true,
                    ..Hit::default()
                });
            }
        }
    }

    pub(crate) fn hit(&mut self, hit: impl FnOnce() -> Hit) {
        self.found.count += 1;
        if self.filter.limit == Some(0) {
            return;
        }
        self.hits.push(Ranked(hit()));
        if self
            .filter
            .limit
            .is_some_and(|limit| self.hits.len() > limit)
        {
            self.hits.pop();
        }
    }

    fn found(self) -> Found {
        let hits = self.hits.into_sorted_vec();
        Found {
            hits: hits.into_iter().map(|ranked| ranked.0).collect(),
            ..self.found
        }
    }
}

/// A line that no format claimed.
#[derive(Clone, Debug)]
pub(crate) struct Reject {
    pub(crate) source: String,
    pub(crate) line: u64,
    lines: u64,
    byte: u64,
    length: u64,
}

impl Reject {
    fn read(batch: &Batch, row: usize) -> Option<Reject> {
        let number = |name: &str| {
            let value = batch.column(name).and_then(|column| column.i64(row));
            value.and_then(|value| u64::try_from(value).ok())
        };
        Some(Reject {
            source: batch.column("source")?.text(row)?.to_owned(),
            line: number("line")?,
            lines: number("lines").unwrap_or(1),
            byte: number("byte")?,
            length: number("length")?,
        })
    }

    /// Whether only its beginning is searched.
    pub(crate) fn is_cut(&self) -> bool {
        self.length > STRETCH_BYTES
    }

    fn end(&self) -> u64 {
        self.byte + self.length.min(STRETCH_BYTES)
    }
}

/// Neighbouring rejected lines, read together.
#[derive(Default)]
struct Stretch {
    rejects: Vec<Reject>,
}

impl Stretch {
    /// Takes the line, or gives it back if it is too far from the others.
    fn push(&mut self, reject: Reject) -> Result<(), Reject> {
        let fits = match (self.rejects.first(), self.rejects.last()) {
            (Some(first), Some(last)) => {
                reject.source == first.source
                    && reject.byte >= last.byte
                    && reject.end() - first.byte <= STRETCH_BYTES
            }
            _ => true,
        };
        if !fits {
            return Err(reject);
        }
        self.rejects.push(reject);
        Ok(())
    }

    fn length(&self) -> u64 {
        let first = self.rejects.first().map_or(0, |reject| reject.byte);
        self.rejects.iter().map(Reject::end).max().unwrap_or(first) - first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ColumnType;

    fn batch(rows: &[(Option<i64>, &str, u64, &str, &str)]) -> Batch {
        let mut columns = vec![
            Column::new("ts_order_us", ColumnType::I64),
            Column::new("source", ColumnType::Text),
            Column::new("line", ColumnType::I64),
            Column::new("lines", ColumnType::I64),
            Column::new("level", ColumnType::Text),
            Column::new("message", ColumnType::Text),
        ];
        for (ts, source, line, level, message) in rows {
            columns[0].push_opt_i64(*ts);
            columns[1].push_text(source.as_bytes());
            columns[2].push_i64(*line as i64);
            columns[3].push_i64(if *line == 5 { 3 } else { 1 });
            columns[4].push_text(level.as_bytes());
            columns[5].push_text(message.as_bytes());
        }
        Batch { columns }
    }

    fn refs(found: &Found) -> Vec<String> {
        found.hits.iter().map(Hit::reference).collect()
    }

    #[test]
    fn hits_come_in_time_order_whatever_the_segments() {
        let read = Search::parse("clock").unwrap();
        let segments = [
            batch(&[
                (Some(30), "bb", 1, "warn", "clock"),
                (None, "bb", 2, "warn", "Clock"),
                (Some(10), "bb", 3, "info", "no"),
            ]),
            batch(&[
                (Some(20), "aa", 5, "warn", "the clock"),
                (Some(30), "aa", 9, "warn", "clock"),
                (Some(30), "aa", 7, "warn", "clock"),
            ]),
        ];
        let scan = |filter: Filter| {
            let mut scan = Scan::new(&read, filter, Duplicates::default());
            for segment in &segments {
                scan.records(segment);
            }
            let reject = |line, byte| Reject {
                source: "aa".to_owned(),
                line,
                lines: 1,
                byte,
                length: 6,
            };
            scan.rejects(
                &[reject(2, 100), reject(3, 106)],
                b"clock\nclick\n",
                100,
                Encoding::Utf8,
            );
            scan.found()
        };
        let all = scan(Filter::default());
        assert_eq!(
            refs(&all),
            ["aa:5-7", "aa:7", "aa:9", "bb:1", "aa:2", "bb:2"]
        );
        assert_eq!((all.count, all.records, all.rejects), (6, 6, 2));
        assert!(all.hits[4].is_rejected);
        let two = scan(Filter {
            limit: Some(2),
            ..Filter::default()
        });
        assert_eq!(
            (refs(&two), two.count),
            (vec!["aa:5-7".to_owned(), "aa:7".to_owned()], 6)
        );
        let window = scan(Filter {
            window: Some((15, 30)),
            limit: Some(0),
            ..Filter::default()
        });
        assert_eq!((window.hits.len(), window.count, window.records), (0, 2, 1));
    }

    #[test]
    fn rejected_lines_are_read_in_stretches() {
        let reject = |source: &str, byte, length| Reject {
            source: source.to_owned(),
            line: 1,
            lines: 1,
            byte,
            length,
        };
        let mut stretch = Stretch::default();
        assert!(stretch.push(reject("a", 10, 5)).is_ok());
        assert!(stretch.push(reject("a", 100, 5)).is_ok());
        assert_eq!(stretch.length(), 95);
        assert!(stretch.push(reject("b", 200, 5)).is_err());
        assert!(stretch.push(reject("a", 50, 5)).is_err());
        assert!(stretch.push(reject("a", STRETCH_BYTES + 11, 5)).is_err());
        let mut stretch = Stretch::default();
        assert!(stretch.push(reject("a", 10, 100 << 20)).is_ok());
        assert_eq!(stretch.length(), STRETCH_BYTES);
    }
}
