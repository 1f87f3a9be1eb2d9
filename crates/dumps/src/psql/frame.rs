//! What psql draws around cells: rules, bars, and the marks of cells that go on in the next line.
//!
//! Three line styles (ascii, old-ascii, unicode with single or double lines) and three borders: none
//! (cells side by side, a blank between them), inner (the usual one), full (a box).

use super::width::Chars;
use crate::sniff::COLUMNS;

/// Which lines are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    None,
    Inner,
    Full,
}

/// A line of dashes, as it stands under a table's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Lengths of the runs of dashes.
    pub(crate) runs: Vec<usize>,
    pub(crate) border: Border,
    /// Blanks in front.
    pub(crate) indent: usize,
    /// Drawn with box characters: then bars are, too.
    pub(crate) boxed: bool,
}

/// What box characters stand for; `None` for bars and for anything else.
fn dash_of(c: char) -> Option<u8> {
    match c {
        '-' | '─' | '━' | '═' => Some(b'-'),
        '+' => Some(b'+'),
        '│' | '┃' | '║' => None,
        '\u{2500}'..='\u{257f}' => Some(b'+'),
        _ => None,
    }
}

pub(crate) fn is_bar(c: char) -> bool {
    matches!(c, '|' | '│' | '┃' | '║')
}

/// Whether a cell goes on behind a line feed.
pub(crate) fn is_line_feed(c: char) -> bool {
    matches!(c, '+' | '↵')
}

/// Whether a cell goes on because psql wrapped it.
pub(crate) fn is_wrap(c: char) -> bool {
    matches!(c, '.' | '…')
}

/// A line drawn of dashes and joints as ASCII, blanks kept; `None` if anything else is in it.
pub(crate) fn as_ascii(line: &[u8]) -> Option<Vec<u8>> {
    if line.is_ascii() {
        let drawn = line.iter().all(|b| matches!(b, b'-' | b'+' | b' '));
        return drawn.then(|| line.to_vec());
    }
    std::str::from_utf8(line)
        .ok()?
        .chars()
        .map(|c| if c == ' ' { Some(b' ') } else { dash_of(c) })
        .collect()
}

impl Rule {
    /// Reads a rule.
    pub(crate) fn read(line: &[u8]) -> Option<Rule> {
        let text = line.trim_ascii();
        // Most lines are none: that must be seen at once.
        if text.len() < 2 || !matches!(text[0], b'-' | b'+' | 0xe2) {
            return None;
        }
        let drawn = as_ascii(text)?;
        let joints = memchr::memchr(b'+', &drawn).is_some();
        let (border, inner) = match drawn.as_slice() {
            [b'+', inner @ .., b'+'] => (Border::Full, inner),
            drawn if joints || memchr::memchr(b' ', drawn).is_none() => (Border::Inner, drawn),
            drawn => (Border::None, drawn),
        };
        let (between, least) = match border {
            Border::None => (b' ', 1),
            _ => (b'+', 2),
        };
        let runs: Vec<usize> = inner.split(|&b| b == between).map(<[u8]>::len).collect();
        let dashes = inner.iter().all(|&b| b == b'-' || b == between);
        let fits = runs.len() <= COLUMNS && runs.iter().all(|&run| run >= least);
        (dashes && fits && inner.len() >= 2).then(|| Rule {
            runs,
            border,
            indent: line.len() - line.trim_ascii_start().len(),
            boxed: !text.is_ascii(),
        })
    }

