//! The rules of the chains as pure functions.
