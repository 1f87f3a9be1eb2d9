//! The rules of the chains as pure functions: networks and their genesis, slots and epochs, fork
//! digests, how Prysm combined roughtime answers, when a rollup tries a proof again, and what its
//! databases look like.
//!
//! Everything here is arithmetic over numbers that somebody published; each number names its
//! source. This crate must never know files, frames, logs or clients' ways of printing.
//!
//! Time is microseconds since 1970-01-01T00:00:00 UTC in an `i64`, slots and epochs are `i64`. Logs
//! hold absurd slots (`18446744073709551615` is printed for "far future"), so arithmetic saturates
//! and never panics.
//!
//! ```
//! let medalla = chain::Network::by_name("medalla").unwrap();
//! // 14 August 2020, 17:25 UTC, minutes before the skew began, is slot 73324 of epoch 2291.
//! let us = model::time::parse_utc("2020-08-14T17:25:00Z").unwrap();
//! assert_eq!(medalla.slot_at_us(us), 73_324);
//! assert_eq!(medalla.epoch_of(73_324), 2291);
//! ```

mod config;
mod network;
pub mod requeue;
pub mod rollup;
pub mod roughtime;
mod standstill;

pub use config::ConfigError;
pub use network::{Fork, Network, networks};
pub use standstill::mainnet_standstill;
