//! Two snapshots of one database: PostgreSQL changes a database as zkSync Era's own tools do, and says by SQL
//! what differs.

use analysis::diff::{Diff, DiffEvent, DiffOptions, TableDiff, diff};
use dumps::{DumpSource, Naming, Opener};
use std::io::Cursor;
use std::sync::Arc;
use testkit::{PostgresServer, gunzip, workspace_root};

/// A database that the sample's dump was restored into.
struct Rollup {
    server: PostgresServer,
}

impl Rollup {
    fn start() -> Option<Rollup> {
        let server = PostgresServer::start()?;
        let path = workspace_root().join("samples/zksync-2023/input/zksync_local.sql.gz");
        server.restore("postgres", &gunzip(&std::fs::read(path).unwrap()).unwrap());
        Some(Rollup { server })
    }

    fn sql(&self, sql: &str) -> String {
        self.server.sql("postgres", sql).trim().to_owned()
    }

    fn number(&self, sql: &str) -> u64 {
        self.sql(sql).parse().unwrap()
    }

    fn snapshot(&self, name: &str) -> DumpSource {
        let dump: Arc<[u8]> = self.server.dump(&["-n", "public", "postgres"]).into();
        source(dump, name)
    }

    /// Changes the database; returns the difference, each table's counts compared with what SQL says.
    fn changed_by(&self, sql: &str) -> Diff {
        let before = self.snapshot("before");
        self.sql(
            "DROP SCHEMA IF EXISTS before CASCADE; CREATE SCHEMA before; DO $$ DECLARE t text; BEGIN \
             FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP \
             EXECUTE format('CREATE TABLE before.%I AS TABLE public.%I', t, t); END LOOP; END $$",
        );
        self.sql(sql);
        let after = self.snapshot("after");
        let found = diff(&before, &after, &DiffOptions::default()).unwrap();
        for table in &found.tables {
            self.check(table);
        }
        found
    }

    #[track_caller]
    fn check(&self, table: &TableDiff) {
        let name = &table.name;
        let keys: Vec<String> = table
            .key
            .iter()
            .map(|key| format!("a.\"{key}\" = b.\"{key}\""))
            .collect();
        let on = keys.join(" AND ");
        let alone = |one: &str, other: &str| {
            self.number(&format!(
                "SELECT count(*) FROM {one}.{name} a WHERE NOT EXISTS (SELECT 1 FROM {other}.{name} b WHERE {on})"
            ))
        };
        let changed = self.number(&format!(
            "SELECT count(*) FROM before.{name} b JOIN public.{name} a ON {on} WHERE a::text <> b::text"
        ));
        let rows = |schema: &str| self.number(&format!("SELECT count(*) FROM {schema}.{name}"));
        assert_eq!(
            (
                table.new,
                table.gone,
                table.changed,
                table.rows_before,
                table.rows_after
            ),
            (
                alone("public", "before"),
                alone("before", "public"),
                changed,
                rows("before"),
                rows("public")
            ),
            "{name}"
        );
    }
}

fn source(dump: Arc<[u8]>, name: &str) -> DumpSource {
    let naming = Naming {
        given: Some(name.to_owned()),
        source: "0123456789ab".into(),
        ..Naming::default()
    };
    let opener = Opener::FromStart(Box::new(move || {
        Ok(Box::new(Cursor::new(Arc::clone(&dump))))
    }));
    DumpSource::open(opener, naming).unwrap()
}

#[track_caller]
fn event<'d>(found: &'d Diff, kind: &str) -> &'d DiffEvent {
    let mut events = found.events.iter().filter(|event| event.kind == kind);
    match (events.next(), events.next()) {
        (Some(event), None) => event,
        other => panic!("{kind}: {other:?} of {:#?}", found.events),
    }
}

fn kinds(found: &Diff) -> Vec<&'static str> {
    found.events.iter().map(|event| event.kind).collect()
}

#[track_caller]
fn table<'d>(found: &'d Diff, name: &str) -> &'d TableDiff {
    found
        .tables
        .iter()
        .find(|table| table.name == name)
        .unwrap()
}

