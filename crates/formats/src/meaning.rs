//! What a message means: from the catalogue's words to observations and clues.

pub(crate) mod value;

use crate::network::{begun_at, fork_digest, named, with_digest};
use crate::pattern::{NO_CAPTURES, Pattern};
use model::{Clue, ObsValue, ObsValues, Observation, Stamp, StampDate, time};
use value::{Looks, Name, Told, ValueSpec};

/// Prysm removed Roughtime from its clock on 22 September 2020 (PRs 7299, 7301): from then on its
/// slot clock is its system clock. Days since 1970.
const ROUGHTIME_GONE: i32 = 18_527;

/// A value by its place among those of [`Says`].
pub(crate) type ValueAt = u32;

/// One observation a message yields.
#[derive(Clone, Debug)]
pub(crate) struct ObserveSpec {
    kind: usize,
    slot: Option<ValueAt>,
    /// What stands in each column of the kind.
    columns: Vec<ValueAt>,
    /// The values that a line may leave out; fixed ones are always there.
    asked: Vec<ValueAt>,
}

/// One clue a message yields.
#[derive(Clone, Debug)]
pub(crate) enum ClueSpec {
    Received(ValueAt),
    Wall {
        slot: ValueAt,
        phase_s: Option<ValueAt>,
        bendable: bool,
    },
    Absolute(ValueAt),
    /// The network's name.
    Network(ValueAt),
    /// A gossip topic or status message's 4 bytes in hex.
    ForkDigest(ValueAt),
    /// When the network began, in microseconds since 1970.
    Genesis(ValueAt),
}

/// What a message says, or one of its cases: observations and clues, which speak of the same few values. Each of
/// those is read once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Says {
    values: Vec<ValueSpec>,
    observe: Vec<ObserveSpec>,
    clues: Vec<ClueSpec>,
}

impl Says {
    /// Gives a value its place; one that is there already keeps its own.
    pub(crate) fn value(&mut self, value: ValueSpec) -> ValueAt {
        let known = self.values.iter().position(|known| *known == value);
        known.unwrap_or_else(|| {
            self.values.push(value);
            self.values.len() - 1
        }) as ValueAt
    }

    /// Adds an observation with the values of some of its columns.
    pub(crate) fn add_observation(
        &mut self,
        kind: usize,
        slot: Option<ValueSpec>,
        values: Vec<(usize, ValueSpec)>,
    ) {
        let mut columns = vec![ObsValues::UNSAID; model::observation_kinds()[kind].columns.len()];
        let mut asked = Vec::new();
        let slot = slot.map(|slot| self.value(slot));
        for (column, value) in values {
            let fixed = value.is_fixed();
            columns[column] = self.value(value);
            if !fixed {
                asked.push(columns[column]);
            }
        }
        self.observe.push(ObserveSpec {
            kind,
            slot,
            columns,
            asked,
        });
    }

    pub(crate) fn add_clue(&mut self, clue: ClueSpec) {
        self.clues.push(clue);
    }

    fn is_nothing(&self) -> bool {
        self.observe.is_empty() && self.clues.is_empty()
    }
}

/// What a message means instead when one of its fields says more.
#[derive(Clone, Debug)]
pub(crate) struct WhenSpec {
    /// What the field must hold; any field will do without it.
    pub(crate) pattern: Option<Pattern>,
    /// Whether it counts beside what the message means, not instead.
    pub(crate) also: bool,
    pub(crate) kind: Option<String>,
    pub(crate) says: Says,
}

/// Cases that are tried in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cases {
    /// Those that follow each other and ask for the same field, with its name.
    by_field: Vec<(Name, Vec<WhenSpec>)>,
    looks: Looks,
}

