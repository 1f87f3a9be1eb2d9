//! Message patterns: literal text with named holes, matched from left to right without going back,
//! so the cost is linear in the text whatever the text is.
//!
//! `{name}` takes as little as it can up to the next literal, `{name:int}` an integer with an
//! optional sign (another hole may follow at once), `{name:word}` anything without blanks; `{}` is a hole without a name. `{{` and
//! `}}` are braces.

use crate::lanes::{Digit, run};
use crate::scan::{begins_with, find, near};
use crate::words::Literal;

/// What a hole accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hole {
    Any,
    Int,
    Word,
}

/// The most holes a pattern may have.
pub(crate) const MAX_HOLES: usize = 12;

/// What the holes of a pattern took: ranges of the text, in hole order.
pub(crate) type Captures = [(u32, u32); MAX_HOLES];

/// No captures: for messages that are matched as exact text.
pub(crate) const NO_CAPTURES: Captures = [(0, 0); MAX_HOLES];

/// A compiled pattern: literal text, then holes with the literal text behind each.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    head: Vec<u8>,
    holes: Vec<(Hole, Literal)>,
    /// The last eight bytes of the text that a match begins with: 0 without so many.
    head_last: u64,
    names: Vec<String>,
}

impl Pattern {
    /// Compiles a pattern; the error says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Pattern, String> {
        let mut head = Vec::new();
        let mut holes: Vec<(Hole, Vec<u8>)> = Vec::new();
        let mut names = Vec::new();
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let literal = holes.last_mut().map_or(&mut head, |(_, behind)| behind);
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
                    let touches = literal.is_empty();
                    if touches && matches!(holes.last(), Some((Hole::Any | Hole::Word, _))) {
                        return Err(format!("two holes touch in pattern `{text}`"));
                    }
                    holes.push((hole, Vec::new()));
                    names.push(name.to_owned());
                    while chars.next_if(|(index, _)| *index <= at + 1 + end).is_some() {}
                }
                c => {
                    let mut buffer = [0; 4];
                    literal.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                }
            }
        }
        if names.len() > MAX_HOLES {
            return Err(format!("more than {MAX_HOLES} holes in pattern `{text}`"));
        }
        if head.is_empty() && holes.iter().all(|(_, behind)| behind.is_empty()) {
            return Err(format!("pattern `{text}` has no literal text"));
        }
        Ok(Pattern {
            head_last: head
                .last_chunk()
                .map_or(0, |last| u64::from_le_bytes(*last)),
            head,
            holes: holes
                .into_iter()
                .map(|(hole, behind)| (hole, Literal::new(behind)))
                .collect(),
            names,
        })
    }

    /// The index of a named hole.
    pub(crate) fn hole(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    /// The literal text a match begins with; empty if the pattern begins with a hole.
    pub(crate) fn literal_head(&self) -> &[u8] {
        &self.head
    }

    /// A quick no: patterns that share their first words differ behind them.
    #[inline]
    pub(crate) fn may_match(&self, text: &[u8]) -> bool {
        match text.get(..self.head.len()).map(<[u8]>::last_chunk) {
            Some(Some(last)) => u64::from_le_bytes(*last) == self.head_last,
            Some(None) => true,
            None => false,
        }
    }

    /// Matches the whole text. Only if it does, `captures` say what the holes took.
    pub(crate) fn matches(&self, text: &[u8], captures: &mut Captures) -> bool {
        begins_with(text, &self.head) && self.run(text, self.head.len(), true, captures)
    }

    /// Finds the pattern anywhere in the text: its first literal where it first occurs.
    pub(crate) fn find(&self, text: &[u8], captures: &mut Captures) -> bool {
        let at = match self.head.is_empty() {
            true => Some(0),
            false => find(text, &self.head),
        };
        at.is_some_and(|at| self.run(text, at + self.head.len(), false, captures))
    }

    /// Matches what comes after the head, from `at` on.
    fn run(&self, text: &[u8], mut at: usize, whole: bool, captures: &mut Captures) -> bool {
        let mut last = self.holes.len();
        for ((hole, behind), capture) in self.holes.iter().zip(captures) {
            last -= 1;
            let rest = &text[at..];
            let taken = match hole {
                Hole::Int => {
                    let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
                    let digits = run::<Digit>(&rest[sign..]);
                    let end = sign + digits;
                    (digits > 0 && behind.begins(&rest[end..])).then_some(end)
                }
                Hole::Word if behind.is_empty() => {
                    Some(rest.iter().take_while(|c| !c.is_ascii_whitespace()).count())
                }
                // A word ends at the first blank: what begins with one stands there.
                Hole::Word if behind.first() == Some(b' ') => {
                    let blank = near(b' ', rest);
                    blank.filter(|blank| behind.begins(&rest[*blank..]))
                }
                Hole::Any if behind.is_empty() => Some(rest.len()),
                _ if whole && last == 0 => rest
                    .len()
                    .checked_sub(behind.len())
                    .filter(|end| behind.begins(&rest[*end..])),
                _ => behind.find(rest),
            };
            let Some(taken) = taken else {
                return false;
            };
            let may_have_blanks = *hole == Hole::Word && behind.first() != Some(b' ');
            if may_have_blanks && near(b' ', &rest[..taken]).is_some() {
                return false;
            }
            *capture = (at as u32, (at + taken) as u32);
            at += taken + behind.len();
        }
        !whole || at == text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: Option<&[&str]>) {
        let pattern = Pattern::new(pattern).unwrap();
        let mut captures = NO_CAPTURES;
        let found = pattern.matches(text.as_bytes(), &mut captures).then(|| {
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
        let mut captures = NO_CAPTURES;
        assert!(pattern.find(text, &mut captures));
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
