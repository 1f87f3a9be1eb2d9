//! Which recognisers a line is shown to: nearly all are ruled out by its first bytes.

use super::{
    Engine, Head, bracketed, chronicles, geth, json, lodestar, log4j, logrus, nethermind, panics,
    postgres, roughtime, slog, tracing,
};
use crate::scan::{english_stamp, full_stamp};
use model::Stamp;

/// Looks at a line's beginning; says whether a record of the engine starts there.
pub(crate) type Recogniser = fn(&[u8]) -> Option<Head>;

/// The same of a line whose stamp is read already: the offset is the one behind it.
pub(crate) type StampedRecogniser = fn(&[u8], &Stamp, usize) -> Option<Head>;

/// Calls `found` with each head that is recognised at a line's beginning. It says whether the line is settled:
/// whether nobody whose stamp is the same could have a better claim.
///
/// All recognisers are asked that a line with this beginning may be for: whose line it is follows from what the
/// formats claim, never from the order here. JSON and logfmt have their own way (dialects look at what
/// [`json::Scan`] found), and so have users' expressions ([`regex`]).
#[inline]
pub(crate) fn recognise(line: &[u8], mut found: impl FnMut(&Head) -> bool) {
    // Several engines have such stamps: it is read once, and stays where it was read.
    let stamp = match line {
        [b'[', ..] => full_stamp(line, 1),
        [b'0'..=b'9', ..] if is_dated(line) => full_stamp(line, 0),
        [b'A'..=b'Z', ..] if is_english(line, b' ') || is_english(line, b'-') => {
            english_stamp(line)
        }
        _ => None,
    };
    let asked = match &stamp {
        Some((stamp, end)) => Asked::Stamped(behind_stamp(line, *end), stamp, *end),
        None => Asked::Bare(without_stamp(line)),
    };
    // One loop for both: what is found is looked at in one place, without a call.
    for number in 0..asked.count() {
        if let Some(head) = &asked.ask(number, line)
            && found(head)
            && stamp.is_some()
        {
            return;
        }
    }
}

/// Who is asked about a line.
enum Asked<'s> {
    Bare(&'static [Recogniser]),
    /// The line's stamp and where it ends.
    Stamped(&'static [StampedRecogniser], &'s Stamp, usize),
}

impl Asked<'_> {
    #[inline(always)]
    fn count(&self) -> usize {
        match self {
            Asked::Bare(recognisers) => recognisers.len(),
            Asked::Stamped(recognisers, ..) => recognisers.len(),
        }
    }

    #[inline(always)]
    fn ask(&self, number: usize, line: &[u8]) -> Option<Head> {
        match self {
            Asked::Bare(recognisers) => recognisers[number](line),
            Asked::Stamped(recognisers, stamp, end) => recognisers[number](line, stamp, *end),
        }
    }
}

/// Whether a line that begins with a digit begins with a date with dashes, most likely.
#[inline]
fn is_dated(line: &[u8]) -> bool {
    line.get(4) == Some(&b'-') && matches!(line.get(10), Some(b'T' | b' '))
}

/// Whether a line that begins with a capital begins with `Aug 14 `, most likely, or with `Aug-14 `.
#[inline]
fn is_english(line: &[u8], separator: u8) -> bool {
    matches!(line, [_, _, _, between, b'0'..=b'3', b'0'..=b'9', b' ', ..] if *between == separator)
}

/// The recognisers of lines whose stamp is read: what stands behind it, and in a full one between date and clock,
/// tells most of them apart. Who is narrower comes first, see [`Engine::rival`].
#[inline]
fn behind_stamp(line: &[u8], end: usize) -> &'static [StampedRecogniser] {
    match (line.first(), line.get(end), line.get(10)) {
        (Some(b'['), Some(b']'), _) => &[bracketed::recognise, logrus::bracketed],
        (Some(b'['), _, _) => &[],
        (Some(b'A'..=b'Z'), _, _) if line[3] == b'-' => &[lodestar::dated],
        (Some(b'A'..=b'Z'), _, _) => &[slog::dated, tracing::year_less],
        (_, Some(b']'), _) => &[bracket_lost],
        (_, Some(b'|'), _) => &[nethermind::dated],
        (_, _, Some(b'T')) => &[tracing::recognise],
        (_, Some(b' '), _) => after_blank(&line[end + 1..]),
        (_, Some(b','), _) => &[log4j::recognise],
        (_, Some(b'['), _) => &[lodestar::dated],
        _ => &[],
    }
}

