//! HTML tables, as `psql -H` writes them (with `\x` too) and as web pages have them.

use super::{Row, from_records, names, numbered};
use crate::psql::Document;
use crate::psql::aligned::footer;

/// Longest name of an entity, and longest tag that is looked at.
const TAG_LIMIT: usize = 4 << 10;

/// Whether a line begins a table.
pub(super) fn begins(text: &[u8]) -> bool {
    let behind = text
        .get(..6)
        .is_some_and(|tag| tag.eq_ignore_ascii_case(b"<table"));
    behind && matches!(text.get(6), Some(b'>' | b' ' | b'\t') | None)
}

/// A tag: its name in lower case, whether it closes, and where the text behind it begins.
struct Tag<'t> {
    name: &'t [u8],
    closes: bool,
    start: usize,
    end: usize,
    attributes: &'t [u8],
}

/// Finds the next tag from `at` on.
fn next_tag(text: &[u8], mut at: usize) -> Option<Tag<'_>> {
    loop {
        at += memchr::memchr(b'<', &text[at..])?;
        let reach = &text[at..text.len().min(at + TAG_LIMIT)];
        let closes = reach.get(1) == Some(&b'/');
        let from = 1 + usize::from(closes);
        let length = reach[from.min(reach.len())..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric())
            .count();
        if let (true, Some(end)) = (length > 0, memchr::memchr(b'>', reach)) {
            return Some(Tag {
                name: &reach[from..from + length],
                closes,
                start: at,
                end: at + end + 1,
                attributes: &reach[(from + length).min(end)..end],
            });
        }
        at += 1;
    }
}

impl Tag<'_> {
    fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// A cell, and whether it is a heading.
struct Cell {
    text: Option<Vec<u8>>,
    heading: bool,
    spans: bool,
}

/// Resolves tags and entities of a cell.
fn cell_text(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    // Blanks and line feeds in front are the page's, not the value's; `&nbsp;` is the value's.
    let mut rest = text.trim_ascii_start();
    let mut broken = false;
    while let Some(&byte) = rest.first() {
        let behind = match byte {
            b'<' => next_tag(rest, 0).filter(|tag| tag.start == 0).map(|tag| {
                if tag.is(b"br") {
                    out.push(b'\n');
                    broken = true;
                }
                let behind = &rest[tag.end..];
                match tag.is(b"br") {
                    true => behind.strip_prefix(b"\n").unwrap_or(behind),
                    false => behind,
                }
            }),
            b'&' => entity(rest, &mut out),
            _ => None,
        };
        rest = match behind {
            Some(behind) => behind,
            None => {
                out.push(byte);
                &rest[1..]
            }
        };
    }
    let blanks = match broken {
        true => out.iter().rev().take_while(|b| **b == b' ').count(),
        false => out.len() - out.trim_ascii_end().len(),
    };
    out.truncate(out.len() - blanks);
    (!out.trim_ascii().is_empty() || out.contains(&b'\n')).then_some(out)
}

/// Resolves the entity at the front; returns what is behind it.
fn entity<'t>(text: &'t [u8], out: &mut Vec<u8>) -> Option<&'t [u8]> {
    let end = memchr::memchr(b';', &text[..text.len().min(12)])?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let c = match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    };
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    Some(&text[end + 1..])
}

/// A row: its cells, and its span.
type Cells = (Vec<Cell>, usize, usize);

/// Reads the rows of a table.
fn rows(text: &[u8]) -> Vec<Cells> {
    let mut rows: Vec<Cells> = Vec::new();
    let mut open: Option<(usize, bool, bool)> = None;
    let mut row: Option<(Vec<Cell>, usize)> = None;
    let mut at = 0;
    while let Some(tag) = next_tag(text, at) {
        at = tag.end;
        let is_cell = tag.is(b"td") || tag.is(b"th");
        if let Some((from, heading, spans)) = open
            && (is_cell || tag.is(b"tr"))
        {
            if let Some((cells, _)) = &mut row {
                cells.push(Cell {
                    text: cell_text(&text[from..tag.start]),
                    heading,
                    spans,
                });
            }
            open = None;
        }
        if is_cell && !tag.closes {
            let spans = memchr::memmem::find(tag.attributes, b"colspan").is_some();
            open = Some((tag.end, tag.is(b"th"), spans));
        } else if tag.is(b"tr") {
            if let Some((cells, start)) = row.take() {
                let end = if tag.closes { tag.end } else { tag.start };
                rows.push((cells, start, end));
            }
            if !tag.closes {
                row = Some((Vec::new(), tag.start));
            }
        }
    }
    rows
}

