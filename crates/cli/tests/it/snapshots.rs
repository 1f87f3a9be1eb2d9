//! Snapshots of databases: whose schema they have, in which zone their clock wrote.

use crate::run::{Desk, corpus_dump};
use serde_json::Value;
use std::fmt::Write as _;

/// A dump of miniblocks that were written `lag_s` seconds after their time by a clock of some zone.
fn miniblocks(schema: &str, times: impl Iterator<Item = (i64, i64)>) -> String {
    let mut dump = format!(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE {schema}.miniblocks (\n    number bigint NOT NULL,\n    \"timestamp\" bigint NOT NULL,\n    \
         created_at timestamp without time zone NOT NULL\n);\n\nCOPY {schema}.miniblocks (number, \"timestamp\", created_at) FROM stdin;\n"
    );
    for (number, (block_s, written_s)) in times.enumerate() {
        let written = model::time::format_civil(written_s * 1_000_000).replace('T', " ");
        writeln!(dump, "{number}\t{block_s}\t{written}").unwrap();
    }
    dump.push_str("\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n");
    dump
}

fn snapshot(desk: &Desk, evidence: &str) -> Value {
    let info = desk.json(&["info", evidence, "--format", "json"], 0);
    crate::schemas::valid("info", &info);
    info["snapshots"][0].clone()
}

#[test]
fn migrations_name_the_release() {
    let expected = [
        (
            "z2023.full.copy.sql.gz",
            "20230817101508",
            "zkSync Era core and prover, schema of 2023-08-17: older than core-v19.0.0 (2024-01) (by _sqlx_migrations)",
        ),
        (
            "znew.full.copy.sql.gz",
            "20260612000000",
            "zkSync Era core, schema of 2026-06-12: core-v24.29.0 or newer (by _sqlx_migrations)",
        ),
        (
            "znew.prover.full.copy.sql.gz",
            "20250717135127",
            "zkSync Era prover, schema of 2025-07-17 (by _sqlx_migrations)",
        ),
    ];
    let desk = Desk::new();
    for (name, version, about) in expected {
        let Some(path) = corpus_dump(name) else {
            return;
        };
        let snapshot = snapshot(&desk, &path);
        assert_eq!(snapshot["schema_version"], version);
        assert_eq!(snapshot["schemas"][0]["about"], about);
        assert_eq!(snapshot["schemas"][0]["notes"], serde_json::json!([]));
    }
}

#[test]
fn a_column_of_no_release_is_named() {
    let desk = Desk::new();
    let Some(path) = corpus_dump("z2023fork.eth_txs.copy.sql.gz") else {
        return;
    };
    let snapshot = snapshot(&desk, &path);
    assert_eq!(
        snapshot["schemas"][0]["notes"][0],
        "column eth_txs.tx_status is of no release: this is a fork's database"
    );
    assert_eq!(snapshot["schema_version"], Value::Null);
}

#[test]
fn two_schemas_of_one_dump_stay_apart() {
    let desk = Desk::new();
    let migrations = |schema: &str, version: &str| {
        format!(
            "CREATE TABLE {schema}._sqlx_migrations (\n    version bigint NOT NULL,\n    success boolean NOT NULL\n);\n\
             COPY {schema}._sqlx_migrations (version, success) FROM stdin;\n{version}\tt\n20990101000000\tf\n\\.\n\
             CREATE TABLE {schema}.{} (\n    id bigint\n);\n",
            if schema == "prover" {
                "prover_jobs_fri"
            } else {
                "l1_batches"
            }
        )
    };
    let text = migrations("public", "20240920144613") + &migrations("prover", "20240905124208");
    desk.write("both.sql", text);
    let snapshot = snapshot(&desk, "both.sql");
    let schemas: Vec<(&str, &str)> = snapshot["schemas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|schema| {
            (
                schema["name"].as_str().unwrap(),
                schema["version"].as_str().unwrap(),
            )
        })
        .collect();
    // The migration that failed is none.
    assert_eq!(
        schemas,
        [("prover", "20240905124208"), ("public", "20240920144613")]
    );
    assert_eq!(snapshot["schema_version"], "20240920144613");
}

