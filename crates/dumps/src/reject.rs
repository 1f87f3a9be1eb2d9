//! What is neither row nor framing: handed on with its place, neighbours of one kind together.

use std::cell::RefCell;
use std::rc::Rc;

use crate::facts::{DumpError, Located, Trouble};
use crate::plain::Reader;

/// Where the text that is being read comes from, if it is not the dump itself: a table's data, unpacked.
pub(crate) struct Origin {
    /// Where the packed data begin in the dump.
    pub(crate) byte: u64,
    /// Why unpacking ended early.
    pub(crate) failure: Rc<RefCell<Option<String>>>,
    /// Whether a reject has said so.
    pub(crate) told: bool,
}

impl Reader<'_, '_> {
    /// Rejects the front of the window.
    pub(crate) fn reject_front(
        &mut self,
        trouble: Trouble,
        table: Option<String>,
        length: usize,
        ended: bool,
        what: &str,
    ) -> Result<(), DumpError> {
        let at = (self.input.byte(), self.input.line_number());
        let lines = self.input.consume(length) + u64::from(!ended);
        self.reject(trouble, table, at, length as u64, lines.max(1), what)
    }

    /// Rejects a stretch; neighbours of one kind become one.
    pub(crate) fn reject(
        &mut self,
        trouble: Trouble,
        table: Option<String>,
        (byte, line): (u64, u64),
        length: u64,
        lines: u64,
        what: &str,
    ) -> Result<(), DumpError> {
        if let Some(origin) = &mut self.origin {
            let mut trouble = trouble;
            let mut what = format!("{what} (byte {byte} of the table's data)");
            if trouble == Trouble::Truncated
                && let Some(failure) = &*origin.failure.borrow()
            {
                trouble = Trouble::Damaged;
                what = format!("{what}: {failure}");
                origin.told = true;
            }
            let located = Located {
                trouble,
                table,
                byte: origin.byte,
                length: 0,
                line,
                lines,
                what,
            };
            self.flush()?;
            return self.facts.reject(located, self.sink);
        }
        if let Some(pending) = &mut self.pending
            && matches!(trouble, Trouble::Other | Trouble::Unsupported)
            && pending.trouble == trouble
            && pending.table == table
            && pending.what == what
            && pending.byte + pending.length == byte
        {
            pending.length += length;
            pending.lines += lines;
            return Ok(());
        }
        self.flush()?;
        self.pending = Some(Located {
            trouble,
            table,
            byte,
            length,
            line,
            lines,
            what: what.to_owned(),
        });
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<(), DumpError> {
        match self.pending.take() {
            Some(located) => self.facts.reject(located, self.sink),
            None => Ok(()),
        }
    }
}
