//! `ingest CASE postgres://…`: a live database becomes a snapshot like any other, and its password nothing.

use crate::run::{Desk, Said};
use std::path::Path;
use testkit::PostgresServer;

const PASSWORD: &str = "s3cret-w0rd";

struct Rollup {
    server: PostgresServer,
    desk: Desk,
}

impl Rollup {
    fn start() -> Option<Rollup> {
        let server = PostgresServer::start_with_password(PASSWORD)?;
        server.sql(
            "postgres",
            "CREATE TABLE eth_txs (id int PRIMARY KEY, tx_type text NOT NULL, created_at timestamp NOT NULL); \
             INSERT INTO eth_txs SELECT i, 'CommitBlocks', timestamp '2023-09-18 03:00:00' + i * interval '1 minute' FROM generate_series(1, 40) i; \
             CREATE TABLE miniblocks (number bigint PRIMARY KEY, \"timestamp\" bigint NOT NULL, created_at timestamp NOT NULL); \
             INSERT INTO miniblocks SELECT i, 1695006000 + i, timestamp '2023-09-18 05:00:02' + i * interval '1 second' FROM generate_series(1, 40) i; \
             CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, success boolean NOT NULL); \
             INSERT INTO _sqlx_migrations VALUES (20230817101508, true)",
        );
        Some(Rollup {
            server,
            desk: Desk::new(),
        })
    }

    fn url(&self, login: &str) -> String {
        let folder = self
            .server
            .socket_folder()
            .display()
            .to_string()
            .replace('/', "%2F");
        format!("postgres://{login}@{folder}/postgres")
    }

    fn run(&self, args: &[&str], variables: &[(&str, &str)]) -> Said {
        let mut command = self.desk.command(args);
        command.envs(variables.iter().copied());
        let output = command.output().unwrap();
        let said = Said {
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code().unwrap(),
        };
        let all = format!("{}{}", said.stdout, said.stderr);
        assert!(!all.contains(PASSWORD), "{all}");
        said
    }
}

/// Every file under a folder, by name.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            all.extend(files(&entry.path()));
        } else {
            all.push((
                entry.path().display().to_string(),
                std::fs::read(entry.path()).unwrap(),
            ));
        }
    }
    all
}

