//! Making text from evidence harmless where it is shown.

use unicode_width::UnicodeWidthChar;

/// Returns `text` as it may be printed on a terminal: control characters, bidirectional overrides
/// and line feeds are shown as escapes.
///
/// ```
/// assert_eq!(report::terminal("\u{1b}[31mred\nline"), "\\x1b[31mred\\nline");
/// ```
pub fn terminal(text: &str) -> String {
    model::escape_control(text.as_bytes())
}

/// Returns `text` as it may stand in a Markdown document: HTML, links, emphasis, code spans and
/// table bars are escaped, control characters shown.
///
/// ```
/// assert_eq!(report::markdown("<b>|`x`[y](z)"), "&lt;b&gt;\\|\\`x\\`\\[y\\](z)");
/// ```
pub fn markdown(text: &str) -> String {
    let shown = terminal(text);
    let mut out = String::with_capacity(shown.len());
    for c in shown.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '|' | '`' | '[' | ']' | '*' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    // Lines that would start a heading, a list or a quote.
    if out.starts_with(['#', '-', '+', '=']) {
        out.insert(0, '\\');
    }
    out
}

/// Returns the columns a text takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Cuts a text to at most `columns` columns; what was cut is replaced by `…`.
pub(crate) fn clip(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// Breaks a text into lines of at most `columns` columns, at blanks where there are any.
/// Lines after the first are indented by `indent`.
pub(crate) fn wrap(text: &str, columns: usize, indent: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let limit = columns.max(indent + 1);
    let flush = |line: &mut String, used: &mut usize, lines: &mut Vec<String>| {
        lines.push(std::mem::take(line).trim_end().to_owned());
        line.push_str(&" ".repeat(indent));
        *used = indent;
    };
    for word in text.split_inclusive(' ') {
        let wide = width(word.trim_end());
        let at_start = line.trim().is_empty();
        if used + wide > limit && !at_start {
            flush(&mut line, &mut used, &mut lines);
        }
        for c in word.chars() {
            let one = c.width().unwrap_or(0);
            if used + one > limit {
                if c == ' ' {
                    continue;
                }
                flush(&mut line, &mut used, &mut lines);
            }
            line.push(c);
            used += one;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_blanks_and_never_too_wide() {
        assert_eq!(wrap("aa bb cc", 8, 0), ["aa bb cc"]);
        assert_eq!(wrap("aaaa bbbb cccc", 9, 2), ["aaaa bbbb", "  cccc"]);
        for line in wrap(&"x".repeat(40), 12, 2) {
            assert!(width(&line) <= 12, "{line}");
        }
        for line in wrap("汉字汉字汉字汉字汉字", 9, 0) {
            assert!(width(&line) <= 9, "{line}");
        }
    }

    #[test]
    fn clipping_counts_wide_characters() {
        assert_eq!(clip("汉字汉字", 5), "汉字…");
        assert_eq!(clip("abc", 3), "abc");
    }

    #[test]
    fn markdown_cannot_be_injected() {
        assert_eq!(markdown("# no heading"), "\\# no heading");
        assert_eq!(
            markdown("![x](http://evil)<script>"),
            "!\\[x\\](http://evil)&lt;script&gt;"
        );
        assert_eq!(markdown("a\nb"), "a\\\\nb");
    }
}
