//! The spool: rows of a transaction that wait for their place, in memory while there is little, then as
//! blocks in one temporary file.
//!
//! Rows are two to three times as long as the text they came from, nearly all of it numbers that change little
//! and words that repeat: a block goes through lz4 on its way to the file, which costs a fraction of what the
//! kernel takes to carry it.

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
use lz4_flex::block::{compress_into, decompress_into, get_maximum_output_size};
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
    /// Buffers that blocks pass through, used again and again: fresh memory would be cleared by the kernel for
    /// every block.
    buffers: Mutex<Vec<Buffers>>,
}

/// What a block needs on its way into the file and back.
#[derive(Debug, Default)]
struct Buffers {
    plain: Vec<u8>,
    packed: Vec<u8>,
}

/// Pairs of buffers that are kept: as many as threads that write or load at once, as a rule.
const BUFFERS: usize = 4;

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
    /// Bytes of its rows in memory.
    length: usize,
    /// The smallest time in it.
    pub(crate) min_time: i64,
}

#[derive(Debug)]
enum Place {
    Memory {
        batch: RecordBatch,
        _share: Share,
    },
    /// `packed` bytes of lz4 in the file that are `plain` bytes of Arrow's stream format.
    File {
        offset: u64,
        packed: usize,
        plain: usize,
    },
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
    /// Returns how much its rows take.
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
            buffers: Mutex::new(Vec::new()),
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
        let place = if left >= size {
            Place::Memory {
                batch,
                _share: share,
            }
        } else {
            let mut buffers = self.buffers();
            let place = self.write(&batch, &mut buffers);
            self.give_back(buffers);
            place?
        };
        Ok(Block {
            place,
            length: size as usize,
            min_time,
        })
    }

    fn buffers(&self) -> Buffers {
        let mut all = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        all.pop().unwrap_or_default()
    }

    fn give_back(&self, buffers: Buffers) {
        let mut all = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < BUFFERS {
            all.push(buffers);
        }
    }

    fn write(&self, batch: &RecordBatch, buffers: &mut Buffers) -> Result<Place, CaseError> {
        let path = self.folder.join("spool.tmp");
        self.disk.create_dir_all(&self.folder)?;
        let Buffers { plain, packed } = buffers;
        plain.clear();
        let mut encode = || -> Result<(), arrow::error::ArrowError> {
            StreamWriter::try_new(&mut *plain, batch.schema_ref())?.write(batch)
        };
        encode().map_err(|error| segment_error(&path, error))?;
        let most = get_maximum_output_size(plain.len());
        if packed.len() < most {
            packed.resize(most, 0);
        }
        let length = compress_into(plain, packed)
            .map_err(|error| segment_error(&path, error.to_string()))?;
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
        spool.file.put(&packed[..length])?;
        spool.length += length as u64;
        Ok(Place::File {
            offset,
            packed: length,
            plain: plain.len(),
        })
    }

    /// Reads stored rows, in the order they were stored.
    pub(crate) fn load(&self, block: &Block) -> Result<RecordBatch, CaseError> {
        match &block.place {
            Place::Memory { batch, .. } => Ok(batch.clone()),
            Place::File {
                offset,
                packed,
                plain,
            } => {
                let mut buffers = self.buffers();
                let batch = self.read(*offset, *packed, *plain, &mut buffers);
                self.give_back(buffers);
                batch
            }
        }
    }

    fn read(
        &self,
        offset: u64,
        packed: usize,
        plain: usize,
        buffers: &mut Buffers,
    ) -> Result<RecordBatch, CaseError> {
        let path = self.folder.join("spool.tmp");
        let cut = || segment_error(&path, "the spool is cut".to_owned());
        if buffers.packed.len() < packed {
            buffers.packed.resize(packed, 0);
        }
        let packed = &mut buffers.packed[..packed];
        {
            let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(spool) = &mut *spool else {
                return Err(segment_error(&path, "the spool is gone".to_owned()));
            };
            let file = &mut spool.file.file;
            file.seek(SeekFrom::Start(offset)).at("read", &path)?;
            file.read_exact(packed).at("read", &path)?;
        }
        // The rows keep this memory.
        let mut bytes = vec![0; plain];
        let whole = decompress_into(packed, &mut bytes).is_ok_and(|length| length == plain);
        if !whole {
            return Err(cut());
        }
        let mut bytes = arrow::buffer::Buffer::from_vec(bytes);
        StreamDecoder::new()
            .decode(&mut bytes)
            .map_err(|error| segment_error(&path, error))?
            .ok_or_else(cut)
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

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use std::fs::File;

    fn batch(rows: i64) -> RecordBatch {
        let line: ArrayRef = Arc::new((0..rows).collect::<Int64Array>());
        let fields: ArrayRef = Arc::new(
            (0..rows)
                .map(|row| (row % 3 > 0).then(|| format!("{{\"slot\":\"{row}\"}}")))
                .collect::<StringArray>(),
        );
        RecordBatch::try_from_iter([("line", line), ("fields", fields)]).unwrap()
    }

    #[test]
    fn rows_come_back_from_the_file_as_they_went_in() {
        let folder = tempfile::tempdir().unwrap();
        let work = Work::new(Disk::default(), folder.path());
        work.memory.store(0, Ordering::Relaxed);
        let batches = [batch(8000), batch(0), batch(1), batch(20_000)];
        let spooled = batches.clone().map(|batch| work.spool(batch).unwrap());
        let file = folder.path().join("spool.tmp");
        let bytes: u64 = spooled.iter().map(Block::bytes).sum();
        let packed = std::fs::metadata(&file).unwrap().len();
        assert!(packed < bytes / 2, "{packed} of {bytes}");
        // In any order, and more than once: buffers are used again.
        for round in 0..2 {
            for (block, batch) in spooled.iter().zip(&batches).rev() {
                assert_eq!(work.load(block).unwrap(), *batch, "{round}");
            }
        }
        File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_len(packed / 2)
            .unwrap();
        assert!(work.load(&spooled[3]).is_err());
    }
}
