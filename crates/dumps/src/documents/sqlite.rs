//! SQLite files (Lighthouse's and Nimbus's slashing protection, or any other): their plain tables, as
//! the file stores them.
//!
//! SQLite needs a file it can seek in, so the evidence is copied to a private temporary file and opened
//! there read-only and immutable. The file may be hostile: no view, trigger, virtual table or generated
//! column is evaluated, SQLite's heap is bounded, and a table that gives more rows or bytes than its
//! file has room for is given up. What a write-ahead log beside the file holds is not in the file.
//!
//! Types: SQLite's are of values, not of columns. A column has the type that all its values have; text
//! `0x…` of a key's or hash's length is bytes (Lighthouse stores keys so, Nimbus stores raw bytes).

mod salvage;

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};

use super::cell::{Cell, Hint};
use super::collect::{Reading, TABLES};
use super::shapes::Shape;
use crate::facts::{DumpError, Located, Trouble};
use crate::sniff::COLUMNS;

/// How such a file begins.
pub(crate) const MAGIC: &[u8] = b"SQLite format 3\0";
/// Most memory that SQLite may take: the largest value it can be made to hold, and its cache.
const HEAP_BYTES: i64 = 128 << 20;
/// Longest file that missing pages are put back to, as nothing.
const SPARSE_BYTES: u64 = 1 << 40;
/// SQLite's name for the tables of the file itself.
const SCHEMA: &str = "main";

/// A table of the file.
struct Stored {
    name: String,
    columns: Vec<StoredColumn>,
    key: Vec<String>,
    notes: Vec<String>,
}

struct StoredColumn {
    name: String,
    declared: String,
}

/// Why the rest of something could not be read.
struct Unread {
    table: Option<String>,
    what: String,
}

/// What is missing at the end of a file.
pub(crate) struct Cut {
    /// There is not even a header.
    all: bool,
    what: String,
}

/// Reads the tables of a file of `bytes` bytes, of which [`missing`] has told.
pub(crate) fn walk(
    path: &Path,
    bytes: u64,
    cut: Option<&Cut>,
    out: &mut Reading<'_>,
) -> Result<(), DumpError> {
    if let Some(cut) = cut {
        out.reject(reject(bytes, None, Trouble::Truncated, cut.what.clone()))?;
        if cut.all {
            return Ok(());
        }
    }
    let opened = open(path).and_then(|connection| {
        let tables = tables(&connection)?;
        Ok((connection, tables))
    });
    let (connection, tables) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let what = format!("no table of the SQLite file can be read: {error}");
            return out.reject(reject(bytes, None, Trouble::Damaged, what));
        }
    };
    for table in tables {
        let table = match table {
            Ok(table) => table,
            Err(Unread { table, what }) => {
                out.reject(reject(bytes, table, Trouble::Unsupported, what))?;
                continue;
            }
        };
        let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
        let hints: Vec<(&str, Hint)> = table
            .columns
            .iter()
            .map(|column| (column.name.as_str(), hint(&column.declared)))
            .collect();
        let key: Vec<&str> = table.key.iter().map(String::as_str).collect();
        let shape = Shape {
            schema: SCHEMA,
            table: &table.name,
            columns: &names,
            key: &key,
            hints: &hints,
        };
        let types: Vec<String> = table.columns.iter().map(|c| c.declared.clone()).collect();
        out.declare(&shape, &types);
        for note in &table.notes {
            out.note(&shape, note.clone());
        }
        if !out.needs(&shape) {
            continue;
        }
        for what in salvage::rows(&connection, &table, &shape, bytes, out)? {
            let name = Some(table.name.clone());
            out.reject(reject(bytes, name, Trouble::Damaged, what))?;
        }
    }
    Ok(())
}

/// What cannot be read has no place in the file that SQLite would tell: it is put at its end.
fn reject(bytes: u64, table: Option<String>, trouble: Trouble, what: String) -> Located {
    Located {
        trouble,
        table,
        byte: bytes,
        length: 0,
        line: 1,
        lines: 1,
        what,
    }
}

