//! Exports of Etherscan: header by header, cell by cell.

use dumps::{DumpKind, DumpStatus};

use super::{read_every_way, rows};
use crate::common::read_all;

const HASH: &str = "0x0b01b2a0000000000000000000000000000000000000000000000000000000ff";
const FROM: &str = "0x3527439923a63f8c13cf72b8fe80a77f6e572092";

#[test]
fn transactions_internal_and_tokens() {
    let both = |time: &str, names: [&str; 1]| {
        format!(
            "\"{}\",\"Blockno\",\"UnixTimestamp\",\"DateTime (UTC)\",\"From\",\"To\",\"ContractAddress\",\"Value_IN(ETH)\",\"CurrentValue @ $1,646.12/Eth\",\"Status\",\"ErrCode\",\"Method\"\r\n\"{HASH}\",\"18160015\",\"1695008999\",\"{time}\",\"{FROM}\",\"\",\"{FROM}\",\"0.5\",\"$823.06\",\"\",\"\",\"Commit \"\"Blocks\"\",\nnow\"\r\n",
            names[0]
        )
    };
    for (time, name) in [
        ("2023-09-18 03:49:59", "Transaction Hash"),
        ("9/18/2023 3:49:59 AM", "Txhash"),
    ] {
        let text = both(time, [name]);
        assert_eq!(dumps::sniff(text.as_bytes()), Some(DumpKind::EtherscanCsv));
        let (facts, kept) = read_every_way(text.as_bytes());
        assert_eq!(facts.status, DumpStatus::Complete, "{:?}", kept.rejects);
        let columns = [
            name,
            "Blockno",
            "DateTime (UTC)",
            "From",
            "To",
            "Value_IN(ETH)",
            "Method",
        ];
        assert_eq!(
            rows(&kept, "etherscan_transactions", &columns),
            [format!(
                "{HASH} 18160015 1695008999000000 {FROM} NULL 0.5 Commit \"Blocks\",\nnow"
            )]
        );
    }
    for (extra, table) in [
        ("ParentTxFrom", "etherscan_internal_transactions"),
        ("TokenSymbol", "etherscan_token_transfers"),
    ] {
        let text = format!("Txhash,Blockno,UnixTimestamp,{extra}\n{HASH},1,2,{FROM}\n");
        let (facts, _) = read_every_way(text.as_bytes());
        assert_eq!(facts.tables[0].info.name, table);
        assert_eq!(facts.tables[0].rows, 1);
    }
    assert_eq!(dumps::sniff(b"time,level,message\n1,INFO,x\n"), None);
}

#[test]
fn broken_records_are_located() {
    let text =
        format!("Txhash,Blockno,UnixTimestamp\n{HASH},1\n{HASH},1,2\n\"{HASH}\"x,1,2\n\n\"cut");
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Truncated);
    assert_eq!(kept.count("etherscan_transactions"), 1);
    let whats: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| (r.line, r.what.as_str()))
        .collect();
    assert_eq!(
        whats,
        [
            (2, "the record has 2 fields, the header 3"),
            (4, "something stands behind a quoted cell"),
            (
                6,
                "the file ends inside of a quoted cell, or the cell is longer than 1 MiB"
            ),
        ]
    );
}
