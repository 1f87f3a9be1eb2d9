//! The search language.

use memchr::memmem::Finder;
use model::Level;

/// A search as typed.
///
/// Terms are separated by blanks; a record must satisfy all of them.
///
/// * `word`: a word of the record, whatever its case: letters, digits and `_` belong to a word, and every Chinese,
///   Japanese or Korean character is one. With other signs in it (`4h0m0.1s`, `house_keeper::periodic_job`) it is
///   looked for as it stands, beginning and ending at the border of a word. `word*`: a word's beginning.
/// * `0x0bbbcf`, `0bbbcf`: six hex digits or more are the beginning of a hash, with or without `0x`.
/// * `"a phrase"`: these characters, whatever their case.
/// * `level:warn`, `level:warn,error`, `level:warn+` (that or worse), and so `node:`, `client:`, `component:`,
///   `kind:`, `role:`, `network:`, `version:`; a value may end in `*`. Any other name is a field of the record:
///   `slot:73324`, `peers:12`, `err:"connection reset"`.
/// * `-term`: not that.
///
/// What is searched is the record's component, message and fields, written `key=value`; of lines that no format
/// claimed, the raw text. A search for a hash also finds the rows of database tables that hold it.
#[derive(Clone, Debug)]
pub struct Search {
    pub(crate) terms: Vec<Term>,
}

/// Why a search cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the search cannot be read: {0}")]
pub struct SearchSyntaxError(String);

#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) negated: bool,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Text(Box<Text>),
    Column(&'static str, Vec<Value>),
    Level(Vec<Level>),
    Field(String, Vec<Value>),
}

/// A text to look for, in lower case.
#[derive(Clone, Debug)]
pub(crate) struct Text {
    pub(crate) needle: String,
    pub(crate) kind: TextKind,
    /// The longest run of plain letters and digits: a record whose stored columns lack it cannot match.
    pub(crate) anchor: Finder<'static>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TextKind {
    Word,
    Beginning,
    Hex,
    Phrase,
}

/// A value to compare with, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    text: String,
    is_beginning: bool,
}

impl Value {
    fn new(text: &str, quoted: bool) -> Value {
        let text = text.to_lowercase();
        match text.strip_suffix('*') {
            Some(beginning) if !quoted => Value {
                text: beginning.to_owned(),
                is_beginning: true,
            },
            _ => Value {
                text,
                is_beginning: false,
            },
        }
    }

    pub(crate) fn accepts(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        match self.is_beginning {
            true => text.starts_with(&self.text),
            false => text == self.text,
        }
    }
}

/// Columns that a key names.
const COLUMNS: [&str; 7] = [
    "node",
    "client",
    "component",
    "kind",
    "role",
    "network",
    "version",
];

impl Search {
    /// Whether a term asks for a column or field by name.
    pub(crate) fn names_columns(&self) -> bool {
        let named = |term: &Term| matches!(term.what, What::Column(..) | What::Field(..));
        self.terms.iter().any(named)
    }

    /// Reads a search.
    ///
    /// # Errors
    /// If it holds no term, an open quote, a key without value, or an operator that the language does not have.
    pub fn parse(text: &str) -> Result<Search, SearchSyntaxError> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, after) = term(rest)?;
            terms.push(term);
            rest = after.trim_start();
        }
        if terms.is_empty() {
            return wrong("it is empty");
        }
        Ok(Search { terms })
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, SearchSyntaxError> {
    Err(SearchSyntaxError(what.into()))
}

/// Reads the first term of `text` and returns what follows it.
fn term(text: &str) -> Result<(Term, &str), SearchSyntaxError> {
    let (negated, text) = match text.strip_prefix('-') {
        Some(rest) if !rest.is_empty() && !rest.starts_with(char::is_whitespace) => (true, rest),
        _ => (false, text),
    };
    if let Some(key) = key(text) {
        let (values, rest) = values(&text[key.len() + 1..], key)?;
        let what = match key {
            "level" => What::Level(levels(&values)?),
            key => match COLUMNS.iter().find(|column| **column == key) {
                Some(column) => What::Column(column, values),
                None => What::Field(key.to_owned(), values),
            },
        };
        return Ok((Term { negated, what }, rest));
    }
    let (part, quoted, rest) = part(text, |c| c.is_whitespace())?;
    if !quoted && matches!(part, "AND" | "OR" | "NOT") {
        return wrong(format!(
            "there is no {part}: terms are joined by AND, `-term` is NOT, OR is not there; quote the word to look for it"
        ));
    }
    let what = What::Text(Box::new(text_term(part, quoted)?));
    Ok((Term { negated, what }, rest))
}

/// Returns the key of `key:value`; none in `http://…`, `a::b` or `17:31`.
fn key(text: &str) -> Option<&str> {
    let (key, value) = text.split_once(':')?;
    let first = key.chars().next()?;
    let is_key = (first.is_ascii_alphabetic() || first == '_')
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '#' | '-'));
    (is_key && !value.starts_with(['/', ':'])).then_some(key)
}

