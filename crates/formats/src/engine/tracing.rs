//! tracing-subscriber's text: `2023-09-08T12:43:43.561336Z  INFO span{a=1}:span: target: message k=v`.
//!
//! Blanks before the level shrink when pages are copied. Older programs print `Mar 27 11:50:36.347`,
//! without year. The target is the component; the spans before it are kept as the field `spans`. Some
//! programs (reth by default) print no target: then the message begins at once.

use super::{Head, Shape};
use crate::lanes::{Blank, Capital, KeyByte, Lane, LowerPath, Truths, run, run_within};
use crate::scan::{KEY_MAX, Signs, is_word, key_before, near, near2, trim_end, year_less_stamp};
use model::{Field, FieldValue, Stamp, StampZone};

/// Whether a word is a level as tracing prints it.
#[inline]
pub(super) fn is_level(word: &[u8]) -> bool {
    is_word!(word, b"INFO" | b"WARN" | b"ERROR" | b"DEBUG" | b"TRACE")
}

/// A Rust path in lower case: `zksync_core::house_keeper`.
fn is_path(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_lowercase) && run::<LowerPath>(word) == word.len()
}

/// The end of a span list or target at `at`: where `: ` follows outside braces and quotes.
fn scope_end(line: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0i32;
    let mut quoted = false;
    let mut index = at;
    while index < line.len() {
        match line[index] {
            b'\\' if quoted => index += 1,
            b'"' if depth > 0 => quoted = !quoted,
            b'{' | b'(' | b'[' if !quoted => depth += 1,
            b'}' | b')' | b']' if !quoted => depth -= 1,
            b':' if depth <= 0 && !quoted && matches!(line.get(index + 1), None | Some(b' ')) => {
                return (index > at).then_some(index);
            }
            b' ' if depth <= 0 && !quoted => return None,
            _ => {}
        }
        index += 1;
    }
    None
}

/// The end of a target without spans before it, as nearly all are: what [`scope_end`] finds for a bare path.
#[inline]
fn plain_target(line: &[u8], at: usize) -> Option<usize> {
    let rest = &line[at..];
    let end = run::<LowerPath>(rest).checked_sub(1)?;
    let ends = rest[end] == b':' && matches!(rest.get(end + 1), None | Some(b' '));
    (ends && end > 0 && rest[0].is_ascii_lowercase()).then_some(at + end)
}

/// A quick look whether neither spans nor a target follow the level that ends at `level_end`: the first word is
/// short, opens no bracket and has no colon, so that [`scope_end`] finds none.
#[inline]
pub(super) fn has_no_scope(line: &[u8], level_end: usize) -> bool {
    let lane = Lane::of(line.get(level_end + 1..).unwrap_or_default());
    let blanks = lane.is(b' ').marks();
    let opening = lane.is(b'{').or(lane.is(b'(')).or(lane.is(b'['));
    let telling = opening.or(lane.is(b':')).marks();
    // Nothing of the kind stands before the first blank.
    let first = blanks & blanks.wrapping_neg();
    first != 0 && telling & first.wrapping_sub(1) == 0
}

fn after_stamp(line: &[u8], mut at: usize, stamp: &Stamp) -> Option<Head> {
    at += run_within::<Blank>(line, at, 8);
    let level = at;
    at += run::<Capital>(&line[at..]);
    if !is_level(&line[level..at]) || line.get(at) != Some(&b' ') {
        return None;
    }
    let level = (level as u32, at as u32);
    let first = at + 1;
    let none = (first, first);
    let plain = plain_target(line, first);
    let (spans, component, body) = match plain.or_else(|| scope_end(line, first)) {
        Some(end) if plain.is_some() => (none, (first, end), (end + 2).min(line.len())),
        None => (none, none, first),
        Some(first_end) => {
            let next = (first_end + 2).min(line.len());
            // Spans come first if there are any: a span list has braces or upper case, or a path
            // follows it.
            let spans_first = !is_path(&line[first..first_end]);
            let second = scope_end(line, next).filter(|end| is_path(&line[next..*end]));
            match second {
                Some(end) if spans_first => {
                    ((first, first_end), (next, end), (end + 2).min(line.len()))
                }
                _ if !spans_first => (none, (first, first_end), next),
                // No target: spans if they look so, else `Warning: text`.
                _ if line[first..first_end].ends_with(b"}") => ((first, first_end), none, next),
                _ => (none, none, first),
            }
        }
    };
    Some(Head {
        shape: Shape::TracingText,
        stamp: Some(*stamp),
        level,
        component: (component.0 as u32, component.1 as u32),
        spans: (spans.0 as u32, spans.1 as u32),
        body: body as u32,
    })
}

/// A line whose stamp is a full one of RFC 3339.
pub(crate) fn recognise(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if stamp.zone == StampZone::None {
        return None;
    }
    after_stamp(line, end, stamp)
}

/// A line whose stamp has no year but a fraction.
pub(crate) fn year_less(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if stamp.fraction_digits == 0 {
        return None;
    }
    after_stamp(line, end, stamp)
}

