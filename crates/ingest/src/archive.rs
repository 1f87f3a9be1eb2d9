//! An archive's members into a transaction, each as a source of its own, in one pass.
//!
//! Only where a member begins like a source that the case has, the archive is gone through once more,
//! from its beginning, to hash such members before anything of them is read.

use crate::identity::Identity;
use crate::nodes::{NodeHints, node_names};
use crate::report::Problem;
use crate::run::{Incoming, Run};
use crate::{IngestError, Progress};
use evidence::{ArchiveFacts, Limits, SourceReader, Stream, Streams};
use std::collections::BTreeMap;
use std::path::Path;

/// An archive on its way in.
pub(crate) struct Archive<'a> {
    path: &'a Path,
    shown: &'a str,
    /// What its members are, by name; `None` as long as nobody had to look.
    identities: Option<BTreeMap<String, Identity>>,
    /// The first member's name: another's node is named by where they differ.
    first: Option<String>,
    /// Digests of sources that came out of it.
    sources: Vec<String>,
}

impl<'a> Archive<'a> {
    pub(crate) fn new(path: &'a Path, shown: &'a str) -> Archive<'a> {
        Archive {
            path,
            shown,
            identities: None,
            first: None,
            sources: Vec::new(),
        }
    }

    /// Reads all members; returns whether the case changes.
    pub(crate) fn read(
        mut self,
        run: &mut Run<'_, '_>,
        mut streams: Streams,
        progress: &mut dyn Progress,
    ) -> Result<bool, IngestError> {
        let stdin = self.path.as_os_str() == evidence::STDIN;
        if !stdin && self.is_known(run, &streams) {
            return Ok(false);
        }
        let mut changed = false;
        while let Some(stream) = streams.next() {
            if progress.stop() {
                return Err(IngestError::Stopped);
            }
            match stream {
                Stream::Trouble { name, what } => run.skipped(&name, what),
                Stream::Source(reader) => {
                    let name = reader.name().to_owned();
                    progress.source(&name, reader.expected_bytes());
                    changed |= self.member(run, &name, *reader, stdin, progress)?;
                }
            }
        }
        if let Some(facts) = streams.finish() {
            self.note(run, &facts);
        }
        Ok(changed)
    }

    fn member(
        &mut self,
        run: &mut Run<'_, '_>,
        name: &str,
        mut reader: SourceReader,
        stdin: bool,
        progress: &mut dyn Progress,
    ) -> Result<bool, IngestError> {
        let identity = if stdin || !run.known_sources().may_have(&mut reader) {
            Identity::New
        } else {
            self.identity(run, name)
        };
        if let Identity::Known(digest) = &identity {
            self.sources.push(digest.clone());
        }
        let incoming = Incoming {
            path: self.path,
            shown: name,
            node: run.node_given().unwrap_or_else(|| self.node(name)),
            reader,
            identity,
        };
        let digest = run.source(incoming, progress)?;
        let changed = digest.is_some();
        self.sources.extend(digest);
        Ok(changed)
    }

    /// Names the node of a member, as far as one can see now; the last word has the whole case.
    fn node(&mut self, name: &str) -> String {
        let hint = |path: &str| NodeHints {
            path: path.to_owned(),
            ..NodeHints::default()
        };
        let first = self.first.get_or_insert_with(|| name.to_owned());
        let mut hints = vec![hint(name)];
        if first != name {
            hints.push(hint(first));
        }
        node_names(&hints).swap_remove(0)
    }

    /// Finds out what a member is that begins like something known.
    fn identity(&mut self, run: &Run<'_, '_>, name: &str) -> Identity {
        let path = self.path;
        let identities = self
            .identities
            .get_or_insert_with(|| survey(run, path).unwrap_or_default());
        match identities.remove(name) {
            // What it would continue was read from this archive meanwhile: only looking again tells.
            Some(Identity::Grown(digest)) if self.sources.contains(&digest) => {}
            Some(identity) => return identity,
            None if self.sources.is_empty() => return Identity::New,
            None => {}
        }
        match evidence::open_member(path, name) {
            Ok(reader) => run.known_sources().identify(reader),
            Err(_) => Identity::New,
        }
    }

    /// Whether this very archive was read before and the case still has all that came out of it.
    fn is_known(&self, run: &mut Run<'_, '_>, streams: &Streams) -> bool {
        let length = streams.length().unwrap_or_default();
        let outermost = |source: &case::Source| {
            source
                .containers()
                .last()
                .filter(|container| container.members > 0 && container.bytes == length)
                .cloned()
        };
        let sources = &run.tx.manifest().sources;
        if !sources.iter().any(|source| outermost(source).is_some()) {
            return false;
        }
        let Ok((_, sha256)) = evidence::hash_file(self.path) else {
            return false;
        };
        let sha256 = sha256.to_string();
        let found: Vec<(String, String, u64)> = sources
            .iter()
            .filter_map(|source| {
                let container = outermost(source)?;
                let same = container.sha256 == sha256;
                same.then(|| {
                    (
                        source.path.clone(),
                        source.digest.clone(),
                        container.members,
                    )
                })
            })
            .collect();
        let complete = found
            .first()
            .is_some_and(|(_, _, members)| *members == found.len() as u64);
        if !complete {
            return false;
        }
        for (path, digest, _) in found {
            run.known(&path, digest);
        }
        // What could not be read of it then cannot be read now.
        let inside = format!("{}{}", self.shown, evidence::INSIDE);
        let again: Vec<Problem> = run
            .tx
            .manifest()
            .skipped
            .iter()
            .filter(|skipped| skipped.path == self.shown || skipped.path.starts_with(&inside))
            .map(|skipped| Problem {
                path: skipped.path.clone(),
                what: skipped.what.clone(),
                unread: true,
            })
            .collect();
        run.report.problems.extend(again);
        true
    }

    /// Writes into the manifest what archive the sources came out of.
    fn note(&mut self, run: &mut Run<'_, '_>, facts: &ArchiveFacts) {
        self.sources.sort();
        self.sources.dedup();
        let mut ours: Vec<String> = Vec::new();
        let inside = format!("{}{}", self.shown, evidence::INSIDE);
        for digest in &self.sources {
            let source = run.tx.manifest().source(digest);
            // A copy that was read from elsewhere keeps saying from where.
            if source.is_some_and(|source| source.path.starts_with(&inside)) {
                ours.push(digest.clone());
            }
        }
        let all = ours.len() == self.sources.len();
        let archive = case::Container {
            kind: facts.kind.clone(),
            bytes: facts.bytes,
            sha256: facts.sha256.to_string(),
            // Where not all are told from here, nobody can see at once that all are there.
            members: if all { ours.len() as u64 } else { 0 },
            inside: None,
        };
        for digest in ours {
            if let Some(source) = run.tx.manifest_mut().source_mut(&digest) {
                put_inside(&mut source.container, &archive);
            }
        }
    }
}

/// Puts an archive around what a source is packed in already.
fn put_inside(container: &mut Option<case::Container>, archive: &case::Container) {
    match container {
        Some(container) if container.members == 0 && !is_archive(&container.kind) => {
            let mut inside = container.inside.take().map(|inside| *inside);
            put_inside(&mut inside, archive);
            container.inside = inside.map(Box::new);
        }
        container => *container = Some(archive.clone()),
    }
}

fn is_archive(kind: &str) -> bool {
    kind.split('+').any(|part| matches!(part, "tar" | "zip"))
}

/// Goes through an archive and identifies the members that begin like something known.
fn survey(run: &Run<'_, '_>, path: &Path) -> Option<BTreeMap<String, Identity>> {
    let known = run.known_sources();
    let mut identities = BTreeMap::new();
    let mut streams = Streams::open(path, Limits::default()).ok()?;
    while let Some(stream) = streams.next() {
        if let Stream::Source(mut reader) = stream {
            let name = reader.name().to_owned();
            if known.may_have(&mut reader) {
                identities.insert(name, known.identify(*reader));
            }
        }
    }
    Some(identities)
}
