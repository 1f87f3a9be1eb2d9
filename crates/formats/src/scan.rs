//! Byte scanners shared by the engines: stamps, digits, keys, colours. No allocation.

use crate::lanes::{KeyByte, Padding, leading_digits, pairs_like, run_at_end, run_before};
use crate::minute::Minute;
pub(crate) use crate::words::{Places, Signs, begins_with, find, is_word, near, near2, same_word};
use model::{Stamp, StampDate, StampZone, time};

/// Reads `n` digits at `at`.
#[inline]
pub(crate) fn digits(b: &[u8], at: usize, n: usize) -> Option<u32> {
    let mut value = 0u32;
    for &c in b.get(at..at + n)? {
        let d = c.wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        value = value * 10 + u32::from(d);
    }
    Some(value)
}

/// Two digits of a stamp; 100 and more if one of them is none, so that a stamp is checked once and not digit by digit.
#[inline]
pub(crate) fn pair(tens: u8, ones: u8) -> u32 {
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    let fine = (tens <= 9) & (ones <= 9);
    u32::from(tens) * 10 + u32::from(ones) + u32::from(!fine) * 100
}

/// Reads `HH:MM:SS[.f…]` at `at`: nanoseconds of the day, fraction digits, offset after it.
#[inline(always)]
pub(crate) fn clock(b: &[u8], at: usize) -> Option<(u64, u8, usize)> {
    let pairs = pairs_like(b"00:00:00", b.get(at..)?.first_chunk()?)?;
    let [hour, minute, second] = [pairs[0], pairs[3], pairs[6]].map(u32::from);
    if !((hour <= 23) & (minute <= 59) & (second <= 60)) {
        return None;
    }
    let nanos = u64::from((hour * 60 + minute) * 60 + second) * NANOS_PER_SECOND;
    let (fraction, written, end) = fraction(b, at + 8);
    Some((nanos + fraction, written, end))
}

pub(crate) const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Reads the fraction of a second at `end`, if there is one: nanoseconds, its digits, offset after it.
#[inline(always)]
fn fraction(b: &[u8], mut end: usize) -> (u64, u8, usize) {
    const SCALES: [u64; 10] = {
        let mut scales = [NANOS_PER_SECOND; 10];
        let mut digits = 1;
        while digits < 10 {
            scales[digits] = scales[digits - 1] / 10;
            digits += 1;
        }
        scales
    };
    if b.get(end) != Some(&b'.') {
        return (0, 0, end);
    }
    let (mut fraction, count) = leading_digits(&b[end + 1..]);
    if count == 0 {
        return (0, 0, end);
    }
    let mut written = count;
    end += 1 + count;
    if count == 8 {
        while let Some(d) = b.get(end).map(|c| c.wrapping_sub(b'0')).filter(|d| *d <= 9) {
            if written < 9 {
                fraction = fraction * 10 + u64::from(d);
                written += 1;
            }
            end += 1;
        }
    }
    (fraction * SCALES[written], written as u8, end)
}

/// A stamp without year or zone: month, day, and the clock at `at`; the offset after it.
#[inline(always)]
pub(crate) fn month_day_clock(month: u8, day: u32, b: &[u8], at: usize) -> Option<(Stamp, usize)> {
    let fine = (1..=12).contains(&month) && day > 0;
    if !fine || day > u32::from(time::days_in_month(2000, month)) {
        return None;
    }
    let (nanos_of_day, fraction_digits, end) = clock(b, at)?;
    let date = StampDate::NoYear {
        month,
        day: day as u8,
    };
    let stamp = Stamp {
        date,
        nanos_of_day,
        fraction_digits,
        zone: StampZone::None,
    };
    Some((stamp, end))
}