/// The same where the month may be of any language, the day of one digit.
pub(crate) fn foreign(line: &[u8]) -> Option<Head> {
    let (stamp, end) = year_less_stamp(line)?;
    year_less(line, &stamp, end)
}

/// Splits `message key=value …`: fields stand at the end, bare values hold blanks only inside
/// brackets and before a unit (`gas=25.94 Mgas`), quoted ones escape quotes. What does not read so to the
/// very end is message.
pub(crate) fn body<'a>(text: &'a [u8], from: usize, fields: &mut Vec<Field<'a>>) -> &'a [u8] {
    let text = trim_end(text);
    let from = from.min(text.len());
    let mut search = from;
    let before = fields.len();
    let mut stops = None;
    for _ in 0..8 {
        let Some(offset) = near(b'=', &text[search..]) else {
            break;
        };
        let equals = search + offset;
        search = equals + 1;
        let Some(start) = key_before(text, from, equals) else {
            continue;
        };
        // Where a value may end, or a bracket in it opens.
        let stops = stops.get_or_insert_with(|| {
            Signs::new(text, |lane| {
                // Square brackets become curly ones.
                let opening = lane.is(b'(').or(lane.lowered().is(b'{'));
                [lane.is(b' ').or(lane.is(b'\n')).or(opening)]
            })
        });
        if read_fields(text, (start, equals), stops, fields).is_some() {
            return trim_end(&text[from..start]);
        }
        fields.truncate(before);
    }
    &text[from..]
}

/// The text before the first ` key=`: what [`body`] nearly always finds to be the message, without reading
/// the fields.
pub(crate) fn likely_message(text: &[u8], from: usize) -> &[u8] {
    let from = from.min(text.len());
    let mut search = from;
    while let Some(offset) = near(b'=', &text[search..]) {
        let equals = search + offset;
        search = equals + 1;
        if let Some(start) = key_before(text, from, equals)
            && start > from
        {
            return trim_end(&text[from..start]);
        }
    }
    trim_end(&text[from..])
}

/// Reads fields to the very end of the text; the first key is `key.0..key.1`.
fn read_fields<'a>(
    text: &'a [u8],
    key: (usize, usize),
    stops: &mut Signs<'_, impl Fn(Lane) -> [Truths; 1], 1>,
    fields: &mut Vec<Field<'a>>,
) -> Option<()> {
    let key_end = |at: usize| at + run_within::<KeyByte>(text, at, KEY_MAX - 1);
    let (mut at, mut equals) = key;
    if equals - at == KEY_MAX {
        return None;
    }
    loop {
        let key = &text[at..equals];
        let value = equals + 1;
        let mut known = None;
        let (end, shown) = if text.get(value) == Some(&b'"') {
            let mut end = value + 1;
            loop {
                match text.get(end)? {
                    b'\\' => end += 2,
                    b'"' => break,
                    _ => end += 1,
                }
            }
            (end + 1, &text[value + 1..end])
        } else {
            let first = text.get(value).copied().unwrap_or_default();
            let mut end = stops.next(0, value, text.len());
            match text.get(end) {
                Some(b' ' | b'\n') | None => {
                    // `ForkId { hash: … }` is one value.
                    if first.is_ascii_uppercase() && text[end..].starts_with(b" {") {
                        end = nested_end(text, value, end);
                    }
                }
                Some(_) => end = bracketed_end(text, value, first),
            }
            if first.is_ascii_digit() && end < text.len() {
                // What a `=` stands behind is the next key, and no unit.
                let next = key_end(end + 1);
                known = Some(next).filter(|next| text.get(*next) == Some(&b'='));
                if known.is_none() {
                    end += unit_length(&text[end..]);
                }
            }
            (end, &text[value..end])
        };
        fields.push(Field {
            key,
            value: FieldValue::Text(shown),
        });
        match text.get(end) {
            Some(b' ') => at = end + 1,
            Some(_) => return None,
            None => return Some(()),
        }
        if at == text.len() {
            return Some(());
        }
        equals = known.unwrap_or_else(|| key_end(at));
        let is_key = text[at].is_ascii_alphabetic() && text.get(equals) == Some(&b'=');
        if !is_key {
            return None;
        }
    }
}

/// The end of a bare value that has a bracket before its first blank.
fn bracketed_end(text: &[u8], from: usize, first: u8) -> usize {
    let rest = &text[from..];
    let word = near2(b' ', b'\n', rest).unwrap_or(rest.len());
    let names_struct = first.is_ascii_uppercase() && rest[word..].starts_with(b" {");
    let named = if names_struct {
        from + word
    } else {
        usize::MAX
    };
    nested_end(text, from, named)
}

/// The end of a bare value with brackets: the first blank outside of them but for the one at `named`, behind a name.
fn nested_end(text: &[u8], from: usize, named: usize) -> usize {
    let mut end = from;
    let mut depth = 0i32;
    while let Some(c) = text.get(end) {
        match c {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            b' ' | b'\n' if depth <= 0 && end != named => break,
            _ => {}
        }
        end += 1;
    }
    end
}

