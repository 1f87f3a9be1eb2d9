//! Pasted tables: real psql output, pages that glued it, and what is not there.

use dumps::{DumpKind, DumpSource, DumpStatus, Trouble};
use model::{Batch, ColumnType, RowFilter, TableError, TableSource as _};

use crate::common::{Kept, cell, corpus, hex, naming, read_all};
use crate::corpus::follow_the_seed;

/// A batch as lines of cells.
fn show(batch: &Batch) -> Vec<String> {
    (0..batch.rows())
        .map(|row| {
            let cells: Vec<String> = batch
                .columns
                .iter()
                .map(|column| cell(column, row))
                .collect();
            cells.join("|")
        })
        .collect()
}

#[track_caller]
fn check(text: &str, table: &str, names: &str, rows: &[&str]) -> (dumps::DumpFacts, Kept) {
    let (facts, kept) = read_all(text.as_bytes());
    let batch = kept.only(table);
    let found: Vec<&str> = batch
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    assert_eq!(found.join("|"), names);
    assert_eq!(show(batch), rows);
    (facts, kept)
}

#[test]
fn the_seed_can_be_followed_in_pasted_tables() {
    for name in [
        "z2023.psql.aligned.txt",
        "znew.psql.aligned.txt",
        "z2023fork.psql.aligned.txt",
    ] {
        let Some(text) = corpus(name) else { return };
        let (facts, kept) = read_all(&text);
        assert_eq!(facts.kind, DumpKind::PsqlAligned);
        assert_eq!(
            facts.status,
            DumpStatus::Complete,
            "{name} {:?}",
            facts.rejects
        );
        assert!(kept.rejects.is_empty(), "{name} {:?}", kept.rejects);
        assert_eq!(facts.database.as_deref(), Some("zksync_local"));
        let tables: Vec<_> = facts
            .tables
            .iter()
            .map(|t| (t.info.name.as_str(), t.rows))
            .collect();
        assert_eq!(
            tables,
            [
                ("l2_to_l1_logs", 1),
                ("miniblocks", 1),
                ("l1_batches", 1),
                ("eth_txs", 1),
                ("eth_txs_history", 1)
            ]
        );
        let source = DumpSource::from_bytes(text.clone(), naming()).unwrap();
        follow_the_seed(&source);
        let place = source.locate("eth_txs", "@1").unwrap().unwrap();
        let raw = &text[place.byte as usize..(place.byte + place.length) as usize];
        assert!(
            raw.starts_with(b" 41091 |"),
            "{}",
            String::from_utf8_lossy(raw)
        );
    }
}

#[test]
fn prover_jobs_of_two_nodes() {
    for (name, first) in [
        (
            "z2023.prover_jobs.main-node.aligned.txt",
            "1147|successful|1693979898199706|1",
        ),
        (
            "z2023.prover_jobs.extension-node.aligned.txt",
            "1147|in_gpu_proof|1694084387841166|1",
        ),
    ] {
        let Some(text) = corpus(name) else { return };
        let (facts, kept) = read_all(&text);
        assert!(facts.rejects.is_empty());
        let batch = kept.only("prover_jobs");
        assert_eq!(batch.rows(), 9);
        assert_eq!(show(batch)[0], first);
        assert_eq!(batch.columns[2].column_type, ColumnType::TimestampCivil);
    }
}

