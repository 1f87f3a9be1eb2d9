//! The moment that a question is about, and the tables as they stood then.

use super::Past;
use crate::trace::rows::Tables;
use crate::trace::{TraceError, TraceOptions, Zone, zone};
use model::time::{MICROS_PER_SECOND, format_utc};
use model::{TableError, TableSource};

/// No zone is further from UTC.
const ZONE_MOST_US: i64 = 14 * 3600 * MICROS_PER_SECOND;

/// What a question looks at.
pub(crate) struct Moment<'a> {
    source: &'a dyn TableSource,
    past: Option<Past<'a>>,
    zone: Option<Zone>,
    /// No time was asked for.
    is_now: bool,
    warning: Option<String>,
}

impl<'a> Moment<'a> {
    /// Takes the tables back to the time that was asked for, if it is not that of the dump or later. Without
    /// the zone of the database's clock that cannot be done, and is said.
    ///
    /// # Errors
    /// If a table that dates others cannot be read.
    pub(crate) fn of(
        source: &'a dyn TableSource,
        options: &TraceOptions,
    ) -> Result<Moment<'a>, TableError> {
        let mut moment = Moment {
            source,
            past: None,
            zone: options.zone.clone(),
            is_now: options.as_of_us.is_none(),
            warning: None,
        };
        let Some(at_us) = earlier(options.as_of_us, options.dumped_at_us) else {
            return Ok(moment);
        };
        if moment.zone.is_none() {
            moment.zone = zone::of_tables(source)?;
        }
        match &moment.zone {
            Some(zone) => {
                moment.past = Some(Past::new(source, at_us, zone.seconds)?);
            }
            // If nothing is later in any zone, the tables stand as they stood.
            None if Past::new(source, at_us.saturating_sub(ZONE_MOST_US), 0)?.has_later() => {
                moment.warning = Some(format!(
                    "the zone of the database's times is unknown, so nothing can be taken back to {}: the rows are shown as the dump has them",
                    format_utc(at_us)
                ));
            }
            None => {}
        }
        Ok(moment)
    }

    /// The options, with the zone that was found.
    pub(crate) fn options(&self, options: &TraceOptions) -> TraceOptions {
        TraceOptions {
            zone: self.zone.clone(),
            ..options.clone()
        }
    }

    /// The tables as they stood.
    pub(crate) fn tables(&'a self) -> Result<Tables<'a>, TraceError> {
        let source: &'a dyn TableSource = match &self.past {
            Some(past) => past,
            None => self.source,
        };
        let mut tables = Tables::new(source)?;
        tables.past = self.past.as_ref();
        tables.dates_itself = self.is_now;
        if let Some(warning) = &self.warning {
            tables.warn(warning.clone());
        }
        Ok(tables)
    }
}

/// The time that was asked for, if the dump may hold what came later.
pub(crate) fn earlier(as_of_us: Option<i64>, dumped_at_us: Option<i64>) -> Option<i64> {
    as_of_us.filter(|at| dumped_at_us.is_none_or(|dumped| *at < dumped))
}
