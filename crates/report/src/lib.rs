//! Answers for eyes and machines.
