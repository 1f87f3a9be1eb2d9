//! Integration tests of `analysis`.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod batches;
mod clock;
mod diff;
mod frames;
mod jobs;
mod past;
mod trace;
