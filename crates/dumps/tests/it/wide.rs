//! Dumps as Windows leaves them: in UTF-16, with carriage returns, with a mark in front. The same rows, and places that are
//! bytes of the file as it lies there.

use dumps::{DumpSource, DumpStatus, Opener, Want};
use model::{RowFilter, TableSource as _};
use std::io::{BufReader, Cursor};

use crate::common::{Kept, cell, corpus, naming, read_all};

/// How a text is written.
#[derive(Clone, Copy, Debug)]
enum Written {
    Crlf,
    Marked,
    MarkedCrlf,
    Le,
    LeCrlf,
    BeCrlf,
    /// Without a byte order mark.
    Bare,
}

const ALL: [Written; 7] = [
    Written::Crlf,
    Written::Marked,
    Written::MarkedCrlf,
    Written::Le,
    Written::LeCrlf,
    Written::BeCrlf,
    Written::Bare,
];

fn write(text: &str, written: Written) -> Vec<u8> {
    let text = match written {
        Written::Crlf | Written::MarkedCrlf | Written::LeCrlf | Written::BeCrlf => {
            text.replace('\n', "\r\n")
        }
        _ => text.to_owned(),
    };
    let units = |mark: &'static str| -> Vec<u16> {
        mark.encode_utf16().chain(text.encode_utf16()).collect()
    };
    match written {
        Written::Crlf => text.into_bytes(),
        Written::Marked | Written::MarkedCrlf => format!("\u{feff}{text}").into_bytes(),
        Written::Le | Written::LeCrlf => units("\u{feff}")
            .into_iter()
            .flat_map(u16::to_le_bytes)
            .collect(),
        Written::BeCrlf => units("\u{feff}")
            .into_iter()
            .flat_map(u16::to_be_bytes)
            .collect(),
        Written::Bare => units("").into_iter().flat_map(u16::to_le_bytes).collect(),
    }
}

fn is_wide(written: Written) -> bool {
    !matches!(
        written,
        Written::Crlf | Written::Marked | Written::MarkedCrlf
    )
}

/// The text that bytes of the original are.
fn text_of(bytes: &[u8], written: Written) -> String {
    let unit = |pair: &[u8]| match written {
        Written::BeCrlf => u16::from_be_bytes([pair[0], pair[1]]),
        _ => u16::from_le_bytes([pair[0], pair[1]]),
    };
    match is_wide(written) {
        false => String::from_utf8(bytes.to_vec()).unwrap(),
        true => String::from_utf16(&bytes.chunks(2).map(unit).collect::<Vec<_>>()).unwrap(),
    }
}

/// All cells, by table.
fn cells(kept: &Kept) -> Vec<(String, Vec<String>)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (info, batch) in &kept.rows {
        let name = format!("{}.{}", info.schema, info.name);
        if all.last().is_none_or(|(last, _)| *last != name) {
            all.push((name.clone(), Vec::new()));
        }
        let of = &mut all.last_mut().unwrap().1;
        for column in &batch.columns {
            for row in 0..batch.rows() {
                of.push(format!("{} {}", column.name, cell(column, row)));
            }
        }
    }
    all
}

fn read(bytes: &[u8], written: Written) -> (dumps::DumpFacts, Kept) {
    if !is_wide(written) {
        return read_all(bytes);
    }
    let mut kept = Kept::default();
    let want = Want::all(naming());
    let facts = dumps::read_dump(&mut Cursor::new(bytes), &want, &mut kept).unwrap();
    let tiled = facts.framing_bytes + facts.row_bytes + facts.rejected_bytes;
    assert_eq!(tiled, facts.bytes, "{written:?}");
    (facts, kept)
}

