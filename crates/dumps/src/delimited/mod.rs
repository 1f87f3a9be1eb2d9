//! Delimited text: `\copy … csv`, `psql --csv`, spreadsheets' exports, and files of COPY rows without
//! any SQL around them. One file is one table; it streams, whatever its size.
//!
//! CSV says null by nothing between two separators; symbols like `\N` or `NULL` are null in columns
//! whose other values have a type, and text elsewhere. The table's name comes from its columns, where
//! they are a table's that is known, else from the file's.

mod cells;
mod dialect;
pub(crate) mod record;
mod text_format;

use model::{ColumnType, TableInfo};

use cells::{Nulls, as_copy, infer};
use dialect::without_line_end;
pub(crate) use dialect::{Dialect, Escapes, csv, is_doubtful, is_level, is_name, recognise};
use record::{csv_end, split};
pub(crate) use text_format::recognise as text_format;

use crate::block::wanted_columns;
use crate::copy::ROW_LIMIT;
use crate::facts::{
    Block, BlockForm, DumpError, DumpFacts, DumpKind, Located, RowSink, TableFacts, Trouble, Want,
    WantTable,
};
use crate::input::{Input, Line};
use crate::null::{self, Symbols};
use crate::psql::{footer, known, unique};
use crate::rows::{self, Place, RowBuilder};
use crate::sniff::HEAD;
use crate::value::Decoder;

/// How much is held back where types must be inferred before the first batch.
const HELD_BYTES: usize = 8 << 20;
const HELD_ROWS: usize = 65_536;
/// How much is read in vain, looking for the ends of quotes, before quotes are looked for in their
/// line only.
const VAIN_BYTES: u64 = 256 << 20;

/// What is done with the rows.
enum Job {
    /// They are counted.
    Skip,
    /// Their values tell the types.
    Infer,
    /// They are wanted, but the types are not known yet: rows as COPY writes them, and their places.
    Hold(Vec<u8>, Vec<(usize, i64, Place)>),
    /// They are wanted.
    Build(Box<RowBuilder>),
}

struct Reader<'a, 'r> {
    input: Input<'r>,
    want: &'a Want,
    sink: &'a mut dyn RowSink,
    facts: DumpFacts,
    dialect: Dialect,
    wanted: Option<WantTable>,
    job: Job,
    inferences: Vec<Symbols>,
    nulls: Nulls,
    /// The row at hand, as COPY writes it.
    row: Vec<u8>,
    scratch: Vec<u8>,
    vain: u64,
}

/// Reads a delimited table.
pub(crate) fn read(
    mut input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let head = input
        .head(HEAD)
        .map_err(|source| DumpError::Read { byte: 0, source })?;
    let Some(dialect) = recognise(head) else {
        return crate::plain::read(input, want, sink);
    };
    let mut reader = Reader {
        facts: DumpFacts::new(kind),
        input,
        want,
        sink,
        dialect,
        wanted: None,
        job: Job::Skip,
        inferences: Vec::new(),
        nulls: Nulls::default(),
        row: Vec::new(),
        scratch: Vec::new(),
        vain: 0,
    };
    reader.run()?;
    Ok(reader.facts)
}

impl Reader<'_, '_> {
    fn run(&mut self) -> Result<(), DumpError> {
        let mut framing = 0;
        if self.input.window().starts_with(b"\xef\xbb\xbf") {
            framing = 3;
        }
        if self.dialect.columns.is_some() {
            let header = &self.input.window()[framing..];
            framing += memchr::memchr(b'\n', header).map_or(header.len(), |at| at + 1);
        }
        let columns = self.columns();
        self.input.consume(framing);
        self.facts.framing_bytes += framing as u64;
        self.begin(columns)?;
        let (byte, line) = (self.input.byte(), self.input.line_number());
        let mut rows_end = byte;
        while let Some((length, lines)) = self.record()? {
            if self.record_at_front(length, lines)? {
                rows_end = self.input.byte();
            }
        }
        self.release()?;
        self.hand_over()?;
        self.tell_misread()?;
        if matches!(self.job, Job::Infer) {
            self.adopt();
        }
        let table = &mut self.facts.tables[0];
        table.blocks.push(Block {
            byte,
            length: rows_end - byte,
            line,
            rows: table.rows,
            columns: table
                .info
                .columns
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            form: BlockForm::Streamed,
        });
        self.facts.bytes = self.input.byte();
        self.facts.lines = self.input.line_number() - 1;
        Ok(())
    }

