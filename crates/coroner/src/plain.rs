//! Plain dumps, asked without building a case: only what the question needs is read.

use crate::as_of::Dumped;
use crate::dump_file::{Dump, HEAD, bytes_of, open_reader};
use crate::evidence::{exists, shown, unreadable};
use crate::{Error, ErrorKind, OpenOptions, Partial, Shown, TableColumn, TableRow};
use dumps::TableFacts;
use evidence::{Found, Limits, SourceReader, Streams};
use model::{
    Batch, Choice, Coming, Encoding, Part, Reference, RowFilter, SourceId, TableError, TableInfo,
    TableSource,
};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read as _};
use std::path::Path;

/// Opens a file that is no archive; `None` if it is one.
fn open_single(path: &Path) -> Result<Option<SourceReader>, evidence::EvidenceError> {
    let streams = Streams::open(path, Limits::default())?;
    match streams.is_archive() {
        true => Ok(None),
        false => SourceReader::open(path).map(Some),
    }
}

/// Appends a line with its end; returns its bytes.
fn read_line(
    reader: &mut impl BufRead,
    encoding: Encoding,
    line: &mut Vec<u8>,
) -> std::io::Result<usize> {
    if encoding == Encoding::Utf8 {
        return reader.read_until(b'\n', line);
    }
    let before = line.len();
    loop {
        let read = reader.by_ref().take(2).read_to_end(line)?;
        let unit = &line[line.len() - read..];
        if read < 2 || encoding.line_length(unit).is_some() {
            return Ok(line.len() - before);
        }
    }
}

/// Reads lines of a file, with the first one's offset.
fn lines_of(
    path: &Path,
    encoding: Encoding,
    first: u64,
    last: u64,
) -> Result<(u64, Vec<u8>), Error> {
    let mut reader = BufReader::with_capacity(1 << 18, open_reader(path)?);
    let (mut line, mut byte) = (1, 0);
    let mut raw = Vec::new();
    while line <= last {
        let before = raw.len();
        let read = read_line(&mut reader, encoding, &mut raw)
            .map_err(|error| unreadable("read", path, error))?;
        if read == 0 {
            break;
        }
        if line < first {
            byte += read as u64;
            raw.truncate(before);
        }
        line += 1;
    }
    if raw.is_empty() {
        return Err(Error::request(format!(
            "{} has no line {first}: it has {}",
            shown(path),
            line - 1
        )));
    }
    Ok((byte, raw))
}

/// The database dumps among plain evidence, as one set of tables.
#[derive(Debug)]
pub struct PlainDumps {
    dumps: Vec<Dump>,
    /// The tables that are asked; `None`: all.
    choice: Option<Choice>,
    unread: Vec<Partial>,
    /// Files beside them that are no dumps.
    others: usize,
}

impl PlainDumps {
    /// Opens the dumps under a path; `None` if the path is a case, standard input, or holds no dump.
    ///
    /// # Errors
    /// If there is no such path, or nothing in it can be read.
    pub fn open(
        path: impl AsRef<Path>,
        options: &OpenOptions,
        snapshot: Option<&str>,
    ) -> Result<Option<PlainDumps>, Error> {
        let path = path.as_ref();
        exists(path)?;
        if case::Case::is_case(path) || path == Path::new(crate::STDIN) {
            return Ok(None);
        }
        let mut found = PlainDumps {
            dumps: Vec::new(),
            choice: None,
            unread: Vec::new(),
            others: 0,
        };
        for item in evidence::walk(&[path.to_path_buf()]) {
            match item {
                Found::Problem { path, error } => found.unread.push(Partial {
                    source: shown(&path),
                    byte: None,
                    what: Error::wrap(ErrorKind::Unreadable, error).chain().join(": "),
                }),
                Found::File { path, .. } => match open_single(&path) {
                    // What lies in archives needs a case: nothing of it can be read at its place.
                    Ok(None) => return Ok(None),
                    Ok(Some(mut reader)) => {
                        if dumps::sniff(reader.peek(HEAD)).is_none() {
                            found.others += 1;
                            continue;
                        }
                        drop(reader);
                        let dump = Dump::open(&path, options.ingest.as_name.as_deref())?;
                        found.add(dump);
                    }
                    Err(error) => found.unread.push(Partial {
                        source: shown(&path),
                        byte: None,
                        what: Error::wrap(ErrorKind::Unreadable, error).chain().join(": "),
                    }),
                },
            }
        }
        if found.dumps.is_empty() {
            if found.others == 0 {
                let message = match found.unread.first() {
                    Some(first) => format!("nothing could be read: {first}"),
                    None => format!("no evidence in {}", shown(path)),
                };
                return Err(Error::new(ErrorKind::Unreadable, message)
                    .with_hint("name a log, a database dump, or a folder that holds some"));
            }
            return Ok(None);
        }
        if let Some(wanted) = snapshot {
            found.choice = Some(found.find(wanted)?);
        }
        Ok(Some(found))
    }

