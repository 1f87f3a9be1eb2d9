//! zlib streams, as custom archives hold them, by two decoders: one that is fast, one that is sure.
//!
//! The fast one cannot say how many bytes it made before it found a fault, and leaves symbols undecoded where a
//! stream is cut. So only streams that it finds whole are its own; of all others the sure one tells what is readable
//! and where they end. It also takes the two unassigned symbols of a fixed block (286 and 287, RFC 1951 section 3.2.6)
//! for the block's end, so what it made of a broken stream may go on behind the fault, until it meets another one or
//! the checksum.

use std::io::{self, BufRead, Read};

use fdeflate::Decompressor;
use flate2::{Decompress, FlushDecompress, Status};

/// How far back a stream may reach.
pub(super) const REACH: usize = 32 << 10;

/// Packed bytes that are handed to the fast decoder at once.
const PACKED: usize = 64 << 10;

/// What became of a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fast {
    /// More of it comes.
    More,
    /// It ended, and its checksum is right.
    Whole,
    /// It is cut, broken or cannot be read, somewhere behind the bytes made so far.
    Fault,
}

/// Unpacks a stream that is hoped to be whole.
pub(super) struct FastZlib<R> {
    packed: R,
    held: Vec<u8>,
    from: usize,
    to: usize,
    decoder: Decompressor,
}

impl<R: Read> FastZlib<R> {
    pub(super) fn new(packed: R) -> FastZlib<R> {
        FastZlib {
            packed,
            held: vec![0; PACKED],
            from: 0,
            to: 0,
            decoder: Decompressor::new(),
        }
    }

    /// Fills `made` from `at` on; returns where the bytes end that came, and how it goes on. What stands before `at`
    /// must be what came before: all of it, or its last [`REACH`] bytes. After a fault the bytes from `at` on are
    /// worth nothing.
    pub(super) fn fill(&mut self, made: &mut [u8], mut at: usize) -> (usize, Fast) {
        while at < made.len() {
            if self.from == self.to && !self.refill() {
                return (at, Fast::Fault);
            }
            let packed = &self.held[self.from..self.to];
            // Never told that the input ends: where it does, the stream is cut, and not for this decoder to judge.
            let Ok((used, came)) = self.decoder.read(packed, made, at, false) else {
                return (at, Fast::Fault);
            };
            self.from += used;
            at += came;
            if self.decoder.is_done() {
                return (at, Fast::Whole);
            }
            if used == 0 && came == 0 {
                return (at, Fast::Fault);
            }
        }
        (at, Fast::More)
    }

    /// Reads packed bytes; `false` if there are none.
    fn refill(&mut self) -> bool {
        (self.from, self.to) = (0, 0);
        while self.to < PACKED {
            match self.packed.read(&mut self.held[self.to..]) {
                Ok(0) => break,
                Ok(read) => self.to += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The sure decoder will meet it, and say where.
                Err(_) => break,
            }
        }
        self.to > 0
    }
}

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