/// Compares the file's size with what its header says. SQLite refuses a file that lacks pages as a
/// whole: in the copy they are there and empty, and only what leads to a missing page cannot be read.
pub(crate) fn missing(path: &Path, bytes: u64) -> io::Result<Option<Cut>> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut header = [0; 100];
    match file.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let what = "the SQLite file ends inside of its header".to_owned();
            return Ok(Some(Cut { all: true, what }));
        }
        Err(error) => return Err(error),
    }
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65536,
        size => u64::from(size),
    };
    let word = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let size = u64::from(word(28)) * page;
    // The count is valid only if the program that wrote last knew of it.
    if page == 0 || word(24) != word(92) || size <= bytes {
        return Ok(None);
    }
    // Pages of nothing, which take no room on the disk: a table that has its root there must not make SQLite refuse
    // those that are whole. Where the file can't be made so long, its header is told how long it is.
    let filled = size <= SPARSE_BYTES && file.set_len(size).is_ok();
    if !filled {
        let pages = u32::try_from(bytes / page).unwrap_or(u32::MAX);
        file.seek(SeekFrom::Start(28))?;
        file.write_all(&pages.to_be_bytes())?;
    }
    let what = format!(
        "the SQLite file has {bytes} bytes, by its header {size}: its last pages are missing"
    );
    Ok(Some(Cut { all: false, what }))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.to_string_lossy().bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    for (config, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        connection.set_db_config(config, on)?;
    }
    for pragma in [
        format!("PRAGMA hard_heap_limit={HEAP_BYTES}"),
        "PRAGMA trusted_schema=OFF".to_owned(),
        "PRAGMA cell_size_check=ON".to_owned(),
        "PRAGMA mmap_size=0".to_owned(),
        "PRAGMA cache_size=-8192".to_owned(),
        "PRAGMA query_only=ON".to_owned(),
    ] {
        // Some answer with a row, some do not.
        connection.prepare(&pragma)?.query([])?.next()?;
    }
    Ok(connection)
}

/// Lists the file's tables in the order in which they were made, and what is no plain table.
fn tables(connection: &Connection) -> rusqlite::Result<Vec<Result<Stored, Unread>>> {
    let mut found = Vec::new();
    let mut statement = connection
        .prepare("SELECT type, name, rootpage FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY rowid")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (kind, name): (String, String) = (row.get(0)?, row.get(1)?);
        let root: Option<i64> = row.get(2).unwrap_or(None);
        if found.len() >= TABLES {
            found.push(Err(Unread {
                table: None,
                what: format!("more than {TABLES} tables are not read"),
            }));
            break;
        }
        found.push(match (kind.as_str(), root.unwrap_or(0)) {
            ("view", _) => continue,
            (_, 0) => Err(Unread {
                what: format!("{name} is a virtual table, which is not read"),
                table: Some(name),
            }),
            _ => stored(connection, &name).map_err(|error| Unread {
                what: format!("the columns of {name} cannot be read: {error}"),
                table: Some(name),
            }),
        });
    }
    Ok(found)
}

fn stored(connection: &Connection, name: &str) -> rusqlite::Result<Stored> {
    let mut stored = Stored {
        name: name.to_owned(),
        columns: Vec::new(),
        key: Vec::new(),
        notes: Vec::new(),
    };
    let mut parts: Vec<(i64, String)> = Vec::new();
    let mut statement =
        connection.prepare("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1)")?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let (column, declared): (String, String) = (row.get(0)?, row.get(1)?);
        let (key, hidden): (i64, i64) = (row.get(2)?, row.get(3)?);
        if key > 0 {
            parts.push((key, column.clone()));
        }
        // 1: hidden, of a virtual table; 2: computed when read; 3: computed when written.
        if matches!(hidden, 1 | 2) {
            stored.notes.push(format!(
                "column {column} is computed when read and left out"
            ));
        } else if stored.columns.len() < COLUMNS {
            stored.columns.push(StoredColumn {
                name: column,
                declared,
            });
        }
    }
    parts.sort();
    stored.key = parts.into_iter().map(|(_, name)| name).collect();
    if stored.key.is_empty() {
        stored.key = unique(connection, name)?;
    }
    Ok(stored)
}

/// Columns that a table declares UNIQUE together serve as a key where there is none.
fn unique(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut indices = connection.prepare(
        "SELECT name FROM pragma_index_list(?1) WHERE \"unique\" = 1 AND origin = 'u' ORDER BY seq DESC",
    )?;
    let mut found = indices.query([table])?;
    let Some(index) = found.next()? else {
        return Ok(Vec::new());
    };
    let index: String = index.get(0)?;
    let mut columns =
        connection.prepare("SELECT name FROM pragma_index_info(?1) ORDER BY seqno")?;
    let names = columns.query_map([index], |row| row.get::<_, Option<String>>(0))?;
    let names: Vec<Option<String>> = names.collect::<rusqlite::Result<_>>()?;
    Ok(names.into_iter().collect::<Option<_>>().unwrap_or_default())
}

fn hint(declared: &str) -> Hint {
    let declared = declared.to_ascii_uppercase();
    if declared.contains("BOOL") {
        Hint::Bool
    } else if declared.contains("BLOB") {
        Hint::StoredBlob
    } else {
        Hint::Stored
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn cell(value: ValueRef<'_>) -> Cell<'_> {
    match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Int(value),
        ValueRef::Real(value) => Cell::Real(value),
        ValueRef::Text(text) => Cell::Text(Cow::Borrowed(text)),
        ValueRef::Blob(blob) => Cell::Blob(blob),
    }
}
