//! The tests of the simulators.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod medalla;
mod postgres;
mod samples;
