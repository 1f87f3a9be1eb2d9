//! The parser alone, in this process, on one thread.

use anyhow::{Context, Result};
use evidence::{BLOCK_SIZE, Blocks, LINE_LIMIT, Piece, SourceReader};
use formats::Catalogue;
use model::{Record, RecordSink, Reject, Span};
use std::{collections::BTreeMap, convert::Infallible, path::Path, time::Instant};

/// What the parser made of a log, and how long each part took.
#[derive(Debug, Default)]
pub struct ParseFigures {
    /// Seconds of reading and hashing.
    pub read_s: f64,
    /// Seconds of looking for places to cut.
    pub cut_s: f64,
    /// Seconds of parsing.
    pub parse_s: f64,
    /// Records.
    pub records: u64,
    /// Records that the catalogue has a name for.
    pub named: u64,
    /// Observations.
    pub observations: u64,
    /// Rejects by reason.
    pub rejects: BTreeMap<&'static str, u64>,
}

impl RecordSink for ParseFigures {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        self.records += 1;
        self.named += u64::from(record.kind.is_some());
        self.observations += record.observations.len() as u64;
        Ok(())
    }

    fn rejected(&mut self, _: Span, why: Reject) -> Result<(), Infallible> {
        *self.rejects.entry(why.reason()).or_default() += 1;
        Ok(())
    }
}

/// Reads, cuts and parses a log.
///
/// # Errors
/// If the log cannot be read.
pub fn parse_only(log: &Path) -> Result<ParseFigures> {
    let reader = SourceReader::open(log).context("the log was just written")?;
    let mut blocks = Blocks::new(reader, BLOCK_SIZE, LINE_LIMIT);
    let mut cutter = Catalogue::builtin().parser();
    let mut parser = Catalogue::builtin().parser();
    let mut figures = ParseFigures::default();
    loop {
        let start = Instant::now();
        let mut cutting = 0.0;
        let piece = blocks.next(
            &mut |block| {
                let start = Instant::now();
                let at = cutter.cut_point(block);
                cutting += start.elapsed().as_secs_f64();
                at
            },
            &mut |_| {},
        )?;
        figures.cut_s += cutting;
        figures.read_s += start.elapsed().as_secs_f64() - cutting;
        match piece {
            None => return Ok(figures),
            Some(Piece::LongLine { .. }) => {}
            Some(Piece::Block { bytes, at }) => {
                let start = Instant::now();
                let Ok(()) = parser.parse_block(&bytes, at, &mut figures);
                figures.parse_s += start.elapsed().as_secs_f64();
                blocks.recycle(bytes);
            }
        }
    }
}
