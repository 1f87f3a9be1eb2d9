//! From the text of one COPY field to a typed value.

use model::ColumnType;

use crate::timestamp;

/// How a column's text is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoder {
    Bool,
    Int,
    Float,
    Numeric,
    Bytes,
    Json,
    Text,
    TimestampUtc,
    TimestampCivil,
}

impl Decoder {
    /// Chooses by the type's name in SQL, lower case, as `pg_dump` writes it.
    pub(crate) fn of_sql_type(sql_type: &str) -> Decoder {
        if sql_type.ends_with(']') {
            return Decoder::Text;
        }
        let base = sql_type.strip_prefix("pg_catalog.").unwrap_or(sql_type);
        let with_zone = base.ends_with(" with time zone");
        let name = base.split(['(', ' ']).next().unwrap_or("");
        match name {
            "boolean" | "bool" => Decoder::Bool,
            "smallint" | "integer" | "bigint" | "int" | "int2" | "int4" | "int8" | "oid"
            | "smallserial" | "serial" | "bigserial" => Decoder::Int,
            "real" | "double" | "float4" | "float8" | "float" => Decoder::Float,
            "numeric" | "decimal" => Decoder::Numeric,
            "bytea" => Decoder::Bytes,
            "json" | "jsonb" => Decoder::Json,
            "timestamptz" => Decoder::TimestampUtc,
            "timestamp" if with_zone => Decoder::TimestampUtc,
            "timestamp" => Decoder::TimestampCivil,
            _ => Decoder::Text,
        }
    }

    pub(crate) fn of_column_type(column_type: ColumnType) -> Decoder {
        match column_type {
            ColumnType::Bool => Decoder::Bool,
            ColumnType::I64 => Decoder::Int,
            ColumnType::F64 => Decoder::Float,
            ColumnType::Numeric => Decoder::Numeric,
            ColumnType::Bytes => Decoder::Bytes,
            ColumnType::Json => Decoder::Json,
            ColumnType::TimestampUtc => Decoder::TimestampUtc,
            ColumnType::TimestampCivil => Decoder::TimestampCivil,
            ColumnType::Text | ColumnType::Dict => Decoder::Text,
        }
    }

    pub(crate) fn column_type(self) -> ColumnType {
        match self {
            Decoder::Bool => ColumnType::Bool,
            Decoder::Int => ColumnType::I64,
            Decoder::Float => ColumnType::F64,
            Decoder::Numeric => ColumnType::Numeric,
            Decoder::Bytes => ColumnType::Bytes,
            Decoder::Json => ColumnType::Json,
            Decoder::Text => ColumnType::Text,
            Decoder::TimestampUtc => ColumnType::TimestampUtc,
            Decoder::TimestampCivil => ColumnType::TimestampCivil,
        }
    }

    /// What the value should have been, for messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Decoder::Bool => "truth value",
            Decoder::Int => "whole number",
            Decoder::Float => "number",
            Decoder::Numeric => "decimal number",
            Decoder::Bytes => "bytea value",
            Decoder::Json => "JSON text",
            Decoder::Text => "text",
            Decoder::TimestampUtc => "timestamp with time zone",
            Decoder::TimestampCivil => "timestamp",
        }
    }
}

/// A value; text and bytes lie in the slice that was given or in the scratch buffer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Bool(bool),
    I64(i64),
    F64(f64),
    /// The text itself is the value.
    Same,
    /// The value was written to the end of the scratch buffer, from this offset.
    Scratch(usize),
}

/// Reads a value whose escapes are already resolved. `None` if it is not of the type.
pub(crate) fn decode(decoder: Decoder, text: &[u8], scratch: &mut Vec<u8>) -> Option<Value> {
    Some(match decoder {
        Decoder::Bool => Value::Bool(match text {
            b"t" | b"true" => true,
            b"f" | b"false" => false,
            _ => return None,
        }),
        Decoder::Int => Value::I64(integer(text)?),
        Decoder::Float => Value::F64(float(text)?),
        Decoder::Numeric => {
            if !is_numeric(text) {
                return None;
            }
            Value::Same
        }
        Decoder::Bytes => {
            let from = scratch.len();
            bytea(text, scratch)?;
            Value::Scratch(from)
        }
        Decoder::Json | Decoder::Text => Value::Same,
        Decoder::TimestampUtc => Value::I64(timestamp::parse(text)?.utc()?),
        Decoder::TimestampCivil => {
            let written = timestamp::parse(text)?;
            if written.offset.is_some() {
                return None;
            }
            Value::I64(written.civil)
        }
    })
}

/// Reads a whole number.
#[inline]
pub(crate) fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    // Counting downwards reaches i64::MIN as well.
    let mut value = 0i64;
    if digits.len() < 19 {
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value * 10 - i64::from(digit - b'0');
        }
    } else {
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value
                .checked_mul(10)?
                .checked_sub(i64::from(digit - b'0'))?;
        }
    }
    if negative {
        Some(value)
    } else {
        value.checked_neg()
    }
}

