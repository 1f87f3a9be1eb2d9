//! Cells of delimited text: which are null, what types they could be of, and how COPY would write them.

use super::dialect::Escapes;
use super::record::{Field, escape, split};
use crate::null::{self, Symbols};
use crate::value::unescape;

/// Writes a record as COPY would.
pub(super) fn as_copy(
    record: &[u8],
    separator: u8,
    escapes: Escapes,
    nulls: &Nulls,
    scratch: &mut Vec<u8>,
    row: &mut Vec<u8>,
) -> Result<(), &'static str> {
    let mut nth = 0;
    split(record, separator, escapes, scratch, |field| {
        if nth > 0 {
            row.push(b'\t');
        }
        let null = match field {
            Field::Empty => nulls.empty(nth),
            Field::Bare(text) | Field::Quoted(text) => nulls.is(nth, text),
        };
        nth += 1;
        match field {
            _ if null => row.extend_from_slice(b"\\N"),
            Field::Empty => {}
            Field::Bare(text) | Field::Quoted(text) => escape(text, row),
        }
    })
}

/// What is null.
#[derive(Debug, Default)]
pub(super) struct Nulls {
    /// Columns with a type: in these, any symbol is null.
    pub(super) typed: Vec<bool>,
    /// The symbol the file is known to use: null in columns of text, too, where an empty cell is then
    /// an empty text.
    pub(super) symbol: Option<Vec<u8>>,
}

impl Nulls {
    fn is_typed(&self, column: usize) -> bool {
        self.typed.get(column).is_some_and(|typed| *typed)
    }

    fn empty(&self, column: usize) -> bool {
        self.symbol.is_none() || self.is_typed(column)
    }

    fn is(&self, column: usize, text: &[u8]) -> bool {
        match &self.symbol {
            Some(symbol) if symbol == text => true,
            _ => self.is_typed(column) && null::is_symbol(text),
        }
    }

    /// Writes a row of COPY's text again, now that it is known what is null.
    pub(super) fn again(&self, row: &[u8], out: &mut Vec<u8>) {
        for (nth, field) in row.split(|&b| b == b'\t').enumerate() {
            if nth > 0 {
                out.push(b'\t');
            }
            let null = match field {
                b"\\N" => self.empty(nth),
                b"\\\\N" => self.is(nth, b"\\N"),
                text => self.is(nth, text),
            };
            match null {
                true => out.extend_from_slice(b"\\N"),
                false if field == b"\\N" => {}
                false => out.extend_from_slice(field),
            }
        }
    }
}

/// Lets the values of a row, as COPY writes it, tell their columns' types; `symbols` says whether
/// null may be written as a symbol.
pub(super) fn infer(row: &[u8], columns: &mut [Symbols], symbols: bool, plain: &mut Vec<u8>) {
    for (field, column) in row.split(|&b| b == b'\t').zip(columns) {
        column.empty |= field == b"\\N";
        if field == b"\\N" || column.inference.is_text() {
            continue;
        }
        plain.clear();
        let text = match memchr::memchr(b'\\', field) {
            None => field,
            Some(_) => {
                unescape(field, plain);
                plain.as_slice()
            }
        };
        match symbols {
            true => column.see(text),
            false => column.inference.see(text),
        }
    }
}
