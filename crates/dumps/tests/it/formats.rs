//! Every format psql prints, with nasty content, against what PostgreSQL says each cell is.

use dumps::{DumpKind, DumpStatus};

use crate::common::{Kept, cell, corpus, read_all};
use crate::postgres::{SETUP, start};

/// A format: psql's options, the form it is recognised as, and how the text column must be cleaned for
/// it to come back: what a format does not escape can't be told from its own marks.
struct Format {
    options: &'static [&'static str],
    kind: DumpKind,
    clean: Clean,
    /// Whether `(null)` is set as the null symbol: then null and the empty text differ.
    null: bool,
    /// Pasted below its query, else a file of its own.
    pasted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clean {
    /// Blanks at line ends, which are padding, and control characters, which are shown as escapes.
    Blanks,
    /// The separator as well.
    Bars,
    /// Characters two columns wide: where psql wraps in front of one, it pads, and a blank of the text's
    /// own looks the same.
    Wide,
    /// Line feeds too.
    Lines,
    /// Nothing: the format keeps every byte.
    Nothing,
}

/// In place of options: what psql's \copy writes as CSV, which tells null from the empty text.
const COPY: &str = "\\copy";

fn format(options: &'static [&'static str], kind: DumpKind, clean: Clean, null: bool) -> Format {
    Format {
        options,
        kind,
        clean,
        null,
        pasted: kind != DumpKind::Delimited,
    }
}

/// The same, as psql writes it into a file, without a query in front.
fn file(options: &'static [&'static str], kind: DumpKind, clean: Clean, null: bool) -> Format {
    Format {
        pasted: false,
        ..format(options, kind, clean, null)
    }
}

