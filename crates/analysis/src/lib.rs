//! Clocks, traces, gaps: what evidence means once it is in tables. Plain look-ups and frames over a
//! case or a dump, plus the rules of `chain`.
//!
//! This crate must never parse evidence, print, or speak SQL.

mod as_of;
pub mod batches;
pub mod clock;
pub mod diff;
pub mod frames;
pub mod jobs;
mod past;
mod rows;
mod sorted;
pub mod trace;
