//! Reading raw bytes of a source from the evidence store.

use crate::evidence::PartReader;
use crate::{CaseError, EvidencePart};
use std::path::{Path, PathBuf};

/// Reads a source's bytes; keeps the part and the frame it read last, for neighbours.
pub struct EvidenceReader {
    source_digest: String,
    root: PathBuf,
    parts: Vec<EvidencePart>,
    open: Option<(usize, PartReader)>,
}

impl std::fmt::Debug for EvidenceReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvidenceReader")
            .field("source_digest", &self.source_digest)
            .finish_non_exhaustive()
    }
}

impl EvidenceReader {
    pub(crate) fn new(
        root: &Path,
        source_digest: &str,
        parts: Vec<EvidencePart>,
    ) -> EvidenceReader {
        EvidenceReader {
            source_digest: source_digest.to_owned(),
            root: root.to_path_buf(),
            parts,
            open: None,
        }
    }

    /// Returns how many bytes are held.
    pub fn bytes(&self) -> u64 {
        let ends = self.parts.iter().map(|part| part.start + part.bytes);
        ends.max().unwrap_or(0)
    }

    /// Appends `length` bytes from `byte` on to `buffer`.
    ///
    /// # Errors
    /// [`CaseError::OutOfBounds`] if the store does not hold them all; damage.
    pub fn read(&mut self, byte: u64, length: u64, buffer: &mut Vec<u8>) -> Result<(), CaseError> {
        let end = byte.checked_add(length).filter(|end| *end <= self.bytes());
        let Some(end) = end else {
            return Err(CaseError::OutOfBounds {
                source_digest: self.source_digest.clone(),
                byte,
                length,
                held: self.bytes(),
            });
        };
        buffer.reserve(length as usize);
        let mut at = byte;
        while at < end {
            let part = self.part_of(at)?;
            let frame = part.frames.partition_point(|frame| frame.2 <= at);
            let Some(frame) = frame.checked_sub(1) else {
                return Err(CaseError::Evidence {
                    path: part.path.clone(),
                    what: format!("it does not hold byte {at}"),
                });
            };
            let (from, len) = part.decoded_range(frame);
            if at >= from + len {
                return Err(CaseError::Evidence {
                    path: part.path.clone(),
                    what: format!("it does not hold byte {at}"),
                });
            }
            let stop = end.min(from + len);
            let bytes = part.frame(frame)?;
            buffer.extend_from_slice(&bytes[(at - from) as usize..(stop - from) as usize]);
            at = stop;
        }
        Ok(())
    }

    fn part_of(&mut self, byte: u64) -> Result<&mut PartReader, CaseError> {
        let index = self
            .parts
            .iter()
            .position(|part| part.start <= byte && byte < part.start + part.bytes)
            .ok_or_else(|| CaseError::OutOfBounds {
                source_digest: self.source_digest.clone(),
                byte,
                length: 1,
                held: self.bytes(),
            })?;
        if self.open.as_ref().is_none_or(|(open, _)| *open != index) {
            let part = &self.parts[index];
            self.open = Some((
                index,
                PartReader::open(&self.root.join(&part.file), part.start)?,
            ));
        }
        match &mut self.open {
            Some((_, reader)) => Ok(reader),
            None => unreachable!("opened above"),
        }
    }
}
