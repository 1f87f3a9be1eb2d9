//! Which records another source of the same process has too (foundations.md §3).
//!
//! The table `duplicates/runs` keeps them as runs: neighbouring records of one source that stand for
//! neighbouring records of another, which is shown. It lies apart from the segments of records, for later
//! evidence may change it.

use crate::{Case, CaseError, TableId};
use model::{Batch, Column, ColumnType, RowFilter};
use std::collections::BTreeMap;

/// Neighbouring records of a source, each a copy of one of another source's neighbouring records; lines go
/// on alike in both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CopyRun {
    /// First line of the first copy.
    pub line: u64,
    /// First line of the last copy.
    pub last_line: u64,
    /// Digest of the source that is shown.
    pub of_source: String,
    /// Where its first record of the run begins.
    pub of_line: u64,
    /// Records.
    pub records: u64,
}

impl CopyRun {
    /// Returns the rows of table `duplicates/runs`, for runs of one source in line order.
    pub fn to_batch(runs: &[CopyRun]) -> Batch {
        let number = |name: &str, value: &dyn Fn(&CopyRun) -> u64| {
            let mut column = Column::new(name, ColumnType::I64);
            for run in runs {
                column.push_i64(value(run) as i64);
            }
            column
        };
        let mut of = Column::new("of_source", ColumnType::Text);
        for run in runs {
            of.push_text(run.of_source.as_bytes());
        }
        Batch {
            columns: vec![
                Column::new("source", ColumnType::Dict),
                number("line", &|run| run.line),
                number("last_line", &|run| run.last_line),
                of,
                number("of_line", &|run| run.of_line),
                number("records", &|run| run.records),
            ],
        }
    }
}

/// Neighbouring lines of one source that stand for neighbouring lines of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Stretch {
    first: u64,
    last: u64,
    /// The other source, by place among the digests.
    other: u32,
    other_first: u64,
}

/// The records of a case that are copies, by source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duplicates {
    digests: Vec<String>,
    /// By the copies' source, in line order.
    copies: BTreeMap<String, Vec<Stretch>>,
    /// By the source that is shown and that of the copies, in line order: a record has at most one copy in
    /// each source, so that stretches do not overlap.
    shown: BTreeMap<String, BTreeMap<u32, Vec<Stretch>>>,
    records: BTreeMap<String, u64>,
}

impl Duplicates {
    /// Takes runs with their source.
    pub fn new(runs: impl IntoIterator<Item = (String, CopyRun)>) -> Duplicates {
        let mut duplicates = Duplicates::default();
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        for (source, run) in runs {
            duplicates.push(&mut places, &source, &run);
        }
        duplicates.sort();
        duplicates
    }

    fn push(&mut self, places: &mut BTreeMap<String, u32>, source: &str, run: &CopyRun) {
        let mut place = |digests: &mut Vec<String>, digest: &str| match places.get(digest) {
            Some(place) => *place,
            None => {
                let place = digests.len() as u32;
                digests.push(digest.to_owned());
                places.insert(digest.to_owned(), place);
                place
            }
        };
        let length = run.last_line.saturating_sub(run.line);
        let copy = Stretch {
            first: run.line,
            last: run.line + length,
            other: place(&mut self.digests, &run.of_source),
            other_first: run.of_line,
        };
        let shown = Stretch {
            first: run.of_line,
            last: run.of_line.saturating_add(length),
            other: place(&mut self.digests, source),
            other_first: run.line,
        };
        match self.copies.get_mut(source) {
            Some(list) => list.push(copy),
            None => {
                self.copies.insert(source.to_owned(), vec![copy]);
            }
        }
        if !self.shown.contains_key(&run.of_source) {
            self.shown.insert(run.of_source.clone(), BTreeMap::new());
        }
        if let Some(lists) = self.shown.get_mut(&run.of_source) {
            lists.entry(shown.other).or_default().push(shown);
        }
        *self.records.entry(source.to_owned()).or_default() += run.records;
    }

