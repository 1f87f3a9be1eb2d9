//! Solving all pieces of a case from all their anchors, and rewriting rows of those that changed.
//!
//! The manifest keeps with every piece the solution its rows were written under. After any change of the
//! evidence (new sources, `amend`, `forget`) everything is solved again; where the answer differs, the
//! piece's rows get new times. So evidence that comes later corrects what came before, and an
//! interrupted correction is made up for by the next run.

use crate::columns::DictBuilder;
use crate::networks::CaseNetworks;
use crate::rotate::{ProcessId, Rotation};
use crate::solve::{
    self, Anchor, AnchorKind, Basis, Begin, PieceFacts, PieceInput, SlotClock, Solution,
};
use crate::times::record_time;
use crate::who;
use case::{CaseError, Manifest, Override, SourceKind, TableId, Transaction};
use model::{Batch, Column, ColumnData, Stamp, StampDate, StampZone};
use std::collections::{BTreeMap, BTreeSet};

/// What is new about a source's rows.
#[derive(Default)]
struct Change {
    /// New solutions by piece, for the pieces that changed.
    solutions: BTreeMap<u32, Solution>,
    /// New node names by process.
    nodes: BTreeMap<u32, String>,
}

/// Solves and names everything in the case again; returns how many sources were rewritten.
///
/// # Errors
/// If segments cannot be read or written.
pub fn resolve(tx: &mut Transaction<'_>) -> Result<usize, CaseError> {
    let changes = changes(tx.manifest());
    for (digest, change) in &changes {
        let mut extent = Extent::default();
        tx.rewrite(digest, &mut |table, batch| {
            apply(table, batch, change);
            extent.see(table, batch);
        })?;
        if let Some(source) = tx.manifest_mut().source_mut(digest) {
            source.first_ts_us = extent.first_us;
            source.last_ts_us = extent.last_us;
            source.undated = extent.undated;
        }
    }
    note(tx.manifest_mut(), &changes);
    Ok(changes.len())
}

/// From when to when the records of a source reach.
#[derive(Default)]
struct Extent {
    first_us: Option<i64>,
    last_us: Option<i64>,
    undated: u64,
}

impl Extent {
    fn see(&mut self, table: &TableId, batch: &Batch) {
        let Some(ts) = batch.column("ts_us").filter(|_| *table == TableId::Records) else {
            return;
        };
        for row in 0..ts.len() {
            match ts.i64(row) {
                Some(us) => {
                    self.first_us = Some(self.first_us.map_or(us, |first| first.min(us)));
                    self.last_us = Some(self.last_us.map_or(us, |last| last.max(us)));
                }
                None => self.undated += 1,
            }
        }
    }
}

/// Whether [`resolve`] would rewrite anything.
pub fn needs_resolving(manifest: &Manifest) -> bool {
    !changes(manifest).is_empty()
}

/// Returns what the user said about a source, the latest word of each kind.
fn overrides<'a>(manifest: &'a Manifest, digest: &str) -> Overrides<'a> {
    let mut said = Overrides::default();
    for item in manifest
        .overrides
        .iter()
        .filter(|item: &&Override| item.source == digest)
    {
        said.zone = item.zone.as_deref().or(said.zone);
        said.year = item.year.or(said.year);
        said.network = item.network.as_deref().or(said.network);
    }
    said
}

#[derive(Default)]
struct Overrides<'a> {
    zone: Option<&'a str>,
    year: Option<i32>,
    network: Option<&'a str>,
}

