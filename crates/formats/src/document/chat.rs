//! Messages of chats, as their exports have them: Slack's and DiscordChatExporter's. Every line of a message
//! is a row, since people paste logs.

use super::rows::Rows;
use crate::scan::full_stamp;
use crate::wrapper::Range;
use crate::wrapper::object::{self, Kind, Value};
use crate::wrapper::shipper::{keep_fact, time_of, unescape};
use memchr::memchr;

/// Reads the message whose object begins at `at` of the scratch, which lies at `block` in the block.
pub(super) fn message(rows: &mut Rows, text: &[u8], at: usize, block: usize) -> bool {
    let mut body: Option<Value> = None;
    let (mut author, mut channel, mut time) = (None, None, None);
    if at > 0 {
        object::walk(text, 0, &mut |path, value| {
            if path == b"channel.name" {
                channel = Some(value);
            }
        });
    }
    let end = object::walk(text, at, &mut |path, value| match path {
        b"text" | b"content" if value.kind == Kind::Text => body = Some(value),
        b"user" | b"author.name" => author = Some(value),
        b"ts" | b"timestamp" => time = Some(value),
        _ => {}
    });
    let (Some(end), Some(body)) = (end, body) else {
        return false;
    };
    rows.found.clear();
    rows.out.clear();
    for (name, value) in [("author", author), ("channel", channel)] {
        if let Some(value) = value {
            keep_fact(name, value, text, &mut rows.found, &mut rows.out);
        }
    }
    rows.found.kind = "chat-paste";
    rows.found.stamp = time.and_then(|value| {
        let raw = value.of(text);
        time_of(raw).or_else(|| full_stamp(raw, 0).map(|(stamp, _)| stamp))
    });
    let slack = memchr(b'&', body.of(text)).is_some();
    // The message's lines, by the escapes of their line feeds.
    let (mut from, mut row_from) = (body.from, block);
    loop {
        let feed = line_feed(text, from, body.to);
        let (to, next) = feed.map_or((body.to, body.to), |feed| (feed, feed + 2));
        let start = rows.out.len();
        if !unescape(&text[from..to], &mut rows.out) {
            return false;
        }
        if slack {
            undo_entities(&mut rows.out, start);
        }
        rows.found.text = Range {
            from: start,
            to: rows.out.len(),
            out: true,
        };
        // The last line's row ends where the message does.
        let row_to = match feed {
            Some(_) => block + next - at,
            None => block + end - at,
        };
        rows.push_part(text, row_from, row_to);
        row_from = row_to;
        if feed.is_none() {
            return true;
        }
        from = next;
    }
}

/// The next escaped line feed.
fn line_feed(text: &[u8], mut at: usize, to: usize) -> Option<usize> {
    while let Some(next) = memchr(b'\\', &text[at..to]) {
        at += next;
        if text.get(at + 1) == Some(&b'n') {
            return Some(at);
        }
        at += 2;
        if at >= to {
            break;
        }
    }
    None
}

/// Slack writes `&amp; &lt; &gt;`.
fn undo_entities(out: &mut Vec<u8>, start: usize) {
    let mut to = start;
    let mut at = start;
    while at < out.len() {
        let (byte, length) = match &out[at..] {
            rest if rest.starts_with(b"&amp;") => (b'&', 5),
            rest if rest.starts_with(b"&lt;") => (b'<', 4),
            rest if rest.starts_with(b"&gt;") => (b'>', 4),
            rest => (rest[0], 1),
        };
        out[to] = byte;
        to += 1;
        at += length;
    }
    out.truncate(to);
}
