//! The case folder from outside.
#![allow(clippy::unwrap_used, reason = "tests")]

mod evidence;
mod growth;
mod hashes;
mod killed;
mod layout;
mod support;
mod tables;
mod writing;
