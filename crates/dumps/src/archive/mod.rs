//! Archives of `pg_dump`: custom (`-Fc`), tar (`-Ft`) and directory (`-Fd`, read as the tar of its
//! files, the table of contents first).
//!
//! The table of contents gives types and keys before the first row; each table's data are the text
//! that a plain dump would have, packed, and are read by the reader of plain dumps. Bytes of facts and
//! rejects are the archive's: packed data count as rows, the rest as framing. Lines, and the bytes of
//! single rows, are those of the table's own data.

mod ahead;
mod catalog;
mod contents;
mod custom;
mod expected;
mod inflate;
mod large;
mod place;
mod skim;
mod tar;
mod toc;
mod unpack;
mod zlib;

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use crate::facts::{
    Block, BlockForm, DumpError, DumpFacts, DumpKind, RowSink, TableFacts, Trouble, Want,
};
use crate::input::Input;
use crate::plain::Reader;
use crate::reject::Origin;
use crate::schema::{FullName, Schema};
use crate::sql::{self, Statement};
use crate::streamed::Nothing;
use contents::{Contents, contents, next_header};
use custom::{Chunks, End};
use large::LargeObjects;
use tar::{BLOCK, Body, Header, Member};
use toc::{Compression, Data, Entry, Fault, Fields};
use unpack::{Failure, Lenient, unpack};

use catalog::declared;
pub(crate) use catalog::{Catalog, Soon};

/// Kinds of blocks in a custom archive.
const BLOCK_DATA: u8 = 1;
const BLOCK_LARGE_OBJECTS: u8 = 3;

/// The form of the archive that a file begins with.
pub(crate) fn sniff(head: &[u8]) -> Option<DumpKind> {
    if head.starts_with(toc::MAGIC) {
        return Some(DumpKind::PgDumpCustom);
    }
    let Header::Member(member) = tar::header(head) else {
        return None;
    };
    if member.name != "toc.dat" || !head[BLOCK..].starts_with(toc::MAGIC) {
        return None;
    }
    // pg_dump names this owner in each header of its own tar; a folder's tar is anyone's.
    let own = head[265..].starts_with(b"postgres\0");
    Some(match own {
        true => DumpKind::PgDumpTar,
        false => DumpKind::PgDumpDirectory,
    })
}

/// Scans an archive; `None`, at once, if its table of contents says all that a scan would find for a reading: the types
/// and keys of its tables, and no table in several parts, which could have columns of their own.
pub(crate) fn scan(
    input: Input<'_>,
    kind: DumpKind,
    want: &Want,
) -> Result<Option<DumpFacts>, DumpError> {
    read_unless(input, kind, want, &mut Nothing, |contents, schema| {
        let mut nothing = Nothing;
        let mut reader = Reader::new(Input::empty(), want, &mut nothing, kind);
        reader.schema = schema.clone();
        declared(contents, &mut reader).is_some_and(|tables| {
            let named: Vec<&FullName> = tables.iter().flatten().collect();
            let distinct: BTreeSet<&FullName> = named.iter().copied().collect();
            named.len() == distinct.len()
        })
    })
}

/// Reads an archive from its first byte to its last.
pub(crate) fn read(
    input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    sink: &mut dyn RowSink,
) -> Result<DumpFacts, DumpError> {
    let facts = read_unless(input, kind, want, sink, |_, _| false)?;
    Ok(facts.expect("nothing says that the table of contents is enough"))
}

