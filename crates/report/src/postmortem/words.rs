//! Small words of the draft.

use super::PostmortemInput;
use crate::{Zone, markdown, terminal};

/// Text as it may stand in a code span, also inside a table.
pub(super) fn code(text: &str) -> String {
    terminal(text)
        .chars()
        .map(|c| match c {
            '`' => '\'',
            '|' => '¦',
            c => c,
        })
        .collect()
}

/// `1 source`, `12,345 records`.
pub(super) fn count(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {what}{plural}", digits(n))
}

/// `12,345`.
pub(super) fn digits(n: u64) -> String {
    let mut digits = n.to_string();
    let mut at = digits.len();
    while at > 3 {
        at -= 3;
        digits.insert(at, ',');
    }
    digits
}

/// References as code, the first `most` of them.
pub(super) fn refs(refs: &[String], most: usize) -> String {
    let mut shown: Vec<String> = refs
        .iter()
        .take(most)
        .map(|reference| format!("`{}`", code(reference)))
        .collect();
    if refs.len() > most {
        shown.push(format!("{} more", refs.len() - most));
    }
    if shown.is_empty() {
        "no reference".to_owned()
    } else {
        shown.join(", ")
    }
}

/// A time span in UTC and the local zone.
pub(super) fn span(input: &PostmortemInput, from: Option<i64>, to: Option<i64>) -> String {
    let in_zone = |zone: Zone| match (from, to) {
        (Some(from), Some(to)) if from == to => zone.show(from),
        (Some(from), Some(to)) => {
            let (from, to) = (zone.show(from), zone.show(to));
            // The same day is not said twice.
            let day = "2020-08-14 ".len();
            let to = if from.get(..day) == to.get(..day) {
                to.get(day..).unwrap_or(&to)
            } else {
                &to
            };
            format!("{from} to {to}")
        }
        (Some(from), None) => format!("from {}", zone.show(from)),
        (None, Some(to)) => format!("until {}", zone.show(to)),
        (None, None) => "undated".to_owned(),
    };
    let utc = in_zone(Zone::UTC);
    match input.local_zone.filter(|zone| !zone.is_utc()) {
        Some(zone) if from.or(to).is_some() => format!("{utc} ({})", in_zone(zone)),
        _ => utc,
    }
}

/// An instant as the command line takes it.
pub(super) fn minutes(us: i64) -> String {
    model::time::format_utc_short(us)
}

/// At most `most` characters.
pub(super) fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most - 1).collect();
    cut.push('…');
    cut
}

/// A sentence from elsewhere, begun and ended like one. Names of files and nodes stay as they are.
pub(super) fn sentence(text: &str) -> String {
    let text = text.trim();
    let first_word = text.split(' ').next().unwrap_or("");
    let is_word = first_word.bytes().all(|b| b.is_ascii_lowercase());
    let mut letters = text.chars();
    let mut out: String = match letters.next() {
        Some(first) if is_word => first.to_uppercase().chain(letters).collect(),
        _ => text.to_owned(),
    };
    out = markdown(&out);
    if !out.ends_with(['.', '!', '?', '…']) {
        out.push('.');
    }
    out
}
