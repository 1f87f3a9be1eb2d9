//! What a message means: from the catalogue's words to observations and clues.

use crate::convert::{self, Convert};
use crate::network::{begun_at, fork_digest, named, with_digest};
use crate::pattern::{Captures, NO_CAPTURES, Pattern};
use crate::scan::same_word;
use crate::words::tag;
use model::{Clue, ColumnType, Field, ObsValue, Observation, Stamp, StampDate, time};
use toml::Value;

/// Prysm removed Roughtime from its clock on 22 September 2020 (PRs 7299, 7301): from then on its
/// slot clock is its system clock. Days since 1970.
const ROUGHTIME_GONE: i32 = 18_527;

/// The name of a field, and the number by which it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    text: Vec<u8>,
    tag: u64,
}

impl Name {
    pub(crate) fn new(text: &str) -> Name {
        let text = text.as_bytes().to_vec();
        let tag = tag(&text);
        Name { text, tag }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug)]
enum Source {
    /// The first of these fields that is there.
    Field(Vec<Name>),
    /// What follows a label inside a field's text, up to a comma or closing bracket: for values that
    /// are Rust's Debug text.
    Inside(Name, Vec<u8>),
    /// A hole of the pattern that matched: a field's, or the message's.
    Capture(usize),
    /// A hole of the message's pattern, where a field's matched.
    MessageCapture(usize),
    /// The whole message.
    Message,
    /// Fixed.
    Text(String),
    I64(i64),
    F64(f64),
    Bool(bool),
    /// `a - b`.
    Difference(Box<ValueSpec>, Box<ValueSpec>),
    /// `(a - b)` slots of 12 s, in seconds.
    Slots(Box<ValueSpec>, Box<ValueSpec>),
    /// `a - b` of two times in microseconds, in seconds.
    Seconds(Box<ValueSpec>, Box<ValueSpec>),
    /// One text if `a > b`, else another.
    IfGreater(Box<ValueSpec>, Box<ValueSpec>, String, String),
}

/// Whose holes a value may be taken from.
#[derive(Clone, Copy, Default)]
pub(crate) struct Holes<'p> {
    /// The pattern that matches: the message's, or a field's.
    pub(crate) own: Option<&'p Pattern>,
    /// The message's, where a field's matches.
    pub(crate) message: Option<&'p Pattern>,
}

impl Holes<'_> {
    fn find(self, name: &str) -> Result<Source, String> {
        if self.own.is_none() && self.message.is_none() {
            return Err("`capture:` needs a pattern".to_owned());
        }
        let hole = |pattern: Option<&Pattern>| pattern.and_then(|pattern| pattern.hole(name));
        hole(self.own)
            .map(Source::Capture)
            .or_else(|| hole(self.message).map(Source::MessageCapture))
            .ok_or_else(|| format!("the pattern has no hole `{name}`"))
    }
}

/// How to get the value of a column out of a record.
#[derive(Clone, Debug)]
pub(crate) struct ValueSpec {
    source: Source,
    convert: Convert,
}

