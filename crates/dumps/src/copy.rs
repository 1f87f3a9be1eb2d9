//! Blocks of COPY rows: read row by row where they are wanted, skipped at memory speed where not.

use model::{ColumnType, RowFilter};

use crate::facts::{Block, BlockForm, DumpError, Trouble, WantTable};
use crate::infer::Inference;
use crate::input::{Input, Line};
use crate::plain::Reader;
use crate::rows::{Field, Place, RowBuilder, check_fields, field};
use crate::schema::FullName;
use crate::value::{Decoder, unescape};

/// Longest row.
pub(crate) const ROW_LIMIT: usize = 64 << 20;
/// How much is held back where types must be inferred before the first batch.
const HELD_BYTES: usize = 8 << 20;
const HELD_ROWS: usize = 65_536;

/// What stands at the front of the window inside a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Front {
    /// A row: bytes of its text, and bytes with its line end.
    Row(usize, usize),
    /// The end mark, with its line end.
    Mark(usize),
    /// The last bytes of a dump that ends inside a row.
    Cut(usize),
    /// A row over the limit.
    Long,
    /// The dump ends between two rows.
    End,
}

/// Looks at the front of a block.
#[inline]
pub(crate) fn front(input: &mut Input<'_>) -> Result<Front, DumpError> {
    Ok(match input.line(ROW_LIMIT)? {
        Line::Full(length) => {
            let line = &input.window()[..length - 1];
            // Rows hold no bare carriage return: one at the end belongs to the line end.
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line == b"\\." {
                Front::Mark(length)
            } else {
                Front::Row(line.len(), length)
            }
        }
        Line::Cut(length) if input.window()[..length].trim_ascii_end() == b"\\." => {
            Front::Mark(length)
        }
        Line::Cut(length) => Front::Cut(length),
        Line::Long => Front::Long,
        Line::End => Front::End,
    })
}

/// Whether a row that has the wrong number of fields is the head of the next block: the end mark
/// between them is lost.
fn is_copy_head(row: &[u8]) -> bool {
    row.starts_with(b"COPY ") && row.trim_ascii_end().ends_with(b" FROM stdin;")
}

/// The newest migration that was applied.
#[derive(Debug, Default)]
pub(crate) struct Migrations {
    newest: Option<(Vec<u8>, String)>,
}

impl Migrations {
    /// Takes a row of `_sqlx_migrations`. Versions are `YYYYMMDDhhmmss`; one of zkSync Era's has a
    /// digit too many (202601016134308), so they are ordered by their first 14 digits.
    fn see(&mut self, version: &[u8], success: Option<&[u8]>) {
        if success == Some(b"f") || crate::value::integer(version).is_none() {
            return;
        }
        let text = String::from_utf8_lossy(version).into_owned();
        let key = version[..version.len().min(14)].to_vec();
        let newer = self
            .newest
            .as_ref()
            .is_none_or(|(newest, _)| (key.len(), &key) > (newest.len(), newest));
        if newer {
            self.newest = Some((key, text));
        }
    }

    pub(crate) fn newest(&self) -> Option<String> {
        self.newest.as_ref().map(|(_, version)| version.clone())
    }
}

/// What is done with the rows of a block.
enum Job {
    /// Nothing: they are counted.
    Skip,
    /// Their values tell the types.
    Infer(Vec<Inference>),
    /// They are wanted, but the types are not known yet: text and places of the first ones.
    Hold(Vec<u8>, Vec<(usize, i64, Place)>),
    /// They are wanted.
    Build(Box<RowBuilder>),
}

/// A block while it is being read.
struct Open {
    index: usize,
    table: FullName,
    columns: Vec<String>,
    want: Option<WantTable>,
    job: Job,
    first: (u64, u64),
    /// Rows of the table before this block.
    before: u64,
    rows: u64,
    migrations: Option<(usize, Option<usize>)>,
}

