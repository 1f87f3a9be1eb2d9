//! One dump file, asked where it lies. A file that need not be unpacked first is hashed while its rows are read.

use crate::evidence::{shown, unreadable};
use crate::{Error, ErrorKind, Partial};
use dumps::{DumpFacts, DumpKind, DumpSource, DumpStatus, Naming, Opener, RowPlace, Trouble};
use evidence::{SourceReader, Status};
use model::SourceName;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;

/// Bytes that are enough to tell a dump from a log.
pub(crate) const HEAD: usize = 64 << 10;
/// Bytes read at a time.
const BUFFER: usize = 1 << 18;

/// One dump file.
#[derive(Debug)]
pub(crate) struct Dump {
    pub(crate) path: PathBuf,
    pub(crate) source: DumpSource,
    hashed: Arc<Hashing>,
    damage: Vec<Partial>,
}

/// What hashing will say; who asks waits.
type Hashing = LazyLock<Hashed, Box<dyn FnOnce() -> Hashed + Send>>;

/// What reading all bytes of a file says.
#[derive(Debug)]
struct Hashed {
    sha256: String,
    problems: Vec<Partial>,
}

impl Dump {
    /// Opens a dump; its digest is known later.
    pub(crate) fn open(path: &Path, name: Option<&str>) -> Result<Dump, Error> {
        let mut reader = open_reader(path)?;
        let packed = reader.container().is_some();
        let archive = dumps::sniff(reader.peek(HEAD)).is_some_and(DumpKind::is_archive);
        let (place, hashing) = if packed {
            // Of an archive, only what is wanted is unpacked, if it can be opened anywhere: what is packed
            // once more around it comes off once.
            let mut spool = match archive {
                true => {
                    Some(tempfile::tempfile().map_err(|error| unreadable("unpack", path, error))?)
                }
                false => None,
            };
            let read = read_all(&mut reader, |bytes| match &mut spool {
                Some(spool) => spool.write_all(bytes),
                None => Ok(()),
            });
            read.map_err(|error| unreadable("read", path, error))?;
            let hashed = Hashed::of(reader, path, None);
            let place = spool.map_or(Place::Packed, |spool| Place::Spool(Arc::new(spool)));
            (place, Hashing::new(Box::new(|| hashed)))
        } else {
            let path = path.to_path_buf();
            let thread = thread::spawn(move || {
                give_way();
                let stopped = read_all(&mut reader, |_| Ok(())).err();
                Hashed::of(reader, &path, stopped)
            });
            let joined = || thread.join().unwrap_or_else(|panic| resume_unwind(panic));
            (Place::File, Hashing::new(Box::new(joined)))
        };
        let hashed = Arc::new(hashing);
        let digest = {
            let hashed = Arc::clone(&hashed);
            SourceName::asked_later(move || hashed.digest().to_owned())
        };
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned());
        let stem = ingest::stem(file.as_deref().unwrap_or("dump"));
        let naming = Naming {
            given: name.map(str::to_owned),
            file: dumps::snapshot_name(stem),
            source: digest,
        };
        let source = open_source(path, &place, naming)?;
        let damage = damage(path, source.outline());
        Ok(Dump {
            path: path.to_path_buf(),
            source,
            hashed,
            damage,
        })
    }

    /// Reads every row, so that all damage is known; returns what it finds.
    pub(crate) fn check(&mut self) -> Result<DumpFacts, Error> {
        let facts = self.source.checked();
        let facts = facts.map_err(|error| Error::wrap(ErrorKind::Unreadable, error))?;
        self.damage = damage(&self.path, &facts);
        Ok(facts)
    }

    /// Whether there is nothing in it to ask, only damage; says what.
    pub(crate) fn is_lost(&self) -> Option<&Partial> {
        self.damage
            .first()
            .filter(|_| self.source.outline().tables.is_empty())
    }

    /// Returns the first 12 hex digits of its sha256; waits until all of it has been hashed.
    pub(crate) fn digest(&self) -> &str {
        self.hashed.digest()
    }

    /// Returns its sha256; waits as well.
    pub(crate) fn sha256(&self) -> &str {
        &self.hashed.sha256
    }

    /// Returns what could not be read; waits as well.
    pub(crate) fn problems(&self) -> impl Iterator<Item = &Partial> {
        self.hashed.problems.iter().chain(&self.damage)
    }

    /// Returns a row's text and where it lies: in an archive, within the unpacked data of its table.
    pub(crate) fn row(&self, table: &str, key: &str) -> Result<Option<(RowPlace, Vec<u8>)>, Error> {
        if self.source.outline().kind.is_archive() {
            return Ok(self.source.row_text(table, key)?);
        }
        let Some(place) = self.source.locate(table, key)? else {
            return Ok(None);
        };
        let raw = match place.length {
            // A row of a binary file has no text of its own.
            0 => self.source.cells_text(table, key)?.unwrap_or_default(),
            length => bytes_of(&self.path, place.byte, length)?,
        };
        Ok(Some((place, raw)))
    }
}

