//! The tables of jobs in every schema, and what of them is read.

use chain::requeue::Queue;

/// A proof system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    /// Plonk, to January 2024.
    Old,
    /// FRI with a compression at the end.
    Fri,
}

impl System {
    pub(super) fn name(self) -> &'static str {
        match self {
            System::Old => "old",
            System::Fri => "fri",
        }
    }
}

/// What a table's jobs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Makes proofs; the round is a column.
    Prover,
    /// Makes the input of a round's proofs.
    Witness(Round),
    /// Wraps the final proof for L1.
    Compression,
    /// The server's own list.
    Gateway,
}

/// A round of aggregation. The number of the scheduler's depends on the version: 3, or 4 since the
/// recursion tip of April 2024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    Basic,
    Leaf,
    Node,
    RecursionTip,
    Scheduler,
}

/// A table of jobs.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) queue: Queue,
    pub(super) system: System,
    pub(super) part: Part,
}

const fn spec(name: &'static str, queue: Queue, system: System, part: Part) -> Spec {
    Spec {
        name,
        queue,
        system,
        part,
    }
}

/// All of them, in the order of work.
pub(super) const SPECS: [Spec; 13] = [
    spec(
        "witness_inputs",
        Queue::OldWitness,
        System::Old,
        Part::Witness(Round::Basic),
    ),
    spec(
        "leaf_aggregation_witness_jobs",
        Queue::OldWitness,
        System::Old,
        Part::Witness(Round::Leaf),
    ),
    spec(
        "node_aggregation_witness_jobs",
        Queue::OldWitness,
        System::Old,
        Part::Witness(Round::Node),
    ),
    spec(
        "scheduler_witness_jobs",
        Queue::OldWitness,
        System::Old,
        Part::Witness(Round::Scheduler),
    ),
    spec("prover_jobs", Queue::OldProver, System::Old, Part::Prover),
    spec(
        "proof_generation_details",
        Queue::Gateway,
        System::Fri,
        Part::Gateway,
    ),
    spec(
        "witness_inputs_fri",
        Queue::FriWitness,
        System::Fri,
        Part::Witness(Round::Basic),
    ),
    spec(
        "leaf_aggregation_witness_jobs_fri",
        Queue::FriWitness,
        System::Fri,
        Part::Witness(Round::Leaf),
    ),
    spec(
        "node_aggregation_witness_jobs_fri",
        Queue::FriWitness,
        System::Fri,
        Part::Witness(Round::Node),
    ),
    spec(
        "recursion_tip_witness_jobs_fri",
        Queue::FriWitness,
        System::Fri,
        Part::Witness(Round::RecursionTip),
    ),
    spec(
        "scheduler_witness_jobs_fri",
        Queue::FriWitness,
        System::Fri,
        Part::Witness(Round::Scheduler),
    ),
    spec(
        "prover_jobs_fri",
        Queue::FriProver,
        System::Fri,
        Part::Prover,
    ),
    spec(
        "proof_compression_jobs_fri",
        Queue::Compression,
        System::Fri,
        Part::Compression,
    ),
];

/// Whether a table holds jobs.
pub fn is_job_table(name: &str) -> bool {
    job_tables().any(|table| table == name)
}

/// The tables of jobs in every schema, in the order of work.
pub(crate) fn job_tables() -> impl Iterator<Item = &'static str> {
    SPECS.iter().map(|spec| spec.name)
}

/// Columns that are read where they exist; the rest (inputs, results) may be megabytes.
pub(super) const COLUMNS: [&str; 23] = [
    "id",
    "l1_batch_number",
    "chain_id",
    "status",
    "attempts",
    "aggregation_round",
    "circuit_type",
    "circuit_id",
    "depth",
    "is_node_final_proof",
    "sequence_number",
    "protocol_version",
    "error",
    "processing_started_at",
    "prover_taken_at",
    "created_at",
    "updated_at",
    "number_of_basic_circuits",
    "number_of_leaf_circuits",
    "number_of_dependent_jobs",
    "number_of_final_node_jobs",
    "picked_by",
    "proccesed_by",
];

/// Columns and tables that show which migrations were applied: (table, column; none: the table alone,
/// migration).
pub(super) const MARKS: [(&str, Option<&str>, u64); 9] = [
    ("proof_compression_jobs_fri", None, 20230906090541),
    ("prover_fri_protocol_versions", None, 20230831110448),
    ("prover_jobs_fri", Some("picked_by"), 20230918134637),
    ("witness_inputs_fri", Some("picked_by"), 20230918134637),
    ("recursion_tip_witness_jobs_fri", None, 20240419102606),
    (
        "prover_jobs_fri",
        Some("protocol_version_patch"),
        20240524123522,
    ),
    ("prover_jobs_fri", Some("priority"), 20250131131243),
    ("prover_jobs_fri", Some("batch_sealed_at"), 20250327120515),
    ("prover_jobs_fri", Some("chain_id"), 20250422100904),
];
