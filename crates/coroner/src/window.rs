//! Times as people type them, and windows of time (contract §1).

use crate::{Error, Zone};
use model::time::{self, MICROS_PER_SECOND};
use serde_json::{Value, json};
use std::str::FromStr;

/// A time as typed, before anything is known about the evidence.
///
/// ```
/// use coroner::{TimeContext, TimeSpec};
/// let medalla = chain::Network::by_name("medalla").cloned();
/// let context = TimeContext { network: medalla.as_ref(), ..TimeContext::default() };
/// let slot: TimeSpec = "slot 73324".parse()?;
/// assert_eq!(model::time::format_utc_short(slot.resolve(&context)?), "2020-08-14T17:24:56Z");
/// # Ok::<(), coroner::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSpec {
    /// RFC 3339 with its zone.
    Instant(i64),
    /// Civil microseconds, read in `--tz`.
    Civil(i64),
    /// Start of a slot.
    Slot(i64),
    /// Start of an epoch.
    Epoch(i64),
    /// So many microseconds before the newest trusted time of the evidence.
    Before(i64),
}

/// What is known when a time is resolved.
#[derive(Clone, Copy, Debug)]
pub struct TimeContext<'a> {
    /// The zone of times typed without one.
    pub zone: Zone,
    /// The network that slots and epochs belong to.
    pub network: Option<&'a chain::Network>,
    /// Networks in the evidence, for the message when there is none or more than one.
    pub networks_seen: &'a [String],
    /// The newest trusted time of the evidence.
    pub newest_us: Option<i64>,
}

impl Default for TimeContext<'_> {
    fn default() -> Self {
        TimeContext {
            zone: Zone::UTC,
            network: None,
            networks_seen: &[],
            newest_us: None,
        }
    }
}

const FORMS: &str = "write a time as 2020-08-14T21:40:00Z, '2020-08-14 21:40' (read in --tz), 'slot 73324', 'epoch 2291' or -3h";

impl FromStr for TimeSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<TimeSpec, Error> {
        let text = text.trim();
        let wrong = || Error::request(format!("`{text}` is not a time")).with_hint(FORMS);
        if let Some((us, zone)) = time::parse_civil(text) {
            return Ok(match zone {
                Some(seconds) => TimeSpec::Instant(us - i64::from(seconds) * MICROS_PER_SECOND),
                None => TimeSpec::Civil(us),
            });
        }
        if let Some(rest) = text.strip_prefix('-') {
            return parse_duration(rest).map(TimeSpec::Before).ok_or_else(wrong);
        }
        if let Some((word, number)) = text.split_once([' ', ':', '=']) {
            let count = || number.trim().parse::<i64>().ok().filter(|n| *n >= 0);
            match word.to_ascii_lowercase().as_str() {
                "slot" => return count().map(TimeSpec::Slot).ok_or_else(wrong),
                "epoch" => return count().map(TimeSpec::Epoch).ok_or_else(wrong),
                _ => {}
            }
        }
        // `2020-08-14 21:40 Europe/Berlin`, and the refusal of `2020-08-14 21:40 CST`.
        if let Some((civil, zone)) = text.rsplit_once(' ')
            && let Some((us, None)) = time::parse_civil(civil.trim())
        {
            let zone: Zone = zone.parse()?;
            return Ok(TimeSpec::Instant(zone.instant(us)?));
        }
        Err(wrong())
    }
}

/// Reads a length of time as people type it (`3h`, `90s`, `1h30m`, `2d`, `1w`) as microseconds.
///
/// ```
/// assert_eq!(coroner::duration_us("1h30m")?, 5_400_000_000);
/// assert!(coroner::duration_us("soon").is_err());
/// # Ok::<(), coroner::Error>(())
/// ```
///
/// # Errors
/// If the text is no length of time.
pub fn duration_us(text: &str) -> Result<i64, Error> {
    parse_duration(text.trim()).ok_or_else(|| {
        Error::request(format!("`{text}` is not a length of time"))
            .with_hint("write it as 90s, 45m, 21h, 1h30m or 3d")
    })
}

fn parse_duration(text: &str) -> Option<i64> {
    let mut total: i64 = 0;
    let mut digits = String::new();
    if text.is_empty() {
        return None;
    }
    for c in text.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let seconds = digits.parse::<i64>().ok()?.checked_mul(unit)?;
        total = total.checked_add(seconds.checked_mul(MICROS_PER_SECOND)?)?;
        digits.clear();
    }
    digits.is_empty().then_some(total)
}

impl TimeSpec {
    /// Returns the instant in microseconds since 1970 UTC.
    ///
    /// # Errors
    /// If a slot or epoch has no network to belong to, a civil time happened twice or never in its
    /// zone, or the evidence has no trusted time to count back from.
    pub fn resolve(&self, context: &TimeContext<'_>) -> Result<i64, Error> {
        match *self {
            TimeSpec::Instant(us) => Ok(us),
            TimeSpec::Civil(us) => Ok(context.zone.instant(us)?),
            TimeSpec::Slot(slot) => Ok(network(context, "a slot")?.slot_start_us(slot)),
            TimeSpec::Epoch(epoch) => Ok(network(context, "an epoch")?.epoch_start_us(epoch)),
            TimeSpec::Before(us) => match context.newest_us {
                Some(newest) => Ok(newest.saturating_sub(us)),
                None => Err(Error::request(
                    "nothing in the evidence has a trusted time to count back from",
                )
                .with_hint("write the time in full, for example 2020-08-14T21:40:00Z")),
            },
        }
    }
}

