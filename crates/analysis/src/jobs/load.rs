//! The tables as they are, brought to one form: rows of jobs, the time that is looked at, and the rules the
//! schema allows.

use super::table::{COLUMNS, MARKS, Part, SPECS, Spec, System};
use super::{JobsError, JobsOptions};
use crate::as_of::{self, Known, Told, dated, newest_of};
use crate::past::{Past, earlier};
use crate::rows::{DbTime, Rows, i64_in};
use crate::trace::{AsOf, Zone, creations, to_utc, zone};
use chain::requeue::{Rule, SchemaAge, Status};
use model::{RowFilter, TableError, TableInfo, TableSource};
use std::collections::{BTreeMap, BTreeSet};

/// A proof system's batch: the chain (0 where the table has no such column) and the batch's number.
pub(super) type BatchKey = (i64, i64);

/// A value that the evidence may lack altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// There is no such column.
    Absent,
    /// NULL or a value.
    Known(Option<i64>),
}

/// A row of a table of jobs; times are comparable microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct JobRow {
    pub(super) row: usize,
    pub(super) id: Option<i64>,
    pub(super) batch: Option<i64>,
    pub(super) chain: Option<i64>,
    pub(super) round: Option<i64>,
    pub(super) status: Status,
    pub(super) attempts: Option<i64>,
    pub(super) started: Cell,
    pub(super) created: Option<i64>,
    pub(super) updated: Option<i64>,
    /// The row holds no status: it has changed since the moment looked at.
    pub(super) status_is_unknown: bool,
}

impl JobRow {
    pub(super) fn key(&self) -> Option<BatchKey> {
        Some((self.chain.unwrap_or(0), self.batch?))
    }
}

/// A table of jobs.
pub(super) struct Table {
    pub(super) spec: &'static Spec,
    pub(super) info: TableInfo,
    pub(super) rows: Rows,
    pub(super) jobs: Vec<JobRow>,
    pub(super) rules: Vec<Rule>,
    pub(super) rule_basis: &'static str,
}

impl Table {
    /// The time column that says when a job was taken.
    pub(super) fn start_column(&self) -> &'static str {
        match self.spec.part {
            Part::Gateway => "prover_taken_at",
            _ => "processing_started_at",
        }
    }
}

/// All that answers rest on.
pub(super) struct Loaded {
    pub(super) tables: Vec<Table>,
    pub(super) as_of: Option<AsOf>,
    /// The same in comparable microseconds.
    pub(super) now_us: Option<i64>,
    pub(super) zone: Option<Zone>,
    /// Batches whose proof is known to be there without a row of the final round's job.
    pub(super) proven: BTreeMap<System, BTreeSet<BatchKey>>,
    /// Batches that nobody means to prove.
    pub(super) skipped: BTreeSet<(System, i64)>,
    /// Number of the FRI scheduler's round.
    pub(super) fri_final_round: i64,
    pub(super) warnings: Vec<String>,
    pub(super) missing: Vec<String>,
    pub(super) sources: usize,
    pub(super) partial: Vec<String>,
    /// The tables were taken back to an earlier moment.
    pub(super) is_past: bool,
}

/// One batch alone, at a moment that is known.
#[derive(Clone, Copy)]
pub(super) struct Only<'a> {
    pub(super) batch: i64,
    pub(super) as_of: Option<&'a AsOf>,
}

