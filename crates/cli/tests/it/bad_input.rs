//! Bad input: each gets a message and a code, and loses nothing that was readable.

use crate::run::{BEACON, DUMP, Desk, HASH, gzip};
use std::os::unix::fs::PermissionsExt;

#[test]
fn an_unreadable_file_is_partial_among_others_and_nothing_alone() {
    let desk = Desk::new();
    desk.write("logs/n1/beacon.log", BEACON)
        .write("logs/n2/beacon.log", BEACON);
    let locked = desk.path("logs/n2/beacon.log");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read(&locked).is_ok() {
        // Who runs this may read everything (root): a link to nowhere is as unreadable.
        std::fs::remove_file(&locked).unwrap();
        std::os::unix::fs::symlink("nowhere", &locked).unwrap();
    }
    let partial = desk.json(&["triage", "logs"], 3);
    assert!(
        partial["partial"][0]["source"]
            .as_str()
            .unwrap()
            .ends_with("n2/beacon.log"),
        "{partial}"
    );
    desk.fails(&["triage", "logs"], 3, "partial: logs/n2/beacon.log");
    desk.fails(&["triage", "logs/n2"], 2, "nothing could be read");
    desk.fails(&["parse", "logs"], 3, "partial: ");
    desk.fails(&["ingest", "x.case", "logs/n2"], 2, "nothing could be read");
}

#[test]
fn folders_without_evidence_and_empty_files() {
    let desk = Desk::new();
    desk.write("empty.log", "");
    std::fs::create_dir(desk.path("void")).unwrap();
    desk.fails(&["triage", "void"], 2, "no evidence in void");
    desk.fails(&["parse", "void"], 2, "no evidence in void");
    desk.fails(&["trace", "void", HASH], 2, "no evidence in void");
    desk.fails(&["triage", "empty.log"], 2, "empty");
    desk.fails(&["parse", "empty.log"], 2, "empty");
}

#[test]
fn a_binary_file_is_named_as_what_it_is() {
    let desk = Desk::new();
    let mut elf = b"\x7fELF\x02\x01\x01\0".to_vec();
    elf.extend((0..4096u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()));
    desk.write("core", &elf)
        .write("logs/n1/beacon.log", BEACON)
        .write("logs/core", &elf);
    desk.fails(&["triage", "core"], 2, "nothing could be read");
    desk.fails(&["triage", "logs"], 3, "core");
}

#[test]
fn a_truncated_gzip_gives_what_could_be_decoded() {
    let desk = Desk::new();
    let long: String = BEACON.repeat(400);
    let whole = gzip(long.as_bytes());
    desk.write("n1/beacon.log.gz", &whole[..whole.len() - 200]);
    let said = desk.run(&["timeline", "n1"]);
    assert_eq!(said.code, 3, "{}", said.stderr);
    assert!(
        said.stderr.contains("partial: n1/beacon.log.gz at byte "),
        "{}",
        said.stderr
    );
    assert!(
        said.stdout.lines().count() > 100,
        "{}",
        said.stdout.lines().count()
    );
    let info = desk.json(&["info", "n1"], 3);
    assert_eq!(info["sources"][0]["status"], "truncated", "{info}");
    assert!(info["partial"].is_array());
}

#[test]
fn a_dump_cut_in_a_row_still_answers() {
    let desk = Desk::new();
    let cut = DUMP.find("two\\nlines").unwrap() + 2;
    desk.write("cut.sql", &DUMP.as_bytes()[..cut]);
    let trace = desk.json(&["trace", "cut.sql", HASH], 3);
    assert_eq!(trace["path"][0]["l1_batch_number"], 7670, "{trace}");
    assert!(trace["partial"][0]["what"].is_string(), "{trace}");
    // "Nothing found" says where it did not look, in words that can be run.
    desk.write("a b.sql", DUMP);
    let nobody = format!("0x{}", "ab".repeat(32));
    let trace = desk.json(&["trace", "a b.sql", &nobody], 1);
    let warnings = trace["warnings"].to_string();
    assert!(
        warnings.contains(&format!("`coroner search 'a b.sql' {nobody}`")),
        "{warnings}"
    );
    let said = desk.run(&["tables", "cut.sql"]);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.stderr.contains("partial: cut.sql at byte "),
        "{said:?}"
    );
}

#[test]
fn a_case_that_somebody_writes_is_read_but_not_written() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON)
        .write("n2/beacon.log", BEACON.replace("41", "40"));
    assert_eq!(desk.run(&["ingest", "x.case", "n1"]).code, 0);
    let lock = std::fs::read_dir(desk.path("x.case"))
        .unwrap()
        .flatten()
        .map(|item| item.path())
        .find(|path| path.to_string_lossy().contains("lock"));
    let Some(lock) = lock else {
        panic!("the case has no lock file");
    };
    let held = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(lock)
        .unwrap();
    held.lock().unwrap();
    desk.fails(&["ingest", "x.case", "n2"], 2, "is being written by");
    desk.fails(&["forget", "x.case", "S1"], 2, "is being written by");
    assert_eq!(desk.run(&["info", "x.case"]).code, 0);
    drop(held);
    assert_eq!(desk.run(&["ingest", "x.case", "n2"]).code, 0);
}

