//! A time as a line writes it: possibly without year, date or zone.

use crate::time::{MICROS_PER_DAY, civil_from_days, days_in_month, format_offset};

/// The date part of a stamp, as far as the line knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StampDate {
    /// Days since 1970-01-01 of the written date.
    Full(i32),
    /// Month and day, no year (`Mar 27`).
    NoYear {
        /// 1 to 12.
        month: u8,
        /// 1 to 31.
        day: u8,
    },
    /// A slot instead of a date (Lodestar's `Eph 231/17 4.123`); the time of day counts from the slot's start.
    Slot {
        /// The epoch.
        epoch: u32,
        /// The slot within its epoch.
        slot: u32,
    },
    /// No date at all.
    None,
}

/// The zone a stamp writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StampZone {
    /// None: to be solved.
    None,
    /// `Z`.
    Utc,
    /// Seconds east of UTC, as `+02:00` is written.
    Offset(i32),
}

/// A time as a line writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Stamp {
    /// The date.
    pub date: StampDate,
    /// Nanoseconds since midnight of the written wall clock; since the slot's start where the date is a slot.
    pub nanos_of_day: u64,
    /// How many fraction digits were written, 0 to 9.
    pub fraction_digits: u8,
    /// The written zone.
    pub zone: StampZone,
}

impl Stamp {
    /// Returns civil microseconds as written, without applying any zone; `None` unless the date is
    /// full.
    pub fn civil_us(&self) -> Option<i64> {
        match self.date {
            StampDate::Full(days) => Some(i64::from(days) * MICROS_PER_DAY + self.micros_of_day()),
            _ => None,
        }
    }

    /// Returns civil microseconds with the year supplied from outside; `None` if the stamp has no
    /// date or that date does not exist in `year` (29 February).
    pub fn civil_us_in_year(&self, year: i32) -> Option<i64> {
        match self.date {
            StampDate::Full(_) => self.civil_us(),
            StampDate::NoYear { month, day } if day <= days_in_month(year, month) => Some(
                i64::from(crate::time::days_from_civil(year, month, day)) * MICROS_PER_DAY
                    + self.micros_of_day(),
            ),
            _ => None,
        }
    }

    /// Returns UTC microseconds where the line writes date and zone itself.
    pub fn utc_us(&self) -> Option<i64> {
        Some(self.civil_us()? - i64::from(self.zone_seconds()?) * 1_000_000)
    }

    /// Returns the written zone in seconds east of UTC.
    pub fn zone_seconds(&self) -> Option<i32> {
        match self.zone {
            StampZone::None => None,
            StampZone::Utc => Some(0),
            StampZone::Offset(seconds) => Some(seconds),
        }
    }

    /// Returns microseconds since midnight of the written wall clock.
    pub fn micros_of_day(&self) -> i64 {
        (self.nanos_of_day / 1000) as i64
    }
}

impl std::fmt::Display for Stamp {
    /// ISO 8601 exactly as far as the line knows it (contract §4): `2020-08-14T10:52:08`,
    /// `--08-14T10:52:08.123`, `T10:52:08.123`, with the written offset or `Z`. ISO knows no slots: a
    /// stamp within slot 17 of epoch 231 is `231/17T00:00:04.123`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.date {
            StampDate::Full(days) => {
                let (year, month, day) = civil_from_days(days);
                write!(f, "{year:04}-{month:02}-{day:02}")?;
            }
            StampDate::NoYear { month, day } => write!(f, "--{month:02}-{day:02}")?,
            StampDate::Slot { epoch, slot } => write!(f, "{epoch}/{slot}")?,
            StampDate::None => {}
        }
        let seconds = self.nanos_of_day / 1_000_000_000;
        write!(
            f,
            "T{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )?;
        if self.fraction_digits > 0 {
            let digits = usize::from(self.fraction_digits.min(9));
            let nanos = format!("{:09}", self.nanos_of_day % 1_000_000_000);
            write!(f, ".{}", &nanos[..digits])?;
        }
        match self.zone {
            StampZone::None => Ok(()),
            StampZone::Utc => f.write_str("Z"),
            StampZone::Offset(seconds) => f.write_str(&format_offset(seconds)),
        }
    }
}

