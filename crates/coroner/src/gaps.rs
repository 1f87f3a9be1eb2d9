//! `info --gaps`: what the evidence should have and lacks.

use crate::{Error, Evidence, Gap, Window};
use case::{Manifest, Source, SourceKind, TableId};
use model::time::{MICROS_PER_SECOND, format_utc};
use model::{Level, RowFilter};
use std::collections::{BTreeMap, BTreeSet};

/// Shorter silences are never called gaps.
const LEAST_US: i64 = 10 * 60 * MICROS_PER_SECOND;
/// A gap is this many times longer than nine in ten of the node's pauses.
const TIMES: i64 = 20;
/// A start line stands among the first so many lines of a process.
const START_LINES: u64 = 50;
/// Fewer records show no floor.
const LEAST_LEVELS: u64 = 50;
/// `kubectl logs -l` shows so many lines of each pod unless it is told otherwise.
const KUBECTL_TAIL: u64 = 10;
/// Kibana and Elasticsearch give no more rows unless they are asked in another way.
const ELASTIC_ROWS: u64 = 10_000;

/// A moment of a node, and where it is written.
type Moment = (i64, u32, u64);

/// Records by level, and where the first stands.
type Levels = BTreeMap<Level, (u64, (u32, u64))>;
/// Starts, stops and panics by source and line: what, process, time.
type Life = BTreeMap<(String, u64), (String, u32, Option<i64>)>;

/// What one pass over the records tells.
#[derive(Default)]
struct Seen {
    /// Digests by place.
    sources: Vec<String>,
    /// When each node wrote.
    moments: BTreeMap<String, Vec<Moment>>,
    /// Physical lines and records by source and process.
    counts: BTreeMap<(u32, u32), (u64, u64)>,
    /// Records by node, client and level.
    levels: BTreeMap<(String, String), Levels>,
    /// Lines of starts, by source and process.
    starts: BTreeMap<(u32, u32), Vec<u64>>,
    /// The last time of each process, and the line.
    last: BTreeMap<(u32, u32), (i64, u64)>,
}

impl Evidence {
    /// Returns what the evidence should have and lacks: silences longer than a node's habit (ten minutes, and
    /// twenty times the pause that nine in ten stay below), processes without their start, exports that were
    /// cut, levels that were left out, nodes that others speak of.
    ///
    /// # Errors
    /// If the case cannot be read.
    pub fn gaps(&self, window: &Window) -> Result<Vec<Gap>, Error> {
        let seen = self.look(window)?;
        let life = self.life()?;
        let manifest = self.manifest();
        let mut gaps = silences(&seen);
        gaps.extend(starts(manifest, &life, &seen));
        gaps.extend(cut_exports(manifest, &seen));
        gaps.extend(floors(&seen));
        gaps.extend(absent(manifest));
        gaps.sort();
        Ok(gaps)
    }

    fn look(&self, window: &Window) -> Result<Seen, Error> {
        let mut seen = Seen::default();
        let mut places: BTreeMap<String, u32> = BTreeMap::new();
        let columns = [
            "ts_us", "node", "client", "level", "source", "process", "line", "lines", "kind",
        ];
        let table = TableId::Records;
        self.case
            .read(&table, Some(&columns), &RowFilter::All, &mut |batch| {
                let text = |name: &str, row: usize| {
                    let column = batch.column(name);
                    column.and_then(|column| column.text(row)).unwrap_or("")
                };
                let number =
                    |name: &str, row: usize| batch.column(name).and_then(|column| column.i64(row));
                for row in 0..batch.rows() {
                    let source = text("source", row);
                    let place = match places.get(source) {
                        Some(place) => *place,
                        None => {
                            let place = seen.sources.len() as u32;
                            seen.sources.push(source.to_owned());
                            places.insert(source.to_owned(), place);
                            place
                        }
                    };
                    let process = number("process", row).map_or(0, |number| number.max(0) as u32);
                    let line = number("line", row).map_or(0, |line| line.max(0) as u64);
                    let lines = number("lines", row).map_or(1, |lines| lines.max(1) as u64);
                    let count = seen.counts.entry((place, process)).or_default();
                    *count = (count.0 + lines, count.1 + 1);
                    if text("kind", row).starts_with("lifecycle.start") {
                        seen.starts.entry((place, process)).or_default().push(line);
                    }
                    let ts = number("ts_us", row);
                    if let Some(us) = ts {
                        let last = seen.last.entry((place, process)).or_insert((us, line));
                        *last = (*last).max((us, line));
                    }
                    let Some(us) = ts.filter(|us| window.contains(*us)) else {
                        continue;
                    };
                    // Machines speak on when their clients are silent, and have no floor: few of their lines
                    // tell a level at all.
                    if text("client", row) == model::SYSTEM_CLIENT {
                        continue;
                    }
                    let node = text("node", row);
                    let moment = (us, place, line);
                    match seen.moments.get_mut(node) {
                        Some(list) => list.push(moment),
                        None => {
                            seen.moments.insert(node.to_owned(), vec![moment]);
                        }
                    }
                    if let Some(level) = Level::from_name(text("level", row)) {
                        let key = (node.to_owned(), text("client", row).to_owned());
                        let counts = seen.levels.entry(key).or_default();
                        counts.entry(level).or_insert((0, (place, line))).0 += 1;
                    }
                }
                Ok(())
            })?;
        Ok(seen)
    }

