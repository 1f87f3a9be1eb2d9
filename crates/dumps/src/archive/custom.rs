//! Blocks of a custom archive: a kind, the entry's number, then chunks with their lengths.

use std::io::{self, Read};

use super::toc::{Fault, Fields, Numbers};
use crate::facts::DumpError;
use crate::input::Input;

/// How a block ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// By its end mark.
    Whole,
    /// The archive ends inside of it.
    Cut,
    /// Its chunks make no sense.
    Broken(String),
}

/// The chunks of a block, as one stream of packed bytes.
pub(super) struct Chunks<'i, 'r> {
    input: &'i mut Input<'r>,
    numbers: Numbers,
    /// Bytes of the chunk at hand that were not given yet.
    left: u64,
    /// Where the next block begins, if that is known: no chunk reaches beyond.
    limit: Option<u64>,
    pub(super) end: Option<End>,
}

impl<'i, 'r> Chunks<'i, 'r> {
    pub(super) fn new(
        input: &'i mut Input<'r>,
        numbers: Numbers,
        limit: Option<u64>,
    ) -> Chunks<'i, 'r> {
        Chunks {
            input,
            numbers,
            left: 0,
            limit,
            end: None,
        }
    }

    /// Goes to the next byte of a chunk; `false` behind the last.
    fn advance(&mut self) -> Result<bool, DumpError> {
        while self.left == 0 && self.end.is_none() {
            let mut fields = Fields {
                input: self.input,
                numbers: self.numbers,
            };
            match fields.int() {
                Ok(0) => self.end = Some(End::Whole),
                Ok(length) if length > 0 => {
                    self.left = length as u64;
                    let end = self.input.byte() + self.left;
                    if self.limit.is_some_and(|limit| end >= limit) {
                        self.left = 0;
                        let what = format!("a chunk of {length} bytes reaches into the next block");
                        self.end = Some(End::Broken(what));
                    }
                }
                Ok(length) => {
                    self.end = Some(End::Broken(format!("a chunk of {length} bytes")));
                }
                Err(Fault::Cut) => self.end = Some(End::Cut),
                Err(Fault::Broken(what)) => self.end = Some(End::Broken(what)),
                Err(Fault::Stopped(error)) => return Err(error),
            }
        }
        if self.left > 0 && self.input.window().is_empty() && !self.input.more()? {
            self.left = 0;
            self.end = Some(End::Cut);
        }
        Ok(self.left > 0)
    }

    /// Passes over what was not read; returns how the block ended.
    pub(super) fn finish(mut self) -> Result<End, DumpError> {
        while self.advance()? {
            let used = (self.input.window().len() as u64).min(self.left);
            self.input.consume_lines(used as usize, 0);
            self.left -= used;
        }
        Ok(self.end.unwrap_or(End::Whole))
    }
}

impl Read for Chunks<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.advance().map_err(io::Error::other)? {
            return Ok(0);
        }
        Ok(self.input.take(buffer, &mut self.left))
    }
}
