//! The tests of the bytes room.
#![allow(clippy::unwrap_used, reason = "tests")]

mod archives;
mod blocks;
mod lz4;
mod packed;
mod reader;
mod seven;
mod sparse;
mod utf16;
mod walk;
