//! `analysis::trace` over tables in memory and over the corpus.

mod corpus;
mod fates;
mod memory;
mod rules;
mod sample;
mod waits;
