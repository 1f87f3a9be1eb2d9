//! One Parquet file: how rows are encoded, and how a source's digest gets in afterwards.
//!
//! The bytes are a pure function of the sequence of rows: pages are always 8 Ki rows counted from the
//! start of the file, however the rows arrived.

use crate::columns::{Columns, memory_schema};
use crate::disk::{Disk, DiskFile};
use crate::encode::{ColumnPlan, Piece, RowGroup};
use crate::error::{AtPath, segment_error};
use crate::{CaseError, TableId};
use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::ArrowSchemaConverter;
use parquet::file::metadata::{KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Rows of a row group; here and below, rows with much text count more: see `row_units`.
pub(crate) const GROUP_ROWS: usize = 128 * 1024;
/// Rows of a page, and of every slice given to Parquet.
pub(crate) const PAGE_ROWS: usize = 8 * 1024;
/// Rows after which a large source's segment is cut.
pub(crate) const SEGMENT_ROWS: u64 = 1024 * 1024;
/// Rows of the hash table after which a large source's segment is cut: they are sorted in memory.
pub(crate) const HASH_SEGMENT_ROWS: u64 = 512 * 1024;
/// Where the types that Parquet does not know are kept.
pub(crate) const COLUMNS_KEY: &str = "coroner.columns";
/// The column that the case fills.
pub(crate) const SOURCE: &str = "source";
/// A page of more pieces is put together row by row first.
const MANY_PIECES: usize = 64;

/// Columns whose pages have bounds: what windows and look-ups select by.
const PAGE_BOUNDS: [&str; 9] = [
    "hash",
    "ts",
    "ts_us",
    "ts_order",
    "ts_order_us",
    "source",
    "slot",
    "level",
    "line",
];

/// How the columns of a table are written.
fn plans(table: &TableId, columns: &Columns, source: &SourceValue) -> Vec<ColumnPlan> {
    let constant = match source {
        SourceValue::Fill(value, at) | SourceValue::Placeholder(value, at) => Some((value, *at)),
        SourceValue::InRows => None,
    };
    let columns = columns.iter().enumerate();
    columns
        .map(|(index, (name, column_type))| ColumnPlan {
            column_type: *column_type,
            constant: constant
                .filter(|(_, at)| *at == index)
                .map(|(value, _)| value.clone()),
            // So that a digest can be put in later: see `patch`.
            compressed: !(table.is_timed() && name == SOURCE),
            page_bounds: table.is_timed() && PAGE_BOUNDS.contains(&name.as_str()),
            // Nobody selects by the order of other words.
            bounds: !table.is_timed() || matches!(name.as_str(), "node" | "client" | "kind"),
        })
        .collect()
}

fn properties(columns: &Columns) -> WriterProperties {
    let types = serde_json::to_string(columns).expect("names and types are JSON");
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("coroner".to_owned())
        .set_key_value_metadata(Some(vec![KeyValue::new(COLUMNS_KEY.to_owned(), types)]))
        .build()
}

/// A file that counts and hashes what is written; one that will be patched is hashed afterwards.
struct HashingFile {
    file: DiskFile,
    hash: Option<Sha256>,
    bytes: u64,
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        if let Some(hash) = &mut self.hash {
            hash.update(&bytes[..written]);
        }
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// The digest in the `source` column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SourceValue {
    /// The rows carry it already, or the table has no such column.
    InRows,
    /// Every row has this one; the column is put in before the position.
    Fill(String, usize),
    /// Not known yet: a placeholder of the same length.
    Placeholder(String, usize),
}

/// A finished segment under its temporary name.
#[derive(Debug)]
pub(crate) struct Encoded {
    pub(crate) path: PathBuf,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Empty until a placeholder is replaced.
    pub(crate) sha256: String,
    pub(crate) sources: BTreeMap<String, u64>,
    pub(crate) lines: Option<(u64, u64)>,
    pub(crate) times: Option<(i64, i64)>,
    placeholder: Option<String>,
}

/// A segment being written: takes rows in their final order.
pub(crate) struct SegmentFile {
    table: TableId,
    path: PathBuf,
    source: SourceValue,
    writer: SerializedFileWriter<HashingFile>,
    group: RowGroup,
    /// Batches of the page at hand.
    page: Vec<RecordBatch>,
    /// Its rows: batch, first row, number of rows.
    pieces: Vec<(usize, usize, usize)>,
    page_units: usize,
    group_units: usize,
    rows: u64,
    noted: Noted,
}

/// What the manifest says of a segment.
#[derive(Default)]
struct Noted {
    sources: BTreeMap<String, u64>,
    lines: Option<(u64, u64)>,
    times: Option<(i64, i64)>,
}

impl Noted {
    fn add(&mut self, piece: &Piece<'_>, source: &SourceValue) {
        let bounds = |column: &Int64Array| {
            let column = column.slice(piece.start, piece.rows);
            arrow::compute::min(&column).zip(arrow::compute::max(&column))
        };
        if let Some((first, last)) = time_column(piece.batch).and_then(bounds) {
            widen(&mut self.times, first, last);
        }
        let lines = piece.batch.column_by_name("line");
        if let Some((first, last)) = lines.and_then(|lines| bounds(lines.as_primitive())) {
            widen(&mut self.lines, first.max(0) as u64, last.max(0) as u64);
        }
        match source {
            SourceValue::Fill(value, _) => {
                *self.sources.entry(value.clone()).or_default() += piece.rows as u64;
            }
            SourceValue::InRows => {
                for (source, rows) in count_sources(piece.batch, piece.start, piece.rows) {
                    *self.sources.entry(source).or_default() += rows;
                }
            }
            SourceValue::Placeholder(..) => {}
        }
    }
}

impl SegmentFile {
    /// Begins a file at a temporary path. `columns` are those of the file, with `source`.
    pub(crate) fn create(
        disk: &Disk,
        path: &Path,
        table: &TableId,
        columns: Columns,
        source: SourceValue,
    ) -> Result<SegmentFile, CaseError> {
        let file = HashingFile {
            file: disk.create(path)?,
            hash: (!matches!(source, SourceValue::Placeholder(..))).then(Sha256::new),
            bytes: 0,
        };
        let writer = ArrowSchemaConverter::new()
            .convert(&memory_schema(&columns))
            .and_then(|schema| {
                let properties = Arc::new(properties(&columns));
                SerializedFileWriter::new(file, schema.root_schema_ptr(), properties)
            })
            .map_err(|error| parquet_error(path, error))?;
        Ok(SegmentFile {
            group: RowGroup::new(plans(table, &columns, &source)),
            table: table.clone(),
            path: path.to_path_buf(),
            source,
            writer,
            page: Vec::new(),
            pieces: Vec::new(),
            page_units: 0,
            group_units: 0,
            rows: 0,
            noted: Noted::default(),
        })
    }

    /// Appends rows of a batch (which has the memory schema, without a column that is to be filled);
    /// `units` says how much each of them counts.
    pub(crate) fn push(
        &mut self,
        batch: &RecordBatch,
        start: usize,
        units: &[u32],
    ) -> Result<(), CaseError> {
        self.rows += units.len() as u64;
        let mut done = 0;
        while done < units.len() {
            let known = self.page.iter().rposition(|known| same(known, batch));
            let index = known.unwrap_or_else(|| {
                self.page.push(batch.clone());
                self.page.len() - 1
            });
            let from = done;
            while done < units.len() && self.page_units < PAGE_ROWS {
                self.page_units += units[done] as usize;
                done += 1;
            }
            let (first, rows) = (start + from, done - from);
            match self.pieces.last_mut() {
                Some((last, at, len)) if *last == index && *at + *len == first => *len += rows,
                _ => self.pieces.push((index, first, rows)),
            }
            if self.page_units >= PAGE_ROWS {
                self.write_page()?;
            }
        }
        Ok(())
    }

    fn write_page(&mut self) -> Result<(), CaseError> {
        let interleaved;
        let mut pieces = Vec::with_capacity(self.pieces.len().min(MANY_PIECES));
        if self.pieces.len() <= MANY_PIECES {
            pieces.extend(self.pieces.iter().map(|(index, start, rows)| Piece {
                batch: &self.page[*index],
                start: *start,
                rows: *rows,
            }));
        } else {
            let batches: Vec<&RecordBatch> = self.page.iter().collect();
            let mut rows = Vec::with_capacity(PAGE_ROWS);
            for (index, start, len) in &self.pieces {
                rows.extend((*start..start + len).map(|row| (*index, row)));
            }
            interleaved = interleave_record_batch(&batches, &rows)
                .map_err(|error| segment_error(&self.path, error))?;
            pieces.push(Piece {
                batch: &interleaved,
                start: 0,
                rows: interleaved.num_rows(),
            });
        }
        if self.table.is_timed() {
            for piece in &pieces {
                self.noted.add(piece, &self.source);
            }
        }
        self.group
            .page(&pieces, &self.writer)
            .map_err(|error| parquet_error(&self.path, error))?;
        // The last batch usually goes on in the next page.
        self.page.drain(..self.page.len() - 1);
        self.pieces.clear();
        self.group_units += std::mem::take(&mut self.page_units);
        if self.group_units >= GROUP_ROWS {
            self.end_group()?;
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), CaseError> {
        self.group_units = 0;
        self.group
            .end(&mut self.writer)
            .map_err(|error| parquet_error(&self.path, error))
    }

    /// Ends the file and makes it durable.
    pub(crate) fn finish(mut self) -> Result<Encoded, CaseError> {
        if self.page_units > 0 {
            self.write_page()?;
        }
        self.end_group()?;
        self.writer
            .finish()
            .map_err(|error| parquet_error(&self.path, error))?;
        let file = self.writer.inner();
        file.file.sync()?;
        Ok(Encoded {
            rows: self.rows,
            bytes: file.bytes,
            sha256: file
                .hash
                .clone()
                .map_or_else(String::new, |hash| hex(&hash.finalize())),
            path: self.path,
            sources: self.noted.sources,
            lines: self.noted.lines,
            times: self.noted.times,
            placeholder: match self.source {
                SourceValue::Placeholder(value, _) => Some(value),
                _ => None,
            },
        })
    }
}

/// Whether two batches are the same one.
fn same(a: &RecordBatch, b: &RecordBatch) -> bool {
    a.num_rows() == b.num_rows()
        && a.columns()
            .first()
            .zip(b.columns().first())
            .is_some_and(|(a, b)| Arc::ptr_eq(a, b))
}

fn widen<T: Ord + Copy>(range: &mut Option<(T, T)>, low: T, high: T) {
    *range = Some(match *range {
        Some((first, last)) => (first.min(low), last.max(high)),
        None => (low, high),
    });
}

/// Returns the column that the order is taken from: time, and in the hash table the hash.
pub(crate) fn time_column(batch: &RecordBatch) -> Option<&Int64Array> {
    ["ts_order_us", "ts_us", "hash"]
        .iter()
        .find_map(|name| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>())
}

fn count_sources(batch: &RecordBatch, start: usize, rows: usize) -> Vec<(String, u64)> {
    let Some(column) = batch
        .column_by_name(SOURCE)
        .and_then(|column| column.as_dictionary_opt::<Int32Type>())
    else {
        return Vec::new();
    };
    let mut counts = vec![0u64; column.values().len()];
    for key in &column.keys().values()[start..start + rows] {
        if let Some(count) = counts.get_mut(*key as usize) {
            *count += 1;
        }
    }
    let names = column.values().as_string::<i32>();
    (0..counts.len())
        .filter(|index| counts[*index] > 0)
        .map(|index| (names.value(index).to_owned(), counts[index]))
        .collect()
}

/// Errors of Parquet are those of the disk below it, if it says so.
fn parquet_error(path: &Path, error: parquet::errors::ParquetError) -> CaseError {
    if let parquet::errors::ParquetError::External(inner) = error {
        return match inner.downcast::<io::Error>() {
            Ok(source) => CaseError::Io {
                action: "write",
                path: path.to_path_buf(),
                source: *source,
            },
            Err(inner) => segment_error(path, inner),
        };
    }
    segment_error(path, error)
}

/// Returns a placeholder that no evidence can hold by design: it is drawn anew for every writer.
pub(crate) fn new_placeholder(len: usize) -> String {
    use std::hash::{BuildHasher, Hasher};
    let mut text = String::from("~");
    while text.len() < len {
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_usize(text.len());
        text.push_str(&format!("{:016x}", hasher.finish()));
    }
    text.truncate(len);
    text
}

/// Puts the digest in the place of the placeholder, counts the places, and reads the column back.
pub(crate) fn patch(encoded: &mut Encoded, digest: &str) -> Result<(), CaseError> {
    let Some(placeholder) = encoded.placeholder.take() else {
        return Ok(());
    };
    let path = encoded.path.clone();
    let wrong = |what: &str| segment_error(&path, what.to_owned());
    if digest.len() != placeholder.len() {
        return Err(wrong("the digest and its placeholder differ in length"));
    }
    let mut file = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .at("open", &path)?;
    let metadata = read_metadata(&file, &path)?;
    let mut data_end = 0;
    let mut expected_tail = 0;
    for group in 0..metadata.num_row_groups() {
        for (index, column) in metadata.row_group(group).columns().iter().enumerate() {
            let (start, len) = column.byte_range();
            data_end = data_end.max(start + len);
            if column.column_path().string() != SOURCE {
                continue;
            }
            if replace(&mut file, &path, start, len, &placeholder, digest)? != 1 {
                return Err(wrong(
                    "the source column has not exactly one dictionary value",
                ));
            }
            let pages = metadata
                .offset_index()
                .map_or(0, |offsets| offsets[group][index].page_locations().len());
            // Smallest and largest value, of the column and of each page.
            expected_tail += 2 + 2 * pages;
        }
    }
    let length = file.seek(SeekFrom::End(0)).at("read", &path)?;
    let tail = replace(
        &mut file,
        &path,
        data_end,
        length - data_end,
        &placeholder,
        digest,
    )?;
    if tail != expected_tail {
        return Err(segment_error(
            &path,
            format!("{tail} places of the digest in the footer, {expected_tail} expected"),
        ));
    }
    file.sync_all().at("sync", &path)?;
    check_source(&path, digest)?;
    encoded.sha256 = hash_file(&path)?.0;
    encoded.sources = BTreeMap::from([(digest.to_owned(), encoded.rows)]);
    Ok(())
}

fn replace(
    file: &mut File,
    path: &Path,
    start: u64,
    len: u64,
    from: &str,
    to: &str,
) -> Result<usize, CaseError> {
    let mut bytes = vec![0; len as usize];
    file.seek(SeekFrom::Start(start)).at("read", path)?;
    file.read_exact(&mut bytes).at("read", path)?;
    let mut places = 0;
    let mut at = 0;
    while at + from.len() <= bytes.len() {
        if &bytes[at..at + from.len()] == from.as_bytes() {
            bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
            places += 1;
            at += from.len();
        } else {
            at += 1;
        }
    }
    file.seek(SeekFrom::Start(start)).at("write", path)?;
    file.write_all(&bytes).at("write", path)?;
    Ok(places)
}

fn check_source(path: &Path, digest: &str) -> Result<(), CaseError> {
    let reader = crate::segment_reader::SegmentReader::open(path)?;
    reader.for_each(Some(&[SOURCE]), &mut |batch| {
        let counts = count_sources(batch, 0, batch.num_rows());
        match &counts[..] {
            [(source, rows)] if source == digest && *rows == batch.num_rows() as u64 => Ok(()),
            _ => Err(segment_error(
                path,
                "the digest was not written everywhere".to_owned(),
            )),
        }
    })
}

/// Reads footer and page index.
pub(crate) fn read_metadata(file: &File, path: &Path) -> Result<ParquetMetaData, CaseError> {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(file)
        .map_err(|error| segment_error(path, error))
}

/// Returns sha256 and length of a file.
pub(crate) fn hash_file(path: &Path) -> Result<(String, u64), CaseError> {
    let mut file = File::open(path).at("read", path)?;
    let mut buffer = vec![0; 1 << 18];
    let mut hash = Sha256::new();
    let mut length = 0;
    loop {
        let read = match file.read(&mut buffer) {
            Ok(0) => return Ok((hex(&hash.finalize()), length)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error).at("read", path),
        };
        hash.update(&buffer[..read]);
        length += read as u64;
    }
}

/// Prints bytes in hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
