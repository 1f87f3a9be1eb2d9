//! Plain `pg_dump`: SQL around blocks of COPY rows, or around INSERT statements.

use std::collections::HashMap;

use crate::block::Migrations;
use crate::facts::{
    DumpError, DumpFacts, DumpKind, DumpStatus, Located, RowSink, TableFacts, Trouble, Want,
};
use crate::infer::Inference;
use crate::input::{Input, Line};
use crate::insert::Inserting;
use crate::parts::Parts;
use crate::reject::Origin;
use crate::schema::{FullName, Schema};
use crate::sniff::{HEAD, MARK};
use crate::sql::{self, Splitter, Statement};
use crate::timestamp;

/// Longest statement.
const STATEMENT_LIMIT: usize = 64 << 20;
/// How often reading is taken up again behind a statement without end: each costs a scan.
const RESUMES: u32 = 64;

/// Reads a dump to its end.
pub(crate) fn read(
    input: Input<'_>,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut input = input;
    let head = input.head(HEAD);
    let foreign = head.ok().and_then(crate::foreign::named);
    let mut reader = Reader::new(input, want, sink, DumpKind::PgDumpPlain);
    match foreign {
        Some(what) => reader.refuse(what)?,
        None => reader.run()?,
    }
    Ok(reader.facts)
}

/// The state of a reading.
pub(crate) struct Reader<'a, 'r> {
    pub(crate) input: Input<'r>,
    pub(crate) want: &'a Want,
    pub(crate) sink: &'a mut dyn RowSink,
    pub(crate) facts: DumpFacts,
    pub(crate) schema: Schema,
    /// Tables of the database that is being read.
    pub(crate) index: HashMap<FullName, usize>,
    /// Tables that the sink was told of, beside `facts.tables`.
    pub(crate) announced: Vec<bool>,
    pub(crate) parts: Parts,
    pub(crate) migrations: Migrations,
    /// What the values of undeclared columns allow so far, by table and column.
    pub(crate) inferred: HashMap<(usize, String), Inference>,
    header: bool,
    complete: bool,
    /// Whether lines end as they do on Windows. `pg_dump` ends them by line feeds alone: another program has changed them.
    pub(crate) crlf: bool,
    /// A reject that may still grow.
    pub(crate) pending: Option<Located>,
    resumes: u32,
    /// INSERT statements that go on.
    pub(crate) inserting: Option<Box<Inserting>>,
    /// Set while a table of an archive is being read.
    pub(crate) origin: Option<Origin>,
}

impl<'a, 'r> Reader<'a, 'r> {
    pub(crate) fn new(
        input: Input<'r>,
        want: &'a Want,
        sink: &'a mut dyn RowSink,
        kind: DumpKind,
    ) -> Reader<'a, 'r> {
        Reader {
            input,
            want,
            sink,
            facts: DumpFacts::new(kind),
            schema: Schema::default(),
            index: HashMap::new(),
            announced: Vec::new(),
            parts: Parts::default(),
            migrations: Migrations::default(),
            inferred: HashMap::new(),
            header: false,
            complete: false,
            crlf: false,
            pending: None,
            resumes: RESUMES,
            inserting: None,
            origin: None,
        }
    }

    /// The same reader over another input.
    pub(crate) fn with_input<'s>(self, input: Input<'s>) -> Reader<'a, 's> {
        Reader {
            input,
            want: self.want,
            sink: self.sink,
            facts: self.facts,
            schema: self.schema,
            index: self.index,
            announced: self.announced,
            parts: self.parts,
            migrations: self.migrations,
            inferred: self.inferred,
            header: self.header,
            complete: self.complete,
            crlf: self.crlf,
            pending: self.pending,
            resumes: self.resumes,
            inserting: self.inserting,
            origin: self.origin,
        }
    }
}