#[test]
fn the_life_of_a_rollup_is_told_from_two_dumps() {
    let Some(rollup) = Rollup::start() else {
        return;
    };

    // Nothing happened.
    let nothing = rollup.changed_by("SELECT 1");
    assert!(!nothing.differs(), "{nothing:#?}");
    assert_eq!(kinds(&nothing), Vec::<&str>::new());

    // Confirmations, resends and new blocks are no event.
    let on = rollup.changed_by(
        "UPDATE eth_txs_history SET confirmed_at = now()::timestamp WHERE confirmed_at IS NULL AND id = (SELECT max(id) FROM eth_txs_history); \
         UPDATE eth_txs t SET confirmed_eth_tx_history_id = h.id, gas_used = 21000 FROM eth_txs_history h \
         WHERE h.eth_tx_id = t.id AND h.id = (SELECT max(id) FROM eth_txs_history); \
         UPDATE l1_batches SET is_finished = NOT is_finished WHERE number % 50 = 0",
    );
    assert_eq!(kinds(&on), Vec::<&str>::new());
    let batches = table(&on, "l1_batches");
    assert_eq!(batches.key_basis, "declared");
    assert_eq!(
        batches
            .columns_changed
            .iter()
            .map(|c| (c.name.as_str(), c.rows))
            .collect::<Vec<_>>(),
        [("is_finished", batches.changed)]
    );
    let row = &batches.rows[0];
    assert_eq!(row.change, "changed");
    assert_eq!(
        row.columns["is_finished"].before,
        !row.columns["is_finished"].after.as_bool().unwrap()
    );
    assert!(
        row.ref_after
            .as_ref()
            .unwrap()
            .ends_with(&format!("public.l1_batches#{}", row.key[0]))
    );

    // An attempt that failed to be sent is deleted, as code of 2023 does.
    let deleted = rollup.changed_by(
        "DELETE FROM eth_txs_history WHERE id = (SELECT max(h.id) FROM eth_txs_history h WHERE confirmed_at IS NULL)",
    );
    assert_eq!(kinds(&deleted), ["attempts_deleted"]);
    assert_eq!(event(&deleted, "attempts_deleted").count, 1);

    // Confirmations are taken back.
    rollup.sql("ALTER TABLE eth_txs_history ADD finality_status text DEFAULT 'finalized' NOT NULL");
    let ids = rollup.sql("SELECT string_agg(id::text, ',') FROM (SELECT id FROM eth_txs WHERE confirmed_eth_tx_history_id IS NOT NULL ORDER BY id DESC LIMIT 3) x");
    let back = rollup.changed_by(&format!(
        "UPDATE eth_txs_history SET finality_status = 'pending', confirmed_at = NULL WHERE eth_tx_id IN ({ids}); \
         UPDATE eth_txs SET confirmed_eth_tx_history_id = NULL, gas_used = NULL, has_failed = false WHERE id IN ({ids})"
    ));
    assert_eq!(kinds(&back), ["unfinalize"]);
    assert_eq!(event(&back, "unfinalize").count, 3);

    // A link is lost with the attempt it pointed at.
    let lost = rollup.changed_by(
        "DELETE FROM eth_txs_history WHERE id = (SELECT min(confirmed_eth_tx_history_id) FROM eth_txs)",
    );
    assert_eq!(kinds(&lost), ["link_lost", "attempts_deleted"]);
    assert!(
        event(&lost, "attempts_deleted")
            .text
            .contains("1 of them had been confirmed")
    );

    // A failed transaction is cleared, with everything after it.
    let failed = rollup.number("SELECT id FROM eth_txs ORDER BY id DESC OFFSET 20 LIMIT 1") as i64;
    rollup.sql(&format!(
        "UPDATE eth_txs SET has_failed = false; UPDATE eth_txs SET has_failed = true WHERE id IN ({failed}, {failed} + 3)"
    ));
    let unlinked = rollup.number(&format!(
        "SELECT count(*) FROM (SELECT eth_commit_tx_id id FROM l1_batches UNION ALL SELECT eth_prove_tx_id FROM l1_batches \
         UNION ALL SELECT eth_execute_tx_id FROM l1_batches) x WHERE id >= {failed}"
    ));
    let cleared = rollup.changed_by(&format!("DELETE FROM eth_txs WHERE id >= {failed}"));
    assert_eq!(kinds(&cleared), ["clear_failed_transactions"]);
    let told = event(&cleared, "clear_failed_transactions");
    assert_eq!((told.first, told.count), (failed, 21));
    assert!(unlinked > 0);
    assert!(
        told.text
            .contains(&format!("{unlinked} links of batches to them are NULL")),
        "{}",
        told.text
    );

    // Some of those after it stay: that was no clearing.
    rollup.sql("UPDATE eth_txs SET has_failed = true WHERE id = (SELECT id FROM eth_txs ORDER BY id DESC OFFSET 20 LIMIT 1)");
    let odd = rollup.changed_by(
        "DELETE FROM eth_txs WHERE id = (SELECT id FROM eth_txs ORDER BY id DESC OFFSET 5 LIMIT 1)",
    );
    assert_eq!(kinds(&odd), ["transactions_deleted"]);
    rollup.sql("UPDATE eth_txs SET has_failed = false");

    // The newest batches are rolled back, with their miniblocks and L1 transactions; one is sealed anew.
    let newest = rollup.number("SELECT max(number) FROM l1_batches") as i64;
    rollup.sql(&format!(
        "UPDATE l1_batches SET hash = '\\xaa' WHERE number > {newest} - 4; \
         INSERT INTO eth_txs SELECT (SELECT max(id) FROM eth_txs) + 1, 999999, raw_tx, contract_address, tx_type, gas_used, created_at, updated_at, has_failed, \
         sent_at_block, NULL, predicted_gas_cost FROM eth_txs LIMIT 1"
    ));
    rollup.sql(&format!(
        "UPDATE l1_batches SET eth_commit_tx_id = (SELECT max(id) FROM eth_txs) WHERE number > {newest} - 4"
    ));
    let reverted = rollup.changed_by(&format!(
        "DELETE FROM eth_txs WHERE id = (SELECT max(id) FROM eth_txs); \
         DELETE FROM miniblocks WHERE l1_batch_number > {newest} - 4 OR l1_batch_number IS NULL; \
         DELETE FROM l1_batches WHERE number > {newest} - 3; \
         UPDATE l1_batches SET hash = '\\xbb' WHERE number = {newest} - 3"
    ));
    assert_eq!(kinds(&reverted), ["revert"]);
    let told = event(&reverted, "revert");
    assert_eq!((told.first, told.last, told.count), (newest - 3, newest, 4));
    for part in [
        "3 of them are gone",
        "1 were sealed anew",
        "miniblocks",
        "1 of their L1 transactions are gone",
    ] {
        assert!(told.text.contains(part), "{part}: {}", told.text);
    }

    // The oldest are pruned: that is no revert.
    let pruned = rollup.changed_by(
        "DELETE FROM l1_batches WHERE number < (SELECT min(number) + 5 FROM l1_batches); \
         DELETE FROM miniblocks WHERE number < (SELECT min(number) + 9 FROM miniblocks)",
    );
    assert_eq!(kinds(&pruned), ["pruned", "pruned"]);
    assert_eq!(pruned.events[0].count, 5);

    // A table without a key is compared by whole rows, repeats counted.
    rollup.sql("CREATE TABLE keyless (a bigint, b text); INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL), (3, '')");
    let before = rollup.snapshot("before");
    rollup.sql(
        "DELETE FROM keyless WHERE a = 1; INSERT INTO keyless VALUES (1, 'x'), (2, ''), (4, 'new')",
    );
    let found = diff(
        &before,
        &rollup.snapshot("after"),
        &DiffOptions {
            tables: vec!["keyl*".into()],
            ..DiffOptions::default()
        },
    );
    let found = found.unwrap();
    assert_eq!(found.tables.len(), 1);
    let keyless = &found.tables[0];
    assert_eq!((keyless.gone, keyless.new, keyless.changed), (1, 2, 0));
    assert_eq!(keyless.key_basis, "whole rows");
}

