//! Rust programs that put brackets around what stands before the message: Grandine.
//!
//! * tracing's compact form (2025 on): `[2026-06-05T07:04:24.383Z]  WARN eth1_api::execution_service:209: prose peers=[14/200]`;
//!   `exception.log` has `file:line:` behind the target. Fields stand at the end as in tracing's text.
//! * env_logger's (before): `[2024-01-02T03:04:05.123+00:00] [INFO] [validator::validator] prose`.
//!
//! The target is the component; the line in its source is not kept apart.

use super::tracing::is_level;
use super::{Head, Shape};
use crate::lanes::{Blank, Capital, LowerPath, run_within};
use model::{Stamp, StampZone};

/// The longest target.
const TARGET_MAX: usize = 128;

/// The end of a Rust path at `at`.
fn path_end(line: &[u8], at: usize) -> Option<usize> {
    let length = run_within::<LowerPath>(line, at, TARGET_MAX);
    (length > 0 && line[at].is_ascii_lowercase()).then_some(at + length)
}

/// `[stamp]`, then level and target in either form.
pub(crate) fn recognise(line: &[u8], stamp: &Stamp, end: usize) -> Option<Head> {
    if line.get(11) != Some(&b'T') {
        return None;
    }
    if stamp.zone == StampZone::None || !line[end..].starts_with(b"] ") {
        return None;
    }
    let (level, component, body) = if line.get(end + 2) == Some(&b'[') {
        env_logger(line, end + 3)?
    } else {
        compact(line, end + 2)?
    };
    Some(Head {
        shape: Shape::Bracketed,
        stamp: Some(*stamp),
        level: (level.0 as u32, level.1 as u32),
        component: (component.0 as u32, component.1 as u32),
        spans: (0, 0),
        body: body as u32,
    })
}

type Parts = ((usize, usize), (usize, usize), usize);

/// `INFO] [target] `.
fn env_logger(line: &[u8], at: usize) -> Option<Parts> {
    let level_end = at + line[at..].iter().take(8).position(|c| *c == b']')?;
    let word = line[at..level_end].trim_ascii_end();
    if !is_level(word) || !line[level_end..].starts_with(b"] [") {
        return None;
    }
    let target = level_end + 3;
    let end = path_end(line, target)?;
    let body = (end + 2).min(line.len());
    (line.get(end) == Some(&b']') && matches!(line.get(end + 1), None | Some(b' '))).then_some((
        (at, at + word.len()),
        (target, end),
        body,
    ))
}

/// ` INFO target:209: `, ` INFO target: file.rs:209: `.
fn compact(line: &[u8], at: usize) -> Option<Parts> {
    let level = at + run_within::<Blank>(line, at, 4);
    let level_end = level + run_within::<Capital>(line, level, 6);
    if !is_level(&line[level..level_end]) || line.get(level_end) != Some(&b' ') {
        return None;
    }
    let target = level_end + 1;
    // The path takes `:209:` in, too.
    let end = path_end(line, target)?;
    let path = line[target..end].strip_suffix(b":")?;
    if !matches!(line.get(end), None | Some(b' ')) {
        return None;
    }
    if let Some(colon) = path.iter().rposition(|c| *c == b':')
        && colon + 1 < path.len()
        && path[colon + 1..].iter().all(u8::is_ascii_digit)
    {
        let body = (end + 1).min(line.len());
        return Some(((level, level_end), (target, target + colon), body));
    }
    let file = end + 1;
    let word = line
        .get(file..)?
        .iter()
        .take(TARGET_MAX * 2)
        .position(|c| *c == b' ')?;
    let numbered = line[file..file + word].strip_suffix(b":")?;
    let colon = numbered.iter().rposition(|c| *c == b':')?;
    let is_place = numbered[..colon].ends_with(b".rs")
        && colon + 1 < numbered.len()
        && numbered[colon + 1..].iter().all(u8::is_ascii_digit);
    is_place.then_some((
        (level, level_end),
        (target, target + path.len()),
        file + word + 1,
    ))
}
