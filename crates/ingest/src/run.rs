//! `ingest`: everything that lies under some paths into a case.

use crate::archive::Archive;
use crate::dump_source::{DumpReading, read_dump_source};
use crate::identity::{Heads, Identity, Known, head_of, identify};
use crate::log_source::{Continue, LogReading, SourceState, describe, read_log};
use crate::networks::{self, CaseNetworks, NamedNetwork};
use crate::nodes::{NodeHints, node_names, stem};
use crate::pipeline::StageTimes;
use crate::reread::{self, Catalogues, ReadWith};
use crate::setting::SourceSetting;
use crate::text::{HEAD_BYTES, refused};
use crate::{IngestError, IngestOptions, Progress, copies, live, resolve};
use case::{CaseWriter, CustodyEntry, Override, Source, SourceKind, Transaction};
use evidence::{Found, Limits, SourceReader, Stream, Streams};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What an ingest did.
#[derive(Clone, Debug, Default)]
pub struct IngestReport {
    /// Digests of sources that are new.
    pub added: Vec<String>,
    /// Digests of sources that grew.
    pub grown: Vec<String>,
    /// Paths whose bytes the case had already, with the digest.
    pub unchanged: Vec<(String, String)>,
    /// What could not be read, or only in part.
    pub problems: Vec<Problem>,
    /// Digests of sources that were read again, since another version of the parser had read them.
    pub reread: Vec<String>,
    /// Sources whose times or names changed because of what was added.
    pub rewritten: usize,
    /// Decoded bytes read.
    pub bytes: u64,
    /// Where the CPU time went.
    pub stages: StageTimes,
}

impl IngestReport {
    /// Adds what another run did.
    fn take(&mut self, other: IngestReport) {
        self.added.extend(other.added);
        self.grown.extend(other.grown);
        self.unchanged.extend(other.unchanged);
        self.problems.extend(other.problems);
        self.rewritten += other.rewritten;
        self.bytes += other.bytes;
        self.stages.add(other.stages);
    }
}

/// Evidence that could not be read, or only in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path as shown.
    pub path: String,
    /// What is wrong, with the place and what to do.
    pub what: String,
    /// Whether nothing of it was read.
    pub unread: bool,
}

/// Reads everything under `paths` into a case and commits it. Known bytes cost a hash, a grown file only
/// its new part.
///
/// # Errors
/// What stops the run; damage to parts of the evidence is in the report instead.
pub fn ingest(
    writer: &mut CaseWriter,
    paths: &[PathBuf],
    options: &IngestOptions,
    progress: &mut dyn Progress,
) -> Result<IngestReport, IngestError> {
    // Wrong definitions are refused before anything is read.
    options.catalogue()?;
    let stdin = |path: &PathBuf| path.as_os_str() == evidence::STDIN;
    if options.live && !options.dry_run && paths.iter().any(stdin) && live::is_log() {
        let files: Vec<PathBuf> = paths.iter().filter(|path| !stdin(path)).cloned().collect();
        let mut report = if files.is_empty() {
            IngestReport::default()
        } else {
            ingest(writer, &files, options, progress)?
        };
        let input = Box::new(std::io::stdin());
        let live = live::ingest_stream(writer, input, options, progress)?;
        report.take(live);
        return Ok(report);
    }
    let mut run = Run::new(writer, options)?;
    let found = evidence::walk(paths);
    run.name_nodes(&found);
    let mut tx_needed = false;
    for (index, item) in found.into_iter().enumerate() {
        if progress.stop() {
            return Err(IngestError::Stopped);
        }
        match item {
            Found::Problem { path, error } => {
                run.unread(&path.display().to_string(), &error);
            }
            Found::File { path, shown } => {
                tx_needed |= run.file(index, &path, &shown, progress)?;
            }
        }
    }
    run.finish(tx_needed, progress)
}

pub(crate) struct Run<'w, 'o> {
    pub(crate) tx: Transaction<'w>,
    pub(crate) committed: case::Case,
    catalogues: Catalogues,
    options: &'o IngestOptions,
    network: Option<NamedNetwork>,
    /// One per thing found.
    nodes: Vec<String>,
    /// First bytes of what this run added.
    heads: Heads,
    /// Paths of which something was read.
    read: Vec<String>,
    pub(crate) report: IngestReport,
}

/// One source on its way in.
pub(crate) struct Incoming<'a> {
    /// The file, which an archive around it is.
    pub(crate) path: &'a Path,
    /// Its name as people see it: the path, and the way into an archive.
    pub(crate) shown: &'a str,
    pub(crate) node: String,
    pub(crate) reader: SourceReader,
    pub(crate) identity: Identity,
}

