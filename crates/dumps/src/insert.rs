//! Rows as INSERT statements: `pg_dump --inserts`, `--column-inserts`, `--rows-per-insert`, and what
//! other hands write like that.
//!
//! A statement is read row by row, however long it is; each row is rewritten as COPY's text and then
//! treated like any other. Statements into the same table, one after the other, are one block.

use crate::block::Open;
use crate::facts::{BlockForm, DumpError, Trouble};
use crate::plain::Reader;
use crate::rows::Place;
use crate::schema::FullName;
use crate::sql::{Fault, InsertHead, Quoting, Splitter, insert_head, values};

/// Longest row.
const ROW_LIMIT: usize = 64 << 20;
/// Longest begin of a statement: 1,664 names of 63 bytes are shorter.
const HEAD_LIMIT: usize = 1 << 20;

/// A run of INSERT statements while it is being read.
pub(crate) struct Inserting {
    open: Open,
    /// What the last statement began with: the next one mostly begins the same.
    head: Vec<u8>,
    /// Which of the values belong to no column that a dump fills.
    dropped: Vec<bool>,
    /// Offset behind the last statement.
    end: u64,
    /// The row at hand, as COPY writes it.
    row: Vec<u8>,
}

/// Whether a text begins with INSERT INTO.
fn begins_insert(text: &[u8]) -> bool {
    let word = |text: &[u8], word: &[u8]| {
        text.get(..word.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(word))
            && text.get(word.len()).is_some_and(u8::is_ascii_whitespace)
    };
    word(text, b"insert") && word(text[6..].trim_ascii_start(), b"into")
}

impl Reader<'_, '_> {
    /// Reads the INSERT at the front of the window, if there is one.
    pub(crate) fn insert(&mut self) -> Result<bool, DumpError> {
        let Ok(front) = self.input.head(64) else {
            return Ok(false);
        };
        let blanks = front.len() - front.trim_ascii_start().len();
        if !begins_insert(&front[blanks..]) {
            return Ok(false);
        }
        self.framing(blanks);
        let Some(run) = self.insert_head()? else {
            return Ok(true);
        };
        let mut run = run;
        let read = self.insert_rows(&mut run);
        run.end = self.input.byte();
        self.inserting = Some(run);
        read.map(|()| true)
    }

    fn quoting(&self) -> Quoting {
        Quoting {
            backslashes: self.schema.backslashes,
            crlf: self.crlf,
        }
    }

    /// Ends the run of INSERT statements.
    pub(crate) fn end_inserts(&mut self) -> Result<(), DumpError> {
        match self.inserting.take() {
            Some(mut run) => {
                let first = run.open.first;
                self.close(&mut run.open, first, run.end, BlockForm::Streamed)
            }
            None => Ok(()),
        }
    }

    /// Reads a statement's begin; `None` if its rows are not ours to read, or all read already.
    fn insert_head(&mut self) -> Result<Option<Box<Inserting>>, DumpError> {
        if let Some(run) = &self.inserting
            && !run.head.is_empty()
            && self.input.window().starts_with(&run.head)
        {
            let length = run.head.len();
            self.framing(length);
            return Ok(self.inserting.take());
        }
        let mut size = 1 << 16;
        let head = loop {
            let held = self.fill(size)?;
            match insert_head(self.input.window(), self.schema.text) {
                Some(head) if held < size || matches!(head, InsertHead::Values { .. }) => {
                    break head;
                }
                Some(head) if size > HEAD_LIMIT => break head,
                None if held < size || size > HEAD_LIMIT => {
                    self.unended(1, held < size, None)?;
                    return Ok(None);
                }
                _ => size *= 4,
            }
        };
        match head {
            InsertHead::Values {
                table,
                columns,
                length,
            } => {
                let table = self.schema.full(&table);
                self.insert_run(table, columns, length).map(Some)
            }
            InsertHead::DefaultValues { table } => {
                let table = self.schema.full(&table);
                let mut run = self.insert_run(table, Some(Vec::new()), 0)?;
                self.default_row(&mut run)?;
                self.inserting = Some(run);
                Ok(None)
            }
            InsertHead::Other { table } => {
                let name = table.map(|table| self.schema.full(&table));
                if let Some(name) = &name {
                    self.table_index(name, &[]);
                }
                let name = name.map(|(schema, table)| format!("{schema}.{table}"));
                let what = "an INSERT that gives no rows as PostgreSQL's dumps do: nothing is run";
                self.reject_statement(Trouble::Unsupported, name, what)?;
                Ok(None)
            }
        }
    }

