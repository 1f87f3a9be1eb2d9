//! Which lines belong to the record before them. The rules are written down in the crate's docs.

use crate::engine::logrus::{is_go_println, quote_still_open};
use crate::engine::{Head, Manner, Shape, chronicles, lodestar, log4j, panics, postgres};
use crate::scan::{is_key_byte, key_before, trim_end};
use memchr::{memchr, memmem};

/// One line after a record's first that starts no record itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunLine {
    /// Where it lies in the block, line feed included.
    pub(crate) start: usize,
    pub(crate) next: usize,
    /// Its text in the run's buffer.
    pub(crate) from: usize,
    pub(crate) to: usize,
    /// Whether it came through the same wrapping as the record's first line.
    pub(crate) same_way: bool,
    /// It would start a record, but [`goes_on`] with this one.
    pub(crate) own: bool,
}

/// A run of such lines.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) lines: Vec<RunLine>,
    pub(crate) text: Vec<u8>,
}

impl Run {
    pub(crate) fn clear(&mut self) {
        self.lines.clear();
        self.text.clear();
    }

    pub(crate) fn text(&self, index: usize) -> &[u8] {
        let line = self.lines[index];
        &self.text[line.from..line.to]
    }

    fn is_blank(&self, index: usize) -> bool {
        self.text(index).trim_ascii().is_empty()
    }

    /// Returns how many lines of the run belong to the record whose first line is `first`.
    pub(crate) fn belonging(
        &self,
        shape: Shape,
        first: &[u8],
        open: bool,
        manner: &Manner,
    ) -> usize {
        let end = self
            .lines
            .iter()
            .position(|line| !line.same_way)
            .unwrap_or(self.lines.len());
        match shape {
            Shape::Json(_)
            | Shape::Logfmt(_)
            | Shape::GethLogfmt
            | Shape::Roughtime
            | Shape::Journal => 0,
            Shape::Terminal | Shape::Quoted => {
                let closed = if open { self.quote_end(end, manner) } else { 0 };
                self.walk(closed, end, 8, is_evident)
            }
            Shape::TracingText | Shape::Bracketed | Shape::Regex(_) | Shape::Printed => {
                self.walk(0, end, 0, is_tracing_continuation)
            }
            Shape::Slog | Shape::SlogTracing => self.walk(0, end, 0, is_slog_continuation),
            Shape::Geth | Shape::Erigon => {
                let ruled = self.ruled(b'#', end);
                self.walk(ruled, end, 0, is_indented)
            }
            Shape::Lodestar => self.walk(0, end, 8, lodestar::goes_on),
            Shape::Nethermind => {
                let ruled = self.ruled(b'=', end);
                self.walk(ruled, end, 0, is_indented)
            }
            Shape::Log4jConsole | Shape::Log4jFile | Shape::Log4jStatus => {
                let banner = if open { self.banner_end(end) } else { 0 };
                self.walk(banner, end, 8, log4j::goes_on)
            }
            Shape::Chronicles => self.walk(0, end, 0, |text| {
                is_indented(text) && !chronicles::is_status_bar(text)
            }),
            Shape::Postgres | Shape::PostgresPart => self.postgres_end(end),
            Shape::PostgresCsv => self.csv_end(first, end),
            Shape::GoPanic => self.walk(0, end, 0, is_go_stack),
            Shape::RustPanic => self.rust_panic(first, end),
            Shape::JavaCrash => self.walk(0, end, 0, log4j::goes_on),
            Shape::DotnetCrash => self.walk(0, end, 0, is_indented),
            Shape::NodeCrash => self.node_crash(end),
            Shape::NimCrash => self.walk(0, end, 0, panics::is_nim_text),
        }
    }

    /// The number of lines through the one that closes the open quote; 0 if none does.
    fn quote_end(&self, end: usize, manner: &Manner) -> usize {
        (0..end)
            .find(|index| !quote_still_open(self.text(*index), manner))
            .map_or(0, |index| index + 1)
    }

    /// The number of lines of a message that is drawn over several: all that start no record, up to 64, and
    /// blank ones only inside.
    fn banner_end(&self, end: usize) -> usize {
        let lines = 0..end.min(64);
        lines
            .rev()
            .find(|index| !self.is_blank(*index))
            .map_or(0, |index| index + 1)
    }

    /// Walks on while lines are evident continuations, or stand before one within `reach` lines.
    fn walk(
        &self,
        from: usize,
        end: usize,
        reach: usize,
        evident: impl Fn(&[u8]) -> bool,
    ) -> usize {
        let mut taken = from;
        let mut index = from;
        while index < end {
            let text = self.text(index);
            if evident(text) {
                index += 1;
                taken = index;
                continue;
            }
            if is_go_println(text) || index - taken > reach.max(1) {
                break;
            }
            // A blank line counts only if what follows it at once is evident; other text may be
            // several lines (a wrapped message) before the stack or the fields come.
            if self.is_blank(index) && index > taken {
                break;
            }
            if !self.is_blank(index) && (reach == 0 || index - taken >= reach) {
                break;
            }
            index += 1;
        }
        taken
    }

    /// The number of lines that are parts of the message or go on with one: a blank one only inside.
    fn postgres_end(&self, end: usize) -> usize {
        let mut taken = 0;
        for index in 0..end {
            let text = self.text(index);
            if self.lines[index].own || text.first() == Some(&b'\t') || is_indented(text) {
                taken = index + 1;
            } else if !self.is_blank(index) || index > taken {
                break;
            }
        }
        taken
    }