fn changes(manifest: &Manifest) -> BTreeMap<String, Change> {
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    let logs: Vec<&case::Source> = manifest
        .sources
        .iter()
        .filter(|source| source.kind == SourceKind::Log)
        .collect();
    let names = who::names(manifest);
    // Order by host and time of day, so that neighbours stand side by side whatever came first.
    struct Item<'a> {
        source: &'a case::Source,
        piece: &'a case::Piece,
        node: String,
    }
    let mut items: Vec<Item<'_>> = Vec::new();
    for source in logs {
        for piece in &source.pieces {
            let named = names.get(&(source.digest.as_str(), piece.stream.as_str()));
            let node = named.map_or_else(String::new, |named| named.name.clone());
            items.push(Item {
                source,
                piece,
                node,
            });
        }
    }
    // A process that goes on in the next file of a rotated set is one process.
    let rotation = Rotation::of(manifest);
    items.sort_by_cached_key(|item| {
        let place = rotation.place(&item.source.digest);
        (item.node.clone(), place, item.piece.index)
    });
    let anchors: Vec<Vec<Anchor>> = items
        .iter()
        .map(|item| item.piece.anchors.iter().map(anchor_in).collect())
        .collect();
    let known = CaseNetworks::of(manifest);
    let said: BTreeMap<(&str, u32), &str> = manifest
        .processes
        .iter()
        .filter_map(|process| {
            let (name, _) = process.said_network.as_ref()?;
            Some(((process.source.as_str(), process.number), name.as_str()))
        })
        .collect();
    let mut numbers: BTreeMap<ProcessId, u32> = BTreeMap::new();
    let mut begun: BTreeSet<(&str, u32)> = BTreeSet::new();
    let inputs: Vec<PieceInput<'_>> = items
        .iter()
        .zip(&anchors)
        .map(|(item, anchors)| {
            let next = numbers.len() as u32;
            let digest = item.source.digest.as_str();
            let process = item.piece.process;
            let origin = rotation.origin(digest, process);
            let link = rotation.link(digest, process);
            let link = link.filter(|_| begun.insert((digest, process)));
            let in_lines = said
                .get(&(digest, process))
                .or_else(|| said.get(&(origin.0.as_str(), origin.1)))
                .copied();
            let said = overrides(manifest, digest);
            let given = said.network.and_then(|name| known.by_name(name));
            PieceInput {
                process: *numbers.entry(origin).or_insert(next),
                host: &item.node,
                begins: link.map_or(Begin::from_name(&item.piece.begins), |link| link.begins),
                anchors,
                first: item.piece.first,
                last: item.piece.last,
                given_zone: item
                    .piece
                    .given_zone_seconds
                    .or_else(|| said.zone.and_then(model::time::parse_offset)),
                named_zone: said
                    .zone
                    .filter(|zone| zone.contains('/'))
                    .and_then(|zone| zone.parse().ok()),
                zones_by_year: &item.piece.given_zones_by_year,
                given_year: said.year,
                network: given.or(in_lines.and_then(|name| known.by_name(name))),
                network_given: given.is_some(),
                by_wrapper: item.piece.by_wrapper,
                collector: digest,
                candidates: match in_lines {
                    Some("") => known.strangers(),
                    _ => known.candidates(),
                },
            }
        })
        .collect();
    let node_of: BTreeMap<(&str, u32), Option<&str>> = manifest
        .processes
        .iter()
        .map(|process| {
            let key = (process.source.as_str(), process.number);
            (key, process.node.as_deref())
        })
        .collect();
    for (item, solution) in items.iter().zip(solve::solve(&inputs)) {
        let before = solution_in(item.piece);
        if !same_times(&before, &solution) {
            changes
                .entry(item.source.digest.clone())
                .or_default()
                .solutions
                .insert(item.piece.index, solution);
        }
        let node = node_of.get(&(item.source.digest.as_str(), item.piece.process));
        if node.is_some_and(|node| *node != Some(&item.node)) {
            let change = changes.entry(item.source.digest.clone()).or_default();
            change.nodes.insert(item.piece.process, item.node.clone());
        }
    }
    changes
}

/// Whether two solutions give every row the same columns.
fn same_times(a: &Solution, b: &Solution) -> bool {
    a.zone_seconds == b.zone_seconds
        && a.year == b.year
        && a.day0 == b.day0
        && a.basis == b.basis
        && a.network == b.network
        && a.wrapper_zone_seconds == b.wrapper_zone_seconds
        && a.wrapper_year == b.wrapper_year
        && a.wrapper_day == b.wrapper_day
        && a.by_wrapper == b.by_wrapper
        && a.slot_clock == b.slot_clock
}

