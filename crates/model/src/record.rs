//! Records, rejects and the sink that receives them.

use crate::{
    Level, Observation, Stamp,
    text::{put, put_plain_text, write_json_text},
};

/// Where a stretch of evidence lies, in decoded bytes and physical lines of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// Offset of the first byte.
    pub byte: u64,
    /// Number of bytes, the closing line feed included.
    pub length: u64,
    /// First physical line, counted from 1.
    pub line: u64,
    /// Number of physical lines that end in it (a source's last one counts as if it had its line feed): 0
    /// for an entry that shares its only line with what follows.
    pub lines: u64,
}

impl Span {
    /// Returns how many physical lines it touches at least.
    ///
    /// ```
    /// let part = model::Span { byte: 10, length: 5, line: 1, lines: 0 };
    /// assert_eq!(part.lines_touched(), 1);
    /// ```
    pub fn lines_touched(&self) -> u64 {
        self.lines.max(1)
    }
}

/// A point in a source: where the next byte lies and which line it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// Decoded bytes before it.
    pub byte: u64,
    /// Its physical line, counted from 1.
    pub line: u64,
}

impl Position {
    /// The start of a source.
    pub const START: Position = Position { byte: 0, line: 1 };
}

/// The value of a field as the line prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldValue<'a> {
    /// Text with outer quotes removed.
    Text(&'a [u8]),
    /// A JSON token as written (number, boolean, null, array, object); it keeps its type.
    Json(&'a [u8]),
}

impl<'a> FieldValue<'a> {
    /// Returns the bytes as printed.
    pub fn bytes(self) -> &'a [u8] {
        match self {
            FieldValue::Text(bytes) | FieldValue::Json(bytes) => bytes,
        }
    }
}

/// One `key=value` of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// The key as printed.
    pub key: &'a [u8],
    /// The value.
    pub value: FieldValue<'a>,
}

/// The client of lines that the machine's own programs (kernel, systemd, chronyd, sshd …) wrote into its journal.
/// They are of the machine's node, and say nothing of whether a client on it speaks.
pub const SYSTEM_CLIENT: &str = "system";

/// What one layer of wrapping (docker, journald …) said about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrapperFact<'a> {
    /// One of the kinds of contract §4, for example `journald-short`.
    pub kind: &'static str,
    /// The wrapper's own time.
    pub stamp: Option<Stamp>,
    /// Other facts in the wrapper's words, for example `("host", "node-1")`; values as printed.
    pub facts: &'a [(&'static str, &'a [u8])],
}

/// What a line tells about the true time of its stamp: how years and zones become known
/// (foundations.md §2). Formats read clues, the solver of `ingest` weighs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clue {
    /// An object of this slot was received: the true time is not before the slot's start. During
    /// a sync objects are old, so only the lower envelope of many means anything.
    ReceivedSlot(i64),
    /// The node's own idea of the current slot.
    WallSlot {
        /// The slot.
        slot: i64,
        /// How far into the slot the node thought it was; the middle of a slot where the line does
        /// not say. A timer's whole share of a slot (4, 6, 8 s) is told as of slots of 12 s.
        phase_us: i64,
        /// Whether the client may have bent this clock away from the stamp clock (Prysm with
        /// Roughtime): then it can't tell a skew from a zone.
        bendable: bool,
    },
    /// A field holds an absolute time close to now, read from the clock that also writes the stamp.
    Absolute {
        /// Microseconds since 1970 UTC.
        utc_us: i64,
    },
    /// The network that the process is on, from a start line, a genesis line or a fork digest; `None` if
    /// the line names one that nobody knows (a devnet): then slots are no time.
    Network(Option<&'static str>),
}