    /// Goes on with the run that is open, or opens another; the front of so many bytes is its head.
    fn insert_run(
        &mut self,
        table: FullName,
        columns: Option<Vec<String>>,
        length: usize,
    ) -> Result<Box<Inserting>, DumpError> {
        self.settle_dump(Some(&table))?;
        let head = self.input.window()[..length].to_vec();
        let (columns, dropped) = match columns {
            Some(columns) if !columns.is_empty() => (columns, Vec::new()),
            given => match self.schema.row_columns(&table) {
                Some(declared) => (
                    declared
                        .iter()
                        .filter(|(_, generated)| !generated)
                        .map(|(name, _)| name.clone())
                        .collect(),
                    declared.iter().map(|(_, generated)| *generated).collect(),
                ),
                None if given.is_some() => (Vec::new(), Vec::new()),
                None => (self.count_values(length)?, Vec::new()),
            },
        };
        if let Some(run) = &mut self.inserting
            && run.open.table == table
            && run.open.columns == columns
        {
            run.head = head;
            self.framing(length);
            return Ok(self.inserting.take().expect("just looked at"));
        }
        self.end_inserts()?;
        self.flush()?;
        let mut open = self.open_block(table, columns);
        self.begin(&mut open)?;
        self.framing(length);
        Ok(Box::new(Inserting {
            open,
            head,
            dropped,
            end: self.input.byte(),
            row: Vec::new(),
        }))
    }

    /// Names for the values of a statement that names no columns, into a table that is not declared.
    fn count_values(&mut self, length: usize) -> Result<Vec<String>, DumpError> {
        let mut row = Vec::new();
        loop {
            let held = self.input.window().len();
            let quoting = self.quoting();
            match values(&self.input.window()[length..], quoting, &[], &mut row) {
                Ok(found) => {
                    let names = (1..=found.count.min(crate::sniff::COLUMNS))
                        .map(|nth| format!("column_{nth}"));
                    return Ok(names.collect());
                }
                Err(Fault::More) if held < ROW_LIMIT && self.fill(held * 2)? > held => {}
                Err(_) => return Ok(Vec::new()),
            }
        }
    }

    /// Reads the rows of a statement, and its end.
    fn insert_rows(&mut self, run: &mut Inserting) -> Result<(), DumpError> {
        loop {
            self.blanks()?;
            let place = Place {
                line: self.input.line_number(),
                byte: self.input.byte(),
                length: 0,
            };
            let quoting = self.quoting();
            let window = self.input.window();
            match values(window, quoting, &run.dropped, &mut run.row) {
                Ok(found) => {
                    let place = Place {
                        length: found.length as u64,
                        ..place
                    };
                    if found.default {
                        self.note_default(run);
                    }
                    self.inserted(run, place)?;
                }
                Err(Fault::Expression(length, nth)) => {
                    let column = run.open.columns.get(nth - 1).map_or("?", String::as_str);
                    let what = format!("column {column}: an expression, which is not computed");
                    run.open.rows += 1;
                    self.facts.tables[run.open.index()].damaged_rows += 1;
                    let name = Some(run.open.table.1.clone());
                    self.reject_front(Trouble::Damaged, name, length, false, &what)?;
                }
                Err(Fault::More) => {
                    let held = window.len();
                    if held <= ROW_LIMIT && self.fill(held * 2)? > held {
                        continue;
                    }
                    run.open.rows += 1;
                    self.facts.tables[run.open.index()].damaged_rows += 1;
                    let name = Some(run.open.table.1.clone());
                    return self.unended(1, held <= ROW_LIMIT, name);
                }
                Err(Fault::NoList) => {
                    let name = Some(run.open.table.1.clone());
                    let what = "values of an INSERT that are no list";
                    return self.reject_statement(Trouble::Damaged, name, what);
                }
            }
            self.blanks()?;
            if self.input.window().first() != Some(&b',') {
                return self.insert_tail(run);
            }
            self.framing(1);
        }
    }

