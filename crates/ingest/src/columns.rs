//! Column builders for the hot path: no allocation per value once a block's words are known.

use model::{Column, ColumnData, ColumnType, StrColumn};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A multiply-rotate hash for short words. Evidence could be made to collide; a block holds at most
/// 2 MiB of it, so the worst case stays small.
#[derive(Default)]
pub(crate) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            self.mix(u64::from_le_bytes(chunk.try_into().expect("eight bytes")));
        }
        let mut rest = [0; 8];
        rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
        self.mix(u64::from_le_bytes(rest) ^ (bytes.len() as u64) << 56);
    }

    fn write_usize(&mut self, n: usize) {
        self.mix(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 29
    }
}

impl WordHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type Words = HashMap<Box<[u8]>, i32, BuildHasherDefault<WordHasher>>;

/// Builds a dictionary column of words that repeat.
#[derive(Default)]
pub(crate) struct DictBuilder {
    codes: Vec<i32>,
    values: StrColumn,
    words: Words,
    any_null: bool,
    /// Codes of words seen lately, by length and first and last letters.
    recent: Recent,
    last_static: Option<(&'static str, i32)>,
}

/// A slot for each of 64 looks of a word; what it holds is compared before it is believed.
struct Recent([i32; 64]);

impl Default for Recent {
    fn default() -> Self {
        Recent([0; 64])
    }
}

impl Recent {
    #[inline]
    fn slot(word: &[u8]) -> usize {
        let end = |at: usize| word.get(at).copied().unwrap_or(0);
        let look = word.len()
            ^ usize::from(end(0)) << 1
            ^ usize::from(end(word.len().wrapping_sub(1))) << 2
            ^ usize::from(end(word.len() / 2)) << 3;
        look & 63
    }
}

/// The code of a row without a value.
const NULL: i32 = -1;

impl DictBuilder {
    /// Appends a word.
    #[inline]
    pub(crate) fn push(&mut self, word: &[u8]) {
        let code = self.code(word);
        self.codes.push(code);
    }

    /// Appends a word or nothing.
    #[inline]
    pub(crate) fn push_opt(&mut self, word: Option<&[u8]>) {
        match word {
            Some(word) => self.push(word),
            None => {
                self.any_null = true;
                self.codes.push(NULL);
            }
        }
    }

    /// Appends a word or nothing, `rows` times.
    pub(crate) fn push_opt_rows(&mut self, word: Option<&[u8]>, rows: usize) {
        let code = match word {
            Some(word) => self.code(word),
            None => {
                self.any_null |= rows > 0;
                NULL
            }
        };
        self.codes.resize(self.codes.len() + rows, code);
    }

    /// Appends a word of the program's own; the same one again costs no comparison of letters.
    #[inline]
    pub(crate) fn push_static(&mut self, word: &'static str) {
        let code = match self.last_static {
            Some((known, code)) if std::ptr::eq(known, word) => code,
            _ => {
                let code = self.code(word.as_bytes());
                self.last_static = Some((word, code));
                code
            }
        };
        self.codes.push(code);
    }

    /// Appends nothing.
    #[inline]
    pub(crate) fn push_null(&mut self) {
        self.any_null = true;
        self.codes.push(NULL);
    }

    /// Returns the column of words that small codes stand for.
    pub(crate) fn of_few<'w>(codes: &[u8], word: impl Fn(u8) -> Option<&'w [u8]>) -> DictBuilder {
        let mut builder = DictBuilder::default();
        let mut known = [None; 256];
        builder.codes = codes
            .iter()
            .map(|code| {
                *known[usize::from(*code)]
                    .get_or_insert_with(|| word(*code).map_or(NULL, |word| builder.code(word)))
            })
            .collect();
        builder.any_null = builder.codes.contains(&NULL);
        builder
    }

    /// Returns a column of some of the rows.
    pub(crate) fn pick(&self, rows: &[u32]) -> DictBuilder {
        let codes: Vec<i32> = rows.iter().map(|row| self.codes[*row as usize]).collect();
        DictBuilder {
            any_null: codes.contains(&NULL),
            codes,
            values: self.values.clone(),
            ..DictBuilder::default()
        }
    }

    /// Whether every row so far is without a word.
    pub(crate) fn is_all_null(&self) -> bool {
        self.values.is_empty()
    }

    fn code(&mut self, word: &[u8]) -> i32 {
        let slot = Recent::slot(word);
        let recent = self.recent.0[slot];
        if recent < self.values.len() as i32 && self.values.get(recent as usize) == word {
            return recent;
        }
        let code = match self.words.get(word) {
            Some(&code) => code,
            None => {
                let code = self.values.len() as i32;
                self.values.push_lossy(word);
                self.words.insert(word.into(), code);
                code
            }
        };
        self.recent.0[slot] = code;
        code
    }

    /// Puts a word in the place of another, in some of the rows.
    pub(crate) fn fill(&mut self, rows: std::ops::Range<usize>, old: &[u8], new: &[u8]) {
        let Some(&old) = self.words.get(old) else {
            return;
        };
        let new = self.code(new);
        for code in &mut self.codes[rows] {
            if *code == old {
                *code = new;
            }
        }
    }

    /// Returns the distinct words by code, and the code of each row.
    pub(crate) fn parts(&self) -> (&StrColumn, &[i32]) {
        (&self.values, &self.codes)
    }

    /// Returns the value of a row.
    pub(crate) fn get(&self, row: usize) -> Option<&[u8]> {
        match self.codes[row] {
            NULL => None,
            code => Some(self.values.get(code as usize)),
        }
    }

    /// Returns the code of a row, `-1` for none: equal codes are equal words within one builder.
    pub(crate) fn code_at(&self, row: usize) -> i32 {
        self.codes[row]
    }

    /// Ends the column.
    pub(crate) fn finish(mut self, name: &str) -> Column {
        if !self.any_null {
            return Column {
                name: name.to_owned(),
                column_type: ColumnType::Dict,
                data: ColumnData::Dict {
                    codes: self.codes,
                    values: self.values,
                },
                valid: None,
            };
        }
        let mut valid = model::Bitmap::default();
        for code in &mut self.codes {
            valid.push(*code != NULL);
            *code = (*code).max(0);
        }
        if self.values.is_empty() {
            self.values.push(b"");
        }
        Column {
            name: name.to_owned(),
            column_type: ColumnType::Dict,
            data: ColumnData::Dict {
                codes: self.codes,
                values: self.values,
            },
            valid: Some(valid),
        }
    }
}

/// Returns a column of whole numbers that are all there.
pub(crate) fn i64_column(name: &str, values: Vec<i64>) -> Column {
    Column {
        name: name.to_owned(),
        column_type: ColumnType::I64,
        data: ColumnData::I64(values),
        valid: None,
    }
}

/// Returns a column of optional whole numbers or instants.
pub(crate) fn opt_i64_column(
    name: &str,
    column_type: ColumnType,
    values: &[Option<i64>],
) -> Column {
    let mut valid = None;
    if values.iter().any(Option::is_none) {
        let mut bits = model::Bitmap::default();
        for value in values {
            bits.push(value.is_some());
        }
        valid = Some(bits);
    }
    Column {
        name: name.to_owned(),
        column_type,
        data: ColumnData::I64(values.iter().map(|value| value.unwrap_or(0)).collect()),
        valid,
    }
}
