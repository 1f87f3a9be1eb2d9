//! The draft of a postmortem: Markdown in which every statement names the evidence it rests on.
//!
//! It is written for the person who has to publish it tomorrow: what is known stands first, what is
//! a hypothesis is called one, what the evidence cannot tell is said, and what only people know is
//! left for them to write. It knows neither cases nor analyses: it is given plain facts.

mod evidence;
mod findings;
mod rollup;
#[cfg(test)]
mod tests;
mod words;

use crate::{Zone, markdown};
use std::fmt::Write as _;
use words::{count, minutes, refs, span};

/// Everything a draft is made of. Texts may come from evidence: they are escaped here.
#[derive(Clone, Debug, Default)]
pub struct PostmortemInput {
    /// Heading.
    pub title: String,
    /// Name and version of the program.
    pub tool: String,
    /// The case as people type it, for the commands in the draft.
    pub case: String,
    /// Root digest of the case.
    pub seal: Option<String>,
    /// The window that was looked at, microseconds UTC.
    pub window: Option<(i64, i64)>,
    /// A second zone for times.
    pub local_zone: Option<Zone>,
    /// Networks.
    pub networks: Vec<String>,
    /// Nodes in evidence.
    pub nodes: Vec<PostmortemNode>,
    /// Sources, in order of their number.
    pub sources: Vec<PostmortemSource>,
    /// What happened, in time order: chosen rows, not all.
    pub timeline: Vec<PostmortemEvent>,
    /// Records of the window that the timeline leaves out.
    pub timeline_left_out: u64,
    /// By which rule rows were chosen, as a sentence.
    pub timeline_rule: String,
    /// What is wrong, worst first.
    pub findings: Vec<PostmortemFinding>,
    /// Clock episodes.
    pub clocks: Vec<PostmortemClock>,
    /// Transactions that were followed.
    pub traces: Vec<PostmortemTrace>,
    /// What the evidence cannot tell.
    pub cannot_say: Vec<PostmortemUnknown>,
    /// Detectors that lacked their inputs, and what they lacked.
    pub not_run: Vec<(String, String)>,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub struct PostmortemNode {
    /// Name.
    pub name: String,
    /// Clients with versions.
    pub clients: Vec<String>,
}

/// A source.
#[derive(Clone, Debug, Default)]
pub struct PostmortemSource {
    /// `S3`.
    pub id: String,
    /// First 12 hex digits, as references carry them.
    pub digest: String,
    /// Where it was found.
    pub path: String,
    /// In hex.
    pub sha256: String,
    /// Decoded bytes.
    pub bytes: u64,
    /// `prysm`, `pg_dump-plain` …
    pub format: String,
    /// Node.
    pub node: Option<String>,
    /// Records or rows.
    pub records: u64,
    /// Lines that could not be read, by reason.
    pub rejected: Vec<(String, u64)>,
    /// Records without a time.
    pub undated: u64,
    /// First and last time, microseconds UTC.
    pub span: Option<(i64, i64)>,
    /// Zone, as `+00:00`.
    pub zone: Option<String>,
    /// How the zone became known.
    pub zone_basis: Option<String>,
    /// Other zones that fit as well.
    pub zone_alternatives: Vec<String>,
    /// `complete`, `truncated`, `damaged`, `skipped`.
    pub status: String,
    /// Located damage.
    pub problems: Vec<String>,
}

/// A row of the timeline.
#[derive(Clone, Debug, Default)]
pub struct PostmortemEvent {
    /// Microseconds UTC; `None` for an undated record (it stands where its neighbours do).
    pub us: Option<i64>,
    /// How year, date and zone became known.
    pub ts_basis: String,
    /// Node, or database.
    pub node: String,
    /// Level.
    pub level: Option<String>,
    /// What was said.
    pub text: String,
    /// How many like it the row stands for, itself included.
    pub times: u64,
    /// References.
    pub refs: Vec<String>,
}

/// A finding.
#[derive(Clone, Debug, Default)]
pub struct PostmortemFinding {
    /// `f-…`.
    pub id: String,
    /// `critical` … `notice`.
    pub severity: String,
    /// One sentence.
    pub title: String,
    /// Beginning, microseconds UTC.
    pub from_us: Option<i64>,
    /// End.
    pub to_us: Option<i64>,
    /// `ongoing`, `ended`, `unknown`.
    pub status: String,
    /// Affected, of, unit.
    pub affected: (u64, u64, String),
    /// Names of the affected.
    pub nodes: Vec<String>,
    /// Numbers.
    pub magnitude: Vec<(String, String)>,
    /// `observed`, `inferred`, `assumed`, `model`.
    pub basis: String,
    /// `node`, `evidence`, `operator`, `network`.
    pub scope: String,
    /// Sources, nodes, independent ones.
    pub witnesses: (u64, u64, u64),
    /// Hypotheses.
    pub causes: Vec<PostmortemCause>,
    /// What weakens it.
    pub caveats: Vec<String>,
    /// References.
    pub refs: Vec<String>,
}

/// A hypothesis.
#[derive(Clone, Debug, Default)]
pub struct PostmortemCause {
    /// In words.
    pub text: String,
    /// `observed` or `inferred`.
    pub basis: String,
    /// `shown`, `likely`, `possible`.
    pub confidence: String,
    /// What it explains.
    pub explains: Option<String>,
    /// What it leaves open.
    pub does_not_explain: Option<String>,
    /// References.
    pub refs: Vec<String>,
}

/// A clock episode.
#[derive(Clone, Debug, Default)]
pub struct PostmortemClock {
    /// Node.
    pub node: String,
    /// `slot clock` or `system clock`.
    pub clock: String,
    /// Beginning, microseconds UTC.
    pub from_us: i64,
    /// End.
    pub to_us: i64,
    /// Seconds, positive = ahead.
    pub offset_s: f64,
    /// Seconds.
    pub uncertainty_s: Option<f64>,
    /// How many samples.
    pub samples: u64,
    /// How it was measured.
    pub methods: Vec<String>,
    /// References.
    pub refs: Vec<String>,
}

/// A transaction that was followed.
#[derive(Clone, Debug, Default)]
pub struct PostmortemTrace {
    /// Key in full.
    pub key: String,
    /// Why it is here, if the program chose it.
    pub why: Option<String>,
    /// The contract's word.
    pub fate: String,
    /// Snapshot.
    pub snapshot: Option<String>,
    /// `2023-09-18T06:00:00Z (newest row)`.
    pub as_of: Option<String>,
    /// `miniblock 15841, batch 7670`, one per path.
    pub places: Vec<String>,
    /// Steps on L1.
    pub steps: Vec<PostmortemStep>,
    /// What it waits for, in words.
    pub waiting: Option<String>,
    /// What must not be read into it.
    pub warnings: Vec<String>,
    /// References.
    pub refs: Vec<String>,
}

/// A step on L1.
#[derive(Clone, Debug, Default)]
pub struct PostmortemStep {
    /// `commit`, `prove`, `execute`; with the batch where there are several.
    pub name: String,
    /// State.
    pub state: String,
    /// Hash.
    pub l1_tx_hash: Option<String>,
    /// As the database wrote it.
    pub noticed: Option<String>,
    /// `not before … nor after …`.
    pub mined: Option<String>,
    /// Attempts.
    pub attempts: u64,
    /// References.
    pub refs: Vec<String>,
}

/// What the evidence cannot tell.
#[derive(Clone, Debug, Default)]
pub struct PostmortemUnknown {
    /// The question.
    pub what: String,
    /// Why not.
    pub why: String,
    /// What would settle it.
    pub fetch: String,
}

/// Returns the draft.
pub fn postmortem(input: &PostmortemInput) -> String {
    let mut out = String::new();
    head(&mut out, input);
    summary(&mut out, input);
    timeline(&mut out, input);
    findings::write(&mut out, input);
    rollup::write(&mut out, input);
    findings::causes(&mut out, input);
    evidence::cannot_tell(&mut out, input);
    evidence::unread(&mut out, input);
    evidence::table(&mut out, input);
    people(&mut out);
    if let Some(seal) = &input.seal {
        let _ = writeln!(out, "Root digest of the case: `{}`", words::code(seal));
    }
    out
}

fn head(out: &mut String, input: &PostmortemInput) {
    let title = if input.title.is_empty() {
        "Postmortem"
    } else {
        &input.title
    };
    let _ = writeln!(out, "# {}\n", markdown(title));
    let _ = writeln!(
        out,
        "> **Draft** by {} from the evidence listed [below](#evidence). It says what the evidence shows \
         and no more. In brackets stands where: `coroner show {} REFERENCE` prints the original bytes.\n",
        markdown(&input.tool),
        words::code(if input.case.is_empty() {
            "CASE"
        } else {
            &input.case
        }),
    );
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some((from, to)) = input.window {
        facts.push(("Window", span(input, Some(from), Some(to))));
    }
    if !input.networks.is_empty() {
        let names: Vec<String> = input.networks.iter().map(|name| markdown(name)).collect();
        facts.push(("Network", names.join(", ")));
    }
    if !input.nodes.is_empty() {
        let names: Vec<String> = input
            .nodes
            .iter()
            .map(|node| {
                if node.clients.is_empty() {
                    markdown(&node.name)
                } else {
                    format!(
                        "{} ({})",
                        markdown(&node.name),
                        markdown(&words::clipped(&node.clients.join(", "), 48))
                    )
                }
            })
            .collect();
        facts.push((
            "Nodes in evidence",
            format!("{}: {}", input.nodes.len(), names.join(", ")),
        ));
    }
    let zone = input.local_zone.filter(|zone| !zone.is_utc());
    facts.push((
        "Times",
        zone.map_or_else(
            || "UTC".to_owned(),
            |zone| format!("UTC, and {} where given", markdown(&zone.to_string())),
        ),
    ));
    for (name, value) in facts {
        let _ = writeln!(out, "* **{name}:** {value}");
    }
    out.push('\n');
}

fn summary(out: &mut String, input: &PostmortemInput) {
    out.push_str("## Summary\n\n");
    let worst: Vec<&PostmortemFinding> = input
        .findings
        .iter()
        .filter(|finding| matches!(finding.severity.as_str(), "critical" | "high" | "medium"))
        .take(6)
        .collect();
    for finding in &worst {
        let _ = writeln!(out, "* {}", findings::sentence(input, finding));
    }
    for trace in &input.traces {
        let _ = writeln!(out, "* {}", rollup::sentence(trace));
    }
    let lesser = input.findings.len() - worst.len();
    if worst.is_empty() && input.traces.is_empty() {
        let _ = writeln!(
            out,
            "* The detectors that ran found nothing of medium severity or worse. That is no proof that \
             nothing happened: see what this evidence [cannot tell](#what-this-evidence-cannot-tell). [{}]",
            evidence::all_sources(input)
        );
    }
    if lesser > 0 {
        let _ = writeln!(
            out,
            "* {} of lesser weight {} [below](#what-was-found).",
            count(lesser as u64, "finding"),
            if lesser == 1 { "stands" } else { "stand" }
        );
    }
    let records: u64 = input.sources.iter().map(|source| source.records).sum();
    let rejected: u64 = input
        .sources
        .iter()
        .flat_map(|source| &source.rejected)
        .map(|(_, count)| count)
        .sum();
    let undated: u64 = input.sources.iter().map(|source| source.undated).sum();
    let _ = writeln!(
        out,
        "* This rests on {} with {}; {} could not be read, {} no time of their own. [{}]\n",
        count(input.sources.len() as u64, "source"),
        count(records, "record"),
        count(rejected, "line"),
        if undated == 1 {
            "1 record has".to_owned()
        } else {
            format!("{} have", count(undated, "record"))
        },
        evidence::all_sources(input)
    );
}

fn timeline(out: &mut String, input: &PostmortemInput) {
    out.push_str("## Timeline\n\n");
    if input.timeline.is_empty() {
        out.push_str("No dated record was chosen for the timeline.\n\n");
        return;
    }
    let zone = input.local_zone.filter(|zone| !zone.is_utc());
    let local_head = zone.map_or_else(String::new, |zone| {
        format!(" {} |", markdown(&zone.to_string()))
    });
    let _ = writeln!(out, "| UTC |{local_head} Node | What | Reference |");
    let _ = writeln!(
        out,
        "|---|{}---|---|---|",
        if zone.is_some() { "---|" } else { "" }
    );
    let mut assumed = false;
    for event in &input.timeline {
        let mark = if event.ts_basis == "assumed" {
            assumed = true;
            " ⚠"
        } else {
            ""
        };
        let utc = event
            .us
            .map_or_else(|| "undated".to_owned(), |us| Zone::UTC.show(us));
        let local = zone.map_or_else(String::new, |zone| {
            format!(
                " {} |",
                event.us.map_or_else(String::new, |us| zone.show(us))
            )
        });
        let level = event
            .level
            .as_ref()
            .filter(|level| !matches!(level.as_str(), "info" | "debug" | "trace" | "notice"))
            .map_or_else(String::new, |level| {
                format!("**{}** ", markdown(&level.to_uppercase()))
            });
        let times = if event.times > 1 {
            format!(" (×{})", event.times)
        } else {
            String::new()
        };
        let _ = writeln!(
            out,
            "| {utc}{mark} |{local} {} | {level}{}{times} | {} |",
            markdown(&event.node),
            markdown(&words::clipped(&event.text, 240)),
            refs(&event.refs, 3)
        );
    }
    out.push('\n');
    if assumed {
        out.push_str("⚠ The year or zone of this row is assumed: it may stand whole hours away from where it belongs.\n\n");
    }
    if input.timeline_left_out > 0 || !input.timeline_rule.is_empty() {
        let window = input.window.map_or_else(String::new, |(from, to)| {
            format!(" --from {} --to {}", minutes(from), minutes(to))
        });
        let rule = if input.timeline_rule.is_empty() {
            String::new()
        } else {
            format!("{} ", words::sentence(&input.timeline_rule))
        };
        let _ = writeln!(
            out,
            "{rule}{} of the window {} not shown: `coroner timeline {}{window}`.\n",
            count(input.timeline_left_out, "record"),
            if input.timeline_left_out == 1 {
                "is"
            } else {
                "are"
            },
            words::code(if input.case.is_empty() {
                "CASE"
            } else {
                &input.case
            }),
        );
    }
}

/// What no log knows. Left for people, and called so, that nobody takes the draft for finished.
fn people(out: &mut String) {
    out.push_str(
        "## For the authors\n\n\
         Not in any log; to be written by people before this is published:\n\n\
         * **Impact**: who was hurt, by how much, and how that was counted\n\
         * **Detection**: who noticed first, from what, and which alarm should have\n\
         * **Response**: what was decided when, and what it changed\n\
         * **Lessons and action items**: with owners and dates\n\n",
    );
}
