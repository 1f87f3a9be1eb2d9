//! Short words and near bytes, compared and found in place: a call for each of the dozens of comparisons and
//! searches that a record needs costs more than the work itself.

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
        0..8 => a.iter().zip(b).all(|(a, b)| a == b),
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

/// Makes a number of a word of up to seven bytes, 0 of a longer one: words are then compared without a call.
#[inline]
pub(crate) const fn packed(word: &[u8]) -> u64 {
    if word.len() > 7 {
        return 0;
    }
    let mut number = word.len() as u64;
    let mut at = 0;
    while at < word.len() {
        number = number << 8 | word[at] as u64;
        at += 1;
    }
    number
}

/// Whether a word is one of some short ones.
macro_rules! is_word {
    ($word:expr, $($known:literal)|+) => {{
        let word = crate::words::packed($word);
        $((word == const { crate::words::packed($known) }))|+
    }};
}
pub(crate) use is_word;

/// The bytes of a word that are zero, as high bits; the lowest mark is exact, and none counts above it.
#[inline]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & LOW << 7
}

/// A one in every byte.
const LOW: u64 = 0x0101_0101_0101_0101;
/// How far to look before memchr is called.
const NEAR: usize = 64;

/// Finds a byte that is most often near: a word at a time, since a call of memchr costs more than such a stretch.
#[inline]
pub(crate) fn near(byte: u8, text: &[u8]) -> Option<usize> {
    let wanted = LOW * u64::from(byte);
    let mut at = 0;
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let found = zeros(u64::from_le_bytes(*bytes) ^ wanted);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at == NEAR {
            return memchr(byte, &text[at..]).map(|offset| at + offset);
        }
    }
    let rest = text[at..].iter().position(|c| *c == byte)?;
    Some(at + rest)
}

/// The same for either of two.
#[inline]
pub(crate) fn near2(one: u8, other: u8, text: &[u8]) -> Option<usize> {
    let (first, second) = (LOW * u64::from(one), LOW * u64::from(other));
    let mut at = 0;
    while let Some(bytes) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*bytes);
        let found = zeros(word ^ first) | zeros(word ^ second);
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
        if at == NEAR {
            return memchr2(one, other, &text[at..]).map(|offset| at + offset);
        }
    }
    let rest = text[at..].iter().position(|c| *c == one || *c == other)?;
    Some(at + rest)
}

/// Finds a short literal. Building a searcher for each look-up costs more than it saves here.
#[inline]
pub(crate) fn find(text: &[u8], literal: &[u8]) -> Option<usize> {
    let first = *literal.first()?;
    let mut from = 0;
    while let Some(offset) = near(first, &text[from..]) {
        let at = from + offset;
        if begins_with(&text[at..], literal) {
            return Some(at);
        }
        from = at + 1;
    }
    None
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
        ) {
            let text = &text[from.min(text.len())..];
            let place = |wanted: &[u8]| text.iter().position(|c| wanted.contains(c));
            proptest::prop_assert_eq!(near(b'=', text), place(b"="));
            proptest::prop_assert_eq!(near2(b'=', b' ', text), place(b"= "));
            let literal = b"= a";
            let naive = text.windows(literal.len()).position(|window| window == literal);
            proptest::prop_assert_eq!(find(text, literal), naive);
        }
    }
}
