//! How many columns of a terminal a character takes: psql aligns by that.

/// Ranges of characters without width of their own, as far as psql knows them.
const ZERO: [(u32, u32); 9] = [
    (0x300, 0x36f),
    (0x483, 0x489),
    (0x591, 0x5bd),
    (0x610, 0x61a),
    (0x64b, 0x65f),
    (0x200b, 0x200f),
    (0x20d0, 0x20f0),
    (0xfe00, 0xfe0f),
    (0xfe20, 0xfe2f),
];

/// Ranges of characters two columns wide (East Asian Wide and Fullwidth).
const WIDE: [(u32, u32); 14] = [
    (0x1100, 0x115f),
    (0x2e80, 0x303e),
    (0x3041, 0x33ff),
    (0x3400, 0x4dbf),
    (0x4e00, 0x9fff),
    (0xa000, 0xa4cf),
    (0xac00, 0xd7a3),
    (0xf900, 0xfaff),
    (0xfe30, 0xfe6f),
    (0xff01, 0xff60),
    (0xffe0, 0xffe6),
    (0x1f300, 0x1f64f),
    (0x1f900, 0x1f9ff),
    (0x20000, 0x3fffd),
];

/// Returns the width of a character.
pub(crate) fn width(c: char) -> usize {
    let code = c as u32;
    let within = |ranges: &[(u32, u32)]| {
        ranges
            .iter()
            .any(|(from, to)| (*from..=*to).contains(&code))
    };
    if code < 0x300 {
        1
    } else if within(&ZERO) {
        0
    } else if within(&WIDE) {
        2
    } else {
        1
    }
}

/// Returns the width of a text.
pub(crate) fn text_width(text: &[u8]) -> usize {
    Chars { rest: text }.map(|(_, width)| width).sum()
}

/// Characters of a text that may be no UTF-8 (then a byte is one, and unknown), with their widths.
#[derive(Clone)]
pub(crate) struct Chars<'l> {
    rest: &'l [u8],
}

impl<'l> Chars<'l> {
    pub(crate) fn new(text: &'l [u8]) -> Chars<'l> {
        Chars { rest: text }
    }

    /// What is behind the last character.
    pub(crate) fn rest(&self) -> &'l [u8] {
        self.rest
    }
}

impl Iterator for Chars<'_> {
    type Item = (Option<char>, usize);

    fn next(&mut self) -> Option<(Option<char>, usize)> {
        let first = *self.rest.first()?;
        if first < 0x80 {
            self.rest = &self.rest[1..];
            return Some((Some(char::from(first)), 1));
        }
        let length = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        }
        .min(self.rest.len());
        let (length, c) = match std::str::from_utf8(&self.rest[..length]) {
            Ok(text) => (length, text.chars().next()),
            Err(_) => (1, None),
        };
        self.rest = &self.rest[length..];
        Some((c, c.map_or(1, width)))
    }
}
