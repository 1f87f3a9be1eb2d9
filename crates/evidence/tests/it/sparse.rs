//! Sparse members, written by GNU tar.

use crate::archives::Shelf;
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const KIB: u64 = 1024;

/// A file with text at some places and holes between.
fn sparse(path: &Path, places: &[u64], length: u64) -> Vec<u8> {
    let mut plain = vec![0; length as usize];
    let mut file = File::create(path).unwrap();
    for place in places {
        let line = format!("[2020-08-14 17:30:40]  INFO node: at {place}\n");
        file.seek(SeekFrom::Start(*place)).unwrap();
        file.write_all(line.as_bytes()).unwrap();
        let at = *place as usize;
        plain[at..at + line.len()].copy_from_slice(line.as_bytes());
    }
    file.set_len(length).unwrap();
    plain
}

fn tar(folder: &Path, names: &[&str], options: &[&str]) -> Vec<u8> {
    let out = Command::new("tar")
        .args(["--sparse", "--create", "--file=-", "--hole-detection=raw"])
        .args(options)
        .arg("--directory")
        .arg(folder)
        .args(names)
        .output()
        .expect("GNU tar is there");
    assert!(out.status.success(), "{out:?}");
    out.stdout
}

const FORMATS: [&[&str]; 4] = [
    &["--format=gnu"],
    &["--format=posix", "--sparse-version=0.0"],
    &["--format=posix", "--sparse-version=0.1"],
    &["--format=posix", "--sparse-version=1.0"],
];

#[test]
fn holes_come_out_as_zeros_in_every_format() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    let few = sparse(&at("few.log"), &[0, 64 * KIB], 128 * KIB);
    // More stretches than a header has room for, none at the front, and text at the very end.
    let places: Vec<u64> = (1..90).map(|n| n * 8 * KIB).collect();
    let last = 90 * 8 * KIB - 46;
    let many = sparse(
        &at("many.log"),
        &[&places[..], &[last]].concat(),
        90 * 8 * KIB,
    );
    let long = "a-name-that-is-longer-than-a-header-has-room-for/".repeat(3) + "hole.log";
    std::fs::create_dir_all(at(&long).parent().unwrap()).unwrap();
    let hole = sparse(&at(&long), &[], 40 * KIB);
    std::fs::write(at("plain.log"), b"no hole\n").unwrap();
    for format in FORMATS {
        let archive = tar(
            folder.path(),
            &["few.log", "many.log", &long, "plain.log"],
            format,
        );
        assert!((archive.len() as u64) < 700 * KIB, "{}", archive.len());
        let seen = Shelf::new().see("s.tar", &archive).sound();
        let names: Vec<String> = ["few.log", "many.log", &long, "plain.log"]
            .iter()
            .map(|name| format!("s.tar!{name}"))
            .collect();
        assert_eq!(seen.names(), names, "{format:?}");
        let texts = [&few[..], &many, &hole, b"no hole\n"];
        for ((name, got), text) in seen.sources.iter().zip(texts) {
            assert!(got == text, "{format:?} {name}: {} bytes", got.len());
        }
    }
}

#[test]
fn a_hole_is_no_way_around_the_limits() {
    let folder = TempDir::new().unwrap();
    let file = File::create(folder.path().join("bomb.log")).unwrap();
    file.set_len(1 << 40).unwrap();
    std::fs::write(folder.path().join("z.log"), b"after\n").unwrap();
    for format in FORMATS {
        let archive = tar(folder.path(), &["bomb.log", "z.log"], format);
        let path = folder.path().join("bomb.tar");
        std::fs::write(&path, &archive).unwrap();
        let mut streams = evidence::Streams::open(&path, evidence::Limits::default()).unwrap();
        let Some(evidence::Stream::Source(mut reader)) = streams.next() else {
            panic!("{format:?}");
        };
        let passed = reader.skip(u64::MAX);
        assert!((256 << 20..300 << 20).contains(&passed), "{passed}");
        let facts = reader.finish();
        assert!(facts.problems[0].1.contains("limit of ratio"), "{facts:?}");
    }
}

#[test]
fn a_broken_map_is_named_and_the_rest_is_read() {
    let folder = TempDir::new().unwrap();
    sparse(
        &folder.path().join("few.log"),
        &[4 * KIB, 64 * KIB],
        128 * KIB,
    );
    std::fs::write(folder.path().join("z.log"), b"after\n").unwrap();
    let archive = tar(folder.path(), &["few.log", "z.log"], FORMATS[3]);
    // The map stands before the data: `4096`, the place of the first stretch, is no number any more.
    let at = archive.windows(5).position(|w| w == b"4096\n").unwrap();
    let mut broken = archive.clone();
    broken[at] = b'x';
    let seen = Shelf::new().see("s.tar", &broken);
    assert_eq!(seen.names(), ["s.tar!z.log"]);
    assert_eq!(seen.sources[0].1, b"after\n");
    seen.trouble("s.tar!few.log", "map is broken");
    // A stretch that begins before the one before it ends.
    let mut broken = archive.clone();
    let text = b"65536\n";
    let at = archive.windows(6).position(|w| w == text).unwrap();
    broken[at..at + 6].copy_from_slice(b"00001\n");
    let seen = Shelf::new().see("s.tar", &broken);
    seen.trouble("s.tar!few.log", "map is broken");
    let cut = Shelf::new().see("s.tar", &archive[..archive.len() / 2]);
    assert!(!cut.problems.is_empty() || !cut.troubles.is_empty());
}
