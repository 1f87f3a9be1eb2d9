//! Dumps that hold less than the database did: the schema alone, a table without its data, rows that are broken, a cut.

use crate::run::Desk;

const HASH: &str = "0x8a164ea8d8a85e8d374bb84743166713cb6ffbcd191058690d9c5f8e896b3290";

/// The plain dump of the corpus as text; `None`, loudly, where there is no corpus.
fn dump() -> Option<String> {
    use std::io::Read as _;
    let folder = "../../../shared/corpus/zksync/dumps/z2023.full.copy.sql.gz";
    let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let Ok(file) = std::fs::File::open(&path) else {
        eprintln!("SKIPPED: no corpus at {}", path.display());
        return None;
    };
    let mut text = String::new();
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap();
    Some(text)
}

/// Takes the rows of tables out of a plain dump, with their COPY.
fn without_rows(text: &str, tables: impl Fn(&str) -> bool) -> String {
    let mut kept = String::new();
    let mut skips = false;
    for line in text.split_inclusive('\n') {
        if let Some(rest) = line.strip_prefix("COPY public.") {
            skips = tables(rest.split(' ').next().unwrap());
        }
        if !skips {
            kept.push_str(line);
        }
        skips = skips && line.trim_end() != "\\.";
    }
    kept
}

#[test]
fn what_a_dump_does_not_hold_is_not_denied() {
    let Some(text) = dump() else { return };
    let desk = Desk::new();
    desk.write("whole.sql", &text);
    desk.write("schema.sql", without_rows(&text, |_| true));
    desk.write(
        "unsigned.sql",
        without_rows(&text, |table| table == "eth_txs_history"),
    );
    // Cut before the rows of eth_txs: all tables are declared by then.
    let cut = text.find("COPY public.eth_txs ").unwrap();
    desk.write("cut.sql", &text[..cut]);
    // The third row of the history and those behind it lose a cell.
    let (head, rest) = text.split_once("COPY public.eth_txs_history ").unwrap();
    let (columns, rows) = rest.split_once('\n').unwrap();
    let (rows, tail) = rows.split_once("\\.\n").unwrap();
    let rows: String = rows
        .split_inclusive('\n')
        .map(|row| row.split_once('\t').unwrap().1)
        .collect();
    desk.write(
        "broken.sql",
        format!("{head}COPY public.eth_txs_history {columns}\n{rows}\\.\n{tail}"),
    );
    let nowhere = HASH.replace("0x8a", "0x00");
    for (file, key, code, fate, words) in [
        ("whole.sql", HASH, 0, "execute_confirmed", ""),
        ("whole.sql", nowhere.as_str(), 1, "unknown_hash", ""),
        (
            "schema.sql",
            HASH,
            4,
            "unknown_hash",
            "as in a dump of the schema alone",
        ),
        (
            "schema.sql",
            "batch:7670",
            4,
            "unknown_hash",
            "as in a dump of the schema alone",
        ),
        (
            "unsigned.sql",
            HASH,
            0,
            "execute_confirmed",
            "eth_txs_history is declared and has no rows here",
        ),
        (
            "unsigned.sql",
            "batch:7764",
            0,
            "commit_unknown",
            "eth_txs_history is declared and has no rows here",
        ),
        (
            "cut.sql",
            "batch:7764",
            3,
            "unknown_hash",
            "part of l1_batches cannot be read",
        ),
        (
            "broken.sql",
            HASH,
            3,
            "execute_confirmed",
            "the row with its L1 hash and time cannot be read here",
        ),
        (
            "broken.sql",
            "batch:7764",
            3,
            "commit_unknown",
            "of eth_txs_history cannot be read",
        ),
    ] {
        let case = format!("{file}.case");
        if !desk.path(&case).exists() {
            desk.run(&["ingest", &case, file]);
        }
        for evidence in [file, &case] {
            let said = desk.run(&["trace", evidence, key, "--format", "json"]);
            assert_eq!(said.code, code, "{evidence} {key}: {said:?}");
            let answer: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!(answer["fate"], fate, "{evidence} {key}");
            let warnings = answer["warnings"].to_string();
            assert!(warnings.contains(words), "{evidence} {key}: {warnings}");
            assert!(
                !warnings.contains("is gone"),
                "{evidence} {key}: {warnings}"
            );
            assert!(
                !warnings.contains("was deleted"),
                "{evidence} {key}: {warnings}"
            );
        }
    }
}

