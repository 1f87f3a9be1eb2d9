//! Tables as they stood at a moment in the past, as far as their own rows tell.
//!
//! A dump holds the rows of one moment, but most rows say when they were made and when the later steps
//! were taken: at an earlier moment, rows made since are not there yet, and columns set since are not set.
//! What cannot be known that way is told by [`Past::is_unknown`], never guessed: a job's state before its last
//! change, a transaction's failure (which no column dates). What was deleted or cleared since leaves no trace.

mod cells;
mod facts;
mod moment;
mod rules;

pub(crate) use moment::{Moment, earlier};

use crate::rows::{DbTime, Rows};
use facts::Facts;
use model::time::{MICROS_PER_SECOND, format_utc, format_utc_short};
use model::{Batch, Column, ColumnType, Coming, RowFilter, TableError, TableInfo, TableSource};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// Rows made later that are remembered, so that an answer can name them.
const LATER_MOST: usize = 16;

/// What became of a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Then {
    /// It was not set yet.
    Unset,
    /// It held this text, number or truth.
    Was(Value),
    /// Nobody can say.
    Unknown,
}

/// The values that cells can be said to have held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Word(&'static str),
    Number(i64),
    Truth(bool),
}

/// How a row stood then: not there at all, or with some cells otherwise than now.
enum RowThen {
    NotYet(DbTime),
    There(Cells),
}

/// Cells that held something else than now, by column.
type Cells = Vec<(&'static str, Then)>;

/// The tables of a source, taken back to a moment.
pub(crate) struct Past<'a> {
    source: &'a dyn TableSource,
    infos: Vec<TableInfo>,
    clock: Clock,
    facts: Facts,
    /// Cells that cannot be known: table, key, column.
    unknown: RefCell<BTreeSet<(String, i64, &'static str)>>,
    /// Rows that were made later: what was asked for, and when it was made.
    later: RefCell<Vec<(String, String)>>,
    changed: Cell<bool>,
}

/// The moment, on the database's clock and in UTC.
#[derive(Clone, Copy, Debug)]
struct Clock {
    at_us: i64,
    zone_us: i64,
}

impl Clock {
    fn utc_us(self, time: DbTime) -> i64 {
        let zone_us = if time.utc { 0 } else { self.zone_us };
        time.us.saturating_sub(zone_us)
    }

    fn is_after(self, time: DbTime) -> bool {
        self.utc_us(time) > self.at_us
    }

    fn print(self, time: DbTime) -> String {
        format_utc(self.utc_us(time))
    }

    fn is_after_unix(self, seconds: i64) -> bool {
        seconds.saturating_mul(MICROS_PER_SECOND) > self.at_us
    }
}

impl<'a> Past<'a> {
    /// Takes tables back to `at_us` (microseconds UTC). `zone_seconds`: the zone of the
    /// database's clock, east of UTC.
    ///
    /// # Errors
    /// If the tables that date the others cannot be read.
    pub(crate) fn new(
        source: &'a dyn TableSource,
        at_us: i64,
        zone_seconds: i64,
    ) -> Result<Past<'a>, TableError> {
        let infos = source.tables();
        let mut named = infos.clone();
        model::leave_public(&mut named, |_| false);
        let clock = Clock {
            at_us,
            zone_us: zone_seconds * MICROS_PER_SECOND,
        };
        Ok(Past {
            facts: Facts::read(source, &named, clock)?,
            source,
            infos,
            clock,
            unknown: RefCell::default(),
            later: RefCell::default(),
            changed: Cell::new(false),
        })
    }

    /// Whether the tables of L1 transactions and batches hold anything later.
    pub(crate) fn has_later(&self) -> bool {
        self.facts.has_later
    }

    /// Whether nobody can say what a cell held then. `key` is the row's number or id.
    pub(crate) fn is_unknown(&self, table: &str, key: i64, column: &str) -> bool {
        let unknown = self.unknown.borrow();
        let mut of_row = unknown.range((table.to_owned(), key, "")..);
        of_row
            .by_ref()
            .take_while(|(of, at, _)| of == table && *at == key)
            .any(|(.., of)| *of == column)
    }

    /// When a row was made that was asked for by its key and was not there yet.
    pub(crate) fn made_later(&self, table: &str, key: Option<i64>) -> Option<String> {
        let wanted = label(table, key);
        // Batches are read all at once: not by what was asked for.
        if table == "l1_batches" {
            let made = self.facts.batch_made(key?)?;
            return self.clock.is_after(made).then(|| self.clock.print(made));
        }
        let later = self.later.borrow();
        let found = later.iter().find(|(of, _)| match key {
            Some(_) => *of == wanted,
            None => of.split(' ').next() == Some(table),
        });
        found.map(|(_, made)| made.clone())
    }

    /// What an answer must say of the moment; `None` if the tables show nothing that came later.
    pub(crate) fn caveat(&self) -> Option<String> {
        let at = format_utc_short(self.clock.at_us);
        (self.changed.get() || self.facts.has_later).then(|| {
            format!(
                "as of {at}: rows made later are left out and what was set later is taken back, as their times tell; what was deleted or cleared since leaves no trace in the tables"
            )
        })
    }

    fn info(&self, table: &str) -> Option<&TableInfo> {
        let named = self.infos.iter().filter(|info| info.is_named(table));
        let one = model::the_one(table, named.collect(), |info| {
            (&info.snapshot, &info.schema)
        });
        // Which of several is asked back by the source that holds them.
        one.ok().flatten()
    }

    fn remember_later(&self, table: &str, key: Option<i64>, made: DbTime) {
        let mut later = self.later.borrow_mut();
        if later.len() < LATER_MOST {
            later.push((label(table, key), self.clock.print(made)));
        }
    }
}

