//! Conversions from printed text to numbers with a unit.

use crate::lanes::{
    Class, Digit, Lane, OfNumber, Truths, leading_digits, position, run, run_at_end, short_number,
};
use crate::scan::near;
use model::ObsValue;

/// What a conversion makes of the printed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Convert {
    Int,
    /// `18,160,015`: a whole number with its thousands apart.
    Grouped,
    Float,
    /// The same, its sign turned.
    FloatTurned,
    Bool,
    Text,
    /// `4h0m0.3s` (or bare nanoseconds, as JSON writes durations) → seconds.
    GoDuration,
    /// The same → whole microseconds.
    GoDurationMicros,
    /// The same, its sign turned: where a line tells the other clock minus its own.
    GoDurationTurned,
    /// Nanoseconds → seconds.
    NanosToSeconds,
    /// Microseconds → seconds, the sign turned.
    MicrosToSecondsTurned,
    /// A Roughtime server's bound → microseconds: in seconds if it is below 10,000, since no bound of
    /// one protocol is as small as 10 ms and none of the other as large as hours.
    Radius,
    /// `100%` → 1.0.
    Percent,
    /// Go's `time.Time` as `%v` prints it → microseconds since 1970 UTC.
    GoTime,
    /// Unix seconds → microseconds.
    UnixSeconds,
    /// Unix milliseconds → microseconds.
    UnixMillis,
    /// A Go time, or unix seconds, milliseconds or microseconds told apart by their size (each covers
    /// 1973 to 5138) → microseconds. Text may follow.
    AnyTime,
    /// `true`, `false`, `95%` → 1.0, 0.0, 0.95.
    Rate,
    /// The first line of a text of several.
    FirstLine,
    /// `[1 2 3]` or JSON list → 3.
    ListLength,
    /// Text without the outer quotes Rust's Debug prints.
    Unquote,
    /// The last whole number in the text, for example of `L1BatchNumber(12)`.
    LastInt,
    /// The text up to the first blank or comma.
    FirstWord,
    /// A list written with commas → how many.
    CommaCount,
    /// Nimbus: `ae4da237:393820` is a block (root, slot), `12304:c605dba8` a checkpoint (epoch, root).
    IdRoot,
    BlockSlot,
    CheckpointEpoch,
    /// The first whole number in the text, for example of `409611 slots (8 weeks 0 days)`.
    FirstInt,
    /// The number the text begins with, for example of `7.03 slots/sec`.
    FirstFloat,
    /// Milliseconds → seconds.
    MillisToSeconds,
    /// Text up to a blank, a comma or a closing bracket: `0x12ab` of `0x12ab)`.
    Token,
    /// The text before its last colon: the root of a checkpoint `0x12…ab:7`.
    BeforeColon,
}

/// Names of the conversions as definitions write them.
pub(crate) const NAMES: &[(&str, Convert)] = &[
    ("int", Convert::Int),
    ("grouped", Convert::Grouped),
    ("float", Convert::Float),
    ("float_turned", Convert::FloatTurned),
    ("bool", Convert::Bool),
    ("text", Convert::Text),
    ("go_duration", Convert::GoDuration),
    ("go_duration_turned", Convert::GoDurationTurned),
    ("go_duration_us", Convert::GoDurationMicros),
    ("any_time", Convert::AnyTime),
    ("rate", Convert::Rate),
    ("first_line", Convert::FirstLine),
    ("ns_to_s", Convert::NanosToSeconds),
    ("us_to_s_turned", Convert::MicrosToSecondsTurned),
    ("radius_us", Convert::Radius),
    ("percent", Convert::Percent),
    ("go_time", Convert::GoTime),
    ("unix_s", Convert::UnixSeconds),
    ("unix_ms", Convert::UnixMillis),
    ("list_length", Convert::ListLength),
    ("unquote", Convert::Unquote),
    ("last_int", Convert::LastInt),
    ("first_word", Convert::FirstWord),
    ("comma_count", Convert::CommaCount),
    ("id_root", Convert::IdRoot),
    ("block_slot", Convert::BlockSlot),
    ("checkpoint_epoch", Convert::CheckpointEpoch),
    ("first_int", Convert::FirstInt),
    ("first_float", Convert::FirstFloat),
    ("ms_to_s", Convert::MillisToSeconds),
    ("token", Convert::Token),
    ("before_colon", Convert::BeforeColon),
];

