//! The lock, versions, damage, what a killed writer leaves.

use crate::support::{check, ingest, source};
use case::{Case, CaseError, CaseWriter, CustodyEntry};

#[test]
fn one_writer_at_a_time_and_readers_never_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    let made = source(1, 100, 1, 1);
    ingest(&mut writer, &made);
    let refused = CaseWriter::open_or_create(&path).unwrap_err();
    assert!(matches!(refused, CaseError::Locked { .. }));
    let text = refused.to_string();
    assert!(
        text.contains(&format!("process {} since 2", std::process::id())),
        "{text}"
    );
    check(&Case::open(&path).unwrap(), &[&made]);
    drop(writer);
    CaseWriter::open_or_create(&path).unwrap();
}

#[test]
fn readers_follow_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    let made: Vec<_> = (1..6).map(|seed| source(seed, 50, 1, 1)).collect();
    ingest(&mut writer, &made[0]);
    let old = Case::open(&path).unwrap();
    ingest(&mut writer, &made[1]);
    // The files of the manifest before are still there.
    assert_eq!(
        crate::support::read(&old, &case::TableId::Records).len(),
        50
    );
    ingest(&mut writer, &made[2]);
    ingest(&mut writer, &made[3]);
    // Now they are gone; the reader finds the newer manifest.
    assert!(!old.files(&case::TableId::Records)[0].exists());
    assert_eq!(
        crate::support::read(&old, &case::TableId::Records).len(),
        200
    );
    drop(writer);
    let reopened = CaseWriter::open_or_create(&path).unwrap();
    let left: usize = std::fs::read_dir(path.join("records")).unwrap().count();
    assert_eq!(left, 1);
    check(reopened.case(), &made[..4].iter().collect::<Vec<_>>());
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    drop(CaseWriter::open_or_create(&path).unwrap());
    let text = r#"{"format_version": 99, "sources": "a shape of its own"}"#;
    std::fs::write(path.join("case.json"), text).unwrap();
    for error in [
        Case::open(&path).unwrap_err(),
        CaseWriter::open_or_create(&path).unwrap_err(),
    ] {
        assert!(matches!(
            error,
            CaseError::NewerFormat {
                found: 99,
                known: case::FORMAT_VERSION,
                ..
            }
        ));
        assert!(error.to_string().contains("use a newer coroner"), "{error}");
    }
    assert_eq!(
        std::fs::read_to_string(path.join("case.json")).unwrap(),
        text
    );
}

#[test]
fn other_peoples_folders_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("beacon.log"), "x").unwrap();
    assert!(matches!(
        CaseWriter::open_or_create(folder.path()),
        Err(CaseError::Occupied { .. })
    ));
    assert!(matches!(
        Case::open(folder.path()),
        Err(CaseError::NotACase { .. })
    ));
    let file = folder.path().join("beacon.log");
    assert!(CaseWriter::open_or_create(&file).is_err());
    assert!(!folder.path().join("lock").exists());
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_enter_a_case() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest(&mut writer, &source(1, 10, 1, 1));
    for folder in [path.clone(), path.join("records")] {
        assert_eq!(
            std::fs::metadata(folder).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
}

#[test]
fn damage_is_found_and_located() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    ingest(&mut writer, &source(1, 500, 1, 1));
    ingest(&mut writer, &source(2, 500, 90, 1));
    let case = writer.case();
    for segment in &case.manifest().segments {
        let file = path.join(&segment.file);
        let sound = std::fs::read(&file).unwrap();
        for at in [5, sound.len() / 2, sound.len() - 10] {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&file, damaged).unwrap();
            let problems = case.verify().problems;
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].file, segment.file);
        }
        std::fs::remove_file(&file).unwrap();
        let problems = case.verify().problems;
        assert_eq!(problems[0].file, segment.file);
        std::fs::write(&file, sound).unwrap();
    }
    assert!(case.verify().is_sound());
}

#[test]
fn custody_is_chained_and_notes_are_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut writer = CaseWriter::open_or_create(&path).unwrap();
    let seal = writer.case().seal();
    for command in ["coroner ingest a", "coroner ingest b", "coroner note"] {
        let mut tx = writer.begin();
        tx.custody(CustodyEntry {
            at: "2026-11-21T12:00:00Z".to_owned(),
            by: "kim".to_owned(),
            command: command.to_owned(),
            ..CustodyEntry::default()
        });
        tx.commit().unwrap();
    }
    assert_eq!(writer.case().seal(), seal);
    let mut tx = writer.begin();
    tx.note("{\"at\": \"epoch 5\",\n \"text\": \"seen by hand\"}")
        .unwrap();
    assert!(tx.note("not json").is_err());
    tx.commit().unwrap();
    assert_ne!(writer.case().seal(), seal);
    assert_eq!(
        writer.case().notes().unwrap(),
        ["{\"at\":\"epoch 5\",\"text\":\"seen by hand\"}"]
    );
    assert!(writer.case().verify().is_sound());
    let custody = std::fs::read_to_string(path.join("custody.jsonl")).unwrap();
    let without: String = custody
        .lines()
        .filter(|line| !line.contains("ingest b"))
        .map(|line| format!("{line}\n"))
        .collect();
    std::fs::write(path.join("custody.jsonl"), without).unwrap();
    let problems = writer.case().verify().problems;
    assert_eq!(problems[0].file, "custody.jsonl");
    assert!(
        problems[0].what.starts_with("line 2"),
        "{}",
        problems[0].what
    );
}

#[test]
fn a_contradiction_is_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = CaseWriter::open_or_create(folder.path().join("a.case")).unwrap();
    let made = source(1, 10, 1, 1);
    let mut tx = writer.begin();
    crate::support::add_rows(&mut tx, &made, 0, 10, 5);
    assert!(matches!(tx.commit(), Err(CaseError::Inconsistent(_))));
    assert!(writer.case().manifest().segments.is_empty());
    let mut tx = writer.begin();
    let mut rows = tx.rows(&case::TableId::Records, "beacon.log").unwrap();
    rows.push(crate::support::batch(&made.rows)).unwrap();
    let mut other = crate::support::batch(&made.rows);
    other.columns[0].name = "surprise".to_owned();
    let error = rows.push(other).unwrap_err().to_string();
    assert!(
        error.contains("beacon.log") && error.contains("surprise"),
        "{error}"
    );
    let mut uneven = crate::support::batch(&made.rows);
    uneven.columns[6].push_i64(7);
    assert!(rows.push(uneven).is_err());
}
