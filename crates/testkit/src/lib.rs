//! Golden comparison and incident simulators.
//!
//! This crate owns the made-up incidents under `samples/` (seeded generators of our own; no text of
//! real logs is copied into them) and what tests share: comparing with golden files, running the
//! program. The simulators know the truth of what they write, and say it in `expected/`.
//!
//! It must never use our own parsers: an expectation that came from the code under test proves
//! nothing. Only tests, the bench and `cargo run -p testkit --bin samples` use it.

mod golden;
pub mod medalla;
mod postgres_server;
mod program;
pub mod prysm;
mod rng;
mod sample;
pub mod zksync;

pub use golden::{check_golden, workspace_root};
pub use postgres_server::{PostgresServer, output_of};
pub use program::{Output, Program};
pub use rng::Rng;
pub use sample::{Sample, SampleFile, gunzip, gzip};