impl Reader<'_, '_> {
    fn run(&mut self) -> Result<(), DumpError> {
        if self.input.window().starts_with(MARK) {
            self.framing(MARK.len());
        }
        if let Ok(head) = self.input.head(HEAD) {
            let first = memchr::memchr(b'\n', head);
            self.crlf = first.is_some_and(|end| head[..end].ends_with(b"\r"));
        }
        self.statements()?;
        self.finish()?;
        self.facts.bytes = self.input.byte();
        self.facts.lines = self.input.line_number() - 1;
        if self.header && !self.complete && self.facts.status != DumpStatus::Truncated {
            let at = (self.input.byte(), self.input.line_number());
            let what = "the dump ends without its closing comment: it was cut";
            self.reject(Trouble::Truncated, None, at, 0, 0, what)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Rejects all of the input.
    fn refuse(&mut self, what: &str) -> Result<(), DumpError> {
        loop {
            let held = self.input.window().len();
            self.input.consume(held);
            if !self.input.more()? {
                break;
            }
        }
        self.facts.bytes = self.input.byte();
        self.facts.lines = self.input.line_number() - 1;
        let (length, lines) = (self.facts.bytes, self.facts.lines.max(1));
        self.reject(Trouble::Unsupported, None, (0, 1), length, lines, what)?;
        self.flush()
    }

    /// Takes note of what is known only at the end.
    pub(crate) fn finish(&mut self) -> Result<(), DumpError> {
        self.end_inserts()?;
        self.flush()?;
        self.settle_dump(None)?;
        self.finish_database()?;
        self.facts.schema_version = self.migrations.newest();
        Ok(())
    }

    /// Learns from SQL that stands apart, of objects in this schema if they name none.
    pub(crate) fn define(&mut self, schema: &str, sql: &[u8]) {
        self.schema.prefer(schema);
        let mut rest = sql;
        while let Some(length) = Splitter::new(self.schema.backslashes).scan(rest, true) {
            match sql::parse(&rest[..length], self.schema.text) {
                Statement::CreateDatabase(name) => {
                    self.facts.database.get_or_insert(name);
                }
                statement => self.schema.learn(&statement),
            }
            rest = &rest[length..];
        }
    }

    /// Reads statements and their rows up to the end of the input.
    pub(crate) fn statements(&mut self) -> Result<(), DumpError> {
        loop {
            if self.insert()? {
                continue;
            }
            let (length, ended) = match self.input.line(STATEMENT_LIMIT)? {
                Line::End => break,
                Line::Long => {
                    let (byte, line) = (self.input.byte(), self.input.line_number());
                    let (length, _) = self.input.skip_line()?;
                    let what = "a line of more than 64 MiB outside of rows";
                    self.reject(Trouble::Damaged, None, (byte, line), length, 1, what)?;
                    continue;
                }
                Line::Full(n) => (n, true),
                Line::Cut(n) => (n, false),
            };
            let line = &self.input.window()[..length];
            let text = line.trim_ascii();
            if text.is_empty() {
                self.framing(length);
            } else if text.starts_with(b"--") {
                self.comment(length)?;
            } else if text.starts_with(b"\\") {
                self.meta(length)?;
            } else if sql::starts_statement(line) {
                self.statement(length)?;
            } else {
                let what = "text that is neither SQL nor rows";
                self.reject_front(Trouble::Other, None, length, ended, what)?;
            }
        }
        Ok(())
    }

    /// Counts the front of the window as framing.
    pub(crate) fn framing(&mut self, length: usize) {
        self.facts.framing_bytes += length as u64;
        self.input.consume(length);
    }

    fn comment(&mut self, length: usize) -> Result<(), DumpError> {
        let line = String::from_utf8_lossy(&self.input.window()[..length.min(1024)]).into_owned();
        let text = line.trim_start_matches('-').trim();
        if let Some(version) = text.strip_prefix("Dumped from database version ") {
            self.facts.server_version = Some(version.to_owned());
        } else if let Some(tool) = text.strip_prefix("Dumped by ") {
            self.facts.dumped_by = Some(tool.to_owned());
        } else if let Some(time) = text.strip_prefix("Started on ") {
            (self.parts.started_on, self.parts.started_local) = started_on(time);
            if self.facts.tables.is_empty() {
                self.facts.started_on = self.parts.started_on;
                self.facts.started_local = self.parts.started_local;
            }
        } else if text == "PostgreSQL database dump" {
            if self.header {
                self.begin_dump()?;
            }
            self.header = true;
            self.complete = false;
        } else if text == "PostgreSQL database dump complete" {
            self.complete = true;
        }
        self.framing(length);
        Ok(())
    }

    /// Lines for psql itself: known ones are framing, none is followed.
    fn meta(&mut self, length: usize) -> Result<(), DumpError> {
        let line = String::from_utf8_lossy(&self.input.window()[..length.min(4096)]).into_owned();
        let mut words = line.split_whitespace();
        match words.next().unwrap_or("") {
            "\\restrict" | "\\unrestrict" => self.framing(length),
            "\\connect" | "\\c" => {
                let name = connected(line.trim());
                self.framing(length);
                self.connect(name)?;
            }
            "\\." => {
                let what = "an end mark without rows in front of it";
                self.reject_front(Trouble::Damaged, None, length, true, what)?;
            }
            _ => {
                let what = "a psql command, which is not followed";
                self.reject_front(Trouble::Other, None, length, true, what)?;
            }
        }
        Ok(())
    }

    /// Reads the statement at the front, whose first line is `first` bytes long.
    fn statement(&mut self, first: usize) -> Result<(), DumpError> {
        let mut splitter = Splitter::new(self.schema.backslashes);
        let mut eof = false;
        let length = loop {
            if let Some(length) = splitter.scan(self.input.window(), eof) {
                break Some(length);
            }
            if eof || self.input.window().len() > STATEMENT_LIMIT {
                break None;
            }
            eof = !self.input.more()?;
        };
        let Some(length) = length else {
            return self.unended(first, eof, None);
        };
        self.end_inserts()?;
        let length = self.to_line_end(length);
        let window = self.input.window();
        let statement = sql::parse(&window[..length], self.schema.text);
        match statement {
            Statement::Copy {
                table,
                columns,
                text_format,
            } => {
                let table = self.schema.full(&table);
                self.framing(length);
                self.flush()?;
                self.settle_dump(Some(&table))?;
                self.copy(table, columns, text_format)
            }
            Statement::Unread => {
                let what = "an INSERT that gives no rows as PostgreSQL's dumps do: nothing is run";
                self.reject_front(Trouble::Unsupported, None, length, true, what)
            }
            Statement::CreateDatabase(name) => {
                self.facts.database.get_or_insert(name);
                self.framing(length);
                Ok(())
            }
            statement => {
                self.schema.learn(&statement);
                self.framing(length);
                self.check_encoding()
            }
        }
    }

    /// Says so if the text is not in an encoding that is read.
    pub(crate) fn check_encoding(&mut self) -> Result<(), DumpError> {
        match self.schema.unread_encoding.take() {
            None => Ok(()),
            Some(encoding) => {
                let at = (self.input.byte(), self.input.line_number());
                let what = format!(
                    "text is encoded as {encoding}, and is read as UTF-8: dump again with pg_dump -E UTF8"
                );
                self.reject(Trouble::Damaged, None, at, 0, 0, &what)
            }
        }
    }

    /// Adds the blanks and the line end behind a statement. Anything else there is looked at on its own.
    pub(crate) fn to_line_end(&self, length: usize) -> usize {
        let rest = &self.input.window()[length..];
        let blanks = rest.iter().position(|&b| b != b' ' && b != b'\r');
        match blanks {
            Some(blanks) if rest[blanks] == b'\n' => length + blanks + 1,
            _ => length,
        }
    }

    /// A statement without an end: what stands up to the next sure sign of a new one is broken.
    pub(crate) fn unended(
        &mut self,
        first: usize,
        eof: bool,
        table: Option<String>,
    ) -> Result<(), DumpError> {
        let window = self.input.window();
        let behind = &window[first.min(window.len())..];
        let signs: [&[u8]; 3] = [b"\nCOPY ", b"\nINSERT INTO ", b"\n--\n-- "];
        let next = signs
            .iter()
            .filter_map(|sign| memchr::memmem::find(behind, sign))
            .min()
            .filter(|_| self.resumes > 0)
            .map(|at| first + at + 1);
        self.resumes = self.resumes.saturating_sub(1);
        let (length, trouble) = match next {
            Some(length) => (length, Trouble::Damaged),
            None if eof => (window.len(), Trouble::Truncated),
            None => (window.len(), Trouble::Damaged),
        };
        self.reject_front(trouble, table, length, true, "a statement without an end")
    }

    /// Returns the index of a table in the facts, made if it is new.
    pub(crate) fn table_index(&mut self, table: &FullName, columns: &[String]) -> usize {
        let index = match self.index.get(table) {
            Some(index) => *index,
            None => {
                let database = self.facts.database.as_deref();
                let (part, snapshot) = self.parts.current(&self.want.naming, database);
                let info = model::TableInfo {
                    snapshot,
                    part,
                    schema: table.0.clone(),
                    name: table.1.clone(),
                    source: self.want.naming.source.clone(),
                    columns: Vec::new(),
                    primary_key: Vec::new(),
                    types_inferred: false,
                };
                self.facts.tables.push(TableFacts {
                    info,
                    sql_types: Vec::new(),
                    rows: 0,
                    damaged_rows: 0,
                    inherited: crate::facts::Inherited::default(),
                    blocks: Vec::new(),
                    encoding: self.schema.text,
                    notes: Vec::new(),
                });
                self.announced.push(false);
                self.index
                    .insert(table.clone(), self.facts.tables.len() - 1);
                self.facts.tables.len() - 1
            }
        };
        for column in columns {
            let info = &mut self.facts.tables[index].info;
            if info.columns.iter().any(|(name, _)| name == column) {
                continue;
            }
            let sql_type = self.schema.sql_type(table, column).unwrap_or("").to_owned();
            let decoder = self.schema.decoder(&sql_type);
            info.columns.push((column.clone(), decoder.column_type()));
            self.facts.tables[index].sql_types.push(sql_type);
        }
        index
    }

    /// Fills in what a dump says only after the data: keys, and tables without any.
    pub(crate) fn finish_database(&mut self) -> Result<(), DumpError> {
        for table in self.schema.order.clone() {
            let columns = self.schema.row_columns(&table).unwrap_or_default();
            let columns: Vec<String> = columns.into_iter().map(|(name, _)| name).collect();
            let known = self.index.get(&table).copied();
            if known.is_none_or(|index| self.facts.tables[index].info.columns.is_empty()) {
                self.table_index(&table, &columns);
            }
        }
        self.note_above();
        self.schema.order.clear();
        let mut late = Vec::new();
        for (name, &index) in &self.index {
            let Some(declared) = self.schema.declared(name) else {
                continue;
            };
            let info = &mut self.facts.tables[index].info;
            if info.primary_key != declared.primary_key {
                info.primary_key.clone_from(&declared.primary_key);
                if self.announced[index] {
                    late.push(index);
                }
            }
        }
        late.sort_unstable();
        for index in late {
            self.sink
                .table(&self.facts.tables[index].info)
                .map_err(DumpError::Sink)?;
        }
        Ok(())
    }
}

/// `2023-09-18 05:00:00 UTC` as an instant; with the name of another zone, which is ambiguous, as a civil time.
fn started_on(text: &str) -> (Option<i64>, Option<i64>) {
    let Some((time, zone)) = text.rsplit_once(' ') else {
        return (None, None);
    };
    let written = timestamp::parse(time.as_bytes()).map(|written| written.civil);
    let Some(civil) = written.filter(|civil| ![i64::MIN, i64::MAX].contains(civil)) else {
        return (None, None);
    };
    match model::time::parse_offset(zone) {
        Some(offset) => {
            let us = i64::from(offset) * model::time::MICROS_PER_SECOND;
            (civil.checked_sub(us), None)
        }
        None => (None, Some(civil)),
    }
}

/// The database of `\connect name` or `\connect -reuse-previous=on "dbname='name'"`.
fn connected(line: &str) -> Option<String> {
    let rest = line.split_once(char::is_whitespace)?.1.trim();
    let rest = match rest.strip_prefix("-reuse-previous=on") {
        Some(rest) => rest.trim(),
        None => rest,
    };
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => rest.split_whitespace().next()?,
    };
    let name = match name.strip_prefix("dbname='") {
        Some(name) => name.split('\'').next()?,
        None => name,
    };
    (!name.is_empty() && name != "-").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_of_connect_lines() {
        for line in [
            "\\connect zksync",
            "\\connect \"zksync\"",
            "\\connect -reuse-previous=on \"dbname='zksync'\"",
        ] {
            assert_eq!(connected(line).as_deref(), Some("zksync"));
        }
        assert_eq!(connected("\\connect -"), None);
    }

    #[test]
    fn start_times_with_a_sure_zone() {
        assert_eq!(
            started_on("2023-09-18 05:00:00 UTC"),
            (Some(1_695_013_200_000_000), None)
        );
        assert_eq!(
            started_on("2023-09-18 05:00:00 CST"),
            (None, Some(1_695_013_200_000_000))
        );
        for nonsense in ["infinity UTC", "soon", "2023-13-18 05:00:00 UTC"] {
            assert_eq!(started_on(nonsense), (None, None), "{nonsense}");
        }
    }
}
