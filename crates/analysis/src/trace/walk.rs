//! The way itself: miniblocks to batches to L1, and the fate that follows from it.

use super::history::History;
use super::links::{Batches, LINKS, STAGES};
use super::locate::{Located, precommitted};
use super::rows::{Rows, Tables, i64_in};
use super::shape::{BatchRange, BatchRow, LookedAt, Path, Step, Trace, Zone};
use super::step::EthTxs;
use super::waiting::{Judge, Subject};
use super::zone;
use super::{TraceError, TraceOptions, notice, pruned};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn walk(
    tables: &mut Tables<'_>,
    mut located: Located,
    options: &TraceOptions,
) -> Result<Trace, TraceError> {
    let batches = if located.found {
        Batches::read(tables)?
    } else {
        Batches::default()
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
    let numbers: BTreeSet<i64> = located.batches.union(&linked).copied().collect();
    let inside = miniblocks_inside(tables, &numbers)?;
    let zone = match options.zone.clone() {
        None => zone::of_read(tables, &batches.creations())?,
        zone => zone,
    };

    // First the stretch to the batch, so that all L1 transactions are read at once.
    let mut path: Vec<Path> = Vec::new();
    let mut precommits: Vec<Option<i64>> = Vec::new();
    for &number in &located.miniblocks {
        let (step, precommit) =
            miniblock_path(tables, &located, miniblocks.as_ref(), number, &batches)?;
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
        precommits.push(batches.final_precommit(number));
    }
    for path in path.iter().filter(|path| path.batch.is_none()) {
        let Some(number) = path.l1_batch_number else {
            continue;
        };
        if !tables.warn_later("l1_batches", Some(number), &format!("batch {number}"))
            && let Some(why) = tables.why_not_whole("l1_batches")
        {
            tables.warn(format!(
                "{why}: whether the database has batch {number} is not known"
            ));
        }
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
    let (eth_txs, history) = EthTxs::read(tables, &ids)?;
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
                if tables.is_unknown("l1_batches", number, LINKS[stage]) {
                    tables.warn(format!(
                        "{name}: whether the batch had its L1 transaction at that time is not in the tables"
                    ));
                    return Step::default();
                }
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
    let seen = Seen {
        batches,
        history,
        zone,
    };
    finish(tables, located, seen, path, l1_tx, options)
}

/// The miniblocks of batches that were asked for as such.
fn miniblocks_inside(
    tables: &mut Tables<'_>,
    batches: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, BatchRange>, TraceError> {
    let mut inside: BTreeMap<i64, BatchRange> = BTreeMap::new();
    if batches.is_empty() || !tables.has_column("miniblocks", "l1_batch_number") {
        return Ok(inside);
    }
    let rows = tables.read(
        "miniblocks",
        &["number", "l1_batch_number"],
        &i64_in("l1_batch_number", batches.iter().copied()),
    )?;
    let Some(rows) = rows else { return Ok(inside) };
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
) -> Result<(Path, Option<i64>), TraceError> {
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
            return Ok((batch_path(batches, path), None));
        }
        if tables.warn_later("miniblocks", Some(number), &format!("miniblock {number}")) {
            path.fate = "miniblock_missing".to_owned();
            return Ok((path, None));
        }
        if let Some(gone) = pruned::why_gone(tables, number)? {
            tables.warn(format!("miniblock {number} is not here: {}", gone.words()));
            path.refs.push(gone.reference().to_owned());
        } else if let Some(why) = tables.why_not_whole("miniblocks") {
            tables.warn(format!(
                "{why}: whether the database has miniblock {number} is not known"
            ));
        } else if miniblocks.is_some() && tables.is_whole("miniblocks") {
            tables.warn(format!(
                "miniblock {number} is not in the database: pruned, or not yet recovered from a snapshot"
            ));
        } else if miniblocks.is_some() {
            tables.warn(format!("miniblock {number} is not in the evidence"));
        }
        path.fate = "miniblock_missing".to_owned();
        return Ok((path, None));
    };
    path.miniblock_hash = rows.hex(row, "hash");
    path.miniblock_timestamp = rows.int(row, "timestamp");
    path.created = rows.time(row, "created_at");
    path.l1_batch_number = rows.int(row, "l1_batch_number");
    path.refs.push(rows.reference(row));
    let precommit = rows.int(row, "eth_precommit_tx_id");
    if path.l1_batch_number.is_none() {
        if rows.has("l1_batch_number") {
            path.fate = "no_batch_yet".to_owned();
        } else {
            path.fate = "batch_missing".to_owned();
            tables.warn(format!(
                "column l1_batch_number of miniblocks is not in the evidence: which batch has miniblock {number}, if any, is undetermined"
            ));
        }
        return Ok((path, precommit));
    }
    Ok((batch_path(batches, path), precommit))
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
    path.sealed = batches.sealed_at(number);
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
        let later = (at + 1..steps.len())
            .find(|&later| steps[later].confirmed.is_some() && !steps[later].is_taken_back);
        let Some(later) = later else { continue };
        let state = steps[at].state.clone().unwrap_or_default();
        // What L1 has built on was not taken back.
        steps[at].is_taken_back = false;
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
    if tables.is_unknown("l1_batches", number, "is_sealed") {
        tables.warn(format!(
            "whether batch {number} was sealed at that time is not in the tables"
        ));
        return "seal_unknown".to_owned();
    }
    if !batches.tells_sealed() {
        tables.warn(format!(
            "neither column is_sealed nor is_finished of l1_batches is in the evidence: whether batch {number} is sealed is undetermined"
        ));
        return "seal_unknown".to_owned();
    }
    if number == 0 {
        tables.warn("batch 0 is the genesis batch: it is never sent to L1");
    }
    "sealed_not_committed".to_owned()
}

/// What was read of the whole database on the way.
struct Seen {
    batches: Batches,
    /// If it has been read already.
    history: Option<History>,
    zone: Option<Zone>,
}

fn finish(
    tables: &mut Tables<'_>,
    located: Located,
    seen: Seen,
    path: Vec<Path>,
    l1_tx: Option<Step>,
    options: &TraceOptions,
) -> Result<Trace, TraceError> {
    let (batches, zone) = (seen.batches, seen.zone);
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
        None if located.block_unknown => "block_unknown".to_owned(),
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
    outcome(tables, &located, &path, &batches, &fate)?;
    if nothing {
        tables.warn_not_whole();
        for table in [
            "transactions",
            "l2_to_l1_logs",
            "eth_txs_history",
            "eth_txs",
        ] {
            if tables.warn_later(table, None, "what was asked for") {
                break;
            }
        }
    }
    let is_known = located.found && !located.block_unknown;
    let subject = Subject::of(&path, located.transaction.as_ref(), is_known);
    // Read even when nothing waits: late notices are told from it.
    let history = match seen.history {
        None if !nothing => History::read(tables)?,
        history => history,
    };
    let as_of = tables.as_of(zone.as_ref(), options)?;
    if let Some(history) = &history {
        notice::warn_late(tables, &path, history, zone.as_ref());
    }
    let judge = Judge {
        batches: &batches,
        history: history.as_ref(),
        zone: zone.as_ref(),
        as_of: as_of.as_ref(),
        path: path.last(),
        options,
        is_copied: path.iter().any(has_copies),
    };
    let waiting = match subject {
        Some(subject) => Some(judge.judge(tables, &subject)?),
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
    if let Some(caveat) = tables.past.and_then(|past| past.caveat()) {
        tables.warn(caveat);
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
            empty: tables.empty(),
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

fn has_copies(path: &Path) -> bool {
    [&path.commit, &path.prove, &path.execute]
        .into_iter()
        .flatten()
        .any(|step| step.is_copied)
}

/// Says what the fate does not: what may be claimed, what was refused, why a batch is not yet sent.
fn outcome(
    tables: &mut Tables<'_>,
    located: &Located,
    path: &[Path],
    batches: &Batches,
    fate: &str,
) -> Result<(), TraceError> {
    let transaction = located.transaction.as_ref();
    let sent_nothing = located.kind == "l2_tx" && located.logs.is_empty();
    if let Some(error) = transaction.and_then(|row| row.error.as_deref()) {
        tables.warn(if transaction.is_some_and(|row| row.miniblock_number.is_none()) {
            format!("the server refused the transaction, it will be in no block: {error}")
        } else {
            format!("the transaction failed on L2 ({error}): it changed nothing there and sent no message to L1")
        });
    } else if sent_nothing
        && transaction.is_some_and(|row| row.miniblock_number.is_some())
        && tables.is_whole("l2_to_l1_logs")
    {
        tables.warn("the transaction sent no message to L1: there is nothing to claim, its batch alone is traced");
    }
    if fate == "execute_confirmed" || fate == "execute_confirmed_unlinked" {
        let execute = path.last().and_then(|path| path.execute.as_ref());
        if execute.is_some_and(|step| step.is_taken_back) {
            tables.warn("execute: not to be relied on until it is noticed as confirmed again");
        } else if execute.is_some_and(|step| step.is_gateway == Some(true)) {
            tables.warn("executed on the gateway: claimable on L1 when the gateway's batch that holds it is executed there; that is not in this evidence");
        } else if !sent_nothing && transaction.is_none_or(|row| row.error.is_none()) {
            tables.warn("claimable on L1; whether it was claimed is not in this evidence");
        }
    }
    if fate == "no_batch_yet"
        && let Some(highest) = batches.highest_sealed()
    {
        tables.warn(format!(
            "the batch is not sealed: an API answer that names batch {} for it is a guess (highest sealed batch + 1)",
            highest + 1
        ));
    }
    if fate == "sealed_not_committed"
        && let Some(number) = path.last().and_then(|path| path.l1_batch_number)
    {
        unready(tables, number)?;
    }
    Ok(())
}

/// What a sealed batch lacks before it can be committed.
fn unready(tables: &mut Tables<'_>, number: i64) -> Result<(), TraceError> {
    let lacks = [
        ("hash", "its root hash: the tree has not got there"),
        (
            "commitment",
            "its commitment: the commitment generator has not got there",
        ),
    ];
    let columns: Vec<&str> = lacks
        .iter()
        .map(|(column, _)| *column)
        .filter(|column| tables.has_column("l1_batches", column))
        .collect();
    if columns.is_empty() || !tables.is_whole("l1_batches") {
        return Ok(());
    }
    let rows = tables.read("l1_batches", &columns, &i64_in("number", [number]))?;
    let Some(rows) = rows.filter(|rows| rows.len() > 0) else {
        return Ok(());
    };
    for (column, what) in lacks {
        if tables.is_unknown("l1_batches", number, column) {
            tables.warn(format!(
                "whether batch {number} had its {column} at that time is not in the tables: without it, it could not be committed"
            ));
        } else if rows.has(column) && rows.text(0, column).is_none() {
            tables.warn(format!("batch {number} cannot be committed without {what}"));
        }
    }
    Ok(())
}
