//! The form people read at three in the morning.

use super::address;
use super::shape::{Line, Path, Step, Trace, Waiting, Zone};
use super::zone::to_utc;
use model::escape_control;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Returns evidence text with nothing in it that could drive a terminal.
pub(super) fn safe(text: &str) -> String {
    escape_control(text.as_bytes())
}

/// `2023-09-18T03:50:19.059576Z` as `2023-09-18 03:50:19Z`: where the fraction says nothing.
pub(super) fn short(time: &str) -> String {
    let (body, zone) = match time.strip_suffix('Z') {
        Some(body) => (body, "Z"),
        None => (time, ""),
    };
    let body = body.split('.').next().unwrap_or(body).replace('T', " ");
    format!("{body}{zone}")
}

/// `7200` as `2h 0m`.
pub(super) fn duration(seconds: f64) -> String {
    let s = seconds.abs().round() as u64;
    let text = match s {
        0..=119 => format!("{s}s"),
        120..=7199 => format!("{}m {:02}s", s / 60, s % 60),
        7200..=172_799 => format!("{}h {:02}m", s / 3600, s / 60 % 60),
        _ => format!("{}d {:02}h", s / 86_400, s / 3600 % 24),
    };
    if seconds < 0.0 {
        format!("-{text}")
    } else {
        text
    }
}

impl Trace {
    /// Returns the short, aligned form: hash, miniblock, batch, the three steps with their L1 hashes,
    /// what it waits for, what to beware of.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(out, "{}", safe(&self.key));
        let snapshot = self
            .snapshot
            .as_deref()
            .map_or_else(String::new, |name| format!(" in snapshot {}", safe(name)));
        let headline = match self.is_undetermined() {
            true => format!(
                "not in what is here, which does not tell whether it is in the database ({})",
                self.fate
            ),
            false if self.kind == "address" => address::headline(self),
            false => headline(&self.fate),
        };
        let _ = writeln!(out, "{}{snapshot}: {headline}", self.kind);
        if let Some(as_of) = &self.as_of {
            let zone = match &self.database_zone {
                Some(zone) => format!("database times are {}", zone.value),
                None => "the zone of the database's times is unknown".to_owned(),
            };
            let _ = writeln!(
                out,
                "as of {} ({}); {zone}",
                short(&as_of.value),
                as_of.basis
            );
            if as_of.basis != "given" {
                let _ = writeln!(out, "  {}", safe(&as_of.rests_on));
            }
        }
        out.push('\n');
        if let Some(transaction) = &self.transaction
            && let Some(error) = &transaction.error
        {
            let _ = writeln!(out, "  L2 error    {}", safe(error));
        }
        if self.kind == "address" {
            address::write(&mut out, self);
        } else {
            self.write_way(&mut out);
        }
        if let Some(step) = self.l1_tx.as_ref().filter(|_| self.path.is_empty()) {
            let zone = self.database_zone.as_ref();
            write_steps(&mut out, &[("l1_tx", Some(step))], zone);
        }
        if let Some(waiting) = &self.waiting {
            if self.kind == "address" {
                out.push_str("\n  the newest of them:\n");
            }
            write_waiting(&mut out, waiting);
        }
        write_lines(&mut out, &self.path);
        write_answers(&mut out, &self.path);
        for warning in &self.warnings {
            let _ = writeln!(out, "  ! {}", safe(warning));
        }
        for part in &self.partial {
            let _ = writeln!(out, "  ! unreadable: {}", safe(part));
        }
        if let Some(looked_at) = &self.looked_at {
            let _ = writeln!(
                out,
                "  looked at {} of {} source(s){}",
                looked_at.tables.join(", "),
                looked_at.sources,
                if looked_at.missing_kinds.is_empty() {
                    String::new()
                } else {
                    format!("; not there: {}", looked_at.missing_kinds.join(", "))
                }
            );
        }
        if let Some(first) = self.refs.first() {
            let more = self.refs.len() - 1;
            let _ = writeln!(
                out,
                "  rows        {}{}",
                safe(first),
                if more > 0 {
                    format!(" and {more} more (--format json)")
                } else {
                    String::new()
                }
            );
        }
        out
    }
}

impl Trace {
    /// Writes messages and the way of each of their miniblocks.
    fn write_way(&self, out: &mut String) {
        if !self.logs.is_empty() {
            let count = self.logs.len();
            let plural = if count == 1 { "message" } else { "messages" };
            let _ = writeln!(out, "  logs        {count} {plural} to L1");
        }
        for path in &self.path {
            write_path(out, path, self.database_zone.as_ref());
        }
    }
}

