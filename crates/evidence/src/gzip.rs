//! gzip, RFC 1952: any number of members, one after the other.
//!
//! The frame is read here and only the deflate stream is left to flate2, because its own reader
//! throws away what the failing call had decoded; of damaged evidence every byte counts.

use crate::input::{RawInput, Step};
use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

pub(crate) const MAGIC: &[u8] = b"\x1f\x8b";

const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

enum State {
    Header,
    Body,
    Trailer,
    Between,
    End,
}

pub(crate) struct Gzip {
    inflate: Decompress,
    crc: Crc,
    length: u32,
    state: State,
}

/// Returns what the last four bytes of a gzip file say: the length of its last member, modulo 2³².
pub(crate) fn told_length(file: &mut File, length: u64) -> io::Result<u64> {
    let mut word = [0; 4];
    file.seek(SeekFrom::Start(length.saturating_sub(4)))?;
    file.read_exact(&mut word)?;
    Ok(u64::from(u32::from_le_bytes(word)))
}

impl Gzip {
    pub(crate) fn new() -> Gzip {
        Gzip {
            inflate: Decompress::new(false),
            crc: Crc::new(),
            length: 0,
            state: State::Header,
        }
    }

    pub(crate) fn step(&mut self, raw: &mut RawInput, out: &mut [u8]) -> Step {
        loop {
            match self.state {
                State::Header => {
                    let at = raw.offset();
                    match header(raw) {
                        None => {
                            self.state = State::End;
                            return Step::Truncated(format!(
                                "gzip member at container byte {at} ends inside its header"
                            ));
                        }
                        Some(false) => {
                            self.state = State::End;
                            return Step::Damaged(format!(
                                "gzip member at container byte {at} has a broken header"
                            ));
                        }
                        Some(true) => {
                            self.inflate.reset(false);
                            self.crc.reset();
                            self.length = 0;
                            self.state = State::Body;
                        }
                    }
                }
                State::Body => {
                    let input = raw.fill();
                    let at_end = input.is_empty();
                    let (consumed, written) = (self.inflate.total_in(), self.inflate.total_out());
                    let result = self.inflate.decompress(input, out, FlushDecompress::None);
                    raw.consume((self.inflate.total_in() - consumed) as usize);
                    let bytes = (self.inflate.total_out() - written) as usize;
                    self.crc.update(&out[..bytes]);
                    self.length = self.length.wrapping_add(bytes as u32);
                    match result {
                        Ok(Status::StreamEnd) => self.state = State::Trailer,
                        Ok(_) if bytes == 0 && at_end => {
                            self.state = State::End;
                            return Step::Truncated(format!(
                                "gzip data ends early, at container byte {}",
                                raw.offset()
                            ));
                        }
                        Ok(_) => {}
                        // Hands over what this call decoded first; the next call fails again, empty.
                        Err(_) if bytes > 0 => {}
                        Err(_) => {
                            self.state = State::End;
                            return Step::Damaged(format!(
                                "gzip data is damaged near container byte {}",
                                raw.offset()
                            ));
                        }
                    }
                    if bytes > 0 {
                        return Step::Bytes(bytes);
                    }
                }
                State::Trailer => {
                    let mut trailer = [0; 8];
                    for byte in &mut trailer {
                        match raw.byte() {
                            Some(value) => *byte = value,
                            None => {
                                self.state = State::End;
                                return Step::Truncated(
                                    "gzip data ends inside its checksum".to_owned(),
                                );
                            }
                        }
                    }
                    self.state = State::Between;
                    let word = |at: usize| {
                        u32::from_le_bytes([
                            trailer[at],
                            trailer[at + 1],
                            trailer[at + 2],
                            trailer[at + 3],
                        ])
                    };
                    if word(0) != self.crc.sum() || word(4) != self.length {
                        return Step::Doubt(format!(
                            "checksum of the gzip member that ends at container byte {} does not match",
                            raw.offset()
                        ));
                    }
                }
                State::Between => {
                    // Tapes and block devices pad with zeros; gzip(1) passes over them too.
                    while raw.fill().first() == Some(&0) {
                        raw.consume(1);
                    }
                    match raw.fill().first() {
                        None => self.state = State::End,
                        Some(0x1f) => self.state = State::Header,
                        Some(_) => {
                            self.state = State::End;
                            return Step::Damaged(format!(
                                "bytes after the gzip data, from container byte {}, are not gzip",
                                raw.offset()
                            ));
                        }
                    }
                }
                State::End => return Step::End,
            }
        }
    }
}

/// Reads a member's header: `None` if the input ends in it, `false` if it is none.
fn header(raw: &mut RawInput) -> Option<bool> {
    let mut fixed = [0; 10];
    for byte in &mut fixed {
        *byte = raw.byte()?;
    }
    let flags = fixed[3];
    if fixed[..2] != *MAGIC || fixed[2] != 8 || flags & 0xe0 != 0 {
        return Some(false);
    }
    if flags & EXTRA != 0 {
        let length = u16::from_le_bytes([raw.byte()?, raw.byte()?]);
        for _ in 0..length {
            raw.byte()?;
        }
    }
    for part in [NAME, COMMENT] {
        if flags & part != 0 {
            while raw.byte()? != 0 {}
        }
    }
    if flags & HEADER_CRC != 0 {
        raw.byte()?;
        raw.byte()?;
    }
    Some(true)
}
