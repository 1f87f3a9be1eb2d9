//! Hex runs: where they are in a text, and the number that the hash table files them under.
//!
//! A hash is filed under its first 16 digits. Runs of 16 digits and more are filed wherever they stand. Of
//! shorter ones (programs print the first 8 to 12 digits of a hash) those that follow `0x`, and those that begin
//! a word and have both a letter and a digit: other ones are numbers and words. Zeros say nothing: a word of 32 bytes that
//! begins with 12 zero bytes is an address and is filed as the address, and what then still begins with 8 zero
//! bytes (numbers, system contracts) is not filed.

use wide::u8x16;

/// Digits that a key holds.
const KEY_DIGITS: usize = 16;
/// Digits of the shortest run that is filed, and of the shortest beginning that can be asked for.
const SHORTEST: usize = 6;
/// Digits of a word of 32 bytes.
const WORD_DIGITS: usize = 64;
/// Zeros before an address in such a word.
const PADDING_DIGITS: usize = 24;
/// Bytes that are looked at together.
const WINDOW: usize = 64;
/// How far the window moves: a run that begins behind it lies in the next one.
const STEP: usize = WINDOW - SHORTEST + 1;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// As it stands.
    Plain,
    /// JSON: some characters are written as escapes.
    Json,
}

/// Passes the key of every hex run of a text that is filed to `f`, in the order of the text.
pub fn keys_in_text(text: &[u8], kind: TextKind, f: &mut dyn FnMut(u64)) {
    placed_keys_in_text(text, kind, &mut |_, key| f(key));
}

/// The same, and where each run begins.
pub fn placed_keys_in_text(text: &[u8], kind: TextKind, f: &mut dyn FnMut(usize, u64)) {
    let mut at = 0;
    let mut before = false;
    while at + SHORTEST <= text.len() {
        let digits = match text[at..].first_chunk() {
            Some(window) => digits_of(window),
            None => {
                let mut padded = [0; WINDOW];
                padded[..text.len() - at].copy_from_slice(&text[at..]);
                digits_of(&padded)
            }
        };
        // Bit by bit: six digits in a row, and none before.
        let two = digits & (digits >> 1);
        let four = two & (two >> 2);
        let after_digit = digits << 1 | u64::from(before);
        let mut starts = four & (two >> 4) & !after_digit & ((1 << STEP) - 1);
        while starts != 0 {
            let place = starts.trailing_zeros() as usize;
            starts &= starts - 1;
            // As far as a key goes the window shows how long most runs are.
            let seen = (!(digits >> place)).trailing_zeros() as usize;
            let length = (place + KEY_DIGITS <= WINDOW).then_some(seen.min(KEY_DIGITS));
            let start = at + place;
            file(text, start, length, kind, &mut |key| f(start, key));
        }
        before = (digits >> (STEP - 1)) & 1 == 1;
        at += STEP;
    }
}

/// Returns a bit for each of 64 bytes, the first one lowest: whether it is a hex digit.
#[inline]
fn digits_of(window: &[u8; WINDOW]) -> u64 {
    // Which bytes are `low` and up to `more` beyond.
    let within = |bytes: u8x16, low: u8, more: u8| {
        let above = bytes - u8x16::splat(low);
        above.min(u8x16::splat(more)).simd_eq(above)
    };
    let (lanes, _) = window.as_chunks::<16>();
    lanes.iter().rev().fold(0, |bits, lane| {
        let bytes = u8x16::new(*lane);
        let digit = within(bytes, b'0', 9);
        let letter = within(bytes | u8x16::splat(0x20), b'a', 5);
        bits << 16 | u64::from((digit | letter).to_bitmask())
    })
}

