//! What an address sent to L1, for people: a table of its transactions, the newest first, and how to follow one of them.

use super::shape::{Path, Trace};
use super::text::{safe, short};
use model::time::{MICROS_PER_SECOND, format_utc};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Rows that a screen has room for; JSON has all.
const SHOWN: usize = 20;
/// Digits of a hash that are shown: they are a key of their own.
const DIGITS: usize = 12;

/// A transaction in a miniblock, with the messages that it sent.
struct Sent<'a> {
    path: &'a Path,
    hash: Option<&'a str>,
    messages: usize,
}

/// One line: how many transactions and messages there are.
pub(super) fn headline(trace: &Trace) -> String {
    let sent = sent(trace);
    let messages: usize = sent.iter().map(|sent| sent.messages).sum();
    match messages {
        0 => format!("no message to L1; {} of its miniblocks", sent.len()),
        _ => format!(
            "{} to L1 by {}, newest first",
            plural(messages, "message"),
            plural(sent.len(), "transaction")
        ),
    }
}

fn plural(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}

/// The transactions with messages, and the miniblocks of those without, the newest first.
fn sent(trace: &Trace) -> Vec<Sent<'_>> {
    let mut sent = Vec::new();
    for path in trace.path.iter().rev() {
        let mut messages: BTreeMap<&str, (Option<i64>, usize)> = BTreeMap::new();
        for log in &trace.logs {
            if log.miniblock_number == path.miniblock_number
                && let Some(hash) = &log.tx_hash
            {
                let of = messages
                    .entry(hash)
                    .or_insert((log.log_index_in_miniblock, 0));
                of.1 += 1;
            }
        }
        let mut messages: Vec<_> = messages.into_iter().collect();
        messages.sort_by_key(|(_, (index, _))| std::cmp::Reverse(*index));
        if messages.is_empty() {
            sent.push(Sent {
                path,
                hash: None,
                messages: 0,
            });
        }
        sent.extend(messages.into_iter().map(|(hash, (_, messages))| Sent {
            path,
            hash: Some(hash),
            messages,
        }));
    }
    sent
}

/// Writes the table.
pub(super) fn write(out: &mut String, trace: &Trace) {
    let sent = sent(trace);
    if sent.is_empty() {
        return;
    }
    let mut fates: BTreeMap<String, usize> = BTreeMap::new();
    for sent in &sent {
        *fates.entry(words(&sent.path.fate)).or_default() += 1;
    }
    let mut fates: Vec<(String, usize)> = fates.into_iter().collect();
    fates.sort_by_key(|(fate, count)| (std::cmp::Reverse(*count), fate.clone()));
    let fates: Vec<String> = fates
        .into_iter()
        .map(|(fate, count)| format!("{count} {fate}"))
        .collect();
    let _ = writeln!(out, "  in all      {}", fates.join(", "));
    let digits = digits(&sent);
    let width = digits + 2;
    let _ = writeln!(
        out,
        "\n  {:<20} {:<width$} {:>4} {:>9} {:>7}  how far",
        "block time", "transaction", "msgs", "miniblock", "batch"
    );
    for sent in sent.iter().take(SHOWN) {
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |n| n.to_string());
        let time = sent.path.miniblock_timestamp.map_or("-".to_owned(), |s| {
            short(&format_utc(s.saturating_mul(MICROS_PER_SECOND)))
        });
        let hash = sent.hash.map_or("-".to_owned(), |hash| cut(hash, digits));
        let line = format!(
            "  {time:<20} {hash:<width$} {:>4} {:>9} {:>7}  {}",
            sent.messages,
            number(sent.path.miniblock_number),
            number(sent.path.l1_batch_number),
            words(&sent.path.fate)
        );
        let _ = writeln!(out, "{line}");
    }
    if sent.len() > SHOWN {
        let _ = writeln!(
            out,
            "  and {} older ones (--format json)",
            sent.len() - SHOWN
        );
    }
    let example = sent.iter().find_map(|sent| sent.hash);
    let key = match (example, sent[0].path.miniblock_number) {
        (Some(hash), _) => cut(hash, digits),
        (None, Some(number)) => format!("miniblock:{number}"),
        (None, None) => return out.push('\n'),
    };
    let _ = writeln!(out, "\n  follow one  coroner trace CASE {key}");
}

/// So many digits that no two of the hashes look alike.
fn digits(sent: &[Sent<'_>]) -> usize {
    let hashes: BTreeSet<&str> = sent.iter().filter_map(|sent| sent.hash).collect();
    let differ = |digits: &usize| {
        let cut: BTreeSet<String> = hashes.iter().map(|hash| cut(hash, *digits)).collect();
        cut.len() == hashes.len()
    };
    (DIGITS..64).find(differ).unwrap_or(64)
}

fn cut(hash: &str, digits: usize) -> String {
    safe(&hash.chars().take(digits + 2).collect::<String>())
}

/// How far it got, as short as that goes.
fn words(fate: &str) -> String {
    match fate {
        "execute_confirmed" => "executed".to_owned(),
        "prove_confirmed" => "proven".to_owned(),
        "commit_confirmed" => "committed".to_owned(),
        "sealed_not_committed" => "sealed".to_owned(),
        other => other.replace('_', " "),
    }
}
