//! The façade: open a case, ask it.
