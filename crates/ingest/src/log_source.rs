//! One log source into a transaction: new, or the part that a known one grew by.

use crate::assemble::{Assembler, BlockBatches};
use crate::counts::Counts;
use crate::pipeline::{self, Parsed, StageTimes, Stop};
use crate::setting::SourceSetting;
use crate::solve::{MOST_LANES, OTHERS};
use crate::text::{HEAD_BYTES, Text};
use crate::{IngestError, Progress};
use case::{
    HASH_RULES, PendingEvidence, RowWriter, Run, Source, SourceKind, SourceStatus, TableId,
    Transaction,
};
use evidence::{Blocks, Piece, SourceFacts, SourceReader};
use formats::{Catalogue, Document};
use model::{Batch, Encoding, Position, observation_kinds};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::mpsc::sync_channel;

/// What a read of a log source gave, not yet adopted by the case.
pub(crate) struct LogRun {
    pub(crate) facts: SourceFacts,
    pub(crate) runs: Vec<Run>,
    pub(crate) evidence: Option<PendingEvidence>,
    pub(crate) pieces: Vec<case::Piece>,
    pub(crate) processes: Vec<case::Process>,
    pub(crate) counts: Counts,
    pub(crate) lines: u64,
    pub(crate) encoding: Encoding,
    /// By which rules all hashes of the source are filed.
    pub(crate) hashes: u32,
    /// What it may be where no line of it could be read.
    pub(crate) doubt: Option<&'static str>,
}

/// Where a known source is read on, and what is known of it.
pub(crate) struct Continue<'a> {
    pub(crate) source: &'a Source,
    pub(crate) processes: Vec<case::Process>,
    /// Whether the reader stands there already.
    pub(crate) in_place: bool,
}

/// How far a source that flows has come, as far as it is read.
pub(crate) struct SourceState {
    /// Its bytes.
    pub(crate) bytes: u64,
    /// Their digest.
    pub(crate) sha256: evidence::Digest256,
}

/// What drives one read.
pub(crate) struct LogReading<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) threads: usize,
    pub(crate) setting: SourceSetting,
    /// Whether raw bytes go to the evidence store (not when they come from there).
    pub(crate) keep_evidence: bool,
    /// How many decoded bytes are to come, where known.
    pub(crate) raw_bytes: Option<u64>,
}

/// Row writers of one source, opened when first needed.
struct Writers<'t, 'w> {
    tx: &'t mut Transaction<'w>,
    key: String,
    raw_bytes: Option<u64>,
    records: Option<RowWriter>,
    rejects: Option<RowWriter>,
    keys: Option<RowWriter>,
    hashes: Option<RowWriter>,
    observations: BTreeMap<usize, RowWriter>,
}

impl Writers<'_, '_> {
    fn push(&mut self, batches: BlockBatches) -> Result<(), IngestError> {
        let expect = self.raw_bytes;
        let BlockBatches {
            records,
            rejects,
            keys,
            hashes,
            observations,
        } = batches;
        push(
            expect,
            self.tx,
            &mut self.hashes,
            &TableId::Hashes,
            &self.key,
            hashes,
        )?;
        push(
            expect,
            self.tx,
            &mut self.keys,
            &TableId::Keys,
            &self.key,
            keys,
        )?;
        push(
            expect,
            self.tx,
            &mut self.records,
            &TableId::Records,
            &self.key,
            records,
        )?;
        push(
            expect,
            self.tx,
            &mut self.rejects,
            &TableId::Rejects,
            &self.key,
            rejects,
        )?;
        for (kind, batch) in observations {
            let name = observation_kinds()[kind].name.clone();
            let mut writer = self.observations.remove(&kind);
            let table = TableId::Obs(name);
            push(expect, self.tx, &mut writer, &table, &self.key, batch)?;
            if let Some(writer) = writer {
                self.observations.insert(kind, writer);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Vec<Run>, IngestError> {
        let mut runs = Vec::new();
        for writer in self
            .records
            .into_iter()
            .chain(self.rejects)
            .chain(self.keys)
            .chain(self.hashes)
            .chain(self.observations.into_values())
        {
            runs.push(writer.finish()?);
        }
        Ok(runs)
    }
}

fn push(
    expect: Option<u64>,
    tx: &mut Transaction<'_>,
    writer: &mut Option<RowWriter>,
    table: &TableId,
    key: &str,
    batch: Batch,
) -> Result<(), IngestError> {
    let rows = batch
        .columns
        .iter()
        .find(|column| column.name == "line")
        .map_or(0, model::Column::len);
    if rows == 0 {
        return Ok(());
    }
    let writer = match writer {
        Some(writer) => writer,
        None => {
            let writer = writer.insert(tx.rows(table, key)?);
            if let Some(bytes) = expect {
                writer.expect_raw_bytes(bytes);
            }
            writer
        }
    };
    Ok(writer.push(batch)?)
}

/// Counts what passes, for progress and for stopping.
struct Watched<'p> {
    reader: Text,
    progress: &'p std::sync::Mutex<(u64, bool)>,
    lines: u64,
}

impl Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        let mut state = self.progress.lock().expect("nobody panics with this lock");
        if state.1 {
            return Err(io::Error::new(io::ErrorKind::Interrupted, STOPPED));
        }
        state.0 += read as u64;
        drop(state);
        self.lines += memchr::memchr_iter(b'\n', &buffer[..read]).count() as u64;
        Ok(read)
    }
}

