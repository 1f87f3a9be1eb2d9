//! What several verbs do alike.

use crate::error::CliError;
use crate::exit::Exit;
use crate::ui::Ui;
use coroner::{AsOf, Custody, Evidence, LookedAt, Partial, TimeSpec};
use serde::Serialize;
use serde_json::{Map, Value};
use std::time::{SystemTime, UNIX_EPOCH};

/// Opens a case or plain evidence with the options everywhere, and names what could not be read.
pub(crate) fn open(ui: &Ui, case: &str) -> Result<Evidence, CliError> {
    let evidence = Evidence::open(case, &ui.settings.open_options())?;
    ui.partial(&evidence.partial());
    Ok(evidence)
}

/// Reads `--as-of`. One that counts back does so from the snapshot's own time.
pub(crate) fn as_of(text: Option<&str>) -> Result<Option<TimeSpec>, CliError> {
    Ok(text.map(str::parse).transpose()?)
}

/// Says what `--as-of` came out as.
pub(crate) fn tell_as_of(ui: &Ui, as_of: Option<&AsOf>) {
    if let Some(given) = as_of.filter(|as_of| as_of.basis == "given") {
        let value = model::time::parse_utc(&given.value);
        let shown = value.map_or_else(|| given.value.clone(), model::time::format_utc_short);
        ui.note(&format!("as of: {shown}"));
    }
}

/// Reads `--execution-delay`, in seconds.
pub(crate) fn delay_s(text: Option<&str>) -> Result<Option<f64>, CliError> {
    match text {
        Some(text) => Ok(Some(coroner::duration_us(text)? as f64 / 1e6)),
        None => Ok(None),
    }
}

/// Turns a value into a JSON object.
pub(crate) fn object(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => map,
        other => unreachable!("answers are objects: {other:?}"),
    }
}

/// Says whether the answer is whole, and whether there is any.
pub(crate) fn exit(found: bool, partial: &[Partial]) -> Exit {
    let answer = if found { Exit::Done } else { Exit::Nothing };
    if partial.is_empty() {
        answer
    } else {
        answer.merge(Exit::Partial)
    }
}

/// What follows the rows of a list in its JSON document.
pub(crate) fn tail(
    window: Option<Value>,
    looked_at: Option<&LookedAt>,
    partial: &[Partial],
) -> Map<String, Value> {
    let mut tail = Map::new();
    if let Some(window) = window {
        tail.insert("window".into(), window);
    }
    if let Some(looked_at) = looked_at {
        tail.insert("looked_at".into(), Value::Object(object(looked_at)));
    }
    if !partial.is_empty() {
        let parts = partial.iter().map(|part| Value::Object(object(part)));
        tail.insert("partial".into(), parts.collect());
    }
    tail
}

/// `12 records`, `1 record`.
pub(crate) fn count(number: u64, one: &str) -> String {
    plural(number, one, &format!("{one}s"))
}

/// `12 copies`, `1 copy`.
pub(crate) fn plural(number: u64, one: &str, several: &str) -> String {
    let word = if number == 1 { one } else { several };
    format!("{} {word}", thousands(number))
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1536` as `1.5 KiB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{number} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Who runs this, when, by which command: for the custody log.
pub(crate) fn custody(ui: &Ui) -> Custody {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros());
    Custody {
        at_us: i64::try_from(now).unwrap_or(i64::MAX),
        by: ui.settings.environment.user.clone(),
        command: ui.settings.environment.command_line.clone(),
    }
}

/// An RFC 3339 time from an answer, in the zone of the user; `-` if there is none.
pub(crate) fn when(ui: &Ui, time: Option<&str>) -> String {
    match time.and_then(model::time::parse_utc) {
        Some(us) => ui.settings.zone.show(us),
        None => time.unwrap_or("-").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(1_234_567, "record"), "1,234,567 records");
        assert_eq!(thousands(999), "999");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(12), "12 B");
    }
}
