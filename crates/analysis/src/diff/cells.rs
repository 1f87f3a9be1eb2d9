//! Values of rows: their digests, and how they are shown.

use model::time::{format_civil, format_utc, infinity};
use model::{Batch, Column, ColumnType, f64_json};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// First half of a SHA-256: rows of evidence may be made by somebody who would like two to look alike.
pub(super) type RowDigest = [u8; 16];

/// Values longer than this are shown cut.
const SHOWN_CHARS: usize = 160;
/// Bytes of a long `bytea` that are shown.
const SHOWN_BYTES: usize = 40;

/// Digests rows over some of their columns.
pub(super) struct RowDigester {
    text: Vec<u8>,
    /// Whether each column is compared as text, as its types differ between the snapshots.
    as_text: Vec<bool>,
}

impl RowDigester {
    pub(super) fn new(as_text: Vec<bool>) -> RowDigester {
        RowDigester {
            text: Vec::new(),
            as_text,
        }
    }

    /// Returns the digest of a row over the columns at `places`; `None` stands for a column that is not there.
    pub(super) fn digest(
        &mut self,
        batch: &Batch,
        places: &[Option<usize>],
        row: usize,
    ) -> RowDigest {
        self.text.clear();
        for (place, as_text) in places.iter().zip(&self.as_text) {
            match place {
                Some(at) => canonical(&batch.columns[*at], row, *as_text, &mut self.text),
                None => self.text.push(0),
            }
        }
        let digest = Sha256::digest(&self.text);
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        half
    }
}

/// Appends a value so that different values, and a value and none, never look alike.
pub(super) fn canonical(column: &Column, row: usize, as_text: bool, out: &mut Vec<u8>) {
    if column.is_null(row) {
        out.push(0);
        return;
    }
    out.push(1);
    if as_text {
        let text = plain_text(column, row);
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    } else if let Some(number) = column.i64(row) {
        out.extend(number.to_le_bytes());
    } else if let Some(truth) = column.bool(row) {
        out.push(u8::from(truth));
    } else if let Some(bytes) = column.bytes(row) {
        out.extend((bytes.len() as u64).to_le_bytes());
        out.extend(bytes);
    } else if let Some(number) = column.f64(row) {
        out.extend(number.to_bits().to_le_bytes());
    }
}

/// A value as a database prints it.
fn plain_text(column: &Column, row: usize) -> String {
    let time = |text: String| {
        let text = text.replace('T', " ");
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    };
    match (column.column_type, column.i64(row)) {
        (ColumnType::TimestampCivil | ColumnType::TimestampUtc, Some(us))
            if infinity(us).is_some() =>
        {
            format_civil(us)
        }
        (ColumnType::TimestampCivil, Some(us)) => time(format_civil(us)),
        (ColumnType::TimestampUtc, Some(us)) => format!("{}+00", time(format_civil(us))),
        (_, Some(number)) => number.to_string(),
        (ColumnType::Bytes, None) => {
            let bytes = column.bytes(row).unwrap_or_default();
            format!("\\{}", &crate::rows::hex(bytes)[1..])
        }
        (_, None) => match (column.bool(row), column.bytes(row), column.f64(row)) {
            (Some(true), ..) => "t".to_owned(),
            (Some(false), ..) => "f".to_owned(),
            (_, Some(bytes), _) => String::from_utf8_lossy(bytes).into_owned(),
            // As an answer writes it: NaN and infinity are words in both.
            (.., Some(number)) if number.is_finite() => number.to_string(),
            (.., Some(number)) => f64_json(number).as_str().unwrap_or_default().to_owned(),
            _ => String::new(),
        },
    }
}

