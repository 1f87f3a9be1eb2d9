//! What the draft rests on, what could not be read, and what cannot be told.

use super::words::{code, count, digits, sentence as ended};
use super::{PostmortemInput, PostmortemSource};
use crate::{Zone, markdown};
use std::fmt::Write as _;

/// A reference to everything that was read, for statements about what is not there.
pub(super) fn all_sources(input: &PostmortemInput) -> String {
    let mut shown: Vec<String> = input
        .sources
        .iter()
        .take(4)
        .map(|source| format!("`{}`", code(&source.digest)))
        .collect();
    if input.sources.len() > 4 {
        shown.push(format!("{} more", input.sources.len() - 4));
    }
    if shown.is_empty() {
        "no source".to_owned()
    } else {
        format!("looked at {}", shown.join(", "))
    }
}

pub(super) fn cannot_tell(out: &mut String, input: &PostmortemInput) {
    out.push_str("## What this evidence cannot tell\n\n");
    if input.cannot_say.is_empty() && input.not_run.is_empty() {
        let _ = writeln!(
            out,
            "No limit is known beyond the window and the sources. [{}]\n",
            all_sources(input)
        );
        return;
    }
    for unknown in &input.cannot_say {
        let _ = writeln!(
            out,
            "* **{}** {} What would settle it: {} [{}]",
            ended(&unknown.what),
            ended(&unknown.why),
            ended(&unknown.fetch),
            all_sources(input)
        );
    }
    for (detector, missing) in &input.not_run {
        let _ = writeln!(
            out,
            "* The detector {} did not run: it needs {} [{}]",
            markdown(detector),
            ended(missing).to_lowercase_first(),
            all_sources(input)
        );
    }
    out.push('\n');
}

trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for String {
    fn to_lowercase_first(&self) -> String {
        let mut letters = self.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_lowercase().chain(letters).collect()
        })
    }
}

pub(super) fn unread(out: &mut String, input: &PostmortemInput) {
    out.push_str("## What could not be read or dated\n\n");
    let mut any = false;
    for source in &input.sources {
        let mut parts = Vec::new();
        if source.status != "complete" && !source.status.is_empty() {
            parts.push(format!("is {}", markdown(&source.status)));
        }
        for (reason, n) in &source.rejected {
            parts.push(format!(
                "{} rejected: {}",
                count(*n, "line"),
                markdown(reason)
            ));
        }
        if source.undated > 0 {
            parts.push(format!(
                "{} without a time",
                count(source.undated, "record")
            ));
        }
        if source.zone_basis.as_deref() == Some("assumed") {
            let others = if source.zone_alternatives.is_empty() {
                String::new()
            } else {
                format!(
                    ", as well could be {}",
                    markdown(&source.zone_alternatives.join(" or "))
                )
            };
            parts.push(format!(
                "zone {} is assumed{others}",
                markdown(source.zone.as_deref().unwrap_or("unknown"))
            ));
        }
        parts.extend(
            source
                .problems
                .iter()
                .take(8)
                .map(|problem| markdown(problem)),
        );
        if source.problems.len() > 8 {
            parts.push(format!("{} more problems", source.problems.len() - 8));
        }
        if !parts.is_empty() {
            any = true;
            let _ = writeln!(
                out,
                "* {} {}: {} [`{}`]",
                markdown(&source.id),
                markdown(&source.path),
                parts.join("; "),
                code(&source.digest)
            );
        }
    }
    if any {
        out.push('\n');
    } else {
        let _ = writeln!(
            out,
            "Every line of every source was read and dated. [{}]\n",
            all_sources(input)
        );
    }
}

pub(super) fn table(out: &mut String, input: &PostmortemInput) {
    out.push_str("## Evidence\n\n");
    out.push_str("A reference begins with the source's first 12 hex digits; `S1` is short for the same in this case. Digests are of the decoded bytes.\n\n");
    out.push_str("| | Source | Format | Node | Bytes | Records | Rejected | Time covered (UTC) | Zone | SHA-256 |\n|---|---|---|---|---:|---:|---:|---|---|---|\n");
    for source in &input.sources {
        let _ = writeln!(out, "{}", row(source));
    }
    out.push('\n');
}

fn row(source: &PostmortemSource) -> String {
    let rejected: u64 = source.rejected.iter().map(|(_, n)| n).sum();
    let zone = match (&source.zone, &source.zone_basis) {
        (Some(zone), Some(basis)) => format!("{} ({})", markdown(zone), markdown(basis)),
        (Some(zone), None) => markdown(zone),
        (None, Some(basis)) => markdown(basis),
        (None, None) => String::new(),
    };
    let covered = source.span.map_or_else(String::new, |(from, to)| {
        format!("{} to {}", Zone::UTC.show(from), Zone::UTC.show(to))
    });
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {covered} | {zone} | `{}` |",
        markdown(&source.id),
        markdown(&source.path),
        markdown(&source.format),
        markdown(source.node.as_deref().unwrap_or("")),
        digits(source.bytes),
        digits(source.records),
        digits(rejected),
        code(&source.sha256)
    )
}
