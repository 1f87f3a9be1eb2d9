//! Several databases or takes in one file: each is a snapshot of its own, and no row changes sides.

use dumps::{DumpSource, Naming};
use model::{RowFilter, TableSource};

const HEADER: &str = "--\n-- PostgreSQL database dump\n--\n\n";
const FOOTER: &str = "--\n-- PostgreSQL database dump complete\n--\n\n";

fn declared(table: &str) -> String {
    format!("CREATE TABLE public.{table} (a integer NOT NULL);\n\n")
}

fn rows(table: &str, values: &[i64]) -> String {
    let values: String = values.iter().map(|value| format!("{value}\n")).collect();
    format!("COPY public.{table} (a) FROM stdin;\n{values}\\.\n\n")
}

fn inserts(table: &str, values: &[i64]) -> String {
    let insert = |value| format!("INSERT INTO public.{table} (a) VALUES ({value});\n");
    values.iter().map(insert).collect::<String>() + "\n"
}

fn dump(inside: &[String]) -> String {
    format!("{HEADER}{}{FOOTER}", inside.concat())
}

fn open(text: String) -> DumpSource {
    let naming = Naming {
        file: "all".to_owned(),
        source: "0123456789ab".into(),
        ..Naming::default()
    };
    DumpSource::from_bytes(text.into_bytes(), naming).unwrap()
}

/// Each table with what references call it, and its rows.
fn content(source: &DumpSource) -> Vec<(String, String, Vec<i64>)> {
    let mut tables: Vec<_> = source
        .tables()
        .into_iter()
        .map(|info| {
            let name = info.full_name();
            let batch = source.read(&name, &["a"], &RowFilter::All).unwrap();
            let values = (0..batch.rows()).map(|row| batch.columns[0].i64(row).unwrap());
            // What a reference names is this row and no other.
            for (row, value) in values.clone().enumerate() {
                let ordinal = Some(row as i64 + 1);
                let reference = info.row_reference(&batch, row, ordinal);
                let (_, key) = reference.split_once('#').unwrap();
                let (_, text) = source
                    .row_text(&info.reference_name(), key)
                    .unwrap()
                    .unwrap();
                assert_eq!(
                    String::from_utf8_lossy(&text).trim(),
                    value.to_string(),
                    "{reference}"
                );
            }
            let values = values.collect();
            (info.reference_name(), name, values)
        })
        .collect();
    tables.sort();
    tables
}

fn expected(tables: &[(&str, &str, &[i64])]) -> Vec<(String, String, Vec<i64>)> {
    let own = |(by_reference, by_name, values): &(&str, &str, &[i64])| {
        (
            (*by_reference).to_owned(),
            (*by_name).to_owned(),
            values.to_vec(),
        )
    };
    tables.iter().map(own).collect()
}

fn database(name: &str, inside: &[String]) -> String {
    format!(
        "{HEADER}CREATE DATABASE {name};\n\\connect {name}\n\n{}{FOOTER}",
        inside.concat()
    )
}

#[test]
fn databases_of_a_cluster_keep_their_names() {
    let t = |value| [declared("t"), rows("t", &[value])];
    let text = [
        database("template1", &[]),
        database("rollup", &t(1)),
        database("prover", &t(2)),
        // Who comes back to a database does so at another time.
        database("rollup", &t(3)),
        // The same database under another role is the same.
        "\\connect rollup\n\nINSERT INTO public.t VALUES (4);\n".to_owned(),
    ];
    let source = open(text.concat());
    let tables = content(&source);
    assert_eq!(
        tables,
        expected(&[
            ("prover.public.t", "prover.public.t", &[2]),
            ("public.t", "rollup.public.t", &[1]),
            ("rollup_2.public.t", "rollup_2.public.t", &[3, 4]),
        ])
    );
    // A table's name alone does not say which.
    assert!(source.read("t", &["a"], &RowFilter::All).is_err());
    let databases: Vec<_> = source
        .facts()
        .parts
        .iter()
        .map(|part| part.database.as_deref())
        .collect();
    assert_eq!(databases, [Some("prover"), Some("rollup")]);
}

#[test]
fn a_name_that_was_given_goes_in_front() {
    let t = |value| [declared("t"), rows("t", &[value])];
    let text = [database("rollup", &t(1)), database("prover", &t(2))].concat();
    let naming = Naming {
        given: Some("monday".to_owned()),
        ..Naming::default()
    };
    let source = DumpSource::from_bytes(text.into_bytes(), naming).unwrap();
    let names: Vec<String> = source
        .tables()
        .into_iter()
        .map(|info| info.snapshot)
        .collect();
    assert_eq!(names, ["monday", "monday_prover"]);
}

#[test]
fn two_dumps_of_a_database_are_two_takes() {
    for data in [rows, inserts] {
        let take = |values: &[i64]| {
            dump(&[
                declared("t"),
                declared("u"),
                data("t", values),
                data("u", &[9]),
            ])
        };
        let tables = content(&open(take(&[1]) + &take(&[1, 2]) + &take(&[3])));
        assert_eq!(
            tables,
            expected(&[
                ("dump_2.public.t", "all_2.public.t", &[1, 2]),
                ("dump_2.public.u", "all_2.public.u", &[9]),
                ("dump_3.public.t", "all_3.public.t", &[3]),
                ("dump_3.public.u", "all_3.public.u", &[9]),
                ("public.t", "all.public.t", &[1]),
                ("public.u", "all.public.u", &[9]),
            ])
        );
        // Of data alone.
        let take = |value| dump(&[data("t", &[value])]);
        let tables = content(&open(take(1) + &take(2)));
        assert_eq!(
            tables,
            expected(&[
                ("dump_2.public.t", "all_2.public.t", &[2]),
                ("public.t", "all.public.t", &[1]),
            ])
        );
    }
}

#[test]
fn one_database_in_several_dumps_is_one_snapshot() {
    let schema_and_data = dump(&[declared("t"), declared("u")])
        + &dump(&[rows("t", &[1]), rows("u", &[2])])
        + &dump(&["ALTER TABLE ONLY public.t ADD CONSTRAINT k PRIMARY KEY (a);\n".to_owned()]);
    let by_table =
        dump(&[declared("t"), rows("t", &[1])]) + &dump(&[declared("u"), rows("u", &[2])]);
    for (text, keys) in [(schema_and_data, 1), (by_table, 0)] {
        let source = open(text);
        assert_eq!(
            content(&source),
            expected(&[
                ("public.t", "all.public.t", &[1]),
                ("public.u", "all.public.u", &[2]),
            ])
        );
        let tables = source.tables();
        let table = tables.iter().find(|info| info.name == "t").unwrap();
        assert_eq!(table.primary_key.len(), keys);
        assert!(!table.types_inferred);
    }
}
