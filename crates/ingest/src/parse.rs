//! `parse`: what the parser sees, without a case. Entries tile each source.
//!
//! A file is read twice: once for the anchors that solve its year and zone, once to write its entries
//! with the solved time. Standard input is held back up to [`HELD_BYTES`]; what is not solved by then is
//! written as `assumed`.

use crate::assemble::Assembler;
use crate::entry::{EntrySink, EntryTime};
use crate::networks::network_named;
use crate::pipeline::DOCUMENT_BYTES;
use crate::report::Problem;
use crate::rotate;
use crate::rows::{BlockRows, Extent};
use crate::setting::SourceSetting;
use crate::solve::{self, Pieces};
use crate::text::{Places, Text, refused};
use crate::times::record_time;
use crate::{IngestError, IngestOptions, NodeHints, node_names};
use evidence::{Blocks, Found, Limits, Piece, SourceReader, Stream, Streams};
use formats::{Catalogue, Document};
use model::{Position, Record, RecordSink, Reject, time::format_offset};
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
    let mut setting = SourceSetting {
        node_given: options.node.is_some(),
        given_year: options.year,
        network: network.as_ref().map(|named| named.network.clone()),
        ..SourceSetting::default()
    };
    if let Some(zone) = &options.zone {
        setting.set_zone(zone)?;
    }
    let mut parsing = Parsing {
        catalogue,
        setting,
        report: ParseReport::default(),
        emit,
    };
    let mut files = Vec::new();
    for (item, node) in found.into_iter().zip(nodes) {
        match item {
            Found::Problem { path, error } => {
                let problem = unread(path.display().to_string(), &error);
                parsing.report.problems.push(problem);
            }
            Found::File { path, shown } => files.push(File { path, shown, node }),
        }
    }
    for set in rotate::sets(files, |file| &file.shown) {
        parsing.set(&set)?;
    }
    Ok(parsing.report)
}

/// A file to parse.
struct File {
    path: PathBuf,
    shown: String,
    node: String,
}

/// Sources that go on from one to the next: a process does not end with its file.
struct Chain {
    assembler: Assembler,
    solutions: Vec<solve::Solution>,
    /// Where the writing is: the cutter of pieces, and each process's last time.
    pieces: Pieces,
    order: BTreeMap<u32, i64>,
}

struct Parsing<'a> {
    catalogue: &'a Catalogue,
    /// For every source but its node.
    setting: SourceSetting,
    report: ParseReport,
    emit: &'a mut dyn FnMut(&[u8]) -> io::Result<()>,
}