impl ValueSpec {
    /// Reads `"field:a,b | go_duration"`, `"inside:error.slot: | first_int"` (what follows `slot:` in
    /// the field `error`), `"capture:x | int"`, `"message"`, a fixed value, or `{ slots = [a, b] }`.
    pub(crate) fn read(
        value: &Value,
        column: ColumnType,
        holes: Holes<'_>,
    ) -> Result<ValueSpec, String> {
        let default = match column {
            ColumnType::I64 => Convert::Int,
            ColumnType::F64 => Convert::Float,
            ColumnType::Bool => Convert::Bool,
            _ => Convert::Text,
        };
        let fixed = |source| {
            Ok(ValueSpec {
                source,
                convert: default,
            })
        };
        let text = match value {
            Value::Integer(number) if column == ColumnType::F64 => {
                return fixed(Source::F64(*number as f64));
            }
            Value::Integer(number) if column == ColumnType::I64 => {
                return fixed(Source::I64(*number));
            }
            Value::Float(number) if column == ColumnType::F64 => {
                return fixed(Source::F64(*number));
            }
            Value::Boolean(truth) if column == ColumnType::Bool => {
                return fixed(Source::Bool(*truth));
            }
            Value::Table(table) => return ValueSpec::computed(table, default, holes),
            Value::String(text) => text,
            other => {
                return Err(format!(
                    "`{other}` does not fit a column of type {column:?}"
                ));
            }
        };
        let (from, conversion) = match text.split_once(" | ") {
            Some((from, name)) => (from.trim(), Some(name.trim())),
            None => (text.as_str(), None),
        };
        let source = if let Some((key, label)) = from
            .strip_prefix("inside:")
            .and_then(|inside| inside.split_once('.'))
        {
            Source::Inside(Name::new(key), label.as_bytes().to_vec())
        } else if let Some(keys) = from.strip_prefix("field:") {
            Source::Field(keys.split(',').map(Name::new).collect())
        } else if let Some(name) = from.strip_prefix("capture:") {
            holes.find(name)?
        } else if from == "message" {
            Source::Message
        } else if column == ColumnType::Text {
            return fixed(Source::Text(text.clone()));
        } else {
            return Err(format!(
                "`{text}` is neither `field:…`, `inside:…`, `capture:…` nor `message`"
            ));
        };
        let convert = match conversion {
            None => default,
            Some(name) => convert::NAMES
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, convert)| *convert)
                .ok_or_else(|| {
                    let known: Vec<_> = convert::NAMES.iter().map(|(name, _)| *name).collect();
                    format!(
                        "unknown conversion `{name}` (conversions: {})",
                        known.join(", ")
                    )
                })?,
        };
        Ok(ValueSpec { source, convert })
    }

    fn computed(
        table: &toml::Table,
        column: Convert,
        holes: Holes<'_>,
    ) -> Result<ValueSpec, String> {
        let spec = |source| ValueSpec {
            source,
            convert: Convert::Float,
        };
        let number = |value: &Value| ValueSpec::read(value, ColumnType::I64, holes).map(Box::new);
        if let Some(Value::Array(pair)) = table.get("slots")
            && let [a, b] = pair.as_slice()
        {
            return Ok(spec(Source::Slots(number(a)?, number(b)?)));
        }
        if let Some(Value::Array(pair)) = table.get("difference")
            && let [a, b] = pair.as_slice()
        {
            return Ok(ValueSpec {
                source: Source::Difference(number(a)?, number(b)?),
                convert: column,
            });
        }
        if let Some(Value::Array(pair)) = table.get("seconds_between")
            && let [a, b] = pair.as_slice()
        {
            return Ok(spec(Source::Seconds(number(a)?, number(b)?)));
        }
        if let Some(Value::Array(pair)) = table.get("if_greater")
            && let [a, b] = pair.as_slice()
            && let Some(Value::String(yes)) = table.get("then")
            && let Some(Value::String(no)) = table.get("else")
        {
            let source = Source::IfGreater(number(a)?, number(b)?, yes.clone(), no.clone());
            return Ok(spec(source));
        }
        Err(
            "a computed value is `{ difference = [a, b] }`, `{ slots = [a, b] }`, `{ seconds_between = [a, b] }` or \
             `{ if_greater = [a, b], then = …, else = … }`"
                .to_owned(),
        )
    }

    fn is_fixed(&self) -> bool {
        matches!(
            self.source,
            Source::Text(_) | Source::I64(_) | Source::F64(_) | Source::Bool(_)
        )
    }

    /// Puts the value, if the record has it, where there is none yet.
    #[inline(always)]
    fn put<'a>(&'a self, told: &Told<'_, 'a>, value: &mut Option<ObsValue<'a>>) {
        // Most are fields or what a hole took.
        let text = match &self.source {
            Source::Field(keys) => {
                let field = keys.iter().find_map(|key| told.field(key));
                field.map(|field| field.value.bytes())
            }
            Source::Capture(hole) => told
                .captures
                .get(*hole)
                .and_then(|(from, to)| told.captured.get(*from as usize..*to as usize)),
            Source::Text(text) => {
                *value = Some(ObsValue::Text(text.as_bytes()));
                return;
            }
            _ => {
                *value = self.get_other(told);
                return;
            }
        };
        if let Some(text) = text {
            self.convert.put(text, value);
        }
    }

    fn get<'a>(&'a self, told: &Told<'_, 'a>) -> Option<ObsValue<'a>> {
        let mut value = None;
        self.put(told, &mut value);
        value
    }

    #[inline(never)]
    fn get_other<'a>(&'a self, told: &Told<'_, 'a>) -> Option<ObsValue<'a>> {
        let number = |spec: &'a ValueSpec| match spec.get(told)? {
            ObsValue::I64(number) => Some(number),
            _ => None,
        };
        match &self.source {
            Source::Field(_) | Source::Capture(_) | Source::Text(_) => self.get(told),
            Source::Inside(key, label) => {
                let field = told.field(key)?;
                let text = field.value.bytes();
                let rest = &text[memchr::memmem::find(text, label)? + label.len()..];
                let end = rest
                    .iter()
                    .position(|c| matches!(c, b',' | b'}' | b']' | b')'))
                    .unwrap_or(rest.len());
                self.convert.apply(&rest[..end])
            }
            Source::MessageCapture(hole) => {
                let (from, to) = *told.outer.get(*hole)?;
                self.convert
                    .apply(told.message.get(from as usize..to as usize)?)
            }
            Source::Message => self.convert.apply(told.message),
            Source::I64(value) => Some(ObsValue::I64(*value)),
            Source::F64(value) => Some(ObsValue::F64(*value)),
            Source::Bool(value) => Some(ObsValue::Bool(*value)),
            Source::Difference(a, b) => {
                let difference = number(a)?.checked_sub(number(b)?)?;
                Some(match self.convert {
                    Convert::Float => ObsValue::F64(difference as f64),
                    _ => ObsValue::I64(difference),
                })
            }
            Source::Slots(a, b) => {
                let slots = number(a)?.checked_sub(number(b)?)?;
                Some(ObsValue::F64(slots as f64 * 12.0))
            }
            Source::Seconds(a, b) => {
                let micros = number(a)?.checked_sub(number(b)?)?;
                Some(ObsValue::F64(micros as f64 / 1e6))
            }
            Source::IfGreater(a, b, yes, no) => {
                let text = if number(a)? > number(b)? { yes } else { no };
                Some(ObsValue::Text(text.as_bytes()))
            }
        }
    }
}

