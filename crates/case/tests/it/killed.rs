//! A writer that is killed with SIGKILL, for real.

use crate::support::{add_rows, check, list, source};
use case::{Case, CaseWriter};
use std::process::{Command, Stdio};

const CASE: &str = "CORONER_TEST_CASE_TO_WRITE";

/// Commits for ever, two sources at a time; only in the child process.
#[test]
fn child_that_writes() {
    let Some(path) = std::env::var_os(CASE) else {
        return;
    };
    let mut writer = CaseWriter::open_or_create(path).unwrap();
    loop {
        let next = u64::from(writer.case().manifest().next_source_number);
        let mut tx = writer.begin();
        for seed in [next, next + 1] {
            let made = source(seed, 200, 1 + seed % 2 * 90, 3);
            add_rows(&mut tx, &made, 0, made.rows.len(), 64);
            list(&mut tx, &made);
        }
        tx.commit().unwrap();
    }
}

#[test]
fn a_killed_writer_leaves_whole_commits_and_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.case");
    let mut committed = 0;
    for _ in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::child_that_writes"])
            .env(CASE, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        loop {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the child ended by itself"
            );
            let sources = Case::open(&path).map_or(0, |case| case.manifest().sources.len());
            if sources > committed {
                break;
            }
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let case = Case::open(&path).unwrap();
        committed = case.manifest().sources.len();
        assert_eq!(committed % 2, 0, "half a commit");
        let made: Vec<_> = (1..=committed as u64)
            .map(|seed| source(seed, 200, 1 + seed % 2 * 90, 3))
            .collect();
        check(&case, &made.iter().collect::<Vec<_>>());
        // Its lock went with it.
        drop(CaseWriter::open_or_create(&path).unwrap());
        check(&case, &made.iter().collect::<Vec<_>>());
    }
}
