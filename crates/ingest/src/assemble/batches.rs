//! The columns of a block: times, what follows from process and piece, records, observations, rejects.

use super::{Assembler, BlockBatches, Run};
use crate::columns::{DictBuilder, i64_column};
use crate::counts::Last;
use crate::rows::{BlockRows, ObsRows};
use crate::times::{Times, partial_stamps, picked, record_time};
use model::{Batch, Column, ColumnType, Level, Span};

impl Assembler {
    pub(super) fn batches(&mut self, rows: &mut BlockRows, runs: &[Run]) -> BlockBatches {
        let times = self.times(rows, runs);
        if let Some(Last {
            record: Some((_, _, undated)),
            ..
        }) = &mut self.counts.last
        {
            *undated = times.ts.last().is_some_and(Option::is_none);
        }
        let times = times.into_columns();
        let observations = std::mem::take(&mut rows.observations)
            .into_iter()
            .map(|(kind, observed)| (kind, self.observation_batch(rows, runs, &times, observed)))
            .collect();
        let rejects = reject_batch(&rows.rejects);
        let keys = self.key_batch(rows, runs);
        BlockBatches {
            records: self.record_batch(rows, runs, times),
            rejects,
            keys,
            hashes: rows.hashes.take(),
            observations,
        }
    }

    /// Sets `ts`, its basis and its place in the order for every record of a block.
    fn times(&mut self, rows: &BlockRows, runs: &[Run]) -> Times {
        let mut times = Times::with_capacity(rows.records);
        for run in runs {
            let solution = &self.written[run.piece as usize];
            let process = self.pieces.facts()[run.piece as usize].process;
            let mut order = self.order.get(&process).copied();
            let waiting = times.ts.len();
            for row in run.from..run.to {
                let wrapper = rows.wrapper_stamps.get(row).copied().flatten();
                let stamp = rows.stamps[row].as_ref();
                let time = record_time(solution, stamp, wrapper.as_ref(), order);
                if let Some(ts) = time.ts_us {
                    if order.is_none() {
                        // Undated lines at a process's start go with its first dated one.
                        for earlier in &mut times.order[waiting..] {
                            *earlier = Some(ts);
                        }
                    }
                    order = Some(ts);
                    self.counts.first_ts_us =
                        Some(self.counts.first_ts_us.map_or(ts, |first| first.min(ts)));
                    self.counts.last_ts_us =
                        Some(self.counts.last_ts_us.map_or(ts, |last| last.max(ts)));
                } else {
                    self.counts.undated += 1;
                }
                times.push(&time, order);
            }
            if let Some(order) = order {
                self.order.insert(process, order);
            }
        }
        times
    }

    fn record_batch(&self, rows: &mut BlockRows, runs: &[Run], times: Vec<Column>) -> Batch {
        let level = DictBuilder::of_few(&rows.levels, |code| {
            Some(Level::ALL.get(usize::from(code))?.name().as_bytes())
        });
        let per_run = PerRun::new(self, rows, runs);
        let take = std::mem::take::<DictBuilder>;
        let placeholder = |column: &mut Column, name| {
            std::mem::replace(column, Column::new(name, ColumnType::Text))
        };
        let mut columns = times;
        columns.push(partial_stamps(rows.stamps.iter()));
        columns.extend([
            level.finish("level"),
            take(&mut rows.component).finish("component"),
            take(&mut rows.message).finish("message"),
            take(&mut rows.kind).finish("kind"),
            placeholder(&mut rows.fields, "fields"),
            placeholder(&mut rows.slot, "slot"),
            placeholder(&mut rows.epoch, "epoch"),
            placeholder(&mut rows.validator, "validator"),
            placeholder(&mut rows.root, "root"),
            per_run.network.finish("network"),
            per_run.node.finish("node"),
            i64_column("process", per_run.process),
            per_run.role.finish("role"),
            take(&mut rows.client).finish("client"),
            per_run.version.finish("version"),
            take(&mut rows.format).finish("format"),
            placeholder(&mut rows.wrapper, "wrapper"),
            Column::new("source", ColumnType::Dict),
            i64_column("line", std::mem::take(&mut rows.line)),
            i64_column("lines", std::mem::take(&mut rows.lines)),
            i64_column("byte", std::mem::take(&mut rows.byte)),
            i64_column("length", std::mem::take(&mut rows.length)),
            i64_column("piece", per_run.piece),
        ]);
        Batch { columns }
    }