#[test]
fn the_zone_of_a_database_is_solved_from_its_rows() {
    let desk = Desk::new();
    // Shanghai, two seconds after each block.
    let shanghai = (0..40).map(|n| (1_694_167_200 + n, 1_694_167_200 + n + 28_802));
    desk.write("shanghai.sql", miniblocks("public", shanghai));
    let zone = snapshot(&desk, "shanghai.sql")["zone"].clone();
    assert_eq!(zone["value"], "+08:00");
    assert_eq!(zone["basis"], "rows");
    assert_eq!(zone["residual_s"], 2.0);
    assert_eq!(zone["witnesses"], 40);
    // Times in the timeline follow.
    let timeline = desk.run(&["timeline", "shanghai.sql", "--format", "jsonl"]);
    assert!(timeline.code <= 1, "{timeline:?}");

    // Berlin over the end of summer time: no single zone is right.
    let change = 1_698_541_200;
    let berlin = (-100..100).map(|hour| {
        let block_s = change + hour * 3600;
        let zone = if hour < 0 { 7200 } else { 3600 };
        (block_s, block_s + zone + 1)
    });
    desk.write("berlin.sql", miniblocks("public", berlin));
    let zone = snapshot(&desk, "berlin.sql")["zone"].clone();
    assert_eq!(zone["value"], Value::Null);
    assert_eq!(zone["changes"][0]["value"], "+02:00");
    assert_eq!(zone["changes"][1]["value"], "+01:00");
    assert_eq!(zone["changes"][1]["from"], "2023-10-30");

    // A node that copied its rows hours later shows nothing; the user may know.
    let late = (0..40).map(|n| (1_694_167_200 + n, 1_694_167_200 + n * 60 + 11_000));
    desk.write("late.sql", miniblocks("public", late));
    let zone = snapshot(&desk, "late.sql")["zone"].clone();
    assert_eq!(
        (&zone["value"], &zone["basis"]),
        (&Value::Null, &"none".into())
    );
    let said = desk.run(&["ingest", "x.case", "late.sql", "--zone", "+08:00"]);
    assert_eq!(said.code, 0, "{said:?}");
    let zone = snapshot(&desk, "x.case")["zone"].clone();
    assert_eq!(
        (&zone["value"], &zone["basis"]),
        (&"+08:00".into(), &"given".into())
    );
}

/// A dump of L1 transactions: id and the civil second in which its row was written.
fn eth_txs(rows: impl Iterator<Item = (i64, i64)>) -> String {
    let rows: String = rows
        .map(|(id, written_s)| {
            let written = model::time::format_civil(written_s * 1_000_000 + 2_000);
            format!("{id}\t{}\n", written.replace('T', " "))
        })
        .collect();
    format!(
        "CREATE TABLE public.eth_txs (\n    id integer NOT NULL,\n    created_at timestamp without time zone NOT NULL\n);\n\n\
         COPY public.eth_txs (id, created_at) FROM stdin;\n{rows}\\.\n\n"
    )
}

#[test]
fn the_zone_of_a_database_is_solved_from_log_lines() {
    let desk = Desk::new();
    let saved_s = |n: i64| 1_695_008_663 + n * 600;
    let log = |shift_s: i64| -> String {
        (0..6)
            .map(|n| {
                format!(
                    "{}Z  INFO zksync_core::eth_sender::eth_tx_aggregator: eth_tx with ID {} for op commit was saved for \
                     L1 batches L1BatchNumber({n})..=L1BatchNumber({n})\n",
                    model::time::format_civil((saved_s(n) + shift_s) * 1_000_000),
                    41_073 + n
                )
            })
            .collect()
    };
    // Six rows beside lines, and one of half a year later.
    let shanghai = || {
        let rows = (0..6).map(|n| (41_073 + n, saved_s(n) + 28_800));
        eth_txs(rows.chain([(50_000, saved_s(0) + 28_800 + 180 * 86_400)]))
    };
    let disagree = eth_txs((0..6).map(|n| (41_073 + n, saved_s(n) + 28_800 + n * 60)));
    let two_zones = eth_txs((0..6).map(|n| (41_073 + n, saved_s(n) + 3_600 * (1 + n % 2))));
    desk.write("e/server.log", log(0))
        .write("e/shanghai.sql", shanghai())
        .write("alone/shanghai.sql", shanghai())
        .write("disagree/server.log", log(0))
        .write("disagree/late.sql", disagree)
        .write("servers/one.log", log(0))
        .write("servers/other.log", log(7_200))
        .write("servers/shanghai.sql", shanghai())
        .write("two/server.log", log(0))
        .write("two/zones.sql", two_zones);
    let zone = snapshot(&desk, "e")["zone"].clone();
    assert_eq!(zone["value"], "+08:00", "{zone}");
    assert_eq!(zone["basis"], "logs");
    assert_eq!((&zone["witnesses"], &zone["rows"]), (&6.into(), &6.into()));
    // The timeline puts the rows beside the lines; of a day without lines it says nothing.
    let timeline = desk.run(&["timeline", "e", "--format", "jsonl"]);
    let times: Vec<Value> = timeline
        .lines()
        .into_iter()
        .filter(|row| row["component"] == "shanghai")
        .map(|row| row["ts"].clone())
        .collect();
    assert_eq!(times.len(), 7, "{timeline:?}");
    assert_eq!(times[0], "2023-09-18T03:44:23.002000Z");
    assert_eq!(times[6], Value::Null);
    // Without a log, where pairs disagree, or beside two servers that count alike, nobody knows.
    for evidence in ["alone", "disagree", "servers", "two"] {
        let zone = snapshot(&desk, evidence)["zone"].clone();
        let told = (&zone["value"], &zone["basis"]);
        assert_eq!(told, (&Value::Null, &"none".into()), "{evidence}");
    }
}

