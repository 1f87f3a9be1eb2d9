//! Database evidence as typed rows: plain `pg_dump` files and tables pasted from `psql`.
//!
//! This crate owns what the bytes of a dump mean: which tables and columns it holds, of which types,
//! under which keys, where each row lies, and what could not be read. It must never know analyses,
//! the case folder or how evidence is compressed: it is given decoded bytes and a [`RowSink`], or is
//! asked for rows through [`model::TableSource`] (see [`DumpSource`]).
//!
//! Nothing of a dump is ever executed, and nothing of it is lost silently: each byte is a row's,
//! framing (SQL statements, comments, prompts, rules, footers) or a located reject.

mod above;
mod archive;
mod block;
mod cell;
mod cells_text;
mod copy;
mod delimited;
mod documents;
mod encoding;
mod facts;
mod foreign;
mod infer;
mod input;
mod insert;
mod live;
mod null;
mod parts;
mod pasted;
mod plain;
mod psql;
mod reject;
mod rows;
mod schema;
mod sniff;
mod source;
mod sql;
mod streamed;
mod timestamp;
mod value;
mod wide;

use std::io::BufRead;

use model::Encoding;

pub use encoding::TextEncoding;
pub use facts::{
    Block, BlockForm, DumpError, DumpFacts, DumpKind, DumpStatus, Inherited, Located, Naming,
    PartFacts, RowSink, SinkError, TableFacts, Trouble, Want, WantTable, snapshot_name,
    unique_snapshot_name,
};
pub use live::{
    LiveError, LiveFacts, LiveLogin, LiveOptions, LiveProblem, LiveTarget, Secret, read_live,
    redacted,
};
pub use sniff::{doubtful, encoding, sniff};
pub use source::{DumpSource, Opener, RowPlace};

/// Reads a dump once, from its first byte to its last, and hands the wanted rows to `sink`.
///
/// Memory is bounded by one batch (64 Ki rows or 8 MiB of text) and one row (64 MiB); pasted tables
/// are held as a whole, up to 64 MiB. What stands in no table is handed to [`RowSink::rejected`].
///
/// # Errors
/// When the reader fails or the sink refuses; damage in the dump is no error but part of the facts.
pub fn read_dump(
    reader: &mut dyn BufRead,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    match begin(reader)? {
        (input, Form::Wide(encoding)) => wide::read(input, encoding, want, sink, read_text),
        (input, Form::Plain(kind)) => read_form(input, kind, want, sink),
    }
}

/// What a dump begins as.
enum Form {
    /// In UTF-16.
    Wide(Encoding),
    /// As its bytes say.
    Plain(Option<DumpKind>),
}

/// Looks at the begin of a dump.
fn begin(reader: &mut dyn BufRead) -> Result<(input::Input<'_>, Form), DumpError> {
    let mut input = input::Input::new(reader);
    let head = input
        .head(sniff::HEAD)
        .map_err(|source| DumpError::Read { byte: 0, source })?;
    let form = match encoding(head) {
        Encoding::Utf8 => Form::Plain(sniff::sniff_text(head)),
        wide => Form::Wide(wide),
    };
    Ok((input, form))
}

/// Reads the text of a dump in UTF-16.
pub(crate) fn read_text(
    mut input: input::Input<'_>,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let head = input
        .head(sniff::HEAD)
        .map_err(|source| DumpError::Read { byte: 0, source })?;
    let kind = wide::kind_of_text(head);
    read_form(input, kind, want, sink)
}

/// Finds what [`Want::known`] needs before everything is read. `None` if the dump says it ahead of its rows, as most archives
/// do: the rest of the reader is not read then.
///
/// # Errors
/// When the reader fails.
pub fn scan_dump(reader: &mut dyn BufRead) -> Result<Option<DumpFacts>, DumpError> {
    let want = Want::nothing(Naming::default());
    match begin(reader)? {
        (input, Form::Wide(encoding)) => {
            let nothing = &mut streamed::Nothing;
            wide::read(input, encoding, &want, nothing, read_text).map(Some)
        }
        (input, Form::Plain(Some(kind))) if kind.is_archive() => archive::scan(input, kind, &want),
        (input, Form::Plain(kind)) => {
            read_form(input, kind, &want, &mut streamed::Nothing).map(Some)
        }
    }
}

/// Hands a dump to the reader of its form.
pub(crate) fn read_form(
    input: input::Input<'_>,
    kind: Option<DumpKind>,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    match kind {
        Some(kind) if kind.is_held() => psql::read(input, kind, want, sink),
        Some(kind @ (DumpKind::Delimited | DumpKind::CopyText)) => {
            delimited::read(input, kind, want, sink)
        }
        Some(
            kind @ (DumpKind::Sqlite
            | DumpKind::Interchange
            | DumpKind::SlashingYaml
            | DumpKind::ApiAnswers
            | DumpKind::EtherscanCsv),
        ) => documents::read(input, kind, want, sink),
        Some(kind @ (DumpKind::PgDumpCustom | DumpKind::PgDumpTar | DumpKind::PgDumpDirectory)) => {
            archive::read(input, kind, want, sink)
        }
        _ => plain::read(input, want, sink),
    }
}
