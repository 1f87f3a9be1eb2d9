//! The evidence store: raw bytes as independent zstd frames of 1 MiB with a seek table.
//!
//! A part file is what the zstd project calls the seekable format: frames one after the other, then a
//! skippable frame with their sizes; `zstd -d` reads it as it is. Frames and parts lie on a grid that
//! counts from the start of the source, so that a source that grew in ten steps has the same files as
//! one that was read at once: where it is read on, the frame that was cut is made anew, the others are
//! copied as they are.

use crate::disk::{Disk, DiskFile};
use crate::error::AtPath;
use crate::segment::hex;
use crate::spool::Work;
use crate::{CaseError, EvidencePart};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// Decoded bytes of a frame.
const FRAME_BYTES: u64 = 1 << 20;
/// Decoded bytes of a part file.
const PART_BYTES: u64 = 256 << 20;
/// Log text at this level takes half the time of level 1, and a third more room.
const LEVEL: i32 = -3;
const SKIPPABLE_MAGIC: u32 = 0x184D_2A5E;
const SEEKABLE_MAGIC: u32 = 0x8F92_EAB1;
const FOOTER_BYTES: u64 = 9;
const SKIPPABLE_HEADER_BYTES: u64 = 8;

/// Compresses the decoded bytes of one source, in order. Owns its file; may live in its own thread.
pub struct EvidenceWriter {
    work: Arc<Work>,
    source_key: String,
    start: u64,
    position: u64,
    frame: Vec<u8>,
    part: Option<PartWriter>,
    finished: Vec<StoredPart>,
}

impl std::fmt::Debug for EvidenceWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceWriter")
            .field("source_key", &self.source_key)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

impl EvidenceWriter {
    pub(crate) fn new(work: Arc<Work>, source_key: &str, start: u64) -> EvidenceWriter {
        EvidenceWriter {
            work,
            source_key: source_key.to_owned(),
            start,
            position: start,
            frame: Vec::new(),
            part: None,
            finished: Vec::new(),
        }
    }

    /// Appends decoded bytes.
    ///
    /// # Errors
    /// If the disk does not take them.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<(), CaseError> {
        while !bytes.is_empty() {
            let room = (FRAME_BYTES - self.position % FRAME_BYTES) as usize;
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.position += now.len() as u64;
            let ends_frame = now.len() == room;
            if ends_frame && self.frame.is_empty() {
                self.end_frame(now)?;
            } else {
                self.frame.extend_from_slice(now);
                if ends_frame {
                    let frame = std::mem::take(&mut self.frame);
                    self.end_frame(&frame)?;
                    self.frame = frame;
                    self.frame.clear();
                }
            }
            bytes = later;
        }
        Ok(())
    }

    fn end_frame(&mut self, frame: &[u8]) -> Result<(), CaseError> {
        let part = match &mut self.part {
            Some(part) => part,
            none => {
                let path = self.work.temp_path("evidence")?;
                let start = self.position - frame.len() as u64;
                none.insert(PartWriter::create(&self.work.disk, &path, start)?)
            }
        };
        part.compress(frame)?;
        if self.position.is_multiple_of(PART_BYTES)
            && let Some(part) = self.part.take()
        {
            self.finished.push(part.finish()?);
        }
        Ok(())
    }

    /// Returns the decoded position that was reached.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Ends the source.
    ///
    /// # Errors
    /// If the disk does not take the rest.
    pub fn finish(mut self) -> Result<PendingEvidence, CaseError> {
        if !self.frame.is_empty() {
            let frame = std::mem::take(&mut self.frame);
            self.end_frame(&frame)?;
        }
        if let Some(part) = self.part.take() {
            self.finished.push(part.finish()?);
        }
        Ok(PendingEvidence {
            start: self.start,
            end: self.position,
            parts: self.finished,
        })
    }
}

/// Compressed evidence that waits for its source's digest. Dropped, it is forgotten.
#[derive(Debug)]
pub struct PendingEvidence {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) parts: Vec<StoredPart>,
}