/// A value as an answer shows it; long ones are cut.
pub(super) fn shown(column: &Column, row: usize) -> Value {
    if column.is_null(row) {
        return Value::Null;
    }
    match (column.column_type, column.i64(row)) {
        (ColumnType::TimestampCivil, Some(us)) => format_civil(us).into(),
        (ColumnType::TimestampUtc, Some(us)) => format_utc(us).into(),
        (_, Some(number)) => number.into(),
        (ColumnType::Bytes, None) => {
            let bytes = column.bytes(row).unwrap_or_default();
            let text = crate::rows::hex(&bytes[..bytes.len().min(SHOWN_BYTES)]);
            match bytes.len() > SHOWN_BYTES {
                true => format!("{text}… ({} bytes)", bytes.len()).into(),
                false => text.into(),
            }
        }
        (_, None) => {
            if let Some(truth) = column.bool(row) {
                return truth.into();
            }
            if let Some(bytes) = column.bytes(row) {
                let text = String::from_utf8_lossy(bytes);
                return match text.char_indices().nth(SHOWN_CHARS) {
                    Some((cut, _)) => format!("{}… ({} bytes)", &text[..cut], bytes.len()).into(),
                    None => text.into_owned().into(),
                };
            }
            column.f64(row).map_or(Value::Null, f64_json)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(column_type: ColumnType, fill: impl FnOnce(&mut Column)) -> Column {
        let mut column = Column::new("c", column_type);
        fill(&mut column);
        column
    }

    #[test]
    fn nothing_looks_like_something_else() {
        let text = column(ColumnType::Text, |c| {
            c.push_null();
            c.push_text(b"");
            c.push_text(b"ab");
        });
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for row in 0..3 {
            let mut out = Vec::new();
            canonical(&text, row, false, &mut out);
            forms.push(out);
        }
        forms.sort();
        forms.dedup();
        assert_eq!(forms.len(), 3);
        // "ab" and "c" are not "a" and "bc".
        let digest = |one: &[u8], two: &[u8]| {
            let batch = Batch {
                columns: vec![
                    column(ColumnType::Text, |c| c.push_text(one)),
                    column(ColumnType::Text, |c| c.push_text(two)),
                ],
            };
            RowDigester::new(vec![false, false]).digest(&batch, &[Some(0), Some(1)], 0)
        };
        assert_ne!(digest(b"ab", b"c"), digest(b"a", b"bc"));
    }

    #[test]
    fn a_pasted_value_equals_a_dumped_one() {
        let pairs = [
            (column(ColumnType::Bool, |c| c.push_bool(true)), "t"),
            (column(ColumnType::I64, |c| c.push_i64(-7)), "-7"),
            (
                column(ColumnType::TimestampCivil, |c| {
                    c.push_i64(1_695_009_019_059_500)
                }),
                "2023-09-18 03:50:19.0595",
            ),
            (
                column(ColumnType::TimestampUtc, |c| {
                    c.push_i64(1_695_009_019_000_000)
                }),
                "2023-09-18 03:50:19+00",
            ),
            (
                column(ColumnType::TimestampUtc, |c| c.push_i64(i64::MIN)),
                "-infinity",
            ),
            (
                column(ColumnType::F64, |c| c.push_f64(f64::INFINITY)),
                "Infinity",
            ),
            (
                column(ColumnType::Bytes, |c| c.push_bytes(&[0, 255])),
                "\\x00ff",
            ),
        ];
        for (typed, text) in pairs {
            assert_eq!(plain_text(&typed, 0), text);
        }
    }

    #[test]
    fn long_values_are_cut() {
        let long = column(ColumnType::Text, |c| {
            c.push_text("é".repeat(200).as_bytes())
        });
        let text = shown(&long, 0);
        let text = text.as_str().unwrap();
        assert!(
            text.ends_with("… (400 bytes)") && text.starts_with("éé"),
            "{text}"
        );
        let bytes = column(ColumnType::Bytes, |c| c.push_bytes(&[7; 50]));
        assert!(
            shown(&bytes, 0)
                .as_str()
                .unwrap()
                .ends_with("07… (50 bytes)")
        );
    }
}
