//! JSON text as evidence: where values begin and end, without building a tree. A value may come in
//! pieces ([`Scan`] remembers where it stood), an object is gone through member by member.
//!
//! Nothing is allocated per value, and nesting is bounded by [`DEPTH`]: the text may be hostile.

use std::borrow::Cow;

/// Deepest nesting that is read.
pub(crate) const DEPTH: u32 = 64;

/// Why a text is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It ends before the value does.
    Cut,
    /// At this offset stands what JSON does not allow there.
    Syntax(usize),
    /// Values are nested deeper than [`DEPTH`].
    Deep(usize),
}

impl Fault {
    /// What is wrong, in words.
    pub(crate) fn what(self) -> String {
        match self {
            Fault::Cut => "the JSON ends inside of a value".to_owned(),
            Fault::Syntax(at) => format!("no valid JSON: wrong at its byte {}", at + 1),
            Fault::Deep(_) => format!("JSON nested deeper than {DEPTH} levels is not read"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Value,
    /// Behind `[`: a value or `]`.
    FirstValue,
    /// Behind `{`: a key or `}`.
    FirstKey,
    Key,
    Colon,
    /// Behind a value inside a container.
    Comma,
    Text {
        key: bool,
    },
    Escape {
        key: bool,
    },
    Scalar,
}

/// Finds the end of one value, the text of which may come in pieces.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    state: State,
    depth: u32,
    /// One bit per level, the innermost last: 1 for an object.
    objects: u64,
    at: usize,
}

impl Scan {
    pub(crate) fn new() -> Scan {
        Scan {
            state: State::Value,
            depth: 0,
            objects: 0,
            at: 0,
        }
    }

    /// Goes on in `text`, which begins with the value and with what earlier calls saw. Returns where
    /// the value ends; [`Fault::Cut`] if more is needed.
    pub(crate) fn end(&mut self, text: &[u8]) -> Result<usize, Fault> {
        while let Some(&byte) = text.get(self.at) {
            let at = self.at;
            let wrong = Err(Fault::Syntax(at));
            self.at += 1;
            match self.state {
                State::Text { key } => {
                    // Most bytes of JSON stand in texts.
                    let rest = &text[at..];
                    let plain = rest
                        .iter()
                        .position(|&b| b == b'"' || b == b'\\' || b < 0x20)
                        .unwrap_or(rest.len());
                    self.at = at + plain;
                    match rest.get(plain) {
                        None => break,
                        Some(b'"') => {
                            self.at += 1;
                            if key {
                                self.state = State::Colon;
                            } else if self.close() {
                                return Ok(self.at);
                            }
                        }
                        Some(b'\\') => {
                            self.at += 1;
                            self.state = State::Escape { key };
                        }
                        Some(_) => return Err(Fault::Syntax(self.at)),
                    }
                }
                State::Escape { key } => {
                    if !matches!(
                        byte,
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u'
                    ) {
                        return wrong;
                    }
                    self.state = State::Text { key };
                }
                State::Scalar => {
                    if !scalar_byte(byte) {
                        self.at = at;
                        if self.close() {
                            return Ok(at);
                        }
                    }
                }
                _ if is_blank(byte) => {}
                State::Value | State::FirstValue => match byte {
                    b'{' => self.open(true, at)?,
                    b'[' => self.open(false, at)?,
                    b'"' => self.state = State::Text { key: false },
                    b']' if self.state == State::FirstValue => {
                        if self.leave() {
                            return Ok(self.at);
                        }
                    }
                    _ if scalar_byte(byte) => self.state = State::Scalar,
                    _ => return wrong,
                },
                State::FirstKey | State::Key => match byte {
                    b'"' => self.state = State::Text { key: true },
                    b'}' if self.state == State::FirstKey => {
                        if self.leave() {
                            return Ok(self.at);
                        }
                    }
                    _ => return wrong,
                },
                State::Colon => match byte {
                    b':' => self.state = State::Value,
                    _ => return wrong,
                },
                State::Comma => match (byte, self.objects & 1 == 1) {
                    (b',', true) => self.state = State::Key,
                    (b',', false) => self.state = State::Value,
                    (b'}', true) | (b']', false) => {
                        if self.leave() {
                            return Ok(self.at);
                        }
                    }
                    _ => return wrong,
                },
            }
        }
        Err(Fault::Cut)
    }

    /// At the end of everything: whether a number or word that nothing follows is the whole value.
    pub(crate) fn ends_here(&self) -> bool {
        self.state == State::Scalar && self.depth == 0
    }

    fn open(&mut self, object: bool, at: usize) -> Result<(), Fault> {
        if self.depth == DEPTH {
            return Err(Fault::Deep(at));
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u64::from(object);
        self.state = match object {
            true => State::FirstKey,
            false => State::FirstValue,
        };
        Ok(())
    }

    /// A value inside has ended; whether it was the whole one.
    fn close(&mut self) -> bool {
        self.state = State::Comma;
        self.depth == 0
    }

    /// A container has ended; whether it was the whole value.
    fn leave(&mut self) -> bool {
        self.depth -= 1;
        self.objects >>= 1;
        self.close()
    }
}

/// Whether JSON allows this byte between its words.
pub(crate) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Whether this stands in numbers, `true`, `false` and `null`.
fn scalar_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

/// Finds the end of the value that begins with `text`.
pub(crate) fn value_end(text: &[u8]) -> Result<usize, Fault> {
    let mut scan = Scan::new();
    match scan.end(text) {
        Err(Fault::Cut) if scan.ends_here() => Ok(text.len()),
        found => found,
    }
}

/// A member of an object, or an element of an array (with an empty key).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member<'t> {
    /// The key's text as it stands between its quotes.
    key: &'t [u8],
    /// Where the value begins in the container's text.
    pub(crate) at: usize,
    /// The value's text.
    pub(crate) value: &'t [u8],
    /// The text ends before the value does.
    pub(crate) cut: bool,
}

impl<'t> Member<'t> {
    /// Returns the key, escapes resolved.
    pub(crate) fn key(&self) -> Cow<'t, [u8]> {
        unescaped(self.key)
    }
}

/// Goes through the members of an object or the elements of an array, not into them.
#[derive(Clone, Debug)]
pub(crate) struct Members<'t> {
    text: &'t [u8],
    at: usize,
    object: bool,
    first: bool,
    done: bool,
}

