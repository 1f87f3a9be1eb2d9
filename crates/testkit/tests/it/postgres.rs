//! PostgreSQL as the second implementation: the dump must restore, and what SQL answers there is what
//! `expected/` holds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use testkit::{check_golden, workspace_root, zksync};

/// A private server in a temporary folder, reached over a socket there; stopped when dropped.
struct Server {
    bin: PathBuf,
    folder: tempfile::TempDir,
    as_postgres: bool,
}

impl Server {
    /// `None` (with a word on stderr) where PostgreSQL is not installed.
    fn start() -> Option<Server> {
        let Some(bin) = find() else {
            eprintln!(
                "SKIPPED: no PostgreSQL (apt install postgresql) to check the zksync sample with"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL refuses to run as root.
        let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
        let server = Server {
            bin,
            folder,
            as_postgres: root,
        };
        if root {
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(server.folder.path())
                .status();
            assert!(owned.unwrap().success());
        }
        let data = server.path("data");
        server.must(
            "initdb",
            &[
                "-D",
                &data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
            ],
        );
        let options = format!(
            "-k {} -h '' -c fsync=off -c timezone=UTC",
            server.folder.path().display()
        );
        server.must(
            "pg_ctl",
            &[
                "-D",
                &data,
                "-w",
                "-o",
                &options,
                "-l",
                &server.path("log"),
                "start",
            ],
        );
        Some(server)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = if self.as_postgres {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command
            .current_dir("/")
            .env("LC_ALL", "C.UTF-8")
            .env("PGTZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    #[track_caller]
    fn must(&self, program: &str, arguments: &[&str]) -> String {
        // pg_ctl's child keeps the pipe open, so its output goes nowhere.
        if program == "pg_ctl" {
            let status = self
                .command(program)
                .args(arguments)
                .stdout(Stdio::null())
                .status()
                .unwrap();
            assert!(status.success(), "{program}: {status}");
            return String::new();
        }
        let out = self.command(program).args(arguments).output().unwrap();
        assert!(
            out.status.success(),
            "{program}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        String::from_utf8(out.stdout).unwrap()
    }

    #[track_caller]
    fn psql(&self, arguments: &[&str]) -> String {
        let host = self.folder.path().display().to_string();
        let common = [
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            &host,
            "-U",
            "postgres",
            "-d",
            "postgres",
        ];
        self.must("psql", &[&common[..], arguments].concat())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.path("data");
        let _ = self
            .command("pg_ctl")
            .args(["-D", &data, "-m", "immediate", "stop"])
            .stdout(Stdio::null())
            .status();
    }
}

fn find() -> Option<PathBuf> {
    let mut bins: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    bins.sort();
    bins.pop()
}

const TRACE: &str = "
WITH batch AS (
    SELECT DISTINCT b.* FROM l2_to_l1_logs l
    JOIN miniblocks m ON m.number = l.miniblock_number
    JOIN l1_batches b ON b.number = m.l1_batch_number
    WHERE l.tx_hash = decode(:'hash', 'hex')
), steps AS (
    SELECT step, eth_tx_id FROM batch, LATERAL (VALUES
        ('commit', eth_commit_tx_id), ('prove', eth_prove_tx_id), ('execute', eth_execute_tx_id)
    ) AS s (step, eth_tx_id)
)
SELECT jsonb_pretty(jsonb_build_object(
    'key', '0x' || :'hash',
    'miniblock', (SELECT min(miniblock_number) FROM l2_to_l1_logs WHERE tx_hash = decode(:'hash', 'hex')),
    'logs', (SELECT count(*) FROM l2_to_l1_logs WHERE tx_hash = decode(:'hash', 'hex')),
    'l1_batch', (SELECT number FROM batch),
    'is_finished', (SELECT is_finished FROM batch),
    'l1', (SELECT jsonb_object_agg(step, jsonb_build_object(
        'eth_tx_id', t.id, 'nonce', t.nonce, 'contract_address', t.contract_address,
        'tx_type', t.tx_type, 'has_failed', t.has_failed,
        'attempts', (SELECT count(*) FROM eth_txs_history a WHERE a.eth_tx_id = t.id),
        'history_id', h.id, 'l1_tx_hash', h.tx_hash,
        'confirmed_at', to_char(h.confirmed_at, 'YYYY-MM-DD HH24:MI:SS.US')))
        FROM steps JOIN eth_txs t ON t.id = steps.eth_tx_id
        LEFT JOIN eth_txs_history h ON h.id = t.confirmed_eth_tx_history_id)
));";

const COUNTS: &str = "
SELECT jsonb_pretty(jsonb_build_object(
    '_sqlx_migrations', (SELECT count(*) FROM _sqlx_migrations),
    'l1_batches', (SELECT count(*) FROM l1_batches),
    'miniblocks', (SELECT count(*) FROM miniblocks),
    'miniblocks_without_batch', (SELECT count(*) FROM miniblocks WHERE l1_batch_number IS NULL),
    'transactions', (SELECT count(*) FROM transactions),
    'transactions_with_error', (SELECT count(*) FROM transactions WHERE error IS NOT NULL),
    'l2_to_l1_logs', (SELECT count(*) FROM l2_to_l1_logs),
    'eth_txs', (SELECT count(*) FROM eth_txs),
    'eth_txs_unconfirmed', (SELECT count(*) FROM eth_txs WHERE confirmed_eth_tx_history_id IS NULL),
    'eth_txs_never_sent', (SELECT count(*) FROM eth_txs t WHERE NOT EXISTS
        (SELECT FROM eth_txs_history h WHERE h.eth_tx_id = t.id)),
    'eth_txs_history', (SELECT count(*) FROM eth_txs_history),
    'eth_txs_sent_more_than_once', (SELECT count(*) FROM
        (SELECT FROM eth_txs_history GROUP BY eth_tx_id HAVING count(*) > 1) AS resent),
    'batches_not_committed', (SELECT count(*) FROM l1_batches WHERE eth_commit_tx_id IS NULL),
    'batches_not_proven', (SELECT count(*) FROM l1_batches WHERE eth_prove_tx_id IS NULL),
    'batches_not_executed', (SELECT count(*) FROM l1_batches WHERE eth_execute_tx_id IS NULL),
    'prover_jobs_by_status', (SELECT jsonb_object_agg(status, jobs) FROM
        (SELECT status, count(*) AS jobs FROM prover_jobs GROUP BY status) AS s)
));";

#[test]
fn the_dump_restores_and_its_answers_are_the_expected_ones() {
    let Some(server) = Server::start() else {
        return;
    };
    let sample = zksync::sample();
    let dump = server.path("dump.sql");
    fs::write(&dump, sample.text("input/zksync_local.sql.gz").unwrap()).unwrap();
    server.psql(&["-o", "/dev/null", "-f", &dump]);

    let expected = workspace_root().join("samples/zksync-2023/expected");
    let hash = format!("hash={}", zksync::L2_TX.trim_start_matches("0x"));
    for (query, file, arguments) in [
        (TRACE, "trace.json", vec!["-v", &hash]),
        (COUNTS, "counts.json", vec![]),
    ] {
        // Variables are filled in in files, not in -c.
        let script = server.path("query.sql");
        fs::write(&script, query).unwrap();
        let out = server.psql(&[&arguments[..], &["-A", "-t", "-f", &script]].concat());
        check_golden(&expected.join(file), out.as_bytes());
    }

    // The pasted tables are what psql itself prints.
    let ticket = String::from_utf8(sample.text("input/ticket-1204.txt").unwrap().to_vec()).unwrap();
    let mut tables = 0;
    for part in ticket.split("zksync_local=# ").skip(1) {
        let (query, shown) = part.split_once('\n').unwrap();
        let table = shown.split_inclusive("row)\n").next().unwrap();
        assert_eq!(server.psql(&["-c", query]), format!("{table}\n"), "{query}");
        tables += 1;
    }
    assert_eq!(tables, 9);
    check_schema(&server, &expected.join("schema.txt"));
}

/// What the catalogue says of the columns: types as PostgreSQL itself names them.
fn check_schema(server: &Server, expected: &Path) {
    let query = "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns \
                 WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    let out = server.psql(&["-A", "-t", "-c", query]);
    check_golden(expected, out.as_bytes());
}
