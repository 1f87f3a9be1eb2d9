//! A value that a message yields: where it comes from, what is made of it.

use crate::convert::{self, Convert};
use crate::lanes::{Lane, Marks, WIDTH};
use crate::pattern::{Captures, Pattern};
use crate::words::Literal;
use model::{ColumnType, Field, ObsValue};
use toml::Value;

/// What a record said, as far as meaning needs it.
#[derive(Clone, Copy)]
pub(crate) struct Told<'t, 'a> {
    pub(crate) message: &'a [u8],
    pub(crate) fields: &'t [Field<'a>],
    /// The [`look`] of each of the first fields' keys.
    pub(crate) looks: Lane,
    pub(crate) captures: &'t Captures,
    /// The text that `captures` are ranges of.
    pub(crate) captured: &'a [u8],
    /// What the message's holes took, where a field's pattern matched.
    pub(crate) outer: &'t Captures,
}

#[cfg(test)]
impl<'t, 'a> Told<'t, 'a> {
    /// A record that has nothing but fields.
    pub(super) fn of_fields(fields: &'t [Field<'a>]) -> Told<'t, 'a> {
        const NOTHING: &Captures = &crate::pattern::NO_CAPTURES;
        Told {
            message: b"",
            fields,
            looks: look_at(fields),
            captures: NOTHING,
            captured: b"",
            outer: NOTHING,
        }
    }
}

impl<'a> Told<'_, 'a> {
    #[inline(always)]
    pub(super) fn field(&self, name: &Name) -> Option<&Field<'a>> {
        let mut alike = self.looks.same(name.look).marks();
        while alike != 0 {
            let field = self.fields.get(alike.trailing_zeros() as usize)?;
            if name.text.is(field.key) {
                return Some(field);
            }
            alike &= alike - 1;
        }
        match self.fields.get(WIDTH..) {
            None | Some([]) => None,
            Some(behind) => later(behind, name),
        }
    }

    /// Whether a field is there that looks like one of some names.
    #[inline(always)]
    pub(super) fn may_have(&self, names: &Looks) -> bool {
        let alike = |name: &Lane| self.looks.same(*name).marks() != 0;
        names.0.iter().any(alike) || self.fields.len() > WIDTH
    }

    /// The value of the first of some fields that is there.
    #[inline(always)]
    fn first_of(&self, names: &[Name]) -> Option<&'a [u8]> {
        // Most often there is one name, or programs write the first.
        let (first, others) = names.split_first()?;
        match self.field(first) {
            Some(field) => Some(field.value.bytes()),
            None if others.is_empty() => None,
            None => self.first_of_others(others),
        }
    }

    #[inline(never)]
    fn first_of_others(&self, names: &[Name]) -> Option<&'a [u8]> {
        let field = names.iter().find_map(|name| self.field(name))?;
        Some(field.value.bytes())
    }
}

/// What a key looks like at a glance, never 0: of a record's keys few look alike, and a lane of them is compared
/// with a name in one step.
#[inline]
fn look(key: &[u8]) -> u8 {
    let ends = key.first().copied().unwrap_or(0) << 1 ^ key.last().copied().unwrap_or(0);
    ends ^ (key.len() as u8) << 4 | 0x80
}

/// What the first keys of a record look like.
#[inline]
pub(crate) fn look_at(fields: &[Field<'_>]) -> Lane {
    Lane::collect(fields, |field| look(field.key))
}

/// The first field of a name behind those that a lane has room for: real records have fewer.
#[cold]
fn later<'f, 'a>(fields: &'f [Field<'a>], name: &Name) -> Option<&'f Field<'a>> {
    fields.iter().find(|field| name.text.is(field.key))
}

/// The name of a field.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    text: Literal,
    /// Its [`look`] in every place of a lane.
    look: Lane,
}

impl Name {
    pub(crate) fn new(text: &str) -> Name {
        let look = Lane::collect(&[(); WIDTH], |()| look(text.as_bytes()));
        let text = Literal::new(text.as_bytes().to_vec());
        Name { text, look }
    }
}

/// What some names look like, each look once and in every place of a lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looks(Vec<Lane>);

impl Looks {
    pub(super) fn add(&mut self, name: &Name) {
        let is_there = |known: &Lane| known.same(name.look).marks() == Marks::from(u16::MAX);
        if !self.0.iter().any(is_there) {
            self.0.push(name.look);
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.text == other.text
    }
}

/// Where a value comes from. What is rare lies elsewhere if it is large.
#[derive(Clone, Debug, PartialEq)]
enum Source {
    /// The first of these fields that is there.
    Field(Vec<Name>),
    /// What follows a label inside a field's text, up to a comma or closing bracket: for values that
    /// are Rust's Debug text.
    Inside(Box<(Name, Vec<u8>)>),
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
    IfGreater(Box<[ValueSpec; 2]>, Box<[String; 2]>),
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
#[derive(Clone, Debug, PartialEq)]
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
            Source::Inside(Box::new((Name::new(key), label.as_bytes().to_vec())))
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
            let numbers = [*number(a)?, *number(b)?];
            let source = Source::IfGreater(Box::new(numbers), Box::new([yes.clone(), no.clone()]));
            return Ok(spec(source));
        }
        Err(
            "a computed value is `{ difference = [a, b] }`, `{ slots = [a, b] }`, `{ seconds_between = [a, b] }` or \
             `{ if_greater = [a, b], then = …, else = … }`"
                .to_owned(),
        )
    }

    pub(super) fn is_fixed(&self) -> bool {
        matches!(
            self.source,
            Source::Text(_) | Source::I64(_) | Source::F64(_) | Source::Bool(_)
        )
    }

    /// Puts the value, if the record has it, where there is none yet.
    #[inline(always)]
    pub(super) fn put<'a>(&'a self, told: &Told<'_, 'a>, value: &mut Option<ObsValue<'a>>) {
        // Most are fields or what a hole took.
        let text = match &self.source {
            Source::Field(names) => told.first_of(names),
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
            Source::Inside(inside) => {
                let (key, label) = &**inside;
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
            Source::IfGreater(numbers, texts) => {
                let ([a, b], [yes, no]) = (&**numbers, &**texts);
                let text = if number(a)? > number(b)? { yes } else { no };
                Some(ObsValue::Text(text.as_bytes()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::FieldValue;

    #[test]
    fn the_first_field_of_a_name_is_found_among_many() {
        // Some keys look alike, and those behind 35 repeat the first.
        let keys: Vec<String> = (0..40).map(|n| format!("key{}", n % 35)).collect();
        let fields: Vec<Field<'_>> = keys
            .iter()
            .map(|key| Field {
                key: key.as_bytes(),
                value: FieldValue::Text(b""),
            })
            .collect();
        let told = Told::of_fields(&fields);
        for (place, key) in keys.iter().enumerate().take(35) {
            let found = told.field(&Name::new(key)).unwrap();
            assert!(std::ptr::eq(found, &fields[place]), "{key}");
        }
        for other in ["", "key35", "ke10", "yek1"] {
            assert!(told.field(&Name::new(other)).is_none(), "{other}");
        }
    }
}
