//! The values of an INSERT, `(1, 'it''s', NULL, '\x00'::bytea)`, rewritten as a row of COPY's text.
//!
//! So there is one reader of rows, whatever form they came in. Only constants have a value here:
//! nothing is computed, and an expression makes its row a reject.

use super::split::Splitter;
use super::tokens::is_word;

/// Why there is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The window ends inside of the values.
    More,
    /// There is no list of values here.
    NoList,
    /// A list of so many bytes whose value with this number (from 1) is no constant.
    Expression(usize, usize),
}

/// What a list of values was rewritten to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Values {
    /// Bytes from `(` to `)`.
    pub(crate) length: usize,
    /// How many there are.
    pub(crate) count: usize,
    /// Whether DEFAULT is among them: its value is not known, it became NULL.
    pub(crate) default: bool,
}

/// How strings are written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Quoting {
    /// A backslash means what it means in `E''`.
    pub(crate) backslashes: bool,
    /// Another program has made `\r\n` of every line feed on the way, also of those in strings.
    pub(crate) crlf: bool,
}

/// Rewrites the list at the front of the window. Values whose number (from 0) `dropped` marks are
/// left out of the row.
pub(crate) fn values(
    window: &[u8],
    quoting: Quoting,
    dropped: &[bool],
    row: &mut Vec<u8>,
) -> Result<Values, Fault> {
    row.clear();
    let mut list = List {
        text: window,
        at: 0,
        quoting,
    };
    match list.peek() {
        None => return Err(Fault::More),
        Some(b'(') => list.at += 1,
        Some(_) => return Err(Fault::NoList),
    }
    let (mut count, mut kept, mut default) = (0, 0, false);
    list.blanks()?;
    if list.need()? == b')' {
        return Ok(Values {
            length: list.at + 1,
            count,
            default,
        });
    }
    loop {
        let keep = !dropped.get(count).copied().unwrap_or(false);
        if keep && kept > 0 {
            row.push(b'\t');
        }
        kept += usize::from(keep);
        let before = row.len();
        count += 1;
        let constant = list.constant(row, &mut default)?;
        if !keep {
            row.truncate(before);
        }
        list.blanks()?;
        match list.need()? {
            b',' if constant => list.at += 1,
            b')' if constant => {
                return Ok(Values {
                    length: list.at + 1,
                    count,
                    default,
                });
            }
            _ => {
                return Err(Fault::Expression(
                    length(window, quoting.backslashes).ok_or(Fault::More)?,
                    count,
                ));
            }
        }
        list.blanks()?;
    }
}

/// Finds the end of the parentheses at the front.
fn length(window: &[u8], backslashes: bool) -> Option<usize> {
    Splitter::new(backslashes).parentheses(window)
}

struct List<'w> {
    text: &'w [u8],
    at: usize,
    quoting: Quoting,
}

