//! The way itself: miniblocks to batches to L1, and the fate that follows from it.

use super::locate::{Located, precommitted};
use super::rows::{DbTime, Rows, Tables, i64_in};
use super::shape::{AsOf, BatchRange, BatchRow, LookedAt, Path, Step, Trace, Zone};
use super::step::EthTxs;
use super::{TraceError, TraceOptions, waiting};
use model::RowFilter;
use model::time::{MICROS_PER_SECOND, format_offset, format_utc};
use std::collections::{BTreeMap, BTreeSet};

/// The three steps, in the order L1 demands.
pub(super) const STAGES: [&str; 3] = ["commit", "prove", "execute"];
const LINKS: [&str; 3] = ["eth_commit_tx_id", "eth_prove_tx_id", "eth_execute_tx_id"];

/// All batches, as far as links and times go.
pub(super) struct Batches {
    rows: Option<Rows>,
    pub(super) by_number: BTreeMap<i64, usize>,
    /// Per stage: L1 transaction to its batches.
    by_link: [BTreeMap<i64, BatchRange>; 3],
}

impl Batches {
    pub(super) fn read(tables: &mut Tables<'_>) -> Result<Self, TraceError> {
        let rows = tables.read(
            "l1_batches",
            &[
                "number",
                "timestamp",
                "is_finished",
                "is_sealed",
                LINKS[0],
                LINKS[1],
                LINKS[2],
                "created_at",
                "updated_at",
                "sealed_at",
            ],
            &RowFilter::All,
        )?;
        let mut batches = Batches {
            rows: None,
            by_number: BTreeMap::new(),
            by_link: Default::default(),
        };
        if let Some(rows) = rows {
            for row in 0..rows.len() {
                let Some(number) = rows.int(row, "number") else {
                    continue;
                };
                batches.by_number.insert(number, row);
                for (map, link) in batches.by_link.iter_mut().zip(LINKS) {
                    let Some(id) = rows.int(row, link) else {
                        continue;
                    };
                    map.entry(id).or_insert(BatchRange::of(number)).add(number);
                }
            }
            batches.rows = Some(rows);
        }
        Ok(batches)
    }

    fn row(&self, number: i64) -> Option<(&Rows, usize)> {
        Some((self.rows.as_ref()?, *self.by_number.get(&number)?))
    }

    /// `None`: no such batch or no such column; `Some(None)`: not linked yet.
    pub(super) fn link(&self, number: i64, stage: usize) -> Option<Option<i64>> {
        let (rows, row) = self.row(number)?;
        rows.has(LINKS[stage]).then(|| rows.int(row, LINKS[stage]))
    }

    pub(super) fn is_sealed(&self, number: i64) -> Option<bool> {
        let (rows, row) = self.row(number)?;
        rows.bool(row, "is_sealed")
            .or_else(|| rows.bool(row, "is_finished"))
    }

    pub(super) fn timestamp(&self, number: i64) -> Option<i64> {
        let (rows, row) = self.row(number)?;
        rows.int(row, "timestamp")
    }

    /// When the batch was sealed: its own column since November 2024, before that the row's creation
    /// (rows of open batches came with `is_sealed`, so a creation time says nothing there).
    pub(super) fn sealed_at(&self, number: i64) -> Option<DbTime> {
        let (rows, row) = self.row(number)?;
        let created = || {
            (!rows.has("is_sealed"))
                .then(|| rows.time(row, "created_at"))
                .flatten()
        };
        rows.time(row, "sealed_at").or_else(created)
    }

    pub(super) fn reference(&self, number: i64) -> Option<String> {
        let (rows, row) = self.row(number)?;
        Some(rows.reference(row))
    }

    pub(super) fn range(&self, stage: usize, id: i64) -> Option<BatchRange> {
        self.by_link[stage].get(&id).cloned()
    }

    fn of_tx(&self, id: i64) -> BTreeSet<i64> {
        let mut numbers = BTreeSet::new();
        if let Some(rows) = &self.rows {
            for (&number, &row) in &self.by_number {
                if LINKS.iter().any(|link| rows.int(row, link) == Some(id)) {
                    numbers.insert(number);
                }
            }
        }
        numbers
    }