    /// Opens dumps that are about to be asked.
    ///
    /// # Errors
    /// As [`PlainDumps::open`], and if there is nothing but damage: the answer would only be that tables are missing.
    pub(crate) fn to_ask(
        path: &Path,
        options: &OpenOptions,
        snapshot: Option<&str>,
    ) -> Result<Option<PlainDumps>, Error> {
        let found = PlainDumps::open(path, options, snapshot)?;
        let Some(dumps) = found.as_ref().filter(|dumps| !dumps.has_others()) else {
            return Ok(found);
        };
        let lost: Option<Vec<&Partial>> = dumps.dumps.iter().map(Dump::is_lost).collect();
        match lost.as_deref() {
            Some([first, ..]) => Err(Error::new(
                ErrorKind::Unreadable,
                format!("nothing could be read: {first}"),
            )),
            _ => Ok(found),
        }
    }

    /// Adds a dump; the same bytes once, another dump of the same name under a name of its own.
    fn add(&mut self, mut dump: Dump) {
        if self
            .dumps
            .iter()
            .any(|known| known.digest() == dump.digest())
        {
            return;
        }
        let taken = self.snapshots();
        dump.source
            .make_unique(|name| taken.iter().any(|known| known == name));
        self.dumps.push(dump);
    }

    /// Returns which tables `--snapshot` means.
    ///
    /// # Errors
    /// If no snapshot and no schema has that name.
    pub(crate) fn find(&self, wanted: &str) -> Result<Choice, Error> {
        let places = self.all().map(|info| (&*info.snapshot, &*info.schema));
        Choice::find(wanted, places).ok_or_else(|| {
            let tables = self.all();
            let known =
                Choice::names(tables.map(|info| (&*info.snapshot, &*info.schema, &*info.name)));
            crate::snapshots::unknown(wanted, &known)
        })
    }

    /// Returns the names of the snapshots, in the order of files.
    pub fn snapshots(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for info in self.all() {
            if !names.contains(&info.snapshot) {
                names.push(info.snapshot.clone());
            }
        }
        names
    }

    /// How many files there are.
    pub(crate) fn len(&self) -> usize {
        self.dumps.len()
    }

    /// Whether there are other files beside the dumps: logs, perhaps.
    pub fn has_others(&self) -> bool {
        self.others > 0
    }

    /// Returns what could not be read.
    pub fn partial(&self) -> Vec<Partial> {
        let mut parts = self.unread.clone();
        parts.extend(self.dumps.iter().flat_map(Dump::problems).cloned());
        parts
    }

    /// When the dump was taken whose tables are asked (`concerns`, by their names), where the header of one says so
    /// and no other's does. Answers of APIs beside a dump have none.
    pub(crate) fn dumped(&self, concerns: impl Fn(&str) -> bool) -> Dumped {
        let asked = self.chosen().filter(|(_, info)| concerns(&info.name));
        let headers: BTreeMap<&str, Dumped> = asked
            .map(|(dump, info)| {
                let facts = dump.source.outline();
                let part = facts.parts.iter().find(|part| part.part == info.part);
                let (at_us, local_us) = match part {
                    Some(part) => (part.started_on, part.started_local),
                    None => (facts.started_on, facts.started_local),
                };
                (info.snapshot.as_str(), Dumped { at_us, local_us })
            })
            .filter(|(_, dumped)| *dumped != Dumped::default())
            .collect();
        match headers.into_values().collect::<Vec<_>>().as_slice() {
            [only] => *only,
            _ => Dumped::default(),
        }
    }

