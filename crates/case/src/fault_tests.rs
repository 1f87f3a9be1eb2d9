//! Whatever change to the file system fails, or is the last before a kill: the case opens as it was
//! before or as it is after, and the next writer clears away what is left.

use crate::disk::Disk;
use crate::disk::faults::Faults;
use crate::{Case, CaseError, CaseWriter, CustodyEntry, Source, TableId};
use model::{Batch, Column, ColumnType, RowFilter};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const LARGE: &str = "aaaaaaaaaaaa";

fn batch(from: i64, to: i64) -> Batch {
    let mut ts = Column::new("ts_order_us", ColumnType::I64);
    let mut line = Column::new("line", ColumnType::I64);
    for row in from..to {
        ts.push_i64(row * 1_000);
        line.push_i64(row);
    }
    Batch {
        columns: vec![ts, line],
    }
}

/// Adds a small source, grows a large one, rewrites a part of it, drops the source before.
fn step(writer: &mut CaseWriter, number: u64) -> Result<(), CaseError> {
    let mut tx = writer.begin();
    let small = format!("{number:012x}");
    let from = (number * 100) as i64;
    for (digest, bytes) in [(small.as_str(), 1 << 20), (LARGE, 100 << 20)] {
        let mut rows = tx.rows(&TableId::Records, digest)?;
        rows.push(batch(from, from + 100))?;
        let run = rows.finish()?;
        tx.adopt_rows(run, digest, bytes)?;
        let start = tx.manifest().source(digest).map_or(0, |source| {
            source.evidence.iter().map(|part| part.bytes).sum()
        });
        let mut evidence = tx.evidence(digest, start)?;
        evidence.write(format!("evidence of {number}\n").as_bytes())?;
        let evidence = evidence.finish()?;
        tx.adopt_evidence(evidence, digest)?;
        if tx.manifest().source(digest).is_none() {
            let number = tx.manifest_mut().take_source_number();
            tx.manifest_mut().sources.push(Source {
                number,
                digest: digest.to_owned(),
                bytes,
                ..Source::default()
            });
        }
    }
    let before = format!("{:012x}", number.wrapping_sub(1));
    tx.drop_rows(&before, Some(from as u64 - 50))?;
    tx.custody(CustodyEntry::default());
    tx.note(&format!("{{\"step\":{number}}}"))?;
    tx.commit()
}

/// Everything a reader sees.
fn view(path: &Path) -> (Vec<i64>, Vec<String>, Vec<Vec<u8>>) {
    let case = Case::open(path).unwrap();
    let mut lines = Vec::new();
    case.read(&TableId::Records, None, &RowFilter::All, &mut |batch| {
        lines.extend((0..batch.rows()).filter_map(|row| batch.column("line")?.i64(row)));
        Ok(())
    })
    .unwrap();
    let evidence = case.manifest().sources.iter().map(|source| {
        let bytes = source.evidence.iter().map(|part| part.bytes).sum();
        case.evidence(&source.digest, 0, bytes).unwrap()
    });
    let damage: Vec<_> = case
        .verify()
        .problems
        .into_iter()
        .filter(|problem| !problem.file.starts_with("source"))
        .collect();
    assert!(damage.is_empty(), "{damage:?}");
    (lines, case.notes().unwrap(), evidence.collect())
}

