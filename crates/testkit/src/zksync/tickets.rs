//! Tables as people paste them into tickets.

use super::{
    L2_TX, World, bytea,
    postgres::{Shown, Table},
};

impl World {
    /// The five questions of the incident's source: query, answer.
    fn questions(&self) -> Vec<(String, Shown)> {
        let find = |table: &Table, column: &str, value: &str| -> Vec<usize> {
            (0..table.rows.len())
                .filter(|row| table.get(*row, column) == Some(value))
                .collect()
        };
        let log = find(&self.logs, "tx_hash", &bytea(L2_TX));
        let miniblock = find(&self.miniblocks, "number", "15841");
        let batch = find(&self.batches, "number", "7670");
        let mut questions = vec![
            (
                format!("select miniblock_number, tx_hash from l2_to_l1_logs where tx_hash = '{}';", bytea(L2_TX)),
                Shown::of(&self.logs, &["miniblock_number", "tx_hash"], &log),
            ),
            (
                "select number, l1_batch_number, timestamp, created_at from miniblocks where number=15841;".to_owned(),
                Shown::of(&self.miniblocks, &["number", "l1_batch_number", "timestamp", "created_at"], &miniblock),
            ),
            (
                "select number,is_finished,eth_commit_tx_id,eth_prove_tx_id,eth_execute_tx_id from l1_batches where number=7670;".to_owned(),
                Shown::of(
                    &self.batches,
                    &["number", "is_finished", "eth_commit_tx_id", "eth_prove_tx_id", "eth_execute_tx_id"],
                    &batch,
                ),
            ),
        ];
        for id in ["41073", "41148", "41151"] {
            let tx = find(&self.txs, "id", id);
            questions.push((
                format!("select nonce,contract_address,tx_type,has_failed,sent_at_block,tx_status,confirmed_eth_tx_history_id from eth_txs where id={id} ORDER BY updated_at DESC limit 1;"),
                Shown::of(
                    &self.txs,
                    &["nonce", "contract_address", "tx_type", "has_failed", "sent_at_block", "tx_status", "confirmed_eth_tx_history_id"],
                    &tx,
                ),
            ));
            let history = self
                .txs
                .get(tx[0], "confirmed_eth_tx_history_id")
                .unwrap_or("0");
            let row = find(&self.history, "id", history);
            questions.push((
                format!("select eth_tx_id,tx_hash,confirmed_at from eth_txs_history where id={history} ORDER BY updated_at DESC limit 10;"),
                Shown::of(&self.history, &["eth_tx_id", "tx_hash", "confirmed_at"], &row),
            ));
        }
        questions
    }

    pub(super) fn ticket(&self) -> String {
        let mut out = String::from(
            "Ticket 1204: which L1 transactions carry this withdrawal?\n\n\
             A customer asks where the withdrawal of 18 September stands. I looked it up on the main\n\
             node's database, step by step (times in the tables are the database's, which runs in UTC):\n\n",
        );
        for (query, shown) in self.questions() {
            out.push_str(&format!("zksync_local=# {query}\n{}\n", shown.aligned()));
        }
        out.push_str("So it is committed, proven and executed. Closing.\n");
        out
    }

    pub(super) fn glued_ticket(&self) -> String {
        let mut out = String::from("Ticket 1204 (copied from the web view)\n");
        for (query, shown) in self.questions() {
            out.push_str(&format!("- {query}\n{}\n", shown.glued()));
        }
        out
    }
}

pub(super) type Job = (&'static str, &'static str, &'static str);

/// As the incident's source prints them.
pub(super) const MAIN_NODE_JOBS: [Job; 9] = [
    ("1147", "successful", "2023-09-06 05:58:18.199706"),
    ("1146", "successful", "2023-09-06 02:57:31.196466"),
    ("1145", "successful", "2023-09-06 02:19:07.253418"),
    ("1144", "successful", "2023-09-06 01:46:06.18188"),
    ("1143", "in_gpu_proof", "2023-09-05 11:27:41.230814"),
    ("1142", "in_gpu_proof", "2023-09-05 11:27:37.413038"),
    ("1141", "in_gpu_proof", "2023-09-05 11:27:31.75103"),
    ("1140", "in_gpu_proof", "2023-09-05 11:27:28.767585"),
    ("1139", "in_gpu_proof", "2023-09-05 11:27:23.971785"),
];

/// As the incident's source prints them.
pub(super) const EXTENSION_NODE_JOBS: [Job; 9] = [
    ("1147", "in_gpu_proof", "2023-09-07 10:59:47.841166"),
    ("1146", "in_gpu_proof", "2023-09-07 10:59:46.586542"),
    ("1145", "in_gpu_proof", "2023-09-07 10:59:45.218178"),
    ("1144", "in_gpu_proof", "2023-09-07 10:59:43.862459"),
    ("1143", "in_gpu_proof", "2023-09-07 10:59:42.610455"),
    ("1142", "in_gpu_proof", "2023-09-07 10:59:41.344974"),
    ("1141", "in_gpu_proof", "2023-09-07 10:59:39.956309"),
    ("1140", "in_gpu_proof", "2023-09-07 10:59:38.589833"),
    ("1139", "in_gpu_proof", "2023-09-07 10:59:37.219"),
];

pub(super) fn prover_jobs_table(jobs: &[Job]) -> String {
    let shown = Shown {
        columns: [
            ("l1_batch_number", true),
            ("status", false),
            ("created_at", false),
        ]
        .map(|(name, number)| (name.to_owned(), number))
        .to_vec(),
        rows: jobs
            .iter()
            .map(|(batch, status, created)| {
                [batch, status, created]
                    .map(|text| (*text).to_owned())
                    .to_vec()
            })
            .collect(),
    };
    format!(
        "zksync_local=# select l1_batch_number, status, created_at from prover_jobs order by created_at desc;\n{}",
        shown.aligned()
    )
}
