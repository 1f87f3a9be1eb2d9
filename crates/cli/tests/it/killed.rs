//! A case survives what happens to machines: `kill -9` at any moment, a full disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn medalla() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/medalla-2020/input")
}

fn coroner(arguments: &[&Path]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coroner"));
    command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Files of a case that must be the same however it came about: all but the custody log, which says when.
fn files(case: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![case.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|ending| ending == "parquet" || ending == "zst")
                || path.ends_with("case.json")
            {
                found.push((
                    path.strip_prefix(case).unwrap().to_path_buf(),
                    fs::read(&path).unwrap(),
                ));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_killed_ingest_leaves_all_or_nothing_and_the_next_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.case");
    let input = medalla();
    let started = Instant::now();
    assert!(
        coroner(&["ingest".as_ref(), &whole, &input])
            .status()
            .unwrap()
            .success()
    );
    let whole_run = started.elapsed();
    let expected = files(&whole);
    // Moments spread over the run, from its first milliseconds to beyond its end.
    for moment in 0..12 {
        let case = folder.path().join(format!("{moment}.case"));
        let mut child = coroner(&["ingest".as_ref(), &case, &input])
            .spawn()
            .unwrap();
        let until =
            Instant::now() + whole_run.mul_f64(f64::from(moment) / 10.0) + Duration::from_millis(1);
        while Instant::now() < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
        child.wait().unwrap();
        if case.join("case.json").exists() {
            let sources = case::Case::open(&case).unwrap().manifest().sources.len();
            assert!(
                sources == 0 || sources == 17,
                "{sources} sources after a kill at moment {moment}"
            );
            assert_eq!(case::Case::open(&case).unwrap().verify().problems, []);
        }
        assert!(
            coroner(&["ingest".as_ref(), &case, &input])
                .status()
                .unwrap()
                .success()
        );
        assert!(
            files(&case) == expected,
            "moment {moment}: not what an undisturbed ingest gives"
        );
    }
}

/// A file system of a given size, or `None` where this user may not make one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new(bytes: usize) -> Option<SmallDisk> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(SmallDisk(folder));
        }
        eprintln!("SKIPPED: this user may not mount a small tmpfs, so a full disk cannot be tried");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_named_and_the_case_stays_as_it_was() {
    let Some(disk) = SmallDisk::new(700 << 10) else {
        return;
    };
    let case = disk.0.path().join("x.case");
    let one = medalla().join("prysm-1");
    assert!(
        coroner(&["ingest".as_ref(), &case, &one])
            .status()
            .unwrap()
            .success()
    );
    let before = fs::read(case.join("case.json")).unwrap();
    let output = coroner(&["ingest".as_ref(), &case, &medalla()])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("No space left on device"), "{message}");
    assert!(message.contains("x.case"), "names where: {message}");
    assert_eq!(fs::read(case.join("case.json")).unwrap(), before);
    assert_eq!(case::Case::open(&case).unwrap().verify().problems, []);
}
