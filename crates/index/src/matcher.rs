//! Whether a record satisfies a search.

use crate::language::{Search, Text, TextKind, What};
use memchr::memmem;
use serde_json::{Map, Value as Json};

/// What a search looks at in a record. Text that the record does not have is empty or `None`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) level: Option<&'a str>,
    pub(crate) component: &'a str,
    pub(crate) message: &'a str,
    /// A JSON object.
    pub(crate) fields: &'a str,
    /// Values of columns and of promoted fields, by name.
    pub(crate) columns: &'a [(&'static str, Option<&'a str>)],
}

/// Scratch space, kept from record to record.
#[derive(Debug, Default)]
pub(crate) struct Matcher {
    lower: Vec<u8>,
    rendered: String,
}

impl Matcher {
    /// Whether the record satisfies all terms.
    pub(crate) fn matches(&mut self, search: &Search, subject: &Subject<'_>) -> bool {
        // Cheap terms first.
        for term in &search.terms {
            let holds = match &term.what {
                What::Text(_) => continue,
                What::Level(levels) => subject
                    .level
                    .is_some_and(|name| levels.iter().any(|level| level.name() == name)),
                What::Column(name, values) => column(subject, name)
                    .is_some_and(|text| values.iter().any(|value| value.accepts(text))),
                What::Field(name, values) => {
                    column(subject, name)
                        .is_some_and(|text| values.iter().any(|value| value.accepts(text)))
                        || field(subject.fields, name)
                            .is_some_and(|text| values.iter().any(|value| value.accepts(&text)))
                }
            };
            if holds == term.negated {
                return false;
            }
        }
        self.lower.clear();
        for part in [subject.component, subject.message, subject.fields] {
            self.lower.extend_from_slice(part.as_bytes());
            self.lower.push(b'\n');
        }
        self.lower.make_ascii_lowercase();
        let mut is_rendered = false;
        for term in &search.terms {
            let What::Text(text) = &term.what else {
                continue;
            };
            let mut holds = text.anchor.find(&self.lower).is_some();
            if holds {
                if !is_rendered {
                    render(subject, &mut self.rendered);
                    is_rendered = true;
                }
                holds = found(text, &self.rendered);
            }
            if holds == term.negated {
                return false;
            }
        }
        true
    }
}

fn column<'a>(subject: &Subject<'a>, name: &str) -> Option<&'a str> {
    subject
        .columns
        .iter()
        .find(|(column, _)| *column == name)
        .and_then(|(_, text)| *text)
}

fn object(fields: &str) -> Option<Map<String, Json>> {
    if fields.is_empty() {
        return None;
    }
    serde_json::from_str(fields).ok()
}

fn printed(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn field(fields: &str, name: &str) -> Option<String> {
    if !fields.contains(name) {
        return None;
    }
    object(fields)?.get(name).map(printed)
}

/// Writes what a person sees of the record, in lower case.
fn render(subject: &Subject<'_>, out: &mut String) {
    out.clear();
    out.push_str(subject.component);
    out.push(' ');
    out.push_str(subject.message);
    match object(subject.fields) {
        Some(fields) => {
            for (name, value) in fields {
                out.push(' ');
                out.push_str(&name);
                out.push('=');
                out.push_str(&printed(&value));
            }
        }
        None => out.push_str(subject.fields),
    }
    if out.is_ascii() {
        out.make_ascii_lowercase();
    } else {
        *out = out.to_lowercase();
    }
}

/// Whether a text is found in `text`, both in lower case.
fn found(term: &Text, text: &str) -> bool {
    let needle = term.needle.as_str();
    memmem::find_iter(text.as_bytes(), needle.as_bytes()).any(|start| {
        let end = start + needle.len();
        let starts = !joined(text[..start].chars().next_back(), needle.chars().next());
        let ends = || !joined(needle.chars().next_back(), text[end..].chars().next());
        match term.kind {
            TextKind::Phrase => true,
            TextKind::Beginning => starts,
            TextKind::Word => starts && ends(),
            TextKind::Hex => {
                let before = &text.as_bytes()[..start];
                starts || before.ends_with(b"0x") || before.ends_with(b"\\x")
            }
        }
    })
}

/// Whether two neighbours belong to one word.
fn joined(a: Option<char>, b: Option<char>) -> bool {
    let in_word = |c: char| c == '_' || (c.is_alphanumeric() && !is_one_word(c));
    matches!((a, b), (Some(a), Some(b)) if in_word(a) && in_word(b))
}

/// Whether a character is a word of its own: Chinese, Japanese, Korean.
fn is_one_word(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(search: &str, expected: bool) {
        let subject = Subject {
            level: Some("warn"),
            component: "roughtime",
            message: "Roughtime reports your clock is off by more than 2 seconds in_gpu_proof 证明没有",
            fields: r#"{"offset":"4h0m0.028854657s","hash":"0x0BBBcf153f17ec0e","peers":12,"err":"say \"no\""}"#,
            columns: &[
                ("node", Some("prysm-3")),
                ("client", None),
                ("slot", Some("73324")),
            ],
        };
        let search_read = Search::parse(search).unwrap();
        assert_eq!(
            Matcher::default().matches(&search_read, &subject),
            expected,
            "{search}"
        );
    }

    #[test]
    fn records_match_by_words_phrases_and_columns() {
        for search in [
            "ROUGHTIME clock",
            "\"your Clock is\"",
            "roughtime -chain",
            "clo*",
            "4h0m0.028854657s",
            "4h0m0",
            "\"offset=4h0m0\"",
            "offset",
            "0x0bbbcf",
            "0bbbcf153f17",
            "in_gpu_proof",
            "in_gpu*",
            "证明",
            "没",
            "level:warn",
            "level:info+",
            "-level:error+",
            "node:PRYSM-3",
            "node:prysm-*",
            "node:a,prysm-3",
            "-client:teku",
            "slot:73324",
            "peers:12",
            "err:say*",
            "-peers:1",
        ] {
            check(search, true);
        }
        for search in [
            "cloc",
            "clock missing",
            "gpu_proof",
            "bbbcf153",
            "-roughtime",
            "-\"your clock\"",
            "level:error",
            "node:prysm",
            "client:teku",
            "slot:7332",
            "peers:1",
            "\"reports  your\"",
        ] {
            check(search, false);
        }
    }

    #[test]
    fn the_anchor_never_hides_a_match() {
        // Escapes in the stored JSON must not keep a rendered text from being found.
        let subject = Subject {
            fields: r#"{"err":"a\"quoted\"\tword\u001b[31m ünï"}"#,
            ..Subject::default()
        };
        for search in ["quoted", "word", "ünï", "ÜNÏ", "a"] {
            let read = Search::parse(search).unwrap();
            assert!(Matcher::default().matches(&read, &subject), "{search}");
        }
    }
}