impl Loaded {
    /// Reads all jobs, or those of one batch.
    pub(super) fn read(
        source: &dyn TableSource,
        options: &JobsOptions,
        only: Option<Only<'_>>,
    ) -> Result<Loaded, JobsError> {
        let past = past(source, options)?;
        let source: &dyn TableSource = match &past {
            Some(past) => past,
            None => source,
        };
        let mut infos = source.tables();
        let mut warnings = model::leave_public(&mut infos, |name| name.contains("_jobs"));
        let mut found: Vec<(&'static Spec, TableInfo)> = Vec::new();
        let mut missing = Vec::new();
        for spec in &SPECS {
            match one(&infos, spec.name)? {
                Some(info) => {
                    info.require_names()?;
                    found.push((spec, info.clone()));
                }
                None => missing.push(spec.name.to_owned()),
            }
        }
        if found.is_empty() {
            let known: BTreeSet<&str> = infos.iter().map(|info| info.name.as_str()).collect();
            let known = match known.len() {
                0 => "none".to_owned(),
                _ => known.into_iter().collect::<Vec<_>>().join(", "),
            };
            return Err(JobsError::NoTables { known });
        }
        // What is missing matters only in the systems that are there.
        missing.retain(|name| {
            let of = |name: &str| SPECS.iter().find(|spec| spec.name == name);
            found
                .iter()
                .any(|(there, _)| of(name).is_some_and(|spec| spec.system == there.system))
        });
        let home = &found[0].1.snapshot;
        let batches = near(&infos, "l1_batches", home)
            .map(|info| {
                let columns = [
                    "number",
                    "timestamp",
                    "created_at",
                    "updated_at",
                    "eth_prove_tx_id",
                    "skip_proof",
                ];
                read(source, &infos, info, &columns, &RowFilter::All)
            })
            .transpose()?;
        let zone = match &options.zone {
            None if only.is_none() => zone_of(source, batches.as_ref())?,
            zone => zone.clone(),
        };
        let mut known = Known::new();
        let mut migrations = BTreeMap::new();
        let mut tables = Vec::new();
        for (spec, info) in found {
            let by_batch = info
                .columns
                .iter()
                .any(|(name, _)| name == "l1_batch_number");
            let filter = match only.map(|only| only.batch).filter(|_| by_batch) {
                Some(batch) => i64_in("l1_batch_number", [batch]),
                None => RowFilter::All,
            };
            let rows = read(source, &infos, &info, &COLUMNS, &filter)?;
            if filter == RowFilter::All {
                let newest = newest_of(&rows, dated(&info.name));
                known.insert(info.name.clone(), newest);
            }
            let (rules, rule_basis) = rules(source, &infos, &info, spec, &mut migrations)?;
            let jobs = job_rows(spec, &rows, zone.as_ref());
            tables.push(Table {
                spec,
                info,
                rows,
                jobs,
                rules,
                rule_basis,
            });
        }
        let told = Told {
            given_us: options.as_of_us,
            dumped_at_us: options.dumped_at_us,
            dumped_local_us: options.dumped_local_us,
            zone: zone.as_ref(),
        };
        let as_of = match only {
            Some(only) => only.as_of.cloned(),
            None => {
                let snapshots = tables.iter().map(|table| table.info.snapshot.clone());
                let snapshots: BTreeSet<String> = snapshots.collect();
                let (as_of, warning) = as_of::as_of(source, &infos, &snapshots, &known, told)?;
                warnings.extend(warning);
                as_of
            }
        };
        if let Some(as_of) = &as_of
            && zone.is_none()
            && as_of.utc
            && known.values().flatten().any(|newest| !newest.utc)
        {
            warnings.push(
                "the zone of the database's times is unknown: the time looked at is compared with them as if they were UTC"
                    .to_owned(),
            );
        }
        let fri_final_round = final_round(&infos, &tables);
        let mut loaded = Loaded {
            now_us: as_of.as_ref().map(|as_of| as_of.us),
            tables,
            as_of,
            zone,
            proven: BTreeMap::new(),
            skipped: BTreeSet::new(),
            fri_final_round,
            warnings,
            missing,
            sources: infos
                .iter()
                .map(|info| info.source.as_str())
                .collect::<BTreeSet<_>>()
                .len(),
            partial: Vec::new(),
            is_past: false,
        };
        if let Some(rows) = &batches {
            loaded.take_batches(rows);
        }
        loaded.take_gateway();
        loaded.take_archive(source, &infos)?;
        loaded.partial = source.damage();
        loaded.warn_of_odd_evidence(&infos);
        loaded.is_past = past.is_some();
        let caveat = past.and_then(|past| past.caveat());
        loaded.warnings.extend(caveat.map(|caveat| {
            format!("{caveat}; a row of jobs holds its last change alone, what it was before that is undetermined")
        }));
        Ok(loaded)
    }

    /// The server links a batch's prove transaction only once the proof is there. `skip_proof` and the
    /// gateway's `skipped` say that nobody means to prove a batch.
    fn take_batches(&mut self, rows: &Rows) {
        for row in 0..rows.len() {
            let Some(number) = rows.int(row, "number") else {
                continue;
            };
            if rows.int(row, "eth_prove_tx_id").is_some() {
                for system in [System::Old, System::Fri] {
                    self.proven.entry(system).or_default().insert((0, number));
                }
            }
            if rows.bool(row, "skip_proof") == Some(true) {
                self.skipped.insert((System::Old, number));
                self.skipped.insert((System::Fri, number));
            }
        }
    }

    fn take_gateway(&mut self) {
        let gateway = self.tables.iter().filter(|t| t.spec.part == Part::Gateway);
        for table in gateway {
            for job in &table.jobs {
                let Some(batch) = job.batch else { continue };
                match table.rows.str(job.row, "status") {
                    Some("generated") => {
                        let proven = self.proven.entry(table.spec.system).or_default();
                        proven.insert((0, batch));
                    }
                    Some("skipped") => {
                        self.skipped.insert((table.spec.system, batch));
                    }
                    _ => {}
                }
            }
        }
    }

    /// Since 2024 finished prover jobs move to an archive: of those only final proofs matter here.
    fn take_archive(
        &mut self,
        source: &dyn TableSource,
        infos: &[TableInfo],
    ) -> Result<(), JobsError> {
        let Some(info) = one(infos, "prover_jobs_fri_archive")? else {
            return Ok(());
        };
        let has = |name: &str| info.columns.iter().any(|(column, _)| column == name);
        if !has("aggregation_round") || !has("l1_batch_number") {
            return Ok(());
        }
        let filter = i64_in("aggregation_round", [self.fri_final_round]);
        let rows = read(
            source,
            infos,
            info,
            &["l1_batch_number", "chain_id", "status", "aggregation_round"],
            &filter,
        )?;
        let proven = self.proven.entry(System::Fri).or_default();
        for row in 0..rows.len() {
            let status = rows.text(row, "status").unwrap_or_default();
            if let Some(batch) = rows.int(row, "l1_batch_number")
                && is_proof(&status)
            {
                proven.insert((rows.int(row, "chain_id").unwrap_or(0), batch));
            }
        }
        Ok(())
    }

    fn warn_of_odd_evidence(&mut self, infos: &[TableInfo]) {
        for table in &self.tables {
            if table.info.types_inferred {
                self.warnings.push(format!(
                    "{} comes without CREATE TABLE: a pasted or exported part, so a lower batch or another job may be missing",
                    table.info.name
                ));
            }
        }
        let foreign = infos.iter().any(|info| {
            info.name == "eth_txs" && info.columns.iter().any(|(name, _)| name == "tx_status")
        });
        if foreign {
            self.warnings.push(
                "eth_txs.tx_status is in no release of zkSync Era: this is a fork's schema, and its code may have another rule"
                    .to_owned(),
            );
        }
    }
}

/// The tables as they stood at an earlier time that was asked for. Where the zone of their times is unknown
/// they are compared as if they were UTC, which the answer says.
fn past<'a>(
    source: &'a dyn TableSource,
    options: &JobsOptions,
) -> Result<Option<Past<'a>>, JobsError> {
    let Some(at_us) = earlier(options.as_of_us, options.dumped_at_us) else {
        return Ok(None);
    };
    let zone = match &options.zone {
        Some(zone) => Some(zone.clone()),
        None => zone::of_tables(source)?,
    };
    let seconds = zone.map_or(0, |zone| zone.seconds);
    Ok(Some(Past::new(source, at_us, seconds)?))
}