impl std::str::FromStr for Stamp {
    type Err = ();

    /// Reads what [`Stamp`] prints, and nothing else.
    fn from_str(text: &str) -> Result<Stamp, ()> {
        let (date, rest) = text.split_once('T').ok_or(())?;
        let number = |text: &str| -> Result<u32, ()> {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            if digits {
                text.parse().map_err(|_| ())
            } else {
                Err(())
            }
        };
        let date = if date.is_empty() {
            StampDate::None
        } else if let Some(date) = date.strip_prefix("--") {
            let (month, day) = date.split_once('-').ok_or(())?;
            StampDate::NoYear {
                month: number(month)? as u8,
                day: number(day)? as u8,
            }
        } else if let Some((epoch, slot)) = date.split_once('/') {
            StampDate::Slot {
                epoch: number(epoch)?,
                slot: number(slot)?,
            }
        } else {
            let (civil, _) = crate::time::parse_civil(date).ok_or(())?;
            StampDate::Full((civil / MICROS_PER_DAY) as i32 - i32::from(civil % MICROS_PER_DAY < 0))
        };
        let end = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
        let zone = match &rest[end..] {
            "" => StampZone::None,
            "Z" => StampZone::Utc,
            offset => StampZone::Offset(crate::time::parse_offset(offset).ok_or(())?),
        };
        let (clock, fraction) = rest[..end].split_once('.').unwrap_or((&rest[..end], ""));
        let mut parts = clock.split(':');
        let mut seconds = 0u64;
        for _ in 0..3 {
            seconds = seconds * 60 + u64::from(number(parts.next().ok_or(())?)?);
        }
        if parts.next().is_some() || fraction.len() > 9 {
            return Err(());
        }
        let mut nanos = if fraction.is_empty() {
            0
        } else {
            u64::from(number(fraction)?)
        };
        for _ in fraction.len()..9 {
            nanos *= 10;
        }
        Ok(Stamp {
            date,
            nanos_of_day: seconds * 1_000_000_000 + nanos,
            fraction_digits: fraction.len() as u8,
            zone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_print_as_far_as_they_know() {
        let time = (10 * 3600 + 52 * 60 + 8) * 1_000_000_000 + 123_000_000;
        let mut stamp = Stamp {
            date: StampDate::NoYear { month: 8, day: 14 },
            nanos_of_day: time,
            fraction_digits: 3,
            zone: StampZone::None,
        };
        assert_eq!(stamp.to_string(), "--08-14T10:52:08.123");
        for text in [
            "--08-14T10:52:08.123",
            "T10:52:08",
            "167991/6T00:00:06.007",
            "2020-08-14T10:52:08.5Z",
            "1969-12-31T23:59:59-07:00",
        ] {
            assert_eq!(
                text.parse::<Stamp>()
                    .map(|stamp| stamp.to_string())
                    .as_deref(),
                Ok(text)
            );
        }
        assert_eq!(stamp.civil_us(), None);
        stamp.date = StampDate::None;
        assert_eq!(stamp.to_string(), "T10:52:08.123");
        stamp.date = StampDate::Full(crate::time::days_from_civil(2020, 8, 14));
        stamp.fraction_digits = 0;
        stamp.zone = StampZone::Offset(-7 * 3600);
        assert_eq!(stamp.to_string(), "2020-08-14T10:52:08-07:00");
        assert_eq!(
            stamp.utc_us().map(crate::time::format_utc),
            Some("2020-08-14T17:52:08.123000Z".into())
        );
    }

    #[test]
    fn february_29_needs_a_leap_year() {
        let stamp = Stamp {
            date: StampDate::NoYear { month: 2, day: 29 },
            nanos_of_day: 0,
            fraction_digits: 0,
            zone: StampZone::None,
        };
        assert!(stamp.civil_us_in_year(2024).is_some());
        assert!(stamp.civil_us_in_year(2023).is_none());
    }
}
