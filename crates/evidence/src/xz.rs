//! xz: any number of streams with padding between them.

use crate::input::{RawInput, Step};
use liblzma::stream::{Action, CONCATENATED, Error, Filters, Status, Stream};
use std::io;

pub(crate) const MAGIC: &[u8] = b"\xfd7zXZ\x00";

/// The most memory a decoder may take: `xz -9` needs 65 MiB.
const MEMORY_BYTES: u64 = 256 << 20;

pub(crate) struct Xz {
    decoder: Stream,
    /// What the data is called in messages.
    name: &'static str,
    ended: bool,
}

impl Xz {
    pub(crate) fn new() -> io::Result<Xz> {
        Ok(Xz {
            decoder: Stream::new_stream_decoder(MEMORY_BYTES, CONCATENATED)
                .map_err(io::Error::other)?,
            name: "xz",
            ended: false,
        })
    }

    /// Decodes LZMA data without a container, of the properties that one keeps elsewhere. Whoever calls has
    /// looked at the dictionary's size in them.
    pub(crate) fn lzma(properties: &[u8]) -> io::Result<Xz> {
        let mut filters = Filters::new();
        filters
            .lzma1_properties(properties)
            .map_err(io::Error::other)?;
        Xz::raw(&filters)
    }

    /// As [`Xz::lzma`], of LZMA2.
    pub(crate) fn lzma2(properties: &[u8]) -> io::Result<Xz> {
        let mut filters = Filters::new();
        filters
            .lzma2_properties(properties)
            .map_err(io::Error::other)?;
        Xz::raw(&filters)
    }

    fn raw(filters: &Filters) -> io::Result<Xz> {
        Ok(Xz {
            decoder: Stream::new_raw_decoder(filters).map_err(io::Error::other)?,
            name: "LZMA",
            ended: false,
        })
    }

    pub(crate) fn step(&mut self, raw: &mut RawInput, out: &mut [u8]) -> Step {
        loop {
            if self.ended {
                return Step::End;
            }
            let input = raw.fill();
            let at_end = input.is_empty();
            let action = if at_end { Action::Finish } else { Action::Run };
            let (consumed, written) = (self.decoder.total_in(), self.decoder.total_out());
            let result = self.decoder.process(input, out, action);
            let taken = (self.decoder.total_in() - consumed) as usize;
            let bytes = (self.decoder.total_out() - written) as usize;
            raw.consume(taken);
            let place = raw.offset();
            match result {
                Ok(Status::StreamEnd) => self.ended = true,
                Ok(_) if bytes == 0 && at_end => {
                    self.ended = true;
                    return Step::Truncated(format!(
                        "{} data ends early, at container byte {place}",
                        self.name
                    ));
                }
                Ok(_) => {}
                // Hands over what this call decoded first; the next call fails again, empty.
                Err(_) if bytes > 0 => {}
                Err(Error::MemLimit) => {
                    self.ended = true;
                    return Step::Damaged(format!(
                        "xz data wants more than {} MiB of memory, near container byte {place} \
                         (limit of memory)",
                        MEMORY_BYTES >> 20
                    ));
                }
                Err(_) => {
                    self.ended = true;
                    return Step::Damaged(format!(
                        "{} data is damaged near container byte {place}",
                        self.name
                    ));
                }
            }
            if bytes > 0 {
                return Step::Bytes(bytes);
            }
        }
    }
}
