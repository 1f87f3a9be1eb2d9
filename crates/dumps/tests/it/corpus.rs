//! The real schema's dumps, against counts taken another way.

use std::collections::BTreeMap;

use dumps::{DumpKind, DumpSource, DumpStatus, Opener, Want, WantTable};
use model::{ColumnType, RowFilter, TableSource as _};

use crate::common::{cell, corpus, hex, naming, read_all, read_want};

/// Rows per table, by nothing but lines between `COPY` and `\.`.
fn lines_per_table(text: &[u8]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let mut table = None;
    for line in text.split(|&b| b == b'\n') {
        match &table {
            Some(_) if line == b"\\." => table = None,
            Some(name) => *counts.entry(String::clone(name)).or_insert(0) += 1,
            None if line.starts_with(b"COPY ") => {
                let line = String::from_utf8_lossy(line);
                let name = line.split([' ', '.']).nth(2).unwrap().to_owned();
                counts.insert(name.clone(), 0);
                table = Some(name);
            }
            None => {}
        }
    }
    counts
}

const DUMPS: [&str; 6] = [
    "z2023.full.copy.sql.gz",
    "znew.full.copy.sql.gz",
    "znew.prover.full.copy.sql.gz",
    "z2023fork.eth_txs.copy.sql.gz",
    "z2023.prover_jobs.main-node.copy.sql.gz",
    "z2023.prover_jobs.extension-node.copy.sql.gz",
];

#[test]
fn every_row_of_every_table_is_read() {
    for name in DUMPS {
        let Some(text) = corpus(name) else { return };
        let expected = lines_per_table(&text);
        let (facts, kept) = read_all(&text);
        assert_eq!(facts.kind, DumpKind::PgDumpPlain);
        assert_eq!(
            facts.status,
            DumpStatus::Complete,
            "{name} {:?}",
            facts.rejects
        );
        assert!(kept.rejects.is_empty(), "{name}: {:?}", kept.rejects);
        let (scanned, nothing) = read_want(&text, &Want::nothing(naming()));
        assert!(nothing.rows.is_empty());
        assert_eq!(scanned, facts, "{name}: a scan finds what a reading finds");
        for (table, rows) in &expected {
            assert_eq!(kept.count(table) as u64, *rows, "{name} {table}");
            assert_eq!(
                facts.table(None, table).unwrap().rows,
                *rows,
                "{name} {table}"
            );
        }
        assert_eq!(facts.tables.len(), expected.len(), "{name}");
        assert_eq!(
            facts.server_version.as_deref(),
            Some("15.18 (Debian 15.18-0+deb12u1)")
        );
    }
}

#[test]
fn schema_versions_are_the_newest_migrations() {
    for (name, version) in [
        ("z2023.full.copy.sql.gz", Some("20230817101508")),
        ("znew.full.copy.sql.gz", Some("20260612000000")),
        ("z2023.prover_jobs.main-node.copy.sql.gz", None),
    ] {
        let Some(text) = corpus(name) else { return };
        let (facts, _) = read_want(&text, &Want::nothing(naming()));
        assert_eq!(facts.schema_version.as_deref(), version, "{name}");
    }
}

#[test]
fn types_and_keys_come_from_the_sql() {
    let Some(text) = corpus("z2023.full.copy.sql.gz") else {
        return;
    };
    let (facts, _) = read_want(&text, &Want::nothing(naming()));
    let table = &facts.table(Some("public"), "l2_to_l1_logs").unwrap().info;
    assert_eq!(
        table.primary_key,
        ["miniblock_number", "log_index_in_miniblock"]
    );
    assert!(!table.types_inferred);
    let batches = &facts.table(None, "l1_batches").unwrap().info;
    let column_type = |name: &str| batches.columns.iter().find(|(n, _)| n == name).unwrap().1;
    assert_eq!(column_type("number"), ColumnType::I64);
    assert_eq!(column_type("is_finished"), ColumnType::Bool);
    assert_eq!(column_type("hash"), ColumnType::Bytes);
    assert_eq!(column_type("base_fee_per_gas"), ColumnType::Numeric);
    assert_eq!(column_type("used_contract_hashes"), ColumnType::Json);
    assert_eq!(column_type("priority_ops_onchain_data"), ColumnType::Text);
    assert_eq!(column_type("created_at"), ColumnType::TimestampCivil);
    let migrations = &facts.table(None, "_sqlx_migrations").unwrap().info;
    assert_eq!(
        migrations.columns[2],
        ("installed_on".to_owned(), ColumnType::TimestampUtc)
    );
}

