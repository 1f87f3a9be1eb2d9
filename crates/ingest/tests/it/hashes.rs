//! Hashes of logs and dumps are filed while they are read, and answer as reading everything does.

use case::{Case, CaseWriter, HASH_RULES, KeyRange, TableId};
use ingest::{IngestOptions, Quiet, ingest};
use model::{Batch, RowFilter, TableSource};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A hash of the test's own, in hex.
fn hash(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D;
    let mut text = String::new();
    for _ in 0..4 {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let _ = write!(text, "{:016x}", state.wrapping_mul(0x2545_F491_4F6C_DD1D));
    }
    text
}

/// An address as a database pads it.
fn padded(seed: u64) -> String {
    format!("{}{}", "0".repeat(24), &hash(seed)[..40])
}

const ROWS: u64 = 40_000;

fn dump() -> String {
    let mut text = String::from(
        "-- PostgreSQL database dump\n\nCREATE TABLE public.l2_to_l1_logs (\n    id bigint NOT NULL,\n    \
         tx_hash bytea NOT NULL,\n    key bytea NOT NULL,\n    root text,\n    data jsonb\n);\n\n\
         COPY public.l2_to_l1_logs (id, tx_hash, key, root, data) FROM stdin;\n",
    );
    for id in 0..ROWS {
        let (tx, key, root) = (hash(id / 2), padded(id % 5_000), hash(id + 1_000_000));
        let data = match id % 10 {
            0 => format!("{{\"to\": \"0x{}\"}}", hash(id + 2_000_000)),
            _ => "{}".to_owned(),
        };
        let _ = writeln!(text, "{id}\t\\\\x{tx}\t\\\\x{key}\t0x{root}\t{data}");
    }
    text.push_str("\\.\n\nALTER TABLE ONLY public.l2_to_l1_logs\n    ADD CONSTRAINT l2_to_l1_logs_pkey PRIMARY KEY (id);\n\n-- PostgreSQL database dump complete\n");
    text
}

fn log(lines: u64) -> String {
    let mut text = String::new();
    for n in 0..lines {
        let _ = match n % 5 {
            0 => writeln!(
                text,
                "time=\"2020-08-14T10:{:02}:{:02}Z\" level=info msg=\"Processed block\" blockRoot=0x{} prefix=blockchain slot={n}",
                n / 60 % 60,
                n % 60,
                &hash(n)[..12],
            ),
            1 => writeln!(
                text,
                "time=\"2020-08-14T10:{:02}:{:02}Z\" level=warning msg=\"Commit tx 0x{} not mined\"",
                n / 60 % 60,
                n % 60,
                hash(n),
            ),
            2 => writeln!(text, "nobody knows this line of {} !!", hash(n)),
            _ => writeln!(
                text,
                "time=\"2020-08-14T10:{:02}:{:02}Z\" level=info msg=\"Peer summary\" activePeers={n}",
                n / 60 % 60,
                n % 60,
            ),
        };
    }
    text
}

fn case_of(folder: &Path, name: &str, paths: &[PathBuf]) -> Case {
    let path = folder.join(name);
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    for item in paths {
        let paths = std::slice::from_ref(item);
        ingest(&mut writer, paths, &IngestOptions::default(), &mut Quiet).unwrap();
    }
    Case::open(&path).unwrap()
}

/// The lines, counted from 1, that a hash that begins so may stand in.
fn lines_with(case: &Case, digits: &str) -> Vec<u64> {
    let range = KeyRange::of_digits(digits).unwrap();
    let found = case.hash_places(range, usize::MAX).unwrap().unwrap();
    let places = found
        .places
        .into_iter()
        .filter(|((_, place), _)| *place == 0);
    places.flat_map(|(_, lines)| lines).collect()
}