/// A dump of L1 batches: number and whether it is sealed.
fn batches(rows: &[(i64, char)]) -> String {
    let rows: String = rows
        .iter()
        .map(|(number, sealed)| format!("{number}\t{sealed}\n"))
        .collect();
    format!(
        "--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.l1_batches (\n    number bigint NOT NULL,\n    is_sealed boolean NOT NULL\n);\n\n\
         COPY public.l1_batches (number, is_sealed) FROM stdin;\n{rows}\\.\n\nALTER TABLE ONLY public.l1_batches\n    ADD CONSTRAINT p PRIMARY KEY (number);\n\n\
         --\n-- PostgreSQL database dump complete\n--\n\n"
    )
}

#[test]
fn two_dumps_of_a_database_are_compared() {
    let desk = Desk::new();
    desk.write(
        "d/monday.sql",
        batches(&[(1, 't'), (2, 't'), (3, 't'), (4, 'f')]),
    )
    .write("d/tuesday.sql", batches(&[(1, 't'), (2, 'f')]))
    .write("d/same.sql", batches(&[(2, 'f'), (1, 't')]));
    let diff = |before: &str, after: &str, code| {
        let found = desk.json(&["diff", "d", before, after, "--format", "json"], code);
        crate::schemas::valid("diff", &found);
        found
    };
    let found = diff("monday", "tuesday", 0);
    let table = &found["tables"][0];
    assert_eq!(table["name"], "l1_batches");
    assert_eq!(
        (&table["gone"], &table["changed"], &table["new"]),
        (&2.into(), &1.into(), &0.into())
    );
    assert_eq!(found["events"][0]["kind"], "revert");
    assert_eq!(
        (&found["events"][0]["first"], &found["events"][0]["last"]),
        (&3.into(), &4.into())
    );
    // What a row refers to can be shown.
    let reference = table["rows"][0]["ref_before"].as_str().unwrap();
    let shown = desk.run(&["show", "d", reference]);
    assert!(shown.code == 0 && shown.stdout.contains("3"), "{shown:?}");
    // Rows in another order are the same rows.
    let same = diff("tuesday", "same", 1);
    assert_eq!(same["tables"][0]["changed"], 0);
    assert!(same["looked_at"].is_object());
    // A source stands for its snapshot; a name that is none is refused.
    desk.run(&["ingest", "x.case", "d"]);
    let by_source = desk.run(&["diff", "x.case", "monday.sql", "tuesday.sql"]);
    assert_eq!(by_source.code, 0, "{by_source:?}");
    desk.fails(
        &["diff", "d", "monday", "sunday"],
        2,
        "snapshots are monday, same, tuesday",
    );
    desk.fails(&["diff", "d", "monday", "monday"], 2, "are one snapshot");
    // Two dumps alone, each where it lies.
    let alone = ["diff", "d/monday.sql", "d/tuesday.sql", "--format", "json"];
    let alone = desk.json(&alone, 0);
    crate::schemas::valid("diff", &alone);
    for told in ["from", "to", "tables", "events"] {
        assert_eq!(alone[told], found[told], "{told}");
    }
    desk.fails(&["diff", "d/monday.sql", "d/monday.sql"], 1, "");
    desk.fails(&["diff", "d", "d/monday.sql"], 2, "holds several snapshots");
    // Nothing in common: the evidence cannot tell.
    desk.write("d/users.sql", "CREATE TABLE public.users (\n    id bigint\n);\nCOPY public.users (id) FROM stdin;\n1\n\\.\n");
    let apart = diff("monday", "users", 4);
    assert_eq!(
        apart["tables_only_before"],
        serde_json::json!(["l1_batches"])
    );
    // A damaged row makes the answer partial.
    desk.write(
        "d/damaged.sql",
        batches(&[(1, 't'), (2, 'f')]).replace("2\tf\n", "2\n"),
    );
    let damaged = diff("tuesday", "damaged", 3);
    assert!(damaged["partial"].is_array());
    // People see it too.
    let table = desk.run(&["diff", "d", "monday", "tuesday", "--format", "table"]);
    assert!(table.stdout.contains("revert: batches 3 to 4"), "{table:?}");
    assert!(
        table.stdout.contains("is_sealed true -> false"),
        "{table:?}"
    );
}