    fn sort(&mut self) {
        let shown = self.shown.values_mut().flat_map(BTreeMap::values_mut);
        for list in self.copies.values_mut().chain(shown) {
            list.sort_unstable();
        }
    }

    /// Whether no record of the case is a copy.
    pub fn is_empty(&self) -> bool {
        self.copies.is_empty()
    }

    /// Returns where the record is shown that the one at `line` of `source` copies; `None` if it is shown
    /// itself.
    pub fn shown(&self, source: &str, line: u64) -> Option<(&str, u64)> {
        self.other(self.copies.get(source)?, line)
    }

    fn other(&self, list: &[Stretch], line: u64) -> Option<(&str, u64)> {
        let at = list.partition_point(|stretch| stretch.first <= line);
        let stretch = &list[at.checked_sub(1)?];
        (line <= stretch.last).then(|| {
            let digest = self.digests[stretch.other as usize].as_str();
            (digest, stretch.other_first + (line - stretch.first))
        })
    }

    /// Whether a record is a copy of one that is shown.
    pub fn is_copy(&self, source: &str, line: u64) -> bool {
        !self.copies.is_empty() && self.shown(source, line).is_some()
    }

    /// Returns the copies of a shown record, by source.
    pub fn copies(&self, source: &str, line: u64) -> Vec<(&str, u64)> {
        let lists = self
            .shown
            .get(source)
            .into_iter()
            .flat_map(BTreeMap::values);
        let mut found: Vec<(&str, u64)> = lists.filter_map(|list| self.other(list, line)).collect();
        found.sort_unstable();
        found
    }

    /// Returns how many records of a source are copies.
    pub fn of_source(&self, source: &str) -> u64 {
        self.records.get(source).copied().unwrap_or(0)
    }

    /// Returns how many records are copies.
    pub fn records(&self) -> u64 {
        self.records.values().sum()
    }
}

impl Case {
    /// Reads which records are copies.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn duplicates(&self) -> Result<Duplicates, CaseError> {
        let mut duplicates = Duplicates::default();
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        self.read(&TableId::Duplicates, None, &RowFilter::All, &mut |batch| {
            for row in 0..batch.rows() {
                let number = |name: &str| {
                    let value = batch.column(name).and_then(|column| column.i64(row));
                    value.map_or(0, |value| value.max(0) as u64)
                };
                let text = |name: &str| {
                    let column = batch.column(name);
                    column.and_then(|column| column.text(row)).unwrap_or("")
                };
                let run = CopyRun {
                    line: number("line"),
                    last_line: number("last_line"),
                    of_source: text("of_source").to_owned(),
                    of_line: number("of_line"),
                    records: number("records"),
                };
                duplicates.push(&mut places, text("source"), &run);
            }
            Ok(())
        })?;
        duplicates.sort();
        Ok(duplicates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_asked_from_both_ends() {
        let run = |line, last_line, of_line| CopyRun {
            line,
            last_line,
            of_source: "aa".to_owned(),
            of_line,
            records: last_line - line + 1,
        };
        let duplicates = Duplicates::new([
            ("bb".to_owned(), run(10, 12, 1)),
            ("bb".to_owned(), run(1, 3, 101)),
            ("cc".to_owned(), run(7, 7, 2)),
        ]);
        assert_eq!(duplicates.shown("bb", 2), Some(("aa", 102)));
        assert_eq!(duplicates.shown("bb", 12), Some(("aa", 3)));
        assert_eq!(duplicates.shown("bb", 4), None);
        assert_eq!(duplicates.shown("bb", 13), None);
        assert_eq!(duplicates.shown("aa", 1), None);
        assert_eq!(duplicates.copies("aa", 2), [("bb", 11), ("cc", 7)]);
        assert_eq!(duplicates.copies("aa", 4), []);
        assert_eq!(duplicates.records(), 7);
    }
}