/// Gives the rows of a source their new times and names.
fn apply(table: &TableId, batch: &mut Batch, change: &Change) {
    if !matches!(table, TableId::Records | TableId::Obs(_)) {
        return;
    }
    let rows = batch.rows();
    let number = |batch: &Batch, name: &str, row: usize| {
        batch.column(name).and_then(|column| column.i64(row))
    };
    if !change.solutions.is_empty() {
        let mut order: BTreeMap<i64, i64> = BTreeMap::new();
        let mut new: Vec<Option<crate::times::RecordTime>> = Vec::with_capacity(rows);
        let mut before: BTreeMap<i64, i64> = BTreeMap::new();
        for row in 0..rows {
            let piece = number(batch, "piece", row).and_then(|piece| u32::try_from(piece).ok());
            let process = number(batch, "process", row).unwrap_or(-1);
            let time = piece
                .and_then(|piece| change.solutions.get(&piece))
                .map(|solution| {
                    record_time(
                        solution,
                        written_stamp(batch, row).as_ref(),
                        written_wrapper(batch, row).as_ref(),
                        before.get(&process).copied(),
                    )
                });
            let ts_us = match &time {
                Some(time) => time.ts_us,
                None => number(batch, "ts_us", row),
            };
            if let Some(ts_us) = ts_us {
                before.insert(process, ts_us);
            }
            new.push(time);
        }
        let mut orders: Vec<Option<i64>> = Vec::with_capacity(rows);
        for (row, time) in new.iter().enumerate() {
            let process = number(batch, "process", row).unwrap_or(-1);
            let ts = match time {
                Some(time) => time.ts_us,
                None => number(batch, "ts_us", row),
            };
            if let Some(ts) = ts {
                order.insert(process, ts);
            }
            orders.push(
                ts.or_else(|| order.get(&process).copied())
                    .or_else(|| number(batch, "ts_order_us", row)),
            );
        }
        for (name, value) in [("ts", 0), ("ts_us", 0), ("stamp_us", 1), ("wrapper_us", 2)] {
            replace_i64(batch, name, |row, old| match &new[row] {
                Some(time) => [time.ts_us, time.stamp_us, time.wrapper_us][value],
                None => old,
            });
        }
        for name in ["ts_order", "ts_order_us"] {
            replace_i64(batch, name, |row, _| orders[row]);
        }
        replace_words(batch, "ts_clock", |row, old| match &new[row] {
            Some(time) => time.ts_us.map(|_| time.clock.to_owned()),
            None => old,
        });
        replace_words(batch, "ts_basis", |row, old| match &new[row] {
            Some(time) => Some(time.basis.to_owned()),
            None => old,
        });
        let pieces: Vec<Option<i64>> = (0..rows).map(|row| number(batch, "piece", row)).collect();
        replace_words(batch, "network", |row, old| {
            let solution = pieces[row].and_then(|piece| change.solutions.get(&(piece as u32)));
            match solution {
                Some(solution) => solution.network.clone(),
                None => old,
            }
        });
    }
    if !change.nodes.is_empty() {
        let processes: Vec<Option<i64>> =
            (0..rows).map(|row| number(batch, "process", row)).collect();
        replace_words(batch, "node", |row, old| {
            processes[row]
                .and_then(|process| change.nodes.get(&(process as u32)).cloned())
                .or(old)
        });
    }
}

/// Returns a row's stamp as its line wrote it.
fn written_stamp(batch: &Batch, row: usize) -> Option<Stamp> {
    if let Some(text) = batch.column("stamp").and_then(|column| column.text(row)) {
        return text.parse().ok();
    }
    let civil = batch.column("stamp_us")?.i64(row)?;
    let mut stamp = Stamp {
        date: StampDate::Full(civil.div_euclid(model::time::MICROS_PER_DAY) as i32),
        nanos_of_day: civil.rem_euclid(model::time::MICROS_PER_DAY) as u64 * 1000,
        fraction_digits: 6,
        zone: StampZone::None,
    };
    if batch.column("ts_basis").and_then(|column| column.text(row)) == Some("written") {
        let ts = batch.column("ts_us")?.i64(row)?;
        stamp.zone = StampZone::Offset(((civil - ts) / 1_000_000) as i32);
    }
    Some(stamp)
}

/// Returns the stamp of a row's innermost wrapper that has one, as the wrapper wrote it.
fn written_wrapper(batch: &Batch, row: usize) -> Option<Stamp> {
    let json = batch.column("wrapper")?.text(row)?;
    let layers: Vec<serde_json::Value> = serde_json::from_str(json).ok()?;
    layers
        .iter()
        .rev()
        .find_map(|layer| layer.get("stamp")?.as_str()?.parse().ok())
}