impl Parsing<'_> {
    fn one<'s>(&'s self, shown: &'s str, node: &str) -> One<'s> {
        One {
            catalogue: self.catalogue,
            setting: SourceSetting {
                node: node.to_owned(),
                ..self.setting.clone()
            },
            shown,
        }
    }

    /// Parses the files of a rotated set, the oldest first, or a single file: for their times first, then once
    /// more to write them.
    fn set(&mut self, files: &[File]) -> Result<(), IngestError> {
        let mut chains: Vec<Chain> = Vec::new();
        let mut solved: Vec<Vec<Option<usize>>> = Vec::new();
        for file in files {
            solved.push(self.first_pass(file, &mut chains)?);
        }
        for chain in &mut chains {
            chain.solutions = chain.assembler.solutions();
        }
        for (file, solved) in files.iter().zip(solved) {
            if file.path.as_os_str() != evidence::STDIN {
                self.second_pass(file, solved, &mut chains)?;
            }
        }
        Ok(())
    }

    /// Reads a file for the times of its sources; returns the chain of each that is text.
    fn first_pass(
        &mut self,
        file: &File,
        chains: &mut Vec<Chain>,
    ) -> Result<Vec<Option<usize>>, IngestError> {
        let mut solved = Vec::new();
        let mut streams = match Streams::open(&file.path, Limits::default()) {
            Ok(streams) => streams,
            Err(error) => {
                let problem = unread(file.shown.clone(), &error);
                self.report.problems.push(problem);
                return Ok(solved);
            }
        };
        let archive = streams.is_archive();
        let stdin = file.path.as_os_str() == evidence::STDIN;
        while let Some(mut reader) = self.next_source(&mut streams) {
            let name = reader.name().to_owned();
            let node = match archive && !self.setting.node_given {
                true => node_names(&[NodeHints {
                    path: name.clone(),
                    ..NodeHints::default()
                }])
                .swap_remove(0),
                false => file.node.clone(),
            };
            if let Some(what) = refused(&mut reader) {
                self.report.problems.push(Problem {
                    path: name,
                    what,
                    unread: true,
                });
                solved.push(None);
                continue;
            }
            let mut text = Text::only_read(reader);
            if stdin {
                text = self.held(text, &name, &node)?;
                solved.push(None);
            } else {
                let before = match archive {
                    true => None,
                    false => chains.pop(),
                };
                let one = self.one(&name, &node);
                let before_and_now = one.solve(&mut text, before)?;
                chains.extend(before_and_now);
                solved.push(Some(chains.len() - 1));
            }
            let (mut reader, _) = text.into_source();
            reader.skip(u64::MAX);
            for (byte, what) in reader.finish().problems {
                let what = format!(
                    "{what} at byte {byte} of what was unpacked; everything before it was read"
                );
                self.report.problems.push(Problem {
                    path: name.clone(),
                    what,
                    unread: false,
                });
            }
        }
        Ok(solved)
    }

    /// Reads a file again and writes the entries of its sources.
    fn second_pass(
        &mut self,
        file: &File,
        solved: Vec<Option<usize>>,
        chains: &mut [Chain],
    ) -> Result<(), IngestError> {
        if solved.is_empty() {
            return Ok(());
        }
        let mut again = match Streams::open(&file.path, Limits::default()) {
            Ok(streams) => streams,
            Err(error) => {
                let problem = unread(file.shown.clone(), &error);
                self.report.problems.push(problem);
                return Ok(());
            }
        };
        let mut solved = solved.into_iter();
        while let Some(stream) = again.next() {
            // Troubles were told the first time.
            let Stream::Source(reader) = stream else {
                continue;
            };
            if let Some(Some(chain)) = solved.next() {
                let name = reader.name().to_owned();
                let text = Text::only_read(*reader);
                let places = text.places();
                self.write(text, places, &name, &mut chains[chain])?;
            }
        }
        Ok(())
    }

    /// Returns the next source of a file; what is not one is told.
    fn next_source(&mut self, streams: &mut Streams) -> Option<SourceReader> {
        loop {
            match streams.next()? {
                Stream::Source(reader) => return Some(*reader),
                Stream::Trouble { name, what } => self.report.problems.push(Problem {
                    path: name,
                    what,
                    unread: true,
                }),
            }
        }
    }

    /// Parses what cannot be read twice: held back until its time is solved.
    fn held(&mut self, mut text: Text, name: &str, node: &str) -> Result<Text, IngestError> {
        let places = text.places();
        let mut held = Vec::new();
        (&mut text)
            .take(HELD_BYTES)
            .read_to_end(&mut held)
            .map_err(|source| IngestError::Read {
                path: name.to_owned(),
                source,
            })?;
        let one = self.one(name, node);
        let mut solved = one.solve(Cursor::new(held.as_slice()), None)?;
        let all = Cursor::new(held).chain(&mut text);
        if let Some(chain) = solved.last_mut() {
            chain.solutions = chain.assembler.solutions();
            self.write(all, places, name, chain)?;
        }
        Ok(text)
    }

    fn write(
        &mut self,
        reader: impl Read,
        places: Places,
        name: &str,
        chain: &mut Chain,
    ) -> Result<(), IngestError> {
        let one = One {
            catalogue: self.catalogue,
            setting: self.setting.clone(),
            shown: name,
        };
        let source = one.write(reader, &places, chain, self.emit)?;
        self.report.sources.push(source);
        Ok(())
    }
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
    /// Hands on the pieces of a source, each block with what is needed to parse it.
    fn blocks<R: Read>(
        &self,
        mut reader: R,
        f: &mut dyn FnMut(Piece, &mut BlockParser<'_>) -> io::Result<()>,
    ) -> Result<u64, IngestError> {
        let unread = |source| IngestError::Read {
            path: self.shown.to_owned(),
            source,
        };
        let mut head = Vec::new();
        (&mut reader)
            .take(DOCUMENT_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(unread)?;
        let mut document = self.catalogue.document(&head);
        let mut cutter = self.catalogue.parser();
        let mut parser = BlockParser {
            parser: self.catalogue.parser(),
            document: None,
            last: false,
        };
        let mut blocks = Blocks::new(
            Cursor::new(head).chain(reader),
            crate::pipeline::BLOCK_BYTES,
            crate::pipeline::LINE_LIMIT_BYTES,
        );
        if document.is_some() {
            blocks = blocks.inside_lines();
        }
        let mut bytes = 0;
        loop {
            parser.document.clone_from(&document);
            let mut cut = |block: &[u8]| match &mut document {
                Some(document) => cutter.cut_document(document, block),
                None => cutter.cut_point(block),
            };
            let piece = blocks
                .next(&mut cut, &mut |read| bytes += read.len() as u64)
                .map_err(unread)?;
            let Some(piece) = piece else { return Ok(bytes) };
            parser.last = blocks.at_end();
            f(piece, &mut parser).map_err(IngestError::Emit)?;
        }
    }

    /// Reads a source for its pieces and clues. Returns the chain before if this source does not go on with
    /// it, then the chain it belongs to.
    fn solve<R: Read>(&self, reader: R, before: Option<Chain>) -> Result<Vec<Chain>, IngestError> {
        let new = || Chain {
            assembler: Assembler::new(self.setting.clone()),
            solutions: Vec::new(),
            pieces: self.setting.pieces(),
            order: BTreeMap::new(),
        };
        let mut asked = before.is_none();
        let mut chains = vec![before.unwrap_or_else(new)];
        self.blocks(reader, &mut |piece, parser| {
            if let Piece::Block { bytes, at } = piece {
                let mut rows = BlockRows::new(Extent::of_bytes(bytes.len()));
                let Ok(()) = parser.parse(&bytes, at, &mut rows);
                rows.finish();
                let follows = |chain: &Chain| chain.assembler.goes_on_with(&rows);
                if !std::mem::replace(&mut asked, true) && !chains.last().is_some_and(follows) {
                    chains.push(new());
                }
                if let Some(chain) = chains.last_mut() {
                    chain.assembler.look(&rows);
                }
            }
            Ok(())
        })?;
        Ok(chains)
    }

    /// Reads a source again and writes its entries.
    fn write<R: Read>(
        &self,
        reader: R,
        places: &Places,
        chain: &mut Chain,
        emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<ParsedSource, IngestError> {
        let mut source = ParsedSource {
            path: self.shown.to_owned(),
            ..ParsedSource::default()
        };
        let mut time = |record: &Record<'_>| {
            entry_time(
                record,
                &mut chain.pieces,
                &chain.solutions,
                &mut chain.order,
            )
        };
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
                    places,
                    sink: &mut sink,
                    source: &mut source,
                };
                parser.parse(&bytes, at, &mut counting)?;
                places.done_before(at.byte);
                Ok(())
            }
            Piece::LongLine { span } => {
                *source
                    .rejected
                    .entry(Reject::LineTooLong.reason().to_owned())
                    .or_default() += span.lines_touched();
                sink.rejected(places.span(span), Reject::LineTooLong)
            }
        })?;
        Ok(source)
    }
}

