//! Integration tests of the query crate, one binary: each links the engine.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod case;
mod corpus;
mod engine;
mod fixture;
mod golden;
mod header;
mod oracle;
mod semantics;
