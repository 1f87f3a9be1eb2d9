//! `parse`: what the parser sees, without a case. Entries tile each source.
//!
//! A file is read twice: once for the anchors that solve its year and zone, once to write its entries
//! with the solved time. Standard input is held back up to [`HELD_BYTES`]; what is not solved by then is
//! written as `assumed`.

use crate::assemble::Assembler;
use crate::entry::{EntrySink, EntryTime};
use crate::networks::network_named;
use crate::rows::BlockRows;
use crate::run::Problem;
use crate::setting::SourceSetting;
use crate::solve::{self, Pieces};
use crate::times::record_time;
use crate::{IngestError, IngestOptions, NodeHints, node_names};
use evidence::{Blocks, Content, Found, Piece, SourceReader};
use formats::Catalogue;
use model::{Record, RecordSink, Reject, time::format_offset};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

/// How much of standard input is held back until its time is solved.
pub(crate) const HELD_BYTES: u64 = 64 << 20;

/// What a parse saw.
#[derive(Clone, Debug, Default)]
pub struct ParseReport {
    /// One per source.
    pub sources: Vec<ParsedSource>,
    /// What could not be read, or only in part.
    pub problems: Vec<Problem>,
}

/// Counts of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedSource {
    /// Path as shown.
    pub path: String,
    /// Decoded bytes.
    pub bytes: u64,
    /// Records.
    pub records: u64,
    /// Rejects by reason, in lines.
    pub rejected: BTreeMap<String, u64>,
}

/// Parses everything under `paths` and hands each entry, a JSON object and a line feed, to `emit`.
///
/// # Errors
/// If `emit` refuses or options name what is not there; damage to evidence is in the report.
pub fn parse(
    paths: &[PathBuf],
    options: &IngestOptions,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> Result<ParseReport, IngestError> {
    let chosen;
    let catalogue = match options.catalogue()? {
        Some(catalogue) => {
            chosen = catalogue;
            &chosen
        }
        None => Catalogue::builtin(),
    };
    let network = options.network.as_deref().map(network_named).transpose()?;
    let found = evidence::walk(paths);
    let hints: Vec<NodeHints> = found
        .iter()
        .map(|item| NodeHints {
            path: item.path().display().to_string(),
            given: options.node.clone(),
            wrapper: None,
        })
        .collect();
    let nodes = node_names(&hints);
    let mut report = ParseReport::default();
    for (item, node) in found.into_iter().zip(nodes) {
        let (path, shown) = match item {
            Found::File { path, shown } => (path, shown),
            Found::Problem { path, error } => {
                report
                    .problems
                    .push(unread(path.display().to_string(), &error));
                continue;
            }
        };
        let mut setting = SourceSetting {
            node,
            node_given: options.node.is_some(),
            given_year: options.year,
            network: network.as_ref().map(|named| named.network.clone()),
            ..SourceSetting::default()
        };
        if let Some(zone) = &options.zone {
            setting.set_zone(zone)?;
        }
        let mut reader = match SourceReader::open(&path) {
            Ok(reader) => reader,
            Err(error) => {
                report.problems.push(unread(shown, &error));
                continue;
            }
        };
        match Content::sniff(reader.peek(64 << 10)) {
            Content::Text => {}
            Content::Empty => {
                report.problems.push(Problem {
                    path: shown,
                    what: "is empty".to_owned(),
                    unread: true,
                });
                continue;
            }
            Content::Binary(what) => {
                let what = format!("is {what}, not text: nothing in it was read");
                report.problems.push(Problem {
                    path: shown,
                    what,
                    unread: true,
                });
                continue;
            }
        }
        let one = One {
            catalogue,
            setting,
            shown: &shown,
        };
        let source = if path.as_os_str() == evidence::STDIN {
            let mut held = Vec::new();
            (&mut reader)
                .take(HELD_BYTES)
                .read_to_end(&mut held)
                .map_err(|source| IngestError::Read {
                    path: shown.clone(),
                    source,
                })?;
            let solutions = one.solve(Cursor::new(held.as_slice()))?;
            one.write(Cursor::new(held).chain(&mut reader), solutions, emit)?
        } else {
            let solutions = one.solve(&mut reader)?;
            let again = SourceReader::open(&path);
            match again {
                Ok(mut second) => one.write(&mut second, solutions, emit)?,
                Err(error) => {
                    report.problems.push(unread(shown, &error));
                    continue;
                }
            }
        };
        reader.skip(u64::MAX);
        let facts = reader.finish();
        for (byte, what) in facts.problems {
            let what = format!(
                "{what} at byte {byte} of what was unpacked; everything before it was read"
            );
            report.problems.push(Problem {
                path: shown.clone(),
                what,
                unread: false,
            });
        }
        report.sources.push(source);
    }
    Ok(report)
}

fn unread(path: String, error: &dyn std::error::Error) -> Problem {
    let mut what = error.to_string();
    if let Some(cause) = error.source() {
        what = format!("{what}: {cause}");
    }
    Problem {
        path,
        what,
        unread: true,
    }
}

struct One<'a> {
    catalogue: &'a Catalogue,
    setting: SourceSetting,
    shown: &'a str,
}

