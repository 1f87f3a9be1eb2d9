//! What a source looks like from its first bytes, before anybody tries to read it.

use model::Encoding;

/// The kind of content a source begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// No byte at all.
    Empty,
    /// Lines of text, possibly with odd bytes in them, possibly UTF-16 ([`Encoding::detect`]).
    Text,
    /// Not text; the word says what it seems to be, for a message to people.
    Binary(&'static str),
}

/// Beginnings of files that are no text, and what to call them.
const MAGIC: &[(&[u8], &str)] = &[
    (b"\x7fELF", "an ELF program"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"\xfd7zXZ\x00", "xz data"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"\x1f\x8b", "gzip data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (
        b"PGDMP",
        "a pg_dump archive in custom format (restore it to plain SQL with pg_restore -f)",
    ),
    (
        b"\x37\x7f\x06\x82",
        "the write-ahead log of an SQLite database (open the database once with its own program, which merges it)",
    ),
    (
        b"\x37\x7f\x06\x83",
        "the write-ahead log of an SQLite database (open the database once with its own program, which merges it)",
    ),
    (
        b"Salted__",
        "encrypted by openssl (decrypt it first: openssl enc -d)",
    ),
    (
        b"-----BEGIN PGP MESSAGE-----",
        "encrypted by PGP (decrypt it first: gpg --decrypt)",
    ),
    (
        b"age-encryption.org/",
        "encrypted by age (decrypt it first: age --decrypt)",
    ),
    (
        b"-----BEGIN AGE ENCRYPTED FILE-----",
        "encrypted by age (decrypt it first: age --decrypt)",
    ),
    (b"PAR1", "a Parquet file"),
    (b"LPKSHHRH", "a systemd journal (export it with journalctl)"),
    (b"\xff\xfe\x00\x00", "UTF-32 text"),
    (b"\xca\xfe\xba\xbe", "a Java class or Mach-O program"),
];

/// bbolt's mark (0xED0CDAED, little-endian), which stands in the first meta page behind the page's
/// header.
const BOLT: &[u8; 4] = b"\xed\xda\x0c\xed";
const BOLT_AT: usize = 16;

impl Content {
    /// Looks at the first bytes of a decoded stream (a few KiB are enough).
    ///
    /// A text log may hold NUL bytes after a crash of its machine, so a few of them, or a run of
    /// them in one place, do not make it binary: a tenth of control bytes does.
    ///
    /// ```
    /// use evidence::Content;
    /// assert_eq!(Content::sniff(b""), Content::Empty);
    /// assert_eq!(Content::sniff(b"time=\"2020-08-14\"\n\0\0"), Content::Text);
    /// assert_eq!(Content::sniff(b"\x7fELF\x02"), Content::Binary("an ELF program"));
    /// ```
    pub fn sniff(head: &[u8]) -> Content {
        if head.is_empty() {
            return Content::Empty;
        }
        if let Some((_, what)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
            return Content::Binary(what);
        }
        if head.get(BOLT_AT..BOLT_AT + 4) == Some(BOLT.as_slice()) {
            return Content::Binary(
                "a bolt database (of Prysm's validator.db, `prysm validator \
                 slashing-protection-history export` writes what is needed as JSON)",
            );
        }
        if is_otel_protobuf(head) {
            return Content::Binary(
                "OpenTelemetry's records as protobuf with lengths (let the collector's file exporter write \
                 `format: json`, or read the file back with its receiver and export it so)",
            );
        }
        if head.get(257..262) == Some(b"ustar".as_slice()) {
            return Content::Binary("a tar archive");
        }
        if Encoding::detect(head) != Encoding::Utf8 {
            return Content::Text;
        }
        // A run of NULs is a hole left by a crash; it counts as one odd byte.
        let mut odd = 0;
        let mut previous = 1;
        for &byte in head {
            let control = byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
            if control && !(byte == 0 && previous == 0) {
                odd += 1;
            }
            previous = byte;
        }
        if head.iter().all(|&byte| byte == 0) || (odd > 4 && odd * 10 > head.len()) {
            return Content::Binary("binary data");
        }
        Content::Text
    }
}

/// A length of four bytes, and within it a protobuf message whose first field, of number 1, has a length of its
/// own that fits: what the collector's file exporter writes as `format: proto`.
fn is_otel_protobuf(head: &[u8]) -> bool {
    let Some((length, [0x0a, message @ ..])) = head.split_first_chunk::<4>() else {
        return false;
    };
    let length = u64::from(u32::from_be_bytes(*length));
    let (mut field, mut bytes) = (0, 0);
    for byte in message.iter().take(5) {
        field |= u64::from(byte & 0x7f) << (7 * bytes);
        bytes += 1;
        if byte & 0x80 == 0 {
            // Four letters would be a length of half a gigabyte and more.
            return length < 1 << 28 && field > 0 && field + bytes < length;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_with_holes_stay_text() {
        let mut log = b"[2020-08-14 17:31:02]  INFO node: started\n".to_vec();
        log.extend_from_slice(&[0; 4000]);
        log.extend_from_slice(b"[2020-08-14 17:35:02]  INFO node: started\n");
        assert_eq!(Content::sniff(&log), Content::Text);
    }

    #[test]
    fn a_validators_bolt_database_is_named_with_its_export() {
        let mut page = vec![0; 16];
        page[8] = 4;
        page.extend_from_slice(b"\xed\xda\x0c\xed\x02\0\0\0\0\x10\0\0");
        page.resize(4096, 0);
        let Content::Binary(what) = Content::sniff(&page) else {
            panic!("taken for text");
        };
        assert!(
            what.contains("validator.db") && what.contains("slashing-protection-history export")
        );
    }

    #[test]
    fn noise_is_binary() {
        let noise: Vec<u8> = (0..4096u32).map(|n| (n * 7 + n / 3) as u8).collect();
        assert_eq!(Content::sniff(&noise), Content::Binary("binary data"));
        assert_eq!(Content::sniff(&[0; 512]), Content::Binary("binary data"));
        let mut utf16 = vec![0xff, 0xfe];
        utf16.extend_from_slice(b"a\0b\0");
        assert_eq!(Content::sniff(&utf16), Content::Text);
    }
}
