//! Samples, replies and nodes of a case.

use super::{
    Clock, ClockInput, ClockReport, NodeFacts, Program, Reply, Sample, Zone, ZoneAlternative,
    estimate,
};
use case::{Case, CaseError, Piece, Process, TableId};
use chain::Network;
use model::time::format_offset;
use model::{Batch, RowFilter};
use std::collections::{BTreeMap, BTreeSet};

/// Judges the clocks of a case's nodes, by samples inside the window (microseconds UTC, end excluded).
///
/// # Errors
/// If the case cannot be read.
pub fn clock(case: &Case, window: Option<(i64, i64)>) -> Result<ClockReport, CaseError> {
    let mut input = ClockInput {
        nodes: nodes(case),
        ..ClockInput::default()
    };
    let mut problems: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let inside = |us: i64| window.is_none_or(|(from, to)| (from..to).contains(&us));

    let columns = [
        "ts_us",
        "ts_order_us",
        "ts_basis",
        "slot",
        "network",
        "node",
        "process",
        "source",
        "line",
        "offset_s",
        "method",
        "clock",
        "own_slot",
        "object_slot",
        "own_time_us",
        "object_time_us",
    ];
    let networks = told_networks(case);
    read(case, "clock_samples", &columns, &mut |row| {
        let Some(us) = row.i64("ts_us").or_else(|| row.i64("ts_order_us")) else {
            return;
        };
        if !inside(us) {
            return;
        }
        match sample(&row, us, &networks) {
            Ok(sample) => input.samples.push(sample),
            Err(Some(problem)) => {
                problems
                    .entry(row.text("node"))
                    .or_default()
                    .insert(problem.to_owned());
            }
            Err(None) => {}
        }
    })?;
    let columns = [
        "ts_us",
        "ts_basis",
        "slot",
        "network",
        "node",
        "process",
        "source",
        "line",
        "own_slot",
        "own_time_us",
    ];
    // Lines that print times are clock samples already; those that print slots are not.
    read(case, "rejections", &columns, &mut |row| {
        if let Some(us) = row.i64("ts_us").filter(|us| inside(*us))
            && row.i64("own_time_us").is_none()
            && let Some(sample) = believed(&row, us, "propagation_range", &networks)
        {
            input.samples.push(sample);
        }
    })?;
    let columns = [
        "ts_us",
        "ts_order_us",
        "node",
        "source",
        "line",
        "server",
        "midpoint_us",
        "radius_us",
        "delay_us",
    ];
    read(case, "roughtime_replies", &columns, &mut |row| {
        let us = row.i64("ts_us").or_else(|| row.i64("ts_order_us"));
        if let (Some(us), Some(midpoint_us)) = (us.filter(|us| inside(*us)), row.i64("midpoint_us"))
        {
            input.replies.push(Reply {
                us,
                node: row.text("node"),
                server: row.text("server"),
                midpoint_us,
                radius_us: row.i64("radius_us").unwrap_or(0),
                delay_us: row.i64("delay_us").unwrap_or(0),
                reference: row.reference(),
            });
        }
    })?;
    // Nodes that only observations name.
    let known: BTreeSet<String> = input.nodes.iter().map(|node| node.node.clone()).collect();
    let named: BTreeSet<String> = input
        .samples
        .iter()
        .map(|sample| sample.node.clone())
        .chain(problems.keys().cloned())
        .filter(|node| !known.contains(node))
        .collect();
    input.nodes.extend(named.into_iter().map(|node| NodeFacts {
        node,
        ..NodeFacts::default()
    }));
    for node in &mut input.nodes {
        node.problems
            .extend(problems.remove(&node.node).into_iter().flatten());
    }
    Ok(estimate(&input))
}

/// What tells a program from the others of its node: its role, else the source it writes.
fn program_name(source: &str, role: Option<&str>) -> String {
    role.unwrap_or(source).to_owned()
}

/// The roles of processes, by source and number. What judges the machine's own clock (chronyd) has that of the
/// machine.
fn roles(case: &Case) -> BTreeMap<(String, u32), String> {
    let processes = case.manifest().processes.iter();
    processes
        .filter_map(|process| {
            let role = match process.client.as_str() {
                model::SYSTEM_CLIENT => model::SYSTEM_CLIENT.to_owned(),
                _ => process.role.clone()?,
            };
            Some(((process.source.clone(), process.number), role))
        })
        .collect()
}

