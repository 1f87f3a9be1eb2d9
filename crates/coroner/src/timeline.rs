//! `timeline` and `search`: records of all sources in time order, filtered.

use crate::{Error, ErrorKind, Evidence, Level, Window};
use model::{Answer, Cell, Reference, SourceId};
use query::{Engine, EngineOptions, ParamValue, Params};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// Which records are wanted. Conditions are joined by "and"; values of one kind by "or".
#[derive(Clone, Debug, Default)]
pub struct TimelineFilter {
    /// Nodes by name.
    pub nodes: Vec<String>,
    /// Clients by name.
    pub clients: Vec<String>,
    /// This level and worse.
    pub min_level: Option<Level>,
    /// Kinds of messages: `clock.reported_offset`, or `clock` for all below it.
    pub kinds: Vec<String>,
    /// Records whose raw text passes.
    pub grep: Option<crate::Grep>,
    /// At most this many rows.
    pub limit: Option<u64>,
    /// Whether copies of a record in other sources of its process are rows of their own.
    pub with_copies: bool,
    /// Memory that sorting may hold before it spills.
    pub memory_bytes: Option<usize>,
}

impl TimelineFilter {
    /// Milestones have no node, client, level or raw text to pass such a condition.
    fn takes_milestones(&self) -> bool {
        self.nodes.is_empty()
            && self.clients.is_empty()
            && self.min_level.is_none()
            && self.grep.is_none()
    }

    fn takes_kind(&self, kind: &str) -> bool {
        self.kinds.is_empty()
            || self.kinds.iter().any(|wanted| {
                let wanted = wanted.trim_end_matches('*').trim_end_matches('.');
                kind.strip_prefix(wanted)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    }
}

/// The receiver of rows, and what it received.
struct Out<'f> {
    f: &'f mut (dyn FnMut(Map<String, Value>) -> Result<(), Error> + Send),
    limit: u64,
    summary: TimelineSummary,
    failed: Option<Error>,
}

impl Out<'_> {
    fn push(&mut self, row: Map<String, Value>, dated: bool) -> ControlFlow<()> {
        if self.summary.rows >= self.limit {
            self.summary.more = true;
            return ControlFlow::Break(());
        }
        self.summary.rows += 1;
        self.summary.undated += u64::from(!dated);
        match (self.f)(row) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn is_done(&self) -> bool {
        self.failed.is_some() || self.summary.more
    }
}

/// What a timeline went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimelineSummary {
    /// Rows that were handed out.
    pub rows: u64,
    /// Rows among them without a time of their own (they stand where their neighbours stand).
    pub undated: u64,
    /// Copies of records in other sources of their process, which are not among the rows unless they were
    /// asked for.
    pub copies: u64,
    /// Whether the limit cut the rest off.
    pub more: bool,
    /// Nodes whose place in the order is uncertain, and why.
    pub uncertain: Vec<String>,
}

const COLUMNS: &str = "ts_us, ts_basis, ts_order_us, node, process, client, level, component, kind, \
    message, fields, source, line, lines, byte, length";