    /// Differences between row creation and block time, in microseconds.
    fn creation_lags(&self) -> Vec<i64> {
        self.rows.as_ref().map_or_else(Vec::new, creation_lags)
    }
}

fn creation_lags(rows: &Rows) -> Vec<i64> {
    (0..rows.len())
        .filter_map(|row| {
            let created = rows.time(row, "created_at").filter(|time| !time.utc)?;
            Some(created.us - rows.int(row, "timestamp")? * MICROS_PER_SECOND)
        })
        .collect()
}

/// A row is created seconds after the time of its block; the least such difference, rounded to a
/// quarter of an hour, is the zone of the database's clock. A node that copied its rows later has no
/// such floor, so a zone other than UTC needs many witnesses.
fn solve_zone(mut lags: Vec<i64>) -> Option<Zone> {
    const QUARTER: i64 = 900 * MICROS_PER_SECOND;
    const EARLY: i64 = -30 * MICROS_PER_SECOND;
    const LATE: i64 = 120 * MICROS_PER_SECOND;
    lags.sort_unstable();
    let least = *lags.first()?;
    let zone = (least as f64 / QUARTER as f64).round() as i64 * QUARTER;
    let close = lags
        .iter()
        .filter(|lag| (EARLY..=LATE).contains(&(**lag - zone)))
        .count();
    let enough = if zone == 0 {
        close >= 1
    } else {
        close >= 20 && close * 2 > lags.len()
    };
    let hours_18 = 18 * 3600 * MICROS_PER_SECOND;
    (enough && zone.abs() <= hours_18).then(|| Zone {
        value: format_offset((zone / MICROS_PER_SECOND) as i32),
        basis: format!("created_at against the block's unix time, {close} rows"),
        residual_s: (least - zone) as f64 / MICROS_PER_SECOND as f64,
        seconds: zone / MICROS_PER_SECOND,
    })
}

pub(super) fn walk(
    tables: &mut Tables<'_>,
    mut located: Located,
    options: &TraceOptions,
) -> Result<Trace, TraceError> {
    let batches = if located.found {
        Batches::read(tables)?
    } else {
        Batches {
            rows: None,
            by_number: BTreeMap::new(),
            by_link: Default::default(),
        }
    };
    let mut linked = BTreeSet::new();
    if let Some(id) = located.eth_tx {
        linked = batches.of_tx(id);
        if linked.is_empty() {
            let miniblocks = precommitted(tables, id)?;
            located.miniblocks.extend(miniblocks);
        }
    }
    let miniblocks = if located.miniblocks.is_empty() {
        None
    } else {
        tables.read(
            "miniblocks",
            &[
                "number",
                "l1_batch_number",
                "timestamp",
                "hash",
                "created_at",
                "eth_precommit_tx_id",
            ],
            &i64_in("number", located.miniblocks.iter().copied()),
        )?
    };
    let mut lags = batches.creation_lags();
    if let Some(rows) = &miniblocks {
        lags.extend(creation_lags(rows));
    }
    let numbers: BTreeSet<i64> = located.batches.union(&linked).copied().collect();
    let inside = miniblocks_inside(tables, &numbers, &mut lags)?;
    let zone = solve_zone(lags);

    // First the stretch to the batch, so that all L1 transactions are read at once.
    let mut path: Vec<Path> = Vec::new();
    let mut precommits: Vec<Option<i64>> = Vec::new();
    for &number in &located.miniblocks {
        let (step, precommit) =
            miniblock_path(tables, &located, miniblocks.as_ref(), number, &batches);
        path.push(step);
        precommits.push(precommit);
    }
    for &number in &numbers {
        path.push(batch_path(
            &batches,
            Path {
                miniblocks: inside.get(&number).cloned(),
                l1_batch_number: Some(number),
                ..Path::default()
            },
        ));
        precommits.push(None);
    }
    let mut ids: BTreeSet<i64> = precommits.iter().flatten().copied().collect();
    ids.extend(located.eth_tx);
    for batch in path.iter().filter_map(|path| path.batch.as_ref()) {
        ids.extend(
            [
                batch.eth_commit_tx_id,
                batch.eth_prove_tx_id,
                batch.eth_execute_tx_id,
            ]
            .into_iter()
            .flatten(),
        );
    }
    let eth_txs = EthTxs::read(tables, &ids)?;
    for (path, precommit) in path.iter_mut().zip(&precommits) {
        if precommit.is_some() {
            path.precommit = Some(eth_txs.step(tables, "precommit", Some(*precommit), None));
        }
        let Some(number) = path.batch.as_ref().map(|batch| batch.number) else {
            continue;
        };
        let mut steps: Vec<Step> = STAGES
            .iter()
            .enumerate()
            .map(|(stage, name)| {
                let link = batches.link(number, stage);
                let range = link.flatten().and_then(|id| batches.range(stage, id));
                let range = range.filter(|_| tables.is_whole("l1_batches"));
                eth_txs.step(tables, name, link, range)
            })
            .collect();
        infer_lost(tables, &mut steps);
        path.fate = fate(tables, &batches, number, &steps);
        let mut steps = steps.into_iter();
        path.commit = steps.next();
        path.prove = steps.next();
        path.execute = steps.next();
    }
    let l1_tx = located.eth_tx.map(|id| {
        let mut warnings = std::mem::take(&mut tables.warnings);
        let step = eth_txs.step(tables, "l1_tx", Some(Some(id)), None);
        // The path says the same of the same transaction, naming its step.
        if path.is_empty() {
            warnings.append(&mut tables.warnings);
        }
        tables.warnings = warnings;
        step
    });
    finish(tables, located, &batches, zone, path, l1_tx, options)
}

