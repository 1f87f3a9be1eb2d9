//! An archive that can be opened anywhere: only the wanted table is read and unpacked.

use std::io::{self, BufReader};
use std::sync::{Arc, Mutex, PoisonError};

use model::RowFilter;

use super::ahead::{Ahead, Budget, pair};
use super::contents::{Contents, contents};
use super::custom::{Chunks, End};
use super::expected::{Expected, HELD};
use super::place::{OpenAt, Packing, Place, give};
use super::skim::Noted;
use super::tar::{self, BLOCK, Header};
use super::toc::{Compression, Data, Fault, Fields};
use super::unpack::Failure;
use super::{BLOCK_DATA, is_table, rows, table_of};
use crate::facts::{
    DumpError, DumpFacts, DumpKind, Naming, RowSink, SinkError, TableFacts, Trouble, Want,
};
use crate::input::Input;
use crate::plain::Reader;
use crate::rows::{Field, fields};
use crate::schema::{FullName, Schema};
use crate::source::Opener;
use crate::sql::{self, Statement};
use crate::streamed::Nothing;
use crate::value::Decoder;

/// Most unpacked bytes of a table that wait while it is read.
const AHEAD: usize = 1 << 20;

/// The places of all data, beside the entries; `None` if they are missing.
type Places = Vec<Option<Place>>;

/// A table that will be asked soon.
#[derive(Clone, Copy)]
pub(crate) struct Soon<'a> {
    pub(crate) table: &'a TableFacts,
    /// The column by whose numbers its rows will be asked.
    pub(crate) by: Option<&'a str>,
    /// Columns of times of which the newest will be asked.
    pub(crate) newest: &'a [String],
}

fn name_of(table: &TableFacts) -> FullName {
    (table.info.schema.clone(), table.info.name.clone())
}

