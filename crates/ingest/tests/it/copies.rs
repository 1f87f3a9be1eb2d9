//! Copies between sources: found whatever their names and wrappers, counted once, real repetitions kept.

use case::{Case, CaseWriter, Duplicates, TableId};
use ingest::{IngestOptions, Quiet, ingest};
use model::RowFilter;
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a Prysm node: two a second, the second often said twice.
fn lines(node: &str, from: u32, to: u32) -> Vec<String> {
    (from..to)
        .flat_map(|second| {
            let stamp = format!(
                "2020-08-14 {:02}:{:02}:{:02}",
                10 + second / 3600,
                second / 60 % 60,
                second % 60
            );
            let first = format!(
                "time=\"{stamp}\" level=info msg=\"Peer summary\" activePeers={} prefix=p2p node={node}",
                second % 37
            );
            let second_line = format!(
                "time=\"{stamp}\" level=warning msg=\"Could not dial peer\" prefix=p2p node={node}"
            );
            let mut lines = vec![first, second_line.clone()];
            lines.extend(second.is_multiple_of(3).then_some(second_line));
            lines
        })
        .collect()
}

fn text(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn docker(lines: &[String]) -> String {
    let quoted = |line: &str| line.replace('"', "\\\"");
    lines
        .iter()
        .enumerate()
        .map(|(at, line)| {
            format!(
                "{{\"log\":\"{}\\n\",\"stream\":\"stderr\",\"time\":\"2020-08-14T10:00:{:02}.{at:09}Z\"}}\n",
                quoted(line),
                at % 60
            )
        })
        .collect()
}

fn journald(lines: &[String]) -> String {
    lines
        .iter()
        .map(|line| format!("Aug 14 12:00:00 host-1 beacon[77]: {line}\n"))
        .collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn case(&self) -> PathBuf {
        self.0.path().join("x.case")
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    fn ingest(&self, paths: &[PathBuf]) {
        let mut writer = CaseWriter::open_or_create(self.case()).unwrap();
        ingest(&mut writer, paths, &IngestOptions::default(), &mut Quiet).unwrap();
        let report = Case::open(self.case()).unwrap().verify();
        assert!(report.is_sound(), "{report:?}");
    }
}

fn duplicates(case: &Path) -> Duplicates {
    Case::open(case).unwrap().duplicates().unwrap()
}

/// Messages with their times as they are shown, sorted.
fn shown(case: &Path) -> Vec<String> {
    let duplicates = duplicates(case);
    let mut all = Vec::new();
    Case::open(case)
        .unwrap()
        .read(&TableId::Records, None, &RowFilter::All, &mut |batch| {
            for row in 0..batch.rows() {
                let text = |name: &str| batch.column(name).and_then(|c| c.text(row)).unwrap_or("");
                let number = |name: &str| batch.column(name).and_then(|c| c.i64(row)).unwrap_or(-1);
                if !duplicates.is_copy(text("source"), number("line") as u64) {
                    all.push(format!(
                        "{} {} {}",
                        number("stamp_us"),
                        text("message"),
                        text("fields")
                    ));
                }
            }
            Ok(())
        })
        .unwrap();
    all.sort();
    all
}

/// What a case of these files shows, and how many records are copies.
fn seen(files: &[(&str, &str)]) -> (Vec<String>, u64) {
    let folder = Folder::new();
    let paths: Vec<PathBuf> = files
        .iter()
        .map(|(name, text)| folder.put(name, text))
        .collect();
    folder.ingest(&paths);
    (shown(&folder.case()), duplicates(&folder.case()).records())
}

#[test]
fn repetitions_inside_one_source_are_real() {
    let all = lines("a", 0, 60);
    let (shown, copies) = seen(&[("beacon.log", &text(&all))]);
    assert_eq!((shown.len(), copies), (all.len(), 0));
}

#[test]
fn overlapping_pulls_under_any_name_show_each_line_once() {
    let all = lines("a", 0, 900);
    let (expected, _) = seen(&[("whole.log", &text(&all))]);
    let (first, second) = (lines("a", 0, 600), lines("a", 300, 900));
    let common = lines("a", 300, 600).len() as u64;
    let (shown, copies) = seen(&[("pull1.log", &text(&first)), ("b/two.txt", &text(&second))]);
    assert_eq!((shown, copies), (expected, common));
}

#[test]
fn a_docker_file_the_journal_and_a_paste_of_one_process() {
    let all = lines("a", 0, 400);
    let (expected, _) = seen(&[("whole.log", &text(&all))]);
    // The journal dropped some, the paste is a few lines of them.
    let kept: Vec<String> = all
        .iter()
        .enumerate()
        .filter(|(at, _)| !(200..220).contains(at))
        .map(|(_, line)| line.clone())
        .collect();
    let paste = &all[300..330];
    let (shown, copies) = seen(&[
        ("3f2a-json.log", &docker(&all)),
        ("journal.txt", &journald(&kept)),
        ("paste.txt", &text(paste)),
    ]);
    assert_eq!(copies, kept.len() as u64 + 30);
    assert_eq!(shown, expected);
}

#[test]
fn nodes_that_say_alike_are_not_copies() {
    // The same startup lines in the same seconds, then each its own.
    let mut one = lines("x", 0, 10);
    let mut other = one.clone();
    one.extend(lines("a", 10, 600));
    other.extend(lines("b", 10, 600));
    let (shown, copies) = seen(&[
        ("n1/beacon.log", &text(&one)),
        ("n2/beacon.log", &text(&other)),
    ]);
    assert_eq!((shown.len(), copies), (one.len() + other.len(), 0));
}

#[test]
fn a_seam_at_whole_seconds_is_no_copy() {
    // A rotation in the middle of a second that said the same thing twice.
    let all = lines("a", 0, 60);
    let at = all.windows(2).position(|pair| pair[0] == pair[1]).unwrap() + 1;
    let (older, newer) = all.split_at(at);
    let (shown, copies) = seen(&[
        ("n/beacon.log.1", &text(older)),
        ("n/beacon.log", &text(newer)),
    ]);
    assert_eq!((shown.len(), copies), (all.len(), 0));
}

#[test]
fn the_order_of_ingest_the_pieces_it_came_in_and_forgetting_do_not_matter() {
    let all = lines("a", 0, 500);
    let files = [
        ("a.log", text(&all[..900])),
        ("b.log", docker(&all[500..])),
        ("c.log", text(&all[300..1000])),
    ];
    let runs = |order: &[usize]| {
        let folder = Folder::new();
        for at in order {
            let path = folder.put(files[*at].0, &files[*at].1);
            folder.ingest(&[path]);
        }
        let case = folder.case();
        let digests: Vec<String> = Case::open(&case)
            .unwrap()
            .files(&TableId::Duplicates)
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        (shown(&case), digests, folder)
    };
    let (expected, files_of, _folder) = runs(&[0, 1, 2]);
    for order in [[2, 1, 0], [1, 2, 0]] {
        let (shown, digests, _folder) = runs(&order);
        assert_eq!((&shown, &digests), (&expected, &files_of));
    }
    // A file that grew, beside one that was there.
    let folder = Folder::new();
    let b = folder.put("b.log", &files[1].1);
    let c = folder.put("c.log", &files[2].1);
    folder.ingest(&[b, c]);
    let grown = folder.put("a.log", &text(&all[..600]));
    folder.ingest(&[grown.clone()]);
    fs::write(&grown, &files[0].1).unwrap();
    folder.ingest(&[grown]);
    assert_eq!(shown(&folder.case()), expected);
    // What copied a forgotten source is shown again.
    let mut writer = CaseWriter::open_or_create(folder.case()).unwrap();
    let digest = writer.case().manifest().sources[2].digest.clone();
    ingest::forget(&mut writer, &digest, None).unwrap();
    drop(writer);
    assert_eq!(shown(&folder.case()).len(), all.len() - 300);
}