impl Convert {
    /// Converts; `None` if the text is not what the conversion reads.
    pub(crate) fn apply(self, text: &[u8]) -> Option<ObsValue<'_>> {
        let mut value = None;
        self.put(text, &mut value);
        value
    }

    /// The same, put where no value is yet. It is written there at once: handed back, it would be copied as a
    /// whole right after its parts were written, which processors wait for.
    #[inline(always)]
    pub(crate) fn put<'a>(self, text: &'a [u8], value: &mut Option<ObsValue<'a>>) {
        if let (Convert::Int, Some(number)) = (self, short_number(text)) {
            *value = Some(ObsValue::I64(number as i64));
            return;
        }
        // Most often there is nothing to trim, which two bytes tell.
        let is_blank = |c: Option<&u8>| c.is_none_or(|c| *c <= b' ');
        let trimmed = match is_blank(text.first()) || is_blank(text.last()) {
            false => text,
            true => text.trim_ascii(),
        };
        match self {
            Convert::Text => {
                if !trimmed.is_empty() {
                    *value = Some(ObsValue::Text(trimmed));
                }
            }
            _ => self.put_other(trimmed, value),
        }
    }

    /// Those that are rarer, or take longer than a call.
    #[inline(never)]
    fn put_other<'a>(self, trimmed: &'a [u8], value: &mut Option<ObsValue<'a>>) {
        *value = self.other(trimmed);
    }

    #[inline(always)]
    fn other(self, trimmed: &[u8]) -> Option<ObsValue<'_>> {
        match self {
            Convert::Text => None,
            Convert::Int => int(trimmed).map(ObsValue::I64),
            Convert::Grouped => grouped(trimmed).map(ObsValue::I64),
            Convert::Float => float(trimmed).map(ObsValue::F64),
            Convert::FloatTurned => float(trimmed).map(|number| ObsValue::F64(0.0 - number)),
            Convert::Bool => match trimmed {
                b"true" => Some(ObsValue::Bool(true)),
                b"false" => Some(ObsValue::Bool(false)),
                _ => None,
            },
            Convert::GoDuration => go_duration_s(trimmed).map(ObsValue::F64),
            Convert::GoDurationTurned => {
                go_duration_s(trimmed).map(|seconds| ObsValue::F64(0.0 - seconds))
            }
            Convert::GoDurationMicros => {
                go_duration_s(trimmed).map(|seconds| ObsValue::I64((seconds * 1e6).round() as i64))
            }
            Convert::AnyTime => any_time_us(trimmed).map(ObsValue::I64),
            Convert::Rate => match trimmed {
                b"true" => Some(ObsValue::F64(1.0)),
                b"false" => Some(ObsValue::F64(0.0)),
                _ => Convert::Percent.apply(trimmed.strip_suffix(b"%").map(|_| trimmed)?),
            },
            Convert::FirstLine => text_before(trimmed, |lane| lane.is(b'\n')),
            Convert::NanosToSeconds => int(trimmed).map(|ns| ObsValue::F64(ns as f64 / 1e9)),
            Convert::MicrosToSecondsTurned => {
                int(trimmed).map(|us| ObsValue::F64(0.0 - us as f64 / 1e6))
            }
            Convert::Radius => match int(trimmed)? {
                seconds @ 0..10_000 => Some(ObsValue::I64(seconds * 1_000_000)),
                us => Some(ObsValue::I64(us)),
            },
            Convert::Percent => {
                let number = trimmed.strip_suffix(b"%").unwrap_or(trimmed);
                float(number).map(|value| ObsValue::F64(value / 100.0))
            }
            Convert::GoTime => go_time_us(trimmed).map(ObsValue::I64),
            Convert::UnixSeconds => int(trimmed)?.checked_mul(1_000_000).map(ObsValue::I64),
            Convert::UnixMillis => int(trimmed)?.checked_mul(1_000).map(ObsValue::I64),
            Convert::ListLength => list_length(trimmed).map(ObsValue::I64),
            Convert::Unquote => {
                let inner = trimmed.strip_prefix(b"\"").unwrap_or(trimmed);
                let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
                (!inner.is_empty()).then_some(ObsValue::Text(inner))
            }
            Convert::LastInt => {
                let end = trimmed.iter().rposition(u8::is_ascii_digit)? + 1;
                let start = end - run_at_end::<Digit>(&trimmed[..end]);
                int(&trimmed[start..end]).map(ObsValue::I64)
            }
            Convert::FirstWord => {
                let ends = |lane: Lane| lane.is(b' ').or(lane.is(b',')).or(lane.is(b'\n'));
                text_before(trimmed, ends)
            }
            Convert::CommaCount => (!trimmed.is_empty())
                .then(|| ObsValue::I64(memchr::memchr_iter(b',', trimmed).count() as i64 + 1)),
            Convert::BeforeColon => memchr::memrchr(b':', trimmed)
                .filter(|colon| *colon > 0)
                .map(|colon| ObsValue::Text(&trimmed[..colon])),
            Convert::IdRoot => id(trimmed).map(|id| ObsValue::Text(id.root)),
            Convert::BlockSlot => id(trimmed)
                .filter(|id| id.root_first)
                .and_then(|id| int(id.number))
                .map(ObsValue::I64),
            Convert::CheckpointEpoch => id(trimmed)
                .filter(|id| !id.root_first)
                .and_then(|id| int(id.number))
                .map(ObsValue::I64),
            Convert::FirstInt => {
                let digits = &trimmed[position(trimmed, Digit::truths)?..];
                int(&digits[..run::<Digit>(digits)]).map(ObsValue::I64)
            }
            Convert::FirstFloat => float(&trimmed[..run::<OfNumber>(trimmed)]).map(ObsValue::F64),
            Convert::Token => {
                // The square bracket and the brace differ in the bit that makes letters lower.
                let close = |lane: Lane| lane.is(b')').or(lane.lowered().is(b'}'));
                let ends = |lane: Lane| lane.is(b' ').or(lane.is(b',')).or(lane.is(b'\n'));
                text_before(trimmed, |lane| close(lane).or(ends(lane)))
            }
            Convert::MillisToSeconds => float(trimmed).map(|ms| ObsValue::F64(ms / 1e3)),
        }
    }
}