/// A table of contents with the places of all data.
pub(crate) struct Catalog {
    contents: Contents,
    kind: DumpKind,
    schema: Schema,
    places: Places,
    /// The tables of the entries, beside them; `None` for other data.
    tables: Vec<Option<FullName>>,
    expected: Mutex<Option<Expected>>,
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
        let Some(tables) = declared(&contents, &mut reader) else {
            return Ok(None);
        };
        reader.finish()?;
        let Some(places) = places(&contents, kind, &mut input, open)? else {
            return Ok(None);
        };
        let (schema, outline) = (reader.schema, reader.facts);
        Ok(Some(Catalog {
            contents,
            kind,
            schema,
            places,
            tables,
            expected: Mutex::default(),
            outline,
        }))
    }

    /// Begins with the tables that will be asked behind the first of these, in this order.
    pub(crate) fn announce(&self, opener: &Arc<Opener>, tables: &[Soon<'_>]) {
        let mut entries: Vec<(usize, Place, Option<Noted>)> = Vec::new();
        for soon in tables.iter().skip(1) {
            let noted = self.noted(soon);
            for entry in self.entries(&name_of(soon.table)) {
                let is_new = entries.iter().all(|(known, ..)| *known != entry);
                let place =
                    self.places[entry].filter(|place| place.compression != Compression::None);
                if let Some(place) = place.filter(|_| is_new) {
                    entries.push((entry, place, noted.clone()));
                }
            }
        }
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        // The one before ends first: each has threads and budgets.
        drop(expected.take());
        if !entries.is_empty() {
            *expected = Some(Expected::start(opener, entries, HELD));
        }
    }

    /// What is to be noted of a table whose rows will be asked by a number; `None` if all of it must be read.
    fn noted(&self, soon: &Soon<'_>) -> Option<Noted> {
        let (entry, columns) = self.alone(soon.table)?;
        let place = self.places[entry]?;
        let is_zlib =
            place.compression == Compression::Gzip && matches!(place.packing, Packing::Block(..));
        let fields = fields(&soon.table.info, &columns);
        let is_by = |(name, how): &Field<'_>| Some(*name) == soon.by && *how == Decoder::Int;
        let key = fields.iter().position(is_by)?;
        let noted = Noted {
            by: columns[key].clone(),
            key,
            newest: soon.newest.to_vec(),
            fields: fields
                .into_iter()
                .map(|(name, how)| (name.to_owned(), how))
                .collect(),
        };
        is_zlib.then_some(noted)
    }

    /// The one entry of a table whose rows are its own, and no other table's, with its columns.
    fn alone(&self, table: &TableFacts) -> Option<(usize, Vec<String>)> {
        let name = name_of(table);
        let [entry] = self.entries(&name)[..] else {
            return None;
        };
        let is_own = self.tables[entry].as_ref() == Some(&name);
        let copy = &self.contents.data[entry].copy;
        let is_text = matches!(
            sql::parse(copy, self.schema.text),
            Statement::Copy {
                text_format: true,
                ..
            }
        );
        (is_own && is_text && self.schema.above(&name).is_empty())
            .then(|| (entry, columns(&self.schema, &name, copy)))
    }

    /// Builds the rows of a table by what is known of it since it was announced, if that says where they are; `None` if
    /// all of it must be read.
    fn build(
        &self,
        open: OpenAt<'_>,
        table: &TableFacts,
        want: &Want,
        sink: &mut dyn RowSink,
    ) -> Option<Result<(), SinkError>> {
        let [want_table] = want.tables.as_deref()? else {
            return None;
        };
        let (entry, columns) = self.alone(table)?;
        let place = self.places[entry]?;
        let filters = want_table.parts.iter().map(|(filter, _)| filter);
        let filters: Vec<&RowFilter> = match want_table.parts.is_empty() {
            true => vec![&want_table.filter],
            false => filters.collect(),
        };
        let mut numbers: Vec<i64> = Vec::new();
        let mut column: Option<&String> = None;
        for filter in filters {
            match filter {
                RowFilter::I64In(by, values) if column.is_none_or(|column| column == by) => {
                    column = Some(by);
                    numbers.extend(values);
                }
                _ => return None,
            }
        }
        numbers.sort_unstable();
        // Only what answers this question is waited for.
        let soon = {
            let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
            expected.as_mut()?.skimmed(entry, column?)?
        };
        let knows = |name: &String| soon.newest.contains_key(name) || !columns.contains(name);
        if !want_table.newest.iter().all(knows) {
            return None;
        }
        let mut reader = Reader::new(Input::empty(), want, sink, self.kind);
        reader.schema = self.schema.clone();
        let name = name_of(table);
        let index = reader.table_index(&name, &columns);
        let mut builder = match reader.builder(index, &name, &columns, want_table) {
            Ok(builder) => builder,
            Err(error) => return Some(Err(error.into())),
        };
        soon.build(open, place, &numbers, &mut builder)?;
        // What is not of the encoding is told by who reads all.
        if builder.take_misread().first.is_some() {
            return None;
        }
        let info = &reader.facts.tables[index].info;
        for (column, us) in &soon.newest {
            reader.sink.newest(info, column, *us);
        }
        Some(reader.sink.rows(info, builder.take()))
    }

    /// The entries that hold the rows that a table shows, in the order in which the whole archive is read: rows
    /// without a key are known by their number.
    fn entries(&self, table: &FullName) -> Vec<usize> {
        let shows = |name: &FullName| name == table || self.schema.above(name).contains(&table);
        let is_here = |entry: &usize| self.tables[*entry].as_ref().is_some_and(shows);
        let mut entries: Vec<usize> = (0..self.tables.len()).filter(is_here).collect();
        entries.sort_by_key(|&entry| self.places[entry].map_or(u64::MAX, |place| place.start));
        entries
    }

    /// Whether the archive has an entry for the table's rows. One that was dumped without data has none.
    pub(crate) fn has_data(&self, table: &TableFacts) -> bool {
        !self.entries(&name_of(table)).is_empty()
    }

    /// Reads the rows of `table`.
    pub(crate) fn read(
        &self,
        open: OpenAt<'_>,
        table: &TableFacts,
        want: &Want,
        sink: &mut dyn RowSink,
    ) -> Result<(), SinkError> {
        if let Some(built) = self.build(open, table, want, sink) {
            return built;
        }
        let mut reader = Reader::new(Input::empty(), want, sink, self.kind);
        reader.schema = self.schema.clone();
        for nth in self.entries(&name_of(table)) {
            let entry = &self.contents.data[nth];
            let table = Some(entry.name.clone());
            let Some(place) = self.places[nth] else {
                let what = "the table's rows are missing in the archive";
                reader.reject(Trouble::Truncated, table, (0, 1), 0, 0, what)?;
                reader.flush()?;
                continue;
            };
            let failure = Failure::default();
            let expected = self
                .expected
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .as_mut()
                .and_then(|expected| expected.take(nth));
            let end;
            (reader, end) = std::thread::scope(|scope| {
                let given = expected.unwrap_or_else(|| {
                    let (giver, given) = pair(&Budget::new(AHEAD));
                    scope.spawn(move || give(open, place, &giver));
                    given
                });
                // Gone before the thread is waited for: it may still want to give.
                let mut ahead = Ahead::new(given, &failure);
                let unpacked = &mut BufReader::new(&mut ahead);
                let read = rows(reader, entry, unpacked, place.start, &failure);
                read.map(|reader| (reader, ahead.end.take()))
            })?;
            let at = (place.start, 1);
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
        Ok(())
    }
}

/// Names the tables of the entries, beside them, and lets the reader know their columns and types; `None` if those are
/// not all declared.
pub(super) fn declared(
    contents: &Contents,
    reader: &mut Reader<'_, '_>,
) -> Option<Vec<Option<FullName>>> {
    let mut tables = vec![None; contents.data.len()];
    let entries = contents.data.iter().zip(&mut tables);
    for (entry, name) in entries.filter(|(entry, _)| is_table(entry)) {
        let table = table_of(reader, entry);
        let columns = columns(&reader.schema, &table, &entry.copy);
        let index = reader.table_index(&table, &columns);
        let sql_types = &reader.facts.tables[index].sql_types;
        if sql_types.iter().any(String::is_empty) {
            return None;
        }
        *name = Some(table);
    }
    Some(tables)
}

/// The columns of an entry's rows.
fn columns(schema: &Schema, table: &FullName, copy: &[u8]) -> Vec<String> {
    match sql::parse(copy, schema.text) {
        Statement::Copy {
            columns: Some(columns),
            ..
        } => columns,
        _ => schema.stored_columns(table).unwrap_or_default(),
    }
}

/// Finds the places of all data; the input stands behind the table of contents.
fn places(
    contents: &Contents,
    kind: DumpKind,
    input: &mut Input<'_>,
    open: OpenAt<'_>,
) -> Result<Option<Places>, DumpError> {
    let mut places: Places = vec![None; contents.data.len()];
    let tables = || contents.data.iter().filter(|entry| is_table(entry));
    if kind != DumpKind::PgDumpCustom {
        return members(contents, input.byte(), open, &mut places)
            .map(|good| good.then_some(places));
    }
    let block = |start, id, limit| Place {
        start,
        packing: Packing::Block(id, limit),
        compression: contents.head.compression,
        numbers: contents.head.numbers,
    };
    if tables().all(|entry| matches!(entry.data, Data::Block(Some(_)))) {
        for (entry, place) in contents.data.iter().zip(&mut places) {
            if let Data::Block(Some(start)) = entry.data {
                *place = Some(block(start, entry.id, contents.next_block(start)));
            }
        }
        return Ok(Some(places));
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
                    places[entry] = Some(block(start, id, None));
                }
                if Chunks::new(input, numbers, None).finish()? != End::Whole {
                    return Ok(None);
                }
            }
            Err(Fault::Stopped(error)) => return Err(error),
            Err(Fault::Cut) if input.byte() == start => return Ok(Some(places)),
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
    places: &mut [Option<Place>],
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
            places[entry] = Some(Place {
                start: at,
                packing: Packing::Member(member.bytes),
                compression,
                numbers: contents.head.numbers,
            });
        }
        let padded = member.bytes.checked_next_multiple_of(BLOCK as u64);
        let next = padded.and_then(|bytes| at.checked_add(BLOCK as u64)?.checked_add(bytes));
        match next {
            Some(next) => at = next,
            None => return Ok(false),
        }
    }
}
