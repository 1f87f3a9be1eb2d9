//! The words of a column in a row group, coded in the order they first came.

use super::page::Bounds;
use arrow::array::{ArrayRef, AsArray};
use std::collections::HashMap;
use std::sync::Arc;

/// Beyond this many bytes of words a column goes on without codes.
const MAX_BYTES: usize = 1 << 20;
/// So it does if most values are new words, once there are this many.
const MANY_WORDS: usize = 4096;
/// Batches whose codes were looked up are remembered; rows come from few of them at a time.
const KNOWN_BATCHES: usize = 4;

/// Words and their codes.
#[derive(Default)]
pub(crate) struct Dictionary {
    /// As Parquet lays them out: length and bytes, one after the other.
    plain: Vec<u8>,
    /// Where each word's bytes begin in `plain`; its length stands before it.
    starts: Vec<u32>,
    codes: HashMap<Box<[u8]>, u32>,
    /// Our codes by those of a batch.
    known: Vec<(ArrayRef, Vec<u32>)>,
    values: usize,
}

/// A batch's code that was not looked up yet.
const UNKNOWN: u32 = u32::MAX;

impl Dictionary {
    /// Returns the number of words.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Returns the words in Parquet's plain encoding.
    pub(crate) fn plain(&self) -> &[u8] {
        &self.plain
    }

    /// Counts values that were written with codes.
    pub(crate) fn used(&mut self, values: usize) {
        self.values += values;
    }

    /// Whether codes save nothing.
    pub(crate) fn is_useless(&self) -> bool {
        self.plain.len() > MAX_BYTES || (self.len() > MANY_WORDS && self.len() * 2 > self.values)
    }

    /// Returns the code of a word.
    pub(crate) fn intern(&mut self, word: &[u8]) -> u32 {
        if let Some(code) = self.codes.get(word) {
            return *code;
        }
        let code = self.starts.len() as u32;
        self.plain
            .extend_from_slice(&(word.len() as u32).to_le_bytes());
        self.starts.push(self.plain.len() as u32);
        self.plain.extend_from_slice(word);
        self.codes.insert(word.into(), code);
        code
    }

    /// Appends our codes for those of a batch with these words.
    pub(crate) fn translate(
        &mut self,
        words: &ArrayRef,
        codes: impl Iterator<Item = i32>,
        out: &mut Vec<u32>,
    ) {
        let known = self
            .known
            .iter()
            .position(|(known, _)| Arc::ptr_eq(known, words));
        let (words, mut map) = match known {
            Some(index) => self.known.remove(index),
            None => (words.clone(), vec![UNKNOWN; words.len()]),
        };
        let texts = words.as_string::<i32>();
        out.extend(codes.map(|code| {
            let code = code as usize;
            if map[code] == UNKNOWN {
                map[code] = self.intern(texts.value(code).as_bytes());
            }
            map[code]
        }));
        if self.known.len() == KNOWN_BATCHES {
            self.known.remove(0);
        }
        self.known.push((words, map));
    }

    fn word(&self, code: usize) -> &[u8] {
        let start = self.starts[code] as usize;
        let end = match self.starts.get(code + 1) {
            Some(next) => *next as usize - 4,
            None => self.plain.len(),
        };
        &self.plain[start..end]
    }

    /// Returns the smallest and largest word.
    pub(crate) fn bounds(&self) -> Bounds {
        Bounds::of_words((0..self.len()).map(|code| self.word(code)))
    }

    /// Returns the smallest and largest word of some values.
    pub(crate) fn bounds_of(&self, codes: &[u32]) -> Bounds {
        let mut used = vec![false; self.len()];
        for code in codes {
            used[*code as usize] = true;
        }
        let words = (0..self.len()).filter(|code| used[*code]);
        Bounds::of_words(words.map(|code| self.word(code)))
    }
}
