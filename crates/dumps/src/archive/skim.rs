//! Tables passed over before they are asked: where their rows lie, and what keys they have.
//!
//! While one table is read, another thread unpacks those of which a few rows will be asked by a number. It keeps none
//! of their text, for fresh memory costs more time than unpacking does: of each stretch of rows it notes the lowest and
//! the highest number, and where the stream can be entered before it. When the numbers are known, only the stretches
//! that may have them are unpacked again. What is not quite as it should be is left to those who read the whole table
//! and say what is wrong with it.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use model::RowFilter;

use super::custom::End;
use super::inflate::{Entry, Fast, Inflate, REACH};
use super::place::{OpenAt, Place as Packed, with_chunks};
use crate::facts::WantTable;
use crate::rows::{Field, Place, RowBuilder, field};
use crate::value::{Decoder, integer};

/// Text that is unpacked at once.
const BLOCK: usize = 256 << 10;
/// Room for text: a row that does not fit is left to others.
const ROOM: usize = 1 << 20;

/// How finely stretches are cut.
#[derive(Clone, Copy)]
struct Grain {
    /// Bytes of text in a stretch, at first.
    bytes: u64,
    /// Most stretches that are noted, with 32 KiB each: more are put together two by two.
    most: usize,
}
const GRAIN: Grain = Grain {
    bytes: 1 << 20,
    most: 512,
};
/// Most stretches that are unpacked again for one question: each is looked for from the table's begin.
const MOST_ASKED: usize = 8;

/// What is noted of rows.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    /// The columns of the rows.
    pub(super) fields: Vec<(String, Decoder)>,
    /// The one by whose numbers rows will be asked, and its place.
    pub(super) by: String,
    pub(super) key: usize,
    /// Those of which the newest time is noted, if they hold times.
    pub(super) newest: Vec<String>,
}

impl Noted {
    /// Makes what takes no row, and notes the newest times of all.
    fn watcher(&self) -> RowBuilder {
        let fields = self.fields.iter();
        let fields: Vec<Field<'_>> = fields.map(|(name, how)| (name.as_str(), *how)).collect();
        let want = WantTable {
            filter: RowFilter::I64In(String::new(), Vec::new()),
            newest: self.newest.clone(),
            ..WantTable::all(None, "")
        };
        RowBuilder::of_want(&fields, &[], &want)
    }
}

/// Rows that lie behind each other.
struct Stretch {
    /// Where the stream is entered; its place counts the text's bytes.
    entry: Entry,
    /// What was made before it.
    window: Box<[u8]>,
    /// Where the first row begins.
    byte: u64,
    /// Its number among the table's rows, and its line.
    ordinal: i64,
    rows: i64,
    /// The lowest and the highest number, unless all are NULL.
    keys: Option<(i64, i64)>,
}

/// What is known of a table that was passed over.
pub(super) struct Skimmed {
    stretches: Vec<Stretch>,
    /// The newest finite times of the watched columns.
    pub(super) newest: BTreeMap<String, Option<i64>>,
}

/// Passes over a table's rows; `None` if they must be read whole, or nobody wants to know any more.
pub(super) fn skim(
    open: OpenAt<'_>,
    packed: Packed,
    noted: &Noted,
    unwanted: &AtomicBool,
) -> Option<Skimmed> {
    skim_by(open, packed, noted, unwanted, GRAIN)
}

fn skim_by(
    open: OpenAt<'_>,
    packed: Packed,
    noted: &Noted,
    unwanted: &AtomicBool,
    grain: Grain,
) -> Option<Skimmed> {
    with_chunks(open, packed, |chunks| {
        let wanted = Wanted {
            packed: &mut *chunks,
            unwanted,
        };
        let mut text = Text::new(Inflate::new(wanted), b"", 0);
        let skimmed = text.pass(noted, grain)?;
        drop(text);
        io::copy(chunks, &mut io::sink()).ok()?;
        (chunks.end == Some(End::Whole)).then_some(skimmed)
    })
}

