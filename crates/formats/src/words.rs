//! Short words and near bytes, compared and found in place: a call for each of the dozens of comparisons and
//! searches that a record needs costs more than the work itself.

use crate::lanes::{Lane, Truths, WIDTH, among_64, eight, marks_of_64, up_to_eight};
use memchr::{memchr, memchr2};

/// Whether two short words (keys) are the same. They are compared in place: a call for each of the
/// dozens of comparisons a record needs costs more than the comparison.
#[inline]
pub(crate) fn same_word(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let eight = |text: &[u8], at: usize| {
        let word: Option<[u8; 8]> = text.get(at..at + 8).and_then(|word| word.try_into().ok());
        word.map(u64::from_le_bytes)
    };
    match a.len() {
        0..8 => up_to_eight(a) == up_to_eight(b),
        8..=16 => {
            let last = a.len() - 8;
            eight(a, 0) == eight(b, 0) && eight(a, last) == eight(b, last)
        }
        17..=32 => {
            let last = a.len() - 8;
            let same = |at: usize| eight(a, at) == eight(b, at);
            same(0) && same(8) && same(last - 8) && same(last)
        }
        _ => a == b,
    }
}

/// Whether a text begins with another, compared in place as in [`same_word`].
#[inline]
pub(crate) fn begins_with(text: &[u8], start: &[u8]) -> bool {
    text.get(..start.len())
        .is_some_and(|text| same_word(text, start))
}

/// Makes a number of a word of up to seven bytes, one that none has of a longer one: words are then compared
/// without a call.
#[inline]
pub(crate) fn packed(word: &[u8]) -> u64 {
    match word.len() {
        0..8 => up_to_eight(word) | (word.len() as u64) << 56,
        _ => u64::MAX,
    }
}

/// The same for words that are known beforehand.
pub(crate) const fn packed_constant(word: &[u8]) -> u64 {
    assert!(word.len() < 8, "a word is too long for a number");
    let mut number = (word.len() as u64) << 56;
    let mut at = 0;
    while at < word.len() {
        number |= (word[at] as u64) << (8 * at);
        at += 1;
    }
    number
}

/// A number that a word most often shares with no other; one of up to seven bytes surely does not.
#[inline]
pub(crate) fn tag(word: &[u8]) -> u64 {
    const LONG: u64 = 1 << 63;
    let length = (word.len() as u64) << 56;
    match word.last_chunk() {
        Some(last) => {
            (up_to_eight(word) ^ u64::from_le_bytes(*last).rotate_left(31) ^ length) | LONG
        }
        None => up_to_eight(word) | length,
    }
}

/// The same of the word from `from` to `to` of a text, which is read in one piece where the text goes on behind it:
/// no branch per length, which on keys of all lengths is a branch mispredicted per key.
#[inline(always)]
pub(crate) fn tag_within(text: &[u8], from: usize, to: usize) -> u64 {
    let length = to - from;
    match text.get(from..from + 8) {
        Some(eight) if length < 8 => {
            let eight = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
            eight & !(u64::MAX << (8 * length)) | (length as u64) << 56
        }
        _ => tag(&text[from..to]),
    }
}

/// One bit of a word's length and last byte. Those of some words together are a quick no for most others.
#[inline]
pub(crate) fn end_bit(word: &[u8]) -> u64 {
    let last = word.last().copied().map_or(0, u32::from);
    1 << ((last + 7 * word.len() as u32) % 64)
}

/// Whether a word is one of some short ones.
macro_rules! is_word {
    ($word:expr, $($known:literal)|+) => {{
        let word = crate::words::packed($word);
        $((word == const { crate::words::packed_constant($known) }))|+
    }};
}
pub(crate) use is_word;

/// How far to look before memchr is called.
const NEAR: usize = 64;

