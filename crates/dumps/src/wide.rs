//! Dumps in UTF-16, as PowerShell's `>` writes whatever passes through it: read as the UTF-8 they stand for.
//!
//! All that stands behind sees the text alone and counts its bytes. Places that leave this crate are led back to bytes of
//! the original, which is what references mean and what a case keeps. Lines are the same in both.

use std::io::{self, BufRead, BufReader, Read};

use model::{Batch, Column, Encoding, OffsetMap, TableInfo, Utf16Reader};

use crate::facts::{DumpError, DumpFacts, DumpKind, Located, RowSink, SinkError, Want};
use crate::input::Input;
use crate::sniff::{HEAD, sniff_text};

/// Text that waits between the decoder and its reader.
const BUFFER: usize = 1 << 18;

/// Returns in which encoding a dump is written that begins so, and its form; `None` if it is no dump in UTF-16.
pub(crate) fn sniff(head: &[u8]) -> Option<(Encoding, DumpKind)> {
    let encoding = Encoding::detect(head);
    if encoding == Encoding::Utf8 {
        return None;
    }
    // Short cells with NUL between them look like UTF-16 without a mark.
    let marked = matches!(head, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    if !marked && sniff_text(head).is_some() {
        return None;
    }
    let text = encoding.to_utf8(&head[..head.len() & !1]);
    Some((encoding, kind_of_text(&text)?))
}

/// Says which form of a dump a text begins with that was UTF-16.
pub(crate) fn kind_of_text(head: &[u8]) -> Option<DumpKind> {
    let kind = sniff_text(&head[..head.len().min(HEAD)])?;
    // An archive that was written as text is none any more: it is refused as a plain dump, with a word on what to do.
    let binary = kind.is_archive() || kind == DumpKind::Sqlite;
    Some(if binary { DumpKind::PgDumpPlain } else { kind })
}

/// Reads UTF-16 as text; returns the way back as well.
pub(crate) fn decode<R: Read>(
    raw: R,
    encoding: Encoding,
) -> (BufReader<Utf16Reader<R>>, OffsetMap) {
    let reader = Utf16Reader::new(raw, encoding, 0);
    let map = reader.map();
    (BufReader::with_capacity(BUFFER, reader), map)
}

/// Reads a dump in UTF-16 by `read`, which is given its text.
pub(crate) fn read(
    input: Input<'_>,
    encoding: Encoding,
    want: &Want,
    sink: &mut dyn RowSink,
    read: impl FnOnce(Input<'_>, &Want, &mut dyn RowSink) -> Result<DumpFacts, DumpError>,
) -> Result<DumpFacts, DumpError> {
    let (mut text, map) = decode(Rest(input), encoding);
    let mut sink = Original { sink, map: &map };
    let found = read(Input::new(&mut text as &mut dyn BufRead), want, &mut sink);
    let mut facts = found.map_err(|error| match error {
        DumpError::Read { byte, source } => DumpError::Read {
            byte: map.original(byte),
            source,
        },
        other => other,
    })?;
    lead_back(&mut facts, &map);
    Ok(facts)
}

/// Leads the places that facts tell back to the original. Blocks of rows are left: they are found in the text.
pub(crate) fn lead_back(facts: &mut DumpFacts, map: &OffsetMap) {
    for located in &mut facts.rejects {
        *located = in_original(located, map);
    }
}

pub(crate) fn in_original(located: &Located, map: &OffsetMap) -> Located {
    let (byte, length) = span(map, located.byte, located.length);
    Located {
        byte,
        length,
        ..located.clone()
    }
}

/// Returns where so many bytes of the text lie in the original.
pub(crate) fn span(map: &OffsetMap, byte: u64, length: u64) -> (u64, u64) {
    let start = map.original(byte);
    (start, map.original(byte + length) - start)
}

/// What an input has not given up yet.
struct Rest<'r>(Input<'r>);

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.window().is_empty() && !buffer.is_empty() {
            match self.0.more() {
                Ok(_) => {}
                Err(DumpError::Read { source, .. }) => return Err(source),
                Err(other) => return Err(io::Error::other(other)),
            }
        }
        let mut all = u64::MAX;
        Ok(self.0.take(buffer, &mut all))
    }
}

/// Hands on what is found, with its places in the original.
struct Original<'s> {
    sink: &'s mut dyn RowSink,
    map: &'s OffsetMap,
}

impl Original<'_> {
    fn places(&self, mut batch: Batch) -> Batch {
        let number = |column: Option<&Column>, row| column.and_then(|column| column.i64(row));
        if batch.column("#byte").is_none() && batch.column("#length").is_none() {
            return batch;
        }
        let rows = 0..batch.rows();
        let spans: Vec<_> = rows
            .map(|row| {
                let byte = number(batch.column("#byte"), row)?;
                let length = number(batch.column("#length"), row).unwrap_or(0);
                Some(span(self.map, byte as u64, length as u64))
            })
            .collect();
        for column in &mut batch.columns {
            let of = match column.name.as_str() {
                "#byte" => |(byte, _): (u64, u64)| byte,
                "#length" => |(_, length): (u64, u64)| length,
                _ => continue,
            };
            let mut moved = Column::new(column.name.clone(), column.column_type);
            for place in &spans {
                match place {
                    Some(place) => moved.push_i64(of(*place) as i64),
                    None => moved.push_null(),
                }
            }
            *column = moved;
        }
        batch
    }
}

impl RowSink for Original<'_> {
    fn table(&mut self, info: &TableInfo) -> Result<(), SinkError> {
        self.sink.table(info)
    }

    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        let batch = self.places(batch);
        self.sink.rows(info, batch)
    }

    fn inherited_rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        let batch = self.places(batch);
        self.sink.inherited_rows(info, batch)
    }

    fn newest(&mut self, info: &TableInfo, column: &str, us: Option<i64>) {
        self.sink.newest(info, column, us);
    }

    fn damaged(&mut self, table: &str, byte: u64, line: u64, what: &str) -> Result<(), SinkError> {
        self.sink
            .damaged(table, self.map.original(byte), line, what)
    }

    fn rejected(&mut self, located: &Located) -> Result<(), SinkError> {
        self.sink.rejected(&in_original(located, self.map))
    }
}
