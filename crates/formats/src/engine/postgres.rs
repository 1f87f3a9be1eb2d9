//! PostgreSQL's own server log.
//!
//! * Text: `<log_line_prefix>LOG:  message`. The prefix is the operator's; it is read if it begins with the
//!   time (`%m` or `%t`, as every default does) or if it is empty: `2023-09-18 03:50:19.059 UTC [1234] `,
//!   `… UTC [1234] user@db `, `… UTC [1234]: user=u,db=d,app=a,client=h `, `… UTC:10.0.0.7(5432):user@db:[1234]:`.
//!   The zone is an abbreviation of `log_timezone`; only UTC, GMT and numeric ones tell an offset.
//! * `DETAIL:`, `HINT:`, `STATEMENT:` … come as lines of their own with the same prefix, right after the line
//!   they belong to: they become its fields. Later lines of a text begin with a tab.
//! * csvlog: the fixed columns of the documentation, quotes doubled, line feeds inside quotes.

use super::{Head, Rules, Shape};
use crate::scan::{Signs, is_word, near, near2, trim_end};
use memchr::{memchr, memchr2};
use model::{Field, FieldValue, Stamp, StampZone};

/// How far into a line its severity is looked for.
const PREFIX_MAX: usize = 400;

const EMPTY: Head = Head {
    shape: Shape::Postgres,
    stamp: None,
    level: (0, 0),
    component: (0, 0),
    spans: (0, 0),
    body: 0,
};

fn is_severity(word: &[u8]) -> bool {
    is_word!(
        word,
        b"LOG"
            | b"ERROR"
            | b"FATAL"
            | b"PANIC"
            | b"WARNING"
            | b"NOTICE"
            | b"INFO"
            | b"DEBUG"
            | b"DEBUG1"
            | b"DEBUG2"
            | b"DEBUG3"
            | b"DEBUG4"
            | b"DEBUG5"
    )
}

/// The field that a further part of a message becomes.
fn part_key(word: &[u8]) -> Option<&'static [u8]> {
    Some(match word {
        b"DETAIL" => b"detail",
        b"HINT" => b"hint",
        b"QUERY" => b"internal_query",
        b"CONTEXT" => b"context",
        b"LOCATION" => b"location",
        b"STATEMENT" => b"statement",
        b"BACKTRACE" => b"backtrace",
        _ => return None,
    })
}

/// Where the word before the first `:  ` begins and ends, if it is a severity or a part.
fn severity(line: &[u8], from: usize) -> Option<(usize, usize)> {
    let room = &line[from..line.len().min(from + PREFIX_MAX)];
    for colon in memchr::memchr_iter(b':', room) {
        if !room[colon + 1..].starts_with(b"  ") {
            continue;
        }
        let letters = room[..colon]
            .iter()
            .rev()
            .take(10)
            .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
            .count();
        let start = colon - letters;
        let word = &room[start..colon];
        let free = start == 0 || matches!(room[start - 1], b' ' | b':' | b']' | b',' | b'>');
        if free && (is_severity(word) || part_key(word).is_some()) {
            return Some((from + start, from + colon));
        }
    }
    None
}

/// Whether a text does not begin with a level as programs of all kinds have it behind their stamp.
#[inline]
pub(crate) fn is_no_level(text: &[u8]) -> bool {
    let four = text.get(..4).unwrap_or_default();
    !is_word!(
        four,
        b"INFO" | b"WARN" | b"ERRO" | b"DEBU" | b"TRAC" | b"FATA"
    )
}

