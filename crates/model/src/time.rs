//! Time as everyone here keeps it: microseconds since 1970-01-01T00:00:00 UTC in an `i64`.
//!
//! Civil microseconds are the same count for a wall clock whose zone is not (yet) known.
//! The two ends of the range are PostgreSQL's `infinity` and `-infinity`, which are no date.

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Returns days since 1970-01-01 of a proleptic Gregorian date.
///
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`, with the month's first day as
/// in Neri and Schneider, "Euclidean affine functions and their application to calendar algorithms".
#[inline]
pub fn days_from_civil(year: i32, month: u8, day: u8) -> i32 {
    // So many eras of 400 years later no year is negative, so that dividing is multiplying; what is beyond a `u32` comes
    // back when they are taken off.
    const ERAS: u32 = 14_700;
    let (march_year, march_month) = if month <= 2 {
        (year.wrapping_sub(1), u32::from(month) + 12)
    } else {
        (year, u32::from(month))
    };
    let y = (march_year as u32).wrapping_add(400 * ERAS);
    let century = y / 100;
    let leap_days = y / 4 - century + century / 4;
    let first_day = (979 * march_month - 2919) >> 5;
    let days = (y.wrapping_mul(365))
        .wrapping_add(leap_days + first_day + u32::from(day))
        .wrapping_sub(146_097u32.wrapping_mul(ERAS));
    days as i32 - 719_469
}

/// Whether a time of a database is one at which something may have happened: its infinities are kept as the two ends of
/// the range.
pub const fn is_finite(us: i64) -> bool {
    us != i64::MIN && us != i64::MAX
}

/// Returns `(year, month, day)` of days since 1970-01-01: the inverse of [`days_from_civil`].
pub fn civil_from_days(days: i32) -> (i32, u8, u8) {
    let z = i64::from(days) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u8;
    let month = if mp < 10 { mp + 3 } else { mp - 9 } as u8;
    let year = yoe + era * 400 + i64::from(month <= 2);
    (year as i32, month, day)
}

/// Returns the number of days in a month; 0 for a month that is none.
#[inline]
pub fn days_in_month(year: i32, month: u8) -> u8 {
    const DAYS: [u8; 16] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];
    match DAYS.get(usize::from(month)) {
        Some(28) if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        days => days.copied().unwrap_or(0),
    }
}

/// Returns the word for a time that is no date: `infinity` or `-infinity`.
pub fn infinity(us: i64) -> Option<&'static str> {
    match us {
        i64::MAX => Some("infinity"),
        i64::MIN => Some("-infinity"),
        _ => None,
    }
}

/// Formats microseconds as `2020-08-14T17:31:02.000000Z` (contract §1: RFC 3339 UTC with `Z`).
pub fn format_utc(us: i64) -> String {
    let mut text = format_civil(us);
    if infinity(us).is_none() {
        text.push('Z');
    }
    text
}

/// Formats microseconds as `2020-08-14T17:31:02.000000`: a civil time, or one of unknown zone. Years before 1
/// are counted as ISO 8601 does: 44 BC is `-0043`.
pub fn format_civil(us: i64) -> String {
    if let Some(word) = infinity(us) {
        return word.to_owned();
    }
    let days = us.div_euclid(MICROS_PER_DAY);
    let rest = us.rem_euclid(MICROS_PER_DAY);
    let (year, month, day) = civil_from_days(days as i32);
    let seconds = rest / MICROS_PER_SECOND;
    let sign = if year < 0 { "-" } else { "" };
    format!(
        "{sign}{:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:06}",
        year.unsigned_abs(),
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        rest % MICROS_PER_SECOND
    )
}

/// Formats microseconds as `2020-08-14T17:31:02Z`, for people: the fraction only when there is one.
pub fn format_utc_short(us: i64) -> String {
    let mut text = format_civil(us);
    if infinity(us).is_some() {
        return text;
    }
    let trimmed = text.trim_end_matches('0').trim_end_matches('.').len();
    // Zeros of the fraction go, zeros of the seconds stay.
    let seconds = text.len() - ".000000".len();
    text.truncate(trimmed.max(seconds));
    text.push('Z');
    text
}

/// Formats a zone offset in seconds as `+00:00`, `-07:00` or `+05:30`.
pub fn format_offset(seconds: i32) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let s = seconds.unsigned_abs();
    if s.is_multiple_of(60) {
        format!("{sign}{:02}:{:02}", s / 3600, s / 60 % 60)
    } else {
        format!("{sign}{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// Reads `2020-08-14T17:31:02.5Z`, `… +02:00` or (with `None` as zone) a time without zone; `T` or a
/// blank may stand between date and time, the fraction may have up to 9 digits.
///
/// Returns microseconds as written and the written zone offset in seconds, if any.
pub fn parse_civil(text: &str) -> Option<(i64, Option<i32>)> {
    let b = text.as_bytes();
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = b.get(range)?;
        digits.iter().try_fold(0i64, |n, d| {
            d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0'))
        })
    };
    if b.get(4) != Some(&b'-') || b.get(7) != Some(&b'-') {
        return None;
    }
    let (year, month, day) = (
        number(0..4)? as i32,
        number(5..7)? as u8,
        number(8..10)? as u8,
    );
    if day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let midnight = i64::from(days_from_civil(year, month, day)) * MICROS_PER_DAY;
    if b.len() == 10 {
        return Some((midnight, None));
    }
    if !matches!(b[10], b'T' | b't' | b' ') {
        return None;
    }
    let (hour, minute) = (number(11..13)?, number(14..16)?);
    if b[13] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut at = 16;
    let mut second = 0;
    if b.get(16) == Some(&b':') {
        second = number(17..19)?;
        at = 19;
    }
    if second > 60 {
        return None;
    }
    let mut micros = 0;
    if b.get(at) == Some(&b'.') || b.get(at) == Some(&b',') {
        at += 1;
        let start = at;
        while at < b.len() && b[at].is_ascii_digit() && at - start < 9 {
            if at - start < 6 {
                micros = micros * 10 + i64::from(b[at] - b'0');
            }
            at += 1;
        }
        if at == start {
            return None;
        }
        for _ in (at - start)..6 {
            micros *= 10;
        }
    }
    let us = midnight + ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros;
    let zone = text[at..].trim_start();
    if zone.is_empty() {
        return Some((us, None));
    }
    Some((us, Some(parse_offset(zone)?)))
}

/// Reads `Z`, `+02:00`, `+0200`, `-07` or `UTC` as seconds east of UTC.
pub fn parse_offset(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let b = text.as_bytes();
    let sign = match b.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits: Vec<i32> = b[1..]
        .iter()
        .filter(|c| **c != b':')
        .map(|c| c.is_ascii_digit().then(|| i32::from(c - b'0')))
        .collect::<Option<_>>()?;
    let (hours, minutes) = match digits.as_slice() {
        [h1, h2] => (h1 * 10 + h2, 0),
        [h1, h2, m1, m2] => (h1 * 10 + h2, m1 * 10 + m2),
        _ => return None,
    };
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Reads an RFC 3339 time with a zone as UTC microseconds.
pub fn parse_utc(text: &str) -> Option<i64> {
    let (us, zone) = parse_civil(text)?;
    Some(us - i64::from(zone?) * MICROS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_agree_with_known_days() {
        // Worked cases: 2000-03-01 is day 11017, 1970-01-01 is day 0, 1969-12-31 is day -1.
        for (date, days) in [
            ((2000, 3, 1), 11_017),
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2020, 2, 29), 18_321),
        ] {
            assert_eq!(days_from_civil(date.0, date.1, date.2), days);
            assert_eq!(civil_from_days(days), date);
        }
        for days in (-800_000..800_000).step_by(97) {
            let (y, m, d) = civil_from_days(days);
            assert_eq!(days_from_civil(y, m, d), days);
        }
    }

    #[test]
    fn months_are_as_long_as_they_are() {
        for year in (-5_000_000..5_000_000).step_by(9973).chain(-404..2404) {
            for month in 1..=12 {
                let next = match month {
                    12 => days_from_civil(year + 1, 1, 1),
                    _ => days_from_civil(year, month + 1, 1),
                };
                let length = next - days_from_civil(year, month, 1);
                assert_eq!(
                    length,
                    i32::from(days_in_month(year, month)),
                    "{year}-{month}"
                );
            }
        }
        let none = [0, 13, 15, 16, 200, 255].map(|month| days_in_month(2000, month));
        assert_eq!(none, [0; 6]);
    }

    #[test]
    fn times_without_a_date_and_before_the_year_1_print() {
        for (us, utc, short) in [
            (i64::MAX, "infinity", "infinity"),
            (i64::MIN, "-infinity", "-infinity"),
        ] {
            assert_eq!(format_utc(us), utc);
            assert_eq!(format_civil(us), utc);
            assert_eq!(format_utc_short(us), short);
        }
        // The ides of March of 44 BC, and a year of five digits.
        let ides = i64::from(days_from_civil(-43, 3, 15)) * MICROS_PER_DAY;
        assert_eq!(format_utc(ides), "-0043-03-15T00:00:00.000000Z");
        assert_eq!(format_utc_short(ides), "-0043-03-15T00:00:00Z");
        let late = i64::from(days_from_civil(12_026, 1, 1)) * MICROS_PER_DAY;
        assert_eq!(format_utc_short(late), "12026-01-01T00:00:00Z");
    }

    #[test]
    fn medalla_genesis_reads_and_prints() {
        // 1596546008 is 2020-08-04T13:00:08Z (domain/consensus.md §1).
        let us = 1_596_546_008 * MICROS_PER_SECOND;
        assert_eq!(format_utc(us), "2020-08-04T13:00:08.000000Z");
        assert_eq!(format_utc_short(us), "2020-08-04T13:00:08Z");
        assert_eq!(format_utc_short(us + 500_000), "2020-08-04T13:00:08.5Z");
        assert_eq!(
            format_utc_short(1_596_546_000 * MICROS_PER_SECOND),
            "2020-08-04T13:00:00Z"
        );
        assert_eq!(parse_utc("2020-08-04 06:00:08 -0700"), Some(us));
        assert_eq!(parse_utc("2020-08-04T13:00:08Z"), Some(us));
        assert_eq!(
            parse_civil("2020-08-04T13:00:08.123456789"),
            Some((us + 123_456, None))
        );
        assert_eq!(
            parse_civil("2020-08-04 13:00"),
            Some((us - 8_000_000, None))
        );
        assert_eq!(parse_civil("2021-02-29"), None);
        assert_eq!(format_offset(-7 * 3600), "-07:00");
    }
}
