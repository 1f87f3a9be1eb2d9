//! `ingest`: everything that lies under some paths into a case. What becomes of one source is in
//! [`source`], what becomes of a live database in [`database`].

mod database;
mod source;

use crate::archive::Archive;
use crate::identity::{Heads, Identity, Known, head_of, identify};
use crate::networks::{CaseNetworks, NamedNetwork};
use crate::nodes::{NodeHints, node_names};
use crate::report::{IngestReport, Problem};
use crate::reread::{self, Catalogues};
use crate::text::{HEAD_BYTES, refused};
use crate::{IngestError, IngestOptions, Progress, copies, hashes, live, resolve};
use case::{CaseWriter, CustodyEntry, SourceKind, Transaction};
use dumps::LiveTarget;
use evidence::{Found, Limits, SourceReader, Stream, Streams};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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
    let url = |path: &PathBuf| {
        path.to_str()
            .filter(|text| LiveTarget::is_url(text))
            .map(str::to_owned)
    };
    let files: Vec<PathBuf> = paths
        .iter()
        .filter(|path| url(path).is_none())
        .cloned()
        .collect();
    let mut found = evidence::walk(&files);
    if run.leave_out_the_case(&files, &mut found) {
        let path = run.committed.path().display().to_string();
        run.report.problems.push(Problem {
            path,
            what: "is the case itself: its own files are no evidence and were not read".to_owned(),
            unread: false,
        });
    }
    run.name_nodes(&found);
    let mut tx_needed = false;
    for url in paths.iter().filter_map(url) {
        tx_needed |= run.database(&url, progress)?;
    }
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

    /// Takes the case's own files out of what was found; returns whether there were any.
    fn leave_out_the_case(&self, paths: &[PathBuf], found: &mut Vec<Found>) -> bool {
        let Ok(case) = self.committed.path().canonicalize() else {
            return false;
        };
        // Most cases lie elsewhere: then no file needs a look.
        let near = paths.iter().any(|path| {
            path.canonicalize()
                .is_ok_and(|path| case.starts_with(&path) || path.starts_with(&case))
        });
        let before = found.len();
        if near {
            found.retain(|item| {
                let real = item.path().canonicalize();
                !real.is_ok_and(|real| real.starts_with(&case))
            });
        }
        found.len() < before
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
        let head = incoming.reader.peek(HEAD_BYTES).to_vec();
        // A dump may be binary: that it is none of text is said only of what might be a log.
        let dump = !incoming.reader.too_deep() && dumps::sniff(&head).is_some();
        if !dump && let Some(why) = refused(&mut incoming.reader) {
            self.skipped(&shown, why);
            return Ok(None);
        }
        let digest = if dump {
            self.dump(incoming)?
        } else {
            self.log(incoming, progress)?
        };
        if let Some(digest) = &digest {
            self.heads.insert(digest.clone(), begins);
            self.read.push(shown);
        }
        Ok(digest)
    }

    /// Takes note of bytes that the case has already.
    pub(crate) fn known(&mut self, shown: &str, digest: String) {
        self.report.unchanged.push((shown.to_owned(), digest));
        self.read.push(shown.to_owned());
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
            path: Some(shown.to_owned()),
            modified,
            ..custody.entry(action)
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

    /// Files the hashes of what a program without the hash table read; returns whether there was any.
    fn file_hashes(&mut self) -> Result<bool, IngestError> {
        if self.options.dry_run {
            return Ok(false);
        }
        let filed = hashes::renew(&mut self.tx, &self.committed)?;
        for path in &filed {
            self.custody("file hashes", Path::new(""), path);
        }
        Ok(!filed.is_empty())
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
        let changed = self.file_hashes()? || changed;
        let unsettled = changed || resolve::needs_resolving(self.tx.manifest());
        if unsettled && !self.options.dry_run {
            let settled = copies::settle(&mut self.tx)?;
            self.report.rewritten = settled.rewritten;
            if settled.uncompared_pairs > 0 {
                self.report.problems.push(Problem {
                    path: "copies".to_owned(),
                    what: format!(
                        "{} pairs of sources were not compared, being too many or too large: what they \
                         have in common is shown twice; `coroner nodes CASE --set FILE` says which are of \
                         different machines",
                        settled.uncompared_pairs
                    ),
                    unread: false,
                });
            }
            self.tx.commit()?;
        }
        Ok(self.report)
    }
}

pub(crate) fn threads(options: &IngestOptions) -> usize {
    match options.threads {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        threads => threads,
    }
}
