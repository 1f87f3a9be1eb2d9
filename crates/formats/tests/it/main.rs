//! What lines mean: samples, framing, wrappers, the corpus.
#![allow(clippy::unwrap_used, reason = "tests")]

mod corpus;
mod definitions;
mod framing;
mod linear;
mod samples;
mod seen;
mod wrappers;
