//! logfmt, `ts=… level=info msg="two words" n=3`, read into the same [`Scan`] as JSON: its dialects are
//! named by the same words.
//!
//! Quoted values have escapes with backslashes. A bare value runs to the next ` key=`, since many
//! programs forget the quotes. A quote that never closes is a character like any other.

use super::keys::{Keys, NO_KEY};
use super::scan::{Scan, State};
use crate::lanes::{KeyByte, PairKey, eight, marks_of_64, run, run_within};
use crate::scan::{KEY_MAX, near2, trim_end};
use memchr::{memchr, memchr2};

/// The end of the key at `at`, if a `=` follows it.
#[inline]
fn key_end(line: &[u8], at: usize) -> Option<usize> {
    let at = at.min(line.len());
    let length = run_within::<PairKey>(line, at, KEY_MAX);
    (length > 0 && line.get(at + length) == Some(&b'=')).then_some(at + length)
}

/// Whether a line may begin with a key, by its first byte alone.
#[inline]
pub(crate) fn may_begin(line: &[u8]) -> bool {
    line.first()
        .is_some_and(|c| c.is_ascii_alphabetic() || *c == b'@')
}

/// Whether a line may be logfmt: it begins with a key.
#[inline]
pub(crate) fn begins(line: &[u8]) -> bool {
    may_begin(line) && key_end(line, 0).is_some()
}

/// A key of a line.
#[derive(Clone, Copy, Default)]
struct Name {
    start: usize,
    /// Where the `=` behind it stands.
    equals: usize,
    /// Its number among those that dialects ask for.
    id: u16,
}

impl Name {
    /// Reads the key at `at` in this one's place.
    #[inline(always)]
    fn go_to(&mut self, line: &[u8], at: usize, keys: &Keys) -> Option<()> {
        self.start = at;
        self.equals = key_end(line, at)?;
        self.id = keys.id_within(line, at, self.equals);
        Some(())
    }
}

/// How many words are kept.
const KEPT: usize = 256;

/// A word of up to 16 bytes that is a key.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    /// Its first eight bytes and its last, which are none if it has no more than eight.
    first: u64,
    last: u64,
    length: usize,
    id: u16,
}

impl Word {
    /// The word of a line from `start` to `end`, whose number is not known; `None` where it has more bytes, or stands
    /// in the line's first eight.
    #[inline(always)]
    fn of(line: &[u8], start: usize, end: usize) -> Option<Word> {
        let length = end - start;
        let tail = eight(line, end.checked_sub(8)?);
        let (first, last) = match length {
            1..=8 => (tail >> (64 - 8 * length), 0),
            9..=16 => (eight(line, start), tail),
            _ => return None,
        };
        Some(Word {
            first,
            last,
            length,
            id: NO_KEY,
        })
    }

    #[inline(always)]
    fn place(&self) -> usize {
        let both = self.first ^ self.last.rotate_left(29);
        (both.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize % KEPT
    }

    #[inline(always)]
    fn is(&self, other: &Word) -> bool {
        self.first == other.first && self.last == other.last && self.length == other.length
    }
}

/// Words that are keys. A program writes the same ones again and again: whether a word is one, and which, is found out
/// once.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<Word>);

impl Words {
    /// The number of a word that is a key.
    #[inline(always)]
    fn key(&mut self, line: &[u8], start: usize, end: usize, keys: &Keys) -> Option<u16> {
        if let Some(word) = Word::of(line, start, end)
            && let Some(known) = self.0.get(word.place())
            && known.is(&word)
        {
            return Some(known.id);
        }
        self.learn(line, start, end, keys)
    }

