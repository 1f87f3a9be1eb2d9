//! Broken and hostile dumps: what is readable is read, the rest is located, nothing panics.

use dumps::{DumpSource, DumpStatus, Trouble};
use model::{ColumnType, RowFilter, TableSource as _};

use crate::common::{naming, read_all};

const HEAD: &str = "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.t (\n    a bigint NOT NULL,\n    b text\n);\n\nCOPY public.t (a, b) FROM stdin;\n";
const TAIL: &str = "\\.\n\n--\n-- PostgreSQL database dump complete\n--\n";

#[test]
fn broken_rows_are_located_and_the_rest_is_read() {
    let text = format!("{HEAD}1\tx\n2\n3\ty\tz\nfour\tv\n\\N\tw\n5\t\\N\n{TAIL}");
    let (facts, kept) = read_all(text.as_bytes());
    let batch = kept.only("t");
    assert_eq!(batch.rows(), 3);
    let ordinals: Vec<_> = (0..3)
        .map(|row| batch.column("#").unwrap().i64(row).unwrap())
        .collect();
    assert_eq!(ordinals, [1, 5, 6]);
    let whats: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| (r.line, r.what.as_str()))
        .collect();
    assert_eq!(
        whats,
        [
            (12, "the row has 1 fields, the table 2 columns"),
            (13, "the row has 3 fields, the table 2 columns"),
            (14, "column a: `four` is no whole number"),
        ]
    );
    assert_eq!(facts.status, DumpStatus::Damaged);
    assert_eq!((facts.tables[0].rows, facts.tables[0].damaged_rows), (6, 3));

    let source = DumpSource::from_bytes(text.into_bytes(), naming()).unwrap();
    assert!(source.damage().is_empty(), "not looked at yet");
    let batch = source
        .read("t", &["b"], &RowFilter::I64In("a".into(), vec![5]))
        .unwrap();
    assert_eq!(batch.rows(), 1);
    assert!(batch.columns[0].is_null(0));
    assert_eq!(source.damage().len(), 3, "{:?}", source.damage());
}

#[test]
fn a_dump_cut_anywhere_is_truncated() {
    let text = format!("{HEAD}1\tx\n2\ty\n{TAIL}");
    for end in 40..text.len() - 3 {
        let (facts, _) = read_all(&text.as_bytes()[..end]);
        let complete = end >= text.find("complete").unwrap() + 8;
        assert_eq!(
            facts.status == DumpStatus::Truncated,
            !complete,
            "{end} {:?}",
            facts.rejects
        );
    }
    let (facts, kept) = read_all(&text.as_bytes()[..HEAD.len() + 6]);
    assert_eq!(kept.only("t").rows(), 1);
    let cut = &facts.rejects[0];
    assert_eq!(
        (cut.trouble, cut.line, cut.length),
        (Trouble::Truncated, 12, 2)
    );
    assert_eq!(cut.table.as_deref(), Some("t"));
}

#[test]
fn inserts_that_are_not_ours_are_located() {
    let text = "--\n-- PostgreSQL database dump\n--\nCREATE TABLE public.t (a bigint, b text);\nINSERT INTO public.t VALUES (1, 'x;');\nINSERT INTO public.t VALUES (2,\n now()), (3, 'y'),\n (4), ('5x', '');\nINSERT INTO public.t SELECT 6, ';';\nINSERT INTO `u` VALUES (1);\nINSERT INTO t VALUES (7, 'z') oops;\nINSERT /* x */ INTO t VALUES (8, '');\n--\n-- PostgreSQL database dump complete\n--\n";
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Damaged);
    let found: Vec<_> = kept
        .rejects
        .iter()
        .map(|r| {
            (
                r.table.as_deref().unwrap_or(""),
                r.line,
                r.lines,
                r.what.as_str(),
            )
        })
        .collect();
    let not_ours = "an INSERT that gives no rows as PostgreSQL's dumps do: nothing is run";
    assert_eq!(
        found,
        [
            ("t", 6, 2, "column b: an expression, which is not computed"),
            ("t", 8, 1, "the row has 1 fields, the table 2 columns"),
            ("t", 8, 1, "column a: `5x` is no whole number"),
            ("public.t", 9, 1, not_ours),
            ("", 10, 1, not_ours),
            ("", 12, 1, not_ours),
        ]
    );
    let batch = kept.only("t");
    let numbers: Vec<_> = (0..batch.rows())
        .map(|row| batch.columns[0].i64(row).unwrap())
        .collect();
    assert_eq!(numbers, [1, 3, 7]);
    assert_eq!(
        batch.column("#").unwrap().i64(2),
        Some(6),
        "broken rows are counted"
    );
    assert_eq!((facts.tables[0].rows, facts.tables[0].damaged_rows), (6, 3));
    let source = DumpSource::from_bytes(text.as_bytes().to_vec(), naming()).unwrap();
    let read = source
        .read("t", &["b"], &RowFilter::I64In("a".into(), vec![3]))
        .unwrap();
    assert_eq!(read.rows(), 1);
    assert_eq!(read.columns[0].text(0), Some("y"));
    assert_eq!(source.damage().len(), 6, "{:?}", source.damage());
    let place = source.locate("t", "@2").unwrap();
    assert_eq!(place, None, "a broken row is no row");
    let place = source.locate("t", "@3").unwrap().unwrap();
    let raw = &text.as_bytes()[place.byte as usize..(place.byte + place.length) as usize];
    assert_eq!((raw, place.line), (&b"(3, 'y')"[..], 7));
}