/// The miniblocks of batches that were asked for as such; their creation times also tell the zone
/// better than those of batches, which may be sealed long after they began.
fn miniblocks_inside(
    tables: &mut Tables<'_>,
    batches: &BTreeSet<i64>,
    lags: &mut Vec<i64>,
) -> Result<BTreeMap<i64, BatchRange>, TraceError> {
    let mut inside: BTreeMap<i64, BatchRange> = BTreeMap::new();
    if batches.is_empty() || !tables.has_column("miniblocks", "l1_batch_number") {
        return Ok(inside);
    }
    let rows = tables.read(
        "miniblocks",
        &["number", "l1_batch_number", "timestamp", "created_at"],
        &i64_in("l1_batch_number", batches.iter().copied()),
    )?;
    let Some(rows) = rows else { return Ok(inside) };
    lags.extend(creation_lags(&rows));
    for row in 0..rows.len() {
        let batch = rows.int(row, "l1_batch_number");
        if let (Some(batch), Some(number)) = (batch, rows.int(row, "number")) {
            inside
                .entry(batch)
                .or_insert(BatchRange::of(number))
                .add(number);
        }
    }
    Ok(inside)
}

fn miniblock_path(
    tables: &mut Tables<'_>,
    located: &Located,
    miniblocks: Option<&Rows>,
    number: i64,
    batches: &Batches,
) -> (Path, Option<i64>) {
    let mut path = Path {
        miniblock_number: Some(number),
        ..Path::default()
    };
    let row = miniblocks.and_then(|rows| Some((rows, rows.find("number", number)?)));
    let Some((rows, row)) = row else {
        // The transaction's own row may still know the batch.
        let by_transaction = located
            .transaction
            .as_ref()
            .filter(|transaction| transaction.miniblock_number == Some(number))
            .and_then(|transaction| transaction.l1_batch_number);
        if by_transaction.is_some() {
            tables.warn(format!(
                "miniblock {number} is not in the evidence; its batch is taken from the row in transactions"
            ));
            path.l1_batch_number = by_transaction;
            return (batch_path(batches, path), None);
        }
        if miniblocks.is_some() && tables.is_whole("miniblocks") {
            tables.warn(format!(
                "miniblock {number} is not in the database: pruned, or not yet recovered from a snapshot"
            ));
        } else if miniblocks.is_some() {
            tables.warn(format!("miniblock {number} is not in the evidence"));
        }
        path.fate = "miniblock_missing".to_owned();
        return (path, None);
    };
    path.miniblock_hash = rows.hex(row, "hash");
    path.miniblock_timestamp = rows.int(row, "timestamp");
    path.l1_batch_number = rows.int(row, "l1_batch_number");
    path.refs.push(rows.reference(row));
    let precommit = rows.int(row, "eth_precommit_tx_id");
    if path.l1_batch_number.is_none() {
        path.fate = if rows.has("l1_batch_number") {
            "no_batch_yet"
        } else {
            "batch_missing"
        }
        .to_owned();
        return (path, precommit);
    }
    (batch_path(batches, path), precommit)
}

