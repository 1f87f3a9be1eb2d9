//! Column builders for the hot path: no allocation per value once a block's words are known.

use model::{Bitmap, Column, ColumnData, ColumnType, ObsValue, StrColumn};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Returns a text as numbers of eight bytes, and what is left of it with zeros behind.
#[inline]
pub(crate) fn words_of(text: &[u8]) -> (impl Iterator<Item = u64>, u64) {
    let (eights, rest) = text.as_chunks::<8>();
    let rest = match text.last_chunk() {
        // Eight bytes taken at once, of which some were there before; a shift by 64 leaves none.
        Some(last) => {
            let known = 8 * (8 - rest.len() as u32);
            u64::from_le_bytes(*last).checked_shr(known).unwrap_or(0)
        }
        None => rest
            .iter()
            .rev()
            .fold(0, |rest, byte| rest << 8 | u64::from(*byte)),
    };
    (eights.iter().map(|eight| u64::from_le_bytes(*eight)), rest)
}

/// A multiply-rotate hash for short words. Evidence could be made to collide; a block holds at most
/// 2 MiB of it, so the worst case stays small.
#[derive(Default)]
pub(crate) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = words_of(bytes);
        words.for_each(|word| self.mix(word));
        self.mix(rest ^ (bytes.len() as u64) << 56);
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