#[test]
fn every_hash_of_a_log_is_filed_where_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("beacon.log");
    let text = log(3_000);
    fs::write(&file, &text).unwrap();
    let case = case_of(folder.path(), "a.case", &[file]);
    let source = &case.manifest().sources[0];
    assert_eq!(source.hashes, HASH_RULES);
    assert!(
        source.rejected.values().sum::<u64>() >= 600,
        "{:?}",
        source.rejected
    );
    let mut filed = 0;
    for (index, line) in text.lines().enumerate() {
        let Some(at) = line.find(&hash(index as u64)[..12]) else {
            continue;
        };
        filed += 1;
        assert_eq!(
            lines_with(&case, &line[at..at + 12]),
            [index as u64 + 1],
            "{line}"
        );
    }
    assert_eq!(filed, 1_800);
    assert_eq!(lines_with(&case, &hash(99_999)[..9]), [0; 0]);
}

/// Rows as text, without the order in which they came.
fn printed(batch: &Batch) -> BTreeSet<String> {
    let row = |row: usize| {
        let columns = batch.columns.iter();
        let cells = columns.map(|column| format!("{:?}{:?}", column.i64(row), column.bytes(row)));
        cells.collect::<Vec<_>>().join(" ")
    };
    (0..batch.rows()).map(row).collect()
}

fn bytes(digits: &str) -> Vec<u8> {
    (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
        .collect()
}

/// Makes a case as a program without the hash table wrote it.
fn make_old(case: &Path) {
    let path = case.join("case.json");
    let mut manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    manifest["format_version"] = 1.into();
    for source in manifest["sources"].as_array_mut().unwrap() {
        source.as_object_mut().unwrap().remove("hashes");
    }
    for snapshot in manifest["snapshots"].as_array_mut().unwrap() {
        snapshot.as_object_mut().unwrap().remove("hash_columns");
    }
    let segments = manifest["segments"].as_array_mut().unwrap();
    segments.retain(|segment| segment["table"] != "hashes");
    fs::write(&path, manifest.to_string()).unwrap();
}

#[test]
fn an_older_case_is_filed_with_the_next_write() {
    let folder = tempfile::tempdir().unwrap();
    let (sql, beacon) = (
        folder.path().join("core.sql"),
        folder.path().join("beacon.log"),
    );
    fs::write(&sql, dump()).unwrap();
    fs::write(&beacon, log(700)).unwrap();
    let new = case_of(folder.path(), "a.case", &[sql.clone(), beacon]);
    let files = |case: &Case| -> Vec<Vec<u8>> {
        let files = case.files(&TableId::Hashes);
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    };
    let expected = files(&new);
    let path = folder.path().join("a.case");
    make_old(&path);
    assert_eq!(Case::open(&path).unwrap().sources_without_hashes(), 2);
    // Nothing new is read.
    let again = case_of(folder.path(), "a.case", &[sql]);
    assert_eq!(again.sources_without_hashes(), 0);
    assert!(files(&again) == expected);
    assert_eq!(again.manifest(), new.manifest());
}

#[test]
fn tables_answer_by_hash_as_by_reading_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("core.sql");
    fs::write(&file, dump()).unwrap();
    let case = case_of(folder.path(), "a.case", &[file]);
    let filed: Vec<&str> = case.manifest().snapshots[0]
        .hash_columns
        .iter()
        .map(|column| column.column.as_str())
        .collect();
    assert_eq!(filed, ["tx_hash", "key", "root", "data"]);

    make_old(&folder.path().join("a.case"));
    let old = Case::open(folder.path().join("a.case")).unwrap();
    assert_eq!(
        (old.sources_without_hashes(), case.sources_without_hashes()),
        (1, 0)
    );

    let text = |digits: &str| format!("0x{digits}").into_bytes();
    let columns = ["id", "tx_hash", "key", "root"];
    for (column, values, expected) in [
        ("tx_hash", vec![bytes(&hash(7))], 2),
        (
            "tx_hash",
            vec![bytes(&hash(7)), text(&hash(7)), bytes(&hash(19_999))],
            4,
        ),
        ("tx_hash", vec![bytes(&hash(ROWS))], 0),
        ("key", vec![bytes(&padded(4_999))], 8),
        ("key", vec![bytes(&padded(1)), vec![0; 32]], 8),
        ("root", vec![text(&hash(1_000_003))], 1),
        ("root", vec![b"no hash".to_vec(), text(&hash(1_000_003))], 1),
        ("id", vec![text(&hash(7))], 0),
    ] {
        let filter = RowFilter::BytesIn(column.to_owned(), values);
        let by_hash = case
            .table_source(None)
            .read("l2_to_l1_logs", &columns, &filter);
        let by_hash = by_hash.unwrap();
        let by_reading = old
            .table_source(None)
            .read("l2_to_l1_logs", &columns, &filter);
        assert_eq!(by_hash.rows(), expected, "{column}");
        assert_eq!(printed(&by_hash), printed(&by_reading.unwrap()), "{column}");
    }

    let tables = case.table_source(None);
    let beginning = |column: &str, digits: &str| {
        tables
            .hashes_beginning("l2_to_l1_logs", column, digits)
            .unwrap()
    };
    let whole = |seed: u64| Some(vec![format!("0x{}", hash(seed))]);
    assert_eq!(beginning("tx_hash", &hash(7)[..8]), whole(7));
    assert_eq!(beginning("root", &hash(1_000_003)[..20]), whole(1_000_003));
    assert_eq!(beginning("tx_hash", &hash(ROWS)[..12]), Some(vec![]));
    assert_eq!(beginning("id", "123abc"), None, "numbers are not filed");
    let none = old.table_source(None);
    let none = none.hashes_beginning("l2_to_l1_logs", "tx_hash", &hash(7)[..8]);
    assert_eq!(none.unwrap(), None);

    // Values in JSON are filed, too.
    let range = KeyRange::of_digits(&hash(2_000_030)[..10]).unwrap();
    let found = case.hash_places(range, 10).unwrap().unwrap();
    let digest = case.manifest().sources[0].digest.clone();
    assert_eq!(
        found.places.into_iter().collect::<Vec<_>>(),
        [((digest, 4), vec![31])]
    );
}

