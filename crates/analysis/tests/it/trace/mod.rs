//! `analysis::trace` over tables in memory and over the corpus.

mod corpus;
mod memory;
mod rules;
mod sample;