impl Cases {
    pub(crate) fn add(&mut self, field: Name, case: WhenSpec) {
        self.looks.add(&field);
        match self.by_field.last_mut() {
            Some((last, cases)) if *last == field => cases.push(case),
            _ => self.by_field.push((field, vec![case])),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_field.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &WhenSpec> {
        self.by_field.iter().flat_map(|(_, cases)| cases)
    }
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
    pub(crate) says: Says,
    /// Tried in order; what the first whose field matches says counts instead of the above.
    pub(crate) when: Cases,
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
        !(self.says.is_nothing() && self.when.is_empty())
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

/// What one record means: the values that it tells, and what is said of them.
pub(crate) struct Meaning<'a> {
    values: Vec<Option<ObsValue<'a>>>,
    /// What the record says, and where the values of that begin: of a case, and of the message itself or of its
    /// format's cases.
    said: [Option<(&'a Says, usize)>; 2],
}

impl<'a> Meaning<'a> {
    /// Begins with an empty buffer for values.
    #[inline]
    pub(crate) fn new(values: Vec<Option<ObsValue<'a>>>) -> Meaning<'a> {
        Meaning {
            values,
            said: [None; 2],
        }
    }

    /// Gives the buffer back.
    #[inline]
    pub(crate) fn into_values(self) -> Vec<Option<ObsValue<'a>>> {
        self.values
    }

    /// Reads the values of which something is said.
    fn tell(&mut self, says: &'a Says, told: &Told<'_, 'a>) {
        let from = self.values.len();
        for spec in &says.values {
            self.values.push(None);
            if let Some(value) = self.values.last_mut() {
                spec.put(told, value);
            }
        }
        let [first, second] = &mut self.said;
        let free = if first.is_none() { first } else { second };
        *free = Some((says, from));
    }

    /// Reads what `spec` says the record means; returns the kind where a field makes it another.
    #[inline(always)]
    pub(crate) fn read(&mut self, spec: &'a MessageSpec, told: &Told<'_, 'a>) -> &'a str {
        let case = self.first_that_fits(&spec.when, told);
        if case.is_none_or(|case| case.also) && !spec.says.is_nothing() {
            self.tell(&spec.says, told);
        }
        case.and_then(|case| case.kind.as_deref())
            .unwrap_or(&spec.kind)
    }

    /// Reads what the first case says whose field matches.
    #[inline(always)]
    pub(crate) fn first_that_fits(
        &mut self,
        cases: &'a Cases,
        told: &Told<'_, 'a>,
    ) -> Option<&'a WhenSpec> {
        // Most records have none of the fields.
        if cases.is_empty() || !told.may_have(&cases.looks) {
            return None;
        }
        self.first_of_those(cases, told)
    }

    #[inline(never)]
    fn first_of_those(&mut self, cases: &'a Cases, told: &Told<'_, 'a>) -> Option<&'a WhenSpec> {
        let mut captures = NO_CAPTURES;
        for (name, cases) in &cases.by_field {
            let Some(field) = told.field(name) else {
                continue;
            };
            let text = field.value.bytes();
            let fits = |case: &&WhenSpec| match &case.pattern {
                Some(pattern) => pattern.find(text, &mut captures),
                None => true,
            };
            if let Some(case) = cases.iter().find(fits) {
                let inner = Told {
                    captures: &captures,
                    captured: text,
                    outer: told.captures,
                    ..*told
                };
                self.tell(&case.says, &inner);
                return Some(case);
            }
        }
        None
    }

    /// Whether anything is said at all.
    #[inline]
    pub(crate) fn is_nothing(&self) -> bool {
        self.said[0].is_none()
    }

    /// Appends what is said of the values: observations, and clues of a record with this stamp.
    #[inline(always)]
    pub(crate) fn say<'v>(
        &'v self,
        stamp: Option<Stamp>,
        observations: &mut Vec<Observation<'v>>,
        clues: &mut Vec<Clue>,
    ) {
        for said in &self.said {
            let Some((says, from)) = said else {
                break;
            };
            let values = &self.values[*from..];
            for spec in &says.observe {
                let slot = spec.slot.and_then(|slot| int(values, slot));
                let is_told = |at: &ValueAt| values[*at as usize].is_some();
                // A line that should have told something but did not (a field lost in pasting) is no
                // observation; one made of fixed values alone is.
                let asks = spec.slot.is_some() || !spec.asked.is_empty();
                if slot.is_some() || !asks || spec.asked.iter().any(is_told) {
                    observations.push(Observation {
                        kind: spec.kind,
                        slot,
                        values: ObsValues::new(values, &spec.columns),
                    });
                }
            }
            for clue in &says.clues {
                if let Some(clue) = clue.read(values, stamp) {
                    clues.push(clue);
                }
            }
        }
    }
}

/// A value that is a whole number.
#[inline]
fn int(values: &[Option<ObsValue<'_>>], at: ValueAt) -> Option<i64> {
    match values[at as usize] {
        Some(ObsValue::I64(value)) => Some(value),
        _ => None,
    }
}

impl ClueSpec {
    fn read(&self, values: &[Option<ObsValue<'_>>], stamp: Option<Stamp>) -> Option<Clue> {
        let int = |at: &ValueAt| int(values, *at);
        let text = |at: &ValueAt| match values[*at as usize] {
            Some(ObsValue::Text(text)) => Some(text),
            _ => None,
        };
        Some(match self {
            ClueSpec::Network(name) => Clue::Network(named(text(name)?)),
            // An unknown digest may be a devnet's, or a known network's after its next fork: it says
            // nothing.
            ClueSpec::ForkDigest(digest) => {
                let name = fork_digest(text(digest)?).and_then(with_digest)?;
                Clue::Network(Some(name))
            }
            ClueSpec::Genesis(time) => Clue::Network(begun_at(int(time)?)),
            ClueSpec::Received(slot) => Clue::ReceivedSlot(int(slot)?),
            ClueSpec::Absolute(time) => Clue::Absolute { utc_us: int(time)? },
            ClueSpec::Wall {
                slot,
                phase_s,
                bendable,
            } => {
                // A slot whose phase should be told and is not (an older version) may be any
                // slot; one that is current by its meaning is taken at its middle.
                let phase_us = match phase_s.map(|phase| values[phase as usize]) {
                    None => 6 * time::MICROS_PER_SECOND,
                    Some(Some(ObsValue::F64(seconds))) => (seconds * 1e6).round() as i64,
                    Some(_) => return None,
                };
                Clue::WallSlot {
                    slot: int(slot)?,
                    phase_us,
                    bendable: *bendable && may_be_bent(stamp),
                }
            }
        })
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
    use super::*;
    use model::{Field, FieldValue};

    fn case(kind: &str, pattern: Option<&str>) -> WhenSpec {
        WhenSpec {
            pattern: pattern.map(|text| Pattern::new(text).unwrap()),
            also: false,
            kind: Some(kind.to_owned()),
            says: Says::default(),
        }
    }

    #[test]
    fn cases_are_tried_in_order() {
        let mut cases = Cases::default();
        for (field, kind, pattern) in [
            ("code", "one", Some("ONE_{}")),
            ("code", "two", Some("TWO_{}")),
            ("error", "any error", None),
            ("code", "any code", None),
        ] {
            cases.add(Name::new(field), case(kind, pattern));
        }
        assert_eq!(cases.iter().count(), 4);
        let many = [("other", "x"); 20];
        for (fields, kind) in [
            (vec![], None),
            (vec![("other", "ONE_1")], None),
            // It looks alike.
            (vec![("cxxe", "ONE_1")], None),
            (vec![("code", "TWO_1")], Some("two")),
            (vec![("error", ""), ("code", "ONE_1")], Some("one")),
            (vec![("code", "x"), ("error", "")], Some("any error")),
            (vec![("code", "x")], Some("any code")),
            // The first field of a name counts.
            (vec![("code", "x"), ("code", "ONE_1")], Some("any code")),
            ([&many[..], &[("code", "ONE_1")]].concat(), Some("one")),
            (many.to_vec(), None),
        ] {
            let fields: Vec<Field<'_>> = fields
                .iter()
                .map(|(key, value)| Field {
                    key: key.as_bytes(),
                    value: FieldValue::Text(value.as_bytes()),
                })
                .collect();
            let told = Told::of_fields(&fields);
            let mut meaning = Meaning::new(Vec::new());
            let found = meaning.first_that_fits(&cases, &told);
            let found = found.and_then(|case| case.kind.as_deref());
            assert_eq!(found, kind, "{fields:?}");
        }
    }

    #[test]
    fn the_day_roughtime_went() {
        assert_eq!(
            model::time::days_from_civil(2020, 9, 22),
            super::ROUGHTIME_GONE
        );
    }
}