    #[inline(never)]
    fn learn(&mut self, line: &[u8], start: usize, end: usize, keys: &Keys) -> Option<u16> {
        let text = &line[start..end];
        let is_key = text.len() <= KEY_MAX
            && text.first().is_some_and(u8::is_ascii_alphabetic)
            && run::<KeyByte>(text) == text.len();
        let id = is_key.then(|| keys.id(text))?;
        if let Some(word) = Word::of(line, start, end) {
            self.0.resize(KEPT, Word::default());
            self.0[word.place()] = Word { id, ..word };
        }
        Some(id)
    }
}

/// The place behind the last of some marks of the stretch at `at`, or else the one before.
#[inline(always)]
fn behind_last(marks: u64, at: usize, before: usize) -> usize {
    match marks.checked_ilog2() {
        Some(mark) => at + mark as usize + 1,
        None => before,
    }
}

/// The end of the quoted value whose content begins at `from`, and whether that has escapes.
#[inline]
fn quoted(line: &[u8], from: usize, quotes_left: &mut bool) -> Option<(usize, bool)> {
    let mut end = from;
    let mut escaped = false;
    while let Some(offset) = near2(b'"', b'\\', line.get(end..).unwrap_or_default()) {
        end += offset;
        if line[end] == b'\\' {
            escaped = true;
            end += 2;
            continue;
        }
        if matches!(line.get(end + 1), None | Some(b' ' | b'\t' | b',')) {
            return Some((end, escaped));
        }
        break;
    }
    *quotes_left = end < line.len();
    None
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
        let mut words = std::mem::take(&mut self.words);
        let is_whole = line.is_empty() || self.read_pairs(line, &mut words, keys).is_some();
        self.words = words;
        if is_whole {
            self.finish(State::Pairs);
        }
    }

    /// Reads the pairs of a line; `None` if it has something else. Of a stretch of 64 bytes it is seen in one step where
    /// a key may end, and behind which blank it would begin.
    fn read_pairs(&mut self, line: &[u8], words: &mut Words, keys: &Keys) -> Option<()> {
        let mut quotes_left = true;
        // The key whose value goes on.
        let mut open = Name::default();
        open.go_to(line, 0, keys)?;
        if self.read_quoted(line, &mut open, &mut quotes_left, keys)? {
            return Some(());
        }
        // Where the last word before the stretch begins; the line's first is none behind a blank.
        let mut word = usize::MAX;
        for at in (0..line.len()).step_by(64) {
            let [mut signs, blanks] = marks_of_64(line, at, |lane| {
                [lane.is(b'='), lane.is(b' ').or(lane.is(b'\n'))]
            });
            while signs != 0 {
                let sign = signs & signs.wrapping_neg();
                signs ^= sign;
                let equals = at + sign.trailing_zeros() as usize;
                let start = behind_last(blanks & (sign - 1), at, word);
                // What is before the value stood in quotes, or is its own key.
                if start <= open.equals + 1 || start >= equals {
                    continue;
                }
                let Some(id) = words.key(line, start, equals, keys) else {
                    continue;
                };
                self.close(line, open, start - 1)?;
                open = Name { start, equals, id };
                if line.get(equals + 1) == Some(&b'"')
                    && self.read_quoted(line, &mut open, &mut quotes_left, keys)?
                {
                    return Some(());
                }
            }
            word = behind_last(blanks, at, word);
        }
        self.close(line, open, line.len())
    }

    /// Takes in a pair whose value is bare and ends before `to`, or before the blanks there.
    #[inline(always)]
    fn close(&mut self, line: &[u8], name: Name, to: usize) -> Option<()> {
        let from = name.equals + 1;
        // Before an empty value stands its key's `=`.
        let to = match line[to - 1] {
            b' ' | b'\t' => from + trim_end(&line[from..to]).len(),
            _ => to,
        };
        if name.start == 0 && is_attributes(&line[from..to]) {
            return None;
        }
        self.pair(line, (name.start, name.equals), name.id, (from, to), false);
        Some(())
    }