impl<'w, 'o> Run<'w, 'o> {
    pub(crate) fn new(
        writer: &'w mut CaseWriter,
        options: &'o IngestOptions,
    ) -> Result<Run<'w, 'o>, IngestError> {
        let committed = writer.case().clone();
        let networks = CaseNetworks::of(committed.manifest());
        let network = options.network.as_deref();
        let network = network.map(|name| networks.named(name)).transpose()?;
        let report = IngestReport::default();
        Ok(Run {
            tx: writer.begin(),
            committed,
            catalogues: Catalogues::default(),
            options,
            network,
            nodes: Vec::new(),
            heads: Heads::new(),
            read: Vec::new(),
            report,
        })
    }

    /// Names the nodes of what will be read, beside those the case has.
    fn name_nodes(&mut self, found: &[Found]) {
        let mut hints: Vec<NodeHints> = self
            .tx
            .manifest()
            .sources
            .iter()
            .filter(|source| source.kind == SourceKind::Log)
            .map(|source| NodeHints {
                path: source.path.clone(),
                ..NodeHints::default()
            })
            .collect();
        let known = hints.len();
        hints.extend(found.iter().map(|item| NodeHints {
            path: match item {
                Found::File { shown, .. } => shown.clone(),
                Found::Problem { path, .. } => path.display().to_string(),
            },
            given: self.options.node.clone(),
            wrapper: None,
        }));
        self.nodes = node_names(&hints).split_off(known);
    }