/// A dump of some rows of `l1_batches`, with these columns.
fn batches(columns: &str, rows: &str, name: &str) -> DumpSource {
    let types: Vec<String> = columns
        .split(", ")
        .map(|column| {
            format!(
                "    {column} {}",
                if column.starts_with("is_") {
                    "boolean"
                } else {
                    "bigint"
                }
            )
        })
        .collect();
    let text = format!(
        "CREATE TABLE public.l1_batches (\n{}\n);\nCOPY public.l1_batches ({columns}) FROM stdin;\n{rows}\\.\n\
         ALTER TABLE ONLY public.l1_batches\n    ADD CONSTRAINT k PRIMARY KEY (number);\n",
        types.join(",\n")
    );
    source(text.into_bytes().into(), name)
}

#[test]
fn schemas_of_different_times_are_compared() {
    let old = batches("number, is_finished, gone", "1\tt\t7\n2\tf\t8\n", "old");
    let new = batches(
        "number, added, is_sealed",
        "2\t5\tt\n1\t5\tt\n3\t5\tf\n",
        "new",
    );
    let found = diff(&old, &new, &DiffOptions::default()).unwrap();
    let table = table(&found, "l1_batches");
    assert_eq!((table.new, table.gone, table.changed), (1, 0, 1));
    assert_eq!(table.columns_only_before, ["gone"]);
    assert_eq!(table.columns_only_after, ["added"]);
    assert_eq!(table.rows[0].key, [2]);
    let change = &table.rows[0].columns["is_finished/is_sealed"];
    assert_eq!(
        (&change.before, &change.after),
        (&false.into(), &true.into())
    );
}

