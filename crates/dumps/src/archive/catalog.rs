//! An archive that can be opened anywhere: only the wanted table is read and unpacked.

use std::io::{self, BufRead, BufReader};

use model::RowFilter;

use super::ahead::{Giver, pair};
use super::contents::{Contents, contents};
use super::custom::{Chunks, End};
use super::tar::{self, BLOCK, Body, Header};
use super::toc::{Compression, Data, Fault, Fields, Numbers};
use super::unpack::{Failure, Lenient, unpack};
use super::{BLOCK_DATA, is_table, rows, table_of};
use crate::facts::{DumpError, DumpFacts, DumpKind, Naming, SinkError, TableFacts, Trouble, Want};
use crate::input::Input;
use crate::plain::Reader;
use crate::schema::{FullName, Schema};
use crate::sql::{self, Statement};
use crate::streamed::{Found, Gather, Nothing, want_of};

/// Opens the archive at a byte.
type OpenAt<'a> = &'a dyn Fn(u64) -> io::Result<Box<dyn BufRead + Send>>;

/// Where an entry's data lie.
#[derive(Clone, Copy, Debug)]
struct Spot {
    start: u64,
    packing: Packing,
}

#[derive(Clone, Copy, Debug)]
enum Packing {
    /// A block of a custom archive, with the number of its entry; nothing of it lies beyond the limit.
    Block(i64, Option<u64>),
    /// A member of a tar, of so many bytes.
    Member(u64),
}

/// The places of all data, beside the entries: with their compression; `None` if they are missing.
type Spots = Vec<Option<(Spot, Compression)>>;

/// A table of contents with the places of all data.
pub(crate) struct Catalog {
    contents: Contents,
    kind: DumpKind,
    schema: Schema,
    spots: Spots,
    /// Tables with columns, types and keys; rows are not counted.
    pub(crate) outline: DumpFacts,
}

impl Catalog {
    /// Reads an archive's table of contents. `None` if it is none, or if all of it must be read to
    /// know it: types are not declared, or something is broken.
    pub(crate) fn open(open: OpenAt<'_>, naming: &Naming) -> Result<Option<Catalog>, DumpError> {
        let failed = |source| DumpError::Read { byte: 0, source };
        let mut file = open(0).map_err(failed)?;
        let mut input = Input::new(&mut *file);
        let head = input.head(crate::sniff::HEAD).map_err(failed)?;
        let Some(kind) = super::sniff(head) else {
            return Ok(None);
        };
        let want = Want::nothing(naming.clone());
        let mut sink = Nothing;
        let mut reader = Reader::new(Input::empty(), &want, &mut sink, kind);
        let contents = match contents(&mut input, kind, &mut reader) {
            Ok(contents) => contents,
            Err(Fault::Stopped(error)) => return Err(error),
            Err(_) => return Ok(None),
        };
        reader.check_encoding()?;
        for entry in contents.data.iter().filter(|entry| is_table(entry)) {
            let table = table_of(&reader, entry);
            let columns = columns(&reader.schema, &table, &entry.copy);
            let index = reader.table_index(&table, &columns);
            let declared = |sql_type: &String| !sql_type.is_empty();
            if !reader.facts.tables[index].sql_types.iter().all(declared) {
                return Ok(None);
            }
        }
        reader.finish()?;
        let Some(spots) = spots(&contents, kind, &mut input, open)? else {
            return Ok(None);
        };
        let (schema, outline) = (reader.schema, reader.facts);
        Ok(Some(Catalog {
            contents,
            kind,
            schema,
            spots,
            outline,
        }))
    }

    /// Reads the rows of `table` that pass.
    pub(crate) fn read(
        &self,
        open: OpenAt<'_>,
        naming: &Naming,
        table: &TableFacts,
        columns: Vec<String>,
        filter: &RowFilter,
    ) -> Result<Found, SinkError> {
        let want = want_of(naming, &self.outline, table, &columns, filter);
        let mut sink = Gather::new(&table.info, &columns);
        let mut reader = Reader::new(Input::empty(), &want, &mut sink, self.kind);
        reader.schema = self.schema.clone();
        let name: FullName = (table.info.schema.clone(), table.info.name.clone());
        for (entry, spot) in self.contents.data.iter().zip(&self.spots) {
            if !is_table(entry) || table_of(&reader, entry) != name {
                continue;
            }
            let table = Some(entry.name.clone());
            let Some((spot, compression)) = *spot else {
                let what = "the table's rows are missing in the archive";
                reader.reject(Trouble::Truncated, table, (0, 1), 0, 0, what)?;
                reader.flush()?;
                continue;
            };
            let file = open(spot.start)?;
            let numbers = self.contents.head.numbers;
            let failure = Failure::default();
            let (giver, mut ahead) = pair(&failure);
            let end;
            (reader, end) = std::thread::scope(|scope| {
                scope.spawn(move || give(file, spot, numbers, compression, giver));
                let read = rows(
                    reader,
                    entry,
                    &mut BufReader::new(&mut ahead),
                    spot.start,
                    &failure,
                );
                let end = ahead.end.take();
                // Gone before the thread is waited for: it may still want to give.
                drop(ahead);
                read.map(|reader| (reader, end))
            })?;
            let at = (spot.start, 1);
            match end {
                Some(End::Cut) => {
                    let what = "the archive ends inside of the table's data";
                    reader.reject(Trouble::Truncated, table, at, 0, 0, what)?;
                }
                Some(End::Broken(what)) => {
                    reader.reject(Trouble::Damaged, table, at, 0, 0, &what)?;
                }
                _ => {}
            }
            reader.flush()?;
        }
        Ok(sink.found())
    }
}

