//! `analysis::trace` over tables in memory and over the corpus.

mod answers;
pub(crate) mod corpus;
mod fates;
mod lacking;
pub(crate) mod memory;
mod rules;
mod sample;
pub(crate) mod waits;
