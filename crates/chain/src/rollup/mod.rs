//! What is true of zkSync Era's databases whatever a dump of one holds: which release a schema belongs
//! to, and in which zone its clock wrote.
//!
//! Numbers and dates come from the migrations of matter-labs/zksync-era (`core/lib/dal/migrations`,
//! `prover/crates/lib/prover_dal/migrations`) and the releases that shipped them.

mod schema;
mod zone;
mod zone_pairs;

pub use schema::{SchemaReading, SchemaTable, read_schema};
pub use zone::{ZoneReading, ZoneWitnesses};
pub use zone_pairs::ZonePairs;