/// Makes a sample of a row; an error says what such lines cannot tell, if that is worth saying.
fn sample(row: &Row<'_>, us: i64, networks: &[Network]) -> Result<Sample, Option<&'static str>> {
    let method = row.text("method");
    if method == "reported" {
        let offset_s = row.f64("offset_s").ok_or(None)?;
        let clock = if row.text("clock") == "stamp" {
            Clock::Stamp
        } else {
            Clock::Slot
        };
        return Ok(Sample {
            us,
            node: row.text("node"),
            program: row.program(),
            clock,
            offset_s,
            uncertainty_s: 0.5,
            method,
            zone_assumed: false,
            reference: row.reference(),
        });
    }
    if let Some(sample) = row
        .i64("ts_us")
        .and_then(|us| believed(row, us, &method, networks))
    {
        return Ok(sample);
    }
    let differ = match (
        row.i64("own_slot"),
        row.i64("object_slot"),
        row.f64("offset_s"),
    ) {
        (Some(own), Some(object), _) => own != object,
        (_, _, Some(offset_s)) => offset_s.abs() > 2.0,
        _ => false,
    };
    if differ {
        Err(Some(
            "its slots differ from those of others, but whose clock is wrong needs dated lines and the network's genesis",
        ))
    } else {
        Err(None)
    }
}

/// The networks that the case was told about, beside the known ones.
fn told_networks(case: &Case) -> Vec<Network> {
    let kept = case.manifest().networks.iter();
    kept.filter_map(|kept| {
        let network = Network::from_config_yaml(&kept.config, Some(kept.genesis_time_s)).ok()?;
        Some(Network {
            name: kept.name.clone(),
            ..network
        })
    })
    .collect()
}

/// Slots further from the stamp than this are another network's, or the year is wrong: the worst clock
/// that is known was a day off (a time server of Medalla, 14 August 2020).
const OTHER_NETWORK_US: u64 = 10 * 86_400 * 1_000_000;

/// The node's own idea of the time, against the stamp of the line.
fn believed(row: &Row<'_>, us: i64, method: &str, networks: &[Network]) -> Option<Sample> {
    let (offset_s, uncertainty_s) = if let Some(own_us) = row.i64("own_time_us") {
        // Both are cut to the second.
        ((own_us - us) as f64 / 1e6, 1.0)
    } else {
        let name = row.text("network");
        let told = networks.iter().find(|network| network.name == name);
        let network = told.or_else(|| Network::by_name(&name))?;
        let slot = row
            .i64("own_slot")
            .filter(|slot| (0..1 << 40).contains(slot))?;
        let half_s = network.seconds_per_slot as f64 / 2.0;
        // The slot says the time to within its length, and the line may be written a moment later.
        let middle_us = network.slot_start_us(slot) + network.seconds_per_slot * 500_000;
        if middle_us.abs_diff(us) > OTHER_NETWORK_US {
            return None;
        }
        ((middle_us - us) as f64 / 1e6, half_s + 1.0)
    };
    Some(Sample {
        us,
        node: row.text("node"),
        program: row.program(),
        clock: Clock::Slot,
        offset_s,
        uncertainty_s,
        method: method.to_owned(),
        zone_assumed: matches!(row.text("ts_basis").as_str(), "assumed" | "none" | ""),
        reference: row.reference(),
    })
}

/// One row of a batch.
struct Row<'a> {
    batch: &'a Batch,
    row: usize,
    roles: &'a BTreeMap<(String, u32), String>,
}

impl Row<'_> {
    fn i64(&self, name: &str) -> Option<i64> {
        self.batch.column(name)?.i64(self.row)
    }

    fn f64(&self, name: &str) -> Option<f64> {
        self.batch.column(name)?.f64(self.row)
    }

    fn text(&self, name: &str) -> String {
        let column = self.batch.column(name);
        column
            .and_then(|column| column.text(self.row))
            .unwrap_or_default()
            .to_owned()
    }

    fn program(&self) -> String {
        let source = self.text("source");
        let process = self
            .i64("process")
            .and_then(|number| u32::try_from(number).ok());
        let key = (source, process.unwrap_or(u32::MAX));
        program_name(&key.0, self.roles.get(&key).map(String::as_str))
    }

    fn reference(&self) -> String {
        format!("{}:{}", self.text("source"), self.i64("line").unwrap_or(0))
    }
}