/// A text in every writing has the rows it has in UTF-8, and each row is found where it lies, through every way in.
#[track_caller]
fn check(name: &str, text: &str) {
    let (plain, kept) = read_all(text.as_bytes());
    let expected = cells(&kept);
    assert!(!expected.is_empty(), "{name}");
    for written in ALL {
        let bytes = write(text, written);
        let told = format!("{name} as {written:?}");
        assert_eq!(dumps::sniff(&bytes), Some(plain.kind), "{told}");
        let (facts, kept) = read(&bytes, written);
        assert_eq!(facts.status, plain.status, "{told}: {:?}", kept.rejects);
        assert_eq!(cells(&kept), expected, "{told}");
        assert_eq!(facts.lines, plain.lines, "{told}");
        assert_eq!(
            facts.reject_count, plain.reject_count,
            "{told}: {:?}",
            kept.rejects
        );
        assert_eq!(facts.rejects, kept.rejects, "{told}");
        for (located, expected) in facts.rejects.iter().zip(&plain.rejects) {
            let span = located.byte as usize..(located.byte + located.length) as usize;
            let raw = text_of(&bytes[span], written).replace("\r\n", "\n");
            let from = expected.byte as usize;
            let whole = &text[from..from + expected.length as usize];
            assert_eq!(raw.trim_end(), whole.trim_end(), "{told}: {located:?}");
            assert_eq!(located.line, expected.line, "{told}");
        }

        let at = DumpSource::from_bytes(bytes.clone(), naming()).unwrap();
        let copy = bytes.clone();
        let from_start = Opener::FromStart(Box::new(move || {
            Ok(Box::new(BufReader::with_capacity(
                7,
                Cursor::new(copy.clone()),
            )))
        }));
        let streamed = DumpSource::open(from_start, naming()).unwrap();
        let utf8 = DumpSource::from_bytes(text.as_bytes().to_vec(), naming()).unwrap();
        for source in [&at, &streamed] {
            assert_eq!(source.checked().unwrap().rejects, facts.rejects, "{told}");
            for table in utf8.tables() {
                let name = table.full_name();
                let columns: Vec<&str> = table.columns.iter().map(|(name, _)| &**name).collect();
                let all = |source: &DumpSource| source.read(&name, &columns, &RowFilter::All);
                let watched = source.watch_newest(&name, &columns);
                assert_eq!(watched, utf8.watch_newest(&name, &columns), "{told}");
                let batch = all(&utf8).unwrap();
                assert_eq!(all(source).unwrap(), batch, "{told}: {name}");
                assert_eq!(source.newest(&name), utf8.newest(&name), "{told}: {name}");
                let last = batch.rows().checked_sub(1);
                for row in [Some(0), last]
                    .into_iter()
                    .flatten()
                    .filter(|_| last.is_some())
                {
                    let ordinal = batch.column("#").unwrap().i64(row);
                    let key = table.row_key(&batch, row, ordinal);
                    let of = table.reference_name();
                    let place = source.locate(&of, &key).unwrap().unwrap();
                    let expected = utf8.locate(&of, &key).unwrap().unwrap();
                    assert_eq!(place.line, expected.line, "{told}: {name}#{key}");
                    let span = place.byte as usize..(place.byte + place.length) as usize;
                    let raw = text_of(&bytes[span], written).replace("\r\n", "\n");
                    let from = expected.byte as usize;
                    let whole = &text[from..from + expected.length as usize];
                    assert_eq!(raw.trim_end(), whole.trim_end(), "{told}: {name}#{key}");
                }
            }
        }
    }
}

#[test]
fn every_form_of_text() {
    let copy = "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.t (\n    a bigint NOT NULL,\n    b text,\n    c bytea\n);\n\nCOPY public.t (a, b, c) FROM stdin;\n1\tzwölf 日本 🚀\\n\\r\\ttab\t\\\\x00ff\n2\t\\N\t\\\\x\n3\n4\tö\t\\\\xabcd\n\\.\n\nALTER TABLE ONLY public.t\n    ADD CONSTRAINT p PRIMARY KEY (a);\n\n--\n-- PostgreSQL database dump complete\n--\n\n";
    check("copy", copy);
    check(
        "inserts",
        "--\n-- PostgreSQL database dump\n--\nCREATE TABLE public.t (a bigint, b text);\nINSERT INTO public.t VALUES (1, 'ö;');\nINSERT INTO public.t VALUES (2,\n 'x'), (3, NULL);\nINSERT INTO public.t VALUES (4, now());\nINSERT INTO public.t VALUES (5, 'two\nlines\n');\n--\n-- PostgreSQL database dump complete\n--\n",
    );
    check(
        "aligned",
        "db=# select a, b from t;\n a |   b    \n---+--------\n 1 | zwölf\n 2 | 日本\n 3 | 🚀\n(3 rows)\n\nsome prose behind: ö\n",
    );
    check(
        "only a table",
        " a |   b    \n---+--------\n 1 | zwölf\n(1 row)\n\n",
    );
    check(
        "expanded",
        "-[ RECORD 1 ]\na | 1\nb | ö\n-[ RECORD 2 ]\na | 2\nb | x\n\n",
    );
    check("expanded pairs", "a|1\nb|ö\n\na|2\nb|x\n");
    check("unaligned", "a|b|c\n1|ö|x\n2|y|\n(2 rows)\n");
    check("csv", "id,eth_tx_id,tx_hash\n1,7,ö\n2,8,0xabcd\n");
    check("markdown", "| a | b |\n|---|---|\n| 1 | ö |\n| 2 | x |\n");
    check(
        "html",
        "<table border=\"1\">\n  <tr>\n    <th align=\"center\">a</th>\n    <th align=\"center\">b</th>\n  </tr>\n  <tr valign=\"top\">\n    <td align=\"right\">1</td>\n    <td align=\"left\">ö</td>\n  </tr>\n</table>\n<p>(1 row)<br />\n</p>\n",
    );
}

#[test]
fn files_of_the_corpus() {
    for name in [
        "z2023fork.eth_txs.copy.sql.gz",
        "z2023.prover_jobs.main-node.aligned.txt",
        "z2023fork.psql.unaligned.txt",
        "z2023.l1_batches.csv",
    ] {
        let Some(bytes) = corpus(name) else { return };
        check(name, std::str::from_utf8(&bytes).unwrap());
    }
}

#[test]
fn an_archive_that_was_written_as_text_is_named() {
    let text: String = b"PGDMP\x01\x0e\0\x04\x08\x01\x01\x01\0\0\0\0"
        .iter()
        .map(|b| char::from(*b))
        .collect();
    for written in [Written::LeCrlf, Written::Marked] {
        let bytes = write(&text, written);
        let (facts, kept) = read(&bytes, written);
        assert_eq!(facts.status, DumpStatus::Damaged);
        assert!(
            kept.rejects[0].what.contains("pg_dump -f FILE"),
            "{:?}",
            kept.rejects
        );
        let source = DumpSource::from_bytes(bytes, naming()).unwrap();
        assert!(
            source.checked().unwrap().rejects[0]
                .what
                .contains("PowerShell")
        );
    }
}