/// The zone of the database's clock, as every answer from it solves it.
fn zone_of(source: &dyn TableSource, batches: Option<&Rows>) -> Result<Option<Zone>, TableError> {
    match batches {
        Some(rows) => match zone::solve_zone(&creations(rows)) {
            None => zone::of_table(source, "miniblocks"),
            zone => Ok(zone),
        },
        None => zone::of_tables(source),
    }
}

/// Whether a final-round or compression job's status means that its proof exists.
pub(super) fn is_proof(status: &str) -> bool {
    matches!(status, "successful" | "sent_to_server")
}

/// The one table of a name; several are the user's to choose between.
fn one<'a>(infos: &'a [TableInfo], name: &str) -> Result<Option<&'a TableInfo>, JobsError> {
    let all: Vec<&TableInfo> = infos.iter().filter(|info| info.name == name).collect();
    let one = model::the_one(name, all, |info| (&info.snapshot, &info.schema))?;
    Ok(one)
}

/// The table of a name, in the given snapshot if several have it; none if that does not decide.
fn near<'a>(infos: &'a [TableInfo], name: &str, snapshot: &str) -> Option<&'a TableInfo> {
    let all: Vec<&TableInfo> = infos.iter().filter(|info| info.name == name).collect();
    match all.as_slice() {
        [only] => Some(only),
        _ => match all
            .iter()
            .filter(|info| info.snapshot == snapshot)
            .collect::<Vec<_>>()
            .as_slice()
        {
            [only] => Some(only),
            _ => None,
        },
    }
}

