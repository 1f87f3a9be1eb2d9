//! Which form of a dump a file begins with.

use crate::delimited::{self, Escapes};
use crate::facts::DumpKind;
use crate::psql::{self, Border, Rule};
use model::Encoding;

/// PostgreSQL allows 1,600 columns in a table and 1,664 in a query: more is no table.
pub(crate) const COLUMNS: usize = 1664;

/// How much of a file is looked at.
pub(crate) const HEAD: usize = 64 << 10;

/// In how many places a table without any frame is looked for.
const TRIES: usize = 16;

/// What Windows' tools put in front of UTF-8.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// Begins of lines that a plain `pg_dump` has and hardly anything else.
const PLAIN: [&[u8]; 8] = [
    b"-- PostgreSQL database dump",
    b"-- PostgreSQL database cluster dump",
    b"-- Dumped from database version",
    b"\\restrict ",
    b"SET statement_timeout",
    b"CREATE TABLE ",
    b"INSERT INTO ",
    b"COPY ",
];

/// Says which form of a dump this is, by its first bytes (64 KiB are enough); `None` if it is none
/// that this version reads.
pub fn sniff(head: &[u8]) -> Option<DumpKind> {
    match crate::wide::sniff(&head[..head.len().min(HEAD)]) {
        Some((_, kind)) => Some(kind),
        None => sniff_text(head),
    }
}

/// Says what a text may be that is no dump as far as this version can tell, and what would make it one. For texts of which
/// nothing else could be read either: a log may look like this.
pub fn doubtful(head: &[u8]) -> Option<&'static str> {
    let text = Encoding::detect(head).to_utf8(&head[..head.len().min(HEAD) & !1]);
    delimited::is_doubtful(&text).then_some(
        "looks like rows of a table without a header, but nothing shows whose: put a line with the columns' names in front \
         (id,nonce,…), or export with psql --csv or \\copy … CSV HEADER",
    )
}

/// Says in which encoding a dump is written that begins so: UTF-16, or else whatever its own text says.
pub fn encoding(head: &[u8]) -> Encoding {
    match crate::wide::sniff(&head[..head.len().min(HEAD)]) {
        Some((encoding, _)) => encoding,
        None => Encoding::Utf8,
    }
}