fn network<'a>(context: &TimeContext<'a>, what: &str) -> Result<&'a chain::Network, Error> {
    context.network.ok_or_else(|| {
        let message = match context.networks_seen {
            [] => format!("{what} needs a network, and the evidence names none"),
            several => format!(
                "{what} needs one network, and the evidence holds several: {}",
                several.join(", ")
            ),
        };
        Error::request(message).with_hint("name it with --network NAME or --network config.yaml")
    })
}

/// A window of time, from inclusive, to exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// First microsecond in it.
    pub from_us: Option<i64>,
    /// First microsecond after it.
    pub to_us: Option<i64>,
}

impl Window {
    /// Resolves both ends.
    ///
    /// # Errors
    /// As [`TimeSpec::resolve`], and if the window ends before it begins.
    pub fn resolve(
        from: Option<TimeSpec>,
        to: Option<TimeSpec>,
        context: &TimeContext<'_>,
    ) -> Result<Window, Error> {
        let window = Window {
            from_us: from.map(|spec| spec.resolve(context)).transpose()?,
            to_us: to.map(|spec| spec.resolve(context)).transpose()?,
        };
        if let (Some(from), Some(to)) = (window.from_us, window.to_us)
            && to <= from
        {
            return Err(Error::request(format!("the window is empty: {window}"))
                .with_hint("--from is the first instant in the window, --to the first after it"));
        }
        Ok(window)
    }

    /// Whether an instant lies in the window.
    pub fn contains(&self, us: i64) -> bool {
        self.from_us.is_none_or(|from| us >= from) && self.to_us.is_none_or(|to| us < to)
    }

    /// Whether the window has any end.
    pub fn is_given(&self) -> bool {
        self.from_us.is_some() || self.to_us.is_some()
    }

    /// Returns `{"from", "to"}`, an open end as null.
    pub fn to_json(&self) -> Value {
        json!({"from": self.from_us.map(time::format_utc), "to": self.to_us.map(time::format_utc)})
    }

    /// Returns both ends, an open one as far as numbers go.
    pub fn bounds(&self) -> (i64, i64) {
        (
            self.from_us.unwrap_or(i64::MIN),
            self.to_us.unwrap_or(i64::MAX),
        )
    }
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = |us: Option<i64>, open: &str| us.map_or(open.to_owned(), time::format_utc_short);
        write!(
            f,
            "{} to {} (UTC)",
            end(self.from_us, "the beginning"),
            end(self.to_us, "the end")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, zone: &str, expected: &str) {
        let medalla = chain::Network::by_name("medalla");
        let context = TimeContext {
            zone: zone.parse().expect("a zone"),
            network: medalla,
            networks_seen: &[],
            newest_us: time::parse_utc("2020-08-14T18:45:00Z"),
        };
        let result = text
            .parse::<TimeSpec>()
            .and_then(|spec| spec.resolve(&context))
            .map_or_else(|error| format!("error: {error}"), time::format_utc_short);
        assert!(result.starts_with(expected), "{text}: {result}");
    }

    #[test]
    fn times_as_people_type_them() {
        check("2020-08-14T21:40:00Z", "UTC", "2020-08-14T21:40:00Z");
        check("2020-08-14T21:40:00+08:00", "UTC", "2020-08-14T13:40:00Z");
        check("2020-08-14 21:40", "UTC", "2020-08-14T21:40:00Z");
        check("2020-08-14 21:40", "Asia/Shanghai", "2020-08-14T13:40:00Z");
        check(
            "2020-08-14 21:40 Europe/Berlin",
            "UTC",
            "2020-08-14T19:40:00Z",
        );
        check("2020-08-14", "+02:00", "2020-08-13T22:00:00Z");
        check("slot 73324", "UTC", "2020-08-14T17:24:56Z");
        check("epoch 2291", "UTC", "2020-08-14T17:22:32Z");
        check("-3h", "UTC", "2020-08-14T15:45:00Z");
        check("-1h30m", "UTC", "2020-08-14T17:15:00Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        check(
            "2020-08-14 21:40 CST",
            "UTC",
            "error: `CST` is an abbreviation",
        );
        check(
            "2020-08-14 21:40 IST",
            "UTC",
            "error: `IST` is an abbreviation",
        );
        check("yesterday", "UTC", "error: `yesterday` is not a time");
        check("slot x", "UTC", "error: `slot x` is not a time");
        check("-3", "UTC", "error: `-3` is not a time");
        check("-", "UTC", "error: `-` is not a time");
        check("2020-02-30", "UTC", "error: `2020-02-30` is not a time");
        check(
            "2020-10-25 02:30",
            "Europe/Berlin",
            "error: 2020-10-25T02:30:00.000000 happened twice",
        );
    }

    #[test]
    fn slots_need_one_network() {
        let seen = ["mainnet".to_owned(), "medalla".to_owned()];
        let context = TimeContext {
            networks_seen: &seen,
            ..TimeContext::default()
        };
        let error = TimeSpec::Slot(1).resolve(&context).expect_err("no network");
        assert_eq!(
            error.to_string(),
            "a slot needs one network, and the evidence holds several: mainnet, medalla"
        );
    }

    #[test]
    fn windows_are_half_open() {
        let spec = |text: &str| Some(text.parse().expect("a time"));
        let context = TimeContext::default();
        let window =
            Window::resolve(spec("2020-08-14"), spec("2020-08-15"), &context).expect("fine");
        assert_eq!(
            window.to_string(),
            "2020-08-14T00:00:00Z to 2020-08-15T00:00:00Z (UTC)"
        );
        assert!(window.contains(window.from_us.expect("given")));
        assert!(!window.contains(window.to_us.expect("given")));
        assert!(Window::resolve(spec("2020-08-14"), spec("2020-08-14"), &context).is_err());
    }
}
