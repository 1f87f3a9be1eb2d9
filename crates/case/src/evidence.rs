//! The evidence store: raw bytes as independent zstd frames of 1 MiB with a seek table.

use crate::CaseError;

/// Compresses the decoded bytes of one source, in order. Owns its file; may live in its own thread.
#[derive(Debug)]
pub struct EvidenceWriter {
    pub(crate) source_key: String,
}

impl EvidenceWriter {
    /// Appends decoded bytes.
    ///
    /// # Errors
    /// If the disk does not take them.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), CaseError> {
        let _ = bytes;
        Ok(())
    }

    /// Ends the source.
    ///
    /// # Errors
    /// If the disk does not take the rest.
    pub fn finish(self) -> Result<PendingEvidence, CaseError> {
        Ok(PendingEvidence {
            source_key: self.source_key,
        })
    }
}

/// Compressed evidence that waits for its source's digest. Dropped, it is forgotten.
#[derive(Debug)]
pub struct PendingEvidence {
    pub(crate) source_key: String,
}
