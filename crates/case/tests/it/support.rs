//! Synthetic sources: what a pipeline would push.

use case::{Case, CaseWriter, Source, TableId, Transaction};
use model::{Batch, Column, ColumnType, RowFilter};
use std::collections::BTreeMap;
use std::path::Path;

/// One record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) ts: Option<i64>,
    pub(crate) message: String,
    pub(crate) level: Option<&'static str>,
    pub(crate) line: i64,
}

/// A source: rows in line order.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) digest: String,
    pub(crate) bytes: u64,
    pub(crate) rows: Vec<Row>,
}

/// A small random generator, the same everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Makes a source that pretends to have `mib` MiB; `disorder` shakes its times.
pub(crate) fn source(seed: u64, rows: usize, mib: u64, disorder: i64) -> Made {
    let mut dice = Dice(seed * 0x9E37_79B9 + 1);
    let digest = format!("{:012x}", dice.roll(1 << 48));
    let mut made = Vec::new();
    for line in 1..=rows as i64 {
        let ts = line * 1_000_000 + dice.roll(disorder as u64 + 1) as i64 * 1_000_000;
        let message = match dice.roll(4) {
            0 => format!("unusual thing {}", dice.roll(1000)),
            n => format!("Processed attestation {n}"),
        };
        made.push(Row {
            ts: (dice.roll(50) > 0).then_some(ts),
            message,
            level: [Some("info"), Some("warn"), None][dice.roll(3) as usize],
            line,
        });
    }
    Made {
        digest,
        bytes: mib << 20,
        rows: made,
    }
}

/// Turns rows into a batch; `source` is an empty placeholder.
pub(crate) fn batch(rows: &[Row]) -> Batch {
    let mut columns = vec![
        Column::new("ts_order", ColumnType::TimestampUtc),
        Column::new("ts_order_us", ColumnType::I64),
        Column::new("level", ColumnType::Text),
        Column::new("message", ColumnType::Text),
        Column::new("fields", ColumnType::Json),
        Column::new("source", ColumnType::Dict),
        Column::new("line", ColumnType::I64),
        Column::new("byte", ColumnType::I64),
        Column::new("length", ColumnType::I64),
    ];
    for row in rows {
        columns[0].push_opt_i64(row.ts);
        columns[1].push_opt_i64(row.ts);
        match row.level {
            Some(level) => columns[2].push_text(level.as_bytes()),
            None => columns[2].push_null(),
        }
        columns[3].push_text(row.message.as_bytes());
        columns[4].push_text(format!("{{\"n\":{}}}", row.line).as_bytes());
        columns[6].push_i64(row.line);
        columns[7].push_i64((row.line - 1) * 10);
        columns[8].push_i64(10);
    }
    Batch { columns }
}

/// Adds the rows of a source from line index `from` to `to`, in batches of `step`.
pub(crate) fn add_rows(tx: &mut Transaction<'_>, made: &Made, from: usize, to: usize, step: usize) {
    let mut records = tx.rows(&TableId::Records, "key").unwrap();
    let mut heads = tx.rows(&TableId::Obs("heads".to_owned()), "key").unwrap();
    for rows in made.rows[from..to].chunks(step) {
        records.push(batch(rows)).unwrap();
        let some: Vec<Row> = rows
            .iter()
            .filter(|row| row.line % 7 == 0)
            .cloned()
            .collect();
        heads.push(batch(&some)).unwrap();
    }
    tx.adopt_rows(records.finish().unwrap(), &made.digest, made.bytes)
        .unwrap();
    tx.adopt_rows(heads.finish().unwrap(), &made.digest, made.bytes)
        .unwrap();
}

/// Lists a source in the manifest as the pipeline would.
pub(crate) fn list(tx: &mut Transaction<'_>, made: &Made) {
    let manifest = tx.manifest_mut();
    if manifest.source(&made.digest).is_none() {
        let number = manifest.take_source_number();
        manifest.sources.push(Source {
            number,
            digest: made.digest.clone(),
            bytes: made.bytes,
            path: format!("{}.log", made.digest),
            parser: "0123456789ab".to_owned(),
            ..Source::default()
        });
    }
}

