//! The evidence store.

use crate::support::{Dice, list, source};
use case::{CaseError, CaseWriter};

/// Log text of a length.
fn text(bytes: usize) -> Vec<u8> {
    let mut dice = Dice(7);
    let mut text = Vec::with_capacity(bytes + 200);
    let mut slot = 73_000;
    while text.len() < bytes {
        slot += 1;
        text.extend(
            format!(
                "time=\"2020-08-14 17:31:{:02}\" level=info msg=\"Received block\" prefix=sync root=0x{:016x} slot={slot}\n",
                slot % 60,
                dice.roll(u64::MAX)
            )
            .into_bytes(),
        );
    }
    text.truncate(bytes);
    text
}

#[test]
fn bytes_come_back_across_frames() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    let text = text(5_300_000);
    let mut made = source(1, 0, 0, 0);
    made.bytes = text.len() as u64;
    let mut tx = writer.begin();
    let mut evidence = tx.evidence("stdin", 0).unwrap();
    for chunk in text.chunks(70_001) {
        evidence.write(chunk).unwrap();
    }
    let pending =
        std::thread::scope(|scope| scope.spawn(|| evidence.finish()).join().unwrap()).unwrap();
    tx.adopt_evidence(pending, &made.digest).unwrap();
    list(&mut tx, &made);
    tx.commit().unwrap();
    let case = writer.case();
    let part = &case.manifest().sources[0].evidence[0];
    assert_eq!((part.frames, part.bytes), (6, 5_300_000));
    for (byte, length) in [
        (0, 1),
        (0, 5_300_000),
        (1_048_575, 2),
        (1_048_576, 1),
        (3_000_000, 2_200_000),
        (5_299_999, 1),
        (77, 0),
    ] {
        let read = case.evidence(&made.digest, byte, length).unwrap();
        assert!(
            read == text[byte as usize..(byte + length) as usize],
            "{byte}+{length}"
        );
    }
    for (byte, length) in [(5_299_999, 2), (9_000_000, 1), (u64::MAX, 2)] {
        assert!(matches!(
            case.evidence(&made.digest, byte, length),
            Err(CaseError::OutOfBounds { .. })
        ));
    }
    assert!(case.evidence("ffffffffffff", 0, 1).is_err());
    assert!(case.verify().is_sound());
    // Any zstd reads it: the seek table is a frame that decoders skip.
    let file = std::fs::File::open(path.join(&part.file)).unwrap();
    assert!(zstd::stream::decode_all(file).unwrap() == text);

    let sound = std::fs::read(path.join(&part.file)).unwrap();
    for at in [100, sound.len() / 2, sound.len() - 40] {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        std::fs::write(path.join(&part.file), damaged).unwrap();
        let problems = case.verify().problems;
        assert_eq!(problems[0].file, part.file);
    }
    // Damage in one frame: the others are read.
    let mut damaged = sound.clone();
    damaged[100] ^= 1;
    std::fs::write(path.join(&part.file), damaged).unwrap();
    assert!(matches!(
        case.evidence(&made.digest, 0, 10),
        Err(CaseError::Evidence { .. })
    ));
    assert!(case.evidence(&made.digest, 2_000_000, 10).is_ok());
}

#[test]
fn a_source_that_grew_in_steps_has_the_parts_of_one_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = text(3_500_000);
    let mut made = source(1, 0, 0, 0);
    made.bytes = text.len() as u64;
    let mut files = Vec::new();
    for (name, steps) in [
        ("a", vec![]),
        ("b", vec![1_000_000, 1_048_576, 1_048_577, 3_400_000]),
        ("c", vec![10, 20, 3_145_728]),
        ("d", vec![2_097_152]),
    ] {
        let mut writer =
            CaseWriter::open_or_create(folder.path().join(format!("{name}.case"))).unwrap();
        let mut from = 0;
        for to in steps.into_iter().chain([text.len()]) {
            let mut tx = writer.begin();
            // Each step reads the last line again.
            let resume = text[..from]
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1);
            let mut evidence = tx.evidence("grown.log", resume as u64).unwrap();
            evidence.write(&text[resume..to]).unwrap();
            tx.adopt_evidence(evidence.finish().unwrap(), &made.digest)
                .unwrap();
            list(&mut tx, &made);
            tx.commit().unwrap();
            assert!(writer.case().evidence(&made.digest, 0, to as u64).unwrap() == text[..to]);
            from = to;
        }
        assert!(
            writer.case().verify().is_sound(),
            "{:?}",
            writer.case().verify()
        );
        files.push(crate::support::files(writer.case()));
    }
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_gap_in_the_evidence_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    let mut tx = writer.begin();
    let mut evidence = tx.evidence("x", 100).unwrap();
    evidence.write(b"abc").unwrap();
    let result = tx.adopt_evidence(evidence.finish().unwrap(), "0123456789ab");
    assert!(matches!(
        result,
        Err(CaseError::OutOfBounds { held: 0, .. })
    ));
}