/// Finds a byte that is most often near: a lane at a time, since a call of memchr costs more than such a stretch.
#[inline]
pub(crate) fn near(byte: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let found = Lane::of(&text[at..]).is(byte).marks();
        if found != 0 {
            // What is found in the zeros behind the end is not there.
            let found = at + found.trailing_zeros() as usize;
            return (found < text.len()).then_some(found);
        }
        at += WIDTH;
        if at == NEAR {
            let rest = text.get(at..)?;
            return memchr(byte, rest).map(|offset| at + offset);
        }
    }
    None
}

/// Finds a byte that is most often some lanes away, as the end of a line is: four of them in a step.
#[inline]
pub(crate) fn far(byte: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(lanes) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let found = among_64(byte, lanes);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize);
        }
        at += 64;
    }
    near(byte, &text[at..]).map(|offset| at + offset)
}

/// The places of a byte in a text from some place on, one after the other: what is looked for again and again is
/// looked for in every stretch of the text once. The byte is not 0.
pub(crate) struct Places<'t> {
    text: &'t [u8],
    byte: u8,
    /// Where the stretch begins that `marks` are of.
    at: usize,
    marks: u64,
}

impl<'t> Places<'t> {
    #[inline]
    pub(crate) fn new(byte: u8, text: &'t [u8], from: usize) -> Places<'t> {
        Places {
            text,
            byte,
            at: from,
            marks: marks_of(byte, text.get(from..).unwrap_or_default()),
        }
    }
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.marks == 0 {
            self.at += 64;
            self.marks = marks_of(self.byte, self.text.get(self.at..)?);
        }
        let place = self.at + self.marks.trailing_zeros() as usize;
        self.marks &= self.marks - 1;
        Some(place)
    }
}

/// Which of up to 64 bytes are this one.
#[inline]
fn marks_of(byte: u8, text: &[u8]) -> u64 {
    if let Some(lanes) = text.first_chunk() {
        return among_64(byte, lanes);
    }
    let mut marks = 0;
    let mut at = 0;
    while at < text.len() {
        marks |= u64::from(Lane::of(&text[at..]).is(byte).marks()) << at;
        at += WIDTH;
    }
    marks
}

/// No place of a text, nor one near any.
const NOWHERE: usize = usize::MAX / 2;

/// Where bytes of `N` kinds stand in a text: a stretch of 64 bytes is looked at once, for all kinds, and each answer is a
/// count of zeros then. What is looked for from the last answer on does not wait for bytes to be read.
pub(crate) struct Signs<'t, F, const N: usize> {
    text: &'t [u8],
    /// What of a lane is of each kind.
    kinds: F,
    /// Where the stretch begins that `marks` are of.
    at: usize,
    marks: [u64; N],
}

impl<'t, F: Fn(Lane) -> [Truths; N], const N: usize> Signs<'t, F, N> {
    /// Nothing is looked at yet: a stretch is read into its place, since marks that are handed on right after they
    /// were written are what processors wait for.
    #[inline(always)]
    pub(crate) fn new(text: &'t [u8], kinds: F) -> Signs<'t, F, N> {
        Signs {
            text,
            kinds,
            at: NOWHERE,
            marks: [0; N],
        }
    }

    #[inline(never)]
    fn look(&mut self, at: usize) {
        self.at = at;
        self.marks = marks_of_64(self.text, at, &self.kinds);
    }

    /// The first byte of a kind that stands before `to` from `from` on; `to` if there is none. It lies in the text or at
    /// its end.
    #[inline(always)]
    pub(crate) fn next(&mut self, kind: usize, mut from: usize, to: usize) -> usize {
        loop {
            let mut passed = from.wrapping_sub(self.at);
            if passed >= 64 {
                if from >= to {
                    return to;
                }
                self.look(from);
                passed = 0;
            }
            let marks = self.marks[kind] >> passed;
            if marks != 0 {
                return to.min(from + marks.trailing_zeros() as usize);
            }
            from = self.at + 64;
        }
    }
}

/// The same for either of two.
#[inline]
pub(crate) fn near2(one: u8, other: u8, text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let lane = Lane::of(&text[at..]);
        let found = lane.is(one).or(lane.is(other)).marks();
        if found != 0 {
            let found = at + found.trailing_zeros() as usize;
            return (found < text.len()).then_some(found);
        }
        at += WIDTH;
        if at == NEAR {
            let rest = text.get(at..)?;
            return memchr2(one, other, rest).map(|offset| at + offset);
        }
    }
    None
}

