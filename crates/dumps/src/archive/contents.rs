//! What an archive holds, and where.

use super::tar::{self, BLOCK, Body, Header};
use super::toc::{self, Compression, Data, Entry, Fault, Head};
use crate::facts::{DumpError, DumpKind};
use crate::input::Input;
use crate::plain::Reader;

/// How files are compressed, by the ends of their names.
const ENDINGS: [(&str, Compression); 4] = [
    (".gz", Compression::Gzip),
    (".lz4", Compression::Lz4),
    (".zst", Compression::Zstd),
    ("", Compression::None),
];

/// Takes the ending of a compression off a file's name.
pub(super) fn compression_of(name: &str) -> (&str, Compression) {
    let found = ENDINGS
        .iter()
        .find_map(|(ending, compression)| Some((name.strip_suffix(ending)?, *compression)));
    found.unwrap_or((name, Compression::None))
}

/// What an archive holds.
pub(super) struct Contents {
    pub(super) head: Head,
    /// Entries with data.
    pub(super) data: Vec<Entry>,
}

impl Contents {
    pub(super) fn by_id(&self, id: i64) -> Option<usize> {
        self.data.iter().position(|entry| entry.id == id)
    }

    /// Finds the entry of a file, and how the file is compressed.
    pub(super) fn by_file(&self, name: &str) -> Option<(usize, Compression)> {
        ENDINGS.iter().find_map(|(ending, compression)| {
            let name = name.strip_suffix(ending)?;
            let found = self
                .data
                .iter()
                .position(|entry| matches!(&entry.data, Data::File(file) if file == name))?;
            Some((found, *compression))
        })
    }

    /// Where the block behind this offset begins, as far as the table of contents knows.
    pub(super) fn next_block(&self, byte: u64) -> Option<u64> {
        self.data
            .iter()
            .filter_map(|entry| match entry.data {
                Data::Block(at) => at,
                _ => None,
            })
            .filter(|&at| at > byte)
            .min()
    }
}

/// Kinds of entries whose SQL says something about tables.
const DEFINING: [&str; 9] = [
    "TABLE",
    "TABLE ATTACH",
    "FOREIGN TABLE",
    "CONSTRAINT",
    "DOMAIN",
    "DATABASE",
    "ENCODING",
    "STDSTRINGS",
    "SEARCHPATH",
];

/// Reads head and table of contents; the reader learns what they say.
pub(super) fn contents(
    input: &mut Input<'_>,
    kind: DumpKind,
    reader: &mut Reader<'_, '_>,
) -> Result<Contents, Fault> {
    let mut end = None;
    if kind != DumpKind::PgDumpCustom {
        let Some(Header::Member(member)) = next_header(input)? else {
            return Err(Fault::Cut);
        };
        input.consume_lines(BLOCK, 0);
        end = Some(input.byte() + member.bytes.next_multiple_of(BLOCK as u64));
    }
    let head = toc::head(input)?;
    reader.facts.database.clone_from(&head.database);
    reader.facts.server_version.clone_from(&head.server_version);
    reader.facts.dumped_by.clone_from(&head.dumped_by);
    reader.facts.started_local = head.started_local;
    let mut data = Vec::new();
    toc::entries(input, &head, |mut entry| {
        if DEFINING.contains(&entry.kind.as_str()) {
            reader.define(&entry.schema, &entry.definition);
        }
        if entry.data != Data::None {
            entry.definition = Vec::new();
            data.push(entry);
        }
    })?;
    if let Some(end) = end {
        let rest = end.checked_sub(input.byte());
        let rest =
            rest.ok_or_else(|| Fault::Broken("toc.dat is longer than its header says".to_owned()))?;
        Body::new(input, rest).finish()?;
    }
    Ok(Contents { head, data })
}

/// Fills the window with a header of a tar and reads it; `None` at the end of the stream.
pub(super) fn next_header(input: &mut Input<'_>) -> Result<Option<Header>, DumpError> {
    while input.window().len() < BLOCK {
        if !input.more()? {
            return Ok(match input.window().is_empty() {
                true => None,
                false => Some(Header::Broken),
            });
        }
    }
    Ok(Some(tar::header(input.window())))
}