#[test]
fn an_insert_cut_anywhere_is_truncated() {
    let text = "--\n-- PostgreSQL database dump\n--\nINSERT INTO t VALUES (1, 'x'),\n\t(2, E'\\'')\nON CONFLICT DO NOTHING;\n--\n-- PostgreSQL database dump complete\n--\n";
    for end in 40..text.len() - 3 {
        let (facts, kept) = read_all(&text.as_bytes()[..end]);
        let complete = end >= text.find("complete").unwrap() + 8;
        assert_eq!(
            facts.status == DumpStatus::Truncated,
            !complete,
            "{end} {:?}",
            facts.rejects
        );
        if end > text.find("(2").unwrap() {
            assert_eq!(
                kept.count("t") as u64 + facts.tables[0].damaged_rows,
                2,
                "{end}"
            );
        }
    }
}

#[test]
fn without_create_table_types_come_from_all_values() {
    let rows: String = (0..70_000)
        .map(|n| format!("{n}\tt\t2023-09-18 03:50:19\t\\\\x0{}\tx\n", n % 10))
        .collect();
    let text =
        format!("COPY public.t (a, b, c, d, e) FROM stdin;\n{rows}oops\tf\t\\N\t\\\\x\t\\N\n\\.\n");
    let source = DumpSource::from_bytes(text.clone().into_bytes(), naming()).unwrap();
    let types: Vec<_> = source.tables()[0].columns.iter().map(|(_, t)| *t).collect();
    assert_eq!(
        types,
        [
            ColumnType::Text,
            ColumnType::Bool,
            ColumnType::TimestampCivil,
            ColumnType::Bytes,
            ColumnType::Text
        ]
    );
    assert!(source.tables()[0].types_inferred);
    assert_eq!(
        source.read("t", &["a"], &RowFilter::All).unwrap().rows(),
        70_001
    );
    assert!(source.damage().is_empty());
    // From a pipe the first batch decides, and a value that does not fit is located, not lost.
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(kept.count("t"), 70_000);
    assert_eq!((facts.rejects.len(), facts.rejects[0].line), (1, 70_002));
}

#[test]
fn all_blocks_of_a_table_have_a_say_in_its_types() {
    let text = b"COPY t (a, b) FROM stdin;\n1\t\\N\n\\.\nCOPY t (b, a) FROM stdin;\n7\tx\n\\.\n";
    let source = DumpSource::from_bytes(text.to_vec(), naming()).unwrap();
    let batch = source.read("t", &["a", "b"], &RowFilter::All).unwrap();
    assert_eq!(
        (batch.columns[0].text(0), batch.columns[0].text(1)),
        (Some("1"), Some("x"))
    );
    assert_eq!(
        (batch.columns[1].i64(0), batch.columns[1].i64(1)),
        (None, Some(7))
    );
    assert_eq!(batch.columns[2].i64(1), Some(2));
}

#[test]
fn a_lost_end_mark_does_not_swallow_the_next_table() {
    let text = "CREATE TABLE t (a bigint, b text);\nCREATE TABLE u (c text);\nCOPY t (a, b) FROM stdin;\n1\tx\nCOPY u (c) FROM stdin;\ny\nCOPY that FROM stdin;\n\\.\n";
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!((kept.count("t"), kept.count("u")), (1, 2));
    assert_eq!(facts.status, DumpStatus::Damaged);
    let source = DumpSource::from_bytes(text.as_bytes().to_vec(), naming()).unwrap();
    assert_eq!(source.read("u", &["c"], &RowFilter::All).unwrap().rows(), 2);
    assert_eq!(source.read("t", &["a"], &RowFilter::All).unwrap().rows(), 1);
}

#[test]
fn an_endless_string_costs_only_what_it_stands_in() {
    let text = "COMMENT ON TABLE t IS 'never closed;\nmore\n\nCREATE TABLE t (a bigint);\nCOPY t (a) FROM stdin;\n1\n\\.\n";
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(kept.count("t"), 1);
    assert_eq!(facts.status, DumpStatus::Damaged);
    assert_eq!(facts.rejects[0].line, 1);
}

/// A text of which one part is repeated very often, without holding it.
fn repeated(head: &str, part: &'static [u8], times: u64, tail: &str) -> impl std::io::Read + use<> {
    use std::io::Read as _;
    struct Again(&'static [u8], usize, u64);
    impl std::io::Read for Again {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.2 == 0 {
                return Ok(0);
            }
            let n = buffer.len().min(self.0.len() - self.1);
            buffer[..n].copy_from_slice(&self.0[self.1..self.1 + n]);
            self.1 += n;
            if self.1 == self.0.len() {
                self.1 = 0;
                self.2 -= 1;
            }
            Ok(n)
        }
    }
    std::io::Cursor::new(head.as_bytes().to_vec())
        .chain(Again(part, 0, times))
        .chain(std::io::Cursor::new(tail.as_bytes().to_vec()))
}

