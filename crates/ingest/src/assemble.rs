//! Blocks in order become rows of a case: processes and pieces are cut, anchors collected, times set.
//!
//! Rows are written under the best solution known when their piece begins. What the whole case says at
//! the end may differ; [`crate::resolve`] then rewrites exactly those pieces.

mod batches;

use crate::columns::DictBuilder;
use crate::counts::{Counts, Last};
use crate::rows::BlockRows;
use crate::setting::{SourceSetting, node_of};
use crate::solve::{self, Anchor, AnchorKind, AnchorSet, PieceInput, Pieces, Solution};
use crate::who;
use batches::reject_batch;
use model::{Batch, Clue, Span, Stamp, observation_kind};
use std::collections::{BTreeMap, BTreeSet};

/// Batches of one block, ready for the case.
pub(crate) struct BlockBatches {
    pub(crate) records: Batch,
    pub(crate) rejects: Batch,
    /// Samples by which copies are recognised.
    pub(crate) keys: Batch,
    /// Where hashes stand.
    pub(crate) hashes: Batch,
    /// By index of the observation kind.
    pub(crate) observations: Vec<(usize, Batch)>,
}

/// What is known of a process while its source is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProcessFacts {
    pub(crate) client: String,
    pub(crate) role: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) first_line: u64,
    pub(crate) last_line: u64,
    /// Whether it begins with a line that programs write when they start.
    pub(crate) started: bool,
    pub(crate) node: String,
    /// What wrappers call it, by kind.
    pub(crate) names: BTreeMap<String, Vec<String>>,
    /// The network that its lines name, and where; "" for one that nobody knows.
    pub(crate) said_network: Option<(String, u64)>,
    /// Machines that its first lines name, and the lines.
    pub(crate) endpoints: Vec<(String, u64)>,
}

/// Turns the blocks of one source into batches.
pub(crate) struct Assembler {
    setting: SourceSetting,
    pieces: Pieces,
    anchors: AnchorSet,
    /// Solutions that rows were written under, by piece.
    written: Vec<Solution>,
    /// By process number.
    processes: BTreeMap<u32, ProcessFacts>,
    /// `ts_order` of the last dated record, by process.
    order: BTreeMap<u32, i64>,
    pub(crate) counts: Counts,
}

/// A stretch of records of a block in one piece.
struct Run {
    piece: u32,
    from: usize,
    to: usize,
}

impl Assembler {
    pub(crate) fn new(setting: SourceSetting) -> Assembler {
        Assembler {
            pieces: setting.pieces(),
            setting,
            anchors: AnchorSet::new(),
            written: Vec::new(),
            processes: BTreeMap::new(),
            order: BTreeMap::new(),
            counts: Counts::default(),
        }
    }

    /// Goes on where a known source ended, as if it had been read in one go.
    pub(crate) fn resume(&mut self, source: &case::Source, processes: &[case::Process]) {
        self.counts = Counts::before_last(source);
        self.pieces = self
            .setting
            .pieces()
            .resume(source.pieces.iter().map(crate::resolve::facts_of).collect());
        for piece in &source.pieces {
            for anchor in &piece.anchors {
                self.anchors
                    .push(piece.index, &crate::resolve::anchor_in(anchor));
            }
            let solution = crate::resolve::solution_in(piece);
            if let Some(last) = piece
                .last
                .and_then(|stamp| solve::utc_us(&solution, &stamp))
            {
                self.order.insert(piece.process, last);
            }
            self.written.push(solution);
        }
        for process in processes {
            self.processes.insert(
                process.number,
                ProcessFacts {
                    client: process.client.clone(),
                    role: process.role.clone(),
                    version: process.version.clone(),
                    first_line: process.first_line,
                    last_line: process.last_line,
                    started: process.started,
                    node: process.node.clone().unwrap_or_default(),
                    names: process.names.clone(),
                    said_network: process.said_network.clone(),
                    endpoints: process.endpoints.clone(),
                },
            );
        }
    }

    /// Takes the next block.
    pub(crate) fn block(&mut self, mut rows: BlockRows) -> BlockBatches {
        let runs = self.cut(&rows);
        self.collect(&rows, &runs);
        self.presume();
        self.settle_clients(&mut rows, &runs);
        self.count(&rows);
        self.batches(&mut rows, &runs)
    }

    /// Lines that tell no client (log4j's file form is Teku's and Besu's) are of their process's.
    fn settle_clients(&self, rows: &mut BlockRows, runs: &[Run]) {
        for run in runs {
            let client = &self.processes[&self.process_of(run.piece)].client;
            rows.client.fill(run.from..run.to, b"", client.as_bytes());
        }
    }

    /// Looks at a block without making rows of it: pieces and anchors only.
    pub(crate) fn look(&mut self, rows: &BlockRows) {
        let runs = self.cut(rows);
        self.collect(rows, &runs);
    }

