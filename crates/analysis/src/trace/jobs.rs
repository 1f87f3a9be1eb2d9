//! The prover and witness jobs of one batch: which of them stands between the batch and its proof.

use super::TraceError;
use super::rows::{Rows, Tables, i64_in};
use super::shape::BlockedBy;

/// A table of jobs; the rank says what must be done first.
struct Jobs {
    table: &'static str,
    /// In words.
    what: &'static str,
    /// The aggregation round, where the rows do not say.
    round: i64,
    /// Within a round, witnesses come before proofs.
    after_witness: bool,
}

const fn jobs(table: &'static str, what: &'static str, round: i64, after_witness: bool) -> Jobs {
    Jobs {
        table,
        what,
        round,
        after_witness,
    }
}

/// Later than every round.
const COMPRESSION: i64 = 9;

/// Tables of the old prover and of the FRI prover, in whichever database they are.
const TABLES: [Jobs; 13] = [
    jobs("witness_inputs", "witness job", 0, false),
    jobs(
        "leaf_aggregation_witness_jobs",
        "leaf witness job",
        1,
        false,
    ),
    jobs(
        "node_aggregation_witness_jobs",
        "node witness job",
        2,
        false,
    ),
    jobs("scheduler_witness_jobs", "scheduler witness job", 3, false),
    jobs("prover_jobs", "prover job", 0, true),
    jobs("witness_inputs_fri", "witness job", 0, false),
    jobs(
        "leaf_aggregation_witness_jobs_fri",
        "leaf witness job",
        1,
        false,
    ),
    jobs(
        "node_aggregation_witness_jobs_fri",
        "node witness job",
        2,
        false,
    ),
    jobs(
        "recursion_tip_witness_jobs_fri",
        "recursion tip witness job",
        3,
        false,
    ),
    jobs(
        "scheduler_witness_jobs_fri",
        "scheduler witness job",
        4,
        false,
    ),
    jobs("prover_jobs_fri", "prover job", 0, true),
    jobs(
        "proof_compression_jobs_fri",
        "compression job",
        COMPRESSION,
        false,
    ),
    // In the core database: what the gateway says of the whole batch.
    jobs(
        "proof_generation_details",
        "proof generation",
        COMPRESSION + 1,
        false,
    ),
];

const COLUMNS: [&str; 11] = [
    "id",
    "l1_batch_number",
    "status",
    "attempts",
    "error",
    "aggregation_round",
    "circuit_type",
    "circuit_id",
    "processing_started_at",
    "prover_taken_at",
    "updated_at",
];

/// Whether a job in this state needs nothing more.
fn is_done(status: &str) -> bool {
    matches!(
        status,
        "successful" | "sent_to_server" | "generated" | "skipped" | "ignored"
    )
}

/// Returns the job of `batch` that has to be done first of those that are not done; `None` if all are
/// done, or if the evidence has no jobs of this batch.
pub(super) fn first_undone(
    tables: &mut Tables<'_>,
    batch: i64,
) -> Result<Option<BlockedBy>, TraceError> {
    let mut first: Option<((i64, bool, i64), BlockedBy)> = None;
    for jobs in &TABLES {
        // Most databases have few of these tables: what is not there is not worth a warning.
        if !tables.has_column(jobs.table, "l1_batch_number")
            || !tables.has_column(jobs.table, "status")
        {
            continue;
        }
        let rows = tables.read(jobs.table, &COLUMNS, &i64_in("l1_batch_number", [batch]))?;
        let Some(rows) = rows else { continue };
        for row in 0..rows.len() {
            let status = rows.text(row, "status").unwrap_or_default();
            if is_done(&status) {
                continue;
            }
            let id = rows.int(row, "id");
            let round = rows.int(row, "aggregation_round").unwrap_or(jobs.round);
            let rank = (round, jobs.after_witness, id.unwrap_or(batch));
            if first.as_ref().is_some_and(|(known, _)| *known <= rank) {
                continue;
            }
            let blocker = BlockedBy {
                kind: "job".to_owned(),
                id: id.unwrap_or(batch),
                why: describe(&rows, row, jobs, batch, &status),
                refs: vec![rows.reference(row)],
            };
            first = Some((rank, blocker));
        }
    }
    Ok(first.map(|(_, blocker)| blocker))
}

fn describe(rows: &Rows, row: usize, jobs: &Jobs, batch: i64, status: &str) -> String {
    use std::fmt::Write as _;
    let mut why = jobs.what.to_owned();
    if let Some(id) = rows.int(row, "id") {
        let _ = write!(why, " {id}");
    }
    let _ = write!(why, " of batch {batch}");
    if jobs.after_witness
        && let Some(round) = rows.int(row, "aggregation_round")
    {
        let _ = write!(why, " (round {round})");
    }
    let _ = write!(why, " is {status}");
    let picked = rows
        .time(row, "processing_started_at")
        .or_else(|| rows.time(row, "prover_taken_at"));
    match (picked, status) {
        (_, "failed") => {}
        (Some(time), _) => {
            let _ = write!(why, " since {}", time.print());
        }
        (None, _) => {
            if let Some(time) = rows.time(row, "updated_at") {
                let _ = write!(why, ", last changed {}", time.print());
            }
        }
    }
    if let Some(attempts) = rows.int(row, "attempts") {
        let _ = write!(why, ", attempts {attempts}");
    }
    if let Some(error) = rows.text(row, "error").filter(|error| !error.is_empty()) {
        /// An error is a hint here; the whole of it is in the row.
        const SHOWN: usize = 80;
        let cut: String = error.chars().take(SHOWN).collect();
        let _ = write!(why, ", error: {cut}");
    }
    let _ = write!(why, "; without it batch {batch} has no proof");
    why
}
