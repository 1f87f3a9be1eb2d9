//! The hash table: what is filed is found, and its files are a function of the set of sources.

use crate::support::{Dice, Made, files, list, source};
use case::{CaseWriter, HashRows, KeyRange, TableId, Transaction};
use std::collections::BTreeMap;

/// Line and key of every hash of a source: the same for the same seed.
fn hashes(seed: u64, rows: usize) -> Vec<(u64, u64)> {
    let mut dice = Dice(seed * 0x2545_F491 + 7);
    let mut line = 1;
    (0..rows)
        .map(|_| {
            line += dice.roll(3);
            // Some hashes are said again and again.
            let key = match dice.roll(4) {
                0 => 0x0bbb_cf15_3f17_ec0e ^ (dice.roll(5) << 60),
                _ => dice.roll(u64::MAX),
            };
            (line, key)
        })
        .collect()
}

fn add(tx: &mut Transaction<'_>, made: &Made, hashes: &[(u64, u64)], step: usize) {
    let mut writer = tx.rows(&TableId::Hashes, "key").unwrap();
    if made.bytes >= 64 << 20 {
        writer.expect_raw_bytes(made.bytes);
    }
    for chunk in hashes.chunks(step) {
        let mut rows = HashRows::default();
        for (line, key) in chunk {
            rows.push(*key, *line, 0);
        }
        rows.sort();
        writer.push(rows.take()).unwrap();
    }
    let run = writer.finish().unwrap();
    list(tx, made);
    tx.adopt_rows(run, &made.digest, made.bytes).unwrap();
}

fn sources() -> Vec<(Made, Vec<(u64, u64)>)> {
    // One that has more than a segment, one with a segment of its own, and two bins of small ones.
    let sizes = [(1, 80, 540_000), (2, 70, 3_000)];
    let small = (3..9).map(|seed| (seed, 55, 400 * seed as usize));
    sizes
        .into_iter()
        .chain(small)
        .map(|(seed, mib, rows)| {
            let mut hashes = hashes(seed, rows);
            // As ingest hands them over: by line, each once.
            hashes.sort_by_key(|(line, key)| (*line, *key as i64));
            hashes.dedup();
            (source(seed, 0, mib, 0), hashes)
        })
        .collect()
}

#[test]
fn any_order_and_any_split_into_commits_give_the_same_table() {
    let sources = sources();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    let mut tx = writer.begin();
    for (made, hashes) in &sources {
        add(&mut tx, made, hashes, 10_007);
    }
    tx.commit().unwrap();
    let expected = files(writer.case());
    assert!(expected.len() > 4, "{:?}", expected.keys());

    let mut other = CaseWriter::open_or_create(folder.path().join("b.case")).unwrap();
    for step in 0..2 {
        for (made, hashes) in sources.iter().rev() {
            // Lines that are not whole yet are dropped and come again, as those at a source's end do.
            let middle = hashes[hashes.len() / 2].0;
            let cut = hashes.partition_point(|(line, _)| *line < middle);
            let mut tx = other.begin();
            if step == 0 {
                add(&mut tx, made, &hashes[..cut + 1], 1_000_000);
            } else {
                tx.drop_rows(&made.digest, Some(middle)).unwrap();
                add(&mut tx, made, &hashes[cut..], 77_777);
            }
            tx.commit().unwrap();
        }
    }
    assert_eq!(other.case().seal(), writer.case().seal());
    assert!(files(other.case()) == expected);
    let report = other.case().verify();
    assert!(report.is_sound(), "{:?}", report.problems);

    // What goes leaves nothing.
    for (made, hashes) in &sources[3..] {
        let mut tx = other.begin();
        tx.manifest_mut()
            .sources
            .retain(|source| source.digest != made.digest);
        tx.commit().unwrap();
        let digits = format!("{:016x}", hashes[0].1);
        let range = KeyRange::of_digits(&digits).unwrap();
        let found = other
            .case()
            .hash_places(range, usize::MAX)
            .unwrap()
            .unwrap();
        assert!(
            found
                .places
                .keys()
                .all(|(source, _)| *source != made.digest)
        );
    }
    let mut fewer = CaseWriter::open_or_create(folder.path().join("c.case")).unwrap();
    for (made, hashes) in &sources[..3] {
        let mut tx = fewer.begin();
        add(&mut tx, made, hashes, 5_000);
        tx.commit().unwrap();
    }
    assert!(files(other.case()) == files(fewer.case()));
}

#[test]
fn hashes_are_found_by_their_beginning() {
    let sources = sources();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    for (made, hashes) in &sources {
        let mut tx = writer.begin();
        add(&mut tx, made, hashes, 4_096);
        tx.commit().unwrap();
    }
    let case = writer.case();
    let mut asked = vec![
        "0bbbcf153f17ec0e".to_owned(),
        "bbbbcf153f".to_owned(),
        "4bbbcf1".to_owned(),
        "ffffff".to_owned(),
        "123abc".to_owned(),
    ];
    for (index, (_, hashes)) in sources.iter().enumerate() {
        let key = hashes[hashes.len() / 3].1;
        asked.push(format!("{key:016x}")[..6 + index].to_owned());
    }
    for digits in asked {
        let mut expected: BTreeMap<(String, u32), Vec<u64>> = BTreeMap::new();
        for (made, hashes) in &sources {
            for (line, key) in hashes {
                if format!("{key:016x}").starts_with(&digits) {
                    let lines = expected.entry((made.digest.clone(), 0)).or_default();
                    lines.push(*line);
                }
            }
        }
        for lines in expected.values_mut() {
            lines.dedup();
        }
        let range = KeyRange::of_digits(&digits).unwrap();
        let found = case.hash_places(range, usize::MAX).unwrap().unwrap();
        assert_eq!(found.places, expected, "{digits}");
        if found.len() > 1 {
            assert_eq!(case.hash_places(range, found.len() - 1).unwrap(), None);
        }
    }
}