/// Files of the stores that the manifest does not name.
fn strays(path: &Path) -> Vec<String> {
    let case = Case::open(path).unwrap();
    let named: BTreeSet<String> = crate::writer::named_files(case.manifest())
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut found = Vec::new();
    for folder in ["records", "evidence", "tmp"] {
        let Ok(entries) = std::fs::read_dir(path.join(folder)) else {
            continue;
        };
        for entry in entries {
            let file = format!("{folder}/{}", entry.unwrap().file_name().to_string_lossy());
            if !named.contains(&file) {
                found.push(file);
            }
        }
    }
    found
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Runs a commit with each of its changes failing in turn.
fn every_change_fails(make: fn(u64) -> Faults, killed: bool) {
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start.case");
    let mut writer = CaseWriter::open_or_create(&start).unwrap();
    step(&mut writer, 1).unwrap();
    step(&mut writer, 2).unwrap();
    drop(writer);
    let before = view(&start);
    let after = folder.path().join("after.case");
    copy(&start, &after);
    step(&mut CaseWriter::open_or_create(&after).unwrap(), 3).unwrap();
    let after = view(&after);
    let (mut was_before, mut was_after, mut undone) = (0, 0, 0);
    for change in 0.. {
        let path = folder.path().join(format!("{change}.case"));
        copy(&start, &path);
        let faults = Arc::new(make(change));
        let disk = Disk {
            faults: Some(faults.clone()),
        };
        let result = CaseWriter::open_with(&path, disk).and_then(|mut writer| {
            writer.set_threads(1);
            let result = step(&mut writer, 3);
            if !killed {
                // A disk that had room again: the same writer goes on.
                let seen = view(&path);
                assert_eq!(view_of(&writer), seen.0, "{change}");
                assert!(seen == before || seen == after, "{change}");
            }
            result
        });
        if !faults.fired() {
            result.unwrap();
            break;
        }
        if let Err(error) = &result {
            let text = error.to_string();
            assert!(
                text.contains(&*path.to_string_lossy()) && text.contains("the disk is full"),
                "{text}"
            );
        }
        let seen = view(&path);
        match (seen == before, seen == after) {
            (true, _) => was_before += 1,
            (_, true) => was_after += 1,
            _ => panic!("between before and after at change {change}: {seen:?}"),
        }
        // What was said to be done is done.
        assert!(result.is_err() || seen == after, "{change}");
        if !killed && result.is_err() {
            let segments = |path| {
                strays(path)
                    .iter()
                    .filter(|file| file.ends_with(".parquet"))
                    .count()
            };
            assert!(segments(&path) <= segments(&start), "{change}");
        }
        // The next writer repairs and goes on.
        let writer = CaseWriter::open_or_create(&path).unwrap();
        assert_eq!(strays(&path), Vec::<String>::new(), "{change}");
        assert!(view(&path) == seen, "{change}");
        // Custody never speaks of what was not done without saying so, once.
        drop(writer);
        let mut writer = CaseWriter::open_or_create(&path).unwrap();
        let custody = std::fs::read_to_string(path.join("custody.jsonl")).unwrap();
        let said: Vec<bool> = custody
            .lines()
            .skip(2)
            .map(|line| line.contains("\"interrupted\""))
            .collect();
        if seen == before {
            assert!(
                said.is_empty() || said == [false, true],
                "{change}: {said:?}"
            );
            undone += said.len() / 2;
        } else {
            assert_eq!(said, [false], "{change}");
        }
        if seen == before {
            step(&mut writer, 3).unwrap();
        }
        assert!(view(&path) == after, "{change}");
    }
    assert!(was_before > 20 && was_after > 0, "{was_before} {was_after}");
    // A writer that lives on takes back what it wrote.
    assert!(undone > 0 || !killed);
}

fn view_of(writer: &CaseWriter) -> Vec<i64> {
    let mut lines = Vec::new();
    writer
        .case()
        .read(
            &TableId::Records,
            Some(&["line"]),
            &RowFilter::All,
            &mut |batch| {
                lines.extend((0..batch.rows()).filter_map(|row| batch.columns[0].i64(row)));
                Ok(())
            },
        )
        .unwrap();
    lines
}

#[test]
fn killed_at_any_change_the_case_is_as_before_or_after() {
    every_change_fails(Faults::killed, true);
}

#[test]
fn a_full_disk_at_any_change_leaves_the_case_as_it_was() {
    every_change_fails(Faults::full_disk, false);
}

#[test]
fn killed_while_it_is_created_a_case_can_be_created_again() {
    let folder = tempfile::tempdir().unwrap();
    for change in 0.. {
        let path = folder.path().join(format!("{change}.case"));
        let faults = Arc::new(Faults::killed(change));
        let disk = Disk {
            faults: Some(faults.clone()),
        };
        drop(CaseWriter::open_with(&path, disk));
        drop(CaseWriter::open_or_create(&path).unwrap());
        assert!(Case::open(&path).unwrap().manifest().sources.is_empty());
        if !faults.fired() {
            assert!(change > 3);
            break;
        }
    }
}