/// The text before the first of some bytes, if there is any.
fn text_before(text: &[u8], ends: impl Fn(Lane) -> Truths) -> Option<ObsValue<'_>> {
    let end = position(text, ends).unwrap_or(text.len());
    (end > 0).then(|| ObsValue::Text(&text[..end]))
}

/// Reads a whole number; `None` on overflow, so that 18446744073709551615 (not included) is null.
#[inline(always)]
pub(crate) fn int(text: &[u8]) -> Option<i64> {
    match short_number(text) {
        Some(number) => Some(number as i64),
        None => long_int(text),
    }
}

#[inline(never)]
fn long_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    // As many digits fit whatever they are.
    if digits.len() <= 8 {
        let (value, count) = leading_digits(digits);
        let value = value as i64;
        return (count == digits.len()).then_some(if negative { -value } else { value });
    }
    if digits.len() <= 16 {
        let (above, eight) = digits.split_at(digits.len().saturating_sub(8));
        let (high, high_count) = leading_digits(above);
        let (low, low_count) = leading_digits(eight);
        let value = (high * 100_000_000 + low) as i64;
        let fine = high_count == above.len() && low_count == eight.len();
        return fine.then_some(if negative { -value } else { value });
    }
    let mut value = 0i64;
    for c in digits {
        if !c.is_ascii_digit() {
            return None;
        }
        let digit = i64::from(c - b'0');
        value = value.checked_mul(10)?;
        value = if negative {
            value.checked_sub(digit)?
        } else {
            value.checked_add(digit)?
        };
    }
    Some(value)
}

