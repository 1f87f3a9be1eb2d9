//! Whatever the bytes: no panic, every byte accounted for, the same however they arrive.

use std::io::{BufRead, BufReader, Read};

use dumps::{DumpSource, Want, read_dump};
use model::{RowFilter, TableSource as _};
use proptest::prelude::*;

use crate::common::{Kept, naming, read_all, read_want};

/// Pieces that dumps and pastes are made of, and what breaks them.
const PIECES: [&str; 97] = [
    "COPY public.t (a, b) FROM stdin;\n",
    "COPY t FROM stdin;\n",
    "COPY u (c) FROM stdin;\n",
    "COPY t (a) FROM stdin WITH CSV;\n",
    "CREATE TABLE public.t (\n    a bigint NOT NULL,\n    b text\n);\n",
    "CREATE TABLE u (c text, PRIMARY KEY (c));\n",
    "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT p PRIMARY KEY (a);\n",
    "INSERT INTO t VALUES (1, 'x');\n",
    "INSERT INTO t VALUES (1, 'x'), (2, now()), (3, E'a\\nb')",
    "INSERT INTO public.t (a) VALUES\n\t(1),\n\t(DEFAULT)\nON CONFLICT DO NOTHING;\n",
    "INSERT INTO u DEFAULT VALUES;\n",
    "INSERT INTO u SELECT 1;\n",
    "insert into new (",
    "\\.\n",
    "\\.",
    "1\tx\n",
    "2\t\\N\n",
    "x\ty\n",
    "1\n",
    "1\t2\t3\n",
    "\\N\n",
    "\\\\x00ff\n",
    "\t",
    "\n",
    "\r\n",
    "\\",
    "'",
    "\"",
    "$$",
    "$a$",
    ";",
    "--",
    "-- Name: x\n",
    "/*",
    "*/",
    "(",
    ")",
    "-- PostgreSQL database dump\n",
    "-- PostgreSQL database dump complete\n",
    "\\restrict x\n",
    "\\connect db\n",
    "SET client_encoding = 'LATIN1';\n",
    "db=# select a,b from t where a=1;\n",
    "select * from u;",
    " a | b \n",
    "---+---\n",
    " 1 | x \n",
    " 1 | y+\n",
    "   | z \n",
    "(1 row)\n",
    "(2 rows)",
    " c \n---\n 1\n",
    "a | b ----+---- 1 | x (1 row) ",
    "number | is_finished | eth_commit_tx_id --------+-------------+------------------ 7670 | t | 41073 ",
    "+---+---+\n",
    "| a | b |\n",
    "-[ RECORD 1 ]\n",
    "┌─┬─┐\n",
    "prose 中文 é\u{301}\n",
    "|",
    " | ",
    "-+-",
    "----",
    "\u{0}",
    "a,b\n1,x\n",
    "a;b\n1;\"x\n",
    "id,eth_tx_id,tx_hash\n",
    "\"x\"\"y\",",
    "7,NULL\n",
    "1\t\\N\n",
    "-[ RECORD 2 ]---+---\n",
    "* Record 1 \n",
    "+-[ RECORD 1 ]-+\n",
    "a | 1\n",
    "b | two   +\n",
    "  | more\n",
    "  : more\n",
    "a  1\n",
    "a|b\n",
    "1|x\n",
    "│ 1 │ x │\n",
    "├───┼───┤\n",
    "└─┴─┘\n",
    "-- --\n",
    "a  b \n",
    "<table border=\"1\">\n",
    "<tr><th>a</th><td>1<br />\n",
    "</td></tr>",
    "</table>\n<p>(1 row)<br />\n</p>\n",
    "[options=\"header\"]\n|====\n^l|a ^l|b\n",
    "|1 |x\n|====\n",
    "2+^|Record 1\n<l|a >l|1\n",
    "\\begin{tabular}{l | l}\n\\textit{a} & \\textit{b} \\\\\n\\hline\n1 & x \\\\\n",
    "\\end{tabular}\n",
    "| a | b |\n|---|:-:|\n| 1 | x |\n",
    "\\pset null '-'\nNull display is \"-\".\n",
    "COPY _sqlx_migrations (version, success) FROM stdin;\n20230817101508\tt\n",
];

fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// Gives a few bytes at a time.
struct Drops<'b>(&'b [u8], usize);

impl Read for Drops<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(buffer.len()).min(self.0.len());
        buffer[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        self.1 = self.1 % 5 + 1;
        Ok(n)
    }
}

fn in_drops(bytes: &[u8]) -> (dumps::DumpFacts, Kept) {
    let mut kept = Kept::default();
    let mut reader: Box<dyn BufRead + '_> = Box::new(BufReader::with_capacity(3, Drops(bytes, 1)));
    let facts = read_dump(&mut *reader, &Want::all(naming()), &mut kept).unwrap();
    (facts, kept)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_accounted_for(bytes in text()) {
        let (facts, kept) = read_all(&bytes);
        let (slow, dropped) = in_drops(&bytes);
        prop_assert_eq!(&facts, &slow);
        prop_assert_eq!(&kept.rows, &dropped.rows);
        let (scanned, _) = read_want(&bytes, &Want::nothing(naming()));
        prop_assert_eq!(scanned.tables.len(), facts.tables.len());
        for (a, b) in scanned.tables.iter().zip(&facts.tables) {
            prop_assert_eq!(a.rows, b.rows);
            prop_assert_eq!(&a.blocks, &b.blocks);
            prop_assert_eq!(&a.info.primary_key, &b.info.primary_key);
        }
    }

    #[test]
    fn a_source_reads_what_a_stream_reads(bytes in text()) {
        let source = DumpSource::from_bytes(bytes.clone(), naming()).unwrap();
        let want = Want { known: Some(source.facts().clone()), ..Want::all(naming()) };
        let (_, kept) = read_want(&bytes, &want);
        for table in source.tables() {
            let name = format!("{}.{}.{}", table.snapshot, table.schema, table.name);
            let columns: Vec<&str> = table.columns.iter().map(|(name, _)| name.as_str()).collect();
            let Ok(batch) = source.read(&name, &columns, &RowFilter::All) else { continue };
            let streamed: usize = kept
                .rows
                .iter()
                .filter(|(info, _)| (&info.snapshot, &info.schema, &info.name) == (&table.snapshot, &table.schema, &table.name))
                .map(|(_, batch)| batch.column("#").unwrap().len())
                .sum();
            prop_assert_eq!(batch.column("#").map_or(0, |column| column.len()), streamed);
        }
        source.damage();
    }
}
