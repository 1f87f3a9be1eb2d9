//! Nethermind's text (NLog layouts; prose without fields).
//!
//! * File, and console until 2023: `2023-09-18 03:50:19.0595|INFO|Merge.Plugin.X|207|message`; logger and
//!   thread may each be missing. Always four digits of fraction; local time, no zone.
//! * The old console has no level: `2019-12-30 12:45:56.3327|message|exception`.
//! * Console since 2023: `18 Sep 03:50:19 | message`, without year; the level is a colour only.
//!
//! An exception follows its message on the same line and goes on with `   at …`; the summary at the start
//! stands between rows of `=`.

use super::log4j::is_level;
use super::{Head, Shape};
use crate::scan::{month_day_clock, month_name, trim_end};
use memchr::memchr;
use model::{Field, FieldValue, Stamp, StampDate};

const EMPTY: Head = Head {
    shape: Shape::Nethermind,
    stamp: None,
    level: (0, 0),
    component: (0, 0),
    spans: (0, 0),
    body: 0,
};

/// A logger: `Merge.Plugin.Handlers.ForkchoiceUpdatedHandler`.
fn is_logger(word: &[u8]) -> bool {
    word.first().is_some_and(u8::is_ascii_uppercase)
        && word
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'`' | b'+'))
}

/// The part at `at` up to the next bar, and the offset after that.
fn part(line: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let room = &line[at..line.len().min(at + 128)];
    let length = memchr(b'|', room)?;
    Some((&room[..length], at + length + 1))
}

/// `2023-09-18 03:50:19.0595|…`.
pub(crate) fn dated(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if end != 24 || stamp.fraction_digits != 4 {
        return None;
    }
    let mut head = Head {
        stamp: Some(*stamp),
        body: 25,
        ..EMPTY
    };
    let Some((level, mut at)) = part(line, 25).filter(|(word, _)| is_level(word)) else {
        return Some(head);
    };
    head.level = (25, 25 + level.len() as u32);
    if let Some((logger, next)) = part(line, at).filter(|(word, _)| is_logger(word)) {
        head.component = (at as u32, (at + logger.len()) as u32);
        at = next;
    }
    head.body = at as u32;
    Some(head)
}

/// `18 Sep 03:50:19 | …`.
pub(crate) fn year_less(line: &[u8]) -> Option<Head> {
    let two = usize::from(line.get(1).is_some_and(u8::is_ascii_digit));
    if line.get(1 + two) != Some(&b' ') || line.get(5 + two) != Some(&b' ') {
        return None;
    }
    let day = line[..1 + two].iter().try_fold(0, |n, c| {
        c.is_ascii_digit().then(|| n * 10 + u32::from(c - b'0'))
    })?;
    let month = month_name(&line[2 + two..5 + two])?;
    let (stamp, end) = month_day_clock(month, day, line, 6 + two)?;
    if !line[end..].starts_with(b" | ") {
        return None;
    }
    Some(Head {
        stamp: Some(stamp),
        body: (end + 3) as u32,
        ..EMPTY
    })
}

/// Takes the thread off, and the bar that an empty exception leaves; the rest is message.
pub(crate) fn body<'a>(text: &'a [u8], head: &Head, fields: &mut Vec<Field<'a>>) -> &'a [u8] {
    let mut from = (head.body as usize).min(text.len());
    let levelled = head.level.0 < head.level.1;
    if levelled
        && let Some((thread, next)) = part(text, from)
        && (1..=10).contains(&thread.len())
        && thread.iter().all(u8::is_ascii_digit)
    {
        fields.push(Field {
            key: b"thread",
            value: FieldValue::Text(thread),
        });
        from = next;
    }
    let message = trim_end(&text[from..]);
    let dated = matches!(head.stamp.map(|stamp| stamp.date), Some(StampDate::Full(_)));
    match message.strip_suffix(b"|") {
        Some(rest) if dated && !levelled => trim_end(rest),
        _ => message,
    }
    .trim_ascii_start()
}