    /// Takes indent and outer borders off a line.
    pub(crate) fn inner<'l>(&self, line: &'l [u8]) -> &'l [u8] {
        let blanks = line
            .iter()
            .take(self.indent)
            .take_while(|b| **b == b' ')
            .count();
        let line = &line[blanks..];
        if self.border != Border::Full {
            return line;
        }
        let line = line.trim_ascii_end();
        let (first, last) = match self.boxed {
            true => (bar_at_start(line), bar_at_end(line)),
            false => (
                usize::from(line.starts_with(b"|")),
                usize::from(line.len() > 1 && line.ends_with(b"|")),
            ),
        };
        line.get(first..line.len() - last).unwrap_or(line)
    }

    /// Cuts a line at its bars, where its columns are not where they were.
    pub(crate) fn split<'l>(&self, line: &'l [u8]) -> Vec<&'l [u8]> {
        if self.border == Border::None {
            return vec![line];
        }
        if !self.boxed {
            return line.split(|&b| b == b'|').collect();
        }
        let mut pieces = Vec::new();
        let mut from = 0;
        for at in memchr::memmem::find_iter(line, "│") {
            pieces.push(&line[from..at]);
            from = at + "│".len();
        }
        pieces.push(&line[from..]);
        pieces
    }

    /// Whether a line has a bar where it can matter.
    pub(crate) fn has_bar(&self, line: &[u8]) -> bool {
        match self.boxed {
            true => {
                [0x82, 0x83]
                    .iter()
                    .any(|&last| memchr::memmem::find(line, &[0xe2, 0x94, last]).is_some())
                    || memchr::memmem::find(line, "║".as_bytes()).is_some()
            }
            false => memchr::memchr(b'|', line).is_some(),
        }
    }

    /// Cuts a line at the rule's columns. `None` if a column between is nothing that can stand there.
    pub(crate) fn cut<'l>(&self, line: &'l [u8]) -> Option<Vec<Piece<'l>>> {
        let mut pieces = Vec::with_capacity(self.runs.len());
        let mut chars = Chars::new(line);
        for (nth, run) in self.runs.iter().enumerate() {
            let start = chars.rest();
            if nth + 1 == self.runs.len() {
                pieces.push(self.last(start, *run)?);
                break;
            }
            let mut column = 0;
            while column < *run {
                column += chars.next()?.1;
            }
            // Characters without width belong to what they follow.
            while chars.clone().next().is_some_and(|(_, width)| width == 0) {
                chars.next();
            }
            if column != *run {
                return None;
            }
            let text = &start[..start.len() - chars.rest().len()];
            let behind = self.behind(chars.next()?.0?)?;
            pieces.push(Piece { text, behind });
        }
        Some(pieces)
    }

    fn behind(&self, c: char) -> Option<Behind> {
        match (self.border, c) {
            (_, ' ') => Some(Behind::Blank),
            (Border::None, c) if is_line_feed(c) => Some(Behind::LineFeed),
            (Border::None, c) if is_wrap(c) => Some(Behind::Wrap),
            (Border::None, _) => None,
            (_, ':') => Some(Behind::Colon),
            (_, ';') => Some(Behind::Semicolon),
            (_, c) => is_bar(c).then_some(Behind::Bar),
        }
    }

    /// The last piece: editors cut blanks at the end of lines, but nothing is wider than the rule.
    fn last<'l>(&self, text: &'l [u8], run: usize) -> Option<Piece<'l>> {
        let (mut text, mut behind) = (text, Behind::Blank);
        if self.border == Border::None
            && let Some(c) = last_char(text)
            && (is_line_feed(c) || is_wrap(c))
            && super::width::text_width(text) == run + 1
        {
            text = &text[..text.len() - c.len_utf8()];
            behind = self.behind(c)?;
        }
        let fits = super::width::text_width(text.trim_ascii_end()) <= run;
        fits.then_some(Piece { text, behind })
    }
}

fn bar_at_start(line: &[u8]) -> usize {
    let c = Chars::new(line).next().and_then(|(c, _)| c);
    c.filter(|c| is_bar(*c)).map_or(0, char::len_utf8)
}

fn bar_at_end(line: &[u8]) -> usize {
    last_char(line)
        .filter(|c| is_bar(*c))
        .map_or(0, char::len_utf8)
}

/// The last character of a text that may be no UTF-8 elsewhere.
pub(crate) fn last_char(text: &[u8]) -> Option<char> {
    (1..=4.min(text.len())).find_map(|length| {
        let tail = std::str::from_utf8(&text[text.len() - length..]).ok()?;
        tail.chars().next()
    })
}

/// A cell with its margins, and what stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece<'l> {
    pub(crate) text: &'l [u8],
    pub(crate) behind: Behind,
}

/// What stands between two cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    Bar,
    /// Without a border: the usual; in old-ascii: the next cell has nothing more to say.
    Blank,
    /// In old-ascii: the next cell goes on behind a line feed.
    Colon,
    /// In old-ascii: the next cell was wrapped.
    Semicolon,
    /// Without a border: this cell goes on behind a line feed.
    LineFeed,
    /// Without a border: this cell was wrapped.
    Wrap,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Option<(&[usize], Border)>) {
        let found = Rule::read(line.as_bytes());
        let found = found
            .as_ref()
            .map(|rule| (rule.runs.as_slice(), rule.border));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn rules_of_all_borders_and_styles() {
        check("----+---", Some((&[4, 3], Border::Inner)));
        check("  ----+---  ", Some((&[4, 3], Border::Inner)));
        check("+----+---+", Some((&[4, 3], Border::Full)));
        check("---- ---", Some((&[4, 3], Border::None)));
        check("----", Some((&[4], Border::Inner)));
        check("────┼───", Some((&[4, 3], Border::Inner)));
        check("╔════╤═══╗", Some((&[4, 3], Border::Full)));
        check("── ─", Some((&[2, 1], Border::None)));
        check("--  --", None);
        check("-- text", None);
        check("│──│", None);
        check("-", None);
    }

    #[test]
    fn lines_are_cut_where_the_rule_says() {
        let cut = |rule: &str, line: &str| -> Option<Vec<String>> {
            let rule = Rule::read(rule.as_bytes()).unwrap();
            let pieces = rule.cut(rule.inner(line.as_bytes()))?;
            let text = |piece: &Piece<'_>| String::from_utf8_lossy(piece.text).into_owned();
            Some(pieces.iter().map(text).collect())
        };
        let some = |texts: &[&str]| Some(texts.iter().map(|t| (*t).to_owned()).collect());
        assert_eq!(cut("---+---", " a | b"), some(&[" a ", " b"]));
        assert_eq!(cut("---+---", "abcd| b"), None);
        assert_eq!(cut("┌───┬───┐", "│ a │ b │"), some(&[" a ", " b "]));
        assert_eq!(cut("-- --", "1  2"), some(&["1 ", "2"]));
        assert_eq!(cut("-- --", "中+2"), some(&["中", "2"]));
        assert_eq!(cut("-- --", "1xy 2"), None);
    }
}
