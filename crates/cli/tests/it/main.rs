//! What the command prints, where, and how it exits.
#![allow(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod grammar;
mod hostile;
mod run;
mod schemas;
mod verbs;
