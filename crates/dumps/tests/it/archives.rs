//! Archives of pg_dump: the corpus in every form, versions and compressions that the installed pg_dump
//! does not write, and damage.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use dumps::{DumpFacts, DumpKind, DumpSource, DumpStatus, Naming, Opener, Want, scan_dump};
use model::{Part, RowFilter, TableSource as _};

use proptest::prelude::*;

use crate::common::{corpus, naming, read_all, read_want};
use crate::corpus::{follow_the_seed, same_cells};

/// The folder of `pg_dump -Fd` as one stream: a tar, the table of contents first.
pub(crate) fn tar_of(folder: &Path) -> Vec<u8> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.sort_by_key(|path| !path.ends_with("toc.dat"));
    let mut tar = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        member(&mut tar, &name, &std::fs::read(&path).unwrap());
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn member(tar: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut header = [0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    header[148..156].copy_from_slice(b"        ");
    header[156] = b'0';
    header[257..263].copy_from_slice(b"ustar\0");
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    tar.extend_from_slice(&header);
    tar.extend_from_slice(data);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// A dump of the corpus, a folder as the tar of its files.
fn archive(name: &str) -> Option<Vec<u8>> {
    if !name.ends_with(".dir") {
        return corpus(name);
    }
    corpus(&format!("{name}/toc.dat"))?;
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/corpus/zksync/dumps"
    );
    Some(tar_of(&Path::new(folder).join(name)))
}

#[test]
fn every_form_of_an_archive_gives_the_same_tables() {
    for database in ["z2023", "znew"] {
        let Some(text) = corpus(&format!("{database}.full.copy.sql.gz")) else {
            return;
        };
        let plain = DumpSource::from_bytes(text, naming()).unwrap();
        for (form, kind) in [
            ("fc.dump", DumpKind::PgDumpCustom),
            ("fc-z0.dump.gz", DumpKind::PgDumpCustom),
            ("fd.dir", DumpKind::PgDumpDirectory),
            ("ft.tar.gz", DumpKind::PgDumpTar),
        ] {
            let file = format!("{database}.trace.{form}");
            let bytes = archive(&file).unwrap();
            let (facts, kept) = read_all(&bytes);
            assert_eq!(facts.kind, kind, "{file}");
            assert_eq!(
                facts.status,
                DumpStatus::Complete,
                "{file} {:?}",
                facts.rejects
            );
            assert!(kept.rejects.is_empty(), "{file}");
            let name = if database == "z2023" { "z23" } else { "znew" };
            assert_eq!(facts.database.as_deref(), Some(name), "{file}");
            let (scanned, _) = read_want(&bytes, &Want::nothing(naming()));
            assert_eq!(scanned, facts, "{file}: a scan finds what a reading finds");
            let source = DumpSource::from_bytes(bytes.clone(), naming()).unwrap();
            assert_eq!(source.tables().len(), 5, "{file}");
            assert!(same_cells(&plain, &source, &file) > 10_000);
            follow_the_seed(&source);
            let streamed = DumpSource::open(from_start(bytes), naming()).unwrap();
            follow_the_seed(&streamed);
            assert!(streamed.damage().is_empty());
        }
    }
}

/// Bytes that can only be read from their begin.
fn from_start(bytes: Vec<u8>) -> Opener {
    Opener::FromStart(Box::new(move || {
        Ok(Box::new(std::io::BufReader::new(std::io::Cursor::new(
            bytes.clone(),
        ))))
    }))
}

#[test]
fn the_prover_database_is_the_same_in_both_forms() {
    let Some(text) = corpus("znew.prover.full.copy.sql.gz") else {
        return;
    };
    let plain = DumpSource::from_bytes(text, naming()).unwrap();
    let packed = DumpSource::from_bytes(corpus("znew.prover.fc.dump").unwrap(), naming()).unwrap();
    // The archive holds this one table of the eleven.
    assert_eq!(packed.tables().len(), 1);
    assert!(same_cells(&plain, &packed, "znew.prover.fc.dump") > 100);
    let rows = |source: &DumpSource| source.facts().table(None, "prover_jobs_fri").unwrap().rows;
    assert_eq!(rows(&packed), rows(&plain));
}

/// Writes an archive as pg_dump of version 1.`minor` does.
struct Writer {
    out: Vec<u8>,
    minor: u8,
}

impl Writer {
    fn int(&mut self, value: i32) {
        self.out.push(u8::from(value < 0));
        self.out
            .extend_from_slice(&value.unsigned_abs().to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.int(text.len() as i32);
        self.out.extend_from_slice(text.as_bytes());
    }

    fn null(&mut self) {
        self.int(-1);
    }

    fn head(&mut self, compression: u8, entries: i32) {
        self.out.extend_from_slice(b"PGDMP\x01");
        self.out.extend_from_slice(&[self.minor, 0, 4, 8, 1]);
        if self.minor >= 15 {
            self.out.push(compression);
        } else {
            self.int(if compression == 0 { 0 } else { -1 });
        }
        for _ in 0..7 {
            self.int(1);
        }
        for text in ["zk", "17.1", "17.2"] {
            self.text(text);
        }
        self.int(entries);
    }

    fn entry(&mut self, id: i32, kind: &str, definition: &str, copy: &str, offset: Option<u64>) {
        self.int(id);
        self.int(i32::from(!copy.is_empty()));
        self.text("1259");
        self.text("16384");
        self.text(if matches!(id, 3 | 5) { "u" } else { "t" });
        self.text(kind);
        self.int(2);
        self.text(definition);
        self.text("");
        self.text(copy);
        self.text("public");
        self.null();
        if self.minor >= 14 {
            self.text("heap");
        }
        if self.minor >= 16 {
            self.int(i32::from(b'r'));
        }
        self.text("owner");
        self.text("false");
        self.text("3");
        self.null();
        self.out.push(match (copy.is_empty(), offset) {
            (true, _) => 3,
            (_, None) => 1,
            _ => 2,
        });
        self.out
            .extend_from_slice(&offset.unwrap_or(0).to_le_bytes());
    }

    fn block(&mut self, id: i32, packed: &[u8]) {
        self.out.push(1);
        self.int(id);
        for chunk in packed.chunks(1000) {
            self.int(chunk.len() as i32);
            self.out.extend_from_slice(chunk);
        }
        self.int(0);
    }
}

fn pack(compression: u8, text: &[u8]) -> Vec<u8> {
    match compression {
        0 => text.to_vec(),
        1 => {
            let mut out = Vec::new();
            flate2::read::ZlibEncoder::new(text, flate2::Compression::default())
                .read_to_end(&mut out)
                .unwrap();
            out
        }
        2 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        _ => zstd::encode_all(text, 3).unwrap(),
    }
}

const ROWS: i64 = 20_000;

/// Two tables of the same rows; returns the archive and where each table's block begins.
fn two_tables(minor: u8, compression: u8, offsets: bool) -> (Vec<u8>, [usize; 2]) {
    tables_of(ROWS, minor, compression, offsets)
}

pub(crate) fn tables_of(
    rows: i64,
    minor: u8,
    compression: u8,
    offsets: bool,
) -> (Vec<u8>, [usize; 2]) {
    let text: String = (1..=rows)
        .map(|n| format!("{n}\trow {}\n", n * 7919 % 10007))
        .collect();
    let packed = pack(compression, format!("{text}\\.\n\n\n").as_bytes());
    let mut starts = [0; 2];
    // Once to learn where the blocks are, once to write it down.
    loop {
        let mut writer = Writer {
            out: Vec::new(),
            minor,
        };
        writer.head(compression, 5);
        let known = |at: usize| offsets.then_some(starts[at] as u64);
        writer.entry(1, "ENCODING", "SET client_encoding = 'UTF8';\n", "", None);
        writer.entry(
            2,
            "TABLE",
            "CREATE TABLE public.t (\n    a bigint NOT NULL,\n    b text\n);\n",
            "",
            None,
        );
        writer.entry(
            3,
            "TABLE",
            "CREATE TABLE public.u (\n    a bigint NOT NULL,\n    b text\n);\n",
            "",
            None,
        );
        writer.entry(
            4,
            "TABLE DATA",
            "",
            "COPY public.t (a, b) FROM stdin;\n",
            known(0),
        );
        writer.entry(
            5,
            "TABLE DATA",
            "",
            "COPY public.u (a, b) FROM stdin;\n",
            known(1),
        );
        let mut found = [writer.out.len(), 0];
        writer.block(4, &packed);
        found[1] = writer.out.len();
        writer.block(5, &packed);
        if found == starts {
            return (writer.out, starts);
        }
        starts = found;
    }
}

#[test]
fn versions_and_compressions_that_other_servers_write() {
    for (minor, compressions) in [(12, 0..2), (13, 0..2), (14, 0..2), (15, 0..4), (16, 0..4)] {
        for compression in compressions {
            for offsets in [false, true] {
                let (bytes, _) = two_tables(minor, compression, offsets);
                let (facts, kept) = read_all(&bytes);
                assert_eq!(
                    facts.status,
                    DumpStatus::Complete,
                    "{minor} {compression} {:?}",
                    facts.rejects
                );
                assert_eq!(facts.dumped_by.as_deref(), Some("pg_dump version 17.2"));
                for table in ["t", "u"] {
                    assert_eq!(kept.count(table), ROWS as usize, "{minor} {compression}");
                }
                for source in [
                    DumpSource::from_bytes(bytes.clone(), naming()).unwrap(),
                    DumpSource::open(from_start(bytes.clone()), naming()).unwrap(),
                ] {
                    let filter = RowFilter::I64In("a".into(), vec![1, 777, ROWS]);
                    let batch = source.read("u", &["b"], &filter).unwrap();
                    let found: Vec<_> = (0..3)
                        .map(|row| batch.columns[0].text(row).unwrap())
                        .collect();
                    let expected = [1, 777, ROWS].map(|n| format!("row {}", n * 7919 % 10007));
                    assert_eq!(found, expected);
                    assert_eq!(batch.column("#").unwrap().i64(1), Some(777));
                    // Parts that are read in one pass are what each is alone.
                    let one =
                        RowFilter::BytesIn("b".into(), vec![expected[2].clone().into_bytes()]);
                    let parts = [
                        (&["a"][..], &filter),
                        (&["b", "#line"], &one),
                        (&["b", "a"], &RowFilter::All),
                    ]
                    .map(|(columns, filter)| Part { columns, filter });
                    let together = source.read_parts("u", &parts).unwrap();
                    let alone =
                        parts.map(|part| source.read("u", part.columns, part.filter).unwrap());
                    assert_eq!(together, alone);
                    assert_eq!(alone[2].rows(), ROWS as usize);
                    assert!(source.damage().is_empty());
                }
            }
        }
    }
}

#[test]
fn unknown_versions_say_what_to_do() {
    for (at, value) in [(6, 17), (6, 11), (5, 2)] {
        let (mut bytes, _) = two_tables(16, 1, true);
        bytes[at] = value;
        let (facts, kept) = read_all(&bytes);
        assert!(kept.rows.is_empty());
        assert_eq!(facts.status, DumpStatus::Damaged);
        assert!(
            facts.rejects[0].what.contains("pg_restore -f dump.sql"),
            "{:?}",
            facts.rejects
        );
    }
}

/// A reading that knows what a scan found differs in nothing from one that knows the table of contents.
#[test]
fn the_table_of_contents_says_all_that_a_scan_finds() {
    let mut archives: Vec<(String, Vec<u8>)> = (0..4)
        .map(|compression| {
            let (bytes, _) = tables_of(2_000, 16, compression, true);
            (format!("written {compression}"), bytes)
        })
        .collect();
    for name in ["fc.dump", "fc-z0.dump.gz", "fd.dir", "ft.tar.gz"] {
        for database in ["z2023", "znew"] {
            let name = format!("{database}.trace.{name}");
            archives.extend(archive(&name).map(|bytes| (name, bytes)));
        }
    }
    for (name, bytes) in archives {
        assert_eq!(scan_dump(&mut &bytes[..]).unwrap(), None, "{name}");
        let (scanned, _) = read_want(&bytes, &Want::nothing(Naming::default()));
        let knowing = Want {
            known: Some(scanned),
            ..Want::all(naming())
        };
        let (facts, kept) = read_all(&bytes);
        let (facts_knowing, kept_knowing) = read_want(&bytes, &knowing);
        assert!(facts == facts_knowing, "{name}");
        assert!(kept.tables == kept_knowing.tables, "{name}");
        assert!(!kept.rows.is_empty());
        assert!(kept.rows == kept_knowing.rows, "{name}");
        assert!(kept.rejects == kept_knowing.rejects, "{name}");
    }
}

#[test]
fn what_the_table_of_contents_leaves_open_is_scanned() {
    // Without the tables' own SQL, as in `pg_dump --data-only`.
    let (bytes, _) = tables_of(50, 16, 1, true);
    let text = bytes.clone();
    let find = |what: &[u8]| memchr::memmem::find(&text, what).unwrap();
    let mut undeclared = bytes.clone();
    for what in [&b"CREATE TABLE public.t"[..], b"CREATE TABLE public.u"] {
        let at = find(what);
        undeclared[at..at + 6].copy_from_slice(b"ABSENT");
    }
    let (expected, _) = read_want(&undeclared, &Want::nothing(Naming::default()));
    let found = scan_dump(&mut &undeclared[..]).unwrap().unwrap();
    assert!(found == expected);
    assert!(found.tables[0].info.types_inferred);
    // One table in two parts.
    let mut parts = bytes;
    let at = find(b"COPY public.u");
    parts[at..at + 13].copy_from_slice(b"COPY public.t");
    assert_eq!(
        scan_dump(&mut &parts[..]).unwrap().unwrap().tables[0].rows,
        100
    );
    // Other forms are scanned as ever.
    let plain = b"COPY public.t (a) FROM stdin;\n1\n\\.\n";
    assert_eq!(
        scan_dump(&mut &plain[..]).unwrap().unwrap().tables[0].rows,
        1
    );
}

/// Reads a damaged archive in every way; returns rows of both tables and what was said.
#[track_caller]
fn damaged(bytes: &[u8]) -> (usize, usize, DumpFacts) {
    let (facts, kept) = read_all(bytes);
    let (t, u) = (kept.count("t"), kept.count("u"));
    let source = DumpSource::from_bytes(bytes.to_vec(), naming()).unwrap();
    let rows = |table: &str| {
        source
            .read(table, &["a"], &RowFilter::All)
            .map_or(0, |batch| batch.rows())
    };
    assert_eq!((rows("t"), rows("u")), (t, u), "{:?}", facts.rejects);
    assert_eq!(
        source.damage().is_empty(),
        facts.status == DumpStatus::Complete,
        "{:?}",
        facts.rejects
    );
    (t, u, facts)
}

#[test]
fn a_flipped_byte_costs_one_tables_rest() {
    for compression in 1..4 {
        let (bytes, [first, second]) = two_tables(16, compression, true);
        let middle = (first + second) / 2;
        let mut flipped = bytes.clone();
        flipped[middle] ^= 0x10;
        let (t, u, facts) = damaged(&flipped);
        assert_eq!(u, ROWS as usize, "the other table is whole");
        assert!(t <= ROWS as usize);
        if compression == 2 {
            // pg_dump writes LZ4 without a checksum: what stays well-formed cannot be told.
            continue;
        }
        assert_ne!(facts.status, DumpStatus::Complete, "{compression}");
        let reject = facts.rejects.last().unwrap();
        assert_eq!(reject.table.as_deref(), Some("t"), "{:?}", facts.rejects);
        assert_eq!(reject.byte, first as u64, "{:?}", facts.rejects);
        assert!(
            reject.what.contains("of the table's data"),
            "{:?}",
            facts.rejects
        );
        if compression == 1 {
            assert!(t > 1000, "what stands before the damage is read: {t}");
        }
    }
    // A chunk's length that makes no sense: the next block is where the table of contents says.
    let (mut bytes, [first, _]) = two_tables(14, 1, true);
    bytes[first + 6 + 4] = 0x7f;
    let (t, u, facts) = damaged(&bytes);
    assert_eq!((t, u), (0, ROWS as usize), "{:?}", facts.rejects);
}

#[test]
fn an_archive_cut_anywhere_is_truncated() {
    let (bytes, [first, second]) = two_tables(14, 1, true);
    let mut before = 0;
    for end in
        (40..bytes.len())
            .step_by(997)
            .chain([first, first + 3, second - 1, second, second + 1])
    {
        let (t, u, facts) = damaged(&bytes[..end]);
        assert_eq!(
            facts.status,
            DumpStatus::Truncated,
            "{end} {:?}",
            facts.rejects
        );
        assert!(end > second || u == 0);
        assert!(
            t >= before || end <= first || end == second - 1 || end < second,
            "{end}"
        );
        before = t;
        if end > first {
            let named = |name: &str| {
                facts
                    .rejects
                    .iter()
                    .any(|reject| reject.table.as_deref() == Some(name))
            };
            assert!(named("t") || end >= second, "{end} {:?}", facts.rejects);
            assert!(named("u") || named("t"), "{end} {:?}", facts.rejects);
        }
    }
}

#[test]
fn a_cut_or_broken_tar_gives_what_is_left() {
    let Some(tar) = corpus("z2023.trace.ft.tar.gz") else {
        return;
    };
    let (whole, kept) = read_all(&tar);
    let rows: usize = kept.rows.iter().map(|(_, batch)| batch.rows()).sum();
    let (cut, some) = read_all(&tar[..tar.len() / 2]);
    assert_eq!(cut.status, DumpStatus::Truncated);
    let less: usize = some.rows.iter().map(|(_, batch)| batch.rows()).sum();
    assert!(less > 0 && less < rows);
    assert!(
        cut.rejects.iter().all(|reject| reject.table.is_some()),
        "{:?}",
        cut.rejects
    );
    // The header of a member: its table is missing, the others are there.
    let lost = &whole.tables[1];
    let mut broken = tar.clone();
    broken[lost.blocks[0].byte as usize] ^= 1;
    let (facts, some) = read_all(&broken);
    assert_ne!(facts.status, DumpStatus::Complete);
    let less: usize = some.rows.iter().map(|(_, batch)| batch.rows()).sum();
    assert_eq!(less as u64, rows as u64 - lost.rows);
    assert!(
        facts
            .rejects
            .iter()
            .any(|reject| reject.table.as_deref() == Some(&lost.info.name))
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever was flipped or cut: no panic, every byte accounted for, and a table read on its own
    /// holds no more than it does in a reading of everything.
    #[test]
    fn broken_archives_never_lie_about_their_bytes(
        compression in 0..4u8,
        offsets: bool,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (mut bytes, _) = tables_of(40, 15, compression, offsets);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        // What is no archive any more is another reader's.
        if bytes.starts_with(b"PGDMP") {
            let (_, kept) = read_all(&bytes);
            let source = DumpSource::from_bytes(bytes, naming()).unwrap();
            for table in ["t", "u"] {
                let alone = source.read(table, &["a"], &RowFilter::All).map_or(0, |batch| batch.rows());
                prop_assert!(alone <= kept.count(table).max(40));
            }
        }
    }
}