impl Skimmed {
    /// Hands the rows that may have one of the numbers (sorted) to `builder`; `None` if that is too many, or if they are
    /// not as they were.
    pub(super) fn build(
        &self,
        open: OpenAt<'_>,
        packed: Packed,
        numbers: &[i64],
        builder: &mut RowBuilder,
    ) -> Option<()> {
        let may_have = |stretch: &&Stretch| {
            stretch.keys.is_some_and(|(lowest, highest)| {
                let next = numbers.partition_point(|number| *number < lowest);
                numbers.get(next).is_some_and(|number| *number <= highest)
            })
        };
        let stretches: Vec<&Stretch> = self.stretches.iter().filter(may_have).collect();
        if stretches.len() > MOST_ASKED {
            return None;
        }
        for stretch in stretches {
            with_chunks(open, packed, |chunks| {
                let before = stretch.entry.bit / 8;
                let skipped = io::copy(&mut chunks.by_ref().take(before), &mut io::sink());
                if skipped.ok() != Some(before) {
                    return None;
                }
                let inflate = Inflate::enter(chunks, stretch.entry);
                let mut text = Text::new(inflate, &stretch.window, stretch.entry.at as u64);
                text.build(stretch, builder)
            })?;
        }
        Some(())
    }
}

/// Packed bytes that end where nobody wants them any more.
struct Wanted<'w, R> {
    packed: R,
    unwanted: &'w AtomicBool,
}

impl<R: Read> Read for Wanted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.unwanted.load(Ordering::Relaxed) {
            true => Ok(0),
            false => self.packed.read(buffer),
        }
    }
}

/// Text while it is unpacked, row by row.
struct Text<R> {
    inflate: Inflate<R>,
    made: Vec<u8>,
    /// Bytes of text before those in `made`.
    before: u64,
    /// The next row begins here.
    row: usize,
    end: usize,
    how: Fast,
    /// An entry that no stretch begins with yet, and what was made before it.
    entry: Option<(Entry, Box<[u8]>)>,
    /// The next entry is noted from this byte on, and so many behind each.
    wanted_from: u64,
    stretch_bytes: u64,
}

impl<R: Read> Text<R> {
    /// The stream goes on behind a window, which ends at this byte of the text.
    fn new(inflate: Inflate<R>, window: &[u8], at: u64) -> Text<R> {
        let mut made = vec![0; ROOM + REACH + BLOCK];
        made[..window.len()].copy_from_slice(window);
        Text {
            inflate,
            made,
            before: at - window.len() as u64,
            row: window.len(),
            end: window.len(),
            how: Fast::More,
            entry: None,
            wanted_from: u64::MAX,
            stretch_bytes: 0,
        }
    }

    /// Finds the next row, without its line feed; `None` at the end, also where that comes too early.
    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        loop {
            let rest = &self.made[self.row..self.end];
            if let Some(length) = memchr::memchr(b'\n', rest) {
                let row = self.row..self.row + length;
                self.row += length + 1;
                return Some(row);
            }
            self.unpack()?;
        }
    }

    /// Unpacks more behind the row at hand.
    fn unpack(&mut self) -> Option<()> {
        let kept = (self.end - self.row).max(REACH.min(self.end));
        let first = self.end - kept;
        self.made.copy_within(first..self.end, 0);
        self.before += first as u64;
        (self.row, self.end) = (self.row - first, kept);
        if self.how == Fast::Whole || self.end + BLOCK > self.made.len() {
            return None;
        }
        (self.end, self.how) = self.inflate.fill(&mut self.made[..kept + BLOCK], kept);
        if self.how == Fast::Fault {
            return None;
        }
        if let Some(entry) = self.inflate.entry()
            && self.before + entry.at as u64 >= self.wanted_from
        {
            let window = &self.made[entry.at.saturating_sub(REACH)..entry.at];
            let at = self.before as usize + entry.at;
            self.entry = Some((Entry { at, ..entry }, window.into()));
            self.wanted_from = at as u64 + self.stretch_bytes;
        }
        Some(())
    }

    /// Passes over all rows.
    fn pass(&mut self, noted: &Noted, grain: Grain) -> Option<Skimmed> {
        (self.wanted_from, self.stretch_bytes) = (0, grain.bytes);
        let mut stretches: Vec<Stretch> = Vec::new();
        let mut watcher = noted.watcher();
        let mut ordinal = 1;
        loop {
            let row = self.next()?;
            let place = self.place(&row, ordinal);
            let row = &self.made[row];
            if row == b"\\." {
                break;
            }
            if row.last() == Some(&b'\r') {
                return None;
            }
            watcher.push(row, ordinal, place).ok()?;
            let byte = place.byte;
            if let Some((entry, window)) = self.entry.take_if(|(entry, _)| entry.at as u64 <= byte)
            {
                if stretches.len() == grain.most {
                    self.stretch_bytes *= 2;
                    stretches = every_other(stretches);
                }
                stretches.push(Stretch {
                    entry,
                    window,
                    byte,
                    ordinal,
                    rows: 0,
                    keys: None,
                });
            }
            let stretch = stretches.last_mut()?;
            stretch.rows += 1;
            ordinal += 1;
            let key = field(row, noted.key, noted.fields.len());
            if key != b"\\N" {
                let key = integer(key)?;
                stretch.keys = widened(stretch.keys, (key, key));
            }
        }
        // Behind the end mark stand empty lines.
        while let Some(row) = self.next() {
            if !row.is_empty() {
                return None;
            }
        }
        if self.how != Fast::Whole || self.row != self.end {
            return None;
        }
        let newest = watcher.newest();
        Some(Skimmed {
            stretches,
            newest: newest.map(|(name, us)| (name.to_owned(), us)).collect(),
        })
    }

    /// Where a row lies: each is a line.
    #[inline]
    fn place(&self, row: &Range<usize>, ordinal: i64) -> Place {
        Place {
            line: ordinal as u64,
            byte: self.before + row.start as u64,
            length: row.len() as u64 + 1,
        }
    }

    /// Hands the rows of a stretch to `builder`; the text begins at its entry.
    fn build(&mut self, stretch: &Stretch, builder: &mut RowBuilder) -> Option<()> {
        while self.before + (self.end as u64) < stretch.byte {
            self.row = self.end;
            self.unpack()?;
        }
        self.row = (stretch.byte - self.before) as usize;
        for ordinal in (stretch.ordinal..).take(stretch.rows as usize) {
            let row = self.next()?;
            let place = self.place(&row, ordinal);
            builder.push(&self.made[row], ordinal, place).ok()?;
        }
        Some(())
    }
}