impl Reader<'_, '_> {
    /// Reads the block behind a COPY statement.
    pub(crate) fn copy(
        &mut self,
        table: FullName,
        columns: Option<Vec<String>>,
        text_format: bool,
    ) -> Result<(), DumpError> {
        let columns = match columns {
            Some(columns) => columns,
            None => match self.schema.declared(&table) {
                Some(declared) => declared
                    .columns
                    .iter()
                    .map(|(name, _)| name.clone())
                    .collect(),
                None => self.guess_columns()?,
            },
        };
        let index = self.table_index(&table, &columns);
        let want = match &self.want.tables {
            None => Some(WantTable {
                schema: None,
                table: table.1.clone(),
                columns: None,
                filter: RowFilter::All,
            }),
            Some(tables) => tables
                .iter()
                .find(|want| {
                    want.table == table.1
                        && want.schema.as_ref().is_none_or(|schema| *schema == table.0)
                })
                .cloned(),
        };
        let position = |name: &str| columns.iter().position(|column| column == name);
        let migrations = (table.1 == "_sqlx_migrations")
            .then(|| position("version").map(|version| (version, position("success"))))
            .flatten();
        let mut open = Open {
            index,
            migrations,
            want,
            job: Job::Skip,
            first: (self.input.byte(), self.input.line_number()),
            before: self.facts.tables[index].rows,
            rows: 0,
            columns,
            table,
        };
        if !text_format {
            return self.skip_unsupported(&open);
        }
        self.adopt_known(&open);
        let undeclared = self.undeclared(&open);
        let inferred = self.facts.tables[index].info.types_inferred;
        open.job = match &open.want {
            // All blocks of a table have a say in its types.
            None if undeclared && self.want.known.is_none() => Job::Infer(
                open.columns
                    .iter()
                    .map(|column| {
                        let before = self.inferred.get(&(index, column.clone()));
                        before.copied().unwrap_or_default()
                    })
                    .collect(),
            ),
            None => Job::Skip,
            Some(_) if undeclared && !inferred => Job::Hold(Vec::new(), Vec::new()),
            Some(want) => {
                let want = want.clone();
                Job::Build(Box::new(self.builder(&open, &want)?))
            }
        };
        self.block(&mut open)
    }

    /// Takes over key and types that an earlier reading found.
    fn adopt_known(&mut self, open: &Open) {
        let info = &mut self.facts.tables[open.index].info;
        let Some(known) = &self.want.known else {
            return;
        };
        let Some(known) = known.tables.iter().find(|known| {
            known.info.snapshot == info.snapshot
                && known.info.schema == info.schema
                && known.info.name == info.name
        }) else {
            return;
        };
        info.primary_key.clone_from(&known.info.primary_key);
        for (name, column_type) in &mut info.columns {
            if let Some((_, known)) = known.info.columns.iter().find(|(known, _)| known == name) {
                *column_type = *known;
            }
        }
        info.types_inferred = known.info.types_inferred;
    }

    /// Whether the SQL does not say the types of all columns of this block.
    fn undeclared(&self, open: &Open) -> bool {
        let facts = &self.facts.tables[open.index];
        facts
            .info
            .columns
            .iter()
            .zip(&facts.sql_types)
            .any(|((name, _), sql)| sql.is_empty() && open.columns.contains(name))
    }

