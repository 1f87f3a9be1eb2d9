//! One column of a row group: the values of a page are gathered from slices of batches and encoded.

use super::dictionary::Dictionary;
use super::page::{Bounds, Levels, PageSink};
use super::{ColumnPlan, Piece, Scratch, delta, hybrid};
use crate::columns::numbers;
use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{Float64Type, Int32Type};
use model::ColumnType;
use parquet::basic::Encoding;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::Result;
use parquet::schema::types::ColumnDescPtr;

/// How numbers are encoded.
const NUMBERS: Encoding = Encoding::DELTA_BINARY_PACKED;

/// Writes the pages of one column.
pub(crate) struct ColumnEncoder {
    plan: ColumnPlan,
    sink: PageSink,
    /// Words and their codes; a column with too many words goes on without codes.
    dictionary: Option<Dictionary>,
    coded: bool,
}

impl ColumnEncoder {
    pub(crate) fn new(plan: ColumnPlan, description: ColumnDescPtr) -> ColumnEncoder {
        let coded = plan.column_type == ColumnType::Dict;
        ColumnEncoder {
            sink: PageSink::new(description, &plan),
            dictionary: coded.then(Dictionary::default),
            coded,
            plan,
        }
    }

    /// Writes the page of `pieces`, whose batches have the column at `index`.
    pub(crate) fn page(
        &mut self,
        pieces: &[Piece<'_>],
        index: usize,
        scratch: &mut Scratch,
    ) -> Result<()> {
        let rows = pieces.iter().map(|piece| piece.rows).sum();
        scratch.page.clear();
        if let (Some(constant), Some(dictionary)) = (&self.plan.constant, &mut self.dictionary) {
            let code = dictionary.intern(constant.as_bytes());
            scratch.codes.clear();
            scratch.codes.resize(rows, code);
            return self.code_page(&Levels::all(rows), scratch);
        }
        let columns = || {
            pieces
                .iter()
                .map(|piece| (piece, piece.batch.column(index)))
        };
        let levels = levels(rows, columns());
        if self.same_page_again(pieces, index, &levels, scratch)? {
            return Ok(());
        }
        levels.put(&mut scratch.page);
        match self.plan.column_type {
            ColumnType::I64 | ColumnType::TimestampUtc | ColumnType::TimestampCivil => {
                gather_numbers(columns(), &mut scratch.numbers);
                self.number_page(&levels, scratch)?;
                scratch.before.column = Some(index);
                return Ok(());
            }
            ColumnType::Dict if self.coded => {
                self.gather_codes(columns(), scratch);
                return self.code_page(&levels, scratch);
            }
            ColumnType::Dict => {
                for (piece, column) in columns() {
                    let column = column.as_dictionary::<Int32Type>();
                    let codes = column.keys().values();
                    let words = column.values().as_string::<i32>();
                    piece.each_valid(column.nulls(), |row| {
                        put_text(words.value(codes[row] as usize), &mut scratch.page);
                    });
                }
            }
            ColumnType::Text | ColumnType::Json | ColumnType::Numeric => {
                for (piece, column) in columns() {
                    let column = column.as_string::<i32>();
                    piece.each_valid(column.nulls(), |row| {
                        put_text(column.value(row), &mut scratch.page);
                    });
                }
            }
            ColumnType::Bytes => {
                for (piece, column) in columns() {
                    let column = column.as_binary::<i32>();
                    piece.each_valid(column.nulls(), |row| {
                        put_text(column.value(row), &mut scratch.page);
                    });
                }
            }
            ColumnType::F64 => {
                for (piece, column) in columns() {
                    let column = column.as_primitive::<Float64Type>();
                    piece.each_valid(column.nulls(), |row| {
                        let value = column.value(row).to_le_bytes();
                        scratch.page.extend_from_slice(&value);
                    });
                }
            }
            ColumnType::Bool => {
                let mut bits = BooleanBufferBuilder::new(rows);
                for (piece, column) in columns() {
                    let column = column.as_boolean();
                    piece.each_valid(column.nulls(), |row| bits.append(column.value(row)));
                }
                scratch.page.extend_from_slice(bits.as_slice());
            }
        }
        self.sink
            .page(&levels, Encoding::PLAIN, &Bounds::Unknown, scratch)?;
        Ok(())
    }

    /// Writes the last page of numbers once more if this column's numbers lie in the same memory: then they
    /// need not be looked at.
    fn same_page_again(
        &mut self,
        pieces: &[Piece<'_>],
        index: usize,
        levels: &Levels,
        scratch: &Scratch,
    ) -> Result<bool> {
        let before = &scratch.before;
        let (Some(other), Some(bounds)) = (before.column, &before.bounds) else {
            return Ok(false);
        };
        let lies_there = |piece: &Piece<'_>| {
            let (this, other) = (piece.batch.column(index), piece.batch.column(other));
            let place = |column| numbers(column).map(|numbers| numbers.as_ptr());
            let bits = |column: &ArrayRef| {
                let nulls = column.nulls()?;
                Some((nulls.buffer().as_ptr(), nulls.offset()))
            };
            place(this).is_some() && place(this) == place(other) && bits(this) == bits(other)
        };
        if !pieces.iter().all(lies_there) {
            return Ok(false);
        }
        self.sink.compress_as(before.is_compressed);
        if before.is_compressed != self.sink.is_compressed() {
            return Ok(false);
        }
        let (buf, bytes) = (before.compressed.clone(), before.uncompressed_bytes);
        self.sink.put(levels, NUMBERS, bounds, buf, bytes)?;
        Ok(true)
    }

    /// Writes a page of the numbers in `scratch`; its levels are in place.
    fn number_page(&mut self, levels: &Levels, scratch: &mut Scratch) -> Result<()> {
        let before = &scratch.before;
        if let Some(bounds) = &before.bounds
            && before.numbers == scratch.numbers
            && before.levels == scratch.page
            && before.is_compressed == self.sink.is_compressed()
        {
            let (buf, bytes) = (before.compressed.clone(), before.uncompressed_bytes);
            return self.sink.put(levels, NUMBERS, bounds, buf, bytes);
        }
        scratch.before.levels.clear();
        scratch.before.levels.extend_from_slice(&scratch.page);
        delta::encode(&scratch.numbers, &mut scratch.page);
        let bounds = Bounds::of_numbers(&scratch.numbers);
        scratch.before.compressed = self.sink.page(levels, NUMBERS, &bounds, scratch)?;
        scratch.before.is_compressed = self.sink.is_compressed();
        scratch.before.uncompressed_bytes = scratch.page.len();
        scratch.before.bounds = Some(bounds);
        std::mem::swap(&mut scratch.before.numbers, &mut scratch.numbers);
        Ok(())
    }

    fn gather_codes<'a>(
        &mut self,
        columns: impl Iterator<Item = (&'a Piece<'a>, &'a ArrayRef)>,
        scratch: &mut Scratch,
    ) {
        let dictionary = self.dictionary.as_mut().expect("a coded column has words");
        scratch.codes.clear();
        for (piece, column) in columns {
            let column = column.as_dictionary::<Int32Type>();
            let codes = &column.keys().values()[piece.start..piece.start + piece.rows];
            match piece.nulls(column.nulls()) {
                Some(nulls) if nulls.null_count() == piece.rows => {}
                Some(nulls) => {
                    let valid = nulls.valid_indices().map(|row| codes[row]);
                    dictionary.translate(column.values(), valid, &mut scratch.codes);
                }
                // One word for all rows is what columns about the process hold.
                None if codes.iter().all(|code| *code == codes[0]) => {
                    let first = codes.iter().copied().take(1);
                    dictionary.translate(column.values(), first, &mut scratch.codes);
                    let code = scratch.codes.last().copied().unwrap_or(0);
                    let more = codes.len().saturating_sub(1);
                    scratch.codes.resize(scratch.codes.len() + more, code);
                }
                None => {
                    let codes = codes.iter().copied();
                    dictionary.translate(column.values(), codes, &mut scratch.codes);
                }
            }
        }
    }

    /// Writes a page of codes; levels are in place unless it is a constant's.
    fn code_page(&mut self, levels: &Levels, scratch: &mut Scratch) -> Result<()> {
        if scratch.page.is_empty() {
            levels.put(&mut scratch.page);
        }
        let dictionary = self.dictionary.as_mut().expect("a coded column has words");
        let width = hybrid::width_of(dictionary.len().saturating_sub(1) as u32);
        scratch.page.push(width as u8);
        hybrid::encode(&scratch.codes, width, &mut scratch.page);
        let bounds = if self.plan.page_bounds {
            dictionary.bounds_of(&scratch.codes)
        } else {
            Bounds::Unknown
        };
        // The words are part of the chunk: where they are longer than codes, they make it worth compressing.
        if dictionary.plain().len() > scratch.page.len() {
            self.sink.compress_as(Some(true));
        }
        dictionary.used(scratch.codes.len());
        self.coded = !dictionary.is_useless();
        self.sink
            .page(levels, Encoding::RLE_DICTIONARY, &bounds, scratch)?;
        Ok(())
    }

    /// Ends the column: its bytes, dictionary first, and what the footer says of them.
    pub(crate) fn finish(
        mut self,
        scratch: &mut Scratch,
    ) -> Result<(bytes::Bytes, ColumnCloseResult)> {
        if let (Some(dictionary), true, true) = (&self.dictionary, self.coded, self.plan.bounds) {
            self.sink.set_bounds(dictionary.bounds());
        }
        self.sink.finish(self.dictionary.as_ref(), scratch)
    }
}

impl Piece<'_> {
    /// The validity of the piece's rows; `None` if all are there.
    fn nulls(&self, nulls: Option<&NullBuffer>) -> Option<NullBuffer> {
        nulls
            .map(|nulls| nulls.slice(self.start, self.rows))
            .filter(|nulls| nulls.null_count() > 0)
    }

