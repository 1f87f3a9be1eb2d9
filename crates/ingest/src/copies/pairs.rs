//! Pairing: which record of one source is which of another (foundations.md §3).
//!
//! The k-th occurrence of a key (inner stamp, inner bytes) in one source is the k-th in each other one.
//! Of the sources that have a k-th, the one with the smallest digest is shown, the others' are its copies.
//! So as many are shown as the source with the most has, and what repeats inside one source stays.

use super::sorter::{Item, Sorter};
use case::CopyRun;
use std::io;
use std::path::PathBuf;

/// A record of a source that may have copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// Digest of its stamp and bytes.
    pub(crate) key: u128,
    /// Its source, counted in the order of digests.
    pub(crate) source: u32,
    /// Its first line.
    pub(crate) line: u64,
    /// Which record of its source it is, counted among those that were looked at.
    pub(crate) ordinal: u64,
}

/// A copy, and what it is a copy of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    source: u32,
    line: u64,
    ordinal: u64,
    of_source: u32,
    of_line: u64,
    of_ordinal: u64,
}

fn put(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

fn get(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

impl Item for Entry {
    type Bytes = [u8; 40];
    const EMPTY: [u8; 40] = [0; 40];

    fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        bytes[..16].copy_from_slice(&self.key.to_le_bytes());
        put(&mut bytes, 16, u64::from(self.source));
        put(&mut bytes, 24, self.line);
        put(&mut bytes, 32, self.ordinal);
        bytes
    }

    fn from_bytes(bytes: &[u8; 40]) -> Entry {
        Entry {
            key: u128::from(get(bytes, 0)) | u128::from(get(bytes, 8)) << 64,
            source: get(bytes, 16) as u32,
            line: get(bytes, 24),
            ordinal: get(bytes, 32),
        }
    }
}

impl Item for Pair {
    type Bytes = [u8; 40];
    const EMPTY: [u8; 40] = [0; 40];

    fn to_bytes(&self) -> [u8; 40] {
        let mut bytes = [0; 40];
        put(
            &mut bytes,
            0,
            u64::from(self.source) | u64::from(self.of_source) << 32,
        );
        put(&mut bytes, 8, self.line);
        put(&mut bytes, 16, self.ordinal);
        put(&mut bytes, 24, self.of_line);
        put(&mut bytes, 32, self.of_ordinal);
        bytes
    }

    fn from_bytes(bytes: &[u8; 40]) -> Pair {
        Pair {
            source: get(bytes, 0) as u32,
            of_source: (get(bytes, 0) >> 32) as u32,
            line: get(bytes, 8),
            ordinal: get(bytes, 16),
            of_line: get(bytes, 24),
            of_ordinal: get(bytes, 32),
        }
    }
}

/// Pairs records of several sources of one process, in bounded memory.
pub(crate) struct Pairing<'f> {
    entries: Sorter<'f, Entry>,
    pairs: Sorter<'f, Pair>,
}

