//! The rows of a table, also behind a damaged page of it.
//!
//! SQLite goes through a table in the order of its row numbers and stops at the first page that it can't read. But each
//! number is also found on a way of its own, from the table's root: so the next number that can be found behind the gap is
//! searched for, and reading goes on there. Nothing is taken from pages that the table does not lead to: whose they were,
//! nobody could prove. Which numbers are missing is said.

use std::borrow::Cow;

use rusqlite::{Connection, Statement};

use super::super::cell::Cell;
use super::super::collect::{Named, Reading};
use super::super::shapes::Shape;
use super::{Stored, cell, quoted};
use crate::facts::DumpError;
use crate::rows::Place;

/// Most gaps of a table behind which it is read on.
const GAPS: usize = 64;

/// Reads the rows of a table; says in words what of it could not be read.
pub(super) fn rows(
    connection: &Connection,
    table: &Stored,
    shape: &Shape<'_>,
    bytes: u64,
    out: &mut Reading<'_>,
) -> Result<Vec<String>, DumpError> {
    let mut run = Run {
        table,
        shape,
        bytes,
        number: number_of(connection, table),
        count: 0,
        held: 0,
        last: None,
    };
    let mut unread = Vec::new();
    let mut from = None;
    loop {
        let error = match run.read(connection, from, out)? {
            Ended::Whole => return Ok(unread),
            Ended::Refused(what) => {
                unread.push(what);
                return Ok(unread);
            }
            Ended::Broken(error) => error,
        };
        // A row that is found and cannot be read is passed over.
        let behind = run.last.max(from).unwrap_or(0);
        let next = match unread.len() < GAPS {
            true => run.next(connection, behind),
            false => None,
        };
        let Some(next) = next else {
            let count = run.count;
            unread.push(format!("what follows row {count} cannot be read: {error}"));
            return Ok(unread);
        };
        let first = run
            .last
            .map_or_else(|| "the first".to_owned(), |last| format!("{}", last + 1));
        unread.push(format!(
            "rows from number {first} to {} cannot be read: {error}; it goes on behind them",
            next - 1
        ));
        from = Some(next);
    }
}

/// What a table calls the number of a row; `None` if its rows have none.
fn number_of(connection: &Connection, table: &Stored) -> Option<&'static str> {
    let names = ["_rowid_", "rowid", "oid"];
    let free = |name: &&&str| {
        let is = |column: &super::StoredColumn| column.name.eq_ignore_ascii_case(name);
        !table.columns.iter().any(is)
    };
    let name = names.iter().find(free)?;
    let sql = format!(
        "SELECT {name} FROM main.{} NOT INDEXED",
        quoted(&table.name)
    );
    connection.prepare(&sql).ok().map(|_| *name)
}

/// How a reading ended.
enum Ended {
    /// With the last row.
    Whole,
    /// At a page that cannot be read.
    Broken(rusqlite::Error),
    /// At what no sound file holds.
    Refused(String),
}

struct Run<'t> {
    table: &'t Stored,
    shape: &'t Shape<'t>,
    bytes: u64,
    number: Option<&'static str>,
    count: u64,
    held: u64,
    /// The number of the last row that was read.
    last: Option<i64>,
}

impl Run<'_> {
    /// Reads rows, from a number on.
    fn read(
        &mut self,
        connection: &Connection,
        from: Option<i64>,
        out: &mut Reading<'_>,
    ) -> Result<Ended, DumpError> {
        let columns = self.table.columns.iter().map(|column| quoted(&column.name));
        let columns: Vec<String> = columns.chain(self.number.map(str::to_owned)).collect();
        let mut sql = format!(
            "SELECT {} FROM main.{} NOT INDEXED",
            columns.join(", "),
            quoted(&self.table.name)
        );
        if let (Some(number), Some(from)) = (self.number, from) {
            sql.push_str(&format!(" WHERE {number} >= {from} ORDER BY {number}"));
        }
        let mut statement = match connection.prepare(&sql) {
            Ok(statement) => statement,
            Err(error) => return Ok(Ended::Broken(error)),
        };
        let mut found = match statement.query([]) {
            Ok(found) => found,
            Err(error) => return Ok(Ended::Broken(error)),
        };
        loop {
            let row = match found.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(Ended::Whole),
                Err(error) => return Ok(Ended::Broken(error)),
            };
            let width = self.table.columns.len();
            let number = self.number.and_then(|_| row.get(width).ok());
            if let (Some(from), Some(number)) = (from, number)
                && (number < from || self.last.is_some_and(|last| number <= last))
            {
                let what = format!("behind row {} its rows are in no order", self.count);
                return Ok(Ended::Refused(what));
            }
            let mut cells: Vec<Named<'_>> = Vec::with_capacity(width);
            for (at, column) in self.table.columns.iter().enumerate() {
                let cell = match row.get_ref(at) {
                    Ok(value) => cell(value),
                    Err(error) => return Ok(Ended::Broken(error)),
                };
                self.held += match &cell {
                    Cell::Text(text) => text.len() as u64,
                    Cell::Blob(blob) => blob.len() as u64,
                    _ => 0,
                };
                cells.push((Cow::Borrowed(column.name.as_str()), cell));
            }
            self.count += 1;
            // A record takes two bytes at least: pages that are their own children would never end.
            if self.count > self.bytes / 2 || self.held > self.bytes {
                return Ok(Ended::Refused(format!(
                    "after row {} it has more rows than its file has room for",
                    self.count
                )));
            }
            let place = Place {
                line: 1,
                byte: 0,
                length: 0,
            };
            out.row(self.shape, &cells, place)?;
            self.last = number.or(self.last);
        }
    }

    /// Finds the least number above `behind` from which on rows can be found; `None` if there is none, or rows have no
    /// numbers. Between two damaged pages a whole one may be passed over: it lies in the gap that is told then.
    fn next(&self, connection: &Connection, behind: i64) -> Option<i64> {
        let number = self.number?;
        let sql = format!(
            "SELECT {number} FROM main.{} NOT INDEXED WHERE {number} >= ?1 ORDER BY {number} LIMIT 1",
            quoted(&self.table.name)
        );
        let mut statement = connection.prepare(&sql).ok()?;
        let (mut bad, mut step) = (behind, 1_i64);
        let mut good = loop {
            let tried = behind.checked_add(step)?;
            if is_found(&mut statement, tried) {
                break tried;
            }
            bad = tried;
            step = step.checked_mul(2)?;
        };
        while good - bad > 1 {
            let middle = bad + (good - bad) / 2;
            match is_found(&mut statement, middle) {
                true => good = middle,
                false => bad = middle,
            }
        }
        Some(good)
    }
}

/// Whether the way to a number can be read, with or without a row there.
fn is_found(statement: &mut Statement<'_>, number: i64) -> bool {
    let found = statement.query([number]);
    found.is_ok_and(|mut found| found.next().is_ok())
}