/// Reads `Aug 14 17:31:02` or `Aug-14 17:31:02` with an English month and two digits at the start, as nearly all
/// programs write it: what [`year_less_stamp`] makes of it.
#[inline(always)]
pub(crate) fn english_stamp(line: &[u8]) -> Option<(Stamp, usize)> {
    let start = line.first_chunk()?;
    let minute = Minute::english(start)?;
    let second = pair(start[13], start[14]);
    if start[12] != b':' || second > 60 {
        return None;
    }
    let (fraction, fraction_digits, end) = fraction(line, 15);
    let (month, day) = minute.day;
    let stamp = Stamp {
        date: StampDate::NoYear { month, day },
        nanos_of_day: minute.nanos + u64::from(second) * NANOS_PER_SECOND + fraction,
        fraction_digits,
        zone: StampZone::None,
    };
    Some((stamp, end))
}

/// Reads `YYYY-MM-DD` followed by `separator` and a clock, then `Z` or an offset if one is there.
#[inline]
pub(crate) fn full_stamp(b: &[u8], at: usize) -> Option<(Stamp, usize)> {
    full_stamp_here(b, at)
}

/// The same without a call.
#[inline(always)]
pub(crate) fn full_stamp_here(b: &[u8], at: usize) -> Option<(Stamp, usize)> {
    let start = b.get(at..)?.first_chunk()?;
    let minute = Minute::of(start)?;
    let second = pair(start[17], start[18]);
    if start[16] != b':' || second > 60 {
        return None;
    }
    let (fraction, fraction_digits, mut end) = fraction(b, at + 19);
    let nanos_of_day = minute.nanos + u64::from(second) * NANOS_PER_SECOND + fraction;
    let zone = match b.get(end) {
        Some(b'Z') => {
            end += 1;
            StampZone::Utc
        }
        // As nearly all machines have it.
        Some(b'+') if b[end..].starts_with(b"+00:00") => {
            end += 6;
            StampZone::Offset(0)
        }
        Some(sign @ (b'+' | b'-')) => {
            let colon = usize::from(b.get(end + 3) == Some(&b':'));
            match (digits(b, end + 1, 2), digits(b, end + 3 + colon, 2)) {
                (Some(hours), Some(minutes)) if hours <= 18 && minutes < 60 => {
                    let seconds = (hours * 3600 + minutes * 60) as i32;
                    let east = if *sign == b'-' { -seconds } else { seconds };
                    end += 5 + colon;
                    StampZone::Offset(east)
                }
                _ => StampZone::None,
            }
        }
        _ => StampZone::None,
    };
    Some((
        Stamp {
            date: StampDate::Full(minute.day),
            nanos_of_day,
            fraction_digits,
            zone,
        },
        end,
    ))
}

/// Month names as `strftime("%b")` writes them, in the languages journals have been seen or are
/// likely in; lower case, without a closing dot.
const MONTHS: [&[&str]; 12] = [
    &[
        "jan", "janv", "ene", "gen", "sty", "led", "tammi", "oca", "янв", "ian", "1月",
    ],
    &[
        "feb", "fév", "févr", "fev", "lut", "úno", "helmi", "şub", "фев", "febr", "2月",
    ],
    &[
        "mar", "mars", "märz", "mrz", "mär", "mrt", "maalis", "bře", "мар", "márc", "3月",
    ],
    &[
        "apr", "avr", "abr", "kwi", "dub", "huhti", "nis", "апр", "ápr", "avril", "4月",
    ],
    &[
        "may", "mai", "mei", "maj", "mag", "kvě", "touko", "мая", "май", "máj", "5月",
    ],
    &[
        "jun", "juni", "juin", "giu", "cze", "čen", "kesä", "haz", "июн", "jún", "iun", "6月",
    ],
    &[
        "jul", "juli", "juil", "lug", "lip", "čec", "heinä", "tem", "июл", "júl", "iul", "7月",
    ],
    &[
        "aug", "août", "ago", "sie", "srp", "elo", "ağu", "авг", "8月",
    ],
    &[
        "sep", "sept", "set", "wrz", "zář", "syys", "eyl", "сен", "сент", "szept", "9月",
    ],
    &[
        "oct", "okt", "ott", "out", "paź", "říj", "loka", "eki", "окт", "10月",
    ],
    &["nov", "lis", "marras", "kas", "ноя", "нояб", "noi", "11月"],
    &[
        "dec", "déc", "dez", "dic", "gru", "pro", "joulu", "ara", "дек", "des", "12月",
    ],
];