    /// The columns' names: the header's, else a known table's of that many columns, else numbers.
    fn columns(&self) -> Vec<String> {
        if let Some(columns) = &self.dialect.columns {
            return unique(columns.clone());
        }
        let line = memchr::memchr(b'\n', self.input.window());
        let line = &self.input.window()[..line.unwrap_or(self.input.window().len())];
        let mut count = 0;
        let (separator, escapes) = (self.dialect.separator, self.dialect.escapes);
        if escapes == Escapes::Backslashes {
            count = text_format::count(without_line_end(line), separator);
        } else {
            // A quoted field of the first record may go on in the next line: what is there counts.
            let record = csv_end(self.input.window(), separator)
                .map_or(line, |end| &self.input.window()[..end]);
            let _ = split(
                without_line_end(record),
                separator,
                escapes,
                &mut Vec::new(),
                |_| count += 1,
            );
        }
        known::table_in(&self.want.naming.file)
            .and_then(|table| known::columns_of(table, count))
            .unwrap_or_else(|| (1..=count).map(|nth| format!("c{nth}")).collect())
    }

    /// Makes the table known, and settles what is done with its rows.
    fn begin(&mut self, columns: Vec<String>) -> Result<(), DumpError> {
        let file = &self.want.naming.file;
        let named = self.dialect.columns.is_some();
        let (name, note) = match (named.then(|| known::table_of(&columns)).flatten(), file) {
            (Some(table), _) => (
                table.to_owned(),
                "no query names the table; it was recognised by its columns",
            ),
            (None, file) => match known::table_in(file) {
                Some(table) => (table.to_owned(), "the table is named after the file"),
                None if file.is_empty() => ("rows".to_owned(), "nothing names the table"),
                None => (file.clone(), "the table is named after the file"),
            },
        };
        let mut notes = vec![note.to_owned()];
        if !named {
            notes.push(match columns.iter().any(|column| column == "c1") {
                true => "the file does not name its columns".to_owned(),
                false => format!("the file does not name its columns; they are {name}'s"),
            });
        }
        self.wanted = match &self.want.tables {
            None => Some(WantTable::all(None, &name)),
            Some(tables) => tables
                .iter()
                .find(|want| {
                    want.table == name
                        && want.schema.as_ref().is_none_or(|schema| schema == "public")
                })
                .cloned(),
        };
        // The scan may have run before the file's name was known: there is one table only.
        let known = self.want.known.as_ref().and_then(|known| {
            let table = known.tables.first()?;
            (table.info.columns.len() == columns.len()).then_some(table)
        });
        let types: Vec<ColumnType> = match known {
            Some(table) => table.info.columns.iter().map(|(_, kind)| *kind).collect(),
            None => vec![ColumnType::Text; columns.len()],
        };
        self.inferences = vec![Symbols::default(); columns.len()];
        self.nulls.typed = types.iter().map(|kind| *kind != ColumnType::Text).collect();
        if known.is_some() {
            self.facts.null_symbol = self.want.known.as_ref().and_then(|k| k.null_symbol.clone());
            self.nulls.symbol = self.facts.null_symbol.clone().map(String::into_bytes);
        }
        self.facts.tables.push(TableFacts {
            sql_types: vec![String::new(); columns.len()],
            info: TableInfo {
                snapshot: self.want.naming.snapshot(None),
                part: String::new(),
                schema: "public".to_owned(),
                name,
                source: self.want.naming.source.clone(),
                columns: columns.into_iter().zip(types).collect(),
                primary_key: Vec::new(),
                types_inferred: true,
            },
            rows: 0,
            damaged_rows: 0,
            encoding: crate::TextEncoding::default(),
            inherited: crate::facts::Inherited::default(),
            blocks: Vec::new(),
            notes,
        });
        self.job = match (known.is_some(), self.wanted.is_some()) {
            (true, true) => self.builder()?,
            (false, true) => Job::Hold(Vec::new(), Vec::new()),
            (true, false) => Job::Skip,
            (false, false) => Job::Infer,
        };
        Ok(())
    }

    fn builder(&mut self) -> Result<Job, DumpError> {
        let info = &self.facts.tables[0].info;
        self.sink.table(info).map_err(DumpError::Sink)?;
        let fields: Vec<rows::Field<'_>> = info
            .columns
            .iter()
            .map(|(name, kind)| (name.as_str(), Decoder::of_column_type(*kind)))
            .collect();
        let all = WantTable::all(None, &info.name);
        let want = self.wanted.as_ref().unwrap_or(&all);
        let wanted = wanted_columns(&info.columns, want.columns.as_deref());
        let builder = RowBuilder::of_want(&fields, &wanted, want);
        Ok(Job::Build(Box::new(builder)))
    }

