use evidence::{Container, ContainerKind, SourceFacts, SourceReader, Status};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::io::{self, Cursor, Read, Write};

/// Text that compresses to many blocks, with a little noise.
pub(crate) fn text(bytes: usize) -> Vec<u8> {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut out = Vec::new();
    while out.len() < bytes {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        writeln!(
            out,
            "[2020-08-14 17:31:02]  INFO blockchain: block={seed:016x}"
        )
        .unwrap();
    }
    out.truncate(bytes);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::bzip2::write::BzEncoder::new(Vec::new(), ::bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    liblzma::encode_all(bytes, 1).unwrap()
}

fn sha(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(crate) fn read(bytes: &[u8]) -> (Vec<u8>, SourceFacts) {
    let mut reader = SourceReader::from_reader(Box::new(Cursor::new(bytes.to_vec())), "x").unwrap();
    let mut out = Vec::new();
    reader.read_to_end(&mut out).unwrap();
    (out, reader.finish())
}

#[track_caller]
pub(crate) fn check_whole(packed: &[u8], plain: &[u8], kind: ContainerKind) {
    let (out, facts) = read(packed);
    assert!(out == plain);
    assert_eq!(facts.status, Status::Complete, "{:?}", facts.problems);
    assert_eq!(facts.bytes, plain.len() as u64);
    assert_eq!(facts.sha256.to_string(), sha(plain));
    let [container] = facts.containers.as_slice() else {
        panic!("{:?}", facts.containers);
    };
    assert_eq!(
        (container.kind, container.bytes),
        (kind, packed.len() as u64)
    );
    assert_eq!(container.sha256.to_string(), sha(packed));
    assert_eq!(facts.problems, []);
}

#[test]
fn plain_bytes_pass_as_they_are() {
    for plain in [&b""[..], b"x", b"\x1f", b"no line feed", &text(700_000)] {
        let (out, facts) = read(plain);
        assert!(out == plain);
        assert_eq!(facts.status, Status::Complete);
        assert_eq!(facts.sha256.to_string(), sha(plain));
        assert_eq!(facts.containers, []);
    }
}

#[test]
fn gzip_of_many_members_is_one_stream() {
    let plain = text(1_000_000);
    check_whole(&gzip(&plain), &plain, ContainerKind::Gzip);
    let (a, rest) = plain.split_at(333_333);
    let (b, c) = rest.split_at(1);
    let members = [gzip(a), gzip(b), gzip(b""), gzip(c)].concat();
    check_whole(&members, &plain, ContainerKind::Gzip);
    // Padding with zeros, as on tapes.
    check_whole(
        &[&members[..], &[0; 1000]].concat(),
        &plain,
        ContainerKind::Gzip,
    );
    check_whole(&gzip(b""), b"", ContainerKind::Gzip);
}

#[test]
fn gzip_headers_with_every_part_are_read() {
    let mut encoder = flate2::GzBuilder::new()
        .filename("beacon.log")
        .comment("rotated")
        .extra(vec![1; 300])
        .mtime(1)
        .write(Vec::new(), Compression::fast());
    encoder.write_all(b"line\n").unwrap();
    check_whole(&encoder.finish().unwrap(), b"line\n", ContainerKind::Gzip);
}

#[test]
fn zstd_of_many_frames_is_one_stream() {
    let plain = text(1_000_000);
    check_whole(&zstd(&plain), &plain, ContainerKind::Zstd);
    let (a, b) = plain.split_at(333_333);
    let skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
    let frames = [skippable.clone(), zstd(a), skippable, zstd(b""), zstd(b)].concat();
    check_whole(&frames, &plain, ContainerKind::Zstd);
}

/// Cut or damaged anywhere, what comes out is a prefix, and the end is told.
#[track_caller]
pub(crate) fn check_broken(packed: &[u8], plain: &[u8], least: usize, status: Status) {
    let (out, facts) = read(packed);
    assert!(plain.starts_with(&out), "not a prefix: {} bytes", out.len());
    assert!(out.len() >= least, "only {} of {least} bytes", out.len());
    assert_eq!(facts.status, status, "{:?}", facts.problems);
    assert_eq!(facts.problems.len(), 1);
    assert_eq!(facts.problems[0].0, out.len() as u64);
    assert_eq!(facts.sha256.to_string(), sha(&out));
    assert_eq!(
        facts
            .containers
            .first()
            .map(|Container { sha256, .. }| sha256.to_string()),
        Some(sha(packed)),
        "the hash is that of the whole file"
    );
}

#[test]
fn truncated_containers_give_what_was_readable() {
    let plain = text(1_000_000);
    let packed = gzip(&plain);
    check_broken(
        &packed[..packed.len() / 2],
        &plain,
        400_000,
        Status::Truncated,
    );
    check_broken(
        &packed[..packed.len() - 3],
        &plain,
        plain.len(),
        Status::Truncated,
    );
    check_broken(&packed[..9], &plain, 0, Status::Truncated);
    let packed = zstd(&plain);
    check_broken(
        &packed[..packed.len() / 2],
        &plain,
        300_000,
        Status::Truncated,
    );
    check_broken(
        &packed[..packed.len() - 1],
        &plain,
        900_000,
        Status::Truncated,
    );
    check_broken(&packed[..4], &plain, 0, Status::Truncated);
}

#[test]
fn bytes_after_the_container_are_told() {
    let plain = text(1000);
    let packed = [&gzip(&plain)[..], b"not gzip"].concat();
    check_broken(&packed, &plain, 1000, Status::Damaged);
    let packed = [&zstd(&plain)[..], b"not zstd"].concat();
    check_broken(&packed, &plain, 1000, Status::Damaged);
}

#[test]
fn damage_in_the_middle_keeps_all_before_it() {
    let plain = text(2_000_000);
    // A deflate block type that does not exist, made by hand: a stored block, then type 3.
    let mut packed = gzip(b"")[..10].to_vec();
    packed.extend_from_slice(&[0, 5, 0, 0xfa, 0xff]);
    packed.extend_from_slice(b"hello");
    packed.push(0b111);
    packed.extend_from_slice(&[0; 20]);
    check_broken(&packed, b"hello", 5, Status::Damaged);

    // zstd tells damage inside a block only if the frame has a checksum.
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&plain).unwrap();
    let mut packed = encoder.finish().unwrap();
    let middle = packed.len() / 2;
    packed[middle..middle + 400].fill(0xff);
    let (out, facts) = read(&packed);
    assert_eq!(facts.status, Status::Damaged);
    assert!(out.len() > 700_000, "{} bytes", out.len());
}

#[test]
fn a_wrong_checksum_is_told_and_reading_goes_on() {
    let mut first = gzip(b"one\n");
    let at = first.len() - 8;
    first[at] ^= 1;
    let (out, facts) = read(&[first, gzip(b"two\n")].concat());
    assert_eq!(out, b"one\ntwo\n");
    assert_eq!(facts.status, Status::Damaged);
    assert_eq!(facts.problems.len(), 1);
    assert_eq!(facts.problems[0].0, 4);
}

#[test]
fn a_window_beyond_128_mib_is_refused() {
    // Magic, a frame header with a window descriptor of 2^28, one empty raw block.
    let packed = b"\x28\xb5\x2f\xfd\x00\x90\x01\x00\x00";
    let (out, facts) = read(packed);
    assert_eq!((out.len(), facts.status), (0, Status::Damaged));
}

#[test]
fn layers_are_taken_off_to_a_limit() {
    let plain = text(400_000);
    let packed = gzip(&xz(&bzip2(&zstd(&plain))));
    let (out, facts) = read(&packed);
    assert!(out == plain);
    let kinds: Vec<_> = facts.containers.iter().map(|layer| layer.kind).collect();
    assert_eq!(
        kinds,
        [
            ContainerKind::Gzip,
            ContainerKind::Xz,
            ContainerKind::Bzip2,
            ContainerKind::Zstd
        ]
    );
    assert_eq!(facts.containers[0].sha256.to_string(), sha(&packed));
    assert_eq!(facts.containers[3].sha256.to_string(), sha(&zstd(&plain)));
    assert_eq!(facts.status, Status::Complete);

    let deep = (0..9).fold(b"line\n".to_vec(), |inner, _| gzip(&inner));
    let reader = SourceReader::from_reader(Box::new(Cursor::new(deep)), "x").unwrap();
    assert!(reader.too_deep());
}

#[test]
fn damage_of_an_outer_layer_is_told_where_the_text_ends() {
    let plain = text(1_000_000);
    let packed = gzip(&zstd(&plain));
    let (out, facts) = read(&packed[..packed.len() / 2]);
    assert!(plain.starts_with(&out) && out.len() > 200_000);
    assert_eq!(facts.status, Status::Truncated);
    assert!(
        facts
            .problems
            .iter()
            .all(|(byte, _)| *byte == out.len() as u64)
    );
    let whole = facts
        .problems
        .iter()
        .map(|(_, what)| what.as_str())
        .collect::<Vec<_>>()
        .join("; ");
    assert!(whole.contains("gzip data ends early"), "{whole}");
}

#[test]
fn bzip2_and_xz_of_many_streams_are_one() {
    let plain = text(1_000_000);
    let (a, b) = plain.split_at(333_333);
    for (pack, kind) in [
        (bzip2 as fn(&[u8]) -> Vec<u8>, ContainerKind::Bzip2),
        (xz, ContainerKind::Xz),
    ] {
        check_whole(&pack(&plain), &plain, kind);
        check_whole(&[pack(a), pack(b)].concat(), &plain, kind);
        check_whole(&pack(b""), b"", kind);
        let packed = pack(&plain);
        check_broken(
            &packed[..packed.len() * 9 / 10],
            &plain,
            100_000,
            Status::Truncated,
        );
        let mut damaged = packed.clone();
        let at = packed.len() * 9 / 10;
        damaged[at..at + 40].fill(0x55);
        let (out, facts) = read(&damaged);
        assert_eq!(
            facts.status,
            Status::Damaged,
            "{kind:?} {:?}",
            facts.problems
        );
        assert!(out.len() > 100_000, "{kind:?}: {} bytes", out.len());
        let garbage = [&pack(a)[..], b"this is no stream at all"].concat();
        let (out, facts) = read(&garbage);
        assert_eq!((out.len(), facts.status), (a.len(), Status::Damaged));
    }
}

#[test]
fn what_expands_without_end_is_stopped_and_says_why() {
    // 400 MB of zeros in a gzip of 400 kB: beyond a thousandfold.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![0; 1 << 20];
    for _ in 0..400 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let mut reader = SourceReader::from_reader(Box::new(Cursor::new(bomb)), "x").unwrap();
    let passed = reader.skip(u64::MAX);
    assert!((256 << 20..300 << 20).contains(&passed), "{passed}");
    let facts = reader.finish();
    assert_eq!(facts.status, Status::Damaged);
    assert!(
        facts.problems[0].1.contains("limit of ratio"),
        "{:?}",
        facts.problems
    );
}

#[test]
fn prefixes_peeking_and_skipping_agree() {
    let plain = text(600_000);
    let mut reader = SourceReader::from_reader(Box::new(Cursor::new(zstd(&plain))), "x").unwrap();
    reader.check_prefixes(&[500_000, 0, 17, 600_000, 600_001, 17]);
    assert_eq!(reader.peek(100), &plain[..100]);
    assert_eq!(reader.peek(50), &plain[..50]);
    assert_eq!(reader.skip(60), 60);
    assert_eq!(reader.peek(100), &plain[60..160]);
    assert_eq!(reader.position(), 60);
    assert_eq!(reader.prefixes().len(), 2);
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert!(rest == plain[60..]);
    let facts = reader.finish();
    let expected: Vec<_> = [0, 17, 500_000, 600_000]
        .map(|n: usize| (n as u64, sha(&plain[..n])))
        .to_vec();
    let told: Vec<_> = facts
        .prefixes
        .iter()
        .map(|(n, digest)| (*n, digest.to_string()))
        .collect();
    assert_eq!(told, expected);
    assert_eq!(facts.sha256.to_string(), sha(&plain));
}

#[test]
fn a_reader_that_fails_midway_is_damage_and_one_that_fails_at_once_an_error() {
    struct Failing(usize);
    impl Read for Failing {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            if self.0 == 0 {
                return Err(io::Error::other("bad sector"));
            }
            let n = self.0.min(out.len());
            self.0 -= n;
            out[..n].fill(b'x');
            Ok(n)
        }
    }
    assert!(SourceReader::from_reader(Box::new(Failing(0)), "x").is_err());
    for bytes in [3, 200_000] {
        let mut reader = SourceReader::from_reader(Box::new(Failing(bytes)), "x").unwrap();
        let mut out = Vec::new();
        reader.read_to_end(&mut out).unwrap();
        assert_eq!(out.len(), bytes);
        let facts = reader.finish();
        assert_eq!(facts.status, Status::Damaged);
        assert_eq!(
            facts.problems,
            [(bytes as u64, "cannot read on: bad sector".to_owned())]
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any damage to a container: no panic, no loop, and the facts agree with what came out.
    #[test]
    fn broken_containers_never_lie(
        which in 0..4,
        size in 0usize..60_000,
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 0..8),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let plain = text(size);
        let mut packed = match which {
            0 => zstd(&plain),
            1 => gzip(&plain),
            2 => bzip2(&plain),
            _ => xz(&plain),
        };
        let at = at.index(packed.len());
        for (byte, new) in packed[at..].iter_mut().zip(&with) {
            *byte = *new;
        }
        if let Some(cut) = cut {
            packed.truncate(cut.index(packed.len()));
        }
        let (out, facts) = read(&packed);
        prop_assert_eq!(facts.bytes, out.len() as u64);
        prop_assert_eq!(facts.sha256.to_string(), sha(&out));
        prop_assert_eq!(facts.status == Status::Complete, facts.problems.is_empty());
        if which == 1 && !facts.containers.is_empty() && facts.status == Status::Complete && !packed.is_empty() {
            // gzip has a checksum: complete means right (or that only its header changed).
            prop_assert_eq!(out, plain);
        }
    }
}

#[test]
fn what_a_packing_says_of_its_length_is_a_hint() {
    let plain = text(100_000);
    let folder = tempfile::TempDir::new().unwrap();
    let likely = |packed: &[u8]| {
        let path = folder.path().join("x");
        std::fs::write(&path, packed).unwrap();
        let reader = SourceReader::open(&path).unwrap();
        (reader.expected_bytes(), reader.likely_bytes())
    };
    let length = Some(plain.len() as u64);
    assert_eq!(likely(&plain), (length, length));
    assert_eq!(likely(&gzip(&plain)), (None, length));
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_pledged_src_size(length).unwrap();
    encoder.include_contentsize(true).unwrap();
    encoder.write_all(&plain).unwrap();
    assert_eq!(likely(&encoder.finish().unwrap()), (None, length));
    assert_eq!(likely(&xz(&plain)), (None, None));
    // A lie changes nothing of what is read.
    let mut packed = gzip(&plain);
    let end = packed.len();
    packed[end - 1] = 0x40;
    let (out, facts) = read(&packed);
    assert!(out == plain);
    assert_eq!(facts.status, Status::Damaged);
}

/// The collector's file exporter with `compression: zstd`.
#[test]
fn zstd_frames_with_lengths_before_them_are_one_stream() {
    let plain = text(600_000);
    let framed = |parts: &[&[u8]]| -> Vec<u8> {
        let frames = parts.iter().map(|part| zstd(part));
        frames
            .flat_map(|frame| [&(frame.len() as u32).to_be_bytes()[..], &frame].concat())
            .collect()
    };
    let (a, rest) = plain.split_at(200_000);
    let (b, c) = rest.split_at(1);
    let packed = framed(&[a, b, b"", c]);
    check_whole(&packed, &plain, ContainerKind::Zstd);
    let cut = packed.len() - 3;
    check_broken(&packed[..cut], &plain, 300_000, Status::Truncated);
    // Cut inside a length.
    let (out, facts) = read(&[&framed(&[a])[..], b"\0\0"].concat());
    assert_eq!((out.len(), facts.status), (a.len(), Status::Truncated));
}

#[test]
fn opentelemetry_as_protobuf_is_named() {
    // One resource's logs of 300 bytes.
    let message = [&b"\x0a\xac\x02"[..], &[0x12; 300]].concat();
    let file = [&(message.len() as u32).to_be_bytes()[..], &message].concat();
    let evidence::Content::Binary(what) = evidence::Content::sniff(&file) else {
        panic!("taken for a text");
    };
    assert!(what.contains("format: json"), "{what}");
    for text in [&b"log:\nline\n"[..], b"\0\0\0\0\n"] {
        let seen = evidence::Content::sniff(text);
        let otel = matches!(seen, evidence::Content::Binary(what) if what.contains("Telemetry"));
        assert!(!otel, "{text:?}");
    }
}
