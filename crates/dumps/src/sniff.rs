//! Which form of a dump a file begins with.

use crate::facts::DumpKind;
use crate::psql::prompt;

/// PostgreSQL allows 1,600 columns in a table and 1,664 in a query: more is no table.
pub(crate) const COLUMNS: usize = 1664;

/// How much of a file is looked at.
pub(crate) const HEAD: usize = 64 << 10;

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
    let head = &head[..head.len().min(HEAD)];
    if let Some(kind) = crate::archive::sniff(head) {
        return Some(kind);
    }
    if let Some(document) = crate::documents::sniff(head) {
        return Some(document);
    }
    let mut previous: &[u8] = b"";
    let mut asked = None;
    for line in head.split(|&b| b == b'\n') {
        if line.starts_with(b"COPY ") {
            if memchr::memmem::find(line, b" FROM stdin").is_some() {
                return Some(DumpKind::PgDumpPlain);
            }
        } else if PLAIN.iter().any(|sign| line.starts_with(sign)) {
            return Some(DumpKind::PgDumpPlain);
        }
        let pipes = previous.iter().filter(|&&b| b == b'|').count();
        if let Some(runs) = rule(line.trim_ascii())
            && runs.len() >= 2
            && (pipes == runs.len() - 1 || pipes == runs.len() + 1)
        {
            return Some(DumpKind::PsqlAligned);
        }
        if glued_rule(line).is_some() {
            return Some(DumpKind::PsqlGlued);
        }
        if line.trim_ascii().starts_with(b"-[ RECORD ")
            || memchr::memmem::find(line, "─┼─".as_bytes()).is_some()
        {
            // Not read yet, but recognised: so that it can be said.
            return Some(DumpKind::PsqlAligned);
        }
        if let Some((_, length)) = prompt(line)
            && line[length..]
                .trim_ascii()
                .to_ascii_lowercase()
                .starts_with(b"select ")
        {
            asked = Some(DumpKind::PsqlAligned);
        }
        previous = line;
    }
    asked
}

/// Reads the rule under a table's header, `--------+-----`: the lengths of its runs of dashes. With
/// a border on both sides (`+---+---+`) the outer marks are left out.
pub(crate) fn rule(line: &[u8]) -> Option<Vec<usize>> {
    let inner = match line {
        [b'+', inner @ .., b'+'] => inner,
        _ => line,
    };
    if inner.len() < 3
        || !inner.starts_with(b"--")
        || !inner.iter().all(|b| matches!(b, b'-' | b'+'))
    {
        return None;
    }
    let runs: Vec<usize> = inner.split(|&b| b == b'+').map(<[u8]>::len).collect();
    (runs.len() <= COLUMNS && runs.iter().all(|&run| run >= 2)).then_some(runs)
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
            && let Some(runs) = rule(&line[start..end])
            && bars >= runs.len() - 1
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
        for other in [
            &b"[2020-08-14 17:31:02]  WARN roughtime: x offset=4h\n"[..],
            b"COPY that, we are on it\n",
            b"a | b\n---|---\n1 | 2\n",
            b"",
        ] {
            assert_eq!(sniff(other), None);
        }
    }
}
