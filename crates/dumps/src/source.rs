//! A dump that can be read again: tables by name, rows by key, without building a case.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use model::{
    Batch, ColumnType, Encoding, OffsetMap, Part, RowFilter, TableError, TableInfo, TableSource,
};

use crate::archive::Catalog;
use crate::block::wanted_columns;
use crate::copy::{Front, front};
use crate::facts::{
    Block, BlockForm, DumpError, DumpFacts, DumpKind, DumpStatus, Located, Naming, RowSink,
    SinkError, TableFacts, Trouble, Want, WantTable, unique_snapshot_name,
};
use crate::input::Input;
use crate::pasted::Pasted;
use crate::rows::{Field, Place, RowBuilder};
use crate::schema::FullName;
use crate::streamed::{Gather, Nothing};
use crate::value::Decoder;

/// A fresh reader of decoded bytes.
type Fresh = io::Result<Box<dyn BufRead + Send>>;

/// How a dump is opened again.
pub enum Opener {
    /// Only from its begin (a compressed file): small blocks of rows are remembered.
    FromStart(Box<dyn Fn() -> Fresh + Send + Sync>),
    /// At any decoded byte (a plain file).
    At(Box<dyn Fn(u64) -> Fresh + Send + Sync>),
}

/// Largest block of rows that is remembered, where the dump can't be opened in its middle.
const REMEMBERED_BLOCK: u64 = 16 << 20;
/// Most bytes remembered.
const REMEMBERED: u64 = 96 << 20;
/// Most text in one answer: offsets of a column are 32 bits wide.
pub(crate) const ANSWER_BYTES: usize = 1 << 30;

/// Where a row lies in the decoded dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowPlace {
    /// Offset.
    pub byte: u64,
    /// Bytes, line end included.
    pub length: u64,
    /// Line, counted from 1.
    pub line: u64,
}

/// A dump as a [`TableSource`]. Opening it scans the dump once for tables, keys and blocks of rows;
/// reading a table then touches only its blocks.
pub struct DumpSource {
    opener: Arc<Opener>,
    naming: Naming,
    /// Of a dump in UTF-16: the way from its text, in which everything here is found, to its bytes.
    wide: Option<(Encoding, OffsetMap)>,
    /// Of an archive that can be opened anywhere.
    catalog: Option<Catalog>,
    /// What a reading of the whole dump found. With a catalogue it is not needed to read a table.
    scanned: OnceLock<DumpFacts>,
    /// The rows of pasted tables, beside `facts.tables`.
    pasted: Option<Vec<Batch>>,
    remembered: Mutex<BTreeMap<u64, Arc<[u8]>>>,
    damage: Mutex<BTreeMap<(u64, u64), Located>>,
    touched: Mutex<BTreeSet<String>>,
    /// Columns of times to be noted, by the table's place, and the newest of those that were.
    watched: Mutex<BTreeMap<usize, Vec<String>>>,
    newest: Mutex<BTreeMap<usize, BTreeMap<String, i64>>>,
}

