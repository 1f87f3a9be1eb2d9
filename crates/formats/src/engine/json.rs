//! JSON lines: logrus' JSON formatter, Stackdriver's (fluentd), tracing-subscriber's.
//!
//! One object on one line. Strings without escapes are borrowed from the line, others are decoded
//! into an arena. Numbers, truths, lists and objects keep their JSON text, checked to be valid, since
//! they go into other JSON as they are.

use super::{Body, Head, Rules, Shape};
use crate::scan::full_stamp;
use memchr::{memchr2, memmem};
use model::{Field, FieldValue};

/// A stretch of the line, or of the arena.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    from: u32,
    to: u32,
    arena: bool,
}

impl Part {
    #[inline]
    fn of<'a>(self, line: &'a [u8], arena: &'a [u8]) -> &'a [u8] {
        let text = if self.arena { arena } else { line };
        &text[self.from as usize..self.to as usize]
    }
}

/// A member of an object.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Member {
    key: Part,
    value: Part,
    /// The value is a string (else a JSON token).
    text: bool,
}

/// Says whether the line looks like a record of one of the shapes; [`body`] finds out for certain.
pub(crate) fn recognise(line: &[u8], at: usize) -> Option<Head> {
    let object = line[at..].trim_ascii_end();
    if !object.starts_with(b"{\"") || !object.ends_with(b"}") {
        return None;
    }
    let has = |needle: &[u8]| memmem::find(object, needle).is_some();
    let shape = if (has(b"\"severity\":\"") && has(b"\"message\":"))
        || (has(b"\"msg\":") && has(b"\"level\":\""))
    {
        Shape::LogrusJson
    } else if has(b"\"timestamp\":\"") && has(b"\"level\":\"") && has(b"\"fields\":{") {
        Shape::TracingJson
    } else {
        return None;
    };
    let mut head = Head {
        shape,
        stamp: None,
        level: (0, 0),
        component: (0, 0),
        spans: (0, 0),
        body: at as u32,
    };
    if shape == Shape::TracingJson
        && let Some(target) = memmem::rfind(object, b"\"target\":\"")
    {
        let from = target + 10;
        let length = object[from..].iter().position(|c| *c == b'"')?;
        head.component = ((at + from) as u32, (at + from + length) as u32);
    }
    Some(head)
}

/// Reads a string whose opening quote is at `at`; returns its content and the offset after it.
fn string(line: &[u8], at: usize, arena: &mut Vec<u8>) -> Option<(Part, usize)> {
    let from = at + 1;
    let mut end = from + memchr2(b'"', b'\\', line.get(from..)?)?;
    if line[end] == b'"' {
        let part = Part {
            from: from as u32,
            to: end as u32,
            arena: false,
        };
        return Some((part, end + 1));
    }
    let start = arena.len();
    let mut copied = from;
    loop {
        arena.extend_from_slice(&line[copied..end]);
        if line[end] == b'"' {
            break;
        }
        let (length, ok) = escape(&line[end..], arena);
        if !ok {
            arena.truncate(start);
            return None;
        }
        copied = end + length;
        let Some(next) = line
            .get(copied..)
            .and_then(|rest| memchr2(b'"', b'\\', rest))
        else {
            arena.truncate(start);
            return None;
        };
        end = copied + next;
    }
    let part = Part {
        from: start as u32,
        to: arena.len() as u32,
        arena: true,
    };
    Some((part, end + 1))
}

/// Decodes the escape at the start of `text`; returns its length and whether it is one.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
    let plain = match text.get(1) {
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(c @ (b'"' | b'\\' | b'/')) => *c,
        Some(b'u') => {
            let unit = |at: usize| -> Option<u32> {
                let digits = text.get(at..at + 4)?;
                digits
                    .iter()
                    .try_fold(0, |n, c| Some(n * 16 + (*c as char).to_digit(16)?))
            };
            let Some(high) = unit(2) else {
                return (0, false);
            };
            let mut length = 6;
            let mut code = high;
            if (0xd800..0xdc00).contains(&high)
                && text[6..].starts_with(b"\\u")
                && let Some(low) = unit(8)
                && (0xdc00..0xe000).contains(&low)
            {
                code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                length = 12;
            }
            let c = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
            let mut buffer = [0; 4];
            out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            return (length, true);
        }
        _ => return (0, false),
    };
    out.push(plain);
    (2, true)
}

