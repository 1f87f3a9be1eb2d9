//! Whatever the bytes of a document: no panic, and every byte is a row's, framing or rejected.

use dumps::DumpKind;
use proptest::prelude::*;

use crate::common::{read_all, read_want};

/// What documents are made of, and what breaks them.
const PIECES: [&str; 30] = [
    "{\"metadata\":{\"interchange_format_version\":\"5\",\"genesis_validators_root\":\"0x00\"},\"data\":[",
    "{\"pubkey\":\"0x01\",\"signed_blocks\":[",
    "],\"signed_attestations\":[",
    "{\"slot\":\"1\"}",
    "{\"source_epoch\":\"1\",\"target_epoch\":2,\"target_epoch\":\"x\"}",
    "{\"number\":1,\"timestamp\":2,\"l1TxCount\":0,\"rootHash\":null,\"commitTxHash\":\"0x00\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":",
    "{\"jsonrpc\":\"2.0\",\"id\":[],\"error\":{}}",
    "{\"items\":[",
    "{\"data\":{\"previous_justified\":{\"epoch\":\"1\"},\"current_justified\":{},\"finalized\":{\"epoch\":{}}}}",
    "{\"proof\":[],\"id\":1,\"root\":\"0x1\"}",
    "lastSignedBlockSlot: 1\nlastSignedAttestationSourceEpoch: 1\nlastSignedAttestationTargetEpoch: 2\n",
    "Txhash,Blockno,UnixTimestamp\n",
    "0x00,1,2\n",
    "\"a\"\"b\",\"c\nd\",",
    "]",
    "}",
    "[",
    "{",
    ",",
    "\n",
    "\"",
    "\\",
    " ",
    "\r\n",
    "nul",
    "\u{feff}",
    "é",
    "\u{0}",
    "1e5",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn pieces_in_any_order(
        first in 0..PIECES.len(),
        picks in proptest::collection::vec(0..PIECES.len(), 0..30),
    ) {
        let mut text = PIECES[first].to_owned();
        text.extend(picks.iter().map(|&pick| PIECES[pick]));
        let (facts, kept) = read_all(text.as_bytes());
        let rows: u64 = facts.tables.iter().map(|table| table.rows - table.damaged_rows).sum();
        let handed: usize = kept.rows.iter().map(|(_, batch)| batch.rows()).sum();
        prop_assert_eq!(rows, handed as u64);
        let want = dumps::Want::nothing(crate::common::naming());
        let (scanned, _) = read_want(text.as_bytes(), &want);
        if facts.kind != dumps::DumpKind::PgDumpPlain {
            prop_assert_eq!(facts.status, scanned.status);
        }
    }
}

#[test]
fn deep_and_endless_json_is_refused_in_its_place() {
    let answer = r#"{"number":1,"timestamp":2,"l1TxCount":0,"rootHash":null,"commitTxHash":null}"#;
    let text = format!("{answer}\n{{\"a\":{}\n{answer}\n", "[".repeat(100_000));
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(kept.count("zks_getL1BatchDetails"), 2);
    assert_eq!((facts.reject_count, kept.rejects[0].line), (1, 2));
    assert!(
        kept.rejects[0].what.contains("nested"),
        "{:?}",
        kept.rejects
    );
}

#[test]
fn a_row_of_too_many_columns_is_rejected() {
    let mut text = String::new();
    for row in 0..3 {
        text.push_str(
            r#"{"number":1,"timestamp":2,"l1TxCount":0,"rootHash":null,"commitTxHash":null"#,
        );
        for member in 0..1000 {
            text.push_str(&format!(",\"m{row}_{member}\":1"));
        }
        text.push_str("}\n");
    }
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(kept.count("zks_getL1BatchDetails"), 1);
    assert_eq!(facts.tables[0].damaged_rows, 2);
    assert!(facts.tables[0].info.columns.len() <= 1664);
}

#[test]
fn no_log_of_the_corpus_is_taken_for_a_document() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let Ok(folders) = std::fs::read_dir(corpus) else {
        eprintln!("SKIPPED: no corpus at {corpus}");
        return;
    };
    let mut looked_at = 0;
    for folder in folders {
        let folder = folder.unwrap().path();
        let logs = match folder.file_name().and_then(|name| name.to_str()) {
            Some("incidents") | None => continue,
            Some("zksync") => folder.join("logs"),
            Some(_) => folder,
        };
        for file in std::fs::read_dir(logs).unwrap() {
            let path = file.unwrap().path();
            let Ok(bytes) = std::fs::read(&path) else {
                continue;
            };
            let found = dumps::sniff(&bytes[..bytes.len().min(64 << 10)]);
            let document = matches!(
                found,
                Some(
                    DumpKind::Sqlite
                        | DumpKind::Interchange
                        | DumpKind::SlashingYaml
                        | DumpKind::ApiAnswers
                        | DumpKind::EtherscanCsv
                )
            );
            assert!(!document, "{} is {found:?}", path.display());
            looked_at += 1;
        }
    }
    assert!(looked_at > 300, "{looked_at}");
}