/// The small dump with its tables in a schema, and its batch of another number.
fn in_schema(schema: &str, batch: &str) -> String {
    crate::run::DUMP
        .replace("public.", &format!("{schema}."))
        .replace("7670", batch)
}

#[test]
fn schemas_of_one_dump_are_chosen() {
    let desk = Desk::new();
    let text = in_schema("core_a", "7670") + &in_schema("\"Core B\"", "7671");
    desk.write("ms.sql", text);
    let case = desk.run(&["ingest", "ms.case", "ms.sql"]);
    assert_eq!(case.code, 0, "{case:?}");
    for evidence in ["ms.sql", "ms.case"] {
        desk.fails(
            &["trace", evidence, crate::run::HASH],
            2,
            "(ms.core_a, ms.Core B): choose one with --snapshot",
        );
        for (choice, batch) in [
            ("ms.core_a", 7670),
            ("core_a", 7670),
            ("ms.Core B", 7671),
            ("Core B", 7671),
        ] {
            let args = [
                "trace",
                evidence,
                crate::run::HASH,
                "--snapshot",
                choice,
                "--format",
                "json",
            ];
            let trace = desk.json(&args, 0);
            assert_eq!(trace["key"], crate::run::HASH);
            assert_eq!(
                trace["path"][0]["l1_batch_number"], batch,
                "{choice}: {trace:#}"
            );
            let tables = desk.json(&["tables", evidence, "--snapshot", choice], 0);
            assert_eq!(tables["tables"].as_array().unwrap().len(), 2, "{choice}");
            let sql = "SELECT max(l1_batch_number) AS n FROM miniblocks";
            let said = desk.run(&["sql", evidence, sql, "--snapshot", choice]);
            assert_eq!(said.lines()[0]["n"], batch, "{choice}: {said:?}");
        }
        desk.fails(&["sql", evidence, "SELECT * FROM miniblocks"], 2, "core_a");
        desk.fails(
            &["sql", evidence, "SELECT 1", "--snapshot", "core_c"],
            2,
            "snapshots are ms, ms.Core B, ms.core_a",
        );
        desk.fails(
            &["trace", evidence, "batch:7670", "--snapshot", "core_c"],
            2,
            "snapshots are ms, ms.Core B, ms.core_a",
        );
    }
}

#[test]
fn a_schema_beside_public_is_told() {
    let desk = Desk::new();
    // The other schema comes first: nothing of it is taken for that of public.
    let text = in_schema("copy", "7671") + &in_schema("public", "7670");
    desk.write("ms.sql", text);
    let case = desk.run(&["ingest", "ms.case", "ms.sql"]);
    assert_eq!(case.code, 0, "{case:?}");
    let says = "schema copy of ms has l2_to_l1_logs, miniblocks too: this answer is of schema public, --snapshot 'ms.copy' asks the other";
    for evidence in ["ms.sql", "ms.case"] {
        let ask = |args: &[&str]| {
            let mut all = vec!["trace", evidence, crate::run::HASH, "--format", "json"];
            all.extend(args);
            let trace = desk.json(&all, 0);
            let warned = trace["warnings"].as_array().unwrap().contains(&says.into());
            (trace["path"][0]["l1_batch_number"].clone(), warned)
        };
        assert_eq!(ask(&[]), (7670.into(), true), "{evidence}");
        assert_eq!(ask(&["--snapshot", "ms"]), (7670.into(), true));
        assert_eq!(ask(&["--snapshot", "public"]), (7670.into(), false));
        assert_eq!(ask(&["--snapshot", "ms.copy"]), (7671.into(), false));
    }
}