/// One observation a message yields.
#[derive(Clone, Debug)]
pub(crate) struct ObserveSpec {
    pub(crate) kind: usize,
    pub(crate) slot: Option<ValueSpec>,
    /// How many columns the kind has.
    pub(crate) columns: usize,
    /// Those that the message fills in.
    pub(crate) values: Vec<(usize, ValueSpec)>,
}

/// One clue a message yields.
#[derive(Clone, Debug)]
pub(crate) enum ClueSpec {
    Received(ValueSpec),
    Wall {
        slot: ValueSpec,
        phase_s: Option<ValueSpec>,
        bendable: bool,
    },
    Absolute(ValueSpec),
    /// The network's name.
    Network(ValueSpec),
    /// A gossip topic or status message's 4 bytes in hex.
    ForkDigest(ValueSpec),
    /// When the network began, in microseconds since 1970.
    Genesis(ValueSpec),
}

/// What a message means instead when one of its fields says more.
#[derive(Clone, Debug)]
pub(crate) struct WhenSpec {
    pub(crate) field: Name,
    /// What the field must hold; any field will do without it.
    pub(crate) pattern: Option<Pattern>,
    /// Whether it counts beside what the message means, not instead.
    pub(crate) also: bool,
    pub(crate) kind: Option<String>,
    pub(crate) observe: Vec<ObserveSpec>,
    pub(crate) clues: Vec<ClueSpec>,
}

/// One entry of a message catalogue.
#[derive(Clone, Debug)]
pub(crate) struct MessageSpec {
    pub(crate) text: Option<String>,
    pub(crate) pattern: Option<Pattern>,
    /// Components that say it; empty: all.
    pub(crate) by: Vec<String>,
    pub(crate) kind: String,
    pub(crate) role: Option<String>,
    /// The program prints it past its logger: the text is a whole line.
    pub(crate) printed: bool,
    pub(crate) observe: Vec<ObserveSpec>,
    pub(crate) clues: Vec<ClueSpec>,
    /// Tried in order; what the first whose field matches says counts instead of the above.
    pub(crate) when: Vec<WhenSpec>,
}