fn widened(one: Option<(i64, i64)>, other: (i64, i64)) -> Option<(i64, i64)> {
    let (lowest, highest) = one.unwrap_or(other);
    Some((lowest.min(other.0), highest.max(other.1)))
}

/// Puts stretches together two by two.
fn every_other(stretches: Vec<Stretch>) -> Vec<Stretch> {
    let mut kept: Vec<Stretch> = Vec::with_capacity(stretches.len());
    for (nth, stretch) in stretches.into_iter().enumerate() {
        match kept.last_mut().filter(|_| nth % 2 == 1) {
            Some(last) => {
                last.rows += stretch.rows;
                last.keys = stretch
                    .keys
                    .map_or(last.keys, |keys| widened(last.keys, keys));
            }
            None => kept.push(stretch),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::super::place::tests::{block, pack, place};
    use super::*;
    use model::{Batch, ColumnType};
    use proptest::prelude::*;
    use std::io::{BufRead, Cursor};

    /// Rows of a text, a number and a time: numbers that rise, that lie anywhere, or are NULL.
    fn rows(count: i64, order: u64) -> Vec<(Option<i64>, i64, String)> {
        let row = |nth: i64| {
            let mixed = (nth as u64 ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
            let number = match order % 3 {
                0 => Some(nth * 2),
                1 => Some((mixed % 100_000) as i64),
                _ => (mixed & 3 > 0).then_some(nth / 3),
            };
            let second = (mixed % 60) as i64;
            let text = format!("{mixed:x}{}", "x".repeat(mixed as usize % 700));
            (number, second, text)
        };
        (0..count).map(row).collect()
    }

    fn text(rows: &[(Option<i64>, i64, String)]) -> Vec<u8> {
        let line = |(number, second, text): &(Option<i64>, i64, String)| {
            let number = number.map_or("\\N".to_owned(), |number| number.to_string());
            format!("{text}\t{number}\t2023-09-18 03:50:{second:02}\n")
        };
        let mut all: String = rows.iter().map(line).collect();
        all.push_str("\\.\n\n\n");
        all.into_bytes()
    }

    fn noted() -> Noted {
        Noted {
            fields: fields().map(|(name, how)| (name.to_owned(), how)).into(),
            by: "number".to_owned(),
            key: 1,
            newest: vec!["time".to_owned()],
        }
    }

    fn fields() -> [(&'static str, Decoder); 3] {
        [
            ("text", Decoder::Text),
            ("number", Decoder::Int),
            ("time", Decoder::TimestampCivil),
        ]
    }

    fn with<T>(block: &[u8], look: impl FnOnce(OpenAt<'_>) -> T) -> T {
        let open = |byte: u64| {
            let bytes = block[byte as usize..].to_vec();
            Ok(Box::new(Cursor::new(bytes)) as Box<dyn BufRead + Send>)
        };
        look(&open)
    }

    fn builder(filter: &RowFilter) -> RowBuilder {
        let wanted = [
            ("number".to_owned(), ColumnType::I64),
            ("#line".to_owned(), ColumnType::I64),
            ("#byte".to_owned(), ColumnType::I64),
            ("#length".to_owned(), ColumnType::I64),
            ("text".to_owned(), ColumnType::Text),
        ];
        RowBuilder::new(&fields(), &wanted, filter)
    }

    /// Reads the whole text.
    fn plainly(text: &[u8], filter: &RowFilter) -> Batch {
        let mut builder = builder(filter);
        let mut byte = 0;
        for (nth, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line == b"\\.\n" {
                break;
            }
            let place = Place {
                line: nth as u64 + 1,
                byte,
                length: line.len() as u64,
            };
            builder
                .push(&line[..line.len() - 1], nth as i64 + 1, place)
                .unwrap();
            byte += line.len() as u64;
        }
        builder.take()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn rows_are_found_again(
            count in 0..9_000i64,
            order: u64,
            level in 1..10u32,
            chunk in 100..9_000usize,
            most in 2..9usize,
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        ) {
            let rows = rows(count, order);
            let text = text(&rows);
            let block = block(&pack(&text, level), chunk);
            let grain = Grain { bytes: 1, most };
            let skimmed = with(&block, |open| skim_by(open, place(), &noted(), &AtomicBool::new(false), grain));
            let skimmed = skimmed.expect("nothing is wrong with it");
            prop_assert!(skimmed.stretches.len() <= most);
            prop_assert!(most == 2 || count < 8_000 || skimmed.stretches.len() > 2);
            let newest = rows.iter().map(|(_, second, _)| 1_695_009_000_000_000 + second * 1_000_000).max();
            prop_assert_eq!(&skimmed.newest["time"], &newest);
            // Numbers that are there, and one that is not.
            let there = picks.iter().filter(|_| count > 0).filter_map(|pick| rows[pick.index(rows.len())].0);
            let mut numbers: Vec<i64> = there.chain([-7]).collect();
            numbers.sort_unstable();
            numbers.dedup();
            let filter = RowFilter::I64In("number".to_owned(), numbers.clone());
            let mut builder = builder(&filter);
            let built = with(&block, |open| skimmed.build(open, place(), &numbers, &mut builder));
            prop_assert!(built.is_some());
            prop_assert_eq!(builder.take(), plainly(&text, &filter));
        }
    }

    /// Whatever is odd is left to those who read the whole table.
    #[test]
    fn what_is_not_as_it_should_be_is_not_skimmed() {
        let skimmed = |packed: &[u8]| {
            let skim = |open: OpenAt<'_>| skim(open, place(), &noted(), &AtomicBool::new(false));
            with(&block(packed, 5_000), skim).is_some()
        };
        let good = text(&rows(3_000, 3));
        assert!(skimmed(&pack(&good, 6)));
        let first = memchr::memchr(b'\n', &good).unwrap();
        let with_row = |row: &[u8]| [&good[..=first], row, &good[first + 1..]].concat();
        for row in [
            &b"a\t1\n"[..],
            b"a\t1\t2023-09-18 03:50:19\tb\n",
            b"a\tone\t2023-09-18 03:50:19\n",
            b"a\t1\t2023-09-38 03:50:19\n",
            b"a\t1\t2023-09-18 03:50:19\r\n",
            b"COPY public.u (a) FROM stdin;\n",
            b"\\.\n",
        ] {
            assert!(!skimmed(&pack(&with_row(row), 6)), "{}", row.escape_ascii());
        }
        assert!(skimmed(&pack(&with_row(b"\\N\t\\N\tinfinity\n"), 6)));
        assert!(
            !skimmed(&pack(&with_row(&[b'a'; 2 << 20]), 6)),
            "a row that does not fit"
        );
        let mark = good.len() - b"\\.\n\n\n".len();
        assert!(!skimmed(&pack(&good[..mark], 6)), "no end mark");
        assert!(!skimmed(&pack(&good[..mark - 5], 6)), "cut in a row");
        let mut packed = pack(&good, 6);
        assert!(!skimmed(&packed[..packed.len() - 9]), "a cut stream");
        let middle = packed.len() / 2;
        packed[middle] ^= 4;
        assert!(!skimmed(&packed), "a broken stream");
        let whole = block(&pack(&good, 6), 5_000);
        let unwanted = |open: OpenAt<'_>| skim(open, place(), &noted(), &AtomicBool::new(true));
        assert!(with(&whole, unwanted).is_none(), "nobody wants it");
    }
}
