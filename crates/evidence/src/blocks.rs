//! Cutting a stream into blocks whose borders depend on the content alone.
//!
//! A block is filled to a fixed size before it is cut, however the reads are split, and the cut is
//! where the caller's function says. So the same source gives the same blocks on every machine.

use memchr::{memchr, memchr_iter, memrchr};
use model::{Position, Span};
use std::io::{self, Read};

/// The usual size of a block.
pub const BLOCK_SIZE: usize = 4 * 1024 * 1024;

/// The usual limit of a line's length, its line feed included (a last line without one counts as if
/// it had one).
pub const LINE_LIMIT: usize = 1024 * 1024;

/// Reads are asked for in steps of this size.
const STEP: usize = 256 * 1024;

/// A block without a place to cut grows to this many times its size before it is cut at a line.
const GROWTH: usize = 4;

/// A stretch of a source, in order; together the pieces tile it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Whole lines (the source's last may lack its line feed).
    Block {
        /// The bytes.
        bytes: Vec<u8>,
        /// Where they begin.
        at: Position,
    },
    /// A line over the limit, which was passed by and not kept.
    LongLine {
        /// Where it lies, its line feed included.
        span: Span,
    },
}

/// Assembles blocks from a reader.
pub struct Blocks<R> {
    reader: R,
    block_size: usize,
    line_limit: usize,
    at: Position,
    /// Bytes from `at` on; only `..filled` are of the source.
    buffer: Vec<u8>,
    filled: usize,
    eof: bool,
    spare: Vec<Vec<u8>>,
    forced_cuts: u64,
    /// Cuts may stand inside lines, which then have no limit.
    inside_lines: bool,
}

impl<R: Read> Blocks<R> {
    /// Starts at the beginning of a source.
    pub fn new(reader: R, block_size: usize, line_limit: usize) -> Self {
        Blocks::starting_at(reader, Position::START, block_size, line_limit)
    }

    /// Starts at a later place, which the reader has already reached.
    pub fn starting_at(reader: R, at: Position, block_size: usize, line_limit: usize) -> Self {
        let line_limit = line_limit.max(1);
        Blocks {
            reader,
            block_size: block_size.max(line_limit),
            line_limit,
            at,
            buffer: Vec::new(),
            filled: 0,
            eof: false,
            spare: Vec::new(),
            forced_cuts: 0,
            inside_lines: false,
        }
    }

    /// Lets blocks be cut inside lines: for sources whose entries are not lines. `cut` then gets all bytes
    /// that are there, and no line is too long.
    pub fn inside_lines(mut self) -> Self {
        self.inside_lines = true;
        self
    }

    /// Returns whether the piece returned last ends the source.
    pub fn at_end(&self) -> bool {
        self.eof && self.filled == 0
    }

    /// Returns the next piece, `None` at the end.
    ///
    /// `cut` gets whole lines only and returns the last offset where they may be cut (over 0); where
    /// it finds none, the block grows fourfold and is then cut after its last line. `tap` sees every
    /// byte once, in order, before the piece it belongs to is returned.
    ///
    /// # Errors
    /// Passes on the reader's.
    pub fn next(
        &mut self,
        cut: &mut dyn FnMut(&[u8]) -> Option<usize>,
        tap: &mut dyn FnMut(&[u8]),
    ) -> io::Result<Option<Piece>> {
        let mut target = self.block_size;
        let mut checked = 0;
        loop {
            self.fill(target, tap)?;
            if self.filled == 0 {
                return Ok(None);
            }
            let (lines, long) = match self.inside_lines {
                // Never all of it: whether the source ends here is known when its end was read.
                true => (self.filled - 1, false),
                false => self.whole_lines(checked),
            };
            checked = lines;
            if long {
                // The lines before it first; they end where the long line stands.
                if lines > 0 {
                    return Ok(Some(self.take(lines)));
                }
                return self.pass_long_line(tap).map(Some);
            }
            if self.filled < target {
                // The end; a last line without line feed belongs to the block.
                return Ok(Some(self.take(self.filled)));
            }
            let shown = match self.inside_lines {
                true => self.filled,
                false => lines,
            };
            if let Some(at) = cut(&self.buffer[..shown]).filter(|at| (1..=lines).contains(at)) {
                return Ok(Some(self.take(at)));
            }
            if target >= self.block_size * GROWTH {
                self.forced_cuts += 1;
                return Ok(Some(self.take(lines)));
            }
            target += self.block_size;
        }
    }

    /// Takes back a block's buffer for another block.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < 4 && buffer.capacity() <= self.block_size * 2 {
            self.spare.push(buffer);
        }
    }

    /// Returns how many blocks were cut at a line because `cut` knew no place.
    pub fn forced_cuts(&self) -> u64 {
        self.forced_cuts
    }

    /// Returns where the next piece begins.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Returns the reader, for what it knows at the end.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Returns the reader.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Fills the buffer to `target`, or to the end.
    fn fill(&mut self, target: usize, tap: &mut dyn FnMut(&[u8])) -> io::Result<()> {
        if self.buffer.len() < target && !self.eof {
            self.buffer.resize(target, 0);
        }
        while self.filled < target && !self.eof {
            let end = target.min(self.filled + STEP);
            match self.reader.read(&mut self.buffer[self.filled..end]) {
                Ok(0) => self.eof = true,
                Ok(bytes) => {
                    tap(&self.buffer[self.filled..self.filled + bytes]);
                    self.filled += bytes;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Returns the end of the whole lines that are within the limit, and whether the next line is
    /// over it. `from` is such an end found earlier.
    fn whole_lines(&self, from: usize) -> (usize, bool) {
        let mut start = from;
        loop {
            let window = &self.buffer[start..self.filled.min(start + self.line_limit)];
            match memrchr(b'\n', window) {
                // All lines that end in a window of the limit's size are within the limit.
                Some(at) => start += at + 1,
                None => {
                    let long = self.filled - start >= self.line_limit;
                    return (start, long);
                }
            }
        }
    }

    /// Hands out the first `bytes` and keeps the rest for the next piece.
    fn take(&mut self, bytes: usize) -> Piece {
        let mut rest = self.spare.pop().unwrap_or_default();
        let left = self.filled - bytes;
        if rest.len() < left {
            rest.resize(left, 0);
        }
        rest[..left].copy_from_slice(&self.buffer[bytes..self.filled]);
        let mut block = std::mem::replace(&mut self.buffer, rest);
        self.filled = left;
        block.truncate(bytes);
        let at = self.at;
        self.at.byte += bytes as u64;
        self.at.line += memchr_iter(b'\n', &block).count() as u64;
        Piece::Block { bytes: block, at }
    }

    /// Reads past the line at the start of the buffer.
    fn pass_long_line(&mut self, tap: &mut dyn FnMut(&[u8])) -> io::Result<Piece> {
        let mut length = 0;
        loop {
            let end = memchr(b'\n', &self.buffer[..self.filled]).map(|at| at + 1);
            let passed = end.unwrap_or(self.filled);
            length += passed as u64;
            self.buffer.copy_within(passed..self.filled, 0);
            self.filled -= passed;
            if end.is_some() || (self.filled == 0 && self.eof) {
                break;
            }
            self.fill(STEP.min(self.block_size), tap)?;
        }
        let span = Span {
            byte: self.at.byte,
            length,
            line: self.at.line,
            lines: 1,
        };
        self.at.byte += length;
        self.at.line += 1;
        Ok(Piece::LongLine { span })
    }
}
