//! One value of a document, and what all values of a column could be: the type of the column, and the
//! value in it.

use std::borrow::Cow;

use model::{Column, ColumnType};

use super::json;
use crate::timestamp;
use crate::value::{hex, integer, is_numeric};

/// A value as the document holds it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Real(f64),
    /// A number as it is written.
    Number(&'a [u8]),
    Text(Cow<'a, [u8]>),
    /// An object or array, as it is written.
    Json(&'a [u8]),
    Blob(&'a [u8]),
}

impl<'a> Cell<'a> {
    /// Reads a JSON value; says in words what is wrong with it.
    pub(crate) fn of_json(value: &'a [u8]) -> Result<Cell<'a>, String> {
        Ok(match value {
            b"null" => Cell::Null,
            b"true" => Cell::Bool(true),
            b"false" => Cell::Bool(false),
            [b'{' | b'[', ..] => {
                if !is_valid(value) {
                    return Err(format!("{} is no valid JSON", crate::rows::shown(value)));
                }
                Cell::Json(value)
            }
            _ => match json::text(value) {
                Some(text) => Cell::Text(text),
                None if is_number(value) => Cell::Number(value),
                None => return Err(format!("{} is no JSON value", crate::rows::shown(value))),
            },
        })
    }

    /// Bytes it takes in memory, about.
    pub(crate) fn size(&self) -> u64 {
        let text = match self {
            Cell::Number(text) | Cell::Json(text) | Cell::Blob(text) => text.len(),
            Cell::Text(text) => text.len(),
            _ => 0,
        };
        text as u64 + 8
    }

    /// Returns text; an empty one is null, as in CSV.
    pub(crate) fn of_csv(text: Cow<'a, [u8]>) -> Cell<'a> {
        match text.is_empty() {
            true => Cell::Null,
            false => Cell::Text(text),
        }
    }
}

/// Whether this is a number of JSON: there are no infinities.
fn is_number(value: &[u8]) -> bool {
    is_numeric(value) && value.iter().any(u8::is_ascii_digit)
}

/// Whether all scalars inside of a container are such; its nesting is known to be right and bounded.
fn is_valid(value: &[u8]) -> bool {
    match value {
        b"null" | b"true" | b"false" => true,
        [b'{' | b'[', ..] => json::Members::new(value)
            .all(|member| member.is_ok_and(|member| !member.cut && is_valid(member.value))),
        [b'"', .., b'"'] => true,
        _ => is_number(value),
    }
}

/// What is known of a column by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hint {
    /// Nothing.
    #[default]
    None,
    /// Hashes, addresses, keys: `0x` and hex digits.
    Bytes,
    /// A number in decimal digits or as `0x` and hex digits.
    Quantity,
    /// A time in RFC 3339.
    Time,
    /// Text, whatever it looks like.
    Text,
    /// Objects or arrays.
    Json,
    /// Truths; SQLite writes them as 0 and 1.
    Bool,
    /// SQLite's: numbers are numbers there, so digits in a text are a text.
    Stored,
    /// The same, in a column declared as BLOB.
    StoredBlob,
}

impl Hint {
    /// The type of a column without any value.
    fn empty(self) -> ColumnType {
        match self {
            Hint::Bytes | Hint::StoredBlob => ColumnType::Bytes,
            Hint::Quantity => ColumnType::I64,
            Hint::Time => ColumnType::TimestampUtc,
            Hint::Json => ColumnType::Json,
            Hint::Bool => ColumnType::Bool,
            Hint::None | Hint::Text | Hint::Stored => ColumnType::Text,
        }
    }
}

/// What all values of a column seen so far could be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    any: bool,
    /// Each may be true or false.
    bools: bool,
    /// Each is 0 or 1.
    bits: bool,
    /// Each is a whole number of 64 bits.
    ints: bool,
    /// Each is a decimal number.
    numbers: bool,
    /// Each is a decimal number or `0x` and at most 64 hex digits.
    quantities: bool,
    /// Each quantity fits 63 bits.
    small: bool,
    /// Each is `0x` and whole bytes in hex, or a blob.
    hex: bool,
    /// Each of these is an address or longer.
    long: bool,
    utc: bool,
    civil: bool,
    a_json: bool,
    a_blob: bool,
    a_text: bool,
    a_real: bool,
}

impl Default for Seen {
    fn default() -> Self {
        Seen {
            any: false,
            bools: true,
            bits: true,
            ints: true,
            numbers: true,
            quantities: true,
            small: true,
            hex: true,
            long: true,
            utc: true,
            civil: true,
            a_json: false,
            a_blob: false,
            a_text: false,
            a_real: false,
        }
    }
}

/// Hex digits of an address: what is at least as long is bytes, not a number.
const ADDRESS_DIGITS: usize = 40;

impl Seen {
    /// Takes a value.
    pub(crate) fn see(&mut self, cell: &Cell<'_>) {
        if matches!(cell, Cell::Null) {
            return;
        }
        self.any = true;
        self.bools &= matches!(cell, Cell::Bool(_));
        self.bits &= matches!(cell, Cell::Bool(_) | Cell::Int(0 | 1));
        self.a_json |= matches!(cell, Cell::Json(_));
        self.a_blob |= matches!(cell, Cell::Blob(_));
        self.a_text |= matches!(cell, Cell::Text(_));
        self.a_real |= matches!(cell, Cell::Real(_));
        let written: &[u8] = match cell {
            Cell::Number(written) => written,
            Cell::Text(written) => written,
            Cell::Int(_) | Cell::Real(_) => {
                self.ints &= matches!(cell, Cell::Int(_));
                self.small &= matches!(cell, Cell::Int(_));
                (self.hex, self.utc, self.civil) = (false, false, false);
                return;
            }
            _ => {
                (self.ints, self.numbers, self.quantities) = (false, false, false);
                (self.utc, self.civil) = (false, false);
                self.hex &= matches!(cell, Cell::Blob(_));
                return;
            }
        };
        let digits = written.strip_prefix(b"-").unwrap_or(written);
        let code = digits.len() > 1 && digits[0] == b'0' && digits[1] != b'.';
        let int = !code && written != b"-0" && integer(written).is_some();
        let number = !code && is_numeric(written);
        self.ints &= int;
        self.numbers &= number;
        match hex_digits(written) {
            Some(digits) => {
                self.hex &= digits.len() % 2 == 0;
                self.long &= digits.len() >= ADDRESS_DIGITS;
                self.quantities &= !digits.is_empty() && digits.len() <= 64;
                self.small &= small(digits).is_some();
            }
            None => {
                self.hex = false;
                self.quantities &= number;
                self.small &= int;
            }
        }
        if self.utc || self.civil {
            let time = timestamp::parse(written).filter(|_| !matches!(cell, Cell::Number(_)));
            self.utc &= time.is_some_and(|time| time.offset.is_some());
            self.civil &= time.is_some_and(|time| time.offset.is_none());
        }
    }

    /// Returns the column's type, and whether it is what the hint says.
    pub(crate) fn column_type(self, hint: Hint) -> (ColumnType, bool) {
        if !self.any {
            return (hint.empty(), hint != Hint::None);
        }
        let stored = matches!(hint, Hint::Stored | Hint::StoredBlob);
        let quantity = match self.small {
            true => ColumnType::I64,
            false => ColumnType::Numeric,
        };
        match hint {
            Hint::Text => return (ColumnType::Text, true),
            Hint::Bytes if self.hex => return (ColumnType::Bytes, true),
            Hint::Quantity if self.quantities => return (quantity, true),
            Hint::Time if self.utc => return (ColumnType::TimestampUtc, true),
            Hint::Bool if self.bits => return (ColumnType::Bool, true),
            Hint::Json if self.a_json => return (ColumnType::Json, true),
            _ => {}
        }
        let found = if self.a_json {
            ColumnType::Json
        } else if self.bools {
            ColumnType::Bool
        } else if self.a_blob || (self.hex && self.long) {
            ColumnType::Bytes
        } else if self.ints && !(stored && self.a_text) {
            ColumnType::I64
        } else if self.numbers && !(stored && self.a_text) {
            match self.a_real {
                true => ColumnType::F64,
                false => ColumnType::Numeric,
            }
        } else if self.utc {
            ColumnType::TimestampUtc
        } else if self.civil {
            ColumnType::TimestampCivil
        } else {
            ColumnType::Text
        };
        (found, stored)
    }
}

/// Returns the digits of `0x…`.
fn hex_digits(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"0x")
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Returns a hex number that fits an `i64`.
fn small(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    i64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Writes a hex number of at most 64 digits in decimal digits.
fn decimal(digits: &[u8], out: &mut Vec<u8>) {
    let mut words = [0u32; 8];
    for &digit in digits {
        let mut carry = char::from(digit).to_digit(16).unwrap_or(0);
        for word in &mut words {
            let wide = u64::from(*word) << 4 | u64::from(carry);
            (*word, carry) = (wide as u32, (wide >> 32) as u32);
        }
    }
    let from = out.len();
    loop {
        let mut rest = 0u64;
        for word in words.iter_mut().rev() {
            let wide = rest << 32 | u64::from(*word);
            (*word, rest) = ((wide / 10) as u32, wide % 10);
        }
        out.push(b'0' + rest as u8);
        if words.iter().all(|&word| word == 0) {
            break;
        }
    }
    out[from..].reverse();
}

/// Appends a value to a column whose type was found from it among others; what does not fit (the
/// document has changed meanwhile) is `false`.
pub(crate) fn push(column: &mut Column, cell: &Cell<'_>) -> bool {
    let written: &[u8] = match cell {
        Cell::Null => {
            column.push_null();
            return true;
        }
        Cell::Number(written) | Cell::Json(written) | Cell::Blob(written) => written,
        Cell::Text(written) => written,
        Cell::Bool(true) => b"true",
        Cell::Bool(false) => b"false",
        Cell::Int(_) | Cell::Real(_) => b"",
    };
    match (column.column_type, cell) {
        (ColumnType::Bool, Cell::Bool(value)) => column.push_bool(*value),
        (ColumnType::Bool, Cell::Int(bit)) => column.push_bool(*bit != 0),
        (ColumnType::I64, Cell::Int(value)) => column.push_i64(*value),
        (ColumnType::I64, _) => match integer(written).or_else(|| small(hex_digits(written)?)) {
            Some(value) => column.push_i64(value),
            None => return false,
        },
        (ColumnType::F64, Cell::Real(value)) => column.push_f64(*value),
        (ColumnType::F64, Cell::Int(value)) => column.push_f64(*value as f64),
        (ColumnType::Bytes, _) => match hex_digits(written) {
            Some(digits) if !matches!(cell, Cell::Blob(_)) && digits.len() % 2 == 0 => {
                column.push_written(|out| {
                    // Digits only, and an even number of them.
                    let _ = hex(digits, out);
                });
            }
            _ => push_other(column, cell, written),
        },
        (ColumnType::TimestampUtc, _) => {
            match timestamp::parse(written).and_then(timestamp::Written::utc) {
                Some(time) => column.push_i64(time),
                None => return false,
            }
        }
        (ColumnType::TimestampCivil, _) => match timestamp::parse(written) {
            Some(time) => column.push_i64(time.civil),
            None => return false,
        },
        (ColumnType::Json, Cell::Text(text)) => column.push_written(|out| {
            model::write_json_string(text, out);
        }),
        (ColumnType::Numeric, _) => match hex_digits(written) {
            Some(digits) => column.push_written(|out| decimal(digits, out)),
            None => push_other(column, cell, written),
        },
        (ColumnType::Text | ColumnType::Json, _) => push_other(column, cell, written),
        (ColumnType::Bool | ColumnType::F64 | ColumnType::Dict, _) => return false,
    }
    true
}

/// Appends a value as it is written.
fn push_other(column: &mut Column, cell: &Cell<'_>, written: &[u8]) {
    match cell {
        Cell::Int(value) => column.push_text(value.to_string().as_bytes()),
        Cell::Real(value) => column.push_text(format!("{value:?}").as_bytes()),
        _ if column.column_type == ColumnType::Bytes => column.push_bytes(written),
        _ => column.push_text(written),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], hint: Hint, expected: ColumnType) {
        let mut seen = Seen::default();
        for value in values {
            seen.see(&Cell::of_json(value.as_bytes()).unwrap());
        }
        let (found, _) = seen.column_type(hint);
        assert_eq!(found, expected, "{values:?}");
        let mut column = Column::new("c", found);
        for value in values {
            assert!(push(&mut column, &Cell::of_json(value.as_bytes()).unwrap()));
        }
        assert_eq!(column.len(), values.len());
    }

    #[test]
    fn types_of_json_values() {
        let hash = format!("\"0x{}\"", "ab".repeat(32));
        check(&["null"], Hint::None, ColumnType::Text);
        check(&["null"], Hint::Time, ColumnType::TimestampUtc);
        check(&["1", "\"-2\"", "null"], Hint::None, ColumnType::I64);
        check(&["\"007\""], Hint::None, ColumnType::Text);
        check(&["18446744073709551615"], Hint::None, ColumnType::Numeric);
        check(&["1.5", "2"], Hint::None, ColumnType::Numeric);
        check(&["true", "null"], Hint::None, ColumnType::Bool);
        check(&["true", "1"], Hint::None, ColumnType::Text);
        check(&[&hash], Hint::None, ColumnType::Bytes);
        check(&[&hash, "\"0x12\""], Hint::None, ColumnType::Text);
        check(&[&hash, "\"0x\""], Hint::Bytes, ColumnType::Bytes);
        check(&[&hash, "\"none\""], Hint::Bytes, ColumnType::Text);
        check(&["\"0x5\"", "7"], Hint::Quantity, ColumnType::I64);
        check(&[&hash, "\"0x5\""], Hint::Quantity, ColumnType::Numeric);
        check(&["{}", "1", "\"a\\\"b\""], Hint::None, ColumnType::Json);
        check(
            &["\"2023-04-09T18:05:40.548203Z\""],
            Hint::None,
            ColumnType::TimestampUtc,
        );
        check(&["\"5\""], Hint::Text, ColumnType::Text);
        check(&["\"soon\""], Hint::Time, ColumnType::Text);
    }

    #[test]
    fn values_that_are_none() {
        for bad in ["nul", "NaN", "-Infinity", "[1,]", "1x"] {
            assert!(Cell::of_json(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn hex_numbers_in_decimal() {
        for (digits, expected) in [
            ("0", "0"),
            ("ff", "255"),
            ("de0b6b3a7640000", "1000000000000000000"),
            (
                "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
                "115792089237316195423570985008687907853269984665640564039457584007913129639935",
            ),
        ] {
            let mut out = Vec::new();
            decimal(digits.as_bytes(), &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }

    #[test]
    fn what_sqlite_stores() {
        let types = |cells: &[Cell<'_>], hint: Hint| {
            let mut seen = Seen::default();
            cells.iter().for_each(|cell| seen.see(cell));
            let (found, _) = seen.column_type(hint);
            let mut column = Column::new("c", found);
            assert!(cells.iter().all(|cell| push(&mut column, cell)));
            (found, column)
        };
        let text = |text: &'static str| Cell::Text(Cow::Borrowed(text.as_bytes()));
        let (found, _) = types(&[text("12")], Hint::Stored);
        assert_eq!(found, ColumnType::Text);
        let (found, _) = types(&[Cell::Int(1), Cell::Int(0)], Hint::Bool);
        assert_eq!(found, ColumnType::Bool);
        let (found, _) = types(&[Cell::Int(1), Cell::Real(0.5)], Hint::Stored);
        assert_eq!(found, ColumnType::F64);
        let (found, column) = types(&[Cell::Int(1), text("x")], Hint::Stored);
        assert_eq!((found, column.text(0)), (ColumnType::Text, Some("1")));
        let key = "0xa03cbcdd4fc531f41aa3fb35d8b1323ae54a08028a792d16f4437545bcfc7958";
        let (found, column) = types(&[text(key), Cell::Blob(b"0x01")], Hint::StoredBlob);
        assert_eq!(found, ColumnType::Bytes);
        assert_eq!(column.bytes(0).unwrap().len(), 32);
        assert_eq!(column.bytes(1), Some(&b"0x01"[..]));
    }
}