fn formats() -> Vec<Format> {
    use Clean::{Bars, Blanks, Lines, Nothing, Wide};
    use DumpKind::{Delimited, Markup, PsqlAligned, PsqlExpanded, PsqlUnaligned};
    vec![
        format(&[], PsqlAligned, Blanks, true),
        format(&[], PsqlAligned, Blanks, false),
        format(&["-P", "border=0"], PsqlAligned, Blanks, true),
        format(&["-P", "border=2"], PsqlAligned, Blanks, true),
        format(&["-P", "linestyle=unicode"], PsqlAligned, Blanks, true),
        format(
            &[
                "-P",
                "linestyle=unicode",
                "-P",
                "border=2",
                "-P",
                "unicode_border_linestyle=double",
                "-P",
                "unicode_column_linestyle=double",
                "-P",
                "unicode_header_linestyle=double",
            ],
            PsqlAligned,
            Blanks,
            true,
        ),
        format(
            &["-P", "linestyle=unicode", "-P", "border=0"],
            PsqlAligned,
            Blanks,
            false,
        ),
        format(&["-P", "linestyle=old-ascii"], PsqlAligned, Blanks, true),
        format(
            &["-P", "linestyle=old-ascii", "-P", "border=2"],
            PsqlAligned,
            Blanks,
            true,
        ),
        format(
            &["-P", "format=wrapped", "-P", "columns=120"],
            PsqlAligned,
            Wide,
            true,
        ),
        format(
            &[
                "-P",
                "format=wrapped",
                "-P",
                "columns=120",
                "-P",
                "linestyle=unicode",
                "-P",
                "border=2",
            ],
            PsqlAligned,
            Wide,
            true,
        ),
        format(
            &[
                "-P",
                "format=wrapped",
                "-P",
                "columns=120",
                "-P",
                "border=0",
            ],
            PsqlAligned,
            Wide,
            true,
        ),
        format(&["-x"], PsqlExpanded, Blanks, true),
        format(&["-x"], PsqlExpanded, Blanks, false),
        format(&["-x", "-P", "border=0"], PsqlExpanded, Blanks, true),
        format(&["-x", "-P", "border=2"], PsqlExpanded, Blanks, true),
        format(
            &["-x", "-P", "linestyle=unicode", "-P", "border=2"],
            PsqlExpanded,
            Blanks,
            true,
        ),
        format(
            &["-x", "-P", "linestyle=old-ascii"],
            PsqlExpanded,
            Blanks,
            true,
        ),
        format(
            &["-x", "-P", "format=wrapped", "-P", "columns=60"],
            PsqlExpanded,
            Wide,
            true,
        ),
        format(&["-x", "-t"], PsqlAligned, Blanks, true),
        format(&["-A"], PsqlAligned, Bars, true),
        format(&["-A", "-F", "::"], PsqlAligned, Blanks, true),
        format(&["-A", "-F", ";"], PsqlAligned, Bars, false),
        format(&["-A", "-F", "\t"], PsqlAligned, Bars, true),
        format(&["-A", "-t"], PsqlAligned, Lines, true),
        format(&["-t"], PsqlAligned, Lines, false),
        format(&["-x", "-A"], PsqlExpanded, Bars, true),
        format(&["-x", "-A"], PsqlExpanded, Bars, false),
        file(&["-x", "-A"], PsqlExpanded, Bars, true),
        file(&["-x", "-A", "-t"], PsqlExpanded, Bars, true),
        file(&["-x", "-A", "-F", ";"], PsqlExpanded, Bars, true),
        format(&["-x", "-A", "-F", "::"], PsqlAligned, Blanks, true),
        format(&["-A", "-z"], PsqlAligned, Blanks, true),
        format(&["-A", "-0"], PsqlUnaligned, Bars, true),
        file(&["-A", "-0"], PsqlUnaligned, Bars, false),
        format(&["-A", "-z", "-0"], PsqlUnaligned, Nothing, true),
        file(&["-A", "-z", "-0"], PsqlUnaligned, Nothing, false),
        format(&["-A", "-z", "-0", "-t"], PsqlAligned, Nothing, true),
        format(&["-x", "-A", "-z"], PsqlExpanded, Nothing, true),
        file(&["-x", "-A", "-z"], PsqlExpanded, Nothing, false),
        format(&["-x", "-A", "-0"], PsqlExpanded, Nothing, true),
        file(&["-x", "-A", "-0"], PsqlExpanded, Nothing, true),
        file(&["-x", "-A", "-z", "-0"], PsqlExpanded, Nothing, true),
        format(&["-x", "-A", "-z", "-0"], PsqlExpanded, Nothing, false),
        format(&["-A", "-R", ";"], PsqlAligned, Bars, true),
        format(&["-A", "-R", "\n\n", "-F", "~"], PsqlAligned, Lines, true),
        file(&["-x", "--csv"], PsqlExpanded, Nothing, false),
        file(
            &["-x", "--csv", "-P", "csv_fieldsep=;"],
            PsqlExpanded,
            Nothing,
            true,
        ),
        format(&["-x", "--csv"], PsqlAligned, Nothing, false),
        format(&["--csv"], Delimited, Nothing, false),
        format(
            &["-P", "format=csv", "-P", "csv_fieldsep=;"],
            Delimited,
            Nothing,
            false,
        ),
        format(&["--csv"], Delimited, Lines, true),
        format(&[COPY], Delimited, Nothing, false),
        format(&["-H"], Markup, Blanks, true),
        format(&["-H", "-x"], Markup, Blanks, true),
        format(&["-P", "format=asciidoc"], Markup, Blanks, true),
        format(&["-x", "-P", "format=asciidoc"], Markup, Blanks, true),
        format(&["-P", "format=latex"], Markup, Blanks, true),
    ]
}

#[test]
fn every_format_is_what_postgres_says() {
    let Some(cluster) = start() else {
        eprintln!("SKIPPED: no PostgreSQL under /usr/lib/postgresql: psql is not compared with it");
        return;
    };
    cluster.sql("postgres", SETUP);
    check_all(
        |options, sql| cluster.psql(options, sql),
        |sql| cluster.sql("postgres", sql),
    );
}

