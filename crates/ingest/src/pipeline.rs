//! One source through the stages: read and hash, cut into blocks, parse on several threads, hand over
//! in order. Memory is bounded by the number of blocks under way, whatever the size of the source.

use crate::rows::{BlockRows, Extent};
use evidence::{Blocks, Piece};
use formats::{Catalogue, Document};
use model::{Position, Span};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};

/// Bytes of a block. Record cuts depend on it, so it is part of the parser's behaviour.
pub(crate) const BLOCK_BYTES: usize = 2 << 20;
/// Longer lines become located rejects.
pub(crate) const LINE_LIMIT_BYTES: usize = 1 << 20;

/// As much of a source's beginning as is looked at to see whether it is a document.
pub(crate) const DOCUMENT_BYTES: usize = 64 << 10;

/// What comes out, in the order of the source.
pub(crate) enum Parsed {
    /// The rows of a block.
    Rows(Box<BlockRows>),
    /// A line over the limit.
    LongLine(Span),
}

/// CPU nanoseconds spent in each stage, summed over threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageTimes {
    /// Reading, decoding, hashing and finding cuts.
    pub read_hash_ns: u64,
    /// Compressing raw text into the evidence store.
    pub evidence_ns: u64,
    /// Framing, parsing and building columns.
    pub parse_build_ns: u64,
    /// Order, time, Parquet.
    pub write_ns: u64,
}

impl StageTimes {
    /// Adds another source's times.
    pub fn add(&mut self, other: StageTimes) {
        self.read_hash_ns += other.read_hash_ns;
        self.evidence_ns += other.evidence_ns;
        self.parse_build_ns += other.parse_build_ns;
        self.write_ns += other.write_ns;
    }
}

/// Returns the CPU time of the calling thread in nanoseconds.
pub(crate) fn thread_cpu_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Why a source stopped short.
pub(crate) enum Stop<E> {
    /// Reading failed.
    Read(io::Error),
    /// The consumer failed.
    Consume(E),
}

/// Where a source is read from.
pub(crate) struct From {
    /// The place of its first byte.
    pub(crate) at: Position,
    /// The document it is in there, where it is read on.
    pub(crate) document: Option<Document>,
}

struct Job {
    index: usize,
    bytes: Vec<u8>,
    at: Position,
    /// The document that the block is of, as it stands where the block begins.
    document: Option<Document>,
    /// Whether the source ends with the block.
    last: bool,
}

/// Reads `reader` to its end. `tap` sees every byte read once, on the reading thread; `consume` gets the
/// parsed blocks in order, on the calling thread. Returns the reader for its closing facts.
pub(crate) fn run<R: Read + Send, E: Send>(
    reader: R,
    from: From,
    catalogue: &Catalogue,
    threads: usize,
    tap: &mut (dyn FnMut(&[u8]) -> io::Result<()> + Send),
    consume: &mut dyn FnMut(Parsed) -> Result<(), E>,
    times: &mut StageTimes,
) -> Result<R, Stop<E>> {
    let workers = threads.max(1);
    let (job_sender, job_receiver) = sync_channel::<Job>(1);
    let job_receiver = Arc::new(Mutex::new(job_receiver));
    let (done_sender, done_receiver) = sync_channel::<(usize, Parsed)>(1);
    let (spare_sender, spare_receiver) = channel::<Vec<u8>>();
    std::thread::scope(|scope| {
        let reading = {
            let done_sender = done_sender.clone();
            scope.spawn(move || {
                read(
                    reader,
                    from,
                    catalogue,
                    tap,
                    &job_sender,
                    &done_sender,
                    &spare_receiver,
                )
            })
        };
        let mut parsing = Vec::new();
        for _ in 0..workers {
            let jobs = Arc::clone(&job_receiver);
            let (done, spare) = (done_sender.clone(), spare_sender.clone());
            parsing.push(scope.spawn(move || parse(catalogue, &jobs, &done, &spare)));
        }
        // Only the parsers hold the receiver: when they are gone, the reader's next send fails.
        drop(job_receiver);
        drop(done_sender);
        let consumed = in_order(&done_receiver, consume, times);
        // A consumer that failed stops the others by closing their way out.
        drop(done_receiver);
        for thread in parsing {
            times.parse_build_ns += thread.join().expect("a parser does not panic");
        }
        let (read, read_ns, tap_ns) = reading.join().expect("the reader does not panic");
        times.read_hash_ns += read_ns;
        times.evidence_ns += tap_ns;
        consumed.map_err(Stop::Consume)?;
        read.map_err(Stop::Read)
    })
}

