//! The tests of the bytes room.
#![allow(clippy::unwrap_used, reason = "tests")]

mod blocks;
mod reader;
mod walk;