/// The same as [`sniff`], of bytes that are not UTF-16.
pub(crate) fn sniff_text(head: &[u8]) -> Option<DumpKind> {
    let head = &head[..head.len().min(HEAD)];
    if let Some(text) = head.strip_prefix(MARK) {
        return crate::wide::kind_of_text(text);
    }
    if let Some(kind) = crate::archive::sniff(head) {
        return Some(kind);
    }
    if let Some(document) = crate::documents::sniff(head) {
        return Some(document);
    }
    if crate::foreign::is_mysql(head) {
        return Some(DumpKind::PgDumpPlain);
    }
    // First of all: a cell of CSV may hold any line at all.
    if psql::pairs_begin(head) {
        return Some(DumpKind::PsqlExpanded);
    }
    if delimited::text_format(head).is_some() {
        return Some(DumpKind::CopyText);
    }
    if delimited::csv(head).is_some() {
        return Some(DumpKind::Delimited);
    }
    let mut previous: &[u8] = b"";
    let mut asked = None;
    // A sign that a log may have in passing, and how many lines may begin with a time all the same.
    let mut weak: Option<(DumpKind, u64)> = None;
    let mut stamped = 0;
    let (mut at, mut tries) = (0, 0);
    let zeros = memchr::memchr(0, head).is_some();
    let mut around = Around::default();
    // A dump's own line, in what may be a cell.
    let mut quoted = false;
    for (nth, line) in head.split(|&b| b == b'\n').enumerate() {
        if is_plain(line) {
            if !around.is_open() && weak.is_none() {
                return Some(DumpKind::PgDumpPlain);
            }
            quoted = true;
        }
        around.see(previous, line);
        if let Some(kind) = pasted(previous, line) {
            return Some(kind);
        }
        if weak.is_none() {
            weak = match psql::footer(line) {
                Some(rows) => footed(head, nth, rows).map(|kind| (kind, rows)),
                // What stands between NULs is a cell.
                None if zeros && asked.is_some() => None,
                None if psql::markup_begins(line) => Some((DumpKind::Markup, 0)),
                None if is_markdown(previous, line) => Some((DumpKind::Markup, 0)),
                None => None,
            };
        }
        if let Some((_, length)) = psql::prompt(line)
            && line[length..]
                .trim_ascii()
                .to_ascii_lowercase()
                .starts_with(b"select ")
        {
            asked = Some(DumpKind::PsqlAligned);
        }
        let begins = nth == 0 || previous.trim_ascii().is_empty() || previous.ends_with(b";");
        if weak.is_none() && begins && tries < TRIES && !line.trim_ascii().is_empty() {
            tries += 1;
            weak = psql::bare_begins(&head[at..]).map(|expanded| match expanded {
                true => (DumpKind::PsqlExpanded, 0),
                false => (DumpKind::PsqlUnaligned, 0),
            });
        }
        at += line.len() + 1;
        stamped += u64::from(is_stamped(line));
        previous = line;
    }
    // A log with a page or a table somewhere in it is read for its lines.
    weak.filter(|(_, allowed)| asked.is_some() || stamped <= *allowed)
        .map(|(kind, _)| kind)
        .or(asked)
        // It is refused there, with a word on how to print it.
        .or((quoted && around.footed).then_some(DumpKind::PsqlUnaligned))
        .or_else(|| {
            let dialect = delimited::recognise(head)?;
            Some(match dialect.escapes {
                Escapes::Backslashes => DumpKind::CopyText,
                Escapes::Quotes | Escapes::Nothing => DumpKind::Delimited,
            })
        })
        .or_else(|| psql::is_tab_rows(head).then_some(DumpKind::PsqlUnaligned))
        .or_else(|| {
            Some(match psql::bar_rows(head)? {
                psql::Barred::Aligned => DumpKind::PsqlAligned,
                psql::Barred::Unaligned => DumpKind::PsqlUnaligned,
            })
        })
        // It is refused there, with a word on what to do.
        .or_else(|| crate::foreign::named(head).map(|_| DumpKind::PgDumpPlain))
}

/// Whether a line is one that a plain `pg_dump` has and hardly anything else.
fn is_plain(line: &[u8]) -> bool {
    match line.starts_with(b"COPY ") {
        true => memchr::memmem::find(line, b" FROM stdin").is_some(),
        false => PLAIN.iter().any(|sign| line.starts_with(sign)),
    }
}

/// What stands in front of a line: where a table may be open whose cells go on in lines of their own (psql without
/// alignment or border, a quoted field of CSV), a cell may hold any line at all, also one of a dump.
#[derive(Default)]
struct Around {
    /// A line that may be the header of such a table.
    header: bool,
    /// A line with a sign between two cells and no blank around it.
    cells: bool,
    /// A line with tabs, and no end mark behind it: the end of a dump's rows has one.
    tabs: bool,
    /// An odd number of quotes.
    quote: bool,
    /// A count of rows behind such a header.
    footed: bool,
}

impl Around {
    fn is_open(&self) -> bool {
        self.header || self.cells || self.tabs || self.quote
    }