/// What one program said once. Borrowed: valid only while the sink looks at it.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// The physical lines it spans.
    pub span: Span,
    /// The time the line writes; `None` if it writes none.
    pub stamp: Option<Stamp>,
    /// The format's name (the definition file's stem).
    pub format: &'a str,
    /// The client, or "" if the format belongs to none.
    pub client: &'a str,
    /// Prefix, module, target or topics.
    pub component: Option<&'a [u8]>,
    /// Severity on the common scale.
    pub level: Option<Level>,
    /// Severity as printed.
    pub level_raw: &'a [u8],
    /// The message without fields; several lines are joined by line feeds.
    pub message: &'a [u8],
    /// Fields in printed order; a key may repeat.
    pub fields: &'a [Field<'a>],
    /// Layers of wrapping, outermost first.
    pub wrapper: &'a [WrapperFact<'a>],
    /// The catalogue's name for this message, for example `clock.reported_offset`.
    pub kind: Option<&'a str>,
    /// What the record means.
    pub observations: &'a [Observation<'a>],
    /// Clues to the year, date and zone of the stamp.
    pub clues: &'a [Clue],
    /// Role of the program, where the line tells: `beacon`, `validator`, `slasher`, `server`, `prover` …
    pub role: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// Returns the first field with this key.
    pub fn field(&self, key: &str) -> Option<FieldValue<'a>> {
        self.fields
            .iter()
            .find(|field| field.key == key.as_bytes())
            .map(|field| field.value)
    }
}

/// Why a stretch of evidence is no record. The text is stable: reports count by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reject {
    /// No definition claims the line.
    Unrecognised,
    /// A line longer than the limit; the bytes stay in the evidence store.
    LineTooLong,
    /// A record of more lines or bytes than the limit: the lines beyond it.
    RecordTooLong,
    /// The line has NUL or other bytes that no text log holds.
    Binary,
    /// Looks like JSON but is not.
    BrokenJson,
    /// Two formats claim the line with equal right.
    Ambiguous,
    /// The last line of a source that ends without line feed and may still grow.
    Unfinished,
    /// A collector had a message and left it out (the journal's JSON does, over 4 KiB).
    Omitted,
}

impl Reject {
    /// All reasons, in a fixed order.
    pub const ALL: [Reject; 8] = [
        Reject::Unrecognised,
        Reject::LineTooLong,
        Reject::RecordTooLong,
        Reject::Binary,
        Reject::BrokenJson,
        Reject::Ambiguous,
        Reject::Unfinished,
        Reject::Omitted,
    ];

    /// Returns the reason as people read it.
    pub fn reason(self) -> &'static str {
        match self {
            Reject::Unrecognised => "no format recognises this line",
            Reject::LineTooLong => "line longer than the limit",
            Reject::RecordTooLong => "record longer than the limit",
            Reject::Binary => "binary data",
            Reject::BrokenJson => "broken JSON",
            Reject::Ambiguous => "claimed by two formats",
            Reject::Unfinished => "last line is not finished",
            Reject::Omitted => "message left out by its collector",
        }
    }
}

/// Receives what is in one source, in file order. Together the spans tile the source.
pub trait RecordSink {
    /// What stops the run.
    type Error;