impl Evidence {
    /// Hands every wanted record and milestone to `f`, in the order (`ts_order`, source, line). Each row is an object
    /// in the contract's shape.
    ///
    /// # Errors
    /// If a filter names what the evidence does not have, if it cannot be read, or `f` fails.
    pub fn timeline(
        &self,
        filter: &TimelineFilter,
        window: &Window,
        f: &mut (dyn FnMut(Map<String, Value>) -> Result<(), Error> + Send),
    ) -> Result<TimelineSummary, Error> {
        self.check_filter(filter)?;
        let hits = match &filter.grep {
            Some(grep) => Some(self.scan(grep)?),
            None => None,
        };
        let summary = TimelineSummary {
            uncertain: self.uncertain_order(),
            ..TimelineSummary::default()
        };
        let (sql, params) = statement(filter, window);
        let options = EngineOptions {
            memory_bytes: filter
                .memory_bytes
                .unwrap_or_else(|| EngineOptions::default().memory_bytes),
        };
        let engine = Engine::open(&self.case, options)?;
        let mut milestones = if filter.takes_milestones() {
            self.milestones(window)?
        } else {
            Vec::new()
        };
        milestones.retain(|milestone| filter.takes_kind(milestone.kind));
        let mut milestones = milestones.into_iter().peekable();
        let duplicates = self.case.duplicates()?;
        let sharing_lines = self.case.manifest().sources_sharing_lines();
        let mut out = Out {
            f,
            limit: filter.limit.unwrap_or(u64::MAX),
            summary,
            failed: None,
        };
        engine.stream(&sql, &params, &mut |chunk| {
            let columns = Columns::of(&chunk);
            for row in &chunk.rows {
                if !passes(filter, &columns, row) {
                    continue;
                }
                let source = columns.text(row, "source");
                if let Some(hits) = &hits
                    && !hits.contains(&source, columns.i64(row, "byte"))
                {
                    continue;
                }
                let line = columns
                    .i64(row, "line")
                    .map_or(0, |line| line.max(0) as u64);
                if duplicates.is_copy(&source, line) {
                    out.summary.copies += 1;
                    if !filter.with_copies {
                        continue;
                    }
                }
                let order = columns.i64(row, "ts_order_us").unwrap_or(i64::MAX);
                while let Some(milestone) =
                    milestones.next_if(|next| (next.order_us, &next.source) < (order, &source))
                {
                    if out.push(milestone.row, true).is_break() {
                        return ControlFlow::Break(());
                    }
                }
                let dated = columns.i64(row, "ts_us").is_some();
                let mut shaped = shape(&columns, row, &sharing_lines);
                let copies = duplicates.copies(&source, line);
                if !copies.is_empty() {
                    let refs = copies
                        .iter()
                        .map(|(copy, line)| format!("{copy}:{line}").into());
                    shaped.insert("duplicates".into(), Value::Array(refs.collect()));
                }
                if out.push(shaped, dated).is_break() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        for milestone in milestones {
            if out.is_done() || out.push(milestone.row, true).is_break() {
                break;
            }
        }
        match out.failed {
            Some(error) => Err(error),
            None => Ok(out.summary),
        }
    }

    /// Refuses filters that can match nothing because they name nothing.
    fn check_filter(&self, filter: &TimelineFilter) -> Result<(), Error> {
        let manifest = self.manifest();
        let nodes: Vec<String> = self.nodes().into_iter().map(|node| node.node).collect();
        for wanted in &filter.nodes {
            if !nodes.contains(wanted) {
                return Err(unknown("node", wanted, &nodes));
            }
        }
        let mut clients: Vec<String> = manifest
            .sources
            .iter()
            .filter_map(|source| source.client.clone())
            .chain(
                manifest
                    .processes
                    .iter()
                    .map(|process| process.client.clone()),
            )
            .filter(|client| !client.is_empty())
            .collect();
        clients.sort();
        clients.dedup();
        for wanted in &filter.clients {
            if !clients.contains(wanted) {
                return Err(unknown("client", wanted, &clients));
            }
        }
        Ok(())
    }

    /// Names nodes whose zone is only assumed: their place among the others is uncertain.
    fn uncertain_order(&self) -> Vec<String> {
        let manifest = self.manifest();
        let mut by_node: BTreeMap<&str, bool> = BTreeMap::new();
        for source in &manifest.sources {
            let assumed = source.pieces.iter().any(|piece| piece.basis == "assumed");
            let name = source.node.as_deref().unwrap_or(&source.path);
            *by_node.entry(name).or_default() |= assumed;
        }
        if by_node.len() < 2 {
            return Vec::new();
        }
        by_node
            .into_iter()
            .filter(|(_, assumed)| *assumed)
            .map(|(name, _)| format!("the zone of {name} is assumed"))
            .collect()
    }
}

fn unknown(what: &str, wanted: &str, known: &[String]) -> Error {
    let shown: Vec<&str> = known.iter().take(12).map(String::as_str).collect();
    let hint = if shown.is_empty() {
        format!("the evidence names no {what}")
    } else {
        format!("{what}s are {}", shown.join(", "))
    };
    Error::request(format!("there is no {what} `{wanted}` in the evidence")).with_hint(hint)
}

/// Window and level are left to the engine, which skips what cannot match.
fn statement(filter: &TimelineFilter, window: &Window) -> (String, Params) {
    let mut params = Params::new();
    let mut conditions = Vec::new();
    if let Some(from) = window.from_us {
        params.insert("from_us".into(), ParamValue::Integer(from));
        conditions.push("ts_order_us >= $from_us".to_owned());
    }
    if let Some(to) = window.to_us {
        params.insert("to_us".into(), ParamValue::Integer(to));
        conditions.push("ts_order_us < $to_us".to_owned());
    }
    if let Some(least) = filter.min_level {
        let names: Vec<String> = Level::ALL
            .iter()
            .filter(|level| **level >= least)
            .map(|level| format!("'{}'", level.name()))
            .collect();
        conditions.push(format!("level IN ({})", names.join(", ")));
    }
    let wanted = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM records{wanted} ORDER BY ts_order_us NULLS LAST, source, line, byte"
    );
    (sql, params)
}

fn passes(filter: &TimelineFilter, columns: &Columns, row: &[Cell]) -> bool {
    let one_of = |wanted: &[String], column: &str| {
        wanted.is_empty() || wanted.contains(&columns.text(row, column))
    };
    one_of(&filter.nodes, "node")
        && one_of(&filter.clients, "client")
        && filter.takes_kind(&columns.text(row, "kind"))
}

/// Where each column of a chunk stands.
struct Columns(BTreeMap<String, usize>);

impl Columns {
    fn of(answer: &Answer) -> Columns {
        Columns(
            answer
                .columns
                .iter()
                .enumerate()
                .map(|(at, column)| (column.name.clone(), at))
                .collect(),
        )
    }

    fn cell<'r>(&self, row: &'r [Cell], name: &str) -> Option<&'r Cell> {
        row.get(*self.0.get(name)?)
    }

