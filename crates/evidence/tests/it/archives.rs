//! Archives, written by other people's programs, read by ours.

use evidence::{ArchiveFacts, Limits, Stream, Streams, open_source};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::io::{Cursor, Read, Write};
use std::path::PathBuf;
use tempfile::TempDir;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (index, (name, bytes)) in members.iter().enumerate() {
        let method = match index % 2 {
            0 => zip::CompressionMethod::Deflated,
            _ => zip::CompressionMethod::Stored,
        };
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) struct Shelf(TempDir);

/// What came out of a file: sources with their text and problems, troubles.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) sources: Vec<(String, Vec<u8>)>,
    pub(crate) problems: Vec<(String, u64, String)>,
    pub(crate) troubles: Vec<(String, String)>,
    pub(crate) archive: Option<ArchiveFacts>,
}

impl Seen {
    pub(crate) fn names(&self) -> Vec<&str> {
        self.sources.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[track_caller]
    pub(crate) fn sound(self) -> Seen {
        assert_eq!((&self.problems, &self.troubles), (&vec![], &vec![]));
        self
    }

    #[track_caller]
    pub(crate) fn trouble(&self, name: &str, what: &str) {
        assert!(
            self.troubles
                .iter()
                .any(|(n, w)| n == name && w.contains(what)),
            "{name}: {what} not in {:?}",
            self.troubles
        );
    }
}

impl Shelf {
    pub(crate) fn new() -> Shelf {
        Shelf(TempDir::new().unwrap())
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn see(&self, name: &str, bytes: &[u8]) -> Seen {
        self.see_with(name, bytes, Limits::default())
    }

    /// Reads everything; names are cut to the file's own.
    pub(crate) fn see_with(&self, name: &str, bytes: &[u8], limits: Limits) -> Seen {
        let path = self.put(name, bytes);
        let folder = format!("{}/", self.0.path().display());
        let short = |name: &str| name.replace(&folder, "");
        let mut streams = Streams::open(&path, limits).unwrap();
        let mut seen = Seen::default();
        while let Some(stream) = streams.next() {
            match stream {
                Stream::Trouble { name, what } => seen.troubles.push((short(&name), what)),
                Stream::Source(mut reader) => {
                    let mut text = Vec::new();
                    reader.read_to_end(&mut text).unwrap();
                    let facts = reader.finish();
                    assert_eq!(facts.sha256.to_string(), sha(&text));
                    let name = short(&facts.name);
                    for (byte, what) in facts.problems {
                        seen.problems.push((name.clone(), byte, what));
                    }
                    seen.sources.push((name, text));
                }
            }
        }
        seen.archive = streams.finish();
        seen
    }
}

const A: &[u8] = b"[2020-08-14 17:30:40]  INFO node: one\n";
const B: &[u8] = b"[2020-08-14 17:30:41]  INFO node: two\n";

#[test]
fn a_file_that_is_no_archive_is_one_source() {
    let shelf = Shelf::new();
    let seen = shelf.see("plain.log", A).sound();
    assert_eq!(seen.sources, [("plain.log".to_owned(), A.to_vec())]);
    assert_eq!(seen.archive, None);
    let seen = shelf.see("packed.txt", &gzip(A)).sound();
    assert_eq!(seen.sources, [("packed.txt".to_owned(), A.to_vec())]);
    assert_eq!(seen.archive, None);
}

#[test]
fn members_are_sources_whatever_lies_around_them() {
    let long: Vec<u8> = A.repeat(40_000);
    let members: [(&str, &[u8]); 3] = [
        ("a/beacon.log", &long),
        ("a/beacon.log.1.gz", &gzip(B)),
        ("b/validator.log", B),
    ];
    let shelf = Shelf::new();
    let tar = tar(&members);
    let zip = zip(&members);
    let check = |name: &str, packed: &[u8], kind: &str| {
        let seen = shelf.see(name, packed).sound();
        assert_eq!(
            seen.names(),
            [
                format!("{name}!a/beacon.log"),
                format!("{name}!a/beacon.log.1.gz"),
                format!("{name}!b/validator.log")
            ]
        );
        assert!(seen.sources[0].1 == long);
        assert_eq!(seen.sources[1].1, B);
        assert_eq!(seen.sources[2].1, B);
        let archive = seen.archive.unwrap();
        assert_eq!(
            (
                archive.kind.as_str(),
                archive.bytes,
                archive.sha256.to_string()
            ),
            (kind, packed.len() as u64, sha(packed))
        );
    };
    check("pods.tar", &tar, "tar");
    check("pods.tgz", &gzip(&tar), "tar+gzip");
    check("pods", &zstd::encode_all(&tar[..], 1).unwrap(), "tar+zstd");
    check(
        "x.log",
        &liblzma::encode_all(&tar[..], 0).unwrap(),
        "tar+xz",
    );
    check("pods.zip", &zip, "zip");
    check("pods.zip.gz", &gzip(&zip), "zip+gzip");
}

#[test]
fn the_folder_of_a_database_is_one_source_in_any_archive() {
    let contents = b"PGDMP and so on";
    let rows = gzip(b"1\ta\n");
    let more = vec![b'x'; 3000];
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("toc.dat", &contents[..]),
        ("12.dat.gz", &rows),
        ("9.dat", &more),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut expected = Vec::new();
    let mut reader = open_source(folder.path()).unwrap();
    reader.read_to_end(&mut expected).unwrap();
    let shelf = Shelf::new();
    // The file that tells what the others hold comes last; a log lies among them, another folder has none.
    let members: [(&str, &[u8]); 6] = [
        ("case/dump/12.dat.gz", &rows),
        ("case/beacon.log", b"line\n"),
        ("case/dump/9.dat", &more),
        ("other/7.dat.gz", &gzip(b"text\n")),
        ("case/dump/README", b"read\n"),
        ("case/dump/toc.dat", contents),
    ];
    for (name, bytes) in [
        ("a.tar", tar(&members)),
        ("a.tar.gz", gzip(&tar(&members))),
        ("a.zip", zip(&members)),
        ("b.tar", tar(&[("inner.zip", &zip(&members))])),
    ] {
        let seen = shelf.see(name, &bytes).sound();
        let mut found: Vec<(&str, &[u8])> = seen
            .sources
            .iter()
            .map(|(name, bytes)| (name.rsplit('!').next().unwrap(), bytes.as_slice()))
            .collect();
        found.sort();
        let wanted: [(&str, &[u8]); 4] = [
            ("case/beacon.log", b"line\n"),
            ("case/dump", &expected),
            ("case/dump/README", b"read\n"),
            ("other/7.dat.gz", b"text\n"),
        ];
        assert!(found == wanted, "{name}: {:?}", seen.names());
    }
    // Packed file by file it is the same; the reader is found again by its name.
    let packed = tar(&[
        ("toc.dat.gz", &gzip(contents)),
        ("12.dat.gz", &rows),
        ("9.dat", &more),
    ]);
    let seen = shelf.see("c.tar", &packed).sound();
    assert!(
        seen.sources.len() == 1 && seen.sources[0].1 == expected,
        "{:?}",
        seen.names()
    );
    let path = shelf.put("c.tar", &packed);
    let mut again = Vec::new();
    let name = format!("{}!toc.dat", path.display());
    open_source(name.as_ref())
        .unwrap()
        .read_to_end(&mut again)
        .unwrap();
    assert!(again == expected);
    // What the temporary file has no room for is said.
    let limits = Limits {
        spool_bytes: 1000,
        ..Limits::default()
    };
    let seen = shelf.see_with("a.tar", &tar(&members), limits);
    assert!(
        seen.troubles
            .iter()
            .any(|(_, what)| what.contains("unpack it")),
        "{:?}",
        seen.troubles
    );
}

#[test]
fn archives_lie_in_archives() {
    let shelf = Shelf::new();
    let inner = gzip(&tar(&[("x.log", A)]));
    let middle = zip(&[("deep/inner.tgz", &inner), ("y.log", B)]);
    let outer = gzip(&tar(&[("middle.zip", &middle), ("z.log", A)]));
    let seen = shelf.see("outer.tgz", &outer).sound();
    assert_eq!(
        seen.names(),
        [
            "outer.tgz!middle.zip!deep/inner.tgz!x.log",
            "outer.tgz!middle.zip!y.log",
            "outer.tgz!z.log"
        ]
    );
    let path = shelf.0.path().join("outer.tgz!middle.zip!y.log");
    let mut text = Vec::new();
    open_source(&path).unwrap().read_to_end(&mut text).unwrap();
    assert_eq!(text, B);
    assert!(open_source(&shelf.0.path().join("outer.tgz!no.log")).is_err());
}

#[test]
fn long_names_empty_members_folders_and_newer_states() {
    let shelf = Shelf::new();
    let long = format!("{}/beacon.log", "pod-with-a-long-name".repeat(20));
    let seen = shelf
        .see(
            "x.tar",
            &tar(&[(&long, A), ("empty.log", b""), ("a.log", A), ("a.log", B)]),
        )
        .sound();
    assert_eq!(
        seen.names(),
        [
            format!("x.tar!{long}"),
            "x.tar!empty.log".to_owned(),
            "x.tar!a.log".to_owned(),
            "x.tar!a.log#2".to_owned()
        ]
    );
    // pax: a longer name yet, and a folder.
    let mut builder = tar::Builder::new(Vec::new());
    builder
        .append_pax_extensions([("path", "pax/name.log".as_bytes()), ("mtime", b"1.5")])
        .unwrap();
    let mut header = tar::Header::new_ustar();
    header.set_path("short.log").unwrap();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(A.len() as u64);
    header.set_cksum();
    builder.append(&header, A).unwrap();
    let mut folder = tar::Header::new_ustar();
    folder.set_path("folder/").unwrap();
    folder.set_entry_type(tar::EntryType::Directory);
    folder.set_size(0);
    folder.set_cksum();
    builder.append(&folder, &b""[..]).unwrap();
    let seen = shelf.see("pax.tar", &builder.into_inner().unwrap()).sound();
    assert_eq!(seen.names(), ["pax.tar!pax/name.log"]);
}

/// A header of its own making, since honest writers refuse these.
fn raw_header(name: &[u8], kind: u8, link: &[u8], bytes: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes);
    header.set_mode(0o644);
    {
        let old = header.as_old_mut();
        old.name[..name.len()].copy_from_slice(name);
        old.linkflag = [kind];
        old.linkname[..link.len()].copy_from_slice(link);
    }
    header.set_cksum();
    let mut all = header.as_bytes().to_vec();
    all.resize(512 + bytes.next_multiple_of(512) as usize, 0);
    all
}

#[test]
fn links_and_devices_are_named_and_never_followed() {
    let shelf = Shelf::new();
    let mut bytes = Vec::new();
    bytes.extend(raw_header(b"sym.log", b'2', b"/etc/passwd", 0));
    bytes.extend(raw_header(b"hard.log", b'1', b"../../secret", 0));
    bytes.extend(raw_header(b"disk", b'4', b"", 0));
    bytes.extend(raw_header(b"tty", b'3', b"", 0));
    bytes.extend(raw_header(b"pipe", b'6', b"", 0));
    bytes.extend(tar(&[("a.log", A)]));
    let seen = shelf.see("x.tar", &bytes);
    assert_eq!(seen.names(), ["x.tar!a.log"]);
    seen.trouble("x.tar!sym.log", "a symbolic link to /etc/passwd");
    seen.trouble("x.tar!hard.log", "a hard link to ../../secret");
    seen.trouble("x.tar!disk", "a block device");
    seen.trouble("x.tar!tty", "a character device");
    seen.trouble("x.tar!pipe", "a FIFO");

    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer
        .add_symlink("sym.log", "/etc/passwd", options)
        .unwrap();
    writer.start_file("a.log", options).unwrap();
    writer.write_all(A).unwrap();
    let seen = shelf.see("x.zip", &writer.finish().unwrap().into_inner());
    assert_eq!(seen.names(), ["x.zip!a.log"]);
    seen.trouble("x.zip!sym.log", "a symbolic link");
}

#[test]
fn names_that_lead_outside_are_only_names() {
    let shelf = Shelf::new();
    let mut bytes = raw_header(b"../../outside.log", b'0', b"", A.len() as u64);
    bytes[512..512 + A.len()].copy_from_slice(A);
    let mut absolute = raw_header(b"/tmp/absolute\x1b[31m.log", b'0', b"", B.len() as u64);
    absolute[512..512 + B.len()].copy_from_slice(B);
    bytes.extend(absolute);
    bytes.extend([0; 1024]);
    let seen = shelf.see("x.tar", &bytes).sound();
    assert_eq!(
        seen.names(),
        [
            "x.tar!../../outside.log",
            "x.tar!/tmp/absolute\\x1b[31m.log"
        ]
    );
    assert_eq!(std::fs::read_dir(shelf.0.path()).unwrap().count(), 1);
}

#[test]
fn a_damaged_header_costs_its_member_and_no_other() {
    let shelf = Shelf::new();
    let mut bytes = tar(&[("a.log", A), ("b.log", B), ("c.log", A)]);
    bytes[1024 + 150] ^= 0x55;
    let seen = shelf.see("x.tar", &bytes);
    assert_eq!(seen.names(), ["x.tar!a.log", "x.tar!c.log"]);
    seen.trouble("x.tar", "from byte 1024 to 2048 of the archive");
}

#[test]
fn cut_archives_give_what_they_have() {
    let shelf = Shelf::new();
    let long: Vec<u8> = A.repeat(1000);
    let bytes = tar(&[("a.log", A), ("b.log", &long), ("c.log", A)]);
    let seen = shelf.see("x.tar", &bytes[..1536 + 10_000]);
    assert_eq!(seen.names(), ["x.tar!a.log", "x.tar!b.log"]);
    assert_eq!(seen.sources[1].1, long[..10_000]);
    assert_eq!(
        (seen.problems[0].0.as_str(), seen.problems[0].1),
        ("x.tar!b.log", 10_000)
    );
    assert!(
        seen.problems[0]
            .2
            .contains("28000 bytes before this member does")
    );
    seen.trouble("x.tar", "ends early");

    let packed = gzip(&bytes);
    let seen = shelf.see("x.tgz", &packed[..packed.len() - 60]);
    seen.trouble("x.tgz", "gzip data ends early, at container byte");
    assert_eq!(
        seen.archive.unwrap().sha256.to_string(),
        sha(&packed[..packed.len() - 60])
    );

    let bytes = zip(&[("a.log", A), ("b.log", B), ("c.log", &long)]);
    let seen = shelf.see("x.zip", &bytes[..bytes.len() - 100]);
    assert_eq!(seen.names(), ["x.zip!a.log", "x.zip!b.log", "x.zip!c.log"]);
    assert_eq!((&seen.sources[0].1[..], &seen.sources[1].1[..]), (A, B));
    seen.trouble("x.zip", "no directory at its end");
}

#[test]
fn a_damaged_member_of_a_zip_says_where() {
    let shelf = Shelf::new();
    let noise: Vec<u8> = (0..100_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    let bytes = zip(&[("a.log", &noise), ("b.log", B)]);
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 0xff;
    let seen = shelf.see("x.zip", &damaged);
    assert_eq!(seen.names(), ["x.zip!a.log", "x.zip!b.log"]);
    assert_eq!(seen.sources[1].1, B);
    assert_eq!(seen.problems.len(), 1);
    assert_eq!(seen.problems[0].0, "x.zip!a.log");
    assert!(seen.sources[0].1.len() > 100_000);

    // An encrypted member is named; the flag alone says so.
    let mut locked = bytes;
    let directory = memchr::memmem::find(&locked, b"PK\x01\x02").unwrap();
    locked[directory + 8] |= 1;
    let seen = shelf.see("y.zip", &locked);
    assert_eq!(seen.names(), ["y.zip!b.log"]);
    seen.trouble("y.zip!a.log", "is encrypted");
}

#[test]
fn limits_name_themselves() {
    let shelf = Shelf::new();
    let many: Vec<(String, &[u8])> = (0..30).map(|n| (format!("{n}.log"), A)).collect();
    let many: Vec<(&str, &[u8])> = many
        .iter()
        .map(|(name, text)| (name.as_str(), *text))
        .collect();
    let limits = Limits {
        members: 10,
        ..Limits::default()
    };
    for packed in [tar(&many), zip(&many)] {
        let seen = shelf.see_with("x", &packed, limits.clone());
        assert_eq!(seen.sources.len(), 10);
        seen.trouble("x", "limit of count");
        assert!(seen.archive.is_some());
    }

    let deep = (0..9).fold(A.to_vec(), |inner, _| tar(&[("x", &inner)]));
    let seen = shelf.see("deep.tar", &deep);
    assert_eq!(seen.sources.len(), 0);
    seen.trouble("deep.tar!x!x!x!x!x!x!x!x", "limit of depth");

    let limits = Limits {
        free_bytes: 1 << 20,
        ratio: 900,
        ..Limits::default()
    };
    let zeros = vec![b'0'; 20 << 20];
    for (name, bomb) in [
        ("bomb.zip", zip(&[("z.log", &zeros), ("stored", A)])),
        ("bomb.tgz", {
            let mut encoder = zstd::Encoder::new(Vec::new(), 19).unwrap();
            encoder.write_all(&tar(&[("z.log", &zeros)])).unwrap();
            encoder.finish().unwrap()
        }),
    ] {
        let seen = shelf.see_with(name, &bomb, limits.clone());
        let told = format!("{:?}{:?}", seen.problems, seen.troubles);
        assert!(told.contains("limit of ratio"), "{name}: {told}");
    }

    let limits = Limits {
        spool_bytes: 64,
        ..Limits::default()
    };
    let seen = shelf.see_with(
        "spool.tar",
        &tar(&[("x.zip", &zip(&[("a.log", A)]))]),
        limits,
    );
    seen.trouble("spool.tar!x.zip", "limit of the temporary file");
}

/// Members without a directory, each as short as one can be: what looks for the next must not read to the end of
/// the file for each of them.
#[test]
fn a_zip_of_nothing_but_headers_is_read_once() {
    let shelf = Shelf::new();
    // Folders are not counted, lengths are said to stand behind the data, and the data is one byte.
    let mut header = b"PK\x03\x04\x14\x00\x08\x00\x00\x00".to_vec();
    header.resize(26, 0);
    header.extend_from_slice(b"\x02\x00\x00\x00a/.");
    let mut bytes = header.repeat(150_000);
    bytes.extend_from_slice(&header[..30]);
    bytes.extend_from_slice(b"b.");
    let seen = shelf.see("x.zip", &bytes);
    assert_eq!(seen.names(), ["x.zip!b."]);
    seen.trouble("x.zip", "no directory at its end");

    // Marks that are followed by nothing that could be a header.
    let seen = shelf.see("y.zip", &b"PK\x03\x04".repeat(400_000));
    assert!(seen.names().is_empty());
}

#[test]
fn damage_counts_as_members_do() {
    let shelf = Shelf::new();
    let member = tar(&[("a.log", A)]);
    let mut damaged = Vec::new();
    for _ in 0..30 {
        damaged.extend_from_slice(&member[..1024]);
        damaged.extend_from_slice(&[b'?'; 512]);
    }
    let limits = Limits {
        members: 10,
        ..Limits::default()
    };
    let seen = shelf.see_with("x.tar", &damaged, limits);
    assert_eq!(seen.sources.len() + seen.troubles.len(), 11);
    seen.trouble("x.tar", "limit of count");
}

#[test]
fn a_tar_header_may_say_any_length() {
    let shelf = Shelf::new();
    for bytes in [u64::MAX, u64::MAX - 511, u64::MAX / 2] {
        let mut header = tar::Header::new_gnu();
        header.set_path("a.log").unwrap();
        header.set_mode(0o644);
        header.set_size(bytes);
        header.set_entry_type(tar::EntryType::Regular);
        header.set_cksum();
        let mut archive = header.as_bytes().to_vec();
        archive.extend_from_slice(A);
        let seen = shelf.see("x.tar", &archive);
        assert_eq!(seen.names(), ["x.tar!a.log"]);
        assert_eq!(seen.sources[0].1, A);
        assert!(!seen.problems.is_empty() || !seen.troubles.is_empty());
    }
}

#[test]
fn the_same_data_is_not_given_twice() {
    let shelf = Shelf::new();
    let bytes = zip(&[("a.log", A), ("b.log", B)]);
    // Both entries of the directory lead to the first member's data.
    let second = memchr::memmem::rfind(&bytes, b"PK\x01\x02").unwrap();
    let mut bomb = bytes;
    bomb[second + 42..second + 46].fill(0);
    let seen = shelf.see("x.zip", &bomb);
    assert_eq!(seen.names(), ["x.zip!a.log"]);
    seen.trouble("x.zip!b.log", "shares its data");
}

#[test]
fn a_member_said_to_lie_beyond_the_end_is_empty_and_told() {
    let shelf = Shelf::new();
    let mut bytes = zip(&[("a.log", A)]);
    // The extra field of the local header reaches beyond the file.
    bytes[28..30].fill(0xff);
    let seen = shelf.see("x.zip", &bytes);
    assert_eq!(
        seen.sources
            .iter()
            .map(|(_, text)| text.len())
            .sum::<usize>(),
        0
    );
    assert!(!seen.problems.is_empty() || !seen.troubles.is_empty());
}

#[test]
fn a_reader_left_behind_reads_nothing_more() {
    let shelf = Shelf::new();
    let long: Vec<u8> = A.repeat(100_000);
    let path = shelf.put("x.tgz", &gzip(&tar(&[("a.log", &long), ("b.log", B)])));
    let mut streams = Streams::open(&path, Limits::default()).unwrap();
    let Some(Stream::Source(mut first)) = streams.next() else {
        panic!();
    };
    assert_eq!(first.skip(2 << 20), 2 << 20);
    let Some(Stream::Source(mut second)) = streams.next() else {
        panic!();
    };
    let mut text = Vec::new();
    second.read_to_end(&mut text).unwrap();
    assert_eq!(text, B);
    assert!(first.skip(u64::MAX) < 2 << 20);
    assert!(streams.next().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Any damage to an archive: no panic, no loop.
    #[test]
    fn broken_archives_end(
        which in 0..4,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let long = A.repeat(200);
        let members: [(&str, &[u8]); 3] = [("a.log", &long), ("b.gz", &gzip(B)), ("c", B)];
        let mut packed = match which {
            0 => tar(&members),
            1 => gzip(&tar(&members)),
            2 => zip(&members),
            _ => tar(&[("in.zip", &zip(&members)), ("d", A)]),
        };
        for (at, new) in changes {
            let at = at.index(packed.len());
            packed[at] = new;
        }
        if let Some(cut) = cut {
            packed.truncate(cut.index(packed.len()));
        }
        let _ = Shelf::new().see("x", &packed);
    }
}
