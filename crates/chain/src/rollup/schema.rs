//! Which release of zkSync Era a database schema belongs to.
//!
//! `_sqlx_migrations` says it best: its newest version was applied by some build. Where that table is
//! missing (a dump of a few tables, a paste) columns say it: each came or went with a migration. A column that
//! is there bounds the schema from below; one that is not bounds it from above only where the table is whole.

use std::fmt;

/// A table of a database schema.
#[derive(Clone, Debug)]
pub struct SchemaTable<'a> {
    /// Name.
    pub name: &'a str,
    /// Columns.
    pub columns: Vec<&'a str>,
    /// Whether these are all columns of the table: a pasted query result may hold some.
    pub whole: bool,
}

impl SchemaTable<'_> {
    fn has(&self, column: &str) -> bool {
        self.columns.contains(&column)
    }
}

/// What a schema is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaReading {
    /// `zkSync Era core`, `zkSync Era core and prover`, `zkSync Era prover`, `zkSync block explorer`.
    pub software: &'static str,
    /// `_sqlx_migrations` or `columns`.
    pub basis: &'static str,
    /// The oldest release that can have it.
    pub at_least: Option<&'static str>,
    /// The oldest release that is too new for it.
    pub before: Option<&'static str>,
    /// What a reader should know of this schema.
    pub notes: Vec<String>,
    /// When the newest thing in it was written, `YYYY-MM-DD`.
    since: Option<String>,
    /// When the oldest thing that it lacks was written.
    until: Option<String>,
}

/// One line for people.
impl fmt::Display for SchemaReading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.software)?;
        match (&self.since, &self.until) {
            (Some(since), None) => write!(f, ", schema of {since}")?,
            (Some(since), Some(until)) => write!(f, ", schema of {since} to {until}")?,
            (None, Some(until)) => write!(f, ", schema of before {until}")?,
            (None, None) => {}
        }
        match (self.at_least, self.before) {
            (Some(least), Some(before)) => write!(f, ": {least} or newer, older than {before}")?,
            (Some(least), None) => write!(f, ": {least} or newer")?,
            (None, Some(before)) => write!(f, ": older than {before}")?,
            (None, None) => {}
        }
        write!(f, " (by {})", self.basis)
    }
}

/// Migrations of the core database that a release is known to have brought: version, release.
const RELEASES: [(&str, &str); 3] = [
    // remove_old_prover_subsystems
    ("20240103125908", "core-v19.0.0 (2024-01)"),
    // drop_prover_tables
    ("20240315083954", "core-v22.1.0 (2024-03)"),
    // unsealed_batches: is_finished became is_sealed
    ("20240910112120", "core-v24.29.0"),
];

/// Columns and the migration that brought them, of the core database and of the prover's.
const CAME: [(&str, &str, &str); 26] = [
    // Its migration says 20230807152355, but came to the public code only then.
    ("miniblocks", "virtual_blocks", "20230921"),
    ("l1_batches", "system_logs", "20231018205126"),
    ("l1_batches", "storage_refunds", "20231019125310"),
    ("miniblocks", "fee_account_address", "20231212"),
    ("miniblocks", "fair_pubdata_price", "20231229"),
    ("eth_txs", "from_addr", "20240221"),
    ("eth_txs", "blob_sidecar", "20240228"),
    ("eth_txs_history", "blob_base_fee_per_gas", "20240228"),
    ("miniblocks", "gas_limit", "20240401"),
    ("eth_txs", "is_gateway", "20240803"),
    ("miniblocks", "logs_bloom", "20240809"),
    ("eth_txs", "chain_id", "20240819"),
    ("l1_batches", "is_sealed", "20240910112120"),
    ("miniblocks", "evm_emulator_code_hash", "20240911"),
    ("miniblocks", "pubdata_type", "20240925"),
    ("l1_batches", "sealed_at", "20241108"),
    ("eth_txs_history", "max_gas_per_pubdata", "20250331"),
    ("eth_txs_history", "sent_successfully", "20250418"),
    ("miniblocks", "eth_precommit_tx_id", "20250514"),
    ("eth_txs_history", "finality_status", "20250521"),
    ("l1_batches", "interop_fee", "20250904"),
    ("prover_jobs_fri", "picked_by", "20230918134637"),
    ("prover_jobs_fri", "protocol_version_patch", "20240524"),
    ("prover_jobs_fri", "priority", "20250131"),
    ("prover_jobs_fri", "batch_sealed_at", "20250327"),
    ("prover_jobs_fri", "chain_id", "20250422100904"),
];

