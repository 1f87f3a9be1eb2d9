//! Members of a tar archive, as far as `pg_dump -Ft` and folders that `pg_dump -Fd` wrote need it.

use std::io::{self, Read};

use crate::facts::DumpError;
use crate::input::Input;

/// Headers and data are filled up to so many bytes.
pub(super) const BLOCK: usize = 512;

/// A member of more bytes than this is nobody's; sums of such sizes do not overflow.
const LARGEST: u64 = 1 << 60;

/// A member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    /// Its name without folders.
    pub(super) name: String,
    pub(super) bytes: u64,
}

/// What stands where a header should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Header {
    Member(Member),
    /// The end mark.
    End,
    Broken,
}

/// Reads a header.
pub(super) fn header(block: &[u8]) -> Header {
    if block.len() < BLOCK {
        return Header::Broken;
    }
    if block[..BLOCK].iter().all(|&byte| byte == 0) {
        return Header::End;
    }
    let sum: u64 = block[..BLOCK]
        .iter()
        .enumerate()
        .map(|(at, &byte)| u64::from(if (148..156).contains(&at) { b' ' } else { byte }))
        .sum();
    let (Some(wanted), Some(bytes)) = (number(&block[148..156]), number(&block[124..136])) else {
        return Header::Broken;
    };
    if wanted != sum || bytes > LARGEST {
        return Header::Broken;
    }
    let name = &block[..100];
    let end = name.iter().position(|&byte| byte == 0).unwrap_or(100);
    let name = String::from_utf8_lossy(&name[..end]);
    Header::Member(Member {
        name: name.rsplit('/').next().unwrap_or_default().to_owned(),
        bytes,
    })
}

/// Octal digits, or a binary number if the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (high, low) = field.split_at(field.len().saturating_sub(8));
        let fits = high
            .iter()
            .enumerate()
            .all(|(at, &byte)| byte == if at == 0 { 0x80 } else { 0 });
        return (fits && low.len() == 8).then(|| {
            low.iter()
                .fold(0, |value, &byte| value << 8 | u64::from(byte))
        });
    }
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches(|c: char| c == ' ' || c == '\0');
    u64::from_str_radix(digits, 8).ok()
}

/// A member's data.
pub(super) struct Body<'i, 'r> {
    input: &'i mut Input<'r>,
    left: u64,
    pub(super) cut: bool,
}

impl<'i, 'r> Body<'i, 'r> {
    pub(super) fn new(input: &'i mut Input<'r>, bytes: u64) -> Body<'i, 'r> {
        Body {
            input,
            left: bytes,
            cut: false,
        }
    }

    fn advance(&mut self) -> Result<bool, DumpError> {
        if self.left > 0 && self.input.window().is_empty() && !self.input.more()? {
            self.cut = true;
            return Ok(false);
        }
        Ok(self.left > 0)
    }

    /// Passes over what was not read; returns whether all was there.
    pub(super) fn finish(mut self) -> Result<bool, DumpError> {
        while self.advance()? {
            let used = (self.input.window().len() as u64).min(self.left);
            self.input.consume_lines(used as usize, 0);
            self.left -= used;
        }
        Ok(!self.cut)
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.advance().map_err(io::Error::other)? {
            return Ok(0);
        }
        Ok(self.input.take(buffer, &mut self.left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_octal_or_binary() {
        assert_eq!(number(b"00000000017\0"), Some(15));
        assert_eq!(number(b"   17 \0"), Some(15));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Some(8 << 30));
        assert_eq!(
            number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
            None
        );
        assert_eq!(header(&[0; BLOCK]), Header::End);
        assert_eq!(header(&[7; BLOCK]), Header::Broken);
    }
}