impl PendingEvidence {
    /// Returns the decoded length of what was written.
    pub fn bytes(&self) -> u64 {
        self.end - self.start
    }
}

/// A finished part under its temporary name.
#[derive(Clone, Debug)]
pub(crate) struct StoredPart {
    pub(crate) path: PathBuf,
    pub(crate) start: u64,
    pub(crate) bytes: u64,
    pub(crate) stored_bytes: u64,
    pub(crate) frames: u64,
    pub(crate) sha256: String,
}

impl StoredPart {
    /// Returns what the manifest says of it.
    pub(crate) fn named(&self, digest: &str) -> EvidencePart {
        let end = self.start + self.bytes;
        EvidencePart {
            file: format!("evidence/{digest}.{}-{end}.zst", self.start),
            start: self.start,
            bytes: self.bytes,
            stored_bytes: self.stored_bytes,
            frames: self.frames,
            sha256: self.sha256.clone(),
        }
    }
}

/// Writes one part file.
struct PartWriter {
    file: DiskFile,
    hash: Sha256,
    start: u64,
    stored: u64,
    decoded: u64,
    frames: Vec<(u32, u32)>,
    compressor: Compressor<'static>,
    buffer: Vec<u8>,
}

impl PartWriter {
    fn create(disk: &Disk, path: &Path, start: u64) -> Result<PartWriter, CaseError> {
        let file = disk.create(path)?;
        let compressor = || -> std::io::Result<Compressor<'static>> {
            let mut compressor = Compressor::new(LEVEL)?;
            compressor.set_parameter(CParameter::ChecksumFlag(true))?;
            Ok(compressor)
        };
        Ok(PartWriter {
            file,
            hash: Sha256::new(),
            start,
            stored: 0,
            decoded: 0,
            frames: Vec::new(),
            compressor: compressor().at("compress", path)?,
            buffer: Vec::new(),
        })
    }

    fn compress(&mut self, frame: &[u8]) -> Result<(), CaseError> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer.reserve(zstd::zstd_safe::compress_bound(frame.len()));
        self.compressor
            .compress_to_buffer(frame, &mut buffer)
            .at("compress", self.file.path())?;
        self.store(&buffer, frame.len() as u32)?;
        self.buffer = buffer;
        Ok(())
    }

    /// Appends a compressed frame.
    fn store(&mut self, compressed: &[u8], decoded: u32) -> Result<(), CaseError> {
        self.file.put(compressed)?;
        self.hash.update(compressed);
        self.stored += compressed.len() as u64;
        self.decoded += u64::from(decoded);
        self.frames.push((compressed.len() as u32, decoded));
        Ok(())
    }

    fn finish(mut self) -> Result<StoredPart, CaseError> {
        let entries = self.frames.len() as u64 * 8;
        let mut table =
            Vec::with_capacity((entries + FOOTER_BYTES + SKIPPABLE_HEADER_BYTES) as usize);
        table.extend(SKIPPABLE_MAGIC.to_le_bytes());
        table.extend(((entries + FOOTER_BYTES) as u32).to_le_bytes());
        for (stored, decoded) in &self.frames {
            table.extend(stored.to_le_bytes());
            table.extend(decoded.to_le_bytes());
        }
        table.extend((self.frames.len() as u32).to_le_bytes());
        table.push(0);
        table.extend(SEEKABLE_MAGIC.to_le_bytes());
        self.file.put(&table)?;
        self.hash.update(&table);
        self.file.sync()?;
        Ok(StoredPart {
            path: self.file.path().to_path_buf(),
            start: self.start,
            bytes: self.decoded,
            stored_bytes: self.stored + table.len() as u64,
            frames: self.frames.len() as u64,
            sha256: hex(&self.hash.finalize()),
        })
    }
}

/// Evidence of a source in a transaction: parts that are there already and new ones.
#[derive(Clone, Debug)]
pub(crate) enum PartState {
    /// Committed.
    Kept(EvidencePart),
    /// New.
    New(StoredPart),
}

