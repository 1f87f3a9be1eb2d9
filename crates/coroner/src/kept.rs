//! Dumps whose text the case keeps: standard input, live databases, `--keep-dumps`. Their rows are found there,
//! wherever the original went.

use crate::{Error, ErrorKind};
use case::{Case, EvidenceReader, Source};
use dumps::{DumpSource, Naming, Opener, RowPlace};
use std::io::{self, BufReader, Read};

/// Bytes that are read at a time: a frame of the store.
const CHUNK: usize = 1 << 20;

/// Returns a row of a dump that the case keeps, and where it lies: in an archive, within its table's data.
pub(crate) fn row(
    case: &Case,
    source: &Source,
    table: &str,
    key: &str,
) -> Result<Option<(RowPlace, Vec<u8>)>, Error> {
    let naming = Naming {
        source: source.digest.as_str().into(),
        ..Naming::default()
    };
    let (kept_in, digest) = (case.clone(), source.digest.clone());
    let opener = Opener::At(Box::new(move |byte| {
        let kept = Kept {
            reader: kept_in.evidence_reader(&digest),
            at: byte,
        };
        Ok(Box::new(BufReader::with_capacity(CHUNK, kept)))
    }));
    let dump = DumpSource::open(opener, naming)
        .map_err(|error| Error::wrap(ErrorKind::Unreadable, error))?;
    if dump.outline().kind.is_archive() {
        return Ok(dump.row_text(table, key)?);
    }
    let Some(place) = dump.locate(table, key)? else {
        return Ok(None);
    };
    let raw = case.evidence(&source.digest, place.byte, place.length)?;
    Ok(Some((place, raw)))
}

/// A source's text from some byte on.
struct Kept {
    reader: EvidenceReader,
    at: u64,
}

impl Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.reader.bytes().saturating_sub(self.at);
        let length = left.min(buffer.len() as u64);
        let mut text = Vec::with_capacity(length as usize);
        self.reader
            .read(self.at, length, &mut text)
            .map_err(io::Error::other)?;
        buffer[..text.len()].copy_from_slice(&text);
        self.at += text.len() as u64;
        Ok(text.len())
    }
}