#[test]
fn a_paste_is_compared_with_a_dump() {
    let dump = batches(
        "number, timestamp, is_sealed",
        "1\t100\tt\n2\t200\tf\n3\t300\tt\n",
        "dump",
    );
    let paste = " number | timestamp | is_sealed \n--------+-----------+-----------\n      1 |       100 | t\n      2 |       201 | f\n(2 rows)\n";
    let paste = format!("zksync=# SELECT number, timestamp, is_sealed FROM l1_batches;\n{paste}");
    let paste = source(paste.into_bytes().into(), "paste");
    let found = diff(&dump, &paste, &DiffOptions::default()).unwrap();
    let table = table(&found, "l1_batches");
    assert_eq!(table.key_basis, "declared in the other snapshot");
    assert_eq!((table.new, table.gone, table.changed), (0, 1, 1));
    assert!(
        table.notes[0].contains("may hold a part of the table"),
        "{:?}",
        table.notes
    );
    // Row 3 was not selected: that is no revert.
    assert_eq!(kinds(&found), Vec::<&str>::new());
}

#[test]
fn many_rows_are_counted_and_some_listed() {
    let rows = |step: usize, count: usize| -> String {
        (0..count)
            .map(|n| format!("{}\t{n}\tt\n", n * step))
            .collect()
    };
    let one = batches("number, timestamp, is_sealed", &rows(1, 3000), "one");
    let other = batches("number, timestamp, is_sealed", &rows(2, 3000), "other");
    let options = DiffOptions {
        rows_listed: 30,
        ..DiffOptions::default()
    };
    let found = diff(&one, &other, &options).unwrap();
    let table = table(&found, "l1_batches");
    // Odd ones are gone, even ones beyond 3000 are new, even ones below have another time but 0.
    assert_eq!((table.gone, table.new, table.changed), (1500, 1500, 1499));
    assert_eq!(table.rows.len(), 30);
    assert_eq!(table.rows_left_out, 4499 - 30);
    for change in ["gone", "changed", "new"] {
        let keys: Vec<i64> = table
            .rows
            .iter()
            .filter(|row| row.change == change)
            .map(|row| row.key[0].as_i64().unwrap())
            .collect();
        assert_eq!(keys.len(), 10);
        assert!(keys.is_sorted(), "{keys:?}");
    }
}