fn read(
    case: &Case,
    kind: &str,
    columns: &[&str],
    each: &mut dyn FnMut(Row<'_>),
) -> Result<(), CaseError> {
    let table = TableId::Obs(kind.to_owned());
    let roles = roles(case);
    // What several sources of a process say is said once.
    let duplicates = case.duplicates()?;
    case.read(&table, Some(columns), &RowFilter::All, &mut |batch| {
        for row in 0..batch.rows() {
            let number = batch.column("line").and_then(|line| line.i64(row));
            let source = batch.column("source").and_then(|source| source.text(row));
            let line = number.map_or(0, |line| line.max(0) as u64);
            if duplicates.is_copy(source.unwrap_or_default(), line) {
                continue;
            }
            each(Row {
                batch: &batch,
                row,
                roles: &roles,
            });
        }
        Ok(())
    })
}

/// The nodes of the manifest with the zone of their stamps. A node whose processes have several zones shows
/// that of the most lines, the others as alternatives.
fn nodes(case: &Case) -> Vec<NodeFacts> {
    let manifest = case.manifest();
    let processes: BTreeMap<(&str, u32), &Process> = manifest
        .processes
        .iter()
        .map(|process| ((process.source.as_str(), process.number), process))
        .collect();
    let mut pieces: BTreeMap<(&str, u32), Vec<&Piece>> = BTreeMap::new();
    for source in &manifest.sources {
        for piece in &source.pieces {
            let of = pieces.entry((&source.digest, piece.process)).or_default();
            of.push(piece);
        }
    }
    manifest
        .nodes
        .iter()
        .map(|node| {
            let mut zones: BTreeMap<(Option<i32>, String), (u64, Option<f64>)> = BTreeMap::new();
            let mut alternatives: Vec<ZoneAlternative> = Vec::new();
            let mut programs: BTreeMap<String, Program> = BTreeMap::new();
            let mut clients: BTreeMap<String, u64> = BTreeMap::new();
            let process_of = |(digest, number): &(String, u32)| {
                processes.get(&(digest.as_str(), *number)).copied()
            };
            let is_machines = |of: &(String, u32)| {
                process_of(of).is_some_and(|process| process.client == model::SYSTEM_CLIENT)
            };
            let has_clients = !node.processes.iter().all(is_machines);
            for of in &node.processes {
                let (digest, number) = of;
                let Some(source) = manifest.source(digest) else {
                    continue;
                };
                let machines = is_machines(of);
                let process = process_of(of);
                let role = process.and_then(|process| process.role.clone());
                let named = if machines {
                    Some(model::SYSTEM_CLIENT)
                } else {
                    role.as_deref()
                };
                let program = programs
                    .entry(program_name(digest, named))
                    .or_insert_with(|| Program {
                        role: role.clone(),
                        last_us: None,
                    });
                program.last_us = program.last_us.max(source.last_ts_us);
                // What its machine wrote has the journal's zone: a node's is its clients'.
                if machines && has_clients {
                    continue;
                }
                if let Some(process) = process {
                    let lines = process.last_line.saturating_sub(process.first_line) + 1;
                    *clients.entry(process.client.clone()).or_default() += lines;
                }
                let pieces = pieces.get(&(digest.as_str(), *number));
                for piece in pieces.into_iter().flatten() {
                    let lines = piece.last_line.saturating_sub(piece.first_line) + 1;
                    let entry = zones
                        .entry((piece.zone_seconds, piece.basis.clone()))
                        .or_insert((0, piece.residual_s));
                    entry.0 += lines;
                    if let (Some(best), Some(other)) = (entry.1, piece.residual_s) {
                        entry.1 = Some(best.min(other));
                    }
                    for other in &piece.alternatives {
                        let shown = ZoneAlternative {
                            value: other.zone_seconds.map(format_offset),
                            why: other.why.clone(),
                            residual_s: other.residual_s,
                        };
                        if !alternatives.contains(&shown) {
                            alternatives.push(shown);
                        }
                    }
                }
            }
            let mut ranked: Vec<_> = zones.into_iter().collect();
            ranked.sort_by(|a, b| (b.1.0, &a.0).cmp(&(a.1.0, &b.0)));
            let mut ranked = ranked.into_iter();
            let zone = match ranked.next() {
                Some(((seconds, basis), (_, residual_s))) => {
                    for ((other, basis), (lines, residual_s)) in ranked {
                        if other != seconds {
                            alternatives.push(ZoneAlternative {
                                value: other.map(format_offset),
                                why: format!("{lines} lines of other processes ({basis})"),
                                residual_s,
                            });
                        }
                    }
                    Zone {
                        value: seconds.map(format_offset),
                        basis,
                        residual_s,
                        alternatives,
                    }
                }
                None => Zone {
                    basis: "none".to_owned(),
                    ..Zone::default()
                },
            };
            NodeFacts {
                node: node.name.clone(),
                client: clients
                    .into_iter()
                    .filter(|(client, _)| !client.is_empty())
                    .max_by_key(|(client, lines)| (*lines, std::cmp::Reverse(client.clone())))
                    .map(|(client, _)| client),
                zone,
                programs,
                problems: Vec::new(),
            }
        })
        .collect()
}
