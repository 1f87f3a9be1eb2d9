//! JSON with many entries in it, wherever they lie: arrays of hits, answers of Loki, batches of
//! OpenTelemetry, exports of chats, the journal's `json-pretty`. Read token by token along the path to the
//! entries; what lies beside it is passed over.

use super::rows::Rows;
use super::{Step, chat, otel};
use crate::wrapper::object::{self, Kind};
use crate::wrapper::shipper::{Told, payload, time_of, walk_ship};
use memchr::memmem;
use std::sync::Arc;

/// What an entry is, and how it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opener {
    /// A shipper's or store's object; the kind of the layer if it tells none itself.
    Object(&'static str),
    /// `["<ns>","<line>"]` with the stream's labels around it.
    LokiValue,
    OtelRecord,
    Chat,
}

/// Where the entries of a form lie: `a.b[].c[]`.
#[derive(Debug)]
struct Layout {
    entries: &'static str,
    /// What is said of all entries that follow, and where that ends.
    contexts: &'static [&'static str],
    opener: Opener,
}

static LAYOUTS: [Layout; 10] = [
    Layout {
        entries: "resourceLogs[].scopeLogs[].logRecords[]",
        contexts: &["resourceLogs[].resource"],
        opener: Opener::OtelRecord,
    },
    Layout {
        entries: "resourceLogs[].instrumentationLibraryLogs[].logRecords[]",
        contexts: &["resourceLogs[].resource"],
        opener: Opener::OtelRecord,
    },
    Layout {
        entries: "data.result[].values[]",
        contexts: &["data.result[].stream"],
        opener: Opener::LokiValue,
    },
    Layout {
        entries: "streams[].values[]",
        contexts: &["streams[].stream"],
        opener: Opener::LokiValue,
    },
    Layout {
        entries: "hits.hits[]",
        contexts: &[],
        opener: Opener::Object("elastic"),
    },
    Layout {
        entries: "messages[]",
        contexts: &["channel"],
        opener: Opener::Chat,
    },
    Layout {
        entries: "[]",
        contexts: &[],
        opener: Opener::Object("elastic"),
    },
    Layout {
        entries: "[]",
        contexts: &[],
        opener: Opener::Object("loki"),
    },
    Layout {
        entries: "[]",
        contexts: &[],
        opener: Opener::Chat,
    },
    Layout {
        entries: "",
        contexts: &[],
        opener: Opener::Object("journald-json"),
    },
];

/// A container that is open on the way to the entries.
#[derive(Clone, Copy, Debug)]
struct Open {
    array: bool,
    /// The length of its path.
    path: u16,
}

/// Where in a JSON document a block begins.
#[derive(Clone, Debug)]
pub(super) struct Cursor {
    layout: &'static Layout,
    open: Vec<Open>,
    path: String,
    /// An entry begins here.
    at_entry: bool,
    /// What is said of the entries that follow, as a JSON object; empty if nothing is.
    context: Arc<Vec<u8>>,
}

impl Cursor {
    pub(super) fn recognise(start: &[u8]) -> Option<Cursor> {
        let text = start.trim_ascii_start();
        let head = &text[..text.len().min(16 << 10)];
        let has = |needle: &[u8]| memmem::find(head, needle).is_some();
        let first = object::blanks(head, 1);
        let layout = match head.first()? {
            b'{' => {
                let key = head.get(first..)?.strip_prefix(b"\"")?;
                let is = |name: &[u8]| {
                    key.strip_prefix(name)
                        .is_some_and(|rest| rest.first() == Some(&b'"'))
                };
                if is(b"resourceLogs") {
                    match has(b"\"instrumentationLibraryLogs\"") {
                        true => 1,
                        false => 0,
                    }
                } else if is(b"status") && has(b"\"resultType\"") && has(b"\"streams\"") {
                    2
                } else if is(b"streams") && (has(b"\"values\"") || has(b"\"stream\"")) {
                    3
                } else if (is(b"took") || is(b"_scroll_id") || is(b"hits")) && has(b"\"hits\"") {
                    4
                } else if is(b"guild") && has(b"\"channel\"") {
                    5
                } else if head[1..first].contains(&b'\n')
                    && (has(b"\"__CURSOR\"") || has(b"\"__REALTIME_TIMESTAMP\""))
                {
                    9
                } else {
                    return None;
                }
            }
            b'[' if head.get(first) == Some(&b'{') => {
                if has(b"\"_source\"") || has(b"\"_index\"") {
                    6
                } else if has(b"\"line\"") && has(b"\"timestamp\"") {
                    7
                } else if has(b"\"text\"") && has(b"\"ts\"") {
                    8
                } else if has(b"\"date\"") || has(b"\"log\"") || has(b"\"@timestamp\"") {
                    6
                } else {
                    return None;
                }
            }
            _ => return None,
        };
        Some(Cursor {
            layout: &LAYOUTS[layout],
            open: Vec::new(),
            path: String::new(),
            at_entry: false,
            context: Arc::default(),
        })
    }

