//! What psql says between tables: settings, how long a query took. It is framing, and some of it says
//! how the tables below are written.

use super::{Document, query};

/// Lines psql prints when a setting changes, by their begins (English; in other languages they are
/// text around the tables). All end in a full stop, and are short.
const SAID: [&str; 14] = [
    "Expanded display is ",
    "Border style is ",
    "Line style is ",
    "Output format is ",
    "Null display is ",
    "Field separator is ",
    "Record separator is ",
    "Timing is ",
    "Tuples only is ",
    "Showing only tuples",
    "Pager usage is ",
    "Default footer is ",
    "Target width is ",
    "You are now connected to database ",
];

/// Longest of these lines.
const SAID_LIMIT: usize = 160;

/// Whether psql says this of its settings, or how long a query took: `Time: 1.234 ms`.
pub(super) fn is_said(text: &[u8]) -> bool {
    let begins = || SAID.iter().any(|begin| text.starts_with(begin.as_bytes()));
    let took = || {
        text.strip_prefix(b"Time: ").is_some_and(|time| {
            let digits = time
                .iter()
                .take_while(|b| b.is_ascii_digit() || **b == b'.');
            let digits = digits.count();
            digits > 0 && time[digits..].starts_with(b" ms")
        })
    };
    text.len() <= SAID_LIMIT && ((text.ends_with(b".") && begins()) || took())
}

impl Document<'_> {
    /// Takes a line of psql's own; returns the line behind it.
    pub(crate) fn said(&mut self, index: usize) -> Option<usize> {
        let line = self.line(index);
        let behind = query::prompt(line).map_or(0, |(_, length)| length.min(line.len()));
        let text = line[behind..].trim_ascii();
        match text.first()? {
            b'\\' => self.set(text)?,
            b'A'..=b'Z' => {
                if !is_said(text) {
                    return None;
                }
                if let Some(rest) = text.strip_prefix(b"Null display is \"")
                    && let Some(symbol) = rest.strip_suffix(b"\".")
                {
                    self.null = Some(symbol.to_vec());
                }
            }
            _ => return None,
        }
        self.framing(self.starts[index], self.starts[index + 1]);
        Some(index + 1)
    }

    /// Takes a command for psql itself; none is followed, but for what null is written as.
    fn set(&mut self, text: &[u8]) -> Option<()> {
        let mut words = text
            .split(|b| b.is_ascii_whitespace())
            .filter(|w| !w.is_empty());
        let command = words.next()?;
        match command {
            b"\\x" | b"\\a" | b"\\t" | b"\\timing" | b"\\q" | b"\\f" | b"\\C" | b"\\c"
            | b"\\connect" | b"\\H" => {}
            b"\\pset" => {
                if words.next() == Some(b"null") {
                    let symbol = words.next().unwrap_or_default();
                    let inner = symbol
                        .strip_prefix(b"'")
                        .and_then(|symbol| symbol.strip_suffix(b"'"));
                    self.null = Some(inner.unwrap_or(symbol).to_vec());
                }
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_psql_says_and_what_people_say() {
        for said in [
            "Expanded display is on.",
            "Null display is \"(null)\".",
            "Time: 12.5 ms",
            "Time: 61000.1 ms (01:01.000)",
        ] {
            assert!(is_said(said.as_bytes()), "{said}");
        }
        for prose in [
            "Time: around noon",
            "Time: 12:00 UTC",
            "Timing is everything",
            "Title is x.",
        ] {
            assert!(!is_said(prose.as_bytes()), "{prose}");
        }
    }
}