/// Reads an archive, unless its table of contents is enough.
fn read_unless(
    mut input: Input<'_>,
    kind: DumpKind,
    want: &Want,
    sink: &mut dyn RowSink,
    is_enough: impl FnOnce(&Contents, &Schema) -> bool,
) -> Result<Option<DumpFacts>, DumpError> {
    let mut reader = Reader::new(Input::empty(), want, sink, kind);
    let contents = match contents(&mut input, kind, &mut reader) {
        Ok(contents) => contents,
        Err(fault) => {
            let (trouble, what) = match fault {
                Fault::Stopped(error) => return Err(error),
                Fault::Cut => (
                    Trouble::Truncated,
                    "the archive ends inside of its table of contents".to_owned(),
                ),
                Fault::Broken(what) => (Trouble::Unsupported, what),
            };
            skip_rest(&mut input)?;
            let length = input.byte();
            reader.reject(trouble, None, (0, 1), length, 1, &what)?;
            reader.flush()?;
            return finish(reader, &input, length).map(Some);
        }
    };
    if is_enough(&contents, &reader.schema) {
        return Ok(None);
    }
    reader.facts.framing_bytes = input.byte();
    reader.check_encoding()?;
    let mut archive = Archive {
        seen: vec![false; contents.data.len()],
        contents,
        want,
        reader: Some(reader),
    };
    match kind {
        DumpKind::PgDumpCustom => archive.blocks(&mut input)?,
        _ => archive.members(&mut input)?,
    }
    archive.missing(&input)?;
    let reader = archive.take_reader();
    let length = input.byte();
    finish(reader, &input, length).map(Some)
}

fn finish(
    mut reader: Reader<'_, '_>,
    input: &Input<'_>,
    length: u64,
) -> Result<DumpFacts, DumpError> {
    reader.finish()?;
    reader.facts.bytes = length.max(input.byte());
    reader.facts.lines = 0;
    Ok(reader.facts)
}

fn skip_rest(input: &mut Input<'_>) -> Result<u64, DumpError> {
    let from = input.byte();
    loop {
        let held = input.window().len();
        input.consume_lines(held, 0);
        if !input.more()? {
            return Ok(input.byte() - from);
        }
    }
}

/// An archive while it is being read.
struct Archive<'a> {
    contents: Contents,
    /// Which entries' data came, beside `contents.data`.
    seen: Vec<bool>,
    want: &'a Want,
    /// Gone only while a table is being read.
    reader: Option<Reader<'a, 'static>>,
}

impl<'a> Archive<'a> {
    fn take_reader(&mut self) -> Reader<'a, 'static> {
        self.reader.take().expect("no table is being read")
    }

    fn reader(&mut self) -> &mut Reader<'a, 'static> {
        self.reader.as_mut().expect("no table is being read")
    }

    /// Reads the blocks of a custom archive.
    fn blocks(&mut self, input: &mut Input<'_>) -> Result<(), DumpError> {
        loop {
            let start = input.byte();
            let mut fields = Fields {
                input,
                numbers: self.contents.head.numbers,
            };
            let kind = match fields.byte() {
                Ok(kind) => kind,
                Err(Fault::Stopped(error)) => return Err(error),
                Err(_) => return Ok(()),
            };
            let id = match fields.int() {
                Err(Fault::Stopped(error)) => return Err(error),
                Err(Fault::Cut) => {
                    let length = input.byte() - start;
                    let what = "the archive ends inside of a block's head";
                    return self.reader().reject(
                        Trouble::Truncated,
                        None,
                        (start, 1),
                        length,
                        1,
                        what,
                    );
                }
                Err(Fault::Broken(what)) => {
                    self.resume(input, start, start, &what)?;
                    continue;
                }
                Ok(id) => id,
            };
            let entry = self.contents.by_id(id);
            let end = match (kind, entry) {
                (BLOCK_DATA, Some(entry)) => self.block(input, entry, start)?,
                (BLOCK_LARGE_OBJECTS, entry) => {
                    if let Some(entry) = entry {
                        self.seen[entry] = true;
                    }
                    self.large_objects(input, start)?
                }
                _ => {
                    let what = format!("a block of kind {kind} for entry {id}, which is not known");
                    self.resume(input, start, start, &what)?;
                    continue;
                }
            };
            if let End::Broken(what) = end {
                let from = input.byte();
                self.resume(input, start, from, &what)?;
            }
        }
    }

