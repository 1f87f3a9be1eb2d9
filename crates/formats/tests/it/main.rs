//! What lines mean: samples, framing, the corpus.
#![allow(clippy::unwrap_used, reason = "tests")]

mod samples;
