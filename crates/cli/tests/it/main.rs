//! What the command prints, where, and how it exits.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests; skipping is said aloud"
)]

mod answers;
mod archives;
mod as_of;
mod bad_input;
mod copies;
mod documents;
mod dump_forms;
mod gaps;
mod grammar;
mod hashes;
mod hostile;
mod jobs;
mod killed;
mod lacking;
mod live;
mod live_database;
mod machine;
mod newest;
mod nodes;
mod readme;
mod rollup;
mod run;
mod schemas;
mod snapshots;
mod truth;
mod verbs;
