//! Rows between [`Batch`] and Arrow.