const SEED: &str = "0x0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";

/// Follows the seed's hash by hand, through any source.
pub(crate) fn follow_the_seed(source: &DumpSource) {
    let logs = source
        .read(
            "l2_to_l1_logs",
            &[
                "miniblock_number",
                "log_index_in_miniblock",
                "no_such_column",
            ],
            &RowFilter::BytesIn("tx_hash".into(), vec![hex(SEED)]),
        )
        .unwrap();
    assert_eq!(logs.rows(), 1);
    assert_eq!(logs.columns.len(), 3);
    assert_eq!(logs.column("miniblock_number").unwrap().i64(0), Some(15841));
    let by = |table: &str, key: &str, value: i64, columns: &[&str]| {
        source
            .read(table, columns, &RowFilter::I64In(key.into(), vec![value]))
            .unwrap()
    };
    let block = by("miniblocks", "number", 15841, &["l1_batch_number"]);
    assert_eq!(block.column("l1_batch_number").unwrap().i64(0), Some(7670));
    let batch = by(
        "l1_batches",
        "number",
        7670,
        &["eth_commit_tx_id", "eth_execute_tx_id"],
    );
    assert_eq!(
        batch.column("eth_commit_tx_id").unwrap().i64(0),
        Some(41073)
    );
    assert_eq!(
        batch.column("eth_execute_tx_id").unwrap().i64(0),
        Some(41151)
    );
    let tx = by(
        "eth_txs",
        "id",
        41073,
        &[
            "id",
            "nonce",
            "contract_address",
            "sent_at_block",
            "confirmed_eth_tx_history_id",
        ],
    );
    assert_eq!(tx.rows(), 1);
    assert_eq!(tx.column("id").unwrap().i64(0), Some(41073));
    assert_eq!(tx.column("nonce").unwrap().i64(0), Some(41091));
    assert!(tx.column("sent_at_block").unwrap().is_null(0));
    let history = by(
        "eth_txs_history",
        "id",
        43194,
        &["eth_tx_id", "tx_hash", "confirmed_at"],
    );
    assert_eq!(history.column("eth_tx_id").unwrap().i64(0), Some(41073));
    assert_eq!(
        history.column("tx_hash").unwrap().text(0),
        Some("0x0b01e199877faef52b95477119f53bf546a2915bc903132331f41542e58da53d")
    );
    // 2023-09-18 03:50:19.059576
    assert_eq!(
        history.column("confirmed_at").unwrap().i64(0),
        Some(1_695_009_019_059_576)
    );
}

#[test]
fn the_seed_can_be_followed_in_a_plain_dump() {
    for name in ["z2023.full.copy.sql.gz", "znew.full.copy.sql.gz"] {
        let Some(text) = corpus(name) else { return };
        let source = DumpSource::from_bytes(text.clone(), naming()).unwrap();
        follow_the_seed(&source);
        // The reference leads back to the bytes.
        let batch = source
            .read(
                "l2_to_l1_logs",
                &["miniblock_number", "log_index_in_miniblock"],
                &RowFilter::I64In("miniblock_number".into(), vec![15841]),
            )
            .unwrap();
        let info = source
            .tables()
            .into_iter()
            .find(|t| t.name == "l2_to_l1_logs")
            .unwrap();
        let ordinal = batch.column("#").unwrap().i64(0);
        assert_eq!(
            info.row_reference(&batch, 0, ordinal),
            "0123456789ab:public.l2_to_l1_logs#15841,0"
        );
        let place = source.locate("l2_to_l1_logs", "15841,0").unwrap().unwrap();
        let raw = &text[place.byte as usize..(place.byte + place.length) as usize];
        assert!(
            raw.starts_with(b"15841\t") && raw.ends_with(b"\n"),
            "{name}"
        );
        assert_eq!(source.locate("l2_to_l1_logs", "15841,9").unwrap(), None);
        let by_ordinal = source.locate("l2_to_l1_logs", &format!("@{}", ordinal.unwrap()));
        assert!(
            by_ordinal.unwrap().is_none(),
            "a table with a key is referred to by its key"
        );
        assert!(source.damage().is_empty());
    }
}