    fn see(&mut self, previous: &[u8], line: &[u8]) {
        let text = line.trim_ascii_end();
        // Statements and comments of a dump are none of these.
        let sql = text.starts_with(b"--") || text.starts_with(b"\\") || text.ends_with(b";");
        let begins = previous.trim_ascii().is_empty() || previous.trim_ascii_end().ends_with(b";");
        let ruled = !previous.trim_ascii().is_empty()
            && !previous.starts_with(b"--")
            && text.len() > 2
            && Rule::read(line).is_some();
        self.header |= ruled || (!sql && psql::is_tight_header(text, begins));
        let tight = |at: usize| {
            let inner = at > 0 && at + 1 < text.len();
            inner && !text[at - 1].is_ascii_whitespace() && !text[at + 1].is_ascii_whitespace()
        };
        let parted = |sign: u8| memchr::memchr_iter(sign, text).any(tight);
        self.cells |= !sql && !is_stamped(text) && (parted(b'|') || parted(b','));
        self.tabs =
            (self.tabs || (!sql && !is_stamped(text) && text.contains(&b'\t'))) && text != b"\\.";
        if self.header || self.cells {
            self.footed |= psql::footer(line).is_some_and(|rows| rows > 0);
        }
        self.quote ^= memchr::memchr_iter(b'"', line).count() % 2 == 1;
    }
}

/// Says which form of a pasted table a line belongs to, if it is one that nothing but a table has.
fn pasted(previous: &[u8], line: &[u8]) -> Option<DumpKind> {
    if let Some(rule) = Rule::read(line) {
        let bars = match rule.boxed {
            true => memchr::memmem::find_iter(previous, "│").count(),
            false => memchr::memchr_iter(b'|', previous).count(),
        };
        let columns = rule.runs.len();
        let fits = match rule.border {
            Border::Full => bars == columns + 1 || (rule.boxed && columns > 1),
            Border::Inner => columns > 1 && bars == columns - 1,
            // Blanks prove nothing: the footer will.
            Border::None => false,
        };
        if fits {
            return Some(DumpKind::PsqlAligned);
        }
    }
    if glued_rule(line).is_some() {
        return Some(DumpKind::PsqlGlued);
    }
    if let Some(head) = psql::record_head(line) {
        // Without a border it looks like a list, but for the blanks psql fills the line with.
        if head.border != Border::None || line.ends_with(b" ") {
            return Some(DumpKind::PsqlExpanded);
        }
    }
    None
}

/// Says which table a footer (line `nth`) closes, if its header or rule is found above it.
fn footed(head: &[u8], nth: usize, rows: u64) -> Option<DumpKind> {
    let lines: Vec<&[u8]> = head
        .split(|&b| b == b'\n')
        .take(nth)
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .collect();
    let nearest = nth.checked_sub(usize::try_from(rows).ok()?)?;
    let reach = nearest.saturating_sub(200);
    let above = lines.get(reach..nearest)?;
    if above.iter().any(|line| Rule::read(line).is_some()) {
        return Some(DumpKind::PsqlAligned);
    }
    let header = above.iter().rev().find_map(|line| psql::separator(line))?;
    let cells = rows == 0 || memchr::memmem::find(lines.last()?, header).is_some();
    cells.then_some(DumpKind::PsqlUnaligned)
}

/// Whether a line begins with a time, as lines of logs do.
fn is_stamped(line: &[u8]) -> bool {
    let text = line.trim_ascii_start();
    let text = text.strip_prefix(b"[").unwrap_or(text);
    let date = text.get(..10).is_some_and(|date| {
        date.iter().enumerate().all(|(at, b)| match at {
            4 | 7 => matches!(b, b'-' | b'/'),
            _ => b.is_ascii_digit(),
        })
    });
    let clock = text.get(..8).is_some_and(|clock| {
        clock.iter().enumerate().all(|(at, b)| match at {
            2 | 5 => *b == b':',
            _ => b.is_ascii_digit(),
        })
    });
    date || clock
}

fn is_markdown(previous: &[u8], line: &[u8]) -> bool {
    psql::markdown_rule(line).is_some_and(|columns| {
        let bars = memchr::memchr_iter(b'|', previous).count();
        bars == columns + 1 || (columns > 1 && bars == columns - 1)
    })
}

