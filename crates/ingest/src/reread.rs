//! Reading sources again from the case's own evidence: by a newer parser, by other definitions, in another zone.
//!
//! A case keeps what each source was read with: the version of the parser, the user's own definitions (their text), the
//! only format that was allowed. So a newer program, or a corrected definition, can read it anew without the
//! original file, and `amend` reads it as it was read.

use crate::log_source::{LogReading, describe, read_log};
use crate::networks::CaseNetworks;
use crate::pipeline::StageTimes;
use crate::setting::SourceSetting;
use crate::{IngestError, Progress};
use case::{Case, FormatFiles, Manifest, Source, SourceKind, Transaction};
use evidence::SourceReader;
use formats::Catalogue;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::io::{self, Read};

/// What a source is, or was, read with.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReadWith {
    /// The user's own definitions, as name and text.
    pub(crate) files: Vec<(String, String)>,
    /// The only format that may claim lines.
    pub(crate) only: Option<String>,
}

impl ReadWith {
    /// Returns what a source of a case was read with.
    pub(crate) fn of(manifest: &Manifest, source: &Source) -> ReadWith {
        let digest = source.formats_digest.as_deref();
        let kept = digest.and_then(|digest| {
            let mut sets = manifest.formats.iter();
            sets.find(|files| files.digest == digest)
        });
        let said = manifest.overrides.iter();
        ReadWith {
            files: kept.map(|kept| kept.files.clone()).unwrap_or_default(),
            only: said
                .filter(|said| said.source == source.digest)
                .filter_map(|said| said.log_format.clone())
                .next_back(),
        }
    }

    fn catalogue(&self) -> Result<Catalogue, IngestError> {
        Ok(match &self.only {
            Some(name) => Catalogue::only(name, &self.files)?,
            None => Catalogue::with_overlay(&self.files)?,
        })
    }
}

/// Catalogues by what they are made of, made once.
#[derive(Default)]
pub(crate) struct Catalogues {
    made: BTreeMap<ReadWith, Catalogue>,
}

impl Catalogues {
    pub(crate) fn get(&mut self, with: &ReadWith) -> Result<&Catalogue, IngestError> {
        if *with == ReadWith::default() {
            return Ok(Catalogue::builtin());
        }
        if !self.made.contains_key(with) {
            self.made.insert(with.clone(), with.catalogue()?);
        }
        Ok(&self.made[with])
    }
}