/// Whether two words are the same: up to 16 letters two numbers tell, without a call.
#[inline]
fn same_word(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    fn ends<const N: usize>(word: &[u8]) -> Option<([u8; N], [u8; N])> {
        Some((*word.first_chunk()?, *word.last_chunk()?))
    }
    match a.len() {
        8..=16 => ends::<8>(a) == ends::<8>(b),
        4..8 => ends::<4>(a) == ends::<4>(b),
        _ => a == b,
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
        if recent < self.values.len() as i32 && same_word(self.values.get(recent as usize), word) {
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
        let mut valid = Bitmap::default();
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

/// A column in the making of which many rows may have no value: values, and which rows they are of. Nothing
/// is done for rows without one until the number of rows is known.
pub(crate) struct Sparse {
    name: String,
    column_type: ColumnType,
    rows: Vec<u32>,
    values: Values,
}

enum Values {
    I64(Vec<i64>),
    F64(Vec<f64>),
    Bool(Vec<bool>),
    Text(StrColumn),
    Words(Box<DictBuilder>),
}

impl Sparse {
    pub(crate) fn new(name: &str, column_type: ColumnType) -> Sparse {
        Sparse {
            name: name.to_owned(),
            column_type,
            rows: Vec::new(),
            values: match column_type {
                ColumnType::F64 => Values::F64(Vec::new()),
                ColumnType::Bool => Values::Bool(Vec::new()),
                ColumnType::Dict => Values::Words(Box::default()),
                ColumnType::Text | ColumnType::Json | ColumnType::Bytes | ColumnType::Numeric => {
                    Values::Text(StrColumn::default())
                }
                ColumnType::I64 | ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
                    Values::I64(Vec::new())
                }
            },
        }
    }

    /// Gives a row its value; rows come in order. A value of the wrong type says nothing: the record itself
    /// keeps it as printed.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, value: &ObsValue<'_>) {
        match (&mut self.values, value) {
            (Values::I64(values), ObsValue::I64(value)) => values.push(*value),
            (Values::F64(values), ObsValue::F64(value)) => values.push(*value),
            (Values::F64(values), ObsValue::I64(value)) => values.push(*value as f64),
            (Values::Bool(values), ObsValue::Bool(value)) => values.push(*value),
            (Values::Text(values), ObsValue::Text(value)) => values.push_text(value),
            (Values::Words(words), ObsValue::Text(value)) => words.push(value),
            (Values::Text(values), ObsValue::I64(value)) => {
                values.push(value.to_string().as_bytes());
            }
            (Values::Words(words), ObsValue::I64(value)) => {
                words.push(value.to_string().as_bytes());
            }
            _ => return,
        }
        self.rows.push(row as u32);
    }

    /// Gives a row the text that `write` appends, which is UTF-8.
    pub(crate) fn push_written(&mut self, row: usize, write: impl FnOnce(&mut Vec<u8>)) {
        if let Values::Text(values) = &mut self.values {
            write(&mut values.data);
            values.close();
            self.rows.push(row as u32);
        }
    }

    /// Ends the column, which has so many rows.
    pub(crate) fn finish(self, rows: usize) -> Column {
        let of = &self.rows;
        let valid = (of.len() < rows).then(|| {
            let mut bits = vec![0u8; rows.div_ceil(8)];
            for row in of {
                bits[*row as usize >> 3] |= 1 << (row & 7);
            }
            Bitmap::from_bytes(bits, rows)
        });
        let data = match self.values {
            Values::I64(values) => ColumnData::I64(spread(values, of, rows)),
            Values::F64(values) => ColumnData::F64(spread(values, of, rows)),
            Values::Bool(values) => ColumnData::Bool(spread(values, of, rows)),
            Values::Words(mut words) => {
                if words.values.is_empty() {
                    words.values.push(b"");
                }
                ColumnData::Dict {
                    codes: spread(words.codes, of, rows),
                    values: words.values,
                }
            }
            Values::Text(values) if valid.is_none() => ColumnData::Str(values),
            Values::Text(values) => {
                let mut offsets = Vec::with_capacity(rows + 1);
                for (row, offset) in of.iter().zip(&values.offsets) {
                    offsets.resize(*row as usize + 1, *offset);
                }
                offsets.resize(rows + 1, values.data.len() as i32);
                ColumnData::Str(StrColumn {
                    offsets,
                    data: values.data,
                })
            }
        };
        Column {
            name: self.name,
            column_type: self.column_type,
            data,
            valid,
        }
    }
}

/// Returns values at their places among rows without one.
fn spread<T: Copy + Default>(values: Vec<T>, of: &[u32], rows: usize) -> Vec<T> {
    if values.len() == rows {
        return values;
    }
    let mut all = vec![T::default(); rows];
    for (row, value) in of.iter().zip(values) {
        all[*row as usize] = value;
    }
    all
}

/// Returns a column of some of the rows.
pub(crate) fn pick(column: &Column, rows: &[u32]) -> Column {
    fn of<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
        rows.iter().map(|row| values[*row as usize]).collect()
    }
    let data = match &column.data {
        ColumnData::Bool(values) => ColumnData::Bool(of(values, rows)),
        ColumnData::I64(values) => ColumnData::I64(of(values, rows)),
        ColumnData::F64(values) => ColumnData::F64(of(values, rows)),
        ColumnData::Dict { codes, values } => ColumnData::Dict {
            codes: of(codes, rows),
            values: values.clone(),
        },
        ColumnData::Str(values) => {
            let mut picked = StrColumn::default();
            rows.iter()
                .for_each(|row| picked.push(values.get(*row as usize)));
            ColumnData::Str(picked)
        }
    };
    let valid = column.valid.as_ref().map(|valid| {
        let mut bits = Bitmap::default();
        rows.iter()
            .for_each(|row| bits.push(valid.get(*row as usize)));
        bits
    });
    Column {
        name: column.name.clone(),
        column_type: column.column_type,
        data,
        valid,
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
        let mut bits = Bitmap::default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_its_words() {
        let text: Vec<u8> = (1..=40).collect();
        for length in 0..text.len() {
            let mut padded = text[..length].to_vec();
            padded.resize(length / 8 * 8 + 8, 0);
            let (words, rest) = words_of(&text[..length]);
            let bytes: Vec<u8> = words.chain([rest]).flat_map(u64::to_le_bytes).collect();
            assert_eq!(bytes, padded);
            assert!(same_word(&text[..length], &text[..length]));
            for at in 0..length {
                let mut other = text[..length].to_vec();
                other[at] ^= 1;
                assert!(!same_word(&text[..length], &other), "{at} of {length}");
            }
        }
    }

    #[test]
    fn rows_without_a_value_lie_between_those_with_one() {
        let texts = [None, Some("a"), Some("bc"), None, None, Some("a"), None];
        for column_type in [ColumnType::Text, ColumnType::Dict, ColumnType::I64] {
            for rows in [texts.len(), 0] {
                let mut sparse = Sparse::new("column", column_type);
                for (row, text) in texts.iter().enumerate().take(rows) {
                    let number = column_type == ColumnType::I64;
                    match text {
                        Some(text) if number => {
                            sparse.push(row, &ObsValue::I64(text.len() as i64));
                        }
                        Some(text) => sparse.push(row, &ObsValue::Text(text.as_bytes())),
                        None => {}
                    }
                }
                let column = sparse.finish(rows);
                assert_eq!(column.len(), rows);
                let again = pick(&column, &(0..rows as u32).collect::<Vec<_>>());
                assert_eq!(column, again);
                for (row, text) in texts.iter().enumerate().take(rows) {
                    let length = text.map(|text| text.len() as i64);
                    match column_type {
                        ColumnType::I64 => assert_eq!(column.i64(row), length),
                        _ => assert_eq!(column.text(row), *text),
                    }
                }
            }
        }
        let mut full = Sparse::new("column", ColumnType::F64);
        full.push(0, &ObsValue::F64(0.5));
        full.push(1, &ObsValue::Text(b"says nothing"));
        full.push(1, &ObsValue::I64(2));
        let full = full.finish(2);
        assert_eq!(full.valid, None);
        assert_eq!(full.data, ColumnData::F64(vec![0.5, 2.0]));
    }
}
