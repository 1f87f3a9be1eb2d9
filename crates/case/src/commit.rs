//! The commit: which segments change, how they are made, and the order of renames that leaves the case
//! as it was before or after, whatever happens in between.

use crate::builder::Builder;
use crate::custody::{CUSTODY, FileMark, NOTES, commit_name, links, read_or_empty};
use crate::evidence::PartState;
use crate::layout::bins;
use crate::merge::{Feed, merge};
use crate::read::MANIFEST;
use crate::rows::{Content, merged, with_source};
use crate::segment::{Encoded, SOURCE, SourceValue, hex};
use crate::segment_reader::SegmentReader;
use crate::writer::{LEFT, named_files};
use crate::{
    CaseError, EvidencePart, FORMAT_VERSION, Manifest, Run, Segment, TableId, Transaction,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bin of a database table's segments.
const TABLE_BIN: &str = "#";

/// The segments of one table and bin that a commit makes.
struct Job<'t> {
    table: TableId,
    bin: String,
    /// Segments that stay as they are, first in order.
    kept: Vec<Segment>,
    /// Committed segments whose surviving rows go into new ones.
    old: Vec<Segment>,
    sources: Vec<String>,
    runs: Vec<(&'t str, &'t [Run])>,
}

/// A segment under its temporary name, and what the manifest will say of it.
struct Made {
    from: PathBuf,
    segment: Segment,
}