    /// Starts, stops and panics by source and line.
    fn life(&self) -> Result<Life, Error> {
        let mut life = BTreeMap::new();
        let columns = ["what", "source", "process", "line", "ts_us"];
        let table = TableId::Obs("lifecycle".to_owned());
        self.case
            .read(&table, Some(&columns), &RowFilter::All, &mut |batch| {
                for row in 0..batch.rows() {
                    let text = |name: &str| {
                        let column = batch.column(name);
                        column
                            .and_then(|column| column.text(row))
                            .unwrap_or("")
                            .to_owned()
                    };
                    let number = |name: &str| batch.column(name).and_then(|column| column.i64(row));
                    let process = number("process").map_or(0, |number| number.max(0) as u32);
                    let line = number("line").map_or(0, |line| line.max(0) as u64);
                    life.insert(
                        (text("source"), line),
                        (text("what"), process, number("ts_us")),
                    );
                }
                Ok(())
            })?;
        Ok(life)
    }
}

fn silences(seen: &Seen) -> Vec<Gap> {
    let mut gaps = Vec::new();
    for (node, moments) in &seen.moments {
        let mut list = moments.clone();
        list.sort_unstable();
        list.dedup_by_key(|moment| moment.0);
        let mut pauses: Vec<i64> = list.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        pauses.sort_unstable();
        let Some(usual) = pauses.get(pauses.len().saturating_sub(1) * 9 / 10).copied() else {
            continue;
        };
        let limit = LEAST_US.max(usual.saturating_mul(TIMES));
        for pair in list.windows(2).filter(|pair| pair[1].0 - pair[0].0 > limit) {
            let reference =
                |moment: &Moment| format!("{}:{}", seen.sources[moment.1 as usize], moment.2);
            gaps.push(Gap {
                kind: "silence",
                node: Some(node.clone()),
                from: Some(format_utc(pair[0].0)),
                to: Some(format_utc(pair[1].0)),
                why: format!(
                    "no record for {} s; nine in ten pauses are at most {} s",
                    (pair[1].0 - pair[0].0) / MICROS_PER_SECOND,
                    (usual + MICROS_PER_SECOND - 1) / MICROS_PER_SECOND
                ),
                basis: "observed",
                refs: vec![reference(&pair[0]), reference(&pair[1])],
            });
        }
    }
    gaps
}

