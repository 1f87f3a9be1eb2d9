//! Which type a column has when only its values are known.

use model::ColumnType;

use crate::timestamp;
use crate::value::{integer, is_numeric};

/// What all values of a column seen so far could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inference {
    seen: bool,
    int: bool,
    numeric: bool,
    truth: bool,
    bytes: bool,
    civil: bool,
    utc: bool,
    infinite_only: bool,
}

impl Default for Inference {
    fn default() -> Self {
        Inference {
            seen: false,
            int: true,
            numeric: true,
            truth: true,
            bytes: true,
            civil: true,
            utc: true,
            infinite_only: true,
        }
    }
}

impl Inference {
    /// Takes a value that is not null, escapes resolved.
    pub(crate) fn see(&mut self, text: &[u8]) {
        self.seen = true;
        // A number with a leading zero is a code, not a number; a zero is a zero.
        let digits = text.strip_prefix(b"-").unwrap_or(text);
        let padded = digits.len() > 1 && digits[0] == b'0' && digits[1] != b'.';
        self.int = self.int && !padded && text != b"-0" && integer(text).is_some();
        self.numeric = self.numeric && !padded && (self.int || is_numeric(text));
        self.truth = self.truth && matches!(text, b"t" | b"f" | b"true" | b"false");
        self.bytes = self.bytes && is_hex_bytea(text);
        if self.civil || self.utc {
            match timestamp::parse(text) {
                None => {
                    self.civil = false;
                    self.utc = false;
                }
                Some(written) if written.civil == i64::MAX || written.civil == i64::MIN => {}
                Some(written) => {
                    self.infinite_only = false;
                    self.civil = self.civil && written.offset.is_none();
                    self.utc = self.utc && written.offset.is_some();
                }
            }
        }
    }

    /// Whether there was any value.
    pub(crate) fn is_seen(self) -> bool {
        self.seen
    }

    /// Whether nothing but text is left.
    #[inline]
    pub(crate) fn is_text(self) -> bool {
        !(self.int || self.numeric || self.truth || self.bytes || self.civil || self.utc)
    }

    /// Returns the narrowest type that fits all values; text for a column without any.
    pub(crate) fn column_type(self) -> ColumnType {
        if !self.seen {
            ColumnType::Text
        } else if self.int {
            ColumnType::I64
        } else if self.truth {
            ColumnType::Bool
        } else if self.bytes {
            ColumnType::Bytes
        } else if self.utc && !self.infinite_only {
            ColumnType::TimestampUtc
        } else if self.civil && !self.infinite_only {
            ColumnType::TimestampCivil
        } else if self.numeric {
            ColumnType::Numeric
        } else {
            ColumnType::Text
        }
    }
}

fn is_hex_bytea(text: &[u8]) -> bool {
    text.strip_prefix(b"\\x")
        .is_some_and(|hex| hex.len().is_multiple_of(2) && hex.iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: ColumnType) {
        let mut inference = Inference::default();
        for value in values {
            inference.see(value.as_bytes());
        }
        assert_eq!(inference.column_type(), expected, "{values:?}");
    }

    #[test]
    fn columns_from_values() {
        check(&[], ColumnType::Text);
        check(&["1", "-20"], ColumnType::I64);
        check(&["1", "99999999999999999999"], ColumnType::Numeric);
        check(&["0.5", "1"], ColumnType::Numeric);
        check(&["007"], ColumnType::Text);
        check(&["t", "f"], ColumnType::Bool);
        check(&["true", "false"], ColumnType::Bool);
        check(&["t", "x"], ColumnType::Text);
        check(&["\\x00", "\\x"], ColumnType::Bytes);
        check(&["\\x0"], ColumnType::Text);
        check(&["0x00"], ColumnType::Text);
        check(
            &["2023-09-18 03:50:19.059576", "infinity"],
            ColumnType::TimestampCivil,
        );
        check(&["2023-09-18 03:50:19+00"], ColumnType::TimestampUtc);
        check(
            &["2023-09-18 03:50:19+00", "2023-09-18 03:50:19"],
            ColumnType::Text,
        );
        check(&["infinity"], ColumnType::Text);
        check(&["", "1"], ColumnType::Text);
    }
}
