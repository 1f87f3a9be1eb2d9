//! Standard input while it still flows: what came is committed every few seconds, as one source that grows.
//!
//! Whole lines are committed; the last line waits for its end, or for the end of the stream. A stream that
//! begins as a source of the case does (the same pull again) is that source, and costs what is new.

use crate::identity::{HEAD_BYTES, begins_alike};
use crate::log_source::SourceState;
use crate::run::Run;
use crate::{IngestError, IngestOptions, IngestReport, Progress};
use case::{Case, CaseWriter, SourceKind};
use evidence::{Content, SourceReader};
use model::Encoding;
use sha2::{Digest, Sha256};
use std::io::{self, BufRead, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What came is committed after so long at the latest, and the commit itself takes a moment.
const ROUND: Duration = Duration::from_secs(3);
/// A stream that says nothing for so long is committed sooner.
const QUIET: Duration = Duration::from_millis(700);
/// How often a waiting reader looks whether it shall stop.
const LOOK: Duration = Duration::from_millis(100);
/// Bytes that wait between the stream and the parsers.
const HELD: usize = 8 << 20;
/// Bytes compared at a time with what a case has.
const STEP: usize = 1 << 20;

/// Whether standard input is a log that can be read while it flows. Blocks until it says something.
pub(crate) fn is_log() -> bool {
    io::stdin().lock().fill_buf().is_ok_and(can_flow)
}

/// Whether what begins so may be read line by line: no archive, no dump, and no document, whose later parts
/// mean nothing without its beginning.
fn can_flow(head: &[u8]) -> bool {
    matches!(Content::sniff(head), Content::Text)
        && Encoding::detect(head) == Encoding::Utf8
        && dumps::sniff(head).is_none()
        && formats::Catalogue::builtin().document(head).is_none()
}

/// What flows is not stopped but ended: what came is committed.
struct Unstopped<'p>(&'p mut dyn Progress);

impl Progress for Unstopped<'_> {
    fn source(&mut self, path: &str, bytes: Option<u64>) {
        self.0.source(path, bytes);
    }

    fn read(&mut self, bytes: u64) {
        self.0.read(bytes);
    }
}

/// Reads a stream to its end, or until `options.stop`, and commits as it goes.
///
/// # Errors
/// If the case cannot be written.
pub(crate) fn ingest_stream(
    writer: &mut CaseWriter,
    stream: Box<dyn Read + Send>,
    options: &IngestOptions,
    progress: &mut dyn Progress,
) -> Result<IngestReport, IngestError> {
    let progress = &mut Unstopped(progress);
    let pipe = Arc::new(Pipe::new(options.stop.clone()));
    let filling = Arc::clone(&pipe);
    // It ends with the stream; a process that is told to stop does not wait for it.
    std::thread::spawn(move || filling.fill_from(stream));
    let mut live = Live {
        pipe,
        hash: Sha256::new(),
        end: 0,
        digest: None,
        report: IngestReport::default(),
    };
    progress.source(evidence::STDIN, None);
    live.recognise(writer.case())?;
    while live.pipe.wait_for_lines() {
        live.round(writer, options, progress)?;
    }
    if live.digest.is_none() && live.report.unchanged.is_empty() {
        live.report.problems.push(crate::Problem {
            path: evidence::STDIN.to_owned(),
            what: "is empty".to_owned(),
            unread: true,
        });
    }
    live.report
        .problems
        .extend(live.pipe.failure().map(|what| crate::Problem {
            path: evidence::STDIN.to_owned(),
            what,
            unread: false,
        }));
    Ok(live.report)
}

struct Live {
    pipe: Arc<Pipe>,
    /// Of everything committed, or taken for what the case has.
    hash: Sha256,
    /// How many bytes that is.
    end: u64,
    /// The source it became.
    digest: Option<String>,
    report: IngestReport,
}