/// Reads `18,160,015`: three digits stand after each comma.
fn grouped(text: &[u8]) -> Option<i64> {
    let mut groups = text.split(|c| *c == b',');
    let mut value = int(groups.next()?)?;
    for group in groups {
        if group.len() != 3 || !group.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let sign = if text[0] == b'-' { -1 } else { 1 };
        value = value.checked_mul(1000)?.checked_add(sign * int(group)?)?;
    }
    Some(value)
}

fn float(text: &[u8]) -> Option<f64> {
    if let Some(value) = short_float(text) {
        return Some(value);
    }
    if !text.first()?.is_ascii_digit() && !matches!(text[0], b'-' | b'+' | b'.') {
        return None; // not `NaN`, not `inf`
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    value.is_finite().then_some(value)
}

/// Reads `64`, `12.34`: up to seven digits before a dot and behind it. Both numbers that are divided are exact
/// then, so the quotient is the float next to what is written, as any reader gives it.
fn short_float(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; 8] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
    let (whole, count) = leading_digits(text);
    if !(1..8).contains(&count) {
        return None;
    }
    let Some(behind) = text[count..].strip_prefix(b".") else {
        return (count == text.len()).then_some(whole as f64);
    };
    let (fraction, digits) = leading_digits(behind);
    let fine = (1..8).contains(&digits) && digits == behind.len();
    fine.then(|| (whole * 10u64.pow(digits as u32) + fraction) as f64 / POWERS[digits])
}

/// A block or checkpoint as Nimbus prints it.
struct Id<'a> {
    root: &'a [u8],
    number: &'a [u8],
    root_first: bool,
}

/// Roots are cut to 8 digits; no epoch has as many.
fn id(text: &[u8]) -> Option<Id<'_>> {
    let colon = near(b':', text)?;
    let (first, second) = (&text[..colon], &text[colon + 1..]);
    let second = &second[..near(b':', second).unwrap_or(second.len())];
    let root_first = first.len() == 8;
    let (root, number) = if root_first {
        (first, second)
    } else {
        (second, first)
    };
    let is_hex = |root: &[u8]| root.iter().fold(true, |all, c| all & c.is_ascii_hexdigit());
    (root.len() == 8 && is_hex(root)).then_some(Id {
        root,
        number,
        root_first,
    })
}

/// Reads Go's `time.Duration` as it prints itself: `-1h2m3.5s`, `12.5ms`, `581ns`, `0s`, and Nim's, which
/// has days and weeks as well: `1w6d9h53m24s944us774ns`. Bare digits are nanoseconds: logrus' JSON writes durations so.
pub(crate) fn go_duration_s(text: &[u8]) -> Option<f64> {
    if let Some(ns) = int(text) {
        return Some(ns as f64 / 1e9);
    }
    let (sign, mut rest) = match text.first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    // Whole nanoseconds keep the result exact; floats would add up errors of the parts.
    let mut nanos = 0i128;
    while !rest.is_empty() {
        let whole = rest.iter().take_while(|c| c.is_ascii_digit()).count();
        let mut value = 0i128;
        for c in &rest[..whole] {
            value = value.checked_mul(10)?.checked_add(i128::from(c - b'0'))?;
        }
        rest = &rest[whole..];
        let mut fraction: &[u8] = b"";
        if rest.first() == Some(&b'.') {
            let length = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
            fraction = &rest[1..1 + length];
            rest = &rest[1 + length..];
        }
        if whole == 0 && fraction.is_empty() {
            return None;
        }
        let (unit, length) = if rest.starts_with(b"ns") {
            (1, 2)
        } else if rest.starts_with(b"us") {
            (1_000, 2)
        } else if rest.starts_with("µs".as_bytes()) || rest.starts_with("μs".as_bytes()) {
            (1_000, 3)
        } else if rest.starts_with(b"ms") {
            (1_000_000, 2)
        } else if rest.starts_with(b"s") {
            (1_000_000_000, 1)
        } else if rest.starts_with(b"m") {
            (60_000_000_000, 1)
        } else if rest.starts_with(b"h") {
            (3_600_000_000_000, 1)
        } else if rest.starts_with(b"d") {
            (86_400_000_000_000, 1)
        } else if rest.starts_with(b"w") {
            (604_800_000_000_000, 1)
        } else {
            return None;
        };
        rest = &rest[length..];
        nanos = nanos.checked_add(value.checked_mul(unit)?)?;
        let mut scale = unit;
        for c in fraction {
            scale /= 10;
            nanos += i128::from(c - b'0') * scale;
        }
    }
    Some(sign * (nanos as f64 / 1e9))
}

