//! Coroner's own mark: how `-o FILE` knows a file that it wrote and nobody has edited.
//!
//! Markdown (and HTML) can carry a comment, so those files end with one that holds the sha256 of
//! everything before it. The data formats cannot: they are overwritten only with `--force`, or when
//! the bytes would not change.

use sha2::{Digest, Sha256};

const OPEN: &str = "<!-- written by coroner; sha256 of the above: ";
const CLOSE: &str = " -->\n";

/// What a file says about its own origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Written by Coroner and unedited.
    Intact,
    /// Written by Coroner and edited since.
    Edited,
    /// No mark.
    Missing,
}

/// Returns `text` with the mark as its last line.
///
/// ```
/// let file = report::marked("# Postmortem\n");
/// assert_eq!(report::verify_mark(file.as_bytes()), report::Mark::Intact);
/// let edited = file.replace("Post", "Pre");
/// assert_eq!(report::verify_mark(edited.as_bytes()), report::Mark::Edited);
/// ```
pub fn marked(text: &str) -> String {
    let mut out = text.to_owned();
    if !out.ends_with('\n') {
        out.push('\n');
    }
    let digest = hex(&Sha256::digest(out.as_bytes()));
    out.push_str(OPEN);
    out.push_str(&digest);
    out.push_str(CLOSE);
    out
}

/// Says whether a file's content bears the mark and is what the mark was made over.
pub fn verify_mark(content: &[u8]) -> Mark {
    let open = OPEN.as_bytes();
    let Some(at) = content
        .windows(open.len())
        .rposition(|window| window == open)
    else {
        return Mark::Missing;
    };
    let expected = format!("{}{CLOSE}", hex(&Sha256::digest(&content[..at])));
    if content[at + open.len()..] == *expected.as_bytes() {
        Mark::Intact
    } else {
        Mark::Edited
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_after_the_mark_is_an_edit() {
        let mut file = marked("x\n");
        file.push_str("my own words\n");
        assert_eq!(verify_mark(file.as_bytes()), Mark::Edited);
        assert_eq!(verify_mark(b"plain"), Mark::Missing);
    }
}
