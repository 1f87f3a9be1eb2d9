//! Markdown tables (GitHub's flavour), as postmortem drafts, issues and chats have them:
//! `| a | b |`, a rule `|---|:-:|`, rows. Inside of cells `\|` is a bar.

use super::{Row, names};
use crate::psql::Document;
use crate::sniff::COLUMNS;

/// Reads the rule under a Markdown table's header: how many columns it has.
pub(crate) fn rule(line: &[u8]) -> Option<usize> {
    let text = line.trim_ascii();
    if !matches!(text.first()?, b'|' | b'-' | b':') || !text.contains(&b'|') {
        return None;
    }
    let cells = split(text);
    let dashed = |cell: &&[u8]| {
        let cell = cell.trim_ascii();
        let cell = cell.strip_prefix(b":").unwrap_or(cell);
        let cell = cell.strip_suffix(b":").unwrap_or(cell);
        !cell.is_empty() && cell.iter().all(|b| *b == b'-')
    };
    (cells.len() <= COLUMNS && cells.iter().all(dashed)).then_some(cells.len())
}

/// Cuts a line at bars without a backslash before them, outer bars off.
fn split(text: &[u8]) -> Vec<&[u8]> {
    let text = text.strip_prefix(b"|").unwrap_or(text);
    let mut cells = Vec::new();
    let mut from = 0;
    for at in memchr::memchr_iter(b'|', text) {
        if at == 0 || text[at - 1] != b'\\' {
            cells.push(&text[from..at]);
            from = at + 1;
        }
    }
    if from < text.len() {
        cells.push(&text[from..]);
    }
    cells
}

/// Takes Markdown's own marks off a cell: code, bold, escapes, line breaks.
fn value(cell: &[u8]) -> Option<Vec<u8>> {
    let mut text = cell.trim_ascii();
    for mark in [&b"**"[..], b"__"] {
        if let Some(inner) = text.strip_prefix(mark).and_then(|t| t.strip_suffix(mark)) {
            text = inner;
        }
    }
    let code = text
        .strip_prefix(b"`")
        .and_then(|text| text.strip_suffix(b"`"));
    let code = code.filter(|code| !code.contains(&b'`'));
    let mut out = Vec::with_capacity(text.len());
    let mut rest = code.unwrap_or(text);
    while let Some(&byte) = rest.first() {
        let escaped = rest.get(1).filter(|next| {
            byte == b'\\' && (**next == b'|' || (code.is_none() && next.is_ascii_punctuation()))
        });
        let broken = [&b"<br>"[..], b"<br/>", b"<br />"]
            .into_iter()
            .find(|tag| code.is_none() && rest.starts_with(tag));
        match (escaped, broken) {
            (Some(next), _) => {
                out.push(*next);
                rest = &rest[2..];
            }
            (None, Some(tag)) => {
                out.push(b'\n');
                rest = &rest[tag.len()..];
            }
            (None, None) => {
                out.push(byte);
                rest = &rest[1..];
            }
        }
    }
    (!out.is_empty()).then_some(out)
}

impl Document<'_> {
    /// Reads the table whose header stands at a line.
    pub(in crate::psql) fn markdown(&mut self, index: usize) -> Option<usize> {
        if index + 1 >= self.lines() {
            return None;
        }
        let count = rule(self.line(index + 1))?;
        let cells = |at: usize| -> Vec<Option<Vec<u8>>> {
            split(self.line(at).trim_ascii())
                .into_iter()
                .map(value)
                .collect()
        };
        let columns = names(&cells(index)).filter(|columns| columns.len() == count)?;
        let mut end = index + 2;
        let mut rows = Vec::new();
        while end < self.lines() && self.line(end).contains(&b'|') {
            let mut found = cells(end);
            // Markdown lets cells at the end of a row be left out.
            if found.len() < count {
                found.resize(count, None);
            }
            rows.push(Row {
                cells: found,
                start: self.starts[end],
                end: self.starts[end + 1],
            });
            end += 1;
        }
        self.table(self.starts[index], self.starts[end], columns, rows);
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        for (line, expected) in [
            ("|---|---|", Some(2)),
            ("| :-- | --: | :-: |", Some(3)),
            ("--- | ---", Some(2)),
            ("---+---", None),
            ("| a | b |", None),
            ("----", None),
        ] {
            assert_eq!(rule(line.as_bytes()), expected, "{line}");
        }
    }

    #[test]
    fn cells() {
        let shown = |cell: &str| value(cell.as_bytes()).map(|v| String::from_utf8(v).unwrap());
        assert_eq!(shown(" `\\x0b\\|` ").as_deref(), Some("\\x0b|"));
        assert_eq!(
            shown("a\\|b\\_c\\x0f<br>x").as_deref(),
            Some("a|b_c\\x0f\nx")
        );
        assert_eq!(shown("**bold**").as_deref(), Some("bold"));
        assert_eq!(shown("  "), None);
    }
}
