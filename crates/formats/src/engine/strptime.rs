//! Times in a notation that a definition gives: `%d/%b/%Y:%H:%M:%S %z` as chrono and strftime write it,
//! or `dd/MMM/yyyy HH:mm:ss.SSS` as log4j and others do (a notation without `%`).

use crate::scan::month_name;
use model::{Stamp, StampDate, StampZone, time};

/// One piece of a notation.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(u8),
    /// One or more blanks.
    Blank,
    Year,
    ShortYear,
    Month,
    MonthName,
    /// One or two digits, padded with a zero, a blank or nothing.
    Day,
    Hour,
    Hour12,
    HalfDay,
    Minute,
    Second,
    /// Any number of digits.
    Fraction,
    /// `.` or `,` and digits; may be missing.
    DotFraction,
    /// `+02:00`, `+0200`, `+02`, `Z`.
    Offset,
    /// `UTC`, `GMT`, `Z`.
    Utc,
    Weekday,
    /// Seconds since 1970.
    Epoch,
}

/// A notation of times.
#[derive(Clone, Debug)]
pub(crate) struct StampFormat {
    items: Vec<Item>,
}

impl StampFormat {
    /// Reads a notation; the error says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<StampFormat, String> {
        let mut items = Vec::new();
        if text.contains('%') {
            percent(text, &mut items)?;
        } else {
            letters(text, &mut items)?;
        }
        let has = |item: &Item| items.contains(item);
        if !has(&Item::Epoch) && !((has(&Item::Hour) || has(&Item::Hour12)) && has(&Item::Minute)) {
            return Err(format!("`{text}` has no hour and minute"));
        }
        if has(&Item::Month) && has(&Item::MonthName) {
            return Err(format!("`{text}` has two months"));
        }
        Ok(StampFormat { items })
    }

    /// Reads a time that fills the whole text.
    pub(crate) fn read(&self, text: &[u8]) -> Option<Stamp> {
        let mut at = 0;
        let (mut year, mut month, mut day) = (None, None, None);
        let (mut hour, mut minute, mut second) = (0u64, 0u64, 0u64);
        let (mut nanos, mut fraction_digits) = (0u64, 0u8);
        let (mut zone, mut afternoon, mut epoch) = (StampZone::None, None, None);
        for item in &self.items {
            let rest = &text[at..];
            at += match item {
                Item::Literal(byte) if rest.first() == Some(byte) => 1,
                Item::Literal(_) => return None,
                Item::Blank => {
                    let blanks = rest.iter().take_while(|c| **c == b' ').count();
                    if blanks == 0 {
                        return None;
                    }
                    blanks
                }
                Item::Year => {
                    year = Some(number(rest, 4, 4)?.0 as i32);
                    4
                }
                Item::ShortYear => {
                    let short = number(rest, 2, 2)?.0 as i32;
                    year = Some(if short < 69 {
                        2000 + short
                    } else {
                        1900 + short
                    });
                    2
                }
                Item::Month => {
                    let (value, length) = number(rest, 1, 2)?;
                    month = Some(value as u8).filter(|month| (1..=12).contains(month));
                    month?;
                    length
                }
                Item::MonthName => {
                    let length = rest
                        .iter()
                        .take(12)
                        .take_while(|c| c.is_ascii_alphabetic() || **c >= 0x80)
                        .count();
                    month = Some(month_name(&rest[..length]).or_else(|| {
                        let start = rest.get(..3).filter(|_| length > 3)?;
                        month_name(start)
                    })?);
                    length
                }
                Item::Day => {
                    let blank = usize::from(rest.first() == Some(&b' '));
                    let (value, length) = number(&rest[blank..], 1, 2)?;
                    day = Some(value as u8);
                    blank + length
                }
                Item::Hour | Item::Hour12 => {
                    let (value, length) = number(rest, 1, 2)?;
                    hour = value;
                    length
                }
                Item::HalfDay => {
                    afternoon = match rest.get(..2)? {
                        b"AM" | b"am" => Some(false),
                        b"PM" | b"pm" => Some(true),
                        _ => return None,
                    };
                    2
                }
                Item::Minute => {
                    minute = number(rest, 2, 2)?.0;
                    2
                }
                Item::Second => {
                    second = number(rest, 2, 2)?.0;
                    2
                }
                Item::Fraction | Item::DotFraction => {
                    let dot = usize::from(
                        *item == Item::DotFraction && matches!(rest.first(), Some(b'.' | b',')),
                    );
                    let digits = rest[dot..]
                        .iter()
                        .take_while(|c| c.is_ascii_digit())
                        .count();
                    if *item == Item::DotFraction && dot == 0 {
                        0
                    } else if digits == 0 {
                        return None;
                    } else {
                        let mut scale = 1_000_000_000u64;
                        for digit in rest[dot..dot + digits].iter().take(9) {
                            scale /= 10;
                            nanos += u64::from(digit - b'0') * scale;
                        }
                        fraction_digits = digits.min(9) as u8;
                        dot + digits
                    }
                }
                Item::Offset => {
                    let (read, length) = offset(rest)?;
                    zone = read;
                    length
                }
                Item::Utc => {
                    zone = StampZone::Utc;
                    match rest {
                        [b'U', b'T', b'C', ..] | [b'G', b'M', b'T', ..] => 3,
                        [b'Z', ..] => 1,
                        _ => return None,
                    }
                }
                Item::Weekday => {
                    let letters = rest.iter().take(12).take_while(|c| c.is_ascii_alphabetic());
                    let length = letters.count();
                    if length == 0 {
                        return None;
                    }
                    length
                }
                Item::Epoch => {
                    let (value, length) = number(rest, 1, 11)?;
                    epoch = Some(value);
                    length
                }
            };
        }
        if at != text.len() {
            return None;
        }
        if let Some(seconds) = epoch {
            return Some(Stamp {
                date: StampDate::Full((seconds / 86_400) as i32),
                nanos_of_day: seconds % 86_400 * 1_000_000_000 + nanos,
                fraction_digits,
                zone: StampZone::Utc,
            });
        }
        if let Some(afternoon) = afternoon {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let date = match (year, month, day) {
            (Some(year), Some(month), Some(day))
                if day > 0 && day <= time::days_in_month(year, month) =>
            {
                StampDate::Full(time::days_from_civil(year, month, day))
            }
            (None, Some(month), Some(day))
                if day > 0 && day <= time::days_in_month(2000, month) =>
            {
                StampDate::NoYear { month, day }
            }
            (None, None, None) => StampDate::None,
            _ => return None,
        };
        Some(Stamp {
            date,
            nanos_of_day: ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + nanos,
            fraction_digits,
            zone,
        })
    }
}