    /// Reads a table's block, whose head was taken.
    fn block(&mut self, input: &mut Input<'_>, entry: usize, start: u64) -> Result<End, DumpError> {
        let limit = self.contents.next_block(start);
        let numbers = self.contents.head.numbers;
        let compression = self.contents.head.compression;
        let mut chunks = Chunks::new(input, numbers, limit);
        self.table(&mut chunks, entry, start, compression, false)?;
        let end = chunks.finish()?;
        self.close(entry, start, input.byte(), end == End::Cut)?;
        Ok(end)
    }

    /// Goes on behind a block that makes no sense, where the table of contents says the next one is.
    /// What stands behind `from` has no other place among rows and rejects.
    fn resume(
        &mut self,
        input: &mut Input<'_>,
        start: u64,
        from: u64,
        what: &str,
    ) -> Result<(), DumpError> {
        match self
            .contents
            .next_block(start)
            .and_then(|next| next.checked_sub(input.byte()))
        {
            Some(distance) => {
                Body::new(input, distance).finish()?;
            }
            None => {
                skip_rest(input)?;
            }
        }
        let length = input.byte() - from;
        let what = format!("{what}: nothing is read up to the next table that is found");
        self.reader()
            .reject(Trouble::Damaged, None, (from, 1), length, 1, &what)
    }

    fn large_objects(&mut self, input: &mut Input<'_>, start: u64) -> Result<End, DumpError> {
        let numbers = self.contents.head.numbers;
        let limit = self.contents.next_block(start);
        let compression = self.contents.head.compression;
        let mut large = LargeObjects::default();
        let end = loop {
            match (Fields { input, numbers }).int() {
                Ok(0) => break End::Whole,
                Ok(number) => {
                    let mut chunks = Chunks::new(input, numbers, limit);
                    large.measure(number.to_string(), &mut chunks, compression, false);
                    match chunks.finish()? {
                        End::Whole => {}
                        other => break other,
                    }
                }
                Err(Fault::Cut) => break End::Cut,
                Err(Fault::Broken(what)) => break End::Broken(what),
                Err(Fault::Stopped(error)) => return Err(error),
            }
        };
        let length = input.byte() - start;
        self.large_object_reject(&large, start, length)?;
        Ok(end)
    }

    /// Says what is there instead of rows, and what of it is broken.
    fn large_object_reject(
        &mut self,
        large: &LargeObjects,
        start: u64,
        length: u64,
    ) -> Result<(), DumpError> {
        let reader = self.reader();
        reader.reject(Trouble::Other, None, (start, 1), length, 1, &large.told())?;
        match &large.failed {
            Some(what) => reader.reject(Trouble::Damaged, None, (start, 1), 0, 0, what),
            None => Ok(()),
        }
    }

    /// Reads the members of a tar.
    fn members(&mut self, input: &mut Input<'_>) -> Result<(), DumpError> {
        while let Some(header) = next_header(input)? {
            let start = input.byte();
            let held = input.window().len().min(BLOCK);
            match header {
                Header::End => {
                    let length = skip_rest(input)?;
                    self.reader().facts.framing_bytes += length;
                }
                Header::Broken => self.resynchronise(input, start)?,
                Header::Member(member) => {
                    input.consume_lines(held, 0);
                    self.member(input, &member, start)?;
                }
            }
        }
        Ok(())
    }