impl Live {
    /// Finds out whether the stream begins as a source of the case does, and passes over what both have.
    fn recognise(&mut self, case: &Case) -> Result<(), IngestError> {
        let head = self.pipe.peek(HEAD_BYTES as usize);
        let mut candidates: Vec<_> = case
            .manifest()
            .sources
            .iter()
            .filter(|source| source.kind == SourceKind::Log && !source.evidence.is_empty())
            .filter(|source| begins_alike(case, source, &head))
            .map(|source| (source, case.evidence_reader(&source.digest)))
            .collect();
        candidates.sort_by_key(|(source, _)| source.bytes);
        // The longest that is wholly at the stream's beginning.
        let mut whole: Option<&case::Source> = None;
        let mut known = Vec::new();
        while let Some(longest) = candidates.last().map(|(source, _)| *source) {
            if !self.pipe.wait_for_some() {
                // The stream ended inside of what the case has.
                whole = Some(longest);
                break;
            }
            let chunk = self
                .pipe
                .take(STEP.min((longest.bytes - self.end) as usize));
            let mut alike = Vec::new();
            for (source, mut stored) in candidates {
                let common = (source.bytes - self.end).min(chunk.len() as u64);
                known.clear();
                stored.read(self.end, common, &mut known)?;
                if known == chunk[..common as usize] {
                    alike.push((source, stored));
                }
            }
            candidates = alike;
            self.hash.update(&chunk);
            self.end += chunk.len() as u64;
            let ended = candidates.partition_point(|(source, _)| source.bytes <= self.end);
            let ended = candidates.drain(..ended).next_back();
            whole = ended.map(|(source, _)| source).or(whole);
            if candidates.is_empty() {
                self.give_back(case, whole, longest, &chunk)?;
            }
        }
        if let Some(source) = whole {
            self.report
                .unchanged
                .push((evidence::STDIN.to_owned(), source.digest.clone()));
            self.digest = Some(source.digest.clone());
        }
        Ok(())
    }

    /// What was passed over and is not of `whole` (all of it, if there is none) is read again: from `passed`,
    /// which is what the stream was up to the last chunk.
    fn give_back(
        &mut self,
        case: &Case,
        whole: Option<&case::Source>,
        passed: &case::Source,
        chunk: &[u8],
    ) -> Result<(), IngestError> {
        let from = whole.map_or(0, |source| source.bytes);
        if from == self.end {
            return Ok(());
        }
        let before = self.end - chunk.len() as u64;
        let mut stored = case.evidence_reader(&passed.digest);
        let mut replay = Vec::new();
        if from < before {
            stored.read(from, before - from, &mut replay)?;
        }
        replay.extend_from_slice(&chunk[from.saturating_sub(before) as usize..]);
        self.pipe.put_back(replay);
        (self.hash, self.end) = (Sha256::new(), 0);
        let mut stored = whole.map_or(stored, |source| case.evidence_reader(&source.digest));
        let mut bytes = Vec::new();
        while self.end < from {
            bytes.clear();
            let step = (STEP as u64).min(from - self.end);
            stored.read(self.end, step, &mut bytes)?;
            self.hash.update(&bytes);
            self.end += step;
        }
        Ok(())
    }