    /// Takes the row that was rewritten.
    fn inserted(&mut self, run: &mut Inserting, place: Place) -> Result<(), DumpError> {
        let good = run.open.take(&run.row, place, &mut self.migrations);
        run.open.rows += 1;
        let lines = self.input.consume(place.length as usize);
        match good {
            Ok(()) => self.facts.row_bytes += place.length,
            Err(what) => {
                self.facts.tables[run.open.index()].damaged_rows += 1;
                let name = Some(run.open.table.1.clone());
                let at = (place.byte, place.line);
                self.reject(Trouble::Damaged, name, at, place.length, lines + 1, &what)?;
            }
        }
        self.relieve(&mut run.open)
    }

    fn note_default(&mut self, run: &Inserting) {
        let notes = &mut self.facts.tables[run.open.index()].notes;
        if notes.is_empty() {
            notes.push(
                "rows say DEFAULT: such a value is not in the dump and is shown as NULL".to_owned(),
            );
        }
    }

    /// `INSERT INTO t DEFAULT VALUES;`
    fn default_row(&mut self, run: &mut Inserting) -> Result<(), DumpError> {
        let place = Place {
            line: self.input.line_number(),
            byte: self.input.byte(),
            length: 0,
        };
        let (length, ended) = self.statement_length()?;
        if !ended {
            run.open.rows += 1;
            self.facts.tables[run.open.index()].damaged_rows += 1;
            let name = Some(run.open.table.1.clone());
            return self.unended(1, true, name);
        }
        run.row.clear();
        for nth in 0..run.open.columns.len() {
            run.row
                .extend_from_slice(if nth == 0 { b"\\N" } else { b"\t\\N" });
        }
        if !run.row.is_empty() {
            self.note_default(run);
        }
        let length = length as u64;
        self.inserted(run, Place { length, ..place })?;
        run.end = self.input.byte();
        Ok(())
    }

    /// What stands behind the rows: `;`, or ON CONFLICT DO NOTHING.
    fn insert_tail(&mut self, run: &Inserting) -> Result<(), DumpError> {
        let (length, ended) = self.statement_length()?;
        if !ended {
            let name = Some(run.open.table.1.clone());
            return self.unended(1, true, name);
        }
        self.framing(length);
        Ok(())
    }

    fn reject_statement(
        &mut self,
        trouble: Trouble,
        table: Option<String>,
        what: &str,
    ) -> Result<(), DumpError> {
        let (length, ended) = self.statement_length()?;
        if !ended {
            return self.unended(1, true, table);
        }
        self.reject_front(trouble, table, length, true, what)
    }

    /// Passes over blanks and comments.
    fn blanks(&mut self) -> Result<(), DumpError> {
        loop {
            self.fill(2)?;
            let window = self.input.window();
            let blank = window.len() - window.trim_ascii_start().len();
            if blank > 0 {
                self.framing(blank);
            } else if window.starts_with(b"--") {
                let (length, _) = self.input.skip_line()?;
                self.facts.framing_bytes += length;
            } else {
                return Ok(());
            }
        }
    }

    /// Returns the length of what is left of the statement at the front, with the blanks and the
    /// line end behind it, and whether it ends at all.
    fn statement_length(&mut self) -> Result<(usize, bool), DumpError> {
        let mut splitter = Splitter::new(self.schema.backslashes);
        let mut eof = false;
        loop {
            if let Some(length) = splitter.scan(self.input.window(), eof) {
                return Ok((self.to_line_end(length), true));
            }
            let held = self.input.window().len();
            if eof || held > ROW_LIMIT {
                return Ok((held, false));
            }
            eof = !self.input.more()?;
        }
    }

    /// Reads until the window holds `size` bytes or the dump ends; returns how many it holds.
    fn fill(&mut self, size: usize) -> Result<usize, DumpError> {
        while self.input.window().len() < size && self.input.more()? {}
        Ok(self.input.window().len())
    }
}
