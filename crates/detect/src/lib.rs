//! Detectors, findings, witnesses, claims.