/// Finds a short literal by its first two bytes: the first alone is often a blank, of which a text is full.
/// Building a searcher for each look-up costs more than it saves here.
#[inline]
pub(crate) fn find(text: &[u8], literal: &[u8]) -> Option<usize> {
    match *literal {
        [first, second, ..] => find_two(text, first, second, |rest| begins_with(rest, literal)),
        [one] => near(one, text),
        [] => None,
    }
}

/// Finds two bytes where what begins with them is wanted.
#[inline(always)]
fn find_two(text: &[u8], first: u8, second: u8, wanted: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let mut at = 0;
    while at + 1 < text.len() {
        // A last stretch that is shorter than a lane is looked at with what is before it: nothing wanted is there.
        at = at.min(text.len().saturating_sub(WIDTH + 1));
        let rest = &text[at..];
        let (firsts, seconds) = match rest.first_chunk::<{ WIDTH + 1 }>() {
            Some(both) => (Lane::of(&both[..WIDTH]), Lane::of(&both[1..])),
            None => (Lane::of(rest), Lane::of(&rest[1..])),
        };
        let mut found = firsts.is(first).and(seconds.is(second)).marks();
        while found != 0 {
            let place = found.trailing_zeros() as usize;
            if rest.get(place..).is_some_and(&wanted) {
                return Some(at + place);
            }
            found &= found - 1;
        }
        at += WIDTH;
    }
    None
}

/// Kept out of those who look for literals: nearly all texts go on behind them.
#[inline(never)]
fn fewer_than_eight(text: &[u8]) -> u64 {
    up_to_eight(text)
}

/// A short text that is looked for in many others: one or two numbers tell whether it stands somewhere.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Literal {
    text: Vec<u8>,
    /// Its first eight bytes, and which of them there are.
    first: u64,
    mask: u64,
    /// Its last eight, if it has more.
    last: u64,
}

impl Literal {
    pub(crate) fn new(text: Vec<u8>) -> Literal {
        let unused = 8 * 8usize.saturating_sub(text.len()) as u32;
        Literal {
            first: up_to_eight(&text),
            mask: u64::MAX.checked_shr(unused).unwrap_or(0),
            last: text
                .last_chunk()
                .map_or(0, |last| u64::from_le_bytes(*last)),
            text,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    #[inline]
    pub(crate) fn first(&self) -> Option<u8> {
        self.text.first().copied()
    }

    /// Whether another text begins with it.
    #[inline(always)]
    pub(crate) fn begins(&self, text: &[u8]) -> bool {
        let length = self.text.len();
        let first = match text.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => fewer_than_eight(text),
        };
        if first & self.mask != self.first || text.len() < length {
            return false;
        }
        match length {
            0..=8 => true,
            9..=16 => eight(text, length - 8) == self.last,
            _ => same_word(&text[8..length], &self.text[8..]),
        }
    }

    /// Whether another text is the same.
    #[inline(always)]
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        let length = self.text.len();
        text.len() == length
            && match length {
                0..8 => up_to_eight(text) == self.first,
                8..=16 => eight(text, 0) == self.first && eight(text, length - 8) == self.last,
                _ => same_word(text, &self.text),
            }
    }

