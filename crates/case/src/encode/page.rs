//! Pages of a column chunk: levels, compression, header, and what the indexes say of them.

use super::dictionary::Dictionary;
use super::{ColumnPlan, Scratch, hybrid, new_compressor};
use arrow::buffer::BooleanBuffer;
use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, Type, ZstdLevel};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

/// Longer words have no bounds: nobody selects by them.
const MAX_BOUND_BYTES: usize = 64;

/// A first page of fewer bytes does not tell whether compressing saves anything: those behind it may hold more.
const TELLING_BYTES: usize = 2048;

/// Which rows of a page have a value: Parquet's definition levels.
pub(crate) struct Levels {
    rows: usize,
    valid: Option<BooleanBuffer>,
    nulls: usize,
}

impl Levels {
    /// All rows do.
    pub(crate) fn all(rows: usize) -> Levels {
        Levels {
            rows,
            valid: None,
            nulls: 0,
        }
    }

    /// Those whose bit is set.
    pub(crate) fn some(rows: usize, valid: BooleanBuffer) -> Levels {
        Levels {
            rows,
            nulls: rows - valid.count_set_bits(),
            valid: Some(valid),
        }
    }

    /// Appends the levels with their length before them.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match &self.valid {
            Some(valid) if self.nulls < self.rows => hybrid::put_bits(valid.values(), out),
            _ => hybrid::put_run(u32::from(self.nulls == 0), self.rows, 1, out),
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// The smallest and largest value of a page or column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bounds {
    /// There may be any.
    Unknown,
    /// There is no value.
    Empty,
    /// Numbers.
    Numbers(i64, i64),
    /// Words in the order of their bytes.
    Words(Vec<u8>, Vec<u8>),
}

impl Bounds {
    pub(crate) fn of_numbers(values: &[i64]) -> Bounds {
        let Some(&first) = values.first() else {
            return Bounds::Empty;
        };
        let (mut min, mut max) = (first, first);
        for value in values {
            min = min.min(*value);
            max = max.max(*value);
        }
        Bounds::Numbers(min, max)
    }

    pub(crate) fn of_words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Bounds {
        let mut bounds: Option<(&[u8], &[u8])> = None;
        for word in words {
            if word.len() > MAX_BOUND_BYTES {
                return Bounds::Unknown;
            }
            bounds = Some(match bounds {
                Some((min, max)) => (min.min(word), max.max(word)),
                None => (word, word),
            });
        }
        bounds.map_or(Bounds::Empty, |(min, max)| {
            Bounds::Words(min.to_vec(), max.to_vec())
        })
    }

    fn widen(&mut self, other: &Bounds) {
        match (&mut *self, other) {
            (Bounds::Unknown, _) | (_, Bounds::Empty) => {}
            (Bounds::Empty, other) => *self = other.clone(),
            (Bounds::Numbers(min, max), Bounds::Numbers(low, high)) => {
                *min = (*min).min(*low);
                *max = (*max).max(*high);
            }
            (Bounds::Words(min, max), Bounds::Words(low, high)) => {
                if low < min {
                    min.clone_from(low);
                }
                if high > max {
                    max.clone_from(high);
                }
            }
            _ => *self = Bounds::Unknown,
        }
    }

    /// As bytes of a column index.
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Bounds::Numbers(min, max) => (min.to_le_bytes().into(), max.to_le_bytes().into()),
            Bounds::Words(min, max) => (min.clone(), max.clone()),
            Bounds::Unknown | Bounds::Empty => (Vec::new(), Vec::new()),
        }
    }

    fn statistics(&self, physical: Type, nulls: u64) -> Option<Statistics> {
        let nulls = Some(nulls);
        match (self, physical) {
            (Bounds::Numbers(min, max), _) => Some(Statistics::int64(
                Some(*min),
                Some(*max),
                None,
                nulls,
                false,
            )),
            (Bounds::Empty, Type::INT64) => Some(Statistics::int64(None, None, None, nulls, false)),
            (Bounds::Words(min, max), _) => {
                let word = |bytes: &Vec<u8>| Some(ByteArray::from(bytes.clone()));
                Some(Statistics::byte_array(
                    word(min),
                    word(max),
                    None,
                    nulls,
                    false,
                ))
            }
            _ => None,
        }
    }
}