    /// Returns the tables of all snapshots, whichever was chosen, by their full names.
    pub(crate) fn of_all_snapshots(&self) -> AllSnapshots<'_> {
        AllSnapshots { dumps: self }
    }

    /// Reads all rows; returns the tables as `coroner tables` shows them.
    ///
    /// # Errors
    /// If a dump cannot be read again.
    pub fn rows(&mut self) -> Result<Vec<TableRow>, Error> {
        let mut tables = Vec::new();
        for dump in &mut self.dumps {
            if is_chosen(self.choice.as_ref(), dump) {
                tables.extend(dump.check()?.tables);
            }
        }
        tables.retain(|table| holds(self.choice.as_ref(), &table.info));
        let row = |table: &TableFacts| TableRow {
            snapshot: table.info.snapshot.clone(),
            schema: table.info.schema.clone(),
            name: table.info.name.clone(),
            rows: table.rows.saturating_sub(table.damaged_rows),
            damaged_rows: table.damaged_rows,
            primary_key: table.info.primary_key.clone(),
            types_inferred: table.info.types_inferred,
            columns: TableColumn::list(&table.info.columns),
            notes: table.notes.clone(),
            source: table.info.source.to_string(),
        };
        Ok(tables.iter().map(row).collect())
    }

    /// Returns the raw bytes behind a reference into one of the dumps.
    ///
    /// # Errors
    /// If no dump here is the source, or it has no such line or row.
    pub fn show(&self, reference: &Reference) -> Result<Shown, Error> {
        let (Reference::Lines { source, .. }
        | Reference::Bytes { source, .. }
        | Reference::Row { source, .. }
        | Reference::Source(source)) = reference;
        let dump = self
            .dumps
            .iter()
            .enumerate()
            .find(|(index, dump)| match source {
                SourceId::Alias(number) => *number as usize == index + 1,
                SourceId::Digest(digest) => {
                    digest.starts_with(dump.digest()) || dump.digest().starts_with(digest)
                }
            })
            .map(|(_, dump)| dump)
            .ok_or_else(|| {
                let known: Vec<String> = self.dumps.iter().map(|d| d.digest().to_owned()).collect();
                Error::request(format!("there is no source `{source}` in this evidence"))
                    .with_hint(format!("sources are {}", known.join(", ")))
            })?;
        let digest = SourceId::Digest(dump.digest().to_owned());
        let (permanent, byte, line, raw) = match reference {
            Reference::Bytes { byte, length, .. } => (
                Reference::Bytes {
                    source: digest,
                    byte: *byte,
                    length: *length,
                },
                *byte,
                None,
                bytes_of(&dump.path, *byte, *length)?,
            ),
            Reference::Row { table, key, .. } => {
                let (place, raw) = dump.row(table, key)?.ok_or_else(|| {
                    Error::request(format!("{} has no row {table}#{key}", shown(&dump.path)))
                })?;
                (
                    Reference::Row {
                        source: digest,
                        table: table.clone(),
                        key: key.clone(),
                    },
                    place.byte,
                    Some(place.line),
                    raw,
                )
            }
            Reference::Lines { first, last, .. } => {
                let (byte, raw) = lines_of(&dump.path, dump.source.encoding(), *first, *last)?;
                (
                    Reference::Lines {
                        source: digest,
                        first: *first,
                        last: *last,
                    },
                    byte,
                    Some(*first),
                    raw,
                )
            }
            Reference::Source(_) => {
                return Err(Error::request(format!("`{reference}` is a whole dump"))
                    .with_hint(format!("name lines or a row: {reference}:1-20")));
            }
        };
        Ok(Shown {
            reference: permanent.to_string(),
            source: dump.digest().to_owned(),
            path: shown(&dump.path),
            byte,
            line,
            raw,
            encoding: dump.source.encoding(),
            before: Vec::new(),
            after: Vec::new(),
        })
    }

    /// Returns all tables, whichever are chosen.
    fn all(&self) -> impl Iterator<Item = &TableInfo> {
        self.dumps.iter().flat_map(infos_of)
    }

    fn chosen_dumps(&self) -> impl Iterator<Item = &Dump> {
        self.dumps
            .iter()
            .filter(|dump| is_chosen(self.choice.as_ref(), dump))
    }

    /// Returns the chosen tables, each with its dump.
    fn chosen(&self) -> impl Iterator<Item = (&Dump, &TableInfo)> {
        let dumps = self.dumps.iter();
        dumps
            .flat_map(|dump| infos_of(dump).map(move |info| (dump, info)))
            .filter(|(_, info)| holds(self.choice.as_ref(), info))
    }

    /// Finds the one table of a name; returns its dump and its full name, by which the dump finds it.
    fn with_table(&self, table: &str) -> Result<(&Dump, String), TableError> {
        let found: Vec<(&Dump, &TableInfo)> = self
            .chosen()
            .filter(|(_, info)| info.is_named(table))
            .collect();
        let one = model::the_one(table, found, |(_, info)| (&info.snapshot, &info.schema))?;
        match one {
            Some((dump, info)) => Ok((dump, info.full_name())),
            None => Err(TableError::NoTable {
                table: table.to_owned(),
                known: self
                    .chosen()
                    .map(|(_, info)| info.name.clone())
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }
}

fn infos_of(dump: &Dump) -> impl Iterator<Item = &TableInfo> {
    dump.source.outline().tables.iter().map(|table| &table.info)
}

fn holds(choice: Option<&Choice>, info: &TableInfo) -> bool {
    choice.is_none_or(|choice| choice.holds(&info.snapshot, &info.schema))
}

/// Whether tables of a dump are asked.
fn is_chosen(choice: Option<&Choice>, dump: &Dump) -> bool {
    choice.is_none() || infos_of(dump).any(|info| holds(choice, info))
}

/// The tables of all snapshots among plain dumps.
pub(crate) struct AllSnapshots<'a> {
    dumps: &'a PlainDumps,
}

impl TableSource for AllSnapshots<'_> {
    fn tables(&self) -> Vec<TableInfo> {
        let dumps = self.dumps.dumps.iter();
        dumps.flat_map(|dump| dump.source.tables()).collect()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let holds = |dump: &&Dump| infos_of(dump).any(|info| info.full_name() == table);
        match self.dumps.dumps.iter().find(holds) {
            Some(dump) => dump.source.read(table, columns, filter),
            None => self.dumps.read(table, columns, filter),
        }
    }
}

