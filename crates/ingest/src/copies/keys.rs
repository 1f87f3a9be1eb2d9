//! What a record says, as one number: its own stamp and bytes, without what is wrapped around them.
//!
//! The bytes are taken as they were understood (level, component, message, fields as printed): a copy that
//! lost its colours or gained a wrapper says the same.

use crate::columns::words_of;
use model::{Batch, Record};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One record in so many is sampled, chosen by what it says: copies choose the same ones.
const SAMPLED: u64 = 64;
/// One in so many is left by stamp, level, component and message alone.
const FIRST: u64 = 8;

/// Returns a key of what the record says, if the record is one that is sampled. Records without any stamp
/// never are.
///
/// Neither are lines of the machine's programs. Beside a client's they would tell less than those (cron says the
/// same everywhere at the same second), and journals without a client are few: they are compared in full.
pub(crate) fn sample(record: &Record<'_>) -> Option<i64> {
    if record.client == model::SYSTEM_CLIENT {
        return None;
    }
    let wrapped = || record.wrapper.iter().rev().find_map(|layer| layer.stamp);
    let stamp = record.stamp.or_else(wrapped)?;
    let day = match stamp.date {
        model::StampDate::Full(day) => day as u64,
        model::StampDate::NoYear { month, day } => u64::from(month) << 8 | u64::from(day),
        model::StampDate::Slot { epoch, slot } => u64::from(epoch) << 16 ^ u64::from(slot),
        model::StampDate::None => 0,
    };
    let mut hash = Mix(day ^ stamp.nanos_of_day.rotate_left(24));
    hash.word(record.level.map_or(0, |level| level as u64 + 1));
    hash.bytes(record.component.unwrap_or_default());
    hash.bytes(record.message);
    // Fields are most of a line: seven of eight records are out before they are looked at.
    if !hash.finish().is_multiple_of(FIRST) {
        return None;
    }
    for field in record.fields {
        hash.bytes(field.key);
        hash.bytes(field.value.bytes());
    }
    let key = hash.finish();
    (key / FIRST)
        .is_multiple_of(SAMPLED / FIRST)
        .then_some((key / SAMPLED) as i64)
}

/// A multiply-rotate hash. What collides on purpose costs a closer look, nothing else.
struct Mix(u64);

impl Mix {
    #[inline]
    fn word(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        let (words, rest) = words_of(bytes);
        words.for_each(|word| self.word(word));
        self.word(rest);
    }

    fn finish(&self) -> u64 {
        let mut hash = self.0;
        hash = (hash ^ hash >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        hash = (hash ^ hash >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        hash ^ hash >> 33
    }
}

/// Columns of `records` that a key is made of.
pub(crate) const COLUMNS: &[&str] = &[
    "stamp_us",
    "wrapper_us",
    "stamp",
    "level",
    "component",
    "message",
    "fields",
    "process",
    "source",
    "line",
];

/// A record and its key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    /// Its process.
    pub(crate) process: u32,
    /// Its first line.
    pub(crate) line: u64,
    /// Digest of stamp and bytes; `None` if nothing tells when it was: nobody can say that another is the
    /// same.
    pub(crate) key: Option<u128>,
    /// Its own civil time as far as it can be compared with others of its kind.
    pub(crate) stamp_us: Option<i64>,
    /// When it was, by whichever clock its key was made of.
    pub(crate) instant: Option<i64>,
    /// Whether its stamp writes fractions of a second.
    pub(crate) is_fine: bool,
}

/// When a record says it is.
#[derive(Clone, Debug, PartialEq)]
enum When {
    /// As it writes.
    Civil(i64),
    /// As it writes, and the day where it writes none.
    Partial(String, i64),
    /// As its wrapper writes.
    Wrapper(i64),
}

/// Makes keys of records that come in line order.
pub(crate) struct Keys {
    /// Whether times without a date are told apart by the day that was solved.
    with_days: bool,
    /// The last stamp of each process: a record without one goes with it.
    last: BTreeMap<u32, When>,
}

impl Keys {
    /// Keys of what records write.
    pub(crate) fn as_written() -> Keys {
        Keys {
            with_days: false,
            last: BTreeMap::new(),
        }
    }

    /// Keys that also tell days apart: a line at the same time of another day is another.
    pub(crate) fn with_days() -> Keys {
        Keys {
            with_days: true,
            last: BTreeMap::new(),
        }
    }

    /// Passes the records of a batch with their keys to `f`.
    pub(crate) fn read<E>(
        &mut self,
        batch: &Batch,
        f: &mut dyn FnMut(Keyed) -> Result<(), E>,
    ) -> Result<(), E> {
        let column = |name: &str| batch.column(name);
        let (stamp_us, wrapper_us, stamp) =
            (column("stamp_us"), column("wrapper_us"), column("stamp"));
        let texts = [
            column("level"),
            column("component"),
            column("message"),
            column("fields"),
        ];
        let (process, line) = (column("process"), column("line"));
        for row in 0..batch.rows() {
            let number = |column: Option<&model::Column>| column.and_then(|column| column.i64(row));
            let process = number(process).map_or(0, |process| process.max(0) as u32);
            let civil = number(stamp_us);
            let partial = stamp.and_then(|column| column.text(row));
            let (own, comparable) = match (partial, civil) {
                (Some(text), civil) => {
                    let tells_days = self.with_days && text.starts_with('T');
                    let day = civil
                        .filter(|_| tells_days)
                        .map_or(0, |us| us.div_euclid(model::time::MICROS_PER_DAY));
                    let stamp: Option<model::Stamp> = text.parse().ok();
                    let comparable = stamp.as_ref().and_then(super::comparable);
                    (Some(When::Partial(text.to_owned(), day)), comparable)
                }
                (None, civil) => (civil.map(When::Civil), civil),
            };
            let has_own = own.is_some();
            let when = match own {
                Some(own) => {
                    self.last.insert(process, own.clone());
                    Some(own)
                }
                None => self
                    .last
                    .get(&process)
                    .cloned()
                    .or_else(|| number(wrapper_us).map(When::Wrapper)),
            };
            let mut hash = Sha256::new();
            match &when {
                None => {}
                Some(When::Civil(us)) => hash.update(us.to_le_bytes()),
                Some(When::Partial(text, day)) => {
                    hash.update(text.as_bytes());
                    hash.update(day.to_le_bytes());
                }
                Some(When::Wrapper(us)) => {
                    hash.update(b"w");
                    hash.update(us.to_le_bytes());
                }
            }
            hash.update([u8::from(has_own)]);
            for column in texts {
                let bytes = column
                    .and_then(|column| column.bytes(row))
                    .unwrap_or_default();
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
            let digest: [u8; 32] = hash.finalize().into();
            let half: [u8; 16] = digest[..16].try_into().expect("sixteen of them");
            f(Keyed {
                process,
                line: number(line).map_or(0, |line| line.max(0) as u64),
                key: when.map(|_| u128::from_le_bytes(half)),
                stamp_us: comparable,
                instant: comparable.or(number(wrapper_us)),
                is_fine: civil.is_some_and(|us| us % 1_000_000 != 0),
            })?;
        }
        Ok(())
    }
}
