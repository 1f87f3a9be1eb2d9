//! The pipeline over the samples and the corpus.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(
    clippy::cloned_ref_to_slice_refs,
    reason = "a list of paths reads as one"
)]

mod cases;
mod copies;
mod hashes;
mod itself;
mod machine;
mod parse;
mod rotated;
mod times;