fn replace_i64(batch: &mut Batch, name: &str, value: impl Fn(usize, Option<i64>) -> Option<i64>) {
    let Some(column) = batch.columns.iter_mut().find(|column| column.name == name) else {
        return;
    };
    let values: Vec<Option<i64>> = (0..column.len())
        .map(|row| value(row, column.i64(row)))
        .collect();
    let mut new = Column::new(name, column.column_type);
    for value in values {
        new.push_opt_i64(value);
    }
    *column = new;
}

fn replace_words(
    batch: &mut Batch,
    name: &str,
    value: impl Fn(usize, Option<String>) -> Option<String>,
) {
    let Some(column) = batch.columns.iter_mut().find(|column| column.name == name) else {
        return;
    };
    let mut words = DictBuilder::default();
    let mut text =
        matches!(column.data, ColumnData::Str(_)).then(|| Column::new(name, column.column_type));
    for row in 0..column.len() {
        let word = value(row, column.text(row).map(str::to_owned));
        match &mut text {
            Some(text) => match word {
                Some(word) => text.push_bytes(word.as_bytes()),
                None => text.push_null(),
            },
            None => words.push_opt(word.as_deref().map(str::as_bytes)),
        }
    }
    *column = text.unwrap_or_else(|| words.finish(name));
}

/// Writes new solutions and names into the manifest.
fn note(manifest: &mut Manifest, changes: &BTreeMap<String, Change>) {
    for (digest, change) in changes {
        for process in manifest
            .processes
            .iter_mut()
            .filter(|process| process.source == *digest)
        {
            if let Some(node) = change.nodes.get(&process.number) {
                process.node = Some(node.clone());
            }
        }
        if let Some(source) = manifest.source_mut(digest) {
            for piece in &mut source.pieces {
                if let Some(solution) = change.solutions.get(&piece.index) {
                    set_solution(piece, solution);
                }
            }
        }
    }
    name_nodes(manifest);
}

/// Names the networks of processes, and makes the table of nodes anew.
pub(crate) fn name_nodes(manifest: &mut Manifest) {
    let mut networks: BTreeMap<(String, u32), BTreeSet<String>> = BTreeMap::new();
    for source in &manifest.sources {
        for piece in &source.pieces {
            let said = overrides(manifest, &source.digest)
                .network
                .map(str::to_owned);
            if let Some(network) = said.or_else(|| piece.network.clone()) {
                networks
                    .entry((source.digest.clone(), piece.process))
                    .or_default()
                    .insert(network);
            }
        }
    }
    let rotation = Rotation::of(manifest);
    for process in &mut manifest.processes {
        let link = rotation.link(&process.source, process.number);
        process.continues = link.map(|link| link.before.clone());
        let found = networks.get(&(process.source.clone(), process.number));
        process.network = found
            .filter(|names| names.len() == 1)
            .and_then(|names| names.first().cloned());
    }
    who::describe(manifest);
}

/// Returns a piece as the manifest keeps it.
pub(crate) fn piece_of(facts: &PieceFacts, solution: &Solution, anchors: &[Anchor]) -> case::Piece {
    let mut piece = case::Piece {
        index: facts.index,
        process: facts.process,
        stream: facts.stream.clone(),
        program: facts.program.clone(),
        client: facts.client.clone(),
        given_zone_seconds: facts.zone_seconds,
        given_zones_by_year: facts.zones_by_year.clone(),
        by_wrapper: facts.by_wrapper,
        begins: facts.begins.as_str().to_owned(),
        first: facts.first,
        last: facts.last,
        first_line: facts.first_line,
        last_line: facts.last_line,
        anchors: anchors.iter().map(anchor_out).collect(),
        ..case::Piece::default()
    };
    set_solution(&mut piece, solution);
    piece
}

/// Returns a piece of the manifest as it was cut.
pub(crate) fn facts_of(piece: &case::Piece) -> PieceFacts {
    PieceFacts {
        index: piece.index,
        process: piece.process,
        stream: piece.stream.clone(),
        program: piece.program.clone(),
        client: piece.client.clone(),
        by_wrapper: piece.by_wrapper,
        begins: Begin::from_name(&piece.begins),
        first_line: piece.first_line,
        last_line: piece.last_line,
        first: piece.first,
        last: piece.last,
        zone_seconds: piece.given_zone_seconds,
        zones_by_year: piece.given_zones_by_year.clone(),
    }
}

