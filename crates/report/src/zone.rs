//! Time zones for display and for times typed without one.

use chrono::{NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use model::time::{self, MICROS_PER_SECOND};
use std::fmt;
use std::str::FromStr;

/// A zone: a name of the IANA database, or a fixed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// `Europe/Berlin`.
    Named(Tz),
    /// Seconds east of UTC.
    Fixed(i32),
}

/// Why a text is no zone, or a civil time no instant in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ZoneError {
    /// Abbreviations are not unique.
    #[error(
        "`{name}` is an abbreviation, and abbreviations are not unique (CST is China, Cuba and Chicago; IST is India, Ireland and Israel)"
    )]
    Abbreviation {
        /// As typed.
        name: String,
    },
    /// No such zone.
    #[error("there is no time zone `{name}`")]
    Unknown {
        /// As typed.
        name: String,
    },
    /// The clock was set back over this time: it happened twice.
    #[error("{civil} happened twice in {zone}: {first} and {second}")]
    Twice {
        /// As typed.
        civil: String,
        /// The zone.
        zone: String,
        /// The earlier instant, UTC.
        first: String,
        /// The later instant, UTC.
        second: String,
    },
    /// The clock was set forward over this time: it never happened.
    #[error("{civil} never happened in {zone}: the clock was set forward over it")]
    Never {
        /// As typed.
        civil: String,
        /// The zone.
        zone: String,
    },
}

impl ZoneError {
    /// Returns what to try instead.
    pub fn hint(&self) -> &'static str {
        match self {
            ZoneError::Abbreviation { .. } | ZoneError::Unknown { .. } => {
                "write a zone as Asia/Shanghai, America/Chicago, UTC or +08:00"
            }
            ZoneError::Twice { .. } | ZoneError::Never { .. } => {
                "write the time with its offset, for example 2020-11-01T01:30:00-04:00"
            }
        }
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone::Fixed(0);

    /// Returns the offset in seconds east of UTC at an instant.
    pub fn offset_at(&self, us: i64) -> i32 {
        match self {
            Zone::Fixed(seconds) => *seconds,
            Zone::Named(tz) => chrono::DateTime::from_timestamp_micros(us).map_or(0, |instant| {
                tz.offset_from_utc_datetime(&instant.naive_utc())
                    .fix()
                    .local_minus_utc()
            }),
        }
    }

    /// Formats an instant for people: `2020-08-14 17:31:02`, the fraction only when there is one,
    /// with `Z` in UTC and the offset elsewhere.
    ///
    /// ```
    /// let zone: report::Zone = "America/New_York".parse()?;
    /// assert_eq!(zone.show(1_597_426_262_000_000), "2020-08-14 13:31:02-04:00");
    /// # Ok::<(), report::ZoneError>(())
    /// ```
    pub fn show(&self, us: i64) -> String {
        if let Some(word) = time::infinity(us) {
            return word.to_owned();
        }
        let offset = self.offset_at(us);
        let mut text =
            time::format_utc_short(us.saturating_add(i64::from(offset) * MICROS_PER_SECOND))
                .replacen('T', " ", 1);
        if !self.is_utc() {
            text.pop();
            text.push_str(&time::format_offset(offset));
        }
        text
    }

    /// Whether the zone is UTC under whatever name.
    pub fn is_utc(&self) -> bool {
        matches!(self, Zone::Fixed(0) | Zone::Named(Tz::UTC | Tz::Etc__UTC))
    }

    /// Returns the instant at which a clock in this zone showed `civil_us`.
    ///
    /// # Errors
    /// If the clock showed it twice or never.
    pub fn instant(&self, civil_us: i64) -> Result<i64, ZoneError> {
        let tz = match self {
            Zone::Fixed(seconds) => return Ok(civil_us - i64::from(*seconds) * MICROS_PER_SECOND),
            Zone::Named(tz) => tz,
        };
        let civil = || time::format_civil(civil_us);
        let never = || ZoneError::Never {
            civil: civil(),
            zone: self.to_string(),
        };
        let naive: NaiveDateTime = chrono::DateTime::from_timestamp_micros(civil_us)
            .ok_or_else(never)?
            .naive_utc();
        match tz.from_local_datetime(&naive) {
            chrono::LocalResult::Single(instant) => Ok(instant.timestamp_micros()),
            chrono::LocalResult::None => Err(never()),
            chrono::LocalResult::Ambiguous(first, second) => Err(ZoneError::Twice {
                civil: civil(),
                zone: self.to_string(),
                first: time::format_utc_short(first.timestamp_micros()),
                second: time::format_utc_short(second.timestamp_micros()),
            }),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            zone if zone.is_utc() => f.write_str("UTC"),
            Zone::Named(tz) => f.write_str(tz.name()),
            Zone::Fixed(seconds) => f.write_str(&time::format_offset(*seconds)),
        }
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Zone, ZoneError> {
        let name = text.trim();
        if let Some(seconds) = time::parse_offset(name) {
            return Ok(Zone::Fixed(seconds));
        }
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Zone::UTC);
        }
        // EST, CET and PRC are in the database too, but who types them seldom means what it means.
        let short = name.len() <= 5 && name.bytes().all(|b| b.is_ascii_alphabetic());
        if short && name.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err(ZoneError::Abbreviation {
                name: name.to_owned(),
            });
        }
        chrono_tz::TZ_VARIANTS
            .iter()
            .find(|tz| tz.name().eq_ignore_ascii_case(name))
            .map(|tz| Zone::Named(*tz))
            .ok_or_else(|| ZoneError::Unknown {
                name: name.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn zone(text: &str) -> Zone {
        text.parse().expect("a zone")
    }

    #[test]
    fn abbreviations_are_refused() {
        for name in ["CST", "IST", "EST", "CET", "EDT", "PST"] {
            assert!(
                matches!(name.parse::<Zone>(), Err(ZoneError::Abbreviation { .. })),
                "{name}"
            );
        }
        assert!(matches!(
            "Mars/Olympus".parse::<Zone>(),
            Err(ZoneError::Unknown { .. })
        ));
        assert_eq!(zone("utc"), Zone::UTC);
        assert_eq!(zone("+05:30"), Zone::Fixed(19_800));
        assert_eq!(zone("europe/berlin").to_string(), "Europe/Berlin");
    }

    #[test]
    fn daylight_saving_is_told_apart() {
        let berlin = zone("Europe/Berlin");
        let civil = |text: &str| time::parse_civil(text).expect("a time").0;
        assert_eq!(
            berlin
                .instant(civil("2020-08-14 19:31:02"))
                .map(time::format_utc_short),
            Ok("2020-08-14T17:31:02Z".to_owned())
        );
        assert!(matches!(
            berlin.instant(civil("2020-10-25 02:30")),
            Err(ZoneError::Twice { .. })
        ));
        assert!(matches!(
            berlin.instant(civil("2020-03-29 02:30")),
            Err(ZoneError::Never { .. })
        ));
        assert_eq!(
            berlin.show(civil("2020-08-14 17:31:02.5")),
            "2020-08-14 19:31:02.5+02:00"
        );
        assert_eq!(zone("-07:00").show(i64::MAX), "infinity");
        assert_eq!(Zone::UTC.show(0), "1970-01-01 00:00:00Z");
    }
}