#[test]
fn a_compressed_dump_gives_the_same() {
    let Some(text) = corpus("z2023.full.copy.sql.gz") else {
        return;
    };
    let mut packed = flate2::read::GzEncoder::new(&text[..], flate2::Compression::fast());
    let mut bytes = Vec::new();
    std::io::copy(&mut packed, &mut bytes).unwrap();
    let open = move || -> std::io::Result<Box<dyn std::io::BufRead + Send>> {
        let cursor = std::io::Cursor::new(bytes.clone());
        Ok(Box::new(std::io::BufReader::new(
            flate2::read::MultiGzDecoder::new(cursor),
        )))
    };
    let source = DumpSource::open(Opener::FromStart(Box::new(open)), naming()).unwrap();
    follow_the_seed(&source);
    follow_the_seed(&source);
}

#[test]
fn wanted_columns_and_places_only() {
    let Some(text) = corpus("z2023.full.copy.sql.gz") else {
        return;
    };
    let want = Want {
        tables: Some(vec![WantTable {
            columns: Some(vec![
                "tx_type".into(),
                "id".into(),
                "#line".into(),
                "#byte".into(),
                "#length".into(),
            ]),
            filter: RowFilter::I64In("id".into(), vec![41073, 41151]),
            ..WantTable::all(Some("public"), "eth_txs")
        }]),
        naming: naming(),
        known: None,
    };
    let (_, kept) = read_want(&text, &want);
    let batch = kept.only("eth_txs");
    let names: Vec<_> = batch.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["tx_type", "id", "#line", "#byte", "#length", "#"]);
    assert_eq!(batch.rows(), 2);
    assert_eq!(batch.columns[0].text(1), Some("ExecuteBlocks"));
    let lines: Vec<&[u8]> = text.split(|&b| b == b'\n').collect();
    for row in 0..2 {
        let number = |name: &str| batch.column(name).unwrap().i64(row).unwrap() as usize;
        let id = cell(batch.column("id").unwrap(), row);
        let (byte, length) = (number("#byte"), number("#length"));
        assert_eq!(&text[byte..byte + length - 1], lines[number("#line") - 1]);
        assert!(text[byte..].starts_with(format!("{id}\t").as_bytes()));
    }
    // The key stands behind the data: it is announced again when it is known.
    assert_eq!(kept.tables.len(), 2);
    assert!(kept.tables[0].primary_key.is_empty());
    assert_eq!(kept.tables[1].primary_key, ["id"]);
}

/// The tables of two readings hold the same cells under the same columns.
#[track_caller]
pub(crate) fn same_cells(one: &DumpSource, other: &DumpSource, file: &str) -> usize {
    let mut cells = 0;
    for info in other.tables() {
        let name = format!("{}.{}", info.schema, info.name);
        let columns: Vec<&str> = info.columns.iter().map(|(name, _)| name.as_str()).collect();
        let sorted = |source: &DumpSource| {
            let batch = source.read(&name, &columns, &RowFilter::All).unwrap();
            let mut rows: Vec<Vec<String>> = (0..batch.rows())
                .map(|row| {
                    batch.columns[..columns.len()]
                        .iter()
                        .map(|c| cell(c, row))
                        .collect()
                })
                .collect();
            rows.sort_unstable();
            rows
        };
        let (expected, found) = (sorted(one), sorted(other));
        assert_eq!(found.len(), expected.len(), "{file} {name}");
        assert!(found == expected, "{file} {name}");
        cells += found.len() * columns.len();
        let full = one
            .tables()
            .into_iter()
            .find(|table| table.name == info.name)
            .unwrap();
        assert_eq!(full.columns, info.columns, "{file} {name}");
        assert_eq!(full.primary_key, info.primary_key, "{file} {name}");
    }
    cells
}

#[test]
fn inserts_give_the_tables_that_copy_gives() {
    for database in ["z2023", "znew"] {
        let Some(text) = corpus(&format!("{database}.full.copy.sql.gz")) else {
            return;
        };
        let copy = DumpSource::from_bytes(text, naming()).unwrap();
        for form in ["inserts", "column-inserts"] {
            let file = format!("{database}.trace.{form}.sql.gz");
            let inserts = DumpSource::from_bytes(corpus(&file).unwrap(), naming()).unwrap();
            assert_eq!(inserts.facts().status, DumpStatus::Complete);
            assert!(inserts.facts().rejects.is_empty());
            assert_eq!(inserts.tables().len(), 5, "{file}");
            assert!(same_cells(&copy, &inserts, &file) > 10_000);
            follow_the_seed(&inserts);
        }
    }
}