/// Programs whose first record is no start, and programs that went on after a stop without a new start.
fn starts(manifest: &Manifest, life: &Life, seen: &Seen) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let place = |digest: &str| {
        let at = seen.sources.iter().position(|source| source == digest);
        at.map(|at| at as u32)
    };
    let pieces = crate::nodes::starts(manifest);
    let mut earliest: BTreeMap<(&str, &str, Option<&str>), (i64, &case::Process)> = BTreeMap::new();
    for process in &manifest.processes {
        let piece = pieces.get(&(process.source.as_str(), process.number));
        let Some(first) = piece.and_then(|piece| ingest::piece_start_us(piece)) else {
            continue;
        };
        let key = (
            process.node.as_deref().unwrap_or(""),
            process.client.as_str(),
            process.role.as_deref(),
        );
        let before = earliest.entry(key).or_insert((first, process));
        if (first, &process.source, process.number) < (before.0, &before.1.source, before.1.number)
        {
            *before = (first, process);
        }
    }
    for ((node, client, role), (first, process)) in earliest {
        // A journal begins where it was cut, not where the machine starts.
        if client.is_empty() || client == model::SYSTEM_CLIENT {
            continue;
        }
        let at = place(&process.source).unwrap_or(u32::MAX);
        let starts = seen.starts.get(&(at, process.number));
        let started = starts.is_some_and(|starts| {
            let first = process.first_line;
            starts
                .iter()
                .any(|line| (first..=first + START_LINES).contains(line))
        });
        if !started {
            gaps.push(Gap {
                kind: "no_start",
                node: Some(node.to_owned()),
                from: None,
                to: Some(format_utc(first)),
                why: format!(
                    "the first record of {client}{} is no start: what came before is not in the evidence",
                    role.map_or(String::new(), |role| format!(" ({role})"))
                ),
                basis: "observed",
                refs: vec![format!("{}:{}", process.source, process.first_line)],
            });
        }
    }
    let processes: BTreeMap<(&str, u32), &case::Process> = manifest
        .processes
        .iter()
        .map(|process| ((process.source.as_str(), process.number), process))
        .collect();
    for ((source, line), (what, number, ts)) in life {
        if what != "stop" && what != "panic" {
            continue;
        }
        // What stops by the word of the kernel or of systemd is another program than the one that says so.
        let process = processes.get(&(source.as_str(), *number));
        if process.is_some_and(|process| process.client == model::SYSTEM_CLIENT) {
            continue;
        }
        let last = place(source).and_then(|place| seen.last.get(&(place, *number)));
        let (Some(ts), Some((last_us, last_line))) = (ts, last) else {
            continue;
        };
        // Shutting down takes a while, and a second stop line is of the same stop.
        const SHUTDOWN_US: i64 = 120 * MICROS_PER_SECOND;
        let later = life
            .range((source.clone(), line + 1)..=(source.clone(), u64::MAX))
            .any(|(_, (what, other, _))| {
                other == number && matches!(what.as_str(), "stop" | "panic" | "start")
            });
        if last_us - ts > SHUTDOWN_US && !later {
            gaps.push(Gap {
                kind: "restart_without_start",
                node: process.and_then(|process| process.node.clone()),
                from: Some(format_utc(*ts)),
                to: Some(format_utc(*last_us)),
                why: format!("it wrote on after a {what} without a start: the start is missing"),
                basis: "inferred",
                refs: vec![format!("{source}:{line}"), format!("{source}:{last_line}")],
            });
        }
    }
    gaps
}

/// Exports whose size says that they were cut.
fn cut_exports(manifest: &Manifest, seen: &Seen) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut gap = |source: &Source, why: String| {
        gaps.push(Gap {
            kind: "cut_export",
            node: source.node.clone(),
            from: None,
            to: source.first_ts_us.map(format_utc),
            why,
            basis: "inferred",
            refs: vec![source.digest.clone()],
        });
    };
    for source in manifest
        .sources
        .iter()
        .filter(|s| s.kind == SourceKind::Log)
    {
        let place = seen
            .sources
            .iter()
            .position(|digest| *digest == source.digest);
        let place = place.map_or(u32::MAX, |place| place as u32);
        let mut streams: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for piece in &source.pieces {
            streams.entry(&piece.stream).or_default();
        }
        let mut counted: BTreeSet<u32> = BTreeSet::new();
        for piece in &source.pieces {
            let count = seen
                .counts
                .get(&(place, piece.process))
                .filter(|_| counted.insert(piece.process));
            if let (Some(count), Some(sum)) = (count, streams.get_mut(piece.stream.as_str())) {
                *sum = (sum.0 + count.0, sum.1 + count.1);
            }
        }
        let tails = streams
            .values()
            .filter(|(lines, records)| *lines == KUBECTL_TAIL || *records == KUBECTL_TAIL)
            .count();
        let elastic = source
            .wrappers
            .iter()
            .any(|kind| matches!(kind.as_str(), "kibana-csv" | "elastic" | "loki"));
        if streams.len() > 1 && 2 * tails > streams.len() {
            gap(
                source,
                format!(
                    "{tails} of {} pods have exactly {KUBECTL_TAIL} lines: `kubectl logs -l` shows no more without --tail=-1",
                    streams.len()
                ),
            );
        } else if source.records.max(1) % ELASTIC_ROWS == 0 && elastic {
            gap(
                source,
                format!(
                    "exactly {} rows: the export's limit, not the end of the log",
                    source.records
                ),
            );
        } else if is_round(source.lines) {
            gap(
                source,
                format!(
                    "exactly {} lines: a --tail or a limit, not the whole log",
                    source.lines
                ),
            );
        } else if source.bytes >= 1 << 20 && source.bytes.is_multiple_of(1 << 20) {
            gap(
                source,
                format!(
                    "exactly {} MiB: a size limit, not the whole log",
                    source.bytes >> 20
                ),
            );
        }
    }
    gaps
}