/// Reads an English month as programs write it: 1 to 12.
#[inline]
pub(crate) fn english_month(word: &[u8]) -> Option<u8> {
    // As numbers: matching byte strings calls a comparison for each of them.
    const fn number(month: &[u8; 3]) -> u32 {
        u32::from_be_bytes([0, month[0], month[1], month[2]])
    }
    // A place of its own for each.
    const fn place(month: u32) -> usize {
        (month.wrapping_mul(222) >> 8) as usize % 16
    }
    const MONTHS: [(u32, u8); 16] = {
        let names = [
            b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
            b"Dec",
        ];
        let mut months = [(0, 0); 16];
        let mut month = 0;
        while month < 12 {
            let name = number(names[month]);
            assert!(months[place(name)].1 == 0, "two months share a place");
            months[place(name)] = (name, month as u8 + 1);
            month += 1;
        }
        months
    };
    let word = number(word.try_into().ok()?);
    let (name, month) = MONTHS[place(word)];
    (name == word && month > 0).then_some(month)
}

/// Reads a month name: 1 to 12. ASCII letters may be upper case; a closing dot is allowed.
pub(crate) fn month_name(word: &[u8]) -> Option<u8> {
    if let Some(month) = english_month(word) {
        return Some(month);
    }
    let word = word.strip_suffix(b".").unwrap_or(word);
    if word.is_empty() || word.len() > 12 {
        return None;
    }
    MONTHS
        .iter()
        .position(|names| {
            names
                .iter()
                .any(|name| name.as_bytes().eq_ignore_ascii_case(word))
        })
        .map(|index| index as u8 + 1)
}

/// Reads `Mon DD HH:MM:SS[.f…]` (day padded with a zero or a blank) at the start: a stamp without
/// year, and the offset after it.
pub(crate) fn year_less_stamp(b: &[u8]) -> Option<(Stamp, usize)> {
    let first = *b.first()?;
    if !(first.is_ascii_alphabetic() || first >= 0x80 || first.is_ascii_digit()) {
        return None;
    }
    let blank = b.iter().take(14).position(|c| *c == b' ')?;
    let mut at = blank + 1;
    if b.get(at) == Some(&b' ') {
        at += 1;
    }
    let mut day = u32::from(b.get(at)?.wrapping_sub(b'0'));
    if day > 9 {
        return None;
    }
    at += 1;
    if b.get(at)?.is_ascii_digit() {
        day = day * 10 + u32::from(b[at] - b'0');
        at += 1;
    }
    // The month last, since names of months are many.
    if b.get(at) != Some(&b' ') || b.get(at + 3) != Some(&b':') || b.get(at + 6) != Some(&b':') {
        return None;
    }
    month_day_clock(month_name(&b[..blank])?, day, b, at + 1)
}