    /// Finds the record at the front: its bytes with the line end, and its line feeds.
    fn record(&mut self) -> Result<Option<(usize, u64)>, DumpError> {
        loop {
            let (first, lines) = match self.input.line(ROW_LIMIT)? {
                Line::End => return Ok(None),
                Line::Full(length) => (length, 1),
                Line::Cut(length) => (length, 0),
                Line::Long => {
                    let at = (self.input.byte(), self.input.line_number());
                    let (length, _) = self.input.skip_line()?;
                    self.facts.tables[0].rows += 1;
                    self.damaged(at, length, 1, "a row of more than 64 MiB")?;
                    continue;
                }
            };
            let quotes = self.dialect.escapes == Escapes::Quotes
                && memchr::memchr(b'"', &self.input.window()[..first]).is_some();
            if !quotes || csv_end(&self.input.window()[..first], self.dialect.separator).is_some() {
                return Ok(Some((first, lines)));
            }
            return Ok(Some(self.quoted_record(first, lines)?));
        }
    }

    /// Finds the end of a record whose first line leaves a quote open. Where there is no end the line
    /// is taken alone: the quote is lost, not what follows it.
    fn quoted_record(&mut self, first: usize, lines: u64) -> Result<(usize, u64), DumpError> {
        let mut looked = first;
        loop {
            if looked > ROW_LIMIT || self.vain > VAIN_BYTES {
                return Ok((first, lines));
            }
            // Looking again from the begin, at doubled sizes, costs twice the record, no more.
            let mut ended = false;
            while !ended && self.input.window().len() < looked * 2 {
                ended = !self.input.more()?;
            }
            let window = self.input.window();
            let end = csv_end(window, self.dialect.separator)
                // The last record of a file may lack its line feed.
                .or_else(|| (ended && self.is_whole(window)).then_some(window.len()));
            if let Some(end) = end {
                let lines = memchr::memchr_iter(b'\n', &window[..end]).count();
                return Ok((end, lines as u64));
            }
            looked = window.len();
            self.vain += looked as u64;
            if ended {
                return Ok((first, lines));
            }
        }
    }

    fn is_whole(&self, record: &[u8]) -> bool {
        let (separator, escapes) = (self.dialect.separator, self.dialect.escapes);
        split(record, separator, escapes, &mut Vec::new(), |_| {}).is_ok()
    }

