//! Large objects: no rows of a table, so they are counted, measured and located, not read.

use std::io::{self, Read};

use super::toc::Compression;
use super::unpack::unpack;

/// What is known of the large objects in one stretch of an archive.
#[derive(Debug, Default)]
pub(super) struct LargeObjects {
    objects: u64,
    /// Bytes of all, unpacked.
    bytes: u64,
    /// Number and bytes of the largest.
    largest: Option<(String, u64)>,
    /// Why one could not be unpacked to its end.
    pub(super) failed: Option<String>,
}

impl LargeObjects {
    /// Measures the next one, by its number (OID).
    pub(super) fn measure(
        &mut self,
        number: String,
        packed: impl Read,
        compression: Compression,
        file: bool,
    ) {
        let mut bytes = 0;
        let mut buffer = vec![0; 64 << 10];
        let count = || -> io::Result<()> {
            let mut unpacked = unpack(packed, compression, file)?;
            loop {
                match unpacked.read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => bytes += read as u64,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        };
        if let Err(error) = count() {
            let what =
                format!("large object {number} cannot be unpacked behind byte {bytes}: {error}");
            self.failed.get_or_insert(what);
        }
        self.objects += 1;
        self.bytes += bytes;
        if self.largest.as_ref().is_none_or(|(_, most)| bytes > *most) {
            self.largest = Some((number, bytes));
        }
    }

    /// Says how many there are and how large, in words.
    pub(super) fn told(&self) -> String {
        let bytes = self.bytes;
        match (self.objects, &self.largest) {
            (1, Some((number, _))) => {
                format!("large object {number} of {bytes} bytes, which is no row of a table")
            }
            (objects, Some((number, most))) => format!(
                "{objects} large objects of {bytes} bytes in all, the largest {number} with {most}, \
                 which are no rows of a table"
            ),
            (_, None) => "a block for large objects, without any".to_owned(),
        }
    }
}
