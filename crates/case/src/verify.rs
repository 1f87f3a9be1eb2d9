//! Verification and seal.

use crate::custody::{CUSTODY, NOTES, first_broken_link};
use crate::error::AtPath;
use crate::evidence::PartReader;
use crate::segment::{hash_file, hex};
use crate::segment_reader::{SegmentReader, Sources};
use crate::{Case, CaseError, Segment, Source, SourceKind, TableId};
use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Something that is not as the manifest says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct VerifyProblem {
    /// The file relative to the case, or `source` and its digest.
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
    /// What is wrong, by file; empty if the case is sound.
    pub problems: Vec<VerifyProblem>,
}

impl VerifyReport {
    /// Whether nothing is wrong (else exit code 5).
    pub fn is_sound(&self) -> bool {
        self.problems.is_empty()
    }

    fn problem(&mut self, file: impl Into<String>, what: impl Into<String>) {
        self.problems.push(VerifyProblem {
            file: file.into(),
            what: what.into(),
        });
    }
}

/// The bytes of a source that records and rejects take, as far as looked at.
#[derive(Default)]
struct Tiles {
    /// Disjoint stretches, sorted: first byte and the byte after the last.
    stretches: Vec<(u64, u64)>,
    overlap: Option<u64>,
    records: u64,
    rejects: u64,
}

impl Tiles {
    fn add(&mut self, mut spans: Vec<(u64, u64)>) {
        spans.append(&mut self.stretches);
        spans.sort_unstable();
        for (start, end) in spans {
            match self.stretches.last_mut() {
                Some((_, last)) if start < *last => {
                    self.overlap.get_or_insert(start);
                    *last = end.max(*last);
                }
                Some((_, last)) if start == *last => *last = end,
                _ => self.stretches.push((start, end)),
            }
        }
    }
}

impl Case {
    /// Re-hashes everything that the manifest names and compares; checks row counts, that evidence
    /// decodes to what was read, that records and rejects tile their sources, and the custody chain.
    pub fn verify(&self) -> VerifyReport {
        let mut report = VerifyReport::default();
        let mut tiles: BTreeMap<String, Tiles> = BTreeMap::new();
        for segment in &self.manifest.segments {
            report.segments += 1;
            if let Err(error) = self.verify_segment(segment, &mut tiles, &mut report) {
                report.problem(&segment.file, chain(&error));
            }
        }
        for source in &self.manifest.sources {
            if let Err(error) = self.verify_evidence(source, &mut report) {
                report.problem(format!("source {}", source.digest), chain(&error));
            }
            if source.kind == SourceKind::Log && source.lines > 0 {
                report.sources += 1;
                let empty = Tiles::default();
                verify_tiles(
                    source,
                    tiles.get(&source.digest).unwrap_or(&empty),
                    &mut report,
                );
            }
        }
        self.verify_notes(&mut report);
        report.problems.sort_by(|a, b| a.file.cmp(&b.file));
        report
    }

    fn verify_segment(
        &self,
        segment: &Segment,
        tiles: &mut BTreeMap<String, Tiles>,
        report: &mut VerifyReport,
    ) -> Result<(), CaseError> {
        let path = self.path.join(&segment.file);
        let (sha256, bytes) = hash_file(&path)?;
        report.bytes += bytes;
        if sha256 != segment.sha256 || bytes != segment.bytes {
            report.problem(&segment.file, "its bytes are not those that were written");
            return Ok(());
        }
        let reader = SegmentReader::open(&path)?;
        if reader.rows() != segment.rows {
            let what = format!(
                "it holds {} rows, the manifest says {}",
                reader.rows(),
                segment.rows
            );
            report.problem(&segment.file, what);
        }
        let is_record = segment.table == TableId::Records;
        if !is_record && segment.table != TableId::Rejects {
            return Ok(());
        }
        let mut spans: BTreeMap<String, Vec<(u64, u64)>> = BTreeMap::new();
        let columns: &[&str] = &["source", "byte", "length"];
        reader.for_each(Some(columns), &mut |batch| {
            let column = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int64Type>();
            let (Some(starts), Some(lengths)) = (column("byte"), column("length")) else {
                return Ok(());
            };
            let sources = Sources::of(batch);
            for row in 0..batch.num_rows() {
                let start = starts.value(row).max(0) as u64;
                let span = (start, start + lengths.value(row).max(0) as u64);
                match spans.get_mut(sources.get(row)) {
                    Some(spans) => spans.push(span),
                    None => {
                        spans.insert(sources.get(row).to_owned(), vec![span]);
                    }
                }
            }
            Ok(())
        })?;
        for (source, spans) in spans {
            let tiles = tiles.entry(source).or_default();
            let count = if is_record {
                &mut tiles.records
            } else {
                &mut tiles.rejects
            };
            *count += spans.len() as u64;
            tiles.add(spans);
        }
        Ok(())
    }

