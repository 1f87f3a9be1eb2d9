//! A dump that can be read again: tables by name, rows by key, without building a case.

mod asked;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use model::{
    Batch, ColumnType, Encoding, OffsetMap, RowFilter, TableError, TableInfo, TableSource,
};

use crate::archive::Catalog;
use crate::facts::{
    DumpError, DumpFacts, DumpStatus, Located, Naming, RowSink, TableFacts, Trouble, Want,
    unique_snapshot_name,
};
use crate::input::Input;
use crate::pasted::Pasted;
use crate::streamed::Nothing;

/// A fresh reader of decoded bytes.
type Fresh = io::Result<Box<dyn BufRead + Send>>;

/// How a dump is opened again.
pub enum Opener {
    /// Only from its begin (a compressed file): small blocks of rows are remembered.
    FromStart(Box<dyn Fn() -> Fresh + Send + Sync>),
    /// At any decoded byte (a plain file).
    At(Box<dyn Fn(u64) -> Fresh + Send + Sync>),
}

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
}
