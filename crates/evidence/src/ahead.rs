//! Decoding on a thread of its own, a few chunks ahead of whoever reads.
//!
//! What is read does not depend on it: one thread at a time pulls on the chain below, in order.

use crate::input::Input;
use crate::layer::LayerFacts;
use std::io;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Bytes of a chunk.
const CHUNK: usize = 256 * 1024;

/// Chunks that wait to be read.
const WAITING: usize = 4;

/// What is shorter is not worth a thread.
const ALONE: u64 = 1 << 20;

type Chunk = io::Result<Vec<u8>>;
type Slot = Arc<Mutex<Option<Box<dyn Input>>>>;

pub(crate) struct Ahead {
    state: State,
    read: u64,
    /// Whether a thread could not be had.
    alone: bool,
}

enum State {
    Here(Box<dyn Input>),
    There(There),
    Between,
}

struct There {
    chunks: Receiver<Chunk>,
    spare: Sender<Vec<u8>>,
    thread: JoinHandle<()>,
    slot: Slot,
    chunk: Vec<u8>,
    at: usize,
}

impl Ahead {
    pub(crate) fn new(input: Box<dyn Input>) -> Ahead {
        Ahead {
            state: State::Here(input),
            read: 0,
            alone: false,
        }
    }

    fn start(&mut self) {
        let State::Here(input) = std::mem::replace(&mut self.state, State::Between) else {
            return;
        };
        let slot: Slot = Arc::new(Mutex::new(Some(input)));
        let (to_reader, chunks) = sync_channel(WAITING);
        let (spare, spares) = channel();
        let theirs = Arc::clone(&slot);
        let spawned = thread::Builder::new()
            .name("decode".to_owned())
            .spawn(move || decode(&theirs, &to_reader, &spares));
        self.state = match spawned {
            Ok(thread) => State::There(There {
                chunks,
                spare,
                thread,
                slot,
                chunk: Vec::new(),
                at: 0,
            }),
            Err(_) => {
                self.alone = true;
                match taken(&slot) {
                    Some(input) => State::Here(input),
                    None => State::Between,
                }
            }
        };
    }
}

fn taken(slot: &Slot) -> Option<Box<dyn Input>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner).take()
}

fn decode(slot: &Slot, chunks: &SyncSender<Chunk>, spares: &Receiver<Vec<u8>>) {
    let Some(mut input) = taken(slot) else {
        return;
    };
    loop {
        let mut chunk = spares.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        let mut end = None;
        while filled < CHUNK && end.is_none() {
            match input.read(&mut chunk[filled..]) {
                Ok(0) => end = Some(None),
                Ok(bytes) => filled += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => end = Some(Some(error)),
            }
        }
        chunk.truncate(filled);
        let gone = filled > 0 && chunks.send(Ok(chunk)).is_err();
        if let Some(Some(error)) = end {
            let _ = chunks.send(Err(error));
            break;
        }
        if gone || end.is_some() {
            break;
        }
    }
    *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(input);
}

impl Input for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.read >= ALONE && !self.alone && matches!(self.state, State::Here(_)) {
            self.start();
        }
        let bytes = match &mut self.state {
            State::Here(input) => input.read(out)?,
            State::There(there) => there.read(out)?,
            State::Between => 0,
        };
        self.read += bytes as u64;
        Ok(bytes)
    }

    fn close(self: Box<Self>, whole: bool) -> Vec<LayerFacts> {
        let input = match self.state {
            State::Here(input) => Some(input),
            State::There(There {
                chunks,
                thread,
                slot,
                ..
            }) => {
                // Its next send fails, if it still has something to send.
                drop(chunks);
                let _ = thread.join();
                taken(&slot)
            }
            State::Between => None,
        };
        input.map_or_else(Vec::new, |input| input.close(whole))
    }
}

impl There {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.chunk.len() {
            let Ok(next) = self.chunks.recv() else {
                return Ok(0);
            };
            let _ = self.spare.send(std::mem::replace(&mut self.chunk, next?));
            self.at = 0;
        }
        let bytes = out.len().min(self.chunk.len() - self.at);
        out[..bytes].copy_from_slice(&self.chunk[self.at..self.at + bytes]);
        self.at += bytes;
        Ok(bytes)
    }
}