#[test]
fn logs_and_dumps_in_any_order_have_one_table() {
    let folder = tempfile::tempdir().unwrap();
    let (sql, beacon) = (
        folder.path().join("core.sql"),
        folder.path().join("beacon.log"),
    );
    fs::write(&sql, dump()).unwrap();
    fs::write(&beacon, log(500)).unwrap();
    let one = case_of(folder.path(), "a.case", &[sql.clone(), beacon.clone()]);
    // The log comes first, and grows.
    let whole = fs::read(&beacon).unwrap();
    let lines: Vec<usize> = memchr::memchr_iter(b'\n', &whole).collect();
    fs::write(&beacon, &whole[..lines[200] + 30]).unwrap();
    case_of(folder.path(), "b.case", std::slice::from_ref(&beacon));
    fs::write(&beacon, &whole).unwrap();
    let other = case_of(folder.path(), "b.case", &[beacon.clone(), sql.clone()]);
    // References carry the digest of the first sight, so that rows are compared without their source.
    let table = |case: &Case| -> Vec<[Option<i64>; 3]> {
        let mut rows = Vec::new();
        case.read(&TableId::Hashes, None, &RowFilter::All, &mut |batch| {
            rows.extend((0..batch.rows()).map(|row| {
                ["hash", "line", "place"].map(|name| batch.column(name).unwrap().i64(row))
            }));
            Ok(())
        })
        .unwrap();
        rows.sort_unstable();
        rows
    };
    assert!(table(&one).len() > 120_000, "{}", table(&one).len());
    assert!(table(&one) == table(&other));
    assert!(other.verify().is_sound(), "{:?}", other.verify().problems);

    // A source that is forgotten leaves nothing.
    let dump_alone = case_of(folder.path(), "c.case", std::slice::from_ref(&sql));
    let mut writer = CaseWriter::open_or_create(folder.path().join("b.case")).unwrap();
    ingest::forget(&mut writer, &beacon.display().to_string(), None).unwrap();
    let files = |case: &Case| -> Vec<Vec<u8>> {
        let files = case.files(&TableId::Hashes);
        files.iter().map(|file| fs::read(file).unwrap()).collect()
    };
    assert_eq!(files(&dump_alone).len(), 1);
    assert!(files(writer.case()) == files(&dump_alone));
}
