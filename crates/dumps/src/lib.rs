//! Database evidence as typed rows.