fn set_solution(piece: &mut case::Piece, solution: &Solution) {
    piece.zone_seconds = solution.zone_seconds;
    piece.year = solution.year;
    piece.day = solution.day0;
    piece.basis = solution.basis.as_str().to_owned();
    piece.residual_s = solution.residual_s;
    piece.wrapper_zone_seconds = solution.wrapper_zone_seconds;
    piece.wrapper_year = solution.wrapper_year;
    piece.wrapper_day = solution.wrapper_day;
    piece.slot_clock = solution.slot_clock.map(|clock| {
        [
            clock.genesis_time_s,
            clock.seconds_per_slot,
            clock.slots_per_epoch,
        ]
    });
    piece.network = solution.network.clone();
    piece.used = solution.used.clone();
    piece.alternatives = solution
        .alternatives
        .iter()
        .map(|other| case::Alternative {
            zone_seconds: other.zone_seconds,
            year: other.year,
            day: other.day,
            network: other.network.clone(),
            why: other.why.clone(),
            residual_s: other.residual_s,
        })
        .collect();
}

/// Returns the part of a solution that rows were written under.
pub(crate) fn solution_in(piece: &case::Piece) -> Solution {
    let basis = [
        Basis::Written,
        Basis::Wrapper,
        Basis::Slot,
        Basis::Given,
        Basis::Assumed,
    ]
    .into_iter()
    .find(|basis| basis.as_str() == piece.basis)
    .unwrap_or(Basis::None);
    Solution {
        zone_seconds: piece.zone_seconds,
        year: piece.year,
        day0: piece.day,
        basis,
        network: piece.network.clone(),
        wrapper_zone_seconds: piece.wrapper_zone_seconds,
        wrapper_year: piece.wrapper_year,
        wrapper_day: piece.wrapper_day,
        by_wrapper: piece.by_wrapper,
        slot_clock: piece
            .slot_clock
            .map(
                |[genesis_time_s, seconds_per_slot, slots_per_epoch]| SlotClock {
                    genesis_time_s,
                    seconds_per_slot,
                    slots_per_epoch,
                },
            ),
        ..Solution::default()
    }
}

/// Returns when a piece begins, in UTC microseconds, as far as it is solved.
pub fn piece_start_us(piece: &case::Piece) -> Option<i64> {
    let first = piece.first.as_ref()?;
    solve::utc_us(&solution_in(piece), first)
}

fn anchor_out(anchor: &Anchor) -> case::Anchor {
    let kind = match anchor.kind {
        AnchorKind::Written { utc_us } => case::AnchorKind::Written { utc_us },
        AnchorKind::WrittenElsewhere { utc_us } => case::AnchorKind::WrittenElsewhere { utc_us },
        AnchorKind::Wrapper { stamp } => case::AnchorKind::Wrapper { wrapper: stamp },
        AnchorKind::Received { slot } => case::AnchorKind::Received { slot },
        AnchorKind::WallSlot {
            slot,
            phase_us,
            bendable,
        } => case::AnchorKind::WallSlot {
            slot,
            phase_us,
            bendable,
        },
        AnchorKind::Skew { offset_us } => case::AnchorKind::Skew { offset_us },
        AnchorKind::Syncing => case::AnchorKind::Syncing,
    };
    case::Anchor {
        line: anchor.line,
        stamp: anchor.stamp,
        kind,
    }
}

pub(crate) fn anchor_in(anchor: &case::Anchor) -> Anchor {
    let kind = match anchor.kind {
        case::AnchorKind::Written { utc_us } => AnchorKind::Written { utc_us },
        case::AnchorKind::WrittenElsewhere { utc_us } => AnchorKind::WrittenElsewhere { utc_us },
        case::AnchorKind::Wrapper { wrapper } => AnchorKind::Wrapper { stamp: wrapper },
        case::AnchorKind::Received { slot } => AnchorKind::Received { slot },
        case::AnchorKind::WallSlot {
            slot,
            phase_us,
            bendable,
        } => AnchorKind::WallSlot {
            slot,
            phase_us,
            bendable,
        },
        case::AnchorKind::Skew { offset_us } => AnchorKind::Skew { offset_us },
        case::AnchorKind::Syncing => AnchorKind::Syncing,
    };
    Anchor {
        line: anchor.line,
        stamp: anchor.stamp,
        kind,
    }
}
