//! zlib streams, as custom archives hold them, by a decoder that is sure: it gives every byte up to the one where a
//! stream is broken or cut, and says that and where.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// Unpacks a stream up to its end, or up to the byte where it is broken or cut.
pub(super) struct Zlib<R> {
    packed: R,
    decoder: Decompress,
    ended: bool,
    /// Found behind bytes that were given first.
    broken: bool,
}

impl<R: BufRead> Zlib<R> {
    pub(super) fn new(packed: R) -> Zlib<R> {
        Zlib {
            packed,
            decoder: Decompress::new(true),
            ended: false,
            broken: false,
        }
    }
}

impl<R: BufRead> Read for Zlib<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !self.broken && !buffer.is_empty() {
            let packed = self.packed.fill_buf()?;
            let end = packed.is_empty();
            let before = (self.decoder.total_in(), self.decoder.total_out());
            let flush = match end {
                true => FlushDecompress::Finish,
                false => FlushDecompress::None,
            };
            let status = self.decoder.decompress(packed, buffer, flush);
            let used = self.decoder.total_in() - before.0;
            let made = self.decoder.total_out() - before.1;
            self.packed.consume(used as usize);
            match status {
                Ok(status) => self.ended = status == Status::StreamEnd,
                Err(_) => self.broken = true,
            }
            if made > 0 {
                return Ok(made as usize);
            }
            if end && !self.ended && !self.broken {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the zlib stream is cut",
                ));
            }
        }
        match self.broken {
            true => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the zlib stream is broken",
            )),
            false => Ok(0),
        }
    }
}
