//! What is asked of a dump, who receives its rows, and what is known of it afterwards.

use std::io;

use crate::encoding::TextEncoding;

use model::{Batch, RowFilter, SourceName, TableInfo};

/// Which form a dump has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpKind {
    /// Plain `pg_dump`: SQL with COPY blocks or INSERT statements.
    PgDumpPlain,
    /// `pg_dump -Fc`.
    PgDumpCustom,
    /// `pg_dump -Ft`.
    PgDumpTar,
    /// `pg_dump -Fd`, as the tar of its files.
    PgDumpDirectory,
    /// Tables as `psql` prints them, pasted into a text.
    PsqlAligned,
    /// The same, but a web page has put whole tables on one line.
    PsqlGlued,
    /// A file of SQLite.
    Sqlite,
    /// Slashing protection in the interchange format (EIP-3076).
    Interchange,
    /// One validator's slashing protection as YAML (Teku, Prysm).
    SlashingYaml,
    /// Answers of JSON-RPC, the Beacon API or a block explorer.
    ApiAnswers,
    /// CSV as Etherscan exports it.
    EtherscanCsv,
    /// `psql -x`: one line per cell, one block per row.
    PsqlExpanded,
    /// `psql -A`: bare cells with a separator between them, and a footer.
    PsqlUnaligned,
    /// Tables in a markup language: HTML, AsciiDoc, LaTeX, Markdown.
    Markup,
    /// One table as CSV or the like.
    Delimited,
    /// Rows of COPY's text format without SQL around them.
    CopyText,
}

impl DumpKind {
    /// Returns the name in the manifest and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            DumpKind::PgDumpPlain => "pg_dump-plain",
            DumpKind::PgDumpCustom => "pg_dump-custom",
            DumpKind::PgDumpTar => "pg_dump-tar",
            DumpKind::PgDumpDirectory => "pg_dump-directory",
            DumpKind::PsqlAligned => "psql-aligned",
            DumpKind::PsqlGlued => "psql-glued",
            DumpKind::Sqlite => "sqlite",
            DumpKind::Interchange => "eip-3076",
            DumpKind::SlashingYaml => "slashing-protection-yaml",
            DumpKind::ApiAnswers => "api-answers",
            DumpKind::EtherscanCsv => "etherscan-csv",
            DumpKind::PsqlExpanded => "psql-expanded",
            DumpKind::PsqlUnaligned => "psql-unaligned",
            DumpKind::Markup => "markup-table",
            DumpKind::Delimited => "delimited",
            DumpKind::CopyText => "copy-text",
        }
    }

    /// Whether the rows lie packed in an archive: bytes and lines of rows are those of the unpacked
    /// data of their table, not of the file.
    pub fn is_archive(self) -> bool {
        matches!(
            self,
            DumpKind::PgDumpCustom | DumpKind::PgDumpTar | DumpKind::PgDumpDirectory
        )
    }

    /// Whether [`crate::DumpSource`] holds all rows in memory: a pasted text is small, and several
    /// pastes of one table are known only together. Any other form is read again when asked.
    pub(crate) fn is_held(self) -> bool {
        matches!(
            self,
            DumpKind::PsqlAligned
                | DumpKind::PsqlGlued
                | DumpKind::PsqlExpanded
                | DumpKind::PsqlUnaligned
                | DumpKind::Markup
        )
    }
}

/// How the rows of a [`Block`] can be read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockForm {
    /// Lines of COPY's text format that lie at the block's place: a reader may start there.
    CopyText,
    /// Anything else: the dump is read again from its begin.
    #[default]
    Streamed,
}

/// Whose rows these are, for [`TableInfo`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// The snapshot's name, where the user gave one.
    pub given: Option<String>,
    /// What the file is called, without folders and endings.
    pub file: String,
    /// The source, for references.
    pub source: SourceName,
}