/// Reads Go's `time.Time` as `%v` prints it: `2020-07-28 06:37:10.5 +0000 UTC m=+65.1`.
pub(crate) fn go_time_us(text: &[u8]) -> Option<i64> {
    let (stamp, end) = crate::scan::full_stamp(text, 0)?;
    if let Some(us) = stamp.utc_us() {
        return Some(us);
    }
    let zone = text.get(end..)?.trim_ascii_start();
    if zone == b"GMT" || zone == b"UTC" {
        return stamp.civil_us();
    }
    if zone.starts_with(b"UTC") || zone.starts_with(b"GMT") {
        return stamp.civil_us();
    }
    let zone = &zone[..zone.len().min(5)];
    let seconds = model::time::parse_offset(std::str::from_utf8(zone).ok()?)?;
    Some(stamp.civil_us()? - i64::from(seconds) * 1_000_000)
}

/// Reads a time however it is printed; whatever follows it is left alone.
fn any_time_us(text: &[u8]) -> Option<i64> {
    if let Some(us) = go_time_us(text) {
        return Some(us);
    }
    if text
        .first()
        .is_some_and(|c| *c == b'"' || c.is_ascii_alphabetic())
    {
        return month_first_us(text);
    }
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let number = int(&text[..digits])?;
    match number {
        100_000_000..100_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(number),
        _ => None,
    }
}

/// Reads `Aug 14 2020 17:31:02 UTC`, quoted or not, with `UTC` or an offset.
fn month_first_us(text: &[u8]) -> Option<i64> {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let text = text.strip_suffix(b"\"").unwrap_or(text);
    let mut words = text.split(|c| *c == b' ').filter(|word| !word.is_empty());
    let month = crate::scan::month_name(words.next()?)?;
    let day = int(words.next()?)?;
    let year = i32::try_from(int(words.next()?)?).ok()?;
    let (nanos_of_day, _, _) = crate::scan::clock(words.next()?, 0)?;
    let zone = words.next()?;
    let east = match zone {
        b"UTC" | b"GMT" | b"Z" => 0,
        _ => model::time::parse_offset(std::str::from_utf8(zone).ok()?)?,
    };
    if !(1..=9999).contains(&year)
        || day < 1
        || day > i64::from(model::time::days_in_month(year, month))
    {
        return None;
    }
    let days = model::time::days_from_civil(year, month, day as u8);
    let seconds = i64::from(days) * 86_400 - i64::from(east);
    Some(seconds * 1_000_000 + (nanos_of_day / 1_000) as i64)
}

