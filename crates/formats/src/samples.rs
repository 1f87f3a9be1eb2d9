//! Running the samples of definitions: the proof that a format reads what it says.

use crate::catalogue::Catalogue;
use crate::definition::Sample;
use model::{
    Clue, FieldValue, ObsValue, Position, Record, RecordSink, Reject, Span, observation_kinds, time,
};
use std::convert::Infallible;
use std::fmt::Write as _;
use toml::{Table, Value};

/// A sample that did not become what its definition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleFailure {
    /// The format.
    pub format: String,
    /// Which `[[sample]]`, counted from 0.
    pub index: usize,
    /// The sample's line.
    pub line: String,
    /// What was expected and what came.
    pub what: String,
}

impl std::fmt::Display for SampleFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "format `{}`: sample[{}]: {}\n  in: {}",
            self.format, self.index, self.what, self.line
        )
    }
}

/// Runs every sample of a catalogue, as the verb `formats test` does. No failure is a pass.
///
/// ```
/// assert!(formats::check_samples(formats::Catalogue::builtin()).is_empty());
/// ```
pub fn check_samples(catalogue: &Catalogue) -> Vec<SampleFailure> {
    let mut failures = Vec::new();
    for compiled in &catalogue.compiled {
        let definition = &compiled.definition;
        for (index, sample) in definition.samples.iter().enumerate() {
            let mut fail = |what: String| {
                failures.push(SampleFailure {
                    format: definition.name.clone(),
                    index,
                    line: sample.line.clone(),
                    what,
                });
            };
            let mut seen = Seen::default();
            let Ok(()) = catalogue.parser().parse_block(
                sample.line.as_bytes(),
                Position { byte: 1, line: 1 },
                &mut seen,
            );
            compare(&definition.name, sample, &seen, &mut fail);
        }
    }
    failures
}

/// What a sample became, in the words definitions use.
#[derive(Default)]
struct Seen {
    records: Vec<Table>,
    observations: Vec<(String, Table)>,
    clues: Vec<String>,
    rejects: Vec<Reject>,
}

fn text(bytes: &[u8]) -> Value {
    Value::String(String::from_utf8_lossy(bytes).into_owned())
}

impl RecordSink for Seen {
    type Error = Infallible;

    fn record(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        let mut seen = Table::new();
        let mut put = |key: &str, value: Option<Value>| {
            seen.insert(
                key.to_owned(),
                value.unwrap_or(Value::String("null".into())),
            );
        };
        put("stamp", record.stamp.map(|stamp| stamp.to_string().into()));
        put("format", Some(record.format.into()));
        put("client", Some(record.client.into()));
        put("level", record.level.map(|level| level.name().into()));
        put("level_raw", Some(text(record.level_raw)));
        put("component", record.component.map(text));
        put("message", Some(text(record.message)));
        put("kind", record.kind.map(Into::into));
        put("role", record.role.map(Into::into));
        put("lines", Some((record.span.lines as i64).into()));
        let fields = record.fields.iter().map(|field| {
            let value = match field.value {
                FieldValue::Text(value) | FieldValue::Json(value) => text(value),
            };
            (String::from_utf8_lossy(field.key).into_owned(), value)
        });
        put("fields", Some(Value::Table(fields.collect())));
        self.records.push(seen);
        for observation in record.observations {
            let kind = &observation_kinds()[observation.kind];
            let mut row = Table::new();
            if let Some(slot) = observation.slot {
                row.insert("slot".into(), slot.into());
            }
            for (column, value) in kind.columns.iter().zip(observation.values.iter()) {
                let value = match value {
                    None => continue,
                    Some(ObsValue::I64(value)) => (*value).into(),
                    Some(ObsValue::F64(value)) => (*value).into(),
                    Some(ObsValue::Bool(value)) => (*value).into(),
                    Some(ObsValue::Text(value)) => text(value),
                };
                row.insert(column.name.clone(), value);
            }
            self.observations.push((kind.name.clone(), row));
        }
        self.clues.extend(record.clues.iter().map(clue_text));
        Ok(())
    }

    fn rejected(&mut self, _: Span, why: Reject) -> Result<(), Infallible> {
        self.rejects.push(why);
        Ok(())
    }
}

fn clue_text(clue: &Clue) -> String {
    match clue {
        Clue::ReceivedSlot(slot) => format!("received_slot {slot}"),
        Clue::WallSlot {
            slot,
            phase_us,
            bendable,
        } => {
            let mut text = format!("wall_slot {slot} +{}us", phase_us);
            if *bendable {
                let _ = write!(text, " bendable");
            }
            text
        }
        Clue::Absolute { utc_us } => format!("absolute {}", time::format_utc(*utc_us)),
        Clue::Network(name) => format!("network {}", name.unwrap_or("unknown")),
    }
}

/// Whether what was seen has at least what was expected.
fn agrees(expected: &Value, seen: Option<&Value>) -> bool {
    match (expected, seen) {
        (Value::Float(a), Some(Value::Float(b))) => (a - b).abs() <= 1e-9 * a.abs().max(1.0),
        (Value::Integer(a), Some(Value::Float(b))) => *a as f64 == *b,
        (Value::Table(a), Some(Value::Table(b))) => {
            a.iter().all(|(key, value)| agrees(value, b.get(key)))
        }
        (a, Some(b)) => a == b,
        (_, None) => false,
    }
}

fn compare(name: &str, sample: &Sample, seen: &Seen, fail: &mut dyn FnMut(String)) {
    let own = seen
        .records
        .iter()
        .filter(|record| record.get("format").and_then(Value::as_str) == Some(name))
        .count();
    if sample.reject {
        if own > 0 {
            fail("must be rejected, but became a record".into());
        }
        return;
    }
    if own != 1 || seen.records.len() != 1 || !seen.rejects.is_empty() {
        fail(format!(
            "must become one record of this format, became {} records and {} rejects",
            seen.records.len(),
            seen.rejects.len()
        ));
        return;
    }
    let record = &seen.records[0];
    for (key, expected) in &sample.record {
        if !agrees(expected, record.get(key)) {
            let got = record.get(key).map_or("nothing".into(), Value::to_string);
            fail(format!("record.{key}: expected {expected}, got {got}"));
        }
    }
    for (kind, expected) in &sample.observe {
        let rows: Vec<&Value> = match expected {
            Value::Array(rows) => rows.iter().collect(),
            row => vec![row],
        };
        let got: Vec<&Table> = seen
            .observations
            .iter()
            .filter(|(name, _)| name == kind)
            .map(|(_, row)| row)
            .collect();
        let same = rows.len() == got.len()
            && rows
                .iter()
                .zip(&got)
                .all(|(expected, got)| agrees(expected, Some(&Value::Table((*got).clone()))));
        if !same {
            fail(format!("observe.{kind}: expected {expected}, got {got:?}"));
        }
    }
    for (kind, row) in &seen.observations {
        if !sample.observe.contains_key(kind) && !sample.observe.is_empty() {
            fail(format!("observe.{kind}: not expected, got {row}"));
        }
    }
    if let Some(clues) = &sample.clues
        && *clues != seen.clues
    {
        fail(format!("clues: expected {clues:?}, got {:?}", seen.clues));
    }
}
