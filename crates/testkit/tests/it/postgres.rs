//! PostgreSQL as the second implementation: the dump must restore, and what SQL answers there is what
//! `expected/` holds.

use std::{fs, path::Path};
use testkit::{PostgresServer, check_golden, output_of, workspace_root, zksync};

#[track_caller]
fn psql(server: &PostgresServer, arguments: &[&str]) -> String {
    let mut psql = server.command("psql");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "postgres"]);
    String::from_utf8(output_of(psql.args(arguments))).unwrap()
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
    let Some(server) = PostgresServer::start() else {
        return;
    };
    let sample = zksync::sample();
    let path = |name: &str| server.socket_folder().join(name).display().to_string();
    let dump = path("dump.sql");
    fs::write(&dump, sample.text("input/zksync_local.sql.gz").unwrap()).unwrap();
    psql(&server, &["-o", "/dev/null", "-f", &dump]);

    let expected = workspace_root().join("samples/zksync-2023/expected");
    let hash = format!("hash={}", zksync::L2_TX.trim_start_matches("0x"));
    for (query, file, arguments) in [
        (TRACE, "trace.json", vec!["-v", &hash]),
        (COUNTS, "counts.json", vec![]),
    ] {
        // Variables are filled in in files, not in -c.
        let script = path("query.sql");
        fs::write(&script, query).unwrap();
        let out = psql(
            &server,
            &[&arguments[..], &["-A", "-t", "-f", &script]].concat(),
        );
        check_golden(&expected.join(file), out.as_bytes());
    }

    // The pasted tables are what psql itself prints.
    let ticket = String::from_utf8(sample.text("input/ticket-1204.txt").unwrap().to_vec()).unwrap();
    let mut tables = 0;
    for part in ticket.split("zksync_local=# ").skip(1) {
        let (query, shown) = part.split_once('\n').unwrap();
        let table = shown.split_inclusive("row)\n").next().unwrap();
        assert_eq!(
            psql(&server, &["-c", query]),
            format!("{table}\n"),
            "{query}"
        );
        tables += 1;
    }
    assert_eq!(tables, 9);
    check_schema(&server, &expected.join("schema.txt"));
}

/// What the catalogue says of the columns: types as PostgreSQL itself names them.
fn check_schema(server: &PostgresServer, expected: &Path) {
    let query = "SELECT table_name || '.' || column_name || ' ' || data_type FROM information_schema.columns \
                 WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    let out = psql(server, &["-A", "-t", "-c", query]);
    check_golden(expected, out.as_bytes());
}