impl<'f> Pairing<'f> {
    pub(crate) fn new(fresh: &'f dyn Fn() -> io::Result<PathBuf>) -> Pairing<'f> {
        Pairing {
            entries: Sorter::new(fresh),
            pairs: Sorter::new(fresh),
        }
    }

    pub(crate) fn push(&mut self, entry: Entry) -> io::Result<()> {
        self.entries.push(entry)
    }

    /// Passes the runs of copies to `f`, by source and line.
    pub(crate) fn runs(
        self,
        digests: &[String],
        f: &mut dyn FnMut(u32, CopyRun) -> io::Result<()>,
    ) -> io::Result<()> {
        let Pairing { entries, mut pairs } = self;
        let mut same: Vec<Entry> = Vec::new();
        entries.sorted(&mut |entry| {
            if same.first().is_some_and(|first| first.key != entry.key) {
                pair(&same, &mut |found| pairs.push(found))?;
                same.clear();
            }
            same.push(entry);
            Ok(())
        })?;
        pair(&same, &mut |found| pairs.push(found))?;
        let mut open: Option<(Pair, Pair)> = None;
        let mut close = |first: &Pair, last: &Pair| {
            f(
                first.source,
                CopyRun {
                    line: first.line,
                    last_line: last.line,
                    of_source: digests[first.of_source as usize].clone(),
                    of_line: first.of_line,
                    records: last.ordinal - first.ordinal + 1,
                },
            )
        };
        pairs.sorted(&mut |next| {
            if let Some((first, last)) = &mut open {
                if follows(last, &next) {
                    *last = next;
                    return Ok(());
                }
                close(first, last)?;
            }
            open = Some((next, next));
            Ok(())
        })?;
        if let Some((first, last)) = &open {
            close(first, last)?;
        }
        Ok(())
    }
}

/// Pairs the records of one key, which come by source and line.
fn pair(same: &[Entry], f: &mut dyn FnMut(Pair) -> io::Result<()>) -> io::Result<()> {
    let Some((first, last)) = same.first().zip(same.last()) else {
        return Ok(());
    };
    if first.source == last.source {
        return Ok(());
    }
    let mut at = 0;
    // The shown ones so far: the k-th of the first source that has a k-th.
    let mut shown: Vec<Entry> = Vec::new();
    while at < same.len() {
        let of_one = same[at..]
            .iter()
            .take_while(|entry| entry.source == same[at].source);
        let mut count = 0;
        for (k, copy) in of_one.enumerate() {
            count += 1;
            match shown.get(k) {
                Some(of) => f(Pair {
                    source: copy.source,
                    line: copy.line,
                    ordinal: copy.ordinal,
                    of_source: of.source,
                    of_line: of.line,
                    of_ordinal: of.ordinal,
                })?,
                None => shown.push(*copy),
            }
        }
        at += count;
    }
    Ok(())
}

/// Whether a copy continues a run: the next record in both sources, as many lines on.
fn follows(last: &Pair, next: &Pair) -> bool {
    next.source == last.source
        && next.of_source == last.of_source
        && next.ordinal == last.ordinal + 1
        && next.of_ordinal == last.of_ordinal + 1
        && next.line.wrapping_sub(last.line) == next.of_line.wrapping_sub(last.of_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use case::Duplicates;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const DIGESTS: [&str; 4] = ["aa", "bb", "cc", "dd"];

    /// Pairs sources given as the keys of their records, one line each.
    fn runs(sources: &[Vec<u8>]) -> Vec<(String, CopyRun)> {
        let folder = tempfile::tempdir().unwrap();
        let count = std::cell::Cell::new(0);
        let fresh = || {
            count.set(count.get() + 1);
            Ok(folder.path().join(count.get().to_string()))
        };
        let mut pairing = Pairing {
            entries: Sorter::holding(5, &fresh),
            pairs: Sorter::holding(3, &fresh),
        };
        for (source, keys) in sources.iter().enumerate() {
            for (at, key) in keys.iter().enumerate() {
                pairing
                    .push(Entry {
                        key: u128::from(*key),
                        source: source as u32,
                        line: at as u64 + 1,
                        ordinal: at as u64,
                    })
                    .unwrap();
            }
        }
        let digests = DIGESTS.map(str::to_owned);
        let mut runs: Vec<(String, CopyRun)> = Vec::new();
        pairing
            .runs(&digests, &mut |source, run| {
                runs.push((digests[source as usize].clone(), run));
                Ok(())
            })
            .unwrap();
        runs
    }

    fn paired(sources: &[Vec<u8>]) -> Duplicates {
        Duplicates::new(runs(sources))
    }

    /// `source:line=source:line` for every copy.
    fn shown(sources: &[&str]) -> String {
        let sources: Vec<Vec<u8>> = sources.iter().map(|s| s.bytes().collect()).collect();
        let found = paired(&sources);
        let mut out = Vec::new();
        for (source, keys) in sources.iter().enumerate() {
            for line in 1..=keys.len() as u64 {
                if let Some((of, of_line)) = found.shown(DIGESTS[source], line) {
                    out.push(format!("{}:{line}={of}:{of_line}", DIGESTS[source]));
                }
            }
        }
        out.join(" ")
    }

    #[test]
    fn worked_by_hand() {
        // Nothing in common; nothing repeated is touched.
        assert_eq!(shown(&["aab", "ccd"]), "");
        // Overlapping pulls.
        assert_eq!(shown(&["abcd", "cdef"]), "bb:1=aa:3 bb:2=aa:4");
        // The k-th is the k-th: two of three are copies, the third is real.
        assert_eq!(shown(&["xx", "xxx"]), "bb:1=aa:1 bb:2=aa:2");
        assert_eq!(shown(&["xxx", "xx"]), "bb:1=aa:1 bb:2=aa:2");
        // The maximum over sources: one in aa, two in bb, three in cc are three.
        assert_eq!(shown(&["x", "xx", "xxx"]), "bb:1=aa:1 cc:1=aa:1 cc:2=bb:2");
        // A copy that lost lines, and one that lost the order within a second.
        assert_eq!(shown(&["abcd", "ad"]), "bb:1=aa:1 bb:2=aa:4");
        assert_eq!(shown(&["abc", "bac"]), "bb:1=aa:2 bb:2=aa:1 bb:3=aa:3");
    }

    #[test]
    fn neighbours_are_one_run() {
        let run = CopyRun {
            line: 2,
            last_line: 5,
            of_source: "aa".to_owned(),
            of_line: 3,
            records: 4,
        };
        assert_eq!(
            runs(&[b"abcdefgh".to_vec(), b"xcdefy".to_vec()]),
            [("bb".to_owned(), run)]
        );
    }

    proptest! {
        /// Against the rule as it is written, tried on every record of every other source.
        #[test]
        fn as_the_rule_says(sources in prop::collection::vec(prop::collection::vec(0u8..6, 0..24), 1..4)) {
            let found = paired(&sources);
            let nth = |source: usize, line: usize| {
                let keys = &sources[source];
                keys[..line].iter().filter(|key| **key == keys[line]).count()
            };
            let mut shown_by_key: BTreeMap<u8, usize> = BTreeMap::new();
            for source in 0..sources.len() {
                for line in 0..sources[source].len() {
                    let expected = (0..source).find_map(|other| {
                        (0..sources[other].len())
                            .find(|at| {
                                sources[other][*at] == sources[source][line]
                                    && nth(other, *at) == nth(source, line)
                            })
                            .map(|at| (DIGESTS[other], at as u64 + 1))
                    });
                    let got = found.shown(DIGESTS[source], line as u64 + 1);
                    prop_assert_eq!(got, expected);
                    match got {
                        None => *shown_by_key.entry(sources[source][line]).or_default() += 1,
                        Some((of, at)) => prop_assert!(found
                            .copies(of, at)
                            .contains(&(DIGESTS[source], line as u64 + 1))),
                    }
                }
            }
            // Shown is the maximum over sources.
            let keys: BTreeSet<u8> = sources.iter().flatten().copied().collect();
            for key in keys {
                let most = sources.iter().map(|s| s.iter().filter(|k| **k == key).count()).max();
                prop_assert_eq!(Some(shown_by_key[&key]), most);
            }
            let copies: usize = sources.iter().map(Vec::len).sum::<usize>() - shown_by_key.values().sum::<usize>();
            prop_assert_eq!(found.records(), copies as u64);
        }
    }
}