impl MessageSpec {
    /// The literal first word, if the message is printed past the logger.
    pub(crate) fn printed_word(&self) -> Option<&[u8]> {
        let head = match (&self.text, &self.pattern) {
            (Some(text), _) => text.as_bytes(),
            (_, Some(pattern)) => pattern.literal_head(),
            _ => return None,
        };
        let word = crate::scan::first_word(head);
        let whole = self.text.is_some() || word.len() < head.len();
        (self.printed && whole && !word.is_empty()).then_some(word)
    }

    /// Whether it asks for anything that a record holds.
    #[inline]
    pub(crate) fn asks(&self) -> bool {
        !(self.observe.is_empty() && self.clues.is_empty() && self.when.is_empty())
    }

    /// Whether a component says this message.
    #[inline]
    pub(crate) fn is_by(&self, component: Option<&[u8]>) -> bool {
        self.by.is_empty()
            || component.is_some_and(|name| self.by.iter().any(|by| by.as_bytes() == name))
    }

    /// Whether a text is this message.
    pub(crate) fn is(&self, text: &[u8]) -> bool {
        match (&self.text, &self.pattern) {
            (Some(own), _) => own.as_bytes() == text,
            (_, Some(pattern)) => pattern.matches(text, &mut { NO_CAPTURES }),
            _ => false,
        }
    }
}

/// What a record said, as far as meaning needs it.
#[derive(Clone, Copy)]
pub(crate) struct Told<'t, 'a> {
    pub(crate) stamp: Option<Stamp>,
    pub(crate) message: &'a [u8],
    pub(crate) fields: &'t [Field<'a>],
    /// The [`tag`] of each field's key.
    pub(crate) tags: &'t [u64],
    pub(crate) captures: &'t Captures,
    /// The text that `captures` are ranges of.
    pub(crate) captured: &'a [u8],
    /// What the message's holes took, where a field's pattern matched.
    pub(crate) outer: &'t Captures,
}

impl<'a> Told<'_, 'a> {
    #[inline]
    fn field(&self, name: &Name) -> Option<&Field<'a>> {
        let mut from = 0;
        loop {
            let rest = self.tags.get(from..)?;
            let place = from + rest.iter().position(|tag| *tag == name.tag)?;
            let field = self.fields.get(place)?;
            // Short words are what their tags say.
            if name.text.len() < 8 || same_word(field.key, &name.text) {
                return Some(field);
            }
            from = place + 1;
        }
    }
}

/// Buffers for what a record means; reused from record to record.
#[derive(Default)]
pub(crate) struct Meaning<'a> {
    pub(crate) observations: Vec<Observation<'a>>,
    pub(crate) clues: Vec<Clue>,
    spare: Vec<Vec<Option<ObsValue<'static>>>>,
}

/// Empties a row of values and forgets the lifetime; mapping an empty vector in place keeps its
/// allocation.
fn emptied<'b>(mut values: Vec<Option<ObsValue<'_>>>) -> Vec<Option<ObsValue<'b>>> {
    values.clear();
    values.into_iter().map(|_| None).collect()
}

impl<'a> Meaning<'a> {
    /// Empties the buffers and forgets the lifetime: capacity is kept, since mapping an empty vector
    /// in place keeps its allocation.
    pub(crate) fn recycle<'b>(mut self) -> Meaning<'b> {
        for observation in self.observations.drain(..) {
            self.spare.push(emptied(observation.values));
        }
        self.clues.clear();
        Meaning {
            observations: self
                .observations
                .into_iter()
                .map(|_| unreachable!("drained"))
                .collect(),
            clues: self.clues,
            spare: self.spare,
        }
    }

    fn observe(&mut self, specs: &'a [ObserveSpec], told: &Told<'_, 'a>) {
        for spec in specs {
            let mut values: Vec<Option<ObsValue<'a>>> = self.spare.pop().unwrap_or_default();
            let slot = spec.slot.as_ref().and_then(|slot| match slot.get(told) {
                Some(ObsValue::I64(slot)) => Some(slot),
                _ => None,
            });
            let mut said = slot.is_some();
            let mut asked = spec.slot.is_some();
            values.resize(spec.columns, None);
            for (column, value) in &spec.values {
                let column = &mut values[*column];
                value.put(told, column);
                if !value.is_fixed() {
                    asked = true;
                    said |= column.is_some();
                }
            }
            // A line that should have told something but did not (a field lost in pasting) is no
            // observation; one made of fixed values alone is.
            if said || !asked {
                self.observations.push(Observation {
                    kind: spec.kind,
                    slot,
                    values,
                });
            } else {
                self.spare.push(emptied(values));
            }
        }
    }

