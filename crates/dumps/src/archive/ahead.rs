//! Unpacking on a thread of its own: while one block of a table's data is read, the next is unpacked.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::custom::End;
use super::unpack::Failure;

/// Bytes handed over at once, and how many such blocks wait at most.
const BLOCK: usize = 256 << 10;
const WAITING: usize = 4;

enum Message {
    Block(Vec<u8>),
    /// Unpacking ended early.
    Failed(String),
    /// Nothing more comes.
    End(End),
    Stopped(io::Error),
}

/// The thread's side.
pub(super) struct Giver(SyncSender<Message>);

/// The reader's side.
pub(super) struct Ahead {
    receiver: Receiver<Message>,
    block: Vec<u8>,
    at: usize,
    failure: Failure,
    pub(super) end: Option<End>,
}

/// Makes both sides.
pub(super) fn pair(failure: &Failure) -> (Giver, Ahead) {
    let (sender, receiver) = sync_channel(WAITING);
    let ahead = Ahead {
        receiver,
        block: Vec::new(),
        at: 0,
        failure: Failure::clone(failure),
        end: None,
    };
    (Giver(sender), ahead)
}

impl Giver {
    /// Gives everything; `false` if nobody wants it any more.
    pub(super) fn give(&self, unpacked: &mut dyn Read) -> bool {
        loop {
            let mut block = vec![0; BLOCK];
            let mut held = 0;
            while held < BLOCK {
                match unpacked.read(&mut block[held..]) {
                    Ok(0) => break,
                    Ok(read) => held += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return self.0.send(Message::Stopped(error)).is_ok(),
                }
            }
            if held == 0 {
                return true;
            }
            block.truncate(held);
            if self.0.send(Message::Block(block)).is_err() {
                return false;
            }
        }
    }

    pub(super) fn failed(&self, what: String) {
        // Without a reader there is nobody to tell.
        let _ = self.0.send(Message::Failed(what));
    }

    pub(super) fn end(self, end: End) {
        let _ = self.0.send(Message::End(end));
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.block.len() && self.end.is_none() {
            match self.receiver.recv() {
                Ok(Message::Block(block)) => {
                    self.block = block;
                    self.at = 0;
                }
                Ok(Message::Failed(what)) => *self.failure.borrow_mut() = Some(what),
                Ok(Message::End(end)) => self.end = Some(end),
                Ok(Message::Stopped(error)) => return Err(error),
                Err(_) => return Err(io::Error::other("unpacking stopped")),
            }
        }
        let used = buffer.len().min(self.block.len() - self.at);
        buffer[..used].copy_from_slice(&self.block[self.at..self.at + used]);
        self.at += used;
        Ok(used)
    }
}
