//! Tables as `psql` prints them, pasted into a text, with the text around them.

use std::io::BufRead;

use crate::facts::{DumpError, DumpFacts, DumpKind, RowSink, Want};
use crate::input::Input;
use crate::sniff::{HEAD, sniff};

/// Reads pasted tables with `all`, anything else with `scan`.
pub(crate) fn read_or_scan(
    reader: &mut dyn BufRead,
    scan: &Want,
    all: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut input = Input::new(reader);
    let head = input
        .head(HEAD)
        .map_err(|source| DumpError::Read { byte: 0, source })?;
    match sniff(head) {
        Some(kind @ (DumpKind::PsqlAligned | DumpKind::PsqlGlued)) => read(input, kind, all, sink),
        Some(DumpKind::PgDumpPlain) | None => crate::plain::read(input, scan, sink),
    }
}

/// Reads a text with pasted tables.
pub(crate) fn read(
    input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut facts = crate::plain::read(input, want, sink)?;
    facts.kind = kind;
    Ok(facts)
}