/// Runs psql with options, and asks PostgreSQL for the truth.
fn check_all(print: impl Fn(&[&str], &str) -> Vec<u8>, truth: impl Fn(&str) -> String) {
    let mut failed = Vec::new();
    for format in formats() {
        let mut clean = match format.clean {
            Clean::Nothing => "(t || '')".to_owned(),
            _ => r"regexp_replace(t, '[\x01-\x09\x0b-\x1f]', '', 'g')".to_owned(),
        };
        if matches!(format.clean, Clean::Bars | Clean::Lines) {
            clean = format!("translate({clean}, '|;', '')");
        }
        if format.clean == Clean::Wide {
            clean = format!("translate({clean}, '中😀', '')");
        }
        if format.clean == Clean::Lines {
            clean = format!(r"btrim(replace({clean}, E'\n', ''))");
        }
        if format.clean != Clean::Nothing {
            clean = format!(r"regexp_replace({clean}, ' +(\n|$)', '\1', 'g')");
        }
        let select =
            format!("select id, {clean} as t, b, ts, bo, n2, {clean} as u from nasty_rows");
        let mut options = format.options.to_vec();
        if format.null {
            options.extend(["-P", "null=(null)"]);
        }
        // CSV is a file of its own; anything else is pasted below its query, or is what psql wrote into a file.
        let mut text = Vec::new();
        if format.pasted {
            text.extend_from_slice(format!("postgres=# {select};\n").as_bytes());
        }
        text.extend_from_slice(&match format.options {
            [COPY] => print(
                &[],
                &format!("\\copy ({select}) to stdout (format csv, header)"),
            ),
            _ => print(&options, &select),
        });
        let expected = truth(&format!(
            "select id, encode(convert_to({clean}, 'UTF8'), 'hex'), encode(b, 'hex'), bo, n2 from nasty_rows order by ctid"
        ));
        // All formats are tried, so that one run says all that is wrong.
        let whole = || check(&format, &text, &expected);
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(whole)).is_err() {
            failed.push((format.options, format.pasted));
        }
    }
    assert!(failed.is_empty(), "{failed:?}");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[track_caller]
fn check(format: &Format, text: &[u8], expected: &str) {
    let (options, kind) = (format.options, format.kind);
    let (facts, kept) = read_all(text);
    assert_eq!(facts.kind, kind, "{options:?}");
    assert_eq!(
        facts.status,
        DumpStatus::Complete,
        "{options:?} {:?}",
        &facts.rejects[..facts.rejects.len().min(5)]
    );
    assert_eq!(facts.reject_count, 0, "{options:?} {:?}", facts.rejects);
    let table = &facts.tables[0].info.name;
    let expected: Vec<Vec<&str>> = expected
        .lines()
        .map(|line| line.split('\t').collect())
        .collect();
    let batch = kept.only(table);
    assert_eq!(batch.rows(), expected.len(), "{options:?}");
    let names: Vec<&str> = batch.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(
        names,
        ["id", "t", "b", "ts", "bo", "n2", "u", "#"],
        "{options:?}"
    );
    for (row, expected) in expected.iter().enumerate() {
        let at = format!("{options:?} row {row}");
        assert_eq!(cell(batch.column("id").unwrap(), row), expected[0], "{at}");
        for name in ["t", "u"] {
            let found = batch.column(name).unwrap().bytes(row).map(hex);
            let told = options == [COPY] || format.null;
            let wanted = match expected[1] {
                "NULL" => None,
                // Without a symbol an empty cell and null look the same.
                "" if !told => None,
                digits => Some(digits.to_owned()),
            };
            assert_eq!(found, wanted, "{name} of {at}");
        }
        let bytes = batch.column("b").unwrap().bytes(row).map(hex);
        assert_eq!(bytes.as_deref().unwrap_or("NULL"), expected[2], "b of {at}");
        let truth = cell(batch.column("bo").unwrap(), row);
        assert!(truth.starts_with(expected[3]), "{truth} {at}");
        assert_eq!(
            cell(batch.column("n2").unwrap(), row),
            expected[4],
            "n2 of {at}"
        );
    }
}