fn batch_path(batches: &Batches, mut path: Path) -> Path {
    let row = path
        .l1_batch_number
        .and_then(|number| Some((number, batches.row(number)?)));
    let Some((number, (rows, row))) = row else {
        path.fate = "batch_missing".to_owned();
        return path;
    };
    path.refs.push(rows.reference(row));
    path.batch = Some(BatchRow {
        number,
        is_sealed: batches.is_sealed(number),
        timestamp: rows.int(row, "timestamp"),
        eth_commit_tx_id: rows.int(row, LINKS[0]),
        eth_prove_tx_id: rows.int(row, LINKS[1]),
        eth_execute_tx_id: rows.int(row, LINKS[2]),
    });
    path
}

/// L1 takes a proof only after its commit, an execution only after its proof: a confirmed later step
/// shows that the earlier one was mined, whatever became of its rows.
fn infer_lost(tables: &mut Tables<'_>, steps: &mut [Step]) {
    for at in 0..steps.len() {
        let later = (at + 1..steps.len()).find(|&later| steps[later].confirmed.is_some());
        let Some(later) = later else { continue };
        let state = steps[at].state.clone().unwrap_or_default();
        if matches!(state.as_str(), "saved" | "signed_unsent" | "sent") {
            steps[at].state = Some("confirmed_history_missing".to_owned());
            tables.warn(format!(
                "{}: the rows left of eth_tx {} only say \"{state}\", but {} is confirmed, which L1 accepts only afterwards: the confirmed attempt's row is gone, and which hash was mined is not in this evidence",
                STAGES[at],
                steps[at].eth_tx_id.unwrap_or_default(),
                STAGES[later],
            ));
        } else if state == "failed" || state == "none" {
            tables.warn(format!(
                "{}: the database says \"{state}\" although {} is confirmed: these rows contradict each other",
                STAGES[at], STAGES[later],
            ));
        }
    }
}

fn fate(tables: &mut Tables<'_>, batches: &Batches, number: i64, steps: &[Step]) -> String {
    let known = STAGES.iter().zip(steps).rev().find_map(|(stage, step)| {
        let state = step.state.as_deref().filter(|state| *state != "none")?;
        Some(format!("{stage}_{state}"))
    });
    if let Some(fate) = known {
        return fate;
    }
    if let Some(at) = steps.iter().rposition(|step| step.state.is_none()) {
        return format!("{}_unknown", STAGES[at]);
    }
    if batches.is_sealed(number) == Some(false) {
        return "no_batch_yet".to_owned();
    }
    if number == 0 {
        tables.warn("batch 0 is the genesis batch: it is never sent to L1");
    }
    "sealed_not_committed".to_owned()
}