impl Naming {
    /// Returns the name of the snapshot: as given, else that of the database where the dump tells it, else the
    /// file's. Where a source holds several, this is the first.
    pub(crate) fn snapshot(&self, database: Option<&str>) -> String {
        let name = self.given.as_deref().or(database).unwrap_or(&self.file);
        snapshot_name(name)
    }

    /// Returns the name of the snapshot of another database in the same dump.
    pub(crate) fn snapshot_of(&self, database: &str) -> String {
        match &self.given {
            Some(given) => snapshot_name(&format!("{given}_{database}")),
            None => snapshot_name(database),
        }
    }
}

/// Returns a snapshot's name, with a number behind it if it is taken.
pub fn unique_snapshot_name(name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut unique = name.to_owned();
    let mut number = 2;
    while is_taken(&unique) {
        unique = format!("{name}_{number}");
        number += 1;
    }
    unique
}

/// Returns a text as a snapshot may be called: what SQL and references have another use for is `_`.
pub fn snapshot_name(text: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
    text.chars()
        .map(|c| if kept(c) { c } else { '_' })
        .collect()
}

/// One wanted table.
#[derive(Clone, Debug, PartialEq)]
pub struct WantTable {
    /// Schema; `None` takes the table from any schema.
    pub schema: Option<String>,
    /// Table.
    pub table: String,
    /// Columns, in this order; `None` for all, in file order. `#line`, `#byte` and `#length` may be
    /// named here too: the place of each row in the decoded dump, or, if that is an archive, in the
    /// unpacked data of its table. `#text` is the row as COPY writes it (not of pasted tables and
    /// documents).
    pub columns: Option<Vec<String>>,
    /// Which rows. A filter on a column that the table does not have lets no row pass.
    pub filter: RowFilter,
    /// Where several parts of the rows are wanted, which rows and which of `columns` each takes, the column that it
    /// chooses by among them; `filter` is not asked then. Cells that no part takes are null, or what the row says.
    pub parts: Vec<(RowFilter, Vec<String>)>,
    /// Columns of times of which the newest is told, whatever rows are wanted ([`RowSink::newest`]).
    pub newest: Vec<String>,
    /// Most rows of a batch, where rows of COPY come.
    pub batch_rows: usize,
}

impl WantTable {
    /// All rows and columns of a table; `schema` as in [`WantTable::schema`].
    #[must_use]
    pub fn all(schema: Option<&str>, table: &str) -> WantTable {
        WantTable {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
            columns: None,
            filter: RowFilter::All,
            parts: Vec::new(),
            newest: Vec::new(),
            batch_rows: crate::rows::BATCH_ROWS,
        }
    }
}

/// What is wanted of a dump.
#[derive(Clone, Debug, Default)]
pub struct Want {
    /// Wanted tables; `None` for all rows and columns of all.
    pub tables: Option<Vec<WantTable>>,
    /// How snapshot and source are called in [`TableInfo`].
    pub naming: Naming,
    /// What an earlier reading of the same dump found. With it primary keys (which a dump states
    /// after the data) are known from the first row on, and where a dump has no CREATE TABLE, types
    /// are inferred from all rows instead of the first batch.
    pub known: Option<DumpFacts>,
}

impl Want {
    /// Everything.
    pub fn all(naming: Naming) -> Want {
        Want {
            naming,
            ..Want::default()
        }
    }

    /// No rows at all: a scan for tables, keys, blocks and damage that is visible without decoding.
    pub fn nothing(naming: Naming) -> Want {
        Want {
            tables: Some(Vec::new()),
            naming,
            known: None,
        }
    }
}

/// Where something was found that is not a row, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// What kind of trouble.
    pub trouble: Trouble,
    /// The table, where one is concerned.
    pub table: Option<String>,
    /// Offset in decoded bytes.
    pub byte: u64,
    /// Number of bytes.
    pub length: u64,
    /// First line, counted from 1.
    pub line: u64,
    /// Number of lines.
    pub lines: u64,
    /// What it is, in words.
    pub what: String,
}