/// The time with the zone behind it; the offset after both.
#[inline]
fn zoned(line: &[u8], mut stamp: Stamp, end: usize) -> Option<(Stamp, usize)> {
    // A blank and a zone follow seconds or milliseconds: most others' lines are out here.
    if !matches!(end, 19 | 23) || stamp.zone != StampZone::None {
        return None;
    }
    // As nearly all servers have it.
    if let Some([b' ', b'U', b'T', b'C', b' ' | b':' | b',']) = line.get(end..end + 5) {
        stamp.zone = StampZone::Utc;
        return Some((stamp, end + 4));
    }
    let zone = line.get(end + 1..end + 4)?;
    let may_be_zone = match zone[0] {
        b'+' | b'-' => zone[1..].iter().all(u8::is_ascii_digit),
        _ => zone.iter().all(u8::is_ascii_uppercase),
    };
    if line[end] != b' ' || !may_be_zone {
        return None;
    }
    // Programs of all kinds have their level there.
    if !is_no_level(&line[end + 1..]) {
        return None;
    }
    let zone = &line[end + 1..line.len().min(end + 8)];
    let length = match zone.first()? {
        b'+' | b'-' => {
            let digits = zone[1..]
                .iter()
                .take_while(|c| c.is_ascii_digit() || **c == b':');
            1 + digits.count()
        }
        _ => zone.iter().take_while(|c| c.is_ascii_uppercase()).count(),
    };
    if length < 3 {
        return None;
    }
    stamp.zone = match &zone[..length] {
        b"UTC" | b"GMT" => StampZone::Utc,
        offset @ [b'+' | b'-', ..] => StampZone::Offset(offset_seconds(offset)?),
        _ => StampZone::None,
    };
    Some((stamp, end + 1 + length))
}

/// `+03`, `-0330`, `+05:30`.
fn offset_seconds(text: &[u8]) -> Option<i32> {
    let number = |part: &[u8]| -> Option<i32> {
        let digits = std::str::from_utf8(part).ok()?;
        digits.parse().ok()
    };
    let (hours, minutes) = match text.len() {
        3 => (number(&text[1..3])?, 0),
        5 => (number(&text[1..3])?, number(&text[3..5])?),
        6 if text[3] == b':' => (number(&text[1..3])?, number(&text[4..6])?),
        _ => return None,
    };
    if hours > 18 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    Some(if text[0] == b'-' { -seconds } else { seconds })
}

/// `2023-09-18 03:50:19.059 UTC …`.
pub(crate) fn dated(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    let (stamp, at) = zoned(line, *stamp, end)?;
    let mut head = Head {
        stamp: Some(stamp),
        ..EMPTY
    };
    if line.get(at) == Some(&b',') {
        return csv(line, head);
    }
    if !matches!(line.get(at), Some(b' ' | b':')) {
        return None;
    }
    let (start, colon) = severity(line, at)?;
    let zone = line[..at].iter().rposition(|c| *c == b' ')? + 1;
    head.spans = (zone as u32, start as u32);
    finish(line, start, colon, head)
}

/// `LOG:  …`, without any prefix.
pub(crate) fn bare(line: &[u8]) -> Option<Head> {
    let letters = line
        .iter()
        .take(10)
        .take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        .count();
    if !line[letters..].starts_with(b":  ") {
        return None;
    }
    let word = &line[..letters];
    (is_severity(word) || part_key(word).is_some())
        .then(|| finish(line, 0, letters, EMPTY))
        .flatten()
}

fn finish(line: &[u8], start: usize, colon: usize, mut head: Head) -> Option<Head> {
    if !is_severity(&line[start..colon]) {
        head.shape = Shape::PostgresPart;
    }
    head.level = (start as u32, colon as u32);
    head.body = (colon + 3).min(line.len()) as u32;
    Some(head)
}

/// Whether a line is a part of the message that another begins: same time, same process.
pub(crate) fn is_part_of(own: (&Head, &[u8]), other: (&Head, &[u8])) -> bool {
    fn pid<'l>((head, line): (&Head, &'l [u8])) -> Option<&'l [u8]> {
        pid_of(&line[head.spans.0 as usize..head.spans.1 as usize])
    }
    other.0.shape == Shape::PostgresPart && own.0.stamp == other.0.stamp && pid(own) == pid(other)
}

/// The digits in the first brackets that hold such: `[1234]`, `[1234-1]`.
fn pid_of(prefix: &[u8]) -> Option<&[u8]> {
    let mut search = 0;
    while let Some(offset) = near(b'[', &prefix[search..]) {
        let from = search + offset + 1;
        let digits = prefix[from..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count();
        if digits > 0 && matches!(prefix.get(from + digits), Some(b']' | b'-')) {
            return Some(&prefix[from..from + digits]);
        }
        search = from;
    }
    None
}

fn push<'a>(fields: &mut Vec<Field<'a>>, key: &'static [u8], value: &'a [u8]) {
    if !value.is_empty() {
        fields.push(Field {
            key,
            value: FieldValue::Text(value),
        });
    }
}