/// Files the run that begins at `start`; `length` is its length, of a longer one than a key has a key's, where
/// that is known.
#[inline]
fn file(
    text: &[u8],
    mut start: usize,
    mut length: Option<usize>,
    kind: TextKind,
    f: &mut impl FnMut(u64),
) {
    let before = |back: usize| start.checked_sub(back).map(|at| text[at]);
    let is_marked =
        matches!(before(1), Some(b'x' | b'X')) && matches!(before(2), Some(b'0' | b'\\'));
    let mut begins_word =
        before(1).is_none_or(|byte| !(byte == b'_' || byte.is_ascii_alphanumeric()));
    if kind == TextKind::Json {
        match before(1) {
            Some(b'n' | b'r' | b't') if is_escaped(text, start - 1) => begins_word = true,
            // What looks like digits is the end of an escape.
            Some(b'u') if is_escaped(text, start - 1) => {
                start += 4;
                length = None;
                begins_word = true;
            }
            Some(b'\\') if matches!(text[start], b'b' | b'f') && is_escaped(text, start) => {
                start += 1;
                length = None;
            }
            _ => {}
        }
    }
    let rest = &text[start..];
    let beginning = length.unwrap_or_else(|| length_of_run(&rest[..rest.len().min(KEY_DIGITS)]));
    let run = &rest[..beginning];
    if beginning == KEY_DIGITS {
        // Only of zeros more has to be known than the first digits.
        let run = match run.iter().all(|digit| *digit == b'0') {
            true => &rest[..length_of_run(&rest[..rest.len().min(WORD_DIGITS + 1)])],
            false => run,
        };
        return key_of_run(run).into_iter().for_each(f);
    }
    let letters = run.iter().filter(|b| b.is_ascii_alphabetic()).count();
    let is_hash = is_marked || begins_word && letters > 0 && letters < beginning;
    if beginning >= SHORTEST && is_hash {
        key_of_run(run).into_iter().for_each(f);
    }
}

/// Returns how many hex digits a text begins with.
fn length_of_run(text: &[u8]) -> usize {
    let end = text.iter().position(|byte| !byte.is_ascii_hexdigit());
    end.unwrap_or(text.len())
}

/// Whether an odd number of backslashes stands before a byte.
fn is_escaped(text: &[u8], at: usize) -> bool {
    let slashes = text[..at].iter().rev().take_while(|b| **b == b'\\');
    slashes.count() % 2 == 1
}

/// Returns the key of a run of hex digits (of a longer one at least the first 65); `None` for zeros.
fn key_of_run(run: &[u8]) -> Option<u64> {
    let is_zeros = |digits: &[u8]| digits.iter().all(|digit| *digit == b'0');
    let run = match run.len() == WORD_DIGITS && is_zeros(&run[..PADDING_DIGITS]) {
        true => &run[PADDING_DIGITS..],
        false => run,
    };
    let mut digits = [b'0'; KEY_DIGITS];
    let length = run.len().min(KEY_DIGITS);
    digits[..length].copy_from_slice(&run[..length]);
    let key = key_of_digits(digits);
    (key != 0).then_some(key)
}

/// Returns the number that 16 hex digits of either case write.
#[inline]
fn key_of_digits(digits: [u8; KEY_DIGITS]) -> u64 {
    let digits = u128::from_be_bytes(digits);
    let all = |byte: u8| u128::from_ne_bytes([byte; KEY_DIGITS]);
    // Letters have bit 6 and count on from 10; no sum leaves its byte.
    let values = (digits & all(0x0f)) + (digits >> 6 & all(1)) * 9;
    // Two digits to a byte, then bytes beside each other.
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff_00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0xffff_0000_ffff_0000_ffff_0000_ffff;
    let eights = (fours | fours >> 16) & 0xffff_ffff_0000_0000_ffff_ffff;
    (eights | eights >> 32) as u64
}

/// Returns the key of bytes that a database holds; `None` for fewer than 8, and for zeros.
pub fn key_of_bytes(bytes: &[u8]) -> Option<u64> {
    let padding = PADDING_DIGITS / 2;
    let bytes = match bytes.split_at_checked(padding) {
        Some((zeros, address))
            if bytes.len() == WORD_DIGITS / 2 && zeros.iter().all(|byte| *byte == 0) =>
        {
            address
        }
        _ => bytes,
    };
    let key = u64::from_be_bytes(*bytes.first_chunk()?);
    (key != 0).then_some(key)
}

