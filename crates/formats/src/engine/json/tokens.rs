//! The smallest parts of JSON: what strings and numbers are made of.

/// A stretch of a string up to a quote or a backslash.
pub(super) struct Run {
    pub(super) end: usize,
    /// It has control characters.
    control: bool,
    /// It has bytes outside of ASCII.
    high: bool,
}

impl Run {
    #[inline]
    pub(super) fn is_strict(&self, line: &[u8], from: usize) -> bool {
        !self.control && (!self.high || std::str::from_utf8(&line[from..self.end]).is_ok())
    }
}

/// Finds the next quote or backslash, eight bytes at a time: strings in logs are too short for a call
/// of memchr to pay.
#[inline]
pub(super) fn plain_run(line: &[u8], from: usize) -> Option<Run> {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let (mut controls, mut highs) = (0u64, 0u64);
    let mut at = from;
    while let Some(bytes) = line.get(at..at + 8) {
        let word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let quote = word ^ (LOW * b'"' as u64);
        let slash = word ^ (LOW * b'\\' as u64);
        // The lowest marks are exact, and none counts above the first stop.
        let stop = ((quote.wrapping_sub(LOW) & !quote) | (slash.wrapping_sub(LOW) & !slash)) & HIGH;
        let control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        if stop != 0 {
            let before = (stop & stop.wrapping_neg()) - 1;
            return Some(Run {
                end: at + stop.trailing_zeros() as usize / 8,
                control: controls | (control & before) != 0,
                high: highs | (word & HIGH & before) != 0,
            });
        }
        controls |= control;
        highs |= word & HIGH;
        at += 8;
    }
    loop {
        match *line.get(at)? {
            b'"' | b'\\' => {
                return Some(Run {
                    end: at,
                    control: controls != 0,
                    high: highs != 0,
                });
            }
            byte => {
                controls |= u64::from(byte < 0x20);
                highs |= u64::from(byte >= 0x80);
                at += 1;
            }
        }
    }
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

/// The end of `true`, `false` or `null`.
#[inline]
pub(super) fn word(line: &[u8], at: usize) -> Option<usize> {
    let rest = &line[at..];
    if rest.starts_with(b"true") || rest.starts_with(b"null") {
        Some(at + 4)
    } else {
        rest.starts_with(b"false").then_some(at + 5)
    }
}

#[inline(always)]
pub(super) fn blanks(line: &[u8], at: usize) -> usize {
    match line.get(at) {
        // Most programs leave them out, which one comparison tells.
        Some(0..=b' ') => at + blank_run(&line[at..]),
        _ => at,
    }
}

#[inline(never)]
fn blank_run(text: &[u8]) -> usize {
    let blank = |c: &&u8| matches!(c, b' ' | b'\t' | b'\n' | b'\r');
    text.iter().take_while(blank).count()
}

pub(super) fn number(line: &[u8], at: usize) -> Option<usize> {
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
