//! Formats of users' own: a regular expression with named groups.
//!
//! `stamp`, `level`, `component`, `message` are what they say; `fields` holds `key=value` pairs; every
//! other named group is a field of its own. The expression must match the whole line, `.` is any byte,
//! classes are ASCII. The regex crate matches in linear time; the size of what it compiles is bounded.

use super::json::{Keys, Scan, State};
use super::strptime::StampFormat;
use super::{Body, stamps};
use crate::scan::trim_end;
use memchr::memchr;
use model::{Field, FieldValue, Stamp};
use regex::bytes::{Captures, Regex, RegexBuilder};

/// The most bytes of an expression, and of what becomes of it.
const PATTERN_MAX: usize = 4096;
const COMPILED_MAX: usize = 1 << 20;

/// One `[[regex]]` of a definition file.
#[derive(Clone, Debug)]
pub(crate) struct RegexSpec {
    regex: Regex,
    stamp_format: Option<StampFormat>,
    has_stamp: bool,
    has_fields: bool,
    /// Groups that are fields.
    names: Vec<String>,
}

/// Groups with a role of their own.
const ROLES: [&str; 5] = ["stamp", "level", "component", "message", "fields"];

impl RegexSpec {
    /// Compiles an expression; the error says what is wrong with it.
    pub(crate) fn new(pattern: &str, stamp_format: Option<&str>) -> Result<RegexSpec, String> {
        if pattern.len() > PATTERN_MAX {
            return Err(format!("longer than {PATTERN_MAX} bytes"));
        }
        // In verbose mode a comment at the end would swallow the bracket.
        let end = if pattern.trim_start().starts_with("(?x") {
            "\n"
        } else {
            ""
        };
        let regex = RegexBuilder::new(&format!(r"\A(?:{pattern}{end})\z"))
            .unicode(false)
            .size_limit(COMPILED_MAX)
            .dfa_size_limit(COMPILED_MAX)
            .nest_limit(64)
            .build()
            .map_err(|error| match error {
                regex::Error::CompiledTooBig(_) => "too large when compiled".to_owned(),
                error => error.to_string(),
            })?;
        let has = |name: &str| regex.capture_names().flatten().any(|known| known == name);
        if !has("message") {
            return Err("needs a group `(?<message>…)`".to_owned());
        }
        if !has("stamp") && !has("level") {
            return Err(
                "needs a group `(?<stamp>…)` or `(?<level>…)`: else any line would match"
                    .to_owned(),
            );
        }
        let names = regex.capture_names().flatten();
        Ok(RegexSpec {
            names: names
                .filter(|name| !ROLES.contains(name))
                .map(str::to_owned)
                .collect(),
            has_stamp: has("stamp"),
            has_fields: has("fields"),
            stamp_format: stamp_format.map(StampFormat::new).transpose()?,
            regex,
        })
    }

    fn stamp(&self, text: &[u8]) -> Option<Stamp> {
        match &self.stamp_format {
            Some(format) => format.read(text),
            None => stamps::whole(text),
        }
    }

    fn captures<'a>(&self, text: &'a [u8]) -> Option<(Captures<'a>, Option<Stamp>)> {
        let end = memchr(b'\n', text).unwrap_or(text.len());
        let captures = self.regex.captures(trim_end(&text[..end]))?;
        if !self.has_stamp {
            return Some((captures, None));
        }
        // A branch without a time is fine; what looks like one and is none is not.
        let stamp = match captures.name("stamp") {
            Some(found) => Some(self.stamp(found.as_bytes())?),
            None => None,
        };
        Some((captures, stamp))
    }

    /// Says whether a record starts with this line, and its time.
    pub(crate) fn recognise(&self, line: &[u8]) -> Option<Option<Stamp>> {
        if self.has_stamp {
            return self.captures(line).map(|(_, stamp)| stamp);
        }
        let end = memchr(b'\n', line).unwrap_or(line.len());
        self.regex.is_match(trim_end(&line[..end])).then_some(None)
    }

    /// Reads the group `fields` into the scan.
    pub(crate) fn read_fields(&self, text: &[u8], scan: &mut Scan, keys: &Keys) {
        scan.clear();
        if self.has_fields
            && let Some((captures, _)) = self.captures(text)
            && let Some(found) = captures.name("fields")
        {
            scan.read_logfmt(found.as_bytes(), keys);
        }
    }

    /// Splits a record; `scan` is what [`RegexSpec::read_fields`] found.
    pub(crate) fn body<'a>(
        &'a self,
        text: &'a [u8],
        scan: &'a Scan,
        fields: &mut Vec<Field<'a>>,
    ) -> Body<'a> {
        let Some((captures, _)) = self.captures(text) else {
            return Body::default();
        };
        let group = |name: &str| captures.name(name);
        for name in &self.names {
            if let Some(found) = group(name) {
                fields.push(Field {
                    key: name.as_bytes(),
                    value: FieldValue::Text(&text[found.range()]),
                });
            }
        }
        if let Some(found) = group("fields") {
            let pairs = &text[found.range()];
            if scan.state == State::Pairs {
                for member in &scan.members {
                    fields.push(Field {
                        key: scan.key(pairs, member),
                        value: FieldValue::Text(scan.value(pairs, member)),
                    });
                }
            } else if !pairs.is_empty() {
                fields.push(Field {
                    key: b"fields",
                    value: FieldValue::Text(pairs),
                });
            }
        }
        let part = |name: &str| group(name).map(|found| &text[found.range()]);
        // Lines that go on with the record go on with the message, wherever it stood.
        let first = memchr(b'\n', text).unwrap_or(text.len());
        let message = group("message").map(|found| {
            let end = if trim_end(&text[..first]).len() == found.end() {
                text.len()
            } else {
                found.end()
            };
            trim_end(&text[found.start()..end])
        });
        if let Some(message) = group("message")
            && first < text.len()
            && trim_end(&text[..first]).len() != message.end()
        {
            fields.push(Field {
                key: b"lines",
                value: FieldValue::Text(&text[first + 1..]),
            });
        }
        Body {
            component: part("component").filter(|text| !text.is_empty()),
            level_raw: part("level").unwrap_or(b""),
            message: message.unwrap_or(b""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        for (pattern, words) in [
            ("(", "unclosed"),
            ("(?<stamp>x)", "(?<message>"),
            ("(?<message>.*)", "(?<stamp>"),
            ("(?<stamp>.)(?<message>(a{1000}){1000})", "too large"),
        ] {
            let error = RegexSpec::new(pattern, None).unwrap_err();
            assert!(error.contains(words), "{error}");
        }
        let long = format!("(?<stamp>x)(?<message>{})", "x".repeat(5000));
        assert!(RegexSpec::new(&long, None).is_err());
    }
}
