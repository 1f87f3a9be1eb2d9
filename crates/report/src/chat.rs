//! Answers for pasting into Discord or Slack: fenced, 80 columns, UTC, at most 1,900 characters.

use crate::escape::clip;
use crate::{Style, Zone};

/// Discord refuses messages over 2,000 characters; who pastes adds a few words.
const LIMIT: usize = 1_900;
const COLUMNS: usize = 80;
const FENCE: &str = "```\n";

/// The style that chat is laid out in.
pub(crate) fn style() -> Style {
    Style {
        width: COLUMNS,
        color: false,
        zone: Zone::UTC,
    }
}

/// Collects lines until the message is full, then only counts.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    lines: Vec<String>,
    used: usize,
    left_out: usize,
}

impl Chat {
    /// Room for the fences and for the line that says what was left out.
    const ROOM: usize = LIMIT - 2 * FENCE.len() - 40;

    pub(crate) fn push(&mut self, line: &str) {
        // A fence inside the text would end ours.
        let line = clip(&line.replace("```", "'''"), COLUMNS);
        let units = line.encode_utf16().count() + 1;
        if self.left_out > 0 || self.used + units > Self::ROOM {
            self.left_out += 1;
            return;
        }
        self.used += units;
        self.lines.push(line.trim_end().to_owned());
    }

    pub(crate) fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.lines
                .push(format!("… {} more lines left out", self.left_out));
        }
        let mut out = String::from(FENCE);
        for line in &self.lines {
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(FENCE);
        out
    }
}

/// Returns lines as one chat message.
pub(crate) fn fence<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut chat = Chat::default();
    for line in lines {
        chat.push(line);
    }
    chat.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_over_the_limit_and_never_unfenced() {
        for line in [
            "x".repeat(70),
            "汉字".repeat(30),
            "😀".repeat(60),
            "``` out".into(),
        ] {
            let message = fence((0..400).map(|_| line.as_str()));
            assert!(message.encode_utf16().count() <= LIMIT, "{}", message.len());
            assert!(message.starts_with("```\n") && message.ends_with("\n```\n"));
            assert_eq!(message.matches("```").count(), 2);
            assert!(message.contains("more lines left out"));
        }
        assert_eq!(fence(["a"].into_iter()), "```\na\n```\n");
    }
}
