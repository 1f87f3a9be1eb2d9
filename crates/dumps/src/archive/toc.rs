//! The head and the table of contents of an archive that `pg_dump` wrote.
//!
//! Both are a sequence of bytes, numbers (a sign, then as many bytes as the head says) and strings (a
//! length, then bytes; a negative length is NULL). What stands in them depends on the archive's version:
//! 1.12 (PostgreSQL 9.0) to 1.16 (17 and 18) are read.

use crate::facts::DumpError;
use crate::input::Input;
use model::time::{MICROS_PER_DAY, MICROS_PER_SECOND, days_from_civil, days_in_month};

/// What every archive begins with.
pub(crate) const MAGIC: &[u8] = b"PGDMP";
/// Versions that are read.
const VERSIONS: std::ops::RangeInclusive<u8> = 12..=16;
/// Most entries of a table of contents, and longest string in it.
const ENTRIES: i64 = 4 << 20;
const STRING: i64 = 64 << 20;

/// Why a table of contents cannot be read.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The archive ends inside of it.
    Cut,
    /// It makes no sense, or is of a version that is not known.
    Broken(String),
    /// The reader failed.
    Stopped(DumpError),
}

impl From<DumpError> for Fault {
    fn from(error: DumpError) -> Fault {
        Fault::Stopped(error)
    }
}

/// How data are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    /// zlib inside of a custom archive, gzip in a file of a directory.
    Gzip,
    Lz4,
    Zstd,
}

/// What the head says.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) numbers: Numbers,
    pub(crate) compression: Compression,
    pub(crate) database: Option<String>,
    pub(crate) server_version: Option<String>,
    pub(crate) dumped_by: Option<String>,
    /// When it was begun, by the clock of the machine that dumped, in microseconds: its zone is not told.
    pub(crate) started_local: Option<i64>,
    minor: u8,
    custom: bool,
}

/// How numbers and offsets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(super) int_bytes: usize,
    pub(super) offset_bytes: usize,
}

/// Where an entry's data lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    /// There are none.
    None,
    /// In a custom archive; the offset is known if the archive was written to a file.
    Block(Option<u64>),
    /// In a file, or a member of a tar, of this name (without an ending that tells the compression).
    File(String),
}

/// An entry.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// `TABLE`, `CONSTRAINT`, `TABLE DATA` …
    pub(crate) kind: String,
    /// SQL that makes it.
    pub(crate) definition: Vec<u8>,
    /// `COPY t (a, b) FROM stdin;`; empty where the data are INSERT statements.
    pub(crate) copy: Vec<u8>,
    pub(crate) schema: String,
    pub(crate) data: Data,
}

/// Takes numbers and strings off the front of an input.
pub(crate) struct Fields<'i, 'r> {
    pub(crate) input: &'i mut Input<'r>,
    pub(crate) numbers: Numbers,
}

