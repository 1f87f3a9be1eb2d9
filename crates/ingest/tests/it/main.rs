//! The pipeline over the samples and the corpus.

mod cases;
mod parse;
