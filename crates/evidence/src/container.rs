//! The raw bytes under a decoder: buffered, counted and hashed.

use crate::reader::{Digest256, digest};
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// How many raw bytes are held at once.
const BUFFER: usize = 128 * 1024;

/// Raw input with a window to look into. Read errors end the input and are kept for the report.
pub(crate) struct RawInput {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    read: u64,
    hasher: Option<Sha256>,
    eof: bool,
    error: Option<io::Error>,
}

impl RawInput {
    /// Reads the first bytes; an error here is the caller's to report, since nothing was read yet.
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> io::Result<RawInput> {
        let mut input = RawInput {
            reader,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            read: 0,
            hasher: None,
            eof: false,
            error: None,
        };
        while input.end < 8 && !input.eof {
            input.more();
        }
        match (input.end, input.error.take()) {
            (0, Some(error)) => Err(error),
            (_, error) => {
                input.error = error;
                Ok(input)
            }
        }
    }

    /// Starts to hash; what lies in the window counts, so call it before consuming.
    pub(crate) fn hash(&mut self) {
        let mut hasher = Sha256::new();
        hasher.update(&self.buffer[..self.end]);
        self.hasher = Some(hasher);
    }

    /// Returns what is in the window.
    pub(crate) fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Takes bytes off the window.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// Returns the window, refilled if it was empty; empty at the end.
    pub(crate) fn fill(&mut self) -> &[u8] {
        if self.start == self.end && !self.eof {
            self.start = 0;
            self.end = 0;
            self.more();
        }
        self.window()
    }

    /// Appends to the window.
    fn more(&mut self) {
        let free = &mut self.buffer[self.end..];
        match read_some(&mut self.reader, free) {
            Ok(0) => self.eof = true,
            Ok(bytes) => {
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(&free[..bytes]);
                }
                self.end += bytes;
                self.read += bytes as u64;
            }
            Err(error) => {
                self.eof = true;
                self.error = Some(error);
            }
        }
    }

    /// Returns the next byte.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let byte = *self.fill().first()?;
        self.consume(1);
        Some(byte)
    }

    /// Reads plain bytes: the window first, then past the buffer straight into `out`.
    pub(crate) fn read_plain(&mut self, out: &mut [u8]) -> usize {
        if self.start < self.end {
            let bytes = out.len().min(self.end - self.start);
            out[..bytes].copy_from_slice(&self.buffer[self.start..self.start + bytes]);
            self.start += bytes;
            return bytes;
        }
        if self.eof {
            return 0;
        }
        match read_some(&mut self.reader, out) {
            Ok(bytes) => {
                self.eof = bytes == 0;
                self.read += bytes as u64;
                bytes
            }
            Err(error) => {
                self.eof = true;
                self.error = Some(error);
                0
            }
        }
    }

    /// Offset of the window in the raw input.
    pub(crate) fn offset(&self) -> u64 {
        self.read - (self.end - self.start) as u64
    }

    /// Reads on to the end, so that count and hash are those of the whole container.
    pub(crate) fn drain(&mut self) {
        while !self.eof {
            self.start = self.end;
            self.fill();
        }
    }

    /// Returns what stopped the reading, once.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Returns raw bytes read and, if it was asked for, their hash.
    pub(crate) fn facts(self) -> (u64, Option<Digest256>) {
        (self.read, self.hasher.map(digest))
    }
}

fn read_some(reader: &mut dyn Read, out: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(out) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// What a decoder met.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// So many bytes were written to the output, at least one.
    Bytes(usize),
    /// The end, and all is well.
    End,
    /// The input ended before its content did.
    Truncated(String),
    /// The content is wrong; nothing can be decoded after it.
    Damaged(String),
    /// The content is doubtful, but decoding goes on.
    Doubt(String),
}