    fn each_valid(&self, nulls: Option<&NullBuffer>, mut each: impl FnMut(usize)) {
        match self.nulls(nulls) {
            None => (self.start..self.start + self.rows).for_each(each),
            Some(nulls) => nulls.valid_indices().for_each(|row| each(self.start + row)),
        }
    }
}

fn put_text(value: impl AsRef<[u8]>, out: &mut Vec<u8>) {
    let value = value.as_ref();
    out.extend_from_slice(&(value.len() as u32).to_le_bytes());
    out.extend_from_slice(value);
}

fn levels<'a>(
    rows: usize,
    columns: impl Iterator<Item = (&'a Piece<'a>, &'a ArrayRef)> + Clone,
) -> Levels {
    let valid = |piece: &Piece<'_>, column: &ArrayRef| piece.nulls(column.nulls());
    if columns
        .clone()
        .all(|(piece, column)| valid(piece, column).is_none())
    {
        return Levels::all(rows);
    }
    let mut bits = BooleanBufferBuilder::new(rows);
    for (piece, column) in columns {
        match valid(piece, column) {
            None => bits.append_n(piece.rows, true),
            Some(nulls) => bits.append_buffer(nulls.inner()),
        }
    }
    Levels::some(rows, bits.finish())
}

fn gather_numbers<'a>(
    columns: impl Iterator<Item = (&'a Piece<'a>, &'a ArrayRef)>,
    out: &mut Vec<i64>,
) {
    out.clear();
    for (piece, column) in columns {
        let values = numbers(column).expect("a column of numbers");
        match piece.nulls(column.nulls()) {
            None => out.extend_from_slice(&values[piece.start..piece.start + piece.rows]),
            Some(nulls) => out.extend(nulls.valid_indices().map(|row| values[piece.start + row])),
        }
    }
}