    /// Takes the record at the front; `true` if it is a row, broken or not.
    fn record_at_front(&mut self, length: usize, lines: u64) -> Result<bool, DumpError> {
        let place = Place {
            line: self.input.line_number(),
            byte: self.input.byte(),
            length: length as u64,
        };
        let record = &self.input.window()[..length];
        let cut = !record.ends_with(b"\n");
        let record = without_line_end(record);
        let columns = self.inferences.len();
        let framing = match self.dialect.escapes {
            Escapes::Backslashes => record == b"\\.",
            _ => record.is_empty() || footer(record).is_some(),
        };
        if framing {
            if let Some(count) = footer(record)
                && count != self.facts.tables[0].rows
            {
                let found = self.facts.tables[0].rows;
                let what = format!("the footer counts {count} rows, {found} are here");
                self.reject(Trouble::Damaged, (place.byte, place.line), 0, 0, &what)?;
            }
            self.input.consume_lines(length, lines);
            self.facts.framing_bytes += length as u64;
            return Ok(false);
        }
        self.facts.tables[0].rows += 1;
        let ordinal = self.facts.tables[0].rows as i64;
        let row = match self.dialect.escapes {
            Escapes::Backslashes if self.dialect.separator == b'\t' => Ok(record),
            Escapes::Backslashes => {
                self.row.clear();
                text_format::with_tabs(record, self.dialect.separator, &mut self.row);
                Ok(self.row.as_slice())
            }
            escapes => {
                let (separator, nulls) = (self.dialect.separator, &self.nulls);
                self.row.clear();
                as_copy(
                    record,
                    separator,
                    escapes,
                    nulls,
                    &mut self.scratch,
                    &mut self.row,
                )
                .map(|()| self.row.as_slice())
                .map_err(str::to_owned)
            }
        };
        let symbols = self.dialect.escapes != Escapes::Backslashes;
        let good = row.and_then(|row| match &mut self.job {
            Job::Skip => rows::check_fields(row, columns),
            Job::Infer => rows::check_fields(row, columns)
                .map(|()| infer(row, &mut self.inferences, symbols, &mut self.scratch)),
            Job::Hold(held, places) => rows::check_fields(row, columns).map(|()| {
                held.extend_from_slice(row);
                places.push((row.len(), ordinal, place));
            }),
            Job::Build(builder) => builder.push(row, ordinal, place),
        });
        self.input.consume_lines(length, lines);
        match good {
            Ok(()) => self.facts.row_bytes += place.length,
            Err(_) if cut => {
                let at = (place.byte, place.line);
                self.facts.tables[0].damaged_rows += 1;
                let what = "the file is cut in the middle of a row";
                self.reject(Trouble::Truncated, at, place.length, lines + 1, what)?;
            }
            Err(what) => {
                let at = (place.byte, place.line);
                self.damaged(at, place.length, lines.max(1), &what)?;
            }
        }
        match &self.job {
            Job::Build(builder) if builder.is_full() => self.hand_over()?,
            Job::Hold(held, places) if held.len() >= HELD_BYTES || places.len() >= HELD_ROWS => {
                self.release()?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// Infers the types from the rows held back, and builds them.
    fn release(&mut self) -> Result<(), DumpError> {
        let Job::Hold(held, places) = &mut self.job else {
            return Ok(());
        };
        let (held, places) = (std::mem::take(held), std::mem::take(places));
        let rows = || {
            places.iter().scan(0, |from, (length, ordinal, place)| {
                let row = &held[*from..*from + length];
                *from += length;
                Some((row, *ordinal, *place))
            })
        };
        let symbols = self.dialect.escapes != Escapes::Backslashes;
        for (row, _, _) in rows() {
            infer(row, &mut self.inferences, symbols, &mut self.scratch);
        }
        self.adopt();
        let Job::Build(mut builder) = self.builder()? else {
            return Ok(());
        };
        let mut copied = Vec::new();
        for (row, ordinal, place) in rows() {
            // Only now it is known in which columns a symbol is null.
            copied.clear();
            match symbols {
                true => self.nulls.again(row, &mut copied),
                false => copied.extend_from_slice(row),
            }
            if let Err(what) = builder.push(&copied, ordinal, place) {
                self.facts.row_bytes -= place.length;
                self.damaged((place.byte, place.line), place.length, 1, &what)?;
            }
        }
        self.job = Job::Build(builder);
        self.hand_over()
    }

    /// Takes inferred types over into the facts.
    fn adopt(&mut self) {
        let columns = &mut self.facts.tables[0].info.columns;
        for ((_, kind), inference) in columns.iter_mut().zip(&self.inferences) {
            *kind = inference.inference.column_type();
        }
        self.nulls.typed = columns
            .iter()
            .map(|(_, kind)| *kind != ColumnType::Text)
            .collect();
        if let Some(symbol) = null::proven(&self.inferences) {
            self.nulls.symbol = Some(symbol.to_vec());
            let shown = String::from_utf8_lossy(symbol).into_owned();
            let note = format!("`{shown}` is read as null");
            let notes = &mut self.facts.tables[0].notes;
            if !notes.contains(&note) {
                notes.push(note);
            }
            self.facts.null_symbol = Some(shown);
        }
    }

    fn hand_over(&mut self) -> Result<(), DumpError> {
        let Job::Build(builder) = &mut self.job else {
            return Ok(());
        };
        if builder.rows() == 0 {
            return Ok(());
        }
        let batch = builder.take();
        self.sink
            .rows(&self.facts.tables[0].info, batch)
            .map_err(DumpError::Sink)
    }

    /// Says which cells are no UTF-8: nothing says what they are.
    fn tell_misread(&mut self) -> Result<(), DumpError> {
        let Job::Build(builder) = &mut self.job else {
            return Ok(());
        };
        let misread = builder.take_misread();
        let Some(at) = misread.first else {
            return Ok(());
        };
        let what = misread.told(crate::TextEncoding::default());
        self.facts.tables[0].notes.push(what.clone());
        self.reject(Trouble::Damaged, at, 0, 0, &what)
    }

    fn damaged(
        &mut self,
        at: (u64, u64),
        length: u64,
        lines: u64,
        what: &str,
    ) -> Result<(), DumpError> {
        self.facts.tables[0].damaged_rows += 1;
        self.reject(Trouble::Damaged, at, length, lines, what)
    }

    fn reject(
        &mut self,
        trouble: Trouble,
        (byte, line): (u64, u64),
        length: u64,
        lines: u64,
        what: &str,
    ) -> Result<(), DumpError> {
        let located = Located {
            trouble,
            table: Some(self.facts.tables[0].info.name.clone()),
            byte,
            length,
            line,
            lines,
            what: what.to_owned(),
        };
        self.facts.reject(located, self.sink)
    }
}
