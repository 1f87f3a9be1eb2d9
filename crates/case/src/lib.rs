//! The case folder: manifest, segments, commits, locks, verification.