    pub(super) fn step(&mut self, block: &[u8], at: usize) -> Step {
        let mut here = at;
        loop {
            if self.at_entry {
                if here > at {
                    return Step::Frame(here, "JSON around entries");
                }
                return match object::value_end(block, here) {
                    Some(end) if end < block.len() || closed(block, here, end) => {
                        self.at_entry = false;
                        self.leave_value();
                        Step::Entry(end)
                    }
                    _ => Step::More,
                };
            }
            match self.token(block, here) {
                Ok(Some(next)) => here = next,
                // The block ends.
                Ok(None) if here > at => return Step::Frame(here, "JSON around entries"),
                Ok(None) => return Step::More,
                Err(()) => {
                    let feed = memchr::memchr(b'\n', &block[here..]);
                    let end = feed.map_or(block.len(), |feed| here + feed + 1);
                    return match here > at {
                        true => Step::Frame(here, "JSON around entries"),
                        false => Step::Broken(end),
                    };
                }
            }
        }
    }

    /// Goes over one token on the way; says what is behind it.
    fn token(&mut self, block: &[u8], at: usize) -> Result<Option<usize>, ()> {
        let Some(&byte) = block.get(at) else {
            return Ok(None);
        };
        let top = self.open.last().copied();
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' | 0x1e => Ok(Some(at + 1)),
            b']' | b'}' => {
                let open = top.filter(|open| open.array == (byte == b']')).ok_or(())?;
                self.open.pop();
                self.path.truncate(open.path.into());
                self.leave_value();
                Ok(Some(at + 1))
            }
            b'"' if top.is_some_and(|open| !open.array) => {
                let Some(end) = object::string_end(block, at + 1) else {
                    return Ok(None);
                };
                let colon = object::blanks(block, end + 1);
                let value = object::blanks(block, colon + 1);
                if value >= block.len() {
                    return Ok(None);
                }
                if block[colon] != b':' || end - at > 256 {
                    return Err(());
                }
                let before = self.path.len();
                if before > 0 {
                    self.path.push('.');
                }
                let key = String::from_utf8_lossy(&block[at + 1..end]);
                self.path.push_str(&key);
                match self.value(block, value) {
                    done @ Ok(Some(_)) => done,
                    other => {
                        self.path.truncate(before);
                        other
                    }
                }
            }
            _ if top.is_none_or(|open| open.array) => {
                let before = self.path.len();
                if top.is_some() {
                    self.path.push_str("[]");
                }
                match self.value(block, at) {
                    done @ Ok(Some(_)) => done,
                    other => {
                        self.path.truncate(before);
                        other
                    }
                }
            }
            _ => Err(()),
        }
    }

    /// Looks at the value at `at`, whose path is set: an entry, on the way to entries, or passed over.
    fn value(&mut self, block: &[u8], at: usize) -> Result<Option<usize>, ()> {
        let container = matches!(block[at], b'{' | b'[');
        if self.path == self.layout.entries && (container || !self.path.is_empty()) {
            self.at_entry = true;
            return Ok(Some(at));
        }
        let on_the_way = self.layout.entries.starts_with(self.path.as_str())
            && matches!(
                self.layout.entries.as_bytes().get(self.path.len()),
                Some(b'.' | b'[')
            )
            || self.path.is_empty();
        if container && on_the_way {
            if self.layout.contexts.iter().any(|context| {
                context
                    .strip_prefix(self.path.as_str())
                    .and_then(|rest| rest.get(1..))
                    .is_some_and(|rest| !rest.contains(['.', '[']))
            }) {
                self.context = Arc::default();
            }
            self.open.push(Open {
                array: block[at] == b'[',
                path: self.path.len() as u16,
            });
            return Ok(Some(at + 1));
        }
        let Some(end) = object::value_end(block, at)
            .filter(|end| *end < block.len() || closed(block, at, *end))
        else {
            return Ok(None);
        };
        if self.layout.contexts.contains(&self.path.as_str()) {
            let name = self.path.rsplit('.').next().unwrap_or(&self.path);
            let mut context = Vec::with_capacity(end - at + name.len() + 8);
            context.extend_from_slice(b"{\"");
            context.extend_from_slice(name.as_bytes());
            context.extend_from_slice(b"\":");
            context.extend_from_slice(&block[at..end]);
            context.push(b'}');
            self.context = Arc::new(context);
        }
        self.leave_value();
        Ok(Some(end))
    }

    /// The path back to what is open.
    fn leave_value(&mut self) {
        let length = match self.open.last() {
            None => 0,
            Some(open) => open.path.into(),
        };
        self.path.truncate(length);
    }

    /// Gives up the entry that begins here.
    pub(super) fn fail(&mut self) {
        self.at_entry = false;
        self.leave_value();
    }

    pub(super) fn open(&self, entry: &[u8], rows: &mut Rows) {
        let mut scratch = std::mem::take(&mut rows.scratch);
        scratch.clear();
        scratch.extend_from_slice(&self.context);
        let at = scratch.len();
        scratch.extend_from_slice(entry);
        rows.found.clear();
        rows.out.clear();
        let found = match self.layout.opener {
            Opener::OtelRecord => otel::record(&scratch, at, &mut rows.found, &mut rows.out),
            Opener::LokiValue => loki_value(&scratch, at, rows),
            Opener::Object(known) => walk_ship(&scratch, at, known, &mut rows.found, &mut rows.out),
            Opener::Chat => {
                let from = rows.entry_start();
                if !chat::message(rows, &scratch, at, from) {
                    rows.drop_entry();
                }
                false
            }
        };
        if found {
            rows.push(&scratch);
        }
        rows.scratch = scratch;
    }
}