    fn unread(&mut self, path: &str, error: &dyn std::error::Error) {
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            what = format!("{what}: {error}");
            cause = error.source();
        }
        self.skipped(path, what);
    }

    /// Takes note of something that was not read.
    pub(crate) fn skipped(&mut self, path: &str, what: String) {
        self.report.problems.push(Problem {
            path: path.to_owned(),
            what,
            unread: true,
        });
    }

    /// Returns the name that the user gave to the node of everything.
    pub(crate) fn node_given(&self) -> Option<String> {
        self.options.node.clone()
    }

    /// Returns what a stream is compared with.
    pub(crate) fn known_sources(&self) -> Known<'_> {
        Known {
            case: &self.committed,
            sources: &self.tx.manifest().sources,
            heads: &self.heads,
        }
    }

    /// Reads one file; returns whether the case changes.
    fn file(
        &mut self,
        index: usize,
        path: &Path,
        shown: &str,
        progress: &mut dyn Progress,
    ) -> Result<bool, IngestError> {
        let stdin = path.as_os_str() == evidence::STDIN;
        progress.source(shown, path.metadata().ok().map(|data| data.len()));
        let mut streams = match Streams::open(path, Limits::default()) {
            Ok(streams) => streams,
            Err(error) => {
                self.unread(shown, &error);
                return Ok(false);
            }
        };
        if streams.is_archive() {
            let changed = Archive::new(path, shown).read(self, streams, progress)?;
            if changed {
                self.custody("ingest", path, shown);
            }
            return Ok(changed);
        }
        let identity = if stdin {
            Identity::New
        } else {
            match identify(&self.known_sources(), path) {
                Ok(identity) => identity,
                Err(error) => {
                    self.unread(shown, &error);
                    return Ok(false);
                }
            }
        };
        match streams.next() {
            Some(Stream::Source(reader)) => {
                let reader = *reader;
                let node = self.nodes[index].clone();
                let changed = self.source(
                    Incoming {
                        path,
                        shown,
                        node,
                        reader,
                        identity,
                    },
                    progress,
                )?;
                if changed.is_some() {
                    self.custody("ingest", path, shown);
                }
                Ok(changed.is_some())
            }
            Some(Stream::Trouble { name, what }) => {
                self.skipped(&name, what);
                Ok(false)
            }
            None => Ok(false),
        }
    }

    /// Reads one source; returns its digest if the case changes.
    pub(crate) fn source(
        &mut self,
        mut incoming: Incoming<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Option<String>, IngestError> {
        let shown = incoming.shown.to_owned();
        if let Identity::Known(digest) = incoming.identity {
            self.formats_said(&digest);
            self.known(&shown, digest);
            return Ok(None);
        }
        let begins = head_of(&mut incoming.reader);
        if let Some(why) = refused(&mut incoming.reader) {
            self.skipped(&shown, why);
            return Ok(None);
        }
        let head = incoming.reader.peek(HEAD_BYTES).to_vec();
        let digest = if dumps::sniff(&head).is_some() {
            self.dump(incoming, &head)?
        } else {
            self.log(incoming, progress)?
        };
        if let Some(digest) = &digest {
            self.heads.insert(digest.clone(), begins);
            self.read.push(shown);
        }
        Ok(digest)
    }

    /// Takes note of the formats that the user names for a known source: it is read again if they differ.
    fn formats_said(&mut self, digest: &str) {
        let asked = self.asked();
        if asked == ReadWith::default() {
            return;
        }
        let manifest = self.tx.manifest_mut();
        let Some(source) = manifest.source_mut(digest) else {
            return;
        };
        source.formats_digest = reread::digest_of(&asked.files);
        reread::keep(manifest, &asked.files);
        if let Some(only) = asked.only {
            manifest.overrides.push(Override {
                source: digest.to_owned(),
                log_format: Some(only),
                ..Override::default()
            });
        }
    }

    /// Returns the formats that this run names.
    fn asked(&self) -> ReadWith {
        ReadWith {
            files: self.options.formats_overlay.clone(),
            only: self.options.log_format.clone(),
        }
    }

    /// Takes note of bytes that the case has already.
    pub(crate) fn known(&mut self, shown: &str, digest: String) {
        self.report.unchanged.push((shown.to_owned(), digest));
        self.read.push(shown.to_owned());
    }

    fn log(
        &mut self,
        incoming: Incoming<'_>,
        progress: &mut dyn Progress,
    ) -> Result<Option<String>, IngestError> {
        let Incoming {
            shown,
            node,
            reader,
            identity,
            ..
        } = incoming;
        let grown = match identity {
            Identity::Grown(digest) => Some(digest),
            _ => None,
        };
        let before: Option<Source> = grown
            .as_ref()
            .and_then(|digest| self.tx.manifest().source(digest).cloned());
        self.read_source(shown, node, reader, before, None, progress)
    }

    /// Reads one round of a stream that flows, and commits it. Returns the source and what was done.
    pub(crate) fn stream(
        mut self,
        reader: SourceReader,
        before: Option<Source>,
        progress: &mut dyn Progress,
        state: &mut dyn FnMut() -> SourceState,
    ) -> Result<(String, IngestReport), IngestError> {
        let shown = evidence::STDIN;
        self.name_nodes(&[Found::File {
            path: PathBuf::from(shown),
            shown: shown.to_owned(),
        }]);
        let node = self.nodes[0].clone();
        if before.is_none() {
            self.custody("ingest", Path::new(shown), shown);
        }
        let known = before.as_ref().map(|source| source.digest.clone());
        let digest = self.read_source(shown, node, reader, before, Some(state), progress)?;
        let digest = digest
            .or(known)
            .or_else(|| self.report.unchanged.pop().map(|(_, digest)| digest))
            .unwrap_or_default();
        Ok((digest, self.finish(true, progress)?))
    }

    /// What grows is read on as it was read, unless the user names other formats.
    fn read_with(&self, before: Option<&Source>) -> ReadWith {
        match before {
            Some(source) if self.asked() == ReadWith::default() => {
                ReadWith::of(self.tx.manifest(), source)
            }
            _ => self.asked(),
        }
    }

    /// Whether a source is read on, and not again from its start because another parser read it.
    pub(crate) fn continues(&mut self, source: &Source) -> Result<bool, IngestError> {
        let with = self.read_with(Some(source));
        let mut catalogues = std::mem::take(&mut self.catalogues);
        let same = catalogues.get(&with)?.parser_version() == source.parser;
        self.catalogues = catalogues;
        Ok(same)
    }

    /// Reads a log source that is new, or what a known one grew by; `state` is of one that still flows, whose
    /// reader stands where it is read on.
    fn read_source(
        &mut self,
        shown: &str,
        node: String,
        reader: SourceReader,
        before: Option<Source>,
        state: Option<&mut dyn FnMut() -> SourceState>,
        progress: &mut dyn Progress,
    ) -> Result<Option<String>, IngestError> {
        let with = self.read_with(before.as_ref());
        let mut catalogues = std::mem::take(&mut self.catalogues);
        let catalogue = catalogues.get(&with)?;
        let parser = catalogue.parser_version().to_owned();
        let reading = LogReading {
            catalogue,
            threads: threads(self.options),
            setting: self.setting(node)?,
            keep_evidence: true,
            raw_bytes: reader.expected_bytes(),
        };
        // Another parser's rows are not continued but replaced.
        let known = before.as_ref().filter(|source| source.parser == parser);
        let continued = known.map(|source| Continue {
            source,
            processes: processes_of(self.tx.manifest(), &source.digest),
            in_place: state.is_some(),
        });
        let mut times = StageTimes::default();
        let mut run = read_log(
            &mut self.tx,
            reader,
            continued,
            &reading,
            progress,
            &mut times,
        )?;
        if let Some(state) = state {
            let SourceState { bytes, sha256 } = state();
            run.facts.bytes = bytes;
            run.facts.sha256 = sha256;
        }
        self.report.stages.add(times);
        self.report.bytes += run.facts.bytes;
        let whole = known.is_none();
        let source = Source {
            formats_digest: reread::digest_of(&with.files),
            ..describe(&run, shown, &parser, before.as_ref())
        };
        self.catalogues = catalogues;
        for (byte, what) in &run.facts.problems {
            let what = format!(
                "{what} at byte {byte} of what was unpacked; everything before it was read"
            );
            self.report.problems.push(Problem {
                path: shown.to_owned(),
                what,
                unread: false,
            });
        }
        let digest = source.digest.clone();
        if before.is_none() && self.tx.manifest().source(&digest).is_some() {
            // A copy of a source read earlier in this run.
            self.known(shown, digest);
            return Ok(None);
        }
        if let Some(before) = &before {
            let resume = before.resume.clone().unwrap_or_default();
            let from_line = (!whole).then_some(resume.line);
            self.tx.drop_rows(&digest, from_line)?;
        }
        let runs = std::mem::take(&mut run.runs);
        let evidence = run.evidence.take();
        self.place(source, before.is_some(), &run)?;
        if let Some(evidence) = evidence {
            self.tx.adopt_evidence(evidence, &digest)?;
        }
        for rows in runs {
            self.tx.adopt_rows(rows, &digest, run.facts.bytes)?;
        }
        if before.is_some() {
            self.report.grown.push(digest.clone());
        } else {
            self.report.added.push(digest.clone());
        }
        Ok(Some(digest))
    }

    /// Puts a source, its processes and what the user said of it into the manifest.
    fn place(
        &mut self,
        mut source: Source,
        grown: bool,
        run: &crate::log_source::LogRun,
    ) -> Result<(), IngestError> {
        let manifest = self.tx.manifest_mut();
        let digest = source.digest.clone();
        manifest
            .processes
            .retain(|process| process.source != digest);
        manifest
            .processes
            .extend(run.processes.iter().map(|process| case::Process {
                source: digest.clone(),
                ..process.clone()
            }));
        if grown {
            if let Some(known) = manifest.source_mut(&digest) {
                *known = source;
            }
        } else {
            source.number = manifest.take_source_number();
            manifest.sources.push(source);
            reread::keep(manifest, &self.options.formats_overlay);
            if let Some(named) = &self.network {
                networks::keep(manifest, named);
            }
            if let Some(said) = said_by(self.options, &digest, self.network.as_ref()) {
                manifest.overrides.push(said);
            }
        }
        Ok(())
    }

    fn dump(&mut self, incoming: Incoming<'_>, head: &[u8]) -> Result<Option<String>, IngestError> {
        let Incoming {
            path,
            shown,
            reader,
            ..
        } = incoming;
        let stem = stem(
            shown
                .rsplit(['/', evidence::INSIDE])
                .next()
                .unwrap_or(shown),
        );
        let name = match &self.options.as_name {
            Some(name) if self.tx.manifest().snapshot(name).is_some() => {
                return Err(IngestError::SnapshotExists { name: name.clone() });
            }
            Some(name) => name.clone(),
            None => unique_snapshot(
                self.tx.manifest(),
                database_of(head).as_deref().unwrap_or(stem),
            ),
        };
        let reading = DumpReading {
            path,
            shown,
            name: &name,
            keep: self.options.keep_dumps || path.as_os_str() == evidence::STDIN,
        };
        let outcome = read_dump_source(&mut self.tx, reader, &reading)?;
        let Some(outcome) = outcome else {
            return Ok(None);
        };
        self.report.bytes += outcome.bytes;
        for what in outcome.problems {
            self.report.problems.push(Problem {
                path: shown.to_owned(),
                what,
                unread: false,
            });
        }
        self.report.added.push(outcome.digest.clone());
        Ok(Some(outcome.digest))
    }

    fn setting(&self, node: String) -> Result<SourceSetting, IngestError> {
        let mut setting = SourceSetting {
            node,
            node_given: self.options.node.is_some(),
            given_year: self.options.year,
            network: self.network.as_ref().map(|named| named.network.clone()),
            ..SourceSetting::default()
        };
        if let Some(zone) = &self.options.zone {
            setting.set_zone(zone)?;
        }
        Ok(setting)
    }

    fn custody(&mut self, action: &str, path: &Path, shown: &str) {
        let Some(custody) = &self.options.custody else {
            return;
        };
        let modified = path
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok())
            .map(|since| model::time::format_utc(since.as_micros() as i64));
        self.tx.custody(CustodyEntry {
            at: model::time::format_utc(custody.at_us),
            by: custody.by.clone(),
            command: custody.command.clone(),
            action: action.to_owned(),
            path: Some(shown.to_owned()),
            modified,
            ..CustodyEntry::default()
        });
    }

    /// Writes into the manifest what was not read; what was read now is on that list no more.
    fn note_skipped(&mut self) -> bool {
        let read: BTreeSet<String> = std::mem::take(&mut self.read).into_iter().collect();
        let manifest = self.tx.manifest_mut();
        let mut skipped = manifest.skipped.clone();
        let unread = self.report.problems.iter().filter(|problem| problem.unread);
        let told: Vec<case::Skipped> = unread
            .map(|problem| case::Skipped {
                path: problem.path.clone(),
                what: problem.what.clone(),
            })
            .collect();
        let again: BTreeSet<&str> = told.iter().map(|new| new.path.as_str()).collect();
        skipped.retain(|known| !read.contains(&known.path) && !again.contains(known.path.as_str()));
        skipped.extend(told);
        skipped.sort_by(|a, b| (&a.path, &a.what).cmp(&(&b.path, &b.what)));
        skipped.dedup();
        let changed = skipped != manifest.skipped && !manifest.sources.is_empty();
        if changed {
            manifest.skipped = skipped;
        }
        changed
    }

    /// Reads again what another version of the parser read; returns whether there was any.
    fn reread(&mut self, progress: &mut dyn Progress) -> Result<bool, IngestError> {
        let mut catalogues = std::mem::take(&mut self.catalogues);
        let stale = reread::stale(self.tx.manifest(), &mut catalogues);
        for (digest, with, error) in stale {
            if progress.stop() {
                return Err(IngestError::Stopped);
            }
            let source = self.tx.manifest().source(&digest);
            let path = source.map_or_else(String::new, |source| source.path.clone());
            if let Some(error) = error {
                let what = format!("was read by another version of the parser, and {error}");
                self.report.problems.push(Problem {
                    path,
                    what,
                    unread: false,
                });
                continue;
            }
            if !self.options.dry_run {
                progress.source(&path, None);
                let catalogue = catalogues.get(&with)?;
                let threads = threads(self.options);
                let case = &self.committed;
                reread::read_again(&mut self.tx, case, catalogue, &digest, threads, progress)?;
                self.custody("read again", Path::new(""), &path);
            }
            self.report.reread.push(digest);
        }
        Ok(!self.report.reread.is_empty())
    }

    fn finish(
        mut self,
        changed: bool,
        progress: &mut dyn Progress,
    ) -> Result<IngestReport, IngestError> {
        let changed = self.reread(progress)? || changed;
        let changed = self.note_skipped() || changed;
        let unsettled = changed || resolve::needs_resolving(self.tx.manifest());
        if unsettled && !self.options.dry_run {
            self.report.rewritten = copies::settle(&mut self.tx)?;
            self.tx.commit()?;
        }
        Ok(self.report)
    }
}

