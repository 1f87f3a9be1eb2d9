//! Timestamps as PostgreSQL prints them with `DateStyle = ISO`: `2023-09-18 03:50:19.059576`, with
//! `+00`, `-07` or `+05:30:15` behind where the type has a zone, ` BC` behind for years before 1,
//! years of five and six digits, `infinity` and `-infinity`.

use model::time::{MICROS_PER_DAY, MICROS_PER_SECOND, days_from_civil, days_in_month};

/// A timestamp and the zone it was written with, in seconds east of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Civil microseconds; `i64::MAX` and `i64::MIN` for the infinities.
    pub(crate) civil: i64,
    /// The offset, if one is written.
    pub(crate) offset: Option<i32>,
}

impl Written {
    /// Returns microseconds since 1970 UTC of a time with a zone.
    pub(crate) fn utc(self) -> Option<i64> {
        if self.civil == i64::MAX || self.civil == i64::MIN {
            return Some(self.civil);
        }
        self.civil
            .checked_sub(i64::from(self.offset?) * MICROS_PER_SECOND)
    }
}

/// Takes a number of `least..=most` digits off the front.
fn digits(text: &mut &[u8], least: usize, most: usize) -> Option<(i64, usize)> {
    let mut value = 0i64;
    let mut n = 0;
    while n < most && n < text.len() && text[n].is_ascii_digit() {
        value = value * 10 + i64::from(text[n] - b'0');
        n += 1;
    }
    if n < least {
        return None;
    }
    *text = &text[n..];
    Some((value, n))
}

fn take(text: &mut &[u8], byte: u8) -> Option<()> {
    if text.first() == Some(&byte) {
        *text = &text[1..];
        Some(())
    } else {
        None
    }
}

/// Takes year, month, day, hour, minute and second off the front.
fn fields(rest: &mut &[u8]) -> Option<[i64; 6]> {
    let (year, _) = digits(rest, 4, 6)?;
    take(rest, b'-')?;
    let (month, _) = digits(rest, 2, 2)?;
    take(rest, b'-')?;
    let (day, _) = digits(rest, 2, 2)?;
    take(rest, b' ').or_else(|| take(rest, b'T'))?;
    let (hour, _) = digits(rest, 2, 2)?;
    take(rest, b':')?;
    let (minute, _) = digits(rest, 2, 2)?;
    take(rest, b':')?;
    let (second, _) = digits(rest, 2, 2)?;
    Some([year, month, day, hour, minute, second])
}

/// Reads what nearly all times look like, `2023-09-18 03:50:19` up to the seconds' fraction; `None` of all others.
fn usual(text: &[u8]) -> Option<([u16; 6], &[u8])> {
    let (head, rest) = text.split_first_chunk::<19>()?;
    let between = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    let mut good = between.iter().all(|&(at, byte)| head[at] == byte);
    let mut digit = |at: usize| {
        let value = head[at].wrapping_sub(b'0');
        good &= value <= 9;
        u16::from(value)
    };
    let mut two = |at: usize| digit(at).wrapping_mul(10).wrapping_add(digit(at + 1));
    let (century, year) = (two(0), two(2));
    let fields = [
        century.wrapping_mul(100).wrapping_add(year),
        two(5),
        two(8),
        two(11),
        two(14),
        two(17),
    ];
    good.then_some((fields, rest))
}

/// Reads a timestamp; `None` if it is none or lies outside of what microseconds in an `i64` can say.
pub(crate) fn parse(text: &[u8]) -> Option<Written> {
    let infinite = |civil| {
        Some(Written {
            civil,
            offset: None,
        })
    };
    match text {
        b"infinity" => return infinite(i64::MAX),
        b"-infinity" => return infinite(i64::MIN),
        _ => {}
    }
    let (fields, mut rest) = match usual(text) {
        Some((fields, rest)) => (fields.map(i64::from), rest),
        None => {
            let mut rest = text;
            (fields(&mut rest)?, rest)
        }
    };
    let [year, month, day, hour, minute, second] = fields;
    let mut micros = 0;
    if take(&mut rest, b'.').is_some() {
        let (value, n) = digits(&mut rest, 1, 6)?;
        micros = value * 10i64.pow(6 - n as u32);
    }
    let offset = match rest.first() {
        Some(sign @ (b'+' | b'-')) => {
            let sign = if *sign == b'+' { 1 } else { -1 };
            rest = &rest[1..];
            let (hours, _) = digits(&mut rest, 2, 2)?;
            let mut seconds = hours * 3600;
            for unit in [60, 1] {
                if take(&mut rest, b':').is_none() {
                    break;
                }
                let (value, _) = digits(&mut rest, 2, 2)?;
                seconds += value * unit;
            }
            Some(sign * seconds as i32)
        }
        Some(b'Z') => {
            rest = &rest[1..];
            Some(0)
        }
        _ => None,
    };
    let year = match rest {
        b"" => year,
        b" BC" => 1 - year,
        _ => return None,
    } as i32;
    let valid = (1..=12).contains(&month)
        && day >= 1
        && day <= i64::from(days_in_month(year, month as u8))
        && (hour < 24 || (hour == 24 && minute == 0 && second == 0))
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let days = i64::from(days_from_civil(year, month as u8, day as u8));
    let of_day = ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros;
    let civil = days.checked_mul(MICROS_PER_DAY)?.checked_add(of_day)?;
    // The two ends of the range mean infinity.
    (civil != i64::MAX && civil != i64::MIN).then_some(Written { civil, offset })
}