/// The columns of an entry's rows.
fn columns(schema: &Schema, table: &FullName, copy: &[u8]) -> Vec<String> {
    match sql::parse(copy) {
        Statement::Copy {
            columns: Some(columns),
            ..
        } => columns,
        _ => schema
            .row_columns(table)
            .unwrap_or_default()
            .into_iter()
            .filter(|(_, generated)| !generated)
            .map(|(name, _)| name)
            .collect(),
    }
}

/// Finds the places of all data; the input stands behind the table of contents.
fn spots(
    contents: &Contents,
    kind: DumpKind,
    input: &mut Input<'_>,
    open: OpenAt<'_>,
) -> Result<Option<Spots>, DumpError> {
    let mut spots: Spots = vec![None; contents.data.len()];
    let tables = || contents.data.iter().filter(|entry| is_table(entry));
    if kind != DumpKind::PgDumpCustom {
        return members(contents, input.byte(), open, &mut spots).map(|good| good.then_some(spots));
    }
    let compression = contents.head.compression;
    if tables().all(|entry| matches!(entry.data, Data::Block(Some(_)))) {
        for (entry, spot) in contents.data.iter().zip(&mut spots) {
            if let Data::Block(Some(start)) = entry.data {
                let packing = Packing::Block(entry.id, contents.next_block(start));
                *spot = Some((Spot { start, packing }, compression));
            }
        }
        return Ok(Some(spots));
    }
    // Written to a pipe: the blocks are looked for, by their lengths alone.
    let numbers = contents.head.numbers;
    loop {
        let start = input.byte();
        let mut fields = Fields { input, numbers };
        let head = fields.byte().and_then(|kind| Ok((kind, fields.int()?)));
        match head {
            Ok((BLOCK_DATA, id)) => {
                if let Some(entry) = contents.by_id(id) {
                    let packing = Packing::Block(id, None);
                    spots[entry] = Some((Spot { start, packing }, compression));
                }
                if Chunks::new(input, numbers, None).finish()? != End::Whole {
                    return Ok(None);
                }
            }
            Err(Fault::Stopped(error)) => return Err(error),
            Err(Fault::Cut) if input.byte() == start => return Ok(Some(spots)),
            // Large objects, or damage: all of it is read then.
            _ => return Ok(None),
        }
    }
}

/// Finds the members of a tar from a byte on; `false` if it is broken.
fn members(
    contents: &Contents,
    mut at: u64,
    open: OpenAt<'_>,
    spots: &mut [Option<(Spot, Compression)>],
) -> Result<bool, DumpError> {
    loop {
        let mut block = Vec::new();
        let mut file = open(at).map_err(|source| DumpError::Read { byte: at, source })?;
        io::Read::read_to_end(&mut io::Read::take(&mut *file, BLOCK as u64), &mut block)
            .map_err(|source| DumpError::Read { byte: at, source })?;
        let Header::Member(member) = tar::header(&block) else {
            return Ok(block.iter().all(|&byte| byte == 0) && !block.is_empty());
        };
        if let Some((entry, compression)) = contents.by_file(&member.name) {
            let packing = Packing::Member(member.bytes);
            spots[entry] = Some((Spot { start: at, packing }, compression));
        }
        let padded = member.bytes.checked_next_multiple_of(BLOCK as u64);
        let next = padded.and_then(|bytes| at.checked_add(BLOCK as u64)?.checked_add(bytes));
        match next {
            Some(next) => at = next,
            None => return Ok(false),
        }
    }
}

/// Unpacks an entry's data, on the thread.
fn give(
    mut file: Box<dyn BufRead + Send>,
    spot: Spot,
    numbers: Numbers,
    compression: Compression,
    giver: Giver,
) {
    let mut input = Input::starting_at(&mut *file, spot.start, 1);
    let end = match spot.packing {
        Packing::Block(id, limit) => {
            let mut fields = Fields {
                input: &mut input,
                numbers,
            };
            let head = fields.byte().and_then(|kind| Ok((kind, fields.int()?)));
            match head {
                Ok((BLOCK_DATA, found)) if found == id => {
                    let mut chunks = Chunks::new(&mut input, numbers, limit);
                    pump(&giver, &mut chunks, compression, false);
                    chunks.finish()
                }
                Ok(_) | Err(Fault::Broken(_)) => Ok(End::Broken(
                    "the table's data are not where the table of contents says".to_owned(),
                )),
                Err(Fault::Cut) => Ok(End::Cut),
                Err(Fault::Stopped(error)) => Err(error),
            }
        }
        Packing::Member(bytes) => Body::new(&mut input, BLOCK as u64).finish().and_then(|_| {
            let mut body = Body::new(&mut input, bytes);
            pump(&giver, &mut body, compression, true);
            Ok(if body.finish()? { End::Whole } else { End::Cut })
        }),
    };
    match end {
        Ok(end) => giver.end(end),
        Err(error) => giver.end(End::Broken(format!("{error}"))),
    }
}

fn pump(giver: &Giver, packed: &mut dyn io::Read, compression: Compression, file: bool) {
    let failure = Failure::default();
    match unpack(packed, compression, file) {
        Ok(unpacked) => {
            giver.give(&mut Lenient::new(unpacked, &failure));
        }
        Err(error) => {
            *failure.borrow_mut() = Some(format!("unpacking does not begin: {error}"));
        }
    }
    if let Some(what) = failure.take() {
        giver.failed(what);
    }
}
