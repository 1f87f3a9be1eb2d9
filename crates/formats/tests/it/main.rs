//! What lines mean: samples, framing, wrappers, the corpus.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "tests"
)]

mod corpus;
mod definitions;
mod documents;
mod framing;
mod journal;
mod linear;
mod log4j;
mod programs;
mod samples;
mod seen;
mod wrappers;
