//! As of when a database answers: one time for a dump, whoever asks it.
//!
//! A time that the user gives goes first, then what the dump itself says of when it was made. Where it says
//! nothing, the newest time in a fixed set of tables stands for it ([`DATED`]), not the newest one that an answer
//! happened to read: else two answers from one dump would judge waiting by two times. That the dump is not older than
//! its newest row is all that is known then.
//!
//! The head of a `pg_dump` archive holds a time as well, in the zone of the machine that dumped and without saying
//! which: it bounds when the dump was made, and is never taken for it.

use crate::rows::{DbTime, Rows};
use crate::trace::{AsOf, Made, Zone, to_utc};
use model::time::{MICROS_PER_SECOND, format_civil, format_utc, format_utc_short};
use model::{Batch, ColumnType, TableError, TableInfo, TableSource};
use std::collections::{BTreeMap, BTreeSet};

/// The tables that say when a database was still written to, with the columns that hold times of its clock. What a
/// user may set, and times that lie ahead, are not among them.
const DATED: [(&str, &[&str]); 4] = [
    ("l1_batches", &["created_at", "updated_at", "sealed_at"]),
    ("miniblocks", &["created_at", "updated_at"]),
    ("eth_txs", &["created_at", "updated_at"]),
    (
        "eth_txs_history",
        &["created_at", "updated_at", "confirmed_at"],
    ),
];
/// Those of tables of jobs.
const OF_JOBS: &[&str] = &[
    "created_at",
    "updated_at",
    "processing_started_at",
    "prover_taken_at",
];

/// Zones lie between 12 hours behind UTC and 14 ahead.
const BEHIND_US: i64 = 12 * 3600 * MICROS_PER_SECOND;
const AHEAD_US: i64 = 14 * 3600 * MICROS_PER_SECOND;
/// A dump's header is written moments before its rows are frozen, by another machine's clock.
const SLACK_US: i64 = 300 * MICROS_PER_SECOND;
/// More tables of jobs are counted, not named.
const NAMED: usize = 3;

/// What is known beside the rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told<'a> {
    /// The user's time, microseconds UTC.
    pub(crate) given_us: Option<i64>,
    /// The dump's own, microseconds UTC.
    pub(crate) dumped_at_us: Option<i64>,
    /// The dump's own, in a zone that it does not tell.
    pub(crate) dumped_local_us: Option<i64>,
    /// The zone of the database's clock.
    pub(crate) zone: Option<&'a Zone>,
}

/// The newest times of tables that have been read anyway, by the tables' names.
pub(crate) type Known = BTreeMap<String, Option<DbTime>>;

/// The columns of a table that date the database; none if the table is not one of those that do.
pub(crate) fn dated(table: &str) -> &'static [&'static str] {
    let of_server = DATED.iter().find(|(name, _)| *name == table);
    match of_server {
        Some((_, columns)) => columns,
        None if crate::jobs::is_job_table(table) => OF_JOBS,
        None => &[],
    }
}

/// The newest time in the named columns.
pub(crate) fn newest_of(rows: &Rows, columns: &[&str]) -> Option<DbTime> {
    let of = |column: &&str| {
        let times = (0..rows.len()).filter_map(rows.times(column));
        times.max_by_key(|time| time.us)
    };
    columns.iter().filter_map(of).max_by_key(|time| time.us)
}

/// The newest time of a database, and the tables it is the newest of.
#[derive(Default)]
struct Newest {
    time: Option<DbTime>,
    tables: Vec<String>,
    /// Some of the tables may be parts of what the database held.
    is_part: bool,
}

/// Reads what of [`DATED`] is not known yet. Only tables of those snapshots count.
fn newest(
    source: &dyn TableSource,
    infos: &[TableInfo],
    snapshots: &BTreeSet<String>,
    known: &Known,
) -> Result<Newest, TableError> {
    let mut newest = Newest::default();
    let names = DATED.iter().map(|(name, _)| *name);
    for name in names.chain(crate::jobs::job_tables()) {
        let of_name = infos.iter().filter(|info| info.name == name);
        for info in of_name.filter(|info| snapshots.contains(&info.snapshot)) {
            let has = |column: &&&str| info.columns.iter().any(|(name, _)| name == **column);
            let columns: Vec<&str> = dated(name).iter().filter(has).copied().collect();
            if columns.is_empty() || info.is_nameless() {
                continue;
            }
            let alone = infos.iter().filter(|other| other.name == name).count() == 1;
            let named = if alone {
                name.to_owned()
            } else {
                info.full_name()
            };
            let told = || told_by(source, &named, info, &columns);
            let time = match known.get(name).filter(|_| alone).copied().or_else(told) {
                Some(time) => time,
                None => {
                    let mut time: Option<DbTime> = None;
                    source.scan(&named, &columns, &mut |batch: Batch| {
                        let of_batch = newest_of(&Rows::new(info.clone(), batch), &columns);
                        time = later(time, of_batch);
                        Ok(())
                    })?;
                    time
                }
            };
            if time.is_some() {
                newest.tables.push(name.to_owned());
                newest.is_part |= info.types_inferred;
            }
            newest.time = later(newest.time, time);
        }
    }
    newest.tables.dedup();
    Ok(newest)
}

