//! Turning evidence bytes into text that is safe to store and to show.

/// Moves bytes to the front of `out`, which becomes what is left of it; `None` if they do not fit.
#[inline]
pub(crate) fn put(bytes: &[u8], out: &mut &mut [u8]) -> Option<()> {
    let (here, rest) = std::mem::take(out).split_at_mut_checked(bytes.len())?;
    here.copy_from_slice(bytes);
    *out = rest;
    Some(())
}

/// The same for a text that stands for itself in a JSON string: printable ASCII but quote and backslash. `None`
/// for any other. Keys and values of a line are short: up to 16 bytes are moved as two halves that may lie
/// over each other, which takes no call.
#[inline]
pub(crate) fn put_plain_text(text: &[u8], out: &mut &mut [u8]) -> Option<()> {
    if let (8..=16, Some(first), Some(last)) =
        (text.len(), text.first_chunk::<8>(), text.last_chunk::<8>())
    {
        if unplain(*first) | unplain(*last) != 0 {
            return None;
        }
        let (here, rest) = std::mem::take(out).split_at_mut_checked(text.len())?;
        *here.first_chunk_mut()? = *first;
        *here.last_chunk_mut()? = *last;
        *out = rest;
        return Some(());
    }
    if let (4..8, Some(first), Some(last)) =
        (text.len(), text.first_chunk::<4>(), text.last_chunk::<4>())
    {
        let ([a, b, c, d], [e, f, g, h]) = (*first, *last);
        if unplain([a, b, c, d, e, f, g, h]) != 0 {
            return None;
        }
        let (here, rest) = std::mem::take(out).split_at_mut_checked(text.len())?;
        *here.first_chunk_mut()? = *first;
        *here.last_chunk_mut()? = *last;
        *out = rest;
        return Some(());
    }
    is_plain(text).then(|| put(text, out))?
}

/// Whether a text stands for itself. Eight bytes are looked at in one step, the last eight perhaps twice.
#[inline]
fn is_plain(text: &[u8]) -> bool {
    let (eights, _) = text.as_chunks();
    let marks = eights
        .iter()
        .fold(0, |marks, eight| marks | unplain(*eight));
    let last = match text.last_chunk() {
        Some(eight) => *eight,
        None => std::array::from_fn(|at| text.get(at).copied().unwrap_or(b' ')),
    };
    marks | unplain(last) == 0
}

/// Returns a number that is 0 if all bytes are plain.
#[inline]
fn unplain(bytes: [u8; 8]) -> u64 {
    /// A byte in all eight places.
    const fn all(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let bytes = u64::from_le_bytes(bytes);
    // The highest bit of each byte tells. A borrow or carry into a byte comes from one that tells itself.
    let less = |bytes: u64, than: u8| bytes.wrapping_sub(all(than)) & !bytes;
    let is = |byte: u8| less(bytes ^ all(byte), 1);
    let from_del = bytes | bytes.wrapping_add(all(1));
    (less(bytes, b' ') | is(b'"') | is(b'\\') | from_del) & all(0x80)
}

/// Appends `bytes` to `out` as a JSON string, quotes included.
///
/// Invalid UTF-8 becomes U+FFFD; control characters are escaped as JSON demands. The original bytes
/// stay in the evidence store, so nothing is lost by this.
pub fn write_json_string(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    write_json_text(bytes, out);
    out.push(b'"');
}

/// Appends what stands between the quotes of a JSON string.
#[inline]
pub(crate) fn write_json_text(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        out.extend_from_slice(bytes);
    } else {
        write_escaped(bytes, out);
    }
}

fn write_escaped(bytes: &[u8], out: &mut Vec<u8>) {
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().as_bytes();
        let mut from = 0;
        for (at, &byte) in valid.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                b'\t' => b"\\t",
                0..=0x1f => {
                    out.extend_from_slice(&valid[from..at]);
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    out.extend_from_slice(b"\\u00");
                    out.push(HEX[usize::from(byte >> 4)]);
                    out.push(HEX[usize::from(byte & 15)]);
                    from = at + 1;
                    continue;
                }
                _ => continue,
            };
            out.extend_from_slice(&valid[from..at]);
            out.extend_from_slice(escape);
            from = at + 1;
        }
        out.extend_from_slice(&valid[from..]);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Returns `text` with control characters, invalid UTF-8 and direction overrides shown as escapes
/// (`\x1b`, `\u{202e}`), so that evidence can't drive a terminal. Tabs and line feeds are escaped too.
pub fn escape_control(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                    let _ = write!(out, "\\x{:02x}", c as u32);
                }
                '\u{80}'..='\u{9f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
                | '\u{feff}' => {
                    let _ = write!(out, "\\u{{{:x}}}", c as u32);
                }
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// Whether a pattern says a name: `*` stands for any signs, `?` for one.
///
/// ```
/// assert!(model::glob("eth_txs*", "eth_txs_history"));
/// assert!(!model::glob("eth_txs?", "eth_txs"));
/// ```
pub fn glob(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut in_name) = (0, 0);
    // The last star, and what it stands for up to: going back further never helps.
    let mut star: Option<(usize, usize)> = None;
    while in_name < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, in_name));
            at += 1;
        } else if pattern
            .get(at)
            .is_some_and(|sign| *sign == '?' || *sign == name[in_name])
        {
            at += 1;
            in_name += 1;
        } else if let Some((place, taken)) = star {
            star = Some((place, taken + 1));
            at = place + 1;
            in_name = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|sign| *sign == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_say_names() {
        for (pattern, name, says) in [
            ("eth_txs", "eth_txs", true),
            ("eth_txs", "eth_txs_history", false),
            ("*", "", true),
            ("*_jobs*", "prover_jobs_fri", true),
            ("a*b*c", "aXbXbc", true),
            ("a*b*c", "aXbXb", false),
            ("?\u{e9}", "x\u{e9}", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern, name), says, "{pattern} {name}");
        }
    }

    #[test]
    fn plain_text_is_told_by_each_of_its_bytes() {
        for length in 0..20 {
            for at in 0..length {
                for byte in 0..=255 {
                    let mut text = vec![b'~'; length];
                    text[at] = byte;
                    let expected = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
                    assert_eq!(is_plain(&text), expected, "{byte} at {at} of {length}");
                    let mut out = [0; 20];
                    let mut rest = &mut out[..];
                    let is_put = put_plain_text(&text, &mut rest).is_some();
                    assert_eq!(is_put, expected, "{byte} at {at} of {length}");
                    if is_put {
                        assert_eq!(rest.len(), 20 - length);
                        assert_eq!(out[..length], text);
                    }
                }
            }
            assert!(is_plain(&vec![b' '; length]));
        }
    }

    #[test]
    fn json_strings_are_what_serde_reads_back() {
        for text in [
            "",
            "plain",
            "q\"uo\\te",
            "tab\tnl\ncr\r",
            "\u{1b}[31m",
            "汉字",
            "\u{0}\u{1f}",
        ] {
            let mut out = Vec::new();
            write_json_string(text.as_bytes(), &mut out);
            let back: String = serde_json::from_slice(&out).expect("valid JSON");
            assert_eq!(back, text);
        }
        let mut out = Vec::new();
        write_json_string(b"a\xffb", &mut out);
        assert_eq!(out, "\"a\u{fffd}b\"".as_bytes());
    }

    #[test]
    fn escapes_cannot_reach_a_terminal() {
        assert_eq!(
            escape_control(b"\x1b[31mred\x9b\xe2\x80\xae"),
            "\\x1b[31mred\\x9b\\u{202e}"
        );
    }
}
