//! Integration tests of the query crate, one binary: each links the engine.
#![allow(clippy::unwrap_used, reason = "tests")]

mod engine;
