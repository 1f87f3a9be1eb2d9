//! Merging the rows of small sources into one segment, and rows one after the other into several.

use crate::builder::Builder;
use crate::columns::{Columns, conform, memory_schema, row_units};
use crate::error::segment_error;
use crate::rows::merged;
use crate::segment::{Encoded, SegmentFile, SourceValue};
use crate::segment_reader::{SegmentReader, SegmentRows, Sources};
use crate::spool::{Block, Keys, Work, sorted};
use crate::{CaseError, Run, TableId};
use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Tells which committed rows stay, by source and line.
type Keep<'a> = &'a dyn Fn(&str, i64) -> bool;

/// Sorted rows from one place.
pub(crate) struct Feed<'a> {
    origin: Origin<'a>,
    columns: Columns,
}

enum Origin<'a> {
    /// A block of the spool; it is loaded when its time has come.
    Block {
        run: &'a Run,
        block: &'a Block,
        digest: &'a str,
    },
    /// A sorted file.
    Segment {
        path: PathBuf,
        rows: Box<SegmentRows>,
        keep: Option<Keep<'a>>,
    },
}

impl<'a> Feed<'a> {
    /// Feeds from the spool.
    pub(crate) fn block(run: &'a Run, block: &'a Block, digest: &'a str) -> Feed<'a> {
        Feed {
            origin: Origin::Block { run, block, digest },
            columns: run.file_columns(),
        }
    }

    /// Feeds from a file, all rows or those to keep.
    pub(crate) fn segment(path: &Path, keep: Option<Keep<'a>>) -> Result<Feed<'a>, CaseError> {
        let reader = SegmentReader::open(path)?;
        Ok(Feed {
            columns: reader.columns().clone(),
            origin: Origin::Segment {
                path: path.to_path_buf(),
                rows: Box::new(reader.read(None, &reader.all())?),
                keep,
            },
        })
    }
}

/// What rows of a bin are sorted by: time, source, line, and the feed for what is equal.
type Key = (i64, usize, i64, usize);

/// Rows of a feed that are loaded.
struct Loaded {
    batch: RecordBatch,
    units: Vec<u32>,
    keys: Keys,
    ranks: Vec<usize>,
    row: usize,
}

impl Loaded {
    fn key(&self, feed: usize) -> Key {
        let (time, line) = self.keys.get(self.row);
        (time, self.ranks[self.row], line, feed)
    }
}

/// Merges feeds into one segment; none if there is no row. `sources` is sorted.
pub(crate) fn merge(
    work: &Arc<Work>,
    table: &TableId,
    sources: &[String],
    mut feeds: Vec<Feed<'_>>,
) -> Result<Option<Encoded>, CaseError> {
    let inputs: Vec<Columns> = feeds.iter().map(|feed| feed.columns.clone()).collect();
    let columns = merged(&inputs);
    let schema = memory_schema(&columns);
    let mut heap: BinaryHeap<Reverse<Key>> = BinaryHeap::new();
    let mut loaded: Vec<Option<Loaded>> = Vec::new();
    for (index, feed) in feeds.iter_mut().enumerate() {
        loaded.push(None);
        match &feed.origin {
            // Not loaded yet: a key that is not above that of its first row.
            Origin::Block { block, digest, .. } => {
                heap.push(Reverse((
                    block.min_time,
                    rank(sources, digest),
                    i64::MIN,
                    index,
                )));
            }
            Origin::Segment { .. } => {
                loaded[index] = load(feed, sources, &columns, &schema)?;
                heap.extend(loaded[index].as_ref().map(|rows| Reverse(rows.key(index))));
            }
        }
    }
    let mut file: Option<SegmentFile> = None;
    while let Some(Reverse((_, _, _, index))) = heap.pop() {
        let Some(rows) = &mut loaded[index] else {
            loaded[index] = load(&mut feeds[index], sources, &columns, &schema)?;
            heap.extend(loaded[index].as_ref().map(|rows| Reverse(rows.key(index))));
            continue;
        };
        let limit = heap.peek().map(|Reverse(key)| *key);
        let start = rows.row;
        rows.row += 1;
        while rows.row < rows.batch.num_rows() && limit.is_none_or(|limit| rows.key(index) < limit)
        {
            rows.row += 1;
        }
        let file = match &mut file {
            Some(file) => file,
            none => none.insert(SegmentFile::create(
                &work.disk,
                &work.temp_path("segment")?,
                table,
                columns.clone(),
                SourceValue::InRows,
            )?),
        };
        file.push(&rows.batch, start, &rows.units[start..rows.row])?;
        if rows.row == rows.batch.num_rows() {
            loaded[index] = match &feeds[index].origin {
                Origin::Block { .. } => None,
                Origin::Segment { .. } => load(&mut feeds[index], sources, &columns, &schema)?,
            };
        }
        heap.extend(loaded[index].as_ref().map(|rows| Reverse(rows.key(index))));
    }
    file.map(SegmentFile::finish).transpose()
}

fn rank(sources: &[String], digest: &str) -> usize {
    sources.partition_point(|source| source.as_str() < digest)
}

/// Loads the next rows of a feed.
fn load(
    feed: &mut Feed<'_>,
    sources: &[String],
    columns: &Columns,
    schema: &SchemaRef,
) -> Result<Option<Loaded>, CaseError> {
    let (batch, path) = match &mut feed.origin {
        Origin::Block { run, block, digest } => {
            let path = PathBuf::from("spool");
            (sorted(run.load(block, digest)?, &path)?, path)
        }
        Origin::Segment { path, rows, keep } => loop {
            let Some(batch) = rows.next() else {
                return Ok(None);
            };
            let batch = batch?;
            let batch = match keep {
                Some(keep) => kept(&batch, *keep).map_err(|error| segment_error(path, error))?,
                None => batch,
            };
            if batch.num_rows() > 0 {
                break (batch, path.clone());
            }
        },
    };
    let names = Sources::of(&batch);
    let by_code: Vec<usize> = names
        .names()
        .iter()
        .map(|name| rank(sources, name))
        .collect();
    let ranks = (0..batch.num_rows())
        .map(|row| by_code.get(names.code(row)).copied().unwrap_or_default())
        .collect();
    let batch = conform(&batch, columns, schema).map_err(|error| segment_error(&path, error))?;
    Ok(Some(Loaded {
        keys: Keys::of(&batch),
        units: row_units(&batch),
        ranks,
        batch,
        row: 0,
    }))
}

fn kept(batch: &RecordBatch, keep: Keep<'_>) -> Result<RecordBatch, arrow::error::ArrowError> {
    let sources = Sources::of(batch);
    let lines = Keys::of(batch).lines;
    let mask: Vec<bool> = (0..batch.num_rows())
        .map(|row| keep(sources.get(row), lines[row]))
        .collect();
    if mask.iter().all(|kept| *kept) {
        return Ok(batch.clone());
    }
    filter_record_batch(batch, &BooleanArray::from(mask))
}

/// Appends rows of any origin to a builder.
pub(crate) struct Appender {
    builder: Builder,
    /// Columns without `source`.
    columns: Columns,
    schema: SchemaRef,
}

impl Appender {
    pub(crate) fn new(builder: Builder, columns: Columns) -> Appender {
        Appender {
            builder,
            schema: memory_schema(&columns),
            columns,
        }
    }

    /// Appends rows; `source` is left out, for the builder knows it.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), CaseError> {
        let batch = conform(batch, &self.columns, &self.schema)
            .map_err(|error| segment_error(Path::new("spool"), error))?;
        self.builder.push(batch)
    }

    pub(crate) fn finish(self) -> Result<Vec<Encoded>, CaseError> {
        self.builder.finish()
    }
}
