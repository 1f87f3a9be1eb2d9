//! A sink that keeps everything, and the way to the corpus.

use std::io::{Cursor, Read as _};
use std::path::PathBuf;

use dumps::{DumpFacts, DumpKind, Located, Naming, RowSink, SinkError, Want, read_dump};
use model::{Batch, Column, TableInfo};

/// Keeps everything.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) tables: Vec<TableInfo>,
    pub(crate) rows: Vec<(TableInfo, Batch)>,
    pub(crate) rejects: Vec<Located>,
}

impl RowSink for Kept {
    fn table(&mut self, info: &TableInfo) -> Result<(), SinkError> {
        self.tables.push(info.clone());
        Ok(())
    }

    fn rows(&mut self, info: &TableInfo, batch: Batch) -> Result<(), SinkError> {
        assert!(
            batch
                .columns
                .iter()
                .all(|column| column.len() == batch.rows())
        );
        self.rows.push((info.clone(), batch));
        Ok(())
    }

    fn damaged(&mut self, _: &str, _: u64, _: u64, _: &str) -> Result<(), SinkError> {
        Ok(())
    }

    fn rejected(&mut self, located: &Located) -> Result<(), SinkError> {
        self.rejects.push(located.clone());
        Ok(())
    }
}

impl Kept {
    /// Rows of a table in all batches.
    pub(crate) fn count(&self, table: &str) -> usize {
        self.rows
            .iter()
            .filter(|(info, _)| info.name == table)
            .map(|(_, batch)| batch.rows())
            .sum()
    }

    /// A table's only batch.
    #[track_caller]
    pub(crate) fn only(&self, table: &str) -> &Batch {
        let found: Vec<_> = self
            .rows
            .iter()
            .filter(|(info, _)| info.name == table)
            .collect();
        assert_eq!(found.len(), 1, "{table}");
        &found[0].1
    }
}

pub(crate) fn naming() -> Naming {
    Naming {
        given: Some("snap".to_owned()),
        file: "snap".to_owned(),
        source: "0123456789ab".into(),
    }
}

/// Reads everything, and checks that the spans tile the bytes.
#[track_caller]
pub(crate) fn read_all(bytes: &[u8]) -> (DumpFacts, Kept) {
    read_want(bytes, &Want::all(naming()))
}

#[track_caller]
pub(crate) fn read_want(bytes: &[u8], want: &Want) -> (DumpFacts, Kept) {
    let mut kept = Kept::default();
    let facts = read_dump(&mut Cursor::new(bytes), want, &mut kept).unwrap();
    check_tiling(bytes, &facts, &kept);
    (facts, kept)
}

#[track_caller]
fn check_tiling(bytes: &[u8], facts: &DumpFacts, kept: &Kept) {
    assert_eq!(facts.bytes, bytes.len() as u64);
    assert_eq!(
        facts.framing_bytes + facts.row_bytes + facts.rejected_bytes,
        facts.bytes,
        "framing {} rows {} rejects {}: {:?}",
        facts.framing_bytes,
        facts.row_bytes,
        facts.rejected_bytes,
        &kept.rejects
    );
    let rejected: u64 = kept.rejects.iter().map(|located| located.length).sum();
    assert_eq!(rejected, facts.rejected_bytes);
    let (mut at, mut line) = (0, 1);
    for located in &kept.rejects {
        let byte = located.byte as usize;
        if facts.kind.is_archive() || facts.kind == DumpKind::Sqlite {
            // Lines are those of a table's own data, or there are none.
            assert!(located.byte + located.length <= facts.bytes, "{located:?}");
            continue;
        }
        if byte < at {
            (at, line) = (0, 1);
        }
        line += memchr::memchr_iter(b'\n', &bytes[at..byte]).count() as u64;
        at = byte;
        assert_eq!(located.line, line, "{located:?}");
        assert!(located.byte + located.length <= facts.bytes);
    }
}

/// A decoded file of the corpus; `None`, loudly, where there is no corpus.
pub(crate) fn corpus(name: &str) -> Option<Vec<u8>> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/corpus/zksync/dumps"
    );
    let path = PathBuf::from(folder).join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED: no corpus at {}", path.display());
        return None;
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(&bytes[..])
            .read_to_end(&mut text)
            .unwrap();
        return Some(text);
    }
    Some(bytes)
}

/// `0x…` as bytes.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits = text.strip_prefix("0x").unwrap();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

/// One cell, for comparison.
pub(crate) fn cell(column: &Column, row: usize) -> String {
    if column.is_null(row) {
        "NULL".to_owned()
    } else if let Some(value) = column.i64(row) {
        value.to_string()
    } else if let Some(value) = column.bool(row) {
        value.to_string()
    } else if let Some(value) = column.f64(row) {
        value.to_string()
    } else {
        String::from_utf8_lossy(column.bytes(row).unwrap()).into_owned()
    }
}