    /// How each field of the block's rows is read.
    fn fields<'o>(&self, open: &'o Open) -> Vec<Field<'o>> {
        let info = &self.facts.tables[open.index].info;
        open.columns
            .iter()
            .map(|column| {
                let column_type = info
                    .columns
                    .iter()
                    .find(|(name, _)| name == column)
                    .map_or(ColumnType::Text, |(_, column_type)| *column_type);
                (column.as_str(), Decoder::of_column_type(column_type))
            })
            .collect()
    }

    fn builder(&mut self, open: &Open, want: &WantTable) -> Result<RowBuilder, DumpError> {
        if !self.announced[open.index] {
            self.announced[open.index] = true;
            if self.facts.tables[open.index].info.primary_key.is_empty()
                && let Some(declared) = self.schema.declared(&open.table)
            {
                let key = declared.primary_key.clone();
                self.facts.tables[open.index].info.primary_key = key;
            }
            self.sink
                .table(&self.facts.tables[open.index].info)
                .map_err(DumpError::Sink)?;
        }
        let info = &self.facts.tables[open.index].info;
        let wanted = wanted_columns(&info.columns, want.columns.as_deref());
        Ok(RowBuilder::new(&self.fields(open), &wanted, &want.filter))
    }

    /// Reads the rows.
    fn block(&mut self, open: &mut Open) -> Result<(), DumpError> {
        loop {
            if matches!(open.job, Job::Skip) && open.migrations.is_none() {
                self.skip_rows(open)?;
            }
            match front(&mut self.input)? {
                Front::Row(text, length) => {
                    if self.row(open, text, length)? {
                        self.close(open, 0)?;
                        let what = "rows without an end mark: the next COPY follows at once";
                        let at = (self.input.byte(), self.input.line_number());
                        let name = Some(open.table.1.clone());
                        return self.reject(Trouble::Damaged, name, at, 0, 0, what);
                    }
                }
                Front::Mark(length) => {
                    self.close(open, 0)?;
                    self.framing(length);
                    return Ok(());
                }
                Front::Long => {
                    open.rows += 1;
                    let at = (self.input.byte(), self.input.line_number());
                    let (length, _) = self.input.skip_line()?;
                    self.broken(open, at, length, "a row of more than 64 MiB")?;
                }
                Front::Cut(length) => {
                    open.rows += 1;
                    self.facts.tables[open.index].damaged_rows += 1;
                    let name = Some(open.table.1.clone());
                    let what = "the dump is cut in the middle of a row";
                    self.reject_front(Trouble::Truncated, name, length, false, what)?;
                    return self.close(open, length as u64);
                }
                Front::End => {
                    let name = Some(open.table.1.clone());
                    let what = "the dump ends inside of a table's rows";
                    let at = (self.input.byte(), self.input.line_number());
                    self.reject(Trouble::Truncated, name, at, 0, 0, what)?;
                    return self.close(open, 0);
                }
            }
        }
    }

    fn broken(
        &mut self,
        open: &Open,
        at: (u64, u64),
        length: u64,
        what: &str,
    ) -> Result<(), DumpError> {
        self.facts.tables[open.index].damaged_rows += 1;
        self.reject(
            Trouble::Damaged,
            Some(open.table.1.clone()),
            at,
            length,
            1,
            what,
        )
    }

    /// Takes the row at the front; `true`, and the row is left, if it is the head of another block.
    fn row(&mut self, open: &mut Open, text: usize, length: usize) -> Result<bool, DumpError> {
        let place = Place {
            line: self.input.line_number(),
            byte: self.input.byte(),
            length: length as u64,
        };
        let row = &self.input.window()[..text];
        let ordinal = (open.before + open.rows + 1) as i64;
        let good = match &mut open.job {
            Job::Skip => check_fields(row, open.columns.len()),
            Job::Infer(inferences) => {
                check_fields(row, open.columns.len()).map(|()| infer(row, inferences))
            }
            Job::Hold(held, places) => check_fields(row, open.columns.len()).map(|()| {
                held.extend_from_slice(row);
                places.push((text, ordinal, place));
            }),
            Job::Build(builder) => builder.push(row, ordinal, place),
        };
        if good.is_err() && check_fields(row, open.columns.len()).is_err() && is_copy_head(row) {
            return Ok(true);
        }
        if let (Some((version, success)), Ok(())) = (open.migrations, &good) {
            let success = success.map(|index| field(row, index));
            self.migrations.see(field(row, version), success);
        }
        open.rows += 1;
        self.input.consume_lines(length, 1);
        match good {
            Ok(()) => self.facts.row_bytes += place.length,
            Err(what) => self.broken(open, (place.byte, place.line), place.length, &what)?,
        }
        match &open.job {
            Job::Build(builder) if builder.is_full() => self.hand_over(open)?,
            Job::Hold(held, places) if held.len() >= HELD_BYTES || places.len() >= HELD_ROWS => {
                self.release(open)?;
            }
            _ => {}
        }
        Ok(false)
    }

    /// Infers the types from the rows held back, and builds them.
    fn release(&mut self, open: &mut Open) -> Result<(), DumpError> {
        let Job::Hold(held, places) = &mut open.job else {
            return Ok(());
        };
        let (held, places) = (std::mem::take(held), std::mem::take(places));
        let mut inferences = vec![Inference::default(); open.columns.len()];
        let mut from = 0;
        for (text, _, _) in &places {
            infer(&held[from..from + text], &mut inferences);
            from += text;
        }
        self.adopt(open, &inferences);
        let Some(want) = open.want.clone() else {
            return Ok(());
        };
        let mut builder = Box::new(self.builder(open, &want)?);
        let mut from = 0;
        for (text, ordinal, place) in &places {
            let row = &held[from..from + text];
            from += text;
            if let Err(what) = builder.push(row, *ordinal, *place) {
                self.facts.row_bytes -= place.length;
                self.broken(open, (place.byte, place.line), place.length, &what)?;
            }
        }
        open.job = Job::Build(builder);
        self.hand_over(open)
    }

    /// Takes inferred types over into the facts.
    fn adopt(&mut self, open: &Open, inferences: &[Inference]) {
        let facts = &mut self.facts.tables[open.index];
        for (column, inference) in open.columns.iter().zip(inferences) {
            let position = facts
                .info
                .columns
                .iter()
                .position(|(name, _)| name == column);
            if let Some(at) = position
                && facts.sql_types[at].is_empty()
            {
                facts.info.columns[at].1 = inference.column_type();
            }
        }
        facts.info.types_inferred = true;
    }

    fn hand_over(&mut self, open: &mut Open) -> Result<(), DumpError> {
        let Job::Build(builder) = &mut open.job else {
            return Ok(());
        };
        if builder.rows() == 0 {
            return Ok(());
        }
        let batch = builder.take();
        self.flush()?;
        self.sink
            .rows(&self.facts.tables[open.index].info, batch)
            .map_err(DumpError::Sink)
    }

    /// Ends a block; `cut` bytes in front of the position are no whole row.
    fn close(&mut self, open: &mut Open, cut: u64) -> Result<(), DumpError> {
        self.release(open)?;
        self.hand_over(open)?;
        if let Job::Infer(inferences) = &open.job {
            let inferences = inferences.clone();
            self.adopt(open, &inferences);
            for (column, inference) in open.columns.iter().zip(inferences) {
                self.inferred
                    .insert((open.index, column.clone()), inference);
            }
        }
        let (byte, line) = open.first;
        let facts = &mut self.facts.tables[open.index];
        facts.rows += open.rows;
        facts.blocks.push(Block {
            byte,
            length: self.input.byte() - byte - cut,
            line,
            rows: open.rows,
            columns: open.columns.clone(),
            form: BlockForm::CopyText,
        });
        Ok(())
    }

    /// Passes over rows without looking into them, up to what [`front`] must look at.
    fn skip_rows(&mut self, open: &mut Open) -> Result<(), DumpError> {
        loop {
            let window = self.input.window();
            let stop = stop(window, open.columns.len());
            let (length, found) = match stop {
                Some(at) => (at, true),
                // Keep the last line: it may go on, or be an end mark.
                None => (memchr::memrchr(b'\n', window).map_or(0, |at| at + 1), false),
            };
            let lines = self.input.consume(length);
            open.rows += lines;
            self.facts.row_bytes += length as u64;
            if found {
                return Ok(());
            }
            if length == 0 && !self.input.window().is_empty() {
                // One row fills the window: its end is looked for step by step, never from the start.
                if !matches!(self.input.line(ROW_LIMIT)?, Line::Full(_)) {
                    return Ok(());
                }
            } else if !self.input.more()? {
                return Ok(());
            }
        }
    }

    /// COPY with options: its rows are not ours to read.
    fn skip_unsupported(&mut self, open: &Open) -> Result<(), DumpError> {
        let at = open.first;
        let mut rows = 0;
        let mut bytes = 0;
        let mark = loop {
            match front(&mut self.input)? {
                Front::Mark(length) => break length,
                Front::Row(_, length) | Front::Cut(length) => {
                    self.input.consume(length);
                    bytes += length as u64;
                }
                Front::Long => bytes += self.input.skip_line()?.0,
                Front::End => break 0,
            }
            rows += 1;
        };
        let facts = &mut self.facts.tables[open.index];
        facts.rows += rows;
        facts.damaged_rows += rows;
        let name = Some(open.table.1.clone());
        let what = "COPY with options, which this version does not read";
        self.reject(Trouble::Unsupported, name, at, bytes, rows, what)?;
        self.framing(mark);
        Ok(())
    }

    /// Names for the columns of a block whose head names none, by the first row's fields.
    fn guess_columns(&mut self) -> Result<Vec<String>, DumpError> {
        let fields = match front(&mut self.input)? {
            Front::Row(text, _) => {
                memchr::memchr_iter(b'\t', &self.input.window()[..text]).count() + 1
            }
            _ => 0,
        };
        Ok((1..=fields).map(|nth| format!("column_{nth}")).collect())
    }
}

