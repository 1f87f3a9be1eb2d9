//! The spool: rows of a transaction that wait for their place, in memory while there is little, then as
//! blocks in one temporary file.

use crate::CaseError;
use crate::columns::slice_bytes;
use crate::disk::{Disk, DiskFile};
use crate::error::{AtPath, segment_error};
use crate::segment::time_column;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What the parts of a transaction share: the disk, the folder for temporary files, the spool.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) disk: Disk,
    pub(crate) folder: PathBuf,
    serial: AtomicU64,
    spool: Mutex<Option<SpoolFile>>,
    /// Bytes of memory that are left for rows.
    memory: AtomicI64,
}

#[derive(Debug)]
struct SpoolFile {
    file: DiskFile,
    length: u64,
}

/// Bytes of rows that wait in memory before the spool becomes a file.
const MEMORY_BYTES: i64 = 64 << 20;

/// Rows of one source in the spool, in line order.
#[derive(Debug)]
pub(crate) struct Block {
    place: Place,
    length: usize,
    /// The smallest time in it.
    pub(crate) min_time: i64,
}

#[derive(Debug)]
enum Place {
    Memory { batch: RecordBatch, _share: Share },
    File { offset: u64 },
}

/// A share of the memory that rows may wait in; given back when dropped.
#[derive(Debug)]
struct Share(Arc<Work>, i64);

impl Drop for Share {
    fn drop(&mut self) {
        self.0.memory.fetch_add(self.1, Ordering::Relaxed);
    }
}

impl Block {
    /// Returns its length in the spool.
    pub(crate) fn bytes(&self) -> u64 {
        self.length as u64
    }
}

impl Work {
    /// Begins in a folder that is made when it is needed.
    pub(crate) fn new(disk: Disk, folder: &Path) -> Arc<Work> {
        Arc::new(Work {
            disk,
            folder: folder.to_path_buf(),
            serial: AtomicU64::new(0),
            spool: Mutex::new(None),
            memory: AtomicI64::new(MEMORY_BYTES),
        })
    }

    /// Returns a fresh path for a temporary file.
    pub(crate) fn temp_path(&self, what: &str) -> Result<PathBuf, CaseError> {
        self.disk.create_dir_all(&self.folder)?;
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        Ok(self.folder.join(format!("{what}-{serial}.tmp")))
    }

    /// Stores rows.
    pub(crate) fn spool(self: &Arc<Work>, batch: RecordBatch) -> Result<Block, CaseError> {
        let keys = Keys::of(&batch);
        let min_time = keys.times.iter().copied().min().unwrap_or(i64::MIN);
        let size = slice_bytes(&batch) as i64;
        let share = Share(self.clone(), size);
        let left = self.memory.fetch_sub(size, Ordering::Relaxed);
        let (place, length) = if left >= size {
            (
                Place::Memory {
                    batch,
                    _share: share,
                },
                size as usize,
            )
        } else {
            self.write(&batch)?
        };
        Ok(Block {
            place,
            length,
            min_time,
        })
    }

    fn write(&self, batch: &RecordBatch) -> Result<(Place, usize), CaseError> {
        let path = self.folder.join("spool.tmp");
        self.disk.create_dir_all(&self.folder)?;
        let encode = || -> Result<Vec<u8>, arrow::error::ArrowError> {
            let size = batch.get_array_memory_size().min(16 << 20);
            let mut writer = StreamWriter::try_new(Vec::with_capacity(size), batch.schema_ref())?;
            writer.write(batch)?;
            writer.into_inner()
        };
        let bytes = encode().map_err(|error| segment_error(&path, error))?;
        let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        let spool = match &mut *spool {
            Some(spool) => spool,
            none => none.insert(SpoolFile {
                file: self.disk.create(&path)?,
                length: 0,
            }),
        };
        let offset = spool.length;
        spool
            .file
            .file
            .seek(SeekFrom::Start(offset))
            .at("write", &path)?;
        spool.file.put(&bytes)?;
        spool.length += bytes.len() as u64;
        Ok((Place::File { offset }, bytes.len()))
    }

    /// Reads stored rows, in the order they were stored.
    pub(crate) fn load(&self, block: &Block) -> Result<RecordBatch, CaseError> {
        let offset = match &block.place {
            Place::Memory { batch, .. } => return Ok(batch.clone()),
            Place::File { offset } => *offset,
        };
        let path = self.folder.join("spool.tmp");
        let mut bytes = vec![0; block.length];
        {
            let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(spool) = &mut *spool else {
                return Err(segment_error(&path, "the spool is gone".to_owned()));
            };
            let file = &mut spool.file.file;
            file.seek(SeekFrom::Start(offset)).at("read", &path)?;
            file.read_exact(&mut bytes).at("read", &path)?;
        }
        let mut bytes = arrow::buffer::Buffer::from_vec(bytes);
        StreamDecoder::new()
            .decode(&mut bytes)
            .map_err(|error| segment_error(&path, error))?
            .ok_or_else(|| segment_error(&path, "the spool is cut".to_owned()))
    }
}

/// What rows are sorted by: time (undated first) and line; the source is the same or comes between.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// `ts_order_us`, or `i64::MIN` where null.
    pub(crate) times: ScalarBuffer<i64>,
    /// `line`.
    pub(crate) lines: ScalarBuffer<i64>,
}

impl Keys {
    /// Reads the keys of a batch.
    pub(crate) fn of(batch: &RecordBatch) -> Keys {
        let rows = batch.num_rows();
        let times = match time_column(batch) {
            Some(column) if column.null_count() == 0 => column.values().clone(),
            Some(column) => column.iter().map(|time| time.unwrap_or(i64::MIN)).collect(),
            None => vec![i64::MIN; rows].into(),
        };
        let lines = batch
            .column_by_name("line")
            .and_then(|column| column.as_primitive_opt::<Int64Type>())
            .map_or_else(|| vec![0; rows].into(), |column| column.values().clone());
        Keys { times, lines }
    }

    /// Returns the keys of some of the rows, without copying them.
    pub(crate) fn slice(&self, start: usize, rows: usize) -> Keys {
        Keys {
            times: self.times.slice(start, rows),
            lines: self.lines.slice(start, rows),
        }
    }

    /// Returns the key of a row.
    pub(crate) fn get(&self, row: usize) -> (i64, i64) {
        (self.times[row], self.lines[row])
    }

    /// Whether rows are in order already.
    pub(crate) fn is_sorted(&self) -> bool {
        (1..self.times.len()).all(|row| self.get(row - 1) <= self.get(row))
    }
}

/// Sorts a batch by time and line; rows with equal keys keep their order.
pub(crate) fn sorted(batch: RecordBatch, path: &Path) -> Result<RecordBatch, CaseError> {
    let keys = Keys::of(&batch);
    if keys.is_sorted() {
        return Ok(batch);
    }
    let mut order: Vec<u32> = (0..batch.num_rows() as u32).collect();
    order.sort_by_key(|row| keys.get(*row as usize));
    take_record_batch(&batch, &arrow::array::UInt32Array::from(order))
        .map_err(|error| segment_error(path, error))
}
