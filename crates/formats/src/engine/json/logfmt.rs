//! logfmt, `ts=… level=info msg="two words" n=3`, read into the same [`Scan`] as JSON: its dialects are
//! named by the same words.
//!
//! Quoted values have escapes with backslashes. A bare value runs to the next ` key=`, since many
//! programs forget the quotes. A quote that never closes is a character like any other.

use super::keys::Keys;
use super::scan::{Scan, State};
use crate::lanes::{PairKey, run_within};
use crate::scan::{KEY_MAX, key_before, near, near2, trim_end};
use memchr::{memchr, memchr2};

/// The end of the key at `at`, if a `=` follows it.
#[inline]
fn key_end(line: &[u8], at: usize) -> Option<usize> {
    let at = at.min(line.len());
    let length = run_within::<PairKey>(line, at, KEY_MAX);
    (length > 0 && line.get(at + length) == Some(&b'=')).then_some(at + length)
}

/// Whether a line may be logfmt: it begins with a key.
#[inline]
pub(crate) fn begins(line: &[u8]) -> bool {
    line.first()
        .is_some_and(|c| c.is_ascii_alphabetic() || *c == b'@')
        && key_end(line, 0).is_some()
}

/// A value: its content, and where the next key may begin.
struct Value {
    from: usize,
    to: usize,
    next: usize,
    /// Where that key ends, if it was seen on the way.
    next_equals: Option<usize>,
    escaped: bool,
}

fn value(line: &[u8], at: usize, quotes_left: &mut bool) -> Value {
    if line.get(at) == Some(&b'"') && *quotes_left {
        let mut end = at + 1;
        let mut escaped = false;
        while let Some(offset) = near2(b'"', b'\\', line.get(end..).unwrap_or_default()) {
            end += offset;
            if line[end] == b'\\' {
                escaped = true;
                end += 2;
                continue;
            }
            let next = end + 1;
            if !matches!(line.get(next), None | Some(b' ' | b'\t' | b',')) {
                break;
            }
            return Value {
                from: at + 1,
                to: end,
                next,
                next_equals: None,
                escaped,
            };
        }
        *quotes_left = end < line.len();
    }
    let mut search = at;
    while let Some(offset) = near(b'=', &line[search..]) {
        let equals = search + offset;
        search = equals + 1;
        if let Some(start) = key_before(line, at, equals)
            && start > at
        {
            let to = at + trim_end(&line[at..start - 1]).len();
            return Value {
                from: at,
                to,
                next: start,
                next_equals: Some(equals),
                escaped: false,
            };
        }
    }
    Value {
        from: at,
        to: line.len(),
        next: line.len(),
        next_equals: None,
        escaped: false,
    }
}

/// Whether the first value has more keys in it, `beacon,tag=x`: then `docker logs --details` put its
/// attributes before the line.
fn is_attributes(value: &[u8]) -> bool {
    memchr(b',', value).is_some_and(|comma| key_end(value, comma + 1).is_some())
        && memchr2(b'"', b'{', value).is_none()
}

impl Scan {
    /// Reads a line of pairs.
    pub(crate) fn read_logfmt(&mut self, line: &[u8], keys: &Keys) {
        self.restart();
        let line = trim_end(line);
        let mut quotes_left = true;
        let mut at = 0;
        let mut seen = None;
        while at < line.len() {
            let Some(equals) = seen.or_else(|| key_end(line, at)) else {
                // A word of its own after a quoted value: no logfmt.
                return;
            };
            let got = value(line, equals + 1, &mut quotes_left);
            if at == 0 && is_attributes(&line[got.from..got.to]) {
                return;
            }
            self.pair(line, (at, equals), (got.from, got.to), got.escaped, keys);
            at = got.next;
            seen = got.next_equals;
            while matches!(line.get(at), Some(b' ' | b'\t' | b',')) {
                at += 1;
            }
        }
        self.finish(State::Pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &[(&str, &str)]) {
        let mut scan = Scan::default();
        scan.read_logfmt(line.as_bytes(), &Keys::default());
        let seen: Vec<_> = scan
            .members
            .iter()
            .map(|member| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                (
                    text(scan.key(line.as_bytes(), member)),
                    text(scan.value(line.as_bytes(), member)),
                )
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        assert_eq!((scan.state, seen), (State::Pairs, expected), "{line}");
    }

    #[test]
    fn pairs_of_all_kinds() {
        check(
            r#"ts=2024-01-02T03:04:05Z level=info msg="two \"words\"\n" n=3 empty= last="""#,
            &[
                ("ts", "2024-01-02T03:04:05Z"),
                ("level", "info"),
                ("msg", "two \"words\"\n"),
                ("n", "3"),
                ("empty", ""),
                ("last", ""),
            ],
        );
        check("a=b c d=e f", &[("a", "b c"), ("d", "e f")]);
        check("a=\"b c d=e", &[("a", "\"b c"), ("d", "e")]);
        check("a=\"x\"y b=1", &[("a", "\"x\"y"), ("b", "1")]);
        check("a=1, b=\"2\", c=3", &[("a", "1,"), ("b", "2"), ("c", "3")]);
        let mut scan = Scan::default();
        scan.read_logfmt(b"service=beacon,tag=x level=info msg=y", &Keys::default());
        assert_eq!(scan.state, State::NoObject);
        assert!(
            begins(b"@timestamp=x") && begins(b"a.b=") && !begins(b"=x") && !begins(b"word x=1")
        );
    }
}