impl Transaction<'_> {
    pub(crate) fn commit_now(&mut self) -> Result<(), CaseError> {
        let mut manifest = self.manifest.clone();
        manifest.format_version = FORMAT_VERSION;
        self.check(&manifest)?;
        let jobs = self.plan(&manifest);
        let mut moves: Vec<(PathBuf, String)> = Vec::new();
        let mut segments: Vec<Segment> = jobs.iter().flat_map(|job| job.kept.clone()).collect();
        for made in self.make(&manifest, &jobs)? {
            moves.push((made.from, made.segment.file.clone()));
            segments.push(made.segment);
        }
        drop(jobs);
        segments.sort_by(|a, b| (&a.table, &a.bin, a.part).cmp(&(&b.table, &b.bin, b.part)));
        manifest.segments = segments;
        self.place_evidence(&mut manifest, &mut moves);
        self.publish(manifest, &moves)
    }

    /// Refuses what could not be read back.
    fn check(&self, manifest: &Manifest) -> Result<(), CaseError> {
        let mut digests = BTreeSet::new();
        for source in &manifest.sources {
            if !digests.insert(source.digest.as_str()) {
                return Err(CaseError::Inconsistent(format!(
                    "source {} is listed twice",
                    source.digest
                )));
            }
        }
        let with_rows = self.runs.keys().map(|(_, digest)| digest);
        for digest in with_rows.chain(self.evidence.keys()) {
            if !digests.contains(digest.as_str()) {
                return Err(CaseError::Inconsistent(format!(
                    "source {digest} has rows or evidence but is not in the manifest"
                )));
            }
        }
        Ok(())
    }

    fn plan(&self, manifest: &Manifest) -> Vec<Job<'_>> {
        let lengths = manifest.sources.iter();
        let layout = bins(
            &lengths
                .map(|source| (source.digest.clone(), source.bytes))
                .collect(),
        );
        let mut tables = self.committed_tables();
        for (table, _) in self.runs.keys() {
            tables.entry(table.clone()).or_default();
        }
        let mut jobs = Vec::new();
        for (table, old) in &tables {
            if let TableId::Table { snapshot, .. } = table {
                jobs.push(self.plan_table(table, old, self.dropped_snapshots.contains(snapshot)));
                continue;
            }
            let mut sources: BTreeSet<&str> = BTreeSet::new();
            for segment in old {
                let names = segment.sources.iter().map(|(name, _)| name.as_str());
                sources.extend(names.filter(|name| self.survives(table, name, 0)));
            }
            let new = self.runs.keys().filter(|(of, _)| of == table);
            sources.extend(new.map(|(_, digest)| digest.as_str()));
            let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for source in sources {
                // Rows of a source that left the manifest go with it.
                if let Some(bin) = layout.get(source) {
                    groups.entry(bin).or_default().push(source);
                }
            }
            for (bin, sources) in groups {
                jobs.push(if bin.starts_with('~') {
                    self.plan_bin(table, bin, &sources, old)
                } else {
                    self.plan_large(table, bin, old)
                });
            }
        }
        jobs
    }

    fn runs_of(&self, table: &TableId, source: &str) -> Option<(&str, &[Run])> {
        let ((_, digest), runs) = self
            .runs
            .iter()
            .find(|((of, digest), _)| of == table && digest == source)?;
        Some((digest, runs))
    }

    fn plan_table(&self, table: &TableId, old: &[Segment], dropped: bool) -> Job<'_> {
        let new = self.runs.iter().filter(|((of, _), _)| of == table);
        let runs: Vec<(&str, &[Run])> = new
            .map(|((_, digest), runs)| (digest.as_str(), runs.as_slice()))
            .collect();
        let mut kept = if dropped { Vec::new() } else { old.to_vec() };
        kept.sort_by_key(|segment| segment.part);
        let rewritten = if runs.is_empty() { None } else { kept.pop() };
        Job {
            table: table.clone(),
            bin: TABLE_BIN.to_owned(),
            kept,
            old: rewritten.into_iter().collect(),
            sources: runs
                .iter()
                .map(|(digest, _)| (*digest).to_owned())
                .collect(),
            runs,
        }
    }

    fn plan_bin(&self, table: &TableId, bin: &str, sources: &[&str], old: &[Segment]) -> Job<'_> {
        let touched = |source: &&str| {
            self.drops.contains_key(*source)
                || self.is_replaced(table, source)
                || self.runs_of(table, source).is_some()
        };
        let holding: Vec<&Segment> = old
            .iter()
            .filter(|segment| {
                segment
                    .sources
                    .iter()
                    .any(|(name, _)| sources.contains(&name.as_str()))
            })
            .collect();
        let mut job = Job {
            table: table.clone(),
            bin: bin.to_owned(),
            kept: Vec::new(),
            old: Vec::new(),
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            runs: Vec::new(),
        };
        let same = |segment: &Segment| {
            segment.bin == bin
                && segment
                    .sources
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .eq(sources.iter().copied())
        };
        if !sources.iter().any(touched) && matches!(holding[..], [only] if same(only)) {
            job.kept = vec![holding[0].clone()];
        } else {
            job.old = holding.into_iter().cloned().collect();
            job.runs = sources
                .iter()
                .filter_map(|source| self.runs_of(table, source))
                .collect();
        }
        job
    }

    fn plan_large(&self, table: &TableId, digest: &str, old: &[Segment]) -> Job<'_> {
        let holds = |segment: &&Segment| segment.sources.iter().any(|(name, _)| name == digest);
        let mut own: Vec<Segment> = old.iter().filter(holds).cloned().collect();
        own.sort_by(|a, b| (&a.bin, a.part).cmp(&(&b.bin, b.part)));
        let runs: Vec<_> = self.runs_of(table, digest).into_iter().collect();
        let moved = own.iter().any(|segment| segment.bin != digest);
        let mut keep = own.len();
        if moved || self.is_replaced(table, digest) {
            keep = 0;
        }
        if let Some(from) = self.drops.get(digest) {
            let untouched = |segment: &&Segment| segment.last_line.is_some_and(|last| last < *from);
            keep = keep.min(own.iter().take_while(untouched).count());
        }
        if !runs.is_empty() {
            // New rows may belong into the last segment.
            keep = keep.min(own.len().saturating_sub(1));
        }
        let rest = own.split_off(keep);
        Job {
            table: table.clone(),
            bin: digest.to_owned(),
            kept: own,
            old: rest,
            sources: vec![digest.to_owned()],
            runs,
        }
    }

    /// Makes the new segments, on several threads.
    fn make(&self, manifest: &Manifest, jobs: &[Job<'_>]) -> Result<Vec<Made>, CaseError> {
        let busy: Vec<&Job<'_>> = jobs
            .iter()
            .filter(|job| !job.old.is_empty() || !job.runs.is_empty())
            .collect();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        let work = || {
            while let Some(job) = busy.get(next.fetch_add(1, Ordering::Relaxed)) {
                let made = self.make_one(manifest, job);
                let failed = made.is_err();
                results
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(made);
                if failed {
                    next.store(busy.len(), Ordering::Relaxed);
                }
            }
        };
        let threads = self.writer.threads.min(busy.len());
        if threads <= 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..threads {
                    scope.spawn(work);
                }
            });
        }
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        let made: Result<Vec<Vec<Made>>, CaseError> = results.into_iter().collect();
        Ok(made?.into_iter().flatten().collect())
    }

    fn make_one(&self, manifest: &Manifest, job: &Job<'_>) -> Result<Vec<Made>, CaseError> {
        let first_part = job.kept.len() as u32;
        let made = |index: usize, encoded: &Encoded| Made {
            from: encoded.path.clone(),
            segment: self.describe(manifest, job, first_part + index as u32, encoded),
        };
        // A large source read at once: its segments are there already.
        if !job.bin.starts_with('~')
            && job.old.is_empty()
            && let [(_, [run])] = job.runs[..]
            && let Content::Encoded(segments) = &run.content
        {
            return Ok(segments
                .iter()
                .enumerate()
                .map(|(i, encoded)| made(i, encoded))
                .collect());
        }
        let encoded = if job.bin.starts_with('~') {
            self.merge_bin(job)?
        } else {
            self.append(job)?
        };
        Ok(encoded
            .iter()
            .enumerate()
            .map(|(i, encoded)| made(i, encoded))
            .collect())
    }

    fn merge_bin(&self, job: &Job<'_>) -> Result<Vec<Encoded>, CaseError> {
        let mut feeds = Vec::new();
        let keep = |source: &str, line: i64| {
            job.sources.iter().any(|name| name == source) && self.survives(&job.table, source, line)
        };
        for segment in &job.old {
            let path = self.writer.case.path.join(&segment.file);
            feeds.push(Feed::segment(&path, Some(&keep))?);
        }
        for (digest, runs) in &job.runs {
            for run in *runs {
                match &run.content {
                    Content::Spooled(blocks) => {
                        feeds.extend(blocks.iter().map(|block| Feed::block(run, block, digest)));
                    }
                    Content::Encoded(segments) => {
                        for encoded in segments {
                            feeds.push(Feed::segment(&encoded.path, None)?);
                        }
                    }
                }
            }
        }
        let made = merge(&self.work, &job.table, &job.sources, feeds)?;
        Ok(made.into_iter().collect())
    }

    /// Puts rows one after the other: what is left of old segments, then new rows.
    fn append(&self, job: &Job<'_>) -> Result<Vec<Encoded>, CaseError> {
        let timed = job.table.is_timed();
        let mut readers = Vec::new();
        let mut inputs = Vec::new();
        for segment in &job.old {
            let reader = SegmentReader::open(&self.writer.case.path.join(&segment.file))?;
            inputs.push(reader.columns().clone());
            readers.push(reader);
        }
        inputs.extend(
            job.runs
                .iter()
                .flat_map(|(_, runs)| runs.iter().map(Run::file_columns)),
        );
        let mut columns = merged(&inputs);
        let mut source = SourceValue::InRows;
        if timed {
            let at = columns.iter().position(|(name, _)| name == SOURCE);
            let at = at.unwrap_or(columns.len());
            columns.retain(|(name, _)| name != SOURCE);
            source = SourceValue::Fill(job.bin.clone(), at);
        }
        let file_columns = match &source {
            SourceValue::Fill(_, at) => with_source(columns.clone(), *at),
            _ => columns.clone(),
        };
        let builder = Builder::new(self.work.clone(), job.table.clone(), file_columns, source);
        let mut rows = crate::merge::Appender::new(builder, columns);
        for reader in &readers {
            if timed {
                let keep = |source: &str, line: i64| {
                    source == job.bin && self.survives(&job.table, source, line)
                };
                reader.in_line_order(&keep, &mut |batch| rows.push(&batch))?;
            } else {
                reader.for_each(None, &mut |batch| rows.push(batch))?;
            }
        }
        for run in job.runs.iter().flat_map(|(_, runs)| *runs) {
            if timed {
                run.in_line_order(&job.bin, &mut |batch| rows.push(&batch))?;
            } else if let Content::Encoded(segments) = &run.content {
                for encoded in segments {
                    SegmentReader::open(&encoded.path)?
                        .for_each(None, &mut |batch| rows.push(batch))?;
                }
            }
        }
        rows.finish()
    }

    fn describe(
        &self,
        manifest: &Manifest,
        job: &Job<'_>,
        part: u32,
        encoded: &Encoded,
    ) -> Segment {
        let mut sources: Vec<(String, u64)> = encoded
            .sources
            .iter()
            .map(|(name, rows)| (name.clone(), *rows))
            .collect();
        if !job.table.is_timed() {
            sources = job
                .sources
                .iter()
                .map(|name| (name.clone(), encoded.rows))
                .collect();
        }
        // The hash table's order is none of time.
        let times = encoded.times.filter(|_| job.table != TableId::Hashes);
        let parsers: BTreeSet<&str> = sources
            .iter()
            .filter_map(|(digest, _)| manifest.source(digest))
            .map(|source| source.parser.as_str())
            .filter(|parser| !parser.is_empty())
            .collect();
        Segment {
            file: format!(
                "{}/{}-{}.parquet",
                job.table,
                job.table.stem(),
                &encoded.sha256[..16]
            ),
            table: job.table.clone(),
            bin: job.bin.clone(),
            part,
            rows: encoded.rows,
            bytes: encoded.bytes,
            sha256: encoded.sha256.clone(),
            first_line: encoded.lines.map(|lines| lines.0),
            last_line: encoded.lines.map(|lines| lines.1),
            min_ts_us: times.map(|times| times.0),
            max_ts_us: times.map(|times| times.1),
            parser: parsers.into_iter().collect::<Vec<_>>().join(","),
            sources,
        }
    }

    fn place_evidence(&self, manifest: &mut Manifest, moves: &mut Vec<(PathBuf, String)>) {
        for source in &mut manifest.sources {
            match self.evidence.get(&source.digest) {
                Some(parts) => {
                    let mut placed: Vec<EvidencePart> = Vec::with_capacity(parts.len());
                    for part in parts {
                        placed.push(match part {
                            PartState::Kept(part) => part.clone(),
                            PartState::New(stored) => {
                                let part = stored.named(&source.digest);
                                moves.push((stored.path.clone(), part.file.clone()));
                                part
                            }
                        });
                    }
                    source.evidence = placed;
                }
                None => {
                    let before = self.writer.case.manifest.source(&source.digest);
                    source.evidence =
                        before.map_or_else(Vec::new, |before| before.evidence.clone());
                }
            }
        }
    }

    /// Renames, then replaces the manifest: from then on the commit is.
    fn publish(
        &mut self,
        mut manifest: Manifest,
        moves: &[(PathBuf, String)],
    ) -> Result<(), CaseError> {
        let root = self.writer.case.path.clone();
        let lengths: Vec<(PathBuf, u64)> = [NOTES, CUSTODY]
            .iter()
            .map(|name| root.join(name))
            .map(|path| {
                (
                    path.clone(),
                    std::fs::metadata(path).map_or(0, |found| found.len()),
                )
            })
            .collect();
        let mut committed = false;
        let result = self.publish_steps(&mut manifest, moves, &mut committed);
        if !committed {
            // Best effort; what stays is removed when the case is next opened to write.
            let named = named_files(&self.writer.case.manifest);
            for (_, file) in moves
                .iter()
                .filter(|(_, file)| !named.contains(file.as_str()))
            {
                let _ = self.work.disk.remove(&root.join(file));
            }
            for (path, length) in lengths {
                if std::fs::metadata(&path).is_ok_and(|found| found.len() > length) {
                    let _ = self.work.disk.truncate(&path, length);
                }
            }
            return result;
        }
        let before = named_files(&self.writer.case.manifest);
        let after = named_files(&manifest);
        // What the new manifest does not name leaves the glob `*.parquet` at once, so that whoever reads
        // the folder as it lies sees each row once. Should a rename fail, the next writer removes the file.
        let gone: Vec<String> = before
            .difference(&after)
            .map(|file| {
                if !file.ends_with(".parquet") {
                    return (*file).to_owned();
                }
                let left = format!("{file}{LEFT}");
                match self.work.disk.rename(&root.join(file), &root.join(&left)) {
                    Ok(()) => left,
                    Err(_) => (*file).to_owned(),
                }
            })
            .collect();
        let garbage = std::mem::replace(&mut self.writer.left, gone);
        for file in garbage.iter().filter(|file| !after.contains(file.as_str())) {
            // A file that stays is removed when the case is next opened to write.
            let _ = self.work.disk.remove(&root.join(file));
        }
        self.writer.case.manifest = manifest;
        result
    }

    fn publish_steps(
        &self,
        manifest: &mut Manifest,
        moves: &[(PathBuf, String)],
        committed: &mut bool,
    ) -> Result<(), CaseError> {
        let disk = &self.work.disk;
        let root = &self.writer.case.path;
        let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
        for (from, file) in moves {
            let to = root.join(file);
            if let Some(folder) = to.parent() {
                disk.create_dir_all(folder)?;
                // The new entry may be that of a folder, up to the case itself.
                let inside = folder.ancestors().take_while(|folder| *folder != root);
                folders.extend(inside.map(PathBuf::from));
            }
            disk.rename(from, &to)?;
        }
        for folder in folders.iter().rev() {
            disk.sync_dir(folder)?;
        }
        manifest.notes = self.writer.case.manifest.notes.clone();
        if !self.notes.is_empty() {
            let (mut before, lines) = self.writer.append(NOTES, |_| {
                self.notes
                    .iter()
                    .flat_map(|note| format!("{note}\n").into_bytes())
                    .collect()
            })?;
            before.extend(lines);
            manifest.notes = Some(FileMark {
                bytes: before.len() as u64,
                sha256: hex(&Sha256::digest(&before)),
            });
        }
        let mut text = serde_json::to_vec_pretty(&manifest).map_err(|error| {
            CaseError::Inconsistent(format!("the manifest cannot be written: {error}"))
        })?;
        text.push(b'\n');
        if !self.custody.is_empty() {
            let replaces = commit_name(&read_or_empty(&root.join(MANIFEST))?);
            let commit = commit_name(&text);
            self.writer.append(CUSTODY, |before| {
                links(before, &self.custody, &replaces, &commit)
            })?;
        }
        let temp = self.work.temp_path("manifest")?;
        let mut file = disk.create(&temp)?;
        file.put(&text)?;
        file.sync()?;
        disk.rename(&temp, &root.join(MANIFEST))?;
        *committed = true;
        disk.sync_dir(root)
    }
}