/// Kinds of located trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Text around the tables that means nothing to a dump reader: prose, log lines.
    Other,
    /// A form that this version does not read (INSERT, expanded psql, COPY with options).
    Unsupported,
    /// A row or statement that is broken.
    Damaged,
    /// The dump ends before its end.
    Truncated,
}

/// A run of rows of one table in the dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Offset of the first row.
    pub byte: u64,
    /// Bytes of all rows, without the end mark.
    pub length: u64,
    /// Line of the first row.
    pub line: u64,
    /// Rows, broken ones included.
    pub rows: u64,
    /// Columns in the order of the rows.
    pub columns: Vec<String>,
    /// How the rows can be read again.
    pub form: BlockForm,
}

/// Rows of a table that lie in its partitions, or in tables that inherit from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// These tables, as `schema.table`, at all depths, sorted.
    pub tables: Vec<String>,
    /// How many rows of [`TableFacts::rows`] they are.
    pub rows: u64,
    /// How many of [`TableFacts::damaged_rows`].
    pub damaged_rows: u64,
}

/// A table of a dump.
#[derive(Clone, Debug, PartialEq)]
pub struct TableFacts {
    /// Name, columns, types, key.
    pub info: TableInfo,
    /// The types as the database calls them, beside `info.columns`; empty text where inferred.
    pub sql_types: Vec<String>,
    /// Rows in the dump, broken ones included.
    pub rows: u64,
    /// Rows that could not be read. Of tables that were not wanted only what shows without decoding.
    pub damaged_rows: u64,
    /// Where the rows lie.
    pub blocks: Vec<Block>,
    /// How their text is encoded.
    pub encoding: TextEncoding,
    /// Which of the rows other tables hold: a query of this table shows them, as it does in the database.
    pub inherited: Inherited,
    /// What a reader should know, for example which column comes from the query's WHERE.
    pub notes: Vec<String>,
}

/// Whether a dump could be read to its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DumpStatus {
    /// All of it.
    #[default]
    Complete,
    /// It ends too early.
    Truncated,
    /// Parts of it are broken or of an unsupported form.
    Damaged,
}

/// What is known of a dump after reading it.
#[derive(Clone, Debug, PartialEq)]
pub struct DumpFacts {
    /// Form.
    pub kind: DumpKind,
    /// Database, where the dump (or a psql prompt) names it.
    pub database: Option<String>,
    /// PostgreSQL's version, from the header.
    pub server_version: Option<String>,
    /// The tool, from the header: `pg_dump version 15.18 (…)`.
    pub dumped_by: Option<String>,
    /// When the dump was started, in microseconds, where the header says so with a zone that is known.
    pub started_on: Option<i64>,
    /// The same where the header does not tell the zone: civil microseconds of the machine that dumped.
    pub started_local: Option<i64>,
    /// What is told of the databases and takes behind the first, in file order.
    pub parts: Vec<PartFacts>,
    /// The newest applied migration of `_sqlx_migrations`.
    pub schema_version: Option<String>,
    /// How null is written in delimited text, where values of a type show it: `NULL`, `(null)`.
    pub null_symbol: Option<String>,
    /// Tables, in file order.
    pub tables: Vec<TableFacts>,
    /// What is no row and no framing; the first 1,000 (all go to [`RowSink::rejected`]).
    pub rejects: Vec<Located>,
    /// How many rejects there are in all.
    pub reject_count: u64,
    /// Whether the dump could be read to its end.
    pub status: DumpStatus,
    /// Decoded bytes.
    pub bytes: u64,
    /// Lines.
    pub lines: u64,
    /// Bytes of statements, comments, prompts, headers, rules, footers, blank lines.
    pub framing_bytes: u64,
    /// Bytes of rows that are not broken.
    pub row_bytes: u64,
    /// Bytes of rejects. The three tile the dump.
    pub rejected_bytes: u64,
}

/// What a plain dump tells of one of its parts; see [`TableInfo::part`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartFacts {
    /// Its name in references.
    pub part: String,
    /// As [`DumpFacts::database`].
    pub database: Option<String>,
    /// As [`DumpFacts::started_on`].
    pub started_on: Option<i64>,
    /// As [`DumpFacts::started_local`].
    pub started_local: Option<i64>,
}