    /// Sampled records, by which copies are recognised.
    fn key_batch(&self, rows: &BlockRows, runs: &[Run]) -> Batch {
        let mut stamp = Column::new("stamp_us", ColumnType::I64);
        let mut numbers: [Vec<i64>; 3] = Default::default();
        for &(row, key) in &rows.samples {
            let row = row as usize;
            let run = &runs[runs.partition_point(|run| run.to <= row)];
            let process = i64::from(self.process_of(run.piece));
            for (column, value) in numbers.iter_mut().zip([rows.line[row], process, key]) {
                column.push(value);
            }
            stamp.push_opt_i64(
                rows.stamps[row]
                    .as_ref()
                    .and_then(crate::copies::comparable),
            );
        }
        let [line, process, key] = numbers;
        Batch {
            columns: vec![
                Column::new("source", ColumnType::Dict),
                i64_column("line", line),
                i64_column("process", process),
                stamp,
                i64_column("key", key),
            ],
        }
    }

    /// The common columns of observations, then the kind's own.
    fn observation_batch(
        &self,
        rows: &BlockRows,
        runs: &[Run],
        times: &[Column],
        observed: ObsRows,
    ) -> Batch {
        let mut columns = picked(times, &observed.record);
        columns.push(partial_stamps(
            observed
                .record
                .iter()
                .map(|row| &rows.stamps[*row as usize]),
        ));
        columns.push(observed.slot);
        let mut per_row = PerRun::default();
        let mut line = Vec::with_capacity(observed.record.len());
        let client = rows.client.pick(&observed.record);
        let mut rest = observed.record.as_slice();
        for run in runs {
            let (here, after) = rest.split_at(rest.partition_point(|row| (*row as usize) < run.to));
            rest = after;
            per_row.push(self, rows, run, here.iter().map(|row| *row as usize));
        }
        for &row in &observed.record {
            line.push(rows.line[row as usize]);
        }
        columns.extend([
            per_row.network.finish("network"),
            per_row.node.finish("node"),
            i64_column("process", per_row.process),
            per_row.role.finish("role"),
            client.finish("client"),
            per_row.version.finish("version"),
            Column::new("source", ColumnType::Dict),
            i64_column("line", line),
            i64_column("piece", per_row.piece),
        ]);
        columns.extend(observed.own);
        Batch { columns }
    }
}

/// Columns that follow from a record's process and piece.
#[derive(Default)]
struct PerRun {
    network: DictBuilder,
    node: DictBuilder,
    process: Vec<i64>,
    role: DictBuilder,
    version: DictBuilder,
    piece: Vec<i64>,
}

impl PerRun {
    fn new(assembler: &Assembler, rows: &BlockRows, runs: &[Run]) -> PerRun {
        let mut columns = PerRun::default();
        for run in runs {
            columns.push(assembler, rows, run, run.from..run.to);
        }
        columns
    }

    /// Appends rows of one run.
    fn push(
        &mut self,
        assembler: &Assembler,
        rows: &BlockRows,
        run: &Run,
        of: impl ExactSizeIterator<Item = usize>,
    ) {
        let number = assembler.process_of(run.piece);
        let process = &assembler.processes[&number];
        let solution = &assembler.written[run.piece as usize];
        let network = assembler
            .setting
            .network
            .as_ref()
            .map(|network| network.name.as_str())
            .or(solution.network.as_deref());
        let count = of.len();
        self.network
            .push_opt_rows(network.map(str::as_bytes), count);
        self.node
            .push_opt_rows(Some(process.node.as_bytes()), count);
        self.process
            .resize(self.process.len() + count, i64::from(number));
        self.version
            .push_opt_rows(process.version.as_deref().map(str::as_bytes), count);
        self.piece
            .resize(self.piece.len() + count, i64::from(run.piece));
        let role = process.role.as_deref().map(str::as_bytes);
        if rows.role.is_all_null() {
            self.role.push_opt_rows(role, count);
        } else {
            for row in of {
                self.role.push_opt(rows.role.get(row).or(role));
            }
        }
    }
}

/// Returns the rows of table `rejects`.
pub(super) fn reject_batch(rejects: &[(Span, model::Reject)]) -> Batch {
    let mut reason = DictBuilder::default();
    let mut numbers: [Vec<i64>; 4] = Default::default();
    for (span, why) in rejects {
        reason.push(why.reason().as_bytes());
        for (column, value) in
            numbers
                .iter_mut()
                .zip([span.line, span.lines, span.byte, span.length])
        {
            column.push(value as i64);
        }
    }
    let [line, lines, byte, length] = numbers;
    Batch {
        columns: vec![
            Column::new("source", ColumnType::Dict),
            i64_column("line", line),
            i64_column("lines", lines),
            i64_column("byte", byte),
            i64_column("length", length),
            reason.finish("reason"),
        ],
    }
}