    /// Reads and commits what comes until the round is over.
    fn round(
        &mut self,
        writer: &mut CaseWriter,
        options: &IngestOptions,
        progress: &mut dyn Progress,
    ) -> Result<(), IngestError> {
        let before = self.digest.as_ref().and_then(|digest| {
            let manifest = writer.case().manifest();
            manifest.source(digest).cloned()
        });
        let mut run = Run::new(writer, options)?;
        // The last entry of what is committed was not final.
        let mut replay = Vec::new();
        if let Some(source) = &before {
            let resume = source.resume.as_ref().map_or(0, |resume| resume.byte);
            let from = if run.continues(source)? { resume } else { 0 };
            let case = &run.committed;
            replay = case.evidence(&source.digest, from, source.bytes - from)?;
        }
        let state = Arc::new(Mutex::new((self.hash.clone(), 0u64)));
        let round = Round {
            pipe: Arc::clone(&self.pipe),
            replay,
            replayed: 0,
            until: Instant::now() + ROUND,
            ready: Vec::new(),
            given: 0,
            state: Arc::clone(&state),
        };
        let failed = |source| IngestError::Read {
            path: evidence::STDIN.to_owned(),
            source,
        };
        let reader = SourceReader::from_reader(Box::new(round), evidence::STDIN).map_err(failed)?;
        let state_at_end = move || {
            let state = state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.0.clone(), state.1)
        };
        let end = self.end;
        let (digest, mut report) = run.stream(reader, before, progress, &mut || {
            let (hash, bytes) = state_at_end();
            SourceState {
                bytes: end + bytes,
                sha256: evidence::Digest256(hash.finalize().into()),
            }
        })?;
        let (hash, bytes) = state_at_end();
        self.hash = hash;
        self.end += bytes;
        self.report.bytes += bytes;
        self.report.stages.add(report.stages);
        self.report.rewritten += report.rewritten;
        self.report.reread.append(&mut report.reread);
        // What is wrong with the case is wrong in every round.
        for problem in report.problems {
            if !self.report.problems.contains(&problem) {
                self.report.problems.push(problem);
            }
        }
        if self.digest.is_none() {
            self.report.added.push(digest.clone());
        } else if !self.report.added.contains(&digest) && !self.report.grown.contains(&digest) {
            self.report.unchanged.clear();
            self.report.grown.push(digest.clone());
        }
        self.digest = Some(digest);
        Ok(())
    }
}

/// What one round reads: the entry that was not final, then whole new lines until the round is over.
struct Round {
    pipe: Arc<Pipe>,
    replay: Vec<u8>,
    replayed: usize,
    until: Instant,
    /// Whole lines taken from the pipe.
    ready: Vec<u8>,
    given: usize,
    /// Digest of all bytes up to here, and how many are new.
    state: Arc<Mutex<(Sha256, u64)>>,
}

impl Read for Round {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.replayed < self.replay.len() {
            let take = out.len().min(self.replay.len() - self.replayed);
            out[..take].copy_from_slice(&self.replay[self.replayed..self.replayed + take]);
            self.replayed += take;
            return Ok(take);
        }
        if self.given == self.ready.len() {
            self.ready = self.pipe.lines(self.until);
            self.given = 0;
        }
        let take = out.len().min(self.ready.len() - self.given);
        let bytes = &self.ready[self.given..self.given + take];
        out[..take].copy_from_slice(bytes);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.update(bytes);
        state.1 += take as u64;
        self.given += take;
        Ok(take)
    }
}

/// Bytes between the stream and whoever reads it.
struct Pipe {
    inside: Mutex<Inside>,
    moved: Condvar,
    stop: Option<Arc<AtomicBool>>,
}

#[derive(Default)]
struct Inside {
    bytes: Vec<u8>,
    ended: bool,
    failure: Option<String>,
    /// When the stream last said something.
    last: Option<Instant>,
}

impl Pipe {
    fn new(stop: Option<Arc<AtomicBool>>) -> Pipe {
        Pipe {
            inside: Mutex::new(Inside::default()),
            moved: Condvar::new(),
            stop,
        }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'p>(&self, inside: MutexGuard<'p, Inside>) -> MutexGuard<'p, Inside> {
        let waited = self.moved.wait_timeout(inside, LOOK);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Whether the user wants it to end: then what came is all there is.
    fn is_over(&self, inside: &Inside) -> bool {
        let stopped = self
            .stop
            .as_ref()
            .is_some_and(|stop| stop.load(Ordering::Relaxed));
        inside.ended || stopped
    }

