//! Files are a pure function of the set of sources.

use crate::support::{Made, add_rows, check, files, ingest, list, source};
use case::CaseWriter;

fn sources() -> Vec<Made> {
    // Two large ones, and small ones enough to split the bin.
    let mut made = vec![source(1, 3_000, 80, 3), source(2, 500, 64, 400)];
    made.extend((3..12).map(|seed| source(seed, 40 * seed as usize, 50, 5)));
    made
}

#[test]
fn any_order_and_any_split_into_commits_give_the_same_bytes() {
    let sources = sources();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    let mut tx = writer.begin();
    for made in &sources {
        add_rows(&mut tx, made, 0, made.rows.len(), 997);
        list(&mut tx, made);
    }
    tx.commit().unwrap();
    check(writer.case(), &sources.iter().collect::<Vec<_>>());
    let expected = files(writer.case());
    let seal = writer.case().seal();
    assert!(expected.len() > 8, "{:?}", expected.keys());

    // One commit each, backwards, one thread.
    let mut other = CaseWriter::open_or_create(folder.path().join("b.case")).unwrap();
    other.set_threads(1);
    for made in sources.iter().rev() {
        ingest(&mut other, made);
    }
    assert_eq!(other.case().seal(), seal);
    assert!(files(other.case()) == expected);

    // Each source in several commits, in turns.
    let mut third = CaseWriter::open_or_create(folder.path().join("c.case")).unwrap();
    for step in 0..3 {
        let mut tx = third.begin();
        for made in &sources {
            let third = made.rows.len() / 3;
            let to = if step == 2 {
                made.rows.len()
            } else {
                third * (step + 1)
            };
            add_rows(&mut tx, made, third * step, to, 64);
            list(&mut tx, made);
        }
        tx.commit().unwrap();
    }
    assert_eq!(third.case().seal(), seal);
    assert!(files(third.case()) == expected);
    check(third.case(), &sources.iter().collect::<Vec<_>>());
}

#[test]
fn a_source_that_comes_and_goes_leaves_no_trace() {
    let sources = sources();
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    for made in &sources[..5] {
        ingest(&mut writer, made);
    }
    let expected = files(writer.case());
    for made in &sources[5..] {
        ingest(&mut writer, made);
    }
    let mut tx = writer.begin();
    for made in &sources[5..] {
        tx.drop_rows(&made.digest, None).unwrap();
        tx.manifest_mut()
            .sources
            .retain(|source| source.digest != made.digest);
    }
    tx.commit().unwrap();
    assert!(files(writer.case()) == expected);
    check(writer.case(), &sources[..5].iter().collect::<Vec<_>>());
}

#[test]
fn large_sources_are_cut_by_content_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut results = Vec::new();
    // 1.2 Mi rows in order, then a jump back that the window cannot sort.
    let mut made = source(5, 10, 100, 0);
    let row = made.rows[0].clone();
    made.rows = (1..=1_300_000i64)
        .map(|line| {
            let mut row = row.clone();
            row.line = line;
            row.ts = Some(if line > 1_280_000 {
                line
            } else {
                line * 1_000 + line % 7 * 9_000
            });
            row.message = String::new();
            row
        })
        .collect();
    for step in [8_192, 70_001] {
        let mut writer =
            CaseWriter::open_or_create(folder.path().join(format!("{step}.case"))).unwrap();
        let mut tx = writer.begin();
        let mut rows = tx.rows(&case::TableId::Records, "key").unwrap();
        if step == 70_001 {
            rows.expect_raw_bytes(made.bytes);
        }
        for chunk in made.rows.chunks(step) {
            let mut batch = crate::support::batch(chunk);
            batch
                .columns
                .retain(|column| ["ts_order_us", "source", "line"].contains(&column.name.as_str()));
            rows.push(batch).unwrap();
        }
        tx.adopt_rows(rows.finish().unwrap(), &made.digest, made.bytes)
            .unwrap();
        list(&mut tx, &made);
        tx.commit().unwrap();
        let segments = &writer.case().manifest().segments;
        let counts: Vec<u64> = segments.iter().map(|segment| segment.rows).collect();
        // The jump goes back further than the window: a segment of its own.
        assert_eq!(counts, [1 << 20, 1_280_000 - (1 << 20), 20_000]);
        assert_eq!(segments[1].first_line, Some((1 << 20) + 1));
        results.push(files(writer.case()));
    }
    assert!(results[0] == results[1]);
}

#[test]
fn rows_of_megabytes_are_cut_by_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut made = source(6, 60, 1, 4);
    for row in &mut made.rows {
        row.message = format!("{} {}", row.line, "stack ".repeat(170_000));
    }
    let mut results = Vec::new();
    for (step, mib) in [(1, 1), (60, 1), (7, 100), (31, 100)] {
        made.bytes = mib << 20;
        let path = folder.path().join(format!("{step}-{mib}.case"));
        let mut writer = CaseWriter::open_or_create(path).unwrap();
        let mut tx = writer.begin();
        add_rows(&mut tx, &made, 0, 60, step);
        list(&mut tx, &made);
        tx.commit().unwrap();
        check(writer.case(), &[&made]);
        results.push(files(writer.case()));
    }
    assert!(results[0] == results[1]);
    assert!(results[2] == results[3]);
}