impl std::fmt::Debug for DumpSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DumpSource")
            .field("kind", &self.outline().kind)
            .field("tables", &self.outline().tables.len())
            .finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl DumpSource {
    /// Scans a dump. Of an archive that can be opened anywhere only the table of contents is read.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn open(opener: Opener, naming: Naming) -> Result<DumpSource, DumpError> {
        let catalog = match &opener {
            Opener::At(open) => Catalog::open(&**open, &naming)?,
            Opener::FromStart(_) => None,
        };
        let mut source = DumpSource {
            opener: Arc::new(opener),
            naming,
            wide: None,
            catalog,
            scanned: OnceLock::new(),
            pasted: None,
            remembered: Mutex::default(),
            damage: Mutex::default(),
            touched: Mutex::default(),
            watched: Mutex::default(),
            newest: Mutex::default(),
        };
        if source.catalog.is_none() {
            let (facts, pasted) = match source.begins_wide()? {
                Some(encoding) => source.scan_wide(encoding)?,
                None => source.scan()?,
            };
            source.pasted = facts.kind.is_held().then(|| pasted.beside(&facts));
            source.scanned = OnceLock::from(facts);
        }
        Ok(source)
    }

    /// Reads the dump for tables, keys, blocks and damage, and the rows of pasted tables.
    fn scan(&self) -> Result<(DumpFacts, Pasted), DumpError> {
        let mut reader = self.open_start()?;
        let mut pasted = Pasted::default();
        let want = Want::nothing(self.naming.clone());
        let kind_of = crate::sniff::sniff_text;
        let facts = crate::psql::read_or_scan(&mut *reader, kind_of, &want, &mut pasted)?;
        Ok((facts, pasted))
    }

    /// Returns the encoding of a dump in UTF-16.
    fn begins_wide(&self) -> Result<Option<Encoding>, DumpError> {
        let mut reader = self.open_start()?;
        let mut input = Input::new(&mut *reader);
        let head = input.head(crate::sniff::HEAD);
        let head = head.map_err(|source| DumpError::Read { byte: 0, source })?;
        let encoding = crate::sniff::encoding(head);
        Ok((encoding != Encoding::Utf8).then_some(encoding))
    }

    /// The same as [`DumpSource::scan`], of a dump in UTF-16; from here on it is opened as its text.
    fn scan_wide(&mut self, encoding: Encoding) -> Result<(DumpFacts, Pasted), DumpError> {
        let (mut text, map) = crate::wide::decode(self.open_start()?, encoding);
        let mut pasted = Pasted::default();
        let want = Want::nothing(self.naming.clone());
        let kind_of = crate::wide::kind_of_text;
        let mut facts = crate::psql::read_or_scan(&mut text, kind_of, &want, &mut pasted)?;
        crate::wide::lead_back(&mut facts, &map);
        let original = Arc::clone(&self.opener);
        self.opener = Arc::new(Opener::FromStart(Box::new(move || {
            let raw = match &*original {
                Opener::FromStart(open) => open()?,
                Opener::At(open) => open(0)?,
            };
            Ok(Box::new(crate::wide::decode(raw, encoding).0))
        })));
        self.wide = Some((encoding, map));
        Ok((facts, pasted))
    }

    /// Reads the dump from its begin.
    fn read_whole(
        &self,
        reader: &mut dyn BufRead,
        want: &Want,
        sink: &mut dyn RowSink,
    ) -> Result<DumpFacts, DumpError> {
        let Some((_, map)) = &self.wide else {
            return crate::read_dump(reader, want, sink);
        };
        let mut facts = crate::read_text(Input::new(reader), want, sink)?;
        crate::wide::lead_back(&mut facts, map);
        Ok(facts)
    }

    /// Scans a dump that lies in memory.
    ///
    /// # Errors
    /// None in practice: reading memory does not fail.
    pub fn from_bytes(bytes: Vec<u8>, naming: Naming) -> Result<DumpSource, DumpError> {
        let bytes: Arc<[u8]> = bytes.into();
        DumpSource::open(
            Opener::At(Box::new(move |byte| {
                let mut cursor = io::Cursor::new(Arc::clone(&bytes));
                cursor.set_position(byte);
                Ok(Box::new(cursor))
            })),
            naming,
        )
    }

    /// Scans an uncompressed file.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn from_plain_file(
        path: &std::path::Path,
        naming: Naming,
    ) -> Result<DumpSource, DumpError> {
        let path = path.to_owned();
        DumpSource::open(
            Opener::At(Box::new(move |byte| {
                let mut file = std::fs::File::open(&path)?;
                io::Seek::seek(&mut file, io::SeekFrom::Start(byte))?;
                Ok(Box::new(io::BufReader::new(file)))
            })),
            naming,
        )
    }

    /// Returns the encoding its bytes are written in: UTF-16, or else whatever its own text says.
    pub fn encoding(&self) -> Encoding {
        self.wide
            .as_ref()
            .map_or(Encoding::Utf8, |(encoding, _)| *encoding)
    }

    /// Everything that is known of the dump. If only an archive's table of contents was read so far,
    /// all of it is read now.
    pub fn facts(&self) -> &DumpFacts {
        self.scanned.get_or_init(|| match self.scan() {
            Ok((facts, _)) => facts,
            // It could be opened a moment ago: what is known from then is all there is.
            Err(error) => {
                let mut facts = self.outline().clone();
                facts.status = DumpStatus::Damaged;
                facts.rejects.push(Located {
                    trouble: Trouble::Damaged,
                    table: None,
                    byte: 0,
                    length: 0,
                    line: 1,
                    lines: 0,
                    what: error.to_string(),
                });
                facts
            }
        })
    }

    /// Reads every row, as ingesting the dump would: the facts say which are damaged. Opening it only finds where rows lie.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn checked(&self) -> Result<DumpFacts, DumpError> {
        if self.pasted.is_some() {
            return Ok(self.facts().clone());
        }
        let mut reader = self.open_start()?;
        let want = Want {
            known: Some(self.outline().clone()),
            ..Want::all(self.naming.clone())
        };
        self.read_whole(&mut *reader, &want, &mut Nothing)
    }

    fn open_start(&self) -> Result<Box<dyn BufRead + Send>, DumpError> {
        let opened = match &*self.opener {
            Opener::FromStart(open) => open(),
            Opener::At(open) => open(0),
        };
        opened.map_err(|source| DumpError::Read { byte: 0, source })
    }

    /// What is known without reading rows: tables, columns, types and keys. Rows may not be counted,
    /// and damage that shows only in the rows is not known.
    pub fn outline(&self) -> &DumpFacts {
        match &self.catalog {
            Some(catalog) => &catalog.outline,
            None => self.facts(),
        }
    }

    /// Gives snapshots whose names are taken other ones, as ingesting the dump into a case that has them would.
    pub fn make_unique(&mut self, is_taken: impl Fn(&str) -> bool) {
        let outline = self.catalog.as_mut().map(|catalog| &mut catalog.outline);
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for facts in outline.into_iter().chain(self.scanned.get_mut()) {
            for TableFacts { info, .. } in &mut facts.tables {
                if !names.contains_key(&info.part) {
                    let name = unique_snapshot_name(&info.snapshot, |name| {
                        is_taken(name) || names.values().any(|used| used == name)
                    });
                    names.insert(info.part.clone(), name);
                }
                info.snapshot.clone_from(&names[&info.part]);
            }
        }
    }

    /// Returns where the row of a reference lies; `key` is what stands behind `#`.
    ///
    /// # Errors
    /// As [`TableSource::read`].
    pub fn locate(&self, table: &str, key: &str) -> Result<Option<RowPlace>, TableError> {
        Ok(self.find(table, key, &[])?.map(|(place, _)| place))
    }

    /// Returns the row of a reference as COPY writes it, and where it lies: for archives, in which no
    /// bytes of the file are the row.
    ///
    /// # Errors
    /// As [`TableSource::read`].
    pub fn row_text(
        &self,
        table: &str,
        key: &str,
    ) -> Result<Option<(RowPlace, Vec<u8>)>, TableError> {
        self.find(table, key, &["#text"])
    }

    fn find(
        &self,
        table: &str,
        key: &str,
        more: &[&str],
    ) -> Result<Option<(RowPlace, Vec<u8>)>, TableError> {
        let info = self.table_of_reference(table)?;
        let mut columns: Vec<&str> = info.primary_key.iter().map(String::as_str).collect();
        columns.extend(["#line", "#byte", "#length"]);
        columns.extend(more);
        let first = info.primary_key.first().and_then(|name| {
            let (_, column_type) = info.columns.iter().find(|(column, _)| column == name)?;
            let value = key.split(',').next()?.parse().ok()?;
            (*column_type == ColumnType::I64).then(|| RowFilter::I64In(name.clone(), vec![value]))
        });
        let filter = first.unwrap_or(RowFilter::All);
        let batch = self.read(&info.full_name(), &columns, &filter)?;
        let number = |name: &str, row: usize| batch.column(name).and_then(|column| column.i64(row));
        for row in 0..batch.rows() {
            let found = info.row_key(&batch, row, number("#", row));
            if found == key
                && let (Some(line), Some(byte), Some(length)) = (
                    number("#line", row),
                    number("#byte", row),
                    number("#length", row),
                )
            {
                let (byte, length) = (byte as u64, length as u64);
                let (byte, length) = match &self.wide {
                    Some((_, map)) => crate::wide::span(map, byte, length),
                    None => (byte, length),
                };
                let place = RowPlace {
                    byte,
                    length,
                    line: line as u64,
                };
                let text = batch.column("#text").and_then(|column| column.bytes(row));
                return Ok(Some((place, text.unwrap_or_default().to_vec())));
            }
        }
        Ok(None)
    }

    /// Finds the table of a reference; who writes one by hand may leave the schema out.
    pub(crate) fn table_of_reference(&self, table: &str) -> Result<&TableInfo, TableError> {
        let mut tables = self.outline().tables.iter().map(|known| &known.info);
        match tables.find(|info| info.reference_name() == table) {
            Some(info) => Ok(info),
            None => Ok(&self.outline().tables[self.resolve(table)?].info),
        }
    }

    /// Finds a table by `table`, `schema.table` or `snapshot.schema.table`.
    fn resolve(&self, name: &str) -> Result<usize, TableError> {
        let found: Vec<(usize, &TableInfo)> = self
            .outline()
            .tables
            .iter()
            .map(|table| &table.info)
            .enumerate()
            .filter(|(_, info)| info.is_named(name))
            .collect();
        let one = model::the_one(name, found, |(_, info)| (&info.snapshot, &info.schema))?;
        one.map(|(index, _)| index)
            .ok_or_else(|| TableError::NoTable {
                table: name.to_owned(),
                known: self
                    .outline()
                    .tables
                    .iter()
                    .map(|table| format!("{}.{}", table.info.schema, table.info.name))
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// Opens the dump at a block.
    fn open_block(&self, block: &Block) -> Fresh {
        let open = match &*self.opener {
            Opener::At(open) => return open(block.byte),
            Opener::FromStart(open) => open,
        };
        if let Some(bytes) = lock(&self.remembered).get(&block.byte) {
            return Ok(Box::new(io::Cursor::new(Arc::clone(bytes))));
        }
        // One pass serves all small blocks that lie on the way.
        let mut on_the_way: Vec<&Block> = self
            .outline()
            .tables
            .iter()
            .flat_map(|table| &table.blocks)
            .filter(|other| other.byte <= block.byte && other.length <= REMEMBERED_BLOCK)
            .collect();
        on_the_way.sort_by_key(|block| block.byte);
        let mut reader = open()?;
        let mut at = 0;
        let mut remembered = lock(&self.remembered);
        let mut held: u64 = remembered.values().map(|bytes| bytes.len() as u64).sum();
        for other in on_the_way {
            if remembered.contains_key(&other.byte) || held + other.length > REMEMBERED {
                continue;
            }
            skip(&mut *reader, other.byte - at)?;
            let mut bytes = vec![0; other.length as usize];
            io::Read::read_exact(&mut reader, &mut bytes)?;
            at = other.byte + other.length;
            held += other.length;
            remembered.insert(other.byte, bytes.into());
        }
        if let Some(bytes) = remembered.get(&block.byte) {
            return Ok(Box::new(io::Cursor::new(Arc::clone(bytes))));
        }
        skip(&mut *reader, block.byte - at)?;
        Ok(reader)
    }

    /// Reads the dump again from its begin, or the table's part of an archive, for rows that no reader can start at.
    /// What passes is handed to `sink`.
    fn read_again(
        &self,
        index: usize,
        want: WantTable,
        mut sink: Gather<'_>,
    ) -> Result<Vec<Batch>, SinkError> {
        let want = Want {
            tables: Some(vec![want]),
            naming: self.naming.clone(),
            known: Some(self.outline().clone()),
        };
        let mut reader = match (&*self.opener, &self.catalog) {
            (Opener::At(open), Some(catalog)) => {
                let table = &self.outline().tables[index];
                catalog.read(&**open, table, &want, &mut sink)?;
                return Ok(self.noted(index, sink));
            }
            (Opener::FromStart(open), _) => open()?,
            (Opener::At(open), None) => open(0)?,
        };
        self.read_whole(&mut *reader, &want, &mut sink)?;
        Ok(self.noted(index, sink))
    }

    /// What is wanted of a table, the columns whose newest time is to be noted among it.
    fn want_of(&self, index: usize, columns: Vec<String>, filter: &RowFilter) -> WantTable {
        let info = &self.outline().tables[index].info;
        let watched = lock(&self.watched).get(&index).cloned();
        WantTable {
            columns: Some(columns),
            filter: filter.clone(),
            newest: watched.unwrap_or_default(),
            ..WantTable::all(Some(&info.schema), &info.name)
        }
    }

    /// Takes note of a table that is asked, and of those whose rows it shows.
    fn touch(&self, table: &TableFacts) {
        let mut touched = lock(&self.touched);
        touched.insert(table.info.name.clone());
        touched.extend(table.inherited.tables.iter().cloned());
    }

    /// Takes note of damage and newest times; returns the rows.
    fn noted(&self, index: usize, sink: Gather<'_>) -> Vec<Batch> {
        let found = sink.found();
        for located in found.damage {
            self.note(located);
        }
        self.note_newest(index, found.newest);
        found.rows
    }

    /// Where columns of the table are watched, these are the newest of all its rows: each reading passes over them all.
    fn note_newest(&self, index: usize, newest: BTreeMap<String, i64>) {
        if lock(&self.watched).contains_key(&index) {
            lock(&self.newest).insert(index, newest);
        }
    }

    /// Takes note of damage at a place in what is read.
    fn note(&self, mut located: Located) {
        if let Some((_, map)) = &self.wide {
            located = crate::wide::in_original(&located, map);
        }
        lock(&self.damage).insert((located.byte, located.line), located);
    }

    /// Whether a reader can start at the table's rows.
    fn is_read_in_place(&self, table: &TableFacts) -> bool {
        let in_place = |block: &Block| block.form == BlockForm::CopyText;
        self.catalog.is_none() && table.blocks.iter().all(in_place)
    }

    fn read_blocks(&self, index: usize, want: &WantTable) -> Result<Batch, SinkError> {
        let table = &self.outline().tables[index];
        let columns = wanted_columns(&table.info.columns, want.columns.as_deref());
        let mut newest: BTreeMap<String, i64> = BTreeMap::new();
        let mut ordinal = 0;
        let mut answer: Option<RowBuilder> = None;
        let mut batches = Vec::new();
        for block in &table.blocks {
            let fields: Vec<Field<'_>> = block
                .columns
                .iter()
                .map(|name| {
                    let column = table.info.columns.iter().find(|(column, _)| column == name);
                    let column_type = column.map_or(ColumnType::Text, |(_, t)| *t);
                    (name.as_str(), Decoder::of_column_type(column_type))
                })
                .collect();
            let builder = RowBuilder::of_want(&fields, &columns, want);
            let mut builder = builder.encoded(table.encoding);
            self.read_block(table, block, &mut builder, &mut ordinal)?;
            for (column, us) in builder.newest() {
                let newest = newest.entry(column.to_owned()).or_insert(us);
                *newest = us.max(*newest);
            }
            if let Some(mut full) = answer.replace(builder) {
                batches.push(full.take());
            }
        }
        self.note_newest(index, newest);
        let mut builder = answer.unwrap_or_else(|| RowBuilder::new(&[], &columns, &RowFilter::All));
        batches.push(builder.take());
        Ok(crate::rows::concatenate(batches))
    }

    fn read_block(
        &self,
        table: &TableFacts,
        block: &Block,
        builder: &mut RowBuilder,
        ordinal: &mut i64,
    ) -> Result<(), SinkError> {
        let mut reader = self.open_block(block)?;
        let mut input = Input::starting_at(&mut *reader, block.byte, block.line);
        let end = block.byte + block.length;
        while input.byte() < end {
            *ordinal += 1;
            let place = Place {
                line: input.line_number(),
                byte: input.byte(),
                length: 0,
            };
            let (length, good) = match front(&mut input)? {
                Front::Row(text, length) => {
                    let place = Place {
                        length: length as u64,
                        ..place
                    };
                    let good = builder.push(&input.window()[..text], *ordinal, place);
                    input.consume_lines(length, 1);
                    (length as u64, good)
                }
                Front::Long => (
                    input.skip_line()?.0,
                    Err("a row of more than 64 MiB".to_owned()),
                ),
                Front::Cut(_) | Front::Mark(_) | Front::End => {
                    return Err("the dump has changed since it was scanned".into());
                }
            };
            if let Err(what) = good {
                let name = &table.info.name;
                self.note(Located {
                    trouble: Trouble::Damaged,
                    table: Some(name.clone()),
                    byte: place.byte,
                    length,
                    line: place.line,
                    lines: 1,
                    what,
                });
            }
            if builder.text_bytes() > ANSWER_BYTES {
                return Err("more than 1 GiB of rows in one answer: ask for less".into());
            }
        }
        let misread = builder.take_misread();
        if let Some((byte, line)) = misread.first {
            let located = Located {
                trouble: Trouble::Damaged,
                table: Some(table.info.name.clone()),
                byte,
                length: 0,
                line,
                lines: 0,
                what: misread.told(table.encoding),
            };
            self.note(located);
        }
        Ok(())
    }
}

fn failed(table: &TableFacts, source: SinkError) -> TableError {
    TableError::Read {
        table: table.info.name.clone(),
        source,
    }
}

fn skip(reader: &mut (dyn BufRead + Send), mut count: u64) -> io::Result<()> {
    while count > 0 {
        let held = reader.fill_buf()?.len() as u64;
        if held == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let used = held.min(count);
        reader.consume(used as usize);
        count -= used;
    }
    Ok(())
}

impl TableSource for DumpSource {
    fn tables(&self) -> Vec<TableInfo> {
        let tables = self.outline().tables.iter();
        tables.map(|table| table.info.clone()).collect()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let index = self.resolve(table)?;
        let facts = &self.outline().tables[index];
        self.touch(facts);
        let names: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        if let Some(pasted) = &self.pasted {
            let rows = 0..pasted[index].rows();
            return Ok(crate::rows::select(&pasted[index], &names, filter, rows));
        }
        let rows = if self.is_read_in_place(facts) {
            self.read_blocks(index, &self.want_of(index, names, filter))
        } else {
            let sink = Gather::new(facts, &names);
            let want = self.want_of(index, names, filter);
            let rows = self.read_again(index, want, sink);
            rows.map(|rows| rows.into_iter().next().unwrap_or_default())
        };
        rows.map_err(|source| failed(facts, source))
    }

    fn read_parts(&self, table: &str, parts: &[Part<'_>]) -> Result<Vec<Batch>, TableError> {
        let index = self.resolve(table)?;
        let facts = &self.outline().tables[index];
        if parts.len() < 2 || self.pasted.is_some() {
            let read = |part: &Part<'_>| self.read(table, part.columns, part.filter);
            return parts.iter().map(read).collect();
        }
        self.touch(facts);
        // What a part shows, and what it is chosen by.
        let columns_of = |part: &Part<'_>| {
            let by = match part.filter {
                RowFilter::I64In(column, _) | RowFilter::BytesIn(column, _) => Some(column),
                RowFilter::All => None,
            };
            let shown = part.columns.iter().copied();
            let names = shown.chain(by.map(String::as_str)).map(str::to_owned);
            names.collect::<Vec<String>>()
        };
        let parts_of: Vec<(RowFilter, Vec<String>)> = parts
            .iter()
            .map(|part| (part.filter.clone(), columns_of(part)))
            .collect();
        let mut names: Vec<String> = Vec::new();
        for name in parts_of.iter().flat_map(|(_, names)| names) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let want = WantTable {
            parts: parts_of,
            ..self.want_of(index, names, &RowFilter::All)
        };
        let rows = if self.is_read_in_place(facts) {
            self.read_blocks(index, &want).map(|rows| {
                let cut = |part: &Part<'_>| {
                    let names: Vec<String> = part.columns.iter().map(|&n| n.to_owned()).collect();
                    crate::rows::select(&rows, &names, part.filter, 0..rows.rows())
                };
                parts.iter().map(cut).collect()
            })
        } else {
            self.read_again(index, want, Gather::of_parts(facts, parts))
        };
        rows.map_err(|source| failed(facts, source))
    }

    fn watch_newest(&self, table: &str, columns: &[&str]) -> bool {
        let Ok(index) = self.resolve(table) else {
            return false;
        };
        // Other forms are read by other readers, which note none.
        let kind = self.outline().kind;
        if !kind.is_archive() && kind != DumpKind::PgDumpPlain {
            return false;
        }
        let columns = columns.iter().map(|&column| column.to_owned());
        lock(&self.watched).insert(index, columns.collect());
        lock(&self.newest).remove(&index);
        true
    }

    fn newest(&self, table: &str) -> Option<BTreeMap<String, i64>> {
        lock(&self.newest).get(&self.resolve(table).ok()?).cloned()
    }

    fn announce(&self, tables: &[&str]) {
        let Some(catalog) = &self.catalog else {
            return;
        };
        let found = tables.iter().filter_map(|name| self.resolve(name).ok());
        let names: Vec<FullName> = found
            .map(|index| &self.outline().tables[index].info)
            .map(|info| (info.schema.clone(), info.name.clone()))
            .collect();
        catalog.announce(&self.opener, &names);
    }

    fn row_count(&self, table: &str) -> Option<u64> {
        let index = self.resolve(table).ok()?;
        let facts = &self.outline().tables[index];
        match (&self.catalog, &self.pasted) {
            (Some(catalog), _) => (!catalog.has_data(facts)).then_some(0),
            (None, Some(pasted)) => Some(pasted[index].rows() as u64),
            (None, None) => Some(facts.rows.saturating_sub(facts.damaged_rows)),
        }
    }

    fn damage_of(&self, table: &str) -> Vec<String> {
        let Ok(index) = self.resolve(table) else {
            return Vec::new();
        };
        let facts = &self.outline().tables[index];
        // Rows stand behind all declarations: of a dump that is cut, a table without any may have lain behind the cut.
        let may_be_cut = self.catalog.is_none() && facts.blocks.is_empty() && facts.rows == 0;
        let concerns = |located: &&Located| match (&located.table, located.trouble) {
            (_, Trouble::Other) => false,
            (Some(name), trouble) => {
                let bare = name.rsplit('.').next().unwrap_or(name);
                bare == facts.info.name || (trouble == Trouble::Truncated && may_be_cut)
            }
            (None, Trouble::Truncated) => may_be_cut,
            (None, _) => true,
        };
        let mut all: BTreeMap<(u64, u64), String> = BTreeMap::new();
        let known = lock(&self.damage);
        let known = known.values().chain(&self.outline().rejects);
        for located in known.filter(concerns) {
            all.insert((located.byte, located.line), told(located));
        }
        all.into_values().collect()
    }

    fn damage(&self) -> Vec<String> {
        let touched = lock(&self.touched);
        let mut all: BTreeMap<(u64, u64), Located> = lock(&self.damage).clone();
        for located in &self.outline().rejects {
            let concerns = located.trouble == Trouble::Truncated
                || located.table.as_deref().is_none_or(|name| {
                    let bare = name.rsplit('.').next().unwrap_or(name);
                    let last = |full: &String| full.rsplit('.').next() == Some(bare);
                    touched.contains(name) || touched.contains(bare) || touched.iter().any(last)
                });
            if located.trouble != Trouble::Other && concerns {
                all.insert((located.byte, located.line), located.clone());
            }
        }
        all.values().map(told).collect()
    }
}

/// Damage in words, with its place.
fn told(located: &Located) -> String {
    let table = located
        .table
        .as_ref()
        .map_or(String::new(), |name| format!("table {name}, "));
    format!(
        "{table}line {}, byte {}: {}",
        located.line, located.byte, located.what
    )
}