    fn fill_from(&self, mut stream: Box<dyn Read + Send>) {
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = stream.read(&mut buffer);
            let mut inside = self.inside();
            match read {
                Ok(0) => inside.ended = true,
                Ok(bytes) => {
                    inside.bytes.extend_from_slice(&buffer[..bytes]);
                    inside.last = Some(Instant::now());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    inside.failure = Some(format!("cannot read on: {error}"));
                    inside.ended = true;
                }
            }
            self.moved.notify_all();
            if inside.ended {
                return;
            }
            while inside.bytes.len() >= HELD {
                inside = self.wait(inside);
            }
        }
    }

    fn failure(&self) -> Option<String> {
        self.inside().failure.clone()
    }

    /// Waits until something is there; returns whether there is.
    fn wait_for_some(&self) -> bool {
        let mut inside = self.inside();
        while inside.bytes.is_empty() && !self.is_over(&inside) {
            inside = self.wait(inside);
        }
        !inside.bytes.is_empty()
    }

    /// Waits until there is a whole line, or all there will be; returns whether there is anything.
    fn wait_for_lines(&self) -> bool {
        let mut inside = self.inside();
        loop {
            let enough =
                inside.bytes.len() >= HELD || memchr::memchr(b'\n', &inside.bytes).is_some();
            if enough || self.is_over(&inside) {
                return !inside.bytes.is_empty();
            }
            inside = self.wait(inside);
        }
    }

    /// Returns what comes next without taking it: so many bytes, fewer if the stream pauses or ends.
    fn peek(&self, bytes: usize) -> Vec<u8> {
        let mut inside = self.inside();
        while inside.bytes.len() < bytes && !self.is_over(&inside) && !is_quiet(&inside) {
            inside = self.wait(inside);
        }
        inside.bytes[..bytes.min(inside.bytes.len())].to_vec()
    }

    /// Takes at most so many bytes of what is there.
    fn take(&self, most: usize) -> Vec<u8> {
        let mut inside = self.inside();
        let take = most.min(inside.bytes.len());
        let rest = inside.bytes.split_off(take);
        let taken = std::mem::replace(&mut inside.bytes, rest);
        self.moved.notify_all();
        taken
    }

    fn put_back(&self, mut bytes: Vec<u8>) {
        let mut inside = self.inside();
        bytes.append(&mut inside.bytes);
        inside.bytes = bytes;
        self.moved.notify_all();
    }

    /// Waits for whole lines and takes them; nothing when the round or the stream is over. A line longer
    /// than what may wait is taken in parts, and so is the last one at the stream's end.
    fn lines(&self, until: Instant) -> Vec<u8> {
        let mut inside = self.inside();
        loop {
            let end = memchr::memrchr(b'\n', &inside.bytes).map(|at| at + 1);
            let all = inside.bytes.len();
            let over = self.is_over(&inside);
            let take = match end {
                Some(end) if !over => end,
                _ if over || all >= HELD => all,
                _ => 0,
            };
            let time_is_up = Instant::now() >= until;
            if take > 0 && !time_is_up || over {
                let rest = inside.bytes.split_off(take);
                let taken = std::mem::replace(&mut inside.bytes, rest);
                self.moved.notify_all();
                return taken;
            }
            if time_is_up || is_quiet(&inside) {
                return Vec::new();
            }
            inside = self.wait(inside);
        }
    }
}

fn is_quiet(inside: &Inside) -> bool {
    inside.last.is_some_and(|last| last.elapsed() >= QUIET)
}

#[cfg(test)]
mod tests {
    use super::can_flow;

    #[test]
    fn what_needs_its_beginning_does_not_flow() {
        let log = b"time=\"2020-08-14 17:31:02\" level=info msg=\"Synced\" prefix=sync\n";
        assert!(can_flow(log));
        assert!(!can_flow(
            b"\"@timestamp\",message\n\"Aug 14, 2020 @ 17:31:02.000\",\"Synced\"\n"
        ));
        assert!(!can_flow(b"\x1f\x8b\x08\x00"));
        assert!(!can_flow(b"\xff\xfet\0i\0"));
        assert!(!can_flow(b"--\n-- PostgreSQL database dump\n--\n"));
    }
}
