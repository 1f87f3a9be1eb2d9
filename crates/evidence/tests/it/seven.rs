//! 7z archives, written by `sevenz-rust2`.

use crate::archives::{Seen, Shelf};
use crate::reader::text;
use evidence::Limits;
use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderConfiguration, EncoderMethod};
use std::io::Cursor;

fn lines(name: &str) -> Vec<u8> {
    // Nothing of one is in another, so that each has its place in a block.
    let at = 40_000 * name.len();
    text(at + 40_000).split_off(at)
}

fn seven(methods: &[EncoderMethod], solid: bool, members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).unwrap();
    let methods = methods.iter().map(|m| EncoderConfiguration::new(*m));
    writer.set_content_methods(methods.collect());
    let entry = |name: &str| ArchiveEntry::new_file(name);
    if solid {
        let entries = members.iter().map(|(name, _)| entry(name)).collect();
        let readers = members.iter().map(|(_, text)| Cursor::new(text).into());
        writer
            .push_archive_entries(entries, readers.collect())
            .unwrap();
    } else {
        for (name, text) in members {
            writer
                .push_archive_entry(entry(name), Some(Cursor::new(text)))
                .unwrap();
        }
    }
    let folder = ArchiveEntry::new_directory("empty");
    writer
        .push_archive_entry::<Cursor<Vec<u8>>>(folder, None)
        .unwrap();
    writer.finish().unwrap().into_inner()
}

fn members() -> Vec<(&'static str, Vec<u8>)> {
    ["a/beacon.log", "a/vc.log", "päivä.log", "z.log"]
        .into_iter()
        .map(|name| (name, lines(name)))
        .collect()
}

#[track_caller]
fn check_whole(seen: Seen, prefix: &str) {
    let seen = seen.sound();
    let wanted: Vec<(String, Vec<u8>)> = members()
        .into_iter()
        .map(|(name, text)| (format!("{prefix}!{name}"), text))
        .collect();
    assert!(seen.sources == wanted, "{:?}", seen.names());
}

#[test]
fn members_are_read_however_they_are_packed() {
    for method in [
        EncoderMethod::COPY,
        EncoderMethod::LZMA,
        EncoderMethod::LZMA2,
        EncoderMethod::BZIP2,
        EncoderMethod::DEFLATE,
    ] {
        for solid in [true, false] {
            let archive = seven(&[method], solid, &members());
            let seen = Shelf::new().see("logs.7z", &archive);
            assert_eq!(seen.archive.as_ref().unwrap().kind, "7z");
            check_whole(seen, "logs.7z");
        }
    }
}

#[test]
fn an_archive_inside_of_something_is_read_too() {
    let archive = seven(&[EncoderMethod::LZMA2], true, &members());
    let packed = zstd::encode_all(&archive[..], 1).unwrap();
    let seen = Shelf::new().see("logs.7z.zst", &packed);
    assert_eq!(seen.archive.as_ref().unwrap().kind, "7z+zstd");
    check_whole(seen, "logs.7z.zst");
    let outer = [("in/logs.7z", archive)];
    let seen = Shelf::new().see("o.7z", &seven(&[EncoderMethod::COPY], true, &outer));
    check_whole(seen, "o.7z!in/logs.7z");
}

#[test]
fn what_is_not_read_is_named_and_the_rest_goes_on() {
    // A filter before the packing: 7-Zip gives that to programs.
    let methods = [EncoderMethod::DELTA_FILTER, EncoderMethod::LZMA2];
    let seen = Shelf::new().see("x.7z", &seven(&methods, false, &members()));
    assert_eq!(seen.names(), [""; 0]);
    assert_eq!(seen.troubles.len(), 4);
    seen.trouble("x.7z!z.log", "several filters");
}

#[test]
fn damage_costs_what_lies_behind_it_in_its_block() {
    let archive = seven(&[EncoderMethod::LZMA2], true, &members());
    let mut broken = archive.clone();
    let at = archive.len() / 2;
    broken[at..at + 16].fill(0xff);
    let seen = Shelf::new().see("x.7z", &broken);
    assert!(seen.sources[0].1 == members()[0].1);
    assert!(!seen.problems.is_empty(), "{:?}", seen.troubles);
    seen.trouble("x.7z!z.log", "lies behind the end");
    // Apart, only one is hurt.
    let mut broken = seven(&[EncoderMethod::COPY], false, &members());
    broken[50_000] ^= 1;
    let seen = Shelf::new().see("x.7z", &broken);
    assert_eq!(seen.sources.len(), 4);
    let [(name, _, what)] = &seen.problems[..] else {
        panic!("{:?}", seen.problems);
    };
    assert_eq!(name, "x.7z!a/vc.log");
    assert!(what.contains("checksum"), "{what}");
}

#[test]
fn any_damage_is_told_and_nothing_breaks() {
    let members = [
        ("a.log", b"one line\n".repeat(3)),
        ("b.log", b"two\n".to_vec()),
    ];
    for solid in [true, false] {
        let archive = seven(&[EncoderMethod::LZMA2], solid, &members);
        let whole = Shelf::new().see("x.7z", &archive).sound();
        // The header of the file has a checksum of its own and two bytes of version.
        for at in 8..archive.len() {
            for bit in [0x01, 0x80] {
                let mut broken = archive.clone();
                broken[at] ^= bit;
                let seen = Shelf::new().see("x.7z", &broken);
                let told = !seen.problems.is_empty() || !seen.troubles.is_empty();
                assert!(
                    told || seen.sources == whole.sources,
                    "byte {at} of {}: {:?}",
                    archive.len(),
                    seen.sources
                );
            }
        }
        for length in 6..archive.len() {
            let seen = Shelf::new().see("x.7z", &archive[..length]);
            assert!(!seen.troubles.is_empty(), "{length}");
        }
    }
}

#[test]
fn limits_hold() {
    let archive = seven(&[EncoderMethod::LZMA2], true, &members());
    let few = Limits {
        members: 2,
        ..Limits::default()
    };
    let seen = Shelf::new().see_with("x.7z", &archive, few);
    assert_eq!(seen.sources.len(), 2);
    seen.trouble("x.7z", "limit of count");
    let bomb = [("zeros.log", vec![0; 8 << 20])];
    let tight = Limits {
        free_bytes: 64 << 10,
        ..Limits::default()
    };
    let archive = seven(&[EncoderMethod::LZMA2], true, &bomb);
    let seen = Shelf::new().see_with("x.7z", &archive, tight);
    assert!(seen.sources[0].1.len() < 6 << 20);
    assert!(seen.problems[0].2.contains("limit of ratio"));
}
