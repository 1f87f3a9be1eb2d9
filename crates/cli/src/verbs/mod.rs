//! One module per verb: what it takes, and `run`.

pub(crate) mod amend;
pub(crate) mod cache;
pub(crate) mod clock;
pub(crate) mod collect;
pub(crate) mod completions;
pub(crate) mod forget;
pub(crate) mod formats;
pub(crate) mod info;
pub(crate) mod ingest;
pub(crate) mod later;
pub(crate) mod man;
pub(crate) mod nodes;
pub(crate) mod parse;
pub(crate) mod queries;
pub(crate) mod query;
pub(crate) mod report;
pub(crate) mod seal;
pub(crate) mod search;
mod shared;
pub(crate) mod show;
pub(crate) mod sql;
pub(crate) mod tables;
pub(crate) mod timeline;
pub(crate) mod trace;
pub(crate) mod triage;
pub(crate) mod verify;
