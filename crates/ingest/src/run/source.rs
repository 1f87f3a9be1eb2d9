//! One source into the case: a log that is new, has grown or still flows, or a dump.

use super::{Incoming, Run, threads};
use crate::dump_source::{DumpReading, read_dump_source};
use crate::identity::Identity;
use crate::log_source::{Continue, LogReading, LogRun, SourceState, describe, read_log};
use crate::networks::{self, NamedNetwork};
use crate::nodes::stem;
use crate::pipeline::StageTimes;
use crate::report::{IngestReport, Problem};
use crate::reread::{self, ReadWith};
use crate::setting::SourceSetting;
use crate::{IngestError, IngestOptions, Progress};
use case::{Override, Source, SourceStatus};
use evidence::{Found, SourceReader};
use std::path::{Path, PathBuf};

impl Run<'_, '_> {
    /// Takes note of the formats that the user names for a known source: it is read again if they differ.
    pub(super) fn formats_said(&mut self, digest: &str) {
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

    pub(super) fn log(
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
            raw_bytes: reader.likely_bytes(),
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
        if source.status == SourceStatus::Skipped {
            let what = source.problems.iter().map(|problem| problem.what.clone());
            self.report.problems.extend(what.map(|what| Problem {
                path: shown.to_owned(),
                what,
                unread: false,
            }));
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
    fn place(&mut self, mut source: Source, grown: bool, run: &LogRun) -> Result<(), IngestError> {
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

    pub(super) fn dump(&mut self, incoming: Incoming<'_>) -> Result<Option<String>, IngestError> {
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
        let given = self.snapshot_given()?;
        let reading = DumpReading {
            path,
            shown,
            given: given.as_deref(),
            file: stem,
            keep: self.options.keep_dumps || path.as_os_str() == evidence::STDIN,
            zone_given: self.setting(String::new())?.given_zone,
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

    /// Returns the name that the user gave to the next snapshot.
    pub(super) fn snapshot_given(&self) -> Result<Option<String>, IngestError> {
        let given = self.options.as_name.as_deref().map(dumps::snapshot_name);
        match given {
            Some(name) if self.tx.manifest().snapshot(&name).is_some() => {
                Err(IngestError::SnapshotExists { name })
            }
            given => Ok(given),
        }
    }

    pub(super) fn setting(&self, node: String) -> Result<SourceSetting, IngestError> {
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