/// The recognisers of lines that begin with no stamp that several engines have.
#[inline]
fn without_stamp(line: &[u8]) -> &'static [Recogniser] {
    match line.first() {
        Some(b'[') => &[geth::bracketed],
        Some(b'a'..=b'z') if json::logfmt::begins(line) => of_pairs(line[0]),
        Some(b't') => &[panics::rust, roughtime::recognise],
        Some(b'0'..=b'9') if is_dated(line) => &[],
        Some(b'0'..=b'9') => &[log4j::dateless, nethermind::year_less, roughtime::recognise],
        Some(b'A'..=b'Z') => after_capital(line),
        Some(b' ') => &[indented, slog::indented],
        Some(b'p' | b'f' | b'g') => &[panics::go, roughtime::recognise],
        Some(b'<' | b'n') => &[panics::node, roughtime::recognise],
        Some(b'a'..=b'z') => &[roughtime::recognise],
        _ => &[],
    }
}

/// Whether a record of an engine starts with a line that begins with `key=`.
#[inline]
pub(crate) fn knows_pairs(line: &[u8]) -> bool {
    let first = line.first().copied().unwrap_or_default();
    of_pairs(first)
        .iter()
        .any(|recogniser| recogniser(line).is_some())
}

/// The engines whose recognisers know lines of pairs, see [`of_pairs`].
pub(crate) const ENGINES_OF_PAIRS: [Engine; 2] = [Engine::LogrusText, Engine::GethText];

/// The recognisers of lines that begin with `key=`, by its first letter: all others have a blank, a colon or a bracket
/// there.
#[inline]
fn of_pairs(first: u8) -> &'static [Recogniser] {
    match first {
        b't' => &[logrus::quoted_line, geth::logfmt],
        // A letter or two are lost in pasting: `ime="…`, `me="…`.
        b'i' | b'm' => &[logrus::quoted_line],
        b'l' => &[logrus::level_first],
        _ => &[],
    }
}

/// The recognisers of lines with a full date, by what stands behind the blank after it: log4j has a bar, its own
/// thread or a level there, PostgreSQL a zone, Lodestar more blanks or a bracket.
#[inline]
fn after_blank(rest: &[u8]) -> &'static [StampedRecogniser] {
    match rest.first() {
        Some(b'|' | b'm') => &[log4j::recognise],
        Some(b'+' | b'-') => &[postgres::dated],
        Some(b'A'..=b'Z') if postgres::is_no_level(rest) => &[postgres::dated],
        Some(b'A'..=b'Z') => &[log4j::recognise],
        Some(b' ' | b'[') => &[lodestar::dated],
        _ => &[],
    }
}

/// The recognisers of lines that begin with a capital. A month, a level before a bracket or a date can be nothing
/// of the many others, who have words there.
#[inline]
fn after_capital(line: &[u8]) -> &'static [Recogniser] {
    match line {
        _ if is_english(line, b' ') => &[tracing::foreign],
        _ if is_english(line, b'-') => &[],
        // `INF 2023-09-15 …`
        [_, _, _, b' ', b'0'..=b'9', _, _, _, b'-', ..] => &[chronicles::recognise],
        // `INFO [08-14|…`, `ERROR[08-14|…`, `INFO[08-14|…`
        [_, _, _, _, b'[', ..] | [_, _, _, _, _, b'[', ..] => &[geth::terminal],
        _ if json::logfmt::begins(line) => of_pairs(line[0]),
        _ => after_word(line[0]),
    }
}

