//! LaTeX tables of `psql` (format `latex`); `latex-longtable` is named, not read.

use super::{Row, names};
use crate::facts::Trouble;
use crate::psql::Document;
use crate::psql::aligned::footer;

/// How psql writes characters that mean something to LaTeX.
const ESCAPES: [(&[u8], u8); 18] = [
    (b"\\textbackslash{}", b'\\'),
    (b"\\textbar{}", b'|'),
    (b"\\textless{}", b'<'),
    (b"\\textgreater{}", b'>'),
    (b"\\textquotedbl{}", b'"'),
    (b"\\textasciitilde{}", b'~'),
    (b"\\textasciicircum{}", b'^'),
    (b"\\^{}", b'^'),
    (b"\\~{}", b'~'),
    (b"\\#", b'#'),
    (b"\\$", b'$'),
    (b"\\%", b'%'),
    (b"\\&", b'&'),
    (b"\\_", b'_'),
    (b"\\{", b'{'),
    (b"\\}", b'}'),
    (b"\\slash", b'/'),
    (b"\\\\", b'\n'),
];

/// Whether a line begins a table.
pub(super) fn begins(text: &[u8]) -> bool {
    text.starts_with(b"\\begin{tabular}") || text.starts_with(b"\\begin{longtable}")
}

/// Resolves what psql escaped.
fn value(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        let escape = (byte == b'\\')
            .then(|| ESCAPES.iter().find(|(escape, _)| rest.starts_with(escape)))
            .flatten();
        match escape {
            Some((escape, meant)) => {
                out.push(*meant);
                rest = &rest[escape.len()..];
            }
            None => {
                out.push(byte);
                rest = &rest[1..];
            }
        }
    }
    let blanks = out.iter().rev().take_while(|b| **b == b' ').count();
    out.truncate(out.len() - blanks);
    (!out.is_empty()).then_some(out)
}

/// Cuts a line at its ` & `; an `&` inside of a cell is escaped.
fn cells(line: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut cells = Vec::new();
    let mut from = 0;
    for at in memchr::memmem::find_iter(line, b"& ") {
        if at > 0 && line[at - 1] == b'\\' {
            // Escaped, unless the backslash is the second of a line break's.
            let slashes = line[..at].iter().rev().take_while(|b| **b == b'\\').count();
            if slashes % 2 == 1 {
                continue;
            }
        }
        let text = &line[from..at];
        cells.push(value(text.strip_suffix(b" ").unwrap_or(text)));
        from = at + 2;
    }
    cells.push(value(&line[from..]));
    cells
}

/// Takes `\textit{…}` off a heading.
fn heading(cell: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let text = cell?;
    let inner = text
        .strip_prefix(b"\\textit{")
        .and_then(|text| text.strip_suffix(b"}"));
    Some(inner.map_or_else(|| text.clone(), <[u8]>::to_vec))
}

impl Document<'_> {
    /// Reads the table that begins at a line.
    pub(super) fn latex(&mut self, index: usize) -> Option<usize> {
        let long = self
            .line(index)
            .trim_ascii()
            .starts_with(b"\\begin{longtable}");
        let mark: &[u8] = if long {
            b"\\end{longtable}"
        } else {
            b"\\end{tabular}"
        };
        let end = self.find_line(index, |line| line == mark)?;
        let (start, stop) = (self.starts[index], self.starts[end + 1]);
        if long {
            let what = "a table as LaTeX (psql's format latex-longtable), which is not read: \
                        print it with \\pset format csv";
            self.reject(start, stop, Trouble::Unsupported, what);
            self.loose_from = stop;
            return Some(end + 1);
        }
        let row_end = |line: usize| self.line(line).strip_suffix(b" \\\\");
        let mut at = index + 1;
        let mut header = None;
        let mut rows = Vec::new();
        while at < end {
            match row_end(at) {
                Some(text) if header.is_none() => {
                    let cells: Vec<_> = cells(text).into_iter().map(heading).collect();
                    header = Some(names(&cells)?);
                }
                Some(text) => rows.push(Row {
                    cells: cells(text),
                    start: self.starts[at],
                    end: self.starts[at + 1],
                }),
                None => {}
            }
            at += 1;
        }
        self.table(start, stop, header?, rows);
        let mut next = end + 1;
        let counted = (next + 1 < self.lines())
            .then(|| {
                let line = self.line(next + 1).strip_prefix(b"\\noindent ")?;
                footer(line.strip_suffix(b" \\\\")?)
            })
            .flatten();
        if let Some(count) = counted {
            let found = self
                .pastes
                .last()
                .map_or(0, |p| p.rows.len() as u64 + p.damaged);
            self.framing(self.starts[next], self.starts[next + 1]);
            self.counted(next + 1, count, found);
            next += 2;
            self.loose_from = self.starts[next];
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_a_line() {
        let shown = |line: &str| -> Vec<String> {
            cells(line.as_bytes())
                .into_iter()
                .map(|cell| String::from_utf8(cell.unwrap_or_default()).unwrap())
                .collect()
        };
        assert_eq!(
            shown("1 & a\\&b &  & \\textbackslash{}x0f"),
            ["1", "a&b", "", "\\x0f"]
        );
        assert_eq!(shown("one\\\\two & 2"), ["one\ntwo", "2"]);
        assert_eq!(shown("end\\\\ & 2"), ["end\n", "2"]);
    }
}