    /// Whether a running program can have written a block right behind what was looked at.
    pub(crate) fn goes_on_with(&self, rows: &BlockRows) -> bool {
        let facts = self.pieces.facts();
        let last = facts.iter().rev().find_map(|piece| piece.last);
        let first = rows.stamps.iter().flatten().next();
        match (last, first) {
            (Some(last), Some(first)) => solve::goes_on(&last, first).is_some(),
            _ => true,
        }
    }

    /// Returns the solution of every piece seen so far.
    pub(crate) fn solutions(&self) -> Vec<Solution> {
        solve::solve(&self.inputs(&self.anchors.clone().into_anchors()))
    }

    /// Takes a line over the limit.
    pub(crate) fn long_line(&mut self, span: Span) -> BlockBatches {
        let why = model::Reject::LineTooLong;
        *self
            .counts
            .rejected
            .entry(why.reason().to_owned())
            .or_default() += span.lines_touched();
        self.counts.last = Some(Last {
            byte: span.byte,
            line: span.line,
            before: (self.counts.continuation_lines, self.counts.framing_lines),
            record: None,
            reject: Some((why.reason(), span.lines_touched())),
        });
        BlockBatches {
            records: Batch::default(),
            rejects: reject_batch(&[(span, why)]),
            keys: Batch::default(),
            hashes: Batch::default(),
            observations: Vec::new(),
        }
    }

