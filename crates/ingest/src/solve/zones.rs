//! The zones a civil time can be in.

/// Returns whether any place uses this offset from UTC, in seconds.
///
/// Zones are multiples of a quarter hour between -12:00 and +14:00, but only a third of those exist. That matters:
/// a stale block fits *some* quarter hour with a chance of one in thirteen, and an existing offset
/// three times more rarely. The list is that of the IANA time zone database for 2010 and later, summer
/// times included.
///
/// ```
/// use ingest::solve::is_used_offset;
/// assert!(is_used_offset(5 * 3600 + 45 * 60)); // Kathmandu
/// assert!(is_used_offset(-4 * 3600));
/// assert!(!is_used_offset(2 * 3600 + 15 * 60));
/// ```
pub fn is_used_offset(seconds: i32) -> bool {
    /// In minutes: the offsets in use that are not whole hours.
    const ODD: [i32; 15] = [
        -570, -270, -210, -150, 210, 270, 330, 345, 390, 510, 525, 570, 630, 765, 825,
    ];
    if !(-43_200..=50_400).contains(&seconds) || seconds % 60 != 0 {
        return false;
    }
    seconds % 3600 == 0 || ODD.contains(&(seconds / 60))
}

/// Returns the offset in use and the residual where `delta_us` lies in `-early ..= late` above an
/// offset.
pub(super) fn offset_below(delta_us: i64, early_us: i64, late_us: i64) -> Option<(i32, i64)> {
    const QUARTER_US: i64 = 900_000_000;
    let zone_us = (delta_us + early_us).div_euclid(QUARTER_US) * QUARTER_US;
    let residual = delta_us - zone_us;
    let zone = i32::try_from(zone_us / 1_000_000).ok()?;
    (residual <= late_us && is_used_offset(zone)).then_some((zone, residual))
}

/// Returns whether some place changed from one offset to the other about this civil time.
pub(super) fn is_daylight_saving(civil_us: i64, before: i32, after: i32) -> bool {
    use chrono::{DateTime, Offset as _, TimeZone as _};
    let offset = |zone: &chrono_tz::Tz, utc_us: i64| {
        DateTime::from_timestamp_micros(utc_us).map(|utc| {
            zone.offset_from_utc_datetime(&utc.naive_utc())
                .fix()
                .local_minus_utc()
        })
    };
    let utc = civil_us - i64::from(before) * 1_000_000;
    let margin = 2 * 3_600_000_000;
    chrono_tz::TZ_VARIANTS.iter().any(|zone| {
        offset(zone, utc - margin) == Some(before) && offset(zone, utc + margin) == Some(after)
    })
}
