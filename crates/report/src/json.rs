//! JSON as machines get it: one line, nothing in it that a terminal would obey.

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use std::io;

/// Compact JSON in which C1 controls, DEL and direction overrides are written as `\u` escapes too
/// (serde_json escapes only what JSON demands); lossless, and harmless on a terminal.
struct Careful;

fn risky(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

impl Formatter for Careful {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // 0x7f, or a lead byte of the ranges above: rare in logs, so this test is nearly free.
        if !fragment
            .bytes()
            .any(|b| matches!(b, 0x7f | 0xc2 | 0xe2 | 0xef))
        {
            return writer.write_all(fragment.as_bytes());
        }
        let mut from = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| risky(*c)) {
            writer.write_all(&fragment.as_bytes()[from..at])?;
            write!(writer, "\\u{:04x}", c as u32)?;
            from = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[from..])
    }
}

/// Writes a value as one line without the line feed.
///
/// # Errors
/// If writing fails.
pub fn write_json(value: &Value, out: &mut (impl io::Write + ?Sized)) -> io::Result<()> {
    value
        .serialize(&mut Serializer::with_formatter(out, Careful))
        .map_err(io::Error::from)
}

/// Returns a value as one line without the line feed.
///
/// ```
/// assert_eq!(report::to_json_line(&serde_json::json!({"a": "\u{9b}"})), r#"{"a":"\u009b"}"#);
/// ```
pub fn to_json_line(value: &Value) -> String {
    let mut out = Vec::new();
    write_json(value, &mut out).expect("writing to memory does not fail");
    String::from_utf8(out).expect("JSON is UTF-8")
}