/// How many rejects facts hold.
const REJECTS_KEPT: usize = 1000;

impl DumpFacts {
    pub(crate) fn new(kind: DumpKind) -> DumpFacts {
        DumpFacts {
            kind,
            database: None,
            server_version: None,
            dumped_by: None,
            started_on: None,
            started_local: None,
            parts: Vec::new(),
            schema_version: None,
            null_symbol: None,
            tables: Vec::new(),
            rejects: Vec::new(),
            reject_count: 0,
            status: DumpStatus::Complete,
            bytes: 0,
            lines: 0,
            framing_bytes: 0,
            row_bytes: 0,
            rejected_bytes: 0,
        }
    }

    /// Records a reject, and hands it on.
    pub(crate) fn reject(
        &mut self,
        located: Located,
        sink: &mut dyn RowSink,
    ) -> Result<(), DumpError> {
        self.reject_count += 1;
        self.rejected_bytes += located.length;
        match located.trouble {
            Trouble::Other => {}
            Trouble::Truncated => self.status = DumpStatus::Truncated,
            Trouble::Damaged | Trouble::Unsupported => {
                if self.status == DumpStatus::Complete {
                    self.status = DumpStatus::Damaged;
                }
            }
        }
        if located.trouble != Trouble::Other {
            let table = located.table.as_deref().unwrap_or("");
            sink.damaged(table, located.byte, located.line, &located.what)
                .map_err(DumpError::Sink)?;
        }
        sink.rejected(&located).map_err(DumpError::Sink)?;
        if self.rejects.len() < REJECTS_KEPT {
            self.rejects.push(located);
        }
        Ok(())
    }

    /// Returns a table by schema and name.
    pub fn table(&self, schema: Option<&str>, name: &str) -> Option<&TableFacts> {
        self.tables.iter().find(|table| {
            table.info.name == name && schema.is_none_or(|schema| table.info.schema == schema)
        })
    }
}

/// Why a sink refuses.
pub type SinkError = Box<dyn std::error::Error + Send + Sync>;

/// Receives the rows of a dump, in file order.
pub trait RowSink {
    /// Announces a wanted table before its rows, and again at the end if its primary key became known
    /// only then.
    ///
    /// # Errors
    /// Stops the reading; so for the others.
    fn table(&mut self, info: &TableInfo) -> Result<(), SinkError>;

    /// Takes rows: the wanted columns, then an `i64` column `#` with each row's ordinal in the table,
    /// counted from 1, broken rows included.
    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError>;

    /// Takes rows of a table that lies below the one they are shown by here, and that they are handed on for as well.
    ///
    /// # Errors
    /// As [`RowSink::rows`].
    fn inherited_rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        self.rows(info, batch)
    }

    /// Takes the newest finite time of a column in rows that have been read, microseconds as the rows have them, if one
    /// of them has a time. Not all forms of dumps tell it.
    fn newest(&mut self, info: &TableInfo, column: &str, us: Option<i64>) {
        let _ = (info, column, us);
    }

    /// Takes note of a broken row, a broken or unsupported statement, or an early end.
    fn damaged(&mut self, table: &str, byte: u64, line: u64, what: &str) -> Result<(), SinkError>;

    /// Takes everything that is neither row nor framing, broken rows included, with its span.
    fn rejected(&mut self, located: &Located) -> Result<(), SinkError> {
        let _ = located;
        Ok(())
    }
}

/// What stops the reading of a dump.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DumpError {
    /// The reader failed.
    #[error("cannot read the dump at byte {byte}")]
    Read {
        /// Offset in decoded bytes.
        byte: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What must be read twice could not be spooled.
    #[error("cannot write a temporary file to read the document from")]
    Spool(#[source] io::Error),
    /// The sink refused.
    #[error("cannot take the rows")]
    Sink(#[source] SinkError),
}