    /// Takes in pairs from `name` on as long as their values are quoted; it becomes the key whose value is none. Says
    /// whether the line ends before; `None` if a word of its own stands behind a value.
    #[inline(never)]
    fn read_quoted(
        &mut self,
        line: &[u8],
        name: &mut Name,
        quotes_left: &mut bool,
        keys: &Keys,
    ) -> Option<bool> {
        loop {
            let from = name.equals + 2;
            if !*quotes_left || line.get(from - 1) != Some(&b'"') {
                return Some(false);
            }
            let Some((to, escaped)) = quoted(line, from, quotes_left) else {
                return Some(false);
            };
            if name.start == 0 && is_attributes(&line[from..to]) {
                return None;
            }
            self.pair(
                line,
                (name.start, name.equals),
                name.id,
                (from, to),
                escaped,
            );
            let mut at = to + 1;
            while matches!(line.get(at), Some(b' ' | b'\t' | b',')) {
                at += 1;
            }
            if at >= line.len() {
                return Some(true);
            }
            name.go_to(line, at, keys)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::is_key_byte;
    use proptest::prelude::*;

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

    /// The pairs of a line without escapes, found byte by byte; `None` if it has something else.
    fn walked(line: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
        let is_letter = |at: usize| line[at].is_ascii_alphabetic();
        let is_pair_key = |c: u8| is_key_byte(c) || c == b'@';
        let line = trim_end(line);
        let (mut pairs, mut at) = (Vec::new(), 0);
        while at < line.len() {
            let length = line[at..].iter().take_while(|c| is_pair_key(**c)).count();
            let equals = at + length;
            if !(1..=KEY_MAX).contains(&length) || line.get(equals) != Some(&b'=') {
                return None;
            }
            let key = &line[at..equals];
            let from = equals + 1;
            if line.get(from) == Some(&b'"') {
                let content = line[from + 1..].iter().take_while(|c| **c != b'"');
                let end = from + 1 + content.count();
                let closes = end < line.len();
                if closes && matches!(line.get(end + 1), None | Some(b' ' | b'\t' | b',')) {
                    pairs.push((key, &line[from + 1..end]));
                    at = end + 1;
                    while matches!(line.get(at), Some(b' ' | b'\t' | b',')) {
                        at += 1;
                    }
                    continue;
                }
            }
            let next = (from + 1..line.len()).find(|start| {
                let length = line[*start..]
                    .iter()
                    .take_while(|c| is_key_byte(**c))
                    .count();
                matches!(line[start - 1], b' ' | b'\n')
                    && is_letter(*start)
                    && length <= KEY_MAX
                    && line.get(start + length) == Some(&b'=')
            });
            let to = next.map_or(line.len(), |next| next - 1);
            pairs.push((key, trim_end(&line[from..to])));
            at = next.unwrap_or(line.len());
        }
        Some(pairs)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2048, ..ProptestConfig::default() })]

        /// Lines are read as one who goes from byte to byte reads them, one after the other with the same words kept.
        #[test]
        fn pairs_are_what_is_there(
            lines in prop::collection::vec(
                prop::collection::vec(
                    prop::sample::select(vec![
                        "a", "b=", " ", "  ", "=", "key=", " level=info", " ts=2024", "\"", ",", "\t", "\n", "@x=", "7", "é", "\0",
                        " a_key_of_16_byte=1", " a_key_of_17_bytes=2", " other_of_17_byte=3", "a/b.c-d", " =", "\" ", " x=\"y z\" ",
                    ]),
                    1..40,
                ),
                1..6,
            ),
        ) {
            let mut scan = Scan::default();
            for line in lines {
                let line = format!("k={}", line.concat());
                let line = line.as_bytes();
                scan.read_logfmt(line, &Keys::default());
                match walked(line) {
                    // Its first value looks like attributes.
                    _ if scan.members.is_empty() => prop_assert_eq!(scan.state, State::NoObject),
                    Some(pairs) => {
                        prop_assert_eq!(scan.state, State::Pairs);
                        let members = scan.members.iter();
                        let seen = members.map(|one| (scan.key(line, one), scan.value(line, one)));
                        prop_assert_eq!(seen.collect::<Vec<_>>(), pairs);
                    }
                    None => prop_assert_eq!(scan.state, State::NoObject),
                }
            }
        }
    }
}