fn headline(fate: &str) -> String {
    let words = match fate {
        "unknown_hash" => "not found",
        "not_in_a_block" => "known to the server, in no block",
        "miniblock_missing" => "its miniblock is not here",
        "block_unknown" => "whether it is in a block is not known",
        "no_batch_yet" => "in a miniblock, its batch is still open",
        "batch_missing" => "its batch is not here",
        "sealed_not_committed" => "its batch is sealed, not committed",
        "execute_confirmed" => "executed on L1",
        "prove_confirmed" => "proven on L1; no later step is confirmed here",
        "commit_confirmed" => "committed on L1; no later step is confirmed here",
        "seal_unknown" => "whether its batch is sealed is not known",
        _ => "",
    };
    match (words, step_words(fate)) {
        ("", Some(words)) => format!("{words} ({fate})"),
        ("", None) => fate.to_owned(),
        _ => format!("{words} ({fate})"),
    }
}

/// The last step and its state, in words.
fn step_words(fate: &str) -> Option<String> {
    let (step, state) = fate.split_once('_')?;
    let step = match step {
        "commit" => "its commit",
        "prove" => "its proof",
        "execute" => "its execution",
        _ => return None,
    };
    let state = match state {
        "saved" => "is saved, nothing is signed yet",
        "signed_unsent" => "is signed, not known to be sent",
        "sent" => "is sent, not confirmed",
        "failed" => "has failed on L1",
        "eth_tx_missing" => "is in no row of eth_txs any more",
        "confirmed_unlinked" => "is confirmed, its link to that is lost",
        "confirmed_history_missing" => "is confirmed, the row with its L1 hash is gone",
        "unknown" => "is unknown: the evidence does not say how far it got",
        _ => return None,
    };
    Some(format!("{step} {state}"))
}

fn write_path(out: &mut String, path: &Path, zone: Option<&Zone>) {
    if let Some(number) = path.miniblock_number {
        let _ = writeln!(
            out,
            "  miniblock   {number:<9} {}",
            path.miniblock_hash
                .as_deref()
                .map_or_else(|| "not in the evidence".to_owned(), safe)
        );
    }
    if let Some(inside) = &path.miniblocks {
        let _ = writeln!(
            out,
            "  miniblocks  {}-{} ({})",
            inside.first, inside.last, inside.count
        );
    }
    let batch = match (&path.batch, path.l1_batch_number) {
        (Some(batch), _) => {
            let sealed = match batch.is_sealed {
                Some(true) => "sealed",
                Some(false) => "open",
                None => "",
            };
            let begun = batch.timestamp.map_or_else(String::new, |s| {
                let us = s.saturating_mul(model::time::MICROS_PER_SECOND);
                format!(", begun {}", short(&model::time::format_utc(us)))
            });
            format!("{:<9} {sealed}{begun}", batch.number)
        }
        (None, Some(number)) => format!("{number:<9} not in the evidence"),
        (None, None) if path.fate == "no_batch_yet" => "still open".to_owned(),
        (None, None) => "unknown".to_owned(),
    };
    let _ = writeln!(out, "  batch       {}", batch.trim_end());
    write_steps(
        out,
        &[
            ("precommit", path.precommit.as_ref()),
            ("commit", path.commit.as_ref()),
            ("prove", path.prove.as_ref()),
            ("execute", path.execute.as_ref()),
        ],
        zone,
    );
}

fn write_steps(out: &mut String, steps: &[(&str, Option<&Step>)], zone: Option<&Zone>) {
    let steps: Vec<_> = steps
        .iter()
        .filter_map(|(name, step)| Some((*name, (*step)?)))
        .collect();
    let state = |step: &Step| step.state.clone().unwrap_or_else(|| "unknown".to_owned());
    for (name, step) in steps {
        let mut line = format!("  {name:<11} {}", state(step));
        if let Some(at) = step.confirmed {
            let at = to_utc(at, zone).unwrap_or(at).print();
            let _ = write!(line, ", noticed {}", short(&at));
        }
        if let Some(id) = step.eth_tx_id {
            let _ = write!(line, ", eth_tx {id}");
        }
        if let Some(nonce) = step.nonce {
            let _ = write!(line, ", nonce {nonce}");
        }
        let tries = step.attempts.as_ref().map(Vec::len);
        if let Some(tries) = tries.filter(|tries| *tries > 1 && step.state.is_some()) {
            let _ = write!(line, ", {tries} tries");
        }
        if let Some(range) = step.batches.as_ref().filter(|range| range.count > 1) {
            let _ = write!(line, ", batches {}-{}", range.first, range.last);
        }
        let _ = writeln!(out, "{}", line.trim_end());
        let hash = step.l1_tx_hash.as_ref().map(|hash| (hash, ""));
        let last = step
            .attempts
            .iter()
            .flatten()
            .next_back()
            .and_then(|attempt| attempt.l1_tx_hash.as_ref())
            .map(|hash| (hash, " (last try)"));
        if let Some((hash, note)) = hash.or(last) {
            let _ = writeln!(out, "  {:<11} {}{note}", "", safe(hash));
        }
        if let Some(at) = step.l1_mined.as_ref().and_then(|mined| mined.at.as_deref()) {
            let _ = writeln!(out, "  {:<11} mined on L1 {} (Etherscan)", "", short(at));
        }
    }
}

