//! As of when a rollup's database is asked: what dumps say of their making, and times that count back from that.

use crate::{Error, TimeContext, TimeSpec, Zone};
use analysis::trace::AsOf;
use case::Snapshot;

/// What a dump's header says of when it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dumped {
    /// Microseconds UTC, where the zone is told.
    pub(crate) at_us: Option<i64>,
    /// Civil microseconds of the machine that dumped, where it is not.
    pub(crate) local_us: Option<i64>,
}

impl Dumped {
    /// What a case keeps of it.
    pub(crate) fn of(snapshot: &Snapshot) -> Dumped {
        Dumped {
            at_us: snapshot.as_of_us,
            local_us: snapshot.as_of_local_us,
        }
    }
}

/// Resolves the time that a question is about; `own` is the snapshot's, from which `-3h` counts back.
///
/// # Errors
/// As [`TimeSpec::resolve`], and if nobody knows the zone of the snapshot's own time.
pub(crate) fn resolve_as_of(
    asked: Option<TimeSpec>,
    zone: Option<Zone>,
    own: impl FnOnce() -> Result<Option<AsOf>, Error>,
) -> Result<Option<i64>, Error> {
    let Some(asked) = asked else { return Ok(None) };
    let mut context = TimeContext {
        zone: zone.unwrap_or(Zone::UTC),
        ..TimeContext::default()
    };
    if matches!(asked, TimeSpec::Before(_)) {
        let own = own()?;
        if let Some(local) = own.as_ref().filter(|own| !own.utc) {
            return Err(Error::request(format!(
                "a time like -3h counts back from the snapshot's own, {} ({}), of which nobody knows the zone",
                local.value, local.basis
            ))
            .with_hint("write the time in full, for example 2023-09-18T05:00:00Z"));
        }
        context.newest_us = own.map(|own| own.us);
    }
    asked.resolve(&context).map(Some)
}
