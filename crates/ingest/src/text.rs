//! A source as text the parsers read: UTF-16 is decoded, and every place in the text leads back to a byte
//! of the original, which is what references count and what the case keeps.

use crate::rows::BlockRows;
use case::EvidenceWriter;
use evidence::{Content, OffsetMap, SourceReader, Utf16Reader};
use model::{Encoding, Span};
use std::io::{self, Read};

/// Bytes looked at to tell what a source is.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// Says why nothing of a source is read; `None` if it is text.
pub(crate) fn refused(reader: &mut SourceReader) -> Option<String> {
    if reader.too_deep() {
        return Some(
            "is packed in more layers than are taken off (limit of depth): unpack it yourself"
                .to_owned(),
        );
    }
    let head = reader.peek(HEAD_BYTES);
    if dumps::sniff(head).is_some() {
        return None;
    }
    match Content::sniff(head) {
        Content::Empty => Some("is empty".to_owned()),
        Content::Binary(what) => Some(format!("is {what}, not text: nothing in it was read")),
        Content::Text => None,
    }
}

/// A source's text.
pub(crate) enum Text {
    Plain(Box<SourceReader>),
    Utf16(Box<Utf16Reader<Copied>>),
}

/// The original of a decoded text, which the case keeps.
pub(crate) struct Copied {
    reader: SourceReader,
    evidence: Option<EvidenceWriter>,
}

impl Read for Copied {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.read(out)?;
        if let Some(evidence) = &mut self.evidence {
            evidence.write(&out[..bytes]).map_err(io::Error::other)?;
        }
        Ok(bytes)
    }
}

impl Text {
    /// Reads text from `at` on, which the reader has reached. The evidence writer is taken if what is
    /// read is not what is kept; else it is left to the caller.
    pub(crate) fn new(
        reader: SourceReader,
        encoding: Encoding,
        at: u64,
        evidence: &mut Option<EvidenceWriter>,
    ) -> Text {
        match encoding {
            Encoding::Utf8 => Text::Plain(Box::new(reader)),
            _ => {
                let original = Copied {
                    reader,
                    evidence: evidence.take(),
                };
                Text::Utf16(Box::new(Utf16Reader::new(original, encoding, at)))
            }
        }
    }

    /// Reads text that is not kept.
    pub(crate) fn only_read(mut reader: SourceReader) -> Text {
        let encoding = Encoding::detect(reader.peek(HEAD_BYTES));
        Text::new(reader, encoding, 0, &mut None)
    }

    /// Returns the way back to the original.
    pub(crate) fn places(&self) -> Places {
        Places(match self {
            Text::Plain(_) => None,
            Text::Utf16(reader) => Some(reader.map()),
        })
    }

    /// Returns the reader of the source, and the evidence writer if it was taken.
    pub(crate) fn into_source(self) -> (SourceReader, Option<EvidenceWriter>) {
        match self {
            Text::Plain(reader) => (*reader, None),
            Text::Utf16(reader) => {
                let Copied { reader, evidence } = reader.into_inner();
                (reader, evidence)
            }
        }
    }
}

impl Read for Text {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Text::Plain(reader) => reader.read(out),
            Text::Utf16(reader) => reader.read(out),
        }
    }
}

/// Leads from places in the text to those in the original.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Option<OffsetMap>);

impl Places {
    /// Returns where a span of the text lies in the original.
    pub(crate) fn span(&self, span: Span) -> Span {
        match &self.0 {
            None => span,
            Some(map) => {
                let byte = map.original(span.byte);
                let length = map.original(span.byte + span.length) - byte;
                Span {
                    byte,
                    length,
                    ..span
                }
            }
        }
    }

    /// Moves the rows of a block to their places in the original.
    pub(crate) fn rows(&self, rows: &mut BlockRows) {
        if self.0.is_none() {
            return;
        }
        for (byte, length) in rows.byte.iter_mut().zip(&mut rows.length) {
            let span = self.span(Span {
                byte: *byte as u64,
                length: *length as u64,
                line: 0,
                lines: 0,
            });
            (*byte, *length) = (span.byte as i64, span.length as i64);
        }
        for (span, _) in &mut rows.rejects {
            *span = self.span(*span);
        }
    }

    /// Takes note that nothing before an offset of the text will be asked for.
    pub(crate) fn done_before(&self, byte: u64) {
        if let Some(map) = &self.0 {
            map.forget_before(byte);
        }
    }
}