#[test]
fn the_seed_can_be_followed_in_every_format_of_the_corpus() {
    for (name, kind) in [
        ("z2023.psql.expanded.txt", DumpKind::PsqlExpanded),
        ("znew.psql.expanded.txt", DumpKind::PsqlExpanded),
        ("z2023fork.psql.expanded.txt", DumpKind::PsqlExpanded),
        ("z2023.psql.unaligned.txt", DumpKind::PsqlUnaligned),
        ("znew.psql.unaligned.txt", DumpKind::PsqlUnaligned),
        ("z2023fork.psql.unaligned.txt", DumpKind::PsqlUnaligned),
    ] {
        let Some(text) = corpus(name) else { return };
        let (facts, kept) = read_all(&text);
        assert_eq!(facts.kind, kind, "{name}");
        assert_eq!(facts.reject_count, 0, "{name} {:?}", facts.rejects);
        let aligned = name
            .replace("expanded", "aligned")
            .replace("unaligned", "aligned");
        let Some(aligned) = corpus(&aligned) else {
            return;
        };
        let (_, expected) = read_all(&aligned);
        same_tables(name, &kept, &expected);
    }
}

/// Checks that the tables of a text without queries hold what those with queries hold.
#[track_caller]
fn same_tables(name: &str, kept: &Kept, expected: &Kept) {
    assert_eq!(kept.rows.len(), expected.rows.len(), "{name}");
    for ((info, batch), (wanted, whole)) in kept.rows.iter().zip(&expected.rows) {
        assert_eq!(info.name, wanted.name, "{name}");
        assert_eq!(batch.rows(), whole.rows());
        for column in &batch.columns {
            let other = whole.column(&column.name).unwrap();
            assert_eq!(
                column.column_type, other.column_type,
                "{name} {}",
                column.name
            );
            for row in 0..batch.rows() {
                assert_eq!(
                    cell(column, row),
                    cell(other, row),
                    "{name} {}",
                    column.name
                );
            }
        }
    }
}

#[test]
fn other_formats_of_the_corpus_give_the_same_rows() {
    for name in [
        "z2023.psql.other-formats.txt",
        "znew.psql.other-formats.txt",
    ] {
        let Some(text) = corpus(name) else { return };
        let (facts, kept) = read_all(&text);
        assert_eq!(facts.kind, DumpKind::PsqlAligned);
        assert_eq!(facts.reject_count, 0, "{name} {:?}", facts.rejects);
        let rows: Vec<_> = facts
            .tables
            .iter()
            .map(|table| (table.info.name.as_str(), table.rows, table.blocks.len()))
            .collect();
        // Border 2 and wrapped; then border 2, unicode, AsciiDoc, LaTeX, HTML of one query.
        assert_eq!(rows, [("miniblocks", 1, 2), ("l1_batches", 1, 5)]);
        let batch = kept.only("l1_batches");
        assert_eq!(cell(batch.column("eth_execute_tx_id").unwrap(), 0), "41151");
        let hash = kept
            .only("miniblocks")
            .column("hash")
            .unwrap()
            .bytes(0)
            .map(hex);
        assert_eq!(
            hash.as_deref(),
            Some("6191693038619169303861916930386191693038619169303861916930386191")
        );
    }
}

#[test]
fn rows_without_names_are_read_and_numbered() {
    for name in [
        "z2023.psql.unaligned-tab-tuples-only.txt",
        "znew.psql.unaligned-tab-tuples-only.txt",
    ] {
        let Some(text) = corpus(name) else { return };
        let (facts, kept) = read_all(&text);
        assert_eq!(facts.kind, DumpKind::PsqlUnaligned);
        assert_eq!(facts.reject_count, 0, "{:?}", facts.rejects);
        let columns: Vec<usize> = facts.tables.iter().map(|t| t.info.columns.len()).collect();
        assert_eq!(columns, [5, 6, 3]);
        let second = &kept.rows[1].1;
        assert_eq!(cell(second.column("c1").unwrap(), 0), "41091");
        assert_eq!(cell(second.column("c6").unwrap(), 0), "43194");
    }
}

