//! Words, names, strings and marks of a statement.

use crate::encoding::TextEncoding;
use crate::sniff::COLUMNS;

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// A piece of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or keyword: lower case unless it was quoted.
    Word(String),
    /// A quoted name.
    Quoted(String),
    /// A string, escapes resolved.
    Text(String),
    /// Anything else.
    Mark(char),
}

impl Token {
    pub(crate) fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word == keyword)
    }

    pub(crate) fn name(self) -> Option<String> {
        match self {
            Token::Word(name) | Token::Quoted(name) => Some(name),
            _ => None,
        }
    }
}

/// Cuts a statement into tokens; comments are left out.
#[derive(Clone)]
pub(crate) struct Tokens<'a> {
    rest: &'a [u8],
    encoding: TextEncoding,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(statement: &'a [u8]) -> Tokens<'a> {
        Tokens::encoded(statement, TextEncoding::default())
    }

    /// Names and strings are in this encoding.
    pub(crate) fn encoded(statement: &'a [u8], encoding: TextEncoding) -> Tokens<'a> {
        Tokens {
            rest: statement,
            encoding,
        }
    }

    /// What no token was taken from yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes the next token if it is this keyword.
    pub(crate) fn eat(&mut self, keyword: &str) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next().is_some_and(|token| token.is(keyword));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes the next token if it is this mark.
    pub(crate) fn eat_mark(&mut self, mark: char) -> bool {
        let mut ahead = self.clone();
        let found = ahead.next() == Some(Token::Mark(mark));
        if found {
            *self = ahead;
        }
        found
    }

    /// Takes a name with an optional schema (and database, which is dropped).
    pub(crate) fn qualified(&mut self) -> Option<Name> {
        let mut parts = vec![self.next()?.name()?];
        while self.eat_mark('.') {
            parts.push(self.next()?.name()?);
        }
        let name = parts.pop()?;
        Some(Name {
            schema: parts.pop(),
            name,
        })
    }

    /// Takes `(a, "b", c)`.
    pub(crate) fn names_in_parentheses(&mut self) -> Option<Vec<String>> {
        if !self.eat_mark('(') {
            return None;
        }
        if self.eat_mark(')') {
            return Some(Vec::new());
        }
        let mut names = Vec::new();
        loop {
            names.push(self.next()?.name()?);
            if names.len() > COLUMNS {
                return None;
            }
            if self.eat_mark(')') {
                return Some(names);
            }
            if !self.eat_mark(',') {
                return None;
            }
        }
    }

    fn quoted(&mut self, quote: u8, backslashes: bool) -> String {
        let mut out = Vec::new();
        let mut at = 1;
        while at < self.rest.len() {
            let byte = self.rest[at];
            if byte == quote {
                if self.rest.get(at + 1) != Some(&quote) {
                    at += 1;
                    break;
                }
                at += 1;
            } else if byte == b'\\' && backslashes && at + 1 < self.rest.len() {
                at += 1;
            }
            out.push(self.rest[at]);
            at += 1;
        }
        self.rest = &self.rest[at.min(self.rest.len())..];
        self.encoding.decode_lossy(&out).into_owned()
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.starts_with(b"--") {
                let end = memchr::memchr(b'\n', self.rest).unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            } else if self.rest.starts_with(b"/*") {
                let end =
                    memchr::memmem::find(self.rest, b"*/").map_or(self.rest.len(), |at| at + 2);
                self.rest = &self.rest[end..];
            } else {
                break;
            }
        }
        let &first = self.rest.first()?;
        match first {
            b'\'' => return Some(Token::Text(self.quoted(b'\'', false))),
            b'e' | b'E' if self.rest.get(1) == Some(&b'\'') => {
                self.rest = &self.rest[1..];
                return Some(Token::Text(self.quoted(b'\'', true)));
            }
            b'"' => return Some(Token::Quoted(self.quoted(b'"', false))),
            _ => {}
        }
        let n = self
            .rest
            .iter()
            .position(|&b| !is_word(b) && b != b'$')
            .unwrap_or(self.rest.len());
        if n == 0 {
            self.rest = &self.rest[1..];
            return Some(Token::Mark(char::from(first)));
        }
        let word = self.encoding.decode_lossy(&self.rest[..n]).to_lowercase();
        self.rest = &self.rest[n..];
        Some(Token::Word(word))
    }
}

/// A table's or type's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    pub(crate) schema: Option<String>,
    pub(crate) name: String,
}