const STOPPED: &str = "stopped";

/// Goes over the first `bytes` of a document, which are known, to where it is read on.
fn pass(
    reader: &mut SourceReader,
    bytes: u64,
    catalogue: &Catalogue,
    document: &mut Document,
) -> io::Result<()> {
    let mut parser = catalogue.parser();
    let known = reader.take(bytes);
    let mut blocks =
        Blocks::new(known, pipeline::BLOCK_BYTES, pipeline::LINE_LIMIT_BYTES).inside_lines();
    loop {
        let piece = blocks.next(
            &mut |block| parser.cut_document(document, block),
            &mut |_| {},
        )?;
        match piece {
            Some(Piece::Block { bytes, .. }) if blocks.at_end() => document.pass(&bytes),
            Some(_) => {}
            None => return Ok(()),
        }
    }
}

/// The writing thread ended before the reading one; it says why.
struct WriterGone;

/// Reads a source to its end and writes its rows.
pub(crate) fn read_log(
    tx: &mut Transaction<'_>,
    mut reader: SourceReader,
    continued: Option<Continue<'_>>,
    reading: &LogReading<'_>,
    progress: &mut dyn Progress,
    times: &mut StageTimes,
) -> Result<LogRun, IngestError> {
    let key = reader.name().to_owned();
    let mut assembler = Assembler::new(reading.setting.clone());
    let mut start = Position::START;
    let mut encoding = Encoding::detect(reader.peek(HEAD_BYTES));
    let doubt = dumps::doubtful(reader.peek(HEAD_BYTES));
    let mut document = None;
    let mut hashes = HASH_RULES;
    if let Some(Continue {
        source,
        processes,
        in_place,
    }) = continued
    {
        let resume = source.resume.clone().unwrap_or_default();
        hashes = source.hashes;
        start = Position {
            byte: resume.byte,
            line: resume.line.max(1),
        };
        encoding = source.encoding();
        if encoding == Encoding::Utf8 && !in_place {
            document = reading
                .catalogue
                .document(reader.peek(pipeline::DOCUMENT_BYTES));
        }
        match &mut document {
            Some(document) => {
                pass(&mut reader, start.byte, reading.catalogue, document).map_err(|source| {
                    IngestError::Read {
                        path: key.clone(),
                        source,
                    }
                })?;
            }
            None if in_place => {}
            None => {
                reader.skip(start.byte);
            }
        }
        assembler.resume(source, &processes);
    }
    let mut evidence = if reading.keep_evidence {
        Some(tx.evidence(&key, start.byte)?)
    } else {
        None
    };
    let mut writers = Writers {
        tx,
        key,
        raw_bytes: reading.raw_bytes,
        records: None,
        rejects: None,
        keys: None,
        hashes: None,
        observations: BTreeMap::new(),
    };
    let state = std::sync::Mutex::new((0, false));
    let text = Text::new(reader, encoding, start.byte, &mut evidence);
    let places = text.places();
    let watched = Watched {
        reader: text,
        progress: &state,
        lines: 0,
    };
    let mut tap = |bytes: &[u8]| match &mut evidence {
        Some(writer) => writer.write(bytes).map_err(io::Error::other),
        None => Ok(()),
    };
    // Encoding takes about as long as everything else together: it has a thread of its own.
    let path = writers.key.clone();
    let (to_writers, batches) = sync_channel::<BlockBatches>(1);
    let (read, written) = std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let from = pipeline::thread_cpu_ns();
            for batch in batches {
                writers.push(batch)?;
            }
            Ok((writers.finish()?, pipeline::thread_cpu_ns() - from))
        });
        let read = pipeline::run(
            watched,
            pipeline::From {
                at: start,
                document,
            },
            reading.catalogue,
            reading.threads,
            &mut tap,
            &mut |parsed| {
                {
                    let mut state = state.lock().expect("nobody panics with this lock");
                    progress.read(std::mem::take(&mut state.0));
                    state.1 = progress.stop();
                }
                let batches = match parsed {
                    Parsed::Rows(mut rows) => {
                        let first = rows.byte.first().copied().unwrap_or_default();
                        places.rows(&mut rows);
                        places.done_before(first as u64);
                        assembler.block(*rows)
                    }
                    Parsed::LongLine(span) => assembler.long_line(places.span(span)),
                };
                to_writers.send(batches).map_err(|_| WriterGone)
            },
            times,
        );
        drop(to_writers);
        let written: Result<(Vec<Run>, u64), IngestError> =
            writing.join().expect("the writer does not panic");
        (read, written)
    });
    let (runs, write_ns) = written?;
    times.write_ns += write_ns;
    let watched = match read {
        Ok(watched) => watched,
        // The writer went because the run ended early; its own error was returned above.
        Err(Stop::Consume(WriterGone)) => return Err(IngestError::Stopped),
        Err(Stop::Read(error)) if error.to_string() == STOPPED => return Err(IngestError::Stopped),
        Err(Stop::Read(error)) => match error.downcast::<case::CaseError>() {
            Ok(error) => return Err(error.into()),
            Err(source) => return Err(IngestError::Read { path, source }),
        },
    };
    let (reader, taken) = watched.reader.into_source();
    let evidence = taken.or(evidence);
    let evidence = evidence.map(|writer| writer.finish()).transpose()?;
    let facts = reader.finish();
    let (pieces, processes, counts) = assembler.finish();
    let lines = start.line - 1 + watched.lines;
    Ok(LogRun {
        facts,
        runs,
        evidence,
        pieces,
        processes,
        counts,
        lines,
        encoding,
        hashes,
        doubt,
    })
}