fn label(table: &str, key: Option<i64>) -> String {
    match key {
        Some(key) => format!("{table} {key}"),
        None => table.to_owned(),
    }
}

impl TableSource for Past<'_> {
    fn tables(&self) -> Vec<TableInfo> {
        self.infos.clone()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let rule = self
            .info(table)
            .and_then(|info| Some((info, rules::of(&info.name)?)));
        let Some((info, rule)) = rule else {
            return self.source.read(table, columns, filter);
        };
        let mut wanted: Vec<&str> = columns.to_vec();
        for name in rule.reads {
            if !wanted.contains(name) {
                wanted.push(name);
            }
        }
        let rows = Rows::new(info.clone(), self.source.read(table, &wanted, filter)?);
        let looked_up = self.facts.for_rows(self.source, table_rows(&rows, rule))?;
        let mut kept: Vec<(usize, Cells)> = Vec::with_capacity(rows.len());
        for row in 0..rows.len() {
            let then = (rule.then)(&rules::Row {
                rows: &rows,
                row,
                clock: self.clock,
                facts: &self.facts,
                looked_up: &looked_up,
            });
            let key = rule.key.and_then(|key| rows.int(row, key));
            match then {
                RowThen::NotYet(made) => {
                    self.changed.set(true);
                    if *filter != RowFilter::All {
                        self.remember_later(&info.name, key, made);
                    }
                }
                RowThen::There(cells) => {
                    if !cells.is_empty() {
                        self.changed.set(true);
                    }
                    for (column, _) in cells.iter().filter(|(_, then)| *then == Then::Unknown) {
                        if let Some(key) = key {
                            let cell = (info.name.clone(), key, *column);
                            self.unknown.borrow_mut().insert(cell);
                        }
                    }
                    // A row that was found by a value that it did not have then was not to be found.
                    let by = match filter {
                        RowFilter::I64In(column, _) | RowFilter::BytesIn(column, _) => column,
                        RowFilter::All => "",
                    };
                    if !cells.iter().any(|(column, _)| *column == by) {
                        kept.push((row, cells));
                    }
                }
            }
        }
        Ok(rebuild(rows.into_batch(), columns, &kept))
    }

    fn hashes_beginning(
        &self,
        table: &str,
        column: &str,
        digits: &str,
    ) -> Result<Option<Vec<String>>, TableError> {
        self.source.hashes_beginning(table, column, digits)
    }

    fn announce(&self, coming: &[Coming<'_>]) {
        self.source.announce(coming);
    }

    fn row_count(&self, table: &str) -> Option<u64> {
        self.source.row_count(table)
    }

    fn damage_of(&self, table: &str) -> Vec<String> {
        self.source.damage_of(table)
    }

    fn damage(&self) -> Vec<String> {
        self.source.damage()
    }
}

/// The numbers by which rows point to miniblocks, where the rule asks for them.
fn table_rows(rows: &Rows, rule: &rules::Rule) -> BTreeSet<i64> {
    let Some(column) = rule.miniblock else {
        return BTreeSet::new();
    };
    (0..rows.len())
        .filter_map(|row| rows.int(row, column))
        .collect()
}

/// The wanted columns of the rows that are kept, with the cells as they were.
fn rebuild(batch: Batch, columns: &[&str], kept: &[(usize, Cells)]) -> Batch {
    let wanted = |name: &str| name == "#" || columns.contains(&name);
    let columns = batch.columns.into_iter().filter(|of| wanted(&of.name));
    let columns = columns.map(|from| {
        let column_type = match from.column_type {
            ColumnType::Dict => ColumnType::Text,
            other => other,
        };
        let mut into = Column::new(from.name.clone(), column_type);
        for (row, cells) in kept {
            match cells.iter().find(|(name, _)| *name == from.name) {
                Some((_, Then::Was(value))) => cells::put(&mut into, *value),
                Some((_, Then::Unset | Then::Unknown)) => into.push_null(),
                None => cells::copy(&mut into, &from, *row),
            }
        }
        into
    });
    Batch {
        columns: columns.collect(),
    }
}
