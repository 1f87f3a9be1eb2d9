//! A sink that keeps everything as text, and helpers to parse with it.

use formats::Catalogue;
use model::{Position, Record, RecordSink, Reject, Span, observation_kinds, write_fields_json};
use std::convert::Infallible;
use std::fmt::Write as _;

/// One entry of the sink, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Record {
        span: Span,
        text: String,
        wrapper: String,
    },
    Rejected(Span, Reject),
    Continued(Span, u64),
    Framing(Span, &'static str),
}

impl Entry {
    pub(crate) fn span(&self) -> Span {
        match self {
            Entry::Record { span, .. }
            | Entry::Rejected(span, _)
            | Entry::Continued(span, _)
            | Entry::Framing(span, _) => *span,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Seen(pub(crate) Vec<Entry>);

/// Everything a record says but where it lies and how it was wrapped.
pub(crate) fn record_text(record: &Record<'_>) -> String {
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut fields = Vec::new();
    write_fields_json(record.fields, &mut fields);
    let mut text = format!(
        "{:?} {} {} {:?} {:?} {} {:?} {} {:?} {:?}",
        record.stamp.map(|stamp| stamp.to_string()),
        record.format,
        record.client,
        record.component.map(lossy),
        record.level,
        lossy(record.level_raw),
        lossy(record.message),
        lossy(&fields),
        record.kind,
        record.role,
    );
    for observation in record.observations {
        let kind = &observation_kinds()[observation.kind];
        assert_eq!(kind.columns.len(), observation.values.len());
        let _ = write!(text, " {} {:?}", kind.name, observation.slot);
        // Only what is said: a column more in a kind changes no digest.
        for (column, value) in kind.columns.iter().zip(observation.values.iter()) {
            if let Some(value) = value {
                let _ = write!(text, " {}={value:?}", column.name);
            }
        }
    }
    let _ = write!(text, " {:?}", record.clues);
    text
}

impl RecordSink for Seen {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        let wrapper = record
            .wrapper
            .iter()
            .map(|layer| {
                let facts: Vec<String> = layer
                    .facts
                    .iter()
                    .map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)))
                    .collect();
                format!(
                    "{}[{}]{}",
                    layer.kind,
                    layer.stamp.map_or(String::new(), |stamp| stamp.to_string()),
                    facts.join(",")
                )
            })
            .collect::<Vec<_>>()
            .join(" > ");
        self.0.push(Entry::Record {
            span: record.span,
            text: record_text(record),
            wrapper,
        });
        Ok(())
    }

    fn rejected(&mut self, span: Span, why: Reject) -> Result<(), Infallible> {
        self.0.push(Entry::Rejected(span, why));
        Ok(())
    }

    fn continued(&mut self, span: Span, of: u64) -> Result<(), Infallible> {
        self.0.push(Entry::Continued(span, of));
        Ok(())
    }

    fn framing(&mut self, span: Span, what: &'static str) -> Result<(), Infallible> {
        self.0.push(Entry::Framing(span, what));
        Ok(())
    }
}

/// Parses a whole source.
pub(crate) fn parse(bytes: &[u8]) -> Vec<Entry> {
    parse_at(bytes, Position::START)
}

pub(crate) fn parse_at(bytes: &[u8], at: Position) -> Vec<Entry> {
    let mut seen = Seen::default();
    let Ok(()) = Catalogue::builtin()
        .parser()
        .parse_block(bytes, at, &mut seen);
    seen.0
}

/// The texts of the records alone.
pub(crate) fn records(bytes: &[u8]) -> Vec<String> {
    parse(bytes)
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Record { text, .. } => Some(text),
            _ => None,
        })
        .collect()
}

/// Checks that spans tile the bytes, and that lines are counted right.
#[track_caller]
pub(crate) fn assert_tiles(bytes: &[u8], entries: &[Entry]) {
    let (mut byte, mut line) = (0, 1);
    for entry in entries {
        let span = entry.span();
        assert_eq!(
            (span.byte, span.line),
            (byte, line),
            "gap or overlap before {entry:?}"
        );
        assert!(span.length > 0, "empty span: {entry:?}");
        byte += span.length;
        line += span.lines;
    }
    assert_eq!(byte, bytes.len() as u64, "the end is missing");
    let physical = bytes.split_inclusive(|c| *c == b'\n').count() as u64;
    assert_eq!(line, 1 + physical, "lines are miscounted");
}

/// Parses in parts, cut wherever the parser says it may be cut, and joins the entries.
pub(crate) fn parse_in_parts(bytes: &[u8], largest: usize) -> Vec<Entry> {
    let mut parser = Catalogue::builtin().parser();
    let mut entries = Vec::new();
    let mut from = 0;
    let mut line = 1;
    let mut window = largest;
    while from < bytes.len() {
        let end = (from + window).min(bytes.len());
        let cut = if end == bytes.len() {
            end
        } else if let Some(cut) = parser.cut_point(&bytes[from..end]) {
            from + cut
        } else {
            window *= 2;
            continue;
        };
        window = largest;
        let mut seen = Seen::default();
        let at = Position {
            byte: from as u64,
            line,
        };
        let Ok(()) = parser.parse_block(&bytes[from..cut], at, &mut seen);
        entries.append(&mut seen.0);
        line += bytes[from..cut].split_inclusive(|c| *c == b'\n').count() as u64;
        from = cut;
    }
    entries
}
