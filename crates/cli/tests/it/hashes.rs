//! A hash is found wherever it stands: in a log line, in a row, in both.

use crate::run::Desk;
use serde_json::Value;

const TX: &str = "0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
const SAID: &str = "5f34febf0e6cb6601a0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "in/server.log",
        format!(
            "time=\"2023-09-18T03:41:07Z\" level=info msg=\"sent 0x{TX}\" prefix=eth nonce=7\n\
             time=\"2023-09-18T03:41:08Z\" level=info msg=\"refused 0x{SAID}\" prefix=eth nonce=8\n"
        ),
    );
    desk.write(
        "in/core.sql",
        format!(
            "-- PostgreSQL database dump\n\nCREATE TABLE public.transactions (\n    hash bytea NOT NULL,\n    \
             miniblock_number bigint,\n    initiator_address bytea NOT NULL\n);\n\n\
             COPY public.transactions (hash, miniblock_number, initiator_address) FROM stdin;\n\
             \\\\x{TX}\t5\t\\\\x{}\n\\.\n\n-- PostgreSQL database dump complete\n",
            "d8da6bf2".repeat(5)
        ),
    );
    desk.json(&["ingest", "x.case", "in"], 0);
    desk
}

#[test]
fn search_finds_lines_and_rows_and_trace_says_where_an_unknown_hash_stands() {
    let desk = desk();
    let found = desk.json(&["search", "x.case", "0x0bbbcf", "--format", "json"], 0);
    assert_eq!(found["answered_by"], "hash");
    let kinds: Vec<&Value> = found["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["kind"])
        .collect();
    assert_eq!((found["count"].clone(), kinds.len()), (2.into(), 2));
    assert_eq!(kinds[1], "row");
    let row = &found["records"][1];
    assert_eq!(row["message"], "public.transactions");
    assert_eq!(row["fields"]["hash"], format!("0x{TX}"));
    crate::schemas::valid("search", &found);

    let nowhere = desk.json(&["search", "x.case", "0xabcdef12", "--count"], 1);
    assert_eq!(
        (&nowhere["answered_by"], &nowhere["count"]),
        (&"hash".into(), &0.into())
    );

    let trace = desk.json(
        &["trace", "x.case", &format!("0x{SAID}"), "--format", "json"],
        1,
    );
    assert_eq!(trace["fate"], "unknown_hash");
    let warnings = trace["warnings"].to_string();
    let line = trace["refs"][0].as_str().unwrap();
    assert!(line.ends_with(":2") && warnings.contains(line), "{trace}");
    let known = desk.json(&["trace", "x.case", "0x0bbbcf15", "--format", "json"], 0);
    assert_eq!(known["key"], format!("0x{TX}"));
}
