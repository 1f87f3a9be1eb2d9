//! Where transactions went.

use super::words::{code, refs, sentence as ended};
use super::{PostmortemInput, PostmortemTrace};
use crate::markdown;
use std::fmt::Write as _;

fn fate(word: &str) -> String {
    match word {
        "execute_confirmed" => "was executed on L1".to_owned(),
        "prove_confirmed" => {
            "was proven on L1; no later step is confirmed in this evidence".to_owned()
        }
        "commit_confirmed" => {
            "was committed on L1; no later step is confirmed in this evidence".to_owned()
        }
        "sealed_not_committed" => "is in a sealed batch that was not committed".to_owned(),
        "no_batch_yet" => "is in a block whose batch was still open".to_owned(),
        "not_in_a_block" => "is known to the server, but in no block".to_owned(),
        "unknown_hash" => "is not in the evidence".to_owned(),
        "commit_failed" => "failed on L1 when it was to be committed".to_owned(),
        "prove_failed" => "failed on L1 when it was to be proven".to_owned(),
        "execute_failed" => "failed on L1 when it was to be executed".to_owned(),
        other => format!("has the fate {}", markdown(other)),
    }
}

/// One line for the summary.
pub(super) fn sentence(trace: &PostmortemTrace) -> String {
    let as_of = trace
        .as_of
        .as_ref()
        .map_or_else(String::new, |as_of| format!(", as of {}", markdown(as_of)));
    let why = trace
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!(" {}", ended(why)));
    // The answer people wait for: the hashes on L1.
    let steps: Vec<String> = trace
        .steps
        .iter()
        .filter_map(|step| {
            let hash = step.l1_tx_hash.as_ref()?;
            Some(format!("{} in `{}`", markdown(&step.name), code(hash)))
        })
        .take(6)
        .collect();
    let steps = if steps.is_empty() {
        String::new()
    } else {
        format!(" On L1: {}.", steps.join(", "))
    };
    format!(
        "`{}` {}{as_of}.{steps}{why} [{}]",
        code(&trace.key),
        fate(&trace.fate),
        refs(&trace.refs, 2)
    )
}

pub(super) fn write(out: &mut String, input: &PostmortemInput) {
    if input.traces.is_empty() {
        return;
    }
    out.push_str("## Where transactions went\n\n");
    out.push_str(
        "Read from the rollup's own database. \"Noticed\" is when its server saw the L1 receipt, not when L1 mined it.\n\n",
    );
    for trace in &input.traces {
        let _ = writeln!(out, "### `{}`\n", code(&trace.key));
        let snapshot = trace.snapshot.as_ref().map_or_else(String::new, |name| {
            format!(" in snapshot {}", markdown(name))
        });
        let places = if trace.places.is_empty() {
            String::new()
        } else {
            let places: Vec<String> = trace.places.iter().map(|place| markdown(place)).collect();
            format!(" Way: {}.", places.join("; "))
        };
        let _ = writeln!(
            out,
            "It {}{snapshot} (`{}`).{places} [{}]\n",
            fate(&trace.fate),
            code(&trace.fate),
            refs(&trace.refs, 4)
        );
        if !trace.steps.is_empty() {
            out.push_str("| Step | State | L1 transaction | Noticed (database time) | Mined | Tries | Rows |\n|---|---|---|---|---|---:|---|\n");
            for step in &trace.steps {
                let _ = writeln!(
                    out,
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    markdown(&step.name),
                    markdown(&step.state),
                    step.l1_tx_hash
                        .as_ref()
                        .map_or_else(String::new, |hash| format!("`{}`", code(hash))),
                    markdown(step.noticed.as_deref().unwrap_or("")),
                    markdown(step.mined.as_deref().unwrap_or("")),
                    step.attempts,
                    if step.refs.is_empty() {
                        String::new()
                    } else {
                        refs(&step.refs, 2)
                    }
                );
            }
            out.push('\n');
        }
        if let Some(waiting) = &trace.waiting {
            let _ = writeln!(
                out,
                "* Waiting: {} [{}]",
                ended(waiting),
                refs(&trace.refs, 2)
            );
        }
        for warning in &trace.warnings {
            let _ = writeln!(
                out,
                "* Beware: {} [{}]",
                ended(warning),
                refs(&trace.refs, 2)
            );
        }
        out.push('\n');
    }
}