fn write_waiting(out: &mut String, waiting: &Waiting) {
    let mut line = format!("  waiting     for {}", waiting.stage);
    if let Some(since) = &waiting.since {
        let _ = write!(line, " since {}", short(since));
    }
    if let Some(age) = waiting.age_s {
        let _ = write!(line, ", {}", duration(age));
    }
    let _ = write!(line, ": {}", waiting.verdict);
    if let (Some(p50), Some(p99)) = (waiting.norm.p50_s, waiting.norm.p99_s) {
        let _ = write!(
            line,
            " (here usually {}, 99 of 100 within {}, {} batches)",
            duration(p50),
            duration(p99),
            waiting.norm.n
        );
    }
    let _ = writeln!(out, "{line}");
    if let Some(delay) = &waiting.execution_delay {
        let line = match (&delay.executable, delay.delay_s, delay.at_most_s) {
            (Some(executable), Some(given), _) => format!(
                "with the given delay of {} executable from {} on, at the latest {}",
                duration(given),
                executable
                    .not_before
                    .as_deref()
                    .map_or_else(|| "an unknown time".to_owned(), short),
                short(&executable.not_after)
            ),
            (_, _, Some(at_most)) => format!(
                "L1's delay before execution is at most {} here (--execution-delay gives it)",
                duration(at_most)
            ),
            _ => String::new(),
        };
        if !line.is_empty() {
            let _ = writeln!(out, "  delay       {line}");
        }
    }
    for hypothesis in &waiting.hypotheses {
        let _ = writeln!(out, "  perhaps     {}", safe(&hypothesis.text));
    }
    if let Some(blocker) = &waiting.blocked_by {
        let _ = writeln!(out, "  blocked by  {}", safe(&blocker.why));
    }
}

/// Log lines that are cited: how many, and the last of them.
fn write_lines(out: &mut String, path: &[Path]) {
    let mut lines: Vec<&Line> = path
        .iter()
        .flat_map(|path| {
            let steps = [&path.precommit, &path.commit, &path.prove, &path.execute];
            let of_steps = steps.into_iter().flatten().flat_map(|step| &step.lines);
            path.lines.iter().chain(of_steps)
        })
        .collect();
    lines.sort_by_key(|line| (&line.ts, &line.reference));
    lines.dedup();
    if let Some(last) = lines.last() {
        let _ = writeln!(
            out,
            "  log lines   {}, the last: {} {} ({})",
            lines.len(),
            last.ts
                .as_deref()
                .map_or_else(|| "undated".to_owned(), short),
            safe(&last.what),
            safe(&last.reference)
        );
    }
}

/// Answers of APIs: whose, and whether they say the same as the tables.
fn write_answers(out: &mut String, path: &[Path]) {
    let said: Vec<_> = path
        .iter()
        .flat_map(|path| {
            let steps = [&path.precommit, &path.commit, &path.prove, &path.execute];
            let of_steps = steps.into_iter().flatten().flat_map(|step| &step.answers);
            path.answers.iter().chain(of_steps)
        })
        .collect();
    if said.is_empty() {
        return;
    }
    let apis: BTreeSet<&str> = said.iter().map(|said| said.api.as_str()).collect();
    let apis: Vec<String> = apis.into_iter().map(safe).collect();
    let count = |agrees| said.iter().filter(|said| said.agrees == agrees).count();
    let verdict = match (count(Some(true)), count(Some(false))) {
        (0, 0) => "nothing to compare with",
        (_, 0) => "they say the same as the tables",
        (0, _) => "they say otherwise than the tables, see below",
        (_, _) => "in part they say otherwise than the tables, see below",
    };
    let _ = writeln!(out, "  answers     of {}: {verdict}", apis.join(", "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_for_people() {
        for (seconds, text) in [
            (0.4, "0s"),
            (119.0, "119s"),
            (600.0, "10m 00s"),
            (14_400.0, "4h 00m"),
            (200_000.0, "2d 07h"),
            (-3.0, "-3s"),
        ] {
            assert_eq!(duration(seconds), text);
        }
        assert_eq!(short("2023-09-18T03:50:19.059576Z"), "2023-09-18 03:50:19Z");
    }
}
