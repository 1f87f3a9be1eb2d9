//! Comma separated values (RFC 4180), safe to open in a spreadsheet.

use crate::Zone;
use model::Cell;
use std::io::{self, Write};

/// Returns a text as a CSV cell: quoted where needed, control characters other than tab and line
/// feed shown as escapes, and a leading `'` put before what a spreadsheet would run as a formula.
///
/// ```
/// assert_eq!(report::csv_cell("=HYPERLINK(\"x\")"), "\"'=HYPERLINK(\"\"x\"\")\"");
/// assert_eq!(report::csv_cell("-3.5"), "-3.5");
/// ```
pub fn csv_cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let first = text.trim_start_matches([' ', '\u{feff}']).chars().next();
    let formula = matches!(
        first,
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '|' | '＝' | '＋' | '－' | '＠')
    );
    if formula && text.parse::<f64>().is_err() {
        out.push('\'');
    }
    for part in text.split_inclusive(['\n', '\t']) {
        let (body, end) = match part.char_indices().last() {
            Some((at, c @ ('\n' | '\t'))) => (&part[..at], Some(c)),
            _ => (part, None),
        };
        out.push_str(&crate::terminal(body));
        out.extend(end);
    }
    if out.contains([',', '"', '\n', '\t', '\r']) || out.starts_with(' ') || out.ends_with(' ') {
        return format!("\"{}\"", out.replace('"', "\"\""));
    }
    out
}

/// Returns a cell's text in CSV and Markdown: JSON's forms, times in `zone`.
pub(crate) fn cell_text(cell: &Cell, zone: Option<&Zone>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Utc(us) => zone.map_or_else(|| model::time::format_utc(*us), |zone| zone.show(*us)),
        Cell::Json(serde_json::Value::String(text)) => text.clone(),
        Cell::Json(value) => crate::to_json_line(value),
        other => match other.to_json() {
            serde_json::Value::String(text) => text,
            value => value.to_string(),
        },
    }
}

/// Writes one row.
pub(crate) fn write_row(
    cells: impl Iterator<Item = String>,
    out: &mut (impl Write + ?Sized),
) -> io::Result<()> {
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(csv_cell(&cell).as_bytes())?;
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_neutralised_and_numbers_kept() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-12", "-12"),
            ("-04:00", "'-04:00"),
            ("a,b", "\"a,b\""),
            ("x\u{1b}[0m", "x\\x1b[0m"),
            ("two\nlines", "\"two\nlines\""),
            ("\tx", "\"'\tx\""),
            ("", ""),
        ] {
            assert_eq!(csv_cell(text), cell, "{text:?}");
        }
    }
}