/// Reads `least` to `most` digits: the number and how many there were.
fn number(text: &[u8], least: usize, most: usize) -> Option<(u64, usize)> {
    let length = text
        .iter()
        .take(most)
        .take_while(|c| c.is_ascii_digit())
        .count();
    if length < least {
        return None;
    }
    let value = text[..length]
        .iter()
        .fold(0, |n, c| n * 10 + u64::from(c - b'0'));
    Some((value, length))
}

fn offset(text: &[u8]) -> Option<(StampZone, usize)> {
    let sign = match text.first()? {
        b'Z' => return Some((StampZone::Utc, 1)),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, _) = number(&text[1..], 2, 2)?;
    let colon = usize::from(text.get(3) == Some(&b':'));
    let minutes = number(&text[3 + colon..], 2, 2);
    let length = if minutes.is_some() { 5 + colon } else { 3 };
    let minutes = minutes.map_or(0, |(minutes, _)| minutes);
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    (hours <= 18 && minutes < 60).then_some((StampZone::Offset(sign * seconds), length))
}

/// `%Y-%m-%d`.
fn percent(text: &str, items: &mut Vec<Item>) -> Result<(), String> {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c == ' ' {
            items.push(Item::Blank);
            continue;
        }
        if c != '%' {
            let mut buffer = [0; 4];
            items.extend(c.encode_utf8(&mut buffer).bytes().map(Item::Literal));
            continue;
        }
        // `%3f`, `%.3f`, `%-d`: widths and padding are taken as they come.
        let dot = rest.starts_with('.');
        rest = rest.trim_start_matches(['.', '-', '_', '0', '3', '6', '9', ':']);
        let letter = rest.chars().next().unwrap_or('%');
        rest = rest.get(letter.len_utf8()..).unwrap_or("");
        match letter {
            'Y' => items.push(Item::Year),
            'y' => items.push(Item::ShortYear),
            'm' => items.push(Item::Month),
            'b' | 'B' | 'h' => items.push(Item::MonthName),
            'd' | 'e' => items.push(Item::Day),
            'H' | 'k' => items.push(Item::Hour),
            'I' | 'l' => items.push(Item::Hour12),
            'p' | 'P' => items.push(Item::HalfDay),
            'M' => items.push(Item::Minute),
            'S' => items.push(Item::Second),
            'f' if dot => items.push(Item::DotFraction),
            'f' => items.push(Item::Fraction),
            'z' => items.push(Item::Offset),
            'Z' => items.push(Item::Utc),
            'a' | 'A' => items.push(Item::Weekday),
            's' => items.push(Item::Epoch),
            'F' => percent("%Y-%m-%d", items)?,
            'T' => percent("%H:%M:%S", items)?,
            'R' => percent("%H:%M", items)?,
            '%' => items.push(Item::Literal(b'%')),
            other => return Err(format!("`%{other}` in `{text}` is not known")),
        }
    }
    Ok(())
}

