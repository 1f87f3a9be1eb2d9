//! `coroner parse`: one JSON object per record, reject, continuation or framing line (contract §4).

use crate::rows::write_wrappers_json;
use model::{Record, RecordSink, Reject, Span, write_fields_json, write_json_string};

/// When a record happened, as far as its piece is solved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct EntryTime {
    pub(crate) ts_us: Option<i64>,
    /// `stamp` or `wrapper`; `None` without a time.
    pub(crate) clock: Option<&'static str>,
    pub(crate) basis: &'static str,
    pub(crate) zone: Option<String>,
}

/// Writes entries as JSON lines.
pub(crate) struct EntrySink<'a, E> {
    pub(crate) source: &'a str,
    pub(crate) time: &'a mut dyn FnMut(&Record<'_>) -> EntryTime,
    pub(crate) emit: &'a mut dyn FnMut(&[u8]) -> Result<(), E>,
    pub(crate) out: Vec<u8>,
}

impl<E> EntrySink<'_, E> {
    fn open(&mut self, span: Span, lines: bool) {
        self.out.clear();
        self.out.extend_from_slice(b"{\"source\":");
        write_json_string(self.source.as_bytes(), &mut self.out);
        number(&mut self.out, "line", span.line);
        if lines {
            number(&mut self.out, "lines", span.lines_touched());
        }
        number(&mut self.out, "byte", span.byte);
        number(&mut self.out, "length", span.length);
    }

    fn close(&mut self) -> Result<(), E> {
        self.out.extend_from_slice(b"}\n");
        (self.emit)(&self.out)
    }
}

fn number(out: &mut Vec<u8>, key: &str, value: u64) {
    out.extend_from_slice(format!(",\"{key}\":{value}").as_bytes());
}

fn text(out: &mut Vec<u8>, key: &str, value: Option<&[u8]>) {
    out.extend_from_slice(format!(",\"{key}\":").as_bytes());
    match value {
        Some(value) => write_json_string(value, out),
        None => out.extend_from_slice(b"null"),
    }
}

impl<E> RecordSink for EntrySink<'_, E> {
    type Error = E;

    fn record(&mut self, record: &Record<'_>) -> Result<(), E> {
        self.open(record.span, true);
        let time = (self.time)(record);
        let out = &mut self.out;
        let stamp = record.stamp.map(|stamp| stamp.to_string());
        text(out, "stamp", stamp.as_deref().map(str::as_bytes));
        let ts = time.ts_us.map(model::time::format_utc);
        text(out, "ts", ts.as_deref().map(str::as_bytes));
        text(out, "ts_clock", time.clock.map(str::as_bytes));
        text(out, "ts_basis", Some(time.basis.as_bytes()));
        text(out, "zone", time.zone.as_deref().map(str::as_bytes));
        text(out, "format", Some(record.format.as_bytes()));
        text(
            out,
            "client",
            (!record.client.is_empty()).then_some(record.client.as_bytes()),
        );
        text(out, "component", record.component);
        text(
            out,
            "level",
            record.level.map(|level| level.name().as_bytes()),
        );
        text(
            out,
            "level_raw",
            (!record.level_raw.is_empty()).then_some(record.level_raw),
        );
        text(out, "message", Some(record.message));
        out.extend_from_slice(b",\"fields\":");
        write_fields_json(record.fields, out);
        out.extend_from_slice(b",\"wrapper\":");
        write_wrappers_json(record.wrapper, out);
        text(out, "kind", record.kind.map(str::as_bytes));
        self.close()
    }

    fn rejected(&mut self, span: Span, why: Reject) -> Result<(), E> {
        self.open(span, true);
        text(&mut self.out, "rejected", Some(why.reason().as_bytes()));
        self.close()
    }

    fn continued(&mut self, span: Span, of: u64) -> Result<(), E> {
        self.open(span, false);
        number(&mut self.out, "continues", of);
        self.close()
    }

    fn framing(&mut self, span: Span, what: &'static str) -> Result<(), E> {
        self.open(span, true);
        text(&mut self.out, "framing", Some(what.as_bytes()));
        self.close()
    }
}
