//! Rotated sets: `beacon.log`, `beacon.log.1`, `beacon.log.2.gz` are one stream, cut by a clock or a size.
//!
//! Each file stays a source of its own, for references. What goes on over the cut is the *process*: where a
//! file of a set does not begin with a start line, its first process is the last one of the file before,
//! per stream and client, so that the zone, year and network solved in the one hold in the other
//! (`foundations.md` §2: a zone belongs to a process from start to stop).
//!
//! A set are files of one folder whose names differ in nothing but what rotation adds: a number
//! (`.1` is newer than `.2`), a date (`-20200814`, `-2020-08-14`, with a time or a running number behind
//! it), an ending of compression. They are ordered by their first stamps where all of them write full dates,
//! else by their names; and two are joined only if the stamps agree with that and nothing as long as a day is
//! missing between them. So this is a pure function
//! of the manifest, whatever order the files came in.

use crate::solve::{Begin, goes_on};
use case::{Manifest, Piece, Source, SourceKind};
use model::StampDate;
use std::collections::{BTreeMap, BTreeSet};

/// A process: its source's digest and its number there.
pub(crate) type ProcessId = (String, u32);

/// The process of the file before that a process goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) before: ProcessId,
    /// What the first piece is to the last one of the file before.
    pub(crate) begins: Begin,
}

/// What goes on where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rotation {
    links: BTreeMap<ProcessId, Link>,
    /// Sources that are not the first of their chain: the first one's digest, and their place.
    places: BTreeMap<String, (String, u32)>,
}

impl Rotation {
    /// Finds the sets of a case and joins them.
    pub(crate) fn of(manifest: &Manifest) -> Rotation {
        let mut sets: BTreeMap<(String, String), Vec<(Age, &Source)>> = BTreeMap::new();
        let logs = manifest.sources.iter();
        for source in logs.filter(|source| source.kind == SourceKind::Log) {
            let (folder, file) = split(&source.path);
            let (base, age) = rotated(file);
            let set = sets.entry((folder.to_owned(), base)).or_default();
            set.push((age, source));
        }
        let mut rotation = Rotation::default();
        for mut set in sets.into_values().filter(|set| set.len() > 1) {
            set.sort_by(|(a, x), (b, y)| (a, &x.path, &x.digest).cmp(&(b, &y.path, &y.digest)));
            let dated: Option<Vec<i64>> = set.iter().map(|(_, source)| first_day(source)).collect();
            if let Some(first) = dated {
                let mut order: Vec<usize> = (0..set.len()).collect();
                order.sort_by_key(|index| (first[*index], *index));
                set = order.into_iter().map(|index| set[index].clone()).collect();
            }
            for pair in set.windows(2) {
                rotation.join(manifest, pair[0].1, pair[1].1);
            }
        }
        rotation
    }

    fn join(&mut self, manifest: &Manifest, before: &Source, after: &Source) {
        let mut joined = false;
        for first in firsts(after) {
            let started = manifest.processes.iter().any(|process| {
                process.source == after.digest && process.number == first.process && process.started
            });
            let last = before
                .pieces
                .iter()
                .rfind(|piece| program(piece) == program(first));
            let (false, Some(last)) = (started, last) else {
                continue;
            };
            if last.by_wrapper != first.by_wrapper {
                continue;
            }
            let begins = match (last.last, first.first) {
                (Some(last), Some(first)) => goes_on(&last, &first),
                // Without any stamp there is nothing against it.
                _ => Some(Begin::Process),
            };
            if let Some(begins) = begins {
                let link = Link {
                    before: (before.digest.clone(), last.process),
                    begins,
                };
                let process = (after.digest.clone(), first.process);
                self.links.insert(process, link);
                joined = true;
            }
        }
        if joined {
            let (root, place) = self.place(&before.digest);
            self.places.insert(after.digest.clone(), (root, place + 1));
        }
    }

    /// Returns where a source stands: the first source of its chain, and how many are before it.
    pub(crate) fn place(&self, digest: &str) -> (String, u32) {
        let place = self.places.get(digest).cloned();
        place.unwrap_or_else(|| (digest.to_owned(), 0))
    }

    /// Returns what a process goes on with, if it does.
    pub(crate) fn link(&self, source: &str, process: u32) -> Option<&Link> {
        self.links.get(&(source.to_owned(), process))
    }

    /// Returns the process that this one is, in the first file that has it.
    pub(crate) fn origin(&self, source: &str, process: u32) -> ProcessId {
        let mut at = (source.to_owned(), process);
        while let Some(link) = self.links.get(&at) {
            at = link.before.clone();
        }
        at
    }
}

/// By what the pieces of one program are known: its stream, its own name, its client.
fn program(piece: &Piece) -> [&str; 3] {
    [&piece.stream, &piece.program, &piece.client]
}

/// The first piece of each program.
fn firsts(source: &Source) -> impl Iterator<Item = &Piece> {
    let mut seen = BTreeSet::new();
    let pieces = source.pieces.iter();
    pieces.filter(move |piece| seen.insert(program(piece)))
}

/// Returns when a source's first stamp is, if it writes a full date.
fn first_day(source: &Source) -> Option<i64> {
    let stamp = source.pieces.iter().find_map(|piece| piece.first)?;
    match stamp.date {
        StampDate::Full(_) => stamp.civil_us(),
        _ => None,
    }
}