impl List<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn need(&self) -> Result<u8, Fault> {
        self.peek().ok_or(Fault::More)
    }

    fn blanks(&mut self) -> Result<(), Fault> {
        loop {
            match self.need()? {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b'-' if self.text[self.at..].starts_with(b"--") => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr(b'\n', rest).ok_or(Fault::More)?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// The letters, digits and underscores at the front; they must end inside of the window.
    fn word(&self) -> Result<&[u8], Fault> {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|&b| !is_word(b) && b != b'.');
        Ok(&rest[..end.ok_or(Fault::More)?])
    }

    /// Appends a constant; `false` if there is something else.
    fn constant(&mut self, row: &mut Vec<u8>, default: &mut bool) -> Result<bool, Fault> {
        let found = self.bare(row, default)?;
        if !found {
            return Ok(false);
        }
        // Casts say what the table's declaration says too.
        loop {
            self.blanks()?;
            if !self.text[self.at..].starts_with(b"::") {
                return Ok(true);
            }
            self.at += 2;
            self.type_name()?;
        }
    }

    fn bare(&mut self, row: &mut Vec<u8>, default: &mut bool) -> Result<bool, Fault> {
        match self.need()? {
            b'\'' => {
                self.string(self.quoting.backslashes, row)?;
                Ok(true)
            }
            b'+' | b'-' | b'.' | b'0'..=b'9' => self.number(row),
            b'$' => self.dollar(row),
            byte if is_word(byte) => self.named(row, default),
            _ => Ok(false),
        }
    }

    fn named(&mut self, row: &mut Vec<u8>, default: &mut bool) -> Result<bool, Fault> {
        let word = self.word()?;
        let length = word.len();
        let is = |keyword: &[u8]| word.eq_ignore_ascii_case(keyword);
        let quoted = self.text.get(self.at + length) == Some(&b'\'');
        if quoted && is(b"e") {
            self.at += 1;
            self.string(true, row)?;
        } else if quoted && (is(b"b") || is(b"n")) {
            self.at += 1;
            self.string(false, row)?;
        } else if quoted && is(b"x") {
            self.at += 1;
            let from = row.len();
            self.string(false, row)?;
            return Ok(bits(row, from));
        } else if is(b"null") {
            self.at += length;
            row.extend_from_slice(b"\\N");
        } else if is(b"default") {
            self.at += length;
            *default = true;
            row.extend_from_slice(b"\\N");
        } else if is(b"true") || is(b"false") {
            let letter = word[0].to_ascii_lowercase();
            self.at += length;
            row.push(letter);
        } else if !quoted && TYPES.iter().any(|name| is(name)) {
            // `timestamp '2023-09-18 00:00:00'`
            self.at += length;
            self.blanks()?;
            if self.need()? != b'\'' {
                return Ok(false);
            }
            self.string(self.quoting.backslashes, row)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn number(&mut self, row: &mut Vec<u8>) -> Result<bool, Fault> {
        let rest = &self.text[self.at..];
        let end = rest
            .iter()
            .position(|b| !matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            .ok_or(Fault::More)?;
        let number = rest[..end].strip_prefix(b"+").unwrap_or(&rest[..end]);
        // `1-1` is a sum, `0x1F` another language's number.
        if !crate::value::is_numeric(number) || is_word(rest[end]) {
            return Ok(false);
        }
        row.extend_from_slice(number);
        self.at += end;
        Ok(true)
    }

    /// `$tag$text$tag$`
    fn dollar(&mut self, row: &mut Vec<u8>) -> Result<bool, Fault> {
        let rest = &self.text[self.at..];
        let end = match rest[1..].iter().position(|&b| !is_word(b)) {
            Some(end) => end + 1,
            None if rest.len() > 66 => return Ok(false),
            None => return Err(Fault::More),
        };
        if rest[end] != b'$' || rest[1].is_ascii_digit() {
            return Ok(false);
        }
        let (tag, inner) = rest.split_at(end + 1);
        let length = memchr::memmem::find(inner, tag).ok_or(Fault::More)?;
        self.raw(&inner[..length], row);
        self.at += 2 * tag.len() + length;
        Ok(true)
    }

    /// Text that stands in the file as it is.
    fn raw(&self, text: &[u8], row: &mut Vec<u8>) {
        let mut rest = text;
        while self.quoting.crlf
            && let Some(at) = memchr::memmem::find(rest, b"\r\n")
        {
            escape(&rest[..at], row);
            rest = &rest[at + 1..];
        }
        escape(rest, row);
    }

    /// A string in quotes, and those that continue it on other lines.
    fn string(&mut self, backslashes: bool, row: &mut Vec<u8>) -> Result<(), Fault> {
        loop {
            self.at += 1;
            loop {
                let rest = &self.text[self.at..];
                let found = match backslashes {
                    true => memchr::memchr2(b'\'', b'\\', rest),
                    false => memchr::memchr(b'\'', rest),
                };
                let found = found.ok_or(Fault::More)?;
                self.raw(&rest[..found], row);
                self.at += found + 1;
                if rest[found] == b'\\' {
                    self.backslash(row)?;
                } else if self.need()? == b'\'' {
                    row.push(b'\'');
                    self.at += 1;
                } else {
                    break;
                }
            }
            let rest = &self.text[self.at..];
            let blank = rest.iter().position(|b| !b.is_ascii_whitespace());
            let blank = blank.ok_or(Fault::More)?;
            if rest[blank] != b'\'' || !rest[..blank].contains(&b'\n') {
                return Ok(());
            }
            self.at += blank;
        }
    }

    /// What stands behind a backslash in an `E''` string.
    fn backslash(&mut self, row: &mut Vec<u8>) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        // `\U0001F600` is the longest.
        if rest.len() < 10 && memchr::memchr(b'\'', rest).is_none() {
            return Err(Fault::More);
        }
        let digits = |from: usize, most: usize, radix: u32| {
            let text = rest.get(from..).unwrap_or_default();
            let count = text
                .iter()
                .take(most)
                .take_while(|&&b| char::from(b).is_digit(radix))
                .count();
            let text = std::str::from_utf8(&text[..count]).unwrap_or("");
            (count, u32::from_str_radix(text, radix).ok())
        };
        let mut character = [0; 4];
        let mut used = 1;
        let one: &[u8] = match rest[0] {
            b'b' => b"\x08",
            b'f' => b"\x0c",
            b'n' => b"\n",
            b'r' => b"\r",
            b't' => b"\t",
            first @ (b'0'..=b'7' | b'x' | b'u' | b'U') => {
                let (from, most, radix) = match first {
                    b'x' => (1, 2, 16),
                    b'u' => (1, 4, 16),
                    b'U' => (1, 8, 16),
                    _ => (0, 3, 8),
                };
                match digits(from, most, radix) {
                    (count, Some(code)) if count == most && matches!(first, b'u' | b'U') => {
                        used = from + count;
                        let found = char::from_u32(code).unwrap_or('\u{fffd}');
                        found.encode_utf8(&mut character).as_bytes()
                    }
                    (count, Some(code)) if !matches!(first, b'u' | b'U') => {
                        used = from + count;
                        character[0] = code as u8;
                        &character[..1]
                    }
                    _ => &rest[..1],
                }
            }
            _ => &rest[..1],
        };
        escape(one, row);
        self.at += used;
        Ok(())
    }

    /// A type's name behind `::`, with its length and brackets.
    fn type_name(&mut self) -> Result<(), Fault> {
        loop {
            self.blanks()?;
            match self.need()? {
                b'"' => {
                    let rest = &self.text[self.at + 1..];
                    self.at += memchr::memchr(b'"', rest).ok_or(Fault::More)? + 2;
                }
                b'.' => self.at += 1,
                b'(' | b'[' => {
                    let rest = &self.text[self.at..];
                    let end = rest.iter().position(|b| matches!(b, b')' | b']'));
                    self.at += end.ok_or(Fault::More)? + 1;
                }
                byte if is_word(byte) => self.at += self.word()?.len(),
                _ => return Ok(()),
            }
        }
    }
}

/// Types whose name may stand in front of a constant.
const TYPES: [&[u8]; 12] = [
    b"timestamp",
    b"timestamptz",
    b"date",
    b"time",
    b"interval",
    b"bytea",
    b"json",
    b"jsonb",
    b"numeric",
    b"uuid",
    b"bool",
    b"text",
];

/// Rewrites hex digits as the bits that they stand for; `false` if they are none.
fn bits(row: &mut Vec<u8>, from: usize) -> bool {
    let digits: Vec<u8> = row.drain(from..).collect();
    for digit in digits {
        let Some(value) = char::from(digit).to_digit(16) else {
            return false;
        };
        row.extend_from_slice(format!("{value:04b}").as_bytes());
    }
    true
}

/// Appends text as COPY writes it.
fn escape(text: &[u8], row: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest
        .iter()
        .position(|b| matches!(b, b'\\' | b'\t' | b'\n' | b'\r'))
    {
        row.extend_from_slice(&rest[..at]);
        row.push(b'\\');
        row.push(match rest[at] {
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            other => other,
        });
        rest = &rest[at + 1..];
    }
    row.extend_from_slice(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(list: &str, expected: &str) {
        let mut row = Vec::new();
        let text = format!("{list};");
        let found =
            values(text.as_bytes(), Quoting::default(), &[], &mut row).map(|values| values.length);
        assert_eq!(found, Ok(list.len()), "{list}");
        assert_eq!(String::from_utf8_lossy(&row), expected, "{list}");
        // However the window is cut, there is no other answer.
        for end in 0..list.len() {
            let cut = values(&text.as_bytes()[..end], Quoting::default(), &[], &mut row);
            assert_eq!(cut, Err(Fault::More), "{}", &text[..end]);
        }
    }

    #[test]
    fn constants_become_copy_fields() {
        check("()", "");
        check("(1, -2.5e+10, NULL, true, FALSE)", "1\t-2.5e+10\t\\N\tt\tf");
        check("('it''s', '\\x00ff', '')", "it's\t\\\\x00ff\t");
        check("( 'a\tb\nc' ,\n\t'\\N')", "a\\tb\\nc\t\\\\N");
        check(
            "(E'a\\n\\\\\\'\\101\\x41\\u00e9\\U0001F600q\\q')",
            "a\\n\\\\'AAé😀qq",
        );
        check("('NaN', 'Infinity'::double precision)", "NaN\tInfinity");
        check("('{a,\"b\"}'::text[], '1'::numeric(10,2))", "{a,\"b\"}\t1");
        check(
            "('x'::public.\"Kind\", $$a'b$$, $t$a$$b$t$)",
            "x\ta'b\ta$$b",
        );
        check("(B'0101', X'1F')", "0101\t00011111");
        check(
            "('a'\n  'b', timestamp '2023-09-18 00:00:00')",
            "ab\t2023-09-18 00:00:00",
        );
        check("(1, -- one\n 2)", "1\t2");
    }

    #[test]
    fn what_is_computed_has_no_value() {
        let mut row = Vec::new();
        for (list, nth) in [
            ("(now())", 1),
            ("(1, 2 + 3)", 2),
            ("(1, (SELECT max(id) FROM t), ')')", 2),
            ("(0x1F)", 1),
            ("(ARRAY['a', 'b'])", 1),
            ("('a' || 'b')", 1),
            ("(1-1)", 1),
        ] {
            let text = format!("{list}, (");
            assert_eq!(
                values(text.as_bytes(), Quoting::default(), &[], &mut row),
                Err(Fault::Expression(list.len(), nth)),
                "{list}"
            );
        }
        assert_eq!(
            values(b"SELECT", Quoting::default(), &[], &mut row),
            Err(Fault::NoList)
        );
    }

    #[test]
    fn generated_columns_are_left_out() {
        let mut row = Vec::new();
        let found = values(
            b"(DEFAULT, 1, DEFAULT, 2)",
            Quoting::default(),
            &[true, false, false],
            &mut row,
        );
        assert!(found.is_ok_and(|values| values.default && values.count == 4));
        assert_eq!(row, b"1\t\\N\t2");
        // Where the dump says so, a backslash escapes in every string.
        let quoting = Quoting {
            backslashes: true,
            crlf: false,
        };
        assert!(values(b"('a\\'b')", quoting, &[], &mut row).is_ok());
        assert_eq!(row, b"a'b");
    }
}
