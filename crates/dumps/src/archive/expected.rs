//! Tables that will be asked soon: unpacked on a thread of their own while others are read.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::ahead::{Budget, Given, Giver, Message};
use super::place::{Place, give};
use crate::source::Opener;

/// Threads that unpack: the one that reads is idle for most of the time.
pub(super) const THREADS: usize = 2;

/// Most unpacked bytes that wait to be read, of each thread.
pub(super) const HELD: usize = 24 << 20;

/// Tables that were announced and not asked yet. When it is dropped, the threads end.
pub(super) struct Expected {
    /// Entries in the order in which they are unpacked, with what was unpacked.
    waiting: Vec<(usize, Given)>,
    threads: Vec<JoinHandle<()>>,
}

/// What is still to be unpacked, in the order in which it will be asked.
type Jobs = Mutex<VecDeque<(Place, Sender<Message>)>>;

impl Expected {
    /// Begins to unpack the entries in this order; for each thread at most `limit` bytes wait to be read.
    pub(super) fn start(
        opener: &Arc<Opener>,
        entries: Vec<(usize, Place)>,
        limit: usize,
    ) -> Expected {
        let (waiting, jobs): (Vec<_>, VecDeque<_>) = entries
            .into_iter()
            .map(|(entry, place)| {
                let (sender, given) = channel();
                ((entry, given), (place, sender))
            })
            .unzip();
        let jobs: Arc<Jobs> = Arc::new(Mutex::new(jobs));
        let spawn = || {
            let (opener, jobs) = (Arc::clone(opener), Arc::clone(&jobs));
            let unpack = move || unpack(&opener, &jobs, &Budget::new(limit));
            thread::Builder::new().spawn(unpack).ok()
        };
        let threads: Vec<_> = (0..THREADS.min(waiting.len()))
            .map_while(|_| spawn())
            .collect();
        // Without a thread nothing is unpacked ahead: the tables are read when they are asked.
        let waiting = match threads.is_empty() {
            true => Vec::new(),
            false => waiting,
        };
        Expected { waiting, threads }
    }

    /// Takes what is unpacked of an entry, and gives up those that should have been asked before it: a thread may be
    /// waiting for them to be read.
    pub(super) fn take(&mut self, entry: usize) -> Option<Given> {
        let at = self.waiting.iter().position(|(known, _)| *known == entry)?;
        self.waiting
            .drain(..=at)
            .next_back()
            .map(|(_, given)| given)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.waiting.clear();
        for thread in self.threads.drain(..) {
            // Whoever read from it was told of its panic.
            let _ = thread.join();
        }
    }
}

/// Unpacks what comes next until nothing is left. No thread waits for another: what waits to be read is asked before
/// anything that comes later, and given up at the latest when that is asked.
fn unpack(opener: &Opener, jobs: &Jobs, budget: &Arc<Budget>) {
    let Opener::At(open) = opener else {
        return;
    };
    let next = || {
        jobs.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    while let Some((place, sender)) = next() {
        give(&**open, place, &Giver::new(sender, budget));
    }
}

#[cfg(test)]
mod tests {
    use super::super::ahead::Ahead;
    use super::super::place::Packing;
    use super::super::toc::{Compression, Numbers};
    use super::super::unpack::Failure;
    use super::*;
    use std::io::{Cursor, Read as _};

    const NUMBERS: Numbers = Numbers {
        int_bytes: 4,
        offset_bytes: 8,
    };
    const TABLES: usize = 4;
    const BYTES: usize = 1 << 20;

    fn text(table: usize) -> Vec<u8> {
        vec![b'a' + table as u8; BYTES]
    }

    /// Members of a file, each with a megabyte of one letter in gzip.
    fn members() -> (Arc<Opener>, Vec<(usize, Place)>) {
        let mut file = Vec::new();
        let mut places = Vec::new();
        for table in 0..TABLES {
            let start = file.len() as u64;
            file.resize(file.len() + 512, 0);
            let before = file.len();
            flate2::read::GzEncoder::new(&text(table)[..], flate2::Compression::fast())
                .read_to_end(&mut file)
                .unwrap();
            let bytes = (file.len() - before) as u64;
            let place = Place {
                start,
                packing: Packing::Member(bytes),
                compression: Compression::Gzip,
                numbers: NUMBERS,
            };
            places.push((table, place));
        }
        let opener = Opener::At(Box::new(move |byte| {
            let mut cursor = Cursor::new(file.clone());
            cursor.set_position(byte);
            Ok(Box::new(cursor))
        }));
        (Arc::new(opener), places)
    }

    fn read(given: Given) -> Vec<u8> {
        let mut bytes = Vec::new();
        Ahead::new(given, &Failure::default())
            .read_to_end(&mut bytes)
            .unwrap();
        bytes
    }

    /// Tables may be asked in any order, or never: with room for no more than a block, the thread waits at each.
    #[test]
    fn every_order_of_asking_is_answered() {
        let orders: [&[usize]; 6] = [&[0, 1, 2, 3], &[3], &[1, 3], &[2, 1, 0], &[3, 3, 0], &[]];
        for limit in [1, 3 << 20, usize::MAX] {
            for order in orders {
                let (opener, places) = members();
                let mut expected = Expected::start(&opener, places, limit);
                let mut last = None;
                for &table in order {
                    let given = expected.take(table);
                    // What stood before a table that was asked is given up.
                    assert_eq!(given.is_some(), last.is_none_or(|last| last < table));
                    if let Some(given) = given {
                        last = Some(table);
                        assert!(read(given) == text(table), "{order:?}");
                    }
                }
                // It would wait for the thread for ever if that waited for a reader.
                drop(expected);
                assert_eq!(Arc::strong_count(&opener), 1, "the thread has ended");
            }
        }
    }

    #[test]
    fn a_reader_that_stops_early_leaves_the_rest_to_the_next() {
        let (opener, places) = members();
        let mut expected = Expected::start(&opener, places, 1);
        let mut ahead = Ahead::new(expected.take(0).unwrap(), &Failure::default());
        ahead.read_exact(&mut [0; 10]).unwrap();
        drop(ahead);
        assert!(read(expected.take(1).unwrap()) == text(1));
    }
}