    fn cut(&mut self, rows: &BlockRows) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let mut starts = rows.starts.iter().peekable();
        let mut versions = rows.versions.iter().peekable();
        let text = |bytes| std::str::from_utf8(bytes).unwrap_or_default();
        // Neighbours mostly have the same writer: words are looked up when their codes change.
        let mut codes = None;
        let (mut stream, mut program, mut client) = ("", "", "");
        let (mut role_known, mut client_known) = (false, false);
        // Wrappers of one block call a process the same, as far as its stream is the same.
        let mut named: BTreeSet<(u32, i32)> = BTreeSet::new();
        for row in 0..rows.records {
            let here = Some((
                rows.host.code_at(row),
                rows.program.code_at(row),
                rows.client.code_at(row),
            ));
            if codes != here {
                codes = here;
                stream = text(rows.host.get(row).unwrap_or_default());
                program = text(rows.program.get(row).unwrap_or_default());
                client = text(rows.client.get(row).unwrap_or_default());
            }
            let start = starts.next_if(|start| **start as usize == row);
            let start = start.and_then(|_| rows.kind.get(row).map(text));
            let clue = solve::Clue {
                stream,
                program,
                client,
                start,
                wrapper: rows.wrapper_stamps.get(row).and_then(Option::as_ref),
            };
            let line = rows.line[row] as u64;
            let piece = self.pieces.observe(line, rows.stamps[row].as_ref(), &clue);
            let same = match runs.last_mut() {
                Some(run) if run.piece == piece => {
                    run.to = row + 1;
                    true
                }
                _ => {
                    runs.push(Run {
                        piece,
                        from: row,
                        to: row + 1,
                    });
                    false
                }
            };
            let version = versions.next_if(|(at, _)| *at as usize == row);
            let is_named = same || rows.wrappers.is_empty() || {
                let number = self.pieces.facts()[piece as usize].process;
                !named.insert((number, rows.host.code_at(row)))
            };
            if same
                && version.is_none()
                && (role_known || rows.role.is_all_null())
                && (client_known || client.is_empty())
            {
                continue;
            }
            let facts = &self.pieces.facts()[piece as usize];
            let number = facts.process;
            let process = self
                .processes
                .entry(number)
                .or_insert_with(|| ProcessFacts {
                    client: clue.client.to_owned(),
                    first_line: line,
                    started: clue.start.is_some(),
                    node: node_of(&facts.stream, &self.setting),
                    ..ProcessFacts::default()
                });
            if !is_named && let Some(wrapper) = rows.wrapper.text(row) {
                who::note_names(wrapper, clue.client, &mut process.names);
            }
            // The first lines of a process may be of a form that tells no client.
            if process.client.is_empty() {
                process.client.push_str(clue.client);
            }
            if process.role.is_none()
                && let Some(role) = rows.role.get(row)
            {
                process.role = Some(String::from_utf8_lossy(role).into_owned());
            }
            if let Some((_, version)) = version {
                process.version.get_or_insert_with(|| version.clone());
            }
            role_known = process.role.is_some();
            client_known = !process.client.is_empty();
        }
        for run in &runs {
            let number = self.process_of(run.piece);
            if let Some(process) = self.processes.get_mut(&number) {
                process.last_line = rows.line[run.to - 1] as u64;
                if process.client == model::SYSTEM_CLIENT {
                    continue;
                }
                let last_telling = process.first_line.saturating_add(who::ENDPOINT_LINES);
                for row in run.from..run.to {
                    let line = rows.line[row] as u64;
                    if line > last_telling {
                        break;
                    }
                    if let Some(fields) = rows.fields.text(row) {
                        who::note_endpoints(fields, line, &mut process.endpoints);
                    }
                }
            }
        }
        runs
    }

    fn process_of(&self, piece: u32) -> u32 {
        self.pieces.facts()[piece as usize].process
    }

    /// Collects the anchors of a block.
    fn collect(&mut self, rows: &BlockRows, runs: &[Run]) {
        let anchors = &mut self.anchors;
        let mut push = |row: usize, kind: AnchorKind, stamp: Stamp| {
            let run = &runs[runs.partition_point(|run| run.to <= row)];
            anchors.push(
                run.piece,
                &Anchor {
                    line: rows.line[row] as u64,
                    stamp,
                    kind,
                },
            );
        };
        for run in runs {
            // One line that writes its zone speaks for its neighbours.
            for row in [run.from, run.to - 1] {
                if let Some(stamp) = rows.stamps[row]
                    && let Some(utc_us) = stamp.utc_us()
                {
                    push(row, AnchorKind::Written { utc_us }, stamp);
                }
            }
        }
        for (row, wrapper) in rows.wrapper_stamps.iter().enumerate() {
            if let (Some(stamp), Some(wrapper)) = (rows.stamps[row], wrapper) {
                push(row, AnchorKind::Wrapper { stamp: *wrapper }, stamp);
            }
        }
        for &(row, clue) in &rows.clues {
            let row = row as usize;
            let run = &runs[runs.partition_point(|run| run.to <= row)];
            let facts = &self.pieces.facts()[run.piece as usize];
            if let Clue::Network(name) = clue {
                if let Some(process) = self.processes.get_mut(&facts.process) {
                    let name = name.unwrap_or_default().to_owned();
                    let at = rows.line[row] as u64;
                    process.said_network.get_or_insert((name, at));
                }
                continue;
            }
            let wrapper = || rows.wrapper_stamps.get(row).copied().flatten();
            let Some(stamp) = rows.stamps[row].or_else(|| wrapper().filter(|_| facts.by_wrapper))
            else {
                continue;
            };
            let kind = match clue {
                Clue::ReceivedSlot(slot) => AnchorKind::Received { slot },
                Clue::WallSlot {
                    slot,
                    phase_us,
                    bendable,
                } => {
                    let client = rows.client.get(row).unwrap_or_default();
                    let client = std::str::from_utf8(client).unwrap_or_default();
                    let version = self.processes[&facts.process].version.as_deref();
                    let bendable = bendable && solve::can_bend(client, version, stamp.civil_us());
                    AnchorKind::WallSlot {
                        slot,
                        phase_us,
                        bendable,
                    }
                }
                Clue::Absolute { utc_us } => AnchorKind::WrittenElsewhere { utc_us },
                Clue::Network(_) => continue,
            };
            push(row, kind, stamp);
        }
        if let Some((samples_kind, samples)) = observation_kind("clock_samples")
            .and_then(|kind| Some((kind, rows.observations.get(&kind)?)))
        {
            // Only what a node says of itself: refused objects compare two clocks, and either may be wrong.
            let kind = &model::observation_kinds()[samples_kind];
            let column = |name| kind.column(name).map(|at| &samples.own[at]);
            let (offset, method) = (column("offset_s"), column("method"));
            for (index, &row) in samples.record.iter().enumerate() {
                let reported = method.and_then(|method| method.text(index)) == Some("reported");
                if let (true, Some(offset_s), Some(stamp)) = (
                    reported,
                    offset.and_then(|offset| offset.f64(index)),
                    rows.stamps[row as usize],
                ) {
                    let offset_us = (offset_s * 1e6) as i64;
                    push(row as usize, AnchorKind::Skew { offset_us }, stamp);
                }
            }
        }
        if let Some((kind, behind)) =
            observation_kind("sync").and_then(|kind| Some((kind, rows.observations.get(&kind)?)))
        {
            let kind = &model::observation_kinds()[kind];
            let what = kind.column("what").map(|at| &behind.own[at]);
            for (index, &row) in behind.record.iter().enumerate() {
                let what = what.and_then(|what| what.text(index));
                if let (Some("syncing" | "fallen_behind" | "waiting"), Some(stamp)) =
                    (what, rows.stamps[row as usize])
                {
                    push(row as usize, AnchorKind::Syncing, stamp);
                }
            }
        }
    }

    /// Solves the pieces that have no solution yet from what this source has shown so far.
    fn presume(&mut self) {
        if self.written.len() == self.pieces.facts().len() {
            return;
        }
        let anchors = self.anchors.clone().into_anchors();
        let solutions = solve::solve(&self.inputs(&anchors));
        self.written
            .extend(solutions.into_iter().skip(self.written.len()));
    }

    fn inputs<'a>(&'a self, anchors: &'a BTreeMap<u32, Vec<Anchor>>) -> Vec<PieceInput<'a>> {
        self.pieces
            .facts()
            .iter()
            .map(|facts| PieceInput {
                process: facts.process,
                host: self
                    .processes
                    .get(&facts.process)
                    .map_or("", |process| process.node.as_str()),
                begins: facts.begins,
                anchors: anchors.get(&facts.index).map_or(&[], Vec::as_slice),
                first: facts.first,
                last: facts.last,
                given_zone: self.setting.given_zone.or(facts.zone_seconds),
                named_zone: self.setting.named_zone,
                zones_by_year: &facts.zones_by_year,
                given_year: self.setting.given_year,
                network: self
                    .setting
                    .network
                    .as_deref()
                    .or(self.said_network(facts.process)),
                network_given: self.setting.network.is_some(),
                by_wrapper: facts.by_wrapper,
                collector: "source",
                candidates: match self.said(facts.process) {
                    Some("") => &[],
                    _ => chain::networks(),
                },
            })
            .collect()
    }

    /// Returns what the lines of a process call its network; "" for one that nobody knows.
    fn said(&self, process: u32) -> Option<&str> {
        let said = self.processes.get(&process)?.said_network.as_ref()?;
        Some(&said.0)
    }

    fn said_network(&self, process: u32) -> Option<&'static chain::Network> {
        self.said(process).and_then(chain::Network::by_name)
    }

    fn count(&mut self, rows: &BlockRows) {
        let counts = &mut self.counts;
        let before = (
            counts.continuation_lines + rows.before_last.0,
            counts.framing_lines + rows.before_last.1,
        );
        counts.records += rows.records as u64;
        let before_line = counts.last.as_ref().map(|last| last.line as i64);
        counts.shares_lines |= rows.line.windows(2).any(|pair| pair[0] == pair[1])
            || before_line.is_some_and(|line| rows.line.first() == Some(&line));
        counts.continuation_lines += rows.continuation_lines;
        counts.framing_lines += rows.framing_lines;
        for (builder, sums) in [
            (&rows.format, &mut counts.formats),
            (&rows.client, &mut counts.clients),
        ] {
            let mut row = 0;
            while row < rows.records {
                let from = row;
                while row < rows.records && builder.code_at(row) == builder.code_at(from) {
                    row += 1;
                }
                let word =
                    String::from_utf8_lossy(builder.get(from).unwrap_or_default()).into_owned();
                *sums.entry(word).or_default() += (row - from) as u64;
            }
        }
        for (span, why) in &rows.rejects {
            *counts.rejected.entry(why.reason().to_owned()).or_default() += span.lines_touched();
        }
        for kind in &rows.wrappers {
            counts.wrappers.insert((*kind).to_owned(), ());
        }
        let reject = rows
            .rejects
            .last()
            .filter(|(span, _)| rows.line.last().is_none_or(|line| span.line as i64 > *line));
        if let Some((span, why)) = reject {
            let reject = Some((why.reason(), span.lines_touched()));
            counts.last = Some(Last {
                byte: span.byte,
                line: span.line,
                before,
                record: None,
                reject,
            });
        } else if let Some(row) = rows.records.checked_sub(1) {
            let word = |builder: &DictBuilder| {
                String::from_utf8_lossy(builder.get(row).unwrap_or_default()).into_owned()
            };
            counts.last = Some(Last {
                byte: rows.byte[row] as u64,
                line: rows.line[row] as u64,
                before,
                record: Some((word(&rows.format), word(&rows.client), false)),
                reject: None,
            });
        }
    }

    /// Ends the source: pieces, anchors and processes, as the manifest keeps them.
    pub(crate) fn finish(self) -> (Vec<case::Piece>, Vec<case::Process>, Counts) {
        let anchors = self.anchors.into_anchors();
        let pieces = self
            .pieces
            .facts()
            .iter()
            .zip(&self.written)
            .map(|(facts, solution)| {
                let anchors = anchors.get(&facts.index).map_or(&[][..], Vec::as_slice);
                crate::resolve::piece_of(facts, solution, anchors)
            })
            .collect();
        let processes = self
            .processes
            .into_iter()
            .map(|(number, facts)| case::Process {
                number,
                node: Some(facts.node),
                client: facts.client,
                role: facts.role,
                version: facts.version,
                first_line: facts.first_line,
                last_line: facts.last_line,
                started: facts.started,
                said_network: facts.said_network,
                names: facts.names,
                endpoints: facts.endpoints,
                ..case::Process::default()
            })
            .collect();
        (pieces, processes, self.counts)
    }
}
