//! Files of which a case holds only the hash: what is shown of them must be the bytes that were read.

use crate::dump_file::{Dump, bytes_of, open_reader, read_all};
use crate::evidence::unreadable;
use crate::{Error, ErrorKind, Evidence};
use case::{Source, SourceKind, SourceStatus};
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A source that a case keeps by its hash alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByHash {
    /// `S<number>`.
    pub source: String,
    /// Where it was read.
    pub path: String,
    /// What lies there now.
    pub original: Original,
}

/// What became of a file since it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Original {
    /// The same bytes.
    Same,
    /// Other bytes.
    Changed,
    /// Nothing, or nothing that can be read.
    Gone,
}

impl Evidence {
    /// Looks for the files of which the case holds the hash alone: without them no row of theirs can be shown.
    pub fn kept_by_hash(&self) -> Vec<ByHash> {
        let sources = self.manifest().sources.iter();
        sources
            .filter(|source| source.kind == SourceKind::Dump && source.evidence.is_empty())
            .filter(|source| source.status != SourceStatus::Skipped)
            .map(|source| ByHash {
                source: format!("S{}", source.number),
                path: source.path.clone(),
                original: match hash(Path::new(&source.path)) {
                    Ok(now) if now == source.sha256 => Original::Same,
                    Ok(_) => Original::Changed,
                    Err(_) => Original::Gone,
                },
            })
            .collect()
    }
}

/// The originals that were found to be what they were.
#[derive(Debug, Default)]
pub(crate) struct Originals {
    same: Mutex<HashSet<String>>,
}

impl Originals {
    /// Returns bytes of a source's original file.
    pub(crate) fn bytes(&self, source: &Source, byte: u64, length: u64) -> Result<Vec<u8>, Error> {
        let path = self.path(source)?;
        bytes_of(path, byte, length)
    }

    /// Opens the original of a dump, which is hashed while it is open: only what is the same is handed on.
    pub(crate) fn dump(&self, source: &Source) -> Result<Dump, Error> {
        let dump = Dump::open(place_of(source)?, None)?;
        self.same(source, || Ok(dump.sha256().to_owned()))?;
        Ok(dump)
    }

    /// Returns where the original lies, if it lies there unchanged.
    fn path<'s>(&self, source: &'s Source) -> Result<&'s Path, Error> {
        let path = place_of(source)?;
        self.same(source, || hash(path))?;
        Ok(path)
    }

    /// Refuses other bytes than those that were read; asks for their sha256 once.
    fn same(&self, source: &Source, now: impl Fn() -> Result<String, Error>) -> Result<(), Error> {
        let mut same = self.same.lock().unwrap_or_else(PoisonError::into_inner);
        if same.contains(&source.digest) {
            return Ok(());
        }
        let now = now()?;
        if now != source.sha256 {
            return Err(Error::new(
                ErrorKind::Unreadable,
                format!("{} is no longer the file that was read", source.path),
            )
            .with_hint(format!(
                "its sha256 was {}, now it is {now}; the case keeps it by its hash alone: put that file back",
                source.sha256
            )));
        }
        same.insert(source.digest.clone());
        Ok(())
    }
}

/// Returns where a source was read, if a file is there.
fn place_of(source: &Source) -> Result<&Path, Error> {
    let path = Path::new(&source.path);
    match evidence::file_of(path) {
        Some(_) => Ok(path),
        None => Err(Error::new(
            ErrorKind::Unreadable,
            format!("{} is no longer where it was read", source.path),
        )
        .with_hint(
            "the case keeps it by its hash alone; put the file back, or ingest with --keep-dumps",
        )),
    }
}

/// Returns the sha256 of a source's decoded bytes, as the manifest has it.
fn hash(path: &Path) -> Result<String, Error> {
    let mut reader = open_reader(path)?;
    read_all(&mut reader, |_| Ok(())).map_err(|error| unreadable("read", path, error))?;
    Ok(reader.finish().sha256.to_string())
}