/// Where in the window, at a line's begin, stands an end mark or the head of another block.
fn stop(window: &[u8], columns: usize) -> Option<usize> {
    let is_mark = |at: usize| {
        let line = &window[at..];
        line.starts_with(b"\\.\n") || line.starts_with(b"\\.\r\n")
    };
    if is_mark(0) {
        return Some(0);
    }
    let mark = memchr::memmem::find_iter(window, b"\n\\.")
        .map(|at| at + 1)
        .find(|&at| is_mark(at));
    let searched = &window[..mark.unwrap_or(window.len())];
    let first = searched.starts_with(b"COPY ").then_some(0);
    let heads = memchr::memmem::find_iter(searched, b"\nCOPY ").map(|at| at + 1);
    let head = first.into_iter().chain(heads).find(|&at| {
        let line = &searched[at..];
        memchr::memchr(b'\n', line).is_some_and(|end| {
            let line = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
            is_copy_head(line) && check_fields(line, columns).is_err()
        })
    });
    head.or(mark)
}

/// Lets the values of a row tell their columns' types.
fn infer(row: &[u8], inferences: &mut [Inference]) {
    let mut plain = Vec::new();
    let mut from = 0;
    let ends = memchr::memchr_iter(b'\t', row).chain([row.len()]);
    for (end, inference) in ends.zip(inferences) {
        let text = &row[from..end];
        from = end + 1;
        if text == b"\\N" {
        } else if memchr::memchr(b'\\', text).is_none() {
            inference.see(text);
        } else {
            plain.clear();
            unescape(text, &mut plain);
            inference.see(&plain);
        }
    }
}

/// Names and types of the wanted columns: those that exist, and the places if asked for.
pub(crate) fn wanted_columns(
    columns: &[(String, ColumnType)],
    wanted: Option<&[String]>,
) -> Vec<(String, ColumnType)> {
    let Some(wanted) = wanted else {
        return columns.to_vec();
    };
    wanted
        .iter()
        .filter_map(
            |name| match columns.iter().find(|(column, _)| column == name) {
                Some(column) => Some(column.clone()),
                None if matches!(name.as_str(), "#line" | "#byte" | "#length") => {
                    Some((name.clone(), ColumnType::I64))
                }
                None => None,
            },
        )
        .collect()
}