/// Reads a count since 1970 in seconds, milli-, micro- or nanoseconds, told apart by its digits, with a
/// fraction or without.
pub(crate) fn epoch_stamp(b: &[u8]) -> Option<Stamp> {
    let dot = b.iter().take(20).position(|c| *c == b'.');
    let whole = dot.unwrap_or(b.len());
    let power = match whole {
        9 | 10 => 0,
        13 => 3,
        16 => 6,
        19 => 9,
        _ => return None,
    };
    let mut count = 0u64;
    for c in &b[..whole] {
        let digit = c.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        count = count.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    let unit = 10u64.pow(power);
    let seconds = count / unit;
    let mut nanos = (count % unit) * 10u64.pow(9 - power);
    let mut written = power;
    if let Some(dot) = dot {
        let fraction = &b[dot + 1..];
        if fraction.is_empty() || !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        for c in fraction.iter().take(9 - power as usize) {
            written += 1;
            nanos += u64::from(c - b'0') * 10u64.pow(9 - written);
        }
    }
    Some(Stamp {
        date: StampDate::Full(i32::try_from(seconds / 86_400).ok()?),
        nanos_of_day: seconds % 86_400 * 1_000_000_000 + nanos,
        fraction_digits: written as u8,
        zone: StampZone::Utc,
    })
}

/// Reads `Jan 2, 2024 @ 03:04:05.123`, as Kibana shows times: in the browser's zone, which isn't written.
pub(crate) fn kibana_stamp(b: &[u8]) -> Option<Stamp> {
    let blank = b.iter().take(14).position(|c| *c == b' ')?;
    let month = month_name(&b[..blank])?;
    let comma = b.iter().take(24).position(|c| *c == b',')?;
    let day = match comma.checked_sub(blank + 1)? {
        width @ (1 | 2) => digits(b, blank + 1, width)? as u8,
        _ => return None,
    };
    if b.get(comma + 1) != Some(&b' ') {
        return None;
    }
    let year = digits(b, comma + 2, 4)? as i32;
    if day == 0 || day > time::days_in_month(year, month) || b.get(comma + 6..comma + 9)? != b" @ "
    {
        return None;
    }
    let (nanos_of_day, fraction_digits, end) = clock(b, comma + 9)?;
    (end == b.len()).then_some(Stamp {
        date: StampDate::Full(time::days_from_civil(year, month, day)),
        nanos_of_day,
        fraction_digits,
        zone: StampZone::None,
    })
}

/// Whether a byte may stand in a key.
#[inline]
pub(crate) fn is_key_byte(c: u8) -> bool {
    const TABLE: [bool; 256] = {
        let mut table = [false; 256];
        let mut c = 0;
        while c < 256 {
            let b = c as u8;
            table[c] = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-');
            c += 1;
        }
        table
    };
    TABLE[c as usize]
}

/// The longest key that is looked for: bounds every look back and ahead, so scanning stays linear.
pub(crate) const KEY_MAX: usize = 64;

/// The start of the key that ends before the `=` at `equals`, if it is one: a letter first, and a
/// blank, line feed or `from` before it.
#[inline]
pub(crate) fn key_before(b: &[u8], from: usize, equals: usize) -> Option<usize> {
    let room = equals.saturating_sub(from).min(KEY_MAX);
    let start = equals - run_before::<KeyByte>(b, equals, room);
    if start == equals || !b[start].is_ascii_alphabetic() {
        return None;
    }
    (start == from || matches!(b[start - 1], b' ' | b'\n')).then_some(start)
}

/// Trims blanks and tabs at the end.
#[inline]
pub(crate) fn trim_end(b: &[u8]) -> &[u8] {
    match b {
        [before @ .., b' ' | b'\t'] => match before {
            // Messages are padded to columns.
            [.., b' ' | b'\t'] => &before[..before.len() - run_at_end::<Padding>(before)],
            _ => before,
        },
        _ => b,
    }
}

/// The first word and what follows it.
#[inline]
pub(crate) fn first_word(b: &[u8]) -> &[u8] {
    let end = near(b' ', b).unwrap_or(b.len());
    &b[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_all_kinds() {
        let (stamp, end) = full_stamp(b"2020-08-14 17:31:02]", 0).unwrap();
        assert_eq!(
            (stamp.to_string().as_str(), end),
            ("2020-08-14T17:31:02", 19)
        );
        let (stamp, _) = full_stamp(b"2022-08-30T10:37:17.99102197Z", 0).unwrap();
        assert_eq!(stamp.to_string(), "2022-08-30T10:37:17.99102197Z");
        let (stamp, _) = full_stamp(b"2022-08-30T10:37:17+0200", 0).unwrap();
        assert_eq!(stamp.to_string(), "2022-08-30T10:37:17+02:00");
        assert!(full_stamp(b"2021-02-29 00:00:00", 0).is_none());
        assert!(full_stamp(b"2021-02-28 24:00:00", 0).is_none());
        assert!(full_stamp(&[0; 19], 0).is_none() && full_stamp(&[0xff; 19], 0).is_none());
        for (text, written) in [
            ("Aug 14 10:52:08 host", "--08-14T10:52:08"),
            ("ago 14 10:52:08 host", "--08-14T10:52:08"),
            ("syys 01 10:52:08 host", "--09-01T10:52:08"),
            ("nov. 30 10:52:08.123456 host", "--11-30T10:52:08.123456"),
            ("août 14 10:52:08 host", "--08-14T10:52:08"),
            ("May  4 10:52:08 host", "--05-04T10:52:08"),
        ] {
            assert_eq!(
                year_less_stamp(text.as_bytes()).unwrap().0.to_string(),
                written
            );
        }
        assert!(year_less_stamp(b"Foo 14 10:52:08 x").is_none());
        let months = MONTHS.map(|names| {
            let name = names[0].as_bytes();
            [name[0].to_ascii_uppercase(), name[1], name[2]]
        });
        for (name, month) in months.iter().zip(1..) {
            assert_eq!(english_month(name), Some(month), "{}", name.escape_ascii());
            for at in 0..3 {
                let mut other = *name;
                other[at] ^= 0x20;
                assert_eq!(english_month(&other), None, "{}", other.escape_ascii());
            }
        }
        assert!(english_month(b"\0\0\0").is_none() && english_month(b"").is_none());
        for (text, written) in [
            ("1704164645", "2024-01-02T03:04:05Z"),
            ("1704164645.123456", "2024-01-02T03:04:05.123456Z"),
            ("1704164645123", "2024-01-02T03:04:05.123Z"),
            ("1704164645123456789", "2024-01-02T03:04:05.123456789Z"),
        ] {
            let stamp = epoch_stamp(text.as_bytes()).unwrap();
            assert_eq!(stamp.to_string(), written);
        }
        let kibana = kibana_stamp(b"Jan 2, 2024 @ 03:04:05.123").unwrap();
        assert_eq!(kibana.to_string(), "2024-01-02T03:04:05.123");
        assert!(kibana_stamp(b"Jan 32, 2024 @ 03:04:05.123").is_none());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None,
            ..Default::default()
        })]

        /// A stamp is the same whatever was read before, also one that differs from it in a byte.
        #[test]
        fn a_stamp_is_its_own(
            changes in proptest::collection::vec(
                (0usize..27, proptest::sample::select(b"0123456789 T:-.,Z+/;\0\xff".to_vec())),
                0..40,
            ),
        ) {
            let mut text = b"2023-05-12T17:31:02.123456Z".to_vec();
            for (at, byte) in changes {
                let kept = std::mem::replace(&mut text[at], byte);
                let stamp = full_stamp(&text, 0);
                let alone = std::thread::scope(|scope| scope.spawn(|| full_stamp(&text, 0)).join());
                proptest::prop_assert_eq!(stamp, alone.unwrap(), "{}", text.escape_ascii());
                if stamp.is_none() {
                    text[at] = kept;
                }
            }
        }

        /// The same of one with an English month, which is read as any other without a year.
        #[test]
        fn so_is_an_english_one(
            changes in proptest::collection::vec(
                (0usize..19, proptest::sample::select(b"0123456789 :-.JanFebDc/;\0\xff".to_vec())),
                0..40,
            ),
        ) {
            let mut text = b"Feb 12 17:31:02.123 x".to_vec();
            for (at, byte) in changes {
                let kept = std::mem::replace(&mut text[at], byte);
                let stamp = english_stamp(&text);
                let mut plain = text.clone();
                plain[3] = if text[3] == b'-' { b' ' } else { text[3] };
                let alone = year_less_stamp(&plain).filter(|_| text[4..6].iter().all(u8::is_ascii_digit));
                proptest::prop_assert_eq!(stamp, alone, "{}", text.escape_ascii());
                if stamp.is_none() {
                    text[at] = kept;
                }
            }
        }
    }
}
