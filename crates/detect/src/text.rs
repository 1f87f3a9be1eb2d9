//! The first screen as people read it: at most 24 lines of at most 100 columns.

use crate::finding::{Cause, Finding, Triage};
use model::escape_control;

const LINES: usize = 24;
const COLUMNS: usize = 100;
const SHOWN_FINDINGS: usize = 5;
/// So many findings leave room for their causes.
const CAUSES_FOR_FINDINGS: usize = 3;

/// `14400.03` as `4h 00m`.
pub(crate) fn duration(seconds: f64) -> String {
    let seconds = seconds.abs();
    let s = seconds.round() as u64;
    match s {
        0..=9 if seconds.fract() != 0.0 => format!("{seconds:.1}s"),
        0..=119 => format!("{s}s"),
        120..=7199 => format!("{}m {:02}s", s / 60, s % 60),
        7200..=172_799 => format!("{}h {:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d {:02}h", s / 86_400, s / 3600 % 24),
    }
}

/// A duration with its sign.
pub(crate) fn signed(seconds: f64) -> String {
    format!(
        "{}{}",
        if seconds < 0.0 { '-' } else { '+' },
        duration(seconds)
    )
}

/// Cuts text to a width: what is cut is shown as `…`. Evidence cannot drive the terminal.
fn fit(text: &str, columns: usize) -> String {
    let text = escape_control(text.as_bytes());
    if text.chars().count() <= columns {
        return text;
    }
    let mut cut: String = text.chars().take(columns.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// `2020-08-14T17:31:02.000000Z` as `2020-08-14 17:31`.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

fn span(from: Option<&str>, to: Option<&str>) -> String {
    match (from.map(minute), to.map(minute)) {
        (Some(from), Some(to)) if from == to => format!("{from} UTC"),
        (Some(from), Some(to)) if from.get(..10) == to.get(..10) => {
            format!("{from}-{} UTC", to.get(11..).unwrap_or(""))
        }
        (Some(from), Some(to)) => format!("{from} to {to} UTC"),
        (Some(from), None) => format!("from {from} UTC"),
        (None, Some(to)) => format!("until {to} UTC"),
        (None, None) => "undated".to_owned(),
    }
}

fn counted(n: u64, what: &str) -> String {
    let mut digits = n.to_string();
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    format!("{digits} {what}{}", if n == 1 { "" } else { "s" })
}

impl Triage {
    /// Returns the first screen.
    pub fn to_text(&self) -> String {
        let mut lines = vec![self.headline()];
        for snapshot in &self.evidence.snapshots {
            if lines.len() > 2 {
                break;
            }
            let trace = match snapshot.trace_tables.len() {
                0 => String::new(),
                6 => "; all tables that trace reads".to_owned(),
                n => format!("; {n} of the 6 tables that trace reads"),
            };
            lines.push(fit(
                &format!(
                    "database {}: {}, {}{trace}",
                    snapshot.name,
                    counted(snapshot.tables as u64, "table"),
                    counted(snapshot.rows, "row")
                ),
                COLUMNS,
            ));
        }
        lines.push("WHAT IS WRONG".to_owned());
        if self.findings.is_empty() {
            lines.push("  nothing that these detectors look for".to_owned());
        }
        for finding in self.findings.iter().take(SHOWN_FINDINGS) {
            lines.extend(finding_lines(finding));
            if self.findings.len() <= CAUSES_FOR_FINDINGS {
                lines.extend(cause_line(finding));
            }
        }
        if self.findings.len() > SHOWN_FINDINGS {
            lines.push(format!(
                "  and {} more: --format json",
                self.findings.len() - SHOWN_FINDINGS
            ));
        }
        let mut tail = Vec::new();
        if !self.not_run.is_empty() || !self.cannot_say.is_empty() {
            tail.push("CANNOT SAY".to_owned());
        }
        for unknown in &self.cannot_say {
            tail.push(fit(
                &format!("  {}: {}", unknown.what, unknown.why),
                COLUMNS,
            ));
        }
        for detector in &self.not_run {
            tail.push(fit(
                &format!(
                    "  not run: {}, it needs {}",
                    detector.detector, detector.missing
                ),
                COLUMNS,
            ));
        }
        let mut next = vec!["NEXT".to_owned()];
        next.extend(
            self.next
                .iter()
                .map(|command| fit(&format!("  {command}"), 200)),
        );
        // What is wrong comes first; the rest gets what is left.
        let room = LINES.saturating_sub(lines.len());
        let for_next = next.len().min(4).min(room);
        next.truncate(for_next);
        tail.truncate(room - for_next);
        lines.extend(tail);
        lines.extend(next);
        lines.truncate(LINES);
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }

    fn headline(&self) -> String {
        let evidence = &self.evidence;
        let mut parts = vec![counted(evidence.sources as u64, "source")];
        let [least, most] = evidence.nodes_range;
        if least < most {
            parts.push(format!("{least}-{most} nodes"));
        } else if evidence.nodes > 0 {
            parts.push(counted(evidence.nodes as u64, "node"));
        }
        if evidence.records > 0 {
            let records = counted(evidence.records, "record");
            parts.push(match evidence.duplicates {
                0 => records,
                copies => format!("{records} ({} without copies)", evidence.records - copies),
            });
        }
        if evidence.first_ts.is_some() {
            parts.push(span(
                evidence.first_ts.as_deref(),
                evidence.last_ts.as_deref(),
            ));
        }
        let name = if evidence.case.is_empty() {
            String::new()
        } else {
            format!("{}: ", evidence.case)
        };
        fit(&format!("{name}{}", parts.join(", ")), COLUMNS)
    }
}

fn finding_lines(finding: &Finding) -> [String; 2] {
    let first = format!("  {:<8} {}", finding.severity.to_uppercase(), finding.title);
    let affected = &finding.affected;
    let mut parts = vec![
        format!("{} of {} {}", affected.n, affected.of, affected.unit),
        span(finding.from.as_deref(), finding.to.as_deref()),
    ];
    if finding.status != "unknown" {
        parts.push(finding.status.clone());
    } else if finding.from.is_some() {
        parts.push("end unknown".to_owned());
    }
    parts.push(finding.basis.clone());
    if !finding.caveats.is_empty() {
        parts.push(if finding.caveats.len() == 1 {
            "1 caveat".to_owned()
        } else {
            format!("{} caveats", finding.caveats.len())
        });
    }
    parts.extend(finding.refs.first().cloned());
    [
        fit(&first, COLUMNS),
        fit(&format!("           {}", parts.join(", ")), COLUMNS),
    ]
}

/// The cause that something shows, if one does; what is merely possible is left to the report.
fn cause_line(finding: &Finding) -> Option<String> {
    let shows = |cause: &&Cause| matches!(cause.confidence.as_str(), "shown" | "likely");
    let cause = finding.causes.iter().find(shows)?;
    let place = match cause.refs.first() {
        Some(place) => format!(", {place}"),
        None => String::new(),
    };
    // The place is read whole, whatever has to be cut.
    let lead = format!("           {} cause: ", cause.confidence);
    let room = COLUMNS - lead.len() - place.len().min(COLUMNS / 2);
    Some(fit(
        &format!("{lead}{}{place}", fit(&cause.text, room)),
        COLUMNS,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Affected, CannotSay, EvidenceSummary};

    #[test]
    fn the_screen_is_never_longer_than_a_screen() {
        let finding = Finding {
            severity: "critical".into(),
            title: "x".repeat(500),
            status: "ended".into(),
            affected: Affected {
                n: 4,
                of: 5,
                unit: "nodes".into(),
            },
            basis: "observed".into(),
            refs: vec!["0123456789ab:17".into()],
            causes: vec![Cause {
                text: "z".repeat(500),
                confidence: "likely".into(),
                refs: vec!["0123456789ab:16".into()],
                ..Cause::default()
            }],
            ..Finding::default()
        }
        .identified(Some(1_597_426_262_000_000), Some(1_597_430_650_000_000));
        let unknown = CannotSay {
            what: "a".repeat(200),
            ..CannotSay::default()
        };
        let triage = Triage {
            evidence: EvidenceSummary {
                sources: 12_345,
                case: "\u{1b}[31m".into(),
                ..EvidenceSummary::default()
            },
            findings: vec![finding; 40],
            cannot_say: vec![unknown; 40],
            next: vec!["coroner clock x".into(); 9],
            ..Triage::default()
        };
        let text = triage.to_text();
        assert_eq!(text.lines().count(), LINES);
        assert!(
            text.lines().all(|line| line.chars().count() <= COLUMNS),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'));
        assert!(text.contains("12,345 sources"));
        assert!(
            text.contains("2020-08-14 17:31-18:44 UTC, ended, observed, 0123456789ab:17"),
            "{text}"
        );
        assert!(text.contains("NEXT\n  coroner clock x"), "{text}");
        // Few findings leave room for what caused them; the place is read whole.
        let few = Triage {
            findings: triage.findings[..3].to_vec(),
            ..triage
        };
        let text = few.to_text();
        let causes = || {
            text.lines()
                .filter(|line| line.contains("likely cause: zzz"))
        };
        assert_eq!(causes().count(), 3, "{text}");
        assert!(
            causes().all(|line| line.ends_with("z…, 0123456789ab:16")),
            "{text}"
        );
        assert!(text.lines().count() <= LINES);
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS));
    }

    #[test]
    fn durations_are_for_people() {
        assert_eq!(duration(14_400.03), "4h 00m");
        assert_eq!(signed(-2.5), "-2.5s");
        assert_eq!(duration(86_400.0 * 3.0), "3d 00h");
    }
}