#[test]
fn a_damaged_case_fails_verification_with_5() {
    let desk = Desk::new();
    desk.write("n1/beacon.log", BEACON);
    assert_eq!(desk.run(&["ingest", "x.case", "n1"]).code, 0);
    let root = desk.json(&["seal", "x.case"], 0)["root"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        desk.json(&["verify", "x.case", "--root", &root], 0)["sound"],
        true
    );
    let other = root.replace(|c: char| c.is_ascii_digit(), "a");
    assert_eq!(
        desk.json(&["verify", "x.case", "--root", &other], 5)["root_matches"],
        false
    );
    let part = std::fs::read_dir(desk.path("x.case/evidence"))
        .unwrap()
        .flatten()
        .map(|item| item.path())
        .find(|path| path.is_file())
        .unwrap();
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&part, bytes).unwrap();
    let broken = desk.json(&["verify", "x.case"], 5);
    assert_eq!(broken["sound"], false);
    assert!(!broken["problems"].as_array().unwrap().is_empty());
}

#[test]
fn a_dump_that_has_changed_is_not_shown_for_the_one_that_was_read() {
    let desk = Desk::new();
    desk.write("d.sql", DUMP);
    assert_eq!(desk.run(&["ingest", "x.case", "d.sql"]).code, 0);
    let trace = desk.json(&["trace", "x.case", HASH], 0);
    let row = trace["path"][0]["refs"][0].as_str().unwrap();
    let shown = desk.run(&["show", "x.case", row]);
    assert_eq!(shown.code, 0, "{shown:?}");
    assert!(shown.stdout.contains("7670"), "{shown:?}");
    // Of the same length, so that only its hash tells.
    desk.write("d.sql", DUMP.replace("7670", "7671"));
    desk.fails(
        &["show", "x.case", row],
        2,
        "d.sql is no longer the file that was read",
    );
    let original = || {
        let verified = desk.json(&["verify", "x.case", "--format", "json"], 0);
        crate::schemas::valid("verify", &verified);
        verified["kept_by_hash"][0]["original"].clone()
    };
    assert_eq!(original(), "changed");
    std::fs::remove_file(desk.path("d.sql")).unwrap();
    assert_eq!(original(), "gone");
    desk.fails(
        &["show", "x.case", row],
        2,
        "d.sql is no longer where it was read",
    );
    desk.write("d.sql", DUMP);
    assert_eq!(original(), "same");
    assert_eq!(desk.run(&["show", "x.case", row]).stdout, shown.stdout);
}

#[test]
fn tables_counts_damaged_rows_of_a_dump_that_no_case_holds() {
    let desk = Desk::new();
    desk.write(
        "few.sql",
        "CREATE TABLE t (a int, b text);\nCOPY public.t (a, b) FROM stdin;\n1\tx\n2\n3\ty\n\\.\n",
    );
    let tables = desk.json(&["tables", "few.sql", "--format", "json"], 3);
    let table = &tables["tables"][0];
    assert_eq!(
        (&table["rows"], &table["damaged_rows"]),
        (&2.into(), &1.into())
    );
    let what = tables["partial"][0]["what"].as_str().unwrap();
    assert_eq!(what, "line 4: the row has 1 fields, the table 2 columns");
}

#[test]
fn what_is_encrypted_or_of_another_version_is_named() {
    let desk = Desk::new();
    desk.write("salted.dump", b"Salted__12345678\x01\x02\x03")
        .write(
            "a.asc",
            "-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n",
        )
        .write("new.dump", b"PGDMP\x09\x0e\x00\x04\x08\x01");
    for (file, what) in [
        ("salted.dump", "is encrypted by openssl"),
        ("a.asc", "is encrypted by PGP"),
        ("new.dump", "an archive of version 9.14, which is not read"),
    ] {
        for verb in [
            &["trace", file, HASH][..],
            &["batches", file],
            &["jobs", file],
        ] {
            desk.fails(verb, 2, what);
        }
    }
}

/// What every verb says of a file that is a dump, but not one of ours.
#[test]
fn a_dump_of_another_database_is_named_by_every_verb() {
    let desk = Desk::new();
    desk.write(
        "my.sql",
        "-- MySQL dump 10.13  Distrib 8.0.34, for Linux (x86_64)\n--\nCREATE TABLE `t` (\n  `a` int\n);\nINSERT INTO `t` VALUES (1);\n",
    );
    let told = "a dump of MySQL or MariaDB, which is not read: load it there";
    desk.fails(&["triage", "my.sql"], 3, told);
    desk.fails(&["ingest", "my.case", "my.sql"], 3, told);
    desk.fails(&["triage", "my.case"], 3, told);
    desk.fails(&["tables", "my.case"], 3, told);
    let triage = desk.json(&["triage", "my.case", "--format", "json"], 3);
    let title = triage["findings"][0]["title"].as_str().unwrap();
    assert!(
        title.contains(told) && !title.contains("damaged"),
        "{title}"
    );
}

/// Rows without a header are not taken on a guess, and that they were not is said.
#[test]
fn rows_without_a_header_are_not_passed_over_in_silence() {
    let desk = Desk::new();
    let rows = "41048,41066,CommitBlocks\n41050,41068,CommitBlocks\n41051,41069,ExecuteBlocks\n";
    desk.write("rows.csv", rows);
    let told = "looks like rows of a table without a header, but nothing shows whose";
    desk.fails(&["ingest", "x.case", "rows.csv"], 3, told);
    desk.fails(&["tables", "rows.csv"], 3, told);
    desk.fails(&["triage", "x.case"], 3, "none of its 3 lines was read");
    // What it advises to do helps.
    desk.write("named.csv", format!("id,nonce,tx_type\n{rows}"));
    let tables = desk.json(&["tables", "named.csv", "--format", "json"], 0);
    assert_eq!(tables["tables"][0]["rows"], 3, "{tables}");
    // A log that looks like it is a log.
    desk.write(
        "some.log",
        "1,INFO,one\n2,WARN,two\n3,INFO,three\n4,INFO,four\n",
    );
    assert_eq!(desk.run(&["ingest", "log.case", "some.log"]).code, 0);
}
