//! From the text of a field, as COPY writes it, to a cell.

use crate::timestamp::Day;
use crate::value::{Decoder, Value, decode, hex, unescape};

/// A cell between being read and being pushed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell {
    Null,
    Bool(bool),
    I64(i64),
    F64(f64),
    /// A range of the row.
    Row(usize, usize),
    /// A range of the scratch buffer.
    Scratch(usize, usize),
}

/// Reads cells; its buffers serve one row after the other.
#[derive(Default)]
pub(crate) struct CellReader {
    /// What was decoded; emptied by who reads.
    pub(crate) scratch: Vec<u8>,
    plain: Vec<u8>,
    day: Day,
}

impl CellReader {
    /// Reads a field that begins at `from` in its row.
    #[inline]
    pub(crate) fn read(&mut self, decoder: Decoder, text: &[u8], from: usize) -> Option<Cell> {
        if text == b"\\N" {
            return Some(Cell::Null);
        }
        if decoder == Decoder::TimestampCivil
            && let Some(us) = self.day.civil_us(text)
        {
            return Some(Cell::I64(us));
        }
        let start = self.scratch.len();
        if decoder == Decoder::Bytes
            && let Some(digits) = text.strip_prefix(b"\\\\x")
            && hex(digits, &mut self.scratch).is_some()
        {
            return Some(Cell::Scratch(start, self.scratch.len()));
        }
        self.scratch.truncate(start);
        if memchr::memchr(b'\\', text).is_none() {
            return Some(match decode(decoder, text, &mut self.scratch)? {
                Value::Same => Cell::Row(from, from + text.len()),
                value => self.made(value),
            });
        }
        self.plain.clear();
        unescape(text, &mut self.plain);
        Some(match decode(decoder, &self.plain, &mut self.scratch)? {
            Value::Same => {
                self.scratch.extend_from_slice(&self.plain);
                Cell::Scratch(start, self.scratch.len())
            }
            value => self.made(value),
        })
    }

    fn made(&self, value: Value) -> Cell {
        match value {
            Value::Bool(value) => Cell::Bool(value),
            Value::I64(value) => Cell::I64(value),
            Value::F64(value) => Cell::F64(value),
            Value::Scratch(from) => Cell::Scratch(from, self.scratch.len()),
            Value::Same => Cell::Null,
        }
    }
}
