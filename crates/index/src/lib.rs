//! Finding records by what they say: the search language, and what answers it.
//!
//! A case is scanned; a search for a hash is answered by the case's hash table with the same hits, and a full-text
//! index will answer where it wins. So the language says exactly what a word is (see [`Search`]).
//!
//! This crate must never parse evidence, print, or know an analysis.

mod hashes;
mod language;
mod matcher;
mod scan;

pub use language::{Search, SearchSyntaxError};
pub use scan::{Filter, Found, Hit, SearchError, Unsearched, search};