impl<'t> Members<'t> {
    /// `text` begins with `{` or `[`.
    pub(crate) fn new(text: &'t [u8]) -> Members<'t> {
        Members {
            text,
            at: 1,
            object: text.first() == Some(&b'{'),
            first: true,
            done: !matches!(text.first(), Some(b'{' | b'[')),
        }
    }

    fn peek(&mut self) -> Result<u8, Fault> {
        while let Some(&byte) = self.text.get(self.at) {
            if !is_blank(byte) {
                return Ok(byte);
            }
            self.at += 1;
        }
        Err(Fault::Cut)
    }

    fn step(&mut self) -> Result<Option<Member<'t>>, Fault> {
        let close = if self.object { b'}' } else { b']' };
        let mut byte = self.peek()?;
        if byte == close {
            self.at += 1;
            return Ok(None);
        }
        if !self.first {
            if byte != b',' {
                return Err(Fault::Syntax(self.at));
            }
            self.at += 1;
            byte = self.peek()?;
        }
        self.first = false;
        let mut key: &[u8] = b"";
        if self.object {
            if byte != b'"' {
                return Err(Fault::Syntax(self.at));
            }
            let length = self.shifted(value_end(&self.text[self.at..]))?;
            key = &self.text[self.at + 1..self.at + length - 1];
            self.at += length;
            if self.peek()? != b':' {
                return Err(Fault::Syntax(self.at));
            }
            self.at += 1;
            self.peek()?;
        }
        let at = self.at;
        let (length, cut) = match self.shifted(value_end(&self.text[at..])) {
            Ok(length) => (length, false),
            Err(Fault::Cut) => (self.text.len() - at, true),
            Err(fault) => return Err(fault),
        };
        self.at += length;
        self.done = cut;
        Ok(Some(Member {
            key,
            at,
            value: &self.text[at..at + length],
            cut,
        }))
    }