    fn clues(&mut self, specs: &'a [ClueSpec], told: &Told<'_, 'a>) {
        let int = |value: &'a ValueSpec| match value.get(told) {
            Some(ObsValue::I64(value)) => Some(value),
            _ => None,
        };
        let text = |value: &'a ValueSpec| match value.get(told) {
            Some(ObsValue::Text(text)) => Some(text),
            _ => None,
        };
        for spec in specs {
            let clue = match spec {
                ClueSpec::Network(name) => text(name).map(|name| Clue::Network(named(name))),
                // An unknown digest may be a devnet's, or a known network's after its next fork: it says
                // nothing.
                ClueSpec::ForkDigest(digest) => text(digest)
                    .and_then(fork_digest)
                    .and_then(with_digest)
                    .map(|name| Clue::Network(Some(name))),
                ClueSpec::Genesis(time) => int(time).map(|utc_us| Clue::Network(begun_at(utc_us))),
                ClueSpec::Received(slot) => int(slot).map(Clue::ReceivedSlot),
                ClueSpec::Absolute(time) => int(time).map(|utc_us| Clue::Absolute { utc_us }),
                ClueSpec::Wall {
                    slot,
                    phase_s,
                    bendable,
                } => {
                    // A slot whose phase should be told and is not (an older version) may be any
                    // slot; one that is current by its meaning is taken at its middle.
                    let phase_us = match phase_s.as_ref().map(|phase| phase.get(told)) {
                        None => Some(6 * time::MICROS_PER_SECOND),
                        Some(Some(ObsValue::F64(seconds))) => Some((seconds * 1e6).round() as i64),
                        Some(_) => None,
                    };
                    int(slot)
                        .zip(phase_us)
                        .map(|(slot, phase_us)| Clue::WallSlot {
                            slot,
                            phase_us,
                            bendable: *bendable && may_be_bent(told.stamp),
                        })
                }
            };
            self.clues.extend(clue);
        }
    }

    /// Reads what `spec` says the record means; returns the kind where a field makes it another.
    pub(crate) fn read(&mut self, spec: &'a MessageSpec, told: &Told<'_, 'a>) -> &'a str {
        let case = self.first_that_fits(&spec.when, told);
        if case.is_none_or(|case| case.also) {
            self.observe(&spec.observe, told);
            self.clues(&spec.clues, told);
        }
        case.and_then(|case| case.kind.as_deref())
            .unwrap_or(&spec.kind)
    }

    /// Reads what the first case says whose field matches.
    #[inline]
    pub(crate) fn first_that_fits(
        &mut self,
        cases: &'a [WhenSpec],
        told: &Told<'_, 'a>,
    ) -> Option<&'a WhenSpec> {
        if cases.is_empty() {
            return None;
        }
        let mut captures = NO_CAPTURES;
        for case in cases {
            let Some(field) = told.field(&case.field) else {
                continue;
            };
            let text = field.value.bytes();
            let fits = match &case.pattern {
                Some(pattern) => pattern.find(text, &mut captures),
                None => true,
            };
            if fits {
                let inner = Told {
                    captures: &captures,
                    captured: text,
                    outer: told.captures,
                    ..*told
                };
                self.observe(&case.observe, &inner);
                self.clues(&case.clues, &inner);
                return Some(case);
            }
        }
        None
    }
}

/// Whether a client that bent its clock until 22 September 2020 may have done so at this stamp. A
/// line without a date may be of any day.
fn may_be_bent(stamp: Option<Stamp>) -> bool {
    match stamp.map(|stamp| stamp.date) {
        Some(StampDate::Full(days)) => days < ROUGHTIME_GONE,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_day_roughtime_went() {
        assert_eq!(
            model::time::days_from_civil(2020, 9, 22),
            super::ROUGHTIME_GONE
        );
    }
}