/// Reads a table, by its full name where the bare one would not do.
fn read(
    source: &dyn TableSource,
    infos: &[TableInfo],
    info: &TableInfo,
    columns: &[&str],
    filter: &RowFilter,
) -> Result<Rows, JobsError> {
    info.require_names()?;
    let alone = infos.iter().filter(|other| other.name == info.name).count() == 1;
    let name = match alone {
        true => info.name.clone(),
        false => info.full_name(),
    };
    let mut wanted: Vec<&str> = columns.to_vec();
    for column in &info.primary_key {
        if !wanted.contains(&column.as_str()) {
            wanted.push(column);
        }
    }
    Ok(Rows::new(
        info.clone(),
        source.read(&name, &wanted, filter)?,
    ))
}

fn rules(
    source: &dyn TableSource,
    infos: &[TableInfo],
    of: &TableInfo,
    spec: &Spec,
    migrations: &mut BTreeMap<String, Option<u64>>,
) -> Result<(Vec<Rule>, &'static str), JobsError> {
    let only = spec.queue.rules(SchemaAge::default());
    if only.len() == 1 {
        return Ok((only, "table"));
    }
    let newest = match migrations.get(&of.snapshot) {
        Some(newest) => *newest,
        None => {
            let newest = newest_migration(source, infos, &of.snapshot)?;
            migrations.insert(of.snapshot.clone(), newest);
            newest
        }
    };
    let at_least = MARKS
        .iter()
        .filter(|(table, column, _)| {
            infos.iter().any(|info| {
                info.snapshot == of.snapshot
                    && info.name == *table
                    && column
                        .is_none_or(|column| info.columns.iter().any(|(name, _)| name == column))
            })
        })
        .map(|(.., migration)| *migration)
        .max();
    let rules = spec.queue.rules(SchemaAge { at_least, newest });
    let basis = match (rules.len(), newest) {
        (1, Some(_)) => "migrations",
        (1, None) => "columns",
        _ => "undetermined",
    };
    Ok((rules, basis))
}

fn newest_migration(
    source: &dyn TableSource,
    infos: &[TableInfo],
    snapshot: &str,
) -> Result<Option<u64>, JobsError> {
    let info = infos
        .iter()
        .find(|info| info.name == "_sqlx_migrations" && info.snapshot == snapshot);
    let Some(info) = info else { return Ok(None) };
    let rows = read(
        source,
        infos,
        info,
        &["version", "success"],
        &RowFilter::All,
    )?;
    Ok((0..rows.len())
        .filter(|row| rows.bool(*row, "success") != Some(false))
        .filter_map(|row| u64::try_from(rows.int(row, "version")?).ok())
        .max())
}

/// The scheduler's round is 4 since the recursion tip, 3 before.
fn final_round(infos: &[TableInfo], tables: &[Table]) -> i64 {
    let tip = infos
        .iter()
        .any(|info| info.name == "recursion_tip_witness_jobs_fri");
    let four = tables
        .iter()
        .filter(|table| table.spec.name == "prover_jobs_fri")
        .flat_map(|table| &table.jobs)
        .any(|job| job.round == Some(4));
    if tip || four { 4 } else { 3 }
}

fn job_rows(spec: &Spec, rows: &Rows, zone: Option<&Zone>) -> Vec<JobRow> {
    let comparable = |time: DbTime| to_utc(time, zone).unwrap_or(time).us;
    let start = match spec.part {
        Part::Gateway => "prover_taken_at",
        _ => "processing_started_at",
    };
    let time = |row: usize, column: &str| rows.time(row, column).map(comparable);
    (0..rows.len())
        .map(|row| JobRow {
            row,
            id: rows.int(row, "id"),
            batch: rows.int(row, "l1_batch_number"),
            chain: rows.int(row, "chain_id"),
            round: rows.int(row, "aggregation_round"),
            status: rows
                .text(row, "status")
                .map_or(Status::Unknown, |text| Status::of(text.trim())),
            // The gateway counts nothing.
            attempts: match spec.part {
                Part::Gateway => Some(0),
                _ => rows.int(row, "attempts"),
            },
            started: match rows.has(start) {
                true => Cell::Known(time(row, start)),
                false => Cell::Absent,
            },
            created: time(row, "created_at"),
            updated: time(row, "updated_at"),
            status_is_unknown: rows.has("status") && !rows.is_set(row, "status"),
        })
        .collect()
}
