//! Finding records by what they say: the search language, and a scan that answers it.
//!
//! A case is scanned today; a full-text index and a hash table will answer the same language with the same hits
//! where they win. So the language says exactly what a word is (see [`Search`]).
//!
//! This crate must never parse evidence, print, or know an analysis.

mod language;
mod matcher;
mod scan;

pub use language::{Search, SearchSyntaxError};
pub use scan::{Filter, Found, Hit, SearchError, search};
