//! One record, whose lines are known: read by its format, given its meaning, and handed to the sink.

use super::Parser;
use crate::catalogue::is_panic;
use crate::engine::{self, Body, Rules, Shape, journal, json};
use crate::meaning::value::{Told, look_at};
use crate::meaning::{Meaning, MessageSpec};
use crate::pattern::NO_CAPTURES;
use crate::wrapper::{MAX_FACTS, MAX_LAYERS, Place};
use model::{Field, Record, RecordSink, Reject, Span, WrapperFact};

/// Empties a vector and forgets the lifetime of what was in it; mapping in place keeps its allocation.
fn recycle<T, U>(mut buffer: Vec<T>) -> Vec<U> {
    buffer.clear();
    buffer
        .into_iter()
        .map(|_| unreachable!("cleared"))
        .collect()
}

impl Parser<'_> {
    /// Hands one record to the sink: or a reject, if its text is not what its head promised.
    pub(super) fn emit<S: RecordSink>(
        &mut self,
        block: &[u8],
        span: Span,
        format: u16,
        joined: bool,
        sink: &mut S,
    ) -> Result<(), S::Error> {
        let text: &[u8] = if joined {
            &self.joined
        } else {
            self.here.peeled.text.of(block, &self.here.decoded)
        };
        let mut format = format;
        let head = &self.here.head;
        let stamp = head.stamp;
        if is_panic(head) {
            match self.catalogue.panic_owner(head, text) {
                Some(owner) => format = owner,
                None => return sink.rejected(span, Reject::Unrecognised),
            }
        }
        let compiled = &self.catalogue.compiled[usize::from(format)];
        let rules = Rules {
            manner: &compiled.definition.manner,
            one_line: !joined && self.here.is_one_line(self.here.peeled.text),
        };
        let mut fields: Vec<Field<'_>> = std::mem::take(&mut self.fields);
        let mut own_level = None;
        let mut body = Body::default();
        if let Shape::Regex(number) = head.shape {
            let regex = self.catalogue.regex(number);
            regex.read_fields(text, &mut self.scan, &self.catalogue.keys);
            body = regex.body(text, &self.scan, &mut fields);
        } else if let Shape::Json(number) | Shape::Logfmt(number) = head.shape {
            let scan = if joined {
                match head.shape {
                    Shape::Json(_) => self.scan.read(text, &self.catalogue.keys),
                    _ => self.scan.read_logfmt(text, &self.catalogue.keys),
                }
                self.catalogue.settle(&mut self.scan);
                &self.scan
            } else {
                &self.here.scan
            };
            let dialect = &self.catalogue.dialects[usize::from(number)];
            let Some(found) = scan.found_by(number, dialect, text) else {
                self.fields = recycle(fields);
                return sink.rejected(span, Reject::BrokenJson);
            };
            json::body(
                text,
                scan,
                dialect,
                &found,
                rules.manner,
                &mut fields,
                &mut body,
            );
            own_level = dialect.level(body.level_raw);
        } else {
            engine::text_body(text, head, rules, &mut fields, &mut body);
        }
        if self.here.of_machine && body.component.is_none() {
            body.component = self.here.writer(block);
        }
        let level = if is_panic(head) {
            Some(model::Level::Fatal)
        } else if head.shape == Shape::Journal {
            let layers = self.here.peeled.layers.iter();
            let priority = layers
                .last()
                .map_or(Place::default(), |layer| layer.priority);
            body.level_raw = priority.of(block, &self.here.decoded);
            journal::level(body.level_raw)
        } else {
            own_level.or_else(|| compiled.level(body.level_raw))
        };
        let mut meaning = Meaning::new(std::mem::take(&mut self.values));
        let mut kind = None;
        let mut role = None;
        let mut captures = NO_CAPTURES;
        let known = compiled.message(body.message, &mut captures);
        let known = known.filter(|spec| spec.is_by(body.component));
        if let Some(spec) = known {
            kind = Some(spec.kind.as_str());
            role = spec.role.as_deref();
        }
        let otherwise = &compiled.definition.otherwise;
        if known.is_some_and(MessageSpec::asks) || !(fields.is_empty() || otherwise.is_empty()) {
            let told = Told {
                message: body.message,
                fields: &fields,
                looks: look_at(&fields),
                captures: &captures,
                captured: body.message,
                outer: &NO_CAPTURES,
            };
            if let Some(spec) = known {
                kind = Some(meaning.read(spec, &told));
            }
            if known.is_none_or(|spec| spec.when.is_empty()) {
                let said = meaning.first_that_fits(otherwise, &told);
                kind = kind.or(said.and_then(|case| case.kind.as_deref()));
            }
        }
        let mut observations = recycle(std::mem::take(&mut self.observations));
        self.clues.clear();
        if !meaning.is_nothing() {
            meaning.say(stamp, &mut observations, &mut self.clues);
        }
        if role.is_none() {
            role = compiled.role(body.component);
        }
        let layers = &self.here.peeled.layers;
        let mut facts: [(&'static str, &[u8]); MAX_FACTS];
        let mut layer_facts: [WrapperFact<'_>; MAX_LAYERS];
        let wrapper: &[WrapperFact<'_>] = if layers.is_empty() {
            &[]
        } else {
            facts = [("", b""); MAX_FACTS];
            let known = &self.here.peeled.facts;
            for (fact, (name, place)) in facts.iter_mut().zip(known) {
                *fact = (name, place.of(block, &self.here.decoded));
            }
            layer_facts = [WrapperFact {
                kind: "",
                stamp: None,
                facts: &[],
            }; MAX_LAYERS];
            for (told, layer) in layer_facts.iter_mut().zip(layers) {
                *told = WrapperFact {
                    kind: layer.kind,
                    stamp: layer.stamp,
                    facts: &facts[usize::from(layer.facts.0)..usize::from(layer.facts.1)],
                };
            }
            &layer_facts[..layers.len()]
        };
        let record = Record {
            span,
            stamp,
            format: &compiled.definition.name,
            client: match compiled.definition.client.as_str() {
                "" if self.here.of_machine => model::SYSTEM_CLIENT,
                client => client,
            },
            component: body.component,
            level,
            level_raw: body.level_raw,
            message: body.message,
            fields: &fields,
            wrapper,
            kind,
            observations: &observations,
            clues: &self.clues,
            role,
        };
        let result = sink.record(&record);
        self.fields = recycle(fields);
        self.observations = recycle(observations);
        self.values = recycle(meaning.into_values());
        result
    }
}