impl Document<'_> {
    /// Reads the table that begins at a line.
    pub(super) fn html(&mut self, index: usize) -> Option<usize> {
        let start = self.starts[index];
        // Lower case or upper case, as psql or as old pages write it.
        let end = [&b"</table>"[..], b"</TABLE>"]
            .iter()
            .filter_map(|tag| memchr::memmem::find(&self.text[start..], tag))
            .min()?
            + start
            + b"</table>".len();
        let rows = rows(&self.text[start..end]);
        let is_record = |(cells, _, _): &Cells| matches!(cells.as_slice(), [name, value] if name.heading && !value.heading);
        let place = |(_, from, to): &Cells| (start + from, start + to);
        let records = rows.iter().any(is_record);
        let (columns, rows) = if records {
            let mut records: Vec<(Vec<String>, Row)> = Vec::new();
            for row in &rows {
                let (from, to) = place(row);
                match row.0.as_slice() {
                    [title] if title.spans => records.push((
                        Vec::new(),
                        Row {
                            cells: Vec::new(),
                            start: from,
                            end: to,
                        },
                    )),
                    [name, value] if name.heading => {
                        if records.is_empty() {
                            return None;
                        }
                        let (names, row) = records.last_mut()?;
                        names.push(String::from_utf8_lossy(name.text.as_deref()?).into_owned());
                        row.cells.push(value.text.clone());
                        row.end = to;
                    }
                    _ => return None,
                }
            }
            from_records(records)?
        } else {
            let headed = rows
                .first()
                .is_some_and(|(cells, _, _)| cells.iter().all(|cell| cell.heading));
            let texts = |row: &Cells| -> Vec<Option<Vec<u8>>> {
                row.0.iter().map(|c| c.text.clone()).collect()
            };
            let columns = match rows.first() {
                Some(first) if headed => names(&texts(first))?,
                Some(first) => numbered(first.0.len()),
                None => return None,
            };
            let body = rows.iter().skip(usize::from(headed)).map(|row| {
                let (start, end) = place(row);
                Row {
                    cells: texts(row),
                    start,
                    end,
                }
            });
            (columns, body.collect())
        };
        let mut next = self.line_of(end) as usize;
        let stop = self.starts[next.min(self.lines())].max(end);
        self.table(start, end, columns, rows);
        if self.text[end..stop].trim_ascii().is_empty() {
            self.framing(end, stop);
            self.loose_from = stop;
        }
        // `<p>(1 row)<br />` and `</p>`.
        if next < self.lines()
            && let Some(text) = self.line(next).strip_prefix(b"<p>")
            && let Some(text) = text.strip_suffix(b"<br />")
            && let Some(count) = footer(text)
        {
            let found = self
                .pastes
                .last()
                .map_or(0, |p| p.rows.len() as u64 + p.damaged);
            self.counted(next, count, found);
            next += 1;
            if next < self.lines() && self.line(next) == b"</p>" {
                self.framing(self.starts[next], self.starts[next + 1]);
                next += 1;
            }
            self.loose_from = self.starts[next];
        }
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_cells() {
        let text = |html: &str| cell_text(html.as_bytes()).map(|t| String::from_utf8(t).unwrap());
        assert_eq!(
            text("a &lt;b&gt; &amp;amp; &#39;&#x41;").as_deref(),
            Some("a <b> &amp; 'A")
        );
        assert_eq!(
            text("one<br />\ntwo<br />\n").as_deref(),
            Some("one\ntwo\n")
        );
        assert_eq!(text("&nbsp;&nbsp;lead  ").as_deref(), Some("  lead"));
        assert_eq!(text("&nbsp; "), None);
        assert_eq!(text(" <code>x</code>\n ").as_deref(), Some("x"));
        assert_eq!(text("1 < 2 & 3").as_deref(), Some("1 < 2 & 3"));
    }
}