/// Takes the pages of a column chunk.
pub(crate) struct PageSink {
    description: ColumnDescPtr,
    /// Whether its pages are compressed; `None` until the first one shows whether that saves anything.
    compressed: Option<bool>,
    out: TrackedWrite<Vec<u8>>,
    offsets: OffsetIndexBuilder,
    index: Option<ColumnIndexBuilder>,
    /// Bounds of the pages that have any value, to tell whether they are in order.
    pages: Vec<Bounds>,
    bounds: Bounds,
    encodings: Vec<Encoding>,
    rows: u64,
    nulls: u64,
    uncompressed_bytes: i64,
}

impl PageSink {
    pub(crate) fn new(description: ColumnDescPtr, plan: &ColumnPlan) -> PageSink {
        PageSink {
            index: plan
                .page_bounds
                .then(|| ColumnIndexBuilder::new(description.physical_type())),
            description,
            compressed: (!plan.compressed).then_some(false),
            out: TrackedWrite::new(Vec::new()),
            offsets: OffsetIndexBuilder::new(),
            pages: Vec::new(),
            bounds: Bounds::Empty,
            encodings: vec![Encoding::RLE],
            rows: 0,
            nulls: 0,
            uncompressed_bytes: 0,
        }
    }

    /// Whether its pages are compressed, if that is known yet.
    pub(crate) fn is_compressed(&self) -> Option<bool> {
        self.compressed
    }

    /// Has pages compressed or not, as those of a column with the same first page.
    pub(crate) fn compress_as(&mut self, compressed: Option<bool>) {
        self.compressed = self.compressed.or(compressed);
    }

    /// Writes `scratch.page`, levels and values; returns what it was compressed to.
    pub(crate) fn page(
        &mut self,
        levels: &Levels,
        encoding: Encoding,
        bounds: &Bounds,
        scratch: &mut Scratch,
    ) -> Result<Bytes> {
        let buf = self.compress(scratch)?;
        self.put(levels, encoding, bounds, buf.clone(), scratch.page.len())?;
        Ok(buf)
    }

