//! `report`: gathers what a postmortem draft is made of.

use crate::{Error, Evidence, Level, TimelineFilter, Window, Zone};
use analysis::clock::ClockReport;
use analysis::trace::{Trace, TraceOptions};
use model::TableSource as _;
use model::time::parse_utc;
use report::postmortem::{
    PostmortemCause, PostmortemClock, PostmortemEvent, PostmortemFinding, PostmortemInput,
    PostmortemNode, PostmortemSource, PostmortemStep, PostmortemTrace, PostmortemUnknown,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Rows of the draft's timeline.
const EVENTS: usize = 60;
/// Transactions that the draft follows.
const TRACES: usize = 3;
/// A message that the same node repeats within this time is one row.
const REPEAT_US: i64 = 60 * 60 * model::time::MICROS_PER_SECOND;

/// What the caller decides about a draft.
#[derive(Clone, Debug, Default)]
pub struct DraftOptions {
    /// A second zone for times.
    pub local_zone: Option<Zone>,
    /// The snapshot to follow transactions in.
    pub snapshot: Option<String>,
    /// Hashes to follow; without any the program chooses.
    pub keys: Vec<String>,
    /// Name and version of the program.
    pub tool: String,
}

impl Evidence {
    /// Returns the draft of a postmortem in Markdown: every statement with its references.
    ///
    /// # Errors
    /// If the case cannot be read or a key is malformed.
    pub fn draft(&self, window: &Window, options: &DraftOptions) -> Result<String, Error> {
        let triage = self.triage()?;
        let clocks = self.clock(window)?;
        let (timeline, left_out) = self.chosen_events(window)?;
        let input = PostmortemInput {
            title: "Postmortem".into(),
            tool: options.tool.clone(),
            case: crate::evidence::shown(self.named()),
            seal: Some(self.seal()?),
            window: window.is_given().then(|| {
                let info = self.info();
                let edge = |time: Option<String>| time.and_then(|t| parse_utc(&t)).unwrap_or(0);
                (
                    window
                        .from_us
                        .unwrap_or_else(|| edge(info.totals.first_ts.clone())),
                    window
                        .to_us
                        .unwrap_or_else(|| edge(info.totals.last_ts.clone())),
                )
            }),
            local_zone: options.local_zone,
            networks: self.networks(),
            nodes: self.draft_nodes(),
            sources: self.draft_sources(),
            timeline,
            timeline_left_out: left_out,
            timeline_rule: format!(
                "records of level warn and worse, starts, stops and panics; what a node \
                 repeats within an hour is one row; at most {EVENTS} rows, the most severe first"
            ),
            findings: triage.findings.iter().map(finding).collect(),
            clocks: clock_rows(&clocks),
            traces: self.draft_traces(&triage, options)?,
            cannot_say: triage
                .cannot_say
                .iter()
                .map(|unknown| PostmortemUnknown {
                    what: unknown.what.clone(),
                    why: unknown.why.clone(),
                    fetch: unknown.fetch.clone(),
                })
                .collect(),
            not_run: triage
                .not_run
                .iter()
                .map(|detector| (detector.detector.clone(), detector.missing.clone()))
                .collect(),
        };
        Ok(report::postmortem(&input))
    }

    fn draft_nodes(&self) -> Vec<PostmortemNode> {
        self.nodes()
            .into_iter()
            .map(|node| {
                let versions: Vec<&str> =
                    node.versions.iter().map(|v| v.version.as_str()).collect();
                let versions = versions.join(", ");
                let clients = if versions.is_empty() {
                    node.clients
                } else {
                    vec![format!("{} {versions}", node.clients.join(", "))]
                };
                PostmortemNode {
                    name: node.node,
                    clients,
                }
            })
            .collect()
    }

    fn draft_sources(&self) -> Vec<PostmortemSource> {
        let info = self.info();
        let rows_of = |digest: &str| -> u64 {
            self.manifest()
                .snapshots
                .iter()
                .filter(|snapshot| snapshot.source == digest)
                .flat_map(|snapshot| &snapshot.tables)
                .map(|table| table.own_rows())
                .sum()
        };
        let kind_of = |digest: &str| {
            info.snapshots
                .iter()
                .find(|snapshot| snapshot.source == digest)
                .map(|snapshot| snapshot.kind.clone())
        };
        info.sources
            .iter()
            .map(|source| PostmortemSource {
                id: source.id.clone(),
                digest: source.digest.clone(),
                path: source.path.clone(),
                sha256: source.sha256.clone(),
                bytes: source.bytes,
                format: source
                    .format
                    .clone()
                    .or_else(|| kind_of(&source.digest))
                    .unwrap_or_else(|| "-".into()),
                node: source.node.clone(),
                records: source.records + rows_of(&source.digest),
                rejected: source.rejected.clone().into_iter().collect(),
                undated: source.undated,
                span: source
                    .first_ts
                    .as_deref()
                    .and_then(parse_utc)
                    .zip(source.last_ts.as_deref().and_then(parse_utc)),
                zone: source.zone.value.clone(),
                zone_basis: Some(source.zone.basis.clone()),
                zone_alternatives: source
                    .zone
                    .alternatives
                    .iter()
                    .filter_map(|other| other.value.clone())
                    .collect(),
                status: serde_json::to_value(source.status)
                    .ok()
                    .and_then(|status| status.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                problems: source
                    .problems
                    .iter()
                    .map(|problem| format!("byte {}: {}", problem.byte, problem.what))
                    .collect(),
            })
            .collect()
    }

    /// Chooses the rows of the timeline; returns them and how many records are left out.
    fn chosen_events(&self, window: &Window) -> Result<(Vec<PostmortemEvent>, u64), Error> {
        let mut events: Vec<(Level, PostmortemEvent)> = Vec::new();
        // The row that stands for a message of a node, and when the last one like it came.
        let mut open: BTreeMap<(String, String), (usize, i64)> = BTreeMap::new();
        let mut seen = 0u64;
        self.timeline(&TimelineFilter::default(), window, &mut |row| {
            seen += 1;
            let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
            let mut level = Level::from_name(text("level")).unwrap_or(Level::Info);
            let kind = text("kind");
            // Most journals tell no level: that a program was killed is no less grave for it.
            let of_machine = text("client") == model::SYSTEM_CLIENT && is_of_note(kind);
            if of_machine {
                level = level.max(Level::Warn);
            }
            if level < Level::Warn && !kind.starts_with("lifecycle") {
                return Ok(());
            }
            let us = parse_utc(text("ts"));
            let order = us.or_else(|| parse_utc(text("ts_order"))).unwrap_or(0);
            // Which program it was stands in the message.
            let what = if kind.is_empty() || of_machine {
                text("message")
            } else {
                kind
            };
            let key = (text("node").to_owned(), what.to_owned());
            if let Some((at, last)) = open.get_mut(&key)
                && order - *last <= REPEAT_US
            {
                *last = order;
                let event = &mut events[*at].1;
                event.times += 1;
                if event.refs.len() < 2 {
                    event.refs.push(text("ref").to_owned());
                }
                return Ok(());
            }
            open.insert(key, (events.len(), order));
            events.push((level, event(&row, us)));
            Ok(())
        })?;
        let shown: u64 = events.iter().map(|(_, event)| event.times).sum();
        let mut cut = 0;
        if events.len() > EVENTS {
            // The most severe stay; among equals the earliest.
            let mut order: Vec<usize> = (0..events.len()).collect();
            order.sort_by_key(|at| (std::cmp::Reverse(events[*at].0), *at));
            let mut keep = vec![false; events.len()];
            order.iter().take(EVENTS).for_each(|at| keep[*at] = true);
            let mut at = 0;
            events.retain(|(_, event)| {
                at += 1;
                cut += if keep[at - 1] { 0 } else { event.times };
                keep[at - 1]
            });
        }
        let left_out = seen - shown + cut;
        Ok((
            events.into_iter().map(|(_, event)| event).collect(),
            left_out,
        ))
    }

    fn draft_traces(
        &self,
        triage: &detect::Triage,
        options: &DraftOptions,
    ) -> Result<Vec<PostmortemTrace>, Error> {
        let mut wanted: Vec<(String, Option<String>)> =
            options.keys.iter().map(|key| (key.clone(), None)).collect();
        if wanted.is_empty() {
            wanted = self
                .pasted_hashes()
                .into_iter()
                .map(|(hash, path)| (hash, Some(format!("it stands in {path}"))))
                .collect();
        }
        if wanted.is_empty() {
            wanted.extend(suggested_key(triage).map(|key| {
                let why = "chosen as the newest message to L1 in the snapshot";
                (key, Some(why.to_owned()))
            }));
        }
        let mut traces: Vec<PostmortemTrace> = Vec::new();
        let mut seen: Vec<String> = Vec::new();
        for (key, why) in wanted {
            let Some(found) = self.follow(&key, options.snapshot.as_deref()) else {
                continue;
            };
            // An L1 hash in a ticket mostly belongs to the way that is told already.
            let hashes = steps_of(&found)
                .into_iter()
                .filter_map(|step| step.l1_tx_hash);
            let told = seen.contains(&found.key);
            seen.push(found.key.clone());
            seen.extend(hashes);
            if !told {
                traces.push(draft_trace(&found, why));
            }
            if traces.len() == TRACES {
                break;
            }
        }
        Ok(traces)
    }

    /// Follows a key in the snapshot that knows most of its way.
    fn follow(&self, key: &str, snapshot: Option<&str>) -> Option<Trace> {
        let manifest = self.manifest();
        manifest
            .snapshots
            .iter()
            .filter(|known| snapshot.is_none_or(|wanted| wanted == known.name))
            .filter_map(|known| {
                let tables = self.case().table_source(Some(&known.name));
                let options = TraceOptions {
                    as_of_us: None,
                    dumped_at_us: known.as_of_us,
                    dumped_local_us: known.as_of_local_us,
                    zone: self.clock_zone(known),
                    ..TraceOptions::default()
                };
                if tables.tables().is_empty() {
                    return None;
                }
                analysis::trace::trace(&tables, key, &options).ok()
            })
            .filter(|trace| trace.fate != "unknown_hash")
            .max_by_key(|trace| (trace.refs.len(), trace.snapshot.clone()))
    }

    /// Returns the hashes that people wrote into tickets and pasted tables, in order of appearance.
    fn pasted_hashes(&self) -> Vec<(String, String)> {
        const READ: u64 = 1 << 20;
        let pattern =
            regex::Regex::new(r"(?i)(?:0x|\\x)([0-9a-f]{64})\b").expect("constant pattern");
        let manifest = self.manifest();
        let mut hashes: Vec<(String, String)> = Vec::new();
        for source in &manifest.sources {
            let pasted = manifest.snapshots.iter().any(|snapshot| {
                snapshot.source == source.digest && snapshot.kind.starts_with("psql")
            });
            if !pasted {
                continue;
            }
            let Ok(raw) = self.originals.bytes(source, 0, READ.min(source.bytes)) else {
                continue;
            };
            let text = String::from_utf8_lossy(&raw);
            for found in pattern.captures_iter(&text) {
                let hash = format!("0x{}", found[1].to_ascii_lowercase());
                if !hashes.iter().any(|(known, _)| *known == hash) {
                    hashes.push((hash, source.path.clone()));
                }
            }
        }
        hashes
    }
}

/// The key in the command that triage suggests.
fn suggested_key(triage: &detect::Triage) -> Option<String> {
    triage
        .next
        .iter()
        .filter(|command| command.starts_with("coroner trace "))
        .flat_map(|command| command.split(' '))
        .find(|word| word.starts_with("0x") && word.len() == 66)
        .map(str::to_owned)
}

/// Whether what a machine's own program said belongs into an incident's story.
fn is_of_note(kind: &str) -> bool {
    kind.starts_with("machine.")
        || matches!(
            kind,
            "clock.stepped" | "clock.reported_offset" | "clock.unsynchronised"
        )
}

fn event(row: &Map<String, Value>, us: Option<i64>) -> PostmortemEvent {
    let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or("");
    let mut said = String::new();
    if !text("component").is_empty() {
        said.push_str(text("component"));
        said.push_str(": ");
    }
    said.push_str(text("message"));
    if let Some(Value::Object(fields)) = row.get("fields") {
        for (key, value) in fields.iter().take(6) {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            said.push_str(&format!(" {key}={value}"));
        }
    }
    const LONGEST: usize = 240;
    if said.chars().count() > LONGEST {
        said = said.chars().take(LONGEST).chain(['…']).collect();
    }
    PostmortemEvent {
        us,
        ts_basis: text("ts_basis").to_owned(),
        node: text("node").to_owned(),
        level: row.get("level").and_then(Value::as_str).map(str::to_owned),
        text: said,
        times: 1,
        refs: vec![text("ref").to_owned()],
    }
}

fn finding(found: &detect::Finding) -> PostmortemFinding {
    PostmortemFinding {
        id: found.id.clone(),
        severity: found.severity.clone(),
        title: found.title.clone(),
        from_us: found.from.as_deref().and_then(parse_utc),
        to_us: found.to.as_deref().and_then(parse_utc),
        status: found.status.clone(),
        affected: (
            found.affected.n as u64,
            found.affected.of as u64,
            found.affected.unit.clone(),
        ),
        nodes: found.nodes.clone(),
        magnitude: found
            .magnitude
            .iter()
            .map(|(name, value)| {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                (name.clone(), value)
            })
            .collect(),
        basis: found.basis.clone(),
        scope: found.scope.clone(),
        witnesses: (
            found.witnesses.sources as u64,
            found.witnesses.nodes as u64,
            found.witnesses.independent as u64,
        ),
        causes: found
            .causes
            .iter()
            .map(|cause| PostmortemCause {
                text: cause.text.clone(),
                basis: cause.basis.clone(),
                confidence: cause.confidence.clone(),
                explains: cause.explains.clone(),
                does_not_explain: cause.does_not_explain.clone(),
                refs: cause.refs.clone(),
            })
            .collect(),
        caveats: found.caveats.clone(),
        refs: found.refs.clone(),
    }
}

/// Intervals in which a clock was off by more than the two seconds that clients warn at.
fn clock_rows(clocks: &ClockReport) -> Vec<PostmortemClock> {
    const OFF_S: f64 = 2.0;
    let mut rows = Vec::new();
    for node in &clocks.nodes {
        let both = [
            ("system clock", &node.stamp_clock),
            ("slot clock", &node.slot_clock),
        ];
        for (clock, intervals) in both {
            for interval in intervals.iter().filter(|i| i.offset_s.abs() > OFF_S) {
                let (Some(from_us), Some(to_us)) =
                    (parse_utc(&interval.from), parse_utc(&interval.to))
                else {
                    continue;
                };
                rows.push(PostmortemClock {
                    node: node.node.clone(),
                    clock: clock.into(),
                    from_us,
                    to_us,
                    offset_s: interval.offset_s,
                    uncertainty_s: Some(interval.uncertainty_s),
                    samples: interval.samples as u64,
                    methods: interval.methods.clone(),
                    refs: node.refs.clone(),
                });
            }
        }
    }
    rows
}

fn draft_trace(trace: &Trace, why: Option<String>) -> PostmortemTrace {
    PostmortemTrace {
        key: trace.key.clone(),
        why,
        fate: trace.fate.clone(),
        snapshot: trace.snapshot.clone(),
        as_of: trace
            .as_of
            .as_ref()
            .map(|as_of| format!("{} ({})", as_of.value, as_of.basis)),
        places: trace
            .path
            .iter()
            .map(|path| {
                let part = |name: &str, number: Option<i64>| number.map(|n| format!("{name} {n}"));
                let parts = [
                    part("miniblock", path.miniblock_number),
                    part("batch", path.l1_batch_number),
                ];
                parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
            })
            .collect(),
        steps: steps_of(trace),
        waiting: trace.waiting.as_ref().map(|waiting| {
            let since = waiting
                .since
                .as_ref()
                .map_or(String::new(), |since| format!(" since {since}"));
            format!("for {}{since}: {}", waiting.stage, waiting.verdict)
        }),
        warnings: trace.warnings.clone(),
        refs: trace.refs.clone(),
    }
}

fn steps_of(trace: &Trace) -> Vec<PostmortemStep> {
    let mut steps = Vec::new();
    for path in &trace.path {
        let named = [
            ("precommit", &path.precommit),
            ("commit", &path.commit),
            ("prove", &path.prove),
            ("execute", &path.execute),
        ];
        for (name, step) in named {
            let Some(step) = step else { continue };
            let name = match path.l1_batch_number {
                Some(batch) if trace.path.len() > 1 => format!("{name} of batch {batch}"),
                _ => name.to_owned(),
            };
            steps.push(PostmortemStep {
                name,
                state: step.state.clone().unwrap_or_else(|| "unknown".into()),
                l1_tx_hash: step.l1_tx_hash.clone(),
                noticed: step.confirmed_at.clone(),
                mined: step.l1_mined.as_ref().map(|mined| {
                    let edge = |time: &Option<String>| time.clone().unwrap_or_else(|| "?".into());
                    format!(
                        "not before {}, not after {}",
                        edge(&mined.not_before),
                        edge(&mined.not_after)
                    )
                }),
                attempts: step.attempts.as_ref().map_or(0, |tries| tries.len() as u64),
                refs: step.refs.clone(),
            });
        }
    }
    steps
}
