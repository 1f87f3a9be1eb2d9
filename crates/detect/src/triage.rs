//! The first screen: runs every detector, ranks what they found by harm, and says what it cannot.

use crate::activity::Activity;
use crate::endings::Endings;
use crate::finding::{CannotSay, EvidenceSummary, Finding, SnapshotSummary, Triage, rank};
use crate::overview::Overview;
use crate::programs::Programs;
use crate::skew::SkewInput;
use crate::{activity, crashes, gaps, silent, skew};
use case::{Case, CaseError, SourceKind, TableId};
use std::collections::{BTreeMap, BTreeSet};

/// The tables of a rollup's way to L1.
const TRACE_TABLES: [&str; 6] = [
    "l2_to_l1_logs",
    "transactions",
    "miniblocks",
    "l1_batches",
    "eth_txs",
    "eth_txs_history",
];

/// Commands under NEXT are for so many snapshots, those with most to trace first: nobody reads a hundred.
const MOST_SNAPSHOTS: usize = 4;

/// What the caller knows.
#[derive(Clone, Debug, Default)]
pub struct TriageOptions {
    /// The case as it was typed, for the commands under NEXT.
    pub case_name: String,
    /// Clocks as measured elsewhere; measured here if none are given.
    pub clocks: Option<SkewInput>,
}

/// Why there is no first screen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriageError {
    /// The case could not be read.
    #[error("cannot read the case")]
    Case(#[from] CaseError),
}

/// Runs the detectors over a case.
///
/// # Errors
/// If the case cannot be read. A case in which nothing is wrong has no findings.
pub fn triage(case: &Case, options: &TriageOptions) -> Result<Triage, TriageError> {
    let overview = Overview::of(case);
    let programs = Programs::of(case.manifest());
    let activities = activity::read(case, &programs)?;
    let nodes = &activities.nodes;
    let endings = Endings::read(case, &programs)?;
    let clocks = match &options.clocks {
        Some(clocks) => clocks.clone(),
        None => crate::clocks::measure(case, nodes)?,
    };
    let mut answer = Triage {
        evidence: evidence(case, &overview, nodes, options),
        ..Triage::default()
    };
    let (found, not_run) = skew::detect(&overview, &clocks);
    answer.findings.extend(found);
    answer.not_run.extend(not_run);
    let has_logs = case
        .manifest()
        .sources
        .iter()
        .any(|source| source.kind == SourceKind::Log);
    let (found, not_run) = silent::detect(case, &overview, &activities, &programs, &endings)?;
    answer.findings.extend(found);
    answer.not_run.extend(not_run);
    let causes = answer.findings.iter().flat_map(|found| &found.causes);
    let told = causes
        .flat_map(|cause| cause.refs.iter().cloned())
        .collect();
    let (found, not_run) = crashes::detect(&overview, &activities, &programs, &endings, &told);
    answer.findings.extend(found);
    answer.not_run.extend(not_run.filter(|_| has_logs));
    let (found, not_run) = gaps::detect(case, &overview, nodes)?;
    answer.findings.extend(found);
    answer.not_run.extend(not_run.filter(|_| has_logs));
    answer.findings.sort_by(|a, b| harm(a).cmp(&harm(b)));
    answer.cannot_say = cannot_say(case, &overview, &answer);
    answer.next = next(case, &answer);
    Ok(answer)
}

/// Worst first; among equals more nodes, longer, earlier.
fn harm(finding: &Finding) -> (usize, i64, i64, i64, &str) {
    let (from, to) = finding.span_us;
    (
        rank(&finding.severity),
        -(finding.affected.n as i64),
        from.saturating_sub(to),
        from,
        &finding.id,
    )
}

fn evidence(
    case: &Case,
    overview: &Overview,
    nodes: &BTreeMap<String, Activity>,
    options: &TriageOptions,
) -> EvidenceSummary {
    let manifest = case.manifest();
    let spans = || nodes.values().filter_map(|node| node.span_us);
    let (first, last) = (spans().map(|span| span.0), spans().map(|span| span.1));
    EvidenceSummary {
        sources: manifest.sources.len(),
        nodes: overview.nodes.len(),
        nodes_range: [overview.range.0, overview.range.1],
        records: manifest.sources.iter().map(|source| source.records).sum(),
        duplicates: manifest
            .sources
            .iter()
            .map(|source| source.duplicates)
            .sum(),
        first_ts: first.min().map(model::time::format_utc),
        last_ts: last.max().map(model::time::format_utc),
        snapshots: manifest
            .snapshots
            .iter()
            .map(|snapshot| SnapshotSummary {
                name: snapshot.name.clone(),
                tables: snapshot
                    .tables
                    .iter()
                    .filter(|table| table.rows > 0)
                    .count(),
                rows: snapshot.tables.iter().map(|table| table.rows).sum(),
                trace_tables: TRACE_TABLES
                    .iter()
                    .filter(|name| {
                        snapshot
                            .tables
                            .iter()
                            .any(|table| table.name == **name && table.rows > 0)
                    })
                    .map(|name| (*name).to_owned())
                    .collect(),
            })
            .collect(),
        case: options.case_name.clone(),
    }
}

