//! A window over a byte stream that knows where it stands: offset and line.

use std::io::{self, BufRead};

use crate::facts::DumpError;

/// First size of the window.
const WINDOW: usize = 1 << 20;

/// The window. It grows as far as its user lets it.
pub(crate) struct Input<'r> {
    /// `None`: there is nothing to read.
    reader: Option<&'r mut dyn BufRead>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    eof: bool,
    byte: u64,
    line: u64,
}

/// What [`Input::line`] found at the front of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// A line of so many bytes, line feed included.
    Full(usize),
    /// The last line, which has no line feed.
    Cut(usize),
    /// A line longer than the limit.
    Long,
    /// Nothing more.
    End,
}

impl<'r> Input<'r> {
    pub(crate) fn new(reader: &'r mut dyn BufRead) -> Self {
        Input::starting_at(reader, 0, 1)
    }

    /// The reader stands at this offset and line.
    pub(crate) fn starting_at(reader: &'r mut dyn BufRead, byte: u64, line: u64) -> Self {
        Input {
            reader: Some(reader),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            eof: false,
            byte,
            line,
        }
    }

    /// An input that is at its end.
    pub(crate) fn empty() -> Input<'static> {
        Input {
            reader: None,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            eof: true,
            byte: 0,
            line: 1,
        }
    }

    /// Offset of the window's first byte.
    pub(crate) fn byte(&self) -> u64 {
        self.byte
    }

    /// Line of the window's first byte.
    pub(crate) fn line_number(&self) -> u64 {
        self.line
    }

    pub(crate) fn window(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Reads more behind the window; `false` at the end of the stream.
    pub(crate) fn more(&mut self) -> Result<bool, DumpError> {
        let Some(reader) = self.reader.as_mut().filter(|_| !self.eof) else {
            return Ok(false);
        };
        if self.end == self.buffer.len() {
            let held = self.end - self.start;
            if held <= self.buffer.len() / 2 && self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.start = 0;
                self.end = held;
            } else {
                let size = (self.buffer.len() * 2).max(WINDOW);
                self.buffer.resize(size, 0);
            }
        }
        loop {
            match reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.eof = true;
                    return Ok(false);
                }
                Ok(n) => {
                    self.end += n;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    return Err(DumpError::Read {
                        byte: self.byte + (self.end - self.start) as u64,
                        source,
                    });
                }
            }
        }
    }

    /// Returns the first `size` bytes, or all if there are fewer.
    pub(crate) fn head(&mut self, size: usize) -> Result<&[u8], io::Error> {
        while self.window().len() < size {
            match self.more() {
                Ok(true) => {}
                Ok(false) => break,
                Err(DumpError::Read { source, .. }) => return Err(source),
                Err(DumpError::Spool(_) | DumpError::Sink(_)) => break,
            }
        }
        let window = self.window();
        Ok(&window[..window.len().min(size)])
    }

    /// Finds the end of the line at the front.
    #[inline]
    pub(crate) fn line(&mut self, limit: usize) -> Result<Line, DumpError> {
        let mut seen = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.window()[seen..]) {
                return Ok(Line::Full(seen + at + 1));
            }
            seen = self.window().len();
            if seen > limit {
                return Ok(Line::Long);
            }
            if !self.more()? {
                return Ok(match seen {
                    0 => Line::End,
                    n => Line::Cut(n),
                });
            }
        }
    }

    /// Gives up the first `n` bytes, which hold `lines` line feeds.
    #[inline]
    pub(crate) fn consume_lines(&mut self, n: usize, lines: u64) {
        debug_assert!(n <= self.end - self.start);
        self.start += n;
        self.byte += n as u64;
        self.line += lines;
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
    }

    /// Moves bytes of the window into `buffer`, at most `left` of them, which it counts down; line feeds in them are
    /// not counted.
    pub(crate) fn take(&mut self, buffer: &mut [u8], left: &mut u64) -> usize {
        let window = self.window();
        let used = buffer
            .len()
            .min(window.len())
            .min(usize::try_from(*left).unwrap_or(usize::MAX));
        buffer[..used].copy_from_slice(&window[..used]);
        self.consume_lines(used, 0);
        *left -= used as u64;
        used
    }

    /// Gives up the first `n` bytes and returns how many line feeds they hold.
    pub(crate) fn consume(&mut self, n: usize) -> u64 {
        let lines = memchr::memchr_iter(b'\n', &self.window()[..n]).count() as u64;
        self.consume_lines(n, lines);
        lines
    }

    /// Gives up everything up to and including the next line feed; returns the bytes, and whether
    /// there was a line feed.
    pub(crate) fn skip_line(&mut self) -> Result<(u64, bool), DumpError> {
        let mut skipped = 0;
        loop {
            if let Some(at) = memchr::memchr(b'\n', self.window()) {
                self.consume_lines(at + 1, 1);
                return Ok((skipped + at as u64 + 1, true));
            }
            let n = self.window().len();
            skipped += n as u64;
            self.consume_lines(n, 0);
            if !self.more()? {
                return Ok((skipped, false));
            }
        }
    }
}
