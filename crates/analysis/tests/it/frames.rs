//! Frames hold what the case was given.

use analysis::frames::frame;
use case::{Case, CaseWriter, TableId};
use ingest::{IngestOptions, Quiet, ingest};
use polars::prelude::DataType;
use std::path::Path;

#[test]
fn a_frame_has_every_record_of_the_case() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.case");
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples");
    let inputs = [
        "medalla-2020/input/prysm-1",
        "zksync-2023/input/prover_jobs.main-node.txt",
    ];
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest(
        &mut writer,
        &inputs.map(|input| samples.join(input)),
        &IngestOptions::default(),
        &mut Quiet,
    )
    .unwrap();
    drop(writer);
    let case = Case::open(&path).unwrap();
    let records: u64 = case
        .manifest()
        .sources
        .iter()
        .map(|source| source.records)
        .sum();
    let all = frame(&case, &TableId::Records, None).unwrap();
    assert_eq!(all.height() as u64, records);
    assert!(matches!(
        all.column("ts").unwrap().dtype(),
        DataType::Datetime(_, Some(_))
    ));
    let some = frame(&case, &TableId::Records, Some(&["ts_us", "node"])).unwrap();
    assert_eq!(some.shape(), (all.height(), 2));
    let times = some.column("ts_us").unwrap().i64().unwrap();
    assert_eq!(times.null_count(), 0);
    assert_eq!(
        (times.iter().flatten().min(), times.iter().flatten().max()),
        case.manifest()
            .sources
            .iter()
            .fold((None, None), |(first, last), source| {
                let first = [first, source.first_ts_us].into_iter().flatten().min();
                (first, last.max(source.last_ts_us))
            })
    );
    let jobs = case
        .tables()
        .into_iter()
        .find(|table| matches!(table, TableId::Table { .. }))
        .unwrap();
    assert_eq!(frame(&case, &jobs, None).unwrap().height(), 9);
    let none = frame(&case, &TableId::Obs("reorgs".to_owned()), None).unwrap();
    assert_eq!(none.height(), 0);
}
