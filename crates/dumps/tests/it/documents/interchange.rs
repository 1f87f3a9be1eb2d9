//! EIP-3076: the same rows however the file is laid out.

use std::fmt::Write as _;

use dumps::{DumpKind, DumpStatus, Trouble};
use model::ColumnType;

use super::{read_every_way, rows, types};
use crate::common::read_all;

const ROOT: &str = "0x04700007fabc8282644aed6d1c7c9e21d38a03a0c4ba193f3afe428824b3a673";

fn key(number: u64) -> String {
    format!("0x{number:096x}")
}

/// A file in which validator `v` has signed blocks of slots and attestations of target epochs; the
/// last message of each kind has no root. Also the rows it must give.
fn file(validators: u64, messages: u64, late: bool, space: &str) -> (String, [Vec<String>; 3]) {
    let mut expected = [Vec::new(), Vec::new(), Vec::new()];
    let mut data = Vec::new();
    for v in 0..validators {
        let (mut blocks, mut attestations) = (Vec::new(), Vec::new());
        for m in 0..messages {
            let root = format!("0x{:064x}", v * 1000 + m);
            let (root_member, root_cell) = match m + 1 == messages {
                true => (String::new(), "NULL".to_owned()),
                false => (format!(",{space}\"signing_root\":{space}\"{root}\""), root),
            };
            blocks.push(format!(
                "{{\"slot\":{space}\"{}\"{root_member}}}",
                81952 + m
            ));
            expected[1].push(format!("{} {} {root_cell} {ROOT}", key(v), 81952 + m));
            attestations.push(format!(
                "{{\"source_epoch\":{space}\"2290\",{space}\"target_epoch\":{space}\"{}\"{root_member}}}",
                3007 + m
            ));
            expected[2].push(format!("{} 2290 {} {root_cell} {ROOT}", key(v), 3007 + m));
        }
        expected[0].push(format!("{} {messages} {messages}", key(v)));
        let pubkey = format!("\"pubkey\":{space}\"{}\"", key(v));
        let signed = format!(
            "\"signed_blocks\":{space}[{}],{space}\"signed_attestations\":{space}[{}]",
            blocks.join(","),
            attestations.join(&format!(",{space}"))
        );
        data.push(match late {
            true => format!("{{{signed},{space}{pubkey}}}"),
            false => format!("{{{pubkey},{space}{signed}}}"),
        });
    }
    let metadata = format!(
        "\"metadata\":{space}{{\"interchange_format_version\":{space}\"5\",{space}\"genesis_validators_root\":{space}\"{ROOT}\"}}"
    );
    let data = format!("\"data\":{space}[{}]", data.join(","));
    let text = match late {
        true => format!("{{{data},{space}{metadata}}}{space}"),
        false => format!("{{{space}{metadata},{space}{data}}}\n"),
    };
    (text, expected)
}

#[test]
fn rows_are_the_same_in_any_order_and_layout() {
    for (late, space) in [(false, ""), (false, "\n  "), (true, " "), (true, "\r\n\t")] {
        let (text, expected) = file(3, 4, late, space);
        assert_eq!(dumps::sniff(text.as_bytes()), Some(DumpKind::Interchange));
        let (facts, kept) = read_every_way(text.as_bytes());
        assert_eq!(facts.status, DumpStatus::Complete, "{:?}", kept.rejects);
        assert_eq!(kept.rejects, []);
        let validators = ["pubkey", "signed_blocks", "signed_attestations"];
        assert_eq!(rows(&kept, "validators", &validators), expected[0]);
        let block = ["pubkey", "slot", "signing_root", "genesis_validators_root"];
        assert_eq!(rows(&kept, "signed_blocks", &block), expected[1]);
        let attestation = [
            "pubkey",
            "source_epoch",
            "target_epoch",
            "signing_root",
            "genesis_validators_root",
        ];
        assert_eq!(
            rows(&kept, "signed_attestations", &attestation),
            expected[2]
        );
        let metadata = ["interchange_format_version", "genesis_validators_root"];
        assert_eq!(rows(&kept, "metadata", &metadata), [format!("5 {ROOT}")]);
    }
}

