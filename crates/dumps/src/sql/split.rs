//! Where a statement ends: at a `;` outside of strings, names, dollar quotes and comments.

use super::tokens::is_word;

/// Finds the `;` that ends a statement, over a window that grows.
#[derive(Debug)]
pub(crate) struct Splitter {
    state: State,
    at: usize,
    /// Where the last quoted string ended, and whether it was an `E''`.
    closed: Option<(usize, bool)>,
    backslashes: bool,
    /// Ends at the `)` that closes the first `(` instead of a `;`: how many are open.
    open: Option<u32>,
}

#[derive(Debug)]
enum State {
    Normal,
    Single { escapes: bool },
    Double,
    Dollar(Vec<u8>),
    LineComment,
    BlockComment(u32),
}

impl Splitter {
    /// `backslashes`: whether a backslash escapes in plain strings (`standard_conforming_strings = off`).
    pub(crate) fn new(backslashes: bool) -> Splitter {
        Splitter {
            state: State::Normal,
            at: 0,
            closed: None,
            backslashes,
            open: None,
        }
    }

    /// Returns the length of the parentheses at the window's front, with both; `None` if the window
    /// ends before.
    pub(crate) fn parentheses(mut self, window: &[u8]) -> Option<usize> {
        self.open = Some(0);
        self.scan(window, false)
    }

    /// Returns the length of the statement with its `;`, or `None` if the window ends before.
    pub(crate) fn scan(&mut self, window: &[u8], eof: bool) -> Option<usize> {
        while self.at < window.len() {
            let at = self.at;
            let byte = window[at];
            let next = window.get(at + 1).copied();
            match &mut self.state {
                State::Normal => match byte {
                    b';' if self.open.is_none() => {
                        self.at += 1;
                        return Some(self.at);
                    }
                    b'(' => self.open = self.open.map(|open| open + 1),
                    b')' if self.open.is_some() => {
                        self.open = self.open.map(|open| open.saturating_sub(1));
                        if self.open == Some(0) {
                            self.at += 1;
                            return Some(self.at);
                        }
                    }
                    b'\'' => {
                        let again = self.closed.filter(|(end, _)| *end == at);
                        let marked = at > 0
                            && matches!(window[at - 1], b'e' | b'E')
                            && (at < 2 || !is_word(window[at - 2]));
                        let escapes =
                            again.map_or(self.backslashes || marked, |(_, escapes)| escapes);
                        self.state = State::Single { escapes };
                    }
                    b'"' => self.state = State::Double,
                    b'-' | b'/' if next.is_none() && !eof => return None,
                    b'-' if next == Some(b'-') => {
                        self.state = State::LineComment;
                        self.at += 1;
                    }
                    b'/' if next == Some(b'*') => {
                        self.state = State::BlockComment(1);
                        self.at += 1;
                    }
                    b'$' if at == 0 || !is_word(window[at - 1]) => {
                        let tag = &window[at..window.len().min(at + 66)];
                        let end = tag[1..].iter().position(|&b| !is_word(b));
                        match end {
                            None if !eof && tag.len() < 66 => return None,
                            Some(end) if tag[1 + end] == b'$' && !tag[1].is_ascii_digit() => {
                                self.state = State::Dollar(tag[..end + 2].to_vec());
                                self.at += end + 1;
                            }
                            _ => {}
                        }
                    }
                    _ => {}
                },
                State::Single { escapes } => {
                    let escapes = *escapes;
                    let found = if escapes {
                        memchr::memchr2(b'\'', b'\\', &window[at..])
                    } else {
                        memchr::memchr(b'\'', &window[at..])
                    };
                    let Some(found) = found else {
                        self.at = window.len();
                        return None;
                    };
                    self.at += found;
                    if window[self.at] == b'\\' {
                        if self.at + 1 == window.len() {
                            return None;
                        }
                        self.at += 1;
                    } else {
                        self.state = State::Normal;
                        self.closed = Some((self.at + 1, escapes));
                    }
                }
                State::Double => match memchr::memchr(b'"', &window[at..]) {
                    None => {
                        self.at = window.len();
                        return None;
                    }
                    Some(found) => {
                        self.at += found;
                        self.state = State::Normal;
                    }
                },
                State::LineComment => match memchr::memchr(b'\n', &window[at..]) {
                    None => {
                        self.at = window.len();
                        return None;
                    }
                    Some(found) => {
                        self.at += found;
                        self.state = State::Normal;
                    }
                },
                State::Dollar(tag) => match memchr::memmem::find(&window[at..], tag) {
                    None => {
                        // The tag may be cut by the window's end.
                        self.at = (window.len() + 1).saturating_sub(tag.len()).max(at);
                        return None;
                    }
                    Some(found) => {
                        self.at += found + tag.len() - 1;
                        self.state = State::Normal;
                    }
                },
                State::BlockComment(depth) => match (byte, next) {
                    (b'*' | b'/', None) if !eof => return None,
                    (b'*', Some(b'/')) => {
                        *depth -= 1;
                        if *depth == 0 {
                            self.state = State::Normal;
                        }
                        self.at += 1;
                    }
                    (b'/', Some(b'*')) => {
                        *depth += 1;
                        self.at += 1;
                    }
                    _ => {}
                },
            }
            self.at += 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &[u8]) -> Option<usize> {
        Splitter::new(false).scan(text, true)
    }

    #[test]
    fn statements_end_at_their_own_semicolon() {
        for text in [
            &b"SELECT 1;"[..],
            b"SELECT ';', 'it''s;', \"a;b\", E'\\';' ;",
            b"CREATE FUNCTION f() AS $_$ begin; end; $_$ LANGUAGE x;",
            b"SELECT $1, a$b, $$;$$;",
            b"-- c;omment\n/* a; /* b; */ ; */ SELECT 1;",
            b"SELECT 'a\\';",
            b"SELECT E'a''\\';';",
        ] {
            assert_eq!(
                whole(text),
                Some(text.len()),
                "{}",
                String::from_utf8_lossy(text)
            );
            // The same, the window growing byte by byte.
            let mut splitter = Splitter::new(false);
            for n in 0..text.len() {
                assert_eq!(splitter.scan(&text[..n], false), None);
            }
            assert_eq!(splitter.scan(text, true), Some(text.len()));
        }
        assert_eq!(whole(b"SELECT 'unterminated;"), None);
        assert_eq!(Splitter::new(true).scan(b"SELECT 'a\\';';", true), Some(14));
    }
}
