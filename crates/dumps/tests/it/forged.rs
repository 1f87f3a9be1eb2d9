//! A cell may hold any text: whatever psql prints of it, no row of another table may come out of it.

use dumps::DumpStatus;
use testkit::PostgresServer;

use crate::common::{cell, read_all};

/// Texts that look like other forms of dumps.
const CELLS: [&str; 6] = [
    "see\nCOPY x (a,b) FROM stdin;\n666\t667\n\\.\n",
    "COPY public.x (a, b) FROM stdin;\n666\t667\n\\.",
    "see\n\n a | b \n---+---\n 666 | 667\n(1 row)\n",
    "see\n a \n-----\n 666\n(1 row)\n",
    "CREATE TABLE x (a int);\nINSERT INTO x VALUES (666);",
    "<table border=\"1\">\n  <tr><th>a</th></tr>\n  <tr><td>666</td></tr>\n</table>\n-[ RECORD 1 ]-\na | 666",
];

const FORMATS: [&[&str]; 12] = [
    &["-A"],
    &["-A", "-x"],
    &["-A", "-t"],
    &["-A", "-F", ","],
    &["-P", "border=0"],
    &["-P", "border=1"],
    &["-P", "border=2"],
    &["-x"],
    &["-x", "-P", "border=0"],
    &["-H"],
    &["--csv"],
    &["-P", "format=asciidoc"],
];

/// Checks that what is read are the rows that were printed, or none, and that then something says so.
#[track_caller]
fn check(text: &[u8], columns: &[&str], told: &str) {
    if dumps::sniff(text).is_none() {
        return;
    }
    let (facts, kept) = read_all(text);
    let text = String::from_utf8_lossy(text);
    for (info, batch) in &kept.rows {
        assert_ne!(info.name, "x", "{told}\n{text}");
        for column in &batch.columns {
            for row in 0..batch.rows() {
                let found = cell(column, row);
                let forged = found == "666" || found == "667" || found == "666\t667";
                assert!(!forged, "{told}: {} of {}\n{text}", column.name, info.name);
            }
        }
        let mut names = info.columns.iter().map(|(name, _)| name.as_str());
        let named = names.all(|name| columns.contains(&name) || name.starts_with(['c', 'C']));
        assert!(named, "{told}: {:?}\n{text}", info.columns);
    }
    if kept.rows.is_empty() {
        assert_eq!(
            facts.status,
            DumpStatus::Damaged,
            "{told}: {:?}\n{text}",
            kept.rejects
        );
    }
}

#[test]
fn no_cell_is_a_table_of_its_own() {
    let Some(server) = PostgresServer::start() else {
        eprintln!("SKIPPED: no PostgreSQL: forged cells are not printed by psql");
        return;
    };
    for (nth, text) in CELLS.into_iter().enumerate() {
        let quoted = text
            .replace('\\', "\\\\")
            .replace('\'', "''")
            .replace('\n', "\\n")
            .replace('\t', "\\t");
        for format in FORMATS {
            for (query, columns) in [
                (
                    format!(
                        "SELECT 1 AS id, E'{quoted}' AS note UNION ALL SELECT 2, 'x' ORDER BY 1"
                    ),
                    &["id", "note"][..],
                ),
                (
                    format!(
                        "SELECT 1 AS id, 'x' AS note UNION ALL SELECT 2, E'{quoted}' ORDER BY 1"
                    ),
                    &["id", "note"],
                ),
                (
                    format!("SELECT E'{quoted}' AS note, 7 AS id"),
                    &["id", "note"],
                ),
                (format!("SELECT E'{quoted}' AS note"), &["note"]),
            ] {
                // These end in no count: a dump, a table or text in front of one looks the same, byte by byte.
                let tuples = format.contains(&"-t") && (!query.contains("AS id,") || nth > 1);
                let pairs = format == ["-A", "-x"] && !query.contains("UNION ALL SELECT 2, 'x'");
                if tuples || pairs {
                    continue;
                }
                let printed = server.psql(format, &query);
                check(
                    &printed,
                    columns,
                    &format!("cell {nth}, {format:?}, {query}"),
                );
            }
        }
    }
}

/// Characters of all widths: combining, joined, wide, and emoji of all blocks.
#[test]
fn wide_characters_keep_no_padding() {
    let Some(server) = PostgresServer::start() else {
        eprintln!("SKIPPED: no PostgreSQL: widths are not compared with psql's");
        return;
    };
    let texts = [
        "e\u{301}a\u{308}",
        "日本語",
        "한국어",
        "✅ ok",
        "❌",
        "⚡|⏰",
        "🚀x",
        "🟢",
        "👩\u{200d}💻",
        "\u{200b}z",
        "ﷺ",
        "नमस्ते",
        "สวัสดี",
        "⭐⭐",
        "🧪",
        "🦀",
        "a\u{fe0f}",
        "〰",
        "｜ｗ",
        "plain",
    ];
    for border in ["border=0", "border=1", "border=2"] {
        let rows: Vec<String> = texts
            .iter()
            .enumerate()
            .map(|(nth, text)| format!("({nth}, '{text}', 'after {nth}')"))
            .collect();
        let query = format!(
            "SELECT * FROM (VALUES {}) v (id, t, behind) ORDER BY 1",
            rows.join(", ")
        );
        let (facts, kept) = read_all(&server.psql(&["-P", border], &query));
        assert_eq!(
            facts.status,
            DumpStatus::Complete,
            "{border}: {:?}",
            kept.rejects
        );
        let (_, batch) = &kept.rows[0];
        for (row, text) in texts.iter().enumerate() {
            assert_eq!(cell(batch.column("t").unwrap(), row), *text, "{border}");
            assert_eq!(
                cell(batch.column("behind").unwrap(), row),
                format!("after {row}"),
                "{border}"
            );
        }
    }
}