/// The recognisers of lines that begin with a word, by its first letter.
#[inline]
fn after_word(first: u8) -> &'static [Recogniser] {
    match first {
        b'E' | b'F' | b'U' => &[
            slog::recognise,
            tracing::foreign,
            logrus::stampless,
            geth::terminal,
            postgres::bare,
            lodestar::of_slot,
            panics::java,
            panics::dotnet,
            panics::node,
            roughtime::recognise,
        ],
        b'T' | b'S' => &[
            slog::recognise,
            tracing::foreign,
            logrus::stampless,
            geth::terminal,
            postgres::bare,
            roughtime::recognise,
            panics::nim,
        ],
        _ => &[
            slog::recognise,
            tracing::foreign,
            logrus::stampless,
            geth::terminal,
            postgres::bare,
            roughtime::recognise,
        ],
    }
}

/// `2020-08-14 17:31:02]  WARN …`: the opening bracket is lost, the closing one must be there.
fn bracket_lost(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    // No program writes a longer fraction.
    (end < 36)
        .then(|| logrus::bracketed(line, stamp, end))
        .flatten()
}

/// Pasted text is indented, ` INFO` is right-aligned; deeper indentation is a continuation of
/// something.
fn indented(line: &[u8]) -> Option<Head> {
    let depth = line.iter().take(9).take_while(|c| **c == b' ').count();
    match line.get(depth)? {
        b'[' if depth <= 4 => logrus::terminal(line, depth + 1),
        b'A'..=b'Z' if depth == 1 => logrus::stampless(line),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use proptest::prelude::*;

    const ALL: [Recogniser; 20] = [
        chronicles::recognise,
        geth::bracketed,
        geth::logfmt,
        geth::terminal,
        panics::rust,
        panics::go,
        panics::java,
        panics::dotnet,
        panics::node,
        panics::nim,
        roughtime::recognise,
        logrus::quoted_line,
        logrus::level_first,
        logrus::stampless,
        log4j::dateless,
        nethermind::year_less,
        slog::recognise,
        tracing::foreign,
        postgres::bare,
        lodestar::of_slot,
    ];

    /// What lines of all formats begin with, and what makes pairs of it.
    fn beginnings() -> impl Strategy<Value = String> {
        let samples = Catalogue::builtin().sample_lines();
        let samples: Vec<String> = samples.iter().map(|(_, line)| (*line).to_owned()).collect();
        let keys = prop::sample::select(vec![
            "",
            "t=",
            "time=",
            "x=\"",
            "level=info msg=",
            "INFO=",
            "a.b/c-d=1 ",
        ]);
        (keys, prop::sample::select(samples), 0usize..40).prop_map(|(key, sample, at)| {
            let at = (0..=at.min(sample.len()))
                .rev()
                .find(|at| sample.is_char_boundary(*at));
            let (before, after) = sample.split_at(at.unwrap_or(0));
            format!("{before}{key}{after}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4096, ..ProptestConfig::default() })]

        /// Who is not shown lines of pairs knows none, and who is, is of the engines that are said to be.
        #[test]
        fn pairs_are_shown_to_whoever_knows_them(line in beginnings()) {
            let line = line.as_bytes();
            if json::logfmt::begins(line) && line[0].is_ascii_alphabetic() {
                let shown = without_stamp(line);
                for recogniser in ALL {
                    let is_shown = shown.iter().any(|one| std::ptr::fn_addr_eq(*one, recogniser));
                    if let Some(head) = recogniser(line) {
                        prop_assert!(is_shown, "{:?}", head.shape);
                        prop_assert!(ENGINES_OF_PAIRS.contains(&head.shape.engine()));
                    }
                }
                let mut recognised = false;
                recognise(line, |_| {
                    recognised = true;
                    true
                });
                prop_assert_eq!(knows_pairs(line), recognised);
            }
        }
    }
}
