//! Walking a JSON object for a few of its members, nested ones by dotted path. Nothing is decoded and
//! nothing kept; what is not wanted is passed over at the speed of a search for quotes.

use memchr::{memchr, memchr2, memchr3, memmem};

/// The deepest object whose members are told.
const DEPTH: usize = 5;
/// The longest path.
const PATH: usize = 128;
/// The most members of one object and those inside it: real entries have dozens.
const MEMBERS: usize = 1024;

/// What kind of value a member has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string; the range is what is between its quotes, escapes as written.
    Text,
    /// Text outside JSON, with nothing escaped.
    Plain,
    Number,
    Object,
    Array,
    /// `true`, `false`, `null`.
    Word,
}

/// A value and where it lies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub(crate) kind: Kind,
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Value {
    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        &text[self.from..self.to]
    }
}

pub(crate) fn blanks(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The end of the string whose first byte (behind the quote) is at `at`: where its closing quote stands.
#[inline]
pub(crate) fn string_end(text: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The offset after the value at `at`. Brackets are counted, not matched: whoever wants to be sure reads
/// the value itself.
pub(crate) fn value_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' => Some(string_end(text, at + 1)? + 1),
        b'{' | b'[' => {
            let mut depth = 0u32;
            let mut at = at;
            loop {
                match text.get(at)? {
                    b'"' => at = string_end(text, at + 1)?,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => {
            let length = text[at..]
                .iter()
                .position(|c| matches!(c, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r'))
                .unwrap_or(text.len() - at);
            (length > 0).then_some(at + length)
        }
    }
}

/// Reads the value at `at`.
pub(crate) fn value(text: &[u8], at: usize) -> Option<Value> {
    let end = value_end(text, at)?;
    let (kind, from, to) = match text[at] {
        b'"' => (Kind::Text, at + 1, end - 1),
        b'{' => (Kind::Object, at, end),
        b'[' => (Kind::Array, at, end),
        b'-' | b'0'..=b'9' => (Kind::Number, at, end),
        _ => (Kind::Word, at, end),
    };
    Some(Value { kind, from, to })
}

/// Calls `f` with every member of the object at `at`, and with those of objects inside it, by dotted path.
/// Returns the offset after the object; `None` if it is none, or has too many members.
pub(crate) fn walk(text: &[u8], at: usize, f: &mut dyn FnMut(&[u8], Value)) -> Option<usize> {
    let mut path = [0; PATH];
    let mut left = MEMBERS;
    members(text, at, &mut path, 0, 1, &mut left, f)
}

fn members(
    text: &[u8],
    at: usize,
    path: &mut [u8; PATH],
    length: usize,
    depth: usize,
    left: &mut usize,
    f: &mut dyn FnMut(&[u8], Value),
) -> Option<usize> {
    if text.get(at) != Some(&b'{') {
        return None;
    }
    let mut at = blanks(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    loop {
        *left = left.checked_sub(1)?;
        if text.get(at) != Some(&b'"') {
            return None;
        }
        let key = at + 1;
        let key_end = string_end(text, key)?;
        at = blanks(text, key_end + 1);
        if text.get(at) != Some(&b':') {
            return None;
        }
        at = blanks(text, at + 1);
        let dot = usize::from(length > 0);
        let end = length + dot + key_end - key;
        let fits = end <= PATH;
        if fits {
            if dot == 1 {
                path[length] = b'.';
            }
            path[length + dot..end].copy_from_slice(&text[key..key_end]);
        }
        if fits && depth < DEPTH && text.get(at) == Some(&b'{') {
            let after = members(text, at, path, end, depth + 1, left, f)?;
            let value = Value {
                kind: Kind::Object,
                from: at,
                to: after,
            };
            f(&path[..end], value);
            at = after;
        } else {
            let value = value(text, at)?;
            if fits {
                f(&path[..end], value);
            }
            at = value.to + usize::from(value.kind == Kind::Text);
        }
        at = blanks(text, at);
        match text.get(at)? {
            b',' => at = blanks(text, at + 1),
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// The first key of an object and what follows its value's first byte.
fn first_key(text: &[u8]) -> Option<(&[u8], usize)> {
    let at = blanks(text, 1);
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let from = at + 1;
    let length = memchr(b'"', &text[from..text.len().min(from + 64)])?;
    Some((&text[from..from + length], from + length + 1))
}

/// Whether an object may be a wrapper's, by its first key; a cheap no for programs' own JSON.
#[inline]
pub(crate) fn may_wrap(text: &[u8]) -> bool {
    text.first() == Some(&b'{') && object_may_wrap(text)
}

fn object_may_wrap(text: &[u8]) -> bool {
    let Some((key, after)) = first_key(text) else {
        return false;
    };
    let has = |needle: &[u8]| memmem::find(text, needle).is_some();
    match key {
        b"log"
        | b"labels"
        | b"line"
        | b"@timestamp"
        | b"@version"
        | b"date"
        | b"stream"
        | b"logtag"
        | b"kubernetes"
        | b"podName"
        | b"nodeName"
        | b"pod"
        | b"agent"
        | b"beat"
        | b"ecs"
        | b"input"
        | b"prospector"
        | b"source_type"
        | b"container"
        | b"container_id"
        | b"container_name"
        | b"container_created_at"
        | b"docker"
        | b"appname"
        | b"offset"
        | b"event"
        | b"image"
        | b"label"
        | b"tag"
        | b"namespace"
        | b"log.file.path"
        | b"file"
        | b"host"
        | b"hostname"
        | b"source"
        | b"service"
        | b"fields"
        | b"tags" => true,
        // Programs begin with these as well; theirs have a level next.
        b"time" | b"timestamp" => {
            let next = memchr3(b',', b'}', b'{', &text[after..])
                .and_then(|comma| first_key(&text[after + comma..]))
                .map(|(key, _)| key);
            !matches!(next, None | Some(b"level" | b"lvl" | b"msg" | b"severity"))
                && (has(b"\"log\"") || has(b"\"message\"") || has(b"\"line\""))
        }
        b"message" => {
            has(b"\"podName\"")
                || has(b"\"source_type\"")
                || has(b"\"kubernetes\"")
                || has(b"\"@timestamp\"")
                || has(b"\"logtag\"")
        }
        _ => key
            .first()
            .is_some_and(|c| *c == b'_' || c.is_ascii_uppercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_by_path() {
        let text = br#"{ "a" : 1, "b":{"c":"x\"y","d":{}},"e":[{"f":1}], "g":null}"#;
        let mut seen = Vec::new();
        let end = walk(text, 0, &mut |path, value| {
            seen.push(format!(
                "{}={}",
                String::from_utf8_lossy(path),
                String::from_utf8_lossy(value.of(text))
            ));
        });
        assert_eq!(end, Some(text.len()));
        assert_eq!(
            seen,
            [
                "a=1",
                r#"b.c=x\"y"#,
                "b.d={}",
                r#"b={"c":"x\"y","d":{}}"#,
                r#"e=[{"f":1}]"#,
                "g=null"
            ]
        );
        assert_eq!(walk(b"{\"a\":1", 0, &mut |_, _| {}), None);
        assert_eq!(walk(b"{\"a\" 1}", 0, &mut |_, _| {}), None);
    }

    #[test]
    fn programs_own_json_is_told_apart() {
        assert!(!may_wrap(br#"{"message":"x","severity":"INFO"}"#));
        assert!(!may_wrap(
            br#"{"timestamp":"2025-10-28T19:15:10Z","level":"INFO"}"#
        ));
        assert!(may_wrap(br#"{ "__CURSOR" : "s=1" }"#));
        assert!(may_wrap(br#"{"date":1704164645.1,"log":"x"}"#));
    }
}