/// Reads what the prefix, which lies from `from` to `to` in the record, says of the session.
fn session<'a>(text: &'a [u8], (from, to): (usize, usize), fields: &mut Vec<Field<'a>>) {
    const END: usize = 0;
    const TELLING: usize = 1;
    let prefix = &text[from..to];
    let zone_end = near2(b' ', b':', prefix).unwrap_or(prefix.len());
    if !matches!(
        prefix[..zone_end],
        [b'+' | b'-', ..] | [] | [b'U', b'T', b'C'] | [b'G', b'M', b'T']
    ) {
        push(fields, b"timezone", &prefix[..zone_end]);
    }
    if let Some(pid) = pid_of(prefix) {
        push(fields, b"pid", pid);
    }
    let mut at = from + zone_end;
    let mut signs = Signs::new(text, |lane| {
        let telling = lane.is(b'=').or(lane.is(b':')).or(lane.is(b'@'));
        [lane.is(b' ').or(lane.is(b',')), telling]
    });
    while at < to {
        let end = signs.next(END, at, to);
        let sign = signs.next(TELLING, at, end);
        let word = &text[at..end];
        if sign == end {
            // `[1234]`, `host(5432)`.
            part(word, None, fields);
        } else if text[sign] == b'@' && signs.next(TELLING, sign + 1, end) == end {
            part(word, Some(sign - at), fields);
        } else {
            telling(word, fields);
        }
        at = end + 1;
    }
}

/// Reads a word of the prefix that is a pair, or several parts with colons between them.
fn telling<'a>(word: &'a [u8], fields: &mut Vec<Field<'a>>) {
    let word = word.strip_suffix(b":").unwrap_or(word);
    if let Some(equals) = near(b'=', word) {
        let key: &'static [u8] = match &word[..equals] {
            b"user" => b"user",
            b"db" | b"database" => b"database",
            b"app" | b"application" => b"application",
            b"client" | b"host" => b"client",
            _ => return,
        };
        push(fields, key, &word[equals + 1..]);
        return;
    }
    // `10.0.0.7(5432):user@db:[1234]`, `user@db`.
    for one in word.split(|c| *c == b':') {
        part(one, near(b'@', one), fields);
    }
}

/// Reads a client with its port, or `user@database` with its `@` at `at`.
#[inline]
fn part<'a>(part: &'a [u8], at: Option<usize>, fields: &mut Vec<Field<'a>>) {
    if part.ends_with(b")") && near(b'(', part).is_some_and(|open| open > 0) {
        push(fields, b"client", part);
    } else if let Some(at) = at
        && !part.starts_with(b"[")
    {
        push(fields, b"user", &part[..at]);
        push(fields, b"database", &part[at + 1..]);
    }
}

/// Splits a record: the message, and its further parts as fields.
pub(crate) fn body<'a>(
    text: &'a [u8],
    head: &Head,
    rules: Rules<'_>,
    fields: &mut Vec<Field<'a>>,
) -> &'a [u8] {
    if head.spans.0 < head.spans.1 {
        let prefix = (head.spans.0 as usize, head.spans.1 as usize);
        session(text, prefix, fields);
    }
    let text = trim_end(text);
    let mut from = (head.body as usize).min(text.len());
    if rules.one_line {
        return &text[from..];
    }
    let mut key: Option<&'static [u8]> = None;
    let mut message: &[u8] = b"";
    let mut search = from;
    loop {
        // The next line that is a part, or the end.
        let mut end = text.len();
        let mut next = None;
        while let Some(offset) = memchr(b'\n', &text[search..]) {
            let line = search + offset + 1;
            search = line;
            if matches!(text.get(line), None | Some(b'\t' | b' ' | b'\n')) {
                continue;
            }
            let line_end = memchr(b'\n', &text[line..]).map_or(text.len(), |feed| line + feed);
            let one = &text[line..line_end];
            // The same time stands before the zone, so the severity is looked for where it was.
            let zone = head.spans.0 as usize;
            let found = match zone {
                0 => bare(one).map(|other| (0, other.level.1 as usize)),
                _ if one.get(..zone) == text.get(..zone) => severity(one, zone),
                _ => None,
            };
            if let Some((start, colon)) = found
                && let Some(part) = part_key(&one[start..colon])
            {
                end = line - 1;
                next = Some((Some(part), line + (colon + 3).min(one.len())));
                break;
            }
        }
        let value = trim_end(&text[from..end]);
        match key {
            None => message = value,
            Some(key) => push(fields, key, value),
        }
        let Some((part, start)) = next else {
            return message;
        };
        key = part;
        from = start;
    }
}