/// Whether a value that reaches the block's end is whole: brackets and quotes say so, numbers don't.
fn closed(block: &[u8], at: usize, end: usize) -> bool {
    end == block.len() && matches!(block[at], b'{' | b'[' | b'"')
}

/// `["<ns>","<line>",{metadata}]` behind `{"stream":{labels}}`.
fn loki_value(text: &[u8], at: usize, rows: &mut Rows) -> bool {
    let mut told = Told::default();
    if at > 0 {
        object::walk(text, 0, &mut |path, value| {
            if let Some(label) = path.strip_prefix(b"stream.") {
                told.fact(label, value);
            }
        });
    }
    if text.get(at) != Some(&b'[') {
        return false;
    }
    let next = |at: usize| object::value(text, object::blanks(text, at));
    let Some(time) = next(at + 1) else {
        return false;
    };
    let comma = object::blanks(text, time.to + usize::from(time.kind == Kind::Text));
    if text.get(comma) != Some(&b',') {
        return false;
    }
    let Some(line) = next(comma + 1).filter(|line| line.kind == Kind::Text) else {
        return false;
    };
    told.take_facts(text, &mut rows.found, &mut rows.out);
    rows.found.kind = "loki";
    rows.found.stamp = time_of(time.of(text));
    payload(text, line, &mut rows.found, &mut rows.out)
}
