//! Verification and seal.

/// Something that is not as the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerifyProblem {
    /// The file relative to the case, or the source's digest.
    pub file: String,
    /// What is wrong.
    pub what: String,
}

/// What verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Segments that were hashed.
    pub segments: u64,
    /// Evidence parts that were hashed.
    pub evidence_parts: u64,
    /// Sources whose records and rejects were checked to tile them.
    pub sources: u64,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// What is wrong; empty if the case is sound.
    pub problems: Vec<VerifyProblem>,
}

impl VerifyReport {
    /// Whether nothing is wrong (else exit code 5).
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }
}