#[test]
fn types_are_those_of_the_format_even_without_rows() {
    let (text, _) = file(1, 0, false, "");
    let block = types(text.as_bytes(), "signed_blocks");
    let expected = [
        ("pubkey", ColumnType::Bytes),
        ("slot", ColumnType::I64),
        ("signing_root", ColumnType::Bytes),
        ("genesis_validators_root", ColumnType::Bytes),
    ];
    let expected: Vec<_> = expected.map(|(name, t)| (name.to_owned(), t)).into();
    assert_eq!(block, expected);
    let (facts, kept) = read_every_way(text.as_bytes());
    assert!(facts.tables.iter().all(|table| !table.info.types_inferred));
    assert_eq!(
        (kept.count("validators"), kept.count("signed_blocks")),
        (1, 0)
    );
}

#[test]
fn a_file_cut_anywhere_is_truncated_and_gives_its_first_rows() {
    let (text, expected) = file(2, 3, false, " ");
    let end = text.trim_end().len();
    let mut most = 0;
    for cut in (200..end).step_by(7) {
        let (facts, kept) = read_all(&text.as_bytes()[..cut]);
        assert_eq!(facts.status, DumpStatus::Truncated, "{cut}");
        let count = kept.count("signed_blocks");
        assert!(count >= most && count <= expected[1].len());
        most = count;
    }
    assert_eq!(
        most,
        expected[1].len(),
        "the last cuts lie behind all blocks"
    );
}

#[test]
fn a_broken_message_is_located_and_the_others_are_read() {
    let text = format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{ROOT}"}},
"data":[{{"pubkey":"{0}","signed_blocks":[{{"slot":"1"}},
7,{{"slot":nope}},{{"slot":"2","comment":"x"}}],"signed_attestations":[],"extra":1}},
{{"signed_blocks":[{{"slot":"3"}}]}}],"note":"by hand"}}"#,
        key(1)
    );
    let (facts, kept) = read_every_way(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Damaged);
    let whats: Vec<_> = kept
        .rejects
        .iter()
        .map(|reject| (reject.line, reject.trouble, reject.what.as_str()))
        .collect();
    let (damaged, other) = (Trouble::Damaged, Trouble::Other);
    assert_eq!(
        whats,
        [
            (3, damaged, "`7` is no object"),
            (3, damaged, "slot: `nope` is no JSON value"),
            (3, other, "a member the format does not have: `extra`"),
            (4, damaged, "a validator without pubkey ends here"),
            (4, other, "a member the format does not have: `note`"),
        ]
    );
    let columns = ["#", "pubkey", "slot", "comment"];
    let signed = rows(&kept, "signed_blocks", &columns);
    let expected = [
        format!("1 {} 1 NULL", key(1)),
        format!("4 {} 2 x", key(1)),
        "5 NULL 3 NULL".to_owned(),
    ];
    assert_eq!(signed, expected);
    let table = facts.table(None, "signed_blocks").unwrap();
    assert_eq!((table.rows, table.damaged_rows), (5, 2));
}

#[test]
fn more_than_a_batch_comes_in_several() {
    let mut text = format!(
        r#"{{"metadata":{{"interchange_format_version":"5","genesis_validators_root":"{ROOT}"}},"data":[{{"pubkey":"{}","signed_attestations":["#,
        key(9)
    );
    for epoch in 0..70_000 {
        let comma = if epoch > 0 { "," } else { "" };
        write!(
            text,
            "{comma}{{\"source_epoch\":\"{epoch}\",\"target_epoch\":\"{}\"}}",
            epoch + 1
        )
        .unwrap();
    }
    text.push_str("]}]}");
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Complete);
    assert_eq!(kept.count("signed_attestations"), 70_000);
    let batches = kept
        .rows
        .iter()
        .filter(|(info, _)| info.name == "signed_attestations");
    assert!(batches.count() > 1);
}