/// Columns that went, and with which migration.
const WENT: [(&str, &str, &str); 4] = [
    ("l1_batches", "fee_account_address", "20240409"),
    ("l1_batches", "parent_hash", "20240410"),
    ("l1_batches", "is_finished", "20240910112120"),
    ("prover_jobs_fri", "is_blob_cleaned", "20240722"),
];
/// When the prover jobs of before FRI proofs went, and all tables around them.
const OLD_PROVER_WENT: &str = "20240103125908";

/// All columns that any release gave to a table, for the tables that a trace rests on.
const KNOWN: [(&str, &[&str]); 3] = [
    (
        "l2_to_l1_logs",
        &[
            "miniblock_number",
            "log_index_in_miniblock",
            "log_index_in_tx",
            "tx_hash",
            "shard_id",
            "is_service",
            "tx_index_in_miniblock",
            "tx_index_in_l1_batch",
            "sender",
            "key",
            "value",
            "created_at",
            "updated_at",
        ],
    ),
    (
        "eth_txs",
        &[
            "id",
            "nonce",
            "raw_tx",
            "contract_address",
            "tx_type",
            "gas_used",
            "created_at",
            "updated_at",
            "has_failed",
            "sent_at_block",
            "confirmed_eth_tx_history_id",
            "predicted_gas_cost",
            "from_addr",
            "blob_sidecar",
            "is_gateway",
            "chain_id",
            "status",
        ],
    ),
    (
        "eth_txs_history",
        &[
            "id",
            "eth_tx_id",
            "tx_hash",
            "created_at",
            "updated_at",
            "base_fee_per_gas",
            "priority_fee_per_gas",
            "confirmed_at",
            "signed_raw_tx",
            "sent_at_block",
            "sent_at",
            "blob_base_fee_per_gas",
            "max_gas_per_pubdata",
            "predicted_gas_limit",
            "sent_successfully",
            "finality_status",
        ],
    ),
];

const CORE: [&str; 5] = [
    "miniblocks",
    "l1_batches",
    "eth_txs",
    "eth_txs_history",
    "l2_to_l1_logs",
];
const PROVER: [&str; 3] = ["prover_jobs", "prover_jobs_fri", "witness_inputs_fri"];