#[test]
fn the_seeds_own_page_gives_its_tables() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/seeds/004_1f3b39e2d43eddbb.txt"
    );
    let Ok(text) = std::fs::read(path) else {
        eprintln!("SKIPPED: no seed at {path}");
        return;
    };
    let (facts, kept) = read_all(&text);
    assert_eq!(facts.kind, DumpKind::PsqlGlued);
    let tables: Vec<_> = facts
        .tables
        .iter()
        .map(|t| {
            (
                t.info.snapshot.as_str(),
                t.info.name.as_str(),
                t.rows,
                t.damaged_rows,
            )
        })
        .collect();
    assert_eq!(
        tables,
        [
            ("snap", "l1_batches", 1, 0),
            ("snap", "eth_txs", 1, 0),
            ("snap", "eth_txs_history", 1, 0),
            // The page's own tables: batches, blocks and commits of another day, driver versions.
            ("snap", "pasted_1", 3, 0),
            ("snap", "pasted_2", 3, 0),
            ("snap", "pasted_3", 3, 0),
            ("snap", "pasted_4", 4, 0),
            ("snap", "prover_jobs", 9, 0),
            ("snap_2", "prover_jobs", 9, 0),
        ]
    );
    assert!(
        kept.rejects.iter().all(|r| r.trouble == Trouble::Other),
        "{:?}",
        kept.rejects
    );
    assert_eq!(
        show(kept.only("eth_txs")),
        [
            "41091|0x5e3e5f6ef0e21f0cf5b4c3acd3cf29740b1cbbd8|CommitBlocks|false|NULL|Done|43194|41073|1"
        ]
    );
    let source = DumpSource::from_bytes(text, naming()).unwrap();
    let history = source
        .read(
            "eth_txs_history",
            &["tx_hash", "confirmed_at"],
            &RowFilter::I64In("id".into(), vec![43194]),
        )
        .unwrap();
    assert_eq!(
        history.column("confirmed_at").unwrap().i64(0),
        Some(1_695_009_019_059_576)
    );
    // Two nodes' answers to one question are not one table.
    let error = source
        .read("prover_jobs", &["status"], &RowFilter::All)
        .unwrap_err();
    assert!(matches!(error, TableError::Ambiguous { .. }), "{error}");
    let second = source
        .read("snap_2.public.prover_jobs", &["status"], &RowFilter::All)
        .unwrap();
    assert_eq!(second.rows(), 9);
}

#[test]
fn glued_rows_are_told_apart_or_rejected() {
    check(
        "x select id,status,at from jobs; id | status | at ----+--------------+--------------------- 1 | done | 2023-09-05 11:27:41 2 | in_gpu_proof | 2023-09-06 11:27:41 (2 rows) tail\n",
        "jobs",
        "id|status|at|#",
        &[
            "1|done|1693913261000000|1",
            "2|in_gpu_proof|1693999661000000|2",
        ],
    );
    // No footer, prose behind.
    let (_, kept) = check(
        "number | is_finished | eth_commit_tx_id --------+-------------+------------------ 7670 | t | 41073 - 根据 eth_commit_tx_id\n",
        "l1_batches",
        "number|is_finished|eth_commit_tx_id|#",
        &["7670|true|41073|1"],
    );
    assert_eq!(kept.rejects.len(), 1);
    // Two words at the seam, both columns text: not sure.
    let (facts, kept) = read_all(
        b"select a,b from t; a | b ------------+--------- one two | x three four | five (2 rows)\n",
    );
    assert_eq!(facts.tables[0].damaged_rows, 2);
    assert!(
        kept.rejects
            .iter()
            .any(|r| r.what.contains("can't be told apart"))
    );
}

#[test]
fn cells_of_several_lines_and_with_bars() {
    check(
        "db=# select id,b from t;\n id |    b    \n----+---------\n  1 | a|b\n  2 | one    +\n    | two    +\n    |   three\n  3 | \n    | x\n(4 rows)\n",
        "t",
        "id|b|#",
        &["1|a|b|1", "2|one\ntwo\n  three|2", "3|NULL|3", "NULL|x|4"],
    );
    check(
        "db=# select b,c from t;\n    b    | c \n---------+---\n 中文    | 1\n é|x     | 2\n(2 rows)\n",
        "t",
        "b|c|#",
        &["中文|1|1", "é|x|2|2"],
    );
}

#[test]
fn rows_that_do_not_fit_and_counts_that_do_not_agree() {
    let (facts, kept) = check(
        "db=# select a,b from t;\n a | b \n---+---\n 1 | 2\n 3 | 4 | 5\n 6 | 7\n(4 rows)\n",
        "t",
        "a|b|#",
        &["1|2|1", "6|7|2"],
    );
    assert_eq!(facts.status, DumpStatus::Damaged);
    let whats: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| (r.line, r.what.as_str()))
        .collect();
    assert_eq!(
        whats,
        [
            (5, "the line does not fit the table's columns"),
            (7, "the footer counts 4 rows, 3 are here")
        ]
    );
}

