//! Integration tests of `dumps`, one binary.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
mod corpus;
mod hostile;
mod postgres;
