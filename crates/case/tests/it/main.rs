//! The case folder from outside.
#![allow(clippy::unwrap_used, reason = "tests")]

mod evidence;
mod growth;
mod layout;
mod support;
mod tables;
mod writing;