    fn member(
        &mut self,
        input: &mut Input<'_>,
        member: &Member,
        start: u64,
    ) -> Result<(), DumpError> {
        let padding = member.bytes.next_multiple_of(BLOCK as u64) - member.bytes;
        let mut body = Body::new(input, member.bytes);
        if let Some((entry, compression)) = self.contents.by_file(&member.name)
            && is_table(&self.contents.data[entry])
        {
            self.table(&mut body, entry, start, compression, true)?;
            let whole = body.finish()?;
            Body::new(input, padding).finish()?;
            return self.close(entry, start, input.byte(), !whole);
        }
        // `blob_16401.dat.gz`; `blobs.toc` only lists them.
        let mut large = LargeObjects::default();
        if let Some(name) = member.name.strip_prefix("blob_") {
            let (number, compression) = contents::compression_of(name);
            let number = number.strip_suffix(".dat").unwrap_or(number);
            large.measure(number.to_owned(), &mut body, compression, true);
        }
        let whole = body.finish()?;
        Body::new(input, padding).finish()?;
        let length = input.byte() - start;
        if whole && member.name.starts_with("blob_") {
            return self.large_object_reject(&large, start, length);
        }
        let listed = member.name.starts_with("blob");
        if listed || !whole {
            if let Some((entry, _)) = self.contents.by_file(&member.name) {
                self.seen[entry] = true;
            }
            let (trouble, what) = match whole {
                true => (
                    Trouble::Other,
                    "a list of large objects, which are no rows of a table",
                ),
                false => (Trouble::Truncated, "the archive ends inside of a member"),
            };
            self.reader()
                .reject(trouble, None, (start, 1), length, 1, what)
        } else {
            self.reader().facts.framing_bytes += length;
            Ok(())
        }
    }

    /// Looks for the next header of a tar.
    fn resynchronise(&mut self, input: &mut Input<'_>, start: u64) -> Result<(), DumpError> {
        loop {
            let held = input.window().len().min(BLOCK);
            input.consume_lines(held, 0);
            match next_header(input)? {
                Some(Header::Broken) => {}
                _ => break,
            }
        }
        let length = input.byte() - start;
        let what = "no header of a tar where one should be: read on at the next one";
        self.reader()
            .reject(Trouble::Damaged, None, (start, 1), length, 1, what)
    }

    /// Reads one table's data, unless what is known of them is enough.
    fn table(
        &mut self,
        packed: &mut dyn Read,
        entry: usize,
        start: u64,
        compression: Compression,
        file: bool,
    ) -> Result<(), DumpError> {
        self.seen[entry] = true;
        let item = &self.contents.data[entry];
        let reader = self.reader.take().expect("no table is being read");
        if let Some(known) = known(self.want, &reader, item) {
            let known = known.clone();
            self.reader = Some(reader);
            return self.adopt(known);
        }
        let failure = Failure::default();
        let unpacked = match unpack(packed, compression, file) {
            Ok(unpacked) => unpacked,
            Err(error) => {
                *failure.borrow_mut() = Some(format!("unpacking does not begin: {error}"));
                Box::new(io::empty())
            }
        };
        let mut unpacked = BufReader::new(Lenient::new(unpacked, &failure));
        let reader = rows(reader, item, &mut unpacked, start, &failure)?;
        self.reader = Some(reader);
        Ok(())
    }

    /// Takes over what an earlier reading found in a table that is not wanted now.
    fn adopt(&mut self, known: TableFacts) -> Result<(), DumpError> {
        let name: FullName = (known.info.schema.clone(), known.info.name.clone());
        let reader = self.reader();
        let index = reader.table_index(&name, &[]);
        reader.adopt_above(&name, &known);
        reader.facts.tables[index] = known;
        Ok(())
    }

    /// Counts the bytes of a table that was read or passed over.
    fn close(&mut self, entry: usize, start: u64, end: u64, cut: bool) -> Result<(), DumpError> {
        let name = self.contents.data[entry].name.clone();
        let reader = self.reader();
        reader.facts.row_bytes += end - start;
        // The block that was just read: its place is the archive's, not the data's.
        for table in &mut reader.facts.tables {
            for block in table.blocks.iter_mut().filter(|block| block.byte == start) {
                block.length = end - start;
            }
        }
        if cut {
            let what = "the archive ends inside of the table's data";
            reader.reject(Trouble::Truncated, Some(name), (end, 1), 0, 0, what)?;
        }
        Ok(())
    }