    /// Where it first stands in a text.
    #[inline]
    pub(crate) fn find(&self, text: &[u8]) -> Option<usize> {
        match *self.text {
            [first, second, ..] => find_two(text, first, second, |rest| self.begins(rest)),
            [one] => near(one, text),
            [] => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_same_or_not() {
        let words = [
            "",
            "a",
            "slot",
            "slos",
            "finalized",
            "finalised",
            "finalized_epoch",
            "finalized_epocs",
            "finalized_epoch_",
            "validator_indices_of_many",
            "validator_indices_of_manx",
        ];
        for a in words {
            for b in words {
                assert_eq!(same_word(a.as_bytes(), b.as_bytes()), a == b, "{a} {b}");
                let literal = Literal::new(a.as_bytes().to_vec());
                assert_eq!(literal.is(b.as_bytes()), a == b, "{a} {b}");
            }
        }
    }

    #[test]
    fn short_words_are_numbers_of_their_own() {
        let words = [
            "", "A", "INFO", "INF", "INFO\0", "OFNI", "WARNING", "VERBOSE",
        ];
        for a in words {
            for b in words {
                let same = packed(a.as_bytes()) == packed(b.as_bytes());
                assert_eq!(same, a == b, "{a:?} {b:?}");
            }
        }
        assert!(is_word!(b"WARN", b"INFO" | b"WARN"));
        assert!(!is_word!(b"WARNS", b"INFO" | b"WARN"));
        assert!(!is_word!(b"NOTICE12", b"INFO" | b"NOTICE1"));
    }

    #[test]
    fn tags_of_short_words_are_their_own() {
        let words = [
            "",
            "a",
            "ab",
            "slot",
            "slots",
            "headSlo",
            "headSlot",
            "headSlo\0",
            "finalized_epoch",
        ];
        for a in words {
            for b in words {
                let short = a.len() < 8;
                let same = tag(a.as_bytes()) == tag(b.as_bytes());
                assert!(same == (a == b) || !short, "{a:?} {b:?}");
            }
            // What stands around a word does not change its tag.
            for around in ["", "=", "=value", "=a longer value"] {
                let text = format!("{around}{a}{around}");
                let (from, to) = (around.len(), around.len() + a.len());
                assert_eq!(
                    tag_within(text.as_bytes(), from, to),
                    tag(a.as_bytes()),
                    "{text}"
                );
            }
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None,
            ..Default::default()
        })]

        /// What is found a word at a time is what is found byte by byte, also beside bytes that differ in a bit.
        #[test]
        fn bytes_are_found_where_they_are(
            text in proptest::collection::vec(
                proptest::sample::select(vec![b'=', b'=' ^ 1, b'=' | 0x80, b' ', b'!', b'a', 0, 0xff]),
                0..150,
            ),
            from in 0usize..150,
            step in 1usize..90,
        ) {
            let text = &text[from.min(text.len())..];
            let place = |wanted: &[u8]| text.iter().position(|c| wanted.contains(c));
            proptest::prop_assert_eq!(near(b'=', text), place(b"="));
            proptest::prop_assert_eq!(far(b'=', text), place(b"="));
            proptest::prop_assert_eq!(near2(b'=', b' ', text), place(b"= "));
            let all = (from..text.len()).filter(|at| text[*at] == b'=');
            proptest::prop_assert!(Places::new(b'=', text, from).eq(all));
            let mut signs = Signs::new(text, |lane| [lane.is(b'='), lane.within(0, b' ')]);
            for at in (0..text.len()).step_by(step) {
                for to in [at, text.len().min(at + step), text.len()] {
                    let next = |of: fn(u8) -> bool| {
                        let found = text[at..to].iter().position(|c| of(*c));
                        found.map_or(to, |found| at + found)
                    };
                    proptest::prop_assert_eq!(signs.next(0, at, to), next(|c| c == b'='));
                    proptest::prop_assert_eq!(signs.next(1, at, to), next(|c| c <= b' '));
                }
            }
            for literal in [&b"= a"[..], b"= ", b"=", b" =\0", b"\0\0"] {
                let naive = text.windows(literal.len()).position(|window| window == literal);
                proptest::prop_assert_eq!(find(text, literal), naive);
                proptest::prop_assert_eq!(Literal::new(literal.to_vec()).find(text), naive);
                for at in 0..text.len() {
                    let begins = Literal::new(text[at..].to_vec());
                    for other in [&text[at..], &text[..at], text, &text[at..(at + step).min(text.len())]] {
                        proptest::prop_assert_eq!(begins.begins(other), other.starts_with(&text[at..]));
                    }
                }
            }
        }
    }
}
