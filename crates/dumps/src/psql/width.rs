//! How many columns of a terminal a character takes: psql aligns by that.

use super::width_table::{WIDE, ZERO};

/// Returns the width of a character.
pub(crate) fn width(c: char) -> usize {
    let code = c as u32;
    let within = |ranges: &[(u32, u32)]| {
        let after = ranges.partition_point(|(from, _)| *from <= code);
        after > 0 && code <= ranges[after - 1].1
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