impl Fields<'_, '_> {
    fn bytes<const N: usize>(&mut self, count: usize) -> Result<[u8; N], Fault> {
        while self.input.window().len() < count {
            if !self.input.more()? {
                let rest = self.input.window().len();
                self.input.consume_lines(rest, 0);
                return Err(Fault::Cut);
            }
        }
        let mut bytes = [0; N];
        bytes[..count].copy_from_slice(&self.input.window()[..count]);
        self.input.consume_lines(count, 0);
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.bytes::<1>(1)?[0])
    }

    pub(crate) fn int(&mut self) -> Result<i64, Fault> {
        let sign = self.byte()?;
        let value = u64::from_le_bytes(self.bytes::<8>(self.numbers.int_bytes)?);
        match (sign, i64::try_from(value)) {
            (0, Ok(value)) => Ok(value),
            (1, Ok(value)) => Ok(-value),
            _ => Err(Fault::Broken("a number without a sign".to_owned())),
        }
    }

    fn offset(&mut self) -> Result<Data, Fault> {
        let flag = self.byte()?;
        let value = u64::from_le_bytes(self.bytes::<8>(self.numbers.offset_bytes)?);
        match flag {
            1 => Ok(Data::Block(None)),
            2 => Ok(Data::Block(Some(value))),
            3 => Ok(Data::None),
            _ => Err(Fault::Broken(format!("an offset of kind {flag}"))),
        }
    }

    fn string(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let length = self.int()?;
        if length < 0 {
            return Ok(None);
        }
        if length > STRING {
            return Err(Fault::Broken(format!("a text of {length} bytes")));
        }
        let mut left = length as usize;
        let mut text = Vec::new();
        // Taken as it comes: a length is no proof that so much follows.
        while left > 0 {
            if self.input.window().is_empty() && !self.input.more()? {
                return Err(Fault::Cut);
            }
            let window = self.input.window();
            let used = left.min(window.len());
            text.extend_from_slice(&window[..used]);
            self.input.consume_lines(used, 0);
            left -= used;
        }
        Ok(Some(text))
    }

    fn text(&mut self) -> Result<String, Fault> {
        let bytes = self.string()?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn optional(&mut self) -> Result<Option<String>, Fault> {
        let bytes = self.string()?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

/// Reads the head.
pub(crate) fn head(input: &mut Input<'_>) -> Result<Head, Fault> {
    let mut fields = Fields {
        input,
        numbers: Numbers {
            int_bytes: 4,
            offset_bytes: 8,
        },
    };
    if fields.bytes::<5>(5)? != *MAGIC {
        return Err(Fault::Broken("no archive of pg_dump".to_owned()));
    }
    let [major, minor, _] = fields.bytes::<3>(3)?;
    if major != 1 || !VERSIONS.contains(&minor) {
        return Err(Fault::Broken(format!(
            "an archive of version {major}.{minor}, which is not read (1.12 to 1.16 are): let \
             pg_restore of the PostgreSQL that wrote it make a plain dump, `pg_restore -f dump.sql FILE`"
        )));
    }
    let [int_bytes, offset_bytes, format] = fields.bytes::<3>(3)?;
    if !matches!(int_bytes, 4 | 8) || !matches!(offset_bytes, 4 | 8) {
        return Err(Fault::Broken(format!(
            "numbers of {int_bytes} and offsets of {offset_bytes} bytes"
        )));
    }
    fields.numbers = Numbers {
        int_bytes: usize::from(int_bytes),
        offset_bytes: usize::from(offset_bytes),
    };
    let custom = match format {
        1 => true,
        3 | 5 => false,
        other => return Err(Fault::Broken(format!("an archive of format {other}"))),
    };
    let compression = if minor >= 15 {
        match fields.byte()? {
            0 => Compression::None,
            1 => Compression::Gzip,
            2 => Compression::Lz4,
            3 => Compression::Zstd,
            other => return Err(Fault::Broken(format!("compression number {other}"))),
        }
    } else if fields.int()? == 0 {
        Compression::None
    } else {
        Compression::Gzip
    };
    let mut clock = [0; 7];
    for part in &mut clock {
        *part = fields.int()?;
    }
    let database = fields.optional()?;
    let server_version = fields.optional()?;
    let dumped_by = fields.optional()?;
    Ok(Head {
        numbers: fields.numbers,
        compression,
        database,
        server_version,
        dumped_by: dumped_by.map(|version| format!("pg_dump version {version}")),
        started_local: civil(clock),
        minor,
        custom,
    })
}

/// The civil time of a `struct tm`: second, minute, hour, day, month from 0, year from 1900, summer time; `None` if there
/// is no such time.
fn civil([second, minute, hour, day, month, year, _]: [i64; 7]) -> Option<i64> {
    let year = i32::try_from(year.checked_add(1900)?).ok()?;
    let month = u8::try_from(month.checked_add(1)?).ok()?;
    let day = u8::try_from(day).ok()?;
    // No program of that name is older, and no date that is so far off is one.
    let is_date = (1990..10_000).contains(&year) && (1..=12).contains(&month);
    let is_time =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    if !is_date || !is_time || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    let days = i64::from(days_from_civil(year, month, day));
    Some(days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND)
}

/// Reads the table of contents behind the head, entry by entry.
pub(crate) fn entries(
    input: &mut Input<'_>,
    head: &Head,
    mut take: impl FnMut(Entry),
) -> Result<(), Fault> {
    let mut fields = Fields {
        input,
        numbers: head.numbers,
    };
    let count = fields.int()?;
    if !(0..=ENTRIES).contains(&count) {
        return Err(Fault::Broken(format!(
            "a table of contents of {count} entries"
        )));
    }
    for _ in 0..count {
        let id = fields.int()?;
        fields.int()?; // whether there are data: the offset says it too
        fields.string()?; // catalogue ids
        fields.string()?;
        let name = fields.text()?;
        let kind = fields.text()?;
        fields.int()?; // section
        let definition = fields.string()?.unwrap_or_default();
        fields.string()?; // how to drop it
        let copy = fields.string()?.unwrap_or_default();
        let schema = fields.text()?;
        fields.string()?; // tablespace
        if head.minor >= 14 {
            fields.string()?; // table access method
        }
        if head.minor >= 16 {
            fields.int()?; // kind of relation
        }
        fields.string()?; // owner
        fields.string()?; // WITH OIDS
        // What it depends on.
        while fields.string()?.is_some() {}
        let data = match head.custom {
            true => fields.offset()?,
            false => match fields.text()? {
                file if file.is_empty() => Data::None,
                file => Data::File(file),
            },
        };
        take(Entry {
            id,
            name,
            kind,
            definition,
            copy,
            schema,
            data,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_times_of_c() {
        let us = model::time::parse_civil("2026-11-21T05:17:08").map(|(us, _)| us);
        assert!(us.is_some());
        assert_eq!(civil([8, 17, 5, 21, 10, 126, 0]), us);
        for nonsense in [
            [8, 17, 5, 31, 10, 126, 0],
            [8, 17, 24, 21, 10, 126, 0],
            [8, 17, 5, 21, 12, 126, 0],
            [8, 17, 5, 21, 10, -1900, 0],
            [0, 0, 0, 0, 0, 0, 0],
            [i64::MAX; 7],
            [i64::MIN; 7],
        ] {
            assert_eq!(civil(nonsense), None, "{nonsense:?}");
        }
    }
}
