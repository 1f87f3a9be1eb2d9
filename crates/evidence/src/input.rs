//! The raw bytes under a decoder: buffered, counted and hashed.

use crate::ahead::Ahead;
use crate::layer::LayerFacts;
use crate::limits::Meter;
use crate::reader::{Digest256, digest};
use crate::tar::BLOCK;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::sync::Arc;

/// Enough to tell what a tar is: a header, and how the first member begins.
const HEAD: usize = BLOCK + 8;

/// How many raw bytes are held at once.
const BUFFER: usize = 128 * 1024;

/// Where bytes come from: a file, a layer of compression over another input, a member of an archive.
pub(crate) trait Input: Send {
    /// Reads like [`Read`]. An error of kind `UnexpectedEof` or `InvalidData` is the word of an
    /// archive on its member and is told as it is.
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize>;

    /// Ends the reading and returns what is known of the layers, the outermost first. With `whole`
    /// their bytes are read to the end, so that hashes are those of whole files.
    fn close(self: Box<Self>, whole: bool) -> Vec<LayerFacts>;
}

/// The outermost input: the file itself.
pub(crate) struct FileInput {
    reader: Box<dyn Read + Send>,
    meter: Arc<Meter>,
}

impl FileInput {
    pub(crate) fn new(reader: Box<dyn Read + Send>, meter: Arc<Meter>) -> FileInput {
        FileInput { reader, meter }
    }
}

impl Input for FileInput {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(out)?;
        self.meter.read(bytes);
        Ok(bytes)
    }

    fn close(self: Box<Self>, _: bool) -> Vec<LayerFacts> {
        Vec::new()
    }
}

/// An input of no bytes.
pub(crate) struct Nothing;

impl Input for Nothing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn close(self: Box<Self>, _: bool) -> Vec<LayerFacts> {
        Vec::new()
    }
}

/// Raw input with a window to look into. Read errors end the input and are kept for the report.
pub(crate) struct RawInput {
    reader: Box<dyn Input>,
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
    pub(crate) fn new(reader: Box<dyn Input>) -> io::Result<RawInput> {
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
        // Enough to tell a compression, and a tar from a text: a text's first line, or a block.
        while !input.eof
            && (input.end < 8 || (input.end < HEAD && !input.window().contains(&b'\n')))
        {
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

    /// Returns an input of no bytes.
    pub(crate) fn nothing() -> RawInput {
        RawInput {
            reader: Box::new(Nothing),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            read: 0,
            hasher: None,
            eof: true,
            error: None,
        }
    }

    /// Has the input below read on a thread of its own from now on.
    pub(crate) fn ahead(mut self) -> RawInput {
        self.reader = Box::new(Ahead::new(self.reader));
        self
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
        match read_some(self.reader.as_mut(), free) {
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
        match read_some(self.reader.as_mut(), out) {
            Ok(bytes) => {
                self.eof = bytes == 0;
                self.read += bytes as u64;
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(&out[..bytes]);
                }
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

    /// Returns raw bytes read, their hash if it was asked for, and what is known of the layers below.
    pub(crate) fn close(self, whole: bool) -> (u64, Option<Digest256>, Vec<LayerFacts>) {
        let below = self.reader.close(whole);
        (self.read, self.hasher.map(digest), below)
    }
}

fn read_some(reader: &mut dyn Input, out: &mut [u8]) -> io::Result<usize> {
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