fn cannot_say(case: &Case, overview: &Overview, answer: &Triage) -> Vec<CannotSay> {
    let tables: BTreeSet<TableId> = case.tables().into_iter().collect();
    let has = |kind: &str| tables.contains(&TableId::Obs(kind.to_owned()));
    let mut out = Vec::new();
    let mut say = |what: &str, why: String, fetch: &str| {
        out.push(CannotSay {
            what: what.to_owned(),
            why,
            fetch: fetch.to_owned(),
        });
    };
    let skewed = answer
        .findings
        .iter()
        .any(|finding| finding.kind == "slot_clock_skew");
    if !overview.nodes.is_empty() && !overview.networks.is_empty() {
        let n = overview.nodes.len();
        say(
            "whether the network finalized",
            format!(
                "the evidence is logs of {n} {}, no chain data",
                if n == 1 { "node" } else { "nodes" }
            ),
            "an epoch table or a chain database of the window, or logs of other operators",
        );
    }
    if skewed && !has("roughtime_replies") {
        say(
            "which time server lied",
            "no log has the servers' single replies".to_owned(),
            "debug logs with \"Response received from roughtime server\"",
        );
    }
    if !overview.assumed.is_empty() {
        say(
            "when exactly things happened where the zone is assumed",
            format!(
                "{} of {} nodes",
                overview.assumed.len(),
                overview.nodes.len()
            ),
            "a line of the same process with a zone or a slot, or say it: coroner amend --zone",
        );
    }
    let snapshots = &answer.evidence.snapshots;
    if snapshots
        .iter()
        .any(|snapshot| !snapshot.trace_tables.is_empty())
    {
        say(
            "when L1 mined a transaction, and whether a withdrawal was claimed",
            "the database only knows when the server noticed a receipt".to_owned(),
            "the L1 receipts of the hashes that trace prints",
        );
    }
    out
}

fn next(case: &Case, answer: &Triage) -> Vec<String> {
    let name = quoted(&answer.evidence.case);
    let mut next = Vec::new();
    if answer
        .findings
        .iter()
        .any(|finding| finding.kind.contains("clock"))
    {
        next.push(format!("coroner clock {name}"));
    }
    let worst = answer
        .findings
        .iter()
        .find(|finding| finding.from.is_some() && finding.to.is_some());
    if let Some(worst) = worst {
        let (from, to) = worst.span_us;
        let node = match worst.nodes.as_slice() {
            [one] if !one.is_empty() => format!(" --node {}", quoted(one)),
            _ => String::new(),
        };
        next.push(format!(
            "coroner timeline {name} --from {} --to {}{node}",
            model::time::format_utc_short(from.div_euclid(60_000_000) * 60_000_000),
            model::time::format_utc_short((to.div_euclid(60_000_000) + 1) * 60_000_000),
        ));
    }
    if let Some(reference) = answer
        .findings
        .iter()
        .flat_map(|finding| &finding.refs)
        .next()
    {
        next.push(format!("coroner show {name} {reference}"));
    }
    let several = answer.evidence.snapshots.len() > 1;
    let mut snapshots: Vec<&SnapshotSummary> = answer.evidence.snapshots.iter().collect();
    snapshots.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.trace_tables.len()));
    for snapshot in snapshots.into_iter().take(MOST_SNAPSHOTS) {
        let choice = if several {
            format!(" --snapshot {}", quoted(&snapshot.name))
        } else {
            String::new()
        };
        if snapshot.trace_tables.is_empty() {
            next.push(format!("coroner tables {name}{choice}"));
            continue;
        }
        let tables = case.table_source(Some(&snapshot.name));
        let notable = analysis::trace::notable(&tables).unwrap_or_default();
        let keys = newest_hash(case, snapshot)
            .into_iter()
            .chain(notable.into_iter().map(|notable| notable.key));
        let before = next.len();
        next.extend(
            keys.take(2)
                .map(|key| format!("coroner trace {name} {key}{choice}")),
        );
        if next.len() == before {
            next.push(format!("coroner trace {name} 0xHASH{choice}"));
        }
    }
    if answer.findings.is_empty() && answer.evidence.records > 0 {
        next.push(format!("coroner timeline {name} --level warn"));
    }
    next.push(format!("coroner report {name} -o postmortem.md"));
    next
}

/// A hash that the snapshot knows, so that the command under NEXT works as it stands.
fn newest_hash(case: &Case, snapshot: &SnapshotSummary) -> Option<String> {
    /// More would cost more than an example is worth.
    const MOST_ROWS: u64 = 1_000_000;
    let table = case
        .manifest()
        .snapshot(&snapshot.name)?
        .tables
        .iter()
        .find(|table| table.name == "l2_to_l1_logs" && (1..MOST_ROWS).contains(&table.rows))?;
    let id = TableId::Table {
        snapshot: snapshot.name.clone(),
        schema: table.schema.clone(),
        table: table.name.clone(),
    };
    let mut hash = None;
    case.read(
        &id,
        Some(&["tx_hash"]),
        &model::RowFilter::All,
        &mut |batch| {
            let last = batch.rows().checked_sub(1);
            let column = batch.column("tx_hash");
            if let (Some(column), Some(row)) = (column, last) {
                hash = column.bytes(row).map(|bytes| {
                    if column.column_type == model::ColumnType::Bytes {
                        bytes
                            .iter()
                            .fold("0x".to_owned(), |text, byte| format!("{text}{byte:02x}"))
                    } else {
                        String::from_utf8_lossy(bytes).replace("\\x", "0x")
                    }
                });
            }
            Ok(())
        },
    )
    .ok()?;
    hash.filter(|hash| hash.len() == 66 && hash[2..].bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Quotes a word for a shell where it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/+:=,@%".contains(c);
    if word.is_empty() {
        "CASE".to_owned()
    } else if word.chars().all(plain) && !word.starts_with('-') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them() {
        assert_eq!(quoted("medalla.case"), "medalla.case");
        assert_eq!(quoted("my case"), "'my case'");
        assert_eq!(quoted("a'b"), "'a'\\''b'");
        assert_eq!(quoted("$(rm)"), "'$(rm)'");
        assert_eq!(quoted(""), "CASE");
    }
}