#[test]
fn a_snapshot_has_one_name_in_every_verb() {
    let desk = Desk::new();
    let Some(archive) = corpus_dump("z2023.trace.fc.dump") else {
        return;
    };
    desk.write("d/monday_dump.dump", std::fs::read(archive).unwrap());
    // As the file lies, and in a case: the archive names its database.
    let trace = desk.json(&["trace", "d", "batch:7670", "--format", "json"], 0);
    let name = trace["snapshot"].as_str().unwrap();
    assert_ne!(name, "monday_dump");
    assert_eq!(snapshot(&desk, "d")["name"], name);
    let count = format!("SELECT count(*) FROM \"{name}\".public.l1_batches");
    assert_eq!(desk.run(&["sql", "d", &count]).code, 0);
}

/// Two databases in one file, as `pg_dumpall` writes them: the same table in both, with other rows.
fn cluster() -> String {
    let database = |name: &str, number: u32, hash: char| {
        let hash = hash.to_string().repeat(64);
        format!(
            "--\n-- PostgreSQL database dump\n--\n\nCREATE DATABASE {name};\n\\connect {name}\n\n\
             CREATE TABLE public.miniblocks (\n    number bigint NOT NULL,\n    hash bytea\n);\n\n\
             COPY public.miniblocks (number, hash) FROM stdin;\n1\t\\\\x{hash}\n{number}\t\\N\n\\.\n\n\
             ALTER TABLE ONLY public.miniblocks ADD CONSTRAINT k PRIMARY KEY (number);\n\n\
             --\n-- PostgreSQL database dump complete\n--\n\n"
        )
    };
    database("rollup", 2, 'a') + &database("prover", 3, 'b')
}

#[test]
fn databases_of_one_dump_stay_apart_in_a_case() {
    let desk = Desk::new();
    desk.write("all.sql", cluster());
    for keep in [&[][..], &["--keep-dumps"]] {
        let case = format!("c{}.case", keep.len());
        let ingest = [&["ingest", &case, "all.sql"], keep].concat();
        assert_eq!(desk.run(&ingest).code, 0);
        let info = desk.json(&["info", &case, "--format", "json"], 0);
        crate::schemas::valid("info", &info);
        let names = info["snapshots"].as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|snapshot| snapshot["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["prover", "rollup"]);

        // Never a union: the name of a table alone is no answer.
        let count = "SELECT count(*) AS n, max(number) AS newest FROM miniblocks";
        assert_eq!(desk.run(&["sql", &case, count]).code, 2);
        for (name, newest) in [("rollup", 2), ("prover", 3)] {
            let args = ["sql", &case, count, "--snapshot", name, "--format", "jsonl"];
            let rows = desk.run(&args);
            assert_eq!(rows.code, 0, "{}", rows.stderr);
            let row: Value = serde_json::from_str(rows.stdout.trim()).unwrap();
            assert_eq!((&row["n"], &row["newest"]), (&2.into(), &newest.into()));
        }

        // A hash leads to the row that has it, and its reference to that row's bytes.
        for digit in ["a", "b"] {
            let hits = desk.json(
                &[
                    "search",
                    &case,
                    &format!("0x{}", digit.repeat(64)),
                    "--format",
                    "json",
                ],
                0,
            );
            let hits = hits["records"].as_array().unwrap();
            assert_eq!(hits.len(), 1, "{hits:?}");
            let reference = hits[0]["ref"].as_str().unwrap();
            let shown = &desk.run(&["show", &case, reference]).lines()[0];
            let raw = format!("1\t\\\\x{}\n", digit.repeat(64));
            assert_eq!(shown["raw"], raw, "{reference}");
        }

        assert_eq!(desk.run(&["forget", &case, "all.sql"]).code, 0);
        let info = desk.json(&["info", &case, "--format", "json"], 1);
        assert_eq!(info["snapshots"], Value::Array(Vec::new()));
    }
}

#[test]
fn takes_of_one_paste_stay_apart_in_a_case() {
    let desk = Desk::new();
    let take = |status: &str| {
        format!(
            "zk=# select id, status from prover_jobs;\n id | status\n----+--------\n  1 | {status}\n(1 row)\n\n"
        )
    };
    desk.write("ticket.txt", take("queued") + &take("failed"));
    assert_eq!(desk.run(&["ingest", "c.case", "ticket.txt"]).code, 0);
    let sql = "SELECT status FROM prover_jobs";
    assert_eq!(desk.run(&["sql", "c.case", sql]).code, 2);
    for (name, status) in [("ticket", "queued"), ("ticket_2", "failed")] {
        let rows = desk.run(&["sql", "c.case", sql, "--snapshot", name, "--format", "csv"]);
        assert!(
            rows.stdout.contains(status),
            "{name}: {}{}",
            rows.stdout,
            rows.stderr
        );
    }
}