/// Says what a schema is; `None` if it is none of zkSync's. `migration` is the newest version of
/// `_sqlx_migrations`.
///
/// ```
/// use chain::rollup::{SchemaTable, read_schema};
/// let table = SchemaTable { name: "eth_txs", columns: vec!["id", "tx_status"], whole: true };
/// let reading = read_schema(Some("20230817101508"), &[table]).unwrap();
/// assert_eq!(
///     reading.to_string(),
///     "zkSync Era core, schema of 2023-08-17: older than core-v19.0.0 (2024-01) (by _sqlx_migrations)"
/// );
/// assert_eq!(reading.notes, ["column eth_txs.tx_status is of no release: this is a fork's database"]);
/// ```
pub fn read_schema(migration: Option<&str>, tables: &[SchemaTable<'_>]) -> Option<SchemaReading> {
    let find = |name: &str| tables.iter().find(|table| table.name == name);
    let any = |names: &[&str]| names.iter().any(|name| find(name).is_some());
    let software = match (any(&CORE), any(&PROVER)) {
        (true, true) => "zkSync Era core and prover",
        (true, false) => "zkSync Era core",
        (false, true) => "zkSync Era prover",
        (false, false) if find("batches").is_some_and(|table| table.has("commitTxHash")) => {
            "zkSync block explorer"
        }
        (false, false) => {
            // Before August 2022 both miniblocks and batches were one table.
            find("blocks").filter(|table| table.has("eth_commit_tx_id"))?;
            "zkSync Era core"
        }
    };
    let mut reading = SchemaReading {
        software,
        basis: "columns",
        at_least: None,
        before: None,
        notes: Vec::new(),
        since: None,
        until: None,
    };
    let migration = migration.filter(|version| key(version).is_some());
    // Prover databases have migrations of their own, whose releases nobody wrote down.
    let core = any(&CORE);
    match migration {
        Some(version) => {
            reading.basis = "_sqlx_migrations";
            reading.since = date(version);
            if core {
                reading.releases(key(version), key(version));
            }
        }
        None => reading.by_columns(tables, core),
    }
    if !core && software == "zkSync Era core" {
        reading.until = Some("2022-08".to_owned());
    }
    reading.remark(migration, tables);
    Some(reading)
}

impl SchemaReading {
    /// Names the releases of a schema that is at least `least` and, if known, older than what comes
    /// after `most`.
    fn releases(&mut self, least: Option<u64>, most: Option<u64>) {
        let released = |version: &str| key(version).unwrap_or(u64::MAX);
        if let Some(least) = least {
            let mut older = RELEASES.iter().rev();
            self.at_least = older
                .find(|(version, _)| released(version) <= least)
                .map(|(_, release)| *release);
        }
        if let Some(most) = most {
            let mut newer = RELEASES.iter();
            self.before = newer
                .find(|(version, _)| released(version) > most)
                .map(|(_, release)| *release);
        }
    }

    fn by_columns(&mut self, tables: &[SchemaTable<'_>], core: bool) {
        let mut since: Option<&'static str> = None;
        let old = tables.iter().any(|table| table.name == "prover_jobs");
        let mut until = old.then_some(OLD_PROVER_WENT);
        let marks = CAME
            .iter()
            .map(|mark| (mark, true))
            .chain(WENT.iter().map(|mark| (mark, false)));
        for ((table, column, version), came) in marks {
            let Some(table) = tables.iter().find(|found| found.name == *table) else {
                continue;
            };
            let there = table.has(column);
            if !there && !table.whole {
                continue;
            }
            if there == came {
                since = since.max(Some(*version));
            } else if until.is_none_or(|until| *version < until) {
                until = Some(*version);
            }
        }
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            self.notes.push(format!(
                "its columns belong to different times (some of {since} and later, others of before {until}): \
                 a fork's, or a dump of two schemas"
            ));
            return;
        }
        self.since = since.and_then(date);
        self.until = until.and_then(date);
        if core || old {
            self.releases(
                since.and_then(key),
                until.and_then(key).map(|until| until - 1),
            );
        }
    }

    /// Adds what a reader should know.
    fn remark(&mut self, migration: Option<&str>, tables: &[SchemaTable<'_>]) {
        let find = |name: &str| tables.iter().find(|table| table.name == name);
        for (name, known) in KNOWN {
            let Some(table) = find(name) else { continue };
            for column in &table.columns {
                if !known.contains(column) {
                    self.notes.push(format!(
                        "column {name}.{column} is of no release: this is a fork's database"
                    ));
                }
            }
        }
        if find("blocks").is_some()
            && find("miniblocks").is_none()
            && self.software != "zkSync block explorer"
        {
            self.notes.push(
                "table blocks stands for miniblocks and l1_batches: a database from before August 2022"
                    .to_owned(),
            );
        }
        let version = migration.and_then(key);
        // Between the prover's own first migration and the one that dropped the core's copies.
        let between = version
            .is_some_and(|version| (20_240_131_134_938..20_240_315_083_954).contains(&version));
        if between && find("l1_batches").is_some() && find("prover_jobs_fri").is_some() {
            self.notes.push(
                "from February to March 2024 both the core and the prover database have prover tables: \
                 which of them the provers used is not in this schema"
                    .to_owned(),
            );
        }
    }
}

/// Returns a version as a number of 14 digits. Versions are `YYYYMMDDhhmmss`; one of zkSync Era's has a
/// digit too many (202601016134308).
fn key(version: &str) -> Option<u64> {
    if version.len() < 8 || !version.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    format!("{:0<14.14}", version).parse().ok()
}

fn date(version: &str) -> Option<String> {
    key(version)?;
    Some(format!(
        "{}-{}-{}",
        &version[..4],
        &version[4..6],
        &version[6..8]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table<'a>(name: &'a str, columns: &[&'a str]) -> SchemaTable<'a> {
        SchemaTable {
            name,
            columns: columns.to_vec(),
            whole: true,
        }
    }

    #[track_caller]
    fn check(migration: Option<&str>, tables: &[SchemaTable<'_>], expected: &str) {
        let reading = read_schema(migration, tables);
        let said = reading.map_or("nothing".to_owned(), |reading| {
            let notes = reading.notes.iter().map(|note| format!("; {note}"));
            format!("{reading}{}", notes.collect::<String>())
        });
        assert_eq!(said, expected);
    }

    #[test]
    fn migrations_name_the_release() {
        let core = [table("l1_batches", &[])];
        check(
            Some("20240103125908"),
            &core,
            "zkSync Era core, schema of 2024-01-03: core-v19.0.0 (2024-01) or newer, older than core-v22.1.0 (2024-03) (by _sqlx_migrations)",
        );
        // One digit too many: January 2026, not the year 20260.
        check(
            Some("202601016134308"),
            &core,
            "zkSync Era core, schema of 2026-01-01: core-v24.29.0 or newer (by _sqlx_migrations)",
        );
        check(
            Some("20250717135127"),
            &[table("prover_jobs_fri", &[])],
            "zkSync Era prover, schema of 2025-07-17 (by _sqlx_migrations)",
        );
        check(Some("20250717135127"), &[table("users", &[])], "nothing");
        check(
            Some("not a version"),
            &[table("miniblocks", &["number"])],
            "zkSync Era core, schema of before 2023-09-21: older than core-v19.0.0 (2024-01) (by columns)",
        );
        let both = [table("l1_batches", &[]), table("prover_jobs_fri", &[])];
        check(
            Some("20240226120310"),
            &both,
            "zkSync Era core and prover, schema of 2024-02-26: core-v19.0.0 (2024-01) or newer, older than core-v22.1.0 (2024-03) (by _sqlx_migrations); \
             from February to March 2024 both the core and the prover database have prover tables: which of them the provers used is not in this schema",
        );
    }

    #[test]
    fn columns_bound_it_where_there_are_no_migrations() {
        let txs = ["id", "from_addr", "blob_sidecar"];
        check(
            None,
            &[table("eth_txs", &txs)],
            "zkSync Era core, schema of 2024-02-28 to 2024-08-03: core-v19.0.0 (2024-01) or newer, older than core-v24.29.0 (by columns)",
        );
        // A paste may have left the other columns out.
        let pasted = SchemaTable {
            whole: false,
            ..table("eth_txs", &txs)
        };
        check(
            None,
            &[pasted],
            "zkSync Era core, schema of 2024-02-28: core-v19.0.0 (2024-01) or newer (by columns)",
        );
        check(
            None,
            &[table("l1_batches", &["is_finished", "sealed_at"])],
            "zkSync Era core (by columns); its columns belong to different times (some of 20241108 and later, others of before 20231018205126): \
             a fork's, or a dump of two schemas",
        );
        check(
            None,
            &[table("blocks", &["number", "eth_commit_tx_id"])],
            "zkSync Era core, schema of before 2022-08 (by columns); table blocks stands for miniblocks and l1_batches: a database from before August 2022",
        );
        check(
            None,
            &[
                table("batches", &["number", "commitTxHash"]),
                table("blocks", &[]),
            ],
            "zkSync block explorer (by columns)",
        );
    }
}