fn damage(path: &Path, facts: &DumpFacts) -> Vec<Partial> {
    if facts.status == DumpStatus::Complete {
        return Vec::new();
    }
    let rejects = facts.rejects.iter();
    rejects
        .filter(|reject| reject.trouble != Trouble::Other)
        .map(|reject| Partial {
            source: shown(path),
            byte: Some(reject.byte),
            what: format!("line {}: {}", reject.line, reject.what),
        })
        .collect()
}

impl Hashed {
    /// Of a reader that has been read as far as that goes; `stopped` is why not to its end.
    fn of(reader: SourceReader, path: &Path, stopped: Option<std::io::Error>) -> Hashed {
        let facts = reader.finish();
        let problem = |byte, what| Partial {
            source: shown(path),
            byte: Some(byte),
            what,
        };
        let mut problems: Vec<Partial> = facts
            .problems
            .iter()
            .map(|(byte, what)| problem(*byte, what.clone()))
            .collect();
        if let Some(error) = stopped {
            problems.push(problem(facts.bytes, format!("cannot be read on: {error}")));
        } else if problems.is_empty() && facts.status != Status::Complete {
            let what = format!("the file is {}", facts.status.as_str());
            problems.push(problem(facts.bytes, what));
        }
        Hashed {
            sha256: facts.sha256.to_string(),
            problems,
        }
    }

    /// What references carry.
    fn digest(&self) -> &str {
        &self.sha256[..12]
    }
}

/// Lets other threads go before this one: nobody waits for a digest while rows are still read. Elsewhere the whole
/// process would give way.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(5);
}

/// Hands on all bytes of a source.
pub(crate) fn read_all(
    reader: &mut SourceReader,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(()),
            read => take(&buffer[..read])?,
        }
    }
}

pub(crate) fn open_reader(path: &Path) -> Result<SourceReader, Error> {
    evidence::open_source(path).map_err(|error| Error::wrap(ErrorKind::Unreadable, error))
}

/// How a dump can be opened again.
enum Place {
    /// As it lies there, at any byte.
    File,
    /// Decoded, from its begin.
    Packed,
    /// From the temporary file it was put into.
    Spool(Arc<File>),
}

/// Reads a file that others read too, each at its own place.
struct Shared {
    file: Arc<File>,
    byte: u64,
}

impl Read for Shared {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.byte)?;
        self.byte += read as u64;
        Ok(read)
    }
}

fn open_source(path: &Path, place: &Place, naming: Naming) -> Result<DumpSource, Error> {
    let path: Arc<Path> = Arc::from(path);
    let opener = match place {
        Place::File => Opener::At(Box::new(move |byte| {
            let reader = evidence::open_at(&path, byte).map_err(std::io::Error::other)?;
            Ok(Box::new(BufReader::with_capacity(BUFFER, reader)))
        })),
        Place::Packed => Opener::FromStart(Box::new(move || {
            let reader = evidence::open_source(&path).map_err(std::io::Error::other)?;
            Ok(Box::new(BufReader::with_capacity(BUFFER, reader)))
        })),
        Place::Spool(file) => {
            let file = Arc::clone(file);
            Opener::At(Box::new(move |byte| {
                let file = Arc::clone(&file);
                let shared = Shared { file, byte };
                Ok(Box::new(BufReader::with_capacity(BUFFER, shared)))
            }))
        }
    };
    DumpSource::open(opener, naming).map_err(|error| Error::wrap(ErrorKind::Unreadable, error))
}

/// Reads decoded bytes of a file.
pub(crate) fn bytes_of(path: &Path, byte: u64, length: u64) -> Result<Vec<u8>, Error> {
    let mut reader = open_reader(path)?;
    reader.skip(byte);
    let mut raw = Vec::new();
    reader
        .take(length)
        .read_to_end(&mut raw)
        .map_err(|error| unreadable("read", path, error))?;
    Ok(raw)
}