fn float(text: &[u8]) -> Option<f64> {
    match text {
        b"NaN" => Some(f64::NAN),
        b"Infinity" => Some(f64::INFINITY),
        b"-Infinity" => Some(f64::NEG_INFINITY),
        _ if is_numeric(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// Whether this is a decimal number as PostgreSQL prints it.
pub(crate) fn is_numeric(text: &[u8]) -> bool {
    if matches!(text, b"NaN" | b"Infinity" | b"-Infinity") {
        return true;
    }
    let mut digits = 0;
    let mut point = false;
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    while let Some((&byte, tail)) = rest.split_first() {
        match byte {
            b'0'..=b'9' => digits += 1,
            b'.' if !point => point = true,
            b'e' | b'E' if digits > 0 => {
                let power = match tail {
                    [b'+' | b'-', power @ ..] => power,
                    _ => tail,
                };
                return !power.is_empty()
                    && power.len() < 5
                    && power.iter().all(u8::is_ascii_digit);
            }
            _ => return false,
        }
        rest = tail;
    }
    digits > 0
}

fn nibble(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Values of hex digits; 255 for anything else.
static NIBBLES: [u8; 256] = {
    let mut table = [255; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};

/// Reads hex digits.
#[inline]
pub(crate) fn hex(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (pairs, odd) = text.as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    // One look at the end instead of a branch per digit: this is most of the work in a dump.
    let mut bad = 0;
    out.extend(pairs.iter().map(|&[high, low]| {
        let (high, low) = (NIBBLES[usize::from(high)], NIBBLES[usize::from(low)]);
        bad |= high | low;
        high << 4 | low & 15
    }));
    (bad < 16).then_some(())
}

/// Reads bytea in hex (`\x00ff`) or escape format (`a\\b\001`).
pub(crate) fn bytea(text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if let Some(digits) = text.strip_prefix(b"\\x") {
        return hex(digits, out);
    }
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        match &rest[at + 1..] {
            [b'\\', ..] => {
                out.push(b'\\');
                rest = &rest[at + 2..];
            }
            [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = &rest[at + 4..];
            }
            _ => return None,
        }
    }
    out.extend_from_slice(rest);
    Some(())
}

/// Resolves the escapes of a COPY field.
pub(crate) fn unescape(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let after = &rest[at + 1..];
        let Some(&code) = after.first() else {
            // A lone backslash at the end of a field: COPY would have refused it.
            out.push(b'\\');
            rest = after;
            break;
        };
        let mut used = 1;
        match code {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(11),
            b'0'..=b'7' => {
                let mut value = u32::from(code - b'0');
                while used < 3 && after.get(used).is_some_and(|d| (b'0'..=b'7').contains(d)) {
                    value = value << 3 | u32::from(after[used] - b'0');
                    used += 1;
                }
                out.push(value as u8);
            }
            b'x' => match after.get(1).copied().and_then(nibble) {
                None => out.push(b'x'),
                Some(high) => match after.get(2).copied().and_then(nibble) {
                    None => {
                        out.push(high);
                        used = 2;
                    }
                    Some(low) => {
                        out.push(high << 4 | low);
                        used = 3;
                    }
                },
            },
            other => out.push(other),
        }
        rest = &after[used..];
    }
    out.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_escapes() {
        for (text, expected) in [
            (&b"plain"[..], &b"plain"[..]),
            (b"a\\tb\\nc\\\\d", b"a\tb\nc\\d"),
            (b"\\b\\f\\r\\v", b"\x08\x0c\r\x0b"),
            (b"\\101\\7\\x41\\x4g\\xg", b"A\x07A\x04gxg"),
            (b"\\\\N", b"\\N"),
            (b"\\q\\", b"q\\"),
        ] {
            let mut out = Vec::new();
            unescape(text, &mut out);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn bytea_in_both_formats() {
        let read = |text: &[u8]| {
            let mut out = Vec::new();
            bytea(text, &mut out).map(|()| out)
        };
        assert_eq!(read(b"\\x00fF"), Some(vec![0, 255]));
        assert_eq!(read(b"\\x"), Some(vec![]));
        assert_eq!(read(b"\\x0"), None);
        assert_eq!(read(b"a\\\\b\\001"), Some(b"a\\b\x01".to_vec()));
        assert_eq!(read(b"a\\9"), None);
    }

    #[test]
    fn integers_to_the_ends_of_the_range() {
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(integer(b"-7"), Some(-7));
        for bad in [&b""[..], b"-", b"1x", b"+1", b"12345678901234567890"] {
            assert_eq!(integer(bad), None);
        }
    }

    #[test]
    fn numerics() {
        for good in [
            "0",
            "-1.50",
            "NaN",
            "Infinity",
            "1e+20",
            "123456789012345678901234567890",
        ] {
            assert!(is_numeric(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", ".", "1.2.3", "1e", "x", "0x10"] {
            assert!(!is_numeric(bad.as_bytes()), "{bad}");
        }
    }
}
