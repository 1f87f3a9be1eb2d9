//! A folder that holds the case itself.

use case::{Case, CaseWriter};
use ingest::{IngestOptions, Quiet, ingest};

#[test]
fn a_folder_that_holds_the_case_gives_its_evidence_only() {
    let folder = tempfile::tempdir().unwrap();
    let case = folder.path().join("case");
    let line = b"[2020-08-14 17:31:02]  INFO roughtime: Roughtime reports your clock is off\n";
    std::fs::write(folder.path().join("beacon.log"), line.repeat(3)).unwrap();
    let paths = [folder.path().to_path_buf()];
    for round in 0..2 {
        let mut writer = CaseWriter::open_or_create(&case).unwrap();
        let options = IngestOptions::default();
        let report = ingest(&mut writer, &paths, &options, &mut Quiet).unwrap();
        assert_eq!(report.added.len(), 1 - round, "{:?}", report.added);
        let mut problems = report.problems.iter();
        let told = problems.find(|problem| problem.what.contains("the case itself"));
        assert!(
            told.is_some_and(|problem| !problem.unread),
            "{:?}",
            report.problems
        );
    }
    assert_eq!(Case::open(&case).unwrap().manifest().sources.len(), 1);
}