    fn i64(&self, row: &[Cell], name: &str) -> Option<i64> {
        match self.cell(row, name)? {
            Cell::I64(value) | Cell::Utc(value) => Some(*value),
            _ => None,
        }
    }

    fn text(&self, row: &[Cell], name: &str) -> String {
        match self.cell(row, name) {
            Some(Cell::Text(text)) => text.clone(),
            _ => String::new(),
        }
    }

    fn value(&self, row: &[Cell], name: &str) -> Value {
        self.cell(row, name).map_or(Value::Null, Cell::to_json)
    }
}

/// One row in the contract's shape.
fn shape(columns: &Columns, row: &[Cell], sharing_lines: &BTreeSet<String>) -> Map<String, Value> {
    let time = |name: &str| {
        columns
            .i64(row, name)
            .map_or(Value::Null, |us| model::time::format_utc(us).into())
    };
    let fields = match columns.cell(row, "fields") {
        Some(Cell::Text(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(Cell::Json(value)) => value.clone(),
        _ => Value::Object(Map::new()),
    };
    let line = columns.i64(row, "line").unwrap_or(1).max(1) as u64;
    let lines = columns.i64(row, "lines").unwrap_or(1).max(1) as u64;
    let digest = columns.text(row, "source");
    let place = |name: &str| columns.i64(row, name).map(|at| at.max(0) as u64);
    let reference = match (place("byte"), place("length")) {
        (Some(byte), Some(length)) if sharing_lines.contains(&digest) => Reference::Bytes {
            source: SourceId::Digest(digest),
            byte,
            length,
        },
        _ => Reference::Lines {
            source: SourceId::Digest(digest),
            first: line,
            last: line + lines - 1,
        },
    };
    let mut map = Map::new();
    map.insert("ts".into(), time("ts_us"));
    map.insert("ts_basis".into(), columns.value(row, "ts_basis"));
    map.insert("ts_order".into(), time("ts_order_us"));
    map.insert("corrected_ts".into(), Value::Null);
    for name in [
        "node",
        "process",
        "client",
        "level",
        "component",
        "kind",
        "message",
    ] {
        map.insert(name.into(), columns.value(row, name));
    }
    map.insert("fields".into(), fields);
    map.insert("ref".into(), reference.to_string().into());
    map.insert("duplicates".into(), Value::Array(Vec::new()));
    map
}

impl From<query::QueryError> for Error {
    fn from(error: query::QueryError) -> Error {
        let kind = if error.is_our_fault() {
            ErrorKind::Bug
        } else {
            ErrorKind::Request
        };
        let hint = error.hint();
        let wrapped = Error::wrap(kind, error);
        match hint {
            Some(hint) => wrapped.with_hint(hint),
            None => wrapped,
        }
    }
}