fn blanks(line: &[u8], mut at: usize) -> usize {
    while matches!(line.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The end of a valid JSON value at `at` that is no top-level string.
pub(crate) fn token(line: &[u8], at: usize) -> Option<usize> {
    // A stack of open brackets as bits: 1 is an object. Deeper than 64 is no log line.
    let (mut stack, mut depth) = (0u64, 0u32);
    let mut at = at;
    loop {
        // A value is expected here.
        match line.get(at)? {
            b'{' | b'[' => {
                if depth == 64 {
                    return None;
                }
                let object = line[at] == b'{';
                stack = (stack << 1) | u64::from(object);
                depth += 1;
                at = blanks(line, at + 1);
                if line.get(at) == Some(if object { &b'}' } else { &b']' }) {
                    at += 1;
                    stack >>= 1;
                    depth -= 1;
                } else {
                    if object {
                        at = member_key(line, at)?;
                    }
                    continue;
                }
            }
            b'"' => at = strict_string(line, at)?,
            b't' if line[at..].starts_with(b"true") => at += 4,
            b'f' if line[at..].starts_with(b"false") => at += 5,
            b'n' if line[at..].starts_with(b"null") => at += 4,
            _ => at = number(line, at)?,
        }
        // A value has ended here.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = blanks(line, at);
            let object = stack & 1 == 1;
            match line.get(at)? {
                b',' => {
                    at = blanks(line, at + 1);
                    if object {
                        at = member_key(line, at)?;
                    }
                    break;
                }
                b'}' if object => {}
                b']' if !object => {}
                _ => return None,
            }
            at += 1;
            stack >>= 1;
            depth -= 1;
        }
    }
}

/// The offset of the value after the member key at `at`.
fn member_key(line: &[u8], at: usize) -> Option<usize> {
    if line.get(at) != Some(&b'"') {
        return None;
    }
    let at = blanks(line, strict_string(line, at)?);
    (line.get(at) == Some(&b':')).then(|| blanks(line, at + 1))
}

/// The end of a string that strict JSON readers accept: valid UTF-8, no bare control characters.
fn strict_string(line: &[u8], at: usize) -> Option<usize> {
    let mut end = at + 1;
    loop {
        match *line.get(end)? {
            b'"' => break,
            b'\\' => match line.get(end + 1)? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => end += 2,
                b'u' if line
                    .get(end + 2..end + 6)?
                    .iter()
                    .all(u8::is_ascii_hexdigit) =>
                {
                    end += 6
                }
                _ => return None,
            },
            0..=0x1f => return None,
            _ => end += 1,
        }
    }
    std::str::from_utf8(&line[at..end]).ok()?;
    Some(end + 1)
}