static LETTERS: [u8; 1 << 20] = [b'x'; 1 << 20];

#[test]
fn a_row_of_a_hundred_megabytes_is_passed_over() {
    let tail = format!("\n2\tgood\n{TAIL}");
    for want in [dumps::Want::all(naming()), dumps::Want::nothing(naming())] {
        let text = repeated(&format!("{HEAD}1\t"), &LETTERS, 100, &tail);
        let mut kept = crate::common::Kept::default();
        let facts = dumps::read_dump(&mut std::io::BufReader::new(text), &want, &mut kept).unwrap();
        assert_eq!(facts.rejects.len(), 1);
        let reject = &facts.rejects[0];
        assert_eq!((reject.line, reject.length), (11, (100 << 20) + 3));
        assert_eq!(reject.what, "a row of more than 64 MiB");
        assert_eq!((facts.tables[0].rows, facts.tables[0].damaged_rows), (2, 1));
        assert_eq!(kept.count("t"), usize::from(want.tables.is_none()));
    }
}

#[test]
fn a_string_without_end_of_a_hundred_megabytes() {
    let text = repeated(
        "SET x = '",
        &LETTERS,
        100,
        "\nCOPY t (a) FROM stdin;\n1\n\\.\n",
    );
    let mut kept = crate::common::Kept::default();
    let facts = dumps::read_dump(
        &mut std::io::BufReader::new(text),
        &dumps::Want::all(naming()),
        &mut kept,
    )
    .unwrap();
    assert_eq!(facts.status, DumpStatus::Damaged);
    assert_eq!(kept.count("t"), 1);
}

#[test]
fn more_columns_than_a_table_can_have() {
    let names: Vec<String> = (0..20_000).map(|n| format!("c{n}")).collect();
    let fields = vec!["1"; 20_000].join("\t");
    let text = format!(
        "CREATE TABLE wide ({} bigint);\nCOPY wide ({}) FROM stdin;\n{fields}\n\\.\nCOPY t (a) FROM stdin;\n1\n\\.\n",
        names.join(" bigint, "),
        names.join(", "),
    );
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(kept.count("t"), 1);
    assert_eq!(facts.status, DumpStatus::Damaged);
    assert_eq!(facts.table(None, "wide").unwrap().damaged_rows, 1);
}

#[test]
fn texts_that_look_like_the_begin_of_very_many_tables() {
    // Each is read in one pass; a quadratic reader would not come back.
    for part in [
        "a\n---\n",
        " a --+-- ",
        "a | b --+-- ",
        "select ",
        "db=# select a from t\n",
        " a | b \n---+---\n 1 +| x\n",
        "-- x\nSET a = $a$",
        "COPY t FROM stdin;\n",
        "/*",
        "|",
        "<table><tr><th>a",
        "<table>\n",
        "|====\n",
        "\\begin{tabular}\n",
        "(1 row)\n",
        "a|b\n(9 rows)\n",
        "-[ RECORD 1 ]\n",
        "-[ RECORD 1 ]\na | 1\n",
        "* Record 1 \nx\n",
        "||||||||||||\n",
        "a b\n-- --\n",
        "| a |\n|---|\n",
        "select a, b from t;\n",
        "select a from t;\na|1\n",
        "number|1\nhash|x\n\n",
        "a\0b\0",
        "a\0\n",
        "a|b\0",
        "\na,\"",
        "a|b|c\n1|2|3\n(1 row)\n",
    ] {
        let text = format!(
            "number | x --------+--- 1 | 2\n{}",
            part.repeat((2 << 20) / part.len())
        );
        read_all(text.as_bytes());
        let text = format!(
            "-- PostgreSQL database dump\n{}",
            part.repeat((2 << 20) / part.len())
        );
        read_all(text.as_bytes());
    }
}

#[test]
fn quotes_that_are_never_closed() {
    for part in ["\"", "1,\"x\n", "\",\"", ",", "1,\"\"\"\n"] {
        let text = format!(
            "id,b\n{}{}",
            "1,x\n".repeat(300),
            part.repeat((2 << 20) / part.len())
        );
        let (facts, _) = read_all(text.as_bytes());
        assert_eq!(facts.kind, dumps::DumpKind::Delimited);
        assert!(facts.tables[0].rows >= 300);
    }
}

#[test]
fn pasted_tables_without_end_are_bounded() {
    let text = format!(
        "postgres=# select a,b from t;\n a | b \n---+---\n{}",
        " 1 | 2\n".repeat(1_100_000)
    );
    let (facts, _) = read_all(text.as_bytes());
    assert_eq!(facts.status, DumpStatus::Truncated);
    assert_eq!(facts.tables[0].rows, 1_000_000);
    let cut = &facts.rejects[0];
    assert_eq!((cut.line, cut.length), (1_000_004, 700_000));
}
