//! Asking the hash table: where a hash, or any hash that begins so, stands.

use super::runs::KeyRange;
use super::{HASH_RULES, runs};
use crate::segment_reader::{SegmentReader, Sources};
use crate::{Case, CaseError, TableId};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use std::collections::BTreeMap;

/// Where hashes were found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashPlaces {
    /// By source and place (0 in a log, else the column by its number in the snapshot's `hash_columns`): lines
    /// or ordinals, sorted, each once.
    pub places: BTreeMap<(String, u32), Vec<u64>>,
}

impl HashPlaces {
    /// Returns the number of places.
    pub fn len(&self) -> usize {
        self.places.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Which places are wanted.
pub(crate) struct Asked<'a> {
    pub(crate) ranges: &'a [KeyRange],
    /// Only those of one source and place.
    pub(crate) only: Option<(&'a str, u32)>,
    /// More than so many are no answer.
    pub(crate) at_most: usize,
}

impl Case {
    /// Whether all hashes of a source are filed in the hash table. Cases that were written before there was
    /// one have sources of which they are not.
    pub fn has_hashes_of(&self, source: &str) -> bool {
        let source = self.manifest.source(source);
        source.is_some_and(|source| source.hashes == HASH_RULES)
    }

    /// Returns the sources whose hashes are not filed: they have to be read to find one in them.
    pub fn sources_without_hashes(&self) -> usize {
        let sources = self.manifest.sources.iter();
        sources.filter(|source| source.hashes != HASH_RULES).count()
    }

    /// Returns the log lines and table rows that may hold a hash that begins with some digits: their text is
    /// to be compared. `None` if there are more than `at_most`.
    ///
    /// # Errors
    /// If a segment cannot be read.
    pub fn hash_places(
        &self,
        range: KeyRange,
        at_most: usize,
    ) -> Result<Option<HashPlaces>, CaseError> {
        self.look_up(&Asked {
            ranges: &[range],
            only: None,
            at_most,
        })
    }

    pub(crate) fn look_up(&self, asked: &Asked<'_>) -> Result<Option<HashPlaces>, CaseError> {
        let ranges: Vec<(i64, i64)> = asked.ranges.iter().map(|range| range.stored()).collect();
        let mut found = HashPlaces::default();
        let mut count = 0;
        for (file, path) in self.open_files(&TableId::Hashes)? {
            let reader = SegmentReader::of(file, &path)?;
            let chosen = reader.choose_between("hash", &ranges)?;
            if asked.only.is_none() && count + chosen.picked() > asked.at_most {
                return Ok(None);
            }
            for batch in reader.read(Some(&["source", "line", "place"]), &chosen)? {
                let batch = batch?;
                let numbers =
                    |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
                let (Some(lines), Some(places)) = (numbers("line"), numbers("place")) else {
                    continue;
                };
                let sources = Sources::of(&batch);
                for row in 0..batch.num_rows() {
                    let (source, place) = (sources.get(row), places.value(row) as u32);
                    if asked.only.is_some_and(|only| only != (source, place)) {
                        continue;
                    }
                    let line = lines.value(row).max(0) as u64;
                    count += 1;
                    match found.places.get_mut(&(source.to_owned(), place)) {
                        Some(lines) => lines.push(line),
                        None => {
                            found.places.insert((source.to_owned(), place), vec![line]);
                        }
                    }
                }
                if count > asked.at_most {
                    return Ok(None);
                }
            }
        }
        for lines in found.places.values_mut() {
            lines.sort_unstable();
            lines.dedup();
        }
        Ok(Some(found))
    }
}

/// Returns the keys under which values of a column are filed; `None` if the table cannot tell where one of
/// them stands.
pub(crate) fn ranges_of(values: &[Vec<u8>], is_bytes: bool) -> Option<Vec<KeyRange>> {
    let key = |value: &Vec<u8>| match is_bytes {
        true => runs::key_of_bytes(value),
        false => runs::key_of_text(value),
    };
    // What is no text stands in no column of text.
    let possible = |value: &&Vec<u8>| is_bytes || std::str::from_utf8(value).is_ok();
    let values = values.iter().filter(possible);
    values.map(|value| key(value).map(KeyRange::one)).collect()
}
