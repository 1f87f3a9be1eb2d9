//! Documents: sources whose entries are not lines. One entry over several lines (CSV with quoted cells, the
//! journal's export), or several in one (a batch of OpenTelemetry, an array of hits, an answer of Loki).
//!
//! What a source is, is recognised from its first bytes ([`Catalogue::document`]). A [`Document`] is then a
//! cursor: it knows where in the document a block begins, so that blocks can be cut between entries
//! ([`Parser::cut_document`]) and parsed apart from each other. Each entry is opened into *rows*: the payload,
//! what the wrapper said of it, and the stretch of the source it came from. From there on a row is a line
//! like any other, and may be wrapped further.
//!
//! Brackets, commas and headers between entries are framing. What cannot be read is rejected to the end of
//! its line, or up to [`ENTRY_BYTES`], and the next entry is looked for behind it.
//!
//! [`Catalogue::document`]: crate::Catalogue::document
//! [`Parser::cut_document`]: crate::Parser::cut_document

mod chat;
mod csv;
mod journal;
mod json;
mod otel;
mod rows;

pub(crate) use rows::{RowKind, Rows, Source};

use memchr::memchr;
use std::sync::Arc;

/// The longest entry: the limit of a record. What is longer is rejected.
const ENTRY_BYTES: usize = 1 << 20;

/// A source whose entries are not lines, and where in it a block begins. Made by
/// [`Catalogue::document`](crate::Catalogue::document), moved on by
/// [`Parser::cut_document`](crate::Parser::cut_document).
#[derive(Clone, Debug)]
pub struct Document {
    form: Form,
    /// An entry was broken: the next one is looked for behind the next line feed.
    lost: bool,
}

#[derive(Clone, Debug)]
enum Form {
    Csv(Arc<csv::Csv>, bool),
    Export,
    Verbose,
    Json(json::Cursor),
}

/// What comes next in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Bytes up to here frame entries.
    Frame(usize, &'static str),
    /// An entry up to here.
    Entry(usize),
    /// Up to here nothing can be read.
    Broken(usize),
    /// The block ends before it is clear.
    More,
}

impl Document {
    /// Says whether a source that begins like this is a document.
    pub(crate) fn recognise(start: &[u8]) -> Option<Document> {
        let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        let form = if journal::begins_export(start) {
            Form::Export
        } else if journal::begins_verbose(start) {
            Form::Verbose
        } else if let Some(cursor) = json::Cursor::recognise(start) {
            Form::Json(cursor)
        } else {
            Form::Csv(Arc::new(csv::Csv::recognise(start)?), true)
        };
        Some(Document { form, lost: false })
    }

    /// The next step from `at` on, which is before the end; `last` says that nothing follows the block.
    fn step(&mut self, block: &[u8], at: usize, last: bool) -> Step {
        if self.lost {
            let feed = memchr(b'\n', &block[at..]);
            self.lost = feed.is_none();
            return Step::Broken(feed.map_or(block.len(), |feed| at + feed + 1));
        }
        // An entry that is not done within the limit is broken.
        let limit = block.len().min(at + ENTRY_BYTES);
        let within = &block[..limit];
        let step = match &mut self.form {
            Form::Csv(csv, header) => {
                let step = csv.step(within, at, last && limit == block.len());
                match step {
                    Step::Entry(end) if *header => {
                        *header = false;
                        Step::Frame(end, "csv header")
                    }
                    step => step,
                }
            }
            Form::Export => journal::export_step(within, at, last && limit == block.len()),
            Form::Verbose => journal::verbose_step(within, at, last && limit == block.len()),
            Form::Json(cursor) => cursor.step(within, at),
        };
        match step {
            // Too long for an entry: the next one is looked for behind the limit.
            Step::More if limit < block.len() => {
                self.fail();
                let feed = memchr(b'\n', &block[limit..]);
                self.lost = feed.is_none();
                Step::Broken(feed.map_or(block.len(), |feed| limit + feed + 1))
            }
            Step::More if last => Step::Broken(block.len()),
            step => step,
        }
    }

    /// Goes over a whole block, to where the next one begins.
    pub fn pass(&mut self, block: &[u8]) {
        let mut at = 0;
        while at < block.len() {
            match self.step(block, at, true) {
                Step::Frame(end, _) | Step::Entry(end) | Step::Broken(end) => at = end,
                Step::More => break,
            }
        }
    }

    /// Says that it isn't known where the next entry begins.
    pub(crate) fn lose(&mut self) {
        self.fail();
        self.lost = true;
    }

    fn fail(&mut self) {
        if let Form::Json(cursor) = &mut self.form {
            cursor.fail();
        }
    }

    /// Opens the entry `block[from..to]` into rows.
    fn open(&self, block: &[u8], from: usize, to: usize, rows: &mut Rows) {
        let entry = &block[from..to];
        match &self.form {
            Form::Csv(csv, _) => csv.open(entry, rows),
            Form::Export => journal::open_export(entry, rows),
            Form::Verbose => journal::open_verbose(entry, rows),
            Form::Json(cursor) => cursor.open(entry, rows),
        }
    }

    /// Reads a block into rows.
    pub(crate) fn unfold(&self, block: &[u8], from: usize, last: bool, rows: &mut Rows) {
        let mut cursor = self.clone();
        rows.clear();
        let mut at = from;
        while at < block.len() {
            // Blocks end where entries do.
            match cursor.step(block, at, true) {
                Step::Frame(end, what) => {
                    rows.plain(RowKind::Frame(what), at, end);
                    at = end;
                }
                Step::Entry(end) => {
                    rows.begin(at, end);
                    cursor.open(block, at, end, rows);
                    rows.end();
                    at = end;
                }
                Step::Broken(end) => {
                    rows.plain(RowKind::Broken, at, end);
                    at = end;
                }
                Step::More => {
                    rows.plain(RowKind::Broken, at, block.len());
                    at = block.len();
                }
            }
        }
        rows.count_lines(block, last);
    }

    /// Finds the places between entries of a block, the last ones first: at most `most`, each with the
    /// document as it stands there. Never the block's beginning.
    pub(crate) fn borders(&self, block: &[u8], most: usize) -> Vec<(usize, Document)> {
        let mut cursor = self.clone();
        let mut found = std::collections::VecDeque::new();
        let mut at = 0;
        while at < block.len() {
            let before = cursor.clone();
            match cursor.step(block, at, false) {
                Step::Frame(end, _) | Step::Broken(end) => at = end,
                Step::Entry(end) => {
                    if at > 0 {
                        if found.len() == most {
                            found.pop_front();
                        }
                        found.push_back((at, before));
                    }
                    at = end;
                }
                Step::More => break,
            }
        }
        found.into_iter().rev().collect()
    }
}