/// Joins what is stored of a source with what was read on from `pending.start`. `stored` are the parts
/// so far and where they lie.
pub(crate) fn join(
    work: &Arc<Work>,
    root: &Path,
    stored: Vec<PartState>,
    pending: PendingEvidence,
    digest: &str,
) -> Result<Vec<PartState>, CaseError> {
    let new = pending.parts;
    if pending.start == 0 {
        return Ok(new.into_iter().map(PartState::New).collect());
    }
    let held: u64 = stored.iter().map(|part| part.range().1).max().unwrap_or(0);
    if held < pending.start {
        return Err(CaseError::OutOfBounds {
            source_digest: digest.to_owned(),
            byte: pending.start,
            length: pending.end - pending.start,
            held,
        });
    }
    let part_start = pending.start / PART_BYTES * PART_BYTES;
    let mut joined = Vec::new();
    let mut cut = None;
    for part in stored {
        match part.range().0 {
            start if start < part_start => joined.push(part),
            start if start == part_start && start < pending.start => cut = Some(part),
            _ => {}
        }
    }
    let mut new = new.into_iter();
    if let Some(cut) = cut {
        let first = new.next();
        joined.push(PartState::New(splice(
            work,
            root,
            &cut,
            first,
            pending.start,
        )?));
    }
    joined.extend(new.map(PartState::New));
    Ok(joined)
}

/// Makes one part of the bytes before `start` of one part and all bytes of the next.
fn splice(
    work: &Arc<Work>,
    root: &Path,
    old: &PartState,
    new: Option<StoredPart>,
    start: u64,
) -> Result<StoredPart, CaseError> {
    let path = work.temp_path("evidence")?;
    let mut writer = PartWriter::create(&work.disk, &path, old.range().0)?;
    let mut reader = PartReader::open(&old.path(root), old.range().0)?;
    let mut head = Vec::new();
    for frame in 0..reader.frames.len() {
        let (from, len) = reader.decoded_range(frame);
        if from + len <= start && (from + len).is_multiple_of(FRAME_BYTES) {
            let bytes = reader.stored(frame)?;
            writer.store(&bytes, len as u32)?;
        } else if from < start {
            // The frame that goes on: the last one that was stored, or one that is cut back.
            let bytes = reader.frame(frame)?;
            head.extend_from_slice(&bytes[..(start - from).min(len) as usize]);
        }
    }
    append_new(&mut writer, head, new)?;
    writer.finish()
}

fn append_new(
    writer: &mut PartWriter,
    mut head: Vec<u8>,
    new: Option<StoredPart>,
) -> Result<(), CaseError> {
    let Some(new) = new else {
        if !head.is_empty() {
            writer.compress(&head)?;
        }
        return Ok(());
    };
    let mut reader = PartReader::open(&new.path, new.start)?;
    for frame in 0..reader.frames.len() {
        if frame == 0 && !head.is_empty() {
            head.extend_from_slice(reader.frame(0)?);
            writer.compress(&head)?;
        } else {
            let bytes = reader.stored(frame)?;
            writer.store(&bytes, reader.decoded_range(frame).1 as u32)?;
        }
    }
    Ok(())
}

impl PartState {
    /// Returns first decoded byte and the byte after the last.
    pub(crate) fn range(&self) -> (u64, u64) {
        match self {
            PartState::Kept(part) => (part.start, part.start + part.bytes),
            PartState::New(part) => (part.start, part.start + part.bytes),
        }
    }

    fn path(&self, root: &Path) -> PathBuf {
        match self {
            PartState::Kept(part) => root.join(&part.file),
            PartState::New(part) => part.path.clone(),
        }
    }
}

/// Reads frames of a part.
pub(crate) struct PartReader {
    file: File,
    pub(crate) path: PathBuf,
    /// Per frame: stored offset and length, decoded offset (in the source) and length.
    pub(crate) frames: Vec<(u64, u64, u64, u64)>,
    decompressor: Decompressor<'static>,
    decoded: Vec<u8>,
    current: Option<usize>,
}

