//! The encodings that text evidence comes in: UTF-8 or anything like it, and UTF-16 of Windows tools.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// How a source writes its characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// One byte for ASCII: UTF-8, or some older set of characters.
    #[default]
    Utf8,
    /// Two bytes, the lower one first: `powershell > file.log`.
    Utf16Le,
    /// Two bytes, the higher one first.
    Utf16Be,
}

impl Encoding {
    /// Looks at the first bytes of a source: a byte order mark, or text that is evidently UTF-16.
    ///
    /// ```
    /// use model::Encoding;
    /// assert_eq!(Encoding::detect(b"\xff\xfeI\0N\0"), Encoding::Utf16Le);
    /// assert_eq!(Encoding::detect(b"\0I\0N\0F\0O\0 \0n\0o\0d\0e"), Encoding::Utf16Be);
    /// assert_eq!(Encoding::detect(b"INFO node"), Encoding::Utf8);
    /// ```
    pub fn detect(head: &[u8]) -> Encoding {
        match head {
            // UTF-32, which nobody writes logs in.
            [0xff, 0xfe, 0, 0, ..] => return Encoding::Utf8,
            [0xff, 0xfe, ..] => return Encoding::Utf16Le,
            [0xfe, 0xff, ..] => return Encoding::Utf16Be,
            _ => {}
        }
        // Without a mark: nearly every unit is ASCII in the same half. Holes of zeros tell nothing.
        let (mut low, mut high, mut other) = (0u32, 0u32, 0u32);
        for unit in head.chunks_exact(2) {
            let text = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b | 0x20..=0x7e);
            match (unit[0], unit[1]) {
                (0, 0) => {}
                (byte, 0) if text(byte) => low += 1,
                (0, byte) if text(byte) => high += 1,
                _ => other += 1,
            }
        }
        match (low, high) {
            (4.., 0) if other * 4 < low => Encoding::Utf16Le,
            (0, 4..) if other * 4 < high => Encoding::Utf16Be,
            _ => Encoding::Utf8,
        }
    }

    /// Returns the name that manifests keep.
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Utf16Le => "utf-16le",
            Encoding::Utf16Be => "utf-16be",
        }
    }

    /// Returns the text of raw bytes; half a character at an end becomes a replacement character.
    ///
    /// ```
    /// use model::Encoding;
    /// assert_eq!(&*Encoding::Utf16Le.to_utf8(b"o\0k\0"), b"ok");
    /// assert_eq!(&*Encoding::Utf8.to_utf8(b"as it \xff is"), b"as it \xff is");
    /// ```
    pub fn to_utf8(self, raw: &[u8]) -> Cow<'_, [u8]> {
        if self == Encoding::Utf8 {
            return Cow::Borrowed(raw);
        }
        let (units, rest) = raw.as_chunks::<2>();
        let units = units.iter().map(|unit| self.unit(*unit));
        let mut text: String = char::decode_utf16(units)
            .map(|decoded| decoded.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        if !rest.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        Cow::Owned(text.into_bytes())
    }

    /// Returns the number that two bytes write.
    pub fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Encoding::Utf16Be => u16::from_be_bytes(bytes),
            Encoding::Utf16Le | Encoding::Utf8 => u16::from_le_bytes(bytes),
        }
    }

    /// Returns how many bytes the first line of `raw` has, its line feed included; `None` if no line
    /// feed is in it. `raw` begins at a character.
    ///
    /// ```
    /// use model::Encoding;
    /// assert_eq!(Encoding::Utf16Le.line_length(b"\x0a\x0aa\0\n\0b\0"), Some(6));
    /// assert_eq!(Encoding::Utf8.line_length(b"a\nb"), Some(2));
    /// ```
    pub fn line_length(self, raw: &[u8]) -> Option<usize> {
        match self {
            Encoding::Utf8 => raw.iter().position(|byte| *byte == b'\n').map(|at| at + 1),
            _ => {
                let (units, _) = raw.as_chunks::<2>();
                let at = units
                    .iter()
                    .position(|unit| self.unit(*unit) == u16::from(b'\n'))?;
                Some(2 * (at + 1))
            }
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = String;

    fn from_str(name: &str) -> Result<Encoding, String> {
        [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be]
            .into_iter()
            .find(|encoding| encoding.as_str() == name)
            .ok_or_else(|| format!("there is no encoding `{name}`"))
    }
}
