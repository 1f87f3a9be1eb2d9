//! When records happened: a piece's solution applied to stamps, and the time columns of rows.

use crate::columns::{DictBuilder, opt_i64_column, pick};
use crate::solve::{self, Solution};
use model::{Column, ColumnType, Stamp, StampDate, StampZone};

/// When a record happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RecordTime {
    pub(crate) ts_us: Option<i64>,
    pub(crate) stamp_us: Option<i64>,
    pub(crate) wrapper_us: Option<i64>,
    pub(crate) clock: &'static str,
    pub(crate) basis: &'static str,
}

/// Applies a piece's solution to one record: its stamp's time if it has one, else its wrapper's. `near_us` is the time of
/// the record before it, in the same process.
pub(crate) fn record_time(
    solution: &Solution,
    stamp: Option<&Stamp>,
    wrapper: Option<&Stamp>,
    near_us: Option<i64>,
) -> RecordTime {
    let Some(stamp) = stamp else {
        let wrapper_us = wrapper.and_then(|stamp| solve::wrapper_utc_us(solution, stamp, near_us));
        let basis = match wrapper {
            Some(stamp) if wrapper_us.is_some() && stamp.utc_us().is_none() => {
                solution.basis.max(solve::Basis::Wrapper).as_str()
            }
            Some(_) if wrapper_us.is_some() => "wrapper",
            _ => "none",
        };
        return RecordTime {
            ts_us: wrapper_us,
            stamp_us: None,
            wrapper_us,
            clock: "wrapper",
            basis,
        };
    };
    let (ts_us, stamp_us, basis) = match (stamp.date, stamp.zone) {
        (StampDate::Full(_), StampZone::None) => {
            let civil = stamp.civil_us();
            let ts = civil
                .zip(solution.zone_seconds)
                .map(|(us, zone)| us - i64::from(zone) * 1_000_000);
            (ts, civil, solution.basis.as_str())
        }
        (StampDate::Full(_), _) => (stamp.utc_us(), stamp.civil_us(), "written"),
        _ => {
            let ts = solve::utc_us(solution, stamp);
            let zone = stamp.zone_seconds().or(solution.zone_seconds);
            let zone = zone.or(solution.slot_clock.map(|_| 0));
            (
                ts,
                ts.zip(zone)
                    .map(|(us, zone)| us + i64::from(zone) * 1_000_000),
                solution.basis.as_str(),
            )
        }
    };
    let basis = if ts_us.is_none() { "none" } else { basis };
    let wrapper_us =
        wrapper.and_then(|wrapper| solve::wrapper_utc_us(solution, wrapper, ts_us.or(near_us)));
    RecordTime {
        ts_us,
        stamp_us,
        wrapper_us,
        clock: "stamp",
        basis,
    }
}

/// Time columns in the making.
#[derive(Default)]
pub(crate) struct Times {
    pub(crate) ts: Vec<Option<i64>>,
    pub(crate) order: Vec<Option<i64>>,
    stamp: Vec<Option<i64>>,
    wrapper: Vec<Option<i64>>,
    clock: DictBuilder,
    basis: DictBuilder,
}

impl Times {
    pub(crate) fn with_capacity(rows: usize) -> Times {
        Times {
            ts: Vec::with_capacity(rows),
            order: Vec::with_capacity(rows),
            stamp: Vec::with_capacity(rows),
            wrapper: Vec::with_capacity(rows),
            ..Times::default()
        }
    }

    pub(crate) fn push(&mut self, time: &RecordTime, order: Option<i64>) {
        self.ts.push(time.ts_us);
        self.order.push(order);
        self.stamp.push(time.stamp_us);
        self.wrapper.push(time.wrapper_us);
        match time.ts_us {
            Some(_) => self.clock.push_static(time.clock),
            None => self.clock.push_null(),
        }
        self.basis.push_static(time.basis);
    }

    pub(crate) fn into_columns(self) -> Vec<Column> {
        vec![
            opt_i64_column("ts", ColumnType::TimestampUtc, &self.ts),
            opt_i64_column("ts_us", ColumnType::I64, &self.ts),
            opt_i64_column("ts_order", ColumnType::TimestampUtc, &self.order),
            opt_i64_column("ts_order_us", ColumnType::I64, &self.order),
            opt_i64_column("stamp_us", ColumnType::I64, &self.stamp),
            opt_i64_column("wrapper_us", ColumnType::I64, &self.wrapper),
            self.clock.finish("ts_clock"),
            self.basis.finish("ts_basis"),
        ]
    }
}

/// Returns the time columns of some of the rows. Those beside a time's own column hold the same numbers.
pub(crate) fn picked(columns: &[Column], rows: &[u32]) -> Vec<Column> {
    let mut picked: Vec<Column> = Vec::with_capacity(columns.len());
    for column in columns {
        let twin = column.name.strip_suffix("_us");
        let twin = twin.and_then(|name| picked.iter().find(|column| column.name == name));
        picked.push(match twin {
            Some(twin) => Column {
                name: column.name.clone(),
                column_type: column.column_type,
                ..twin.clone()
            },
            None => pick(column, rows),
        });
    }
    picked
}

/// Returns the stamps that lack year or date, as their lines write them: what a later solution needs.
pub(crate) fn partial_stamps<'a>(
    stamps: impl ExactSizeIterator<Item = &'a Option<Stamp>> + Clone,
) -> Column {
    let partial = |stamp: &&Stamp| -> bool { !matches!(stamp.date, StampDate::Full(_)) };
    if !stamps.clone().flatten().any(|stamp| partial(&stamp)) {
        let mut column = Column::new("stamp", ColumnType::Text);
        column.fill_nulls(stamps.len());
        return column;
    }
    let mut column = Column::new("stamp", ColumnType::Text);
    for written in stamps {
        match written.as_ref().filter(partial) {
            Some(written) => column.push_bytes(written.to_string().as_bytes()),
            None => column.push_null(),
        }
    }
    column
}