#[test]
fn an_empty_expanded_result_is_no_damage() {
    let (facts, kept) = check(
        "db=> \\x\nExpanded display is on.\ndb=> select id,nonce from eth_txs where id=1;\n-[ RECORD 1 ]\nid    | 1\nnonce | 7\n\n\
         db=> select * from eth_txs where id=2;\n(0 rows)\n\ndb=> \\q\n",
        "eth_txs",
        "id|nonce|#",
        &["1|7|1"],
    );
    assert!(kept.rejects.is_empty(), "{:?}", kept.rejects);
    assert_eq!(facts.status, DumpStatus::Complete);
    let (facts, kept) = read_all(
        b"db=> \\x\nExpanded display is on.\ndb=> select * from eth_txs where id=2;\n(0 rows)\n\n",
    );
    assert!(kept.rejects.is_empty(), "{:?}", kept.rejects);
    assert_eq!(
        (facts.status, facts.tables.len()),
        (DumpStatus::Complete, 0)
    );
    // A count of rows that are not here stays damage.
    let (_, kept) = read_all(b"db=> select * from eth_txs where id=2;\n(3 rows)\n\n");
    let unread = |reject: &dumps::Located| reject.trouble == Trouble::Unsupported;
    assert!(kept.rejects.iter().any(unread), "{:?}", kept.rejects);
}

#[test]
fn names_come_from_queries_else_from_columns() {
    // The query in front asked something else.
    check(
        "select * from miniblocks where number=1;\nprose\n number | eth_commit_tx_id \n--------+------------------\n      1 |                2\n",
        "l1_batches",
        "number|eth_commit_tx_id|#",
        &["1|2|1"],
    );
    check(
        "db=# select count(*), status from prover_jobs group by status;\n count | status \n-------+--------\n     7 | queued\n(1 row)\n",
        "pasted_1",
        "count|status|#",
        &["7|queued|1"],
    );
    check(
        "db=# select id as tx, has_failed from public.eth_txs t where nonce = 5 and has_failed = false;\n tx | has_failed \n----+------------\n  1 | f\n(1 row)\n",
        "eth_txs",
        "id|has_failed|nonce|#",
        &["1|false|5|1"],
    );
    check(
        "db=# select id from eth_txs;\n id \n----\n  1\n  2\n(2 rows)\n\nbye\n",
        "eth_txs",
        "id|#",
        &["1|1", "2|2"],
    );
}

#[test]
fn rows_alone_are_a_table_without_names() {
    let (facts, kept) = check(
        "   9 | t | \\x0a | one\n  10 | f |      | two  +\n     |   |      | lines\n 100 | t | \\x0b | a | b\n\n",
        "pasted_1",
        "c1|c2|c3|c4|#",
        &[
            "9|true|\n|one|1",
            "10|false|NULL|two\nlines|2",
            "100|true|\u{b}|a | b|3",
        ],
    );
    assert_eq!(facts.kind, DumpKind::PsqlAligned);
    assert!(kept.rejects.is_empty(), "{:?}", kept.rejects);
    let (facts, kept) = check(
        "9|t|one\n10|f|\n",
        "pasted_1",
        "c1|c2|c3|#",
        &["9|true|one|1", "10|false|NULL|2"],
    );
    assert_eq!(facts.kind, DumpKind::PsqlUnaligned);
    assert!(kept.rejects.is_empty(), "{:?}", kept.rejects);
}

#[test]
fn pastes_of_one_table_become_one() {
    let (facts, _) = check(
        "db=# select number,hash from l1_batches where number=1;\n number | hash \n--------+------\n      1 | \\x0a\n(1 row)\n\ndb=# select number,eth_commit_tx_id from l1_batches;\n number | eth_commit_tx_id \n--------+------------------\n      1 |                7\n      2 |                8\n(2 rows)\n",
        "l1_batches",
        "number|hash|eth_commit_tx_id|#",
        &["1|\n|7|1", "2|NULL|8|2"],
    );
    assert!(
        facts.tables[0]
            .notes
            .iter()
            .any(|note| note.contains("hash is not shown for every row"))
    );
    // The same row with another value: another take.
    let (facts, _) = read_all(b"db=# select id,has_failed from eth_txs;\n id | has_failed \n----+------------\n  1 | f\n(1 row)\n\ndb=# select id,has_failed from eth_txs where id=1;\n id | has_failed \n----+------------\n  1 | t\n(1 row)\n");
    let names: Vec<_> = facts
        .tables
        .iter()
        .map(|t| t.info.snapshot.as_str())
        .collect();
    assert_eq!(names, ["snap", "snap_2"]);
}