/// Reads a quoted or bare part and returns what follows it.
fn part(
    text: &str,
    is_end: impl Fn(char) -> bool,
) -> Result<(&str, bool, &str), SearchSyntaxError> {
    if let Some(quoted) = text.strip_prefix('"') {
        return match quoted.split_once('"') {
            Some((inside, rest)) => Ok((inside, true, rest)),
            None => wrong("a quote is not closed"),
        };
    }
    let end = text.find(is_end).unwrap_or(text.len());
    Ok((&text[..end], false, &text[end..]))
}

fn values<'a>(mut text: &'a str, key: &str) -> Result<(Vec<Value>, &'a str), SearchSyntaxError> {
    let mut values = Vec::new();
    loop {
        let (value, quoted, rest) = part(text, |c| c.is_whitespace() || c == ',')?;
        if value.is_empty() && !quoted {
            return wrong(format!("`{key}:` has no value"));
        }
        values.push(Value::new(value, quoted));
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None => return Ok((values, rest)),
        }
    }
}

fn levels(values: &[Value]) -> Result<Vec<Level>, SearchSyntaxError> {
    let mut levels = Vec::new();
    for value in values {
        let name = value.text.trim_end_matches('+');
        let Some(level) = Level::from_name(name) else {
            let known: Vec<&str> = Level::ALL.iter().map(|level| level.name()).collect();
            return wrong(format!(
                "no level `{}`; levels are {}",
                value.text,
                known.join(", ")
            ));
        };
        let or_worse = value.text.ends_with('+');
        levels.extend(
            Level::ALL
                .into_iter()
                .filter(|other| *other == level || or_worse && *other > level),
        );
    }
    Ok(levels)
}

fn text_term(part: &str, quoted: bool) -> Result<Text, SearchSyntaxError> {
    let mut needle = part.to_lowercase();
    let mut kind = TextKind::Phrase;
    if !quoted {
        let digits = needle.strip_prefix("0x").unwrap_or(&needle);
        let is_hex = digits.len() >= 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        // `decade` and `facade` are words; a hash has a digit, or says 0x.
        let is_hash = needle.starts_with("0x") || digits.bytes().any(|b| b.is_ascii_digit());
        if is_hex && is_hash {
            needle = digits.to_owned();
            kind = TextKind::Hex;
        } else if let Some(beginning) = needle.strip_suffix('*') {
            needle = beginning.to_owned();
            kind = TextKind::Beginning;
        } else {
            kind = TextKind::Word;
        }
    }
    if needle.is_empty() {
        return wrong("a term is empty");
    }
    let anchor = needle
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .max_by_key(|run| run.len())
        .unwrap_or_default();
    Ok(Text {
        anchor: Finder::new(anchor.as_bytes()).into_owned(),
        needle,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        match Search::parse(text) {
            Ok(search) => search
                .terms
                .iter()
                .map(|term| {
                    let sign = if term.negated { "-" } else { "" };
                    match &term.what {
                        What::Text(text) => format!("{sign}{:?}({})", text.kind, text.needle),
                        What::Column(name, values) => {
                            let values: Vec<&str> =
                                values.iter().map(|v| v.text.as_str()).collect();
                            format!("{sign}{name}={}", values.join("|"))
                        }
                        What::Level(levels) => format!("{sign}{levels:?}"),
                        What::Field(name, values) => {
                            let values: Vec<&str> =
                                values.iter().map(|v| v.text.as_str()).collect();
                            format!("{sign}.{name}={}", values.join("|"))
                        }
                    }
                })
                .collect::<Vec<_>>()
                .join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn terms_are_read() {
        for (text, expected) in [
            ("Roughtime  clock", "Word(roughtime) Word(clock)"),
            ("\"Your clock\" -peer", "Phrase(your clock) -Word(peer)"),
            ("-\"a b\" reorg*", "-Phrase(a b) Beginning(reorg)"),
            (
                "0x0BBBcf 0bbbcf decade 0xdecade",
                "Hex(0bbbcf) Hex(0bbbcf) Word(decade) Hex(decade)",
            ),
            ("level:warn,error", "[Warn, Error]"),
            ("-level:crit+", "-[Crit, Fatal]"),
            (
                "node:prysm-3,b* client:Prysm",
                "node=prysm-3|b client=prysm",
            ),
            (
                "slot:73324 err:\"connection reset\"",
                ".slot=73324 .err=connection reset",
            ),
            (
                "http://x a::b 17:31:02 -",
                "Word(http://x) Word(a::b) Word(17:31:02) Word(-)",
            ),
            ("4h0m0.1s", "Word(4h0m0.1s)"),
            ("", "the search cannot be read: it is empty"),
            ("\"a", "the search cannot be read: a quote is not closed"),
            ("level:", "the search cannot be read: `level:` has no value"),
            ("*", "the search cannot be read: a term is empty"),
            (
                "level:loud",
                "the search cannot be read: no level `loud`; levels are trace, debug, info, notice, warn, error, crit, fatal",
            ),
            (
                "a OR b",
                "the search cannot be read: there is no OR: terms are joined by AND, `-term` is NOT, OR is not there; quote the word to look for it",
            ),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }
}