/// What the user said of a new source, for the manifest.
fn said_by(
    options: &IngestOptions,
    digest: &str,
    network: Option<&NamedNetwork>,
) -> Option<Override> {
    let said = Override {
        source: digest.to_owned(),
        node: options.node.clone(),
        zone: options.zone.clone(),
        year: options.year,
        log_format: options.log_format.clone(),
        network: network.map(|named| named.network.name.clone()),
    };
    let silent = said.node.is_none()
        && said.zone.is_none()
        && said.year.is_none()
        && said.log_format.is_none()
        && said.network.is_none();
    (!silent).then_some(said)
}

pub(crate) fn processes_of(manifest: &case::Manifest, digest: &str) -> Vec<case::Process> {
    manifest
        .processes
        .iter()
        .filter(|process| process.source == digest)
        .cloned()
        .collect()
}

pub(crate) fn threads(options: &IngestOptions) -> usize {
    match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}

/// Returns the database a dump connects to, where its head says so.
fn database_of(head: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(head);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("\\connect "))?;
    let name = line.split_whitespace().next()?.trim_matches('"');
    (!name.is_empty()).then(|| name.to_owned())
}

fn unique_snapshot(manifest: &case::Manifest, wanted: &str) -> String {
    let clean: String = wanted
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect();
    let mut name = clean.clone();
    let mut number = 2;
    while manifest.snapshot(&name).is_some() {
        name = format!("{clean}_{number}");
        number += 1;
    }
    name
}
