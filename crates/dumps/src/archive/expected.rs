//! Tables that will be asked soon: unpacked on a thread of their own while others are read.
//!
//! On one thread: whoever waits for the table that is read now waits for one that unpacks it, and with more beside it
//! that one would have half a core.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::ahead::{Budget, Given, Giver, Message};
use super::place::{Place, give};
use super::skim::{Noted, Skimmed, skim};
use crate::source::Opener;

/// Most unpacked bytes of tables that were not asked yet.
pub(super) const HELD: usize = 8 << 20;

/// Tables that were announced and not asked yet. When it is dropped, the thread ends.
pub(super) struct Expected {
    /// Entries in the order in which they will be asked.
    order: Vec<usize>,
    /// Those that are unpacked, and what was.
    waiting: Vec<(usize, Given)>,
    /// Those that are passed over, by which column's numbers, and what is known of them.
    skimmed: Vec<(usize, String, Skimming)>,
    jobs: Arc<Jobs>,
    thread: Option<JoinHandle<()>>,
    /// Set when what is being passed over is not wanted any more.
    unwanted: Arc<AtomicBool>,
}

enum Skimming {
    Coming(Receiver<Option<Skimmed>>),
    Done(Option<Arc<Skimmed>>),
}

/// What is still to be done.
type Jobs = Mutex<VecDeque<(usize, Place, Job)>>;

enum Job {
    Unpack(Sender<Message>),
    Skim(Noted, Sender<Option<Skimmed>>),
}

impl Expected {
    /// Begins to pass over the entries of which it is known what to note, then to unpack the others in this order; at
    /// most `limit` bytes wait to be read. No entry comes twice.
    pub(super) fn start(
        opener: &Arc<Opener>,
        entries: Vec<(usize, Place, Option<Noted>)>,
        limit: usize,
    ) -> Expected {
        let order: Vec<usize> = entries.iter().map(|(entry, ..)| *entry).collect();
        let (mut waiting, mut skimmed) = (Vec::new(), Vec::new());
        // What waits for nobody goes first.
        let (mut jobs, mut behind) = (VecDeque::new(), VecDeque::new());
        for (entry, place, noted) in entries {
            match noted {
                Some(noted) => {
                    let (sender, coming) = channel();
                    skimmed.push((entry, noted.by.clone(), Skimming::Coming(coming)));
                    jobs.push_back((entry, place, Job::Skim(noted, sender)));
                }
                None => {
                    let (sender, given) = channel();
                    waiting.push((entry, given));
                    behind.push_back((entry, place, Job::Unpack(sender)));
                }
            }
        }
        jobs.append(&mut behind);
        let jobs: Arc<Jobs> = Arc::new(Mutex::new(jobs));
        let unwanted = Arc::new(AtomicBool::new(false));
        let work = {
            let (opener, jobs) = (Arc::clone(opener), Arc::clone(&jobs));
            let unwanted = Arc::clone(&unwanted);
            move || work(&opener, &jobs, &Budget::new(limit), &unwanted)
        };
        // Without a thread nothing is begun: the tables are read when they are asked.
        let thread = thread::Builder::new().spawn(work).ok();
        Expected {
            order,
            waiting,
            skimmed,
            jobs,
            thread,
            unwanted,
        }
    }

    /// Takes what is unpacked of an entry, and gives up what should have been asked before it: the thread may be waiting
    /// for that to be read. `None` if it was not begun.
    pub(super) fn take(&mut self, entry: usize) -> Option<Given> {
        let first = self.order.iter().position(|known| *known == entry)?;
        let before = &self.order[..first];
        self.waiting.retain(|(known, _)| !before.contains(known));
        let at = self.waiting.iter().position(|(known, _)| *known == entry)?;
        let (_, given) = self.waiting.remove(at);
        (!self.call_off(entry)).then_some(given)
    }

    /// Returns what is known of an entry that was passed over by a column's numbers, which is waited for; `None` if that
    /// was not begun, or nothing came of it.
    pub(super) fn skimmed(&mut self, entry: usize, by: &str) -> Option<Arc<Skimmed>> {
        let is_it = |(known, column, _): &(usize, String, _)| *known == entry && column == by;
        let at = self.skimmed.iter().position(is_it)?;
        let off = matches!(self.skimmed[at].2, Skimming::Coming(_)) && self.call_off(entry);
        let skimming = &mut self.skimmed[at].2;
        if let Skimming::Coming(coming) = skimming {
            let skimmed = if off {
                None
            } else {
                coming.recv().ok().flatten()
            };
            *skimming = Skimming::Done(skimmed.map(Arc::new));
        }
        match skimming {
            Skimming::Done(skimmed) => skimmed.clone(),
            Skimming::Coming(_) => None,
        }
    }

    /// Whether a job was still to be begun; it is not done any more.
    fn call_off(&self, entry: usize) -> bool {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let at = jobs.iter().position(|(known, ..)| *known == entry);
        at.and_then(|at| jobs.remove(at)).is_some()
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.waiting.clear();
        self.unwanted.store(true, Ordering::Relaxed);
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        if let Some(thread) = self.thread.take() {
            // Whoever read from it was told of its panic.
            let _ = thread.join();
        }
    }
}

/// Does what comes next until nothing is left.
fn work(opener: &Opener, jobs: &Jobs, budget: &Arc<Budget>, unwanted: &AtomicBool) {
    let Opener::At(open) = opener else {
        return;
    };
    let next = || {
        let mut jobs = jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.pop_front()
    };
    while let Some((_, place, job)) = next() {
        match job {
            Job::Unpack(sender) => give(&**open, place, &Giver::new(sender, budget)),
            // Without a reader there is nobody to tell.
            Job::Skim(noted, sender) => {
                let _ = sender.send(skim(&**open, place, &noted, unwanted));
            }
        }
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

    type Entries = Vec<(usize, Place, Option<Noted>)>;

    /// Members of a file, each with a megabyte of one letter in gzip.
    fn members() -> (Arc<Opener>, Entries) {
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
            places.push((table, place, None));
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

    /// Waits until the table is being unpacked.
    fn begun(expected: &Expected, table: usize) {
        let waits = || {
            expected
                .jobs
                .lock()
                .unwrap()
                .iter()
                .any(|(known, ..)| *known == table)
        };
        while waits() {
            thread::yield_now();
        }
    }

    /// Tables may be asked in any order, or never: with room for no more than a block, the thread waits at each.
    #[test]
    fn every_order_of_asking_is_answered() {
        let orders: [&[usize]; 6] = [&[0, 1, 2, 3], &[3], &[1, 3], &[2, 1, 0], &[3, 3, 0], &[]];
        for limit in [1, 3 << 20, usize::MAX] {
            for order in orders {
                let (opener, places) = members();
                let mut expected = Expected::start(&opener, places, limit);
                begun(&expected, 0);
                let mut last = None;
                for &table in order {
                    let is_given_up = last.is_some_and(|last| last >= table);
                    let given = expected.take(table);
                    assert!(given.is_none() || !is_given_up);
                    assert!(given.is_some() || is_given_up || table > 0, "it was begun");
                    last = last.max(Some(table));
                    if let Some(given) = given {
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
        begun(&expected, 0);
        let mut ahead = Ahead::new(expected.take(0).unwrap(), &Failure::default());
        ahead.read_exact(&mut [0; 10]).unwrap();
        drop(ahead);
        begun(&expected, 1);
        assert!(read(expected.take(1).unwrap()) == text(1));
    }
}