fn number(line: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| {
        line[at.min(line.len())..]
            .iter()
            .take_while(|c| c.is_ascii_digit())
            .count()
    };
    let mut end = at + usize::from(line.get(at) == Some(&b'-'));
    let whole = digits(end);
    if whole == 0 || (whole > 1 && line[end] == b'0') {
        return None;
    }
    end += whole;
    if line.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(line.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(line.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == 0 {
            return None;
        }
        end += 1 + sign + exponent;
    }
    Some(end)
}

/// Reads the members of the object at `at`; `None` if it is not valid. Returns the offset after it.
pub(crate) fn object(
    line: &[u8],
    at: usize,
    arena: &mut Vec<u8>,
    members: &mut Vec<Member>,
) -> Option<usize> {
    if line.get(at) != Some(&b'{') {
        return None;
    }
    let mut at = blanks(line, at + 1);
    if line.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        if line.get(at) != Some(&b'"') {
            return None;
        }
        let (key, after) = string(line, at, arena)?;
        at = blanks(line, after);
        if line.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(line, at + 1);
        let (value, text, after) = if line.get(at) == Some(&b'"') {
            let (value, after) = string(line, at, arena)?;
            (value, true, after)
        } else {
            let after = token(line, at)?;
            let value = Part {
                from: at as u32,
                to: after as u32,
                arena: false,
            };
            (value, false, after)
        };
        members.push(Member { key, value, text });
        at = blanks(line, after);
        match line.get(at)? {
            b',' => at = blanks(line, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Whether the whole line is one valid JSON object.
pub(crate) fn is_valid(line: &[u8], arena: &mut Vec<u8>, members: &mut Vec<Member>) -> bool {
    let line = line.trim_ascii();
    arena.clear();
    members.clear();
    object(line, 0, arena, members) == Some(line.len())
}

/// Fills arena and members from a record's line; `false` if it is not valid JSON after all.
pub(crate) fn scan(
    line: &[u8],
    head: &Head,
    arena: &mut Vec<u8>,
    members: &mut Vec<Member>,
) -> bool {
    arena.clear();
    members.clear();
    let line = line.trim_ascii_end();
    let Some(end) = object(line, head.body as usize, arena, members) else {
        return false;
    };
    if end != line.len() {
        return false;
    }
    if head.shape == Shape::TracingJson {
        // The message lies in the inner object `fields`: its members follow the outer ones.
        let inner = members.iter().find(|member| {
            !member.text
                && member.key.of(line, arena) == b"fields"
                && line[member.value.from as usize] == b'{'
        });
        let Some(inner) = inner else { return false };
        let at = inner.value.from as usize;
        return object(line, at, arena, members).is_some();
    }
    true
}

/// Makes a record's parts of what [`scan`] found.
pub(crate) fn body<'a>(
    line: &'a [u8],
    head: &Head,
    rules: Rules<'_>,
    arena: &'a [u8],
    members: &[Member],
    fields: &mut Vec<Field<'a>>,
) -> Option<Body<'a>> {
    let mut body = Body::default();
    let mut component: Option<(usize, &'a [u8])> = None;
    let mut message = None;
    let tracing = head.shape == Shape::TracingJson;
    // Of several words for one thing the first by rank wins: a Stackdriver line has `severity` and
    // `message`, a field of that program may be called `level`.
    let stackdriver = !tracing
        && members
            .iter()
            .any(|member| member.text && member.key.of(line, arena) == b"severity");
    let mut stamp_taken = false;
    for member in members {
        let key = member.key.of(line, arena);
        let value = member.value.of(line, arena);
        if member.text {
            let is_message = if tracing || stackdriver {
                key == b"message"
            } else {
                key == b"msg"
            };
            if is_message && message.is_none() {
                message = Some(value);
                continue;
            }
            let is_level = if stackdriver {
                key == b"severity"
            } else {
                key == b"level"
            };
            if is_level && body.level_raw.is_empty() {
                body.level_raw = value;
                continue;
            }
            if matches!(key, b"time" | b"timestamp")
                && !stamp_taken
                && let Some((stamp, end)) = full_stamp(value, 0)
                && end == value.len()
            {
                body.stamp = Some(stamp);
                stamp_taken = true;
                continue;
            }
            if tracing && key == b"target" && component.is_none() {
                component = Some((0, value));
                continue;
            }
            if !tracing
                && let Some(rank) = rules
                    .component_keys
                    .iter()
                    .position(|name| name.as_bytes() == key)
            {
                if component.is_none_or(|(other, _)| rank < other) {
                    component = Some((rank, value));
                }
                continue;
            }
        } else if tracing && key == b"fields" {
            continue;
        }
        let value = if member.text {
            FieldValue::Text(value)
        } else {
            FieldValue::Json(value)
        };
        fields.push(Field { key, value });
    }
    body.component = component.map(|(_, value)| value);
    body.message = message?;
    if body.level_raw.is_empty() {
        return None;
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_strict() {
        for (text, ok) in [
            ("{\"a\":1}", true),
            ("{\"a\":-0.5e+3,\"b\":[1,{\"c\":null}],\"d\":{}}", true),
            ("{\"a\":[]}", true),
            ("{\"a\":\"\\u00e9\\ud83d\\ude00\"}", true),
            ("{\"a\":01}", false),
            ("{\"a\":[1,]}", false),
            ("{\"a\":[\"\u{1}\"]}", false),
            ("{\"a\":tru}", false),
            ("{\"a\":1", false),
            ("{\"a\":\"x", false),
            ("{\"a\":\"\\x\"}", false),
            ("{}", true),
        ] {
            let (mut arena, mut members) = (Vec::new(), Vec::new());
            assert_eq!(
                is_valid(text.as_bytes(), &mut arena, &mut members),
                ok,
                "{text}"
            );
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        assert!(!is_valid(deep.as_bytes(), &mut Vec::new(), &mut Vec::new()));
    }

    #[test]
    fn escapes_are_decoded() {
        let line = br#"{"a":"x\u003ey\n\"\ud83d\ude00\ud800"}"#;
        let (mut arena, mut members) = (Vec::new(), Vec::new());
        assert!(object(line, 0, &mut arena, &mut members).is_some());
        assert_eq!(
            members[0].value.of(line, &arena),
            "x>y\n\"😀\u{fffd}".as_bytes()
        );
    }
}