/// 10, 100, 200, 500, 1,000, 2,000 … : what people type as a limit.
fn is_round(lines: u64) -> bool {
    if lines == KUBECTL_TAIL {
        return true;
    }
    let mut unit = 100;
    while unit <= lines {
        if [1, 2, 3, 5].iter().any(|times| unit * times == lines) {
            return true;
        }
        unit *= 10;
    }
    false
}

/// Programs of which only the worst was kept.
fn floors(seen: &Seen) -> Vec<Gap> {
    let mut lowest: BTreeMap<&str, Level> = BTreeMap::new();
    for ((_, client), levels) in &seen.levels {
        if let Some(level) = levels.keys().next() {
            let low = lowest.entry(client).or_insert(*level);
            *low = (*low).min(*level);
        }
    }
    let mut gaps = Vec::new();
    for ((node, client), levels) in &seen.levels {
        let count: u64 = levels.values().map(|(count, _)| count).sum();
        let Some((floor, (_, place))) = levels.iter().next() else {
            continue;
        };
        let others = lowest.get(client.as_str()).is_some_and(|low| low < floor);
        if client.is_empty() || count < LEAST_LEVELS || !(*floor > Level::Info || others) {
            continue;
        }
        gaps.push(Gap {
            kind: "level_floor",
            node: Some(node.clone()),
            from: None,
            to: None,
            why: format!(
                "none of {count} records of {client} is below {}{}: lower levels were not logged or not exported",
                floor.name(),
                if others { ", other nodes of the client have them" } else { "" }
            ),
            basis: "observed",
            refs: vec![format!("{}:{}", seen.sources[place.0 as usize], place.1)],
        });
    }
    gaps
}

/// Nodes that others say they are connected to, of which the case has nothing.
fn absent(manifest: &Manifest) -> Vec<Gap> {
    let known = |host: &str| {
        let label = host.split('.').next().unwrap_or(host);
        manifest.nodes.iter().any(|node| {
            [host, label].contains(&node.name.as_str())
                || node.names.iter().any(|name| name == host || name == label)
        })
    };
    let mut hosts: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for process in &manifest.processes {
        let named = process.beacon_endpoints().iter();
        for (host, line) in named.filter(|(host, _)| !known(host)) {
            let refs = hosts.entry(host).or_default();
            refs.insert(format!("{}:{line}", process.source));
        }
    }
    hosts
        .into_iter()
        .map(|(host, refs)| Gap {
            kind: "absent_node",
            node: Some(host.to_owned()),
            from: None,
            to: None,
            why: "others say they are connected to it, the case has nothing of it".to_owned(),
            basis: "observed",
            refs: refs.into_iter().take(8).collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_round() {
        for lines in [10, 100, 500, 1000, 2000, 10_000, 50_000, 1_000_000] {
            assert!(is_round(lines), "{lines}");
        }
        for lines in [0, 1, 9, 11, 20, 99, 101, 1001, 1500, 12_000] {
            assert!(!is_round(lines), "{lines}");
        }
    }
}
