//! Times in values of their own (JSON, logfmt, users' patterns), where the whole text is the time:
//! civil with or without year and zone, a comma before the fraction, or a number since 1970.

use crate::scan::{epoch_stamp, full_stamp, full_stamp_here, year_less_stamp};
use model::{Stamp, StampZone};

/// Reads a time that fills the whole text.
pub(crate) fn whole(text: &[u8]) -> Option<Stamp> {
    let mut stamp = None;
    read_whole(text, &mut stamp);
    stamp
}

/// The same into its place, which stays as it is if the text is no time: a stamp that is handed on from one to the next
/// is what processors wait for.
#[inline(always)]
pub(crate) fn read_whole(text: &[u8], into: &mut Option<Stamp>) -> bool {
    // As nearly all write it.
    match full_stamp_here(text, 0) {
        Some((stamp, end)) if end == text.len() => *into = Some(stamp),
        _ => match of_any_form(text) {
            Some(stamp) => *into = Some(stamp),
            None => return false,
        },
    }
    true
}

#[inline(never)]
fn of_any_form(text: &[u8]) -> Option<Stamp> {
    let digits = text.first()?.is_ascii_digit();
    if digits && text.get(4) == Some(&b'-') {
        return civil(text);
    }
    if digits {
        // Nine digits are as well any number.
        let nine = text.get(9).is_none_or(|c| *c == b'.');
        return epoch_stamp(text).filter(|_| !nine);
    }
    let (stamp, end) = year_less_stamp(text)?;
    (end == text.len()).then_some(stamp)
}

fn civil(text: &[u8]) -> Option<Stamp> {
    if text.get(19) == Some(&b',') && text.len() <= 40 {
        let mut copy = [0; 40];
        let copy = &mut copy[..text.len()];
        copy.copy_from_slice(text);
        copy[19] = b'.';
        return civil(copy);
    }
    let (stamp, end) = full_stamp(text, 0)?;
    let rest = &text[end..];
    match (rest, stamp.zone) {
        (b"", _) => Some(stamp),
        (b" UTC" | b"UTC", StampZone::None) => Some(Stamp {
            zone: StampZone::Utc,
            ..stamp
        }),
        // A blank before the offset, as ISO forbids and many write.
        ([b' ', b'+' | b'-' | b'Z', ..], StampZone::None) if text.len() <= 40 => {
            let mut copy = [0; 40];
            let copy = &mut copy[..text.len() - 1];
            copy[..end].copy_from_slice(&text[..end]);
            copy[end..].copy_from_slice(&text[end + 1..]);
            let (stamp, end) = full_stamp(copy, 0)?;
            (end == copy.len()).then_some(stamp)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_values() {
        for (text, written) in [
            (
                "2024-01-02T03:04:05.123456789Z",
                "2024-01-02T03:04:05.123456789Z",
            ),
            ("2024-01-02 03:04:05,123", "2024-01-02T03:04:05.123"),
            (
                "2024-01-02 03:04:05,123+0200",
                "2024-01-02T03:04:05.123+02:00",
            ),
            (
                "2024-01-02 03:04:05.123+00:00",
                "2024-01-02T03:04:05.123+00:00",
            ),
            (
                "2024-01-02 03:04:05.123 +02:00",
                "2024-01-02T03:04:05.123+02:00",
            ),
            ("2024-01-02 03:04:05 UTC", "2024-01-02T03:04:05Z"),
            ("Jan 02 03:04:05.123", "--01-02T03:04:05.123"),
            ("1704164645", "2024-01-02T03:04:05Z"),
            ("1704164645.5", "2024-01-02T03:04:05.5Z"),
            ("1704164645123", "2024-01-02T03:04:05.123Z"),
            ("1704164645123.4567899", "2024-01-02T03:04:05.123456789Z"),
            ("1704164645123456", "2024-01-02T03:04:05.123456Z"),
            ("1704164645123456789", "2024-01-02T03:04:05.123456789Z"),
        ] {
            let stamp = whole(text.as_bytes()).map(|stamp| stamp.to_string());
            assert_eq!(stamp.as_deref(), Some(written), "{text}");
        }
        for text in [
            "",
            "1",
            "170416464",
            "1704164645.",
            "1704164645.5x",
            "17041646451",
            "170416464.5",
            "2024-01-02",
            "noon",
            "2024-01-02T03:04:05Zx",
            "2024-01-02 03:04:05 CST",
            "Jan 02 03:04:05 x",
        ] {
            assert_eq!(whole(text.as_bytes()), None, "{text}");
        }
    }
}