fn in_order<E>(
    done: &Receiver<(usize, Parsed)>,
    consume: &mut dyn FnMut(Parsed) -> Result<(), E>,
    times: &mut StageTimes,
) -> Result<(), E> {
    let from = thread_cpu_ns();
    let mut early: BTreeMap<usize, Parsed> = BTreeMap::new();
    let mut next = 0;
    for (index, parsed) in done {
        early.insert(index, parsed);
        while let Some(parsed) = early.remove(&next) {
            next += 1;
            consume(parsed)?;
        }
    }
    times.write_ns += thread_cpu_ns() - from;
    Ok(())
}

type ReadEnd<R> = (io::Result<R>, u64, u64);

fn read<R: Read>(
    mut reader: R,
    from: From,
    catalogue: &Catalogue,
    tap: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    jobs: &SyncSender<Job>,
    done: &SyncSender<(usize, Parsed)>,
    spare: &Receiver<Vec<u8>>,
) -> ReadEnd<R> {
    let From {
        at: start,
        mut document,
    } = from;
    let from = thread_cpu_ns();
    let mut tap_ns = 0;
    let mut tap_error = None;
    let mut parser = catalogue.parser();
    let mut head = Vec::new();
    if start == Position::START {
        let read = (&mut reader)
            .take(DOCUMENT_BYTES as u64)
            .read_to_end(&mut head);
        if let Err(error) = read {
            return (Err(error), thread_cpu_ns() - from, 0);
        }
        document = catalogue.document(&head);
    }
    let reader = Cursor::new(head).chain(reader);
    let mut blocks = Blocks::starting_at(reader, start, BLOCK_BYTES, LINE_LIMIT_BYTES);
    if document.is_some() {
        blocks = blocks.inside_lines();
    }
    let mut index = 0;
    let result = loop {
        while let Ok(buffer) = spare.try_recv() {
            blocks.recycle(buffer);
        }
        let begins = document.clone();
        let mut cut = |block: &[u8]| match &mut document {
            Some(document) => parser.cut_document(document, block),
            None => parser.cut_point(block),
        };
        let piece = blocks.next(&mut cut, &mut |bytes| {
            if tap_error.is_none() {
                let from = thread_cpu_ns();
                tap_error = tap(bytes).err();
                tap_ns += thread_cpu_ns() - from;
            }
        });
        if let Some(error) = tap_error.take() {
            break Err(error);
        }
        let sent = match piece {
            Err(error) => break Err(error),
            Ok(None) => break Ok(()),
            Ok(Some(Piece::Block { bytes, at })) => {
                let job = Job {
                    index,
                    bytes,
                    at,
                    document: begins,
                    last: blocks.at_end(),
                };
                jobs.send(job).is_ok()
            }
            Ok(Some(Piece::LongLine { span })) => {
                done.send((index, Parsed::LongLine(span))).is_ok()
            }
        };
        if !sent {
            break Ok(()); // The consumer failed and says so itself.
        }
        index += 1;
    };
    let total = thread_cpu_ns() - from;
    (
        result.map(|()| blocks.into_inner().into_inner().1),
        total - tap_ns,
        tap_ns,
    )
}

fn parse(
    catalogue: &Catalogue,
    jobs: &Mutex<Receiver<Job>>,
    done: &SyncSender<(usize, Parsed)>,
    spare: &Sender<Vec<u8>>,
) -> u64 {
    let from = thread_cpu_ns();
    let mut parser = catalogue.parser();
    let mut like = None;
    loop {
        let job = jobs.lock().expect("no parser panics while it waits").recv();
        let Ok(job) = job else { break };
        let Job {
            index, bytes, at, ..
        } = job;
        let expected = like.unwrap_or_else(|| Extent::of_bytes(bytes.len()));
        let mut rows = Box::new(BlockRows::new(expected));
        let Ok(()) = match &job.document {
            Some(document) => parser.parse_document(document, &bytes, at, job.last, rows.as_mut()),
            None => parser.parse_block(&bytes, at, rows.as_mut()),
        };
        rows.finish();
        like = Some(rows.extent());
        rows.hashes = crate::hashes::of_block(&rows, &bytes, at);
        let _ = spare.send(bytes);
        if done.send((index, Parsed::Rows(rows))).is_err() {
            break;
        }
    }
    thread_cpu_ns() - from
}