fn finish(
    tables: &mut Tables<'_>,
    located: Located,
    batches: &Batches,
    zone: Option<Zone>,
    path: Vec<Path>,
    l1_tx: Option<Step>,
    options: &TraceOptions,
) -> Result<Trace, TraceError> {
    let fate = match path.last() {
        _ if !located.found => "unknown_hash".to_owned(),
        Some(last) => last.fate.clone(),
        None if located.kind == "l1_tx" || located.kind == "eth_tx" => {
            let known = l1_tx.as_ref().is_some_and(|step| !step.refs.is_empty());
            if known {
                tables.warn(
                    "no batch in the evidence links to this L1 transaction: it was reverted, or the batch is not in the evidence",
                );
                "batch_missing".to_owned()
            } else {
                "unknown_hash".to_owned()
            }
        }
        None => "not_in_a_block".to_owned(),
    };
    // A number that no row knows was not found either.
    let nothing = path.iter().all(|path| path.refs.is_empty())
        && located.logs.is_empty()
        && located.transaction.is_none()
        && l1_tx.as_ref().is_none_or(|step| step.refs.is_empty());
    let fate = if nothing {
        "unknown_hash".to_owned()
    } else {
        fate
    };
    if let (Some(hash), Some(step)) = (&located.l1_hash, &l1_tx) {
        let other = step.l1_tx_hash.as_ref().filter(|mined| *mined != hash);
        if let Some(mined) = other {
            tables.warn(format!(
                "{hash} is one of several attempts of eth_tx {}; the one that was mined is {mined}",
                step.eth_tx_id.unwrap_or_default()
            ));
        }
    }
    if fate == "execute_confirmed" || fate == "execute_confirmed_unlinked" {
        tables.warn("claimable on L1; whether it was claimed is not in this evidence");
    }
    let subject = waiting::Subject::of(&path, located.transaction.as_ref(), located.found);
    // Read even when nothing waits: the newest row of the database must not depend on the key.
    let history = if nothing {
        None
    } else {
        waiting::History::read(tables)?
    };
    let as_of = as_of(tables, zone.as_ref(), options);
    let waiting = match subject {
        Some(subject) => Some(waiting::judge(
            tables,
            &subject,
            batches,
            history.as_ref(),
            zone.as_ref(),
            as_of.as_ref(),
        )?),
        None => None,
    };
    for log in &located.logs {
        for reference in &log.refs {
            tables.refer(reference.clone());
        }
    }
    for reference in located.transaction.iter().flat_map(|row| &row.refs) {
        tables.refer(reference.clone());
    }
    for path in &path {
        let steps = [&path.precommit, &path.commit, &path.prove, &path.execute];
        for reference in path
            .refs
            .iter()
            .chain(steps.into_iter().flatten().flat_map(|step| &step.refs))
        {
            tables.refer(reference.clone());
        }
    }
    for reference in l1_tx.iter().flat_map(|step| &step.refs) {
        tables.refer(reference.clone());
    }
    let partial = tables.damage();
    Ok(Trace {
        key: located.key,
        kind: if nothing { "unknown" } else { located.kind }.to_owned(),
        snapshot: tables.snapshot.clone(),
        as_of,
        database_zone: zone,
        looked_at: (fate == "unknown_hash").then(|| LookedAt {
            sources: tables.sources(),
            tables: tables.looked_at.iter().cloned().collect(),
            missing_kinds: tables.missing.iter().cloned().collect(),
        }),
        fate,
        logs: located.logs,
        transaction: located.transaction,
        l1_tx,
        path,
        waiting,
        warnings: std::mem::take(&mut tables.warnings),
        refs: std::mem::take(&mut tables.refs),
        partial,
    })
}

fn as_of(tables: &Tables<'_>, zone: Option<&Zone>, options: &TraceOptions) -> Option<AsOf> {
    let given = options
        .as_of_us
        .map(|us| (us, "given"))
        .or_else(|| options.dumped_at_us.map(|us| (us, "dump header")));
    if let Some((us, basis)) = given {
        return Some(AsOf {
            value: format_utc(us),
            basis: basis.to_owned(),
            us,
            utc: true,
        });
    }
    let newest = tables.newest?;
    let time = to_utc(newest, zone).unwrap_or(newest);
    Some(AsOf {
        value: time.print(),
        basis: "newest row".to_owned(),
        us: time.us,
        utc: time.utc,
    })
}

/// Converts a database time to UTC if its zone is known.
pub(super) fn to_utc(time: DbTime, zone: Option<&Zone>) -> Option<DbTime> {
    if time.utc {
        return Some(time);
    }
    Some(DbTime {
        us: time.us - zone?.seconds * MICROS_PER_SECOND,
        utc: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = MICROS_PER_SECOND;

    #[test]
    fn a_zone_needs_a_floor() {
        assert_eq!(solve_zone(vec![]), None);
        assert_eq!(
            solve_zone(vec![S, 40 * S]).map(|z| z.value),
            Some("+00:00".into())
        );
        // A node that caught up three hours later is no witness of a zone.
        assert_eq!(solve_zone(vec![3 * 3600 * S + S]), None);
        let berlin = (0..30).map(|n| 2 * 3600 * S + n * S).collect();
        assert_eq!(solve_zone(berlin).map(|z| z.value), Some("+02:00".into()));
        let catching_up = (0..300).map(|n| 3 * 3600 * S + n * 60 * S).collect();
        assert_eq!(solve_zone(catching_up), None);
    }
}
