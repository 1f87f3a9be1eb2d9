//! Unpacking on a thread of its own: while one block of a table's data is read, the next is unpacked.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::custom::End;
use super::inflate::{Fast, Inflate, REACH};
use super::unpack::Failure;

/// Bytes handed over at once.
const BLOCK: usize = 256 << 10;

/// How many unpacked bytes wait to be read, of all tables that share it.
pub(super) struct Budget {
    state: Mutex<State>,
    given_back: Condvar,
    limit: usize,
}

#[derive(Default)]
struct State {
    held: usize,
    /// Buffers that were read: fresh memory costs the kernel more than unpacking into it does.
    spare: Vec<Vec<u8>>,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Arc<Budget> {
        Arc::new(Budget {
            state: Mutex::default(),
            given_back: Condvar::new(),
            limit,
        })
    }

    /// Waits until there is room; returns a buffer of so many bytes, whatever they are, to be filled from `at` on.
    fn take(self: &Arc<Budget>, bytes: usize, at: usize) -> Block {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self
            .given_back
            .wait_while(state, |state| {
                state.held > 0 && state.held + bytes > self.limit
            })
            .unwrap_or_else(PoisonError::into_inner);
        state.held += bytes;
        let spare = state.spare.pop();
        drop(state);
        let mut buffer = spare.unwrap_or_default();
        buffer.resize(bytes, 0);
        Block {
            buffer,
            at,
            end: bytes,
            budget: Arc::clone(self),
        }
    }
}

/// Unpacked bytes between two places of a buffer. Its room is given back when it is read, or nobody can read it any more.
pub(super) struct Block {
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    budget: Arc<Budget>,
}

impl Drop for Block {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        let state = self.budget.state.lock();
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        state.held -= buffer.len();
        state.spare.push(buffer);
        drop(state);
        self.budget.given_back.notify_all();
    }
}

pub(super) enum Message {
    Block(Block),
    /// Unpacking ended early.
    Failed(String),
    /// Nothing more comes.
    End(End),
    Stopped(io::Error),
}

/// What the thread gives, as it comes.
pub(super) type Given = Receiver<Message>;

/// The thread's side.
pub(super) struct Giver {
    sender: Sender<Message>,
    budget: Arc<Budget>,
}

/// How giving ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gave {
    /// All there was.
    All,
    /// Nobody wants more.
    Unwanted,
    /// The stream is not whole; so many bytes of it were given.
    Fault(u64),
}

/// Makes both sides.
pub(super) fn pair(budget: &Arc<Budget>) -> (Giver, Given) {
    let (sender, given) = channel();
    (Giver::new(sender, budget), given)
}

impl Giver {
    pub(super) fn new(sender: Sender<Message>, budget: &Arc<Budget>) -> Giver {
        let budget = Arc::clone(budget);
        Giver { sender, budget }
    }

    /// Gives everything.
    pub(super) fn give(&self, unpacked: &mut dyn Read) -> Gave {
        loop {
            let mut block = self.budget.take(BLOCK, 0);
            block.end = 0;
            while block.end < BLOCK {
                match unpacked.read(&mut block.buffer[block.end..]) {
                    Ok(0) => break,
                    Ok(read) => block.end += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.stopped(error);
                        return Gave::Unwanted;
                    }
                }
            }
            if block.end == 0 {
                return Gave::All;
            }
            if !self.send(Message::Block(block)) {
                return Gave::Unwanted;
            }
        }
    }

    /// Gives a zlib stream for as long as it is whole.
    pub(super) fn give_zlib(&self, packed: &mut dyn Read) -> Gave {
        let mut zlib = Inflate::new(packed);
        let mut last: Vec<u8> = Vec::with_capacity(REACH);
        let mut given = 0;
        loop {
            // The first block has nothing before it.
            let at = last.len();
            let mut block = self.budget.take(REACH + BLOCK, at);
            block.buffer[..at].copy_from_slice(&last);
            let how;
            (block.end, how) = zlib.fill(&mut block.buffer, at);
            if how == Fast::Fault {
                return Gave::Fault(given);
            }
            given += (block.end - at) as u64;
            last.clear();
            last.extend_from_slice(&block.buffer[block.end.saturating_sub(REACH)..block.end]);
            if !self.send(Message::Block(block)) {
                return Gave::Unwanted;
            }
            if how == Fast::Whole {
                return Gave::All;
            }
        }
    }

    /// `false` if nobody listens.
    fn send(&self, message: Message) -> bool {
        self.sender.send(message).is_ok()
    }

    // Without a reader there is nobody to tell.

    pub(super) fn failed(&self, what: String) {
        let _ = self.send(Message::Failed(what));
    }

    pub(super) fn stopped(&self, error: io::Error) {
        let _ = self.send(Message::Stopped(error));
    }

    pub(super) fn end(&self, end: End) {
        let _ = self.send(Message::End(end));
    }
}

/// The reader's side.
pub(super) struct Ahead {
    given: Given,
    block: Option<Block>,
    failure: Failure,
    pub(super) end: Option<End>,
}

impl Ahead {
    pub(super) fn new(given: Given, failure: &Failure) -> Ahead {
        Ahead {
            given,
            block: None,
            failure: Failure::clone(failure),
            end: None,
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(block) = &mut self.block {
                let rest = &block.buffer[block.at..block.end];
                let used = buffer.len().min(rest.len());
                buffer[..used].copy_from_slice(&rest[..used]);
                block.at += used;
                if used > 0 || buffer.is_empty() {
                    return Ok(used);
                }
            }
            if self.end.is_some() {
                return Ok(0);
            }
            // Its room is given back before the next is waited for.
            self.block = None;
            match self.given.recv() {
                Ok(Message::Block(block)) => self.block = Some(block),
                Ok(Message::Failed(what)) => *self.failure.borrow_mut() = Some(what),
                Ok(Message::End(end)) => self.end = Some(end),
                Ok(Message::Stopped(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("unpacking stopped")),
            }
        }
    }
}