/// Brings files of one set together, the oldest first by their names; everything else stays where it is.
pub(crate) fn sets<F>(files: Vec<F>, path: impl Fn(&F) -> &str) -> Vec<Vec<F>> {
    let mut sets: Vec<Vec<(Age, F)>> = Vec::new();
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for file in files {
        let (folder, name) = split(path(&file));
        let (base, age) = rotated(name);
        let place = *places
            .entry((folder.to_owned(), base))
            .or_insert(sets.len());
        if place == sets.len() {
            sets.push(Vec::new());
        }
        sets[place].push((age, file));
    }
    for set in &mut sets {
        set.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    sets.into_iter()
        .map(|set| set.into_iter().map(|(_, file)| file).collect())
        .collect()
}

fn split(path: &str) -> (&str, &str) {
    let at = path.rfind(['/', evidence::INSIDE]).map_or(0, |at| at + 1);
    path.split_at(at)
}

/// How old a file of a set is by its name, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// Of a date and time as digits, then of a running number.
    Dated(String, u64),
    /// `.9` before `.1`.
    Numbered(std::cmp::Reverse<u64>),
    /// The one that is written.
    Current,
}

/// Takes off a file's name what rotation added.
fn rotated(file: &str) -> (String, Age) {
    let mut name = file;
    while let Some((front, ending)) = name.rsplit_once('.') {
        if front.is_empty() || !matches!(ending, "gz" | "zst" | "bz2" | "xz" | "zip") {
            break;
        }
        name = front;
    }
    if let Some((base, date, number)) = dated(name) {
        return (base, Age::Dated(date, number));
    }
    if let Some((front, number)) = name.rsplit_once('.')
        && !front.is_empty()
        && (1..=4).contains(&number.len())
        && let Ok(number) = number.parse()
    {
        return (front.to_owned(), Age::Numbered(std::cmp::Reverse(number)));
    }
    (name.to_owned(), Age::Current)
}

/// Finds a date in a name: `beacon-2020-08-14.log`, `beacon.log-20200814`, `teku_2020-08-14_1.log`,
/// `0.log.20200814-173102`. Returns the name without it, the digits, the running number.
fn dated(name: &str) -> Option<(String, String, u64)> {
    let bytes = name.as_bytes();
    let separator = |at: usize| matches!(bytes.get(at), Some(b'-' | b'_' | b'.' | b'T'));
    let digits = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    for from in 1..bytes.len() {
        if !separator(from - 1) {
            continue;
        }
        let (mut end, mut date) = match digits(from) {
            8 => (from + 8, name[from..from + 8].to_owned()),
            4 if separator(from + 4)
                && digits(from + 5) == 2
                && separator(from + 7)
                && digits(from + 8) == 2 =>
            {
                let parts = [from..from + 4, from + 5..from + 7, from + 8..from + 10];
                (from + 10, parts.map(|part| &name[part]).concat())
            }
            _ => continue,
        };
        if !date.starts_with("20") || !("01".."13").contains(&&date[4..6]) {
            continue;
        }
        // A time of day, in one or in parts, or a running number.
        let mut number = 0;
        while separator(end) && digits(end + 1) > 0 {
            let count = digits(end + 1);
            let part = &name[end + 1..end + 1 + count];
            if matches!(count, 2 | 4 | 6) && date.len() < 14 {
                date.push_str(part);
            } else {
                number = part.parse().unwrap_or(u64::MAX);
            }
            end += 1 + count;
        }
        let mut rest = &name[end..];
        if let Some((front, part)) = rest.rsplit_once('.')
            && let Ok(part) = part.parse()
        {
            (rest, number) = (front, part);
        }
        // Anything but an ending behind the date tells files apart that have nothing else to do with each other.
        let plain = rest.is_empty() || rest.starts_with('.');
        return plain.then(|| (format!("{}{rest}", &name[..from - 1]), date, number));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Reverse;

    #[track_caller]
    fn check(file: &str, base: &str, age: Age) {
        assert_eq!(rotated(file), (base.to_owned(), age));
    }

    #[test]
    fn names_lose_what_rotation_adds() {
        let dated = |date: &str, number| Age::Dated(date.to_owned(), number);
        check("beacon.log", "beacon.log", Age::Current);
        check("beacon.log.1", "beacon.log", Age::Numbered(Reverse(1)));
        check("beacon.log.12.gz", "beacon.log", Age::Numbered(Reverse(12)));
        check("beacon.log-20200814.gz", "beacon.log", dated("20200814", 0));
        check("beacon-20200814.log", "beacon.log", dated("20200814", 0));
        check("beacon-2020-08-14.log", "beacon.log", dated("20200814", 0));
        check(
            "beacon-2020-08-14.log.2",
            "beacon.log",
            dated("20200814", 2),
        );
        check("teku_2020-08-14_1.log.gz", "teku.log", dated("20200814", 1));
        check(
            "beacon.log-20200814-1597363200",
            "beacon.log",
            dated("20200814", 1_597_363_200),
        );
        check(
            "0.log.20200814-173102.gz",
            "0.log",
            dated("20200814173102", 0),
        );
        check("1.log", "1.log", Age::Current);
        check(
            "rnd-2022-12-15-m69.log",
            "rnd-2022-12-15-m69.log",
            Age::Current,
        );
        check("geth-3.log", "geth-3.log", Age::Current);
        check("node.10.0.0.1", "node.10.0.0", Age::Numbered(Reverse(1)));
        check("beacon-99999999.log", "beacon-99999999.log", Age::Current);
        check(".1", ".1", Age::Current);
    }

    #[test]
    fn the_oldest_comes_first() {
        let mut files = [
            "b.log",
            "b.log.1",
            "b.log.2.gz",
            "b.log.10.gz",
            "b-2020-08-14.log",
            "b-2020-08-13.log",
        ];
        files.sort_by_key(|file| rotated(file).1);
        assert_eq!(
            files,
            [
                "b-2020-08-13.log",
                "b-2020-08-14.log",
                "b.log.10.gz",
                "b.log.2.gz",
                "b.log.1",
                "b.log"
            ]
        );
    }
}