/// Parses blocks, of lines or of a document.
struct BlockParser<'c> {
    parser: formats::Parser<'c>,
    document: Option<Document>,
    last: bool,
}

impl BlockParser<'_> {
    fn parse<S: RecordSink>(
        &mut self,
        block: &[u8],
        at: Position,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        match &self.document {
            Some(document) => self
                .parser
                .parse_document(document, block, at, self.last, sink),
            None => self.parser.parse_block(block, at, sink),
        }
    }
}

struct Counting<'a, 's> {
    places: &'a Places,
    sink: &'a mut EntrySink<'s, io::Error>,
    source: &'a mut ParsedSource,
}

impl RecordSink for Counting<'_, '_> {
    type Error = io::Error;

    fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.source.records += 1;
        let span = self.places.span(record.span);
        self.sink.record(&Record {
            span,
            ..record.clone()
        })
    }

    fn rejected(&mut self, span: model::Span, why: Reject) -> io::Result<()> {
        *self
            .source
            .rejected
            .entry(why.reason().to_owned())
            .or_default() += span.lines_touched();
        self.sink.rejected(self.places.span(span), why)
    }

    fn continued(&mut self, span: model::Span, of: u64) -> io::Result<()> {
        self.sink.continued(self.places.span(span), of)
    }

    fn framing(&mut self, span: model::Span, what: &'static str) -> io::Result<()> {
        self.sink.framing(self.places.span(span), what)
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
    let stamp = crate::rows::own_stamp(record);
    let piece = pieces.observe(record.span.line, stamp.as_ref(), &clue);
    let process = pieces.facts()[piece as usize].process;
    let unsolved = solve::Solution::default();
    let solution = solutions.get(piece as usize).unwrap_or(&unsolved);
    let near_us = order.get(&process).copied();
    let time = record_time(solution, stamp.as_ref(), wrapper.as_ref(), near_us);
    if let Some(ts_us) = time.ts_us {
        order.insert(process, ts_us);
    }
    let zone = match stamp {
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