fn list_length(text: &[u8]) -> Option<i64> {
    let inner = text.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    if inner.is_empty() {
        return Some(0);
    }
    let count = inner
        .split(|c| matches!(c, b' ' | b','))
        .filter(|part| !part.is_empty())
        .count();
    Some(count as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_of_go() {
        for (text, seconds) in [
            ("4h0m0.317286608s", Some(14400.317286608)),
            ("4h0m0.1s", Some(14400.1)),
            ("-3.5s", Some(-3.5)),
            ("577.13571ms", Some(0.57713571)),
            ("581ns", Some(5.81e-7)),
            ("2.5µs", Some(2.5e-6)),
            ("0s", Some(0.0)),
            ("1s32ms56us819ns", Some(1.032056819)),
            ("-1d1w", Some(-691_200.0)),
            ("1495187990", Some(1.49518799)),
            ("4h0", None),
            ("", None),
            (".", None),
            ("abc", None),
        ] {
            assert_eq!(go_duration_s(text.as_bytes()), seconds, "{text}");
        }
    }

    #[test]
    fn times_of_go() {
        let us = model::time::parse_utc("2020-07-28T06:37:10Z");
        for text in [
            "2020-07-28 06:37:10 +0000 UTC",
            "2020-07-28 08:37:10 +0200 CEST m=+65742.9",
            "2020-07-28 03:37:10 -0300 -03",
        ] {
            assert_eq!(go_time_us(text.as_bytes()), us, "{text}");
        }
        assert_eq!(go_time_us(b"2020-07-28 06:37:10"), None);
        for text in [
            "1595918230",
            "1595918230000",
            "1595918230000000",
            "1595918230: x",
        ] {
            assert_eq!(any_time_us(text.as_bytes()), us, "{text}");
        }
        assert_eq!(any_time_us(b"2358"), None);
    }

    #[test]
    fn numbers_are_checked() {
        assert_eq!(int(b"18446744073709551615"), None);
        assert_eq!(int(b"-9223372036854775808"), Some(i64::MIN));
        for (text, number) in [
            ("18,160,015", Some(18_160_015)),
            ("18160015", Some(18_160_015)),
            ("-1,000", Some(-1000)),
            ("1,00", None),
            ("1,,000", None),
            (",000", None),
            ("9,223,372,036,854,775,808", None),
        ] {
            assert_eq!(grouped(text.as_bytes()), number, "{text}");
        }
        for text in [
            "0",
            "7",
            "0.1",
            "12.34",
            "1234567.7654321",
            "00.10",
            "1234567.0",
            "99.99",
        ] {
            assert_eq!(short_float(text.as_bytes()), text.parse().ok(), "{text}");
            assert_eq!(float(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "12345678",
            "1.12345678",
            "1e5",
            "-1.5",
            "1.5x",
            "x",
        ] {
            assert_eq!(short_float(text.as_bytes()), None, "{text}");
        }
        for text in [
            "12345678901234567",
            "1234567890123456",
            "123456789",
            "12345678",
            "99999999",
        ] {
            assert_eq!(int(text.as_bytes()), text.parse().ok(), "{text}");
        }
        assert_eq!(int(b"12345678 0"), None);
        assert_eq!(int(b"1234567x90123456"), None);
        assert_eq!(Convert::Percent.apply(b"NaN%"), None);
        assert_eq!(Convert::Percent.apply(b"95%"), Some(ObsValue::F64(0.95)));
        assert_eq!(
            Convert::ListLength.apply(b"[20 2 37 51]"),
            Some(ObsValue::I64(4))
        );
        assert_eq!(Convert::ListLength.apply(b"[]"), Some(ObsValue::I64(0)));
        assert_eq!(
            Convert::LastInt.apply(b"L1BatchNumber(12)"),
            Some(ObsValue::I64(12))
        );
        assert_eq!(
            Convert::FirstInt.apply(b"48068 slots (7 days 16 hrs)"),
            Some(ObsValue::I64(48068))
        );
        assert_eq!(
            Convert::FirstFloat.apply(b"9.33 slots/sec"),
            Some(ObsValue::F64(9.33))
        );
        assert_eq!(Convert::FirstFloat.apply(b"--"), None);
        assert_eq!(
            Convert::MillisToSeconds.apply(b"4381"),
            Some(ObsValue::F64(4.381))
        );
    }
}