#[test]
fn jobs_of_two_nodes_in_expanded_form_are_those_of_the_dump() {
    for node in ["main-node", "extension-node"] {
        let Some(text) = corpus(&format!("z2023.prover_jobs.{node}.expanded.txt")) else {
            return;
        };
        let Some(dump) = corpus(&format!("z2023.prover_jobs.{node}.copy.sql.gz")) else {
            return;
        };
        let dump = dumps::DumpSource::from_bytes(dump, crate::common::naming()).unwrap();
        let (facts, kept) = read_all(&text);
        assert_eq!(facts.reject_count, 0, "{:?}", facts.rejects);
        let batch = kept.only("prover_jobs");
        assert_eq!(batch.rows(), 9);
        let mut shown = batch.clone();
        // An empty cell is null here; the dump says what it was.
        shown
            .columns
            .retain(|column| !(0..batch.rows()).all(|row| column.is_null(row)));
        let cells = crate::delimited::same_rows(&dump, "prover_jobs", &["id"], &shown);
        assert!(cells >= 9 * 8, "{cells}");
    }
}

#[test]
fn tables_of_a_postmortem_draft() {
    let text = "# Draft\n\nselect number, eth_commit_tx_id from l1_batches;\n\n| `number` | **eth_commit_tx_id** |\n|---:|:---|\n| 7670 | 41073 |\n| 7671 | |\n| 7672 |\n| 1 | 2 | 3 |\n\nAnd so on.\n";
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.kind, DumpKind::Markup);
    let batch = kept.only("l1_batches");
    let cells: Vec<_> = (0..batch.rows())
        .map(|row| (cell(&batch.columns[0], row), cell(&batch.columns[1], row)))
        .collect();
    let expected = [("7670", "41073"), ("7671", "NULL"), ("7672", "NULL")];
    assert_eq!(cells, expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let damaged: Vec<_> = kept
        .rejects
        .iter()
        .filter(|reject| reject.trouble == dumps::Trouble::Damaged)
        .map(|reject| (reject.line, reject.what.as_str()))
        .collect();
    assert_eq!(damaged, [(10, "the row has 3 cells, the table 2 columns")]);
}

#[test]
fn sessions_say_what_null_is() {
    let (facts, kept) = read_all(
        "db=# \\pset null '-'\nNull display is \"-\".\ndb=# select id, note from eth_txs;\n id | note \n----+------\n  1 | -\n  2 | \n  - | x\n(3 rows)\n\nTime: 1.2 ms\n"
            .as_bytes(),
    );
    assert_eq!(facts.reject_count, 0, "{:?}", facts.rejects);
    let batch = kept.only("eth_txs");
    let cells: Vec<String> = (0..3)
        .map(|row| {
            format!(
                "{}|{}",
                cell(&batch.columns[0], row),
                cell(&batch.columns[1], row)
            )
        })
        .collect();
    assert_eq!(cells, ["1|NULL", "2|", "NULL|x"]);
    // Without psql's word a symbol is null where values have a type, and text where they have none.
    let (_, kept) = read_all(
        b"db=# select id, note from eth_txs;\n id | note \n----+------\n  1 | nil\n  2 | x\n(2 rows)\n",
    );
    assert_eq!(cell(&kept.only("eth_txs").columns[1], 0), "nil");
}

#[test]
fn what_is_not_read_is_named() {
    for (text, format) in [
        (
            "db=# select 1;\n.LP\n.TS\ncenter;\nl.\n\\fIa\\fP\n_\n1\n.TE\n",
            "troff-ms",
        ),
        (
            "\\begin{longtable}{l}\n\\raggedright{1} \\tabularnewline\n\\end{longtable}\n",
            "latex-longtable",
        ),
    ] {
        let (facts, kept) = read_all(text.as_bytes());
        assert_eq!(facts.status, DumpStatus::Damaged, "{format}");
        assert!(
            kept.rejects
                .iter()
                .any(|reject| reject.what.contains(format))
        );
    }
}