    fn shifted(&self, found: Result<usize, Fault>) -> Result<usize, Fault> {
        found.map_err(|fault| match fault {
            Fault::Syntax(at) => Fault::Syntax(self.at + at),
            other => other,
        })
    }
}

impl<'t> Iterator for Members<'t> {
    type Item = Result<Member<'t>, Fault>;

    /// The last member of a cut text is marked so; a fault is the last item.
    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let step = self.step();
        if !matches!(step, Ok(Some(_))) {
            self.done = true;
        }
        step.transpose()
    }
}

/// Returns the text of a string that stands in quotes; `None` for any other value.
pub(crate) fn text(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    match value {
        [b'"', inner @ .., b'"'] => Some(unescaped(inner)),
        _ => None,
    }
}

fn unescaped(inner: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut quoted = Vec::with_capacity(inner.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(inner);
    quoted.push(b'"');
    match serde_json::from_slice::<String>(&quoted) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        // Half of a surrogate pair, or bytes that are no UTF-8: shown as it was written.
        Err(_) => Cow::Borrowed(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_values() {
        for whole in [
            r#"{"a":[1,{"b":"}\"]"}],"c":null}"#,
            "[]",
            "{}",
            r#""x\\""#,
            "[ [ ] , -1.5e+3 ]",
        ] {
            let text = format!("{whole} , more");
            assert_eq!(value_end(text.as_bytes()), Ok(whole.len()), "{whole}");
            for cut in 1..whole.len() {
                assert_eq!(value_end(&whole.as_bytes()[..cut]), Err(Fault::Cut));
                let mut scan = Scan::new();
                assert_eq!(scan.end(&whole.as_bytes()[..cut]), Err(Fault::Cut));
                assert_eq!(scan.end(text.as_bytes()), Ok(whole.len()), "in two pieces");
            }
        }
        assert_eq!(value_end(b"12"), Ok(2));
    }

    #[test]
    fn what_is_no_json() {
        for (text, at) in [
            (r#"{"a" 1}"#, 5),
            (r#"{"a":1,}"#, 7),
            ("[1 2]", 3),
            ("[1}", 2),
            ("{1:2}", 1),
            ("\"a\nb\"", 2),
            (r#""\x""#, 2),
            ("}", 0),
        ] {
            assert_eq!(value_end(text.as_bytes()), Err(Fault::Syntax(at)), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(value_end(deep.as_bytes()), Err(Fault::Deep(64)));
    }

    #[test]
    fn members_of_whole_and_cut_objects() {
        let read = |text: &'static str| -> Vec<(String, &str, bool)> {
            Members::new(text.as_bytes())
                .map(|member| {
                    let member = member.unwrap();
                    let key = String::from_utf8(member.key().into_owned()).unwrap();
                    (key, std::str::from_utf8(member.value).unwrap(), member.cut)
                })
                .collect()
        };
        assert_eq!(
            read(r#"{ "a" : 1, "b\u0041" : {"c":[]} }"#),
            [
                ("a".to_owned(), "1", false),
                ("bA".to_owned(), r#"{"c":[]}"#, false)
            ]
        );
        assert_eq!(read("[1, \"x\"]").len(), 2);
        assert_eq!(
            read(r#"{"a":[{"b":1"#),
            [("a".to_owned(), r#"[{"b":1"#, true)]
        );
        let faults: Vec<_> = Members::new(br#"{"a":1 "b":2}"#).collect();
        assert_eq!(faults.len(), 2);
        assert_eq!(faults[1].as_ref().unwrap_err(), &Fault::Syntax(7));
        assert_eq!(Members::new(b"{").next().unwrap().unwrap_err(), Fault::Cut);
    }
}
