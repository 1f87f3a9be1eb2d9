//! The pipeline that drives evidence into a case.
