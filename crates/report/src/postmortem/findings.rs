//! What was found, and hypotheses on why.

use super::words::{count, refs, sentence as ended, span};
use super::{PostmortemFinding, PostmortemInput};
use crate::{Zone, markdown};
use std::fmt::Write as _;

fn basis(finding: &PostmortemFinding) -> String {
    let scope = match finding.scope.as_str() {
        "network" => "of the network",
        "operator" => "of one operator's nodes",
        "node" => "of this node alone",
        _ => "of the nodes in evidence",
    };
    if finding.affected.2 == "sources" {
        return markdown(&finding.basis);
    }
    format!("{}, {scope}", markdown(&finding.basis))
}

fn status(finding: &PostmortemFinding) -> &'static str {
    match (finding.status.as_str(), finding.from_us.or(finding.to_us)) {
        ("ended", _) => "ended",
        ("ongoing", _) => "ongoing at the end of the evidence",
        (_, Some(_)) => "whether it ended is not in evidence",
        _ => "",
    }
}

fn affected(finding: &PostmortemFinding) -> String {
    let (n, of, unit) = &finding.affected;
    format!("{n} of {of} {}", markdown(unit))
}

/// One line for the summary.
pub(super) fn sentence(input: &PostmortemInput, finding: &PostmortemFinding) -> String {
    let mut parts = vec![affected(finding)];
    if finding.from_us.or(finding.to_us).is_some() {
        parts.push(span(input, finding.from_us, finding.to_us));
    }
    let status = status(finding);
    if !status.is_empty() {
        parts.push(status.to_owned());
    }
    format!(
        "**{}** {} ({}). [{}]",
        ended(&finding.title),
        capital(&parts.join(", ")),
        basis(finding),
        refs(&finding.refs, 2)
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

pub(super) fn write(out: &mut String, input: &PostmortemInput) {
    out.push_str("## What was found\n\n");
    if input.findings.is_empty() {
        let _ = writeln!(
            out,
            "The detectors that ran found nothing. [{}]\n",
            super::evidence::all_sources(input)
        );
    }
    for (index, finding) in input.findings.iter().enumerate() {
        let title = ended(&finding.title);
        let _ = writeln!(out, "### {}. {}\n", index + 1, title.trim_end_matches('.'));
        let mut line = format!("*{}*, {}", markdown(&finding.severity), affected(finding));
        if finding.from_us.or(finding.to_us).is_some() {
            let _ = write!(line, ", {}", span(input, finding.from_us, finding.to_us));
        }
        let status = status(finding);
        if !status.is_empty() {
            let _ = write!(line, ", {status}");
        }
        let _ = writeln!(out, "{line}. Basis: {}.\n", basis(finding));
        if !finding.nodes.is_empty() {
            let nodes: Vec<String> = finding.nodes.iter().map(|node| markdown(node)).collect();
            let _ = writeln!(out, "* Affected: {}", nodes.join(", "));
        }
        if !finding.magnitude.is_empty() {
            let magnitude: Vec<String> = finding
                .magnitude
                .iter()
                .map(|(name, value)| format!("{} {}", markdown(name), markdown(value)))
                .collect();
            let _ = writeln!(out, "* Measured: {}", magnitude.join(", "));
        }
        let (sources, nodes, independent) = finding.witnesses;
        if sources > 0 {
            let _ = writeln!(
                out,
                "* Witnesses: {} of {}, {independent} independent",
                count(sources, "source"),
                count(nodes, "node"),
            );
        }
        for caveat in &finding.caveats {
            let _ = writeln!(out, "* Caveat: {}", markdown(caveat));
        }
        let _ = writeln!(
            out,
            "* Evidence: {} (`{}`)\n",
            refs(&finding.refs, 12),
            super::words::code(&finding.id)
        );
    }
    clocks(out, input);
}

fn clocks(out: &mut String, input: &PostmortemInput) {
    if input.clocks.is_empty() {
        return;
    }
    out.push_str(
        "### Clocks\n\nOffset is the node's clock minus true time: positive is ahead.\n\n",
    );
    out.push_str("| Node | Clock | From (UTC) | To (UTC) | Offset | Samples | Evidence |\n|---|---|---|---|---:|---|---|\n");
    for clock in &input.clocks {
        let uncertainty = clock
            .uncertainty_s
            .map_or_else(String::new, |s| format!(" ± {s:.2}"));
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {:+.2}{uncertainty} s | {} ({}) | {} |",
            markdown(&clock.node),
            markdown(&clock.clock),
            Zone::UTC.show(clock.from_us),
            Zone::UTC.show(clock.to_us),
            clock.offset_s,
            clock.samples,
            markdown(&clock.methods.join(", ")),
            refs(&clock.refs, 2)
        );
    }
    out.push('\n');
}

pub(super) fn causes(out: &mut String, input: &PostmortemInput) {
    out.push_str("## Causes\n\n");
    let with_causes: Vec<&PostmortemFinding> = input
        .findings
        .iter()
        .filter(|finding| !finding.causes.is_empty())
        .collect();
    if with_causes.is_empty() {
        out.push_str("The evidence suggests no cause. Write none here that it does not show.\n\n");
        return;
    }
    out.push_str("These are hypotheses, not findings. Each says what it would explain and what it would not.\n\n");
    for finding in with_causes {
        for cause in &finding.causes {
            let _ = write!(
                out,
                "* **{}** For: {} Basis: {}, {}.",
                ended(&cause.text),
                ended(&finding.title),
                markdown(&cause.basis),
                markdown(&cause.confidence)
            );
            if let Some(explains) = &cause.explains {
                let _ = write!(out, " It explains: {}", ended(explains));
            }
            if let Some(open) = &cause.does_not_explain {
                let _ = write!(out, " It leaves open: {}", ended(open));
            }
            let shown = if cause.refs.is_empty() {
                &finding.refs
            } else {
                &cause.refs
            };
            let _ = writeln!(out, " [{}]", refs(shown, 4));
        }
    }
    out.push('\n');
}
