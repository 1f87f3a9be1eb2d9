//! Unpacking on a thread of its own: while one block of a table's data is read, the next is unpacked.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::custom::End;
use super::unpack::Failure;
use super::zlib::{Fast, FastZlib, REACH};

/// Bytes handed over at once.
const BLOCK: usize = 256 << 10;

/// How many unpacked bytes wait to be read, of all tables that share it.
pub(super) struct Budget {
    held: Mutex<usize>,
    given_back: Condvar,
    limit: usize,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Arc<Budget> {
        Arc::new(Budget {
            held: Mutex::new(0),
            given_back: Condvar::new(),
            limit,
        })
    }

    /// Waits until there is room.
    fn take(self: &Arc<Budget>, bytes: usize) -> Charge {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut held = self
            .given_back
            .wait_while(held, |held| *held > 0 && *held + bytes > self.limit)
            .unwrap_or_else(PoisonError::into_inner);
        *held += bytes;
        Charge {
            budget: Arc::clone(self),
            bytes,
        }
    }
}

/// Room in a budget, given back when it is dropped.
struct Charge {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        *self
            .budget
            .held
            .lock()
            .unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.given_back.notify_all();
    }
}

/// Unpacked bytes, from `at` on.
pub(super) struct Block {
    bytes: Vec<u8>,
    at: usize,
    /// Held until the block is read, or nobody can read it any more.
    _charge: Charge,
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
    let budget = Arc::clone(budget);
    (Giver { sender, budget }, given)
}

impl Giver {
    /// Gives everything.
    pub(super) fn give(&self, unpacked: &mut dyn Read) -> Gave {
        loop {
            let charge = self.budget.take(BLOCK);
            let mut bytes = vec![0; BLOCK];
            let mut held = 0;
            while held < BLOCK {
                match unpacked.read(&mut bytes[held..]) {
                    Ok(0) => break,
                    Ok(read) => held += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => {
                        self.stopped(error);
                        return Gave::Unwanted;
                    }
                }
            }
            if held == 0 {
                return Gave::All;
            }
            bytes.truncate(held);
            if !self.block(bytes, 0, charge) {
                return Gave::Unwanted;
            }
        }
    }

    /// Gives a zlib stream for as long as it is whole.
    pub(super) fn give_zlib(&self, packed: &mut dyn Read) -> Gave {
        let mut zlib = FastZlib::new(packed);
        let mut last: Vec<u8> = Vec::new();
        let mut given = 0;
        loop {
            let charge = self.budget.take(REACH + BLOCK);
            let mut bytes = vec![0; REACH + BLOCK];
            // The first block has nothing before it.
            let at = last.len();
            bytes[..at].copy_from_slice(&last);
            let (end, how) = zlib.fill(&mut bytes, at);
            match how {
                Fast::Fault => return Gave::Fault(given),
                Fast::Whole => {
                    bytes.truncate(end);
                    return match end == at || self.block(bytes, at, charge) {
                        true => Gave::All,
                        false => Gave::Unwanted,
                    };
                }
                Fast::More => {}
            }
            last.clear();
            last.extend_from_slice(&bytes[end - REACH..]);
            given += (end - at) as u64;
            if !self.block(bytes, at, charge) {
                return Gave::Unwanted;
            }
        }
    }

    /// Gives a block; `false` if nobody wants it.
    fn block(&self, bytes: Vec<u8>, at: usize, charge: Charge) -> bool {
        let block = Block {
            bytes,
            at,
            _charge: charge,
        };
        self.sender.send(Message::Block(block)).is_ok()
    }

    // Without a reader there is nobody to tell.

    pub(super) fn failed(&self, what: String) {
        let _ = self.sender.send(Message::Failed(what));
    }

    pub(super) fn stopped(&self, error: io::Error) {
        let _ = self.sender.send(Message::Stopped(error));
    }

    pub(super) fn end(&self, end: End) {
        let _ = self.sender.send(Message::End(end));
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
                let rest = &block.bytes[block.at..];
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