/// The day that was read last. Rows of a table mostly come day by day: of most times only the hours are left to read.
pub(crate) struct Day {
    /// As written, up to the hours.
    text: [u8; 11],
    midnight_us: i64,
}

impl Default for Day {
    fn default() -> Day {
        Day {
            text: *b"1970-01-01 ",
            midnight_us: 0,
        }
    }
}

impl Day {
    /// Reads a timestamp without zone, in civil microseconds; `None` if it is none, or no usual one.
    #[inline]
    pub(crate) fn civil_us(&mut self, text: &[u8]) -> Option<i64> {
        let (day, time) = text.split_first_chunk::<11>()?;
        let of_day_us = of_day_us(time)?;
        if *day != self.text {
            // What stands before a usual time is a day, or nothing is a timestamp.
            let civil = parse(text)
                .filter(|written| written.offset.is_none())?
                .civil;
            *self = Day {
                text: *day,
                midnight_us: civil - of_day_us,
            };
        }
        Some(self.midnight_us + of_day_us)
    }
}

/// Reads `03:50:19` or `03:50:19.059576`, in microseconds; `None` of all else.
#[inline]
fn of_day_us(text: &[u8]) -> Option<i64> {
    let (clock, fraction) = text.split_first_chunk::<8>()?;
    let mut good = clock[2] == b':' && clock[5] == b':';
    let mut two = |at: usize| {
        let (tens, ones) = (
            clock[at].wrapping_sub(b'0'),
            clock[at + 1].wrapping_sub(b'0'),
        );
        good &= tens <= 9 && ones <= 9;
        i64::from(tens) * 10 + i64::from(ones)
    };
    let (hour, minute, second) = (two(0), two(3), two(6));
    if !good || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut micros = 0;
    if let [b'.', digits @ ..] = fraction {
        if digits.is_empty() || digits.len() > 6 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits
            .iter()
            .fold(0, |n, digit| n * 10 + i64::from(digit - b'0'));
        micros = value * 10i64.pow(6 - digits.len() as u32);
    } else if !fraction.is_empty() {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Days come again, and what is nearly a time with them.
        #[test]
        fn a_day_that_is_known_changes_nothing(
            texts in prop::collection::vec(
                "(0044|2023|2024|20230)-0[0-3]-(28|29|30)[ T][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{0,7})?(| BC|Z|\\+00)",
                1..20,
            ),
        ) {
            let mut day = Day::default();
            for text in &texts {
                let whole = parse(text.as_bytes()).filter(|written| written.offset.is_none());
                let known = day.civil_us(text.as_bytes());
                // It may leave an unusual one to the other.
                let usual = text.len() >= 19 && text.as_bytes()[10] == b' ' && text.as_bytes()[4] == b'-'
                    && !text.ends_with("BC") && !text[17..19].starts_with('6') && !text[11..].starts_with("24");
                if let Some(us) = known {
                    prop_assert_eq!(whole.map(|written| written.civil), Some(us), "{}", text);
                } else {
                    prop_assert!(whole.is_none() || !usual, "{}", text);
                }
            }
        }
    }

    #[track_caller]
    fn check(text: &str, civil: Option<i64>, offset: Option<i32>) {
        assert_eq!(
            parse(text.as_bytes()),
            civil.map(|civil| Written { civil, offset }),
            "{text}"
        );
    }

    #[test]
    fn timestamps_as_postgres_prints_them() {
        let us = 1_695_009_019_059_576;
        check("2023-09-18 03:50:19.059576", Some(us), None);
        check("2023-09-18 03:50:19.059576+00", Some(us), Some(0));
        check("2023-09-18 03:50:19.059576-07", Some(us), Some(-25_200));
        check("2023-09-18 03:50:19.059576+05:30", Some(us), Some(19_800));
        check(
            "1900-01-01 00:00:00+00:19:32",
            Some(-2_208_988_800_000_000),
            Some(1172),
        );
        check("2023-09-18 03:50:19.5", Some(1_695_009_019_500_000), None);
        check("infinity", Some(i64::MAX), None);
        check("-infinity", Some(i64::MIN), None);
        // 4713-01-01 BC, the first Julian year, is day -2440550 (SELECT '4713-01-01 BC'::date - '1970-01-01').
        check(
            "4713-01-01 00:00:00 BC",
            Some(-2_440_550 * MICROS_PER_DAY),
            None,
        );
        check(
            "0001-01-01 00:00:00 BC",
            Some(-719_528 * MICROS_PER_DAY),
            None,
        );
        check(
            "20230-01-01 00:00:00",
            Some(6_669_328 * MICROS_PER_DAY),
            None,
        );
        for bad in [
            "",
            "2023",
            "2023-02-29 00:00:00",
            "2023-09-18",
            "2023-09-18 25:00:00",
            "2023-09-18 03:50:19 AD",
            "294276-12-31 23:59:59",
            "2023-09-18 03:50:19+",
        ] {
            check(bad, None, None);
        }
    }
}