/// What PostgreSQL itself writes: archives of the schema alone and without a table's data, and their date.
#[test]
fn archives_without_data_deny_nothing_and_bound_when_they_were_made() {
    let Some(server) = testkit::PostgresServer::start() else {
        return;
    };
    server.sql(
        "postgres",
        "CREATE TABLE transactions (hash bytea PRIMARY KEY, miniblock_number bigint, l1_batch_number bigint); \
         INSERT INTO transactions VALUES (decode(repeat('aa', 32), 'hex'), 5, 7); \
         CREATE TABLE miniblocks (number bigint PRIMARY KEY, l1_batch_number bigint); INSERT INTO miniblocks VALUES (5, 7); \
         CREATE TABLE l1_batches (number bigint PRIMARY KEY, is_finished boolean, eth_commit_tx_id int, eth_prove_tx_id int, \
           eth_execute_tx_id int, \"timestamp\" bigint, created_at timestamp); \
         INSERT INTO l1_batches VALUES (7, true, 41, NULL, NULL, 1695006000, '2023-09-18 03:00:01'); \
         CREATE TABLE eth_txs (id int PRIMARY KEY, nonce bigint, contract_address text, has_failed boolean, \
           confirmed_eth_tx_history_id int, gas_used bigint); \
         INSERT INTO eth_txs VALUES (41, 1, '0xcc', false, NULL, NULL); \
         CREATE TABLE eth_txs_history (id int PRIMARY KEY, eth_tx_id int, tx_hash text, sent_at_block int, confirmed_at timestamp); \
         INSERT INTO eth_txs_history VALUES (91, 41, '0x' || repeat('c1', 32), 17, '2023-09-18 03:05:00')",
    );
    let desk = Desk::new();
    let without = "--exclude-table-data=eth_txs_history";
    let before = std::time::SystemTime::now();
    for (file, arguments) in [
        ("whole", &["-Fc"][..]),
        ("schema", &["-Fc", "-s"]),
        ("unsigned", &["-Fc", without]),
        ("unsigned-tar", &["-Ft", without]),
        ("unsigned-plain", &[without]),
    ] {
        desk.write(file, server.dump(&[arguments, &["postgres"]].concat()));
    }
    let key = format!("0x{}", "aa".repeat(32));
    for (file, code, fate, words) in [
        ("whole", 0, "commit_confirmed_unlinked", ""),
        (
            "schema",
            4,
            "unknown_hash",
            "declared and without rows here",
        ),
        (
            "unsigned",
            0,
            "commit_unknown",
            "eth_txs_history is declared and has no rows here",
        ),
        (
            "unsigned-tar",
            0,
            "commit_unknown",
            "eth_txs_history is declared and has no rows here",
        ),
        (
            "unsigned-plain",
            0,
            "commit_unknown",
            "eth_txs_history is declared and has no rows here",
        ),
    ] {
        let case = format!("{file}.case");
        desk.run(&["ingest", &case, file]);
        for evidence in [file, &case] {
            let said = desk.run(&["trace", evidence, &key, "--format", "json"]);
            assert_eq!(said.code, code, "{evidence}: {said:?}");
            let answer: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
            assert_eq!(answer["fate"], fate, "{evidence}");
            let warnings = answer["warnings"].to_string();
            assert!(warnings.contains(words), "{evidence}: {warnings}");
        }
    }
    let answer = desk.json(&["trace", "whole", &key, "--format", "json"], 0);
    let made = &answer["as_of"]["made"];
    let bound = |name: &str| model::time::parse_utc(made[name].as_str().unwrap()).unwrap();
    let now = before
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_micros() as i64;
    assert!(
        bound("not_before") < now && now < bound("not_after"),
        "{made}"
    );
}
