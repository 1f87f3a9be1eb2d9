//! Documents: database evidence that is no dump of PostgreSQL. SQLite files, slashing protection as
//! interchange JSON or YAML, answers of APIs, exports of explorers.
//!
//! None of them says before its end which columns its rows have and of what types, so each is read
//! twice: the first reading learns that, the second builds typed rows ([`collect::Reading`]). Where the
//! caller has read the document once already and says so ([`Want::known`]), or wants no rows, one
//! reading is enough; else the document is spooled.

mod api;
mod cell;
mod collect;
mod etherscan;
mod interchange;
mod json;
mod layout;
mod shapes;
mod sqlite;
mod stream;
mod yaml;

use std::io::{self, BufReader, Seek as _, SeekFrom, Write};

use collect::Reading;
use interchange::Learned;

use crate::facts::{DumpError, DumpFacts, DumpKind, RowSink, Want};
use crate::input::Input;

/// A spooled document stays in memory up to this size.
const IN_MEMORY: usize = 8 << 20;
/// How much of a file is looked at: as much as is compared to recognise a known source.
const LOOKED_AT: usize = 4 << 10;

/// Says which document begins like this.
pub(crate) fn sniff(head: &[u8]) -> Option<DumpKind> {
    if head.starts_with(sqlite::MAGIC) {
        return Some(DumpKind::Sqlite);
    }
    let head = &head[..head.len().min(LOOKED_AT)];
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    match text.trim_ascii_start().first() {
        Some(b'{') if interchange::sniff(text) => Some(DumpKind::Interchange),
        Some(b'{' | b'[') if api::sniff(text) => Some(DumpKind::ApiAnswers),
        Some(b'{' | b'[') => None,
        _ if etherscan::sniff(text) => Some(DumpKind::EtherscanCsv),
        _ if yaml::sniff(text) => Some(DumpKind::SlashingYaml),
        _ => None,
    }
}

/// Reads a document.
pub(crate) fn read(
    mut input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let nothing = want.tables.as_ref().is_some_and(Vec::is_empty);
    if kind == DumpKind::Sqlite {
        return read_file(&mut input, want, nothing, sink);
    }
    let mut learned = Learned::default();
    if nothing {
        let reading = Reading::first(kind, &want.naming, Some(sink));
        return walk(&mut input, kind, &mut learned, reading);
    }
    // What an interchange file says late is no part of what is known of a document.
    if kind != DumpKind::Interchange
        && let Some(known) = want.known.as_ref().filter(|known| known.kind == kind)
    {
        let reading = Reading::second(known, want, sink)?;
        return walk(&mut input, kind, &mut learned, reading);
    }
    let mut spool = tempfile::SpooledTempFile::new(IN_MEMORY);
    copy(&mut input, &mut spool)?;
    let again =
        |spool: &mut tempfile::SpooledTempFile| spool.seek(SeekFrom::Start(0)).map_err(unspooled);
    again(&mut spool)?;
    let known = {
        let mut reader = BufReader::with_capacity(1 << 20, &mut spool);
        let reading = Reading::first(kind, &want.naming, None);
        walk(&mut Input::new(&mut reader), kind, &mut learned, reading)?
    };
    again(&mut spool)?;
    let mut reader = BufReader::with_capacity(1 << 20, &mut spool);
    let reading = Reading::second(&known, want, sink)?;
    walk(&mut Input::new(&mut reader), kind, &mut learned, reading)
}

/// Goes through a document once.
fn walk(
    input: &mut Input<'_>,
    kind: DumpKind,
    learned: &mut Learned,
    mut reading: Reading<'_>,
) -> Result<DumpFacts, DumpError> {
    match kind {
        DumpKind::Interchange => interchange::walk(input, learned, &mut reading)?,
        DumpKind::EtherscanCsv => etherscan::walk(input, &mut reading)?,
        DumpKind::SlashingYaml => yaml::walk(input, &mut reading)?,
        _ => api::walk(input, &mut reading)?,
    }
    reading.finish(input.byte(), input.line_number() - 1)
}

/// Reads a file of SQLite, which must lie on a disk.
fn read_file(
    input: &mut Input<'_>,
    want: &Want,
    nothing: bool,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let mut file = tempfile::NamedTempFile::new().map_err(unspooled)?;
    let bytes = copy(input, file.as_file_mut())?;
    let cut = sqlite::missing(file.path(), bytes).map_err(unspooled)?;
    let kind = DumpKind::Sqlite;
    let known = want.known.as_ref().filter(|known| known.kind == kind);
    let found;
    let known = match known {
        Some(known) if !nothing => known,
        _ => {
            let sink: Option<&mut dyn RowSink> = match nothing {
                true => Some(&mut *sink),
                false => None,
            };
            let mut first = Reading::first(kind, &want.naming, sink);
            sqlite::walk(file.path(), bytes, cut.as_ref(), &mut first)?;
            found = first.finish(bytes, 0)?;
            &found
        }
    };
    if nothing {
        return Ok(known.clone());
    }
    let mut second = Reading::second(known, want, sink)?;
    sqlite::walk(file.path(), bytes, cut.as_ref(), &mut second)?;
    let mut facts = second.finish(bytes, 0)?;
    // Tables that nobody wants are not read again.
    for (table, known) in facts.tables.iter_mut().zip(&known.tables) {
        if table.rows == 0 {
            table.rows = known.rows;
            table.damaged_rows = known.damaged_rows;
            table.blocks.clone_from(&known.blocks);
        }
    }
    Ok(facts)
}

/// Copies all that is left of the input.
fn copy(input: &mut Input<'_>, to: &mut dyn Write) -> Result<u64, DumpError> {
    let from = input.byte();
    loop {
        let held = input.window().len();
        to.write_all(input.window()).map_err(unspooled)?;
        input.consume_lines(held, 0);
        if !input.more()? {
            return Ok(input.byte() - from);
        }
    }
}

fn unspooled(source: io::Error) -> DumpError {
    DumpError::Spool(source)
}