    /// Takes a record.
    fn record(&mut self, record: &Record<'_>) -> Result<(), Self::Error>;

    /// Takes what no record came from. Required: nothing is lost silently.
    fn rejected(&mut self, span: Span, why: Reject) -> Result<(), Self::Error>;

    /// Takes a later chunk (docker 16 KiB, CRI part) of the record that began on line `of`.
    fn continued(&mut self, span: Span, of: u64) -> Result<(), Self::Error> {
        let _ = (span, of);
        Ok(())
    }

    /// Takes blank lines, byte order marks, headers: bytes that frame evidence but say nothing.
    fn framing(&mut self, span: Span, what: &'static str) -> Result<(), Self::Error> {
        let _ = (span, what);
        Ok(())
    }
}

/// Up to so many fields looking back for a key is fastest. Real lines have fewer; a hostile one has a hundred
/// thousand.
const FEW_FIELDS: usize = 32;

/// Appends fields as one JSON object. A repeated key becomes `key#2`, `key#3` … (contract §4).
pub fn write_fields_json(fields: &[Field<'_>], out: &mut Vec<u8>) {
    let start = out.len();
    // What stands around key and value: `,"`, `":"` and `"`, at the end `}`.
    let length = |field: &Field<'_>| match field.value {
        FieldValue::Text(text) => field.key.len() + text.len() + 6,
        FieldValue::Json(token) => field.key.len() + token.len() + 4,
    };
    out.resize(start + fields.iter().map(length).sum::<usize>() + 1, b'}');
    if write_plain_fields(fields, &mut out[start..]).is_none() {
        out.truncate(start);
        write_any_fields(fields, out);
    }
}

/// Fills `out`, which is as long as the fields take, but for the brace at its end. `None` if a key repeats or
/// something has to be escaped, which real lines rarely have.
fn write_plain_fields(fields: &[Field<'_>], out: &mut [u8]) -> Option<()> {
    if fields.is_empty() || fields.len() > FEW_FIELDS {
        return None;
    }
    let mut rest = out;
    let mut looks = 0u64;
    let mut open = *b"{\"";
    for (index, field) in fields.iter().enumerate() {
        // A key that looks like none before is none of them.
        let sum = |byte: &u8| usize::from(*byte);
        let look = field.key.first().map_or(0, sum) + 7 * field.key.last().map_or(0, sum);
        let look = 1 << ((look + field.key.len()) % 64);
        if looks & look != 0 && fields[..index].iter().any(|other| other.key == field.key) {
            return None;
        }
        looks |= look;
        put(&open, &mut rest)?;
        put_plain_text(field.key, &mut rest)?;
        match field.value {
            FieldValue::Text(text) => {
                put(b"\":\"", &mut rest)?;
                put_plain_text(text, &mut rest)?;
                put(b"\"", &mut rest)?;
            }
            FieldValue::Json(token) => {
                put(b"\":", &mut rest)?;
                put(token, &mut rest)?;
            }
        }
        open = *b",\"";
    }
    Some(())
}

/// Writes any fields.
fn write_any_fields(fields: &[Field<'_>], out: &mut Vec<u8>) {
    let many = fields.len() > FEW_FIELDS;
    let mut counts: std::collections::HashMap<&[u8], usize> = std::collections::HashMap::new();
    for (index, field) in fields.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",\"" } else { b"{\"" });
        let earlier = if many {
            let count = counts.entry(field.key).or_default();
            *count += 1;
            *count - 1
        } else {
            fields[..index]
                .iter()
                .filter(|other| other.key == field.key)
                .count()
        };
        write_json_text(field.key, out);
        if earlier > 0 {
            out.extend_from_slice(format!("#{}", earlier + 1).as_bytes());
        }
        match field.value {
            FieldValue::Text(text) => {
                out.extend_from_slice(b"\":\"");
                write_json_text(text, out);
                out.push(b'"');
            }
            FieldValue::Json(token) => {
                out.extend_from_slice(b"\":");
                out.extend_from_slice(token);
            }
        }
    }
    if fields.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_keys_are_numbered() {
        let field = |key: &'static str, value| Field {
            key: key.as_bytes(),
            value,
        };
        let fields = [
            field("service", FieldValue::Text(b"val_mon")),
            field("n", FieldValue::Json(b"12")),
            field("service", FieldValue::Text(b"beacon")),
        ];
        let mut out = Vec::new();
        write_fields_json(&fields, &mut out);
        assert_eq!(
            out,
            br##"{"service":"val_mon","n":12,"service#2":"beacon"}"##
        );
        let plain = [
            field("n", FieldValue::Json(b"12")),
            field(
                "message",
                FieldValue::Text(b"a longer text, of several words"),
            ),
            field("m", FieldValue::Text(b"")),
        ];
        out.clear();
        write_fields_json(&plain, &mut out);
        write_fields_json(&[], &mut out);
        assert_eq!(
            out,
            br##"{"n":12,"message":"a longer text, of several words","m":""}{}"##
        );
        let mut any = Vec::new();
        write_any_fields(&plain, &mut any);
        write_any_fields(&[], &mut any);
        assert_eq!(out, any);
        let many = vec![field("k", FieldValue::Text(b"v")); 40];
        out.clear();
        write_fields_json(&many, &mut out);
        assert!(out.ends_with(br##""k#39":"v","k#40":"v"}"##));
    }
}