/// The length of ` Mgas`, ` Ggas/second` after a number, also before a pager's `>`; 0 if the next word is
/// no unit.
fn unit_length(rest: &[u8]) -> usize {
    let Some(word) = rest.strip_prefix(b" ") else {
        return 0;
    };
    let letters = word
        .iter()
        .take(16)
        .take_while(|c| c.is_ascii_alphabetic() || **c == b'/')
        .count();
    match &word[letters..] {
        _ if letters == 0 => 0,
        [] | [b' ', ..] => 1 + letters,
        // A pager cut the line.
        [b'>'] => 2 + letters,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, message: &str, expected: &[(&str, &str)]) {
        let mut fields = Vec::new();
        let own = body(text.as_bytes(), 0, &mut fields);
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields: Vec<_> = fields
            .iter()
            .map(|field| (words(field.key), words(field.value.bytes())))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(key, value)| (key.to_string(), value.to_string()))
            .collect();
        assert_eq!((words(own).as_str(), fields), (message, expected), "{text}");
    }

    #[test]
    fn fields_are_read_to_the_end_or_not_at_all() {
        check("a b=1 c=", "a", &[("b", "1"), ("c", "")]);
        check("a b=x c", "a b=x c", &[]);
        check("a=b c d=e", "a=b c", &[("d", "e")]);
        check(
            "x gas=25.94 Mgas y=2",
            "x",
            &[("gas", "25.94 Mgas"), ("y", "2")],
        );
        check("x n=25 Ggas/second", "x", &[("n", "25 Ggas/second")]);
        check("x n=25 Ggas/second>", "x", &[("n", "25 Ggas/second>")]);
        check("x n=25 Mgas2 y=2", "x n=25 Mgas2", &[("y", "2")]);
        check("x n=a Mgas", "x n=a Mgas", &[]);
        check("x n=7(a b) Mgas", "x", &[("n", "7(a b) Mgas")]);
        check(
            "x f=Some(a b) g=[1, 2] h={i: 3}",
            "x",
            &[("f", "Some(a b)"), ("g", "[1, 2]"), ("h", "{i: 3}")],
        );
        check(
            "x f=ForkId { a: [1] } g=1",
            "x",
            &[("f", "ForkId { a: [1] }"), ("g", "1")],
        );
        check(
            "x f=Fork(1) { a: [1] } g=1",
            "x",
            &[("f", "Fork(1) { a: [1] }"), ("g", "1")],
        );
        check(
            "x f=fork { a: [1] } g=1",
            "x f=fork { a: [1] }",
            &[("g", "1")],
        );
        check(
            "x f=\"a \\\" b=1\" c=2",
            "x",
            &[("f", "a \\\" b=1"), ("c", "2")],
        );
        check("x f=a\ng=1", "x f=a\n", &[("g", "1")]);
        for (length, is_key) in [(62, true), (63, true), (64, false), (65, false)] {
            let key = "k".repeat(length);
            for text in [format!("x {key}=1"), format!("x a=2 {key}=1")] {
                let mut fields = Vec::new();
                let message = body(text.as_bytes(), 0, &mut fields);
                assert_eq!(message == b"x", is_key, "{text}");
            }
        }
        // Far behind each other, as long texts have them.
        let long = "v".repeat(200);
        let text = format!("x a={long} b=({long} {long}) c={long}");
        check(
            &text,
            "x",
            &[
                ("a", &long),
                ("b", &format!("({long} {long})")),
                ("c", &long),
            ],
        );
    }

    #[test]
    fn a_first_word_without_colon_and_bracket_is_no_scope() {
        for (text, told) in [
            ("Synced  a: b", true),
            (" Synced", true),
            ("a}: b", false),
            ("zksync: text", false),
            ("Error: zksync: text", false),
            ("span{a=1}: text", false),
            ("call(a b): text", false),
            ("[a b]: text", false),
            ("Synced", false),
            ("a_word_longer_than_a_lane text", false),
            ("", false),
        ] {
            let line = format!("INFO {text}");
            assert_eq!(has_no_scope(line.as_bytes(), 4), told, "{text}");
            if told {
                assert_eq!(scope_end(line.as_bytes(), 5), None, "{text}");
                assert_eq!(plain_target(line.as_bytes(), 5), None, "{text}");
            }
        }
        assert!(!has_no_scope(b"INFO", 4));
    }

    #[test]
    fn a_plain_target_ends_where_a_scope_does() {
        for (line, end) in [
            ("a::b: text", Some(4)),
            ("a::b:", Some(4)),
            ("a: b: c", Some(1)),
            ("a:: b", Some(2)),
            ("text without: one", None),
            ("a::b:c d", None),
            ("a::b{x=1}: text", None),
            ("Abc: text", None),
            ("1a: text", None),
            (": text", None),
            ("", None),
        ] {
            let found = plain_target(line.as_bytes(), 0);
            assert_eq!(found, end, "{line}");
            if found.is_some() {
                assert_eq!(found, scope_end(line.as_bytes(), 0), "{line}");
                assert!(is_path(&line.as_bytes()[..end.unwrap()]));
            }
        }
    }
}