/// Commits one source as a whole.
pub(crate) fn ingest(writer: &mut CaseWriter, made: &Made) {
    let mut tx = writer.begin();
    add_rows(&mut tx, made, 0, made.rows.len(), 1000);
    list(&mut tx, made);
    tx.commit().unwrap();
}

/// Reads files of a case that must not depend on order: name and content.
pub(crate) fn files(case: &Case) -> BTreeMap<String, Vec<u8>> {
    let manifest = case.manifest();
    let segments = manifest.segments.iter().map(|segment| segment.file.clone());
    let parts = manifest.sources.iter().flat_map(|source| &source.evidence);
    segments
        .chain(parts.map(|part| part.file.clone()))
        .map(|file| {
            let bytes = std::fs::read(case.path().join(&file)).unwrap();
            (file, bytes)
        })
        .collect()
}

/// Reads all rows of a table with their sources, in reading order.
pub(crate) fn read(case: &Case, table: &TableId) -> Vec<(String, Row)> {
    let mut all = Vec::new();
    case.read(table, None, &RowFilter::All, &mut |batch| {
        rows_of(&batch, &mut all);
        Ok(())
    })
    .unwrap();
    all
}

/// Appends the rows of a batch.
pub(crate) fn rows_of(batch: &Batch, all: &mut Vec<(String, Row)>) {
    let column = |name: &str| batch.column(name).unwrap();
    for row in 0..batch.rows() {
        let level = column("level").text(row);
        all.push((
            column("source").text(row).unwrap().to_owned(),
            Row {
                ts: column("ts_order_us").i64(row),
                message: column("message").text(row).unwrap().to_owned(),
                level: ["info", "warn"]
                    .into_iter()
                    .find(|known| Some(*known) == level),
                line: column("line").i64(row).unwrap(),
            },
        ));
        assert_eq!(column("ts_order").i64(row), column("ts_order_us").i64(row));
        assert_eq!(
            column("fields").text(row),
            Some(format!("{{\"n\":{}}}", column("line").i64(row).unwrap()).as_str())
        );
    }
}

/// What a case must say of its sources, whatever the layout.
pub(crate) fn check(case: &Case, sources: &[&Made]) {
    let mut expected: Vec<(String, i64, Row)> = sources
        .iter()
        .flat_map(|made| {
            made.rows
                .iter()
                .map(|row| (made.digest.clone(), row.line, row.clone()))
        })
        .collect();
    expected.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let mut found: Vec<(String, i64, Row)> = read(case, &TableId::Records)
        .into_iter()
        .map(|(source, row)| (source, row.line, row))
        .collect();
    found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    assert_eq!(found.len(), expected.len());
    assert!(found == expected, "rows differ");
    for segment in &case.manifest().segments {
        let mut rows = Vec::new();
        let one = Case::open(case.path()).unwrap();
        let position = one
            .manifest()
            .segments
            .iter()
            .position(|s| s == segment)
            .unwrap();
        assert_eq!(
            segment.sources.iter().map(|(_, rows)| rows).sum::<u64>(),
            segment.rows,
            "{position}"
        );
        rows.extend(read_one(case.path(), &segment.file));
        let keys: Vec<_> = rows
            .iter()
            .map(|(source, row)| (row.ts, source.clone(), row.line))
            .collect();
        assert!(keys.is_sorted(), "{} is not sorted", segment.file);
        assert_eq!(keys.iter().filter_map(|key| key.0).min(), segment.min_ts_us);
        assert_eq!(keys.iter().filter_map(|key| key.0).max(), segment.max_ts_us);
    }
    let report = case.verify();
    assert!(report.is_sound(), "{:?}", report.problems);
}

fn read_one(root: &Path, file: &str) -> Vec<(String, Row)> {
    // A manifest that names only this segment.
    let case = Case::open(root).unwrap();
    let table = case
        .manifest()
        .segments
        .iter()
        .find(|s| s.file == file)
        .unwrap()
        .table
        .clone();
    let mut before = 0;
    let mut rows = 0;
    for segment in case.manifest().segments.iter().filter(|s| s.table == table) {
        if segment.file == file {
            rows = segment.rows as usize;
            break;
        }
        before += segment.rows as usize;
    }
    read(&case, &table)
        .split_off(before)
        .into_iter()
        .take(rows)
        .collect()
}
