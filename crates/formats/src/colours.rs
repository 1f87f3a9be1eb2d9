//! Colours, which go before anything is read.

use crate::lanes::{Lane, Truths, WIDTH, marks_of_64};
use memchr::memchr3_iter;

/// The length of the colour sequence `(ESC|←|^[)[…m` at `at`, 0 if there is none. `ESC(B` is part of how
/// terminfo ends a colour (slog's terminal output).
#[inline(always)]
fn colour_length(b: &[u8], at: usize) -> usize {
    match b[at..] {
        // As nearly all programs write them.
        [0x1b, b'[', b'0'..=b'9', b'm', ..] => 4,
        [0x1b, b'[', b'0'..=b'9', b'0'..=b'9', b'm', ..] => 5,
        _ => other_length(b, at),
    }
}

#[inline(never)]
fn other_length(b: &[u8], at: usize) -> usize {
    if b[at..].starts_with(b"\x1b(B") {
        return 3;
    }
    let open = if b[at] == 0x1b {
        1
    } else if b[at..].starts_with(b"^[") {
        // How terminals and editors show an escape character, and pastes keep it.
        2
    } else if b[at..].starts_with("←".as_bytes()) {
        "←".len()
    } else {
        return 0;
    };
    if b.get(at + open) != Some(&b'[') {
        return 0;
    }
    let mut end = at + open + 1;
    while b.get(end).is_some_and(|c| c.is_ascii_digit() || *c == b';') {
        end += 1;
    }
    // `K` erases a line: docker compose writes it before its prefix.
    if matches!(b.get(end), Some(b'm' | b'K')) {
        end + 1 - at
    } else {
        0
    }
}

/// Whether each byte may begin a colour sequence; that of an arrow begins other signs as well.
#[inline(always)]
fn may_begin(lane: Lane) -> Truths {
    lane.is(0x1b).or(lane.is(0xe2)).or(lane.is(b'^'))
}

/// A quick no for a whole block: whether it has what colour sequences begin with. An arrow is looked for by its second
/// byte: other signs that programs print, as dashes, begin with the same.
pub(crate) fn may_have_colours(block: &[u8]) -> bool {
    const ARROW: &[u8] = "←".as_bytes();
    memchr3_iter(0x1b, b'^', ARROW[1], block)
        .any(|at| block[at] != ARROW[1] || (at > 0 && block[at - 1..].starts_with(ARROW)))
}

/// Copies the first bytes of a text, sixteen in a step: what stands between two colours is too short for a call. Up to
/// fifteen bytes behind them may become something else.
#[inline(always)]
fn copy_short(text: &[u8], length: usize, to: &mut [u8]) {
    for at in (0..length).step_by(WIDTH) {
        match (text.get(at..at + WIDTH), to.get_mut(at..at + WIDTH)) {
            (Some(text), Some(to)) => to.copy_from_slice(text),
            _ => return to[at..length].copy_from_slice(&text[at..length]),
        }
    }
}

/// Appends the text to `out` without its colour sequences, if it has some; says whether it has.
pub(crate) fn take_colours_off(b: &[u8], out: &mut Vec<u8>) -> bool {
    let start = out.len();
    // What of the text is copied, and to where.
    let (mut from, mut to) = (0, start);
    for at in (0..b.len()).step_by(64) {
        let [mut marks] = marks_of_64(b, at, |lane| [may_begin(lane)]);
        while marks != 0 {
            let place = at + marks.trailing_zeros() as usize;
            marks &= marks - 1;
            let length = colour_length(b, place);
            if length > 0 {
                if out.len() == start {
                    out.resize(start + b.len(), 0);
                }
                let plain = place - from;
                copy_short(&b[from..], plain, &mut out[to..]);
                to += plain;
                from = place + length;
            }
        }
    }
    let has_some = out.len() > start;
    if has_some {
        copy_short(&b[from..], b.len() - from, &mut out[to..]);
        out.truncate(to + b.len() - from);
    }
    has_some
}

/// Appends the text to `out` without its colour sequences.
pub(crate) fn strip_colours(b: &[u8], out: &mut Vec<u8>) {
    if !take_colours_off(b, out) {
        out.extend_from_slice(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colours_go_whether_escape_or_arrow() {
        let mut out = Vec::new();
        strip_colours(
            "\u{1b}[90m[t]\u{1b}[0m ←[34mDEBUG←[0m a→b \u{1b}x".as_bytes(),
            &mut out,
        );
        assert_eq!(out, "[t] DEBUG a→b \u{1b}x".as_bytes());
        out.clear();
        assert!(!take_colours_off("↑ plain — text".as_bytes(), &mut out) && out.is_empty());
    }

    #[test]
    fn what_colours_begin_with_is_seen_in_a_block() {
        for (text, may) in [
            ("", false),
            ("plain", false),
            ("0x12…ab — ↑ → ц", false),
            ("\u{2190}", true),
            ("… ↑ ←[34m", true),
            ("x\u{1b}", true),
            ("… ^", true),
        ] {
            assert_eq!(may_have_colours(text.as_bytes()), may, "{text}");
        }
        // What is cut is no arrow.
        assert!(!may_have_colours(&"←".as_bytes()[1..]) && !may_have_colours(b"\xe2\x86"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What is copied in steps is what is left byte by byte, behind whatever stands there already.
        #[test]
        fn what_is_no_colour_stays(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "a", "a few words between two colours ", "\u{1b}[1m", "\u{1b}[32m", "\u{1b}[38;5;7m", "\u{1b}(B", "^[[0m",
                    "←[34m", "\u{1b}[K", "\u{1b}", "^", "←", "[1m", "é", "\u{1b}[1",
                ]),
                0..40,
            ),
        ) {
            let text = parts.concat();
            let text = text.as_bytes();
            let mut expected = b"before".to_vec();
            let mut at = 0;
            while at < text.len() {
                match other_length(text, at) {
                    0 => {
                        expected.push(text[at]);
                        at += 1;
                    }
                    length => at += length,
                }
            }
            let mut out = b"before".to_vec();
            strip_colours(text, &mut out);
            prop_assert_eq!(out, expected);
        }
    }
}
