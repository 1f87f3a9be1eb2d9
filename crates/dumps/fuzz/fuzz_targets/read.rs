//! Any bytes: rows, framing and rejects tile them, however they arrive, and a source asked for its tables gives the rows
//! that a stream gives.
#![no_main]

#[allow(dead_code, reason = "the tests' sink, of which this uses a part")]
#[path = "../../tests/it/common.rs"]
mod common;

use dumps::{DumpSource, Want, read_dump};
use model::{RowFilter, TableSource as _};
use std::io::{BufReader, Read};

/// Gives a few bytes at a time.
struct Drops<'b>(&'b [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(buffer.len()).min(self.0.len());
        buffer[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        self.1 = self.1 % 97 + 1;
        Ok(n)
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    dumps::sniff(bytes);
    let (facts, kept) = common::read_all(bytes);
    let mut slow = common::Kept::default();
    let mut drops = BufReader::with_capacity(61, Drops(bytes, 1));
    let again = read_dump(&mut drops, &Want::all(common::naming()), &mut slow).unwrap();
    assert_eq!(facts, again);
    assert_eq!(kept.rows, slow.rows);
    let source = DumpSource::from_bytes(bytes.to_vec(), common::naming()).unwrap();
    let known = Some(source.facts().clone());
    let (_, kept) = common::read_want(bytes, &Want { known, ..Want::all(common::naming()) });
    for table in source.tables() {
        let name = table.full_name();
        let columns: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
        let Ok(batch) = source.read(&name, &columns, &RowFilter::All) else {
            continue;
        };
        let of_table = kept.rows.iter().filter(|(info, _)| info.full_name() == name);
        let streamed: usize = of_table.map(|(_, batch)| batch.rows()).sum();
        assert_eq!(batch.rows(), streamed, "{name}");
    }
    source.damage();
});
