//! A live database into the case: read once into a temporary file as the text of a dump, which then goes the
//! way of every dump. The text is kept in the case, for it cannot be read again.

use super::Run;
use crate::dump_source::{DumpReading, read_dump_source};
use crate::report::Problem;
use crate::{IngestError, Progress};
use case::SourceStatus;
use dumps::{LiveError, LiveFacts, LiveTarget};
use evidence::SourceReader;
use std::io::{BufWriter, Write};
use std::path::Path;

/// What the manifest calls the form of such a snapshot.
const KIND: &str = "postgres-live";

impl Run<'_, '_> {
    /// Reads the database of a URL; returns whether the case changes.
    pub(super) fn database(
        &mut self,
        url: &str,
        progress: &mut dyn Progress,
    ) -> Result<bool, IngestError> {
        let target = LiveTarget::parse(url, &self.options.login)?;
        progress.source(target.shown(), None);
        let spool = tempfile::NamedTempFile::new().map_err(IngestError::Spool)?;
        let facts = match self.spool(&target, spool.as_file(), progress) {
            Ok(facts) => facts,
            Err(error @ (LiveError::Connect { .. } | LiveError::Catalogue { .. })) => {
                self.unread(target.shown(), &error);
                return Ok(false);
            }
            Err(LiveError::Stopped) => return Err(IngestError::Stopped),
            Err(error) => return Err(error.into()),
        };
        let given = self.snapshot_given()?;
        let path = spool.path();
        let reader = SourceReader::open(path).map_err(|error| IngestError::Read {
            path: target.shown().to_owned(),
            source: std::io::Error::other(error),
        })?;
        let reading = DumpReading {
            path,
            shown: &path.to_string_lossy(),
            given: given.as_deref(),
            file: &facts.database,
            keep: true,
            zone_given: self.setting(String::new())?.given_zone,
        };
        let Some(outcome) = read_dump_source(&mut self.tx, reader, &reading)? else {
            return Ok(false);
        };
        self.describe(&target, &facts, &outcome.digest);
        self.report.bytes += outcome.bytes;
        self.report.added.push(outcome.digest);
        // If an earlier run could not read it, this one did.
        self.read.push(target.shown().to_owned());
        let what = facts.problems.into_iter().map(|problem| problem.what);
        for what in outcome.problems.into_iter().chain(what) {
            self.report.problems.push(Problem {
                path: target.shown().to_owned(),
                what,
                unread: false,
            });
        }
        self.custody("ingest", Path::new(""), target.shown());
        Ok(true)
    }

    fn spool(
        &self,
        target: &LiveTarget,
        file: &std::fs::File,
        progress: &mut dyn Progress,
    ) -> Result<LiveFacts, LiveError> {
        let mut out = BufWriter::with_capacity(1 << 18, file);
        let facts = dumps::read_live(target, &self.options.database, &mut out, &mut |bytes| {
            progress.read(bytes);
            !progress.stop()
        })?;
        out.flush().map_err(LiveError::Write)?;
        Ok(facts)
    }

    /// Puts into the manifest what the text of the dump does not say.
    fn describe(&mut self, target: &LiveTarget, facts: &LiveFacts, digest: &str) {
        let manifest = self.tx.manifest_mut();
        if let Some(source) = manifest.source_mut(digest) {
            source.path = target.shown().to_owned();
            source
                .problems
                .extend(facts.problems.iter().map(|problem| case::Problem {
                    byte: problem.byte,
                    what: problem.what.clone(),
                }));
            if !facts.problems.is_empty() && source.status == SourceStatus::Complete {
                source.status = SourceStatus::Damaged;
            }
        }
        let mut snapshots = manifest.snapshots.iter_mut();
        if let Some(snapshot) = snapshots.find(|snapshot| snapshot.source == digest) {
            snapshot.kind = KIND.to_owned();
            snapshot.as_of_us = Some(facts.taken_at_us);
            snapshot.as_of_basis = Some("live read".to_owned());
        }
    }
}