/// What of a source's bytes could not be read or unpacked.
pub(crate) fn problems_of(facts: &SourceFacts) -> Vec<case::Problem> {
    let problem = |(byte, what): &(u64, String)| case::Problem {
        byte: *byte,
        what: what.clone(),
    };
    facts.problems.iter().map(problem).collect()
}

/// Describes a source that was read, for the manifest; `before` is what is known of a grown one.
pub(crate) fn describe(run: &LogRun, shown: &str, parser: &str, before: Option<&Source>) -> Source {
    let facts = &run.facts;
    let counts = &run.counts;
    let most = counts
        .clients
        .iter()
        .filter(|(name, _)| !name.is_empty())
        // A journal is a client's if there is any: the machine always speaks.
        .max_by_key(|(name, count)| (name.as_str() != model::SYSTEM_CLIENT, **count));
    let mut problems = problems_of(facts);
    let mut status = status_of(facts.status);
    let unread = counts.records == 0 && counts.rejected.values().any(|lines| *lines > 0);
    if let Some(doubt) = run.doubt.filter(|_| unread && before.is_none()) {
        let what = format!("{doubt}; none of its {} lines was read", run.lines);
        problems.push(case::Problem { byte: 0, what });
        if status == SourceStatus::Complete {
            status = SourceStatus::Skipped;
        }
    }
    if let Some(piece) = run.pieces.iter().find(|piece| piece.stream == OTHERS) {
        let what = format!(
            "more than {MOST_LANES} machines or programs are named: from line {} on, records of further ones are given to node {OTHERS}; ingest such a file in parts, one for each machine",
            piece.first_line
        );
        problems.push(case::Problem { byte: 0, what });
    }
    Source {
        number: before.map_or(0, |source| source.number),
        digest: before.map_or_else(|| facts.sha256.short(), |source| source.digest.clone()),
        first_bytes: before.map_or(facts.bytes, |source| source.first_bytes),
        sha256: facts.sha256.to_string(),
        bytes: facts.bytes,
        path: shown.to_owned(),
        container: container_of(facts),
        encoding: (run.encoding != Encoding::Utf8).then(|| run.encoding.to_string()),
        kind: SourceKind::Log,
        formats: counts.formats.clone(),
        client: most.map(|(name, _)| name.clone()),
        node: None,
        wrappers: counts.wrappers.keys().cloned().collect(),
        lines: run.lines,
        records: counts.records,
        continuation_lines: counts.continuation_lines,
        framing_lines: counts.framing_lines,
        rejected: counts.rejected.clone(),
        undated: counts.undated,
        shares_lines: counts.shares_lines,
        duplicates: before.map_or(0, |source| source.duplicates),
        first_ts_us: counts.first_ts_us,
        last_ts_us: counts.last_ts_us,
        pieces: run.pieces.clone(),
        parser: parser.to_owned(),
        status,
        problems,
        evidence: before
            .map(|source| source.evidence.clone())
            .unwrap_or_default(),
        formats_digest: None,
        hashes: run.hashes,
        resume: counts.resume(),
    }
}

/// Returns what a source was packed in, the nearest layer first, as the manifest keeps it.
pub(crate) fn container_of(facts: &SourceFacts) -> Option<case::Container> {
    facts.containers.iter().fold(None, |around, container| {
        Some(case::Container {
            kind: container.kind.as_str().to_owned(),
            bytes: container.bytes,
            sha256: container.sha256.to_string(),
            inside: around.map(Box::new),
            ..case::Container::default()
        })
    })
}

pub(crate) fn status_of(status: evidence::Status) -> SourceStatus {
    match status {
        evidence::Status::Complete => SourceStatus::Complete,
        evidence::Status::Truncated | evidence::Status::Unfinished => SourceStatus::Truncated,
        evidence::Status::Damaged => SourceStatus::Damaged,
    }
}
