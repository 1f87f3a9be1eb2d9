//! Message patterns: literal text with named holes, matched from left to right without going back,
//! so the cost is linear in the text whatever the text is.
//!
//! `{name}` takes as little as it can up to the next literal, `{name:int}` an integer with an
//! optional sign (another hole may follow at once), `{name:word}` anything without blanks; `{}` is a hole without a name. `{{` and
//! `}}` are braces.

use crate::lanes::{Digit, run};
use crate::scan::{begins_with, find};

/// What a hole accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    Any,
    Int,
    Word,
}

#[derive(Clone, Debug)]
enum Piece {
    Literal(Vec<u8>),
    Hole(Hole),
}

/// The most holes a pattern may have.
pub(crate) const MAX_HOLES: usize = 12;

/// What the holes of a pattern took: ranges of the text, in hole order.
pub(crate) type Captures = [(u32, u32); MAX_HOLES];

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
    /// How long the text is that a match begins with, and its last eight bytes: 0 without so many.
    head_length: usize,
    head_last: u64,
    names: Vec<String>,
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Pattern, String> {
        let mut pieces = Vec::new();
        let mut names = Vec::new();
        let mut literal = Vec::new();
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '{' if chars.next_if(|(_, next)| *next == '{').is_some() => literal.push(b'{'),
                '}' if chars.next_if(|(_, next)| *next == '}').is_some() => literal.push(b'}'),
                '}' => return Err(format!("a lone `}}` in pattern `{text}`: write `}}}}`")),
                '{' => {
                    let rest = &text[at + 1..];
                    let end = rest
                        .find('}')
                        .ok_or_else(|| format!("`{{` without `}}` in pattern `{text}`"))?;
                    let (name, kind) = rest[..end].split_once(':').unwrap_or((&rest[..end], ""));
                    let hole = match kind {
                        "" => Hole::Any,
                        "int" => Hole::Int,
                        "word" => Hole::Word,
                        other => return Err(format!("unknown hole kind `{other}` in `{text}`")),
                    };
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    } else if matches!(pieces.last(), Some(Piece::Hole(Hole::Any | Hole::Word))) {
                        return Err(format!("two holes touch in pattern `{text}`"));
                    }
                    pieces.push(Piece::Hole(hole));
                    names.push(name.to_owned());
                    while chars.next_if(|(index, _)| *index <= at + 1 + end).is_some() {}
                }
                c => {
                    let mut buffer = [0; 4];
                    literal.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if names.len() > MAX_HOLES {
            return Err(format!("more than {MAX_HOLES} holes in pattern `{text}`"));
        }
        if !pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Literal(_)))
        {
            return Err(format!("pattern `{text}` has no literal text"));
        }
        let mut pattern = Pattern {
            pieces,
            head_length: 0,
            head_last: 0,
            names,
        };
        if let Some(last) = pattern.literal_head().last_chunk() {
            pattern.head_last = u64::from_le_bytes(*last);
            pattern.head_length = pattern.literal_head().len();
        }
        Ok(pattern)
    }

    /// The index of a named hole.
    pub(crate) fn hole(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The literal text a match begins with; empty if the pattern begins with a hole.
    pub(crate) fn literal_head(&self) -> &[u8] {
        match self.pieces.first() {
            Some(Piece::Literal(text)) => text,
            _ => b"",
        }
    }

    /// A quick no: patterns that share their first words differ behind them.
    #[inline]
    pub(crate) fn may_match(&self, text: &[u8]) -> bool {
        match text.get(..self.head_length).and_then(<[u8]>::last_chunk) {
            Some(last) => u64::from_le_bytes(*last) == self.head_last,
            None => self.head_length == 0,
        }
    }

    /// Matches the whole text.
    pub(crate) fn matches(&self, text: &[u8]) -> Option<Captures> {
        self.run(text, 0, true)
    }

    /// Finds the pattern anywhere in the text: its first literal where it first occurs.
    pub(crate) fn find(&self, text: &[u8]) -> Option<Captures> {
        let head = self.literal_head();
        if head.is_empty() {
            return self.run(text, 0, false);
        }
        let at = find(text, head)?;
        self.run(text, at, false)
    }

    fn run(&self, text: &[u8], mut at: usize, whole: bool) -> Option<Captures> {
        let mut captures = [(0, 0); MAX_HOLES];
        let mut hole_index = 0;
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Literal(literal) => {
                    if !begins_with(&text[at..], literal) {
                        return None;
                    }
                    at += literal.len();
                }
                Piece::Hole(hole) => {
                    let rest = &text[at..];
                    let taken = match (hole, self.pieces.get(index + 1)) {
                        (Hole::Int, _) => {
                            let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
                            let digits = run::<Digit>(&rest[sign..]);
                            if digits == 0 {
                                return None;
                            }
                            sign + digits
                        }
                        (_, Some(Piece::Literal(literal))) => {
                            if whole && index + 2 == self.pieces.len() {
                                rest.len()
                                    .checked_sub(literal.len())
                                    .filter(|end| rest[*end..] == literal[..])?
                            } else {
                                find(rest, literal)?
                            }
                        }
                        (Hole::Word, _) => {
                            rest.iter().take_while(|c| !c.is_ascii_whitespace()).count()
                        }
                        (Hole::Any, _) => rest.len(),
                    };
                    if *hole == Hole::Word && rest[..taken].contains(&b' ') {
                        return None;
                    }
                    captures[hole_index] = (at as u32, (at + taken) as u32);
                    hole_index += 1;
                    at += taken;
                }
            }
        }
        (!whole || at == text.len()).then_some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&[&str]>) {
        let pattern = Pattern::new(pattern).unwrap();
        let found = pattern.matches(text.as_bytes()).map(|captures| {
            captures[..pattern.names.len()]
                .iter()
                .map(|(a, b)| &text[*a as usize..*b as usize])
                .collect::<Vec<_>>()
        });
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn holes_take_what_they_should() {
        check(
            "New calculated roughtime offset is {ns:int} ns",
            "New calculated roughtime offset is -361531 ns",
            Some(&["-361531"]),
        );
        check(
            "Processing block batch of size {n:int} starting from  {root:word} {slot:int}/{current:int} - {eta}",
            "Processing block batch of size 43 starting from  0xd3a536dd... 64001/410222 - estimated time remaining 7h",
            Some(&[
                "43",
                "0xd3a536dd...",
                "64001",
                "410222",
                "estimated time remaining 7h",
            ]),
        );
        check("a {x} b", "a  b", Some(&[""]));
        check("a {x} b", "a b", None);
        check("x {{ id: {id:int} }}", "x { id: 7 }", Some(&["7"]));
        check("{x:word} until genesis", "10 h until genesis", None);
        check(
            "{x:word} until genesis",
            "10h33m51s until genesis",
            Some(&["10h33m51s"]),
        );
    }

    #[test]
    fn find_looks_anywhere() {
        let pattern = Pattern::new("slot {s:int} not within {} to {c:int} (").unwrap();
        let text =
            b"rpc error: attestation slot 3558 not within range of 2326 to 2358 (current slot)";
        let captures = pattern.find(text).unwrap();
        let (a, b) = captures[2];
        assert_eq!(&text[a as usize..b as usize], b"2358");
        assert_eq!(pattern.hole("s"), Some(0));
    }

    #[test]
    fn broken_patterns_say_why() {
        assert!(Pattern::new("{a}{b}").unwrap_err().contains("two holes"));
        assert!(Pattern::new("{a").is_err());
        assert!(Pattern::new("a }").is_err());
        assert!(Pattern::new("x {a:float}").unwrap_err().contains("float"));
    }
}