/// Finds a rule of several columns inside a line, blanks around it and a `|` before: a table that was
/// put on one line. Returns its range.
pub(crate) fn glued_rule(line: &[u8]) -> Option<std::ops::Range<usize>> {
    let mut from = 0;
    // Counted as we go: a hostile line must not be counted from its begin again and again.
    let (mut bars, mut counted) = (0, 0);
    while let Some(at) = memchr::memmem::find(&line[from..], b"-+-") {
        let at = from + at;
        let start = line[..at]
            .iter()
            .rposition(|b| !matches!(b, b'-' | b'+'))
            .map_or(0, |p| p + 1);
        let end = line[at..]
            .iter()
            .position(|b| !matches!(b, b'-' | b'+'))
            .map_or(line.len(), |p| at + p);
        let alone =
            start > 0 && line[start - 1] == b' ' && line.get(end).is_none_or(|&b| b == b' ');
        bars += memchr::memchr_iter(b'|', &line[counted..start.max(counted)]).count();
        counted = start.max(counted);
        if alone
            && let Some(rule) = Rule::read(&line[start..end])
            && bars >= rule.runs.len() - 1
            && end < line.len()
        {
            return Some(start..end);
        }
        from = end;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_apart() {
        assert_eq!(
            sniff(b"--\n-- PostgreSQL database dump\n--\n"),
            Some(DumpKind::PgDumpPlain)
        );
        assert_eq!(
            sniff(b"COPY t (a) FROM stdin;\n1\n"),
            Some(DumpKind::PgDumpPlain)
        );
        assert_eq!(
            sniff(b"hello\n a | b \n---+---\n 1 | 2\n"),
            Some(DumpKind::PsqlAligned)
        );
        assert_eq!(
            sniff(b"text\nnumber | is_finished --------+------------- 7670 | t\n"),
            Some(DumpKind::PsqlGlued)
        );
        assert_eq!(
            sniff(b"PGDMP\x01\x0e\x00\x04\x08\x01"),
            Some(DumpKind::PgDumpCustom)
        );
        for (text, kind) in [
            ("-[ RECORD 1 ]-\na | 1\n", DumpKind::PsqlExpanded),
            (
                "┌───┬───┐\n│ a │ b │\n├───┼───┤\n│ 1 │ 2 │\n└───┴───┘\n",
                DumpKind::PsqlAligned,
            ),
            ("a|b\n1|2\n(1 row)\n", DumpKind::PsqlUnaligned),
            ("a;b\n1;2\n(1 row)\n", DumpKind::PsqlUnaligned),
            (
                "# Draft\n\n| batch | commit |\n|---|---|\n| 1 | 2 |\n",
                DumpKind::Markup,
            ),
            ("x\n<table border=\"1\">\n", DumpKind::Markup),
            ("id,b\n1,2\n", DumpKind::Delimited),
            ("1\t\\N\n", DumpKind::CopyText),
            ("7670\tt\t41073\n", DumpKind::PsqlUnaligned),
            (" 7670 | t\n 7671 | f\n\n", DumpKind::PsqlAligned),
            ("7670|t\n7671|f\n", DumpKind::PsqlUnaligned),
        ] {
            assert_eq!(sniff(text.as_bytes()), Some(kind), "{text}");
        }
        for other in [
            &b"| a | b |\n|---|---|\n2020-08-14 17:31:02 INFO x\n"[..],
            b"[17:31:02] INFO x\n<table border=\"1\">\n<tr><th>a</th></tr></table>\n",
            b"2020-08-14T17:31:02Z INFO x\na|b\n1|2\n(1 row)\n2020-08-14T17:31:03Z INFO y\n",
            b"2020-08-14T17:31:02Z\tINFO\tx\n",
            b"* Record 1\n* Record 2\n",
            &b"[2020-08-14 17:31:02]  WARN roughtime: x offset=4h\n"[..],
            b"COPY that, we are on it\n",
            b"",
        ] {
            assert_eq!(sniff(other), None);
        }
    }
}