    /// Writes a page that is compressed already.
    pub(crate) fn put(
        &mut self,
        levels: &Levels,
        encoding: Encoding,
        bounds: &Bounds,
        buf: Bytes,
        uncompressed_bytes: usize,
    ) -> Result<()> {
        let page = Page::DataPage {
            buf,
            num_values: levels.rows as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let page = CompressedPage::new(page, uncompressed_bytes);
        let spec = SerializedPageWriter::new(&mut self.out).write_page(page)?;
        self.offsets
            .append_offset_and_size(spec.offset as i64, spec.compressed_size as i32);
        self.offsets.append_row_count(levels.rows as i64);
        self.uncompressed_bytes += spec.uncompressed_size as i64;
        self.rows += levels.rows as u64;
        self.nulls += levels.nulls as u64;
        if !self.encodings.contains(&encoding) {
            self.encodings.push(encoding);
        }
        self.bounds.widen(bounds);
        if let Some(index) = &mut self.index {
            let (min, max) = bounds.bytes();
            let empty = *bounds == Bounds::Empty;
            if *bounds == Bounds::Unknown {
                index.to_invalid();
            }
            index.append(empty, min, max, levels.nulls as i64);
            if !empty {
                self.pages.push(bounds.clone());
            }
        }
        Ok(())
    }

    /// Compresses `scratch.page`. Codes and differences of numbers that come in no order are as short as they
    /// can be: what the first page tells holds for all pages, as the format wants it.
    fn compress(&mut self, scratch: &mut Scratch) -> Result<Bytes> {
        if self.compressed == Some(false) {
            return Ok(Bytes::copy_from_slice(&scratch.page));
        }
        let compressor = match &mut scratch.compressor {
            Some(compressor) => compressor,
            none => none.insert(new_compressor().map_err(external)?),
        };
        scratch.compressed.clear();
        scratch
            .compressed
            .reserve(zstd::zstd_safe::compress_bound(scratch.page.len()));
        compressor
            .compress_to_buffer(&scratch.page, &mut scratch.compressed)
            .map_err(external)?;
        let shrinks = scratch.page.len() < TELLING_BYTES
            || scratch.compressed.len() < scratch.page.len() / 8 * 7;
        Ok(match *self.compressed.get_or_insert(shrinks) {
            true => Bytes::copy_from_slice(&scratch.compressed),
            false => Bytes::copy_from_slice(&scratch.page),
        })
    }

    /// Sets the bounds of all pages, where they are known by other means.
    pub(crate) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Ends the chunk.
    pub(crate) fn finish(
        mut self,
        dictionary: Option<&Dictionary>,
        scratch: &mut Scratch,
    ) -> Result<(Bytes, ColumnCloseResult)> {
        let mut first = Vec::new();
        if let Some(dictionary) = dictionary {
            scratch.page.clear();
            scratch.page.extend_from_slice(dictionary.plain());
            let page = Page::DictionaryPage {
                buf: self.compress(scratch)?,
                num_values: dictionary.len() as u32,
                encoding: Encoding::PLAIN,
                is_sorted: false,
            };
            let mut out = TrackedWrite::new(Vec::new());
            let page = CompressedPage::new(page, scratch.page.len());
            let spec = SerializedPageWriter::new(&mut out).write_page(page)?;
            self.uncompressed_bytes += spec.uncompressed_size as i64;
            if !self.encodings.contains(&Encoding::PLAIN) {
                self.encodings.push(Encoding::PLAIN);
            }
            first = out.into_inner()?;
        }
        let dictionary_bytes = first.len() as i64;
        first.extend_from_slice(&self.out.into_inner()?);
        let mut offsets = self.offsets.build();
        for location in &mut offsets.page_locations {
            location.offset += dictionary_bytes;
        }
        let column_index = match self.index {
            Some(mut index) if index.valid() => {
                index.set_boundary_order(order(&self.pages));
                Some(index.build()?)
            }
            _ => None,
        };
        let compression = match self.compressed {
            Some(false) => Compression::UNCOMPRESSED,
            _ => Compression::ZSTD(ZstdLevel::default()),
        };
        self.encodings.sort();
        let mut metadata = ColumnChunkMetaData::builder(self.description.clone())
            .set_compression(compression)
            .set_encodings(self.encodings)
            .set_num_values(self.rows as i64)
            .set_total_compressed_size(first.len() as i64)
            .set_total_uncompressed_size(self.uncompressed_bytes)
            .set_data_page_offset(dictionary_bytes)
            .set_dictionary_page_offset(dictionary.map(|_| 0));
        let physical = self.description.physical_type();
        if let Some(statistics) = self.bounds.statistics(physical, self.nulls) {
            metadata = metadata.set_statistics(statistics);
        }
        let close = ColumnCloseResult {
            bytes_written: first.len() as u64,
            rows_written: self.rows,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index,
            offset_index: Some(offsets),
        };
        Ok((Bytes::from(first), close))
    }
}

/// How pages follow each other, so that readers may search in them.
fn order(pages: &[Bounds]) -> BoundaryOrder {
    let ascends = |pair: &[Bounds]| match (&pair[0], &pair[1]) {
        (Bounds::Numbers(a, b), Bounds::Numbers(c, d)) => a <= c && b <= d,
        (Bounds::Words(a, b), Bounds::Words(c, d)) => a <= c && b <= d,
        _ => false,
    };
    if pages.windows(2).all(ascends) {
        BoundaryOrder::ASCENDING
    } else {
        BoundaryOrder::UNORDERED
    }
}

fn external(error: std::io::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