#[test]
fn a_live_database_is_a_snapshot_and_its_password_nothing() {
    let Some(rollup) = Rollup::start() else {
        return;
    };
    let desk = &rollup.desk;
    // By the environment, by a password file, by the URL.
    let said = rollup.run(
        &["ingest", "x.case", &rollup.url("postgres")],
        &[("PGPASSWORD", PASSWORD)],
    );
    assert_eq!(said.code, 0, "{said:?}");
    rollup.server.sql(
        "postgres",
        "INSERT INTO eth_txs VALUES (41, 'ExecuteBlocks', now())",
    );
    desk.write(".pgpass", format!("*:*:*:postgres:{PASSWORD}\n"));
    let said = rollup.run(&["ingest", "x.case", &rollup.url("postgres")], &[]);
    assert_eq!(said.code, 2, "others may read it: {said:?}");
    let pgpass = desk.path(".pgpass");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&pgpass, private).unwrap();
    let said = rollup.run(
        &[
            "ingest",
            "x.case",
            &rollup.url("postgres"),
            "--as",
            "tuesday",
        ],
        &[],
    );
    assert_eq!(said.code, 0, "{said:?}");
    let by_url = rollup.url(&format!("postgres:{PASSWORD}"));
    let said = rollup.run(&["ingest", "x.case", &by_url, "--table", "eth_*"], &[]);
    assert_eq!(said.code, 0, "{said:?}");

    let info = desk.json(&["info", "x.case", "--format", "json"], 0);
    crate::schemas::valid("info", &info);
    let names: Vec<&str> = info["snapshots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["postgres", "postgres_2", "tuesday"]);
    let first = &info["snapshots"][0];
    assert_eq!(first["kind"], "postgres-live");
    assert_eq!(first["database"], "postgres");
    assert_eq!(first["schema_version"], "20230817101508");
    // Its clock is two hours ahead: it wrote 05:00:02 two seconds after 03:00:00 UTC.
    assert_eq!(first["zone"]["value"], "+02:00");
    assert!(first["as_of"].as_str().unwrap().ends_with('Z'));
    assert_eq!(info["snapshots"][1]["tables"].as_array().unwrap().len(), 1);
    let path = info["sources"][0]["path"].as_str().unwrap();
    assert!(
        path.starts_with("postgres://postgres@%2F") && path.ends_with(":5432/postgres"),
        "{path}"
    );

    // It can be asked like any other, and the raw text of a row is in the case.
    let rows = desk.run(&[
        "sql",
        "x.case",
        "SELECT COUNT(*) AS n FROM tuesday.public.eth_txs",
        "--format",
        "jsonl",
    ]);
    assert_eq!(rows.lines()[0]["n"], 41, "{rows:?}");
    let diff = desk.json(
        &["diff", "x.case", "postgres", "tuesday", "--format", "json"],
        0,
    );
    assert_eq!(
        (&diff["tables"][1]["name"], &diff["tables"][1]["new"]),
        (&"eth_txs".into(), &1.into())
    );
    let reference = diff["tables"][1]["rows"][0]["ref_after"].as_str().unwrap();
    let shown = desk.run(&["show", "x.case", reference]);
    assert!(
        shown.code == 0 && shown.stdout.contains("ExecuteBlocks"),
        "{shown:?}"
    );
    let dump = desk.run(&["show", "x.case", "S1:1-40", "--format", "table"]);
    assert!(dump.stdout.contains("_sqlx_migrations"), "{dump:?}");
    assert!(!dump.stdout.contains(PASSWORD));
    desk.run(&["verify", "x.case"]);
    for (name, bytes) in files(&desk.path("x.case")) {
        let found = bytes
            .windows(PASSWORD.len())
            .any(|window| window == PASSWORD.as_bytes());
        assert!(!found, "the password is in {name}");
    }
    assert_eq!(desk.run(&["verify", "x.case"]).code, 0);
}

#[test]
fn what_goes_wrong_with_a_database_is_said() {
    let Some(rollup) = Rollup::start() else {
        return;
    };
    let with = [("PGPASSWORD", PASSWORD)];
    let fails = |args: &[&str], variables: &[(&str, &str)], code: i32, word: &str| {
        let said = rollup.run(args, variables);
        assert!(
            said.code == code && said.stderr.contains(word),
            "{word}: {said:?}"
        );
    };
    let url = rollup.url("postgres");
    fails(
        &["ingest", "x.case", &url],
        &[("PGPASSWORD", "wrong")],
        2,
        "password authentication failed",
    );
    fails(
        &["ingest", "x.case", &url, "--table", "nothing"],
        &with,
        2,
        "eth_txs, miniblocks",
    );
    fails(
        &[
            "ingest",
            "x.case",
            "postgres://127.0.0.1/x?sslmode=verify-full",
        ],
        &with,
        2,
        "sslrootcert=",
    );
    fails(
        &[
            "ingest",
            "x.case",
            &rollup.url(&format!("postgres:{PASSWORD}@x")),
        ],
        &[],
        2,
        "%40",
    );
    // Nothing of a live database goes into a cache.
    for verb in ["info", "triage", "tables"] {
        fails(
            &[verb, &rollup.url(&format!("postgres:{PASSWORD}"))],
            &[],
            2,
            "coroner ingest CASE URL",
        );
    }
    // A table that cannot be read makes the evidence partial, now and later.
    rollup.server.sql(
        "postgres",
        &format!("CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON miniblocks, _sqlx_migrations TO reader"),
    );
    fails(
        &["ingest", "y.case", &rollup.url("reader")],
        &with,
        3,
        "table eth_txs: this role may not read it",
    );
    fails(
        &["info", "y.case"],
        &[],
        3,
        "table eth_txs: this role may not read it",
    );
}
