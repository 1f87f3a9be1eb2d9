//! Minutes of stamps: what most lines of a log share with the line before.

use crate::lanes::{eight, pairs_like};
use crate::scan::{NANOS_PER_SECOND, digits, english_month, month_day_clock, pair};
use model::time;
use std::cell::Cell;

/// A minute as it is written, in a day and nanoseconds of the day.
#[derive(Clone, Copy)]
pub(crate) struct Minute<D> {
    text: [u64; 2],
    pub(crate) day: D,
    pub(crate) nanos: u64,
}

thread_local! {
    /// The minutes that were read last, with a year and with an English month. Most lines of a log have the one of the
    /// line before, and then it is compared and not read again: a stamp is what it says, whatever was read before.
    static LAST: Cell<Minute<i32>> = const {
        Cell::new(Minute {
            text: [
                u64::from_le_bytes(*b"1970-01-"),
                u64::from_le_bytes(*b"01T00:00"),
            ],
            day: 0,
            nanos: 0,
        })
    };
    static LAST_ENGLISH: Cell<Minute<(u8, u8)>> = const {
        Cell::new(Minute {
            text: [
                u64::from_le_bytes(*b"Jan 01 0"),
                u64::from_le_bytes(*b"01 00:00"),
            ],
            day: (1, 1),
            nanos: 0,
        })
    };
}

/// `YYYY-MM-DD HH:MM`: the day is one since 1970.
impl Minute<i32> {
    #[inline(always)]
    pub(crate) fn of(text: &[u8; 19]) -> Option<Self> {
        let words = [eight(text, 0), eight(text, 8)];
        let last = LAST.get();
        if last.text == words {
            return Some(last);
        }
        let read = Minute::read(text, words)?;
        LAST.set(read);
        Some(read)
    }

    #[inline(never)]
    fn read(text: &[u8; 19], words: [u64; 2]) -> Option<Self> {
        let pairs = pairs_like(b"0000-00-", text.first_chunk()?)?;
        let (year, month) = (i32::from(pairs[0]) * 100 + i32::from(pairs[2]), pairs[5]);
        let day = pair(text[8], text[9]);
        let (hour, minute) = (pair(text[11], text[12]), pair(text[14], text[15]));
        let fine = (day > 0)
            & matches!(text[10], b' ' | b'T')
            & (hour <= 23)
            & (text[13] == b':')
            & (minute <= 59);
        if !fine || day > u32::from(time::days_in_month(year, month)) {
            return None;
        }
        Some(Minute {
            text: words,
            day: time::days_from_civil(year, month, day as u8),
            nanos: u64::from(hour * 60 + minute) * 60 * NANOS_PER_SECOND,
        })
    }
}

/// `Aug 14 HH:MM`, `Aug-14 HH:MM`: month and day.
impl Minute<(u8, u8)> {
    #[inline(always)]
    pub(crate) fn english(text: &[u8; 15]) -> Option<Self> {
        // The words lie over each other: twelve bytes.
        let words = [eight(text, 0), eight(text, 4)];
        let last = LAST_ENGLISH.get();
        if last.text == words {
            return Some(last);
        }
        let read = Minute::read_english(text, words)?;
        LAST_ENGLISH.set(read);
        Some(read)
    }

    #[inline(never)]
    fn read_english(text: &[u8; 15], words: [u64; 2]) -> Option<Self> {
        let [a, b, c, b' ' | b'-', _, _, b' ', ..] = *text else {
            return None;
        };
        let month = english_month(&[a, b, c])?;
        let day = digits(text, 4, 2)?;
        let (stamp, _) = month_day_clock(month, day, text, 7)?;
        let seconds = u64::from(pair(text[13], text[14]));
        Some(Minute {
            text: words,
            day: (month, day as u8),
            nanos: stamp.nanos_of_day - seconds * NANOS_PER_SECOND,
        })
    }
}