/// Names of csvlog's columns after the severity; the message is the second.
const CSV_REST: [&[u8]; 14] = [
    b"sql_state",
    b"",
    b"detail",
    b"hint",
    b"internal_query",
    b"internal_query_position",
    b"context",
    b"statement",
    b"statement_position",
    b"location",
    b"application",
    b"",
    b"leader_pid",
    b"query_id",
];

/// The end of the column at `at`: a comma outside quotes, or the end.
fn column_end(text: &[u8], at: usize) -> usize {
    if text.get(at) != Some(&b'"') {
        return memchr2(b',', b'\n', text.get(at..).unwrap_or_default())
            .map_or(text.len(), |offset| at + offset);
    }
    let mut end = at + 1;
    while let Some(offset) = memchr(b'"', text.get(end..).unwrap_or_default()) {
        end += offset + 1;
        if text.get(end) != Some(&b'"') {
            return end;
        }
        end += 1;
    }
    text.len()
}

fn unquoted(column: &[u8]) -> &[u8] {
    let inner = column.strip_prefix(b"\"").unwrap_or(column);
    inner.strip_suffix(b"\"").unwrap_or(inner)
}

/// `2023-09-18 03:50:19.059 UTC,"user","db",1234,…,ERROR,42P01,"message",…`.
fn csv(line: &[u8], mut head: Head) -> Option<Head> {
    head.shape = Shape::PostgresCsv;
    let mut at = 0;
    for _ in 0..11 {
        let end = column_end(line, at);
        if line.get(end) != Some(&b',') || end > PREFIX_MAX {
            return None;
        }
        at = end + 1;
    }
    let end = column_end(line, at);
    if !is_severity(&line[at..end]) || line.get(end) != Some(&b',') {
        return None;
    }
    head.level = (at as u32, end as u32);
    head.body = (end + 1) as u32;
    Some(head)
}

/// Whether a line of csvlog leaves a quote open at its end, given whether one was open before it.
pub(crate) fn csv_quote_open(line: &[u8], open: bool) -> bool {
    let quotes = memchr::memchr_iter(b'"', line).count();
    open != (quotes % 2 == 1)
}

/// Splits a record of csvlog; returns message and component (the kind of process).
pub(crate) fn csv_body<'a>(
    text: &'a [u8],
    head: &Head,
    fields: &mut Vec<Field<'a>>,
) -> (&'a [u8], Option<&'a [u8]>) {
    let mut at = 0;
    let before: [&[u8]; 11] = [
        b"",
        b"user",
        b"database",
        b"pid",
        b"client",
        b"session",
        b"session_line",
        b"command",
        b"session_start",
        b"",
        b"transaction",
    ];
    for key in before {
        let end = column_end(text, at);
        if !key.is_empty() {
            push(fields, key, unquoted(&text[at..end]));
        }
        at = end + 1;
    }
    let (mut message, mut component): (&[u8], _) = (b"", None);
    at = head.body as usize;
    for (index, key) in CSV_REST.into_iter().enumerate() {
        if at > text.len() {
            break;
        }
        let end = column_end(text, at);
        let value = unquoted(&text[at..end]);
        match index {
            1 => message = value,
            11 => component = Some(value).filter(|value| !value.is_empty()),
            _ => push(fields, key, value),
        }
        if text.get(end) != Some(&b',') {
            break;
        }
        at = end + 1;
    }
    (message, component)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::full_stamp;

    #[test]
    fn a_zone_is_no_level() {
        for (line, is_ours) in [
            ("2023-09-18 03:50:19.059 UTC [1] LOG:  ready", true),
            ("2023-09-18 03:50:19 WARST [1] LOG:  ready", true),
            ("2023-09-18 03:50:19.059 +03 [1] ERROR:  no", true),
            ("2023-09-18 03:50:19.059 INFO  - LOG:  text", false),
            ("2023-09-18 03:50:19.059 WARN [x] ERROR:  text", false),
        ] {
            let line = line.as_bytes();
            let (stamp, end) = full_stamp(line, 0).unwrap();
            let found = dated(line, &stamp, end).is_some();
            assert_eq!(found, is_ours, "{}", line.escape_ascii());
        }
    }
}
