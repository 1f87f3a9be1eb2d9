//! Integration tests of `dumps`, one binary.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod announced;
mod archives;
mod common;
mod corpus;
mod delimited;
mod documents;
mod encodings;
mod forged;
mod formats;
mod hostile;
mod live;
mod parts;
mod postgres;
mod psql;
mod random;
mod text_format;
mod tls;
mod wide;