/// Returns the key of a text that is a hash and nothing else, with or without `0x` or `\x`.
pub(crate) fn key_of_text(text: &[u8]) -> Option<u64> {
    let digits = [&b"0x"[..], b"0X", b"\\x"]
        .iter()
        .find_map(|mark| text.strip_prefix(*mark))
        .unwrap_or(text);
    let is_hash = digits.len() >= KEY_DIGITS && digits.iter().all(u8::is_ascii_hexdigit);
    is_hash.then(|| key_of_run(digits)).flatten()
}

/// The keys of all hashes that begin with some digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub from: u64,
    /// The last one.
    pub to: u64,
    /// Whether every run in a text that begins so is filed, and not only hashes: it cannot be a number.
    pub covers_text: bool,
}

impl KeyRange {
    /// Takes hex digits, without `0x`. `None` if there are fewer than six, or only zeros: then the table
    /// cannot tell.
    pub fn of_digits(digits: &str) -> Option<KeyRange> {
        let all = digits.as_bytes();
        if all.len() < SHORTEST || !all.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let first = &all[..all.len().min(KEY_DIGITS)];
        let from = u64::from_str_radix(std::str::from_utf8(first).ok()?, 16).ok()?;
        if from == 0 {
            return None;
        }
        let free = 4 * (KEY_DIGITS - first.len());
        let letters = all.iter().filter(|b| b.is_ascii_alphabetic()).count();
        Some(KeyRange {
            from: from << free,
            to: from << free | ((1u64 << free) - 1),
            covers_text: all.len() >= KEY_DIGITS || (letters > 0 && letters < all.len()),
        })
    }

    /// The range that holds one key.
    pub(crate) fn one(key: u64) -> KeyRange {
        KeyRange {
            from: key,
            to: key,
            covers_text: false,
        }
    }