#[test]
fn bare_rows_that_can_not_be_told_apart_are_damaged() {
    let read = |text: &str| {
        let (facts, kept) = read_all(text.as_bytes());
        let rows: Vec<String> = kept
            .rows
            .iter()
            .flat_map(|(_, batch)| {
                (0..batch.rows()).map(|row| {
                    let cells: Vec<String> = batch.columns.iter().map(|c| cell(c, row)).collect();
                    cells.join("|")
                })
            })
            .collect();
        (
            facts.kind,
            rows,
            facts.tables.iter().map(|t| t.damaged_rows).sum::<u64>(),
        )
    };
    use DumpKind::PsqlExpanded;
    // A cell that holds a name of the table in front of it, and one that holds a whole begin of a row.
    let (kind, rows, damaged) = read("id|1\nt|x\nid|7\nu|a\n\nid|2\nt|y\nu|b\n\nid|3\nt|z\nu|c\n");
    assert_eq!((kind, damaged), (PsqlExpanded, 1));
    assert_eq!(rows, ["2|y|b|1", "3|z|c|2"]);
    let (_, rows, damaged) = read("id|1\nt|x\nu|a\n\nid|2\nt|y\nu|b\n\nid|9\n\nid|3\nt|z\nu|c\n");
    assert_eq!(
        (rows, damaged),
        (["1|x|a|1", "3|z|c|2"].map(str::to_owned).to_vec(), 2)
    );
    // The file is cut in the middle of a row.
    let (_, rows, damaged) = read("id|1\nt|x\nu|3\n\nid|2\nt|y\nu|4\n\nid|3\nt|");
    assert_eq!((rows.len(), damaged), (2, 1));
    // Two queries' rows in one file, and prose behind them.
    let (_, rows, damaged) = read("a|1\nb|2\n\na|3\nb|4\nc|5\nd|6\n\nc|7\nd|8\n\nprose\n");
    assert_eq!(
        (rows, damaged),
        (
            ["1|2|1", "3|4|2", "5|6|1", "7|8|2"]
                .map(str::to_owned)
                .to_vec(),
            0
        )
    );
    // Expanded CSV that is cut.
    let (kind, rows, damaged) = read("a,1\nb,2\na,3\nb,4\na,5\n");
    assert_eq!((kind, rows.len(), damaged), (PsqlExpanded, 2, 1));
    // A row with a cell too many, between NULs.
    let (_, rows, damaged) = read("a|b\x001|2\x003|4|5\x006|7\x00(3 rows)\x00");
    assert_eq!(
        (rows, damaged),
        (vec!["1|2|1".to_owned(), "6|7|2".to_owned()], 1)
    );
}

#[test]
fn separators_that_can_not_be_known_are_named() {
    for text in [
        "db=# select id, t from jobs;\nid and t;1 and a;b;(1 row)\n",
        "db=# select id, t from jobs;\nid;;;t\n1;;;x\n2;y\n(2 rows)\n",
    ] {
        let (facts, kept) = read_all(text.as_bytes());
        assert_eq!(facts.status, DumpStatus::Damaged, "{text}");
        assert!(kept.rows.is_empty(), "{text}");
        let named = |reject: &dumps::Located| reject.what.contains("\\pset format csv");
        assert!(kept.rejects.iter().any(named), "{:?}", kept.rejects);
    }
}

#[test]
fn line_ends_of_another_system_do_not_change_cells() {
    let text = "id|1\nt|x\ny\n\nid|2\nt|z\n".replace('\n', "\r\n");
    let (facts, kept) = read_all(text.as_bytes());
    assert_eq!(facts.reject_count, 0, "{:?}", facts.rejects);
    let (_, batch) = &kept.rows[0];
    let column = batch.column("t").unwrap();
    assert_eq!(
        (cell(column, 0), cell(column, 1)),
        ("x\ny".into(), "z".into())
    );
}

#[test]
fn cells_with_line_feeds_that_can_not_be_placed_are_left_out() {
    // Both outer columns are text: nobody can say whose the middle line is.
    let (facts, kept) = read_all(b"prose\na|b\nx|1 y\nmiddle\nz|w\n(2 rows)\n");
    assert!(kept.rows.is_empty(), "{:?}", facts.tables);
    let (_, kept) = read_all(b"a|b\n1|y\nmiddle\n2|w\n(2 rows)\n");
    let (_, batch) = &kept.rows[0];
    assert_eq!(cell(&batch.columns[1], 0), "y\nmiddle");
}