impl One<'_> {
    fn blocks<R: Read>(
        &self,
        reader: R,
        f: &mut dyn FnMut(Piece, &mut formats::Parser<'_>) -> io::Result<()>,
    ) -> Result<u64, IngestError> {
        let mut cutter = self.catalogue.parser();
        let mut parser = self.catalogue.parser();
        let mut blocks = Blocks::new(
            reader,
            crate::pipeline::BLOCK_BYTES,
            crate::pipeline::LINE_LIMIT_BYTES,
        );
        let mut bytes = 0;
        loop {
            let piece = blocks
                .next(&mut |block| cutter.cut_point(block), &mut |read| {
                    bytes += read.len() as u64
                })
                .map_err(|source| IngestError::Read {
                    path: self.shown.to_owned(),
                    source,
                })?;
            let Some(piece) = piece else { return Ok(bytes) };
            f(piece, &mut parser).map_err(IngestError::Emit)?;
        }
    }

    /// Reads a source for its pieces and their solutions.
    fn solve<R: Read>(&self, reader: R) -> Result<Vec<solve::Solution>, IngestError> {
        let mut assembler = Assembler::new(self.setting.clone());
        self.blocks(reader, &mut |piece, parser| {
            if let Piece::Block { bytes, at } = piece {
                let mut rows = BlockRows::new(bytes.len());
                let Ok(()) = parser.parse_block(&bytes, at, &mut rows);
                rows.finish();
                assembler.look(&rows);
            }
            Ok(())
        })?;
        Ok(assembler.solutions())
    }

    /// Reads a source again and writes its entries.
    fn write<R: Read>(
        &self,
        reader: R,
        solutions: Vec<solve::Solution>,
        emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<ParsedSource, IngestError> {
        let mut source = ParsedSource {
            path: self.shown.to_owned(),
            ..ParsedSource::default()
        };
        let mut pieces = self.setting.pieces();
        let mut order = BTreeMap::new();
        let mut time =
            |record: &Record<'_>| entry_time(record, &mut pieces, &solutions, &mut order);
        let mut counted = |line: &[u8]| emit(line);
        let mut sink = EntrySink {
            source: self.shown,
            time: &mut time,
            emit: &mut counted,
            out: Vec::new(),
        };
        source.bytes = self.blocks(reader, &mut |piece, parser| match piece {
            Piece::Block { bytes, at } => {
                let mut counting = Counting {
                    sink: &mut sink,
                    source: &mut source,
                };
                parser.parse_block(&bytes, at, &mut counting)
            }
            Piece::LongLine { span } => {
                *source
                    .rejected
                    .entry(Reject::LineTooLong.reason().to_owned())
                    .or_default() += span.lines;
                sink.rejected(span, Reject::LineTooLong)
            }
        })?;
        Ok(source)
    }
}

struct Counting<'a, 's> {
    sink: &'a mut EntrySink<'s, io::Error>,
    source: &'a mut ParsedSource,
}

impl RecordSink for Counting<'_, '_> {
    type Error = io::Error;

    fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.source.records += 1;
        self.sink.record(record)
    }

    fn rejected(&mut self, span: model::Span, why: Reject) -> io::Result<()> {
        *self
            .source
            .rejected
            .entry(why.reason().to_owned())
            .or_default() += span.lines;
        self.sink.rejected(span, why)
    }

    fn continued(&mut self, span: model::Span, of: u64) -> io::Result<()> {
        self.sink.continued(span, of)
    }

    fn framing(&mut self, span: model::Span, what: &'static str) -> io::Result<()> {
        self.sink.framing(span, what)
    }
}

fn entry_time(
    record: &Record<'_>,
    pieces: &mut Pieces,
    solutions: &[solve::Solution],
    order: &mut BTreeMap<u32, i64>,
) -> EntryTime {
    let wrapper = record.wrapper.iter().rev().find_map(|layer| layer.stamp);
    let clue = solve::Clue {
        wrapper: wrapper.as_ref(),
        ..crate::rows::clue_of(record)
    };
    let piece = pieces.observe(record.span.line, record.stamp.as_ref(), &clue);
    let process = pieces.facts()[piece as usize].process;
    let unsolved = solve::Solution::default();
    let solution = solutions.get(piece as usize).unwrap_or(&unsolved);
    let near_us = order.get(&process).copied();
    let time = record_time(solution, record.stamp.as_ref(), wrapper.as_ref(), near_us);
    if let Some(ts_us) = time.ts_us {
        order.insert(process, ts_us);
    }
    let zone = match record.stamp {
        Some(stamp) => stamp
            .zone_seconds()
            .or(time.ts_us.and(solution.zone_seconds)),
        None => None,
    };
    EntryTime {
        ts_us: time.ts_us,
        clock: time.ts_us.map(|_| time.clock),
        basis: time.basis,
        zone: zone.map(format_offset),
    }
}