impl TableSource for PlainDumps {
    fn tables(&self) -> Vec<TableInfo> {
        self.chosen().map(|(_, info)| info.clone()).collect()
    }

    fn read(&self, table: &str, columns: &[&str], filter: &RowFilter) -> Result<Batch, TableError> {
        let (dump, full) = self.with_table(table)?;
        dump.source.read(&full, columns, filter)
    }

    fn read_parts(&self, table: &str, parts: &[Part<'_>]) -> Result<Vec<Batch>, TableError> {
        let (dump, full) = self.with_table(table)?;
        dump.source.read_parts(&full, parts)
    }

    fn announce(&self, coming: &[Coming<'_>]) {
        let found = coming
            .iter()
            .filter_map(|coming| Some((self.with_table(coming.table).ok()?, coming.by)));
        let found: Vec<((&Dump, String), Option<&str>)> = found.collect();
        for dump in self.chosen_dumps() {
            let here = found
                .iter()
                .filter(|((with, _), _)| std::ptr::eq(*with, dump));
            let here = here.map(|((_, table), by)| Coming { table, by: *by });
            dump.source.announce(&here.collect::<Vec<_>>());
        }
    }

    fn watch_newest(&self, table: &str, columns: &[&str]) -> bool {
        self.with_table(table)
            .is_ok_and(|(dump, full)| dump.source.watch_newest(&full, columns))
    }

    fn newest(&self, table: &str) -> Option<BTreeMap<String, i64>> {
        let (dump, full) = self.with_table(table).ok()?;
        dump.source.newest(&full)
    }

    fn row_count(&self, table: &str) -> Option<u64> {
        let (dump, full) = self.with_table(table).ok()?;
        dump.source.row_count(&full)
    }

    fn damage_of(&self, table: &str) -> Vec<String> {
        match self.with_table(table) {
            Ok((dump, full)) => dump.source.damage_of(&full),
            Err(_) => Vec::new(),
        }
    }

    fn damage(&self) -> Vec<String> {
        self.chosen_dumps()
            .flat_map(|dump| dump.source.damage())
            .collect()
    }
}
