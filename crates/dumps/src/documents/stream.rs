//! A document as it comes: blanks, values and places, over a window that grows only as far as one
//! value needs.

use super::json::{Fault, Scan, is_blank};
use crate::facts::{DumpError, Located, Trouble};
use crate::input::Input;
use crate::rows::Place;

/// Longest value that is read as one.
pub(crate) const VALUE_BYTES: usize = 64 << 20;

/// What stands at the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole value of so many bytes.
    Value(usize),
    /// None that is valid.
    Wrong(Fault),
    /// One of more than [`VALUE_BYTES`].
    Long,
}

/// The document.
pub(crate) struct Stream<'i, 'r> {
    input: &'i mut Input<'r>,
}

impl<'i, 'r> Stream<'i, 'r> {
    /// Begins behind the mark of UTF-8, if there is one.
    pub(crate) fn new(input: &'i mut Input<'r>) -> Result<Self, DumpError> {
        let mut stream = Stream { input };
        stream.fill(3)?;
        if stream.window().starts_with(b"\xef\xbb\xbf") {
            stream.take(3);
        }
        Ok(stream)
    }

    /// Tries to have so many bytes in the window.
    fn fill(&mut self, size: usize) -> Result<(), DumpError> {
        while self.window().len() < size && self.input.more()? {}
        Ok(())
    }

    pub(crate) fn window(&self) -> &[u8] {
        self.input.window()
    }

    /// Skips blanks and returns the byte behind them.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, DumpError> {
        loop {
            let window = self.input.window();
            match window.iter().position(|&byte| !is_blank(byte)) {
                Some(0) => return Ok(window.first().copied()),
                Some(blanks) => {
                    self.take(blanks);
                }
                None => {
                    let all = window.len();
                    self.take(all);
                    if !self.input.more()? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Finds the end of the value at the front.
    pub(crate) fn value(&mut self) -> Result<Found, DumpError> {
        let mut scan = Scan::new();
        loop {
            match scan.end(self.input.window()) {
                Ok(length) => return Ok(Found::Value(length)),
                Err(Fault::Cut) => {}
                Err(fault) => return Ok(Found::Wrong(fault)),
            }
            if self.window().len() > VALUE_BYTES {
                return Ok(Found::Long);
            }
            if !self.input.more()? {
                return Ok(match scan.ends_here() {
                    true => Found::Value(self.window().len()),
                    false => Found::Wrong(Fault::Cut),
                });
            }
        }
    }

    /// Where the next bytes lie.
    pub(crate) fn place(&self, length: usize) -> Place {
        Place {
            line: self.input.line_number(),
            byte: self.input.byte(),
            length: length as u64,
        }
    }

    /// Gives up bytes of the window.
    pub(crate) fn take(&mut self, length: usize) {
        self.input.consume(length);
    }

    /// Gives up the rest of the line, as something that could not be read.
    pub(crate) fn bad_line(
        &mut self,
        trouble: Trouble,
        what: String,
    ) -> Result<Located, DumpError> {
        let place = self.place(0);
        let (length, _) = self.input.skip_line()?;
        Ok(located(trouble, place, length, 1, what))
    }

    /// Gives up everything that follows, as something that could not be read.
    pub(crate) fn bad_rest(
        &mut self,
        trouble: Trouble,
        what: String,
    ) -> Result<Located, DumpError> {
        let place = self.place(0);
        loop {
            let held = self.input.window().len();
            self.take(held);
            if !self.input.more()? {
                break;
            }
        }
        let length = self.input.byte() - place.byte;
        let lines = self.input.line_number() - place.line + 1;
        Ok(located(trouble, place, length, lines, what))
    }
}

/// A place that could not be read.
pub(crate) fn located(
    trouble: Trouble,
    place: Place,
    length: u64,
    lines: u64,
    what: String,
) -> Located {
    Located {
        trouble,
        table: None,
        byte: place.byte,
        length,
        line: place.line,
        lines,
        what,
    }
}

/// Where a part of a text lies that itself lies at `whole`.
pub(crate) fn within(whole: Place, text: &[u8], at: usize, length: usize) -> Place {
    Place {
        line: whole.line + memchr::memchr_iter(b'\n', &text[..at]).count() as u64,
        byte: whole.byte + at as u64,
        length: length as u64,
    }
}
