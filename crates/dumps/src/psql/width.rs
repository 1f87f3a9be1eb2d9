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

/// Cuts a line at columns: `runs` wide pieces with one column between them. `None` if a column
/// between is not a `|`. The last piece is the rest.
pub(crate) fn cut<'l>(line: &'l [u8], runs: &[usize]) -> Option<Vec<&'l [u8]>> {
    let mut pieces = Vec::with_capacity(runs.len());
    let mut chars = Chars { rest: line };
    for (nth, run) in runs.iter().enumerate() {
        let start = chars.rest;
        if nth + 1 == runs.len() {
            // Editors cut blanks at the end of lines, but nothing is wider than the rule.
            if text_width(start.trim_ascii_end()) > *run {
                return None;
            }
            pieces.push(start);
            break;
        }
        let mut column = 0;
        while column < *run {
            column += chars.next()?;
        }
        // Characters without width belong to what they follow.
        while chars.clone().next() == Some(0) {
            chars.next();
        }
        if column != *run || chars.rest.first() != Some(&b'|') {
            return None;
        }
        pieces.push(&start[..start.len() - chars.rest.len()]);
        chars.rest = &chars.rest[1..];
    }
    Some(pieces)
}

/// Returns the width of a text.
pub(crate) fn text_width(text: &[u8]) -> usize {
    Chars { rest: text }.sum()
}

/// Widths of the characters of a text that may be no UTF-8.
#[derive(Clone)]
struct Chars<'l> {
    rest: &'l [u8],
}

impl Iterator for Chars<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let first = *self.rest.first()?;
        if first < 0x80 {
            self.rest = &self.rest[1..];
            return Some(1);
        }
        let length = match first {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            _ => 4,
        }
        .min(self.rest.len());
        let (length, width) = match std::str::from_utf8(&self.rest[..length]) {
            Ok(text) => (length, text.chars().next().map_or(1, width)),
            Err(_) => (1, 1),
        };
        self.rest = &self.rest[length..];
        Some(width)
    }
}
