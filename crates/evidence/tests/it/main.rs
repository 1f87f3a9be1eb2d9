//! The tests of the bytes room.
#![allow(clippy::unwrap_used, reason = "tests")]

mod archives;
mod blocks;
mod reader;
mod utf16;
mod walk;