impl PartReader {
    /// Opens a part whose first byte is `start`, and checks its seek table.
    pub(crate) fn open(path: &Path, start: u64) -> Result<PartReader, CaseError> {
        let damaged = |what: &str| CaseError::Evidence {
            path: path.to_path_buf(),
            what: what.to_owned(),
        };
        let mut file = File::open(path).at("read", path)?;
        let length = file.seek(SeekFrom::End(0)).at("read", path)?;
        if length < FOOTER_BYTES + SKIPPABLE_HEADER_BYTES {
            return Err(damaged("it is too short for a seek table"));
        }
        let mut footer = [0; FOOTER_BYTES as usize];
        file.seek(SeekFrom::End(-(FOOTER_BYTES as i64)))
            .at("read", path)?;
        file.read_exact(&mut footer).at("read", path)?;
        if u32_at(&footer, 5) != SEEKABLE_MAGIC || footer[4] != 0 {
            return Err(damaged("it does not end with a seek table"));
        }
        let count = u64::from(u32_at(&footer, 0));
        let table_bytes = count * 8 + FOOTER_BYTES + SKIPPABLE_HEADER_BYTES;
        if table_bytes > length {
            return Err(damaged("its seek table is longer than the file"));
        }
        let mut table = vec![0; table_bytes as usize];
        file.seek(SeekFrom::Start(length - table_bytes))
            .at("read", path)?;
        file.read_exact(&mut table).at("read", path)?;
        if u32_at(&table, 0) != SKIPPABLE_MAGIC || u64::from(u32_at(&table, 4)) != table_bytes - 8 {
            return Err(damaged("its seek table has a wrong head"));
        }
        let mut frames = Vec::with_capacity(count as usize);
        let (mut stored, mut decoded) = (0, start);
        for frame in 0..count as usize {
            let at = SKIPPABLE_HEADER_BYTES as usize + frame * 8;
            let (stored_len, decoded_len) = (u32_at(&table, at), u32_at(&table, at + 4));
            if u64::from(decoded_len) > FRAME_BYTES {
                return Err(damaged("its seek table has a frame of more than 1 MiB"));
            }
            frames.push((
                stored,
                u64::from(stored_len),
                decoded,
                u64::from(decoded_len),
            ));
            stored += u64::from(stored_len);
            decoded += u64::from(decoded_len);
        }
        if stored != length - table_bytes {
            return Err(damaged("its seek table does not add up to its length"));
        }
        Ok(PartReader {
            file,
            path: path.to_path_buf(),
            frames,
            decompressor: Decompressor::new().at("read", path)?,
            decoded: Vec::new(),
            current: None,
        })
    }

    /// Returns the first decoded byte of a frame and its decoded length.
    pub(crate) fn decoded_range(&self, frame: usize) -> (u64, u64) {
        (self.frames[frame].2, self.frames[frame].3)
    }

    /// Returns a frame as stored.
    fn stored(&mut self, frame: usize) -> Result<Vec<u8>, CaseError> {
        let (offset, length, ..) = self.frames[frame];
        let mut bytes = vec![0; length as usize];
        self.file
            .seek(SeekFrom::Start(offset))
            .at("read", &self.path)?;
        self.file.read_exact(&mut bytes).at("read", &self.path)?;
        Ok(bytes)
    }

    /// Returns a frame's decoded bytes; zstd checks its checksum.
    pub(crate) fn frame(&mut self, frame: usize) -> Result<&[u8], CaseError> {
        if self.current != Some(frame) {
            self.current = None;
            let stored = self.stored(frame)?;
            let length = self.frames[frame].3 as usize;
            self.decoded.clear();
            self.decoded.reserve(length);
            let result = self
                .decompressor
                .decompress_to_buffer(&stored, &mut self.decoded);
            let what = match result {
                Ok(decoded) if decoded == length => None,
                Ok(decoded) => Some(format!("frame {frame} holds {decoded} bytes, not {length}")),
                Err(error) => Some(format!("frame {frame} cannot be decoded: {error}")),
            };
            if let Some(what) = what {
                return Err(CaseError::Evidence {
                    path: self.path.clone(),
                    what,
                });
            }
            self.current = Some(frame);
        }
        Ok(&self.decoded)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}