/// Returns the digest by which a case knows a set of definitions; `None` for an empty one.
pub(crate) fn digest_of(files: &[(String, String)]) -> Option<String> {
    if files.is_empty() {
        return None;
    }
    let mut hash = Sha256::new();
    for text in files.iter().flat_map(|(name, text)| [name, text]) {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    }
    let hex = hash.finalize();
    Some(hex[..6].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Keeps the text of definitions in a case; sets that no source was read with go.
pub(crate) fn keep(manifest: &mut Manifest, files: &[(String, String)]) {
    if let Some(digest) = digest_of(files)
        && manifest.formats.iter().all(|kept| kept.digest != digest)
    {
        manifest.formats.push(FormatFiles {
            digest,
            files: files.to_vec(),
        });
        manifest.formats.sort_by(|a, b| a.digest.cmp(&b.digest));
    }
    let used: Vec<String> = manifest
        .sources
        .iter()
        .filter_map(|source| source.formats_digest.clone())
        .collect();
    manifest.formats.retain(|kept| used.contains(&kept.digest));
}

/// Reads a source again from the evidence that the case holds of it, and writes its rows anew.
pub(crate) fn read_again(
    tx: &mut Transaction<'_>,
    committed: &Case,
    catalogue: &Catalogue,
    digest: &str,
    threads: usize,
    progress: &mut dyn Progress,
) -> Result<(), IngestError> {
    let before = tx
        .manifest()
        .source(digest)
        .cloned()
        .ok_or_else(|| IngestError::NoSource {
            name: digest.to_owned(),
        })?;
    let stored = Stored {
        case: committed.clone(),
        digest: digest.to_owned(),
        at: 0,
        bytes: before.bytes,
        ready: Vec::new(),
        taken: 0,
    };
    let reader =
        SourceReader::from_reader(Box::new(stored), before.path.clone()).map_err(|source| {
            IngestError::Read {
                path: before.path.clone(),
                source,
            }
        })?;
    let reading = LogReading {
        catalogue,
        threads,
        setting: setting_of(tx.manifest(), &before)?,
        keep_evidence: false,
        raw_bytes: Some(before.bytes),
    };
    let mut times = StageTimes::default();
    let mut run = read_log(tx, reader, None, &reading, progress, &mut times)?;
    let described = describe(
        &run,
        &before.path,
        catalogue.parser_version(),
        Some(&before),
    );
    tx.drop_rows(digest, None)?;
    let runs = std::mem::take(&mut run.runs);
    let manifest = tx.manifest_mut();
    manifest
        .processes
        .retain(|process| process.source != digest);
    for process in run.processes {
        manifest.processes.push(case::Process {
            source: digest.to_owned(),
            ..process
        });
    }
    if let Some(source) = manifest.source_mut(digest) {
        // What was compressed around it and how its reading ended is known from the original.
        let mut problems = before.problems.clone();
        let new = described.problems.iter();
        problems.extend(new.filter(|new| !before.problems.contains(new)).cloned());
        *source = Source {
            container: before.container.clone(),
            status: before.status,
            problems,
            formats_digest: source.formats_digest.clone(),
            ..described
        };
    }
    for rows in runs {
        tx.adopt_rows(rows, digest, before.bytes)?;
    }
    Ok(())
}

/// Returns the sources of a case that another parser read than the one that would read them now.
pub(crate) fn stale(
    manifest: &Manifest,
    catalogues: &mut Catalogues,
) -> Vec<(String, ReadWith, Option<IngestError>)> {
    let mut stale = Vec::new();
    let logs = manifest.sources.iter();
    for source in logs.filter(|source| source.kind == SourceKind::Log) {
        let with = ReadWith::of(manifest, source);
        match catalogues.get(&with) {
            Ok(catalogue) if catalogue.parser_version() == source.parser => {}
            Ok(_) => stale.push((source.digest.clone(), with, None)),
            Err(error) => stale.push((source.digest.clone(), with, Some(error))),
        }
    }
    stale
}

/// Returns the digests of the sources of a case that `ingest` would read again: another version of the parser read them
/// than this program would.
pub fn stale_sources(manifest: &Manifest) -> Vec<String> {
    let stale = stale(manifest, &mut Catalogues::default());
    stale.into_iter().map(|(digest, ..)| digest).collect()
}

/// Returns what the user said of a source, for reading it.
fn setting_of(manifest: &Manifest, source: &Source) -> Result<SourceSetting, IngestError> {
    let mut setting = SourceSetting {
        node: source.node.clone().unwrap_or_default(),
        ..SourceSetting::default()
    };
    let known = CaseNetworks::of(manifest);
    for said in manifest
        .overrides
        .iter()
        .filter(|said| said.source == source.digest)
    {
        if let Some(node) = &said.node {
            setting.node.clone_from(node);
            setting.node_given = true;
        }
        if let Some(zone) = &said.zone {
            setting.set_zone(zone)?;
        }
        setting.given_year = said.year.or(setting.given_year);
        if let Some(network) = &said.network {
            setting.network = Some(known.named(network)?.network);
        }
    }
    Ok(setting)
}

/// The raw text of a source as the case keeps it.
struct Stored {
    case: Case,
    digest: String,
    at: u64,
    bytes: u64,
    ready: Vec<u8>,
    /// How much of `ready` was handed out.
    taken: usize,
}

impl Read for Stored {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const STEP: u64 = 4 << 20;
        if self.taken == self.ready.len() && self.at < self.bytes {
            let length = STEP.min(self.bytes - self.at);
            self.ready = self
                .case
                .evidence(&self.digest, self.at, length)
                .map_err(io::Error::other)?;
            self.taken = 0;
            self.at += self.ready.len() as u64;
        }
        let rest = &self.ready[self.taken..];
        let take = buffer.len().min(rest.len());
        buffer[..take].copy_from_slice(&rest[..take]);
        self.taken += take;
        Ok(take)
    }
}