    fn verify_evidence(&self, source: &Source, report: &mut VerifyReport) -> Result<(), CaseError> {
        let mut whole = Sha256::new();
        let mut position = 0;
        for part in &source.evidence {
            report.evidence_parts += 1;
            let path = self.path.join(&part.file);
            let (sha256, bytes) = match hash_file(&path) {
                Ok(found) => found,
                Err(error) => {
                    report.problem(&part.file, chain(&error));
                    return Ok(());
                }
            };
            report.bytes += bytes;
            if sha256 != part.sha256 || bytes != part.stored_bytes {
                report.problem(&part.file, "its bytes are not those that were written");
                return Ok(());
            }
            if part.start != position {
                let what = format!("it begins at byte {}, expected {position}", part.start);
                report.problem(&part.file, what);
                return Ok(());
            }
            let mut reader = PartReader::open(&path, part.start)?;
            for frame in 0..reader.frames.len() {
                let bytes = reader.frame(frame)?;
                whole.update(bytes);
                position += bytes.len() as u64;
            }
        }
        if source.evidence.is_empty() {
            return Ok(());
        }
        let found = hex(&whole.finalize());
        if position != source.bytes || (found != source.sha256 && !source.sha256.is_empty()) {
            report.problem(
                format!("source {}", source.digest),
                format!(
                    "its evidence is {position} bytes with sha256 {found}, not {} with {}",
                    source.bytes, source.sha256
                ),
            );
        }
        Ok(())
    }

    fn verify_notes(&self, report: &mut VerifyReport) {
        if let Some(mark) = &self.manifest.notes {
            let found = std::fs::read(self.path.join(NOTES)).unwrap_or_default();
            let committed = found.get(..mark.bytes as usize);
            if committed
                .map(|notes| hex(&Sha256::digest(notes)))
                .as_deref()
                != Some(&mark.sha256)
            {
                report.problem(NOTES, "its bytes are not those that were written");
            }
        }
        let custody = std::fs::read(self.path.join(CUSTODY)).unwrap_or_default();
        if let Some(line) = first_broken_link(&custody) {
            report.problem(
                CUSTODY,
                format!("line {line} does not follow from the line before"),
            );
        }
    }

    /// Returns the root digest of the case in hex: sha256 over these lines, each ended by `\n`, sorted
    /// bytewise after the first three:
    ///
    /// ```text
    /// coroner seal 1
    /// format <case format version>
    /// tool <name and version of the program that wrote last>
    /// evidence <file> <stored bytes> <sha256>
    /// notes <bytes> <sha256>                     (if there are notes)
    /// segment <file> <rows> <bytes> <sha256>
    /// source <digest> <bytes> <sha256>
    /// ```
    /// It says what the manifest says; [`Case::verify`] says whether the files agree. Numbers of
    /// sources, paths and custody are not part of it.
    pub fn seal(&self) -> String {
        let manifest = &self.manifest;
        let mut lines = Vec::new();
        for source in &manifest.sources {
            lines.push(format!(
                "source {} {} {}",
                source.digest, source.bytes, source.sha256
            ));
            for part in &source.evidence {
                lines.push(format!(
                    "evidence {} {} {}",
                    part.file, part.stored_bytes, part.sha256
                ));
            }
        }
        for segment in &manifest.segments {
            lines.push(format!(
                "segment {} {} {} {}",
                segment.file, segment.rows, segment.bytes, segment.sha256
            ));
        }
        if let Some(notes) = &manifest.notes {
            lines.push(format!("notes {} {}", notes.bytes, notes.sha256));
        }
        lines.sort();
        let mut hash = Sha256::new();
        hash.update("coroner seal 1\n");
        hash.update(format!(
            "format {}\ntool {}\n",
            manifest.format_version, manifest.tool
        ));
        for line in lines {
            hash.update(line);
            hash.update("\n");
        }
        hex(&hash.finalize())
    }

    /// Returns the committed notes, one JSON object per line.
    ///
    /// # Errors
    /// If `notes.jsonl` cannot be read.
    pub fn notes(&self) -> Result<Vec<String>, CaseError> {
        let Some(mark) = &self.manifest.notes else {
            return Ok(Vec::new());
        };
        let path = self.path.join(NOTES);
        let mut text = std::fs::read(&path).at("read", &path)?;
        text.truncate(mark.bytes as usize);
        let text = String::from_utf8_lossy(&text);
        Ok(text.lines().map(str::to_owned).collect())
    }
}

fn verify_tiles(source: &Source, tiles: &Tiles, report: &mut VerifyReport) {
    let file = || format!("source {}", source.digest);
    if tiles.records != source.records {
        let what = format!(
            "{} records are there, the manifest says {}",
            tiles.records, source.records
        );
        report.problem(file(), what);
    }
    let rejects: u64 = source.rejected.values().sum();
    if tiles.rejects != rejects {
        let what = format!(
            "{} rejects are there, the manifest says {rejects}",
            tiles.rejects
        );
        report.problem(file(), what);
    }
    if let Some(byte) = tiles.overlap {
        report.problem(file(), format!("two entries hold byte {byte}"));
    }
    let mut gaps = 0;
    let mut end = 0;
    for (start, stop) in &tiles.stretches {
        let byte_order_mark = end == 0 && *start <= 3;
        gaps += u64::from(*start > end && !byte_order_mark);
        end = *stop;
    }
    if end > source.bytes {
        report.problem(
            file(),
            format!("an entry ends at byte {end} of {}", source.bytes),
        );
    }
    gaps += u64::from(end < source.bytes);
    let explained = source.framing_lines + source.continuation_lines;
    if gaps > explained {
        let what = format!(
            "{gaps} stretches belong to no entry, {explained} lines are framing or continue one"
        );
        report.problem(file(), what);
    }
}

/// Prints an error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
