//! xz: any number of streams with padding between them.

use crate::input::{RawInput, Step};
use liblzma::stream::{Action, CONCATENATED, Error, Status, Stream};
use std::io;

pub(crate) const MAGIC: &[u8] = b"\xfd7zXZ\x00";

/// The most memory a decoder may take: `xz -9` needs 65 MiB.
const MEMORY_BYTES: u64 = 256 << 20;

pub(crate) struct Xz {
    decoder: Stream,
    ended: bool,
}

impl Xz {
    pub(crate) fn new() -> io::Result<Xz> {
        Ok(Xz {
            decoder: Stream::new_stream_decoder(MEMORY_BYTES, CONCATENATED)
                .map_err(io::Error::other)?,
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
                        "xz data ends early, at container byte {place}"
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
                        "xz data is damaged near container byte {place}"
                    ));
                }
            }
            if bytes > 0 {
                return Step::Bytes(bytes);
            }
        }
    }
}
