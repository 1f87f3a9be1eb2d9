//! The pipeline that drives evidence into a case.

pub mod solve;