    /// Tables whose data never came.
    fn missing(&mut self, input: &Input<'_>) -> Result<(), DumpError> {
        for nth in 0..self.contents.data.len() {
            let entry = &self.contents.data[nth];
            if self.seen[nth] || !is_table(entry) {
                continue;
            }
            let name = Some(entry.name.clone());
            let what = match &entry.data {
                Data::File(file) => {
                    format!(
                        "the table's rows are missing: they are in `{file}`, which is not here: name the folder that holds it beside toc.dat"
                    )
                }
                _ => "the table's rows are missing: the archive ends before them".to_owned(),
            };
            let at = (input.byte(), 1);
            self.reader()
                .reject(Trouble::Truncated, name, at, 0, 0, &what)?;
        }
        self.reader().flush()
    }
}

fn is_table(entry: &Entry) -> bool {
    entry.kind == "TABLE DATA"
}

/// Returns what an earlier reading found in a table, if that is enough.
fn known<'w>(want: &'w Want, reader: &Reader<'_, '_>, entry: &Entry) -> Option<&'w TableFacts> {
    let table = table_of(reader, entry);
    let mut shown_by = reader.schema.above(&table).into_iter().chain([&table]);
    if shown_by.any(|table| reader.wanted(table).is_some()) {
        return None;
    }
    let known = want.known.as_ref()?.table(Some(&table.0), &table.1)?;
    // What is known of it counts rows of other tables, too, which come with those.
    known.inherited.tables.is_empty().then_some(known)
}

/// The table of an entry.
fn table_of(reader: &Reader<'_, '_>, entry: &Entry) -> FullName {
    match sql::parse(&entry.copy, reader.schema.text) {
        Statement::Copy { table, .. } => reader.schema.full(&table),
        _ => (entry.schema.clone(), entry.name.clone()),
    }
}

/// Reads a table's unpacked data, which begin at `start` of the archive.
fn rows<'a>(
    reader: Reader<'a, '_>,
    entry: &Entry,
    unpacked: &mut dyn BufRead,
    start: u64,
    failure: &Failure,
) -> Result<Reader<'a, 'static>, DumpError> {
    let table = table_of(&reader, entry);
    let name = entry.name.clone();
    let counts = |facts: &DumpFacts| (facts.framing_bytes, facts.row_bytes);
    let before = counts(&reader.facts);
    let mut reader = reader.with_input(Input::new(unpacked));
    reader.table_index(&table, &[]);
    reader.tables_above(&table);
    // Beside the tables: those above hold the same blocks.
    let before_blocks: Vec<usize> = reader
        .facts
        .tables
        .iter()
        .map(|table| table.blocks.len())
        .collect();
    reader.origin = Some(Origin {
        byte: start,
        failure: Rc::clone(failure),
        told: false,
    });
    if let Statement::Copy {
        columns,
        text_format,
        ..
    } = sql::parse(&entry.copy, reader.schema.text)
    {
        reader.copy(table, columns, text_format)?;
    }
    reader.statements()?;
    reader.end_inserts()?;
    let told = reader.origin.take().is_some_and(|origin| origin.told);
    if let Some(what) = failure.borrow().as_ref().filter(|_| !told) {
        reader.reject(Trouble::Damaged, Some(name), (start, 1), 0, 0, what)?;
    }
    reader.flush()?;
    (reader.facts.framing_bytes, reader.facts.row_bytes) = before;
    for (table, blocks) in reader.facts.tables.iter_mut().zip(before_blocks) {
        let found = table.blocks.split_off(blocks);
        if let Some(first) = found.first() {
            let block = Block {
                byte: start,
                length: 0,
                line: 1,
                rows: found.iter().map(|block| block.rows).sum(),
                columns: first.columns.clone(),
                form: BlockForm::Streamed,
            };
            table.blocks.push(block);
        }
    }
    Ok(reader.with_input(Input::empty()))
}