/// The newest time in columns of a table, where the source knows it without reading: `None` if it does not, or not for
/// a column whose times are text.
fn told_by(
    source: &dyn TableSource,
    named: &str,
    info: &TableInfo,
    columns: &[&str],
) -> Option<Option<DbTime>> {
    let newest = source.newest(named)?;
    let mut time = None;
    for (name, column_type) in &info.columns {
        if !columns.contains(&name.as_str()) {
            continue;
        }
        let utc = match column_type {
            ColumnType::TimestampUtc => true,
            ColumnType::TimestampCivil => false,
            _ => return None,
        };
        let of_column = newest.get(name).map(|us| DbTime { us: *us, utc });
        time = later(time, of_column);
    }
    Some(time)
}

fn later(one: Option<DbTime>, other: Option<DbTime>) -> Option<DbTime> {
    one.into_iter().chain(other).max_by_key(|time| time.us)
}

/// Returns the time that the tables of `snapshots` are looked at, and what has to be said of it.
///
/// # Errors
/// If a table that dates the database cannot be read.
pub(crate) fn as_of(
    source: &dyn TableSource,
    infos: &[TableInfo],
    snapshots: &BTreeSet<String>,
    known: &Known,
    told: Told<'_>,
) -> Result<(Option<AsOf>, Option<String>), TableError> {
    if let Some(us) = told.given_us {
        let given = at(us, "given", "it was asked for".to_owned());
        return Ok((Some(given), None));
    }
    let newest = newest(source, infos, snapshots, known)?;
    let time = newest
        .time
        .map(|time| to_utc(time, told.zone).unwrap_or(time));
    // Written in no zone that there is before this.
    let least_us = |time: DbTime| {
        if time.utc {
            time.us
        } else {
            time.us.saturating_sub(AHEAD_US)
        }
    };
    if let Some(us) = told.dumped_at_us {
        let warning = time.filter(|time| least_us(*time) > us + SLACK_US).map(|time| {
            format!(
                "rows were written until {}, after the time looked at, {}, at which the dump was begun as its header says: one of the two clocks is wrong, or the rows were not dumped by that run; those rows show what was so then",
                brief(time),
                format_utc_short(us)
            )
        });
        let rests_on =
            "the dump's own header, which says when it was begun; what came later is not in it";
        return Ok((Some(at(us, "dump header", rests_on.to_owned())), warning));
    }
    let made = told.dumped_local_us.map(|local_us| Made {
        local: format_civil(local_us),
        not_before: format_utc(local_us.saturating_sub(AHEAD_US)),
        not_after: format_utc(local_us.saturating_add(BEHIND_US)),
    });
    let Some(time) = time else {
        return Ok((None, None));
    };
    let (part, got) = match newest.is_part {
        true => (" as far as their rows are here", "read"),
        false => ("", "dumped"),
    };
    let named = tables(&newest.tables);
    let mut rests_on = format!(
        "the newest time in {named}{part}: {got} then or later, the rows do not tell how much"
    );
    let mut warning = None;
    if let (Some(made), Some(local_us)) = (&made, told.dumped_local_us) {
        rests_on.push_str(&format!(
            "; its header says {} in the zone of the machine that dumped, which it does not name: between {} and {}",
            short(&made.local),
            short(&made.not_before),
            short(&made.not_after)
        ));
        if least_us(time) > local_us.saturating_add(BEHIND_US) + SLACK_US {
            warning = Some(format!(
                "rows were written until {}, after the dump was made as its header says ({}), whatever the zone of the machine that dumped: one of the two clocks is wrong",
                brief(time),
                short(&made.local)
            ));
        }
    }
    let as_of = AsOf {
        value: time.print(),
        basis: "newest row".to_owned(),
        rests_on,
        made,
        us: time.us,
        utc: time.utc,
    };
    Ok((Some(as_of), warning))
}

fn at(us: i64, basis: &str, rests_on: String) -> AsOf {
    AsOf {
        value: format_utc(us),
        basis: basis.to_owned(),
        rests_on,
        made: None,
        us,
        utc: true,
    }
}

/// `2026-11-21T05:17:08.000000` as `2026-11-21 05:17:08`.
fn short(time: &str) -> String {
    let utc = if time.ends_with('Z') { "Z" } else { "" };
    let body = time.trim_end_matches('Z').split('.').next().unwrap_or(time);
    format!("{}{utc}", body.replace('T', " "))
}

fn brief(time: DbTime) -> String {
    short(&time.print())
}

/// Names tables, those of jobs only while they are few.
fn tables(names: &[String]) -> String {
    let (jobs, mut named): (Vec<&str>, Vec<&str>) = names
        .iter()
        .map(String::as_str)
        .partition(|name| crate::jobs::is_job_table(name));
    let counted = format!("{} tables of jobs", jobs.len());
    match jobs.len() > NAMED {
        true => named.push(&counted),
        false => named.extend(jobs),
    }
    match named.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
