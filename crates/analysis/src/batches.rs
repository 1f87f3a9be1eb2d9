//! The life of every batch: when it was sealed, committed, proven and executed, how long each step waited
//! and how long that usually takes, where the chain stands now, where it paused, what was sent again.
//!
//! Times are those of the server's database. `noticed` is when the server noticed a receipt; when L1 mined
//! it is only bounded (the attempt was signed before, it was noticed after).

mod sends;
mod shape;
mod summary;

pub use shape::{
    BatchLine, BatchesReport, Fees, Gap, Missing, PauseRule, Resend, Stand, StepLine, StepWaits,
};

use crate::past::Moment;
use crate::trace::links::{Batches, STAGES};
use crate::trace::rows::DbTime;
use crate::trace::waiting::{self, Judge};
use crate::trace::zone::{self, to_utc};
use crate::trace::{LookedAt, TraceError, TraceOptions};
use model::time::MICROS_PER_SECOND;
use model::{Coming, TableSource};
use sends::Sends;

/// What is asked of the batches.
#[derive(Clone, Debug, Default)]
pub struct BatchesOptions {
    /// The time to judge waiting by, and a delay of execution, as for a trace.
    pub trace: TraceOptions,
    /// Only batches that began inside, in microseconds UTC, the end excluded.
    pub window: Option<(i64, i64)>,
    /// At most so many batches are listed, the newest; sums are over all.
    pub limit: Option<usize>,
}

/// The waits that are measured: how long a batch stayed open, then each step on L1, then all of them.
pub(crate) const WAITS: [&str; 5] = ["seal", "commit", "prove", "execute", "whole"];

/// Reads the batches of a rollup's database.
///
/// # Errors
/// If there is no table of batches, or one could not be read.
pub fn batches(
    source: &dyn TableSource,
    options: &BatchesOptions,
) -> Result<BatchesReport, TraceError> {
    let moment = Moment::of(source, &options.trace)?;
    let trace = moment.options(&options.trace);
    let mut tables = moment.tables()?;
    tables.announce(&["l1_batches", "eth_txs", "eth_txs_history"].map(Coming::whole));
    let all = Batches::read(&mut tables)?;
    let sends = Sends::read(&mut tables)?;
    let zone = match trace.zone.clone() {
        None => zone::of_read(&tables, &all.creations())?,
        zone => zone,
    };
    let as_of = tables.as_of(zone.as_ref(), &trace)?;
    let judge = Judge {
        batches: &all,
        history: sends.history(),
        zone: zone.as_ref(),
        as_of: as_of.as_ref(),
        path: None,
        options: &trace,
        is_copied: sends.is_copied(),
    };
    if sends.is_copied() {
        tables.warn("an external node's database: its rows of L1 transactions are copies (nonce 0, no contract), so when they were saved and sent is not in it, and waits for L1 are not judged");
    }
    let norms = [judge.norm(0), judge.norm(1), judge.norm(2)];
    let inside = |timestamp: Option<i64>| match options.window {
        None => true,
        Some((from, to)) => {
            timestamp.is_some_and(|s| (from..to).contains(&s.saturating_mul(MICROS_PER_SECOND)))
        }
    };
    let age_s = |since: Option<DbTime>| {
        let (since, as_of) = (since?, as_of.as_ref()?);
        let since = to_utc(since, zone.as_ref()).unwrap_or(since);
        (since.utc == as_of.utc).then(|| waiting::seconds(as_of.us - since.us))
    };
    let mut lines = Vec::new();
    for number in all.by_number.keys() {
        if !inside(all.timestamp(number)) {
            continue;
        }
        let mut line = line(&all, &sends, number);
        line.zone = zone.clone();
        if let Some(stage) = line.outstanding() {
            line.waits_since = match stage {
                0 => line.sealed_at,
                _ => line.steps[stage - 1].noticed_at,
            };
            line.waits_s = age_s(line.waits_since);
            line.waits_for = Some(STAGES[stage]);
            line.verdict = Some(waiting::verdict(line.waits_s, &norms[stage]));
        } else if line.is_sealed == Some(false) {
            line.waits_for = Some("seal");
        }
        lines.push(line);
    }
    let (gaps, pause_rules) = summary::gaps(
        &lines,
        as_of.as_ref(),
        options.window.is_some(),
        sends.notes_final_receipts(),
    );
    let mut report = BatchesReport {
        snapshot: tables.snapshot.clone(),
        waits: summary::waits(&lines),
        stands: summary::stands(&mut tables, &judge, &|number| line(&all, &sends, number))?,
        gaps,
        pause_rules,
        missing: summary::missing(&lines),
        resends: summary::resends(&lines, &all, &sends, zone.as_ref()),
        fees: summary::fees(&lines),
        count: lines.len(),
        left_out: 0,
        looked_at: None,
        as_of,
        database_zone: zone,
        batches: Vec::new(),
        warnings: Vec::new(),
        partial: tables.damage(),
    };
    summary::caveats(&mut tables, &lines, &sends);
    sends.warn_undated(&mut tables);
    if let Some(caveat) = tables.past.and_then(|past| past.caveat()) {
        tables.warn(caveat);
    }
    if let Some(limit) = options.limit {
        report.left_out = lines.len().saturating_sub(limit);
        lines.drain(..report.left_out);
    }
    report.looked_at = lines.is_empty().then(|| LookedAt {
        sources: tables.sources(),
        tables: tables.looked_at.iter().cloned().collect(),
        missing_kinds: tables.missing.iter().cloned().collect(),
        empty: tables.empty(),
    });
    report.batches = lines;
    report.warnings = std::mem::take(&mut tables.warnings);
    Ok(report)
}

fn line(all: &Batches, sends: &Sends, number: i64) -> BatchLine {
    let mut steps: [StepLine; 3] = std::array::from_fn(|stage| sends.step(all.link(number, stage)));
    for at in 0..steps.len() {
        // L1 takes a proof only after its commit, an execution only after its proof.
        let went_on = steps[at + 1..].iter().any(|step| step.noticed_at.is_some());
        if went_on && matches!(steps[at].state, Some("saved" | "signed_unsent" | "sent")) {
            steps[at].state = Some("confirmed_history_missing");
        }
    }
    let mut line = BatchLine {
        number,
        is_sealed: all.is_sealed(number),
        begun_s: all.timestamp(number),
        // Where an external node made the row, it says when the node caught up.
        sealed_at: all.sealed_at(number).filter(|_| !sends.is_copied()),
        refs: all.reference(number).into_iter().collect(),
        ..BatchLine::default()
    };
    for step in &mut steps {
        line.refs.extend(step.reference.take());
    }
    line.steps = steps;
    if let Some((rows, row)) = all.row(number) {
        line.l1_tx_count = rows.int(row, "l1_tx_count");
        line.l2_tx_count = rows.int(row, "l2_tx_count");
    }
    line
}
