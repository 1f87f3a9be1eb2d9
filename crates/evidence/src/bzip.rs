//! bzip2: any number of streams, one after the other (pbzip2 writes them so).

use crate::input::{RawInput, Step};
use bzip2::{Decompress, Status};

pub(crate) const MAGIC: &[u8] = b"BZh";

pub(crate) struct Bzip2 {
    decoder: Option<Decompress>,
    ended: bool,
}

impl Bzip2 {
    pub(crate) fn new() -> Bzip2 {
        Bzip2 {
            decoder: None,
            ended: false,
        }
    }

    pub(crate) fn step(&mut self, raw: &mut RawInput, out: &mut [u8]) -> Step {
        loop {
            if self.ended {
                return Step::End;
            }
            let Some(decoder) = &mut self.decoder else {
                match raw.fill().first() {
                    None => self.ended = true,
                    Some(b'B') => self.decoder = Some(Decompress::new(false)),
                    // Padding of tapes.
                    Some(0) => raw.consume(1),
                    Some(_) => {
                        self.ended = true;
                        return Step::Damaged(format!(
                            "bytes after the bzip2 data, from container byte {}, are not bzip2",
                            raw.offset()
                        ));
                    }
                }
                continue;
            };
            let input = raw.fill();
            let at_end = input.is_empty();
            let (consumed, written) = (decoder.total_in(), decoder.total_out());
            let result = decoder.decompress(input, out);
            let taken = (decoder.total_in() - consumed) as usize;
            let bytes = (decoder.total_out() - written) as usize;
            raw.consume(taken);
            match result {
                Ok(Status::StreamEnd) => self.decoder = None,
                Ok(_) if bytes == 0 && at_end => {
                    self.ended = true;
                    return Step::Truncated(format!(
                        "bzip2 data ends early, at container byte {}",
                        raw.offset()
                    ));
                }
                Ok(_) => {}
                // Hands over what this call decoded first; the next call fails again, empty.
                Err(_) if bytes > 0 => {}
                Err(_) => {
                    self.ended = true;
                    return Step::Damaged(format!(
                        "bzip2 data is damaged near container byte {}",
                        raw.offset()
                    ));
                }
            }
            if bytes > 0 {
                return Step::Bytes(bytes);
            }
        }
    }
}