    /// The number of lines through the one that closes the quote which csvlog's first line leaves open.
    fn csv_end(&self, first: &[u8], end: usize) -> usize {
        let mut open = postgres::csv_quote_open(first, false);
        for index in 0..end {
            if !open {
                return index;
            }
            open = postgres::csv_quote_open(self.text(index), open);
        }
        if open { 0 } else { end }
    }

    /// The number of lines through the row of `rule` that closes a block between two such rows; 0 if
    /// none begins here.
    fn ruled(&self, rule: u8, end: usize) -> usize {
        let is_rule = |text: &[u8]| text.len() >= 5 && text[..5].iter().all(|c| *c == rule);
        let closes =
            |text: &[u8]| is_rule(text) && text.trim_ascii_end().iter().all(|c| *c == rule);
        if end == 0 || !is_rule(self.text(0)) {
            return 0;
        }
        (1..end)
            .find(|index| closes(self.text(*index)))
            .map_or(0, |index| index + 1)
    }

    /// V8 leaves up to three blank lines between the parts of what it says.
    fn node_crash(&self, end: usize) -> usize {
        let mut taken = 0;
        for index in 0..end {
            if panics::is_node_text(self.text(index)) {
                taken = index + 1;
            } else if !self.is_blank(index) || index - taken >= 3 {
                break;
            }
        }
        taken
    }

    /// New Rust panics (1.73) put the message on the lines after the location, up to `note:`.
    fn rust_panic(&self, first: &[u8], end: usize) -> usize {
        let located_first = first.ends_with(b":");
        let note = (0..end.min(50)).find(|index| {
            self.text(*index).starts_with(b"note: ")
                || self.text(*index).starts_with(b"stack backtrace:")
        });
        let from = match note {
            Some(index) => index + 1,
            None if located_first && end > 0 && !self.is_blank(0) => 1,
            None => 0,
        };
        self.walk(from, end, 0, |text| {
            is_tracing_continuation(text) || text.starts_with(b"note: ")
        })
    }
}

/// Whether a line that would start a record goes on with the one that `first` starts.
pub(crate) fn goes_on(first: (&Head, &[u8]), other: (&Head, &[u8])) -> bool {
    match first.0.shape {
        Shape::GoPanic => panics::is_goroutine(other.1),
        Shape::Postgres | Shape::PostgresPart => postgres::is_part_of(first, other),
        Shape::NodeCrash => first.1.starts_with(b"<---") && other.1.starts_with(b"FATAL ERROR: "),
        _ => false,
    }
}

/// Whether a line is a continuation by its own looks: indented, a frame of a Go stack, or with fields.
fn is_evident(text: &[u8]) -> bool {
    is_indented(text) || is_go_frame(text) || has_field(text)
}

fn is_indented(text: &[u8]) -> bool {
    matches!(text.first(), Some(b' ' | b'\t')) && !text.trim_ascii().is_empty()
}

/// `github.com/prysmaticlabs/prysm/beacon-chain/sync.(*Service).f`, a URL: one word with a dot in it.
fn is_go_frame(text: &[u8]) -> bool {
    let text = text.trim_ascii_end();
    text.first().is_some_and(u8::is_ascii_alphanumeric)
        && !text.contains(&b' ')
        && text.len() > 8
        && memchr(b'.', text).is_some_and(|dot| dot + 1 < text.len())
}

/// Whether the text has a `key=value`, as wrapped lines have.
fn has_field(text: &[u8]) -> bool {
    let mut search = 0;
    while let Some(offset) = memchr(b'=', &text[search..]) {
        let equals = search + offset;
        if let Some(start) = key_before(text, 0, equals)
            && equals - start >= 2
            && text.get(equals + 1).is_none_or(|c| *c != b'=')
        {
            return true;
        }
        search = equals + 1;
    }
    false
}

/// Debug output over several lines, error chains, backtraces.
fn is_tracing_continuation(text: &[u8]) -> bool {
    is_indented(text)
        || text.starts_with(b"Caused by:")
        || text.starts_with(b"Stack backtrace:")
        || (!text.is_empty()
            && text
                .iter()
                .all(|c| matches!(c, b'}' | b')' | b']' | b',' | b' ')))
}

/// The same, frames whose indent was lost (`12: tokio::runtime::…`), and what stands behind text of
/// several lines: the last fields, of which `service` is one.
fn is_slog_continuation(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    is_tracing_continuation(text)
        || (matches!(digits, 1..=4) && text[digits..].starts_with(b": "))
        || memmem::rfind(text, b", service: ").is_some_and(|at| {
            let name = trim_end(&text[at + 11..]);
            !name.is_empty() && name.iter().all(|c| is_key_byte(*c))
        })
}

/// What a dying Go program prints.
fn is_go_stack(text: &[u8]) -> bool {
    if is_indented(text) || panics::is_goroutine(text) || is_go_frame(text) {
        return true;
    }
    for start in [
        &b"created by "[..],
        b"exit status ",
        b"[signal ",
        b"panic: ",
        b"runtime: ",
        b"goroutine ",
        b"[recovered]",
    ] {
        if text.starts_with(start) {
            return true;
        }
    }
    // `main.main()`, `github.com/…/node.(*Node).Start(0xc0001, 0x2)`, `rip    0x4379d1`.
    let word = text.iter().take_while(|c| is_key_byte(**c)).count();
    (text.ends_with(b")") && word > 0 && memchr(b'.', &text[..word]).is_some())
        || memmem::find(text, b"    0x").is_some()
}