/// `yyyy-MM-dd HH:mm:ss.SSS`.
fn letters(text: &str, items: &mut Vec<Item>) -> Result<(), String> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let length = bytes[at..].iter().take_while(|c| **c == byte).count();
        let item = match (byte, length) {
            (b'y' | b'Y', 4) => Item::Year,
            (b'y' | b'Y', 2) => Item::ShortYear,
            (b'M', 1 | 2) => Item::Month,
            (b'M', 3 | 4) => Item::MonthName,
            (b'd' | b'D', 1 | 2) => Item::Day,
            (b'H', 1 | 2) => Item::Hour,
            (b'h', 1 | 2) if text.contains('a') || text.contains('A') => Item::Hour12,
            (b'h', 1 | 2) => Item::Hour,
            (b'a' | b'A', _) => Item::HalfDay,
            (b'm', 2) => Item::Minute,
            (b's', 2) => Item::Second,
            (b'S' | b'f', _) => Item::Fraction,
            (b'E', _) => Item::Weekday,
            (b'Z' | b'X' | b'x', _) => Item::Offset,
            (b'z', _) => Item::Utc,
            (b' ', _) => Item::Blank,
            (b'T', 1) => Item::Literal(b'T'),
            (b'\'', _) => {
                let end = text[at + 1..]
                    .find('\'')
                    .ok_or_else(|| format!("a quote in `{text}` does not close"))?;
                items.extend(
                    bytes[at + 1..at + 1 + end]
                        .iter()
                        .copied()
                        .map(Item::Literal),
                );
                at += end + 2;
                continue;
            }
            (other, _) if other.is_ascii_alphabetic() => {
                let word = &text[at..at + length];
                return Err(format!(
                    "`{word}` in `{text}` is not known (quote it if it is text)"
                ));
            }
            (other, _) => {
                items.push(Item::Literal(other));
                at += 1;
                continue;
            }
        };
        items.push(item);
        at += length;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notations_of_both_kinds() {
        for (format, text, written) in [
            (
                "%Y-%m-%d %H:%M:%S%.f",
                "2024-01-02 03:04:05.123",
                "2024-01-02T03:04:05.123",
            ),
            (
                "%Y-%m-%d %H:%M:%S%.3f",
                "2024-01-02 03:04:05",
                "2024-01-02T03:04:05",
            ),
            (
                "%d/%b/%Y:%T %z",
                "07/Mar/2025:02:11:09 +0130",
                "2025-03-07T02:11:09+01:30",
            ),
            (
                "%a %b %e %T %Y",
                "Tue Jan  2 03:04:05 2024",
                "2024-01-02T03:04:05",
            ),
            ("%b %d %R", "Jan 02 03:04", "--01-02T03:04:00"),
            (
                "%m/%d/%y %I:%M:%S %p",
                "1/2/24 12:04:05 PM",
                "2024-01-02T12:04:05",
            ),
            ("%s.%f", "1704164645.25", "2024-01-02T03:04:05.25Z"),
            (
                "%F %T %Z",
                "2024-01-02 03:04:05 UTC",
                "2024-01-02T03:04:05Z",
            ),
            (
                "yyyy-MM-dd HH:mm:ss,SSS",
                "2024-01-02 03:04:05,120",
                "2024-01-02T03:04:05.120",
            ),
            (
                "YYYY-MM-DDTHH:mm:ssZ",
                "2024-01-02T03:04:05Z",
                "2024-01-02T03:04:05Z",
            ),
            (
                "dd MMMM yyyy 'at' HH:mm",
                "2 January 2024 at 03:04",
                "2024-01-02T03:04:00",
            ),
            ("HH:mm:ss.SSS", "03:04:05.7", "T03:04:05.7"),
        ] {
            let format = StampFormat::new(format).unwrap();
            let stamp = format.read(text.as_bytes()).map(|stamp| stamp.to_string());
            assert_eq!(stamp.as_deref(), Some(written), "{text}");
        }
        let format = StampFormat::new("%Y-%m-%d %H:%M").unwrap();
        for text in [
            "",
            "2024-01-02",
            "2024-13-02 03:04",
            "2023-02-29 03:04",
            "2024-01-02 24:00",
            "2024-01-02 03:04x",
        ] {
            assert_eq!(format.read(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (format, words) in [
            ("%Y-%m-%d", "no hour"),
            ("%Q %H:%M", "`%Q`"),
            ("yyyy-MM-dd QQ HH:mm", "`QQ`"),
            ("'x HH:mm", "does not close"),
            ("%m %b %H:%M", "two months"),
        ] {
            assert!(
                StampFormat::new(format).unwrap_err().contains(words),
                "{format}"
            );
        }
    }
}
