//! What lines mean: samples, framing, wrappers, the corpus.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::type_complexity,
    reason = "tests"
)]

mod corpus;
mod definitions;
mod framing;
mod linear;
mod samples;
mod seen;
mod wrappers;