#[test]
fn forms_may_be_mixed_and_borders_are_only_a_frame() {
    let Some(text) = corpus("z2023.psql.aligned.txt") else {
        return;
    };
    let mut mixed = text.clone();
    mixed.extend_from_slice(b"-[ RECORD 1 ]----\na | 1\nb | 2\n\nprose\n");
    let (facts, kept) = read_all(&mixed);
    assert_eq!(facts.status, DumpStatus::Complete);
    assert_eq!(facts.tables.len(), 6);
    let found: Vec<_> = kept.rejects.iter().map(|r| (r.trouble, r.lines)).collect();
    assert_eq!(found, [(Trouble::Other, 1)]);
    let (facts, kept) = check(
        "db=# select a,b from t;\n+---+---+\n| a | b |\n+---+---+\n| 1 | x |\n+---+---+\n(1 row)\n",
        "t",
        "a|b|#",
        &["1|x|1"],
    );
    assert!(
        facts.rejects.is_empty() && kept.rejects.is_empty(),
        "{:?}",
        kept.rejects
    );
}

#[test]
fn bytes_of_pasted_rows_can_be_asked_for() {
    let Some(text) = corpus("z2023.psql.aligned.txt") else {
        return;
    };
    let source = DumpSource::from_bytes(text, naming()).unwrap();
    let blocks = source
        .read(
            "miniblocks",
            &["hash"],
            &RowFilter::BytesIn(
                "hash".into(),
                vec![hex(
                    "0x6191693038619169303861916930386191693038619169303861916930386191",
                )],
            ),
        )
        .unwrap();
    assert_eq!(blocks.rows(), 1);
}

/// What psql itself prints: `print` runs a query the pasted way, `truth` gives bare cells.
pub(crate) fn check_against(print: impl Fn(&str) -> Vec<u8>, truth: impl Fn(&str) -> String) {
    // Control characters are shown as escapes, blanks at a line's end are padding: neither comes back.
    let clean = r"regexp_replace(regexp_replace(t, '[\x01-\x09\x0b-\x1f]', '', 'g'), ' +(\n|$)', '\1', 'g')";
    let select = format!("select id, {clean} as t, b, ts, bo, {clean} as u from nasty_rows");
    let mut text = b"postgres=# ".to_vec();
    text.extend_from_slice(select.as_bytes());
    text.extend_from_slice(b";\n");
    text.extend_from_slice(&print(&select));
    let (facts, kept) = read_all(&text);
    assert!(facts.rejects.is_empty(), "{:?}", facts.rejects);
    let batch = kept.only("nasty_rows");
    let expected = truth(&format!(
        "select id, encode(convert_to({clean}, 'UTF8'), 'hex'), encode(b, 'hex') from nasty_rows order by ctid"
    ));
    let expected: Vec<Vec<&str>> = expected
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(batch.rows(), expected.len());
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    for (row, expected) in expected.iter().enumerate() {
        assert_eq!(cell(&batch.columns[0], row), expected[0]);
        for name in ["t", "u"] {
            let found = batch.column(name).unwrap().bytes(row).map(hex);
            // An empty cell and null look the same.
            let wanted = (!matches!(expected[1], "NULL" | "")).then(|| expected[1].to_owned());
            assert_eq!(found, wanted, "{name} of row {row}");
        }
        let bytes = batch.column("b").unwrap().bytes(row).map(hex);
        assert_eq!(bytes.as_deref().unwrap_or("NULL"), expected[2]);
    }
    assert_eq!(
        batch.column("ts").unwrap().column_type,
        ColumnType::TimestampCivil
    );
    assert_eq!(batch.column("bo").unwrap().column_type, ColumnType::Bool);
}
