//! lz4, written by `lz4_flex`.

use crate::reader::{check_broken, check_whole, read, text};
use evidence::{ContainerKind, Status};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use std::io::Write;

fn lz4(bytes: &[u8], info: FrameInfo) -> Vec<u8> {
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn all_sums() -> FrameInfo {
    FrameInfo::new()
        .block_checksums(true)
        .content_checksum(true)
        .block_size(BlockSize::Max64KB)
}

#[test]
fn frames_of_every_kind_are_one_stream() {
    let plain = text(1_000_000);
    let kinds = [
        FrameInfo::new(),
        all_sums(),
        all_sums().block_mode(BlockMode::Linked),
        FrameInfo::new().block_mode(BlockMode::Linked),
        FrameInfo::new()
            .block_size(BlockSize::Max4MB)
            .content_size(Some(plain.len() as u64)),
        FrameInfo::new().legacy_frame(true),
    ];
    for info in kinds {
        let packed = lz4(&plain, info);
        assert!(packed.len() < plain.len());
        check_whole(&packed, &plain, ContainerKind::Lz4);
    }
    check_whole(&lz4(b"", FrameInfo::new()), b"", ContainerKind::Lz4);
    // What cannot be packed is stored.
    let noise: Vec<u8> = (0..200_000u64)
        .map(|n| (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8)
        .collect();
    check_whole(&lz4(&noise, all_sums()), &noise, ContainerKind::Lz4);
    let (a, b) = plain.split_at(333_333);
    let skippable = b"\x53\x2a\x4d\x18\x03\x00\x00\x00abc";
    let frames = [
        &lz4(a, all_sums())[..],
        skippable,
        &lz4(b"", FrameInfo::new()),
        &lz4(b, FrameInfo::new().legacy_frame(true)),
        &lz4(a, FrameInfo::new()),
    ]
    .concat();
    check_whole(&frames, &[a, b, a].concat(), ContainerKind::Lz4);
}

#[test]
fn damage_has_a_place_and_what_stands_before_it_is_read() {
    let plain = text(1_000_000);
    for mode in [BlockMode::Independent, BlockMode::Linked] {
        let packed = lz4(&plain, all_sums().block_mode(mode));
        check_broken(
            &packed[..packed.len() / 2],
            &plain,
            300_000,
            Status::Truncated,
        );
        let mut broken = packed.clone();
        let at = packed.len() / 2;
        broken[at..at + 2000].fill(0xff);
        let (out, facts) = read(&broken);
        assert!(out.len() > 300_000);
        assert_eq!(facts.status, Status::Damaged);
        assert!(
            facts.problems[0].1.contains("at container byte"),
            "{facts:?}"
        );
    }
    // One bit of the text: it unpacks, and the sums tell.
    let mut packed = lz4(&plain, all_sums());
    packed[40_000] ^= 1;
    let (_, facts) = read(&packed);
    assert_eq!(facts.status, Status::Damaged);
    assert!(facts.problems[0].1.contains("lz4 block"), "{facts:?}");
    let mut packed = lz4(&plain, FrameInfo::new().content_checksum(true));
    let last = packed.len() - 1;
    packed[last] ^= 1;
    let (out, facts) = read(&packed);
    assert!(out == plain);
    assert!(facts.problems[0].1.contains("checksum of the lz4 frame"));
    let garbage = [&lz4(&plain, all_sums())[..], b"this is no frame"].concat();
    let (out, facts) = read(&garbage);
    assert_eq!((out.len(), facts.status), (plain.len(), Status::Damaged));
    // A header that lies.
    let mut packed = lz4(&plain, FrameInfo::new());
    packed[5] ^= 0x70;
    let (out, facts) = read(&packed);
    assert_eq!((out.len(), facts.status), (0, Status::Damaged));
    assert!(facts.problems[0].1.contains("broken header"));
}