    /// Returns the bounds as the table holds them: keys are stored as signed numbers of the same bits, and
    /// those of a range agree in the first digit.
    pub(crate) fn stored(self) -> (i64, i64) {
        (self.from as i64, self.to as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str, kind: TextKind) -> Vec<String> {
        let mut keys = Vec::new();
        keys_in_text(text.as_bytes(), kind, &mut |key| {
            keys.push(format!("{key:016x}"));
        });
        keys
    }

    const HASH: &str = "0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";

    #[test]
    fn runs_are_found_wherever_they_stand() {
        // Every place in and around the window's edges, with neighbours that are no digits.
        for blanks in 0..200 {
            let text = format!("{}{HASH}, next", " ".repeat(blanks));
            assert_eq!(
                keys(&text, TextKind::Plain),
                ["0bbbcf153f17ec0e"],
                "{blanks}"
            );
            let text = format!("{}0xAb12cD,", "é".repeat(blanks));
            assert_eq!(
                keys(&text, TextKind::Plain),
                ["ab12cd0000000000"],
                "{blanks}"
            );
            let text = format!("{}ab12cd", "gh ".repeat(blanks));
            assert_eq!(
                keys(&text, TextKind::Plain),
                ["ab12cd0000000000"],
                "{blanks}"
            );
        }
        let long = format!("0x{}", "a1".repeat(5_000));
        assert_eq!(keys(&long, TextKind::Plain), ["a1a1a1a1a1a1a1a1"]);
    }

    #[test]
    fn what_is_no_hash_is_not_filed() {
        for (text, expected) in [
            ("slot=1234567 decade 2023-09-18", ""),
            (
                "root=0x1234567 0xdecade",
                "1234567000000000 decade0000000000",
            ),
            ("0x12345 0xab1", ""),
            ("x1a2b3c4 _1a2b3c4 z1a2b3c4", ""),
            (
                "0x1a2b3c4 -1a2b3c4 \\x1a2b3c4",
                "1a2b3c4000000000 1a2b3c4000000000 1a2b3c4000000000",
            ),
            ("x1234567890123456789", "1234567890123456"),
            (
                "0x0000000000000000000000000000000000000000000000000000000000008008",
                "",
            ),
            (
                "0x000000000000000000000000d8da6bf26964af9d7eed9e03e53415d37aa96045",
                "d8da6bf26964af9d",
            ),
            (
                "d8da6bf26964af9d7eed9e03e53415d37aa96045",
                "d8da6bf26964af9d",
            ),
            ("0x000000000000000000008008", ""),
        ] {
            assert_eq!(keys(text, TextKind::Plain).join(" "), expected, "{text}");
        }
    }

    #[test]
    fn escapes_of_json_are_no_digits() {
        for (text, expected) in [
            (r#"{"a":"\n1a2b3c4"}"#, "1a2b3c4000000000"),
            (r#"{"a":"\u001b1a2b3c4d"}"#, "1a2b3c4d00000000"),
            (r#"{"a":"\u001b1a"}"#, ""),
            (r#"{"a":"\f1a2b3c4"}"#, "1a2b3c4000000000"),
            (r#"{"a":"\\x1a2b3c4"}"#, "1a2b3c4000000000"),
            (r#"{"a":"\\b1a2b3c4"}"#, "b1a2b3c400000000"),
        ] {
            assert_eq!(keys(text, TextKind::Json).join(" "), expected, "{text}");
        }
        assert_eq!(
            keys(r"path\b1a2b3c4", TextKind::Plain),
            ["b1a2b3c400000000"]
        );
    }

    #[test]
    fn digits_are_told_from_all_other_bytes() {
        for byte in 0..=255u8 {
            for place in 0..WINDOW {
                let mut window = [b'z'; WINDOW];
                window[place] = byte;
                let expected = u64::from(byte.is_ascii_hexdigit()) << place;
                assert_eq!(digits_of(&window), expected, "{byte} at {place}");
            }
        }
    }

    #[test]
    fn bytes_text_and_runs_have_one_key() {
        let bytes: Vec<u8> = (0..32u8).map(|n| n * 7 + 3).collect();
        let text: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let key = key_of_bytes(&bytes).unwrap();
        assert_eq!(key_of_text(format!("0x{text}").as_bytes()), Some(key));
        assert_eq!(key_of_text(text.as_bytes()), Some(key));
        assert_eq!(keys(&text, TextKind::Plain), [format!("{key:016x}")]);
        let range = KeyRange::of_digits(&text[..7]).unwrap();
        assert!(range.from <= key && key <= range.to);
        assert_eq!(KeyRange::of_digits(&text).unwrap().from, key);

        let mut padded = vec![0; 12];
        padded.extend_from_slice(&bytes[..20]);
        assert_eq!(key_of_bytes(&padded), Some(key));
        assert_eq!(key_of_bytes(&bytes[..20]), Some(key));
        assert_eq!(key_of_bytes(&[0; 32]), None);
        assert_eq!(key_of_bytes(&bytes[..7]), None);
        assert_eq!(key_of_text(b"0x1a2b"), None);
        assert_eq!(
            key_of_text(format!("hash {text}").as_bytes()),
            None,
            "not the hash alone"
        );
    }

    #[test]
    fn beginnings_are_ranges() {
        let range = |digits: &str| {
            KeyRange::of_digits(digits).map(|range| {
                let KeyRange {
                    from,
                    to,
                    covers_text,
                } = range;
                (format!("{from:016x}"), format!("{to:016x}"), covers_text)
            })
        };
        let some = |from: &str, to: &str, covers| Some((from.to_owned(), to.to_owned(), covers));
        assert_eq!(
            range("0bbbcf"),
            some("0bbbcf0000000000", "0bbbcfffffffffff", true)
        );
        assert_eq!(
            range("123456"),
            some("1234560000000000", "123456ffffffffff", false)
        );
        assert_eq!(
            range("FFffff"),
            some("ffffff0000000000", "ffffffffffffffff", false)
        );
        assert_eq!(
            range("1234567890123456"),
            some("1234567890123456", "1234567890123456", true)
        );
        assert_eq!(range("12345"), None);
        assert_eq!(range("000000"), None);
        assert_eq!(range("00000000000000001234"), None);
        assert_eq!(range("12345g"), None);
    }
}
